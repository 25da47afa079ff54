#include "mod/sums.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"

#define PIECE ((size_t)1 << 20)

int sums_open(const struct mod_source *f, struct sums *ret, struct err *e)
{
	*ret = (struct sums){ .at.rest = f->text, .file = f, .fd = -1 };
	if (!f->large)
		return 0;
	ret->at.rest = S("");
	ret->fd = open(f->large, O_RDONLY | O_CLOEXEC);
	return ret->fd < 0 ? err_set(e, errno, TR("open '%s': %m", "无法打开“%s”：%m"), f->shown) : 0;
}

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

static int fail(const struct sums *s, struct err *e)
{
	return err_set(e, errno, TR("read '%s': %m", "无法读取“%s”：%m"), s->file->shown);
}

/* Behind what is there, at least a byte more, or the end. */
static int more(struct sums *s, struct err *e)
{
	if (!buf_need(&s->piece, PIECE))
		return no_memory(e);
	for (;;) {
		ssize_t n = fault_hit() ? (errno = EIO, -1) : read(s->fd, s->piece.p + s->piece.len, PIECE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(s, e);
		s->piece.len += (size_t)n;
		s->end = n == 0;
		return 0;
	}
}

/* Whole lines into at.rest, at the end also one without its end. The lines of the piece before are done with. */
static int next_piece(struct sums *s, struct err *e)
{
	buf_drop(&s->piece, s->used);
	s->used = 0;
	while (!s->used && !s->end) {
		size_t seen = s->piece.len;
		int r = more(s, e);
		if (r < 0)
			return r;
		size_t at = span_rchr(span_from(buf_view(&s->piece), seen), '\n');
		if (s->end)
			s->used = s->piece.len;
		else if (at != SPAN_NONE)
			s->used = seen + at + 1;
		else if (s->piece.len > SUMS_LINE_MAX)
			return err_set(e, EFBIG,
				       TR("%s:%lld: the line is longer than %d MiB: this is no go.sum",
					  "%s:%lld：该行超过 %d MiB：这不是 go.sum"),
				       s->file->shown, (long long)s->at.line + 1, (int)(SUMS_LINE_MAX >> 20));
	}
	s->at.rest = span_head(buf_view(&s->piece), s->used);
	return 0;
}

int sums_next(struct sums *s, struct gosum_line *ret, struct err *e)
{
	while (!gosum_next(&s->at, ret)) {
		if (s->fd < 0 || s->end)
			return 0;
		int r = next_piece(s, e);
		if (r < 0)
			return r;
	}
	return 1;
}

void sums_close(struct sums *s)
{
	fd_close(s->fd);
	buf_free(&s->piece);
	*s = (struct sums){ .fd = -1 };
}

void sums_close_cleanup(struct sums *s)
{
	sums_close(s);
}
