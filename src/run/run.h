#ifndef RUN_RUN_H
#define RUN_RUN_H

#include "diagnose/judge.h"
#include "loop/loop.h"
#include "model/report.h"

/* Supervising one execution of one command: start it, relay and read its output, watch its tree, end it. */

typedef void run_bytes_fn(void *ctx, enum stream s, struct span bytes);
/*
 * What --panics has to say of a nested go command whose panics go to the file `record`: that the overlay of this
 * version is built for the first time, or (version "") why it cannot be done.
 */
typedef void run_panics_fn(void *ctx, const char *record, const char *version, const char *why);

struct run_config {
	struct argv argv;          /* what to execute */
	const char *const *env_add; /* NULL-terminated "NAME=value", put over our environment ("NAME" alone: taken out); may be NULL */
	bool pty;
	bool relay_out, relay_err; /* copy the child's bytes to our own stdout / stderr untouched; else only `bytes` gets them */
	int64_t timeout, stall, grace; /* ns; 0: none (grace: 2 s) */
	bool redact;               /* … without secrets (base/redact.h, what is known) */
	int64_t network_stall;     /* a go command, or its git, that hears nothing from the network for so long is ended as a stall; 0: never */
	bool (*hung)(void *ctx, int64_t now); /* with network_stall: asked four times a second; true: the same end; may be NULL */
	bool reap;                 /* end descendants that outlive the command, after grace */
	bool nested;               /* put our `go` in front of PATH and hear of nested go commands */
	const char *const *allow_masked; /* globs; NULL-terminated; may be NULL */
	run_bytes_fn *bytes;       /* all that the child writes, in order; never NULL */
	run_panics_fn *panics;     /* NULL: they are not asked for */
	timer_fn *tick;            /* every 100 ms while it runs, for a live view; may be NULL */
	void (*winch)(void *ctx);  /* the terminal was resized; may be NULL */
	void *ctx;
};

/*
 * Run it to its end. Fills in r: started, duration_ns, ending, resources, facilities, commands (the
 * nested ones), procs, limits. A command that could not be started is a result (END_NOT_STARTED), not an
 * error; an error means that Tocsin itself could not do its work (exit 125).
 */
int run_command(const struct run_config *c, struct report *r, struct err *e);

/*
 * An inner `tocsin run` is over (r->exit_code is final): hand its findings to the outer one, if there is one, so that
 * there is one verdict. The outer has heard of our nested go commands itself; it learns which of them are settled.
 * True: an outer run has heard it, and speaks for both.
 */
bool run_tell_outer(const struct report *r);

/* CI context from the environment, else from git in the working directory. Strings live in mem. */
void ci_read(struct arena *mem, struct ci_context *ret);
/* Is this a CI that we know? (For --format auto.) */
bool ci_known(void);

/* Called first by main: when the program was started by the name `go`, this is the nested call: never returns then. */
void shim_main_if_called(int argc, char **argv);
/* `tocsin allow -- CMD`: runs CMD with its nested failures allowed; returns the exit status (or does not return). */
int allow_exec(const struct argv *cmd, struct err *e);
#endif
