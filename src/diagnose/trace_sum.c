/* Sums over an execution trace, and what is kept of its longest waits. */
#include <stdlib.h>

#include "diagnose/trace_own.h"

/* ---- groups ---- */

uint32_t trace_group_of(struct trace *t, uint32_t name)
{
	while (name >= t->cap_group_of) {
		size_t was = t->cap_group_of;

		if (!mem_grow(&t->group_of, &t->cap_group_of, t->cap_group_of, sizeof(*t->group_of))) {
			t->lost = true;
			return 0;
		}
		memset(t->group_of + was, 0, (t->cap_group_of - was) * sizeof(*t->group_of));
	}
	if (t->group_of[name])
		return t->group_of[name];
	if (t->n_groups >= MAX_GROUPS || !mem_grow(&t->groups, &t->cap_groups, t->n_groups, sizeof(*t->groups))) {
		t->left_out++;
		return 0;
	}
	struct span s = xt_text(t->x, name);

	t->groups[t->n_groups] = (struct trace_group){
		.name = s,
		.system = (span_starts(s, S("runtime.")) && !span_eq(s, S("runtime.main"))) || span_starts(s, S("runtime/trace.")) ||
			  span_starts(s, S("runtime/pprof.")),
	};
	t->group_of[name] = (uint32_t)t->n_groups;
	return (uint32_t)t->n_groups++;
}

/* ---- places ---- */

static uint64_t site_hash(uint32_t reason, uint32_t stack)
{
	uint64_t h = ((uint64_t)stack << 20 ^ reason) * 0x9e3779b97f4a7c15u;

	return h ^ h >> 31;
}

static bool sites_wider(struct trace *t)
{
	size_t cap = t->cap_site_slots ? t->cap_site_slots * 2 : 1024;
	uint32_t *slots;

	if ((t->n_sites + 1) * 2 <= t->cap_site_slots)
		return true;
	slots = mem_zalloc(cap * sizeof(*slots));
	if (!slots)
		return false;
	for (size_t i = 0; i < t->n_sites; i++) {
		size_t at = site_hash(t->sites[i].reason, t->sites[i].stack) & (cap - 1);

		while (slots[at])
			at = (at + 1) & (cap - 1);
		slots[at] = (uint32_t)i + 1;
	}
	mem_free(t->site_slots);
	t->site_slots = slots;
	t->cap_site_slots = cap;
	return true;
}

/* Texts and stacks are numbered by us in order, so that no file can make these collide at will. NULL: no room. */
struct trace_site *trace_site(struct trace *t, uint32_t reason, uint32_t stack, enum trace_class class)
{
	size_t at;

	if (!sites_wider(t)) {
		t->lost = true;
		return NULL;
	}
	at = site_hash(reason, stack) & (t->cap_site_slots - 1);
	for (; t->site_slots[at]; at = (at + 1) & (t->cap_site_slots - 1)) {
		struct trace_site *s = &t->sites[t->site_slots[at] - 1];

		if (s->reason == reason && s->stack == stack && (reason || s->class == class))
			return s;
	}
	if (t->n_sites >= MAX_SITES || !mem_grow(&t->sites, &t->cap_sites, t->n_sites, sizeof(*t->sites))) {
		t->left_out++;
		return NULL;
	}
	t->sites[t->n_sites] = (struct trace_site){ .reason = reason, .stack = stack, .class = class };
	t->site_slots[at] = (uint32_t)++t->n_sites;
	return &t->sites[t->n_sites - 1];
}

/* ---- the longest ---- */

static bool shorter(const struct trace_wait *a, const struct trace_wait *b)
{
	return a->to - a->from < b->to - b->from;
}

void trace_worst(struct worst *w, const struct trace_wait *v)
{
	size_t i;

	if (w->n < WORST) {
		for (i = w->n++; i > 0 && shorter(v, &w->v[(i - 1) / 2]); i = (i - 1) / 2)
			w->v[i] = w->v[(i - 1) / 2];
		w->v[i] = *v;
		return;
	}
	if (!shorter(&w->v[0], v))
		return;
	for (i = 0;;) {
		size_t least = 2 * i + 1;

		if (least + 1 < WORST && shorter(&w->v[least + 1], &w->v[least]))
			least++;
		if (least >= WORST || !shorter(&w->v[least], v))
			break;
		w->v[i] = w->v[least];
		i = least;
	}
	w->v[i] = *v;
}

/* ---- ranges by name ---- */

struct trace_sum *trace_sum_of(struct trace *t, struct trace_sum **v, size_t *n, size_t *cap, uint32_t name)
{
	for (size_t i = 0; i < *n; i++) {
		if ((*v)[i].name == name) {
			struct trace_sum found = (*v)[i];

			if (i) { /* what comes often stands in front */
				(*v)[i] = (*v)[i / 2];
				(*v)[i / 2] = found;
			}
			return &(*v)[i / 2];
		}
	}
	if (*n >= MAX_SUMS || !mem_grow(v, cap, *n, sizeof(**v))) {
		t->left_out++;
		return NULL;
	}
	(*v)[*n] = (struct trace_sum){ .name = name };
	return &(*v)[(*n)++];
}

void trace_sum_add(struct trace_sum *s, int64_t from, int64_t to, uint64_t id)
{
	s->count++;
	time_add(&s->total, to - from);
	if (to - from > s->max || s->count == 1) {
		s->max = to - from;
		s->max_from = from;
		s->max_id = id;
	}
}

/* ---- in order ---- */

#define DOWN(a, b) (((b) > (a)) - ((b) < (a)))

static int by_site(const void *a, const void *b)
{
	const struct trace_site *p = a, *q = b;

	return p->total != q->total ? DOWN(p->total, q->total) : DOWN(q->stack, p->stack);
}

static int by_wait(const void *a, const void *b)
{
	const struct trace_wait *p = a, *q = b;
	int64_t m = p->to - p->from, n = q->to - q->from;

	return m != n ? DOWN(m, n) : DOWN(q->goroutine, p->goroutine);
}

static int by_sum(const void *a, const void *b)
{
	const struct trace_sum *p = a, *q = b;

	return p->total != q->total ? DOWN(p->total, q->total) : DOWN(q->name, p->name);
}

static int by_id(const void *a, const void *b)
{
	const struct trace_goroutine *p = a, *q = b;

	return p->id != q->id ? DOWN(q->id, p->id) : DOWN(q->ended, p->ended);
}

static int by_flat(const void *a, const void *b)
{
	const struct trace_func *p = a, *q = b;

	return p->flat != q->flat ? DOWN(p->flat, q->flat) : p->cum != q->cum ? DOWN(p->cum, q->cum) : DOWN(q->name, p->name);
}

/* Groups are numbers to everybody else: only the order in which they are shown is made, by the caller of the view. */
static void sum_groups(struct trace *t)
{
	for (size_t i = 0; i < t->n_groups; i++) {
		if (t->groups[i].system)
			continue;
		for (size_t c = 0; c < TC_COUNT; c++)
			time_add(&t->view.total[c], t->groups[i].total[c]);
	}
}

static int64_t bucket_top(size_t at)
{
	if (at < 32)
		return (int64_t)at;
	return at / 32 > 57 ? INT64_MAX : (int64_t)((at & 31) + 1) << (at / 32);
}

static int64_t percentile(const struct trace *t, double p)
{
	uint64_t need = (uint64_t)(p * (double)t->view.latency.count + 0.5), got = 0;

	for (size_t i = 0; i < BUCKETS; i++) {
		got += t->latencies[i];
		if (got && got >= need) {
			int64_t top = bucket_top(i);

			return top < t->view.latency.max ? top : t->view.latency.max;
		}
	}
	return t->view.latency.max;
}

static void sum_functions(struct trace *t)
{
	uint32_t *seen = mem_zalloc(xt_text_count(t->x) * sizeof(*seen)); /* by which stack last; index + 1 of the row above */
	size_t texts = xt_text_count(t->x), n = 0;

	t->funcs = seen ? mem_zalloc(texts * sizeof(*t->funcs)) : NULL;
	if (!t->funcs) {
		t->lost |= texts > 0;
		mem_free(seen);
		return;
	}
	for (uint32_t stack = 1; stack < t->cap_hits; stack++) {
		size_t depth;
		const struct xt_frame *f = xt_stack(t->x, stack, &depth);

		for (size_t i = 0; t->hits[stack] && i < depth; i++) {
			uint32_t name = f[i].func;

			t->funcs[name].flat += i ? 0 : t->hits[stack];
			t->funcs[name].cum += seen[name] == stack ? 0 : t->hits[stack];
			seen[name] = stack;
		}
	}
	for (size_t i = 0; i < texts; i++) {
		if (t->funcs[i].cum)
			t->funcs[n++] = (struct trace_func){ (uint32_t)i, t->funcs[i].flat, t->funcs[i].cum };
	}
	mem_free(seen);
	qsort(t->funcs, n, sizeof(*t->funcs), by_flat);
	t->view.funcs = t->funcs;
	t->view.n_funcs = n;
}

static void sort_waits(struct trace *t, struct worst *w, const struct trace_wait **v, size_t *n)
{
	if (w->n)
		qsort(w->v, w->n, sizeof(*w->v), by_wait);
	for (size_t i = 0; i < w->n; i++)
		w->v[i].dep = trace_dep_of(t, w->v[i].reason, w->v[i].stack);
	*v = w->v;
	*n = w->n;
}

#define SORT(v, n, by)                                  \
	do {                                            \
		if (n)                                  \
			qsort(v, n, sizeof(*(v)), by);  \
	} while (0)

void trace_sort(struct trace *t)
{
	struct trace_view *v = &t->view;

	sum_groups(t);
	for (size_t i = 0; i < t->n_sites; i++)
		t->sites[i].dep = trace_dep_of(t, t->sites[i].reason, t->sites[i].stack);
	SORT(t->sites, t->n_sites, by_site);
	SORT(t->stw, t->n_stw, by_sum);
	SORT(t->tasks, t->n_tasks, by_sum);
	SORT(t->regions, t->n_regions, by_sum);
	SORT(t->all, t->n_all, by_id);
	sort_waits(t, &t->longest, &v->longest, &v->n_longest);
	sort_waits(t, &t->open, &v->open, &v->n_open);
	if (v->samples)
		sum_functions(t);
	v->groups = t->groups;
	v->n_groups = t->n_groups;
	v->sites = t->sites;
	v->n_sites = t->n_sites;
	v->all = t->all;
	v->n_all = t->n_all;
	v->stw = t->stw;
	v->n_stw = t->n_stw;
	v->tasks = t->tasks;
	v->n_tasks = t->n_tasks;
	v->regions = t->regions;
	v->n_regions = t->n_regions;
	v->logs = t->logs;
	v->busy = t->procs_room > 0 ? t->procs_busy / t->procs_room : 0;
	if (v->busy > 1) /* a trace whose processors contradict each other */
		v->busy = 1;
	v->latency.p50 = percentile(t, 0.5);
	v->latency.p90 = percentile(t, 0.9);
	v->latency.p99 = percentile(t, 0.99);
	v->latency.p999 = percentile(t, 0.999);
	mem_free(t->site_slots); /* the places stand elsewhere now */
	t->site_slots = NULL;
	t->cap_site_slots = 0;
}
