#ifndef CHECK_CI_YTREE_H
#define CHECK_CI_YTREE_H

#include "base/arena.h"
#include "base/err.h"
#include "check/ci/mapped.h"
#include "check/syntax.h"

/*
 * YAML of CI systems as a tree in which every value knows its bytes in the file. It bears what is no YAML: such a part is counted and
 * walked around. Nothing is ever expanded: an alias leads to the node it stands for, merge keys are looked up when they are asked
 * for, and both cost of a budget, so that anchors that explode cost nothing.
 */
#define YTREE_BYTES \
	((size_t)2 << 20) /* a larger file is not parsed: its tree may take two hundred times as much */
#define YTREE_NS    (5 * INT64_C(1000000000)) /* nor one that takes longer; see syntax_time */
#define YTREE_DEPTH 200                       /* what is nested deeper is left out */
#define YTREE_NODES 1000000                   /* and so is what comes behind as many values */
#define YTREE_LINES 32000                     /* the grammar counts them in 16 bits */
#define YTREE_STEPS 2000000                   /* along aliases and merge keys */

enum ykind {
	YNULL, /* nothing stands there */
	YSCALAR,
	YSEQ,
	YMAP,
	YALIAS,
};
enum ystyle { YPLAIN, YSINGLE, YDOUBLE, YLITERAL, YFOLDED };
struct ynode {
	uint8_t kind, style;
	bool flow;         /* [ ] or { } */
	int indent;        /* column, from 0, of the collection that it stands in; -1: of none */
	uint32_t from, to; /* its bytes in the file, without tag and anchor */
	struct span tag;   /* "!reference"; absent */
	struct span name;  /* its anchor; of an alias: the anchor it names */
	struct ynode *key; /* the value of a mapping has one */
	struct ynode *next, *first, *last; /* the next beside it; the first and last in it */
	uint32_t n;                        /* in it */
	union {
		struct span text;     /* of a scalar, once it was asked for (ytext) */
		struct yindex *index; /* of a large mapping, once a key of it was asked for */
	};
	const struct ynode *target; /* of an alias; NULL: no such anchor before it */
};
struct ytree {
	struct span text; /* the caller's */
	struct arena *mem;
	struct ynode *docs; /* the roots of the documents, by next */
	size_t errors;      /* places that are no YAML */
	size_t nodes;
	size_t steps;                   /* spent */
	size_t commands;                /* of scripts that were put together (yci_join) */
	bool deep, many, loops, longer; /* a bound was met: nesting, values, steps, lines */
	bool bad;                       /* no memory */
};

int yparser_open(struct syntax **ret, struct err *e);
/* -EFBIG, -ETIME: a limit; -ENOMEM. *e says so, without the file's name. mem holds the tree. */
int ytree_parse(struct syntax *p, struct span text, struct arena *mem, struct ytree *ret, struct err *e);
/* The same of the text's [from, to), a file that was put there with others: its documents come behind those that are known already. */
int ytree_add(struct syntax *p, struct ytree *y, uint32_t from, uint32_t to, struct err *e);
/* The file of the lint; false: it cannot be read, which is said. */
bool ytree_of(struct lint_file *f, struct ytree *ret);
/* What was met on the way is said of the file (once all was asked). */
void ytree_end(struct lint_file *f, const struct ytree *y);

/* All of these take NULL for "nothing there". */
const struct ynode *yreal(struct ytree *y, const struct ynode *n); /* behind an alias; NULL: nothing */
bool yis(struct ytree *y, const struct ynode *n, enum ykind kind);
/* The value of a key in a mapping (or in what it merges), its own alias still in place: ->key is where it stands. NULL: none. */
const struct ynode *yfind(struct ytree *y, const struct ynode *map, const char *key);
const struct ynode *yfind_span(struct ytree *y, const struct ynode *map, struct span key);
/* The same, behind the alias. */
const struct ynode *yget(struct ytree *y, const struct ynode *map, const char *key);
/* The first of a sequence or mapping (not of what it merges); go on with ->next. NULL: none. */
const struct ynode *yfirst(struct ytree *y, const struct ynode *n);

/* The text of a scalar as YAML means it (but for empty lines at the end of a `|+`); absent: it is none. */
struct span ytext(struct ytree *y, const struct ynode *n);
struct span ykey(struct ytree *y, const struct ynode *n); /* of the key of a mapping's value */
struct span yget_text(struct ytree *y, const struct ynode *map, const char *key); /* absent: no such scalar */
bool ytrue(struct ytree *y, const struct ynode *n);  /* the word true (or yes, on) stands there */
bool yfalse(struct ytree *y, const struct ynode *n); /* the word false (or no, off) */

/* The same, put behind what is in ret already, with the map from its bytes to those of the file. */
void ytext_into(struct mapped *ret, struct ytree *y, const struct ynode *n);
#endif
