#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/stats.h"

#define SINCE_DEFAULT "90d"
#define TRENDS_EACH 10

struct stats_values {
	const char *project, *since, *html, *store;
	bool json;
};

#define AT(field) offsetof(struct stats_values, field)
/* clang-format off */
static const struct opt opts[] = {
	{ "project", 0, OPT_STRING, AT(project), { "NAME", "名称" }, { "only of this project", "只统计这个项目" }, NULL, 0 },
	{ "since", 0, OPT_STRING, AT(since), { "WHEN", "时间" }, { "from then on: 30d, 12h, 2026-10-01 (default 90d)", "从何时开始：30d、12h、2026-10-01（默认 90d）" }, NULL, 0 },
	{ "json", 0, OPT_FLAG, AT(json), { NULL, NULL }, { "as JSON, schema tocsin.stats/1", "输出 JSON，格式 tocsin.stats/1" }, NULL, 0 },
	{ "html", 0, OPT_FILE, AT(html), { "FILE", "文件" }, { "write one self-contained page with charts", "写出一个自包含的图表网页" }, NULL, 0 },
	OPT_STORE(struct stats_values),
};
/* clang-format on */

/* ---- small things that the table and the page share ---- */

int64_t stats_failed(const struct stats *s)
{
	return s->runs - s->outcomes[OUTCOME_PASSED] - s->outcomes[OUTCOME_NONE];
}

void stats_span(int64_t ns, char out[32])
{
	double s = (double)ns / 1e9;

	if (s >= 2 * 86400)
		snprintf(out, 32, TR("%.1f days", "%.1f 天"), s / 86400);
	else if (s >= 2 * 3600)
		snprintf(out, 32, TR("%.1f hours", "%.1f 小时"), s / 3600);
	else
		snprintf(out, 32, TR("%.0f min", "%.0f 分钟"), s / 60);
}

void stats_date(int64_t day, char out[16])
{
	char text[32];

	time_rfc3339(day * 86400 * NSEC_PER_SEC, text);
	snprintf(out, 16, "%.10s", text);
}

static const struct {
	const char *key;
	struct tx title;
} trends[TEST_CHANGES] = {
	[TEST_SLOWEST] = { "slowest", { "Slowest tests", "最慢的测试" } },
	[TEST_SLOWER] = { "slower", { "Slower than their own past", "比自己以往更慢的测试" } },
	[TEST_SKIPPED] = { "skipped", { "Newly skipped", "新近被跳过的测试" } },
	[TEST_GONE] = { "gone", { "Gone", "消失的测试" } },
};

const char *trend_title(enum test_change what)
{
	return tx(trends[what].title);
}

const char *trend_key(enum test_change what)
{
	return trends[what].key;
}

/* ---- gathering ---- */

static struct span keep(struct arena *mem, struct span s)
{
	return s.p ? arena_span(mem, s) : s;
}

int stats_keep_flaky(void *page, const struct flaky *f)
{
	struct stats_page *p = page;

	if (!mem_grow(&p->flaky, &p->cap_flaky, p->n_flaky, sizeof(*p->flaky)))
		return -ENOMEM;
	struct flaky *c = &p->flaky[p->n_flaky++];
	*c = *f;
	struct span *const spans[] = { &c->package, &c->test, &c->project, &c->commit, &c->passed_run, &c->failed_run };
	for (size_t i = 0; i < ARRAY_LEN(spans); i++)
		*spans[i] = keep(p->mem, *spans[i]);
	return 0;
}

int stats_keep_trend(void *page, const struct test_trend *t)
{
	struct stats_page *p = page;

	if (!mem_grow(&p->trends, &p->cap_trends, p->n_trends, sizeof(*p->trends)))
		return -ENOMEM;
	struct test_trend *c = &p->trends[p->n_trends++];
	*c = *t;
	struct span *const spans[] = { &c->package, &c->test, &c->run, &c->commit };
	for (size_t i = 0; i < ARRAY_LEN(spans); i++)
		*spans[i] = keep(p->mem, *spans[i]);
	return 0;
}

void stats_page_free(struct stats_page *p)
{
	mem_free(p->flaky);
	mem_free(p->trends);
}

static int gather_top(struct fault_task *t, struct stats_page *p, struct err *e)
{
	char ref[32];

	p->top = arena_alloc(&t->mem, (p->st.n_top + 1) * sizeof(*p->top));
	p->spark = arena_alloc(&t->mem, (p->st.n_top + 1) * sizeof(*p->spark));
	if (!p->top || !p->spark)
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	for (size_t i = 0; i < p->st.n_top; i++) {
		snprintf(ref, sizeof(ref), "T-%lld", (long long)p->st.top[i].seq);
		int r = store_fault_get(t->s, ref, &t->mem, &p->top[i], e);
		if (r == 0)
			r = store_fault_days(t->s, p->st.top[i].seq, t->now, p->spark[i], STATS_SPARK, e);
		if (r < 0)
			return r;
		p->n_top++;
	}
	return 0;
}

static int gather(struct fault_task *t, struct stats_page *p, struct err *e)
{
	int r = store_stats(t->s, p->project, p->since, p->now, p->mem, &p->st, e);

	if (r == 0)
		r = gather_top(t, p, e);
	if (r == 0)
		r = store_flaky(t->s, p->project, p->since, stats_keep_flaky, p, e);
	if (r >= 0)
		r = store_test_trends(t->s, p->project, p->now, TRENDS_EACH, stats_keep_trend, p, e);
	return r < 0 ? r : 0;
}

/* ---- for machines ---- */

static void put_int(struct json_out *j, const char *key, int64_t v)
{
	json_key(j, key);
	json_int(j, v);
}

static void put_span(struct json_out *j, const char *key, struct span s)
{
	json_key(j, key);
	json_str(j, s);
}

static void put_time(struct json_out *j, const char *key, int64_t at)
{
	char text[32];

	time_rfc3339(at, text);
	json_key(j, key);
	json_strz(j, at ? text : NULL);
}

static void put_outcomes(struct json_out *j, const int64_t *counts)
{
	json_key(j, "outcomes");
	json_open(j, '{');
	for (int i = 1; i < OUTCOME_COUNT; i++)
		put_int(j, outcome_word((enum outcome)i), counts[i]);
	json_close(j, '}');
}

static void put_days(struct json_out *j, const struct stats *s)
{
	char date[16];

	json_key(j, "days");
	json_open(j, '[');
	for (size_t i = 0; i < s->n_days; i++) {
		const struct stats_bucket *d = &s->days[i];
		stats_date(d->day, date);
		json_open(j, '{');
		json_key(j, "day");
		json_strz(j, date);
		put_int(j, "runs", d->runs);
		put_int(j, "failed", d->failed);
		put_outcomes(j, d->outcomes);
		put_int(j, "findings", d->findings);
		put_int(j, "new_faults", d->new_faults);
		put_int(j, "resolved", d->resolved);
		put_int(j, "regressed", d->regressed);
		put_int(j, "duration_ms", d->duration / NSEC_PER_MSEC);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_causes(struct json_out *j, const struct stats *s)
{
	json_key(j, "causes");
	json_open(j, '[');
	for (size_t i = 0; i < s->n_causes; i++) {
		json_open(j, '{');
		json_key(j, "cause");
		json_strz(j, s->causes[i].cause);
		put_int(j, "findings", s->causes[i].findings);
		put_int(j, "faults", s->causes[i].faults);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_top(struct json_out *j, const struct stats_page *p)
{
	char id[32];

	json_key(j, "top_faults");
	json_open(j, '[');
	for (size_t i = 0; i < p->n_top; i++) {
		snprintf(id, sizeof(id), "T-%lld", (long long)p->top[i].seq);
		json_open(j, '{');
		put_span(j, "id", p->top[i].id);
		json_key(j, "short");
		json_strz(j, id);
		put_span(j, "cause", p->top[i].cause);
		put_span(j, "title", p->top[i].title);
		put_span(j, "package", p->top[i].package);
		put_span(j, "owner", p->top[i].owner);
		json_key(j, "state");
		json_strz(j, fault_state_words[p->top[i].state]);
		put_int(j, "count", p->st.top[i].count);
		put_int(j, "count_ever", p->top[i].count);
		put_time(j, "last_seen", p->top[i].last_seen);
		json_close(j, '}');
	}
	json_close(j, ']');
}

void stats_flaky_json(struct json_out *j, const struct flaky *v, size_t n)
{
	char id[32];

	json_open(j, '[');
	for (size_t i = 0; i < n; i++) {
		const struct flaky *f = &v[i];
		json_open(j, '{');
		put_span(j, "package", f->package);
		put_span(j, "test", f->test);
		put_span(j, "project", f->project);
		json_key(j, "score");
		json_num(j, f->score);
		put_int(j, "states", f->commits);
		put_int(j, "runs", f->runs);
		put_int(j, "failed", f->failed);
		put_int(j, "flips", f->flips);
		put_int(j, "pairs", f->pairs);
		put_int(j, "reruns", f->reruns);
		put_span(j, "commit", f->commit);
		put_span(j, "passed_run", f->passed_run);
		put_span(j, "failed_run", f->failed_run);
		put_time(j, "last_failed", f->last_failed);
		snprintf(id, sizeof(id), "T-%lld", (long long)f->fault);
		json_key(j, "fault");
		json_strz(j, f->fault ? id : NULL);
		json_close(j, '}');
	}
	json_close(j, ']');
}

void stats_trend_json(struct json_out *j, const struct test_trend *t)
{
	bool timed = t->what == TEST_SLOWEST || t->what == TEST_SLOWER;

	json_open(j, '{');
	put_span(j, "package", t->package);
	put_span(j, "test", t->test.n ? t->test : (struct span){ 0 });
	if (timed) {
		put_int(j, "now_ms", t->now / NSEC_PER_MSEC);
		json_key(j, "before_ms");
		if (t->before)
			json_int(j, t->before / NSEC_PER_MSEC);
		else
			json_null(j);
		put_int(j, "noise_ms", t->noise / NSEC_PER_MSEC);
	} else {
		put_int(j, "count", t->count);
	}
	put_span(j, "run", t->run);
	put_span(j, "commit", t->commit);
	put_time(j, "at", t->at);
	json_close(j, '}');
}

static void put_trends(struct json_out *j, const struct stats_page *p)
{
	json_key(j, "tests");
	json_open(j, '{');
	for (int k = 0; k < TEST_CHANGES; k++) {
		json_key(j, trend_key((enum test_change)k));
		json_open(j, '[');
		for (size_t i = 0; i < p->n_trends; i++) {
			if (p->trends[i].what == (enum test_change)k)
				stats_trend_json(j, &p->trends[i]);
		}
		json_close(j, ']');
	}
	json_close(j, '}');
}

static void put_projects(struct json_out *j, const struct stats *s)
{
	json_key(j, "projects");
	json_open(j, '[');
	for (size_t i = 0; i < s->n_projects; i++) {
		json_open(j, '{');
		json_key(j, "project");
		json_strz(j, s->projects[i].project);
		put_int(j, "runs", s->projects[i].runs);
		put_int(j, "failed", s->projects[i].failed);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void stats_json(const struct stats_page *p, struct buf *ret)
{
	struct json_out j = { .to = ret };
	const struct stats *s = &p->st;

	json_open(&j, '{');
	json_key(&j, "schema");
	json_strz(&j, "tocsin.stats/1");
	json_key(&j, "project");
	json_strz(&j, p->project);
	put_time(&j, "since", p->since);
	put_time(&j, "until", p->now);
	put_int(&j, "runs", s->runs);
	json_key(&j, "failure_rate");
	if (s->runs)
		json_num(&j, (double)stats_failed(s) / (double)s->runs);
	else
		json_null(&j);
	put_outcomes(&j, s->outcomes);
	put_int(&j, "findings", s->findings);
	put_int(&j, "faults", s->faults);
	put_int(&j, "new_faults", s->new_faults);
	put_int(&j, "regressions", s->regressions);
	json_key(&j, "states");
	json_open(&j, '{');
	for (int i = 0; i < FAULT_MERGED; i++)
		put_int(&j, fault_state_words[i], s->states[i]);
	json_close(&j, '}');
	json_key(&j, "mttr");
	json_open(&j, '{');
	put_int(&j, "resolved", s->mttr_n);
	json_key(&j, "mean_ms");
	if (s->mttr_n)
		json_int(&j, s->mttr / NSEC_PER_MSEC);
	else
		json_null(&j);
	json_close(&j, '}');
	put_causes(&j, s);
	put_top(&j, p);
	json_key(&j, "flaky");
	stats_flaky_json(&j, p->flaky, p->n_flaky);
	put_trends(&j, p);
	put_projects(&j, s);
	put_days(&j, s);
	json_close(&j, '}');
	buf_addc(ret, '\n');
}

/* ---- for people ---- */

static void head(struct buf *b, const struct term *t, const char *title)
{
	buf_addc(b, '\n');
	say_paint(b, t, PAINT_BOLD, title);
	buf_addc(b, '\n');
}

static void bar(struct buf *b, const struct term *t, int64_t part, int64_t most, size_t cells, enum paint p)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	size_t n = most > 0 ? (size_t)((part * (int64_t)cells * 2 + most) / (most * 2)) : 0;

	n = part > 0 && !n ? 1 : n;
	for (size_t i = 0; i < n; i++)
		buf_adds(&text, term_has_utf8() ? "█" : "#");
	say_paint(b, t, p, buf_str(&text));
}

/* Foreign text, cut to fit. */
static void cut(struct buf *b, struct span s, size_t width)
{
	CLEANUP(buf_free) struct buf clean = { 0 };

	say_clean(&clean, s);
	struct span fit = text_fit(buf_view(&clean), width);
	buf_span(b, fit);
	if (fit.n < clean.len)
		buf_adds(b, term_has_utf8() ? "…" : "~");
}

static void say_runs(struct buf *b, const struct term *t, const struct stats_page *p)
{
	const struct stats *s = &p->st;
	int64_t most = 0;
	char date[16];

	stats_date(p->since / (86400 * NSEC_PER_SEC), date);
	buf_addf(b, TR("since %s: %lld runs, %lld did not pass (%.1f%%)", "自 %s：运行 %lld 次，未通过 %lld 次（%.1f%%）"), date, (long long)s->runs,
		 (long long)stats_failed(s), s->runs ? 100.0 * (double)stats_failed(s) / (double)s->runs : 0.0);
	buf_addc(b, '\n');
	for (int i = 0; i < OUTCOME_COUNT; i++)
		most = s->outcomes[i] > most ? s->outcomes[i] : most;
	for (int i = 0; i < OUTCOME_COUNT; i++) {
		if (!s->outcomes[i])
			continue;
		buf_adds(b, "  ");
		say_cell(b, outcome_title((enum outcome)i), 16);
		buf_addf(b, "%7lld  ", (long long)s->outcomes[i]);
		bar(b, t, s->outcomes[i], most, 30, i == OUTCOME_PASSED ? PAINT_GREEN : i == OUTCOME_UNSTABLE || i == OUTCOME_EMPTY ? PAINT_YELLOW : PAINT_RED);
		buf_addc(b, '\n');
	}
}

static void say_faults(struct buf *b, const struct term *t, const struct stats_page *p)
{
	const struct stats *s = &p->st;
	char span[32];

	head(b, t, TR("faults", "故障"));
	buf_addf(b, TR("  %lld seen, %lld of them new; %lld open, %lld regressed, %lld ignored, %lld resolved\n",
		       "  出现过 %lld 个，其中新增 %lld 个；未解决 %lld，复发 %lld，忽略 %lld，已解决 %lld\n"), (long long)s->faults, (long long)s->new_faults,
		 (long long)s->states[FAULT_OPEN], (long long)s->states[FAULT_REGRESSED], (long long)s->states[FAULT_IGNORED], (long long)s->states[FAULT_RESOLVED]);
	stats_span(s->mttr, span);
	if (s->mttr_n)
		buf_addf(b, TR("  mean time to repair: %s, over %lld repairs; came back: %lld\n", "  平均修复时间：%s（共 %lld 次修复）；复发 %lld 次\n"), span, (long long)s->mttr_n,
			 (long long)s->regressions);
	else
		buf_adds(b, TR("  mean time to repair: nothing was resolved yet\n", "  平均修复时间：尚无已解决的故障\n"));
}

static void say_causes(struct buf *b, const struct term *t, const struct stats_page *p)
{
	const struct stats *s = &p->st;

	if (!s->n_causes)
		return;
	head(b, t, TR("causes", "原因"));
	for (size_t i = 0; i < s->n_causes && i < 12; i++) {
		buf_adds(b, "  ");
		say_cell(b, s->causes[i].cause, 22);
		buf_addf(b, "%6lld  ", (long long)s->causes[i].findings);
		bar(b, t, s->causes[i].findings, s->causes[0].findings, 30, PAINT_CYAN);
		buf_addc(b, '\n');
	}
}

static void say_top(struct buf *b, const struct term *t, const struct stats_page *p)
{
	char id[32];

	if (!p->n_top)
		return;
	head(b, t, TR("top faults", "最常见的故障"));
	for (size_t i = 0; i < p->n_top; i++) {
		snprintf(id, sizeof(id), "T-%lld", (long long)p->top[i].seq);
		buf_adds(b, "  ");
		say_cell(b, id, 8);
		buf_addf(b, "%5lld×  ", (long long)p->st.top[i].count);
		fault_spark(b, p->spark[i] + STATS_SPARK - FAULT_DAYS, FAULT_DAYS);
		buf_adds(b, "  ");
		say_cell(b, fault_state_title(p->top[i].state), 10);
		cut(b, p->top[i].title, t->width > 70 ? t->width - 50 : 30);
		buf_addc(b, '\n');
	}
}

static void say_flaky(struct buf *b, const struct term *t, const struct stats_page *p)
{
	if (!p->n_flaky)
		return;
	head(b, t, TR("flaky tests", "不稳定的测试"));
	for (size_t i = 0; i < p->n_flaky && i < 10; i++) {
		const struct flaky *f = &p->flaky[i];
		buf_addf(b, TR("  %.2f  failed %lld of %lld, both results at %lld states  ", "  %.2f  失败 %lld 次（共 %lld 次），%lld 个代码状态下结果不一  "), f->score,
			 (long long)f->failed, (long long)f->runs, (long long)f->commits);
		say_clean(b, f->test);
		buf_adds(b, "  ");
		say_clean(b, f->package);
		buf_addc(b, '\n');
	}
}

void stats_say_trend(struct buf *b, const struct test_trend *t)
{
	char now[24], before[24];

	buf_adds(b, "  ");
	duration_text(t->now, now);
	duration_text(t->before, before);
	if (t->what == TEST_SLOWER)
		buf_addf(b, TR("%7s, was %s  ", "%7s，原为 %s  "), now, before);
	else if (t->what == TEST_SLOWEST)
		buf_addf(b, "%7s  ", now);
	if (t->test.n) {
		say_clean(b, t->test);
		buf_adds(b, "  ");
	}
	say_clean(b, t->package);
	if (t->count > 1 || !t->test.n)
		buf_addf(b, TR(" (%lld tests)", "（%lld 个测试）"), (long long)t->count);
	if (t->commit.n && t->what != TEST_SLOWEST)
		buf_addf(b, TR(", since %.*s", "，自 %.*s"), SPAN_ARG(span_head(t->commit, 10)));
	buf_addc(b, '\n');
}

static void say_trends(struct buf *b, const struct term *t, const struct stats_page *p)
{
	static const enum test_change order[] = { TEST_SLOWER, TEST_SKIPPED, TEST_GONE, TEST_SLOWEST };

	for (size_t k = 0; k < ARRAY_LEN(order); k++) {
		size_t n = 0;
		for (size_t i = 0; i < p->n_trends; i++) {
			if (p->trends[i].what != order[k])
				continue;
			if (!n++)
				head(b, t, trend_title(order[k]));
			if (n <= 5)
				stats_say_trend(b, &p->trends[i]);
		}
	}
}

static void stats_table(const struct stats_page *p, const struct term *t, struct buf *b)
{
	if (!p->st.runs && !p->st.faults) {
		buf_addf(b, TR("nothing is recorded in %s for this time: `tocsin run -- go test ./...` begins it\n",
			       "%s 中没有这段时间的记录：从 `tocsin run -- go test ./...` 开始\n"), p->store);
		return;
	}
	say_runs(b, t, p);
	say_faults(b, t, p);
	say_causes(b, t, p);
	say_top(b, t, p);
	say_flaky(b, t, p);
	say_trends(b, t, p);
}

/* ---- the verb ---- */

static int print(struct fault_task *t, const struct stats_values *o, const struct stats_page *p, struct err *e)
{
	CLEANUP(buf_free) struct buf page = { 0 };

	if (o->json)
		stats_json(p, &t->text);
	if (o->html) {
		stats_html(p, &page);
		if (page.bad)
			return err_set(e, ENOMEM, TR("no memory", "内存不足"));
		int r = names_stdout(o->html) ? (buf_span(&t->text, buf_view(&page)), 0) : file_replace(o->html, buf_view(&page), e);
		if (r < 0)
			return r;
	}
	if (!o->json && !o->html)
		stats_table(p, &t->out, &t->text);
	return 0;
}

static int run(void *values, const struct args *a)
{
	const struct stats_values *o = values;
	struct fault_task t;
	struct stats_page p = { .project = o->project };
	struct err e = { 0 };

	if (a->n)
		return say_usage("stats", TR("stats takes no arguments", "stats 不接受参数"));
	if (o->json && o->html && names_stdout(o->html))
		return say_usage("stats", TR("--json and --html cannot both go to standard output", "--json 与 --html 不能同时写到标准输出"));
	p.now = time_wall();
	if (when_flag("since", o->since ? o->since : SINCE_DEFAULT, p.now, true, &p.since, &e) < 0)
		return say_usage("stats", e.msg);
	int r = fault_begin(&t, o->store);
	if (r != EXIT_OK)
		return r;
	p.mem = &t.mem;
	p.store = store_name(t.s);
	r = gather(&t, &p, &e);
	if (r == 0)
		r = print(&t, o, &p, &e);
	stats_page_free(&p);
	return fault_end(&t, r, &e);
}

const struct verb verb_stats = {
	.name = "stats",
	.brief = { "numbers over all runs: failure rate, causes, time to repair, flaky and slow tests", "历次运行的统计：失败率、原因、修复时间、不稳定和变慢的测试" },
	.text = { "A table, --json, or --html: one page with charts that needs nothing else, fit for a review meeting. What a flaky test is, and when a "
		  "test counts as slower or gone, is told in docs/flaky.md.\n\n"
		  "  tocsin stats --since 30d\n"
		  "  tocsin stats --html review.html --lang zh\n\n"
		  "Exit status: 0; 2 wrong usage; 125 the store cannot be used.",
		  "输出表格、--json，或 --html：一个不依赖任何外部资源的图表网页，适合评审会使用。何为不稳定的测试、何时算变慢或消失，见 docs/flaky.md。\n\n"
		  "  tocsin stats --since 30d\n"
		  "  tocsin stats --html review.html --lang zh\n\n"
		  "退出状态：0；2 用法错误；125 存储无法使用。" },
	.opts = opts,
	.n_opts = ARRAY_LEN(opts),
	.size = sizeof(struct stats_values),
	.run = run,
};
