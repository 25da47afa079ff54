#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/text.h"
#include "base/time.h"
#include "cli/audit.h"
#include "cli/fault.h"
#include "cli/history.h"
#include "cli/stats.h"
#include "config/config.h"

#define SHOWN_OPEN 20 /* open faults without a defence: they are listed elsewhere too */
#define INDENT     9

struct audit_values {
	const char *store, *project, *max_age, *since;
	bool json, strict;
};

/* ---- for people ---- */

/* clang-format off */
static const struct {
	enum paint paint;
	struct tx word;
} severities[] = {
	[SEV_ERROR] = { PAINT_RED, { "error", "错误" } }, [SEV_WARNING] = { PAINT_YELLOW, { "warning", "警告" } }, [SEV_NOTE] = { PAINT_CYAN, { "note", "提示" } },
};
/* clang-format on */

struct page {
	const struct audit *a;
	const struct audit_config *c;
	const struct term *t;
	struct buf *b;
	size_t width;
};

static void say_head(struct page *p, const struct audit_finding *f)
{
	CLEANUP(buf_free) struct buf title = { 0 };
	const char *word = tx(severities[f->severity].word);
	char id[32] = "";

	say_paint(p->b, p->t, severities[f->severity].paint, word);
	say_pad(p->b, INDENT - text_width(span_of(word)));
	if (!f->seq)
		return;
	snprintf(id, sizeof(id), "T-%lld", (long long)f->seq);
	say_paint(p->b, p->t, PAINT_BOLD, id);
	say_clean(&title, span_of(f->title));
	struct span fit = text_fit(buf_view(&title), p->width - INDENT - strlen(id) - 2);
	buf_adds(p->b, "  ");
	buf_span(p->b, fit);
	if (fit.n < title.len)
		buf_adds(p->b, "…");
	buf_addc(p->b, '\n');
	say_pad(p->b, INDENT);
}

/* "T-42  title", then what is wrong, and where that stands. */
static void say_finding(struct page *p, const struct audit_finding *f)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	say_head(p, f);
	if (f->defence) {
		say_clean(&text, span_of(f->defence));
		buf_adds(&text, TR(": ", "："));
	}
	if (!f->defence && f->kind != AUDIT_UNREADABLE && f->file) {
		say_clean(&text, span_of(f->file));
		if (f->line)
			buf_addf(&text, ":%d", f->line);
		buf_adds(&text, ": ");
	}
	say_clean(&text, span_of(f->message));
	if (f->defence && f->file) {
		buf_adds(&text, TR(" (", "（"));
		say_clean(&text, span_of(f->file));
		if (f->line)
			buf_addf(&text, ":%d", f->line);
		buf_adds(&text, TR(")", "）"));
	}
	say_wrap(p->b, buf_view(&text), INDENT, INDENT, p->width);
	buf_addc(p->b, '\n');
}

static void say_more(struct page *p, size_t open)
{
	if (open <= SHOWN_OPEN)
		return;
	say_pad(p->b, INDENT);
	buf_addf(p->b, TR("… and %zu more open faults without a defence: tocsin fault list --no-defence\n", "……另有 %zu 个未解决的故障没有防御：tocsin fault list --no-defence\n"), open - SHOWN_OPEN);
}

static void say_findings(struct page *p)
{
	size_t open = 0;

	for (size_t i = 0; i < p->a->n; i++) {
		const struct audit_finding *f = &p->a->findings[i];
		bool is_open = f->kind == AUDIT_UNDEFENDED && f->severity == SEV_WARNING;
		if (open && !is_open) {
			say_more(p, open);
			open = 0;
		}
		open += is_open;
		if (open <= SHOWN_OPEN)
			say_finding(p, f);
	}
	say_more(p, open);
	if (p->a->n)
		buf_addc(p->b, '\n');
}

static void add_count(struct buf *b, size_t n, struct tx word, const char *many)
{
	buf_addf(b, "%zu %s", n, TR(n == 1 ? word.en : many, word.zh));
}

static void say_counts(struct page *p)
{
	/* clang-format off */
	static const struct { enum defence_state state; struct tx words; } rows[] = {
		{ DEFENCE_GREEN, { "green", "项通过" } }, { DEFENCE_GREEN_CACHED, { "green by go test's cache", "项凭 go test 缓存通过" } },
		{ DEFENCE_CONFIGURED, { "switched on", "项已启用" } }, { DEFENCE_UNVERIFIED, { "not verified", "项未核实" } },
		{ DEFENCE_BROKEN, { "broken", "项失效" } },
	};
	/* clang-format on */
	CLEANUP(buf_free) struct buf text = { 0 };
	const struct audit *a = p->a;
	bool first = true;

	add_count(&text, a->n_faults, (struct tx){ "fault", "个故障" }, "faults");
	if (p->c->project) {
		buf_adds(&text, TR(" of ", "，项目 "));
		say_clean(&text, span_of(p->c->project));
	}
	buf_addf(&text, TR("; %zu with a defence; ", "；其中 %zu 个有防御；"), a->defended);
	add_count(&text, a->contracts, (struct tx){ "contract", "份契约" }, "contracts");
	buf_adds(&text, TR("; ", "；"));
	add_count(&text, a->defences, (struct tx){ "defence", "项防御" }, "defences");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!a->states[rows[i].state])
			continue;
		buf_adds(&text, first ? TR(": ", "：") : TR(", ", "，"));
		buf_addf(&text, "%zu ", a->states[rows[i].state]);
		buf_adds(&text, tx(rows[i].words));
		first = false;
	}
	say_wrap(p->b, buf_view(&text), 0, 0, p->width);
	buf_addc(p->b, '\n');
}

static int64_t mean(int64_t sum, int64_t n)
{
	return n ? sum / n : 0;
}

static void add_span(struct buf *b, int64_t ns)
{
	char text[32];

	if (ns < 60 * NSEC_PER_SEC)
		duration_text(ns, text);
	else
		stats_span(ns, text);
	buf_adds(b, text);
}

static void repair_words(const struct audit_repair *r, struct buf *text)
{
	if (!r->n_before && !r->n_after) {
		buf_adds(text, TR("no repair of a fault with a defence yet", "有防御的故障还没有修复记录"));
		return;
	}
	if (r->n_before) {
		add_span(text, mean(r->before, r->n_before));
		buf_addf(text, TR(" before the defence (repairs: %lld)", "（有防御之前，%lld 次修复）"), (long long)r->n_before);
	} else {
		buf_adds(text, TR("no repair before the defence", "有防御之前没有修复记录"));
	}
	buf_adds(text, TR(", ", "，"));
	if (r->n_after) {
		add_span(text, mean(r->after, r->n_after));
		buf_addf(text, TR(" after it (repairs: %lld)", "（有防御之后，%lld 次修复）"), (long long)r->n_after);
	} else {
		buf_adds(text, TR("no repair after the defence yet", "有防御之后还没有修复记录"));
	}
}

/* Of all, and of each fault that has both. */
static void say_repairs(struct page *p)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	buf_adds(&text, TR("mean time to repair: ", "平均修复时间："));
	repair_words(&p->a->repair, &text);
	say_wrap(p->b, buf_view(&text), 0, 0, p->width);
	buf_addc(p->b, '\n');
	for (size_t i = 0; i < p->a->n_faults; i++) {
		const struct audit_fault *f = &p->a->faults[i];
		if (!f->repair.n_before || !f->repair.n_after)
			continue;
		buf_addf(p->b, "  T-%lld  ", (long long)f->f.seq);
		add_span(p->b, mean(f->repair.before, f->repair.n_before));
		buf_adds(p->b, " → ");
		add_span(p->b, mean(f->repair.after, f->repair.n_after));
		buf_addc(p->b, '\n');
	}
}

/* Said only of what was seen: a rule that is switched on was not seen green. */
static const char *praise(const struct audit *a)
{
	if (!a->n_faults)
		return TR("nothing to audit", "没有可审计的故障");
	if (a->defended == a->n_faults && a->states[DEFENCE_GREEN] + a->states[DEFENCE_GREEN_CACHED] == a->defences)
		return TR("every fault has a defence that exists and is green", "每个故障都有存在且通过的防御");
	return TR("nothing wrong was found", "没有发现问题");
}

static void say_end(struct page *p)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	const struct audit *a = p->a;
	size_t errors = a->severities[SEV_ERROR], warnings = a->severities[SEV_WARNING];

	for (size_t i = 0; i < a->n_notes; i++) {
		say_wrap(p->b, span_of(a->notes[i]), 0, 0, p->width);
		buf_addc(p->b, '\n');
	}
	if (errors || warnings) {
		add_count(&text, errors, (struct tx){ "error", "个错误" }, "errors");
		buf_adds(&text, TR(", ", "，"));
		add_count(&text, warnings, (struct tx){ "warning", "个警告" }, "warnings");
	}
	enum paint paint = errors ? PAINT_RED : warnings ? PAINT_YELLOW : PAINT_GREEN;
	say_paint(p->b, p->t, paint, text.len ? buf_str(&text) : praise(a));
	buf_addc(p->b, '\n');
}

/* ---- for machines ---- */

static void put_int(struct json_out *j, const char *key, int64_t v)
{
	json_key(j, key);
	json_int(j, v);
}

static void put_text(struct json_out *j, const char *key, const char *v)
{
	json_key(j, key);
	json_strz(j, v);
}

static void put_mean(struct json_out *j, const char *key, int64_t sum, int64_t n)
{
	json_key(j, key);
	if (n)
		json_int(j, sum / n / NSEC_PER_MSEC);
	else
		json_null(j);
}

/* The members; the object stays open. */
static void put_repair(struct json_out *j, const struct audit_repair *r)
{
	json_open(j, '{');
	put_mean(j, "before", r->before, r->n_before);
	put_mean(j, "after", r->after, r->n_after);
	put_int(j, "n", r->n_before + r->n_after);
	put_int(j, "n_before", r->n_before);
	put_int(j, "n_after", r->n_after);
}

static void put_finding(struct json_out *j, const struct audit_finding *f)
{
	char id[32];

	json_open(j, '{');
	put_text(j, "kind", audit_words[f->kind]);
	put_text(j, "severity", severity_word(f->severity));
	put_text(j, "fault", f->id);
	snprintf(id, sizeof(id), "T-%lld", (long long)f->seq);
	put_text(j, "short", f->seq ? id : NULL);
	put_text(j, "defence", f->defence);
	put_text(j, "file", f->file);
	json_key(j, "line");
	if (f->line)
		json_int(j, f->line);
	else
		json_null(j);
	put_text(j, "message", f->message);
	json_close(j, '}');
}

static void put_counts(struct json_out *j, const struct audit *a)
{
	static const char *const words[DEFENCE_STATES] = { "green", "cached", "configured", "unverified", "broken" };

	json_key(j, "checked");
	json_open(j, '{');
	put_int(j, "faults", (int64_t)a->n_faults);
	put_int(j, "defended", (int64_t)a->defended);
	put_int(j, "contracts", (int64_t)a->contracts);
	json_key(j, "defences");
	json_open(j, '{');
	for (size_t i = 0; i < DEFENCE_STATES; i++)
		put_int(j, words[i], (int64_t)a->states[i]);
	json_close(j, '}');
	json_close(j, '}');
}

static void audit_json(const struct page *p)
{
	const struct audit *a = p->a;
	struct json_out j = { .to = p->b };
	char id[32];

	json_open(&j, '{');
	put_text(&j, "schema", "tocsin.audit/1");
	put_text(&j, "project", p->c->project);
	json_key(&j, "findings");
	json_open(&j, '[');
	for (size_t i = 0; i < a->n; i++)
		put_finding(&j, &a->findings[i]);
	json_close(&j, ']');
	put_counts(&j, a);
	json_key(&j, "mttr");
	put_repair(&j, &a->repair);
	json_key(&j, "faults");
	json_open(&j, '[');
	for (size_t i = 0; i < a->n_faults; i++) {
		const struct audit_fault *f = &a->faults[i];
		if (!f->repair.n_before && !f->repair.n_after)
			continue;
		put_repair(&j, &f->repair);
		snprintf(id, sizeof(id), "T-%lld", (long long)f->f.seq);
		put_text(&j, "short", id);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
	json_key(&j, "notes");
	json_open(&j, '[');
	for (size_t i = 0; i < a->n_notes; i++)
		json_strz(&j, a->notes[i]);
	json_close(&j, ']');
	json_close(&j, '}');
	buf_addc(p->b, '\n');
}

/* ---- the verb ---- */

/* The project here, as `tocsin run` names it, and its base branch. */
static void read_place(struct arena *mem, const struct config *config, struct audit_config *c)
{
	struct git_where git = { 0 };
	struct ci_context ci = { 0 };
	struct site site;
	struct err e;

	where_read(mem, NULL, &site);
	if (ci_known())
		ci_read(mem, &ci);
	if (site.cwd && git_where(site.cwd, mem, &git, &e) < 0)
		git = (struct git_where){ 0 };
	if (!c->project)
		c->project = history_project(mem, ci.repo, &site, &git);
	c->base_branch = config_text(config, CFG_BASE_BRANCH);
	if (!c->base_branch)
		c->base_branch = ci.base ? ci.base : git.base;
}

static int read_flags(const struct audit_values *o, struct audit_config *c, struct err *e)
{
	c->now = time_wall();
	c->max_age = INT64_C(30) * 86400 * NSEC_PER_SEC;
	c->project = o->project;
	if (o->max_age && !when_length(o->max_age, &c->max_age))
		return err_set(e, EINVAL, TR("--max-age needs a length of time such as 30d, 12h or 2w, not '%.80s'", "--max-age 需要一段时间，如 30d、12h 或 2w，而不是“%.80s”"), o->max_age);
	return o->since ? when_flag("since", o->since, c->now, true, &c->since, e) : 0;
}

static int say_all(struct fault_task *t, const struct audit_values *o, const struct audit_config *c, const struct audit *a)
{
	struct page p = { a, c, &t->out, &t->text, t->out.tty ? t->out.width : 100 };

	p.width = p.width < 50 ? 50 : p.width;
	if (o->json) {
		audit_json(&p);
	} else {
		say_findings(&p);
		say_counts(&p);
		say_repairs(&p);
		say_end(&p);
	}
	return a->severities[SEV_ERROR] || (o->strict && a->severities[SEV_WARNING]) ? EXIT_WRONG : EXIT_OK;
}

static int audit_here(const struct audit_values *o, struct audit_config *c, struct config *config)
{
	CLEANUP(buf_free) struct buf contracts = { 0 };
	struct fault_task t;
	struct audit a = { 0 };
	struct err e = { 0 };
	int found = EXIT_OK;

	config_path(config, CFG_CONTRACTS, &contracts);
	int status = fault_begin(&t, o->store);
	if (status)
		return status;
	read_place(&t.mem, config, c);
	c->s = t.s;
	c->root = config->root;
	c->contracts = buf_str(&contracts);
	int r = contracts.bad ? audit_no_memory(&e) : audit_run(c, &t.mem, &a, &e);
	if (r >= 0)
		found = say_all(&t, o, c, &a);
	audit_free(&a);
	status = fault_end(&t, r, &e);
	return status ? status : found;
}

static int run(void *values, const struct args *a)
{
	const struct audit_values *o = values;
	CLEANUP(config_free) struct config *config = NULL;
	struct audit_config c = { 0 };
	struct err e = { 0 };

	if (a->n)
		return say_usage("fault audit", TR("fault audit takes no arguments", "fault audit 不接受参数"));
	if (read_flags(o, &c, &e) < 0)
		return say_usage("fault audit", e.msg);
	if (config_load(NULL, NULL, &config, &e) < 0) {
		say_error("%s", e.msg);
		return EXIT_USAGE;
	}
	return audit_here(o, &c, config);
}

/* clang-format off */
#define AT(field) offsetof(struct audit_values, field)
static const struct opt opts[] = {
	{ "project", 0, OPT_STRING, AT(project), { "NAME", "名称" }, { "faults of this project (default: the one here, as `tocsin run` names it; '*': of all)", "只审计这个项目的故障（默认为当前项目，名称同 `tocsin run`；'*' 表示全部）" }, NULL, 0 },
	{ "max-age", 0, OPT_STRING, AT(max_age), { "TIME", "时长" }, { "a defence must have run within this time (default 30d)", "防御必须在此时间内运行过（默认 30d）" }, NULL, 0 },
	{ "since", 0, OPT_STRING, AT(since), { "WHEN", "时间" }, { "only faults seen since then need a defence: 90d, 2026-10-01", "只要求此后出现过的故障有防御：90d、2026-10-01" }, NULL, 0 },
	{ "strict", 0, OPT_FLAG, AT(strict), { NULL, NULL }, { "warnings count too", "警告也算错误" }, NULL, 0 },
	{ "json", 0, OPT_FLAG, AT(json), { NULL, NULL }, { "as JSON (tocsin.audit/1)", "以 JSON 输出（tocsin.audit/1）" }, NULL, 0 },
	OPT_STORE(struct audit_values),
};
/* clang-format on */

const struct verb verb_fault_audit = {
	.name = "fault audit",
	.brief = { "does every fault have a defence that exists, runs, is green, and holds?", "每个故障都有存在、运行、通过且有效的防御吗？" },
	.text = { "A defence is what `tocsin fault link` links, or what a contract in tocsin/contracts/*.yaml names as its checks. Errors: a resolved or "
		  "regressed fault without a defence; a test that is no longer in the tree, did not pass or did not run; a contract that cannot be read; a "
		  "fault that came back in spite of its defence. What this version cannot verify (drills, most rules) is a warning, never green. See "
		  "docs/faults.md.\n\n"
		  "  tocsin fault audit --since 90d\n\n"
		  "Exit status: 0 nothing wrong; 1 errors (warnings too under --strict); 2 wrong usage, or something cannot be read; 125 the store cannot be used.",
		  "防御是 `tocsin fault link` 关联的内容，或 tocsin/contracts/*.yaml 契约中 checks 所列的检查。以下为错误：已解决或复发的故障没有防御；测试已不在源码树中、未通过或未运行；"
		  "契约无法读取；设有防御的故障仍然复发。本版本无法核实的（演练、多数规则）为警告，绝不算通过。见 docs/faults.md。\n\n"
		  "  tocsin fault audit --since 90d\n\n"
		  "退出状态：0 没有问题；1 有错误（加 --strict 时警告也算）；2 用法错误或有内容无法读取；125 存储无法使用。" },
	.opts = opts,
	.n_opts = ARRAY_LEN(opts),
	.size = sizeof(struct audit_values),
	.run = run,
};
