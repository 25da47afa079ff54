#ifndef CHECK_CI_MAPPED_H
#define CHECK_CI_MAPPED_H

#include "base/buf.h"
#include "check/ci/shell.h"

/* Text made out of a file's text (escapes undone, variables filled in) that knows of every byte where in the file it stands. */
struct mapped {
	struct buf text;
	struct shell_piece *pieces;
	size_t n, cap;
	bool bad;       /* no memory, or text.max reached */
	bool no_memory; /* that it was memory */
};
/* Bytes of the file that stand at `at`, as they are. */
void mapped_add(struct mapped *m, struct span bytes, uint32_t at);
/* Other bytes in the place of the file's [at, at + n): all of them are found there. */
void mapped_as(struct mapped *m, struct span bytes, uint32_t at, uint32_t n);
/* n bytes c in the place of the file's [at, at + n). */
void mapped_mask(struct mapped *m, char c, uint32_t at, uint32_t n);
/* A copy in scratch memory; "" without memory. Want of it, also while the text was made, is noted in f. */
struct span mapped_keep(struct lint_file *f, const struct mapped *m);
void mapped_clear(struct mapped *m);
void mapped_free(struct mapped *m);
void mapped_free_cleanup(struct mapped *m);
#endif
