#ifndef MOD_TREE_H
#define MOD_TREE_H

#include "base/map.h"
#include "parse/modfile.h"

/* The module or workspace at a directory: its files, read and parsed once. Paths are relative to `top`. */
struct mod_source { /* a file; text.p == NULL: there is none */
	const char *path;
	struct span text;
};
struct mod_member {
	const char *dir;           /* "." or "./sub" */
	struct mod_source go_mod, go_sum, modules_txt;
	struct modfile mod;
};
struct mod_tree {
	struct arena mem;
	const char *top;           /* absolute: of go.work, else of go.mod */
	struct mod_source go_work, work_sum, work_modules_txt;
	struct modfile work;       /* when go_work.text.p */
	struct mod_member *members;
	size_t n;
};
/* Looks for go.work (as GOWORK says; "off": none) and go.mod at or above dir. -ENOENT: neither; the error says what to do. */
int mod_tree_open(const char *dir, const char *gowork, struct mod_tree *ret, struct err *e);
void mod_tree_close(struct mod_tree *t);
#endif
