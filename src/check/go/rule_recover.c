#include "check/go/rule_recover.h"

#include <stdio.h>

#include "base/mem.h"

/* R: where recover stands and whether it can work there; what is deferred and hides a panic. */

struct span recover_package(const struct golint *c, struct recover_package *ret)
{
	int n = snprintf(ret->text, sizeof(ret->text), "%.*s %.*s", SPAN_ARG(c->dir), SPAN_ARG(c->package));

	return (struct span){ ret->text, n < 0                           ? 0
					 : (size_t)n < sizeof(ret->text) ? (size_t)n
									 : sizeof(ret->text) - 1 };
}

/* Somebody's own function of that name is no business of ours. */
static bool own_recover(struct golint *c)
{
	static const char *const own[] = { "func recover(", "recover :=", "recover =", "recover func(",
					   "var recover " };

	if (!c->own_recover)
		c->own_recover = golint_says_any(c->file->text, own, ARRAY_LEN(own)) ? 'y' : 'n';
	return c->own_recover == 'y';
}

/* ---- defer ---- */

static bool calls_recover(struct golint *c, TSNode below)
{
	CLEANUP(gobelow_end) struct gobelow b;

	gobelow_of(below, &b);
	for (TSNode n; (n = gobelow_next(&b)).id;) {
		if (go_is(n, GO_FUNC_LITERAL))
			gobelow_over(&b);
		else if (golint_calls_plain(c, n, "recover"))
			return true;
	}
	return false;
}

/* The call among the statements of a deferred literal that ends the process, whatever happened; null: none does. */
static TSNode surely_exits(struct golint *c, TSNode body)
{
	CLEANUP(gochildren_end) struct gochildren list = { 0 };

	gostatements_of(body, &list);
	for (TSNode s; (s = gochildren_next(&list)).id;) {
		TSNode call = golint_call_of(s);
		if (call.id && golint_is_exit(c, call))
			return call;
		if (go_is(s, GO_RETURN_STATEMENT))
			break;
	}
	return (TSNode){ 0 };
}

static const char *const handler_names[] = { "ecover", "anic",
					     "rash" }; /* parts of the names that handlers of panics have */

/* What is deferred later runs earlier: a handler there has dealt with the panic before the exit. */
static bool handled_before(struct golint *c, TSNode exit)
{
	struct span text = c->func ? golint_text(c, c->func->node) : (struct span){ 0 };
	size_t from = ts_node_start_byte(exit) - (c->func ? ts_node_start_byte(c->func->node) : 0);

	if (!text.n || !golint_may_look(c, text.n))
		return true;
	for (size_t at = from; (at = golint_word(text, S("defer"), at)) != SPAN_NONE; at++) {
		struct span rest = span_from(text, at + 6), line = span_cut(&rest, '\n');
		struct span name = golint_last_name(span_cut(&line, '('));
		if (golint_says_any(name, handler_names, ARRAY_LEN(handler_names)) ||
		    lint_word_in(&c->out->config->guards, name))
			return true;
	}
	return golint_says(span_from(text, from), "recover()");
}

static void deferred_exit(struct golint *c, TSNode n, TSNode call)
{
	TSNode literal = go_field(call, GOFIELD_FUNCTION), exit = call;

	if (c->test && c->func && span_eq(c->func->name, S("TestMain")))
		return; /* T03 */
	if (go_is(literal, GO_FUNC_LITERAL)) {
		struct span text = golint_text(c, literal);
		if ((!golint_says(text, "Exit(") && !golint_says(text, "Fatal")) ||
		    golint_says(text, "recover()") || !golint_may_look(c, text.n))
			return;
		exit = surely_exits(c, go_field(literal, GOFIELD_BODY));
	} else if (!golint_is_exit(c, call)) {
		return;
	}
	if (exit.id && !handled_before(c, n))
		golint_say(c, RULE_R08, exit, golint_text(c, exit));
}

/* "f", "T.m"; false: too long, or a literal */
static bool own_name(const struct golint_func *f, char *ret, size_t n)
{
	int len = f->receiver.n ? snprintf(ret, n, "%.*s.%.*s", SPAN_ARG(f->receiver), SPAN_ARG(f->name))
				: snprintf(ret, n, "%.*s", SPAN_ARG(f->name));

	return len > 0 && (size_t)len < n;
}

/* For G02: who starts the function in a goroutine need not fear its panics. */
static void guards(struct golint *c, TSNode n, struct span head)
{
	struct span name = golint_last_name(head), text = golint_text(c, n);
	struct recover_package p = { 0 };
	char function[300];

	if (!c->func || c->func->kind == GO_FUNC_LITERAL || !c->out->on[RULE_G02] ||
	    !golint_may_look(c, text.n))
		return;
	if (!golint_says(text, "recover()") &&
	    !golint_says_any(name, handler_names, ARRAY_LEN(handler_names)) &&
	    !lint_word_in(&c->out->config->guards, name))
		return;
	if (own_name(c->func, function, sizeof(function)))
		lint_fact(c->out, FACT_GO_GUARDED, ts_node_start_byte(n), ts_node_end_byte(n),
			  recover_package(c, &p), span_of(function), S(""));
}

/* In a function that is deferred itself recover sees the panic, as the callee or an argument of another defer too. */
static bool runs_deferred(struct golint *c)
{
	struct span text = c->file->text, name = c->func ? c->func->name : (struct span){ 0 };

	if (!c->func || c->func->deferred)
		return true;
	for (size_t at = golint_may_look(c, text.n) ? 0 : text.n;
	     (at = golint_word(text, name, at)) != SPAN_NONE; at += name.n) {
		struct span before = span_head(text, at),
			    line = span_from(before, span_rchr(before, '\n') + 1);
		if (span_starts(span_trim(line), S("defer")))
			return true;
	}
	return false;
}

static void deferred(struct golint *c, TSNode n)
{
	TSNode call = go_child(n, 0), callee = go_field(call, GOFIELD_FUNCTION);
	struct span head = golint_head(c, call);

	if (!go_is(callee, GO_FUNC_LITERAL) && golint_says(golint_text(c, n), "recover()") &&
	    !own_recover(c) && golint_may_look(c, golint_text(c, n).n) && calls_recover(c, call) &&
	    !runs_deferred(c))
		golint_say(c, RULE_R01, n, golint_text(c, n));
	deferred_exit(c, n, call);
	guards(c, n, head);
	/* For R02 and R03, which know the functions of the whole package. */
	if (head.n && (c->out->on[RULE_R02] || c->out->on[RULE_R03])) {
		struct recover_package p = { 0 };
		lint_fact(c->out, FACT_GO_DEFERRED, ts_node_start_byte(n), ts_node_end_byte(n),
			  recover_package(c, &p), golint_last_name(head), S(""));
	}
}

/* ---- recover() ---- */

/* Calls at once, neither deferred nor in a goroutine: func() { … }() as a statement. */
static bool called_at_once(const struct golint *c, const struct golint_func *f)
{
	TSNode up = f->depth && f->depth <= c->w->depth ? c->w->up[f->depth - 1] : (TSNode){ 0 };

	return f->kind == GO_FUNC_LITERAL && !f->deferred && !f->gone && go_is(up, GO_CALL_EXPRESSION) &&
	       ts_node_eq(go_field(up, GOFIELD_FUNCTION), f->node);
}

/* The deferred literal that runs the function, one or more calls further in; NULL: none is seen. */
static const struct golint_func *deferred_around(const struct golint *c, const struct golint_func *f)
{
	while (f && called_at_once(c, f))
		f = f->outer;
	return f && f->deferred ? f : NULL;
}

/* A deferred literal that does nothing but defer another: the panic is not the other's to see. */
static bool only_defers(const struct golint_func *outer)
{
	TSNode statements = go_child(outer->body, 0);

	return outer->deferred && go_is(statements, GO_STATEMENT_LIST) && go_count(statements) == 1 &&
	       go_is(go_child(statements, 0), GO_DEFER_STATEMENT);
}

static bool own_statement(const struct golint *c)
{
	return go_is(golint_up(c, 1), GO_EXPRESSION_STATEMENT) || go_is(golint_up(c, 1), GO_EXPRESSION_LIST);
}

/* A function of its own calls recover: what defers it may be in another file. false: it is one that cannot be deferred. */
static bool named_recovers(struct golint *c, TSNode n)
{
	const struct golint_func *f = c->func;
	struct recover_package p = { 0 };
	char name[300];

	if (!own_name(f, name, sizeof(name)))
		return false;
	if (!f->receiver.n && (span_eq(f->name, S("init")) || (c->main && span_eq(f->name, S("main"))))) {
		golint_say(c, RULE_R03, n, f->name);
		return false;
	}
	lint_fact(c->out, FACT_GO_RECOVERS, ts_node_start_byte(n), ts_node_end_byte(n),
		  recover_package(c, &p), span_of(name), S(""));
	return true;
}

/* Is the call an argument of what a defer or go statement calls, or the call itself? Then it is evaluated at once (R01). */
static bool of_defer(const struct golint *c)
{
	unsigned inside = c->func ? c->w->depth - c->func->depth : 0;

	for (unsigned i = 1; i < inside && i < 8; i++)
		if (go_is(golint_up(c, i), GO_DEFER_STATEMENT))
			return true;
	return false;
}

static void on_recover(struct golint *c, TSNode n, struct span head)
{
	const struct golint_func *f = c->func;

	if (head.n != 7 || !f || own_recover(c) || go_count(go_field(n, GOFIELD_ARGUMENTS)))
		return;
	if (f->kind != GO_FUNC_LITERAL) {
		if (!of_defer(c) && named_recovers(c, n))
			recover_handled(c, n);
	} else if (f->deferred) {
		if (f->outer && only_defers(f->outer)) {
			golint_say(c, RULE_R02, n, S("recover()"), S(""));
			return;
		}
		recover_handled(c, n);
		recover_locked(c);
	} else if (go_is(golint_up(c, 1), GO_GO_STATEMENT)) {
		golint_say(c, RULE_R03, n, S("go recover()"));
	} else if (f->gone) {
		golint_say(c, RULE_R03, n, S("go func"));
	} else if (deferred_around(c, f)) {
		golint_say(c, RULE_R02, c->w->up[f->depth - 1], S("func() { … }()"), S(""));
	} else if (called_at_once(c, f) && own_statement(c)) {
		golint_say(c, RULE_R03, n, S("func() { … }()"));
	}
}

/* ---- calls inside of what is deferred: R02 across the functions of a package ---- */

/* Functions of others that call recover() themselves: they work only when they are deferred themselves. */
static const struct {
	const char *path, *name;
} recovers[] = {
	{ "k8s.io/apimachinery/pkg/util/runtime", "HandleCrash" },
	{ "k8s.io/apimachinery/pkg/util/runtime", "HandleCrashWithContext" },
	{ "github.com/getsentry/sentry-go", "Recover" },
	{ "github.com/getsentry/sentry-go", "RecoverWithContext" },
	{ "github.com/bugsnag/bugsnag-go", "AutoNotify" },
	{ "github.com/bugsnag/bugsnag-go", "Recover" },
	{ "github.com/bugsnag/bugsnag-go/v2", "AutoNotify" },
	{ "github.com/bugsnag/bugsnag-go/v2", "Recover" },
};

static bool is_builtin(struct span name)
{
	static const char *const builtins[] = { "append", "cap",   "clear", "close",   "copy",
						"delete", "len",   "make",  "max",     "min",
						"new",    "panic", "print", "println", "recover" };

	return golint_named(name, builtins, ARRAY_LEN(builtins));
}

/* The name under which the function says FACT_GO_RECOVERS: "f", or "T.m" for a call on the receiver of the method around. */
bool recover_name_of(struct golint *c, struct span head, char *ret, size_t n)
{
	const struct golint_func *f = c->func;
	size_t dot = span_chr(head, '.');
	int len;

	while (f->outer)
		f = f->outer;
	if (dot == SPAN_NONE) {
		if (is_builtin(head) || golint_local(golint_whole(c), head))
			return false;
		len = snprintf(ret, n, "%.*s", SPAN_ARG(head));
	} else {
		struct span on = span_head(head, dot), name = span_from(head, dot + 1);
		TSNode receiver = go_field(go_child(go_field(f->node, GOFIELD_RECEIVER), 0), GOFIELD_NAME);
		if (!f->receiver.n || span_chr(name, '.') != SPAN_NONE ||
		    !span_eq(golint_text(c, receiver), on))
			return false;
		len = snprintf(ret, n, "%.*s.%.*s", SPAN_ARG(f->receiver), SPAN_ARG(name));
	}
	return len > 0 && (size_t)len < n;
}

static void in_deferred(struct golint *c, TSNode n)
{
	struct span head = golint_head(c, n), literal = golint_text(c, c->func->node);
	struct recover_package p = { 0 };
	char name[300];

	if (!head.n || !go_is(golint_up(c, 1), GO_EXPRESSION_STATEMENT) || !golint_may_look(c, literal.n) ||
	    golint_says(literal, "recover()") || own_recover(c))
		return;
	for (size_t i = 0; i < ARRAY_LEN(recovers); i++)
		if (golint_head_is(c, head, recovers[i].path, recovers[i].name))
			golint_say(c, RULE_R02, n, golint_text(c, n), S(""));
	if (recover_name_of(c, head, name, sizeof(name)))
		lint_fact(c->out, FACT_GO_INDEFER, ts_node_start_byte(n), ts_node_end_byte(n),
			  recover_package(c, &p), span_of(name), golint_text(c, n));
}

/* ---- names of handlers that are used otherwise than in a call: somebody else may defer them ---- */

static void mentions(struct golint *c, TSNode root)
{
	struct recover_package p = { 0 };

	(void)root;
	for (size_t i = 0; i < c->look->n_handlers && c->out->on[RULE_R03]; i++) {
		struct span name = c->look->handlers[i];
		uint32_t at = (uint32_t)(name.p - c->file->text.p);
		lint_fact(c->out, FACT_GO_DEFERRED, at, at + (uint32_t)name.n, recover_package(c, &p), name,
			  S(""));
	}
}

static const struct golint_called called[] = {
	{ "recover", on_recover },
	{ "panic", recover_on_panic },
	{ NULL, NULL },
};

static void call(struct golint *c, TSNode n)
{
	if (c->func && c->func->deferred && c->out->on[RULE_R02])
		in_deferred(c, n);
}

const struct golint_hook golint_recover[] = {
	{ GO_SOURCE_FILE, mentions },
	{ GO_DEFER_STATEMENT, deferred },
	{ GO_CALL_EXPRESSION, NULL, called },
	{ GO_CALL_EXPRESSION, call },
	{ GO_ERROR, NULL },
};
