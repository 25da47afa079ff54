#include "base/mem.h"
#include "check/ci/yci.h"
#include "check/lint_own.h"

/* What several files say together. */

const struct lint_fact *lint_fact_find(const struct lint_join *j, enum lint_fact_kind kind, struct span a,
				       struct span b)
{
	for (size_t i = 0; i < j->n_facts[kind]; i++)
		if (span_eq(j->facts[kind][i]->a, a) && (!b.p || span_eq(j->facts[kind][i]->b, b)))
			return j->facts[kind][i];
	return NULL;
}

struct lint_finding *lint_join_say(struct lint_join *j, enum rule_id rule, const char *path,
				   struct lint_place at, const struct span *args, size_t n)
{
	struct lint_result *r = j->result;

	if (!j->on[rule])
		return NULL;
	if (r->n >= r->cap) {
		size_t cap = 2 * r->n + 16;
		struct lint_finding *all = arena_alloc(&r->mem, cap * sizeof(*all));
		if (!all) {
			j->bad = true;
			return NULL;
		}
		if (r->n)
			memcpy(all, r->findings, r->n * sizeof(*all));
		r->findings = all;
		r->cap = cap;
	}
	struct lint_finding *f = &r->findings[r->n++];
	*f = (struct lint_finding){
		.rule = &rules[rule], .severity = rules[rule].severity, .path = path, .at = at
	};
	for (size_t i = 0; i < n && i < LINT_ARGS; i++, f->n_args++) {
		f->args[i] = arena_span(&r->mem, args[i]);
		j->bad |= !f->args[i].p;
	}
	return f;
}

/* Who runs a unit: the facts with the same b are a list. */
struct runner {
	const struct lint_fact *fact;
	struct runner *next;
};

static void watch(struct lint_join *j, struct span unit, struct span *todo, size_t *n)
{
	if (!unit.n || map_get(&j->watched, unit))
		return;
	j->bad |= !map_put(&j->watched, unit, j);
	todo[(*n)++] = unit;
}

/* A unit leads to a watched command when it runs one, or runs a unit that does: from the commands back to who runs them. */
static void watch_units(struct lint_join *j)
{
	size_t runs = j->n_facts[FACT_RUNS], go = j->n_facts[FACT_GO], n = 0;
	CLEANUP(mem_free) struct runner *all = mem_alloc((runs + 1) * sizeof(*all));
	CLEANUP(mem_free) struct span *todo = mem_alloc((runs + go + 1) * sizeof(*todo));
	struct map runners = { 0 }; /* of a unit: the first of the list */

	j->bad |= !all || !todo;
	for (size_t i = 0; i < runs && !j->bad; i++) {
		const struct lint_fact *f = j->facts[FACT_RUNS][i];
		all[i] = (struct runner){ f, map_get(&runners, f->b) };
		j->bad |= !map_put(&runners, f->b, &all[i]);
	}
	for (size_t i = 0; i < go && !j->bad; i++)
		watch(j, j->facts[FACT_GO][i]->a, todo, &n);
	while (n && !j->bad)
		for (const struct runner *r = map_get(&runners, todo[--n]); r && !j->bad; r = r->next)
			watch(j, r->fact->a, todo, &n);
	map_free(&runners);
}

static void drop_unwatched(struct lint_join *j)
{
	struct lint_result *r = j->result;
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		if (!r->findings[i].unit.n || map_get(&j->watched, r->findings[i].unit))
			r->findings[n++] = r->findings[i];
	r->n = n;
}

void lint_join_all(struct lint_join *j)
{
	watch_units(j);
	drop_unwatched(j);
	github_join(j);
	golint_join_recover(j);
	lint_join_make(j);
	lint_join_across(j);
	lint_allow_join(j);
	map_free(&j->watched);
}
