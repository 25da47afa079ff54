#include "mod/tree.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"

/* Appends the way from the absolute directory `from` to the absolute path `to`, by their names alone. */
static void relative(struct buf *ret, const char *from, const char *to)
{
	size_t same = 0, i = 0;

	for (; from[i] && from[i] == to[i]; i++) {
		if (from[i] == '/')
			same = i;
	}
	if ((!from[i] && (to[i] == '/' || !to[i])) || (!to[i] && from[i] == '/'))
		same = i;
	for (const char *p = from + same; *p; p++) {
		if (*p == '/' && p[1])
			buf_adds(ret, "../");
	}
	const char *rest = to + same + (to[same] == '/');
	buf_adds(ret, rest);
	if (ret->len && !*rest)
		ret->p[--ret->len] = '\0'; /* "../" */
	if (!ret->len)
		buf_addc(ret, '.');
}

/* Without "." and ".." and doubled slashes; path is absolute. */
static void clean(struct buf *ret, const char *path)
{
	for (struct span rest = span_of(path); rest.n;) {
		struct span word = span_cut(&rest, '/');
		if (!word.n || span_eq(word, S(".")))
			continue;
		if (span_eq(word, S(".."))) {
			size_t at = span_rchr(buf_view(ret), '/');
			ret->len = at == SPAN_NONE ? 0 : at;
			continue;
		}
		buf_addc(ret, '/');
		buf_span(ret, word);
	}
	if (!ret->len)
		buf_addc(ret, '/');
	if (!ret->bad)
		ret->p[ret->len] = '\0'; /* what ".." took away may stand behind it */
}

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

static const char *joined(struct mod_tree *t, const char *dir, const char *name)
{
	CLEANUP(buf_free) struct buf all = { 0 };
	CLEANUP(buf_free) struct buf b = { 0 };

	path_join(&all, dir, name);
	if (!all.bad)
		clean(&b, buf_str(&all));
	return all.bad || b.bad ? NULL : arena_str(&t->mem, buf_view(&b));
}

char *mod_tree_path(struct mod_tree *t, const char *dir, struct span name)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	if (!name.n || name.p[0] != '/')
		buf_addf(&b, "%s/", dir);
	buf_span(&b, name);
	return b.bad ? NULL : (char *)joined(t, t->top, b.p);
}

static const char *way(struct mod_tree *t, const char *from, const char *to)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	relative(&b, from, to);
	return b.bad ? NULL : arena_str(&t->mem, buf_view(&b));
}

static int read_file(struct mod_tree *t, const char *dir, const char *name, struct mod_source *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf b = { .max = MOD_FILE_MAX };
	const char *path = joined(t, dir, name);

	*ret = (struct mod_source){ 0 };
	if (path) {
		ret->name = way(t, t->top, path);
		ret->shown = way(t, t->dir, path);
	}
	if (!ret->name || !ret->shown)
		return no_memory(e);
	int r = file_slurp(path, &b, e);
	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r == -EFBIG)
		return err_set(e, EFBIG, TR("%s is larger than 1 GiB: it is not read", "%s 超过 1 GiB：不予读取"), ret->shown);
	if (r < 0)
		return r;
	ret->text = b.len ? arena_span(&t->mem, buf_view(&b)) : S("");
	return ret->text.p ? 0 : no_memory(e);
}

int mod_tree_read(struct mod_tree *t, const char *name, struct mod_source *ret, struct err *e)
{
	return read_file(t, t->top, name, ret, e);
}

bool mod_tree_inside(struct mod_tree *t, const char *name, const char *root)
{
	char real[PATH_MAX];
	size_t n = strlen(root);
	const char *path = joined(t, t->top, name);

	if (!path)
		return false;
	if (realpath(path, real))
		path = real;
	return !strncmp(path, root, n) && (!path[n] || path[n] == '/' || !strcmp(root, "/"));
}

/* The directory at or above dir that holds name; NULL: none. */
static const char *above(struct mod_tree *t, const char *dir, const char *name)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	struct span at = span_of(dir);

	for (;;) {
		buf_clear(&path);
		buf_addf(&path, "%.*s/%s", at.n > 1 ? (int)at.n : 0, at.p, name);
		if (!path.bad && access(buf_str(&path), F_OK) == 0)
			return arena_str(&t->mem, at);
		if (at.n <= 1)
			return NULL;
		at = path_dir(at);
	}
}

static int read_member(struct mod_tree *t, struct mod_member *m, const char *dir, struct err *e)
{
	m->dir = way(t, t->top, dir);
	int r = m->dir ? read_file(t, dir, "go.mod", &m->go_mod, e) : no_memory(e);
	if (r == 0)
		r = read_file(t, dir, "go.sum", &m->go_sum, e);
	if (r == 0)
		r = read_file(t, dir, "vendor/modules.txt", &m->modules_txt, e);
	if (r == 0 && m->go_mod.text.p)
		r = modfile_read(m->go_mod.text, MODFILE_MAIN, &m->mod, e);
	return r;
}

static int read_work(struct mod_tree *t, const char *file, struct err *e)
{
	int r = read_file(t, t->top, file, &t->go_work, e);

	if (r == 0 && !t->go_work.text.p)
		r = err_set(e, ENOENT, TR("GOWORK names %s, which does not exist", "GOWORK 指向的 %s 不存在"), file);
	if (r == 0)
		r = read_file(t, t->top, "go.work.sum", &t->work_sum, e);
	if (r == 0)
		r = read_file(t, t->top, "vendor/modules.txt", &t->work_modules_txt, e);
	if (r == 0)
		r = modfile_read(t->go_work.text, MODFILE_WORK, &t->work, e);
	if (r < 0)
		return r;
	t->members = arena_alloc(&t->mem, (t->work.n + 1) * sizeof(*t->members));
	if (!t->members)
		return no_memory(e);
	for (size_t i = 0; i < t->work.n && r == 0; i++) {
		const struct mod_line *l = &t->work.lines[i];
		if (l->verb != MOD_USE)
			continue;
		const char *name = arena_str(&t->mem, l->path);
		const char *dir = name ? joined(t, t->top, name) : NULL;
		struct mod_member *m = &t->members[t->n++];
		m->line = l->line;
		r = dir ? read_member(t, m, dir, e) : no_memory(e);
	}
	return r;
}

static int read_single(struct mod_tree *t, struct err *e)
{
	t->top = above(t, t->dir, "go.mod");
	if (!t->top)
		return err_set(e, ENOENT, TR("there is no go.mod at or above %s: go to the module's folder, or make one with: go mod init", "%s 及其上级目录中没有 go.mod：请进入模块所在目录，或用 go mod init 创建"), t->dir);
	t->members = arena_alloc(&t->mem, sizeof(*t->members));
	if (!t->members)
		return no_memory(e);
	t->n = 1;
	return read_member(t, &t->members[0], t->top, e);
}

static int open_tree(struct mod_tree *t, const char *dir, const char *gowork, struct err *e)
{
	char real[PATH_MAX];

	if (!realpath(dir ? dir : ".", real))
		return err_set(e, errno, TR("open '%s': %m", "无法打开“%s”：%m"), dir ? dir : ".");
	t->dir = arena_str(&t->mem, span_of(real));
	if (!t->dir)
		return no_memory(e);
	if (gowork && !strcmp(gowork, "off"))
		return read_single(t, e);
	if (gowork && *gowork) {
		t->top = arena_str(&t->mem, path_dir(span_of(gowork)));
		return t->top && gowork[0] == '/' ? read_work(t, gowork, e) : err_set(e, EINVAL, TR("GOWORK must be off or an absolute path: %s", "GOWORK 必须是 off 或绝对路径：%s"), gowork);
	}
	t->top = above(t, t->dir, "go.work");
	return t->top ? read_work(t, "go.work", e) : read_single(t, e);
}

int mod_tree_open(const char *dir, const char *gowork, struct mod_tree *ret, struct err *e)
{
	*ret = (struct mod_tree){ 0 };
	int r = open_tree(ret, dir, gowork, e);
	if (r < 0)
		mod_tree_close(ret);
	return r;
}

void mod_tree_close(struct mod_tree *t)
{
	for (size_t i = 0; i < t->n; i++)
		modfile_free(&t->members[i].mod);
	modfile_free(&t->work);
	arena_free(&t->mem);
	*t = (struct mod_tree){ 0 };
}

void mod_tree_close_cleanup(struct mod_tree *t)
{
	mod_tree_close(t);
}
