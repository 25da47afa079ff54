#ifndef BASE_REDACT_ROWS_H
#define BASE_REDACT_ROWS_H

#include "base/span.h"

/* Between base/redact.c (the search) and base/redact_rows.c (what a secret looks like); for nobody else. */

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

/* All rows; their number in *n. */
struct row *redact_rows(size_t *n);
void redact_classes(void);             /* call once, before any matcher */
bool redact_is_value(unsigned char c); /* while REDACT_EAT: still the secret? */
/* Within a private key, at l->at: the next piece of it. false: it ends here. */
bool redact_key(struct look *l);
#endif
