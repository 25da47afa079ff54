#include "base/redact.h"

#include <endian.h>
#include <pthread.h>

#include "base/mem.h"
#include "base/redact_rows.h"

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

/* One form of a value. */
struct form {
	char *p;
	size_t n;
	uint32_t key;
	const char *kind;
};

struct redact {
	uint8_t bits[BITS / 8]; /* those of the patterns too */
	struct form *forms;
	size_t n, cap;
	bool blank; /* the first three bytes of one have a blank: a piece that ends in one may end in a value */
};

static uint32_t key_at(const char *p) /* three bytes, letters in small */
{
	return ((uint32_t)(uint8_t)p[0] | (uint32_t)(uint8_t)p[1] << 8 | (uint32_t)(uint8_t)p[2] << 16) |
	       0x202020;
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
	size_t n = l->end - at < f->n ? l->end - at : f->n;

	if (memcmp(l->p + at, f->p, n) != 0)
		return false;
	l->more |= n < f->n;
	l->from = at;
	l->to = at + f->n;
	l->kind = f->kind;
	return n == f->n;
}

/* Is there a secret at this candidate? l->more: wait for more. */
static bool match(const struct scan *s, size_t at, struct look *l)
{
	uint32_t key = key_at(s->p + at);

	for (size_t i = 0; s->x && i < s->x->n; i++) {
		if (s->x->forms[i].key == key && match_form(l, at, &s->x->forms[i]))
			return true;
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

static void drop(struct scan *s, const struct look *l)
{
	struct span kept = { s->p + s->done, l->from - s->done };

	if (s->ret) {
		if (s->state == REDACT_TEXT)
			buf_span(s->ret, kept);
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
	while (s->pos < s->end && (s->ret || !s->hits)) {
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
	struct scan s = { .x = x, .p = text.p, .end = text.n, .final = true };

	pthread_once(&once, begin);
	search(&s);
	return s.hits > 0;
}

size_t redact_text(const struct redact *x, struct span text, struct buf *ret)
{
	struct scan s = { .x = x, .p = text.p, .end = text.n, .final = true, .ret = ret };

	pthread_once(&once, begin);
	search(&s);
	if (s.done < s.end)
		buf_add(ret, s.p + s.done, s.end - s.done);
	return s.hits;
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
	r->done -= from;
	r->pos -= from;
}

static void advance(struct redact_stream *r, bool final, struct buf *ret)
{
	struct scan s = {
		r->x, r->window.p, r->window.len, r->done, r->pos, final, (enum redact_state)r->state,
		ret,  r->hits
	};

	pthread_once(&once, begin);
	search(&s);
	size_t until = final ? s.end : may_go(&s);
	if (until > s.done) {
		buf_add(ret, s.p + s.done, until - s.done);
		s.done = until;
	}
	r->done = s.done;
	r->pos = s.pos;
	r->hits = s.hits;
	r->state = (int)s.state;
}

void redact_feed(struct redact_stream *r, struct span bytes, struct buf *ret)
{
	if (!bytes.n)
		return;
	shift(r);
	buf_span(&r->window, bytes);
	if (r->window.bad) {
		ret->bad = true;
		return;
	}
	advance(r, false, ret);
}

void redact_end(struct redact_stream *r, struct buf *ret)
{
	if (r->window.len && !r->window.bad)
		advance(r, true, ret);
	ret->bad |= r->window.bad;
	redact_stream_free(r);
}

void redact_stream_free(struct redact_stream *r)
{
	if (r->window.p)
		explicit_bzero(r->window.p, r->window.cap);
	buf_free(&r->window);
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

static void wipe(struct form *f)
{
	explicit_bzero(f->p, f->n);
	mem_free(f->p);
}

void redact_free(struct redact *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < x->n; i++)
		wipe(&x->forms[i]);
	mem_free(x->forms);
	mem_free(x);
}

/* The longest first, so that no rest of one is left by a shorter one. */
static bool add_form(struct redact *x, struct span s, const char *kind)
{
	size_t at = 0;

	if (s.n < 4)
		return true;
	for (size_t i = 0; i < x->n; i++) {
		if (span_eq((struct span){ x->forms[i].p, x->forms[i].n }, s))
			return true;
	}
	char *copy = mem_grow(&x->forms, &x->cap, x->n, sizeof(*x->forms)) ? mem_dup(s.p, s.n) : NULL;
	if (!copy)
		return false;
	while (at < x->n && x->forms[at].n >= s.n)
		at++;
	memmove(x->forms + at + 1, x->forms + at, (x->n - at) * sizeof(*x->forms));
	x->forms[at] = (struct form){ copy, s.n, key_at(copy), kind };
	x->n++;
	set_bit(x->bits, key_at(copy));
	x->blank |= is_blank(copy[0]) || is_blank(copy[1]) || is_blank(copy[2]);
	return true;
}

static bool add_buf(struct redact *x, struct buf *b, const char *kind)
{
	bool ok = !b->bad && add_form(x, buf_view(b), kind);

	if (b->p)
		explicit_bzero(b->p, b->cap);
	buf_clear(b);
	return ok;
}

static bool is_plain(unsigned char c) /* never percent-encoded */
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-._~", c));
}

static bool add_percent(struct redact *x, struct span s, const char *kind, bool small)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (is_plain(c))
			buf_addc(&b, s.p[i]);
		else
			buf_addf(&b, small ? "%%%02x" : "%%%02X", c);
	}
	return add_buf(x, &b, kind);
}

/* JSON as Go writes it (html) and as all others do. */
static bool add_json(struct redact *x, struct span s, const char *kind, bool html)
{
	static const char names[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	CLEANUP(buf_free) struct buf b = { 0 };

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		const char *name = names;
		while (*name && (unsigned char)*name != c)
			name += 2;
		if (*name)
			buf_addf(&b, "\\%c", name[1]);
		else if (c < ' ' || (html && strchr("<>&", c)))
			buf_addf(&b, "\\u%04x", c);
		else
			buf_addc(&b, s.p[i]);
	}
	return add_buf(x, &b, kind);
}

/* Somewhere in a text that was encoded as a whole: what stays the same at each of three offsets. */
static bool add_base64(struct redact *x, struct span s, const char *kind, const char *alphabet)
{
	for (size_t shift_by = 0; shift_by < 3; shift_by++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		size_t bits = (s.n + shift_by) * 8;
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

	return add_form(x, s, kind) && add_percent(x, s, kind, false) && add_percent(x, s, kind, true) &&
	       add_json(x, s, kind, false) && add_json(x, s, kind, true) && add_base64(x, s, kind, std) &&
	       add_base64(x, s, kind, url);
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
