/* cli: lists of other tools as faults, points in time as people write them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/time.h"
#include "cli/incidents.h"
#include "cli/when.h"
#include "model/fingerprint.h"

#define DAY (INT64_C(86400) * NSEC_PER_SEC)

static int64_t at(const char *text)
{
	int64_t t = 0;

	assert_true(time_parse_rfc3339(span_of(text), &t));
	return t;
}

static struct incidents read_ok(const char *text)
{
	struct incidents l;
	struct err e = { 0 };

	int r = incidents_read(span_of(text), "f", &l, &e);
	if (r < 0)
		print_error("%s\n", e.msg);
	assert_int_equal(r, 0);
	return l;
}

static void refuse(const char *text, const char *words)
{
	CLEANUP(incidents_free) struct incidents l;
	struct err e = { 0 };

	assert_int_equal(incidents_read(span_of(text), "f", &l, &e), -EBADMSG);
	if (!strstr(e.msg, words))
		print_error("%s\n", e.msg);
	assert_non_null(strstr(e.msg, words));
}

static void test_forge(void **state)
{
	CLEANUP(incidents_free) struct incidents l = read_ok(
		"[{\"id\":99,\"number\":7,\"title\":\"Proxy \\u8d85\\u65f6\",\"state\":\"closed\",\"labels\":[{\"name\":\"net\"},{\"name\":\"ci\"}],"
		"\"assignee\":{\"id\":1,\"login\":\"li\"},\"created_at\":\"2025-03-01T10:00:00Z\",\"updated_at\":\"2025-04-01T10:00:00+08:00\","
		"\"closed_at\":\"2025-04-02T10:00:00Z\",\"body\":\"l1\\nl2\",\"milestone\":null,\"reactions\":{\"+1\":3,\"a\":[1,[2]]}}]");

	assert_int_equal(l.n, 1);
	const struct fault_import *f = &l.v[0];
	assert_string_equal(f->title, "Proxy 超时");
	assert_string_equal(f->state, "resolved");
	assert_string_equal(f->owner, "li");
	assert_string_equal(f->text, "7\nl1\nl2");
	assert_int_equal(f->n_tags, 2);
	assert_string_equal(f->tags[0], "net");
	assert_string_equal(f->tags[1], "ci");
	assert_int_equal(f->first_seen, at("2025-03-01T10:00:00Z"));
	assert_int_equal(f->last_seen, at("2025-04-01T02:00:00Z"));
	assert_int_equal(f->resolved_at, at("2025-04-02T10:00:00Z"));
	assert_null(f->id);
	assert_null(f->cause);
	assert_int_equal(strlen(f->fingerprint), FINGERPRINT_LEN);
}

static void test_shapes(void **state)
{
	static const char *const texts[] = {
		"{\"total\":1,\"incidents\":[{\"name\":\"x\",\"status\":\"In Progress\",\"occurrences\":4}]}",
		"{\"meta\":{\"incidents\":[]},\"issues\":[{\"key\":\"A-1\",\"fields\":{\"summary\":\"x\",\"status\":{\"name\":\"Open\"},\"count\":4}}]}",
		"Summary,Status,Times seen\r\nx,open,4\r\n",
		"标题;状态;次数\nx;处理中;4\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		CLEANUP(incidents_free) struct incidents l = read_ok(texts[i]);
		assert_int_equal(l.n, 1);
		assert_string_equal(l.v[0].title, "x");
		assert_string_equal(l.v[0].state, "open");
		assert_int_equal(l.v[0].count, 4);
	}
}

static void test_own_export(void **state)
{
	CLEANUP(incidents_free) struct incidents l = read_ok(
		"{\"schema\":\"tocsin.faults/1\",\"faults\":[{\"id\":\"01J8Z3K4M5N6P7Q8R9S0T1V2W3\",\"short\":\"T-9\",\"fingerprint\":\"1aa\",\"cause\":\"test.fail\","
		"\"state\":\"regressed\",\"count\":3,\"first_seen\":\"2026-01-02T03:04:05Z\",\"last_seen\":\"2026-02-02T03:04:05Z\",\"title\":\"got 1\","
		"\"owner\":\"@t\",\"defences\":[\"test:A\"],\"tags\":[\"x\",\"a, b\"],\"package\":\"m/p\",\"test\":\"TestA\",\"file\":\"a.go\",\"line\":7,"
		"\"resolution\":{\"at\":\"2026-01-20T00:00:00Z\",\"by\":\"li\",\"fix\":\"did it\",\"commit\":\"abc\"},"
		"\"events\":[{\"id\":\"01J8Z3K4M5N6P7Q8R9S0T1V2W4\",\"at\":\"2026-01-03T00:00:00Z\",\"kind\":\"note\",\"who\":\"li\",\"text\":\"n\",\"data\":{\"a\":[1]}},"
		"{\"id\":\"x\",\"kind\":\"note\",\"at\":\"2026-01-03T00:00:00Z\"},{\"kind\":\"strange\"}],"
		"\"first\":{\"message\":\"m\"},\"last\":{\"message\":\"m2\",\"excerpt\":\"the excerpt\"}}],\"total\":1}");
	const struct fault_import *f = &l.v[0];

	assert_int_equal(l.n, 1);
	assert_string_equal(f->id, "01J8Z3K4M5N6P7Q8R9S0T1V2W3");
	assert_string_equal(f->fingerprint, "1aa");
	assert_string_equal(f->cause, "test.fail");
	assert_string_equal(f->state, "regressed");
	assert_string_equal(f->resolved_by, "li");
	assert_string_equal(f->fix, "did it");
	assert_string_equal(f->fix_commit, "abc");
	assert_string_equal(f->text, "the excerpt");
	assert_int_equal(f->line, 7);
	assert_int_equal(f->n_tags, 2);
	assert_string_equal(f->tags[1], "a, b");
	assert_int_equal(f->n_defences, 1);
	assert_int_equal(f->n_events, 1);
	assert_int_equal(f->events[0].at, at("2026-01-03T00:00:00Z"));
	assert_true(span_eq(f->events[0].data, S("{\"a\":[1]}")));
}

/* A place and a cause of ours: a run would find it there. Numbers in the title of any other tell it apart. */
static void test_identity(void **state)
{
	CLEANUP(incidents_free) struct incidents l = read_ok("title,cause,package,count,created\na 1,mod.dns,m/p,2,2025-02-01\na 2,other,,1,\na 3,other,,1,\n"
							     "a 1,mod.dns,m/p,3,2025-01-01\n");

	assert_int_equal(l.n, 3);
	assert_int_equal(l.joined, 1);
	assert_null(l.v[0].fingerprint);
	assert_int_equal(l.v[0].count, 5);
	assert_int_equal(l.v[0].first_seen, at("2025-01-01T00:00:00Z"));
	assert_string_not_equal(l.v[1].fingerprint, l.v[2].fingerprint);
	assert_string_equal(l.v[1].tags[0], "other");
}

static void test_guard(void **state)
{
	CLEANUP(incidents_free) struct incidents l = read_ok("title,owner\n'=1+1,'@team\n'quoted',it's\n");

	assert_string_equal(l.v[0].title, "=1+1");
	assert_string_equal(l.v[0].owner, "@team");
	assert_string_equal(l.v[1].title, "'quoted'");
}

static void test_redacted(void **state)
{
	CLEANUP(incidents_free) struct incidents l = read_ok("title,body\nx,password=hunter2secret\n");

	assert_null(strstr(l.v[0].text, "hunter2"));
}

static void test_refused(void **state)
{
	refuse("", "f:1:");
	refuse("a,b\n1,2\n", "title");
	refuse("title,state\nx,open\ny\n", "f:3: the row ends before the column 'state'");
	refuse("title\nx,y\n", "f:2:");
	refuse("title,state\nx,wat\n", "f:2: the state is 'wat'");
	refuse("title,line\nx,twelve\n", "f:2: line is 'twelve'");
	refuse("title,created\nx,tomorrow\n", "f:2: first_seen is 'tomorrow'");
	refuse("title,state\n,open\n", "f:2: no title");
	refuse("{\"a\":1}", "no list");
	refuse("[{\"title\":\" \"}]", "f:1: no title");
	refuse("[1]", "f:1:");
	refuse("[{\"title\":\"x\"},\n{\"title\":\"y\",}]", "f:2:");
	refuse("[{\"title\":\"x\"}] x", "f:1:");
	refuse("[{\"title\":\"x\"}", "f:1:");
	refuse("{\"faults\":[{\"title\":\"x\"}]", "f:1:");
}

static void test_no_memory(void **state)
{
	static const char *const texts[] = {
		"[{\"title\":\"x\",\"labels\":[\"a\",{\"name\":\"b\"}],\"events\":[{\"id\":\"01J8Z3K4M5N6P7Q8R9S0T1V2W4\",\"at\":\"2026-01-03\",\"kind\":\"note\"}]}]",
		"title,tags,body\n\"a \"\"b\"\"\",x;y,text\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		for (long n = 1;; n++) {
			CLEANUP(incidents_free) struct incidents l;
			struct err e = { 0 };
			fault_seen = 0;
			fault_at = n;
			int r = incidents_read(span_of(texts[i]), "f", &l, &e);
			bool hit = fault_seen >= n;
			fault_at = 0;
			assert_int_equal(r, hit ? -ENOMEM : 0);
			assert_true(!hit || e.msg[0]);
			if (!hit)
				break;
		}
	}
}

static void test_when(void **state)
{
	struct err e = { 0 };
	int64_t t, now = at("2026-11-21T02:00:00Z");

	assert_true(when_length("30d", &t) && t == 30 * DAY);
	assert_true(when_length("2w", &t) && t == 14 * DAY);
	assert_true(when_length("1h30m", &t) && t == 5400 * NSEC_PER_SEC);
	assert_false(when_length("d", &t) || when_length("", &t) || when_length("3 days", &t) || when_length("-1d", &t));
	assert_true(when_instant(S("2026-12-31"), &t) && t == at("2026-12-31T00:00:00Z"));
	assert_true(when_instant(S(" 2026-12-31 08:09 "), &t) && t == at("2026-12-31T08:09:00Z"));
	assert_true(when_instant(S("2026-12-31 08:09:10"), &t) && t == at("2026-12-31T08:09:10Z"));
	assert_true(when_instant(S("2025-03-01T10:00:00.000+0800"), &t) && t == at("2025-03-01T02:00:00Z"));
	assert_true(when_instant(S("1700000000"), &t) && t == INT64_C(1700000000) * NSEC_PER_SEC);
	assert_true(when_instant(S("1700000000000"), &t) && t == INT64_C(1700000000) * NSEC_PER_SEC);
	assert_false(when_instant(S("2026-13-01"), &t) || when_instant(S("soon"), &t) || when_instant(S(""), &t) || when_instant(S("-5"), &t));
	assert_false(when_instant(S("9223372036854775807"), &t));
	assert_int_equal(when_flag("until", "2d", now, false, &t, &e), 0);
	assert_int_equal(t, now + 2 * DAY);
	assert_int_equal(when_flag("since", "2d", now, true, &t, &e), 0);
	assert_int_equal(t, now - 2 * DAY);
	assert_int_equal(when_flag("since", "x", now, true, &t, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "--since"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forge),	 cmocka_unit_test(test_shapes),	  cmocka_unit_test(test_own_export),
		cmocka_unit_test(test_identity), cmocka_unit_test(test_guard),	  cmocka_unit_test(test_redacted),
		cmocka_unit_test(test_refused),	 cmocka_unit_test(test_no_memory), cmocka_unit_test(test_when),
	};

	return cmocka_run_group_tests_name("incidents", tests, NULL, NULL);
}
