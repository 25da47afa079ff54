#include "check/from_faults.h"

#include <stdlib.h>

#include "base/mem.h"

static bool prevents(const struct rule *r, struct span cause)
{
	for (struct span rest = span_of(r->prevents); rest.n;)
		if (span_eq(span_cut(&rest, ' '), cause))
			return true;
	return false;
}

static size_t count_faults(const struct rule *r, const struct fault_seen *faults, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += prevents(r, faults[i].cause);
	return count;
}

static void add_faults(struct rule_worth *w, const struct fault_seen *faults, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct fault_seen *f = &faults[i];
		if (!prevents(w->rule, f->cause))
			continue;
		w->faults[w->n_faults++] = i;
		w->runs += f->runs;
		if (f->last_seen > w->last_seen)
			w->last_seen = f->last_seen;
	}
}

ptrdiff_t rules_of_faults(const struct fault_seen *faults, size_t n, struct arena *mem,
			  struct rule_worth *ret)
{
	ptrdiff_t found = 0;

	for (size_t i = 0; i < rule_count; i++) {
		struct rule_worth w = { .rule = &rules[i] };
		size_t count = count_faults(w.rule, faults, n);
		if (!count)
			continue;
		w.faults = arena_alloc(mem, count * sizeof(*w.faults));
		if (!w.faults)
			return -1;
		add_faults(&w, faults, n);
		ret[found++] = w;
	}
	return found;
}

static int more_first(int64_t a, int64_t b)
{
	return (a < b) - (a > b);
}

static int by_worth(const void *pa, const void *pb)
{
	const struct rule_worth *a = pa, *b = pb;
	int r = more_first(a->findings > 0, b->findings > 0);

	if (r == 0)
		r = more_first((int64_t)a->n_faults, (int64_t)b->n_faults);
	if (r == 0)
		r = more_first(a->runs, b->runs);
	if (r == 0)
		r = more_first(a->last_seen, b->last_seen);
	/* What is found often here has most to do with it, where the library does not tell rules apart. */
	if (r == 0)
		r = more_first((int64_t)a->findings, (int64_t)b->findings);
	return r ? r : strcmp(a->rule->id, b->rule->id);
}

void rules_by_worth(struct rule_worth *list, size_t n, const struct lint_result *tree)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < tree->n; k++) {
			if (tree->findings[k].rule != list[i].rule)
				continue;
			if (!list[i].findings++)
				list[i].first = &tree->findings[k];
		}
	if (n)
		qsort(list, n, sizeof(*list), by_worth);
}
