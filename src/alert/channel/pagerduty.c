#include "alert/channel/part.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

/* PagerDuty, Events API v2. dedup_key makes a second delivery harmless, and is what a recovery resolves. */
#define KEY_MAX 255
#define SUMMARY_MAX 1024
#define TEXT_MAX 16000

static const char *severity_of(const struct alert *a)
{
	if (a->kind == ALERT_PROBE || a->kind == ALERT_RECOVERED)
		return "info";
	if (a->severity && !strcmp(a->severity, "warning"))
		return "warning";
	if (a->severity && !strcmp(a->severity, "note"))
		return "info";
	return a->level && !strcmp(a->level, "L1") ? "critical" : "error";
}

static void payload(const struct channel_target *t, const struct alert *a, bool degraded, struct json_out *j)
{
	CLEANUP(buf_free) struct buf summary = { 0 }, text = { 0 };
	char at[32];

	part_title(a, t->lang, SUMMARY_MAX, UNIT_POINTS, &summary);
	json_key(j, "payload");
	json_open(j, '{');
	json_key(j, "summary");
	json_str(j, buf_view(&summary));
	part_member(j, "source", a->host && *a->host ? a->host : a->ci && *a->ci ? a->ci : a->project && *a->project ? a->project : "tocsin");
	part_member(j, "severity", severity_of(a));
	if (!degraded) {
		time_rfc3339(a->at, at);
		part_member(j, "timestamp", at);
		part_member(j, "component", a->n_items ? a->items[0].package : NULL);
		part_member(j, "group", a->project);
		part_member(j, "class", a->cause);
		alert_text(a, FORM_PLAIN, t->lang, TEXT_MAX, &text);
		json_key(j, "custom_details");
		json_open(j, '{');
		json_key(j, "text");
		json_str(j, (struct span){ buf_str(&text), text.len });
		part_members(a, j);
		json_close(j, '}');
	}
	json_close(j, '}');
	j->to->bad |= summary.bad || text.bad;
}

static void links(const struct channel_target *t, const struct alert *a, struct json_out *j)
{
	CLEANUP(buf_free) struct buf url = { 0 };

	if (alert_link(a->url, &url)) {
		json_key(j, "client_url");
		json_str(j, buf_view(&url));
		json_key(j, "links");
		json_open(j, '[');
		json_open(j, '{');
		json_key(j, "href");
		json_str(j, buf_view(&url));
		json_key(j, "text");
		json_strz(j, t->lang == LANG_ZH ? "打开这次运行" : "Open the run");
		json_close(j, '}');
		json_close(j, ']');
	}
	j->to->bad |= url.bad;
}

static int pagerduty_make(const struct channel_target *t, const struct alert *a, bool degraded, int64_t now, struct request *ret,
			  struct err *e)
{
	CLEANUP(buf_free) struct buf key = { 0 };
	struct json_out j = { .to = &ret->body };
	bool over = a->kind == ALERT_RECOVERED;

	part_begin(ret, degraded, "application/json");
	int r = part_url(t, channel_pagerduty.default_url, "/v2/enqueue", ret, e);
	if (r < 0)
		return part_fail(ret, r);
	json_open(&j, '{');
	json_key(&j, "event_action");
	json_strz(&j, over ? "resolve" : "trigger");
	part_key(a, KEY_MAX, &key);
	ret->body.bad |= key.bad;
	json_key(&j, "dedup_key");
	json_str(&j, buf_view(&key));
	if (!over) {
		payload(t, a, degraded, &j);
		json_key(&j, "client");
		json_strz(&j, "tocsin");
		links(t, a, &j);
	}
	/* Last, and into room that is there: no copy of the key is left behind by a buffer that grew. */
	buf_need(&ret->body, t->secret.n * 2 + 64);
	json_key(&j, "routing_key");
	json_str(&j, span_trim(t->secret));
	json_close(&j, '}');
	return part_end(ret, e);
}

#define TWO_MINUTES (120 * NSEC_PER_SEC)
/* clang-format off */
#define WRONG_KEY { "PagerDuty does not take the routing key: write the 32 characters of an Events API v2 integration into secret", "PagerDuty 不接受该 routing key：请将 Events API v2 集成的 32 个字符写入 secret" }
/* clang-format on */

/* What is wrong stands in the first of `errors`; `message` says only that something is. */
static struct span first_error(struct span body, char *room, size_t size)
{
	struct json_in j = { .text = body };
	bool here = false;
	enum json_tok t;

	while ((t = json_next(&j)) > JSON_END) {
		if (here && t == JSON_STR)
			return part_unescaped(j.value, room, size);
		here = (here && t == JSON_ARR) || (t == JSON_KEY && span_eq(j.value, S("errors")));
	}
	return part_said(body, "message", room, size);
}

static void pagerduty_judge(const struct response *r, int64_t now, struct answer *ret)
{
	static const struct answer_row rows[] = {
		{ 400, "routing_key", ANSWER_CONFIG, WRONG_KEY },
		{ 400, "outing Key", ANSWER_CONFIG, WRONG_KEY },
		{ 400, "invalid key", ANSWER_CONFIG, WRONG_KEY },
		{ 400, NULL, ANSWER_PAYLOAD, { "PagerDuty refused the event (HTTP 400)", "PagerDuty 拒绝了该事件（HTTP 400）" } },
		{ 429, NULL, ANSWER_LIMITED, { "PagerDuty: too many events; waiting some minutes", "PagerDuty：事件过多；等待几分钟" } },
	};
	struct span state = { 0 };
	char said[400];

	answer_http(r, now, ret);
	if (r->transport)
		return;
	bool says = json_find(r->body, "status", &state);
	if (ret->class == ANSWER_DELIVERED && (r->status != 202 || (says && !span_eq(state, S("success"))))) {
		part_unclear(r, "PagerDuty", ret);
		return;
	}
	if (r->status == 429 && ret->wait_ns < TWO_MINUTES)
		ret->wait_ns = TWO_MINUTES;
	part_rows(r, rows, ARRAY_LEN(rows), first_error(r->body, said, sizeof(said)), ret);
}

const struct channel_ops channel_pagerduty = {
	.type = "pagerduty",
	.title = { "PagerDuty (Events v2)", "PagerDuty（Events v2）" },
	.needs_secret = true,
	.idempotent = true,
	.resolves = true,
	.max_bytes = 512 << 10,
	.default_url = "https://events.pagerduty.com",
	.make = pagerduty_make,
	.judge = pagerduty_judge,
};
