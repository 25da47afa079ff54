#ifndef RUN_ASK_H
#define RUN_ASK_H

#include "base/buf.h"

/*
 * A short question to another program: its standard input is /dev/null, its output is kept up to a bound, and it and all
 * that it started in its process group end at the deadline at the latest. Not while run_command is at work in this process.
 */
struct ask {
	const char *path;              /* the file to execute */
	const char *const *args;       /* args[0] is its name; NULL-terminated */
	const char *const *env;        /* "NAME=value", and "NAME" to take it out, over our environment; may be NULL */
	const char *dir;               /* where; NULL: here */
	int64_t until;                 /* time_mono() at which it is killed */
	size_t out_max, err_max;       /* more on stdout is an error; more on stderr is dropped */
};
struct answer {
	struct buf out, err;
	int status; /* its exit status; 128 + signal */
};
/* -ETIMEDOUT, -EFBIG (more than out_max), -ENOMEM, or why it could not be started. A status is no error. */
int ask_run(const struct ask *a, struct answer *ret, struct err *e);
void answer_free(struct answer *a);
void answer_free_cleanup(struct answer *a);
#endif
