#ifndef MODEL_REPORT_H
#define MODEL_REPORT_H

#include "base/arena.h"
#include "base/buf.h"
#include "model/cause.h"

/* The nouns of the contract (schema tocsin.report/1). Plain data: all memory is the report's arena. */

enum outcome {
	OUTCOME_NONE, /* null: evidence that has no outcome */
	OUTCOME_PASSED, OUTCOME_FAILED, OUTCOME_MASKED, OUTCOME_CRASHED, OUTCOME_KILLED, OUTCOME_TIMED_OUT,
	OUTCOME_STALLED, OUTCOME_NOT_STARTED, OUTCOME_EMPTY, OUTCOME_UNSTABLE,
	OUTCOME_COUNT,
};
const char *outcome_word(enum outcome o);  /* "timed_out"; NULL for OUTCOME_NONE */
const char *outcome_title(enum outcome o); /* for people, in their language */

/* How a process ended, or did not begin. */
enum end_how { END_UNKNOWN, END_EXIT, END_SIGNAL, END_NOT_STARTED };
enum end_stop { STOP_NONE, STOP_TIMEOUT, STOP_STALL, STOP_SIGNAL /* ^C or a signal to Tocsin, passed on */ };
enum oom_proof { OOM_NO, OOM_PROBABLE, OOM_CERTAIN };

struct ending {
	enum end_how how;
	int code;            /* END_EXIT: status; END_NOT_STARTED: 126 or 127 */
	int sig;             /* END_SIGNAL: what ended it; where that was our own doing after STOP_SIGNAL, the one passed on */
	int stop_sig;        /* STOP_SIGNAL: the one passed on */
	enum end_stop stop;
	enum oom_proof oom;
	bool core, cpu_limit;
	int sender_pid;      /* who sent the signal, 0: not known */
	const char *sender;  /* its command, may be NULL */
	enum cause start_cause; /* END_NOT_STARTED: proc.* */
	const char *why;     /* one sentence: why it could not start, or the proof of how it ended; may be NULL */
	int64_t limit_ns;    /* the --timeout or --stall that was hit */
	bool network;        /* STOP_STALL: a go command waited for the network */
};

struct argv {
	const char **v; /* NULL-terminated */
	size_t n;
};

/* A process that outlived the command, or an inner one that was killed. */
struct proc_note {
	int pid;
	int sig; /* killed by; 0: left over */
	bool ended_by_us, holds_output;
	const char *command;
};

/* One nested go command (issue: what intermediate layers swallow). */
struct nested {
	struct argv argv;      /* argv[0] is "go" */
	const char *cwd;
	const char *script;    /* the command that called it ("make ci", "sh build.sh"); may be NULL */
	int pid;
	enum end_how how;      /* END_UNKNOWN: still running when the run ended, or lost */
	int code, sig;
	int64_t started, duration; /* ns since the run began */
	bool below_test;       /* called from inside a Go test binary */
	bool allowed;          /* --allow-masked, or tocsin allow */
	bool recovered;        /* the same command succeeded later */
	bool masked;           /* set by the judge */
};

struct place {
	struct span package, file;
	int line;
};

struct list { /* of C strings, in the arena */
	const char **v;
	size_t n, cap;
};

struct fault_ref { /* the known fault that a finding is */
	const char *id;    /* "T-42"; NULL: none */
	const char *state; /* "new", "known", "regressed", … */
	int64_t count;     /* how often it was seen */
	const char *said;  /* a sentence on it, for the verdict; NULL: none; not part of the JSON */
};

struct edit { /* of a fix: what stands there becomes text */
	int line, column, end_line, end_column; /* bytes, from 1; the end is behind the last one */
	int wide, end_wide;                     /* the columns in UTF-16 code units */
	struct span text;
};

struct finding {
	enum cause cause;
	enum severity severity;
	const char *classes;           /* never NULL */
	struct span package, test, file; /* absent: not known */
	int line, column;              /* 0: not known */
	struct span message, excerpt, advice;
	const char *rule;              /* of a check, stable: "sum.missing"; NULL: the cause says all */
	struct place *places;
	size_t n_places;
	struct argv command;           /* the nested command that it belongs to; n 0: none */
	int64_t order;                 /* of appearance */
	struct list owners;            /* "@team" */
	char fingerprint[34];          /* empty: none, as without a store */
	struct fault_ref fault;
	int64_t count;                 /* how often it was seen in this run; 0: that was not counted */
	const char *snapshot;          /* the folder with what was kept of that moment; NULL: none */
	int end_line, end_column;      /* behind the last byte; 0: not known */
	int wide, end_wide;            /* the columns in UTF-16 code units; 0: not known */
	struct edit *edits;            /* what would mend it */
	size_t n_edits;
	bool edits_safe;
};

struct attempt {
	int n;
	enum outcome outcome;
	enum cause cause;
	int64_t duration_ns;
};

struct test_counts { /* -1: the text does not show it */
	int64_t packages, run, passed, failed, skipped, unfinished, cached_packages;
};

struct ci_context { /* every field may be NULL; values come from outside and are hostile */
	const char *name, *repo, *branch, *commit, *job, *run_id, *url, *actor, *pr;
	const char *base; /* the branch that a change is meant for */
};

struct resources {
	bool known;
	int64_t cpu_ns, max_rss_kb, tree_rss_kb, read_bytes, write_bytes; /* -1: not known */
};

struct facility {
	const char *name;  /* "cgroup", "proc_events", … */
	const char *value; /* "v1", "v2", "yes", "no" */
	const char *why;   /* when not to be had; may be NULL */
};

struct named_time {
	struct span package, test;
	int64_t ns;
};

enum test_outcome { TEST_UNFINISHED, TEST_PASS, TEST_FAIL, TEST_SKIP, TEST_OUTCOMES };

struct test_result {
	struct span package, test;
	enum test_outcome result;
	int attempt; /* from 1 */
	int64_t ns;  /* -1: not known */
};

/* What the policy for modules saw and did (`tocsin mod download`, --modules). Texts may be NULL: not known. */
struct module_try {
	int attempt;
	const char *act;     /* what came of it: "passed", "retry", "mirror", "vendor", "cache", "stop", "security", "other" */
	const char *why;     /* of act, one sentence */
	enum cause cause;
	const char *module, *version, *url, *layer, *variable, *proxy; /* what failed; proxy: GOPROXY of the attempt, without credentials */
	int status;          /* of HTTP; 0: no answer */
	int64_t delay_ns;    /* before the next one */
};
struct module_served {
	const char *module, *version, *by; /* by: the proxy; NULL: go does not tell */
	int64_t bytes;       /* -1: not known */
};
struct module_answer { /* after a security stop: what somebody has for the same module and version */
	const char *from, *hash, *why; /* hash NULL: why it has none */
	int status;
	bool go_mod, agrees; /* with what was expected */
};
struct modules_report {
	int64_t wanted, cached, fetched, bytes; /* modules of go.mod; of them in the cache before; zips that came; -1: not known */
	struct module_try *tries;
	size_t n_tries;
	struct module_served *served;
	size_t n_served;
	struct module_answer *answers;
	size_t n_answers;
	const char *proof;   /* the file with the output of a security stop */
	const char *rung;    /* what served it in the end: "cache", "vendor", "file", "mirror", "proxy" */
	const char *said;    /* a sentence for people; not part of the JSON */
	const char *refused; /* why no mirror was asked */
};

struct report {
	struct arena mem;
	bool is_run;            /* false: explain, then there is no `run.exit` */
	char id[27];
	struct argv argv;
	const char *cwd;
	int64_t started, duration_ns; /* wall; ns */
	struct ending ending;
	struct ci_context ci;
	const char *repository; /* that the source comes from, an address without credentials; NULL: not asked; not part of the JSON */
	const char *go_version; /* "go1.26.8"; NULL */
	struct resources resources;
	struct facility facilities[16];
	size_t n_facilities;
	struct attempt *attempts;
	size_t n_attempts;

	enum outcome outcome;
	enum cause cause;
	int exit_code;          /* what tocsin returns */
	const char *summary;
	const char *evidence;   /* what was judged, when that is no log and no run: "CPU profile"; NULL; not part of the JSON */

	struct test_counts tests;
	struct finding *findings;
	size_t n_findings, cap_findings;
	bool lost;              /* something could not be kept for want of memory */
	struct nested *commands;
	size_t n_commands;
	struct finding *inner;  /* what inner `tocsin run`s found, for the judge; not part of the JSON */
	size_t n_inner;
	struct proc_note *procs;
	size_t n_procs;
	struct named_time *slowest, *skipped;
	size_t n_slowest, n_skipped;
	struct modules_report *module_story; /* NULL: there was no policy */
	struct list limits;     /* sentences */
	const char *log_path;

	/* For the store; not part of the report's JSON. */
	struct test_result *results; /* every test that the stream showed */
	size_t n_results;
	const char *project, *base_branch; /* may be NULL */
	struct list modules;    /* "path version" */
	uint64_t tree;          /* a hash of the tree's content, when tree_known */
	bool tree_known;
};

#define CAUSE_ID_MAX 40
/* The id of its cause; of a lint rule with the rule in it: "check.S02". NULL: it has none. mem may be what is given back. */
const char *finding_cause_id(const struct finding *f, char mem[CAUSE_ID_MAX]);
bool list_add(struct arena *mem, struct list *l, const char *text); /* text is kept, not copied; no duplicates; NULL is not added */
struct finding *report_add(struct report *r); /* a zeroed one; NULL: no memory. Pointers into findings move */
/*
 * A finding of a check, with its cause's severity and classes and this message, to be filled in further. NULL: no memory, and
 * r->lost is set. report_text: a text in the report's memory; absent, and r->lost: no memory.
 */
struct finding *report_say(struct report *r, enum cause cause, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
struct span report_text(struct report *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void report_free(struct report *r);
/* The contract's JSON, without a newline at the end. */
void report_json(const struct report *r, struct buf *ret);
/* The same with what only the store keeps, under "store" and "results". report_read (model/report_read.h) reads both. */
void report_spool_json(const struct report *r, struct buf *ret);
/* One finding, without what the library says of it (fingerprint, fault, owners). */
void finding_json(const struct report *r, const struct finding *f, struct buf *ret);
const char *test_outcome_letter(enum test_outcome o); /* "p", "f", "s", "u", as in the spool form */
#endif
