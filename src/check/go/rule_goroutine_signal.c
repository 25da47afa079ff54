#include "check/go/rule_goroutine.h"

#include "base/mem.h"

/* G: channels of signals, selects and tickers: G09 to G13. */

/* ---- G09, G10: os/signal ---- */

/* Where `make(chan os.Signal)` ends behind "NAME := " or "NAME = " in the text; NULL: it is not there. */
static const char *unbuffered(struct span text, struct span name)
{
	static const char *const makes[] = { " := make(chan os.Signal)", " = make(chan os.Signal)" };

	for (size_t at = 0; (at = golint_word(text, name, at)) != SPAN_NONE; at += name.n) {
		struct span rest = span_from(text, at + name.n);
		for (size_t i = 0; i < ARRAY_LEN(makes); i++)
			if (span_starts(rest, span_of(makes[i])))
				return rest.p + strlen(makes[i]) - 1;
	}
	return NULL;
}

static void unbuffered_channel(struct golint *c, TSNode call)
{
	TSNode channel = golint_argument(call, 0);
	struct span name = golint_text(c, channel), function;
	const char *end = NULL;

	if (span_eq(name, S("make(chan os.Signal)"))) {
		end = name.p + name.n - 1;
	} else if (go_is(channel, GO_IDENTIFIER)) {
		function = golint_whole(c);
		end = unbuffered(function, name);
		if (!end && !golint_local(function, name) && golint_may_look(c, c->file->text.n))
			end = unbuffered(c->file->text, name);
	}
	if (!end)
		return;
	uint32_t at = (uint32_t)(end - c->file->text.p);
	lint_edit(c->out, golint_say(c, RULE_G09, call, name), true, at, at, S(", 1"));
}

static bool dumps_stacks(struct golint *c)
{
	static const char *const words[] = { "runtime.Stack(", "debug.PrintStack", "debug.Stack(",
					     "pprof.Lookup(",  "\"goroutine\"",    "tackTrace",
					     "umpStack",       "stackdump" };

	return !golint_may_look(c, c->file->text.n) ||
	       golint_says_any(c->file->text, words, ARRAY_LEN(words));
}

static void caught(struct golint *c, TSNode call, struct span head)
{
	CLEANUP(gochildren_end) struct gochildren args = { 0 };
	bool notify = golint_head_is(c, head, "os/signal", "Notify");
	uint32_t n = go_count(go_field(call, GOFIELD_ARGUMENTS));

	if (!notify && !golint_head_is(c, head, "os/signal", "Ignore"))
		return;
	if (notify)
		unbuffered_channel(c, call);
	if (c->test || !c->out->on[RULE_G10])
		return;
	if (n == (uint32_t)notify) {
		if (!dumps_stacks(c))
			golint_say(c, RULE_G10, call, S("SIGQUIT"));
		return;
	}
	gochildren_of(go_field(call, GOFIELD_ARGUMENTS), &args);
	for (TSNode a; (a = gochildren_next(&args)).id;) {
		struct span signal = golint_last_name(golint_text(c, a));
		if ((span_eq(signal, S("SIGQUIT")) || span_eq(signal, S("SIGABRT"))) && !dumps_stacks(c)) {
			golint_say(c, RULE_G10, call, signal);
			return;
		}
	}
}

/* ---- G11, G12: select in a loop ---- */

static bool is_empty_default(TSNode clause)
{
	TSNode first = go_child(clause, 0);

	if (go_is(first, GO_STATEMENT_LIST))
		return go_count(first) == 1 && go_is(go_child(first, 0), GO_CONTINUE_STATEMENT);
	return !first.id;
}

/* ctx.Done(), a timer, or a channel whose name says that it ends something. */
static bool ends_waiting(struct span communication)
{
	static const char *const words[] = { "Done()",  "time.After", ".C",    "ctx", "Ctx",  "uit",
					     "top",     "one",        "xit",   "los", "ill",  "ancel",
					     "hutdown", "erm",        "ignal", "sig", "imer", "imeout",
					     "ick",     "ying",       "ead" };

	return golint_says_any(communication, words, ARRAY_LEN(words));
}

static void selected(struct golint *c, TSNode n)
{
	CLEANUP(gochildren_end) struct gochildren cases = { 0 };
	TSNode list = golint_up(c, 1), loop = golint_up(c, 3), only_default = { 0 };
	bool ends = false, waits = false;

	if (!c->loops || !go_is(loop, GO_FOR_STATEMENT) || !go_is(list, GO_STATEMENT_LIST) ||
	    go_count(loop) != 1)
		return;
	gochildren_of(n, &cases);
	for (TSNode x; (x = gochildren_next(&cases)).id;) {
		if (go_is(x, GO_DEFAULT_CASE)) {
			only_default = x;
		} else if (go_is(x, GO_COMMUNICATION_CASE)) {
			waits = true;
			ends |= ends_waiting(golint_text(c, go_field(x, GOFIELD_COMMUNICATION)));
		}
	}
	if (only_default.id) {
		if (go_count(list) == 1 && is_empty_default(only_default))
			golint_say(c, RULE_G12, only_default);
	} else if (waits && !ends && c->out->on[RULE_G11] && !c->test) {
		golint_say(c, RULE_G11, n);
	}
}

/* ---- G13: tickers ---- */

static bool has_old_tickers(const struct golint *c)
{
	return c->out->go > 0 && c->out->go < 23 && c->func && !c->main && !c->test && c->out->on[RULE_G13];
}

/* The function ends some day: it has a return, or no endless loop. */
static bool comes_back(struct golint *c)
{
	TSNode last = golint_last(c->func->body);
	struct span text = golint_text(c, c->func->body), loop = golint_text(c, last);

	if (!golint_may_look(c, text.n))
		return false;
	if (golint_word(text, S("return"), 0) != SPAN_NONE)
		return true;
	bool endless = go_is(last, GO_FOR_STATEMENT) &&
		       (go_count(last) == 1 || golint_says(span_head(loop, 60), "time.Tick("));
	return !endless || golint_word(loop, S("break"), 0) != SPAN_NONE;
}

static void ticked(struct golint *c, TSNode call, struct span head)
{
	if (has_old_tickers(c) && golint_head_is(c, head, "time", "Tick") && comes_back(c))
		golint_say(c, RULE_G13, call, head);
}

static void new_ticker(struct golint *c, TSNode call, struct span head)
{
	TSNode declaration = golint_up(c, 2), left = go_field(declaration, GOFIELD_LEFT);
	struct span name = golint_text(c, left), text;

	if (!has_old_tickers(c) || !golint_head_is(c, head, "time", "NewTicker") ||
	    !go_is(declaration, GO_SHORT_VAR_DECLARATION) || go_count(left) != 1 || !comes_back(c))
		return;
	text = golint_text(c, c->func->body);
	size_t from = ts_node_end_byte(declaration) - ts_node_start_byte(c->func->body);
	for (size_t at = from; (at = golint_word(text, name, at)) != SPAN_NONE; at += name.n) {
		struct span rest = span_from(text, at + name.n);
		/* Anybody else who has it may stop it. */
		if (!span_starts(rest, S(".C")) && !span_starts(rest, S(".Reset(")))
			return;
	}
	golint_say(c, RULE_G13, call, head);
}

static const struct golint_called called[] = {
	{ "Notify", caught },        { "Ignore", caught }, { "Tick", ticked },
	{ "NewTicker", new_ticker }, { NULL, NULL },
};

const struct golint_hook golint_signals[] = {
	{ GO_CALL_EXPRESSION, NULL, called },
	{ GO_SELECT_STATEMENT, selected },
	{ GO_ERROR, NULL },
};
