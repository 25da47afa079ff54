/* What a hostile server may send as a value, what a hostile log may hold as a text, and SQL of any form. */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/pgvalue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_text(struct span s)
{
	static const enum db_type types[] = { DB_TEXT };
	CLEANUP(buf_free) struct buf clean = { 0 };
	CLEANUP(buf_free) struct buf array = { 0 };
	const struct db_value v = { .type = DB_TEXT, .s = s };
	const struct db_rows rows = { types, 1, 1, &v };

	db_text_clean(s, &clean);
	check(db_text_ok(buf_view(&clean)) && clean.len <= 3 * s.n);
	check(db_text_ok(s) == span_eq(s, buf_view(&clean)));
	check(pg_array(&rows, 0, 0, 1, &array) == 0 && array.len == 24 + clean.len);
	check(span_eq(span_from(buf_view(&array), 24), buf_view(&clean)));
}

static void check_sql(const char *sql)
{
	CLEANUP(buf_free) struct buf once = { 0 };
	CLEANUP(buf_free) struct buf twice = { 0 };

	pg_sql(sql, &once);
	check(once.len == strlen(sql));
	pg_sql(buf_str(&once), &twice);
	check(span_eq(buf_view(&once), buf_view(&twice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned types[] = { 20, 25, 17, 701, 23, 21, 16, 26, 1700, 1043, 2278, 705, 1184 };
	struct db_value v;

	if (!size)
		return 0;
	struct span s = { (const char *)data + 1, size - 1 };
	char *sql = mem_dup(s.p, s.n);
	int r = pg_decode(types[data[0] % ARRAY_LEN(types)], s.p, (int)s.n, &v);
	check(r == 0 || r == -EPROTO || r == -ENOTSUP);
	if (r == 0 && (v.type == DB_TEXT || v.type == DB_BLOB))
		check(v.s.p == s.p && v.s.n == s.n);
	check_text(s);
	if (sql)
		check_sql(sql);
	mem_free(sql);
	return 0;
}
