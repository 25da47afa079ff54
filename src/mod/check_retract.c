#include <dirent.h>
#include <errno.h>

#include "base/mem.h"
#include "mod/cache.h"
#include "mod/check_own.h"
#include "parse/version.h"

/*
 * Retractions stand in the go.mod of a module's newest version. Offline that is the newest one in the module cache: what it
 * retracts was retracted by then; nothing is said of what came after it.
 */
/* A release goes before any pre-release, as for go's @latest. */
static bool is_newer(struct span a, struct span b)
{
	bool a_pre = version_prerelease(a).n, b_pre = version_prerelease(b).n;

	if (!b.n || a_pre != b_pre)
		return !b.n || b_pre;
	return version_compare(a, b) > 0;
}

static void newest_cached(struct check *c, struct name *n)
{
	CLEANUP(buf_free) struct buf dir = { 0 };
	CLEANUP(buf_free) struct buf version = { 0 };

	if (!c->o->modcache || !mod_cache_file(c->o->modcache, n->path, S("v0.0.0"), "mod", &dir))
		return;
	if (!dir.bad)
		dir.p[span_rchr(buf_view(&dir), '/')] = '\0';
	DIR *d = dir.bad ? NULL : opendir(dir.p);
	for (struct dirent *x; d && (x = readdir(d));) {
		struct span name = span_of(x->d_name);
		if (!span_ends(name, S(".mod")))
			continue;
		buf_clear(&version);
		if (!module_unescape_version(span_head(name, name.n - 4), &version) || !is_newer(buf_view(&version), n->newest))
			continue;
		n->newest = arena_span(&c->mem, buf_view(&version));
		c->bad |= !n->newest.p;
	}
	if (d)
		closedir(d);
}

static void read_newest(struct check *c, struct name *n)
{
	struct span go_mod = { 0 };
	const struct summary *s = NULL;

	n->asked = true;
	if (c->o->latest && c->o->latest(c->o->ctx, n->path, &c->mem, &n->newest, &go_mod) == 0) {
		s = go_mod.n ? check_summary_of(c, go_mod) : NULL;
	} else {
		n->newest = (struct span){ 0 };
		newest_cached(c, n);
		struct unit *u = n->newest.n ? check_unit(c, n->path, n->newest) : NULL;
		s = u ? check_cached(c, u) : NULL;
	}
	n->newest_mod = s && s->known ? &s->mod : NULL;
}

static void check_line(struct check *c, const struct mod_member *m, const struct mod_line *l, const struct name *n)
{
	for (size_t i = 0; n->newest_mod && i < n->newest_mod->n; i++) {
		const struct mod_line *r = &n->newest_mod->lines[i];
		struct spot at = { .file = &m->go_mod, .mod = &m->mod, .l = l, .column = l->version_column };
		if (r->verb != MOD_RETRACT || version_compare(l->version, r->version) < 0 ||
		    version_compare(l->version, r->new_version) > 0)
			continue;
		struct span why = span_trim(r->comment);
		check_say(c, RULE_RETRACTED, at, TR(VP " is retracted, as %.*s says%s%.*s", VP " 已被撤回（见 %.*s）%s%.*s"),
			  SPAN_ARG(l->path), SPAN_ARG(l->version), SPAN_ARG(n->newest), why.n ? TR(": ", "：") : "",
			  SPAN_ARG(span_head(span_cut(&why, '\n'), 120)));
		return;
	}
}

void check_retracted(struct check *c)
{
	for (size_t k = 0; k < c->t->n; k++) {
		const struct mod_member *m = &c->t->members[k];
		for (size_t i = 0; i < m->mod.n && !c->bad; i++) {
			const struct mod_line *l = &m->mod.lines[i];
			if (l->verb != MOD_REQUIRE)
				continue;
			struct name *n = check_line_unit(c, m, l)->name;
			if (n->member || check_replaced(c, m, l->path, l->version))
				continue;
			if (!n->asked)
				read_newest(c, n);
			check_line(c, m, l, n);
		}
	}
}
