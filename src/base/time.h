#ifndef BASE_TIME_H
#define BASE_TIME_H

#include <stdint.h>

#include "base/buf.h"

/* Time is int64_t nanoseconds. */
#define NSEC_PER_SEC INT64_C(1000000000)
#define NSEC_PER_MSEC INT64_C(1000000)

int64_t time_mono(void); /* CLOCK_MONOTONIC */
int64_t time_wall(void); /* since 1970, UTC */
void time_rfc3339(int64_t wall, char out[32]); /* 2026-11-21T02:00:00Z */
/*
 * An instant as RFC 3339 writes it: "2026-11-21T02:00:00Z", with a fraction (digits behind the ninth count for nothing)
 * and any offset. False: not one, or outside the years 1678 to 2261. A leap second is the next second's begin.
 */
bool time_parse_rfc3339(struct span text, int64_t *ret);
/* A duration as Go writes it: 90s, 10m, 1h30m, 1.5s, 300ms, 0. False: not one, negative, or too long. */
bool duration_parse(const char *text, int64_t *ret);
/* For people: 0.42s, 12.3s, 2m05s, 1h02m. */
void duration_text(int64_t ns, char out[24]);
/* A ULID: 48 bits of wall milliseconds, 80 random bits, 26 characters of Crockford base 32. */
void ulid_make(int64_t wall, char out[27]);
#endif
