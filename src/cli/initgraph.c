#include "cli/initgraph.h"

#include <errno.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/checking.h"
#include "cli/cmd.h"

void initgraph_does(const struct init_package *p, struct buf *ret)
{
	size_t before = ret->len;

	if (p->functions)
		buf_addf(ret,
			 p->functions == 1 ? TR("init function", "init 函数")
					   : TR("%d init functions", "%d 个 init 函数"),
			 p->functions);
	if (p->variables)
		buf_addf(ret,
			 p->variables == 1 ? TR("%s1 variable", "%s1 个变量")
					   : TR("%s%d variables", "%s%d 个变量"),
			 ret->len > before ? TR(", ", "、") : "", p->variables);
	if (ret->len == before && p->work == INIT_UNSURE)
		buf_adds(ret, TR("perhaps variables", "可能有变量"));
}

/* ---- text ---- */

static void put_order(const struct init_graph *g, const struct term *t, struct buf *b)
{
	size_t widest = 0;

	for (size_t i = 0; i < g->n_order; i++) {
		size_t n = strlen(g->v[g->order[i]].path);
		widest = n > widest ? n : widest;
	}
	widest = widest > 60 ? 60 : widest;
	for (size_t i = 0; i < g->n_order; i++) {
		const struct init_package *p = &g->v[g->order[i]];
		CLEANUP(buf_free) struct buf name = { 0 };
		buf_addf(b, "%5zu  ", i + 1);
		say_clean(&name, span_of(p->path));
		b->bad |= name.bad;
		if (p->origin == INIT_OWN || p->program)
			say_paint(b, t, PAINT_BOLD, buf_str(&name));
		else
			buf_adds(b, buf_str(&name));
		say_pad(b, name.len < widest ? widest - name.len + 2 : 2);
		initgraph_does(p, b);
		if (p->module)
			buf_addf(b, "  (%s)", p->module);
		buf_addc(b, '\n');
	}
}

/* What our own packages import of our own and of modules; the library is counted. */
static void put_imports(const struct init_graph *g, struct buf *b)
{
	for (size_t i = 0; i < g->n; i++) {
		const struct init_package *p = &g->v[i];
		size_t std = 0;
		if (p->origin != INIT_OWN && !p->program)
			continue;
		buf_adds(b, "  ");
		say_clean(b, span_of(p->path));
		for (size_t k = 0; k < p->n_imports; k++) {
			const struct init_package *to = &g->v[p->imports[k]];
			std += to->origin == INIT_STD;
			if (to->origin == INIT_STD)
				continue;
			buf_adds(b, "\n      ");
			say_clean(b, span_of(to->path));
		}
		if (std)
			buf_addf(b,
				 std == 1 ? TR("\n      and 1 package of the standard library",
					       "\n      以及 1 个标准库包")
					  : TR("\n      and %zu packages of the standard library",
					       "\n      以及 %zu 个标准库包"),
				 std);
		buf_addc(b, '\n');
	}
}

void initgraph_text(struct init_graph *g, const struct term *t, struct buf *b)
{
	struct err e = { 0 };

	buf_addf(b,
		 TR("%zu packages and %zu imports for %s with go%s\n",
		    "%zu 个包、%zu 条导入，目标 %s，go%s\n"),
		 g->n, g->edges, g->target, g->version);
	put_imports(g, b);
	for (size_t i = 0; i < g->n_programs; i++) {
		const struct init_package *p = &g->v[g->programs[i]];
		buf_addc(b, '\n');
		if (init_graph_order(g, g->programs[i], &e) < 0) {
			buf_addf(b, "%s: %s\n", p->path, e.msg);
			continue;
		}
		buf_addf(b,
			 TR("%s is initialised in this order (the runtime and what it imports, then %s):\n",
			    "%s 的初始化顺序（先 runtime 及其导入，然后%s）：\n"),
			 p->path,
			 g->by_name ? TR("of the packages that are ready the first by name",
					 "在已就绪的包中按名称取第一个")
				    : TR("depth-first in the order of the imports", "按导入顺序深度优先"));
		put_order(g, t, b);
	}
	for (size_t i = 0; i < g->limits.n; i++) {
		buf_adds(b, TR("note: ", "提示："));
		say_clean(b, span_of(g->limits.v[i]));
		buf_addc(b, '\n');
	}
}

/* ---- Graphviz ---- */

static void put_quoted(struct buf *b, const char *text)
{
	buf_addc(b, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_addc(b, '\\');
		buf_addc(b, (unsigned char)*text < ' ' ? '?' : *text);
	}
	buf_addc(b, '"');
}

static void put_node(const struct init_package *p, size_t i, struct buf *b)
{
	static const char *const fill[] = {
		[INIT_OWN] = "#cfe3ff", [INIT_MODULE] = "#e9e4f7", [INIT_STD] = "#f0f0f0"
	};
	CLEANUP(buf_free) struct buf label = { 0 };

	buf_adds(&label, p->path);
	if (p->turn != SIZE_MAX)
		buf_addf(&label, "  #%zu", p->turn);
	b->bad |= label.bad;
	buf_addf(b, "  p%zu [label=", i);
	put_quoted(b, buf_str(&label));
	CLEANUP(buf_free) struct buf tip = { 0 };
	initgraph_does(p, &tip);
	buf_adds(b, ", tooltip=");
	put_quoted(b, tip.len ? buf_str(&tip) : TR("nothing to initialise", "无需初始化"));
	buf_addf(b, ", fillcolor=\"%s\"%s];\n", fill[p->program ? INIT_OWN : p->origin],
		 p->work == INIT_RUNS ? ", penwidth=2" : "");
}

void initgraph_dot(const struct init_graph *g, struct buf *b)
{
	buf_adds(
		b,
		"digraph imports {\n  rankdir=LR;\n  node [shape=box, style=filled, fontname=\"sans-serif\", fontsize=10];\n  edge [color=\"#8893a3\"];\n  label=");
	CLEANUP(buf_free) struct buf title = { 0 };
	buf_addf(&title,
		 TR("%s with go%s: #n is the place in the order of initialisation",
		    "%s，go%s：#n 为初始化顺序中的位置"),
		 g->target, g->version);
	put_quoted(b, buf_str(&title));
	buf_adds(b, ";\n");
	for (size_t i = 0; i < g->n; i++)
		put_node(&g->v[i], i, b);
	for (size_t i = 0; i < g->n; i++)
		for (size_t k = 0; k < g->v[i].n_imports; k++)
			buf_addf(b, "  p%zu -> p%zu;\n", i, g->v[i].imports[k]);
	buf_adds(b, "}\n");
	b->bad |= title.bad;
}

/* ---- the flag ---- */

enum format { AS_TEXT, AS_DOT, AS_SVG };

/* The word, or the ending of the file's name. */
static enum format format_of(const char *where, bool *to_stdout)
{
	static const struct {
		const char *word, *ending;
		enum format format;
	} rows[] = { { "text", ".txt", AS_TEXT },
		     { "-", "", AS_TEXT },
		     { "dot", ".dot", AS_DOT },
		     { "dot", ".gv", AS_DOT },
		     { "svg", ".svg", AS_SVG } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		*to_stdout = !strcmp(where, rows[i].word);
		if (*to_stdout || (rows[i].ending[0] && span_ends(span_of(where), span_of(rows[i].ending))))
			return rows[i].format;
	}
	*to_stdout = names_stdout(where);
	return AS_TEXT;
}

static int write_graph(struct init_graph *g, const char *where, struct err *e)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	bool to_stdout;
	enum format format = format_of(where, &to_stdout);
	struct term t = { .fd = -1, .width = 80 };
	int r = 0;

	if (to_stdout)
		term_open(&t, STDOUT_FILENO);
	/* A picture has the order of one program: the first. */
	if (format != AS_TEXT)
		r = init_graph_order(g, g->programs[0], e);
	if (r < 0)
		return r;
	if (format == AS_TEXT)
		initgraph_text(g, &t, &b);
	else if (format == AS_DOT)
		initgraph_dot(g, &b);
	else
		initgraph_svg(g, &b);
	if (b.bad)
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	if (!to_stdout)
		return file_replace(where, buf_view(&b), e);
	term_flush(&t, &b);
	return 0;
}

int initgraph_show(const struct activation *a, const char *where)
{
	struct init_graph g = { 0 };
	struct err e = { 0 };
	int r = init_graph_make(&a->sels[0], &a->env, &g, &e);

	if (r == 0)
		r = write_graph(&g, where, &e);
	for (size_t i = 0; r == 0 && i < g.limits.n && format_of(where, &(bool){ 0 }) != AS_TEXT; i++)
		say_error("%s", g.limits.v[i]);
	init_graph_free(&g);
	if (r == 0)
		return 0;
	say_error("%s", e.msg);
	return r == -ENOMEM ? EXIT_OWN : EXIT_USAGE;
}
