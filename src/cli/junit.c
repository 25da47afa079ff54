#include "cli/junit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/redact.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/pending.h"

#define BLOCK       (16 << 10) /* cases of a package are written out in blocks */
#define SUITES_MAX  50000
#define RUNNING_MAX 100000
#define COPY        (64 << 10)

struct block_head {   /* in front of every block in the temporary file */
	int64_t next; /* offset of the next block of the same package; 0: none */
	int64_t size;
};

#define HELD_MAX (8 << 20) /* output of failed tests that wait for another try */

struct shot { /* one failure of a test that is run again */
	struct shot *next;
	size_t n;
	char text[];
};

struct held { /* a failed test */
	struct held *next;
	char *name;
	size_t n;
	double seconds;
	int round; /* of its last end */
	bool passed;
	struct shot *shots, **last;
};

struct suite {
	char *name;
	size_t n;
	struct suite *next;  /* in the order of appearance */
	int64_t first, last; /* offsets of blocks + 1; 0: none */
	struct buf cases;    /* not yet in the file */
	struct map running;  /* names of tests without an end */
	struct map held;     /* failed tests that may run again, by name; */
	struct held *first_held, *last_held; /* in order */
	int64_t tests, failures, errors, skipped;
	double seconds;
	bool streams; /* its events name it: tests without a package are not its */
};

struct junit {
	const char *path;
	int spool;
	int64_t at; /* end of the spool */
	struct map suites;
	struct suite *first, *last;
	struct pending *pending; /* tests of a package whose name is not known yet */
	bool hold;
	int round;
	size_t held_bytes;
	int failed;      /* -errno */
	bool cut;        /* a ceiling was hit */
	int64_t started; /* of the first report */
	char go_version[48];
};

/* ---- XML ---- */

static void xml(struct buf *b, struct span s, bool attribute)
{
	CLEANUP(buf_free) struct buf seen = { 0 }, clean = { 0 };
	uint32_t cp;

	text_clean(s, true, &seen);
	redact_text(NULL, buf_view(&seen), &clean);
	b->bad |= seen.bad || clean.bad;
	for (struct span t = buf_view(&clean); t.n;) {
		size_t n = utf8_decode(t, &cp);
		if (cp == '&' || cp == '<' || cp == '>' || cp == '"')
			buf_adds(b, cp == '&' ? "&amp;" : cp == '<' ? "&lt;" : cp == '>' ? "&gt;" : "&quot;");
		else if (attribute && (cp == '\n' || cp == '\t'))
			buf_adds(b, cp == '\n' ? "&#10;" : "&#9;");
		else if (cp == 0xfffe || cp == 0xffff)
			buf_adds(b, "\xef\xbf\xbd"); /* not characters of XML */
		else
			buf_add(b, t.p, n);
		t = span_from(t, n);
	}
}

void xml_attribute(struct buf *b, const char *name, struct span value)
{
	buf_addf(b, " %s=\"", name);
	xml(b, value, true);
	buf_addc(b, '"');
}

/* ---- the spool ---- */

static void spool(struct junit *j, const void *p, size_t n, int64_t at)
{
	const char *from = p;

	while (n && !j->failed) {
		ssize_t w = fault_hit() ? (errno = EIO, -1) : pwrite(j->spool, from, n, at);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0) {
			j->failed = w < 0 ? -errno : -EIO;
			return;
		}
		from += w;
		n -= (size_t)w;
		at += w;
	}
}

static void flush(struct junit *j, struct suite *s)
{
	struct block_head h = { 0, (int64_t)s->cases.len };
	int64_t at = j->at;

	if (!s->cases.len)
		return;
	spool(j, &h, sizeof(h), at);
	spool(j, s->cases.p, s->cases.len, at + (int64_t)sizeof(h));
	at++; /* 0 is none */
	if (s->last)
		spool(j, &at, sizeof(at), s->last - 1);
	else
		s->first = at;
	s->last = at;
	j->at += (int64_t)(sizeof(h) + s->cases.len);
	buf_clear(&s->cases);
}

int junit_open(const char *path, bool hold, struct junit **ret, struct err *e)
{
	struct junit *j = mem_zalloc(sizeof(*j));

	if (!j)
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	j->path = path;
	j->hold = hold;
	j->pending = pending_new();
	j->spool = j->pending ? temp_file() : (errno = ENOMEM, -1);
	if (j->spool < 0) {
		err_set(e, errno,
			TR("--junit needs a temporary file: %m (see TMPDIR)", "--junit 需要临时文件：%m（参见 TMPDIR）"));
		pending_free(j->pending);
		mem_free(j);
		return -e->code;
	}
	*ret = j;
	return 0;
}

/* ---- cases ---- */

static void held_free(struct held *h)
{
	for (struct shot *t = h->shots, *next; t; t = next) {
		next = t->next;
		mem_free(t);
	}
	mem_free(h->name);
	mem_free(h);
}

static void suite_free(struct suite *s)
{
	char *name;

	for (struct held *h = s->first_held, *next; h; h = next) {
		next = h->next;
		held_free(h);
	}
	map_free(&s->held);
	for (size_t at = 0; (name = map_next(&s->running, &at));)
		mem_free(name);
	map_free(&s->running);
	buf_free(&s->cases);
	mem_free(s->name);
	mem_free(s);
}

static struct suite *suite_get(struct junit *j, struct span name)
{
	struct suite *s = map_get(&j->suites, name);

	if (s || !name.n)
		return s;
	if (j->suites.count >= SUITES_MAX) {
		j->cut = true;
		return NULL;
	}
	s = mem_zalloc(sizeof(*s));
	if (s && (s->name = mem_dup(name.p, name.n)) &&
	    map_put(&j->suites, (struct span){ s->name, name.n }, s)) {
		s->n = name.n;
		if (j->last)
			j->last->next = s;
		else
			j->first = s;
		return j->last = s;
	}
	if (s)
		suite_free(s);
	j->failed = -ENOMEM;
	return NULL;
}

static void case_begin(struct suite *s, struct span test, double seconds)
{
	buf_adds(&s->cases, "<testcase");
	xml_attribute(&s->cases, "classname", (struct span){ s->name, s->n });
	xml_attribute(&s->cases, "name", test);
	buf_addf(&s->cases, " time=\"%.3f\"", seconds > 0 && seconds < 1e9 ? seconds : 0.0);
	s->tests++;
}

static void case_end(struct junit *j, struct suite *s)
{
	buf_adds(&s->cases, "</testcase>\n");
	if (s->cases.bad)
		j->failed = -ENOMEM;
	if (s->cases.len >= BLOCK)
		flush(j, s);
}

/* The first line that says something: not a frame line of the testing package. */
static struct span first_said(struct span text)
{
	while (text.n) {
		struct span line = span_trim(span_cut(&text, '\n'));
		if (line.n && !span_starts(line, S("=== ")) && !span_starts(line, S("--- ")))
			return redact_head(line, 400);
	}
	return (struct span){ 0 };
}

static void problem(struct suite *s, const char *element, struct span message, struct span text)
{
	buf_addf(&s->cases, "<%s", element);
	xml_attribute(&s->cases, "message", message);
	xml_attribute(&s->cases, "type", (struct span){ 0 });
	buf_addc(&s->cases, '>');
	xml(&s->cases, text, false);
	buf_addf(&s->cases, "</%s>", element);
}

static void failure(struct suite *s, struct span text)
{
	struct span said = first_said(text);

	s->failures++;
	problem(s, "failure", said.n ? said : span_of(TR("failed", "失败")), said);
}

static void system_out(struct suite *s, struct span text)
{
	buf_adds(&s->cases, "<system-out>");
	xml(&s->cases, text, false);
	buf_adds(&s->cases, "</system-out>");
}

/* ---- failed tests that run again ---- */

static void add_shot(struct junit *j, struct held *h, struct span text)
{
	struct shot *t;

	if (j->held_bytes > HELD_MAX)
		text = first_said(text);
	t = mem_zalloc(sizeof(*t) + text.n + 1);
	if (!t) {
		j->failed = -ENOMEM;
		return;
	}
	if (text.n)
		memcpy(t->text, text.p, text.n);
	t->n = text.n;
	*h->last = t;
	h->last = &t->next;
	j->held_bytes += text.n;
}

static struct held *held_new(struct junit *j, struct suite *s, struct span test)
{
	struct held *h = mem_zalloc(sizeof(*h));

	if (h) {
		h->name = mem_dup(test.p, test.n);
		h->n = test.n;
		h->last = &h->shots;
	}
	if (!h || !h->name || !map_put(&s->held, (struct span){ h->name, h->n }, h)) {
		if (h)
			held_free(h);
		j->failed = -ENOMEM;
		return NULL;
	}
	if (s->last_held)
		s->last_held->next = h;
	else
		s->first_held = h;
	return s->last_held = h;
}

/* True: its case is written when no more tries are to come. */
static bool hold(struct junit *j, struct suite *s, const struct notice *n)
{
	struct held *h = j->hold ? map_get(&s->held, n->test) : NULL;
	bool fails = n->result == RESULT_FAIL || n->result == RESULT_NONE;

	if (!j->hold || (h && h->round == j->round)) /* -count: each time is a case */
		return false;
	if (!h && (n->result != RESULT_FAIL || j->held_bytes > HELD_MAX || !(h = held_new(j, s, n->test))))
		return false;
	h->round = j->round;
	h->seconds = n->seconds;
	h->passed = !fails;
	if (fails)
		add_shot(j, h, n->text);
	return true;
}

/* Another try's failure, as Surefire writes it. */
static void add_try(struct suite *s, const char *element, const struct shot *t)
{
	struct span text = { t->text, t->n }, said = first_said(text);

	buf_addf(&s->cases, "<%s", element);
	xml_attribute(&s->cases, "message", said.n ? said : span_of(TR("failed", "失败")));
	xml_attribute(&s->cases, "type", (struct span){ 0 });
	buf_adds(&s->cases, "><stackTrace>");
	xml(&s->cases, said, false);
	buf_adds(&s->cases, "</stackTrace>");
	system_out(s, text);
	buf_addf(&s->cases, "</%s>", element);
}

/* A subtest that its parent did not start again, when the parent passed. */
static bool settled_above(const struct suite *s, const struct held *h)
{
	size_t at;

	for (struct span name = { h->name, h->n }; (at = span_rchr(name, '/')) != SPAN_NONE;) {
		name = span_head(name, at);
		const struct held *parent = map_get(&s->held, name);
		if (parent && parent->passed && parent->round > h->round)
			return true;
	}
	return false;
}

static void write_held(struct junit *j, struct suite *s)
{
	for (struct held *h = s->first_held; h; h = h->next)
		h->passed |= settled_above(s, h);
	for (const struct held *h = s->first_held; h; h = h->next) {
		const struct shot *t = h->shots;
		case_begin(s, (struct span){ h->name, h->n }, h->seconds);
		buf_addc(&s->cases, '>');
		if (!h->passed && t) {
			failure(s, (struct span){ t->text, t->n });
			for (const struct shot *more = t->next; more; more = more->next)
				add_try(s, "rerunFailure", more);
			system_out(s, (struct span){ t->text, t->n });
		}
		for (; h->passed && t; t = t->next)
			add_try(s, "flakyFailure", t);
		case_end(j, s);
	}
	for (struct held *h = s->first_held, *next; h; h = next) {
		next = h->next;
		held_free(h);
	}
	s->first_held = s->last_held = NULL;
	map_free(&s->held);
}

/* ---- what is told ---- */

static void test_end(struct junit *j, struct suite *s, const struct notice *n)
{
	struct span said = first_said(n->text);

	mem_free(map_del(&s->running, n->test));
	if (hold(j, s, n))
		return;
	case_begin(s, n->test, n->seconds);
	buf_addc(&s->cases, '>');
	if (n->result == RESULT_SKIP) {
		s->skipped++;
		buf_adds(&s->cases, "<skipped");
		xml_attribute(&s->cases, "message", said);
		buf_adds(&s->cases, "/>");
	} else if (n->result == RESULT_FAIL) {
		failure(s, n->text);
		system_out(s, n->text);
	} else if (n->result == RESULT_NONE) {
		s->errors++;
		problem(s, "error", span_of(TR("it did not end", "没有结束")), n->text);
	}
	case_end(j, s);
}

static void test_run(struct junit *j, struct suite *s, struct span test)
{
	if (map_get(&s->running, test))
		return;
	if (s->running.count >= RUNNING_MAX) {
		j->cut = true;
		return;
	}
	char *name = mem_dup(test.p, test.n);
	if (!name || !map_put(&s->running, (struct span){ name, test.n }, name)) {
		mem_free(name);
		j->failed = -ENOMEM;
	}
}

static void end_running(struct junit *j, struct suite *s)
{
	char *name;

	for (size_t at = 0; (name = map_next(&s->running, &at));) {
		struct notice n = { .test = span_of(name), .text = span_of(TR("it did not end", "没有结束")) };
		if (!map_get(&s->held, n.test) || !hold(j, s, &n)) {
			case_begin(s, n.test, 0);
			buf_addc(&s->cases, '>');
			s->errors++;
			problem(s, "error", n.text, (struct span){ 0 });
			case_end(j, s);
		}
		mem_free(name);
	}
	map_clear(&s->running);
}

static void pkg_end(struct junit *j, struct suite *s, const struct notice *n)
{
	bool blank = n->result == RESULT_FAIL && !s->failures && !s->first_held;

	end_running(j, s);
	if (n->seconds > 0 && n->seconds < 1e9)
		s->seconds += n->seconds;
	if (blank && !s->errors) {
		case_begin(s, span_of(TR("(package)", "（包）")), 0);
		buf_addc(&s->cases, '>');
		s->errors++;
		problem(s, "error",
			n->text.n ? first_said(n->text) : span_of(TR("the package failed", "包失败")),
			n->text);
		case_end(j, s);
	}
	flush(j, s);
	buf_free(&s->cases);
	map_free(&s->running);
}

static void take(void *junit, const struct notice *n)
{
	struct junit *j = junit;
	struct suite *s = j->failed ? NULL : suite_get(j, n->package);

	if (!s)
		return;
	if (n->kind == NOTICE_TEST_RUN)
		test_run(j, s, n->test);
	else if (n->kind == NOTICE_TEST_END)
		test_end(j, s, n);
	else if (n->kind == NOTICE_PKG_END)
		pkg_end(j, s, n);
	else
		s->streams = true;
}

static struct span unknown_package(void)
{
	return span_of(TR("(unknown package)", "（未知的包）"));
}

/* Tests that were read without a package are this one's. Absent: nothing says whose they are. */
static void give_pending(struct junit *j, struct span package)
{
	int r = pending_give(j->pending, package.n ? package : unknown_package(), take, j);

	j->failed = j->failed ? j->failed : r;
}

void junit_notice(struct junit *j, const struct notice *n)
{
	bool ends = n->kind == NOTICE_PKG_END;

	if (!j || j->failed)
		return;
	if (n->kind == NOTICE_TEXT || (!n->package.n && (n->kind == NOTICE_TEST_RUN || n->kind == NOTICE_TEST_END))) {
		pending_add(j->pending, n);
		return;
	}
	struct suite *s = ends && n->package.n ? map_get(&j->suites, n->package) : NULL;
	if (ends && !(s && s->streams))
		give_pending(j, n->package);
	if (ends || n->kind == NOTICE_TEST_RUN || n->kind == NOTICE_TEST_END || n->kind == NOTICE_PKG_START)
		take(j, n);
}

void junit_again(struct junit *j, bool whole)
{
	if (!j)
		return;
	give_pending(j, (struct span){ 0 });
	j->round++;
	for (struct suite *s = j->first; whole && s; s = s->next) {
		char *name;
		for (size_t at = 0; (name = map_next(&s->running, &at));)
			mem_free(name);
		map_clear(&s->running);
		buf_clear(&s->cases);
		s->first = s->last = 0;
		s->tests = s->failures = s->errors = s->skipped = 0;
		s->seconds = 0;
	}
	if (whole)
		j->at = 0;
}

/* ---- the file ---- */

/* What no test can carry: a build that failed before its package was known, a masked command, a signal. */
void junit_report(struct junit *j, const struct report *r)
{
	if (!j)
		return;
	give_pending(j, (struct span){ 0 });
	for (struct suite *s = j->first; s; s = s->next) {
		end_running(j, s);
		write_held(j, s);
	}
	j->started = j->started ? j->started : r->started;
	if (r->go_version)
		snprintf(j->go_version, sizeof(j->go_version), "%s", r->go_version);
	for (size_t i = 0; i < r->n_findings; i++) {
		const struct finding *f = &r->findings[i];
		struct span package = f->package.n || !f->test.n ? f->package : unknown_package();
		struct suite *p = package.n ? map_get(&j->suites, package) : NULL;
		if (f->severity != SEV_ERROR || (p && (p->failures || p->errors)))
			continue;
		struct suite *s = suite_get(j, S("tocsin"));
		if (!s)
			return;
		char id[CAUSE_ID_MAX];
		case_begin(s, span_of(finding_cause_id(f, id)), 0);
		buf_addc(&s->cases, '>');
		s->errors++;
		problem(s, "error", f->message.n ? f->message : span_of(tx(cause_table[f->cause].mean)),
			f->excerpt);
		case_end(j, s);
	}
}

static void copy_blocks(struct junit *j, const struct suite *s, struct file_out *to, char *room)
{
	struct block_head h;

	for (int64_t at = s->first; at && !j->failed; at = h.next) {
		if (pread(j->spool, &h, sizeof(h), at - 1) != (ssize_t)sizeof(h)) {
			j->failed = -EIO;
			return;
		}
		for (int64_t done = 0; done < h.size && !j->failed;) {
			size_t want = h.size - done < COPY ? (size_t)(h.size - done) : COPY;
			ssize_t n = pread(j->spool, room, want, at - 1 + (int64_t)sizeof(h) + done);
			if (n <= 0)
				j->failed = n < 0 ? -errno : -EIO;
			else
				j->failed = file_put(to, (struct span){ room, (size_t)n });
			done += n;
		}
	}
}

static void suite_head(struct buf *b, const char *element, struct span name, const struct suite *s)
{
	buf_addf(b, "<%s", element);
	xml_attribute(b, "name", name);
	buf_addf(b, " tests=\"%lld\" failures=\"%lld\" errors=\"%lld\" skipped=\"%lld\" time=\"%.3f\"",
		 (long long)s->tests, (long long)s->failures, (long long)s->errors, (long long)s->skipped,
		 s->seconds);
}

static struct suite sum_up(const struct junit *j)
{
	struct suite sum = { 0 };

	for (const struct suite *s = j->first; s; s = s->next) {
		sum.tests += s->tests;
		sum.failures += s->failures;
		sum.errors += s->errors;
		sum.skipped += s->skipped;
		sum.seconds += s->seconds;
	}
	return sum;
}

static void write_suites(struct junit *j, struct file_out *to, char *room)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct suite sum = sum_up(j);
	char when[32];

	buf_adds(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
	suite_head(&b, "testsuites", S("tocsin"), &sum);
	buf_adds(&b, ">\n");
	time_rfc3339(j->started ? j->started : time_wall(), when);
	when[19] = '\0'; /* the schema's dateTime has no zone */
	for (const struct suite *s = j->first; s && !j->failed; s = s->next) {
		if (!s->tests && j->round) /* of an attempt that was tried again */
			continue;
		suite_head(&b, "testsuite", (struct span){ s->name, s->n }, s);
		xml_attribute(&b, "timestamp", span_of(when));
		buf_adds(&b, ">\n");
		if (j->go_version[0]) {
			buf_adds(&b, "<properties><property name=\"go.version\"");
			xml_attribute(&b, "value", span_of(j->go_version));
			buf_adds(&b, "/></properties>\n");
		}
		j->failed = b.bad ? -ENOMEM : file_put(to, buf_view(&b));
		copy_blocks(j, s, to, room);
		buf_clear(&b);
		buf_adds(&b, "</testsuite>\n");
	}
	buf_adds(&b, "</testsuites>\n");
	if (!j->failed)
		j->failed = b.bad ? -ENOMEM : file_put(to, buf_view(&b));
}

static int write_file(struct junit *j, struct err *e)
{
	CLEANUP(mem_free) char *room = mem_alloc(COPY);
	struct file_out f;

	if (!room)
		return err_set(e, ENOMEM, TR("no memory for '%s'", "内存不足，无法写出“%s”"), j->path);
	int r = file_begin(&f, j->path, FILE_WHOLE, e);
	if (r < 0)
		return r;
	write_suites(j, &f, room);
	return file_end(&f, j->failed, e);
}

int junit_close(struct junit *j, struct err *e)
{
	int failed;

	if (!j)
		return 0;
	for (struct suite *s = j->first; s; s = s->next) {
		write_held(j, s);
		flush(j, s);
	}
	failed = j->failed;
	if (failed < 0)
		err_set(e, -failed,
			TR("'%s' is not written: its temporary file: %m (see TMPDIR)",
			   "没有写出“%s”：临时文件：%m（参见 TMPDIR）"),
			j->path);
	else
		failed = write_file(j, e);
	if (!failed && j->cut)
		failed = err_set(
			e, E2BIG,
			TR("'%s' holds only the first 50,000 packages or 100,000 unfinished tests of one",
			   "“%s”只包含前 50000 个包，或单个包的前 100000 个未结束的测试"),
			j->path);
	for (struct suite *s = j->first, *next; s; s = next) {
		next = s->next;
		suite_free(s);
	}
	map_free(&j->suites);
	pending_free(j->pending);
	fd_close(j->spool);
	mem_free(j);
	return failed;
}
