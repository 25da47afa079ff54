#ifndef PROBE_SERVE_H
#define PROBE_SERVE_H

#include "base/buf.h"

/*
 * A health endpoint: it answers GET and HEAD of one resource, and nothing else. Everything is bounded: connections, the head of a
 * request, the time for it. One request a connection, no bodies. One thread (src/loop).
 */
struct serve_answer {
	int status;      /* 200, 503 */
	struct buf body; /* JSON */
	struct buf more; /* header fields, each with its CR LF; made by serve_field */
};
typedef void serve_fn(void *ctx, struct serve_answer *ret);

struct serve {
	const char *
		address; /* "127.0.0.1:9100", "[::1]:9100", ":9100", "9100": of this machine when no host is said */
	bool anywhere; /* other machines may ask */
	serve_fn *answer;
	void *ctx;
	void (*ready)(void *ctx, const char *url); /* it listens now */
};
#define SERVE_CONNECTIONS 64
#define SERVE_SECONDS     5 /* for a request and its answer */

/* Until SIGTERM or SIGINT: 0. -EINVAL: the address, or it is not of this machine and not `anywhere`. */
int serve_run(const struct serve *s, struct err *e);
/* A field whose value may be any text: what HTTP does not carry is percent-encoded. */
void serve_field(struct serve_answer *a, const char *name, struct span value);
#endif
