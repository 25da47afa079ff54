#ifndef BASE_REDACT_H
#define BASE_REDACT_H

#include "base/buf.h"

/*
 * The one place that takes secrets out of text: what it knows (values) and what looks like one (patterns, see
 * base/redact_rows.c). A secret becomes "[redacted:KIND]", which says neither the value nor its length; all other
 * bytes stay as they are. JSON stays valid JSON. Doing it twice changes nothing.
 */
struct redact; /* values that are known to be secret; NULL everywhere: those of redact_know, else patterns only */

struct redact *redact_new(void); /* NULL: no memory */
/*
 * From now on this value is replaced: as it is, percent-encoded, JSON-escaped and in base64. It is held in memory that is locked and out of core files. A value of several lines
 * counts line by line. kind: static text. false: no memory, or too short (< 4 bytes) or too long (> REDACT_VALUE_MAX)
 * to be looked for: who gets that must not go on as if it were.
 */
#define REDACT_VALUE_MAX 4096
bool redact_add_value(struct redact *x, struct span value, const char *kind);
/* Every secret that the patterns find in this text, and that tells enough to be found anywhere, is a value from now on. */
bool redact_learn(struct redact *x, struct span text);
/* The same for a variable or an option: where its name says that it is secret, all of the value is. */
bool redact_learn_named(struct redact *x, struct span name, struct span value);
/* What NULL stands for from now on, in the whole program: set before there are threads, and back to NULL before it is freed. */
void redact_know(const struct redact *x);
void redact_free(struct redact *x); /* wipes the values; NULL is fine */

bool redact_any(const struct redact *x, struct span text); /* would anything be replaced? Takes no memory */
/* Append text without its secrets; returns how many were replaced. No memory: ret->bad. */
size_t redact_text(const struct redact *x, struct span text, struct buf *ret);

/* Text must be cut before anybody redacts it: at most n bytes of it, whole characters, and no secret is cut in two. */
struct span redact_head(struct span text, size_t n);
/* The first place at or behind `from` that is not within a secret. */
size_t redact_behind(struct span text, size_t from);

/*
 * The same for bytes that come in pieces, cut anywhere: {0} (and .x, when there are values) is a new one. What may be
 * the beginning of a secret is held back: at most REDACT_HOLD bytes; a piece that ends with a newline mostly leaves none.
 */
#define REDACT_HOLD (8 << 10)
struct redact_stream {
	const struct redact *x;
	bool events; /* it may be `go test -json`: a secret may begin in one event and end in the next of the same test */
	struct redact_events *parts;
	struct buf window; /* what was handed on but may still be looked at, then what is held back */
	size_t done, pos;  /* in the window: handed on until here; searched until here */
	int state;
	size_t hits; /* so far */
};
void redact_feed(struct redact_stream *r, struct span bytes,
		 struct buf *ret);                         /* appends what may go on. No memory: ret->bad */
void redact_end(struct redact_stream *r, struct buf *ret); /* the rest */
bool redact_holds(const struct redact_stream *r);
/* Nothing came for a while, and somebody may wait for what is held (a prompt): all but what begins like a known value. */
void redact_idle(struct redact_stream *r, struct buf *ret);
void redact_stream_free(struct redact_stream *r);
#endif
