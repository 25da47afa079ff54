#include "parse/lines.h"

#define MAX_DEFAULT ((size_t)1 << 20)

static size_t limit(const struct lines *l)
{
	return l->max ? l->max : MAX_DEFAULT;
}

/* raw: what stood before the newline, or as much of it as was kept (at least one byte beyond the limit shows a cut). */
static void hand_on(struct lines *l, struct span raw)
{
	struct span line = raw;

	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n <= limit(l)) {
		l->fn(l->ctx, line, false);
		return;
	}
	l->lost += (int64_t)(raw.n - limit(l));
	l->fn(l->ctx, span_head(raw, limit(l)), true);
}

/* The part is as long as it may be and the line goes on: let go of it now, drop the rest when it comes. */
static void cut_part(struct lines *l)
{
	struct span head = span_head(buf_view(&l->part), limit(l));

	l->lost += (int64_t)(l->part.len - head.n);
	l->cutting = true;
	l->fn(l->ctx, head, true);
	buf_clear(&l->part);
}

/* Keep bytes of an unfinished line: at most one more than the limit, which may turn out to be the CR. */
static void keep(struct lines *l, struct span bytes)
{
	size_t room = limit(l) + 1 - l->part.len;

	if (!bytes.n)
		return;
	if (!l->cutting) {
		buf_add(&l->part, bytes.p, bytes.n < room ? bytes.n : room);
		if (!l->part.bad && bytes.n <= room)
			return;
		l->bad |= l->part.bad;
		bytes = l->part.bad ? bytes : span_from(bytes, room);
		cut_part(l);
	}
	l->lost += (int64_t)bytes.n;
}

static void end_part(struct lines *l)
{
	if (!l->cutting)
		hand_on(l, buf_view(&l->part));
	l->cutting = false;
	buf_clear(&l->part);
}

void lines_feed(struct lines *l, struct span bytes)
{
	const char *p = bytes.p, *end = bytes.p + bytes.n, *nl;

	if (!bytes.n)
		return;
	if (l->part.len || l->cutting) {
		nl = memchr(p, '\n', bytes.n);
		keep(l, (struct span){ p, (size_t)((nl ? nl : end) - p) });
		if (!nl)
			return;
		end_part(l);
		p = nl + 1;
	}
	while (p < end && (nl = memchr(p, '\n', (size_t)(end - p)))) {
		hand_on(l, (struct span){ p, (size_t)(nl - p) });
		p = nl + 1;
	}
	keep(l, (struct span){ p, (size_t)(end - p) });
}

void lines_end(struct lines *l)
{
	if (l->part.len || l->cutting)
		end_part(l);
}

void lines_free(struct lines *l)
{
	buf_free(&l->part);
	l->cutting = false;
}
