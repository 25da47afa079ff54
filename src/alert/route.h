#ifndef ALERT_ROUTE_H
#define ALERT_ROUTE_H

#include "alert/alert.h"
#include "config/config.h"

/*
 * Who is told what, when: rules of tocsin.yaml over the facts of an alert. Pure: the clock is passed in; what was told before
 * comes from the caller (route_past).
 */
struct route_facts { /* of one run and its primary finding; NULL: not known */
	const char *outcome, *cause, *classes, *severity, *package, *branch, *job, *service, *state /* new, known, regressed, ignored */, *owner, *project;
	bool flaky;
};
struct route_past { /* about alert.key, from the outbox */
	int64_t told_at;      /* 0: never */
	int64_t count;        /* since then */
	bool acknowledged, recovered;
};
struct route_hit {
	const char *channel, *level;
	int64_t not_before;   /* quiet hours, grouping; 0: at once */
	const char *group;    /* alerts with one group and channel become one digest; NULL: alone */
	const char *why;      /* for `alert preview`: "routes[1], tocsin.yaml:12" */
};
struct routes; /* read from a configuration */
int routes_read(const struct config *c, struct routes **ret, struct err *e);
void routes_free(struct routes *r);
/* *ret is in mem. 0 hits: nobody is to be told (silenced, inhibited, told already within the repeat interval): *why says it. */
int routes_match(const struct routes *r, const struct route_facts *f, const struct route_past *past, int64_t now, struct arena *mem, struct route_hit **ret, size_t *n,
		 const char **why, struct err *e);
#endif
