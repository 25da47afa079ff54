#ifndef CLI_SAY_H
#define CLI_SAY_H

#include "base/buf.h"

/* A place to print to. */
struct term {
	int fd;
	bool tty, color;
	bool dead, gone;      /* writing failed once: nothing more is written, and that was said, but for a reader that is gone */
	size_t width, height; /* of the window; 80 × 24 when it has none */
};
void term_open(struct term *t, int fd);
void term_resize(struct term *t);
void term_put(struct term *t, struct span s);
bool names_stdout(const char *path); /* "-", "/dev/stdout", "/dev/fd/1" */
/* Put it and empty it. */
void term_flush(struct term *t, struct buf *b);

enum paint { PAINT_NONE, PAINT_BOLD, PAINT_DIM, PAINT_RED, PAINT_GREEN, PAINT_YELLOW, PAINT_CYAN };
/* text between the colour and its end, when there are colours. text is our own or already clean. */
void say_paint(struct buf *b, const struct term *t, enum paint p, const char *text);

/*
 * Foreign text made safe: text_clean, and no line of it can be a workflow command of a CI system
 * ("::error …", "##[…]", "##vso[…]", "##teamcity[…]"): a backslash breaks it.
 */
void say_clean(struct buf *b, struct span s);
/* The same for several lines: each indented, at most max lines (0: all), what is left out is counted. */
void say_lines(struct buf *b, struct span s, size_t indent, size_t max);
/* Words wrapped at width, from column `at` on; later lines are indented. No newline at the end. */
void say_wrap(struct buf *b, struct span s, size_t at, size_t indent, size_t width);
void say_pad(struct buf *b, size_t n);
/* text and blanks up to the column width. */
void say_cell(struct buf *b, const char *text, size_t width);
/* Every argument, quoted as a shell would need it, cleaned. */
struct argv;
void say_argv(struct buf *b, const struct argv *a);

/* One line "tocsin: …" on stderr. */
void say_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same, and the hint where to read on; returns 2. */
int say_usage(const char *verb, const char *message);
#endif
