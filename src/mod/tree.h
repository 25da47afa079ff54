#ifndef MOD_TREE_H
#define MOD_TREE_H

#include "parse/modfile.h"

/* The module or workspace at a directory: its files, read and parsed once. */
struct mod_source { /* a file; text.p == NULL: there is none */
	const char *name;  /* relative to the tree's top: "go.mod", "sub/go.sum"; "../x/go.mod" of a member outside */
	const char *shown; /* relative to the directory that was asked for */
	struct span text;
	const char *large; /* a go.sum that is not held in memory: its path, for mod/sums.h; text is then empty */
	int64_t size;
};
struct mod_member {
	const char *dir;  /* relative to top: ".", "sub" */
	int64_t line;     /* of its `use` in go.work; 0: there is no go.work */
	struct mod_source go_mod, go_sum, modules_txt;
	struct modfile mod;
};
struct mod_tree {
	struct arena mem;
	const char *dir, *top; /* absolute: what was asked for; where go.work is, else go.mod */
	const char *parent, *real_parent; /* of the path last asked about by mod_tree_inside */
	struct mod_source go_work, work_sum, work_modules_txt;
	struct modfile work;   /* when go_work.text.p */
	struct mod_member *members;
	size_t n;
};
#define MOD_FILE_MAX ((size_t)1 << 30) /* a larger file is an error */
#define MOD_SUM_HELD ((size_t)32 << 20) /* but go.sum and go.work.sum: what is larger stays on the disk */
/*
 * Looks for go.work (gowork as GOWORK: NULL or "": at or above dir; "off": none; else this file) and go.mod at or above dir.
 * dir NULL: the working directory. -ENOENT: neither is there; -EFBIG. Files that are not there are no errors.
 */
int mod_tree_open(const char *dir, const char *gowork, struct mod_tree *ret, struct err *e);
/*
 * The same as GOFLAGS says: -modfile=FILE.mod (relative to dir) stands for go.mod, FILE.sum for go.sum. Not in a workspace, where
 * old versions of go pass over it and newer ones refuse. -EINVAL: no name that go takes; -ENOENT: it is not there either.
 */
int mod_tree_open_flags(const char *dir, const char *gowork, const char *flags, struct mod_tree *ret, struct err *e);
/* The last -NAME=VALUE of GOFLAGS; absent: there is none. */
struct span mod_flag(const char *flags, const char *name);
void mod_tree_close(struct mod_tree *t);
void mod_tree_close_cleanup(struct mod_tree *t);
/* Reads another file below top, such as the go.mod of a replacement, into the tree's memory. */
int mod_tree_read(struct mod_tree *t, const char *name, struct mod_source *ret, struct err *e);
/* The absolute path of name (relative to dir, a folder relative to top) by the names alone; in the tree's memory. NULL: no memory. */
char *mod_tree_path(struct mod_tree *t, const char *dir, struct span name);
/* Does this path (absolute, or relative to top), links followed, lie in the absolute directory root? */
bool mod_tree_inside(struct mod_tree *t, const char *name, const char *root);
#endif
