/* The tables of a generation: strings, stacks, samples of the CPU, clocks. */
#include <stdlib.h>

#include "parse/exectrace_own.h"

#define MAX_RUN 192 /* collisions in a row: more is an attack */

/* ---- numbers to pointers ---- */

static bool slot_put(struct idmap *m, uint64_t key, void *value)
{
	size_t i = idmap_home(m, key);

	for (size_t run = 0; run < MAX_RUN; run++, i = (i + 1) & (m->cap - 1)) {
		if (!m->slots[i].value) {
			m->slots[i] = (struct idslot){ key, value };
			m->n++;
			return true;
		}
	}
	return false;
}

bool idmap_put(struct idmap *m, uint64_t key, void *value)
{
	if (m->n * 5 >= m->cap * 2) {
		struct idmap more = { .cap = m->cap ? m->cap * 2 : 256 };

		more.slots = mem_zalloc(more.cap * sizeof(*more.slots));
		if (!more.slots)
			return false;
		for (size_t i = 0; i < m->cap; i++) {
			if (m->slots[i].value && !slot_put(&more, m->slots[i].key, m->slots[i].value)) {
				mem_free(more.slots);
				return false;
			}
		}
		mem_free(m->slots);
		*m = more;
	}
	return slot_put(m, key, value);
}

void idmap_del(struct idmap *m, uint64_t key)
{
	size_t mask = m->cap - 1, hole;

	if (!m->cap)
		return;
	hole = idmap_home(m, key);
	while (m->slots[hole].value && m->slots[hole].key != key)
		hole = (hole + 1) & mask;
	if (!m->slots[hole].value)
		return;
	m->n--;
	for (size_t i = (hole + 1) & mask; m->slots[i].value; i = (i + 1) & mask) {
		size_t home = idmap_home(m, m->slots[i].key);

		if (((i - home) & mask) >= ((i - hole) & mask)) {
			m->slots[hole] = m->slots[i];
			hole = i;
		}
	}
	m->slots[hole].value = NULL;
}

void idmap_free(struct idmap *m)
{
	mem_free(m->slots);
	*m = (struct idmap){ 0 };
}

/* ---- ids of a generation ---- */

static bool idtab_add(struct exectrace *x, struct idtab *t, uint64_t id, uint32_t value, int64_t at)
{
	if (t->n >= XT_MAX_TABLE || !mem_grow(&t->pairs, &t->cap, t->n, sizeof(*t->pairs))) {
		xt_note(x, XT_TOO_MANY, at, XT_MAX_TABLE, XT_STRING, NULL);
		return false;
	}
	t->pairs[t->n++] = (struct idpair){ id, value };
	return true;
}

static int by_id(const void *a, const void *b)
{
	const struct idpair *p = a, *q = b;

	return (p->id > q->id) - (p->id < q->id);
}

/* A plain array where the ids allow it (the runtime counts them), else sorted for a search. */
static void idtab_close(struct idtab *t)
{
	uint64_t max = 0;

	for (size_t i = 0; i < t->n; i++)
		max = t->pairs[i].id > max ? t->pairs[i].id : max;
	t->n_dense = 0;
	if (max <= 4 * t->n + 1024) {
		if (t->cap_dense <= max) {
			uint32_t *more = mem_resize(t->dense, (max + 1) * sizeof(*more));

			if (more) {
				t->dense = more;
				t->cap_dense = max + 1;
			}
		}
		if (t->cap_dense > max) {
			t->n_dense = max + 1;
			memset(t->dense, 0, t->n_dense * sizeof(*t->dense));
			for (size_t i = 0; i < t->n; i++)
				t->dense[t->pairs[i].id] = t->pairs[i].value + 1;
			t->dense[0] = 1; /* which stands for 0 */
			return;
		}
	}
	if (t->n)
		qsort(t->pairs, t->n, sizeof(*t->pairs), by_id);
}

bool idtab_search(const struct idtab *t, uint64_t id, uint32_t *ret)
{
	const struct idpair key = { .id = id }, *p;

	*ret = 0;
	if (!id)
		return true;
	if (t->n_dense) {
		if (id >= t->n_dense || !t->dense[id])
			return false;
		*ret = t->dense[id] - 1;
		return true;
	}
	p = t->n ? bsearch(&key, t->pairs, t->n, sizeof(key), by_id) : NULL;
	if (p)
		*ret = p->value;
	return p != NULL;
}

/* ---- interning ---- */

uint32_t xt_intern(struct exectrace *x, struct span text)
{
	void *found;
	struct span own;

	if (!x->n_texts) {
		if (!mem_grow(&x->texts, &x->cap_texts, 0, sizeof(*x->texts)))
			return 0;
		x->texts[x->n_texts++] = S("");
	}
	if (!text.n)
		return 0;
	found = map_get(&x->text_map, text);
	if (found)
		return (uint32_t)(uintptr_t)found;
	own = arena_span(&x->mem, text);
	if (!own.p || !mem_grow(&x->texts, &x->cap_texts, x->n_texts, sizeof(*x->texts)) ||
	    !map_put(&x->text_map, own, (void *)(uintptr_t)x->n_texts)) {
		xt_note(x, XT_TOO_MANY, x->gen_at, XT_MAX_TEXT, XT_STRING, NULL);
		return 0;
	}
	x->texts[x->n_texts] = own;
	return (uint32_t)x->n_texts++;
}

struct span xt_text(const struct exectrace *x, uint32_t text)
{
	return text < x->n_texts ? x->texts[text] : S("");
}

uint32_t xt_text_count(const struct exectrace *x)
{
	return x->n_texts ? (uint32_t)x->n_texts : 1; /* 0 is "" even where there are none */
}

uint32_t xt_stack_count(const struct exectrace *x)
{
	return (uint32_t)x->n_all_stacks + 1;
}

const struct xt_frame *xt_stack(const struct exectrace *x, uint32_t stack, size_t *n)
{
	*n = 0;
	if (!stack || stack > x->n_all_stacks)
		return NULL;
	*n = x->all_stacks[stack - 1].n;
	return x->frames + x->all_stacks[stack - 1].at;
}

static bool stacks_wider(struct exectrace *x)
{
	size_t cap = x->cap_stack_slots ? x->cap_stack_slots * 2 : 1024;
	uint32_t *slots;

	if ((x->n_all_stacks + 1) * 5 <= x->cap_stack_slots * 2)
		return true;
	slots = mem_zalloc(cap * sizeof(*slots));
	if (!slots)
		return false;
	for (size_t i = 0; i < x->n_all_stacks; i++) {
		size_t at = x->all_stacks[i].hash & (cap - 1);

		while (slots[at])
			at = (at + 1) & (cap - 1);
		slots[at] = (uint32_t)i + 1;
	}
	mem_free(x->stack_slots);
	x->stack_slots = slots;
	x->cap_stack_slots = cap;
	return true;
}

/* 0: no room. */
static uint32_t stack_intern(struct exectrace *x, const struct xt_frame *f, size_t n)
{
	uint64_t hash = span_hash((struct span){ (const char *)f, n * sizeof(*f) });
	size_t at, run = 0;

	hash ^= hash >> 33;
	if (!n)
		return 0;
	if (!stacks_wider(x))
		return 0;
	at = hash & (x->cap_stack_slots - 1);
	for (; x->stack_slots[at]; at = (at + 1) & (x->cap_stack_slots - 1)) {
		const struct stack_ref *s = &x->all_stacks[x->stack_slots[at] - 1];

		if (s->hash == hash && s->n == n && memcmp(x->frames + s->at, f, n * sizeof(*f)) == 0)
			return x->stack_slots[at];
		if (++run > MAX_RUN)
			return 0;
	}
	if (x->n_frames + n > XT_MAX_ALL_FRAMES)
		return 0;
	while (x->cap_frames < x->n_frames + n) {
		if (!mem_grow(&x->frames, &x->cap_frames, x->cap_frames, sizeof(*f)))
			return 0;
	}
	if (!mem_grow(&x->all_stacks, &x->cap_all_stacks, x->n_all_stacks, sizeof(*x->all_stacks)))
		return 0;
	memcpy(x->frames + x->n_frames, f, n * sizeof(*f));
	x->all_stacks[x->n_all_stacks++] = (struct stack_ref){ (uint32_t)x->n_frames, (uint32_t)n, hash };
	x->n_frames += n;
	x->stack_slots[at] = (uint32_t)x->n_all_stacks;
	return x->stack_slots[at];
}

/* ---- the batches ---- */

static int64_t file_at(const struct xt_batch *b, const uint8_t *p)
{
	return b->at + (p - b->p);
}

static void read_strings(struct exectrace *x, const struct xt_batch *b)
{
	const uint8_t *p = b->p + 1, *end = b->p + b->n, *begin;
	uint64_t id, n;

	while (p < end) {
		begin = p;
		if (*p++ != XT_STRING || !xt_varint(&p, end, &id) || !xt_varint(&p, end, &n) || n > XT_MAX_STRING ||
		    n > (size_t)(end - p)) {
			xt_note(x, XT_BAD_STRINGS, file_at(b, begin), 0, XT_STRING, NULL);
			x->s.unreadable_bytes += (uint64_t)(end - begin);
			return;
		}
		x->s.wire[XT_STRING]++;
		if (!idtab_add(x, &x->strings, id, xt_intern(x, (struct span){ (const char *)p, n }), file_at(b, begin)))
			return;
		p += n;
	}
}

static bool read_frame(struct exectrace *x, const uint8_t **p, const uint8_t *end, struct xt_frame *f)
{
	uint64_t pc, func, file, line;

	if (!xt_varint(p, end, &pc) || !xt_varint(p, end, &func) || !xt_varint(p, end, &file) || !xt_varint(p, end, &line))
		return false;
	if (!idtab_get(&x->strings, func, &f->func) || !idtab_get(&x->strings, file, &f->file))
		xt_note(x, XT_BAD_ID, x->gen_at, func, XT_STACK, NULL);
	f->line = line > INT32_MAX ? 0 : (uint32_t)line;
	return true;
}

static void read_stacks(struct exectrace *x, const struct xt_batch *b)
{
	const uint8_t *p = b->p + 1, *end = b->p + b->n, *begin;
	struct xt_frame f[XT_MAX_FRAMES];
	uint64_t id, n;

	while (p < end) {
		size_t got = 0;

		begin = p;
		if (*p++ != XT_STACK || !xt_varint(&p, end, &id) || !xt_varint(&p, end, &n) || n > XT_MAX_FRAMES)
			goto broken;
		while (got < n && read_frame(x, &p, end, &f[got]))
			got++;
		if (got < n)
			goto broken;
		x->s.wire[XT_STACK]++;
		uint32_t stack = stack_intern(x, f, n);

		if (n && !stack)
			xt_note(x, XT_TOO_MANY, file_at(b, begin), XT_MAX_ALL_FRAMES, XT_STACK, NULL);
		if (!idtab_add(x, &x->stacks, id, stack, file_at(b, begin)))
			return;
	}
	return;
broken:
	xt_note(x, XT_BAD_STACKS, file_at(b, begin), 0, XT_STACK, NULL);
	x->s.unreadable_bytes += (uint64_t)(end - begin);
}

static void read_samples(struct exectrace *x, const struct xt_batch *b)
{
	const uint8_t *p = b->p + 1, *end = b->p + b->n, *begin;
	uint64_t v[5]; /* time, thread, processor, goroutine, stack */

	while (p < end) {
		size_t got = 0;
		struct sample s;

		begin = p;
		if (*p++ == XT_SAMPLE) {
			while (got < 5 && xt_varint(&p, end, &v[got]))
				got++;
		}
		if (got < 5) {
			xt_note(x, XT_BAD_SAMPLES, file_at(b, begin), 0, XT_SAMPLE, NULL);
			x->s.unreadable_bytes += (uint64_t)(end - begin);
			return;
		}
		x->s.wire[XT_SAMPLE]++;
		s = (struct sample){ xt_ns(x, v[0]), v[1], v[2], v[3] ? v[3] : XT_NONE, 0 };
		if (!idtab_get(&x->stacks, v[4], &s.stack))
			xt_note(x, XT_BAD_ID, file_at(b, begin), v[4], XT_SAMPLE, NULL);
		if (x->n_samples >= XT_MAX_SAMPLES ||
		    !mem_grow(&x->samples, &x->cap_samples, x->n_samples, sizeof(s))) {
			xt_note(x, XT_TOO_MANY, file_at(b, begin), XT_MAX_SAMPLES, XT_SAMPLE, NULL);
			return;
		}
		x->samples[x->n_samples++] = s;
	}
}

static bool read_clock(struct exectrace *x, const uint8_t **p, const uint8_t *end, uint64_t base)
{
	uint64_t v[4]; /* dt, mono, sec, nsec */

	for (size_t i = 0; i < 4; i++) {
		if (!xt_varint(p, end, &v[i]))
			return false;
	}
	x->s.wire[XT_CLOCK]++;
	if (x->has_snapshot || v[2] > INT64_MAX / 1000000000 - 1 || v[3] >= 1000000000)
		return !x->has_snapshot;
	x->has_snapshot = true;
	x->snap_time = base + v[0];
	x->snap_wall = (int64_t)(v[2] * 1000000000 + v[3]);
	return true;
}

static void read_sync(struct exectrace *x, const struct xt_batch *b)
{
	const uint8_t *p = b->p + (x->s.version >= 25), *end = b->p + b->n, *begin = p;
	uint64_t f;

	while (p < end) {
		begin = p;
		uint8_t type = *p++;

		if (type == XT_FREQUENCY && !x->frequency && xt_varint(&p, end, &f) && f) {
			x->s.wire[XT_FREQUENCY]++;
			x->frequency = f;
			xt_rate(x, 1.0 / ((double)f / 1e9));
			continue;
		}
		if (type == XT_CLOCK && x->s.version >= 25 && read_clock(x, &p, end, b->time))
			continue;
		xt_note(x, XT_BAD_SYNC, file_at(b, begin), 0, type, NULL);
		x->s.unreadable_bytes += (uint64_t)(end - begin);
		return;
	}
}

static int by_time(const void *a, const void *b)
{
	const struct sample *p = a, *q = b;

	return (p->time > q->time) - (p->time < q->time);
}

static void each(struct exectrace *x, uint8_t first, void (*read)(struct exectrace *, const struct xt_batch *))
{
	for (size_t i = 0; i < x->n_tables; i++) {
		if (*x->tables[i].p == first)
			read(x, &x->tables[i]);
	}
}

void xt_tables_read(struct exectrace *x)
{
	each(x, x->s.version >= 25 ? XT_SYNC : XT_FREQUENCY, read_sync);
	if (x->has_snapshot && !x->s.clock_wall) {
		x->s.clock_trace = xt_ns(x, x->snap_time);
		x->s.clock_wall = x->snap_wall;
	}
	each(x, XT_STRINGS, read_strings);
	idtab_close(&x->strings);
	each(x, XT_STACKS, read_stacks);
	idtab_close(&x->stacks);
	each(x, XT_SAMPLES, read_samples);
	if (x->n_samples)
		qsort(x->samples, x->n_samples, sizeof(*x->samples), by_time);
}

void xt_tables_clear(struct exectrace *x)
{
	x->strings.n = x->strings.n_dense = 0;
	x->stacks.n = x->stacks.n_dense = 0;
}
