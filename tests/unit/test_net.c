/* net: files, what is no answer, limits, and every failing allocation of its own. Answers over the wire: tests/e2e/mod_download.py, mod_doctor.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/time.h"
#include "net/get.h"

static char file[] = "/tmp/tocsin-net-XXXXXX";

static int begin(void **state)
{
	int fd = mkstemp(file);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "hello", 5), 5);
	close(fd);
	return 0;
}

static int end(void **state)
{
	unlink(file);
	return 0;
}

static void test_answers(void **state)
{
	CLEANUP(net_close) struct net *n = NULL;
	struct net_options o = { .total_ns = 5 * NSEC_PER_SEC };
	char url[64], copy[64];
	struct err e;

	snprintf(url, sizeof(url), "file://%s", file);
	snprintf(copy, sizeof(copy), "%s.copy", file);
	struct net_get g[] = {
		{ .url = url }, { .url = "file:///nowhere%20at/all" }, { .url = "file:///tmp" }, { .url = url, .max = 4 }, { .url = url, .to = copy },
		{ .url = "http://127.0.0.1:1/" }, { .url = "ftp://a.b/" }, { .url = "http://" }, { .url = "file:relative" }, { .url = url, .head = true },
	};
	assert_int_equal(net_open(&o, &n, &e), 0);
	assert_int_equal(net_get(n, g, ARRAY_LEN(g), &e), 0);
	assert_true(g[0].transport == TRANSPORT_OK && g[0].status == 200 && span_eq(buf_view(&g[0].body), S("hello")) && g[0].bytes == 5 && !g[0].why);
	assert_true(g[1].status == 404 && g[2].status == 404);
	assert_true(g[3].transport == TRANSPORT_TOO_BIG && g[3].why);
	assert_int_equal(access(copy, R_OK), 0);
	unlink(copy);
	assert_true(g[5].transport == TRANSPORT_CONNECT && g[5].why && !g[5].status);
	for (size_t i = 6; i < 9; i++)
		assert_true(g[i].transport != TRANSPORT_OK && g[i].why);
	assert_true(g[9].status == 200 && g[9].bytes == 0);
	for (size_t i = 0; i < ARRAY_LEN(g); i++)
		buf_free(&g[i].body);
}

static bool at_once(void *ctx)
{
	return true;
}

/* As golang.org/x/net/http/httpproxy answers. */
static const struct {
	const char *list, *host;
	bool https, want;
} exceptions[] = {
	{ "", "a.b", true, false }, { "*", "a.b", true, true }, { "x.y, *", "10.0.0.1", false, true }, { "a.b", "a.b", true, true }, { "a.b", "c.a.b", true, true }, { "a.b", "ca.b", true, false },
	{ ".a.b", "a.b", true, false }, { ".a.b", "c.a.b", true, true }, { "*.a.b", "a.b", true, false }, { "*.a.b", "c.a.b", true, true }, { "*a.b", "ca.b", true, false }, { "A.B", "a.b", true, true },
	{ " x.y , a.b ", "C.a.B:8080", true, true }, { "a.b:443", "a.b", true, true }, { "a.b:443", "a.b", false, false }, { "a.b:80", "a.b", false, true }, { "a.b:80", "a.b:80", true, true },
	{ "a.b:8080", "a.b", true, false }, { ".a.b:8080", "c.a.b:8080", true, true }, { "a.b:", "a.b:1", true, true }, { ":443", "a.b", true, false }, { "a.b c.d", "c.d", true, false },
	{ "10.0.0.0/8", "10.1.2.3", true, true }, { "10.0.0.0/8", "11.1.2.3:80", true, false }, { "10.0.0.0/8", "ten.example", true, false }, { "10.1.2.3/33", "10.1.2.3", true, false },
	{ "10.0.0.0/0", "1.2.3.4", true, true }, { "10.1.2.128/25", "10.1.2.200:8081", false, true }, { "10.1.2.128/25", "10.1.2.100", true, false }, { "10.1.2/24", "10.1.2.3", true, false },
	{ "10.1.2.3", "10.1.2.3:9", true, true }, { "10.1.2.3:9", "10.1.2.3:9", true, true }, { "10.1.2.3:9", "10.1.2.3", true, false }, { "10.1.2", "10.1.2.3", true, false }, { "2.3", "10.1.2.3", true, false },
	{ ".3", "10.1.2.3", true, false }, { "fd00::/8", "[fd12::1]:443", true, true }, { "fd00::/8", "[fe80::1]", true, false }, { "fd12::1", "[fd12:0::1]", true, true }, { "[fd12::1]", "[fd12::1]", true, false },
	{ "[fd12::1]:443", "[fd12::1]", true, true }, { "[fd12::1]:80", "[fd12::1]", true, false }, { "::/0", "10.1.2.3", true, false }, { "::ffff:10.1.2.3", "10.1.2.3", true, true }, { "::1", "[::1%25lo]", true, true },
	{ ",,/,[,]:1,a.b", "a.b", true, true }, { "10.0.0.0/-1", "10.1.2.3", true, false }, { "10.0.0.0/+8", "10.1.2.3", true, false }, { "10.0.0.0/", "10.0.0.0", true, false },
};

static void test_no_proxy(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(exceptions); i++) {
		if (net_no_proxy(span_of(exceptions[i].list), span_of(exceptions[i].host), exceptions[i].https) != exceptions[i].want)
			fail_msg("NO_PROXY=%s %s", exceptions[i].list, exceptions[i].host);
	}
}

static void test_stop(void **state)
{
	CLEANUP(net_close) struct net *n = NULL;
	struct net_options o = { .stop = at_once };
	struct net_get g = { .url = "http://192.0.2.1/" };
	int64_t began = time_mono();
	struct err e;

	assert_int_equal(net_open(&o, &n, &e), 0);
	assert_int_equal(net_get(n, &g, 1, &e), 0);
	assert_true(g.transport == TRANSPORT_OTHER && g.why && time_mono() - began < 8 * NSEC_PER_SEC);
	assert_int_equal(net_get(n, NULL, 0, &e), 0);
}

static void walk(void **state)
{
	char url[64];

	snprintf(url, sizeof(url), "file://%s", file);
	for (long at = 1; at < 3000; at++) {
		struct net_options o = { .total_ns = NSEC_PER_SEC };
		struct net_get g[] = { { .url = url }, { .url = "http://u:p@127.0.0.1:1/x" } };
		struct net *n;
		struct err e;
		fault_at = at;
		fault_seen = 0;
		int r = net_open(&o, &n, &e);
		if (r == 0)
			r = net_get(n, g, ARRAY_LEN(g), &e);
		bool over = fault_seen < at;
		fault_at = 0;
		for (size_t i = 0; i < ARRAY_LEN(g); i++)
			buf_free(&g[i].body);
		net_close(n);
		if (over) {
			assert_int_equal(r, 0);
			return;
		}
	}
	fail_msg("it never came to its end");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_answers), cmocka_unit_test(test_no_proxy), cmocka_unit_test(test_stop), cmocka_unit_test(walk) };

	return cmocka_run_group_tests(tests, begin, end);
}
