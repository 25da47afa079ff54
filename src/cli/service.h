#ifndef CLI_SERVICE_H
#define CLI_SERVICE_H

#include "cli/attempt.h"

/*
 * `tocsin run --service`: what a long-lived command shows while it lives is a finding at once: counted by fingerprint, told through the
 * outbox, recorded, and kept as a snapshot. Its output goes on meanwhile.
 */
extern const char *const restart_names[], *const on_hang_names[];

/* Do the flags go together? */
int service_check(const struct run_values *o, bool format_given, struct err *e);
void service_guard(void); /* SIGUSR1 and SIGUSR2 do not end us, however early they come */
int service_open(struct session *s, struct err *e);
/* Run it to its end, again after a crash when that is asked for. *r is the last one's report, with what was found on the way. */
int service_run(struct session *s, struct report *r, struct err *e);
/* The findings that are not recorded yet are recorded with the run; nobody hears of the others again. */
void service_record(struct session *s, struct report *r);
/* Is there something that nobody was told of, or that is over now? */
bool service_tells(const struct session *s, const struct report *r);
void service_close(struct session *s);
#endif
