#ifndef PARSE_LINES_H
#define PARSE_LINES_H

#include "base/buf.h"

/*
 * Cuts a byte stream into lines. A line that lies whole in what was fed is handed on without a copy. A
 * line longer than `max` is handed on as its first max bytes, flagged cut; the rest of it is dropped,
 * and counted in `lost`. The newline and a CR before it are not part of the line.
 */
typedef void lines_fn(void *ctx, struct span line, bool cut);

struct lines {
	lines_fn *fn;
	void *ctx;
	size_t max;      /* bytes kept of a line; 0: 1 MiB */
	struct buf part; /* the unfinished line */
	bool cutting;    /* in the dropped rest of a long one */
	int64_t lost;    /* bytes dropped */
	bool bad;        /* memory was out */
};

void lines_feed(struct lines *l, struct span bytes);
void lines_end(struct lines *l); /* hand on an unfinished last line */
void lines_free(struct lines *l);
#endif
