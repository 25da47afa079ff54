#ifndef CLI_WHERE_H
#define CLI_WHERE_H

#include "base/arena.h"

/* Where we are: the working directory, and the Go module that is there. */
struct site {
	const char *cwd;    /* absolute; NULL: not known */
	const char *shown;  /* relative to the repository it lies in ("."), else absolute: for the report */
	const char *module; /* what stands before a package directory below cwd; NULL: no module here */
	const char *root;   /* the module's own path, and its go.mod; NULL: no module here */
	const char *go_mod;
};
/* dir: of `go -C`, may be NULL. */
void where_read(struct arena *mem, const char *dir, struct site *ret);
/*
 * How many packages a pattern such as ./... or MODULE/... names, by looking: directories with Go files. 0: not known.
 * (`go list` would know all patterns; but it may fetch modules, and takes CPU time from the build that it announces.)
 */
int64_t where_count(const char *dir, const char *module, const char *const *patterns, size_t n);
#endif
