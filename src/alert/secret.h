#ifndef ALERT_SECRET_H
#define ALERT_SECRET_H

#include "base/buf.h"
#include "base/redact.h"

/*
 * Secrets: read when they are needed, held in memory that is locked, kept out of core files and forks, wiped. Sources:
 * env:NAME (or NAME_FILE, which names a file), file:PATH (read again each time), credential:NAME (systemd's
 * $CREDENTIALS_DIRECTORY, else /run/secrets/NAME). Text that is no reference is refused: it would stand in a file or argv.
 */
struct secrets;
int secrets_open(struct secrets **ret, struct err *e);
void secrets_close(struct secrets *s); /* wipes */
/* The value of a reference; kept until close, or until it is read again. Absent file, empty value, unknown form: one sentence. */
int secret_get(struct secrets *s, const char *ref, struct span *ret, struct err *e);
/* A value that somebody handed over (the run that owes the alert), for a reference that this process cannot read. */
int secret_put(struct secrets *s, const char *ref, struct span value, struct err *e);
/* All values so far, known to redaction from now on. */
int secrets_redact(const struct secrets *s, struct redact *x, struct err *e);
/* Names of the environment variables that the references name, NAME and NAME_FILE: what the wrapped command must not get. */
int secret_variables(const char *const *refs, size_t n, struct buf *names /* a line each */, struct err *e);
void secret_process(void); /* this process: not dumpable, no core, memory locked where it may be */
#endif
