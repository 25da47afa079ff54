#include "alert/channel/part.h"

#include <errno.h>

#include "base/mem.h"

/*
 * A program of the user's own: the option `command` (a list, a line each; or words) is run as it is, without a shell, with the
 * alert (schema tocsin.alert/1) as one line of JSON on its standard input. What it must say is its exit status:
 *   0                        delivered
 *   75 (EX_TEMPFAIL)         later
 *   78 (EX_CONFIG), 64 (EX_USAGE), 77 (EX_NOPERM), 126, 127: a person must change something
 *   65 (EX_DATAERR)          it does not take this alert: tried once more in a short form
 *   every other, a signal    unknown: later, as with any answer that is not known; given up in the end, never dropped in silence
 */
#define WORDS_MAX 64
#define BODY_MAX (256 << 10)

/* One word at the start of *rest, as a shell would quote it; nothing is expanded. False: a quote that does not end. */
static bool word(struct span *rest, struct buf *ret)
{
	char quote = 0;
	size_t i = 0;

	for (; i < rest->n; i++) {
		char c = rest->p[i];
		if (!quote && (c == ' ' || c == '\t'))
			break;
		if (quote ? c == quote : c == '"' || c == '\'') {
			quote = quote ? 0 : c;
			continue;
		}
		if (c == '\\' && quote != '\'' && i + 1 < rest->n)
			c = rest->p[++i];
		buf_addc(ret, c);
	}
	*rest = span_from(*rest, i);
	return !quote;
}

static int fault(const struct channel_target *t, const char *what, struct err *e)
{
	return err_set(e, EINVAL, "%s %s: command: %s", TR("channel", "渠道"), t->name, what);
}

static int words(const struct channel_target *t, struct span s, struct buf *ret, struct err *e)
{
	size_t n = 0;

	for (s = span_trim(s); s.n; s = span_trim(s)) {
		if (++n > WORDS_MAX)
			return fault(t, TR("more than 64 words", "超过 64 个词"), e);
		if (!word(&s, ret))
			return fault(t, TR("a quote is not closed", "引号未闭合"), e);
		buf_addc(ret, '\n');
	}
	return 0;
}

static int argv_of(const struct channel_target *t, struct buf *ret, struct err *e)
{
	struct span s = channel_option(t, "command");
	size_t n = 0;

	if (span_chr(s, '\0') != SPAN_NONE)
		return fault(t, TR("a NUL byte", "含有 NUL 字节"), e);
	if (!span_trim(s).n)
		return fault(t, TR("it is missing: the program and its arguments", "缺失：应为程序及其参数"), e);
	if (span_chr(s, '\n') == SPAN_NONE)
		return words(t, s, ret, e);
	while (s.n) {
		struct span arg = span_cut(&s, '\n');
		if (++n > WORDS_MAX)
			return fault(t, TR("more than 64 words", "超过 64 个词"), e);
		if (n == 1 && !arg.n)
			return fault(t, TR("the program's name is empty", "程序名为空"), e);
		buf_span(ret, arg);
		buf_addc(ret, '\n');
	}
	return 0;
}

static void short_json(const struct channel_target *t, const struct alert *a, struct buf *ret)
{
	CLEANUP(buf_free) struct buf title = { 0 };
	struct json_out j = { .to = ret };

	alert_title(a, t->lang, 400, &title);
	json_open(&j, '{');
	part_member(&j, "schema", "tocsin.alert/1");
	part_member(&j, "id", a->id);
	part_member(&j, "kind", alert_kind_words[a->kind]);
	part_member(&j, "key", a->key);
	json_key(&j, "title");
	json_str(&j, buf_view(&title));
	part_members(a, &j);
	part_url_member(&j, "url", a->url);
	json_close(&j, '}');
	ret->bad |= title.bad;
}

static int exec_make(const struct channel_target *t, const struct alert *a, bool degraded, int64_t now, struct request *ret, struct err *e)
{
	*ret = (struct request){ .kind = REQUEST_EXEC, .method = "exec", .degraded = degraded };
	int r = argv_of(t, &ret->to, e);
	if (r < 0)
		return part_fail(ret, r);
	if (!degraded)
		alert_json(a, &ret->body);
	if (degraded || ret->body.len >= BODY_MAX) {
		ret->body.len = 0;
		short_json(t, a, &ret->body);
	}
	buf_addc(&ret->body, '\n');
	return part_end(ret, e);
}

static const struct exit_row {
	int status;
	enum answer_class class;
	struct tx text;
} exits[] = {
	{ 0, ANSWER_DELIVERED, { "delivered", "已送达" } },
	{ 64, ANSWER_CONFIG, { "the program was called wrongly", "程序调用方式错误" } },
	{ 65, ANSWER_PAYLOAD, { "the program does not take this alert", "程序不接受该告警" } },
	{ 75, ANSWER_RETRY, { "the program asks to be called later", "程序要求稍后再试" } },
	{ 77, ANSWER_CONFIG, { "the program has no permission", "程序没有权限" } },
	{ 78, ANSWER_CONFIG, { "the program's configuration is wrong", "程序的配置有误" } },
	{ 126, ANSWER_CONFIG, { "the program cannot be executed", "程序无法执行" } },
	{ 127, ANSWER_CONFIG, { "the program was not found", "找不到程序" } },
};

static void exec_judge(const struct response *r, int64_t now, struct answer *ret)
{
	struct exit_row row = { r->status, ANSWER_RETRY, { "the program failed", "程序失败" } };
	if (r->transport) {
		answer_http(r, now, ret);
		return;
	}
	if (r->status > 128)
		row = (struct exit_row){ r->status, ANSWER_RETRY, { "a signal ended the program", "程序被信号终止" } };
	for (size_t i = 0; i < ARRAY_LEN(exits); i++) {
		if (exits[i].status == r->status)
			row = exits[i];
	}
	answer_set(ret, row.class, TR("%s (exit status %d)", "%s（退出状态 %d）"), tx(row.text), r->status);
	if (row.class != ANSWER_DELIVERED)
		answer_quote(ret, r->body);
}

static const char *const options[] = { "command", NULL };

const struct channel_ops channel_exec = {
	.type = "exec",
	.title = { "a program of your own", "自己的程序" },
	.max_bytes = BODY_MAX,
	.options = options,
	.make = exec_make,
	.judge = exec_judge,
};
