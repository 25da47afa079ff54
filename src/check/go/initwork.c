#include "check/go/initwork.h"

#include "base/mem.h"
#include "check/go/chunks.h"

/*
 * The compiler lays out what it can and leaves the rest to code that runs at start. Here the syntax decides: literals, functions,
 * addresses and conversions are laid out; calls, maps, receives and what is computed from them are not.
 */
#define DEEP 200

enum needs { LAID_OUT, PERHAPS /* only the compiler knows */, CODE };

struct judging {
	const struct gofile *f;
	const struct map *vars;
	bool no_addresses;
};

static enum needs needs_of(const struct judging *f, TSNode n, int depth);

static enum needs most_of(const struct judging *f, TSNode n, int depth)
{
	CLEANUP(gochildren_end) struct gochildren c = { 0 };
	enum needs most = LAID_OUT;

	gochildren_of(n, &c);
	for (TSNode child; most != CODE && (child = gochildren_next(&c)).id;) {
		enum needs one = needs_of(f, child, depth + 1);
		most = one > most ? one : most;
	}
	return most;
}

/* T(x) of a type that the language knows, and what the compiler computes itself. */
static enum needs needs_of_call(const struct judging *f, TSNode n, int depth)
{
	static const char *const laid_out[] = { "bool",    "byte",    "complex128", "complex64", "error",
						"float32", "float64", "int",        "int16",     "int32",
						"int64",   "int8",    "rune",       "string",    "uint",
						"uint16",  "uint32",  "uint64",     "uint8",     "uintptr",
						"len",     "cap",     "real",       "imag",      "complex",
						"min",     "max" };
	TSNode callee = go_field(n, GOFIELD_FUNCTION), bare = go_bare(callee);
	struct span name = go_text(f->f, bare);

	if (span_starts(name, S("unsafe.")))
		return LAID_OUT;
	/* A small function may be worked out by the compiler: errors.New is, by new versions. new(T) is not by old ones. */
	if (span_eq(name, S("errors.New")) || span_eq(name, S("new")))
		return PERHAPS;
	/* (*T)(nil) */
	if (go_is(callee, GO_PARENTHESIZED_EXPRESSION) && !go_is(bare, GO_FUNC_LITERAL) &&
	    !go_is(bare, GO_SELECTOR_EXPRESSION))
		return most_of(f, go_field(n, GOFIELD_ARGUMENTS), depth);
	for (size_t i = 0; i < ARRAY_LEN(laid_out); i++)
		if (span_eq(name, span_of(laid_out[i])))
			return most_of(f, go_field(n, GOFIELD_ARGUMENTS), depth);
	return CODE;
}

static enum needs needs_of(const struct judging *f, TSNode n, int depth)
{
	if (depth > DEEP)
		return PERHAPS;
	switch (go_kind(n)) {
	case GO_CALL_EXPRESSION: return needs_of_call(f, n, depth);
	case GO_COMPOSITE_LITERAL:
		if (go_is(go_field(n, GOFIELD_TYPE), GO_MAP_TYPE) ||
		    (f->no_addresses && go_is(go_field(n, GOFIELD_TYPE), GO_SLICE_TYPE)))
			return CODE;
		return most_of(f, go_field(n, GOFIELD_BODY), depth);
	case GO_UNARY_EXPRESSION:
		if (span_eq(go_text(f->f, go_field(n, GOFIELD_OPERATOR)), S("<-")))
			return CODE;
		if (f->no_addresses && span_eq(go_text(f->f, go_field(n, GOFIELD_OPERATOR)), S("&")))
			return CODE;
		return needs_of(f, go_field(n, GOFIELD_OPERAND), depth + 1);
	case GO_FUNC_LITERAL:
	case GO_INTERPRETED_STRING_LITERAL:
	case GO_RAW_STRING_LITERAL: return f->no_addresses ? CODE : LAID_OUT;
	case GO_BINARY_EXPRESSION:
	case GO_PARENTHESIZED_EXPRESSION:
	case GO_KEYED_ELEMENT:
	case GO_LITERAL_ELEMENT:
	case GO_LITERAL_VALUE:
	case GO_EXPRESSION_LIST: return most_of(f, n, depth);
	case GO_TYPE_CONVERSION_EXPRESSION: return needs_of(f, go_field(n, GOFIELD_OPERAND), depth + 1);
	case GO_TYPE_ASSERTION_EXPRESSION: return CODE;
	case GO_IDENTIFIER: return map_get(f->vars, go_text(f->f, n)) ? PERHAPS : LAID_OUT;
	case GO_SELECTOR_EXPRESSION:
		/* pkg.Name may be a constant; pkg.Name.Field is not. */
		return go_is(go_field(n, GOFIELD_OPERAND), GO_IDENTIFIER) ? PERHAPS : CODE;
	case GO_INDEX_EXPRESSION:
	case GO_SLICE_EXPRESSION: return PERHAPS;
	default: return LAID_OUT;
	}
}

/* Every var spec of the file. */
static void each_spec(const struct gofile *f, void (*fn)(void *ctx, TSNode spec), void *ctx)
{
	CLEANUP(gochildren_end) struct gochildren top = { 0 };

	gochildren_of(f->root, &top);
	for (TSNode d; (d = gochildren_next(&top)).id;) {
		CLEANUP(gochildren_end) struct gochildren specs = { 0 };
		if (!go_is(d, GO_VAR_DECLARATION))
			continue;
		TSNode list = go_child(d, 0);
		gochildren_of(go_is(list, GO_VAR_SPEC_LIST) ? list : d, &specs);
		for (TSNode spec; (spec = gochildren_next(&specs)).id;)
			if (go_is(spec, GO_VAR_SPEC))
				fn(ctx, spec);
	}
}

struct naming {
	const struct gofile *f;
	struct map *vars;
	bool bad;
};

static void take_names(void *ctx, TSNode spec)
{
	struct naming *n = ctx;
	CLEANUP(gochildren_end) struct gochildren c = { 0 };

	gochildren_of(spec, &c);
	for (TSNode name; (name = gochildren_next(&c)).id;)
		if (go_is(name, GO_IDENTIFIER) && !map_put(n->vars, go_text(n->f, name), n->vars))
			n->bad = true;
}

bool go_init_variables(const struct gofile *f, struct map *vars)
{
	struct naming n = { .f = f, .vars = vars };

	each_spec(f, take_names, &n);
	return !n.bad;
}

struct counting {
	struct judging j;
	struct init_does *ret;
};

/* One `x, y = a, b`, or `x, y = f()`. */
static void count(void *ctx, TSNode spec)
{
	const struct counting *k = ctx;
	CLEANUP(gochildren_end) struct gochildren c = { 0 };

	gochildren_of(go_field(spec, GOFIELD_VALUE), &c);
	for (TSNode value; (value = gochildren_next(&c)).id;) {
		enum needs n = needs_of(&k->j, value, 0);
		k->ret->variables += n == CODE;
		k->ret->unsure |= n == PERHAPS;
	}
}

void go_init_does(const struct gofile *f, const struct map *vars, bool no_addresses, struct init_does *ret)
{
	struct counting k = { { f, vars, no_addresses }, ret };
	CLEANUP(gochildren_end) struct gochildren top = { 0 };

	each_spec(f, count, &k);
	gochildren_of(f->root, &top);
	for (TSNode d; (d = gochildren_next(&top)).id;) {
		if (go_is(d, GO_FUNCTION_DECLARATION) &&
		    span_eq(go_text(f, go_field(d, GOFIELD_NAME)), S("init")))
			ret->functions += go_count(go_field(d, GOFIELD_BODY)) > 0;
		else if (go_is(d, GO_ERROR))
			ret->unsure = true;
	}
}

/* ---- the part of a file that matters ---- */

void go_init_part(struct span text, struct buf *ret)
{
	struct gochunks at = { .text = text };
	struct gochunk c;

	buf_clear(ret);
	while (gochunks_next(&at, &c)) {
		if (c.kind != GOCHUNK_VAR && !c.init)
			continue;
		if (!ret->len)
			buf_adds(ret, "package p\n");
		buf_span(ret, c.text);
	}
}
