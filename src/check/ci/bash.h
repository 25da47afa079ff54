#ifndef CHECK_CI_BASH_H
#define CHECK_CI_BASH_H

#include <tree_sitter/api.h>

#include "base/err.h"
#include "base/span.h"

/* Shell source as the grammar's tree; check/ci/script.h makes of it what the rules see. Kinds are numbers. */
enum bashnode {
	BASH_OTHER, /* a word, a sign, an expression */
	BASH_ERROR, /* what could not be understood */
#define NODE(name, text) BASH_##name,
#define SIGN(name, text) BASH_##name,
#include "check/ci/bash_nodes.def"
#undef NODE
#undef SIGN
	BASH_NODES,
};

#define BASH_BYTES ((size_t)1 << 20)         /* a larger piece is not parsed */
#define BASH_NS    (2 * INT64_C(1000000000)) /* nor one that takes longer */

/* A parser; one thread at a time. */
struct bashsyntax;
int bashsyntax_open(struct bashsyntax **ret, struct err *e);
void bashsyntax_close(struct bashsyntax *p);
/* -EFBIG, -ETIME: a limit; -ENOMEM. ts_tree_delete ends the tree. */
int bash_parse(struct bashsyntax *p, struct span text, TSTree **ret, struct err *e);
enum bashnode bash_kind(TSNode n); /* BASH_OTHER for a null node */

/* All children, signs too, in one pass. */
struct bashchildren {
	TSTreeCursor at;
	bool open, more;
};
void bashchildren_of(TSNode n, struct bashchildren *ret); /* CLEANUP(bashchildren_end) ends it */
TSNode bashchildren_next(struct bashchildren *c);         /* a null node: no more */
void bashchildren_end_cleanup(struct bashchildren *c);
#endif
