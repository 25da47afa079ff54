#ifndef PARSE_GOPROXY_H
#define PARSE_GOPROXY_H

#include "base/span.h"

/* GOPROXY and its relatives (https://go.dev/ref/mod#goproxy-protocol, #environment-variables). Spans point into text. */
enum goproxy_kind { GOPROXY_URL, GOPROXY_DIRECT, GOPROXY_OFF, GOPROXY_NONE /* "noproxy": GOPRIVATE's own word */ };
struct goproxy_entry {
	enum goproxy_kind kind;
	struct span url;      /* as written, with credentials if any: a secret then */
	bool any_error;       /* `|` follows: the next one is tried after any error; else only after 404 and 410 */
	bool unreachable;     /* behind direct or off: never asked */
	bool no_scheme;       /* go puts https:// before it */
};
struct goproxy_at {
	struct span rest;
	bool ended;
};
bool goproxy_next(struct goproxy_at *at, struct goproxy_entry *ret); /* false: no more */
/* GOPRIVATE, GONOPROXY, GONOSUMDB: does one of the comma separated globs match a prefix of path, as path.Match does? */
bool goprivate_matches(struct span globs, struct span path);
/* What goprivate_matches cannot use: the first malformed glob; absent: none. */
struct span goprivate_malformed(struct span globs);
#endif
