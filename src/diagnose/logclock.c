#include "diagnose/logclock.h"

#include <stdio.h>
#include <time.h>

#include "base/time.h"

enum {
	LINE_HEAD = 160,  /* where a line's time stands: in its head, */
	LINE_TAIL = 64,   /* or, as docker writes it, at its end */
	FIRST_LINES = 64, /* of a piece, that are asked for the log's first time */
	PART_MAX = 1 << 20,
};

/* ---- one instant ---- */

static bool digits(struct span s, size_t at, size_t n)
{
	if (at + n > s.n)
		return false;
	for (size_t i = at; i < at + n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	}
	return true;
}

/* How far this machine's clock shows ahead of UTC at what it would show then. */
static int64_t local_offset(int64_t shown)
{
	time_t at = (time_t)(shown / NSEC_PER_SEC);
	struct tm tm;

	return localtime_r(&at, &tm) ? (int64_t)tm.tm_gmtoff * NSEC_PER_SEC : 0;
}

static size_t zone_length(struct span s)
{
	if (s.n && s.p[0] == 'Z')
		return 1;
	if (s.n < 6 || (s.p[0] != '+' && s.p[0] != '-') || s.p[3] != ':')
		return 0;
	return digits(s, 1, 2) && digits(s, 4, 2) ? 6 : 0;
}

/* "2026-11-21T02:00:00.5+08:00" and its like, at the beginning of s. */
static bool read_date(struct span s, int64_t *ret)
{
	char text[48];
	size_t n = 19;

	if (!digits(s, 0, 4) || !digits(s, 5, 2) || !digits(s, 8, 2) || !digits(s, 11, 2) ||
	    !digits(s, 14, 2) || !digits(s, 17, 2))
		return false;
	if ((s.p[4] != '-' && s.p[4] != '/') || s.p[7] != s.p[4] || (s.p[10] != 'T' && s.p[10] != ' ') ||
	    s.p[13] != ':' || s.p[16] != ':')
		return false;
	if (n < s.n && (s.p[n] == '.' || s.p[n] == ',')) {
		n++;
		while (n < s.n && n < 29 && digits(s, n, 1))
			n++;
	}
	size_t zone = zone_length(span_from(s, n));
	snprintf(text, sizeof(text), "%.*s%.*s", (int)n, s.p, zone ? (int)zone : 1, zone ? s.p + n : "Z");
	text[4] = text[7] = '-';
	text[10] = 'T';
	if (n > 19)
		text[19] = '.';
	if (!time_parse_rfc3339(span_of(text), ret))
		return false;
	if (!zone)
		*ret -= local_offset(*ret);
	return true;
}

/* "KEY": or "KEY":", then a number of `unit`s. */
static bool read_key(struct span line, struct span key, int64_t unit, int64_t *ret)
{
	size_t at = span_find(line, key);
	int64_t whole, part = 0, scale = unit;

	if (at == SPAN_NONE)
		return false;
	struct span s = span_from(line, at + key.n);
	span_skip(&s, S("\""));
	size_t n = 0;
	while (n < 19 && digits(s, n, 1))
		n++;
	if (!n || !span_int(span_head(s, n), &whole) || whole > INT64_MAX / unit)
		return false;
	if (n < s.n && s.p[n] == '.') {
		for (n++; scale >= 10 && digits(s, n, 1); n++) {
			scale /= 10;
			part += (s.p[n] - '0') * scale;
		}
	}
	return !__builtin_add_overflow(whole * unit, part, ret) && *ret > 0;
}

static bool find_date(struct span s, int64_t *ret)
{
	for (size_t i = 0; i + 19 <= s.n; i++) {
		if (s.p[i] >= '0' && s.p[i] <= '9' && read_date(span_from(s, i), ret))
			return true;
	}
	return false;
}

bool logclock_read(struct span line, int64_t *ret)
{
	if (find_date(span_head(line, LINE_HEAD), ret))
		return true;
	if (!line.n || line.p[0] != '{')
		return false;
	return find_date(span_from(line, line.n > LINE_TAIL ? line.n - LINE_TAIL : 0), ret) ||
	       read_key(line, S("\"ts\":"), NSEC_PER_SEC, ret) ||
	       read_key(line, S("\"__REALTIME_TIMESTAMP\":"), 1000, ret);
}

/* ---- a log ---- */

/* The time of the line that ends at byte `end` of s, or of one above it, not above byte `floor`. */
static bool time_before(struct span s, size_t floor, size_t end, int64_t *ret)
{
	while (end > floor) {
		size_t nl = span_rchr(span_head(s, end), '\n'), from = nl == SPAN_NONE ? 0 : nl + 1;

		if (logclock_read((struct span){ s.p + from, end - from }, ret))
			return true;
		end = from ? from - 1 : 0;
	}
	return false;
}

static bool is_header(struct span rest, int64_t *id)
{
	size_t n = 0;

	while (n < 19 && digits(rest, n, 1))
		n++;
	return n && span_starts(span_from(rest, n), S(" ")) && span_int(span_head(rest, n), id);
}

/* Whole lines. */
static void take(struct logclock *c, struct span s)
{
	size_t floor = 0, end = s.n && s.p[s.n - 1] == '\n' ? s.n - 1 : s.n;

	for (size_t at = 0, found; (found = span_find(span_from(s, at), S("goroutine "))) != SPAN_NONE;) {
		int64_t id;

		at += found + strlen("goroutine ");
		struct span rest = span_from(s, at);
		if (!is_header(rest, &id))
			continue;
		size_t nl = span_chr(rest, '\n');
		time_before(s, floor, nl == SPAN_NONE ? end : at + nl, &c->last);
		floor = at;
		if (c->last) {
			c->seen[c->n % LOGCLOCK_SEEN].goroutine = id;
			c->seen[c->n % LOGCLOCK_SEEN].time = c->last;
			c->n++;
		}
	}
	for (size_t i = 0, at = 0; !c->first && i < FIRST_LINES && at < s.n; i++) {
		size_t nl = span_chr(span_from(s, at), '\n');

		logclock_read(span_head(span_from(s, at), nl), &c->first);
		at = nl == SPAN_NONE ? s.n : at + nl + 1;
	}
	time_before(s, floor, end, &c->last);
}

void logclock_feed(struct logclock *c, struct span bytes)
{
	size_t nl = span_rchr(bytes, '\n');

	if (c->part.len) {
		size_t first = span_chr(bytes, '\n');
		struct span end = span_head(bytes, first == SPAN_NONE ? bytes.n : first + 1);

		if (c->part.len < PART_MAX)
			buf_span(&c->part, end);
		if (first == SPAN_NONE)
			return;
		take(c, buf_view(&c->part));
		buf_clear(&c->part);
		bytes = span_from(bytes, first + 1);
		nl = nl == first ? SPAN_NONE : nl - first - 1;
	}
	if (nl != SPAN_NONE) {
		take(c, span_head(bytes, nl + 1));
		bytes = span_from(bytes, nl + 1);
	}
	buf_span(&c->part, span_head(bytes, PART_MAX));
}

void logclock_end(struct logclock *c)
{
	take(c, buf_view(&c->part));
	buf_clear(&c->part);
}

int64_t logclock_of(const struct logclock *c, int64_t id)
{
	for (size_t i = c->n; i > 0 && i + LOGCLOCK_SEEN > c->n; i--) {
		if (c->seen[(i - 1) % LOGCLOCK_SEEN].goroutine == id)
			return c->seen[(i - 1) % LOGCLOCK_SEEN].time;
	}
	return 0;
}

void logclock_free(struct logclock *c)
{
	buf_free(&c->part);
}
