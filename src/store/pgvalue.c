#include "store/pgvalue.h"

#include <endian.h>
#include <errno.h>

#include "base/mem.h"

static uint64_t get(const char *p, int len)
{
	uint64_t v = 0;

	for (int i = 0; i < len; i++)
		v = v << 8 | (unsigned char)p[i];
	return v;
}

static double real(uint64_t bits)
{
	double d;

	memcpy(&d, &bits, sizeof(d));
	return d;
}

static void put32(struct buf *b, uint32_t v)
{
	v = htobe32(v);
	buf_add(b, &v, sizeof(v));
}

static void put64(struct buf *b, uint64_t v)
{
	v = htobe64(v);
	buf_add(b, &v, sizeof(v));
}

/* clang-format off */
static const struct {
	unsigned one, array;
} types[] = {
	[DB_NULL] = { 0, 1009 }, [DB_INT] = { PG_INT, 1016 }, [DB_REAL] = { PG_REAL, 1022 },
	[DB_TEXT] = { PG_TEXT, 1009 }, [DB_BLOB] = { PG_BLOB, 1001 },
};
/* clang-format on */

unsigned pg_type(enum db_type t)
{
	return types[t].one;
}

unsigned pg_array_type(enum db_type t)
{
	return types[t].array;
}

/* ---- decoding ---- */

static int to_int(const char *p, int len, struct db_value *ret)
{
	uint64_t v = get(p, len);
	int unused = 64 - 8 * len;

	*ret = db_int((int64_t)(v << unused) >> unused);
	return 0;
}

static int to_unsigned(const char *p, int len, struct db_value *ret)
{
	*ret = db_int((int64_t)get(p, len));
	return 0;
}

static int to_real(const char *p, int len, struct db_value *ret)
{
	*ret = (struct db_value){ .type = DB_REAL, .d = real(get(p, len)) };
	return 0;
}

static int to_text(const char *p, int len, struct db_value *ret)
{
	*ret = db_text((struct span){ p, (size_t)len });
	return 0;
}

static int to_blob(const char *p, int len, struct db_value *ret)
{
	*ret = db_blob((struct span){ p, (size_t)len });
	return 0;
}

static int to_nothing(const char *p, int len, struct db_value *ret)
{
	*ret = db_null();
	return 0;
}

enum { NUMERIC_NEGATIVE = 0x4000, NUMERIC_SPECIAL = 0xc000 };

/* Digits of base 10000, as sum(bigint) and avg() give it: whole ones are DB_INT, as in SQLite, if they fit. */
static int to_number(const char *p, int len, struct db_value *ret)
{
	if (len < 8)
		return -EPROTO;
	int digits = (int)get(p, 2), weight = (int16_t)get(p + 2, 2), scale = (int)get(p + 6, 2);
	unsigned sign = (unsigned)get(p + 4, 2);
	if (len != 8 + 2 * digits || (sign & NUMERIC_SPECIAL) == NUMERIC_SPECIAL)
		return -EPROTO;
	bool whole = scale == 0 && digits <= weight + 1 && weight < 5;
	int64_t i = 0;
	double d = 0, unit = 1;
	for (int k = 0; k <= weight && whole; k++) {
		int64_t digit = k < digits ? (int64_t)get(p + 8 + 2 * k, 2) : 0;
		digit = sign == NUMERIC_NEGATIVE ? -digit : digit;
		whole = !__builtin_mul_overflow(i, 10000, &i) && !__builtin_add_overflow(i, digit, &i);
	}
	for (int k = digits; k-- > 0;)
		d = d / 10000 + (double)get(p + 8 + 2 * k, 2);
	for (int k = weight > 0 ? weight : -weight; k > 0 && k < 1000; k--)
		unit *= 10000;
	d = weight > 0 ? d * unit : d / unit;
	*ret = whole ? db_int(i) : (struct db_value){ .type = DB_REAL, .d = sign == NUMERIC_NEGATIVE ? -d : d };
	return 0;
}

/* clang-format off */
static const struct {
	unsigned type;
	int len; /* -1: any */
	int (*decode)(const char *p, int len, struct db_value *ret);
} decoders[] = {
	{ PG_INT, 8, to_int }, { PG_TEXT, -1, to_text }, { PG_BLOB, -1, to_blob }, { PG_REAL, 8, to_real },
	{ 23 /* int4 */, 4, to_int }, { 21 /* int2 */, 2, to_int }, { 16 /* bool */, 1, to_unsigned }, { 26 /* oid */, 4, to_unsigned },
	{ 1700 /* numeric */, -1, to_number }, { 1043 /* varchar */, -1, to_text }, { 1042 /* bpchar */, -1, to_text },
	{ 19 /* name */, -1, to_text }, { 114 /* json */, -1, to_text }, { 705 /* unknown */, -1, to_text }, { 2278 /* void */, -1, to_nothing },
};
/* clang-format on */

int pg_decode(unsigned type, const char *p, int len, struct db_value *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(decoders); i++) {
		if (decoders[i].type == type)
			return decoders[i].len >= 0 && decoders[i].len != len ? -EPROTO : decoders[i].decode(p, len, ret);
	}
	return -ENOTSUP;
}

/* ---- SQL ---- */

/* The length of the string, quoted name or comment that begins here, or 0. */
static size_t opaque(struct span s)
{
	char c = s.p[0];
	size_t end;

	if (c == '\'' || c == '"') { /* a doubled one is the end of one and the start of the next */
		end = span_chr(span_from(s, 1), c);
		return end == SPAN_NONE ? s.n : end + 2;
	}
	if (span_starts(s, S("--"))) {
		end = span_chr(s, '\n');
		return end == SPAN_NONE ? s.n : end;
	}
	if (span_starts(s, S("/*"))) {
		end = span_find(s, S("*/"));
		return end == SPAN_NONE ? s.n : end + 2;
	}
	return 0;
}

void pg_sql(const char *sql, struct buf *ret)
{
	struct span s = span_of(sql);

	while (s.n) {
		size_t n = opaque(s);
		if (!n && s.p[0] == '?' && s.n > 1 && s.p[1] >= '1' && s.p[1] <= '9') {
			buf_addc(ret, '$');
			s = span_from(s, 1);
			continue;
		}
		n = n ? n : 1;
		buf_add(ret, s.p, n);
		s = span_from(s, n);
	}
}

/* ---- arrays ---- */

static void add_element(struct buf *b, const struct db_value *v)
{
	size_t at = b->len;
	uint32_t len;
	double d = v->d;
	uint64_t bits;

	put32(b, UINT32_MAX); /* NULL */
	switch (v->type) {
	case DB_NULL:
		return;
	case DB_INT:
		put64(b, (uint64_t)v->i);
		break;
	case DB_REAL:
		memcpy(&bits, &d, sizeof(bits));
		put64(b, bits);
		break;
	case DB_TEXT:
		if (!db_text_ok(v->s)) {
			db_text_clean(v->s, b);
			break;
		}
		buf_span(b, v->s);
		break;
	case DB_BLOB:
		buf_span(b, v->s);
		break;
	}
	if (b->bad)
		return;
	len = htobe32((uint32_t)(b->len - at - 4));
	memcpy(b->p + at, &len, sizeof(len));
}

int pg_array(const struct db_rows *rows, size_t column, size_t from, size_t n, struct buf *ret)
{
	enum db_type type = rows->types[column];
	const struct db_value *v = rows->v + from * rows->columns + column;

	put32(ret, 1); /* dimensions */
	put32(ret, 1); /* may hold NULLs */
	put32(ret, pg_type(type) ? pg_type(type) : PG_TEXT);
	put32(ret, (uint32_t)n);
	put32(ret, 1); /* the first has number 1 */
	for (size_t i = 0; i < n; i++, v += rows->columns) {
		if (v->type != type && v->type != DB_NULL)
			return -EINVAL;
		add_element(ret, v);
	}
	return ret->bad ? -ENOMEM : 0;
}
