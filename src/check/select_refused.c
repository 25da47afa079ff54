#include <errno.h>

#include "base/mem.h"
#include "check/select.h"

/* Packages that go refuses for what it reads when it chooses files. */

static const struct act_file *culprit(const struct act_package *p)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct act_file *f = &p->files[i];
		if (f->invalid || f->why == ACT_WHY_BAD_CONSTRAINT || f->why == ACT_WHY_C_WITHOUT_CGO)
			return f;
	}
	return NULL;
}

static struct span advice(struct report *r, const struct act_file *f)
{
	if (!f)
		return report_text(r, TR("Give the folder another name.", "请更改目录名。"));
	if (f->why == ACT_WHY_NAME || f->why == ACT_WHY_BUILD || f->why == ACT_WHY_OLD_BUILD)
		return report_text(
			r,
			TR("The file is left out of this build, but go reads it when it indexes the package: mend it, give it another extension, or let its name begin with _.",
			   "该文件不参与此构建，但 go 为包建立索引时仍会读取它：请修复它、更换扩展名，或让文件名以 _ 开头。"));
	if (f->why == ACT_WHY_PACKAGE)
		return report_text(r,
				   TR("One folder is one package: move the file, or mend its package clause.",
				      "一个目录只能是一个包：请移动该文件或修正其 package 子句。"));
	if (f->why == ACT_WHY_C_WITHOUT_CGO)
		return report_text(
			r, TR("Import \"C\" in a file of the package, or take the C files out of the folder.",
			      "请在该包的某个文件中导入 \"C\"，或把 C 文件移出该目录。"));
	return report_text(r, TR("Mend the line; nothing of the package is built until then.",
				 "请修复该行；在此之前该包的任何内容都不会被构建。"));
}

static int say(const struct act_package *p, const char *prefix, struct report *r)
{
	const struct act_file *f = culprit(p);
	const char *dir = strcmp(p->dir->path, ".") ? p->dir->path : "", *slash = *dir ? "/" : "";
	struct finding *x = report_say(r, CAUSE_BUILD_PACKAGE,
				       TR("go refuses the package: %s [package.refused]",
					  "go 拒绝该包：%s [package.refused]"),
				       p->refused);

	if (!x)
		return -ENOMEM;
	size_t at = r->n_findings - 1;
	struct span file = f ? report_text(r, "%s%s%s%s", prefix, dir, slash, f->src->name)
			     : report_text(r, "%s%s", prefix, *dir ? dir : ".");
	struct span package = p->dir->import ? report_text(r, "%s", p->dir->import) : (struct span){ 0 },
		    fix = advice(r, f);
	x = &r->findings[at];
	x->rule = "package.refused";
	x->file = file;
	x->package = package;
	x->advice = fix;
	x->line = f ? (f->invalid && f->src->head && f->src->head->fault_line ? f->src->head->fault_line
									      : f->line)
		    : 0;
	return r->lost ? -ENOMEM : 0;
}

/* A go.mod or go.work that go refuses: then it builds nothing of all that. Said once for a file: go too stops there. */
static int say_file(const char *prefix, const struct mod_source *file, const struct modfile *m, bool is_work,
		    struct report *r)
{
	const struct mod_problem *p = NULL;

	for (size_t i = 0; i < m->n_problems && !p; i++) /* a branch for a version go may yet resolve */
		if (m->problems[i].fault != MOD_FAULT_VERSION && m->problems[i].fault != MOD_FAULT_TOO_LONG)
			p = &m->problems[i];
	if (!p && (is_work || m->module.n || m->n_problems))
		return 0;
	struct finding *x = report_say(r, CAUSE_MOD_SYNTAX,
				       TR("go refuses the file, and builds nothing: %s [module.refused]",
					  "go 拒绝该文件，不会构建任何内容：%s [module.refused]"),
				       p ? p->text : TR("there is no module line", "没有 module 行"));

	if (!x)
		return -ENOMEM;
	x->rule = "module.refused";
	x->file = report_text(r, "%s%s", prefix, file->shown);
	x->line = p ? (int)p->line : 1;
	x->column = p ? p->column : 1;
	return r->lost ? -ENOMEM : 0;
}

int select_modules_refused(const struct mod_tree *t, const char *prefix, struct report *r)
{
	int ret = t->go_work.text.p ? say_file(prefix, &t->go_work, &t->work, true, r) : 0;

	for (size_t i = 0; i < t->n && ret == 0; i++)
		if (t->members[i].go_mod.text.p)
			ret = say_file(prefix, &t->members[i].go_mod, &t->members[i].mod, false, r);
	return ret;
}

int select_refused(const struct selection *s, size_t n, const char *prefix, struct report *r, struct err *e)
{
	int ret = n ? select_modules_refused(&s[0].tree->mods, prefix, r) : 0;

	for (size_t i = 0; n && i < s[0].n && ret == 0; i++) {
		/* Once for all targets in which it is the same. */
		for (size_t k = 0; k < n && ret == 0; k++) {
			const struct act_package *p = &s[k].packages[i];
			bool said = false;
			for (size_t before = 0; before < k; before++) {
				const struct act_package *q = &s[before].packages[i];
				said |= q->listed && q->refused && p->refused &&
					!strcmp(q->refused, p->refused);
			}
			if (p->listed && p->refused && !said)
				ret = say(p, prefix, r);
		}
	}
	return ret < 0 ? err_set(e, ENOMEM, TR("no memory", "内存不足")) : 0;
}
