#include "alert/channel/part.h"

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"

/*
 * OpenTelemetry logs, OTLP/HTTP in JSON: one record for the alert, one for each of its findings, under the names of the
 * semantic conventions. Records that the collector rejects are lost there: the protocol forbids to send them again.
 */
#define TEXT_MAX 4000
#define VALUE_MAX 2000
#define EXCERPT_MAX 8000
#define BODY_MAX (256 << 10)

static void attribute_cut(struct json_out *j, const char *key, struct span value, size_t max)
{
	if (!value.n)
		return;
	json_open(j, '{');
	json_key(j, "key");
	json_strz(j, key);
	json_key(j, "value");
	json_open(j, '{');
	json_key(j, "stringValue");
	json_str(j, utf8_head(value, max));
	json_close(j, '}');
	json_close(j, '}');
}

static void attribute(struct json_out *j, const char *key, struct span value)
{
	attribute_cut(j, key, value, VALUE_MAX);
}

static void attribute_int(struct json_out *j, const char *key, int64_t v)
{
	char digits[24];

	if (v < 0)
		return;
	snprintf(digits, sizeof(digits), "%lld", (long long)v);
	json_open(j, '{');
	json_key(j, "key");
	json_strz(j, key);
	json_key(j, "value");
	json_open(j, '{');
	json_key(j, "intValue");
	json_strz(j, digits);
	json_close(j, '}');
	json_close(j, '}');
}

/* What the whole run is; the names are those of the conventions on CI/CD, VCS and hosts. */
static void resource(const struct channel_target *t, const struct alert *a, struct json_out *j)
{
	CLEANUP(buf_free) struct buf url = { 0 };
	struct span service = span_trim(channel_option(t, "service"));
	const struct { const char *key, *value; } facts[] = {
		{ "host.name", a->host },
		{ "vcs.repository.name", a->project },
		{ "vcs.ref.head.name", a->branch },
		{ "vcs.ref.head.revision", a->commit },
		{ "vcs.change.id", a->pr },
		{ "cicd.pipeline.name", a->job },
		{ "cicd.pipeline.run.id", a->run },
	};

	json_key(j, "resource");
	json_open(j, '{');
	json_key(j, "attributes");
	json_open(j, '[');
	attribute(j, "service.name", service.n ? service : S("tocsin"));
	attribute(j, "service.version", S(TOCSIN_VERSION));
	for (size_t i = 0; i < ARRAY_LEN(facts); i++)
		attribute(j, facts[i].key, span_of(facts[i].value));
	if (alert_link(a->url, &url))
		attribute(j, "cicd.pipeline.run.url.full", buf_view(&url));
	json_close(j, ']');
	json_close(j, '}');
	j->to->bad |= url.bad;
}

static const char *result_of(const struct alert *a)
{
	static const struct { const char *outcome, *result; } rows[] = {
		{ "passed", "success" },  { "timed_out", "timeout" }, { "stalled", "timeout" },
		{ "killed", "error" },    { "not_started", "error" }, { "failed", "failure" },
		{ "masked", "failure" },  { "crashed", "failure" },   { "empty", "failure" },
		{ "unstable", "failure" },
	};

	for (size_t i = 0; a->outcome && i < ARRAY_LEN(rows); i++) {
		if (!strcmp(rows[i].outcome, a->outcome))
			return rows[i].result;
	}
	return NULL;
}

struct level {
	int number;
	const char *text;
};

static struct level level_of(const char *severity, bool over)
{
	if (over || (severity && !strcmp(severity, "note")))
		return (struct level){ 9, "INFO" };
	if (severity && !strcmp(severity, "warning"))
		return (struct level){ 13, "WARN" };
	return (struct level){ 17, "ERROR" };
}

static void record_begin(struct json_out *j, int64_t at, int64_t now, struct level level, const char *name, struct span body)
{
	char time[24];

	json_open(j, '{');
	snprintf(time, sizeof(time), "%lld", (long long)at);
	json_key(j, "timeUnixNano");
	json_strz(j, time);
	snprintf(time, sizeof(time), "%lld", (long long)now);
	json_key(j, "observedTimeUnixNano");
	json_strz(j, time);
	json_key(j, "severityNumber");
	json_int(j, level.number);
	json_key(j, "severityText");
	json_strz(j, level.text);
	json_key(j, "eventName");
	json_strz(j, name);
	json_key(j, "body");
	json_open(j, '{');
	json_key(j, "stringValue");
	json_str(j, (struct span){ body.p ? body.p : "", body.n });
	json_close(j, '}');
	json_key(j, "attributes");
	json_open(j, '[');
}

static void record_end(struct json_out *j)
{
	json_close(j, ']');
	json_close(j, '}');
}

static void alert_record(const struct channel_target *t, const struct alert *a, bool degraded, int64_t now, struct json_out *j)
{
	CLEANUP(buf_free) struct buf body = { 0 };
	bool over = a->kind == ALERT_RECOVERED || a->kind == ALERT_PROBE;

	alert_title(a, t->lang, 400, &body);
	if (!degraded) {
		buf_addc(&body, '\n');
		alert_text(a, FORM_PLAIN, t->lang, TEXT_MAX, &body);
	}
	record_begin(j, a->at, now, level_of(a->severity, over), "tocsin.alert", buf_view(&body));
	attribute(j, "log.record.uid", span_of(a->id)); /* the same on every attempt */
	attribute(j, "tocsin.alert.kind", span_of(alert_kind_words[a->kind]));
	attribute(j, "tocsin.alert.key", span_of(a->key));
	attribute(j, "tocsin.alert.level", span_of(a->level));
	attribute(j, "tocsin.outcome", span_of(a->outcome));
	attribute(j, "cicd.pipeline.result", span_of(result_of(a)));
	if (!over)
		attribute(j, "error.type", span_of(a->cause && *a->cause ? a->cause : "_OTHER"));
	attribute(j, "process.command_line", span_of(a->command));
	attribute(j, "user.name", span_of(a->actor));
	attribute_int(j, "tocsin.tests", a->tests);
	attribute_int(j, "tocsin.tests.failed", a->failed);
	attribute_int(j, "tocsin.duration_ns", a->duration_ns);
	record_end(j);
	j->to->bad |= body.bad;
}

/* A panic, in Go's sense: what the conventions call an exception. */
static bool is_exception(const char *cause)
{
	return cause && (!strncmp(cause, "go.", 3) || strstr(cause, "panic"));
}

static void item_record(const struct alert *a, const struct alert_item *it, int64_t now, struct json_out *j)
{
	bool exception = is_exception(it->cause), over = a->kind == ALERT_RECOVERED;

	record_begin(j, a->at, now, level_of(it->severity, over), "tocsin.finding", utf8_head(span_of(it->title), VALUE_MAX));
	if (!over)
		attribute(j, "error.type", span_of(it->cause && *it->cause ? it->cause : "_OTHER"));
	attribute(j, "test.suite.name", span_of(it->package));
	attribute(j, "test.case.name", span_of(it->test));
	if (it->test && *it->test)
		attribute(j, "test.case.result.status", over ? S("pass") : S("fail"));
	if (exception) {
		attribute(j, "exception.type", span_of(it->cause));
		attribute(j, "exception.message", span_of(it->title));
	}
	attribute_cut(j, exception ? "exception.stacktrace" : "tocsin.excerpt", span_of(it->excerpt), EXCERPT_MAX);
	attribute(j, "tocsin.place", span_of(it->place));
	attribute(j, "tocsin.fault", span_of(it->fault));
	attribute(j, "tocsin.fault.state", span_of(it->state));
	attribute(j, "tocsin.fingerprint", span_of(it->fingerprint));
	attribute(j, "tocsin.alert.id", span_of(a->id));
	record_end(j);
}

static void logs(const struct channel_target *t, const struct alert *a, bool degraded, int64_t now, struct buf *ret)
{
	struct json_out j = { .to = ret };

	json_open(&j, '{');
	json_key(&j, "resourceLogs");
	json_open(&j, '[');
	json_open(&j, '{');
	resource(t, a, &j);
	json_key(&j, "scopeLogs");
	json_open(&j, '[');
	json_open(&j, '{');
	json_key(&j, "scope");
	json_open(&j, '{');
	json_key(&j, "name");
	json_strz(&j, "tocsin");
	json_key(&j, "version");
	json_strz(&j, TOCSIN_VERSION);
	json_close(&j, '}');
	json_key(&j, "logRecords");
	json_open(&j, '[');
	alert_record(t, a, degraded, now, &j);
	for (size_t i = 0; !degraded && i < a->n_items; i++)
		item_record(a, &a->items[i], now, &j);
	for (const char *end = "]}]}]}"; *end; end++)
		json_close(&j, *end);
}

static bool is_header_name(struct span s)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";

	for (size_t i = 0; i < s.n; i++) {
		if (!memchr(letters, s.p[i], sizeof(letters) - 1))
			return false;
	}
	return true;
}

static int otlp_make(const struct channel_target *t, const struct alert *a, bool degraded, int64_t now, struct request *ret, struct err *e)
{
	struct span header = span_trim(channel_option(t, "header"));

	if (header.n && !is_header_name(header)) /* else the secret would stay here, unsaid */
		return err_set(e, EINVAL, TR("header: '%.*s' is no name of a header", "header：“%.*s”不是请求头名称"), SPAN_ARG(utf8_head(header, 60)));
	part_begin(ret, degraded, "application/json");
	int r = part_url(t, NULL, "/v1/logs", ret, e);
	if (r < 0)
		return part_fail(ret, r);
	if (header.n && t->secret.n) {
		CLEANUP(buf_free) struct buf name = { 0 };
		buf_span(&name, header);
		buf_need(&ret->headers, header.n + t->secret.n + 8);
		request_header(ret, buf_str(&name), span_trim(t->secret));
		ret->headers.bad |= name.bad;
	} else {
		part_authorization(t, "Bearer", ret);
	}
	logs(t, a, degraded, now, &ret->body);
	if (!ret->body.bad && ret->body.len > BODY_MAX) {
		buf_clear(&ret->body);
		logs(t, a, true, now, &ret->body);
	}
	return part_end(ret, e);
}

/* HTTP 200: some records may have been thrown away. */
static void taken(const struct response *r, struct answer *ret)
{
	char room[200];
	struct span rejected;
	int64_t n;

	if (r->status != 200 || (span_trim(r->body).n && !span_starts(span_trim(r->body), S("{")))) {
		part_unclear(r, "OTLP", ret);
		return;
	}
	if (!json_find(r->body, "partialSuccess.rejectedLogRecords", &rejected) || !span_int(rejected, &n) || n <= 0)
		return;
	answer_set(ret, ANSWER_CONFIG, TR("the collector threw away %lld records, and the protocol forbids to send them again", "收集器丢弃了 %lld 条记录，协议禁止重发"),
		   (long long)n);
	answer_quote(ret, part_said(r->body, "partialSuccess.errorMessage", room, sizeof(room)));
}

static void otlp_judge(const struct response *r, int64_t now, struct answer *ret)
{
	static const struct answer_row rows[] = {
		{ 404, NULL, ANSWER_CONFIG, { "there is no OTLP receiver for logs at this url (HTTP 404); it is the address before /v1/logs", "该 url 处没有 OTLP 日志接收端（HTTP 404）；请填写 /v1/logs 之前的地址" } },
		{ 415, NULL, ANSWER_CONFIG, { "the collector takes no JSON here (HTTP 415)", "收集器不接受 JSON（HTTP 415）" } },
	};
	bool again = r->status == 429 || r->status == 502 || r->status == 503 || r->status == 504;
	char room[200];

	answer_http(r, now, ret);
	if (r->transport)
		return;
	if (ret->class == ANSWER_DELIVERED) {
		taken(r, ret);
		return;
	}
	if (part_rows(r, rows, ARRAY_LEN(rows), (struct span){ 0 }, ret) || again || (ret->class != ANSWER_RETRY && ret->class != ANSWER_LIMITED))
		return;
	answer_set(ret, ANSWER_CONFIG, TR("the collector failed (HTTP %d), and OTLP allows no second try for that", "收集器出错（HTTP %d），OTLP 不允许为此重试"), r->status);
	answer_quote(ret, part_said(r->body, "message", room, sizeof(room)));
}

static const char *const options[] = { "service", "header", "user", NULL };

const struct channel_ops channel_otlp = {
	.type = "otlp",
	.title = { "OpenTelemetry logs (OTLP/HTTP)", "OpenTelemetry 日志（OTLP/HTTP）" },
	.needs_url = true,
	.max_bytes = BODY_MAX,
	.options = options,
	.make = otlp_make,
	.judge = otlp_judge,
};
