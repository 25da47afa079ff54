#include "parse/pprof.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "parse/proto.h"

enum { T_MAPPING, T_LOCATION, T_LINE, T_FUNCTION, T_STRING, T_COMMENT };
enum { X_DROP, X_KEEP, X_DEFAULT, X_DOC };

struct pprof_id {
	uint64_t id;
	uint32_t at;
};

static void flaw(struct pprof *p, const char *at, struct tx what)
{
	if (p->walked)
		return;
	if (p->n_flaws < PPROF_FLAWS)
		p->flaws[p->n_flaws] = (struct pprof_flaw){ (size_t)(at - p->text.p), what };
	p->n_flaws++;
}

/* Room for one more row; false: no memory, or the tables are as large as they may be. */
static bool grow(struct pprof *p, int table, void *list, size_t n, size_t element)
{
	size_t cap = p->caps[table];

	if (n < cap)
		return true;
	if (n >= UINT32_MAX - 2 || p->tables + (n + n / 2 + 8) * element > PPROF_TABLES_MAX) {
		p->full = true;
		return false;
	}
	if (!mem_grow(list, &p->caps[table], n, element))
		return false;
	p->tables += (p->caps[table] - cap) * element;
	return true;
}

static uint32_t index_of(uint64_t v)
{
	return v < PPROF_NONE ? (uint32_t)v : PPROF_NONE;
}

/* The fields of a message inside the profile; a bad one ends it. */
static bool field(struct pprof *p, struct span m, size_t *at, struct proto_field *f)
{
	enum proto_next r = proto_next(m, at, f);

	if (r == PROTO_BAD)
		flaw(p, m.p + *at, proto_why(m, *at));
	return r == PROTO_FIELD;
}

/* ---- the tables ---- */

static bool add_mapping(struct pprof *p, struct span m)
{
	struct proto_field f;
	size_t at = 0;

	if (!grow(p, T_MAPPING, &p->mappings, p->n_mappings, sizeof(*p->mappings)))
		return false;
	struct pprof_mapping *o = &p->mappings[p->n_mappings++];
	*o = (struct pprof_mapping){ 0 };
	while (field(p, m, &at, &f)) {
		switch (f.number) {
		case 1: o->id = f.value; break;
		case 2: o->start = f.value; break;
		case 3: o->limit = f.value; break;
		case 4: o->offset = f.value; break;
		case 5: o->file = index_of(f.value); break;
		case 6: o->build_id = index_of(f.value); break;
		case 7:
		case 8:
		case 9:
		case 10: o->has |= (uint8_t)(!!f.value << (f.number - 7)); break;
		default: break;
		}
	}
	return true;
}

static bool add_line(struct pprof *p, struct span m)
{
	struct proto_field f;
	size_t at = 0;

	if (!grow(p, T_LINE, &p->lines, p->n_lines, sizeof(*p->lines)))
		return false;
	struct pprof_line *o = &p->lines[p->n_lines++];
	*o = (struct pprof_line){ .function = PPROF_NONE };
	while (field(p, m, &at, &f)) {
		switch (f.number) {
		case 1: o->id = f.value; break;
		case 2: o->line = (int64_t)f.value; break;
		case 3: o->column = (int32_t)f.value; break;
		default: break;
		}
	}
	return true;
}

static bool add_location(struct pprof *p, struct span m)
{
	struct pprof_location o = { .first = (uint32_t)p->n_lines };
	struct proto_field f;
	uint64_t mapping = 0;
	size_t at = 0;

	while (field(p, m, &at, &f)) {
		switch (f.number) {
		case 1: o.id = f.value; break;
		case 2: mapping = f.value; break;
		case 3: o.address = f.value; break;
		case 4:
			if (f.type == 2 && !add_line(p, f.data))
				return false;
			break;
		case 5: o.folded = f.value; break;
		default: break;
		}
	}
	o.n = (uint32_t)(p->n_lines - o.first);
	o.mapping = index_of(mapping); /* an id until all are known */
	if (!grow(p, T_LOCATION, &p->locations, p->n_locations, sizeof(*p->locations)))
		return false;
	p->locations[p->n_locations++] = o;
	return true;
}

static bool add_function(struct pprof *p, struct span m)
{
	struct proto_field f;
	size_t at = 0;

	if (!grow(p, T_FUNCTION, &p->functions, p->n_functions, sizeof(*p->functions)))
		return false;
	struct pprof_function *o = &p->functions[p->n_functions++];
	*o = (struct pprof_function){ 0 };
	while (field(p, m, &at, &f)) {
		switch (f.number) {
		case 1: o->id = f.value; break;
		case 2: o->name = index_of(f.value); break;
		case 3: o->system_name = index_of(f.value); break;
		case 4: o->file = index_of(f.value); break;
		case 5: o->start_line = (int64_t)f.value; break;
		default: break;
		}
	}
	return true;
}

static bool add_string(struct pprof *p, struct span s)
{
	if (!grow(p, T_STRING, &p->strings, p->n_strings, sizeof(*p->strings)))
		return false;
	p->strings[p->n_strings++] = s;
	return true;
}

static void read_type(struct pprof *p, struct span m, uint32_t ret[2])
{
	struct proto_field f;
	size_t at = 0;

	ret[0] = ret[1] = 0;
	while (field(p, m, &at, &f)) {
		if (f.number == 1 || f.number == 2)
			ret[f.number - 1] = index_of(f.value);
	}
}

static void add_type(struct pprof *p, struct span m)
{
	if (p->n_types == PPROF_TYPES) {
		flaw(p, m.p, (struct tx){ "more than 64 sample types: the others are left out", "样本类型超过 64 种：其余略去" });
		return;
	}
	read_type(p, m, p->named[p->n_types++]);
}

static bool add_comment(struct pprof *p, uint64_t v)
{
	if (!grow(p, T_COMMENT, &p->comments, p->n_comments, sizeof(*p->comments)))
		return false;
	p->comments[p->n_comments++] = index_of(v);
	return true;
}

static bool add_comments(struct pprof *p, const struct proto_field *f)
{
	uint64_t v;

	if (f->type != 2)
		return add_comment(p, f->value);
	const unsigned char *at = (const unsigned char *)f->data.p, *end = at + f->data.n;
	while (proto_read(&at, end, &v)) {
		if (!add_comment(p, v))
			return false;
	}
	return true;
}

static bool add_number(struct pprof *p, const struct proto_field *f)
{
	switch (f->number) {
	case 7: p->texts[X_DROP] = index_of(f->value); break;
	case 8: p->texts[X_KEEP] = index_of(f->value); break;
	case 9: p->time_ns = (int64_t)f->value; break;
	case 10: p->duration_ns = (int64_t)f->value; break;
	case 12: p->period = (int64_t)f->value; break;
	case 14: p->texts[X_DEFAULT] = index_of(f->value); break;
	case 15: p->texts[X_DOC] = index_of(f->value); break;
	default: break;
	}
	return true;
}

static bool add_field(struct pprof *p, const struct proto_field *f)
{
	if (f->number == 13)
		return add_comments(p, f);
	if (f->type != 2)
		return add_number(p, f);
	switch (f->number) {
	case 1: add_type(p, f->data); return true;
	case 2: p->n_samples++; return true;
	case 3: return add_mapping(p, f->data);
	case 4: return add_location(p, f->data);
	case 5: return add_function(p, f->data);
	case 6: return add_string(p, f->data);
	case 11: read_type(p, f->data, p->named[PPROF_TYPES]); return true;
	default: return true;
	}
}

/* ---- ids ---- */

static int by_id(const void *a, const void *b)
{
	const struct pprof_id *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

typedef uint64_t id_fn(const struct pprof *p, size_t i);

static uint64_t mapping_id(const struct pprof *p, size_t i)
{
	return p->mappings[i].id;
}

static uint64_t location_id(const struct pprof *p, size_t i)
{
	return p->locations[i].id;
}

static uint64_t function_id(const struct pprof *p, size_t i)
{
	return p->functions[i].id;
}

static bool ids_make(const struct pprof *p, size_t n, id_fn *id, struct pprof_ids *ret)
{
	uint64_t max = 0;

	for (size_t i = 0; i < n; i++)
		max = id(p, i) > max ? id(p, i) : max;
	if (max <= 4 * (uint64_t)n + 1024) {
		ret->dense = mem_alloc((max + 1) * sizeof(*ret->dense));
		if (!ret->dense)
			return false;
		ret->n_dense = max + 1;
		memset(ret->dense, 0xff, ret->n_dense * sizeof(*ret->dense));
		for (size_t i = n; i > 0; i--) /* the first of several wins */
			ret->dense[id(p, i - 1)] = (uint32_t)(i - 1);
		return true;
	}
	ret->sparse = mem_alloc(n * sizeof(*ret->sparse));
	if (!ret->sparse)
		return false;
	ret->n_sparse = n;
	for (size_t i = 0; i < n; i++)
		ret->sparse[i] = (struct pprof_id){ id(p, i), (uint32_t)i };
	qsort(ret->sparse, n, sizeof(*ret->sparse), by_id);
	return true;
}

static uint32_t ids_search(const struct pprof_ids *ids, uint64_t id)
{
	size_t low = 0, high = ids->n_sparse;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (ids->sparse[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low < ids->n_sparse && ids->sparse[low].id == id ? ids->sparse[low].at : PPROF_NONE;
}

static inline uint32_t ids_find(const struct pprof_ids *ids, uint64_t id)
{
	if (id < ids->n_dense)
		return ids->dense[id];
	return ids->n_sparse ? ids_search(ids, id) : PPROF_NONE;
}

static void ids_free(struct pprof_ids *ids)
{
	mem_free(ids->dense);
	mem_free(ids->sparse);
}

static bool link_lines(struct pprof *p)
{
	struct pprof_ids ids = { 0 };
	size_t lost = 0;

	if (!ids_make(p, p->n_functions, function_id, &ids))
		return false;
	for (size_t i = 0; i < p->n_lines; i++) {
		p->lines[i].function = p->lines[i].id ? ids_find(&ids, p->lines[i].id) : PPROF_NONE;
		lost += p->lines[i].id && p->lines[i].function == PPROF_NONE;
	}
	if (lost)
		flaw(p, p->text.p + p->end, (struct tx){ "lines name functions that are not in it", "有行引用了不存在的函数" });
	ids_free(&ids);
	return true;
}

static bool link_locations(struct pprof *p)
{
	struct pprof_ids ids = { 0 };

	if (!ids_make(p, p->n_mappings, mapping_id, &ids))
		return false;
	for (size_t i = 0; i < p->n_locations; i++) {
		struct pprof_location *l = &p->locations[i];
		l->mapping = l->mapping ? ids_find(&ids, l->mapping) : PPROF_NONE;
	}
	ids_free(&ids);
	if (!ids_make(p, p->n_locations, location_id, &p->location_ids))
		return false;
	if (!grow(p, T_LOCATION, &p->locations, p->n_locations, sizeof(*p->locations)))
		return false;
	p->locations[p->n_locations++] = (struct pprof_location){ .mapping = PPROF_NONE };
	return true;
}

static void link_texts(struct pprof *p)
{
	struct span *const to[] = { [X_DROP] = &p->drop_frames, [X_KEEP] = &p->keep_frames, [X_DEFAULT] = &p->default_type, [X_DOC] = &p->doc_url };
	const uint32_t *period = p->named[PPROF_TYPES];
	bool lost = false;

	for (size_t i = 0; i < ARRAY_LEN(to); i++)
		*to[i] = pprof_string(p, p->texts[i]);
	p->period_type = (struct pprof_type){ pprof_string(p, period[0]), pprof_string(p, period[1]) };
	for (size_t i = 0; i < p->n_types; i++) {
		p->types[i] = (struct pprof_type){ pprof_string(p, p->named[i][0]), pprof_string(p, p->named[i][1]) };
		lost |= !p->types[i].type.p;
	}
	for (size_t i = 0; i < p->n_functions && !lost; i++)
		lost = p->functions[i].name >= p->n_strings || p->functions[i].file >= p->n_strings;
	if (lost)
		flaw(p, p->text.p + p->end, (struct tx){ "names are missing: the string table does not hold them (functions are shown by their addresses)", "缺少名称：字符串表中没有（函数以地址显示）" });
}

struct span pprof_string(const struct pprof *p, uint32_t i)
{
	return i < p->n_strings ? p->strings[i] : (struct span){ 0 };
}

int pprof_read(struct pprof *p, struct span text, struct err *e)
{
	struct proto_field f;
	size_t at = 0, before = 0;

	*p = (struct pprof){ .text = text };
	while (field(p, text, &at, &f)) {
		if (!add_field(p, &f)) {
			if (!p->full)
				return err_set(e, ENOMEM, TR("no memory for a profile", "内存不足，无法载入剖析数据"));
			flaw(p, text.p + before, (struct tx){ "its tables are larger than 384 MiB: what follows is left out",
							      "其数据表超过 384 MiB：后续部分略去" });
			break;
		}
		before = at;
	}
	p->end = at;
	if (!link_lines(p) || !link_locations(p))
		return err_set(e, ENOMEM, TR("no memory for a profile", "内存不足，无法载入剖析数据"));
	link_texts(p);
	if (!p->n_types)
		return err_set(e, EBADMSG, TR("a profile without sample types (byte %zu): nothing says what its numbers are",
					      "剖析数据没有样本类型（第 %zu 字节）：无法得知其数值的含义"), p->end);
	return 0;
}

void pprof_free(struct pprof *p)
{
	mem_free(p->mappings);
	mem_free(p->locations);
	mem_free(p->lines);
	mem_free(p->functions);
	mem_free(p->strings);
	mem_free(p->comments);
	ids_free(&p->location_ids);
	*p = (struct pprof){ 0 };
}

/* ---- samples ---- */

/* What a sample's bytes came to. */
struct decoded {
	size_t n_locations, n_values;
	bool lost, deep;
};

static bool add_sample_location(struct pprof_walk *w, struct decoded *d, uint64_t id)
{
	uint32_t i = ids_find(&w->p->location_ids, id);

	if (d->n_locations == PPROF_DEPTH) {
		d->deep = true;
		return true;
	}
	if (i == PPROF_NONE) {
		i = (uint32_t)(w->p->n_locations - 1);
		d->lost = true;
	}
	if (d->n_locations == w->cap && !mem_grow(&w->locations, &w->cap, d->n_locations, sizeof(*w->locations))) {
		w->bad = true;
		return false;
	}
	w->locations[d->n_locations++] = i;
	return true;
}

static bool add_value(struct pprof_walk *w, struct decoded *d, uint64_t v)
{
	if (d->n_values < w->p->n_types)
		w->values[d->n_values] = (int64_t)v;
	d->n_values++;
	return true;
}

/* location_id and value, packed or one by one. */
static bool add_numbers(struct pprof_walk *w, struct decoded *d, const struct proto_field *f)
{
	bool is_value = f->number == 2;
	uint64_t v;

	if (f->type != 2)
		return is_value ? add_value(w, d, f->value) : add_sample_location(w, d, f->value);
	const unsigned char *at = (const unsigned char *)f->data.p, *end = at + f->data.n;
	while (at < end) {
		if (!proto_read(&at, end, &v)) {
			flaw(w->p, (const char *)at, (struct tx){ "a number of a sample cannot be read", "样本中的一个数字无法读取" });
			return true;
		}
		if (!(is_value ? add_value(w, d, v) : add_sample_location(w, d, v)))
			return false;
	}
	return true;
}

static bool decode(struct pprof_walk *w, struct span m, struct pprof_sample *ret)
{
	struct pprof *p = w->p;
	struct decoded d = { 0 };
	struct proto_field f;
	size_t at = 0;

	memset(w->values, 0, p->n_types * sizeof(w->values[0]));
	while (field(p, m, &at, &f)) {
		if ((f.number == 1 || f.number == 2) && !add_numbers(w, &d, &f))
			return false;
	}
	if (d.lost)
		flaw(p, m.p, (struct tx){ "a sample names locations that are not in the profile", "样本引用了不存在的位置" });
	if (d.deep)
		flaw(p, m.p, (struct tx){ "a stack is deeper than 65536: its outer end is left out", "调用栈深度超过 65536：外侧部分略去" });
	if (d.n_values != p->n_types)
		flaw(p, m.p, (struct tx){ "a sample does not have one value for each sample type", "样本的值与样本类型的数量不一致" });
	*ret = (struct pprof_sample){ .at = (size_t)(m.p - p->text.p), .locations = w->locations, .n_locations = d.n_locations,
				      .values = w->values, .raw = m };
	return true;
}

bool pprof_next(struct pprof_walk *w, struct pprof_sample *ret)
{
	struct span all = span_head(w->p->text, w->p->end);
	struct proto_field f;

	while (!w->bad && proto_next(all, &w->at, &f) == PROTO_FIELD) {
		if (f.number == 2 && f.type == 2)
			return decode(w, f.data, ret);
	}
	return false;
}

void pprof_walk_end(struct pprof_walk *w)
{
	if (w->p)
		w->p->walked = true;
	mem_free(w->locations);
	*w = (struct pprof_walk){ 0 };
}

bool pprof_label(const struct pprof *p, const struct pprof_sample *s, size_t *at, struct pprof_label *ret)
{
	struct proto_field f, g;

	while (proto_next(s->raw, at, &f) == PROTO_FIELD) {
		uint32_t str = 0, key = 0, unit = 0;
		size_t in = 0;
		if (f.number != 3 || f.type != 2)
			continue;
		*ret = (struct pprof_label){ 0 };
		while (proto_next(f.data, &in, &g) == PROTO_FIELD) {
			switch (g.number) {
			case 1: key = index_of(g.value); break;
			case 2: str = index_of(g.value); break;
			case 3: ret->num = (int64_t)g.value; break;
			case 4: unit = index_of(g.value); break;
			default: break;
			}
		}
		ret->key = pprof_string(p, key);
		ret->unit = pprof_string(p, unit);
		if (str)
			ret->str = pprof_string(p, str);
		return true;
	}
	return false;
}

/* ---- is it one? ---- */

/* The shape of each message: a bit for every field that may be a number, and for those that may be bytes. */
static const struct shape {
	uint16_t numbers, bytes;
} shapes[] = {
	[1] = { 0x6, 0 },      /* ValueType */
	[2] = { 0x6, 0xe },    /* Sample */
	[3] = { 0x7fe, 0 },    /* Mapping */
	[4] = { 0x2e, 0x10 },  /* Location */
	[5] = { 0x3e, 0 },     /* Function */
	[11] = { 0x6, 0 },
};

static bool has_shape(const struct shape *s, struct span m)
{
	struct proto_field f;
	size_t at = 0;
	enum proto_next r;

	while ((r = proto_next(m, &at, &f)) == PROTO_FIELD) {
		if (f.number > 15 || (f.type != 0 && f.type != 2) || !((f.type == 2 ? s->bytes : s->numbers) >> f.number & 1))
			return false;
	}
	return r == PROTO_END;
}

/* Does this field of the profile look as one should? */
static int weigh(const struct proto_field *f)
{
	static const uint16_t numbers = 0xf780; /* 7 to 10, 12 to 15 */

	if (f->type == 0)
		return numbers >> (f->number & 15) & 1 && f->number < 16 ? 0 : -1;
	if (f->type != 2 || f->number > 13)
		return -1;
	if (f->number == 6)
		return 0;
	if (f->number == 13)
		return 0;
	if (f->number >= ARRAY_LEN(shapes) || (!shapes[f->number].numbers && !shapes[f->number].bytes))
		return -1;
	return has_shape(&shapes[f->number], f->data) && f->data.n ? 1 : -1;
}

bool pprof_looks_like(struct span head)
{
	struct proto_field f;
	size_t at = 0;
	int good = 0;

	while (at < head.n && good < 64) {
		enum proto_next r = proto_next(head, &at, &f);
		if (r != PROTO_FIELD)
			break; /* cut by the head's end, or damaged: what was seen before counts */
		int w = weigh(&f);
		if (w < 0)
			return good >= 3; /* damaged */
		good += w;
	}
	return good >= 2 || (good == 1 && at == head.n);
}
