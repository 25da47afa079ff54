#include "base/mem.h"
#include "check/ci/gitlab_own.h"

/* Several files of GitLab CI as one: mappings go into each other, of anything else the later one holds. */

#define MERGE_DEPTH 5       /* a job's variables and what they are made of lie less deep */
#define MERGE_STEPS 4000000 /* keys that are compared */

static struct ynode *copy_of(struct gl *g, const struct ynode *n)
{
	struct ynode *c = arena_alloc(g->y->mem, sizeof(*c));

	if (!c) {
		g->y->bad = true;
		return NULL;
	}
	*c = *n;
	c->next = NULL;
	return c;
}

static struct ynode *key_in(struct gl *g, const struct ynode *map, struct span key)
{
	for (struct ynode *v = map->first; v && g->merged++ < MERGE_STEPS; v = v->next)
		if (span_eq(ykey(g->y, v), key))
			return v;
	return NULL;
}

static struct ynode *merge_maps(struct gl *g, const struct ynode *low, const struct ynode *high, int depth);

static void put(struct gl *g, struct ynode *map, const struct ynode *value, int depth)
{
	struct ynode *old = depth ? key_in(g, map, ykey(g->y, value)) : NULL, *next;
	bool both = old && depth < MERGE_DEPTH && yis(g->y, old, YMAP) && yis(g->y, value, YMAP);
	struct ynode *one = both ? merge_maps(g, yreal(g->y, old), yreal(g->y, value), depth + 1)
				 : copy_of(g, value);

	if (!one)
		return;
	one->key = value->key;
	if (old) {
		next = old->next;
		*old = *one;
		old->next = next;
		return;
	}
	if (map->last)
		map->last->next = one;
	else
		map->first = one;
	map->last = one;
	map->n++;
}

static struct ynode *merge_maps(struct gl *g, const struct ynode *low, const struct ynode *high, int depth)
{
	struct ynode *map = copy_of(g, high);

	if (!map)
		return NULL;
	map->first = map->last = NULL;
	map->n = 0;
	/* Keys of one mapping are not compared with each other: depth 0. */
	for (const struct ynode *v = low ? low->first : NULL; v; v = v->next)
		put(g, map, v, 0);
	for (const struct ynode *v = high->first; v; v = v->next)
		put(g, map, v, depth);
	return map;
}

struct ynode *gl_merge(struct gl *g, const struct ynode *low, const struct ynode *high)
{
	struct ynode *map = merge_maps(g, low, high, 1);

	if (g->merged >= MERGE_STEPS)
		lint_limit(g->f, TR("included files with too many keys: not all of them were merged",
				    "include 的文件键过多：未全部合并"));
	return map;
}
