#ifndef CHECK_GO_TYPES_H
#define CHECK_GO_TYPES_H

#include "check/go/golint.h"

/*
 * The type of an expression as far as one file tells it: what a variable was declared with in the functions around (a call of a well-known
 * function, a literal, a type that is written), a parameter, a receiver, a field of a struct of the same file. Pointers are looked
 * through. Where it is not known nothing is said: a rule that asks for a type misses rather than guesses.
 */
struct gotype {
	struct span path; /* "os/exec"; "" the file's own package */
	struct span name; /* "Cmd"; absent: not known */
};
/* `at`: where it is used; declarations behind it do not count. Asks about the functions that the walk is in. */
struct gotype gotype_of(const struct golint *c, TSNode expression, TSNode at);
/* The type that a name has. */
struct gotype gotype_of_name(const struct golint *c, struct span name, TSNode at);
bool gotype_is(struct gotype t, const char *path, const char *name);
#endif
