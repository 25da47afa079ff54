#ifndef CLI_TIMELINE_H
#define CLI_TIMELINE_H

#include "cli/say.h"
#include "diagnose/trace.h"

/* One SVG that needs nothing else: a row each processor and each group of goroutines. */
void timeline_svg(const struct trace *t, const char *name, struct buf *ret);
/* The same in characters, as wide as the terminal. */
void timeline_text(const struct trace *t, int64_t top, const struct term *term, struct buf *ret);
/* The lanes that are worth a row, the busiest first; ret has room for n; the number of them. */
size_t timeline_lanes(const struct trace *t, const struct trace_timeline *l, const struct trace_lane **ret, size_t n);
#endif
