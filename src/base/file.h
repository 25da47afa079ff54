#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"

/*
 * A file that is written for the user, wherever the name leads. A regular file is made whole or not at all (a temporary
 * file beside it, then rename; its mode and the links to it stay), unless it grows. Our own descriptors (/dev/stdout,
 * /dev/fd/3), devices and pipes are written to as they are; a pipe that nobody reads is given up, not waited for.
 */
struct file_out {
	const char *path;
	int fd;
	bool own;    /* the descriptor is not ours to close */
	bool exists; /* there was a regular file before */
	int wait_ms; /* how long one write may wait for a reader; -1: no limit */
	struct buf real, tmp;
};

enum file_how { FILE_WHOLE, FILE_GROWS };
int file_begin(struct file_out *f, const char *path, enum file_how how, struct err *e);
int file_put(struct file_out *f, struct span what); /* -errno */
/* Closes it. failed: -errno of what went wrong while it was written; then nothing is replaced, and it is returned. */
int file_end(struct file_out *f, int failed, struct err *e);

/* "/dev/stdout", "/dev/fd/3" and other names of a descriptor that we were started with: its number, else -1. */
int file_own_fd(const char *path);
/* Would writing the one write the other? Devices are not counted: many may write to /dev/null. */
bool file_same(const char *a, const char *b);
#endif
