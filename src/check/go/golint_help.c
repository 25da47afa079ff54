#include "check/go/golint.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

/* What several rules ask of a syntax tree. */

/* ---- what is below a node ---- */

void gobelow_of(TSNode from, struct gobelow *ret)
{
	*ret = (struct gobelow){ .fresh = true };
	if (!from.id)
		return;
	ret->at = ts_tree_cursor_new(from);
	ret->open = true;
}

void gobelow_end_cleanup(struct gobelow *b)
{
	if (b->open)
		ts_tree_cursor_delete(&b->at);
	b->open = false;
}

/* To the next node in the order of the text; false: there is none. */
static bool below_step(struct gobelow *b)
{
	bool into = !b->over && b->depth < GOFILE_DEPTH;

	b->over = false;
	if (into && ts_tree_cursor_goto_first_child(&b->at)) {
		b->depth++;
		return true;
	}
	while (b->depth && !ts_tree_cursor_goto_next_sibling(&b->at)) {
		if (!ts_tree_cursor_goto_parent(&b->at))
			return false;
		b->depth--;
	}
	return b->depth > 0;
}

TSNode gobelow_next(struct gobelow *b)
{
	while (b->open) {
		if (!b->fresh && !below_step(b))
			break;
		b->fresh = false;
		TSNode n = ts_tree_cursor_current_node(&b->at);
		if (ts_node_is_named(n) && !go_is(n, GO_COMMENT))
			return n;
	}
	gobelow_end_cleanup(b);
	return (TSNode){ 0 };
}

bool golint_mentions(const struct golint *c, TSNode below, struct span name)
{
	CLEANUP(gobelow_end) struct gobelow b = { 0 };

	gobelow_of(below, &b);
	for (TSNode n; (n = gobelow_next(&b)).id;)
		if (go_is(n, GO_IDENTIFIER) && span_eq(golint_text(c, n), name))
			return true;
	return false;
}

bool golint_has(TSNode below, enum gonode kind)
{
	CLEANUP(gobelow_end) struct gobelow b = { 0 };

	gobelow_of(below, &b);
	for (TSNode n; (n = gobelow_next(&b)).id;)
		if (go_is(n, kind))
			return true;
	return false;
}

bool golint_declares(const struct golint *c, TSNode below, struct span name)
{
	CLEANUP(gobelow_end) struct gobelow b = { 0 };

	gobelow_of(below, &b);
	for (TSNode n; (n = gobelow_next(&b)).id;)
		if (((go_is(n, GO_SHORT_VAR_DECLARATION) || go_is(n, GO_RANGE_CLAUSE)) &&
		     golint_mentions(c, go_field(n, GOFIELD_LEFT), name)) ||
		    (go_is(n, GO_VAR_SPEC) && span_eq(golint_text(c, go_field(n, GOFIELD_NAME)), name)))
			return true;
	return false;
}

/* ---- calls ---- */

struct span golint_head(const struct golint *c, TSNode call)
{
	struct span text = c->file->text;
	size_t from = call.id ? ts_node_start_byte(call) : text.n, to = from;

	while (to < text.n && (golint_in_name(text.p[to]) || text.p[to] == '.'))
		to++;
	if (to >= text.n || text.p[to] != '(' || to == from)
		return (struct span){ 0 };
	return (struct span){ text.p + from, to - from };
}

bool golint_named(struct span name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_eq(name, span_of(names[i])))
			return true;
	return false;
}

bool golint_calls_any(const struct golint *c, TSNode n, const char *path, const char *const *names,
		      size_t n_names)
{
	struct gocall call;

	return go_call(c->file, n, &call) && go_is(call.operand, GO_IDENTIFIER) &&
	       golint_named(call.name, names, n_names) && span_eq(golint_import(c, call.on), span_of(path));
}

bool golint_is_exit(const struct golint *c, TSNode call)
{
	static const char *const exits[] = { "Exit" };
	static const char *const fatal[] = { "Fatal", "Fatalf", "Fatalln" };

	return golint_calls_any(c, call, "os", exits, 1) ||
	       golint_calls_any(c, call, "log", fatal, ARRAY_LEN(fatal)) ||
	       golint_calls_any(c, call, "syscall", exits, 1);
}

TSNode golint_argument(TSNode call, uint32_t at)
{
	return go_child(go_field(call, GOFIELD_ARGUMENTS), at);
}

bool golint_is_os_exit(const struct golint *c, TSNode call)
{
	return span_eq(golint_head(c, call), S("os.Exit")) && golint_calls(c, call, "os", "Exit");
}

bool golint_is_print(const struct golint *c, TSNode call)
{
	static const char *const fmt[] = { "Print", "Printf", "Println", "Fprint", "Fprintf", "Fprintln" };
	static const char *const log[] = { "Print", "Printf", "Println" };
	static const char *const slog[] = { "Debug", "Info", "Warn", "Error", "Log" };

	return golint_calls_any(c, call, "fmt", fmt, ARRAY_LEN(fmt)) ||
	       golint_calls_any(c, call, "log", log, ARRAY_LEN(log)) ||
	       golint_calls_any(c, call, "log/slog", slog, ARRAY_LEN(slog)) ||
	       golint_calls_plain(c, call, "println") || golint_calls_plain(c, call, "print");
}

bool golint_int_of(struct span text, int64_t *ret)
{
	char digits[32], *end;
	size_t count = 0;
	bool minus = span_skip(&text, S("-"));

	text = span_trim(text);
	if (!text.n || text.n >= sizeof(digits) || text.p[0] < '0' || text.p[0] > '9')
		return false;
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != '_')
			digits[count++] = text.p[i];
	digits[count] = '\0';
	const char *from = digits;
	int base = 0;
	if (from[0] == '0' && (from[1] == 'b' || from[1] == 'B' || from[1] == 'o' || from[1] == 'O')) {
		base = from[1] == 'b' || from[1] == 'B' ? 2 : 8;
		from += 2;
	}
	errno = 0;
	*ret = strtoll(from, &end, base);
	*ret = minus ? -*ret : *ret;
	return !*end && !errno;
}

bool golint_int(const struct golint *c, TSNode n, int64_t *ret)
{
	n = go_bare(n);
	bool minus = go_is(n, GO_UNARY_EXPRESSION) &&
		     span_eq(golint_text(c, go_field(n, GOFIELD_OPERATOR)), S("-"));
	if (minus)
		n = go_bare(go_field(n, GOFIELD_OPERAND));
	if (!go_is(n, GO_INT_LITERAL) || !golint_int_of(golint_text(c, n), ret))
		return false;
	*ret = minus ? -*ret : *ret;
	return true;
}

bool golint_is_explained(const struct golint *c, TSNode n)
{
	struct span text = c->file->text, behind = span_from(text, ts_node_end_byte(n)),
		    before = span_head(text, ts_node_start_byte(n));
	struct span line = span_cut(&behind, '\n');
	size_t nl = span_rchr(before, '\n'), above;

	if (span_find(line, S("//")) != SPAN_NONE)
		return true;
	before = span_head(before, nl == SPAN_NONE ? 0 : nl);
	above = span_rchr(before, '\n');
	return span_starts(span_trim(span_from(before, above == SPAN_NONE ? 0 : above + 1)), S("//"));
}

bool golint_is_int(const struct golint *c, TSNode n, int64_t want)
{
	int64_t value;

	return golint_int(c, n, &value) && value == want;
}

/* ---- statements ---- */

void gostatements_of(TSNode block, struct gochildren *ret)
{
	CLEANUP(gochildren_end) struct gochildren inside = { 0 };
	TSNode list;

	gochildren_of(block, &inside);
	do
		list = gochildren_next(&inside);
	while (list.id && !go_is(list, GO_STATEMENT_LIST));
	gochildren_of(list, ret);
}

TSNode golint_last(TSNode block)
{
	CLEANUP(gochildren_end) struct gochildren list = { 0 };
	TSNode last = { 0 };

	gostatements_of(block, &list);
	for (TSNode n; (n = gochildren_next(&list)).id;)
		last = n;
	return last;
}

TSNode golint_before(const struct golint *c, TSNode statement)
{
	CLEANUP(gochildren_end) struct gochildren list = { 0 };
	TSNode before = { 0 };

	gochildren_of(golint_up(c, 1), &list);
	for (TSNode n; (n = gochildren_next(&list)).id && !ts_node_eq(n, statement);)
		before = n;
	return before;
}

bool golint_has_comment(TSNode block)
{
	CLEANUP(gobelow_end) struct gobelow b = { 0 };
	TSTreeCursor *at = &b.at;

	gobelow_of(block, &b);
	while (b.open && below_step(&b))
		if (go_is(ts_tree_cursor_current_node(at), GO_COMMENT))
			return true;
	return false;
}

bool golint_leaves(const struct golint *c, TSNode statement)
{
	TSNode call = go_is(statement, GO_EXPRESSION_STATEMENT) ? go_child(statement, 0) : statement;

	return go_is(statement, GO_RETURN_STATEMENT) || golint_is_exit(c, call) ||
	       golint_calls_plain(c, call, "panic");
}

TSNode golint_call_of(TSNode statement)
{
	TSNode call = go_is(statement, GO_EXPRESSION_STATEMENT) ? go_child(statement, 0) : (TSNode){ 0 };

	return go_is(call, GO_CALL_EXPRESSION) ? call : (TSNode){ 0 };
}

bool golint_is_error_name(struct span s)
{
	return span_eq(s, S("err")) || span_ends(s, S("Err")) || (span_starts(s, S("err")) && s.n <= 5) ||
	       span_ends(s, S("_err"));
}

struct span golint_err_condition(const struct golint *c, TSNode statement)
{
	TSNode condition = go_bare(go_field(statement, GOFIELD_CONDITION));
	TSNode left = go_field(condition, GOFIELD_LEFT);

	if (!go_is(condition, GO_BINARY_EXPRESSION) || !go_is(go_field(condition, GOFIELD_RIGHT), GO_NIL) ||
	    !go_is(left, GO_IDENTIFIER) ||
	    !span_eq(golint_text(c, go_field(condition, GOFIELD_OPERATOR)), S("!=")) ||
	    !golint_is_error_name(golint_text(c, left)))
		return (struct span){ 0 };
	return golint_text(c, left);
}

/* ---- functions ---- */

struct span golint_parameter(const struct golint *c, TSNode function, const char *type)
{
	CLEANUP(gochildren_end) struct gochildren list = { 0 };
	struct span want = span_of(type);

	gochildren_of(go_field(function, GOFIELD_PARAMETERS), &list);
	for (TSNode p; (p = gochildren_next(&list)).id;) {
		if (span_eq(golint_text(c, go_field(p, GOFIELD_TYPE)), want)) {
			struct span name = golint_text(c, go_field(p, GOFIELD_NAME));
			return name.n ? name : S("_");
		}
	}
	return (struct span){ 0 };
}

bool golint_returns_error(const struct golint *c, TSNode function)
{
	CLEANUP(gochildren_end) struct gochildren list = { 0 };
	TSNode result = go_field(function, GOFIELD_RESULT), last = result;

	if (go_is(result, GO_PARAMETER_LIST)) {
		gochildren_of(result, &list);
		for (TSNode p; (p = gochildren_next(&list)).id;)
			last = go_field(p, GOFIELD_TYPE);
	}
	return span_eq(golint_text(c, last), S("error"));
}
