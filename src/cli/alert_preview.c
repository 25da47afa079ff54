#include <errno.h>
#include <stdio.h>

#include "alert/target.h"
#include "base/redact.h"
#include "base/text.h"
#include "cli/alert_picture.h"
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

/* The box is as wide as the terminal lets it; its frame says how bad it is. */
static void say_picture(struct alert_task *t, const struct alert *a, const struct target *to, const struct request *q)
{
	static const enum paint frames[ALERT_KINDS] = { [ALERT_FAILED] = PAINT_RED, [ALERT_FOLLOWUP] = PAINT_RED, [ALERT_RECOVERED] = PAINT_GREEN };
	struct picture_frame frame = { .term = &t->out, .paint = frames[a->kind] };
	CLEANUP(buf_free) struct buf name = { 0 };

	say_clean(&name, span_of(tx(to->ops->title)));
	buf_adds(&name, " · ");
	say_clean(&name, span_of(to->t.name));
	frame.name = buf_str(&name);
	picture_draw(&frame, to->ops->type, q, a, to->t.lang, &t->text);
	t->text.bad |= name.bad;
}

/* Of how much room it takes what. */
static void say_size(struct alert_task *t, const struct target *to, const struct request *q)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	if (to->ops->max_bytes)
		buf_addf(&b, TR("%zu bytes of at most %zu", "%zu 字节，上限 %zu"), q->body.len, to->ops->max_bytes);
	else
		buf_addf(&b, TR("%zu bytes", "%zu 字节"), q->body.len);
	if (t->o->all)
		buf_adds(&b, TR("; the short form", "；短格式"));
	buf_adds(&t->text, "  ");
	say_paint(&t->text, &t->out, PAINT_DIM, buf_str(&b));
	buf_adds(&t->text, "\n\n");
	t->text.bad |= b.bad;
}

/* ---- the same for machines ---- */

static void put_clean(struct json_out *j, const char *key, struct span text)
{
	CLEANUP(buf_free) struct buf clean = { 0 };

	redact_text(NULL, text, &clean);
	json_key(j, key);
	json_str(j, (struct span){ buf_str(&clean), clean.len });
	j->to->bad |= clean.bad;
}

static void put_lines(struct json_out *j, const char *key, struct span lines)
{
	json_key(j, key);
	json_open(j, '[');
	while (lines.n) {
		CLEANUP(buf_free) struct buf clean = { 0 };
		redact_text(NULL, span_cut(&lines, '\n'), &clean);
		json_str(j, (struct span){ buf_str(&clean), clean.len });
		j->to->bad |= clean.bad;
	}
	json_close(j, ']');
}

static void put_preview(struct alert_task *t, const struct alert *a, const struct target *to, const struct request *q)
{
	static const char *const kinds[] = { [REQUEST_HTTP] = "http", [REQUEST_SMTP] = "smtp", [REQUEST_EXEC] = "exec" };
	CLEANUP(buf_free) struct buf title = { 0 }, text = { 0 };
	struct json_out j = { .to = &t->text };

	alert_title(a, to->t.lang, 400, &title);
	alert_text(a, FORM_PLAIN, to->t.lang, 16 << 10, &text);
	alert_json_begin(&j, "tocsin.preview/1");
	alert_json_text(&j, "channel", to->t.name);
	alert_json_text(&j, "type", to->ops->type);
	json_key(&j, "short");
	json_bool(&j, t->o->all);
	put_clean(&j, "title", buf_view(&title));
	put_clean(&j, "text", buf_view(&text));
	json_key(&j, "request");
	json_open(&j, '{');
	alert_json_text(&j, "kind", kinds[q->kind]);
	if (q->kind == REQUEST_HTTP)
		alert_json_text(&j, "method", q->method);
	if (q->url.len)
		put_clean(&j, "url", buf_view(&q->url));
	if (q->headers.len)
		put_lines(&j, "headers", buf_view(&q->headers));
	if (q->from.len)
		put_clean(&j, "from", buf_view(&q->from));
	if (q->to.len)
		put_lines(&j, q->kind == REQUEST_EXEC ? "command" : "to", buf_view(&q->to));
	put_clean(&j, "body", buf_view(&q->body));
	json_close(&j, '}');
	alert_json_end(t, &j);
	t->text.bad |= title.bad || text.bad;
}

static int make_alert(const char *path, int64_t now, struct alert *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf text = { .max = REPORT_TEXT_MAX };
	struct report r = { 0 };

	int n = file_slurp(path, &text, e);
	if (n == 0)
		n = report_read(buf_view(&text), path, &r, e);
	if (n < 0) {
		struct err why = *e;
		err_set(e, -n, TR("%.400s (wanted is a report: tocsin run --report FILE)", "%.400s（需要报告文件：tocsin run --report 文件）"), why.msg);
	}
	if (n == 0)
		n = alert_make(&r, r.outcome == OUTCOME_PASSED ? ALERT_RECOVERED : ALERT_FAILED, "L1", false, now, ret, e);
	if (n == 0)
		ret->lang = alert_report_lang(&r);
	report_free(&r);
	return n;
}

static int preview(struct alert_task *t, const char *path, struct err *e)
{
	CLEANUP(target_free) struct target to = { 0 };
	struct request q = { 0 };
	struct alert a;

	const struct config_channel *c = alert_channel(t, t->o->channel, e);
	if (!c)
		return -ENOENT;
	int r = target_make_bare(t->config, c->name, &to, e);
	if (r < 0)
		return r;
	r = make_alert(path, t->now, &a, e);
	if (r < 0)
		return r;
	r = to.ops->make(&to.t, &a, t->o->all, t->now, &q, e);
	if (r == 0 && t->o->json) {
		put_preview(t, &a, &to, &q);
	} else if (r == 0) {
		say_picture(t, &a, &to, &q);
		say_size(t, &to, &q);
		say_request(t, &q);
	}
	request_free(&q);
	alert_free(&a);
	return r;
}

static int run(void *values, const struct args *a)
{
	struct alert_task t;
	struct err e = { 0 };

	if (a->n != 1)
		return say_usage("alert preview", TR("of which report? For example: tocsin alert preview --channel ops report.json", "预览哪个报告？例如：tocsin alert preview --channel ops report.json"));
	int r = alert_begin(&t, values, NEEDS_CONFIG);
	return r ? r : alert_end(&t, preview(&t, a->v[0], &e), &e);
}

/* clang-format off */
static const struct opt opts[] = {
	{ "channel", 0, OPT_STRING, ALERT_AT(channel), { "NAME", "名称" }, { "as this channel would get it (not needed when there is only one)", "按这个渠道的格式（只有一个渠道时可省略）" }, NULL, 0 },
	{ "short", 0, OPT_FLAG, ALERT_AT(all), { NULL, NULL }, { "in the short, plain form that is sent when the rich one is refused", "使用富格式被拒后所用的纯文本短格式" }, NULL, 0 },
	OPT_JSON, OPT_CONFIG,
};
const struct verb verb_alert_preview = {
	.name = "alert preview", .args = { "REPORT", "报告" }, .brief = { "what a channel would get for this report", "查看渠道会收到的内容" },
	.text = { "A picture of the message, drawn from the payload, then the exact request. Secrets are not read: [redacted] stands in their place. Nothing is sent. A report that passed shows the recovery notice. With --json the schema is tocsin.preview/1.\n\n"
		  "  tocsin run --report report.json -- go test ./...\n  tocsin alert preview --channel ops report.json\n",
		  "先按消息的样子显示（由实际内容绘制），再给出完整请求。不读取机密，以 [redacted] 代替。不会发送。结果为通过的报告显示恢复通知。--json 的格式为 tocsin.preview/1。\n\n"
		  "  tocsin run --report report.json -- go test ./...\n  tocsin alert preview --channel ops report.json\n" },
	.opts = opts, .n_opts = ARRAY_LEN(opts), .size = sizeof(struct alert_values), .files = true, .run = run,
};
/* clang-format on */
