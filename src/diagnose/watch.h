#ifndef DIAGNOSE_WATCH_H
#define DIAGNOSE_WATCH_H

#include "diagnose/judge.h"
#include "diagnose/logscan.h"

/*
 * The output of a service that lives: which lines say that it is dying, and which panics it recovered. Cheap: a line without any of
 * their words costs a look at its beginning. Memory is bounded, however long it lives: the end of the output, the beginning of a crash.
 * A crash that the process survives was only printed, and is told as a recovered panic.
 */
#define WATCH_TAIL (64 << 10)   /* the end of the output */
#define WATCH_CRASH (256 << 10) /* of what it says as it dies */
#define WATCH_ALIVE (INT64_C(2) * 1000000000) /* who lives on so long after its last words has survived them */

struct watch_event {
	enum cause cause;
	const char *source;     /* "net/http", … */
	struct span value, stack, file;
	int line;
};
struct watch_calls { /* spans live for the call */
	void (*event)(void *ctx, const struct watch_event *e);
	void (*dying)(void *ctx); /* it begins to say so; may be NULL */
	void *ctx;
};

struct output; /* a watched one */
int output_new(const struct watch_calls *c, struct output **ret, struct err *e);
void output_feed(struct output *o, enum stream s, struct span bytes, int64_t now);
/* Nothing came for a while: what waits for more is told. Call it now and then. */
void output_idle(struct output *o, int64_t now);
/* The process has ended: of what was held back, what it died of is none of our events. */
void output_end(struct output *o, bool died);
/* What it said as it died, with the lines before it; absent: nothing. Until output_again or output_free. */
struct span output_crash(struct output *o);
struct span output_tail(struct output *o); /* the newest WATCH_TAIL bytes */
void output_again(struct output *o); /* a new process takes its place */
void output_free(struct output *o); /* NULL is fine */
#endif
