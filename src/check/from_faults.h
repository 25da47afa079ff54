#ifndef CHECK_FROM_FAULTS_H
#define CHECK_FROM_FAULTS_H

#include "check/rule.h"

/* Which rules would have prevented what a fault library holds: each rule names the causes that it prevents. */
struct fault_cause {
	struct span cause;
	int64_t faults, runs; /* different ones; runs that they were seen in */
};
struct rule_worth {
	const struct rule *rule;
	int64_t faults, runs;
};
/* ret has room for rule_count. The rules that would have prevented something, the most runs first; how many. */
size_t rules_by_worth(const struct fault_cause *causes, size_t n, struct rule_worth *ret);
#endif
