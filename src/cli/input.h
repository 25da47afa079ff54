#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include "base/buf.h"

/* Evidence in a file or on standard input: plain, gzip or zstd, read in pieces. */
struct input;
/* "-" is standard input. Refuses what cannot be a log, with the name and the byte. */
int input_open(const char *path, struct input **ret, struct err *e);
/* The next piece; *ret is valid until the next call, empty at the end. */
int input_read(struct input *in, struct span *ret, struct err *e);
const char *input_name(const struct input *in);
void input_close(struct input *in); /* NULL is fine */
#endif
