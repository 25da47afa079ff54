#include "check/go/rule_recover.h"

#include "base/mem.h"

/* R: where the text of a panic would go, and no longer does: R12 (net/http's log), R14 (stderr), R15 (the log). */

static bool is_discard(const struct golint *c, TSNode n)
{
	struct span text = golint_text(c, n), on = text;

	if (!span_ends(text, S(".Discard")))
		return false;
	on.n -= S(".Discard").n;
	struct span path = golint_import(c, on);
	return span_eq(path, S("io")) || span_eq(path, S("io/ioutil"));
}

/* ---- R12: http.Server{ErrorLog: log.New(io.Discard, "", 0)} ---- */

static void log_new(struct golint *c, TSNode call, struct span head)
{
	TSNode element = golint_up(c, 2), target = { 0 };

	if (c->test || !golint_head_is(c, head, "log", "New") || !is_discard(c, golint_argument(call, 0)))
		return;
	if (go_is(element, GO_KEYED_ELEMENT))
		target = go_field(element, GOFIELD_KEY);
	else if (go_is(element, GO_ASSIGNMENT_STATEMENT))
		target = go_field(element, GOFIELD_LEFT);
	if (span_eq(golint_last_name(golint_text(c, target)), S("ErrorLog")))
		golint_say(c, RULE_R12, call, golint_text(c, target));
}

/* ---- R14: no file descriptor 2 ---- */

/* Behind it the function puts something else into the place of fd 2: a daemon's log. */
static bool reopened(struct golint *c, TSNode call)
{
	static const char *const opens[] = { "Dup2(",    "Dup3(",      "Dup(", "OpenFile(",
					     "os.Open(", "os.Create(", "Exec(" };
	struct span text = golint_whole(c);
	const struct golint_func *f = c->func;
	size_t from;

	while (f && f->outer)
		f = f->outer;
	if (!f || !text.n)
		return true;
	from = ts_node_end_byte(call) - ts_node_start_byte(f->node);
	return golint_says_any(span_from(text, from), opens, ARRAY_LEN(opens)) ||
	       golint_says(text, "os.Stderr = ") || golint_says(text, "os.Stderr, ");
}

static void closed(struct golint *c, TSNode call, struct span head)
{
	struct span on = span_head(head, head.n - S(".Close").n),
		    package = span_head(on, span_chr(on, '.') == SPAN_NONE ? 0 : span_chr(on, '.'));
	bool stderr_file = span_ends(on, S(".Stderr")) && span_eq(golint_import(c, package), S("os"));
	struct span fd = golint_text(c, golint_argument(call, 0)), path = golint_import(c, on);
	bool number = (span_eq(path, S("syscall")) || span_eq(path, S("golang.org/x/sys/unix"))) &&
		      (span_eq(fd, S("2")) || span_eq(golint_last_name(fd), S("Stderr")));

	if (head.n > S(".Close").n && !c->test && (stderr_file || number) && c->func && !reopened(c, call))
		golint_say(c, RULE_R14, call, golint_text(c, call));
}

/* Is the variable opened from /dev/null in the function around? */
static bool from_null(struct golint *c, struct span name)
{
	struct span text = golint_whole(c);

	for (size_t at = 0; name.n && (at = golint_word(text, name, at)) != SPAN_NONE; at += name.n) {
		struct span rest = span_from(text, at + name.n), line = span_cut(&rest, '\n');
		if ((golint_says(line, ":= ") || golint_says(line, "= ")) && golint_says(line, "Open") &&
		    (golint_says(line, "\"/dev/null\"") || golint_says(line, ".DevNull")))
			return true;
	}
	return false;
}

static void duplicated(struct golint *c, TSNode call, struct span head)
{
	size_t dot = span_chr(head, '.');
	struct span path = dot == SPAN_NONE ? (struct span){ 0 } : golint_import(c, span_head(head, dot));
	struct span to = golint_text(c, golint_argument(call, 1)),
		    from = golint_text(c, golint_argument(call, 0));

	if (c->test || (!span_eq(path, S("syscall")) && !span_eq(path, S("golang.org/x/sys/unix"))))
		return;
	if (!span_eq(to, S("2")) && !span_eq(golint_last_name(to), S("Stderr")) &&
	    !golint_says(to, "os.Stderr.Fd()"))
		return;
	span_skip(&from, S("int("));
	size_t n = 0;
	while (n < from.n && from.p[n] != '.' && from.p[n] != ')')
		n++;
	if (from_null(c, span_head(from, n)))
		golint_say(c, RULE_R14, call, golint_text(c, call));
}

/* ---- R15: no log ---- */

/* Inside of an if or a case, or as all that a function does, it is somebody's wish to hear less. */
static bool is_wished(const struct golint *c)
{
	if (c->func->kind == GO_FUNCTION_DECLARATION && go_count(go_child(c->func->body, 0)) == 1)
		return true;
	for (unsigned i = 1; i <= c->w->depth; i++)
		switch (go_kind(golint_up(c, i))) {
		case GO_IF_STATEMENT:
		case GO_EXPRESSION_CASE:
		case GO_TYPE_CASE:
		case GO_DEFAULT_CASE: return true;
		default: break;
		}
	return false;
}

/* It is set again: silence for a while. Or a hook of logrus takes what is written. */
static bool is_set_again(struct golint *c, struct span head)
{
	struct span text = golint_whole(c);
	size_t first = golint_word(text, head, 0);

	return !text.n || golint_says(text, ".AddHook(") ||
	       (first != SPAN_NONE && golint_word(text, head, first + head.n) != SPAN_NONE);
}

static void set_output(struct golint *c, TSNode call, struct span head)
{
	bool known = golint_head_is(c, head, "log", "SetOutput") ||
		     golint_head_is(c, head, "github.com/sirupsen/logrus", "SetOutput");

	if (known && !c->test && c->func && is_discard(c, golint_argument(call, 0)) && !is_wished(c) &&
	    !is_set_again(c, head))
		golint_say(c, RULE_R15, call, golint_text(c, call));
}

/* slog.SetDefault(slog.New(slog.DiscardHandler)), zap.ReplaceGlobals(zap.NewNop()) */
static void set_default(struct golint *c, TSNode call, struct span head)
{
	struct span what = golint_text(c, golint_argument(call, 0));
	bool slog = golint_head_is(c, head, "log/slog", "SetDefault") &&
		    span_ends(what, S(".DiscardHandler)"));
	bool zap = golint_head_is(c, head, "go.uber.org/zap", "ReplaceGlobals") &&
		   span_ends(what, S(".NewNop()"));

	if ((slog || zap) && !c->test && c->func && !is_wished(c) && !is_set_again(c, head))
		golint_say(c, RULE_R15, call, golint_text(c, call));
}

/* A program's own logger that says nothing; in a library it is what there is until the program gives a better one. */
static void new_nop(struct golint *c, TSNode call, struct span head)
{
	TSNode up = golint_up(c, 2);
	bool variable = go_is(up, GO_SHORT_VAR_DECLARATION) || go_is(up, GO_VAR_SPEC) ||
			go_is(up, GO_ASSIGNMENT_STATEMENT);

	if (c->main && !c->test && c->func && variable &&
	    golint_head_is(c, head, "go.uber.org/zap", "NewNop") && !is_wished(c))
		golint_say(c, RULE_R15, call, golint_text(c, call));
}

static void slog_new(struct golint *c, TSNode call, struct span head)
{
	struct span what = golint_text(c, golint_argument(call, 0));
	TSNode up = golint_up(c, 2);
	bool variable = go_is(up, GO_SHORT_VAR_DECLARATION) || go_is(up, GO_VAR_SPEC) ||
			go_is(up, GO_ASSIGNMENT_STATEMENT);

	if (c->main && !c->test && c->func && variable && span_ends(what, S(".DiscardHandler")) &&
	    golint_head_is(c, head, "log/slog", "New") && !is_wished(c))
		golint_say(c, RULE_R15, call, golint_text(c, call));
}

static void new_logger(struct golint *c, TSNode call, struct span head)
{
	log_new(c, call, head);
	slog_new(c, call, head);
}

static const struct golint_called called[] = {
	{ "New", new_logger },
	{ "Close", closed },
	{ "Dup2", duplicated },
	{ "Dup3", duplicated },
	{ "SetOutput", set_output },
	{ "SetDefault", set_default },
	{ "ReplaceGlobals", set_default },
	{ "NewNop", new_nop },
	{ NULL, NULL },
};

const struct golint_hook golint_quiet[] = {
	{ GO_CALL_EXPRESSION, NULL, called },
	{ GO_ERROR, NULL },
};
