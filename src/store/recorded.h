#ifndef STORE_RECORDED_H
#define STORE_RECORDED_H

#include "model/fingerprint.h"
#include "store/state.h"

/* Between record.c, which writes a run, seen.c, which writes its findings, and regress.c, which knows what the sight of a fault means. */

enum { COMMAND_MASKED = 1, COMMAND_ALLOWED = 2, COMMAND_RECOVERED = 4, COMMAND_BELOW_TEST = 8 }; /* command.flags */

struct seen { /* a fault that this run shows */
	char fingerprint[FINGERPRINT_LEN + 1];
	size_t finding;      /* the first one that is it */
	int64_t seq;         /* 0: not in the store yet */
	enum fault_state state; /* before this run */
	int64_t count, first_seen, merged, resolved_at, ignored_until;
	const char *by, *fix, *fix_commit, *owner; /* NULL: none; owner: "@a, @b" */
	struct buf first;    /* its first body, unpacked: of the fault first_of, 0: not asked for yet */
	int64_t first_of;
	char id[27];         /* that it has if we make it */
	struct span title;
	struct span last;    /* this run's, packed; absent: the same as the first */
	bool is_first, on_base, lacks_fix, regressed, twice;
	const char *good;    /* regressed: the last commit without it; NULL: not known */
	struct buf said;
};

struct recording {
	struct report *r;
	const struct record_config *c;
	struct err *e;
	struct arena mem;
	struct seen *seen;   /* by fingerprint */
	size_t n;
	int64_t run;         /* seq */
	bool there, asked;   /* asked: what is known of it was asked for outside the transaction */
};

/* ---- the faults of a run (seen.c) ---- */

int seen_make(struct recording *x, struct err *e);
void seen_free(struct recording *x);
int seen_lookup(struct store *s, struct recording *x, struct err *e); /* what is known of them; afresh */
int seen_record(struct store *s, struct recording *x, struct err *e); /* the findings, and what the sight of them changes */

/* Resolved faults that are seen again are regressed, ignored ones whose time is over are open again. */
int regress_all(struct store *s, struct recording *x, struct err *e);
/* The finding gets its fault: id, state, count, and a sentence for the verdict. */
int sight_fill(const struct recording *x, struct finding *f, struct err *e);
#endif
