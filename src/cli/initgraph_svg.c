#include <stdlib.h>

#include "base/mem.h"
#include "cli/html.h"
#include "cli/initgraph.h"

/*
 * Boxes in columns: what imports stands left of what is imported. A box is a package of ours, a module, or the library; a line is
 * pale when it says no more than other lines together say.
 */
#define BOX_W     252
#define BOX_H     38
#define GAP_X     90
#define GAP_Y     10
#define MARGIN    24
#define HEAD      64
#define BOXES_MAX 1500 /* more are no picture */
#define LABEL     32   /* characters */

struct box {
	const char *name;
	enum init_origin origin;
	bool program;
	size_t packages, first, last; /* turns; first SIZE_MAX: none is in the order */
	const struct init_package *only;
	size_t level, row;
	double weight; /* where its neighbours are */
};
struct drawing {
	const struct init_graph *g;
	struct arena mem;
	struct box *boxes;
	size_t n;
	size_t *box_of;       /* of a package */
	unsigned char *edges; /* n × n: 1 imports; 2 pale */
	unsigned char *reach;
	size_t levels, tallest;
	size_t *column, *column_at; /* boxes by level, and where each level begins */
	size_t rest;                /* the box of what is left of the library; SIZE_MAX: none */
	bool bad;
};

/* ---- boxes ---- */

static const char style[] =
	"svg{color-scheme:light dark;--bg:#fbfbfc;--ink:#1b2330;--dim:#5f6b7a;--line:#93a0b1;--own:#d5e6ff;--ownb:#2f6fd0;--mod:#ebe5fa;--modb:#7a5cc0;"
	"--std:#eceef1;--stdb:#8a94a3;--hit:#d4380d}"
	"@media (prefers-color-scheme:dark){svg{--bg:#14181f;--ink:#e8ecf2;--dim:#9ba7b6;--line:#5d6a7b;--own:#1d3557;--ownb:#6ea8fe;--mod:#33294f;"
	"--modb:#a78bfa;--std:#272d36;--stdb:#7d8896;--hit:#ff7a45}}"
	"#bg{fill:var(--bg)}text{font:12px system-ui,-apple-system,'Segoe UI',sans-serif;fill:var(--ink)}.d{font-size:10.5px;fill:var(--dim)}"
	"#title{font-size:16px;font-weight:600}rect.b{stroke-width:1.2}.own rect{fill:var(--own);stroke:var(--ownb)}.mod rect{fill:var(--mod);stroke:var(--modb)}"
	".std rect{fill:var(--std);stroke:var(--stdb)}.p rect{stroke-width:2.6}.runs text.n{font-weight:600}"
	"path{fill:none;stroke:var(--line);stroke-width:1.2;opacity:.75}path.pale{opacity:.16}"
	".some g.x{opacity:.28}.some path{opacity:.05}.some path.on{stroke:var(--hit);opacity:1;stroke-width:1.8}";

static const char script[] =
	"var s=document.documentElement,g=s.querySelectorAll('g.x'),p=s.querySelectorAll('path');"
	"g.forEach(function(n){var i=n.getAttribute('data-i');n.onmouseenter=function(){var k={};k[i]=1;p.forEach(function(e){"
	"var a=e.getAttribute('data-a'),b=e.getAttribute('data-b'),on=a==i||b==i;e.classList.toggle('on',on);if(on){k[a]=1;k[b]=1}});"
	"g.forEach(function(m){m.style.opacity=k[m.getAttribute('data-i')]?1:''});s.classList.add('some')};"
	"n.onmouseleave=function(){s.classList.remove('some');p.forEach(function(e){e.classList.remove('on')});"
	"g.forEach(function(m){m.style.opacity=''})}});";

static size_t box_named(struct drawing *d, struct map *boxes, const char *name, const struct init_package *p)
{
	size_t at = (size_t)map_get(boxes, span_of(name));

	if (at)
		return at - 1;
	struct box *b = &d->boxes[d->n++];
	*b = (struct box){ .name = name,
			   .origin = p->program ? INIT_OWN : p->origin,
			   .program = p->program,
			   .first = SIZE_MAX };
	d->bad |= !map_put(boxes, span_of(name), (void *)d->n);
	return d->n - 1;
}

/* What the library stands for when little else is in the picture: its packages that are imported directly. */
static bool *find_shown_std(struct drawing *d)
{
	const struct init_graph *g = d->g;
	bool *shown = arena_alloc(&d->mem, g->n + 1);
	struct map modules = { 0 };
	size_t others = 0;

	d->bad |= !shown;
	for (size_t i = 0; i < g->n && shown; i++) {
		const char *m = g->v[i].module;
		others += g->v[i].origin == INIT_OWN || g->v[i].program ||
			  (m && !map_get(&modules, span_of(m)) && map_put(&modules, span_of(m), (void *)1));
	}
	map_free(&modules);
	for (size_t i = 0; i < g->n && shown && others <= 8; i++)
		for (size_t k = 0; (g->v[i].origin == INIT_OWN || g->v[i].program) && k < g->v[i].n_imports;
		     k++)
			shown[g->v[i].imports[k]] = true;
	return shown;
}

static bool make_boxes(struct drawing *d)
{
	const struct init_graph *g = d->g;
	struct map boxes = { 0 };
	bool some = false;

	d->boxes = arena_alloc(&d->mem, (g->n + 1) * sizeof(*d->boxes));
	d->box_of = arena_alloc(&d->mem, (g->n + 1) * sizeof(*d->box_of));
	const bool *shown = find_shown_std(d);
	d->bad |= !d->boxes || !d->box_of;
	for (size_t i = 0; i < g->n && !d->bad; i++)
		some |= shown[i] && g->v[i].origin == INIT_STD;
	const char *std = some ? TR("rest of the standard library", "标准库的其余部分")
			       : TR("standard library", "标准库");
	for (size_t i = 0; i < g->n && !d->bad; i++) {
		const struct init_package *p = &g->v[i];
		const char *name = p->origin == INIT_STD && !p->program && !shown[i] ? std
				   : p->module                                       ? p->module
										     : p->path;
		size_t at = box_named(d, &boxes, name, p);
		struct box *b = &d->boxes[at];
		d->box_of[i] = at;
		d->rest = name == std ? at : d->rest;
		b->only = b->packages++ ? NULL : p;
		if (p->turn == SIZE_MAX)
			continue;
		b->first = b->first == SIZE_MAX || p->turn < b->first ? p->turn : b->first;
		b->last = p->turn > b->last ? p->turn : b->last;
	}
	map_free(&boxes);
	return !d->bad && d->n <= BOXES_MAX;
}

/* ---- lines ---- */

static bool make_edges(struct drawing *d)
{
	const struct init_graph *g = d->g;

	d->edges = arena_alloc(&d->mem, d->n * d->n + 1);
	d->reach = arena_alloc(&d->mem, d->n * d->n + 1);
	d->bad |= !d->edges || !d->reach;
	for (size_t i = 0; i < g->n && !d->bad; i++)
		for (size_t k = 0; k < g->v[i].n_imports; k++) {
			size_t a = d->box_of[i], b = d->box_of[g->v[i].imports[k]];
			/* The rest stands last, whatever of the library it imports. */
			if (a != b && a != d->rest)
				d->edges[a * d->n + b] = 1;
		}
	return !d->bad;
}

/* Depth-first, to know who comes after whom. Modules may import each other in a circle: what leads back does not count. */
struct frame {
	size_t box, next;
};

static void finish(struct drawing *d, size_t at, struct frame *stack, unsigned char *state, size_t *order,
		   size_t *n_order)
{
	size_t n = 0;

	if (state[at])
		return;
	state[at] = 1;
	stack[n++] = (struct frame){ at, 0 };
	while (n) {
		struct frame *f = &stack[n - 1];
		if (f->next == d->n) {
			state[f->box] = 2;
			order[(*n_order)++] = f->box;
			n--;
			continue;
		}
		size_t to = f->next++;
		if (!d->edges[f->box * d->n + to])
			continue;
		if (state[to] == 1)
			d->edges[f->box * d->n + to] = 3; /* leads back */
		if (state[to])
			continue;
		state[to] = 1;
		stack[n++] = (struct frame){ to, 0 };
	}
}

static void find_levels(struct drawing *d)
{
	unsigned char *state = arena_alloc(&d->mem, d->n + 1);
	size_t *order = arena_alloc(&d->mem, (d->n + 1) * sizeof(*order)), n = 0;
	struct frame *stack = arena_alloc(&d->mem, (d->n + 1) * sizeof(*stack));

	d->bad |= !state || !order || !stack;
	for (size_t i = 0; i < d->n && !d->bad; i++)
		finish(d, i, stack, state, order, &n);
	/* From the last finished: importers before imported. */
	for (size_t k = n; k > 0 && !d->bad; k--) {
		size_t i = order[k - 1];
		for (size_t to = 0; to < d->n; to++)
			if (d->edges[i * d->n + to] == 1 && d->boxes[to].level <= d->boxes[i].level)
				d->boxes[to].level = d->boxes[i].level + 1;
	}
	/* From the first finished: what an import reaches is reached; an import of what is reached otherwise is pale. */
	for (size_t k = 0; k < n && !d->bad; k++) {
		unsigned char *mine = &d->reach[order[k] * d->n], *edge = &d->edges[order[k] * d->n];
		for (size_t to = 0; to < d->n; to++)
			for (size_t far = 0; edge[to] == 1 && far < d->n; far++)
				mine[far] |= d->reach[to * d->n + far];
		for (size_t to = 0; to < d->n; to++) {
			bool otherwise = mine[to];
			mine[to] |= edge[to] == 1;
			if (edge[to] == 1 && otherwise)
				edge[to] = 2;
		}
	}
}

/* ---- places ---- */

static int by_weight(const void *a, const void *b, void *ctx)
{
	const struct box *boxes = ctx, *x = &boxes[*(const size_t *)a], *y = &boxes[*(const size_t *)b];

	if (x->weight < y->weight || x->weight > y->weight)
		return x->weight < y->weight ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* The mean row of what stands on one side of it. */
static void weigh(struct drawing *d, size_t i, bool importers)
{
	double sum = 0, n = 0;

	for (size_t k = 0; k < d->n; k++)
		if (importers ? d->edges[k * d->n + i] : d->edges[i * d->n + k]) {
			sum += (double)d->boxes[k].row;
			n++;
		}
	d->boxes[i].weight = n > 0 ? sum / n : (double)d->boxes[i].row;
}

static void place(struct drawing *d)
{
	for (size_t i = 0; i < d->n; i++)
		d->levels = d->boxes[i].level + 1 > d->levels ? d->boxes[i].level + 1 : d->levels;
	d->column = arena_alloc(&d->mem, (d->n + 1) * sizeof(size_t));
	d->column_at = arena_alloc(&d->mem, (d->levels + 2) * sizeof(size_t));
	d->bad |= !d->column || !d->column_at;
	size_t n = 0;
	for (size_t l = 0; l < d->levels && !d->bad; l++) {
		d->column_at[l] = n;
		for (size_t i = 0; i < d->n; i++)
			if (d->boxes[i].level == l) {
				d->boxes[i].row = n - d->column_at[l];
				d->column[n++] = i;
			}
		d->column_at[l + 1] = n;
		size_t tall = n - d->column_at[l];
		d->tallest = tall > d->tallest ? tall : d->tallest;
	}
	for (int sweep = 0; sweep < 8 && !d->bad; sweep++)
		for (size_t s = 0; s < d->levels; s++) {
			size_t l = sweep % 2 ? d->levels - 1 - s : s, from = d->column_at[l],
			       count = d->column_at[l + 1] - from;
			for (size_t k = from; k < from + count; k++)
				weigh(d, d->column[k], sweep % 2 == 0);
			qsort_r(d->column + from, count, sizeof(size_t), by_weight, d->boxes);
			for (size_t k = 0; k < count; k++)
				d->boxes[d->column[from + k]].row = k;
		}
}

static int x_of(const struct box *b)
{
	return MARGIN + (int)b->level * (BOX_W + GAP_X);
}

/* Short columns stand in the middle. */
static int y_of(const struct drawing *d, const struct box *b)
{
	size_t count = d->column_at[b->level + 1] - d->column_at[b->level];

	return HEAD + (int)((d->tallest - count) * (BOX_H + GAP_Y) / 2 + b->row * (BOX_H + GAP_Y));
}

/* ---- drawing ---- */

static void put_text(struct buf *b, int x, int y, const char *class, const char *text)
{
	buf_addf(b, "<text class=\"%s\" x=\"%d\" y=\"%d\">", class, x, y);
	html_textz(b, text);
	buf_adds(b, "</text>");
}

/* The end of a name says more than its begin. */
static void shorten(const char *name, struct buf *ret)
{
	size_t n = strlen(name);

	if (n <= LABEL) {
		buf_adds(ret, name);
		return;
	}
	buf_adds(ret, "…");
	const char *p = name + n - (LABEL - 1);
	while ((*p & 0xc0) == 0x80)
		p++;
	buf_adds(ret, p);
}

static void describe(const struct box *x, struct buf *ret)
{
	if (x->packages > 1)
		buf_addf(ret, TR("%zu packages", "%zu 个包"), x->packages);
	else if (x->only)
		initgraph_does(x->only, ret);
	if (x->first == SIZE_MAX)
		buf_adds(ret, ret->len ? "" : TR("nothing to initialise", "无需初始化"));
	else if (x->first == x->last)
		buf_addf(ret, "%s#%zu", ret->len ? " · " : "", x->first);
	else
		buf_addf(ret, "%s#%zu … #%zu", ret->len ? " · " : "", x->first, x->last);
}

static void put_box(const struct drawing *d, size_t i, struct buf *b)
{
	static const char *const classes[] = {
		[INIT_OWN] = "own", [INIT_MODULE] = "mod", [INIT_STD] = "std"
	};
	const struct box *x = &d->boxes[i];
	CLEANUP(buf_free) struct buf name = { 0 };
	CLEANUP(buf_free) struct buf what = { 0 };
	int left = x_of(x), top = y_of(d, x);

	shorten(x->name, &name);
	describe(x, &what);
	b->bad |= name.bad || what.bad;
	buf_addf(b, "<g class=\"x %s%s%s\" data-i=\"%zu\"><title>", classes[x->origin],
		 x->program ? " p" : "", x->first != SIZE_MAX ? " runs" : "", i);
	html_textz(b, x->name);
	buf_addf(b, "</title><rect class=\"b\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"6\"/>", left,
		 top, BOX_W, BOX_H);
	put_text(b, left + 9, top + 16, "n", buf_str(&name));
	put_text(b, left + 9, top + 31, "d", buf_str(&what));
	buf_adds(b, "</g>\n");
}

static void put_line(const struct drawing *d, size_t i, size_t k, struct buf *b)
{
	const struct box *from = &d->boxes[i], *to = &d->boxes[k];
	int x1 = x_of(from) + BOX_W, y1 = y_of(d, from) + BOX_H / 2, x2 = x_of(to),
	    y2 = y_of(d, to) + BOX_H / 2;
	int bend = GAP_X * 2 / 3;

	buf_addf(b, "<path%s data-a=\"%zu\" data-b=\"%zu\" d=\"M%d %dC%d %d %d %d %d %d\"/>\n",
		 d->edges[i * d->n + k] == 1 ? "" : " class=\"pale\"", i, k, x1, y1, x1 + bend, y1, x2 - bend,
		 y2, x2, y2);
}

static void put_head(const struct drawing *d, struct buf *b)
{
	const struct init_graph *g = d->g;
	CLEANUP(buf_free) struct buf title = { 0 };
	CLEANUP(buf_free) struct buf note = { 0 };
	int width = 2 * MARGIN + (int)d->levels * (BOX_W + GAP_X) - GAP_X,
	    height = HEAD + (int)d->tallest * (BOX_H + GAP_Y) + MARGIN;

	width = width < 760 ? 760 : width;
	buf_addf(&title, TR("%s: imports and initialisation, %s, go%s", "%s：导入与初始化，%s，go%s"),
		 g->v[g->programs[0]].path, g->target, g->version);
	buf_addf(
		&note,
		TR("%zu packages, %zu imports; #n is the place in the order of initialisation; pale lines repeat what others say",
		   "%zu 个包、%zu 条导入；#n 为初始化顺序中的位置；浅色线条可由其他线条推出"),
		g->n, g->edges);
	buf_addf(
		b,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n<title>",
		width, height, width, height);
	html_textz(b, buf_str(&title));
	buf_addf(
		b,
		"</title>\n<style>%s</style>\n<rect id=\"bg\" width=\"100%%\" height=\"100%%\"/>\n<text id=\"title\" x=\"%d\" y=\"28\">",
		style, MARGIN);
	html_textz(b, buf_str(&title));
	buf_adds(b, "</text>\n");
	put_text(b, MARGIN, 47, "d", buf_str(&note));
	b->bad |= title.bad || note.bad;
}

void initgraph_svg(const struct init_graph *g, struct buf *b)
{
	struct drawing d = { .g = g, .rest = SIZE_MAX };

	if (make_boxes(&d) && make_edges(&d)) {
		find_levels(&d);
		place(&d);
	}
	if (!d.bad && d.n > BOXES_MAX) {
		buf_adds(
			b,
			"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"600\" height=\"40\"><text x=\"10\" y=\"24\">");
		html_textz(b, TR("too many packages for a picture: take --graph FILE.dot",
				 "包过多，无法绘图：请使用 --graph 文件.dot"));
		buf_adds(b, "</text></svg>\n");
	} else if (!d.bad) {
		put_head(&d, b);
		for (size_t i = 0; i < d.n; i++)
			for (size_t k = 0; k < d.n; k++)
				if (d.edges[i * d.n + k])
					put_line(&d, i, k, b);
		for (size_t i = 0; i < d.n; i++)
			put_box(&d, i, b);
		buf_addf(b, "<script><![CDATA[%s]]></script>\n</svg>\n", script);
	}
	b->bad |= d.bad;
	arena_free(&d.mem);
}
