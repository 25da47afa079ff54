#include "diagnose/logs.h"

#include <errno.h>

#include "base/mem.h"
#include "parse/goline.h"
#include "parse/gotest.h"
#include "parse/logline.h"

enum {
	HEAD_LINES = 20,      /* that a service's log must show, at least */
	QUIET = 64,           /* lines that mean nothing end what is given on */
	LINE_KEPT = 1 << 20,
};

struct logs {
	struct judge *judge;
	struct logscan *scan;
	struct goroutines *g;
	struct unwrap unwrap;
	bool tests;           /* a stream of JSON events: the judge knows all of it */
	bool skims;           /* it is a service's log */
	bool giving;          /* what comes is given on */
	int quiet;            /* lines since the last that may mean something */
	struct buf part;      /* an unfinished line, while nothing is given on */
	bool ended;
};

/* ---- is it the log of a service? ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "2026-11-21…", "2026/11/21…", "[2026-…", "I1121 …" (klog), "time=…", "level=…", "ts=…", {"time":…}: what loggers begin a line with. */
static bool is_logged(struct span line)
{
	static const struct span words[] = { { "time=", 5 }, { "level=", 6 }, { "ts=", 3 }, { "{\"", 2 }, { "[GIN] ", 6 } };
	struct span s = line;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (span_starts(line, words[i]))
			return true;
	}
	if (s.n > 5 && memchr("IWEF", s.p[0], 4) && is_digit(s.p[1]) && is_digit(s.p[2]) && is_digit(s.p[3]) && is_digit(s.p[4]) && s.p[5] == ' ')
		return true;
	span_skip(&s, S("["));
	return s.n > 10 && is_digit(s.p[0]) && is_digit(s.p[1]) && is_digit(s.p[2]) && is_digit(s.p[3]) && (s.p[4] == '-' || s.p[4] == '/') &&
	       is_digit(s.p[5]) && is_digit(s.p[6]) && s.p[7] == s.p[4] && is_digit(s.p[8]);
}

static bool is_event(struct span line) /* of go test -json */
{
	struct gotest_event ev;

	return gotest_maybe(line) && gotest_read(line, &ev);
}

/* Nothing in its head is for the judge, and most lines are a logger's. */
static bool is_service(struct span head)
{
	int lines = 0, logged = 0;
	struct goline g;

	while (head.n) {
		bool whole = memchr(head.p, '\n', head.n) != NULL;
		struct span line = span_cut(&head, '\n');
		if (!whole)
			break;
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (is_event(line))
			return false;
		goline_read(line, &g);
		bool ours = is_logged(line);
		if (!ours && g.kind != LINE_PLAIN)
			return false;
		lines++;
		logged += ours;
	}
	return lines >= HEAD_LINES && logged * 5 >= lines * 4;
}

/* ---- words, sixteen bytes at a time ---- */

typedef unsigned char v16 __attribute__((vector_size(16)));

static inline v16 load(const char *p)
{
	v16 v;

	memcpy(&v, p, sizeof(v));
	return v | 0x20;
}

/* Bytes 0, 1 and 3 of panic, goroutine, fatal, runtime, fail, exit, signal and SIGSEGV, warning; in either case. */
#define WORDS(a, b, d) \
	(((a == 'p') & (b == 'a') & (d == 'i')) | ((a == 'g') & (b == 'o') & (d == 'o')) | ((a == 'f') & (b == 'a') & ((d == 'a') | (d == 'l'))) | \
	 ((a == 'r') & (b == 'u') & (d == 't')) | ((a == 'e') & (b == 'x') & (d == 't')) | ((a == 's') & (b == 'i') & ((d == 'n') | (d == 's') | \
	 (d == 'q') | (d == 'a') | (d == 'b'))))

static const char *find_word(const char *p, const char *end)
{
	for (; end - p >= 19; p += 16) {
		v16 a = load(p), b = load(p + 1), d = load(p + 3);
		v16 hit = (v16)WORDS(a, b, d);
		uint64_t any[2];
		memcpy(any, &hit, sizeof(any));
		if (any[0] | any[1])
			return p + (any[0] ? __builtin_ctzll(any[0]) / 8 : 8 + __builtin_ctzll(any[1]) / 8);
	}
	for (; end - p >= 4; p++) {
		unsigned char a = p[0] | 0x20, b = p[1] | 0x20, d = p[3] | 0x20;
		if (WORDS(a, b, d))
			return p;
	}
	return end;
}

static bool has_folded(struct span s, struct span word)
{
	for (size_t i = 0; i + word.n <= s.n; i++) {
		size_t k = 0;
		while (k < word.n && (s.p[i + k] | 0x20) == word.p[k])
			k++;
		if (k == word.n)
			return true;
	}
	return false;
}

/* Does the line mean something, for the judge or as a recovered panic? */
static bool is_telling(struct span line)
{
	struct goline g;

	if (has_folded(line, S("panic")) || has_folded(line, S("goroutine")))
		return true;
	if (is_logged(line))
		return false;
	goline_read(line, &g);
	return g.kind != LINE_PLAIN && g.kind != LINE_DIAG && g.kind != LINE_TEST_LOG;
}

/* ---- giving on ---- */

static void give(struct logs *l, struct span bytes)
{
	judge_feed(l->judge, STREAM_BOTH, bytes);
	goroutines_feed(l->g, bytes);
	logscan_feed(l->scan, bytes);
}

static void skip(struct logs *l, size_t n)
{
	traceback_skip(l->g->t, (int64_t)n);
	logscan_skip(l->scan, (int64_t)n);
}

/* Lines from p on, until QUIET of them meant nothing; where it stopped. An unfinished line is given on as it is. */
static const char *give_lines(struct logs *l, const char *p, const char *end)
{
	const char *from = p, *nl;

	while (p < end && l->giving && (nl = memchr(p, '\n', (size_t)(end - p)))) {
		struct span line = { p, (size_t)(nl - p) };
		struct goline g;
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		goline_read(line, &g);
		bool quiet = g.kind == LINE_PLAIN && !has_folded(line, S("panic"));
		l->quiet = quiet ? l->quiet + 1 : 0;
		l->giving = l->quiet < QUIET;
		p = nl + 1;
	}
	give(l, (struct span){ from, (size_t)(p - from) });
	return p;
}

static void part_add(struct logs *l, struct span bytes)
{
	size_t room = LINE_KEPT - l->part.len;

	skip(l, bytes.n - span_head(bytes, room).n);
	buf_span(&l->part, span_head(bytes, room));
}

static void part_end(struct logs *l)
{
	CLEANUP(buf_free) struct buf line = l->part;

	l->part = (struct buf){ 0 };
	if (!l->giving && find_word(line.p, line.p + line.len) != line.p + line.len && is_telling(buf_view(&line))) {
		l->giving = true;
		l->quiet = 0;
	}
	if (!l->giving) {
		skip(l, line.len + 1);
		return;
	}
	buf_addc(&line, '\n');
	give_lines(l, line.p, line.p + line.len);
}

static void skim(struct logs *l, struct span bytes)
{
	const char *p = bytes.p, *end = bytes.p + bytes.n, *nl, *done;

	if (l->part.len) {
		nl = memchr(p, '\n', bytes.n);
		part_add(l, (struct span){ p, (size_t)((nl ? nl : end) - p) });
		if (!nl)
			return;
		part_end(l);
		p = nl + 1;
	}
	for (const char *at = p; p < end;) { /* p: what is neither given nor skipped; at: where the search goes on */
		if (l->giving) {
			done = give_lines(l, p, end);
			if (l->giving)
				p = done;
			if (l->giving)
				break;
			p = at = done;
			continue;
		}
		const char *word = find_word(at, end), *before = memrchr(p, '\n', (size_t)(word - p));
		if (before) {
			skip(l, (size_t)(before + 1 - p));
			p = before + 1;
		}
		nl = word < end ? memchr(word, '\n', (size_t)(end - word)) : NULL;
		if (!nl)
			break;
		l->giving = is_telling((struct span){ p, (size_t)(nl - p) });
		l->quiet = 0;
		if (l->giving)
			continue;
		skip(l, (size_t)(nl + 1 - p));
		p = at = nl + 1;
	}
	if (p < end)
		part_add(l, (struct span){ p, (size_t)(end - p) });
}

static void take(struct logs *l, struct span bytes)
{
	if (!bytes.n)
		return;
	if (l->tests)
		judge_feed(l->judge, STREAM_BOTH, bytes);
	else if (l->skims)
		skim(l, bytes);
	else
		give(l, bytes);
}

/* ---- the face ---- */

int logs_new(struct span head, struct judge *j, struct logs **ret, struct err *e)
{
	struct logs *l = mem_zalloc(sizeof(*l));
	enum log_form f = logline_form(head);
	int r = l ? 0 : err_set(e, ENOMEM, TR("no memory", "内存不足"));

	if (r == 0)
		r = logscan_new(NULL, NULL, &l->scan, e);
	if (r == 0)
		r = goroutines_new(&l->g, e);
	if (r < 0) {
		logs_free(l);
		return r;
	}
	l->judge = j;
	unwrap_begin(&l->unwrap, f);
	if (f == LOG_PLAIN) {
		l->tests = is_event(span_head(head, span_chr(head, '\n')));
		l->skims = is_service(head);
	} else {
		struct unwrap u;
		unwrap_begin(&u, f);
		unwrap_feed(&u, head);
		l->skims = is_service(buf_view(&u.out));
		unwrap_free(&u);
	}
	*ret = l;
	return 0;
}

void logs_feed(struct logs *l, struct span bytes)
{
	if (l->unwrap.form == LOG_PLAIN) {
		take(l, bytes);
		return;
	}
	unwrap_feed(&l->unwrap, bytes);
	take(l, buf_view(&l->unwrap.out));
	buf_clear(&l->unwrap.out);
}

void logs_end(struct logs *l)
{
	struct err e;

	if (l->unwrap.form != LOG_PLAIN) {
		unwrap_end(&l->unwrap);
		take(l, buf_view(&l->unwrap.out));
		buf_clear(&l->unwrap.out);
	}
	if (l->part.len) { /* the last line, unfinished */
		bool giving = l->giving || is_telling(buf_view(&l->part));
		if (giving)
			give(l, buf_view(&l->part));
		buf_clear(&l->part);
	}
	logscan_end(l->scan);
	goroutines_end(l->g, NULL, &e);
	l->ended = true;
}

void logs_report(struct logs *l, struct report *r)
{
	bool tests = r->tests.packages > 0 || r->tests.run > 0;

	if (!tests && (r->outcome == OUTCOME_NONE || r->outcome == OUTCOME_CRASHED))
		logscan_report(l->scan, r);
	if (l->unwrap.form != LOG_PLAIN && l->unwrap.plain)
		list_add(&r->mem, &r->limits, report_text(r, TR("%lld lines are not in the log format of the others (%s)", "有 %lld 行不符合其余行的日志格式（%s）"),
							  (long long)l->unwrap.plain, log_form_name(l->unwrap.form)).p);
	if (!logs_goroutines(l))
		return;
	if (!tests && r->outcome != OUTCOME_FAILED)
		goroutines_findings(l->g, r, false);
	goroutines_limits(l->g, r);
}

const struct goroutines *logs_goroutines(const struct logs *l)
{
	/* Stacks of recovered panics are no dump, however many there are. */
	return l->ended && l->g->count > 1 && l->g->waits[TB_RUNNING] < l->g->count ? l->g : NULL;
}

void logs_free(struct logs *l)
{
	if (!l)
		return;
	logscan_free(l->scan);
	goroutines_free(l->g);
	unwrap_free(&l->unwrap);
	buf_free(&l->part);
	mem_free(l);
}
