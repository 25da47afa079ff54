#ifndef RUN_PANICS_H
#define RUN_PANICS_H

#include "diagnose/judge.h"

/*
 * Read the file that the overlay of the runtime wrote (overlay_hook.h says how), join panics with their
 * recoveries, leave out what is by design, tell the judge the rest and empty the file. 1, or 0: no go command
 * at all was run with the overlay, nor was any refused.
 */
int panics_take(const char *path, struct judge *j, struct err *e);
/* What test binaries left behind, from the same file; before panics_take, which empties it. */
void leaks_take(const char *path, struct judge *j);
/* A field of a record: \\ and \xNN; what is broken stays. */
struct span panics_unescape(struct arena *mem, struct span s);
#endif
