#ifndef PARSE_NETRC_H
#define PARSE_NETRC_H

#include "base/span.h"

/*
 * .netrc as cmd/go reads it, which is not as curl and git do: words in pairs, line by line (a pair never goes over the end of
 * a line), neither quotes nor comments, and `default` is never used. Of several entries for a machine the first counts.
 * Spans point into text: the password is a secret.
 */
enum netrc_kind {
	NETRC_ENTRY,      /* machine, login and password: go uses it */
	NETRC_INCOMPLETE, /* a machine for which go finds no login or no password: not used */
	NETRC_DEFAULT,    /* `default`: go does not use it */
	NETRC_HALF,       /* the last word of a line has no partner: go does not see it ("machine" and its name on two lines) */
	NETRC_UNREAD,     /* a machine behind the place where go has stopped, a line that ends in a lone `default` */
};
struct netrc_entry {
	enum netrc_kind kind;
	struct span machine;         /* absent: DEFAULT, HALF */
	struct span login, password; /* absent: go finds none */
	int64_t line;                /* from 1; of the word `machine` */
};
struct netrc_at { /* {.rest = text} */
	struct span rest;
	int64_t line;
	struct span words; /* what is left of the line */
	struct netrc_entry open;
	bool in_macro, stopped;
	bool quiet; /* of this line a word without partner is not worth telling */
};
bool netrc_next(struct netrc_at *at, struct netrc_entry *ret); /* false: no more */
/*
 * The entry that go would use for https://PLACE ("example.com:8443/go"). From 1.24 on the machine is host:port and may have the
 * first folders of the path, the longest counts; before (`old`) it is the host's name alone. false: none.
 */
bool netrc_find(struct span text, struct span place, bool old, struct netrc_entry *ret);
#endif
