#include <stdlib.h>

#include "base/mem.h"
#include "probe/own.h"

/* Functions that have no code of their own: the names in the trees that tell what was inlined where. */

#define PCDATA_TREE   2
#define FUNCDATA_TREE 3

struct trees {
	unsigned char *linked, *seen; /* a bit for each byte of the table of names */
	struct probe_inlined *v;
	size_t n, cap, max;
	uint64_t steps, records; /* that may still be looked at: lists and trees may overlap */
};

static bool bit_set(unsigned char *bits, uint64_t at)
{
	bool was = bits[at / 8] >> (at % 8) & 1;

	bits[at / 8] |= (unsigned char)(1u << (at % 8));
	return was;
}

/* One more than the highest number in the function's list of positions in its tree. */
static uint32_t tree_size(struct reading *r, struct trees *t, uint32_t off)
{
	const unsigned char *p = r->t.pcs + off, *end = r->t.pcs + r->t.n_pcs;
	uint32_t value = UINT32_MAX, max = 0, u, pc;

	if (off == 0 || off >= r->t.n_pcs)
		return 0;
	for (bool first = true; t->steps && pcln_uvarint(&p, end, &u) && (u || first); first = false) {
		t->steps--;
		value += u >> 1 ^ -(u & 1);
		if (value != UINT32_MAX && value + 1 > max)
			max = value + 1;
		if (!pcln_uvarint(&p, end, &pc))
			break;
	}
	return max;
}

/* The address of its tree; 0: it has none. *list: the offset of the list that goes with it. */
static uint64_t find_tree(struct reading *r, const unsigned char *f, uint32_t *list)
{
	struct image *m = r->m;
	bool old = r->t.shape == SHAPE_116;
	unsigned entry = old ? (unsigned)m->ptr : 4, head = r->t.shape == SHAPE_120 ? 44 : entry + 36;
	uint32_t n_lists = rd32(m, f + entry + 24);
	unsigned n_data = f[head - 1];
	uint64_t room = r->t.n_table - (uint64_t)(f - r->t.table), at = head + 4 * (uint64_t)n_lists;

	if (n_lists <= PCDATA_TREE || n_data <= FUNCDATA_TREE)
		return 0;
	if (old)
		at = (at + (uint64_t)(f - r->t.table) + (unsigned)m->ptr - 1) / (unsigned)m->ptr *
			     (unsigned)m->ptr -
		     (uint64_t)(f - r->t.table);
	if (at + n_data * (uint64_t)(old ? m->ptr : 4) > room)
		return 0;
	*list = rd32(m, f + head + 4 * PCDATA_TREE);
	if (old)
		return rdptr(m, f + at + FUNCDATA_TREE * m->ptr);
	uint32_t off = rd32(m, f + at + 4 * FUNCDATA_TREE);
	return off == UINT32_MAX || !r->md.inline_base ? 0 : r->md.inline_base + off;
}

static void take_name(struct reading *r, struct trees *t, const unsigned char *record, size_t into)
{
	bool new = r->t.shape == SHAPE_120;
	uint32_t name = rd32(r->m, record + (new ? 4 : 12)), line = new ? rd32(r->m, record + 12) : 0;

	if (name >= r->t.n_names || (name && r->t.names[name - 1])) {
		r->damaged_trees = true;
		return;
	}
	if (bit_set(t->seen, name) || t->linked[name / 8] >> (name % 8) & 1 || !r->t.names[name])
		return;
	if (t->n == t->max) {
		r->full = true;
	} else if (!mem_grow(&t->v, &t->cap, t->n, sizeof(*t->v))) {
		r->no_memory = true;
	} else {
		t->v[t->n++] = (struct probe_inlined){ (const char *)r->t.names + name,
						       line > INT32_MAX ? 0 : line, PROBE_NO_PACKAGE,
						       (uint32_t)into };
	}
}

static void take_tree(struct reading *r, struct trees *t, size_t i)
{
	const unsigned char *f = function_record(r, i);
	uint32_t list, one = r->t.shape == SHAPE_120 ? 16 : 20;
	uint64_t addr = f ? find_tree(r, f, &list) : 0;

	if (!addr)
		return;
	uint32_t n = tree_size(r, t, list);
	const unsigned char *records = image_addr(r->m, addr, (uint64_t)n * one);
	if (!records || n > t->records) {
		r->damaged_trees = true;
		return;
	}
	t->records -= n;
	for (uint32_t k = 0; k < n; k++)
		take_name(r, t, records + (size_t)k * one, i);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct probe_inlined *)a)->name, ((const struct probe_inlined *)b)->name);
}

void read_inlined(struct reading *r)
{
	struct probe *p = r->p;
	struct trees t = { .max = p->size / 48 + 64,
			   .steps = 4 * p->size + 4096,
			   .records = p->size / 4 + 4096 };

	if (r->t.shape != SHAPE_116 && !r->md.inline_base)
		return;
	t.linked = mem_zalloc(r->t.n_names / 8 + 1);
	t.seen = mem_zalloc(r->t.n_names / 8 + 1);
	if (!t.linked || !t.seen)
		r->no_memory = true;
	for (size_t i = 0; !r->no_memory && i < p->n_funcs; i++)
		bit_set(t.linked, (uint64_t)(p->funcs[i].name - (const char *)r->t.names));
	for (size_t i = 0; !r->no_memory && i < p->n_funcs; i++)
		take_tree(r, &t, i);
	mem_free(t.linked);
	mem_free(t.seen);
	if (t.n)
		qsort(t.v, t.n, sizeof(*t.v), by_name);
	p->inlined = t.v;
	p->n_inlined = t.n;
}
