#ifndef PARSE_GOFUNC_H
#define PARSE_GOFUNC_H

#include "base/span.h"

/*
 * The functions that a Go source file declares, without methods, and which of them `go test` takes for a test. Reads tokens, not
 * lines: what stands in comments, strings and bodies is no function. Any bytes are read; what is no Go gives chance results.
 */
enum gofunc_kind {
	GOFUNC_OTHER,     /* TestMain, Testimony, a TestX that has parameters, results or type parameters that no test has */
	GOFUNC_TEST,
	GOFUNC_BENCHMARK,
	GOFUNC_FUZZ,
	GOFUNC_EXAMPLE,
};

struct gofunc {
	struct span name; /* in the text */
	int line;
	enum gofunc_kind kind;
};

struct gofuncs { /* {.rest = text}; spans point into the text */
	struct span rest;
	int line, depth;
	bool package;      /* its clause was read */
	struct span build; /* the expression of //go:build, known from the first function on; absent: there is none */
};
bool gofunc_next(struct gofuncs *at, struct gofunc *ret); /* false: no more */

/* What a name says, without the function: "TestX" is a test, "Testimony" is none. Only up to the first '/'. */
enum gofunc_kind gofunc_named(struct span name);
/*
 * "example.com/m.TestX/sub" in its package ("example.com/m", absent when there is none), its function ("TestX") and what is below
 * ("sub", may be empty). False: it names no test.
 */
struct gotest_name {
	struct span package, function, below, test /* function and below */;
};
bool gotest_name_read(struct span text, struct gotest_name *ret);
#endif
