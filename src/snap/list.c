#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"
#include "snap/own.h"

/* The snapshots that are there: their sizes, and what is dropped when they are too many. */

#define MANIFEST_MAX (1 << 20)
#define ID_LENGTH 26
#define UNFINISHED_OLD (600 * NSEC_PER_SEC)

int snap_dir(const char *dir, struct buf *ret, struct err *e)
{
	if (dir) {
		int r = path_mkdirs(dir, 0700, e);
		buf_adds(ret, dir);
		return r < 0 ? r : ret->bad ? err_set(e, ENOMEM, TR("out of memory", "内存不足")) : 0;
	}
	int r = path_user_dir("XDG_STATE_HOME", ".local/state", ret, e);
	if (r < 0)
		return r;
	buf_adds(ret, "/snapshots");
	return ret->bad ? err_set(e, ENOMEM, TR("out of memory", "内存不足")) : path_mkdirs(buf_str(ret), 0700, e);
}

static bool is_id(const char *name)
{
	return strlen(name) == ID_LENGTH && strspn(name, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") == ID_LENGTH;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The folders of snapshots, the oldest first: ULIDs are in the order of time. */
static int read_ids(const char *dir, struct arena *mem, const char ***ret, size_t *n, struct err *e)
{
	size_t cap = 0;
	bool bad = false;
	DIR *d = opendir(dir);

	*ret = NULL;
	*n = 0;
	if (!d)
		return errno == ENOENT ? 0 : err_set(e, errno, TR("read '%s': %m", "无法读取“%s”：%m"), dir);
	for (struct dirent *f; !bad && (f = readdir(d));) {
		if (!is_id(f->d_name))
			continue;
		bad = !mem_grow(ret, &cap, *n, sizeof(**ret));
		const char *id = bad ? NULL : arena_str(mem, span_of(f->d_name));
		bad |= !id;
		if (id)
			(*ret)[(*n)++] = id;
	}
	closedir(d);
	if (*n)
		qsort(*ret, *n, sizeof(**ret), by_name);
	return bad ? err_set(e, ENOMEM, TR("out of memory", "内存不足")) : 0;
}

int64_t snap_bytes(const char *path)
{
	int64_t sum = 0;
	struct stat st;
	DIR *d = opendir(path);

	for (struct dirent *f; d && (f = readdir(d));) {
		if (f->d_name[0] != '.' && fstatat(dirfd(d), f->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
			sum += st.st_size;
	}
	if (d)
		closedir(d);
	return sum;
}

void snap_remove(const char *path)
{
	DIR *d = opendir(path);

	for (struct dirent *f; d && (f = readdir(d));) {
		if (strcmp(f->d_name, ".") != 0 && strcmp(f->d_name, "..") != 0)
			unlinkat(dirfd(d), f->d_name, 0);
	}
	if (d)
		closedir(d);
	rmdir(path);
}

/* Left by one that was killed while it was made. */
static void drop_unfinished(const char *dir)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	struct stat st;
	DIR *d = opendir(dir);

	for (struct dirent *f; d && (f = readdir(d));) {
		struct span name = span_of(f->d_name);
		if (name.n != ID_LENGTH + 5 || !span_starts(name, S(".")) || !span_ends(name, S(".new")) || fstatat(dirfd(d), f->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISDIR(st.st_mode) || time_wall() - st.st_mtime * NSEC_PER_SEC < UNFINISHED_OLD)
			continue;
		buf_clear(&path);
		path_join(&path, dir, f->d_name);
		if (!path.bad)
			snap_remove(buf_str(&path));
	}
	if (d)
		closedir(d);
}

void snap_make_room(const char *dir, const char *keep, int64_t budget)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	CLEANUP(buf_free) struct buf path = { 0 };
	const char **ids;
	int64_t sum = 0, newer = 0;
	size_t n;
	struct err none;

	drop_unfinished(dir);
	if (read_ids(dir, &mem, &ids, &n, &none) < 0)
		n = 0;
	for (size_t i = n; i > 0; i--) {
		buf_clear(&path);
		path_join(&path, dir, ids[i - 1]);
		int64_t bytes = snap_bytes(buf_str(&path));
		sum += bytes;
		if (sum > budget && newer && strcmp(ids[i - 1], keep) != 0) {
			snap_remove(buf_str(&path));
			sum -= bytes;
		}
		newer++;
	}
	mem_free(ids);
}

int snap_list(const char *dir, snap_fn *fn, void *ctx, struct err *e)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	CLEANUP(buf_free) struct buf top = { 0 }, path = { 0 }, text = { .max = MANIFEST_MAX };
	const char **ids = NULL;
	size_t n = 0, told = 0;

	int r = snap_dir(dir, &top, e);
	if (r == 0)
		r = read_ids(buf_str(&top), &mem, &ids, &n, e);
	for (size_t i = 0; r == 0 && i < n; i++) {
		buf_clear(&path);
		buf_clear(&text);
		buf_addf(&path, "%s/%s/manifest.json", buf_str(&top), ids[i]);
		if (file_slurp(buf_str(&path), &text, NULL) < 0)
			continue;
		path.len -= strlen("/manifest.json");
		path.p[path.len] = '\0';
		struct snap_row row = { ids[i], buf_str(&path), buf_view(&text), snap_bytes(buf_str(&path)) };
		told++;
		r = fn(ctx, &row);
	}
	mem_free(ids);
	return r < 0 ? r : (int)told;
}
