#include "cli/timeline.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/html.h"
#include "cli/show_trace.h"

enum {
	LABELS = 230, PLOT = 950, WIDTH = LABELS + PLOT + 20, TOP = 64, MARKS = 22, ROW = 20, LANE = 44, GAP = 6,
	MOST_ROWS = 64, MOST_LANES = 24, HOVERS = 96, MOST_NAME = 200,
};

/* From the bottom of a lane to its top; the order in which they are stacked. */
static const enum trace_class stacked[TC_COUNT] = { TC_RUNNING, TC_RUNNABLE, TC_SYSCALL, TC_LOCK, TC_CHAN, TC_NET, TC_SLEEP, TC_OTHER };

static const char style[] =
	":root{--bg:#ffffff;--fg:#1c2430;--dim:#667085;--line:#d7dce3;--band:#f3f5f8}"
	".running{fill:#2f9e63}.runnable{fill:#e5b53a}.syscall{fill:#7a86c8}.lock{fill:#d9534f}.channel{fill:#c98bdb}"
	".network{fill:#3d9bd1}.sleep{fill:#c4cad3}.other{fill:#9aa3ad}"
	"@media (prefers-color-scheme:dark){:root{--bg:#14181f;--fg:#e6eaf0;--dim:#98a2b3;--line:#343c49;--band:#1b212b}"
	".sleep{fill:#4a5361}.other{fill:#69727f}}"
	"svg{background:var(--bg);font:12px system-ui,-apple-system,'Segoe UI',sans-serif}"
	"text{fill:var(--fg)}.d{fill:var(--dim)}.h{font-size:16px;font-weight:600}.l{stroke:var(--line)}.b{fill:var(--band)}"
	".gc{fill:#8d6bc9;opacity:.35}.stw{fill:#d9534f}.log{fill:#e08a1e}.task{fill:#3d9bd1;opacity:.45}.v{fill:transparent}"
	".s{opacity:.55}rect:hover{stroke:var(--fg);stroke-width:1;vector-effect:non-scaling-stroke}.v:hover{fill:var(--fg);opacity:.12;stroke:none}";

/* Wheel and + - zoom at the pointer, dragging and the arrows move, 0 and Escape go back. */
static const char script[] =
	"(function(){var s=document.documentElement,z=document.getElementById('z'),a=document.getElementById('a'),"
	"L=+s.dataset.labels,W=+s.dataset.plot,F=+s.dataset.from,T=+s.dataset.to,H=+s.dataset.height,k=1,o=0,d=null;"
	"function n(t){var u=Math.abs(t);return u>=1e9?(t/1e9).toFixed(4).replace(/0+$/,'').replace(/\\.$/,'')+'s':"
	"u>=1e6?+(t/1e6).toFixed(3)+'ms':u>=1e3?+(t/1e3).toFixed(2)+'µs':Math.round(t)+'ns'}"
	"function draw(){o=Math.max(0,Math.min(o,W-W/k));z.setAttribute('transform','translate('+(-o*k)+',0) scale('+k+',1)');"
	"var w=(T-F)/k,f=F+o/W*(T-F),p=Math.pow(10,Math.floor(Math.log10(w/6))),m=w/p>30?5:w/p>12?2:1,g='';p*=m;"
	"while(a.firstChild)a.removeChild(a.firstChild);"
	"for(var t=Math.ceil(f/p)*p;t<=f+w;t+=p){var x=(t-f)/w*W,e=document.createElementNS('http://www.w3.org/2000/svg','line');"
	"e.setAttribute('class','l');e.setAttribute('x1',x);e.setAttribute('x2',x);e.setAttribute('y1',0);e.setAttribute('y2',H);a.appendChild(e);"
	"e=document.createElementNS('http://www.w3.org/2000/svg','text');e.setAttribute('class','d');e.setAttribute('x',x+3);"
	"e.setAttribute('y',-4);e.textContent=n(t);a.appendChild(e)}}"
	"function at(e){var r=s.getBoundingClientRect();return(e.clientX-r.left)*s.viewBox.baseVal.width/r.width-L}"
	"function zoom(x,f){var c=o+x/k;k=Math.max(1,Math.min(4000,k*f));o=c-x/k;draw()}"
	"s.addEventListener('wheel',function(e){e.preventDefault();zoom(Math.max(0,at(e)),e.deltaY<0?1.25:.8)},{passive:false});"
	"s.addEventListener('mousedown',function(e){d={x:at(e),o:o}});"
	"s.addEventListener('mousemove',function(e){if(d){o=d.o-(at(e)-d.x)/k;draw()}});"
	"window.addEventListener('mouseup',function(){d=null});"
	"window.addEventListener('keydown',function(e){var c=e.key;if(c==='+'||c==='=')zoom(W/2,1.5);else if(c==='-')zoom(W/2,1/1.5);"
	"else if(c==='0'||c==='Escape'){k=1;o=0;draw()}else if(c==='ArrowLeft'){o-=W/k/8;draw()}else if(c==='ArrowRight'){o+=W/k/8;draw()}});"
	"draw()})()";

struct picture {
	const struct trace *t;
	struct trace_timeline l;
	const struct trace_lane *lanes[MOST_LANES];
	size_t n_rows, n_lanes;
	double scale; /* px a ns */
	struct buf *b;
};

/* Escaped; without the two code points that UTF-8 may hold and XML may not. */
static void put(struct buf *b, struct span s)
{
	size_t at;

	s = utf8_head(s, MOST_NAME);
	while ((at = span_find(s, S("\xef\xbf\xbe"))) != SPAN_NONE || (at = span_find(s, S("\xef\xbf\xbf"))) != SPAN_NONE) {
		html_text(b, span_head(s, at));
		s = span_from(s, at + 3);
	}
	html_text(b, s);
}

static void put_group(const struct picture *p, uint32_t group)
{
	struct span name = trace_view(p->t)->groups[group].name;

	if (name.n)
		put(p->b, name);
	else
		html_textz(p->b, TR("(start not seen)", "（未见起点）"));
}

static double lane_weight(const struct trace *t, const struct trace_timeline *l, const struct trace_lane *v)
{
	bool system = trace_view(t)->groups[v->group].system; /* worth a row only when it runs */
	double w = 0;

	for (size_t c = 0; c < l->columns; c++) {
		for (size_t s = 0; s < (system ? 1 : TC_COUNT); s++)
			w += (s == TC_SLEEP || s == TC_OTHER ? 0.05 : s == TC_RUNNING ? 4 : 1) * (double)v->v[c][s];
	}
	return system ? w / 64 : w;
}

size_t timeline_lanes(const struct trace *t, const struct trace_timeline *l, const struct trace_lane **ret, size_t n)
{
	size_t got = 0;
	double w[MOST_LANES];

	n = n < MOST_LANES ? n : MOST_LANES;
	for (size_t i = 0; i < l->n_lanes && n; i++) {
		double mine = lane_weight(t, l, &l->lanes[i]);
		size_t at = got;

		if (mine <= 0 || (got == n && mine <= w[n - 1]))
			continue;
		if (got < n)
			got++;
		else
			at = n - 1;
		for (; at > 0 && w[at - 1] < mine; at--) {
			w[at] = w[at - 1];
			ret[at] = ret[at - 1];
		}
		w[at] = mine;
		ret[at] = &l->lanes[i];
	}
	return got;
}

static double x_of(const struct picture *p, int64_t at)
{
	return (double)(at - p->l.from) * p->scale;
}

static void put_rect(const struct picture *p, int64_t from, int64_t to, double y, double h, const char *class)
{
	double w = x_of(p, to) - x_of(p, from);

	buf_addf(p->b, "<rect class=\"%s\" x=\"%.2f\" y=\"%g\" width=\"%.2f\" height=\"%g\"", class, x_of(p, from), y, w > 0.02 ? w : 0.02, h);
}

static void put_when(const struct picture *p, int64_t from, int64_t to)
{
	show_ns(p->b, to - from);
	buf_adds(p->b, TR(" at ", "，位于 "));
	show_ns(p->b, from);
}

/* ---- marks: collections, the stopped world, tasks, log messages ---- */

static void put_mark(const struct picture *p, const struct trace_mark *m)
{
	static const char *const class[] = { "gc", "stw", "log", "task" };
	static const struct { double y, h; } where[] = { { 2, 12 }, { 2, 12 }, { 15, 6 }, { 15, 6 } };
	double least = 1 / p->scale;
	int64_t to = m->what == 2 && (double)(m->to - m->from) < 2 * least ? m->from + (int64_t)(2 * least) : m->to;

	put_rect(p, m->from, to, where[m->what].y, where[m->what].h, class[m->what]);
	buf_adds(p->b, "><title>");
	if (m->what == 0)
		buf_addf(p->b, TR("collection %llu: ", "第 %llu 次回收："), (unsigned long long)m->id);
	else if (m->what == 1)
		html_textz(p->b, TR("world stopped: ", "停顿（STW）："));
	else if (m->what == 3)
		html_textz(p->b, TR("task: ", "任务："));
	put(p->b, trace_text(p->t, m->text));
	if (m->what == 2) {
		buf_adds(p->b, ": ");
		put(p->b, trace_text(p->t, m->text2));
		buf_addf(p->b, ", goroutine %llu", (unsigned long long)m->id);
	}
	buf_addc(p->b, ' ');
	put_when(p, m->from, m->to);
	buf_adds(p->b, "</title></rect>\n");
}

/* ---- processors ---- */

static void put_segment(const struct picture *p, const struct trace_segment *s, double y)
{
	unsigned hue = (unsigned)(span_hash(trace_view(p->t)->groups[s->group].name) % 360);
	double busy = s->to > s->from ? (double)s->busy / (double)(s->to - s->from) : 1;

	put_rect(p, s->from, s->to, y + 2, ROW - 4, s->syscall ? "syscall" : "r");
	if (!s->syscall)
		buf_addf(p->b, trace_view(p->t)->groups[s->group].system ? " fill=\"hsl(%u,8%%,58%%)\"" : " fill=\"hsl(%u,48%%,56%%)\"", hue);
	if (busy < 0.98)
		buf_addf(p->b, " opacity=\"%.2f\"", 0.25 + 0.75 * busy);
	buf_adds(p->b, "><title>");
	if (s->runs > 1)
		buf_addf(p->b, TR("%u runs, %.0f%% busy, the longest: ", "%u 段，忙碌 %.0f%%，最长的一段："), s->runs, busy * 100);
	buf_addf(p->b, "goroutine %llu ", (unsigned long long)s->goroutine);
	put_group(p, s->group);
	buf_adds(p->b, s->syscall ? TR(" in a system call, ", "，系统调用，") : ", ");
	put_when(p, s->from, s->to);
	buf_adds(p->b, "</title></rect>\n");
}

/* ---- groups ---- */

static double lane_top(const struct picture *p, const struct trace_lane *v)
{
	double most = 0;

	for (size_t c = 0; c < p->l.columns; c++) {
		double sum = 0;

		for (size_t s = 0; s < TC_COUNT; s++)
			sum += (double)v->v[c][s];
		most = sum > most ? sum : most;
	}
	return most;
}

static double column_x(const struct picture *p, size_t c)
{
	int64_t at = p->l.from + (int64_t)c * p->l.column;

	return x_of(p, at < p->l.to ? at : p->l.to);
}

/* One state as an area: the sums below it are the base. */
static void put_area(const struct picture *p, const struct trace_lane *v, size_t level, double top, double y)
{
	struct buf *b = p->b;
	bool any = false;

	for (size_t c = 0; c < p->l.columns && !any; c++)
		any = v->v[c][stacked[level]] > 0;
	if (!any)
		return;
	buf_addf(b, "<path class=\"%s\" d=\"", trace_class_word(stacked[level]));
	for (int side = 0; side < 2; side++) {
		for (size_t i = 0; i < p->l.columns; i++) {
			size_t c = side ? p->l.columns - 1 - i : i;
			double sum = 0;

			for (size_t s = 0; s < level + !side; s++)
				sum += (double)v->v[c][stacked[s]];
			double h = y + (LANE - GAP) * (1 - sum / top);

			buf_addf(b, "%s%.1f,%.1fH%.1f", !side && !i ? "M" : "L", column_x(p, side ? c + 1 : c), h, column_x(p, side ? c : c + 1));
		}
	}
	buf_adds(b, "Z\"/>\n");
}

static void put_hovers(const struct picture *p, const struct trace_lane *v, double y)
{
	size_t step = (p->l.columns + HOVERS - 1) / HOVERS;

	for (size_t c = 0; c < p->l.columns; c += step) {
		size_t end = c + step < p->l.columns ? c + step : p->l.columns;
		double mean[TC_COUNT] = { 0 };

		buf_addf(p->b, "<rect class=\"v\" x=\"%.2f\" y=\"%g\" width=\"%.2f\" height=\"%d\"><title>", column_x(p, c), y,
			 column_x(p, end) - column_x(p, c), LANE - GAP);
		put_group(p, v->group);
		for (size_t i = c; i < end; i++) {
			for (size_t s = 0; s < TC_COUNT; s++)
				mean[s] += (double)v->v[i][s] / (double)(end - c);
		}
		for (size_t s = 0; s < TC_COUNT; s++) {
			if (mean[s] >= 0.005)
				buf_addf(p->b, "\n%s %.2f", trace_class_title((enum trace_class)s), mean[s]);
		}
		buf_adds(p->b, "</title></rect>\n");
	}
}

static void put_label(const struct picture *p, double y, const char *note)
{
	buf_addf(p->b, "</text><text class=\"d\" x=\"%d\" y=\"%g\" text-anchor=\"end\">%s</text>\n", LABELS - 8, y, note);
}

/* ---- all of it ---- */

static void put_labels(const struct picture *p, double rows, double lanes)
{
	char note[64];

	for (size_t i = 0; i < p->n_rows; i++) {
		int64_t busy = 0;

		for (size_t k = 0; k < p->l.rows[i].n; k++)
			busy += p->l.rows[i].v[k].busy;
		buf_addf(p->b, "<text x=\"10\" y=\"%g\">P %llu", rows + (double)i * ROW + 14, (unsigned long long)p->l.rows[i].p);
		snprintf(note, sizeof(note), "%.0f%%", 100.0 * (double)busy / (double)(p->l.to - p->l.from));
		put_label(p, rows + (double)i * ROW + 14, note);
	}
	for (size_t i = 0; i < p->n_lanes; i++) {
		double y = lanes + (double)i * LANE;
		struct span name = trace_view(p->t)->groups[p->lanes[i]->group].name;

		buf_addf(p->b, "<text x=\"10\" y=\"%g\">", y + 16);
		if (name.n > 30) {
			buf_adds(p->b, "…");
			size_t cut = name.n - 29;

			while (cut < name.n && ((unsigned char)name.p[cut] & 0xc0) == 0x80)
				cut++;
			put(p->b, span_from(name, cut));
		} else {
			put_group(p, p->lanes[i]->group);
		}
		snprintf(note, sizeof(note), TR("at most %.1f", "最多 %.1f"), lane_top(p, p->lanes[i]));
		put_label(p, y + 31, note);
	}
}

static void put_legend(const struct picture *p, double y)
{
	double x = 10;

	for (size_t i = 0; i < TC_COUNT; i++) {
		const char *title = trace_class_title(stacked[i]);

		buf_addf(p->b, "<rect class=\"%s\" x=\"%g\" y=\"%g\" width=\"11\" height=\"11\"/><text x=\"%g\" y=\"%g\">%s</text>\n",
			 trace_class_word(stacked[i]), x, y - 10, x + 15, y, title);
		x += 30 + 7.0 * (double)text_width(span_of(title));
	}
}

static void put_head(const struct picture *p, const char *name, double height, double plot)
{
	struct buf *b = p->b;

	buf_addf(b,
		 "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %g\" width=\"100%%\" data-labels=\"%d\" data-plot=\"%d\" "
		 "data-from=\"%lld\" data-to=\"%lld\" data-height=\"%g\">\n<style>%s</style>\n",
		 WIDTH, height, LABELS, PLOT, (long long)p->l.from, (long long)p->l.to, plot, style);
	buf_addf(b, "<defs><clipPath id=\"c\"><rect x=\"0\" y=\"-20\" width=\"%d\" height=\"%g\"/></clipPath></defs>\n", PLOT, height);
	buf_adds(b, "<text class=\"h\" x=\"10\" y=\"22\">");
	html_textz(b, TR("Timeline of ", "时间线："));
	put(b, span_of(name));
	buf_adds(b, "</text><text class=\"d\" x=\"10\" y=\"42\">");
	show_ns(b, p->l.from);
	buf_adds(b, " – ");
	show_ns(b, p->l.to);
	html_textz(b, TR("; wheel or + − zooms, drag or arrows move, 0 shows all", "；滚轮或 + − 缩放，拖动或方向键移动，0 显示全部"));
	if (p->l.joined) {
		html_textz(b, TR("; runs shorter than ", "；短于 "));
		show_ns(b, p->l.joined);
		html_textz(b, TR(" are joined", " 的运行段已合并"));
	}
	buf_adds(b, "</text>\n");
}

static void put_ticks(const struct picture *p, double plot)
{
	buf_adds(p->b, "<g id=\"a\">");
	for (int i = 0; i <= 5; i++) {
		double x = PLOT / 5.0 * i;

		buf_addf(p->b, "<line class=\"l\" x1=\"%g\" x2=\"%g\" y1=\"0\" y2=\"%g\"/><text class=\"d\" x=\"%g\" y=\"-4\">", x, x, plot, x + 3);
		show_ns(p->b, p->l.from + (p->l.to - p->l.from) / 5 * i);
		buf_adds(p->b, "</text>");
	}
	buf_adds(p->b, "</g>\n");
}

void timeline_svg(const struct trace *t, const char *name, struct buf *b)
{
	struct picture p = { .t = t, .b = b };
	double rows = MARKS + GAP, lanes, plot;

	if (!trace_timeline(t, &p.l))
		return;
	p.scale = (double)PLOT / (double)(p.l.to - p.l.from);
	p.n_rows = p.l.n_rows < MOST_ROWS ? p.l.n_rows : MOST_ROWS;
	p.n_lanes = timeline_lanes(t, &p.l, p.lanes, MOST_LANES);
	lanes = rows + (double)p.n_rows * ROW + GAP;
	plot = lanes + (double)p.n_lanes * LANE;
	put_head(&p, name, TOP + plot + 40, plot);
	buf_addf(b, "<g transform=\"translate(%d,%d)\"><rect class=\"b\" x=\"0\" y=\"0\" width=\"%d\" height=\"%d\"/>", LABELS, TOP, PLOT, MARKS);
	put_ticks(&p, plot);
	buf_adds(b, "<g clip-path=\"url(#c)\"><g id=\"z\">\n");
	for (size_t i = 0; i < p.l.n_marks; i++)
		put_mark(&p, &p.l.marks[i]);
	for (size_t i = 0; i < p.n_rows; i++) {
		for (size_t k = 0; k < p.l.rows[i].n; k++)
			put_segment(&p, &p.l.rows[i].v[k], rows + (double)i * ROW);
	}
	for (size_t i = 0; i < p.n_lanes; i++) {
		double most = lane_top(&p, p.lanes[i]);

		for (size_t s = 0; s < TC_COUNT && most > 0; s++)
			put_area(&p, p.lanes[i], s, most, lanes + (double)i * LANE);
		put_hovers(&p, p.lanes[i], lanes + (double)i * LANE);
	}
	buf_adds(b, "</g></g></g>\n");
	buf_addf(b, "<g transform=\"translate(0,%d)\"><text x=\"10\" y=\"15\">%s</text>\n", TOP,
		 TR("collector, stops; tasks, log", "回收、停顿；任务、日志"));
	put_labels(&p, rows, lanes);
	buf_adds(b, "</g>\n");
	put_legend(&p, TOP + plot + 24);
	buf_addf(b, "<script><![CDATA[%s]]></script>\n</svg>\n", script);
}

/* ---- in characters ---- */

static void text_row(const struct picture *p, const struct trace_row *r, size_t width, struct buf *b)
{
	static const char *const shade[] = { " ", "░", "▒", "▓", "█" };
	double cell = (double)(p->l.to - p->l.from) / (double)width;
	double *busy = mem_zalloc(width * sizeof(*busy));

	for (size_t i = 0; busy && i < r->n; i++) {
		const struct trace_segment *s = &r->v[i];
		double part = s->to > s->from ? (double)s->busy / (double)(s->to - s->from) : 0;

		for (size_t c = (size_t)((double)(s->from - p->l.from) / cell); c < width; c++) {
			double from = (double)p->l.from + (double)c * cell, to = from + cell;

			if (from >= (double)s->to)
				break;
			busy[c] += part * (((double)s->to < to ? (double)s->to : to) - ((double)s->from > from ? (double)s->from : from)) / cell;
		}
	}
	buf_addf(b, "  P%-11llu ", (unsigned long long)r->p);
	for (size_t c = 0; busy && c < width; c++) {
		double level = busy[c] * 4 + 0.6;

		buf_adds(b, shade[level >= 4 ? 4 : level > 0 ? (int)level : 0]);
	}
	buf_addc(b, '\n');
	mem_free(busy);
}

static const char letters[TC_COUNT] = {
	[TC_RUNNING] = 'R', [TC_RUNNABLE] = 'w', [TC_SYSCALL] = 's', [TC_NET] = 'n', [TC_LOCK] = 'l', [TC_CHAN] = 'c', [TC_SLEEP] = '-',
	[TC_OTHER] = '.',
};

/* What most of the group's time in the cell is; running counts when it is a tenth. */
static char letter_of(const struct picture *p, const struct trace_lane *v, size_t c, size_t width)
{
	double sum[TC_COUNT] = { 0 }, all = 0;
	size_t a = c * p->l.columns / width, z = (c + 1) * p->l.columns / width, best = 0;

	for (size_t i = a; i <= (z > a ? z - 1 : a) && i < p->l.columns; i++) {
		for (size_t s = 0; s < TC_COUNT; s++) {
			sum[s] += (double)v->v[i][s];
			all += (double)v->v[i][s];
		}
	}
	if (all <= 0)
		return ' ';
	sum[TC_RUNNING] *= 10;
	sum[TC_RUNNABLE] *= 2;
	for (size_t s = 1; s < TC_COUNT; s++)
		best = sum[s] > sum[best] ? s : best;
	return letters[best];
}

static void text_lane(const struct picture *p, const struct trace_lane *v, size_t width, struct buf *b)
{
	buf_adds(b, "  ");
	for (size_t c = 0; c < width; c++)
		buf_addc(b, letter_of(p, v, c, width));
	buf_adds(b, "  ");
	struct span name = trace_view(p->t)->groups[v->group].name;

	if (name.n)
		say_clean(b, name);
	else
		buf_adds(b, TR("(start not seen)", "（未见起点）"));
	buf_addc(b, '\n');
}

void timeline_text(const struct trace *t, int64_t top, const struct term *term, struct buf *b)
{
	struct picture p = { .t = t, .b = b };
	size_t width = term->width > 60 ? term->width - 40 : 40, most = top > 0 ? (size_t)top : 10;

	if (!trace_timeline(t, &p.l))
		return;
	width = width > 160 ? 160 : width;
	buf_addc(b, '\n');
	say_paint(b, term, PAINT_BOLD, TR("Timeline", "时间线"));
	buf_addc(b, ' ');
	show_ns(b, p.l.from);
	buf_adds(b, " – ");
	show_ns(b, p.l.to);
	buf_adds(b, TR(": how busy each processor was\n", "：各处理器的忙碌程度\n"));
	for (size_t i = 0; i < p.l.n_rows && i < 32; i++)
		text_row(&p, &p.l.rows[i], width, b);
	buf_adds(b, TR("  groups of goroutines: R runs, w waits for a processor, s system call, n network, l lock, c channel, - sleeps, . runtime\n",
		       "  goroutine 分组：R 运行，w 等待处理器，s 系统调用，n 网络，l 锁，c channel，- 休眠，. 运行时\n"));
	p.n_lanes = timeline_lanes(t, &p.l, p.lanes, most);
	for (size_t i = 0; i < p.n_lanes; i++)
		text_lane(&p, p.lanes[i], width, b);
}
