#include "base/mem.h"
#include "base/text.h"
#include "check/go/golint.h"

/* E: ends of the process. E01 to E03, and what a deferred call is given (E11, E12). */

/* ---- calls that end the process ---- */

/* E01: a library leaves it to its caller to end the process. */
static void in_library(struct golint *c, TSNode n)
{
	if (c->main || c->test || c->generated || golint_is_program(c->dir))
		return;
	golint_say(c, RULE_E01, n, golint_head(c, n), c->package);
}

/* E03: a status has 8 bits. */
static void cut_status(struct golint *c, TSNode n)
{
	TSNode argument = go_bare(golint_argument(n, 0));
	int64_t status;
	bool known =
		golint_int(c, argument, &status) ||
		(go_is(argument, GO_IDENTIFIER) && golint_constant(c, golint_text(c, argument), &status));

	if (!known || (status >= 0 && status <= 255))
		return;
	uint8_t left = (uint8_t)status;
	golint_say_as(c, RULE_E03, left ? SEV_WARNING : SEV_ERROR, n, golint_text(c, n),
		      lint_text(c->out, "%u", left));
}

/* E02: a deferred call that has work to do which the end of a process does not do by itself. */
static bool has_work(struct span name)
{
	static const char *const words[] = { "flush",   "cleanup",        "teardown",
					     "restore", "remove",         "unmount",
					     "umount",  "stopcpuprofile", "writeheapprofile",
					     "shutdown" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (name.n >= strlen(words[i]) && text_find_fold(name, span_of(words[i])) != SPAN_NONE)
			return true;
	return false;
}

static bool is_work(const struct golint *c, TSNode call)
{
	CLEANUP(gobelow_end) struct gobelow b = { 0 };
	TSNode callee = go_field(call, GOFIELD_FUNCTION);
	struct gocall x;

	if (!go_is(callee, GO_FUNC_LITERAL))
		return go_call(c->file, call, &x) && has_work(x.name);
	gobelow_of(go_field(callee, GOFIELD_BODY), &b);
	for (TSNode n; (n = gobelow_next(&b)).id;)
		if (go_call(c->file, n, &x) && has_work(x.name))
			return true;
	return false;
}

static void note_cleanup(struct golint *c, TSNode n)
{
	/* The walk's own entry, which it shows as const. */
	struct golint_func *f = (struct golint_func *)c->func;
	TSNode block = golint_up(c, 1);

	if (!f || !golint_may_look_at(c, n) || !is_work(c, go_child(n, 0)) ||
	    (f->cleanup.id && f->cleanup_end >= ts_node_end_byte(block)))
		return;
	f->cleanup = n;
	f->cleanup_end = ts_node_end_byte(block);
}

static struct span first_line(struct span s)
{
	struct span rest = s;

	return span_trim(span_head(span_cut(&rest, '\n'), 60));
}

static void skips_cleanup(struct golint *c, TSNode n)
{
	const struct golint_func *f = c->func;

	/* An example shows something else. */
	if (!f || !f->cleanup.id || ts_node_start_byte(n) >= f->cleanup_end ||
	    (c->test && span_starts(f->name, S("Example"))) || go_is(golint_up(c, 1), GO_DEFER_STATEMENT))
		return;
	if (golint_once(f, GOLINT_ONCE_E02))
		golint_say(c, RULE_E02, n, golint_head(c, n), first_line(golint_text(c, f->cleanup)));
}

static void call(struct golint *c, TSNode n)
{
	struct span head = golint_head(c, n);

	if (head.n < 7 ||
	    (!span_starts(head, S("os.E")) && !span_starts(head, S("log.Fatal")) &&
	     !span_starts(head, S("syscall.E"))) ||
	    !golint_is_exit(c, n))
		return;
	in_library(c, n);
	skips_cleanup(c, n);
	if (*head.p != 'l')
		cut_status(c, n);
}

/* ---- deferred calls ---- */

/* Is the variable given a value behind the defer statement, in the same function? */
static bool is_set_later(struct golint *c, TSNode defer, struct span name)
{
	CLEANUP(gobelow_end) struct gobelow b = { 0 };
	TSNode result = go_field(c->func->node, GOFIELD_RESULT);
	bool named = go_is(result, GO_PARAMETER_LIST) && golint_mentions(c, result, name);

	if (!golint_may_look_at(c, c->func->body))
		return false;
	gobelow_of(c->func->body, &b);
	for (TSNode n; (n = gobelow_next(&b)).id;) {
		if (go_is(n, GO_FUNC_LITERAL))
			gobelow_over(&b);
		if (ts_node_start_byte(n) < ts_node_end_byte(defer))
			continue;
		if (go_is(n, GO_ASSIGNMENT_STATEMENT) && golint_mentions(c, go_field(n, GOFIELD_LEFT), name))
			return true;
		if (named && go_is(n, GO_RETURN_STATEMENT) && go_child(n, 0).id)
			return true;
	}
	return false;
}

/* The argument of a deferred call that is asked for too early; null: none. */
static TSNode too_early(struct golint *c, TSNode defer, TSNode call)
{
	CLEANUP(gochildren_end) struct gochildren list = { 0 };

	gochildren_of(go_field(call, GOFIELD_ARGUMENTS), &list);
	for (TSNode a; (a = gochildren_next(&list)).id;) {
		struct span text = golint_text(c, a);
		if (golint_calls(c, a, "time", "Since") ||
		    (go_is(a, GO_CALL_EXPRESSION) && span_starts(text, S("time.Now().Sub("))))
			return a;
		if (go_is(a, GO_CALL_EXPRESSION) && golint_calls(c, golint_argument(a, 0), "time", "Since"))
			return a;
		if (go_is(a, GO_IDENTIFIER) && golint_is_error_name(text) &&
		    ts_node_eq(golint_up(c, 2), c->func->body) && is_set_later(c, defer, text))
			return a;
	}
	return (TSNode){ 0 };
}

static void fixed_arguments(struct golint *c, TSNode n)
{
	TSNode call = go_child(n, 0), a;

	if (!c->func || !go_is(call, GO_CALL_EXPRESSION) || !(a = too_early(c, n, call)).id)
		return;
	golint_say(c, RULE_E11, n, first_line(golint_text(c, a)));
}

/* Its block ends the loop, so that there is one round. */
static bool ends_loop(const struct golint *c)
{
	TSNode last = golint_last(golint_up(c, 2));

	return go_is(last, GO_BREAK_STATEMENT) || golint_leaves(c, last);
}

/* `if !locked { …; defer …; locked = true }`: one of all rounds comes here. */
static bool is_once(const struct golint *c)
{
	TSNode branch = golint_up(c, 3);
	struct span condition = go_is(branch, GO_IF_STATEMENT)
					? golint_text(c, go_field(branch, GOFIELD_CONDITION))
					: (struct span){ 0 };

	return span_starts(condition, S("!")) || span_ends(condition, S("== nil")) ||
	       span_ends(condition, S("== \"\""));
}

static void deferred(struct golint *c, TSNode n)
{
	note_cleanup(c, n);
	fixed_arguments(c, n);
	if (c->loops && !c->test && golint_may_look_at(c, golint_up(c, 1)) && !ends_loop(c) && !is_once(c))
		golint_say(c, RULE_E12, n, first_line(golint_text(c, n)));
}

const struct golint_hook golint_exit[] = {
	{ GO_CALL_EXPRESSION, call },
	{ GO_DEFER_STATEMENT, deferred },
	{ GO_ERROR, NULL },
};
