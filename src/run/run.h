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

/* ---- a service: a command that lives long ---- */

struct run; /* the run at hand */
struct run_hang { /* it lives, and does not go on */
	bool health;         /* the health check failed; else nothing was written */
	bool spins;          /* its CPU time shows a loop; else it uses none */
	bool ends;           /* it is ended now: SIGQUIT makes it print its goroutines */
	int64_t quiet_ns;    /* how long it wrote nothing, or was not healthy */
	int64_t cpu_ns, over_ns; /* CPU time used, over how long it was measured */
	int threads, running, uninterruptible; /* by state, when it was found */
	char answer[120];    /* of the health check: "HTTP 503", "no answer within 5s" */
	char waits[64];      /* wchan that most threads are in; "": not to be read */
};
typedef void run_hang_fn(void *ctx, struct run *x, const struct run_hang *h);
typedef void run_done_fn(void *ctx, bool whole, struct span said);
struct run_service {
	int64_t stall;       /* this long without output is looked at; 0: never */
	const char *health;  /* http://HOST[:PORT]/PATH; NULL: not asked */
	int64_t every;       /* between two checks, and the longest time for one is half of it or 5 s */
	int fails;           /* so many one after the other are looked at */
	bool end_hung;
	void (*note)(void *ctx, const char *text); /* something of ours that does not work */
	void (*began)(void *ctx, struct run *x, int pid);
	run_hang_fn *hang;
	void (*demand)(void *ctx, struct run *x); /* SIGUSR1: it is not passed on */
	void (*step)(void *ctx, struct run *x, int64_t now); /* what was read has been written on; also every 200 ms */
	void *ctx;
};
/*
 * Work that may wait, in a process of its own, so that the command's output does not: fn runs there, and what it writes to fd (at
 * most 16 KiB) comes back to `done` in this process. One at a time; at most `limit`. False: one is at work, or it cannot be had.
 */
typedef void run_work_fn(void *ctx, int fd);
bool run_work(struct run *x, run_work_fn *fn, run_done_fn *done, void *ctx, int64_t limit);
bool run_working(const struct run *x);
int run_health_check(const char *url, struct err *e); /* is this what `health` takes? */
/* A hang was seen and the command lives: its goroutines were asked for, now go up the ladder. */
void run_end_hung(struct run *x, int64_t quiet_ns);

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
	const struct run_service *service; /* NULL: it is none. stall, network_stall and nested are not for it */
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
