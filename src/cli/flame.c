#include "cli/flame.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "cli/html.h"

enum {
	WIDTH = 1200, MARGIN = 10, HEAD = 62, FOOT = 30, ROW = 18,
	LEVELS = 512,        /* deeper calls are not drawn */
	TEXT_LINES = 60,     /* of the terminal view */
};
#define NARROWEST 0.1 /* of a drawn frame */
#define CHAR 7.25     /* the width of a letter */

/* What a node's width stands for. Compared: what it cost in the one or the other, so that what is gone is seen too. */
struct area {
	double *width;
	double all;
	size_t levels, deep;
};

static double own_width(const struct flame *f, const struct profile_node *n)
{
	double a = fabs((double)n->self), b = f->compared ? fabs((double)n->base_self) : 0;

	return a > b ? a : b;
}

static bool measure(const struct flame *f, struct area *ret)
{
	const struct profile_tree *t = f->tree;

	ret->width = mem_alloc(t->n * sizeof(double));
	if (!ret->width)
		return false;
	for (size_t i = 0; i < t->n; i++)
		ret->width[i] = own_width(f, &t->nodes[i]);
	for (size_t i = t->n; i > 1; i--)
		ret->width[t->nodes[i - 1].parent] += ret->width[i - 1];
	ret->all = t->n ? ret->width[0] : 0;
	return true;
}

/* ---- colours ---- */

static bool is_runtime(struct span name)
{
	return span_starts(name, S("runtime.")) || span_starts(name, S("runtime/")) || span_starts(name, S("internal/")) || span_starts(name, S("syscall."));
}

static bool is_std(struct span name)
{
	size_t slash = span_chr(name, '/'), dot = span_chr(name, '.');

	return !span_starts(name, S("main.")) && (slash == SPAN_NONE || dot > slash);
}

/* Frames are light on every ground, so that dark letters can be read on them. */
static void put_color(const struct flame *f, const struct profile_node *n, struct span name, double most, struct buf *b)
{
	unsigned shade = (unsigned)(span_hash(name) % 12);

	if (f->compared) {
		double change = most > 0 ? ((double)n->total - (double)n->base_total) / most : 0;
		double part = sqrt(fabs(change) > 1 ? 1 : fabs(change));
		int fade = 236 - (int)(part * 136);
		if (fabs(change) < 1e-9)
			buf_adds(b, "rgb(228,228,228)");
		else if (change > 0)
			buf_addf(b, "rgb(255,%d,%d)", fade - 6, fade - 12);
		else
			buf_addf(b, "rgb(%d,%d,255)", fade - 12, fade);
		return;
	}
	if (is_runtime(name))
		buf_addf(b, "hsl(212,%u%%,%u%%)", 22 + shade, 70 + shade / 2);
	else if (is_std(name))
		buf_addf(b, "hsl(%u,%u%%,%u%%)", 92 + shade * 2, 40 + shade, 68 + shade / 2);
	else
		buf_addf(b, "hsl(%u,%u%%,%u%%)", 18 + shade * 3, 88, 64 + shade / 2);
}

/* ---- text ---- */

/* Escaped, and without the two code points below U+10000 that UTF-8 may hold and XML may not. */
static void put_text(struct buf *b, struct span s)
{
	size_t at;

	while ((at = span_find(s, S("\xef\xbf\xbe"))) != SPAN_NONE || (at = span_find(s, S("\xef\xbf\xbf"))) != SPAN_NONE) {
		html_text(b, span_head(s, at));
		buf_adds(b, "\xef\xbf\xbd");
		s = span_from(s, at + 3);
	}
	html_text(b, s);
}

static void put_value(const struct flame *f, int64_t v, struct buf *b)
{
	char text[32];

	profile_value_text(v, f->unit, text);
	buf_adds(b, text);
}

static double percent(int64_t v, int64_t of)
{
	return of ? 100 * (double)v / (double)of : 0;
}

/* "main.work: 1.2s (24.5%)"; compared: "main.work: 1s → 1.2s (+20%, +4% of all)". */
static void put_sentence(const struct flame *f, const struct profile_node *n, struct span name, struct buf *b)
{
	const struct profile_node *all = &f->tree->nodes[0];

	if (name.p)
		put_text(b, span_head(name, 1000));
	else
		html_textz(b, TR("all", "全部"));
	buf_adds(b, TR(": ", "："));
	if (f->compared) {
		put_value(f, n->base_total, b);
		buf_adds(b, " → ");
	}
	put_value(f, n->total, b);
	if (f->compared)
		buf_addf(b, TR(" (%+.2f%% of all before)", "（占先前总量 %+.2f%%）"), percent(n->total - n->base_total, all->base_total));
	else
		buf_addf(b, " (%.2f%%)", percent(n->total, all->total));
	if (n->self && n->n) {
		buf_adds(b, TR(", itself ", "，自身 "));
		put_value(f, n->self, b);
	}
}

/* ---- the picture ---- */

/* clang-format off */
static const char style[] =
	"svg{color-scheme:light dark;--bg:#fbfbfc;--ink:#1b2330;--dim:#5f6b7a;--line:#c9d0d9;--hit:#c436d6}"
	"@media (prefers-color-scheme:dark){svg{--bg:#14181f;--ink:#e8ecf2;--dim:#9ba7b6;--line:#39434f;--hit:#e26cf0}}"
	"#bg{fill:var(--bg)}text{font:12px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:var(--ink)}"
	"#title{font:600 17px system-ui,'Segoe UI',Roboto,'Noto Sans','PingFang SC','Noto Sans CJK SC',sans-serif}"
	"#note,#hint{fill:var(--dim);font-family:system-ui,'Segoe UI',Roboto,'Noto Sans','PingFang SC','Noto Sans CJK SC',sans-serif}"
	".b{cursor:pointer;text-decoration:underline}"
	"#f g{cursor:pointer}#f rect{stroke:var(--bg);stroke-width:.6}#f text{fill:#15181d;pointer-events:none}"
	"#f g:hover rect,#f g.at rect{stroke:var(--ink);stroke-width:1.6}#f g.up rect{opacity:.55}#f g.hit rect{fill:var(--hit)}#f g.off{display:none}";

/* The frames are in #f, each <g d=DEPTH x=LEFT w=WIDTH> in parts of the whole. Names are only ever read as text. */
static const char script[] =
	"(function(){'use strict';\n"
	"var d=document,$=function(i){return d.getElementById(i)},F=[].slice.call($('f').children),W=+$('f').getAttribute('data-w'),L=+$('f').getAttribute('data-l'),"
	"M=+$('f').getAttribute('data-m'),R=+$('f').getAttribute('data-r'),T=+$('f').getAttribute('data-t'),down=false,at=0,zoom=0,typing=false,words='';\n"
	"var N=F.map(function(g,i){var t=g.querySelector('title').textContent;return{g:g,r:g.querySelector('rect'),t:g.querySelector('text'),"
	"d:+g.getAttribute('data-d'),x:+g.getAttribute('data-x'),w:+g.getAttribute('data-w'),s:t,n:g.getAttribute('data-n')}});\n"
	"function fit(s,w){var n=Math.floor((w-6)/7.25),t=s;if(n<3)return'';if(t.length>n)t=t.slice(t.lastIndexOf('/',t.indexOf('[')<0?t.length:t.indexOf('['))+1);"
	"if(t.length>n)t=t.slice(t.indexOf('.')+1);return t.length<=n?t:t.slice(0,n-1)+'\\u2026'}\n"
	"function draw(){var z=N[zoom];N.forEach(function(n){var up=n.d<z.d&&n.x<=z.x+1e-9&&n.x+n.w>=z.x+z.w-1e-9,x=(n.x-z.x)/z.w,w=n.w/z.w;"
	"if(up){x=0;w=1}var off=x+w<=1e-9||x>=1-1e-9||w*W<.1||(!up&&n.d<z.d);n.g.classList.toggle('off',off);n.g.classList.toggle('up',up);if(off)return;"
	"if(x<0){w+=x;x=0}if(x+w>1)w=1-x;var y=T+(down?n.d:L-1-n.d)*R;n.r.setAttribute('x',M+x*W);n.r.setAttribute('width',w*W);n.r.setAttribute('y',y);"
	"n.t.setAttribute('x',M+x*W+3);n.t.setAttribute('y',y+R-5);n.t.textContent=fit(n.n,w*W)});$('reset').style.display=zoom?'':'none'}\n"
	"function mark(i){N[at].g.classList.remove('at');at=i;N[i].g.classList.add('at');$('told').textContent=N[i].s}\n"
	"function enter(i){zoom=i;mark(i);draw()}\n"
	"function search(){var hit=0,end=-1,re=null;try{re=words?new RegExp(words):null}catch(e){re={test:function(s){return s.indexOf(words)>=0}}}"
	"var hits=N.filter(function(n){var h=!!re&&re.test(n.n)&&n.d>0;n.g.classList.toggle('hit',h);return h});"
	"hits.sort(function(a,b){return a.x-b.x||a.d-b.d}).forEach(function(n){if(n.x>=end-1e-9){hit+=n.w;end=n.x+n.w}});"
	"$('search').textContent=typing||words?'/'+words+(typing?'_':''):$('search').getAttribute('data-n');"
	"$('matched').textContent=words?$('matched').getAttribute('data-n')+' '+(100*hit).toFixed(1)+'%':''}\n"
	"function parent(i){var n=N[i],b=i;N.forEach(function(p,k){if(p.d===n.d-1&&p.x<=n.x+1e-9&&p.x+p.w>=n.x+n.w-1e-9)b=k});return b}\n"
	"function child(i){var n=N[i],b=i,w=0;N.forEach(function(c,k){if(c.d===n.d+1&&c.x>=n.x-1e-9&&c.x+c.w<=n.x+n.w+1e-9&&c.w>w){b=k;w=c.w}});return b}\n"
	"function side(i,by){var n=N[i],b=i,x=by>0?2:-1;N.forEach(function(c,k){if(c.d!==n.d||c.g.classList.contains('off'))return;"
	"if(by>0?c.x>n.x&&c.x<x:c.x<n.x&&c.x>x){b=k;x=c.x}});return b}\n"
	"F.forEach(function(g,i){g.addEventListener('click',function(){enter(i)});g.addEventListener('mouseover',function(){$('told').textContent=N[i].s});"
	"g.addEventListener('mouseout',function(){$('told').textContent=N[at].s})});\n"
	"$('reset').addEventListener('click',function(){enter(0)});$('turn').addEventListener('click',function(){down=!down;draw()});"
	"$('search').addEventListener('click',function(){typing=true;search()});\n"
	"d.addEventListener('keydown',function(e){var k=e.key;if(e.ctrlKey&&k==='f'){typing=true;search();e.preventDefault();return}"
	"if(e.ctrlKey||e.metaKey||e.altKey)return;\n"
	"if(typing){if(k==='Enter')typing=false;else if(k==='Escape'){typing=false;words=''}else if(k==='Backspace')words=words.slice(0,-1);"
	"else if(k.length===1)words+=k;else return;search();e.preventDefault();return}\n"
	"var up=down?'ArrowDown':'ArrowUp',below=down?'ArrowUp':'ArrowDown';\n"
	"if(k===up)mark(child(at));else if(k===below)mark(parent(at));else if(k==='ArrowLeft')mark(side(at,-1));else if(k==='ArrowRight')mark(side(at,1));"
	"else if(k==='Enter'||k===' ')enter(at);else if(k==='Escape'){if(words){words='';search()}else enter(0)}else if(k==='Backspace')enter(parent(zoom));"
	"else if(k==='/')typing=true;else if(k==='i'){down=!down;draw()}else return;search();e.preventDefault()});\n"
	"['reset','turn','search'].forEach(function(i){$(i).style.display=''});$('hint').style.display='';enter(0);search()})();\n";
/* clang-format on */

/* As much of a name as fits: without the path of its package, then without the package, then cut. */
static void put_fitting(struct buf *b, struct span name, size_t letters)
{
	if (text_width(name) > letters) {
		size_t slash = span_rchr(span_head(name, span_chr(name, '[')), '/');
		name = span_from(name, slash == SPAN_NONE ? 0 : slash + 1);
	}
	if (text_width(name) > letters) {
		size_t dot = span_chr(name, '.');
		name = span_from(name, dot == SPAN_NONE ? 0 : dot + 1);
	}
	struct span head = text_fit(name, letters);
	if (head.n < name.n)
		head = text_fit(name, letters - 1);
	put_text(b, head);
	buf_adds(b, head.n < name.n ? "…" : "");
}

/* A frame: its rectangle, its name as far as it fits, its sentence for the pointer. */
static void put_frame(const struct flame *f, const struct area *a, size_t i, double x, size_t depth, double most, struct buf *b)
{
	const struct profile_node *n = &f->tree->nodes[i];
	struct span name = i ? f->tree->names[n->name] : (struct span){ 0 };
	struct span shown = i ? span_head(name, 300) : span_of(TR("all", "全部"));
	double part = a->width[i] / a->all, room = WIDTH - 2 * MARGIN;
	double left = MARGIN + x * room, width = part * room;
	size_t y = HEAD + (a->levels - 1 - depth) * ROW;
	size_t letters = width > 6 ? (size_t)((width - 6) / CHAR) : 0;

	buf_addf(b, "<g data-d=\"%zu\" data-x=\"%.9g\" data-w=\"%.9g\" data-n=\"", depth, x, part);
	put_text(b, shown);
	buf_adds(b, "\"><title>");
	put_sentence(f, n, name, b);
	buf_addf(b, "</title><rect x=\"%.2f\" y=\"%zu\" width=\"%.2f\" height=\"%d\" rx=\"2\" fill=\"", left, y, width, ROW - 1);
	put_color(f, n, i ? name : S("main."), most, b);
	buf_addf(b, "\"/><text x=\"%.2f\" y=\"%zu\">", left + 3, y + ROW - 5);
	if (letters >= 3)
		put_fitting(b, shown, letters);
	buf_adds(b, "</text></g>\n");
}

struct todo {
	uint32_t node, depth;
	double x;
};

/* Walks what is wide enough, callers first; with b NULL only to see how deep it goes. */
static bool walk(const struct flame *f, struct area *a, double most, struct buf *b)
{
	CLEANUP(mem_free) struct todo *stack = NULL;
	size_t n = 1, cap = 0;
	double least = NARROWEST / (WIDTH - 2 * MARGIN) * a->all;

	if (!mem_grow(&stack, &cap, 0, sizeof(*stack)))
		return false;
	stack[0] = (struct todo){ 0 };
	while (n) {
		struct todo t = stack[--n];
		const struct profile_node *node = &f->tree->nodes[t.node];
		double x = t.x;
		if (b)
			put_frame(f, a, t.node, t.x, t.depth, most, b);
		else if (t.depth + 1u > a->levels)
			a->levels = t.depth + 1u;
		if (t.depth + 1 == LEVELS) {
			a->deep += !b && node->n;
			continue;
		}
		for (uint32_t k = node->first; k < node->first + node->n; k++) {
			if (a->width[k] >= least) {
				if (!mem_grow(&stack, &cap, n, sizeof(*stack)))
					return false;
				stack[n++] = (struct todo){ k, t.depth + 1, x };
			}
			x += a->width[k] / a->all;
		}
	}
	return true;
}

static double largest_change(const struct flame *f)
{
	double most = 0;

	for (size_t i = 1; i < f->tree->n; i++) {
		double d = fabs((double)f->tree->nodes[i].total - (double)f->tree->nodes[i].base_total);
		most = d > most ? d : most;
	}
	return most;
}

static void put_button(struct buf *b, const char *id, int x, int y, const char *text)
{
	buf_addf(b, "<text id=\"%s\" class=\"b\" x=\"%d\" y=\"%d\" text-anchor=\"end\" style=\"display:none\" data-n=\"", id, x, y);
	html_textz(b, text);
	buf_adds(b, "\">");
	html_textz(b, text);
	buf_adds(b, "</text>\n");
}

static void put_head(const struct flame *f, const struct area *a, size_t height, struct buf *b)
{
	buf_addf(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %zu\" width=\"%d\" height=\"%zu\">\n",
		 WIDTH, height, WIDTH, height);
	buf_adds(b, "<title>");
	put_text(b, span_of(f->title));
	buf_addf(b, "</title>\n<style>%s</style>\n<rect id=\"bg\" width=\"100%%\" height=\"100%%\"/>\n<text id=\"title\" x=\"%d\" y=\"26\">", style, MARGIN);
	put_text(b, span_of(f->title));
	buf_addf(b, "</text>\n<text id=\"note\" x=\"%d\" y=\"46\">", MARGIN);
	put_text(b, span_of(f->note));
	if (f->compared)
		html_textz(b, TR("; red grew, blue shrank", "；红色增长，蓝色减少"));
	if (a->deep)
		buf_addf(b, TR("; calls deeper than %d are not drawn", "；深于 %d 层的调用未绘出"), LEVELS);
	buf_adds(b, "</text>\n");
	put_button(b, "search", WIDTH - MARGIN, 26, TR("search", "搜索"));
	put_button(b, "turn", WIDTH - MARGIN - 150, 26, TR("turn", "翻转"));
	put_button(b, "reset", WIDTH - MARGIN - 210, 26, TR("reset", "还原"));
	buf_addf(b, "<text id=\"matched\" x=\"%d\" y=\"46\" text-anchor=\"end\" data-n=\"%s\"></text>\n", WIDTH - MARGIN, TR("matched", "匹配"));
}

static void put_picture(const struct flame *f, struct area *a, struct buf *b)
{
	size_t height = HEAD + a->levels * ROW + FOOT;

	put_head(f, a, height, b);
	buf_addf(b, "<g id=\"f\" data-w=\"%d\" data-l=\"%zu\" data-m=\"%d\" data-r=\"%d\" data-t=\"%d\">\n", WIDTH - 2 * MARGIN, a->levels, MARGIN, ROW, HEAD);
	if (a->all > 0 && !walk(f, a, f->compared ? largest_change(f) : 0, b))
		b->bad = true;
	buf_addf(b, "</g>\n<text id=\"told\" x=\"%d\" y=\"%zu\"></text>\n<text id=\"hint\" x=\"%d\" y=\"%zu\" text-anchor=\"end\" style=\"display:none\">", MARGIN, height - 10,
		 WIDTH - MARGIN, height - 10);
	html_textz(b, TR("click or Enter: zoom · arrows: move · /: search · i: turn · Esc: back", "单击或回车：放大 · 方向键：移动 · /：搜索 · i：翻转 · Esc：还原"));
	buf_adds(b, "</text>\n");
	if (a->all > 0)
		buf_addf(b, "<script><![CDATA[\n%s]]></script>\n", script);
	buf_adds(b, "</svg>\n");
}

void flame_svg(const struct flame *f, struct buf *ret)
{
	struct area a = { 0 };

	if (measure(f, &a) && (a.all <= 0 || walk(f, &a, 0, NULL)))
		put_picture(f, &a, ret);
	else
		ret->bad = true;
	mem_free(a.width);
}

/* ---- on a terminal ---- */

struct branch {
	uint32_t node;
	double width;
};

static int by_width(const void *a, const void *b)
{
	const struct branch *x = a, *y = b;

	if (x->width != y->width)
		return x->width < y->width ? -1 : 1; /* the widest is taken from the stack first */
	return x->node > y->node ? -1 : x->node < y->node;
}

static void put_bar(double part, size_t cells, struct buf *b)
{
	static const char *const eighths[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	size_t n = (size_t)(part * (double)cells * 8 + 0.5), full = n / 8;

	for (size_t i = 0; i < full; i++)
		buf_adds(b, "█");
	buf_adds(b, eighths[n % 8]);
	say_pad(b, cells > full + !!(n % 8) ? cells - full - !!(n % 8) : 0);
}

static enum paint paint_of(const struct flame *f, const struct profile_node *n, double part)
{
	if (f->compared)
		return n->total > n->base_total ? PAINT_RED : n->total < n->base_total ? PAINT_CYAN : PAINT_NONE;
	return part >= 0.2 ? PAINT_RED : part >= 0.05 ? PAINT_YELLOW : PAINT_NONE;
}

static void put_line(const struct flame *f, const struct area *a, const struct term *t, uint32_t i, size_t depth, struct buf *b)
{
	CLEANUP(buf_free) struct buf bar = { 0 };
	CLEANUP(buf_free) struct buf name = { 0 };
	const struct profile_node *n = &f->tree->nodes[i];
	size_t cells = t->width >= 100 ? 20 : 10, indent = depth > 40 ? 40 : depth, width = t->tty ? t->width : 200;
	char value[32];

	profile_value_text(f->compared ? n->total - n->base_total : n->total, f->unit, value);
	put_bar(a->width[i] / a->all, cells, &bar);
	buf_addf(b, f->compared ? "%10s " : "%9s ", value);
	if (f->compared)
		buf_addf(b, "%+7.2f%% ", percent(n->total - n->base_total, f->tree->nodes[0].base_total));
	else
		buf_addf(b, "%6.2f%% ", percent(n->total, f->tree->nodes[0].total));
	say_paint(b, t, paint_of(f, n, a->width[i] / a->all), buf_str(&bar));
	buf_addc(b, ' ');
	say_pad(b, indent);
	if (i)
		say_clean(&name, f->tree->names[n->name]);
	else
		buf_adds(&name, TR("all", "全部"));
	size_t used = (f->compared ? 21 : 19) + cells + indent;
	buf_span(b, text_fit(buf_view(&name), width > used + 10 ? width - used : 10));
	buf_addc(b, '\n');
}

/* Depth first, the widest branch first, down to a hundredth of all. */
static bool put_lines(const struct flame *f, const struct area *a, const struct term *t, struct buf *b)
{
	CLEANUP(mem_free) struct branch *stack = NULL;
	CLEANUP(mem_free) uint32_t *depths = mem_zalloc(f->tree->n * sizeof(*depths));
	size_t n = 1, cap = 0, lines = 0;

	if (!depths || !mem_grow(&stack, &cap, 0, sizeof(*stack)))
		return false;
	stack[0] = (struct branch){ 0, a->width[0] };
	for (; n && lines < TEXT_LINES; lines++) {
		uint32_t at = stack[--n].node;
		const struct profile_node *node = &f->tree->nodes[at];
		size_t first = n;
		put_line(f, a, t, at, depths[at], b);
		for (uint32_t k = node->first; k < node->first + node->n; k++) {
			if (a->width[k] < a->all / 100)
				continue;
			if (!mem_grow(&stack, &cap, n, sizeof(*stack)))
				return false;
			depths[k] = depths[at] + 1;
			stack[n++] = (struct branch){ k, a->width[k] };
		}
		if (n > first + 1)
			qsort(stack + first, n - first, sizeof(*stack), by_width);
	}
	if (n)
		buf_adds(b, TR("… and more; --flame FILE.svg shows all of it\n", "…… 还有更多；--flame 文件.svg 可查看全部\n"));
	return true;
}

void flame_text(const struct flame *f, const struct term *t, struct buf *ret)
{
	struct area a = { 0 };

	if (!measure(f, &a) || (a.all > 0 && !put_lines(f, &a, t, ret)))
		ret->bad = true;
	mem_free(a.width);
}
