#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "probe/image.h"

/* Mach-O, thin and fat. Numbers and layouts: Apple's public headers mach-o/loader.h, mach-o/fat.h and mach-o/fixup-chains.h. */

enum {
	LC_SEGMENT = 1,
	LC_SYMTAB = 2,
	LC_LOAD_DYLIB = 0xc,
	LC_SEGMENT_64 = 0x19,
	LC_UUID = 0x1b,
	LC_CODE_SIGNATURE = 0x1d,
	LC_VERSION_MIN_IPHONEOS = 0x25,
	LC_BUILD_VERSION = 0x32,
};
#define LC_LOAD_WEAK_DYLIB     0x80000018u
#define LC_REEXPORT_DYLIB      0x8000001fu
#define LC_DYLD_CHAINED_FIXUPS 0x80000034u
enum { MH_OBJECT = 1, MH_EXECUTE = 2, MH_CORE = 4, MH_DYLIB = 6, MH_BUNDLE = 8 };
#define MH_ALLOW_STACK_EXECUTION 0x20000u
#define MH_PIE                   0x200000u
#define FAT_SLICES \
	64 /* also tells a Java class: its second word is a version of 45 and more, and its parts are in no file */
#define COMMANDS  65536
#define LIBRARIES 1024

/* ---- fat ---- */

static const char *this_machine(void)
{
#if defined(__x86_64__)
	return "amd64";
#elif defined(__aarch64__)
	return "arm64";
#elif defined(__i386__)
	return "386";
#else
	return "";
#endif
}

static uint64_t fat_number(const unsigned char *p, int n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | *p++;
	return v;
}

/* Which slice: the one asked for, else this machine's, else the first. */
static int pick_slice(struct probe *p, const struct probe_options *o, struct err *e)
{
	for (size_t i = 0; i < p->n_slices; i++) {
		const char *want = o && o->arch ? o->arch : this_machine();
		if (strcmp(p->slices[i].arch, want) == 0) {
			p->slice = i;
			return 0;
		}
	}
	if (o && o->arch)
		return err_set(e, EINVAL,
			       TR("no part of this binary is for %s", "该二进制中没有用于 %s 的部分"),
			       o->arch);
	return 0;
}

int image_fat(struct image *m, struct probe *p, const struct probe_options *o, struct err *e)
{
	const unsigned char *h = image_file(m, 0, 8);

	if (!h || (memcmp(h, "\xca\xfe\xba\xbe", 4) != 0 && memcmp(h, "\xca\xfe\xba\xbf", 4) != 0))
		return 0;
	bool wide = h[3] == 0xbf;
	uint64_t n = fat_number(h + 4, 4), one = wide ? 32 : 20;
	const unsigned char *t = n <= FAT_SLICES ? image_file(m, 8, n * one) : NULL;
	struct probe_slice *v = t && n ? arena_alloc(&p->mem, n * sizeof(*v)) : NULL;
	for (uint64_t i = 0; v && i < n; i++, t += one) {
		uint64_t cpu = fat_number(t, 4);
		struct probe_slice s = { image_arch(PROBE_MACHO, false, cpu >> 24 ? 64 : 32, (uint32_t)cpu),
					 fat_number(t + 8, wide ? 8 : 4),
					 fat_number(t + (wide ? 16 : 12), wide ? 8 : 4) };
		if (s.at >= m->size || s.size == 0)
			continue;
		if (s.size > m->size - s.at) {
			m->truncated = true;
			s.size = m->size - s.at;
		}
		v[p->n_slices++] = s;
	}
	if (!v || !p->n_slices)
		return 0; /* none: "no binary" is said of it */
	p->slices = v;
	int r = pick_slice(p, o, e);
	m->base = v[p->slice].at;
	m->size = v[p->slice].size;
	return r;
}

/* ---- load commands ---- */

static const struct {
	const char *name; /* sixteen bytes at most, as in the file */
	enum section section;
} wanted[] = {
	{ "__go_buildinfo", SECT_BUILDINFO }, { "__gopclntab", SECT_PCLNTAB },
	{ "__go_module", SECT_MODULE },       { "__text", SECT_TEXT },
	{ "__debug_info", SECT_DWARF },       { "__zdebug_info", SECT_DWARF },
};

static void take_sections(struct image *m, const unsigned char *p, uint64_t n, bool write)
{
	uint64_t one = m->ptr == 8 ? 80 : 68;

	for (; n >= one; p += one, n -= one) {
		uint64_t addr = rdptr(m, p + 32), size = rdptr(m, p + 32 + m->ptr);
		for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
			if (strncmp((const char *)p, wanted[i].name, 16) == 0)
				image_set_section(m, wanted[i].section, addr, size,
						  rd32(m, p + 32 + 2 * m->ptr), write);
	}
}

static void take_segment(struct image *m, struct probe *p, const unsigned char *c, uint32_t size)
{
	unsigned head = m->ptr == 8 ? 72 : 56;

	if (size < head)
		return;
	const unsigned char *q = c + 24, *rights = q + 4 * m->ptr;
	uint32_t initial = rd32(m, rights + 4);
	uint64_t filed = rdptr(m, q + 3 * m->ptr);
	if (filed || initial) /* not __PAGEZERO */
		image_add_region(m, rdptr(m, q), rdptr(m, q + m->ptr), rdptr(m, q + 2 * m->ptr), filed,
				 initial & 2, initial & 4);
	if ((initial & 6) == 6)
		p->hard.writable_code = PROBE_YES;
	take_sections(m, c + head, size - head, initial & 2);
}

static void take_library(struct probe *p, struct span *v, const unsigned char *c, uint32_t size,
			 uint32_t name)
{
	if (v && name < size && p->n_libraries < LIBRARIES)
		v[p->n_libraries++] =
			(struct span){ (const char *)c + name, strnlen((const char *)c + name, size - name) };
}

static void take_platform(struct probe *p, uint32_t platform)
{
	static const struct span names[] = {
		[1] = S("darwin"), [2] = S("ios"), [6] = S("darwin"), [7] = S("ios")
	};

	if (platform < ARRAY_LEN(names) && names[platform].p)
		p->os = names[platform];
}

static void take_command(struct image *m, struct probe *p, struct span *libraries, const unsigned char *c,
			 uint32_t size)
{
	switch (rd32(m, c)) {
	case LC_SEGMENT:
	case LC_SEGMENT_64: take_segment(m, p, c, size); break;
	case LC_SYMTAB:
		if (size < 24)
			break;
		m->symbol_size = m->ptr == 8 ? 16 : 12;
		image_set_section(m, SECT_SYMBOLS, 0, rd32(m, c + 12) * (uint64_t)m->symbol_size,
				  rd32(m, c + 8), false);
		image_set_section(m, SECT_STRINGS, 0, rd32(m, c + 20), rd32(m, c + 16), false);
		break;
	case LC_UUID: {
		char *hex = size >= 24 ? arena_alloc(&p->mem, 33) : NULL;
		if (hex) {
			hex_lower(c + 8, 16, hex);
			p->link_id = (struct span){ hex, 32 };
		}
		break;
	}
	case LC_CODE_SIGNATURE: p->hard.signature = PROBE_YES; break;
	case LC_LOAD_DYLIB:
	case LC_LOAD_WEAK_DYLIB:
	case LC_REEXPORT_DYLIB:
		if (size >= 24)
			take_library(p, libraries, c, size, rd32(m, c + 8));
		break;
	case LC_VERSION_MIN_IPHONEOS: p->os = S("ios"); break;
	case LC_BUILD_VERSION:
		if (size >= 24)
			take_platform(p, rd32(m, c + 8));
		break;
	case LC_DYLD_CHAINED_FIXUPS:
		if (size >= 16) {
			m->fixups_at = rd32(m, c + 8);
			m->fixups_size = rd32(m, c + 12);
		}
		break;
	default: break;
	}
}

static void harden(struct probe *p, uint32_t type, uint32_t flags)
{
	struct probe_hardening *h = &p->hard;

	p->kind = type == MH_OBJECT    ? PROBE_OBJECT
		  : type == MH_CORE    ? PROBE_CORE
		  : type == MH_EXECUTE ? PROBE_PROGRAM
				       : PROBE_LIBRARY;
	h->pie = (flags & MH_PIE) || type == MH_DYLIB || type == MH_BUNDLE ? PROBE_YES : PROBE_NO;
	h->nx = flags & MH_ALLOW_STACK_EXECUTION ? PROBE_NO : PROBE_YES;
	h->relro = h->aslr_high_entropy = h->cfg = PROBE_NONE_SUCH;
	if (h->signature == PROBE_UNKNOWN)
		h->signature = PROBE_NO;
	if (h->writable_code == PROBE_UNKNOWN)
		h->writable_code = PROBE_NO;
	h->dynamic = p->n_libraries ? PROBE_YES : PROBE_NO;
}

int image_read_macho(struct image *m, struct probe *p, struct err *e)
{
	const unsigned char *h = image_file(m, 0, 28);

	if (!h)
		return -ENOEXEC;
	m->big = h[0] == 0xfe;
	m->ptr = h[m->big ? 3 : 0] == 0xcf ? 8 : 4;
	p->bits = 8 * m->ptr;
	p->os = S("darwin");
	m->machine = rd32(m, h + 4);
	m->type = rd32(m, h + 12);
	uint32_t count = rd32(m, h + 16), size = rd32(m, h + 20), flags = rd32(m, h + 24);
	uint64_t at = m->ptr == 8 ? 32 : 28;
	if (at > m->size || count > COMMANDS)
		return -ENOEXEC;
	if (size > m->size - at) {
		m->truncated = true;
		size = (uint32_t)(m->size - at);
	}
	const unsigned char *c = image_file(m, at, size);
	struct span *libraries = arena_alloc(&p->mem, LIBRARIES * sizeof(*libraries));
	for (uint32_t i = 0; c && i < count && size >= 8; i++) {
		uint32_t n = rd32(m, c + 4);
		if (n < 8 || n > size) {
			m->truncated = true;
			break;
		}
		take_command(m, p, libraries, c, n);
		c += n;
		size -= n;
	}
	p->libraries = libraries;
	harden(p, m->type, flags);
	return 0;
}

/* ---- chained fixups: a pointer in the file is a distance to the next one and, packed, its value ---- */

enum { POINTER_64 = 2, POINTER_64_OFFSET = 6 };

/* One page's chain. Steps are of four bytes and forward only, so that it ends. */
static void follow_chain(struct image *m, uint64_t at, uint64_t end, unsigned format, uint64_t first_addr)
{
	while (at < end && at + 8 <= end) {
		unsigned char *p = image_file(m, at, 8);
		if (!p)
			return;
		uint64_t raw = rd64(m, p), value = 0;
		if (!(raw >> 63)) { /* not of another library */
			value = (raw & ((1ull << 36) - 1)) | (raw >> 36 & 0xff) << 56;
			if (format == POINTER_64_OFFSET)
				value += first_addr;
		}
		memcpy(p, &value, sizeof(value));
		uint64_t next = raw >> 51 & 0xfff;
		if (next == 0)
			return;
		at += 4 * next;
	}
}

static void fix_segment(struct image *m, const unsigned char *s, uint64_t n, uint64_t first_addr)
{
	uint64_t page = n >= 22 ? rd16(m, s + 4) : 0;
	unsigned format = page ? rd16(m, s + 6) : 0;

	if (format != POINTER_64 && format != POINTER_64_OFFSET)
		return;
	uint64_t offset = rd64(m, s + 8), pages = rd16(m, s + 20);
	for (uint64_t i = 0; i < pages && 24 + 2 * i <= n; i++) {
		uint64_t at, start = rd16(m, s + 22 + 2 * i);
		if (start >= page || offset > UINT64_MAX / 2)
			continue;
		if (image_file_place(m, first_addr + offset + i * page, 8, &at))
			follow_chain(m, at - m->base + start, at - m->base + page + 8, format, first_addr);
	}
}

void image_relocate_macho(struct image *m)
{
	const unsigned char *f = m->fixups_size >= 28 ? image_file(m, m->fixups_at, m->fixups_size) : NULL;
	uint64_t n = m->fixups_size, first_addr = 0;

	if (!f || m->big || m->ptr != 8 || image_swaps(m))
		return;
	for (size_t i = 0; i < m->n_regions; i++)
		if (m->regions[i].at == 0 && m->regions[i].filed) {
			first_addr = m->regions[i].addr;
			break;
		}
	uint64_t starts = rd32(m, f + 4);
	uint32_t segments = starts + 4 <= n ? rd32(m, f + starts) : 0;
	for (uint32_t i = 0; i < segments && starts + 8 + 4 * (uint64_t)i <= n && i < IMAGE_REGIONS; i++) {
		uint64_t at = rd32(m, f + starts + 4 + 4 * (uint64_t)i);
		if (at && starts + at < n)
			fix_segment(m, f + starts + at, n - starts - at, first_addr);
	}
}
