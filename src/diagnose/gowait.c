/* Who waits for whom in a goroutine dump. Rules are functions of one table, the gravest first. */
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "diagnose/goroutines_own.h"

#define P(lit) { lit, sizeof(lit) - 1 }

enum {
	LOCKS_MAX = 4096,    /* that are looked at: those with the most waiters are found in every dump of a person's size */
	KNOWERS_MAX = 256,   /* of one lock: what more know is common property, and says nothing */
	OBJECT_MAX = 4096,   /* a lock lies so far behind the beginning of its object at most */
	CROWD = 10000,       /* LeakProf's threshold */
	CROWD_OLD = 1000,    /* with a wait of OLD_MINUTES */
	OLD_MINUTES = 10,
	QUEUE = 8,           /* waiters of a lock that are worth a word without a minute's wait */
	RUNNABLE = 64,
	RING_MAX = 64,
};

struct waiter {
	uint64_t lock;
	uint32_t goroutine;
};

struct mention {
	uint64_t address;
	uint32_t goroutine, pointer;
};

struct edge { /* who knows lock `from`, and so may hold it, waits for lock `to` */
	uint32_t to, via;
};

struct lock {
	uint64_t address, base;     /* base: of the object that it lies in; 0: not known */
	uint32_t first, n;          /* of the waiters */
	uint32_t edges, n_edges;
	uint32_t holder;            /* knows it and does not wait for a lock; TB_NONE */
	uint32_t holders;           /* how many of those there are */
	bool able;                  /* one of them runs, sleeps or reads: it may unlock */
	bool common;                /* too many know it */
	int minutes;
	uint32_t index, low, ring;  /* of the search for circles */
	bool on_stack, told;
};

struct waits {
	struct goroutines *g;
	const struct traceback *t;
	struct waiter *waiters;
	struct mention *mentions;
	struct lock *locks;
	struct edge *edges;
	size_t n_waiters, n_mentions, n_locks, n_edges, cap_edges;
	bool all_blocked;           /* of the user's own */
	unsigned char *on_stack; /* of functions */
	struct map makers;          /* functions, without closures, that made a living goroutine */
};

struct goknot *knot_add(struct goroutines *g, enum gowrong wrong, bool certain)
{
	static const enum cause causes[GO_WRONGS] = {
		[GO_CROWD] = CAUSE_GO_LEAK, [GO_STARVED] = CAUSE_GO_STARVED,
	};

	if (!g->knots)
		g->knots = mem_zalloc(KNOTS_MAX * sizeof(*g->knots));
	g->no_memory |= !g->knots;
	if (!g->knots || g->n_knots == KNOTS_MAX)
		return NULL;
	struct goknot *k = &g->knots[g->n_knots++];
	*k = (struct goknot){ .wrong = wrong, .certain = certain, .place = TB_NONE, .cause = causes[wrong] ? causes[wrong] : CAUSE_GO_BLOCKED };
	k->text = "";
	return k;
}

void knot_member(struct goknot *k, uint32_t goroutine, uint32_t group, uint64_t waits_for, uint64_t holds)
{
	if (k->n_members == GOKNOT_MEMBERS) {
		k->more++;
		return;
	}
	k->members[k->n_members].goroutine = goroutine;
	k->members[k->n_members].group = group;
	k->members[k->n_members].waits_for = waits_for;
	k->members[k->n_members++].holds = holds;
}

static void knot_mark(struct goroutines *g, struct goknot *k)
{
	for (size_t i = 0; i < k->n_members; i++) {
		if (k->wrong == GO_CONVOY && i)
			break; /* whoever holds the lock is not wrong for that */
		struct gogroup *o = &g->groups[k->members[i].group];
		if (!o->wrong || k->wrong < o->wrong)
			o->wrong = k->wrong;
		if (k->place == TB_NONE)
			k->place = o->place;
	}
}

#define SAY(g, k, ...) do { \
	const char *text_ = arena_printf(&(g)->mem, __VA_ARGS__); \
	(k)->text = text_ ? text_ : ""; \
} while (0)

/* "main.(*T).Transfer (a.go:12)" */
static const char *where_of(struct goroutines *g, uint32_t place)
{
	if (place == TB_NONE)
		return "?";
	const struct tb_place *p = &g->t->places[place];
	struct span name = span_head(g->t->funcs[p->func].name, 200), at = p->at;
	size_t slash = span_rchr(at, '/');
	const char *text;
	if (slash != SPAN_NONE)
		at = span_from(at, slash + 1);
	text = at.n ? arena_printf(&g->mem, "%.*s (%.*s)", SPAN_ARG(name), SPAN_ARG(span_head(at, 100))) :
		      arena_printf(&g->mem, "%.*s", SPAN_ARG(name));
	return text ? text : "?";
}

static const char *since(struct goroutines *g, int minutes)
{
	const char *text = minutes ? arena_printf(&g->mem, TR(" for %d minutes", "（已等 %d 分钟）"), minutes) : "";

	return text ? text : "";
}

static const char *people(struct goroutines *g, int64_t n)
{
	const char *text = n == 1 ? TR("1 goroutine is", "1 个 goroutine ") :
				    arena_printf(&g->mem, TR("%lld goroutines are", "%lld 个 goroutine "), (long long)n);

	return text ? text : "";
}

static const char *lock_word(enum tb_wait w)
{
	return w == TB_MUTEX ? TR("mutex", "互斥锁") : w == TB_RLOCK || w == TB_WLOCK ? TR("RWMutex", "读写锁") : TR("lock", "锁");
}

static enum tb_wait wait_of(const struct waits *w, uint32_t goroutine)
{
	return w->t->buckets[tb_at(w->t, goroutine)->bucket].wait;
}

static uint32_t place_of(const struct waits *w, uint32_t goroutine)
{
	return w->g->groups[group_at(w->g, goroutine)].place;
}

static bool is_lock_wait(enum tb_wait w)
{
	return w == TB_MUTEX || w == TB_RLOCK || w == TB_WLOCK;
}

static bool is_chan_wait(enum tb_wait w)
{
	return w == TB_RECEIVE || w == TB_SEND || w == TB_SELECT;
}

/* ---- locks, their waiters, who knows them ---- */

static int by_lock(const void *a, const void *b)
{
	const struct waiter *x = a, *y = b;

	if (x->lock != y->lock)
		return x->lock < y->lock ? -1 : 1;
	return x->goroutine < y->goroutine ? -1 : x->goroutine > y->goroutine;
}

static int by_address(const void *a, const void *b)
{
	const struct mention *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return x->goroutine < y->goroutine ? -1 : x->goroutine > y->goroutine;
}

static bool gather_waiters(struct waits *w)
{
	size_t n = 0;

	for (uint32_t i = 0; i < w->t->n_goroutines; i++)
		n += tb_at(w->t, i)->lock && is_lock_wait(wait_of(w, i));
	w->waiters = mem_alloc((n + 1) * sizeof(*w->waiters));
	for (uint32_t i = 0; w->waiters && i < w->t->n_goroutines; i++) {
		const struct tb_goroutine *o = tb_at(w->t, i);
		if (o->lock && is_lock_wait(wait_of(w, i)))
			w->waiters[w->n_waiters++] = (struct waiter){ o->lock, i };
	}
	if (w->waiters)
		qsort(w->waiters, w->n_waiters, sizeof(*w->waiters), by_lock);
	return w->waiters != NULL;
}

static bool gather_mentions(struct waits *w)
{
	w->mentions = mem_alloc((w->t->n_pointers + 1) * sizeof(*w->mentions));
	for (uint32_t i = 0; w->mentions && i < w->t->n_goroutines; i++) {
		const struct tb_goroutine *o = tb_at(w->t, i);
		for (uint32_t k = o->pointers; k < o->pointers + o->n_pointers && k < w->t->n_pointers; k++) {
			if (w->t->pointers[k].plain)
				w->mentions[w->n_mentions++] = (struct mention){ w->t->pointers[k].address, i, k };
		}
	}
	if (w->mentions)
		qsort(w->mentions, w->n_mentions, sizeof(*w->mentions), by_address);
	return w->mentions != NULL;
}

/* The first of rows, sorted by the address that each begins with, at or behind it; n: there is none. */
static size_t first_at(const void *rows, size_t n, size_t size, uint64_t address)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		uint64_t at;
		memcpy(&at, (const char *)rows + mid * size, sizeof(at));
		if (at < address)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static size_t first_mention(const struct waits *w, uint64_t address)
{
	return first_at(w->mentions, w->n_mentions, sizeof(*w->mentions), address);
}

/* The object that the lock lies in, as its waiter's own frames name it: the nearest address below. */
static uint64_t base_of(const struct waits *w, uint32_t goroutine, uint64_t lock)
{
	const struct tb_goroutine *o = tb_at(w->t, goroutine);
	uint64_t best = 0;

	for (uint32_t k = o->pointers; k < o->pointers + o->n_pointers; k++) {
		const struct tb_pointer *p = &w->t->pointers[k];
		if (p->plain && p->address <= lock && lock - p->address < OBJECT_MAX && p->address > best)
			best = p->address;
	}
	return best;
}

static bool gather_locks(struct waits *w)
{
	w->locks = mem_zalloc(LOCKS_MAX * sizeof(*w->locks));
	if (!w->locks)
		return false;
	for (uint32_t i = 0; i < w->n_waiters; i++) {
		struct lock *l = w->n_locks ? &w->locks[w->n_locks - 1] : NULL;
		if (!l || l->address != w->waiters[i].lock) {
			if (w->n_locks == LOCKS_MAX)
				break;
			l = &w->locks[w->n_locks++];
			*l = (struct lock){ .address = w->waiters[i].lock, .first = i, .holder = TB_NONE };
		}
		l->n++;
		uint32_t n = w->waiters[i].goroutine;
		int minutes = (int)tb_at(w->t, n)->minutes;
		l->minutes = minutes > l->minutes ? minutes : l->minutes;
		if (!l->base)
			l->base = base_of(w, n, l->address);
	}
	return true;
}

static uint32_t lock_at(const struct waits *w, uint64_t address)
{
	size_t i = first_at(w->locks, w->n_locks, sizeof(*w->locks), address);

	return i < w->n_locks && w->locks[i].address == address ? (uint32_t)i : TB_NONE;
}

/* stale: an argument that may be long overwritten names nobody by itself. */
static bool know(struct waits *w, struct lock *l, uint32_t goroutine, bool stale)
{
	const struct tb_goroutine *o = tb_at(w->t, goroutine);
	enum tb_wait wait = wait_of(w, goroutine);
	uint32_t other = is_lock_wait(wait) && o->lock ? lock_at(w, o->lock) : TB_NONE;

	if (is_lock_wait(wait) && o->lock == l->address)
		return true;
	if (other == TB_NONE) {
		l->able |= !tb_is_blocked(wait);
		if (stale)
			return true;
		if (!l->holders++ || (tb_is_blocked(wait) && l->holders == 1))
			l->holder = goroutine;
		return true;
	}
	if (!mem_grow(&w->edges, &w->cap_edges, w->n_edges, sizeof(*w->edges)))
		return false;
	w->edges[w->n_edges++] = (struct edge){ other, goroutine };
	l->n_edges++;
	return true;
}

static bool find_knowers(struct waits *w, struct lock *l)
{
	uint64_t names[2] = { l->base, l->address == l->base ? 0 : l->address };

	l->edges = (uint32_t)w->n_edges;
	for (int k = 0; k < 2; k++) {
		if (!names[k])
			continue;
		size_t at = first_mention(w, names[k]), n = 0;
		uint32_t others = 0;
		for (; at < w->n_mentions && w->mentions[at].address == names[k]; at++) {
			uint32_t o = w->mentions[at].goroutine;
			bool waits_too = is_lock_wait(wait_of(w, o)) && tb_at(w->t, o)->lock == l->address;
			if (n++ > 4 * KNOWERS_MAX || (others += !waits_too) > KNOWERS_MAX) {
				l->common = others > KNOWERS_MAX;
				break;
			}
			if (!know(w, l, o, w->t->pointers[w->mentions[at].pointer].stale))
				return false;
		}
	}
	return true;
}

/* ---- circles of locks: strongly connected components, without recursion ---- */

struct walk {
	uint32_t lock, edge;
};

static void close_ring(struct waits *w, uint32_t *stack, uint32_t *n, uint32_t at, uint32_t ring)
{
	uint32_t l;

	do {
		l = stack[--*n];
		w->locks[l].on_stack = false;
		w->locks[l].ring = ring;
	} while (l != at);
}

static void walk_from(struct waits *w, uint32_t start, struct walk *path, uint32_t *stack, uint32_t *counter, uint32_t *rings)
{
	uint32_t depth = 0, n = 0;

	path[depth++] = (struct walk){ start, 0 };
	while (depth) {
		struct walk *at = &path[depth - 1];
		struct lock *l = &w->locks[at->lock];
		if (!at->edge) {
			l->index = l->low = ++*counter;
			stack[n++] = at->lock;
			l->on_stack = true;
		}
		if (at->edge < l->n_edges) {
			uint32_t to = w->edges[l->edges + at->edge++].to;
			struct lock *o = &w->locks[to];
			if (!o->index)
				path[depth++] = (struct walk){ to, 0 };
			else if (o->on_stack && o->index < l->low)
				l->low = o->index;
			continue;
		}
		if (l->low == l->index)
			close_ring(w, stack, &n, at->lock, ++*rings);
		uint32_t low = l->low;
		if (--depth && low < w->locks[path[depth - 1].lock].low)
			w->locks[path[depth - 1].lock].low = low;
	}
}

static bool find_rings(struct waits *w)
{
	struct walk *path = mem_alloc((w->n_locks + 1) * sizeof(*path));
	uint32_t *stack = mem_alloc((w->n_locks + 1) * sizeof(*stack)), counter = 0, rings = 0;

	for (uint32_t i = 0; path && stack && i < w->n_locks; i++) {
		if (!w->locks[i].index && w->locks[i].n_edges)
			walk_from(w, i, path, stack, &counter, &rings);
	}
	bool done = path && stack;
	mem_free(path);
	mem_free(stack);
	return done;
}

/* From one lock of a ring to the next until one comes again: who holds and who waits. */
static void ring_members(struct waits *w, uint32_t start, struct goknot *k)
{
	uint32_t at = start, steps = 0;

	do {
		struct lock *l = &w->locks[at];
		const struct edge *next = NULL;
		l->told = true;
		for (uint32_t i = 0; i < l->n_edges; i++) {
			const struct edge *e = &w->edges[l->edges + i];
			const struct lock *o = &w->locks[e->to];
			if (o->ring == l->ring && e->to != at && (!next || !o->told || e->to == start))
				next = e;
			if (next && (next->to == start || !w->locks[next->to].told))
				break;
		}
		if (!next)
			return;
		knot_member(k, next->via, group_at(w->g, next->via), w->locks[next->to].address, l->address);
		at = next->to;
	} while (at != start && !w->locks[at].told && ++steps < w->n_locks);
}

static void say_ring(struct goroutines *g, struct goknot *k)
{
	long long a = (long long)tb_at(g->t, k->members[0].goroutine)->id, b = (long long)tb_at(g->t, k->members[1].goroutine)->id;
	const char *at = where_of(g, g->groups[k->members[0].group].place), *bt = where_of(g, g->groups[k->members[1].group].place);

	if (k->n_members == 2 && !k->more)
		SAY(g, k, TR("goroutines %lld and %lld wait%s for each other's locks: one holds 0x%llx and wants 0x%llx at %s, the other the "
			     "reverse at %s; %lld goroutines are held up",
			     "goroutine %lld 与 %lld 互相等待对方持有的锁%s：一个持有 0x%llx 并在等 0x%llx，位于 %s；另一个相反，位于 %s；共有 %lld 个 "
			     "goroutine 被阻塞"),
		    a, b, since(g, k->minutes), (unsigned long long)k->members[0].holds, (unsigned long long)k->members[0].waits_for, at, bt,
		    (long long)k->count);
	else
		SAY(g, k, TR("%lld goroutines wait%s for locks in a circle: goroutine %lld at %s, goroutine %lld at %s and so on; %lld goroutines are held up",
			     "%lld 个 goroutine 循环等待对方的锁%s：goroutine %lld 位于 %s，goroutine %lld 位于 %s，依此类推；共有 %lld 个 goroutine 被阻塞"),
		    (long long)k->n_members + k->more, since(g, k->minutes), a, at, b, bt, (long long)k->count);
}

static void judge_ring(struct waits *w, uint32_t start)
{
	bool able = false, certain;
	int64_t count = 0;
	int minutes = 0;
	uint32_t ring = w->locks[start].ring, locks = 0;

	for (uint32_t i = start; i < w->n_locks; i++) {
		struct lock *l = &w->locks[i];
		if (l->ring != ring)
			continue;
		locks++;
		able |= l->able || l->common;
		count += l->n;
		minutes = l->minutes > minutes ? l->minutes : minutes;
	}
	if (locks < 2 || (able && !minutes)) /* somebody may yet unlock: a moment's crowd */
		return;
	certain = !able && (minutes || w->all_blocked);
	struct goknot *k = knot_add(w->g, GO_CROSSWISE, certain);
	if (!k)
		return;
	k->count = count;
	k->minutes = minutes;
	k->address = w->locks[start].address;
	ring_members(w, start, k);
	for (uint32_t i = start; i < w->n_locks; i++)
		w->locks[i].told |= w->locks[i].ring == ring;
	if (k->n_members < 2) {
		w->g->n_knots--;
		return;
	}
	say_ring(w->g, k);
	knot_mark(w->g, k);
}

static void rule_crosswise(struct waits *w)
{
	for (uint32_t i = 0; i < w->n_locks; i++) {
		if (w->locks[i].ring && !w->locks[i].told)
			judge_ring(w, i);
	}
}

/*
 * Locks of variables that no argument names: where exactly two have waiters, nobody is left to hold them but those who wait
 * for the other one.
 */
static void rule_crosswise_globals(struct waits *w)
{
	const struct lock *two[2] = { 0 };
	int n = 0;

	for (uint32_t i = 0; i < w->n_locks; i++) {
		const struct lock *l = &w->locks[i];
		if (l->told || l->holders || l->n_edges || l->common)
			continue;
		if (n < 2)
			two[n] = l;
		n++;
	}
	if (n != 2 || !(w->all_blocked || (two[0]->minutes && two[1]->minutes)))
		return;
	uint32_t a = w->waiters[two[0]->first].goroutine, b = w->waiters[two[1]->first].goroutine;
	if (group_at(w->g, a) == group_at(w->g, b))
		return;
	struct goknot *k = knot_add(w->g, GO_CROSSWISE, w->all_blocked);
	if (!k)
		return;
	k->count = two[0]->n + two[1]->n;
	k->minutes = two[0]->minutes > two[1]->minutes ? two[0]->minutes : two[1]->minutes;
	k->address = two[0]->address;
	knot_member(k, a, group_at(w->g, a), two[0]->address, two[1]->address);
	knot_member(k, b, group_at(w->g, b), two[1]->address, two[0]->address);
	say_ring(w->g, k);
	knot_mark(w->g, k);
	w->locks[two[0] - w->locks].told = w->locks[two[1] - w->locks].told = true;
}

/* ---- one lock ---- */

/* "main.(*T).M": "main.(*T)." */
static struct span receiver_of(struct span name)
{
	size_t at = span_find(name, S(").")), star = span_find(name, S(".(*"));

	return at == SPAN_NONE || star == SPAN_NONE || star > at ? (struct span){ 0 } : span_head(name, at + 2);
}

/* Is the function that waits a method of the same type as the one further out that has the object? */
static bool calls_own(const struct waits *w, uint32_t bucket, uint32_t outer)
{
	const struct tb_bucket *b = &w->t->buckets[bucket];
	uint32_t inner = 0;

	while (inner < b->n_places && !w->g->own_place[b->places[inner]])
		inner++;
	if (inner >= outer || outer >= b->n_places)
		return false;
	struct span type = receiver_of(place_func(w->t, b->places[inner])->name);
	return type.n && span_eq(type, receiver_of(place_func(w->t, b->places[outer])->name));
}

/* The only one of its waiters that has the object twice on its stack: it locked there, and again here. */
static uint32_t twice_locker(const struct waits *w, const struct lock *l)
{
	uint32_t found = TB_NONE;

	for (uint32_t i = l->first; l->base && i < l->first + l->n; i++) {
		uint32_t n = w->waiters[i].goroutine;
		const struct tb_goroutine *o = tb_at(w->t, n);
		for (uint32_t k = o->pointers; k < o->pointers + o->n_pointers; k++) {
			const struct tb_pointer *p = &w->t->pointers[k];
			if (p->address != l->base || !(p->plain > 1 || calls_own(w, o->bucket, p->last)))
				continue;
			if (found != TB_NONE)
				return TB_NONE;
			found = n;
		}
	}
	return found;
}

static void rule_self_lock(struct waits *w)
{
	for (uint32_t i = 0; i < w->n_locks; i++) {
		struct lock *l = &w->locks[i];
		uint32_t n = l->told || l->holders || l->n_edges || l->common || !(l->minutes || w->all_blocked) ? TB_NONE : twice_locker(w, l);
		if (n == TB_NONE)
			continue;
		struct goknot *k = knot_add(w->g, GO_SELF_LOCK, true);
		if (!k)
			return;
		l->told = true;
		k->count = l->n;
		k->minutes = l->minutes;
		k->address = l->address;
		knot_member(k, n, group_at(w->g, n), l->address, l->address);
		SAY(w->g, k, TR("goroutine %lld waits%s for a %s (0x%llx) that it holds itself: %s is called with it locked (waiting for it: %lld)",
				"goroutine %lld 等待%s自己已持有的%s（0x%llx）：持锁时又调用了 %s（等待者 %lld 个）"),
		    (long long)tb_at(w->t, n)->id, since(w->g, l->minutes), lock_word(wait_of(w, n)), (unsigned long long)l->address,
		    where_of(w->g, place_of(w, n)), (long long)l->n);
		knot_mark(w->g, k);
	}
}

static void rule_no_unlock(struct waits *w)
{
	for (uint32_t i = 0; i < w->n_locks; i++) {
		struct lock *l = &w->locks[i];
		if (l->told || l->holders || l->n_edges || l->common || !l->minutes)
			continue;
		struct goknot *k = knot_add(w->g, GO_NO_UNLOCK, false);
		if (!k)
			return;
		uint32_t n = w->waiters[l->first].goroutine;
		l->told = true;
		k->count = l->n;
		k->minutes = l->minutes;
		k->address = l->address;
		knot_member(k, n, group_at(w->g, n), l->address, 0);
		SAY(w->g, k, TR("%lld goroutines wait%s for a %s (0x%llx) at %s, and no goroutine that knows it does anything else: an Unlock is missing",
				"%lld 个 goroutine 在等待%s%s（0x%llx），位于 %s，且没有其他 goroutine 知道该锁：缺少 Unlock"),
		    (long long)l->n, since(w->g, l->minutes), lock_word(wait_of(w, n)), (unsigned long long)l->address,
		    where_of(w->g, place_of(w, n)));
		knot_mark(w->g, k);
	}
}

static void convoy(struct waits *w, struct lock *l)
{
	uint32_t n = w->waiters[l->first].goroutine, h = l->holders && l->holders <= 3 ? l->holder : TB_NONE;
	struct goknot *k = knot_add(w->g, GO_CONVOY, false);

	if (!k)
		return;
	l->told = true;
	k->count = l->n;
	k->minutes = l->minutes;
	k->address = l->address;
	knot_member(k, n, group_at(w->g, n), l->address, 0);
	if (h == TB_NONE) {
		SAY(w->g, k, TR("%lld goroutines wait%s for one %s (0x%llx) at %s", "%lld 个 goroutine 在等待%s同一个%s（0x%llx），位于 %s"),
		    (long long)l->n, since(w->g, l->minutes), lock_word(wait_of(w, n)), (unsigned long long)l->address,
		    where_of(w->g, place_of(w, n)));
	} else {
		struct span status = w->t->buckets[tb_at(w->t, h)->bucket].status;
		knot_member(k, h, group_at(w->g, h), 0, l->address);
		SAY(w->g, k, TR("%lld goroutines wait%s for one %s (0x%llx) at %s; goroutine %lld, which uses the same object, is in [%.*s] at %s",
				"%lld 个 goroutine 在等待%s同一个%s（0x%llx），位于 %s；goroutine %lld 使用同一对象，状态为 [%.*s]，位于 %s"),
		    (long long)l->n, since(w->g, l->minutes), lock_word(wait_of(w, n)), (unsigned long long)l->address,
		    where_of(w->g, place_of(w, n)), (long long)tb_at(w->t, h)->id, SPAN_ARG(span_head(status, 60)), where_of(w->g, place_of(w, h)));
	}
	knot_mark(w->g, k);
}

static void rule_convoy(struct waits *w)
{
	for (uint32_t i = 0; i < w->n_locks; i++) {
		struct lock *l = &w->locks[i];
		if (!l->told && (l->n >= QUEUE || (l->n >= 2 && l->minutes)))
			convoy(w, l);
	}
	for (uint32_t i = 0; i < w->g->n_groups; i++) { /* RLock is inlined: the text does not name its lock */
		const struct gogroup *o = &w->g->groups[i];
		if (o->wrong || !is_lock_wait(o->bucket->wait) || o->bucket->lock != TB_NONE || o->all < QUEUE)
			continue;
		struct goknot *k = knot_add(w->g, GO_CONVOY, false);
		if (!k)
			return;
		k->count = o->all;
		k->minutes = o->minutes;
		knot_member(k, TB_NONE, i, 0, 0);
		SAY(w->g, k, TR("%lld goroutines wait%s for a %s at %s", "%lld 个 goroutine 在等待%s%s，位于 %s"), (long long)o->all,
		    since(w->g, o->minutes), lock_word(o->bucket->wait), where_of(w->g, o->place));
		knot_mark(w->g, k);
	}
}

/* ---- channels in a circle ---- */

static uint32_t root_of(uint32_t *up, uint32_t i)
{
	while (up[i] != i)
		i = up[i] = up[up[i]];
	return i;
}

struct part { /* of the goroutines, those that share channels */
	uint32_t size, first, second; /* two of different groups */
	bool open;                    /* one that could go on knows it too */
	bool young;
	int minutes;
};

/* Who shares an address waits for the same people. Common addresses tell nothing. */
static void join_parts(const struct waits *w, uint32_t *up, struct part *parts)
{
	for (size_t i = 0, end; i < w->n_mentions; i = end) {
		uint32_t first = TB_NONE;
		bool open = false;
		for (end = i; end < w->n_mentions && w->mentions[end].address == w->mentions[i].address; end++) {
			open |= !is_chan_wait(wait_of(w, w->mentions[end].goroutine)) &&
				!tb_is_blocked(wait_of(w, w->mentions[end].goroutine));
		}
		if (end - i > RING_MAX || end - i < 2)
			continue;
		for (size_t k = i; k < end; k++) {
			uint32_t n = w->mentions[k].goroutine;
			if (!is_chan_wait(wait_of(w, n)) || w->t->pointers[w->mentions[k].pointer].stale)
				continue;
			uint32_t root = root_of(up, n);
			parts[root].open |= open;
			if (first == TB_NONE) {
				first = root;
				continue;
			}
			parts[first].open |= parts[root].open;
			up[root] = first;
		}
	}
}

static void measure_parts(const struct waits *w, uint32_t *up, struct part *parts)
{
	for (uint32_t i = 0; i < w->t->n_goroutines; i++) {
		if (!is_chan_wait(wait_of(w, i)))
			continue;
		struct part *p = &parts[root_of(up, i)];
		int minutes = (int)tb_at(w->t, i)->minutes;
		if (!p->size++)
			p->first = p->second = i;
		else if (group_at(w->g, i) != group_at(w->g, p->first))
			p->second = i;
		p->young |= !minutes;
		p->minutes = minutes > p->minutes ? minutes : p->minutes;
	}
}

static void rule_ring(struct waits *w)
{
	uint32_t n = (uint32_t)w->t->n_goroutines, *up = mem_alloc((n + 1) * sizeof(*up));
	struct part *parts = mem_zalloc((n + 1) * sizeof(*parts));

	for (uint32_t i = 0; up && i < n; i++)
		up[i] = i;
	if (up && parts) {
		join_parts(w, up, parts);
		measure_parts(w, up, parts);
	}
	for (uint32_t i = 0; up && parts && i < n; i++) {
		const struct part *p = &parts[i];
		if (p->size < 2 || p->open || p->first == p->second || p->size > RING_MAX || (p->young && !w->all_blocked))
			continue;
		struct goknot *k = knot_add(w->g, GO_RING, false);
		if (!k)
			break;
		k->count = p->size;
		k->minutes = p->minutes;
		knot_member(k, p->first, group_at(w->g, p->first), 0, 0);
		knot_member(k, p->second, group_at(w->g, p->second), 0, 0);
		k->more = (int64_t)p->size - 2;
		SAY(w->g, k, TR("%lld goroutines wait%s for each other on channels: goroutine %lld at %s, goroutine %lld at %s; nobody else has these channels",
				"%lld 个 goroutine 通过 channel 互相等待%s：goroutine %lld 位于 %s，goroutine %lld 位于 %s；没有其他 goroutine 持有这些 channel"),
		    (long long)p->size, since(w->g, p->minutes), (long long)tb_at(w->t, p->first)->id, where_of(w->g, place_of(w, p->first)),
		    (long long)tb_at(w->t, p->second)->id, where_of(w->g, place_of(w, p->second)));
		knot_mark(w->g, k);
	}
	w->g->no_memory |= !up || !parts;
	mem_free(up);
	mem_free(parts);
}

/* ---- groups ---- */

static struct goknot *group_knot(struct waits *w, uint32_t i, enum gowrong wrong, bool certain)
{
	struct gogroup *o = &w->g->groups[i];
	struct goknot *k = knot_add(w->g, wrong, certain);

	if (!k)
		return NULL;
	k->count = o->all;
	k->minutes = o->minutes;
	knot_member(k, TB_NONE, i, 0, 0);
	knot_mark(w->g, k);
	return k;
}

static void rule_nil_chan(struct waits *w)
{
	for (uint32_t i = 0; i < w->g->n_groups; i++) {
		const struct gogroup *o = &w->g->groups[i];
		struct goknot *k = o->bucket->wait == TB_NIL_CHAN ? group_knot(w, i, GO_NIL_CHAN, true) : NULL;
		if (k)
			SAY(w->g, k, TR("%s in [%.*s]%s at %s: a nil channel never becomes ready",
					"%s处于 [%.*s]%s，位于 %s：nil channel 永远不会就绪"),
			    people(w->g, o->all), SPAN_ARG(o->bucket->status), since(w->g, o->minutes), where_of(w->g, o->place));
	}
}

static void rule_no_cases(struct waits *w)
{
	for (uint32_t i = 0; i < w->g->n_groups; i++) {
		const struct gogroup *o = &w->g->groups[i];
		bool in_main = o->all == 1 && o->bucket->id == 1;
		struct goknot *k = o->bucket->wait == TB_NO_CASES && !in_main ? group_knot(w, i, GO_NO_CASES, true) : NULL;
		if (!k)
			continue;
		k->certain = o->all > 1 || o->minutes > 0;
		SAY(w->g, k, TR("%s in a select without cases%s at %s, which never ends", "%s处于没有分支的 select%s，位于 %s：永远不会继续"),
		    people(w->g, o->all), since(w->g, o->minutes), where_of(w->g, o->place));
	}
}

static void rule_marked(struct waits *w)
{
	for (uint32_t i = 0; i < w->g->n_groups; i++) {
		const struct gogroup *o = &w->g->groups[i];
		bool marked = o->bucket->leaked || o->bucket->wait == TB_LEAKED;
		struct goknot *k = marked && !o->wrong ? group_knot(w, i, GO_MARKED, true) : NULL;
		if (k)
			SAY(w->g, k, TR("%lld goroutines at %s were found to be leaked by the runtime: nothing that runs can reach what they wait for",
					"%lld 个 goroutine 被运行时判定为泄漏，位于 %s：任何运行中的代码都无法触及它们所等待的对象"),
			    (long long)o->all, where_of(w->g, o->place));
	}
}

/* "main.run.func1.2": main.run */
static struct span without_closure(struct span name)
{
	size_t slash = span_rchr(name, '/'), from = slash == SPAN_NONE ? 0 : slash;
	static const struct span words[] = { P(".func"), P(".gowrap"), P(".deferwrap"), P("-range") };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct span rest = span_from(name, from);
		size_t at = span_find(rest, words[i]), digit = at == SPAN_NONE ? 0 : at + words[i].n;
		if (at != SPAN_NONE && digit < rest.n && rest.p[digit] >= '0' && rest.p[digit] <= '9')
			name = span_head(name, from + at);
	}
	return name;
}

static bool has_children(const struct waits *w, const struct gogroup *o)
{
	for (uint32_t i = 0; i < o->bucket->n_places; i++) {
		uint32_t place = o->bucket->places[i];
		if (w->g->own_place[place] && map_get(&w->makers, without_closure(place_func(w->t, place)->name)))
			return true;
	}
	for (size_t i = 0; i < w->t->n_goroutines; i++) { /* WaitGroup.Go made them, or errgroup */
		if (tb_at(w->t, i)->parent == o->id)
			return true;
	}
	return false;
}

static void rule_no_done(struct waits *w)
{
	int looked = 0;

	for (uint32_t i = 0; i < w->g->n_groups && looked < KNOTS_MAX; i++) {
		const struct gogroup *o = &w->g->groups[i];
		if (o->bucket->wait != TB_WAITGROUP || o->wrong || !o->own || !(o->minutes > 1 || w->all_blocked))
			continue;
		looked++;
		struct goknot *k = has_children(w, o) ? NULL : group_knot(w, i, GO_NO_DONE, true);
		if (k)
			SAY(w->g, k, TR("%s in WaitGroup.Wait%s at %s, and no goroutine that it started is left: a Done is missing",
					"%s处于 WaitGroup.Wait%s，位于 %s，而它启动的 goroutine 都已不在：缺少 Done"),
			    people(w->g, o->all), since(w->g, o->minutes), where_of(w->g, o->place));
	}
}

static void rule_abandoned(struct waits *w)
{
	for (uint32_t i = 0; i < w->g->n_groups; i++) {
		const struct gogroup *o = &w->g->groups[i];
		uint32_t creator = o->bucket->creator;
		if (o->bucket->wait != TB_SEND || o->wrong || creator == TB_NONE || !w->g->own_place[creator] ||
		    w->on_stack[w->t->places[creator].func] || !(o->minutes || o->all >= QUEUE))
			continue;
		struct goknot *k = group_knot(w, i, GO_ABANDONED, o->minutes > 0);
		if (k)
			SAY(w->g, k, TR("%lld goroutines wait%s to send at %s; %.*s, which started them, has returned: nobody receives",
					"%lld 个 goroutine 在等待发送%s，位于 %s；启动它们的 %.*s 已经返回：无人接收"),
			    (long long)o->all, since(w->g, o->minutes), where_of(w->g, o->place),
			    SPAN_ARG(span_head(place_func(w->t, creator)->name, 200)));
	}
}

static void rule_all_blocked(struct waits *w)
{
	if (!w->all_blocked || w->g->n_knots || !w->g->own)
		return;
	struct goknot *k = knot_add(w->g, GO_ALL_BLOCKED, false);
	if (!k)
		return;
	for (uint32_t i = 0; i < w->g->n_groups; i++) {
		const struct gogroup *o = &w->g->groups[i];
		if (!o->own || o->system)
			continue;
		knot_member(k, TB_NONE, i, 0, 0);
		k->count += o->all;
		k->minutes = o->minutes > k->minutes ? o->minutes : k->minutes;
	}
	knot_mark(w->g, k);
	SAY(w->g, k, TR("every goroutine of the program (%lld) waits%s for another one; the first at %s", "程序的全部 %lld 个 goroutine 都在互相等待%s；首个位于 %s"),
	    (long long)k->count, since(w->g, k->minutes), where_of(w->g, k->place));
}

static void rule_crowd(struct waits *w)
{
	for (uint32_t i = 0; i < w->g->n_groups; i++) {
		const struct gogroup *o = &w->g->groups[i];
		bool many = o->all >= CROWD || (o->all >= CROWD_OLD && o->minutes >= OLD_MINUTES);
		if (o->all < CROWD_OLD)
			break;
		struct goknot *k = many && !o->wrong && tb_is_blocked(o->bucket->wait) ? group_knot(w, i, GO_CROWD, false) : NULL;
		if (k)
			SAY(w->g, k, TR("%lld of %lld goroutines are in [%.*s]%s at %s: a leak, unless so many are wanted",
					"%lld / %lld 个 goroutine 处于 [%.*s]%s，位于 %s：若非有意为之，就是泄漏"),
			    (long long)o->all, (long long)w->g->count, SPAN_ARG(o->bucket->status), since(w->g, o->minutes), where_of(w->g, o->place));
	}
}

static uint32_t first_in(const struct goroutines *g, enum tb_wait wait)
{
	uint32_t i = 0;

	while (i < g->n_groups && (g->groups[i].bucket->wait != wait || g->groups[i].system))
		i++;
	return i;
}

static void rule_starved(struct waits *w)
{
	int64_t runnable = w->g->waits[TB_RUNNABLE];
	uint32_t i = first_in(w->g, TB_RUNNABLE);

	if (runnable < RUNNABLE || runnable * 4 < w->g->count || i == w->g->n_groups)
		return;
	struct goknot *k = group_knot(w, i, GO_STARVED, false);
	if (!k)
		return;
	k->count = runnable;
	SAY(w->g, k, TR("%lld of %lld goroutines could run and do not get to: most at %s. There are too few processors, or something holds them",
			"%lld / %lld 个 goroutine 可运行却得不到运行：多数位于 %s。处理器太少，或被长期占用"),
	    (long long)runnable, (long long)w->g->count, where_of(w->g, w->g->groups[i].place));
}

static void rule_syscalls(struct waits *w)
{
	for (uint32_t i = 0; i < w->g->n_groups; i++) {
		const struct gogroup *o = &w->g->groups[i];
		if (o->bucket->wait != TB_SYSCALL || o->system || !o->minutes || o->all < QUEUE)
			continue;
		struct goknot *k = group_knot(w, i, GO_SYSCALLS, false);
		if (k)
			SAY(w->g, k, TR("%lld goroutines are in system calls%s at %s: a blocked file, name look-up or C call, a thread each",
					"%lld 个 goroutine 处于系统调用中%s，位于 %s：阻塞的文件、域名解析或 C 调用，各占一个线程"),
			    (long long)o->all, since(w->g, o->minutes), where_of(w->g, o->place));
	}
}

/* ---- all together ---- */

static bool mark_functions(struct waits *w)
{
	static char there;

	w->on_stack = mem_zalloc(w->t->n_funcs + 1);
	if (!w->on_stack)
		return false;
	for (size_t i = 0; i < w->t->n_buckets; i++) {
		const struct tb_bucket *b = &w->t->buckets[i];
		for (uint32_t k = 0; k < b->n_places; k++)
			w->on_stack[w->t->places[b->places[k]].func] = 1;
		if (b->creator != TB_NONE && !map_put(&w->makers, without_closure(place_func(w->t, b->creator)->name), &there))
			return false;
	}
	return true;
}

/* Is there none of the user's that could go on by itself? Where signals are awaited, one of them can come from outside. */
static bool is_all_blocked(const struct goroutines *g)
{
	for (size_t i = 0; i < g->n_groups; i++) {
		const struct gogroup *o = &g->groups[i];
		if (o->own && !o->system && !tb_is_blocked(o->bucket->wait))
			return false;
		for (uint32_t k = 0; k < o->bucket->n_places; k++) {
			if (place_func(g->t, o->bucket->places[k])->role == TB_IS_SIGNAL)
				return false;
		}
	}
	return g->own > 0;
}

static bool gather(struct waits *w)
{
	if (!gather_waiters(w) || !gather_mentions(w) || !gather_locks(w) || !mark_functions(w))
		return false;
	for (size_t i = 0; i < w->n_locks; i++) {
		if (!find_knowers(w, &w->locks[i]))
			return false;
	}
	return find_rings(w);
}

static int by_gravity(const void *a, const void *b)
{
	const struct goknot *x = a, *y = b;

	if (x->certain != y->certain)
		return x->certain ? -1 : 1;
	if (x->wrong != y->wrong)
		return x->wrong < y->wrong ? -1 : 1;
	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return x->members[0].group < y->members[0].group ? -1 : x->members[0].group > y->members[0].group;
}

void gowait_judge(struct goroutines *g)
{
	static void (*const rules[])(struct waits *w) = {
		rule_crosswise, rule_crosswise_globals, rule_self_lock, rule_nil_chan, rule_no_cases, rule_no_done, rule_marked, rule_no_unlock,
		rule_abandoned, rule_ring, rule_convoy, rule_all_blocked, rule_crowd, rule_starved, rule_syscalls,
	};
	struct waits w = { .g = g, .t = g->t, .all_blocked = is_all_blocked(g) };

	if (!gather(&w))
		g->no_memory = true;
	else
		for (size_t i = 0; i < ARRAY_LEN(rules); i++)
			rules[i](&w);
	if (g->n_knots)
		qsort(g->knots, g->n_knots, sizeof(*g->knots), by_gravity);
	mem_free(w.waiters);
	mem_free(w.mentions);
	mem_free(w.locks);
	mem_free(w.edges);
	mem_free(w.on_stack);
	map_free(&w.makers);
}
