#ifndef PARSE_GOPROXY_H
#define PARSE_GOPROXY_H

#include "base/span.h"

/* GOPROXY and its relatives (https://go.dev/ref/mod#goproxy-protocol, #environment-variables). Spans point into text. */
enum goproxy_kind {
	GOPROXY_URL,    /* http:// or https://, or none of both: then go puts https:// before it */
	GOPROXY_FILE,   /* file:// */
	GOPROXY_DIRECT,
	GOPROXY_OFF,
	GOPROXY_BAD,    /* go refuses the whole list (another scheme, no URL, a word that means nothing), or it has no host */
};
struct goproxy_entry {
	enum goproxy_kind kind;
	struct span url;  /* as written, without blanks around it; with credentials a secret */
	struct span host; /* URL: host and port, without credentials */
	struct span path; /* URL: what is behind the host, "" or from "/" on; FILE: the path on disk, percent-encoded */
	bool no_scheme;   /* go puts https:// before it */
	bool insecure;    /* http:// */
	bool credentials; /* user[:password]@ */
	bool any_error;   /* `|` follows: the next one is tried after any error; else only after 404 and 410 */
	bool unreachable; /* behind direct or off: never asked, not even looked at */
	size_t at;        /* where it begins in the list */
};
struct goproxy_at { /* {.rest = text} */
	struct span rest;
	size_t at;
	bool ended;
};
/* false: no more; empty entries are passed over. A list that is not empty and has no entry is refused by go. */
bool goproxy_next(struct goproxy_at *at, struct goproxy_entry *ret);
/* GOPRIVATE, GONOPROXY, GONOSUMDB: does one of the comma separated globs match a prefix of path, element by element? */
bool goprivate_matches(struct span globs, struct span path);
/* The first glob that matches; absent: none. */
struct span goprivate_match(struct span globs, struct span path);
/* What can match nothing: the first malformed glob; absent: none. */
struct span goprivate_malformed(struct span globs);
/* path.Match of Go: *, ?, [a-z], \c; none but `/` itself matches a `/`. false also when malformed. */
bool goglob_match(struct span glob, struct span name);
#endif
