#include "alert/channel/chat.h"

#include <errno.h>

#include "base/mem.h"

/* Telegram's Bot API: HTML first, plain text when it was refused. It knows no idempotency: a message can come twice. */
#define TEXT_MAX 4096 /* UTF-16 units, tags not counted; ours counts them too, and leaves some room */
#define TITLE_MAX 300
#define MENTIONS_MAX 10

static void escape_html(struct span s, struct buf *ret)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '<' || s.p[i] == '>' || s.p[i] == '&')
			buf_adds(ret, s.p[i] == '<' ? "&lt;" : s.p[i] == '>' ? "&gt;" : "&amp;");
		else
			buf_addc(ret, s.p[i]);
	}
}

/* "@name", or a user's number, which only a link can name. */
static void mentions(const struct channel_target *t, const struct alert *a, bool degraded, struct buf *ret)
{
	const struct mention *who[MENTIONS_MAX];
	size_t n = part_mentions(t, a, who, ARRAY_LEN(who));
	int64_t number;

	for (size_t i = 0; i < n; i++) {
		struct span id = span_of(who[i]->id);
		bool numbered = span_int(id, &number) && number > 0;
		if (numbered && degraded)
			continue;
		buf_adds(ret, ret->len ? " " : "\n");
		if (numbered) {
			buf_addf(ret, "<a href=\"tg://user?id=%lld\">", (long long)number);
			escape_html(span_of(part_name(who[i])), ret);
			buf_adds(ret, "</a>");
			continue;
		}
		if (!span_starts(id, S("@")))
			buf_addc(ret, '@');
		escape_html(id, ret);
	}
}

static void message(const struct channel_target *t, const struct alert *a, bool degraded, struct buf *ret)
{
	CLEANUP(buf_free) struct buf title = { 0 }, tail = { 0 };

	chat_title(t, a, TITLE_MAX, &title);
	mentions(t, a, degraded, &tail);
	buf_adds(ret, degraded ? "" : "<b>");
	if (degraded)
		buf_span(ret, buf_view(&title));
	else
		escape_html(buf_view(&title), ret);
	buf_adds(ret, degraded ? "\n" : "</b>\n");
	size_t used = part_count(buf_view(ret), UNIT_UTF16) + part_count(buf_view(&tail), UNIT_UTF16);
	size_t room = degraded ? 1000 : used < TEXT_MAX ? TEXT_MAX - used : 0;
	chat_text_units(t, a, degraded ? FORM_PLAIN : FORM_HTML, room, UNIT_UTF16, ret);
	buf_span(ret, buf_view(&tail));
	ret->bad |= title.bad || tail.bad;
}

static void options_of(const struct channel_target *t, struct json_out *j)
{
	static const struct { const char *ours, *theirs; } ids[] = { { "chat_id", "chat_id" }, { "thread", "message_thread_id" } };
	int64_t number;

	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		struct span v = span_trim(channel_option(t, ids[i].ours));
		if (!v.n)
			continue;
		json_key(j, ids[i].theirs);
		if (span_int(v, &number))
			json_int(j, number);
		else
			json_str(j, v);
	}
	if (span_eq(channel_option(t, "silent"), S("true"))) {
		json_key(j, "disable_notification");
		json_bool(j, true);
	}
}

static int telegram_url(const struct channel_target *t, struct request *ret, struct err *e)
{
	struct span token = span_trim(t->secret);

	for (size_t i = 0; i < token.n && !span_eq(token, S("[redacted]")) /* of a preview */; i++) {
		char c = token.p[i];
		bool fine = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ':' || c == '_' || c == '-';
		if (!fine)
			return err_set(e, EINVAL, TR("channel %s: the secret is no bot token, which looks like 123456:AbC-_",
						     "渠道 %s：secret 不是机器人令牌（形如 123456:AbC-_）"), t->name);
	}
	int r = part_url(t, channel_telegram.default_url, "", ret, e);
	if (r < 0)
		return r;
	buf_adds(&ret->url, "/bot");
	buf_span(&ret->url, token);
	buf_adds(&ret->url, "/sendMessage");
	return 0;
}

static int telegram_make(const struct channel_target *t, const struct alert *a, bool degraded, int64_t now, struct request *ret,
			 struct err *e)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct json_out j = { .to = &ret->body };

	part_begin(ret, degraded, "application/json");
	if (!span_trim(channel_option(t, "chat_id")).n)
		return part_fail(ret, err_set(e, EINVAL, TR("channel %s: it needs chat_id", "渠道 %s：缺少 chat_id"), t->name));
	int r = telegram_url(t, ret, e);
	if (r < 0)
		return part_fail(ret, r);
	message(t, a, degraded, &text);
	ret->body.bad |= text.bad;
	json_open(&j, '{');
	options_of(t, &j);
	json_key(&j, "text");
	json_str(&j, buf_view(&text));
	if (!degraded)
		part_member(&j, "parse_mode", "HTML");
	json_key(&j, "link_preview_options");
	json_open(&j, '{');
	json_key(&j, "is_disabled");
	json_bool(&j, true);
	json_close(&j, '}');
	json_close(&j, '}');
	return part_end(ret, e);
}

static void moved(struct span id, struct answer *ret)
{
	int64_t number = 0;

	span_int(id, &number);
	answer_set(ret, ANSWER_CONFIG, TR("the Telegram group became a supergroup: set chat_id to %lld", "该 Telegram 群已升级为超级群：请将 chat_id 设为 %lld"),
		   (long long)number);
}

static void telegram_judge(const struct response *r, int64_t now, struct answer *ret)
{
	static const struct answer_row rows[] = {
		{ 400, "chat not found", ANSWER_CONFIG, { "Telegram does not know chat_id: add the bot to the chat and check the number (of groups it is negative)", "Telegram 不认识该 chat_id：请把机器人加入会话并核对编号（群组为负数）" } },
		{ 400, "thread not found", ANSWER_CONFIG, { "Telegram does not know the thread: take its number from the link of the topic", "Telegram 不认识该 thread：请从话题链接中取其编号" } },
		{ 400, "not enough rights", ANSWER_CONFIG, { "the Telegram bot may not write in that chat: an administrator must allow it", "Telegram 机器人无权在该会话发言：请管理员授权" } },
		{ 400, NULL, ANSWER_PAYLOAD, { "Telegram refused the message", "Telegram 拒绝了该消息" } },
		{ 401, NULL, ANSWER_CONFIG, { "Telegram does not know the bot's token (HTTP 401): copy it from @BotFather again", "Telegram 不认识机器人令牌（HTTP 401）：请从 @BotFather 重新复制" } },
		{ 403, "initiate", ANSWER_CONFIG, { "the Telegram bot may not write first: the person must open a chat with it and press Start", "Telegram 机器人不能先发消息：请对方先打开与它的会话并点击“开始”" } },
		{ 403, NULL, ANSWER_CONFIG, { "the Telegram bot was blocked or removed from the chat (HTTP 403): add it again", "Telegram 机器人被屏蔽或已被移出会话（HTTP 403）：请重新加入" } },
		{ 404, NULL, ANSWER_CONFIG, { "Telegram finds no bot by this token (HTTP 404): copy it from @BotFather again", "Telegram 找不到该令牌的机器人（HTTP 404）：请从 @BotFather 重新复制" } },
		{ 429, NULL, ANSWER_LIMITED, { "Telegram: too many messages", "Telegram：消息过多" } },
	};
	char room[400], wait[24];
	struct response as = *r;
	struct span ok, id;
	int64_t code;

	answer_http(r, now, ret);
	if (r->transport)
		return;
	bool said_ok = json_find(r->body, "ok", &ok), good = said_ok && span_eq(ok, S("true"));
	if (ret->class == ANSWER_DELIVERED && r->status == 200 && good)
		return;
	if (json_find(r->body, "parameters.migrate_to_chat_id", &id)) {
		moved(id, ret);
		return;
	}
	if (ret->class == ANSWER_DELIVERED && said_ok && !good && json_find(r->body, "error_code", &id) && span_int(id, &code) && code >= 300 && code < 600) {
		as.status = (int)code; /* a refusal under HTTP 200 */
		answer_http(&as, now, ret);
	}
	if (ret->class == ANSWER_DELIVERED) {
		part_unclear(r, "Telegram", ret);
		return;
	}
	int64_t rest = part_seconds(part_said(r->body, "parameters.retry_after", wait, sizeof(wait)));
	if (rest > ret->wait_ns)
		ret->wait_ns = rest;
	part_rows(&as, rows, ARRAY_LEN(rows), part_said(r->body, "description", room, sizeof(room)), ret);
}

static const char *const options[] = { "chat_id", "thread", "silent", "template_title", "template_body", NULL };

const struct channel_ops channel_telegram = {
	.type = "telegram",
	.title = { "Telegram bot", "Telegram 机器人" },
	.needs_secret = true,
	.per_minute = 20,
	.max_bytes = 32 << 10,
	.options = options,
	.default_url = "https://api.telegram.org",
	.make = telegram_make,
	.judge = telegram_judge,
};
