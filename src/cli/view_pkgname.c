#include "cli/view.h"

static void notice(struct view *v, const struct notice *n)
{
	if (n->kind == NOTICE_TEST_END && n->result == RESULT_FAIL)
		view_failed_test(v, n);
	else if (n->kind == NOTICE_PKG_END)
		view_pkg_line(v, n);
	else
		view_plain(v, n);
}

const struct format format_pkgname = {
	.name = "pkgname",
	.live = true,
	.slow = true,
	.notice = notice,
	.help = { "one line a package, failures the moment they happen", "每个包一行，失败即时显示" },
};
