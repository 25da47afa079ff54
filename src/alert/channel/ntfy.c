#include "alert/channel/chat.h"

#include "base/base64.h"
#include "base/mem.h"
#include "base/text.h"

/* ntfy: the text is the body, all else is headers. It knows no idempotency. */
#define BODY_MAX 4096
#define TITLE_MAX 250
#define WORD_BYTES 42 /* base64 of them, and its frame, fit RFC 2047's 75 characters */

static bool is_ascii(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] < 0x20 || (unsigned char)s.p[i] > 0x7e)
			return false;
	}
	return true;
}

/* Header text: as it is, or RFC 2047's encoded words, cut between code points. */
static void header_text(struct request *r, const char *name, struct span s)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	if (is_ascii(s) && span_find(s, S("=?")) == SPAN_NONE)
		buf_span(&b, s);
	else
		while (s.n) {
			struct span head = utf8_head(s, WORD_BYTES);
			head = head.n ? head : span_head(s, WORD_BYTES);
			buf_adds(&b, b.len ? " =?UTF-8?B?" : "=?UTF-8?B?");
			base64_add(&b, head);
			buf_adds(&b, "?=");
			s = span_from(s, head.n);
		}
	r->headers.bad |= b.bad;
	request_header(r, name, buf_view(&b));
}

struct look {
	const char *priority, *tags;
};

static struct look look_of(const struct alert *a)
{
	if (chat_tone(a) == TONE_GOOD)
		return (struct look){ "3", "white_check_mark,tocsin" };
	if (a->kind == ALERT_PROBE)
		return (struct look){ "2", "bell,tocsin" };
	if (a->severity && !strcmp(a->severity, "note"))
		return (struct look){ "2", "information_source,tocsin" };
	if ((a->severity && !strcmp(a->severity, "warning")) || (a->level && !strcmp(a->level, "L3")))
		return (struct look){ "3", "warning,tocsin" };
	return (struct look){ a->level && !strcmp(a->level, "L1") ? "5" : "4", "rotating_light,tocsin" };
}

static int ntfy_make(const struct channel_target *t, const struct alert *a, bool degraded, int64_t now, struct request *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf topic = { 0 }, title = { 0 }, click = { 0 };
	struct span name = span_trim(channel_option(t, "topic"));
	struct look look = look_of(a);

	part_begin(ret, degraded, "text/plain; charset=utf-8");
	if (name.n) {
		buf_addc(&topic, '/');
		percent_add(&topic, name);
	}
	int r = part_url(t, NULL, buf_str(&topic), ret, e);
	if (r < 0)
		return part_fail(ret, r);
	part_authorization(t, "Bearer", ret);
	chat_title(t, a, TITLE_MAX, &title);
	header_text(ret, "Title", buf_view(&title));
	if (!degraded) {
		request_header(ret, "Priority", span_of(look.priority));
		request_header(ret, "Tags", span_of(look.tags));
		if (alert_link(a->url, &click) && is_ascii(buf_view(&click)))
			request_header(ret, "Click", buf_view(&click));
	}
	chat_text(t, a, FORM_PLAIN, degraded ? 1000 : BODY_MAX, &ret->body);
	if (!ret->body.len) /* an empty body would be told as "triggered" */
		buf_span(&ret->body, buf_view(&title));
	ret->url.bad |= topic.bad;
	ret->headers.bad |= title.bad || click.bad;
	return part_end(ret, e);
}

static void ntfy_judge(const struct response *r, int64_t now, struct answer *ret)
{
	static const struct answer_row rows[] = {
		{ 401, NULL, ANSWER_CONFIG, { "ntfy does not know the token or password (HTTP 401): check secret, and user", "ntfy 不认识该令牌或密码（HTTP 401）：请检查 secret 和 user" } },
		{ 403, NULL, ANSWER_CONFIG, { "ntfy: this topic may not be written to (HTTP 403): check topic, and the rights of the token", "ntfy：无权写入该主题（HTTP 403）：请检查 topic 和令牌的权限" } },
		{ 413, NULL, ANSWER_PAYLOAD, { "the message is too large for ntfy (HTTP 413)", "消息超过 ntfy 的上限（HTTP 413）" } },
		{ 429, "42908", ANSWER_CONFIG, { "ntfy: the day's quota is used up; pay, wait, or use a server of your own", "ntfy：当日配额已用完；请付费、等待或自建服务器" } },
		{ 429, NULL, ANSWER_LIMITED, { "ntfy: too many messages", "ntfy：消息过多" } },
		{ 507, NULL, ANSWER_RETRY, { "ntfy has no room (HTTP 507)", "ntfy 空间不足（HTTP 507）" } },
	};
	char said[400];

	answer_http(r, now, ret);
	if (r->transport)
		return;
	if (ret->class == ANSWER_DELIVERED) {
		if (r->status != 200 || part_html(r->body))
			part_unclear(r, "ntfy", ret);
		return;
	}
	part_rows(r, rows, ARRAY_LEN(rows), part_said(r->body, "error", said, sizeof(said)), ret);
}

static const char *const options[] = { "topic", "user", "template_title", "template_body", NULL };

const struct channel_ops channel_ntfy = {
	.type = "ntfy",
	.title = { "ntfy", "ntfy" },
	.needs_url = true,
	.per_minute = 12,
	.max_bytes = BODY_MAX,
	.options = options,
	.make = ntfy_make,
	.judge = ntfy_judge,
};
