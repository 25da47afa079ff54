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
	bool asked;       /* it has a token that was asked for */
};
enum gotoken { GOTOKEN_WORD, GOTOKEN_STRING /* with its quotes */, GOTOKEN_COMMENT };
struct gochunks { /* {.text = text}, .asks */
	struct span text;
	size_t at, from;
	enum gochunk_kind kind; /* of the one that is under way */
	bool init, in_line, ended;
	int depth;
	bool (*asks)(void *ctx, enum gotoken kind, struct span token); /* each token goes to it until it says yes; NULL: none does */
	void *ctx;
	bool asked;
};
bool gochunks_next(struct gochunks *s, struct gochunk *ret); /* false: no more */
#endif
