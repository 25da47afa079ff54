#ifndef CLI_AUDIT_H
#define CLI_AUDIT_H

#include "cli/gotree.h"
#include "parse/contract.h"
#include "store/store.h"

/* The loop from fault to defence: does what was promised against each fault exist, does it run, is it green, did it hold? */

enum audit_kind { /* in the order in which they are listed; docs/faults.md says why each has its severity */
	AUDIT_CAME_BACK,
	AUDIT_MISSING,
	AUDIT_NOT_GREEN,
	AUDIT_NOT_RUN,
	AUDIT_UNREADABLE,
	AUDIT_OTHER_FAULT,
	AUDIT_UNDEFENDED,
	AUDIT_UNVERIFIED,
	AUDIT_AMBIGUOUS,
	AUDIT_UNKNOWN_FAULT,
	AUDIT_DUPLICATE,
	AUDIT_CACHED,
	AUDIT_KINDS,
};
extern const char *const audit_words[]; /* "came_back", …; NULL-terminated */

struct audit_finding {
	enum audit_kind kind;
	enum severity severity;
	int64_t seq;         /* 0: of no fault */
	const char *id, *title; /* NULL: of no fault */
	const char *defence; /* "test:…"; NULL: of none */
	const char *file;    /* relative to the project's root; NULL: none */
	int line;            /* 0: none */
	const char *message;
};

enum defence_state { DEFENCE_GREEN, DEFENCE_GREEN_CACHED, DEFENCE_CONFIGURED /* a rule that is on; never seen green */, DEFENCE_UNVERIFIED, DEFENCE_BROKEN, DEFENCE_STATES };

struct audit_defence {
	enum defence_kind kind;
	const char *name;    /* without its kind */
	const char *file;    /* of the contract that names it; NULL: linked in the store */
	int line;
	int64_t since;       /* when it came; 0: not known */
	enum defence_state state;
	struct span package, test; /* of a test that exists */
};

struct audit_repair { /* mean time from seen (or back again) to resolved */
	int64_t before, after; /* sums, ns */
	int64_t n_before, n_after;
};

struct audit_time {
	int64_t begin, end;
};

struct audit_fault {
	struct fault f;
	struct audit_time *times; /* seen, or back again, until resolved */
	size_t n_times, cap_times;
	struct audit_defence *defences;
	size_t n, cap;
	bool promised;        /* something was linked, if only a contract that is gone */
	int64_t defended;     /* when the first of them came; 0: not known, or none */
	int64_t regressed;    /* the last time; 0: never */
	const char *regressed_run;
	struct audit_repair repair;
};

struct audit_config {
	struct store *s;
	const char *root;        /* of the tree, absolute */
	const char *contracts;   /* the folder, absolute */
	const char *project;     /* NULL: all */
	const char *base_branch; /* results there count before those of others; NULL: all are alike */
	int64_t now, max_age;
	int64_t since;           /* faults that were not seen since then need no defence; 0: all do */
};

struct audit {
	struct arena *mem;
	struct gotree tree;      /* findings and defences point into it */
	struct audit_finding *findings; /* the worst first */
	size_t n, cap;
	struct audit_fault *faults; /* by seq */
	size_t n_faults, cap_faults;
	size_t contracts;        /* files */
	size_t defended;         /* faults */
	size_t states[DEFENCE_STATES], defences;
	size_t severities[3];    /* findings, as enum severity */
	struct audit_repair repair;
	const char *notes[6];    /* sentences about what could not be known */
	size_t n_notes;
};
int audit_run(const struct audit_config *c, struct arena *mem, struct audit *ret, struct err *e);
void audit_free(struct audit *a);

/* ---- between the files of the audit ---- */

struct auditing {
	const struct audit_config *c;
	struct audit *a;
	struct arena *mem;
	size_t sorted; /* of the faults; those that a contract brought in stand behind */
	bool no_memory;
};
void audit_add(struct auditing *x, enum audit_kind kind, enum severity severity, const struct audit_fault *f, const struct audit_defence *d, const char *file,
	       int line, const char *fmt, ...) __attribute__((format(printf, 8, 9)));
int audit_no_memory(struct err *e);
/* audit_check.c: does it exist, did it run, was it green? */
int audit_defence(struct auditing *x, struct audit_fault *f, struct audit_defence *d, struct err *e);
/* Came it back in spite of what was there? After all its defences were looked at. */
int audit_came_back(struct auditing *x, struct audit_fault *f, struct err *e);
/* audit_contract.c: what is promised against each fault, by links and by contracts. */
int audit_promises(struct auditing *x, struct err *e);
#endif
