#ifndef CHECK_CI_MAKE_H
#define CHECK_CI_MAKE_H

#include "check/ci/mapped.h"

/*
 * A Makefile, read by lines: what GNU make makes of it as far as it can be known without running it. Both sides of a conditional are
 * read. Spans point into the file's text; `at` is where.
 */
struct make_part { /* of a value */
	struct span raw;
	uint32_t at;
	bool conditional;
	struct make_part *next;
};
struct make_var {
	struct span name;
	struct make_part *parts, **tail;
	unsigned sets;    /* times that it was given a value; += does not count */
	bool conditional; /* one of them in a conditional */
	bool lines;       /* by define, and of several lines: a canned recipe */
	bool from_shell;  /* by != */
	bool shown;       /* its lines were looked at */
	uint32_t at;      /* of its name */
};
struct make_line { /* of a recipe, with its continuations, without the tab before it */
	struct span raw;
	uint32_t at;
};
struct make_specific { /* TARGET: SHELL = …, or .SHELLFLAGS */
	struct span targets, name, raw;
	uint32_t targets_at, at;
	struct make_specific *next;
};
struct make_rule {
	struct span targets, needs; /* as they stand in the file */
	uint32_t at, needs_at;
	struct make_line *lines;
	size_t n, cap;
	struct make_rule *next;
};
struct make_include {
	struct span raw;
	uint32_t at;
	struct make_include *next;
};
struct make {
	struct lint_file *f;
	struct map vars;
	struct make_rule *rules, **rules_tail;
	struct make_specific *specific, **specific_tail;
	struct make_include *includes, **includes_tail;
	unsigned n_specific;
	char prefix;   /* of recipe lines */
	size_t budget; /* bytes that expanding may still make */
	bool bad;
};
void make_read(struct lint_file *f, struct make *ret);
void make_free(struct make *m);
const struct make_var *make_var(const struct make *m, struct span name);

/* What stands for `$@`, and whether it is a recipe (its continuations are the shell's) or a line of make's own. */
struct make_scope {
	struct span target;
	bool recipe;
};
/* Fill in what is known; what is not becomes `_` (a mark at the very start: blanks, for it is a prefix like `@`). */
void make_expand(struct make *m, struct mapped *out, struct span raw, uint32_t at,
		 const struct make_scope *in);
/* The end of the reference that begins with the bracket at text[at]; SPAN_NONE. */
size_t make_close(struct span text, size_t at);
/* The value, expanded, in scratch memory; absent without such a variable. */
struct span make_value(struct make *m, struct span name);
/* The next word of a line of make's own, where a continued line is a blank; false: no more. */
bool make_word(struct span *rest, struct span *word);
#endif
