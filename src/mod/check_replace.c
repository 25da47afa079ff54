#include <sys/stat.h>

#include "base/mem.h"
#include "base/path.h"
#include "mod/check_own.h"

/* Replacements by folders, and twice in one file. */

static void check_folder(struct check *c, const char *dir, const struct spot *at, const struct mod_member *m)
{
	const struct mod_line *l = at->l;
	CLEANUP(buf_free) struct buf name = { 0 };
	struct mod_source target;
	struct err e = { 0 };

	if (l->new_path.n && l->new_path.p[0] != '/')
		buf_addf(&name, "%s/", dir);
	buf_span(&name, l->new_path);
	size_t folder = name.len;
	buf_adds(&name, "/go.mod");
	if (name.bad) {
		c->bad = true;
		return;
	}
	int r = mod_tree_read(c->t, name.p, &target, &e);
	name.p[folder] = '\0';
	if (!target.text.p) {
		bool there = r < 0;
		if (!there) {
			CLEANUP(buf_free) struct buf real = { 0 };
			struct stat st;
			path_join(&real, c->t->top, name.p);
			c->bad |= real.bad;
			there = !real.bad && stat(real.p, &st) == 0;
		}
		bool needed = !check_member_of(c, l->path) && check_required(c, l->path, l->version);
		check_say_as(c, RULE_REPLACE_MISSING, needed ? SEV_ERROR : SEV_WARNING, *at,
			     r < 0 ? TR("%.*s is replaced by %.*s, whose go.mod cannot be read", "%.*s 被 %.*s 替换，而其 go.mod 无法读取")
			     : there ? TR("%.*s is replaced by %.*s, which has no go.mod", "%.*s 被 %.*s 替换，而其中没有 go.mod")
				     : TR("%.*s is replaced by %.*s, which does not exist", "%.*s 被 %.*s 替换，而该目录不存在"),
			     SPAN_ARG(l->path), SPAN_ARG(l->new_path));
	}
	if (!mod_tree_inside(c->t, name.p, c->root))
		check_say(c, RULE_REPLACE_OUTSIDE, *at,
			  TR("%.*s is replaced by %.*s, which is outside of the repository: it is not there for others",
			     "%.*s 被仓库之外的 %.*s 替换：别人没有它"),
			  SPAN_ARG(l->path), SPAN_ARG(l->new_path));
	else if (l->new_path.p[0] == '/')
		check_say(c, RULE_REPLACE_OUTSIDE, *at,
			  TR("%.*s is replaced by the absolute path %.*s: it is another one for others",
			     "%.*s 被绝对路径 %.*s 替换：别人的路径不同"),
			  SPAN_ARG(l->path), SPAN_ARG(l->new_path));
	else if (c->o->on_base && m && target.text.p)
		check_say(c, RULE_REPLACE_LOCAL, *at,
			  TR("%.*s is replaced by %.*s here only: whoever requires %.*s gets what is required",
			     "%.*s 仅在此处被 %.*s 替换：依赖 %.*s 的项目得到的是 require 的版本"),
			  SPAN_ARG(l->path), SPAN_ARG(l->new_path), SPAN_ARG(m->mod.module));
}

void check_replaces(struct check *c, const char *dir, const struct mod_source *file, const struct modfile *m,
		    const struct mod_member *member)
{
	for (size_t i = 0; i < m->n && !c->bad; i++) {
		const struct mod_line *l = &m->lines[i];
		struct spot at = { .file = file, .mod = m, .l = l, .column = l->new_column };
		if (l->verb != MOD_REPLACE)
			continue;
		const struct mod_line *first = check_replacement(c, member, l->path, l->version);
		if (first && first != l && span_eq(first->version, l->version) &&
		    !(span_eq(first->new_path, l->new_path) && span_eq(first->new_version, l->new_version)))
			check_say(c, RULE_REPLACE_REPEATED, at,
				  TR("%.*s is replaced here and, by something else, in line %lld",
				     "%.*s 在此被替换，而第 %lld 行的替换不同"),
				  SPAN_ARG(l->path), (long long)first->line);
		if (l->new_is_dir)
			check_folder(c, dir, &at, member);
	}
}
