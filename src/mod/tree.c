#include "mod/tree.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
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

static int read_up_to(struct mod_tree *t, const char *dir, const char *name, size_t held, struct mod_source *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf b = { .max = held };
	const char *path = joined(t, dir, name);
	struct stat st;

	*ret = (struct mod_source){ 0 };
	if (path) {
		ret->name = way(t, t->top, path);
		ret->shown = way(t, t->dir, path);
	}
	if (!ret->name || !ret->shown)
		return no_memory(e);
	int r = file_slurp_regular(path, &b, e);
	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r == -EFBIG && held < MOD_FILE_MAX) {
		ret->large = path;
		ret->text = S("");
		ret->size = stat(path, &st) == 0 ? st.st_size : 0;
		return 0;
	}
	if (r == -EFBIG)
		return err_set(e, EFBIG, TR("%s is larger than 1 GiB: it is not read", "%s 超过 1 GiB：不予读取"), ret->shown);
	if (r < 0)
		return r;
	ret->text = b.len ? arena_span(&t->mem, buf_view(&b)) : S("");
	ret->size = (int64_t)b.len;
	return ret->text.p ? 0 : no_memory(e);
}

static int read_file(struct mod_tree *t, const char *dir, const char *name, struct mod_source *ret, struct err *e)
{
	return read_up_to(t, dir, name, MOD_FILE_MAX, ret, e);
}

static int read_sum(struct mod_tree *t, const char *dir, const char *name, struct mod_source *ret, struct err *e)
{
	return read_up_to(t, dir, name, MOD_SUM_HELD, ret, e);
}

int mod_tree_read(struct mod_tree *t, const char *name, struct mod_source *ret, struct err *e)
{
	return read_file(t, t->top, name, ret, e);
}

/* realpath(3) of many neighbours: their folder is resolved once. false: there is no such path. */
static bool resolve(struct mod_tree *t, const char *path, char real[PATH_MAX])
{
	struct span dir = path_dir(span_of(path));
	const char *name = strrchr(path, '/') + 1;
	char to;

	if (!t->parent || !span_eq(dir, span_of(t->parent))) {
		t->parent = arena_str(&t->mem, dir);
		t->real_parent = t->parent && realpath(t->parent, real) ? arena_str(&t->mem, span_of(real)) : NULL;
	}
	if (t->real_parent && *name && snprintf(real, PATH_MAX, "%s/%s", t->real_parent, name) < PATH_MAX && readlink(real, &to, 1) < 0 && errno == EINVAL)
		return true; /* it is there, and no link */
	return realpath(path, real);
}

bool mod_tree_inside(struct mod_tree *t, const char *name, const char *root)
{
	char real[PATH_MAX];
	size_t n = strlen(root);
	const char *path = joined(t, t->top, name);

	if (!path)
		return false;
	if (resolve(t, path, real))
		path = real;
	return !strncmp(path, root, n) && (!path[n] || path[n] == '/' || !strcmp(root, "/"));
}

/* The directory at or above dir that holds name: 1; 0: none; or -ENOMEM. */
static int above(struct mod_tree *t, const char *dir, const char *name, const char **ret)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	struct span at = span_of(dir);

	*ret = NULL;
	for (;;) {
		buf_clear(&path);
		buf_addf(&path, "%.*s/%s", at.n > 1 ? (int)at.n : 0, at.p, name);
		if (path.bad)
			return -ENOMEM;
		if (access(buf_str(&path), F_OK) == 0) {
			*ret = arena_str(&t->mem, at);
			return *ret ? 1 : -ENOMEM;
		}
		if (at.n <= 1)
			return 0;
		at = path_dir(at);
	}
}

static int read_member(struct mod_tree *t, struct mod_member *m, const char *dir, struct err *e)
{
	m->dir = way(t, t->top, dir);
	int r = m->dir ? read_file(t, dir, "go.mod", &m->go_mod, e) : no_memory(e);
	if (r == 0)
		r = read_sum(t, dir, "go.sum", &m->go_sum, e);
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
		r = read_sum(t, t->top, "go.work.sum", &t->work_sum, e);
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

struct span mod_flag(const char *flags, const char *name)
{
	struct span ret = { 0 };

	for (struct span rest = span_of(flags); rest.n;) {
		struct span word = span_trim(span_cut(&rest, ' ')), value = word, key = span_cut(&value, '=');
		if (!span_skip(&key, S("--")) && !span_skip(&key, S("-")))
			continue;
		if (span_eq(key, span_of(name)) && span_chr(word, '=') != SPAN_NONE)
			ret = value;
	}
	return ret;
}

/* What -modfile names is read in place of go.mod, and what it is called in place of go.sum. */
static int read_modfile(struct mod_tree *t, struct span file, struct err *e)
{
	struct mod_member *m = &t->members[0];
	struct span stem = span_ends(file, S(".mod")) ? span_head(file, file.n - 4) : (struct span){ 0 };
	const char *name = arena_str(&t->mem, file), *sum = stem.p ? arena_printf(&t->mem, "%.*s.sum", SPAN_ARG(stem)) : NULL;

	if (!name || (stem.p && !sum))
		return no_memory(e);
	if (!sum)
		return err_set(e, EINVAL, TR("GOFLAGS has -modfile=%s, which go refuses: its name does not end in .mod", "GOFLAGS 含有 -modfile=%s，go 不接受：文件名不以 .mod 结尾"), name);
	modfile_free(&m->mod);
	int r = read_file(t, t->dir, name, &m->go_mod, e);
	if (r == 0 && !m->go_mod.text.p)
		r = err_set(e, ENOENT, TR("GOFLAGS has -modfile=%s, which does not exist here", "GOFLAGS 含有 -modfile=%s，但此处没有该文件"), name);
	if (r == 0)
		r = read_sum(t, t->dir, sum, &m->go_sum, e);
	return r < 0 ? r : modfile_read(m->go_mod.text, MODFILE_MAIN, &m->mod, e);
}

static int read_single(struct mod_tree *t, struct err *e)
{
	int found = above(t, t->dir, "go.mod", &t->top);
	if (found < 0)
		return no_memory(e);
	if (!found)
		return err_set(e, ENOENT,
			       TR("there is no go.mod at or above %s: go to the module's folder, or make one with: go mod init",
				  "%s 及其上级目录中没有 go.mod：请进入模块所在目录，或用 go mod init 创建"),
			       t->dir);
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
		return t->top && gowork[0] == '/'
			       ? read_work(t, gowork, e)
			       : err_set(e, EINVAL, TR("GOWORK must be off or an absolute path: %s", "GOWORK 必须是 off 或绝对路径：%s"),
					 gowork);
	}
	int found = above(t, t->dir, "go.work", &t->top);
	return found < 0 ? no_memory(e) : found ? read_work(t, "go.work", e) : read_single(t, e);
}

int mod_tree_open(const char *dir, const char *gowork, struct mod_tree *ret, struct err *e)
{
	return mod_tree_open_flags(dir, gowork, NULL, ret, e);
}

int mod_tree_open_flags(const char *dir, const char *gowork, const char *flags, struct mod_tree *ret, struct err *e)
{
	struct span file = mod_flag(flags, "modfile");

	*ret = (struct mod_tree){ 0 };
	int r = open_tree(ret, dir, gowork, e);
	if (r == 0 && file.n && !ret->go_work.text.p)
		r = read_modfile(ret, file, e);
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
