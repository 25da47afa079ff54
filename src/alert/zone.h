#ifndef ALERT_ZONE_H
#define ALERT_ZONE_H

#include "base/err.h"
#include "base/span.h"

/*
 * A time zone, from the system's database (TZif, RFC 9636) or as "UTC+8": what the C library offers works on the whole
 * process (TZ), and others run beside us. Seconds since 1970 throughout; "local" ones are what a clock there shows, as if
 * it were UTC.
 */
struct zone;
int zone_open(const char *name, struct zone **ret, struct err *e); /* -ENOENT: not known to this machine */
int zone_read(struct span tzif, struct zone **ret, struct err *e); /* hostile input: bounded, one sentence */
void zone_free(struct zone *z);                                    /* NULL is fine */
int64_t zone_offset(const struct zone *z, int64_t utc);            /* local - UTC */
/*
 * When does a clock there show this, after the instant `after`? Of two such instants (an hour that comes twice) the first
 * that is after it; of none (an hour that is left out) the one at which the clock would, had it not been moved.
 */
int64_t zone_utc(const struct zone *z, int64_t local, int64_t after);
#endif
