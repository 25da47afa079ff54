#ifndef CHECK_FROM_FAULTS_H
#define CHECK_FROM_FAULTS_H

#include "base/arena.h"
#include "check/lint.h"

/*
 * Which rules would have prevented what a fault library holds: each rule names the causes that it prevents. A cause is a kind of
 * failure; that the rule would have met just this fault is likely and not certain.
 */
struct fault_seen {
	struct span cause;
	int64_t runs; /* that it was seen in */
	int64_t last_seen;
};
struct rule_worth {
	const struct rule *rule;
	size_t *faults; /* places in the list of faults, in its order */
	size_t n_faults;
	int64_t runs, last_seen;
	const struct lint_finding
		*first; /* of the tree, in the order of places; NULL: the tree does not break it */
	size_t findings;
};
/* ret has room for rule_count. The rules that would have prevented something, in the order of the table; how many. -1: no memory. */
ptrdiff_t rules_of_faults(const struct fault_seen *faults, size_t n, struct arena *mem,
			  struct rule_worth *ret);
/* What the tree breaks, and the order: what is broken now, then by faults, runs and the time of the last. */
void rules_by_worth(struct rule_worth *list, size_t n, const struct lint_result *tree);
#endif
