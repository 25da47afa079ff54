/* alert/: what a deliverer is built of: bodies of rows, limits of robots, handovers, one deliverer at a time. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "alert/delivering.h"
#include "base/mem.h"
#include "base/time.h"

#define NOW (INT64_C(1795226400) * NSEC_PER_SEC)

static char dir[64];
static struct err e;

static int make_dir(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/tocsin-unit-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static void a_body_comes_back(void **state)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	CLEANUP(buf_free) struct buf b = { 0 };
	struct owed_body o;

	owed_json("/etc/tocsin.yaml", "shop \"x\"", "L2/ops", true, S("{\"schema\":\"tocsin.alert/1\",\"a\":[1,{\"alert\":2}]}"), &b);
	assert_int_equal(owed_read(buf_view(&b), &mem, &o, &e), 0);
	assert_true(span_eq(o.config, S("/etc/tocsin.yaml")));
	assert_true(span_eq(o.project, S("shop \"x\"")));
	assert_true(span_eq(o.group, S("L2/ops")));
	assert_true(o.escalates);
	assert_true(span_eq(o.alert, S("{\"schema\":\"tocsin.alert/1\",\"a\":[1,{\"alert\":2}]}")));
}

static void a_broken_body_is_refused(void **state)
{
	static const char *const bad[] = { "", "[]", "{", "{\"alert\":", "{\"alert\":1}", "{\"alert\":{\"a\":}}", "{\"config\":\"x\"}", "null" };
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct owed_body o;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_true(owed_read(span_of(bad[i]), &mem, &o, &e) < 0);
}

static void a_robot_has_its_minute(void **state)
{
	struct limits *a, *b;
	uint64_t robot = limits_robot("dingtalk", S("https://example.com/x"));

	assert_int_equal(limits_open(dir, &a, &e), 0);
	assert_int_equal(limits_open(dir, &b, &e), 0); /* another process */
	for (int i = 0; i < 20; i++)
		assert_int_equal(limits_take(i % 2 ? a : b, robot, 20, NOW + i * NSEC_PER_SEC), 0);
	assert_int_equal(limits_free(a, robot, 20, NOW + 20 * NSEC_PER_SEC), 0);
	int64_t wait = limits_take(b, robot, 20, NOW + 20 * NSEC_PER_SEC);
	assert_true(wait > 39 * NSEC_PER_SEC && wait < 42 * NSEC_PER_SEC);
	assert_int_equal(limits_take(b, robot, 20, NOW + 20 * NSEC_PER_SEC + wait), 0);
	assert_true(limits_take(a, robot, 20, NOW + 20 * NSEC_PER_SEC + wait) > 0);
	/* another robot, and one without a limit */
	assert_int_equal(limits_take(a, robot + 1, 20, NOW), 0);
	assert_int_equal(limits_take(a, robot + 2, 0, NOW), 0);
	/* a clock that was years ahead keeps nobody waiting */
	assert_int_equal(limits_take(a, robot, 20, NOW - INT64_C(400) * 86400 * NSEC_PER_SEC), 0);
	limits_block(a, robot + 2, NOW + 600 * NSEC_PER_SEC, NOW);
	assert_int_equal(limits_take(b, robot + 2, 0, NOW + NSEC_PER_SEC), 599 * NSEC_PER_SEC);
	assert_int_equal(limits_take(b, robot + 2, 0, NOW + 601 * NSEC_PER_SEC), 0);
	limits_close(a);
	limits_close(b);
}

#define HEAD "tocsin.handover/1\0"

static void two_jobs_mean_two_values(void **state)
{
	struct scopes s = { 0 };
	struct span v;

	assert_int_equal(handover_read(&s, S(HEAD "RUN1\0/c\0shop\0env:A_URL\0first-value\0"), &e), 0);
	assert_int_equal(handover_read(&s, S(HEAD "RUN2\0/c\0shop\0env:A_URL\0second-value\0"), &e), 0);
	assert_int_equal(handover_read(&s, S(HEAD "RUN3\0/c\0shop\0env:A_URL\0second-value\0"), &e), 0);
	struct secret_set *one = scope_find(&s, S("RUN1"), "/c", "shop"), *two = scope_find(&s, S("RUN2"), "/c", "shop");
	assert_non_null(one);
	assert_ptr_not_equal(one, two);
	assert_ptr_equal(two, scope_find(&s, S("RUN3"), "/c", "shop")); /* what is the same is kept once */
	assert_int_equal(secret_get(one->secrets, "env:A_URL", &v, &e), 0);
	assert_true(span_eq(v, S("first-value")));
	assert_ptr_equal(two, scope_find(&s, S("RUN0"), "/c", "shop")); /* of before: the newest of its kind */
	assert_null(scope_find(&s, S("RUN0"), "/c", "other"));
	assert_null(scope_find(&s, S("RUN0"), "/d", "shop"));
	assert_null(scope_find(&s, S("RUN1"), "/tmp/mine.yaml", "shop")); /* a row of that run that names another file */
	scopes_free(&s);
}

static void handovers_without_memory(void **state)
{
	static const char text[] = HEAD "RUN1\0/c\0shop\0env:A_URL\0first-value\0env:B_URL\0other-value\0";
	static const char yaml[] = "channels:\n- {name: ops, type: slack, url: 'env:HAND_URL'}\n- {name: dev, type: slack, url: 'env:HAND_NONE'}\n";
	const char *const one[] = { "ops", NULL };
	struct config_places where = { 0 };
	struct config *c;
	char file[100];

	snprintf(file, sizeof(file), "%s/tocsin.yaml", dir);
	assert_int_equal(file_replace(file, span_of(yaml), &e), 0);
	where.named = file;
	assert_int_equal(config_read(&where, &c, &e), 0);
	setenv("HAND_URL", "https://hooks.example.com/0123456789", 1);
	for (long step = 1, hit = 1; hit; step++) {
		struct scopes s = { 0 };
		fault_at = step, fault_seen = 0;
		int r = handover_read(&s, (struct span){ text, sizeof(text) - 1 }, &e);
		hit = fault_seen >= step;
		fault_at = 0;
		assert_int_equal(r, hit ? -ENOMEM : 0);
		assert_int_equal(s.n, hit ? 0 : 1);
		scopes_free(&s);
	}
	for (long step = 1, hit = 1; hit; step++) {
		struct deliver_hand h = { .run = "RUN1", .project = "shop", .config = c, .channels = step % 2 ? one : NULL };
		struct scopes s = { 0 };
		struct buf b = { 0 };
		struct span v;
		assert_int_equal(secrets_open(&h.secrets, &e), 0);
		fault_at = step, fault_seen = 0;
		int r = handover_make(&h, &b, &e);
		hit = fault_seen >= step;
		fault_at = 0;
		assert_true(r == 0 || (hit && r == -ENOMEM));
		if (!hit) {
			assert_int_equal(handover_read(&s, buf_view(&b), &e), 0);
			struct secret_set *set = scope_find(&s, S("RUN1"), file, "shop");
			assert_non_null(set);
			assert_int_equal(secret_get(set->secrets, "env:HAND_URL", &v, &e), 0);
			assert_true(span_eq(v, S("https://hooks.example.com/0123456789")));
		}
		scopes_free(&s);
		handover_wipe(&b);
		secrets_close(h.secrets);
	}
	unsetenv("HAND_URL");
	config_free(c);
}

static void what_is_no_handover_is_refused(void **state)
{
	struct scopes s = { 0 };

	assert_int_equal(handover_read(&s, S(""), &e), 0); /* only a knock */
	assert_true(handover_read(&s, S("x"), &e) < 0);
	assert_true(handover_read(&s, S(HEAD "RUN1"), &e) < 0);
	assert_true(handover_read(&s, S("GET / HTTP/1.1\r\n\0\0\0\0"), &e) < 0);
	assert_int_equal(s.n, 0);
	scopes_free(&s);
}

static void one_deliverer_at_a_time(void **state)
{
	char outbox[100];

	snprintf(outbox, sizeof(outbox), "%s/outbox.db", dir);
	int a = handover_lock(outbox, &e);
	assert_true(a >= 0);
	assert_int_equal(handover_lock(outbox, &e), -EAGAIN);
	assert_true(handover_give(outbox, S(""), NSEC_PER_SEC / 10, &e) < 0); /* nobody listens */
	int sock = handover_listen(outbox, &e);
	assert_true(sock >= 0);
	assert_true(handover_give(outbox, S(""), NSEC_PER_SEC / 20, &e) < 0); /* who does not answer is not waited for */
	handover_unlisten(outbox, sock);
	fd_close(a);
	a = handover_lock(outbox, &e);
	assert_true(a >= 0);
	fd_close(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_comes_back),
		cmocka_unit_test(a_broken_body_is_refused),
		cmocka_unit_test(a_robot_has_its_minute),
		cmocka_unit_test(two_jobs_mean_two_values),
		cmocka_unit_test(handovers_without_memory),
		cmocka_unit_test(what_is_no_handover_is_refused),
		cmocka_unit_test(one_deliverer_at_a_time),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
