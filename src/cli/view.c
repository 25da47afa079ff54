#include "cli/view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

#define PKGS_MAX    100000 /* open ones that are remembered */
#define RUNNING_MAX 4096   /* tests of one package that are remembered for the live area */

#define FORMATS(X) X(auto) X(raw) X(dots) X(pkgname) X(testname) X(verbose) X(quiet) X(github)

const struct format format_auto = {
	.name = "auto",
	.help = { "pkgname on a terminal or in a known CI, else raw",
		  "终端或已知 CI 中为 pkgname，否则为 raw" },
};
const struct format format_raw = {
	.name = "raw",
	.raw = true,
	.help = { "the command's own bytes, untouched; the verdict on stderr",
		  "命令的输出原样呈现；结论写到 stderr" },
};

/* clang-format off */
static const struct format *const rows[] = {
#define X(name) &format_##name,
	FORMATS(X)
#undef X
};
/* clang-format on */
const char *const view_format_names[] = {
#define X(name) #name,
	FORMATS(X)
#undef X
		NULL,
};

bool view_format_row(size_t i, const char **name, struct tx *help)
{
	if (i >= ARRAY_LEN(rows))
		return false;
	*name = rows[i]->name;
	*help = rows[i]->help;
	return true;
}

const struct format *view_format(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!strcmp(rows[i]->name, name))
			return rows[i];
	}
	return NULL;
}

int view_open(struct view *v, const struct format *f, bool streams, int64_t todo, struct err *e)
{
	*v = (struct view){ .format = f, .since = time_mono(), .pkgs_todo = todo };
	term_open(&v->out, STDOUT_FILENO);
	term_open(&v->err, STDERR_FILENO);
	const char *kind = getenv("TERM");
	if (!streams || !f->live || !v->out.tty || (kind && !strcmp(kind, "dumb")))
		return 0;
	v->live = live_new();
	return v->live ? 0 : err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

/* ---- what is running ---- */

static void pkg_free(struct view_pkg *p)
{
	struct view_test *t;

	for (size_t at = 0; (t = map_next(&p->running, &at));) {
		mem_free(t->name);
		mem_free(t);
	}
	map_free(&p->running);
	mem_free(p->name);
	mem_free(p);
}

static struct view_pkg *pkg_get(struct view *v, struct span name)
{
	struct view_pkg *p = map_get(&v->pkgs, name);

	if (p || !name.n || v->pkgs.count >= PKGS_MAX)
		return p;
	p = mem_zalloc(sizeof(*p));
	if (!p)
		return NULL;
	p->name = mem_dup(name.p, name.n);
	p->n = name.n;
	p->since = time_mono();
	if (!p->name || !map_put(&v->pkgs, (struct span){ p->name, p->n }, p)) {
		pkg_free(p);
		return NULL;
	}
	v->pkgs_started++;
	return p;
}

static void test_run(struct view_pkg *p, struct span name)
{
	struct view_test *t = map_get(&p->running, name);

	if (t || p->running.count >= RUNNING_MAX)
		return;
	t = mem_zalloc(sizeof(*t));
	if (!t)
		return;
	t->name = mem_dup(name.p, name.n);
	t->n = name.n;
	t->since = time_mono();
	if (!t->name || !map_put(&p->running, (struct span){ t->name, t->n }, t)) {
		mem_free(t->name);
		mem_free(t);
	}
}

static void test_pause(struct view_pkg *p, struct span name, bool paused)
{
	struct view_test *t = map_get(&p->running, name);

	if (t) {
		t->paused = paused;
		t->since = time_mono();
	}
}

static void test_end(struct view *v, struct view_pkg *p, const struct notice *n)
{
	struct view_test *t = map_del(&p->running, n->test);

	if (t) {
		mem_free(t->name);
		mem_free(t);
	}
	v->tests++;
	p->tests++;
	v->failed += n->result == RESULT_FAIL;
	p->failed += n->result == RESULT_FAIL;
	v->skipped += n->result == RESULT_SKIP;
	p->skipped += n->result == RESULT_SKIP;
}

static void keep_coverage(struct view_pkg *p, struct span text)
{
	if (span_starts(text, S("coverage: ")))
		snprintf(p->coverage, sizeof(p->coverage), "%.*s",
			 SPAN_ARG(span_head(span_trim(text), sizeof(p->coverage) - 1)));
}

static void count(struct view *v, const struct notice *n)
{
	struct view_pkg *p = v->pkg;

	if (!p)
		return;
	if (n->kind == NOTICE_TEST_RUN && v->live)
		test_run(p, n->test);
	else if (n->kind == NOTICE_TEST_PAUSE || n->kind == NOTICE_TEST_CONT)
		test_pause(p, n->test, n->kind == NOTICE_TEST_PAUSE);
	else if (n->kind == NOTICE_TEST_END)
		test_end(v, p, n);
	else if (n->kind == NOTICE_OUTPUT && !n->test.n)
		keep_coverage(p, n->text);
}

static void pkg_done(struct view *v, const struct notice *n)
{
	struct view_pkg *p = map_del(&v->pkgs, n->package);

	v->pkgs_done++;
	v->pkgs_failed += n->result == RESULT_FAIL;
	if (p)
		pkg_free(p);
	v->pkg = NULL;
}

void view_notice(void *view, const struct notice *n)
{
	struct view *v = view;

	if (n->kind != NOTICE_TEXT && n->kind != NOTICE_BUILD && n->kind != NOTICE_FINDING)
		v->pkg = pkg_get(v, n->package);
	count(v, n);
	if (v->format->notice)
		v->format->notice(v, n);
	if (n->kind == NOTICE_PKG_END)
		pkg_done(v, n);
	if (v->text.len > (1 << 16))
		view_flush(v);
}

/* ---- writing ---- */

/* What tests print stands in it: Tocsin writes it, so no secret is in it, whatever the format. */
void view_clean(struct view *v)
{
	if (!v->text.len)
		return;
	redact_feed(&v->out_clean, buf_view(&v->text), &v->clean);
	redact_idle(&v->out_clean, &v->clean);
	struct buf was = v->text;
	v->text = v->clean;
	v->clean = was;
	buf_clear(&v->clean);
}

/* What looked like the beginning of a secret was none. */
static void view_rest(struct view *v)
{
	view_clean(v);
	if (redact_holds(&v->out_clean))
		redact_end(&v->out_clean, &v->text);
}

void view_flush(struct view *v)
{
	if (v->live && v->text.len < (1 << 16))
		return;
	if (v->live)
		live_clear(v->live, v);
	view_clean(v);
	term_flush(&v->out, &v->text);
}

void view_stderr(struct view *v, struct span bytes, bool redact)
{
	CLEANUP(buf_free) struct buf clean = { 0 };

	if (v->live) {
		live_clear(v->live, v);
		view_clean(v);
		term_flush(&v->out, &v->text);
	}
	if (redact) {
		redact_feed(&v->err_clean, bytes, &clean);
		redact_idle(&v->err_clean, &clean);
		bytes = buf_view(&clean);
	}
	term_put(&v->err, bytes);
}

void view_tick(struct view *v)
{
	if (v->live)
		live_draw(v->live, v, time_mono());
}

void view_resize(struct view *v)
{
	term_resize(&v->out);
	if (v->live)
		live_resized(v->live, v);
}

void view_say(struct view *v, const char *text)
{
	view_pause(v);
	say_error("%s", text);
}

void view_pause(struct view *v)
{
	if (v->live)
		live_clear(v->live, v);
	if (v->column) {
		buf_addc(&v->text, '\n');
		v->column = 0;
	}
	view_rest(v);
	term_flush(&v->out, &v->text);
}

void view_settle(struct view *v)
{
	struct view_pkg *p;

	view_pause(v);
	for (size_t at = 0; (p = map_next(&v->pkgs, &at));) {
		pkg_free(p);
		v->pkgs_done++;
	}
	map_clear(&v->pkgs);
	v->pkg = NULL;
}

void view_usual(struct view *v, const struct usual_times *u)
{
	v->usual = u;
}

void view_close(struct view *v)
{
	view_settle(v);
	live_free(v->live);
	map_free(&v->pkgs);
	buf_free(&v->text);
	buf_free(&v->clean);
	redact_stream_free(&v->out_clean);
	redact_stream_free(&v->err_clean);
	*v = (struct view){ 0 };
}

/* ---- pieces ---- */

void view_seconds(struct buf *b, double seconds)
{
	char text[24];

	if (seconds < 0 || seconds > 1e9)
		return;
	duration_text((int64_t)(seconds * 1e9), text);
	buf_addf(b, " (%s)", text);
}

void view_name(struct view *v, const struct notice *n)
{
	say_clean(&v->text, n->package);
	if (n->test.n) {
		buf_addc(&v->text, ' ');
		say_clean(&v->text, n->test);
	}
}

/* Lines by which the testing package frames this very test: the headline says it already. */
static bool is_frame(struct span line, struct span test)
{
	/* clang-format off */
	static const struct span marks[] = { { "=== RUN   ", 10 }, { "=== PAUSE ", 10 }, { "=== CONT  ", 10 },
					     { "=== NAME  ", 10 }, { "--- FAIL: ", 10 } };
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		struct span rest = line;
		if (span_skip(&rest, marks[i]) && span_starts(rest, test) &&
		    (rest.n == test.n || rest.p[test.n] == ' '))
			return true;
	}
	return false;
}

static void drop_frames(struct span text, struct span test, struct buf *ret)
{
	while (text.n) {
		struct span line = span_cut(&text, '\n'), bare = line;
		while (bare.n && (bare.p[0] == ' ' || bare.p[0] == 0x16))
			bare = span_from(bare, 1);
		if (is_frame(bare, test))
			continue;
		buf_span(ret, line);
		buf_addc(ret, '\n');
	}
}

/* A parent that has nothing to say but that its subtest failed, which was said just before. */
static bool is_echo(struct view_pkg *p, struct span test, bool silent)
{
	struct span last = p ? span_of(p->last_failed) : (struct span){ 0 };

	if (silent && last.n > test.n && span_starts(last, test) && last.p[test.n] == '/')
		return true;
	if (p)
		snprintf(p->last_failed, sizeof(p->last_failed), "%.*s",
			 SPAN_ARG(span_head(test, sizeof(p->last_failed) - 1)));
	return false;
}

bool view_failed_text(struct view *v, const struct notice *n, struct buf *ret)
{
	drop_frames(n->text, n->test, ret);
	return !is_echo(v->pkg, n->test, ret->len == 0);
}

void view_failed_test(struct view *v, const struct notice *n)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	if (!view_failed_text(v, n, &text))
		return;
	say_paint(&v->text, &v->out, PAINT_RED, TR("FAIL", "失败"));
	buf_addc(&v->text, ' ');
	view_name(v, n);
	view_seconds(&v->text, n->seconds);
	buf_addc(&v->text, '\n');
	say_lines(&v->text, buf_view(&text), 4, 0);
}

void view_plain(struct view *v, const struct notice *n)
{
	if (n->kind == NOTICE_TEXT && n->stream == STREAM_ERR)
		return; /* those bytes reach stderr as they are */
	if (n->kind != NOTICE_TEXT && n->kind != NOTICE_BUILD)
		return;
	if (n->text.n)
		say_lines(&v->text, n->text, 0, 0);
	else
		buf_addc(&v->text, '\n');
}

static void pkg_word(struct view *v, const struct notice *n)
{
	if (n->result == RESULT_FAIL)
		say_paint(&v->text, &v->out, PAINT_RED, TR("FAIL", "失败"));
	else if (n->result == RESULT_SKIP || n->no_tests)
		say_paint(&v->text, &v->out, PAINT_DIM, TR("none", "无测试"));
	else
		say_paint(&v->text, &v->out, PAINT_GREEN, TR("ok  ", "通过"));
}

void view_pkg_line(struct view *v, const struct notice *n)
{
	struct buf *b = &v->text;
	const struct view_pkg *p = v->pkg;

	pkg_word(v, n);
	buf_addc(b, ' ');
	say_clean(b, n->package);
	if (n->cached)
		buf_adds(b, TR(" (cached)", "（缓存）"));
	else if (n->result != RESULT_SKIP)
		view_seconds(b, n->seconds);
	if (p && p->tests) {
		buf_addf(b, TR("  %lld test%s", "  %lld 个测试%s"), (long long)p->tests,
			 TR(p->tests == 1 ? "" : "s", ""));
		if (p->failed)
			buf_addf(b, TR(", %lld failed", "，%lld 个失败"), (long long)p->failed);
		if (p->skipped)
			buf_addf(b, TR(", %lld skipped", "，%lld 个跳过"), (long long)p->skipped);
	}
	if (p && p->coverage[0]) {
		buf_adds(b, "  ");
		say_clean(b, span_of(p->coverage));
	}
	buf_addc(b, '\n');
	if (n->result == RESULT_FAIL && n->text.n)
		say_lines(b, n->text, 4, 40);
}
