#ifndef CLI_ALARM_H
#define CLI_ALARM_H

#include "cli/attempt.h"

/*
 * What alerts have to do with a run: secrets are read, known to redaction and kept from the command; a failure that cannot be
 * reversed is told while the run goes on, the rest at its end. Alerts are owed in the local outbox before we leave, and are sent by
 * a deliverer that outlives us. What is wrong with them is said, and changes nothing else.
 */
int alarm_open(struct session *s, struct err *e);
/* A finding that is certain already: the first one is told at once. */
void alarm_early(struct session *s, const struct finding *f);
/*
 * Of a service that lives on: one finding, told at once. alarm_report makes its report (to be freed); alarm_forewarn and alarm_start are
 * for the process that has the secrets, alarm_owe may be in another one (>= 1: somebody is to be
 * told, then alarm_start; ids: of the rows, each with a blank behind it).
 */
int alarm_report(struct session *s, const struct finding *f, enum outcome o, struct report *r);
void alarm_forewarn(struct session *s, const char *run);
int alarm_owe(struct session *s, const struct report *r, struct buf *ids);
void alarm_start(struct session *s, const char *run, struct span ids);
/* The run has ended, and its report is complete. */
void alarm_end(struct session *s, const struct report *r);
/* --flush waits for what is owed; what was not delivered is said, and written to --spool. */
void alarm_flush(struct session *s);
void alarm_close(struct session *s);
#endif
