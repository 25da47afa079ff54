#ifndef MOD_STATEMENT_H
#define MOD_STATEMENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/sha256.h"

/*
 * A signed statement on the files that say which modules are built: JSON, schema tocsin.modules/1. It names the module, the
 * commit it was made at, each file's SHA-256, and of each line the first STATED_LINE bytes of its SHA-256 (base64, all in
 * one), so that a later reader can say which line changed without having the old file. `previous` is the SHA-256 of the
 * statement before it, as "sha256:…": a chain.
 */
#define STATED_LINE 6
#define STATEMENT_MAX ((size_t)256 << 20)
struct stated_file {
	const char *path;      /* relative to the tree's top */
	char sum[2 * SHA256_SIZE + 1];
	struct span lines;     /* STATED_LINE bytes each */
};
struct statement {
	struct arena mem;
	const char *module;    /* the main module's path; of a workspace the first member's; NULL: none */
	const char *created;   /* RFC 3339 */
	const char *commit;    /* NULL: made outside of git, or before the first commit */
	const char *previous;  /* NULL: the first */
	struct stated_file *files;
	size_t n;
};
/* Appends the file's hashes as a stated one; path is kept. */
int statement_add(struct statement *s, const char *path, struct span text, struct err *e);
const struct stated_file *statement_file(const struct statement *s, const char *path);
void statement_write(const struct statement *s, struct buf *ret);
/* name is for the errors. -EBADMSG: not a statement; says what is wrong with it. */
int statement_read(struct span text, const char *name, struct statement *ret, struct err *e);
void statement_free(struct statement *s);
void statement_free_cleanup(struct statement *s);
void statement_hash(struct span text, char ret[72]); /* "sha256:…" */

/*
 * Which lines differ between what was stated and text: fn gets each, in order; was: its number then (0: it is new), now: its
 * number now (0: it is gone), line: its text (absent when gone). Returns how many, or -ENOMEM.
 */
typedef void stated_diff_fn(void *ctx, int64_t was, int64_t now, struct span line);
int64_t stated_diff(const struct stated_file *f, struct span text, stated_diff_fn *fn, void *ctx);
#endif
