/*
 * Pictures of messages: straight at every width, made of the payload, and of nothing that moves a cursor; hostile payloads; no
 * memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/text.h"
#include "cli/alert_picture.h"

static const struct { const char *type, *body, *want; } cases[] = {
	{ "dingtalk", "{\"msgtype\":\"actionCard\",\"actionCard\":{\"text\":\"### 失败 a\\\\_b\\n\\n**原因：** `go test`  \\n> 引用一行\\n[打开](https://x.example/y)\",\"singleTitle\":\"查看运行\"}}", "[ 查看运行 ]" },
	{ "wecom", "{\"markdown\":{\"content\":\"**<font color=\\\"warning\\\">失败 shop</font>**\\n正文\\n<@zhangsan>\"}}", "@zhangsan" },
	{ "wecom", "{\"text\":{\"content\":\"失败\\n正文\",\"mentioned_list\":[\"@all\"],\"mentioned_mobile_list\":[\"13800000000\"]}}", "@13800000000" },
	{ "feishu", "{\"card\":{\"header\":{\"title\":{\"content\":\"失败\"}},\"elements\":[{\"tag\":\"markdown\",\"content\":\"a <at id=ou_1></at>\"},{\"actions\":[{\"text\":{\"content\":\"查看\"}}]}]}}", "@ou_1" },
	{ "feishu", "{\"content\":{\"text\":\"标题\\n<at user_id=\\\"all\\\"></at>\"}}", "@all" },
	{ "slack", "{\"text\":\"t\",\"blocks\":[{\"type\":\"header\",\"text\":{\"text\":\"FAILED\"}},{\"type\":\"rich_text\",\"elements\":[{\"type\":\"rich_text_section\",\"elements\":["
	  "{\"type\":\"text\",\"text\":\"bold\",\"style\":{\"bold\":true}},{\"type\":\"text\",\"text\":\"\\n\"},{\"type\":\"user\",\"user_id\":\"U1\"}]},"
	  "{\"type\":\"rich_text_preformatted\",\"elements\":[{\"type\":\"text\",\"text\":\"one\\ntwo\"}]}]}]}", "▎ two" },
	{ "slack", "{\"text\":\"FAILED &lt;x&gt;\\nplain\"}", "FAILED <x>" },
	{ "teams", "{\"attachments\":[{\"content\":{\"body\":[{\"inlines\":[{\"text\":\"FAILED\"}]},{\"inlines\":[{\"text\":\"line\"}]},{\"text\":\"<at>@team</at>\"}],\"actions\":[{\"title\":\"Open\"}]}}]}", "[ Open ]" },
	{ "telegram", "{\"text\":\"<b>失败</b>\\n<pre>one\\ntwo</pre>\\n<a href=\\\"https://x.example/?a=1&amp;b\\\">打开</a> &#39;q&#39; &amp;amp;\"}", "打开 'q' &amp;" },
	{ "discord", "{\"content\":\"<@&12> \",\"embeds\":[{\"title\":\"T\",\"description\":\"- a\\n**b**\"}]}", "• a" },
	{ "pagerduty", "{\"payload\":{\"summary\":\"S\",\"custom_details\":{\"text\":\"  indented\\nplain\"}}}", "▎ indented" },
	{ "slack", "{\"blocks\":[{\"type\":\"header\",\"text\":{\"text\":\"\\u001b[31m\\u001b]0;x\\u0007\\u202e::error::x\"}}]}", "x" },
	{ "slack", "{\"blocks\":[[[[{\"elements\":[{\"text\":", "it broke" },
	{ "webhook", "", "it broke" },
};

static struct alert some_alert(void)
{
	return (struct alert){ .kind = ALERT_FAILED, .outcome = "failed", .severity = "error", .summary = "it broke", .duration_ns = -1, .packages = -1, .tests = -1, .failed = -1 };
}

static void draw(size_t i, size_t width, bool color, struct buf *ret)
{
	struct term t = { .width = width, .color = color };
	struct picture_frame f = { .term = &t, .name = "渠道 · ops", .paint = PAINT_RED };
	struct request q = { .kind = REQUEST_HTTP, .method = "POST" };
	struct alert a = some_alert();

	buf_adds(&q.body, cases[i].body);
	q.body.bad ? (void)(ret->bad = true) : picture_draw(&f, cases[i].type, &q, &a, LANG_EN, ret);
	request_free(&q);
}

static void straight_at_every_width(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t width = 1; width < 100; width++) {
			CLEANUP(buf_free) struct buf b = { 0 };
			draw(i, width, false, &b);
			struct span rest = buf_view(&b), first = span_cut(&rest, '\n');
			size_t columns = text_width(first);
			assert_true(columns <= (width < 24 ? 24 : width));
			while (rest.n) {
				struct span line = span_cut(&rest, '\n');
				if (text_width(line) != columns)
					fail_msg("%s, %zu columns: '%.*s' has %zu, the first line %zu", cases[i].type, width, SPAN_ARG(line), text_width(line), columns);
			}
			assert_int_equal(span_chr(buf_view(&b), '\033'), SPAN_NONE);
		}
	}
}

static void made_of_the_payload(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		draw(i, 80, false, &b);
		if (span_find(buf_view(&b), span_of(cases[i].want)) == SPAN_NONE)
			fail_msg("%s: no '%s' in\n%s", cases[i].type, cases[i].want, buf_str(&b));
	}
}

/* Every colour that begins is ended in its line, and nothing else begins. */
static void colours_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		draw(i, 30, true, &b);
		for (struct span rest = buf_view(&b); rest.n;) {
			struct span line = span_cut(&rest, '\n'), tail = line;
			bool open = false;
			for (size_t at; (at = span_chr(tail, '\033')) != SPAN_NONE;) {
				tail = span_from(tail, at + 1);
				size_t end = span_chr(tail, 'm');
				assert_true(tail.p[0] == '[' && end != SPAN_NONE);
				assert_int_equal(strspn(tail.p + 1, "0123456789;"), end - 1);
				open = !span_starts(tail, S("[0m"));
			}
			assert_false(open);
		}
	}
}

static void without_memory(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (long at = 1;; at++) {
			CLEANUP(buf_free) struct buf b = { 0 };
			fault_seen = 0;
			fault_at = at;
			draw(i, 60, true, &b);
			bool hit = fault_seen >= at;
			fault_at = 0;
			if (!hit)
				break;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(straight_at_every_width),
		cmocka_unit_test(made_of_the_payload),
		cmocka_unit_test(colours_end),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
