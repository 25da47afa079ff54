#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "check/lint_own.h"

/*
 * Which files are looked at. Links are not followed, so that there is no end that is not reached; a path that was named is. Where
 * only a part of a project is asked for, what the rest of it says counts all the same: the other files of a package, and what pipelines
 * run, are looked at for their facts.
 */
#define DEPTH_MAX  200 /* folders below one another */
#define LIMITS_MAX 100 /* folders that cannot be read, by name */

struct finder {
	const struct lint_options *o;
	struct arena *mem;
	struct lint_tasks *to;
	struct map folders; /* with Go files whose findings are wanted */
	bool told, flat;
};

static bool skipped_folder(const char *name)
{
	static const char *const hidden[] = { ".github",  ".gitea",    ".forgejo",    ".gitlab", ".gitlab-ci",
					      ".yunxiao", ".flow",     ".woodpecker", ".drone",  ".workflow",
					      ".husky",   ".githooks", ".ci" };
	static const char *const passed[] = { "node_modules", "vendor", "testdata" };

	for (size_t i = 0; i < ARRAY_LEN(passed); i++)
		if (!strcmp(name, passed[i]))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(hidden); i++)
		if (!strcmp(name, hidden[i]))
			return false;
	return *name == '.' || *name == '_';
}

const struct lint_kind *lint_kind_of(const char *path, struct span head, bool *ask)
{
	*ask = false;
	for (size_t i = 0; i < lint_kind_count; i++) {
		if (lint_kinds[i].is(path, head))
			return &lint_kinds[i];
		*ask |= lint_kinds[i].needs_head;
	}
	return NULL;
}

static void say_limit(struct finder *x, const char *path, const char *why)
{
	struct lint_tasks *t = x->to;

	if (!x->told || t->n_limits >= LIMITS_MAX)
		return;
	const char *text = arena_printf(x->mem, TR("%s: not looked at: %s", "%s：未检查：%s"), path, why);
	if (!text || !mem_grow(&t->limits, &t->cap_limits, t->n_limits, sizeof(*t->limits)))
		t->bad = true;
	else
		t->limits[t->n_limits++] = text;
}

static bool is_excluded(const struct finder *x, const char *path)
{
	for (size_t i = 0; i < x->o->exclude.n; i++)
		if (text_glob(x->o->exclude.v[i], span_of(path)))
			return true;
	return false;
}

static bool is_go_file(const struct lint_kind *kind)
{
	return kind && kind->language == RULE_GO;
}

static void add_task(struct finder *x, const char *path, int go, bool named)
{
	bool ask;
	const struct lint_kind *kind = lint_kind_of(path, (struct span){ 0 }, &ask);
	struct span name = path_base(span_of(path));
	struct lint_tasks *t = x->to;

	/* Only a file without an extension is opened to see what it is, unless it was asked for. */
	if (!kind && !named && (!ask || span_chr(name, '.') != SPAN_NONE))
		return;
	if (!x->told && is_go_file(kind) && !map_get(&x->folders, path_dir(span_of(path))))
		return;
	if (is_excluded(x, path)) {
		t->excluded += x->told;
		return;
	}
	char *copy = arena_str(x->mem, span_of(path));
	if (!copy || !mem_grow(&t->v, &t->cap, t->n, sizeof(*t->v))) {
		t->bad = true;
		return;
	}
	t->v[t->n++] = (struct lint_task){ copy, go, kind, x->told };
	if (x->told && is_go_file(kind))
		t->bad |= !map_put(&x->folders, path_dir(span_of(copy)), copy);
}

/* N of 1.N of the folder's go.mod; `above` when it has none. */
static int go_of(struct finder *x, const char *dir, int above)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	CLEANUP(buf_free) struct buf text = { .max = 1 << 20 };
	struct err e;

	path_join(&path, x->o->root, dir);
	buf_adds(&path, "/go.mod");
	int r = path.bad ? -ENOMEM : file_slurp_regular(buf_str(&path), &text, &e);
	x->to->bad |= r == -ENOMEM;
	if (r < 0) {
		/* What is not said of its go line would be judged by another. */
		if (r != -ENOENT && r != -ENOTDIR && r != -ENOMEM)
			say_limit(x, dir, e.msg);
		return above;
	}
	for (struct span rest = buf_view(&text); rest.n;) {
		struct span line = span_trim(span_cut(&rest, '\n'));
		if (span_skip(&line, S("go 1."))) {
			int64_t minor = 0;
			size_t n = 0;
			while (n < line.n && line.p[n] >= '0' && line.p[n] <= '9')
				n++;
			if (span_int(span_head(line, n), &minor) && minor < 1000)
				return (int)minor;
		}
	}
	return 16; /* without a go line: https://go.dev/ref/mod#go-mod-file-go */
}

static void add_folder(struct finder *x, const char *dir, int go, int depth);

/* DT_REG, DT_DIR, or another; most file systems say it without being asked again. */
static unsigned char kind_of(int fd, const struct dirent *e)
{
	struct stat s;

	if (e->d_type != DT_UNKNOWN || fstatat(fd, e->d_name, &s, AT_SYMLINK_NOFOLLOW) < 0)
		return e->d_type;
	return S_ISREG(s.st_mode) ? DT_REG : S_ISDIR(s.st_mode) ? DT_DIR : DT_UNKNOWN;
}

static void add_entry(struct finder *x, const char *dir, int fd, const struct dirent *e, int go, int depth)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	const char *name = e->d_name;
	unsigned char kind = kind_of(fd, e);

	if (!strcmp(name, ".") || !strcmp(name, "..") || (kind != DT_REG && kind != DT_DIR))
		return;
	if (strcmp(dir, ".") != 0)
		buf_addf(&path, "%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/");
	buf_adds(&path, name);
	x->to->bad |= path.bad;
	if (kind == DT_REG)
		add_task(x, buf_str(&path), go, false);
	else if (!x->flat && !skipped_folder(name) && !is_excluded(x, buf_str(&path)))
		add_folder(x, buf_str(&path), go, depth + 1);
}

static void add_folder(struct finder *x, const char *dir, int go, int depth)
{
	CLEANUP(buf_free) struct buf path = { 0 };

	if (depth > DEPTH_MAX) {
		say_limit(x, dir, TR("too many folders below one another", "目录嵌套过深"));
		return;
	}
	path_join(&path, x->o->root, dir);
	x->to->bad |= path.bad;
	DIR *d = path.bad ? NULL : opendir(buf_str(&path));
	if (!d) {
		say_limit(x, dir, strerror(errno));
		return;
	}
	go = go_of(x, dir, go);
	for (struct dirent *e; (e = readdir(d)) && !x->to->bad;)
		add_entry(x, dir, dirfd(d), e, go, depth);
	closedir(d);
}

/* The go line that holds in the folder of a path that was named. */
static int go_above(struct finder *x, struct span dir)
{
	int go = go_of(x, ".", 0);

	for (size_t i = 0; i <= dir.n; i++) {
		char part[4096];
		if ((i == dir.n || dir.p[i] == '/') && i < sizeof(part)) {
			memcpy(part, dir.p, i);
			part[i] = 0;
			go = go_of(x, *part ? part : ".", go);
		}
	}
	return go;
}

/* Without ".", "..", and double slashes, as far as the words alone tell. */
static bool plain_path(const char *path, struct buf *ret)
{
	struct span rest = span_of(path);

	buf_adds(ret, *path == '/' ? "/" : "");
	size_t top = ret->len; /* what lies before it is not taken back */
	while (rest.n) {
		struct span word = span_cut(&rest, '/');
		struct span done = span_from(buf_view(ret), top), last = path_base(done);
		if (!word.n || span_eq(word, S(".")))
			continue;
		if (span_eq(word, S("..")) && done.n && !span_eq(last, S(".."))) {
			ret->len = top + done.n - last.n;
			ret->len -= ret->len > top;
			ret->p[ret->len] = 0;
			continue;
		}
		buf_addf(ret, "%s%.*s", done.n ? "/" : "", SPAN_ARG(word));
	}
	if (!ret->len)
		buf_addc(ret, '.');
	return !ret->bad;
}

/* A named path as the rest of the lint has it: relative to the root when it lies below it. */
static bool relative_path(const struct finder *x, const char *path, struct buf *ret)
{
	char root[PATH_MAX], whole[PATH_MAX];

	if (*path == '/' && realpath(x->o->root, root) && realpath(path, whole)) {
		struct span below = span_of(whole);
		if (span_eq(below, span_of(root)))
			return plain_path(".", ret);
		if (span_skip(&below, span_of(root)) && span_skip(&below, S("/")))
			return plain_path(below.p, ret);
	}
	return plain_path(path, ret);
}

static int add_path(struct finder *x, const char *path, bool *whole, struct err *e)
{
	CLEANUP(buf_free) struct buf plain = { 0 }, full = { 0 };
	struct stat s;

	if (!relative_path(x, path, &plain))
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	path_join(&full, x->o->root, buf_str(&plain));
	if (full.bad || stat(buf_str(&full), &s) < 0)
		return err_set(e, full.bad ? ENOMEM : errno,
			       TR("'%s' cannot be read: %m", "无法读取“%s”：%m"), path);
	*whole |= !strcmp(buf_str(&plain), ".");
	if (!S_ISDIR(s.st_mode)) {
		if (access(buf_str(&full), R_OK) < 0)
			return err_set(e, errno, TR("'%s' cannot be read: %m", "无法读取“%s”：%m"), path);
		add_task(x, buf_str(&plain), go_above(x, path_dir(buf_view(&plain))), true);
		return 0;
	}
	DIR *d = opendir(buf_str(&full));
	if (!d)
		return err_set(e, errno, TR("'%s' cannot be read: %m", "无法读取“%s”：%m"), path);
	closedir(d);
	add_folder(x, buf_str(&plain), go_above(x, path_dir(buf_view(&plain))), 0);
	return 0;
}

static bool is_project(const struct finder *x)
{
	static const char *const marks[] = { ".git", "go.mod", "go.work" };

	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		CLEANUP(buf_free) struct buf path = { 0 };
		struct stat s;
		path_join(&path, x->o->root, marks[i]);
		x->to->bad |= path.bad;
		if (!path.bad && lstat(buf_str(&path), &s) == 0)
			return true;
	}
	return false;
}

/* The rest of the project, for what it says of the part that was named. Outside of one only the folders of named files. */
static void add_rest(struct finder *x)
{
	size_t named = x->to->n;
	bool project = is_project(x);

	x->told = false;
	if (project)
		add_folder(x, ".", 0, 0);
	x->flat = true;
	for (size_t i = 0; i < named && !project; i++) {
		struct span dir = path_dir(span_of(x->to->v[i].path));
		char *copy = arena_str(x->mem, dir);
		if (i && span_eq(dir, path_dir(span_of(x->to->v[i - 1].path))))
			continue;
		if (copy)
			add_folder(x, copy, x->to->v[i].go, 0);
		x->to->bad |= !copy;
	}
}

static int by_path(const void *pa, const void *pb)
{
	const struct lint_task *a = pa, *b = pb;
	int r = strcmp(a->path, b->path);

	return r ? r : (int)b->told - (int)a->told;
}

static void sort_tasks(struct lint_tasks *t)
{
	size_t n = 0;

	if (t->n)
		qsort(t->v, t->n, sizeof(*t->v), by_path);
	for (size_t i = 0; i < t->n; i++)
		if (!n || strcmp(t->v[n - 1].path, t->v[i].path) != 0)
			t->v[n++] = t->v[i];
	t->n = n;
}

int lint_find(const struct lint_options *o, struct arena *mem, struct lint_tasks *ret, struct err *e)
{
	struct finder x = { .o = o, .mem = mem, .to = ret, .told = true };
	bool whole = false;
	int r = 0;

	if (o->text_path) {
		add_task(&x, o->text_path, go_above(&x, path_dir(span_of(o->text_path))), true);
	} else if (!o->n_paths) {
		whole = true;
		r = add_path(&x, ".", &whole, e);
	}
	for (size_t i = 0; i < o->n_paths && !o->text_path && r == 0; i++)
		r = add_path(&x, o->paths[i], &whole, e);
	if (r == 0 && !whole)
		add_rest(&x);
	sort_tasks(ret);
	map_free(&x.folders);
	return r;
}
