#ifndef ALERT_OWE_H
#define ALERT_OWE_H

#include "alert/route.h"
#include "store/store.h"

/*
 * From a report to rows in the outbox. A row is {alert, channel}; its body is tocsin.owed/1: the alert, and what its deliverer
 * must know beside it. No secret is in it.
 */
struct owed_body {
	struct span config;  /* the file that was named, absolute; empty: none */
	struct span project, group; /* absent: none */
	bool escalates;      /* only if nobody has acknowledged it and it is not over */
	bool storm;          /* how often it was seen is known when it is sent */
	struct span after;   /* the row that told this channel before about the same thing; absent: none */
	struct span alert;   /* its JSON */
};
void owed_write(const struct owed_body *o, struct buf *ret); /* appends */
void owed_json(const char *config, const char *project, const char *group, bool escalates, struct span alert, struct buf *ret);
/* Strings are raw bodies of JSON strings, unescaped into mem. A plain tocsin.alert/1 is fine too. */
int owed_read(struct span json, struct arena *mem, struct owed_body *ret, struct err *e);

struct owed;
struct owe {
	bool early;      /* the run goes on: what is told now cannot be reversed */
	const struct owed *before; /* what was owed early: how the run ended is told to the same channels; NULL: nothing */
	/* Is the test that failed known to fail now and then? May be NULL. */
	bool (*flaky)(void *ctx, const struct finding *f);
	void *ctx;
	int64_t now;
};
struct owed {
	struct arena mem;
	const char *const *ids;      /* of the rows, NULL-terminated */
	const char *const *channels; /* the same order */
	size_t n;
	const char *key;             /* what the alert is about; NULL: none was made */
	struct list notes;           /* sentences: why nobody is told, what could not be */
};
/*
 * Routes it and writes all rows in one transaction: owed from the moment that it returns 0 with n > 0. r has passed redaction.
 * A run that passed owes only what says that a told one is over.
 */
int alert_owe(struct store *outbox, const struct config *c, const struct report *r, const struct owe *o, struct owed *ret, struct err *e);
void owed_free(struct owed *o);

/* An alert that is there already, for these channels (NULL-terminated; NULL: all of the configuration). */
int alert_owe_to(struct store *outbox, const struct config *c, const struct alert *a, const char *const *channels, int64_t now, struct owed *ret, struct err *e);

/* ---- rows as files, for a machine that goes away: an artifact, sent by `tocsin alert send --spool DIR` elsewhere ---- */

/* DIR/ID.json, whole or not at all. DIR is made. */
int spooled_write(const char *dir, const struct alert_row *a, struct err *e);
/* Owes all that are in DIR (the same id again is no second alert). paths: a file each, beside ret->ids. */
int spooled_owe(struct store *outbox, const struct config *c, const char *dir, int64_t now, struct owed *ret, struct list *paths, struct err *e);

/* ---- what is remembered beside them ---- */

struct silence {
	const char *id;            /* ULID */
	const char *when[WHENS];   /* globs, as routes_silence takes them; NULL: any */
	const char *key, *why, *who;
	int64_t until, at;
};
int silence_add(struct store *outbox, const struct silence *s, struct err *e);
typedef int silence_fn(void *ctx, const struct silence *s);
/* Those that hold at now; what is over is forgotten when the next is added. */
int silence_list(struct store *outbox, int64_t now, silence_fn *fn, void *ctx, struct err *e);
int silence_end(struct store *outbox, const char *id, struct err *e); /* -ENOENT: there is none */

struct told { /* what was told about one thing; strings, NULL: not known */
	const char *key;
	const char *of;            /* the key of the alert that told it along with something else; NULL: its own */
	const char *series, *project, *branch, *job, *service, *package, *owner, *host, *cause, *outcome, *title, *who;
	const char *rows;          /* "channel=ROW …": the last one of each; when it was is in its ULID */
	int64_t at, count;         /* since then */
	int64_t burst_at, burst;   /* of those, in the minute that began then: a storm is told of in a digest */
	bool acked, over;
};
typedef int told_fn(void *ctx, const struct told *t);
/* As it is kept: a key and a value of outbox_note. Appends. */
void told_note(const struct told *t, struct buf *key, struct buf *value);
int told_list(struct store *outbox, told_fn *fn, void *ctx, struct err *e);
/* Nobody is told again about this thing and what its alert told along with it, and it does not escalate, until it is over. -ENOENT: nothing was told. */
int alert_ack(struct store *outbox, const char *key, const char *who, struct err *e);
int told_open(struct store *outbox, struct span key, struct err *e); /* 1: nobody has acknowledged it and it is not over; 0 */
/* 1: since then (wall) this channel was told, by an alert of its own, that it is wrong; 0 */
int told_again(struct store *outbox, struct span key, struct span channel, int64_t since, struct err *e);
/* The digest of a storm (owed_body.storm) with what it comes to by now: how often it was seen since it was told. Appends; 1: as it was. */
int told_storm(struct store *outbox, struct span alert, struct buf *ret, struct err *e);
/* The file that was named by --config or TOCSIN_CONFIG, absolute; "" when none was. Appends. */
void owe_config_path(const struct config *c, struct buf *ret);
#endif
