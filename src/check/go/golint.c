#include "check/go/golint.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>

#include "base/mem.h"
#include "base/path.h"

/* One walk over a Go file for all rules: each node goes to those that asked for its kind. */

static const struct golint_hook *const tables[] = {
	golint_test,    golint_test_body, golint_exit,      golint_error,   golint_close,
	golint_recover, golint_quiet,     golint_goroutine, golint_waiting, golint_signals,
	golint_net,     golint_build,     golint_across,
};
#define HOOKS_MAX 64 /* of one kind */
static golint_visit *hooks[GO_NODES][HOOKS_MAX + 1];
static struct {
	struct span name;
	golint_seen *seen;
} by_name[HOOKS_MAX];
static size_t n_by_name;
static pthread_once_t hooked = PTHREAD_ONCE_INIT;

/* The name is looked at once for all who asked for calls by name. */
static void call_by_name(struct golint *c, TSNode call)
{
	struct span head = golint_head(c, call), name = golint_last_name(head);

	for (size_t i = 0; name.n && i < n_by_name; i++)
		if (span_eq(by_name[i].name, name))
			by_name[i].seen(c, call, head);
}

static void hook_called(const struct golint_called *rows)
{
	for (; rows->name; rows++) {
		assert(n_by_name < HOOKS_MAX);
		by_name[n_by_name].name = span_of(rows->name);
		by_name[n_by_name++].seen = rows->seen;
	}
}

static void hook_all(void)
{
	size_t n[GO_NODES] = { 0 };

	hooks[GO_CALL_EXPRESSION][n[GO_CALL_EXPRESSION]++] = call_by_name;
	for (size_t t = 0; t < ARRAY_LEN(tables); t++) {
		for (const struct golint_hook *h = tables[t]; h->kind != GO_ERROR; h++) {
			assert(n[h->kind] < HOOKS_MAX);
			if (h->visit)
				hooks[h->kind][n[h->kind]++] = h->visit;
			else
				hook_called(h->called);
		}
	}
}

struct walker {
	struct golint c;
	struct golint_func stack[GOFILE_DEPTH];
	unsigned loop_depth[GOFILE_DEPTH]; /* of the loops that are open, of all functions */
	size_t n_funcs, n_loops;
};

/* The type of a receiver `(s *Server[K])`: Server. */
static struct span receiver_type(const struct golint *c, TSNode method)
{
	TSNode type = go_field(go_child(go_field(method, GOFIELD_RECEIVER), 0), GOFIELD_TYPE);

	for (int i = 0; i < 4 && type.id && !go_is(type, GO_TYPE_IDENTIFIER); i++)
		type = go_child(type, 0);
	return golint_text(c, type);
}

static void enter_func(struct walker *k, const struct gowalk *w)
{
	struct golint_func *f = &k->stack[k->n_funcs];
	TSNode up1 = w->depth > 0 ? w->up[w->depth - 1] : (TSNode){ 0 },
	       up2 = w->depth > 1 ? w->up[w->depth - 2] : (TSNode){ 0 };
	bool called = w->kind == GO_FUNC_LITERAL && go_is(up1, GO_CALL_EXPRESSION) &&
		      ts_node_start_byte(up1) == ts_node_start_byte(w->node);

	*f = (struct golint_func){ .outer = k->c.func,
				   .node = w->node,
				   .body = go_field(w->node, GOFIELD_BODY),
				   .kind = w->kind,
				   .loops = k->c.loops,
				   .depth = w->depth };
	f->deferred = called && go_is(up2, GO_DEFER_STATEMENT);
	f->gone = called && go_is(up2, GO_GO_STATEMENT);
	if (w->kind != GO_FUNC_LITERAL)
		f->name = golint_text(&k->c, go_field(w->node, GOFIELD_NAME));
	if (w->kind == GO_METHOD_DECLARATION)
		f->receiver = receiver_type(&k->c, w->node);
	k->n_funcs++;
	k->c.func = f;
	k->c.loops = 0;
}

/* What ends before a node of this depth; the innermost first, as loops are counted for each function of its own. */
static void leave(struct walker *k, unsigned depth)
{
	for (;;) {
		const struct golint_func *f = k->c.func;
		bool loop = k->n_loops && k->loop_depth[k->n_loops - 1] >= depth;
		if (f && f->depth >= depth && !(loop && k->loop_depth[k->n_loops - 1] > f->depth)) {
			k->c.loops = f->loops;
			k->c.func = f->outer;
			k->n_funcs--;
		} else if (loop) {
			k->n_loops--;
			k->c.loops--;
		} else {
			return;
		}
	}
}

static enum gostep visit(void *ctx, const struct gowalk *w)
{
	struct walker *k = ctx;

	k->c.w = w;
	leave(k, w->depth);
	for (golint_visit **h = hooks[w->kind]; *h; h++)
		(*h)(&k->c, w->node);
	if (w->kind == GO_FUNCTION_DECLARATION || w->kind == GO_METHOD_DECLARATION ||
	    w->kind == GO_FUNC_LITERAL) {
		enter_func(k, w);
	} else if (w->kind == GO_FOR_STATEMENT) {
		k->loop_depth[k->n_loops++] = w->depth;
		k->c.loops++;
	}
	return GOSTEP_INTO;
}

#define PARTS_BYTES \
	((size_t)8 << 20) /* of a file that are parsed: the tree may take a hundred times as much */

static int parse(const struct lint_file *f, struct syntax *parser, const struct golint_look *look,
		 struct gofile *ret, struct err *e)
{
	size_t bytes = 0;

	if (f->config->whole || f->text.n > GOFILE_BYTES)
		return gofile_parse(parser, f->text, ret, e);
	for (size_t i = 0; i < look->n; i++)
		bytes += look->parts[i].n;
	if (bytes > PARTS_BYTES)
		return syntax_too_large(e, PARTS_BYTES);
	return bytes == f->text.n ? gofile_parse(parser, f->text, ret, e)
				  : gofile_parse_parts(parser, f->text, look->parts, look->n, ret, e);
}

static void begin(struct walker *k, struct lint_file *f, struct gofile *file, const struct golint_look *look)
{
	struct span dir = path_dir(span_of(f->path));

	k->n_funcs = k->n_loops = 0;
	k->c = (struct golint){ .out = f,
				.file = file,
				.imports = look->imports,
				.package = look->package,
				.dir = span_eq(dir, S(".")) ? S("") : dir,
				.test = span_ends(span_of(f->path), S("_test.go")),
				.main = span_eq(look->package, S("main")),
				.generated = look->generated,
				.look = look };
}

void golint_check(struct lint_file *f)
{
	CLEANUP(gofile_free) struct gofile file = { 0 };
	CLEANUP(mem_free) struct walker *k = NULL;
	struct syntax *parser = lint_go_parser(f);
	struct golint_look look;
	struct err e = { 0 };

	pthread_once(&hooked, hook_all);
	if (!parser)
		return;
	if (!golint_look(f, &look)) {
		f->bad = true;
		return;
	}
	if (parse(f, parser, &look, &file, &e) < 0) {
		f->bad |= e.code == ENOMEM;
		lint_limit(f, "%s", e.msg);
		return;
	}
	if (!(k = mem_alloc(sizeof(*k)))) {
		f->bad = true;
		return;
	}
	begin(k, f, &file, &look);
	if (gofile_walk(&file, file.root, visit, k) < 0)
		f->bad = true;
	f->errors += file.errors;
	if (file.cut)
		lint_limit(f,
			   TR("nested deeper than %d levels: what is below was not looked at",
			      "嵌套超过 %d 层：更深处未检查"),
			   GOFILE_DEPTH);
}

/* ---- for the rules ---- */

struct span golint_import(const struct golint *c, struct span name)
{
	return goimports_path(&c->imports, name);
}

bool golint_calls(const struct golint *c, TSNode n, const char *path, const char *name)
{
	struct span head = golint_head(c, n), last = span_of(name);
	struct gocall call;

	/* Most calls are of another name, which the text shows without the tree. */
	if (head.p && !(head.n > last.n && span_ends(head, last) && head.p[head.n - last.n - 1] == '.'))
		return false;
	return go_call(c->file, n, &call) && call.operand.id && span_eq(call.name, span_of(name)) &&
	       go_is(call.operand, GO_IDENTIFIER) && span_eq(golint_import(c, call.on), span_of(path));
}

bool golint_calls_plain(const struct golint *c, TSNode n, const char *name)
{
	struct span head = golint_head(c, n);
	struct gocall call;

	if (head.p && !span_eq(head, span_of(name)))
		return false;
	return go_call(c->file, n, &call) && !call.operand.id && span_eq(call.name, span_of(name));
}

struct lint_finding *golint_say_args(struct golint *c, enum rule_id rule, enum severity severity, TSNode at,
				     const struct span *args, size_t n)
{
	return lint_say_args(c->out, rule, severity, ts_node_start_byte(at), ts_node_end_byte(at), args, n);
}
