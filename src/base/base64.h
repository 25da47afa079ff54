#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"

/* Base64 after RFC 4648, with the standard alphabet. */
void base64_add(struct buf *b, struct span bytes);   /* one line, padded */
bool base64_read(struct span text, struct buf *ret); /* appends; padding may be missing; false: not base64 */
#endif
