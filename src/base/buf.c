#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

bool buf_need(struct buf *b, size_t more)
{
	size_t want, cap;

	if (__builtin_add_overflow(b->len, more, &want) || __builtin_add_overflow(want, 1, &want) ||
	    (b->max && want > b->max + 1)) {
		b->bad = true;
		return false;
	}
	if (want <= b->cap)
		return true;
	cap = b->cap ? b->cap : 64;
	while (cap < want && !__builtin_mul_overflow(cap, 2, &cap))
		;
	char *p = cap >= want ? mem_resize(b->p, cap) : NULL;
	if (!p) {
		b->bad = true;
		return false;
	}
	b->p = p;
	b->cap = cap;
	return true;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	if (!n || !buf_need(b, n))
		return;
	memcpy(b->p + b->len, p, n);
	b->len += n;
	b->p[b->len] = '\0';
}

void buf_adds(struct buf *b, const char *z)
{
	buf_add(b, z, strlen(z));
}

void buf_addc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_vaddf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;

	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0 || !buf_need(b, (size_t)n)) {
		b->bad = true;
		return;
	}
	vsnprintf(b->p + b->len, (size_t)n + 1, fmt, ap);
	b->len += (size_t)n;
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(b, fmt, ap);
	va_end(ap);
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->bad = false;
	if (b->p)
		b->p[0] = '\0';
}

void buf_drop(struct buf *b, size_t n)
{
	if (n >= b->len) {
		b->len = 0;
	} else {
		memmove(b->p, b->p + n, b->len - n);
		b->len -= n;
	}
	if (b->p)
		b->p[b->len] = '\0';
}

void buf_free(struct buf *b)
{
	mem_free(b->p);
	*b = (struct buf){ .max = b->max };
}

void buf_free_cleanup(struct buf *b)
{
	buf_free(b);
}

const char *buf_str(const struct buf *b)
{
	return b->p ? b->p : "";
}

static int fill(struct buf *b, int fd)
{
	for (;;) {
		size_t room = 1 << 16;
		if (b->max && b->len + room > b->max)
			room = b->max - b->len + 1; /* one more, to see that it is too large */
		if (b->max && b->len > b->max)
			return -EFBIG;
		size_t max = b->max;
		b->max = 0;
		bool ok = buf_need(b, room);
		b->max = max;
		if (!ok)
			return -ENOMEM;
		ssize_t n = fault_hit() ? (errno = EIO, -1) : read(fd, b->p + b->len, room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		b->len += (size_t)n;
	}
	if (b->p)
		b->p[b->len] = '\0';
	return b->max && b->len > b->max ? -EFBIG : 0;
}

int file_slurp(const char *path, struct buf *ret, struct err *e)
{
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	CLEANUP(buf_free) struct buf b = { .max = ret->max };

	if (fd < 0)
		return err_set(e, errno, TR("open '%s': %m", "无法打开“%s”：%m"), path);
	int r = fill(&b, fd);
	if (r < 0)
		return err_set(e, -r, TR("read '%s': %m", "无法读取“%s”：%m"), path);
	mem_free(ret->p);
	*ret = b;
	b = (struct buf){ 0 };
	return 0;
}

int fd_write_all(int fd, struct span what)
{
	while (what.n) {
		ssize_t n = fault_hit() ? (errno = EIO, -1) : write(fd, what.p, what.n);
		if (n < 0 && errno == EAGAIN) {
			poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1);
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

/* "/dev/stdout", "/dev/fd/3": opened anew, such a file would have another offset, and the next writer overwrite us. */
static int own_fd(struct span path)
{
	int64_t fd;

	if (span_eq(path, S("/dev/stdout")) || span_eq(path, S("/dev/stderr")))
		return path.p[8] == 'o' ? STDOUT_FILENO : STDERR_FILENO;
	if (!span_skip(&path, S("/dev/fd/")) && !span_skip(&path, S("/proc/self/fd/")))
		return -1;
	return span_int(path, &fd) && fd >= 0 && fd < INT32_MAX ? (int)fd : -1;
}

int file_replace(const char *path, struct span what, struct err *e)
{
	CLEANUP(buf_free) struct buf tmp = { 0 };
	struct stat st;

	/* Our own descriptors, devices and pipes are not to be renamed over: write to them. */
	int own = own_fd(span_of(path));
	if (own >= 0 || (stat(path, &st) == 0 && !S_ISREG(st.st_mode))) {
		CLEANUP(fd_close) int dev = own >= 0 ? -1 : open(path, O_WRONLY | O_CLOEXEC);
		int r = own < 0 && dev < 0 ? -errno : fd_write_all(own >= 0 ? own : dev, what);
		return r < 0 ? err_set(e, -r, TR("write '%s': %m", "无法写入“%s”：%m"), path) : 0;
	}
	buf_addf(&tmp, "%s.tmp-%d", path, (int)getpid());
	if (tmp.bad)
		return err_set(e, ENOMEM, TR("write '%s': %m", "无法写入“%s”：%m"), path);
	CLEANUP(fd_close) int fd = open(tmp.p, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		return err_set(e, errno, TR("create '%s': %m", "无法创建“%s”：%m"), path);
	int r = fd_write_all(fd, what);
	if (r == 0 && rename(tmp.p, path) < 0)
		r = -errno;
	if (r == 0)
		return 0;
	unlink(tmp.p);
	return err_set(e, -r, TR("write '%s': %m", "无法写入“%s”：%m"), path);
}
