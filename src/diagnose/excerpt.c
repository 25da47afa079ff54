/* What of a long output a person needs: the first failure with its context, how it began, how it ended. */
#include "base/mem.h"
#include "base/redact.h"
#include "base/text.h"
#include "diagnose/state.h"

enum {
	LINES_MAX = 36,               /* of an excerpt, without its marks: the last block shows 40 */
	BYTES_MAX = EXCERPT_MAX - 300, /* room for the marks */
	LINE_CUT = 1000,
	SOURCE_LINES = 20000,
};

#define GAP "… "

void gap_add(struct buf *b, int64_t lines)
{
	if (b->len && b->p[b->len - 1] != '\n')
		buf_addc(b, '\n');
	if (lines > 0)
		buf_addf(b, TR(GAP "%lld line%s left out " "…\n", GAP "略去 %lld 行%s …\n"), (long long)lines, TR(lines == 1 ? "" : "s", ""));
	else
		buf_adds(b, GAP "\n");
}

/* A mark that stands in the text already counts for the lines that it speaks of. */
static bool gap_read(struct span line, int64_t *lines)
{
	struct span words = line, number;
	bool found = false;

	*lines = 0;
	if (!span_skip(&words, S("…")) || words.n > 60 || !span_ends(line, words.n > 1 ? S("…") : words))
		return false;
	while (words.n && !found) {
		number = span_cut(&words, ' ');
		found = span_int(number, lines);
	}
	return found || !span_trim(span_from(line, S("…").n)).n;
}

/* ---- the output of a failed test ---- */

static bool is_frame(enum line_kind k)
{
	return (k >= LINE_TEST_RUN && k <= LINE_TEST_NAME) || (k >= LINE_TEST_PASS && k <= LINE_TEST_BENCH);
}

/* Said by the test binary and go for the whole package: no words of the test. */
static bool is_package_word(enum line_kind k)
{
	return k == LINE_PASS || k == LINE_FAIL || k == LINE_COVERAGE || k == LINE_EXIT_STATUS;
}

/* Words by which people say what went wrong; a log line with one of them beats one without. */
bool says_failure(struct span s)
{
	static const struct span words[] = {
		{ "got", 3 }, { "want", 4 }, { "expect", 6 }, { "rror", 4 }, { "fail", 4 }, { "Fail", 4 }, { "unexpected", 10 },
		{ "mismatch", 8 }, { "not equal", 9 }, { "Not equal", 9 }, { "should", 6 }, { "!=", 2 }, { "invalid", 7 },
		{ "wrong", 5 }, { "missing", 7 }, { "race detected", 13 },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (span_find(s, words[i]) != SPAN_NONE)
			return true;
	}
	return false;
}

/* An assertion library prints the place alone and the reason below it, as "Error:  …". */
static struct span message_below(struct span rest)
{
	struct span first = { 0 };

	for (int i = 0; rest.n && i < 12; i++) {
		struct goline g;
		struct span line = span_cut(&rest, '\n'), text = span_trim(line);
		goline_read(line, &g);
		if (is_frame(g.kind) || g.kind == LINE_TEST_LOG)
			break;
		if (span_skip(&text, S("Error:")))
			return span_trim(text);
		if (!first.p && text.n && !span_starts(text, S("Error Trace:")) && span_chr(text, ':') != text.n - 1)
			first = text;
	}
	return first;
}

void test_message(struct span out, struct span *message, struct span *file, int *line)
{
	struct span rest = out, last_plain = { 0 }, example = { 0 };
	bool said = false;
	int64_t n;

	*message = *file = (struct span){ 0 };
	*line = 0;
	while (rest.n) {
		struct goline g;
		struct span l = span_cut(&rest, '\n');
		goline_read(l, &g);
		if (g.kind == LINE_TEST_LOG && !said) {
			struct span text = span_trim(g.text);
			if (!text.n)
				text = message_below(rest);
			*message = text;
			*file = g.file;
			*line = g.line;
			said = says_failure(text);
		} else if (!is_frame(g.kind) && !is_package_word(g.kind) && g.kind != LINE_TEST_LOG && span_trim(l).n && !gap_read(l, &n)) {
			last_plain = l;
			if (span_eq(l, S("got:")) && span_find(rest, S("want:\n")) != SPAN_NONE) /* as an Example fails */
				example = (struct span){ l.p, (size_t)(out.p + out.n - l.p) };
		}
	}
	if (!message->n && (example.n || last_plain.n))
		*message = span_trim(example.n ? example : last_plain);
}

/* ---- choosing lines ---- */

struct choice {
	struct span *line;
	bool *keep;
	size_t n, kept, bytes;
};

static void keep_line(struct choice *c, size_t i)
{
	size_t bytes = c->line[i].n < LINE_CUT ? c->line[i].n + 1 : LINE_CUT + 8;

	if (c->keep[i] || c->kept == LINES_MAX || c->bytes + bytes > BYTES_MAX)
		return;
	c->keep[i] = true;
	c->kept++;
	c->bytes += bytes;
}

/* Up to the next gap: what stands behind it is no context. */
static void keep_from(struct choice *c, size_t at, size_t n)
{
	int64_t gap;

	for (size_t i = at; i < c->n && i - at < n && !gap_read(c->line[i], &gap); i++)
		keep_line(c, i);
}

static void keep_before(struct choice *c, size_t at, size_t n) /* the nearest first */
{
	int64_t gap;

	for (size_t i = at; i > 0 && at - i < n && !gap_read(c->line[i - 1], &gap); i--)
		keep_line(c, i - 1);
}

static void cut_line(struct buf *b, struct span line)
{
	struct span s = redact_head(line, LINE_CUT);

	buf_span(b, s);
	buf_adds(b, s.n < line.n ? "…\n" : "\n");
}

static void write_choice(const struct choice *c, struct buf *b)
{
	int64_t left = 0, n;
	bool gap = false;

	for (size_t i = 0; i < c->n; i++) {
		bool mark = gap_read(c->line[i], &n);
		if (mark || !c->keep[i]) {
			left += mark ? n : 1;
			gap = true;
			continue;
		}
		if (gap)
			gap_add(b, left);
		gap = false;
		left = 0;
		cut_line(b, c->line[i]);
	}
	if (gap)
		gap_add(b, left);
}

/* Each line of text that is worth showing; focus: where in text the message stands. */
static size_t take_lines(struct choice *c, struct span text, enum excerpt_kind kind, const char *focus, size_t *at_focus)
{
	size_t bytes = 0;

	while (text.n && c->n < SOURCE_LINES) {
		struct goline g;
		struct span line = span_cut(&text, '\n');
		goline_read(line, &g);
		if (g.kind >= LINE_TEST_RUN && g.kind <= LINE_TEST_NAME && !(kind == EXCERPT_ENDS && g.kind == LINE_TEST_RUN))
			continue;
		while (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (focus && line.p <= focus && focus <= line.p + line.n)
			*at_focus = c->n;
		bytes += (line.n < LINE_CUT ? line.n : LINE_CUT + 3) + 1;
		c->line[c->n++] = line;
	}
	while (c->n && !span_trim(c->line[c->n - 1]).n)
		c->n--;
	return bytes;
}

static size_t count_lines(struct span text)
{
	size_t n = 1;

	for (; text.n && n < SOURCE_LINES; n++)
		span_cut(&text, '\n');
	return n;
}

void excerpt_make(struct judge *j, struct span text, enum excerpt_kind kind, struct span *ret)
{
	CLEANUP(buf_free) struct buf b = { .max = EXCERPT_MAX * 2 };
	size_t room = count_lines(text), at = 0;
	CLEANUP(mem_free) struct span *lines = mem_alloc(room * sizeof(*lines));
	CLEANUP(mem_free) bool *keep = mem_zalloc(room);
	struct choice c = { .line = lines, .keep = keep };
	struct span message = { 0 }, file;
	int line;

	if (!lines || !keep) {
		j->no_memory = true;
		return;
	}
	if (kind == EXCERPT_TEST)
		test_message(text, &message, &file, &line);
	if (take_lines(&c, text, kind, message.p, &at) <= BYTES_MAX && c.n <= LINES_MAX) {
		memset(keep, true, c.n);
	} else if (message.p) {
		keep_from(&c, at, 6);
		keep_before(&c, c.n, 4);
		keep_from(&c, 0, 6);
		keep_before(&c, at, 8);
		keep_from(&c, at, c.n);
	} else {
		keep_before(&c, c.n, 12);
		keep_from(&c, 0, 12);
	}
	keep_before(&c, c.n, c.n);
	write_choice(&c, &b);
	finding_text(j, ret, buf_view(&b));
}
