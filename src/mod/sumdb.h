#ifndef MOD_SUMDB_H
#define MOD_SUMDB_H

#include "base/arena.h"
#include "base/buf.h"
#include "model/report.h"

/*
 * The checksum database (https://go.dev/ref/mod#checksum-database). Nothing is believed before the signature of the tree and the
 * proof that the record is in it; all trees that were shown, and the one last seen, must be one history.
 */
struct sumdb_got {
	int status;      /* 0; -ENOENT: 404, 410; else -errno */
	struct buf text; /* the database's to free */
	char why[200];   /* when status < 0 */
};
/* Gets some paths ("/latest", "/lookup/…", "/tile/8/…"), side by side if it can. */
typedef void sumdb_get_fn(void *ctx, const char *const *paths, size_t n, struct sumdb_got *got);
struct sumdb_options {
	const char *key;   /* GOSUMDB's "name+hash+key", or a name that go knows */
	const char *state; /* the file with the tree last seen; NULL: it is not kept */
	sumdb_get_fn *get;
	void *ctx;
};
struct sumdb_question {
	struct span path, version; /* of a module */
	struct span hash, mod_hash; /* "h1:…" of the zip and of go.mod; absent: not asked */
	/* the answer */
	enum {
		SUMDB_ASKED, SUMDB_AGREES, SUMDB_DIFFERS, SUMDB_FORGED,
		SUMDB_UNKNOWN, /* it does not know the module */
		SUMDB_FAILED,  /* it could not be asked */
	} answer;
	const char *why;   /* one sentence; NULL when it agrees */
};
/*
 * Answers all; strings live in mem. -EBADMSG: the database contradicts itself (SUMDB_FORGED says of whom), or the tree last seen;
 * what was shown is kept beside `state`, as proof. Else an error only when no question could be asked at all.
 */
int sumdb_ask(const struct sumdb_options *o, struct sumdb_question *q, size_t n, struct arena *mem, struct err *e);
#endif
