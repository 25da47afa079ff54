/* Does a defence exist, did it run, was it green, and did it hold? */
#include <stdio.h>

#include "base/mem.h"
#include "cli/audit.h"
#include "cli/when.h"

#define RESULTS_MAX 500 /* of one test are looked at */
#define SAME_MAX    8   /* places of one name that are told apart */

struct results { /* of one test, the newest first */
	const struct auditing *x;
	const char *run; /* NULL: of none in particular */
	bool any, there; /* there: in that run */
	enum test_outcome result, in_run;
	int64_t started, real; /* real: the last time that it was not cached; 0: never */
	bool cached, on_base;
	size_t n;
};

static int take_result(void *ctx, const struct test_run *t)
{
	struct results *r = ctx;
	const struct audit_config *c = r->x->c;
	bool base = c->base_branch && span_eq(t->branch, span_of(c->base_branch)) && c->now - t->started <= c->max_age;

	if (!r->any || (base && !r->on_base)) {
		r->result = t->result;
		r->started = t->started;
		r->cached = t->cached;
	}
	r->any = true;
	r->on_base |= base;
	if (!t->cached && !r->real)
		r->real = t->started;
	if (r->run && !r->there && span_eq(t->run, span_of(r->run))) {
		r->there = true;
		r->in_run = t->result;
	}
	return 0;
}

static const char *ago(const struct auditing *x, int64_t at, char out[40])
{
	char age[16];

	if (x->c->now - at < INT64_C(60000000000))
		return TR("just now", "刚刚");
	when_age(x->c->now - at, age);
	snprintf(out, 40, TR("%s ago", "%s 前"), age);
	return out;
}

/* ---- tests ---- */

static const char *result_word(enum test_outcome o)
{
	/* clang-format off */
	static const struct tx words[TEST_OUTCOMES] = {
		[TEST_UNFINISHED] = { "did not end", "没有结束" }, [TEST_PASS] = { "passed", "通过" }, [TEST_FAIL] = { "failed", "失败" }, [TEST_SKIP] = { "was skipped", "被跳过" },
	};
	/* clang-format on */

	return tx(words[o]);
}

/* The place of a test: that of the fault's own package when the name alone is said. NULL: said already what is wrong. */
static const struct gotree_test *place_of(struct auditing *x, struct audit_fault *f, struct audit_defence *d, const struct gotest_name *name)
{
	const struct gotree_test *found[SAME_MAX];
	const char *why;
	size_t n = gotree_find(&x->a->tree, name, found, SAME_MAX, &why), kept = n < SAME_MAX ? n : SAME_MAX;

	d->state = DEFENCE_UNVERIFIED;
	if (!n && x->a->tree.cut && !name->package.n) {
		audit_add(x, AUDIT_UNVERIFIED, SEV_WARNING, f, d, NULL, 0, "%s", TR("it was not found, and not all of the tree was looked at: say PACKAGE.TestName", "未找到，且未能查看整个源码树：请写明 包.测试名"));
		return NULL;
	}
	if (!n && x->a->tree.unread) {
		audit_add(x, AUDIT_UNVERIFIED, SEV_WARNING, f, d, NULL, 0, "%s", TR("it was not found, and some of the tree cannot be read", "未找到，且源码树中有无法读取的部分"));
		return NULL;
	}
	d->state = DEFENCE_BROKEN;
	if (!n) {
		audit_add(x, AUDIT_MISSING, SEV_ERROR, f, d, NULL, 0, "%s", why);
		return NULL;
	}
	for (size_t i = 0; i < kept; i++) {
		if (span_eq(found[i]->package, f->f.package))
			return found[i];
	}
	for (size_t i = 1; i < kept; i++) {
		if (span_eq(found[i]->package, found[0]->package))
			continue; /* one for each system */
		audit_add(x, AUDIT_AMBIGUOUS, SEV_WARNING, f, d, NULL, 0, TR("%.*s and %.*s both have this test: say PACKAGE.TestName; the first one is looked at",
									    "%.*s 与 %.*s 都有此测试：请写明 包.测试名；此处只查看前者"),
			  SPAN_ARG(found[0]->package), SPAN_ARG(found[i]->package));
		break;
	}
	return found[0];
}

static void never_ran(struct auditing *x, struct audit_fault *f, struct audit_defence *d, const struct gotree_test *t)
{
	if (t->build.n)
		audit_add(x, AUDIT_NOT_RUN, SEV_ERROR, f, d, d->file ? NULL : t->file.p, t->line,
			  TR("it is there, but no run in this store has its result; %.*s is built only with `%.*s`", "测试存在，但此存储中没有它的运行结果；%.*s 仅在 `%.*s` 时编译"),
			  SPAN_ARG(t->file), SPAN_ARG(span_head(t->build, 100)));
	else
		audit_add(x, AUDIT_NOT_RUN, SEV_ERROR, f, d, d->file ? NULL : t->file.p, t->line, "%s",
			  TR("it is there, but no run in this store has its result (--format raw without -v does not see tests that pass)",
			     "测试存在，但此存储中没有它的运行结果（--format raw 且无 -v 时看不到通过的测试）"));
}

static enum defence_state judge(struct auditing *x, struct audit_fault *f, struct audit_defence *d, const struct gotree_test *t, const struct results *r)
{
	char text[40], date[32], most[40];
	const char *file = d->file ? NULL : t->file.p;

	if (!r->any) {
		never_ran(x, f, d, t);
		return DEFENCE_BROKEN;
	}
	when_date(r->started, date);
	const char *when = ago(x, r->started, text);
	if (r->result != TEST_PASS) {
		audit_add(x, AUDIT_NOT_GREEN, SEV_ERROR, f, d, file, t->line, TR("it %s when it last ran, on %s (%s)", "最近一次运行时%s：%s（%s）"), result_word(r->result), date, when);
		return DEFENCE_BROKEN;
	}
	if (x->c->now - r->started > x->c->max_age) {
		when_age(x->c->max_age, most);
		audit_add(x, AUDIT_NOT_RUN, SEV_ERROR, f, d, file, t->line, TR("it last ran on %s (%s): longer ago than %s", "最近一次运行于 %s（%s），已超过 %s"), date, when,
			  x->c->max_age ? most : "0s");
		return DEFENCE_BROKEN;
	}
	if (!r->cached)
		return DEFENCE_GREEN;
	if (!r->real || x->c->now - r->real > x->c->max_age)
		audit_add(x, AUDIT_CACHED, SEV_NOTE, f, d, file, t->line, "%s", r->real ? TR("it is green by go test's cache only; it really ran longer ago than --max-age", "仅凭 go test 的缓存判为通过；真正运行已早于 --max-age")
											 : TR("it is green by go test's cache only: no run in this store really ran it", "仅凭 go test 的缓存判为通过：此存储中没有真正运行过它"));
	return DEFENCE_GREEN_CACHED;
}

/* A subtest that its parent's newer runs do not have: renamed, or gone, or -run left it out. */
static int check_parent(struct auditing *x, struct audit_fault *f, struct audit_defence *d, const struct gotree_test *t, const struct results *sub, struct err *e)
{
	struct results parent = { .x = x };

	int r = store_test_results(x->c->s, t->package, t->function, sub->started + 1, 1, take_result, &parent, e);
	if (r < 0 || !parent.any || parent.cached)
		return r;
	audit_add(x, AUDIT_NOT_RUN, SEV_WARNING, f, d, d->file ? NULL : t->file.p, t->line,
		  TR("its parent ran since without this subtest: was it renamed, or left out by -run?", "其父测试后来运行过，但没有这个子测试：是否改名，或被 -run 排除？"));
	return 0;
}

static int check_test(struct auditing *x, struct audit_fault *f, struct audit_defence *d, struct err *e)
{
	struct gotest_name name;
	struct results res = { .x = x };

	d->state = DEFENCE_BROKEN;
	if (!gotest_name_read(span_of(d->name), &name)) {
		audit_add(x, AUDIT_MISSING, SEV_ERROR, f, d, NULL, 0, "%s", TR("this names no test: it should be PACKAGE.TestName or TestName", "不是测试的名称：应为 包.测试名 或 测试名"));
		return 0;
	}
	if (!x->a->tree.n_modules) {
		audit_add(x, AUDIT_UNVERIFIED, SEV_WARNING, f, d, NULL, 0, TR("there is no go.mod in %s: run the audit in the project", "%s 中没有 go.mod：请在项目中运行审计"), x->c->root);
		d->state = DEFENCE_UNVERIFIED;
		return 0;
	}
	const struct gotree_test *t = place_of(x, f, d, &name);
	if (!t)
		return 0;
	d->package = t->package;
	d->test = name.test;
	int r = store_test_results(x->c->s, d->package, d->test, 0, RESULTS_MAX, take_result, &res, e);
	if (r < 0)
		return r;
	d->state = judge(x, f, d, t, &res);
	return name.below.n && d->state == DEFENCE_GREEN ? check_parent(x, f, d, t, &res, e) : 0;
}

/* ---- rules and drills ---- */

static int check_rule(struct auditing *x, struct audit_fault *f, struct audit_defence *d, struct err *e)
{
	struct span name = span_of(d->name);
	struct gotree_rule rule;

	(void)e;
	d->state = DEFENCE_UNVERIFIED;
	if (span_starts(name, S("check."))) {
		audit_add(x, AUDIT_UNVERIFIED, SEV_WARNING, f, d, NULL, 0, "%s", TR("a rule of `tocsin check` cannot be verified by this version", "`tocsin check` 的规则无法由本版本核实"));
		return 0;
	}
	gotree_rule(&x->a->tree, name, &rule);
	if (rule.state == RULE_OFF) {
		d->state = DEFENCE_BROKEN;
		audit_add(x, AUDIT_MISSING, SEV_ERROR, f, d, rule.file.p, rule.line, TR("the rule is switched off in %s:%d", "该规则已在 %s:%d 中关闭"), rule.file.p, rule.line);
	} else if (rule.state == RULE_ON) {
		d->state = DEFENCE_CONFIGURED;
		audit_add(x, AUDIT_UNVERIFIED, SEV_NOTE, f, d, NULL, 0, TR("the rule is switched on in %s:%d; whether it was green this version does not know", "该规则已在 %s:%d 中启用；是否通过，本版本无法得知"), rule.file.p, rule.line);
	} else if (rule.state == RULE_MENTIONED) {
		audit_add(x, AUDIT_UNVERIFIED, SEV_WARNING, f, d, NULL, 0, TR("its name stands in %s:%d; whether it is on and was green cannot be verified by this version", "%s:%d 提到了它；是否启用、是否通过，本版本无法核实"),
			  rule.file.p, rule.line);
	} else {
		audit_add(x, AUDIT_UNVERIFIED, SEV_WARNING, f, d, NULL, 0, TR("the rule stands in none of the %zu linter configurations, make and pipeline files here, and cannot be verified by this version",
									     "此处的 %zu 个检查器配置、make 和流水线文件都没有该规则，本版本无法核实"), rule.looked);
	}
	return 0;
}

static int check_drill(struct auditing *x, struct audit_fault *f, struct audit_defence *d, struct err *e)
{
	(void)e;
	d->state = DEFENCE_UNVERIFIED;
	audit_add(x, AUDIT_UNVERIFIED, SEV_WARNING, f, d, NULL, 0, "%s", TR("a drill cannot be verified by this version", "演练无法由本版本核实"));
	return 0;
}

int audit_defence(struct auditing *x, struct audit_fault *f, struct audit_defence *d, struct err *e)
{
	static int (*const checks[DEFENCE_KINDS])(struct auditing *, struct audit_fault *, struct audit_defence *, struct err *) = {
		[DEFENCE_TEST] = check_test, [DEFENCE_RULE] = check_rule, [DEFENCE_DRILL] = check_drill,
	};

	return checks[d->kind] ? checks[d->kind](x, f, d, e) : 0;
}

/* ---- did it hold? ---- */

/* What the defence did in the run that brought the fault back. */
static int did_then(struct auditing *x, const struct audit_fault *f, const struct audit_defence *d, const char **ret, struct err *e)
{
	struct results res = { .x = x, .run = f->regressed_run };
	int r = 0;

	*ret = "";
	if (!d->test.n || !f->regressed_run)
		return 0;
	r = store_test_results(x->c->s, d->package, d->test, f->regressed, RESULTS_MAX, take_result, &res, e);
	if (!res.there)
		*ret = TR("; it did not run then", "；当时没有运行它");
	else if (res.in_run == TEST_PASS)
		*ret = TR("; it was green in that run and did not see it", "；它在那次运行中通过，没有发现故障");
	else if (res.in_run == TEST_FAIL)
		*ret = TR("; it failed in that run: it saw the fault and did not keep it out", "；它在那次运行中失败：发现了故障，但没有拦住");
	return r;
}

static int came_back(struct auditing *x, struct audit_fault *f, const struct audit_defence *d, struct err *e)
{
	const char *did;
	char date[32];

	int r = did_then(x, f, d, &did, e);
	if (r < 0)
		return r;
	when_date(f->regressed, date);
	audit_add(x, AUDIT_CAME_BACK, f->f.state == FAULT_REGRESSED ? SEV_ERROR : SEV_WARNING, f, d, NULL, 0,
		  TR("the fault came back on %s in spite of this defence%s", "设有此防御，故障仍于 %s 复发%s"), date, did);
	return 0;
}

/* A run of code without the fix says nothing of the fix; that it is still made is worth a word. */
static void seen_again(struct auditing *x, struct audit_fault *f)
{
	char seen[32], resolved[32];

	for (size_t i = 0; i < f->n; i++) {
		if (f->defences[i].state > DEFENCE_GREEN_CACHED)
			continue;
		when_date(f->f.last_seen, seen);
		when_date(f->f.resolved_at, resolved);
		audit_add(x, AUDIT_CAME_BACK, SEV_WARNING, f, &f->defences[i], NULL, 0,
			  TR("the fault was seen on %s, after it was resolved on %s, in code without the fix, and this defence is green", "故障于 %s 再次出现（已于 %s 解决），该次运行的代码不含修复，而此防御仍为通过"), seen, resolved);
		return;
	}
}

int audit_came_back(struct auditing *x, struct audit_fault *f, struct err *e)
{
	int r = 0;

	if (f->f.state == FAULT_RESOLVED && f->f.resolved_at && f->f.last_seen > f->f.resolved_at)
		seen_again(x, f);
	if (!f->regressed)
		return 0;
	for (size_t i = 0; i < f->n; i++) { /* one that came since, and is there: the loop is closed again */
		if (f->defences[i].since > f->regressed && f->defences[i].state <= DEFENCE_CONFIGURED)
			return 0;
	}
	for (size_t i = 0; i < f->n && r >= 0; i++) {
		struct audit_defence *d = &f->defences[i];
		if (d->since && d->since <= f->regressed)
			r = came_back(x, f, d, e);
		else if (!d->since && f->f.state == FAULT_REGRESSED)
			audit_add(x, AUDIT_CAME_BACK, SEV_WARNING, f, d, NULL, 0, "%s", TR("the fault came back; since when this defence is there is not known", "故障已复发；此防御从何时起存在则不得而知"));
	}
	return r;
}
