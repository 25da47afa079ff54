#include "check/initgraph.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/path.h"
#include "check/go/initwork.h"
#include "mod/buildlist.h"

#define LEVELS_MAX 1000 /* an import that leads back would deepen for ever */

struct root { /* a module, and where it is */
	struct span path;
	const char *dir, *name; /* name: "path@version"; NULL: one of our own */
};
struct making {
	struct init_graph *g;
	const struct selection *sel;
	const struct target_env *env;
	struct build_list list;
	struct root *roots;
	size_t n_roots;
	struct syntax *parser;
	const char *vendor; /* the vendor folder that is built from; NULL: none */
	struct buf path;
	bool bad;
};

/* ---- where packages are ---- */

static bool below(struct span path, struct span prefix, struct span *rest)
{
	if (!span_starts(path, prefix) || (path.n > prefix.n && path.p[prefix.n] != '/'))
		return false;
	*rest = span_from(path, prefix.n + (path.n > prefix.n));
	return true;
}

/* dir/rest, when that is a folder; in m->path. */
static bool is_folder(struct making *m, const char *dir, struct span rest)
{
	struct stat st;

	buf_clear(&m->path);
	buf_adds(&m->path, dir);
	if (rest.n) {
		buf_addc(&m->path, '/');
		buf_span(&m->path, rest);
	}
	m->bad |= m->path.bad;
	return !m->bad && stat(m->path.p, &st) == 0 && S_ISDIR(st.st_mode);
}

static const char *keep_path(struct making *m)
{
	const char *p = arena_str(&m->g->mem, buf_view(&m->path));

	m->bad |= !p;
	return p;
}

static bool in_std(struct making *m, struct span path)
{
	const char *src = arena_printf(&m->g->mem, "%s/src", m->env->root);

	m->bad |= !src;
	return src && is_folder(m, src, path);
}

/* Sets what is known of where p is; false: nowhere. */
static bool find_package(struct making *m, struct init_package *p)
{
	struct span path = span_of(p->path), rest;
	struct span first = span_head(path, span_chr(path, '/'));

	if (span_chr(first, '.') == SPAN_NONE || span_eq(first, S("vendor"))) {
		p->origin = INIT_STD;
		if (in_std(m, path)) {
			p->dir = keep_path(m);
			return true;
		}
	}
	p->origin = INIT_MODULE;
	size_t longest = 0;
	for (size_t i = 0; i < m->n_roots; i++) {
		const struct root *r = &m->roots[i];
		if (r->path.n < longest || !below(path, r->path, &rest) || (r->name && m->vendor))
			continue;
		if (!is_folder(m, r->dir, rest))
			continue;
		longest = r->path.n;
		p->dir = keep_path(m);
		p->origin = r->name ? INIT_MODULE : INIT_OWN;
		p->module = r->name;
	}
	if (!p->dir && m->vendor && is_folder(m, m->vendor, path))
		p->dir = keep_path(m);
	for (size_t i = 0; i < m->n_roots && m->vendor && p->dir && p->origin == INIT_MODULE; i++)
		if (m->roots[i].name && below(path, m->roots[i].path, &rest) &&
		    m->roots[i].path.n >= longest) {
			longest = m->roots[i].path.n;
			p->module = m->roots[i].name;
		}
	return p->dir != NULL;
}

static void add_root(struct making *m, struct span path, const char *dir, const char *name)
{
	m->bad |= !dir;
	if (!m->bad)
		m->roots[m->n_roots++] = (struct root){ path, dir, name };
}

/* Our own modules, and those of the build list, where they were unpacked or replaced. */
static int find_roots(struct making *m, struct err *e)
{
	struct mod_tree *t = (struct mod_tree *)&m->sel->tree->mods;
	struct arena *mem = &m->g->mem;
	const char *cache = m->env->modcache;

	if (!m->sel->tree->has_mods)
		return 0;
	int r = build_list_make(t, cache, &m->list, e);
	if (r < 0)
		return r;
	m->roots = arena_alloc(mem, (t->n + m->list.n + 1) * sizeof(*m->roots));
	m->bad |= !m->roots;
	for (size_t i = 0; i < t->n && !m->bad; i++) {
		path_join(&m->path, t->top, t->members[i].dir);
		add_root(m, t->members[i].mod.module, mod_tree_path(t, t->members[i].dir, S("")), NULL);
	}
	for (size_t i = 0; i < m->list.n && !m->bad; i++) {
		const struct built *b = &m->list.v[i];
		const char *name = arena_printf(mem, "%.*s@%.*s", SPAN_ARG(b->path), SPAN_ARG(b->version)),
			   *dir = NULL;
		m->bad |= !name;
		buf_clear(&m->path);
		if (b->new_dir.p)
			dir = mod_tree_path(t, ".", b->new_dir);
		else if (cache && b->source &&
			 mod_cache_dir(cache, b->source->path, b->source->version, &m->path))
			dir = keep_path(m);
		if (dir && name)
			add_root(m, b->path, dir, name);
	}
	if (m->sel->tree->vendor)
		m->vendor = arena_printf(mem, "%s/vendor", t->top);
	m->bad |= m->sel->tree->vendor && !m->vendor;
	return 0;
}

/* ---- packages ---- */

/* As symbols have it: in the last element dots, and anywhere what is no plain byte, as %xx. */
static const char *symbol_of(struct arena *mem, const char *path)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	const char *slash = strrchr(path, '/'), *last = slash ? slash : path;

	for (const char *p = path; *p; p++) {
		unsigned char c = (unsigned char)*p;
		if (c <= ' ' || (c == '.' && p > last) || (c == '.' && !slash) || c == '%' || c == '"' ||
		    c >= 0x7f)
			buf_addf(&b, "%%%02x", c);
		else
			buf_addc(&b, *p);
	}
	buf_adds(&b, "..inittask");
	return b.bad ? NULL : arena_str(mem, buf_view(&b));
}

static struct init_package *add_package(struct making *m, struct span path, bool program)
{
	struct init_graph *g = m->g;

	if (g->n == g->cap && !mem_grow(&g->v, &g->cap, g->n, sizeof(*g->v))) {
		m->bad = true;
		return NULL;
	}
	struct init_package *p = &g->v[g->n];
	*p = (struct init_package){ .path = arena_str(&g->mem, path), .program = program, .turn = SIZE_MAX };
	p->symbol = p->path ? symbol_of(&g->mem, program ? "main" : p->path) : NULL;
	if (!p->symbol || !map_put(&g->by_path, span_of(p->path), (void *)(g->n + 1))) {
		m->bad = true;
		return NULL;
	}
	g->n++;
	return p;
}

static size_t package_at(struct making *m, struct span path)
{
	size_t at = (size_t)map_get(&m->g->by_path, path);

	if (at)
		return at - 1;
	struct init_package *p = add_package(m, path, false);
	return p ? (size_t)(p - m->g->v) : SIZE_MAX;
}

/* What a path in an import line of that package stands for: the library has dependencies of its own. */
static size_t imported(struct making *m, size_t by, struct span path)
{
	struct span first = span_head(path, span_chr(path, '/'));

	if (m->g->v[by].origin == INIT_STD && span_chr(first, '.') != SPAN_NONE) {
		char *inner = arena_printf(&m->g->mem, "vendor/%.*s", SPAN_ARG(path));
		m->bad |= !inner;
		return inner ? package_at(m, span_of(inner)) : SIZE_MAX;
	}
	return package_at(m, path);
}

static void add_import(struct making *m, size_t by, struct span path, size_t cap)
{
	if (span_eq(path, S("C")) || span_eq(path, S("unsafe")) || m->bad)
		return;
	size_t to = imported(m, by, path);
	struct init_package *p = &m->g->v[by]; /* not before: the list may have moved */
	for (size_t i = 0; i < p->n_imports; i++)
		if (p->imports[i] == to)
			return;
	if (to != SIZE_MAX && to != by && p->n_imports < cap)
		p->imports[p->n_imports++] = to;
}

static bool is_one_of(const char *path, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(path, list[i]))
			return true;
	return false;
}

/* The files that cgo makes come behind those of the package, and import these first. */
static void add_cgo(struct making *m, size_t by, size_t cap)
{
	static const char *const none[] = { "runtime/cgo" };
	static const char *const no_syscall[] = { "runtime/cgo", "runtime/race", "runtime/msan",
						  "runtime/asan" };
	const char *path = m->g->v[by].path;
	bool std = m->g->v[by].origin == INIT_STD;

	if (!std || !is_one_of(path, none, ARRAY_LEN(none)))
		add_import(m, by, S("runtime/cgo"), cap);
	if (!std || !is_one_of(path, no_syscall, ARRAY_LEN(no_syscall)))
		add_import(m, by, S("syscall"), cap);
}

static void take_imports(struct making *m, size_t by, const struct act_package *from)
{
	static const enum act_list order[] = { ACT_GO, ACT_CGO };
	size_t cap = 2;

	for (size_t k = 0; k < from->n; k++)
		cap += from->files[k].src->head ? from->files[k].src->head->n_imports : 0;
	size_t *list = arena_alloc(&m->g->mem, cap * sizeof(*list));
	m->bad |= !list;
	if (!list)
		return;
	m->g->v[by].imports = list;
	for (size_t pass = 0; pass < ARRAY_LEN(order); pass++) {
		if (order[pass] == ACT_CGO && from->in[ACT_CGO])
			add_cgo(m, by, cap);
		for (size_t k = 0; k < from->n; k++) {
			const struct gohead *h = from->files[k].src->head;
			for (size_t n = 0; h && from->files[k].list == order[pass] && n < h->n_imports; n++)
				add_import(m, by, h->imports[n].path, cap);
		}
	}
	m->g->edges += m->g->v[by].n_imports;
}

/* ---- what a package does ---- */

struct part { /* of a file */
	struct buf text;
	struct gofile f;
};

/* What matters of a file, as a tree; false: there is nothing, or *unsure. */
static bool read_part(struct making *m, const char *dir, const char *name, struct part *ret, bool *unsure)
{
	CLEANUP(buf_free) struct buf text = { .max = GOFILE_BYTES + 1 };

	buf_clear(&m->path);
	path_join(&m->path, dir, name);
	if (m->path.bad || file_slurp_regular(m->path.p, &text, NULL) < 0) {
		*unsure = true;
		return false;
	}
	go_init_part(buf_view(&text), &ret->text);
	if (!ret->text.bad &&
	    (!ret->text.len || gofile_parse(m->parser, buf_view(&ret->text), &ret->f, NULL) == 0))
		return ret->text.len > 0;
	*unsure = true;
	return false;
}

/* The data of Go's own validated cryptography is hashed, so it holds no addresses (1.24 and newer). */
static bool in_fips(const struct making *m, const struct init_package *p)
{
	struct span path = span_of(p->path);

	return m->sel->target->go >= 24 && p->origin == INIT_STD &&
	       span_starts(path, S("crypto/internal/fips140/")) &&
	       !span_starts(path, S("crypto/internal/fips140/check"));
}

static void read_work(struct making *m, size_t at, const char *dir, const struct act_package *from)
{
	struct init_does does = { 0 };
	struct map vars = { 0 };
	struct part *parts = mem_zalloc((from->n + 1) * sizeof(*parts));
	struct init_package *p = &m->g->v[at];
	size_t n = 0;

	m->bad |= !parts;
	for (size_t k = 0; k < from->n && parts; k++)
		if (from->files[k].list == ACT_GO || from->files[k].list == ACT_CGO) {
			bool got = read_part(m, dir, from->files[k].src->name, &parts[n], &does.unsure);
			m->bad |= got && !go_init_variables(&parts[n].f, &vars);
			n++;
		}
	for (size_t k = 0; k < n; k++)
		if (parts[k].f.tree)
			go_init_does(&parts[k].f, &vars, in_fips(m, p), &does);
	for (size_t k = 0; k < n; k++) {
		gofile_free(&parts[k].f);
		buf_free(&parts[k].text);
	}
	map_free(&vars);
	mem_free(parts);
	p->functions = does.functions;
	p->variables = does.variables;
	p->work = does.functions || does.variables ? INIT_RUNS : does.unsure ? INIT_UNSURE : INIT_NOTHING;
}

static void limit(struct making *m, const char *text)
{
	m->bad |= !text || !list_add(&m->g->mem, &m->g->limits, text);
}

/* A package that lies outside of the tree that was read: its folder alone. */
static void load(struct making *m, size_t at)
{
	struct src_options o = { .flat = true, .threads = 1, .work = "off", .go = m->sel->target->go };
	CLEANUP(src_tree_free) struct src_tree tree = { 0 };
	CLEANUP(selection_free) struct selection sel = { 0 };
	struct err e = { 0 };
	struct init_package *p = &m->g->v[at];

	p->work = INIT_UNSURE;
	if (!p->dir && !find_package(m, p)) {
		limit(m, arena_printf(&m->g->mem,
				      TR("%s was not found: what it imports is not known",
					 "找不到 %s：不知道它导入什么"),
				      p->path));
		return;
	}
	if (src_tree_read(p->dir, &o, &tree, &e) < 0 || select_files(&tree, m->sel->target, &sel, &e) < 0) {
		m->bad |= e.code == ENOMEM;
		limit(m, arena_printf(&m->g->mem, "%s: %s", p->path, e.msg));
		return;
	}
	const char *dir = p->dir; /* p may move */
	take_imports(m, at, &sel.packages[0]);
	if (!m->bad)
		read_work(m, at, dir, &sel.packages[0]);
}

static bool add_programs(struct making *m)
{
	struct init_graph *g = m->g;

	g->programs = arena_alloc(&g->mem, (m->sel->n + 1) * sizeof(*g->programs));
	for (size_t i = 0; g->programs && i < m->sel->n && !m->bad; i++) {
		const struct act_package *a = &m->sel->packages[i];
		if (a->state != PKG_FINE || !a->listed || a->dir->vendored || !span_eq(a->name, S("main")))
			continue;
		struct init_package *p =
			add_package(m, span_of(a->dir->import ? a->dir->import : a->dir->path), true);
		if (!p)
			break;
		buf_clear(&m->path);
		path_join(&m->path, m->sel->tree->root, a->dir->path);
		p->dir = keep_path(m);
		g->programs[g->n_programs++] = (size_t)(p - g->v);
	}
	m->bad |= !g->programs;
	return g->n_programs > 0;
}

/* The longest way from a program: packages import each other in no circle, so every import lies one level deeper at least. */
static void find_levels(struct init_graph *g)
{
	bool moved = true;

	for (size_t round = 0; moved && round < LEVELS_MAX; round++) {
		moved = false;
		for (size_t i = 0; i < g->n; i++)
			for (size_t k = 0; k < g->v[i].n_imports; k++) {
				struct init_package *to = &g->v[g->v[i].imports[k]];
				if (to->level <= g->v[i].level) {
					to->level = g->v[i].level + 1;
					moved = true;
				}
			}
	}
}

static int make(struct making *m, struct err *e)
{
	struct init_graph *g = m->g;

	if (!m->env->root)
		return err_set(e, ENOENT,
			       TR("there is no Go here, so its library cannot be read",
				  "此处没有 Go，无法读取其标准库"));
	int r = gosyntax_open(&m->parser, e);
	if (r == 0)
		r = find_roots(m, e);
	if (r < 0)
		return r;
	if (!add_programs(m) && !m->bad)
		return err_set(e, ENOENT,
			       TR("there is no program in %s that %s builds", "%s 中没有可为 %s 构建的程序"),
			       m->sel->tree->root, g->target);
	if (!m->bad)
		package_at(m, S("runtime")); /* every program has it */
	for (size_t at = 0; at < g->n && !m->bad; at++) {
		if (g->n > INIT_PACKAGES_MAX)
			return err_set(e, EFBIG, TR("more than %d packages", "超过 %d 个包"),
				       INIT_PACKAGES_MAX);
		load(m, at);
	}
	if (!m->bad)
		find_levels(g);
	return m->bad ? err_set(e, ENOMEM, TR("no memory for the import graph", "内存不足，无法建立导入图"))
		      : 0;
}

int init_graph_make(const struct selection *sel, const struct target_env *env, struct init_graph *ret,
		    struct err *e)
{
	*ret = (struct init_graph){ .target = sel->target->name,
				    .version = sel->target->version,
				    .by_name = sel->target->go >= 21 };
	struct making m = { .g = ret, .sel = sel, .env = env };
	int r = make(&m, e);

	syntax_close(m.parser);
	build_list_free(&m.list);
	buf_free(&m.path);
	if (r < 0)
		init_graph_free(ret);
	return r;
}

void init_graph_free(struct init_graph *g)
{
	mem_free(g->v);
	map_free(&g->by_path);
	arena_free(&g->mem);
	*g = (struct init_graph){ 0 };
}

void init_graph_free_cleanup(struct init_graph *g)
{
	init_graph_free(g);
}
