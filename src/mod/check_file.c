#include "base/mem.h"
#include "mod/check_own.h"
#include "parse/version.h"

/* ---- what go.mod and go.work say by themselves ---- */

static void say_problem(struct check *c, const struct mod_source *file, const struct modfile *m, const struct mod_problem *p)
{
	struct spot at = { .file = file, .mod = m, .line = p->line, .column = p->column };

	if (p->fault == MOD_FAULT_VERSION)
		check_say(c, RULE_VERSION, at, "%s", p->text);
	else
		check_say(c, RULE_SYNTAX, at, "%s", p->text);
}

void check_modfile(struct check *c, const struct mod_source *file, const struct modfile *m, bool is_work)
{
	for (size_t i = 0; i < m->n_problems; i++)
		say_problem(c, file, m, &m->problems[i]);
	if (!is_work && !m->module.n && !m->n_problems)
		check_say(c, RULE_SYNTAX, (struct spot){ .file = file, .mod = m, .line = 1, .column = 1 },
			  TR("there is no module line: go refuses the file", "没有 module 行：go 会拒绝该文件"));
}

/* ---- versions ---- */

/* In a workspace go does not rewrite the members: what a build of one alone refuses is a warning there. */
static enum severity alone(const struct check *c, enum rule rule)
{
	enum severity s = mod_rules[rule].severity;

	return c->work && s == SEV_ERROR ? SEV_WARNING : s;
}

static const char *alone_text(const struct check *c)
{
	return c->work ? TR("; with GOWORK=off go refuses", "；GOWORK=off 时 go 会拒绝") : "";
}

static void check_excluded_line(struct check *c, const struct mod_member *m, const struct mod_line *l, struct spot at)
{
	if (!c->excludes)
		return;
	/* The excludes of all members hold in a workspace. */
	for (size_t i = 0; i < (c->work ? c->t->n : 1); i++) {
		const struct mod_member *by = c->work ? &c->t->members[i] : m;
		const struct mod_line *x = check_excluded(c, by, l->path, l->version);
		if (!x)
			continue;
		check_say(c, RULE_EXCLUDED, at, TR(VP " is required here, and %s:%lld excludes it", "此处要求 " VP "，而 %s:%lld 将其排除"),
			  SPAN_ARG(l->path), SPAN_ARG(l->version), by->go_mod.shown, (long long)x->line);
		return;
	}
}

static void check_pseudo(struct check *c, const struct mod_line *l, struct spot at)
{
	struct pseudo_version p;

	if (l->indirect || !version_pseudo(l->version, &p) || check_member_of(c, l->path))
		return;
	if (p.base[0])
		check_say(c, RULE_PSEUDO, at,
			  TR("%.*s: commit %.*s of %.4s-%.2s-%.2s, behind %s, and no release",
			     "%.*s：提交 %.*s（%.4s-%.2s-%.2s），在 %s 之后，不是发布版本"),
			  SPAN_ARG(l->path), SPAN_ARG(p.revision), p.time.p, p.time.p + 4, p.time.p + 6, p.base);
	else
		check_say(c, RULE_PSEUDO, at,
			  TR("%.*s: commit %.*s of %.4s-%.2s-%.2s, without any release before it",
			     "%.*s：提交 %.*s（%.4s-%.2s-%.2s），此前没有任何发布版本"),
			  SPAN_ARG(l->path), SPAN_ARG(p.revision), p.time.p, p.time.p + 4, p.time.p + 6);
}

static void check_require(struct check *c, const struct mod_member *m, const struct mod_line *l)
{
	struct spot at = { .file = &m->go_mod, .mod = &m->mod, .l = l, .column = l->version_column };
	struct name *n = check_name_now(c, check_line_unit(c, m, l)->name);
	const struct mod_line *first = n->required_by;

	if (l->loose)
		check_say_as(c, RULE_LOOSE, alone(c, RULE_LOOSE), at,
			     TR("the version of %.*s is not written as go writes it, %.*s%s", "%.*s 的版本未按 go 的写法写作 %.*s%s"),
			     SPAN_ARG(l->path), SPAN_ARG(l->version), alone_text(c));
	if (first && !span_eq(first->version, l->version))
		check_say_as(c, RULE_REPEATED, alone(c, RULE_REPEATED), at,
			     TR("%.*s is required at %.*s here and at %.*s in line %lld%s",
				"%.*s 在此要求 %.*s，另要求 %.*s（第 %lld 行）%s"),
			     SPAN_ARG(l->path), SPAN_ARG(l->version), SPAN_ARG(first->version), (long long)first->line, alone_text(c));
	if (!first)
		n->required_by = l;
	check_excluded_line(c, m, l, at);
	check_pseudo(c, l, at);
	if (version_incompatible(l->version) && !l->indirect)
		check_say(c, RULE_INCOMPATIBLE, at, TR("%.*s at %.*s has no go.mod of its own", "%.*s 的 %.*s 没有自己的 go.mod"),
			  SPAN_ARG(l->path), SPAN_ARG(l->version));
	if (c->work && n->member && span_eq(l->version, S("v0.0.0")) && !check_replaced(c, m, l->path, l->version))
		check_say(c, RULE_WORK_UNPUBLISHED, at,
			  TR("%.*s is a member of this workspace, and its v0.0.0 is on no proxy: go may ask for it, and GOWORK=off fails",
			     "%.*s 是本工作区的成员，任何代理上都没有它的 v0.0.0：go 可能会去请求它，且 GOWORK=off 时失败"),
			  SPAN_ARG(l->path));
}

void check_versions(struct check *c, const struct mod_member *m)
{
	for (size_t i = 0; i < m->mod.n && !c->bad; i++) {
		if (m->mod.lines[i].verb == MOD_REQUIRE)
			check_require(c, m, &m->mod.lines[i]);
	}
}
