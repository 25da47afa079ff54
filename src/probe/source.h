#ifndef PROBE_SOURCE_H
#define PROBE_SOURCE_H

#include "base/err.h"
#include "base/sha256.h"

/*
 * A file's bytes at fixed places of memory, read piece by piece when they are first asked for. It is our own copy: a file that
 * is cut while we read is no fault signal, and relocations can be applied to it.
 */
struct probe_source {
	int fd; /* -1: all is there */
	uint64_t size;
	unsigned char *p;    /* size bytes and a few zeros */
	unsigned char *have; /* one a piece */
	bool changed;        /* it gave fewer bytes than it had at first */
};

int source_open(int fd, const char *name, struct probe_source **ret, struct err *e);
int source_of_bytes(struct span bytes, struct probe_source **ret, struct err *e);
void source_free(struct probe_source *s);
unsigned char *source_at(struct probe_source *s, uint64_t at,
			 uint64_t n); /* NULL: not all of it is in the file */
/* The hash of bytes that nobody else needs: they are not kept. */
bool source_hash(struct probe_source *s, uint64_t at, uint64_t n, unsigned char ret[SHA256_SIZE]);
#endif
