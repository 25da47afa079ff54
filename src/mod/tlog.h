#ifndef MOD_TLOG_H
#define MOD_TLOG_H

#include "base/buf.h"
#include "base/sha256.h"

/*
 * Proofs in a transparency log (RFC 6962, 2.1) whose hashes come in tiles of height 8 (C2SP tlog-tiles). Tiles need not be
 * believed: a proof holds only if it leads to the root that is signed.
 */
#define TLOG_HASH SHA256_SIZE
struct tlog_tree {
	int64_t n;
	unsigned char root[TLOG_HASH];
};
struct tlog_tile {
	int level;
	int64_t index;
	int width; /* 1 to 256 */
};
void tlog_tile_path(const struct tlog_tile *t, struct buf *ret); /* "/tile/8/0/x001/234" or "….p/17" */
void tlog_leaf(struct span record, unsigned char ret[TLOG_HASH]);
/*
 * The tile's hashes, TLOG_HASH * width bytes; NULL: not there. A proof that meets NULL goes on to name the others that it needs,
 * and then does not hold: so the same call first says what to fetch.
 */
typedef const unsigned char *tlog_tile_fn(void *ctx, const struct tlog_tile *t);
enum tlog_answer { TLOG_HOLDS, TLOG_BROKEN, TLOG_MISSING /* a tile was not there */ };
enum tlog_answer tlog_included(const struct tlog_tree *t, int64_t id, const unsigned char leaf[TLOG_HASH], tlog_tile_fn *tile, void *ctx);
/* Is old a beginning of new? old->n <= new->n. */
enum tlog_answer tlog_consistent(const struct tlog_tree *old, const struct tlog_tree *new, tlog_tile_fn *tile, void *ctx);
#endif
