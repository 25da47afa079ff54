/* A value that is known, in whatever way it is written: what may begin it, and whether it stands there. */
#include "base/redact_rows.h"

#include "base/mem.h"
#include "base/text.h"

/* ---- one step: some bytes of the text that stand for some of the value ---- */

struct step {
	size_t text, value;
};

static bool step_raw(struct look *l, size_t i, struct span v, struct step *ret)
{
	*ret = (struct step){ 1, 1 };
	return look_at(l, i) == (unsigned char)v.p[0] && i < l->end;
}

static bool step_percent(struct look *l, size_t i, struct span v, struct step *ret)
{
	*ret = (struct step){ 1, 1 };
	if (look_at(l, i) == '+' && v.p[0] == ' ')
		return true;
	if (look_at(l, i) != '%')
		return false;
	int high = hex_digit(look_at(l, i + 1)), low = high < 0 ? -1 : hex_digit(look_at(l, i + 2));
	ret->text = 3;
	return low >= 0 && (high << 4 | low) == (unsigned char)v.p[0];
}

static bool read_unit(struct look *l, size_t i, uint32_t *ret)
{
	*ret = 0;
	for (size_t k = 0; k < 4; k++) {
		int digit = hex_digit(look_at(l, i + k));
		if (digit < 0)
			return false;
		*ret = *ret << 4 | (uint32_t)digit;
	}
	return true;
}

static size_t encode(uint32_t cp, char *ret)
{
	size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
	static const unsigned char heads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = n; i-- > 1; cp >>= 6)
		ret[i] = (char)(0x80 | (cp & 0x3f));
	ret[0] = (char)(heads[n] | cp);
	return n;
}

static size_t count_slashes(struct look *l, size_t i)
{
	size_t n = 0;

	while (n < 15 && look_at(l, i + n) == '\\')
		n++;
	return n;
}

/* \u00e9, or two of them for what is beyond 16 bits; i is behind the backslashes. */
static bool step_unicode(struct look *l, size_t i, size_t slashes, struct span v, struct step *ret)
{
	uint32_t cp, low;
	char text[4];

	ret->text = slashes + 5;
	if (!read_unit(l, i + 1, &cp))
		return false;
	if (cp >= 0xd800 && cp < 0xdc00) {
		size_t j = i + 5, more = count_slashes(l, j);
		if (!more || look_at(l, j + more) != 'u' || !read_unit(l, j + more + 1, &low) || low < 0xdc00 || low > 0xdfff)
			return false;
		cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
		ret->text += more + 5;
	}
	ret->value = encode(cp, text);
	return v.n >= ret->value && !memcmp(v.p, text, ret->value);
}

/* JSON, however often it stands in JSON. */
static bool step_escape(struct look *l, size_t i, struct span v, struct step *ret)
{
	size_t n = count_slashes(l, i), own = 0;

	if (!n)
		return false;
	while (own < v.n && v.p[own] == '\\')
		own++;
	*ret = (struct step){ n, own };
	if (own)
		return n >= own;
	unsigned char c = look_at(l, i + n);
	if (c == 'u')
		return step_unicode(l, i + n, n, v, ret);
	*ret = (struct step){ n + 1, 1 };
	return (c == (unsigned char)v.p[0] && strchr("\"'/", c) && c) || (c == 't' && v.p[0] == '\t');
}

/* A line end between two parts of it. */
static bool step_over(struct look *l, size_t i, struct step *ret)
{
	size_t slashes = count_slashes(l, i);
	unsigned char c = look_at(l, i + slashes);

	*ret = (struct step){ slashes + 1, 0 };
	return slashes ? c == 'n' || c == 'r' : c == '\n' || c == '\r';
}

static bool step(struct look *l, size_t i, struct span v, bool coded, struct step *ret)
{
	if (!coded && step_raw(l, i, v, ret))
		return true;
	return step_percent(l, i, v, ret) || step_escape(l, i, v, ret) || (coded && step_raw(l, i, v, ret));
}

static bool walk(struct look *l, struct span v, bool wraps, bool coded)
{
	size_t i = l->at, most = l->at + 16 * v.n + 4096;
	struct step s;
	bool begun = false;

	while (v.n) {
		if (i >= most || (!step(l, i, v, coded, &s) && !(begun && wraps && step_over(l, i, &s))))
			return false;
		i += s.text;
		v = span_from(v, s.value);
		begun = true;
	}
	l->from = l->at;
	l->to = i;
	return true;
}

/* "%25" may be that, or a percent sign: both ways. */
bool redact_value_here(struct look *l, struct span value, bool wraps)
{
	bool more = l->more;

	if (walk(l, value, wraps, false)) {
		l->more = more;
		return true;
	}
	bool wait = l->more;
	l->more = more;
	if (walk(l, value, wraps, true)) {
		l->more = more;
		return true;
	}
	l->more |= wait;
	return false;
}

/* ---- what may begin it ---- */

struct keys {
	uint32_t *list;
	size_t n;
};

uint32_t redact_key_at(const char *p)
{
	return ((uint32_t)(uint8_t)p[0] | (uint32_t)(uint8_t)p[1] << 8 | (uint32_t)(uint8_t)p[2] << 16) | 0x202020;
}

static void add_key(struct keys *k, const char *p)
{
	uint32_t key = redact_key_at(p);

	for (size_t i = 0; i < k->n; i++) {
		if (k->list[i] == key)
			return;
	}
	if (k->n < KEYS_MAX)
		k->list[k->n++] = key;
}

static void begin_with(struct keys *k, const char *head, size_t n, struct span v);

static void go_on(struct keys *k, const char *head, size_t n, const char *more, struct span v)
{
	char text[16];
	size_t m = strlen(more);

	memcpy(text, head, n);
	memcpy(text + n, more, m);
	begin_with(k, text, n + m, v);
}

/* The character that v begins with in JSON; one byte of it is told. */
static size_t first_char(struct span v, uint32_t *cp)
{
	size_t n = utf8_decode(v, cp);

	return *cp >= 0x80 && n > 1 ? n : 1;
}

static void begin_escaped(struct keys *k, const char *head, size_t n, struct span v)
{
	uint32_t cp = 0;
	size_t used = first_char(v, &cp);
	char text[8] = "\\u0";

	if (strchr("\"\\'/\t", v.p[0])) {
		text[1] = v.p[0] == '\t' ? 't' : v.p[0];
		text[2] = '\0';
		go_on(k, head, n, text, span_from(v, 1));
		memcpy(text, "\\u0", 4);
	}
	go_on(k, head, n, "\\\\\\", v); /* at least three */
	if (used > 1) {
		uint32_t unit = cp >= 0x10000 ? 0xd800 + ((cp - 0x10000) >> 10) : cp;
		text[2] = "0123456789abcdef"[unit >> 12 & 15];
	}
	go_on(k, head, n, text, span_from(v, used));
	go_on(k, head, n, "\\\\u", v);
}

/* All ways to write what comes next; three bytes are enough. */
static void begin_with(struct keys *k, const char *head, size_t n, struct span v)
{
	static const char digits[] = "0123456789ABCDEF";

	if (n >= 3 || !v.n) {
		if (n >= 3)
			add_key(k, head);
		return;
	}
	unsigned char c = (unsigned char)v.p[0];
	const char raw[] = { (char)c, '\0' }, percent[] = { '%', digits[c >> 4], digits[c & 15], '\0' };
	go_on(k, head, n, raw, span_from(v, 1));
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-_.", c))
		return;
	go_on(k, head, n, percent, span_from(v, 1));
	if (c == ' ')
		go_on(k, head, n, "+", span_from(v, 1));
	begin_escaped(k, head, n, v);
}

size_t redact_value_keys(struct span value, uint32_t keys[KEYS_MAX])
{
	struct keys k = { .list = keys };

	begin_with(&k, "", 0, value);
	return k.n;
}
