#ifndef RUN_PANICS_H
#define RUN_PANICS_H

#include "diagnose/judge.h"

/*
 * Read the file that the overlay of the runtime wrote (overlay_hook.h says how), join panics with their
 * recoveries, leave out what is by design, tell the judge the rest and empty the file. root is GOROOT.
 */
int panics_take(const char *path, const char *root, struct judge *j, struct err *e);
#endif
