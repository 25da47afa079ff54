/* The events of a generation: one stream a thread, merged by time where the scheduler's rules allow it. */
#include <stdlib.h>

#include "parse/exectrace_own.h"

static unsigned highest_type(int version)
{
	return version == 22 ? XT_LOG : XT_GO_STATUS_STACK;
}

enum { NUMBERS_MAX = 6 * 10 }; /* bytes of an event's numbers */

/* A number where ten more bytes can be read. Most have one or two. NULL: it is longer than 64 bits. */
XT_HOT const uint8_t *number(const uint8_t *p, uint64_t *ret)
{
	uint64_t v = *p;

	if (v < 0x80) {
		*ret = v;
		return p + 1;
	}
	v = (v & 0x7f) | (uint64_t)p[1] << 7;
	if (p[1] < 0x80) {
		*ret = v;
		return p + 2;
	}
	v = (v & 0x3fff) | (uint64_t)p[2] << 14;
	if (p[2] < 0x80) {
		*ret = v;
		return p + 3;
	}
	const uint8_t *q = p;

	return xt_varint(&q, p + 10, ret) ? q : NULL;
}

/* The numbers behind an event's type. NULL: they are broken. */
XT_HOT const uint8_t *numbers(struct cursor *c, const uint8_t *p, unsigned n, uint64_t *dt)
{
	if (c->end - p >= NUMBERS_MAX) {
		p = number(p, dt);
		for (unsigned i = 0; p && i < n; i++)
			p = number(p, &c->args[i]);
		return p;
	}
	if (!xt_varint(&p, c->end, dt))
		return NULL;
	for (unsigned i = 0; i < n; i++) {
		if (!xt_varint(&p, c->end, &c->args[i]))
			return NULL;
	}
	return p;
}

/* What stands at the cursor; false: it is broken, and the batch is left there. */
XT_HOT bool read_event(struct exectrace *x, struct cursor *c)
{
	uint8_t type = *c->p;
	const uint8_t *p = NULL;
	uint64_t dt;

	c->event = c->p;
	if (x->known[type])
		p = numbers(c, c->p + 1, xt_rows[type].n, &dt);
	if (!p) {
		xt_note(x, x->known[type] ? XT_BAD_EVENT : XT_BAD_TYPE, xt_event_at(c),
			x->known[type] ? 0 : type, x->known[type] ? type : 0, NULL);
		return false;
	}
	if (__builtin_add_overflow(c->time, xt_ns(x, dt), &c->time))
		c->time = INT64_MAX;
	c->type = type;
	c->p = p;
	x->s.wire[type]++;
	return true;
}

XT_COLD static bool next_batch(struct exectrace *x, struct cursor *c)
{
	if (!c->first)
		return false;
	c->b = &x->batches[c->first - 1];
	c->first = c->b->next;
	c->p = c->b->p;
	c->end = c->b->p + c->b->n;
	c->time = xt_ns(x, c->b->time);
	return true;
}

/* The thread's next event; false: there is none. */
XT_HOT bool cursor_next(struct exectrace *x, struct cursor *c)
{
	for (;;) {
		while (c->p == c->end) {
			if (!next_batch(x, c))
				return false;
		}
		if (read_event(x, c))
			return true;
		x->verified = false;
		x->s.unreadable_bytes += (uint64_t)(c->end - c->p);
		c->p = c->end;
	}
}

static bool cursor_next_cold(struct exectrace *x, struct cursor *c)
{
	return cursor_next(x, c);
}

/* ---- a min-heap on time ---- */

static size_t sift_up(struct head *h, size_t i)
{
	struct head mine = h[i];

	for (; i > 0 && h[(i - 1) / 2].time > mine.time; i = (i - 1) / 2)
		h[i] = h[(i - 1) / 2];
	h[i] = mine;
	return i;
}

static inline void sift_down(struct head *h, size_t n, size_t i)
{
	struct head mine = h[i];

	for (;;) {
		size_t a = 2 * i + 1;

		if (a >= n)
			break;
		if (a + 1 < n && h[a + 1].time < h[a].time)
			a++;
		if (h[a].time >= mine.time)
			break;
		h[i] = h[a];
		i = a;
	}
	h[i] = mine;
}

static void heap_remove(struct exectrace *x, size_t i)
{
	struct head *h = x->heap;

	for (; i > 0; i = (i - 1) / 2)
		h[i] = h[(i - 1) / 2];
	h[0] = h[--x->n_heap];
	if (x->n_heap)
		sift_down(h, x->n_heap, 0);
}

static int by_time(const void *a, const void *b)
{
	const struct head *p = a, *q = b;

	return p->time != q->time ? (p->time > q->time) - (p->time < q->time)
				  : (p->c->m > q->c->m) - (p->c->m < q->c->m);
}

/* ---- the merge ---- */

XT_HOT void went_first(struct exectrace *x)
{
	struct cursor *c = x->heap[0].c;

	if (!cursor_next(x, c)) {
		heap_remove(x, 0);
		return;
	}
	x->heap[0].time = c->time;
	sift_down(x->heap, x->n_heap, 0);
}

static void went(struct exectrace *x, size_t i)
{
	struct cursor *c = x->heap[i].c;

	if (!cursor_next_cold(x, c)) {
		heap_remove(x, i);
		return;
	}
	x->heap[i].time = c->time;
	if (i == 0)
		sift_down(x->heap, x->n_heap, 0);
	else if (sift_up(x->heap, i) == i)
		sift_down(x->heap, x->n_heap, i);
}

/* From here on this generation goes by time alone. */
static void give_up_order(struct exectrace *x, enum xt_problem p, const struct cursor *c)
{
	xt_note(x, p, xt_event_at(c), c->m, c->type, x->why);
	x->verified = false;
	for (size_t i = x->n_heap; i-- > 0;)
		sift_down(x->heap, x->n_heap, i);
}

/* The head could not go: the others in the order of time. */
static bool try_others(struct exectrace *x)
{
	const struct cursor *tried = x->heap[0].c;

	qsort(x->heap, x->n_heap, sizeof(*x->heap), by_time);
	for (size_t i = 0; i < x->n_heap; i++) {
		if (x->heap[i].c == tried)
			continue;
		enum step s = xt_advance(x, x->heap[i].c);

		x->tries++;
		if (s == STEP_BAD) {
			give_up_order(x, XT_CONTRADICTION, x->heap[i].c);
			return true;
		}
		if (s == STEP_DONE) {
			went(x, i);
			return true;
		}
		if (x->tries > x->budget)
			return false;
	}
	return false;
}

static void step(struct exectrace *x)
{
	enum step s = xt_advance(x, x->heap[0].c);

	if (s == STEP_DONE) {
		went_first(x);
		return;
	}
	if (s == STEP_BAD) {
		give_up_order(x, XT_CONTRADICTION, x->heap[0].c);
		return;
	}
	x->tries += x->n_heap; /* they are sorted */
	x->why = NULL;
	if (!try_others(x))
		give_up_order(x, XT_STUCK, x->heap[0].c);
}

static bool sample_next(struct exectrace *x)
{
	struct xt_event ev = { .type = XT_SAMPLE, .kind = XTK_STACK_SAMPLE, .args = x->no_args };
	const struct sample *s;

	if (x->next_sample >= x->n_samples)
		return false;
	s = &x->samples[x->next_sample];
	if (x->n_heap && s->time >= x->heap[0].time)
		return false;
	x->next_sample++;
	ev.time = s->time;
	ev.m = s->m;
	ev.p = s->p;
	ev.g = s->g == XT_NONE ? NULL : idmap_get(&x->gs, s->g);
	ev.stack = s->stack;
	xt_emit(x, &ev);
	return true;
}

static void heap_fill(struct exectrace *x)
{
	uint64_t bytes = 0;

	x->n_heap = 0;
	for (unsigned type = 0; type < 256; type++)
		x->known[type] = (type <= highest_type(x->s.version) || type >= XT_EXPERIMENT_FIRST) &&
				 xt_rows[type].args;
	for (size_t i = 0; i < x->n_cursors; i++) {
		struct cursor *c = &x->cursors[i];

		if (c->m != XT_NONE) {
			c->ms = xt_thread(x, c->m);
			if (!c->ms)
				continue;
		}
		if (!cursor_next_cold(x, c))
			continue;
		if (!mem_grow(&x->heap, &x->cap_heap, x->n_heap, sizeof(*x->heap))) {
			x->lost = true;
			return;
		}
		x->heap[x->n_heap++] = (struct head){ c->time, c };
		sift_up(x->heap, x->n_heap - 1);
	}
	for (size_t i = 0; i < x->n_batches; i++)
		bytes += x->batches[i].n;
	x->tries = 0;
	x->budget = 1000000 + bytes * 16;
}

void xt_run(struct exectrace *x)
{
	struct xt_event begin = {
		.type = XT_GENERATION, .kind = XTK_SYNC, .m = XT_NONE, .p = XT_NONE, .args = x->no_args
	};

	begin.time = xt_ns(x, x->min_time);
	heap_fill(x);
	xt_emit(x, &begin);
	while (x->n_heap || x->next_sample < x->n_samples) {
		if (!sample_next(x))
			step(x);
	}
}
