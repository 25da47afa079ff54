#include "alert/channel/chat.h"

#include "base/mem.h"
#include "base/text.h"

/*
 * Slack's incoming webhooks. Blocks of rich text: in their text nothing is markup, so nothing foreign can be. All blocks of a
 * message together may have about 13,000 characters. The text beside them is what notifications show, and it is markup.
 * Addresses of workflows take no blocks: only what their author named, which is `text` here.
 */
#define BODY_MAX 12500
#define TITLE_MAX 150
#define PLAIN_MAX 1500
#define ITEMS_MAX 5

enum style { STYLE_NONE, STYLE_BOLD, STYLE_CODE, STYLE_ITALIC };
static const char *const style_key[] = { NULL, "bold", "code", "italic" };

/* A piece of text; nothing when it is empty, which Slack refuses. */
static void put_text(struct json_out *j, struct span s, enum style style)
{
	if (!s.n)
		return;
	json_open(j, '{');
	json_key(j, "type");
	json_strz(j, "text");
	json_key(j, "text");
	json_str(j, s);
	if (style) {
		json_key(j, "style");
		json_open(j, '{');
		json_key(j, style_key[style]);
		json_bool(j, true);
		json_close(j, '}');
	}
	json_close(j, '}');
}

/* Foreign text, cleaned, of at most max bytes. */
static void put_foreign(struct json_out *j, struct span s, size_t max, enum style style)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	template_lines(utf8_head(s, max), FORM_PLAIN, &b);
	j->to->bad |= b.bad;
	put_text(j, buf_view(&b), style);
}

static void open_part(struct json_out *j, const char *type)
{
	json_open(j, '{');
	json_key(j, "type");
	json_strz(j, type);
	json_key(j, "elements");
	json_open(j, '[');
}

static void close_part(struct json_out *j)
{
	json_close(j, ']');
	json_close(j, '}');
}

static void put_typed(struct json_out *j, const char *type, const char *key, const char *value)
{
	json_open(j, '{');
	json_key(j, "type");
	json_strz(j, type);
	json_key(j, key);
	json_strz(j, value);
	json_close(j, '}');
}

static void put_mention(struct json_out *j, const char *id)
{
	if (!strcmp(id, "here") || !strcmp(id, "channel") || !strcmp(id, "everyone"))
		put_typed(j, "broadcast", "range", id);
	else if (id[0] == 'S')
		put_typed(j, "usergroup", "usergroup_id", id);
	else
		put_typed(j, "user", "user_id", id);
}

/* " branch main · job test" */
static void put_facts(struct json_out *j, const struct alert *a, enum lang lang)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	static const char *const shown[] = { "branch", "commit", "pr", "job", "actor", "host", "command" };

	for (const struct fact *f = part_facts; f->key; f++) {
		const char *value = part_fact(a, f);
		for (size_t i = 0; value && i < ARRAY_LEN(shown); i++) {
			if (strcmp(shown[i], f->key) != 0)
				continue;
			buf_addf(&b, "%s%s ", b.len ? " · " : "", lang_text(lang, f->title.en, f->title.zh));
			alert_escape(utf8_head(span_of(value), !strcmp(f->key, "commit") ? 12 : 200), FORM_PLAIN, &b);
		}
	}
	j->to->bad |= b.bad;
	if (b.len)
		buf_addc(&b, '\n');
	put_text(j, buf_view(&b), STYLE_NONE);
}

/* What is said of one item is not said again of the next. */
static bool advised_before(const struct alert *a, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (a->items[k].cause && a->items[i].cause && !strcmp(a->items[k].cause, a->items[i].cause))
			return true;
	}
	return false;
}

static void put_item(struct json_out *j, const struct alert *a, size_t i, enum lang lang, size_t excerpt)
{
	const struct alert_item *it = &a->items[i];
	CLEANUP(buf_free) struct buf place = { 0 }, said = { 0 };
	const char *mean = alert_mean(it->cause, lang);

	alert_place(it, &place);
	alert_said(a, it, lang, &said);
	open_part(j, "rich_text_section");
	put_foreign(j, span_of(mean ? mean : it->cause ? it->cause : ""), 200, STYLE_BOLD);
	if (place.len) {
		put_text(j, S("  "), STYLE_NONE);
		put_foreign(j, buf_view(&place), 300, STYLE_CODE);
	}
	put_text(j, S("\n"), STYLE_NONE);
	put_foreign(j, span_of(it->title), 300, STYLE_NONE);
	if (said.len) {
		put_text(j, S("  "), STYLE_NONE);
		put_foreign(j, buf_view(&said), 200, STYLE_ITALIC);
	}
	close_part(j);
	struct span lines = span_trim(span_of(it->excerpt));
	bool told = i && it->title && span_find(lines, span_of(it->title)) != SPAN_NONE;
	if (lines.n && excerpt && !told) {
		open_part(j, "rich_text_preformatted");
		put_foreign(j, lines, excerpt, STYLE_NONE);
		close_part(j);
	}
	struct span advice = alert_advice(it, lang);
	if (advice.n && !advised_before(a, i)) {
		open_part(j, "rich_text_section");
		put_foreign(j, advice, 400, STYLE_NONE);
		close_part(j);
	}
	j->to->bad |= place.bad || said.bad;
}

static void put_owners(struct json_out *j, const struct alert *a, enum lang lang)
{
	CLEANUP(buf_free) struct buf b = { 0 }, clean = { 0 };
	const char *seen[ALERT_OWNERS_MAX] = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < a->n_items; i++) {
		for (size_t k = 0; k < a->items[i].owners.n && n < 6; k++) {
			const char *one = a->items[i].owners.v[k];
			size_t at = 0;
			while (at < n && strcmp(seen[at], one))
				at++;
			if (at < n)
				continue;
			seen[n++] = one;
			buf_addf(&b, "%s%.100s", n > 1 ? ", " : "", one);
		}
	}
	if (b.len)
		buf_addf(&clean, "%s ", lang_text(lang, "Owner", "负责人"));
	alert_escape(buf_view(&b), FORM_PLAIN, &clean);
	if (b.len)
		buf_addc(&clean, '\n');
	put_text(j, buf_view(&clean), STYLE_NONE);
	j->to->bad |= b.bad || clean.bad;
}

/* Who is called, the facts if they are not told yet, and the link. */
static void put_tail(struct json_out *j, const struct channel_target *t, const struct alert *a, bool facts)
{
	CLEANUP(buf_free) struct buf link = { 0 };
	struct chat_at at;

	chat_at(t, a, &at);
	open_part(j, "rich_text_section");
	for (size_t i = 0; i < at.n; i++) {
		put_mention(j, at.ids[i]);
		put_text(j, S(" "), STYLE_NONE);
	}
	if (at.all)
		put_mention(j, "channel");
	if (at.n || at.all)
		put_text(j, S("\n"), STYLE_NONE);
	if (facts) {
		put_owners(j, a, t->lang);
		put_facts(j, a, t->lang);
	}
	if (alert_link(a->url, &link)) {
		json_open(j, '{');
		json_key(j, "type");
		json_strz(j, "link");
		json_key(j, "url");
		json_str(j, buf_view(&link));
		json_key(j, "text");
		json_strz(j, lang_text(t->lang, "Open the run", "查看运行"));
		json_close(j, '}');
	} else {
		put_text(j, S("tocsin"), STYLE_ITALIC);
	}
	close_part(j);
	j->to->bad |= link.bad;
}

/* Whether it is the end, and the summary, if it is in the language of the rest: the title says the same in short. */
static void put_opening(struct json_out *j, const struct alert *a, enum lang lang)
{
	const char *note = a->early ? lang_text(lang, "The run goes on; how it ends will follow. ", "运行仍在继续，结束后另行通知。") :
			   a->kind == ALERT_FOLLOWUP ? lang_text(lang, "The run that was reported early has ended. ", "此前提前告警的运行已结束。") : "";
	CLEANUP(buf_free) struct buf title = { 0 };

	alert_title(a, lang, 1000, &title);
	bool summary = a->summary && *a->summary && a->lang == lang && span_find(buf_view(&title), span_of(a->summary)) == SPAN_NONE;
	j->to->bad |= title.bad;

	if (!*note && !summary)
		return;
	open_part(j, "rich_text_section");
	put_text(j, span_of(note), STYLE_ITALIC);
	if (summary)
		put_foreign(j, span_of(a->summary), 500, STYLE_NONE);
	close_part(j);
}

/* More items and longer excerpts with less `thrift`. False: the text has the facts already. */
static bool put_content(struct json_out *j, const struct channel_target *t, const struct alert *a, int thrift)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	bool own = span_trim(channel_option(t, "template_body")).n || span_trim(channel_option(t, "template_title")).n;
	size_t n = a->n_items < ITEMS_MAX ? a->n_items : ITEMS_MAX, shown = thrift ? (n + 1) / 2 : n;
	bool run = a->kind == ALERT_FAILED || a->kind == ALERT_FOLLOWUP; /* of the other kinds items mean something else */

	if (own || !run || !shown) {
		chat_text(t, a, FORM_PLAIN, 2800u >> thrift, &text);
		open_part(j, "rich_text_section");
		put_text(j, text.len ? buf_view(&text) : S("-"), STYLE_NONE);
		close_part(j);
	} else {
		put_opening(j, a, t->lang);
		for (size_t i = 0; i < shown; i++)
			put_item(j, a, i, t->lang, (i ? 500u : 1500u) >> (2 * thrift));
		int64_t left = a->more + (int64_t)(a->n_items - shown);
		if (left > 0) {
			buf_addf(&text, t->lang == LANG_ZH ? "另有 %lld 项" : "and %lld more", (long long)left);
			open_part(j, "rich_text_section");
			put_text(j, buf_view(&text), STYLE_ITALIC);
			close_part(j);
		}
	}
	j->to->bad |= text.bad;
	return own || (run && shown);
}

static void put_blocks(struct json_out *j, const struct channel_target *t, const struct alert *a, struct span title, int thrift)
{
	json_key(j, "blocks");
	json_open(j, '[');
	json_open(j, '{');
	json_key(j, "type");
	json_strz(j, "header");
	json_key(j, "text");
	json_open(j, '{');
	json_key(j, "type");
	json_strz(j, "plain_text");
	json_key(j, "emoji");
	json_bool(j, false);
	json_key(j, "text");
	json_str(j, title.n ? title : S("tocsin"));
	json_close(j, '}');
	json_close(j, '}');
	open_part(j, "rich_text");
	put_tail(j, t, a, put_content(j, t, a, thrift));
	close_part(j);
	json_close(j, ']');
}

static void write_plain(const struct channel_target *t, const struct alert *a, struct span title, size_t max, struct buf *ret)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	buf_span(&text, title);
	if (max) {
		buf_adds(&text, "\n");
		chat_text(t, a, FORM_PLAIN, max, &text);
	}
	html_add(ret, buf_view(&text)); /* <!channel> and <@…> are markup here, in whatever the text is */
	ret->bad |= text.bad;
}

static void write_body(const struct channel_target *t, const struct alert *a, bool blocks, bool workflow, int thrift, struct buf *ret)
{
	CLEANUP(buf_free) struct buf title = { 0 }, text = { 0 };
	struct json_out j = { .to = ret };

	chat_title_points(t, a, TITLE_MAX, &title);
	write_plain(t, a, buf_view(&title), blocks ? 0 : PLAIN_MAX, &text);
	json_open(&j, '{');
	json_key(&j, "text");
	json_str(&j, buf_view(&text));
	if (blocks)
		put_blocks(&j, t, a, buf_view(&title), thrift);
	else if (!workflow) {
		json_key(&j, "mrkdwn");
		json_bool(&j, false);
	}
	json_close(&j, '}');
	ret->bad |= title.bad || text.bad;
}

static int make(const struct channel_target *t, const struct alert *a, bool degraded, int64_t now, struct request *ret, struct err *e)
{
	bool workflow = span_find(t->url, S("/workflows/")) != SPAN_NONE || span_find(t->url, S("/triggers/")) != SPAN_NONE;
	int r;

	part_begin(ret, degraded, "application/json; charset=utf-8");
	r = chat_url(t, 1, ret, e);
	if (r < 0)
		return part_fail(ret, r);
	for (int thrift = 0; thrift < 3; thrift++) {
		buf_clear(&ret->body);
		write_body(t, a, !degraded && !workflow && thrift < 2, workflow, thrift, &ret->body);
		if (ret->body.bad || ret->body.len <= BODY_MAX)
			break;
	}
	return part_end(ret, e);
}

/* Its words come as plain text, whatever the status is. */
static const struct code_row words[] = {
	{ CODE_ANY, "rollup_error", ANSWER_RETRY, 0, false, { "Slack could not take the message just now", "Slack 暂时无法接受消息" } },
	{ CODE_ANY, "action_prohibited|posting_to_general_channel_denied", ANSWER_CONFIG, 0, false,
	  { "an administrator of the Slack workspace does not allow this: ask for the right, or take another channel", "Slack 工作区管理员不允许此操作：请申请权限或换一个频道" } },
	{ CODE_ANY, "invalid_token|no_active_hooks|no_team|team_disabled|no_service", ANSWER_CONFIG, 0, false,
	  { "Slack knows no such webhook any more: make a new one and write its address into url", "Slack 已没有此 Webhook：请新建一个并更新 url" } },
	{ CODE_ANY, "channel_not_found|channel_is_archived|user_not_found", ANSWER_CONFIG, 0, false,
	  { "the Slack channel is gone or archived: make a webhook for another one", "Slack 频道不存在或已归档：请为其他频道新建 Webhook" } },
	{ CODE_ANY, "invalid_payload|invalid_blocks|no_text|too_many_attachments|msg_too_long|missing_text", ANSWER_PAYLOAD, 0, false,
	  { "Slack does not accept the form of the message", "Slack 不接受消息格式" } },
};

static void judge(const struct response *r, int64_t now, struct answer *ret)
{
	struct span body = span_trim(r->body), field;

	answer_http(r, now, ret);
	if (r->transport || r->status == 429)
		return;
	if (r->status == 200 && (span_eq(body, S("ok")) || (answer_field(body, "ok", JSON_TRUE, &field, NULL) && span_eq(field, S("true")))))
		answer_set(ret, ANSWER_DELIVERED, "%s", TR("delivered", "已送达"));
	else if (r->status < 300 || r->status >= 400) {
		struct answer known;
		if (body.n < 1000 && body.n && body.p[0] != '<' && chat_code(words, ARRAY_LEN(words), 0, body, r, now, &known))
			*ret = known;
		else if (ret->class == ANSWER_DELIVERED)
			part_unclear(r, "Slack", ret);
	}
}

static const char *const options[] = { "template_title", "template_body", "at_all", NULL };

const struct channel_ops channel_slack = {
	.type = "slack", .title = { "Slack", "Slack" }, .needs_url = true, .per_minute = 60, .max_bytes = BODY_MAX,
	.options = options, .make = make, .judge = judge,
};
