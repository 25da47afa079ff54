#ifndef STORE_SPOOL_H
#define STORE_SPOOL_H

#include <stdint.h>

/* Bounds on what waits for one store, in one place. */
#define SPOOL_FILES_MAX 1000
#define SPOOL_BYTES_MAX ((int64_t)256 << 20)
#endif
