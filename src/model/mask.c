#include "model/mask.h"

#include "base/mem.h"
#include "base/text.h"

#define QUOTE_MAX 300 /* a quotation mark whose partner is farther away quotes nothing */

struct mask {
	struct span s;
	size_t at;
	enum mask_level level;
	bool quoted;   /* quoted data is kept */
	size_t hash;   /* length of the output behind the last '#', 0: none */
	struct buf *to;
};

/* ---- bytes ---- */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80); }
static bool is_word(char c) { return is_digit(c) || is_letter(c); }
static bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
static bool is_blank(char c) { return (unsigned char)c <= ' ' && c != 0x1b; } /* control bytes say nothing */

static char at(struct span s, size_t i) /* 0 behind the end */
{
	return i < s.n ? s.p[i] : 0;
}

static char before(const struct mask *m)
{
	return m->at ? m->s.p[m->at - 1] : 0;
}

static size_t run_of(struct span s, size_t i, bool (*is)(char))
{
	size_t n = 0;

	while (i + n < s.n && is(s.p[i + n]))
		n++;
	return n;
}

/* ---- shapes: each gives the bytes at i that have it, 0 when none do ---- */

/* D for a digit, H for a hex digit, anything else for itself. */
static size_t shape(struct span s, size_t i, const char *form)
{
	size_t n = 0;

	for (; form[n]; n++) {
		char c = at(s, i + n);
		if (form[n] == 'D' ? !is_digit(c) : form[n] == 'H' ? !is_hex(c) : c != form[n])
			return 0;
	}
	return n;
}

static size_t uuid_at(struct span s, size_t i)
{
	size_t n = shape(s, i, "HHHHHHHH-HHHH-HHHH-HHHH-HHHHHHHHHHHH");

	return n && !is_word(at(s, i + n)) ? n : 0;
}

static size_t address_at(struct span s, size_t i) /* 0xc000012345 */
{
	size_t n = at(s, i) == '0' && (at(s, i + 1) == 'x' || at(s, i + 1) == 'X') ? run_of(s, i + 2, is_hex) : 0;

	return n ? n + 2 : 0;
}

static size_t clock_at(struct span s, size_t i) /* 15:04:05.999 */
{
	size_t n = shape(s, i, "DD:DD:DD");

	if (n && (at(s, i + n) == '.' || at(s, i + n) == ',') && is_digit(at(s, i + n + 1)))
		n += 1 + run_of(s, i + n + 1, is_digit);
	return n;
}

static size_t zone_at(struct span s, size_t i) /* Z, +08:00, " +0000 UTC m=+0.0023" */
{
	size_t n = 0, k = at(s, i) == ' ';

	if (at(s, i) == 'Z' && !is_word(at(s, i + 1)))
		return 1;
	if ((at(s, i + k) == '+' || at(s, i + k) == '-') &&
	    (shape(s, i + k + 1, "DD:DD") || shape(s, i + k + 1, "DDDD")))
		n = k + 1 + (at(s, i + k + 3) == ':' ? 5 : 4);
	if (n && at(s, i + n) == ' ' && at(s, i + n + 1) >= 'A' && at(s, i + n + 1) <= 'Z' &&
	    at(s, i + n + 2) >= 'A' && at(s, i + n + 2) <= 'Z')
		n += 1 + run_of(s, i + n + 1, is_word);
	if (span_starts(span_from(s, i + n), S(" m=+")) || span_starts(span_from(s, i + n), S(" m=-")))
		n += 4 + run_of(s, i + n + 4, is_digit);
	if (n && at(s, i + n) == '.')
		n += 1 + run_of(s, i + n + 1, is_digit);
	return n;
}

static size_t time_at(struct span s, size_t i) /* 2006-01-02T15:04:05Z, 2006/01/02 15:04:05, 15:04:05 */
{
	size_t n = shape(s, i, "DDDD-DD-DD"), t;

	if (!n)
		n = shape(s, i, "DDDD/DD/DD");
	if (!n) {
		n = clock_at(s, i);
		return n ? n + zone_at(s, i + n) : 0;
	}
	t = at(s, i + n) == 'T' || at(s, i + n) == ' ' ? clock_at(s, i + n + 1) : 0;
	if (!t)
		return is_word(at(s, i + n)) ? 0 : n;
	n += 1 + t;
	return n + zone_at(s, i + n);
}

static size_t ipv4_at(struct span s, size_t i)
{
	size_t n = 0;

	for (int part = 0; part < 4; part++) {
		size_t d = run_of(s, i + n, is_digit);
		if (!d || d > 3)
			return 0;
		n += d;
		if (part < 3 && at(s, i + n++) != '.')
			return 0;
	}
	if (is_word(at(s, i + n)) || (at(s, i + n) == '.' && is_digit(at(s, i + n + 1))))
		return 0;
	if (at(s, i + n) == ':' && is_digit(at(s, i + n + 1)))
		n += 1 + run_of(s, i + n + 1, is_digit);
	return n;
}

static size_t ipv6_at(struct span s, size_t i) /* [::1]:8080 */
{
	size_t n = 1, colons = 0;

	if (at(s, i) != '[')
		return 0;
	for (; is_hex(at(s, i + n)) || at(s, i + n) == ':' || at(s, i + n) == '.'; n++)
		colons += at(s, i + n) == ':';
	if (colons < 2 || at(s, i + n) != ']')
		return 0;
	n++;
	if (at(s, i + n) == ':' && is_digit(at(s, i + n + 1)))
		n += 1 + run_of(s, i + n + 1, is_digit);
	return n;
}

static size_t number_at(struct span s, size_t i) /* 12, 1.5, 1e+06 */
{
	size_t n = run_of(s, i, is_digit), k;

	if (n && at(s, i + n) == '.' && is_digit(at(s, i + n + 1)))
		n += 1 + run_of(s, i + n + 1, is_digit);
	k = at(s, i + n) == 'e' || at(s, i + n) == 'E';
	if (n && k) {
		k += at(s, i + n + 1) == '+' || at(s, i + n + 1) == '-';
		size_t digits = run_of(s, i + n + k, is_digit);
		if (digits && !is_word(at(s, i + n + k + digits)))
			n += k + digits;
	}
	return n;
}

static size_t unit_at(struct span s, size_t i)
{
	static const char *const units[] = { "ns", "us", "µs", "μs", "ms", "s", "m", "h" };

	for (size_t u = 0; u < ARRAY_LEN(units); u++) {
		struct span unit = span_of(units[u]);
		char next = at(s, i + unit.n);
		if (span_starts(span_from(s, i), unit) && (!is_letter(next) || unit_at(s, i + unit.n)))
			return unit.n;
	}
	return 0;
}

static size_t duration_at(struct span s, size_t i) /* 1m0.5s */
{
	size_t n = 0, d, u;

	while ((d = number_at(s, i + n)) && (u = unit_at(s, i + n + d)))
		n += d + u;
	return n && !is_word(at(s, i + n)) ? n : 0;
}

/* ---- words ---- */

static void put_hash(struct mask *m)
{
	struct span since = span_from(buf_view(m->to), m->hash);

	/* "[1 2 3]" and "[1 2]" are one thing: how many there are is chance as well */
	if (m->hash && (!since.n || span_eq(since, S(" ")) || span_eq(since, S(",")) || span_eq(since, S(", "))))
		m->to->len = m->hash;
	else
		buf_addc(m->to, '#');
	m->hash = m->to->len;
}

struct word {
	size_t n, digits, hex;
	size_t turns; /* from a letter to a digit or back */
};

static struct word word_at(struct span s, size_t i)
{
	struct word w = { 0 };

	for (; is_word(at(s, i + w.n)); w.n++) {
		char c = s.p[i + w.n];
		w.digits += is_digit(c);
		w.hex += is_hex(c);
		w.turns += w.n && is_digit(c) != is_digit(s.p[i + w.n - 1]);
	}
	return w;
}

/* Made by a machine: a hash, a random id. */
static bool is_id(const struct mask *m, const struct word *w)
{
	bool mixed_hex = w->hex == w->n && w->digits && w->digits < w->n;

	if (m->level == MASK_STRICT)
		return mixed_hex && w->n >= 16;
	return (mixed_hex && w->n >= 7) || w->turns >= 2 || (w->turns && is_digit(m->s.p[m->at]));
}

static void put_word(struct mask *m)
{
	struct word w = word_at(m->s, m->at);
	struct span word = span_head(span_from(m->s, m->at), w.n);
	size_t letters = w.n - w.digits;
	bool id = is_id(m, &w), strict = m->level == MASK_STRICT;

	m->at += w.n;
	if (!id && (!w.digits || (strict && (letters || w.digits < 6)))) {
		buf_span(m->to, word);
		return;
	}
	if (!id) /* worker12 */
		buf_span(m->to, span_head(word, letters));
	put_hash(m);
}

/* ---- quotes and paths ---- */

/* Up to behind the mark that closes the one at `at`; 0: none does. */
static size_t quote_end(const struct mask *m)
{
	char mark = m->s.p[m->at];

	for (size_t i = m->at + 1; i < m->s.n && i - m->at < QUOTE_MAX; i++) {
		if (m->s.p[i] == '\\' && mark == '"')
			i++;
		else if (m->s.p[i] == mark)
			return i + 1;
	}
	return 0;
}

static bool ends_path(char c)
{
	return !c || is_blank(c) || c == 0x1b || strchr("\"'`,;()[]{}<>|&*?=", c) != NULL;
}

static bool inside_path(const struct mask *m)
{
	char c = before(m);

	return is_word(c) || (c && strchr("/\\.-_~@%+#", c));
}

static bool begins_path(const struct mask *m)
{
	struct span s = span_from(m->s, m->at);

	if (inside_path(m))
		return false;
	if (is_letter(at(s, 0)) && at(s, 1) == ':' && (at(s, 2) == '\\' || at(s, 2) == '/') && !(at(s, 0) & 0x80))
		return at(s, 3) != '/';
	return at(s, 0) == '/' && (is_word(at(s, 1)) || at(s, 1) == '.' || at(s, 1) == '_');
}

static size_t dots_at(const struct mask *m) /* "./", "../../": from where one looks */
{
	size_t n = 0;

	while (!inside_path(m) && at(m->s, m->at + n) == '.') {
		size_t k = n + 1 + (at(m->s, m->at + n + 1) == '.');
		if (at(m->s, m->at + k) != '/')
			break;
		n = k + 1;
	}
	return n;
}

static void mask_run(struct mask *m);

static size_t path_end(const struct mask *m, size_t i)
{
	while (!ends_path(at(m->s, i)) && !(at(m->s, i) == ':' && i > m->at + 1))
		i++;
	return i;
}

/* "/home/u/My Projects/m/a.go": a word with a slash in it behind the blank goes on with the path. */
static bool path_goes_on(const struct mask *m, size_t i)
{
	size_t end = path_end(m, i + 1);

	if (at(m->s, i) != ' ' || !is_word(at(m->s, i + 1)))
		return false;
	struct span word = span_head(span_from(m->s, i + 1), end - i - 1);
	return span_chr(word, '/') != SPAN_NONE || span_chr(word, '\\') != SPAN_NONE;
}

/* Of a folder only the last element says what it is; the others say whose machine it was. */
static void put_path(struct mask *m)
{
	size_t end = path_end(m, m->at), from, last;

	while (path_goes_on(m, end))
		end = path_end(m, end + 1);
	last = end;
	while (last > m->at && strchr("/\\.", m->s.p[last - 1]))
		last--;
	for (from = last; from > m->at && m->s.p[from - 1] != '/' && m->s.p[from - 1] != '\\';)
		from--;
	struct mask part = *m;
	part.s = span_head(span_from(m->s, from), last - from);
	part.at = 0;
	part.level = MASK_LOOSE; /* go-build123, b001 */
	mask_run(&part);
	m->hash = part.hash;
	m->at = end;
}

/* "https://proxy/a/b": which mirror it was is chance, and where in it. */
static size_t url_at(const struct mask *m)
{
	static const char *const schemes[] = { "https:/", "http:/", "ssh:/", "git:/", "file:/" };
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(schemes) && m->level == MASK_STRICT && !is_word(before(m)) && !n; i++) {
		if (span_starts(span_from(m->s, m->at), span_of(schemes[i])))
			n = strlen(schemes[i]);
	}
	while (n && at(m->s, m->at + n) == '/')
		n++;
	return n;
}

static void put_url(struct mask *m, size_t n)
{
	size_t end = m->at + n, last;

	while (!ends_path(at(m->s, end)))
		end++;
	while (end > m->at + n && strchr(".:/", m->s.p[end - 1]))
		end--;
	for (last = end; last > m->at + n && m->s.p[last - 1] != '/';)
		last--;
	put_hash(m);
	if (last > m->at + n) {
		buf_addc(m->to, '/');
		buf_span(m->to, span_head(span_from(m->s, last), end - last));
	}
	m->at = end;
}

/* "m.go:12:3", "host:8080": behind a name a colon and digits say a place or a port. */
static size_t colon_number(const struct mask *m)
{
	size_t n = m->s.p[m->at] == ':' && (is_word(before(m)) || before(m) == ']') ? run_of(m->s, m->at + 1, is_digit) : 0;

	return n && !is_word(at(m->s, m->at + 1 + n)) ? n + 1 : 0;
}

/* ---- all of it ---- */

static size_t volatile_at(const struct mask *m)
{
	static size_t (*const shapes[])(struct span, size_t) = { uuid_at, address_at, time_at, ipv4_at, duration_at };
	size_t n = 0;

	if (!is_word(before(m))) {
		for (size_t i = 0; i < ARRAY_LEN(shapes) && !n; i++)
			n = shapes[i](m->s, m->at);
		if (!n && m->level == MASK_LOOSE) {
			n = number_at(m->s, m->at);
			if (is_word(at(m->s, m->at + n)))
				n = 0;
		}
	}
	return n;
}

/* A sign is the number's, unless it joins two words. */
static bool is_sign(const struct mask *m)
{
	char c = m->s.p[m->at], last = before(m);

	return m->level == MASK_LOOSE && (c == '-' || c == '+') && is_digit(at(m->s, m->at + 1)) &&
	       (!last || is_blank(last) || strchr("([{=:,<>", last) != NULL);
}

static bool put_quoted(struct mask *m)
{
	char mark = m->s.p[m->at];
	size_t end;

	if (m->level != MASK_LOOSE || m->quoted || (mark != '"' && mark != '`') || before(m) == '(' || before(m) == '\\')
		return false;
	end = quote_end(m);
	if (!end)
		return false;
	buf_adds(m->to, "\"\"");
	m->at = end;
	return true;
}

static void put_blank(struct mask *m)
{
	while (m->at < m->s.n && is_blank(m->s.p[m->at]))
		m->at++;
	if (m->to->len && m->to->p[m->to->len - 1] != ' ' && m->at < m->s.n)
		buf_addc(m->to, ' ');
}

static void mask_run(struct mask *m)
{
	while (m->at < m->s.n && !m->to->bad) {
		struct span rest = span_from(m->s, m->at);
		char c = rest.p[0];
		size_t n;
		if (c == 0x1b) {
			m->at += ansi_length(rest);
		} else if (is_blank(c)) {
			put_blank(m);
		} else if (is_digit(c) || (is_hex(c) && uuid_at(m->s, m->at))) {
			n = volatile_at(m);
			if (n) {
				put_hash(m);
				m->at += n;
			} else {
				put_word(m);
			}
		} else if ((n = url_at(m)) != 0) {
			put_url(m, n);
		} else if (begins_path(m)) {
			put_path(m);
		} else if (is_word(c)) {
			put_word(m);
		} else if ((n = ipv6_at(m->s, m->at)) != 0) {
			put_hash(m);
			m->at += n;
		} else if ((n = dots_at(m)) != 0 || (n = colon_number(m)) != 0) {
			m->at += n;
		} else if (is_sign(m)) {
			m->at++;
		} else if (!put_quoted(m)) {
			buf_addc(m->to, c);
			m->at++;
		}
	}
}

static bool says_something(struct span s) /* is a letter left? */
{
	for (size_t i = 0; i < s.n; i++) {
		if (is_letter(s.p[i]))
			return true;
	}
	return false;
}

void mask_text(struct span text, enum mask_level level, struct buf *ret)
{
	size_t was = ret->len;
	struct mask m = { .s = span_trim(text), .level = level, .to = ret };

	mask_run(&m);
	if (level == MASK_LOOSE && !says_something(span_from(buf_view(ret), was)) && says_something(text)) {
		ret->len = was; /* all of it was quoted */
		m = (struct mask){ .s = m.s, .level = level, .quoted = true, .to = ret };
		mask_run(&m);
	}
	while (ret->len > was && ret->p[ret->len - 1] == ' ')
		ret->p[--ret->len] = '\0';
}

void mask_name(struct span name, struct buf *ret)
{
	struct mask m = { .s = name, .level = MASK_STRICT, .to = ret };

	while (m.at < name.n) {
		size_t n = 0;
		if (is_hex(name.p[m.at]) && !is_word(before(&m))) {
			n = uuid_at(name, m.at);
			if (!n)
				n = address_at(name, m.at);
			if (!n)
				n = ipv4_at(name, m.at);
		}
		if (n) {
			put_hash(&m);
			m.at += n;
		} else if (is_word(name.p[m.at])) {
			put_word(&m);
		} else {
			char c = name.p[m.at++];
			buf_addc(ret, (unsigned char)c < ' ' ? '?' : c);
		}
	}
}
