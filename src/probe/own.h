#ifndef PROBE_OWN_H
#define PROBE_OWN_H

#include "probe/image.h"

/* What the readers of one binary share. */

/* How the tables of functions look, by their magic number. */
enum shape { SHAPE_NONE, SHAPE_12, SHAPE_116, SHAPE_118, SHAPE_120 };

/* The tables of functions ("pclntab"). All offsets were checked against the sizes beside them. */
struct pcln {
	enum shape shape;
	uint64_t addr;
	unsigned quantum;
	uint64_t n_funcs, n_files, text;
	const unsigned char *names, *cus, *files, *pcs,
		*table; /* table: of functions, and their descriptions */
	uint64_t n_names, n_cus, n_files_bytes, n_pcs, n_table;
};

struct layout;
struct module { /* runtime.moduledata */
	uint64_t addr;
	const struct layout *layout; /* NULL: not found, or of a shape that we do not know */
	uint64_t text, etext, inline_base /* what offsets of function data count from */;
};

struct reading {
	struct probe *p;
	struct image *m;
	struct pcln t;
	struct module md;
	bool no_memory, full /* what may be held was reached */;
	bool damaged_functions, damaged_trees;
};

/* Rooms of this probe. NULL: no memory (no_memory), or more than the file may take (full). */
void *reading_room(struct reading *r, uint64_t n, size_t each);
struct span reading_text(struct reading *r, struct span s); /* a copy */
void reading_explain(struct reading *r,
		     bool build_only); /* says of each part that is absent why (absent.c) */

void read_build_info(struct reading *r);    /* buildinfo.c */
void read_mod_text(struct reading *r);      /* its lines */
void read_build_id(struct reading *r);      /* buildid.c */
bool read_tables(struct reading *r);        /* pclntab.c: find and check the tables */
bool check_tables(struct pcln *t, int ptr); /* and cut them to what can be used */
void read_functions(struct reading *r);
void read_files(struct reading *r);
void read_inlined(struct reading *r);   /* inlined.c */
void find_module(struct reading *r);    /* moduledata.c */
bool find_disguised(struct reading *r); /* tables whose magic number was changed, by what points to them */
bool module_slice(struct reading *r, int word, uint64_t *at,
		  uint64_t *n);      /* a slice of it, its length checked */
void read_module(struct reading *r); /* plugin path and hashes */
void read_runtime_version(struct reading *r);
void read_init(struct reading *r);   /* initorder.c */
void read_embeds(struct reading *r); /* embeds.c */
void read_system(struct reading *r); /* GOOS of a binary whose headers do not say it */

int module_word_inittasks(const struct reading *r); /* -1: none in this version */
/* The function that begins at, or holds, addr; NULL: none. */
const struct probe_func *function_at(const struct reading *r, uint64_t addr);
const unsigned char *function_record(const struct reading *r, size_t i); /* its description in the table */
bool pcln_uvarint(const unsigned char **p, const unsigned char *end, uint32_t *ret);

/* Packages while they are gathered. */
struct packages {
	struct probe_package *v;
	struct span *raw; /* as the linker writes them */
	uint32_t *slots;
	size_t n, cap, cap_raw, n_slots, max;
	uint32_t last;
};
uint32_t package_number(struct reading *r, struct packages *k, const char *name, size_t n);
bool packages_keep(struct reading *r, struct packages *k, struct probe_func *funcs,
		   struct probe_inlined *inlined);
void packages_free(struct packages *k);
#endif
