#ifndef MODEL_CAUSE_H
#define MODEL_CAUSE_H

#include "base/lang.h"
#include "base/span.h"

/*
 * The cause catalogue. causes.def is the whole truth: each CAUSE row is an id of the contract, each MATCH
 * row a text that proves one. Enum, matcher, `tocsin causes`, documentation and tests are made from it.
 */
enum severity { SEV_NOTE, SEV_WARNING, SEV_ERROR };

enum cause {
	CAUSE_NONE,
#define CAUSE(name, id, sev, classes, mean_en, mean_zh, advice_en, advice_zh) CAUSE_##name,
#define MATCH(name, classes, where, literals, regex, advice_en, advice_zh)
#include "model/causes.def"
#undef CAUSE
#undef MATCH
	CAUSE_COUNT,
};

struct cause_info {
	const char *id;      /* "mod.dns"; NULL for CAUSE_NONE */
	enum severity severity;
	const char *classes; /* letters T M C R P S, most likely first; a MATCH row may say otherwise */
	struct tx mean;      /* what it means, a short phrase */
	struct tx advice;    /* what to do, one or two sentences */
};

/* Where a MATCH row's text is believed. */
enum where {
	IN_GO = 1,     /* an error line of the go command: "go: ", "verifying …", "package …", its continuation lines */
	IN_BUILD = 2,  /* below a "# package" header, or a compiler's or linker's line */
	IN_TEST = 4,   /* output of a test or program that failed */
	IN_ANY = 8,    /* any line of a command that failed, when nothing better is known */
	IN_PASSED = 16 /* worth a warning even in a run that exited 0 */
};

struct cause_match {
	enum cause cause;
	const char *classes;
	unsigned where;
	const char *literals; /* alternatives, each needed literally, separated by '|'; matched by Aho-Corasick */
	const char *regex;    /* PCRE2, checked when a literal was found; NULL: the literal alone proves it */
	struct tx advice;     /* NULL texts: the cause's own */
};

extern const struct cause_info cause_table[CAUSE_COUNT];
extern const struct cause_match cause_matches[];
extern const size_t cause_match_count;

enum cause cause_by_id(struct span id); /* CAUSE_NONE: unknown */
/* "S02" of "check.S02": the lint rule that a cause names; absent: it names none. */
struct span cause_rule(struct span id);
/* The word of a class letter: 'T' "transient", 'M' "mirror", 'C' "config", 'R' "resource", 'P' "permanent", 'S' "security". */
const char *class_word(char letter);
char class_letter(struct span word); /* 0: unknown */
const char *severity_word(enum severity s);
#endif
