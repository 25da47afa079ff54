#include "diagnose/profile_own.h"

#include <errno.h>

#include "base/mem.h"
#include "parse/proto.h"

/* Profiles put together as pprof does: what agrees in all that is shown becomes one, samples add up. */
struct item { /* of a table, by its bytes */
	uint32_t id;
	struct span bytes; /* the message behind its id, which is its key */
};

struct table {
	struct map ids;
	struct item **v;
	size_t n, cap;
};

struct summed {
	struct span key;
	int64_t values[];
};

struct merged {
	struct arena mem;
	struct table strings, mappings, functions, locations;
	struct map samples;
	struct summed **v;
	size_t n, cap;
	uint32_t types[PPROF_TYPES][2], period_type[2], drop, keep, default_type, doc_url;
	size_t n_types;
	int64_t time_ns, duration_ns, period;
	struct table comments;
	bool begun, differ, bad;
	struct buf scratch, ids;
};

struct merged *merged_new(void)
{
	return mem_zalloc(sizeof(struct merged));
}

static void table_free(struct table *t)
{
	map_free(&t->ids);
	mem_free(t->v);
}

void merged_free(struct merged *m)
{
	if (!m)
		return;
	table_free(&m->strings);
	table_free(&m->mappings);
	table_free(&m->functions);
	table_free(&m->locations);
	table_free(&m->comments);
	map_free(&m->samples);
	mem_free(m->v);
	buf_free(&m->scratch);
	buf_free(&m->ids);
	arena_free(&m->mem);
	mem_free(m);
}

/* The number of these bytes in the table, from 1; 0: no memory. */
static uint32_t put(struct merged *m, struct table *t, struct span bytes)
{
	if (!bytes.p)
		bytes = S("");
	struct item *i = map_get(&t->ids, bytes);
	if (i)
		return i->id;
	i = arena_alloc(&m->mem, sizeof(*i));
	if (i)
		i->bytes = arena_span(&m->mem, bytes);
	if (!i || !i->bytes.p || !mem_grow(&t->v, &t->cap, t->n, sizeof(struct item *)) || !map_put(&t->ids, i->bytes, i)) {
		m->bad = true;
		return 0;
	}
	t->v[t->n++] = i;
	i->id = (uint32_t)t->n;
	return i->id;
}

static uint32_t string(struct merged *m, struct span s) /* 0: the empty one */
{
	return s.n ? put(m, &m->strings, s) : 0;
}

static uint32_t put_mapping(struct merged *m, const struct pprof *p, uint32_t index)
{
	const struct pprof_mapping *at = index == PPROF_NONE ? NULL : &p->mappings[index];
	struct buf *b = &m->scratch;

	if (!at)
		return 0;
	buf_clear(b);
	proto_int(b, 2, (int64_t)at->start);
	proto_int(b, 3, (int64_t)at->limit);
	proto_int(b, 4, (int64_t)at->offset);
	proto_int(b, 5, string(m, pprof_string(p, at->file)));
	proto_int(b, 6, string(m, pprof_string(p, at->build_id)));
	for (unsigned i = 0; i < 4; i++)
		proto_int(b, 7 + i, at->has >> i & 1);
	return put(m, &m->mappings, buf_view(b));
}

static uint32_t put_function(struct merged *m, const struct pprof *p, uint32_t index)
{
	const struct pprof_function *at = index == PPROF_NONE ? NULL : &p->functions[index];
	struct buf *b = &m->scratch;

	if (!at)
		return 0;
	buf_clear(b);
	proto_int(b, 2, string(m, pprof_string(p, at->name)));
	proto_int(b, 3, string(m, pprof_string(p, at->system_name)));
	proto_int(b, 4, string(m, pprof_string(p, at->file)));
	proto_int(b, 5, at->start_line);
	return put(m, &m->functions, buf_view(b));
}

/* 0: all of it is hidden. */
static uint32_t put_location(struct merged *m, const struct loading *l, uint32_t index)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	CLEANUP(buf_free) struct buf line = { 0 };
	const struct pprof_location *at = &l->p.locations[index];
	bool hidden = at->n > 0;

	proto_int(&b, 2, put_mapping(m, &l->p, at->mapping));
	proto_int(&b, 3, (int64_t)at->address);
	for (uint32_t i = at->first; i < at->first + at->n; i++) {
		const struct pprof_line *o = &l->p.lines[i];
		if (o->function != PPROF_NONE && l->matched[o->function] & MATCH_HIDE)
			continue;
		hidden = false;
		buf_clear(&line);
		proto_int(&line, 1, put_function(m, &l->p, o->function));
		proto_int(&line, 2, o->line);
		proto_int(&line, 3, o->column);
		proto_bytes(&b, 4, buf_view(&line));
	}
	proto_int(&b, 5, at->folded);
	m->bad |= b.bad || line.bad;
	return hidden ? 0 : put(m, &m->locations, buf_view(&b));
}

static void put_label(struct merged *m, const struct pprof_label *label, struct buf *to)
{
	struct buf *b = &m->scratch;

	buf_clear(b);
	proto_int(b, 1, string(m, label->key));
	proto_int(b, 2, string(m, label->str));
	proto_int(b, 3, label->str.p ? 0 : label->num);
	proto_int(b, 4, string(m, label->unit));
	proto_bytes(to, 3, buf_view(b));
}

/* Locations and labels, as they stand in a sample: the key of the sum. */
static void make_key(struct merged *m, const struct loading *l, const uint32_t *ids, const struct pprof_sample *p, bool base, struct buf *key)
{
	struct pprof_label label;
	size_t at = 0;

	buf_clear(&m->ids);
	for (size_t i = 0; i < p->n_locations; i++) {
		if (ids[p->locations[i]])
			proto_varint(&m->ids, ids[p->locations[i]]);
	}
	buf_clear(key);
	proto_bytes(key, 1, buf_view(&m->ids));
	while (pprof_label(&l->p, p, &at, &label))
		put_label(m, &label, key);
	if (base)
		put_label(m, &(struct pprof_label){ .key = S("pprof::base"), .str = S("true") }, key);
	m->bad |= key->bad || m->ids.bad || m->scratch.bad;
}

static void add_values(struct merged *m, const struct loading *l, const struct pprof_sample *p, bool base, struct span key)
{
	struct summed *s = map_get(&m->samples, key);
	int64_t sum;

	if (!s) {
		s = arena_alloc(&m->mem, sizeof(*s) + m->n_types * sizeof(s->values[0]));
		if (s)
			s->key = arena_span(&m->mem, key);
		if (!s || !s->key.p || !mem_grow(&m->v, &m->cap, m->n, sizeof(struct summed *)) || !map_put(&m->samples, s->key, s)) {
			m->bad = true;
			return;
		}
		m->v[m->n++] = s;
	}
	for (size_t i = 0; i < m->n_types; i++) {
		int64_t v = loading_scaled(l, i, p->values[i]);
		v = base && v > INT64_MIN ? -v : v;
		s->values[i] = __builtin_add_overflow(s->values[i], v, &sum) ? INT64_MAX : sum;
	}
}

/* Whether it has the same values as those before it. */
static bool same_types(struct merged *m, const struct pprof *p)
{
	bool same = m->n_types == p->n_types;

	for (size_t i = 0; i < p->n_types; i++) {
		uint32_t type[2] = { string(m, p->types[i].type), string(m, p->types[i].unit) };
		if (!m->begun)
			memcpy(m->types[i], type, sizeof(type));
		same &= m->types[i][0] == type[0] && m->types[i][1] == type[1];
	}
	if (!m->begun)
		m->n_types = p->n_types;
	return same || !m->begun;
}

static void take_head(struct merged *m, const struct pprof *p)
{
	if (!m->begun) {
		m->period_type[0] = string(m, p->period_type.type);
		m->period_type[1] = string(m, p->period_type.unit);
		m->drop = string(m, p->drop_frames);
		m->keep = string(m, p->keep_frames);
	}
	m->default_type = m->default_type ? m->default_type : string(m, p->default_type);
	m->doc_url = m->doc_url ? m->doc_url : string(m, p->doc_url);
	if (!m->time_ns || p->time_ns < m->time_ns)
		m->time_ns = p->time_ns;
	if (__builtin_add_overflow(m->duration_ns, p->duration_ns, &m->duration_ns))
		m->duration_ns = INT64_MAX;
	m->period = m->period > p->period ? m->period : p->period;
	for (size_t i = 0; i < p->n_comments; i++)
		put(m, &m->comments, pprof_string(p, p->comments[i]));
	m->begun = true;
}

bool merged_add(struct merged *m, struct loading *l, bool base)
{
	struct pprof_walk w = { .p = &l->p };
	CLEANUP(mem_free) uint32_t *ids = mem_alloc(l->p.n_locations * sizeof(*ids));
	CLEANUP(buf_free) struct buf key = { 0 };
	struct pprof_sample p;

	if (!same_types(m, &l->p)) {
		m->differ = true;
		return !m->bad;
	}
	if (!ids)
		return false;
	take_head(m, &l->p);
	if (l->p.n_mappings) /* the first stands for the program */
		put_mapping(m, &l->p, 0);
	memset(ids, 0xff, l->p.n_locations * sizeof(*ids));
	while (!m->bad && pprof_next(&w, &p)) {
		bool zero = true;
		for (size_t i = 0; i < m->n_types; i++)
			zero &= !p.values[i];
		if (zero || !loading_wants(l, &p))
			continue;
		for (size_t i = 0; i < p.n_locations; i++) {
			if (ids[p.locations[i]] == PPROF_NONE)
				ids[p.locations[i]] = put_location(m, l, p.locations[i]);
		}
		make_key(m, l, ids, &p, base, &key);
		add_values(m, l, &p, base, buf_view(&key));
	}
	m->bad |= w.bad;
	pprof_walk_end(&w);
	return !m->bad;
}

/* ---- out ---- */

static void put_type(struct merged *m, unsigned field, const uint32_t type[2], struct buf *to)
{
	buf_clear(&m->scratch);
	proto_int(&m->scratch, 1, type[0]);
	proto_int(&m->scratch, 2, type[1]);
	proto_bytes(to, field, buf_view(&m->scratch));
}

static void put_samples(struct merged *m, struct buf *to)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct summed *s = m->v[i];
		bool zero = true;
		buf_clear(&m->ids);
		for (size_t k = 0; k < m->n_types; k++) {
			proto_varint(&m->ids, (uint64_t)s->values[k]);
			zero &= !s->values[k];
		}
		if (zero)
			continue;
		buf_clear(&m->scratch);
		buf_span(&m->scratch, s->key);
		proto_bytes(&m->scratch, 2, buf_view(&m->ids));
		proto_bytes(to, 2, buf_view(&m->scratch));
	}
}

static void put_table(struct merged *m, unsigned field, const struct table *t, struct buf *to)
{
	for (size_t i = 0; i < t->n; i++) {
		buf_clear(&m->scratch);
		proto_int(&m->scratch, 1, t->v[i]->id);
		buf_span(&m->scratch, t->v[i]->bytes);
		proto_bytes(to, field, buf_view(&m->scratch));
	}
}

int merged_write(struct merged *m, struct buf *ret, struct err *e)
{
	if (m->differ)
		return err_set(e, EINVAL, TR("the profiles do not have the same sample types: they cannot become one", "这些剖析数据的样本类型不同：无法合并为一份"));
	for (size_t i = 0; i < m->n_types; i++)
		put_type(m, 1, m->types[i], ret);
	put_samples(m, ret);
	put_table(m, 3, &m->mappings, ret);
	put_table(m, 4, &m->locations, ret);
	put_table(m, 5, &m->functions, ret);
	for (size_t i = 0; i < m->comments.n; i++)
		proto_int(ret, 13, string(m, m->comments.v[i]->bytes));
	proto_bytes(ret, 6, (struct span){ 0 });
	for (size_t i = 0; i < m->strings.n; i++)
		proto_bytes(ret, 6, m->strings.v[i]->bytes);
	proto_int(ret, 7, m->drop);
	proto_int(ret, 8, m->keep);
	proto_int(ret, 9, m->time_ns);
	proto_int(ret, 10, m->duration_ns);
	if (m->period_type[0] || m->period_type[1])
		put_type(m, 11, m->period_type, ret);
	proto_int(ret, 12, m->period);
	proto_int(ret, 14, m->default_type);
	proto_int(ret, 15, m->doc_url);
	return m->bad || ret->bad || m->scratch.bad || m->ids.bad ? err_set(e, ENOMEM, TR("no memory for a profile", "内存不足，无法写出剖析数据")) : 0;
}
