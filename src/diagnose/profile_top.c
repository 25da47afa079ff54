#include "diagnose/profile_own.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

static uint64_t magnitude(int64_t v)
{
	return v < 0 ? -(uint64_t)v : (uint64_t)v;
}

static int64_t minus(int64_t a, int64_t b)
{
	int64_t r;

	return __builtin_sub_overflow(a, b, &r) ? a < 0 ? INT64_MIN : INT64_MAX : r;
}

/* As pprof sorts: the largest flat value, whatever its sign; then the name. */
static int by_flat(const void *a, const void *b)
{
	const struct profile_row *x = a, *y = b;
	uint64_t p = magnitude(x->flat), q = magnitude(y->flat);
	size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;

	if (p != q)
		return p > q ? -1 : 1;
	p = magnitude(x->cum);
	q = magnitude(y->cum);
	if (!x->flat && p != q) /* of those that only call, the larger first */
		return p > q ? -1 : 1;
	int r = n ? memcmp(x->name.p, y->name.p, n) : 0;
	return r ? r : x->name.n < y->name.n ? -1 : x->name.n > y->name.n;
}

static struct profile_row row_of(const struct group *g, size_t i, bool last)
{
	struct sums a = last ? g->last[i] : g->sums[NEW][i], b = last ? (struct sums){ 0 } : g->sums[BASE][i];

	return (struct profile_row){ .name = g->names[i], .flat = minus(a.flat, b.flat), .cum = minus(a.cum, b.cum), .base_flat = b.flat, .base_cum = b.cum };
}

int profiles_top(struct profiles *s, size_t group, bool last, size_t n, struct profile_rows *ret, struct err *e)
{
	struct group *g = &s->groups[group];
	struct profile_row *v = mem_alloc((g->n_names + 1) * sizeof(*v));
	size_t have = 0;

	*ret = (struct profile_rows){ 0 };
	if (!v)
		return err_set(e, ENOMEM, TR("no memory for a table", "内存不足，无法生成表格"));
	for (size_t i = 0; i < g->n_names; i++) {
		struct profile_row row = row_of(g, i, last);
		if (row.flat || row.cum)
			v[have++] = row;
	}
	qsort(v, have, sizeof(*v), by_flat);
	ret->v = v;
	ret->n = n && n < have ? n : have;
	ret->total = last ? g->last_total : g->total[BASE] ? g->total[BASE] : g->total[NEW];
	for (size_t i = 0; i < ret->n; i++)
		ret->shown = __builtin_add_overflow(ret->shown, v[i].flat, &ret->shown) ? INT64_MAX : ret->shown;
	return 0;
}

/* ---- values for people ---- */

struct unit {
	const char *name;
	double size;
};

static const char *pick(const struct unit *units, size_t n, double v, double *ret)
{
	size_t i = n - 1;

	while (i > 0 && (v < 0 ? -v : v) < units[i].size)
		i--;
	*ret = v / units[i].size;
	return units[i].name;
}

void profile_value_text(int64_t v, struct span unit, char out[32])
{
	static const struct unit times[] = { { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { "mins", 60e9 }, { "hrs", 3600e9 } };
	static const struct unit sizes[] = { { "B", 1 }, { "kB", 1024 }, { "MB", 1048576 }, { "GB", 1073741824 }, { "TB", 1099511627776 }, { "PB", 1125899906842624 } };
	static const struct {
		struct span name;
		double size;
	} bases[] = { { { "nanoseconds", 11 }, 1 }, { { "microseconds", 12 }, 1e3 }, { { "milliseconds", 12 }, 1e6 }, { { "seconds", 7 }, 1e9 } };
	double d = (double)v;
	const char *word = NULL;

	for (size_t i = 0; i < ARRAY_LEN(bases); i++) {
		if (span_eq(unit, bases[i].name))
			word = pick(times, ARRAY_LEN(times), (double)v * bases[i].size, &d);
	}
	if (span_eq(unit, S("bytes")))
		word = pick(sizes, ARRAY_LEN(sizes), (double)v, &d);
	if (!word) {
		snprintf(out, 32, "%lld", (long long)v);
		return;
	}
	int n = snprintf(out, 24, "%.2f", d);
	if (n > 3 && n < 24 && !strcmp(out + n - 3, ".00"))
		n -= 3;
	snprintf(out + n, 32 - (size_t)n, "%s", v ? word : "");
}
