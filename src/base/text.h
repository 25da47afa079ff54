#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/buf.h"

#define UTF8_BAD UINT32_MAX
/* The code point at the start of s (not empty); returns its bytes, 1 and UTF8_BAD for a bad byte. */
size_t utf8_decode(struct span s, uint32_t *cp);
struct span utf8_head(struct span s, size_t max); /* at most max bytes, no code point cut in two */
size_t utf8_encode(uint32_t cp, char out[4]);
int utf8_cell(uint32_t cp); /* terminal columns: 0, 1 or 2 */
size_t text_width(struct span s); /* columns of a cleaned text */
struct span text_fit(struct span s, size_t columns); /* the longest head that fits, on a code point */

/* Step over one ANSI escape sequence at the start of s (s.p[0] is ESC): its length, at least 1. */
size_t ansi_length(struct span s);
/* Append s without ANSI sequences; returns whether there were any. */
bool ansi_strip(struct span s, struct buf *ret);

/*
 * Append s made safe to print: no ANSI, control bytes as \xNN (TAB and newline stay when multiline),
 * invalid UTF-8 as U+FFFD, direction overrides shown as \uXXXX. Nothing in it can move a cursor,
 * start a line when !multiline, or be taken for a CI command.
 */
void text_clean(struct span s, bool multiline, struct buf *ret);

/* The candidate nearest to what was typed, or NULL when none is near. */
const char *text_nearest(const char *typed, const char *const *candidates, size_t n);
bool text_glob(const char *pattern, struct span s); /* '*' any run, '?' one byte; '*' also crosses '/' */

size_t text_find_fold(struct span s, struct span what); /* as span_find, but for the capitals of ASCII; what: in small letters */

/* What a hexadecimal digit stands for; -1: it is none. */
static inline int hex_digit(int c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}
#endif
