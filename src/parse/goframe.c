#include "parse/goframe.h"

#include "base/mem.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits at the start of *s, stepped over; -1: none. What is too large for an int64 stays below it. */
static int64_t take_number(struct span *s)
{
	int64_t v = 0;
	size_t n = 0;

	for (; n < s->n && is_digit(s->p[n]); n++)
		v = v < INT64_MAX / 16 ? v * 10 + (s->p[n] - '0') : v;
	*s = span_from(*s, n);
	return n ? v : -1;
}

/* ---- the header ---- */

/* One of the words behind the status: ", 3 minutes", ", locked to thread", ", synctest bubble 4". */
static bool read_tail_word(struct span w, struct goheader *h)
{
	struct span rest = w;
	int64_t n;

	if (span_eq(w, S("locked to thread"))) {
		h->locked = true;
		return true;
	}
	if (span_skip(&rest, S("synctest bubble "))) {
		n = take_number(&rest);
		h->bubble = n > 0 ? n : 0;
		return n >= 0 && !rest.n;
	}
	n = take_number(&rest);
	if (n < 0 || !(span_eq(rest, S(" minutes")) || span_eq(rest, S(" minute"))))
		return false;
	h->minutes = n < 1000000000 ? (int)n : 1000000000;
	return true;
}

static bool take_mark(struct span *status, struct span mark)
{
	if (!span_ends(*status, mark))
		return false;
	status->n -= mark.n;
	return true;
}

/* "chan receive (durable), 3 minutes, locked to thread". */
static void read_status(struct span s, struct goheader *h)
{
	size_t at;

	h->whole = s;
	while ((at = span_rchr(s, ',')) != SPAN_NONE && at + 2 < s.n && s.p[at + 1] == ' ' &&
	       read_tail_word(span_from(s, at + 2), h))
		s = span_head(s, at);
	for (bool more = true; more;) {
		bool durable = take_mark(&s, S(" (durable)")), scan = take_mark(&s, S(" (scan)")), leaked = take_mark(&s, S(" (leaked)"));
		h->durable |= durable;
		h->scan |= scan;
		h->leaked |= leaked;
		more = durable || scan || leaked;
	}
	h->status = s;
}

/* Behind the status: nothing or " {k: v}", then the colon. */
static bool read_labels(struct span s, struct goheader *h)
{
	if (!s.n || s.p[s.n - 1] != ':')
		return false;
	s.n--;
	if (!s.n)
		return true;
	if (!span_starts(s, S(" {")) || s.p[s.n - 1] != '}')
		return false;
	h->labels = (struct span){ s.p + 2, s.n - 3 };
	return true;
}

bool goheader_read(struct span line, struct goheader *ret)
{
	struct goheader h = { 0 };
	struct span s = line;
	size_t open, close;

	if (!span_skip(&s, S("goroutine ")) || (h.id = take_number(&s)) < 0)
		return false;
	if (span_starts(s, S(" gp=0x"))) { /* gp=0x… m=0 mp=0x…, gp=0x… m=nil */
		open = span_chr(s, '[');
		if (open == SPAN_NONE || open > 100 || !open)
			return false;
		s = span_from(s, open - 1);
	}
	if (!span_starts(s, S(" [")) || (close = span_chr(s, ']')) == SPAN_NONE || !read_labels(span_from(s, close + 1), &h))
		return false;
	read_status((struct span){ s.p + 2, close - 2 }, &h);
	*ret = h;
	return true;
}

/* ---- frames ---- */

size_t goframe_func_length(struct span s)
{
	static const bool ends[256] = {
		[','] = true, [';'] = true, [':'] = true, ['='] = true, ['"'] = true, ['\''] = true, ['<'] = true, ['>'] = true, ['{'] = true,
		['}'] = true, ['!'] = true, ['?'] = true, ['&'] = true, ['|'] = true,
	};
	int brackets = 0;
	bool dot = false;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c == '[' || c == ']')
			brackets += c == '[' ? 1 : -1;
		else if (brackets > 0)
			continue;
		else if (c == '.')
			dot = true;
		else if (c == '(' && (!i || s.p[i - 1] != '.'))
			return dot || (i == 5 && !memcmp(s.p, "panic", 5)) ? i : 0;
		else if ((unsigned char)c <= ' ' || ends[(unsigned char)c])
			return 0;
	}
	return 0;
}

size_t goframe_odd_length(struct span line)
{
	size_t n = goframe_func_length(line), paren;

	if (n || !line.n || line.p[line.n - 1] != ')' || memchr("\t -*#{", line.p[0], 6))
		return n;
	paren = span_rchr(line, '(');
	if (paren == SPAN_NONE || !paren || span_chr(span_head(line, paren), '.') == SPAN_NONE)
		return 0;
	return paren;
}

struct span goframe_place(struct span s)
{
	struct span none = { 0 };
	size_t end = s.n, digits = 0;

	if (memchr(s.p ? s.p : "", '+', s.n) || memchr(s.p ? s.p : "", '=', s.n)) {
		size_t off = span_find(s, S(" +0x")), fp = span_find(s, S(" fp=0x"));
		end = off < end ? off : end;
		end = fp < end ? fp : end;
	}
	s = span_head(s, end);
	while (digits < s.n && is_digit(s.p[s.n - 1 - digits]))
		digits++;
	if (!digits || digits > 9 || digits + 1 >= s.n || s.p[s.n - 1 - digits] != ':')
		return none;
	return s;
}

struct span goframe_file(struct span place, int *line)
{
	size_t at = span_rchr(place, ':');
	struct span digits = span_from(place, at == SPAN_NONE ? place.n : at + 1);
	int64_t n = digits.n <= 9 ? take_number(&digits) : -1;

	*line = n < 0 ? 0 : (int)n;
	return n < 0 ? (struct span){ 0 } : span_head(place, at);
}

struct span goframe_creator(struct span s, int64_t *id)
{
	size_t in = span_find(s, S(" in goroutine "));
	struct span digits = span_from(s, in == SPAN_NONE ? s.n : in + 14);
	int64_t n = take_number(&digits);

	*id = n < 0 ? 0 : n;
	return span_head(s, in);
}

int64_t goframe_elided(struct span line)
{
	struct span s = line;

	if (!span_skip(&s, S("...")) || !span_ends(s, S("frames elided...")))
		return 0;
	int64_t n = take_number(&s);
	return n < 1 ? 1 : n;
}
