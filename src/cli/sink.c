#include "cli/sink.h"

#include <errno.h>
#include <fcntl.h>

#include <zstd.h>

#include "base/mem.h"

#define PENDING_MAX (1 << 16)

struct sink {
	const char *path;
	int fd;
	int failed;         /* -errno of the first failure */
	ZSTD_CCtx *z;       /* NULL: plain */
	struct buf pending; /* plain bytes not yet written */
	struct buf packed;
};

static void sink_free(struct sink *s)
{
	fd_close(s->fd);
	ZSTD_freeCCtx(s->z);
	buf_free(&s->pending);
	buf_free(&s->packed);
	mem_free(s);
}

int sink_open(const char *path, struct sink **ret, struct err *e)
{
	struct sink *s = mem_zalloc(sizeof(*s));

	if (!s)
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	s->path = path;
	s->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
	if (s->fd < 0) {
		int r = err_set(e, errno, TR("create '%s': %m", "无法创建“%s”：%m"), path);
		sink_free(s);
		return r;
	}
	if (span_ends(span_of(path), S(".zst"))) {
		s->z = ZSTD_createCCtx();
		if (!s->z || !buf_need(&s->packed, ZSTD_CStreamOutSize())) {
			sink_free(s);
			return err_set(e, ENOMEM, TR("no memory", "内存不足"));
		}
		ZSTD_CCtx_setParameter(s->z, ZSTD_c_compressionLevel, 3);
		ZSTD_CCtx_setParameter(s->z, ZSTD_c_checksumFlag, 1);
	}
	*ret = s;
	return 0;
}

static void put(struct sink *s, struct span bytes)
{
	int r = s->failed ? 0 : fd_write_all(s->fd, bytes);

	if (r < 0)
		s->failed = r;
}

static void compress(struct sink *s, ZSTD_EndDirective how)
{
	ZSTD_inBuffer in = { s->pending.p, s->pending.len, 0 };
	size_t left;

	do {
		ZSTD_outBuffer out = { s->packed.p, s->packed.cap, 0 };
		left = ZSTD_compressStream2(s->z, &out, &in, how);
		if (ZSTD_isError(left)) {
			s->failed = s->failed ? s->failed : -EIO;
			break;
		}
		put(s, (struct span){ s->packed.p, out.pos });
	} while (!s->failed && (how == ZSTD_e_end ? left > 0 : in.pos < in.size));
}

static void flush(struct sink *s, bool end)
{
	if (s->z)
		compress(s, end ? ZSTD_e_end : ZSTD_e_continue);
	else
		put(s, buf_view(&s->pending));
	buf_clear(&s->pending);
}

void sink_write(struct sink *s, struct span bytes)
{
	if (!s || s->failed)
		return;
	buf_span(&s->pending, bytes);
	if (s->pending.bad)
		s->failed = -ENOMEM;
	else if (s->pending.len >= PENDING_MAX || !s->z)
		flush(s, false);
}

int sink_close(struct sink *s, struct err *e)
{
	int r;

	if (!s)
		return 0;
	flush(s, true);
	r = s->failed;
	if (r < 0)
		err_set(e, -r,
			TR("write '%s': %m; what is in it is not complete", "写入“%s”：%m；文件内容不完整"),
			s->path);
	sink_free(s);
	return r;
}
