#ifndef MOD_FETCHES_H
#define MOD_FETCHES_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"

/*
 * What `go mod download -x` tells of its requests, line by line, and what the module cache shows of their progress: which are
 * under way, since when, with how many bytes; who served which module; which one hangs.
 */
struct fetch {
	const char *url;
	const char *file;         /* below GOMODCACHE/cache/download, what it becomes; NULL: nothing that we know */
	int64_t since, moved;     /* CLOCK_MONOTONIC: begun; the last sign of life */
	int64_t bytes;            /* of its temporary file */
	int status;               /* of the reply; 0: none yet; -1: it failed */
	bool zip, open;
};
struct served { /* a module's zip that was fetched */
	const char *key, *module, *version, *by; /* key: both; by: the address of the entry of GOPROXY, without credentials; "git" */
	int64_t bytes;
};
struct fetches {
	struct arena mem;
	const char *proxy;     /* GOPROXY of this attempt */
	const char *modcache;  /* NULL: not known, then bytes are not either */
	struct map urls;       /* struct fetch */
	struct fetch **open;   /* those under way */
	size_t n_open, cap_open;
	struct served *served; /* over all attempts, each module once */
	struct map by_module;  /* index + 1 in served, by "module version" */
	size_t n_served, cap_served;
	int64_t bytes;         /* of all zips that came */
	int64_t requests, moved;
	struct buf line;       /* what has no end yet */
	bool middle;           /* the begin of this line was passed on: its rest is too */
	bool broken;           /* no memory: from here on nothing is known */
};
/* An attempt begins; what was under way is forgotten. */
void fetches_begin(struct fetches *f, const char *proxy, int64_t now);
/*
 * Bytes of standard error: pass gets what is not one of the lines that -x adds. A line without its end is held back until it is
 * plain that it is none.
 */
typedef void fetches_pass_fn(void *ctx, struct span bytes);
void fetches_feed(struct fetches *f, struct span bytes, int64_t now, fetches_pass_fn *pass, void *ctx);
/* "go: downloading M V", of a command without -x: all that it tells. */
void fetches_downloading(struct fetches *f, struct span module, struct span version);
void fetches_end(struct fetches *f, fetches_pass_fn *pass, void *ctx);
/* The attempt is over: what did not come to the cache was not served. */
void fetches_settle(struct fetches *f);
/* It is in the cache now, and no request of ours brought it: `by` did, a file:// entry or version control. */
void fetches_appeared(struct fetches *f, struct span module, struct span version, const char *by, int64_t bytes);
/* Looks at the cache. */
void fetches_look(struct fetches *f, int64_t now);
/* The one that has waited longest without a sign of life; NULL: none is under way. */
const struct fetch *fetches_oldest(const struct fetches *f);
/* A zip whose answer was good, and that never came to the cache: go could not use it. NULL: none. */
const struct fetch *fetches_lost(const struct fetches *f);
/* One that has waited for limit, while the others have moved on or wait too; NULL: none. */
const struct fetch *fetches_hung(const struct fetches *f, int64_t now, int64_t limit);
void fetches_free(struct fetches *f);
#endif
