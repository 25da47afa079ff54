#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"
#include "cli/view.h"

#define ANNOTATIONS_MAX 50

/* The data of a workflow command: on one line, with its percent escapes. */
static void escape(struct buf *b, struct span s, bool property)
{
	CLEANUP(buf_free) struct buf clean = { 0 };

	text_clean(s, true, &clean);
	for (size_t i = 0; i < clean.len; i++) {
		char c = clean.p[i];
		if (c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ',')))
			buf_addf(b, "%%%02X", (unsigned char)c);
		else
			buf_addc(b, c);
	}
}

static void property(struct buf *b, const char *name, struct span value)
{
	if (!value.n)
		return;
	buf_addf(b, "%s%s=", b->p[b->len - 1] == ' ' ? "" : ",", name);
	escape(b, value, true);
}

static void annotate(struct view *v, const struct finding *f)
{
	static const char *const words[] = { "notice", "warning", "error" };
	CLEANUP(buf_free) struct buf title = { 0 };
	char line[16];

	buf_addf(&v->text, "::%s ", words[f->severity]);
	property(&v->text, "file", f->file);
	snprintf(line, sizeof(line), "%d", f->line);
	if (f->file.n && f->line > 0)
		property(&v->text, "line", span_of(line));
	buf_addf(&title, "%s", cause_table[f->cause].id ? cause_table[f->cause].id : "tocsin");
	if (f->test.n)
		buf_addf(&title, " %.*s", SPAN_ARG(f->test));
	property(&v->text, "title", buf_view(&title));
	buf_adds(&v->text, "::");
	escape(&v->text, f->message.n ? f->message : span_of(tx(cause_table[f->cause].mean)), false);
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
	escape(&v->text, buf_view(&title), false);
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
