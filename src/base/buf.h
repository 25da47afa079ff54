#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>

#include "base/err.h"
#include "base/span.h"

/*
 * A growing byte buffer with a ceiling. Failure (no memory, ceiling reached) sticks in `bad` until
 * asked; what was in it stays. p is NUL-terminated once anything was added. {0} has no ceiling.
 */
struct buf {
	char *p;
	size_t len, cap, max;
	bool bad;
};

bool buf_need(struct buf *b, size_t more); /* room for more bytes (and a NUL) */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_adds(struct buf *b, const char *z);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vaddf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
void buf_clear(struct buf *b); /* length 0, memory kept, bad reset */
void buf_drop(struct buf *b, size_t n); /* remove the first n bytes */
void buf_free(struct buf *b);
void buf_free_cleanup(struct buf *b);
static inline void buf_span(struct buf *b, struct span s) { buf_add(b, s.p, s.n); }
static inline struct span buf_view(const struct buf *b) { return (struct span){ b->p, b->len }; }
const char *buf_str(const struct buf *b); /* "" when empty */

/* Read the whole file (up to ret->max, when set: more is EFBIG). Names path in the error. */
int file_slurp(const char *path, struct buf *ret, struct err *e);
/* The same where others can put what they like: no pipe is waited for, no device is read (-EBADMSG). */
int file_slurp_regular(const char *path, struct buf *ret, struct err *e);
/* Write it whole or not at all; names of descriptors, devices and pipes too: see base/file.h. */
int file_replace(const char *path, struct span what, struct err *e);
/* Write all of it, through EINTR and (by poll) EAGAIN; -errno on failure. */
int fd_write_all(int fd, struct span what);
#endif
