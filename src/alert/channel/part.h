#ifndef ALERT_CHANNEL_PART_H
#define ALERT_CHANNEL_PART_H

#include "alert/channel/channels.h"
#include "base/json.h"

/* What the event and incident channels share. */

/* ---- requests ---- */

/* Begins a POST of JSON: zeroes *ret. */
void part_begin(struct request *ret, bool degraded, const char *content_type);
/* The target's URL, else the default one; tail ("/v2/alerts") is put at the end of its path unless it is there already. */
int part_url(const struct channel_target *t, const char *by_default, const char *tail, struct request *ret, struct err *e);
void part_query(struct request *ret, const char *name, const char *value); /* one more of the URL's query */
/* "Authorization: SCHEME SECRET"; nothing without a secret. With the option `user`: Basic. */
void part_authorization(const struct channel_target *t, const char *scheme, struct request *ret);
/* 0; or *ret is freed and this is -ENOMEM. */
int part_end(struct request *ret, struct err *e);
/* r < 0: frees *ret and gives r back. */
int part_fail(struct request *ret, int r);

/* ---- words ---- */

enum unit { UNIT_BYTES, UNIT_POINTS, UNIT_UTF16 }; /* in which a provider counts */
size_t part_count(struct span s, enum unit u);
/* alert_title and alert_text, of at most `limit` of the provider's units. Appends. */
void part_title(const struct alert *a, enum lang lang, size_t limit, enum unit u, struct buf *ret);
void part_text(const struct alert *a, enum alert_form form, enum lang lang, size_t limit, enum unit u, struct buf *ret);
/* What alerts about one thing have in common: a->key, else the id; at most max bytes (a long one: its head and a hash). */
void part_key(const struct alert *a, size_t max, struct buf *ret);

struct fact {
	const char *key;
	struct tx title;
	size_t at; /* of a const char * in struct alert */
};
extern const struct fact part_facts[]; /* key NULL at the end */
const char *part_fact(const struct alert *a, const struct fact *f); /* NULL: not known */
#define FACT_MAX 300
/* A member of an object: foreign text of one line, at most FACT_MAX bytes; nothing when NULL or empty. */
void part_member(struct json_out *j, const char *key, const char *value);
void part_url_member(struct json_out *j, const char *key, const char *url); /* nothing unless alert_link takes it */
void part_members(const struct alert *a, struct json_out *j); /* all facts that are known */

/* Each chat id of an owner of one of the items, once; at most max. The owner "*" is everybody's. */
size_t part_mentions(const struct channel_target *t, const struct alert *a, const struct mention **ret, size_t max);
const char *part_name(const struct mention *m); /* for people: the owner's */

/* ---- answers ---- */

/* A string of a JSON body by path, unescaped; "": not there. For comparing and quoting. */
struct span part_said(struct span body, const char *path, char *room, size_t size);
/* The same for a string whose place the caller has found; raw: still escaped. */
struct span part_unescaped(struct span raw, char *room, size_t size);

struct answer_row {
	int status;        /* 0: any */
	const char *word;  /* in the body; NULL: any */
	enum answer_class class;
	struct tx text;    /* for people */
};
/* The first row that fits; said (may be absent) is quoted behind its text. False: none does, *ret is as it was. */
bool part_rows(const struct response *r, const struct answer_row *rows, size_t n, struct span said, struct answer *ret);
/* A 2xx that is not the channel's own sign of success. */
void part_unclear(const struct response *r, const char *type, struct answer *ret);
bool part_html(struct span body); /* a page: of a proxy or a portal */
/* "12" or "0.35" seconds, as JSON writes them -> ns, at least 1 ms, at most 1 h; 0: neither. */
int64_t part_seconds(struct span number);
#endif
