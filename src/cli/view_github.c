#include "base/mem.h"
#include "cli/github.h"
#include "cli/view.h"

#define ANNOTATIONS_MAX 50

static void annotate(struct view *v, const struct finding *f)
{
	static const char *const words[] = { "notice", "warning", "error" };
	CLEANUP(buf_free) struct buf title = { 0 };
	char mem[CAUSE_ID_MAX];

	buf_addf(&v->text, "::%s ", words[f->severity]);
	github_property(&v->text, "file", f->file);
	if (f->file.n)
		github_number(&v->text, "line", f->line);
	const char *id = finding_cause_id(f, mem);
	buf_addf(&title, "%s", id ? id : "tocsin");
	if (f->test.n)
		buf_addf(&title, " %.*s", SPAN_ARG(f->test));
	github_property(&v->text, "title", buf_view(&title));
	buf_adds(&v->text, "::");
	github_text(&v->text, f->message.n ? f->message : span_of(tx(cause_table[f->cause].mean)));
	buf_addc(&v->text, '\n');
}

static void group(struct view *v, const struct notice *n)
{
	CLEANUP(buf_free) struct buf title = { 0 };
	CLEANUP(buf_free) struct buf text = { 0 };

	if (!view_failed_text(v, n, &text))
		return;
	buf_addf(&title, "%s %.*s %.*s", TR("FAIL", "失败"), SPAN_ARG(n->package), SPAN_ARG(n->test));
	buf_adds(&v->text, "::group::");
	github_text(&v->text, buf_view(&title));
	view_seconds(&v->text, n->seconds);
	buf_addc(&v->text, '\n');
	say_lines(&v->text, buf_view(&text), 0, 0);
	buf_adds(&v->text, "::endgroup::\n");
}

static void notice(struct view *v, const struct notice *n)
{
	if (n->kind == NOTICE_TEST_END && n->result == RESULT_FAIL)
		group(v, n);
	else if (n->kind == NOTICE_PKG_END)
		view_pkg_line(v, n);
	else
		view_plain(v, n);
}

static void end(struct view *v, const struct report *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_findings; i++) {
		if (n++ < ANNOTATIONS_MAX)
			annotate(v, &r->findings[i]);
	}
	if (n > ANNOTATIONS_MAX)
		buf_addf(&v->text, TR("%zu more findings are not annotated\n", "另有 %zu 项发现未作标注\n"),
			 n - ANNOTATIONS_MAX);
}

const struct format format_github = {
	.name = "github",
	.slow = true,
	.notice = notice,
	.end = end,
	.help = { "GitHub Actions: groups, and ::error file=… for every finding",
		  "GitHub Actions：分组，并为每项发现输出 ::error file=…" },
};
