/*
 * Event and incident channels: the payload of each, whole and short, byte for byte (tests/golden/alert_sinks; written anew
 * with TOCSIN_GOLDEN=write); limits in the provider's units; hostile alerts; what each answer means; no memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/stat.h>

#include "alert/channel.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "config/config.h"

#define NOW (INT64_C(1795485600) * NSEC_PER_SEC) /* 2026-11-24T02:00:00Z */

/* ---- alerts ---- */

static const char *owners[] = { "@team", "dev@example.com" };
static struct alert_item items[] = {
	{ .cause = "test.panic", .severity = "error", .title = "panic: runtime error: index out of range [3] with length 3",
	  .package = "example.com/shop/cart", .test = "TestTotal/empty", .place = "cart_test.go:12",
	  .excerpt = "goroutine 7 [running]:\nexample.com/shop/cart.Total(...)\n\t/src/cart.go:40 +0x1d", .advice = "Look at `cart.go`, line 40.",
	  .fault = "T-42", .state = "regressed", .fingerprint = "9f2c0011aabbccdd", .said = "came back after 12 days",
	  .owners = { owners, 2, 2 }, .count = 9 },
	{ .cause = "test.fail", .severity = "warning", .title = "got 3, want 4", .package = "example.com/shop/price", .test = "TestRound",
	  .place = "price_test.go:7", .owners = { owners, 1, 1 }, .count = 1 },
};

static struct alert full(enum alert_kind kind)
{
	return (struct alert){
		.id = "01KAXV6Q000123456789ABCDEF", .kind = kind, .key = "9f2c0011aabbccdd", .series = "0011223344556677", .level = "L1", .at = NOW - 5 * NSEC_PER_SEC,
		.run = "01KAXV6P00ZZZZZZZZZZZZZZZZ", .project = "example.com/shop", .branch = "main", .commit = "c0ffee00", .job = "unit",
		.url = "https://ci.example.com/job/7?x=1&y=2", .actor = "kim", .pr = "12", .ci = "gitlab", .go = "go1.26.8", .host = "runner-3",
		.command = "go test ./...", .outcome = kind == ALERT_RECOVERED ? "passed" : "failed",
		.cause = kind == ALERT_RECOVERED ? NULL : "test.panic", .severity = kind == ALERT_RECOVERED ? NULL : "error",
		.summary = "2 of 13 tests failed in 2 of 4 packages", .duration_ns = 83 * NSEC_PER_SEC, .packages = 4, .tests = 13, .failed = 2,
		.items = items, .n_items = 2, .more = 1,
	};
}

static struct alert bare(void)
{
	return (struct alert){ .id = "01KAXV6Q000123456789ABCDEF", .kind = ALERT_PROBE, .at = NOW, .duration_ns = -1, .packages = -1, .tests = -1, .failed = -1 };
}

#define NASTY                                                                                                                      \
	"\"}],\"x\":[\\ </b><a href=\"javascript:1\">@all @everyone @here <!channel> <@U1> [l](http://evil.example) **b** `c` \x1b[31m\x01\x7f" \
	"\r\nSet-Cookie: a=b\r\n\r\n\xff\xfe \xe2\x80\xae\xe2\x80\xa8 $(id) %s%n \xf0\x9f\x94\xa5\xe6\xb5\x8b\xe8\xaf\x95"

static char *big_excerpt(void)
{
	static char all[200 << 10];

	for (size_t i = 0; !all[0] || (i && i + sizeof(NASTY) < sizeof(all)); i += sizeof(NASTY) - 1)
		memcpy(all + i, NASTY, sizeof(NASTY) - 1);
	return all;
}

static struct alert hostile(struct alert_item *it)
{
	static const char *who[] = { "@team", NASTY };
	char *big = big_excerpt();
	struct alert a = full(ALERT_FAILED);

	*it = (struct alert_item){ .cause = NASTY, .severity = NASTY, .title = big, .package = big, .test = NASTY, .place = NASTY, .excerpt = big,
				   .advice = NASTY, .fault = NASTY, .state = NASTY, .fingerprint = NASTY, .said = NASTY, .owners = { who, 2, 2 }, .count = 1 };
	a.key = a.project = a.branch = a.commit = a.job = a.actor = a.pr = a.ci = a.go = a.host = a.run = NASTY;
	a.command = a.summary = big;
	a.url = "https://ci.example.com/\"><script>\r\nX: y";
	a.outcome = a.cause = a.severity = a.level = NASTY;
	a.items = it;
	a.n_items = 1;
	return a;
}

/* ---- channels ---- */

#define SECRET "s3cr3t-0123456789abcdef012345678"

static struct option no_options[] = { { NULL } };
static struct option telegram_options[] = { { "chat_id", { "-1001234567890", 14 } }, { "thread", { "7", 1 } } };
static struct option ntfy_options[] = { { "topic", { "go builds", 9 } } };
static struct option alertmanager_options[] = { { "labels", { "team=build, site=sh\nx=1", 23 } } };
static struct option exec_options[] = { { "command", { "notify --to 'the ops' \"a\\\"b\" $HOME", 34 } } };
static struct mention telegram_people[] = { { "@team", "@ops_team" }, { "dev@example.com", "4711" }, { "@none", "@nobody" } };
static struct mention teams_people[] = { { "@team", "29:1abc" } };
static struct mention discord_people[] = { { "@team", "&123456789012345678" }, { "dev@example.com", "222333444555666777" } };
static struct mention opsgenie_people[] = { { "@team", "build" }, { "dev@example.com", "user:dev@example.com" } };

static const struct sink {
	const char *type, *url;
	struct option *options;
	size_t n_options;
	struct mention *mentions;
	size_t n_mentions;
} sinks[] = {
	{ "alertmanager", "http://127.0.0.1:9093/", alertmanager_options, 1 },
	{ "pagerduty", NULL, no_options, 0 },
	{ "teams", "https://prod.example.logic.azure.com/workflows/1?sig=abc", no_options, 0, teams_people, 1 },
	{ "discord", "https://discord.com/api/webhooks/1/tok", no_options, 0, discord_people, 2 },
	{ "telegram", NULL, telegram_options, 2, telegram_people, 3 },
	{ "opsgenie", NULL, no_options, 0, opsgenie_people, 2 },
	{ "ntfy", "https://ntfy.example.com", ntfy_options, 1 },
	{ "cloudevents", "https://events.example.com/in", no_options, 0 },
	{ "otlp", "http://127.0.0.1:4318", no_options, 0 },
	{ "exec", NULL, exec_options, 1 },
};

static struct channel_target target_of(const struct sink *s, enum lang lang)
{
	return (struct channel_target){ .name = "ops", .url = span_of(s->url), .secret = S(SECRET), .lang = lang, .options = s->options, .n_options = s->n_options,
					.mentions = s->mentions, .n_mentions = s->n_mentions };
}

static const struct sink *sink_named(const char *type)
{
	for (size_t i = 0; i < ARRAY_LEN(sinks); i++) {
		if (!strcmp(sinks[i].type, type))
			return &sinks[i];
	}
	fail_msg("no sink %s", type);
	abort();
}

static void make(const char *type, const struct alert *a, bool degraded, enum lang lang, struct request *ret)
{
	struct channel_target t = target_of(sink_named(type), lang);
	struct err e = { 0 };

	if (channel_find(type)->make(&t, a, degraded, NOW, ret, &e) < 0)
		fail_msg("%s: %s", type, e.msg);
}

static bool is_json(struct span text)
{
	struct json_in j = { .text = text };
	enum json_tok t;
	uint32_t cp;

	while ((t = json_next(&j)) > JSON_END)
		;
	if (t != JSON_END)
		return false;
	for (struct span s = text; s.n;) {
		if ((unsigned char)s.p[0] < 0x20 && s.p[0] != '\n')
			return false;
		s = span_from(s, utf8_decode(s, &cp));
		if (cp == UTF8_BAD)
			return false;
	}
	return true;
}

static void field(struct span json, const char *path, struct buf *ret)
{
	struct span v;

	buf_clear(ret);
	if (!json_find(json, path, &v))
		fail_msg("no %s in %.*s", path, SPAN_ARG(json));
	json_unescape(v, ret);
}

static bool has(const struct buf *b, const char *what)
{
	return span_find(buf_view(b), span_of(what)) != SPAN_NONE;
}

/* ---- golden payloads ---- */

static void golden_path(const char *name, char *path, size_t size)
{
	const char *root = getenv("TOCSIN_SOURCE");

	snprintf(path, size, "%s/tests/golden/alert_sinks/%s.txt", root ? root : ".", name);
}

static void golden(const char *name, const struct request *r)
{
	CLEANUP(buf_free) struct buf got = { 0 }, want = { 0 };
	const char *mode = getenv("TOCSIN_GOLDEN");
	char path[4096];
	struct err e;

	if (r->kind == REQUEST_EXEC)
		buf_addf(&got, "argv:\n%s", buf_str(&r->to));
	else
		buf_addf(&got, "%s %s\n%s", r->method, buf_str(&r->url), buf_str(&r->headers));
	buf_addf(&got, "\n%s%s", buf_str(&r->body), r->kind == REQUEST_EXEC ? "" : "\n");
	size_t at = span_find(buf_view(&got), S("\"" TOCSIN_VERSION "\"")); /* OTLP says it, twice */
	for (; at != SPAN_NONE; at = span_find(buf_view(&got), S("\"" TOCSIN_VERSION "\"")))
		memset(got.p + at + 1, 'V', sizeof(TOCSIN_VERSION) - 1);
	golden_path(name, path, sizeof(path));
	if (mode && !strcmp(mode, "write"))
		assert_int_equal(file_replace(path, buf_view(&got), &e), 0);
	if (file_slurp(path, &want, &e) < 0)
		fail_msg("%s", e.msg);
	if (!span_eq(buf_view(&got), buf_view(&want)))
		fail_msg("%s: made\n%s\ninstead of\n%s", name, buf_str(&got), buf_str(&want));
}

static void payloads_are_as_recorded(void **state)
{
	static const struct { const char *word; enum alert_kind kind; bool degraded; enum lang lang; } forms[] = {
		{ "failed", ALERT_FAILED, false, LANG_EN },
		{ "failed_zh", ALERT_FAILED, false, LANG_ZH },
		{ "failed_short", ALERT_FAILED, true, LANG_EN },
		{ "recovered", ALERT_RECOVERED, false, LANG_EN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sinks); i++) {
		for (size_t k = 0; k < ARRAY_LEN(forms); k++) {
			struct alert a = full(forms[k].kind);
			struct request r;
			char name[64];
			make(sinks[i].type, &a, forms[k].degraded, forms[k].lang, &r);
			if (strcmp(sinks[i].type, "ntfy") != 0)
				assert_true(is_json(buf_view(&r.body)));
			assert_int_equal(r.degraded, forms[k].degraded);
			snprintf(name, sizeof(name), "%s_%s", sinks[i].type, forms[k].word);
			golden(name, &r);
			request_free(&r);
		}
	}
}

static void config_knows_the_options(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sinks); i++) {
		const struct channel_ops *c = channel_find(sinks[i].type);
		assert_non_null(c);
		assert_int_equal(!c->needs_url && strcmp(c->type, "exec") != 0, c->default_url != NULL);
		for (const char *const *o = c->options; o && *o; o++) {
			if (!config_channel_takes(c->type, *o))
				fail_msg("%s: the configuration does not know %s", c->type, *o);
		}
	}
}

/* ---- what each must hold ---- */

static void alertmanager_has_one_identity(void **state)
{
	struct alert a = full(ALERT_FAILED), b = full(ALERT_RECOVERED);
	struct request r, q;

	(void)state;
	b.severity = b.cause = NULL;
	b.branch = "other";
	make("alertmanager", &a, false, LANG_EN, &r);
	make("alertmanager", &b, true, LANG_ZH, &q);
	assert_string_equal(buf_str(&r.url), "http://127.0.0.1:9093/api/v2/alerts");
	size_t from = span_find(buf_view(&r.body), S("\"labels\"")), to = span_find(buf_view(&r.body), S("\"annotations\""));
	assert_true(from < to && to < q.body.len);
	assert_memory_equal(r.body.p + from, q.body.p + from, to - from);
	assert_true(has(&r.body, "\"startsAt\":\"2026-11-24T01:59:55Z\",\"endsAt\":\"2026-12-02T02:00:00Z\""));
	assert_true(has(&q.body, "\"endsAt\":\"2026-11-24T01:59:55Z\"") && !has(&q.body, "startsAt"));
	request_free(&r);
	request_free(&q);
}

static void alertmanager_ends_what_nothing_ends(void **state)
{
	static const struct { enum alert_kind kind; const char *given, *ends; } fine[] = {
		{ ALERT_PROBE, "", "2026-11-24T02:05:00Z" }, { ALERT_PROBE, "9d", "2026-11-24T02:05:00Z" }, { ALERT_DIGEST, "", "2026-11-25T02:00:00Z" },
		{ ALERT_FAILED, "36h", "2026-11-25T14:00:00Z" }, { ALERT_FOLLOWUP, "1d12h", "2026-11-25T14:00:00Z" }, { ALERT_FAILED, " 2d ", "2026-11-26T02:00:00Z" },
	};
	static const char *const wrong[] = { "0", "0d", "x", "d", "-1d", "1d2", "9999d", "99999999999999999999d", "1d1d", "1dxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" };
	struct option o = { .key = "ends_after" };
	struct channel_target t = { .name = "am", .url = S("http://127.0.0.1"), .options = &o, .n_options = 1 };
	struct request r;
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
		struct alert a = full(fine[i].kind);
		o.value = span_of(fine[i].given);
		assert_int_equal(channel_find("alertmanager")->make(&t, &a, false, NOW, &r, &e), 0);
		if (!has(&r.body, fine[i].ends))
			fail_msg("%zu: %s", i, buf_str(&r.body));
		request_free(&r);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct alert a = full(ALERT_FAILED);
		o.value = span_of(wrong[i]);
		if (channel_find("alertmanager")->make(&t, &a, false, NOW, &r, &e) != -EINVAL)
			fail_msg("'%s' is taken", wrong[i]);
		assert_non_null(strstr(e.msg, "ends_after"));
	}
}

/* What Opsgenie says when it is asked what became of a request. */
static void opsgenie_is_asked(void **state)
{
	static const struct { int status; const char *body; enum answer_class class; const char *said; } said[] = {
		{ 200, "{\"data\":{\"success\":true,\"action\":\"Create\",\"isSuccess\":true,\"status\":\"Created alert\"},\"took\":0.02}", ANSWER_DELIVERED, "Created alert" },
		{ 200, "{\"data\":{\"success\":true}}", ANSWER_DELIVERED, NULL },
		{ 200, "{\"data\":{\"isSuccess\":false,\"action\":\"Create\",\"status\":\"The integration is disabled\"}}", ANSWER_CONFIG, "disabled" },
		{ 200, "{\"data\":{\"isSuccess\":false,\"action\":\"Close\",\"status\":\"Alert does not exist\"}}", ANSWER_DELIVERED, "does not exist" },
		{ 200, "{\"data\":{\"isSuccess\":\"perhaps\"}}", ANSWER_AMBIGUOUS, NULL },
		{ 200, "{}", ANSWER_AMBIGUOUS, NULL },
		{ 200, "<html>log in</html>", ANSWER_AMBIGUOUS, NULL },
		{ 404, "{\"message\":\"Request not found. It might not be processed, yet.\"}", ANSWER_TAKEN, "not worked" },
		{ 403, "", ANSWER_DELIVERED, "403" },
		{ 302, "", ANSWER_AMBIGUOUS, NULL },
		{ 429, "", ANSWER_LIMITED, NULL },
		{ 503, "", ANSWER_RETRY, NULL },
	};
	const struct channel_ops *c = channel_find("opsgenie");
	struct channel_target t = { .name = "og", .url = S("https://h/v2/alerts/"), .secret = S(SECRET) };
	struct request q;
	struct err e;

	(void)state;
	assert_int_equal(c->ask(&t, S("{\"requestId\":\"43a29c5c-3dbf\"}"), &q, &e), 0);
	assert_string_equal(buf_str(&q.url), "https://h/v2/alerts/requests/43a29c5c-3dbf");
	assert_string_equal(q.method, "GET");
	assert_true(has(&q.headers, "Authorization: GenieKey " SECRET) && !q.body.len);
	request_free(&q);
	assert_int_equal(c->ask(&t, S("{\"requestId\":\"a/b\"}"), &q, &e), -EBADMSG);
	for (size_t i = 0; i < ARRAY_LEN(said); i++) {
		struct response r = { .status = said[i].status, .sent = true, .body = span_of(said[i].body) };
		struct answer a;
		memset(&a, 0x5a, sizeof(a));
		c->judge_asked(&r, NOW, &a);
		if (a.class != said[i].class || !a.text[0] || (said[i].said && !strstr(a.text, said[i].said)))
			fail_msg("%d %s: class %d, %s", said[i].status, said[i].body, (int)a.class, a.text);
		ask_given_up(&a);
		assert_true(a.class != ANSWER_TAKEN && a.text[0]);
	}
	int64_t all = 0;
	for (int n = 0; ask_after(n); n++)
		all += ask_after(n);
	assert_true(all > 10 * NSEC_PER_SEC && all < 20 * NSEC_PER_SEC && !ask_after(-1));
}

static void labels_are_checked(void **state)
{
	static const char *const wrong[] = { "a", "=b", "a=", "1a=b", "alertname=x", "project=y", "a-b=c", "ok=1 tocsin_key=2" };
	struct alert a = full(ALERT_FAILED);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct option o = { "labels", span_of(wrong[i]) };
		struct channel_target t = { .name = "am", .url = S("http://127.0.0.1"), .options = &o, .n_options = 1 };
		struct request r;
		struct err e = { 0 };
		assert_int_equal(channel_find("alertmanager")->make(&t, &a, false, NOW, &r, &e), -EINVAL);
		assert_non_null(strstr(e.msg, "labels"));
	}
}

static void pagerduty_keeps_its_limits(void **state)
{
	CLEANUP(buf_free) struct buf v = { 0 };
	struct alert a = full(ALERT_FAILED);
	struct request r;
	char key[600];

	(void)state;
	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	a.key = key;
	a.summary = big_excerpt();
	make("pagerduty", &a, false, LANG_EN, &r);
	assert_string_equal(buf_str(&r.url), "https://events.pagerduty.com/v2/enqueue");
	field(buf_view(&r.body), "dedup_key", &v);
	assert_true(v.len <= 255 && v.len > 100);
	field(buf_view(&r.body), "routing_key", &v);
	assert_string_equal(buf_str(&v), SECRET);
	field(buf_view(&r.body), "payload.summary", &v);
	assert_true(v.len <= 1024 * 4);
	field(buf_view(&r.body), "payload.severity", &v);
	assert_string_equal(buf_str(&v), "critical");
	assert_true(r.headers.len && !has(&r.headers, "s3cr3t"));
	request_free(&r);
	a.kind = ALERT_RECOVERED;
	make("pagerduty", &a, false, LANG_EN, &r);
	field(buf_view(&r.body), "event_action", &v);
	assert_string_equal(buf_str(&v), "resolve");
	request_free(&r);
}

static size_t units(const struct buf *b, bool utf16)
{
	size_t n = 0;
	uint32_t cp;

	for (struct span s = buf_view(b); s.n;) {
		s = span_from(s, utf8_decode(s, &cp));
		n += utf16 && cp != UTF8_BAD && cp > 0xffff ? 2 : 1;
	}
	return n;
}

/* Limits count characters, so a Chinese text is not cut at a third of what is allowed. */
static void limits_are_in_their_own_units(void **state)
{
	CLEANUP(buf_free) struct buf v = { 0 }, han = { 0 };
	struct alert_item it = items[0];
	struct alert a = full(ALERT_FAILED);
	struct request r;

	(void)state;
	for (int i = 0; i < 4000; i++)
		buf_adds(&han, i % 60 ? "测" : "\n🔥");
	it.excerpt = it.title = buf_str(&han);
	a.items = &it;
	a.n_items = 1;
	a.summary = buf_str(&han);
	a.lang = LANG_ZH;
	make("telegram", &a, false, LANG_ZH, &r);
	field(buf_view(&r.body), "text", &v);
	assert_true(units(&v, true) <= 4096);
	request_free(&r);
	make("opsgenie", &a, false, LANG_ZH, &r);
	field(buf_view(&r.body), "message", &v);
	assert_in_range(units(&v, false), 100, 130);
	field(buf_view(&r.body), "description", &v);
	assert_true(units(&v, false) <= 15000);
	request_free(&r);
	make("discord", &a, false, LANG_ZH, &r);
	assert_true(has(&r.body, "\"allowed_mentions\":{\"parse\":[],\"users\":[\"222333444555666777\"],\"roles\":[\"123456789012345678\"]}"));
	request_free(&r);
	make("discord", &a, true, LANG_ZH, &r);
	field(buf_view(&r.body), "content", &v);
	assert_true(units(&v, true) <= 2000);
	request_free(&r);
	make("ntfy", &a, false, LANG_ZH, &r);
	assert_in_range(r.body.len, 500, 4096);
	request_free(&r);
	make("teams", &a, false, LANG_ZH, &r);
	assert_in_range(r.body.len, 1000, 28 << 10);
	request_free(&r);
}

static void secrets_stay_in_their_place(void **state)
{
	static const struct { const char *type, *where; } rows[] = {
		{ "alertmanager", "Authorization: Bearer " SECRET "\n" }, { "opsgenie", "Authorization: GenieKey " SECRET "\n" },
		{ "ntfy", "Authorization: Bearer " SECRET "\n" },	  { "cloudevents", "Authorization: Bearer " SECRET "\n" },
		{ "otlp", "Authorization: Bearer " SECRET "\n" },
	};
	struct alert a = full(ALERT_FAILED);
	struct request r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		make(rows[i].type, &a, false, LANG_EN, &r);
		assert_true(has(&r.headers, rows[i].where));
		assert_false(has(&r.body, SECRET) || has(&r.url, SECRET));
		request_free(&r);
	}
	make("telegram", &a, false, LANG_EN, &r);
	assert_string_equal(buf_str(&r.url), "https://api.telegram.org/bot" SECRET "/sendMessage");
	request_free(&r);
	make("exec", &a, false, LANG_EN, &r);
	assert_false(has(&r.body, SECRET) || has(&r.to, SECRET));
	request_free(&r);
}

static void basic_when_there_is_a_user(void **state)
{
	struct option o = { "user", S("kim") };
	struct channel_target t = { .name = "n", .url = S("https://h/topic"), .secret = S("pw"), .options = &o, .n_options = 1 };
	struct alert a = bare();
	struct request r;
	struct err e;

	(void)state;
	assert_int_equal(channel_find("ntfy")->make(&t, &a, false, NOW, &r, &e), 0);
	assert_true(has(&r.headers, "Authorization: Basic a2ltOnB3\n"));
	assert_string_equal(buf_str(&r.url), "https://h/topic");
	request_free(&r);
}

static void urls_get_their_tails(void **state)
{
	static const struct { const char *type, *url, *want; enum alert_kind kind; } rows[] = {
		{ "alertmanager", "https://h/am/", "https://h/am/api/v2/alerts", ALERT_FAILED },
		{ "alertmanager", "https://h/api/v2/alerts?x=1", "https://h/api/v2/alerts?x=1", ALERT_FAILED },
		{ "pagerduty", "https://events.eu.pagerduty.com", "https://events.eu.pagerduty.com/v2/enqueue", ALERT_FAILED },
		{ "pagerduty", "https://h/v2/enqueue", "https://h/v2/enqueue", ALERT_FAILED },
		{ "opsgenie", "https://api.eu.opsgenie.com/v2/alerts", "https://api.eu.opsgenie.com/v2/alerts", ALERT_FAILED },
		{ "opsgenie", "https://h/v2/alerts/", "https://h/v2/alerts/9f2c0011aabbccdd/close?identifierType=alias", ALERT_RECOVERED },
		{ "discord", "https://h/w?thread_id=5", "https://h/w?thread_id=5&wait=true", ALERT_FAILED },
		{ "otlp", "https://h:4318/v1/logs", "https://h:4318/v1/logs", ALERT_FAILED },
		{ "otlp", " https://h:4318/\n", "https://h:4318/v1/logs", ALERT_FAILED },
		{ "teams", "https://h/x/triggers/manual?sig=a%2Fb", "https://h/x/triggers/manual?sig=a%2Fb", ALERT_FAILED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct channel_target t = { .name = "x", .url = span_of(rows[i].url), .secret = S("k") };
		struct alert a = full(rows[i].kind);
		struct request r;
		struct err e;
		assert_int_equal(channel_find(rows[i].type)->make(&t, &a, false, NOW, &r, &e), 0);
		assert_string_equal(buf_str(&r.url), rows[i].want);
		request_free(&r);
	}
}

static void what_is_missing_is_said(void **state)
{
	static const struct { const char *type, *option, *value, *said; } rows[] = {
		{ "teams", NULL, NULL, "url" },	       { "telegram", NULL, NULL, "chat_id" },
		{ "exec", NULL, NULL, "command" },     { "exec", "command", "a 'b", "quote" },
		{ "exec", "command", "\nb", "empty" }, { "cloudevents", "mode", "batch", "mode" },
	};
	struct alert a = bare();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct option o = { rows[i].option, span_of(rows[i].value) };
		struct channel_target t = { .name = "broken", .options = &o, .n_options = rows[i].option != NULL };
		struct request r;
		struct err e = { 0 };
		assert_int_equal(channel_find(rows[i].type)->make(&t, &a, false, NOW, &r, &e), -EINVAL);
		assert_non_null(strstr(e.msg, "broken"));
		assert_non_null(strstr(e.msg, rows[i].said));
	}
	struct option chat = { "chat_id", S("1") };
	struct channel_target t = { .name = "tg", .secret = S("1:a/../x"), .options = &chat, .n_options = 1 };
	struct request r;
	struct err e = { 0 };
	assert_int_equal(channel_find("telegram")->make(&t, &a, false, NOW, &r, &e), -EINVAL);
	assert_null(strstr(e.msg, "1:a/"));
}

static void exec_words(void **state)
{
	static const struct { const char *command, *argv; } rows[] = {
		{ "a b  c", "a\nb\nc\n" },
		{ "'a b' \"c \\\" d\" e\\ f ''", "a b\nc \" d\ne f\n\n" },
		{ "/opt/x\n--to\nthe ops; rm -rf $HOME", "/opt/x\n--to\nthe ops; rm -rf $HOME\n" },
		{ "a `b` $(c) | d", "a\n`b`\n$(c)\n|\nd\n" },
	};
	struct alert a = bare();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct option o = { "command", span_of(rows[i].command) };
		struct channel_target t = { .name = "x", .options = &o, .n_options = 1 };
		struct request r;
		struct err e = { 0 };
		assert_int_equal(channel_find("exec")->make(&t, &a, false, NOW, &r, &e), 0);
		assert_int_equal(r.kind, REQUEST_EXEC);
		assert_string_equal(buf_str(&r.to), rows[i].argv);
		assert_true(is_json(buf_view(&r.body)) && r.body.p[r.body.len - 1] == '\n');
		request_free(&r);
	}
}

static void binary_events(void **state)
{
	struct option o[] = { { "mode", S("binary") }, { "source", S("/a \"b\"%") } };
	struct channel_target t = { .name = "x", .url = S("https://h/"), .options = o, .n_options = 2 };
	struct alert a = full(ALERT_FAILED);
	struct request r;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(channel_find("cloudevents")->make(&t, &a, false, NOW, &r, &e), 0);
	assert_true(has(&r.headers, "Content-Type: application/json\nce-specversion: 1.0\nce-id: 01KAXV6Q000123456789ABCDEF\nce-source: /a%20%22b%22%25\n"));
	assert_true(is_json(buf_view(&r.body)) && span_starts(buf_view(&r.body), S("{\"schema\":\"tocsin.alert/1\"")));
	request_free(&r);
}

/* ---- hostile alerts ---- */

static void no_line_is_added(const struct buf *headers)
{
	struct span rest = buf_view(headers);

	while (rest.n) {
		struct span line = span_cut(&rest, '\n');
		assert_true(span_chr(line, ':') != SPAN_NONE && span_chr(line, '\r') == SPAN_NONE);
		assert_false(span_starts(line, S("Set-Cookie")) || span_starts(line, S("X:")));
	}
}

static void hostile_alerts_do_no_harm(void **state)
{
	static const char *const never[] = { "<script", "@everyone", "@here", "<!channel>", "<a href=\"java", "\xe2\x80\xae", "\x1b" };
	struct alert_item it;
	struct alert a = hostile(&it);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sinks); i++) {
		const struct channel_ops *c = channel_find(sinks[i].type);
		bool chat = !strcmp(c->type, "teams") || !strcmp(c->type, "discord") || !strcmp(c->type, "telegram") || !strcmp(c->type, "ntfy");
		for (int k = 0; k < ALERT_KINDS * 2; k++) {
			struct request r;
			a.kind = k / 2;
			make(sinks[i].type, &a, k % 2, k % 4 < 2 ? LANG_EN : LANG_ZH, &r);
			if (strcmp(c->type, "ntfy") != 0 && !is_json(buf_view(&r.body)))
				fail_msg("%s: no JSON: %s", c->type, buf_str(&r.body));
			if (r.body.len > c->max_bytes)
				fail_msg("%s: %zu bytes", c->type, r.body.len);
			no_line_is_added(&r.headers);
			for (size_t n = 0; chat && n < ARRAY_LEN(never); n++) {
				if (has(&r.body, never[n]))
					fail_msg("%s: %s in %s", c->type, never[n], buf_str(&r.body));
			}
			request_free(&r);
		}
	}
}

static void bare_alerts_are_fine(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sinks); i++) {
		for (int k = 0; k < ALERT_KINDS * 2; k++) {
			struct alert a = bare();
			struct request r;
			a.kind = k / 2;
			make(sinks[i].type, &a, k % 2, LANG_EN, &r);
			assert_true(!strcmp(sinks[i].type, "ntfy") || is_json(buf_view(&r.body)));
			request_free(&r);
		}
	}
}

/* ---- answers ---- */

static const struct row {
	const char *type;
	int status;
	const char *headers, *body;
	enum answer_class class;
	int64_t wait_ms; /* 0: whatever */
	const char *said; /* in the sentence; NULL: whatever */
} rows[] = {
	{ "alertmanager", 200, "", "", ANSWER_DELIVERED },
	{ "alertmanager", 200, "", "{\"status\":\"success\"}", ANSWER_DELIVERED },
	{ "alertmanager", 200, "", "<html>log in</html>", ANSWER_AMBIGUOUS },
	{ "alertmanager", 204, "", "", ANSWER_AMBIGUOUS },
	{ "alertmanager", 400, "", "\"bad start time\"", ANSWER_PAYLOAD, 0, "bad start time" },
	{ "alertmanager", 404, "", "404 page not found", ANSWER_CONFIG },
	{ "alertmanager", 500, "", "", ANSWER_RETRY },
	{ "alertmanager", 503, "", "", ANSWER_RETRY },
	{ "alertmanager", 307, "Location: https://evil.example\n", "", ANSWER_CONFIG },

	{ "pagerduty", 202, "", "{\"status\":\"success\",\"message\":\"Event processed\",\"dedup_key\":\"x\"}", ANSWER_DELIVERED },
	{ "pagerduty", 202, "", "{\"status\":\"throttled\"}", ANSWER_AMBIGUOUS },
	{ "pagerduty", 200, "", "", ANSWER_AMBIGUOUS },
	{ "pagerduty", 400, "", "{\"status\":\"invalid event\",\"message\":\"Event object is invalid\",\"errors\":[\"'payload.summary' is missing\"]}", ANSWER_PAYLOAD, 0,
	  "'payload.summary' is missing" },
	{ "pagerduty", 400, "", "{\"status\":\"invalid event\",\"message\":\"Event object is invalid\",\"errors\":[\"Length of 'routing_key' is incorrect\"]}", ANSWER_CONFIG, 0,
	  "routing key" },
	{ "pagerduty", 429, "", "", ANSWER_LIMITED, 120000 },
	{ "pagerduty", 429, "Retry-After: 300\n", "", ANSWER_LIMITED, 300000 },
	{ "pagerduty", 500, "", "", ANSWER_RETRY },
	{ "pagerduty", 403, "", "", ANSWER_CONFIG },

	{ "teams", 202, "", "", ANSWER_DELIVERED },
	{ "teams", 200, "", "1", ANSWER_DELIVERED },
	{ "teams", 200, "", "", ANSWER_DELIVERED },
	{ "teams", 200, "", "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x", ANSWER_LIMITED },
	{ "teams", 200, "", "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 413 with ContextId x", ANSWER_PAYLOAD },
	{ "teams", 200, "", "Summary or Text is required.", ANSWER_AMBIGUOUS, 0, "Summary or Text" },
	{ "teams", 200, "", "<!doctype html>", ANSWER_AMBIGUOUS },
	{ "teams", 401, "", "{\"error\":{\"code\":\"DirectApiAuthorizationRequired\"}}", ANSWER_CONFIG, 0, "Anyone" },
	{ "teams", 403, "", "", ANSWER_CONFIG },
	{ "teams", 404, "", "", ANSWER_CONFIG },
	{ "teams", 413, "", "", ANSWER_PAYLOAD },
	{ "teams", 429, "Retry-After: 7\n", "", ANSWER_LIMITED, 7000 },
	{ "teams", 502, "", "", ANSWER_RETRY },

	{ "discord", 200, "", "{\"id\":\"1\",\"type\":0}", ANSWER_DELIVERED },
	{ "discord", 200, "X-RateLimit-Remaining: 0\nX-RateLimit-Reset-After: 1.5\n", "{\"id\":\"1\"}", ANSWER_DELIVERED, 1500 },
	{ "discord", 204, "", "", ANSWER_AMBIGUOUS },
	{ "discord", 200, "", "{}", ANSWER_AMBIGUOUS },
	{ "discord", 404, "", "{\"message\":\"Unknown Webhook\",\"code\":10015}", ANSWER_CONFIG, 0, "deleted" },
	{ "discord", 401, "", "{\"message\":\"Invalid Webhook Token\",\"code\":50027}", ANSWER_CONFIG, 0, "token" },
	{ "discord", 400, "", "{\"message\":\"Invalid Form Body\",\"code\":50035}", ANSWER_PAYLOAD },
	{ "discord", 429, "", "{\"message\":\"You are being rate limited.\",\"retry_after\":0.35,\"global\":false}", ANSWER_LIMITED, 350 },
	{ "discord", 429, "Retry-After: 65\n", "{\"retry_after\":64.57,\"code\":20016}", ANSWER_LIMITED, 65000 },
	{ "discord", 500, "", "", ANSWER_RETRY },

	{ "telegram", 200, "", "{\"ok\":true,\"result\":{}}", ANSWER_DELIVERED },
	{ "telegram", 200, "", "{\"ok\":false,\"error_code\":429,\"description\":\"Too Many Requests\",\"parameters\":{\"retry_after\":9}}", ANSWER_LIMITED, 9000 },
	{ "telegram", 200, "", "", ANSWER_AMBIGUOUS },
	{ "telegram", 200, "", "<html>", ANSWER_AMBIGUOUS },
	{ "telegram", 429, "", "{\"ok\":false,\"error_code\":429,\"parameters\":{\"retry_after\":31}}", ANSWER_LIMITED, 31000 },
	{ "telegram", 401, "", "{\"ok\":false,\"error_code\":401,\"description\":\"Unauthorized\"}", ANSWER_CONFIG },
	{ "telegram", 403, "", "{\"ok\":false,\"error_code\":403,\"description\":\"Forbidden: bot was kicked\"}", ANSWER_CONFIG, 0, "kicked" },
	{ "telegram", 404, "", "{\"ok\":false,\"error_code\":404,\"description\":\"Not Found\"}", ANSWER_CONFIG },
	{ "telegram", 400, "", "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: can't parse entities\"}", ANSWER_PAYLOAD },
	{ "telegram", 400, "", "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: chat not found\"}", ANSWER_CONFIG },
	{ "telegram", 400, "", "{\"ok\":false,\"description\":\"group chat was upgraded\",\"parameters\":{\"migrate_to_chat_id\":-1001234567890}}", ANSWER_CONFIG, 0, "-1001234567890" },
	{ "telegram", 502, "", "", ANSWER_RETRY },

	{ "opsgenie", 202, "", "{\"result\":\"Request will be processed\",\"took\":0.3,\"requestId\":\"43a29c5c-3dbf-4fa4-9c26-f4f71023e120\"}", ANSWER_TAKEN, 0, "43a29c5c-3dbf" },
	{ "opsgenie", 202, "", "{\"requestId\":\"../../v2/heartbeats\"}", ANSWER_AMBIGUOUS },
	{ "opsgenie", 202, "", "{\"requestId\":\"0123456789012345678901234567890123456789012345678901234567890123456789\"}", ANSWER_AMBIGUOUS },
	{ "opsgenie", 202, "", "{}", ANSWER_AMBIGUOUS },
	{ "opsgenie", 200, "", "", ANSWER_AMBIGUOUS },
	{ "opsgenie", 401, "", "{\"message\":\"Could not authenticate\"}", ANSWER_CONFIG, 0, "api.eu" },
	{ "opsgenie", 403, "", "", ANSWER_CONFIG },
	{ "opsgenie", 404, "", "", ANSWER_CONFIG },
	{ "opsgenie", 400, "", "", ANSWER_PAYLOAD },
	{ "opsgenie", 402, "", "", ANSWER_PAYLOAD },
	{ "opsgenie", 422, "", "{\"message\":\"Request body is not processable\"}", ANSWER_PAYLOAD, 0, "processable" },
	{ "opsgenie", 429, "", "", ANSWER_LIMITED },
	{ "opsgenie", 503, "", "", ANSWER_RETRY },

	{ "ntfy", 200, "", "{\"id\":\"x\",\"event\":\"message\"}", ANSWER_DELIVERED },
	{ "ntfy", 200, "", "<!doctype html>", ANSWER_AMBIGUOUS },
	{ "ntfy", 401, "", "{\"code\":40101,\"http\":401,\"error\":\"unauthorized\"}", ANSWER_CONFIG },
	{ "ntfy", 403, "", "{\"code\":40301,\"http\":403,\"error\":\"forbidden\"}", ANSWER_CONFIG, 0, "forbidden" },
	{ "ntfy", 413, "", "", ANSWER_PAYLOAD },
	{ "ntfy", 429, "", "{\"code\":42901,\"http\":429,\"error\":\"limit reached: too many requests\"}", ANSWER_LIMITED },
	{ "ntfy", 429, "", "{\"code\":42908,\"http\":429,\"error\":\"limit reached: daily message quota reached\"}", ANSWER_CONFIG, 0, "quota" },
	{ "ntfy", 507, "", "", ANSWER_RETRY },

	{ "cloudevents", 200, "", "", ANSWER_DELIVERED },
	{ "cloudevents", 201, "", "", ANSWER_DELIVERED },
	{ "cloudevents", 202, "", "", ANSWER_DELIVERED },
	{ "cloudevents", 204, "", "", ANSWER_DELIVERED },
	{ "cloudevents", 206, "", "", ANSWER_AMBIGUOUS },
	{ "cloudevents", 200, "", "<html>", ANSWER_AMBIGUOUS },
	{ "cloudevents", 410, "", "", ANSWER_CONFIG },
	{ "cloudevents", 415, "", "", ANSWER_PAYLOAD },
	{ "cloudevents", 429, "Retry-After: 20\n", "", ANSWER_LIMITED, 20000 },
	{ "cloudevents", 500, "", "", ANSWER_RETRY },

	{ "otlp", 200, "", "{}", ANSWER_DELIVERED },
	{ "otlp", 200, "", "", ANSWER_DELIVERED },
	{ "otlp", 200, "", "{\"partialSuccess\":{}}", ANSWER_DELIVERED },
	{ "otlp", 200, "", "{\"partialSuccess\":{\"rejectedLogRecords\":\"0\",\"errorMessage\":\"old name\"}}", ANSWER_DELIVERED },
	{ "otlp", 200, "", "{\"partialSuccess\":{\"rejectedLogRecords\":\"2\",\"errorMessage\":\"too long\"}}", ANSWER_CONFIG, 0, "too long" },
	{ "otlp", 200, "", "{\"partialSuccess\":{\"rejectedLogRecords\":1}}", ANSWER_CONFIG, 0, "threw away 1" },
	{ "otlp", 200, "", "<html>", ANSWER_AMBIGUOUS },
	{ "otlp", 400, "", "{\"code\":3,\"message\":\"bad\"}", ANSWER_PAYLOAD },
	{ "otlp", 404, "", "", ANSWER_CONFIG },
	{ "otlp", 429, "", "", ANSWER_LIMITED },
	{ "otlp", 500, "", "{\"message\":\"boom\"}", ANSWER_CONFIG, 0, "boom" },
	{ "otlp", 501, "", "", ANSWER_CONFIG },
	{ "otlp", 408, "", "", ANSWER_CONFIG },
	{ "otlp", 502, "", "", ANSWER_RETRY },
	{ "otlp", 503, "Retry-After: 3\n", "", ANSWER_LIMITED, 3000 },
	{ "otlp", 504, "", "", ANSWER_RETRY },

	{ "exec", 0, "", "sent\n", ANSWER_DELIVERED },
	{ "exec", 75, "", "later", ANSWER_RETRY, 0, "later" },
	{ "exec", 78, "", "", ANSWER_CONFIG },
	{ "exec", 64, "", "", ANSWER_CONFIG },
	{ "exec", 77, "", "", ANSWER_CONFIG },
	{ "exec", 126, "", "", ANSWER_CONFIG },
	{ "exec", 127, "", "", ANSWER_CONFIG },
	{ "exec", 65, "", "too long", ANSWER_PAYLOAD, 0, "too long" },
	{ "exec", 1, "", "curl: (7) no", ANSWER_RETRY, 0, "exit status 1" },
	{ "exec", 137, "", "", ANSWER_RETRY },
};

static struct response response_of(const struct row *w)
{
	return (struct response){ .status = w->status, .sent = true, .headers = span_of(w->headers), .body = span_of(w->body) };
}

static void answers_mean_what_they_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *w = &rows[i];
		struct response r = response_of(w);
		struct answer a;
		memset(&a, 0x5a, sizeof(a)); /* what is not set shows */
		channel_find(w->type)->judge(&r, NOW, &a);
		if (a.class != w->class || (w->wait_ms && a.wait_ns != w->wait_ms * NSEC_PER_MSEC) || a.wait_ns < 0 || a.wait_ns > 3600 * NSEC_PER_SEC)
			fail_msg("%s %d %s: class %d, wait %lld, %s", w->type, w->status, w->body, (int)a.class, (long long)a.wait_ns, a.text);
		if (!a.text[0] || (w->said && !strstr(a.text, w->said)))
			fail_msg("%s %d %s: says '%s'", w->type, w->status, w->body, a.text);
	}
}

static void broken_transports_are_alike(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sinks); i++) {
		for (int t = TRANSPORT_DNS; t <= TRANSPORT_OTHER; t++) {
			struct response r = { .transport = t, .why = "no such host", .sent = t == TRANSPORT_RESET };
			struct answer a = { 0 };
			channel_find(sinks[i].type)->judge(&r, NOW, &a);
			assert_int_equal(a.class, r.sent || t == TRANSPORT_TOO_BIG ? ANSWER_AMBIGUOUS : ANSWER_RETRY);
		}
	}
}

/* Whatever comes back: a class, one line, nothing of an address or a secret. */
static void hostile_answers_do_no_harm(void **state)
{
	static const char *const bodies[] = {
		"", "{", "[", "null", "\"\"", "{\"ok\":\"true\"}", "{\"ok\":true", "{\"id\":", "{\"retry_after\":1e400,\"code\":-1}",
		"{\"parameters\":{\"retry_after\":99999999999999999999,\"migrate_to_chat_id\":\"x\"}}", "{\"message\":\"" NASTY "\"}",
		"{\"description\":\"\\ud800\\u0000 from ip: 203.0.113.9 and 2001:db8::1 https://x.example/?k=abc\"}",
		"{\"error\":\"token tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2 is bad\",\"errors\":[[[[[[[[\"routing_key\"",
	};
	static const int statuses[] = { 0, 1, 100, 200, 202, 204, 299, 301, 400, 401, 403, 404, 410, 413, 418, 429, 500, 503, 507, 599, 999 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sinks) * ARRAY_LEN(bodies) * ARRAY_LEN(statuses); i++) {
		struct response r = { .status = statuses[i % ARRAY_LEN(statuses)], .sent = true, .headers = S("Retry-After: -5\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset-After: nan\n"),
				      .body = span_of(bodies[i / ARRAY_LEN(statuses) % ARRAY_LEN(bodies)]) };
		const struct channel_ops *c = channel_find(sinks[i / ARRAY_LEN(statuses) / ARRAY_LEN(bodies)].type);
		struct answer a = { 0 };
		c->judge(&r, NOW, &a);
		assert_true(a.text[0] && memchr(a.text, 0, sizeof(a.text)) && !strpbrk(a.text, "\n\r\x1b"));
		assert_true(a.wait_ns >= 0 && a.wait_ns <= 3600 * NSEC_PER_SEC);
		assert_null(strstr(a.text, "203.0.113.9"));
		assert_null(strstr(a.text, "2001:db8"));
		assert_null(strstr(a.text, "tk_AgQ"));
	}
}

/* ---- no memory ---- */

static void same_request(const struct request *a, const struct request *b)
{
	assert_true(span_eq(buf_view(&a->url), buf_view(&b->url)) && span_eq(buf_view(&a->headers), buf_view(&b->headers)));
	assert_true(span_eq(buf_view(&a->body), buf_view(&b->body)) && span_eq(buf_view(&a->to), buf_view(&b->to)));
}

static void a_request_is_whole_or_none(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sinks) * 4; i++) {
		const struct sink *s = &sinks[i / 4];
		struct channel_target t = target_of(s, LANG_EN);
		struct alert a = full(i & 1 ? ALERT_RECOVERED : ALERT_FAILED);
		struct request good, r;
		struct err e;
		make(s->type, &a, i & 2, LANG_EN, &good);
		for (fault_at = 1;; fault_at++) {
			fault_seen = 0;
			int rc = channel_find(s->type)->make(&t, &a, i & 2, NOW, &r, &e);
			if (fault_seen < fault_at)
				break;
			if (rc == 0) {
				same_request(&r, &good);
				request_free(&r);
			} else {
				assert_int_equal(rc, -ENOMEM);
			}
		}
		fault_at = 0;
		same_request(&r, &good);
		request_free(&r);
		request_free(&good);
	}
}

static void answers_without_memory(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct response r = response_of(&rows[i]);
		for (fault_at = 1;; fault_at++) {
			struct answer a = { 0 };
			fault_seen = 0;
			channel_find(rows[i].type)->judge(&r, NOW, &a);
			if (fault_seen < fault_at)
				break;
			bool unsure = a.class == ANSWER_AMBIGUOUS && (rows[i].class == ANSWER_DELIVERED || rows[i].class == ANSWER_TAKEN);
			if (a.class != rows[i].class && !unsure)
				fail_msg("%s %d %s: class %d", rows[i].type, rows[i].status, rows[i].body, (int)a.class);
		}
		fault_at = 0;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(payloads_are_as_recorded),
		cmocka_unit_test(config_knows_the_options),
		cmocka_unit_test(alertmanager_has_one_identity),
		cmocka_unit_test(alertmanager_ends_what_nothing_ends),
		cmocka_unit_test(opsgenie_is_asked),
		cmocka_unit_test(labels_are_checked),
		cmocka_unit_test(pagerduty_keeps_its_limits),
		cmocka_unit_test(limits_are_in_their_own_units),
		cmocka_unit_test(secrets_stay_in_their_place),
		cmocka_unit_test(basic_when_there_is_a_user),
		cmocka_unit_test(urls_get_their_tails),
		cmocka_unit_test(what_is_missing_is_said),
		cmocka_unit_test(exec_words),
		cmocka_unit_test(binary_events),
		cmocka_unit_test(hostile_alerts_do_no_harm),
		cmocka_unit_test(bare_alerts_are_fine),
		cmocka_unit_test(answers_mean_what_they_say),
		cmocka_unit_test(broken_transports_are_alike),
		cmocka_unit_test(hostile_answers_do_no_harm),
		cmocka_unit_test(a_request_is_whole_or_none),
		cmocka_unit_test(answers_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
