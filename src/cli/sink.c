#include "cli/sink.h"

#include <errno.h>

#include <zstd.h>

#include "base/file.h"
#include "base/mem.h"

#define PENDING_MAX (1 << 16)

struct sink {
	struct file_out file;
	int failed;         /* -errno of the first failure */
	ZSTD_CCtx *z;       /* NULL: plain */
	struct buf pending; /* plain bytes not yet written */
	struct buf packed;
	bool redacts;
	struct redact_stream clean;
};

static void sink_free(struct sink *s)
{
	ZSTD_freeCCtx(s->z);
	buf_free(&s->pending);
	buf_free(&s->packed);
	redact_stream_free(&s->clean);
	mem_free(s);
}

int sink_open(const char *path, struct sink **ret, struct err *e)
{
	struct sink *s = mem_zalloc(sizeof(*s));

	if (!s)
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	int r = file_begin(&s->file, path, FILE_GROWS, e);
	if (r < 0) {
		sink_free(s);
		return r;
	}
	if (span_ends(span_of(path), S(".zst"))) {
		s->z = ZSTD_createCCtx();
		if (!s->z || !buf_need(&s->packed, ZSTD_CStreamOutSize())) {
			file_end(&s->file, 0, NULL);
			sink_free(s);
			return err_set(e, ENOMEM, TR("no memory", "内存不足"));
		}
		ZSTD_CCtx_setParameter(s->z, ZSTD_c_compressionLevel, 3);
		ZSTD_CCtx_setParameter(s->z, ZSTD_c_checksumFlag, 1);
	}
	*ret = s;
	return 0;
}

int sink_open_redacted(const char *path, const struct redact *x, struct sink **ret, struct err *e)
{
	int r = sink_open(path, ret, e);

	if (r == 0) {
		(*ret)->redacts = true;
		(*ret)->clean.x = x;
		(*ret)->clean.events = true;
	}
	return r;
}

static void put(struct sink *s, struct span bytes)
{
	int r = s->failed ? 0 : file_put(&s->file, bytes);

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
	if (s->redacts)
		redact_feed(&s->clean, bytes, &s->pending);
	else
		buf_span(&s->pending, bytes);
	if (s->pending.bad)
		s->failed = -ENOMEM;
	else if (s->pending.len >= PENDING_MAX || !s->z)
		flush(s, false);
}

int sink_close(struct sink *s, struct err *e)
{
	struct err why;

	if (!s)
		return 0;
	if (s->redacts)
		redact_end(&s->clean, &s->pending);
	if (s->pending.bad && !s->failed)
		s->failed = -ENOMEM;
	flush(s, true);
	int r = file_end(&s->file, s->failed, &why);
	if (r < 0)
		err_set(e, -r, TR("%s; what is in it is not complete", "%s；文件内容不完整"), why.msg);
	sink_free(s);
	return r;
}
