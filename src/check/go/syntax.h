#ifndef CHECK_GO_SYNTAX_H
#define CHECK_GO_SYNTAX_H

#include "base/arena.h"
#include "check/syntax.h"

/*
 * Go source as a syntax tree. A part that is no Go becomes a GO_ERROR node, is walked like the rest and counted: rules must
 * bear such nodes. Kinds are numbers, so that a rule compares no names.
 */
enum gonode {
	GO_TOKEN, /* a word or sign of the language: "func", "{" */
	GO_ERROR, /* what could not be understood */
#define NODE(name, text) GO_##name,
#define FIELD(name, text)
#include "check/go/nodes.def"
#undef NODE
#undef FIELD
	GO_NODES,
};
enum gofield {
#define NODE(name, text)
#define FIELD(name, text) GOFIELD_##name,
#include "check/go/nodes.def"
#undef NODE
#undef FIELD
	GOFIELDS,
};

#define GOFILE_BYTES ((size_t)16 << 20)         /* a larger file is not parsed */
#define GOFILE_NS    (10 * INT64_C(1000000000)) /* nor one that takes longer */
#define GOFILE_DEPTH 1000                       /* what is nested deeper is not walked */

int gosyntax_open(struct syntax **ret, struct err *e);

struct gofile {
	struct span text; /* the caller's; must outlive the tree */
	TSTree *tree;
	TSNode root;
	size_t errors; /* places that are no Go */
	size_t cut;    /* nodes that a walk left out, nested deeper than GOFILE_DEPTH */
};
/* -EFBIG, -ETIME: a limit; -EBADMSG: there is a NUL byte in it; -ENOMEM. *e says so, without the file's name. */
int gofile_parse(struct syntax *p, struct span text, struct gofile *ret, struct err *e);
/*
 * The same of parts of the text alone (each inside of it, in order, not overlapping): what is between them is not read, and lines
 * and columns are those of the whole.
 */
int gofile_parse_parts(struct syntax *p, struct span text, const struct span *parts, size_t n,
		       struct gofile *ret, struct err *e);
void gofile_free(struct gofile *f);
void gofile_free_cleanup(struct gofile *f);

/* ---- nodes ---- */
enum gonode go_kind(TSNode n);                         /* GO_TOKEN for a null node */
TSNode go_field(TSNode n, enum gofield field);         /* a null node: there is none */
struct span go_text(const struct gofile *f, TSNode n); /* absent for a null node */
int go_line(TSNode n);                                 /* from 1 */
int go_column(TSNode n);                               /* in bytes, from 1 */
static inline bool go_is(TSNode n, enum gonode kind)
{
	return go_kind(n) == kind;
}
/* The named children that are no comments, in one pass. */
struct gochildren {
	struct syntax_children all;
};
void gochildren_of(TSNode n,
		   struct gochildren *ret);   /* of a null node: none. CLEANUP(gochildren_end) ends it */
TSNode gochildren_next(struct gochildren *c); /* a null node: no more */
void gochildren_end_cleanup(struct gochildren *c);
uint32_t go_count(TSNode n);
TSNode go_child(TSNode n,
		uint32_t at); /* a null node behind the last; from the first each time: for short lists */
/* x without its parentheses. */
TSNode go_bare(TSNode n);
/* The inside of a string literal, as it is written; absent: it is none. */
struct span go_string(const struct gofile *f, TSNode n);

/* A call: `callee(…)`, with the callee taken apart. */
struct gocall {
	struct span on;   /* what is before the last dot ("http", "s.mux"); absent: a plain name */
	struct span name; /* "ListenAndServe" */
	TSNode callee, operand /* null without a dot */, arguments;
};
bool go_call(const struct gofile *f, TSNode n, struct gocall *ret); /* false: no call of a name */

/* ---- walking ---- */
struct gowalk {
	const struct gofile *file;
	TSNode node;
	enum gonode kind;
	unsigned depth;   /* of node below where the walk began */
	const TSNode *up; /* up[0] is where it began, up[depth] is node */
};
enum gostep { GOSTEP_INTO, GOSTEP_OVER, GOSTEP_STOP };
/* Parents before children, in the order of the text; named nodes and errors only. -ENOMEM: not walked. */
int gofile_walk(struct gofile *f, TSNode from, enum gostep (*visit)(void *ctx, const struct gowalk *w),
		void *ctx);

/* ---- imports ---- */
struct goimport {
	struct span
		name; /* the name it has in the file: given, or guessed from the path as go's tools do; "." and "_" too */
	struct span path;
	bool given;
	int line;
};
struct goimports {
	struct goimport *v;
	size_t n;
};
int gofile_imports(const struct gofile *f, struct arena *mem, struct goimports *ret); /* -ENOMEM */
/* The path that a name stands for; absent: it is no import. A local variable of that name is not known of. */
struct span goimports_path(const struct goimports *i, struct span name);
/* The name that a package of this path has, unless its source says otherwise: without /v2, .v2, go-, -go. */
struct span goimport_guess(struct span path);
#endif
