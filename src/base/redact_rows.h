#ifndef BASE_REDACT_ROWS_H
#define BASE_REDACT_ROWS_H

#include "base/buf.h"

/* Between base/redact.c (the search), base/redact_rows.c (what a secret looks like) and base/redact_value.c; for nobody else. */

enum {
	LOOK_VALUE =
		1024,    /* a value is judged by so much of it; the rest of a longer one is dropped unseen */
	LOOK_BACK = 256, /* a secret begins at most so far before what gives it away, in the same word */
	LOOK_CONTEXT = 512 /* bytes before it that may be read */
};

enum redact_state {
	REDACT_TEXT,
	REDACT_EAT,       /* in a secret longer than LOOK_VALUE */
	REDACT_KEY_BEGIN, /* behind the first line of a private key */
	REDACT_KEY_BODY
};

/* A place where something begins that may be a secret, and what came of looking at it. */
struct look {
	const char *p;
	size_t at, end;
	bool final;       /* nothing comes behind end */
	bool more;        /* end was looked at: the answer holds only when final */
	size_t from, to;  /* what is to be dropped */
	const char *kind; /* and written instead; NULL: nothing */
	enum redact_state state;
};

struct row {
	const char *kind;
	const char *literal; /* that gives it away */
	const char *rare;    /* three bytes of it, not frequent in logs: what is searched */
	bool (*match)(const struct row *row, struct look *l);
	unsigned cls;       /* bytes of the secret */
	unsigned short min; /* how many */
	bool exact_case;
	unsigned char word; /* enum word, FLAG_… */
	unsigned char skip; /* set by redact_rows(): where rare is in literal */
};

/* The byte there; 0 beyond the end. */
static inline unsigned char look_at(struct look *l, size_t i)
{
	if (i < l->end)
		return (unsigned char)l->p[i];
	l->more = true;
	return 0;
}

/* All rows; their number in *n. */
struct row *redact_rows(size_t *n);
void redact_classes(void);             /* call once, before any matcher */
bool redact_is_value(unsigned char c); /* while REDACT_EAT: still the secret? */
bool redact_is_base64(unsigned char c);
/* Within a private key, at l->at: the next piece of it. false: it ends here. */
bool redact_key(struct look *l);
/* Does it tell something, found anywhere? A password that is a plain word of a few letters does not. */
bool redact_is_telling(struct span value);

/*
 * Is this value written at l->at? As it is, in percent or JSON escapes (of JSON in JSON, too); wraps: with line ends in it.
 * l->to then.
 */
bool redact_value_here(struct look *l, struct span value, bool wraps);
/* What three bytes may begin it, letters in small; their number, at most KEYS_MAX. */
enum { KEYS_MAX = 48 };
size_t redact_value_keys(struct span value, uint32_t keys[KEYS_MAX]);
uint32_t redact_key_at(const char *p);

/*
 * `go test -json` cuts a long line into several events. Here their texts are put together, so that a secret on the edge is
 * seen; what stood between them is kept, to be put back.
 */
struct redact_events;
struct redact_events *redact_events_new(void); /* NULL: no memory */
/* Appends to window what is to be searched. end: nothing more comes. No memory: window->bad */
void redact_events_feed(struct redact_events *ev, struct span bytes, bool end, struct buf *window);
/* What was taken out at or before this place of the window, the first; false: nothing. It lasts until the next call. */
bool redact_events_cut(struct redact_events *ev, size_t until, size_t *at, struct span *text);
void redact_events_shift(struct redact_events *ev, size_t by); /* the window lost its first bytes */
void redact_events_free(struct redact_events *ev);
#endif
