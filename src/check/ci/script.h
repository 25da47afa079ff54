#ifndef CHECK_CI_SCRIPT_H
#define CHECK_CI_SCRIPT_H

#include "base/arena.h"
#include "check/ci/bash.h"

/*
 * A piece of shell as the commands it consists of. The grammar's tree is close to the text (a redirection may stand around a whole
 * list, a here document may swallow the rest of a pipe); here every operator binds as the shell binds it.
 */
enum sh_kind {
	SH_ERROR,   /* could not be understood, or is nested too deep: nothing in it is judged */
	SH_COMMAND, /* words; assigns before them; no words: it only assigns */
	SH_TEST,    /* [ … ], [[ … ]], (( … )) */
	SH_PIPE,    /* kids: its parts */
	SH_AND,     /* kids: left, right */
	SH_OR,
	SH_NOT,      /* kid */
	SH_SEQ,      /* kids: statements */
	SH_SUBSHELL, /* kid: a SEQ */
	SH_GROUP,
	SH_IF,    /* kids: condition, then, else (may be missing); all SEQ. elif is an if in else */
	SH_FOR,   /* kid: the body, a SEQ */
	SH_WHILE, /* kids: condition, body */
	SH_UNTIL,
	SH_CASE,     /* kids: a SEQ for each item */
	SH_FUNCTION, /* name; kid: the body */
	SH_SUBST,    /* $(…): kid: a SEQ */
	SH_PROCESS,  /* <(…) */
};
struct sh_word {
	struct span raw;   /* as it stands */
	struct span plain; /* without its quotes; of a dynamic one, as near as it goes */
	bool dynamic;      /* what it is depends on a variable or a command */
	uint32_t from;     /* in the text */
};
struct sh_redirect {
	struct sh_redirect *next;
	struct span raw; /* "2>&1", ">/dev/null", "< <(…)" */
};
struct sh {
	enum sh_kind kind;
	bool background; /* followed by & */
	uint8_t seen;    /* for who walks */
	uint32_t from, to;
	struct sh *kids, *last, *next;
	struct sh *substs, *substs_last; /* in its words, assignments and redirections; linked by next */
	struct sh_word *words;           /* "go" "test" … */
	size_t n_words;
	struct sh_word *assigns; /* "A=1" before the command */
	size_t n_assigns;
	struct sh_redirect *redirects; /* the last first */
	struct span name;
	struct span fed;  /* the here document or string that it reads as standard input; absent: none */
	uint32_t fed_at;  /* where that stands */
	bool fed_literal; /* its delimiter was quoted: nothing in it is expanded */
};

#define SH_DEPTH 200 /* nested deeper: an SH_ERROR */

/*
 * A SEQ in mem; from and to are those in text plus `offset`. NULL: no memory, or *e. errors: places that were not understood are
 * added.
 */
struct sh *script_parse(struct syntax *p, struct arena *mem, struct span text, uint32_t offset,
			size_t *errors, struct err *e);
#endif
