#include "base/mem.h"
#include "base/text.h"
#include "check/go/types.h"

/* E: results and resources that are let go. E06, E07, E09, E13: they ask for types. */

/* ---- what happens to a name ---- */

/* The whole function that the walk is in: a closure's variables are used around it. */
static const struct golint_func *declaration(const struct golint *c)
{
	const struct golint_func *f = c->func;

	while (f && f->outer)
		f = f->outer;
	return f;
}

static bool may_look_around(struct golint *c)
{
	const struct golint_func *f = declaration(c);

	return f && golint_may_look_at(c, f->body);
}

/* The selectors `name.x` that do not hand the variable on; fine: with this one nothing is to be said. */
struct uses {
	const char *const *harmless;
	size_t n_harmless;
	const char *fine;
};
enum use { USE_ONLY, USE_FINE, USE_ESCAPES };

static bool is_word_at(const struct golint *c, uint32_t at, struct span word)
{
	return span_starts(span_from(c->file->text, at), word);
}

/* `name.field`: does it hand on what the rule looks after? `x.Process.Pid` and `resp.Body.Close` are judged by all that is written. */
static enum use use_of_selector(const struct golint *c, TSNode n, const struct uses *u)
{
	struct span field = golint_text(c, go_field(n, GOFIELD_FIELD));
	uint32_t from = ts_node_end_byte(n) - (uint32_t)field.n;

	if (is_word_at(c, from, span_of(u->fine)))
		return USE_FINE;
	for (size_t i = 0; i < u->n_harmless; i++)
		if (is_word_at(c, from, span_of(u->harmless[i])))
			return USE_ONLY;
	return USE_ESCAPES;
}

/* Calls that read what they are given and keep nothing. */
static bool reads_only(const struct golint *c, TSNode n)
{
	static const char *const heads[] = { "io.ReadAll",       "ioutil.ReadAll",  "io.Copy",
					     "io.CopyN",         "json.NewDecoder", "xml.NewDecoder",
					     "bufio.NewScanner", "bufio.NewReader", "fmt.Println",
					     "fmt.Printf",       "log.Println",     "log.Printf",
					     "fmt.Fprintf",      "fmt.Errorf" };

	return golint_named(golint_head(c, n), heads, ARRAY_LEN(heads));
}

static bool is_nil_question(TSNode n)
{
	return go_is(n, GO_BINARY_EXPRESSION) && go_is(go_field(n, GOFIELD_RIGHT), GO_NIL);
}

static enum use use_of(const struct golint *c, TSNode body, TSNode declared, struct span name,
		       const struct uses *u)
{
	CLEANUP(gobelow_end) struct gobelow b = { 0 };

	gobelow_of(body, &b);
	for (TSNode n; (n = gobelow_next(&b)).id;) {
		enum gonode kind = go_kind(n);
		if (ts_node_eq(n, declared) || is_nil_question(n)) {
			gobelow_over(&b);
		} else if (kind == GO_SELECTOR_EXPRESSION &&
			   span_eq(golint_text(c, go_field(n, GOFIELD_OPERAND)), name)) {
			enum use is = use_of_selector(c, n, u);
			if (is != USE_ONLY)
				return is;
			gobelow_over(&b);
		} else if (kind == GO_CALL_EXPRESSION && reads_only(c, n) &&
			   span_find(golint_text(c, n), span_of(u->fine)) == SPAN_NONE) {
			gobelow_over(&b);
		} else if (kind == GO_IDENTIFIER && span_eq(golint_text(c, n), name)) {
			return USE_ESCAPES;
		}
	}
	return USE_ONLY;
}

/* ---- E06: a result that is dropped ---- */

static const struct {
	const char *path, *type, *method;
	bool deferred; /* when it is deferred, too */
} results[] = {
	{ "os/exec", "Cmd", "Run", false },
	{ "os/exec", "Cmd", "Wait", false },
	{ "net/http", "Server", "ListenAndServe", false },
	{ "net/http", "Server", "ListenAndServeTLS", false },
	{ "net/http", "Server", "Serve", false },
	{ "net/http", "Server", "Shutdown", false },
	{ "bufio", "Writer", "Flush", true },
	{ "os", "File", "Sync", false },
	{ "os", "FileToWrite", "Sync", false },
	{ "os", "FileToWrite", "Close", false },
	{ "database/sql", "Tx", "Commit", false },
	{ "compress/gzip", "Writer", "Close", true },
	{ "compress/gzip", "Writer", "Flush", true },
	{ "compress/zlib", "Writer", "Close", true },
	{ "compress/flate", "Writer", "Close", true },
	{ "archive/zip", "Writer", "Close", true },
	{ "archive/tar", "Writer", "Close", true },
};

static bool may_matter(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(results); i++)
		if (span_eq(name, span_of(results[i].method)))
			return true;
	return false;
}

/* In the branch of another error the first error is what matters; a killed command's status is known. */
static bool is_on_the_way_out(const struct golint *c, struct span method)
{
	TSNode branch = golint_up(c, 3);

	if (go_is(branch, GO_IF_STATEMENT) && golint_leaves(c, golint_last(golint_up(c, 2))))
		return true;
	return span_eq(method, S("Wait")) &&
	       (span_find(golint_text(c, c->func->body), S(".Kill(")) != SPAN_NONE ||
		span_find(golint_text(c, c->func->body), S(".Signal(")) != SPAN_NONE);
}

/* The call is the whole statement, or what it defers. */
static void dropped(struct golint *c, TSNode n)
{
	static const char *const serve[] = { "ListenAndServe", "ListenAndServeTLS", "Serve", "ServeTLS" };
	bool defer = go_is(n, GO_DEFER_STATEMENT);
	TSNode call = defer ? go_child(n, 0) : n;
	struct span head = c->test || c->generated || !c->func ? (struct span){ 0 } : golint_head(c, call);
	size_t dot = head.n ? span_rchr(head, '.') : SPAN_NONE;
	struct gocall x;

	if (dot == SPAN_NONE)
		return;
	bool chained = span_starts(head, S("exec.Command"));
	if ((!chained && !may_matter(span_from(head, dot + 1))) ||
	    !go_call(c->file, defer ? call : golint_call_of(n), &x) || !may_matter(x.name))
		return;
	if (!defer && golint_calls_any(c, golint_call_of(n), "net/http", serve, ARRAY_LEN(serve))) {
		golint_say(c, RULE_E06, n, head);
		return;
	}
	if (!may_look_around(c) || golint_is_explained(c, n))
		return;
	struct gotype type = gotype_of(c, x.operand, n);
	for (size_t i = 0; type.name.p && i < ARRAY_LEN(results); i++)
		if (span_eq(x.name, span_of(results[i].method)) &&
		    gotype_is(type, results[i].path, results[i].type) &&
		    ((!defer && !c->func->deferred) || results[i].deferred) &&
		    !is_on_the_way_out(c, x.name)) {
			golint_say(c, RULE_E06, n,
				   golint_text(c, x.callee).n <= 60 ? golint_text(c, x.callee) : x.name);
			return;
		}
}

/* ---- E07: a command that nobody waits for ---- */

static void started(struct golint *c, TSNode n)
{
	static const char *const harmless[] = { "Start",          "Std",     "Env",         "Dir",
						"Args",           "Path",    "ExtraFiles",  "SysProcAttr",
						"String",         "Environ", "Process.Pid", "Process.Kill",
						"Process.Signal", "Cancel",  "WaitDelay" };
	static const struct uses u = { harmless, ARRAY_LEN(harmless), "Wait" };
	struct span text = golint_text(c, n);
	struct gocall call;
	const struct golint_func *f;

	if (!span_ends(text, S(".Start()")) || c->test || !(f = declaration(c)) ||
	    !golint_may_look_at(c, f->body) || !go_call(c->file, n, &call) ||
	    !gotype_is(gotype_of(c, call.operand, n), "os/exec", "Cmd"))
		return;
	/* A process that ends itself now leaves the command to the system. */
	if (span_find(golint_text(c, f->body), S("os.Exit(")) != SPAN_NONE ||
	    (!go_is(call.operand, GO_IDENTIFIER) && !go_is(call.operand, GO_CALL_EXPRESSION)))
		return;
	if (go_is(call.operand, GO_IDENTIFIER)) {
		CLEANUP(gobelow_end) struct gobelow b = { 0 };
		TSNode declared = { 0 };
		gobelow_of(f->body, &b);
		for (TSNode x; (x = gobelow_next(&b)).id && !declared.id;)
			if (go_is(x, GO_SHORT_VAR_DECLARATION) &&
			    span_eq(golint_text(c, go_field(x, GOFIELD_LEFT)), call.on))
				declared = go_field(x, GOFIELD_LEFT);
		if (!declared.id || use_of(c, f->body, declared, call.on, &u) != USE_ONLY)
			return;
	}
	golint_say(c, RULE_E07, n, span_head(call.on, 60));
}

/* ---- E09: the end of a loop may be an error ---- */

static void loop(struct golint *c, TSNode n)
{
	static const char *const harmless[] = { "Scan", "Text",  "Bytes",   "Buffer",      "Split",
						"Next", "Close", "Columns", "ColumnTypes", "NextResultSet" };
	static const struct uses u = { harmless, ARRAY_LEN(harmless), "Err" };
	struct span rest = span_head(span_from(c->file->text, ts_node_start_byte(n)), 120),
		    line = span_cut(&rest, '\n');
	const struct golint_func *f = declaration(c);
	struct gocall call;

	if (c->test || !f ||
	    (span_find(line, S(".Scan()")) == SPAN_NONE && span_find(line, S(".Next()")) == SPAN_NONE))
		return;
	TSNode condition = go_child(n, 0);
	if (!go_call(c->file, condition, &call) || !go_is(call.operand, GO_IDENTIFIER))
		return;
	if (!golint_may_look_at(c, f->body))
		return;
	struct gotype type = gotype_of(c, call.operand, condition);
	bool scans = gotype_is(type, "bufio", "Scanner") && span_eq(call.name, S("Scan"));
	if (!scans && !(gotype_is(type, "database/sql", "Rows") && span_eq(call.name, S("Next"))))
		return;
	CLEANUP(gobelow_end) struct gobelow b = { 0 };
	TSNode declared = { 0 };
	gobelow_of(f->body, &b);
	for (TSNode x; (x = gobelow_next(&b)).id && !declared.id;)
		if (go_is(x, GO_SHORT_VAR_DECLARATION) &&
		    golint_mentions(c, go_field(x, GOFIELD_LEFT), call.on))
			declared = go_field(x, GOFIELD_LEFT);
	if (declared.id && use_of(c, f->body, declared, call.on, &u) == USE_ONLY)
		golint_say(c, RULE_E09, condition, call.on);
}

/* ---- E13: a response ---- */

/* The statement behind uses the response without a look at the error. */
static bool is_used_unchecked(const struct golint *c, TSNode n, struct span name)
{
	CLEANUP(gochildren_end) struct gochildren list = { 0 };
	TSNode parent = golint_up(c, 1), s;

	if (!go_is(parent, GO_STATEMENT_LIST))
		return false;
	gochildren_of(parent, &list);
	while ((s = gochildren_next(&list)).id && ts_node_start_byte(s) < ts_node_end_byte(n))
		;
	return s.id && !go_is(s, GO_IF_STATEMENT) && !go_is(s, GO_EXPRESSION_SWITCH_STATEMENT) &&
	       !go_is(s, GO_RETURN_STATEMENT) &&
	       span_find(golint_text(c, s), lint_text(c->out, "%.*s.", SPAN_ARG(name))) != SPAN_NONE;
}

static void response(struct golint *c, TSNode n)
{
	static const char *const harmless[] = { "Status",  "Header",  "Proto", "ContentLength",
						"Request", "Trailer", "TLS",   "Uncompressed",
						"Cookies", "Location" };
	static const struct uses u = { harmless, ARRAY_LEN(harmless), "Body.Close" };
	struct span rest = span_head(span_from(c->file->text, ts_node_start_byte(n)), 200),
		    line = span_cut(&rest, '\n');

	if (c->test || !c->func ||
	    (span_find(line, S(".Do(")) == SPAN_NONE && span_find(line, S(".Get(")) == SPAN_NONE &&
	     span_find(line, S(".Post")) == SPAN_NONE))
		return;
	TSNode left = go_field(n, GOFIELD_LEFT), value = go_child(go_field(n, GOFIELD_RIGHT), 0),
	       x = go_child(left, 0);
	struct span name = golint_text(c, x), head = golint_text(c, go_field(value, GOFIELD_FUNCTION));
	if (go_count(left) != 2 || !go_is(x, GO_IDENTIFIER) || !go_is(value, GO_CALL_EXPRESSION) ||
	    !may_look_around(c) || !gotype_is(gotype_of(c, value, n), "net/http", "Response"))
		return;
	bool blank = span_eq(name, S("_"));
	if (!blank && is_used_unchecked(c, n, name))
		golint_say(c, RULE_E13, n, head, S("if err != nil"));
	else if (blank ||
		 (go_is(n, GO_SHORT_VAR_DECLARATION) && use_of(c, c->func->body, left, name, &u) == USE_ONLY))
		golint_say(c, RULE_E13, n, head,
			   blank ? S("resp.Body.Close()")
				 : lint_text(c->out, "%.*s.Body.Close()", SPAN_ARG(name)));
}

const struct golint_hook golint_close[] = {
	{ GO_EXPRESSION_STATEMENT, dropped },
	{ GO_DEFER_STATEMENT, dropped },
	{ GO_CALL_EXPRESSION, started },
	{ GO_FOR_STATEMENT, loop },
	{ GO_SHORT_VAR_DECLARATION, response },
	{ GO_ASSIGNMENT_STATEMENT, response },
	{ GO_ERROR, NULL },
};
