#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "probe/source.h"

#define PIECE  65536u
#define BEHIND 16 /* zeros: a string that the file does not end is ended */

static int source_new(uint64_t size, struct probe_source **ret, struct err *e)
{
	struct probe_source *s = mem_zalloc(sizeof(*s));

	if (s) {
		s->fd = -1;
		s->size = size;
		if (size < SIZE_MAX - PIECE) {
			s->p = mem_pages(size + BEHIND); /* what is not touched takes no memory */
			s->have = mem_zalloc(size / PIECE + 1);
		}
	}
	if (!s || !s->p || !s->have) {
		source_free(s);
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	}
	memset(s->p + size, 0, BEHIND);
	*ret = s;
	return 0;
}

int source_open(int fd, const char *name, struct probe_source **ret, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, errno, TR("read '%s': %m", "读取“%s”：%m"), name);
	if (S_ISDIR(st.st_mode))
		return err_set(e, EISDIR, TR("'%s' is a directory, no binary", "“%s”是目录，不是二进制文件"),
			       name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, TR("'%s' is no regular file", "“%s”不是普通文件"), name);
	int r = source_new((uint64_t)st.st_size, ret, e);
	if (r == 0)
		(*ret)->fd = fd;
	return r;
}

int source_of_bytes(struct span bytes, struct probe_source **ret, struct err *e)
{
	int r = source_new(bytes.n, ret, e);

	if (r == 0 && bytes.n)
		memcpy((*ret)->p, bytes.p, bytes.n);
	return r;
}

void source_free(struct probe_source *s)
{
	if (!s)
		return;
	mem_free(s->p);
	mem_free(s->have);
	mem_free(s);
}

/* As much as can be read; the rest is zeros. */
static void read_range(struct probe_source *s, unsigned char *to, uint64_t at, uint64_t n)
{
	while (n) {
		ssize_t got = pread(s->fd, to, n < 1 << 30 ? n : 1 << 30, (off_t)at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			s->changed = true;
			memset(to, 0, n);
			return;
		}
		to += got;
		at += (uint64_t)got;
		n -= (uint64_t)got;
	}
}

unsigned char *source_at(struct probe_source *s, uint64_t at, uint64_t n)
{
	if (at > s->size || n > s->size - at)
		return NULL;
	if (s->fd < 0 || n == 0)
		return s->p + at;
	for (uint64_t i = at / PIECE, last = (at + n - 1) / PIECE; i <= last; i++) {
		if (s->have[i])
			continue;
		uint64_t first = i;
		while (i <= last && !s->have[i])
			s->have[i++] = 1;
		uint64_t end = i * PIECE < s->size ? i * PIECE : s->size;
		read_range(s, s->p + first * PIECE, first * PIECE, end - first * PIECE);
	}
	return s->p + at;
}

bool source_hash(struct probe_source *s, uint64_t at, uint64_t n, unsigned char ret[SHA256_SIZE])
{
	if (at > s->size || n > s->size - at)
		return false;
	struct sha256 h;
	unsigned char *own = s->fd >= 0 && n > 4 * PIECE ? mem_alloc(4 * PIECE) : NULL;
	sha256_begin(&h);
	if (!own) {
		sha256_more(&h, (struct span){ (char *)source_at(s, at, n), n });
	} else {
		for (uint64_t step; n; at += step, n -= step) {
			step = n < 4 * PIECE ? n : 4 * PIECE;
			read_range(s, own, at, step);
			sha256_more(&h, (struct span){ (char *)own, step });
		}
		mem_free(own);
	}
	sha256_end(&h, ret);
	return true;
}
