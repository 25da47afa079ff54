#ifndef CHECK_CI_BASH_H
#define CHECK_CI_BASH_H

#include "check/syntax.h"

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

int bashsyntax_open(struct syntax **ret, struct err *e);
/* -EFBIG, -ETIME: a limit. ts_tree_delete ends the tree. */
int bash_parse(struct syntax *p, struct span text, TSTree **ret, struct err *e);
enum bashnode bash_kind(TSNode n); /* BASH_OTHER for a null node */
#endif
