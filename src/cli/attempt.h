#ifndef CLI_ATTEMPT_H
#define CLI_ATTEMPT_H

#include <signal.h>

#include "cli/collect.h"
#include "cli/junit.h"
#include "cli/opt.h"
#include "cli/sink.h"
#include "cli/usual.h"
#include "cli/view.h"
#include "cli/where.h"
#include "config/config.h"
#include "parse/lines.h"
#include "run/gocmd.h"
#include "run/run.h"

enum on_fail { ON_FAIL_ABORT, ON_FAIL_ALERT, ON_FAIL_RECORD };

struct run_values {
	const char *report, *junit, *sarif, *jsonfile, *log, *store, *config, *spool, *require_active;
	int format, on_fail; /* index in view_format_names; enum on_fail */
	const char *health, *pprof, *snapshots, *snapshot_budget; /* of a service */
	int restart, on_hang;        /* index in restart_names, on_hang_names */
	int64_t health_every, health_fails, restart_delay;
	int64_t snapshot_bytes;      /* the budget as tocsin.yaml has it; 0: it has none */
	bool service, pprof_anywhere, goroutines;
	bool pty, reap, panics, strict, no_store, quarantine, redact_output, require_signed, modules;
	bool flush_given, retry_given;
	int64_t timeout, stall, grace, retry, rerun, rerun_max, flush;
	struct opt_list retry_on, allow_masked, signed_by, mirror;
};

/* One `tocsin run`: everything that lasts over its attempts. */
struct session {
	const struct run_values *o;
	struct argv user; /* as it was typed */
	struct argv argv; /* as it is run */
	struct gocmd cmd;
	const struct format *format;
	bool json; /* stdout is read as a stream and shown by the view; else it is relayed */
	struct site where;
	struct view view;
	struct sink *log, *jsonfile;
	struct lines events; /* picks the stream out of relayed output, for jsonfile */
	struct junit *junit;
	struct config *config;
	struct collect tests;   /* every test that ended, for the store */
	const char *store_uri;  /* NULL: the user's own */
	struct store *store;    /* open from when the run was recorded until it is told: mostly the outbox is the same file */
	const char *snapshots;  /* the folder for those of a service, of the configuration; NULL: not said */
	const char *base_branch; /* of the configuration; NULL: not said */
	const char *top;        /* of the working tree; NULL: none */
	int64_t keep_age, keep_bytes; /* how long runs are kept; 0: for ever */
	struct owners *owners;
	struct usual_times usual; /* for the live view */
	struct alarm *alarm;       /* alerts; NULL: no channel is configured */
	const struct redact *redact; /* values that are known to be secret; NULL: patterns alone */
	const char *const *drop;   /* variables that the command must not get; NULL: none */
	bool excused;           /* all that failed is in quarantine */
	struct service *service; /* what lives long; NULL: it does not */
	struct modules *mods;   /* the policy for modules; NULL: not asked for */
	struct judge *judge; /* of the attempt at hand; lives until the next one */
	struct attempt *tries;
	size_t n_tries, cap_tries;
	struct resources used; /* by all attempts: sums, and the largest of the peaks */
	struct list notes; /* for `limits` */
	const char *record; /* --panics: the file that they are written to */
	const char *slow;   /* the Go version that was said to be built with the overlay */
	struct arena mem;
	bool held;               /* signals wait */
	sigset_t mask;           /* as it was before */
	char last_out, last_err; /* the last byte that the command wrote there; 0: none */
	int stopped;             /* a signal that told Tocsin to end between two attempts */
};

/* A judge for this command, in s->judge: the one before is freed. */
int attempt_judge(struct session *s, struct err *e);
/* What the command gets beside our environment (env: one more, or NULL), and does not get of it. NULL: no memory. */
const char **attempt_variables(struct session *s, const char *env);
/* Run argv once, judge it, remember it as a try. quiet: a part of an attempt, not a try of its own. */
int attempt_run(struct session *s, const struct argv *argv, bool quiet, struct report *ret, struct err *e);
void resources_add(struct resources *sum, const struct resources *more);
bool attempt_add(struct session *s, enum outcome o, enum cause c, int64_t duration);
/* A note of our own: on stderr now, and in the report's limits. */
void session_note(struct session *s, const char *text);
/*
 * A signal that ends programs does nothing to us where nobody listens: the report is still to be written. The
 * handler does nothing, and a child gets the default back; what was ignored stays ignored.
 */
void session_guard(void);
/* Signals that end us wait from here on (so that the report is written), or are let through again. */
void session_hold(struct session *s, bool hold);
/* Wait; true: a signal said that we shall end. */
bool session_sleep(struct session *s, int64_t ns);

/* retry.c */
/* --retry: is this verdict worth another attempt? */
bool retry_wanted(const struct session *s, const struct report *r);
int64_t retry_delay(int64_t attempt);
/* It failed before (first) and passed now: unstable. */
void retry_unstable(struct report *r, const struct report *first);

/* rerun.c: --rerun-fails. *r is the report of the whole run; what the re-runs found is merged into it. */
int rerun_fails(struct session *s, struct report *r, struct err *e);
#endif
