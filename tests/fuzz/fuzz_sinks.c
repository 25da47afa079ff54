/*
 * Event and incident channels. The first byte says which and how; the rest is an answer to it, or an alert for it (as JSON,
 * else bytes that fill every field). What is made is well-formed and within its bounds, a header stays one line; what an
 * answer means is one sentence, and nothing but a channel's own success is one.
 */
#include <stdlib.h>

#include "alert/channel.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW (INT64_C(1700000000) * NSEC_PER_SEC)

static const char *const types[] = { "alertmanager", "pagerduty", "teams", "discord", "telegram", "opsgenie", "ntfy", "cloudevents", "otlp", "exec" };

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_text(struct span s)
{
	uint32_t cp;

	while (s.n) {
		s = span_from(s, utf8_decode(s, &cp));
		check(cp != UTF8_BAD);
	}
}

static void check_json(struct span text)
{
	struct json_in j = { .text = text };
	enum json_tok t;

	while ((t = json_next(&j)) > JSON_END)
		;
	check(t == JSON_END);
	check_text(text);
}

static void answer(const struct channel_ops *c, struct span s)
{
	struct response r = { .sent = true };
	struct answer a;
	int64_t status;

	struct span line = span_cut(&s, '\n');
	r.status = span_int(line, &status) && status >= 0 && status < 1000 ? (int)status : 200;
	size_t blank = span_find(s, S("\n\n"));
	r.headers = blank == SPAN_NONE ? (struct span){ 0 } : span_head(s, blank + 1);
	r.body = blank == SPAN_NONE ? s : span_from(s, blank + 2);
	c->judge(&r, NOW, &a);
	check((unsigned)a.class <= ANSWER_TAKEN && a.text[0] && memchr(a.text, 0, sizeof(a.text)));
	check(a.wait_ns >= 0 && a.wait_ns <= 3600 * NSEC_PER_SEC);
	check_text(span_of(a.text));
	check(!strchr(a.text, '\n') && !strchr(a.text, 0x1b));
	check(a.class != ANSWER_DELIVERED || r.status == 0 || (r.status / 100 == 2 && !span_starts(span_trim(r.body), S("<"))));
	if (a.class == ANSWER_TAKEN) {
		const struct channel_target t = { .name = "x", .url = S("https://h"), .secret = S("key") };
		struct request q;
		struct err e;
		check(c->ask && c->ask(&t, r.body, &q, &e) == 0 && span_starts(buf_view(&q.url), S("https://h/")) && span_find(buf_view(&q.url), S("..")) == SPAN_NONE);
		request_free(&q);
	}
	if (!c->judge_asked)
		return;
	c->judge_asked(&r, NOW, &a);
	check((unsigned)a.class <= ANSWER_TAKEN && a.text[0] && memchr(a.text, 0, sizeof(a.text)));
	check_text(span_of(a.text));
}

/* All fields are slices of the bytes. */
static void fill(struct span s, struct alert *a, struct alert_item *it, const char **owner)
{
	const char **all[] = { &a->key, &a->level, &a->run, &a->project, &a->branch, &a->commit, &a->job, &a->url, &a->actor, &a->pr, &a->host, &a->command, &a->outcome,
		&a->cause, &a->severity, &a->summary, &it->cause, &it->severity, &it->title, &it->package, &it->test, &it->place, &it->excerpt, &it->advice, &it->said,
		&it->fault, &it->state, &it->fingerprint, owner };

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct span part = span_cut(&s, '|');
		*all[i] = part.n ? arena_str(&a->mem, part) : NULL;
	}
	*owner = *owner ? *owner : "";
	it->owners = (struct list){ owner, 1, 1 };
	memcpy(a->id, "01J0000000000000000000ABCD", 27);
	a->items = it;
	a->n_items = 1;
	a->at = NOW;
}

static void check_request(const struct channel_ops *c, const struct request *r)
{
	struct span rest = buf_view(&r->headers);

	check(r->body.len > 0 && r->body.len <= c->max_bytes);
	while (rest.n) {
		struct span line = span_cut(&rest, '\n');
		check(span_find(line, S(": ")) != SPAN_NONE && span_chr(line, '\r') == SPAN_NONE);
	}
	if (strcmp(c->type, "ntfy") != 0)
		check_json(buf_view(&r->body));
	else
		check_text(buf_view(&r->body));
}

static void message(const struct channel_ops *c, int how, struct span s)
{
	struct option options[] = { { "chat_id", S("-100123") }, { "command", S("a b") }, { "topic", S("t t") }, { "mode", S("binary") } };
	const char *owner;
	struct alert_item item = { 0 };
	struct alert a = { 0 };
	struct request r;
	struct err e = { 0 };

	if (alert_read(s, &a, &e) < 0) {
		a = (struct alert){ .kind = (enum alert_kind)(s.n % ALERT_KINDS) };
		fill(s, &a, &item, &owner);
	}
	struct mention people[] = { { a.n_items && a.items[0].owners.n ? a.items[0].owners.v[0] : "x", how & 1 ? "4711" : "&4711" } };
	struct channel_target t = { .name = "f", .url = S("https://example.com/x?k=1"), .secret = S("1:s3cr3t"), .lang = how & 2 ? LANG_ZH : LANG_EN,
		.options = options, .n_options = how & 4 ? 4 : 3, .mentions = people, .n_mentions = 1 };
	for (int degraded = 0; degraded < 2; degraded++) {
		check(c->make(&t, &a, degraded, NOW, &r, &e) == 0);
		check_request(c, &r);
		request_free(&r);
	}
	alert_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	int how = data[0];
	const struct channel_ops *c = channel_find(types[how % 10]);
	struct span s = { (const char *)data + 1, size - 1 };

	lang_now = how & 64 ? LANG_ZH : LANG_EN;
	if (how & 128)
		answer(c, s);
	else
		message(c, how / 10, s);
	return 0;
}
