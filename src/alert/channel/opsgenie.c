#include "alert/channel/part.h"

#include <errno.h>

#include "base/mem.h"

/*
 * Opsgenie. The alias makes a second delivery harmless, and is what a recovery closes. Its 202 says only that the request was
 * taken; what became of it is asked for at /v2/alerts/requests/ID.
 */
#define MESSAGE_MAX 130
#define ALIAS_MAX 512
#define DESCRIPTION_MAX 15000
#define RESPONDERS_MAX 20

static const char *priority_of(const struct alert *a)
{
	if (a->kind == ALERT_PROBE)
		return "P5";
	if (a->severity && !strcmp(a->severity, "warning"))
		return "P3";
	if (a->severity && !strcmp(a->severity, "note"))
		return "P5";
	return a->level && !strcmp(a->level, "L1") ? "P1" : a->level && !strcmp(a->level, "L3") ? "P3" : "P2";
}

/* Owners' ids: "team:build", "user:a@example.com", "schedule:nights"; without a kind it is a team. */
static void responders(const struct channel_target *t, const struct alert *a, struct json_out *j)
{
	static const char *const kinds[] = { "team", "user", "schedule", "escalation" };
	const struct mention *who[RESPONDERS_MAX];
	size_t n = part_mentions(t, a, who, ARRAY_LEN(who));

	if (!n)
		return;
	json_key(j, "responders");
	json_open(j, '[');
	for (size_t i = 0; i < n; i++) {
		struct span name = span_of(who[i]->id), kind = span_head(name, span_chr(name, ':'));
		const char *type = "team";
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
			if (kind.n < name.n && span_eq(kind, span_of(kinds[k]))) {
				type = kinds[k];
				name = span_from(name, kind.n + 1);
				break;
			}
		}
		json_open(j, '{');
		json_key(j, "type");
		json_strz(j, type);
		json_key(j, !strcmp(type, "user") ? "username" : "name");
		json_str(j, name);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void details(const struct channel_target *t, const struct alert *a, struct json_out *j)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	part_text(a, FORM_PLAIN, t->lang, DESCRIPTION_MAX, UNIT_POINTS, &text);
	json_key(j, "description");
	json_str(j, (struct span){ buf_str(&text), text.len });
	j->to->bad |= text.bad;
	responders(t, a, j);
	json_key(j, "tags");
	json_open(j, '[');
	json_strz(j, "tocsin");
	if (a->outcome)
		json_strz(j, a->outcome);
	json_close(j, ']');
	json_key(j, "details");
	json_open(j, '{');
	part_members(a, j);
	part_url_member(j, "url", a->url);
	json_close(j, '}');
	part_member(j, "entity", a->project);
}

static void create(const struct channel_target *t, const struct alert *a, bool degraded, struct json_out *j)
{
	CLEANUP(buf_free) struct buf message = { 0 }, alias = { 0 };

	part_title(a, t->lang, MESSAGE_MAX, UNIT_POINTS, &message);
	part_key(a, ALIAS_MAX, &alias);
	json_key(j, "message");
	json_str(j, buf_view(&message));
	json_key(j, "alias");
	json_str(j, buf_view(&alias));
	json_key(j, "priority");
	json_strz(j, priority_of(a));
	if (!degraded)
		details(t, a, j);
	j->to->bad |= message.bad || alias.bad;
}

static void close_tail(const struct alert *a, struct buf *tail)
{
	CLEANUP(buf_free) struct buf alias = { 0 };

	part_key(a, ALIAS_MAX, &alias);
	buf_adds(tail, "/v2/alerts/");
	percent_add(tail, buf_view(&alias));
	buf_adds(tail, "/close");
	tail->bad |= alias.bad;
}

static int add_url(const struct channel_target *t, const char *tail, struct request *ret, struct err *e)
{
	struct channel_target base = *t;

	while (base.url.n && base.url.p[base.url.n - 1] == '/')
		base.url.n--;
	if (span_ends(base.url, S("/v2/alerts")))
		base.url.n -= sizeof("/v2/alerts") - 1;
	int r = part_url(&base, channel_opsgenie.default_url, tail, ret, e);
	if (r == 0)
		part_authorization(t, "GenieKey", ret);
	return r;
}

static int opsgenie_make(const struct channel_target *t, const struct alert *a, bool degraded, int64_t now, struct request *ret,
			 struct err *e)
{
	CLEANUP(buf_free) struct buf tail = { 0 }, note = { 0 };
	struct json_out j = { .to = &ret->body };
	bool over = a->kind == ALERT_RECOVERED;

	part_begin(ret, degraded, "application/json");
	if (over)
		close_tail(a, &tail);
	else
		buf_adds(&tail, "/v2/alerts");
	int r = add_url(t, buf_str(&tail), ret, e);
	if (r < 0)
		return part_fail(ret, r);
	json_open(&j, '{');
	if (over) {
		part_query(ret, "identifierType", "alias");
		part_title(a, t->lang, 1000, UNIT_POINTS, &note);
		json_key(&j, "note");
		json_str(&j, buf_view(&note));
	} else {
		create(t, a, degraded, &j);
	}
	part_member(&j, "source", "tocsin");
	json_close(&j, '}');
	ret->url.bad |= tail.bad;
	ret->body.bad |= note.bad;
	return part_end(ret, e);
}

#define ID_MAX 64

/* The request's id, as an address may have it; absent: there is none. */
static struct span request_id(struct span body, char room[ID_MAX + 2])
{
	struct span id = part_said(body, "requestId", room, ID_MAX + 2);

	return id.n && id.n <= ID_MAX && strspn(room, "0123456789abcdefABCDEF-") == id.n ? id : (struct span){ 0 };
}

static int opsgenie_ask(const struct channel_target *t, struct span taken, struct request *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf tail = { 0 };
	char room[ID_MAX + 2];
	struct span id = request_id(taken, room);

	part_begin(ret, false, "application/json");
	ret->method = "GET";
	buf_adds(&tail, "/v2/alerts/requests/");
	buf_span(&tail, id);
	int r = id.n ? add_url(t, buf_str(&tail), ret, e) : err_set(e, EBADMSG, TR("Opsgenie gave its request no id", "Opsgenie 没有返回请求编号"));
	if (r < 0)
		return part_fail(ret, r);
	ret->url.bad |= tail.bad;
	return part_end(ret, e);
}

static void became(const struct response *r, struct answer *ret)
{
	char said[200], action[20];
	struct span success, status = part_said(r->body, "data.status", said, sizeof(said));
	bool closes = span_eq(part_said(r->body, "data.action", action, sizeof(action)), S("Close"));

	if (!json_find(r->body, "data.isSuccess", &success) && !json_find(r->body, "data.success", &success)) {
		part_unclear(r, "Opsgenie", ret);
	} else if (span_eq(success, S("true"))) {
		answer_set(ret, ANSWER_DELIVERED, "%s", TR("Opsgenie has done it", "Opsgenie 已处理"));
		answer_quote(ret, status);
	} else if (!span_eq(success, S("false"))) {
		part_unclear(r, "Opsgenie", ret);
	} else if (closes) {
		answer_set(ret, ANSWER_DELIVERED, "%s", TR("Opsgenie has nothing open to close", "Opsgenie 中没有需要关闭的告警"));
		answer_quote(ret, status);
	} else {
		answer_set(ret, ANSWER_CONFIG, "%s", TR("Opsgenie took the request and then made no alert of it: check the integration and its policies",
							"Opsgenie 接收了请求，但没有生成告警：请检查集成及其策略"));
		answer_quote(ret, status);
	}
}

/* The key may be one that creates and does not read: what it was told at first is then all that there is. */
static void opsgenie_judge_asked(const struct response *r, int64_t now, struct answer *ret)
{
	answer_http(r, now, ret);
	if (r->transport)
		return;
	if (r->status == 404) {
		answer_set(ret, ANSWER_TAKEN, "%s", TR("Opsgenie has not worked on it yet", "Opsgenie 尚未处理"));
	} else if (r->status == 401 || r->status == 403) {
		answer_set(ret, ANSWER_DELIVERED, TR("Opsgenie has taken it; the key may not ask what became of it (HTTP %d)", "Opsgenie 已接收；该密钥无权查询处理结果（HTTP %d）"), r->status);
	} else if (r->status == 200) {
		became(r, ret);
	} else if (r->status < 500 && r->status != 429 && r->status != 408) {
		part_unclear(r, "Opsgenie", ret);
	}
}

static void opsgenie_judge(const struct response *r, int64_t now, struct answer *ret)
{
	static const struct answer_row rows[] = {
		{ 401, NULL, ANSWER_CONFIG, { "Opsgenie does not know the key (HTTP 401); accounts in Europe need the url https://api.eu.opsgenie.com", "Opsgenie 不认识该密钥（HTTP 401）；欧洲账户需将 url 设为 https://api.eu.opsgenie.com" } },
		{ 403, NULL, ANSWER_CONFIG, { "the Opsgenie key may not create alerts (HTTP 403)", "该 Opsgenie 密钥无权创建告警（HTTP 403）" } },
		{ 404, NULL, ANSWER_CONFIG, { "there is no Opsgenie API at this url (HTTP 404)", "该 url 处没有 Opsgenie API（HTTP 404）" } },
	};
	char said[400], room[ID_MAX + 2];

	answer_http(r, now, ret);
	if (r->transport)
		return;
	struct span message = part_said(r->body, "message", said, sizeof(said)), id = request_id(r->body, room);
	if (ret->class == ANSWER_DELIVERED && (r->status != 202 || !id.n)) {
		part_unclear(r, "Opsgenie", ret);
		return;
	}
	if (ret->class == ANSWER_DELIVERED) {
		answer_set(ret, ANSWER_TAKEN, TR("Opsgenie has taken request %s", "Opsgenie 已接收请求 %s"), room);
		return;
	}
	if (part_rows(r, rows, ARRAY_LEN(rows), message, ret))
		return;
	if (r->status >= 400 && r->status < 500 && r->status != 408 && r->status != 410 && r->status != 429) {
		struct answer_row refused = { r->status, NULL, ANSWER_PAYLOAD, { "Opsgenie refused the alert", "Opsgenie 拒绝了该告警" } };
		part_rows(r, &refused, 1, message, ret);
	}
}

const struct channel_ops channel_opsgenie = {
	.type = "opsgenie",
	.title = { "Opsgenie", "Opsgenie" },
	.needs_secret = true,
	.idempotent = true,
	.resolves = true,
	.max_bytes = 64 << 10,
	.default_url = "https://api.opsgenie.com",
	.make = opsgenie_make,
	.judge = opsgenie_judge,
	.ask = opsgenie_ask,
	.judge_asked = opsgenie_judge_asked,
};
