#include "check/go/types.h"

#include "base/mem.h"

#define HOPS 4 /* x := y.f(), y := g(), … */

/* What well-known functions give first. A File that is surely written to is a FileToWrite here. */
static const struct {
	const char *path, *name, *type_path, *type;
} functions[] = {
	{ "os/exec", "Command", "os/exec", "Cmd" },
	{ "os/exec", "CommandContext", "os/exec", "Cmd" },
	{ "net/http", "Get", "net/http", "Response" },
	{ "net/http", "Post", "net/http", "Response" },
	{ "net/http", "PostForm", "net/http", "Response" },
	{ "os", "Create", "os", "FileToWrite" },
	{ "os", "OpenFile", "os", "FileToWrite" },
	{ "os", "Open", "os", "File" },
	{ "bufio", "NewWriter", "bufio", "Writer" },
	{ "bufio", "NewWriterSize", "bufio", "Writer" },
	{ "bufio", "NewScanner", "bufio", "Scanner" },
	{ "compress/gzip", "NewWriter", "compress/gzip", "Writer" },
	{ "compress/gzip", "NewWriterLevel", "compress/gzip", "Writer" },
	{ "compress/zlib", "NewWriter", "compress/zlib", "Writer" },
	{ "compress/zlib", "NewWriterLevel", "compress/zlib", "Writer" },
	{ "compress/flate", "NewWriter", "compress/flate", "Writer" },
	{ "archive/zip", "NewWriter", "archive/zip", "Writer" },
	{ "archive/tar", "NewWriter", "archive/tar", "Writer" },
	{ "plugin", "Open", "plugin", "Plugin" },
	{ "database/sql", "Open", "database/sql", "DB" },
	{ "database/sql", "OpenDB", "database/sql", "DB" },
};

/* What methods give first. */
static const struct {
	const char *path, *type, *method, *result_path, *result;
} methods[] = {
	{ "net/http", "Client", "Do", "net/http", "Response" },
	{ "net/http", "Client", "Get", "net/http", "Response" },
	{ "net/http", "Client", "Post", "net/http", "Response" },
	{ "net/http", "Client", "PostForm", "net/http", "Response" },
	{ "database/sql", "DB", "Begin", "database/sql", "Tx" },
	{ "database/sql", "DB", "BeginTx", "database/sql", "Tx" },
	{ "database/sql", "Conn", "BeginTx", "database/sql", "Tx" },
	{ "database/sql", "DB", "Conn", "database/sql", "Conn" },
	{ "database/sql", "DB", "Prepare", "database/sql", "Stmt" },
	{ "database/sql", "DB", "PrepareContext", "database/sql", "Stmt" },
	{ "database/sql", "Tx", "Prepare", "database/sql", "Stmt" },
	{ "database/sql", "Tx", "PrepareContext", "database/sql", "Stmt" },
	{ "database/sql", "DB", "Query", "database/sql", "Rows" },
	{ "database/sql", "DB", "QueryContext", "database/sql", "Rows" },
	{ "database/sql", "Tx", "Query", "database/sql", "Rows" },
	{ "database/sql", "Tx", "QueryContext", "database/sql", "Rows" },
	{ "database/sql", "Stmt", "Query", "database/sql", "Rows" },
	{ "database/sql", "Stmt", "QueryContext", "database/sql", "Rows" },
	{ "database/sql", "Conn", "QueryContext", "database/sql", "Rows" },
};

struct asking {
	const struct golint *c;
	TSNode at;
	int hops;
};
static struct gotype of_expression(struct asking *a, TSNode n);
static const struct gotype unknown;

bool gotype_is(struct gotype t, const char *path, const char *name)
{
	return t.name.p && span_eq(t.name, span_of(name)) && span_eq(t.path, span_of(path));
}

/* ---- types that are written ---- */

static struct gotype of_type(const struct golint *c, TSNode n)
{
	for (int i = 0; i < HOPS && (go_is(n, GO_POINTER_TYPE) || go_is(n, GO_PARENTHESIZED_TYPE)); i++)
		n = go_child(n, 0);
	if (go_is(n, GO_TYPE_IDENTIFIER))
		return (struct gotype){ S(""), golint_text(c, n) };
	struct span path = go_is(n, GO_QUALIFIED_TYPE)
				   ? golint_import(c, golint_text(c, go_field(n, GOFIELD_PACKAGE)))
				   : (struct span){ 0 };
	return path.p ? (struct gotype){ path, golint_text(c, go_field(n, GOFIELD_NAME)) } : unknown;
}

/* The type of a field of a struct that the file declares; its embedded types have their own name. */
static struct gotype of_field(const struct golint *c, TSNode structure, struct span name)
{
	CLEANUP(gobelow_end) struct gobelow b = { 0 };

	gobelow_of(structure, &b);
	for (TSNode n; (n = gobelow_next(&b)).id;) {
		if (!go_is(n, GO_FIELD_DECLARATION))
			continue;
		CLEANUP(gochildren_end) struct gochildren names = { 0 };
		gochildren_of(n, &names);
		for (TSNode x; (x = gochildren_next(&names)).id && go_is(x, GO_FIELD_IDENTIFIER);)
			if (span_eq(golint_text(c, x), name))
				return of_type(c, go_field(n, GOFIELD_TYPE));
		gobelow_over(&b);
	}
	return unknown;
}

static struct gotype field_of_own(const struct golint *c, struct span type, struct span name)
{
	CLEANUP(gochildren_end) struct gochildren top = { 0 };

	gochildren_of(c->file->root, &top);
	for (TSNode d; (d = gochildren_next(&top)).id;) {
		CLEANUP(gochildren_end) struct gochildren specs = { 0 };
		if (!go_is(d, GO_TYPE_DECLARATION))
			continue;
		gochildren_of(d, &specs);
		for (TSNode s; (s = gochildren_next(&specs)).id;)
			if (go_is(s, GO_TYPE_SPEC) &&
			    span_eq(golint_text(c, go_field(s, GOFIELD_NAME)), type))
				return of_field(c, go_field(s, GOFIELD_TYPE), name);
	}
	return unknown;
}

/* ---- values ---- */

/* A reader or writer of memory: it does not fail, so nothing is to be said of what is built on it. */
static bool is_memory(struct asking *a, TSNode argument)
{
	const struct golint *c = a->c;
	static const char *const heads[] = { "strings.NewReader", "bytes.NewReader", "bytes.NewBuffer",
					     "bytes.NewBufferString" };
	struct span text = golint_text(c, argument);

	if (span_starts(text, S("&")) || golint_named(golint_head(c, argument), heads, ARRAY_LEN(heads)))
		return true;
	struct gotype t = go_is(argument, GO_IDENTIFIER) ? of_expression(a, argument) : unknown;
	return gotype_is(t, "bytes", "Buffer") || gotype_is(t, "strings", "Builder");
}

/* os.OpenFile(path, os.O_RDONLY, 0) */
static bool is_only_read(const struct golint *c, TSNode call)
{
	return span_eq(golint_head(c, call), S("os.OpenFile")) &&
	       span_find(golint_text(c, golint_argument(call, 1)), S("O_WR")) == SPAN_NONE &&
	       span_find(golint_text(c, golint_argument(call, 1)), S("O_RDWR")) == SPAN_NONE;
}

static struct gotype of_call(struct asking *a, TSNode n)
{
	const struct golint *c = a->c;
	struct gocall call;

	if (golint_calls_plain(c, n, "new"))
		return of_type(c, golint_argument(n, 0));
	if (!go_call(c->file, n, &call) || !call.operand.id)
		return unknown;
	struct span path = go_is(call.operand, GO_IDENTIFIER) ? golint_import(c, call.on)
							      : (struct span){ 0 };
	for (size_t i = 0; path.p && i < ARRAY_LEN(functions); i++)
		if (span_eq(call.name, span_of(functions[i].name)) &&
		    span_eq(path, span_of(functions[i].path)))
			return is_memory(a, golint_argument(n, 0)) || is_only_read(c, n)
				       ? unknown
				       : (struct gotype){ span_of(functions[i].type_path),
							  span_of(functions[i].type) };
	for (size_t i = 0; !path.p && i < ARRAY_LEN(methods); i++) {
		if (!span_eq(call.name, span_of(methods[i].method)))
			continue;
		struct gotype on = of_expression(a, call.operand);
		for (size_t k = i; on.name.p && k < ARRAY_LEN(methods); k++)
			if (span_eq(call.name, span_of(methods[k].method)) &&
			    gotype_is(on, methods[k].path, methods[k].type))
				return (struct gotype){ span_of(methods[k].result_path),
							span_of(methods[k].result) };
		break;
	}
	return unknown;
}

/* The value that a declaration or assignment gives to a name: x of `x, err := f()` has f's first result. */
static TSNode value_for(const struct golint *c, TSNode left, TSNode right, struct span name)
{
	CLEANUP(gochildren_end) struct gochildren list = { 0 };
	uint32_t at = 0;

	gochildren_of(left, &list);
	for (TSNode x; (x = gochildren_next(&list)).id; at++)
		if (go_is(x, GO_IDENTIFIER) && span_eq(golint_text(c, x), name))
			return at < go_count(right) ? go_child(right, at) : (TSNode){ 0 };
	return (TSNode){ 0 };
}

/* ---- names ---- */

/* A scope that ended before the place of use: what it declares is not seen there. */
static bool is_over(const struct asking *a, TSNode n)
{
	switch (go_kind(n)) {
	case GO_BLOCK:
	case GO_IF_STATEMENT:
	case GO_FOR_STATEMENT:
	case GO_EXPRESSION_SWITCH_STATEMENT:
	case GO_TYPE_SWITCH_STATEMENT:
	case GO_SELECT_STATEMENT:
	case GO_EXPRESSION_CASE:
	case GO_TYPE_CASE:
	case GO_COMMUNICATION_CASE:
	case GO_DEFAULT_CASE:
	case GO_FUNC_LITERAL: return ts_node_end_byte(n) <= ts_node_start_byte(a->at);
	default: return false;
	}
}

/* The last declaration of the name in a function's body that the place of use sees. *found: there is one, known or not. */
static struct gotype declared_in(struct asking *a, const struct golint_func *f, struct span name, bool *found)
{
	const struct golint *c = a->c;
	CLEANUP(gobelow_end) struct gobelow b = { 0 };
	TSNode value = { 0 }, type = { 0 };

	gobelow_of(f->body, &b);
	for (TSNode n; (n = gobelow_next(&b)).id && ts_node_start_byte(n) < ts_node_start_byte(a->at);) {
		enum gonode kind = go_kind(n);
		if (is_over(a, n)) {
			gobelow_over(&b);
		} else if (kind == GO_SHORT_VAR_DECLARATION &&
			   ts_node_end_byte(n) <= ts_node_start_byte(a->at) &&
			   golint_mentions(c, go_field(n, GOFIELD_LEFT), name)) {
			value = value_for(c, go_field(n, GOFIELD_LEFT), go_field(n, GOFIELD_RIGHT), name);
			type = (TSNode){ 0 };
			*found = true;
		} else if (kind == GO_VAR_SPEC && span_eq(golint_text(c, go_field(n, GOFIELD_NAME)), name)) {
			type = go_field(n, GOFIELD_TYPE);
			value = go_child(go_field(n, GOFIELD_VALUE), 0);
			*found = true;
		} else if ((kind == GO_RANGE_CLAUSE || kind == GO_RECEIVE_STATEMENT) &&
			   golint_mentions(c, go_field(n, GOFIELD_LEFT), name)) {
			value = type = (TSNode){ 0 };
			*found = true;
		}
	}
	if (type.id)
		return of_type(c, type);
	return value.id ? of_expression(a, value) : unknown;
}

static struct gotype parameter(const struct golint *c, TSNode list, struct span name, bool *found)
{
	CLEANUP(gochildren_end) struct gochildren all = { 0 };

	gochildren_of(list, &all);
	for (TSNode p; (p = gochildren_next(&all)).id;) {
		CLEANUP(gochildren_end) struct gochildren names = { 0 };
		gochildren_of(p, &names);
		for (TSNode x; (x = gochildren_next(&names)).id && go_is(x, GO_IDENTIFIER);)
			if (span_eq(golint_text(c, x), name)) {
				*found = true;
				return go_is(p, GO_PARAMETER_DECLARATION)
					       ? of_type(c, go_field(p, GOFIELD_TYPE))
					       : unknown;
			}
	}
	return unknown;
}

static struct gotype of_name(struct asking *a, struct span name)
{
	static const enum gofield lists[] = { GOFIELD_PARAMETERS, GOFIELD_RECEIVER, GOFIELD_RESULT };
	bool found = false;

	for (const struct golint_func *f = a->c->func; f; f = f->outer) {
		struct gotype t = declared_in(a, f, name, &found);
		for (size_t i = 0; !found && i < ARRAY_LEN(lists); i++)
			t = parameter(a->c, go_field(f->node, lists[i]), name, &found);
		if (found)
			return t;
	}
	return unknown;
}

/* Fields of other types are not known: golint_signs.c has these words, and a struct without any is in no tree. */
static const char *const field_types[] = { "Cmd", "Tx", "DB", "Stmt", "Server", "Client" };

static struct gotype of_selector(struct asking *a, TSNode n)
{
	const struct golint *c = a->c;
	TSNode operand = go_field(n, GOFIELD_OPERAND);
	struct span field = golint_text(c, go_field(n, GOFIELD_FIELD));

	if (go_is(operand, GO_IDENTIFIER) && span_eq(field, S("DefaultClient")) &&
	    span_eq(golint_import(c, golint_text(c, operand)), S("net/http")))
		return (struct gotype){ S("net/http"), S("Client") };
	struct gotype on = of_expression(a, operand);
	if (!on.name.p || on.path.n)
		return unknown;
	struct gotype t = field_of_own(c, on.name, field);
	return golint_named(t.name, field_types, ARRAY_LEN(field_types)) ? t : unknown;
}

static struct gotype of_expression(struct asking *a, TSNode n)
{
	n = go_bare(n);
	if (a->hops++ >= HOPS)
		return unknown;
	switch (go_kind(n)) {
	case GO_IDENTIFIER: return of_name(a, golint_text(a->c, n));
	case GO_CALL_EXPRESSION: return of_call(a, n);
	case GO_COMPOSITE_LITERAL: return of_type(a->c, go_field(n, GOFIELD_TYPE));
	case GO_UNARY_EXPRESSION:
		return span_eq(golint_text(a->c, go_field(n, GOFIELD_OPERATOR)), S("&"))
			       ? of_expression(a, go_field(n, GOFIELD_OPERAND))
			       : unknown;
	case GO_SELECTOR_EXPRESSION: return of_selector(a, n);
	default: return unknown;
	}
}

struct gotype gotype_of(const struct golint *c, TSNode expression, TSNode at)
{
	struct asking a = { .c = c, .at = at };

	return of_expression(&a, expression);
}

struct gotype gotype_of_name(const struct golint *c, struct span name, TSNode at)
{
	struct asking a = { .c = c, .at = at };

	return of_name(&a, name);
}
