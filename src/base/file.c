#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"

#define READER_MS 1000 /* for somebody to open the other end of a named pipe */
#define STUCK_MS  5000 /* for somebody to read from it */
#define COPY      (64 << 10)

/* ---- what a name means ---- */

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool is_fd_name(struct span *s)
{
	return span_skip(s, S("/dev/fd/")) || span_skip(s, S("/proc/self/fd/"));
}

/* Every descriptor that Tocsin opens itself is closed on exec: the others are those that it was started with. */
static int inherited(int64_t fd)
{
	if (fd < 0 || fd > INT32_MAX)
		return -1;
	int flags = fcntl((int)fd, F_GETFD);
	return flags >= 0 && !(flags & FD_CLOEXEC) ? (int)fd : -1;
}

int file_own_fd(const char *path)
{
	struct span s = span_of(path);
	struct stat at, st;
	int64_t fd;

	if (span_eq(s, S("/dev/stdout")) || span_eq(s, S("/dev/stderr")))
		return s.p[8] == 'o' ? STDOUT_FILENO : STDERR_FILENO;
	if (is_fd_name(&s))
		return span_int(s, &fd) ? inherited(fd) : -1;
	/* Opened anew, such a file would have an offset of its own, and the next writer overwrite us. */
	for (int own = STDOUT_FILENO; stat(path, &at) == 0 && own <= STDERR_FILENO; own++) {
		if (S_ISREG(at.st_mode) && fstat(own, &st) == 0 && same_file(&at, &st))
			return own;
	}
	return -1;
}

static bool dir_of(const char *path, struct stat *ret)
{
	CLEANUP(buf_free) struct buf dir = { 0 };

	buf_span(&dir, path_dir(span_of(path)));
	return !dir.bad && dir.len && stat(dir.p, ret) == 0;
}

bool file_same(const char *a, const char *b)
{
	struct stat x, y;
	bool there_a = stat(a, &x) == 0, there_b = stat(b, &y) == 0;

	if (!strcmp(a, b))
		return !(there_a && S_ISCHR(x.st_mode));
	if (there_a && there_b)
		return S_ISREG(x.st_mode) && same_file(&x, &y) && (file_own_fd(a) < 0 || file_own_fd(b) < 0);
	if (there_a || there_b)
		return false;
	return span_eq(path_base(span_of(a)), path_base(span_of(b))) && dir_of(a, &x) && dir_of(b, &y) && same_file(&x, &y);
}

/* ---- opening ---- */

static int cannot_create(const char *path, int code, struct err *e)
{
	if (code == ENOENT)
		return err_set(e, code, TR("create '%s': there is no such folder", "无法创建“%s”：目录不存在"), path);
	if (code == ENXIO)
		return err_set(e, code, TR("write '%s': nobody reads from this pipe", "无法写入“%s”：没有进程读取该管道"), path);
	return err_set(e, code, TR("create '%s': %m", "无法创建“%s”：%m"), path);
}

static int open_pipe(const char *path)
{
	for (int waited = 0;; waited += 50) {
		int fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd >= 0 || errno != ENXIO || waited >= READER_MS)
			return fd;
		poll(NULL, 0, 50);
	}
}

static int open_odd(struct file_out *f, const struct stat *st, struct err *e)
{
	bool is_pipe = S_ISFIFO(st->st_mode);

	f->fd = is_pipe ? open_pipe(f->path) : open(f->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	f->wait_ms = is_pipe ? STUCK_MS : -1;
	return f->fd < 0 ? cannot_create(f->path, errno, e) : 0;
}

static int open_place(struct file_out *f, struct err *e)
{
	f->fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
	return f->fd < 0 ? cannot_create(f->path, errno, e) : 0;
}

/* Root writes for whoever owned the file before; where that is refused, the file is root's. */
static void keep_owner(int fd, const struct stat *st)
{
	mode_t mode = st->st_mode & 0777;

	if (geteuid() == 0 && fchown(fd, st->st_uid, st->st_gid) < 0)
		mode &= ~(mode_t)077; /* the rights were meant for another owner and group */
	fchmod(fd, mode);
}

static int open_beside(struct file_out *f, const struct stat *st, struct err *e)
{
	char *real = f->exists ? realpath(f->path, NULL) : NULL;

	buf_adds(&f->real, real ? real : f->path);
	free(real);
	buf_addf(&f->tmp, "%s.tmp-%d", buf_str(&f->real), (int)getpid());
	if (f->real.bad || f->tmp.bad)
		return err_set(e, ENOMEM, TR("write '%s': %m", "无法写入“%s”：%m"), f->path);
	unlink(f->tmp.p); /* of a process that had our number; never through somebody's link */
	f->fd = open(f->tmp.p, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (f->fd >= 0) {
		if (f->exists)
			keep_owner(f->fd, st);
		return 0;
	}
	int code = errno;
	buf_free(&f->tmp);
	if (f->exists && (code == EACCES || code == EPERM || code == EROFS))
		return open_place(f, e); /* the folder is closed to us, the file is not */
	return cannot_create(f->path, code, e);
}

int file_begin(struct file_out *f, const char *path, enum file_how how, struct err *e)
{
	struct stat st;
	int r;

	*f = (struct file_out){ .path = path, .fd = file_own_fd(path), .wait_ms = -1 };
	f->own = f->fd >= 0;
	if (f->own)
		return 0;
	if (is_fd_name(&(struct span){ path, strlen(path) }))
		return err_set(e, EBADF, TR("write '%s': no such descriptor is open", "无法写入“%s”：没有打开这个描述符"), path);
	f->exists = stat(path, &st) == 0;
	if (f->exists && !S_ISREG(st.st_mode))
		r = open_odd(f, &st, e);
	else if (how == FILE_GROWS || (!f->exists && lstat(path, &st) == 0)) /* a link to what is not there yet */
		r = open_place(f, e);
	else
		r = open_beside(f, &st, e);
	if (r < 0) {
		buf_free(&f->real);
		buf_free(&f->tmp);
	}
	return r;
}

/* ---- writing ---- */

static int write_all(int fd, struct span what, int wait_ms)
{
	while (what.n) {
		ssize_t n = fault_hit() ? (errno = EIO, -1) : write(fd, what.p, what.n);
		if (n < 0 && errno == EAGAIN) {
			if (poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, wait_ms) == 0)
				return -ETIMEDOUT;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		what = span_from(what, (size_t)n);
	}
	return 0;
}

int fd_write_all(int fd, struct span what)
{
	return write_all(fd, what, -1);
}

int file_put(struct file_out *f, struct span what)
{
	return write_all(f->fd, what, f->wait_ms);
}

/* What cannot be renamed over (a file that is mounted by itself) is filled anew. */
static int fill_place(struct file_out *f)
{
	CLEANUP(fd_close) int to = open(f->real.p, O_WRONLY | O_TRUNC | O_CLOEXEC);
	CLEANUP(mem_free) char *room = mem_alloc(COPY);
	int64_t at = 0;

	if (to < 0 || !room)
		return to < 0 ? -errno : -ENOMEM;
	for (;;) {
		ssize_t n = pread(f->fd, room, COPY, at);
		int r = n < 0 ? -errno : fd_write_all(to, (struct span){ room, (size_t)n });
		if (r < 0 || n == 0)
			return r;
		at += n;
	}
}

int file_end(struct file_out *f, int failed, struct err *e)
{
	if (f->tmp.len && failed == 0 && rename(f->tmp.p, f->real.p) < 0)
		failed = f->exists && (errno == EBUSY || errno == EXDEV) ? fill_place(f) : -errno;
	if (f->tmp.len)
		unlink(f->tmp.p); /* gone already when it was renamed */
	if (!f->own)
		fd_close(f->fd);
	f->fd = -1;
	buf_free(&f->real);
	buf_free(&f->tmp);
	if (failed == -ETIMEDOUT)
		return err_set(e, ETIMEDOUT, TR("write '%s': nobody reads from this pipe", "无法写入“%s”：没有进程读取该管道"),
			       f->path);
	return failed < 0 ? err_set(e, -failed, TR("write '%s': %m", "无法写入“%s”：%m"), f->path) : 0;
}

int file_replace(const char *path, struct span what, struct err *e)
{
	struct file_out f;
	int r = file_begin(&f, path, FILE_WHOLE, e);

	return r < 0 ? r : file_end(&f, file_put(&f, what), e);
}
