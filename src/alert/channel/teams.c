#include "alert/channel/chat.h"

#include <stdio.h>

#include "base/mem.h"

/*
 * Microsoft Teams, by a workflow's webhook: an adaptive card. Foreign text stands in text runs, which Teams takes as it is;
 * only what is ours (mentions) stands in a text block, which it reads as Markdown. It knows no idempotency.
 */
#define CARD_MAX (27 << 10) /* of 28 KB */
#define LINES_MAX 80
#define MENTIONS_MAX 10

static void member(struct json_out *j, const char *key, const char *value)
{
	json_key(j, key);
	json_strz(j, value);
}

struct run {
	const char *weight, *color, *spacing, *size;
};

static void block(struct json_out *j, struct span text, const struct run *how)
{
	json_open(j, '{');
	member(j, "type", "RichTextBlock");
	if (how->spacing)
		member(j, "spacing", how->spacing);
	json_key(j, "inlines");
	json_open(j, '[');
	json_open(j, '{');
	member(j, "type", "TextRun");
	json_key(j, "text");
	json_str(j, text);
	if (how->weight)
		member(j, "weight", how->weight);
	if (how->size)
		member(j, "size", how->size);
	if (how->color)
		member(j, "color", how->color);
	json_close(j, '}');
	json_close(j, ']');
	json_close(j, '}');
}

static const char *color_of(const struct alert *a)
{
	static const char *const colors[] = { [TONE_BAD] = "Attention", [TONE_WARN] = "Warning", [TONE_GOOD] = "Good", [TONE_NOTE] = "Accent" };

	return colors[chat_tone(a)];
}

static void lines(struct span text, struct json_out *j)
{
	static const struct run first = { .spacing = "Small" }, next = { .spacing = "None" };
	size_t n = 0;

	while (text.n && n < LINES_MAX) {
		struct span line = span_cut(&text, '\n');
		if (line.n)
			block(j, line, n ? &next : &first);
		n++;
	}
}

static void mentioned(const struct mention *const *who, size_t n, bool entities, struct json_out *j)
{
	CLEANUP(buf_free) struct buf all = { 0 };

	for (size_t i = 0; i < n; i++) {
		CLEANUP(buf_free) struct buf at = { 0 };
		buf_addf(&at, "<at>%s</at>", part_name(who[i]));
		buf_addf(&all, "%s%s", i ? " " : "", buf_str(&at));
		j->to->bad |= at.bad || all.bad;
		if (!entities)
			continue;
		json_open(j, '{');
		member(j, "type", "mention");
		member(j, "text", buf_str(&at));
		json_key(j, "mentioned");
		json_open(j, '{');
		member(j, "id", who[i]->id);
		member(j, "name", part_name(who[i]));
		json_close(j, '}');
		json_close(j, '}');
	}
	if (entities || !n)
		return;
	json_open(j, '{');
	member(j, "type", "TextBlock");
	member(j, "text", buf_str(&all));
	json_key(j, "wrap");
	json_bool(j, true);
	json_close(j, '}');
}

static void actions(const struct channel_target *t, const struct alert *a, struct json_out *j)
{
	CLEANUP(buf_free) struct buf url = { 0 };

	if (alert_link(a->url, &url)) {
		json_key(j, "actions");
		json_open(j, '[');
		json_open(j, '{');
		member(j, "type", "Action.OpenUrl");
		member(j, "title", lang_text(t->lang, "Open the run", "查看运行"));
		json_key(j, "url");
		json_str(j, buf_view(&url));
		json_close(j, '}');
		json_close(j, ']');
	}
	j->to->bad |= url.bad;
}

static void card(const struct channel_target *t, const struct alert *a, bool degraded, size_t max, struct json_out *j)
{
	CLEANUP(buf_free) struct buf title = { 0 }, text = { 0 };
	const struct run head = { "Bolder", color_of(a), NULL, "Medium" };
	const struct mention *who[MENTIONS_MAX];
	size_t n = degraded ? 0 : part_mentions(t, a, who, ARRAY_LEN(who));

	chat_title(t, a, 400, &title);
	chat_text(t, a, FORM_PLAIN, max, &text);
	json_open(j, '{');
	member(j, "$schema", "http://adaptivecards.io/schemas/adaptive-card.json");
	member(j, "type", "AdaptiveCard");
	member(j, "version", "1.4");
	json_key(j, "body");
	json_open(j, '[');
	block(j, buf_view(&title), &head);
	lines(buf_view(&text), j);
	mentioned(who, n, false, j);
	json_close(j, ']');
	if (!degraded)
		actions(t, a, j);
	json_key(j, "msteams");
	json_open(j, '{');
	member(j, "width", "Full");
	if (n) {
		json_key(j, "entities");
		json_open(j, '[');
		mentioned(who, n, true, j);
		json_close(j, ']');
	}
	json_close(j, '}');
	json_close(j, '}');
	j->to->bad |= title.bad || text.bad;
}

static void message(const struct channel_target *t, const struct alert *a, bool degraded, size_t max, struct buf *ret)
{
	struct json_out j = { .to = ret };

	json_open(&j, '{');
	member(&j, "type", "message");
	json_key(&j, "attachments");
	json_open(&j, '[');
	json_open(&j, '{');
	member(&j, "contentType", "application/vnd.microsoft.card.adaptive");
	json_key(&j, "contentUrl");
	json_null(&j);
	json_key(&j, "content");
	card(t, a, degraded, max, &j);
	json_close(&j, '}');
	json_close(&j, ']');
	json_close(&j, '}');
}

static int teams_make(const struct channel_target *t, const struct alert *a, bool degraded, int64_t now, struct request *ret, struct err *e)
{
	size_t max = degraded ? 1000 : 12000;

	part_begin(ret, degraded, "application/json");
	int r = part_url(t, NULL, "", ret, e);
	if (r < 0)
		return part_fail(ret, r);
	for (;; max /= 2) { /* lines and quotes cost more than their bytes */
		message(t, a, degraded, max, &ret->body);
		if (ret->body.bad || ret->body.len <= CARD_MAX || max < 200)
			break;
		buf_clear(&ret->body);
	}
	return part_end(ret, e);
}

/* What the connectors that came before said under HTTP 200: "… returned HTTP error 429 with …". */
static void legacy(const struct response *r, int64_t now, struct answer *ret)
{
	struct span tail = span_from(r->body, span_find(r->body, S("HTTP error ")));
	struct response as = *r;
	int64_t status;

	if (span_skip(&tail, S("HTTP error ")) && span_int(span_head(tail, 3), &status) && status >= 300 && status < 600) {
		as.status = (int)status;
		answer_http(&as, now, ret);
		return;
	}
	answer_set(ret, ANSWER_AMBIGUOUS, "%s", TR("Teams: HTTP 200, but with words that are no success", "Teams：HTTP 200，但内容并非成功"));
	answer_quote(ret, r->body);
}

static void teams_judge(const struct response *r, int64_t now, struct answer *ret)
{
	static const struct answer_row rows[] = {
		{ 401, NULL, ANSWER_CONFIG, { "Teams refused the url's signature (HTTP 401); the flow's trigger must allow \"Anyone\"", "Teams 拒绝了 url 的签名（HTTP 401）；流的触发器须允许“任何人”" } },
		{ 403, NULL, ANSWER_CONFIG, { "Teams does not allow it (HTTP 403); the flow's trigger must allow \"Anyone\"", "Teams 不允许（HTTP 403）；流的触发器须允许“任何人”" } },
		{ 404, NULL, ANSWER_CONFIG, { "Teams has no such flow (HTTP 404), it was deleted or switched off: switch it on, or write a new one's address into url", "Teams 没有该流（HTTP 404，已被删除或停用）：请启用它，或新建一个并更新 url" } },
		{ 400, NULL, ANSWER_PAYLOAD, { "the flow does not take the card (HTTP 400): it must begin with \"When a Teams webhook request is received\"", "流不接受该卡片（HTTP 400）：其触发器须为“收到 Teams Webhook 请求时”" } },
		{ 413, NULL, ANSWER_PAYLOAD, { "the card is too large for Teams (HTTP 413)", "卡片超过 Teams 的上限（HTTP 413）" } },
		{ 429, NULL, ANSWER_LIMITED, { "Teams: too many messages", "Teams：消息过多" } },
	};
	struct span body = span_trim(r->body);
	bool plain;

	answer_http(r, now, ret);
	if (r->transport || part_rows(r, rows, ARRAY_LEN(rows), (struct span){ 0 }, ret) || ret->class != ANSWER_DELIVERED)
		return;
	plain = !body.n || span_eq(body, S("1")) || span_starts(body, S("{")) || span_starts(body, S("["));
	if (r->status == 202 && !part_html(body))
		answer_set(ret, ANSWER_DELIVERED, TR("Teams has queued it", "Teams 已将其排队"));
	else if (part_html(body))
		part_unclear(r, "Teams", ret);
	else if (!plain || span_find(body, S("HTTP error ")) != SPAN_NONE)
		legacy(r, now, ret);
}

static const char *const options[] = { "template_title", "template_body", NULL };

const struct channel_ops channel_teams = {
	.type = "teams",
	.title = { "Microsoft Teams", "Microsoft Teams" },
	.needs_url = true,
	.per_minute = 60, /* 4 a second is documented; a person reads */
	.max_bytes = 28 << 10,
	.options = options,
	.make = teams_make,
	.judge = teams_judge,
};
