#ifndef CLI_MOD_LATEST_H
#define CLI_MOD_LATEST_H

#include "base/map.h"
#include "mod/tree.h"

/* The newest version of each module that a tree requires, and its go.mod: asked of the first proxy in GOPROXY, all at once. */
struct latest {
	struct map known;   /* by path */
	size_t failed;      /* modules whose newest version could not be had */
	const char *why;    /* of one of them */
};
/* Private modules (GOPRIVATE, GONOPROXY) are not asked for. -ENOMEM, -ELIBACC: without libcurl nothing can be asked. */
int latest_ask(struct latest *l, struct mod_tree *t, const char *proxy, const char *netrc, struct arena *mem, struct err *e);
int latest_of(void *ctx, struct span path, struct arena *mem, struct span *version, struct span *go_mod);
void latest_close(struct latest *l);
void latest_close_cleanup(struct latest *l);
#endif
