#ifndef RUN_CONNECTOR_H
#define RUN_CONNECTOR_H

#include <stdbool.h>

#include "loop/loop.h"

/* The kernel's process connector: every start and end below one process, without tracing. */
struct connector;

struct connector_calls {
	void (*exec)(void *ctx, int pid);
	void (*exit)(void *ctx, int pid, int wait_status, const char *command); /* command: may be NULL */
	void *ctx;
};

int connector_open(struct loop *l, const struct connector_calls *calls, struct connector **ret, struct err *e);
void connector_root(struct connector *c, int pid); /* right after the fork: only its tree is told */
void connector_drain(struct connector *c); /* take in what is queued */
bool connector_lost(const struct connector *c); /* the kernel's queue ran over: some were missed */
void connector_close(struct connector *c);
#endif
