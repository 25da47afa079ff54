#ifndef ALERT_SECRET_H
#define ALERT_SECRET_H

#include "base/buf.h"
#include "base/redact.h"

/*
 * Secrets: read when they are needed, held in memory that is locked, kept out of core files and forks, wiped. Sources:
 * env:NAME (or NAME_FILE, which names a file), file:PATH (read again each time), credential:NAME (systemd's
 * $CREDENTIALS_DIRECTORY, else /run/secrets/NAME). Text that is no reference is refused: it would stand in a file or argv.
 * A value is one line of 4 to SECRET_MAX bytes without control characters; blanks and newlines around it are not part of it.
 * No message has a value in it. Not for two threads at once.
 */
#define SECRET_MAX REDACT_VALUE_MAX
struct secrets;
int secrets_open(struct secrets **ret, struct err *e);
void secrets_close(struct secrets *s); /* wipes; NULL is fine */
void secrets_close_cleanup(struct secrets **s);

bool secret_is_reference(const char *text); /* "env:…", "file:…", "credential:…"; else a plain address, or a mistake */
/* The value of a reference; it lasts until close, or until it is asked for again. Absent file, empty value, unknown form: one sentence. */
int secret_get(struct secrets *s, const char *ref, struct span *ret, struct err *e);
/*
 * A value that somebody handed over (the run that owes the alert): of env: it is the one that counts from now on, of the
 * others the one for when they cannot be read. Two runs may mean different values by one name: one struct secrets each.
 */
int secret_put(struct secrets *s, const char *ref, struct span value, struct err *e);
/* A sentence on how it is kept (a file that others may read), or NULL; after secret_get. Lasts as the value does. */
const char *secret_note(const struct secrets *s, const char *ref);
/* All values so far, known to redaction from now on; of an address also its telling parts. */
int secrets_redact(const struct secrets *s, struct redact *x, struct err *e);
/* Names of the environment variables that the references name, NAME and NAME_FILE: what the wrapped command must not get. */
int secret_variables(const char *const *refs, size_t n, struct buf *names /* a line each */, struct err *e);
/*
 * Takes the variables out of this process's environment, where /proc shows them to its children; what secret_get has read of
 * them is as if it had been handed over. Not beside threads that read the environment.
 */
int secrets_hide(struct secrets *s, const char *const *refs, size_t n, struct err *e);
/*
 * This process: not dumpable, no core, memory locked where it may be. Its children inherit the core limit: not for a
 * process that starts the wrapped command.
 */
void secret_process(void);
#endif
