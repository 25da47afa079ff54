#ifndef CLI_SINK_H
#define CLI_SINK_H

#include "base/redact.h"

/* A file that grows while the run lasts: --log, --jsonfile. A failure is said once and never stops the run. */
struct sink;
/* A name that ends in .zst is compressed. */
int sink_open(const char *path, struct sink **ret, struct err *e);
/* The same, and nothing that is secret gets into it; else byte for byte. x: see base/redact.h; may be NULL. */
int sink_open_redacted(const char *path, const struct redact *x, struct sink **ret, struct err *e);
void sink_write(struct sink *s, struct span bytes); /* NULL is fine */
/* Ends it. Less than 0: something could not be written, and what. NULL is fine. */
int sink_close(struct sink *s, struct err *e);
#endif
