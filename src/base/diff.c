#include "base/diff.h"

#include <errno.h>

#include "base/mem.h"

struct lines {
	struct span *v;
	size_t n;
};

static int split(struct span text, struct lines *ret)
{
	size_t max = 1, at = 0;

	for (struct span rest = text; (at = span_chr(rest, '\n')) != SPAN_NONE; rest = span_from(rest, at + 1))
		max++;
	*ret = (struct lines){ mem_alloc(max * sizeof(*ret->v)), 0 };
	if (!ret->v)
		return -ENOMEM;
	while (text.n) {
		struct span line = span_cut(&text, '\n');
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		ret->v[ret->n++] = line;
	}
	return 0;
}

static void say_all(struct lines l, enum diff_kind kind, diff_fn *fn, void *ctx)
{
	for (size_t i = 0; i < l.n; i++)
		fn(ctx, kind, l.v[i]);
}

/* How many lines lead from each pair of places to the ends: length[i * (b.n + 1) + j] of a from i on and b from j on. */
static uint16_t *common_lengths(struct lines a, struct lines b)
{
	size_t w = b.n + 1;
	uint16_t *length = mem_zalloc((a.n + 1) * w * sizeof(*length));

	for (size_t i = a.n; length && i-- > 0;) {
		for (size_t j = b.n; j-- > 0;) {
			uint16_t down = length[(i + 1) * w + j], right = length[i * w + j + 1];
			length[i * w + j] = span_eq(a.v[i], b.v[j]) ? (uint16_t)(length[(i + 1) * w + j + 1] + 1)
					    : down > right	    ? down
								    : right;
		}
	}
	return length;
}

static int64_t walk(struct lines a, struct lines b, const uint16_t *length, diff_fn *fn, void *ctx)
{
	size_t w = b.n + 1, i = 0, j = 0;
	int64_t changed = 0;

	while (i < a.n || j < b.n) {
		if (i < a.n && j < b.n && span_eq(a.v[i], b.v[j])) {
			fn(ctx, DIFF_SAME, a.v[i++]);
			j++;
			continue;
		}
		changed++;
		if (j == b.n || (i < a.n && length[(i + 1) * w + j] >= length[i * w + j + 1]))
			fn(ctx, DIFF_OLD, a.v[i++]);
		else
			fn(ctx, DIFF_NEW, b.v[j++]);
	}
	return changed;
}

/* a and b have neither a first nor a last line in common. */
static int64_t between(struct lines a, struct lines b, const uint16_t *length, diff_fn *fn, void *ctx)
{
	if (length)
		return walk(a, b, length, fn, ctx);
	say_all(a, DIFF_OLD, fn, ctx);
	say_all(b, DIFF_NEW, fn, ctx);
	return (int64_t)(a.n + b.n);
}

static int64_t compare(struct lines a, struct lines b, diff_fn *fn, void *ctx)
{
	size_t head = 0, tail = 0, least = a.n < b.n ? a.n : b.n;
	uint16_t *length = NULL;

	while (head < least && span_eq(a.v[head], b.v[head]))
		head++;
	while (tail < least - head && span_eq(a.v[a.n - 1 - tail], b.v[b.n - 1 - tail]))
		tail++;
	struct lines old = { a.v + head, a.n - head - tail }, new = { b.v + head, b.n - head - tail };
	if (old.n && new.n && (old.n + 1) <= DIFF_CELLS_MAX / (new.n + 1)) {
		length = common_lengths(old, new);
		if (!length)
			return -ENOMEM;
	}
	say_all((struct lines){ a.v, head }, DIFF_SAME, fn, ctx);
	int64_t changed = between(old, new, length, fn, ctx);
	say_all((struct lines){ a.v + a.n - tail, tail }, DIFF_SAME, fn, ctx);
	mem_free(length);
	return changed;
}

int64_t diff_lines(struct span a, struct span b, diff_fn *fn, void *ctx)
{
	struct lines x = { 0 }, y = { 0 };
	int64_t r = -ENOMEM;

	if (split(a, &x) == 0 && split(b, &y) == 0)
		r = compare(x, y, fn, ctx);
	mem_free(x.v);
	mem_free(y.v);
	return r;
}
