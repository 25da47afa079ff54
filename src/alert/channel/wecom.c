#include "alert/channel/chat.h"

#include "base/mem.h"
#include "base/text.h"

/*
 * WeCom's group robot: markdown of 4096 bytes, text of 2048; what is longer is refused whole. Markdown calls people by
 * <@userid>; telephone numbers are called by text messages alone. Its errmsg holds the caller's public IP.
 */
#define MARKDOWN_MAX 4096
#define TEXT_MAX 2048
#define PLAIN_MAX 1000
#define TITLE_MAX 200

static const char *const colour[] = { [TONE_BAD] = "warning", [TONE_WARN] = "warning", [TONE_GOOD] = "info", [TONE_NOTE] = "comment" };

static void put_list(struct json_out *j, const char *key, const struct chat_at *at, bool phones)
{
	json_key(j, key);
	json_open(j, '[');
	for (size_t i = 0; i < at->n; i++) {
		if (chat_phone(at->ids[i]) == phones)
			json_strz(j, at->ids[i]);
	}
	if (at->all && !phones)
		json_strz(j, "@all");
	json_close(j, ']');
}

static void name_people(const struct chat_at *at, struct buf *ret)
{
	for (size_t i = 0; i < at->n; i++) {
		if (strpbrk(at->ids[i], "<>@\n"))
			continue;
		buf_addf(ret, "%s<@%s>", i ? " " : "\n", at->ids[i]);
	}
}

static void write_markdown(const struct channel_target *t, const struct alert *a, const struct chat_at *at, struct buf *ret)
{
	CLEANUP(buf_free) struct buf title = { 0 }, people = { 0 };

	chat_title(t, a, TITLE_MAX, &title);
	name_people(at, &people);
	buf_addf(ret, "**<font color=\"%s\">", colour[chat_tone(a)]);
	size_t from = ret->len;
	alert_escape(buf_view(&title), FORM_MARKDOWN, ret);
	text_break(ret, from, S("<"));
	buf_adds(ret, "</font>**\n");
	from = ret->len;
	size_t used = from + people.len;
	size_t room = used + 300 < MARKDOWN_MAX ? MARKDOWN_MAX - used : 300;
	for (size_t max = room;; max = max * 3 / 4) { /* what is broken up grows */
		chat_text(t, a, FORM_MARKDOWN, max, ret);
		text_break(ret, from, S("<@"));
		text_break(ret, from, S("<font"));
		if (ret->bad || ret->len - from <= room || max < 64)
			break;
		ret->len = from;
	}
	ret->len = from + utf8_head((struct span){ ret->p + from, ret->len - from }, room).n;
	buf_span(ret, buf_view(&people));
	ret->bad |= title.bad || people.bad;
}

static void write_plain(const struct channel_target *t, const struct alert *a, size_t max, struct buf *ret)
{
	chat_title(t, a, TITLE_MAX, ret);
	buf_adds(ret, "\n\n");
	if (ret->len < max)
		chat_text(t, a, FORM_PLAIN, max - ret->len, ret);
	ret->len = utf8_head(buf_view(ret), max).n;
}

static int make(const struct channel_target *t, const struct alert *a, bool degraded, int64_t now, struct request *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct json_out j = { .to = &ret->body };
	struct chat_at at;
	int r;

	part_begin(ret, degraded, "application/json; charset=utf-8");
	r = chat_url(t, 1, ret, e);
	if (r < 0)
		return part_fail(ret, r);
	chat_at(t, a, &at);
	bool plain = degraded || at.all;
	for (size_t i = 0; i < at.n; i++)
		plain |= chat_phone(at.ids[i]);
	if (plain)
		write_plain(t, a, degraded ? PLAIN_MAX : TEXT_MAX, &text);
	else
		write_markdown(t, a, &at, &text);
	json_open(&j, '{');
	json_key(&j, "msgtype");
	json_strz(&j, plain ? "text" : "markdown");
	json_key(&j, plain ? "text" : "markdown");
	json_open(&j, '{');
	json_key(&j, "content");
	json_str(&j, buf_view(&text));
	if (plain) {
		put_list(&j, "mentioned_list", &at, false);
		put_list(&j, "mentioned_mobile_list", &at, true);
	}
	json_close(&j, '}');
	json_close(&j, '}');
	ret->body.bad |= text.bad;
	return part_end(ret, e);
}

static const struct code_row codes[] = {
	{ 45009, NULL, ANSWER_LIMITED, 60, false, { "more than 20 messages a minute: WeCom makes the robot wait", "每分钟超过 20 条：企业微信要求等待" } },
	{ 45033, NULL, ANSWER_LIMITED, 60, false, { "too many messages at once: WeCom makes the robot wait", "并发过多：企业微信要求等待" } },
	{ -1, NULL, ANSWER_RETRY, 0, false, { "WeCom is busy", "企业微信系统繁忙" } },
	{ 93000, NULL, ANSWER_CONFIG, 0, false,
	  { "WeCom knows no robot with this key: copy the webhook address of the robot again", "企业微信没有此 key 对应的机器人：请重新复制机器人的 Webhook 地址" } },
	{ 40058, "exceed max length|too long", ANSWER_PAYLOAD, 0, false, { "the message is too long for WeCom", "消息过长，企业微信不接受" } },
	{ 40058, NULL, ANSWER_PAYLOAD, 0, false, { "WeCom does not accept a part of the message", "企业微信不接受消息中的某个参数" } },
	{ 45002, NULL, ANSWER_PAYLOAD, 0, false, { "the message is too long for WeCom", "消息过长，企业微信不接受" } },
	{ 40008, NULL, ANSWER_PAYLOAD, 0, false, { "WeCom does not know this kind of message", "企业微信不支持此消息类型" } },
	{ CODE_ANY, "freq out of limit|too fast|限流|频率", ANSWER_LIMITED, 60, false,
	  { "WeCom says that a limit was reached: it makes the robot wait", "企业微信提示达到限制，要求等待" } },
};

static void judge(const struct response *r, int64_t now, struct answer *ret)
{
	chat_judge(codes, ARRAY_LEN(codes), "errcode", "errmsg", r, now, ret);
}

static const char *const options[] = { "template_title", "template_body", "at_all", NULL };

const struct channel_ops channel_wecom = {
	.type = "wecom", .title = { "WeCom", "企业微信" }, .needs_url = true, .per_minute = 20, .max_bytes = 20000,
	.options = options, .make = make, .judge = judge,
};
