#include "cli/html.h"


#include "base/mem.h"
#include "base/text.h"

/* ---- text ---- */

void html_text(struct buf *b, struct span s)
{
	static const struct {
		char c;
		const char *as;
	} escapes[] = { { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" }, { '\'', "&#39;" } };
	CLEANUP(buf_free) struct buf clean = { 0 };

	text_clean(s, false, &clean);
	b->bad |= clean.bad;
	for (size_t i = 0; i < clean.len; i++) {
		size_t k = 0;
		while (k < ARRAY_LEN(escapes) && escapes[k].c != clean.p[i])
			k++;
		if (k < ARRAY_LEN(escapes))
			buf_adds(b, escapes[k].as);
		else
			buf_addc(b, clean.p[i]);
	}
}

void html_textz(struct buf *b, const char *z)
{
	html_text(b, span_of(z));
}

/* ---- the page ---- */

/* clang-format off */
static const char style[] =
	":root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1c2430;--dim:#5d6878;--line:#dde2e9;--grid:#e8ecf1;--link:#1f5fae;"
	"--passed:#bfe3cd;--failed:#d64545;--masked:#8e5bd0;--crashed:#8c1c2b;--killed:#4a5363;--timed_out:#e8892b;--stalled:#c9a227;"
	"--not_started:#5b8db8;--empty:#a9b3c0;--unstable:#e5c33b;--none:#cfd5dd;--c1:#2f6fbd;--c2:#d64545;--c3:#2f9e63;--c4:#8e5bd0;--good:#1d7f4b;--bad:#c03434}"
	"@media (prefers-color-scheme:dark){:root{--bg:#12161c;--card:#1b212a;--ink:#e7ebf1;--dim:#9aa6b5;--line:#2d3642;--grid:#28303b;--link:#7db4f5;"
	"--passed:#2b5a41;--failed:#ef6a6a;--masked:#b48af0;--crashed:#d8589f;--killed:#8b97a8;--timed_out:#f2a452;--stalled:#dcbb4a;"
	"--not_started:#7fb0da;--empty:#65707e;--unstable:#edd35f;--none:#3a434f;--c1:#6aa6ee;--c2:#ef6a6a;--c3:#58c48b;--c4:#b48af0;--good:#5fd39a;--bad:#ff8080}}"
	"*{box-sizing:border-box}html{-webkit-text-size-adjust:100%}"
	"body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','PingFang SC','Microsoft YaHei',"
	"'Noto Sans CJK SC','WenQuanYi Zen Hei',sans-serif}"
	"main{max-width:1120px;margin:0 auto;padding:28px 20px 48px}"
	"header h1{margin:0;font-size:26px;line-height:1.25;letter-spacing:-.01em}header p{margin:4px 0 20px;color:var(--dim)}"
	"section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px 18px 18px;margin:0 0 16px;overflow-x:auto}"
	"section h2{margin:0;font-size:17px}section .note{margin:2px 0 0;color:var(--dim);font-size:13px}section h2+*,section .note+*{margin-top:12px}"
	".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(155px,1fr));gap:12px;margin:0 0 16px}"
	".tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 14px}"
	".tile b{display:block;font-size:25px;line-height:1.25;font-weight:650;font-variant-numeric:tabular-nums}.tile span{color:var(--dim);font-size:13px;display:block}"
	".tile.good b{color:var(--good)}.tile.bad b{color:var(--bad)}"
	".two{display:grid;grid-template-columns:repeat(auto-fit,minmax(440px,1fr));gap:16px}.two section{min-width:0;margin:0}.two{margin:0 0 16px;align-items:start}.charts{align-items:stretch}.stack{min-width:0}.stack section{margin:0 0 16px}.stack section:last-child{margin:0}"
	"svg{display:block;max-width:100%;height:auto}svg text{fill:var(--dim);font-size:11px}"
	".grid{stroke:var(--grid);stroke-width:1}.axis{stroke:var(--line);stroke-width:1}"
	".legend{display:flex;flex-wrap:wrap;gap:4px 16px;list-style:none;margin:8px 0 0;padding:0;font-size:13px;color:var(--dim)}"
	".legend i{display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:6px}"
	"table{border-collapse:collapse;width:100%;font-size:14px}th,td{text-align:left;padding:6px 10px 6px 0;border-bottom:1px solid var(--grid);vertical-align:top}"
	"th{color:var(--dim);font-weight:600;font-size:12.5px;white-space:nowrap}tr:last-child td{border-bottom:0}"
	"td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap;padding-right:14px}"
	"td.k{white-space:nowrap}td.t{overflow-wrap:anywhere;min-width:200px}td.b{width:34%;min-width:120px}td .dim{color:var(--dim);font-size:12.5px;display:block}"
	"code{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;overflow-wrap:anywhere}"
	".pill{display:inline-block;border-radius:9px;padding:0 8px;font-size:12px;line-height:19px;border:1px solid var(--line);color:var(--dim);white-space:nowrap}"
	".pill.regressed,.pill.open{color:var(--bad);border-color:var(--bad)}.pill.resolved{color:var(--good);border-color:var(--good)}"
	".nothing{color:var(--dim);margin:12px 0 0}footer{color:var(--dim);font-size:12.5px;margin-top:20px}"
	"@media (max-width:520px){.two{grid-template-columns:1fr}main{padding:18px 12px}}"
	"@media print{:root{color-scheme:light}body{background:#fff}main{max-width:none;padding:0}section,.tile{break-inside:avoid;border-color:#ccc}"
	"*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}";
static const char *const paints[] = { "passed", "failed", "masked", "crashed", "killed", "timed_out", "stalled", "not_started", "empty", "unstable", "none",
	"c1", "c2", "c3", "c4" };
/* clang-format on */

void html_begin(struct buf *b, const char *title)
{
	buf_addf(b, "<!DOCTYPE html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n"
		 "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
		 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<title>",
		 TR("en", "zh-CN"));
	html_textz(b, title);
	buf_adds(b, "</title>\n<style>");
	buf_adds(b, style);
	for (size_t i = 0; i < ARRAY_LEN(paints); i++)
		buf_addf(b, ".%s{fill:var(--%s);background:var(--%s)}.line.%s{fill:none;background:none;stroke:var(--%s);stroke-width:2.5;stroke-linejoin:round}", paints[i], paints[i],
			 paints[i], paints[i], paints[i]);
	buf_adds(b, "</style>\n</head>\n<body>\n<main>\n");
}

void html_end(struct buf *b)
{
	buf_adds(b, "</main>\n</body>\n</html>\n");
}

void html_section(struct buf *b, const char *title, const char *note)
{
	buf_adds(b, "<section>\n<h2>");
	html_textz(b, title);
	buf_adds(b, "</h2>\n");
	if (!note)
		return;
	buf_adds(b, "<p class=\"note\">");
	html_textz(b, note);
	buf_adds(b, "</p>\n");
}

void html_section_end(struct buf *b)
{
	buf_adds(b, "</section>\n");
}

void html_tile(struct buf *b, const char *name, const char *figure, const char *note, const char *tone)
{
	buf_addf(b, "<div class=\"tile %s\"><span>", tone);
	html_textz(b, name);
	buf_adds(b, "</span><b>");
	html_textz(b, figure);
	buf_adds(b, "</b><span>");
	html_textz(b, note ? note : "");
	buf_adds(b, "</span></div>\n");
}

void html_empty(struct buf *b, const char *sentence)
{
	buf_adds(b, "<p class=\"nothing\">");
	html_textz(b, sentence);
	buf_adds(b, "</p>\n");
}

/* ---- charts ---- */

#define LEFT   44
#define BOTTOM 22
#define TOP    10

/* The next of 1, 2, 5, 10, … so that four steps of it hold `most`. */
static double nice_step(double most)
{
	double step = 1;

	for (int i = 0; step * 4 < most && i < 60; i++)
		step *= i % 3 == 1 ? 2.5 : 2;
	return step;
}

static double most_of(const struct html_chart *c, bool stacked)
{
	double most = 0;

	for (size_t i = 0; i < c->columns; i++) {
		double sum = 0;
		for (size_t s = 0; s < c->n_series; s++) {
			double v = c->series[s].v[i];
			sum = stacked ? sum + v : v > sum ? v : sum;
		}
		most = sum > most ? sum : most;
	}
	return most;
}

/* Opens the drawing, with grid and labels. Gives the value at the top. */
static double axes(struct buf *b, const struct html_chart *c, bool stacked)
{
	double step = nice_step(most_of(c, stacked)), top = step * 4;
	int high = c->height - BOTTOM - TOP;
	size_t every = (c->columns * 56 + (size_t)(c->width - LEFT) - 1) / (size_t)(c->width - LEFT);

	buf_addf(b, "<svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"", c->width, c->height, c->width, c->height);
	html_textz(b, c->label);
	buf_adds(b, "\">\n");
	for (int i = 0; i <= 4; i++) {
		int y = TOP + high - high * i / 4;
		buf_addf(b, "<line class=\"%s\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/><text x=\"%d\" y=\"%d\" text-anchor=\"end\">%.6g%s</text>\n", i ? "grid" : "axis", LEFT,
			 c->width, y, y, LEFT - 6, y + 4, step * i, c->unit);
	}
	every = every ? every : 1;
	for (size_t i = 0; i < c->columns; i += every) {
		double x = LEFT + (double)(c->width - LEFT) * ((double)i + 0.5) / (double)c->columns;
		bool edge = x > c->width - 22;
		buf_addf(b, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">", edge ? (double)c->width : x, c->height - 6, edge ? "end" : "middle");
		html_textz(b, c->labels[i]);
		buf_adds(b, "</text>\n");
	}
	return top;
}

static void one_bar(struct buf *b, const struct html_chart *c, size_t column, const struct html_series *s, double x, double y, double w, double h)
{
	buf_addf(b, "<rect class=\"%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"><title>", s->paint, x, y, w, h);
	html_textz(b, c->labels[column]);
	buf_adds(b, " · ");
	html_textz(b, s->name);
	buf_addf(b, ": %.6g%s</title></rect>\n", s->v[column], c->unit);
}

void html_stacked(struct buf *b, const struct html_chart *c)
{
	double top = axes(b, c, true), each = (double)(c->width - LEFT) / (double)(c->columns ? c->columns : 1), high = c->height - BOTTOM - TOP;
	double gap = each > 6 ? each * 0.18 : each > 3 ? 1 : 0;

	for (size_t i = 0; i < c->columns; i++) {
		double y = TOP + high;
		for (size_t s = 0; s < c->n_series; s++) {
			double h = high * c->series[s].v[i] / top;
			if (h <= 0)
				continue;
			y -= h;
			one_bar(b, c, i, &c->series[s], LEFT + each * (double)i + gap / 2, y, each - gap, h);
		}
	}
	buf_adds(b, "</svg>\n");
}

void html_grouped(struct buf *b, const struct html_chart *c)
{
	double top = axes(b, c, false), each = (double)(c->width - LEFT) / (double)(c->columns ? c->columns : 1), high = c->height - BOTTOM - TOP;
	double w = each * 0.76 / (double)(c->n_series ? c->n_series : 1);

	w = w > 22 ? 22 : w;
	for (size_t i = 0; i < c->columns; i++) {
		double x = LEFT + each * ((double)i + 0.5) - w * (double)c->n_series / 2;
		for (size_t s = 0; s < c->n_series; s++, x += w) {
			double h = high * c->series[s].v[i] / top;
			if (h > 0)
				one_bar(b, c, i, &c->series[s], x, TOP + high - h, w, h);
		}
	}
	buf_adds(b, "</svg>\n");
}

static void one_line(struct buf *b, const struct html_chart *c, const struct html_series *s, double top)
{
	double each = (double)(c->width - LEFT) / (double)(c->columns ? c->columns : 1), high = c->height - BOTTOM - TOP;

	buf_addf(b, "<polyline class=\"line %s\" points=\"", s->paint);
	for (size_t i = 0; i < c->columns; i++) {
		if (s->v[i] >= 0)
			buf_addf(b, "%.1f,%.1f ", LEFT + each * ((double)i + 0.5), TOP + high - high * s->v[i] / top);
	}
	buf_adds(b, "\"/>\n");
	for (size_t i = 0; i < c->columns; i++) {
		if (s->v[i] < 0)
			continue;
		buf_addf(b, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"><title>", s->paint, LEFT + each * ((double)i + 0.5), TOP + high - high * s->v[i] / top);
		html_textz(b, c->labels[i]);
		buf_addf(b, ": %.3g%s</title></circle>\n", s->v[i], c->unit);
	}
}

void html_line(struct buf *b, const struct html_chart *c)
{
	double top = axes(b, c, false);

	for (size_t s = 0; s < c->n_series; s++)
		one_line(b, c, &c->series[s], top);
	buf_adds(b, "</svg>\n");
}

/* Only what is there. */
void html_legend(struct buf *b, const struct html_chart *c)
{
	buf_adds(b, "<ul class=\"legend\">");
	for (size_t s = 0; s < c->n_series; s++) {
		bool any = false;
		for (size_t i = 0; i < c->columns && !any; i++)
			any = c->series[s].v[i] > 0;
		if (!any)
			continue;
		buf_addf(b, "<li><i class=\"%s\"></i>", c->series[s].paint);
		html_textz(b, c->series[s].name);
		buf_adds(b, "</li>");
	}
	buf_adds(b, "</ul>\n");
}

void html_bar(struct buf *b, double part, double most, const char *paint)
{
	double w = most > 0 ? 100 * part / most : 0;

	buf_addf(b, "<svg viewBox=\"0 0 100 10\" width=\"100%%\" height=\"16\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"%s\" x=\"0\" y=\"1\" width=\"%.2f\" height=\"8\"/></svg>",
		 paint, w);
}

void html_spark(struct buf *b, const int64_t *v, size_t n)
{
	int64_t most = 1;
	double w = 110.0 / (double)(n ? n : 1);

	for (size_t i = 0; i < n; i++)
		most = v[i] > most ? v[i] : most;
	buf_adds(b, "<svg viewBox=\"0 0 110 20\" width=\"110\" height=\"20\" aria-hidden=\"true\"><line class=\"axis\" x1=\"0\" x2=\"110\" y1=\"19.5\" y2=\"19.5\"/>");
	for (size_t i = 0; i < n; i++) {
		if (v[i] <= 0)
			continue;
		double h = 3 + 16 * (double)v[i] / (double)most;
		buf_addf(b, "<rect class=\"c2\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"/>", w * (double)i, 19 - h, w > 2 ? w - 0.6 : w, h);
	}
	buf_adds(b, "</svg>");
}
