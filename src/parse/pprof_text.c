#include "parse/pprof.h"

#include <errno.h>
#include <math.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"
#include "parse/proto.h"

/*
 * Read line by line and written anew as profile.proto. A record is a line "NUMBERS @ ADDRESSES"; the comment lines below
 * it name its frames, the leaf first, but leave the runtime's own at its ends out: so do we, where names are given.
 */
enum { RECORD_DEPTH = 512 };

enum form { FORM_NONE, FORM_COUNT, FORM_HEAP, FORM_CONTENTION };

struct place { /* a function at a line */
	struct place *next; /* of the same address: the one it is inlined into */
	uint32_t function;
	int64_t line;
};

struct address { /* a location */
	uint64_t address;
	uint32_t id;
	struct place *places, **end;
};

struct named { /* an interned string or function */
	uint32_t id, name, file;
};

struct text {
	struct arena mem;
	struct buf *to;
	enum form form;
	int64_t period, hz;
	bool alloc;                  /* of a heap: there are all four values */
	struct map strings, functions, addresses;
	struct span *string_list;
	struct named **function_list;
	struct address **address_list;
	size_t n_strings, n_functions, n_addresses, caps[3];
	/* the open record */
	bool open;
	int64_t values[4], block;
	uint64_t stack[RECORD_DEPTH];
	bool told[RECORD_DEPTH];     /* a comment line names it */
	struct address *at[RECORD_DEPTH];
	size_t depth, cursor;
	bool adding;                 /* places of the address at the cursor */
	struct span labels;
	bool bad;
};

static uint32_t intern(struct text *t, struct span s)
{
	struct named *n = map_get(&t->strings, s);

	if (n)
		return n->id;
	n = arena_alloc(&t->mem, sizeof(*n));
	if (!n || !mem_grow(&t->string_list, &t->caps[0], t->n_strings, sizeof(*t->string_list)) || !map_put(&t->strings, s, n)) {
		t->bad = true;
		return 0;
	}
	t->string_list[t->n_strings++] = s;
	n->id = (uint32_t)t->n_strings; /* 0 is the empty one */
	return n->id;
}

static uint32_t function_of(struct text *t, struct span name, struct span file)
{
	/* both stand in the text: the two offsets are the key */
	uint32_t pair[2] = { intern(t, name), intern(t, file) };
	struct named *f = map_get(&t->functions, (struct span){ (const char *)pair, sizeof(pair) });

	if (f)
		return f->id;
	f = arena_alloc(&t->mem, sizeof(*f));
	if (!f || !mem_grow(&t->function_list, &t->caps[1], t->n_functions, sizeof(struct named *))) {
		t->bad = true;
		return 0;
	}
	*f = (struct named){ (uint32_t)t->n_functions + 1, pair[0], pair[1] };
	if (!map_put(&t->functions, (struct span){ (const char *)&f->name, sizeof(pair) }, f)) {
		t->bad = true;
		return 0;
	}
	t->function_list[t->n_functions++] = f;
	return f->id;
}

static struct address *address_of(struct text *t, uint64_t address)
{
	struct address *a = map_get(&t->addresses, (struct span){ (const char *)&address, sizeof(address) });

	if (a)
		return a;
	a = arena_alloc(&t->mem, sizeof(*a));
	if (!a || !mem_grow(&t->address_list, &t->caps[2], t->n_addresses, sizeof(struct address *))) {
		t->bad = true;
		return NULL;
	}
	*a = (struct address){ .address = address, .id = (uint32_t)t->n_addresses + 1 };
	a->end = &a->places;
	if (!map_put(&t->addresses, (struct span){ (const char *)&a->address, sizeof(a->address) }, a)) {
		t->bad = true;
		return NULL;
	}
	t->address_list[t->n_addresses++] = a;
	return a;
}

/* ---- numbers ---- */

static bool take_int(struct span *s, int64_t *ret)
{
	size_t n = 0;

	*s = span_trim(*s);
	while (n < s->n && ((s->p[n] >= '0' && s->p[n] <= '9') || (n == 0 && s->p[0] == '-')))
		n++;
	if (!span_int(span_head(*s, n), ret))
		return false;
	*s = span_from(*s, n);
	return true;
}

static bool take_hex(struct span *s, uint64_t *ret)
{
	uint64_t v = 0;
	size_t n = 2;

	*s = span_trim(*s);
	if (!span_starts(*s, S("0x")))
		return false;
	while (n < s->n && n < 19 && hex_digit(s->p[n]) >= 0)
		v = v << 4 | (unsigned)hex_digit(s->p[n++]);
	if (n == 2 || n > 18)
		return false;
	*s = span_from(*s, n);
	*ret = v;
	return true;
}

static bool take(struct span *s, char c)
{
	*s = span_trim(*s);
	if (!s->n || s->p[0] != c)
		return false;
	*s = span_from(*s, 1);
	return true;
}

/* "IN_OBJ: IN_BYTES [AL_OBJ: AL_BYTES] @" */
static bool take_heap(struct span *s, int64_t v[4])
{
	return take_int(s, &v[2]) && take(s, ':') && take_int(s, &v[3]) && take(s, '[') && take_int(s, &v[0]) && take(s, ':') &&
	       take_int(s, &v[1]) && take(s, ']') && take(s, '@');
}

/* What was sampled of a size appears with a probability: the numbers stand for more. */
static void scale(int64_t rate, int64_t v[2])
{
	if (!v[0] || !v[1]) {
		v[0] = v[1] = 0;
		return;
	}
	if (rate <= 1)
		return;
	double by = 1 / (1 - exp(-((double)v[1] / (double)v[0]) / (double)rate));
	for (int i = 0; i < 2; i++) {
		double scaled = (double)v[i] * by;
		v[i] = scaled >= 9e18 || scaled <= -9e18 || scaled != scaled ? INT64_MAX : (int64_t)scaled;
	}
}

/* ---- records ---- */

static void put_labels(struct text *t, struct buf *m)
{
	struct json_in j = { .text = t->labels };
	struct buf one = { 0 };
	struct span key = { 0 };
	enum json_tok k;

	while ((k = json_next(&j)) > JSON_END) {
		if (k == JSON_KEY)
			key = j.value;
		if (k != JSON_STR)
			continue;
		buf_clear(&one);
		proto_int(&one, 1, intern(t, key));
		proto_int(&one, 2, intern(t, j.value));
		proto_bytes(m, 3, buf_view(&one));
	}
	buf_free(&one);
}

static void end_record(struct text *t)
{
	size_t first = t->form == FORM_HEAP && !t->alloc ? 2 : 0;
	size_t n = t->form == FORM_COUNT ? 1 : t->form == FORM_HEAP ? 4 : 2;
	CLEANUP(buf_free) struct buf m = { 0 };
	CLEANUP(buf_free) struct buf ids = { 0 };
	bool named = false;

	if (!t->open)
		return;
	t->open = false;
	for (size_t i = 0; i < t->depth; i++)
		named |= t->told[i];
	for (size_t i = 0; i < t->depth; i++) {
		if ((t->told[i] || !named) && t->at[i])
			proto_varint(&ids, t->at[i]->id);
	}
	proto_bytes(&m, 1, buf_view(&ids));
	buf_clear(&ids);
	for (size_t i = first; i < n; i++)
		proto_varint(&ids, (uint64_t)t->values[i]);
	proto_bytes(&m, 2, buf_view(&ids));
	if (t->form == FORM_HEAP) {
		buf_clear(&ids);
		proto_int(&ids, 1, intern(t, S("bytes")));
		proto_int(&ids, 3, t->block);
		proto_bytes(&m, 3, buf_view(&ids));
	}
	if (t->labels.n)
		put_labels(t, &m);
	t->bad |= m.bad || ids.bad;
	proto_bytes(t->to, 2, buf_view(&m));
}

static bool read_values(struct text *t, struct span *s)
{
	int64_t *v = t->values;

	switch (t->form) {
	case FORM_COUNT: return take_int(s, &v[0]) && take(s, '@');
	case FORM_HEAP:
		if (!take_heap(s, v))
			return false;
		t->block = v[2] ? v[3] / v[2] : v[0] ? v[1] / v[0] : 0;
		scale(t->period, v);
		scale(t->period, v + 2);
		return true;
	case FORM_CONTENTION:
		if (!take_int(s, &v[1]) || !take_int(s, &v[0]) || !take(s, '@'))
			return false;
		if (t->period > 0) {
			double delay = (double)v[1] * (double)t->period / (t->hz > 0 ? (double)t->hz / 1e9 : 1);
			v[1] = delay < 9e18 ? (int64_t)delay : INT64_MAX;
			v[0] = v[0] < INT64_MAX / t->period ? v[0] * t->period : INT64_MAX;
		}
		return true;
	default: return false;
	}
}

static bool begin_record(struct text *t, struct span line)
{
	uint64_t address;

	end_record(t);
	memset(t->values, 0, sizeof(t->values));
	if (!read_values(t, &line))
		return false;
	t->depth = t->cursor = 0;
	t->labels = (struct span){ 0 };
	while (t->depth < RECORD_DEPTH && take_hex(&line, &address)) {
		t->told[t->depth] = false;
		t->stack[t->depth] = address;
		t->at[t->depth++] = address_of(t, address - 1); /* the call, not where it returns to */
	}
	t->open = true;
	return !span_trim(line).n || t->depth == RECORD_DEPTH;
}

static bool is_at(const struct text *t, size_t i, uint64_t pc)
{
	return i < t->depth && (t->stack[i] == pc || t->stack[i] == pc + 1);
}

/* Several places at one pc are inlined into each other; the first one again is a recursion. */
static void add_place(struct text *t, uint64_t pc, uint32_t function, int64_t line)
{
	size_t i = t->cursor;

	while (i < t->depth && !is_at(t, i, pc))
		i++;
	if (i == t->depth)
		return;
	struct address *a = t->at[i];
	t->cursor = i;
	if (!t->told[i]) { /* an earlier record, or frame, has told all the places of its address? */
		t->told[i] = true;
		t->adding = a && !a->places;
	} else if (a && a->places && a->places->function == function && a->places->line == line && is_at(t, i + 1, pc)) {
		t->told[++t->cursor] = true;
		t->adding = false;
	}
	if (!a || !t->adding)
		return;
	struct place *p = arena_alloc(&t->mem, sizeof(*p));
	if (!p) {
		t->bad = true;
		return;
	}
	*p = (struct place){ .function = function, .line = line };
	*a->end = p;
	a->end = &p->next;
}

/* "#\t0xPC\tfunc+0xOFF\tfile:LINE", the columns filled up with tabs. */
static void add_frame(struct text *t, struct span line)
{
	uint64_t pc;
	int64_t number = 0;
	struct span rest = line;

	if (!t->open || !take_hex(&rest, &pc))
		return;
	rest = span_trim(rest);
	struct span name = span_trim(span_cut(&rest, '\t')), place = span_trim(rest);
	size_t plus = span_rchr(name, '+'), colon = span_rchr(place, ':');
	if (!name.n)
		return;
	if (plus != SPAN_NONE)
		name = span_head(name, plus);
	if (colon != SPAN_NONE && span_int(span_from(place, colon + 1), &number))
		place = span_head(place, colon);
	add_place(t, pc, function_of(t, name, place), number);
}

/* ---- the head ---- */

static bool count_name(struct span line, struct span *ret)
{
	size_t at = span_find(line, S(" profile: total "));

	if (at == SPAN_NONE || at == 0 || at > 64)
		return false;
	for (size_t i = 0; i < at; i++) {
		if (!((line.p[i] >= 'a' && line.p[i] <= 'z') || (line.p[i] >= 'A' && line.p[i] <= 'Z') || line.p[i] == '_' || line.p[i] == '.' ||
		      line.p[i] == '/' || line.p[i] == '-' || (line.p[i] >= '0' && line.p[i] <= '9')))
			return false;
	}
	*ret = span_head(line, at);
	int64_t total;
	return span_int(span_trim(span_from(line, at + 16)), &total);
}

static enum form form_of(struct span line)
{
	struct span name;
	int64_t v[4];

	if (span_starts(line, S("--- mutex:")) || span_starts(line, S("--- contention:")))
		return FORM_CONTENTION;
	if (span_skip(&line, S("heap profile:")))
		return take_heap(&line, v) && span_starts(span_trim(line), S("heap")) ? FORM_HEAP : FORM_NONE;
	return count_name(line, &name) ? FORM_COUNT : FORM_NONE;
}

static struct span first_line(struct span *rest)
{
	struct span line = { 0 };

	while (rest->n && !line.n)
		line = span_trim(span_cut(rest, '\n'));
	return line;
}

bool pprof_text_looks_like(struct span head)
{
	return form_of(first_line(&head)) != FORM_NONE;
}

static void put_type(struct text *t, unsigned field, struct span type, struct span unit)
{
	CLEANUP(buf_free) struct buf m = { 0 };

	proto_int(&m, 1, intern(t, type));
	proto_int(&m, 2, intern(t, unit));
	t->bad |= m.bad;
	proto_bytes(t->to, field, buf_view(&m));
}

static void begin_heap(struct text *t, struct span line)
{
	int64_t v[4] = { 0 };

	span_skip(&line, S("heap profile:"));
	take_heap(&line, v);
	line = span_trim(line);
	t->alloc = (v[0] != v[2] && v[0]) || (v[1] != v[3] && v[1]);
	struct span word = span_cut(&line, '/');
	t->period = 1;
	if (!span_eq(word, S("heapprofile")) && take_int(&line, &t->period) && span_eq(word, S("heap")))
		t->period /= 2;
	if (t->alloc) {
		put_type(t, 1, S("alloc_objects"), S("count"));
		put_type(t, 1, S("alloc_space"), S("bytes"));
	}
	put_type(t, 1, t->alloc ? S("inuse_objects") : S("objects"), S("count"));
	put_type(t, 1, t->alloc ? S("inuse_space") : S("space"), S("bytes"));
	put_type(t, 11, S("space"), S("bytes"));
}

static void begin_text(struct text *t, struct span line)
{
	struct span name = { 0 };

	t->period = 1;
	if (t->form == FORM_HEAP) {
		begin_heap(t, line);
	} else if (t->form == FORM_COUNT) {
		count_name(line, &name);
		put_type(t, 1, name, S("count"));
		put_type(t, 11, name, S("count"));
	} else {
		put_type(t, 1, S("contentions"), S("count"));
		put_type(t, 1, S("delay"), S("nanoseconds"));
		put_type(t, 11, S("contentions"), S("count"));
	}
}

/* ---- all of it ---- */

static void put_tables(struct text *t)
{
	CLEANUP(buf_free) struct buf m = { 0 };
	CLEANUP(buf_free) struct buf line = { 0 };

	for (size_t i = 0; i < t->n_addresses; i++) {
		const struct address *a = t->address_list[i];
		buf_clear(&m);
		proto_int(&m, 1, a->id);
		proto_int(&m, 3, (int64_t)a->address);
		for (const struct place *p = a->places; p; p = p->next) {
			buf_clear(&line);
			proto_int(&line, 1, p->function);
			proto_int(&line, 2, p->line);
			proto_bytes(&m, 4, buf_view(&line));
		}
		proto_bytes(t->to, 4, buf_view(&m));
	}
	for (size_t i = 0; i < t->n_functions; i++) {
		const struct named *f = t->function_list[i];
		buf_clear(&m);
		proto_int(&m, 1, f->id);
		proto_int(&m, 2, f->name);
		proto_int(&m, 3, f->name);
		proto_int(&m, 4, f->file);
		proto_bytes(t->to, 5, buf_view(&m));
	}
	proto_bytes(t->to, 6, (struct span){ 0 });
	for (size_t i = 0; i < t->n_strings; i++)
		proto_bytes(t->to, 6, t->string_list[i]);
	proto_int(t->to, 12, t->period);
	t->bad |= m.bad || line.bad;
}

/* "cycles/second=N" and what else stands before the first record. */
static bool is_setting(struct text *t, struct span line)
{
	int64_t v;
	struct span rest = line, key = span_trim(span_cut(&rest, '='));

	if (t->form != FORM_CONTENTION || key.n == line.n || !take_int(&rest, &v))
		return false;
	if (span_eq(key, S("cycles/second")))
		t->hz = v;
	else if (span_eq(key, S("sampling period")))
		t->period = v;
	return true;
}

/* False: the line says nothing that is understood. */
static bool one_line(struct text *t, struct span line)
{
	if (!line.n)
		return true;
	if (line.p[0] != '#')
		return is_setting(t, line) || begin_record(t, line);
	line = span_trim(span_from(line, 1));
	if (span_skip(&line, S("labels:")))
		t->labels = t->open ? span_trim(line) : (struct span){ 0 };
	else
		add_frame(t, line);
	return true;
}

static bool is_end(struct span line)
{
	return span_starts(line, S("---")) || span_starts(line, S("MAPPED_LIBRARIES:"));
}

int pprof_text_convert(struct span text, struct buf *ret, struct pprof_flaw *flaw, struct err *e)
{
	struct span rest = text, line = first_line(&rest);
	struct text t = { .to = ret, .form = form_of(line) };

	*flaw = (struct pprof_flaw){ 0 };
	if (t.form == FORM_NONE)
		return err_set(e, EBADMSG, TR("not a profile", "不是剖析数据"));
	begin_text(&t, line);
	while (rest.n && !t.bad && !ret->bad) {
		line = span_trim(span_cut(&rest, '\n'));
		if (is_end(line))
			break;
		if (!one_line(&t, line) && !flaw->what.en)
			*flaw = (struct pprof_flaw){ (size_t)(line.p - text.p), { "a line of the profile cannot be read: it is left out", "剖析数据中有一行无法读取：已略去" } };
	}
	end_record(&t);
	put_tables(&t);
	bool bad = t.bad || ret->bad;
	map_free(&t.strings);
	map_free(&t.functions);
	map_free(&t.addresses);
	mem_free(t.string_list);
	mem_free(t.function_list);
	mem_free(t.address_list);
	arena_free(&t.mem);
	return bad ? err_set(e, ENOMEM, TR("no memory for a profile", "内存不足，无法载入剖析数据")) : 0;
}
