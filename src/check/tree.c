#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "check/select.h"
#include "parse/version.h"

#define DEPTH_MAX   128
#define FIRST_READ  4096
#define THREADS_MAX 4
#define FEW_FILES   200 /* not worth a second thread */

/* ---- kinds ---- */

static enum src_kind kind_of(struct span name)
{
	static const struct {
		const char *ext;
		enum src_kind kind;
	} rows[] = { { ".go", SRC_GO },
		     { ".c", SRC_C },
		     { ".cc", SRC_CXX },
		     { ".cpp", SRC_CXX },
		     { ".cxx", SRC_CXX },
		     { ".m", SRC_M },
		     { ".h", SRC_H },
		     { ".hh", SRC_H },
		     { ".hpp", SRC_H },
		     { ".hxx", SRC_H },
		     { ".f", SRC_F },
		     { ".F", SRC_F },
		     { ".for", SRC_F },
		     { ".f90", SRC_F },
		     { ".s", SRC_S },
		     { ".S", SRC_BIG_S },
		     { ".sx", SRC_BIG_S },
		     { ".swig", SRC_SWIG },
		     { ".swigcxx", SRC_SWIGCXX },
		     { ".syso", SRC_SYSO } };
	size_t dot = span_rchr(name, '.');
	struct span ext = dot == SPAN_NONE ? (struct span){ 0 } : span_from(name, dot);

	for (size_t i = 0; ext.n && i < ARRAY_LEN(rows); i++)
		if (span_eq(ext, span_of(rows[i].ext)))
			return rows[i].kind;
	return SRC_NONE;
}

/* ---- the walk ---- */

struct walk {
	struct src_tree *t;
	const struct src_options *o;
	struct buf path; /* absolute, of the folder under way */
	size_t root_len;
	const char **members; /* absolute folders of mods.members; NULL: it has no go.mod */
	size_t files;
	bool full; /* there are more files than are looked at */
};

static char *keep(struct src_tree *t, const char *z)
{
	char *p = arena_str(&t->mem, span_of(z));

	t->bad |= !p;
	return p;
}

static void limit(struct src_tree *t, const char *text)
{
	t->bad |= !text || !list_add(&t->mem, &t->limits, text);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct src_file *)a)->name, ((const struct src_file *)b)->name);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct names {
	const char **v;
	size_t n, cap;
};

static void add_file(struct walk *w, struct src_dir *d, const char *name, unsigned char type, int fd)
{
	struct src_file f = { .dir = d, .kind = kind_of(span_of(name)) };
	struct stat st;

	f.link = type == DT_LNK;
	if (f.link)
		f.dir_link = fstatat(fd, name, &st, 0) == 0 && S_ISDIR(st.st_mode);
	if ((f.kind == SRC_NONE || f.dir_link) && !w->o->others && !f.dir_link)
		return;
	if (++w->files > SRC_FILES_MAX) {
		w->full = true;
		return;
	}
	f.hidden = name[0] == '.' || name[0] == '_';
	f.test = span_ends(span_of(name), S("_test.go"));
	f.name = keep(w->t, name);
	if (!f.name || (d->n == d->cap && !mem_grow(&d->files, &d->cap, d->n, sizeof(*d->files))))
		w->t->bad = true;
	else
		d->files[d->n++] = f;
}

static struct src_dir *add_dir(struct walk *w, struct src_dir *parent)
{
	struct src_tree *t = w->t;
	struct src_dir *d = arena_alloc(&t->mem, sizeof(*d));

	if (!d || (t->n == t->cap && !mem_grow(&t->dirs, &t->cap, t->n, sizeof(*t->dirs)))) {
		t->bad = true;
		return NULL;
	}
	d->parent = parent;
	d->path = w->path.len == w->root_len
			  ? "."
			  : keep(t, buf_str(&w->path) + w->root_len + (w->root_len > 1 ? 1 : 0));
	t->dirs[t->n++] = d;
	t->bad |= !d->path;
	if (!t->bad && !map_put(&t->by_path, span_of(d->path), d))
		t->bad = true;
	return d;
}

/* ---- modules ---- */

/* Is path (absolute) dir or below it? What is below, without a slash. */
static bool below(const char *path, const char *dir, const char **rest)
{
	size_t n = strlen(dir);

	if (n == 1 && dir[0] == '/')
		n = 0;
	if (strncmp(path, dir, n) != 0 || (path[n] && path[n] != '/'))
		return false;
	*rest = path[n] ? path + n + 1 : "";
	return true;
}

static bool find_members(struct walk *w)
{
	struct mod_tree *m = &w->t->mods;

	w->members = arena_alloc(&w->t->mem, (m->n + 1) * sizeof(*w->members));
	for (size_t i = 0; w->members && i < m->n; i++) {
		if (!m->members[i].go_mod.text.p)
			continue;
		w->members[i] = mod_tree_path(m, m->members[i].dir, S(""));
		if (!w->members[i])
			return false;
	}
	return w->members != NULL;
}

static const struct mod_member *member_at(const struct walk *w, const char *path, bool exactly,
					  const char **rest)
{
	const struct mod_member *best = NULL;
	size_t longest = 0;

	for (size_t i = 0; i < w->t->mods.n; i++) {
		const char *dir = w->members[i], *r;
		if (!dir || !below(path, dir, &r) || (exactly && *r) || (best && strlen(dir) <= longest))
			continue;
		best = &w->t->mods.members[i];
		longest = strlen(dir);
		*rest = r;
	}
	return best;
}

/* Is `part` a run of whole elements of path? */
static bool has_elements(struct span path, struct span part, bool at_start)
{
	for (size_t at = 0; at + part.n <= path.n; at++) {
		bool begins = at == 0 || path.p[at - 1] == '/',
		     ends = at + part.n == path.n || path.p[at + part.n] == '/';
		if (begins && ends && memcmp(path.p + at, part.p, part.n) == 0)
			return true;
		if (at_start)
			return false;
	}
	return false;
}

/* An ignore line of the module (1.25 and newer): "./x" at its root, "x" anywhere. */
static int ignored_by(const struct src_options *o, const struct mod_member *m, const char *rel)
{
	if (!m || o->go < 25 || !*rel)
		return 0;
	for (size_t i = 0; i < m->mod.n; i++) {
		const struct mod_line *l = &m->mod.lines[i];
		struct span p = l->path;
		if (l->verb != MOD_IGNORE)
			continue;
		bool at_start = span_skip(&p, S("./"));
		while (p.n && p.p[p.n - 1] == '/')
			p.n--;
		if (p.n && has_elements(span_of(rel), p, at_start))
			return (int)l->line;
	}
	return 0;
}

static const char *last_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* rest: below the module. */
static void find_skip(struct walk *w, struct src_dir *d, const char *rest)
{
	const struct src_tree *t = w->t;
	const struct src_dir *p = d->parent;
	const char *name = last_of(buf_str(&w->path));

	if (p && p->skip != DIR_TAKEN && p->skip != DIR_NO_MEMBER && p->skip != DIR_BUILTIN) {
		d->skip = p->skip;
		d->skip_line = p->skip_line;
	} else if (p && (name[0] == '.' || name[0] == '_')) {
		d->skip = DIR_HIDDEN;
	} else if (p && !strcmp(name, "testdata")) {
		d->skip = DIR_TESTDATA;
	} else if (p && d->go_mod && !d->member) {
		d->skip = t->mods.go_work.text.p ? DIR_NO_MEMBER : DIR_NESTED;
	} else if (t->has_mods && !d->member) {
		d->skip = DIR_NO_MEMBER;
	} else if (p && !strcmp(last_of(p->path), "vendor")) {
		d->skip = DIR_VENDOR;
	} else if ((d->skip_line = ignored_by(w->o, d->member, rest))) {
		d->skip = DIR_IGNORED;
	}
}

static void find_import(struct walk *w, struct src_dir *d, const char *rest)
{
	struct src_tree *t = w->t;
	struct span module = d->member->mod.module, below_vendor = span_of(rest);

	/* Inside of vendor/ paths are those of other modules. */
	d->vendored = !t->std && span_skip(&below_vendor, S("vendor/"));
	if (d->vendored)
		d->import = arena_str(&t->mem, below_vendor);
	else if (t->std && span_eq(module, S("std")))
		d->import = *rest ? arena_str(&t->mem, span_of(rest)) : NULL;
	else if (module.n)
		d->import = arena_printf(&t->mem, "%.*s%s%s", SPAN_ARG(module), *rest ? "/" : "", rest);
	if (t->std && d->skip == DIR_TAKEN && (!d->import || !strcmp(d->import, "builtin")))
		d->skip = DIR_BUILTIN;
	if (d->import && !map_get(&t->by_import, span_of(d->import)))
		t->bad |= !map_put(&t->by_import, span_of(d->import), d);
}

static void place(struct walk *w, struct src_dir *d)
{
	const char *path = buf_str(&w->path), *rest = "";
	const struct mod_member *at = member_at(w, path, d->parent && d->go_mod, &rest);

	d->member = d->parent && !d->go_mod ? d->parent->member : at;
	find_skip(w, d, rest);
	if (d->member)
		find_import(w, d, rest);
}

/* ---- reading a folder ---- */

static const char *reason(struct src_tree *t, int code)
{
	struct err e;

	err_set(&e, code, "%m");
	return keep(t, e.msg);
}

/* Names of folders, and files into d. */
static void list_dir(struct walk *w, struct src_dir *d, struct names *subs)
{
	int fd = open(buf_str(&w->path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *all = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct stat st;

	if (!all) {
		d->unread = reason(w->t, errno);
		fd_close(fd);
		return;
	}
	while ((e = readdir(all)) && !w->t->bad && !w->full) {
		unsigned char type = e->d_type;
		if (e->d_name[0] == '.' && (!e->d_name[1] || (e->d_name[1] == '.' && !e->d_name[2])))
			continue;
		if (type == DT_UNKNOWN && fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			type = S_ISDIR(st.st_mode)   ? DT_DIR
			       : S_ISLNK(st.st_mode) ? DT_LNK
			       : S_ISREG(st.st_mode) ? DT_REG
						     : DT_FIFO;
		if (!strcmp(e->d_name, "go.mod") && type != DT_DIR &&
		    (type != DT_LNK || (fstatat(fd, "go.mod", &st, 0) == 0 && !S_ISDIR(st.st_mode))))
			d->go_mod = "go.mod";
		d->irregular |= type != DT_DIR && type != DT_REG;
		if (type != DT_DIR) {
			add_file(w, d, e->d_name, type, fd);
			continue;
		}
		const char *name = subs->n < subs->cap ||
						   mem_grow(&subs->v, &subs->cap, subs->n, sizeof(*subs->v))
					   ? keep(w->t, e->d_name)
					   : NULL;
		if (name)
			subs->v[subs->n++] = name;
		else
			w->t->bad = true;
	}
	closedir(all);
	if (d->n)
		qsort(d->files, d->n, sizeof(*d->files), by_name);
	if (subs->n)
		qsort(subs->v, subs->n, sizeof(*subs->v), by_text);
}

/* Is it looked into, though `./...` passes over it? Not into what version control keeps. */
static bool looked_into(const struct walk *w, const struct src_dir *d, const char *name)
{
	if (d->unread || w->o->flat || (d->skip == DIR_HIDDEN && !strcmp(name, ".git")))
		return false;
	if (d->skip == DIR_NO_MEMBER)
		return !d->go_mod || w->o->skipped;
	return d->skip == DIR_TAKEN || d->skip == DIR_BUILTIN || w->o->skipped;
}

static void walk_dir(struct walk *w, struct src_dir *parent, const char *name, int depth)
{
	struct names subs = { 0 };
	size_t before = w->path.len;

	if (w->t->bad || w->full)
		return;
	if (depth > DEPTH_MAX) {
		limit(w->t, arena_printf(&w->t->mem,
					 TR("%s lies deeper than %d folders: it was not looked at",
					    "%s 的层次超过 %d 级：未查看"),
					 buf_str(&w->path), DEPTH_MAX));
		return;
	}
	if (parent) {
		if (w->path.len > 1)
			buf_addc(&w->path, '/');
		buf_adds(&w->path, name);
	}
	w->t->bad |= w->path.bad;
	struct src_dir *d = w->t->bad ? NULL : add_dir(w, parent);
	if (d) {
		list_dir(w, d, &subs);
		place(w, d);
		if (d->unread)
			d->skip = DIR_UNREADABLE;
		if (!looked_into(w, d, name)) {
			subs.n = 0;
			if (d->skip != DIR_UNREADABLE && !w->o->flat)
				d->n = 0;
		}
		for (size_t i = 0; i < subs.n; i++)
			walk_dir(w, d, subs.v[i], depth + 1);
	}
	mem_free(subs.v);
	w->path.len = before;
	if (w->path.p)
		w->path.p[before] = '\0';
}

/* ---- reading heads ---- */

struct reader {
	struct src_tree *t;
	atomic_size_t *next;
	struct arena *mem;
	struct buf text;
	size_t files, bytes;
	bool bad;
};

static const char *file_reason(struct reader *r, int code)
{
	struct err e;

	err_set(&e, code, "%m");
	char *p = arena_str(r->mem, span_of(e.msg));
	r->bad |= !p;
	return p;
}

/* Up to `want` bytes of the file in all. 1: that is all of it; 0; -errno. */
static int read_up_to(struct reader *r, int fd, size_t want)
{
	if (want > r->text.len && !buf_need(&r->text, want - r->text.len))
		return -ENOMEM;
	while (r->text.len < want) {
		ssize_t n = read(fd, r->text.p + r->text.len, want - r->text.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 1;
		r->text.len += (size_t)n;
		r->bytes += (size_t)n;
		/* A regular file gives what was asked for, or it has ended. */
		if (r->text.len < want)
			return 1;
	}
	return 0;
}

static void read_head(struct reader *r, struct src_file *f, int fd)
{
	enum gohead_kind kind = f->kind == SRC_GO ? GOHEAD_GO : GOHEAD_OTHER;
	struct gohead *h = arena_alloc(r->mem, sizeof(*h));

	buf_clear(&r->text);
	r->bad |= !h;
	for (size_t want = FIRST_READ; !r->bad; want *= 8) {
		int all = read_up_to(r, fd, want < SRC_HEAD_MAX ? want : SRC_HEAD_MAX);
		if (all == -ENOMEM) {
			r->bad = true;
			return;
		}
		if (all < 0) {
			f->unread = file_reason(r, -all);
			return;
		}
		int got = gohead_read((struct span){ r->text.p, r->text.len }, all == 1, kind, r->mem, h);
		r->bad |= got < 0;
		if (got == 0)
			f->head = h;
		if (got <= 0)
			return;
		if (want >= SRC_HEAD_MAX) {
			f->unread = TR("its head is longer than 16 MiB", "文件头超过 16 MiB");
			return;
		}
	}
}

static void read_file(struct reader *r, struct src_file *f, int dir)
{
	struct stat st;

	if (f->hidden || f->dir_link || f->kind == SRC_NONE || f->kind == SRC_SYSO)
		return;
	int fd = openat(dir, f->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		f->unread = file_reason(r, errno);
		return;
	}
	/* A pipe would be waited for, a device may act when it is read. */
	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
		f->unread = TR("it is no regular file", "不是普通文件");
	else
		read_head(r, f, fd);
	r->files++;
	fd_close(fd);
}

static void *read_some(void *arg)
{
	struct reader *r = arg;
	size_t i;

	while (!r->bad && (i = atomic_fetch_add(r->next, 1)) < r->t->n) {
		struct src_dir *d = r->t->dirs[i];
		CLEANUP(buf_free) struct buf path = { 0 };
		if (!d->n)
			continue;
		path_join(&path, r->t->root, d->path);
		r->bad |= path.bad;
		int dir = path.bad ? -1 : open(path.p, O_PATH | O_DIRECTORY | O_CLOEXEC);
		for (size_t k = 0; k < d->n && !r->bad && dir >= 0; k++)
			read_file(r, &d->files[k], dir);
		fd_close(dir);
	}
	return NULL;
}

static size_t threads_for(const struct src_tree *t, const struct src_options *o)
{
	size_t files = 0;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	for (size_t i = 0; i < t->n; i++)
		files += t->dirs[i]->n;
	if (o->threads > 0)
		return (size_t)o->threads < THREADS_MAX ? (size_t)o->threads : THREADS_MAX;
	if (files < FEW_FILES || cores < 2)
		return 1;
	return cores < THREADS_MAX ? (size_t)cores : THREADS_MAX;
}

static void read_heads(struct src_tree *t, const struct src_options *o)
{
	struct reader readers[THREADS_MAX] = { 0 };
	pthread_t ids[THREADS_MAX];
	bool started[THREADS_MAX] = { false };
	size_t n = threads_for(t, o);
	atomic_size_t next = 0;

	t->heads = arena_alloc(&t->mem, n * sizeof(*t->heads));
	if (!t->heads) {
		t->bad = true;
		return;
	}
	t->n_heads = n;
	for (size_t i = 0; i < THREADS_MAX; i++)
		readers[i] = (struct reader){ .t = t, .next = &next, .mem = i < n ? &t->heads[i] : NULL };
	/* Without a second thread the first does it all. */
	for (size_t i = 1; i < n; i++)
		started[i] = pthread_create(&ids[i], NULL, read_some, &readers[i]) == 0;
	read_some(&readers[0]);
	for (size_t i = 0; i < n; i++) {
		if (started[i])
			pthread_join(ids[i], NULL);
		t->bad |= readers[i].bad;
		t->files += readers[i].files;
		t->bytes += readers[i].bytes;
		buf_free(&readers[i].text);
	}
}

/* ---- all of it ---- */

/* Is vendor/ what a build takes? Said, or by default: when it is there, with go 1.14 and newer in go.mod; in a workspace when it is the workspace's. */
static bool takes_vendor(const struct src_tree *t, const struct src_options *o)
{
	if (o->mod != TARGET_MOD_AUTO || !t->has_mods)
		return o->mod == TARGET_MOD_VENDOR;
	if (t->mods.go_work.text.p)
		return t->mods.work_modules_txt.text.p &&
		       span_starts(t->mods.work_modules_txt.text, S("## workspace"));
	const struct mod_member *m = t->mods.n ? &t->mods.members[0] : NULL;
	if (!m || !m->mod.go.n || goversion_compare(m->mod.go, S("1.14")) < 0)
		return false;
	const char *dir = mod_tree_path((struct mod_tree *)&t->mods, m->dir, S("vendor"));
	struct stat st;
	return dir && stat(dir, &st) == 0 && S_ISDIR(st.st_mode);
}

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

static int open_modules(const char *dir, const struct src_options *o, struct src_tree *t, struct err *e)
{
	int r = mod_tree_open_flags(dir, o->work, o->flags, &t->mods, e);

	if (r == -ENOENT || r == -EINVAL)
		return 0;
	t->has_mods = r == 0;
	return r;
}

static int find_root(const char *dir, struct src_tree *t, struct err *e)
{
	const char *shown = dir ? dir : ".";
	struct stat st;

	if (stat(shown, &st) < 0)
		return err_set(e, errno, TR("%s: %m", "%s：%m"), shown);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ENOTDIR, TR("%s is no folder", "%s 不是目录"), shown);
	if (t->has_mods) {
		t->root = arena_str(&t->mem, span_of(t->mods.dir));
		return t->root ? 0 : no_memory(e);
	}
	char *real = realpath(shown, NULL);
	if (!real)
		return err_set(e, errno, TR("%s: %m", "%s：%m"), shown);
	t->root = arena_str(&t->mem, span_of(real));
	free(real);
	return t->root ? 0 : no_memory(e);
}

/* The tree of the standard library has no module path before its packages. */
static bool is_std(const struct src_tree *t)
{
	for (size_t i = 0; i < t->mods.n; i++)
		if (span_eq(t->mods.members[i].mod.module, S("std")))
			return true;
	return false;
}

int src_tree_read(const char *dir, const struct src_options *o, struct src_tree *ret, struct err *e)
{
	struct walk w = { .t = ret, .o = o };

	*ret = (struct src_tree){ 0 };
	int r = open_modules(dir, o, ret, e);
	if (r == 0)
		r = find_root(dir, ret, e);
	if (r < 0) {
		src_tree_free(ret);
		return r;
	}
	ret->std = ret->has_mods && is_std(ret);
	ret->vendor = takes_vendor(ret, o);
	buf_adds(&w.path, ret->root);
	w.root_len = w.path.len;
	if (find_members(&w))
		walk_dir(&w, NULL, "", 0);
	else
		ret->bad = true;
	buf_free(&w.path);
	if (w.full)
		limit(ret, arena_printf(&ret->mem,
					TR("there are more than %d files: the rest was not looked at",
					   "文件超过 %d 个：其余未查看"),
					SRC_FILES_MAX));
	if (!ret->bad && ret->n && ret->dirs[0]->unread) {
		r = err_set(e, EACCES, "%s: %s", ret->root, ret->dirs[0]->unread);
		src_tree_free(ret);
		return r;
	}
	if (!ret->bad)
		read_heads(ret, o);
	if (ret->bad) {
		src_tree_free(ret);
		return no_memory(e);
	}
	return 0;
}

void src_tree_free(struct src_tree *t)
{
	for (size_t i = 0; i < t->n; i++)
		mem_free(t->dirs[i]->files);
	mem_free(t->dirs);
	map_free(&t->by_path);
	map_free(&t->by_import);
	for (size_t i = 0; i < t->n_heads; i++)
		arena_free(&t->heads[i]);
	mod_tree_close(&t->mods);
	arena_free(&t->mem);
	*t = (struct src_tree){ 0 };
}

void src_tree_free_cleanup(struct src_tree *t)
{
	src_tree_free(t);
}

struct src_dir *src_tree_dir(const struct src_tree *t, const char *path)
{
	return map_get(&t->by_path, span_of(path));
}

const char *src_path(struct arena *mem, const struct src_file *f)
{
	return strcmp(f->dir->path, ".") ? arena_printf(mem, "%s/%s", f->dir->path, f->name)
					 : arena_str(mem, span_of(f->name));
}
