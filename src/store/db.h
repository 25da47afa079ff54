#ifndef STORE_DB_H
#define STORE_DB_H

#include "base/buf.h"

/*
 * One connection to a database: SQL in, rows out. SQLite and PostgreSQL differ below this line and nowhere above it but
 * where DB_SQL gives a statement for each. One thread. Parameters are written ?1, ?2, …; statements are kept prepared.
 */
enum db_type { DB_NULL, DB_INT, DB_REAL, DB_TEXT, DB_BLOB };
struct db_value {
	enum db_type type;
	int64_t i;
	double d;
	struct span s; /* of a row: lives for the call */
};

static inline struct db_value db_int(int64_t i) { return (struct db_value){ .type = DB_INT, .i = i }; }
static inline struct db_value db_text(struct span s) { return (struct db_value){ .type = s.p ? DB_TEXT : DB_NULL, .s = s }; }
static inline struct db_value db_textz(const char *z) { return db_text(span_of(z)); } /* NULL is NULL */
static inline struct db_value db_blob(struct span s) { return (struct db_value){ .type = s.p ? DB_BLOB : DB_NULL, .s = s }; }
static inline struct db_value db_null(void) { return (struct db_value){ .type = DB_NULL }; }
static inline struct db_value db_int_or(int64_t i, int64_t none) { return i == none ? db_null() : db_int(i); }

/* Called for each row. 0: go on; negative: stop, and the query returns it; positive: stop, the query succeeds. */
typedef int db_row_fn(void *ctx, const struct db_value *row, size_t n);

/* Many rows through one statement; values are row after row. A column has one type (or NULL). */
struct db_rows {
	const enum db_type *types;
	size_t columns, n;
	const struct db_value *v;
};

struct db;
struct db_ops {
	/* Rows that were changed, or -errno. */
	int64_t (*query)(struct db *d, const char *sql, const struct db_value *args, size_t n, db_row_fn *fn, void *ctx, struct err *e);
	int (*script)(struct db *d, const char *sql, struct err *e); /* several statements without parameters */
	/* sql of SQLite takes one row; that of PostgreSQL one array a column. */
	int (*bulk)(struct db *d, const char *sql, const struct db_rows *rows, struct err *e);
	void (*close)(struct db *d);
};

struct db {
	const struct db_ops *ops;
	bool postgres;
	bool in_transaction;
	bool readonly;
	char *name; /* as it may be shown: without a password */
};

#define DB_SQL(d, sqlite_sql, postgres_sql) ((d)->postgres ? (postgres_sql) : (sqlite_sql))
#define DB_ARGS(...) (const struct db_value[]){ __VA_ARGS__ }, sizeof((const struct db_value[]){ __VA_ARGS__ }) / sizeof(struct db_value)

enum db_open { DB_CREATE = 1, DB_READONLY = 2, DB_SMALL = 4 /* little memory for pages */ };
/* wait_ns: how long another writer (or a server) may keep us waiting, for each step. */
int sqlite_open(const char *path, unsigned flags, int64_t wait_ns, struct db **ret, struct err *e);
int postgres_open(const char *uri, unsigned flags, int64_t wait_ns, struct db **ret, struct err *e);
int postgres_name(const char *uri, struct buf *ret, struct err *e); /* the server and database, without a password */
void db_close(struct db *d); /* NULL is fine; a transaction under way is undone */

/* -errno: EBUSY another writer has it, ENOSPC, EROFS, EUCLEAN damaged, ECONNRESET the server went away, EAGAIN try the transaction again, … */
int64_t db_query(struct db *d, const char *sql, const struct db_value *args, size_t n, db_row_fn *fn, void *ctx, struct err *e);
int64_t db_run(struct db *d, const char *sql, const struct db_value *args, size_t n, struct err *e); /* no rows wanted */
int db_script(struct db *d, const char *sql, struct err *e);
/* The one integer of the first row; `none` when there is no row or it is NULL. */
int db_get(struct db *d, const char *sql, const struct db_value *args, size_t n, int64_t none, int64_t *ret, struct err *e);
int db_bulk(struct db *d, const char *sql, const struct db_rows *rows, struct err *e);
/* INSERT INTO table(columns) for all rows; rows that are there already stay as they are. */
int db_insert(struct db *d, const char *table, const char *columns, const struct db_rows *rows, struct err *e);

/*
 * Texts are kept as both databases can hold them: bytes that are no UTF-8, and 0, become U+FFFD. Done by the back ends for
 * every DB_TEXT, so that no log can keep its run from being recorded.
 */
bool db_text_ok(struct span s);
void db_text_clean(struct span s, struct buf *ret); /* at most 3 times as long */

int db_begin(struct db *d, bool write, struct err *e);
int db_commit(struct db *d, struct err *e);
void db_rollback(struct db *d); /* none under way is fine */
#endif
