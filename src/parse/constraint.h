#ifndef PARSE_CONSTRAINT_H
#define PARSE_CONSTRAINT_H

#include "base/arena.h"
#include "base/buf.h"

/*
 * Build constraints as the go command reads them (https://pkg.go.dev/cmd/go#hdr-Build_constraints): expressions of //go:build, terms
 * of +build, and what the name of a file says.
 */
enum constraint_op { CONSTRAINT_TAG, CONSTRAINT_NOT, CONSTRAINT_AND, CONSTRAINT_OR };
struct constraint {
	enum constraint_op op;
	struct span tag; /* TAG: in the text that was read, or "ignore", for a bad term of +build: */
	bool bad;
	const struct constraint *x, *y; /* NOT: x alone */
};
#define CONSTRAINT_TERMS     1000 /* of //go:build; what has more is refused, as new versions of go do */
#define CONSTRAINT_OLD_TERMS 100  /* operators of a +build line; go passes over a line that has more */

struct constraint_error {
	size_t at;      /* where in the text */
	char text[120]; /* in go's words: "unexpected token b"; "": no memory */
};
/* What stands behind "//go:build" or "+build". NULL: *why says it. In mem. */
const struct constraint *constraint_parse(struct span text, struct arena *mem, struct constraint_error *why);
const struct constraint *constraint_parse_old(struct span text, struct arena *mem,
					      struct constraint_error *why);
/* A whole line, blanks around it taken off: what stands behind the prefix. Absent: it is no such line ("//go:buildx" is none). */
struct span constraint_of_line(struct span line);
struct span constraint_of_old_line(struct span line); /* "// +build", "//+build" */

typedef bool constraint_is_fn(void *ctx, struct span tag);
bool constraint_holds(const struct constraint *c, constraint_is_fn *is, void *ctx);
/*
 * The smallest part that alone makes c what it is: of "linux && (a || b)" where linux is and neither a nor b is, "a || b". Of several,
 * the first.
 */
const struct constraint *constraint_decider(const struct constraint *c, constraint_is_fn *is, void *ctx);
void constraint_write(const struct constraint *c, struct buf *ret); /* as go prints it */
/* Every tag of it, in order; false from fn ends it. */
typedef bool constraint_tag_fn(void *ctx, const struct constraint *tag);
bool constraint_tags(const struct constraint *c, constraint_tag_fn *fn, void *ctx);

bool constraint_digit(uint32_t cp); /* a decimal digit beyond ASCII */

/* ---- names ---- */

/* What GOOS and GOARCH may be, and with which 1.N each name came; first 0: before all that we know of. */
struct go_platform_name {
	const char *name;
	int since;  /* N of 1.N in which it began to count in file names */
	bool unix_; /* of an OS: the tag unix holds there */
};
extern const struct go_platform_name go_oses[], go_arches[];
extern const size_t go_oses_n, go_arches_n;
bool go_os_known(struct span name, int go); /* go: N of the 1.N that builds */
bool go_arch_known(struct span name, int go);
bool go_os_unix(struct span name);

struct goname {
	struct span os, arch; /* absent: the name asks for none; they point into the name */
};
/* The rule for names: x_linux.go, x_arm64_test.go, x_linux_arm64.s. */
struct goname goname_read(struct span name, int go);
#endif
