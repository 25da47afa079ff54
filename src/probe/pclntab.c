#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "probe/own.h"

/* The tables from which the runtime makes tracebacks. Layout: the Go distribution's runtime/symtab.go and cmd/link document it. */

/* ---- finding and checking them ---- */

static const struct {
	uint32_t magic;
	enum shape shape;
	const char *versions;
} magics[] = {
	{ 0xfffffff1, SHAPE_120, "1.20 to 1.27" },
	{ 0xfffffff0, SHAPE_118, "1.18 to 1.19" },
	{ 0xfffffffa, SHAPE_116, "1.16 to 1.17" },
	{ 0xfffffffb, SHAPE_12, "1.2 to 1.15" },
};

/* How many bytes a function's description has before its lists. */
static unsigned record_head(const struct reading *r)
{
	return r->t.shape == SHAPE_120 ? 44 : r->t.shape == SHAPE_118 ? 40 : 36 + (unsigned)r->m->ptr;
}

/* Without the bytes behind its last NUL: whatever begins in a table of strings ends in it too. */
static uint64_t whole_strings(const unsigned char *p, uint64_t n)
{
	const unsigned char *last = n ? memrchr(p, 0, n) : NULL;

	return last ? (uint64_t)(last - p) + 1 : 0;
}

static uint64_t next_offset(const uint64_t *off, size_t n, uint64_t at, uint64_t end)
{
	for (size_t i = 0; i < n; i++)
		if (off[i] > at && off[i] < end)
			end = off[i];
	return end;
}

bool check_tables(struct pcln *t, int ptr)
{
	uint64_t one = t->shape == SHAPE_116 ? 2 * (uint64_t)ptr : 8;

	t->n_names = whole_strings(t->names, t->n_names);
	t->n_files_bytes = whole_strings(t->files, t->n_files_bytes);
	t->n_cus /= 4;
	return t->n_funcs > 0 && t->n_funcs <= t->n_table / one && t->n_names > 0;
}

/* Is there such a table at addr? */
static bool take_tables(struct reading *r, uint64_t addr)
{
	struct image *m = r->m;
	struct pcln t = { .addr = addr };
	uint64_t n, off[5];
	const unsigned char *h = image_rest(m, addr, &n);
	size_t row = 0;

	if (!h || n < 8 + 8 * (uint64_t)m->ptr)
		return false;
	while (row < ARRAY_LEN(magics) && rd32(m, h) != magics[row].magic)
		row++;
	if (row == ARRAY_LEN(magics) || h[4] || h[5] || (h[6] != 1 && h[6] != 2 && h[6] != 4) ||
	    h[7] != m->ptr)
		return false;
	t.shape = magics[row].shape;
	t.quantum = h[6];
	if (t.shape == SHAPE_12) {
		r->p->go_range = magics[row].versions;
		return false;
	}
	const unsigned char *w = h + 8;
	t.n_funcs = rdptr(m, w);
	t.n_files = rdptr(m, w + m->ptr);
	w += 2 * m->ptr;
	if (t.shape != SHAPE_116) {
		t.text = rdptr(m, w);
		w += m->ptr;
	}
	for (size_t i = 0; i < ARRAY_LEN(off); i++, w += m->ptr) {
		off[i] = rdptr(m, w);
		if (off[i] >= n)
			return false;
	}
	const unsigned char **const to[] = { &t.names, &t.cus, &t.files, &t.pcs, &t.table };
	uint64_t *const sizes[] = { &t.n_names, &t.n_cus, &t.n_files_bytes, &t.n_pcs, &t.n_table };
	for (size_t i = 0; i < ARRAY_LEN(off); i++) {
		*to[i] = h + off[i];
		*sizes[i] = next_offset(off, ARRAY_LEN(off), off[i], n) - off[i];
	}
	if (!check_tables(&t, m->ptr))
		return false;
	r->t = t;
	r->p->go_range = magics[row].versions;
	return true;
}

static bool scan(struct reading *r, const struct region *in)
{
	unsigned step = (unsigned)r->m->ptr;
	uint64_t n = in->filed;
	const unsigned char *b = image_file(r->m, in->at, n);
	unsigned first = r->m->big ? 3 : 0;

	if (!b)
		return false;
	for (uint64_t at = 0; at + 64 <= n; at += step)
		/* cheap tests first: the magic numbers differ in one byte */
		if (b[at + 1] == 0xff && b[at + 2] == 0xff && b[at + (3 - first)] == 0xff &&
		    b[at + first] >= 0xf0 && b[at + 4] == 0 && take_tables(r, in->addr + at))
			return true;
	return false;
}

bool read_tables(struct reading *r)
{
	const struct region *s = &r->m->sect[SECT_PCLNTAB];

	image_relocate(r->m); /* the table holds an address */
	if (s->size && take_tables(r, s->addr))
		return true;
	for (size_t i = 0; i < r->m->n_regions; i++)
		if (!r->m->regions[i].exec && scan(r, &r->m->regions[i]))
			return true;
	/* Some linkers put all that is read into the code's segment. */
	for (size_t i = 0; i < r->m->n_regions; i++)
		if (r->m->regions[i].exec && scan(r, &r->m->regions[i]))
			return true;
	return false;
}

/* ---- one function ---- */

const unsigned char *function_record(const struct reading *r, size_t i)
{
	const struct pcln *t = &r->t;
	uint64_t off = t->shape == SHAPE_116 ? rdptr(r->m, t->table + (2 * i + 1) * (unsigned)r->m->ptr)
					     : rd32(r->m, t->table + 8 * i + 4);
	unsigned head = record_head(r);

	return off <= t->n_table && head <= t->n_table - off ? t->table + off : NULL;
}

bool pcln_uvarint(const unsigned char **p, const unsigned char *end, uint32_t *ret)
{
	uint32_t v = 0;

	for (unsigned shift = 0; *p < end && shift < 35; shift += 7) {
		unsigned char c = *(*p)++;
		v |= (uint32_t)(c & 127) << shift;
		if (!(c & 128)) {
			*ret = v;
			return true;
		}
	}
	return false;
}

/* The value that a list of values by address has at the function's first instruction. */
static bool first_value(const struct reading *r, uint32_t off, uint32_t *ret)
{
	const unsigned char *p = r->t.pcs + off;
	uint32_t u;

	if (off == 0 || off >= r->t.n_pcs || !pcln_uvarint(&p, r->t.pcs + r->t.n_pcs, &u))
		return false;
	*ret = (u >> 1 ^ -(u & 1)) - 1;
	return true;
}

static void take_place(struct reading *r, const unsigned char *f, struct probe_func *to)
{
	uint32_t v, cu = rd32(r->m, f + 28);

	if (first_value(r, rd32(r->m, f + 16), &v) && (uint64_t)cu + v < r->t.n_cus) {
		uint32_t at = rd32(r->m, r->t.cus + 4 * ((uint64_t)cu + v));
		if (at < r->t.n_files_bytes)
			to->file = (const char *)r->t.files + at;
	}
	if (r->t.shape == SHAPE_120)
		to->line = rd32(r->m, f + 32);
	else if (first_value(r, rd32(r->m, f + 20), &v))
		to->line = v;
	if (to->line > INT32_MAX)
		to->line = 0;
}

/* false: the table is damaged from here on. */
static bool take_function(struct reading *r, size_t i, const unsigned char **before, struct probe_func *to)
{
	struct image *m = r->m;
	const unsigned char *f = function_record(r, i);

	/* In a good one they stand one behind another; else many could share one, and be more than the file has room for. */
	if (!f || (*before && f < *before + record_head(r)))
		return false;
	*before = f;
	if (r->t.shape == SHAPE_116)
		to->entry = rdptr(m, r->t.table + 2 * i * (unsigned)m->ptr);
	else
		to->entry = r->t.text + rd32(m, r->t.table + 8 * i);
	f += r->t.shape == SHAPE_116 ? m->ptr : 4; /* its entry; from here on all shapes are alike */
	uint32_t name = rd32(m, f);
	if (name >= r->t.n_names)
		return false;
	to->name = (const char *)r->t.names + name;
	take_place(r, f, to);
	return true;
}

void read_functions(struct reading *r)
{
	struct probe *p = r->p;
	struct probe_func *v = reading_room(r, r->t.n_funcs, sizeof(*v));
	const unsigned char *before = NULL;

	for (size_t i = 0; v && i < r->t.n_funcs; i++) {
		if (!take_function(r, i, &before, &v[i])) {
			r->damaged_functions = true;
			break;
		}
		p->n_funcs++;
	}
	p->funcs = v;
}

const struct probe_func *function_at(const struct reading *r, uint64_t addr)
{
	const struct probe_func *v = r->p->funcs;
	size_t lo = 0, hi = r->p->n_funcs;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (v[mid].entry <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? &v[lo - 1] : NULL;
}

/* ---- sources ---- */

static int by_string(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void read_files(struct reading *r)
{
	const char *s = (const char *)r->t.files, *end = s + r->t.n_files_bytes;
	/* Each has two bytes at least. */
	uint64_t max = r->t.n_files < r->t.n_files_bytes / 2 ? r->t.n_files : r->t.n_files_bytes / 2;
	const char **v = reading_room(r, max, sizeof(*v));

	for (; v && r->p->n_files < max && s < end; s += strlen(s) + 1)
		if (*s)
			v[r->p->n_files++] = s;
	if (v)
		qsort(v, r->p->n_files, sizeof(*v), by_string);
	r->p->files = v;
}
