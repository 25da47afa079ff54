#include "alert/channel/chat.h"

#include <errno.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

/*
 * Any receiver: the alert as it is (tocsin.alert/1), or the user's template_body. With a secret the body is signed as GitHub
 * signs (format: github, also when no format is given), as Standard Webhooks says (format: standard), or the secret is the
 * receiver's token (format: bearer).
 */
#define BODY_MAX 60000
#define STANDARD_MAX 19000 /* of 20 KB */
#define PLAIN_MAX 1500

enum format { FORMAT_JSON, FORMAT_GITHUB, FORMAT_STANDARD, FORMAT_BEARER, FORMATS };
static const char *const format_words[FORMATS] = { "json", "github", "standard", "bearer" };

static int read_format(const struct channel_target *t, enum format *ret, struct err *e)
{
	struct span v = span_trim(channel_option(t, "format"));

	*ret = t->secret.n ? FORMAT_GITHUB : FORMAT_JSON;
	for (int i = 0; i < FORMATS; i++) {
		if (span_eq(v, span_of(format_words[i]))) {
			*ret = (enum format)i;
			v.n = 0;
		}
	}
	if (v.n)
		return err_set(e, EINVAL, TR("channel %s: format '%.*s' is none of json, github, standard, bearer", "渠道 %s：format “%.*s”不是 json、github、standard、bearer 之一"),
			       t->name, (int)(v.n > 40 ? 40 : v.n), v.p);
	if (*ret != FORMAT_JSON && !span_trim(t->secret).n)
		return err_set(e, EINVAL, TR("channel %s: format %s needs a secret", "渠道 %s：format %s 需要 secret"), t->name, format_words[*ret]);
	return 0;
}

/* ---- signatures ---- */

static void sign_github(struct span secret, struct request *r)
{
	unsigned char mac[SHA256_SIZE];
	char value[7 + 2 * SHA256_SIZE + 1] = "sha256=";

	hmac_sha256(secret, buf_view(&r->body), mac);
	hex_lower(mac, sizeof(mac), value + 7);
	request_header(r, "X-Hub-Signature-256", span_of(value));
}

/* One key: "whsec_" and base64. False: it is not. */
static bool add_signature(struct span key, struct span text, struct buf *ret)
{
	struct buf raw = { 0 };
	unsigned char mac[SHA256_SIZE];
	bool ok;

	span_skip(&key, S("whsec_"));
	ok = buf_need(&raw, key.n) && base64_read(key, &raw) && raw.len > 0;
	if (ok) {
		hmac_sha256(buf_view(&raw), text, mac);
		buf_adds(ret, ret->len ? " v1," : "v1,");
		base64_add(ret, (struct span){ (const char *)mac, sizeof(mac) });
	}
	ret->bad |= raw.bad;
	if (raw.p)
		explicit_bzero(raw.p, raw.cap);
	buf_free(&raw);
	return ok || ret->bad;
}

/* The secret may hold several keys, blanks between them, while one replaces the other: each signs. */
static int sign_standard(const struct channel_target *t, const struct alert *a, int64_t now, struct request *r, struct err *e)
{
	CLEANUP(buf_free) struct buf text = { 0 }, value = { 0 };
	struct span keys = span_trim(t->secret);
	char at[24];

	snprintf(at, sizeof(at), "%lld", (long long)(now / NSEC_PER_SEC));
	buf_addf(&text, "%s.%s.", a->id, at);
	buf_span(&text, buf_view(&r->body));
	while (keys.n) {
		size_t n = 0;
		while (n < keys.n && !strchr(" \t\r\n", keys.p[n]))
			n++;
		struct span key = span_head(keys, n);
		keys = span_trim(span_from(keys, n));
		if (!add_signature(key, buf_view(&text), &value))
			return err_set(e, EINVAL, TR("channel %s: its secret is no key of Standard Webhooks: whsec_ and base64", "渠道 %s：secret 不是 Standard Webhooks 的密钥（whsec_ 加 base64）"), t->name);
	}
	r->headers.bad |= text.bad || value.bad;
	request_header(r, "webhook-id", span_of(a->id));
	request_header(r, "webhook-timestamp", span_of(at));
	request_header(r, "webhook-signature", buf_view(&value));
	return 0;
}

/* ---- bodies ---- */

static void put_string(struct json_out *j, const char *key, const char *value)
{
	json_key(j, key);
	json_strz(j, value);
}

/* What matters of an alert, in few fields. */
static void write_short(const struct channel_target *t, const struct alert *a, struct buf *ret)
{
	CLEANUP(buf_free) struct buf title = { 0 }, text = { 0 };
	struct json_out j = { .to = ret };

	chat_title(t, a, 200, &title);
	alert_text(a, FORM_PLAIN, t->lang, PLAIN_MAX, &text);
	json_open(&j, '{');
	put_string(&j, "schema", "tocsin.alert/1");
	put_string(&j, "id", a->id);
	put_string(&j, "kind", alert_kind_words[a->kind]);
	json_key(&j, "title");
	json_str(&j, buf_view(&title));
	json_key(&j, "text");
	json_str(&j, buf_view(&text));
	part_members(a, &j);
	part_url_member(&j, "url", a->url);
	json_close(&j, '}');
	ret->bad |= title.bad || text.bad;
}

static bool well_formed(struct span text)
{
	struct json_in j = { .text = text };
	enum json_tok t;

	while ((t = json_next(&j)) > JSON_END)
		;
	return t == JSON_END;
}

static bool is_json(struct span text)
{
	text = span_trim(text);
	return text.n && (text.p[0] == '{' || text.p[0] == '[');
}

/* The user's own body, filled. False: it cannot be used, for the reason in why. */
static bool write_template(const struct channel_target *t, const struct alert *a, struct span own, size_t max, struct buf *ret, char why[TEMPLATE_WHY])
{
	bool json = is_json(own);

	if (!template_fill(own, a, t->lang, json ? TEMPLATE_JSON : TEMPLATE_PLAIN, ret, why))
		return false;
	if (json && !ret->bad && !well_formed(buf_view(ret)))
		snprintf(why, TEMPLATE_WHY, "%s", lang_text(t->lang, "what it makes is not JSON", "填充后不是合法的 JSON"));
	else if (ret->len > max)
		snprintf(why, TEMPLATE_WHY, "%s", lang_text(t->lang, "what it makes is too long", "填充后过长"));
	if (why[0])
		ret->len = 0;
	return !why[0];
}

static void write_data(const struct channel_target *t, const struct alert *a, bool brief, size_t max, const char *why, struct buf *ret)
{
	size_t from = ret->len;

	if (!brief)
		alert_json(a, ret);
	if (brief || ret->len - from + strlen(why) > max) {
		ret->len = from;
		write_short(t, a, ret);
	}
	if (why[0] && !ret->bad && ret->len) { /* the built-in body says why it is not the user's */
		struct json_out j = { .to = ret, .comma = true };
		ret->len--;
		json_key(&j, "template_error");
		json_strz(&j, why);
		json_close(&j, '}');
	}
}

/* {"type","timestamp","data"} */
static void write_event(const struct channel_target *t, const struct alert *a, bool brief, const char *why, struct buf *ret)
{
	struct json_out j = { .to = ret };
	char type[40], at[32];

	snprintf(type, sizeof(type), "alert.%s", alert_kind_words[a->kind]);
	time_rfc3339(a->at, at);
	json_open(&j, '{');
	put_string(&j, "type", type);
	put_string(&j, "timestamp", at);
	json_key(&j, "data");
	write_data(t, a, brief, STANDARD_MAX - 200, why, ret);
	j.comma = true;
	json_close(&j, '}');
}

static void write_body(const struct channel_target *t, const struct alert *a, enum format format, bool brief, struct request *ret, bool *json)
{
	struct span own = channel_option(t, "template_body");
	char why[TEMPLATE_WHY] = "";

	*json = is_json(own);
	if (brief && span_trim(own).n)
		snprintf(why, sizeof(why), "%s", lang_text(t->lang, "the receiver refused what it makes", "接收方拒绝了填充后的内容"));
	else if (span_trim(own).n && write_template(t, a, own, format == FORMAT_STANDARD ? STANDARD_MAX : BODY_MAX, &ret->body, why))
		return;
	*json = true;
	if (format == FORMAT_STANDARD)
		write_event(t, a, brief, why, &ret->body);
	else
		write_data(t, a, brief, BODY_MAX, why, &ret->body);
}

static int make(const struct channel_target *t, const struct alert *a, bool degraded, int64_t now, struct request *ret, struct err *e)
{
	enum format format;
	bool json;
	int r;

	*ret = (struct request){ .kind = REQUEST_HTTP, .method = "POST", .degraded = degraded };
	r = read_format(t, &format, e);
	if (r == 0)
		r = chat_url(t, 1, ret, e);
	if (r < 0)
		return part_fail(ret, r);
	buf_need(&ret->headers, 2 * t->secret.n + 512); /* once: it may hold the secret */
	write_body(t, a, format, degraded, ret, &json);
	request_header(ret, "Content-Type", json ? S("application/json") : S("text/plain; charset=utf-8"));
	if (format == FORMAT_GITHUB)
		sign_github(span_trim(t->secret), ret);
	else if (format == FORMAT_STANDARD)
		r = sign_standard(t, a, now, ret, e);
	else if (format == FORMAT_BEARER)
		part_authorization(t, "Bearer", ret);
	return r < 0 ? part_fail(ret, r) : part_end(ret, e);
}

/* Its success is the status, and that has been seen, whatever becomes of the rest of the answer. */
static void judge(const struct response *r, int64_t now, struct answer *ret)
{
	answer_http(r, now, ret);
	if (r->transport && r->transport != TRANSPORT_TOO_BIG && r->sent && r->status / 100 == 2)
		answer_set(ret, ANSWER_DELIVERED, TR("accepted, HTTP %d; the rest of its answer did not come", "已接受，HTTP %d；其余应答未收到"), r->status);
}

static const char *const options[] = { "format", "user", "template_title", "template_body", NULL };

const struct channel_ops channel_webhook = {
	.type = "webhook", .title = { "Webhook", "通用 Webhook" }, .needs_url = true, .idempotent = true, .max_bytes = BODY_MAX,
	.options = options, .make = make, .judge = judge,
};
