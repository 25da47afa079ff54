#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"
#include "model/report_read.h"
#include "store/spool.h"
#include "store/state.h"

/*
 * A run that could not be recorded waits in a file: <state directory>/spool/<hash of the store>/<id of the run>.json, or
 * below the directory for temporary files when that cannot be written. A file is there whole or not at all, and goes only
 * after the database has said that the run is in it: a taker that is killed in between records it twice, which changes
 * nothing. One taker at a time: the directory is locked, and a lock ends with its process.
 */
#define FILES_MAX (int)SPOOL_FILES_MAX
#define BYTES_MAX SPOOL_BYTES_MAX
#define TMP_OLD   (3600 * NSEC_PER_SEC)

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

/* ---- where ---- */

/* One store under all its names: sqlite:///x/y.db, x/y.db and a path through a link. */
static int store_key(const char *uri, struct buf *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf name = { 0 }, dir = { 0 };
	int r = uri && *uri ? store_uri_name(uri, &name, e) : 0;

	if (r == -ENOMEM)
		return r;
	if (!uri || !*uri || r < 0) { /* one that could never be opened: its runs are kept all the same */
		buf_adds(ret, uri && *uri ? uri : "default");
		return ret->bad ? no_memory(e) : 0;
	}
	buf_span(&dir, path_dir(buf_view(&name)));
	if (name.bad || dir.bad)
		return no_memory(e);
	bool file = !span_starts(span_of(uri), S("postgres"));
	char *real = file ? realpath(buf_str(&dir), NULL) : NULL, *cwd = file && !real && name.p[0] != '/' ? getcwd(NULL, 0) : NULL;
	if (real || cwd)
		path_join(ret, real ? real : cwd, "");
	buf_span(ret, real ? path_base(buf_view(&name)) : buf_view(&name));
	free(real);
	free(cwd);
	return ret->bad ? no_memory(e) : 0;
}

enum { PLACE_STATE, PLACE_TMP, PLACES };

/* Nothing in a directory of somebody else's is ours: /tmp is everybody's. */
static bool is_ours(const char *dir)
{
	struct stat st;

	return lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 022);
}

static int tmp_base(bool make, struct buf *ret, struct err *e)
{
	const char *tmp = getenv("TMPDIR");

	buf_addf(ret, "%s/tocsin-%u", tmp && tmp[0] == '/' ? tmp : "/tmp", (unsigned)geteuid());
	if (ret->bad)
		return no_memory(e);
	if (make && mkdir(ret->p, 0700) < 0 && errno != EEXIST)
		return err_set(e, errno, TR("create '%s': %m", "无法创建“%s”：%m"), ret->p);
	return !make || is_ours(ret->p) ? 0 : err_set(e, EPERM, TR("'%s' belongs to another user or others may write to it", "“%s”属于其他用户，或其他人可以写入"), ret->p);
}

static int place_dir(const char *uri, int place, bool make, struct buf *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf key = { 0 };
	int r = place == PLACE_STATE ? path_user_dir("XDG_STATE_HOME", ".local/state", ret, e) : tmp_base(make, ret, e);

	if (r == 0)
		r = store_key(uri, &key, e);
	if (r < 0)
		return r;
	buf_addf(ret, "/spool/%016llx", (unsigned long long)hash64(buf_view(&key), S("spool")));
	if (ret->bad)
		return no_memory(e);
	r = make ? path_mkdirs(ret->p, 0700, e) : 0;
	if (r == 0 && make && !is_ours(ret->p))
		return err_set(e, EPERM, TR("'%s' belongs to another user or others may write to it", "“%s”属于其他用户，或其他人可以写入"), ret->p);
	return r;
}

/* ---- what is there ---- */

struct spooled {
	char (*names)[40]; /* "ULID.json", sorted: the oldest first */
	size_t n, cap;
	size_t files; /* all of them, also those that were set aside */
	int64_t bytes;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void drop_old_tmp(int dir, const char *name, const struct stat *st)
{
	if (time_wall() - st->st_mtime * NSEC_PER_SEC > TMP_OLD) /* its writer was killed */
		unlinkat(dir, name, 0);
}

static int list_one(struct spooled *x, int dir, const char *name, struct err *e)
{
	struct stat st;
	struct span s = span_of(name);
	bool bad = span_ends(s, S(".json.bad"));

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	if (span_starts(s, S(".new-"))) {
		drop_old_tmp(dir, name, &st);
		return 0;
	}
	if (!bad && !span_ends(s, S(".json")))
		return 0;
	x->files++;
	x->bytes += st.st_size;
	if (bad || s.n >= sizeof(*x->names))
		return 0;
	if (!mem_grow(&x->names, &x->cap, x->n, sizeof(*x->names)))
		return no_memory(e);
	memcpy(x->names[x->n++], name, s.n + 1);
	return 0;
}

static int list_dir(const char *path, struct spooled *x, struct err *e)
{
	DIR *d = opendir(path);
	int r = 0;

	if (!d)
		return errno == ENOENT ? 0 : err_set(e, errno, TR("read '%s': %m", "无法读取“%s”：%m"), path);
	for (struct dirent *n; r == 0 && (n = readdir(d));)
		r = list_one(x, dirfd(d), n->d_name, e);
	closedir(d);
	if (x->n)
		qsort(x->names, x->n, sizeof(*x->names), by_name);
	return r;
}

static void spooled_free_cleanup(struct spooled *x)
{
	mem_free(x->names);
}

/* ---- putting ---- */

/* It outlives a power cut: the text is on the disk before it has its name, the name before we say so. */
static int write_durable(const char *dir, const char *name, struct span text, struct buf *path, struct err *e)
{
	CLEANUP(buf_free) struct buf tmp = { 0 };

	buf_addf(&tmp, "%s/.new-%s.%d", dir, name, (int)getpid());
	buf_addf(path, "%s/%s.json", dir, name);
	if (tmp.bad || path->bad)
		return no_memory(e);
	unlink(tmp.p);
	CLEANUP(fd_close) int fd = fault_hit() ? (errno = EIO, -1) : open(tmp.p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(e, errno, TR("create '%s': %m", "无法创建“%s”：%m"), tmp.p);
	int r = fd_write_all(fd, text);
	if (r == 0 && (fault_hit() ? (errno = EIO, -1) : fsync(fd)) < 0)
		r = -errno;
	if (r == 0 && (fault_hit() ? (errno = EIO, -1) : rename(tmp.p, path->p)) < 0)
		r = -errno;
	if (r < 0) {
		unlink(tmp.p);
		return err_set(e, -r, TR("write '%s': %m", "无法写入“%s”：%m"), path->p);
	}
	CLEANUP(fd_close) int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (at >= 0)
		fsync(at);
	return 0;
}

static int check_room(const char *dir, size_t more, struct err *e)
{
	CLEANUP(spooled_free) struct spooled x = { 0 };
	int r = list_dir(dir, &x, e);

	if (r < 0)
		return r;
	if (x.files >= SPOOL_FILES_MAX)
		return err_set(e, EDQUOT, TR("%d runs wait in '%s' already, which is the limit: this one is not kept", "“%2$s”中已有 %1$d 次运行等待入库，已达上限：本次运行未保存"), FILES_MAX, dir);
	if (x.bytes + (int64_t)more > BYTES_MAX)
		return err_set(e, EDQUOT, TR("the runs that wait in '%s' would exceed %d MB, which is the limit: this one is not kept", "“%s”中等待入库的运行将超过 %d MB 的上限：本次运行未保存"), dir, (int)(BYTES_MAX >> 20));
	return 0;
}

static int put_in(const char *uri, int place, const char *id, struct span text, struct buf *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf dir = { 0 };
	int r = place_dir(uri, place, true, &dir, e);

	if (r == 0)
		r = check_room(buf_str(&dir), text.n, e);
	return r < 0 ? r : write_durable(buf_str(&dir), id, text, ret, e);
}

static bool is_ulid(const char *id)
{
	return strlen(id) == 26 && strspn(id, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") == 26;
}

int spool_put(const char *uri, const struct report *r, struct buf *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf text = { .max = BYTES_MAX }, path = { 0 };
	struct err later;

	if (!is_ulid(r->id))
		return err_set(e, EINVAL, TR("a run without an id cannot be kept", "没有编号的运行无法保存"));
	report_spool_json(r, &text);
	if (text.bad)
		return no_memory(e);
	int n = put_in(uri, PLACE_STATE, r->id, buf_view(&text), &path, e);
	if (n < 0 && n != -EDQUOT) { /* the first sentence is the one that helps */
		buf_clear(&path);
		if (put_in(uri, PLACE_TMP, r->id, buf_view(&text), &path, &later) == 0)
			n = 0;
	}
	if (n == 0) {
		buf_free(ret);
		*ret = path;
		path = (struct buf){ 0 };
	}
	return n;
}

/* ---- taking in ---- */

struct taking {
	struct store *store;
	int64_t now;
	int left, taken;
	struct buf *notes;
};

/* What is wrong with the file, and will be so tomorrow; all else is the store's trouble. */
static bool is_broken(int code)
{
	return code == -EBADMSG || code == -EFBIG || code == -EINVAL || code == -EILSEQ;
}

static void set_aside(struct taking *t, const char *path, const char *why)
{
	CLEANUP(buf_free) struct buf to = { 0 };

	buf_addf(&to, "%s.bad", path);
	if (to.bad || rename(path, to.p) < 0)
		return;
	buf_addf(t->notes, TR("a run that waited to be recorded cannot be read and was set aside as '%s': %s\n", "一次等待入库的运行无法读取，已另存为“%s”：%s\n"), to.p, why);
}

static void note_clock(struct taking *t, const struct report *r, const char *path)
{
	char when[32];

	if (r->started <= t->now + 2 * DAY_NSEC)
		return;
	time_rfc3339(r->started, when);
	buf_addf(t->notes, TR("the run in '%s' says that it began at %s, which is to come: a clock was wrong; it is kept with that time\n",
			      "“%s”中的运行自称始于 %s，晚于当前时间：时钟有误；仍按该时间保存\n"), path, when);
}

static int take_file(struct taking *t, const char *path, struct err *e)
{
	CLEANUP(buf_free) struct buf text = { .max = REPORT_TEXT_MAX };
	const struct record_config c = { .now = t->now };
	struct report r = { 0 };

	int n = file_slurp(path, &text, e);
	if (n == -ENOENT)
		return 0;
	if (n == 0) {
		n = report_read(buf_view(&text), path, &r, e);
		buf_free(&text);
	}
	if (n == 0 && !is_ulid(r.id))
		n = err_set(e, EBADMSG, TR("'%s' has no id of a run", "“%s”没有运行编号"), path);
	if (n == 0)
		note_clock(t, &r, path);
	if (n == 0)
		n = store_record(t->store, &r, &c, e);
	report_free(&r);
	if (is_broken(n)) {
		set_aside(t, path, e->msg);
		return 0;
	}
	if (n < 0)
		return n;
	if ((fault_hit() ? (errno = EIO, -1) : unlink(path)) < 0 && errno != ENOENT)
		return err_set(e, errno, TR("remove '%s', which is recorded: %m", "无法删除已入库的“%s”：%m"), path);
	t->taken++;
	return 0;
}

static int take_dir(struct taking *t, const char *dir, struct err *e)
{
	CLEANUP(fd_close) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	CLEANUP(spooled_free) struct spooled x = { 0 };

	if (fd < 0 || !is_ours(dir) || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return 0; /* nothing there, or another run is at it */
	int r = list_dir(dir, &x, e);
	for (size_t i = 0; r == 0 && i < x.n && t->left > 0; i++, t->left--) {
		CLEANUP(buf_free) struct buf path = { 0 };
		path_join(&path, dir, x.names[i]);
		r = path.bad ? no_memory(e) : take_file(t, path.p, e);
	}
	return r;
}

int spool_take(struct store *s, const char *uri, int max, int64_t now, struct buf *notes, struct err *e)
{
	CLEANUP(buf_free) struct buf own = { 0 };
	struct taking t = { .store = s, .now = now, .left = max, .notes = notes ? notes : &own };
	struct err local = { 0 };

	e = e ? e : &local;
	for (int place = 0; place < PLACES; place++) {
		CLEANUP(buf_free) struct buf dir = { 0 };
		struct err none;
		if (place_dir(uri, place, false, &dir, &none) < 0)
			continue;
		int r = take_dir(&t, buf_str(&dir), e);
		if (r < 0)
			return r;
	}
	return t.taken;
}

void spool_waiting(const char *uri, int64_t *files, int64_t *bytes)
{
	*files = *bytes = 0;
	for (int place = 0; place < PLACES; place++) {
		CLEANUP(buf_free) struct buf dir = { 0 };
		CLEANUP(spooled_free) struct spooled x = { 0 };
		struct err none;
		if (place_dir(uri, place, false, &dir, &none) < 0 || !is_ours(buf_str(&dir)) || list_dir(buf_str(&dir), &x, &none) < 0)
			continue;
		*files += (int64_t)x.n;
		*bytes += x.bytes;
	}
}
