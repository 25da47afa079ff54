#ifndef CHECK_DIRECTIVE_H
#define CHECK_DIRECTIVE_H

#include "base/arena.h"
#include "parse/gohead.h"

/* Comments that are directives of go ("//go:WORD rest"), or were meant to be: the same letters, spelled so that go passes over them. */
struct directive {
	struct span word, rest; /* "build", "linux && amd64" */
	bool exact;             /* the letters and blanks are those of a directive */
	bool block;             /* of C */
};
bool directive_read(const struct gomark *m, struct directive *ret); /* false: it is nothing of that kind */
bool directive_known(struct span word);
struct span directive_near(
	struct span word); /* a known one that is a letter or two away, and no other tool's; absent: none */
/* Is there anything like "go:", "+build" or, in a cgo file, "export" in it? Most files have none, and are not read further. */
bool directive_worth(struct span text, bool cgo);
/* An expression of //go:build, and no sentence that happens to look like one; NULL. lone: it stands alone. */
const struct constraint *directive_expr(struct span expr, bool lone, struct arena *mem);
/* The name of a var declaration that //go:embed above it could fill; absent: it is none. code: its line. */
struct span directive_embeddable(struct span code);
/* Of any other known directive, in a spelling that makes a comment of it: is it surely meant? */
bool directive_meant(struct span text, const struct gomark *m, const struct directive *d);

/* ---- around a comment of text ---- */
bool comment_alone(struct span text, const struct gomark *m); /* not a line of a paragraph */
bool comment_in_prose(
	struct span text,
	const struct gomark *m); /* a sentence stands anywhere in the comment that it is a line of */
struct span comment_rest(struct span text, const char *at); /* behind its line */
struct span comment_code(struct span text,
			 const char *at); /* the next line that is no comment and not blank; absent: none */
#endif
