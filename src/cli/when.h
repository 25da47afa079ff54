#ifndef CLI_WHEN_H
#define CLI_WHEN_H

#include "base/buf.h"

/* Points in time as people write and read them. */

/* A length of time: 30d, 2w, 6mo, 1y, and all that Go writes (90s, 1h30m). False: not one. */
bool when_length(const char *text, int64_t *ret);
/* 2026-12-31 (00:00 UTC), RFC 3339, "2026-12-31 08:00[:00]", or seconds or milliseconds since 1970. False: not one. */
bool when_instant(struct span text, int64_t *ret);
/* An instant, or a length of time before now (past) or behind it. The flag is named in the error. */
int when_flag(const char *flag, const char *text, int64_t now, bool past, int64_t *ret, struct err *e);

void when_age(int64_t ns, char out[16]);   /* "now", "5m", "3h", "12d", "8w", "2y" */
void when_date(int64_t wall, char out[32]); /* 2026-11-21 02:00 in local time */
#endif
