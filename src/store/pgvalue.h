#ifndef STORE_PGVALUE_H
#define STORE_PGVALUE_H

#include "store/db.h"

/* Values as PostgreSQL's protocol carries them in binary. Pure: knows no connection. Types are the server's numbers. */
enum { PG_INT = 20, PG_REAL = 701, PG_TEXT = 25, PG_BLOB = 17 };

unsigned pg_type(enum db_type t); /* 0 for DB_NULL: let the server say */
unsigned pg_array_type(enum db_type t);

/* One value of a row; s lives as long as p. ENOTSUP: a type that is not used here; EPROTO: it is no such value. */
int pg_decode(unsigned type, const char *p, int len, struct db_value *ret);

/* ?1 becomes $1, but not in strings, quoted names and comments. */
void pg_sql(const char *sql, struct buf *ret);

/* The values of one column, rows from … from + n, as an array. EINVAL: a value is not of the column's type. */
int pg_array(const struct db_rows *rows, size_t column, size_t from, size_t n, struct buf *ret);
#endif
