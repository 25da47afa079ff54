#ifndef CLI_KNOWN_H
#define CLI_KNOWN_H

#include "base/redact.h"

/*
 * What this process was started with holds secrets: variables such as DB_PASSWORD, a proxy's address, an argument. They are
 * known to redaction from now on, wherever they turn up (redact_know); and where others look at a process (ps, /proc) they are
 * no more: argv and environ are copies, out of core files, of which the command gets its own as ever.
 */
void known_begin(int argc, char **argv);
struct redact *known_values(void); /* more may be added; NULL: there was no memory */
/* What the channels of the configuration name is known too, as far as it can be read here. */
struct config;
void known_channels(const struct config *c);
void known_configured(void); /* the same of the configuration that is found; when there is one */
void known_end(void);
#endif
