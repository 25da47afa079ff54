#ifndef CHECK_LINT_FIX_H
#define CHECK_LINT_FIX_H

#include "base/buf.h"
#include "check/lint.h"

/*
 * Edits of findings, made in a text. Of those that overlap the first one is made and the others are left for the next round. all: also those
 * that are not safe. Appends the new text; returns how many findings were mended.
 */
size_t lint_fix_text(struct span text, const struct lint_finding *const *findings, size_t n, bool all,
		     struct buf *ret);
#endif
