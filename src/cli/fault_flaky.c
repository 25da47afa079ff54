#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"
#include "cli/stats.h"

/* `tocsin fault flaky` and `tocsin fault tests`: what the tests did over time. */

#define SINCE_DEFAULT   "90d"
#define QUARANTINE_NSEC (INT64_C(14) * 86400 * NSEC_PER_SEC)

/* ---- flaky ---- */

struct flaky_values {
	const char *project, *since, *store;
	bool json, yaml;
};

#define AT(field) offsetof(struct flaky_values, field)
/* clang-format off */
static const struct opt flaky_opts[] = {
	{ "project", 0, OPT_STRING, AT(project), { "NAME", "名称" }, { "only of this project", "只看这个项目" }, NULL, 0 },
	{ "since", 0, OPT_STRING, AT(since), { "WHEN", "时间" }, { "by the runs since then: 30d, 2026-10-01 (default 90d)", "依据此后的运行：30d、2026-10-01（默认 90d）" }, NULL, 0 },
	{ "json", 0, OPT_FLAG, AT(json), { NULL, NULL }, { "as JSON, schema tocsin.flaky/1", "输出 JSON，格式 tocsin.flaky/1" }, NULL, 0 },
	{ "yaml", 0, OPT_FLAG, AT(yaml), { NULL, NULL }, { "as a quarantine list for tocsin.yaml that ends in 14 days", "输出可放进 tocsin.yaml 的隔离名单，14 天后到期" }, NULL, 0 },
	OPT_STORE(struct flaky_values),
};
/* clang-format on */

/* A YAML string in double quotes: what JSON writes is one. */
static void yaml_string(struct buf *b, struct span s)
{
	struct json_out j = { .to = b };

	json_str(&j, s.p ? s : S(""));
}

static void flaky_yaml(const struct stats_page *p, struct buf *b)
{
	char until[16];

	stats_date((p->now + QUARANTINE_NSEC) / (86400 * NSEC_PER_SEC), until);
	buf_addf(b, "%s\n", p->n_flaky ? "quarantine:" : TR("# no flaky test is known", "# 没有已知的不稳定测试"));
	for (size_t i = 0; i < p->n_flaky; i++) {
		const struct flaky *f = &p->flaky[i];
		CLEANUP(buf_free) struct buf why = { 0 };
		buf_adds(b, "  - test: ");
		yaml_string(b, f->test);
		buf_adds(b, "\n    package: ");
		yaml_string(b, f->package);
		buf_addf(b, "\n    until: %s\n    why: ", until);
		buf_addf(&why, TR("flaky: failed in %lld of %lld runs, with both results at %lld states of the code", "不稳定：%lld/%lld 次运行失败，%lld 个代码状态下结果不一"),
			 (long long)f->failed, (long long)f->runs, (long long)f->commits);
		b->bad |= why.bad;
		yaml_string(b, buf_view(&why));
		if (f->fault)
			buf_addf(b, "\n    fault: T-%lld", (long long)f->fault);
		buf_addc(b, '\n');
	}
}

static void flaky_json(const struct stats_page *p, struct buf *b)
{
	struct json_out j = { .to = b };

	json_open(&j, '{');
	json_key(&j, "schema");
	json_strz(&j, "tocsin.flaky/1");
	json_key(&j, "flaky");
	stats_flaky_json(&j, p->flaky, p->n_flaky);
	json_close(&j, '}');
	buf_addc(b, '\n');
}

static void flaky_one(struct buf *b, const struct term *t, const struct flaky *f)
{
	CLEANUP(buf_free) struct buf name = { 0 };
	char date[16];

	buf_addf(b, "%.2f  ", f->score);
	say_clean(&name, f->test);
	say_paint(b, t, PAINT_BOLD, buf_str(&name));
	b->bad |= name.bad;
	buf_adds(b, "  ");
	say_clean(b, f->package);
	if (f->fault)
		buf_addf(b, "  T-%lld", (long long)f->fault);
	buf_addf(b, TR("\n      failed in %lld of %lld runs; both results at %lld state%s of the code, %lld of %lld neighbours differ",
		       "\n      %lld 次失败，共 %lld 次运行；%lld 个代码状态下结果不一%s，相邻结果 %lld/%lld 不同"), (long long)f->failed, (long long)f->runs, (long long)f->commits,
		 TR(f->commits == 1 ? "" : "s", ""), (long long)f->flips, (long long)f->pairs);
	if (f->reruns)
		buf_addf(b, TR("; passed when tried again in %lld", "；重试后通过 %lld 次"), (long long)f->reruns);
	stats_date(f->last_failed / (86400 * NSEC_PER_SEC), date);
	buf_addf(b, TR("\n      last failed %s", "\n      最近失败 %s"), date);
	if (f->commit.n) {
		buf_adds(b, TR("; newest evidence: commit ", "；最新证据：提交 "));
		say_clean(b, span_head(f->commit, 12));
	}
	buf_addf(b, TR(", runs %.*s (failed) and %.*s (passed)\n", "，运行 %.*s（失败）与 %.*s（通过）\n"), SPAN_ARG(f->failed_run), SPAN_ARG(f->passed_run));
}

static int flaky_run(void *values, const struct args *a)
{
	const struct flaky_values *o = values;
	struct fault_task t;
	struct stats_page p = { .project = o->project, .now = time_wall() };
	struct err e = { 0 };

	if (a->n)
		return say_usage("fault flaky", TR("fault flaky takes no arguments", "fault flaky 不接受参数"));
	if (o->json && o->yaml)
		return say_usage("fault flaky", TR("either --json or --yaml", "--json 与 --yaml 只能选一个"));
	if (when_flag("since", o->since ? o->since : SINCE_DEFAULT, p.now, true, &p.since, &e) < 0)
		return say_usage("fault flaky", e.msg);
	int r = fault_begin(&t, o->store);
	if (r != EXIT_OK)
		return r;
	p.mem = &t.mem;
	r = store_flaky(t.s, p.project, p.since, stats_keep_flaky, &p, &e);
	if (r > 0)
		say_error(TR("there are more runs than are looked at: the newest count (--since takes fewer)", "运行记录过多，只统计较新的部分（可用 --since 缩短时间）"));
	if (r >= 0 && o->json)
		flaky_json(&p, &t.text);
	else if (r >= 0 && o->yaml)
		flaky_yaml(&p, &t.text);
	for (size_t i = 0; r >= 0 && !o->json && !o->yaml && i < p.n_flaky; i++)
		flaky_one(&t.text, &t.out, &p.flaky[i]);
	if (r >= 0 && !p.n_flaky && !o->json && !o->yaml)
		buf_adds(&t.text, TR("no test is known that passed and failed with the same code\n", "没有发现在同样代码下时而通过时而失败的测试\n"));
	stats_page_free(&p);
	return fault_end(&t, r, &e);
}

const struct verb verb_fault_flaky = {
	.name = "fault flaky",
	.brief = { "tests that passed and failed with the same code, with the evidence", "同样代码下时而通过时而失败的测试，附证据" },
	.text = { "Evidence is a run that tried again and got the other result, or two runs of one commit (and one state of the working tree) with "
		  "different results. The score is the share of neighbouring results that differ, with doubt in favour of the test: see "
		  "docs/flaky.md.\n\n"
		  "  tocsin fault flaky --yaml",
		  "证据是同一次运行中重试得到不同结果，或同一提交（且工作区状态相同）的两次运行结果不同。分数为相邻结果不同的比例，样本少时从宽：见 docs/flaky.md。\n\n"
		  "  tocsin fault flaky --yaml" },
	.opts = flaky_opts,
	.n_opts = ARRAY_LEN(flaky_opts),
	.size = sizeof(struct flaky_values),
	.run = flaky_run,
};
#undef AT

/* ---- tests ---- */

struct tests_values {
	const char *project, *store;
	bool only[TEST_CHANGES];
	bool json;
	int64_t limit;
};

#define AT(field) offsetof(struct tests_values, field)
#define ONLY(k) (AT(only) + (k) * sizeof(bool))
#define LIMIT_DEFAULT 10
/* clang-format off */
static const struct opt tests_opts[] = {
	{ "slowest", 0, OPT_FLAG, ONLY(TEST_SLOWEST), { NULL, NULL }, { "only the slowest tests", "只看最慢的测试" }, NULL, 0 },
	{ "slower", 0, OPT_FLAG, ONLY(TEST_SLOWER), { NULL, NULL }, { "only those slower than their own past, by more than their noise", "只看超出自身波动、比以往更慢的测试" }, NULL, 0 },
	{ "skipped", 0, OPT_FLAG, ONLY(TEST_SKIPPED), { NULL, NULL }, { "only those that passed before and are skipped now", "只看以前通过、现在被跳过的测试" }, NULL, 0 },
	{ "gone", 0, OPT_FLAG, ONLY(TEST_GONE), { NULL, NULL }, { "only those that always ran and do not run any more", "只看以前每次运行、现在不再运行的测试" }, NULL, 0 },
	{ "limit", 'n', OPT_INT, AT(limit), { "N", "N" }, { "at most N of each kind (default 10)", "每类最多 N 个（默认 10）" }, NULL, LIMIT_DEFAULT },
	{ "project", 0, OPT_STRING, AT(project), { "NAME", "名称" }, { "only of this project", "只看这个项目" }, NULL, 0 },
	{ "json", 0, OPT_FLAG, AT(json), { NULL, NULL }, { "as JSON, schema tocsin.tests/1", "输出 JSON，格式 tocsin.tests/1" }, NULL, 0 },
	OPT_STORE(struct tests_values),
};
/* clang-format on */

static bool any_only(const struct tests_values *o)
{
	bool any = false;

	for (int k = 0; k < TEST_CHANGES; k++)
		any |= o->only[k];
	return any;
}

static void tests_json(const struct stats_page *p, const struct tests_values *o, struct buf *b)
{
	struct json_out j = { .to = b };

	json_open(&j, '{');
	json_key(&j, "schema");
	json_strz(&j, "tocsin.tests/1");
	for (int k = 0; k < TEST_CHANGES; k++) {
		if (any_only(o) && !o->only[k])
			continue;
		json_key(&j, trend_key((enum test_change)k));
		json_open(&j, '[');
		for (size_t i = 0; i < p->n_trends; i++) {
			if (p->trends[i].what == (enum test_change)k)
				stats_trend_json(&j, &p->trends[i]);
		}
		json_close(&j, ']');
	}
	json_close(&j, '}');
	buf_addc(b, '\n');
}

static void tests_say(const struct stats_page *p, const struct tests_values *o, const struct term *t, struct buf *b)
{
	for (int k = 0; k < TEST_CHANGES; k++) {
		size_t n = 0;
		if (any_only(o) && !o->only[k])
			continue;
		if (b->len)
			buf_addc(b, '\n');
		say_paint(b, t, PAINT_BOLD, trend_title((enum test_change)k));
		buf_addc(b, '\n');
		for (size_t i = 0; i < p->n_trends; i++) {
			if (p->trends[i].what != (enum test_change)k)
				continue;
			stats_say_trend(b, &p->trends[i]);
			n++;
		}
		if (!n)
			buf_adds(b, TR("  none\n", "  无\n"));
	}
}

static int tests_run(void *values, const struct args *a)
{
	const struct tests_values *o = values;
	struct fault_task t;
	struct stats_page p = { .project = o->project, .now = time_wall() };
	struct err e = { 0 };

	if (a->n)
		return say_usage("fault tests", TR("fault tests takes no arguments", "fault tests 不接受参数"));
	int r = fault_begin(&t, o->store);
	if (r != EXIT_OK)
		return r;
	p.mem = &t.mem;
	r = store_test_trends(t.s, p.project, p.now, o->limit ? (size_t)o->limit : LIMIT_DEFAULT, stats_keep_trend, &p, &e);
	if (r > 0)
		say_error(TR("there are more results than are looked at: the commands that ran last count (--project takes fewer)", "测试结果过多，只比较最近运行的命令（可用 --project 缩小范围）"));
	if (r >= 0 && o->json)
		tests_json(&p, o, &t.text);
	else if (r >= 0)
		tests_say(&p, o, &t.out, &t.text);
	stats_page_free(&p);
	return fault_end(&t, r, &e);
}

const struct verb verb_fault_tests = {
	.name = "fault tests",
	.brief = { "tests over time: the slowest, those that became slower, newly skipped ones, gone ones", "测试随时间的变化：最慢、变慢、新近跳过、消失" },
	.text = { "Compares the last runs of one command on one branch. A test is slower when the median of its last three runs is above that of the "
		  "earlier ones by more than three times their noise, 20 ms and 20 %, and by more than all tests are; it needs five earlier results. It is "
		  "gone when it was in at least three complete runs and is in none of the newest: see docs/flaky.md.",
		  "比较同一命令在同一分支上的最近几次运行。最近三次的中位数超出以往中位数的幅度，若大于其波动的三倍、20 毫秒和 20%，并大于所有测试共同变慢的部分，即为变慢；"
		  "至少需要五次以往结果。若在至少三次完整运行中都有、最新的运行中却没有，即为消失：见 docs/flaky.md。" },
	.opts = tests_opts,
	.n_opts = ARRAY_LEN(tests_opts),
	.size = sizeof(struct tests_values),
	.run = tests_run,
};
