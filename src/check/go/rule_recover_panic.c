#include "check/go/rule_recover.h"

#include "base/mem.h"

/* R: panics that lose what they could say: R07, R10 to R13. */

/* Is the name set from recover() in the function around? */
static bool is_recovered(const struct golint *c, struct span name)
{
	struct span text = golint_text(c, c->func->node);

	for (size_t at = 0; (at = golint_word(text, name, at)) != SPAN_NONE; at += name.n) {
		struct span rest = span_from(text, at + name.n);
		if (span_starts(rest, S(" := recover()")) || span_starts(rest, S(" = recover()")))
			return true;
	}
	return false;
}

static void as_text(struct golint *c, TSNode argument)
{
	static const char *const makers[] = { "Sprint", "Sprintf", "Sprintln", "Errorf" };
	CLEANUP(gochildren_end) struct gochildren args = { 0 };

	if (!golint_calls_any(c, argument, "fmt", makers, ARRAY_LEN(makers)) ||
	    !golint_says(golint_text(c, c->func->node), "recover()") ||
	    golint_says(golint_text(c, argument), "%w") || golint_says(golint_text(c, argument), "tack"))
		return;
	gochildren_of(go_field(argument, GOFIELD_ARGUMENTS), &args);
	for (TSNode a; (a = gochildren_next(&args)).id;)
		if (go_is(a, GO_IDENTIFIER) && golint_may_look(c, golint_text(c, c->func->node).n) &&
		    is_recovered(c, golint_text(c, a))) {
			golint_say(c, RULE_R07, argument, golint_text(c, a));
			return;
		}
}

static void of_nil(struct golint *c, TSNode call)
{
	bool old = c->out->go > 0 && c->out->go < 21;

	if (golint_may_look(c, c->file->text.n) && golint_says(c->file->text, "//go:debug panicnil=1"))
		old = true;
	if (!c->test)
		golint_say_as(c, RULE_R10, old ? SEV_WARNING : SEV_NOTE, call);
}

/* fmt calls these itself and turns their panics into text. */
static bool is_formatter(struct golint *c)
{
	const struct golint_func *f = c->func;
	struct span parameters, result = golint_text(c, go_field(f->node, GOFIELD_RESULT));

	/* A body that only panics is there for an interface, and not to be called. */
	if (f->kind != GO_METHOD_DECLARATION || go_count(go_child(f->body, 0)) < 2)
		return false;
	parameters = golint_text(c, go_field(f->node, GOFIELD_PARAMETERS));
	if (span_eq(f->name, S("String")) || span_eq(f->name, S("Error")) || span_eq(f->name, S("GoString")))
		return span_eq(parameters, S("()")) && span_eq(result, S("string"));
	return span_eq(f->name, S("Format")) && golint_says(parameters, "fmt.State");
}

/* panic(http.ErrAbortHandler): net/http says nothing of it at all. */
static void aborts_handler(struct golint *c, TSNode argument)
{
	struct span text = golint_text(c, argument), package = text;

	if (c->test || !span_ends(text, S(".ErrAbortHandler")))
		return;
	package.n -= S(".ErrAbortHandler").n;
	struct span path = span_of(c->out->path);
	if (!span_eq(golint_import(c, package), S("net/http")) || golint_says(path, "proxy") ||
	    golint_says(c->package, "proxy"))
		return;
	for (size_t i = 0; i < c->imports.n; i++)
		if (span_eq(c->imports.v[i].path, S("net/http/httputil")))
			return; /* a proxy that must not pass a half answer on */
	/* Whoever writes this wants the silence; that a reader knows of it is all that is asked. */
	golint_say_as(c, RULE_R12, SEV_NOTE, argument, S("panic(http.ErrAbortHandler)"));
}

static void in_library(struct golint *c, TSNode call, struct span name)
{
	const struct golint_func *f = c->func;
	bool error = span_eq(name, S("err")) || span_ends(name, S("Err")) || span_ends(name, S("_err"));

	if (!error || c->main || c->test || c->generated || !c->out->on[RULE_R13])
		return;
	while (f->outer)
		f = f->outer;
	if (span_starts(f->name, S("Must")) || span_starts(f->name, S("must")) || span_eq(f->name, S("init")))
		return;
	if (go_is(golint_up(c, 2), GO_STATEMENT_LIST) && go_is(golint_up(c, 3), GO_DEFAULT_CASE))
		return;
	if (golint_may_look(c, golint_text(c, c->func->node).n) && !is_recovered(c, name))
		golint_say(c, RULE_R13, call, golint_text(c, call));
}

void recover_on_panic(struct golint *c, TSNode call, struct span head)
{
	TSNode argument = golint_argument(call, 0);

	if (head.n != S("panic").n || !argument.id || !c->func)
		return;
	if (c->out->on[RULE_R11] && !c->test && is_formatter(c) &&
	    !golint_says(golint_text(c, argument), "reach"))
		golint_say(c, RULE_R11, call, c->func->name);
	switch (go_kind(argument)) {
	case GO_NIL: of_nil(c, call); break;
	case GO_IDENTIFIER: in_library(c, call, golint_text(c, argument)); break;
	case GO_SELECTOR_EXPRESSION: aborts_handler(c, argument); break;
	case GO_CALL_EXPRESSION:
		if (!c->test)
			as_text(c, argument);
		break;
	default: break;
	}
}
