#ifndef MOD_CHECK_H
#define MOD_CHECK_H

#include "mod/tree.h"
#include "model/report.h"

/*
 * What is wrong with the files that say which modules are built, before a build says so: go.mod, go.work, go.sum,
 * vendor/modules.txt, .netrc. Nothing is started and nothing is asked over the network. Errors are what go refuses.
 */
struct mod_rule {
	const char *id; /* "sum.missing" */
	enum severity severity;
	enum cause cause;
	struct tx what; /* what it means, for the documentation */
	struct tx fix;
};
extern const struct mod_rule mod_rules[];
extern const size_t mod_rule_count;

struct mod_check {
	struct mod_tree *tree;
	struct report *report;    /* findings go here, and into limits what could not be known */
	/* What is known of the surroundings; absent or NULL: nothing, and rules that need it say nothing. */
	struct span go;           /* the version that builds: "1.26.8" */
	bool go_local;            /* no other toolchain is fetched (GOTOOLCHAIN=local) */
	const char *modcache;
	const char *proxy;        /* GOPROXY */
	const char *netrc;        /* the file; may not exist */
	const char *netrc_shown;
	const char *repository;   /* its top, absolute, links followed; NULL: the tree's top */
	bool on_base;             /* the branch that is checked out is the one that others build on */
	bool show_allowed;        /* as notes */
	/* The newest version of a module that a proxy knows, and its go.mod (allocated in mem): 0, or a negative errno. NULL: not asked. */
	int (*latest)(void *ctx, struct span path, struct arena *mem, struct span *version, struct span *go_mod);
	void *ctx;
	/* The answer. */
	size_t allowed;           /* findings that a `tocsin:allow` comment lets pass */
	int64_t modules, files, bytes;
};
/* -ENOMEM; a go.sum too large to be held that cannot be read. */
int mod_check(struct mod_check *c, struct err *e);
#endif
