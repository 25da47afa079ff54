#ifndef PARSE_FIELDS_H
#define PARSE_FIELDS_H

#include "base/span.h"

/* White space as Go's strings.Fields and strings.TrimSpace see it: that of Unicode, so that a no-break space separates too. */
bool fields_next(struct span *rest, struct span *ret); /* the next word; false: no more */
struct span fields_trim(struct span s);
bool fields_is_conflict(struct span line); /* <<<<<<<, |||||||, =======, >>>>>>>: git leaves them where a merge needs a hand */
#endif
