#include "parse/exectrace.h"

#include <errno.h>
#include <stdlib.h>

#include "parse/exectrace_own.h"

#define DEFAULT_BYTES (160u << 20)

static const char *const kind_words[XTK_COUNT] = {
	"Sync", "Metric", "Label", "StackSample", "RangeBegin", "RangeActive", "RangeEnd", "TaskBegin", "TaskEnd", "RegionBegin",
	"RegionEnd", "Log", "StateTransition", "Experimental",
};

/* clang-format off */
const struct event_row xt_rows[256] = {
#define EVENT(id, name, word, args, kind, order) [id] = { word, args, XTK_##kind, sizeof(args) - 1 },
#include "parse/exectrace_events.def"
#undef EVENT
	[XT_BATCH] = { "EventBatch", NULL, 0, 0 },
	[XT_STACK] = { "Stack", NULL, 0, 0 },
	[XT_STRING] = { "String", NULL, 0, 0 },
	[XT_SAMPLE] = { "CPUSample", NULL, XTK_STACK_SAMPLE, 0 },
	[XT_FREQUENCY] = { "Frequency", NULL, 0, 0 },
	[XT_EXPERIMENTAL_BATCH] = { "ExperimentalBatch", NULL, 0, 0 },
	[XT_CLOCK] = { "ClockSnapshot", NULL, 0, 0 },
	[XT_END] = { "EndOfGeneration", NULL, 0, 0 },
};
/* clang-format on */

const char *xt_kind_word(enum xt_kind k)
{
	return k < XTK_COUNT ? kind_words[k] : "?";
}

const char *xt_type_word(unsigned type)
{
	return type < 256 && xt_rows[type].word ? xt_rows[type].word : "?";
}

enum xt_kind xt_type_kind(unsigned type)
{
	return type < 256 ? xt_rows[type].kind : XTK_COUNT;
}

/* "go 1.NN trace" and three NUL. Returns NN, 0: none of ours; *whole: the head was long enough to be sure. */
static int version_of(struct span head, bool *whole)
{
	int v = 0;
	size_t i;

	*whole = false;
	if (!span_skip(&head, S("go 1.")))
		return 0;
	for (i = 0; i < head.n && i < 3 && head.p[i] >= '0' && head.p[i] <= '9'; i++)
		v = v * 10 + head.p[i] - '0';
	head = span_from(head, i);
	*whole = head.n >= 9;
	return i && span_starts(head, S(" trace\0\0\0")) ? v : 0;
}

bool xt_looks_like(struct span head)
{
	bool whole;

	return version_of(head, &whole) > 0;
}

int xt_new(const struct xt_config *c, struct exectrace **ret, struct err *e)
{
	struct exectrace *x = mem_zalloc(sizeof(*x));

	*ret = x;
	if (!x)
		return err_set(e, ENOMEM, TR("no memory to read an execution trace", "内存不足，无法读取执行跟踪"));
	x->c = *c;
	if (!x->c.max_bytes)
		x->c.max_bytes = DEFAULT_BYTES;
	x->mem.max = XT_MAX_TEXT;
	x->states.max = XT_MAX_TEXT;
	x->g_size = (sizeof(struct gbox) + c->extra + 15) & ~(size_t)15;
	x->g_per_slab = XT_CHUNK / x->g_size;
	x->last = -1;
	x->resync = true;
	for (size_t i = 0; i < 256; i++) {
		const char *args = xt_rows[i].args;
		struct where_row *w = &x->where[i];

		*w = (struct where_row){ XT_ARGS, XT_ARGS, XT_ARGS, XT_ARGS, false };

		for (uint8_t k = 0; args && args[k]; k++)
			*(args[k] == 's' ? &w->text : args[k] == 't' ? &w->text2 : args[k] == 'k' ? &w->stack : args[k] == 'K' ? &w->stack2 : &(uint8_t){ 0 }) = k;
		w->more = w->text2 < XT_ARGS || w->stack2 < XT_ARGS;
	}
	return 0;
}

/* Collected for the generation, so that a million equal faults are one note. */
void xt_note(struct exectrace *x, enum xt_problem p, int64_t at, uint64_t number, uint8_t type, const char *why)
{
	struct xt_note *n = &x->notes[p];

	if (!n->times++) {
		uint64_t times = n->times;

		*n = (struct xt_note){ p, x->gen, at, number, type, why, times };
	} else if (p == XT_MEMORY || p == XT_SKIPPED) {
		n->number += number;
	}
}

static void notes_give(struct exectrace *x)
{
	for (size_t i = 0; i < XT_PROBLEMS; i++) {
		if (x->notes[i].times && x->c.note)
			x->c.note(x->c.ctx, &x->notes[i]);
	}
	memset(x->notes, 0, sizeof(x->notes));
}

/* ---- one generation ---- */

static void generation_clear(struct exectrace *x)
{
	while (x->chunks) {
		struct chunk *c = x->chunks;

		x->chunks = c->next;
		c->next = x->spare;
		x->spare = c;
	}
	x->chunk = NULL;
	x->chunk_bytes = 0;
	x->n_batches = x->n_tables = x->n_cursors = x->n_heap = x->n_samples = x->next_sample = 0;
	idmap_free(&x->by_m);
	xt_tables_clear(x);
	x->frequency = 0;
	x->has_snapshot = false;
	x->gen_open = false;
	x->hole = false;
	x->min_time = 0;
}

static void generation_end(struct exectrace *x, bool cut)
{
	if (!x->gen_open) {
		notes_give(x);
		return;
	}
	cut |= x->hole;
	xt_tables_read(x);
	if (!x->frequency) {
		/* Every platform but Windows and wasm counts in 64 ns; only what is cut has to be told so. */
		xt_note(x, XT_NO_FREQUENCY, x->gen_at, 0, 0, NULL);
		if (x->ns_per_unit == 0)
			xt_rate(x, 64);
	}
	x->s.generations++;
	x->verified = true;
	xt_run(x);
	if (!x->verified)
		x->s.unverified++;
	if (x->resync && x->s.generations > 1 && x->verified && !cut)
		xt_forget_missing(x);
	x->resync = !x->verified || cut;
	notes_give(x);
	generation_clear(x);
}

static void generation_begin(struct exectrace *x, uint64_t gen)
{
	x->gen = gen;
	x->gen_open = true;
	x->gen_at = x->batch_at;
	x->min_time = 0;
}

/* ---- batches ---- */

static struct cursor *cursor_of(struct exectrace *x, uint64_t m)
{
	size_t at = (size_t)(uintptr_t)idmap_get(&x->by_m, m);

	if (at)
		return &x->cursors[at - 1];
	if (x->n_cursors >= XT_MAX_THREADS || !mem_grow(&x->cursors, &x->cap_cursors, x->n_cursors, sizeof(*x->cursors)) ||
	    !idmap_put(&x->by_m, m, (void *)(uintptr_t)(x->n_cursors + 1))) {
		xt_note(x, XT_TOO_MANY, x->batch_at, XT_MAX_THREADS, XT_BATCH, NULL);
		return NULL;
	}
	x->cursors[x->n_cursors] = (struct cursor){ .m = m };
	return &x->cursors[x->n_cursors++];
}

static bool is_table(const struct exectrace *x, uint8_t first)
{
	return first == XT_STRINGS || first == XT_STACKS || first == XT_SAMPLES ||
	       first == (x->s.version >= 25 ? XT_SYNC : XT_FREQUENCY);
}

/* The batch in hand is whole (or, at the end of a cut file, as much of it as there is). */
static void batch_done(struct exectrace *x)
{
	uint32_t n = x->in_hand.n;
	struct xt_batch b = { x->into, n, 0, x->in_hand.time, x->batch_at + (int64_t)x->n_head };
	struct cursor *c;

	x->n_head = 0;
	x->s.wire[XT_BATCH]++;
	x->s.batches++;
	x->about = b.time;
	if (!x->min_time || b.time < x->min_time)
		x->min_time = b.time;
	if (x->in_hand.experiment) {
		x->s.experimental_batches++;
		x->s.experimental_bytes += n;
		return;
	}
	if (!x->into || !n)
		return;
	if (is_table(x, *b.p)) {
		if (mem_grow(&x->tables, &x->cap_tables, x->n_tables, sizeof(b)))
			x->tables[x->n_tables++] = b;
		else
			x->lost = true;
		return;
	}
	c = cursor_of(x, x->in_hand.m);
	if (!c)
		return;
	if (!mem_grow(&x->batches, &x->cap_batches, x->n_batches, sizeof(b))) {
		x->lost = true;
		return;
	}
	x->batches[x->n_batches++] = b;
	if (c->last)
		x->batches[c->last - 1].next = (uint32_t)x->n_batches;
	else
		c->first = (uint32_t)x->n_batches;
	c->last = (uint32_t)x->n_batches;
}

/* Room for the data of a batch; NULL: the bound is reached, it is read over. */
static uint8_t *batch_room(struct exectrace *x, size_t n)
{
	struct chunk *c = x->chunk;

	if (c && XT_CHUNK - c->used >= n) {
		c->used += n;
		return c->data + c->used - n;
	}
	if (x->n_batches + x->n_tables >= (4u << 20))
		return NULL;
	c = x->spare;
	if (c) {
		x->spare = c->next;
	} else {
		if (x->used + XT_CHUNK > x->c.max_bytes || x->chunk_bytes + XT_CHUNK > x->c.max_bytes / 4 * 3)
			return NULL;
		c = mem_alloc(sizeof(*c) + XT_CHUNK);
		if (!c) {
			x->lost = true;
			return NULL;
		}
		x->used += XT_CHUNK;
	}
	x->chunk_bytes += XT_CHUNK;
	c->next = NULL;
	c->used = n;
	if (x->chunk)
		x->chunk->next = c;
	else
		x->chunks = c;
	x->chunk = c;
	return c->data;
}

/*
 * A batch is broken, and the length of what follows is not known: from here on the next batch is looked for. What stands between is
 * lost, so that the next generation begins anew.
 */
static void lose(struct exectrace *x, enum xt_problem p, int64_t at, uint64_t number)
{
	xt_note(x, p, at, number, 0, NULL);
	x->search_from = x->batch_at;
	x->searching = x->hole = true;
}

static bool generation_next(struct exectrace *x, uint64_t gen)
{
	if (gen && !x->gen_open) {
		generation_begin(x, gen);
		return true;
	}
	if (gen && gen == x->gen)
		return true;
	if (gen && gen == x->gen + 1 && (x->s.version < 26 || x->hole)) {
		generation_end(x, false);
		generation_begin(x, gen);
		return true;
	}
	xt_note(x, XT_BAD_GENERATION, x->batch_at, gen, XT_BATCH, NULL);
	if (!gen || gen < x->gen)
		return false; /* such a batch is read over */
	x->s.truncated = true;
	generation_end(x, true);
	generation_begin(x, gen);
	return true;
}

/* Generations last a second or so; 2^40 of the clock's units are hours. */
static bool head_is_odd(const struct exectrace *x, uint64_t m, uint64_t time)
{
	uint64_t apart = time < x->about ? x->about - time : time - x->about;

	return (m != XT_NONE && m >> 48) || (x->about && apart >> 40);
}

/* The header of a batch from what was collected: 1 whole, 0 more bytes, -1 broken (and said). */
static int batch_head(struct exectrace *x)
{
	const uint8_t *p = x->head + 1, *end = x->head + x->n_head;
	bool experiment = x->head[0] == XT_EXPERIMENTAL_BATCH && x->s.version >= 23;
	uint64_t v[4]; /* generation, thread, time, size */

	if (x->head[0] != XT_BATCH && !experiment) {
		lose(x, XT_BAD_BATCH, x->batch_at, x->head[0]);
		return -1;
	}
	if (experiment && p++ >= end)
		return 0;
	for (size_t i = 0; i < 4; i++) {
		const uint8_t *q = p;

		if (!xt_varint(&p, end, &v[i])) {
			if (end - q < 10)
				return 0;
			lose(x, XT_BAD_VARINT, x->batch_at + (q - x->head), 0);
			return -1;
		}
	}
	if (v[3] > XT_MAX_BATCH) {
		lose(x, XT_BAD_SIZE, x->batch_at, v[3]);
		return -1;
	}
	if (head_is_odd(x, v[1], v[2])) {
		lose(x, XT_BAD_TIME, x->batch_at, v[2]);
		return -1;
	}
	if (x->hole && (v[0] < x->gen || v[0] > x->gen + 1)) { /* not behind what is broken already */
		lose(x, XT_BAD_GENERATION, x->batch_at, v[0]);
		return -1;
	}
	x->into = NULL;
	x->want = v[3];
	x->in_hand.m = v[1];
	x->in_hand.time = v[2];
	x->in_hand.n = (uint32_t)v[3];
	x->in_hand.experiment = experiment;
	if (!generation_next(x, v[0]) || experiment)
		return 1;
	x->into = batch_room(x, v[3]);
	if (!x->into)
		xt_note(x, XT_MEMORY, x->batch_at, v[3], 0, NULL);
	return 1;
}

static void header_take(struct exectrace *x, struct span *s)
{
	while (s->n && x->n_head < 16) {
		x->head[x->n_head++] = (uint8_t)*s->p;
		*s = span_from(*s, 1);
	}
	if (x->n_head < 16)
		return;
	bool whole;
	int v = version_of((struct span){ (const char *)x->head, 16 }, &whole);

	x->header_done = true;
	x->n_head = 0;
	x->s.version = v;
	x->batch_at = 16;
	if (v != 22 && v != 23 && v != 25 && v != 26) {
		xt_note(x, !v ? XT_NOT_A_TRACE : v < 22 ? XT_V1 : XT_NEWER, 0, (uint64_t)v, 0, NULL);
		x->dead = true;
		notes_give(x);
	}
}

static void take_data(struct exectrace *x, struct span *s)
{
	size_t n = s->n < x->want ? s->n : x->want;

	if (x->into)
		memcpy(x->into + x->in_hand.n - x->want, s->p, n);
	x->want -= n;
	*s = span_from(*s, n);
	if (!x->want) {
		int64_t next = x->batch_at + (int64_t)x->n_head + x->in_hand.n;

		batch_done(x);
		x->batch_at = next;
	}
}

static void take_head(struct exectrace *x, struct span *s)
{
	int r;

	x->head[x->n_head++] = (uint8_t)*s->p;
	*s = span_from(*s, 1);
	if (x->head[0] == XT_END && x->s.version >= 26) {
		x->n_head = 0;
		x->batch_at++;
		x->s.wire[XT_END]++;
		generation_end(x, false);
		return;
	}
	r = batch_head(x);
	if (r > 0 && !x->want) {
		int64_t next = x->batch_at + (int64_t)x->n_head;

		batch_done(x);
		x->batch_at = next;
	}
}

/* ---- after a broken batch ---- */

/* Does s begin as a batch of this trace does? Its length; 0: more bytes are needed, -1: no. */
static int64_t batch_fits(const struct exectrace *x, struct span s)
{
	const uint8_t *from = (const uint8_t *)s.p, *p = from + 1, *end = from + s.n;
	uint64_t v[4]; /* generation, thread, time, size */

	for (size_t i = 0; i < 4; i++) {
		const uint8_t *q = p;

		if (!xt_varint(&p, end, &v[i]))
			return end - q < 10 ? 0 : -1;
	}
	if (!v[0] || (x->gen ? v[0] < x->gen || v[0] > x->gen + 1 : v[0] > UINT32_MAX) || !v[3] || v[3] > XT_MAX_BATCH)
		return -1;
	if (head_is_odd(x, v[1], v[2]))
		return -1;
	if (p == end)
		return 0;
	return xt_rows[*p].args || is_table(x, *p) ? (p - from) + (int64_t)v[3] : -1;
}

/* And does another one, or the end of the generation or of the file, stand behind it? 1 yes, 0 more bytes are needed, -1 no. */
static int two_fit(const struct exectrace *x, struct span s, bool whole)
{
	int64_t n = batch_fits(x, s);

	if (n <= 0)
		return n == 0 && whole ? -1 : (int)n;
	s = span_from(s, (size_t)n);
	if (!s.n)
		return whole;
	if (*s.p == XT_END && x->s.version >= 26) {
		s = span_from(s, 1);
		if (!s.n)
			return whole;
	}
	if (*s.p == XT_EXPERIMENTAL_BATCH && x->s.version >= 23)
		return 1;
	if (*s.p != XT_BATCH)
		return -1;
	n = batch_fits(x, s);
	return n > 0 ? 1 : n < 0 ? -1 : whole;
}

/* On to the next batch in the window; false: more bytes are needed. whole: there are none. */
static bool search(struct exectrace *x, bool whole)
{
	for (;;) {
		struct span rest = span_from(buf_view(&x->window), x->window_at);
		size_t skip = span_chr(rest, XT_BATCH);
		int fits = 0;

		skip = skip < rest.n ? skip : rest.n;
		if (skip < rest.n)
			fits = two_fit(x, span_from(rest, skip), whole);
		skip += fits < 0;
		x->window_at += skip;
		x->batch_at += (int64_t)skip;
		if (fits > 0)
			break;
		if (fits == 0)
			return false;
	}
	x->searching = false;
	xt_note(x, XT_SKIPPED, x->batch_at, (uint64_t)(x->batch_at - x->search_from), 0, NULL);
	x->s.unreadable_bytes += (uint64_t)(x->batch_at - x->search_from);
	return true;
}

static void window_add(struct exectrace *x, struct span *s)
{
	struct buf *w = &x->window;
	struct span more = span_head(*s, XT_CHUNK);

	if (x->window_at) {
		w->len -= x->window_at;
		memmove(w->p, w->p + x->window_at, w->len);
		x->window_at = 0;
	}
	buf_span(w, more);
	*s = span_from(*s, more.n);
	if (w->bad)
		x->lost = x->dead = true;
}

/* The search begins behind the byte that began what is broken: what was taken of it is given back. */
static void search_begin(struct exectrace *x, bool from_window)
{
	if (from_window)
		x->window_at -= x->n_head - 1;
	else
		buf_add(&x->window, (const char *)x->head + 1, x->n_head - 1);
	x->n_head = 0;
	x->batch_at++;
}

static void step(struct exectrace *x, struct span *s, bool from_window)
{
	size_t n = s->n;

	if (x->want)
		take_data(x, s);
	else
		take_head(x, s);
	if (from_window)
		x->window_at += n - s->n;
	if (x->searching)
		search_begin(x, from_window);
}

static void take(struct exectrace *x, struct span *s)
{
	while (!x->dead) {
		if (x->searching) {
			if (search(x, false))
				continue;
			if (!s->n)
				return;
			window_add(x, s);
		} else if (x->window_at < x->window.len) {
			struct span w = span_from(buf_view(&x->window), x->window_at);

			step(x, &w, true);
		} else if (s->n) {
			if (x->window.len)
				buf_clear(&x->window);
			x->window_at = 0;
			step(x, s, false);
		} else {
			return;
		}
	}
}

void xt_feed(struct exectrace *x, struct span s)
{
	x->s.bytes += (int64_t)s.n;
	if (!x->header_done)
		header_take(x, &s);
	take(x, &s);
	if (x->dead && x->header_done)
		x->s.unreadable_bytes += s.n;
}

void xt_end(struct exectrace *x)
{
	struct xt_event end = { .type = XT_GENERATION, .kind = XTK_SYNC, .m = XT_NONE, .p = XT_NONE, .args = x->no_args };
	struct span none = S("");

	while (x->searching && search(x, true))
		take(x, &none);
	if (!x->header_done) {
		xt_note(x, XT_NOT_A_TRACE, 0, x->n_head, 0, NULL);
	} else if (!x->dead && x->s.bytes == 16) {
		xt_note(x, XT_EMPTY, 16, 0, 0, NULL);
	} else if (x->searching) {
		xt_note(x, XT_LOST_REST, x->search_from, (uint64_t)(x->s.bytes - x->search_from), 0, NULL);
		x->s.unreadable_bytes += (uint64_t)(x->s.bytes - x->search_from);
		x->s.truncated = true;
	} else if (!x->dead && (x->want || x->n_head)) {
		xt_note(x, XT_CUT_BATCH, x->batch_at, (uint64_t)x->s.bytes, 0, NULL);
		x->s.truncated = true;
		if (x->want && x->into) {
			x->in_hand.n -= (uint32_t)x->want;
			batch_done(x);
		}
	}
	if (!x->dead && x->gen_open && x->s.version >= 26) {
		xt_note(x, XT_CUT_GENERATION, x->s.bytes, 0, 0, NULL);
		x->s.truncated = true;
	}
	generation_end(x, x->s.truncated);
	if (x->s.generations) {
		end.time = x->last;
		xt_emit(x, &end);
	}
}

void xt_free(struct exectrace *x)
{
	if (!x)
		return;
	generation_clear(x);
	while (x->spare) {
		struct chunk *c = x->spare;

		x->spare = c->next;
		mem_free(c);
	}
	while (x->slabs) {
		struct gslab *s = x->slabs;

		x->slabs = s->next;
		mem_free(s);
	}
	idmap_free(&x->gs);
	idmap_free(&x->ps);
	idmap_free(&x->ms);
	idmap_free(&x->by_m);
	map_free(&x->text_map);
	arena_free(&x->mem);
	arena_free(&x->states);
	buf_free(&x->window);
	mem_free(x->batches);
	mem_free(x->tables);
	mem_free(x->cursors);
	mem_free(x->heap);
	mem_free(x->samples);
	mem_free(x->strings.pairs);
	mem_free(x->strings.dense);
	mem_free(x->stacks.pairs);
	mem_free(x->stacks.dense);
	mem_free(x->texts);
	mem_free(x->frames);
	mem_free(x->all_stacks);
	mem_free(x->stack_slots);
	mem_free(x);
}

const struct xt_stats *xt_stats(const struct exectrace *x)
{
	return &x->s;
}

bool xt_lost(const struct exectrace *x)
{
	return x->lost;
}
