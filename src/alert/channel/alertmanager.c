#include "alert/channel/part.h"

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/time.h"

/*
 * Prometheus Alertmanager, API v2. Labels are an alert's identity there, so they hold only what does not change between an
 * alert and its recovery; all else is annotations. It ends what is not said again: endsAt is given, because a run that is over
 * cannot say it again every minute. A failure fires until a pass ends it; `ends_after` is for the branch that nobody runs any
 * more, and each failure that is told moves it. What nothing ever ends has an end of its own.
 */
#define LABEL_MAX 200
#define TEXT_MAX 4000
#define HOUR (3600 * NSEC_PER_SEC)
#define DAY (24 * HOUR)

static const struct {
	const char *name;
	int64_t fires;
} kinds[ALERT_KINDS] = {
	[ALERT_FAILED] = { "TocsinRunFailed", 8 * DAY }, /* once a week is often enough */
	[ALERT_FOLLOWUP] = { "TocsinRunFailed", 8 * DAY },
	[ALERT_RECOVERED] = { "TocsinRunFailed", 0 },
	[ALERT_DIGEST] = { "TocsinDigest", DAY },
	[ALERT_PROBE] = { "TocsinProbe", HOUR / 12 },
	[ALERT_CHANNEL] = { "TocsinChannelBroken", 25 * HOUR }, /* told once a day */
};

/* "8d", "36h", "1d12h" */
static bool read_length(struct span s, int64_t *ret)
{
	char text[32];
	int64_t days = 0, more = 0;
	struct span rest = s, head = span_cut(&rest, 'd');

	if (span_chr(s, 'd') != SPAN_NONE && (!span_int(head, &days) || days < 0 || days > 3650))
		return false;
	rest = span_chr(s, 'd') != SPAN_NONE ? rest : s;
	snprintf(text, sizeof(text), "%.*s", SPAN_ARG(rest));
	if (rest.n >= sizeof(text) || (rest.n && !duration_parse(text, &more)) || more > 3650 * DAY)
		return false;
	*ret = days * DAY + more;
	return *ret > 0;
}

static int fires_for(const struct channel_target *t, const struct alert *a, int64_t *ret, struct err *e)
{
	struct span given = span_trim(channel_option(t, "ends_after"));

	*ret = kinds[a->kind].fires;
	if (!given.n || (a->kind != ALERT_FAILED && a->kind != ALERT_FOLLOWUP) || read_length(given, ret))
		return 0;
	return err_set(e, EINVAL, TR("channel %s: ends_after is a duration such as 36h or 8d", "渠道 %s：ends_after 应为时长，例如 36h 或 8d"), t->name);
}

static bool label_name(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
		if (!letter && !(i && c >= '0' && c <= '9'))
			return false;
	}
	return s.n > 0 && s.n <= 60;
}

/* The option `labels`: "team=build site=sh", the same on every alert. */
static int more_labels(const struct channel_target *t, struct json_out *j, struct err *e)
{
	struct span rest = channel_option(t, "labels");

	while ((rest = span_trim(rest)).n) {
		size_t n = 0;
		while (n < rest.n && !strchr(" ,\t\n", rest.p[n]))
			n++;
		struct span value = span_head(rest, n), key = span_cut(&value, '=');
		rest = span_from(rest, n + 1);
		if (!n)
			continue;
		bool taken = span_eq(key, S("alertname")) || span_eq(key, S("tocsin_key")) || span_eq(key, S("project"));
		if (!label_name(key) || !value.n || taken)
			return err_set(e, EINVAL, TR("channel %s: labels: '%.*s' is not NAME=VALUE with a name of its own",
						     "渠道 %s：labels：“%.*s” 不是可用的 名称=值"), t->name, SPAN_ARG(key));
		CLEANUP(buf_free) struct buf name = { 0 }, text = { 0 };
		buf_span(&name, key);
		buf_span(&text, value);
		if (name.bad || text.bad)
			return err_set(e, ENOMEM, TR("no memory", "内存不足"));
		part_member(j, buf_str(&name), buf_str(&text));
	}
	return 0;
}

static int labels(const struct channel_target *t, const struct alert *a, struct json_out *j, struct err *e)
{
	CLEANUP(buf_free) struct buf key = { 0 };

	json_key(j, "labels");
	json_open(j, '{');
	part_member(j, "alertname", kinds[a->kind].name);
	part_key(a, LABEL_MAX, &key);
	j->to->bad |= key.bad;
	part_member(j, "tocsin_key", buf_str(&key));
	part_member(j, "project", a->project);
	int r = more_labels(t, j, e);
	json_close(j, '}');
	return r;
}

static void annotations(const struct channel_target *t, const struct alert *a, bool degraded, struct json_out *j)
{
	CLEANUP(buf_free) struct buf title = { 0 }, text = { 0 };

	json_key(j, "annotations");
	json_open(j, '{');
	alert_title(a, t->lang, 300, &title);
	json_key(j, "summary");
	json_str(j, buf_view(&title));
	if (!degraded) {
		alert_text(a, FORM_PLAIN, t->lang, TEXT_MAX, &text);
		json_key(j, "description");
		json_str(j, (struct span){ buf_str(&text), text.len });
		part_members(a, j);
		part_url_member(j, "url", a->url);
	}
	j->to->bad |= title.bad || text.bad;
	json_close(j, '}');
}

static void member_time(struct json_out *j, const char *key, int64_t wall)
{
	char text[32];

	time_rfc3339(wall, text);
	json_key(j, key);
	json_strz(j, text);
}

static int alertmanager_make(const struct channel_target *t, const struct alert *a, bool degraded, int64_t now, struct request *ret,
			     struct err *e)
{
	struct json_out j = { .to = &ret->body };
	bool over = a->kind == ALERT_RECOVERED;
	int64_t fires = 0;

	part_begin(ret, degraded, "application/json");
	int r = part_url(t, NULL, "/api/v2/alerts", ret, e);
	if (r == 0)
		r = fires_for(t, a, &fires, e);
	if (r < 0)
		return part_fail(ret, r);
	part_authorization(t, "Bearer", ret);
	json_open(&j, '[');
	json_open(&j, '{');
	r = labels(t, a, &j, e);
	if (r < 0)
		return part_fail(ret, r);
	annotations(t, a, degraded, &j);
	if (!over) /* of a recovery it keeps the begin that it knows */
		member_time(&j, "startsAt", a->at);
	member_time(&j, "endsAt", over ? (a->at < now ? a->at : now) : (a->at > now ? a->at : now) + fires);
	part_url_member(&j, "generatorURL", a->url);
	json_close(&j, '}');
	json_close(&j, ']');
	return part_end(ret, e);
}

static void alertmanager_judge(const struct response *r, int64_t now, struct answer *ret)
{
	static const struct answer_row rows[] = {
		{ 400, NULL, ANSWER_PAYLOAD, { "Alertmanager refused the alert (HTTP 400)", "Alertmanager 拒绝了该告警（HTTP 400）" } },
		{ 404, NULL, ANSWER_CONFIG, { "there is no Alertmanager API v2 at this url (HTTP 404); give its address without /api", "该 url 处没有 Alertmanager API v2（HTTP 404）；请填写不带 /api 的地址" } },
	};

	answer_http(r, now, ret);
	if (ret->class == ANSWER_DELIVERED && r->status != 200)
		part_unclear(r, "Alertmanager", ret);
	else if (ret->class == ANSWER_DELIVERED && part_html(r->body))
		part_unclear(r, "Alertmanager", ret);
	else if (!r->transport)
		part_rows(r, rows, ARRAY_LEN(rows), r->body, ret);
}

static const char *const options[] = { "user", "labels", "ends_after", NULL };

const struct channel_ops channel_alertmanager = {
	.type = "alertmanager",
	.title = { "Prometheus Alertmanager", "Prometheus Alertmanager" },
	.needs_url = true,
	.idempotent = true,
	.resolves = true,
	.max_bytes = 64 << 10,
	.options = options,
	.make = alertmanager_make,
	.judge = alertmanager_judge,
};
