#include "base/redact.h"

#include <endian.h>
#include <pthread.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "base/redact_rows.h"
#include "base/text.h"

/*
 * Search: one pass over all positions. Every secret has three bytes that give it away (in any case); a bit in a table
 * says whether three bytes may be such ones. Only then rows and values are compared. All that they may look at is
 * bounded, so hostile text costs a bounded factor.
 */
enum { BITS = 1 << 16, BUCKETS = 128 };

struct anchors {
	uint8_t bits[BITS / 8];
	uint8_t first[BUCKETS]; /* row + 1; 0: none */
	uint8_t next[256];
	uint32_t key[256];
	struct row *rows;
};

static struct anchors patterns;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* One form of a value, and three bytes that begin it. */
struct form {
	char *p; /* in a page */
	size_t n;
	uint32_t key;
	bool coded; /* base64 */
	const char *kind;
};

struct page { /* where values stand: locked, and in no core file, as far as the machine lets us */
	struct page *next;
	size_t size, used;
};

struct redact {
	uint8_t bits[BITS / 8]; /* those of the patterns too */
	struct form *forms;
	size_t n, cap;
	struct page *pages;
	bool blank; /* the first three bytes of one have a blank: a piece that ends in one may end in a value */
};

static const struct redact *known;

void redact_know(const struct redact *x)
{
	known = x;
}

static uint32_t key_at(const char *p) /* three bytes, letters in small */
{
	return redact_key_at(p);
}

static uint32_t hash(uint32_t key)
{
	return key * UINT32_C(0x9e3779b1) >> 16;
}

static void set_bit(uint8_t *bits, uint32_t key)
{
	uint32_t h = hash(key);

	bits[h >> 3] |= (uint8_t)(1u << (h & 7));
}

static void begin(void)
{
	size_t n;

	redact_classes();
	patterns.rows = redact_rows(&n);
	for (size_t i = n; i-- > 0;) { /* backwards: the first row stands first in its bucket */
		uint32_t key = key_at(patterns.rows[i].rare);
		uint8_t *bucket = &patterns.first[hash(key) % BUCKETS];

		set_bit(patterns.bits, key);
		patterns.key[i] = key;
		patterns.next[i] = *bucket;
		*bucket = (uint8_t)(i + 1);
	}
}

/* ---- the search ---- */

struct scan {
	const struct redact *x;
	const char *p;
	size_t end, done, pos;
	bool final;
	enum redact_state state;
	struct buf *ret; /* NULL: only asked whether there is any */
	size_t hits;
	struct redact_events *parts;
	size_t cut;            /* a place; not within a secret when edge.n is 0 */
	struct span edge;      /* the secret in which it lies */
	struct redact *learns; /* what is found; NULL: nothing is to be learned */
	bool bad;
};

static size_t next_candidate(const struct scan *s)
{
	const uint8_t *bits = s->x ? s->x->bits : patterns.bits;
	const char *p = s->p + s->pos, *end = s->p + s->end;
	uint32_t v, h;

	for (; end - p > 3; p++) {
		memcpy(&v, p, 4);
		h = hash((le32toh(v) & 0xffffff) | 0x202020);
		if (bits[h >> 3] >> (h & 7) & 1)
			return (size_t)(p - s->p);
	}
	if (end - p == 3) {
		h = hash(key_at(p));
		if (bits[h >> 3] >> (h & 7) & 1)
			return (size_t)(p - s->p);
	}
	return SPAN_NONE;
}

static bool is_literal(const struct row *row, const char *p, size_t n)
{
	return row->exact_case ? !memcmp(p, row->literal, n) : !strncasecmp(p, row->literal, n);
}

static bool match_row(struct look *l, size_t at, const struct row *row)
{
	size_t n = strlen(row->literal), start = at - row->skip;

	if (at < row->skip)
		return false;
	if (l->end - start < n) {
		l->more |= is_literal(row, l->p + start, l->end - start);
		return false;
	}
	if (!is_literal(row, l->p + start, n))
		return false;
	l->at = start;
	l->kind = row->kind;
	return row->match(row, l);
}

static bool match_form(struct look *l, size_t at, const struct form *f)
{
	l->at = at;
	l->kind = f->kind;
	return redact_value_here(l, (struct span){ f->p, f->n }, f->coded);
}

/* Is there a secret at this candidate? l->more: wait for more. */
static bool match(const struct scan *s, size_t at, struct look *l)
{
	uint32_t key = key_at(s->p + at);

	for (size_t i = 0; s->x && i < s->x->n; i++) {
		if (s->x->forms[i].key == key && match_form(l, at, &s->x->forms[i]) && l->to > s->done) {
			l->from = l->from > s->done ? l->from : s->done; /* its first bytes went out while nothing came */
			return true;
		}
		if (l->more && !s->final)
			return false;
	}
	for (size_t i = patterns.first[hash(key) % BUCKETS]; i; i = patterns.next[i - 1]) {
		if (patterns.key[i - 1] != key)
			continue;
		bool found = match_row(l, at, &patterns.rows[i - 1]);
		if (l->more && !s->final)
			return false;
		if (found && l->from >= s->done)
			return true;
		l->more = false;
		l->state = REDACT_TEXT;
	}
	return false;
}

/* Of a URL also what it stands for. */
static bool learn_value(struct redact *x, struct span value)
{
	CLEANUP(buf_free) struct buf plain = { 0 };

	if (!redact_is_telling(value))
		return true;
	if (!redact_add_value(x, value, "secret") || !buf_need(&plain, value.n))
		return false;
	for (size_t i = 0; i < value.n; i++) {
		bool coded = value.p[i] == '%' && i + 2 < value.n;
		int high = coded ? hex_digit(value.p[i + 1]) : -1, low = coded ? hex_digit(value.p[i + 2]) : -1;
		if (high >= 0 && low >= 0) {
			buf_addc(&plain, (char)(high << 4 | low));
			i += 2;
		} else {
			buf_addc(&plain, value.p[i]);
		}
	}
	bool good = plain.len == value.n || !redact_is_telling(buf_view(&plain)) || redact_add_value(x, buf_view(&plain), "secret");
	explicit_bzero(plain.p, plain.cap);
	return good;
}

static void learn(struct scan *s, const struct look *l)
{
	struct span value = { s->p + l->from, l->to - l->from };

	/* a line of a key begins with the end of the one before it */
	while (l->state == REDACT_KEY_BODY && value.n && !redact_is_base64((unsigned char)value.p[0]))
		value = span_from(value, value.p[0] == '\\' ? 2 : 1);
	s->bad |= value.n && !learn_value(s->learns, value);
}

/* So much of the text goes on; and what was taken out before its end is put back. */
static void emit(struct scan *s, size_t from, size_t to)
{
	struct span text;
	size_t at;

	while (s->parts && redact_events_cut(s->parts, to, &at, &text)) {
		if (at > from) {
			buf_add(s->ret, s->p + from, at - from);
			from = at;
		}
		buf_span(s->ret, text);
	}
	if (to > from)
		buf_add(s->ret, s->p + from, to - from);
}

static void drop(struct scan *s, const struct look *l)
{
	struct span kept = { s->p + s->done, l->from - s->done };

	if (s->learns)
		learn(s, l);
	if (l->from < s->cut && s->cut < l->to)
		s->edge = (struct span){ s->p + l->from, l->to - l->from };
	if (s->ret) {
		if (s->state == REDACT_TEXT)
			emit(s, s->done, l->from);
		else /* what stands between the lines of a key was not searched yet */
			s->hits += redact_text(s->x, kept, s->ret);
		if (l->kind)
			buf_addf(s->ret, "[redacted:%s]", l->kind);
	}
	s->hits += l->kind != NULL;
	s->done = s->pos = l->to;
	s->state = l->state;
}

static void eat(struct scan *s)
{
	while (s->pos < s->end && redact_is_value((unsigned char)s->p[s->pos]))
		s->pos++;
	s->done = s->pos;
	if (s->pos < s->end)
		s->state = REDACT_TEXT;
}

/* As far as it can be decided; what is before s->pos is. */
static void search(struct scan *s)
{
	while (s->pos < s->end && (s->ret || s->learns || s->cut || !s->hits)) {
		struct look l = {
			.p = s->p, .at = s->pos, .end = s->end, .final = s->final, .state = s->state
		};

		if (s->state == REDACT_EAT) {
			eat(s);
			continue;
		}
		if (s->state != REDACT_TEXT) {
			bool found = redact_key(&l);
			if (l.more && !s->final)
				return;
			if (found)
				drop(s, &l);
			else
				s->state = REDACT_TEXT;
			continue;
		}
		size_t at = next_candidate(s);
		if (at == SPAN_NONE) {
			s->pos = s->final || s->end - s->pos < 2 ? s->pos : s->end - 2;
			return;
		}
		bool found = match(s, at, &l);
		s->pos = at;
		if (l.more && !s->final && !found)
			return;
		if (found)
			drop(s, &l);
		else
			s->pos = at + 1;
	}
}

bool redact_any(const struct redact *x, struct span text)
{
	struct scan s = { .x = x ? x : known, .p = text.p, .end = text.n, .final = true };

	pthread_once(&once, begin);
	search(&s);
	return s.hits > 0;
}

size_t redact_text(const struct redact *x, struct span text, struct buf *ret)
{
	struct scan s = { .x = x ? x : known, .p = text.p, .end = text.n, .final = true, .ret = ret };

	pthread_once(&once, begin);
	search(&s);
	if (s.done < s.end)
		emit(&s, s.done, s.end);
	return s.hits;
}

#define EDGE (6 << 10) /* so far around a cut a secret is looked for */

static struct span edge_at(struct span text, size_t cut)
{
	size_t from = cut > EDGE ? cut - EDGE : 0;
	struct span around = span_head(span_from(text, from), cut - from + EDGE);
	struct scan s = { .x = known, .p = around.p, .end = around.n, .final = true, .cut = cut - from };

	pthread_once(&once, begin);
	if (s.cut)
		search(&s);
	return s.edge;
}

struct span redact_head(struct span text, size_t n)
{
	if (text.n <= n)
		return text;
	struct span edge = edge_at(text, n);
	return utf8_head(text, edge.n ? (size_t)(edge.p - text.p) : n);
}

size_t redact_behind(struct span text, size_t from)
{
	struct span edge = from < text.n ? edge_at(text, from) : (struct span){ 0 };

	return edge.n ? (size_t)(edge.p + edge.n - text.p) : from;
}

/* ---- in pieces ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* A secret that is not decided yet begins in the word in which the search stands, not before. */
static size_t may_go(const struct scan *s)
{
	size_t at = s->pos;

	if (s->state != REDACT_TEXT)
		return s->done;
	if (s->end - s->pos <= 2 && !(s->x && s->x->blank)) {
		/* nothing is pending but the last two bytes, and what ends in a blank is no part of a secret */
		if (s->end && is_blank(s->p[s->end - 1]))
			return s->end;
	}
	while (at > s->done && s->pos - at < LOOK_BACK && !is_blank(s->p[at - 1]))
		at--;
	return at;
}

/* Keep what is held back and what may be read before it. */
static void shift(struct redact_stream *r)
{
	size_t from = r->pos < r->done ? r->pos : r->done;

	from = from > LOOK_CONTEXT ? from - LOOK_CONTEXT : 0;
	buf_drop(&r->window, from);
	redact_events_shift(r->parts, from);
	r->done -= from;
	r->pos -= from;
}

/* So far as end. */
static void advance_to(struct redact_stream *r, size_t end, bool final, struct buf *ret)
{
	struct scan s = {
		.x = r->x ? r->x : known, .p = r->window.p, .end = end, .done = r->done, .pos = r->pos, .final = final,
		.state = (enum redact_state)r->state, .ret = ret, .hits = r->hits, .parts = r->parts,
	};

	pthread_once(&once, begin);
	search(&s);
	size_t until = final ? s.end : may_go(&s);
	until = until > s.done ? until : s.done;
	emit(&s, s.done, until);
	s.done = until;
	r->done = s.done;
	r->pos = s.pos;
	r->hits = s.hits;
	r->state = (int)s.state;
}

static void advance(struct redact_stream *r, bool final, struct buf *ret)
{
	advance_to(r, r->window.len, final, ret);
}

/* Without memory for it events are not joined: no text is lost for that. */
static void take(struct redact_stream *r, struct span bytes, bool end)
{
	if (r->events && !r->parts && !end)
		r->parts = redact_events_new();
	if (r->parts)
		redact_events_feed(r->parts, bytes, end, &r->window);
	else
		buf_span(&r->window, bytes);
}

void redact_feed(struct redact_stream *r, struct span bytes, struct buf *ret)
{
	if (!bytes.n)
		return;
	shift(r);
	take(r, bytes, false);
	if (r->window.bad) {
		ret->bad = true;
		return;
	}
	advance(r, false, ret);
}

void redact_end(struct redact_stream *r, struct buf *ret)
{
	if (r->parts && !r->window.bad)
		take(r, (struct span){ 0 }, true);
	if ((r->window.len || r->parts) && !r->window.bad)
		advance(r, true, ret);
	ret->bad |= r->window.bad;
	redact_stream_free(r);
}

bool redact_holds(const struct redact_stream *r)
{
	return r->window.len > r->done;
}

/* Where the text ends in what begins like a value (three bytes of it at least); else its end. */
static size_t before_value(const struct redact_stream *r)
{
	const struct redact *x = r->x ? r->x : known;

	for (size_t at = r->done; x && at + 3 <= r->window.len; at++) {
		uint32_t key = key_at(r->window.p + at);
		for (size_t i = 0; i < x->n; i++) {
			struct look l = { .p = r->window.p, .end = r->window.len };
			if (x->forms[i].key == key && !match_form(&l, at, &x->forms[i]) && l.more)
				return at;
		}
	}
	return r->window.len;
}

void redact_idle(struct redact_stream *r, struct buf *ret)
{
	if (redact_holds(r) && !r->window.bad && r->state != REDACT_KEY_BEGIN && r->state != REDACT_KEY_BODY)
		advance_to(r, before_value(r), true, ret);
}

void redact_stream_free(struct redact_stream *r)
{
	if (r->window.p)
		explicit_bzero(r->window.p, r->window.cap);
	buf_free(&r->window);
	redact_events_free(r->parts);
	r->parts = NULL;
	r->done = r->pos = 0;
	r->state = REDACT_TEXT;
}

/* ---- values ---- */

struct redact *redact_new(void)
{
	struct redact *x = mem_zalloc(sizeof(*x));

	pthread_once(&once, begin);
	if (x)
		memcpy(x->bits, patterns.bits, sizeof(x->bits));
	return x;
}

void redact_free(struct redact *x)
{
	if (!x)
		return;
	for (struct page *p = x->pages, *next; p; p = next) {
		size_t size = p->size;
		next = p->next;
		explicit_bzero(p, size);
		munmap(p, size);
	}
	mem_free(x->forms);
	mem_free(x);
}

#define PAGE_LEAST (16u << 10)

static bool add_page(struct redact *x, size_t n)
{
	size_t size = sizeof(struct page) + n;

	size = (size + PAGE_LEAST - 1) / PAGE_LEAST * PAGE_LEAST;
	struct page *p = fault_hit() ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return false;
	(void)!mlock(p, size);
	(void)!madvise(p, size, MADV_DONTDUMP);
	*p = (struct page){ x->pages, size, sizeof(*p) };
	x->pages = p;
	return true;
}

static char *keep(struct redact *x, struct span s)
{
	if ((!x->pages || x->pages->size - x->pages->used < s.n) && !add_page(x, s.n))
		return NULL;
	char *p = (char *)x->pages + x->pages->used;
	memcpy(p, s.p, s.n);
	x->pages->used += s.n;
	return p;
}

/* The longest first, so that no rest of one is left by a shorter one. */
static bool insert(struct redact *x, const struct form *f)
{
	size_t at = 0;

	if (!mem_grow(&x->forms, &x->cap, x->n, sizeof(*x->forms)))
		return false;
	while (at < x->n && x->forms[at].n >= f->n)
		at++;
	memmove(x->forms + at + 1, x->forms + at, (x->n - at) * sizeof(*x->forms));
	x->forms[at] = *f;
	x->n++;
	set_bit(x->bits, f->key);
	for (int shift_by = 0; shift_by < 24; shift_by += 8)
		x->blank |= strchr(" )*-", (int)(f->key >> shift_by & 0xff)) != NULL; /* blanks are among those, as keys have them */
	return true;
}

static bool add_form(struct redact *x, struct span s, const char *kind, bool coded)
{
	uint32_t keys[KEYS_MAX];

	if (s.n < 4)
		return true;
	for (size_t i = 0; i < x->n; i++) {
		if (span_eq((struct span){ x->forms[i].p, x->forms[i].n }, s))
			return true;
	}
	char *copy = keep(x, s);
	if (!copy)
		return false;
	size_t n = redact_value_keys(s, keys);
	for (size_t i = 0; i < n; i++) {
		if (!insert(x, &(struct form){ copy, s.n, keys[i], coded, kind }))
			return false;
	}
	return true;
}

static bool add_buf(struct redact *x, struct buf *b, const char *kind)
{
	bool ok = !b->bad && add_form(x, buf_view(b), kind, true);

	if (b->p)
		explicit_bzero(b->p, b->cap);
	buf_clear(b);
	return ok;
}

/* Somewhere in a text that was encoded as a whole: what stays the same at each of three offsets. */
static bool add_base64(struct redact *x, struct span s, const char *kind, const char *alphabet)
{
	for (size_t shift_by = 0; shift_by < 3; shift_by++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		size_t bits = (s.n + shift_by) * 8;
		b.bad = !buf_need(&b, bits / 6 + 1); /* at once: nothing of it is left behind when it grows */
		for (size_t at = shift_by ? (shift_by * 8 + 5) / 6 * 6 : 0; at + 6 <= bits; at += 6) {
			unsigned six = 0;
			for (size_t k = at; k < at + 6; k++)
				six = six << 1 | ((unsigned char)s.p[k / 8 - shift_by] >> (7 - k % 8) & 1);
			buf_addc(&b, alphabet[six]);
		}
		if (b.len >= 6 && !add_buf(x, &b, kind))
			return false;
	}
	return true;
}

static bool add_line(struct redact *x, struct span s, const char *kind)
{
	static const char std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

	return add_form(x, s, kind, false) && add_base64(x, s, kind, std) && add_base64(x, s, kind, url);
}

bool redact_add_value(struct redact *x, struct span value, const char *kind)
{
	struct span rest = span_trim(value);
	bool any = false;

	if (rest.n > REDACT_VALUE_MAX)
		return false;
	while (rest.n) {
		struct span line = span_trim(span_cut(&rest, '\n'));
		if (line.n < 4)
			continue;
		any = true;
		if (!add_line(x, line, kind))
			return false;
	}
	return any;
}

bool redact_learn(struct redact *x, struct span text)
{
	struct scan s = { .p = text.p, .end = text.n, .final = true, .learns = x };

	pthread_once(&once, begin);
	search(&s);
	return !s.bad;
}

bool redact_learn_named(struct redact *x, struct span name, struct span value)
{
	CLEANUP(buf_free) struct buf probe = { 0 };

	if (value.n > REDACT_VALUE_MAX || span_chr(value, '\n') != SPAN_NONE || span_starts(value, S("{")) || span_starts(value, S("[")))
		return true; /* something with parts: the patterns know them */
	buf_addf(&probe, "%.*s=1a2b3c4d5e6f", SPAN_ARG(name));
	if (probe.bad)
		return false;
	return !redact_any(NULL, buf_view(&probe)) || learn_value(x, value);
}
