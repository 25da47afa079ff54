#ifndef PARSE_MODFILE_H
#define PARSE_MODFILE_H

#include "base/arena.h"

/*
 * go.mod and go.work, whole, with exact positions (https://go.dev/ref/mod#go-mod-file-grammar, #workspaces). What cannot be
 * read is a problem of its line; the rest is read all the same.
 */
enum mod_verb {
	MOD_MODULE, MOD_GO, MOD_TOOLCHAIN, MOD_GODEBUG, MOD_REQUIRE, MOD_EXCLUDE, MOD_REPLACE, MOD_RETRACT, MOD_TOOL, MOD_IGNORE, MOD_USE,
	MOD_VERBS,
};
struct mod_line { /* one directive: a line of its own, or one in a block */
	enum mod_verb verb;
	int64_t line;
	int column;                 /* of its first word (in a block: behind the verb), in bytes from 1 */
	struct span path, version;  /* unquoted; go, toolchain: path is the version; godebug: key and value; retract: low and high */
	struct span new_path, new_version; /* replace */
	struct span comment;        /* behind it, and the block of // lines right above it; without the slashes */
	bool indirect;              /* // indirect */
	bool allowed;               /* `// tocsin:allow` behind it or right above; why in comment */
	bool in_block;
};
struct mod_problem {
	int64_t line;
	int column;
	const char *text; /* one sentence, in the user's language */
};
struct modfile {
	struct arena mem;
	struct span module, go, toolchain; /* absent: not said */
	struct mod_line *lines;            /* in the order of the file */
	size_t n;
	struct mod_problem *problems;
	size_t n_problems;
	bool deprecated;                   /* the module's comment begins with Deprecated: */
	bool truncated;                    /* more than MODFILE_LINES directives: the rest was not read */
};
#define MODFILE_LINES 1000000
/* -ENOMEM is the only error. text must outlive *ret (spans may point into it). work: it is a go.work. */
int modfile_read(struct span text, bool work, struct modfile *ret, struct err *e);
void modfile_free(struct modfile *m);
#endif
