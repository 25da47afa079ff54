#include "alert/channel/chat.h"

#include <stdio.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

/* Feishu's and Lark's custom bot: a card; the body has at most 20 KB. The signature stands in the body, in seconds. */
#define BODY_MAX 20000
#define TEXT_MAX 6000
#define PLAIN_MAX 1200
#define TITLE_MAX 200

static const char *const colour[] = { [TONE_BAD] = "red", [TONE_WARN] = "orange", [TONE_GOOD] = "green", [TONE_NOTE] = "blue" };

/* Key and message change places here: the time and the secret are the key, and nothing is signed. */
static void put_signature(struct json_out *j, struct span secret, int64_t now)
{
	struct buf key = { 0 }, sign = { 0 };
	unsigned char mac[SHA256_SIZE];
	char seconds[24];

	snprintf(seconds, sizeof(seconds), "%lld", (long long)(now / NSEC_PER_SEC));
	if (buf_need(&key, secret.n + sizeof(seconds) + 1)) {
		buf_adds(&key, seconds);
		buf_addc(&key, '\n');
		buf_span(&key, secret);
		hmac_sha256(buf_view(&key), (struct span){ 0 }, mac);
		base64_add(&sign, (struct span){ (const char *)mac, sizeof(mac) });
		explicit_bzero(key.p, key.cap);
	}
	j->to->bad |= key.bad || sign.bad;
	json_key(j, "timestamp");
	json_strz(j, seconds);
	json_key(j, "sign");
	json_str(j, buf_view(&sign));
	buf_free(&key);
	buf_free(&sign);
}

/* Cards write <at id=…>, text messages <at user_id="…">. */
static void name_people(const struct chat_at *at, bool plain, struct buf *ret)
{
	size_t n = at->n + at->all;

	for (size_t i = 0; i < n; i++) {
		const char *id = i < at->n ? at->ids[i] : "all";
		if (strpbrk(id, "<>\"'& \n"))
			continue;
		buf_addf(ret, plain ? "%s<at user_id=\"%s\"></at>" : "%s<at id=%s></at>", i ? " " : "\n", id);
	}
}

static void put_element(struct json_out *j, const char *tag, const char *key, struct span text)
{
	json_key(j, "tag");
	json_strz(j, tag);
	json_key(j, key);
	json_str(j, text);
}

static void put_button(struct json_out *j, enum lang lang, struct span link)
{
	json_open(j, '{');
	json_key(j, "tag");
	json_strz(j, "action");
	json_key(j, "actions");
	json_open(j, '[');
	json_open(j, '{');
	json_key(j, "tag");
	json_strz(j, "button");
	json_key(j, "text");
	json_open(j, '{');
	put_element(j, "plain_text", "content", span_of(lang_text(lang, "Open the run", "查看运行")));
	json_close(j, '}');
	json_key(j, "type");
	json_strz(j, "primary");
	json_key(j, "url");
	json_str(j, link);
	json_close(j, '}');
	json_close(j, ']');
	json_close(j, '}');
}

static void put_card(struct json_out *j, const struct alert *a, enum lang lang, struct span title, struct span text, struct span link)
{
	json_strz(j, "interactive");
	json_key(j, "card");
	json_open(j, '{');
	json_key(j, "config");
	json_open(j, '{');
	json_key(j, "wide_screen_mode");
	json_bool(j, true);
	json_close(j, '}');
	json_key(j, "header");
	json_open(j, '{');
	json_key(j, "title");
	json_open(j, '{');
	put_element(j, "plain_text", "content", title);
	json_close(j, '}');
	json_key(j, "template");
	json_strz(j, colour[chat_tone(a)]);
	json_close(j, '}');
	json_key(j, "elements");
	json_open(j, '[');
	json_open(j, '{');
	put_element(j, "markdown", "content", text);
	json_close(j, '}');
	if (link.n)
		put_button(j, lang, link);
	json_close(j, ']');
	json_close(j, '}');
}

static void put_plain(struct json_out *j, struct span text)
{
	json_strz(j, "text");
	json_key(j, "content");
	json_open(j, '{');
	json_key(j, "text");
	json_str(j, text);
	json_close(j, '}');
}

static void write_text(const struct channel_target *t, const struct alert *a, bool plain, size_t max, struct span title, struct buf *ret)
{
	CLEANUP(buf_free) struct buf people = { 0 };
	struct chat_at at;

	if (plain) { /* a card has it in its head */
		buf_span(ret, title);
		buf_adds(ret, "\n");
	}
	chat_text(t, a, plain ? FORM_PLAIN : FORM_MARKDOWN, max, ret);
	text_break(ret, 0, S("<at"));
	chat_keyword(t, title, buf_view(ret), "\n", ret);
	chat_at(t, a, &at);
	name_people(&at, plain, &people);
	buf_span(ret, buf_view(&people));
	ret->bad |= people.bad;
}

static void write_body(const struct channel_target *t, const struct alert *a, bool plain, size_t max, int64_t now, struct buf *ret)
{
	CLEANUP(buf_free) struct buf title = { 0 }, text = { 0 }, link = { 0 };
	struct json_out j = { .to = ret };

	chat_title(t, a, TITLE_MAX, &title);
	text_break(&title, 0, S("<at"));
	write_text(t, a, plain, max, buf_view(&title), &text);
	alert_link(a->url, &link);
	json_open(&j, '{');
	if (t->secret.n)
		put_signature(&j, span_trim(t->secret), now);
	json_key(&j, "msg_type");
	if (plain)
		put_plain(&j, buf_view(&text));
	else
		put_card(&j, a, t->lang, buf_view(&title), buf_view(&text), buf_view(&link));
	json_close(&j, '}');
	ret->bad |= title.bad || text.bad || link.bad;
}

static int make(const struct channel_target *t, const struct alert *a, bool degraded, int64_t now, struct request *ret, struct err *e)
{
	int r;

	part_begin(ret, degraded, "application/json; charset=utf-8");
	r = chat_url(t, 1, ret, e);
	if (r < 0)
		return part_fail(ret, r);
	for (size_t max = degraded ? PLAIN_MAX : TEXT_MAX;; max /= 2) {
		buf_clear(&ret->body);
		write_body(t, a, degraded, max, now, &ret->body);
		if (ret->body.bad || ret->body.len <= BODY_MAX || max < 200)
			break;
	}
	return part_end(ret, e);
}

static const struct code_row codes[] = {
	{ 11232, NULL, ANSWER_LIMITED, 30, false, { "too many messages (100 a minute, 5 a second): Feishu makes the bot wait", "消息过多（每分钟 100 条、每秒 5 条）：飞书要求等待" } },
	{ 9499, "limit|frequency|too many|too fast|限流|频率", ANSWER_LIMITED, 30, false, { "too many messages: Feishu makes the bot wait", "消息过多：飞书要求等待" } },
	{ 9499, NULL, ANSWER_PAYLOAD, 0, false, { "Feishu does not understand the message, or it is larger than 20 KB", "飞书无法解析该消息，或消息超过 20 KB" } },
	{ 19001, NULL, ANSWER_CONFIG, 0, false, { "Feishu knows no bot with this token: copy the webhook address of the bot again", "飞书没有此 token 对应的机器人：请重新复制机器人的 Webhook 地址" } },
	{ 19021, NULL, ANSWER_CONFIG, 0, true,
	  { "the signature does not match or is older than an hour: check the channel's `secret` against the bot's, and set the clock (NTP)", "签名不匹配或超过 1 小时：请核对渠道的 secret 与机器人的签名密钥，并校准时钟（NTP）" } },
	{ 19022, NULL, ANSWER_CONFIG, 0, false, { "this machine's public IP is not in the bot's list: add it in the bot's security settings", "本机公网 IP 不在机器人的白名单中：请在机器人的安全设置中添加" } },
	{ 19024, NULL, ANSWER_CONFIG, 0, false, { "the bot wants one of its keywords: write one of them as the channel's `keyword`", "机器人要求消息包含关键词：请在渠道的 keyword 中填写其中一个" } },
	{ 19002, NULL, ANSWER_PAYLOAD, 0, false, { "Feishu does not accept a part of the message", "飞书不接受消息中的某个参数" } },
	{ CODE_ANY, "too fast|frequency limit|限流|频率", ANSWER_LIMITED, 30, false, { "too many messages: Feishu makes the bot wait", "消息过多：飞书要求等待" } },
};

static void judge(const struct response *r, int64_t now, struct answer *ret)
{
	int64_t code;
	struct span any;
	bool old = !json_find(r->body, "code", &any) && answer_number(r->body, "StatusCode", &code);

	chat_judge(codes, ARRAY_LEN(codes), old ? "StatusCode" : "code", old ? "StatusMessage" : "msg", r, now, ret);
}

static const char *const options[] = { "keyword", "template_title", "template_body", "at_all", NULL };

const struct channel_ops channel_feishu = {
	.type = "feishu", .title = { "Feishu, Lark", "飞书" }, .needs_url = true, .per_minute = 100, .max_bytes = BODY_MAX,
	.options = options, .make = make, .judge = judge,
};
