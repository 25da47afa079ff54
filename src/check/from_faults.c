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

static int by_worth(const void *pa, const void *pb)
{
	const struct rule_worth *a = pa, *b = pb;

	if (a->runs != b->runs)
		return a->runs < b->runs ? 1 : -1;
	if (a->faults != b->faults)
		return a->faults < b->faults ? 1 : -1;
	return strcmp(a->rule->id, b->rule->id);
}

size_t rules_by_worth(const struct fault_cause *causes, size_t n, struct rule_worth *ret)
{
	size_t found = 0;

	for (size_t i = 0; i < rule_count; i++) {
		struct rule_worth w = { .rule = &rules[i] };
		for (size_t k = 0; k < n; k++) {
			if (!prevents(&rules[i], causes[k].cause))
				continue;
			w.faults += causes[k].faults;
			w.runs += causes[k].runs;
		}
		if (w.faults)
			ret[found++] = w;
	}
	if (found)
		qsort(ret, found, sizeof(*ret), by_worth);
	return found;
}
