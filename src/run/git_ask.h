#ifndef RUN_GIT_ASK_H
#define RUN_GIT_ASK_H

#include "base/arena.h"
#include "run/ask.h"

/* Asking git itself, about the repository with this working tree. words: "status", "-z", …, NULL. */
struct git_ask {
	const char *top;
	const char *const *words;
	int64_t until;
	size_t out_max;
	bool content; /* it may look into files of the working tree: the repository's filters are switched off first */
};
/* A status that is not 0 is no error, except that git refuses the repository (-EPERM) or is not installed (-ENOENT). */
int git_ask(const struct git_ask *q, struct answer *ret, struct err *e);
/* What git said went wrong, as one line: "fatal: …" without the word. */
struct span git_complaint(const struct answer *a);
#endif
