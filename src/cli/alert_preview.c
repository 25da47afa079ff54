#include <errno.h>
#include <stdio.h>

#include "alert/target.h"
#include "base/redact.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/alerting.h"
#include "model/report_read.h"

/* What a channel would get: the exact request with the secrets taken out, and how it reads. */

static void put_cleaned(struct buf *b, struct span text)
{
	CLEANUP(buf_free) struct buf clean = { 0 };

	redact_text(NULL, text, &clean);
	say_lines(b, buf_view(&clean), 2, 0);
}

static bool is_json(struct span s)
{
	return s.n && (s.p[0] == '{' || s.p[0] == '[');
}

/* Two blanks a level; strings as they are. */
static void pretty(struct span json, struct buf *ret)
{
	bool in_string = false;
	size_t depth = 0;

	for (size_t i = 0; i < json.n; i++) {
		char c = json.p[i], next = i + 1 < json.n ? json.p[i + 1] : '\0';
		bool closes = !in_string && (c == '}' || c == ']'), opens = !in_string && (c == '{' || c == '[');
		if (closes) {
			depth -= depth > 0;
			if (i && json.p[i - 1] != '{' && json.p[i - 1] != '[')
				buf_addf(ret, "\n%*s", (int)(2 * depth), "");
		}
		buf_addc(ret, c);
		if (in_string && c == '\\' && i + 1 < json.n)
			buf_addc(ret, json.p[++i]);
		else if (c == '"')
			in_string = !in_string;
		depth += opens;
		if ((opens && next != '}' && next != ']') || (!in_string && c == ','))
			buf_addf(ret, "\n%*s", (int)(2 * depth), "");
		if (!in_string && c == ':')
			buf_addc(ret, ' ');
	}
	buf_addc(ret, '\n');
}

static void say_request(struct alert_task *t, const struct request *q)
{
	CLEANUP(buf_free) struct buf head = { 0 }, body = { 0 };

	switch (q->kind) {
	case REQUEST_HTTP: buf_addf(&head, "%s %s\n%s", q->method, buf_str(&q->url), buf_str(&q->headers)); break;
	case REQUEST_SMTP: buf_addf(&head, "SMTP %s\nMAIL FROM %s\nRCPT TO %s\n", buf_str(&q->url), buf_str(&q->from), buf_str(&q->to)); break;
	case REQUEST_EXEC: buf_addf(&head, "%s", buf_str(&q->to)); break;
	}
	put_cleaned(&t->text, buf_view(&head));
	buf_addc(&t->text, '\n');
	if (is_json(buf_view(&q->body)))
		pretty(buf_view(&q->body), &body);
	put_cleaned(&t->text, body.len ? buf_view(&body) : buf_view(&q->body));
}

static void bar(struct buf *b, const char *left, const char *line, const char *right, size_t n)
{
	buf_adds(b, left);
	for (size_t i = 0; i < n; i++)
		buf_adds(b, line);
	buf_addf(b, "%s\n", right);
}

static void boxed_line(struct buf *b, struct span s, size_t width)
{
	do {
		struct span head = text_fit(s, width);
		if (!head.n && s.n) /* one that is wider than the box */
			head = span_head(s, 1);
		buf_addf(b, "│ %.*s%*s │\n", SPAN_ARG(head), (int)(width - text_width(head)), "");
		s = span_from(s, head.n);
	} while (s.n);
}

/* A card, as a chat would show it. */
static void say_card(struct alert_task *t, const struct alert *a, const struct target *to)
{
	CLEANUP(buf_free) struct buf title = { 0 }, text = { 0 }, clean = { 0 };
	size_t width = t->out.width > 84 ? 80 : t->out.width > 24 ? t->out.width - 4 : 20;
	struct span rest;

	alert_title(a, to->t.lang, 300, &title);
	alert_text(a, FORM_PLAIN, to->t.lang, to->ops->max_bytes ? to->ops->max_bytes : 4000, &text);
	buf_addc(&title, '\n');
	text_clean(buf_view(&title), true, &clean);
	size_t head = clean.len;
	text_clean(buf_view(&text), true, &clean);
	bar(&t->text, "╭", "─", "╮", width + 2);
	rest = buf_view(&clean);
	for (size_t done = 0; rest.n; done = clean.len - rest.n) {
		if (done == head)
			bar(&t->text, "├", "─", "┤", width + 2);
		boxed_line(&t->text, span_cut(&rest, '\n'), width);
	}
	bar(&t->text, "╰", "─", "╯", width + 2);
}

static int make_alert(const char *path, int64_t now, struct alert *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf text = { .max = REPORT_TEXT_MAX };
	struct report r = { 0 };

	int n = file_slurp(path, &text, e);
	if (n == 0)
		n = report_read(buf_view(&text), path, &r, e);
	if (n == 0)
		n = alert_make(&r, r.outcome == OUTCOME_PASSED ? ALERT_RECOVERED : ALERT_FAILED, "L1", false, now, ret, e);
	report_free(&r);
	return n;
}

static int preview(struct alert_task *t, const char *path, struct err *e)
{
	CLEANUP(target_free) struct target to = { 0 };
	struct request q = { 0 };
	struct alert a;

	int r = target_make_bare(t->config, t->o->channel, &to, e);
	if (r < 0)
		return r;
	r = make_alert(path, t->now, &a, e);
	if (r < 0)
		return r;
	r = to.ops->make(&to.t, &a, t->o->all, t->now, &q, e);
	if (r == 0) {
		say_card(t, &a, &to);
		buf_addc(&t->text, '\n');
		say_request(t, &q);
	}
	request_free(&q);
	alert_free(&a);
	return r;
}

static int run(void *values, const struct args *a)
{
	const struct alert_values *o = values;
	struct alert_task t;
	struct err e = { 0 };

	if (a->n != 1 || !o->channel)
		return say_usage("alert preview", TR("for example: tocsin alert preview --channel ops report.json", "例如：tocsin alert preview --channel ops report.json"));
	int r = alert_begin(&t, values, NEEDS_CONFIG);
	return r ? r : alert_end(&t, preview(&t, a->v[0], &e), &e);
}

/* clang-format off */
static const struct opt opts[] = {
	{ "channel", 0, OPT_STRING, ALERT_AT(channel), { "NAME", "名称" }, { "as this channel would get it", "按这个渠道的格式" }, NULL, 0 },
	{ "short", 0, OPT_FLAG, ALERT_AT(all), { NULL, NULL }, { "in the short, plain form that is sent when the rich one is refused", "使用富格式被拒后所用的纯文本短格式" }, NULL, 0 },
	OPT_CONFIG,
};
const struct verb verb_alert_preview = {
	.name = "alert preview", .args = { "REPORT", "报告" }, .brief = { "what a channel would get for this report", "查看渠道会收到的内容" },
	.text = { "A card as a chat shows it, then the exact request. Secrets are not read: [redacted] stands in their place. Nothing is sent.", "先按聊天卡片的样子显示，再给出完整请求。不读取机密，以 [redacted] 代替。不会发送。" },
	.opts = opts, .n_opts = ARRAY_LEN(opts), .size = sizeof(struct alert_values), .files = true, .run = run,
};
/* clang-format on */
