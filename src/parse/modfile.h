#ifndef PARSE_MODFILE_H
#define PARSE_MODFILE_H

#include "base/arena.h"
#include "base/err.h"

/*
 * go.mod and go.work, whole, with exact positions (https://go.dev/ref/mod#go-mod-file-grammar, #workspaces), read as the go
 * command reads them. Go refuses a file with one bad line; here that is a problem of its line, and the rest is read all the same.
 */
enum mod_verb {
	MOD_MODULE, MOD_GO, MOD_TOOLCHAIN, MOD_GODEBUG, MOD_REQUIRE, MOD_EXCLUDE, MOD_REPLACE, MOD_RETRACT, MOD_TOOL, MOD_IGNORE, MOD_USE,
	MOD_VERBS,
};
const char *mod_verb_name(enum mod_verb v);
const char *mod_verb_since(enum mod_verb v); /* the go version that can read it first: "1.24"; NULL: each that knows such a file */

struct mod_line { /* one directive: a line of its own, or one in a block. What does not apply is absent */
	enum mod_verb verb;
	int64_t line;
	int column;         /* of its first word (in a block: behind the verb), in bytes from 1 */
	int version_column; /* of version; 0: it has none */
	int new_column;     /* of new_path; 0: it has none */
	struct span path;        /* module, require, exclude, replace, tool; ignore, use: a folder; godebug: the key */
	struct span version;     /* require, exclude, replace: canonical; go, toolchain; godebug: the value; retract: low */
	struct span new_path;    /* replace: a module or a folder */
	struct span new_version; /* replace by a module; retract: high (of a single version the same as low) */
	struct span comment;     /* what go takes for its comment: the lines above it and what is behind it (else those of its
				  * block), a line each, without the slashes; of a retract that is the rationale */
	struct span allow;       /* the words behind `tocsin:allow` in a comment of the line or its block ("" when none);
				  * absent: nobody allowed anything */
	bool indirect;    /* // indirect */
	bool in_block;
	bool loose;       /* a version was not written in canonical form (v1.2, v1.2.3+x): go rewrites the file or wants to */
	bool new_is_dir;  /* replace by a folder: new_version is absent */
};
enum mod_fault {
	MOD_FAULT_SYNTAX, /* no words: a block without its end, a string without, a comment of C, a byte that cannot be; the line is passed over */
	MOD_FAULT_MERGE,    /* a conflict mark of git */
	MOD_FAULT_UNKNOWN,  /* a directive that no go that we know has; or one of go.mod in go.work, and the reverse */
	MOD_FAULT_USAGE,    /* too many or too few words, a bad path, a bad go or toolchain line */
	MOD_FAULT_VERSION,  /* a branch or commit where a version must be (go asks the network and rewrites the file), or a version that
			    * does not belong to the path */
	MOD_FAULT_REPEATED, /* a second module, go or toolchain line */
	MOD_FAULT_TOO_LONG, /* more than MODFILE_LINES directives or MODFILE_PROBLEMS problems: the rest was not read */
};
struct mod_problem {
	enum mod_fault fault;
	int64_t line;
	int column;
	const char *text; /* one sentence, in the user's language; made printable */
};
struct modfile {
	struct arena mem;
	struct span module, go, toolchain; /* of the first such line; absent: not said */
	struct span deprecated;            /* what the module's comment says behind Deprecated: ("" when nothing); absent: it is not */
	struct mod_line *lines;            /* in the order of the file; lines with a problem are not among them */
	size_t n, cap;
	struct mod_problem *problems;
	size_t n_problems, cap_problems;
};
#define MODFILE_LINES 250000
#define MODFILE_PROBLEMS 1000

enum modfile_kind {
	MODFILE_MAIN,       /* go.mod of a main module or a member of the workspace */
	MODFILE_DEPENDENCY, /* go.mod of another: only module, go, require, retract, ignore count there, the rest is passed over */
	MODFILE_WORK,       /* go.work */
};
/* -ENOMEM is the only error (then *ret is empty). text must outlive *ret: spans point into it. */
int modfile_read(struct span text, enum modfile_kind kind, struct modfile *ret, struct err *e);
void modfile_free(struct modfile *m);
void modfile_free_cleanup(struct modfile *m);

/* The path in the module line, taking no memory, whatever else is wrong with the file; absent: there is none. Quotes are taken off. */
struct span modfile_module(struct span text);
/* Does go take this replacement for a folder ("./x", "../x", "/x", "C:\x")? Else it is a module path. */
bool modfile_is_dir(struct span path);
#endif
