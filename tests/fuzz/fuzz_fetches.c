/*
 * What `go mod download -x` tells, and the errors of go: servers and version control write parts of both. The first byte is the
 * reader; behind it, GOPROXY to the first line's end. However the bytes are cut, the same is passed on and the same is known.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/time.h"
#include "mod/blame.h"
#include "mod/fetches.h"
#include "mod/mirror.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool inside(struct span part, struct span text)
{
	return !part.n || (part.p >= text.p && part.p + part.n <= text.p + text.n);
}

static void keep(void *ctx, struct span bytes)
{
	buf_span(ctx, bytes);
}

/* Is `part` what is left of `all` when whole lines are taken out of it? */
static bool is_rest(struct span part, struct span all)
{
	while (all.n) {
		size_t nl = span_chr(all, '\n');
		struct span line = span_head(all, nl == SPAN_NONE ? all.n : nl + 1);
		all = span_from(all, line.n);
		span_skip(&part, line);
	}
	return !part.n;
}

static void feed(struct fetches *f, const char *proxy, struct span text, size_t step, struct buf *passed)
{
	int64_t now = time_mono();

	fetches_begin(f, proxy, now);
	while (text.n) {
		struct span piece = span_head(text, step);
		text = span_from(text, piece.n);
		fetches_feed(f, piece, ++now, keep, passed);
	}
	fetches_end(f, keep, passed);
	now = time_mono() + 1;
	fetches_look(f, now);
	const struct fetch *old = fetches_oldest(f), *hung = fetches_hung(f, now + 1000, 10);
	check(!old == !f->n_open && (!hung || hung->open));
	for (size_t i = 0; i < f->n_open; i++)
		check(f->open[i]->open && f->open[i]->url && f->open[i]->moved <= now);
	for (size_t i = 0; i < f->n_served; i++)
		check(f->served[i].module[0] && f->served[i].key && map_get(&f->by_module, span_of(f->served[i].key)) == (void *)(uintptr_t)(i + 1));
}

static void read_x(const char *proxy, struct span text, size_t step)
{
	CLEANUP(buf_free) struct buf one = { 0 };
	CLEANUP(buf_free) struct buf two = { 0 };
	struct fetches a = { 0 }, b = { .modcache = "/nonexistent" };

	feed(&a, proxy, text, text.n, &one);
	feed(&b, proxy, text, step, &two);
	check(span_eq(buf_view(&one), buf_view(&two)) && is_rest(buf_view(&one), text));
	check(a.requests == b.requests && a.n_served == b.n_served);
	fetches_settle(&a); /* without a cache nothing is forgotten */
	fetches_settle(&b); /* with one, what is not in it is */
	check(a.n_served || !b.n_served);
	fetches_free(&a);
	fetches_free(&b);
}

static void read_blame(const char *proxy, struct span text, enum cause cause)
{
	CLEANUP(buf_free) struct buf module = { 0 };
	CLEANUP(buf_free) struct buf version = { 0 };
	CLEANUP(buf_free) struct buf shown = { 0 };
	struct blame_hashes h;
	struct blame b;

	blame_read(text, cause, &b);
	check(b.layer && (!b.status || (b.status >= 100 && b.status < 600)));
	check(inside(b.module, text) && inside(b.version, text) && inside(b.url, text) && inside(b.host, b.url) && !b.module.n == !b.version.n);
	check(span_chr(b.host, '@') == SPAN_NONE);
	struct span base = mirror_base(proxy, b.url);
	check(inside(base, span_of(proxy)));
	if (blame_module(b.url, base, &module, &version))
		check(module.len > 0 && module.p[0] != '/');
	mirror_shown(b.url, &shown);
	check(shown.len <= b.url.n);
	bool found = blame_hashes(text, &h);
	check(inside(h.downloaded, text) && inside(h.expected, text) && inside(h.by, text));
	check(!found || (h.downloaded.n == 47 && h.expected.n == 47));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data + 1, size - 1 };

	if (!size)
		return 0;
	struct span line = span_cut(&text, '\n');
	char *proxy = mem_dup(line.p, line.n);
	if (data[0] & 1)
		read_blame(proxy, text, (enum cause)(data[0] >> 1) % CAUSE_COUNT);
	else
		read_x(proxy, text, 1 + (data[0] >> 1));
	mem_free(proxy);
	return 0;
}
