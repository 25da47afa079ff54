#ifndef CHECK_TRAPS_OWN_H
#define CHECK_TRAPS_OWN_H

#include "base/mem.h"
#include "base/text.h"
#include "check/go/syntax.h"
#include "check/traps.h"

enum trap {
#define TRAP(name, id, severity, cause, what_en, what_zh, message_en, message_zh, fix_en, fix_zh) TRAP_##name,
#include "check/traps.def"
#undef TRAP
	TRAPS,
};

struct trap_run {
	struct traps *o;
	const struct src_tree *tree;
	struct arena mem;
	struct buf key, path;
	struct map said; /* "rule file line column", so that nothing is said twice */
	size_t count[TRAPS];
	int go, go_least;      /* N of 1.N: the newest and the oldest of all targets */
	struct syntax *parser; /* made when it is needed first */
	struct flows *flows;   /* scripts and pipelines */
	struct map packages;   /* struct names, by folder */
	bool bad;              /* no memory */
	/* The file that is being looked at. */
	const struct src_file *file;
	struct buf text;
};

/* Where: a file of the tree (a line of it, or 0: all of it), a folder, or neither. */
struct spot {
	const struct src_file *file;
	const struct src_dir *dir;
	int line, column;
};
void trap_say_args(struct trap_run *c, enum trap trap, enum severity severity, struct spot at,
		   const struct span *args, size_t n);
#define trap_say_as(c, trap, severity, at, ...)                                    \
	trap_say_args(c, trap, severity, at, (const struct span[]){ __VA_ARGS__ }, \
		      sizeof((const struct span[]){ __VA_ARGS__ }) / sizeof(struct span))
#define trap_say(c, trap, at, ...) trap_say_as(c, trap, trap_rules[trap].severity, at, __VA_ARGS__)
__attribute__((format(printf, 2, 3))) struct span trap_text(struct trap_run *c, const char *fmt,
							    ...); /* "" without memory */
__attribute__((format(printf, 2, 3))) void trap_limit(struct trap_run *c, const char *fmt, ...);

/* The whole text of a file, in c->text, until the next call; absent: it cannot be read. */
struct span trap_read(struct trap_run *c, const struct src_file *f);
const char *trap_path(struct trap_run *c, const struct src_dir *d,
		      const char *name); /* absolute; until the next call */
struct syntax *trap_parser(struct trap_run *c);

bool trap_aside(const struct src_dir *d);     /* in testdata, vendor, _x, .x */
bool trap_looked_at(const struct src_dir *d); /* source of its author's, of this module or one inside of it */

/* ---- facts ---- */

/* The file's expression: of //go:build, else its +build lines ANDed; NULL: none. */
const struct constraint *trap_expr(struct trap_run *c, const struct gohead *h);
int trap_expr_line(const struct gohead *h);
enum expr_where {
	EXPR_ANYWHERE /* any GOOS with any GOARCH */,
	EXPR_PORTS /* platforms of go */,
	EXPR_UNTAGGED /* and no -tags at all */,
	EXPR_LOGIC /* whatever tags mean */
};
/* Can it come to `want`, in a file of this name? 1, 0, or -1: too large to be known. c NULL: no expression. */
int expr_can(const struct constraint *c, const struct goname *name, enum expr_where where, bool want);
/* As go prints it, with what the name of the file asks for. */
void expr_write(const struct constraint *x, const struct goname *name, struct buf *ret);
bool expr_has(const struct constraint *c, struct span tag);
/* Could go itself set this tag: a GOOS, GOARCH, go1.N, cgo, race, a feature, …? */
bool tag_of_go(struct span tag);
bool tag_usual(struct span tag);        /* that everybody knows to be set by hand, or never: ignore, tools */
bool tag_meant_to_run(struct span tag); /* of tests: somebody should set it */
struct span tag_wanted(const struct constraint *x, bool negated);
struct span platform_fold(
	struct span word); /* the GOOS or GOARCH that it is but for capitals, in lower case; absent: none */
bool span_fold_eq(struct span a, struct span b); /* but for ASCII capitals */
bool platform_word(struct span word);            /* is it a GOOS or GOARCH of any version? */
size_t letters_apart(struct span a, struct span b,
		     size_t max); /* insertions, deletions, changes, swaps; more than max: max + 1 */

/* Is it taken by go in any of the targets, and in which not? */
bool trap_built(const struct trap_run *c, const struct src_file *f);
const struct act_file *trap_act(const struct selection *s, const struct src_file *f);

/* ---- scripts and pipelines ---- */
struct flow {
	const struct src_file *file;
	struct span text;
};
struct flow_tag { /* of a -tags */
	struct span tag;
	const struct flow *flow; /* NULL: GOFLAGS or the command line */
	int line;
};
struct flow_x {           /* of an -X */
	struct span name; /* "main.version", its variables filled in */
	struct span
		wild; /* what could not be filled in stands before this: "/internal/version.Commit"; absent: all is known */
	const struct flow *flow;
	int line, column;
	const struct src_dir *main; /* the package that is built; NULL: not known */
	bool test;                  /* go test: there main packages keep their path */
};
struct flow_build { /* a go build */
	const struct flow *flow;
	struct span command; /* the whole line, joined */
	int line;
	bool plugin;
};
struct flows {
	struct flow *v;
	size_t n, cap;
	struct flow_tag *tags;
	size_t n_tags, cap_tags;
	struct flow_x *xs;
	size_t n_xs, cap_xs;
	struct flow_build *builds;
	size_t n_builds, cap_builds;
	struct buf said_in_go; /* lines of Go source that speak of -tags: tests that build with them */
	bool tests;            /* go test is called somewhere */
};
void flows_read(struct trap_run *c, struct flows *ret);
void flows_free(struct flows *f);
void flows_note_source(struct trap_run *c, struct span text); /* of a Go file */
bool flows_speak_of(const struct flows *f, struct span word); /* as a whole word, anywhere */

/* ---- package-level names, by syntax ---- */
enum symbol_kind { SYMBOL_VAR, SYMBOL_CONST, SYMBOL_FUNC, SYMBOL_TYPE };
struct symbol {
	struct span name;
	enum symbol_kind kind;
	struct span type; /* as written; absent: by its value */
	bool has_value;
	enum gonode value_kind; /* of a value that is there */
	struct span callee;     /* of a value that is a call: "time.Now" */
	bool plain_callee;      /* it is a name alone */
	struct span file;
	int line;
};
struct names {
	struct map by_name; /* struct symbol */
	struct symbol **v;
	size_t n, cap;
	bool unknown; /* a file could not be read or parsed */
	size_t files;
};
const struct names *
trap_names(struct trap_run *c,
	   const char *dir); /* of all files but tests of an absolute folder; NULL: no memory */

/* ---- the parts ---- */
void trap_names_of_files(struct trap_run *c);
void trap_directives(struct trap_run *c);
void trap_expressions(struct trap_run *c);
void trap_tags(struct trap_run *c);
void trap_packages(struct trap_run *c);
void trap_folders(struct trap_run *c);
void trap_embeds(struct trap_run *c);
void trap_embed_code(struct trap_run *c, const struct src_file *f, struct span text);
void trap_ldflags(struct trap_run *c);
void trap_vendor(struct trap_run *c);
void trap_linknames(struct trap_run *c, const struct src_file *f, struct span text);
void trap_plugins(struct trap_run *c);
#endif
