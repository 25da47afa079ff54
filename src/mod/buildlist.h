#ifndef MOD_BUILDLIST_H
#define MOD_BUILDLIST_H

#include "base/map.h"
#include "mod/cache.h"
#include "mod/tree.h"

/*
 * Which version of which module a build takes (https://go.dev/ref/mod#minimal-version-selection, #graph-pruning, #workspaces),
 * from go.mod files of the tree and the module cache alone: no go, no network. And what go.sum says of each module that was looked at.
 */
struct sum_line { /* a line of go.sum or go.work.sum */
	struct span hash; /* absent: there is none */
	const char *file; /* as shown */
	int64_t line;
};
struct mod_source_of { /* what is loaded for a module: itself, or the module that replaces it */
	struct span key;           /* "path version" */
	struct span path, version;
	bool read;                 /* its go.mod was looked for */
	bool has_mod;              /* and it is in the cache: */
	char mod_h1[H1_SIZE];
	struct sum_line sum, mod_sum; /* the first h1: line; or the first that contradicts it */
};
struct built {
	struct span path, version;
	struct span new_dir;          /* replaced by this folder, relative to the tree's top or absolute; else absent */
	struct mod_source_of *source; /* NULL: replaced by a folder */
	const char *file;             /* where it is required, as shown; NULL: by other modules only */
	int64_t line;
	bool direct;                  /* required there, and not as // indirect */
};
struct build_list {
	struct arena mem;
	struct built *v; /* sorted by path; without main modules */
	size_t n;
	struct map sources; /* of mod_source_of, by key */
	bool no_memory;
	struct list_text {
		const char **v;
		size_t n, cap;
	} unread; /* "path@version" whose go.mod is in no cache: what it requires is not known */
	struct {
		const char *file; /* of the first, as shown */
		int64_t line;
		size_t n;
	} malformed; /* lines of go.sum for which go refuses the file */
};
/* Errors: no memory; a go.mod in the cache, or of a folder that replaces, that cannot be read at all. */
int build_list_make(struct mod_tree *t, const char *modcache, struct build_list *ret, struct err *e);
void build_list_free(struct build_list *b);
void build_list_free_cleanup(struct build_list *b);
/* The source of that module, made if there is none; NULL: no memory. */
struct mod_source_of *build_list_source(struct build_list *b, struct span path, struct span version);
/* Takes the lines of all go.sum files of the tree for the sources that there are. */
int build_list_sums(struct build_list *b, const struct mod_tree *t, struct err *e);
#endif
