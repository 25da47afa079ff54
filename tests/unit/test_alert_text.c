/* What people read of an alert: whole texts in both languages, foreign text that stays text, cuts that keep what matters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alert/alert.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

static const char *cart_owners[] = { "@acme/cart", "dev@example.com" };

static struct alert_item failed_items[] = {
	{ .cause = "test.fail", .severity = "error", .title = "total = 3, want 4", .package = "example.com/shop/cart", .test = "TestTotal",
	  .place = "cart_test.go:12", .excerpt = "    cart_test.go:12: total = 3, want 4\n        items: [a *b*]\n--- FAIL: TestTotal (0.00s)",
	  .fault = "T-42", .state = "regressed", .said = "it came back: resolved on 2026-11-01; see T-42", .count = 9, .owners = { cart_owners, 2, 2 } },
	{ .cause = "mod.dns", .severity = "error", .title = "lookup proxy.example.org: no such host", .package = "example.com/shop/pay" },
};

static struct alert failed_alert(void)
{
	return (struct alert){
		.kind = ALERT_FAILED, .level = "L1", .lang = LANG_EN, .project = "github.com/acme/shop", .branch = "main",
		.commit = "0123456789abcdef0123", .job = "unit", .url = "https://ci.example.com/runs/7", .actor = "alice", .pr = "12", .ci = "github",
		.go = "go1.26.8", .host = "runner-3", .command = "go test ./...", .outcome = "failed", .cause = "test.fail",
		.summary = "2 of 13 tests failed in 2 of 4 packages", .duration_ns = 125 * NSEC_PER_SEC, .packages = 4, .tests = 13, .failed = 2,
		.items = failed_items, .n_items = 2, .more = 3,
	};
}

static void same_text(struct buf *b, const char *want)
{
	assert_false(b->bad);
	assert_string_equal(buf_str(b), want);
	buf_free(b);
}

static void title_is(const struct alert *a, enum lang lang, const char *want)
{
	struct buf b = { 0 };

	alert_title(a, lang, 300, &b);
	same_text(&b, want);
}

static void text_is(const struct alert *a, enum alert_form form, enum lang lang, const char *want)
{
	struct buf b = { 0 };

	alert_text(a, form, lang, 4000, &b);
	same_text(&b, want);
}

/* ---- a failure ---- */

static void a_failure_in_plain_words(void **state)
{
	struct alert a = failed_alert();

	(void)state;
	title_is(&a, LANG_EN, "FAILED acme/shop (main): 2 of 13 tests failed in 2 of 4 packages");
	text_is(&a, FORM_PLAIN, LANG_EN,
		"Cause: a test reported failure (test.fail)\n"
		"Where: example.com/shop/cart TestTotal, cart_test.go:12\n"
		"Fault: it came back: resolved on 2026-11-01; see T-42\n"
		"      cart_test.go:12: total = 3, want 4\n"
		"          items: [a *b*]\n"
		"  --- FAIL: TestTotal (0.00s)\n"
		"Also: example.com/shop/pay: lookup proxy.example.org: no such host\n"
		"Also: 3 more\n"
		"Owner: ＠acme/cart, dev＠example.com\n"
		"Run: branch main, commit 0123456789, job unit, PR 12, by alice\n"
		"https://ci.example.com/runs/7\n"
		"To do: Start with the first assertion that failed; run the test alone with `go test -run '^TestName$' -count=1 ./pkg`.\n"
		"Command: go test ./... (2m05s, go1.26.8)\n");
}

static void a_failure_in_the_other_language(void **state)
{
	struct alert a = failed_alert();

	(void)state;
	title_is(&a, LANG_ZH, "失败 acme/shop（main）：2/13 个测试失败");
	failed_items[0].excerpt = "\tcart_test.go:12: total = 3, want 4\n\t\titems: [a *b*]\n--- FAIL: TestTotal (0.00s)";
	text_is(&a, FORM_MARKDOWN, LANG_ZH,
		"**原因：** 测试报告失败（test.fail）  \n"
		"**位置：** example.com/shop/cart TestTotal, cart_test.go:12  \n"
		"**故障库：** 故障复发；出现 9 次；见 T-42  \n"
		"\n"
		"> \xc2\xa0" "cart_test.go:12: total = 3, want 4  \n"
		"> \xc2\xa0\xc2\xa0items: [a ∗b∗]  \n"
		"> --- FAIL: TestTotal (0.00s)  \n"
		"\n"
		"**另有：** example.com/shop/pay：lookup proxy.example.org: no such host  \n"
		"**另有：** 其他 3 项  \n"
		"**负责人：** ＠acme/cart, dev＠example.com  \n"
		"**运行：** 分支 main，提交 0123456789，作业 unit，PR 12，触发者 alice  \n"
		"[打开 CI 作业](https://ci.example.com/runs/7)  \n"
		"**建议：** 先看第一条失败的断言；可用 `go test -run '^测试名$' -count=1 ./包` 单独重跑。  \n"
		"**命令：** go test ./...（2m05s，go1.26.8）  \n");
}

static void a_failure_in_html(void **state)
{
	struct alert_item it = { .cause = "go.panic", .title = "boom <b>&", .package = "p", .excerpt = "panic: boom <b>&\n\tgoroutine 1 [running]:",
				 .place = "a.go:1" };
	struct alert a = { .kind = ALERT_FAILED, .lang = LANG_EN, .outcome = "crashed", .cause = "go.panic", .summary = "panic: boom <b>&",
		.url = "https://ci.example.com/?a=1&b=2", .items = &it, .n_items = 1, .duration_ns = -1, .tests = -1, .packages = -1, .failed = -1 };
	struct buf b = { 0 };

	(void)state;
	it.advice = "call @all";
	title_is(&a, LANG_EN, "CRASHED: panic: boom ‹b›&");
	alert_text(&a, FORM_HTML, LANG_EN, 4000, &b);
	assert_non_null(strstr(buf_str(&b), "<b>Where:</b> p, a.go:1\n<pre>panic: boom &lt;b&gt;&amp;\n goroutine 1 [running]:</pre>\n"));
	assert_non_null(strstr(buf_str(&b), "<a href=\"https://ci.example.com/?a=1&amp;b=2\">Open the CI job</a>\n<b>To do:</b> call ＠all\n"));
	buf_free(&b);
}

static void one_test_is_named(void **state)
{
	struct alert a = failed_alert();

	(void)state;
	a.failed = 1, a.n_items = 1, a.more = 0;
	title_is(&a, LANG_EN, "FAILED acme/shop (main): TestTotal failed in shop/cart (1 of 13 tests)");
	title_is(&a, LANG_ZH, "失败 acme/shop（main）：TestTotal 失败，位于包 shop/cart（共 13 个测试）");
	a.failed = 3, a.tests = -1;
	title_is(&a, LANG_ZH, "失败 acme/shop（main）：3 个测试失败");
	a.early = true, a.project = NULL, a.branch = NULL;
	title_is(&a, LANG_EN, "FAILED (run goes on): TestTotal failed in shop/cart");
	title_is(&a, LANG_ZH, "失败（运行未结束）：TestTotal 失败，位于包 shop/cart");
}

static void every_outcome_has_a_word(void **state)
{
	struct alert a = { .kind = ALERT_FAILED };

	(void)state;
	for (int o = OUTCOME_NONE + 1; o < OUTCOME_COUNT; o++) {
		a.outcome = outcome_word((enum outcome)o);
		assert_int_equal(o == OUTCOME_FAILED, !strcmp(alert_word(&a, LANG_EN), "FAILED"));
		assert_int_equal(o == OUTCOME_FAILED, !strcmp(alert_word(&a, LANG_ZH), "失败"));
	}
}

/* ---- the other kinds ---- */

static void a_followup(void **state)
{
	struct alert a = failed_alert();

	(void)state;
	a.kind = ALERT_FOLLOWUP, a.items = NULL, a.n_items = 0, a.more = 0, a.cause = NULL, a.outcome = "passed", a.failed = 0;
	a.summary = "13 tests passed in 4 packages", a.command = NULL, a.url = NULL;
	title_is(&a, LANG_EN, "PASSED (final) acme/shop (main): 13 tests passed in 4 packages");
	text_is(&a, FORM_PLAIN, LANG_EN,
		"The run that was reported early has ended, and it passed.\n"
		"Run: branch main, commit 0123456789, job unit, PR 12, by alice\n");
	a.outcome = "failed", a.failed = 2;
	title_is(&a, LANG_ZH, "失败（最终结果） acme/shop（main）：2/13 个测试失败");
	text_is(&a, FORM_PLAIN, LANG_ZH,
		"此前提前告警的运行已结束。\n"
		"运行：分支 main，提交 0123456789，作业 unit，PR 12，触发者 alice\n");
}

static void a_recovery(void **state)
{
	struct alert_item it = failed_items[0];
	struct alert a = failed_alert();

	(void)state;
	it.said = "seen 9 times since 2026-10-01; see T-42";
	a.kind = ALERT_RECOVERED, a.outcome = "passed", a.cause = NULL, a.summary = "13 tests passed in 4 packages", a.items = &it, a.n_items = 1, a.more = 0;
	title_is(&a, LANG_EN, "RECOVERED acme/shop (main): TestTotal passes again");
	text_is(&a, FORM_PLAIN, LANG_EN,
		"It was: a test reported failure (test.fail)\n"
		"Where: example.com/shop/cart TestTotal, cart_test.go:12\n"
		"Fault: seen 9 times since 2026-10-01; see T-42\n"
		"Owner: ＠acme/cart, dev＠example.com\n"
		"Run: branch main, commit 0123456789, job unit, PR 12, by alice\n"
		"https://ci.example.com/runs/7\n"
		"Command: go test ./... (2m05s, go1.26.8)\n");
	title_is(&a, LANG_ZH, "已恢复 acme/shop（main）：TestTotal 重新通过");
	a.n_items = 0;
	title_is(&a, LANG_EN, "RECOVERED acme/shop (main): 13 tests passed in 4 packages");
	title_is(&a, LANG_ZH, "已恢复 acme/shop（main）：此前失败的命令已重新通过");
}

static void a_digest(void **state)
{
	struct alert_item it[] = {
		{ .cause = "test.fail", .package = "acme/shop", .title = "TestTotal: total = 3", .count = 30 },
		{ .cause = "mod.dns", .package = "acme/pay", .count = 4 },
		{ .cause = "proc.oom", .package = "acme/pay", .title = "killed", .count = 2 },
		{ .package = "acme/pay", .count = 1 },
	};
	struct alert a = { .kind = ALERT_DIGEST, .items = it, .n_items = 4, .more = 2 };

	(void)state;
	title_is(&a, LANG_EN, "39 alerts: 30 × test.fail (acme/shop), 4 × mod.dns (acme/pay), 2 × proc.oom (acme/pay), 3 more");
	title_is(&a, LANG_ZH, "39 条告警：30 × test.fail（acme/shop），4 × mod.dns（acme/pay），2 × proc.oom（acme/pay），其他 3 条");
	a.project = "acme/shop", a.n_items = 2, a.more = 3;
	title_is(&a, LANG_EN, "37 alerts for acme/shop: 30 × test.fail, 4 × mod.dns, 3 more");
	CLEANUP(buf_free) struct buf want = { 0 };
	buf_addf(&want, "They were held back and are told together; each is kept in the fault library.\n"
		"• 30 × test.fail, a test reported failure: TestTotal: total = 3\n• 4 × mod.dns, %s\n", alert_mean("mod.dns", LANG_EN));
	text_is(&a, FORM_PLAIN, LANG_EN, buf_str(&want));
	a.n_items = 1, a.more = 0, it[0].count = 1;
	title_is(&a, LANG_EN, "1 alert for acme/shop: 1 × test.fail");
	it[0].count = INT64_MAX, a.n_items = 2; /* sums stay in range */
	struct buf b = { 0 };
	alert_title(&a, LANG_EN, 300, &b);
	buf_free(&b);
}

static void a_probe_and_a_channel_that_is_down(void **state)
{
	struct alert a;
	struct err e;

	(void)state;
	assert_int_equal(alert_probe(NULL, 5, &a, &e), 0);
	a.host = "runner-3";
	title_is(&a, LANG_EN, "TEST from Tocsin: alerts reach this place");
	text_is(&a, FORM_PLAIN, LANG_EN, "Somebody asked Tocsin to try this channel. Nothing is wrong and nothing has to be done.\nRun: host runner-3\n");
	text_is(&a, FORM_PLAIN, LANG_ZH, "有人让 Tocsin 测试此渠道。没有任何故障，无需处理。\n运行：主机 runner-3\n");
	alert_free(&a);
	assert_int_equal(alert_channel_down("ops <!here>", "keywords not in content", "add the keyword 'Tocsin'", 3, 5, &a, &e), 0);
	a.host = NULL;
	assert_string_equal(a.level, "L1");
	title_is(&a, LANG_EN, "CHANNEL DOWN: alerts cannot be sent to ops ‹!here›: keywords not in content");
	title_is(&a, LANG_ZH, "告警渠道故障：ops ‹!here› 无法送达：keywords not in content");
	text_is(&a, FORM_PLAIN, LANG_EN,
		"Channel: ops ‹!here›\nAnswer: keywords not in content\n3 alerts are kept until it works again.\nTo do: add the keyword 'Tocsin'\n");
	a.items[0].count = 1;
	text_is(&a, FORM_PLAIN, LANG_ZH,
		"渠道：ops ‹!here›\n返回：keywords not in content\n1 条告警已保存，恢复后会发送。\n建议：add the keyword 'Tocsin'\n");
	alert_free(&a);
}

/* ---- foreign text ---- */

static void foreign_text_stays_text(void **state)
{
	static const struct {
		const char *text, *plain, *markdown, *html;
	} rows[] = {
		{ "total = 3, want 4", "total = 3, want 4", "total = 3, want 4", "total = 3, want 4" },
		{ "@all @everyone @here @channel", "＠all ＠everyone ＠here ＠channel", "＠all ＠everyone ＠here ＠channel", "＠all ＠everyone ＠here ＠channel" },
		{ "<!channel> <@U12> <#C1>", "‹!channel› ‹＠U12› ‹#C1›", "‹!channel› ‹＠U12› ‹#C1›", "&lt;!channel&gt; &lt;＠U12&gt; &lt;#C1&gt;" },
		{ "@13800138000 go", "＠13800138000 go", "＠13800138000 go", "＠13800138000 go" },
		{ "<at user_id=\"all\">x</at>", "‹at user_id=\"all\"›x‹/at›", "‹at user_id=\"all\"›x‹/at›", "&lt;at user_id=&quot;all&quot;&gt;x&lt;/at&gt;" },
		{ "<https://evil.example|bank>", "‹https://evil.example|bank›", "‹https://evil.example|bank›", "&lt;https://evil.example|bank&gt;" },
		{ "[x](javascript:alert(1))", "[x］(javascript:alert(1))", "[x］(javascript:alert(1))", "[x］(javascript:alert(1))" },
		{ "![i][r] and [r]: /u", "![i］[r] and [r]: /u", "![i］[r] and [r]: /u", "![i］[r] and [r]: /u" },
		{ "[r]: http://evil.example", "[r］: http://evil.example", "[r］: http://evil.example", "[r］: http://evil.example" },
		{ "```sh `x`", "'''sh `x`", "'''sh 'x'", "'''sh `x`" },
		{ "**a** _b_ cart_test.go ~~c~~ a || b", "**a** _b_ cart_test.go ~~c~~ a || b", "∗∗a∗∗ ＿b＿ cart_test.go ∼∼c∼∼ a ∣∣ b",
		  "**a** _b_ cart_test.go ~~c~~ a || b" },
		{ "# h", "# h", "＃ h", "# h" }, { "> q", "> q", "› q", "&gt; q" }, { "- l", "- l", "– l", "- l" }, { "+ l", "+ l", "＋ l", "+ l" },
		{ "  1. l", "  1. l", "  1． l", "  1. l" }, { "12) l", "12) l", "12） l", "12) l" }, { "1.5s", "1.5s", "1.5s", "1.5s" }, { "====", "====", "＝===", "====" },
		{ "---", "---", "–--", "---" }, { "--- FAIL: TestX", "--- FAIL: TestX", "--- FAIL: TestX", "--- FAIL: TestX" },
		{ "&lt;b&gt; a & b &#64;all", "&lt;b&gt; a & b &#64;all", "＆lt;b＆gt; a & b ＆#64;all", "&amp;lt;b&amp;gt; a &amp; b &amp;#64;all" },
		{ "a\\*b \"\\n\" end\\", "a\\*b \"\\n\" end\\", "a∖∗b \"\\n\" end∖", "a\\*b &quot;\\n&quot; end\\" },
		{ "<nil> <-ch a < b > c", "‹nil› <-ch a < b > c", "‹nil› <-ch a < b > c", "&lt;nil&gt; &lt;-ch a &lt; b &gt; c" },
		{ "example.com/m@v1.2.3 m@latest m@v m@lat", "example.com/m@v1.2.3 m@latest m＠v m＠lat", "example.com/m@v1.2.3 m@latest m＠v m＠lat",
		  "example.com/m@v1.2.3 m@latest m＠v m＠lat" },
		{ "m@latest_x m@latestüs @v1", "m＠latest_x m＠latestüs ＠v1", "m＠latest_x m＠latestüs ＠v1", "m＠latest_x m＠latestüs ＠v1" },
		{ "\033[31mred\033[0m \033]0;t\a.", "red .", "red .", "red ." },
		{ "@\033[1mall <\xe2\x80\x8b!here>", "＠all ‹!here›", "＠all ‹!here›", "＠all &lt;!here&gt;" },
		{ "pay\xe2\x80\xae" "cod.exe", "pay\xef\xbf\xbd" "cod.exe", "pay\xef\xbf\xbd" "cod.exe", "pay\xef\xbf\xbd" "cod.exe" },
		{ "a\nb\tc\r\nd\x01\x7f\xc2\x9b" "e\xff", "a b c de\xef\xbf\xbd", "a b c de\xef\xbf\xbd", "a b c de\xef\xbf\xbd" },
		{ "", "", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *want[] = { rows[i].plain, rows[i].markdown, rows[i].html };
		for (int form = FORM_PLAIN; form <= FORM_HTML; form++) {
			struct buf b = { 0 };
			alert_escape(span_of(rows[i].text), (enum alert_form)form, &b);
			same_text(&b, want[form]);
		}
	}
}

static void towers_of_marks_are_cut(void **state)
{
	struct buf in = { 0 }, b = { 0 };

	(void)state;
	buf_addc(&in, 'a');
	for (int i = 0; i < 1000; i++)
		buf_adds(&in, "\xcc\x81");
	alert_escape(buf_view(&in), FORM_PLAIN, &b);
	assert_int_equal(b.len, 1 + 3 * 2);
	buf_free(&in);
	buf_free(&b);
}

static void links_lead_where_they_say(void **state)
{
	static const struct {
		const char *url, *want; /* NULL: none */
	} rows[] = {
		{ "https://ci.example.com/a/b?x=1&y=2#L3", "https://ci.example.com/a/b?x=1&y=2#L3" }, { "http://127.0.0.1:8080/", "http://127.0.0.1:8080/" },
		{ "https://ci.example.com/a(b)*c_d|e'f\"<g>@h", "https://ci.example.com/a%28b%29%2Ac_d%7Ce%27f%22%3Cg%3E%40h" },
		{ "https://ci.example.com/流水线", "https://ci.example.com/%E6%B5%81%E6%B0%B4%E7%BA%BF" }, { "https://[::1]:8080/x[1]", "https://[::1]:8080/x%5B1%5D" },
		{ "https://[::1/x", NULL }, { "javascript:alert(1)", NULL }, { "data:text/html,x", NULL }, { "https://", NULL }, { "https:///x", NULL },
		{ "https://user:pw@ci.example.com/", NULL }, { "https://ci.example.com/a b", NULL }, { "https://ci.example.com/a\nb", NULL },
		{ "https://ci.example.com/?mail=a@b.c", "https://ci.example.com/?mail=a%40b.c" }, { "HTTPS://ci.example.com", NULL }, { "", NULL }, { NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = { 0 };
		assert_int_equal(alert_link(rows[i].url, &b), rows[i].want != NULL);
		same_text(&b, rows[i].want ? rows[i].want : "");
	}
}

/* ---- cuts ---- */

static bool is_utf8(struct span s)
{
	uint32_t cp;

	for (size_t n; s.n; s = span_from(s, n)) {
		n = utf8_decode(s, &cp);
		if (cp == UTF8_BAD)
			return false;
	}
	return true;
}

static void no_cut_is_inside_anything(void **state)
{
	struct alert a = failed_alert();

	(void)state;
	for (size_t max = 0; max < 1200; max++) {
		for (int form = FORM_PLAIN; form <= FORM_HTML; form++) {
			struct buf b = { 0 }, t = { 0 };
			alert_text(&a, (enum alert_form)form, LANG_ZH, max, &b);
			alert_title(&a, LANG_ZH, max, &t);
			assert_true(b.len <= max && t.len <= max && is_utf8(buf_view(&b)) && is_utf8(buf_view(&t)));
			assert_true(!b.len || b.p[b.len - 1] == '\n');
			assert_int_equal(strstr(buf_str(&b), "<pre>") != NULL, strstr(buf_str(&b), "</pre>") != NULL);
			buf_free(&b);
			buf_free(&t);
		}
	}
}

/* With less room the less important goes first. */
static void what_matters_most_stays(void **state)
{
	static const char *const parts[] = { "Cause:", "Where:", "(https://", "Fault:", "Owner:", "Run:", "\n> ", "To do:", "Also:", "Command:" };
	static const struct {
		size_t max;
		const char *there; /* of each part: 'x' */
	} rows[] = {
		{ 10, ".........." }, { 40, ".x........" }, { 60, "x........." }, { 130, "xx........" }, { 180, "xxx......." }, { 250, "xxxxx....." },
		{ 370, "xxxxxx...." }, { 460, "xxxxxxx..." }, { 620, "xxxxxxxx.x" }, { 1000, "xxxxxxxxxx" },
	};
	struct alert a = failed_alert();
	char there[ARRAY_LEN(parts) + 1] = "";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = { 0 };
		alert_text(&a, FORM_MARKDOWN, LANG_EN, rows[i].max, &b);
		for (size_t k = 0; k < ARRAY_LEN(parts); k++)
			there[k] = strstr(buf_str(&b), parts[k]) ? 'x' : '.';
		if (strcmp(there, rows[i].there) != 0)
			fail_msg("%zu: %s, not %s\n%s", rows[i].max, there, rows[i].there, buf_str(&b));
		buf_free(&b);
	}
}

static void hundreds_of_kilobytes_are_nothing(void **state)
{
	struct alert_item it = failed_items[0];
	struct alert a = failed_alert();
	char *big = mem_alloc(200001);

	(void)state;
	for (size_t i = 0; i < 200000; i++)
		big[i] = "@all <b>测\n"[i % 12];
	big[200000] = '\0';
	it.title = it.place = it.test = it.package = it.excerpt = it.advice = it.said = it.fault = big;
	a.items = &it, a.n_items = 1, a.summary = a.command = a.branch = a.project = a.job = a.url = a.outcome = a.cause = big;
	int64_t before = time_mono();
	for (int form = FORM_PLAIN; form <= FORM_HTML; form++) {
		struct buf b = { 0 }, t = { 0 };
		alert_text(&a, (enum alert_form)form, LANG_EN, 4000, &b);
		alert_title(&a, LANG_EN, 128, &t);
		assert_true(b.len > 1000 && b.len <= 4000 && t.len > 100 && t.len <= 128);
		assert_true(is_utf8(buf_view(&b)) && is_utf8(buf_view(&t)));
		assert_null(strstr(buf_str(&b), "@"));
		assert_null(strstr(buf_str(&t), "@"));
		buf_free(&b);
		buf_free(&t);
	}
	assert_true(time_mono() - before < 8 * NSEC_PER_SEC);
	mem_free(big);
}

static void failed_allocations_are_kept_in_mind(void **state)
{
	struct alert a = failed_alert();
	long at;

	(void)state;
	for (int form = FORM_PLAIN; form <= FORM_HTML; form++) {
		for (at = 1; at < 2000; at++) {
			struct buf b = { 0 };
			fault_at = at, fault_seen = 0;
			alert_title(&a, LANG_ZH, 60, &b);
			alert_text(&a, (enum alert_form)form, LANG_EN, 400, &b);
			bool hit = fault_seen >= fault_at;
			fault_at = 0;
			assert_int_equal(b.bad, hit);
			buf_free(&b);
			if (!hit)
				break;
		}
		assert_true(at > 10 && at < 2000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_in_plain_words), cmocka_unit_test(a_failure_in_the_other_language), cmocka_unit_test(a_failure_in_html),
		cmocka_unit_test(one_test_is_named), cmocka_unit_test(every_outcome_has_a_word), cmocka_unit_test(a_followup),
		cmocka_unit_test(a_recovery), cmocka_unit_test(a_digest), cmocka_unit_test(a_probe_and_a_channel_that_is_down),
		cmocka_unit_test(foreign_text_stays_text), cmocka_unit_test(towers_of_marks_are_cut), cmocka_unit_test(links_lead_where_they_say),
		cmocka_unit_test(no_cut_is_inside_anything), cmocka_unit_test(what_matters_most_stays), cmocka_unit_test(hundreds_of_kilobytes_are_nothing),
		cmocka_unit_test(failed_allocations_are_kept_in_mind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
