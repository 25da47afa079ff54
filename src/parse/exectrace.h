#ifndef PARSE_EXECTRACE_H
#define PARSE_EXECTRACE_H

#include "base/buf.h"

/*
 * Go execution traces, format v2 (Go 1.22 to 1.27): bytes in, events out, in the order in which the scheduler did
 * them. A generation is held whole (its tables may stand behind the events that use them), then given out and dropped.
 * What is broken is named in notes, with byte and generation; what stands before and behind it is still given.
 */
#define XT_NONE UINT64_MAX /* no goroutine, no processor, no thread */

enum xt_type { /* as they stand in the file, and a few of our own */
	XT_BATCH = 1, XT_STACKS, XT_STACK, XT_STRINGS, XT_STRING, XT_SAMPLES, XT_SAMPLE, XT_FREQUENCY,
#define EVENT(id, name, word, args, kind, order) XT_##name = id,
#include "parse/exectrace_events.def"
#undef EVENT
	XT_EXPERIMENTAL_BATCH = 49,
	XT_SYNC = 50,
	XT_CLOCK = 51,
	XT_END = 52,
	XT_EXPERIMENT_FIRST = 128,
	XT_EXPERIMENT_LAST = 136,
	XT_GENERATION = 200, /* of our own: a generation begins, or the trace ends */
};

/* What an event is to golang.org/x/exp/trace; the words are its own. */
enum xt_kind {
	XTK_SYNC, XTK_METRIC, XTK_LABEL, XTK_STACK_SAMPLE, XTK_RANGE_BEGIN, XTK_RANGE_ACTIVE, XTK_RANGE_END, XTK_TASK_BEGIN,
	XTK_TASK_END, XTK_REGION_BEGIN, XTK_REGION_END, XTK_LOG, XTK_STATE_TRANSITION, XTK_EXPERIMENTAL, XTK_COUNT,
};
const char *xt_kind_word(enum xt_kind k);
const char *xt_type_word(unsigned type); /* "GoStart"; "?" for none */
enum xt_kind xt_type_kind(unsigned type); /* of a timed event */

enum xt_status { XT_NO_STATUS, XT_RUNNABLE, XT_RUNNING, XT_SYSCALL, XT_WAITING };
enum xt_pstatus { XT_P_NONE, XT_P_RUNNING, XT_P_IDLE, XT_P_SYSCALL, XT_P_ABANDONED };

/* A goroutine that lives. config.extra bytes of the user's, zero at first, stand behind it. */
struct xt_goroutine {
	uint64_t id, seq, gen;
	uint8_t status; /* enum xt_status */
	struct xt_goroutine *next; /* own */
};
static inline void *xt_extra(struct xt_goroutine *g)
{
	return g + 1;
}

struct xt_frame {
	uint32_t func, file; /* strings */
	uint32_t line;
};

/*
 * One event. g, p, m: where it happened (before it took effect). who: the goroutine whose state it changes, NULL: none;
 * its status is the new one already, before the old one (XT_NO_STATUS: it is new, or was not known yet). A goroutine
 * that ended is given with gone, for the last time.
 */
struct xt_event {
	uint8_t type, kind;
	uint8_t before;    /* enum xt_status of who */
	bool gone, first;  /* first: a status of the first generation: it was so before the trace began */
	bool verified;     /* false: time order only */
	int64_t time;      /* ns; never the same twice, never back */
	uint64_t m, p;
	struct xt_goroutine *g, *who;
	const uint64_t *args; /* five, without dt */
	uint32_t stack;    /* interned; 0: none */
	uint32_t stack2;   /* GoCreate: where the new goroutine begins */
	uint32_t text, text2; /* interned strings of the event (reason, kind, label, name; log: key and value); 0: "" */
	uint64_t generation;
};

enum xt_problem {
	XT_FINE,
	XT_EMPTY,          /* the header and nothing else */
	XT_V1,             /* number: its version */
	XT_NEWER,          /* number: its version */
	XT_NOT_A_TRACE,
	XT_CUT_BATCH,      /* the file ends inside a batch */
	XT_CUT_GENERATION, /* 1.26: the file ends without the end of the generation */
	XT_BAD_BATCH,      /* number: the byte that begins it */
	XT_BAD_SIZE,       /* number: bytes */
	XT_BAD_VARINT,
	XT_BAD_TIME,       /* of another generation than the batches around it */
	XT_SKIPPED,        /* after one of these four: a batch begins here again; number: bytes that were left out */
	XT_LOST_REST,      /* after one of these four: no batch begins any more; number: bytes up to the end */
	XT_BAD_GENERATION, /* 0, or out of order; number: which came */
	XT_BAD_STRINGS, XT_BAD_STACKS, XT_BAD_SAMPLES, XT_BAD_SYNC,
	XT_BAD_TYPE,       /* number: of the event */
	XT_BAD_EVENT,      /* it is cut in the middle */
	XT_BAD_ID,         /* a string or stack that is in no table; number: id */
	XT_NO_FREQUENCY,
	XT_STUCK,          /* no thread's next event can come next */
	XT_CONTRADICTION,  /* an event that cannot happen in this state; why says it */
	XT_MEMORY,         /* the generation is larger than the bound; number: bytes left out */
	XT_TOO_MANY,       /* goroutines, processors, threads, strings; number: the bound */
	XT_PROBLEMS,
};

struct xt_note {
	enum xt_problem problem;
	uint64_t generation;
	int64_t at;        /* byte of the file */
	uint64_t number;
	uint8_t type;      /* of the event, 0: none */
	const char *why;   /* a phrase, or NULL */
	uint64_t times;    /* how often in this generation */
};

struct xt_stats {
	int version;       /* 22, 23, 25, 26; 0: not known */
	int64_t bytes;
	uint64_t generations, unverified; /* of them without a proven order */
	uint64_t kinds[XTK_COUNT];        /* events given out */
	uint64_t wire[256];               /* events of the file by type */
	uint64_t batches, experimental_batches, experimental_bytes, unreadable_bytes;
	bool truncated;
	int64_t first, last;              /* ns, of the first and last event */
	int64_t clock_trace, clock_wall;  /* the same instant; 0: not known (before 1.25) */
};

struct xt_config {
	void (*event)(void *ctx, const struct xt_event *ev);
	void (*note)(void *ctx, const struct xt_note *n);
	void *ctx;
	size_t extra;      /* bytes behind each goroutine */
	size_t max_bytes;  /* bound for all memory; 0: 224 MiB */
};

struct exectrace;
bool xt_looks_like(struct span head); /* the first 16 bytes, or fewer; v1 too */
int xt_new(const struct xt_config *c, struct exectrace **ret, struct err *e);
void xt_feed(struct exectrace *x, struct span s);
void xt_end(struct exectrace *x); /* the tail; then no more feed */
void xt_free(struct exectrace *x);
const struct xt_stats *xt_stats(const struct exectrace *x);
bool xt_lost(const struct exectrace *x); /* no memory at some point: what was given is a part */

/* Interned: numbers hold for the whole trace. Unknown ones give "" and no frames. */
struct span xt_text(const struct exectrace *x, uint32_t text);
uint32_t xt_intern(struct exectrace *x, struct span text); /* 0: no room */
const struct xt_frame *xt_stack(const struct exectrace *x, uint32_t stack, size_t *n); /* leaf first */
uint32_t xt_text_count(const struct exectrace *x); /* numbers are below it */
uint32_t xt_stack_count(const struct exectrace *x);
struct xt_goroutine *xt_alive(const struct exectrace *x, size_t *at); /* walk: at = 0 first; NULL: no more */
#endif
