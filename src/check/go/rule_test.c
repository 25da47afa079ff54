#include "base/mem.h"
#include "check/go/golint.h"

/* T: tests that cannot fail, seen at their functions. What is below them: rule_test_body.c. */

/* ---- TestMain ---- */

static bool is_run(const struct golint *c, TSNode n, struct span m)
{
	struct gocall call;

	return go_call(c->file, n, &call) && span_eq(call.on, m) && span_eq(call.name, S("Run"));
}

/* `_ = m` says nothing of m. */
static bool is_blank_assignment(const struct golint *c, TSNode n)
{
	return go_is(n, GO_ASSIGNMENT_STATEMENT) &&
	       span_eq(golint_text(c, go_field(n, GOFIELD_LEFT)), S("_"));
}

static bool is_used(const struct golint *c, TSNode body, struct span m)
{
	CLEANUP(gobelow_end) struct gobelow b = { 0 };

	gobelow_of(body, &b);
	for (TSNode n; (n = gobelow_next(&b)).id;) {
		if (go_is(n, GO_IDENTIFIER) && span_eq(golint_text(c, n), m))
			return true;
		if (is_blank_assignment(c, n) &&
		    go_is(go_child(go_field(n, GOFIELD_RIGHT), 0), GO_IDENTIFIER))
			gobelow_over(&b);
	}
	return false;
}

/* Its end is loud: panic, log.Fatal, os.Exit with anything but 0. */
static bool ends_loudly(const struct golint *c, TSNode body)
{
	TSNode last = golint_last(body), call = golint_call_of(last);

	if (golint_is_os_exit(c, call))
		return !golint_is_int(c, golint_argument(call, 0), 0);
	return call.id && golint_leaves(c, last);
}

static void never_runs(struct golint *c, TSNode function, TSNode body, struct span m)
{
	if (is_used(c, body, m) || ends_loudly(c, body))
		return;
	golint_say(c, RULE_T01, go_field(function, GOFIELD_NAME), span_eq(m, S("_")) ? S("m") : m);
}

/* What the exit status becomes when m.Run() gives 1: a test failed. */
static bool loses_failure(const struct golint *c, TSNode n, struct span m)
{
	int64_t by;
	n = go_bare(n);
	struct span sign = golint_text(c, go_field(n, GOFIELD_OPERATOR));

	if (!go_is(n, GO_BINARY_EXPRESSION) || !is_run(c, go_bare(go_field(n, GOFIELD_LEFT)), m) ||
	    !golint_int(c, go_field(n, GOFIELD_RIGHT), &by))
		return false;
	if (span_eq(sign, S("<<")))
		return by >= 8;
	if (span_eq(sign, S(">>")))
		return by >= 1;
	if (span_eq(sign, S("*")))
		return by % 256 == 0;
	if (span_eq(sign, S("&")))
		return !(by & 1);
	return span_eq(sign, S("/")) ? by > 1 : span_eq(sign, S("-")) && by == 1;
}

/* The name that a statement gives to the result of m.Run(); "_": to none. Absent: it is no such statement. */
static struct span run_result(const struct golint *c, TSNode s, struct span m)
{
	if (is_run(c, golint_call_of(s), m))
		return S("_");
	if ((go_is(s, GO_SHORT_VAR_DECLARATION) || go_is(s, GO_ASSIGNMENT_STATEMENT)) &&
	    is_run(c, go_child(go_field(s, GOFIELD_RIGHT), 0), m))
		return golint_text(c, go_child(go_field(s, GOFIELD_LEFT), 0));
	return (struct span){ 0 };
}

/* Does a statement do more with the result than print it? */
static bool uses_result(const struct golint *c, TSNode s, struct span result)
{
	return !is_blank_assignment(c, s) && !golint_is_print(c, golint_call_of(s)) &&
	       golint_mentions(c, s, result);
}

/* m.Run(), and behind it os.Exit(0) in any case. */
static void drops_status(struct golint *c, TSNode body, struct span m)
{
	CLEANUP(gochildren_end) struct gochildren list = { 0 };
	struct span result = { 0 };
	TSNode run = { 0 };

	gostatements_of(body, &list);
	for (TSNode s; (s = gochildren_next(&list)).id;) {
		TSNode call = golint_call_of(s);
		if (golint_is_os_exit(c, call) && loses_failure(c, golint_argument(call, 0), m)) {
			golint_say(c, RULE_T02, call, golint_text(c, call));
			return;
		}
		if (!result.p) {
			result = run_result(c, s, m);
			run = s;
			continue;
		}
		if (golint_is_os_exit(c, call) && golint_is_int(c, golint_argument(call, 0), 0)) {
			golint_say(c, RULE_T02, call, golint_text(c, call));
			return;
		}
		if (!span_eq(result, S("_")) && uses_result(c, s, result))
			return;
	}
	/* From 1.15 on, go's own main exits with what m.Run returned. */
	if (span_eq(result, S("_")) && c->out->go > 0 && c->out->go < 15 &&
	    !golint_has(body, GO_DEFER_STATEMENT) && ts_node_eq(run, golint_last(body)))
		golint_say_as(c, RULE_T02, SEV_WARNING, run, golint_text(c, run));
}

/* What a variable of a function's outermost block begins with: 0 false, else true. Unknown: true. */
static bool begins_with_failure(const struct golint *c, TSNode body, struct span name)
{
	CLEANUP(gochildren_end) struct gochildren list = { 0 };

	gostatements_of(body, &list);
	for (TSNode s; (s = gochildren_next(&list)).id;) {
		if (go_is(s, GO_SHORT_VAR_DECLARATION) &&
		    span_eq(golint_text(c, go_field(s, GOFIELD_LEFT)), name))
			return !golint_is_int(c, go_child(go_field(s, GOFIELD_RIGHT), 0), 0);
		TSNode spec = go_is(s, GO_VAR_DECLARATION) ? go_child(s, 0) : (TSNode){ 0 };
		if (go_is(spec, GO_VAR_SPEC) && span_eq(golint_text(c, go_field(spec, GOFIELD_NAME)), name)) {
			TSNode value = go_field(spec, GOFIELD_VALUE);
			return value.id && !golint_is_int(c, go_child(value, 0), 0);
		}
	}
	return true;
}

/* os.Exit among the statements of a deferred literal that does nothing with the panic before. */
static TSNode exit_in_deferred(const struct golint *c, TSNode deferred)
{
	CLEANUP(gochildren_end) struct gochildren list = { 0 };
	TSNode call = go_child(deferred, 0), callee = go_field(call, GOFIELD_FUNCTION);

	/* os.Exit(m.Run()): the tests run now, the defer statement itself asks for their result. */
	if (golint_is_os_exit(c, call))
		return go_is(golint_argument(call, 0), GO_CALL_EXPRESSION) ? (TSNode){ 0 } : call;
	if (!go_is(callee, GO_FUNC_LITERAL) || golint_mentions(c, callee, S("recover")))
		return (TSNode){ 0 };
	gostatements_of(go_field(callee, GOFIELD_BODY), &list);
	for (TSNode s; (s = gochildren_next(&list)).id;) {
		call = golint_call_of(s);
		if (golint_is_os_exit(c, call))
			return call;
		if (go_is(s, GO_RETURN_STATEMENT))
			break;
	}
	return (TSNode){ 0 };
}

static void exits_deferred(struct golint *c, TSNode body)
{
	CLEANUP(gochildren_end) struct gochildren list = { 0 };

	gostatements_of(body, &list);
	for (TSNode s; (s = gochildren_next(&list)).id;) {
		TSNode exit = go_is(s, GO_DEFER_STATEMENT) ? exit_in_deferred(c, s) : (TSNode){ 0 },
		       code = golint_argument(exit, 0);
		if (!exit.id)
			continue;
		bool fails = go_is(code, GO_IDENTIFIER) ? begins_with_failure(c, body, golint_text(c, code))
							: !golint_is_int(c, code, 0);
		golint_say_as(c, RULE_T03, fails ? SEV_WARNING : SEV_ERROR, exit, golint_text(c, exit));
	}
}

/* ---- tests ---- */

static bool is_lower(char ch)
{
	return ch >= 'a' && ch <= 'z';
}

/* One parameter of this type, nothing returned, no type parameters: as go test wants it. */
static bool has_signature(const struct golint *c, TSNode n, const char *type)
{
	return go_count(go_field(n, GOFIELD_PARAMETERS)) == 1 && golint_parameter(c, n, type).p &&
	       !go_field(n, GOFIELD_RESULT).id && !go_field(n, GOFIELD_TYPE_PARAMETERS).id;
}

static const struct {
	const char *prefix, *type;
} kinds[] = {
	{ "Test", "*testing.T" },
	{ "Benchmark", "*testing.B" },
	{ "Fuzz", "*testing.F" },
};

/* Is the function used by name elsewhere in the file? Then it is a helper. */
static bool is_named_elsewhere(const struct golint *c, struct span name)
{
	CLEANUP(gobelow_end) struct gobelow b = { 0 };
	size_t seen = 0;

	gobelow_of(c->file->root, &b);
	for (TSNode n; (n = gobelow_next(&b)).id;)
		seen += go_is(n, GO_IDENTIFIER) && span_eq(golint_text(c, n), name);
	return seen > 1;
}

/* Folders and packages that are made of tests for others to call. */
static bool is_for_tests(const struct golint *c)
{
	static const char *const words[] = { "test", "conformance", "suite",  "bench",
					     "e2e",  "interop",     "fixture" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (span_find(c->package, span_of(words[i])) != SPAN_NONE ||
		    span_find(span_of(c->out->path), span_of(words[i])) < c->dir.n)
			return true;
	return false;
}

static void never_found(struct golint *c, TSNode n, struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct span rest = name;
		if (!span_skip(&rest, span_of(kinds[i].prefix)) ||
		    (c->test && !(rest.n && is_lower(rest.p[0]))) || !has_signature(c, n, kinds[i].type))
			continue;
		if (!golint_may_look_at(c, c->file->root) || is_named_elsewhere(c, name) ||
		    (!c->test && (is_for_tests(c) || (rest.n && is_lower(rest.p[0])))))
			return;
		golint_say(c, RULE_T07, go_field(n, GOFIELD_NAME), name, span_of(kinds[i].prefix));
		return;
	}
}

/* The condition under which it is skipped is not known, or there is none: the first statement. */
static bool names_issue(struct span text)
{
	static const char *const marks[] = { "http://", "https://", "issue", "Issue", "#", "CL ", "TODO(" };

	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (span_find(text, span_of(marks[i])) != SPAN_NONE)
			return true;
	return false;
}

static void always_skips(struct golint *c, TSNode n, TSNode body)
{
	static const char *const skips[] = { "Skip", "Skipf", "SkipNow" };
	CLEANUP(gochildren_end) struct gochildren list = { 0 };
	struct gocall call;
	struct span t = golint_parameter(c, n, "*testing.T");

	gostatements_of(body, &list);
	TSNode first = gochildren_next(&list), next = gochildren_next(&list);
	if (!t.n || !go_call(c->file, golint_call_of(first), &call) || !span_eq(call.on, t) ||
	    !golint_named(call.name, skips, ARRAY_LEN(skips)))
		return;
	/* The comment above or behind the call may name the issue. */
	uint32_t from = ts_node_start_byte(n),
		 to = next.id ? ts_node_start_byte(next) : ts_node_end_byte(body);
	struct span text = span_head(span_from(c->file->text, from), to - from);
	golint_say_as(c, RULE_T08, names_issue(text) ? SEV_NOTE : SEV_WARNING, first,
		      golint_text(c, go_field(n, GOFIELD_NAME)));
}

/* ---- os.Exit(0) ---- */

/* A test that starts itself again ends the second process as it likes: it looks at the environment, the arguments, a flag. */
static bool starts_itself(const struct golint *c, TSNode body)
{
	static const char *const marks[] = { "Getenv", "LookupEnv", "os.Args", "flag.",
					     "Helper", "Reexec",    "reexec" };
	struct span text = golint_text(c, body);

	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (span_find(text, span_of(marks[i])) != SPAN_NONE)
			return true;
	return false;
}

static void exits_clean(struct golint *c, TSNode n, struct span name, TSNode body)
{
	CLEANUP(gobelow_end) struct gobelow b = { 0 };
	struct span m = golint_parameter(c, n, "*testing.M");

	if (span_find(golint_text(c, body), S("os.Exit(0)")) == SPAN_NONE ||
	    span_find(name, S("Helper")) != SPAN_NONE || starts_itself(c, body))
		return;
	gobelow_of(body, &b);
	for (TSNode x; (x = gobelow_next(&b)).id;) {
		if (m.n && is_run(c, x, m)) /* behind it: T02 */
			return;
		if (go_is(x, GO_DEFER_STATEMENT) || go_is(x, GO_FUNC_LITERAL)) /* T03; called by others */
			gobelow_over(&b);
		else if (golint_is_os_exit(c, x) && golint_is_int(c, golint_argument(x, 0), 0))
			golint_say(c, RULE_T10, x, name);
	}
}

static void function(struct golint *c, TSNode n)
{
	TSNode body = go_field(n, GOFIELD_BODY);
	struct span name = golint_text(c, go_field(n, GOFIELD_NAME));
	bool test_main = c->test && span_eq(name, S("TestMain"));

	if (!name.n || span_chr(S("TBFi"), name.p[0]) == SPAN_NONE || !body.id ||
	    !goimports_path(&c->imports, S("testing")).p)
		return;
	struct span m = test_main ? golint_parameter(c, n, "*testing.M") : (struct span){ 0 };
	if (m.p) {
		never_runs(c, n, body, m);
		drops_status(c, body, m);
		exits_deferred(c, body);
	} else {
		never_found(c, n, name);
	}
	if (c->test && span_starts(name, S("Test")))
		always_skips(c, n, body);
	if (c->test && (m.p || span_eq(name, S("init")) || span_starts(name, S("Test"))))
		exits_clean(c, n, name, body);
}

const struct golint_hook golint_test[] = {
	{ GO_FUNCTION_DECLARATION, function },
	{ GO_ERROR, NULL },
};
