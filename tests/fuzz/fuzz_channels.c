/*
 * Chat robots, webhooks and mail. The first byte says which channel and how; the rest is an answer to it, or an alert for
 * it (as JSON, else bytes that fill every field). What is made is well-formed and within the channel's bounds; what an answer
 * is said to mean is one sentence of valid text, and success only where the channel's own sign of it was seen.
 */
#include <stdio.h>
#include <stdlib.h>

#include "alert/channel.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW (INT64_C(1700000000) * NSEC_PER_SEC)

static const char *const types[] = { "dingtalk", "wecom", "feishu", "slack", "webhook", "smtp" };

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool well_formed(struct span text)
{
	struct json_in j = { .text = text };
	enum json_tok t;

	while ((t = json_next(&j)) > JSON_END)
		;
	return t == JSON_END;
}

static void check_utf8(struct span s)
{
	uint32_t cp;

	while (s.n) {
		s = span_from(s, utf8_decode(s, &cp));
		check(cp != UTF8_BAD);
	}
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
	check((unsigned)a.class <= ANSWER_AMBIGUOUS && a.text[0] && memchr(a.text, 0, sizeof(a.text)));
	check(a.wait_ns >= 0 && a.wait_ns <= 3600 * NSEC_PER_SEC);
	check_utf8(span_of(a.text));
	check(!strchr(a.text, '\n') && !strchr(a.text, 0x1b));
	if (a.class == ANSWER_DELIVERED) {
		check(r.status / 100 == 2);
		check(!strcmp(c->type, "webhook") || !strcmp(c->type, "smtp") || span_eq(span_trim(r.body), S("ok")) || well_formed(r.body));
	}
}

/* All fields are slices of the bytes. */
static void fill(struct span s, struct alert *a, struct alert_item *items, const char **owners)
{
	const char **all[] = { &a->key, &a->level, &a->run, &a->project, &a->branch, &a->commit, &a->job, &a->url, &a->actor, &a->pr, &a->host, &a->command, &a->outcome,
		&a->cause, &a->severity, &a->summary, &items[0].cause, &items[0].title, &items[0].package, &items[0].test, &items[0].place, &items[0].excerpt,
		&items[0].advice, &items[0].said, &items[1].title, &items[1].excerpt, &items[1].fault, &items[1].state, &owners[0], &owners[1] };

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct span part = span_cut(&s, '|');
		*all[i] = part.n ? arena_str(&a->mem, part) : NULL;
	}
	for (size_t i = 0; i < 2; i++)
		owners[i] = owners[i] ? owners[i] : "";
	items[0].owners = (struct list){ owners, 2, 2 };
	memcpy(a->id, "01J0000000000000000000ABCD", 27);
	a->items = items;
	a->n_items = 2;
	a->at = NOW;
}

static void check_request(const struct channel_ops *c, const struct request *r, bool json)
{
	struct span rest = buf_view(&r->headers);

	check(r->body.len > 0 && r->body.len <= c->max_bytes);
	while (rest.n) {
		struct span line = span_cut(&rest, '\n');
		check(span_find(line, S(": ")) != SPAN_NONE && span_chr(line, '\r') == SPAN_NONE);
	}
	if (r->kind == REQUEST_SMTP) {
		struct span left = buf_view(&r->body);
		while (left.n) {
			struct span line = span_cut(&left, '\n');
			check(line.n && line.n <= 998 && line.p[line.n - 1] == '\r' && line.p[0] != '.');
		}
	} else if (json) {
		check(well_formed(buf_view(&r->body)));
		check_utf8(buf_view(&r->body));
	}
}

static void message(const struct channel_ops *c, int how, struct span s)
{
	static const char *const urls[] = { "https://example.com/x?access_token=t&sign=1", "smtps://mail.example.com" };
	struct option options[] = { { "from", S("a@example.com") }, { "to", S("b@example.com") }, { "keyword", S("词") }, { "template_body", { NULL, 0 } } };
	const char *owners[2];
	struct alert_item items[2] = { { 0 } };
	struct alert a = { 0 };
	struct request r;
	struct err e = { 0 };
	bool mail = !strcmp(c->type, "smtp"), own = how & 4;

	if (alert_read(s, &a, &e) < 0) {
		a = (struct alert){ .kind = (enum alert_kind)(s.n % ALERT_KINDS) };
		fill(s, &a, items, owners);
	}
	struct mention people[] = { { "*", mail ? "c@example.com" : "U1" }, { a.n_items && a.items[0].owners.n ? a.items[0].owners.v[0] : "x", mail ? "d@example.com" : "all" } };
	struct channel_target t = { .name = "f", .url = span_of(urls[mail]), .secret = mail || how & 1 ? (struct span){ 0 } : S("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
		.lang = how & 2 ? LANG_ZH : LANG_EN, .options = options, .n_options = own ? 4 : 3, .mentions = people, .n_mentions = 2 };
	options[3].value = span_head(s, 300);
	for (int degraded = 0; degraded < 2; degraded++) {
		check(c->make(&t, &a, degraded, NOW, &r, &e) == 0);
		check_request(c, &r, strcmp(c->type, "webhook") != 0 || !own);
		request_free(&r);
	}
	alert_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	int how = data[0];
	const struct channel_ops *c = channel_find(types[how % 6]);
	struct span s = { (const char *)data + 1, size - 1 };

	lang_now = how & 64 ? LANG_ZH : LANG_EN;
	if (how & 128)
		answer(c, s);
	else
		message(c, how / 6, s);
	return 0;
}
