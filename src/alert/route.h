#ifndef ALERT_ROUTE_H
#define ALERT_ROUTE_H

#include "alert/alert.h"
#include "config/config.h"

/*
 * Who is told what, when: rules of tocsin.yaml over the facts of an alert. Pure: the clock is passed in; what was told before
 * comes from the caller (route_past). Every route that fits counts; a channel that several name is told once, by the most
 * urgent. Without routes every outcome that is not passed goes to every channel at once (level L1).
 */
struct route_facts { /* of one run and its primary finding; NULL: not known, and then no condition on it is met */
	const char *key; /* alert.key */
	const char *outcome, *cause, *classes /* letters */, *severity, *package, *branch, *job, *service, *state /* new, known, regressed, ignored */,
		*project, *host;
	const char *owner; /* several: a blank between them */
	bool flaky;
	/* It is over; the other facts are those of what was wrong, outcome too. A condition on one that is not known any more is met. */
	bool recovery;
};
struct route_active { /* what was told and is not over */
	const char *key, *cause, *project, *branch, *job, *service, *host;
	int64_t told_at;
};
struct route_told {
	const char *channel;
	int64_t at; /* the last time */
};
struct route_past { /* about alert.key, from the outbox */
	int64_t told_at;      /* 0: never */
	const struct route_told *told; /* who was; the repeat interval is each channel's own. n_told 0: all were, at told_at */
	size_t n_told;
	bool follow_up;       /* how a run ended whose failure was told while it went on: only a silence keeps that back */
	int64_t count;        /* since then */
	bool acknowledged, recovered;
	const struct route_active *active; /* of all keys: may be the root cause of this one */
	size_t n_active;
};
struct route_hit {
	const char *channel, *level;
	int64_t not_before;   /* quiet hours, grouping, escalation; 0: at once */
	const char *group;    /* alerts with one group and channel become one digest; NULL: alone */
	/* Only if nobody has acknowledged it by not_before. Of a recovery: only if this channel was told what was wrong. */
	bool escalates;
	const char *why;      /* for `alert preview`: "routes[1], tocsin.yaml:12" */
};
#define ROUTE_ACTIVE_NS (3600 * NSEC_PER_SEC) /* a root cause that was told longer ago explains nothing any more */

struct routes; /* read from a configuration, which must outlive it */
int routes_read(const struct config *c, struct routes **ret, struct err *e);
void routes_free(struct routes *r); /* NULL is fine */
void routes_free_cleanup(struct routes **r);
/*
 * Something of a route does not work on this machine (its time zone is unknown: it has no quiet hours then, its digest is by
 * UTC): a sentence; NULL behind the last.
 */
const char *routes_note(const struct routes *r, size_t i);
/*
 * One of `tocsin alert silence`: globs, one of each at most, NULL: anything; key: as it is. At least one must be given.
 * All texts are copied. until: wall ns.
 */
int routes_silence(struct routes *r, const char *const when[WHENS], const char *key, int64_t until, const char *why, struct err *e);
/* *ret is in mem. 0 hits: nobody is to be told (silenced, inhibited, told already within the repeat interval): *why says it. */
int routes_match(const struct routes *r, const struct route_facts *f, const struct route_past *past, int64_t now, struct arena *mem, struct route_hit **ret, size_t *n,
		 const char **why, struct err *e);
#endif
