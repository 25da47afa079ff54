#ifndef CLI_GOTREE_H
#define CLI_GOTREE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "parse/gofunc.h"

/*
 * The tests and rules that stand in a source tree, by looking at its files: nothing is built, no constraint is evaluated. Folders
 * are read when they are asked for, and once.
 */
struct gotree_test {
	struct span package;  /* its import path */
	struct span file;     /* relative to the tree's root */
	struct span function;
	struct span build;    /* the //go:build of the file; absent: none */
	int line;
};

struct gotree_dir {
	const char *path;    /* relative to the root; "" is the root */
	struct span package; /* absent: in no module */
	bool read;
	struct gotree_test *tests;
	size_t n, cap;
};

struct gotree_module {
	struct span path;
	const char *dir;
};

struct gotree {
	struct arena mem;
	const char *root;
	struct gotree_module *modules;
	size_t n_modules, cap_modules;
	struct gotree_dir **dirs; /* those with test files */
	size_t n_dirs, cap_dirs;
	struct map by_path;       /* of dirs */
	int entries;
	bool cut;                 /* there are more folders than are looked at */
	bool unread;              /* a file or folder could not be read, or is too large */
	bool no_memory;
};

void gotree_open(const char *root, struct gotree *ret);
void gotree_close(struct gotree *t);

/* A file of the tree, up to 8 MiB. False: it is not there, or cannot be read. */
bool gotree_slurp(struct gotree *t, const char *relative, struct buf *ret);

/*
 * The functions that t names: in its package (an import path, or ./DIR), else anywhere. At most max are given; returns how many
 * there are. 0 and *why: one sentence.
 */
size_t gotree_find(struct gotree *t, const struct gotest_name *name, const struct gotree_test **ret, size_t max, const char **why);

enum rule_state {
	RULE_NOWHERE,
	RULE_MENTIONED, /* its name stands in a file */
	RULE_ON,        /* golangci-lint's configuration switches it on */
	RULE_OFF,       /* or off */
};
struct gotree_rule {
	enum rule_state state;
	struct span file; /* relative to the root */
	int line;
	size_t looked; /* files */
};
void gotree_rule(struct gotree *t, struct span name, struct gotree_rule *ret);
#endif
