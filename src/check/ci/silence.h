#ifndef CHECK_CI_SILENCE_H
#define CHECK_CI_SILENCE_H

#include "check/lint_own.h"

/* A text in the user's language as a span. */
#define TR_SPAN(english, chinese) span_of(TR(english, chinese))

/* Does the command line throw standard error away (2>/dev/null, >/dev/null 2>&1, &>/dev/null)? Where that stands. */
bool silence_find(struct span command, size_t *from, size_t *to);
#endif
