#include "base/mem.h"
#include "mod/check_own.h"
#include "parse/version.h"

/* What go.work and its members do to each other (https://go.dev/ref/mod#workspaces). */

static const struct mod_line *use_line(const struct check *c, const struct mod_member *m)
{
	for (size_t i = 0; i < c->t->work.n; i++) {
		if (c->t->work.lines[i].verb == MOD_USE && c->t->work.lines[i].line == m->line)
			return &c->t->work.lines[i];
	}
	return NULL;
}

static struct spot use_spot(const struct check *c, const struct mod_member *m)
{
	return (struct spot){ .file = &c->t->go_work, .mod = &c->t->work, .l = use_line(c, m), .line = m->line };
}

static const struct mod_line *line_of(const struct modfile *m, enum mod_verb verb)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->lines[i].verb == verb)
			return &m->lines[i];
	}
	return NULL;
}

/* ---- the members ---- */

static void check_use(struct check *c, const struct mod_member *m, struct map *dirs)
{
	const struct mod_member *first = map_get(dirs, span_of(m->dir)), *named = check_member_of(c, m->mod.module);

	if (!m->go_mod.text.p && !first)
		check_say(c, RULE_WORK_MISSING, use_spot(c, m), TR("%s has no go.mod", "%s 中没有 go.mod"), m->dir);
	if (!first && !mod_tree_inside(c->t, m->dir, c->root))
		check_say(c, RULE_WORK_OUTSIDE, use_spot(c, m),
			  TR("%s is outside of the repository: it is not there for others", "%s 在仓库之外：别人没有它"), m->dir);
	if (first) {
		check_say(c, RULE_WORK_REPEATED, use_spot(c, m), TR("%s is used in line %lld already", "%s 已在第 %lld 行使用"), m->dir,
			  (long long)first->line);
		return;
	}
	c->bad |= !map_put(dirs, span_of(m->dir), (void *)m);
	if (!m->mod.module.n)
		return;
	/* The map has the last one of a name. */
	if (named && named != m && strcmp(named->dir, m->dir) != 0)
		check_say(c, RULE_WORK_REPEATED, use_spot(c, m), TR("the module %.*s is in %s and in %s", "模块 %.*s 同时在 %s 和 %s 中"),
			  SPAN_ARG(m->mod.module), m->dir, named->dir);
}

static void check_member_go(struct check *c, const struct mod_member *m, const struct mod_member **other)
{
	struct span work = c->t->work.go.n ? c->t->work.go : S("1.18");
	const struct mod_line *l = line_of(&m->mod, MOD_GO), *o = *other ? line_of(&(*other)->mod, MOD_GO) : NULL;

	if (!l || check_again(c, m))
		return;
	struct spot at = { .file = &m->go_mod, .mod = &m->mod, .l = l, .column = l->version_column };
	if (!c->old && goversion_compare(l->version, work) > 0 && goversion_compare(l->version, S("1.21")) >= 0)
		check_say(c, RULE_WORK_GO, at, TR("%s needs go %.*s, and go.work says %.*s", "%s 需要 go %.*s，而 go.work 为 %.*s"), m->dir,
			  SPAN_ARG(l->version), SPAN_ARG(work));
	if (!*other)
		*other = m;
	else if (o && !span_eq(o->version, l->version))
		check_say(c, RULE_WORK_GO_MIX, at, TR("go %.*s here, go %.*s in %s", "此处为 go %.*s，另一处为 go %.*s（%s）"),
			  SPAN_ARG(l->version), SPAN_ARG(o->version), (*other)->go_mod.shown);
}

/* ---- replacements of several members ---- */

static bool same_target(struct check *c, const struct mod_member *am, const struct mod_line *a, const struct mod_member *bm,
			const struct mod_line *b)
{
	if (a->new_is_dir != b->new_is_dir || !span_eq(a->new_version, b->new_version))
		return false;
	if (!a->new_is_dir || a->new_path.p[0] == '/' || b->new_path.p[0] == '/')
		return span_eq(a->new_path, b->new_path);
	char *one = mod_tree_path(c->t, am->dir, a->new_path), *two = mod_tree_path(c->t, bm->dir, b->new_path);
	c->bad |= !one || !two;
	return one && two && !strcmp(one, two);
}

struct replacing { /* one key of a replacement, over all members */
	const struct mod_member *m;
	const struct mod_line *l;
};

/* go stops at the first member that replaces the same by something else than one before it. */
static void check_conflict(struct check *c, struct map *seen, const struct mod_member *m, const struct mod_line *l)
{
	char *key = check_key(&c->mem, l->path, l->version);
	struct replacing *first = key ? map_get(seen, span_of(key)) : NULL;
	struct spot at = { .file = &m->go_mod, .mod = &m->mod, .l = l };

	if (!key) {
		c->bad = true;
		return;
	}
	if (map_get(&c->work_index.replaces, l->path) || map_get(&c->work_paths, l->path))
		return;
	if (first && first->m != m && !same_target(c, first->m, first->l, m, l)) {
		check_say(c, RULE_REPLACE_REPEATED, at,
			  TR("%.*s is replaced by %.*s here, and by %.*s in %s:%lld: go refuses the workspace",
			     "%.*s 在此被 %.*s 替换，而被 %.*s 替换（%s:%lld）：go 会拒绝该工作区"),
			  SPAN_ARG(l->path), SPAN_ARG(l->new_path), SPAN_ARG(first->l->new_path), first->m->go_mod.shown,
			  (long long)first->l->line);
		return;
	}
	if (first)
		return;
	first = arena_alloc(&c->mem, sizeof(*first));
	if (first)
		*first = (struct replacing){ m, l };
	c->bad |= !first || !map_put(seen, span_of(key), first);
}

static bool same_words(const struct mod_line *a, const struct mod_line *b)
{
	return span_eq(a->new_path, b->new_path) && span_eq(a->new_version, b->new_version);
}

/*
 * go asks the members in the order of go.work, and remembers of the last answer what replaces, but not whether it was for all
 * versions: a later answer for this version is then a conflict, and a later one for all versions simply wins.
 */
static void check_order(struct check *c, const struct mod_member *m, const struct mod_line *l)
{
	const struct mod_member *found_in = NULL;
	const struct mod_line *found = NULL;
	const struct unit *u = check_known(c, l->path, l->version);
	bool needed = u && u->anywhere;
	struct spot at = { .file = &m->go_mod, .mod = &m->mod, .l = l };

	for (size_t i = 0; i < c->t->n; i++) {
		const struct mod_member *k = &c->t->members[i];
		const struct mod_line *r = check_replacement(c, k, l->path, l->version);
		if (!r)
			continue;
		if (k == m && found && !found->version.n && !same_words(found, r)) {
			check_say_as(
				c, RULE_REPLACE_ORDER, needed ? SEV_ERROR : SEV_WARNING, at,
				TR("%s:%lld replaces all versions of %.*s, and comes before this replacement of %.*s in go.work: go says `conflicting replacements found`%s",
				   "%s:%lld 替换 %.*s 的所有版本，且在 go.work 中先于此处对 %.*s 的替换：go 会报 `conflicting replacements found`%s"),
				found_in->go_mod.shown, (long long)found->line, SPAN_ARG(l->path), SPAN_ARG(l->version),
				needed ? "" : TR(" as soon as that version is required", "（一旦要求该版本）"));
			return;
		}
		if (found && found == l && !r->version.n && !same_words(r, l)) {
			check_say_as(
				c, RULE_REPLACE_ORDER, SEV_WARNING, at,
				TR("this replacement of %.*s@%.*s has no effect: %s:%lld replaces all its versions, comes later in go.work and wins; in the other order go refuses",
				   "此处对 %.*s@%.*s 的替换无效：%s:%lld 替换其所有版本，在 go.work 中靠后而胜出；顺序相反时 go 会拒绝"),
				SPAN_ARG(l->path), SPAN_ARG(l->version), k->go_mod.shown, (long long)r->line);
			return;
		}
		found = r;
		found_in = k;
	}
}

static void check_replacing(struct check *c)
{
	struct map seen = { 0 };

	for (size_t i = 0; i < c->t->work.n && !c->bad; i++) {
		const struct mod_line *l = &c->t->work.lines[i];
		if (l->verb == MOD_REPLACE)
			c->bad |= !map_put(&c->work_paths, l->path, (void *)l);
	}
	for (size_t k = 0; k < c->t->n; k++) {
		const struct mod_member *m = &c->t->members[k];
		for (size_t i = 0; i < m->mod.n && !c->bad && !check_again(c, m); i++) {
			const struct mod_line *l = &m->mod.lines[i];
			if (l->verb != MOD_REPLACE)
				continue;
			check_conflict(c, &seen, m, l);
			if (l->version.n && !map_get(&c->work_index.replaces, l->path))
				check_order(c, m, l);
		}
	}
	map_free(&seen);
}

void check_work(struct check *c)
{
	const struct mod_member *other = NULL;
	struct map dirs = { 0 };

	for (size_t i = 0; i < c->t->n && !c->bad; i++) {
		check_use(c, &c->t->members[i], &dirs);
		check_member_go(c, &c->t->members[i], &other);
	}
	map_free(&dirs);
	check_replacing(c);
}
