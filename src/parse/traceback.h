#ifndef PARSE_TRACEBACK_H
#define PARSE_TRACEBACK_H

#include "base/arena.h"
#include "parse/goframe.h"
#include "parse/lines.h"

/*
 * Whole goroutine dumps: what debug=2 of net/http/pprof, SIGQUIT, GOTRACEBACK=all and runtime.Stack print, from Go 1.19
 * to 1.27, of any size. Equal stacks become one bucket while they are read, so that memory grows with what differs and by
 * 40 bytes a goroutine. Other output between goroutines is stepped over; a frame, a header or a file that is cut off keeps what
 * stands before it. A log may hold several dumps: the largest one is kept, `ended` sees each.
 */
#define TB_FRAMES 128          /* kept of one stack; the runtime prints 100 */
#define TB_BUCKETS 65536       /* different stacks; the others share the last one */
#define TB_NAMES ((size_t)24 << 20) /* bytes of different names, files and stacks */
#define TB_KEPT (2u << 20)     /* goroutines kept one by one; the others are only counted */
#define TB_POINTERS (512u << 10) /* arguments that look like addresses, to find who holds a lock */
#define TB_CUT ((int64_t)64 << 20) /* where net/http/pprof cuts a debug=2 dump */

/* What a goroutine waits for. From its status, and where that says too little (Go 1.19 to 1.22) from its frames. */
enum tb_wait {
	TB_OTHER, TB_RUNNING, TB_RUNNABLE, TB_SYSCALL, TB_IO, TB_SLEEP, TB_SELECT, TB_RECEIVE, TB_SEND,
	TB_NIL_CHAN,  /* "chan receive (nil chan)", "chan send (nil chan)" */
	TB_NO_CASES,  /* "select (no cases)" */
	TB_MUTEX, TB_RLOCK, TB_WLOCK, TB_WAITGROUP, TB_COND,
	TB_SEMAPHORE, /* semacquire that no frame explains */
	TB_SYNCTEST, TB_SYSTEM, /* the runtime's own: GC worker (idle), finalizer wait … */
	TB_DEAD, TB_LEAKED,
	TB_WAITS,
};

/* Functions that mean something to the analysis. */
enum tb_role {
	TB_PLAIN,
	TB_IS_LOCK, TB_IS_RLOCK, TB_IS_WLOCK, /* sync.(*Mutex).lockSlow and its like: the first argument is the lock */
	TB_IS_SEMAPHORE, TB_IS_WAITGROUP, TB_IS_COND,
	TB_IS_CHANNEL,                        /* runtime.chanrecv1 …, shown under GOTRACEBACK=system: the first argument is the channel */
	TB_IS_ONCE, TB_IS_PANIC, TB_IS_DEBUG_STACK, TB_IS_TIMER, TB_IS_CONTEXT, TB_IS_CGO, TB_IS_RUNTIME, TB_IS_SIGNAL, TB_IS_TEST_RUN,
	TB_IS_TEST, TB_IS_DUMP,
	TB_ROLES,
};

struct tb_func {
	struct span name; /* without arguments */
	enum tb_role role;
};

struct tb_place { /* a function at a line */
	uint32_t func;
	uint32_t guess;   /* what stood below it the last time, + 1; its own */
	struct span at;   /* "/p/f.go:12" */
};

#define TB_NONE UINT32_MAX

struct tb_bucket {
	struct span status;          /* of the first: "chan receive" */
	enum tb_wait wait;
	const uint32_t *places;      /* innermost first */
	uint32_t n_places;
	uint32_t creator;            /* a place; TB_NONE: not said */
	uint32_t lock;               /* which of places has the lock's (or channel's) address as argument; TB_NONE */
	int64_t elided;              /* frames that the runtime left out */
	int64_t count;
	int64_t locked, leaked, old; /* of them: locked to a thread; marked leaked; waiting for a minute or more */
	int minutes;                 /* the longest wait */
	int64_t id, oldest;          /* an example: the first one; the one that waits longest */
	int64_t bubble;              /* synctest bubble of the first */
	int64_t offset;              /* of the first one's header */
	struct span labels;          /* of the first */
	bool no_stack;               /* "goroutine running on other thread; stack unavailable" */
	bool cut;                    /* the input ended within the first */
	uint64_t key;                /* its own */
};

struct tb_goroutine {
	int64_t id, parent; /* parent 0: not said */
	uint64_t lock;      /* the address that it waits for; 0: not known */
	uint32_t bucket;
	uint32_t minutes;
	uint32_t pointers;  /* the first of its pointers */
	uint32_t n_pointers;
};

struct tb_pointer { /* an argument that looks like an address of the heap */
	uint64_t address;
	uint16_t frame, last; /* the innermost and the outermost of its bucket's places that have it */
	uint8_t plain;        /* how many of them are no lock's own functions */
	bool stale;           /* always printed as "0xc000012345?" */
};

struct tb_index { /* its own */
	uint64_t *slots;
	size_t cap, count;
};

struct traceback {
	/* the dump: complete after traceback_end */
	int64_t count;              /* goroutines */
	int64_t first, last;        /* offsets: of its first header, behind its last line */
	struct tb_func *funcs;
	struct tb_place *places;
	struct tb_bucket *buckets;
	size_t n_funcs, n_places, n_buckets;
	struct tb_goroutine **blocks; /* of TB_BLOCK: see tb_at */
	size_t n_goroutines;        /* kept one by one, of count */
	struct tb_pointer *pointers;
	size_t n_pointers;
	int64_t originating;        /* "[originating from goroutine N]" lines: ancestors, which are no frames of the goroutine */
	int64_t foreign;            /* lines between goroutines that belong to none */
	/* the input */
	int64_t bytes, lines;
	int64_t dumps;              /* that it held; this is the largest */
	int64_t cut_frames, long_lines, odd_headers; /* stacks deeper than TB_FRAMES; lines cut; "goroutine " without a form */
	int64_t lost;               /* goroutines that share the last bucket because too many differ */
	int64_t at_odd;             /* the first odd header; -1 */
	bool cut_in_frame;          /* the input ended within a goroutine */
	bool no_memory;
	/* Called at the end of each dump of two goroutines and more, while the traceback holds just that; last: the input's end. */
	void (*ended)(void *ctx, bool last);
	void *ended_ctx;
	/* its own */
	struct tb_state *state;
	struct arena mem;
};

#define TB_BLOCK 65536
static inline struct tb_goroutine *tb_at(const struct traceback *t, size_t i)
{
	return &t->blocks[i / TB_BLOCK][i % TB_BLOCK];
}

/* Is this the beginning of a dump (debug=2, debug.Stack, SIGQUIT), with or without a log's prefixes? */
bool traceback_looks_like(struct span head);

int traceback_new(struct traceback **ret); /* -ENOMEM */
void traceback_feed(struct traceback *t, struct span bytes);
void traceback_skip(struct traceback *t, int64_t n); /* so many bytes of whole lines were left out: for offsets */
void traceback_end(struct traceback *t);
void traceback_free(struct traceback *t); /* NULL is fine */

enum tb_wait tb_wait_of(struct span status);
bool tb_is_blocked(enum tb_wait w); /* on another goroutine: channels, locks, WaitGroup, Cond, select */
const char *tb_wait_word(enum tb_wait w); /* "chan receive", "mutex": one word a class, for JSON */
#endif
