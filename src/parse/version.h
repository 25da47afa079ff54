#ifndef PARSE_VERSION_H
#define PARSE_VERSION_H

#include "base/buf.h"

/* Versions and paths of Go modules. Sources: https://semver.org, https://go.dev/ref/mod (versions, pseudo-versions, module paths). */

bool version_valid(struct span v);                /* v1, v1.2, v1.2.3-pre+meta: what Go takes for one */
bool version_canonical(struct span v);            /* complete, and without metadata but +incompatible */
int version_compare(struct span a, struct span b); /* <0, 0, >0; an invalid one is less than any valid one */
struct span version_major(struct span v);         /* "v2"; absent: not valid */
bool version_incompatible(struct span v);         /* ends in +incompatible */

struct pseudo_version {
	struct span base;     /* the version that it comes after, "v1.2.3"; absent: none */
	struct span time;     /* 14 digits, UTC */
	struct span revision; /* 12 hexadecimal digits */
};
bool version_pseudo(struct span v, struct pseudo_version *ret); /* ret may be NULL */

/* Path without its /vN (gopkg.in: .vN) and that suffix; false: the suffix is malformed (/v0, /v1, /v01). */
bool module_split(struct span path, struct span *prefix, struct span *suffix);
bool module_major_fits(struct span suffix, struct span version); /* may this version be one of a path with this suffix? */
bool module_path_valid(struct span path);
/* As in GOPROXY's URLs and the module cache: A to !a. false: such a path or version cannot be (upper half, '!'). */
bool module_escape(struct span s, struct buf *ret);
bool module_unescape(struct span s, struct buf *ret);
/* Go's own versions (1.21rc2, 1.21.0, 1.9): <0, 0, >0; an invalid one is less than any valid one. https://go.dev/doc/toolchain */
bool goversion_valid(struct span v);
int goversion_compare(struct span a, struct span b);
struct span goversion_of_toolchain(struct span name); /* go1.21.3-custom: 1.21.3; absent: none */
#endif
