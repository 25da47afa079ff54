#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "cli/html.h"
#include "cli/stats.h"

/* The page of `tocsin stats --html`. */

#define SLOTS_MAX 100 /* columns of a chart */

/* Days put together: columns of a chart, with their labels. */
struct slots {
	size_t n, days; /* days of one */
	char text[SLOTS_MAX][16];
	const char *labels[SLOTS_MAX];
};

static void slots_make(const struct stats *s, size_t finest, struct slots *x)
{
	char date[16];

	x->days = finest;
	while ((s->n_days + x->days - 1) / x->days > SLOTS_MAX)
		x->days = x->days < 7 ? 7 : x->days < 30 ? 30 : x->days * 2;
	x->n = (s->n_days + x->days - 1) / x->days;
	for (size_t i = 0; i < x->n; i++) {
		stats_date(s->days[i * x->days].day, date);
		snprintf(x->text[i], sizeof(x->text[i]), "%s", s->n_days > 400 ? date : date + 5);
		x->labels[i] = x->text[i];
	}
}

/* ---- figures ---- */

static void tile_number(struct buf *b, const char *name, int64_t n, const char *note, const char *tone)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)n);
	html_tile(b, name, text, note, tone);
}

static void tiles(struct buf *b, const struct stats_page *p)
{
	const struct stats *s = &p->st;
	char rate[32], note[96], span[32];
	int64_t failed = stats_failed(s);

	buf_adds(b, "<div class=\"tiles\">\n");
	tile_number(b, TR("Runs", "运行次数"), s->runs, TR("supervised commands", "受监管的命令"), "");
	snprintf(rate, sizeof(rate), "%.1f%%", s->runs ? 100.0 * (double)failed / (double)s->runs : 0.0);
	snprintf(note, sizeof(note), TR("%lld runs did not pass", "%lld 次运行未通过"), (long long)failed);
	html_tile(b, TR("Failure rate", "失败率"), s->runs ? rate : "–", note, failed ? "bad" : s->runs ? "good" : "");
	snprintf(note, sizeof(note), TR("%lld new, %lld came back", "新增 %lld，复发 %lld"), (long long)s->new_faults, (long long)s->regressions);
	tile_number(b, TR("Faults seen", "出现的故障"), s->faults, note, s->regressions ? "bad" : "");
	snprintf(note, sizeof(note), TR("of %lld seen", "共出现 %lld 个"), (long long)s->faults);
	tile_number(b, TR("Still open", "尚未解决"), s->states[FAULT_OPEN] + s->states[FAULT_REGRESSED], note, "");
	stats_span(s->mttr, span);
	snprintf(note, sizeof(note), TR("mean of %lld repairs", "%lld 次修复的平均值"), (long long)s->mttr_n);
	html_tile(b, TR("Time to repair", "修复时间"), s->mttr_n ? span : "–", s->mttr_n ? note : TR("nothing was resolved yet", "尚无已解决的故障"), "");
	tile_number(b, TR("Flaky tests", "不稳定的测试"), (int64_t)p->n_flaky, TR("both results at one state of the code", "同一代码状态下结果不一"), p->n_flaky ? "bad" : s->runs ? "good" : "");
	buf_adds(b, "</div>\n");
}

/* ---- charts ---- */

/* What failed stands on the axis, what passed above it. */
static void chart_runs(struct buf *b, const struct stats *s)
{
	double v[OUTCOME_COUNT][SLOTS_MAX] = { { 0 } };
	struct html_series series[OUTCOME_COUNT];
	struct slots x;
	size_t n = 0;

	slots_make(s, 1, &x);
	for (size_t i = 0; i < s->n_days; i++) {
		for (int o = 0; o < OUTCOME_COUNT; o++)
			v[o][i / x.days] += (double)s->days[i].outcomes[o];
	}
	for (int o = OUTCOME_FAILED; o < OUTCOME_COUNT; o++)
		series[n++] = (struct html_series){ outcome_title((enum outcome)o), outcome_word((enum outcome)o), v[o] };
	series[n++] = (struct html_series){ outcome_title(OUTCOME_PASSED), "passed", v[OUTCOME_PASSED] };
	const struct html_chart c = { TR("Runs by outcome over time", "各时段运行结果"), x.labels, x.n, series, n, "", 1080, 250 };
	html_section(b, x.days == 1 ? TR("Runs a day, by outcome", "每日运行结果") : x.days == 7 ? TR("Runs a week, by outcome", "每周运行结果") : TR("Runs by outcome", "各时段运行结果"),
		     TR("What did not pass stands at the bottom.", "未通过的运行在柱的底部。"));
	if (s->runs) {
		html_stacked(b, &c);
		html_legend(b, &c);
	} else {
		html_empty(b, TR("No run is recorded for this time: `tocsin run -- go test ./...` begins it.", "这段时间没有运行记录：从 `tocsin run -- go test ./...` 开始。"));
	}
	html_section_end(b);
}

static void chart_causes(struct buf *b, const struct stats *s)
{
	html_section(b, TR("Findings by cause", "按原因统计的发现"), NULL);
	if (!s->n_causes)
		html_empty(b, TR("Nothing was found.", "没有发现任何问题。"));
	else
		buf_addf(b, "<table><tr><th>%s</th><th class=\"n\">%s</th><th class=\"n\">%s</th><th></th></tr>\n", TR("cause", "原因"), TR("findings", "发现"), TR("faults", "故障"));
	for (size_t i = 0; i < s->n_causes && i < 12; i++) {
		const struct stats_cause *c = &s->causes[i];
		enum cause id = cause_by_id(span_of(c->cause));
		buf_adds(b, "<tr><td><code>");
		html_textz(b, c->cause);
		buf_adds(b, "</code><span class=\"dim\">");
		html_textz(b, id ? tx(cause_table[id].mean) : "");
		buf_addf(b, "</span></td><td class=\"n\">%lld</td><td class=\"n\">%lld</td><td class=\"b\">", (long long)c->findings, (long long)c->faults);
		html_bar(b, (double)c->findings, (double)s->causes[0].findings, "c1");
		buf_adds(b, "</td></tr>\n");
	}
	if (s->n_causes)
		buf_adds(b, "</table>\n");
	html_section_end(b);
}

static size_t weekly(const struct stats *s)
{
	return s->n_days >= 21 ? 7 : 1;
}

static void chart_balance(struct buf *b, const struct stats *s)
{
	double v[3][SLOTS_MAX] = { { 0 } };
	const struct html_series series[] = { { TR("new", "新增"), "c2", v[0] }, { TR("came back", "复发"), "c4", v[1] }, { TR("resolved", "解决"), "c3", v[2] } };
	int64_t any = 0;
	struct slots x;

	slots_make(s, weekly(s), &x);
	for (size_t i = 0; i < s->n_days; i++) {
		const struct stats_bucket *d = &s->days[i];
		v[0][i / x.days] += (double)d->new_faults;
		v[1][i / x.days] += (double)d->regressed;
		v[2][i / x.days] += (double)d->resolved;
		any += d->new_faults + d->regressed + d->resolved;
	}
	const struct html_chart c = { TR("New and resolved faults over time", "新增与解决的故障"), x.labels, x.n, series, ARRAY_LEN(series), "", 520, 220 };
	html_section(b, x.days == 1 ? TR("New and resolved faults a day", "每日新增与解决的故障") : TR("New and resolved faults a week", "每周新增与解决的故障"), NULL);
	if (any) {
		html_grouped(b, &c);
		html_legend(b, &c);
	} else {
		html_empty(b, TR("No fault came or went.", "没有故障新增或解决。"));
	}
	html_section_end(b);
}

static void chart_repair(struct buf *b, const struct stats *s)
{
	double sum[SLOTS_MAX] = { 0 }, n[SLOTS_MAX] = { 0 }, v[SLOTS_MAX], most = 0;
	const struct html_series series[] = { { TR("mean time to repair", "平均修复时间"), "c1", v } };
	struct slots x;

	slots_make(s, weekly(s), &x);
	for (size_t i = 0; i < s->n_days; i++) {
		sum[i / x.days] += (double)s->days[i].repair / 1e9 / 3600;
		n[i / x.days] += (double)s->days[i].resolved;
	}
	for (size_t i = 0; i < x.n; i++) {
		v[i] = n[i] > 0 ? sum[i] / n[i] : -1;
		most = v[i] > most ? v[i] : most;
	}
	bool days = most > 48;
	for (size_t i = 0; i < x.n && days; i++)
		v[i] = v[i] < 0 ? v[i] : v[i] / 24;
	const struct html_chart c = { TR("Mean time to repair over time", "平均修复时间的变化"), x.labels, x.n, series, 1, days ? TR("d", "天") : TR("h", "时"), 520, 220 };
	html_section(b, days ? TR("Time to repair, in days", "修复时间（天）") : TR("Time to repair, in hours", "修复时间（小时）"),
		     TR("From first seen, or back again, to resolved.", "从首次出现或复发，到解决为止。"));
	if (s->mttr_n)
		html_line(b, &c);
	else
		html_empty(b, TR("Nothing was resolved yet: `tocsin fault resolve` says what is.", "尚无已解决的故障：用 `tocsin fault resolve` 标记。"));
	html_section_end(b);
}

/* ---- tables ---- */

static void row_fault(struct buf *b, const struct stats_page *p, size_t i)
{
	const struct fault *f = &p->top[i];
	char date[16];

	stats_date(f->last_seen / (86400 * NSEC_PER_SEC), date);
	buf_addf(b, "<tr><td class=\"k\">T-%lld</td><td class=\"t\">", (long long)f->seq);
	html_text(b, f->title);
	buf_adds(b, "<span class=\"dim\"><code>");
	html_text(b, f->cause);
	buf_adds(b, "</code>");
	if (f->package.n) {
		buf_adds(b, " · ");
		html_text(b, f->package);
	}
	if (f->owner.n) {
		buf_adds(b, " · ");
		html_text(b, f->owner);
	}
	buf_addf(b, "</span></td><td><span class=\"pill %s\">", fault_state_words[f->state]);
	html_textz(b, fault_state_title(f->state));
	buf_addf(b, "</span></td><td class=\"n\">%lld</td><td class=\"k\">%s</td><td>", (long long)p->st.top[i].count, date);
	html_spark(b, p->spark[i], STATS_SPARK);
	buf_adds(b, "</td></tr>\n");
}

static void table_faults(struct buf *b, const struct stats_page *p)
{
	html_section(b, TR("Top faults", "最常见的故障"), TR("Counted in runs of this time; the small chart is that of the last 30 days.", "按这段时间内的运行次数计；小图为最近 30 天。"));
	if (!p->n_top) {
		html_empty(b, TR("No fault was seen.", "没有出现故障。"));
	} else {
		buf_addf(b, "<table><tr><th>%s</th><th>%s</th><th>%s</th><th class=\"n\">%s</th><th>%s</th><th>%s</th></tr>\n", TR("id", "编号"), TR("fault", "故障"), TR("state", "状态"),
			 TR("seen", "次数"), TR("last", "最近"), TR("30 days", "30 天"));
		for (size_t i = 0; i < p->n_top; i++)
			row_fault(b, p, i);
		buf_adds(b, "</table>\n");
	}
	html_section_end(b);
}

static void cell_test(struct buf *b, struct span package, struct span test)
{
	buf_adds(b, "<td class=\"t\">");
	html_text(b, test.n ? test : package);
	if (test.n) {
		buf_adds(b, "<span class=\"dim\">");
		html_text(b, package);
		buf_adds(b, "</span>");
	}
	buf_adds(b, "</td>");
}

static void table_flaky(struct buf *b, const struct stats_page *p)
{
	html_section(b, TR("Flaky tests", "不稳定的测试"), TR("Passed and failed with the same code. The score is the share of neighbouring results that differ, with doubt in favour of the test.",
							  "同样的代码时而通过时而失败。分数为相邻结果不同的比例，样本少时从宽计算。"));
	if (!p->n_flaky) {
		html_empty(b, TR("None is known.", "没有已知的不稳定测试。"));
	} else {
		buf_addf(b, "<table><tr><th>%s</th><th class=\"n\">%s</th><th></th><th class=\"n\">%s</th><th class=\"n\">%s</th><th>%s</th><th>%s</th></tr>\n", TR("test", "测试"), TR("score", "分数"),
			 TR("failed / runs", "失败 / 运行"), TR("states", "代码状态"), TR("newest evidence", "最新证据"), TR("fault", "故障"));
		for (size_t i = 0; i < p->n_flaky && i < 20; i++) {
			const struct flaky *f = &p->flaky[i];
			buf_adds(b, "<tr>");
			cell_test(b, f->package, f->test);
			buf_addf(b, "<td class=\"n\">%.2f</td><td class=\"b\">", f->score);
			html_bar(b, f->score, 1, "c2");
			buf_addf(b, "</td><td class=\"n\">%lld / %lld</td><td class=\"n\">%lld</td><td><code>", (long long)f->failed, (long long)f->runs, (long long)f->commits);
			html_text(b, span_head(f->commit, 10));
			buf_adds(b, "</code></td><td>");
			if (f->fault)
				buf_addf(b, "T-%lld", (long long)f->fault);
			buf_adds(b, "</td></tr>\n");
		}
		buf_adds(b, "</table>\n");
	}
	html_section_end(b);
}

static void row_trend(struct buf *b, const struct test_trend *t)
{
	char now[24], before[24], date[16];

	duration_text(t->now, now);
	duration_text(t->before, before);
	stats_date(t->at / (86400 * NSEC_PER_SEC), date);
	buf_adds(b, "<tr>");
	cell_test(b, t->package, t->test);
	if (t->what == TEST_SLOWER || t->what == TEST_SLOWEST)
		buf_addf(b, "<td class=\"n\">%s</td><td class=\"n\">%s</td>", t->before ? before : "–", now);
	else
		buf_addf(b, "<td class=\"n\">%lld</td>", (long long)t->count);
	if (t->what != TEST_SLOWEST) {
		buf_addf(b, "<td class=\"k\">%s</td><td><code>", date);
		html_text(b, span_head(t->commit, 10));
		buf_adds(b, "</code></td>");
	}
	buf_adds(b, "</tr>\n");
}

static void table_trend(struct buf *b, const struct stats_page *p, enum test_change what, const char *note)
{
	bool timed = what == TEST_SLOWER || what == TEST_SLOWEST;
	size_t n = 0;

	html_section(b, trend_title(what), note);
	for (size_t i = 0; i < p->n_trends; i++) {
		if (p->trends[i].what != what)
			continue;
		if (!n++) {
			buf_addf(b, "<table><tr><th>%s</th>", TR("test", "测试"));
			if (timed)
				buf_addf(b, "<th class=\"n\">%s</th><th class=\"n\">%s</th>", TR("before", "以前"), TR("now", "现在"));
			else
				buf_addf(b, "<th class=\"n\">%s</th>", TR("tests", "测试数"));
			buf_addf(b, what == TEST_SLOWEST ? "</tr>\n" : TR("<th>since</th><th>commit</th></tr>\n", "<th>自</th><th>提交</th></tr>\n"));
		}
		row_trend(b, &p->trends[i]);
	}
	if (n)
		buf_adds(b, "</table>\n");
	else
		html_empty(b, TR("None.", "无。"));
	html_section_end(b);
}

static void table_projects(struct buf *b, const struct stats *s)
{
	if (s->n_projects < 2)
		return;
	html_section(b, TR("Projects", "项目"), NULL);
	buf_addf(b, "<table><tr><th>%s</th><th class=\"n\">%s</th><th class=\"n\">%s</th><th></th></tr>\n", TR("project", "项目"), TR("runs", "运行"), TR("not passed", "未通过"));
	for (size_t i = 0; i < s->n_projects && i < 20; i++) {
		buf_adds(b, "<tr><td class=\"t\">");
		html_textz(b, *s->projects[i].project ? s->projects[i].project : TR("(no name)", "（无名称）"));
		buf_addf(b, "</td><td class=\"n\">%lld</td><td class=\"n\">%lld</td><td class=\"b\">", (long long)s->projects[i].runs, (long long)s->projects[i].failed);
		html_bar(b, (double)s->projects[i].failed, (double)s->projects[i].runs, "c2");
		buf_adds(b, "</td></tr>\n");
	}
	buf_adds(b, "</table>\n");
	html_section_end(b);
}

/* ---- the whole ---- */

static void page_head(struct buf *b, const struct stats_page *p)
{
	char from[16], to[16];

	stats_date(p->since / (86400 * NSEC_PER_SEC), from);
	stats_date(p->now / (86400 * NSEC_PER_SEC), to);
	buf_adds(b, "<header><h1>");
	html_textz(b, TR("Failures and tests", "故障与测试"));
	if (p->project) {
		buf_adds(b, TR(" of ", "："));
		html_textz(b, p->project);
	}
	buf_addf(b, TR("</h1><p>%s to %s</p></header>\n", "</h1><p>%s 至 %s</p></header>\n"), from, to);
}

void stats_html(const struct stats_page *p, struct buf *b)
{
	char at[32];

	html_begin(b, TR("Tocsin: failures and tests", "Tocsin：故障与测试"));
	page_head(b, p);
	tiles(b, p);
	chart_runs(b, &p->st);
	buf_adds(b, "<div class=\"two charts\">\n");
	chart_balance(b, &p->st);
	chart_repair(b, &p->st);
	buf_adds(b, "</div>\n");
	table_faults(b, p);
	chart_causes(b, &p->st);
	table_flaky(b, p);
	buf_adds(b, "<div class=\"two\">\n<div class=\"stack\">\n");
	table_trend(b, p, TEST_SLOWER, TR("By more than their own noise; what all tests share is taken out.", "变慢超出自身波动；所有测试共同变慢的部分已扣除。"));
	table_trend(b, p, TEST_SKIPPED, TR("They passed before.", "以前是通过的。"));
	table_trend(b, p, TEST_GONE, TR("They ran in every run before, and do not run any more.", "以前每次都运行，现在不再运行。"));
	buf_adds(b, "</div>\n");
	table_trend(b, p, TEST_SLOWEST, NULL);
	buf_adds(b, "</div>\n");
	table_projects(b, &p->st);
	time_rfc3339(p->now, at);
	buf_addf(b, TR("<footer>Made by Tocsin %s at %s, from ", "<footer>由 Tocsin %s 于 %s 生成，数据来自 "), TOCSIN_VERSION, at);
	html_textz(b, p->store);
	buf_adds(b, "</footer>\n");
	html_end(b);
}
