#include <errno.h>

#include "base/mem.h"
#include "mod/cache.h"
#include "mod/check_own.h"
#include "parse/version.h"

/*
 * A member's module graph as go loads it (https://go.dev/ref/mod#graph-pruning), from its go.mod and the go.mod files in the
 * module cache: which versions can come in, and who asks for a higher one.
 */
#define GRAPH_NODES 200000
#define CACHED_MAX ((size_t)16 << 20) /* go takes no larger go.mod from a module */

/* ---- go.mod files of dependencies ---- */

static struct summary *new_summary(struct check *c)
{
	struct summary *s = arena_alloc(&c->mem, sizeof(*s));

	if (!s) {
		c->bad = true;
		return NULL;
	}
	s->next = c->all;
	c->all = s;
	return s;
}

static void read_summary(struct check *c, struct summary *s, struct span text)
{
	struct err e = { 0 };

	if (!text.p)
		return;
	if (modfile_read(text, MODFILE_DEPENDENCY, &s->mod, &e) < 0) {
		c->bad = true;
		return;
	}
	s->known = true;
	s->go = s->mod.go;
	s->pruned = check_pruned(&s->mod);
	s->requires = arena_alloc(&c->mem, (s->mod.n + 1) * sizeof(*s->requires));
	c->bad |= !s->requires;
	for (size_t i = 0; i < s->mod.n && !c->bad; i++) {
		const struct mod_line *l = &s->mod.lines[i];
		if (l->verb == MOD_REQUIRE)
			s->requires[s->n++] = check_unit(c, l->path, l->version);
	}
}

const struct summary *check_summary_of(struct check *c, struct span text)
{
	struct summary *s = new_summary(c);

	if (s)
		read_summary(c, s, text);
	return s;
}

static const struct summary *of_folder(struct check *c, const struct mod_member *m, const struct mod_line *l)
{
	struct span key =
		span_of(mod_tree_path(c->t, c->work && check_replacement(c, NULL, l->path, l->version) == l ? "." : m->dir, l->new_path));
	struct mod_source file;
	struct err e = { 0 };

	if (!key.p) {
		c->bad = true;
		return NULL;
	}
	struct summary *s = map_get(&c->folders, key);
	if (s)
		return s;
	s = new_summary(c);
	char *name = s ? arena_printf(&c->mem, "%s/go.mod", key.p) : NULL;
	c->bad |= !name || !map_put(&c->folders, key, s);
	if (name && mod_tree_read(c->t, name, &file, &e) == 0)
		read_summary(c, s, file.text);
	return s;
}

const struct summary *check_cached(struct check *c, struct unit *u)
{
	CLEANUP(buf_free) struct buf file = { 0 };
	CLEANUP(buf_free) struct buf text = { .max = CACHED_MAX };
	struct err e = { 0 };

	if (u->cached)
		return u->cached;
	struct summary *s = u->cached = new_summary(c);
	if (!s || !c->o->modcache || !mod_cache_file(c->o->modcache, u->path, u->version, "mod", &file))
		return s;
	if (file.bad || file_slurp_regular(file.p, &text, &e) < 0) {
		c->bad |= file.bad || e.code == ENOMEM;
		return s;
	}
	struct span kept = text.len ? arena_span(&c->mem, buf_view(&text)) : S("");
	c->bad |= !kept.p;
	read_summary(c, s, kept);
	return s;
}

const struct summary *check_summary(struct check *c, const struct mod_member *m, const struct unit *u)
{
	const struct mod_line *l = u->replace;

	if (l && l->new_is_dir)
		return of_folder(c, m, l);
	struct unit *real = l ? check_unit(c, l->new_path, l->new_version) : (struct unit *)u;
	return real ? check_cached(c, real) : NULL;
}

/* ---- the walk ---- */

struct walk {
	struct check *c;
	const struct mod_member *m;
	struct graph *g;
	struct todo {
		struct unit *unit;
		bool all;
	} *todo;
	size_t n, cap;
};

static void enter(struct walk *w, struct unit *u, const struct mod_line *root)
{
	struct graph *g = w->g;

	if (check_unit_now(w->c, u)->in_graph)
		return;
	u->in_graph = u->anywhere = true;
	u->root = root;
	u->replace = check_replaced(w->c, w->m, u->path, u->version);
	*(g->last ? g->last : &g->first) = u;
	g->last = &u->next;
	g->n++;
}

static void pick(struct walk *w, struct unit *u, const struct mod_line *by)
{
	struct name *n = check_name_now(w->c, u->name);

	if (n->picked == u || (n->picked && version_compare(u->version, n->picked->version) <= 0))
		return;
	n->picked = u;
	n->by = by;
}

static void push(struct walk *w, struct unit *u, bool all)
{
	if (u->loaded_all || (u->loaded && !all))
		return;
	u->loaded = true;
	u->loaded_all |= all;
	if (!mem_grow(&w->todo, &w->cap, w->n, sizeof(*w->todo))) {
		w->c->bad = true;
		return;
	}
	w->todo[w->n++] = (struct todo){ u, all };
}

static void take(struct walk *w, struct todo t)
{
	const struct summary *s = check_summary(w->c, w->m, t.unit);

	if (!s || !s->known) {
		w->g->unknown++;
		return;
	}
	bool deep = t.all || !s->pruned;
	for (size_t i = 0; i < s->n && !w->c->bad; i++) {
		struct unit *u = s->requires[i];
		if (check_excluded(w->c, w->m, u->path, u->version))
			continue;
		enter(w, u, t.unit->root);
		pick(w, u, t.unit->root);
		if (deep)
			push(w, u, true);
	}
}

static void walk(struct walk *w)
{
	const struct modfile *m = &w->m->mod;

	for (size_t i = 0; i < m->n && !w->c->bad; i++) {
		const struct mod_line *l = &m->lines[i];
		if (l->verb != MOD_REQUIRE || check_excluded(w->c, w->m, l->path, l->version))
			continue;
		struct unit *u = check_line_unit(w->c, w->m, l);
		enter(w, u, l);
		pick(w, u, l);
		push(w, u, !w->g->pruned);
	}
	while (w->n && !w->c->bad && w->g->n < GRAPH_NODES)
		take(w, w->todo[--w->n]);
	w->g->unknown += w->n;
}

/* ---- what it shows ---- */

static void check_low(struct check *c, const struct mod_member *m, const struct graph *g, const struct mod_line *l, const struct name *p)
{
	struct spot at = { .file = &m->go_mod, .mod = &m->mod, .l = l, .column = l->version_column };

	if (p->by == l || span_eq(p->by->path, l->path) || version_compare(p->picked->version, l->version) <= 0 || p->member)
		return;
	/* Whether an indirect one's go.mod is looked at depends on the packages that are imported. */
	bool sure = !c->work && !check_vendored(c, m) && (!p->by->indirect || !g->pruned);
	check_say_as(c, RULE_TOO_LOW, sure ? SEV_ERROR : SEV_WARNING, at,
		     TR("%.*s is required at %.*s, and %.*s@%.*s requires %.*s%s", "此处要求 %.*s 的 %.*s，而 %.*s@%.*s 要求 %.*s%s"),
		     SPAN_ARG(l->path), SPAN_ARG(l->version), SPAN_ARG(p->by->path), SPAN_ARG(p->by->version), SPAN_ARG(p->picked->version),
		     c->work ? TR("; with GOWORK=off go refuses", "；GOWORK=off 时 go 会拒绝") : "");
}

/* Since 1.21 a go line binds: also those of dependencies. */
static void check_dependency(struct check *c, const struct mod_member *m, const struct mod_line *l, const struct summary *s)
{
	struct spot at = { .file = &m->go_mod, .mod = &m->mod, .l = l };
	enum severity as = l->indirect ? SEV_WARNING : SEV_ERROR;

	if (c->old || !s->go.n || goversion_compare(s->go, S("1.21")) < 0)
		return;
	if (c->o->go.n && c->o->go_local && goversion_compare(s->go, c->o->go) > 0)
		check_say_as(c, RULE_GO_DEPENDENCY, as, at,
			     TR("%.*s@%.*s needs go %.*s, and go %.*s builds (GOTOOLCHAIN=local)",
				"%.*s@%.*s 需要 go %.*s，而构建用的是 go %.*s（GOTOOLCHAIN=local）"),
			     SPAN_ARG(l->path), SPAN_ARG(l->version), SPAN_ARG(s->go), SPAN_ARG(c->o->go));
	else if (goversion_compare(s->go, check_go_of(&m->mod)) > 0)
		check_say_as(c, RULE_GO_DEPENDENCY, c->work ? SEV_WARNING : as, at,
			     TR("%.*s@%.*s needs go %.*s, and the go line says %.*s: go wants to raise it",
				"%.*s@%.*s 需要 go %.*s，而 go 行为 %.*s：go 想提高它"),
			     SPAN_ARG(l->path), SPAN_ARG(l->version), SPAN_ARG(s->go), SPAN_ARG(check_go_of(&m->mod)));
}

void check_graph(struct check *c, const struct mod_member *m, struct graph *g)
{
	struct walk w = { .c = c, .m = m, .g = g };

	walk(&w);
	mem_free(w.todo);
	for (size_t i = 0; i < m->mod.n && !c->bad; i++) {
		const struct mod_line *l = &m->mod.lines[i];
		if (l->verb != MOD_REQUIRE || check_excluded(c, m, l->path, l->version))
			continue;
		const struct unit *u = check_line_unit(c, m, l);
		const struct summary *s = check_summary(c, m, u);
		check_low(c, m, g, l, u->name);
		if (s && s->known)
			check_dependency(c, m, l, s);
	}
}
