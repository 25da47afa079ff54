#include "alert/channel/part.h"

#include <errno.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

/* CloudEvents 1.0 over HTTP, in structured mode, or with `mode: binary`. source and id name an event once for all: a second delivery is the same one. */
#define BODY_MAX (64 << 10)

static void source(const struct channel_target *t, const struct alert *a, struct buf *ret)
{
	struct span said = span_trim(channel_option(t, "source"));

	if (said.n) {
		buf_span(ret, said);
		return;
	}
	buf_adds(ret, "urn:tocsin:");
	percent_add(ret, span_of(a->project && *a->project ? a->project : a->host && *a->host ? a->host : "unknown"));
}

static void short_data(const struct channel_target *t, const struct alert *a, struct json_out *j)
{
	CLEANUP(buf_free) struct buf title = { 0 };

	alert_title(a, t->lang, 400, &title);
	json_open(j, '{');
	part_member(j, "id", a->id);
	part_member(j, "kind", alert_kind_words[a->kind]);
	part_member(j, "key", a->key);
	json_key(j, "title");
	json_str(j, buf_view(&title));
	part_members(a, j);
	part_url_member(j, "url", a->url);
	json_close(j, '}');
	j->to->bad |= title.bad;
}

static void data(const struct channel_target *t, const struct alert *a, bool brief, struct buf *ret)
{
	struct json_out j = { .to = ret };

	if (brief)
		short_data(t, a, &j);
	else
		alert_json(a, ret);
}

enum attribute { VERSION, ID, SOURCE, TYPE, TIME, SUBJECT, ATTRIBUTES };
static const char *const names[ATTRIBUTES] = { "specversion", "id", "source", "type", "time", "subject" };

static void attributes(const struct channel_target *t, const struct alert *a, struct buf ret[ATTRIBUTES])
{
	char at[32];

	time_rfc3339(a->at, at);
	buf_adds(&ret[VERSION], "1.0");
	buf_adds(&ret[ID], a->id);
	source(t, a, &ret[SOURCE]);
	buf_addf(&ret[TYPE], "tocsin.alert.%s", alert_kind_words[a->kind]);
	buf_adds(&ret[TIME], at);
	alert_escape(utf8_head(span_of(a->run && *a->run ? a->run : a->key), FACT_MAX), FORM_PLAIN, &ret[SUBJECT]);
}

/* In a header all but printing ASCII is percent-encoded, and what could be taken for that or for a quote. */
static void header(struct request *r, const char *name, struct span value)
{
	CLEANUP(buf_free) struct buf key = { 0 }, text = { 0 };

	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] > ' ' && value.p[i] < 0x7f && value.p[i] != '"' && value.p[i] != '%')
			buf_addc(&text, value.p[i]);
		else
			buf_addf(&text, "%%%02X", (unsigned char)value.p[i]);
	}
	buf_addf(&key, "ce-%s", name);
	r->headers.bad |= key.bad || text.bad;
	if (!key.bad)
		request_header(r, buf_str(&key), buf_view(&text));
}

static void body(const struct channel_target *t, const struct alert *a, const struct buf with[ATTRIBUTES], bool brief, struct buf *ret)
{
	struct json_out j = { .to = ret };

	json_open(&j, '{');
	for (int i = 0; i < ATTRIBUTES; i++) {
		if (!with[i].len)
			continue;
		json_key(&j, names[i]);
		json_str(&j, buf_view(&with[i]));
	}
	json_key(&j, "datacontenttype");
	json_strz(&j, "application/json");
	json_key(&j, "data");
	data(t, a, brief, ret);
	j.comma = true;
	json_close(&j, '}');
}

static void event(const struct channel_target *t, const struct alert *a, bool binary, bool brief, struct request *ret)
{
	struct buf with[ATTRIBUTES] = { 0 };

	part_begin(ret, ret->degraded, binary ? "application/json" : "application/cloudevents+json; charset=utf-8");
	attributes(t, a, with);
	for (int i = 0; binary && i < ATTRIBUTES; i++) {
		if (with[i].len)
			header(ret, names[i], buf_view(&with[i]));
	}
	if (binary)
		data(t, a, brief, &ret->body);
	else
		body(t, a, with, brief, &ret->body);
	for (int i = 0; i < ATTRIBUTES; i++) {
		ret->body.bad |= with[i].bad;
		buf_free(&with[i]);
	}
}

static int cloudevents_make(const struct channel_target *t, const struct alert *a, bool degraded, int64_t now, struct request *ret,
			    struct err *e)
{
	struct span mode = span_trim(channel_option(t, "mode"));
	bool binary = span_eq(mode, S("binary"));

	*ret = (struct request){ .degraded = degraded };
	if (mode.n && !binary && !span_eq(mode, S("structured")))
		return err_set(e, EINVAL, TR("channel %s: mode is structured or binary", "渠道 %s：mode 应为 structured 或 binary"), t->name);
	event(t, a, binary, degraded, ret);
	if (!ret->body.bad && ret->body.len > BODY_MAX) {
		request_free(ret);
		ret->degraded = degraded;
		event(t, a, binary, true, ret);
	}
	int r = part_url(t, NULL, "", ret, e);
	if (r < 0)
		return part_fail(ret, r);
	part_authorization(t, "Bearer", ret);
	return part_end(ret, e);
}

static void cloudevents_judge(const struct response *r, int64_t now, struct answer *ret)
{
	static const struct answer_row rows[] = {
		{ 410, NULL, ANSWER_CONFIG, { "the receiver of events is gone for good (HTTP 410): write another url, or take the channel out", "事件接收方已永久停用（HTTP 410）：请更换 url 或移除该渠道" } },
		{ 415, NULL, ANSWER_PAYLOAD, { "the receiver does not take application/cloudevents+json (HTTP 415)", "接收方不接受 application/cloudevents+json（HTTP 415）" } },
	};
	bool known = r->status == 200 || r->status == 201 || r->status == 202 || r->status == 204;

	answer_http(r, now, ret);
	if (r->transport)
		return;
	if (ret->class == ANSWER_DELIVERED && (!known || part_html(r->body)))
		part_unclear(r, "CloudEvents", ret);
	else
		part_rows(r, rows, ARRAY_LEN(rows), (struct span){ 0 }, ret);
}

static const char *const options[] = { "mode", "source", "user", NULL };

const struct channel_ops channel_cloudevents = {
	.type = "cloudevents",
	.title = { "CloudEvents over HTTP", "CloudEvents（HTTP）" },
	.needs_url = true,
	.idempotent = true,
	.max_bytes = BODY_MAX,
	.options = options,
	.make = cloudevents_make,
	.judge = cloudevents_judge,
};
