#ifndef CHECK_SELECT_OWN_H
#define CHECK_SELECT_OWN_H

#include "check/select.h"

/* To this 1.N, a C or assembly file whose head cannot be read makes the package fail; later it is left out, or counts all the same. */
#define OTHER_REFUSED_TO 20
/* To this 1.N, a byte 0 anywhere in a Go file of bad syntax is what go sees first. */
#define NUL_SEEN_TO 25

/*
 * From this 1.N on go keeps an index of what it has read of a package, unless vendor/ is taken or a file is younger than two seconds. With it,
 * a file that is left out breaks the package all the same when it cannot be read, and a bad build line ends the reading.
 */
#define INDEXED_SINCE 19
/* In these 1.N the index knows nothing of import paths that cannot be. */
#define IMPORT_UNSEEN_FROM 20
#define IMPORT_UNSEEN_TO   24

/* What go says of a bad #cgo line that counts for this target, and its line; NULL: they are fine. Static text. */
const char *cgo_lines_check(const struct gohead *h, const struct target *t, int *line);
#endif
