/* alert: the chat robots, webhooks and mail: what they are sent, and what their answers mean. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "alert/channel.h"
#include "base/base64.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

#define MS(n) ((n) * NSEC_PER_MSEC)
#define NOW (INT64_C(1700000000) * NSEC_PER_SEC) /* 2023-11-14T22:13:20Z */

static const char *const types[] = { "dingtalk", "wecom", "feishu", "slack", "webhook", "smtp" };

/* ---- an alert ---- */

static const char *team[] = { "@team", "@other" };
static struct alert_item items[] = {
	{ .cause = "test.fail", .severity = "error", .title = "got 3, want 4", .package = "example.com/shop/cart", .test = "TestTotal/sub", .place = "cart_test.go:12",
	  .excerpt = "--- FAIL: TestTotal/sub\n    cart_test.go:12: got 3, want 4", .advice = "Read the test.", .fault = "T-42", .state = "known", .fingerprint = "9f2c0011",
	  .owners = { team, 2, 2 }, .count = 9 },
	{ .cause = "go.panic", .severity = "error", .title = "runtime error: index out of range", .package = "example.com/shop/pay", .place = "pay.go:7", .excerpt = "panic: …", .count = 1 },
};

static struct alert sample(void)
{
	struct alert a = {
		.id = "01J0000000000000000000ABCD", .kind = ALERT_FAILED, .key = "9f2c0011", .level = "L1", .at = NOW, .run = "01J0000000000000000000RUN1",
		.project = "example.com/shop", .branch = "main", .commit = "0123456789abcdef0123456789abcdef01234567", .job = "unit", .url = "https://ci.example.com/runs/7",
		.actor = "ann", .host = "builder", .command = "go test ./...", .outcome = "failed", .cause = "test.fail", .severity = "error",
		.summary = "2 of 13 tests failed in 2 of 4 packages", .duration_ns = MS(1234), .packages = 4, .tests = 13, .failed = 2, .items = items, .n_items = 2,
	};

	return a;
}

/* Everything at its worst: markup and mentions of every chat, quotes, ANSI, direction marks, bad UTF-8, much of it. */
#define EVIL "@all @everyone <!channel> <@all> <@U123> <at id=all></at> <at user_id=\"all\">x</at> </font> **b** _i_ `c` [l](http://evil.example) " \
	"\"quoted\\\" \x1b[31mred\x1b[0m \xe2\x80\xae" "abc \xff\xfe {{title}} &lt; \r\nBcc: victim@example.com\r\n.\r\nMAIL FROM: 告警告警 "

struct evil {
	struct alert a;
	struct alert_item items[8];
	char *big;
};

static void evil_make(struct evil *x, size_t size)
{
	static const char *owners[] = { EVIL, "@team" };
	CLEANUP(buf_free) struct buf b = { 0 };

	while (b.len < size)
		buf_adds(&b, EVIL);
	x->big = mem_dup(b.p, b.len);
	assert_non_null(x->big);
	x->a = (struct alert){ .id = "01J0000000000000000000EV1L", .kind = ALERT_FAILED, .key = x->big, .level = EVIL, .at = NOW, .run = x->big, .project = x->big,
		.branch = EVIL, .commit = x->big, .job = EVIL, .url = "https://evil.example/\"><@all>", .actor = EVIL, .pr = EVIL, .ci = EVIL, .go = EVIL, .host = EVIL,
		.command = x->big, .outcome = EVIL, .cause = EVIL, .severity = EVIL, .summary = x->big, .duration_ns = -1, .packages = -1, .tests = -1, .failed = -1,
		.items = x->items, .n_items = ARRAY_LEN(x->items), .more = 1000 };
	for (size_t i = 0; i < ARRAY_LEN(x->items); i++)
		x->items[i] = (struct alert_item){ .cause = EVIL, .severity = "error", .title = x->big, .package = x->big, .test = x->big, .place = EVIL, .excerpt = x->big,
			.advice = x->big, .fault = EVIL, .state = EVIL, .fingerprint = EVIL, .said = x->big, .owners = { owners, 2, 2 }, .count = INT64_MAX };
}

static struct mention mentions[] = { { "@team", "13800000000" }, { "@other", "user7" } };
static struct mention userids[] = { { "@team", "U0AA" }, { "@other", "user7" } };
static struct mention mails[] = { { "@team", "team@example.com" } };

static struct channel_target target(const char *url, const char *secret)
{
	return (struct channel_target){ .name = "ops", .url = span_of(url), .secret = span_of(secret) };
}

static const char *url_of(const char *type)
{
	static const char *const urls[][2] = {
		{ "dingtalk", "https://oapi.dingtalk.com/robot/send?access_token=tok" },
		{ "wecom", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=0a1b" },
		{ "feishu", "https://open.feishu.cn/open-apis/bot/v2/hook/tok" },
		{ "slack", "https://hooks.slack.com/services/T/B/X" },
		{ "webhook", "https://example.com/hook" },
		{ "smtp", "smtps://mail.example.com:465" },
	};

	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		if (!strcmp(urls[i][0], type))
			return urls[i][1];
	}
	return NULL;
}

static const char *secret_of(const char *type)
{
	return !strcmp(type, "smtp") ? "user:password" : !strcmp(type, "wecom") || !strcmp(type, "slack") ? NULL : "SEC0123456789abcdef";
}

static struct option to_from[] = { { "from", { "tocsin@example.com", 18 } }, { "to", { "ops@example.com", 15 } } };

static struct channel_target target_for(const char *type)
{
	struct channel_target t = target(url_of(type), secret_of(type));

	if (!strcmp(type, "smtp")) {
		t.options = to_from;
		t.n_options = 2;
	}
	return t;
}

static void must_make(const char *type, const struct channel_target *t, const struct alert *a, bool degraded, struct request *r)
{
	struct err e = { 0 };

	if (channel_find(type)->make(t, a, degraded, NOW, r, &e) < 0)
		fail_msg("%s: %s", type, e.msg);
}

static bool well_formed(struct span text)
{
	struct json_in j = { .text = text };
	enum json_tok t;

	while ((t = json_next(&j)) > JSON_END)
		;
	return t == JSON_END;
}

/* The text of a JSON string at a path. */
static const char *text_at(const struct request *r, const char *path, struct buf *room)
{
	struct span raw;

	buf_clear(room);
	if (!json_find(buf_view(&r->body), path, &raw))
		fail_msg("no %s in %s", path, buf_str(&r->body));
	json_unescape(raw, room);
	return buf_str(room);
}

static void has(const struct buf *b, const char *what)
{
	if (span_find(buf_view(b), span_of(what)) == SPAN_NONE)
		fail_msg("'%s' is not in: %s", what, buf_str(b));
}

static void has_not(const struct buf *b, const char *what)
{
	if (span_find(buf_view(b), span_of(what)) != SPAN_NONE)
		fail_msg("'%s' is in: %s", what, buf_str(b));
}

/* ---- the table ---- */

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < CHANNEL_COUNT; i++) {
		assert_non_null(channels[i]);
		assert_ptr_equal(channel_find(channels[i]->type), channels[i]);
		assert_non_null(channels[i]->make);
		assert_non_null(channels[i]->judge);
		assert_non_null(channels[i]->title.zh);
		assert_true(channels[i]->max_bytes > 0);
	}
	assert_null(channel_find("fax"));
	assert_null(channel_find(NULL));
}

static void test_header(void **state)
{
	struct request r = { 0 };

	(void)state;
	request_header(&r, "A", S("b"));
	request_header(&r, "X", S("b\r\nEvil: 1"));
	request_header(&r, "X\nY", S("b"));
	assert_string_equal(buf_str(&r.headers), "A: b\n");
	request_free(&r);
	assert_null(r.headers.p);
}

/* ---- signatures ---- */

static void test_sign_dingtalk(void **state)
{
	static const char *const urls[] = { /* a stored address that was signed before, and one without a query */
		"https://oapi.dingtalk.com/robot/send?access_token=tok", "https://oapi.dingtalk.com/robot/send?access_token=tok&timestamp=1&sign=old%3D",
		"https://oapi.dingtalk.com/robot/send?timestamp=1&access_token=tok&sign=old",
	};
	struct alert a = sample();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct channel_target t = target(urls[i], "SEC0123456789abcdef");
		struct request r;
		must_make("dingtalk", &t, &a, false, &r);
		assert_string_equal(buf_str(&r.url), "https://oapi.dingtalk.com/robot/send?access_token=tok&timestamp=1700000000000&sign=TSZbRFUuvaSQaRKUpF970OPCb2%2FLcQAP3wOvwZIzBZk%3D");
		request_free(&r);
	}
	struct channel_target t = target("http://127.0.0.1:8080/x", "SEC0123456789abcdef");
	struct request r;
	must_make("dingtalk", &t, &a, false, &r);
	has(&r.url, "/x?timestamp=1700000000000&sign=TSZb");
	request_free(&r);
}

static void test_sign_feishu(void **state)
{
	struct channel_target t = target(url_of("feishu"), "0123456789abcdef");
	CLEANUP(buf_free) struct buf room = { 0 };
	struct alert a = sample();
	struct request r;

	(void)state;
	must_make("feishu", &t, &a, false, &r);
	assert_string_equal(text_at(&r, "sign", &room), "UK5eSsaT2YEZBeGZs+MkB68zi9SSH91TQzUizvcea0A=");
	assert_string_equal(text_at(&r, "timestamp", &room), "1700000000");
	request_free(&r);
}

static void test_sign_webhook(void **state)
{
	struct option github[] = { { "template_body", S("Hello, World!") } };
	struct option standard[] = { { "format", S("standard") }, { "template_body", S("{\"test\": 2432232314}") } };
	struct channel_target t = target(url_of("webhook"), "It's a Secret to Everybody");
	struct alert a = sample();
	struct request r;
	struct err e = { 0 };

	(void)state;
	t.options = github;
	t.n_options = 1;
	must_make("webhook", &t, &a, false, &r);
	has(&r.headers, "X-Hub-Signature-256: sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17\n");
	has(&r.headers, "Content-Type: text/plain; charset=utf-8\n");
	request_free(&r);

	strcpy(a.id, "msg_p5jXN8AQM9LWM0D4loKWxJ"); /* the vector's id is a byte longer than ours can be: its signature is checked below */
	t.secret = S("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
	t.options = standard;
	t.n_options = 2;
	assert_int_equal(channel_find("webhook")->make(&t, &a, false, INT64_C(1614265330) * NSEC_PER_SEC, &r, &e), 0);
	has(&r.headers, "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJ\nwebhook-timestamp: 1614265330\nwebhook-signature: v1,");
	assert_string_equal(buf_str(&r.body), "{\"test\": 2432232314}");
	request_free(&r);

	t.secret = S("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\nwhsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"); /* both of a rotation */
	must_make("webhook", &t, &a, false, &r);
	struct span two = span_from(buf_view(&r.headers), span_find(buf_view(&r.headers), S("v1,")));
	assert_true(span_eq(span_head(two, 47), span_head(span_from(two, 48), 47)));
	request_free(&r);

	t.secret = S("whsec_not base64!");
	assert_int_equal(channel_find("webhook")->make(&t, &a, false, NOW, &r, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "whsec_ and base64"));
	t.secret = (struct span){ 0 };
	assert_int_equal(channel_find("webhook")->make(&t, &a, false, NOW, &r, &e), -EINVAL);
	standard[0].value = S("morse");
	assert_int_equal(channel_find("webhook")->make(&t, &a, false, NOW, &r, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "'morse' is none of"));
	standard[0].value = S("bearer");
	t.secret = S("tok");
	must_make("webhook", &t, &a, false, &r);
	has(&r.headers, "Authorization: Bearer tok\n");
	request_free(&r);
}

static void test_standard_vector(void **state)
{
	CLEANUP(buf_free) struct buf key = { 0 }, sign = { 0 };
	unsigned char mac[SHA256_SIZE];

	(void)state;
	assert_true(base64_read(S("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), &key));
	hmac_sha256(buf_view(&key), S("msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}"), mac);
	base64_add(&sign, (struct span){ (const char *)mac, sizeof(mac) });
	assert_string_equal(buf_str(&sign), "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

/* ---- payloads ---- */

static struct option templates[] = { { "template_title", S("{{project}}: {{cause}}") }, { "template_body", S("{{message}} at {{place}}") } };

static const struct {
	const char *type;
	bool degraded;
	struct mention *people;
	size_t n_people;
	const char *want;
} golden[] = {
	{ "dingtalk", false, NULL, 0,
	  "{\"msgUuid\":\"01J0000000000000000000ABCD\",\"msgtype\":\"actionCard\",\"actionCard\":{\"title\":\"example.com/shop: test.fail\",\"text\":\"### example.com/shop: test.fail\\n\\n"
	  "got 3, want 4 at PLACE\",\"singleTitle\":\"Open the run\",\"singleURL\":\"https://ci.example.com/runs/7\"},\"at\":{\"atMobiles\":[],\"atUserIds\":[],\"isAtAll\":false}}" },
	{ "dingtalk", false, mentions, 2,
	  "{\"msgUuid\":\"01J0000000000000000000ABCD\",\"msgtype\":\"markdown\",\"markdown\":{\"title\":\"example.com/shop: test.fail\",\"text\":\"### example.com/shop: test.fail\\n\\n"
	  "got 3, want 4 at PLACE\\n\\n@13800000000 @user7\"},\"at\":{\"atMobiles\":[\"13800000000\"],\"atUserIds\":[\"user7\"],\"isAtAll\":false}}" },
	{ "dingtalk", true, mentions, 1,
	  "{\"msgUuid\":\"01J0000000000000000000ABCD\",\"msgtype\":\"text\",\"text\":{\"content\":\"example.com/shop: test.fail\\n\\ngot 3, want 4 at PLACE\\n\\n@13800000000\"},"
	  "\"at\":{\"atMobiles\":[\"13800000000\"],\"atUserIds\":[],\"isAtAll\":false}}" },
	{ "wecom", false, userids, 2,
	  "{\"msgtype\":\"markdown\",\"markdown\":{\"content\":\"**<font color=\\\"warning\\\">example.com/shop: test.fail</font>**\\ngot 3, want 4 at PLACE\\n<@U0AA> <@user7>\"}}" },
	{ "wecom", false, mentions, 2,
	  "{\"msgtype\":\"text\",\"text\":{\"content\":\"example.com/shop: test.fail\\n\\ngot 3, want 4 at PLACE\",\"mentioned_list\":[\"user7\"],\"mentioned_mobile_list\":[\"13800000000\"]}}" },
	{ "wecom", true, userids, 1,
	  "{\"msgtype\":\"text\",\"text\":{\"content\":\"example.com/shop: test.fail\\n\\ngot 3, want 4 at PLACE\",\"mentioned_list\":[\"U0AA\"],\"mentioned_mobile_list\":[]}}" },
	{ "feishu", false, userids, 1,
	  "{\"msg_type\":\"interactive\",\"card\":{\"config\":{\"wide_screen_mode\":true},\"header\":{\"title\":{\"tag\":\"plain_text\",\"content\":\"example.com/shop: test.fail\"},\"template\":\"red\"},"
	  "\"elements\":[{\"tag\":\"markdown\",\"content\":\"got 3, want 4 at PLACE\\n<at id=U0AA></at>\"},{\"tag\":\"action\",\"actions\":[{\"tag\":\"button\",\"text\":{\"tag\":\"plain_text\","
	  "\"content\":\"Open the run\"},\"type\":\"primary\",\"url\":\"https://ci.example.com/runs/7\"}]}]}}" },
	{ "feishu", true, userids, 1,
	  "{\"msg_type\":\"text\",\"content\":{\"text\":\"example.com/shop: test.fail\\ngot 3, want 4 at PLACE\\n<at user_id=\\\"U0AA\\\"></at>\"}}" },
	{ "slack", false, userids, 1,
	  "{\"text\":\"example.com/shop: test.fail\",\"blocks\":[{\"type\":\"header\",\"text\":{\"type\":\"plain_text\",\"emoji\":false,\"text\":\"example.com/shop: test.fail\"}},"
	  "{\"type\":\"rich_text\",\"elements\":[{\"type\":\"rich_text_section\",\"elements\":[{\"type\":\"text\",\"text\":\"got 3, want 4 at PLACE\"}]},"
	  "{\"type\":\"rich_text_section\",\"elements\":[{\"type\":\"user\",\"user_id\":\"U0AA\"},{\"type\":\"text\",\"text\":\" \"},{\"type\":\"text\",\"text\":\"\\n\"},"
	  "{\"type\":\"text\",\"text\":\"Owner ＠team, ＠other\\n\"},"
	  "{\"type\":\"text\",\"text\":\"Branch main · Commit 0123456789ab · Job unit · By ann · Host builder · Command go test ./...\\n\"},"
	  "{\"type\":\"link\",\"url\":\"https://ci.example.com/runs/7\",\"text\":\"Open the run\"}]}]}]}" },
	{ "slack", true, NULL, 0, "{\"text\":\"example.com/shop: test.fail\\ngot 3, want 4 at PLACE\",\"mrkdwn\":false}" },
};

/* PLACE in the table is how alert_place says it. */
static void with_place(const char *text, const struct alert *a, struct buf *ret)
{
	const char *at = strstr(text, "PLACE");

	buf_add(ret, text, (size_t)(at - text));
	alert_place(&a->items[0], ret);
	buf_adds(ret, at + 5);
}

static void test_golden(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(golden); i++) {
		CLEANUP(buf_free) struct buf want = { 0 };
		struct channel_target t = target(url_of(golden[i].type), NULL);
		struct alert a = sample();
		struct request r;
		t.options = templates;
		t.n_options = 2;
		t.mentions = golden[i].people;
		t.n_mentions = golden[i].n_people;
		with_place(golden[i].want, &a, &want);
		must_make(golden[i].type, &t, &a, golden[i].degraded, &r);
		assert_string_equal(buf_str(&r.body), buf_str(&want));
		assert_true(well_formed(buf_view(&r.body)));
		assert_string_equal(buf_str(&r.url), url_of(golden[i].type));
		assert_string_equal(buf_str(&r.headers), "Content-Type: application/json; charset=utf-8\n");
		assert_int_equal(r.degraded, golden[i].degraded);
		request_free(&r);
	}
}

/* With the built-in words: title, place and what was said are there, in both languages, in every form. */
static void test_builtin(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		for (int n = 0; n < 4; n++) {
			struct channel_target t = target_for(types[i]);
			struct alert a = sample();
			struct request r;
			t.lang = n & 1 ? LANG_ZH : LANG_EN;
			must_make(types[i], &t, &a, n & 2, &r);
			if (r.kind == REQUEST_HTTP)
				assert_true(well_formed(buf_view(&r.body)));
			has(&r.body, "cart_test.go:12");
			has(&r.body, "got 3, want 4");
			assert_true(r.body.len <= channel_find(types[i])->max_bytes);
			request_free(&r);
		}
	}
}

static void test_kinds(void **state)
{
	(void)state;
	for (int kind = 0; kind < ALERT_KINDS; kind++) {
		for (size_t i = 0; i < ARRAY_LEN(types); i++) {
			struct channel_target t = target_for(types[i]);
			struct alert a = sample();
			struct request r;
			a.kind = (enum alert_kind)kind;
			if (kind == ALERT_RECOVERED || kind == ALERT_PROBE)
				a.n_items = 0;
			must_make(types[i], &t, &a, false, &r);
			assert_true(r.body.len > 0 && (r.kind == REQUEST_SMTP || well_formed(buf_view(&r.body))));
			request_free(&r);
		}
	}
}

static void test_early(void **state)
{
	struct channel_target t = target_for("slack");
	struct alert a = sample();
	struct request r;

	(void)state;
	a.early = true;
	must_make("slack", &t, &a, false, &r);
	has(&r.body, "The run goes on");
	has(&r.body, a.summary);
	request_free(&r);
	a.early = false;
	a.kind = ALERT_FOLLOWUP;
	t.lang = LANG_ZH; /* the summary is not */
	must_make("slack", &t, &a, false, &r);
	has(&r.body, "已结束");
	has_not(&r.body, a.summary);
	request_free(&r);
}

static void test_keyword(void **state)
{
	static const struct { const char *word; bool added; } rows[] = { { "运维告警", true }, { "cart_test.go", false } };
	CLEANUP(buf_free) struct buf room = { 0 };

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
		bool dingtalk = i % 2;
		struct option o = { "keyword", span_of(rows[i / 2].word) };
		struct channel_target t = target_for(dingtalk ? "dingtalk" : "feishu");
		struct alert a = sample();
		struct request r;
		t.options = &o;
		t.n_options = 1;
		must_make(dingtalk ? "dingtalk" : "feishu", &t, &a, false, &r);
		has(&r.body, rows[i / 2].word);
		if (dingtalk) {
			text_at(&r, "actionCard.text", &room);
			assert_int_equal(span_ends(buf_view(&room), o.value), rows[i / 2].added);
		}
		request_free(&r);
	}
}

static void test_mention_everybody(void **state)
{
	static struct mention all[] = { { "*", "all" }, { "*", "13800000000" } };
	struct alert a = sample();
	struct channel_target t = target_for("dingtalk");
	struct request r;

	(void)state;
	t.mentions = all;
	t.n_mentions = 2;
	must_make("dingtalk", &t, &a, false, &r);
	has(&r.body, "\"at\":{\"atMobiles\":[\"13800000000\"],\"atUserIds\":[],\"isAtAll\":true}");
	request_free(&r);
	t.url = span_of(url_of("wecom"));
	must_make("wecom", &t, &a, false, &r);
	has(&r.body, "\"mentioned_list\":[\"@all\"],\"mentioned_mobile_list\":[\"13800000000\"]");
	request_free(&r);
	must_make("feishu", &t, &a, false, &r);
	has(&r.body, "<at id=all></at>");
	request_free(&r);
	t.n_mentions = 1;
	must_make("slack", &t, &a, false, &r);
	has(&r.body, "{\"type\":\"broadcast\",\"range\":\"channel\"}");
	request_free(&r);
}

static void test_slack_workflow(void **state)
{
	struct channel_target t = target("https://hooks.slack.com/triggers/T/1/abc", NULL);
	struct alert a = sample();
	struct request r;

	(void)state;
	must_make("slack", &t, &a, false, &r);
	assert_true(span_starts(buf_view(&r.body), S("{\"text\":\"")) && span_ends(buf_view(&r.body), S("\"}")));
	has_not(&r.body, "blocks");
	request_free(&r);
}

/* ---- templates of the webhook ---- */

static const struct {
	const char *text, *body, *why; /* body: NULL: the built-in one with this reason */
} bodies[] = {
	{ "{\"t\":\"{{ cause }}\",\"n\":{{failed}},\"x\":{{packages}}}", "{\"t\":\"test.fail\",\"n\":2,\"x\":4}", NULL },
	{ "[\"{{branch}}\", \"{{pr}}\", \"{{owners}}\"]", "[\"main\", \"\", \"＠team ＠other\"]", NULL },
	{ "{\"e\":\"{{excerpt}}\"}", "{\"e\":\"--- FAIL: TestTotal/sub\\n    cart_test.go:12: got 3, want 4\"}", NULL },
	{ "plain {{outcome}}, {{duration}}, {{at}}, {{id}}, {{kind}}", "plain failed, 1.23s, 2023-11-14T22:13:20Z, 01J0000000000000000000ABCD, failed", NULL },
	{ "{\"t\":\"{{nothing}}\"}", NULL, "there is no field \\\"nothing\\\"" },
	{ "{\"t\":\"{{cause\"}", NULL, "a \\\"{{\\\" has no \\\"}}\\\"" },
	{ "{\"t\":{{cause}}}", NULL, "what it makes is not JSON" },
};

static void test_templates(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct option o = { "template_body", span_of(bodies[i].text) };
		struct channel_target t = target(url_of("webhook"), NULL);
		struct alert a = sample();
		struct request r;
		t.options = &o;
		t.n_options = 1;
		must_make("webhook", &t, &a, false, &r);
		if (bodies[i].body) {
			assert_string_equal(buf_str(&r.body), bodies[i].body);
		} else {
			CLEANUP(buf_free) struct buf why = { 0 };
			buf_addf(&why, ",\"template_error\":\"%s\"}", bodies[i].why);
			assert_true(span_ends(buf_view(&r.body), buf_view(&why)));
			assert_true(well_formed(buf_view(&r.body)));
			has(&r.body, "tocsin.alert/1");
		}
		request_free(&r);
	}
}

static void test_template_of_chat(void **state)
{
	struct option o[] = { { "template_title", S("{{nope}}") } };
	struct channel_target t = target_for("slack");
	struct alert a = sample();
	struct request r;

	(void)state;
	t.options = o;
	t.n_options = 1;
	must_make("slack", &t, &a, false, &r);
	has(&r.body, "template_title: there is no field \\\"nope\\\"; the built-in words are used");
	has(&r.body, "cart_test.go:12");
	request_free(&r);
}

/* ---- bounds, hostile alerts ---- */

static const struct {
	const char *type, *path, *plain_path;
	size_t max, plain_max;
} limits[] = {
	{ "dingtalk", "markdown.text", "text.content", 4999, 2000 },
	{ "wecom", "markdown.content", "text.content", 4096, 2048 },
	{ "feishu", NULL, "content.text", 20000, 2000 },
	{ "slack", NULL, "text", 13000, 4000 },
};

static void test_limits(void **state)
{
	struct evil x;

	(void)state;
	evil_make(&x, 200 << 10);
	for (size_t i = 0; i < 2 * ARRAY_LEN(limits); i++) {
		CLEANUP(buf_free) struct buf room = { 0 };
		const char *type = limits[i / 2].type, *path = i % 2 ? limits[i / 2].plain_path : limits[i / 2].path;
		struct channel_target t = target_for(type);
		struct request r;
		size_t max = i % 2 ? limits[i / 2].plain_max : limits[i / 2].max;
		t.lang = LANG_ZH;
		must_make(type, &t, &x.a, i % 2, &r);
		assert_true(well_formed(buf_view(&r.body)));
		assert_true(r.body.len <= channel_find(type)->max_bytes);
		if (path && strcmp(type, "dingtalk") != 0)
			text_at(&r, path, &room);
		else if (path)
			text_at(&r, i % 2 ? path : "actionCard.text", &room);
		else
			buf_span(&room, buf_view(&r.body));
		if (room.len > max)
			fail_msg("%s: %zu bytes, at most %zu", type, room.len, max);
		struct span rest = buf_view(&room);
		while (rest.n) { /* no code point was cut in two */
			uint32_t cp;
			rest = span_from(rest, utf8_decode(rest, &cp));
			assert_true(cp != UTF8_BAD);
		}
		request_free(&r);
	}
	mem_free(x.big);
}

static void test_hostile(void **state)
{
	static const char *const never[] = { "<@all>", "<@U123>", "<!channel>", "<at id=all>", "<at user_id=\"all", "\x1b", "\xe2\x80\xae", "](http://evil" };
	struct evil x;

	(void)state;
	evil_make(&x, 2000);
	for (size_t i = 0; i < 2 * ARRAY_LEN(types); i++) {
		const char *type = types[i / 2];
		CLEANUP(buf_free) struct buf all = { 0 };
		struct channel_target t = target_for(type);
		struct request r;
		t.mentions = !strcmp(type, "smtp") ? mails : userids;
		t.n_mentions = 1;
		must_make(type, &t, &x.a, i % 2, &r);
		if (r.kind == REQUEST_HTTP && strcmp(type, "webhook") != 0) { /* that one gets the alert as it is, as data */
			assert_true(well_formed(buf_view(&r.body)));
			json_unescape(buf_view(&r.body), &all);
			for (size_t k = 0; k < ARRAY_LEN(never); k++)
				has_not(&all, never[k]);
		}
		if (r.kind == REQUEST_SMTP) {
			struct span head = span_head(buf_view(&r.body), span_find(buf_view(&r.body), S("\r\n\r\n")));
			assert_int_equal(span_find(head, S("Bcc")), SPAN_NONE);
			assert_int_equal(span_find(head, S("MAIL FROM")), SPAN_NONE);
			has_not(&r.body, "\n.");
			assert_string_equal(buf_str(&r.to), "ops@example.com\nteam@example.com\n");
		}
		has_not(&r.headers, "evil");
		request_free(&r);
	}
	mem_free(x.big);
}

static void test_webhook_size(void **state)
{
	struct option o = { "format", S("standard") };
	struct channel_target t = target(url_of("webhook"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
	struct evil x;
	struct request r;

	(void)state;
	evil_make(&x, 200 << 10);
	t.options = &o;
	t.n_options = 1;
	must_make("webhook", &t, &x.a, false, &r);
	assert_true(well_formed(buf_view(&r.body)) && r.body.len < 20000);
	assert_true(span_starts(buf_view(&r.body), S("{\"type\":\"alert.failed\",\"timestamp\":\"2023-11-14T22:13:20Z\",\"data\":{\"schema\":\"tocsin.alert/1\"")));
	request_free(&r);
	t.n_options = 0;
	must_make("webhook", &t, &x.a, false, &r);
	assert_true(well_formed(buf_view(&r.body)) && r.body.len <= 60000);
	request_free(&r);
	mem_free(x.big);
}

/* ---- mail ---- */

static void test_mail(void **state)
{
	struct option o[] = { { "from", S("Tocsin \xe5\x91\x8a\xe8\xad\xa6 <tocsin@example.com>") }, { "to", S("ops@example.com, \"On Call\" <call@example.org>;ops@example.com") } };
	struct channel_target t = target("smtp://mail.example.com:587", "user:pass:word");
	struct alert a = sample();
	struct request r;

	(void)state;
	t.options = o;
	t.n_options = 2;
	t.mentions = mails;
	t.n_mentions = 1;
	must_make("smtp", &t, &a, false, &r);
	assert_int_equal(r.kind, REQUEST_SMTP);
	assert_string_equal(buf_str(&r.from), "tocsin@example.com");
	assert_string_equal(buf_str(&r.to), "ops@example.com\ncall@example.org\nteam@example.com\n");
	assert_string_equal(buf_str(&r.user), "user");
	assert_string_equal(buf_str(&r.password), "pass:word");
	has(&r.body, "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nFrom: =?UTF-8?B?VG9jc2luIOWRiuitpg==?= <tocsin@example.com>\r\n"
		     "To: <ops@example.com>,\r\n <call@example.org>,\r\n <team@example.com>\r\nSubject: ");
	has(&r.body, "Message-ID: <01J0000000000000000000ABCD@example.com>\r\nReferences: <thread.");
	has(&r.body, "Content-Type: multipart/alternative; boundary=\"=_01J0000000000000000000ABCD\"\r\n\r\n--=_01J0000000000000000000ABCD\r\nContent-Type: text/plain");
	has(&r.body, "\r\n--=_01J0000000000000000000ABCD--\r\n");
	has_not(&r.body, "In-Reply-To");
	struct span rest = buf_view(&r.body);
	while (rest.n) { /* RFC 5322: CRLF, no line longer than 78 */
		struct span line = span_cut(&rest, '\n');
		assert_true(line.n <= 79 && line.n && line.p[line.n - 1] == '\r');
		for (size_t i = 0; i + 1 < line.n; i++)
			assert_true(line.p[i] >= ' ' && line.p[i] < 0x7f);
	}
	request_free(&r);
	a.kind = ALERT_RECOVERED;
	must_make("smtp", &t, &a, true, &r);
	has(&r.body, "In-Reply-To: <thread.");
	has_not(&r.body, "multipart");
	request_free(&r);
}

static const struct {
	const char *url, *secret, *from, *to, *says;
} bad_mail[] = {
	{ "https://mail.example.com", NULL, "a@b.c", "a@b.c", "url must be smtps://" },
	{ "smtp://user:secret@mail.example.com", NULL, "a@b.c", "a@b.c", "no user and password" },
	{ "smtps://mail.example.com", "password", "a@b.c", "a@b.c", "user:password" },
	{ "smtps://mail.example.com", NULL, NULL, "a@b.c", "from: ''" },
	{ "smtps://mail.example.com", NULL, "a@b.c", NULL, "it needs `to`" },
	{ "smtps://mail.example.com", NULL, "a@b.c", "a@b.c\r\nBcc: x@y.z", "Bcc: x@y.z' is no mail address" },
	{ "smtps://mail.example.com", NULL, "a@b.c", "@b.c", "'@b.c' is no mail address" },
	{ "smtps://mail.example.com", NULL, "a <a@b.c", "a@b.c", "is no mail address" },
	{ "smtps://mail.example.com", NULL, "a@b.c", "<a@b.c> x", "is no mail address" },
	{ "smtps://mail.example.com", NULL, "a@b.c", "<", "is no mail address" },
};

static void test_bad_mail(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_mail); i++) {
		struct option o[] = { { "from", span_of(bad_mail[i].from) }, { "to", span_of(bad_mail[i].to) } };
		struct channel_target t = target(bad_mail[i].url, bad_mail[i].secret);
		struct alert a = sample();
		struct request r;
		struct err e = { 0 };
		t.options = o;
		t.n_options = 2;
		assert_int_equal(channel_find("smtp")->make(&t, &a, false, NOW, &r, &e), -EINVAL);
		if (!strstr(e.msg, bad_mail[i].says) || strstr(e.msg, "secret@"))
			fail_msg("%zu: %s", i, e.msg);
		assert_null(r.body.p);
	}
}

/* ---- answers ---- */

#define JSON(code, msg) "{\"errcode\":" #code ",\"errmsg\":\"" msg "\"}"
#define FS(code, msg) "{\"code\":" #code ",\"msg\":\"" msg "\",\"data\":{}}"
#define SEC(n) ((n) * NSEC_PER_SEC)

static const struct {
	const char *type;
	int status;
	const char *body;
	enum answer_class class;
	int64_t wait_ns;
	const char *says;
} answers[] = {
	{ "dingtalk", 200, JSON(0, "ok"), ANSWER_DELIVERED, 0, "delivered" },
	{ "dingtalk", 200, "", ANSWER_AMBIGUOUS, 0, "without any content" },
	{ "dingtalk", 200, "<html><body>login</body></html>", ANSWER_AMBIGUOUS, 0, "with a web page" },
	{ "dingtalk", 200, "ok", ANSWER_AMBIGUOUS, 0, "not its answer" },
	{ "dingtalk", 200, "{\"errcode\":0", ANSWER_AMBIGUOUS, 0, "not its answer" },
	{ "dingtalk", 200, "{\"errcode\":\"0\"}", ANSWER_AMBIGUOUS, 0, "not its answer" },
	{ "dingtalk", 200, "{\"errcode\":0,\"errcode\":310000}", ANSWER_AMBIGUOUS, 0, "not its answer" },
	{ "dingtalk", 200, "{\"code\":0}", ANSWER_AMBIGUOUS, 0, "not its answer" },
	{ "dingtalk", 200, "[{\"errcode\":0}]", ANSWER_AMBIGUOUS, 0, "not its answer" },
	{ "dingtalk", 202, JSON(0, "ok"), ANSWER_AMBIGUOUS, 0, "HTTP 202" },
	{ "dingtalk", 502, JSON(0, "ok"), ANSWER_LIMITED, SEC(7), "HTTP 502" },
	{ "dingtalk", 200, JSON(-1, "system busy"), ANSWER_RETRY, 0, "busy" },
	{ "dingtalk", 200, JSON(130101, "send too fast, exceed 20 times per minute"), ANSWER_LIMITED, SEC(600), "10 minutes" },
	{ "dingtalk", 200, JSON(410100, "x"), ANSWER_LIMITED, SEC(600), "10 minutes" },
	{ "dingtalk", 200, JSON(130102, "send too fast"), ANSWER_LIMITED, SEC(600), "10 minutes" },
	{ "dingtalk", 200, JSON(400101, "限流"), ANSWER_LIMITED, SEC(600), "10 minutes" },
	{ "dingtalk", 200, JSON(999, "over the limit"), ANSWER_LIMITED, SEC(600), "10 minutes" },
	{ "dingtalk", 200, JSON(310000, "keywords not in content, more: [https://x.example]"), ANSWER_CONFIG, 0, "keyword" },
	{ "dingtalk", 200, JSON(310000, "description:关键词不匹配"), ANSWER_CONFIG, 0, "keyword" },
	{ "dingtalk", 200, JSON(310000, "sign not match, more: [x]"), ANSWER_CONFIG, 0, "secret" },
	{ "dingtalk", 200, JSON(310000, "invalid timestamp"), ANSWER_CONFIG, 0, "clock" },
	{ "dingtalk", 200, JSON(310000, "ip 203.0.113.9 not in whitelist"), ANSWER_CONFIG, 0, "public IP" },
	{ "dingtalk", 200, JSON(310000, "other"), ANSWER_CONFIG, 0, "security settings" },
	{ "dingtalk", 200, JSON(300001, "token is not exist"), ANSWER_CONFIG, 0, "access_token" },
	{ "dingtalk", 200, JSON(300005, "token is not exist"), ANSWER_CONFIG, 0, "access_token" },
	{ "dingtalk", 200, JSON(400101, "access_token not found"), ANSWER_CONFIG, 0, "access_token" },
	{ "dingtalk", 200, JSON(400102, "stopped"), ANSWER_CONFIG, 0, "stopped" },
	{ "dingtalk", 200, JSON(400106, "robot not exist"), ANSWER_CONFIG, 0, "removed" },
	{ "dingtalk", 200, JSON(400013, "dissolved"), ANSWER_CONFIG, 0, "dissolved" },
	{ "dingtalk", 200, JSON(88, "auth"), ANSWER_CONFIG, 0, "token" },
	{ "dingtalk", 200, JSON(40035, "missing parameter json"), ANSWER_PAYLOAD, 0, "understand" },
	{ "dingtalk", 200, JSON(43004, "content type"), ANSWER_PAYLOAD, 0, "content" },
	{ "dingtalk", 200, JSON(400105, "unsupported msgtype"), ANSWER_PAYLOAD, 0, "kind of message" },
	{ "dingtalk", 200, JSON(430101, "unsafe link"), ANSWER_PAYLOAD, 0, "link" },
	{ "dingtalk", 200, JSON(430102, "x"), ANSWER_PAYLOAD, 0, "text" },
	{ "dingtalk", 200, JSON(430103, "x"), ANSWER_PAYLOAD, 0, "picture" },
	{ "dingtalk", 200, JSON(430104, "x"), ANSWER_PAYLOAD, 0, "content" },
	{ "dingtalk", 200, JSON(460101, "message too long, limit 20000"), ANSWER_PAYLOAD, 0, "too long" },
	{ "dingtalk", 200, JSON(777, "seen from 203.0.113.9 key 0123456789abcdef0123456789abcdef"), ANSWER_RETRY, 0, "code 777: \"seen from … key …\"" },
	{ "dingtalk", 302, "", ANSWER_CONFIG, 0, "redirects are not followed" },
	{ "dingtalk", 403, "no", ANSWER_CONFIG, 0, "HTTP 403" },
	{ "wecom", 200, JSON(0, "ok"), ANSWER_DELIVERED, 0, "delivered" },
	{ "wecom", 200, JSON(45009, "api freq out of limit, hint: [1], from ip: 203.0.113.9"), ANSWER_LIMITED, SEC(60), "20 messages" },
	{ "wecom", 200, JSON(-1, "system busy"), ANSWER_RETRY, 0, "busy" },
	{ "wecom", 200, JSON(93000, "invalid webhook url, hint: [17], from ip: 203.0.113.9, more info at https://open.work.weixin.qq.com/devtool/query?e=93000"), ANSWER_CONFIG, 0, "key" },
	{ "wecom", 200, JSON(40058, "markdown.content exceed max length 4096. invalid Request Parameter, from ip: 203.0.113.9"), ANSWER_PAYLOAD, 0, "too long" },
	{ "wecom", 200, JSON(40058, "invalid Request Parameter"), ANSWER_PAYLOAD, 0, "part of the message" },
	{ "wecom", 200, JSON(12345, "odd, from ip: 203.0.113.9, and 2001:db8::17"), ANSWER_RETRY, 0, "odd, from ip: …, and …" },
	{ "wecom", 200, "", ANSWER_AMBIGUOUS, 0, "without any content" },
	{ "wecom", 200, "<html>", ANSWER_AMBIGUOUS, 0, "web page" },
	{ "feishu", 200, FS(0, "success"), ANSWER_DELIVERED, 0, "delivered" },
	{ "feishu", 200, "{\"StatusCode\":0,\"StatusMessage\":\"success\"}", ANSWER_DELIVERED, 0, "delivered" },
	{ "feishu", 200, "{\"StatusCode\":0,\"code\":19001,\"msg\":\"x\"}", ANSWER_CONFIG, 0, "token" },
	{ "feishu", 200, "{\"StatusCode\":0,\"code\":\"19001\"}", ANSWER_AMBIGUOUS, 0, "not its answer" },
	{ "feishu", 200, FS(11232, "frequency limited"), ANSWER_LIMITED, SEC(30), "100 a minute" },
	{ "feishu", 200, FS(9499, "too many request, frequency limit"), ANSWER_LIMITED, SEC(30), "too many" },
	{ "feishu", 400, FS(9499, "Bad Request"), ANSWER_PAYLOAD, 0, "20 KB" },
	{ "feishu", 200, FS(19001, "param invalid: incoming webhook access token invalid"), ANSWER_CONFIG, 0, "token" },
	{ "feishu", 200, FS(19021, "sign match fail or timestamp is not within one hour from current time"), ANSWER_CONFIG, 0, "clock" },
	{ "feishu", 200, FS(19022, "Ip Not Allowed"), ANSWER_CONFIG, 0, "public IP" },
	{ "feishu", 200, FS(19024, "Key Words Not Found"), ANSWER_CONFIG, 0, "keyword" },
	{ "feishu", 200, FS(19002, "params error, msg_type need"), ANSWER_PAYLOAD, 0, "part of the message" },
	{ "feishu", 200, "", ANSWER_AMBIGUOUS, 0, "without any content" },
	{ "slack", 200, "ok", ANSWER_DELIVERED, 0, "delivered" },
	{ "slack", 200, "{\"ok\":true}", ANSWER_DELIVERED, 0, "delivered" },
	{ "slack", 200, "{\"ok\":false}", ANSWER_AMBIGUOUS, 0, NULL },
	{ "slack", 200, "", ANSWER_AMBIGUOUS, 0, NULL },
	{ "slack", 200, "<html>ok", ANSWER_AMBIGUOUS, 0, NULL },
	{ "slack", 429, "rate_limited", ANSWER_LIMITED, SEC(7), "HTTP 429" },
	{ "slack", 500, "rollup_error", ANSWER_RETRY, 0, "just now" },
	{ "slack", 403, "action_prohibited", ANSWER_CONFIG, 0, "administrator" },
	{ "slack", 403, "invalid_token", ANSWER_CONFIG, 0, "new one" },
	{ "slack", 404, "channel_not_found", ANSWER_CONFIG, 0, "gone" },
	{ "slack", 410, "channel_is_archived", ANSWER_CONFIG, 0, "archived" },
	{ "slack", 404, "no_service", ANSWER_CONFIG, 0, "new one" },
	{ "slack", 400, "invalid_payload", ANSWER_PAYLOAD, 0, "form" },
	{ "slack", 503, "", ANSWER_LIMITED, SEC(7), "HTTP 503" },
	{ "webhook", 200, "", ANSWER_DELIVERED, 0, "HTTP 200" },
	{ "webhook", 204, "", ANSWER_DELIVERED, 0, "HTTP 204" },
	{ "webhook", 301, "", ANSWER_CONFIG, 0, "redirects" },
	{ "webhook", 400, "{\"error\":\"bad field\"}", ANSWER_PAYLOAD, 0, "bad field" },
	{ "webhook", 401, "", ANSWER_CONFIG, 0, "token" },
	{ "webhook", 404, "", ANSWER_CONFIG, 0, "url" },
	{ "webhook", 408, "", ANSWER_RETRY, 0, "HTTP 408" },
	{ "webhook", 410, "", ANSWER_CONFIG, 0, "removed" },
	{ "webhook", 413, "", ANSWER_PAYLOAD, 0, "too large" },
	{ "webhook", 415, "", ANSWER_PAYLOAD, 0, "kind of content" },
	{ "webhook", 418, "", ANSWER_RETRY, 0, "unknown" },
	{ "webhook", 422, "", ANSWER_PAYLOAD, 0, "content" },
	{ "webhook", 429, "", ANSWER_LIMITED, SEC(7), "wait" },
	{ "webhook", 0, "", ANSWER_RETRY, 0, "unknown" },
	{ "smtp", 250, "2.0.0 Ok: queued as 1234", ANSWER_DELIVERED, 0, "took it" },
	{ "smtp", 354, "go on", ANSWER_AMBIGUOUS, 0, "did not say" },
	{ "smtp", 421, "try later", ANSWER_RETRY, SEC(1800), "half an hour" },
	{ "smtp", 451, "4.7.1 greylisted", ANSWER_RETRY, SEC(1800), "greylisted" },
	{ "smtp", 452, "full", ANSWER_RETRY, SEC(1800), "room" },
	{ "smtp", 530, "5.7.0 Must issue a STARTTLS command first", ANSWER_CONFIG, 0, "TLS" },
	{ "smtp", 535, "5.7.8 bad", ANSWER_CONFIG, 0, "password" },
	{ "smtp", 550, "no such user here", ANSWER_CONFIG, 0, "recipient" },
	{ "smtp", 551, "not local", ANSWER_CONFIG, 0, "recipient" },
	{ "smtp", 553, "bad mailbox", ANSWER_CONFIG, 0, "address" },
	{ "smtp", 552, "too large", ANSWER_PAYLOAD, 0, "too large" },
	{ "smtp", 554, "spam", ANSWER_PAYLOAD, 0, "content" },
	{ "smtp", 599, "odd", ANSWER_RETRY, SEC(1800), "unknown" },
};

static void test_answers(void **state)
{
	static const char *const never[] = { "203.0.113", "2001:db8", "0123456789abcdef", "https://" };

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(answers); i++) {
		const char *body = answers[i / 2].body, *says = answers[i / 2].says;
		struct response r = { .status = answers[i / 2].status, .sent = true, .body = span_of(body), .headers = S("HTTP/1.1 200 OK\r\nContent-Type: x\r\nretry-after: 7 \r\n") };
		struct answer a;
		memset(&a, 0x5a, sizeof(a));
		lang_now = i % 2 ? LANG_ZH : LANG_EN;
		channel_find(answers[i / 2].type)->judge(&r, NOW, &a);
		lang_now = LANG_EN;
		if (a.class != answers[i / 2].class || a.wait_ns != answers[i / 2].wait_ns || !a.text[0] || (says && !(i % 2) && !strstr(a.text, says)))
			fail_msg("%s %d %s: class %d, wait %lld, '%s'", answers[i / 2].type, r.status, body, a.class, (long long)a.wait_ns, a.text);
		for (size_t k = 0; k < ARRAY_LEN(never); k++)
			assert_null(strstr(a.text, never[k]));
	}
}

static void test_clock(void **state)
{
	struct response r = { .status = 200, .body = S(JSON(310000, "invalid timestamp")), .headers = S("Date: Tue, 14 Nov 2023 20:13:20 GMT\r\n") };
	struct answer a;

	(void)state;
	channel_find("dingtalk")->judge(&r, NOW, &a);
	assert_non_null(strstr(a.text, "this machine's clock is 7200 s ahead"));
	r.headers = S("Date: Tue, 14 Nov 2023 22:15:20 GMT\r\n");
	channel_find("dingtalk")->judge(&r, NOW, &a);
	assert_non_null(strstr(a.text, "clock is 120 s behind"));
	r.headers = S("Date: Tue, 14 Nov 2023 22:13:21 GMT\r\n");
	channel_find("dingtalk")->judge(&r, NOW, &a);
	assert_null(strstr(a.text, "clock is"));
}

/* Delivered, but not to everybody: that is kept. */
static void test_partly(void **state)
{
	struct response r = { .status = 250, .sent = true, .body = S("2.0.0 Ok"), .why = "1 of 3 recipients were refused (550)" };
	struct answer a;

	(void)state;
	channel_find("smtp")->judge(&r, NOW, &a);
	assert_true(a.class == ANSWER_DELIVERED && a.partly && strstr(a.text, "1 of 3 recipients were refused (550)"));
	r.why = NULL;
	channel_find("smtp")->judge(&r, NOW, &a);
	assert_true(a.class == ANSWER_DELIVERED && !a.partly);
	r.status = 450;
	r.why = "x";
	channel_find("smtp")->judge(&r, NOW, &a);
	assert_true(a.class == ANSWER_RETRY && !a.partly);
}

static void test_transport(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		for (int t = TRANSPORT_DNS; t <= TRANSPORT_OTHER + 1; t++) {
			for (int sent = 0; sent < 2; sent++) {
				struct response r = { .transport = t, .sent = sent, .why = sent ? "it broke" : NULL };
				struct answer a;
				channel_find(types[i])->judge(&r, NOW, &a);
				assert_int_equal(a.class, sent || t == TRANSPORT_TOO_BIG ? ANSWER_AMBIGUOUS : ANSWER_RETRY);
				assert_true(a.text[0] != 0);
				if (sent)
					assert_non_null(strstr(a.text, "it broke"));
			}
		}
	}
}

static void test_answer_cut(void **state)
{
	struct answer a;

	(void)state;
	for (int n = 230; n < 245; n++) { /* cut on a code point */
		answer_set(&a, ANSWER_RETRY, "%.*s%s", n - 200, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
			   "钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉");
		struct span rest = span_of(a.text);
		assert_true(rest.n >= sizeof(a.text) - 4);
		while (rest.n) {
			uint32_t cp;
			rest = span_from(rest, utf8_decode(rest, &cp));
			assert_true(cp != UTF8_BAD);
		}
	}
}

/* ---- what they share ---- */

static const struct {
	const char *value;
	int64_t want;
} waits[] = {
	{ "7", SEC(7) }, { " 7 ", SEC(7) }, { "0", SEC(1) }, { "0.2", SEC(1) }, { "1.5", SEC(2) }, { "3600", SEC(3600) }, { "3601", SEC(3600) },
	{ "99999999999999999999", SEC(3600) }, { "-5", 0 }, { "soon", 0 }, { "", 0 }, { "7s", 0 }, { ".", 0 },
	{ "Tue, 14 Nov 2023 22:13:50 GMT", SEC(30) }, { "Tuesday, 14-Nov-23 22:13:50 GMT", SEC(30) }, { "Tue Nov 14 22:13:50 2023", SEC(30) },
	{ "Sun, 06 Nov 1994 08:49:37 GMT", SEC(1) }, { "Fri, 31 Dec 2199 23:59:59 GMT", SEC(3600) }, { "Tue, 14 Nov 2023 22:13:50 CET", 0 },
	{ "Tue, 31 Feb 2023 22:13:50 GMT", 0 }, { "Tue, 14 Nov 2023 22:13:50 GMT x", 0 }, { "Tue, 14 Nov 2023 99:13:50 GMT", 0 },
};

static void test_retry_after(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
		if (retry_after(span_of(waits[i].value), NOW) != waits[i].want)
			fail_msg("'%s': %lld", waits[i].value, (long long)retry_after(span_of(waits[i].value), NOW));
	}
}

static void test_encodings(void **state)
{
	static const char *const pairs[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" } };
	CLEANUP(buf_free) struct buf b = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		buf_clear(&b);
		base64_add(&b, span_of(pairs[i][0]));
		assert_string_equal(buf_str(&b), pairs[i][1]);
		buf_clear(&b);
		assert_true(base64_read(span_of(pairs[i][1]), &b));
		assert_string_equal(buf_str(&b), pairs[i][0]);
	}
	assert_false(base64_read(S("Zg=a"), &b));
	assert_false(base64_read(S("Z"), &b));
	assert_false(base64_read(S("Zm 9v"), &b));
	buf_clear(&b);
	percent_add(&b, S("aZ09-._~+/= é%"));
	assert_string_equal(buf_str(&b), "aZ09-._~%2B%2F%3D%20%C3%A9%25");
}

static void test_headers(void **state)
{
	struct response r = { .headers = S("HTTP/2 200\r\nX: 1\r\nRETRY-AFTER:\t 9 \r\nRetry-After: 10\r\nEmpty:\r\nbroken\r\n") };

	(void)state;
	assert_true(span_eq(response_header(&r, "Retry-After"), S("9")));
	assert_true(span_eq(response_header(&r, "x"), S("1")));
	assert_int_equal(response_header(&r, "Empty").n, 0);
	assert_null(response_header(&r, "broken").p);
	assert_null(response_header(&r, "Nope").p);
}

/* ---- every allocation fails once ---- */

static void test_no_memory(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3 * ARRAY_LEN(types); i++) {
		const char *type = types[i / 3];
		struct channel_target t = target_for(type);
		struct alert a = sample();
		struct option own[4] = { templates[0], templates[1], to_from[0], to_from[1] };
		int r = -ENOMEM;
		long at = 1;
		if (i % 3 == 2) {
			t.options = own;
			t.n_options = 4;
		}
		t.mentions = !strcmp(type, "smtp") ? mails : mentions;
		t.n_mentions = 1;
		for (; r < 0; at++) {
			struct request q;
			struct err e = { 0 };
			fault_at = at, fault_seen = 0;
			r = channel_find(type)->make(&t, &a, i % 3 == 1, NOW, &q, &e);
			fault_at = 0;
			if (r < 0) {
				if (r != -ENOMEM || !e.msg[0])
					fail_msg("%s, allocation %ld: %d %s", type, at, r, e.msg);
				assert_null(q.body.p);
				continue;
			}
			struct request again; /* what came through all the same is whole */
			must_make(type, &t, &a, i % 3 == 1, &again);
			assert_string_equal(buf_str(&q.body), buf_str(&again.body));
			assert_string_equal(buf_str(&q.headers), buf_str(&again.headers));
			request_free(&again);
			request_free(&q);
		}
		assert_true(at > 5);
	}
}

static void test_no_memory_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		for (long at = 1; at < 8; at++) {
			struct response r = { .status = answers[i].status, .body = span_of(answers[i].body) };
			struct answer a;
			fault_at = at, fault_seen = 0;
			channel_find(answers[i].type)->judge(&r, NOW, &a);
			fault_at = 0;
			assert_true(a.text[0] != 0);
			assert_true(a.class != ANSWER_DELIVERED || answers[i].class == ANSWER_DELIVERED);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table), cmocka_unit_test(test_header),
		cmocka_unit_test(test_sign_dingtalk), cmocka_unit_test(test_sign_feishu), cmocka_unit_test(test_sign_webhook), cmocka_unit_test(test_standard_vector),
		cmocka_unit_test(test_golden), cmocka_unit_test(test_builtin), cmocka_unit_test(test_kinds), cmocka_unit_test(test_early), cmocka_unit_test(test_keyword),
		cmocka_unit_test(test_mention_everybody), cmocka_unit_test(test_slack_workflow),
		cmocka_unit_test(test_templates), cmocka_unit_test(test_template_of_chat),
		cmocka_unit_test(test_limits), cmocka_unit_test(test_hostile), cmocka_unit_test(test_webhook_size),
		cmocka_unit_test(test_mail), cmocka_unit_test(test_bad_mail),
		cmocka_unit_test(test_answers), cmocka_unit_test(test_clock), cmocka_unit_test(test_partly), cmocka_unit_test(test_transport), cmocka_unit_test(test_answer_cut),
		cmocka_unit_test(test_retry_after), cmocka_unit_test(test_encodings), cmocka_unit_test(test_headers),
		cmocka_unit_test(test_no_memory), cmocka_unit_test(test_no_memory_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
