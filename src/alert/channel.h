#ifndef ALERT_CHANNEL_H
#define ALERT_CHANNEL_H

#include "alert/alert.h"
#include "base/json.h"
#include "base/sha256.h"
#include "net/failure.h"

/*
 * A channel is a row: how an alert becomes a request, and what an answer means. Both are pure (no clock, no network, no
 * files), so that every form and every answer is a test. Sending is deliver's.
 */
enum channel_id { CHANNEL_DINGTALK, CHANNEL_WECOM, CHANNEL_FEISHU, CHANNEL_SLACK, CHANNEL_WEBHOOK, CHANNEL_SMTP, CHANNEL_ALERTMANAGER,
	CHANNEL_PAGERDUTY, CHANNEL_TEAMS, CHANNEL_DISCORD, CHANNEL_TELEGRAM, CHANNEL_OPSGENIE, CHANNEL_NTFY, CHANNEL_CLOUDEVENTS,
	CHANNEL_OTLP, CHANNEL_EXEC, CHANNEL_COUNT };

/* What a channel needs beside the alert, secrets in clear. Lives in locked memory while a request is made. */
struct channel_target {
	const char *name;
	struct span url, secret;       /* absent: not given */
	enum lang lang;
	struct option { const char *key; struct span value; } *options; /* the channel's own keys: to, from, topic, chat_id, format, template_title, … */
	size_t n_options;
	struct mention { const char *owner, *id; } *mentions;           /* "@team" or mail -> the chat's id */
	size_t n_mentions;
};
struct span channel_option(const struct channel_target *t, const char *key); /* absent: not given */

enum request_kind { REQUEST_HTTP, REQUEST_SMTP, REQUEST_EXEC };
struct request {
	enum request_kind kind;
	const char *method;            /* "POST"; static */
	struct buf url, body;          /* may hold secrets: request_free wipes all */
	struct buf headers;            /* "Name: value\n" lines */
	struct buf from, to;           /* SMTP: envelope; to: a line each. EXEC: argv, a line each, in `to` */
	struct buf user, password;     /* SMTP AUTH */
	bool degraded;                 /* already the plain, short form */
	int64_t not_before;            /* HTTP and SMTP: mono ns, it waits until then; 0: at once */
};
void request_header(struct request *r, const char *name, struct span value); /* refuses CR and LF in either */
void request_free(struct request *r);

enum answer_class {
	ANSWER_DELIVERED,  /* the channel's own success field was seen */
	ANSWER_RETRY,      /* R: the same again later */
	ANSWER_LIMITED,    /* R, and the whole channel waits */
	ANSWER_CONFIG,     /* C: a person must change something; told through other channels */
	ANSWER_PAYLOAD,    /* P: degrade to plain and short, then again */
	ANSWER_AMBIGUOUS,  /* sent, answer not understood or not heard */
	ANSWER_TAKEN,      /* what became of it is not known yet: to be asked (channel_ops.ask) */
};
struct response {
	int transport;         /* 0; else what never came to an answer: enum transport */
	bool sent;             /* the body had left when it broke */
	int status;            /* HTTP or SMTP */
	struct span headers;   /* raw lines */
	struct span body;      /* at most RESPONSE_MAX bytes */
	const char *why;       /* a sentence without any secret: of the transport; when that is OK, what else is to be known (answer cut off, recipients refused); may be NULL */
};
#define RESPONSE_MAX (64 << 10)
struct answer {
	enum answer_class class;
	int64_t wait_ns;       /* LIMITED and RETRY: at least; 0: the usual */
	bool partly;           /* DELIVERED, but not to all of them: text is to be kept */
	char text[240];        /* one sentence for people: what it said and what to do; no secret, no caller's IP */
};

struct channel_ops {
	const char *type;              /* as in tocsin.yaml */
	struct tx title;
	bool needs_url, needs_secret, idempotent;
	bool resolves;                 /* what it opened by alert.key, it closes; the others just say that it is over */
	int per_minute;                /* of one robot; 0: no limit known */
	size_t max_bytes;              /* of a body that is not degraded */
	const char *const *options;    /* keys that it knows, NULL-terminated; may be NULL */
	const char *default_url;       /* NULL: must be given */
	/* now: wall ns, of this attempt (signatures). degraded: plain and short. */
	int (*make)(const struct channel_target *t, const struct alert *a, bool degraded, int64_t now, struct request *ret, struct err *e);
	void (*judge)(const struct response *r, int64_t now, struct answer *ret);
	/* For the answer ANSWER_TAKEN, else NULL. taken: the body of that answer; ret: the question; judge_asked: what is answered to it. */
	int (*ask)(const struct channel_target *t, struct span taken, struct request *ret, struct err *e);
	void (*judge_asked)(const struct response *r, int64_t now, struct answer *ret);
};
extern const struct channel_ops *const channels[CHANNEL_COUNT];
const struct channel_ops *channel_find(const char *type);

/* ---- what several share (shared.c) ---- */

/* By HTTP status alone: 2xx DELIVERED, 408/429/5xx RETRY or LIMITED with Retry-After, 401/403/404/410 CONFIG, 400/413/415/422 PAYLOAD, 3xx CONFIG, transport. */
void answer_http(const struct response *r, int64_t now, struct answer *ret);
void answer_set(struct answer *a, enum answer_class class, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
struct span response_header(const struct response *r, const char *name); /* first one, trimmed; absent: none */
int64_t retry_after(struct span value, int64_t now); /* seconds or HTTP date -> ns, clamped to 1 s … 1 h; 0: neither */
int64_t ask_after(int asked); /* how long to wait before asking once more, when it was asked so often; 0: that was enough. 16 s in all */
/* What is to be done with an answer that is still none when enough was asked. */
void ask_given_up(struct answer *a);
bool http_date(struct span text, int64_t *ret);      /* the three forms of RFC 9110; UTC */
void percent_add(struct buf *b, struct span bytes); /* RFC 3986 unreserved stay */

/*
 * The value of a top-level key of a JSON object, if it has the wanted type (JSON_TRUE stands for both booleans), the whole
 * text is well-formed and the key stands there once. *whole: it was a well-formed object; may be NULL.
 */
bool answer_field(struct span json, const char *key, enum json_tok want, struct span *ret, bool *whole);
bool answer_number(struct span json, const char *key, int64_t *ret);
/* What a channel said, fit to be shown: one line, without addresses, links and anything as long as a token. Appends to a->text. */
void answer_quote(struct answer *a, struct span said);
/* If the answer's Date header is more than a minute off now, says by how much: the usual reason of a refused signature. */
void answer_clock(struct answer *a, const struct response *r, int64_t now);
#endif
