#include "cli/view.h"

#define DOTS_A_LINE 80

static void end_line(struct view *v)
{
	if (v->column)
		buf_addc(&v->text, '\n');
	v->column = 0;
}

static void dot(struct view *v, const struct notice *n)
{
	if (v->column == DOTS_A_LINE)
		end_line(v);
	if (n->result == RESULT_PASS)
		say_paint(&v->text, &v->out, PAINT_GREEN, ".");
	else
		say_paint(&v->text, &v->out, PAINT_YELLOW, n->result == RESULT_SKIP ? "s" : "?");
	v->column++;
}

static void notice(struct view *v, const struct notice *n)
{
	if (n->kind == NOTICE_TEST_END && n->result == RESULT_FAIL) {
		end_line(v);
		view_failed_test(v, n);
	} else if (n->kind == NOTICE_TEST_END) {
		dot(v, n);
	} else if (n->kind == NOTICE_PKG_END && n->result == RESULT_FAIL) {
		end_line(v);
		view_pkg_line(v, n);
	} else if (n->kind == NOTICE_BUILD || (n->kind == NOTICE_TEXT && n->stream != STREAM_ERR)) {
		end_line(v);
		view_plain(v, n);
	}
}

const struct format format_dots = {
	.name = "dots",
	.slow = true,
	.notice = notice,
	.help = { "one character a test: . passed, s skipped; failures in full",
		  "每个测试一个字符：. 通过，s 跳过；失败完整显示" },
};
