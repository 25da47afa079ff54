#include "base/mem.h"
#include "probe/own.h"

/*
 * Files of embed.FS. The compiler writes each as a slice whose elements stand right behind it: a pointer to what follows, and
 * twice the same number. Elements: a name, the content, sixteen bytes of a hash of the compiler's own.
 */

#define FILES 1000000
#define NAME  4096

static bool is_name(struct span s)
{
	if (s.n == 0 || s.n > NAME || s.p[0] == '/')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ')
			return false;
	return true;
}

/* One element; false: it is none. */
static bool read_element(struct reading *r, const unsigned char *f, struct probe_embed *ret, uint64_t *at)
{
	struct image *m = r->m;
	unsigned ptr = (unsigned)m->ptr;
	uint64_t n = rdptr(m, f + ptr);
	const unsigned char *name = n <= NAME ? image_addr(m, rdptr(m, f), n) : NULL;

	*ret = (struct probe_embed){ .name = { (const char *)name, n }, .size = rdptr(m, f + 3 * ptr) };
	if (!name || !is_name(ret->name))
		return false;
	ret->directory = name[n - 1] == '/';
	*at = 0;
	return ret->size == 0 ||
	       (!ret->directory && image_file_place(m, rdptr(m, f + 2 * ptr), ret->size, at));
}

/* How many files the slice at header has; 0: it is none of embed.FS. */
static uint64_t count_elements(struct reading *r, const unsigned char *h, uint64_t room, uint64_t *looked)
{
	unsigned ptr = (unsigned)r->m->ptr;
	uint64_t n = rdptr(r->m, h + ptr), one = 4 * ptr + 16, place;

	if (n == 0 || n > FILES || n != rdptr(r->m, h + 2 * ptr) || 3 * ptr + n * one > room)
		return 0;
	for (uint64_t i = 0; i < n; i++) {
		struct probe_embed e;
		bool good = read_element(r, h + 3 * ptr + i * one, &e, &place);
		uint64_t cost = one + (e.name.n < NAME ? e.name.n : NAME);
		*looked = *looked > cost ? *looked - cost : 0;
		if (!good || !*looked)
			return 0;
	}
	return n;
}

struct walk {
	struct probe_embed *v;
	size_t n, max;
	uint32_t fs;
	uint64_t hashed; /* bytes that may still be hashed: contents may overlap */
	uint64_t looked; /* the same of elements: what looks like a slice may overlap too */
};

static void take(struct reading *r, struct walk *w, const unsigned char *h, uint64_t n)
{
	unsigned ptr = (unsigned)r->m->ptr;

	for (uint64_t i = 0; i < n && w->n < w->max; i++) {
		struct probe_embed *e = &w->v[w->n++];
		uint64_t at;
		read_element(r, h + 3 * ptr + i * (4 * ptr + 16), e, &at);
		e->fs = w->fs;
		if (!e->directory && e->size <= w->hashed) {
			w->hashed -= e->size;
			e->hashed = source_hash(r->m->src, at, e->size, e->sha256);
		}
	}
	w->fs++;
}

/* Bytes from..to of a region. Without room in w: count only. */
static void scan(struct reading *r, const struct region *in, uint64_t from, uint64_t to, struct walk *w)
{
	unsigned ptr = (unsigned)r->m->ptr;
	const unsigned char *p = from < to ? image_file(r->m, in->at + from, to - from) : NULL;

	for (uint64_t at = 0, n; p && at + 3 * ptr <= to - from;
	     at += n ? 3 * ptr + n * (4 * ptr + 16) : ptr) {
		n = 0;
		if (rdptr(r->m, p + at) != in->addr + from + at + 3 * ptr)
			continue;
		n = count_elements(r, p + at, to - from - at, &w->looked);
		if (n && w->v)
			take(r, w, p + at, n);
		else
			w->n += n;
	}
}

/* All but the code: on some systems what is only read stands in one segment with it. */
static void scan_all(struct reading *r, struct walk *w)
{
	for (size_t i = 0; i < r->m->n_regions; i++) {
		const struct region *in = &r->m->regions[i];
		uint64_t mask = ~(uint64_t)(r->m->ptr - 1), text = (r->md.text - in->addr) & mask,
			 etext = (r->md.etext - in->addr + 7) & mask;
		if (!in->exec) {
			scan(r, in, 0, in->filed, w);
		} else if (r->md.text >= in->addr && text <= etext && etext <= in->filed) {
			scan(r, in, 0, text, w);
			scan(r, in, etext, in->filed, w);
		}
	}
}

void read_embeds(struct reading *r)
{
	uint64_t looked = 8 * r->p->size + 65536;
	struct walk w = { .looked = looked };

	image_relocate(r->m);
	scan_all(r, &w);
	if (!w.n)
		return;
	struct probe_embed *v = reading_room(r, w.n, sizeof(*v));
	w = (struct walk){ .v = v, .max = w.n, .hashed = 2 * r->p->size, .looked = looked };
	if (v)
		scan_all(r, &w);
	r->p->embeds = v;
	r->p->n_embeds = w.n;
}
