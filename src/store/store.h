#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "model/report.h"

/*
 * The fault library: what every run found, kept in SQLite (one machine) or PostgreSQL (a team), with one schema and many
 * writers. One connection, one thread. Functions return 0 (or what they say) or -errno and one sentence. Everything that
 * comes in has passed the redaction choke point already. Times are wall clock ns since 1970.
 *
 * Rows are handed to a callback; their spans live for the call. A callback returns 0 to go on, 1 to stop, -errno to fail.
 */
struct store;

enum store_flags {
	STORE_CREATE = 1,     /* make it when it is not there */
	STORE_READONLY = 2,
	STORE_AS_IS = 4,      /* no migration: for `store migrate` and `store check` */
	STORE_HASTY = 16,     /* no long wait for other writers: something else waits for us */
	STORE_SMALL = 8,      /* for who lives long and reads a row once: little memory for pages */
};
#define STORE_WAIT_NSEC (INT64_C(5) * 1000000000) /* the longest wait for other writers or a server, a step */
#define STORE_HASTE_NSEC (INT64_C(500) * 1000000)

/* uri: a path, sqlite:///PATH, postgres://…; NULL or "": the user's own, below the state directory. */
int store_open(const char *uri, unsigned flags, struct store **ret, struct err *e);
void store_close(struct store *s); /* NULL is fine */
const char *store_name(const struct store *s); /* fit to be shown: no password */
int store_uri_name(const char *uri, struct buf *ret, struct err *e); /* the same without opening it */

/* ---- recording (record.c) ---- */

struct record_config {
	int64_t now;
	/* Is this commit part of what was run? 1 yes, 0 no, -1 not known. NULL: never known. */
	int (*has_commit)(void *ctx, const char *commit);
	/* Who owns this finding; NULL: nobody. Asked for new faults only. May be NULL itself. */
	const char *(*owner)(void *ctx, const struct finding *f);
	void *ctx;
};
/*
 * Keep a run, whole or not at all; without an outcome it is a moment of one that goes on, and is not counted as a run. Fills in the fingerprint and the fault of each finding (memory of r). Writing the same run
 * (r->id) again changes nothing and returns 1.
 */
int store_record(struct store *s, struct report *r, const struct record_config *c, struct err *e);

/* ---- the spool: runs that could not be recorded (spool.c) ---- */

/* Keep the run in a file that the next run with this store takes in. *ret: its name. */
int spool_put(const char *uri, const struct report *r, struct buf *ret, struct err *e);
/* Record at most max spooled runs; returns how many. One that cannot be read is set aside as FILE.bad and said in *notes. */
int spool_take(struct store *s, const char *uri, int max, int64_t now, struct buf *notes, struct err *e);
/* How many runs wait for this store, and how large they are. */
void spool_waiting(const char *uri, int64_t *files, int64_t *bytes);

/* ---- faults (fault.c) ---- */

enum fault_state { FAULT_OPEN, FAULT_REGRESSED, FAULT_RESOLVED, FAULT_IGNORED, FAULT_MERGED, FAULT_STATES };
extern const char *const fault_state_words[]; /* "open", …; NULL-terminated */

struct fault {
	int64_t seq; /* T-seq is its short id */
	struct span id, fingerprint, cause, title, project, package, test, file, owner;
	enum severity severity;
	int line;
	enum fault_state state;
	int64_t count; /* runs that it was seen in */
	int64_t first_seen, last_seen;
	struct span first_run, last_run, first_commit, last_commit, first_url, last_url;
	int64_t resolved_at, regressed_at, ignored_until; /* 0: never */
	struct span resolved_by, fix, fix_commit;
	int64_t regressions, merged_into; /* seq; 0: none */
	struct span defences, tags; /* "test:TestX\nrule:…", a line each */
};

enum fault_order { ORDER_STATE /* regressed, open, ignored, resolved; the last seen first */, ORDER_LAST, ORDER_FIRST, ORDER_COUNT };
struct fault_filter { /* NULL, 0: any. Words with '*' are globs */
	const char *state; /* words with commas; merged ones are left out unless asked for */
	const char *cause, *owner, *package, *project, *tag, *test;
	int64_t seen_since, seen_before, first_since;
	bool no_defence;
	const char *text; /* any part of title, message, excerpt, notes; letters of any case */
	enum fault_order order;
	int64_t limit, offset; /* limit 0: all */
};
typedef int fault_fn(void *ctx, const struct fault *f);
int store_faults(struct store *s, const struct fault_filter *q, fault_fn *fn, void *ctx, struct err *e);
int store_faults_count(struct store *s, const struct fault_filter *q, int64_t *ret, struct err *e);
/*
 * By T-42, 42, ULID, fingerprint or the beginning (6 or more) of one of the last two; a merged one gives what it was merged into.
 * Copied into mem. ENOENT: a sentence that says so; EEXIST: several begin like this.
 */
int store_fault_get(struct store *s, const char *ref, struct arena *mem, struct fault *ret, struct err *e);

/* Counts for the n days that end with the day of now, oldest first. */
int store_fault_days(struct store *s, int64_t seq, int64_t now, int64_t *counts, size_t n, struct err *e);

struct sighting { /* one finding of the fault, in one run */
	struct span run, project, branch, commit, url, go, outcome, argv /* JSON */;
	int64_t started;
	const struct finding *finding; /* whole, as it was reported; lives for the call */
	struct span modules; /* "path version" lines; empty: not known */
};
typedef int sighting_fn(void *ctx, const struct sighting *x);
int store_sightings(struct store *s, int64_t seq, bool oldest_first, int64_t limit, sighting_fn *fn, void *ctx, struct err *e);
/* The first and the last finding; kept even when their runs are gone. Copied into mem. */
int store_fault_ends(struct store *s, int64_t seq, struct arena *mem, struct finding *first, struct finding *last, struct err *e);
int store_similar(struct store *s, const struct fault *f, int64_t limit, fault_fn *fn, void *ctx, struct err *e);

enum change_kind { CHANGE_RESOLVED, CHANGE_REOPENED, CHANGE_IGNORED, CHANGE_ASSIGNED, CHANGE_TAGGED, CHANGE_UNTAGGED, CHANGE_NOTE,
	CHANGE_LINKED, CHANGE_UNLINKED, CHANGE_MERGED, CHANGE_REGRESSED /* by a run only */, CHANGE_IMPORTED, CHANGE_KINDS };
extern const char *const change_words[]; /* "resolved", …; NULL-terminated */
struct fault_change {
	enum change_kind kind;
	int64_t at;
	const char *who;     /* NULL: not known */
	const char *text;    /* the fix, the reason, the owner, the tag, the note, KIND:NAME */
	const char *commit;  /* resolved: the fix */
	int64_t until;       /* ignored */
	int64_t into;        /* merged: seq */
};
/* Change one fault and keep it in its history; -EINVAL with a sentence where it makes no sense (resolving twice). */
int store_fault_change(struct store *s, int64_t seq, const struct fault_change *c, struct err *e);
struct fault_event {
	struct span id, kind, who, text, data /* JSON: {"commit":…,"good":…,"bad":…,"until":…,"into":…} */;
	int64_t seq, at;
};
typedef int event_fn(void *ctx, const struct fault_event *v);
int store_events(struct store *s, int64_t seq /* 0: of all */, event_fn *fn, void *ctx, struct err *e);

/* A fault of an older list. fingerprint NULL: made from cause, title, package and test. 1: it is there already (by id or fingerprint). */
struct fault_import {
	const char *id, *fingerprint, *cause, *title, *package, *test, *file, *owner, *project, *text, *state, *fix, *fix_commit;
	const char *const *tags;     size_t n_tags;
	const char *const *defences; size_t n_defences;
	int line;
	int64_t count, first_seen, last_seen, resolved_at;
	const char *resolved_by;
	int64_t ignored_until;
	const struct fault_event *events; size_t n_events; /* its history; seq is not looked at, an id that is there already stays as it is */
};
int store_fault_import(struct store *s, const struct fault_import *f, int64_t now, int64_t *seq, struct err *e);
/* n of them in one transaction, all or none; *fresh: how many were not there. Other writers wait meanwhile: a few hundred at a time. */
int store_faults_import(struct store *s, const struct fault_import *f, size_t n, int64_t now, size_t *fresh, struct err *e);

/* ---- tests (tests.c) ---- */

struct run_info {
	int64_t seq, started, duration, series;
	struct span id, project, outcome, cause, branch, commit, go, url, summary, argv;
	struct test_counts tests;
	int64_t findings;
};
struct run_filter {
	const char *project, *branch, *outcome;
	int64_t series, since, before, limit; /* the newest first */
};
typedef int run_fn(void *ctx, const struct run_info *r);
int store_runs(struct store *s, const struct run_filter *q, run_fn *fn, void *ctx, struct err *e);

/* What this command usually takes: median and spread of its last 20 passed runs; n 0: never seen. */
struct usual {
	int64_t n, median, low, high; /* ns; low and high: quartiles */
};
int64_t store_series(const struct report *r); /* the key of "the same command in the same place"; 0: no memory */
int store_usual(struct store *s, int64_t series, struct usual *ret, struct err *e);
/* The same for every test that it usually takes at_least to pass: {package, test, median ns} of its last runs. */
typedef int usual_fn(void *ctx, struct span package, struct span test, int64_t median);
int store_usual_tests(struct store *s, int64_t series, int64_t at_least, usual_fn *fn, void *ctx, struct err *e);

struct flaky {
	struct span package, test, project;
	int64_t commits; /* states of the code that gave both results */
	int64_t runs, failed; /* in the window */
	int64_t pairs, flips; /* neighbouring results at one state of the code, and those that differ */
	int64_t reruns;  /* runs that have both results themselves */
	double score;    /* 0..1: flips / (pairs + 4), see docs/flaky.md */
	struct span commit, passed_run, failed_run; /* the newest evidence */
	int64_t last_failed;
	int64_t fault;   /* seq of its fault; 0: none */
};
typedef int flaky_fn(void *ctx, const struct flaky *f);
/* The worst first. 1: there is more evidence than is looked at; the newest was. */
int store_flaky(struct store *s, const char *project, int64_t since, flaky_fn *fn, void *ctx, struct err *e);

enum test_change { TEST_SLOWEST, TEST_SLOWER, TEST_SKIPPED /* newly */, TEST_GONE, TEST_CHANGES };
struct test_trend {
	enum test_change what;
	struct span package, test;
	int64_t now, before, noise; /* ns: the last runs' median, the earlier ones' median, how far those scatter */
	int64_t count;              /* tests that it stands for: subtests, or those of a package (test empty) */
	struct span run, commit;    /* where it changed */
	int64_t at;
};
typedef int trend_fn(void *ctx, const struct test_trend *t);
/* At most limit of each kind, the worst first. Compares the last runs of one command on one branch (docs/flaky.md). 1: there are more than is looked at. */
int store_test_trends(struct store *s, const char *project, int64_t now, size_t limit, trend_fn *fn, void *ctx, struct err *e);
/* The last runs of tests whose name matches (PACKAGE.TEST, or the test alone; '*' is a glob). */
struct test_run {
	struct span package, test, run, commit, branch;
	int64_t started, ns;
	enum test_outcome result;
	bool cached; /* go test did not run it then, and repeated what it came to before */
};
typedef int test_run_fn(void *ctx, const struct test_run *t);
int store_test_runs(struct store *s, const char *project, const char *name, int64_t since, int64_t limit, test_run_fn *fn, void *ctx, struct err *e);
/* The same for the one test of this name, in every project; the newest first. */
int store_test_results(struct store *s, struct span package, struct span test, int64_t since, int64_t limit, test_run_fn *fn, void *ctx, struct err *e);

/* ---- numbers (stats.c) ---- */

struct stats_bucket { /* a day */
	int64_t day; /* since 1970 */
	int64_t runs, failed, findings, new_faults, resolved, regressed;
	int64_t duration; /* sum, ns */
	int64_t repair;   /* sum over the resolved ones, ns */
	int64_t outcomes[OUTCOME_COUNT];
};
struct stats_fault {
	int64_t seq, count; /* in the window */
};
struct stats {
	int64_t runs, findings, faults;
	int64_t outcomes[OUTCOME_COUNT];
	int64_t states[FAULT_STATES];
	int64_t new_faults, regressions;
	int64_t mttr_n, mttr; /* mean time from first seen (or back again) to resolved, ns */
	struct stats_bucket *days;
	size_t n_days;
	struct stats_cause { const char *cause; int64_t findings, faults; } *causes; /* the most findings first */
	size_t n_causes;
	struct stats_project { const char *project; int64_t runs, failed; } *projects; /* the most runs first */
	size_t n_projects;
	struct stats_fault *top; /* the most often seen in the window first, STATS_TOP at most */
	size_t n_top;
};
#define STATS_TOP 10
#define STATS_DAYS_MAX 3660 /* of a window; since is moved when it is longer */
/*
 * The runs from since to now, of one project or (NULL) all. Findings of a cause count the runs that each fault was seen in;
 * faults and states are those that were seen in the window.
 */
int store_stats(struct store *s, const char *project, int64_t since, int64_t now, struct arena *mem, struct stats *ret, struct err *e);

/* ---- upkeep (upkeep.c, copy.c) ---- */

struct retention {
	int64_t age;   /* ns; 0: for ever */
	int64_t bytes; /* 0: no limit */
	int64_t most;  /* runs to remove in one go; 0: all that are due */
};
struct vacuumed {
	int64_t runs, findings, bytes_before, bytes_after;
};
/* Runs go, faults and their history stay. The newest 100 runs stay whatever their age: clocks jump. */
int store_vacuum(struct store *s, const struct retention *k, int64_t now, bool compact, struct vacuumed *ret, struct err *e);
int store_upkeep_due(struct store *s, int64_t now, struct err *e); /* 1: nobody has done it for a day, and now it is ours */
typedef void check_fn(void *ctx, bool ok, const char *sentence);
int store_check(struct store *s, check_fn *fn, void *ctx, struct err *e); /* returns how much is wrong */
int store_backup(struct store *s, const char *path, struct err *e); /* a whole SQLite file, from either kind */
int store_migrate(struct store *s, int *from, int *to, struct err *e);
typedef void progress_fn(void *ctx, int64_t done, int64_t all);
struct copied {
	int64_t runs, findings, faults, events, alerts, there; /* there: runs that the target had already */
};
int store_copy(struct store *from, struct store *to, progress_fn *fn, void *ctx, struct copied *ret, struct err *e);
int64_t store_bytes(struct store *s);
/* 1: the latest runs lie in the future or years back; appends the sentence that says so. */
int store_clock(struct store *s, int64_t now, struct buf *ret, struct err *e);
struct store_info {
	bool postgres;
	int schema;
	int64_t runs, findings, faults, tests, results, alerts, bytes;
	int64_t oldest, newest; /* runs; 0: none */
};
int store_describe(struct store *s, struct store_info *ret, struct err *e);

/* ---- the outbox: alerts owed (outbox.c) ---- */

enum alert_state { ALERT_PENDING, ALERT_LEASED, ALERT_DELIVERED, ALERT_AMBIGUOUS, ALERT_MISCONFIGURED, ALERT_DEAD, ALERT_STATES };
extern const char *const alert_state_words[];
struct alert_row {
	struct span id, run, channel, body, error, lease_by;
	enum alert_state state;
	int64_t attempts, next_attempt, lease_until, created, updated;
};
typedef int alert_fn(void *ctx, const struct alert_row *a);
/* Owed from the moment that it returns 0. id: a ULID of the caller's; the same id again is no second alert (1). */
int outbox_add(struct store *s, const char *id, const char *run, const char *channel, struct span body, int64_t now, struct err *e);
/* Lease what is due (pending and its time has come, or another's lease that ran out) to `by` until now + lease; what is `by`'s stays so. Returns how many. */
int outbox_lease(struct store *s, const char *by, int64_t now, int64_t lease, int max, alert_fn *fn, void *ctx, struct err *e);
/* The holder says what came of it. next: when to try again, of ALERT_PENDING and (0: never by itself) ALERT_AMBIGUOUS. ESTALE: the lease is not `by`'s any more. */
int outbox_settle(struct store *s, const char *id, const char *by, enum alert_state state, const char *error, int64_t next, int64_t now, struct err *e);
int outbox_list(struct store *s, const char *state /* NULL: all */, alert_fn *fn, void *ctx, struct err *e);
int outbox_counts(struct store *s, int64_t ret[ALERT_STATES], struct err *e);
/* Several at once, all or none, with one sync; notes are set with them. Returns how many were not there before. */
struct alert_owed {
	const char *id, *run, *channel; /* id: of this row, a ULID; run may be NULL */
	struct span body;
	int64_t not_before; /* 0: at once */
};
/* What is to be remembered beside the alerts: silences, what was told when. Keys are the caller's; small values. */
struct outbox_note {
	const char *key, *value; /* value NULL: forget it */
};
int outbox_owe(struct store *s, const struct alert_owed *v, size_t n, const struct outbox_note *notes, size_t n_notes, int64_t now, struct err *e);
/* What work reads and writes here is of one moment: no other writer comes between. It is called once. */
typedef int outbox_work(struct store *s, void *ctx, struct err *e);
int outbox_alone(struct store *s, outbox_work *work, void *ctx, struct err *e);
/* outbox_settle of many, in one transaction; those that are not `by`'s any more are passed over. Returns how many were settled. */
int outbox_settle_all(struct store *s, const char *const *ids, size_t n, const char *by, enum alert_state state, const char *error, int64_t next, int64_t now, struct err *e);
/* What was leased is not to be sent yet: it is due again at its time, and that was no attempt. All in one transaction. */
struct alert_held {
	char id[27];
	int64_t next;
	const char *why;
};
int outbox_hold(struct store *s, const struct alert_held *v, size_t n, const char *by, int64_t now, struct err *e);
/* All that is leased is due again. Only for who knows that no sender of this outbox lives. */
int outbox_release(struct store *s, int64_t now, struct err *e);
/* A person wants it tried again, from the beginning: not while it is leased (ESTALE). */
int outbox_again(struct store *s, const char *id, int64_t now, struct err *e);
/* Of these what waits for something that has come is due now; the look at it before was no attempt. */
int outbox_hasten(struct store *s, const char *const *ids, size_t n, int64_t now, struct err *e);
/* When something is due next: INT64_MAX when nothing is owed. */
int outbox_next(struct store *s, int64_t *ret, struct err *e);
/* The row with this id, or the one that alone begins with it (6 or more). ENOENT, EEXIST with a sentence. */
int outbox_get(struct store *s, const char *ref, alert_fn *fn, void *ctx, struct err *e);
int outbox_note_get(struct store *s, const char *key, struct buf *ret, struct err *e); /* appends; 1: there is none */
typedef int note_fn(void *ctx, struct span key, struct span value);
int outbox_notes(struct store *s, const char *prefix, note_fn *fn, void *ctx, struct err *e); /* without wildcards */
#endif
