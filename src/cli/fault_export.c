#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "cli/fault.h"
#include "cli/markdown.h"
#include "cli/sarif.h"

enum export_format { EXPORT_JSON, EXPORT_MARKDOWN, EXPORT_CSV, EXPORT_SARIF };
static const char *const formats[] = { "json", "markdown", "csv", "sarif", NULL };

struct export_values {
	struct fault_pick pick; /* first: see FAULT_PICK_OPTS */
	const char *store, *output;
	bool json;
	int format;
};

struct exporting {
	struct fault_task t;
	struct fault_list faults;
	struct fault *f; /* at hand */
	struct finding first, last;
	struct arena mem; /* of the one at hand */
	struct fault_event *events;
	size_t n_events, cap_events;
};

static int keep_event(void *ctx, const struct fault_event *v)
{
	struct exporting *x = ctx;

	if (!mem_grow(&x->events, &x->cap_events, x->n_events, sizeof(*x->events)) || !fault_event_copy(&x->mem, v, &x->events[x->n_events]))
		return -ENOMEM;
	x->n_events++;
	return 0;
}

/* The first and the last finding and the history of one fault. */
static int read_more(struct exporting *x, struct fault *f, struct err *e)
{
	arena_free(&x->mem);
	x->mem = (struct arena){ 0 };
	x->first = x->last = (struct finding){ 0 };
	x->n_events = 0;
	int r = store_fault_ends(x->t.s, f->seq, &x->mem, &x->first, &x->last, e);
	return r < 0 ? r : store_events(x->t.s, f->seq, keep_event, x, e);
}

/* ---- JSON: all there is ---- */

static int by_number(const void *a, const void *b)
{
	const struct fault *x = a, *y = b;

	return (x->seq > y->seq) - (x->seq < y->seq);
}

static void put_finding(struct json_out *j, const char *key, const struct finding *f)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct report none = { 0 };

	if (f->cause || f->message.n)
		finding_json(&none, f, &text);
	fault_json_raw(j, key, buf_view(&text));
}

static int export_json(struct exporting *x, struct buf *b, struct err *e)
{
	struct json_out j = { .to = b };
	int r = 0;

	/* So that they keep their numbers in a store that takes them in first. */
	if (x->faults.n)
		qsort(x->faults.v, x->faults.n, sizeof(*x->faults.v), by_number);
	json_open(&j, '{');
	json_key(&j, "schema");
	json_strz(&j, "tocsin.faults/1");
	json_key(&j, "faults");
	json_open(&j, '[');
	for (size_t i = 0; i < x->faults.n && r >= 0; i++) {
		struct fault *f = &x->faults.v[i];
		r = read_more(x, f, e);
		buf_addc(b, '\n');
		fault_json(&j, f, NULL);
		fault_events_json(&j, x->events, x->n_events);
		put_finding(&j, "first", &x->first);
		put_finding(&j, "last", &x->last);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_key(&j, "total");
	json_int(&j, (int64_t)x->faults.n);
	json_close(&j, '}');
	buf_addc(b, '\n');
	return r;
}

/* ---- CSV ---- */

/* clang-format off */
static const char *const csv_head[] = { "id", "short", "fingerprint", "cause", "state", "count", "first_seen", "last_seen", "title", "owner", "project",
	"package", "test", "file", "line", "tags", "defences", "resolved_at", "resolved_by", "fix", "fix_commit", "ignored_until" };
/* clang-format on */

/* A spreadsheet must not take it for a formula: such a cell begins with a quote. */
static bool is_formula(struct span s)
{
	return s.n && s.p[0] && strchr("=+-@\t\r", s.p[0]);
}

static void csv_cell(struct buf *b, struct span s, bool last)
{
	bool quote = false, formula = is_formula(s);

	for (size_t i = 0; i < s.n; i++)
		quote |= s.p[i] == '"' || s.p[i] == ',' || s.p[i] == '\n' || s.p[i] == '\r';
	buf_adds(b, quote ? "\"" : "");
	buf_adds(b, formula ? "'" : "");
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			buf_addc(b, '"');
		buf_addc(b, s.p[i]);
	}
	buf_adds(b, quote ? "\"" : "");
	buf_adds(b, last ? "\r\n" : ",");
}

static void csv_time(struct buf *b, int64_t at, bool last)
{
	char text[32];

	time_rfc3339(at, text);
	csv_cell(b, at ? span_of(text) : (struct span){ 0 }, last);
}

static void csv_number(struct buf *b, int64_t v)
{
	if (v > 0)
		buf_addf(b, "%lld", (long long)v);
	buf_addc(b, ',');
}

static void csv_items(struct buf *b, struct span lines)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct span one;

	while (fault_item(&lines, &one)) {
		buf_adds(&text, text.len ? "; " : "");
		buf_span(&text, one);
	}
	csv_cell(b, buf_view(&text), false);
}

static void csv_row(struct buf *b, const struct fault *f)
{
	char id[32];

	snprintf(id, sizeof(id), "T-%lld", (long long)f->seq);
	csv_cell(b, f->id, false);
	csv_cell(b, span_of(id), false);
	csv_cell(b, f->fingerprint, false);
	csv_cell(b, f->cause, false);
	csv_cell(b, span_of(fault_state_words[f->state]), false);
	csv_number(b, f->count);
	csv_time(b, f->first_seen, false);
	csv_time(b, f->last_seen, false);
	csv_cell(b, f->title, false);
	csv_cell(b, f->owner, false);
	csv_cell(b, f->project, false);
	csv_cell(b, f->package, false);
	csv_cell(b, f->test, false);
	csv_cell(b, f->file, false);
	csv_number(b, f->line);
	csv_items(b, f->tags);
	csv_items(b, f->defences);
	csv_time(b, f->resolved_at, false);
	csv_cell(b, f->resolved_by, false);
	csv_cell(b, f->fix, false);
	csv_cell(b, f->fix_commit, false);
	csv_time(b, f->ignored_until, true);
}

static int export_csv(struct exporting *x, struct buf *b, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(csv_head); i++)
		csv_cell(b, span_of(csv_head[i]), i + 1 == ARRAY_LEN(csv_head));
	for (size_t i = 0; i < x->faults.n; i++)
		csv_row(b, &x->faults.v[i]);
	return 0;
}

/* ---- Markdown ---- */

static void md_row(struct buf *b, const char *name, struct span value)
{
	if (!value.n)
		return;
	buf_addf(b, "| %s | ", name);
	md_text(b, value);
	buf_adds(b, " |\n");
}

static void md_summary(struct exporting *x, struct buf *b)
{
	char date[32];

	when_date(x->t.now, date);
	buf_addf(b, TR("# Faults\n\n%zu faults, %s\n\n", "# 故障\n\n%zu 个故障，%s\n\n"), x->faults.n, date);
	buf_adds(b, TR("| id | state | seen | last seen | cause | title | owner |\n| --- | --- | ---: | --- | --- | --- | --- |\n",
		       "| 编号 | 状态 | 次数 | 最近出现 | 原因 | 标题 | 负责人 |\n| --- | --- | ---: | --- | --- | --- | --- |\n"));
	for (size_t i = 0; i < x->faults.n; i++) {
		const struct fault *f = &x->faults.v[i];
		when_date(f->last_seen, date);
		buf_addf(b, "| T-%lld | %s | %lld | %s | ", (long long)f->seq, fault_state_title(f->state), (long long)f->count, date);
		md_text(b, f->cause);
		buf_adds(b, " | ");
		md_text(b, f->title);
		buf_adds(b, " | ");
		md_text(b, f->owner);
		buf_adds(b, " |\n");
	}
}

static void md_fault(struct exporting *x, const struct fault *f, struct buf *b)
{
	CLEANUP(buf_free) struct buf where = { 0 };
	struct span one, evidence = x->last.excerpt.n ? x->last.excerpt : x->last.message;
	char date[32];

	buf_addf(b, "\n## T-%lld ", (long long)f->seq);
	md_text(b, f->title);
	buf_adds(b, "\n\n| | |\n| --- | --- |\n");
	md_row(b, TR("state", "状态"), span_of(fault_state_title(f->state)));
	md_row(b, TR("cause", "原因"), f->cause);
	buf_span(&where, f->package);
	buf_adds(&where, f->package.n && f->test.n ? " " : "");
	buf_span(&where, f->test);
	if (f->file.n)
		buf_addf(&where, "%s%.*s:%d", where.len ? ", " : "", SPAN_ARG(f->file), f->line);
	md_row(b, TR("where", "位置"), buf_view(&where));
	md_row(b, TR("owner", "负责人"), f->owner);
	when_date(f->first_seen, date);
	md_row(b, TR("first seen", "首次出现"), span_of(date));
	when_date(f->last_seen, date);
	md_row(b, TR("last seen", "最近出现"), span_of(date));
	md_row(b, TR("last run", "最近运行"), f->last_url.n ? f->last_url : f->last_run);
	md_row(b, TR("fix", "修复"), f->fix);
	md_row(b, TR("fixed in", "修复提交"), f->fix_commit);
	for (struct span rest = f->defences; fault_item(&rest, &one);)
		md_row(b, TR("defence", "防御"), one);
	if (evidence.n) {
		buf_addc(b, '\n');
		md_block(b, evidence);
	}
	for (size_t i = 0; i < x->n_events; i++) {
		const struct fault_event *v = &x->events[i];
		when_date(v->at, date);
		buf_addf(b, "%s- %s ", i ? "" : "\n", date);
		md_text(b, v->kind);
		if (v->who.n) {
			buf_adds(b, ", ");
			md_text(b, v->who);
		}
		if (v->text.n) {
			buf_adds(b, TR(": ", "："));
			md_text(b, span_head(v->text, 400));
		}
		buf_addc(b, '\n');
	}
}

static int export_markdown(struct exporting *x, struct buf *b, struct err *e)
{
	int r = 0;

	md_summary(x, b);
	for (size_t i = 0; i < x->faults.n && r >= 0; i++) {
		r = read_more(x, &x->faults.v[i], e);
		md_fault(x, &x->faults.v[i], b);
	}
	return r;
}

/* ---- SARIF ---- */

static int export_sarif(struct exporting *x, struct buf *b, struct err *e)
{
	struct finding first, *lasts = mem_zalloc((x->faults.n ? x->faults.n : 1) * sizeof(*lasts));
	int r = 0;

	if (!lasts)
		return -ENOMEM;
	for (size_t i = 0; i < x->faults.n && r >= 0; i++)
		r = store_fault_ends(x->t.s, x->faults.v[i].seq, &x->t.mem, &first, &lasts[i], e);
	if (r >= 0)
		sarif_write_faults(x->faults.v, lasts, x->faults.n, b);
	mem_free(lasts);
	return r;
}

/* ---- the verb ---- */

static int write_to(const char *path, struct buf *b, struct err *e)
{
	if (b->bad)
		return err_set(e, ENOMEM, TR("no memory for '%s'", "内存不足，无法写出“%s”"), path);
	int r = file_replace(path, buf_view(b), e);
	buf_clear(b);
	return r < 0 ? -EIO : 0; /* 125, whatever it was */
}

static int run(void *values, const struct args *a)
{
	static int (*const writers[])(struct exporting *, struct buf *, struct err *) = { export_json, export_markdown, export_csv, export_sarif };
	const struct export_values *o = values;
	struct exporting x = { 0 };
	struct fault_filter q;
	struct err e = { 0 };

	if (a->n)
		return say_usage("fault export", TR("export takes flags only; the file: -o FILE", "export 只接受选项；文件用 -o 文件"));
	int r = fault_pick_read(&o->pick, time_wall(), &q, &e);
	if (r < 0)
		return say_usage("fault export", e.msg);
	int status = fault_begin(&x.t, o->store);
	if (status)
		return status;
	signal(SIGPIPE, SIG_IGN);
	x.faults.mem = &x.t.mem;
	r = store_faults(x.t.s, &q, fault_keep, &x.faults, &e);
	if (r >= 0)
		r = writers[o->json ? EXPORT_JSON : o->format](&x, &x.t.text, &e);
	if (r >= 0 && o->output && !names_stdout(o->output))
		r = write_to(o->output, &x.t.text, &e);
	arena_free(&x.mem);
	mem_free(x.events);
	fault_list_free(&x.faults);
	return fault_end(&x.t, r, &e);
}

/* clang-format off */
static const struct opt opts[] = {
	{ "format", 'f', OPT_WORD, offsetof(struct export_values, format), { "NAME", "名称" }, { "json (default; all there is, and `fault import` reads it), markdown, csv or sarif (2.1.0)",
	  "json（默认；内容完整，`fault import` 可读回）、markdown、csv 或 sarif（2.1.0）" }, formats, 0 },
	{ "output", 'o', OPT_FILE, offsetof(struct export_values, output), { "FILE|-", "文件|-" }, { "write to a file, whole or not at all", "写入文件，要么完整写出，要么不写" }, NULL, 0 },
	FAULT_PICK_OPTS,
	FAULT_LIMIT_OPT(0),
	{ "json", 0, OPT_FLAG, offsetof(struct export_values, json), { NULL, NULL }, { "the same as --format json", "等同于 --format json" }, NULL, 0 },
	OPT_STORE(struct export_values),
};
/* clang-format on */

const struct verb verb_fault_export = {
	.name = "fault export",
	.brief = { "write faults as JSON, Markdown, CSV or SARIF", "以 JSON、Markdown、CSV 或 SARIF 导出故障" },
	.text = { "In CSV a cell that a spreadsheet would take for a formula begins with a quote ('); `fault import` takes it off.\n\n"
		  "  tocsin fault export --format sarif --state open,regressed -o faults.sarif",
		  "CSV 中可能被电子表格当作公式的单元格以单引号（'）开头，`fault import` 会将其去掉。\n\n"
		  "  tocsin fault export --format sarif --state open,regressed -o faults.sarif" },
	.opts = opts,
	.n_opts = ARRAY_LEN(opts),
	.size = sizeof(struct export_values),
	.run = run,
};
