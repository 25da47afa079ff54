#ifndef CHECK_GO_CHUNKS_H
#define CHECK_GO_CHUNKS_H

#include "base/span.h"

/*
 * The top-level declarations of a Go file, found by brackets, quotes and comments alone: many times faster than a tree of all of it, to
 * pick those that are worth one (gofile_parse_parts).
 */
enum gochunk_kind {
	GOCHUNK_HEAD /* what is before the first: the package clause */,
	GOCHUNK_IMPORT,
	GOCHUNK_CONST,
	GOCHUNK_TYPE,
	GOCHUNK_VAR,
	GOCHUNK_FUNC
};
struct gochunk {
	enum gochunk_kind kind;
	struct span text; /* up to the next one */
	bool init;        /* `func init(` */
};
enum gotoken {
	GOTOKEN_WORD /* a number is one, too */,
	GOTOKEN_STRING /* with its quotes */,
	GOTOKEN_COMMENT,
	GOTOKEN_SIGN /* one byte: brackets, parts of operators, a newline */
};
struct gochunks { /* {.text = text}, .sees */
	struct span text;
	size_t at, from;
	enum gochunk_kind kind; /* of the one that is under way */
	bool init, in_line, ended;
	int depth;
	/* What each chunk is made of goes there, but for the keyword that begins it: those of one chunk, before it is given. NULL: nowhere. */
	void (*sees)(void *ctx, enum gotoken kind, struct span token);
	void *ctx;
};
bool gochunks_next(struct gochunks *s, struct gochunk *ret); /* false: no more */
#endif
