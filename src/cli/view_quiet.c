#include "cli/view.h"

const struct format format_quiet = {
	.name = "quiet",
	.quiet = true,
	.notice = view_plain,
	.help = { "nothing but the verdict, and nothing at all when it passed",
		  "只显示结论；通过时什么都不显示" },
};
