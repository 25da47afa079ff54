#ifndef PROBE_IMAGE_H
#define PROBE_IMAGE_H

#include "probe/probe.h"
#include "probe/source.h"

/* A linked image: which bytes of the file stand at which address, whatever its format. */

#define IMAGE_REGIONS 512 /* more is said, and not looked at */
#define IMAGE_NOTES   8

struct region {
	uint64_t addr, size; /* in memory */
	uint64_t at, filed;  /* in the file: never more than it has */
	bool write, exec;
};

enum section { /* those that we look for by name */
	       SECT_BUILDINFO,
	       SECT_PCLNTAB,
	       SECT_MODULE,
	       SECT_TEXT,
	       SECT_SYMBOLS, /* of ELF: .symtab; of the others what their headers point to */
	       SECT_STRINGS,
	       SECT_DYNAMIC_SYMBOLS, /* those that strip leaves */
	       SECT_DYNAMIC_STRINGS,
	       SECT_DWARF,
	       SECTIONS,
};

struct image {
	struct probe_source *src;
	uint64_t base, size; /* of a slice in a fat file */
	enum probe_format format;
	bool big;
	int ptr; /* bytes of a pointer */
	unsigned machine, type;
	struct region regions[IMAGE_REGIONS]; /* loaded ones, in the file's order */
	size_t n_regions, last;
	struct region sect[SECTIONS]; /* size 0: not there */
	bool truncated, crowded; /* headers point behind the end of the file; more regions than we keep */
	bool relocated;
	uint64_t fixups_at, fixups_size;           /* Mach-O: chained fixups */
	struct region dynamic, notes[IMAGE_NOTES]; /* ELF */
	size_t n_notes;
	size_t symbol_size;
};

/* The format's reader fills image and the format's part of p. 0, or -errno with a sentence. */
int image_read(struct image *m, struct probe *p, const char *name, const struct probe_options *o,
	       struct err *e);
/* One of a fat file's slices: it becomes the image. */
int image_fat(struct image *m, struct probe *p, const struct probe_options *o, struct err *e);
const char *image_arch(enum probe_format format, bool big, int bits,
		       uint32_t machine); /* "": none that Go knows */
int image_read_elf(struct image *m, struct probe *p, struct err *e);
int image_read_macho(struct image *m, struct probe *p, struct err *e);
int image_read_pe(struct image *m, struct probe *p, struct err *e);
/* Pointers of a position-independent image get the values that its loader would give at address 0. Once, when first needed. */
void image_relocate(struct image *m);
void image_relocate_elf(struct image *m);
void image_relocate_macho(struct image *m);

void image_add_region(struct image *m, uint64_t addr, uint64_t size, uint64_t at, uint64_t filed, bool write,
		      bool exec);
void image_set_section(struct image *m, enum section s, uint64_t addr, uint64_t size, uint64_t at,
		       bool write);

unsigned char *image_file(struct image *m, uint64_t at,
			  uint64_t n); /* by place in the file; NULL: not there */
unsigned char *image_addr(struct image *m, uint64_t addr, uint64_t n); /* by address */
const struct region *image_region(struct image *m, uint64_t addr);     /* NULL: nothing is loaded there */
/* All that the file has from addr to the end of its region: *n bytes. */
unsigned char *image_rest(struct image *m, uint64_t addr, uint64_t *n);
bool image_in_code(struct image *m, uint64_t addr);
bool image_file_place(struct image *m, uint64_t addr, uint64_t n,
		      uint64_t *at);               /* in the whole file, not read */
bool image_cut(struct image *m, struct region *r); /* to what the file has; false: nothing is left */
struct span image_string(struct image *m,
			 uint64_t header); /* a Go string by the address of its header; absent: none */

static inline bool image_swaps(const struct image *m)
{
	return m->big != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

static inline uint16_t rd16(const struct image *m, const unsigned char *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return image_swaps(m) ? __builtin_bswap16(v) : v;
}

static inline uint32_t rd32(const struct image *m, const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return image_swaps(m) ? __builtin_bswap32(v) : v;
}

static inline uint64_t rd64(const struct image *m, const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return image_swaps(m) ? __builtin_bswap64(v) : v;
}

static inline uint64_t rdptr(const struct image *m, const unsigned char *p)
{
	return m->ptr == 8 ? rd64(m, p) : rd32(m, p);
}

static inline bool image_ptr(struct image *m, uint64_t addr, uint64_t *ret)
{
	const unsigned char *p = image_addr(m, addr, (uint64_t)m->ptr);

	if (p)
		*ret = rdptr(m, p);
	return p != NULL;
}

/* Symbols, whatever their format; only those that are defined. false from `each` ends the walk. */
struct image_symbol {
	struct span name;
	uint64_t addr;
};
void image_symbols(struct image *m, bool (*each)(void *ctx, const struct image_symbol *s), void *ctx);
bool image_symbol(struct image *m, struct span name, uint64_t *addr);
#endif
