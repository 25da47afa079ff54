/* A service's output, in pieces of any size: bounded, and nothing is told twice of one byte. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/time.h"
#include "diagnose/watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void on_event(void *ctx, const struct watch_event *e)
{
	size_t *n = ctx;

	check(e->source && e->value.n <= 4096 && e->stack.n <= 16384);
	++*n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece = size ? data[0] % 64 + 1 : 1, n = 0;
	struct span rest = { (const char *)data, size };
	struct output *o;
	struct err e;
	int64_t now = 0;

	check(output_new(&(struct watch_calls){ .event = on_event, .ctx = &n }, &o, &e) == 0);
	for (; rest.n; rest = span_from(rest, piece)) {
		struct span some = span_head(rest, piece);
		enum stream s = (unsigned char)some.p[0] & 64 ? STREAM_OUT : STREAM_ERR;
		output_feed(o, s, some, now);
		now += some.n % 7 ? NSEC_PER_MSEC : NSEC_PER_SEC;
		output_idle(o, now);
	}
	check(output_tail(o).n <= WATCH_TAIL && output_crash(o).n <= WATCH_CRASH);
	output_end(o, size % 2);
	check(n <= size);
	output_free(o);
	return 0;
}
