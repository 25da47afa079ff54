#ifndef PARSE_GOSUM_H
#define PARSE_GOSUM_H

#include "base/span.h"

/*
 * go.sum, line by line, in constant memory (https://go.dev/ref/mod#go-sum-files). Spans point into text.
 */
enum gosum_problem {
	GOSUM_FINE,
	GOSUM_FIELDS,   /* not three words: go 1.22 and newer refuse the file, older ones pass over the line */
	GOSUM_VERSION,  /* the second word is no version */
	GOSUM_HASH,     /* h1: that is no base64 of 32 bytes */
	GOSUM_UNKNOWN,  /* a hash of another algorithm: go keeps it and believes it unseen */
	GOSUM_MERGE,    /* a conflict mark of git: <<<<<<<, =======, >>>>>>>, ||||||| */
	GOSUM_BINARY,   /* a NUL byte */
};
struct gosum_line {
	struct span path, version; /* the version without /go.mod */
	struct span hash;          /* "h1:…" */
	bool go_mod;               /* the hash is that of the go.mod alone */
	bool crlf;
	int64_t line;              /* from 1 */
	enum gosum_problem problem;
	struct span text;          /* the whole line, without its end */
};
struct gosum_at { /* {.rest = text} */
	struct span rest;
	int64_t line;
};
/* false: no more. Blank lines are passed over. */
bool gosum_next(struct gosum_at *at, struct gosum_line *ret);
#endif
