#ifndef CHECK_GO_LATE_H
#define CHECK_GO_LATE_H

#include "check/go/syntax.h"
#include "check/registration.h"

/* What one file registers too late or for nobody: the rules but register.unreached. */
typedef void go_late_say(void *ctx, enum register_id rule, TSNode at, const char *text);
/* mem: for the time of the call. -ENOMEM. */
int go_late_find(struct gofile *f, const struct goimports *imports, struct arena *mem, go_late_say *say,
		 void *ctx);
struct gohead;
/*
 * The parts of a file that these rules look at: its imports, and each function or variable that has a word of theirs. head: of the file; NULL: not
 * read. *n 0: there is nothing in it for them. NULL: no memory.
 */
const struct span *go_late_parts(struct span text, const struct gohead *head, struct arena *mem, size_t *n);

/* What a package does when it is initialised, or offers to a server: the first registration that a file makes. */
struct go_registered {
	struct tx what;     /* "a handler of net/http" */
	struct span call;   /* "http.HandleFunc" */
	struct span detail; /* its first string argument: "/debug"; absent: it has none */
	TSNode at;
};
/* 1: it is in *ret; 0: there is none; -ENOMEM. */
int go_registers(struct gofile *f, const struct goimports *imports, struct go_registered *ret);
bool go_registers_worth(struct span text); /* without one of these words it need not be parsed */
#endif
