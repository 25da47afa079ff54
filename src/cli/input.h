#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include "base/buf.h"

/* Evidence in a file or on standard input: plain, gzip or zstd, read in pieces. */
struct input;
/* "-" is standard input. */
int input_open(const char *path, struct input **ret, struct err *e);
/* The first bytes (64 KiB or all there are), unpacked: what it is can be seen from them. Valid until the first input_read. */
struct span input_head(const struct input *in);
/* Refuses what cannot be a log, with the name and the byte. Before the first input_read. */
int input_text(const struct input *in, struct err *e);
/* The next piece, the head first; *ret is valid until the next call, empty at the end. */
int input_read(struct input *in, struct span *ret, struct err *e);
/* All of it, up to max bytes: a larger one is refused with a sentence. What was read stays in *ret when it fails. */
int input_slurp(struct input *in, size_t max, struct buf *ret, struct err *e);
const char *input_name(const struct input *in);
void input_close(struct input *in); /* NULL is fine */
#endif
