#ifndef CLI_SHOW_GOROUTINES_H
#define CLI_SHOW_GOROUTINES_H

#include "base/json.h"
#include "cli/say.h"
#include "diagnose/goroutines.h"

/* Groups, the largest first; top: how many, -1: what fits a screen, 0: all. */
void show_goroutines(const struct goroutines *g, int64_t top, const struct term *t, struct buf *ret);
/* What is wrong, a sentence each: for where no findings say so. */
void show_goroutines_wrong(const struct goroutines *g, const struct term *t, struct buf *ret);
void show_goroutines_json(const struct goroutines *g, int64_t top, struct json_out *j);
/* What grew and shrank between dumps. */
void show_godumps(const struct godump *d, size_t n, const struct gochange *c, size_t n_changes, int64_t top, const struct term *t,
		  struct buf *ret);
void show_godumps_json(const struct godump *d, size_t n, const struct gochange *c, size_t n_changes, int64_t top, struct json_out *j);
#endif
