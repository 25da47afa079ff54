#include "check/declared.h"

#include <errno.h>

#include "base/mem.h"
#include "check/go/syntax.h"

struct finding_it {
	struct gofile *file;
	struct span receiver, name;
	struct declared *ret;
	bool found;
};

/* The type of a receiver: `(s *Stack[T])` is of Stack. */
static struct span receiver_of(const struct finding_it *f, TSNode list, bool *pointer)
{
	struct span text = go_text(f->file, list);
	size_t n;

	*pointer = span_chr(text, '*') != SPAN_NONE;
	n = span_chr(text, '[');
	if (n != SPAN_NONE)
		text = span_head(text, n);
	while (text.n && strchr(") \t,\n", text.p[text.n - 1]))
		text.n--;
	for (n = text.n; n > 0 && !strchr("(* \t\n", text.p[n - 1]); n--)
		;
	return span_from(text, n);
}

static void take(struct finding_it *f, TSNode n, enum declared_kind kind)
{
	f->found = true;
	f->ret->line = go_line(n);
	f->ret->kind = kind;
}

static enum gostep visit(void *ctx, const struct gowalk *w)
{
	static const struct {
		enum gonode node;
		enum declared_kind kind;
	} specs[] = { { GO_TYPE_SPEC, DECLARED_TYPE },
		      { GO_TYPE_ALIAS, DECLARED_TYPE },
		      { GO_VAR_SPEC, DECLARED_VAR },
		      { GO_CONST_SPEC, DECLARED_CONST } };
	struct finding_it *f = ctx;

	if (w->kind == GO_FUNCTION_DECLARATION || w->kind == GO_METHOD_DECLARATION) {
		bool method = w->kind == GO_METHOD_DECLARATION, pointer = false;
		struct span of = method ? receiver_of(f, go_field(w->node, GOFIELD_RECEIVER), &pointer)
					: (struct span){ 0 };
		if (method == (f->receiver.p != NULL) && span_eq(of, f->receiver) &&
		    span_eq(go_text(f->file, go_field(w->node, GOFIELD_NAME)), f->name)) {
			take(f, w->node, method ? DECLARED_METHOD : DECLARED_FUNC);
			f->ret->pointer = pointer;
		}
		return f->found ? GOSTEP_STOP : GOSTEP_OVER;
	}
	for (size_t i = 0; i < ARRAY_LEN(specs) && !f->receiver.p; i++) {
		if (w->kind != specs[i].node)
			continue;
		struct span names = go_text(f->file, w->node);
		if (span_eq(go_text(f->file, go_field(w->node, GOFIELD_NAME)), f->name))
			take(f, w->node, specs[i].kind);
		for (; !f->found && specs[i].kind >= DECLARED_VAR && names.n;) { /* a, b = 1, 2 */
			struct span one = span_trim(span_cut(&names, ','));
			if (span_eq(one, f->name))
				take(f, w->node, specs[i].kind);
			if (span_chr(one, ' ') != SPAN_NONE || span_chr(one, '=') != SPAN_NONE)
				break;
		}
		return f->found ? GOSTEP_STOP : GOSTEP_OVER;
	}
	return w->kind == GO_BLOCK || w->kind == GO_FUNC_LITERAL ? GOSTEP_OVER : GOSTEP_INTO;
}

/* 1: it is declared there. */
static int look_in(struct syntax *g, const struct selection *sel, const struct act_file *x,
		   struct span receiver, struct span name, struct declared *ret)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	CLEANUP(buf_free) struct buf text = { .max = GOFILE_BYTES };
	CLEANUP(gofile_free) struct gofile file = { 0 };
	struct finding_it f = { .file = &file, .receiver = receiver, .name = name, .ret = ret };

	buf_addf(&path, "%s/%s/%s", sel->tree->root, x->src->dir->path, x->src->name);
	if (path.bad)
		return -ENOMEM;
	int r = file_slurp_regular(buf_str(&path), &text, NULL);
	if (r < 0 || span_find(buf_view(&text), name) == SPAN_NONE)
		return r == -ENOMEM ? r : 0;
	r = gofile_parse(g, buf_view(&text), &file, NULL);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (gofile_walk(&file, file.root, visit, &f) < 0)
		return -ENOMEM;
	ret->file = x;
	return f.found;
}

int declared_find(const struct selection *sel, const struct act_package *p, struct span receiver,
		  struct span name, struct declared *ret, struct err *e)
{
	CLEANUP(syntax_close) struct syntax *g = NULL;
	int r = gosyntax_open(&g, e);

	for (int round = 0; round < 3 && r == 0; round++) {
		for (size_t i = 0; i < p->n && r == 0; i++) {
			const struct act_file *x = &p->files[i];
			int wanted = x->src->test ? 2 : act_list_built(x->list) ? 0 : 1;
			if (x->src->kind == SRC_GO && wanted == round)
				r = look_in(g, sel, x, receiver, name, ret);
		}
	}
	return r == -ENOMEM ? err_set(e, ENOMEM, TR("no memory", "内存不足")) : r;
}
