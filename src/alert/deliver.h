#ifndef ALERT_DELIVER_H
#define ALERT_DELIVER_H

#include "alert/secret.h"
#include "config/config.h"
#include "model/report.h"
#include "store/store.h"

/*
 * Alerts of an outbox, sent. One deliverer for an outbox (a lock beside it); others hand it what they know and leave. It sends
 * what is due, says in the outbox what came of it, and may be killed at any moment: what it had is due again.
 */
struct deliver_options {
	const char *outbox;  /* deliver_outbox() */
	const char *config;  /* for rows that name none; NULL: the user's and the system's */
	bool once;           /* one attempt for each that is due, then leave */
	int64_t idle;        /* leave when nothing is owed for this long; negative: never */
	int secrets_fd;      /* a handover is read from it until its end; -1: none */
	void (*said)(void *ctx, const char *line); /* what came of each; may be NULL */
	void *ctx;
};
/* 0: done; 1: another deliverer is at it, and knows of ours; 2 (once): some could not be delivered. */
int deliver_run(const struct deliver_options *o, struct err *e);
/* The file of the outbox: flag, else TOCSIN_OUTBOX, else the user's own store; absolute. Always a local file. Appends. */
int deliver_outbox(const char *flag, struct buf *ret, struct err *e);

/* ---- for the run that owes ---- */

struct deliver_hand { /* what a deliverer must know of a run */
	const char *outbox, *run, *project;
	const struct config *config;
	struct secrets *secrets;          /* values that this process can read */
	const char *const *channels;      /* whose references are handed over; NULL-terminated; NULL: all */
};
/*
 * Hands it to the living deliverer of the outbox, else starts one: detached from this session, directory, terminal and all
 * descriptors, with only harmless variables. Takes at most 0.3 s, mostly a millisecond. What cannot be read here is not handed over.
 */
int deliver_start(const struct deliver_hand *h, struct err *e);
/*
 * Where alerts are kept when the outbox cannot be written: a file in $TMPDIR, /tmp, $XDG_RUNTIME_DIR or /dev/shm, where there is room, in a folder for its
 * owner only. Appends. make false: only if it is there already (-ENOENT).
 */
int deliver_stand_in(bool make, struct buf *ret, struct err *e);
/* Before something is owed: a living one knows the secrets of its rows before it sees them. No living one: nothing happens. */
void deliver_forewarn(const struct deliver_hand *h);

/* ---- waiting for rows ---- */

struct deliver_wait {
	const char *const *ids; /* of rows */
	size_t n;
	int64_t time_ns;
	bool (*stopped)(void *ctx); /* told to end; may be NULL */
	void *ctx;
};
/* Looks at the outbox until they are delivered or cannot be, at most time_ns. fn hears each that is not delivered. How many. */
int deliver_wait(struct store *outbox, const struct deliver_wait *w, alert_fn *fn, void *ctx, struct err *e);
#endif
