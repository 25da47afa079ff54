#include "mod/tlog.h"

#define HEIGHT 8
#define WIDTH  (1 << HEIGHT)

void tlog_tile_path(const struct tlog_tile *t, struct buf *ret)
{
	int64_t power = 1;

	while (t->index / power >= 1000)
		power *= 1000;
	buf_addf(ret, "/tile/%d/%d", HEIGHT, t->level);
	for (; power; power /= 1000) /* groups of three digits; all but the last begin with x */
		buf_addf(ret, "/%s%03d", power > 1 ? "x" : "", (int)(t->index / power % 1000));
	if (t->width < WIDTH)
		buf_addf(ret, ".p/%d", t->width);
}

void tlog_leaf(struct span record, unsigned char ret[TLOG_HASH])
{
	struct sha256 s;

	sha256_begin(&s);
	sha256_more(&s, (struct span){ "\0", 1 });
	sha256_more(&s, record);
	sha256_end(&s, ret);
}

static void node(const unsigned char *left, const unsigned char *right, unsigned char ret[TLOG_HASH])
{
	struct sha256 s;

	sha256_begin(&s);
	sha256_more(&s, S("\1"));
	sha256_more(&s, (struct span){ (const char *)left, TLOG_HASH });
	sha256_more(&s, (struct span){ (const char *)right, TLOG_HASH });
	sha256_end(&s, ret);
}

struct proof {
	int64_t n; /* of the tree */
	tlog_tile_fn *tile;
	void *ctx;
	bool missing;
};

/* The largest power of two below n, n > 1. */
static int64_t split(int64_t n)
{
	int64_t k = 1;

	while (k * 2 < n)
		k *= 2;
	return k;
}

/* Of 2^up hashes that stand one after another. */
static void fold(const unsigned char *hashes, int up, unsigned char ret[TLOG_HASH])
{
	unsigned char all[WIDTH][TLOG_HASH];
	int n = 1 << up;

	memcpy(all, hashes, (size_t)n * TLOG_HASH);
	for (; n > 1; n /= 2) {
		for (int i = 0; i < n / 2; i++)
			node(all[2 * i], all[2 * i + 1], all[i]);
	}
	memcpy(ret, all[0], TLOG_HASH);
}

/* The hash of the complete subtree of 2^level records that begins at lo. */
static void subtree(struct proof *p, int level, int64_t lo, unsigned char ret[TLOG_HASH])
{
	int up = level % HEIGHT;
	struct tlog_tile t = { .level = level / HEIGHT };
	int64_t at = lo >> (HEIGHT * t.level), there = p->n >> (HEIGHT * t.level);

	t.index = at / WIDTH;
	int64_t left = there - t.index * WIDTH;
	t.width = left < WIDTH ? (int)left : WIDTH;
	const unsigned char *hashes = p->tile(p->ctx, &t);
	if (hashes) {
		fold(hashes + (size_t)(at % WIDTH) * TLOG_HASH, up, ret);
	} else {
		p->missing = true;
		memset(ret, 0, TLOG_HASH);
	}
}

/* The hash of records lo to hi. */
static void range(struct proof *p, int64_t lo, int64_t hi, unsigned char ret[TLOG_HASH])
{
	unsigned char left[TLOG_HASH], right[TLOG_HASH];
	int64_t n = hi - lo;
	int level = 0;

	if ((n & (n - 1)) == 0) {
		while ((INT64_C(1) << level) < n)
			level++;
		subtree(p, level, lo, ret);
		return;
	}
	int64_t k = split(n);
	range(p, lo, lo + k, left);
	range(p, lo + k, hi, right);
	node(left, right, ret);
}

static void with_leaf(struct proof *p, int64_t lo, int64_t hi, int64_t id, const unsigned char *leaf, unsigned char ret[TLOG_HASH])
{
	unsigned char left[TLOG_HASH], right[TLOG_HASH];

	if (hi - lo == 1) {
		memcpy(ret, leaf, TLOG_HASH);
		return;
	}
	int64_t mid = lo + split(hi - lo);
	if (id < mid) {
		with_leaf(p, lo, mid, id, leaf, left);
		range(p, mid, hi, right);
	} else {
		range(p, lo, mid, left);
		with_leaf(p, mid, hi, id, leaf, right);
	}
	node(left, right, ret);
}

enum tlog_answer tlog_included(const struct tlog_tree *t, int64_t id, const unsigned char leaf[TLOG_HASH], tlog_tile_fn *tile, void *ctx)
{
	struct proof p = { .n = t->n, .tile = tile, .ctx = ctx };
	unsigned char root[TLOG_HASH];

	if (id < 0 || id >= t->n)
		return TLOG_BROKEN;
	with_leaf(&p, 0, t->n, id, leaf, root);
	return p.missing ? TLOG_MISSING : memcmp(root, t->root, TLOG_HASH) == 0 ? TLOG_HOLDS : TLOG_BROKEN;
}

/* Both hashes from the same parts: of lo to hi, and of lo to `old` within; lo < old. */
static void both(struct proof *p, int64_t lo, int64_t hi, int64_t old, unsigned char was[TLOG_HASH], unsigned char now[TLOG_HASH])
{
	unsigned char left[TLOG_HASH], right[TLOG_HASH], left_was[TLOG_HASH], right_was[TLOG_HASH];

	if (hi <= old) {
		range(p, lo, hi, now);
		memcpy(was, now, TLOG_HASH);
		return;
	}
	int64_t mid = lo + split(hi - lo);
	both(p, lo, mid, old < mid ? old : mid, left_was, left);
	if (old <= mid) {
		range(p, mid, hi, right);
		memcpy(was, left_was, TLOG_HASH);
	} else {
		both(p, mid, hi, old, right_was, right);
		node(left, right_was, was);
	}
	node(left, right, now);
}

enum tlog_answer tlog_consistent(const struct tlog_tree *old, const struct tlog_tree *new, tlog_tile_fn *tile, void *ctx)
{
	struct proof p = { .n = new->n, .tile = tile, .ctx = ctx };
	unsigned char was[TLOG_HASH], now[TLOG_HASH];

	if (old->n == 0)
		return TLOG_HOLDS;
	if (old->n < 0 || old->n > new->n)
		return TLOG_BROKEN;
	if (old->n == new->n)
		return memcmp(old->root, new->root, TLOG_HASH) == 0 ? TLOG_HOLDS : TLOG_BROKEN;
	both(&p, 0, new->n, old->n, was, now);
	if (p.missing)
		return TLOG_MISSING;
	return memcmp(was, old->root, TLOG_HASH) == 0 && memcmp(now, new->root, TLOG_HASH) == 0 ? TLOG_HOLDS : TLOG_BROKEN;
}
