#include "alert/channel/chat.h"

#include <errno.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

/*
 * DingTalk's custom robot. Its documents do not agree on how long a message may be: 5000 is the least of what they say, and
 * bytes are never fewer than characters. Twenty messages a minute; who sends more is blocked for ten.
 */
#define TEXT_MAX 4900
#define PLAIN_MAX 1200
#define TITLE_POINTS 64 /* of what notifications show */
#define TITLE_MAX 200
#define SIGN_MAX 160

/* A stored address may be one that was signed before: the old signature goes, or it would grow with every attempt. */
static void drop_signature(struct buf *url)
{
	size_t ask = span_chr(buf_view(url), '?');
	struct span rest;

	if (ask == SPAN_NONE)
		return;
	rest = span_from(buf_view(url), ask + 1);
	url->len = ask;
	for (char join = '?'; rest.n;) {
		struct span one = span_cut(&rest, '&');
		if (!one.n || span_starts(one, S("timestamp=")) || span_starts(one, S("sign=")))
			continue;
		url->p[url->len++] = join;
		memmove(url->p + url->len, one.p, one.n); /* only ever to the left */
		url->len += one.n;
		join = '&';
	}
	url->p[url->len] = '\0';
}

static void sign_url(struct buf *url, struct span secret, int64_t now)
{
	struct buf text = { 0 }, sign = { 0 };
	unsigned char mac[SHA256_SIZE];
	long long ms = now / NSEC_PER_MSEC;

	if (buf_need(&text, secret.n + 32)) {
		buf_addf(&text, "%lld\n", ms);
		buf_span(&text, secret);
		hmac_sha256(secret, buf_view(&text), mac);
		base64_add(&sign, (struct span){ (const char *)mac, sizeof(mac) });
		explicit_bzero(text.p, text.cap);
	}
	if (text.bad || sign.bad) {
		url->bad = true;
	} else {
		buf_addf(url, "%ctimestamp=%lld&sign=", span_chr(buf_view(url), '?') == SPAN_NONE ? '?' : '&', ms);
		percent_add(url, buf_view(&sign));
	}
	buf_free(&text);
	buf_free(&sign);
}

/* "@13800000000 @user": who is not named in the text is not told. */
static void name_people(const struct chat_at *at, struct buf *ret)
{
	for (size_t i = 0; i < at->n; i++) {
		buf_adds(ret, i ? " @" : "\n\n@");
		buf_adds(ret, at->ids[i]);
	}
}

static void put_people(struct json_out *j, const struct chat_at *at)
{
	json_key(j, "at");
	json_open(j, '{');
	for (int phones = 1; phones >= 0; phones--) {
		json_key(j, phones ? "atMobiles" : "atUserIds");
		json_open(j, '[');
		for (size_t i = 0; i < at->n; i++) {
			if (chat_phone(at->ids[i]) == (phones == 1))
				json_strz(j, at->ids[i]);
		}
		json_close(j, ']');
	}
	json_key(j, "isAtAll");
	json_bool(j, at->all);
	json_close(j, '}');
}

/* Title, text, who is called, keyword; the text gets what the others leave. */
static void write_text(const struct channel_target *t, const struct alert *a, const struct chat_at *at, bool plain, struct span title, struct buf *ret)
{
	CLEANUP(buf_free) struct buf body = { 0 }, people = { 0 }, keyword = { 0 };
	size_t max = plain ? PLAIN_MAX : TEXT_MAX;

	name_people(at, &people);
	if (plain) {
		buf_span(ret, title);
	} else {
		buf_adds(ret, "### ");
		alert_escape(title, FORM_MARKDOWN, ret);
	}
	buf_adds(ret, "\n\n");
	size_t used = ret->len + people.len + 210; /* 210: the keyword */
	chat_text(t, a, plain ? FORM_PLAIN : FORM_MARKDOWN, used + 100 < max ? max - used : 100, &body);
	chat_keyword(t, buf_view(ret), buf_view(&body), "\n\n", &keyword);
	buf_span(ret, buf_view(&body));
	buf_span(ret, buf_view(&people));
	buf_span(ret, buf_view(&keyword));
	ret->bad |= body.bad || people.bad || keyword.bad;
}

static void put_card(struct json_out *j, const struct channel_target *t, struct span title, struct span text, struct span link)
{
	json_strz(j, "actionCard");
	json_key(j, "actionCard");
	json_open(j, '{');
	json_key(j, "title");
	json_str(j, title);
	json_key(j, "text");
	json_str(j, text);
	json_key(j, "singleTitle");
	json_strz(j, lang_text(t->lang, "Open the run", "查看运行"));
	json_key(j, "singleURL");
	json_str(j, link);
	json_close(j, '}');
}

static void put_markdown(struct json_out *j, struct span title, struct span text)
{
	json_strz(j, "markdown");
	json_key(j, "markdown");
	json_open(j, '{');
	json_key(j, "title");
	json_str(j, title);
	json_key(j, "text");
	json_str(j, text);
	json_close(j, '}');
}

static void put_plain(struct json_out *j, struct span text)
{
	json_strz(j, "text");
	json_key(j, "text");
	json_open(j, '{');
	json_key(j, "content");
	json_str(j, text);
	json_close(j, '}');
}

/* A card has a button but calls nobody: with somebody to call it is markdown. */
static void write_body(const struct channel_target *t, const struct alert *a, bool plain, struct buf *ret)
{
	CLEANUP(buf_free) struct buf title = { 0 }, brief = { 0 }, text = { 0 }, link = { 0 };
	struct json_out j = { .to = ret };
	struct chat_at at;

	chat_at(t, a, &at);
	chat_title(t, a, TITLE_MAX, &title);
	write_text(t, a, &at, plain, buf_view(&title), &text);
	chat_title_points(t, a, TITLE_POINTS, &brief);
	bool button = alert_link(a->url, &link);
	json_open(&j, '{');
	json_key(&j, "msgUuid"); /* the same on every attempt: a message that came through is not shown twice */
	json_strz(&j, a->id);
	json_key(&j, "msgtype");
	if (plain)
		put_plain(&j, buf_view(&text));
	else if (button && !at.n && !at.all)
		put_card(&j, t, buf_view(&brief), buf_view(&text), buf_view(&link));
	else
		put_markdown(&j, buf_view(&brief), buf_view(&text));
	put_people(&j, &at);
	json_close(&j, '}');
	ret->bad |= title.bad || brief.bad || text.bad || link.bad;
}

static int make(const struct channel_target *t, const struct alert *a, bool degraded, int64_t now, struct request *ret, struct err *e)
{
	int r;

	part_begin(ret, degraded, "application/json; charset=utf-8");
	r = chat_url(t, SIGN_MAX, ret, e);
	if (r < 0)
		return part_fail(ret, r);
	if (t->secret.n && !ret->url.bad) {
		drop_signature(&ret->url);
		sign_url(&ret->url, span_trim(t->secret), now);
	}
	write_body(t, a, degraded, &ret->body);
	return part_end(ret, e);
}

/* Published tables of codes do not agree, so the words of a limit count whatever the code is. */
static const struct code_row codes[] = {
	{ 460101, NULL, ANSWER_PAYLOAD, 0, false, { "the message is too long for DingTalk", "消息过长，钉钉不接受" } },
	{ CODE_ANY, "too fast|限流|exceed 20 times|频率|too many", ANSWER_LIMITED, 600, false,
	  { "more than 20 messages a minute: DingTalk blocks the robot for 10 minutes, then it goes on", "每分钟超过 20 条：钉钉会限流该机器人 10 分钟，之后继续发送" } },
	{ 130101, NULL, ANSWER_LIMITED, 600, false,
	  { "more than 20 messages a minute: DingTalk blocks the robot for 10 minutes, then it goes on", "每分钟超过 20 条：钉钉会限流该机器人 10 分钟，之后继续发送" } },
	{ 410100, NULL, ANSWER_LIMITED, 600, false,
	  { "throttled by DingTalk: it goes on after 10 minutes", "已被钉钉限流：10 分钟后继续发送" } },
	{ -1, NULL, ANSWER_RETRY, 0, false, { "DingTalk is busy", "钉钉系统繁忙" } },
	{ 310000, "keyword|关键词", ANSWER_CONFIG, 0, false,
	  { "the robot wants one of its keywords: write one of them as the channel's `keyword`", "机器人要求消息包含关键词：请在渠道的 keyword 中填写其中一个" } },
	{ 310000, "timestamp|过期|expired", ANSWER_CONFIG, 0, true,
	  { "the signature is too old or from the future: set this machine's clock (NTP)", "签名已过期或时间戳无效：请校准本机时钟（NTP）" } },
	{ 310000, "sign|签名", ANSWER_CONFIG, 0, true,
	  { "the signature does not match: check the channel's `secret` (SEC…) against the robot's security settings, and the clock", "签名不匹配：请核对渠道的 secret（SEC…）与机器人的加签密钥，并检查时钟" } },
	{ 310000, "whitelist|white list|白名单|ip", ANSWER_CONFIG, 0, false,
	  { "this machine's public IP is not in the robot's list: add it in the robot's security settings", "本机公网 IP 不在机器人的白名单中：请在机器人的安全设置中添加" } },
	{ 310000, NULL, ANSWER_CONFIG, 0, true,
	  { "the robot's security settings refused it: check keyword, signature and IP list", "被机器人的安全设置拒绝：请检查关键词、加签和 IP 白名单" } },
	{ 300001, NULL, ANSWER_CONFIG, 0, false, { "DingTalk knows no robot with this access_token: copy the address of the robot again", "钉钉没有此 access_token 对应的机器人：请重新复制机器人地址" } },
	{ 300005, NULL, ANSWER_CONFIG, 0, false, { "DingTalk knows no robot with this access_token: copy the address of the robot again", "钉钉没有此 access_token 对应的机器人：请重新复制机器人地址" } },
	{ 400101, NULL, ANSWER_CONFIG, 0, false, { "DingTalk knows no robot with this access_token: copy the address of the robot again", "钉钉没有此 access_token 对应的机器人：请重新复制机器人地址" } },
	{ 400102, NULL, ANSWER_CONFIG, 0, false, { "the robot was stopped: start it again in the group's settings", "机器人已停用：请在群设置中重新启用" } },
	{ 400106, NULL, ANSWER_CONFIG, 0, false, { "the robot was removed: add a new one to the group", "机器人已被移除：请在群中重新添加" } },
	{ 400013, NULL, ANSWER_CONFIG, 0, false, { "the group was dissolved: make a robot in another one", "群已解散：请在其他群中新建机器人" } },
	{ 88, NULL, ANSWER_CONFIG, 0, false, { "DingTalk does not accept the token: check url", "钉钉鉴权失败：请检查 url" } },
	{ 40035, NULL, ANSWER_PAYLOAD, 0, false, { "DingTalk does not understand the message", "钉钉无法解析该消息" } },
	{ 43004, NULL, ANSWER_PAYLOAD, 0, false, { "DingTalk does not take this kind of content", "钉钉不接受此 Content-Type" } },
	{ 400105, NULL, ANSWER_PAYLOAD, 0, false, { "DingTalk does not know this kind of message", "钉钉不支持此消息类型" } },
	{ 430101, NULL, ANSWER_PAYLOAD, 0, false, { "DingTalk holds a link in the message for unsafe", "钉钉认为消息中含不安全的链接" } },
	{ 430102, NULL, ANSWER_PAYLOAD, 0, false, { "DingTalk holds the text of the message for unsafe", "钉钉认为消息中含不合适的文本" } },
	{ 430103, NULL, ANSWER_PAYLOAD, 0, false, { "DingTalk holds a picture in the message for unsafe", "钉钉认为消息中含不合适的图片" } },
	{ 430104, NULL, ANSWER_PAYLOAD, 0, false, { "DingTalk holds the content of the message for unsafe", "钉钉认为消息中含不合适的内容" } },
	{ CODE_ANY, "limit", ANSWER_LIMITED, 600, false,
	  { "DingTalk says that a limit was reached: it goes on after 10 minutes", "钉钉提示达到限制：10 分钟后继续发送" } },
};

static void judge(const struct response *r, int64_t now, struct answer *ret)
{
	chat_judge(codes, ARRAY_LEN(codes), "errcode", "errmsg", r, now, ret);
}

static const char *const options[] = { "keyword", "template_title", "template_body", "at_all", NULL };

const struct channel_ops channel_dingtalk = {
	.type = "dingtalk", .title = { "DingTalk", "钉钉" }, .needs_url = true, .idempotent = true, .per_minute = 20, .max_bytes = 20000,
	.options = options, .make = make, .judge = judge,
};
