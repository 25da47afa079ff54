#ifndef DIAGNOSE_TRACE_OWN_H
#define DIAGNOSE_TRACE_OWN_H

#include "base/map.h"
#include "base/mem.h"
#include "diagnose/trace.h"

#define MAX_SITES (1u << 17)
#define MAX_GROUPS (1u << 15)
#define MAX_KEPT 100000   /* goroutines with totals of their own */
#define MAX_SUMS 256      /* names of tasks or regions */
#define MAX_LOGS 200
#define MAX_OPEN (1u << 17) /* tasks and regions that are open at one time */
#define WORST 64          /* single waits that are kept */
#define BUCKETS (64 * 32) /* of latencies: 5 bits below the highest */

/* Times of hostile files end somewhere. */
static inline void time_add(int64_t *to, int64_t more)
{
	if (__builtin_add_overflow(*to, more, to))
		*to = INT64_MAX;
}

/* What stands behind each goroutine that lives. */
struct life {
	int64_t since, created, first_run, total[TC_COUNT], assist, assist_since, max_latency;
	uint32_t runs, group, reason, stack, region, wait_stack;
	uint32_t samples;
	uint32_t woken; /* from the network, it is not yet seen by what: the place + 1 */
	uint8_t class;
	bool known, before, before_wait;
	uint8_t reads;
	uint64_t p;
};

struct worst { /* a min-heap of the longest */
	struct trace_wait v[WORST];
	size_t n;
};

struct region {
	uint32_t name, next;
	int64_t from;
};

struct task {
	uint64_t id, g;
	uint32_t name;
	int64_t from;
};

struct timeline;

struct trace {
	struct exectrace *x;
	struct arena mem;
	bool lost, over;
	int64_t begin, sync; /* ns of the first event; of the generation's begin */
	struct trace_view view;
	struct list limits;
	/* by text number: group + 1 */
	uint32_t *group_of;
	size_t cap_group_of;
	struct trace_group *groups;
	size_t n_groups, cap_groups;
	struct trace_site *sites;
	size_t n_sites, cap_sites;
	uint32_t *site_slots;
	size_t cap_site_slots;
	struct reason_known { uint8_t class, known; } *reasons; /* by text number */
	size_t cap_reasons;
	struct stack_known { bool known; uint8_t class, flags; uint32_t root, tail; } *stacks; /* by stack number */
	size_t cap_stacks;
	struct worst longest, open;
	struct trace_goroutine *all;
	size_t n_all, cap_all;
	uint64_t latencies[BUCKETS];
	struct trace_sum *stw, *tasks, *regions;
	size_t n_stw, cap_stw, n_tasks, cap_tasks, n_regions, cap_regions;
	struct region *open_regions; /* 0: none */
	size_t n_open_regions, cap_open_regions;
	uint32_t free_region;
	struct map open_tasks;
	size_t n_open_tasks;
	struct trace_log *logs;
	size_t cap_logs;
	uint32_t *hits; /* CPU samples by stack */
	size_t cap_hits;
	struct trace_func *funcs;
	int64_t gc_from, stw_from;
	uint32_t stw_kind;
	int64_t procs_since;
	double procs_busy, procs_room; /* running processors: integral */
	uint64_t procs_running;
	uint8_t *proc_runs; /* by number */
	size_t cap_procs;
	uint64_t alive;
	uint64_t n_problems, left_out;
	bool damaged;
	struct timeline *line;
	bool told; /* of single states: there is a timeline, or somebody is watched */
	struct trace_watched *watched;
	size_t n_watched;
	char what[400]; /* the first damage, for the error */
};

/* trace_know.c: what texts and stacks mean */
enum trace_class trace_class_of(struct trace *t, uint32_t reason, uint32_t stack);
enum trace_dep trace_dep_of(struct trace *t, uint32_t reason, uint32_t stack);
uint32_t trace_root(struct trace *t, uint32_t stack);  /* text of the function where the goroutine began; 0: no stack */
uint32_t trace_tail(struct trace *t, uint32_t stack);  /* the stack below internal/poll, as one number; 0: it is no read or write */
enum { STACK_DEADLINE = 1, STACK_CLOSE = 2 };
unsigned trace_flags(struct trace *t, uint32_t stack);
/* trace_sum.c */
struct trace_site *trace_site(struct trace *t, uint32_t reason, uint32_t stack, enum trace_class class);
uint32_t trace_group_of(struct trace *t, uint32_t name);
void trace_worst(struct worst *w, const struct trace_wait *v);
struct trace_sum *trace_sum_of(struct trace *t, struct trace_sum **v, size_t *n, size_t *cap, uint32_t name);
void trace_sum_add(struct trace_sum *s, int64_t from, int64_t to, uint64_t id);
void trace_sort(struct trace *t);
/* trace_note.c */
void trace_note(void *ctx, const struct xt_note *n);
/* trace_watch.c */
int trace_watch_begin(struct trace *t, const uint64_t *ids, size_t n); /* -ENOMEM */
void trace_watch_leaves(struct trace *t, const struct xt_event *ev, const struct life *l);
void trace_watch_ends(struct trace *t, uint64_t id, const struct life *l, bool ended);
/* trace_line.c */
struct timeline *timeline_new(const struct trace_config *c);
void timeline_free(struct timeline *l);
void timeline_span(struct timeline *l, int64_t from, int64_t to, uint32_t group, enum trace_class c, uint64_t p, uint64_t g);
void timeline_mark(struct timeline *l, int64_t from, int64_t to, uint8_t what, uint32_t text, uint32_t text2, uint64_t id);
void timeline_end(struct timeline *l, int64_t end);
#endif
