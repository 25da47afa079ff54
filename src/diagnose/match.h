#ifndef DIAGNOSE_MATCH_H
#define DIAGNOSE_MATCH_H

#include "base/err.h"
#include "model/cause.h"

/*
 * Finds the row of the cause catalogue that a text proves: one Aho-Corasick pass over the literals of all
 * MATCH rows, then PCRE2 (with limits) for the rows whose literal was found. Built once, used by one thread.
 */
struct match;
int match_new(struct match **ret, struct err *e);
void match_free(struct match *m); /* NULL is fine */

/*
 * The best row for text (one line, or an error with its continuation lines), among rows believed `where`.
 * Precedence: security, then resource, then the innermost (last) network or other cause, then permanent.
 * NULL: none. The row stays valid for ever.
 */
const struct cause_match *match_text(struct match *m, struct span text, unsigned where);
#endif
