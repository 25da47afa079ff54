#ifndef DIAGNOSE_LOGCLOCK_H
#define DIAGNOSE_LOGCLOCK_H

#include "base/buf.h"

/*
 * When a log's crashes were: the runtime prints no time, but the line that holds a goroutine's header, or one above it, mostly
 * has one. Feed it the log as it stands in the file, with whatever a collector put around its lines.
 */
#define LOGCLOCK_SEEN 64 /* goroutines whose time is kept: the newest */

struct logclock {
	struct buf part;     /* an unfinished line */
	int64_t first, last; /* the log's own times, ns since 1970; 0: none was seen */
	struct {
		int64_t goroutine, time;
	} seen[LOGCLOCK_SEEN];
	size_t n; /* ever seen */
};

void logclock_feed(struct logclock *c, struct span bytes);
void logclock_end(struct logclock *c);
/* When goroutine `id` was printed, the last time; 0: not known. */
int64_t logclock_of(const struct logclock *c, int64_t id);
void logclock_free(struct logclock *c);
/*
 * The first instant in a line: RFC 3339 and its like ("2026-11-21 02:00:00,123", "2026/11/21 02:00:00" of package log; without a
 * zone this machine's holds), "ts":1763690400.5, journald's "__REALTIME_TIMESTAMP". False: none.
 */
bool logclock_read(struct span line, int64_t *ret);
#endif
