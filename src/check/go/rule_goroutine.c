#include "check/go/rule_goroutine.h"

#include "base/mem.h"
#include "check/go/rule_recover.h"

/* G: where goroutines are started: G01, G02, G03, G08, G14. */

bool goroutine_is_guarded(struct golint *c, TSNode body)
{
	static const char *const handlers[] = { "ecover", "anic", "rash" };
	CLEANUP(gochildren_end) struct gochildren list = { 0 };

	gostatements_of(body, &list);
	for (TSNode s; (s = gochildren_next(&list)).id;) {
		if (!go_is(s, GO_DEFER_STATEMENT))
			continue;
		struct span head = golint_head(c, go_child(s, 0)), name = golint_last_name(head);
		if (golint_says(golint_text(c, s), "recover()") ||
		    golint_says_any(name, handlers, ARRAY_LEN(handlers)) ||
		    lint_word_in(&c->out->config->guards, name) ||
		    lint_word_in(&c->out->config->guards, head))
			return true;
	}
	return false;
}

/* ---- G01 ---- */

static bool is_in_panic_paths(const struct golint *c)
{
	const struct lint_words *paths = &c->out->config->panic_paths;

	for (size_t i = 0; i < paths->n; i++) {
		struct span folder = span_of(paths->v[i]), path = span_of(c->out->path);
		while (span_ends(folder, S("/")))
			folder.n--;
		if (folder.n && span_skip(&path, folder) && (path.n == 0 || *path.p == '/'))
			return true;
	}
	return paths->n == 0;
}

static void unguarded(struct golint *c, TSNode statement, TSNode literal)
{
	if (c->out->on[RULE_G01] && !c->test && is_in_panic_paths(c) &&
	    golint_may_look(c, golint_text(c, literal).n) &&
	    !goroutine_is_guarded(c, go_field(literal, GOFIELD_BODY)))
		golint_say(c, RULE_G01, statement);
}

/* ---- G02 ---- */

static const struct {
	const char *path, *type; /* the type as it is written behind the package's name */
} contexts[] = {
	{ "github.com/gin-gonic/gin", "*gin.Context" },
	{ "github.com/labstack/echo", "echo.Context" },
	{ "github.com/labstack/echo/v4", "echo.Context" },
	{ "github.com/gofiber/fiber/v2", "*fiber.Ctx" },
};

static bool is_grpc_handler(const struct golint *c, const struct golint_func *f, struct span parameters)
{
	struct span result = golint_text(c, go_field(f->node, GOFIELD_RESULT));
	bool server = span_ends(f->receiver, S("erver")) || span_ends(f->receiver, S("ervice")) ||
		      span_ends(f->receiver, S("andler"));

	if (!server || !golint_says(parameters, "context.Context, ") || !span_ends(result, S(", error)")) ||
	    !span_starts(result, S("(*")))
		return false;
	for (size_t i = 0; i < c->imports.n; i++)
		if (span_starts(c->imports.v[i].path, S("google.golang.org/grpc")))
			return true;
	return false;
}

static const char *handler_kind(const struct golint *c, const struct golint_func *f)
{
	struct span parameters = span_head(golint_text(c, go_field(f->node, GOFIELD_PARAMETERS)), 500);

	if (golint_says(parameters, "http.ResponseWriter") && golint_says(parameters, "*http.Request"))
		return "net/http";
	for (size_t i = 0; i < ARRAY_LEN(contexts); i++) {
		if (!golint_says(parameters, contexts[i].type))
			continue;
		for (size_t k = 0; k < c->imports.n; k++)
			if (span_eq(c->imports.v[k].path, span_of(contexts[i].path)))
				return contexts[i].path;
	}
	return is_grpc_handler(c, f, parameters) ? "grpc" : NULL;
}

/* What serves the handler around; NULL: there is none, or another goroutine is between. */
static const char *handler_around(const struct golint *c)
{
	const char *kind;

	for (const struct golint_func *f = c->func; f && !f->gone; f = f->outer)
		if ((kind = handler_kind(c, f)))
			return kind;
	return NULL;
}

/* Nothing in it that is likely to panic: it waits, signals, closes. */
static bool is_calm(struct golint *c, TSNode literal)
{
	static const char *const calm[] = { "Add",  "Close",  "Context", "Copy",   "Done",
					    "Load", "Lock",   "Sleep",   "Store",  "Unlock",
					    "Wait", "append", "cancel",  "close",  "delete",
					    "len",  "make",   "print",   "println" };
	CLEANUP(gobelow_end) struct gobelow b;
	struct gocall call;

	gobelow_of(go_field(literal, GOFIELD_BODY), &b);
	for (TSNode n; (n = gobelow_next(&b)).id;)
		if (go_is(n, GO_CALL_EXPRESSION) &&
		    (!go_call(c->file, n, &call) || !golint_named(call.name, calm, ARRAY_LEN(calm))))
			return false;
	return true;
}

static void in_handler(struct golint *c, TSNode statement, TSNode call, TSNode literal)
{
	struct recover_package p = { 0 };
	const char *kind;
	char name[300];

	if (!c->out->on[RULE_G02] || golint_of_tests(c) || !(kind = handler_around(c)))
		return;
	if (literal.id) {
		if (golint_may_look(c, 2 * golint_text(c, literal).n) &&
		    !goroutine_is_guarded(c, go_field(literal, GOFIELD_BODY)) && !is_calm(c, literal))
			golint_say(c, RULE_G02, statement, S("go func"), span_of(kind));
	} else if (recover_name_of(c, golint_head(c, call), name, sizeof(name))) {
		lint_fact(c->out, FACT_GO_HANDLED, ts_node_start_byte(statement), ts_node_end_byte(call),
			  recover_package(c, &p), span_of(name), span_of(kind));
	}
}

/* ---- G14 ---- */

#define NAMES_MAX 8
struct names {
	struct span v[NAMES_MAX];
	size_t n;
};

static void take_names(const struct golint *c, TSNode list, struct names *ret)
{
	CLEANUP(gochildren_end) struct gochildren all = { 0 };

	gochildren_of(list, &all);
	for (TSNode x; (x = gochildren_next(&all)).id && ret->n < NAMES_MAX;)
		if (go_is(x, GO_IDENTIFIER) && !span_eq(golint_text(c, x), S("_")))
			ret->v[ret->n++] = golint_text(c, x);
}

/* The variables that a loop declares and, before go 1.22, shares among its rounds. */
static void loop_names(const struct golint *c, TSNode loop, struct names *ret)
{
	TSNode clause = go_child(loop, 0);

	if (go_is(clause, GO_RANGE_CLAUSE)) {
		TSNode left = go_field(clause, GOFIELD_LEFT);
		struct span behind = span_from(golint_text(c, clause), golint_text(c, left).n);
		if (left.id && span_starts(span_trim(behind), S(":=")))
			take_names(c, left, ret);
	} else if (go_is(clause, GO_FOR_CLAUSE)) {
		TSNode first = go_field(clause, GOFIELD_INITIALIZER);
		if (go_is(first, GO_SHORT_VAR_DECLARATION))
			take_names(c, go_field(first, GOFIELD_LEFT), ret);
	}
}

/* A use of the loop's variable; not the key of a composite literal. */
static TSNode use_below(const struct golint *c, TSNode body, struct span name)
{
	CLEANUP(gobelow_end) struct gobelow b;

	gobelow_of(body, &b);
	for (TSNode n; (n = gobelow_next(&b)).id;) {
		struct span text = golint_text(c, n);
		if (go_is(n, GO_IDENTIFIER) && span_eq(text, name) &&
		    !(ts_node_end_byte(n) < c->file->text.n && text.p[text.n] == ':'))
			return n;
	}
	return (TSNode){ 0 };
}

/* Behind the go statement the round waits for it, or is the last. */
static bool is_waited_for(struct span rest)
{
	static const char *const words[] = { "<-", "Wait(", "return", "break", "Lock(", "Sleep(", "goto " };

	return golint_says_any(rest, words, ARRAY_LEN(words));
}

static void loop_variable(struct golint *c, TSNode statement, TSNode literal)
{
	struct span parameters = golint_text(c, go_field(literal, GOFIELD_PARAMETERS)),
		    inside = golint_text(c, literal);
	uint32_t at = ts_node_start_byte(statement), end = ts_node_end_byte(statement);

	for (unsigned i = 1; i <= c->w->depth && c->w->depth - i > c->func->depth; i++) {
		TSNode loop = golint_up(c, i), body = go_field(loop, GOFIELD_BODY);
		struct names names = { 0 };
		if (!go_is(loop, GO_FOR_STATEMENT) || !body.id ||
		    !golint_may_look(c, golint_text(c, loop).n + inside.n))
			continue;
		struct span text = golint_text(c, body);
		uint32_t from = ts_node_start_byte(body);
		if (at < from ||
		    (go_is(statement, GO_GO_STATEMENT) && is_waited_for(span_from(text, end - from))))
			return;
		loop_names(c, loop, &names);
		for (size_t k = 0; k < names.n; k++) {
			struct span name = names.v[k];
			if (golint_local(span_head(text, at - from), name) ||
			    golint_word(parameters, name, 0) != SPAN_NONE || golint_local(inside, name))
				continue;
			TSNode use = use_below(c, go_field(literal, GOFIELD_BODY), name);
			if (use.id)
				golint_say(c, RULE_G14, use, name);
		}
	}
}

/* ---- statements ---- */

static bool shares_loop_variables(const struct golint *c)
{
	return c->out->go > 0 && c->out->go < 22 && c->func && c->loops > 0 && c->out->on[RULE_G14];
}

static void gone(struct golint *c, TSNode n)
{
	TSNode call = go_child(n, 0), callee = go_field(call, GOFIELD_FUNCTION);
	TSNode literal = go_is(callee, GO_FUNC_LITERAL) ? callee : (TSNode){ 0 };

	if (!go_is(call, GO_CALL_EXPRESSION))
		return;
	in_handler(c, n, call, literal);
	if (!literal.id)
		return;
	unguarded(c, n, literal);
	if (shares_loop_variables(c))
		loop_variable(c, n, literal);
}

static void deferred(struct golint *c, TSNode n)
{
	TSNode callee = go_field(go_child(n, 0), GOFIELD_FUNCTION);

	if (shares_loop_variables(c) && go_is(callee, GO_FUNC_LITERAL))
		loop_variable(c, n, callee);
}

/* ---- G08 ---- */

static void served(struct golint *c, TSNode call, struct span head)
{
	TSNode up = golint_up(c, 1);
	bool unheard = go_is(up, GO_GO_STATEMENT) ||
		       (go_is(up, GO_EXPRESSION_STATEMENT) && c->func && c->func->gone);

	/* A method of one's own that gives nothing back. */
	if (unheard && !c->test && golint_may_look(c, c->file->text.n) &&
	    !golint_says(c->file->text, "ListenAndServe() {"))
		golint_say(c, RULE_G08, call, head);
}

static const struct golint_called called[] = {
	{ "ListenAndServe", served },
	{ "ListenAndServeTLS", served },
	{ NULL, NULL },
};

/* ---- G03 ---- */

/* What runs the literal in a goroutine of its own: time.AfterFunc, or Go of a group; absent. */
static struct span runner(struct golint *c)
{
	const struct golint_func *f = c->func;
	TSNode call = f->depth > 1 ? c->w->up[f->depth - 2] : (TSNode){ 0 };
	struct span head = go_is(c->w->up[f->depth - 1], GO_ARGUMENT_LIST) ? golint_head(c, call)
									   : (struct span){ 0 };

	if (golint_head_is(c, head, "time", "AfterFunc"))
		return head;
	if (!span_ends(head, S(".Go")))
		return (struct span){ 0 };
	struct span group = golint_last_name(span_head(head, head.n - 3));
	return goroutine_is_of(c, group, "sync.WaitGroup") || goroutine_is_of(c, group, "errgroup.")
		       ? head
		       : (struct span){ 0 };
}

/* regexp.MustCompile("constant") was tried by whoever wrote it. */
static bool has_constant_arguments(TSNode call)
{
	CLEANUP(gochildren_end) struct gochildren args = { 0 };

	gochildren_of(go_field(call, GOFIELD_ARGUMENTS), &args);
	for (TSNode a; (a = gochildren_next(&args)).id;)
		if (!go_is(a, GO_INTERPRETED_STRING_LITERAL) && !go_is(a, GO_RAW_STRING_LITERAL) &&
		    !go_is(a, GO_INT_LITERAL))
			return false;
	return true;
}

static void may_panic(struct golint *c, TSNode call)
{
	struct span head = golint_head(c, call), name = golint_last_name(head), by;
	bool must = span_starts(name, S("Must")) && name.n > 4 && name.p[4] >= 'A' && name.p[4] <= 'Z' &&
		    !has_constant_arguments(call);

	if ((!must && !span_eq(head, S("panic"))) || c->test || !(by = runner(c)).n ||
	    !golint_may_look(c, golint_text(c, c->func->node).n))
		return;
	/* With the stacks of all goroutines in it, it is meant to end the process. */
	if (!goroutine_is_guarded(c, c->func->body) && !golint_says(golint_text(c, c->func->node), "Stack("))
		golint_say(c, RULE_G03, call, name, by);
}

static void call(struct golint *c, TSNode n)
{
	if (c->func && c->func->kind == GO_FUNC_LITERAL && !c->func->deferred && !c->func->gone &&
	    c->out->on[RULE_G03])
		may_panic(c, n);
}

const struct golint_hook golint_goroutine[] = {
	{ GO_GO_STATEMENT, gone },
	{ GO_DEFER_STATEMENT, deferred },
	{ GO_CALL_EXPRESSION, NULL, called },
	{ GO_CALL_EXPRESSION, call },
	{ GO_ERROR, NULL },
};
