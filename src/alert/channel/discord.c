#include "alert/channel/chat.h"

#include "base/mem.h"
#include "base/time.h"

/* A Discord webhook. With wait=true it answers with the message that it has kept; without, nothing says that it did. */
#define CONTENT_MAX 1000 /* of 2000 */
#define TITLE_MAX 256
#define DESCRIPTION_MAX 4096 /* all of an embed: 6000 */
#define MENTIONS_MAX 20

static int color_of(const struct alert *a)
{
	static const int colors[] = { [TONE_BAD] = 0xc62828, [TONE_WARN] = 0xef6c00, [TONE_GOOD] = 0x2e7d32, [TONE_NOTE] = 0x1565c0 };

	return colors[chat_tone(a)];
}

static bool is_role(const struct mention *m)
{
	return m->id[0] == '&';
}

static bool is_number(const char *z)
{
	int64_t v;

	return span_int(span_of(z), &v) && v > 0;
}

/* Ids of users, and of roles as "&ID"; others are no ids. */
static size_t people(const struct channel_target *t, const struct alert *a, const struct mention **ret)
{
	size_t n = part_mentions(t, a, ret, MENTIONS_MAX), kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (is_number(ret[i]->id + is_role(ret[i])))
			ret[kept++] = ret[i];
	}
	return kept;
}

/* Nobody but those is called, whatever the text says. */
static void allowed(const struct mention *const *who, size_t n, struct json_out *j)
{
	json_key(j, "allowed_mentions");
	json_open(j, '{');
	json_key(j, "parse");
	json_open(j, '[');
	json_close(j, ']');
	for (int roles = 0; roles < 2; roles++) {
		bool open = false;
		for (size_t i = 0; i < n; i++) {
			if (is_role(who[i]) != roles)
				continue;
			if (!open) {
				json_key(j, roles ? "roles" : "users");
				json_open(j, '[');
				open = true;
			}
			json_strz(j, who[i]->id + roles);
		}
		if (open)
			json_close(j, ']');
	}
	json_close(j, '}');
}

/* An embed's title is read as Markdown too: escaped, it must still fit. */
static void heading(const struct channel_target *t, const struct alert *a, struct buf *ret)
{
	for (size_t max = TITLE_MAX;; max /= 2) {
		CLEANUP(buf_free) struct buf title = { 0 };
		buf_clear(ret);
		chat_title_units(t, a, max, UNIT_UTF16, &title);
		alert_escape(buf_view(&title), FORM_MARKDOWN, ret);
		ret->bad |= title.bad;
		if (part_count(buf_view(ret), UNIT_UTF16) <= TITLE_MAX || max < 16)
			return;
	}
}

static void embed(const struct channel_target *t, const struct alert *a, struct json_out *j)
{
	CLEANUP(buf_free) struct buf title = { 0 }, text = { 0 };
	char at[32];

	heading(t, a, &title);
	chat_text_units(t, a, FORM_MARKDOWN, DESCRIPTION_MAX, UNIT_UTF16, &text);
	time_rfc3339(a->at, at);
	json_key(j, "embeds");
	json_open(j, '[');
	json_open(j, '{');
	json_key(j, "title");
	json_str(j, buf_view(&title));
	json_key(j, "description");
	json_str(j, (struct span){ buf_str(&text), text.len });
	part_url_member(j, "url", a->url);
	json_key(j, "color");
	json_int(j, color_of(a));
	part_member(j, "timestamp", at);
	json_close(j, '}');
	json_close(j, ']');
	j->to->bad |= title.bad || text.bad;
}

static void content(const struct channel_target *t, const struct alert *a, const struct mention *const *who, size_t n, bool degraded,
		    struct json_out *j)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "<@%s> ", who[i]->id);
	if (degraded) {
		CLEANUP(buf_free) struct buf title = { 0 };
		heading(t, a, &title);
		buf_span(&b, buf_view(&title));
		buf_addc(&b, '\n');
		b.bad |= title.bad;
		size_t used = part_count(buf_view(&b), UNIT_UTF16);
		chat_text_units(t, a, FORM_MARKDOWN, used < CONTENT_MAX ? CONTENT_MAX - used : 0, UNIT_UTF16, &b);
	}
	if (b.len) {
		json_key(j, "content");
		json_str(j, buf_view(&b));
	}
	j->to->bad |= b.bad;
}

static int discord_make(const struct channel_target *t, const struct alert *a, bool degraded, int64_t now, struct request *ret, struct err *e)
{
	const struct mention *who[MENTIONS_MAX];
	struct json_out j = { .to = &ret->body };
	size_t n = people(t, a, who);

	part_begin(ret, degraded, "application/json");
	int r = part_url(t, NULL, "", ret, e);
	if (r < 0)
		return part_fail(ret, r);
	part_query(ret, "wait", "true");
	json_open(&j, '{');
	content(t, a, who, n, degraded, &j);
	if (!degraded)
		embed(t, a, &j);
	allowed(who, n, &j);
	json_close(&j, '}');
	return part_end(ret, e);
}

/* A bucket that is empty: how long until it is not. */
static int64_t bucket_wait(const struct response *r)
{
	return span_eq(response_header(r, "X-RateLimit-Remaining"), S("0")) ? part_seconds(response_header(r, "X-RateLimit-Reset-After")) : 0;
}

static void discord_judge(const struct response *r, int64_t now, struct answer *ret)
{
	static const struct answer_row by_code[] = {
		{ 10015, NULL, ANSWER_CONFIG, { "the Discord webhook was deleted: make a new one in the channel's settings and write its address into url", "该 Discord webhook 已被删除：请在频道设置中新建一个并更新 url" } },
		{ 50027, NULL, ANSWER_CONFIG, { "Discord does not accept the token in the address: copy the whole webhook URL into url again", "Discord 不接受地址中的令牌：请重新复制完整的 webhook 地址到 url" } },
		{ 50035, NULL, ANSWER_PAYLOAD, { "Discord refused the message's form", "Discord 拒绝了消息的格式" } },
	};
	static const struct answer_row rows[] = {
		{ 404, NULL, ANSWER_CONFIG, { "Discord has no such webhook (HTTP 404): copy the whole webhook URL into url again", "Discord 没有该 webhook（HTTP 404）：请重新复制完整的 webhook 地址到 url" } },
		{ 429, NULL, ANSWER_LIMITED, { "Discord: too many messages", "Discord：消息过多" } },
	};
	char wait[24], said[400];
	struct response as = *r;
	struct span v;
	int64_t code, rest;

	answer_http(r, now, ret);
	if (r->transport)
		return;
	if (ret->class == ANSWER_DELIVERED) {
		if (r->status != 200 || !json_find(r->body, "id", &v) || !v.n)
			part_unclear(r, "Discord", ret);
		else
			ret->wait_ns = bucket_wait(r);
		return;
	}
	struct span message = part_said(r->body, "message", said, sizeof(said));
	rest = part_seconds(part_said(r->body, "retry_after", wait, sizeof(wait)));
	rest = rest > bucket_wait(r) ? rest : bucket_wait(r);
	if (r->status == 429 && rest > ret->wait_ns)
		ret->wait_ns = rest;
	as.status = json_find(r->body, "code", &v) && span_int(v, &code) && code > 0 && code < 1000000 ? (int)code : -1;
	if (r->status == 429 || !part_rows(&as, by_code, ARRAY_LEN(by_code), message, ret))
		part_rows(r, rows, ARRAY_LEN(rows), message, ret);
}

static const char *const options[] = { "template_title", "template_body", NULL };

const struct channel_ops channel_discord = {
	.type = "discord",
	.title = { "Discord webhook", "Discord webhook" },
	.needs_url = true,
	.per_minute = 30,
	.max_bytes = 64 << 10,
	.options = options,
	.make = discord_make,
	.judge = discord_judge,
};
