#ifndef PROBE_FILEHASH_H
#define PROBE_FILEHASH_H

#include <stdbool.h>

#include "base/sha256.h"

/* Of a regular file, links followed. false: it cannot be read to its end. */
bool file_sha256(const char *path, unsigned char ret[SHA256_SIZE]);
#endif
