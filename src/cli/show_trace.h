#ifndef CLI_SHOW_TRACE_H
#define CLI_SHOW_TRACE_H

#include "base/json.h"
#include "cli/say.h"
#include "diagnose/trace.h"

/* For people: what it says, top entries of each list (0: all). */
void show_trace(const struct trace *t, int64_t top, const struct term *term, struct buf *ret);
/* One object with everything; changes may be NULL. */
void show_trace_json(const struct trace *t, const struct trace_changes *c, struct json_out *j);
void show_trace_changes(const struct trace_changes *c, int64_t top, const struct term *term, struct buf *ret);
/* 12ns, 3.4µs, 56ms, 7.8s, 2m05s */
void show_ns(struct buf *b, int64_t ns);
#endif
