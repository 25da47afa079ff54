#ifndef MOD_SUMS_H
#define MOD_SUMS_H

#include "base/buf.h"
#include "mod/tree.h"
#include "parse/gosum.h"

/* The lines of a go.sum, wherever they are: a large file is read piece by piece, in constant memory. */
#define SUMS_LINE_MAX ((size_t)16 << 20) /* a longer line is an error */

struct sums {
	struct gosum_at at;
	const struct mod_source *file;
	struct buf piece;
	size_t used; /* of it, whole lines */
	int fd;      /* -1: the text is at hand */
	bool end;
};
int sums_open(const struct mod_source *f, struct sums *ret, struct err *e); /* f must outlive ret; a file that is not there has no lines */
/* 1: a line, of which the spans are good until the next call; 0: no more. -ENOMEM, -EFBIG: too long a line, or what reading says. */
int sums_next(struct sums *s, struct gosum_line *ret, struct err *e);
void sums_close(struct sums *s);
void sums_close_cleanup(struct sums *s);
#endif
