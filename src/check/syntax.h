#ifndef CHECK_SYNTAX_H
#define CHECK_SYNTAX_H

#include <tree_sitter/api.h>

#include "base/err.h"
#include "base/span.h"

/*
 * tree-sitter's parser, for all grammars: check/go/syntax.h, check/ci/bash.h and check/ci/ytree.h make of its trees what rules see.
 *
 * tree-sitter allocates for itself and bears no failure: its own answer is abort(). Ours is a sentence and exit status 125, at once:
 * what was said so far is in memory alone, nothing that is half written is left, and nobody takes it for "nothing found".
 */
struct syntax;                                                                   /* one thread at a time */
int syntax_open(struct syntax **ret, const TSLanguage *language, struct err *e); /* -ENOMEM */
void syntax_close(struct syntax *p);                                             /* NULL is fine */
void syntax_close_cleanup(struct syntax **p);
/* The processor time of this thread: what a parse may take does not depend on what else the machine does. */
int64_t syntax_now(void);
/* NULL: it was not done at `until` (syntax_now). ts_tree_delete ends the tree. */
TSTree *syntax_parse(struct syntax *p, struct span text, int64_t until);
/* Only these parts of the texts to come are read; n 0: all. false: they overlap, or are not in order. */
bool syntax_only(struct syntax *p, const TSRange *parts, uint32_t n);
/* The errors that all grammars have. */
int syntax_no_memory(struct err *e);
int syntax_late(struct err *e, int64_t ns);       /* -ETIME */
int syntax_too_large(struct err *e, size_t most); /* -EFBIG */
/* What opens bracket behind bracket costs a parser much memory for each, and is no program of anybody's: 0, or -E2BIG. */
int syntax_nesting(struct span text, struct err *e);
/* The time that a text of so many bytes may take: a hundred times what it usually does, and no more than `most`. */
int64_t syntax_time(size_t bytes, int64_t most);

/* From a grammar's numbers of kinds of nodes to ours: a grammar gives several numbers to one name. */
#define SYNTAX_SYMBOLS 512
struct syntax_name {
	const char *text;
	uint8_t kind;
	bool sign; /* "&&", not a kind of node of that name */
};
void syntax_number(const TSLanguage *language, const struct syntax_name *names, size_t n,
		   uint8_t ret[SYNTAX_SYMBOLS]);
/* The number of a node's kind; `error` for what could not be understood, 0 for all that has no name of ours. */
static inline uint8_t syntax_kind(const uint8_t kinds[SYNTAX_SYMBOLS], TSNode n, uint8_t error)
{
	TSSymbol s = n.id ? ts_node_symbol(n) : 0;

	return s == (TSSymbol)-1 ? error : s < SYNTAX_SYMBOLS ? kinds[s] : 0;
}

/* All children of a node, signs too, in one pass. */
struct syntax_children {
	TSTreeCursor at;
	bool open, more;
};
void syntax_children_of(TSNode n,
			struct syntax_children *ret); /* of a null node: none. CLEANUP(syntax_children_end) */
TSNode syntax_children_next(struct syntax_children *c); /* a null node: no more */
void syntax_children_end_cleanup(struct syntax_children *c);
#endif
