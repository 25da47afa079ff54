/* The output of a test or package in bounded memory: its first bytes, what it said of a failure, its newest bytes. */
#include "base/json.h"
#include "base/redact.h"
#include "diagnose/state.h"

enum {
	TAIL = OUT_MAX - OUT_HEAD - 2048, /* the newest bytes; room is made 2 KiB at a time */
	SAID_MAX = 1024,
	SAID_LOOKS = 64, /* indented lines that are looked at */
};

static size_t escape_len(struct span s) /* s begins with a backslash */
{
	size_t n = s.n > 1 && s.p[1] == 'u' ? 6 : 2;

	return n < s.n ? n : s.n;
}

/* An escaped line ends with \n whose backslash is not itself escaped. */
static bool is_line_end(struct span s, size_t at)
{
	size_t n = 0;

	while (n < at && s.p[at - 1 - n] == '\\')
		n++;
	return n % 2 == 0;
}

/* The end of the line in which `from` is. SPAN_NONE: it is not here. */
static size_t line_end(struct span s, size_t from, bool escaped)
{
	struct span mark = escaped ? S("\\n") : S("\n");

	for (size_t at = from > 1 && escaped ? from - 1 : from, step; (step = span_find(span_from(s, at), mark)) != SPAN_NONE; at++) {
		at += step;
		if ((!escaped || is_line_end(s, at)) && at + mark.n > from)
			return at + mark.n;
	}
	return SPAN_NONE;
}

/* The first place at or behind `from` that is not inside an escape. */
static size_t between_escapes(struct span s, size_t from, bool escaped)
{
	size_t at = 0, step;

	while (escaped && at < from && (step = span_chr(span_from(s, at), '\\')) != SPAN_NONE && at + step < from)
		at += step + escape_len(span_from(s, at + step));
	return at > from ? at : from;
}

/* Where to cut s, at or behind `from`: at the end of a line, unless that is far. */
static size_t cut_at(struct span s, size_t from, bool escaped)
{
	size_t end = line_end(span_head(s, from + 2048), from, escaped);

	return end != SPAN_NONE ? end : redact_behind(s, between_escapes(s, from < s.n ? from : s.n, escaped));
}

static int64_t line_count(struct span s, bool escaped)
{
	int64_t n = 0;
	size_t end;

	while (s.n && (end = line_end(s, 0, escaped)) != SPAN_NONE) {
		s = span_from(s, end);
		n++;
	}
	return n;
}

/* The end of the last line that ends within the first `limit` bytes. */
static size_t head_end(struct span s, size_t limit, bool escaped)
{
	size_t at = 0, last = 0, end;

	while ((end = line_end(span_from(s, at), 0, escaped)) != SPAN_NONE && at + end <= limit)
		last = at += end;
	/* a line that goes on for long is broken */
	return last > limit / 2 || last == s.n ? last : between_escapes(s, limit < s.n ? limit : s.n, escaped);
}

/* The first log lines that go out of memory, those that speak of a failure before all. */
static void keep_said(struct kept *k, struct span gone)
{
	bool inside = false;

	if (k->looked >= SAID_LOOKS || k->said.len > SAID_MAX / 2 || span_find(gone, S(".go:")) == SPAN_NONE)
		return;
	while (gone.n && k->looked < SAID_LOOKS) {
		size_t end = line_end(gone, 0, k->escaped);
		struct span line = span_head(gone, end);
		struct goline g;
		gone = span_from(gone, line.n);
		if (end == SPAN_NONE || !span_starts(line, S("    "))) {
			inside = false;
			continue;
		}
		struct span bare = span_head(line, line.n - (k->escaped ? 2 : 1));
		goline_read(bare, &g);
		k->looked++;
		if (g.kind == LINE_TEST_LOG)
			inside = !k->said.len || says_failure(bare);
		if (inside && k->said.len + line.n <= SAID_MAX)
			buf_span(&k->said, line);
	}
}

/* For raw.n more bytes; what is longer than all that may stay loses its front. */
static void make_room(struct kept *k, struct span *raw)
{
	struct buf *b = &k->b;

	if (!k->cut)
		k->head = head_end(buf_view(b), OUT_HEAD, k->escaped);
	k->cut = true;
	size_t want = b->len - k->head, step;
	if (raw->n < TAIL)
		want = want > TAIL - raw->n ? want - (TAIL - raw->n) : 0;
	if (want) {
		step = cut_at(span_from(buf_view(b), k->head), want, k->escaped);
		keep_said(k, (struct span){ b->p + k->head, step });
		memmove(b->p + k->head, b->p + k->head + step, b->len - k->head - step);
		b->len -= step;
	}
	if (raw->n <= TAIL)
		return;
	step = cut_at(*raw, raw->n - TAIL, k->escaped);
	keep_said(k, span_head(*raw, step));
	*raw = span_from(*raw, step);
}

void kept_add(struct kept *k, struct span raw)
{
	/* From JSON it is one line, or a part of one. */
	k->lines += k->escaped ? raw.n >= 2 && raw.p[raw.n - 1] == 'n' && raw.p[raw.n - 2] == '\\' : line_count(raw, false);
	if (k->b.len + raw.n > OUT_MAX)
		make_room(k, &raw);
	buf_span(&k->b, raw);
}

size_t kept_size(const struct kept *k)
{
	return k->b.len + k->said.len;
}

void kept_clear(struct kept *k)
{
	struct buf b = k->b, said = k->said;

	if (b.cap > 4096) /* a few large ones must not pin memory */
		buf_free(&b);
	buf_clear(&b);
	buf_free(&said);
	*k = (struct kept){ .b = b };
}

void kept_free(struct kept *k)
{
	buf_free(&k->b);
	buf_free(&k->said);
	*k = (struct kept){ 0 };
}

static void add_part(struct buf *to, struct span s, bool escaped)
{
	if (escaped)
		json_unescape(s, to);
	else
		buf_span(to, s);
}

struct span kept_text(const struct kept *k, struct buf *room)
{
	struct span all = buf_view(&k->b);

	if (!k->escaped && !k->cut)
		return all;
	buf_clear(room);
	add_part(room, k->cut ? span_head(all, k->head) : all, k->escaped);
	if (k->cut) {
		gap_add(room, k->lines - line_count(all, k->escaped) - line_count(buf_view(&k->said), k->escaped));
		add_part(room, buf_view(&k->said), k->escaped);
		if (k->said.len)
			gap_add(room, 0);
		add_part(room, span_from(all, k->head), k->escaped);
	}
	return buf_view(room);
}
