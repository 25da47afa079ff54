#include "diagnose/logs.h"

#include <errno.h>

#include "base/mem.h"
#include "diagnose/state.h"
#include "base/text.h"
#include "base/words.h"
#include "parse/goline.h"
#include "parse/gotest.h"
#include "parse/loglevel.h"
#include "parse/logline.h"

enum {
	HEAD_LINES = 20,      /* that a service's log must show, at least */
	QUIET = 64,           /* lines that mean nothing end what is given on */
	LINE_KEPT = 1 << 20,
};

struct logs {
	struct judge *judge;
	bool judge_scans;     /* it looks for recovered panics itself: how the program ended is known */
	const char *cwd;      /* files below it are named relative to it; may be NULL */
	struct logscan *scan;
	struct goroutines *g;
	struct unwrap unwrap;
	struct words words;
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

/* ---- words that may mean something ---- */

#define P(lit) { lit, sizeof(lit) - 1 }

/* The first SURE of them do, wherever they stand; those up to LEVELS may be a logger's last words. */
enum { SURE = 2, LEVELS = 7 };
static const struct span telling[] = {
	P("panic"), P("goroutine "), P("fata"), P("ftl "), P("ftl\x1b"), P("\nf0### "), P("\nf1### "),
	P("fail"), P("runtime"), P("exit"), P(" race"), P("signal"), P("sigsegv"), P("sigquit"), P("sigabrt"), P("sigbus"), P("sigill"),
	P("sigfpe"), P("sigtrap"), P("sigsys"),
};

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

/* Did a logger end its program with it? */
static bool is_last_word(struct span line)
{
	CLEANUP(buf_free) struct buf plain = { 0 }, said = { 0 };

	if (memchr(line.p, 0x1b, line.n)) {
		ansi_strip(line, &plain);
		line = buf_view(&plain);
	}
	return loglevel_read(line, &said) != LEVEL_OTHER;
}

/* A line with a word that is not sure: does it mean something? */
static bool is_likely(struct span line, size_t which)
{
	struct goline g;

	if (which < LEVELS && is_last_word(line))
		return true;
	if (is_logged(line))
		return false;
	goline_read(line, &g);
	return g.kind != LINE_PLAIN && g.kind != LINE_DIAG && g.kind != LINE_TEST_LOG;
}

/* Does the line mean something, for the judge or as a recovered panic? */
static bool is_telling(struct span line)
{
	return has_folded(line, S("panic")) || has_folded(line, S("goroutine ")) || (line.n && is_likely(line, SURE));
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
	if (!l->giving && is_telling(buf_view(&line))) {
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

/* Steps over what means nothing, from the beginning of a line on; where the first line begins that means something, or the last one. */
static const char *skim_lines(struct logs *l, const char *p, const char *end)
{
	const char *from = p, *at = memchr(p, '\n', (size_t)(end - p)), *nl = at;
	size_t which;

	l->giving = nl && is_telling((struct span){ p, (size_t)(nl - p) }); /* nothing stands before it that could begin a word */
	while (!l->giving && nl) {
		const char *word = words_find(&l->words, at, end, &which);
		word += word < end && *word == '\n';
		const char *before = memrchr(p, '\n', (size_t)(word - p));
		p = before ? before + 1 : p;
		nl = memchr(word, '\n', (size_t)(end - word));
		l->giving = nl && (which < SURE || is_likely((struct span){ p, (size_t)(nl - p) }, which));
		at = word + 1;
	}
	skip(l, (size_t)(p - from));
	l->quiet = 0;
	return p;
}

static void skim(struct logs *l, struct span bytes)
{
	const char *p = bytes.p, *end = bytes.p + bytes.n, *nl;

	if (l->part.len) {
		nl = memchr(p, '\n', bytes.n);
		part_add(l, (struct span){ p, (size_t)((nl ? nl : end) - p) });
		if (!nl)
			return;
		part_end(l);
		p = nl + 1;
	}
	while (p < end) {
		if (!l->giving)
			p = skim_lines(l, p, end);
		if (!l->giving)
			break;
		p = give_lines(l, p, end);
		if (l->giving)
			break;
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
	l->judge_scans = j->cfg.recovered;
	l->cwd = j->cfg.cwd;
	words_make(&l->words, telling, ARRAY_LEN(telling));
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
	goroutines_end(l->g);
	l->ended = true;
}

static void recovered_report(const struct logs *l, struct report *r)
{
	size_t first = r->n_findings;
	struct span cwd = l->cwd ? span_of(l->cwd) : (struct span){ 0 };

	logscan_report(l->scan, r);
	for (size_t i = first; cwd.n && i < r->n_findings; i++) {
		struct span rest = r->findings[i].file;
		if (span_skip(&rest, cwd) && span_skip(&rest, S("/")))
			r->findings[i].file = rest;
	}
}

void logs_report(struct logs *l, struct report *r)
{
	bool tests = r->tests.packages > 0 || r->tests.run > 0;

	if (!tests && !l->judge_scans)
		recovered_report(l, r);
	if (l->unwrap.form != LOG_PLAIN && l->unwrap.plain)
		list_add(&r->mem, &r->limits, report_text(r, TR("%lld lines are not in the log format of the others (%s)", "有 %lld 行不符合其余行的日志格式（%s）"),
							  (long long)l->unwrap.plain, log_form_name(l->unwrap.form)).p);
	if (!logs_goroutines(l))
		return;
	if (!tests && (r->outcome != OUTCOME_FAILED || r->cause == CAUSE_PROC_SIGNAL)) /* a service told to print them all */
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
