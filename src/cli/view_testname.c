#include "cli/view.h"

static void test_line(struct view *v, const struct notice *n)
{
	if (n->result == RESULT_PASS)
		say_paint(&v->text, &v->out, PAINT_GREEN, TR("pass", "通过"));
	else if (n->result == RESULT_SKIP)
		say_paint(&v->text, &v->out, PAINT_YELLOW, TR("skip", "跳过"));
	else
		say_paint(&v->text, &v->out, PAINT_RED, TR("none", "未完"));
	buf_addc(&v->text, ' ');
	view_name(v, n);
	view_seconds(&v->text, n->seconds);
	buf_addc(&v->text, '\n');
	if (n->result == RESULT_SKIP)
		say_lines(&v->text, n->text, 4, 4);
}

static void notice(struct view *v, const struct notice *n)
{
	if (n->kind == NOTICE_TEST_END && n->result == RESULT_FAIL)
		view_failed_test(v, n);
	else if (n->kind == NOTICE_TEST_END)
		test_line(v, n);
	else if (n->kind == NOTICE_PKG_END)
		view_pkg_line(v, n);
	else
		view_plain(v, n);
}

const struct format format_testname = {
	.name = "testname",
	.live = true,
	.slow = true,
	.notice = notice,
	.help = { "one line a test", "每个测试一行" },
};
