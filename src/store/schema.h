#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include "store/db.h"

#define SCHEMA_APPLICATION 0x746f6373 /* "tocs" in the header of a SQLite file */
#define SCHEMA_VERSION 1

/*
 * One step of the schema, applied in one transaction. Both databases get `both`, in which {int}, {blob}, {key}, {table} and
 * {clustered} become their words for it; then each its own. Steps are never changed once released: a new one is added.
 */
struct migration {
	const char *both, *sqlite, *postgres;
};
extern const struct migration schema_steps[SCHEMA_VERSION];

/*
 * Bring it from its version to version n by steps; 0 when it is there. ENOTSUP: it is newer than we are. ENOENT: it is
 * empty (version 0) and may not be written.
 */
int schema_migrate(struct db *d, const struct migration *steps, int n, struct err *e);
int schema_version(struct db *d, int *ret, struct err *e); /* 0: no schema yet */
#endif
