#ifndef MOD_SUMDB_H
#define MOD_SUMDB_H

#include "base/arena.h"
#include "base/buf.h"

/*
 * The checksum database: signed tree, records, proofs (https://go.dev/ref/mod#checksum-database, RFC 6962, C2SP signed-note and
 * tlog-tiles). Nothing is believed before the note's signature and the record's inclusion are proved; the tree last seen is
 * kept below GOMODCACHE's sibling state and a newer one must contain it.
 */
struct sumdb;
/* How a path below the database (/latest, /lookup/…, /tile/…) is got. 0, -ENOENT (404, 410), or an error that says why. */
typedef int sumdb_get_fn(void *ctx, const char *path, struct buf *ret, struct err *e);
struct sumdb_options {
	const char *key;      /* GOSUMDB's "name+hash+key", or a known name: sum.golang.org, sum.golang.google.cn */
	const char *state;    /* the file that keeps the tree last seen; NULL: none is kept */
	sumdb_get_fn *get;
	void *ctx;
};
int sumdb_open(const struct sumdb_options *o, struct sumdb **ret, struct err *e);
void sumdb_close(struct sumdb *s);
enum sumdb_verdict { SUMDB_AGREES, SUMDB_DIFFERS, SUMDB_UNKNOWN /* it does not know the module */ };
/* hash "h1:…" of module@version (go_mod: of its go.mod). said: when it differs, what the database holds. Error: S class (EBADMSG: forged,
 * inconsistent), or it could not be asked. */
int sumdb_ask(struct sumdb *s, struct span path, struct span version, bool go_mod, struct span hash, enum sumdb_verdict *ret, struct buf *said, struct err *e);
int sumdb_finish(struct sumdb *s, struct err *e); /* checks consistency with the tree last seen, and keeps the new one */
#endif
