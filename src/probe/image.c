#include <errno.h>

#include "base/mem.h"
#include "probe/image.h"

void image_add_region(struct image *m, uint64_t addr, uint64_t size, uint64_t at, uint64_t filed, bool write,
		      bool exec)
{
	if (at > m->size || filed > m->size - at) {
		m->truncated = true;
		filed = at < m->size ? m->size - at : 0;
	}
	if (filed > size)
		filed = size;
	if (size == 0 || addr > UINT64_MAX - size)
		return;
	if (m->n_regions == IMAGE_REGIONS) {
		m->crowded = true;
		return;
	}
	m->regions[m->n_regions++] = (struct region){ addr, size, at, filed, write, exec };
}

void image_set_section(struct image *m, enum section s, uint64_t addr, uint64_t size, uint64_t at, bool write)
{
	struct region r = { addr, size, at, size, write, false };

	if (m->sect[s].size == 0 && image_cut(m, &r))
		m->sect[s] = r;
}

bool image_cut(struct image *m, struct region *r)
{
	if (r->at >= m->size || r->filed > m->size - r->at) {
		m->truncated |= r->filed != 0;
		r->filed = r->at < m->size ? m->size - r->at : 0;
	}
	r->size = r->filed;
	return r->filed && r->addr <= UINT64_MAX - r->size;
}

unsigned char *image_file(struct image *m, uint64_t at, uint64_t n)
{
	if (at > m->size || n > m->size - at)
		return NULL;
	return source_at(m->src, m->base + at, n);
}

const struct region *image_region(struct image *m, uint64_t addr)
{
	for (size_t i = 0; i < m->n_regions; i++) {
		const struct region *r = &m->regions[m->last];
		if (addr >= r->addr && addr - r->addr < r->size)
			return r;
		m->last = i;
	}
	const struct region *r = m->n_regions ? &m->regions[m->last] : NULL;
	return r && addr >= r->addr && addr - r->addr < r->size ? r : NULL;
}

bool image_file_place(struct image *m, uint64_t addr, uint64_t n, uint64_t *at)
{
	const struct region *r = image_region(m, addr);

	if (!r || addr - r->addr > r->filed || n > r->filed - (addr - r->addr))
		return false;
	*at = m->base + r->at + (addr - r->addr);
	return true;
}

unsigned char *image_addr(struct image *m, uint64_t addr, uint64_t n)
{
	uint64_t at;

	return image_file_place(m, addr, n, &at) ? source_at(m->src, at, n) : NULL;
}

unsigned char *image_rest(struct image *m, uint64_t addr, uint64_t *n)
{
	const struct region *r = image_region(m, addr);

	if (!r || addr - r->addr >= r->filed)
		return NULL;
	*n = r->filed - (addr - r->addr);
	return image_addr(m, addr, *n);
}

bool image_in_code(struct image *m, uint64_t addr)
{
	const struct region *r = image_region(m, addr);

	return r && r->exec;
}

struct span image_string(struct image *m, uint64_t header)
{
	const unsigned char *h = image_addr(m, header, 2 * (uint64_t)m->ptr);

	if (!h)
		return (struct span){ 0 };
	uint64_t n = rdptr(m, h + m->ptr);
	const unsigned char *p = image_addr(m, rdptr(m, h), n);
	return p ? (struct span){ (const char *)p, n } : (struct span){ 0 };
}

void image_relocate(struct image *m)
{
	if (m->relocated)
		return;
	m->relocated = true;
	if (m->format == PROBE_ELF)
		image_relocate_elf(m);
	else if (m->format == PROBE_MACHO)
		image_relocate_macho(m);
}

/* ---- symbols ---- */

/* ELF and Mach-O hold the same in another order; PE is of its own. */
static bool read_symbol(struct image *m, const unsigned char *p, const char *names, size_t n_names,
			struct image_symbol *s)
{
	uint32_t name = rd32(m, p);

	if (m->format == PROBE_ELF) {
		s->addr = m->ptr == 8 ? rd64(m, p + 8) : rd32(m, p + 4);
		unsigned section = rd16(m, p + (m->ptr == 8 ? 6 : 14));
		if (section == 0 || (p[m->ptr == 8 ? 4 : 12] & 15) > 2) /* undefined; a section, a file */
			return false;
	} else if (m->format == PROBE_MACHO) {
		s->addr = m->ptr == 8 ? rd64(m, p + 8) : rd32(m, p + 8);
		if ((p[4] & 0xe0) || (p[4] & 0x0e) != 0x0e) /* of the debugger; defined in no section */
			return false;
	} else {
		unsigned section = rd16(m, p + 12);
		if (section == 0 || section > m->n_regions)
			return false;
		s->addr = m->regions[section - 1].addr + rd32(m, p + 8);
		if (name) { /* up to eight bytes, in place */
			s->name = (struct span){ (const char *)p, strnlen((const char *)p, 8) };
			return true;
		}
		name = rd32(m, p + 4);
	}
	if (name >= n_names)
		return false;
	s->name = (struct span){ names + name, strnlen(names + name, n_names - name) };
	if (m->format == PROBE_MACHO && s->name.n && s->name.p[0] == '_')
		s->name = span_from(s->name, 1);
	return s->name.n > 0;
}

void image_symbols(struct image *m, bool (*each)(void *ctx, const struct image_symbol *s), void *ctx)
{
	bool stripped = m->sect[SECT_SYMBOLS].size == 0;
	const struct region *t = &m->sect[stripped ? SECT_DYNAMIC_SYMBOLS : SECT_SYMBOLS];
	const struct region *n = &m->sect[stripped ? SECT_DYNAMIC_STRINGS : SECT_STRINGS];
	const unsigned char *p = t->size ? image_file(m, t->at, t->filed) : NULL;
	const char *names = n->size ? (const char *)image_file(m, n->at, n->filed) : NULL;

	if (!p || !names || m->symbol_size == 0)
		return;
	for (uint64_t i = 0, count = t->filed / m->symbol_size; i < count; i++) {
		const unsigned char *one = p + i * m->symbol_size;
		struct image_symbol s;
		if (read_symbol(m, one, names, n->filed, &s) && !each(ctx, &s))
			return;
		if (m->format == PROBE_PE)
			i += one[17]; /* what belongs to it */
	}
}

struct wanted {
	struct span name;
	uint64_t addr;
	bool found;
};

static bool is_wanted(void *ctx, const struct image_symbol *s)
{
	struct wanted *w = ctx;

	w->found = span_eq(w->name, s->name);
	w->addr = s->addr;
	return !w->found;
}

bool image_symbol(struct image *m, struct span name, uint64_t *addr)
{
	struct wanted w = { .name = name };

	image_symbols(m, is_wanted, &w);
	if (w.found)
		*addr = w.addr;
	return w.found;
}

/* ---- which format ---- */

static const struct {
	struct span magic;
	struct tx what;
} others[] = {
	{ S("#!"), { "a script", "脚本" } },
	{ S("\0asm"), { "a WebAssembly module", "WebAssembly 模块" } },
	{ S("!<arch>\n"), { "an archive of objects (ar): link it first", "目标文件归档（ar）：须先链接" } },
	{ S("\037\213"), { "compressed with gzip", "gzip 压缩文件" } },
	{ S("(\265/\375"), { "compressed with zstd", "zstd 压缩文件" } },
	{ S("\3757zXZ"), { "compressed with xz", "xz 压缩文件" } },
	{ S("PK\3\4"), { "a zip archive", "zip 归档" } },
	{ S("\x01\xf7"), { "an XCOFF binary of AIX", "AIX 的 XCOFF 二进制" } },
	{ S("\x01\xdf"), { "an XCOFF binary of AIX", "AIX 的 XCOFF 二进制" } },
	{ S("go object "),
	  { "an object file of the Go compiler: link it first", "Go 编译器的目标文件：须先链接" } },
	{ S("BC\xc0\xde"), { "LLVM bitcode", "LLVM 位码" } },
};

static int no_binary(struct span head, const char *name, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (span_starts(head, others[i].magic))
			return err_set(e, ENOEXEC,
				       TR("'%s' is %s, no ELF, Mach-O or PE binary",
					  "“%s”是%s，不是 ELF、Mach-O 或 PE 二进制"),
				       name, tx(others[i].what));
	if (head.n == 0)
		return err_set(e, ENOEXEC, TR("'%s' is empty", "“%s”是空文件"), name);
	return err_set(e, ENOEXEC,
		       TR("'%s' is no ELF, Mach-O or PE binary", "“%s”不是 ELF、Mach-O 或 PE 二进制"), name);
}

/* GOARCH by what the headers call it. */
static const struct {
	uint8_t format;
	bool big;
	uint8_t bits;
	uint32_t machine;
	const char *name;
} machines[] = {
	{ PROBE_ELF, false, 32, 3, "386" },       { PROBE_ELF, false, 64, 62, "amd64" },
	{ PROBE_ELF, false, 32, 40, "arm" },      { PROBE_ELF, false, 64, 183, "arm64" },
	{ PROBE_ELF, true, 32, 8, "mips" },       { PROBE_ELF, false, 32, 8, "mipsle" },
	{ PROBE_ELF, true, 64, 8, "mips64" },     { PROBE_ELF, false, 64, 8, "mips64le" },
	{ PROBE_ELF, true, 64, 21, "ppc64" },     { PROBE_ELF, false, 64, 21, "ppc64le" },
	{ PROBE_ELF, false, 64, 243, "riscv64" }, { PROBE_ELF, false, 32, 243, "riscv" },
	{ PROBE_ELF, true, 64, 22, "s390x" },     { PROBE_ELF, false, 64, 258, "loong64" },
	{ PROBE_ELF, true, 64, 43, "sparc64" },   { PROBE_ELF, true, 32, 20, "ppc" },
	{ PROBE_MACHO, false, 32, 7, "386" },     { PROBE_MACHO, false, 64, 0x01000007, "amd64" },
	{ PROBE_MACHO, false, 32, 12, "arm" },    { PROBE_MACHO, false, 64, 0x0100000c, "arm64" },
	{ PROBE_MACHO, true, 32, 18, "ppc" },     { PROBE_MACHO, true, 64, 0x01000012, "ppc64" },
	{ PROBE_PE, false, 32, 0x14c, "386" },    { PROBE_PE, false, 64, 0x8664, "amd64" },
	{ PROBE_PE, false, 32, 0x1c0, "arm" },    { PROBE_PE, false, 32, 0x1c4, "arm" },
	{ PROBE_PE, false, 64, 0xaa64, "arm64" },
};

const char *image_arch(enum probe_format format, bool big, int bits, uint32_t machine)
{
	for (size_t i = 0; i < ARRAY_LEN(machines); i++)
		if (machines[i].format == format && machines[i].machine == machine &&
		    machines[i].bits == bits && machines[i].big == big)
			return machines[i].name;
	return "";
}

static enum probe_format format_of(struct span head)
{
	static const struct {
		struct span magic;
		enum probe_format format;
	} rows[] = {
		{ S("\x7f"
		    "ELF"),
		  PROBE_ELF },
		{ S("\xfe\xed\xfa\xce"), PROBE_MACHO },
		{ S("\xfe\xed\xfa\xcf"), PROBE_MACHO },
		{ S("\xce\xfa\xed\xfe"), PROBE_MACHO },
		{ S("\xcf\xfa\xed\xfe"), PROBE_MACHO },
		{ S("MZ"), PROBE_PE },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (span_starts(head, rows[i].magic))
			return rows[i].format;
	return 0;
}

static struct span head_of(struct image *m)
{
	uint64_t n = m->size < 64 ? m->size : 64;

	return (struct span){ (const char *)image_file(m, 0, n), n };
}

int image_read(struct image *m, struct probe *p, const char *name, const struct probe_options *o,
	       struct err *e)
{
	static int (*const readers[])(struct image *, struct probe *, struct err *) = {
		[PROBE_ELF] = image_read_elf,
		[PROBE_MACHO] = image_read_macho,
		[PROBE_PE] = image_read_pe,
	};

	m->size = m->src->size;
	int r = image_fat(m, p, o, e);
	if (r < 0)
		return r;
	struct span head = head_of(m);
	m->format = format_of(head);
	if (!m->format)
		return no_binary(head, name, e);
	p->format = m->format;
	r = readers[m->format](m, p, e);
	if (r == -ENOEXEC)
		return err_set(e, ENOEXEC,
			       TR("'%s' begins like a binary, but its headers are damaged or cut off",
				  "“%s”开头像二进制文件，但文件头损坏或不完整"),
			       name);
	p->arch = image_arch(m->format, m->big, p->bits, m->machine);
	p->big_endian = m->big;
	return r;
}
