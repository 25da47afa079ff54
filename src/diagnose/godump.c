/* Two dumps, many dumps: what grew. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "diagnose/goroutines_own.h"

enum { STACK_FRAMES = 12, LEAKS_MAX = 16, LEAST = 10, STACKS_MAX = 8 << 20 /* bytes of excerpts, of one dump */ };

#define MINUTE 60e9

/* ---- what is kept of one ---- */

static struct span stack_text(const struct goroutines *g, const struct gogroup *o, struct arena *mem)
{
	CLEANUP(buf_free) struct buf b = { .max = 16 << 10 };
	const struct tb_bucket *k = o->bucket;
	uint32_t last = TB_NONE, shown = 0;

	buf_addf(&b, "goroutine %lld [%.*s]:\n", (long long)o->id, SPAN_ARG(span_head(k->status, 60)));
	for (uint32_t i = 0; i < k->n_places && shown < STACK_FRAMES; i++) {
		if (k->places[i] == last)
			continue;
		last = k->places[i];
		buf_addf(&b, "%.*s(…)\n\t%.*s\n", SPAN_ARG(span_head(goroutines_func(g, last), 300)), SPAN_ARG(span_head(g->t->places[last].at, 300)));
		shown++;
	}
	if (k->creator != TB_NONE)
		buf_addf(&b, "created by %.*s\n\t%.*s\n", SPAN_ARG(span_head(goroutines_func(g, k->creator), 300)),
			 SPAN_ARG(span_head(g->t->places[k->creator].at, 300)));
	return arena_span(mem, buf_view(&b));
}

static int by_row_key(const void *a, const void *b)
{
	const struct godump_row *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

/* Groups that differ only in lines are one here. Sorted by key. */
static size_t merge_rows(struct godump_row *rows, size_t n)
{
	size_t kept = 0;

	qsort(rows, n, sizeof(*rows), by_row_key);
	for (size_t i = 0; i < n; i++) {
		if (kept && rows[kept - 1].key == rows[i].key) {
			rows[kept - 1].count += rows[i].count;
			rows[kept - 1].minutes = rows[i].minutes > rows[kept - 1].minutes ? rows[i].minutes : rows[kept - 1].minutes;
			continue;
		}
		rows[kept++] = rows[i];
	}
	return kept;
}

static bool fill_row(const struct goroutines *g, const struct gogroup *o, struct arena *mem, struct godump_row *r)
{
	*r = (struct godump_row){
		.key = o->key, .count = o->count, .minutes = o->minutes, .wait = o->bucket->wait, .system = o->system,
		.func = arena_span(mem, goroutines_func(g, o->place)), .status = arena_span(mem, o->bucket->status),
		.creator = arena_span(mem, goroutines_func(g, o->bucket->creator)),
		.at = o->place == TB_NONE ? (struct span){ 0 } : arena_span(mem, g->t->places[o->place].at),
		.stack = mem->used < STACKS_MAX ? stack_text(g, o, mem) : S(""),
	};
	return r->stack.p && r->status.p;
}

int godump_make(const struct goroutines *g, const char *name, int64_t time, struct godump *ret)
{
	*ret = (struct godump){ .time = time, .count = g->shown };
	ret->rows = arena_alloc(&ret->mem, (g->n_groups + 1) * sizeof(*ret->rows));
	ret->name = arena_str(&ret->mem, span_of(name));
	for (size_t i = 0; ret->rows && i < g->n_groups; i++) {
		if (!g->groups[i].count)
			continue;
		if (!fill_row(g, &g->groups[i], &ret->mem, &ret->rows[ret->n_rows])) {
			ret->rows = NULL;
			break;
		}
		ret->n_rows++;
	}
	if (!ret->rows || !ret->name) {
		godump_free(ret);
		return -ENOMEM;
	}
	ret->n_rows = merge_rows(ret->rows, ret->n_rows);
	return 0;
}

void godump_free(struct godump *d)
{
	arena_free(&d->mem);
	*d = (struct godump){ 0 };
}

/* ---- what changed ---- */

static const struct godump_row *row_of(const struct godump *d, uint64_t key)
{
	struct godump_row wanted = { .key = key };

	return d->n_rows ? bsearch(&wanted, d->rows, d->n_rows, sizeof(*d->rows), by_row_key) : NULL;
}

/* Are there times, each later than the one before? */
static bool are_timed(const struct godump *d, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!d[i].time || (i && d[i].time <= d[i - 1].time))
			return false;
	}
	return n > 1;
}

/* The line of least squares through the counts. */
static void measure(const struct godump *d, size_t n, uint64_t key, struct gochange *c)
{
	double sx = 0, sy = 0, sxx = 0, sxy = 0, m = (double)n;
	int64_t last = -1;
	bool fell = false;

	for (size_t i = 0; i < n; i++) {
		const struct godump_row *r = row_of(&d[i], key);
		int64_t count = r ? r->count : 0;
		double x = c->per_minute ? (double)(d[i].time - d[0].time) / MINUTE : (double)i;
		sx += x, sy += (double)count, sxx += x * x, sxy += x * (double)count;
		c->row = r ? r : c->row;
		c->before = i ? c->before : count;
		c->after = count;
		c->points += r != NULL;
		fell |= count < last;
		last = count;
	}
	double det = m * sxx - sx * sx;
	c->slope = n > 1 && det > 0 ? (m * sxy - sx * sy) / det : (double)NAN;
	c->leak = n >= 3 && !fell && c->after >= c->before + LEAST && c->row && !c->row->system && c->row->wait != TB_RUNNING;
}

/* From how many dumps to the next did it grow? One step is no trend. */
static int steps_up(const struct godump *d, size_t n, uint64_t key)
{
	int64_t last = -1;
	int steps = 0;

	for (size_t i = 0; i < n; i++) {
		const struct godump_row *r = row_of(&d[i], key);
		int64_t count = r ? r->count : 0;
		steps += last >= 0 && count > last;
		last = count;
	}
	return steps;
}

static int by_change(const void *a, const void *b)
{
	const struct gochange *x = a, *y = b;
	int64_t p = llabs(x->after - x->before), q = llabs(y->after - y->before);

	if (x->leak != y->leak)
		return x->leak ? -1 : 1;
	if (p != q)
		return p > q ? -1 : 1;
	return x->row->key < y->row->key ? -1 : x->row->key > y->row->key;
}

int64_t godumps_compare(const struct godump *d, size_t n, struct arena *mem, struct gochange **ret)
{
	size_t rows = 0, k = 0;

	for (size_t i = 0; i < n; i++)
		rows += d[i].n_rows;
	struct gochange *c = arena_alloc(mem, (rows + 1) * sizeof(*c));
	struct map seen = { 0 };
	bool timed = are_timed(d, n);
	if (!c)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		for (size_t r = 0; r < d[i].n_rows; r++) {
			struct span key = { (const char *)&d[i].rows[r].key, sizeof(uint64_t) };
			if (map_get(&seen, key))
				continue;
			if (!map_put(&seen, key, &d[i].rows[r])) {
				map_free(&seen);
				return -ENOMEM;
			}
			c[k] = (struct gochange){ .per_minute = timed };
			measure(d, n, d[i].rows[r].key, &c[k]);
			c[k].leak &= steps_up(d, n, d[i].rows[r].key) >= 2;
			k += c[k].before != c[k].after || c[k].leak;
		}
	}
	map_free(&seen);
	qsort(c, k, sizeof(*c), by_change);
	*ret = c;
	return (int64_t)k;
}

/* ---- findings ---- */

static void leak_finding(size_t n, const struct gochange *c, struct report *r)
{
	struct span func = c->row->func.n ? c->row->func : S("?");
	struct finding *f;
	int line;

	if (c->per_minute)
		f = report_say(r, CAUSE_GO_LEAK, TR("goroutines in [%.*s] at %.*s grew from %lld to %lld over %zu dumps: %.1f a minute",
						    "处于 [%.*s]、位于 %.*s 的 goroutine 从 %lld 增长到 %lld（%zu 个转储）：每分钟 %.1f 个"),
			       SPAN_ARG(span_head(c->row->status, 60)), SPAN_ARG(span_head(func, 200)), (long long)c->before, (long long)c->after, n,
			       c->slope);
	else
		f = report_say(r, CAUSE_GO_LEAK, TR("goroutines in [%.*s] at %.*s grew from %lld to %lld over %zu dumps: %.1f a dump",
						    "处于 [%.*s]、位于 %.*s 的 goroutine 从 %lld 增长到 %lld（%zu 个转储）：每个转储 %.1f 个"),
			       SPAN_ARG(span_head(c->row->status, 60)), SPAN_ARG(span_head(func, 200)), (long long)c->before, (long long)c->after, n,
			       c->slope);
	if (!f)
		return;
	struct span file = goframe_file(c->row->at, &line);
	if (file.n) {
		f->file = report_text(r, "%.*s", SPAN_ARG(file));
		f->line = line;
	}
	f->excerpt = report_text(r, "%.*s", SPAN_ARG(c->row->stack));
}

void godumps_findings(size_t n, const struct gochange *c, size_t n_changes, struct report *r)
{
	int said = 0;

	for (size_t i = 0; i < n_changes && said < LEAKS_MAX; i++) {
		if (!c[i].leak)
			continue;
		leak_finding(n, &c[i], r);
		said++;
	}
}
