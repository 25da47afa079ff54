#include <stdio.h>

#include "base/mem.h"
#include "probe/own.h"

/* runtime.moduledata: the linker's own list of where everything stands. Its shape changes with versions: a row each. */

#define WORDS 64

struct layout {
	enum shape shape;
	int from, to;                                                        /* of Go 1.x */
	int inline_base, sections /* of text */, plugin_path, hashes, tasks; /* indexes of words; -1: none */
};

static const struct layout layouts[] = {
	{ SHAPE_120, 27, 99, 43, 45, 51, 53, 56 }, { SHAPE_120, 26, 26, 40, 42, 54, 56, 59 },
	{ SHAPE_120, 21, 25, 40, 41, 53, 55, 58 }, { SHAPE_120, 20, 20, 40, 41, 53, 55, -1 },
	{ SHAPE_118, 18, 19, 38, 39, 51, 53, -1 }, { SHAPE_116, 16, 17, -1, 37, 49, 51, -1 },
};

enum { WORD_NAMES = 1, WORD_TEXT = 22, WORD_ETEXT = 23 };

static bool word(const struct reading *r, int i, uint64_t *ret)
{
	return image_ptr(r->m, r->md.addr + (uint64_t)i * (unsigned)r->m->ptr, ret);
}

bool module_slice(struct reading *r, int i, uint64_t *at, uint64_t *n)
{
	uint64_t cap;

	return i >= 0 && r->md.addr && word(r, i, at) && word(r, i + 1, n) && word(r, i + 2, &cap) &&
	       *n == cap;
}

/* 26 of "go1.26.8", "go1.26rc1 X:loopvar", "devel go1.26-abc"; -1: it says none. */
static int minor_of(struct span version)
{
	size_t at = span_find(version, S("go1."));
	int v = 0;

	if (at == SPAN_NONE || at + 4 >= version.n)
		return -1;
	for (at += 4; at < version.n && version.p[at] >= '0' && version.p[at] <= '9' && v < 1000; at++)
		v = 10 * v + version.p[at] - '0';
	return v;
}

static bool slice_fits(struct reading *r, int i, uint64_t each)
{
	uint64_t at, n;

	if (i < 0)
		return true;
	return module_slice(r, i, &at, &n) && (n == 0 || (n < UINT32_MAX && image_addr(r->m, at, n * each)));
}

static bool layout_fits(struct reading *r, const struct layout *l)
{
	uint64_t at, n, ptr = (unsigned)r->m->ptr;

	if (l->shape != r->t.shape)
		return false;
	if (!slice_fits(r, l->sections, 3 * ptr) || !slice_fits(r, l->hashes, 5 * ptr) ||
	    !slice_fits(r, l->tasks, ptr))
		return false;
	if (!word(r, l->plugin_path, &at) || !word(r, l->plugin_path + 1, &n) ||
	    (n && !image_addr(r->m, at, n)))
		return false;
	if (l->inline_base >= 0 && (!word(r, l->inline_base, &at) || !image_region(r->m, at)))
		return false;
	if (l->tasks < 0)
		return true;
	/* The runtime's own work is in a list of its own: of a program that does little else there is none here. */
	return module_slice(r, l->tasks, &at, &n) &&
	       (n ? image_ptr(r->m, at, &at) && image_addr(r->m, at, 8 + ptr)
		  : image_region(r->m, at) != NULL);
}

static void pick_layout(struct reading *r)
{
	int minor = minor_of(r->p->go_version);

	for (int said = 1; said >= 0; said--)
		for (size_t i = 0; i < ARRAY_LEN(layouts); i++)
			if ((!said || (minor >= layouts[i].from && minor <= layouts[i].to)) &&
			    layout_fits(r, &layouts[i])) {
				r->md.layout = &layouts[i];
				return;
			}
}

/* It begins with the addresses of the tables and of their names. */
static bool begins_here(const struct reading *r, const unsigned char *p)
{
	return rdptr(r->m, p) == r->t.addr &&
	       rdptr(r->m, p + r->m->ptr) ==
		       r->t.addr + (uint64_t)(r->t.names - image_addr(r->m, r->t.addr, 1));
}

static bool scan(struct reading *r, const struct region *in)
{
	unsigned ptr = (unsigned)r->m->ptr;
	const unsigned char *p = image_file(r->m, in->at, in->filed);
	uint64_t names = r->t.addr + (uint64_t)(r->t.names - image_addr(r->m, r->t.addr, 1));

	for (uint64_t at = 0; p && at + WORDS * ptr <= in->filed; at += ptr)
		if (rdptr(r->m, p + at) == r->t.addr && rdptr(r->m, p + at + ptr) == names) {
			r->md.addr = in->addr + at;
			return true;
		}
	return false;
}

static void search(struct reading *r)
{
	const struct region *s = &r->m->sect[SECT_MODULE];
	const unsigned char *p = s->size ? image_addr(r->m, s->addr, 2 * (uint64_t)r->m->ptr) : NULL;

	if (p && begins_here(r, p)) {
		r->md.addr = s->addr;
		return;
	}
	for (int writable = 1; writable >= 0; writable--)
		for (size_t i = 0; i < r->m->n_regions; i++)
			if (r->m->regions[i].write == writable && !r->m->regions[i].exec &&
			    scan(r, &r->m->regions[i]))
				return;
}

void find_module(struct reading *r)
{
	uint64_t at;

	search(r);
	if (!r->md.addr)
		return;
	if (!word(r, WORD_TEXT, &r->md.text) || !word(r, WORD_ETEXT, &r->md.etext) ||
	    !image_in_code(r->m, r->md.text)) {
		r->md = (struct module){ 0 };
		return;
	}
	pick_layout(r);
	if (r->md.layout && r->md.layout->inline_base >= 0 && word(r, r->md.layout->inline_base, &at))
		r->md.inline_base = at;
}

/* ---- tables in disguise ---- */

/* Nine slices of tables one behind another, then ranges of code: nothing else looks like it. */
static bool looks_like_module(struct reading *r, const unsigned char *p)
{
	int ptr = r->m->ptr;
	uint64_t tables = rdptr(r->m, p), before = tables;

	if (tables == 0)
		return false;
	for (int i = WORD_NAMES; i < 19; i += 3) {
		uint64_t at = rdptr(r->m, p + i * ptr), n = rdptr(r->m, p + (i + 1) * ptr);
		if (n == 0 || n != rdptr(r->m, p + (i + 2) * ptr) || at < before ||
		    (i == WORD_NAMES && at - tables > 256))
			return false;
		before = i < 13 ? at : before;
	}
	return rdptr(r->m, p + 20 * ptr) < rdptr(r->m, p + 21 * ptr) &&
	       image_in_code(r->m, rdptr(r->m, p + WORD_TEXT * ptr)) && image_addr(r->m, tables, 64);
}

static const unsigned char *take_slice(struct reading *r, int i, unsigned each, uint64_t *n)
{
	uint64_t at, place;

	if (!module_slice(r, i, &at, n) || *n > r->p->size || !image_file_place(r->m, at, *n * each, &place))
		return NULL;
	return image_addr(r->m, at, *n * each);
}

static bool take_module_tables(struct reading *r, enum shape shape)
{
	struct pcln t = { .shape = shape };
	uint64_t n_funcs;

	if (!image_ptr(r->m, r->md.addr, &t.addr))
		return false;
	const unsigned char *h = image_addr(r->m, t.addr, 8);
	t.quantum = h ? h[6] : 1;
	t.names = take_slice(r, WORD_NAMES, 1, &t.n_names);
	t.cus = take_slice(r, 4, 4, &t.n_cus);
	t.files = take_slice(r, 7, 1, &t.n_files_bytes);
	t.pcs = take_slice(r, 10, 1, &t.n_pcs);
	t.table = take_slice(r, 13, 1, &t.n_table);
	const unsigned char *index = take_slice(r, 16, 1, &n_funcs);
	if (!t.names || !t.cus || !t.files || !t.pcs || !t.table || index != t.table || n_funcs < 2)
		return false;
	t.n_funcs = n_funcs - 1;
	t.n_files = t.n_files_bytes;
	t.n_cus *= 4; /* in bytes, until it is checked */
	if (!check_tables(&t, r->m->ptr))
		return false;
	r->t = t;
	return true;
}

static bool disguised_in(struct reading *r, const struct region *in)
{
	unsigned ptr = (unsigned)r->m->ptr;
	const unsigned char *p = image_file(r->m, in->at, in->filed);

	for (uint64_t at = 0; p && at + WORDS * ptr <= in->filed; at += ptr) {
		if (!looks_like_module(r, p + at))
			continue;
		r->md.addr = in->addr + at;
		if (take_module_tables(r, SHAPE_120)) {
			r->md.addr = 0;
			find_module(r);
			return r->md.addr != 0;
		}
		r->md.addr = 0;
	}
	return false;
}

bool find_disguised(struct reading *r)
{
	image_relocate(r->m);
	for (size_t i = 0; i < r->m->n_regions; i++)
		if (!r->m->regions[i].exec && disguised_in(r, &r->m->regions[i])) {
			r->p->go = r->p->garbled = true;
			return true;
		}
	return false;
}

int module_word_inittasks(const struct reading *r)
{
	return r->md.layout ? r->md.layout->tasks : -1;
}

/* ---- what a plugin was linked against ---- */

static struct span hash_text(struct reading *r, struct span raw)
{
	for (size_t i = 0; i < raw.n; i++)
		if (raw.p[i] < ' ' || raw.p[i] > '~') {
			char *hex = reading_room(r, 2 * raw.n + 1, 1);
			if (hex)
				hex_lower((const unsigned char *)raw.p, raw.n, hex);
			return hex ? (struct span){ hex, 2 * raw.n } : (struct span){ 0 };
		}
	return raw;
}

struct host {
	struct reading *r;
	struct probe_hash *v;
	size_t n, max;
};

/* Of a program that can load plugins: a symbol for each package, of a string's header. */
static bool take_host_hash(void *ctx, const struct image_symbol *s)
{
	struct host *h = ctx;
	struct span package = s->name;

	if (!span_skip(&package, S("go:link.pkghash.")) && !span_skip(&package, S("go.link.pkghash.")))
		return true;
	struct span hash = image_string(h->r->m, s->addr);
	if (!hash.n || hash.n > 256)
		return true;
	if (h->v && h->n < h->max)
		h->v[h->n] = (struct probe_hash){ package, hash_text(h->r, hash) };
	h->n++;
	return true;
}

static void read_host_hashes(struct reading *r)
{
	struct host h = { .r = r };

	if (!probe_package(r->p, S("plugin")))
		return;
	image_symbols(r->m, take_host_hash, &h);
	if (!h.n || h.n > r->p->size / 16)
		return;
	h.v = reading_room(r, h.n, sizeof(*h.v));
	h.max = h.n;
	h.n = 0;
	if (h.v)
		image_symbols(r->m, take_host_hash, &h);
	r->p->hashes = h.v;
	r->p->n_hashes = h.n;
}

void read_module(struct reading *r)
{
	uint64_t at, n, ptr = (unsigned)r->m->ptr;

	if (!r->md.layout)
		return;
	struct span path = image_string(r->m, r->md.addr + (unsigned)r->md.layout->plugin_path * ptr);
	if (path.n) {
		r->p->plugin_path = path;
		r->p->kind = PROBE_PLUGIN;
	}
	if (!module_slice(r, r->md.layout->hashes, &at, &n) || n == 0 || n > r->p->size / (5 * ptr)) {
		read_host_hashes(r);
		return;
	}
	struct probe_hash *v = reading_room(r, n, sizeof(*v));
	for (uint64_t i = 0; v && i < n; i++, at += 5 * ptr) {
		struct span package = image_string(r->m, at), hash = image_string(r->m, at + 2 * ptr);
		if (package.p && hash.p)
			v[r->p->n_hashes++] = (struct probe_hash){ package, hash_text(r, hash) };
	}
	r->p->hashes = v;
}

/* ---- the version, as the runtime has it ---- */

/* "go1.22.3", perhaps with "X:…" behind it; or "devel …". Ended with a NUL: constants of the program are not. */
static bool is_version(const unsigned char *p, uint64_t n)
{
	bool release = n >= 5 && memcmp(p, "go1.", 4) == 0 && p[4] >= '1' && p[4] <= '9';

	if (!release && !(n > 6 && memcmp(p, "devel ", 6) == 0))
		return false;
	for (uint64_t i = 0; i < n; i++)
		if (p[i] < ' ' || p[i] > '~')
			return false;
	return p[n] == 0;
}

static bool version_in(struct reading *r, const struct region *in)
{
	unsigned ptr = (unsigned)r->m->ptr;
	const unsigned char *p = image_file(r->m, in->at, in->filed);

	for (uint64_t at = 0; p && at + 2 * ptr <= in->filed; at += ptr) {
		uint64_t n = rdptr(r->m, p + at + ptr);
		if (n < 5 || n > 128)
			continue;
		const unsigned char *s = image_addr(r->m, rdptr(r->m, p + at), n + 1);
		if (s && is_version(s, n)) {
			r->p->go_version = (struct span){ (const char *)s, n };
			r->p->go_version_from = PROBE_VERSION_RUNTIME;
			return true;
		}
	}
	return false;
}

void read_runtime_version(struct reading *r)
{
	image_relocate(r->m);
	for (size_t i = 0; i < r->m->n_regions; i++)
		if (r->m->regions[i].write && !r->m->regions[i].exec && version_in(r, &r->m->regions[i]))
			return;
}
