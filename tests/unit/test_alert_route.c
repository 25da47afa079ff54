/* alert/route and alert/zone: who is told what, when; time zones. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "alert/route.h"
#include "alert/zone.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

static char tmp[] = "/tmp/test-alert-route-XXXXXX";
static char file[64];

static int64_t at(const char *text)
{
	int64_t t;

	if (!time_parse_rfc3339(span_of(text), &t))
		fail_msg("'%s' is no time", text);
	return t;
}

static int64_t sec(const char *text)
{
	return at(text) / NSEC_PER_SEC;
}

/* ---- zones ---- */

static struct zone *zone(const char *name)
{
	struct zone *z;
	struct err e;

	if (zone_open(name, &z, &e) < 0)
		fail_msg("%s: %s", name, e.msg);
	return z;
}

static void zones_know_their_offsets(void **state)
{
	(void)state;
	static const struct {
		const char *zone, *utc;
		int64_t minutes;
	} rows[] = {
		{ "UTC", "2026-11-21T00:00:00Z", 0 },
		{ "UTC+8", "2026-11-21T00:00:00Z", 480 },
		{ "UTC-03:30", "2026-11-21T00:00:00Z", -210 },
		{ "Asia/Shanghai", "2026-11-21T00:00:00Z", 480 },
		{ "Asia/Shanghai", "1988-07-01T00:00:00Z", 540 }, /* had summer time then */
		{ "Asia/Shanghai", "2099-07-01T00:00:00Z", 480 },
		{ "Asia/Kolkata", "2026-01-01T00:00:00Z", 330 },
		{ "Europe/Berlin", "2026-03-29T00:59:59Z", 60 },
		{ "Europe/Berlin", "2026-03-29T01:00:00Z", 120 },
		{ "Europe/Berlin", "2026-10-25T00:59:59Z", 120 },
		{ "Europe/Berlin", "2026-10-25T01:00:00Z", 60 },
		{ "Europe/Berlin", "2099-07-01T00:00:00Z", 120 }, /* by the rule at the end of the file */
		{ "Europe/Berlin", "2099-12-01T00:00:00Z", 60 },
		{ "America/New_York", "2026-03-08T06:59:59Z", -300 },
		{ "America/New_York", "2026-03-08T07:00:00Z", -240 },
		{ "America/New_York", "2050-11-06T05:59:59Z", -240 },
		{ "America/New_York", "2050-11-06T06:00:00Z", -300 },
		{ "Australia/Sydney", "2060-01-01T00:00:00Z", 660 }, /* summer over new year */
		{ "Australia/Sydney", "2060-07-01T00:00:00Z", 600 },
		{ "Australia/Lord_Howe", "2060-01-01T00:00:00Z", 660 },
		{ "Australia/Lord_Howe", "2060-07-01T00:00:00Z", 630 },
		{ "Africa/Casablanca", "2026-11-21T00:00:00Z", 60 },
		{ "Pacific/Kiritimati", "2026-11-21T00:00:00Z", 840 },
		{ "America/St_Johns", "2050-07-01T00:00:00Z", -150 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct zone *z = zone(rows[i].zone);
		int64_t got = zone_offset(z, sec(rows[i].utc));
		if (got != rows[i].minutes * 60)
			fail_msg("%s at %s: %lld s", rows[i].zone, rows[i].utc, (long long)got);
		zone_free(z);
	}
}

/* Against the C library, over more than a century. */
static void zones_agree_with_libc(void **state)
{
	(void)state;
	static const char *const names[] = { "Asia/Shanghai", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe", "Africa/Casablanca",
					     "Asia/Tehran", "Europe/Dublin", "America/Nuuk", "Asia/Gaza", "Pacific/Apia", "Antarctica/Troll", "Africa/Monrovia" };
	const char *before = getenv("TZ");
	char *keep = before ? strdup(before) : NULL;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct zone *z = zone(names[i]);
		setenv("TZ", names[i], 1);
		tzset();
		for (int64_t t = sec("1902-01-01T00:00:00Z"); t < sec("2100-01-01T00:00:00Z"); t += 5 * 86400 + 3593) {
			time_t now = (time_t)t;
			struct tm tm;
			localtime_r(&now, &tm);
			if (zone_offset(z, t) != tm.tm_gmtoff)
				fail_msg("%s at %lld: %lld, libc says %ld", names[i], (long long)t, (long long)zone_offset(z, t), tm.tm_gmtoff);
		}
		zone_free(z);
	}
	if (keep)
		setenv("TZ", keep, 1);
	else
		unsetenv("TZ");
	free(keep);
	tzset();
}

static void clocks_that_are_moved(void **state)
{
	(void)state;
	static const struct {
		const char *zone, *local, *after, *utc;
	} rows[] = {
		{ "Europe/Berlin", "2026-07-01T08:00:00Z", "2026-06-30T00:00:00Z", "2026-07-01T06:00:00Z" },
		{ "Europe/Berlin", "2026-03-29T02:30:00Z", "2026-03-28T00:00:00Z", "2026-03-29T01:30:00Z" }, /* left out */
		{ "Europe/Berlin", "2026-10-25T02:30:00Z", "2026-10-24T00:00:00Z", "2026-10-25T00:30:00Z" }, /* comes twice */
		{ "Europe/Berlin", "2026-10-25T02:30:00Z", "2026-10-25T00:45:00Z", "2026-10-25T01:30:00Z" }, /* the second */
		{ "UTC+8", "2026-01-01T00:00:00Z", "2025-01-01T00:00:00Z", "2025-12-31T16:00:00Z" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct zone *z = zone(rows[i].zone);
		assert_int_equal(zone_utc(z, sec(rows[i].local), sec(rows[i].after)), sec(rows[i].utc));
		zone_free(z);
	}
}

static void zones_that_are_none(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		int code;
	} rows[] = {
		{ "Nowhere/City", ENOENT }, { "", EINVAL }, { "/etc/passwd", EINVAL }, { "../../etc/passwd", EINVAL }, { "Asia", ENOENT },
		{ "UTC+15", ENOENT },	    { "UTC+8:", ENOENT }, { "zone.tab", EINVAL }, { "zone1970", ENOENT }, { "Etc/UTC\n", EINVAL },
	};
	struct zone *z;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int r = zone_open(rows[i].name, &z, &e);
		if (r != -rows[i].code && !(rows[i].code == ENOENT && r == -EINVAL))
			fail_msg("'%s': %d %s", rows[i].name, r, e.msg);
		assert_null(z);
	}
}

/* Every file of the machine, cut short at every place, and with every byte of its head changed. */
static void zone_files_may_be_broken(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf text = { 0 };
	struct zone *z;
	struct err e;

	assert_int_equal(file_slurp("/usr/share/zoneinfo/America/New_York", &text, &e), 0);
	for (size_t n = 0; n + 1 < text.len; n++) {
		if (zone_read(span_head(buf_view(&text), n), &z, &e) == 0)
			zone_free(z);
		else
			assert_null(z);
	}
	for (size_t i = 0; i < text.len; i++) {
		char keep = text.p[i];
		text.p[i] = (char)(keep ^ 0x81);
		if (zone_read(buf_view(&text), &z, &e) == 0) {
			zone_offset(z, sec("2050-01-01T00:00:00Z"));
			zone_utc(z, sec("2026-01-01T00:00:00Z"), 0);
			zone_free(z);
		}
		text.p[i] = keep;
	}
	assert_int_equal(zone_read(buf_view(&text), &z, &e), 0);
	zone_free(z);
}

/* ---- routes ---- */

static const char three[] = "channels:\n- {name: ops, type: slack, url: 'env:A'}\n- {name: dev, type: slack, url: 'env:B'}\n- {name: night, type: slack, url: 'env:C'}\n";

struct bench {
	struct config *c;
	struct routes *r;
	struct arena mem;
	struct route_hit *hits;
	size_t n;
	const char *why;
};

static void open_bench(struct bench *b, const char *text)
{
	CLEANUP(buf_free) struct buf all = { 0 };
	const struct config_places where = { .named = file, .today = at("2026-11-21T12:00:00Z") };
	struct err e;

	*b = (struct bench){ 0 };
	buf_addf(&all, "%s%s", three, text);
	assert_int_equal(file_replace(file, buf_view(&all), &e), 0);
	assert_int_equal(config_read(&where, &b->c, &e), 0);
	if (b->c->n_errors)
		fail_msg("%s", b->c->errors[0].text);
	assert_int_equal(routes_read(b->c, &b->r, &e), 0);
}

static void close_bench(struct bench *b)
{
	arena_free(&b->mem);
	routes_free(b->r);
	config_free(b->c);
}

static void match(struct bench *b, const struct route_facts *f, const struct route_past *past, const char *now)
{
	struct err e;

	arena_free(&b->mem);
	assert_int_equal(routes_match(b->r, f, past, at(now), &b->mem, &b->hits, &b->n, &b->why, &e), 0);
	assert_true(b->n > 0 || (b->why && *b->why));
}

/* "ops L1, dev L2@2026-11-21T12:05:00Z, night L1! 2026-…". */
static void hits_text(const struct bench *b, struct buf *ret)
{
	char when[32];

	for (size_t i = 0; i < b->n; i++) {
		const struct route_hit *h = &b->hits[i];
		assert_true(h->why && *h->why);
		assert_int_equal(!h->group, !strcmp(h->level, "L1"));
		buf_addf(ret, "%s%s %s%s", i ? ", " : "", h->channel, h->level, h->escalates ? "!" : "");
		time_rfc3339(h->not_before, when);
		if (h->not_before)
			buf_addf(ret, "@%s", when);
	}
	if (!b->n)
		buf_addf(ret, "- %s", b->why);
}

static void expect(struct bench *b, const char *want)
{
	CLEANUP(buf_free) struct buf got = { 0 };

	hits_text(b, &got);
	if (strcmp(buf_str(&got), want) != 0)
		fail_msg("'%s', want '%s'", buf_str(&got), want);
}

static const struct route_facts failing = { .key = "k1", .outcome = "failed", .cause = "test.fail", .classes = "P", .severity = "error",
					    .package = "example.com/shop/cart", .branch = "main", .job = "unit", .service = "shop", .state = "new",
					    .project = "example.com/shop", .host = "h1", .owner = "@a @team" };
#define NOW "2026-11-21T12:00:30Z"

static void without_routes_all_are_told(void **state)
{
	(void)state;
	struct bench b;
	struct route_facts f = failing;

	open_bench(&b, "");
	match(&b, &f, NULL, NOW);
	expect(&b, "ops L1, dev L1, night L1");
	assert_string_equal(b.hits[0].why, "no routes: every channel");
	static const char *const others[] = { "crashed", "masked", "empty", "unstable", "not_started" };
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		f.outcome = others[i];
		match(&b, &f, NULL, NOW);
		assert_int_equal(b.n, 3);
	}
	f.outcome = "passed";
	match(&b, &f, NULL, NOW);
	expect(&b, "- the outcome is passed");
	f.outcome = NULL;
	match(&b, &f, NULL, NOW);
	assert_int_equal(b.n, 0);
	close_bench(&b);
}

static void conditions(void **state)
{
	(void)state;
	static const struct {
		const char *when;
		bool fits;
	} rows[] = {
		{ "outcome: failed", true }, { "outcome: [crashed, failed]", true }, { "outcome: crashed", false }, { "outcome: passed", false },
		{ "cause: test.*", true }, { "cause: [mod.*, test.fail]", true }, { "cause: mod.*", false },
		{ "class: permanent", true }, { "class: [transient, permanent]", true }, { "class: security", false },
		{ "severity: error", true }, { "severity: [warning, note]", false },
		{ "package: example.com/shop/*", true }, { "package: example.com/shop", false }, { "package: '*/cart'", true },
		{ "branch: [main, release/*]", true }, { "branch: release/*", false },
		{ "job: un*", true }, { "job: e2e", false },
		{ "service: shop", true }, { "service: bank", false },
		{ "state: [new, regressed]", true }, { "state: known", false }, { "state: flaky", false },
		{ "owner: '@team'", true }, { "owner: '@a'", true }, { "owner: '@te'", false }, { "owner: '@t*'", true },
		{ "project: example.com/*", true }, { "project: other", false },
		{ "branch: main, cause: test.*", true }, { "branch: main, cause: mod.*", false },
	};
	struct bench b;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[200];
		snprintf(text, sizeof(text), "routes:\n- {when: {%s}, to: [ops]}\n", rows[i].when);
		open_bench(&b, text);
		match(&b, &failing, NULL, NOW);
		if ((b.n == 1) != rows[i].fits)
			fail_msg("'%s': %zu hits", rows[i].when, b.n);
		if (!rows[i].fits)
			assert_string_equal(b.why, "no route fits");
		const struct route_facts unknown = { .outcome = "failed" };
		match(&b, &unknown, NULL, NOW); /* a fact that is not known meets no condition */
		assert_int_equal(b.n, !strncmp(rows[i].when, "outcome", 7) && rows[i].fits);
		close_bench(&b);
	}
	struct route_facts flaky = failing;
	flaky.flaky = true;
	open_bench(&b, "routes:\n- {when: {state: flaky}, to: [ops]}\n- {when: {outcome: passed}, to: [dev]}\n");
	match(&b, &flaky, NULL, NOW);
	expect(&b, "ops L1");
	assert_non_null(strstr(b.hits[0].why, "routes[0], "));
	assert_non_null(strstr(b.hits[0].why, "tocsin.yaml:6"));
	flaky.outcome = "passed";
	flaky.flaky = false;
	match(&b, &flaky, NULL, NOW);
	expect(&b, "dev L1");
	close_bench(&b);
}

/* One message a channel, by the most urgent route. */
static void routes_join(void **state)
{
	(void)state;
	struct bench b;

	open_bench(&b, "routes:\n- {to: [ops, dev], level: L3}\n- {when: {branch: main}, to: [ops, none], level: L1}\n- {to: dev, level: L2}\n");
	assert_int_equal(b.c->n_notes, 1);
	assert_non_null(strstr(b.c->notes[0], "there is no channel 'none' here"));
	match(&b, &failing, NULL, NOW);
	expect(&b, "ops L1, dev L2@2026-11-21T12:05:00Z");
	close_bench(&b);
	open_bench(&b, "routes:\n- {to: [none]}\n");
	match(&b, &failing, NULL, NOW);
	expect(&b, "- there is no such channel here");
	close_bench(&b);
}

static void groups(void **state)
{
	(void)state;
	struct bench b;
	struct route_facts f = failing;
	char first[100];

	open_bench(&b, "routes:\n- {to: ops, level: L2, group: 10m, group_by: [owner, cause]}\n");
	match(&b, &f, NULL, NOW);
	expect(&b, "ops L2@2026-11-21T12:10:00Z");
	snprintf(first, sizeof(first), "%s", b.hits[0].group);
	assert_string_equal(first, "0:owner=@a @team cause=test.fail");
	f.package = "example.com/other";
	match(&b, &f, NULL, "2026-11-21T12:09:59Z");
	expect(&b, "ops L2@2026-11-21T12:10:00Z");
	assert_string_equal(b.hits[0].group, first);
	f.cause = "test.panic";
	match(&b, &f, NULL, NOW);
	assert_string_not_equal(b.hits[0].group, first);
	close_bench(&b);
	open_bench(&b, "routes:\n- {to: ops, level: L3, time_zone: Asia/Shanghai}\n- {to: dev, level: L3, digest_at: '18:30'}\n- {to: night, level: L3, group: 1h}\n");
	match(&b, &f, NULL, NOW);
	expect(&b, "ops L3@2026-11-22T01:00:00Z, dev L3@2026-11-21T18:30:00Z, night L3@2026-11-21T13:00:00Z");
	assert_string_equal(b.hits[0].group, "0:");
	match(&b, &f, NULL, "2026-11-22T00:59:59Z");
	expect(&b, "ops L3@2026-11-22T01:00:00Z, dev L3@2026-11-22T18:30:00Z, night L3@2026-11-22T01:00:00Z");
	match(&b, &f, NULL, "2026-11-22T01:00:00Z");
	assert_true(b.hits[0].not_before == at("2026-11-23T01:00:00Z"));
	close_bench(&b);
}

static void quiet_hours(void **state)
{
	(void)state;
	static const struct {
		const char *hours, *zone, *now, *until; /* NULL: not quiet */
	} rows[] = {
		{ "22:00-08:00", "UTC", "2026-11-21T21:59:59Z", NULL },
		{ "22:00-08:00", "UTC", "2026-11-21T22:00:00Z", "2026-11-22T08:00:00Z" },
		{ "22:00-08:00", "UTC", "2026-11-22T07:59:59Z", "2026-11-22T08:00:00Z" },
		{ "22:00-08:00", "UTC", "2026-11-22T08:00:00Z", NULL },
		{ "22:00-08:00", "Asia/Shanghai", "2026-11-21T14:00:00Z", "2026-11-22T00:00:00Z" },
		{ "22:00-08:00", "Asia/Shanghai", "2026-11-21T13:59:59Z", NULL },
		{ "22:00-08:00", "UTC+8", "2026-11-21T14:00:00Z", "2026-11-22T00:00:00Z" },
		{ "12:00-13:00", "UTC", "2026-11-21T12:30:00Z", "2026-11-21T13:00:00Z" },
		{ "12:00-24:00", "UTC", "2026-11-21T12:30:00Z", "2026-11-22T00:00:00Z" },
		{ "sat-sun", "UTC", "2026-11-21T12:30:00Z", "2026-11-23T00:00:00Z" }, /* a Saturday */
		{ "sat-sun", "UTC", "2026-11-20T23:59:59Z", NULL },
		{ "fri 22:00-08:00", "UTC", "2026-11-21T07:00:00Z", "2026-11-21T08:00:00Z" }, /* began on Friday */
		{ "fri 22:00-08:00", "UTC", "2026-11-21T23:00:00Z", NULL },
		{ "mon-fri 22:00-08:00, sat-sun", "UTC", "2026-11-20T23:00:00Z", "2026-11-23T00:00:00Z" }, /* one runs into the other */
		/* Clocks that are moved: 02:30 comes twice, or not at all. */
		{ "22:00-02:30", "Europe/Berlin", "2026-10-25T00:10:00Z", "2026-10-25T00:30:00Z" },
		{ "22:00-02:30", "Europe/Berlin", "2026-10-25T01:10:00Z", "2026-10-25T01:30:00Z" },
		{ "22:00-08:00", "Europe/Berlin", "2026-10-24T20:00:00Z", "2026-10-25T07:00:00Z" }, /* an hour longer */
		{ "22:00-08:00", "Europe/Berlin", "2026-03-28T21:00:00Z", "2026-03-29T06:00:00Z" }, /* an hour shorter */
		{ "22:00-02:30", "Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-29T01:30:00Z" },
		{ "mon-sun", "UTC", "2026-11-21T12:30:00Z", NULL }, /* what never ends is not honoured */
	};
	struct bench b;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[300];
		int64_t want = rows[i].until ? at(rows[i].until) : 0;
		snprintf(text, sizeof(text), "routes:\n- {to: ops, level: L2, group: 0, quiet_hours: [%s], time_zone: %s}\n- {to: dev, quiet_hours: [%s], time_zone: %s}\n",
			 rows[i].hours, rows[i].zone, rows[i].hours, rows[i].zone);
		open_bench(&b, text);
		match(&b, &failing, NULL, rows[i].now);
		assert_int_equal(b.n, 2);
		if (b.hits[0].not_before != want) {
			char got[32];
			time_rfc3339(b.hits[0].not_before, got);
			fail_msg("row %zu: %s at %s: %s", i, rows[i].hours, rows[i].now, got);
		}
		assert_int_equal(b.hits[1].not_before, 0); /* L1 is not held */
		close_bench(&b);
	}
	open_bench(&b, "routes:\n- {to: ops, level: L3, digest_at: '07:00', quiet_hours: '22:00-08:00'}\n");
	match(&b, &failing, NULL, NOW);
	expect(&b, "ops L3@2026-11-22T08:00:00Z");
	close_bench(&b);
}

static void an_unknown_zone_loses_nothing(void **state)
{
	(void)state;
	struct bench b;

	open_bench(&b, "routes:\n- {to: ops, level: L2, group: 0, quiet_hours: '00:00-23:00', time_zone: Nowhere/City}\n- {to: dev, level: L3, time_zone: Nowhere/City}\n");
	assert_non_null(strstr(routes_note(b.r, 0), "tocsin.yaml:6: routes[0]: the time zone Nowhere/City is not known to this machine"));
	assert_non_null(strstr(routes_note(b.r, 1), "routes[1]"));
	assert_null(routes_note(b.r, 2));
	match(&b, &failing, NULL, NOW);
	expect(&b, "ops L2, dev L3@2026-11-22T09:00:00Z");
	assert_non_null(strstr(b.hits[0].why, "time zone is not known here"));
	close_bench(&b);
}

static void repeats(void **state)
{
	(void)state;
	struct route_past past = { .told_at = at("2026-11-21T10:00:00Z") };
	struct bench b;

	open_bench(&b, "routes:\n- {to: ops}\n- {to: dev, repeat: 1h}\n- {to: night, repeat: 0}\n");
	match(&b, &failing, &past, "2026-11-21T10:59:59Z");
	expect(&b, "night L1");
	match(&b, &failing, &past, "2026-11-21T11:00:00Z");
	expect(&b, "dev L1, night L1");
	match(&b, &failing, &past, "2026-11-21T14:00:00Z");
	expect(&b, "ops L1, dev L1, night L1");
	match(&b, &failing, &past, "2026-11-21T09:00:00Z"); /* the clock was set back */
	expect(&b, "ops L1, dev L1, night L1");
	past.recovered = true; /* it came back */
	match(&b, &failing, &past, "2026-11-21T10:10:00Z");
	expect(&b, "ops L1, dev L1, night L1");
	past.recovered = false;
	past.acknowledged = true;
	match(&b, &failing, &past, "2026-11-22T10:10:00Z");
	expect(&b, "- somebody has acknowledged it");
	close_bench(&b);
	past.acknowledged = false;
	open_bench(&b, "routes:\n- {to: ops, repeat: 1h}\n- {to: dev, repeat: 2h}\n");
	match(&b, &failing, &past, "2026-11-21T10:10:00Z");
	expect(&b, "- told already; again not before 2026-11-21T11:00:00Z");
	close_bench(&b);
	open_bench(&b, "");
	match(&b, &failing, &past, "2026-11-21T13:59:59Z");
	expect(&b, "- told already; again not before 2026-11-21T14:00:00Z");
	match(&b, &failing, &past, "2026-11-21T14:00:00Z");
	assert_int_equal(b.n, 3);
	close_bench(&b);
}

static void recovery(void **state)
{
	(void)state;
	struct route_past past = { .told_at = at("2026-11-21T10:00:00Z"), .acknowledged = true };
	struct route_facts f = failing;
	struct bench b;

	f.recovery = true;
	open_bench(&b, "routes:\n- {when: {outcome: failed}, to: ops, escalate_after: 15m, escalate_to: night}\n- {to: dev, recovery: false}\n"
		       "silence:\n- {when: {branch: main}, until: 2027-01-01}\n");
	match(&b, &f, &past, "2026-11-21T10:10:00Z");
	expect(&b, "ops L1, night L1!");
	past.recovered = true;
	match(&b, &f, &past, "2026-11-21T10:10:00Z");
	expect(&b, "- its end was told already");
	past.recovered = false;
	match(&b, &f, NULL, NOW);
	expect(&b, "- nobody was told that it was wrong");
	close_bench(&b);
	const struct route_facts little = { .key = "k1", .outcome = "failed", .branch = "main", .recovery = true }; /* the rest was forgotten */
	open_bench(&b, "routes:\n- {when: {package: x, class: permanent, state: new, branch: main}, to: ops}\n- {when: {package: x, branch: dev}, to: dev}\n");
	match(&b, &little, &past, "2026-11-21T10:10:00Z");
	expect(&b, "ops L1");
	close_bench(&b);
}

static void escalates(void **state)
{
	(void)state;
	struct bench b;

	open_bench(&b, "routes:\n- {to: [ops, dev], escalate_after: 15m, escalate_to: [night, ops]}\n");
	match(&b, &failing, NULL, NOW);
	expect(&b, "ops L1, dev L1, night L1!@2026-11-21T12:15:30Z, ops L1!@2026-11-21T12:15:30Z");
	close_bench(&b);
}

static void silences(void **state)
{
	(void)state;
	struct route_facts f = failing;
	const char *when[WHENS] = { [WHEN_CAUSE] = "test.*" };
	struct bench b;
	struct err e;

	open_bench(&b, "silence:\n- {when: {branch: spike/*, cause: test.*}, until: 2026-11-30, why: known}\n- {when: {job: unit}, until: 2026-11-20}\n");
	assert_int_equal(b.c->n_silences, 1); /* the other is over */
	match(&b, &f, NULL, NOW);
	assert_int_equal(b.n, 3);
	f.branch = "spike/one";
	match(&b, &f, NULL, NOW);
	assert_non_null(strstr(b.why, "silenced until 2026-12-01T00:00:00Z: "));
	assert_non_null(strstr(b.why, "tocsin.yaml:6: known"));
	assert_int_equal(b.n, 0);
	match(&b, &f, NULL, "2026-11-30T23:59:59Z");
	assert_int_equal(b.n, 0);
	match(&b, &f, NULL, "2026-12-01T00:00:00Z");
	assert_int_equal(b.n, 3);
	f.branch = "main";
	assert_int_equal(routes_silence(b.r, when, NULL, at("2026-11-21T13:00:00Z"), "an hour", &e), 0);
	match(&b, &f, NULL, NOW);
	expect(&b, "- silenced until 2026-11-21T13:00:00Z: tocsin alert silence: an hour");
	match(&b, &f, NULL, "2026-11-21T13:00:00Z");
	assert_int_equal(b.n, 3);
	when[WHEN_CAUSE] = NULL;
	assert_int_equal(routes_silence(b.r, when, NULL, at(NOW), NULL, &e), -EINVAL);
	assert_int_equal(routes_silence(b.r, when, "k1", at("2026-11-22T13:00:00Z"), NULL, &e), 0);
	match(&b, &f, NULL, "2026-11-21T14:00:00Z");
	assert_int_equal(b.n, 0);
	f.key = "k2";
	match(&b, &f, NULL, "2026-11-21T14:00:00Z");
	assert_int_equal(b.n, 3);
	close_bench(&b);
}

static void one_root_cause_silences_its_cascade(void **state)
{
	(void)state;
	struct route_active active[] = {
		{ .key = "other", .cause = "test.fail", .project = "example.com/shop", .branch = "main", .host = "h1", .told_at = at("2026-11-21T11:30:00Z") },
		{ .key = "root", .cause = "mod.dns", .project = "example.com/shop", .branch = "dev", .host = "h1", .told_at = at("2026-11-21T11:30:00Z") },
	};
	const struct route_past past = { .active = active, .n_active = ARRAY_LEN(active) };
	struct route_facts f = failing;
	struct bench b;

	open_bench(&b, "");
	match(&b, &f, &past, NOW);
	assert_int_equal(b.n, 3); /* a failed test is nobody's consequence */
	f.cause = "mod.timeout";
	match(&b, &f, &past, NOW);
	expect(&b, "- a consequence of mod.dns, which was told at 2026-11-21T11:30:00Z");
	match(&b, &f, &past, "2026-11-21T12:30:00Z"); /* too long ago */
	assert_int_equal(b.n, 3);
	f.project = "example.com/bank";
	match(&b, &f, &past, NOW);
	assert_int_equal(b.n, 3);
	f = failing;
	f.cause = "mod.dns"; /* not its own consequence */
	match(&b, &f, &past, NOW);
	assert_int_equal(b.n, 3);
	close_bench(&b);
	open_bench(&b, "inhibit:\n- {cause: [build.*, test.panic], silences: [test.*], same: [host]}\n");
	active[1].cause = "build.compile";
	f.cause = "test.fail";
	match(&b, &f, &past, NOW);
	assert_int_equal(b.n, 0);
	f.key = "root"; /* itself */
	match(&b, &f, &past, NOW);
	assert_int_equal(b.n, 3);
	f.key = "k1";
	f.cause = "test.panic"; /* root and consequence: they would silence each other */
	match(&b, &f, &past, NOW);
	assert_int_equal(b.n, 3);
	f.cause = "test.fail";
	f.host = NULL;
	match(&b, &f, &past, NOW);
	assert_int_equal(b.n, 3);
	close_bench(&b);
}

static void survives_every_failed_allocation(void **state)
{
	(void)state;
	static const char text[] = "routes:\n- {to: [ops, dev], escalate_after: 15m, escalate_to: night, time_zone: Europe/Berlin}\n"
				   "- {to: night, level: L2, quiet_hours: sat-sun, time_zone: Nowhere/City}\n";
	const char *when[WHENS] = { [WHEN_CAUSE] = "mod.*" };
	const struct route_past past = { .told_at = at("2026-11-21T10:00:00Z") };
	struct bench b;
	long step = 1;

	open_bench(&b, text);
	for (;; step++) {
		struct arena mem = { 0 };
		struct routes *r = NULL;
		struct err e;
		fault_at = step, fault_seen = 0;
		int got = routes_read(b.c, &r, &e);
		if (got == 0)
			got = routes_silence(r, when, "k", at("2027-01-01T00:00:00Z"), "why", &e);
		if (got == 0)
			got = routes_match(r, &failing, NULL, at(NOW), &mem, &b.hits, &b.n, &b.why, &e);
		if (got == 0)
			assert_int_equal(b.n, 4);
		if (got == 0)
			got = routes_match(r, &failing, &past, at("2026-11-21T10:00:01Z"), &mem, &b.hits, &b.n, &b.why, &e);
		bool hit = fault_seen >= step;
		fault_at = 0;
		if (got < 0)
			assert_int_equal(got, -ENOMEM);
		routes_free(r);
		arena_free(&mem);
		assert_true(step < 1000);
		if (!hit) {
			assert_int_equal(got, 0);
			break;
		}
	}
	assert_true(step > 10);
	close_bench(&b);
}

static int setup(void **state)
{
	if (!mkdtemp(tmp))
		return -1;
	snprintf(file, sizeof(file), "%s/tocsin.yaml", tmp);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", tmp);
	return system(command); /* NOLINT: our own folder */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zones_know_their_offsets),
		cmocka_unit_test(zones_agree_with_libc),
		cmocka_unit_test(clocks_that_are_moved),
		cmocka_unit_test(zones_that_are_none),
		cmocka_unit_test(zone_files_may_be_broken),
		cmocka_unit_test(without_routes_all_are_told),
		cmocka_unit_test(conditions),
		cmocka_unit_test(routes_join),
		cmocka_unit_test(groups),
		cmocka_unit_test(quiet_hours),
		cmocka_unit_test(an_unknown_zone_loses_nothing),
		cmocka_unit_test(repeats),
		cmocka_unit_test(recovery),
		cmocka_unit_test(escalates),
		cmocka_unit_test(silences),
		cmocka_unit_test(one_root_cause_silences_its_cascade),
		cmocka_unit_test(survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
