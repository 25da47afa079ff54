#include "store/db.h"

#include <errno.h>

#include "base/mem.h"
#include "base/text.h"

int64_t db_query(struct db *d, const char *sql, const struct db_value *args, size_t n, db_row_fn *fn, void *ctx, struct err *e)
{
	return d->ops->query(d, sql, args, n, fn, ctx, e);
}

int64_t db_run(struct db *d, const char *sql, const struct db_value *args, size_t n, struct err *e)
{
	return d->ops->query(d, sql, args, n, NULL, NULL, e);
}

int db_script(struct db *d, const char *sql, struct err *e)
{
	return d->ops->script(d, sql, e);
}

static int take_int(void *ctx, const struct db_value *row, size_t n)
{
	if (n && row[0].type == DB_INT)
		*(int64_t *)ctx = row[0].i;
	return 1;
}

int db_get(struct db *d, const char *sql, const struct db_value *args, size_t n, int64_t none, int64_t *ret, struct err *e)
{
	int64_t v = none;
	int64_t r = db_query(d, sql, args, n, take_int, &v, e);

	if (r < 0)
		return (int)r;
	*ret = v;
	return 0;
}

int db_bulk(struct db *d, const char *sql, const struct db_rows *rows, struct err *e)
{
	return rows->n ? d->ops->bulk(d, sql, rows, e) : 0;
}

/* "(?1, ?2), (?3, ?4)" for SQLite; for PostgreSQL "SELECT * FROM unnest(?1::bigint[], ?2::text[])". */
static void add_values(struct buf *sql, const struct db *d, const struct db_rows *rows, size_t at_once)
{
	static const char *const arrays[] = { [DB_NULL] = "text", [DB_INT] = "bigint", [DB_REAL] = "float8", [DB_TEXT] = "text", [DB_BLOB] = "bytea" };

	buf_adds(sql, d->postgres ? ") SELECT * FROM unnest(" : ") VALUES (");
	for (size_t i = 0; i < rows->columns * at_once; i++) {
		buf_addf(sql, "%s?%zu", !i ? "" : i % rows->columns ? ", " : "), (", i + 1);
		if (d->postgres)
			buf_addf(sql, "::%s[]", arrays[rows->types[i]]);
	}
	buf_adds(sql, ") ON CONFLICT DO NOTHING");
}

#define AT_ONCE 32 /* rows a statement, of SQLite: what a statement costs by itself is a third of a short row */

static int insert(struct db *d, const char *table, const char *columns, const struct db_rows *rows, size_t at_once, struct err *e)
{
	CLEANUP(buf_free) struct buf sql = { 0 };
	struct db_rows wide = *rows;

	buf_addf(&sql, "INSERT INTO %s(%s", table, columns);
	add_values(&sql, d, rows, at_once);
	if (sql.bad)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	wide.columns *= at_once;
	wide.n /= at_once;
	return db_bulk(d, buf_str(&sql), &wide, e);
}

int db_insert(struct db *d, const char *table, const char *columns, const struct db_rows *rows, struct err *e)
{
	size_t many = d->postgres || rows->columns > 8 ? 0 : rows->n / AT_ONCE * AT_ONCE;
	struct db_rows rest = { rows->types, rows->columns, rows->n - many, rows->v + many * rows->columns };
	struct db_rows first = { rows->types, rows->columns, many, rows->v };

	int r = many ? insert(d, table, columns, &first, AT_ONCE, e) : 0;
	return r < 0 || !rest.n ? r : insert(d, table, columns, &rest, 1, e);
}

bool db_text_ok(struct span s)
{
	uint32_t cp;

	while (s.n) {
		size_t ascii = 0;
		while (ascii < s.n && (signed char)s.p[ascii] > 0)
			ascii++;
		s = span_from(s, ascii);
		if (!s.n)
			break;
		s = span_from(s, utf8_decode(s, &cp));
		if (!cp || cp == UTF8_BAD)
			return false;
	}
	return true;
}

void db_text_clean(struct span s, struct buf *ret)
{
	uint32_t cp;

	while (s.n) {
		size_t n = utf8_decode(s, &cp);
		if (!cp || cp == UTF8_BAD)
			buf_adds(ret, "\xef\xbf\xbd");
		else
			buf_add(ret, s.p, n);
		s = span_from(s, n);
	}
}

int db_begin(struct db *d, bool write, struct err *e)
{
	int r = db_script(d, d->postgres ? (write ? "BEGIN" : "BEGIN READ ONLY") : write ? "BEGIN IMMEDIATE" : "BEGIN", e);

	d->in_transaction = r == 0;
	return r;
}

int db_commit(struct db *d, struct err *e)
{
	int r = db_script(d, "COMMIT", e);

	if (r < 0)
		db_rollback(d);
	d->in_transaction = false;
	return r;
}

void db_rollback(struct db *d)
{
	if (d->in_transaction)
		db_script(d, "ROLLBACK", NULL);
	d->in_transaction = false;
}

void db_close(struct db *d)
{
	if (!d)
		return;
	db_rollback(d);
	d->ops->close(d);
}
