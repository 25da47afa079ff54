#ifndef BASE_PATH_H
#define BASE_PATH_H

#include "base/buf.h"

struct span path_base(struct span path); /* the last element */
struct span path_dir(struct span path);  /* what is before it; "." when there is none */
void path_join(struct buf *ret, const char *dir, const char *name); /* appends dir/name; name alone when absolute */
int path_mkdirs(const char *path, unsigned mode, struct err *e); /* the whole chain; existing ones are fine */
/*
 * A directory of the user's own: $VAR/tocsin, else $HOME/FALLBACK/tocsin, else /tmp/tocsin-UID. Made
 * with mode 0700 when missing; refused when it belongs to somebody else.
 */
int path_user_dir(const char *var, const char *fallback, struct buf *ret, struct err *e);
#endif
