#ifndef PARSE_EXECTRACE_OWN_H
#define PARSE_EXECTRACE_OWN_H

#include <endian.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "parse/exectrace.h"

/* The insides of the reader of execution traces. */
#define XT_ARGS 5                 /* of an event */
#define XT_CHUNK (1u << 18)       /* of the generation's bytes */
#define XT_MAX_BATCH 65536        /* the format's */
#define XT_MAX_STRING 1024        /* the format's */
#define XT_MAX_FRAMES 128         /* the format's */
#define XT_MAX_THREADS 65536      /* of one generation */
#define XT_MAX_KNOWN (1u << 18)   /* threads and processors of a trace */
#define XT_MAX_TABLE (1u << 20)   /* strings or stacks of one generation */
#define XT_MAX_SAMPLES (1u << 18) /* of one generation */
#define XT_MAX_ALL_FRAMES (2u << 20)
#define XT_MAX_TEXT (24u << 20)

/* Numbers to pointers. A run of collisions has an end: past it put() fails. */
struct idmap {
	struct idslot {
		uint64_t key;
		void *value; /* NULL: free */
	} *slots;
	size_t n, cap; /* cap: a power of two, or 0 */
};
static inline size_t idmap_home(const struct idmap *m, uint64_t key)
{
	uint64_t h = key * 0x9e3779b97f4a7c15u;

	return (size_t)((h ^ h >> 29) & (m->cap - 1));
}
static inline void *idmap_get(const struct idmap *m, uint64_t key)
{
	if (!m->cap)
		return NULL;
	for (size_t i = idmap_home(m, key);; i = (i + 1) & (m->cap - 1)) {
		const struct idslot *s = &m->slots[i];

		if (!s->value || s->key == key)
			return s->value;
	}
}
bool idmap_put(struct idmap *m, uint64_t key, void *value); /* key is not there */
void idmap_del(struct idmap *m, uint64_t key);
void idmap_free(struct idmap *m);

/* Ids of one generation to interned numbers. */
struct idtab {
	struct idpair {
		uint64_t id;
		uint32_t value;
	} *pairs;
	size_t n, cap;
	uint32_t *dense; /* by id, value + 1, of id 0 too; NULL: search the pairs, sorted */
	size_t n_dense, cap_dense;
};

struct pstate {
	uint64_t id, seq, gen;
	uint8_t status;
	struct mstate *on;
};

struct mstate {
	uint64_t id;
	struct xt_goroutine *g;
	struct pstate *p;
};

struct xt_batch {
	const uint8_t *p;
	uint32_t n, next; /* next of the same thread, +1; 0: none */
	uint64_t time;
	int64_t at;
};

struct cursor { /* one thread's events in a generation */
	uint64_t m;
	struct mstate *ms;       /* NULL: no thread */
	uint32_t first, last;    /* batches, +1 */
	const uint8_t *p, *end;
	const struct xt_batch *b;
	int64_t time;
	const uint8_t *event;    /* where it begins */
	uint64_t args[XT_ARGS + 1]; /* the last one stays 0 */
	uint8_t type;
};

struct sample {
	int64_t time;
	uint64_t m, p, g;
	uint32_t stack;
};

struct chunk {
	struct chunk *next;
	size_t used;
	uint8_t data[];
};

struct gslab {
	struct gslab *next;
	size_t used;
};

/* A goroutine with the thread that runs it in front. */
struct gbox {
	struct mstate *on;
	struct xt_goroutine g;
};
static inline struct gbox *gbox_of(struct xt_goroutine *g)
{
	return (struct gbox *)((char *)g - offsetof(struct gbox, g));
}

/*
 * A hundred million times: what is done for each event is one function, and what is seldom done is out of its way. Neighbouring
 * fields are written one by one; read back at once as one wide value, they would have to be waited for.
 */
#ifndef __clang__
#pragma GCC optimize("no-tree-slp-vectorize")
#endif
#define XT_HOT static inline __attribute__((always_inline))
#define XT_COLD __attribute__((noinline, cold))

/* The event that is tried: where it happens, and what will be given out. */
struct turn {
	struct cursor *c;
	struct mstate *ms;
	struct xt_goroutine *g;
	struct pstate *p;
	struct xt_event ev;
};

struct exectrace {
	struct xt_config c;
	struct xt_stats s;
	bool lost, dead, fresh, verified, header_done, ended_by_mark, resync;
	/* Reading */
	uint8_t head[64];
	size_t n_head;
	bool searching;          /* for the begin of a batch, from search_from on */
	bool hole;               /* batches of the generation were left out */
	int64_t search_from;
	struct buf window;       /* of the search; afterwards it is read before anything else */
	size_t window_at;
	size_t want;             /* bytes of the batch's data that are still to come */
	uint8_t *into;           /* NULL: skipped */
	int64_t batch_at;        /* where the batch in hand begins */
	struct chunk *chunks, *chunk, *spare;
	size_t used, chunk_bytes;
	struct { uint64_t m, time; uint32_t n; bool experiment; } in_hand;
	/* The generation */
	uint64_t gen;
	bool gen_open;
	int64_t gen_at;
	uint64_t min_time, about; /* about: the time of the batch before, of whatever generation */
	struct xt_batch *batches;
	size_t n_batches, cap_batches;
	struct xt_batch *tables;  /* batches of strings, stacks, samples, sync */
	size_t n_tables, cap_tables;
	struct cursor *cursors;
	size_t n_cursors, cap_cursors;
	struct idmap by_m;        /* cursor number + 1 */
	struct head {
		int64_t time;
		struct cursor *c;
	} *heap; /* a min-heap on time */
	size_t n_heap, cap_heap;
	struct sample *samples;
	size_t n_samples, cap_samples, next_sample;
	struct idtab strings, stacks;
	bool known[256];          /* types of this version */
	double ns_per_unit;
	uint64_t whole_ns;        /* the same when it is a whole number, else 0 */
	uint64_t frequency, snap_time;
	int64_t snap_wall;
	bool has_snapshot;
	struct xt_note notes[XT_PROBLEMS];
	uint64_t tries, budget;   /* of heads that could not advance */
	/* Interned */
	struct arena mem;
	struct map text_map;
	struct span *texts;
	size_t n_texts, cap_texts;
	struct xt_frame *frames;
	size_t n_frames, cap_frames;
	struct stack_ref { uint32_t at, n; uint64_t hash; } *all_stacks;
	size_t n_all_stacks, cap_all_stacks;
	uint32_t *stack_slots;
	size_t cap_stack_slots;
	/* The scheduler */
	struct idmap gs, ps, ms;
	struct gslab *slabs;
	struct xt_goroutine *free_gs;
	size_t g_size, g_per_slab;
	struct arena states;
	uint64_t gc_seq;
	enum { GC_UNKNOWN, GC_OFF, GC_ON } gc;
	const char *why;
	int64_t last;
	uint64_t no_args[5];
	struct turn turn;
	struct where_row { uint8_t text, stack, text2, stack2; bool more; } where[256]; /* in an event's arguments; XT_ARGS: none; more: the latter two */
};

struct event_row {
	const char *word, *args;
	uint8_t kind, n;
};
extern const struct event_row xt_rows[256];

/* The byte of the file where the cursor's event begins. */
static inline int64_t xt_event_at(const struct cursor *c)
{
	return c->b ? c->b->at + (c->event - c->b->p) : 0;
}

/* exectrace.c */
void xt_note(struct exectrace *x, enum xt_problem p, int64_t at, uint64_t number, uint8_t type, const char *why);
static inline void xt_rate(struct exectrace *x, double ns_per_unit)
{
	x->ns_per_unit = ns_per_unit;
	x->whole_ns = ns_per_unit >= 1 && ns_per_unit <= 1e6 && ns_per_unit == (double)(uint64_t)ns_per_unit ? (uint64_t)ns_per_unit : 0;
}
static inline int64_t xt_ns(const struct exectrace *x, uint64_t units)
{
	double ns;

	if (x->whole_ns && units < UINT64_C(1) << 32) /* as it is nearly always, and twice as fast */
		return (int64_t)(units * x->whole_ns);
	ns = (double)units * x->ns_per_unit;

	return ns >= 9.2e18 ? INT64_MAX : (int64_t)ns;
}
/* exectrace_tables.c */
void xt_tables_read(struct exectrace *x);
void xt_tables_clear(struct exectrace *x);
bool idtab_search(const struct idtab *t, uint64_t id, uint32_t *ret);
static inline bool idtab_get(const struct idtab *t, uint64_t id, uint32_t *ret)
{
	if (id < t->n_dense && t->dense[id]) {
		*ret = t->dense[id] - 1;
		return true;
	}
	return idtab_search(t, id, ret);
}
/* exectrace_run.c: give out the events of the generation in order */
void xt_run(struct exectrace *x);
/* exectrace_order.c */
enum step { STEP_DONE, STEP_WAIT, STEP_BAD };
enum step xt_advance(struct exectrace *x, struct cursor *c);
void xt_forget_missing(struct exectrace *x); /* goroutines that a whole generation did not name */
struct mstate *xt_thread(struct exectrace *x, uint64_t id);

static inline void xt_emit(struct exectrace *x, struct xt_event *ev)
{
	if (ev->time <= x->last)
		ev->time = x->last < INT64_MAX ? x->last + 1 : x->last;
	x->last = ev->time;
	if (!x->s.first)
		x->s.first = ev->time;
	x->s.last = ev->time;
	ev->verified = x->verified;
	ev->generation = x->gen;
	x->s.kinds[ev->kind] += !ev->gone || ev->type != XT_GENERATION;
	if (x->c.event)
		x->c.event(x->c.ctx, ev);
}

/* A varint at *p; false: cut, or longer than 64 bits. */
static inline bool xt_varint(const uint8_t **p, const uint8_t *end, uint64_t *ret)
{
	const uint8_t *q = *p;
	uint64_t v;

	if (q < end && *q < 0x80) {
		*ret = *q;
		*p = q + 1;
		return true;
	}
	if (end - q >= 8) { /* up to eight bytes at once: lengths are hard to predict */
		uint64_t w, stop;

		memcpy(&w, q, 8);
		w = le64toh(w);
		stop = ~w & 0x8080808080808080u;
		if (stop) {
			w &= (stop ^ (stop - 1)) & 0x7f7f7f7f7f7f7f7fu;
			w = (w & 0x007f007f007f007fu) | (w & 0x7f007f007f007f00u) >> 1;
			w = (w & 0x00003fff00003fffu) | (w & 0x3fff00003fff0000u) >> 2;
			*ret = (w & 0x000000000fffffffu) | (w & 0x0fffffff00000000u) >> 4;
			*p = q + (__builtin_ctzll(stop) >> 3) + 1;
			return true;
		}
	}
	v = 0;
	for (unsigned shift = 0; shift < 64 && q < end; shift += 7) {
		uint64_t b = *q++;

		v |= (b & 0x7f) << shift;
		if (b < 0x80) {
			*ret = v;
			*p = q;
			return shift < 63 || b < 2;
		}
	}
	return false;
}
#endif
