#ifndef ALERT_CHILD_H
#define ALERT_CHILD_H

#include <poll.h>

#include "alert/channel.h"

/*
 * A channel that is a program: the alert on its standard input, its exit status and what it prints are the answer. It gets an
 * environment of its own (PATH, HOME and what names language and time), a session of its own, and an end when its time is up.
 */
struct child_job;
/* argv: the lines of q->to. The request stays the caller's until child_free. */
int child_start(const struct request *q, int64_t time_ns, struct child_job **ret, struct err *e);
/* Writes, reads and waits as far as that goes at once. True: it has ended, *ret says how (spans live until child_free). */
bool child_step(struct child_job *c, struct response *ret);
int child_polls(const struct child_job *c, struct pollfd *ret); /* at most CHILD_POLLS; how many */
#define CHILD_POLLS 3
int64_t child_deadline(const struct child_job *c); /* CLOCK_MONOTONIC */
void child_free(struct child_job *c); /* kills it when it is still there; NULL is fine */
#endif
