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

static struct summary *new_summary(struct check *c, struct span key)
{
	struct summary *s = arena_alloc(&c->mem, sizeof(*s));

	if (s)
		*s = (struct summary){ .key = key, .next = c->all };
	if (!s || !map_put(&c->summaries, key, s)) {
		c->bad = true;
		return NULL;
	}
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
}

static const struct summary *of_folder(struct check *c, const struct mod_member *m, const struct mod_line *l)
{
	struct span key = span_of(mod_tree_path(c->t, c->work && check_replacement(c, NULL, l->path, l->version) == l ? "." : m->dir, l->new_path));
	struct mod_source file;
	struct err e = { 0 };

	if (!key.p) {
		c->bad = true;
		return NULL;
	}
	struct summary *s = map_get(&c->summaries, key);
	if (s)
		return s;
	s = new_summary(c, key);
	char *name = s ? arena_printf(&c->mem, "%s/go.mod", key.p) : NULL;
	c->bad |= !name;
	if (name && mod_tree_read(c->t, name, &file, &e) == 0)
		read_summary(c, s, file.text);
	return s;
}

static const struct summary *of_cache(struct check *c, struct span path, struct span version)
{
	CLEANUP(buf_free) struct buf file = { 0 };
	CLEANUP(buf_free) struct buf text = { .max = CACHED_MAX };
	char *key = check_key(&c->mem, path, version);
	struct err e = { 0 };

	if (!key) {
		c->bad = true;
		return NULL;
	}
	struct summary *s = map_get(&c->summaries, span_of(key));
	if (s)
		return s;
	s = new_summary(c, span_of(key));
	if (!s || !c->o->modcache || !mod_cache_file(c->o->modcache, path, version, "mod", &file))
		return s;
	if (file.bad || file_slurp(file.p, &text, &e) < 0) {
		c->bad |= file.bad || e.code == ENOMEM;
		return s;
	}
	struct span kept = text.len ? arena_span(&c->mem, buf_view(&text)) : S("");
	c->bad |= !kept.p;
	read_summary(c, s, kept);
	return s;
}

const struct summary *check_summary(struct check *c, const struct mod_member *m, const struct node *n)
{
	const struct mod_line *l = n->replace;

	if (l && l->new_is_dir)
		return of_folder(c, m, l);
	return l ? of_cache(c, l->new_path, l->new_version) : of_cache(c, n->path, n->version);
}

/* ---- the walk ---- */

struct walk {
	struct check *c;
	const struct mod_member *m;
	struct graph *g;
	struct todo {
		struct node *node;
		bool all;
	} *todo;
	size_t n, cap;
};

static struct node *node_at(struct walk *w, struct span path, struct span version, const struct mod_line *root)
{
	struct graph *g = w->g;
	char *key = check_key(&g->mem, path, version);
	struct node *n = key ? map_get(&g->nodes, span_of(key)) : NULL;

	if (n)
		return n;
	n = key ? arena_alloc(&g->mem, sizeof(*n)) : NULL;
	if (!n) {
		w->c->bad = true;
		return NULL;
	}
	*n = (struct node){ .key = span_of(key), .path = path, .version = version, .root = root, .replace = check_replaced(w->c, w->m, path, version) };
	w->c->bad |= !map_put(&g->nodes, n->key, n);
	*(g->last ? g->last : &g->first) = n;
	g->last = &n->next;
	g->n++;
	/* What any member can bring in; the key of another graph ends with it. */
	if (w->c->work && !map_get(&w->c->anywhere, n->key)) {
		char *kept = check_key(&w->c->mem, path, version);
		w->c->bad |= !kept || !map_put(&w->c->anywhere, span_of(kept), (void *)w->m);
	}
	return n;
}

static void pick(struct walk *w, struct node *n, const struct mod_line *by)
{
	struct picked *p = map_get(&w->g->picked, n->path);

	if (p && version_compare(n->version, p->node->version) <= 0)
		return;
	if (!p) {
		p = arena_alloc(&w->g->mem, sizeof(*p));
		if (!p || !map_put(&w->g->picked, n->path, p)) {
			w->c->bad = true;
			return;
		}
	}
	*p = (struct picked){ n, by };
}

static void push(struct walk *w, struct node *n, bool all)
{
	if (n->loaded_all || (n->loaded && !all))
		return;
	n->loaded = true;
	n->loaded_all |= all;
	if (!mem_grow(&w->todo, &w->cap, w->n, sizeof(*w->todo))) {
		w->c->bad = true;
		return;
	}
	w->todo[w->n++] = (struct todo){ n, all };
}

static void take(struct walk *w, struct todo t)
{
	const struct summary *s = check_summary(w->c, w->m, t.node);

	if (!s || !s->known) {
		w->g->unknown++;
		return;
	}
	bool deep = t.all || !check_pruned(&s->mod);
	for (size_t i = 0; i < s->mod.n && !w->c->bad; i++) {
		const struct mod_line *l = &s->mod.lines[i];
		if (l->verb != MOD_REQUIRE || check_excluded(w->c, w->m, l->path, l->version))
			continue;
		struct node *n = node_at(w, l->path, l->version, t.node->root);
		if (!n)
			return;
		pick(w, n, t.node->root);
		if (deep)
			push(w, n, true);
	}
}

static void walk(struct walk *w)
{
	const struct modfile *m = &w->m->mod;
	bool all = !check_pruned(m);

	for (size_t i = 0; i < m->n && !w->c->bad; i++) {
		const struct mod_line *l = &m->lines[i];
		if (l->verb != MOD_REQUIRE || check_excluded(w->c, w->m, l->path, l->version))
			continue;
		struct node *n = node_at(w, l->path, l->version, l);
		if (!n)
			return;
		pick(w, n, l);
		push(w, n, all);
	}
	while (w->n && !w->c->bad && w->g->n < GRAPH_NODES)
		take(w, w->todo[--w->n]);
	w->g->unknown += w->n;
}

/* ---- what it shows ---- */

static void check_low(struct check *c, const struct mod_member *m, struct graph *g, const struct mod_line *l)
{
	const struct picked *p = map_get(&g->picked, l->path);
	struct spot at = { .file = &m->go_mod, .mod = &m->mod, .l = l, .column = l->version_column };

	if (!p || p->by == l || span_eq(p->by->path, l->path) || version_compare(p->node->version, l->version) <= 0 || check_is_member(c, l->path))
		return;
	/* Whether an indirect one's go.mod is looked at depends on the packages that are imported. */
	bool sure = !c->work && !check_vendored(c, m) && (!p->by->indirect || !check_pruned(&m->mod));
	check_say_as(c, RULE_TOO_LOW, sure ? SEV_ERROR : SEV_WARNING, at, TR("%.*s is required at %.*s, and %.*s@%.*s requires %.*s%s", "此处要求 %.*s 的 %.*s，而 %.*s@%.*s 要求 %.*s%s"), SPAN_ARG(l->path), SPAN_ARG(l->version),
		     SPAN_ARG(p->by->path), SPAN_ARG(p->by->version), SPAN_ARG(p->node->version), c->work ? TR("; with GOWORK=off go refuses", "；GOWORK=off 时 go 会拒绝") : "");
}

/* Since 1.21 a go line binds: also those of dependencies. */
static void check_dependency(struct check *c, const struct mod_member *m, const struct mod_line *l, const struct summary *s)
{
	struct spot at = { .file = &m->go_mod, .mod = &m->mod, .l = l };
	enum severity as = l->indirect ? SEV_WARNING : SEV_ERROR;

	if (c->old || !s->go.n || goversion_compare(s->go, S("1.21")) < 0)
		return;
	if (c->o->go.n && c->o->go_local && goversion_compare(s->go, c->o->go) > 0)
		check_say_as(c, RULE_GO_DEPENDENCY, as, at, TR("%.*s@%.*s needs go %.*s, and go %.*s builds (GOTOOLCHAIN=local)", "%.*s@%.*s 需要 go %.*s，而构建用的是 go %.*s（GOTOOLCHAIN=local）"), SPAN_ARG(l->path), SPAN_ARG(l->version),
			     SPAN_ARG(s->go), SPAN_ARG(c->o->go));
	else if (goversion_compare(s->go, check_go_of(&m->mod)) > 0)
		check_say_as(c, RULE_GO_DEPENDENCY, c->work ? SEV_WARNING : as, at, TR("%.*s@%.*s needs go %.*s, and the go line says %.*s: go wants to raise it", "%.*s@%.*s 需要 go %.*s，而 go 行为 %.*s：go 想提高它"), SPAN_ARG(l->path), SPAN_ARG(l->version),
			     SPAN_ARG(s->go), SPAN_ARG(check_go_of(&m->mod)));
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
		const struct node *n = node_at(&w, l->path, l->version, l);
		const struct summary *s = n ? check_summary(c, m, n) : NULL;
		check_low(c, m, g, l);
		if (s && s->known)
			check_dependency(c, m, l, s);
	}
}

void check_graph_free(struct graph *g)
{
	map_free(&g->nodes);
	map_free(&g->picked);
	arena_free(&g->mem);
	*g = (struct graph){ 0 };
}
