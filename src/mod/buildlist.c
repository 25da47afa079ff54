#include "mod/buildlist.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "mod/sums.h"
#include "parse/version.h"

#define GOMOD_MAX ((size_t)16 << 20) /* go's limit */

struct node { /* path@version in the graph of requirements */
	struct span key; /* "path version" */
	struct span path, version;
	bool loaded, loaded_all; /* its requirements are in the graph; with all that they require */
	bool all_known, pruned;  /* of its go.mod */
	struct span (*requires)[2];
	size_t n;
};
struct chosen { /* the highest version of a path */
	struct span path;
	struct node *node;
	const char *file;
	int64_t line;
	bool direct;
};
struct todo {
	struct node *node;
	bool all;
};
struct graph {
	struct mod_tree *t;
	const char *modcache;
	struct build_list *b;
	struct map nodes, chosen;
	struct todo *todo;
	size_t n_todo, cap_todo;
	struct err *e;
};

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

static struct span key_of(struct arena *mem, struct span path, struct span version)
{
	return span_of(arena_printf(mem, "%.*s %.*s", SPAN_ARG(path), SPAN_ARG(version)));
}

struct mod_source_of *build_list_source(struct build_list *b, struct span path, struct span version)
{
	struct span key = key_of(&b->mem, path, version);
	struct mod_source_of *s = key.p ? map_get(&b->sources, key) : NULL;

	if (s || !key.p)
		return s;
	s = arena_alloc(&b->mem, sizeof(*s));
	if (!s)
		return NULL;
	s->key = key;
	s->path = span_head(key, path.n);
	s->version = span_from(key, path.n + 1);
	return map_put(&b->sources, s->key, s) ? s : NULL;
}

static struct node *node_of(struct graph *g, struct span path, struct span version)
{
	struct span key = key_of(&g->b->mem, path, version);
	struct node *n = key.p ? map_get(&g->nodes, key) : NULL;

	if (n || !key.p)
		return n;
	n = arena_alloc(&g->b->mem, sizeof(*n));
	if (!n)
		return NULL;
	n->key = key;
	n->path = span_head(key, path.n);
	n->version = span_from(key, path.n + 1);
	return map_put(&g->nodes, n->key, n) ? n : NULL;
}

static bool is_main(const struct graph *g, struct span path)
{
	for (size_t i = 0; i < g->t->n; i++) {
		if (span_eq(g->t->members[i].mod.module, path))
			return true;
	}
	return false;
}

static bool is_excluded(const struct graph *g, struct span path, struct span version)
{
	for (size_t i = 0; i < g->t->n; i++) {
		const struct modfile *m = &g->t->members[i].mod;
		for (size_t k = 0; k < m->n; k++) {
			if (m->lines[k].verb == MOD_EXCLUDE && span_eq(m->lines[k].path, path) && span_eq(m->lines[k].version, version))
				return true;
		}
	}
	return false;
}

/* That of exactly this version, else that of all. */
static const struct mod_line *replaced_in(const struct modfile *m, struct span path, struct span version)
{
	const struct mod_line *all = NULL, *one = NULL;

	for (size_t i = 0; i < m->n; i++) {
		const struct mod_line *l = &m->lines[i];
		if (l->verb != MOD_REPLACE || !span_eq(l->path, path))
			continue;
		if (!l->version.n)
			all = l;
		else if (span_eq(l->version, version))
			one = l;
	}
	return one ? one : all;
}

/* go.work's before those of its members, of which the last counts. *dir: the folder that a relative one starts from. */
static const struct mod_line *replaced(const struct mod_tree *t, struct span path, struct span version, const char **dir)
{
	const struct mod_line *l = t->go_work.text.p ? replaced_in(&t->work, path, version) : NULL;

	*dir = ".";
	for (size_t i = t->n; i-- > 0 && !l;) {
		l = replaced_in(&t->members[i].mod, path, version);
		*dir = t->members[i].dir;
	}
	return l;
}

/* ---- one module's requirements ---- */

static int keep_requires(struct graph *g, struct node *n, const struct modfile *m)
{
	size_t count = 0;

	n->pruned = m->go.p && goversion_compare(m->go, S("1.17")) >= 0;
	n->requires = arena_alloc(&g->b->mem, (m->n + 1) * sizeof(*n->requires));
	if (!n->requires)
		return no_memory(g->e);
	for (size_t i = 0; i < m->n; i++) {
		const struct mod_line *l = &m->lines[i];
		if (l->verb != MOD_REQUIRE || is_excluded(g, l->path, l->version))
			continue;
		n->requires[count][0] = arena_span(&g->b->mem, l->path);
		n->requires[count][1] = arena_span(&g->b->mem, l->version);
		if (!n->requires[count][0].p || !n->requires[count][1].p)
			return no_memory(g->e);
		count++;
	}
	n->n = count;
	return 0;
}

static int parse(struct graph *g, struct node *n, struct span text)
{
	CLEANUP(modfile_free) struct modfile m = { 0 };
	int r = modfile_read(text, MODFILE_DEPENDENCY, &m, g->e);

	return r == 0 ? keep_requires(g, n, &m) : r;
}

static int unread(struct graph *g, const struct node *n)
{
	struct list_text *u = &g->b->unread;

	if (!mem_grow(&u->v, &u->cap, u->n, sizeof(*u->v)))
		return no_memory(g->e);
	u->v[u->n] = arena_printf(&g->b->mem, "%.*s@%.*s", SPAN_ARG(n->path), SPAN_ARG(n->version));
	return u->v[u->n++] ? 0 : no_memory(g->e);
}

/* The go.mod of a source, from the cache. 1: it is there. */
static int read_cached(struct graph *g, struct mod_source_of *s, struct buf *text)
{
	CLEANUP(buf_free) struct buf file = { 0 };
	struct err e;

	text->max = GOMOD_MAX;
	s->read = true;
	if (!mod_cache_file(g->modcache, s->path, s->version, "mod", &file))
		return file.bad ? no_memory(g->e) : 0;
	int r = file_slurp_regular(buf_str(&file), text, &e);
	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r < 0)
		return err_set(g->e, -r, "%s", e.msg);
	s->has_mod = true;
	h1_of_gomod(buf_view(text), s->mod_h1);
	return 1;
}

static int read_replaced_dir(struct graph *g, struct node *n, const struct mod_line *l, const char *dir)
{
	CLEANUP(buf_free) struct buf name = { 0 };
	struct mod_source src = { 0 };

	if (l->new_path.p[0] != '/')
		buf_addf(&name, "%s/", dir);
	buf_addf(&name, "%.*s/go.mod", SPAN_ARG(l->new_path));
	int r = name.bad ? no_memory(g->e) : mod_tree_read(g->t, buf_str(&name), &src, g->e);
	return r < 0 ? r : src.text.p ? parse(g, n, src.text) : unread(g, n);
}

static int know_requires(struct graph *g, struct node *n)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	const char *dir;

	if (n->all_known)
		return 0;
	n->all_known = true;
	const struct mod_line *l = replaced(g->t, n->path, n->version, &dir);
	if (l && l->new_is_dir)
		return read_replaced_dir(g, n, l, dir);
	struct mod_source_of *s = l ? build_list_source(g->b, l->new_path, l->new_version) : build_list_source(g->b, n->path, n->version);
	if (!s)
		return no_memory(g->e);
	int r = read_cached(g, s, &text);
	return r < 0 ? r : r ? parse(g, n, buf_view(&text)) : unread(g, n);
}

/* ---- the graph ---- */

static int choose(struct graph *g, struct node *n, const char *file, const struct mod_line *l)
{
	struct chosen *c = map_get(&g->chosen, n->path);

	if (is_main(g, n->path))
		return 0;
	if (!c) {
		c = arena_alloc(&g->b->mem, sizeof(*c));
		if (!c)
			return no_memory(g->e);
		*c = (struct chosen){ .path = n->path, .node = n };
		if (!map_put(&g->chosen, c->path, c))
			return no_memory(g->e);
	} else if (version_compare(n->version, c->node->version) > 0) {
		c->node = n;
	}
	if (l && (!c->file || (!c->direct && !l->indirect))) {
		c->file = file;
		c->line = l->line;
		c->direct = !l->indirect;
	}
	return 0;
}

static int enqueue(struct graph *g, struct node *n, bool all)
{
	if (n->loaded_all || (n->loaded && !all))
		return 0;
	n->loaded = true;
	n->loaded_all = all;
	if (!mem_grow(&g->todo, &g->cap_todo, g->n_todo, sizeof(*g->todo)))
		return no_memory(g->e);
	g->todo[g->n_todo++] = (struct todo){ n, all };
	return 0;
}

/* What a module requires is in the graph; what that requires only if the module (or one on the way to it) is older than go 1.17. */
static int expand(struct graph *g, struct todo t)
{
	int r = know_requires(g, t.node);
	bool all = t.all || !t.node->pruned;

	for (size_t i = 0; i < t.node->n && r == 0; i++) {
		struct node *n = node_of(g, t.node->requires[i][0], t.node->requires[i][1]);
		r = n ? choose(g, n, NULL, NULL) : no_memory(g->e);
		if (r == 0 && all)
			r = enqueue(g, n, true);
	}
	return r;
}

static int add_roots(struct graph *g, const struct mod_member *m)
{
	bool pruned = m->mod.go.p && goversion_compare(m->mod.go, S("1.17")) >= 0;
	int r = 0;

	for (size_t i = 0; i < m->mod.n && r == 0; i++) {
		const struct mod_line *l = &m->mod.lines[i];
		if (l->verb != MOD_REQUIRE || is_excluded(g, l->path, l->version))
			continue;
		struct node *n = node_of(g, l->path, l->version);
		r = n ? choose(g, n, m->go_mod.shown, l) : no_memory(g->e);
		if (r == 0)
			r = enqueue(g, n, !pruned);
	}
	return r;
}

static int by_path(const void *a, const void *b)
{
	const struct built *x = a, *y = b;
	size_t n = x->path.n < y->path.n ? x->path.n : y->path.n;
	int c = memcmp(x->path.p, y->path.p, n);

	return c ? c : (x->path.n > y->path.n) - (x->path.n < y->path.n);
}

static int add_built(struct graph *g, const struct chosen *c)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct built *b = &g->b->v[g->b->n++];
	const char *dir;

	*b = (struct built){ .path = c->path, .version = c->node->version, .file = c->file, .line = c->line, .direct = c->direct };
	const struct mod_line *l = replaced(g->t, b->path, b->version, &dir);
	if (l && l->new_is_dir) {
		bool absolute = l->new_path.p[0] == '/';
		b->new_dir = span_of(arena_printf(&g->b->mem, "%s%s%.*s", absolute ? "" : dir, absolute ? "" : "/", SPAN_ARG(l->new_path)));
		return b->new_dir.p ? 0 : no_memory(g->e);
	}
	b->source = l ? build_list_source(g->b, l->new_path, l->new_version) : build_list_source(g->b, b->path, b->version);
	if (!b->source)
		return no_memory(g->e);
	int r = b->source->read ? 0 : read_cached(g, b->source, &text);
	return r < 0 ? r : 0;
}

static int make(struct graph *g)
{
	const struct chosen *c;
	int r = 0;

	for (size_t i = 0; i < g->t->n && r == 0; i++)
		r = add_roots(g, &g->t->members[i]);
	while (r == 0 && g->n_todo)
		r = expand(g, g->todo[--g->n_todo]);
	if (r < 0)
		return r;
	g->b->v = arena_alloc(&g->b->mem, (g->chosen.count + 1) * sizeof(*g->b->v));
	if (!g->b->v)
		return no_memory(g->e);
	for (size_t at = 0; r == 0 && (c = map_next(&g->chosen, &at));)
		r = add_built(g, c);
	if (r == 0 && g->b->n)
		qsort(g->b->v, g->b->n, sizeof(*g->b->v), by_path);
	return r;
}

int build_list_make(struct mod_tree *t, const char *modcache, struct build_list *ret, struct err *e)
{
	struct graph g = { .t = t, .modcache = modcache, .b = ret, .e = e };

	*ret = (struct build_list){ 0 };
	int r = make(&g);
	map_free(&g.nodes);
	map_free(&g.chosen);
	mem_free(g.todo);
	if (r < 0)
		build_list_free(ret);
	return r;
}

void build_list_free(struct build_list *b)
{
	map_free(&b->sources);
	mem_free(b->unread.v);
	arena_free(&b->mem);
	*b = (struct build_list){ 0 };
}

void build_list_free_cleanup(struct build_list *b)
{
	build_list_free(b);
}

/* ---- go.sum ---- */

/* go believes none when two disagree: the first that contradicts what is known is kept. */
static void take_sum(struct build_list *b, struct sum_line *to, const struct gosum_line *l, const struct mod_source *f, const char *have)
{
	bool differs = have && *have && !span_eq(l->hash, span_of(have)) && span_eq(to->hash, span_of(have));

	if (to->line && !differs)
		return;
	*to = (struct sum_line){ f->large ? arena_span(&b->mem, l->hash) : l->hash, f->shown, l->line };
	b->no_memory |= !to->hash.p;
}

static void take_line(struct build_list *b, const struct gosum_line *l, const struct mod_source *f, struct buf *key)
{
	buf_clear(key);
	buf_span(key, l->path);
	buf_addc(key, ' ');
	buf_span(key, l->version);
	struct mod_source_of *s = key->bad ? NULL : map_get(&b->sources, buf_view(key));
	if (!s)
		return;
	if (l->go_mod)
		take_sum(b, &s->mod_sum, l, f, s->has_mod ? s->mod_h1 : NULL);
	else
		take_sum(b, &s->sum, l, f, NULL);
}

static void note_malformed(struct build_list *b, const struct gosum_line *l, const struct mod_source *f)
{
	if (l->problem != GOSUM_MERGE && ((l->problem != GOSUM_FIELDS && l->problem != GOSUM_BINARY) || l->words == 3))
		return;
	if (!b->malformed.n++) {
		b->malformed.file = f->shown;
		b->malformed.line = l->line;
	}
}

static int take_file(struct build_list *b, const struct mod_source *f, struct err *e)
{
	CLEANUP(buf_free) struct buf key = { 0 };
	CLEANUP(sums_close) struct sums lines;
	struct gosum_line l;

	int r = sums_open(f, &lines, e);
	while (r >= 0 && (r = sums_next(&lines, &l, e)) > 0) {
		if (l.problem == GOSUM_FINE || l.problem == GOSUM_HASH)
			take_line(b, &l, f, &key);
		else
			note_malformed(b, &l, f);
	}
	return r < 0 ? r : key.bad || b->no_memory ? no_memory(e) : 0;
}

int build_list_sums(struct build_list *b, const struct mod_tree *t, struct err *e)
{
	int r = t->go_work.text.p ? take_file(b, &t->work_sum, e) : 0;

	for (size_t i = 0; i < t->n && r == 0; i++)
		r = take_file(b, &t->members[i].go_sum, e);
	return r;
}
