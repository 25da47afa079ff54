#include "diagnose/profile_own.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

/* ---- while it grows: calls are found by their caller and name ---- */

static size_t slot_of(const struct group *g, uint32_t parent, uint32_t name)
{
	uint64_t h = ((uint64_t)parent << 32 | name) * 0x9e3779b97f4a7c15u;

	h = (h ^ h >> 29) * 0xbf58476d1ce4e5b9u;
	return (size_t)(h ^ h >> 32) & (g->n_slots - 1);
}

static bool more_slots(struct group *g)
{
	size_t n = g->n_slots ? g->n_slots * 2 : 4096;
	uint32_t *slots = mem_zalloc(n * sizeof(*slots));

	if (!slots)
		return false;
	mem_free(g->slots);
	g->slots = slots;
	g->n_slots = n;
	for (size_t i = 1; i < g->n_calls; i++) {
		size_t at = slot_of(g, g->calls[i].parent, g->calls[i].name);
		while (slots[at])
			at = (at + 1) & (n - 1);
		slots[at] = (uint32_t)i + 1;
	}
	return true;
}

bool group_calls_open(struct group *g)
{
	if (g->n_calls)
		return true;
	if (!mem_grow(&g->calls, &g->cap_calls, 0, sizeof(*g->calls)))
		return false;
	g->calls[0] = (struct call){ .name = PPROF_NONE };
	g->n_calls = 1;
	return true;
}

/* The call of name by parent; UINT32_MAX: no memory; the parent itself when there may be no more. */
static uint32_t call_of(struct group *g, uint32_t parent, uint32_t name)
{
	if (g->n_calls * 2 >= g->n_slots && !more_slots(g))
		return UINT32_MAX;
	size_t at = slot_of(g, parent, name);
	for (; g->slots[at]; at = (at + 1) & (g->n_slots - 1)) {
		const struct call *c = &g->calls[g->slots[at] - 1];
		if (c->parent == parent && c->name == name)
			return g->slots[at] - 1;
	}
	if (g->n_calls >= PROFILE_NODES) {
		g->calls_full = true;
		return parent;
	}
	if (!mem_grow(&g->calls, &g->cap_calls, g->n_calls, sizeof(*g->calls)))
		return UINT32_MAX;
	g->calls[g->n_calls] = (struct call){ .parent = parent, .name = name };
	g->slots[at] = (uint32_t)++g->n_calls;
	return (uint32_t)g->n_calls - 1;
}

bool group_call(struct group *g, const struct loading *l, const struct pprof_sample *p, int which, int64_t v)
{
	uint32_t at = 0;
	int64_t sum;

	for (size_t i = p->n_locations; i > 0 && at != UINT32_MAX && !(g->calls_full && g->n_calls < 2); i--) {
		const struct frames *f = &l->places[p->locations[i - 1]];
		for (uint32_t k = f->n; k > 0 && at != UINT32_MAX; k--)
			at = call_of(g, at, l->frames[f->first + k - 1]);
	}
	if (at == UINT32_MAX)
		return false;
	struct call *c = &g->calls[at];
	c->self[which] = __builtin_add_overflow(c->self[which], v, &sum) ? INT64_MAX : sum;
	return true;
}

/* ---- when it is whole: children stand together, in order ---- */

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int by_name(const void *a, const void *b, void *names)
{
	struct span x = ((struct span *)names)[*(const uint32_t *)a], y = ((struct span *)names)[*(const uint32_t *)b];
	size_t n = x.n < y.n ? x.n : y.n;
	int r = n ? memcmp(x.p, y.p, n) : 0;

	return r ? r : x.n < y.n ? -1 : x.n > y.n;
}

/* The place of each name among all. */
static uint32_t *rank_names(const struct group *g)
{
	uint32_t *order = mem_alloc((g->n_names + 1) * sizeof(*order)), *rank = mem_alloc((g->n_names + 1) * sizeof(*rank));

	if (order && rank) {
		for (size_t i = 0; i < g->n_names; i++)
			order[i] = (uint32_t)i;
		qsort_r(order, g->n_names, sizeof(*order), by_name, g->names);
		for (size_t i = 0; i < g->n_names; i++)
			rank[order[i]] = (uint32_t)i;
		mem_free(order);
		return rank;
	}
	mem_free(order);
	mem_free(rank);
	return NULL;
}

/* The calls of each caller: keys[first[c]] up to keys[first[c + 1]], a rank and a call each. */
static void group_children(const struct group *g, const uint32_t *rank, uint32_t *first, uint64_t *keys)
{
	size_t n = g->n_calls;

	memset(first, 0, (n + 2) * sizeof(*first));
	for (size_t i = 1; i < n; i++)
		first[g->calls[i].parent + 2]++;
	for (size_t i = 2; i < n + 2; i++)
		first[i] += first[i - 1];
	for (size_t i = 1; i < n; i++)
		keys[first[g->calls[i].parent + 1]++] = (uint64_t)rank[g->calls[i].name] << 32 | i;
	for (size_t i = 0; i < n; i++) {
		if (first[i + 1] - first[i] > 1)
			qsort(keys + first[i], first[i + 1] - first[i], sizeof(*keys), by_number);
	}
}

static int64_t plus(int64_t a, int64_t b)
{
	int64_t r;

	return __builtin_add_overflow(a, b, &r) ? a < 0 ? INT64_MIN : INT64_MAX : r;
}

static void lay_out(const struct group *g, const uint32_t *first, const uint64_t *keys, uint32_t *old, struct profile_node *nodes)
{
	size_t n = 1;

	old[0] = 0;
	nodes[0] = (struct profile_node){ .name = PPROF_NONE };
	for (size_t i = 0; i < n; i++) {
		const struct call *c = &g->calls[old[i]];
		nodes[i].first = (uint32_t)n;
		nodes[i].n = first[old[i] + 1] - first[old[i]];
		nodes[i].self = nodes[i].total = c->self[NEW];
		nodes[i].base_self = nodes[i].base_total = c->self[BASE];
		for (uint32_t k = 0; k < nodes[i].n; k++, n++) {
			old[n] = (uint32_t)keys[first[old[i]] + k];
			nodes[n] = (struct profile_node){ .parent = (uint32_t)i, .name = g->calls[old[n]].name };
		}
	}
	for (size_t i = n; i > 1; i--) {
		struct profile_node *node = &nodes[i - 1], *up = &nodes[node->parent];
		up->total = plus(up->total, node->total);
		up->base_total = plus(up->base_total, node->base_total);
	}
}

int profiles_tree(struct profiles *s, size_t group, struct profile_tree *ret, struct err *e)
{
	struct group *g = &s->groups[group];
	size_t n = g->n_calls;
	CLEANUP(mem_free) uint32_t *rank = rank_names(g);
	CLEANUP(mem_free) uint32_t *first = mem_alloc((n + 2) * sizeof(*first));
	CLEANUP(mem_free) uint64_t *keys = mem_alloc((n + 1) * sizeof(*keys));
	CLEANUP(mem_free) uint32_t *old = mem_alloc((n + 1) * sizeof(*old));
	struct profile_node *nodes = mem_alloc((n + 1) * sizeof(*nodes));

	*ret = (struct profile_tree){ 0 };
	if (!n || !rank || !first || !keys || !old || !nodes) {
		mem_free(nodes);
		return err_set(e, ENOMEM, TR("no memory for a call tree", "内存不足，无法建立调用树"));
	}
	group_children(g, rank, first, keys);
	lay_out(g, first, keys, old, nodes);
	*ret = (struct profile_tree){ .nodes = nodes, .n = n, .names = g->names };
	return 0;
}

void profile_tree_free(struct profile_tree *t)
{
	mem_free(t->nodes);
	*t = (struct profile_tree){ 0 };
}

/* ---- folded ---- */

/* A name in a folded stack: no semicolon, no line end, for they part it. */
static void put_name(struct buf *b, struct span name)
{
	for (size_t i = 0; i < name.n; i++)
		buf_addc(b, name.p[i] == ';' ? ':' : (unsigned char)name.p[i] < 0x20 ? ' ' : name.p[i]);
}

void profile_folded(const struct profile_tree *t, bool compared, struct buf *ret)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	uint32_t at = 0, done = 0;

	/* Down to the first child, else on to the next one of the nearest caller that has one; path follows. */
	while (at < t->n && !ret->bad) {
		const struct profile_node *node = &t->nodes[at];
		if (node->self || (compared && node->base_self)) {
			buf_add(ret, path.p, path.len);
			if (!path.len)
				buf_adds(ret, "<unknown>");
			if (compared)
				buf_addf(ret, " %lld", (long long)node->base_self);
			buf_addf(ret, " %lld\n", (long long)node->self);
		}
		if (node->n) {
			done = node->first;
		} else {
			while (at && at + 1 == t->nodes[t->nodes[at].parent].first + t->nodes[t->nodes[at].parent].n) {
				at = t->nodes[at].parent;
				path.len = at && path.len ? (size_t)((char *)memrchr(path.p, ';', path.len) - path.p) : 0;
			}
			if (!at)
				break;
			char *cut = path.len ? memrchr(path.p, ';', path.len) : NULL;
			path.len = cut ? (size_t)(cut - path.p) : 0;
			done = at + 1;
		}
		at = done;
		if (path.len)
			buf_addc(&path, ';');
		put_name(&path, t->names[t->nodes[at].name]);
		ret->bad |= path.bad;
	}
}
