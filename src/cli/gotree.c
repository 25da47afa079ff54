#include "cli/gotree.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/path.h"
#include "parse/modfile.h"

#define ENTRIES_MAX 500000
#define DEPTH_MAX   64
#define FILE_MAX    (8 << 20)

/* ---- files ---- */

static const char *join(struct gotree *t, const char *dir, const char *name)
{
	char *path = *dir ? arena_printf(&t->mem, "%s/%s", dir, name) : arena_str(&t->mem, span_of(name));

	t->no_memory |= !path;
	return path;
}

bool gotree_slurp(struct gotree *t, const char *relative, struct buf *ret)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	struct stat st;

	path_join(&path, t->root, relative);
	buf_clear(ret);
	ret->max = FILE_MAX;
	if (path.bad) {
		t->no_memory = true;
		return false;
	}
	if (stat(path.p, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	int r = file_slurp(path.p, ret, NULL);
	t->no_memory |= r == -ENOMEM;
	t->unread |= r < 0 && r != -ENOENT;
	return r == 0;
}

/* NULL: it is not there. */
static DIR *open_dir(struct gotree *t, const char *relative)
{
	CLEANUP(buf_free) struct buf full = { 0 };

	path_join(&full, t->root, relative);
	t->no_memory |= full.bad;
	DIR *d = full.bad ? NULL : opendir(full.p);
	t->unread |= !d && !full.bad && errno != ENOENT && errno != ENOTDIR;
	return d;
}

static bool is_test_file(const char *name)
{
	return name[0] != '.' && name[0] != '_' && span_ends(span_of(name), S("_test.go"));
}

/* As `./...` of the go command. */
static bool is_skipped(const char *name)
{
	return name[0] == '.' || name[0] == '_' || !strcmp(name, "testdata") || !strcmp(name, "vendor") || !strcmp(name, "node_modules");
}

static struct gotree_dir *dir_of(struct gotree *t, const char *path)
{
	struct gotree_dir *d = map_get(&t->by_path, span_of(path));

	if (d)
		return d;
	d = arena_alloc(&t->mem, sizeof(*d));
	if (!d || !mem_grow(&t->dirs, &t->cap_dirs, t->n_dirs, sizeof(*t->dirs)) || !map_put(&t->by_path, span_of(path), d)) {
		t->no_memory = true;
		return NULL;
	}
	d->path = path;
	t->dirs[t->n_dirs++] = d;
	return d;
}

static void add_module(struct gotree *t, const char *dir)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	const char *path = join(t, dir, "go.mod");

	if (!path || !gotree_slurp(t, path, &text))
		return;
	struct span name = modfile_module(buf_view(&text));
	if (!name.n)
		return;
	name = arena_span(&t->mem, name);
	if (!name.p || !mem_grow(&t->modules, &t->cap_modules, t->n_modules, sizeof(*t->modules)))
		t->no_memory = true;
	else
		t->modules[t->n_modules++] = (struct gotree_module){ name, dir };
}

static void walk(struct gotree *t, const char *dir, int depth)
{
	DIR *d = depth > DEPTH_MAX ? NULL : open_dir(t, dir);
	struct dirent *e;

	while (d && (e = readdir(d)) && !t->no_memory) {
		t->cut |= ++t->entries > ENTRIES_MAX;
		if (t->cut)
			break;
		if (e->d_type == DT_DIR && !is_skipped(e->d_name)) {
			const char *sub = join(t, dir, e->d_name);
			if (sub)
				walk(t, sub, depth + 1);
		} else if (e->d_type != DT_DIR && is_test_file(e->d_name)) {
			dir_of(t, dir);
		} else if (!strcmp(e->d_name, "go.mod")) {
			add_module(t, dir);
		}
	}
	if (d)
		closedir(d);
}

static int by_dir(const void *a, const void *b)
{
	const struct gotree_dir *const *x = a, *const *y = b;

	return strcmp((*x)->path, (*y)->path);
}

void gotree_open(const char *root, struct gotree *ret)
{
	*ret = (struct gotree){ .root = root };
	walk(ret, "", 0);
	if (ret->n_dirs)
		qsort(ret->dirs, ret->n_dirs, sizeof(struct gotree_dir *), by_dir);
}

void gotree_close(struct gotree *t)
{
	for (size_t i = 0; i < t->n_dirs; i++)
		mem_free(t->dirs[i]->tests);
	mem_free(t->dirs);
	mem_free(t->modules);
	map_free(&t->by_path);
	arena_free(&t->mem);
	*t = (struct gotree){ 0 };
}

/* ---- packages ---- */

/* Does path lie in base, on whole elements? *rest is what is below, without a slash. */
static bool below(struct span path, struct span base, struct span *rest)
{
	if (!span_starts(path, base))
		return false;
	*rest = span_from(path, base.n);
	return !base.n || !rest->n || span_skip(rest, S("/"));
}

/* The import path of a folder: that of the nearest module above it. */
static struct span package_of(struct gotree *t, const char *dir)
{
	const struct gotree_module *best = NULL;
	struct span rest, below_best = { 0 };

	for (size_t i = 0; i < t->n_modules; i++) {
		const struct gotree_module *m = &t->modules[i];
		if (!below(span_of(dir), span_of(m->dir), &rest) || (best && strlen(best->dir) > strlen(m->dir)))
			continue;
		best = m;
		below_best = rest;
	}
	if (!best)
		return (struct span){ 0 };
	if (!below_best.n)
		return best->path;
	struct span path = span_of(arena_printf(&t->mem, "%.*s/%.*s", SPAN_ARG(best->path), SPAN_ARG(below_best)));
	t->no_memory |= !path.p;
	return path;
}

/* The folder of an import path, or NULL; the longest module path wins. */
static const char *package_dir(struct gotree *t, struct span package)
{
	const struct gotree_module *best = NULL;
	struct span rest, below_best = { 0 };

	if (span_skip(&package, S("./")) || span_eq(package, S("."))) {
		char *path = arena_str(&t->mem, span_eq(package, S(".")) ? S("") : package);
		t->no_memory |= !path;
		return path;
	}
	for (size_t i = 0; i < t->n_modules; i++) {
		const struct gotree_module *m = &t->modules[i];
		if (!below(package, m->path, &rest) || (best && best->path.n > m->path.n))
			continue;
		best = m;
		below_best = rest;
	}
	if (!best)
		return NULL;
	if (!below_best.n)
		return best->dir;
	char *rest_path = arena_str(&t->mem, below_best);
	t->no_memory |= !rest_path;
	return rest_path ? join(t, best->dir, rest_path) : NULL;
}

/* ---- test functions ---- */

static void read_file(struct gotree *t, struct gotree_dir *d, const char *name, struct buf *text)
{
	const char *path = join(t, d->path, name);

	if (!path || !gotree_slurp(t, path, text))
		return;
	struct gofuncs at = { .rest = buf_view(text) };
	struct gofunc f;
	struct span build = { 0 };
	while (gofunc_next(&at, &f) && !t->no_memory) {
		if (f.kind == GOFUNC_OTHER)
			continue;
		if (at.build.p && !build.p)
			build = arena_span(&t->mem, at.build);
		struct span function = arena_span(&t->mem, f.name);
		if (!function.p || (at.build.p && !build.p) || !mem_grow(&d->tests, &d->cap, d->n, sizeof(*d->tests)))
			t->no_memory = true;
		else
			d->tests[d->n++] = (struct gotree_test){ d->package, span_of(path), function, build, f.line };
	}
}

static void read_dir(struct gotree *t, struct gotree_dir *d)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct dirent *e;

	if (d->read)
		return;
	d->read = true;
	d->package = package_of(t, d->path);
	DIR *all = open_dir(t, d->path);
	while (all && (e = readdir(all)) && !t->no_memory) {
		if (is_test_file(e->d_name))
			read_file(t, d, e->d_name, &text);
	}
	if (all)
		closedir(all);
}

static size_t find_in(struct gotree *t, struct gotree_dir *d, struct span function, const struct gotree_test **ret, size_t n, size_t max)
{
	read_dir(t, d);
	for (size_t i = 0; i < d->n; i++) {
		if (!span_eq(d->tests[i].function, function))
			continue;
		if (n < max)
			ret[n] = &d->tests[i];
		n++;
	}
	return n;
}

static bool leads_out(struct span path)
{
	for (struct span rest = path; rest.n;) {
		if (span_eq(span_cut(&rest, '/'), S("..")))
			return true;
	}
	return false;
}

size_t gotree_find(struct gotree *t, const struct gotest_name *name, const struct gotree_test **ret, size_t max, const char **why)
{
	size_t n = 0;

	*why = TR("no such test function in this source tree", "源码树中没有这个测试函数");
	if (!name->package.n) {
		for (size_t i = 0; i < t->n_dirs; i++)
			n = find_in(t, t->dirs[i], name->function, ret, n, max);
		return n;
	}
	const char *path = leads_out(name->package) ? NULL : package_dir(t, name->package);
	if (!path) {
		*why = TR("no module of this source tree has that package", "源码树中没有任何模块包含该包");
		return 0;
	}
	struct gotree_dir *d = dir_of(t, path);
	if (d)
		n = find_in(t, d, name->function, ret, 0, max);
	if (d && !n)
		*why = d->n ? TR("the package has no such test function", "该包中没有这个测试函数") : TR("the package has no tests, or is gone", "该包没有测试，或已不存在");
	return n;
}
