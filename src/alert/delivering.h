#ifndef ALERT_DELIVERING_H
#define ALERT_DELIVERING_H

#include "alert/child.h"
#include "alert/deliver.h"
#include "alert/http.h"
#include "alert/limits.h"
#include "alert/owe.h"
#include "alert/target.h"

/* Between the files of the deliverer. */

/* ---- what was handed over (handover.c) ---- */

struct scope { /* of one run */
	struct scope *next;
	char run[27];
	char *config, *project; /* config "": no file was named */
	struct secret_set *set;
};
struct secret_set {
	struct secrets *secrets;
	size_t n;    /* references */
	int users;
};
struct scopes {
	struct scope *first; /* the newest */
	size_t n;
};
#define HANDOVER_MAX (256 << 10)
int handover_make(const struct deliver_hand *h, struct buf *ret, struct err *e); /* ret: room is taken once, and wiped by the caller */
int handover_read(struct scopes *s, struct span text, struct err *e);
void handover_wipe(struct buf *b);
/* The run's own, else the newest of the same configuration and project; NULL: none. */
struct secret_set *scope_find(const struct scopes *s, struct span run, const char *config, const char *project);
void scopes_free(struct scopes *s);
void secret_set_unuse(struct secret_set *s); /* NULL is fine; the last one wipes it */

int handover_lock(const char *outbox, struct err *e);   /* the descriptor; -EAGAIN: another has it */
int handover_listen(const char *outbox, struct err *e); /* the socket's descriptor; called by who has the lock */
void handover_unlisten(const char *outbox, int fd); /* outbox NULL: what has its name now is another's */
int handover_accept(int fd, struct scopes *s, struct err *e); /* one connection: 1; 0: none waits */
int handover_give(const char *outbox, struct span text, int64_t time_ns, struct err *e); /* to the living one; -ECONNREFUSED: there is none */

/* ---- bundles (bundle.c) ---- */

struct channel_state;
struct deliver;
struct bundle { /* one message: one row, or several as a digest */
	struct bundle *next;
	struct channel_state *channel;
	char (*ids)[27];
	size_t n, cap;
	struct buf body;      /* the alert, as JSON; of one row */
	struct alert digest;  /* of several */
	char *group;          /* NULL: alone */
	int64_t attempts, created, began;
	bool degraded, about_channel, done_before;
	bool repeat;          /* an earlier attempt may have arrived */
	size_t n_resent;      /* rows whose answer was not understood before: once more is all they get */
	int asked;            /* how often, what became of it */
	struct buf taken;     /* what it said when it took it */
	char sent[27];        /* what it left as before, or leaves as now: see sent.c; "": nothing is remembered */
	bool sent_maybe;      /* and it may have arrived */
	struct secret_set *set;
	struct request request;
	struct target target;
	struct child_job *child;
	struct deliver *deliver;
	/* what came of it */
	enum alert_state state;
	char error[300];
	int64_t again;
};
struct channel_state {
	struct channel_state *next;
	char *config, *name;  /* config "": no file was named */
	struct secret_set *set;
	struct bundle *first; /* queue, in order */
	size_t queued;
	int flying;
	int failures;         /* since something was delivered */
	int64_t since;        /* mono: it was sent something, or answered, last */
	bool crowded;         /* what it did not take together before goes together again */
	char (*lacking)[27];  /* rows that wait for a secret, as many as are kept in mind */
	size_t n_lacking, cap_lacking;
	int64_t wait_until;   /* wall */
	int per_minute;       /* -1: not known yet */
	uint64_t robot;
};
int bundle_from_row(const struct alert_row *a, const struct owed_body *o, struct bundle **ret);
bool bundle_join(struct bundle *to, const struct alert_row *a, const struct owed_body *o, int64_t now); /* false: no memory */
bool bundle_absorb(struct bundle *to, struct bundle *from, int64_t now); /* from is freed; false: as it was */
void bundle_merge_queue(struct channel_state *c, int64_t now);
void bundle_alert_json(const struct bundle *b, struct buf *ret);
void bundle_free(struct bundle *b);

/* ---- what left as one message (sent.c) ---- */

struct sent;
int sent_load(struct deliver *d, struct err *e);
void sent_free(struct deliver *d);
const char *sent_find(const struct deliver *d, const struct alert_row *a); /* NULL: it goes as it comes; else for bundle.sent */
bool sent_misses(const struct deliver *d);                  /* some of a message's rows are not leased yet */
void sent_before(struct deliver *d, struct bundle *b);      /* it leaves now: under its old id, or it is remembered */
void sent_settled(struct deliver *d, const struct bundle *b);

/* ---- what must come after another (turn.c) ---- */

enum turn { TURN_NOW, TURN_LATER /* at *at */, TURN_NEVER, TURN_STUCK /* a person must see to what it ends first */ };
enum turn turn_of(struct deliver *d, const struct alert_row *a, const struct owed_body *o, struct arena *mem, int64_t *at, const char **why);
bool turn_is_near(const struct deliver *d);

/* ---- sending (send.c) ---- */

struct wire { /* connections with one set of options */
	struct wire *next;
	char *ca_file, *proxy;
	bool allow_plain;
	struct http *http;
};
struct known_config {
	struct known_config *next;
	char *path; /* "": no file was named */
	struct config *config;
	int64_t read_at;
};
struct deliver {
	const struct deliver_options *o;
	struct store *s;
	char by[64];
	struct limits *limits;
	struct wire *wires;
	struct known_config *configs;
	struct scopes scopes;
	struct secret_set own; /* what this process can read itself */
	struct channel_state *channels;
	struct bundle *flying; /* children among them */
	struct bundle *done;   /* to be said in the outbox */
	struct sent *sent;
	size_t n_flying, n_queued, n_done;
	int64_t done_since, busy_at;
	struct alert_held *holds; /* leased, but not to be sent yet: said when the batch is taken */
	size_t n_holds, cap_holds;
	struct arena holds_mem;
	uint64_t dev, ino;     /* of the outbox's file */
	bool gone;             /* it is not there any more, or another */
	int64_t failing_at;    /* mono: since then it cannot be read; 0: it can */
	int64_t heard_at;      /* mono: something was handed over */
	int64_t began, held;   /* mono; wall: until then one waits for another that is being sent */
	int lock, sock;
	bool stop, undelivered, stuck;
};
void send_bundle(struct deliver *d, struct bundle *b);  /* out of its queue, or (the channel must wait) back into it */
void send_step(struct deliver *d, int64_t wait_ns);     /* work on what is under way */
void send_close(struct deliver *d);
int send_config(struct deliver *d, const char *path, struct config **ret, struct err *e);
void conclude(struct deliver *d, struct bundle *b, const struct answer *a); /* deliver.c */
void await_secret(struct deliver *d, struct bundle *b, const char *text);
void bundle_done(struct deliver *d, struct bundle *b, enum alert_state state, int64_t again, const char *text);
void queue_front(struct channel_state *c, struct bundle *b, struct deliver *d);
#endif
