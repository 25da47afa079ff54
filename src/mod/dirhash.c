#include "mod/dirhash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "mod/zip.h"

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

void h1_of_sum(const unsigned char sum[SHA256_SIZE], char ret[H1_SIZE])
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *to = ret + 3;

	memcpy(ret, "h1:", 3);
	for (int i = 0; i < SHA256_SIZE; i += 3) { /* 32 bytes: the last group has two */
		uint32_t x = (uint32_t)sum[i] << 16 | (uint32_t)sum[i + 1] << 8 | (i + 2 < SHA256_SIZE ? sum[i + 2] : 0);
		*to++ = digit[x >> 18];
		*to++ = digit[x >> 12 & 63];
		*to++ = digit[x >> 6 & 63];
		*to++ = i + 2 < SHA256_SIZE ? digit[x & 63] : '=';
	}
	*to = '\0';
}

void h1_of_list(const struct h1_file *sorted, size_t n, char ret[H1_SIZE])
{
	unsigned char sum[SHA256_SIZE];
	struct sha256 all;

	sha256_begin(&all);
	for (size_t i = 0; i < n; i++) {
		char hex[2 * SHA256_SIZE + 3];
		hex_lower(sorted[i].sum, SHA256_SIZE, hex);
		memcpy(hex + 2 * SHA256_SIZE, "  ", 3);
		sha256_more(&all, (struct span){ hex, 2 * SHA256_SIZE + 2 });
		sha256_more(&all, sorted[i].name);
		sha256_more(&all, S("\n"));
	}
	sha256_end(&all, sum);
	h1_of_sum(sum, ret);
}

void h1_of_gomod(struct span text, char ret[H1_SIZE])
{
	struct h1_file f = { .name = S("go.mod") };

	sha256(text, f.sum);
	h1_of_list(&f, 1, ret);
}

static int hash_piece(void *ctx, struct span piece)
{
	sha256_more(ctx, piece);
	return 0;
}

int h1_of_zip(const char *file, struct span path, struct span version, char ret[H1_SIZE], struct err *e)
{
	CLEANUP(zip_reader_free) struct zip_reader reader = { 0 };
	CLEANUP(zip_close) struct zip z = { .fd = -1 };
	int r = zip_open(file, path, version, &z, e);

	if (r < 0)
		return r;
	struct h1_file *list = arena_alloc(&z.mem, (z.n + 1) * sizeof(*list));
	if (!list)
		return no_memory(e);
	for (size_t i = 0; i < z.n && r == 0; i++) {
		struct sha256 s;
		sha256_begin(&s);
		r = zip_read(&reader, &z, &z.v[i], hash_piece, &s, e);
		sha256_end(&s, list[i].sum);
		list[i].name = z.v[i].name;
	}
	if (r == 0)
		h1_of_list(list, z.n, ret);
	return r;
}

/* ---- folders ---- */

static int by_name(const void *a, const void *b)
{
	const struct dir_file *x = a, *y = b;
	size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
	int c = memcmp(x->name.p, y->name.p, n);

	return c ? c : (x->name.n > y->name.n) - (x->name.n < y->name.n);
}

struct walk {
	struct dir_list *l;
	const char *dir;
	size_t prefix;
	struct list_of_dirs {
		struct span *v; /* found, with the prefix and a '/' behind it; the NUL is behind that */
		size_t n, cap;
	} todo;
	char block[32768] __attribute__((aligned(16)));
};

static int cannot_read(const struct walk *w, const char *name, struct err *e)
{
	return err_set(e, errno, TR("read '%s/%s': %m", "无法读取“%s/%s”：%m"), w->dir, name);
}

static int add_name(struct walk *w, int fd, struct span in, const struct dirent64 *d, struct err *e)
{
	size_t n = strlen(d->d_name);
	unsigned char type = d->d_type;

	if (d->d_name[0] == '.' && (n == 1 || (n == 2 && d->d_name[1] == '.')))
		return 0;
	if (type == DT_UNKNOWN) {
		struct stat st;
		if (fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return cannot_read(w, d->d_name, e);
		type = S_ISDIR(st.st_mode) ? DT_DIR : S_ISREG(st.st_mode) ? DT_REG : S_ISLNK(st.st_mode) ? DT_LNK : DT_SOCK;
	}
	char *name = arena_alloc(&w->l->mem, in.n + n + 2);
	if (!name)
		return no_memory(e);
	memcpy(name, in.p, in.n);
	memcpy(name + in.n, d->d_name, n);
	if (type == DT_DIR) {
		if (!mem_grow(&w->todo.v, &w->todo.cap, w->todo.n, sizeof(*w->todo.v)))
			return no_memory(e);
		name[in.n + n] = '/';
		w->todo.v[w->todo.n++] = (struct span){ name, in.n + n + 1 };
		return 0;
	}
	if (w->l->n + w->todo.n >= DIR_FILES_MAX)
		return err_set(e, EFBIG, TR("%s holds more than %d files", "%s 中的文件超过 %d 个"), w->dir, DIR_FILES_MAX);
	if (!mem_grow(&w->l->v, &w->l->cap, w->l->n, sizeof(*w->l->v)))
		return no_memory(e);
	w->l->v[w->l->n++] = (struct dir_file){ { name, in.n + n }, type };
	return 0;
}

static int read_folder(struct walk *w, struct span in, struct err *e)
{
	const char *rel = in.n > w->prefix ? in.p + w->prefix : ".";
	int fd = openat(w->l->fd, rel, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), r = 0;
	ssize_t got;

	if (fd < 0)
		return cannot_read(w, rel, e);
	while (r == 0 && (got = getdents64(fd, w->block, sizeof(w->block))) > 0) {
		for (ssize_t at = 0; at < got && r == 0;) {
			const struct dirent64 *d = (const struct dirent64 *)(const void *)(w->block + at);
			at += d->d_reclen;
			r = add_name(w, fd, in, d, e);
		}
	}
	if (r == 0 && got < 0)
		r = cannot_read(w, rel, e);
	fd_close(fd);
	return r;
}

int dir_list(const char *dir, struct span prefix, struct dir_list *ret, struct err *e)
{
	struct walk *w = mem_alloc(sizeof(*w));
	int r = 0;

	*ret = (struct dir_list){ .fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	if (ret->fd < 0)
		r = err_set(e, errno, TR("open '%s': %m", "无法打开“%s”：%m"), dir);
	else if (!w)
		r = no_memory(e);
	if (r == 0) {
		w->l = ret;
		w->dir = dir;
		w->prefix = prefix.n;
		w->todo = (struct list_of_dirs){ 0 };
		struct span in = prefix.n ? arena_span(&ret->mem, prefix) : S("");
		r = in.p ? read_folder(w, in, e) : no_memory(e);
		while (r == 0 && w->todo.n)
			r = read_folder(w, w->todo.v[--w->todo.n], e);
		mem_free(w->todo.v);
	}
	mem_free(w);
	if (r == 0 && ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_name);
	if (r < 0)
		dir_list_free(ret);
	return r;
}

void dir_list_free(struct dir_list *l)
{
	if (l->fd > 0)
		fd_close(l->fd);
	mem_free(l->v);
	arena_free(&l->mem);
	*l = (struct dir_list){ .fd = -1 };
}

void dir_list_free_cleanup(struct dir_list *l)
{
	dir_list_free(l);
}

static int hash_file(int dirfd, const char *dir, const char *name, unsigned char *block, size_t size, unsigned char sum[SHA256_SIZE],
		     struct err *e)
{
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct sha256 s;
	ssize_t got = -1;

	sha256_begin(&s);
	while (fd >= 0 && ((got = read(fd, block, size)) > 0 || (got < 0 && errno == EINTR)))
		sha256_more(&s, (struct span){ (const char *)block, got > 0 ? (size_t)got : 0 });
	int r = got < 0 ? err_set(e, errno, TR("read '%s/%s': %m", "无法读取“%s/%s”：%m"), dir, name) : 0;
	fd_close(fd);
	sha256_end(&s, sum);
	return r;
}

int h1_of_dir(const char *dir, struct span path, struct span version, char ret[H1_SIZE], struct err *e)
{
	enum { BLOCK = 256 << 10 };
	CLEANUP(dir_list_free) struct dir_list l = { .fd = -1 };
	CLEANUP(buf_free) struct buf prefix = { 0 };
	CLEANUP(mem_free) unsigned char *block = mem_pages(BLOCK);

	buf_addf(&prefix, "%.*s@%.*s/", SPAN_ARG(path), SPAN_ARG(version));
	int r = prefix.bad || !block ? no_memory(e) : dir_list(dir, buf_view(&prefix), &l, e);
	if (r < 0)
		return r;
	struct h1_file *list = arena_alloc(&l.mem, (l.n + 1) * sizeof(*list));
	if (!list)
		return no_memory(e);
	for (size_t i = 0; i < l.n && r == 0; i++) {
		const char *name = l.v[i].name.p + prefix.len;
		if (l.v[i].type != DT_REG)
			return err_set(e, EBADMSG, TR("%s/%s is neither a file nor a folder", "%s/%s 既不是文件也不是目录"), dir, name);
		r = hash_file(l.fd, dir, name, block, BLOCK, list[i].sum, e);
		list[i].name = l.v[i].name;
	}
	if (r == 0)
		h1_of_list(list, l.n, ret);
	return r;
}
