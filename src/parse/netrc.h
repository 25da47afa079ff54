#ifndef PARSE_NETRC_H
#define PARSE_NETRC_H

#include "base/span.h"

/*
 * .netrc as cmd/go reads it: words, `machine`, `default`, `macdef` up to a blank line; the first entry with a login and a
 * password counts (go takes neither quotes nor comments). Spans point into text: the password is a secret.
 */
struct netrc_entry {
	struct span machine; /* absent: default */
	struct span login, password;
	int64_t line;
	bool after_default; /* go stops at `default`: never used */
};
struct netrc_at {
	struct span rest;
	int64_t line;
	bool after_default;
};
bool netrc_next(struct netrc_at *at, struct netrc_entry *ret);
#endif
