#ifndef SNAP_OWN_H
#define SNAP_OWN_H

#include "snap/snap.h"

/* Between snap.c, which makes one, and list.c, which knows the others. */
int64_t snap_bytes(const char *path);
void snap_remove(const char *path);
/* The oldest go until all together are within the budget; `keep` and the newest stay. */
void snap_make_room(const char *dir, const char *keep, int64_t budget);
#endif
