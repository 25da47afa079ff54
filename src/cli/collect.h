#ifndef CLI_COLLECT_H
#define CLI_COLLECT_H

#include "diagnose/judge.h"

#define COLLECT_MAX 500000 /* tests of one run that are remembered */

/* Every test that ended, for the store: what it came to and how long it took. {0} is a new one. */
struct collect {
	struct arena mem;
	struct test_result *v;
	size_t n, cap;
	size_t open;         /* from here on the package is not known yet: plain text names it last */
	struct span package; /* of the newest; tests of one share its name */
	bool full;           /* some were left out */
};
void collect_notice(struct collect *c, const struct notice *n);
void collect_free(struct collect *c);
#endif
