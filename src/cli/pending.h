#ifndef CLI_PENDING_H
#define CLI_PENDING_H

#include "diagnose/judge.h"

/*
 * Plain text names a package only when it has ended ("ok pkg"): what its tests did waits here, in a temporary file once
 * it is much, so that memory does not grow with it.
 */
struct pending;
struct pending *pending_new(void); /* NULL: no memory */
/* Takes notices without a package, and the lines behind a failed test: without -v it says there why it failed. */
void pending_add(struct pending *p, const struct notice *n);
/* Hands all on, in their order, as this package's, and forgets them. -errno: some were lost. */
int pending_give(struct pending *p, struct span package, notice_fn *fn, void *ctx);
void pending_free(struct pending *p); /* NULL is fine */

int temp_file(void); /* without a name, in TMPDIR; -1 and errno */
#endif
