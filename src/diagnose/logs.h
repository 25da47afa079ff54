#ifndef DIAGNOSE_LOGS_H
#define DIAGNOSE_LOGS_H

#include "diagnose/goroutines.h"
#include "diagnose/judge.h"
#include "diagnose/logscan.h"

/*
 * A log on its way to the judge. What a collector put around the lines is taken off; of the log of a service, by far most of which
 * says nothing, only what may mean something is given on, with all that stands around it. Recovered panics and goroutine dumps
 * are looked for on the way.
 */
struct logs;

int logs_new(struct span head, struct judge *j, struct logs **ret, struct err *e);
void logs_feed(struct logs *l, struct span bytes);
void logs_end(struct logs *l); /* before judge_finish */
/* After judge_finish: what the log shows beside the judge's findings. */
void logs_report(struct logs *l, struct report *r);
/* The largest dump in it, when that has more than one goroutine; NULL. */
const struct goroutines *logs_goroutines(const struct logs *l);
void logs_free(struct logs *l); /* NULL is fine */
#endif
