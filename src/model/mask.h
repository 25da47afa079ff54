#ifndef MODEL_MASK_H
#define MODEL_MASK_H

#include "base/buf.h"

/*
 * What of a message stays the same when the same thing goes wrong again: addresses, ids, times, durations, ports,
 * processes and folders give way to '#'. Part of the fingerprint, whose version changes when a rule here does.
 */
enum mask_level {
	MASK_LOOSE,  /* what programs and tests print: every number, and quoted data */
	MASK_STRICT, /* what go and its tools print: names, types, versions and small numbers stay */
};
void mask_text(struct span text, enum mask_level level, struct buf *ret);
/* The same without quotes, blanks or folders in mind: the path of a test, an import path. */
void mask_name(struct span name, struct buf *ret);
#endif
