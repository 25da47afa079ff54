/*
 * Fill a store with lifelike runs, through store_record() as `tocsin run` does: many findings of fewer faults, each sighting
 * with other addresses, goroutines, times and values. The same arguments give the same findings.
 *
 * usage: store_fill STORE [findings=N] [faults=N] [run=FINDINGS A RUN] [passed=PASSED TESTS A RUN] [writers=N] [seed=N]
 * Prints "findings N seconds S a_second N cpu S".
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "store/store.h"

#define DAYS 180
#define NOW (INT64_C(1795226400) * NSEC_PER_SEC)
#define DAY (86400 * NSEC_PER_SEC)

static struct plan {
	const char *uri;
	long findings, faults, run, passed, writers, seed;
} plan = { NULL, 1000000, 50000, 100, 0, 1, 1 };

static uint64_t next(uint64_t *state) /* splitmix64 */
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static unsigned pick(uint64_t *state, unsigned n)
{
	return (unsigned)(next(state) % n);
}

static double part(uint64_t *state)
{
	return (double)(next(state) >> 11) / (double)(1ull << 53);
}

/* ---- texts ---- */

static const char *const things[] = { "order", "invoice", "cart", "ledger", "session", "shipment", "customer", "price", "token", "refund", "voucher", "stock",
	"account", "payment", "address", "basket", "catalog", "coupon", "delivery", "event", "feed", "gateway", "history", "index", "job", "key", "label",
	"message", "notice", "offer", "parcel", "queue", "report", "schema", "tenant", "upload", "vendor", "wallet", "zone", "quota", "batch", "shard" };
static const char *const doings[] = { "Parse", "Store", "Route", "Sync", "Load", "Merge", "Apply", "Render", "Decode", "Encode", "Retry", "Close", "Open", "Lock",
	"Rollback", "Commit", "Validate", "Convert", "Split", "Resolve", "Fetch", "Publish", "Subscribe", "Drain", "Compact", "Restore", "Expire", "Refresh" };
static const char *const roles[] = { "Book", "Client", "Server", "Pool", "Cache", "Writer", "Reader", "Worker", "Table", "Stream", "Handler", "Planner" };
static const char *const chinese[] = { "订单金额不一致", "库存不足", "支付超时", "用户不存在", "地址格式错误", "优惠券已过期" };

struct shape { /* what a fault is made of; from its number alone */
	uint64_t state;
	unsigned kind, line;
	const char *thing, *other, *doing, *role;
	char package[128], test[96], file[64];
};

static void shape_make(long fault, struct shape *s)
{
	uint64_t x = (uint64_t)(fault + 1) * UINT64_C(0xd1342543de82ef95);

	s->thing = things[pick(&x, ARRAY_LEN(things))];
	s->other = things[pick(&x, ARRAY_LEN(things))];
	s->doing = doings[pick(&x, ARRAY_LEN(doings))];
	s->role = roles[pick(&x, ARRAY_LEN(roles))];
	s->line = 20 + pick(&x, 900);
	s->kind = pick(&x, 100);
	snprintf(s->package, sizeof(s->package), "git.example.com/shop/%s/internal/%s%s", things[fault % 40], s->thing, fault % 3 ? "" : "/store");
	snprintf(s->test, sizeof(s->test), "Test%s%s%s/%s_%s_%c%c%c", s->role, s->doing, s->other, s->thing, s->other, (char)('a' + fault % 26),
		 (char)('a' + fault / 26 % 26), (char)('a' + fault / 676 % 26));
	snprintf(s->file, sizeof(s->file), "%s/%s_test.go", s->thing, s->other);
	s->state = x;
}

struct sight {
	struct buf message, excerpt;
	enum cause cause;
};

static void at_time(struct buf *b, int64_t at)
{
	char text[32];

	time_rfc3339(at, text);
	text[19] = '\0';
	buf_adds(b, text);
}

static void log_lines(struct buf *b, const struct shape *s, uint64_t *x, int64_t at, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		buf_adds(b, "time=");
		at_time(b, at + i * NSEC_PER_SEC);
		buf_addf(b, ".%03uZ level=%s msg=\"%s %s: attempt %u failed, retrying in %ums\" conn=0x%llx bytes=%u\n", pick(x, 1000), i % 3 ? "INFO" : "WARN", s->doing,
			 s->thing, i + 1, 50u << i, (unsigned long long)(0xc000000000 + (next(x) & 0xffffff8)), pick(x, 90000));
	}
}

static void failed_test(struct sight *w, const struct shape *s, uint64_t *x, int64_t at, long fault)
{
	uint64_t own = s->state;
	unsigned want = 100 + pick(&own, 900);

	w->cause = CAUSE_TEST_FAIL;
	buf_addf(&w->message, "%s.%s: got %u.%02u, want %u", s->thing, s->doing, pick(x, 1000), pick(x, 100), want);
	if (fault % 16 == 5)
		buf_addf(&w->message, "：%s", chinese[fault / 16 % (long)ARRAY_LEN(chinese)]);
	if (fault % 8 == 3)
		buf_adds(&w->message, ": connection refused");
	log_lines(&w->excerpt, s, x, at, 2 + pick(&own, 5));
	buf_addf(&w->excerpt, "    %s_test.go:%u: \n        \tError Trace:\t/builds/shop/%s/%s_test.go:%u\n        \tError:      \tNot equal: \n"
		 "        \t            \texpected: %u\n        \t            \tactual  : %u\n        \tTest:       \t%s\n        \tMessages:   \t%.*s\n",
		 s->other, s->line, s->thing, s->other, s->line, want, pick(x, 1000), s->test, SPAN_ARG(buf_view(&w->message)));
	buf_addf(&w->excerpt, "--- FAIL: %s (%u.%02us)\n", s->test, pick(x, 4), pick(x, 100));
}

static void frames(struct buf *b, const struct shape *s, uint64_t *x, unsigned goroutine, const char *state)
{
	uint64_t own = s->state;
	unsigned n = 3 + pick(&own, 4);

	buf_addf(b, "goroutine %u [%s]:\n", goroutine, state);
	for (unsigned i = 0; i < n; i++)
		buf_addf(b, "%s.(*%s).%s(0xc%09llx, {0xc%09llx, 0x%x, 0x%x})\n\t/builds/shop/%s/%s.go:%u +0x%x\n", s->package, roles[pick(&own, ARRAY_LEN(roles))],
			 doings[pick(&own, ARRAY_LEN(doings))], (unsigned long long)(next(x) & 0xfffffffff), (unsigned long long)(next(x) & 0xfffffffff), pick(x, 256),
			 pick(x, 256), s->thing, things[pick(&own, ARRAY_LEN(things))], 10 + pick(&own, 700), pick(&own, 4096));
	buf_addf(b, "testing.tRunner(0xc%09llx, 0x%llx)\n\t/usr/local/go/src/testing/testing.go:1934 +0xea\ncreated by testing.(*T).Run in goroutine 1\n"
		 "\t/usr/local/go/src/testing/testing.go:1997 +0x465\n", (unsigned long long)(next(x) & 0xfffffffff), (unsigned long long)(0x500000 + (next(x) & 0xfffff)));
}

static void panicked(struct sight *w, const struct shape *s, uint64_t *x, int64_t at, long fault)
{
	unsigned goroutine = 7 + pick(x, 4000);

	w->cause = CAUSE_TEST_PANIC;
	buf_addf(&w->message, "panic: runtime error: index out of range [%u] with length %u", 3 + pick(x, 60), pick(x, 3));
	buf_addf(&w->excerpt, "--- FAIL: %s (0.%02us)\n%.*s [recovered]\n\t%.*s\n\n", s->test, pick(x, 100), SPAN_ARG(buf_view(&w->message)), SPAN_ARG(buf_view(&w->message)));
	frames(&w->excerpt, s, x, goroutine, "running");
	buf_adds(&w->excerpt, "FAIL\n");
}

static void raced(struct sight *w, const struct shape *s, uint64_t *x, int64_t at, long fault)
{
	unsigned long long address = 0xc000000000 + (next(x) & 0xffffff8);

	w->cause = CAUSE_TEST_RACE;
	buf_addf(&w->message, "data race on %s of %s", s->other, s->thing);
	buf_addf(&w->excerpt, "==================\nWARNING: DATA RACE\nWrite at 0x%012llx by goroutine %u:\n", address, 8 + pick(x, 900));
	frames(&w->excerpt, s, x, 8 + pick(x, 900), "running");
	buf_addf(&w->excerpt, "\nPrevious read at 0x%012llx by goroutine %u:\n", address, 8 + pick(x, 900));
	frames(&w->excerpt, s, x, 8 + pick(x, 900), "finished");
	buf_adds(&w->excerpt, "==================\n");
}

static void not_built(struct sight *w, const struct shape *s, uint64_t *x, int64_t at, long fault)
{
	w->cause = CAUSE_BUILD_COMPILE;
	buf_addf(&w->message, "undefined: %s%s%c%c%c", s->thing, s->doing, (char)('A' + fault % 26), (char)('a' + fault / 26 % 26), (char)('a' + fault / 676 % 26));
	buf_addf(&w->excerpt, "# %s\n%s/%s.go:%u:%u: %.*s\n%s/%s.go:%u:2: \"%s/%s\" imported and not used\n%s/%s.go:%u:17: cannot use %s (variable of type *%s) as %s value in argument to %s\n",
		 s->package, s->thing, s->other, s->line + pick(x, 30), 2 + pick(x, 30), SPAN_ARG(buf_view(&w->message)), s->thing, s->other, 3 + pick(x, 12), s->package, s->other,
		 s->thing, s->other, s->line + 40 + pick(x, 30), s->other, s->role, roles[fault % 12], s->doing);
}

static const struct {
	unsigned below; /* of a hundred faults */
	void (*make)(struct sight *w, const struct shape *s, uint64_t *x, int64_t at, long fault);
	bool test;
} kinds[] = { { 62, failed_test, true }, { 80, panicked, true }, { 88, raced, true }, { 100, not_built, false } };

/* ---- a run ---- */

static int by_number(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return x < y ? -1 : x > y;
}

/* Its share of the faults that nobody has seen before, and for the rest old ones: some of them very often. */
static long choose(long run, long runs, long *v)
{
	uint64_t x = (uint64_t)run * 7919 + (uint64_t)plan.seed;
	long from = plan.faults * run / runs, to = plan.faults * (run + 1) / runs, n = 0;

	for (long k = from; k < to && n < plan.run; k++)
		v[n++] = k;
	for (int tries = 0; n < plan.run && from && tries < 50; tries++) {
		while (n < plan.run) {
			double u = part(&x);
			v[n++] = (long)(u * u * u * (double)from);
		}
		qsort(v, (size_t)n, sizeof(*v), by_number);
		long kept = 0;
		for (long i = 0; i < n; i++) {
			if (!kept || v[kept - 1] != v[i])
				v[kept++] = v[i];
		}
		n = kept;
	}
	return n;
}

static void add_finding(struct report *r, long fault, uint64_t *x)
{
	struct finding *f = report_add(r);
	struct sight w = { 0 };
	struct shape s;
	size_t k = 0;

	shape_make(fault, &s);
	while (s.kind >= kinds[k].below)
		k++;
	kinds[k].make(&w, &s, x, r->started, fault);
	f->cause = w.cause;
	f->severity = SEV_ERROR;
	f->classes = "P";
	f->package = arena_span(&r->mem, span_of(s.package));
	f->test = kinds[k].test ? arena_span(&r->mem, span_of(s.test)) : (struct span){ 0 };
	f->file = arena_span(&r->mem, span_of(s.file));
	f->line = (int)s.line;
	f->message = arena_span(&r->mem, buf_view(&w.message));
	f->excerpt = arena_span(&r->mem, buf_view(&w.excerpt));
	buf_free(&w.message);
	buf_free(&w.excerpt);
	if (kinds[k].test)
		r->results[r->n_results++] = (struct test_result){ f->package, f->test, TEST_FAIL, 1, (int64_t)pick(x, 2000) * NSEC_PER_MSEC };
}

static void add_passed(struct report *r, uint64_t *x)
{
	for (long i = 0; i < plan.passed; i++) {
		struct shape s;
		shape_make(1000000000 + i, &s);
		r->results[r->n_results++] = (struct test_result){ arena_span(&r->mem, span_of(s.package)), arena_span(&r->mem, span_of(s.test)), TEST_PASS, 1,
			(int64_t)pick(x, 50) * NSEC_PER_MSEC };
	}
}

static const char *argv_words[] = { "go", "test", "-race", "-count=1", "./...", NULL };

static void make_run(struct report *r, long run, long runs, const long *faults, long n)
{
	uint64_t x = (uint64_t)run * 104729 + (uint64_t)plan.seed;

	*r = (struct report){ .is_run = true, .argv = { argv_words, 5 }, .cwd = "/builds/shop", .project = "git.example.com/shop",
		.base_branch = "main", .outcome = OUTCOME_FAILED, .cause = CAUSE_TEST_FAIL, .exit_code = 1, .ending = { .how = END_EXIT, .code = 1 },
		.go_version = "go1.26.8", .summary = "tests failed" };
	r->started = NOW - DAYS * DAY + (int64_t)((double)run / (double)runs * DAYS * (double)DAY);
	r->duration_ns = (60 + pick(&x, 200)) * NSEC_PER_SEC;
	ulid_make(r->started, r->id);
	r->ci = (struct ci_context){ .name = "gitlab", .repo = "shop/shop", .base = "main" };
	r->ci.branch = pick(&x, 10) < 7 ? "main" : arena_printf(&r->mem, "feature/%s-%ld", things[pick(&x, ARRAY_LEN(things))], run / 200);
	r->ci.commit = arena_printf(&r->mem, "%016llx%016llx%08x", (unsigned long long)next(&x), (unsigned long long)next(&x), (unsigned)next(&x));
	r->ci.url = arena_printf(&r->mem, "https://git.example.com/shop/shop/-/jobs/%ld", 1000000 + run);
	r->tests = (struct test_counts){ 40, n + plan.passed, plan.passed, n, 0, 0, 0 };
	r->results = arena_alloc(&r->mem, (size_t)(n + plan.passed) * sizeof(*r->results));
	for (long i = 0; i < n; i++)
		add_finding(r, faults[i], &x);
	add_passed(r, &x);
}

static int write_runs(long writer, long runs, long *written)
{
	struct record_config c = { .now = NOW };
	struct store *s = NULL;
	struct err e = { 0 };
	long *faults = mem_alloc((size_t)plan.run * sizeof(*faults));
	int q = faults ? store_open(plan.uri, STORE_CREATE, &s, &e) : -ENOMEM;

	for (long run = writer; q >= 0 && run < runs; run += plan.writers) {
		struct report r;
		long n = choose(run, runs, faults);
		make_run(&r, run, runs, faults, n);
		q = store_record(s, &r, &c, &e);
		*written += n;
		report_free(&r);
	}
	if (q < 0)
		fprintf(stderr, "store_fill: %s\n", e.msg);
	store_close(s);
	mem_free(faults);
	return q < 0;
}

/* ---- all of them ---- */

static bool option(const char *arg)
{
	const struct { const char *name; long *v; } rows[] = { { "findings", &plan.findings }, { "faults", &plan.faults }, { "run", &plan.run },
		{ "passed", &plan.passed }, { "writers", &plan.writers }, { "seed", &plan.seed } };
	const char *value = strchr(arg, '=');

	for (size_t i = 0; value && i < ARRAY_LEN(rows); i++) {
		if (strlen(rows[i].name) == (size_t)(value - arg) && strncmp(arg, rows[i].name, (size_t)(value - arg)) == 0) {
			*rows[i].v = strtol(value + 1, NULL, 10);
			return *rows[i].v >= 0;
		}
	}
	return false;
}

/* The children report how much they wrote through a pipe. */
static long run_writers(long runs, int *bad)
{
	int ends[2];
	long all = 0, n;

	if (pipe(ends) < 0)
		return -1;
	for (long i = 0; i < plan.writers; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			n = 0;
			int q = write_runs(i, runs, &n);
			_exit(write(ends[1], &n, sizeof(n)) == sizeof(n) ? q : 1);
		}
		*bad |= pid < 0;
	}
	close(ends[1]);
	while (read(ends[0], &n, sizeof(n)) == sizeof(n))
		all += n;
	close(ends[0]);
	for (int status; wait(&status) > 0;)
		*bad |= status;
	return all;
}

int main(int argc, char **argv)
{
	struct store *s = NULL;
	struct err e = { 0 };
	struct rusage used;
	int bad = 0;

	for (int i = 2; i < argc; i++)
		bad |= !option(argv[i]);
	if (argc < 2 || bad || plan.run < 1 || plan.writers < 1) {
		fprintf(stderr, "usage: store_fill STORE [findings=N] [faults=N] [run=N] [passed=N] [writers=N] [seed=N]\n");
		return 2;
	}
	plan.uri = argv[1];
	if (store_open(plan.uri, STORE_CREATE, &s, &e) < 0) { /* made by one */
		fprintf(stderr, "store_fill: %s\n", e.msg);
		return 1;
	}
	store_close(s);
	long runs = plan.findings / plan.run ? plan.findings / plan.run : 1;
	int64_t start = time_mono();
	long n = run_writers(runs, &bad);
	double seconds = (double)(time_mono() - start) / NSEC_PER_SEC;
	getrusage(RUSAGE_CHILDREN, &used);
	double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
	printf("findings %ld seconds %.3f a_second %.0f cpu %.3f\n", n, seconds, (double)n / seconds, cpu);
	return bad != 0;
}
