#include <errno.h>

#include "base/mem.h"
#include "probe/image.h"

/* ELF. Numbers and layouts: System V gABI, chapters 4 and 5; relocation types: the ABI supplements of each processor. */

enum {
	PT_LOAD = 1,
	PT_DYNAMIC = 2,
	PT_INTERP = 3,
	PT_NOTE = 4,
	PT_GNU_STACK = 0x6474e551,
	PT_GNU_RELRO = 0x6474e552
};
enum { ET_REL = 1, ET_EXEC, ET_DYN, ET_CORE };
enum {
	DT_NEEDED = 1,
	DT_STRTAB = 5,
	DT_SYMTAB = 6,
	DT_RELA = 7,
	DT_RELASZ = 8,
	DT_STRSZ = 10,
	DT_FLAGS = 30
};
#define DT_BIND_NOW 24
#define DT_FLAGS_1  0x6ffffffb
#define HEADERS     65536 /* of segments or sections: as many as the format has without an escape */
#define NEEDED      1024

struct segment {
	uint32_t type, flags;
	uint64_t at, addr, filed, size;
};

struct section_header {
	uint32_t name, type, link;
	uint64_t flags, addr, at, size, entry;
};

static struct segment read_segment(const struct image *m, const unsigned char *p)
{
	if (m->ptr == 8)
		return (struct segment){ rd32(m, p),      rd32(m, p + 4),  rd64(m, p + 8),
					 rd64(m, p + 16), rd64(m, p + 32), rd64(m, p + 40) };
	return (struct segment){ rd32(m, p),     rd32(m, p + 24), rd32(m, p + 4),
				 rd32(m, p + 8), rd32(m, p + 16), rd32(m, p + 20) };
}

static struct section_header read_section(const struct image *m, const unsigned char *p)
{
	if (m->ptr == 8)
		return (struct section_header){ rd32(m, p),      rd32(m, p + 4),  rd32(m, p + 40),
						rd64(m, p + 8),  rd64(m, p + 16), rd64(m, p + 24),
						rd64(m, p + 32), rd64(m, p + 56) };
	return (struct section_header){ rd32(m, p),      rd32(m, p + 4),  rd32(m, p + 24), rd32(m, p + 8),
					rd32(m, p + 12), rd32(m, p + 16), rd32(m, p + 20), rd32(m, p + 36) };
}

/* ---- segments ---- */

static void take_note(struct image *m, uint64_t addr, uint64_t at, uint64_t n)
{
	struct region r = { addr, n, at, n, false, false };

	if (m->n_notes < IMAGE_NOTES && image_cut(m, &r))
		m->notes[m->n_notes++] = r;
}

static void take_segment(struct image *m, struct probe *p, const struct segment *s)
{
	struct probe_hardening *h = &p->hard;

	switch (s->type) {
	case PT_LOAD:
		image_add_region(m, s->addr, s->size, s->at, s->filed, s->flags & 2, s->flags & 1);
		if ((s->flags & 3) == 3)
			h->writable_code = PROBE_YES;
		break;
	case PT_DYNAMIC:
		m->dynamic = (struct region){ s->addr, s->filed, s->at, s->filed, true, false };
		if (!image_cut(m, &m->dynamic))
			m->dynamic = (struct region){ 0 };
		break;
	case PT_INTERP: h->dynamic = PROBE_YES; break;
	case PT_GNU_STACK: h->nx = s->flags & 1 ? PROBE_NO : PROBE_YES; break;
	case PT_GNU_RELRO: h->relro = PROBE_PARTLY; break;
	case PT_NOTE: take_note(m, s->addr, s->at, s->filed); break;
	default: break;
	}
}

static bool read_segments(struct image *m, struct probe *p, uint64_t at, unsigned size, uint64_t n)
{
	if (n && size != (m->ptr == 8 ? 56u : 32u))
		return false;
	for (uint64_t i = 0; i < n && i < HEADERS; i++) {
		const unsigned char *one = at <= m->size ? image_file(m, at + i * size, size) : NULL;
		if (!one) {
			m->truncated = true;
			break;
		}
		struct segment s = read_segment(m, one);
		take_segment(m, p, &s);
	}
	return true;
}

/* ---- sections ---- */

static const struct {
	struct span name;
	enum section section;
} wanted[] = {
	{ S(".go.buildinfo"), SECT_BUILDINFO },
	{ S(".gopclntab"), SECT_PCLNTAB },
	{ S(".data.rel.ro.gopclntab"), SECT_PCLNTAB },
	{ S(".go.module"), SECT_MODULE },
	{ S(".text"), SECT_TEXT },
	{ S(".debug_info"), SECT_DWARF },
	{ S(".zdebug_info"), SECT_DWARF },
};

struct names {
	const char *p;
	uint64_t n;
};

static void take_section(struct image *m, const struct section_header *s, struct span name)
{
	if (span_eq(name, S(".note.go.buildid")) || span_eq(name, S(".note.gnu.build-id")))
		take_note(m, s->addr, s->at, s->size);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		if (span_eq(name, wanted[i].name))
			image_set_section(m, wanted[i].section, s->addr, s->size, s->at, s->flags & 1);
}

static void read_symbol_table(struct image *m, const unsigned char *headers, uint64_t n, unsigned size,
			      const struct section_header *s, enum section symbols, enum section strings)
{
	if (s->link >= n)
		return;
	struct section_header names = read_section(m, headers + (uint64_t)s->link * size);
	m->symbol_size = m->ptr == 8 ? 24 : 16;
	image_set_section(m, symbols, 0, s->size, s->at, false);
	image_set_section(m, strings, 0, names.size, names.at, false);
}

static void read_sections(struct image *m, uint64_t at, unsigned size, uint64_t n, unsigned names_at)
{
	enum { SHT_SYMTAB = 2, SHT_NOBITS = 8, SHT_DYNSYM = 11 };
	struct names names = { 0 };

	if (n == 0 && at && size >= 64) { /* too many for the header: the first section says it */
		const unsigned char *first = image_file(m, at, size);
		n = first ? read_section(m, first).size : 0;
	}
	if (n == 0 || n > HEADERS || size != (m->ptr == 8 ? 64u : 40u))
		return;
	const unsigned char *p = image_file(m, at, n * size);
	if (!p) {
		m->truncated = true;
		return;
	}
	if (names_at < n) {
		struct section_header s = read_section(m, p + names_at * size);
		if (s.at < m->size) {
			names.n = s.size < m->size - s.at ? s.size : m->size - s.at;
			names.p = (const char *)image_file(m, s.at, names.n);
		}
	}
	for (uint64_t i = 1; i < n; i++) {
		struct section_header s = read_section(m, p + i * size);
		if (s.type == SHT_SYMTAB)
			read_symbol_table(m, p, n, size, &s, SECT_SYMBOLS, SECT_STRINGS);
		else if (s.type == SHT_DYNSYM)
			read_symbol_table(m, p, n, size, &s, SECT_DYNAMIC_SYMBOLS, SECT_DYNAMIC_STRINGS);
		else if (s.type != SHT_NOBITS && names.p && s.name < names.n)
			take_section(m, &s,
				     (struct span){ names.p + s.name,
						    strnlen(names.p + s.name, names.n - s.name) });
	}
}

/* ---- dynamic linking ---- */

struct dynamic {
	uint64_t rela, rela_size, symbols, strings, strings_size, flags, flags_1;
	bool now;
	uint64_t needed[NEEDED];
	size_t n_needed;
};

static void read_dynamic(struct image *m, struct dynamic *d)
{
	const unsigned char *p = image_file(m, m->dynamic.at, m->dynamic.filed);

	*d = (struct dynamic){ 0 };
	for (uint64_t i = 0; p && i + 2 * (uint64_t)m->ptr <= m->dynamic.filed; i += 2 * (uint64_t)m->ptr) {
		uint64_t tag = rdptr(m, p + i), value = rdptr(m, p + i + m->ptr);
		if (tag == 0)
			break;
		switch (tag) {
		case DT_NEEDED:
			if (d->n_needed < NEEDED)
				d->needed[d->n_needed++] = value;
			break;
		case DT_STRTAB: d->strings = value; break;
		case DT_STRSZ: d->strings_size = value; break;
		case DT_SYMTAB: d->symbols = value; break;
		case DT_RELA: d->rela = value; break;
		case DT_RELASZ: d->rela_size = value; break;
		case DT_BIND_NOW: d->now = true; break;
		case DT_FLAGS: d->flags = value; break;
		case DT_FLAGS_1: d->flags_1 = value; break;
		default: break;
		}
	}
	d->now |= (d->flags & 8) || (d->flags_1 & 1);
}

static void harden(struct image *m, struct probe *p)
{
	struct probe_hardening *h = &p->hard;
	struct dynamic d;

	read_dynamic(m, &d);
	bool loader = h->dynamic == PROBE_YES;
	if (m->type == ET_DYN)
		p->kind = loader || (d.flags_1 & 0x08000000) ? PROBE_PROGRAM : PROBE_LIBRARY;
	h->pie = m->type == ET_DYN ? PROBE_YES : PROBE_NO;
	if (h->relro == PROBE_PARTLY && (d.now || !m->dynamic.filed))
		h->relro = PROBE_YES;
	else if (h->relro == PROBE_UNKNOWN)
		h->relro = PROBE_NO;
	if (h->nx == PROBE_UNKNOWN)
		h->nx = PROBE_NO; /* without PT_GNU_STACK kernels give an executable stack */
	if (h->writable_code == PROBE_UNKNOWN)
		h->writable_code = PROBE_NO;
	h->dynamic = loader || d.n_needed ? PROBE_YES : PROBE_NO;
	h->signature = h->aslr_high_entropy = h->cfg = PROBE_NONE_SUCH;
	struct span *v = d.n_needed ? arena_alloc(&p->mem, d.n_needed * sizeof(*v)) : NULL;
	for (size_t i = 0; v && i < d.n_needed; i++) {
		uint64_t rest;
		const char *name = (const char *)(d.needed[i] < d.strings_size
							  ? image_rest(m, d.strings + d.needed[i], &rest)
							  : NULL);
		if (name)
			v[p->n_libraries++] =
				(struct span){ name,
					       strnlen(name, rest < d.strings_size ? rest : d.strings_size) };
	}
	p->libraries = v;
}

/* For each processor: the type that adds the load address, and the one of a symbol's address. 32-bit ones keep it in place. */
static const struct {
	unsigned machine, relative, symbol;
} relocations[] = {
	{ 62, 8, 1 }, { 183, 1027, 257 }, { 21, 22, 38 }, { 243, 3, 2 }, { 22, 12, 22 }, { 258, 3, 2 },
};

void image_relocate_elf(struct image *m)
{
	struct dynamic d;
	size_t row = 0;

	while (row < ARRAY_LEN(relocations) && relocations[row].machine != m->machine)
		row++;
	if (m->type != ET_DYN || m->ptr != 8 || row == ARRAY_LEN(relocations))
		return;
	read_dynamic(m, &d);
	uint64_t rest = 0;
	const unsigned char *p = d.rela ? image_rest(m, d.rela, &rest) : NULL;
	if (p && d.rela_size < rest)
		rest = d.rela_size;
	for (uint64_t i = 0; p && i + 24 <= rest; i += 24) {
		uint64_t where = rd64(m, p + i), info = rd64(m, p + i + 8), value = rd64(m, p + i + 16);
		uint32_t type = (uint32_t)info;
		if (type == relocations[row].symbol) {
			const unsigned char *s = image_addr(m, d.symbols + (info >> 32) * 24, 24);
			if (!s || rd16(m, s + 6) == 0)
				continue;
			value += rd64(m, s + 8);
		} else if (type != relocations[row].relative) {
			continue;
		}
		unsigned char *to = image_addr(m, where, 8);
		if (image_swaps(m))
			value = __builtin_bswap64(value);
		if (to)
			memcpy(to, &value, sizeof(value));
	}
}

/* ---- core files ---- */

/* NT_FILE, else the short name in NT_PRPSINFO. */
static void name_core(struct image *m, struct probe *p)
{
	const struct region *note = &m->notes[0];
	const unsigned char *t = m->n_notes ? image_file(m, note->at, note->filed) : NULL;

	for (uint64_t at = 0; t && note->filed - at >= 12;) {
		uint32_t n_name = rd32(m, t + at), n = rd32(m, t + at + 4), type = rd32(m, t + at + 8);
		uint64_t body = at + 12 + (((uint64_t)n_name + 3) & ~3ull);
		if (body > note->filed || n > note->filed - body)
			return;
		uint64_t skip = 0;
		if (type == 0x46494c45 &&
		    n >= 2u * (unsigned)m->ptr) { /* count, page size, then three words each, then names */
			uint64_t count = rdptr(m, t + body);
			skip = count < n ? (2 + 3 * count) * (unsigned)m->ptr : n;
		} else if (type == 3 && n >= (m->ptr == 8 ? 136u : 124u) && !p->core_of.p) {
			skip = m->ptr == 8 ? 40 : 28;
		}
		if (skip && skip < n)
			p->core_of = (struct span){ (const char *)t + body + skip,
						    strnlen((const char *)t + body + skip, n - skip) };
		if (type == 0x46494c45 && p->core_of.n)
			return;
		at = body + (((uint64_t)n + 3) & ~3ull);
		if (at > note->filed)
			return;
	}
}

static void note_system(struct probe *p, unsigned abi)
{
	static const struct {
		unsigned abi;
		struct span os;
	} rows[] = { { 2, S("netbsd") },
		     { 3, S("linux") },
		     { 6, S("solaris") },
		     { 9, S("freebsd") },
		     { 12, S("openbsd") } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].abi == abi)
			p->os = rows[i].os;
}

int image_read_elf(struct image *m, struct probe *p, struct err *e)
{
	const unsigned char *h = image_file(m, 0, 52);

	if (!h || (h[4] != 1 && h[4] != 2) || (h[5] != 1 && h[5] != 2) || (h[4] == 2 && m->size < 64))
		return -ENOEXEC;
	m->big = h[5] == 2;
	m->ptr = h[4] == 2 ? 8 : 4;
	p->bits = 8 * m->ptr;
	note_system(p, h[7]);
	m->type = rd16(m, h + 16);
	m->machine = rd16(m, h + 18);
	h = image_file(m, 0, m->ptr == 8 ? 64 : 52);
	const unsigned char *tail = h + (m->ptr == 8 ? 54 : 42); /* e_phentsize and what follows */
	p->kind = m->type == ET_REL ? PROBE_OBJECT : m->type == ET_CORE ? PROBE_CORE : PROBE_PROGRAM;
	if (!read_segments(m, p, rdptr(m, h + (m->ptr == 8 ? 32 : 28)), rd16(m, tail), rd16(m, tail + 2)))
		return -ENOEXEC;
	read_sections(m, rdptr(m, h + (m->ptr == 8 ? 40 : 32)), rd16(m, tail + 4), rd16(m, tail + 6),
		      rd16(m, tail + 8));
	if (m->type == ET_CORE)
		name_core(m, p);
	else
		harden(m, p);
	return 0;
}
