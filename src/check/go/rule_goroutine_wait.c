#include "check/go/rule_goroutine.h"

#include <stdio.h>

#include "base/mem.h"

/* G: waiting for goroutines: G04 to G06 (sync.WaitGroup), G07 (errgroup). */

/* ---- what a name stands for ---- */

/* 1: declared or set in a line that says `what`; 0: only without it; -1: not at all. */
static int declared_as(struct span text, struct span name, const char *what)
{
	int found = -1;

	for (size_t at = 0; (at = golint_word(text, name, at)) != SPAN_NONE; at += name.n) {
		struct span rest = span_from(text, at + name.n), line = span_cut(&rest, '\n');
		size_t end = span_find(line, S("//"));
		if ((at > 0 && text.p[at - 1] == '.') ||
		    !golint_local(span_head(span_from(text, at), name.n + 3), name))
			continue;
		found = 0;
		if (golint_says(span_head(line, end == SPAN_NONE ? line.n : end), what))
			return 1;
	}
	return found;
}

bool goroutine_is_of(struct golint *c, struct span name, const char *what)
{
	int here = name.n ? declared_as(golint_whole(c), name, what) : 0;

	if (here >= 0 || !golint_may_look(c, c->file->text.n))
		return here > 0;
	return declared_as(c->file->text, name, what) > 0;
}

/* ---- G04 ---- */

static void gone(struct golint *c, TSNode n)
{
	TSNode literal = go_field(go_child(n, 0), GOFIELD_FUNCTION);
	TSNode first = go_is(literal, GO_FUNC_LITERAL)
			       ? go_child(go_child(go_field(literal, GOFIELD_BODY), 0), 0)
			       : (TSNode){ 0 };
	TSNode add = golint_call_of(first);
	struct span head = golint_head(c, add), on = head;

	if (!span_ends(head, S(".Add")))
		return;
	on.n -= S(".Add").n;
	struct span inside = golint_text(c, literal);
	struct span group = golint_last_name(on);
	if (golint_may_look(c, inside.n) && declared_as(inside, group, "sync.WaitGroup") < 0 &&
	    goroutine_is_of(c, group, "sync.WaitGroup"))
		golint_say(c, RULE_G04, add, golint_text(c, add));
}

/* ---- G05, G06: wherever sync.WaitGroup is written ---- */

static TSNode function_around(TSNode n)
{
	for (int i = 0; i < 200 && n.id; i++, n = ts_node_parent(n))
		if (go_is(n, GO_FUNCTION_DECLARATION) || go_is(n, GO_METHOD_DECLARATION) ||
		    go_is(n, GO_FUNC_LITERAL))
			return n;
	return (TSNode){ 0 };
}

static void by_value(struct golint *c, TSNode parameter)
{
	TSNode list = ts_node_parent(parameter), function = ts_node_parent(list);
	struct span name = golint_text(c, go_field(parameter, GOFIELD_NAME)),
		    body = golint_text(c, go_field(function, GOFIELD_BODY));
	enum gonode kind = go_kind(function);

	if ((kind != GO_FUNCTION_DECLARATION && kind != GO_METHOD_DECLARATION && kind != GO_FUNC_LITERAL) ||
	    !name.n || !golint_may_look(c, body.n) ||
	    !ts_node_eq(go_field(function, GOFIELD_PARAMETERS), list))
		return;
	for (size_t at = 0; (at = golint_word(body, name, at)) != SPAN_NONE; at += name.n) {
		struct span rest = span_from(body, at + name.n);
		if (span_starts(rest, S(".Done(")) || span_starts(rest, S(".Wait(")) ||
		    span_starts(rest, S(".Add(")) || span_starts(rest, S(".Go("))) {
			golint_say(c, RULE_G06, parameter, name);
			return;
		}
	}
}

/* Is all that is done with it Add, Done and Go? Whoever else gets it may wait for it. */
static bool is_never_waited_for(struct span text, struct span name, size_t from)
{
	static const char *const uses[] = { ".Add(", ".Done()", ".Go(" };
	bool added = false;

	if (golint_word(text, S("go"), from) == SPAN_NONE && !golint_says(text, ".Go("))
		return false;
	for (size_t at = from; (at = golint_word(text, name, at)) != SPAN_NONE; at += name.n) {
		struct span rest = span_from(text, at + name.n);
		size_t i = 0;
		while (i < ARRAY_LEN(uses) && !span_starts(rest, span_of(uses[i])))
			i++;
		if (i == ARRAY_LEN(uses) || (at > 0 && (text.p[at - 1] == '&' || text.p[at - 1] == '.')))
			return false;
		added |= i != 1;
	}
	return added;
}

static void local_group(struct golint *c, TSNode declaration, TSNode names)
{
	TSNode function = function_around(declaration), body = go_field(function, GOFIELD_BODY);
	struct span text = golint_text(c, body), name = golint_text(c, names);

	if (!go_is(names, GO_IDENTIFIER) || !text.n || !golint_may_look(c, text.n))
		return;
	if (is_never_waited_for(text, name, ts_node_end_byte(declaration) - ts_node_start_byte(body)))
		golint_say(c, RULE_G05, names, name);
}

/* `var wg sync.WaitGroup`, `wg := sync.WaitGroup{}`, `wg := &sync.WaitGroup{}`, `wg := new(sync.WaitGroup)` */
static void look_at_type(struct golint *c, TSNode type)
{
	TSNode n = ts_node_parent(type);

	if (go_is(n, GO_PARAMETER_DECLARATION)) {
		by_value(c, n);
		return;
	}
	if (go_is(n, GO_VAR_SPEC)) {
		if (go_count(n) == 2) /* one name and the type */
			local_group(c, n, go_field(n, GOFIELD_NAME));
		return;
	}
	for (int i = 0; i < 4 && (go_is(n, GO_COMPOSITE_LITERAL) || go_is(n, GO_UNARY_EXPRESSION) ||
				  go_is(n, GO_ARGUMENT_LIST) || go_is(n, GO_CALL_EXPRESSION));
	     i++) {
		if (go_is(n, GO_CALL_EXPRESSION) && !golint_calls_plain(c, n, "new"))
			return;
		n = ts_node_parent(n);
	}
	TSNode declaration = ts_node_parent(n), left = go_field(declaration, GOFIELD_LEFT);
	if (go_is(n, GO_EXPRESSION_LIST) && go_is(declaration, GO_SHORT_VAR_DECLARATION) &&
	    go_count(left) == 1)
		local_group(c, declaration, go_child(left, 0));
}

static void groups(struct golint *c, TSNode root)
{
	struct span text = c->file->text;
	char what[80] = "";

	for (size_t i = 0; i < c->imports.n; i++)
		if (span_eq(c->imports.v[i].path, S("sync")))
			snprintf(what, sizeof(what), "%.*s.WaitGroup",
				 SPAN_ARG(span_head(c->imports.v[i].name, 60)));
	struct span type = span_of(what);
	for (size_t at = 0; type.n && (at = golint_word(text, type, at)) != SPAN_NONE; at += type.n) {
		if (!golint_may_look(c, text.n / 32))
			return;
		TSNode n = ts_node_descendant_for_byte_range(root, (uint32_t)at, (uint32_t)(at + type.n));
		if (go_is(n, GO_QUALIFIED_TYPE))
			look_at_type(c, n);
	}
}

/* ---- G07 ---- */

static bool imports_errgroup(const struct golint *c)
{
	for (size_t i = 0; i < c->imports.n; i++)
		if (span_eq(c->imports.v[i].path, S("golang.org/x/sync/errgroup")))
			return true;
	return false;
}

/* What a function returns without having failed: nothing, or that its context ended. */
static bool is_calm_result(struct span result)
{
	static const char *const calm[] = { "nil", "nil }", "ctx.Err()", "ctx.Err() }" };

	for (size_t i = 0; i < ARRAY_LEN(calm); i++)
		if (span_eq(result, span_of(calm[i])))
			return true;
	return false;
}

/* Nothing that runs in the group fails: nothing can be dropped. */
static bool only_returns_calmly(struct span function, struct span group)
{
	char go[100];
	int n = snprintf(go, sizeof(go), "%.*s.Go(", SPAN_ARG(span_head(group, 80)));
	size_t at = span_find(function, (struct span){ go, (size_t)n });

	if (at == SPAN_NONE)
		return false;
	n = snprintf(go, sizeof(go), "%.*s.Wait()", SPAN_ARG(span_head(group, 80)));
	size_t end = span_find(span_from(function, at), (struct span){ go, (size_t)n });
	for (function = span_head(function, end == SPAN_NONE ? function.n : at + end);
	     (at = golint_word(function, S("return"), at)) != SPAN_NONE; at++) {
		struct span rest = span_from(function, at + 6), line = span_cut(&rest, '\n');
		if (!is_calm_result(span_trim(line)))
			return false;
	}
	return true;
}

static void waited(struct golint *c, TSNode call, struct span head)
{
	enum gonode up = go_kind(golint_up(c, 1));

	if ((up != GO_EXPRESSION_STATEMENT && up != GO_DEFER_STATEMENT) || head.n <= S(".Wait").n ||
	    !imports_errgroup(c))
		return;
	struct span group = golint_last_name(span_head(head, head.n - S(".Wait").n));
	struct span rest = span_from(c->file->text, ts_node_end_byte(call)), line = span_cut(&rest, '\n');
	if (golint_says(line, "//"))
		return; /* whoever drops it says why */
	if (goroutine_is_of(c, group, "errgroup.") && !only_returns_calmly(golint_whole(c), group))
		golint_say(c, RULE_G07, call, golint_text(c, call));
}

static const struct golint_called called[] = {
	{ "Wait", waited },
	{ NULL, NULL },
};

const struct golint_hook golint_waiting[] = {
	{ GO_SOURCE_FILE, groups },
	{ GO_GO_STATEMENT, gone },
	{ GO_CALL_EXPRESSION, NULL, called },
	{ GO_ERROR, NULL },
};
