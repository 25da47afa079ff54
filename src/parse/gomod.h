#ifndef PARSE_GOMOD_H
#define PARSE_GOMOD_H

#include "base/span.h"

/*
 * The requirements of a go.mod: blocks and single lines, comments, quoted paths (https://go.dev/ref/mod#go-mod-file-grammar).
 * Lenient: a line that is none is passed over. Spans point into text.
 */
struct gomod_require {
	struct span path, version;
	bool indirect;
};
struct gomod_at { /* {.rest = text} */
	struct span rest;
	bool block; /* inside require ( … ) */
};
/* The path in its module line; absent: there is none. */
struct span gomod_module(struct span text);
bool gomod_next(struct gomod_at *at, struct gomod_require *ret); /* false: no more */
#endif
