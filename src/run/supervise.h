#ifndef RUN_SUPERVISE_H
#define RUN_SUPERVISE_H

#include <sys/resource.h>

#include "run/connector.h"
#include "run/nested.h"
#include "run/proof.h"
#include "run/relay.h"
#include "run/spawn.h"
#include "run/terminal.h"
#include "run/tree.h"

/* The state of one supervised run, shared by run.c (start to end), job.c (^Z and fg), stop.c (ending it) and outcome.c (the report). */

#define NOTES_MAX 64
#define QUIET_MAX 32

struct quiet { /* a process that may wait for the network */
	int pid;
	uint64_t start, used;
	int64_t io, since, seen;
};

enum rung { RUNG_NONE, RUNG_QUIT, RUNG_TERM, RUNG_KILL };

struct run {
	const struct run_config *c;
	struct report *r;
	struct loop *loop;
	struct relay relay;
	struct child child;        /* pid 0: not started */
	struct terminal term;
	struct pty pty;
	struct connector *conn;    /* NULL: not to be had */
	struct nested_server *nested;
	struct cgroup group;       /* the run's own; version 0: not to be had */
	struct proof proof;
	struct rlimit files;       /* RLIMIT_NOFILE as we were given it; the command gets it so */
	bool few_files;            /* it leaves room for the output, and for little else */
	int *old;                  /* children that we had before: not ours to judge */
	size_t n_old;
	int64_t grace;

	int64_t began;             /* CLOCK_MONOTONIC */
	int64_t ended;             /* 0: the command lives */
	int64_t suspended;         /* time spent stopped with ^Z: no limit counts it */
	bool stopped;              /* the command is stopped (state T) */
	int stop_asked;            /* ^Z was passed on: we stop when the command has, or after a moment */
	bool stop_whole;
	struct watch *stop_timer;

	enum rung rung;            /* of the ladder QUIT, TERM, KILL */
	int64_t rung_at;
	struct watch *ladder;
	struct watch *timeout, *stall;
	int64_t progress;          /* last known progress other than output */
	uint64_t work;             /* CPU ticks of processes below that have ended, when it was sampled */
	struct watch *quiet_timer;
	struct quiet quiet[QUIET_MAX];
	int64_t quiet_looked;
	struct service *service;   /* NULL: it is none */
	int interrupts;
	bool hurry;                /* asked to end while only left-overs are waited for */

	bool childless;            /* nothing below us lives or waits to be reaped */
	uint64_t owed;             /* output that was written before the command's end */
	int status_code, status;   /* CLD_EXITED, …, and what goes with it */
	int64_t cpu_limit_ns;      /* RLIMIT_CPU that it hit; 0: none */
	struct spawn_fail failure; /* why it never became the command */
	bool failed;
	struct rusage used;
	struct proc_note notes[NOTES_MAX];
	size_t n_notes;
	bool notes_full;
};

/* run.c */
bool run_had(const struct run *x, int pid);        /* our child from before */

/* stop.c */
void stop_signal_group(struct run *x, int sig);    /* the command's whole group, while it lives */
void stop_climb(struct run *x, enum rung from);    /* begin the ladder, or go up to that rung */
void stop_again(struct run *x);                    /* the same once more, for those that are left */
void stop_timeout(void *ctx, int64_t now);
void stop_stall(void *ctx, int64_t now);
void stop_limit(struct run *x, enum end_stop stop, int64_t limit);
void stop_by_signal(struct run *x, const struct signalfd_siginfo *si);
bool stop_is_ours(const struct run *x);            /* a signal death now is our doing */
int stop_scan(struct run *x, struct tree *t);      /* the living processes below us */

/* quiet.c */
void stop_quiet(void *ctx, int64_t now);
bool stop_waits_for_network(struct run *x, int64_t now); /* one of those it watches has done so for half of the limit */

/* job.c */
void job_resume(struct run *x);                    /* we were continued: so is the command */
void job_stop(struct run *x, int sig, int to_group, bool whole); /* stop the command, then ourselves */
void job_typed(void *ctx);                         /* ^Z in a pty */
void job_command_stopped(struct run *x, int sig);

/* service.c */
int service_begin(struct run *x, struct err *e);
void service_step(struct run *x);                  /* after each step of the loop */
void service_demand(struct run *x);
bool service_child(struct run *x, int pid);        /* the end of a process of ours, not of the command's */
bool service_is_ours(int pid);                     /* of this program's own: nobody is to end it */
void service_end(struct run *x);                   /* waits for work, at most to its limit */

/* health.c */
struct health;
typedef void health_fn(void *ctx, bool healthy, const char *answer);
int health_open(struct loop *l, const char *url, int64_t time_ns, health_fn *fn, void *ctx, struct health **ret, struct err *e);
void health_ask(struct health *h);                 /* a check that is under way goes on */
void health_close(struct health *h);

/* outcome.c */
void outcome_note(struct run *x, int pid, int sig, const char *command);
void outcome_limit(struct run *x, const char *text);
void outcome_left_over(struct run *x, bool ending); /* name those that outlive the command; ending: by us, now */
void outcome_not_started(struct run *x, const char *path, const char *search, int err, bool fork);
void outcome_fill(struct run *x);
#endif
