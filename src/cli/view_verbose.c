#include "base/mem.h"
#include "base/text.h"
#include "cli/view.h"

/* A piece of output may be part of a line: only its beginning of a line can begin a command. */
static void piece(struct view *v, const struct notice *n)
{
	bool whole = n->text.n && n->text.p[n->text.n - 1] == '\n';

	say_lines(&v->text, n->text, 0, 0);
	if (!whole && v->text.len && v->text.p[v->text.len - 1] == '\n')
		v->text.p[--v->text.len] = '\0'; /* say_lines ends every line */
}

static void notice(struct view *v, const struct notice *n)
{
	if (n->kind == NOTICE_OUTPUT)
		piece(v, n);
	else
		view_plain(v, n);
}

const struct format format_verbose = {
	.name = "verbose",
	.slow = true,
	.notice = notice,
	.help = { "everything that the tests print, as go test -v does, made safe to print",
		  "测试的全部输出，如 go test -v，并去除控制序列" },
};
