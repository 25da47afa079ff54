#ifndef CLI_INCIDENTS_H
#define CLI_INCIDENTS_H

#include "store/store.h"

/*
 * A list of incidents of another tool, as faults: JSON (an array, or an object whose "faults", "incidents", "issues", "items",
 * "results" or "data" is one) or CSV with a first row of names. Names are matched by a table of aliases, whatever their case,
 * blanks, dashes and underscores. Pure: reads text, touches no store.
 */
struct incidents {
	struct arena mem;
	struct fault_import *v;
	int *lines; /* where each begins */
	size_t n, cap, cap_lines;
	size_t joined; /* entries that were the same fault as an earlier one of the list */
};

#define INCIDENTS_BYTES_MAX ((size_t)64 << 20)
#define INCIDENTS_MAX       1000000

/* All of it or nothing: -EBADMSG names the file, the line and the field. To be freed either way. */
int incidents_read(struct span text, const char *name, struct incidents *ret, struct err *e);
void incidents_free(struct incidents *l);
void incidents_free_cleanup(struct incidents *l);
#endif
