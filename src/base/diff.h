#ifndef BASE_DIFF_H
#define BASE_DIFF_H

#include "base/span.h"

#define DIFF_CELLS_MAX ((size_t)4 << 20) /* changed lines of the one times those of the other */

/*
 * Two texts, line by line: the fewest lines that went and came, in order, what went before what came. The end of a line
 * counts for nothing (LF, CRLF, none at the end). Beyond DIFF_CELLS_MAX all that lies between the common head and tail
 * is taken for changed. fn gets every line. Returns how many lines differ, or -ENOMEM before fn was called.
 */
enum diff_kind { DIFF_SAME, DIFF_OLD, DIFF_NEW };
typedef void diff_fn(void *ctx, enum diff_kind kind, struct span line);
int64_t diff_lines(struct span a, struct span b, diff_fn *fn, void *ctx);
#endif
