#ifndef CHECK_LINT_H
#define CHECK_LINT_H

#include "base/arena.h"
#include "base/err.h"
#include "check/rule.h"

/*
 * The lint: every file of a tree is read and parsed once, all rules in one walk, files in parallel; then what several files say
 * together is judged. Nothing is started, nothing is written but the cache.
 */
#define LINT_FILE_BYTES ((size_t)16 << 20) /* a larger file is named and not read */
#define LINT_ARGS       4
#define LINT_LINE_BYTES 4096

struct lint_place { /* lines and columns (bytes) from 1; the end is behind the last byte; 0: of the file as a whole */
	int line, column, end_line, end_column;
	int wide, end_wide; /* the columns in UTF-16 code units, as SARIF and editors count */
};
struct lint_edit { /* of a fix: the bytes [from, to) become text */
	uint32_t from, to;
	struct span text;
	struct lint_place at;
};
struct lint_finding {
	const struct rule *rule;
	enum severity severity;
	const char *path; /* relative to the root */
	struct lint_place at;
	uint32_t from, to; /* the same in bytes */
	struct span args[LINT_ARGS];
	unsigned n_args;
	struct span unit; /* it holds only if this unit leads to a watched command; absent: in any case */
	struct lint_edit *edits; /* a fix; n_edits 0: none */
	size_t n_edits;
	bool edits_safe;
	struct span line;         /* the text of its line, without the newline; at most LINT_LINE_BYTES */
	const unsigned char *sum; /* SHA-256 of the file that edits are for */
};

/* Lists of words from tocsin.yaml; each adds to what the rules know by themselves. */
struct lint_words {
	const char *const *v;
	size_t n;
};
struct lint_config {
	struct lint_words guards;      /* functions that, deferred, catch and report a panic */
	struct lint_words reporters;   /* functions that report a panic's value */
	struct lint_words panic_paths; /* folders where G01 holds */
	struct lint_words watched;     /* commands whose failure must not be lost, beside go's own */
	struct lint_words alerts;      /* commands and actions that send alerts */
	bool whole; /* Go files are parsed whole, also what no rule has a word in: for tests, which compare */
};
struct lint_options {
	const char *root;         /* the folder that paths are relative to; NULL: here */
	const char *const *paths; /* files and folders below it; none: all of it */
	size_t n_paths;
	const bool *on; /* by index in rules[]; NULL: as the rows say */
	struct lint_config config;
	int threads;               /* 0: as many as the machine has */
	const char *cache;         /* a folder; NULL: none */
	struct lint_words exclude; /* patterns of paths that are not looked at */
	const char *text_path;     /* of one file that is not read: its text is `text`; NULL: there is none */
	struct span text;
	void (*progress)(void *ctx, size_t done,
			 size_t all); /* now and then, from the calling thread; may be NULL */
	void *ctx;
};
struct lint_result {
	struct arena mem;
	struct arena *more; /* of the workers: findings point into them */
	size_t n_more;
	struct lint_finding *findings; /* by path, line, column, rule */
	size_t n, cap;
	const char **limits; /* sentences: what was not looked at */
	size_t n_limits;
	size_t files, bytes; /* looked at */
	size_t errors;       /* places that could not be parsed, walked around */
	size_t cached;       /* files whose findings came from the cache */
	size_t excluded;     /* files that the configuration leaves out */
	size_t allowed;      /* findings that a comment lets pass */
	char *kept;          /* the cache's text, into which findings point */
};
/* -ENOENT and others: a path that cannot be read; -ENOMEM. */
int lint_run(const struct lint_options *o, struct lint_result *ret, struct err *e);
void lint_result_free(struct lint_result *r);
void lint_result_free_cleanup(struct lint_result *r);
/* The finding's message in the user's language, appended. */
struct buf;
void lint_message(const struct lint_finding *f, struct buf *ret);
/* Any text of its rule, with what is filled in. */
void lint_fill(const struct lint_finding *f, struct tx text, struct buf *ret);
#endif
