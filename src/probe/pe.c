#include <errno.h>

#include "base/mem.h"
#include "probe/image.h"

/* PE. Numbers and layouts: Microsoft's "PE Format" specification. */

enum { HIGH_ENTROPY_VA = 0x20, DYNAMIC_BASE = 0x40, NX_COMPAT = 0x100, GUARD_CF = 0x4000 };
#define DLL          0x2000u /* of the file header */
#define DLLS         1024
#define SYMBOL       18
#define IMPORT       20
#define CERTIFICATES 4 /* row of the data directories */

static void take_sections(struct image *m, struct probe *p, uint64_t base, const unsigned char *s, unsigned n)
{
	for (; n; s += 40, n--) {
		uint32_t size = rd32(m, s + 8), addr = rd32(m, s + 12), filed = rd32(m, s + 16),
			 at = rd32(m, s + 20), flags = rd32(m, s + 36);
		bool write = flags >> 31, exec = flags >> 29 & 1;
		if (write && exec)
			p->hard.writable_code = PROBE_YES;
		if (memcmp(s, ".text\0\0\0", 8) == 0)
			image_set_section(m, SECT_TEXT, base + addr, filed < size ? filed : size, at, false);
		if (memcmp(s, "UPX0\0\0\0\0", 8) == 0 || memcmp(s, "UPX1\0\0\0\0", 8) == 0)
			p->packer = "UPX";
		/* The names of DWARF's are longer than eight bytes: they stand behind the symbols. */
		if (s[0] == '/' && (flags & 0x02000000))
			image_set_section(m, SECT_DWARF, 0, filed, at, false);
		/* Every section is a region, in order, because symbols count them. */
		size_t was = m->n_regions;
		image_add_region(m, base + addr, size ? size : 1, at, filed, write, exec);
		if (m->n_regions == was)
			m->crowded = true;
	}
}

static void read_symbols(struct image *m, uint64_t at, uint64_t n)
{
	if (at == 0 || n == 0)
		return;
	m->symbol_size = SYMBOL;
	image_set_section(m, SECT_SYMBOLS, 0, n * SYMBOL, at, false);
	const unsigned char *size = image_file(m, at + n * SYMBOL, 4);
	if (size)
		image_set_section(m, SECT_STRINGS, 0, rd32(m, size), at + n * SYMBOL, false);
}

static void read_imports(struct image *m, struct probe *p, uint64_t base, uint64_t addr)
{
	struct span *v = addr ? arena_alloc(&p->mem, DLLS * sizeof(*v)) : NULL;

	p->libraries = v;
	for (; v && p->n_libraries < DLLS; addr += IMPORT) {
		const unsigned char *d = image_addr(m, base + addr, IMPORT);
		uint64_t rest;
		if (!d || rd32(m, d + 12) == 0)
			return;
		const char *name = (const char *)image_rest(m, base + rd32(m, d + 12), &rest);
		if (name)
			v[p->n_libraries++] = (struct span){ name, strnlen(name, rest < 256 ? rest : 256) };
	}
}

static void harden(struct probe *p, unsigned flags, bool certified)
{
	struct probe_hardening *h = &p->hard;

	h->pie = flags & DYNAMIC_BASE ? PROBE_YES : PROBE_NO;
	h->nx = flags & NX_COMPAT ? PROBE_YES : PROBE_NO;
	h->aslr_high_entropy = p->bits == 32             ? PROBE_NONE_SUCH
			       : flags & HIGH_ENTROPY_VA ? PROBE_YES
							 : PROBE_NO;
	h->cfg = flags & GUARD_CF ? PROBE_YES : PROBE_NO;
	h->signature = certified ? PROBE_YES : PROBE_NO;
	h->relro = PROBE_NONE_SUCH;
	if (h->writable_code == PROBE_UNKNOWN)
		h->writable_code = PROBE_NO;
	h->dynamic = p->n_libraries ? PROBE_YES : PROBE_NO;
}

int image_read_pe(struct image *m, struct probe *p, struct err *e)
{
	const unsigned char *dos = image_file(m, 0, 64);

	m->ptr = 4; /* until it is known */
	uint64_t at = dos ? rd32(m, dos + 60) : 0;
	const unsigned char *h = dos ? image_file(m, at, 24 + 72) : NULL;
	if (!h || memcmp(h, "PE\0\0", 4) != 0)
		return -ENOEXEC;
	m->machine = rd16(m, h + 4);
	unsigned n = rd16(m, h + 6), optional = rd16(m, h + 20), magic = rd16(m, h + 24),
		 characteristics = rd16(m, h + 22);
	if (magic != 0x10b && magic != 0x20b)
		return -ENOEXEC;
	m->ptr = magic == 0x20b ? 8 : 4;
	p->bits = 8 * m->ptr;
	p->os = S("windows");
	p->kind = characteristics & DLL ? PROBE_LIBRARY : PROBE_PROGRAM;
	uint64_t base = m->ptr == 8 ? rd64(m, h + 24 + 24) : rd32(m, h + 24 + 28);
	unsigned flags = rd16(m, h + 24 + 70), first = m->ptr == 8 ? 112 : 96;
	const unsigned char *directories = optional >= first + 8 * (CERTIFICATES + 1)
						   ? image_file(m, at + 24 + first, 8 * (CERTIFICATES + 1))
						   : NULL;
	const unsigned char *sections = image_file(m, at + 24 + optional, 40 * (uint64_t)n);
	if (!sections) {
		m->truncated = true;
		return 0;
	}
	if (base <= UINT64_MAX / 2)
		take_sections(m, p, base, sections, n);
	read_symbols(m, rd32(m, h + 12), rd32(m, h + 16));
	if (directories)
		read_imports(m, p, base, rd32(m, directories + 8));
	harden(p, flags,
	       directories && rd32(m, directories + 8 * CERTIFICATES) &&
		       rd32(m, directories + 8 * CERTIFICATES + 4));
	return 0;
}
