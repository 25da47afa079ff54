/* Two execution traces: what waits more than before. Places are known by names, whatever the build. */
#include <errno.h>
#include <stdlib.h>

#include "diagnose/trace_own.h"

struct diff {
	struct map by_key;
	struct arena mem;
	struct trace_changes *ret;
	struct buf key;
};

static struct span frame_text(const struct trace *t, uint32_t stack)
{
	const struct xt_frame *f = trace_place(t, stack);

	return f ? trace_text(t, f->func) : S("");
}

static struct trace_change *change(struct diff *d, struct span reason, struct span place, enum trace_class class)
{
	size_t at;
	struct span key;

	buf_clear(&d->key);
	buf_addc(&d->key, (char)('a' + class));
	buf_span(&d->key, reason);
	buf_addc(&d->key, '\n');
	buf_span(&d->key, place);
	at = (size_t)(uintptr_t)map_get(&d->by_key, buf_view(&d->key));
	if (at)
		return &d->ret->v[at - 1];
	key = arena_span(&d->mem, buf_view(&d->key));
	if (!key.p || d->key.bad || d->ret->n >= MAX_SITES)
		return NULL;
	if (d->ret->n % 1024 == 0) {
		struct trace_change *more = mem_resize(d->ret->v, (d->ret->n + 1024) * sizeof(*more));

		if (!more)
			return NULL;
		d->ret->v = more;
	}
	if (!map_put(&d->by_key, key, (void *)(uintptr_t)(d->ret->n + 1)))
		return NULL;
	d->ret->v[d->ret->n] = (struct trace_change){ .reason = reason, .place = place, .class = class };
	return &d->ret->v[d->ret->n++];
}

static double rate(const struct trace *t, int64_t total)
{
	return t->view.duration > 0 ? (double)total * 1e9 / (double)t->view.duration : 0;
}

static bool put(struct trace_change *c, const struct trace *t, int64_t total, uint64_t count, int64_t max, bool now)
{
	if (!c)
		return false;
	*(now ? &c->now : &c->before) += rate(t, total);
	*(now ? &c->count_now : &c->count_before) += count;
	int64_t *most = now ? &c->max_now : &c->max_before;

	if (max > *most)
		*most = max;
	return true;
}

static bool take(struct diff *d, const struct trace *t, bool now)
{
	const struct trace_view *v = &t->view;

	for (size_t i = 0; i < v->n_sites; i++) {
		const struct trace_site *s = &v->sites[i];
		struct trace_change *c;

		if (v->groups[s->group].system)
			continue;
		c = change(d, trace_text(t, s->reason), frame_text(t, s->stack), s->class);
		if (c && !c->dep)
			c->dep = s->dep;
		if (!put(c, t, s->total, s->count, s->max, now))
			return false;
	}
	for (size_t i = 0; i < v->n_groups; i++) {
		const struct trace_group *g = &v->groups[i];

		if (g->system || !g->total[TC_RUNNABLE])
			continue;
		if (!put(change(d, S(""), g->name, TC_RUNNABLE), t, g->total[TC_RUNNABLE], g->runs, g->max_latency, now))
			return false;
	}
	return true;
}

static int by_growth(const void *a, const void *b)
{
	const struct trace_change *p = a, *q = b;
	double x = p->now - p->before, y = q->now - q->before;

	if (x < y || x > y)
		return x < y ? 1 : -1;
	return (p->place.n > q->place.n) - (p->place.n < q->place.n);
}

/* Texts stay those of the traces. */
int trace_compare(const struct trace *base, const struct trace *now, struct trace_changes *ret, struct err *e)
{
	struct diff d = { .ret = ret, .mem.max = 32u << 20 };
	bool whole;

	*ret = (struct trace_changes){ 0 };
	whole = take(&d, base, false) && take(&d, now, true);
	map_free(&d.by_key);
	arena_free(&d.mem);
	buf_free(&d.key);
	if (!whole) {
		mem_free(ret->v);
		*ret = (struct trace_changes){ 0 };
		return err_set(e, ENOMEM, TR("no memory to compare two execution traces", "内存不足，无法比较两个执行跟踪"));
	}
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_growth);
	return 0;
}
