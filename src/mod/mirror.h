#ifndef MOD_MIRROR_H
#define MOD_MIRROR_H

#include "base/arena.h"
#include "base/buf.h"
#include "parse/goproxy.h"

/*
 * Which other proxies may be asked when one fails, and the GOPROXY of a retry. No name of a module may reach somebody who would
 * not have heard it anyway, but for those whom `mirrors:` names; and what GOPRIVATE matches never reaches even those. Pure.
 */
struct mirror_env { /* as `go env` says */
	const char *proxy, *private_, *noproxy, *nosumdb;
};
struct mirror {
	const char *url;   /* as go takes it; may hold credentials */
	const char *shown; /* without them */
	bool file;         /* file:// */
	bool named;        /* by `mirrors:`; else an entry of GOPROXY */
};
struct mirrors {
	struct mirror *v; /* file:// first, then as they were named, then those of GOPROXY */
	size_t n;
	const char *refused; /* why some, or all, are not used: a sentence; NULL: nothing to say */
};
/* Strings live in mem. -ENOMEM is the only error. */
int mirrors_find(const struct mirror_env *env, const char *const *named, size_t n, struct arena *mem, struct mirrors *ret);
/*
 * GOPROXY of a retry that begins with mirror `first`: all of them in rotation, joined by `|`, then the whole list as it was, with
 * its end. failed: the base address that failed just now, left out of the front; may be absent.
 */
void mirrors_list(const struct mirrors *m, size_t first, const char *proxy, struct span failed, struct buf *ret);
/* The entry of the list that serves this URL: the longest base; absent: none. */
struct span mirror_base(const char *proxy, struct span url);
bool mirror_is_public(struct span host); /* one that anybody may ask, and that holds no private modules */
/* An entry of GOPROXY for people: without credentials. Appends. */
void mirror_shown(struct span url, struct buf *ret);
#endif
