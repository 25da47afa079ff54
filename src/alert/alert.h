#ifndef ALERT_ALERT_H
#define ALERT_ALERT_H

#include "model/report.h"

/*
 * What is told when something is wrong: plain data, made from a report that has passed redaction, kept as JSON in the outbox
 * (schema tocsin.alert/1), and turned into each channel's own form when it is sent. All memory is the alert's arena.
 */
enum alert_kind {
	ALERT_FAILED,    /* a run that is not passed; the early notice of one that will not be */
	ALERT_FOLLOWUP,  /* how it ended, after an early notice */
	ALERT_RECOVERED, /* what was told is over: the same command passed, or the fault is resolved */
	ALERT_DIGEST,    /* several that were held back, in one */
	ALERT_PROBE,     /* `tocsin alert test` */
	ALERT_CHANNEL,   /* a channel cannot deliver: told through the others */
	ALERT_KINDS,
};
extern const char *const alert_kind_words[]; /* "failed", …; NULL-terminated */

#define ALERT_JSON_MAX   (1 << 20) /* bytes that alert_read takes */
#define ALERT_ITEMS_MAX  64        /* that it keeps; an alert's own are fewer */
#define ALERT_OWNERS_MAX 20

struct alert_item { /* one finding of it, or one alert of a digest; strings, NULL: not known */
	const char *cause, *severity, *title /* one line */, *package, *test, *place /* "a.go:12" */, *excerpt, *advice;
	const char *fault, *state; /* "T-42"; "new", "known", "regressed" */
	const char *fingerprint;
	const char *said;          /* a sentence of the fault library */
	struct list owners;
	int64_t count;             /* times seen; of a digest: how many it stands for */
};

struct alert {
	struct arena mem;
	char id[27];           /* ULID: the idempotency key, the same for every channel and every attempt */
	enum alert_kind kind;
	const char *key;       /* what is the same for all alerts about one thing: the first finding's fingerprint, else "run-" and a hash of series and branch; for dedup and resolve */
	const char *series;    /* "the same command in the same place", as 16 hex digits (store_series); a pass of it on the same branch is a recovery */
	const char *level;     /* "L1", "L2", "L3" */
	bool early;            /* the run goes on */
	bool repeat;           /* it may have arrived before; set while it is sent, never kept */
	enum lang lang;        /* of summary, advice and said; the words for people are written in the language that is asked for where that can be */
	int64_t at;            /* wall ns */
	const char *run, *project, *branch, *commit, *job, *url, *actor, *pr, *ci, *go, *host;
	const char *command;   /* as one would type it */
	const char *outcome, *cause, *severity, *summary;
	int64_t duration_ns, packages, tests, failed; /* -1: not known */
	struct alert_item *items;
	size_t n_items;
	int64_t more;          /* items that are not shown */
};

/*
 * What the fields are of the kinds that no report makes (all others: as the report says):
 *   DIGEST   items: one for each cause and project, the most frequent first; package: the project,
 *            title, test, place: of the first one, count: alerts. more: alerts of no item. project, branch, url, cause: what all share.
 *   CHANNEL  items[0]: title: the channel's name, said: what it answered, advice: what to do, count: alerts that wait for it.
 *   PROBE    items none; project, host, at may be given.
 * RECOVERED from a report: no items; what was wrong before is the caller's to add as items (in a->mem).
 */
/* r has passed redaction. early: it is not the end yet. At most 8 items, errors first. */
int alert_make(const struct report *r, enum alert_kind kind, const char *level, bool early, int64_t now, struct alert *ret, struct err *e);
/* `one` joins the digest *to, which is {0} before the first. Memory is bounded however many join. Of a digest all that it stands for joins; -ENOMEM: perhaps a part of it, of any other nothing. */
int alert_gather(struct alert *to, const struct alert *one, int64_t now, struct err *e);
int alert_probe(const char *project, int64_t now, struct alert *ret, struct err *e);
/* level L1. said, advice: may be NULL. waiting: alerts that it owes. */
int alert_channel_down(const char *channel, const char *said, const char *advice, int64_t waiting, int64_t now, struct alert *ret, struct err *e);
void alert_free(struct alert *a);
void alert_json(const struct alert *a, struct buf *ret);                         /* appends */
int alert_read(struct span json, struct alert *ret, struct err *e);             /* hostile input: bounded, one sentence */

/* ---- words for people, in both languages (text.c). Bounded; cut on code points with the important part kept ---- */

enum alert_form { FORM_PLAIN, FORM_MARKDOWN /* CommonMark subset that chats know */, FORM_HTML /* only b, i, code, pre and a href; lines end in \n: what Telegram takes */ };
/*
 * "FAILED shop (main): 2 of 13 tests failed in 2 of 4 packages": at most max bytes, one line, safe as FORM_PLAIN is: alert_escape
 * it again where markup is read.
 */
void alert_title(const struct alert *a, enum lang lang, size_t max, struct buf *ret);
/*
 * Title aside: cause, place, excerpt, advice, owners, link. Foreign text cannot mention anybody (@all), start markup, or
 * reorder what is read. max: bytes; what does not fit goes from the least important end.
 */
void alert_text(const struct alert *a, enum alert_form form, enum lang lang, size_t max, struct buf *ret);
/*
 * The address behind a link, if it is one that people may be sent to: http or https with a host and no user in it;
 * what markup could take for its own is percent-encoded. False: nothing was added.
 */
bool alert_link(const char *url, struct buf *ret);
/* The headline's word alone: "FAILED", "RECOVERED", …; ours, static. */
const char *alert_word(const struct alert *a, enum lang lang);
/* "shop/cart TestTotal, cart_test.go:12": not escaped. */
void alert_place(const struct alert_item *it, struct buf *ret);
/* What the cause means, in words; NULL: a cause that is not known. */
const char *alert_mean(const char *cause, enum lang lang);
/* What the library says ("came back; seen 9 times; T-42"): not escaped; adds nothing when it knows nothing. */
void alert_said(const struct alert *a, const struct alert_item *it, enum lang lang, struct buf *ret);
/* The item's advice, else the cause's own, in the language asked for where it is one of ours. Absent: none. */
struct span alert_advice(const struct alert_item *it, enum lang lang);
/* Foreign text for one line of a chat: no control, no direction marks, @all/@here/@channel/<!…> broken, markup escaped for the form. */
void alert_escape(struct span s, enum alert_form form, struct buf *ret);
#endif
