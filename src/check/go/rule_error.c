#include "base/mem.h"
#include "check/go/types.h"

/* E: errors that nobody hears of. E04, E05, E08, E10, E14. */

/* ---- if err != nil ---- */

/* Errors that are no failures. */
static bool is_expected(struct span text)
{
	static const char *const marks[] = { "ErrHelp",  "Canceled", "ErrServerClosed", "EOF",
					     "NotExist", "ErrExist", "ErrClosed",       "DeadlineExceeded",
					     "SkipDir",  "SkipAll",  "errors.Is",       "errors.As" };

	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (span_find(text, span_of(marks[i])) != SPAN_NONE)
			return true;
	return false;
}

/* A call that tells of the error, whoever logs. */
static bool tells(const struct golint *c, TSNode call, struct span err)
{
	static const char *const methods[] = { "Error",   "Errorf",  "Errorln",  "Errorw", "Warn",
					       "Warnf",   "Warning", "Warningf", "Print",  "Printf",
					       "Println", "Info",    "Infof",    "Log",    "Logf" };
	struct gocall x;

	return go_call(c->file, call, &x) &&
	       (golint_is_print(c, call) || (x.on.p && golint_named(x.name, methods, ARRAY_LEN(methods)))) &&
	       golint_mentions(c, call, err);
}

/* A deferred function of main that ends the process knows a status of its own. */
static bool exits_deferred(const struct golint *c, TSNode body)
{
	CLEANUP(gobelow_end) struct gobelow b = { 0 };

	gobelow_of(body, &b);
	for (TSNode n; (n = gobelow_next(&b)).id;) {
		if (go_is(n, GO_DEFER_STATEMENT) && span_find(golint_text(c, n), S("xit(")) != SPAN_NONE)
			return true;
		if (go_is(n, GO_FUNC_LITERAL))
			gobelow_over(&b);
	}
	return false;
}

/* E04: `os.Exit(0)`, or in main a message and return. */
static void ends_well(struct golint *c, TSNode n, TSNode block, struct span err)
{
	CLEANUP(gochildren_end) struct gochildren list = { 0 };
	bool in_main = c->main && c->func->kind == GO_FUNCTION_DECLARATION &&
		       span_eq(c->func->name, S("main")),
	     told = false;

	gostatements_of(block, &list);
	for (TSNode s; (s = gochildren_next(&list)).id;) {
		TSNode call = golint_call_of(s);
		bool returns = in_main && told && go_is(s, GO_RETURN_STATEMENT);
		if (returns ||
		    (golint_is_os_exit(c, call) && golint_is_int(c, golint_argument(call, 0), 0))) {
			if (!golint_may_look_at(c, n) || is_expected(golint_text(c, n)) ||
			    (returns && golint_may_look_at(c, c->func->body) &&
			     exits_deferred(c, c->func->body)))
				return;
			golint_say_as(c, RULE_E04, golint_has_comment(block) ? SEV_WARNING : SEV_ERROR, s,
				      returns ? S("return") : golint_text(c, call), err);
			return;
		}
		told |= tells(c, call, err);
		/* Something is done about it, perhaps. */
		if (in_main && !call.id)
			return;
	}
}

/* E05: nothing at all. */
static bool is_empty(const struct golint *c, TSNode block, struct span err)
{
	CLEANUP(gochildren_end) struct gochildren list = { 0 };

	gostatements_of(block, &list);
	for (TSNode s; (s = gochildren_next(&list)).id;)
		if (!go_is(s, GO_ASSIGNMENT_STATEMENT) ||
		    !span_eq(golint_text(c, go_field(s, GOFIELD_LEFT)), S("_")) ||
		    !span_eq(golint_text(c, go_field(s, GOFIELD_RIGHT)), err))
			return false;
	return !golint_has_comment(block);
}

/* Calls that ask whether something is so: their error is the answer. */
static bool is_question(const struct golint *c, TSNode n, struct span err)
{
	static const char *const names[] = { "Stat",   "Lstat",  "LookPath",    "Readlink", "EvalSymlinks",
					     "Rel",    "Getwd",  "Atoi",        "Err",      "Wait",
					     "Access", "Lookup", "UserHomeDir", "Find",     "Getenv" };
	TSNode from = go_field(n, GOFIELD_INITIALIZER);
	struct gocall call;

	if (!from.id)
		from = golint_before(c, n);
	if (!golint_mentions(c, go_field(from, GOFIELD_LEFT), err))
		return true; /* it is not known where it is from */
	return go_call(c->file, go_child(go_field(from, GOFIELD_RIGHT), 0), &call) &&
	       (golint_named(call.name, names, ARRAY_LEN(names)) || span_starts(call.name, S("Parse")));
}

/* nil, 0, "", false, T{}, &T{}: what stands for no answer. */
static bool is_no_answer(const struct golint *c, TSNode v)
{
	struct span text = golint_text(c, v);

	if (go_is(v, GO_UNARY_EXPRESSION))
		v = go_field(v, GOFIELD_OPERAND);
	return go_is(v, GO_NIL) || go_is(v, GO_COMPOSITE_LITERAL) || span_eq(text, S("0")) ||
	       span_eq(text, S("\"\"")) || span_eq(text, S("false"));
}

/* E14: `return nil` where the function returns an error; only noted where another value is returned instead, which may be meant. */
static void returns_nil(struct golint *c, TSNode n, TSNode block, struct span err)
{
	CLEANUP(gochildren_end) struct gochildren list = { 0 };
	CLEANUP(gochildren_end) struct gochildren values = { 0 };
	TSNode last = { 0 };
	bool instead = false;

	gostatements_of(block, &list);
	TSNode only = gochildren_next(&list);
	if (!go_is(only, GO_RETURN_STATEMENT) || gochildren_next(&list).id)
		return;
	gochildren_of(go_child(only, 0), &values);
	for (TSNode v; (v = gochildren_next(&values)).id; last = v) {
		if (go_is(v, GO_COMPOSITE_LITERAL) && go_count(go_field(v, GOFIELD_BODY)))
			return; /* the answer says it */
		instead |= !is_no_answer(c, v);
	}
	if (!go_is(last, GO_NIL) || !golint_returns_error(c, c->func->node) ||
	    !golint_may_look_at(c, block) || !golint_may_look_at(c, golint_up(c, 1)) ||
	    golint_mentions(c, block, err) || golint_has_comment(block) || is_expected(golint_text(c, n)) ||
	    is_question(c, n, err))
		return;
	golint_say_as(c, RULE_E14, instead ? SEV_NOTE : rules[RULE_E14].severity, only, err);
}

static void if_error(struct golint *c, TSNode n)
{
	struct span rest = span_head(span_from(c->file->text, ts_node_start_byte(n)), 200),
		    line = span_cut(&rest, '\n'), err;

	if (c->test || !c->func || span_find(line, S("!= nil {")) == SPAN_NONE ||
	    !(err = golint_err_condition(c, n)).p)
		return;
	TSNode block = go_field(n, GOFIELD_CONSEQUENCE);
	if (go_field(n, GOFIELD_ALTERNATIVE).id || ts_node_has_error(block))
		return;
	if (is_empty(c, block, err)) {
		golint_say(c, RULE_E05, n, err);
		return;
	}
	ends_well(c, n, block, err);
	returns_nil(c, n, block, err);
}

/* ---- x, _ := f() ---- */

/* A value of this kind is always written as JSON. */
static bool always_json(const struct golint *c, TSNode value)
{
	static const char *const types[] = { "map[string]string", "[]string", "map[string]int", "[]int",
					     "[]byte" };

	return golint_named(golint_text(c, go_field(value, GOFIELD_TYPE)), types, ARRAY_LEN(types)) ||
	       go_string(c->file, value).p;
}

static bool is_sent(const struct golint *c, TSNode behind, struct span name)
{
	static const char *const senders[] = { "NewReader",   "NewBuffer",    "NewBufferString", "Write",
					       "WriteString", "WriteMessage", "Publish",         "Send",
					       "SendMessage", "Post",         "Produce",         "Notify" };
	CLEANUP(gobelow_end) struct gobelow b = { 0 };
	struct gocall call;

	gobelow_of(c->func->body, &b);
	for (TSNode n; (n = gobelow_next(&b)).id;)
		if (ts_node_start_byte(n) >= ts_node_end_byte(behind) && go_call(c->file, n, &call) &&
		    golint_named(call.name, senders, ARRAY_LEN(senders)) &&
		    golint_mentions(c, call.arguments, name))
			return true;
	return false;
}

/* A plugin that is not there, a symbol that it does not have: nil, and a panic at its first use. */
static bool is_plugin(struct golint *c, TSNode value, TSNode at)
{
	struct gocall call;

	if (!goimports_path(&c->imports, S("plugin")).p || !go_call(c->file, value, &call) ||
	    !call.operand.id)
		return false;
	return golint_calls(c, value, "plugin", "Open") ||
	       (span_eq(call.name, S("Lookup")) && golint_may_look_at(c, c->func->body) &&
		gotype_is(gotype_of(c, call.operand, at), "plugin", "Plugin"));
}

static void blank_result(struct golint *c, TSNode n)
{
	static const char *const marshal[] = { "Marshal", "MarshalIndent" };
	static const char *const with[] = { "WithTimeout",      "WithDeadline",      "WithCancel",
					    "WithTimeoutCause", "WithDeadlineCause", "WithCancelCause" };
	struct span rest = span_head(span_from(c->file->text, ts_node_start_byte(n)), 120),
		    line = span_cut(&rest, '\n');

	if (!c->func || span_find(line, S(", _ ")) == SPAN_NONE)
		return;
	TSNode left = go_field(n, GOFIELD_LEFT), value = go_child(go_field(n, GOFIELD_RIGHT), 0),
	       x = go_child(left, 0);
	if (!go_is(value, GO_CALL_EXPRESSION) || !span_eq(golint_text(c, go_child(left, 1)), S("_")) ||
	    !go_is(x, GO_IDENTIFIER) || span_eq(golint_text(c, x), S("_")))
		return;
	if (golint_calls_any(c, value, "context", with, ARRAY_LEN(with)))
		golint_say(c, RULE_E10, n, golint_head(c, value));
	else if (!c->test && golint_calls_any(c, value, "encoding/json", marshal, ARRAY_LEN(marshal)) &&
		 !always_json(c, golint_argument(value, 0)) && golint_may_look_at(c, c->func->body) &&
		 is_sent(c, n, golint_text(c, x)) && !golint_is_explained(c, n))
		golint_say(c, RULE_E08, n, golint_text(c, x));
	else if (is_plugin(c, value, n))
		golint_say(c, RULE_E06, n, golint_text(c, go_field(value, GOFIELD_FUNCTION)));
}

const struct golint_hook golint_error[] = {
	{ GO_IF_STATEMENT, if_error },
	{ GO_SHORT_VAR_DECLARATION, blank_result },
	{ GO_ASSIGNMENT_STATEMENT, blank_result },
	{ GO_ERROR, NULL },
};
