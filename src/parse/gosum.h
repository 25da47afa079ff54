#ifndef PARSE_GOSUM_H
#define PARSE_GOSUM_H

#include "base/span.h"

/*
 * go.sum (and go.work.sum), line by line, in constant memory (https://go.dev/ref/mod#go-sum-files). Spans point into text.
 */
enum gosum_problem {
	GOSUM_FINE,
	GOSUM_MERGE,   /* a conflict mark of git: <<<<<<<, =======, >>>>>>>, ||||||| */
	GOSUM_BINARY,  /* a NUL byte */
	GOSUM_FIELDS,  /* not three words: go refuses the file (all but `go mod tidy`, from 1.22 with a plain sentence) */
	GOSUM_PATH,    /* the first word has bytes that no module path can have (a byte order mark, say): the line counts for nothing */
	GOSUM_VERSION, /* the second word is no canonical version: the line counts for nothing */
	GOSUM_HASH,    /* h1: and then no base64 of 32 bytes: nothing can ever match it */
	GOSUM_UNKNOWN, /* a hash of another algorithm: go keeps it and believes it unseen */
	GOSUM_EMPTY,   /* the hash of an empty go.mod, which an old go wrote by mistake: go passes over it */
};
struct gosum_line {
	struct span path, version; /* the version without /go.mod; absent with MERGE, FIELDS, BINARY */
	struct span hash;          /* "h1:…" */
	bool go_mod;               /* the hash is that of the go.mod alone */
	bool crlf;
	int64_t line;              /* from 1 */
	enum gosum_problem problem;
	int column;                /* of the word at fault, in bytes from 1 */
	size_t words;              /* how many there are */
	struct span text;          /* the whole line, without its end */
};
struct gosum_at { /* {.rest = text} */
	struct span rest;
	int64_t line;
};
/* false: no more. Blank lines are passed over. */
bool gosum_next(struct gosum_at *at, struct gosum_line *ret);
/* "h1:" and the canonical base64 of 32 bytes? ret (may be NULL) gets these. */
bool gosum_hash(struct span hash, unsigned char ret[32]);
#endif
