#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/redact.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/fault.h"
#include "run/run.h"

/* The verbs that change faults: each names its faults first, then what is to be done; all of it is checked before anything is. */

struct change_values {
	const char *store, *who, *fix, *commit, *until, *why;
	struct opt_list defences;
	bool json, remove;
};

#define AT(field) offsetof(struct change_values, field)

struct change_task {
	struct fault_task t;
	const struct change_values *o;
	const char *who;
	bool bad; /* a text had no memory */
	struct fault_list faults; /* those that were named, each once */
};

/* ---- what is said by whom ---- */

static const char *who_am_i(struct arena *mem, const char *flag)
{
	static const char *const names[] = { "TOCSIN_USER", NULL /* the CI's actor */, "GIT_AUTHOR_NAME", "USER" };
	struct ci_context ci = { 0 };

	if (flag)
		return flag;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *v = names[i] ? getenv(names[i]) : NULL;
		if (!names[i] && ci_known()) {
			ci_read(mem, &ci);
			v = ci.actor;
		}
		if (v && *v)
			return v;
	}
	return NULL;
}

/* What people write passes the redaction too. NULL stays NULL. */
static const char *clean_text(struct change_task *k, const char *text)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	if (!text)
		return NULL;
	redact_text(NULL, span_of(text), &b);
	const char *copy = b.bad ? NULL : arena_str(&k->t.mem, buf_view(&b));
	k->bad |= !copy;
	return copy;
}

/* ---- the faults that are named ---- */

static int add_fault(struct change_task *k, const char *ref, struct err *e)
{
	struct fault f;

	int r = fault_find(&k->t, ref, &f, e);
	for (size_t i = 0; r >= 0 && i < k->faults.n; i++) {
		if (k->faults.v[i].seq == f.seq)
			return 0;
	}
	return r < 0 ? r : fault_keep(&k->faults, &f);
}

static int add_faults(struct change_task *k, const char *const *refs, size_t n, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++)
		r = add_fault(k, refs[i], e);
	return r;
}

static int change(struct change_task *k, const struct fault *f, struct fault_change *c, struct err *e)
{
	if (k->bad)
		return -ENOMEM;
	c->at = k->t.now;
	c->who = k->who;
	return store_fault_change(k->t.s, f->seq, c, e);
}

/* "T-42 resolved: the title" */
static void said(struct change_task *k, const struct fault *f, const char *what)
{
	struct buf *b = &k->t.text;
	char id[32];

	if (k->o->json)
		return;
	snprintf(id, sizeof(id), "T-%lld", (long long)f->seq);
	say_paint(b, &k->t.out, PAINT_BOLD, id);
	buf_addf(b, " %s", what);
	buf_adds(b, TR(": ", "："));
	say_clean(b, f->title);
	buf_addc(b, '\n');
}

static int each(struct change_task *k, struct fault_change *c, const char *what, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < k->faults.n && r >= 0; i++) {
		r = change(k, &k->faults.v[i], c, e);
		if (r >= 0)
			said(k, &k->faults.v[i], what);
	}
	return r;
}

/* ---- the frame ---- */

typedef int change_fn(struct change_task *k, const struct args *a, struct err *e);

/* With --json: the faults as they are now. */
static int give_json(struct change_task *k, struct err *e)
{
	struct fault_list now = { .mem = &k->t.mem };
	struct fault f;
	char id[32];
	int r = 0;

	for (size_t i = 0; i < k->faults.n && r >= 0; i++) {
		snprintf(id, sizeof(id), "T-%lld", (long long)k->faults.v[i].seq);
		r = fault_find(&k->t, id, &f, e);
		bool there = i && now.n && now.v[now.n - 1].seq == f.seq; /* merged ones are one now */
		if (r >= 0 && !there)
			r = fault_keep(&now, &f);
	}
	if (r >= 0)
		fault_faults_json(&k->t.text, &now, (int64_t)now.n);
	fault_list_free(&now);
	return r;
}

static int frame(const struct change_values *o, const struct args *a, change_fn *fn)
{
	struct change_task k = { .o = o };
	struct err e = { 0 };

	int status = fault_begin(&k.t, o->store);
	if (status)
		return status;
	k.faults.mem = &k.t.mem;
	k.who = clean_text(&k, who_am_i(&k.t.mem, o->who));
	int r = fn(&k, a, &e);
	if (r >= 0 && o->json)
		r = give_json(&k, &e);
	else if (r < 0)
		term_flush(&k.t.out, &k.t.text); /* what was done before it went wrong was done */
	fault_list_free(&k.faults);
	return fault_end(&k.t, r, &e);
}

static int need_faults(const char *verb, const struct args *a, size_t n, const char *example)
{
	char msg[200];

	if (a->n >= n)
		return EXIT_OK;
	snprintf(msg, sizeof(msg), a->n ? TR("%s: something is missing. For example: %s", "%s：缺少参数。例如：%s")
					: TR("%s: which fault? For example: %s", "%s：哪个故障？例如：%s"), verb, example);
	return say_usage(verb, msg);
}

/* ---- resolve, reopen, ignore, assign ---- */

static int do_resolve(struct change_task *k, const struct args *a, struct err *e)
{
	struct fault_change c = { .kind = CHANGE_RESOLVED, .text = clean_text(k, k->o->fix), .commit = k->o->commit };

	int r = add_faults(k, a->v, a->n, e);
	return r < 0 ? r : each(k, &c, TR("resolved", "已解决"), e);
}

static bool is_commit(const char *z)
{
	size_t n = strspn(z, "0123456789abcdefABCDEF");

	return !z[n] && n >= 4 && n <= 64;
}

static int run_resolve(void *values, const struct args *a)
{
	const struct change_values *o = values;
	char msg[200];

	int status = need_faults("fault resolve", a, 1, "tocsin fault resolve T-42 --fix TEXT --commit SHA");
	if (status)
		return status;
	if (!o->fix && !o->commit)
		return say_usage("fault resolve", TR("what fixed it? Say --fix TEXT, --commit SHA or both", "怎么修复的？请给出 --fix 文字、--commit SHA 或两者"));
	if (o->commit && !is_commit(o->commit)) {
		snprintf(msg, sizeof(msg), TR("--commit needs a commit id such as 1f3a9c0, not '%.80s'", "--commit 需要 1f3a9c0 这样的提交 id，而不是“%.80s”"), o->commit);
		return say_usage("fault resolve", msg);
	}
	return frame(o, a, do_resolve);
}

static int do_reopen(struct change_task *k, const struct args *a, struct err *e)
{
	struct fault_change c = { .kind = CHANGE_REOPENED, .text = clean_text(k, k->o->why) };

	int r = add_faults(k, a->v, a->n, e);
	return r < 0 ? r : each(k, &c, TR("reopened", "已重新打开"), e);
}

static int run_reopen(void *values, const struct args *a)
{
	int status = need_faults("fault reopen", a, 1, "tocsin fault reopen T-42 --why TEXT");

	return status ? status : frame(values, a, do_reopen);
}

static int do_ignore(struct change_task *k, const struct args *a, struct err *e)
{
	struct fault_change c = { .kind = CHANGE_IGNORED, .text = clean_text(k, k->o->why) };
	char date[32], what[80];

	int r = when_flag("until", k->o->until, k->t.now, false, &c.until, e);
	if (r >= 0 && c.until <= k->t.now)
		r = err_set(e, EINVAL, TR("--until %s is in the past", "--until %s 已经过去"), k->o->until);
	if (r >= 0)
		r = add_faults(k, a->v, a->n, e);
	if (r < 0)
		return r;
	when_date(c.until, date);
	snprintf(what, sizeof(what), TR("ignored until %s", "忽略至 %s"), date);
	return each(k, &c, what, e);
}

static int run_ignore(void *values, const struct args *a)
{
	const struct change_values *o = values;

	int status = need_faults("fault ignore", a, 1, "tocsin fault ignore T-42 --until 30d --why TEXT");
	if (status)
		return status;
	if (!o->until || !o->why)
		return say_usage("fault ignore", TR("to ignore a fault needs both --until DATE and --why TEXT: nothing is ignored for ever, or without a reason",
						    "忽略故障需要同时给出 --until 日期 和 --why 理由：不能永久忽略，也不能没有理由"));
	return frame(o, a, do_ignore);
}

static int do_assign(struct change_task *k, const struct args *a, struct err *e)
{
	const char *who = a->v[a->n - 1];
	struct fault_change c = { .kind = CHANGE_ASSIGNED, .text = who };
	CLEANUP(buf_free) struct buf what = { 0 };

	int r = add_faults(k, a->v, a->n - 1, e);
	if (r < 0)
		return r;
	buf_adds(&what, TR("assigned to ", "已指派给 "));
	say_clean(&what, span_of(who));
	return each(k, &c, buf_str(&what), e);
}

static int run_assign(void *values, const struct args *a)
{
	int status = need_faults("fault assign", a, 2, "tocsin fault assign T-42 @team");

	return status ? status : frame(values, a, do_assign);
}

/* ---- tag, note, link ---- */

static int do_tag(struct change_task *k, const struct args *a, struct err *e)
{
	int r = add_fault(k, a->v[0], e);

	for (size_t i = 1; i < a->n && r >= 0; i++) {
		struct span tag = span_trim(span_of(a->v[i]));
		CLEANUP(buf_free) struct buf what = { 0 };
		if (!tag.n || tag.n > 100 || span_chr(tag, '\n') != SPAN_NONE)
			return err_set(e, EINVAL, TR("a tag is one word of at most 100 bytes", "标签是不超过 100 字节的一个词"));
		struct fault_change c = { .kind = k->o->remove ? CHANGE_UNTAGGED : CHANGE_TAGGED, .text = arena_str(&k->t.mem, tag) };
		k->bad |= !c.text;
		r = change(k, &k->faults.v[0], &c, e);
		buf_adds(&what, k->o->remove ? TR("no longer tagged ", "已去掉标签 ") : TR("tagged ", "已加标签 "));
		say_clean(&what, tag);
		if (r >= 0)
			said(k, &k->faults.v[0], buf_str(&what));
	}
	return r;
}

static int run_tag(void *values, const struct args *a)
{
	int status = need_faults("fault tag", a, 2, "tocsin fault tag T-42 network");

	return status ? status : frame(values, a, do_tag);
}

static int do_note(struct change_task *k, const struct args *a, struct err *e)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	int r = add_fault(k, a->v[0], e);
	if (r < 0)
		return r;
	for (size_t i = 1; i < a->n; i++)
		buf_addf(&text, "%s%s", i > 1 ? " " : "", a->v[i]);
	struct fault_change c = { .kind = CHANGE_NOTE, .text = clean_text(k, buf_str(&text)) };
	return each(k, &c, TR("noted", "已备注"), e);
}

static int run_note(void *values, const struct args *a)
{
	int status = need_faults("fault note", a, 2, "tocsin fault note T-42 'seen on the slow runners only'");

	return status ? status : frame(values, a, do_note);
}

static const char *const defence_kinds[] = { "test", "rule", "drill", "contract", NULL };

static int check_defence(const char *text, struct err *e)
{
	struct span name = span_of(text), kind = span_cut(&name, ':');
	char typed[40], hint[128];
	size_t i = 0;

	if (!kind.n || !name.n)
		return err_set(e, EINVAL, TR("--defence needs KIND:NAME, such as test:example.com/m.TestX or contract:tocsin/contracts/x.yaml, not '%.80s'",
					     "--defence 需要 类型:名称，如 test:example.com/m.TestX 或 contract:tocsin/contracts/x.yaml，而不是“%.80s”"), text);
	while (defence_kinds[i] && !span_eq(span_of(defence_kinds[i]), kind))
		i++;
	if (defence_kinds[i])
		return 0;
	snprintf(typed, sizeof(typed), "%.*s", SPAN_ARG(span_head(kind, 38)));
	return err_set(e, EINVAL, TR("'%s' is no kind of defence: test, rule, drill or contract%s", "“%s”不是防御的类型：可用 test、rule、drill、contract%s"), typed,
		       opt_hint(typed, defence_kinds, ARRAY_LEN(defence_kinds) - 1, "", hint));
}

static int do_link(struct change_task *k, const struct args *a, struct err *e)
{
	int r = add_fault(k, a->v[0], e);

	for (size_t i = 0; i < k->o->defences.n && r >= 0; i++)
		r = check_defence(k->o->defences.v[i], e);
	for (size_t i = 0; i < k->o->defences.n && r >= 0; i++) {
		struct fault_change c = { .kind = k->o->remove ? CHANGE_UNLINKED : CHANGE_LINKED, .text = k->o->defences.v[i] };
		CLEANUP(buf_free) struct buf what = { 0 };
		r = change(k, &k->faults.v[0], &c, e);
		buf_adds(&what, k->o->remove ? TR("no longer defended by ", "不再由此防御：") : TR("defended by ", "已由此防御："));
		say_clean(&what, span_of(c.text));
		if (r >= 0)
			said(k, &k->faults.v[0], buf_str(&what));
	}
	return r;
}

static int run_link(void *values, const struct args *a)
{
	const struct change_values *o = values;

	int status = need_faults("fault link", a, 1, "tocsin fault link T-42 --defence test:TestParse");
	if (status)
		return status;
	if (a->n > 1)
		return say_usage("fault link", TR("one fault at a time", "一次只能关联一个故障"));
	if (!o->defences.n)
		return say_usage("fault link", TR("which defence? Say --defence KIND:NAME, such as --defence test:TestParse",
						  "哪种防御？请给出 --defence 类型:名称，如 --defence test:TestParse"));
	return frame(o, a, do_link);
}

/* ---- merge ---- */

static int do_merge(struct change_task *k, const struct args *a, struct err *e)
{
	size_t oldest = 0;
	int r = add_faults(k, a->v, a->n, e);

	if (r < 0)
		return r;
	if (k->faults.n < 2)
		return err_set(e, EINVAL, TR("T-%lld and what was named with it are one fault already", "T-%lld 与所列故障已经是同一个故障"),
			       (long long)k->faults.v[0].seq);
	for (size_t i = 1; i < k->faults.n; i++) {
		const struct fault *f = &k->faults.v[i], *old = &k->faults.v[oldest];
		if (f->first_seen < old->first_seen || (f->first_seen == old->first_seen && f->seq < old->seq))
			oldest = i;
	}
	const struct fault *kept = &k->faults.v[oldest];
	char what[80];
	snprintf(what, sizeof(what), TR("merged into T-%lld, which is older", "已并入更早的 T-%lld"), (long long)kept->seq);
	for (size_t i = 0; i < k->faults.n && r >= 0; i++) {
		struct fault_change c = { .kind = CHANGE_MERGED, .into = kept->seq };
		if (i == oldest)
			continue;
		r = change(k, &k->faults.v[i], &c, e);
		if (r >= 0)
			said(k, &k->faults.v[i], what);
	}
	return r;
}

static int run_merge(void *values, const struct args *a)
{
	int status = need_faults("fault merge", a, 2, "tocsin fault merge T-42 T-57");

	return status ? status : frame(values, a, do_merge);
}

/* ---- the tables ---- */

/* clang-format off */
#define OPT_BY { "by", 0, OPT_STRING, AT(who), { "WHO", "谁" }, { "who does it (else TOCSIN_USER, the CI's actor, GIT_AUTHOR_NAME, USER)", "由谁操作（默认依次取 TOCSIN_USER、CI 的触发者、GIT_AUTHOR_NAME、USER）" }, NULL, 0 }
#define OPT_JSON { "json", 0, OPT_FLAG, AT(json), { NULL, NULL }, { "the faults as they are now, as JSON (tocsin.faults/1)", "以 JSON 输出故障现状（tocsin.faults/1）" }, NULL, 0 }
#define OPT_WHY(en, zh) { "why", 0, OPT_STRING, AT(why), { "TEXT", "文字" }, { en, zh }, NULL, 0 }

static const struct opt resolve_opts[] = {
	{ "fix", 0, OPT_STRING, AT(fix), { "TEXT", "文字" }, { "what was done", "做了什么" }, NULL, 0 },
	{ "commit", 0, OPT_STRING, AT(commit), { "SHA", "SHA" }, { "the commit with the fix: a run that has it and fails again is a regression", "修复所在的提交：包含它的运行再次失败即为复发" }, NULL, 0 },
	OPT_BY, OPT_JSON, OPT_STORE(struct change_values),
};
static const struct opt reopen_opts[] = {
	OPT_WHY("the reason", "理由"), OPT_BY, OPT_JSON, OPT_STORE(struct change_values),
};
static const struct opt ignore_opts[] = {
	{ "until", 0, OPT_STRING, AT(until), { "WHEN", "时间" }, { "when it counts again: 2026-12-31 or 30d", "到何时为止：2026-12-31 或 30d" }, NULL, 0 },
	OPT_WHY("the reason", "理由"), OPT_BY, OPT_JSON, OPT_STORE(struct change_values),
};
static const struct opt plain_opts[] = { OPT_BY, OPT_JSON, OPT_STORE(struct change_values) };
static const struct opt tag_opts[] = {
	{ "remove", 0, OPT_FLAG, AT(remove), { NULL, NULL }, { "take the tags away", "去掉这些标签" }, NULL, 0 },
	OPT_BY, OPT_JSON, OPT_STORE(struct change_values),
};
static const struct opt link_opts[] = {
	{ "defence", 0, OPT_LIST, AT(defences), { "KIND:NAME", "类型:名称" }, { "what keeps it from coming back: test:PACKAGE.TestName, test:TestName, rule:ID, drill:NAME or contract:FILE; may be repeated",
	  "防止复发的手段：test:包.测试名、test:测试名、rule:规则、drill:演练名 或 contract:文件；可重复" }, NULL, 0 },
	{ "remove", 0, OPT_FLAG, AT(remove), { NULL, NULL }, { "take the defence away", "取消这项防御" }, NULL, 0 },
	OPT_BY, OPT_JSON, OPT_STORE(struct change_values),
};

#define CHANGE_VERB(word, rows, args_en, args_zh, brief_en, brief_zh) \
	const struct verb verb_fault_##word = { .name = "fault " #word, .args = { args_en, args_zh }, .brief = { brief_en, brief_zh }, \
		.opts = rows, .n_opts = ARRAY_LEN(rows), .size = sizeof(struct change_values), .run = run_##word }

CHANGE_VERB(resolve, resolve_opts, "ID…", "编号…", "say what fixed faults; seen again, they are regressed", "记录故障的修复方法；再次出现即为复发");
CHANGE_VERB(reopen, reopen_opts, "ID…", "编号…", "open resolved or ignored faults again", "重新打开已解决或已忽略的故障");
CHANGE_VERB(ignore, ignore_opts, "ID…", "编号…", "ignore faults until a date, with a reason", "在某日之前忽略故障，须给出理由");
CHANGE_VERB(assign, plain_opts, "ID… WHO", "编号… 负责人", "give faults an owner", "指派故障的负责人");
CHANGE_VERB(tag, tag_opts, "ID TAG…", "编号 标签…", "tag a fault, or take tags away", "给故障加标签或去标签");
CHANGE_VERB(note, plain_opts, "ID TEXT", "编号 文字", "write something down about a fault", "给故障写备注");
CHANGE_VERB(merge, plain_opts, "ID ID…", "编号 编号…", "say that faults are one: the one seen first keeps its id", "把多个故障合并为一个：保留最早出现的编号");
CHANGE_VERB(link, link_opts, "ID", "编号", "link a fault with what keeps it from coming back", "把故障与防止其复发的手段关联起来");
/* clang-format on */
