#include "parse/traceback.h"

#include "base/mem.h"
#include "parse/logline.h"

#define P(lit) { lit, sizeof(lit) - 1 }

enum {
	LINE_MAX_KEPT = 64 << 10, /* of a line */
	PLACES_MAX = 1 << 19,
	NAMES_MAX = 1 << 19,
	PROBES = 128,             /* what collides more often is counted with the lost: time stays linear */
	POINTERS_EACH = 12,       /* different addresses of one goroutine */
	GAP = 32,                 /* foreign lines that end a dump */
	STRAY = 8,                /* foreign lines that end a goroutine */
	SMALL = 1 << 20,          /* names that outlive a dump */
};

/* Go's heap on 64-bit systems: from 0xc000000000, since 1.26 anywhere below the stacks of C. */
#define HEAP_FROM UINT64_C(0xc000000000)
#define HEAP_TO   UINT64_C(0x7e0000000000)

struct tb_state {
	struct tb_index func_ix, place_ix, bucket_ix;
	size_t cap_funcs, cap_places, cap_buckets, cap_blocks, cap_pointers;
	struct buf part;          /* an unfinished line */
	bool cutting;             /* in the rest of a long one */
	int64_t part_at;          /* where it begins */
	/* the goroutine that is being read */
	bool open, ancestor;
	struct goheader h;        /* its spans are not valid any more */
	uint32_t status, labels;  /* names */
	enum tb_wait wait;
	int64_t offset, parent, elided;
	uint32_t places[TB_FRAMES];
	uint32_t n, creator, lock_at;
	uint64_t hash, lock, semaphore;
	uint32_t semaphore_at;
	bool no_stack;
	int stray;
	size_t pointers_from;
	/* the function whose place comes next */
	bool pending, pending_creator;
	uint32_t func, guess;
	uint64_t args[POINTERS_EACH];
	bool stale[POINTERS_EACH];
	uint32_t n_args;
	uint64_t first_arg;
	/* the dump */
	uint32_t last_place, last_first;
	int64_t gap;              /* foreign lines since a goroutine ended */
	bool crash_head, seen_main;
	struct traceback *best;   /* an earlier, larger one */
};

/* ---- words ---- */

static const struct {
	struct span status;
	enum tb_wait wait;
} waits[] = {
	{ P("running"), TB_RUNNING }, { P("runnable"), TB_RUNNABLE }, { P("syscall"), TB_SYSCALL }, { P("IO wait"), TB_IO },
	{ P("sleep"), TB_SLEEP }, { P("select"), TB_SELECT }, { P("chan receive"), TB_RECEIVE }, { P("chan send"), TB_SEND },
	{ P("chan receive (nil chan)"), TB_NIL_CHAN }, { P("chan send (nil chan)"), TB_NIL_CHAN }, { P("select (no cases)"), TB_NO_CASES },
	{ P("sync.Mutex.Lock"), TB_MUTEX }, { P("sync.RWMutex.RLock"), TB_RLOCK }, { P("sync.RWMutex.Lock"), TB_WLOCK },
	{ P("sync.WaitGroup.Wait"), TB_WAITGROUP }, { P("sync.Cond.Wait"), TB_COND }, { P("semacquire"), TB_SEMAPHORE },
	{ P("synctest.Run"), TB_SYNCTEST }, { P("synctest.Wait"), TB_SYNCTEST },
	{ P("idle"), TB_SYSTEM }, { P("wait for GC cycle"), TB_SYSTEM }, { P("dumping heap"), TB_SYSTEM }, { P("stopping the world"), TB_SYSTEM },
	{ P("flushing proc caches"), TB_SYSTEM }, { P("page trace flush"), TB_SYSTEM }, { P("trace reader (blocked)"), TB_SYSTEM },
	{ P("trace goroutine status"), TB_SYSTEM }, { P("trace proc status"), TB_SYSTEM }, { P("cleanup wait"), TB_SYSTEM },
	{ P("finalizer wait"), TB_SYSTEM }, { P("force gc (idle)"), TB_SYSTEM }, { P("GOMAXPROCS updater (idle)"), TB_SYSTEM },
	{ P("garbage collection"), TB_SYSTEM }, { P("garbage collection scan"), TB_SYSTEM }, { P("debug call"), TB_SYSTEM },
	{ P("dead"), TB_DEAD }, { P("leaked"), TB_LEAKED }, { P("preempted"), TB_RUNNABLE }, { P("copystack"), TB_RUNNING },
};

enum tb_wait tb_wait_of(struct span status)
{
	for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
		if (span_eq(waits[i].status, status))
			return waits[i].wait;
	}
	return span_starts(status, S("GC ")) ? TB_SYSTEM : TB_OTHER;
}

bool tb_is_blocked(enum tb_wait w)
{
	return (w >= TB_SELECT && w <= TB_SEMAPHORE) || w == TB_LEAKED;
}

const char *tb_wait_word(enum tb_wait w)
{
	static const char *const words[TB_WAITS] = {
		[TB_OTHER] = "other", [TB_RUNNING] = "running", [TB_RUNNABLE] = "runnable", [TB_SYSCALL] = "syscall", [TB_IO] = "io",
		[TB_SLEEP] = "sleep", [TB_SELECT] = "select", [TB_RECEIVE] = "chan_receive", [TB_SEND] = "chan_send",
		[TB_NIL_CHAN] = "nil_chan", [TB_NO_CASES] = "no_cases", [TB_MUTEX] = "mutex", [TB_RLOCK] = "rlock", [TB_WLOCK] = "wlock",
		[TB_WAITGROUP] = "waitgroup", [TB_COND] = "cond", [TB_SEMAPHORE] = "semaphore", [TB_SYNCTEST] = "synctest",
		[TB_SYSTEM] = "system", [TB_DEAD] = "dead", [TB_LEAKED] = "leaked",
	};

	return words[w];
}

static const struct {
	struct span name;
	enum tb_role role;
} roles[] = {
	{ P("sync.(*Mutex).lockSlow"), TB_IS_LOCK }, { P("sync.(*Mutex).Lock"), TB_IS_LOCK },
	{ P("internal/sync.(*Mutex).lockSlow"), TB_IS_LOCK }, { P("internal/sync.(*Mutex).Lock"), TB_IS_LOCK },
	{ P("sync.(*RWMutex).RLock"), TB_IS_RLOCK }, { P("sync.(*RWMutex).Lock"), TB_IS_WLOCK },
	{ P("sync.runtime_Semacquire"), TB_IS_SEMAPHORE }, { P("sync.runtime_SemacquireMutex"), TB_IS_SEMAPHORE },
	{ P("internal/sync.runtime_SemacquireMutex"), TB_IS_SEMAPHORE }, { P("sync.runtime_SemacquireRWMutex"), TB_IS_SEMAPHORE },
	{ P("sync.runtime_SemacquireRWMutexR"), TB_IS_SEMAPHORE }, { P("sync.runtime_SemacquireWaitGroup"), TB_IS_SEMAPHORE },
	{ P("sync.(*WaitGroup).Wait"), TB_IS_WAITGROUP }, { P("sync.(*Cond).Wait"), TB_IS_COND },
	{ P("runtime.chanrecv1"), TB_IS_CHANNEL }, { P("runtime.chanrecv2"), TB_IS_CHANNEL }, { P("runtime.chansend1"), TB_IS_CHANNEL },
	{ P("sync.(*Once).doSlow"), TB_IS_ONCE }, { P("panic"), TB_IS_PANIC }, { P("runtime.gopanic"), TB_IS_PANIC },
	{ P("runtime/debug.Stack"), TB_IS_DEBUG_STACK }, { P("runtime/debug.PrintStack"), TB_IS_DEBUG_STACK },
	{ P("time.Sleep"), TB_IS_TIMER }, { P("os/signal.signal_recv"), TB_IS_SIGNAL }, { P("os/signal.loop"), TB_IS_SIGNAL },
	{ P("runtime.ReadTrace"), TB_IS_SIGNAL }, { P("runtime.ensureSigM"), TB_IS_SIGNAL }, { P("runtime.ensureSigM.func1"), TB_IS_SIGNAL },
	{ P("testing.(*T).Run"), TB_IS_TEST_RUN }, { P("testing.(*T).Parallel"), TB_IS_TEST_RUN }, { P("testing.RunTests"), TB_IS_TEST_RUN },
	{ P("testing.runTests"), TB_IS_TEST_RUN }, { P("testing.runFuzzing"), TB_IS_TEST_RUN }, { P("testing.runFuzzTests"), TB_IS_TEST_RUN },
	{ P("testing.(*M).Run"), TB_IS_TEST }, { P("testing.tRunner"), TB_IS_TEST },
	{ P("runtime/pprof.writeGoroutineStacks"), TB_IS_DUMP }, { P("runtime.Stack"), TB_IS_DUMP },
	{ P("testing.(*M).startAlarm.func1"), TB_IS_DUMP },
	{ P("runtime.cgocall"), TB_IS_CGO }, { P("non-Go function"), TB_IS_CGO },
};

static enum tb_role role_of(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		if (span_eq(roles[i].name, name))
			return roles[i].role;
	}
	return span_starts(name, S("runtime.")) && !span_starts(name, S("runtime.main")) ? TB_IS_RUNTIME : TB_PLAIN;
}

/* ---- tables: a slot is the hash's upper half and a number + 1 ---- */

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15u;
	return h ^ (h >> 31);
}

static bool index_grow(struct tb_index *ix)
{
	size_t cap = ix->cap ? ix->cap * 2 : 1024;
	uint64_t *slots = mem_zalloc(cap * sizeof(*slots));

	if (!slots)
		return false;
	for (size_t i = 0; i < ix->cap; i++) {
		size_t at = (size_t)(ix->slots[i] >> 32);
		if (!ix->slots[i])
			continue;
		while (slots[at & (cap - 1)])
			at++;
		slots[at & (cap - 1)] = ix->slots[i];
	}
	mem_free(ix->slots);
	ix->slots = slots;
	ix->cap = cap;
	return true;
}

typedef bool same_fn(const struct traceback *t, uint32_t i, const void *what);

/* The number of what is the same, TB_NONE: there is none; *full: nor can there be one. */
static uint32_t index_find(const struct traceback *t, const struct tb_index *ix, uint64_t hash, same_fn *same, const void *what,
			   bool *full)
{
	uint32_t h = (uint32_t)(hash >> 32);

	*full = false;
	for (size_t i = 0; ix->cap && i < PROBES; i++) {
		uint64_t s = ix->slots[(h + i) & (ix->cap - 1)];
		if (!s)
			return TB_NONE;
		if ((uint32_t)(s >> 32) == h && same(t, (uint32_t)s - 1, what))
			return (uint32_t)s - 1;
	}
	*full = ix->cap != 0;
	return TB_NONE;
}

static bool index_add(struct tb_index *ix, uint64_t hash, uint32_t number)
{
	size_t at = (size_t)(hash >> 32);

	if ((ix->count + 1) * 2 > ix->cap && !index_grow(ix))
		return false;
	while (ix->slots[at & (ix->cap - 1)])
		at++;
	ix->slots[at & (ix->cap - 1)] = (hash >> 32) << 32 | (number + 1);
	ix->count++;
	return true;
}

/* ---- names ---- */

static bool same_name(const struct traceback *t, uint32_t i, const void *what)
{
	return span_eq(t->funcs[i].name, *(const struct span *)what);
}

struct table { /* names or places */
	struct tb_index *ix;
	void *rows; /* where the list is */
	size_t *cap, n, size, max;
	same_fn *same;
};

/* The number of what is the same; else that of a new row (*fresh), and *text is a copy. 0 stands for all that there is no room for. */
static uint32_t row_put(struct traceback *t, const struct table *to, uint64_t hash, const void *what, struct span *text, bool *fresh)
{
	bool full;
	uint32_t i = index_find(t, to->ix, hash, to->same, what, &full);

	*fresh = false;
	if (i != TB_NONE)
		return i;
	if (full || to->n >= to->max || t->mem.used + text->n > TB_NAMES)
		return 0;
	*text = arena_span(&t->mem, *text);
	*fresh = text->p && mem_grow(to->rows, to->cap, to->n, to->size) && index_add(to->ix, hash, (uint32_t)to->n);
	t->no_memory |= !*fresh;
	return *fresh ? (uint32_t)to->n : 0;
}

static uint32_t name_put(struct traceback *t, struct span name)
{
	struct tb_state *s = t->state;
	const struct table funcs = { &s->func_ix, &t->funcs, &s->cap_funcs, t->n_funcs, sizeof(*t->funcs), NAMES_MAX, same_name };
	bool fresh;
	uint32_t i = row_put(t, &funcs, span_hash(name), &name, &name, &fresh);

	if (fresh)
		t->funcs[t->n_funcs++] = (struct tb_func){ .name = name, .role = role_of(name) };
	return i;
}

struct place_key {
	uint32_t func;
	struct span at;
};

static bool same_place(const struct traceback *t, uint32_t i, const void *what)
{
	const struct place_key *k = what;

	return t->places[i].func == k->func && span_eq(t->places[i].at, k->at);
}

static uint32_t place_put(struct traceback *t, uint32_t func, struct span at)
{
	struct tb_state *s = t->state;
	const struct table places = { &s->place_ix, &t->places, &s->cap_places, t->n_places, sizeof(*t->places), PLACES_MAX, same_place };
	struct place_key key = { func, at };
	bool fresh;
	uint32_t i = row_put(t, &places, mix(span_hash(at), func), &key, &at, &fresh);

	if (fresh)
		t->places[t->n_places++] = (struct tb_place){ .func = func, .at = at };
	return i;
}

/* ---- a dump begins ---- */

/* What is left is as if nothing had been read, but for the names. */
static bool content_reset(struct traceback *t)
{
	struct tb_state *s = t->state;

	t->count = t->originating = t->foreign = t->cut_frames = t->lost = 0;
	t->first = t->last = 0;
	t->n_buckets = t->n_goroutines = t->n_pointers = 0;
	t->cut_in_frame = false;
	s->bucket_ix.count = 0;
	if (s->bucket_ix.cap)
		memset(s->bucket_ix.slots, 0, s->bucket_ix.cap * sizeof(*s->bucket_ix.slots));
	s->last_place = s->last_first = 0;
	s->seen_main = false;
	if (t->n_funcs)
		return true;
	struct span none = { "?", 1 };
	name_put(t, none);
	place_put(t, 0, (struct span){ "", 0 });
	return t->n_funcs == 1 && t->n_places == 1;
}

static void content_free(struct traceback *t)
{
	struct tb_state *s = t->state;

	for (size_t i = 0; s && i < s->cap_blocks; i++)
		mem_free(t->blocks ? t->blocks[i] : NULL);
	mem_free(t->blocks);
	mem_free(t->funcs);
	mem_free(t->places);
	mem_free(t->buckets);
	mem_free(t->pointers);
	arena_free(&t->mem);
	t->blocks = NULL;
	t->funcs = NULL;
	t->places = NULL;
	t->buckets = NULL;
	t->pointers = NULL;
	t->mem = (struct arena){ 0 };
	t->n_funcs = t->n_places = t->n_buckets = t->n_goroutines = t->n_pointers = 0;
	if (!s)
		return;
	mem_free(s->func_ix.slots);
	mem_free(s->place_ix.slots);
	mem_free(s->bucket_ix.slots);
	s->func_ix = s->place_ix = s->bucket_ix = (struct tb_index){ 0 };
	s->cap_funcs = s->cap_places = s->cap_buckets = s->cap_blocks = s->cap_pointers = 0;
}

/* Put the dump aside: its memory changes hands. */
static bool content_keep(struct traceback *t)
{
	struct tb_state *s = t->state, *theirs;

	if (!s->best) {
		struct traceback *b = mem_zalloc(sizeof(*b));
		theirs = b ? mem_zalloc(sizeof(*theirs)) : NULL;
		if (!theirs) {
			mem_free(b);
			return false;
		}
		b->state = theirs;
		s->best = b;
	}
	struct traceback *b = s->best;
	theirs = b->state;
	content_free(b);
	*b = *t;
	b->state = theirs;
	theirs->cap_blocks = s->cap_blocks;
	mem_free(s->func_ix.slots);
	mem_free(s->place_ix.slots);
	mem_free(s->bucket_ix.slots);
	s->func_ix = s->place_ix = s->bucket_ix = (struct tb_index){ 0 };
	s->cap_funcs = s->cap_places = s->cap_buckets = s->cap_blocks = s->cap_pointers = 0;
	t->blocks = NULL;
	t->funcs = NULL;
	t->places = NULL;
	t->buckets = NULL;
	t->pointers = NULL;
	t->mem = (struct arena){ 0 };
	t->n_funcs = t->n_places = 0;
	return true;
}

static void dump_end(struct traceback *t, bool last)
{
	if (t->count > 1 && t->ended)
		t->ended(t->ended_ctx, last);
}

static void dump_start(struct traceback *t)
{
	struct tb_state *s = t->state;
	bool best = t->count > (s->best ? s->best->count : 0);

	dump_end(t, false);
	t->dumps++;
	if (t->count > 1 && best) {
		if (!content_keep(t))
			t->no_memory = true;
	} else if (t->mem.used > SMALL) {
		content_free(t);
	}
	if (!content_reset(t))
		t->no_memory = true;
}

/* ---- a goroutine ends ---- */

struct stack_key {
	const struct tb_state *s;
	struct span status;
};

static bool same_bucket(const struct traceback *t, uint32_t i, const void *what)
{
	const struct stack_key *k = what;
	const struct tb_bucket *b = &t->buckets[i];

	return b->key == k->s->hash && b->n_places == k->s->n && b->creator == k->s->creator && b->wait == k->s->wait &&
	       b->status.p == k->status.p && !memcmp(b->places, k->s->places, b->n_places * sizeof(*b->places));
}

static uint32_t bucket_put(struct traceback *t)
{
	struct tb_state *s = t->state;
	struct stack_key key = { s, t->funcs[s->status].name };
	bool full;
	uint32_t i = index_find(t, &s->bucket_ix, s->hash, same_bucket, &key, &full);
	size_t bytes = s->n * sizeof(*s->places);

	if (i != TB_NONE)
		return i;
	if (full || t->n_buckets >= TB_BUCKETS || t->mem.used + bytes > TB_NAMES) {
		t->lost++;
		return t->n_buckets ? (uint32_t)t->n_buckets - 1 : TB_NONE;
	}
	uint32_t *places = arena_alloc(&t->mem, bytes + 1);
	if (!places || !mem_grow(&t->buckets, &s->cap_buckets, t->n_buckets, sizeof(*t->buckets)) ||
	    !index_add(&s->bucket_ix, s->hash, (uint32_t)t->n_buckets)) {
		t->no_memory = true;
		return TB_NONE;
	}
	memcpy(places, s->places, bytes);
	t->buckets[t->n_buckets] = (struct tb_bucket){
		.status = key.status, .wait = s->wait, .places = places, .n_places = s->n, .creator = s->creator, .lock = s->lock_at,
		.elided = s->elided, .id = s->h.id, .oldest = s->h.id, .bubble = s->h.bubble, .offset = s->offset,
		.no_stack = s->no_stack, .key = s->hash, .labels = s->labels ? t->funcs[s->labels].name : (struct span){ 0 },
	};
	return (uint32_t)t->n_buckets++;
}

static void goroutine_put(struct traceback *t, uint32_t bucket)
{
	struct tb_state *s = t->state;
	size_t block = t->n_goroutines / TB_BLOCK;

	if (t->n_goroutines >= TB_KEPT)
		return;
	if (block == s->cap_blocks) {
		struct tb_goroutine **more = mem_resize(t->blocks, (block + 1) * sizeof(*more));
		struct tb_goroutine *fresh = more ? mem_alloc(TB_BLOCK * sizeof(*fresh)) : NULL;
		if (more)
			t->blocks = more;
		if (!fresh) {
			t->no_memory = true;
			return;
		}
		t->blocks[s->cap_blocks++] = fresh;
	}
	*tb_at(t, t->n_goroutines++) = (struct tb_goroutine){
		.id = s->h.id, .parent = s->parent, .lock = s->lock, .bucket = bucket, .minutes = (uint32_t)s->h.minutes,
		.pointers = (uint32_t)s->pointers_from, .n_pointers = (uint32_t)(t->n_pointers - s->pointers_from),
	};
}

/* The semaphore lies within what it belongs to. */
static void settle_lock(struct tb_state *s)
{
	static const unsigned char offsets[TB_WAITS] = { [TB_MUTEX] = 4, [TB_WLOCK] = 8, [TB_RLOCK] = 12 };

	if (s->lock || s->semaphore <= 16)
		return;
	s->lock = s->semaphore - offsets[s->wait];
	s->lock_at = s->semaphore_at;
}

static void goroutine_end(struct traceback *t, bool cut)
{
	struct tb_state *s = t->state;

	if (!s->open)
		return;
	s->open = s->pending = false;
	s->gap = 0;
	settle_lock(s);
	s->hash = mix(mix(s->hash, s->creator), s->status | (uint64_t)s->wait << 32);
	uint32_t i = bucket_put(t);
	if (i == TB_NONE)
		return;
	struct tb_bucket *b = &t->buckets[i];
	t->count++;
	b->count++;
	b->cut |= cut && b->count == 1;
	b->locked += s->h.locked;
	b->leaked += s->h.leaked;
	b->old += s->h.minutes > 0;
	if (s->h.minutes > b->minutes) {
		b->minutes = s->h.minutes;
		b->oldest = s->h.id;
	}
	goroutine_put(t, i);
	if (s->n)
		s->last_first = s->places[0];
}

/* ---- frames ---- */

static void note_role(struct tb_state *s, enum tb_role role, uint32_t at)
{
	static const enum tb_wait says[TB_ROLES] = {
		[TB_IS_LOCK] = TB_MUTEX, [TB_IS_RLOCK] = TB_RLOCK, [TB_IS_WLOCK] = TB_WLOCK, [TB_IS_WAITGROUP] = TB_WAITGROUP,
	};
	bool may = s->wait == TB_SEMAPHORE || (s->wait >= TB_MUTEX && s->wait <= TB_WAITGROUP);

	if (role == TB_PLAIN || at > 8)
		return;
	if (role == TB_IS_SEMAPHORE && !s->semaphore) {
		s->semaphore = s->first_arg;
		s->semaphore_at = at;
	}
	if (may && says[role]) {
		if (s->wait == TB_SEMAPHORE || (s->wait == TB_MUTEX && role == TB_IS_WLOCK))
			s->wait = says[role];
		if (s->first_arg && says[role] == s->wait) {
			s->lock = s->first_arg;
			s->lock_at = at;
		}
	}
	if ((role == TB_IS_CHANNEL || (role == TB_IS_COND && s->wait == TB_COND)) && !s->lock) {
		s->lock = s->first_arg;
		s->lock_at = at;
	}
}

static void keep_pointers(struct traceback *t, uint32_t frame, bool plain)
{
	struct tb_state *s = t->state;

	for (uint32_t i = 0; i < s->n_args; i++) {
		size_t have = t->n_pointers - s->pointers_from, k = s->pointers_from;
		while (k < t->n_pointers && t->pointers[k].address != s->args[i])
			k++;
		if (k < t->n_pointers) {
			struct tb_pointer *p = &t->pointers[k];
			p->plain += plain && p->plain < 255 && (p->last != frame || !p->plain);
			p->last = (uint16_t)frame;
			p->stale &= s->stale[i];
			continue;
		}
		if (have >= POINTERS_EACH || t->n_pointers >= TB_POINTERS)
			continue;
		if (!mem_grow(&t->pointers, &s->cap_pointers, t->n_pointers, sizeof(*t->pointers))) {
			t->no_memory = true;
			return;
		}
		t->pointers[t->n_pointers++] = (struct tb_pointer){ s->args[i], (uint16_t)frame, (uint16_t)frame, plain, s->stale[i] };
	}
}

static void frame_put(struct traceback *t, uint32_t place)
{
	struct tb_state *s = t->state;

	s->pending = false;
	t->places[s->last_place].guess = place + 1;
	s->last_place = place;
	if (s->pending_creator) {
		s->creator = place;
		return;
	}
	s->hash = mix(s->hash, place);
	if (s->n >= TB_FRAMES) {
		t->cut_frames++;
		s->elided++;
		return;
	}
	enum tb_role role = t->funcs[t->places[place].func].role;
	note_role(s, role, s->n);
	keep_pointers(t, s->n, role == TB_PLAIN);
	s->places[s->n++] = place;
}

/* "0xc000012345?": what looks like an address of the heap, and the very first argument. */
static void read_args(struct tb_state *s, struct span a, bool all)
{
	const char *p = a.p, *end = a.p + a.n;
	bool first = true;

	s->n_args = 0;
	s->first_arg = 0;
	while (p + 3 < end && s->n_args < POINTERS_EACH) {
		if (p[0] != '0' || p[1] != 'x') {
			if (*p != '{' && *p != ' ' && *p != ',')
				first = false;
			p++;
			continue;
		}
		uint64_t v = 0;
		int d, n = 0;
		for (p += 2; p < end && n < 16; p++, n++) {
			d = *p >= '0' && *p <= '9' ? *p - '0' : *p >= 'a' && *p <= 'f' ? *p - 'a' + 10 : -1;
			if (d < 0)
				break;
			v = v << 4 | (unsigned)d;
		}
		bool stale = p < end && *p == '?';
		if (first && !stale)
			s->first_arg = v;
		first = false;
		if (!all)
			return;
		if (v >= HEAP_FROM && v < HEAP_TO) {
			s->stale[s->n_args] = stale;
			s->args[s->n_args++] = v;
		}
	}
}

static bool wants_args(const struct traceback *t, uint32_t func, bool *all)
{
	enum tb_role r = t->funcs[func].role;

	*all = t->n_pointers < TB_POINTERS && r != TB_IS_RUNTIME;
	return *all || (r >= TB_IS_LOCK && r <= TB_IS_CHANNEL);
}

static void func_take(struct traceback *t, uint32_t func, struct span args)
{
	struct tb_state *s = t->state;
	bool all;

	s->pending = true;
	s->pending_creator = false;
	s->func = func;
	s->n_args = 0;
	s->first_arg = 0;
	if (args.n > 5 && wants_args(t, func, &all))
		read_args(s, args, all);
}

/* What stood below the frame above the last time? Mostly it does again, and comparing is cheaper than looking up. */
static uint32_t guessed(const struct traceback *t)
{
	const struct tb_state *s = t->state;
	uint32_t g = s->n || s->creator != TB_NONE ? t->places[s->last_place].guess : s->last_first + 1;

	return g ? g - 1 : TB_NONE;
}

static bool func_line(struct traceback *t, struct span line)
{
	struct tb_state *s = t->state;
	uint32_t g = guessed(t);

	s->guess = TB_NONE;
	if (g != TB_NONE) {
		struct span name = t->funcs[t->places[g].func].name;
		if (line.n > name.n && line.p[name.n] == '(' && !memcmp(line.p, name.p, name.n)) {
			s->guess = g;
			func_take(t, t->places[g].func, span_from(line, name.n + 1));
			return true;
		}
	}
	size_t n = goframe_odd_length(line);
	if (n) {
		func_take(t, name_put(t, span_head(line, n)), span_from(line, n + 1));
		return true;
	}
	if (!span_starts(line, S("non-Go function")))
		return false;
	func_take(t, name_put(t, S("non-Go function")), (struct span){ 0 });
	if (line.n > 15) /* " at pc=0x…": no place follows */
		frame_put(t, place_put(t, s->func, S("")));
	return true;
}

static bool creator_line(struct traceback *t, struct span rest)
{
	struct tb_state *s = t->state;
	struct span name = goframe_creator(rest, &s->parent);

	func_take(t, name_put(t, name), (struct span){ 0 });
	s->pending_creator = true;
	s->guess = t->places[s->last_place].guess ? t->places[s->last_place].guess - 1 : TB_NONE;
	return true;
}

static void place_line(struct traceback *t, struct span rest)
{
	struct tb_state *s = t->state;
	uint32_t g = s->guess;

	if (!s->pending)
		return;
	if (g != TB_NONE && t->places[g].func == s->func) {
		struct span at = t->places[g].at;
		if (at.n && rest.n >= at.n && (rest.n == at.n || rest.p[at.n] == ' ') && !memcmp(rest.p, at.p, at.n)) {
			frame_put(t, g);
			return;
		}
	}
	struct span at = goframe_place(rest);
	if (at.p)
		frame_put(t, place_put(t, s->func, at));
}

/* ---- lines ---- */

static bool is_crash_head(struct span line)
{
	static const struct span heads[] = {
		P("panic: "), P("fatal error: "), P("SIGQUIT: "), P("SIGABRT: "), P("SIGSEGV: "), P("SIGBUS: "), P("SIGILL: "), P("SIGTRAP: "),
	};

	if (line.n < 8 || !memchr("pfS", line.p[0], 3))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		if (span_starts(line, heads[i]))
			return true;
	}
	return false;
}

static void header_take(struct traceback *t, const struct goheader *h, int64_t offset)
{
	struct tb_state *s = t->state;

	goroutine_end(t, false);
	if (!t->n_funcs || s->crash_head || s->gap > GAP || (h->id == 1 && s->seen_main) || !t->dumps)
		dump_start(t);
	s->crash_head = false;
	s->gap = 0;
	if (!t->n_funcs || !t->n_places || !h->id) /* goroutine 0 is a thread's own stack */
		return;
	if (!t->count)
		t->first = offset;
	s->open = true;
	s->ancestor = s->pending = s->no_stack = false;
	s->h = *h;
	s->seen_main |= h->id == 1;
	s->status = name_put(t, h->status);
	s->labels = h->labels.n ? name_put(t, h->labels) : 0;
	s->wait = tb_wait_of(h->status);
	s->offset = offset;
	s->parent = s->elided = 0;
	s->n = s->last_place = 0;
	s->creator = s->lock_at = TB_NONE;
	s->lock = s->semaphore = s->hash = 0;
	s->stray = 0;
	s->pointers_from = t->n_pointers;
}

/* A line of a goroutine that is no frame. False: it is none of its lines. */
static bool other_line(struct traceback *t, struct span line)
{
	struct tb_state *s = t->state;
	int64_t n = goframe_elided(line);

	if (n) {
		s->elided += n;
		return true;
	}
	if (span_starts(line, S("[originating from goroutine "))) {
		t->originating++;
		s->ancestor = true;
		return true;
	}
	if (span_eq(line, S("runtime stack:")) || span_eq(line, S("-----"))) {
		goroutine_end(t, false);
		return true;
	}
	return false;
}

static void goroutine_line(struct traceback *t, struct span line)
{
	struct tb_state *s = t->state;
	bool ours = true;

	if (line.p[0] == '\t') {
		if (!s->ancestor)
			place_line(t, span_from(line, 1));
		if (!s->n && span_starts(line, S("\tgoroutine running on other thread")))
			s->no_stack = true;
	} else if (line.p[0] == 'c' && span_starts(line, S("created by "))) {
		ours = s->ancestor || s->creator != TB_NONE || creator_line(t, span_from(line, 11));
	} else if (line.p[0] == '.' || line.p[0] == '[' || line.p[0] == '-' || !(s->ancestor || func_line(t, line))) {
		ours = other_line(t, line);
	}
	s->stray = ours ? 0 : s->stray + 1;
	t->foreign += !ours;
	if (s->stray > STRAY)
		goroutine_end(t, false);
}

static void odd_header(struct traceback *t, int64_t offset)
{
	if (!t->odd_headers++)
		t->at_odd = offset;
}

static void take_line(struct traceback *t, struct span line, int64_t offset)
{
	struct tb_state *s = t->state;
	struct goheader h;

	t->lines++;
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	if (!line.n) {
		goroutine_end(t, false);
		return;
	}
	if (line.p[0] == 'g' && span_starts(line, S("goroutine ")) && line.n > 12 && line.p[10] >= '0' && line.p[10] <= '9') {
		if (goheader_read(line, &h)) {
			header_take(t, &h, offset);
			t->last = offset + (int64_t)line.n;
			return;
		}
		odd_header(t, offset);
	}
	if (s->open) {
		goroutine_line(t, line);
		t->last = offset + (int64_t)line.n;
		return;
	}
	s->crash_head |= is_crash_head(line);
	if (t->count) {
		s->gap++;
		t->foreign++;
	}
}

/* Bytes of an unfinished line: what is too long is dropped. */
static void part_add(struct traceback *t, struct span bytes, int64_t offset)
{
	struct tb_state *s = t->state;
	size_t room = LINE_MAX_KEPT - s->part.len;

	if (!s->part.len && !s->cutting)
		s->part_at = offset;
	if (bytes.n > room && !s->cutting) {
		s->cutting = true;
		t->long_lines++;
	}
	buf_span(&s->part, span_head(bytes, room));
	t->no_memory |= s->part.bad;
}

static void part_end(struct traceback *t)
{
	struct tb_state *s = t->state;

	take_line(t, buf_view(&s->part), s->part_at);
	buf_clear(&s->part);
	s->cutting = false;
}

void traceback_feed(struct traceback *t, struct span bytes)
{
	struct tb_state *s = t->state;
	const char *p = bytes.p, *end = bytes.p + bytes.n, *nl;
	int64_t base = t->bytes;

	if (!bytes.n)
		return;
	t->bytes += (int64_t)bytes.n;
	if (s->part.len || s->cutting) {
		nl = memchr(p, '\n', bytes.n);
		part_add(t, (struct span){ p, (size_t)((nl ? nl : end) - p) }, base);
		if (!nl)
			return;
		part_end(t);
		p = nl + 1;
	}
	for (; p < end && (nl = memchr(p, '\n', (size_t)(end - p))); p = nl + 1)
		take_line(t, (struct span){ p, (size_t)(nl - p) }, base + (p - bytes.p));
	if (p < end)
		part_add(t, (struct span){ p, (size_t)(end - p) }, base + (p - bytes.p));
}

void traceback_skip(struct traceback *t, int64_t n)
{
	t->bytes += n;
}

/* ---- the face ---- */

/* The larger of two dumps is the one to show. */
static void choose(struct traceback *t)
{
	struct traceback *b = t->state->best;

	if (!b || b->count <= t->count)
		return;
	struct traceback now = *t;
	struct tb_state *s = t->state, *theirs = b->state;
	*t = *b;
	t->state = s;
	*b = now;
	b->state = theirs;
	size_t blocks = s->cap_blocks;
	s->cap_blocks = theirs->cap_blocks;
	theirs->cap_blocks = blocks;
	t->bytes = now.bytes, t->lines = now.lines, t->dumps = now.dumps, t->long_lines = now.long_lines;
	t->odd_headers = now.odd_headers, t->at_odd = now.at_odd, t->no_memory = now.no_memory;
}

void traceback_end(struct traceback *t)
{
	struct tb_state *s = t->state;
	bool mid_line = s->part.len || s->cutting;

	if (mid_line) {
		struct span line = buf_view(&s->part);
		bool frame = s->open;
		/* A header or place without its end would be a wrong one. */
		bool whole = !frame || (line.n && (line.p[line.n - 1] == ')' || line.p[line.n - 1] == ':'));
		if (whole || (line.p[0] == '\t' && span_find(line, S(" +0x")) != SPAN_NONE))
			part_end(t);
		t->last = t->bytes;
		buf_clear(&s->part);
		s->cutting = false;
		t->cut_in_frame = frame;
	}
	t->cut_in_frame |= s->open && (s->pending || t->bytes == TB_CUT); /* there it is cut at a line's end, too */
	goroutine_end(t, t->cut_in_frame);
	dump_end(t, true);
	choose(t);
}

int traceback_new(struct traceback **ret)
{
	struct traceback *t = mem_zalloc(sizeof(*t));

	if (!t)
		return -12;
	t->state = mem_zalloc(sizeof(*t->state));
	if (!t->state) {
		mem_free(t);
		return -12;
	}
	t->at_odd = -1;
	*ret = t;
	return 0;
}

void traceback_free(struct traceback *t)
{
	if (!t)
		return;
	struct tb_state *s = t->state;
	if (s->best) {
		content_free(s->best);
		mem_free(s->best->state);
		mem_free(s->best);
	}
	content_free(t);
	buf_free(&s->part);
	mem_free(s);
	mem_free(t);
}

bool traceback_looks_like(struct span head)
{
	enum log_form f = logline_form(head);
	struct goheader h;

	for (int i = 0; i < 8 && head.n; i++) {
		struct span line = span_cut(&head, '\n'), payload = line;
		bool escaped, part;
		if (f != LOG_PLAIN && !logline_read(f, line, &payload, &escaped, &part))
			payload = line;
		payload = span_trim(payload);
		if (!payload.n)
			continue;
		return goheader_read(payload, &h) || (span_starts(payload, S("goroutine ")) && span_ends(payload, S("]:")) &&
						      payload.n > 12 && payload.p[10] >= '0' && payload.p[10] <= '9');
	}
	return false;
}
