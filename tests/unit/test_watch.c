#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/time.h"
#include "diagnose/watch.h"

struct seen {
	int events, dying;
	char value[200];
	enum cause cause;
};

static void on_event(void *ctx, const struct watch_event *e)
{
	struct seen *s = ctx;

	s->events++;
	s->cause = e->cause;
	snprintf(s->value, sizeof(s->value), "%.*s", SPAN_ARG(e->value));
}

static void on_dying(void *ctx)
{
	struct seen *s = ctx;

	s->dying++;
}

static struct output *new_output(struct seen *s)
{
	struct output *o = NULL;
	struct err e;

	*s = (struct seen){ 0 };
	assert_int_equal(output_new(&(struct watch_calls){ on_event, on_dying, s }, &o, &e), 0);
	return o;
}

static void feed(struct output *o, const char *text, int64_t now)
{
	output_feed(o, STREAM_ERR, span_of(text), now);
}

static const char served[] =
	"2026/11/21 02:00:00 http: panic serving 127.0.0.1:4: boom\n"
	"goroutine 18 [running]:\n"
	"net/http.(*conn).serve.func1()\n\t/go/src/net/http/server.go:1897 +0xbd\n"
	"panic({0x70ab60?, 0xa1d760?})\n\t/go/src/runtime/panic.go:860 +0x13a\n"
	"main.broken(0x1)\n\t/srv/main.go:19 +0x28\n"
	"created by net/http.(*Server).Serve in goroutine 7\n\t/go/src/net/http/server.go:3464 +0x485\n";

/* Told when nothing follows for a moment, without another line. */
static void test_recovered(void **state)
{
	struct seen s;
	struct output *o = new_output(&s);

	feed(o, "hello\n", 0);
	feed(o, served, 1);
	output_idle(o, 100 * NSEC_PER_MSEC);
	assert_int_equal(s.events, 0);
	output_idle(o, 400 * NSEC_PER_MSEC);
	assert_int_equal(s.events, 1);
	assert_int_equal(s.cause, CAUSE_GO_PANIC_RECOVERED);
	assert_string_equal(s.value, "boom");
	assert_int_equal(s.dying, 0);
	assert_null(output_crash(o).p);
	output_free(o);
}

/* The runtime writes word by word. */
static void test_dying(void **state)
{
	static const char text[] = "2026/11/21 last line\npanic: the end\n\ngoroutine 1 [running]:\nmain.main()\n\t/srv/main.go:3 +0x1\nexit status 2\n";

	for (size_t piece = 1; piece < 12; piece++) {
		struct seen s;
		struct output *o = new_output(&s);
		for (size_t i = 0; i < sizeof(text) - 1; i += piece)
			output_feed(o, STREAM_ERR, span_head(span_from(span_of(text), i), piece), 5);
		assert_int_equal(s.dying, 1);
		output_end(o, true);
		struct span crash = output_crash(o);
		assert_true(span_eq(crash, span_of(text)));
		assert_int_equal(s.events, 0);
		output_again(o);
		assert_null(output_crash(o).p);
		assert_int_equal(output_tail(o).n, 0);
		output_free(o);
	}
}

/* A process that lives on has only printed it; what came meanwhile is told then. */
static void test_survives(void **state)
{
	struct seen s;
	struct output *o = new_output(&s);

	feed(o, "panic: this is only text\n\n", 0);
	assert_int_equal(s.dying, 1);
	feed(o, served, 10);
	output_idle(o, NSEC_PER_SEC);
	assert_int_equal(s.events, 0);
	assert_true(output_crash(o).n > 0);
	output_idle(o, WATCH_ALIVE + NSEC_PER_SEC);
	assert_true(s.events >= 1);
	assert_null(output_crash(o).p);
	output_free(o);
}

static void test_no_words(void **state)
{
	static const char *const lines[] = {
		"panicking is fun\n", " panic: indented\n", "a panic: b\n", "fatal error of mine\n", "SIGQUITE\n", "SIG\n", "p\n", "\n", "INFO panic: x\n",
	};
	struct seen s;
	struct output *o = new_output(&s);

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		feed(o, lines[i], 1);
	assert_int_equal(s.dying, 0);
	output_free(o);
}

static void test_bounds(void **state)
{
	static char line[1000];
	struct seen s;
	struct output *o = new_output(&s);

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (int i = 0; i < 1000; i++)
		output_feed(o, STREAM_OUT, (struct span){ line, sizeof(line) }, 1);
	struct span tail = output_tail(o);
	assert_true(tail.n <= WATCH_TAIL && tail.n > WATCH_TAIL - 2 * sizeof(line) && tail.n % sizeof(line) == 0);
	feed(o, "fatal error: all goroutines are asleep - deadlock!\n", 2);
	for (int i = 0; i < 1000; i++)
		output_feed(o, STREAM_OUT, (struct span){ line, sizeof(line) }, 2);
	assert_true(output_crash(o).n <= WATCH_CRASH);
	assert_true(span_find(output_crash(o), S("fatal error: all")) < 5000);
	char *big = mem_alloc(3 * WATCH_TAIL);
	memset(big, 'y', 3 * WATCH_TAIL);
	output_feed(o, STREAM_BOTH, (struct span){ big, 3 * WATCH_TAIL }, 3);
	assert_int_equal(output_tail(o).n, WATCH_TAIL);
	mem_free(big);
	output_free(o);
}

static void test_no_memory(void **state)
{
	for (long at = 1;; at++) {
		struct seen s = { 0 };
		struct output *o = NULL;
		struct err e;
		fault_at = at;
		fault_seen = 0;
		int r = output_new(&(struct watch_calls){ on_event, on_dying, &s }, &o, &e);
		if (r == 0) {
			feed(o, served, 1);
			feed(o, "panic: x\n\ngoroutine 1 [running]:\n", 2);
			feed(o, served, 3);
			output_tail(o);
			output_end(o, true);
		}
		long seen = fault_seen;
		fault_at = 0;
		output_free(o);
		if (seen < at)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recovered), cmocka_unit_test(test_dying), cmocka_unit_test(test_survives), cmocka_unit_test(test_no_words),
		cmocka_unit_test(test_bounds), cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
