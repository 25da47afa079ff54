#ifndef PARSE_VERSION_H
#define PARSE_VERSION_H

#include "base/buf.h"

/* Versions and paths of Go modules. Sources: https://semver.org, https://go.dev/ref/mod (versions, pseudo-versions, module paths). */

bool version_valid(struct span v);     /* v1, v1.2, v1.2.3-pre+meta: what Go takes for one */
bool version_canonical(struct span v); /* complete, and without metadata but +incompatible */
/* Append it as Go writes it: v1.2 as v1.2.0, v1.2.3+x as v1.2.3. false: not valid, nothing appended. */
bool version_canonicalize(struct span v, struct buf *ret);
/* <0, 0, >0; an invalid one is less than any valid one; metadata does not count. */
int version_compare(struct span a, struct span b);
struct span version_major(struct span v);      /* "v2"; absent: not valid */
struct span version_prerelease(struct span v); /* "-rc.1"; empty: none; absent: not valid */
bool version_incompatible(struct span v);      /* valid, and its metadata is +incompatible */

struct pseudo_version {
	char base[64];        /* the version that it comes after, "v1.2.3"; "": none, or longer than this */
	struct span time;     /* 14 digits, UTC */
	struct span revision; /* mostly 12 hexadecimal digits; letters and digits in any case */
};
bool version_pseudo(struct span v, struct pseudo_version *ret); /* ret may be NULL */

/* Path without its /vN (gopkg.in: .vN) and that suffix; false: the suffix is malformed (/v0, /v1, /v01). */
bool module_split(struct span path, struct span *prefix, struct span *suffix);
bool module_major_fits(struct span suffix, struct span version); /* may this version be one of a path with this suffix? */
bool module_path_valid(struct span path);
bool import_path_valid(struct span path); /* of a package, also one of the standard library */
bool module_file_valid(struct span path); /* the name of a file in a module's zip, behind module@version/ */
/*
 * Append it as it stands in GOPROXY's URLs and in the module cache: A as !a. false, and nothing appended: such a path or
 * version cannot be, so that what is appended can neither leave a folder ("..") nor name another host.
 */
bool module_escape_path(struct span path, struct buf *ret);
bool module_escape_version(struct span version, struct buf *ret);
bool module_unescape_path(struct span escaped, struct buf *ret);
bool module_unescape_version(struct span escaped, struct buf *ret);

/* Go's own versions (1.21rc2, 1.21.0, 1.9): <0, 0, >0; an invalid one is less than any valid one. https://go.dev/doc/toolchain */
bool goversion_valid(struct span v);
int goversion_compare(struct span a, struct span b);
struct span goversion_language(struct span v);          /* 1.21.3, 1.21rc2: 1.21; absent: not valid */
struct span goversion_of_toolchain(struct span name);   /* go1.21.3-custom: 1.21.3; absent: none ("default", "local", "path") */
#endif
