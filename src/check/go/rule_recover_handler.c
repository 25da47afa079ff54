#include "check/go/rule_recover.h"

#include "base/mem.h"

/* R: what a handler does with the panic that it caught: R04 to R06; and what the function that panicked leaves locked: R09. */

struct handler {
	TSNode recover;        /* the call */
	TSNode function;       /* its body's literal or declaration */
	TSNode scope;          /* where its value is known: an if statement, or the function */
	struct span value;     /* the name that the value has; absent: none */
	TSNode guarded;        /* the block behind `!= nil`; null: there is no such if */
	TSNode other;          /* its else */
	unsigned uses, logged; /* of the value, comparisons with nil left out; those in calls that log */
};

/* ---- the protected function ---- */

static bool is_trivial(TSNode s)
{
	TSNode value = go_child(go_child(s, 0), 0);

	return go_is(s, GO_DEFER_STATEMENT) ||
	       (go_is(s, GO_RETURN_STATEMENT) && (!value.id || !golint_has(value, GO_CALL_EXPRESSION)));
}

/* A function that does one thing, to see whether it panics. */
static bool is_probe(const struct golint_func *protected)
{
	CLEANUP(gochildren_end) struct gochildren list = { 0 };
	unsigned n = 0;

	if (!protected)
		return false;
	gostatements_of(protected->body, &list);
	for (TSNode s; (s = gochildren_next(&list)).id && n < 2;)
		n += !is_trivial(s);
	return n < 2;
}

/* `if q.closed { recover() }`: only where it is expected. */
static bool is_conditional(const struct golint *c)
{
	for (unsigned i = 1; i < 6; i++)
		if (go_is(golint_up(c, i), GO_BLOCK))
			return go_is(golint_up(c, i + 1), GO_IF_STATEMENT);
	return false;
}

/* `recover() // the other one panics instead`: somebody says why. */
static bool is_explained(const struct golint *c, TSNode recover)
{
	struct span rest = span_from(c->file->text, ts_node_end_byte(recover));

	rest = span_trim(span_cut(&rest, '\n'));
	return span_starts(rest, S("//")) || span_starts(rest, S("/*"));
}

static void say_swallowed(struct golint *c, TSNode at)
{
	bool meant = (c->func->deferred && is_probe(c->func->outer)) || is_conditional(c) ||
		     is_explained(c, at);

	golint_say_as(c, RULE_R04, meant ? SEV_WARNING : SEV_ERROR, at);
}

/* ---- the uses of the value ---- */

static bool is_logger(struct span name)
{
	static const char *const words[] = { "Print", "Log",   "log",     "Error",  "Warn",
					     "Info",  "Debug", "Fatal",   "Notice", "Critical",
					     "Msg",   "Trace", "println", "print" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (span_starts(name, span_of(words[i])))
			return true;
	return false;
}

/* fmt.Fprint… counts when it goes where a person looks. */
static bool logs(struct golint *c, TSNode call)
{
	struct gocall x;

	if (!go_call(c->file, call, &x) || span_eq(x.on, S("http")))
		return false;
	if (span_starts(x.name, S("Fprint"))) {
		struct span to = golint_text(c, golint_argument(call, 0));
		return span_eq(to, S("os.Stderr")) || span_eq(to, S("os.Stdout"));
	}
	return is_logger(x.name);
}

static bool is_not_nil(struct golint *c, TSNode condition, struct span value)
{
	condition = go_bare(condition);
	return go_is(condition, GO_BINARY_EXPRESSION) && go_is(go_field(condition, GOFIELD_RIGHT), GO_NIL) &&
	       span_eq(golint_text(c, go_field(condition, GOFIELD_OPERATOR)), S("!=")) &&
	       span_eq(golint_text(c, go_field(condition, GOFIELD_LEFT)), value);
}

enum use { USE_OTHER, USE_NONE, USE_LOGGED };

static enum use use_of(struct golint *c, const struct handler *h, TSNode n)
{
	TSNode last_call = { 0 };

	for (int i = 0; i < 12; i++) {
		n = ts_node_parent(n);
		switch (go_kind(n)) {
		case GO_BINARY_EXPRESSION:
			/* `r == nil` is another matter: somebody wants the panic. */
			if (!last_call.id && is_not_nil(c, n, h->value))
				return USE_NONE;
			break;
		case GO_CALL_EXPRESSION: last_call = n; break;
		case GO_ARGUMENT_LIST:
		case GO_PARENTHESIZED_EXPRESSION:
		case GO_EXPRESSION_LIST: break;
		case GO_SELECTOR_EXPRESSION: /* zerolog: log.Error().Interface("panic", r).Msg("…") */
			if (!last_call.id)
				return USE_OTHER;
			break;
		case GO_EXPRESSION_STATEMENT:
			return last_call.id && logs(c, last_call) ? USE_LOGGED : USE_OTHER;
		case GO_ASSIGNMENT_STATEMENT:
			return !last_call.id && span_eq(golint_text(c, go_field(n, GOFIELD_LEFT)), S("_"))
				       ? USE_NONE
				       : USE_OTHER;
		default: return USE_OTHER;
		}
	}
	return USE_OTHER;
}

static void count_uses(struct golint *c, struct handler *h)
{
	CLEANUP(gobelow_end) struct gobelow b;
	uint32_t behind = ts_node_end_byte(h->recover);

	gobelow_of(h->scope, &b);
	for (TSNode n; (n = gobelow_next(&b)).id;) {
		if (!go_is(n, GO_IDENTIFIER) || ts_node_start_byte(n) < behind ||
		    !span_eq(golint_text(c, n), h->value))
			continue;
		/* To ask for the parent costs a walk from the root. */
		enum use use = golint_may_look(c, c->file->text.n / 64 + 1024) ? use_of(c, h, n) : USE_OTHER;
		h->uses += use != USE_NONE;
		h->logged += use == USE_LOGGED;
	}
}

/* ---- the shape of the handler ---- */

static void take_if(struct golint *c, struct handler *h, TSNode statement, struct span value)
{
	TSNode condition, left;

	if (!go_is(statement, GO_IF_STATEMENT))
		return;
	condition = go_bare(go_field(statement, GOFIELD_CONDITION)); /* `r != nil || name == ""` */
	while ((left = go_field(condition, GOFIELD_LEFT)).id && go_is(left, GO_BINARY_EXPRESSION))
		condition = left;
	if (!is_not_nil(c, condition, value))
		return;
	h->guarded = go_field(statement, GOFIELD_CONSEQUENCE);
	h->other = go_field(statement, GOFIELD_ALTERNATIVE);
}

/* `if r != nil {…}` right behind `r := recover()`, in the same list of statements. */
static void find_if(struct golint *c, struct handler *h, TSNode declaration)
{
	for (TSNode s = ts_node_next_named_sibling(declaration); s.id && !h->guarded.id;
	     s = ts_node_next_named_sibling(s)) {
		take_if(c, h, s, h->value);
		if (!go_is(s, GO_COMMENT))
			break;
	}
}

/* `r := recover()`, alone or as the beginning of an if statement. */
static bool take_value(struct golint *c, struct handler *h)
{
	TSNode declaration = golint_up(c, 2), left = go_field(declaration, GOFIELD_LEFT);
	enum gonode kind = go_kind(declaration);

	if ((kind != GO_SHORT_VAR_DECLARATION && kind != GO_ASSIGNMENT_STATEMENT) || go_count(left) != 1)
		return false;
	if (!go_is(go_child(left, 0), GO_IDENTIFIER))
		return false; /* a field: it is looked at elsewhere */
	h->value = golint_text(c, left);
	h->scope = h->function;
	if (go_is(golint_up(c, 3), GO_IF_STATEMENT)) {
		h->scope = golint_up(c, 3);
		take_if(c, h, h->scope, h->value);
	} else {
		find_if(c, h, declaration);
	}
	return kind == GO_SHORT_VAR_DECLARATION || span_eq(h->value, S("_"));
}

static bool is_empty(TSNode block)
{
	return block.id && !go_child(block, 0).id;
}

static bool tells(struct golint *c, const struct handler *h)
{
	/* debug.Stack, runtime.Callers, a panic that goes on; and handlers of other names, which know better */
	static const char *const words[] = { "Stack",  "stack",  "Callers", "panic(",  "Goexit", "rethrow",
					     "Report", "report", "Capture", "Recover", "Crash",  "Notify" };
	static const char *const loggers[] = { "go.uber.org/zap\"", "github.com/golang/glog\"",
					       "k8s.io/klog" }; /* they add the stack themselves */
	struct span text = golint_text(c, h->function);

	for (size_t i = 0; i < c->out->config->reporters.n; i++)
		if (golint_word(text, span_of(c->out->config->reporters.v[i]), 0) != SPAN_NONE)
			return true;
	for (size_t i = 0; i < c->imports.n; i++)
		for (size_t k = 0; k < ARRAY_LEN(loggers); k++)
			if (span_starts(span_of(loggers[k]), c->imports.v[i].path) ||
			    span_starts(c->imports.v[i].path, span_of(loggers[k])))
				return true;
	return golint_says_any(text, words, ARRAY_LEN(words));
}

static void judge(struct golint *c, struct handler *h)
{
	static const char *const words[] = { "Stack(", "stack(", "panic(",
					     "hrow(" }; /* a fatal error of the runtime prints all */
	bool guarded = h->guarded.id && !h->other.id;

	if (guarded && is_empty(h->guarded) && !h->uses)
		say_swallowed(c, h->recover);
	else if (h->guarded.id && !h->uses && !is_empty(h->guarded) &&
		 !golint_says_any(golint_text(c, h->guarded), words, ARRAY_LEN(words)))
		golint_say(c, RULE_R05, h->recover);
	else if (h->value.n && !h->uses && !h->guarded.id)
		say_swallowed(c, h->recover);
	else if (h->uses && h->uses == h->logged && !tells(c, h))
		golint_say(c, RULE_R06, h->recover, h->value);
}

void recover_handled(struct golint *c, TSNode recover)
{
	struct handler h = { .recover = recover, .function = c->func->node };
	TSNode up = golint_up(c, 1);

	if (golint_of_tests(c) || !golint_may_look(c, 2 * golint_text(c, h.function).n))
		return; /* in tests: T04 */
	if (go_is(up, GO_EXPRESSION_STATEMENT)) {
		say_swallowed(c, recover);
		return;
	}
	if (go_is(up, GO_BINARY_EXPRESSION) && go_is(golint_up(c, 2), GO_IF_STATEMENT)) {
		take_if(c, &h, golint_up(c, 2), golint_text(c, recover));
		if (h.guarded.id)
			judge(c, &h);
		return;
	}
	if (!go_is(up, GO_EXPRESSION_LIST) || !take_value(c, &h))
		return;
	if (span_eq(h.value, S("_"))) {
		say_swallowed(c, recover);
		return;
	}
	count_uses(c, &h);
	judge(c, &h);
}

/* ---- R09 ---- */

static bool is_method_statement(struct golint *c, TSNode statement, const char *name, struct gocall *ret)
{
	TSNode call = golint_call_of(statement);

	return call.id && go_call(c->file, call, ret) && ret->operand.id && span_eq(ret->name, span_of(name));
}

/* A call that can panic: no builtin that cannot, no conversion to a basic type, and not what only locks. */
static TSNode risky_call(struct golint *c, TSNode statement)
{
	static const char *const calm[] = { "append", "cap",    "clear",     "copy",   "delete",  "len",
					    "make",   "max",    "min",       "new",    "string",  "int",
					    "int32",  "int64",  "uint",      "uint32", "uint64",  "float64",
					    "byte",   "Lock",   "Unlock",    "RLock",  "RUnlock", "Now",
					    "Since",  "Signal", "Broadcast", "Load",   "Store",   "Add" };
	CLEANUP(gobelow_end) struct gobelow b;
	struct gocall call;

	gobelow_of(statement, &b);
	for (TSNode n; (n = gobelow_next(&b)).id;) {
		if (go_is(n, GO_FUNC_LITERAL) || go_is(n, GO_DEFER_STATEMENT) || go_is(n, GO_GO_STATEMENT))
			gobelow_over(&b);
		else if (go_call(c->file, n, &call) && !golint_named(call.name, calm, ARRAY_LEN(calm)))
			return n;
	}
	return (TSNode){ 0 };
}

/* In one list of statements: X.Lock(), then a call that can panic, then X.Unlock(). */
static void locked_in(struct golint *c, TSNode list, const char *lock, const char *unlock)
{
	CLEANUP(gochildren_end) struct gochildren all = { 0 };
	struct span held = { 0 };
	struct gocall call;
	TSNode risky = { 0 };

	gochildren_of(list, &all);
	for (TSNode s; (s = gochildren_next(&all)).id;) {
		if (is_method_statement(c, s, lock, &call)) {
			held = call.on;
			risky = (TSNode){ 0 };
		} else if (held.n && is_method_statement(c, s, unlock, &call) && span_eq(call.on, held)) {
			if (risky.id)
				golint_say(c, RULE_R09, risky,
					   golint_text(c, go_field(risky, GOFIELD_FUNCTION)), held);
			held = (struct span){ 0 };
		} else if (held.n && go_is(s, GO_DEFER_STATEMENT) && golint_says(golint_text(c, s), unlock)) {
			held = (struct span){ 0 };
		} else if (held.n && !risky.id) {
			risky = risky_call(c, s);
		}
	}
}

void recover_locked(struct golint *c)
{
	static const char *const ends[] = { "panic(", "Exit(", "Fatal", "Unlock", "Panic" };
	const struct golint_func *f = c->func->outer;
	struct span text = f ? golint_text(c, f->node) : (struct span){ 0 };
	CLEANUP(gobelow_end) struct gobelow b = { 0 };

	if (!f || c->test || !golint_says(text, "Lock()") ||
	    golint_says_any(golint_text(c, c->func->node), ends, ARRAY_LEN(ends)) ||
	    !golint_may_look(c, 4 * text.n))
		return;
	gobelow_of(f->body, &b);
	for (TSNode n; (n = gobelow_next(&b)).id;) {
		if (go_is(n, GO_FUNC_LITERAL)) {
			gobelow_over(&b);
		} else if (go_is(n, GO_STATEMENT_LIST)) {
			locked_in(c, n, "Lock", "Unlock");
			locked_in(c, n, "RLock", "RUnlock");
		}
	}
}
