/* One module: its zip, its folder in the cache, its files in vendor/. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "mod/verifying.h"
#include "parse/gosum.h"

#define PIECE ((size_t)256 << 10)
#define POLL  (50 * NSEC_PER_MSEC)

void job_wrong(struct job *j, enum cause c, const char *file, int64_t line, const char *fmt, ...)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	va_list ap;

	if (j->n_wrongs == WRONGS_MAX) {
		j->left_out++;
		return;
	}
	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	struct wrong *w = &j->wrongs[j->n_wrongs];
	*w = (struct wrong){ .cause = c,
			     .file = file ? arena_str(&j->mem, span_of(file)) : NULL,
			     .text = arena_str(&j->mem, buf_view(&text)),
			     .line = line };
	if (text.bad || !w->text || (file && !w->file))
		j->no_memory = true;
	else
		j->n_wrongs++;
}

/* ---- one file beside another ---- */

struct other { /* a file that should be the same */
	int dir_fd;
	const char *name; /* NULL: it is not compared */
	int fd;
	bool differs, crlf; /* crlf: in its line ends alone */
	int failed;         /* errno */
};

static void other_begin(struct other *x)
{
	x->fd = openat(x->dir_fd, x->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (x->fd < 0)
		x->failed = errno;
}

/* Up to n bytes; a read that gives less, once there are `enough`, is the file's end: that saves a call for each file. */
static ssize_t read_all(int fd, unsigned char *to, size_t n, size_t enough)
{
	size_t have = 0;

	while (have < n) {
		ssize_t got = read(fd, to + have, n - have);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		bool cut = (size_t)got < n - have;
		have += (size_t)got;
		if (got == 0 || (cut && have >= enough))
			break;
	}
	return (ssize_t)have;
}

/* Does b hold a's lines, with CR before each LF? */
static bool only_crlf(struct span a, struct span b)
{
	size_t i = 0, k = 0;

	while (i < a.n && k < b.n) {
		if (b.p[k] == '\r' && a.p[i] == '\n')
			k++;
		if (k == b.n || a.p[i] != b.p[k])
			return false;
		i++;
		k++;
	}
	return i == a.n && k == b.n;
}

static bool block_room(struct worker *w, size_t n)
{
	if (n <= w->block_cap)
		return true;
	mem_free(w->block);
	w->block = mem_pages(n > PIECE ? n : PIECE);
	w->block_cap = w->block ? (n > PIECE ? n : PIECE) : 0;
	return w->block != NULL;
}

/* last: nothing must follow the piece. */
static void other_piece(struct worker *w, struct other *x, struct span piece, bool first, bool last)
{
	if (first)
		other_begin(x);
	if (x->fd < 0 || x->differs || x->failed)
		return;
	size_t want = piece.n + last;
	if (first && last && w->block_cap >= 2 * piece.n + 1)
		want = 2 * piece.n + 1; /* to see how it differs */
	ssize_t got = read_all(x->fd, w->block, want, piece.n);
	if (got < 0) {
		x->failed = errno;
	} else if ((size_t)got != piece.n || (piece.n && memcmp(w->block, piece.p, piece.n) != 0)) {
		x->differs = true;
		x->crlf = first && last && only_crlf(piece, (struct span){ (const char *)w->block, (size_t)got });
	}
}

static void other_end(struct other *x)
{
	if (x->name && x->fd >= 0)
		fd_close(x->fd);
}

/* ---- the files of a module ---- */

struct source { /* what the others are compared with: a zip, or the folder when there is none */
	const struct zip *zip;
	const struct dir_list *dir;
	struct h1_file *sums;   /* n */
	const char **beside;    /* for each of n the name in the extracted folder; NULL: it is missing there */
	const char **vendored;  /* in vendor/ */
	enum vendor_must *must; /* a file that is not in vendor/ */
	size_t n;
};

struct reading {
	struct worker *w;
	struct sha256 sha;
	struct other beside, vendored;
	bool look; /* is it Go that vendor/ leaves out? */
	bool ignored, no_memory;
	uint64_t at, size;
};

static int take(void *ctx, struct span piece)
{
	struct reading *r = ctx;
	bool first = r->at == 0;

	r->at += piece.n;
	bool last = r->at >= r->size;
	sha256_more(&r->sha, piece);
	if ((r->beside.name || r->vendored.name) && !block_room(r->w, piece.n + 1))
		return -ENOMEM;
	if (r->beside.name)
		other_piece(r->w, &r->beside, piece, first, last);
	if (r->vendored.name)
		other_piece(r->w, &r->vendored, piece, first, last);
	if (r->look && first)
		r->ignored = vendor_ignored(piece);
	return 0;
}

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

/* A file of the extracted folder, given to take as zip_read would. */
static int read_file(int dir_fd, const char *dir, const char *name, struct reading *r, struct err *e)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), ret = 0;
	unsigned char *block = mem_pages(PIECE);
	struct stat st;
	ssize_t got = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		ret = err_set(e, errno, TR("read '%s/%s': %m", "无法读取“%s/%s”：%m"), dir, name);
	else if (!block)
		ret = no_memory(e);
	r->size = ret == 0 ? (uint64_t)st.st_size : 0;
	while (ret == 0 && (got = read_all(fd, block, PIECE, PIECE)) > 0) {
		ret = take(r, (struct span){ (const char *)block, (size_t)got });
		if (ret < 0)
			ret = no_memory(e);
	}
	if (ret == 0 && got < 0)
		ret = err_set(e, errno, TR("read '%s/%s': %m", "无法读取“%s/%s”：%m"), dir, name);
	if (ret == 0 && r->at == 0)
		ret = take(r, S(""));
	mem_free(block);
	fd_close(fd);
	return ret;
}

static const char *in_dir(struct job *j, const char *dir, const char *name)
{
	const char *s = arena_printf(&j->mem, "%s/%s", dir, name);

	return s ? s : dir;
}

static void say_other(struct job *j, enum cause c, const char *dir, const struct other *x, bool vendor)
{
	if (!x->name || (!x->failed && !x->differs))
		return;
	const char *file = in_dir(j, dir, x->name);
	if (x->failed)
		job_wrong(j, c, file, 0, TR("it cannot be read: %s", "无法读取：%s"), strerror(x->failed));
	else if (x->crlf)
		job_wrong(j, c, file, 0,
			  vendor ? TR("it has other line ends than %.*s@%.*s (git's core.autocrlf?)",
				      "其换行符与 %.*s@%.*s 不同（git 的 core.autocrlf？）")
				 : TR("it has other line ends than in the zip of %.*s@%.*s", "其换行符与 %.*s@%.*s 的 zip 不同"),
			  SPAN_ARG(j->path), SPAN_ARG(j->version));
	else
		job_wrong(j, c, file, 0,
			  vendor ? TR("it is not what it is in %.*s@%.*s: it was edited here", "与 %.*s@%.*s 中的内容不同：在此处被修改过")
				 : TR("it is not what it is in the zip of %.*s@%.*s: it was edited",
				      "与 %.*s@%.*s 的 zip 中的内容不同：被修改过"),
			  SPAN_ARG(j->path), SPAN_ARG(j->version));
}

struct paths {
	const char *zip, *ziphash, *partial, *lock, *info, *dir;
};

static int read_one(struct worker *w, struct job *j, const struct source *s, size_t i, const struct paths *p, int dir_fd, struct err *e)
{
	struct reading r = { .w = w, .beside = { dir_fd, s->beside ? s->beside[i] : NULL, -1, false, false, 0 } };
	int ret;

	r.vendored = (struct other){ w->vendor_fd, s->vendored ? s->vendored[i] : NULL, -1, false, false, 0 };
	r.look = s->must && s->must[i] == VENDOR_UNLESS_IGNORED;
	sha256_begin(&r.sha);
	if (s->zip) {
		r.size = s->zip->v[i].size;
		ret = zip_read(&w->reader, s->zip, &s->zip->v[i], take, &r, e);
	} else {
		ret = read_file(s->dir->fd, p->dir, s->dir->v[i].name.p + j->path.n + j->version.n + 2, &r, e);
	}
	sha256_end(&r.sha, s->sums[i].sum);
	other_end(&r.beside);
	other_end(&r.vendored);
	if (ret < 0)
		return ret;
	j->files++;
	j->bytes += (int64_t)r.at;
	say_other(j, CAUSE_MOD_CACHE_MODIFIED, p->dir, &r.beside, false);
	if (w->vendor)
		say_other(j, CAUSE_MOD_VENDOR, w->vendor->shown, &r.vendored, true);
	if (s->must && (s->must[i] == VENDOR_YES || (r.look && !r.ignored)))
		job_wrong(j, CAUSE_MOD_VENDOR,
			  in_dir(j, w->vendor->shown,
				 arena_printf(&j->mem, "%.*s/%.*s", SPAN_ARG(j->vendored->path),
					      SPAN_ARG(span_from(s->sums[i].name, j->path.n + j->version.n + 2)))),
			  0, TR("it is missing: %.*s@%.*s has it", "文件缺失：%.*s@%.*s 中有此文件"), SPAN_ARG(j->path),
			  SPAN_ARG(j->version));
	return 0;
}

/* ---- which files there are ---- */

static int by_offset(const void *a, const void *b)
{
	const struct zip_entry *const *x = a, *const *y = b;

	return ((*x)->offset > (*y)->offset) - ((*x)->offset < (*y)->offset);
}

/* In the order of the file, so that it is read once from its begin to its end. */
static int read_files(struct worker *w, struct job *j, const struct source *s, const struct paths *p, int dir_fd, struct arena *mem,
		      struct err *e)
{
	const struct zip_entry **order = s->zip ? arena_alloc(mem, (s->n + 1) * sizeof(*order)) : NULL;
	bool sorted = true;
	int r = 0;

	if (s->zip && !order)
		return no_memory(e);
	for (size_t i = 0; s->zip && i < s->n; i++) {
		order[i] = &s->zip->v[i];
		sorted &= i == 0 || order[i]->offset > order[i - 1]->offset;
	}
	if (!sorted)
		qsort(order, s->n, sizeof(*order), by_offset);
	for (size_t i = 0; i < s->n && r == 0; i++)
		r = read_one(w, j, s, s->zip ? (size_t)(order[i] - s->zip->v) : i, p, dir_fd, e);
	return r;
}

static int compare(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

static bool same_file(int dir_fd, const char *a, const char *b)
{
	CLEANUP(mem_free) unsigned char *one = mem_alloc(2 * PIECE);
	CLEANUP(fd_close) int fa = openat(dir_fd, a, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	CLEANUP(fd_close) int fb = openat(dir_fd, b, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (!one || fa < 0 || fb < 0)
		return false;
	ssize_t na = read_all(fa, one, PIECE, PIECE), nb = read_all(fb, one + PIECE, PIECE, PIECE);
	return na >= 0 && na == nb && na < (ssize_t)PIECE && memcmp(one, one + PIECE, (size_t)na) == 0;
}

/* A file that the zip has not: a toolchain's folder has a go.mod, which go makes from _go.mod (a zip can have none). */
static void extra(struct job *j, const struct paths *p, const struct dir_list *l, const char *name)
{
	size_t n = strlen(name);

	if (j->toolchain && n >= 6 && !strcmp(name + n - 6, "go.mod") && (n == 6 || name[n - 7] == '/')) {
		const char *from = arena_printf(&j->mem, "%.*s_go.mod", (int)(n - 6), name);
		if (from && same_file(l->fd, name, from))
			return;
	}
	job_wrong(j, CAUSE_MOD_CACHE_MODIFIED, in_dir(j, p->dir, name), 0,
		  TR("it does not belong there: the zip of %.*s@%.*s has no such file", "多余的文件：%.*s@%.*s 的 zip 中没有它"),
		  SPAN_ARG(j->path), SPAN_ARG(j->version));
}

/* The zip's files and the folder's, both sorted. */
static int match_folder(struct job *j, const struct zip *z, const struct dir_list *l, const struct paths *p, struct source *s,
			struct arena *mem, struct err *e)
{
	size_t prefix = z->prefix, i = 0, k = 0;

	s->beside = arena_alloc(mem, (z->n + 1) * sizeof(*s->beside));
	if (!s->beside)
		return no_memory(e);
	while (i < z->n || k < l->n) {
		int c = i == z->n ? 1 : k == l->n ? -1 : compare(z->v[i].name, l->v[k].name);
		const char *name = c >= 0 ? l->v[k].name.p + prefix : NULL;
		if (c < 0 && !z->v[i].dir)
			job_wrong(j, CAUSE_MOD_CACHE_MODIFIED, in_dir(j, p->dir, arena_str(&j->mem, span_from(z->v[i].name, prefix))), 0,
				  TR("it is missing: the zip of %.*s@%.*s has it", "文件缺失：%.*s@%.*s 的 zip 中有此文件"),
				  SPAN_ARG(j->path), SPAN_ARG(j->version));
		if (c > 0)
			extra(j, p, l, name);
		if (c == 0 && l->v[k].type == DT_REG)
			s->beside[i] = name;
		else if (c == 0)
			job_wrong(j, CAUSE_MOD_CACHE_MODIFIED, in_dir(j, p->dir, name), 0,
				  l->v[k].type == DT_LNK ? TR("it is a symbolic link and should be a file", "是符号链接，应为普通文件")
							 : TR("it is no file and should be one", "不是普通文件"));
		i += c <= 0;
		k += c >= 0;
	}
	return 0;
}

/* Which of the module's files are in vendor/, and which of vendor/ are not the module's. */
static int match_vendor(struct worker *w, struct job *j, struct source *s, struct arena *mem, struct err *e)
{
	size_t prefix = j->path.n + j->version.n + 2, i = 0, k = 0;
	const struct vendored *v = j->vendored;

	s->vendored = arena_alloc(mem, (s->n + 1) * sizeof(*s->vendored));
	s->must = arena_alloc(mem, (s->n + 1) * sizeof(*s->must));
	if (!s->vendored || !s->must)
		return no_memory(e);
	while (i < s->n || k < v->n_files) {
		struct span name = i < s->n ? s->zip ? s->zip->v[i].name : s->dir->v[i].name : S("");
		int c = i == s->n ? 1 : k == v->n_files ? -1 : compare(span_from(name, prefix), v->files[k]);
		if (c < 0 && name.p[name.n - 1] != '/')
			s->must[i] = vendor_must(v, span_from(name, prefix));
		if (c == 0)
			s->vendored[i] = v->files[k].p - v->path.n - 1; /* whole, from vendor/ on */
		if (c > 0) {
			size_t before = j->n_wrongs;
			job_wrong(j, CAUSE_MOD_VENDOR, in_dir(j, w->vendor->shown, v->files[k].p - v->path.n - 1), 0,
				  TR("it does not belong there: %.*s@%.*s has no such file", "多余的文件：%.*s@%.*s 中没有它"),
				  SPAN_ARG(j->path), SPAN_ARG(j->version));
			if (j->n_wrongs > before)
				j->wrongs[before].warning = !vendor_is_source(v->files[k]);
		}
		i += c <= 0;
		k += c >= 0;
	}
	return 0;
}

/* ---- the hashes ---- */

static int read_ziphash(const char *file, char ret[H1_SIZE], struct err *e)
{
	CLEANUP(buf_free) struct buf b = { .max = 4096 };
	int r = file_slurp_regular(file, &b, e);

	ret[0] = '\0';
	struct span s = span_trim(buf_view(&b));
	if (r == 0 && s.n < H1_SIZE && gosum_hash(s, NULL)) {
		memcpy(ret, s.p, s.n);
		ret[s.n] = '\0';
	}
	return r;
}

static const char *shown_sum(const struct job *j)
{
	return j->sum && j->sum->file ? j->sum->file : "go.sum";
}

/* What the zip (or the folder) hashes to, beside what ziphash and go.sum say. true: it may be believed. */
static bool judge(struct job *j, const struct paths *p, const char *have, const char *kept, bool kept_there, bool zip)
{
	struct span sum = j->sum ? j->sum->hash : (struct span){ 0 }, is = span_of(have), said = span_of(kept);
	bool agrees = !sum.n || span_eq(is, sum);

	size_t before = j->n_wrongs;
	if (!kept_there && zip)
		job_wrong(j, CAUSE_MOD_CACHE_MODIFIED, p->ziphash, 0,
			  sum.n && agrees ? TR("it is missing; the zip agrees with %s, and go makes it anew",
					       "文件缺失；zip 与 %s 一致，go 会重新生成它")
					  : TR("it is missing, and %s has no hash that fits: what %.*s@%.*s should be is not known",
					       "文件缺失，且 %s 中没有相符的哈希：无从得知 %.*s@%.*s 应有的内容"),
			  shown_sum(j), SPAN_ARG(j->path), SPAN_ARG(j->version));
	else if (kept_there && !said.n)
		job_wrong(j, CAUSE_MOD_CACHE_MODIFIED, p->ziphash, 0,
			  TR("it holds no hash (cut off while it was written?)", "其中没有哈希（写入时被截断？）"));
	if (j->n_wrongs > before && agrees && sum.n)
		j->wrongs[before].warning = true; /* go makes it anew, from the zip */
	if (agrees && said.n && !span_eq(is, said)) {
		if (sum.n)
			job_wrong(j, CAUSE_MOD_CACHE_MODIFIED, p->ziphash, 0,
				  TR("it says %s, and %.*s@%.*s is %s, as %s says", "其中为 %s，而 %.*s@%.*s 实为 %s，与 %s 一致"), kept,
				  SPAN_ARG(j->path), SPAN_ARG(j->version), have, shown_sum(j));
		else
			job_wrong(j, CAUSE_MOD_CACHE_MODIFIED, zip ? p->zip : p->dir, 0,
				  TR("it was modified: it hashes to %s, and its ziphash says %s",
				     "被修改过：其哈希为 %s，而 ziphash 记录为 %s"),
				  have, kept);
		return sum.n;
	}
	if (agrees)
		return sum.n || said.n;
	if (said.n && span_eq(is, said))
		job_wrong(j, CAUSE_MOD_CHECKSUM, shown_sum(j), j->sum->line,
			  TR("%.*s@%.*s is %s in the module cache, and %.*s here: one of them is not what its author published",
			     "%.*s@%.*s 在模块缓存中为 %s，此处为 %.*s：其中之一不是作者发布的内容"),
			  SPAN_ARG(j->path), SPAN_ARG(j->version), have, SPAN_ARG(sum));
	else
		job_wrong(j, CAUSE_MOD_CACHE_MODIFIED, zip ? p->zip : p->dir, 0,
			  TR("it was modified: it hashes to %s, and %s says %.*s", "被修改过：其哈希为 %s，而 %s 记录为 %.*s"), have,
			  shown_sum(j), SPAN_ARG(sum));
	return false;
}

static void say_error(struct job *j, const char *file, const struct err *e)
{
	if (e->code == ENOMEM)
		j->no_memory = true;
	else
		job_wrong(j, CAUSE_MOD_CACHE_MODIFIED, file, 0, "%s", e->msg);
}

/* The zip is not what it should be: the folder may be. */
static void folder_alone(struct job *j, const struct paths *p, const char *kept)
{
	struct span want = j->sum && j->sum->hash.n ? j->sum->hash : span_of(kept);
	char have[H1_SIZE];
	struct err e;

	int r = j->toolchain ? 0 : h1_of_dir(p->dir, j->path, j->version, have, &e);
	if (r < 0)
		say_error(j, p->dir, &e);
	else if (!j->toolchain && want.n && !span_eq(want, span_of(have)))
		job_wrong(j, CAUSE_MOD_CACHE_MODIFIED, p->dir, 0,
			  TR("this folder was modified too: it hashes to %s, and should to %.*s",
			     "此目录也被修改过：其哈希为 %s，应为 %.*s"),
			  have, SPAN_ARG(want));
}

/* ---- a module ---- */

static bool make_paths(const struct worker *w, struct job *j, struct paths *p)
{
	static const char *const ext[] = { "zip", "ziphash", "partial", "lock", "info" };
	const char **to[] = { &p->zip, &p->ziphash, &p->partial, &p->lock, &p->info };
	CLEANUP(buf_free) struct buf b = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(ext); i++) {
		buf_clear(&b);
		if (!mod_cache_file(w->o->modcache, j->path, j->version, ext[i], &b)) {
			j->no_memory |= b.bad; /* else it is the name of no module */
			return false;
		}
		*to[i] = arena_str(&j->mem, buf_view(&b));
	}
	buf_clear(&b);
	if (!mod_cache_dir(w->o->modcache, j->path, j->version, &b)) {
		j->no_memory |= b.bad;
		return false;
	}
	p->dir = arena_str(&j->mem, buf_view(&b));
	j->no_memory |= b.bad || !p->zip || !p->ziphash || !p->partial || !p->lock || !p->info || !p->dir;
	return !j->no_memory;
}

struct state { /* of one look at a module */
	struct zip zip;
	struct dir_list dir;
	struct arena mem;
};

static int prepare(struct worker *w, struct job *j, struct state *t, const struct paths *p, struct source *s, struct err *e)
{
	int r = 0;

	s->n = j->zip ? t->zip.n : t->dir.n;
	s->zip = j->zip ? &t->zip : NULL;
	s->dir = &t->dir;
	s->sums = arena_alloc(&t->mem, (s->n + 1) * sizeof(*s->sums));
	if (!s->sums)
		return no_memory(e);
	for (size_t i = 0; i < s->n; i++)
		s->sums[i].name = j->zip ? t->zip.v[i].name : t->dir.v[i].name;
	for (size_t i = 0; i < t->dir.n && !j->zip; i++) {
		if (t->dir.v[i].type != DT_REG)
			return err_set(e, EBADMSG, TR("%s is neither a file nor a folder", "%s 既不是文件也不是目录"), t->dir.v[i].name.p);
	}
	if (j->zip && j->dir)
		r = match_folder(j, &t->zip, &t->dir, p, s, &t->mem, e);
	if (r == 0 && j->vendored)
		r = match_vendor(w, j, s, &t->mem, e);
	return r;
}

static void look_in(struct worker *w, struct job *j, struct state *t, const struct paths *p, const char *kept, bool kept_there)
{
	struct source s = { 0 };
	char have[H1_SIZE];
	struct err e = { 0 };

	int r = prepare(w, j, t, p, &s, &e);
	if (r == 0)
		r = read_files(w, j, &s, p, t->dir.fd, &t->mem, &e);
	if (r < 0) {
		say_error(j, j->zip ? p->zip : p->dir, &e);
		if (j->zip && j->dir)
			folder_alone(j, p, kept);
		return;
	}
	h1_of_list(s.sums, s.n, have);
	memcpy(j->h1, have, sizeof(have));
	size_t before = j->n_wrongs;
	bool good = judge(j, p, have, kept, kept_there, j->zip);
	if (!good && j->n_wrongs > before && j->zip) { /* not worth comparing with: only what was said of the zip counts */
		memmove(j->wrongs, j->wrongs + before, (j->n_wrongs - before) * sizeof(*j->wrongs));
		j->n_wrongs -= before;
		j->left_out = 0;
		if (j->dir)
			folder_alone(j, p, kept);
	} else if (!j->zip && !kept_there && !(j->sum && j->sum->hash.n)) {
		job_wrong(j, CAUSE_MOD_CACHE_MODIFIED, p->dir, 0,
			  TR("there is neither its zip nor its ziphash nor a line of go.sum: what it should be is not known",
			     "既没有 zip 和 ziphash，go.sum 中也没有记录：无从得知其应有的内容"));
	}
}

static void look(struct worker *w, struct job *j, const struct paths *p)
{
	struct state t = { .zip = { .fd = -1 }, .dir = { .fd = -1 } };
	struct err ze = { 0 }, de = { 0 }, he = { 0 };
	char kept[H1_SIZE];

	CLEANUP(buf_free) struct buf prefix = { 0 };
	buf_addf(&prefix, "%.*s@%.*s/", SPAN_ARG(j->path), SPAN_ARG(j->version));
	if (prefix.bad) {
		j->no_memory = true;
		return;
	}
	int h = read_ziphash(p->ziphash, kept, &he);
	bool kept_there = h != -ENOENT && h != -ENOTDIR;
	if (kept_there && h < 0 && h != -EFBIG) { /* a larger one is no hash */
		say_error(j, p->ziphash, &he);
		j->zip = true;
		j->pipe = h == -EBADMSG;
		return;
	}
	int z = zip_open(p->zip, j->path, j->version, &t.zip, &ze);
	struct stat st;
	bool partial = stat(p->partial, &st) == 0; /* go extracts it anew, and writes there */
	j->pipe = (partial && S_ISFIFO(st.st_mode)) || (stat(p->info, &st) == 0 && S_ISFIFO(st.st_mode));
	int d = partial ? -ENOENT : dir_list(p->dir, buf_view(&prefix), &t.dir, &de);
	j->zip = z == 0;
	j->dir = d == 0;
	if (z < 0 && z != -ENOENT && z != -ENOTDIR) {
		say_error(j, p->zip, &ze);
		if (j->dir)
			folder_alone(j, p, kept);
		j->zip = true;
	} else if (d < 0 && d != -ENOENT && d != -ENOTDIR) {
		say_error(j, p->dir, &de);
	} else if (j->zip || j->dir) {
		look_in(w, j, &t, p, kept, kept_there);
	}
	zip_close(&t.zip);
	dir_list_free(&t.dir);
	arena_free(&t.mem);
}

/* Takes what go locks while it writes the module. -1: there is nothing to lock; -EAGAIN: another go has it, all the time. */
static int wait_for_lock(const struct worker *w, const struct paths *p)
{
	int64_t until = time_mono() + (w->o->wait ? w->o->wait : 10 * NSEC_PER_SEC);
	int fd = open(p->lock, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	while (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR) {
			fd_close(fd);
			return -1;
		}
		if (time_mono() > until) {
			fd_close(fd);
			return -EAGAIN;
		}
		nanosleep(&(struct timespec){ 0, POLL }, NULL);
	}
	return fd;
}

/* vendor/ of a module that a folder replaces: each file beside the folder's. */
static void look_at_folder(struct worker *w, struct job *j)
{
	const struct vendored *v = j->vendored;
	CLEANUP(fd_close) int dir_fd = open(j->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err e = { 0 };

	j->unread = dir_fd < 0;
	for (size_t i = 0; i < v->n_files && dir_fd >= 0; i++) {
		struct reading r = { .w = w, .vendored = { w->vendor_fd, v->files[i].p - v->path.n - 1, -1, false, false, 0 } };
		sha256_begin(&r.sha);
		int ret = read_file(dir_fd, j->folder, v->files[i].p, &r, &e);
		other_end(&r.vendored);
		j->files += ret == 0;
		j->bytes += (int64_t)r.at;
		if (ret == -ENOMEM)
			j->no_memory = true;
		else if (ret < 0)
			job_wrong(j, CAUSE_MOD_VENDOR, in_dir(j, w->vendor->shown, r.vendored.name), 0,
				  TR("it does not belong there: %s has no such file", "多余的文件：%s 中没有它"), j->folder);
		else if (r.vendored.failed || r.vendored.differs)
			job_wrong(j, CAUSE_MOD_VENDOR, in_dir(j, w->vendor->shown, r.vendored.name), 0,
				  TR("it is not what it is in %s", "与 %s 中的内容不同"), j->folder);
	}
}

void verify_job(struct worker *w, struct job *j)
{
	struct paths p;

	if (j->folder) {
		look_at_folder(w, j);
		return;
	}
	if (!make_paths(w, j, &p))
		return;
	look(w, j, &p);
	if (j->n_wrongs || !(j->zip || j->dir)) { /* perhaps another go is at it: look again when it has done */
		int fd = wait_for_lock(w, &p);
		j->busy = fd == -EAGAIN;
		if (fd >= 0 || j->busy) {
			j->n_wrongs = j->left_out = 0;
			j->files = j->bytes = 0;
		}
		if (fd >= 0)
			look(w, j, &p);
		fd_close(fd);
	}
	j->unread = j->vendored && !j->zip && !j->dir && !j->busy;
}
