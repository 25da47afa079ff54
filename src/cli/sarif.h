#ifndef CLI_SARIF_H
#define CLI_SARIF_H

#include "model/report.h"
#include "store/store.h"

/*
 * SARIF 2.1.0: rules are the causes that occur, partialFingerprints the fingerprint, baselineState what the fault library
 * knows (new, unchanged, absent once resolved), locations relative to the source root. Appends to ret, with a newline.
 */
void sarif_write(const struct report *r, struct buf *ret);
/* lasts: the last finding of each, or NULL; may have no cause where there was none. */
void sarif_write_faults(const struct fault *faults, const struct finding *lasts, size_t n, struct buf *ret);
#endif
