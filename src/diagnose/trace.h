#ifndef DIAGNOSE_TRACE_H
#define DIAGNOSE_TRACE_H

#include "base/arena.h"
#include "model/report.h"
#include "parse/exectrace.h"

/*
 * What an execution trace says: what each goroutine did with its time, what it waited for, and who let it. Bytes go in
 * as they come; sums, the longest waits and what is open at the end stay. Times are ns; points are since the trace's begin.
 */
enum trace_class { /* what a goroutine does at a moment */
	TC_RUNNING, TC_RUNNABLE, TC_SYSCALL, TC_NET, TC_LOCK, TC_CHAN, TC_SLEEP, TC_OTHER,
	TC_COUNT,
};
const char *trace_class_word(enum trace_class c);  /* "running", …: for JSON */
const char *trace_class_title(enum trace_class c); /* for people */

/* What stands outside, that a goroutine waits for: from the wait's reason and its stack. */
enum trace_dep {
	DEP_NONE, DEP_DNS, DEP_DATABASE, DEP_RPC, DEP_HTTP_SERVER, DEP_HTTP_CLIENT, DEP_TLS, DEP_LISTEN, DEP_NET, DEP_PROCESS, DEP_C,
	DEP_PIPE, DEP_FILE, DEP_LOCK, DEP_WAITGROUP, DEP_COND, DEP_CHANNEL, DEP_SELECT, DEP_TIMER, DEP_GC, DEP_RUNTIME, DEP_NEVER,
	DEP_COUNT,
};
const char *trace_dep_word(enum trace_dep d);
const char *trace_dep_title(enum trace_dep d);

struct trace_config {
	int64_t from, to;  /* the window of the timeline; to 0: to the end */
	bool timeline;
	const uint64_t *watch; /* goroutines whose last moments are kept; the caller's, for trace_new */
	size_t n_watch;        /* at most TRACE_WATCH */
};
#define TRACE_WATCH 16
#define TRACE_MOMENTS 6
struct trace_moment { /* one state that a goroutine was in */
	int64_t from, to;
	uint32_t reason, stack; /* of running: where it left off */
	enum trace_class class;
};
struct trace_watched {
	uint64_t id;
	bool seen, ended, before; /* before: it was there when the trace began */
	int64_t created;
	uint32_t group;
	struct trace_moment last[TRACE_MOMENTS]; /* the oldest of them first */
	size_t n;
};

/* One place where goroutines waited: a reason and a stack. */
struct trace_site {
	uint32_t reason, stack;
	enum trace_class class;
	enum trace_dep dep;
	uint32_t group;             /* of the goroutine of the longest wait; trace_group */
	uint64_t count;
	int64_t total, max, max_from;
	uint64_t max_goroutine;
	uint32_t waker;             /* stack of who ended the longest wait; 0: not a goroutine */
	uint64_t deadlines, closed; /* network waits that ended by a deadline; by another goroutine's close or deadline */
	uint64_t still;             /* waits that were open at the end */
	int64_t oldest;             /* the earliest of them; below 0: since before the trace */
};

struct trace_wait { /* one wait */
	uint64_t goroutine;
	uint32_t group, reason, stack;
	enum trace_class class;
	enum trace_dep dep;
	int64_t from, to;
	bool open, before;          /* at the end of the trace; since before its begin */
};

struct trace_group { /* goroutines that start in one function */
	struct span name;           /* "" when no event told */
	bool system;
	uint64_t goroutines, ended, open[TC_COUNT];
	int64_t total[TC_COUNT];
	int64_t assist;             /* of running: helping the collector */
	int64_t max_latency, max_life;
	uint64_t runs, samples;
};

struct trace_goroutine {
	uint64_t id;
	uint32_t group;
	int64_t created, ended;     /* ended -1: it lives */
	int64_t total[TC_COUNT];
	enum trace_class last;
	bool before;                /* it was there when the trace began */
};

struct trace_sum { /* of ranges with one name: STW kinds, tasks, regions */
	uint32_t name;
	uint64_t count, open;
	int64_t total, max, max_from;
	uint64_t max_id;            /* task or goroutine */
};

struct trace_log {
	int64_t at;
	uint64_t goroutine, task;
	uint32_t key, value;
};

struct trace_func { /* of CPU samples */
	uint32_t name;
	uint64_t flat, cum;
};

struct trace_latency {
	uint64_t count;
	int64_t p50, p90, p99, p999, max, total;
	uint64_t max_goroutine;
	int64_t max_from;
};

/* Everything, after trace_end. Lists are sorted: what matters first. */
struct trace_view {
	const struct xt_stats *stats;
	int64_t duration;
	uint64_t procs, goroutines, peak, alive;  /* goroutines: ever seen */
	double busy;                              /* of the processors, 0 to 1 */
	int64_t total[TC_COUNT];                  /* without the runtime's own goroutines */
	struct trace_latency latency;
	const struct trace_group *groups;
	size_t n_groups;
	const struct trace_site *sites;           /* waits and system calls */
	size_t n_sites;
	const struct trace_wait *longest, *open;  /* ended ones; open ones, the oldest first */
	size_t n_longest, n_open;
	const struct trace_goroutine *all;        /* as many as fit */
	size_t n_all;
	const struct trace_sum *stw, *tasks, *regions;
	size_t n_stw, n_tasks, n_regions;
	const struct trace_log *logs;
	size_t n_logs;
	uint64_t logs_seen;
	const struct trace_func *funcs;
	size_t n_funcs;
	uint64_t samples;
	struct trace_sum gc, assist;
	int64_t heap_max, heap_goal;
	const struct list *limits;                /* sentences */
};

struct trace;
bool trace_looks_like(struct span head);
int trace_new(const struct trace_config *c, struct trace **ret, struct err *e);
void trace_feed(struct trace *t, struct span s);
/* No more bytes. -EBADMSG: the trace is damaged or cut; what could be read is there all the same. */
int trace_end(struct trace *t, struct err *e);
const struct trace_view *trace_view(const struct trace *t);
const struct trace_watched *trace_watched(const struct trace *t, uint64_t id); /* after trace_end; NULL: it was not asked for, or not seen */
void trace_findings(const struct trace *t, struct report *r); /* findings, limits, summary */
void trace_free(struct trace *t);

struct span trace_text(const struct trace *t, uint32_t text);
const struct xt_frame *trace_stack(const struct trace *t, uint32_t stack, size_t *n);
/* The first frame that is the program's own, else the first below the runtime. NULL: no stack. */
const struct xt_frame *trace_place(const struct trace *t, uint32_t stack);

/* ---- comparing ---- */
struct trace_change {
	struct span reason, place;  /* of a site: what and where; of a group: "" and its name */
	enum trace_class class;
	enum trace_dep dep;
	double before, now;         /* ns of waiting for each second of the trace */
	uint64_t count_before, count_now;
	int64_t max_before, max_now;
};
struct trace_changes {
	struct trace_change *v;     /* what grew most first; mem_free */
	size_t n;
};
int trace_compare(const struct trace *base, const struct trace *now, struct trace_changes *ret, struct err *e);

/* ---- timeline ---- */
#define TRACE_COLUMNS 1024
struct trace_segment {
	int64_t from, to, busy;  /* busy: below to - from when short runs were joined */
	uint64_t goroutine;      /* of the longest part */
	uint32_t group, runs;    /* more than 1: joined */
	bool syscall;
};
struct trace_row { /* a processor */
	uint64_t p;
	struct trace_segment *v;
	size_t n, cap;
};
struct trace_lane { /* a group: goroutine time by what they did, a column each */
	uint32_t group;
	float (*v)[TC_COUNT];    /* TRACE_COLUMNS of them: mean number of goroutines */
};
struct trace_mark { /* a collection, the world stopped, a log message, a task */
	int64_t from, to;
	uint32_t text, text2;
	uint8_t what; /* 0 collection, 1 world stopped, 2 log, 3 task */
	uint64_t id;
};
struct trace_timeline {
	int64_t from, to;        /* of the window, cut to the trace */
	int64_t column;          /* ns */
	size_t columns;
	const struct trace_row *rows;
	size_t n_rows;
	const struct trace_lane *lanes;
	size_t n_lanes;
	const struct trace_mark *marks;
	size_t n_marks;
	int64_t joined;          /* runs shorter than this are joined; 0: all stand */
	uint64_t left_out;       /* groups without a lane, marks without room */
};
bool trace_timeline(const struct trace *t, struct trace_timeline *ret);
#endif
