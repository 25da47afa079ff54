#ifndef MODEL_FINGERPRINT_H
#define MODEL_FINGERPRINT_H

#include "model/report.h"

/*
 * The identity of a fault: equal for its findings of every run, machine, checkout, Go version and language, different
 * for different faults. docs/fingerprint.md states every rule; a change of any of them is a new version. Pure: no clock,
 * no locale, no allocation, bounded time.
 */
#define FINGERPRINT_VERSION 1
#define FINGERPRINT_LEN 33    /* the version's digit and 32 hex digits */
#define FINGERPRINT_TEXT 8192 /* bytes that are hashed, at most */

void fingerprint_make(const struct report *r, const struct finding *f, char ret[FINGERPRINT_LEN + 1]);
/* Append what is hashed: a line a fact, as "cause test.fail". */
void fingerprint_text(const struct report *r, const struct finding *f, struct buf *ret);
#endif
