#include <sys/stat.h>

#include "base/mem.h"
#include "base/path.h"
#include "mod/check_own.h"
#include "parse/modulestxt.h"
#include "parse/version.h"

/*
 * vendor/modules.txt against go.mod, or against all members of a workspace (go 1.22 and later), by go's own rules
 * (https://go.dev/ref/mod#vendoring): what go says as "inconsistent vendoring".
 */
struct vendored { /* a module of modules.txt */
	struct span path, version;
	struct span new_path, new_version;
	bool replaced, explicit, has_packages;
	struct span go;
	int64_t line;
	struct vendored *next;
};
struct vendoring {
	struct check *c;
	const struct mod_source *file;
	const struct mod_member *m; /* NULL: the workspace */
	struct map by_key;          /* "path version", or "path" alone for a replacement of all versions */
	struct vendored *first, **last;
};

static bool has_folder(const struct check *c, const char *dir)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct stat st;

	buf_addf(&b, "%s%s%s/vendor", dir[0] == '/' ? "" : c->t->top, dir[0] == '/' ? "" : "/", dir);
	return !b.bad && stat(b.p, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool for_workspace(const struct mod_source *file)
{
	struct span text = file->text;

	return span_eq(span_trim(span_cut(&text, '\n')), S("## workspace"));
}

bool check_vendored(const struct check *c, const struct mod_member *m)
{
	if (c->work)
		return check_go_at_least(c, "1.22") && has_folder(c, ".") && for_workspace(&c->t->work_modules_txt);
	if (!m->mod.go.n || goversion_compare(m->mod.go, S("1.14")) < 0 || !has_folder(c, m->dir))
		return false;
	return !(check_go_at_least(c, "1.22") && for_workspace(&m->modules_txt));
}

static struct vendored *module_at(struct vendoring *v, struct span path, struct span version, bool make)
{
	char *key = version.n ? check_key(&v->c->mem, path, version) : arena_str(&v->c->mem, path);
	struct vendored *m = key ? map_get(&v->by_key, span_of(key)) : NULL;

	if (m || (key && !make))
		return m;
	m = key ? arena_alloc(&v->c->mem, sizeof(*m)) : NULL;
	if (!m || !map_put(&v->by_key, span_of(key), m)) {
		v->c->bad = true;
		return NULL;
	}
	m->path = path;
	m->version = version;
	*(v->last ? v->last : &v->first) = m;
	v->last = &m->next;
	return m;
}

static void read_lines(struct vendoring *v)
{
	struct modulestxt_at at = { .rest = v->file->text };
	struct modulestxt_line l;
	struct vendored *now = NULL;

	while (!v->c->bad && modulestxt_next(&at, &l)) {
		struct spot spot = { .file = v->file, .line = l.line, .column = 1 };
		if (l.kind == MODULESTXT_MODULE) {
			now = module_at(v, l.path, l.version, true);
			if (!now)
				return;
			now->line = now->line ? now->line : l.line;
			if (l.new_path.n) {
				now->replaced = true;
				now->new_path = l.new_path;
				now->new_version = l.new_version;
			}
		} else if (l.kind == MODULESTXT_NOTE && now) {
			now->explicit |= l.explicit;
			if (l.go.n)
				now->go = l.go;
		} else if (l.kind == MODULESTXT_PACKAGE && now) {
			now->has_packages = true;
		} else if (l.kind == MODULESTXT_PROBLEM) {
			check_say(v->c, RULE_VENDOR_LINE, spot, TR("go passes over this line: %.*s", "go 会忽略该行：%.*s"),
				  SPAN_ARG(span_head(l.text, 80)));
		}
	}
}

/* ---- requirements ---- */

static void check_requires(struct vendoring *v, const struct mod_member *m)
{
	for (size_t i = 0; i < m->mod.n && !v->c->bad; i++) {
		const struct mod_line *l = &m->mod.lines[i];
		if (l->verb != MOD_REQUIRE)
			continue;
		const struct vendored *x = module_at(v, l->path, l->version, false);
		if (!x || !x->explicit)
			check_say(v->c, RULE_VENDOR_REQUIRED, (struct spot){ .file = &m->go_mod, .mod = &m->mod, .l = l },
				  TR(VP " is required, and %s does not have it as explicit", "要求 " VP "，而 %s 未将其标为 explicit"),
				  SPAN_ARG(l->path), SPAN_ARG(l->version), v->file->shown);
	}
}

static void check_extra(struct vendoring *v, const struct vendored *x)
{
	struct spot at = { .file = v->file, .mod = v->m ? &v->m->mod : &v->c->t->work, .line = x->line, .column = 3 };

	if (!x->version.n || !x->has_packages)
		return;
	if (x->explicit && !check_required(v->c, x->path, x->version))
		check_say(v->c, RULE_VENDOR_REQUIRED, at,
			  TR(VP " is marked explicit, and no go.mod requires it", VP " 标为 explicit，但没有 go.mod 要求它"),
			  SPAN_ARG(x->path), SPAN_ARG(x->version));
	if (!x->explicit && v->m && check_pruned(&v->m->mod))
		check_say(v->c, RULE_VENDOR_REQUIRED, at,
			  TR("packages of " VP " are vendored, and go.mod does not require it",
			     "vendor 了 " VP " 的包，但 go.mod 没有要求它"),
			  SPAN_ARG(x->path), SPAN_ARG(x->version));
	if (x->go.n && v->c->o->go.n && !v->c->old && v->c->o->go_local && goversion_compare(x->go, v->c->o->go) > 0)
		check_say(v->c, RULE_GO_DEPENDENCY, at,
			  TR("%.*s needs go %.*s, and go %.*s builds (GOTOOLCHAIN=local)",
			     "%.*s 需要 go %.*s，而构建用的是 go %.*s（GOTOOLCHAIN=local）"),
			  SPAN_ARG(x->path), SPAN_ARG(x->go), SPAN_ARG(v->c->o->go));
}

/* ---- replacements ---- */

/* The folder as go writes it: of a member in a workspace, relative to go.work. */
static bool same_target(struct vendoring *v, const struct mod_member *m, const struct mod_line *l, const struct vendored *x)
{
	if (!l->new_is_dir || l->new_path.p[0] == '/' || !v->c->work || !m)
		return span_eq(x->new_path, l->new_path) && span_eq(x->new_version, l->new_version);
	char *is = mod_tree_path(v->c->t, m->dir, l->new_path), *said = mod_tree_path(v->c->t, ".", x->new_path);
	v->c->bad |= !is || !said;
	return is && said && !strcmp(is, said) && !x->new_version.n;
}

/* What go would replace this key by: go.work's, else the last member's. */
static const struct mod_line *replacement_for(struct vendoring *v, struct span path, struct span version, const struct mod_member **by)
{
	const struct mod_line *l = v->c->work ? check_replacement(v->c, NULL, path, version) : check_replacement(v->c, v->m, path, version);

	*by = v->c->work ? NULL : v->m;
	if (l || !v->c->work)
		return l;
	for (size_t i = 0; i < v->c->t->n; i++) {
		const struct mod_line *k = check_replacement(v->c, &v->c->t->members[i], path, version);
		if (k) {
			l = k;
			*by = &v->c->t->members[i];
		}
	}
	return l;
}

static void check_replace_lines(struct vendoring *v, const struct mod_source *file, const struct modfile *m,
				const struct mod_member *member)
{
	for (size_t i = 0; i < m->n && !v->c->bad; i++) {
		const struct mod_line *l = &m->lines[i];
		struct spot at = { .file = file, .mod = m, .l = l };
		const struct mod_member *by;
		if (l->verb != MOD_REPLACE || (!l->version.n && check_member_of(v->c, l->path)))
			continue;
		const struct mod_line *r = replacement_for(v, l->path, l->version, &by);
		const struct vendored *x = module_at(v, l->path, l->version, false);
		if (r != l) /* another one counts, and is looked at in its turn */
			continue;
		if (!x || !x->replaced)
			check_say(v->c, RULE_VENDOR_REPLACED, at,
				  TR("%.*s is replaced here, and %s does not say so", "此处替换了 %.*s，而 %s 未注明"), SPAN_ARG(l->path),
				  v->file->shown);
		else if (!same_target(v, member, l, x))
			check_say(v->c, RULE_VENDOR_REPLACED, at,
				  TR("%.*s is replaced by %.*s %.*s, and by %.*s %.*s in %s",
				     "%.*s 被 %.*s %.*s 替换，而记录为 %.*s %.*s（%s）"),
				  SPAN_ARG(l->path), SPAN_ARG(l->new_path), SPAN_ARG(l->new_version), SPAN_ARG(x->new_path),
				  SPAN_ARG(x->new_version), v->file->shown);
	}
}

static void check_marked(struct vendoring *v, const struct vendored *x)
{
	struct spot at = { .file = v->file, .mod = v->m ? &v->m->mod : &v->c->t->work, .line = x->line, .column = 3 };
	const struct mod_member *by;

	if (!x->replaced)
		return;
	const struct mod_line *r = replacement_for(v, x->path, x->version, &by);
	if (!r)
		check_say(v->c, RULE_VENDOR_REPLACED, at,
			  TR("%.*s is marked as replaced, and nothing replaces it", "%.*s 标为已替换，但没有任何替换"), SPAN_ARG(x->path));
	else if (x->version.n && !r->version.n && !same_target(v, by, r, x))
		/* go before 1.20 or so refuses this; later ones build what lies there. */
		check_say_as(v->c, RULE_VENDOR_REPLACED, v->c->old ? SEV_ERROR : SEV_WARNING, at,
			     TR("%.*s is marked as replaced by %.*s %.*s, and %.*s %.*s replaces it",
				"%.*s 标为由 %.*s %.*s 替换，而实际由 %.*s %.*s 替换"),
			     SPAN_ARG(x->path), SPAN_ARG(x->new_path), SPAN_ARG(x->new_version), SPAN_ARG(r->new_path),
			     SPAN_ARG(r->new_version));
}

/* ---- both modes ---- */

static void check_folder(struct check *c, const struct mod_source *file, const struct mod_member *m)
{
	struct vendoring v = { .c = c, .file = file, .m = m };

	read_lines(&v);
	for (size_t i = 0; i < c->t->n && !c->bad; i++) {
		const struct mod_member *k = &c->t->members[i];
		if ((m && k != m) || check_again(c, k))
			continue;
		check_requires(&v, k);
		check_replace_lines(&v, &k->go_mod, &k->mod, k);
	}
	if (!m)
		check_replace_lines(&v, &c->t->go_work, &c->t->work, NULL);
	for (const struct vendored *x = v.first; x && !c->bad; x = x->next) {
		check_extra(&v, x);
		check_marked(&v, x);
	}
	map_free(&v.by_key);
}

void check_vendor(struct check *c)
{
	if (c->bad)
		return;
	if (c->work) {
		if (c->vendored)
			check_folder(c, &c->t->work_modules_txt, NULL);
		return;
	}
	if (c->t->n && check_vendored(c, &c->t->members[0]))
		check_folder(c, &c->t->members[0].modules_txt, &c->t->members[0]);
}
