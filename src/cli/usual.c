#include "cli/usual.h"

#include <errno.h>

#include "base/mem.h"
#include "base/time.h"

#define RUNS_MIN     3 /* fewer are no habit */
#define TEST_MIN     (50 * NSEC_PER_MSEC)
#define TESTS_MAX    20000
#define LATE_MIN     (500 * NSEC_PER_MSEC)

struct usual_time {
	int64_t median;
};

static struct span key_of(struct buf *b, struct span package, struct span test)
{
	buf_clear(b);
	buf_span(b, package);
	buf_addc(b, '\0');
	buf_span(b, test);
	return buf_view(b);
}

static int keep(void *ctx, struct span package, struct span test, int64_t median)
{
	struct usual_times *u = ctx;
	CLEANUP(buf_free) struct buf key = { 0 };
	struct usual_time *t = arena_alloc(&u->mem, sizeof(*t));
	struct span own = arena_span(&u->mem, key_of(&key, package, test));

	if (!t || !own.p || key.bad)
		return -ENOMEM;
	t->median = median;
	if (!map_put(&u->tests, own, t))
		return -ENOMEM;
	return u->tests.count >= TESTS_MAX;
}

int usual_load(struct store *s, int64_t series, struct usual_times *ret, struct err *e)
{
	*ret = (struct usual_times){ 0 };
	int r = store_usual(s, series, &ret->run, e);
	if (r == 0)
		r = store_usual_tests(s, series, TEST_MIN, keep, ret, e);
	if (r == -ENOMEM)
		err_set(e, ENOMEM, TR("no memory", "内存不足"));
	if (r < 0)
		usual_free(ret);
	return r;
}

void usual_free(struct usual_times *u)
{
	map_free(&u->tests);
	arena_free(&u->mem);
	*u = (struct usual_times){ 0 };
}

int64_t usual_test(const struct usual_times *u, struct span package, struct span test)
{
	CLEANUP(buf_free) struct buf key = { 0 };

	if (!u || !u->tests.count)
		return 0;
	struct span k = key_of(&key, package, test);
	const struct usual_time *t = key.bad ? NULL : map_get(&u->tests, k);
	return t ? t->median : 0;
}

/* No more exact than it is: 2m, 45s, 3s. */
static void about(struct buf *b, int64_t ns)
{
	int64_t s = (ns + NSEC_PER_SEC / 2) / NSEC_PER_SEC;

	if (s >= 5400)
		buf_addf(b, TR("about %lldh%02lldm left", "约剩 %lld 小时 %02lld 分"), (long long)(s / 3600), (long long)(s % 3600 / 60));
	else if (s >= 90)
		buf_addf(b, TR("about %lldm left", "约剩 %lld 分钟"), (long long)((s + 30) / 60));
	else
		buf_addf(b, TR("about %llds left", "约剩 %lld 秒"), (long long)(s >= 10 ? (s + 2) / 5 * 5 : s < 1 ? 1 : s));
}

void usual_say_run(struct buf *b, const struct usual_times *u, int64_t elapsed)
{
	char text[24];

	if (!u || u->run.n < RUNS_MIN || u->run.median < NSEC_PER_SEC)
		return;
	int64_t late = u->run.high + u->run.high / 10 + LATE_MIN;
	if (elapsed > late) {
		duration_text(u->run.median, text);
		buf_addf(b, TR(", usually %s", "，通常 %s"), text);
		return;
	}
	buf_adds(b, TR(", ", "，"));
	about(b, (elapsed < u->run.median ? u->run.median : late) - elapsed);
}

void usual_say_test(struct buf *b, int64_t median, int64_t elapsed)
{
	int64_t slack = median / 4;
	char text[24];

	if (!median || elapsed <= median + (slack > LATE_MIN ? slack : LATE_MIN))
		return;
	duration_text(median, text);
	buf_addf(b, TR(", usually takes %s", "，通常需 %s"), text);
}
