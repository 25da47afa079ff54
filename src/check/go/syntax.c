#include "check/go/syntax.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>

#include "base/mem.h"
#include "base/time.h"

const TSLanguage *tree_sitter_go(void);

static const struct syntax_name node_names[] = {
#define NODE(name, text) { text, GO_##name, false },
#define FIELD(name, text)
#include "check/go/nodes.def"
#undef NODE
#undef FIELD
};
static const char *const field_names[GOFIELDS] = {
#define NODE(name, text)
#define FIELD(name, text) [GOFIELD_##name] = text,
#include "check/go/nodes.def"
#undef NODE
#undef FIELD
};

static uint8_t kinds[SYNTAX_SYMBOLS];
static TSFieldId field_id[GOFIELDS];
static pthread_once_t named = PTHREAD_ONCE_INIT;
static_assert(GO_NODES < 256, "they are kept in bytes");

static void name_all(void)
{
	const TSLanguage *l = tree_sitter_go();

	syntax_number(l, node_names, ARRAY_LEN(node_names), kinds);
	for (int k = 0; k < GOFIELDS; k++)
		field_id[k] =
			ts_language_field_id_for_name(l, field_names[k], (uint32_t)strlen(field_names[k]));
}

/* ---- parsing ---- */

int gosyntax_open(struct syntax **ret, struct err *e)
{
	pthread_once(&named, name_all);
	return syntax_open(ret, tree_sitter_go(), e);
}

int gofile_parse(struct syntax *p, struct span text, struct gofile *ret, struct err *e)
{
	if (text.n > GOFILE_BYTES)
		return syntax_too_large(e, GOFILE_BYTES);
	if (text.n && memchr(text.p, 0, text.n))
		return err_set(e, EBADMSG,
			       TR("has a NUL byte, so it is no text: not parsed",
				  "含有 NUL 字节，不是文本：未解析"));
	int r = syntax_nesting(text, e);
	if (r < 0)
		return r;
	int64_t most = syntax_time(text.n, GOFILE_NS);
	TSTree *tree = syntax_parse(p, text, syntax_now() + most);
	if (!tree)
		return syntax_late(e, most);
	*ret = (struct gofile){ .text = text, .tree = tree, .root = ts_tree_root_node(tree) };
	return 0;
}

/* The place of a byte, from the place of one before it. */
static void go_on(struct span text, uint32_t to, uint32_t *at, TSPoint *place)
{
	for (const char *nl; (nl = memchr(text.p + *at, '\n', to - *at)); place->row++, place->column = 0)
		*at = (uint32_t)(nl - text.p) + 1;
	place->column += to - *at;
	*at = to;
}

int gofile_parse_parts(struct syntax *p, struct span text, const struct span *parts, size_t n,
		       struct gofile *ret, struct err *e)
{
	TSRange *ranges = text.n <= GOFILE_BYTES ? mem_alloc((n + 1) * sizeof(*ranges)) : NULL;
	TSPoint place = { 0 };
	uint32_t at = 0;
	int r;

	if (text.n > GOFILE_BYTES)
		return gofile_parse(p, text, ret, e);
	if (!ranges)
		return syntax_no_memory(e);
	for (size_t i = 0; i < n; i++) {
		uint32_t from = (uint32_t)(parts[i].p - text.p), to = from + (uint32_t)parts[i].n;
		go_on(text, from, &at, &place);
		ranges[i] = (TSRange){ .start_byte = from, .start_point = place, .end_byte = to };
		go_on(text, to, &at, &place);
		ranges[i].end_point = place;
	}
	if (syntax_only(p, ranges, (uint32_t)n))
		r = gofile_parse(p, text, ret, e);
	else
		r = err_set(e, EINVAL, TR("parts that overlap", "片段重叠"));
	syntax_only(p, NULL, 0);
	mem_free(ranges);
	return r;
}

void gofile_free(struct gofile *f)
{
	if (f->tree)
		ts_tree_delete(f->tree);
	*f = (struct gofile){ 0 };
}

void gofile_free_cleanup(struct gofile *f)
{
	gofile_free(f);
}

/* ---- nodes ---- */

enum gonode go_kind(TSNode n)
{
	return (enum gonode)syntax_kind(kinds, n, GO_ERROR);
}

TSNode go_field(TSNode n, enum gofield field)
{
	return n.id ? ts_node_child_by_field_id(n, field_id[field]) : n;
}

struct span go_text(const struct gofile *f, TSNode n)
{
	if (!n.id)
		return (struct span){ 0 };
	uint32_t from = ts_node_start_byte(n), to = ts_node_end_byte(n);
	/* A node that was put in where something is missing may lie behind the end. */
	from = from > f->text.n ? (uint32_t)f->text.n : from;
	to = to > f->text.n ? (uint32_t)f->text.n : to < from ? from : to;
	return (struct span){ f->text.p ? f->text.p + from : "", to - from };
}

int go_line(TSNode n)
{
	return n.id ? (int)ts_node_start_point(n).row + 1 : 0;
}

int go_column(TSNode n)
{
	return n.id ? (int)ts_node_start_point(n).column + 1 : 0;
}

void gochildren_of(TSNode n, struct gochildren *ret)
{
	syntax_children_of(n, &ret->all);
}

TSNode gochildren_next(struct gochildren *c)
{
	TSNode n;

	do
		n = syntax_children_next(&c->all);
	while (n.id && (!ts_node_is_named(n) || go_is(n, GO_COMMENT)));
	return n;
}

void gochildren_end_cleanup(struct gochildren *c)
{
	syntax_children_end_cleanup(&c->all);
}

uint32_t go_count(TSNode n)
{
	CLEANUP(gochildren_end) struct gochildren c = { 0 };
	uint32_t count = 0;

	gochildren_of(n, &c);
	while (gochildren_next(&c).id)
		count++;
	return count;
}

TSNode go_child(TSNode n, uint32_t at)
{
	CLEANUP(gochildren_end) struct gochildren c = { 0 };
	TSNode child;

	gochildren_of(n, &c);
	do
		child = gochildren_next(&c);
	while (child.id && at-- > 0);
	return child;
}

TSNode go_bare(TSNode n)
{
	for (int i = 0; i < GOFILE_DEPTH && go_is(n, GO_PARENTHESIZED_EXPRESSION); i++)
		n = go_child(n, 0);
	return n;
}

struct span go_string(const struct gofile *f, TSNode n)
{
	enum gonode kind = go_kind(n);
	struct span s = go_text(f, n);

	if ((kind != GO_INTERPRETED_STRING_LITERAL && kind != GO_RAW_STRING_LITERAL) || s.n < 2)
		return (struct span){ 0 };
	return (struct span){ s.p + 1, s.n - 2 };
}

bool go_call(const struct gofile *f, TSNode n, struct gocall *ret)
{
	if (!go_is(n, GO_CALL_EXPRESSION))
		return false;
	TSNode callee = go_bare(go_field(n, GOFIELD_FUNCTION));
	/* f[int](x): what is called is f. */
	if (go_is(callee, GO_TYPE_INSTANTIATION_EXPRESSION) || go_is(callee, GO_INDEX_EXPRESSION))
		callee = go_child(callee, 0);
	*ret = (struct gocall){ .callee = callee, .arguments = go_field(n, GOFIELD_ARGUMENTS) };
	if (go_is(callee, GO_IDENTIFIER)) {
		ret->name = go_text(f, callee);
		return true;
	}
	if (!go_is(callee, GO_SELECTOR_EXPRESSION))
		return false;
	ret->operand = go_field(callee, GOFIELD_OPERAND);
	ret->on = go_text(f, ret->operand);
	ret->name = go_text(f, go_field(callee, GOFIELD_FIELD));
	return ret->on.p && ret->name.p;
}

/* ---- walking ---- */

struct walking {
	TSTreeCursor at;
	TSNode up[GOFILE_DEPTH + 1];
	struct gowalk w;
};

static enum gonode see(struct walking *k)
{
	TSNode n = ts_tree_cursor_current_node(&k->at);

	k->w.node = k->up[k->w.depth] = n;
	k->w.kind = ts_node_is_named(n) ? go_kind(n) : GO_TOKEN;
	return k->w.kind;
}

/* To the next node that is not below this one; false: there is none. */
static bool step_over(struct walking *k)
{
	while (!ts_tree_cursor_goto_next_sibling(&k->at)) {
		if (k->w.depth == 0 || !ts_tree_cursor_goto_parent(&k->at))
			return false;
		k->w.depth--;
	}
	return k->w.depth > 0;
}

int gofile_walk(struct gofile *f, TSNode from, enum gostep (*visit)(void *ctx, const struct gowalk *w),
		void *ctx)
{
	struct walking *k = mem_alloc(sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->at = ts_tree_cursor_new(from);
	k->w = (struct gowalk){ .file = f, .up = k->up };
	size_t errors = 0, cut = 0; /* a rule may walk within the walk */
	for (;;) {
		enum gonode kind = see(k);
		enum gostep step = GOSTEP_INTO;
		errors += kind == GO_ERROR || ts_node_is_missing(k->w.node);
		if (kind != GO_TOKEN)
			step = visit(ctx, &k->w);
		if (step == GOSTEP_STOP)
			break;
		if (step == GOSTEP_INTO && k->w.depth >= GOFILE_DEPTH) {
			cut += ts_node_child_count(k->w.node) > 0;
			step = GOSTEP_OVER;
		}
		if (step == GOSTEP_INTO && ts_tree_cursor_goto_first_child(&k->at))
			k->w.depth++;
		else if (!step_over(k))
			break;
	}
	f->errors = errors;
	f->cut = cut;
	ts_tree_cursor_delete(&k->at);
	mem_free(k);
	return 0;
}

/* ---- imports ---- */

/* "v2" and the like. */
static bool is_major(struct span s)
{
	bool digits = s.n > 1 && s.p[0] == 'v';

	for (size_t i = 1; i < s.n && digits; i++)
		digits = s.p[i] >= '0' && s.p[i] <= '9';
	return digits;
}

struct span goimport_guess(struct span path)
{
	size_t slash = span_rchr(path, '/');
	struct span last = slash == SPAN_NONE ? path : span_from(path, slash + 1);

	if (slash != SPAN_NONE && is_major(last)) {
		struct span before = span_head(path, slash);
		size_t up = span_rchr(before, '/');
		last = up == SPAN_NONE ? before : span_from(before, up + 1);
	}
	size_t dot = span_rchr(last, '.'); /* gopkg.in/yaml.v3 */
	if (dot != SPAN_NONE && is_major(span_from(last, dot + 1)))
		last = span_head(last, dot);
	span_skip(&last, S("go-"));
	if (span_ends(last, S("-go")) || span_ends(last, S(".go")))
		last = span_head(last, last.n - 3);
	return last;
}

static bool add_import(const struct gofile *f, TSNode spec, struct goimport *ret)
{
	struct span path = go_string(f, go_field(spec, GOFIELD_PATH));
	struct span name = go_text(f, go_field(spec, GOFIELD_NAME));

	if (!path.n)
		return false;
	*ret = (struct goimport){ .name = name.n ? name : goimport_guess(path),
				  .path = path,
				  .given = name.n > 0,
				  .line = go_line(spec) };
	return true;
}

/* All import specs of a declaration, into ret->v when there is room. */
static void take_imports(const struct gofile *f, TSNode declaration, struct goimports *ret, size_t *seen,
			 size_t cap)
{
	CLEANUP(gochildren_end) struct gochildren c = { 0 };
	TSNode list = go_child(declaration, 0);

	gochildren_of(go_is(list, GO_IMPORT_SPEC_LIST) ? list : declaration, &c);
	for (TSNode spec; (spec = gochildren_next(&c)).id; ++*seen)
		if (ret->n < cap && go_is(spec, GO_IMPORT_SPEC))
			ret->n += add_import(f, spec, &ret->v[ret->n]);
}

int gofile_imports(const struct gofile *f, struct arena *mem, struct goimports *ret)
{
	size_t cap = 0;

	*ret = (struct goimports){ 0 };
	for (int pass = 0; pass < 2; pass++) {
		CLEANUP(gochildren_end) struct gochildren top = { 0 };
		size_t seen = 0;
		gochildren_of(f->root, &top);
		for (TSNode d; (d = gochildren_next(&top)).id;)
			if (go_is(d, GO_IMPORT_DECLARATION))
				take_imports(f, d, ret, &seen, cap);
		if (pass == 0 && !(ret->v = arena_alloc(mem, ((cap = seen) + 1) * sizeof(*ret->v))))
			return -ENOMEM;
	}
	return 0;
}

struct span goimports_path(const struct goimports *i, struct span name)
{
	for (size_t k = 0; k < i->n; k++)
		if (span_eq(i->v[k].name, name))
			return i->v[k].path;
	return (struct span){ 0 };
}
