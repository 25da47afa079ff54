#ifndef PARSE_MODFILE_OWN_H
#define PARSE_MODFILE_OWN_H

#include "parse/modfile.h"

/* Between parse/modwords.c (words of a line) and parse/modfile.c (directives); for nobody else. */

#define WORDS_MAX 8 /* kept; none has more than `retract [a, b]` with its verb */

struct mod_word {
	struct span raw; /* with its quotes */
	int column;
};
struct mod_words {
	struct mod_word word[WORDS_MAX];
	size_t n;            /* may be more than WORDS_MAX: one counts on */
	bool has_comment;    /* // */
	struct span comment; /* behind it, trimmed */
	enum { WORDS_FINE, WORDS_BYTE, WORDS_STRING, WORDS_BLOCK_COMMENT } fault;
	int fault_column;
	struct span fault_text; /* BYTE: that character */
	struct mod_word last, before_last; /* also of more than WORDS_MAX */
};
void mod_words_read(struct span line, struct mod_words *ret);

enum mod_text { MOD_TEXT_FINE, MOD_TEXT_BAD, MOD_TEXT_NO_MEMORY };
/* What a word says: quotes taken off and escapes replaced, as Go does; BAD: quotes where none may be, a broken escape. */
enum mod_text mod_word_text(struct arena *mem, struct span raw, struct span *ret);
#endif
