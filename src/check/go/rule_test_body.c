#include "base/mem.h"
#include "check/go/golint.h"

/* T: tests that cannot fail, seen inside of them. */

static const char *const fails[] = { "Error", "Errorf", "Fatal", "Fatalf", "Fail", "FailNow" };
static const char *const stops[] = { "Fatal", "Fatalf", "FailNow", "Skip", "Skipf", "SkipNow" };
static const char *const logs[] = { "Log", "Logf" };

/* The t of the test that the walk is directly in: a declared Test function, or the literal of a subtest. Absent: none. */
static struct span test_variable(const struct golint *c)
{
	const struct golint_func *f = c->test ? c->func : NULL;

	if (!f || f->deferred || f->gone || (f->name.p && !span_starts(f->name, S("Test"))) ||
	    f->kind == GO_METHOD_DECLARATION || go_count(go_field(f->node, GOFIELD_PARAMETERS)) != 1)
		return (struct span){ 0 };
	return golint_parameter(c, f->node, "*testing.T");
}

static bool calls_method(const struct golint *c, TSNode call, struct span on, const char *const *names,
			 size_t n)
{
	struct gocall x;

	return go_call(c->file, call, &x) && x.on.p && span_eq(x.on, on) && golint_named(x.name, names, n);
}

/* ---- T04: a deferred recover ---- */

/* What a handler may do without doing anything about the panic. */
static bool is_idle_call(const struct golint *c, TSNode call, struct span t)
{
	static const char *const idle[] = { "Done",       "Close", "Unlock", "RUnlock", "Stop",   "Stack",
					    "PrintStack", "close", "cancel", "string",  "recover" };
	struct gocall x;

	return golint_is_print(c, call) || calls_method(c, call, t, logs, ARRAY_LEN(logs)) ||
	       (go_call(c->file, call, &x) && golint_named(x.name, idle, ARRAY_LEN(idle)));
}

/* A part of a handler that may judge the panic, or hand it on. */
static bool may_judge(const struct golint *c, TSNode n, struct span t)
{
	switch (go_kind(n)) {
	case GO_IDENTIFIER: return span_eq(golint_text(c, n), t);
	case GO_CALL_EXPRESSION: return !is_idle_call(c, n, t);
	case GO_ASSIGNMENT_STATEMENT: return !span_eq(golint_text(c, go_field(n, GOFIELD_LEFT)), S("_"));
	case GO_BINARY_EXPRESSION: return !go_is(go_field(n, GOFIELD_RIGHT), GO_NIL);
	case GO_TYPE_ASSERTION_EXPRESSION:
	case GO_TYPE_SWITCH_STATEMENT:
	case GO_EXPRESSION_SWITCH_STATEMENT:
	case GO_SEND_STATEMENT:
	case GO_INC_STATEMENT:
	case GO_FUNC_LITERAL:
	case GO_ERROR: return true;
	default: return false;
	}
}

static bool swallows(const struct golint *c, TSNode handler, struct span t)
{
	CLEANUP(gobelow_end) struct gobelow b = { 0 };
	bool recovers = false;

	gobelow_of(go_field(handler, GOFIELD_BODY), &b);
	for (TSNode n; (n = gobelow_next(&b)).id;) {
		if (may_judge(c, n, t))
			return false;
		recovers |= golint_calls_plain(c, n, "recover");
		if (go_is(n, GO_CALL_EXPRESSION))
			gobelow_over(&b);
	}
	return recovers;
}

/* t.Fatal behind it in any case, or a panic of the test's own: it wants the panic. */
static bool wants_panic(const struct golint *c, TSNode body, TSNode behind, struct span t)
{
	CLEANUP(gochildren_end) struct gochildren list = { 0 };

	if (golint_mentions(c, body, S("panic")))
		return true;
	gostatements_of(body, &list);
	for (TSNode s; (s = gochildren_next(&list)).id;)
		if (ts_node_start_byte(s) > ts_node_end_byte(behind) &&
		    calls_method(c, golint_call_of(s), t, fails, ARRAY_LEN(fails)))
			return true;
	return false;
}

static void recovers(struct golint *c, TSNode n)
{
	struct span t;

	if (!c->test || !c->func)
		return;
	TSNode handler = go_field(go_child(n, 0), GOFIELD_FUNCTION);
	/* Under a condition it belongs to the cases that panic; with nothing behind it there is nothing to catch. */
	if (!go_is(handler, GO_FUNC_LITERAL) || !ts_node_next_named_sibling(n).id ||
	    !ts_node_eq(golint_up(c, 2), c->func->body) || !(t = test_variable(c)).p ||
	    !golint_may_look_at(c, c->func->body) || !swallows(c, handler, t) ||
	    wants_panic(c, c->func->body, n, t))
		return;
	golint_say(c, RULE_T04, n, c->func->name.p ? c->func->name : S("t.Run"));
}

/* ---- T05: t.Fatal in a goroutine ---- */

static bool has_parameter(const struct golint *c, const struct golint_func *f, struct span name)
{
	return golint_mentions(c, go_field(f->node, GOFIELD_PARAMETERS), name);
}

/* Is it the t of a function around the goroutine, not one of its own? */
static bool is_outer_test(const struct golint *c, const struct golint_func *gone, struct span name)
{
	static const char *const types[] = { "*testing.T", "*testing.B", "*testing.F", "testing.TB" };
	const struct golint_func *f = c->func;

	if (golint_declares(c, gone->body, name))
		return false;
	for (; f != gone->outer; f = f->outer)
		if (has_parameter(c, f, name))
			return false;
	for (; f; f = f->outer)
		if (has_parameter(c, f, name)) {
			for (size_t i = 0; i < ARRAY_LEN(types); i++)
				if (span_eq(golint_parameter(c, f->node, types[i]), name))
					return true;
			return false;
		}
	return false;
}

static void stops_goroutine(struct golint *c, TSNode n)
{
	const struct golint_func *gone = c->func;
	struct span head, on, name, t;
	size_t dot;

	while (gone && !gone->gone)
		gone = gone->outer;
	if (!gone || (dot = span_rchr(head = golint_head(c, n), '.')) == SPAN_NONE)
		return;
	on = t = span_head(head, dot);
	name = span_from(head, dot + 1);
	if (span_ends(golint_import(c, on), S("testify/require")))
		t = golint_text(c, golint_argument(n, 0));
	else if (!golint_named(name, stops, ARRAY_LEN(stops)))
		return;
	if (t.n && !(gone->once & GOLINT_ONCE_T05) && golint_may_look_at(c, gone->node) &&
	    is_outer_test(c, gone, t) && golint_once(gone, GOLINT_ONCE_T05))
		golint_say(c, RULE_T05, n, head);
}

/* ---- T06: t.Parallel with a loop variable ---- */

static bool uses_behind(const struct golint *c, TSNode body, struct span name, TSNode behind)
{
	CLEANUP(gobelow_end) struct gobelow b = { 0 };

	gobelow_of(body, &b);
	for (TSNode n; (n = gobelow_next(&b)).id;)
		if (go_is(n, GO_IDENTIFIER) && ts_node_start_byte(n) > ts_node_end_byte(behind) &&
		    span_eq(golint_text(c, n), name))
			return true;
	return false;
}

static void shares_variable(struct golint *c, TSNode loop, TSNode parallel)
{
	CLEANUP(gochildren_end) struct gochildren list = { 0 };
	TSNode clause = go_child(loop, 0), left;

	if (go_is(clause, GO_FOR_CLAUSE))
		clause = go_field(clause, GOFIELD_INITIALIZER);
	left = go_field(clause, GOFIELD_LEFT);
	if (!go_is(clause, GO_SHORT_VAR_DECLARATION) &&
	    span_find(golint_text(c, clause), S(":=")) == SPAN_NONE)
		return;
	gochildren_of(left, &list);
	for (TSNode x; (x = gochildren_next(&list)).id;) {
		struct span name = golint_text(c, x);
		if (!go_is(x, GO_IDENTIFIER) || span_eq(name, S("_")) ||
		    !uses_behind(c, c->func->body, name, parallel) ||
		    golint_declares(c, go_field(loop, GOFIELD_BODY), name))
			continue;
		golint_say(c, RULE_T06, parallel, name);
		return;
	}
}

static void runs_later(struct golint *c, TSNode n)
{
	const struct golint_func *f = c->func;

	if (c->out->go <= 0 || c->out->go >= 22 || !f || !f->outer || !f->loops ||
	    !span_ends(golint_head(c, n), S(".Parallel")))
		return;
	struct span t = golint_parameter(c, f->node, "*testing.T"), head = golint_head(c, n);
	if (!t.n || !span_eq(span_head(head, head.n - strlen(".Parallel")), t))
		return;
	for (unsigned d = f->depth; d-- > f->outer->depth;)
		if (go_is(c->w->up[d], GO_FOR_STATEMENT) && golint_may_look_at(c, c->w->up[d]))
			shares_variable(c, c->w->up[d], n);
}

static void call(struct golint *c, TSNode n)
{
	if (!c->test || !c->func || !c->func->outer)
		return;
	stops_goroutine(c, n);
	runs_later(c, n);
}

/* ---- T09: an error that only ends or logs ---- */

/* The call that the error is from: of the if's own assignment, or of the statement before. */
static TSNode origin(const struct golint *c, TSNode n, struct span err)
{
	TSNode from = go_field(n, GOFIELD_INITIALIZER);

	if (!from.id)
		from = golint_before(c, n);
	if ((!go_is(from, GO_SHORT_VAR_DECLARATION) && !go_is(from, GO_ASSIGNMENT_STATEMENT)) ||
	    !golint_mentions(c, go_field(from, GOFIELD_LEFT), err))
		return (TSNode){ 0 };
	return go_child(go_field(from, GOFIELD_RIGHT), 0);
}

static bool is_cleaning(const struct golint *c, TSNode call)
{
	static const char *const cleaning[] = { "Close",   "Remove",   "RemoveAll", "Kill",
						"Stop",    "Shutdown", "Signal",    "Unmount",
						"Cleanup", "Delete",   "Setenv",    "Chmod" };
	struct gocall x;

	return go_call(c->file, call, &x) && golint_named(x.name, cleaning, ARRAY_LEN(cleaning));
}

/* BRANCH_LOGS: and goes on. */
enum branch { BRANCH_OTHER, BRANCH_LOGS, BRANCH_RETURNS };
static enum branch branch_of(const struct golint *c, TSNode block, struct span err, struct span t)
{
	CLEANUP(gochildren_end) struct gochildren list = { 0 };
	enum branch is = BRANCH_OTHER;

	gostatements_of(block, &list);
	for (TSNode s; (s = gochildren_next(&list)).id;) {
		TSNode call = golint_call_of(s);
		if (go_is(s, GO_RETURN_STATEMENT) && !go_child(s, 0).id)
			is = BRANCH_RETURNS;
		else if ((golint_is_print(c, call) || calls_method(c, call, t, logs, ARRAY_LEN(logs))) &&
			 golint_mentions(c, call, err))
			is = BRANCH_LOGS;
		else
			return BRANCH_OTHER;
	}
	return is;
}

/* Something fails the test further down when the branch is not taken: it wants the error. */
static bool wants_error(const struct golint *c, TSNode n, struct span t)
{
	CLEANUP(gochildren_end) struct gochildren list = { 0 };

	gochildren_of(golint_up(c, 1), &list);
	for (TSNode s; (s = gochildren_next(&list)).id;)
		if (ts_node_start_byte(s) >= ts_node_end_byte(n) &&
		    calls_method(c, golint_call_of(s), t, fails, ARRAY_LEN(fails)))
			return true;
	return go_field(n, GOFIELD_ALTERNATIVE).id;
}

static void ignores_error(struct golint *c, TSNode n)
{
	struct span t = test_variable(c), err;

	if (!t.p || !(err = golint_err_condition(c, n)).p || !golint_may_look_at(c, golint_up(c, 1)))
		return;
	enum branch is = branch_of(c, go_field(n, GOFIELD_CONSEQUENCE), err, t);
	/* Where the test goes on, what else it got from the call is checked: only an error that came alone is lost. */
	if (is == BRANCH_OTHER || (is == BRANCH_LOGS && !go_field(n, GOFIELD_INITIALIZER).id) ||
	    wants_error(c, n, t) || golint_has_comment(go_field(n, GOFIELD_CONSEQUENCE)))
		return;
	TSNode from = origin(c, n, err);
	if (!from.id || is_cleaning(c, from))
		return;
	golint_say(c, RULE_T09, n, err);
}

const struct golint_hook golint_test_body[] = {
	{ GO_DEFER_STATEMENT, recovers },
	{ GO_CALL_EXPRESSION, call },
	{ GO_IF_STATEMENT, ignores_error },
	{ GO_ERROR, NULL },
};
