#ifndef DIAGNOSE_LOGSCAN_H
#define DIAGNOSE_LOGSCAN_H

#include "model/report.h"

/*
 * The panics in a service's log that did not end it: net/http, gin, echo, fiber, chi, gRPC, Kubernetes, zap, slog, fmt, and stacks
 * that somebody printed; in text and JSON logs. Also crashes that only a JSON field holds. Lines without any of their words are
 * stepped over many bytes at a time. Equal ones are counted, not kept.
 */
struct logscan;

struct logscan_event { /* spans live for the call */
	enum cause cause;       /* CAUSE_GO_PANIC_RECOVERED, or how a program died that only JSON shows */
	const char *source;     /* "net/http", "gin" … */
	struct span value;      /* what was panicked with */
	struct span stack;      /* an excerpt as judges make it; may be empty */
	struct span file;       /* the first own frame */
	int line;
	int64_t offset;         /* of its first line */
	bool repeated;          /* the same was seen before */
};
typedef void logscan_fn(void *ctx, const struct logscan_event *e);

int logscan_new(logscan_fn *fn, void *ctx, struct logscan **ret, struct err *e); /* fn may be NULL */
void logscan_feed(struct logscan *s, struct span bytes);
void logscan_end(struct logscan *s); /* an event that was still open is told */
/* One finding an event that differs, with how often it was seen. */
void logscan_findings(const struct logscan *s, struct report *r);
/* The same, and the outcome, cause and summary of a report that knew nothing better. */
void logscan_report(const struct logscan *s, struct report *r);
void logscan_skip(struct logscan *s, int64_t n); /* so many bytes of whole lines were left out: for offsets */
bool logscan_found(const struct logscan *s);
void logscan_free(struct logscan *s); /* NULL is fine */
#endif
