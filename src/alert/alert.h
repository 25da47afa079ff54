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
	const char *key;       /* what is the same for all alerts about one thing: the run's series, or a fingerprint; for dedup and resolve */
	const char *level;     /* "L1", "L2", "L3" */
	bool early;            /* the run goes on */
	int64_t at;            /* wall ns */
	const char *run, *project, *branch, *commit, *job, *url, *actor, *pr, *ci, *go, *host;
	const char *command;   /* as one would type it */
	const char *outcome, *cause, *severity, *summary;
	int64_t duration_ns, packages, tests, failed; /* -1: not known */
	struct alert_item *items;
	size_t n_items;
	int64_t more;          /* items that are not shown */
};

/* r has passed redaction. early: it is not the end yet. At most 8 items, errors first. */
int alert_make(const struct report *r, enum alert_kind kind, const char *level, bool early, int64_t now, struct alert *ret, struct err *e);
void alert_free(struct alert *a);
void alert_json(const struct alert *a, struct buf *ret);                         /* appends */
int alert_read(struct span json, struct alert *ret, struct err *e);             /* hostile input: bounded, one sentence */

/* ---- words for people, in both languages (text.c). Bounded; cut on code points with the important part kept ---- */

enum alert_form { FORM_PLAIN, FORM_MARKDOWN /* CommonMark subset that chats know */, FORM_HTML };
/* "FAILED shop: 2 of 13 tests failed in 2 of 4 packages" : at most max bytes. */
void alert_title(const struct alert *a, enum lang lang, size_t max, struct buf *ret);
/*
 * Title aside: cause, place, excerpt, advice, owners, link. Foreign text cannot mention anybody (@all), start markup, or
 * reorder what is read. max: bytes; what does not fit goes from the least important end.
 */
void alert_text(const struct alert *a, enum alert_form form, enum lang lang, size_t max, struct buf *ret);
/* Foreign text for one line of a chat: no control, no direction marks, @all/@here/@channel/<!…> broken, markup escaped for the form. */
void alert_escape(struct span s, enum alert_form form, struct buf *ret);
#endif
