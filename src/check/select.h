#ifndef CHECK_SELECT_H
#define CHECK_SELECT_H

#include "base/map.h"
#include "check/target.h"
#include "mod/tree.h"
#include "parse/gohead.h"

/*
 * Which files of a source tree are in the build, as the go command chooses them. The tree is read once (heads only); then it is
 * decided for as many targets as wanted.
 */

/* ---- what is there ---- */

/* by extension */
enum src_kind {
	SRC_NONE, /* no source: not looked at by go */
	SRC_GO,
	SRC_C,
	SRC_CXX,
	SRC_M,
	SRC_H,
	SRC_F,
	SRC_S,
	SRC_BIG_S /* .S .sx */,
	SRC_SWIG,
	SRC_SWIGCXX,
	SRC_SYSO,
	SRC_KINDS,
};
struct src_file {
	const char *name; /* in its folder */
	struct src_dir *dir;
	enum src_kind kind;
	bool hidden;         /* begins with . or _ */
	bool test;           /* ends in _test.go */
	bool link;           /* a symbolic link */
	bool dir_link;       /* to a folder */
	const char *unread;  /* why it could not be read; NULL: it was */
	struct gohead *head; /* NULL: not read (hidden, no source, .syso) */
	void *more;          /* of whoever looks further; NULL at first */
};
/* why `./...` passes over a folder */
enum dir_skip {
	DIR_TAKEN,
	DIR_HIDDEN /* . or _ */,
	DIR_TESTDATA,
	DIR_VENDOR,
	DIR_NESTED /* another module */,
	DIR_IGNORED /* an ignore line */,
	DIR_UNREADABLE,
	DIR_LINK,
	DIR_BUILTIN,
	DIR_NO_MEMBER /* go.work does not use its module */,
};
struct src_dir {
	const char *path;                /* relative to the root of the walk: "." is the root */
	struct src_dir *parent;          /* NULL: the root */
	const char *import;              /* import path; NULL: none (in no module) */
	const struct mod_member *member; /* the module that it is in; NULL: none, or a nested one */
	const char *go_mod;              /* path of a go.mod in it, that makes it a module of its own; NULL */
	enum dir_skip skip;              /* DIR_TAKEN: `./...` looks into it */
	int skip_line;                   /* of an ignore line in go.mod; else 0 */
	const char *unread;              /* why it could not be read */
	struct src_file *files;          /* by name, as go orders them; no folders */
	size_t n, cap;
	bool vendored;  /* in vendor/ of a main module */
	bool irregular; /* there are entries that are neither files nor folders: go keeps no index of it */
	void *more;
};
struct src_options {
	bool skipped; /* also read folders that `./...` passes over (testdata, _x, nested modules, vendor) */
	bool others;  /* keep files that are no sources too (SRC_NONE), by name alone */
	bool flat;    /* this folder alone */
	int threads;  /* 0: as many as the machine has, at most 4 */
	const char *work;  /* GOWORK */
	const char *flags; /* GOFLAGS */
	int go;            /* N of 1.N: ignore lines count from 1.25 on */
	enum target_mod mod;
};
struct src_tree {
	struct arena mem;
	struct arena *heads; /* one a thread */
	size_t n_heads;
	const char *root;     /* absolute: where the walk began */
	struct mod_tree mods; /* of root; mods.n 0: there is none */
	bool has_mods;
	bool std;              /* it is GOROOT/src */
	bool vendor;           /* -mod=vendor holds, said or by default */
	struct src_dir **dirs; /* parents first, in the order of go's walk */
	size_t n, cap;
	struct map by_path, by_import;
	size_t files, bytes; /* read */
	struct list limits;  /* sentences: what was not looked at */
	bool bad;            /* no memory */
};
#define SRC_FILES_MAX 2000000
#define SRC_HEAD_MAX  ((size_t)16 << 20) /* of one file: what has a longer head is named and not read */
/* dir NULL: here. -ENOENT and others: it is no folder, or cannot be read. No module above it is no error: then nothing has an import path. */
int src_tree_read(const char *dir, const struct src_options *o, struct src_tree *ret, struct err *e);
void src_tree_free(struct src_tree *t);
void src_tree_free_cleanup(struct src_tree *t);
struct src_dir *src_tree_dir(const struct src_tree *t,
			     const char *path);                    /* relative to root; NULL: not there */
const char *src_path(struct arena *mem, const struct src_file *f); /* relative to root */

/* ---- what is chosen ---- */

/* the lists of `go list -json` */
enum act_list {
	ACT_NOT_LISTED, /* go says nothing of it */
	ACT_GO,
	ACT_CGO,
	ACT_TEST,
	ACT_XTEST,
	ACT_IGNORED_GO,
	ACT_IGNORED_OTHER,
	ACT_INVALID, /* alone: fallen out altogether */
	ACT_C,
	ACT_CXX,
	ACT_M,
	ACT_H,
	ACT_F,
	ACT_S,
	ACT_SWIG,
	ACT_SWIGCXX,
	ACT_SYSO,
	ACT_LISTS,
};
extern const char *const act_list_names[ACT_LISTS]; /* "GoFiles"; NULL for ACT_NOT_LISTED */
static inline bool act_list_built(enum act_list l)  /* is it compiled in a build or test? */
{
	return l != ACT_NOT_LISTED && l != ACT_IGNORED_GO && l != ACT_IGNORED_OTHER && l != ACT_INVALID;
}
/* the first that decides */
enum act_why {
	ACT_BUILT,
	ACT_WHY_DIR_LINK,
	ACT_WHY_HIDDEN,
	ACT_WHY_NAME,
	ACT_WHY_NO_SOURCE,
	ACT_WHY_UNREAD,
	ACT_WHY_BUILD,
	ACT_WHY_OLD_BUILD,
	ACT_WHY_BAD_CONSTRAINT,
	ACT_WHY_BAD_HEAD,
	ACT_WHY_DOCUMENTATION,
	ACT_WHY_PACKAGE /* another package name: the package fails */,
	ACT_WHY_CGO_OFF,
	ACT_WHY_CGO_TEST,
	ACT_WHY_NO_CGO /* .S without a cgo file */,
	ACT_WHY_C_WITHOUT_CGO,
	ACT_WHY_STOPPED /* go stops at a file before it, whose build line cannot be read */,
	ACT_WHY_PATH /* the folder's name cannot be part of an import path: the package fails */,
	ACT_WHYS,
};
struct act_file { /* of one file in one target */
	const struct src_file *src;
	enum act_list list;
	enum act_why why;
	bool invalid; /* it is in InvalidGoFiles, and the package fails. Also of a file that is left out: where go has an index, it reads all */
	int line;     /* that decides; 0: none (a name) */
	struct span tag_os, tag_arch; /* ACT_WHY_NAME: what the name asks for and is not so; absent else */
	const struct constraint *expr,
		*term; /* ACT_WHY_BUILD, _OLD_BUILD: all of it; the part that decides */
};
enum act_package_state {
	PKG_FINE,
	PKG_NO_GO,      /* no Go file at all: no package */
	PKG_EXCLUDED,   /* every Go file is left out: `./...` drops it without a word */
	PKG_ONLY_TESTS, /* fine for go list and go test; go build has nothing */
	PKG_INVALID,    /* go refuses it: bad heads, two packages */
};
struct act_package {
	const struct src_dir *dir;
	struct span name; /* of the package clause; absent: none */
	enum act_package_state state;
	bool listed;            /* `./...` gives it */
	struct act_file *files; /* as dir->files */
	size_t n;
	size_t in[ACT_LISTS]; /* how many in each list */
	const char *refused;  /* PKG_INVALID and C files without cgo: what go says; NULL */
	bool stopped;         /* go stops in the midst: it knows of no imports and embeds */
	const char *first;    /* the file that gave the package its name; NULL */
};
struct selection {
	struct arena mem;
	const struct target *target;
	const struct src_tree *tree;
	struct act_package *packages; /* one for each of tree->dirs, in that order */
	size_t n;
};
int select_files(const struct src_tree *tree, const struct target *t, struct selection *ret,
		 struct err *e); /* -ENOMEM */
void selection_free(struct selection *s);
void selection_free_cleanup(struct selection *s);
struct act_package *selection_package(const struct selection *s, const struct src_dir *d);
/*
 * One sentence in the user's language: why it is not built ("the name asks for windows, and GOOS is linux"); appended. t NULL: of several
 * targets, without what is so in one of them.
 */
void act_why_write(const struct act_file *f, const struct target *t, struct buf *ret);
const char *act_why_word(enum act_why why); /* stable, for JSON: "name", "build", "cgo_off"; NULL: built */
/* Findings (errors) for the packages that `./...` gives and go refuses, of n targets, each said once. prefix: before names of files. -ENOMEM. */
int select_refused(const struct selection *s, size_t n, const char *prefix, struct report *r, struct err *e);
/* Of that the go.mod and go.work alone. -ENOMEM. */
int select_modules_refused(const struct mod_tree *t, const char *prefix, struct report *r);
/* The imports of the Go files that are compiled for this target, file by file; of tests too, when wanted. */
typedef bool act_import_fn(void *ctx, const struct act_file *f, const struct gohead_import *i);
bool act_imports(const struct act_package *p, bool tests, act_import_fn *fn, void *ctx);
#endif
