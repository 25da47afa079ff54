#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
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

/* size: of a regular file, which ends there, so that it need not be asked whether there is more; 0: read to the end. */
static int fill(struct buf *b, int fd, off_t size)
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
		if (size > 0 && b->len == (size_t)size)
			break;
	}
	if (b->p)
		b->p[b->len] = '\0';
	return b->max && b->len > b->max ? -EFBIG : 0;
}

static int slurp(int fd, const char *path, off_t size, struct buf *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf b = { .max = ret->max };

	int r = fill(&b, fd, size);
	if (r < 0)
		return err_set(e, -r, TR("read '%s': %m", "无法读取“%s”：%m"), path);
	mem_free(ret->p);
	*ret = b;
	b = (struct buf){ 0 };
	return 0;
}

int file_slurp(const char *path, struct buf *ret, struct err *e)
{
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? err_set(e, errno, TR("open '%s': %m", "无法打开“%s”：%m"), path) : slurp(fd, path, 0, ret, e);
}

int file_slurp_regular(const char *path, struct buf *ret, struct err *e)
{
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, TR("open '%s': %m", "无法打开“%s”：%m"), path);
	if (S_ISDIR(st.st_mode))
		return err_set(e, EISDIR, TR("read '%s': %m", "无法读取“%s”：%m"), path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EBADMSG, TR("'%s' is not a regular file: it is not read", "“%s”不是普通文件：不予读取"), path);
	return slurp(fd, path, st.st_size, ret, e);
}
