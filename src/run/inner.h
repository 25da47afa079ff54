#ifndef RUN_INNER_H
#define RUN_INNER_H

#include "model/report.h"
#include "run/shim.h"

/* Findings that inner `tocsin run`s hand over: this run's side. Bounded; all strings are its own. */
struct inner {
	struct arena mem;
	struct finding *v;
	size_t n, cap;
	size_t dropped; /* there was no room for */
};

/* One packet's words (m.words strings, each with its NUL). What is no finding is passed over. */
void inner_take(struct inner *in, const struct shim_msg *m, const char *text);
/* All of them into r->inner; false: no memory. */
bool inner_give(const struct inner *in, struct report *r);
void inner_free(struct inner *in);
#endif
