#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/siphash.h"
#include "base/time.h"
#include "store/schema.h"
#include "store/state.h"

#define TRIES_MAX 5

static bool is_postgres(struct span uri)
{
	return span_starts(uri, S("postgres://")) || span_starts(uri, S("postgresql://"));
}

/* "sqlite:///abs/path", "sqlite:rel", a path; nothing: the user's own. */
static int sqlite_path(const char *uri, bool make, struct buf *ret, struct err *e)
{
	struct span u = span_of(uri);
	size_t scheme = span_find(u, S("://"));

	if (!u.n) {
		int r = path_user_dir("XDG_STATE_HOME", ".local/state", ret, e);
		buf_adds(ret, "/tocsin.db");
		return r;
	}
	if (span_skip(&u, S("sqlite://")) || span_skip(&u, S("sqlite:")) || span_skip(&u, S("file://"))) {
		if (!u.n)
			return err_set(e, EINVAL, TR("the store '%s' names no file: write sqlite:///var/lib/tocsin/tocsin.db", "存储“%s”没有文件名：请写成 sqlite:///var/lib/tocsin/tocsin.db"), uri);
	} else if (scheme != SPAN_NONE) {
		return err_set(e, EINVAL, TR("the store '%.*s://…' has an unknown scheme: use a file name, sqlite:///PATH or postgres://USER@HOST/DATABASE",
					     "存储“%.*s://…”的类型未知：请使用文件名、sqlite:///路径 或 postgres://用户@主机/数据库"), (int)(scheme < 40 ? scheme : 40), uri);
	}
	buf_span(ret, u);
	if (ret->bad)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	if (make && span_rchr(u, '/') != SPAN_NONE) {
		CLEANUP(buf_free) struct buf dir = { 0 };
		buf_span(&dir, path_dir(u));
		return dir.bad ? err_set(e, ENOMEM, TR("out of memory", "内存不足")) : path_mkdirs(buf_str(&dir), 0700, e);
	}
	return 0;
}

int store_uri_name(const char *uri, struct buf *ret, struct err *e)
{
	return is_postgres(span_of(uri)) ? postgres_name(uri, ret, e) : sqlite_path(uri, false, ret, e);
}

static int open_db(const char *uri, unsigned flags, struct db **ret, struct err *e)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	unsigned how = (flags & STORE_CREATE ? DB_CREATE : 0) | (flags & STORE_READONLY ? DB_READONLY : 0) | (flags & STORE_SMALL ? DB_SMALL : 0);

	int64_t wait = flags & STORE_HASTY ? STORE_HASTE_NSEC : STORE_WAIT_NSEC;

	if (is_postgres(span_of(uri)))
		return postgres_open(uri, how, wait, ret, e);
	int r = sqlite_path(uri, flags & STORE_CREATE, &path, e);
	return r < 0 ? r : sqlite_open(buf_str(&path), how, wait, ret, e);
}

int store_open(const char *uri, unsigned flags, struct store **ret, struct err *e)
{
	struct store *s = mem_zalloc(sizeof(*s));

	if (!s)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	int r = open_db(uri, flags, &s->db, e);
	if (r == 0 && !(flags & STORE_AS_IS))
		r = schema_migrate(s->db, schema_steps, SCHEMA_VERSION, e);
	if (r == 0 && !(flags & (STORE_AS_IS | STORE_READONLY)))
		r = fingerprint_migrate(s, e);
	if (r < 0) {
		store_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	db_close(s->db);
	mem_free(s);
}

const char *store_name(const struct store *s)
{
	return s->db->name;
}

int store_transact(struct store *s, store_work *work, void *ctx, struct err *e)
{
	if (s->db->in_transaction)
		return work(s, ctx, e);
	for (int i = 0;; i++) {
		int r = db_begin(s->db, true, e), c = 0;
		if (r == 0)
			r = work(s, ctx, e);
		if (r >= 0)
			c = db_commit(s->db, e);
		else
			db_rollback(s->db);
		if (r >= 0 && c == 0)
			return r;
		r = r < 0 ? r : c;
		if (r != -EAGAIN || i == TRIES_MAX)
			return r;
	}
}

int64_t hash64(struct span a, struct span b)
{
	static const unsigned char key[16] = "tocsin store 1";
	CLEANUP(buf_free) struct buf both = { 0 };
	unsigned char sum[16];
	uint64_t v = 0;
	char small[512];

	if (a.n + b.n + 1 < sizeof(small)) { /* nearly always */
		memcpy(small, a.n ? a.p : "", a.n);
		small[a.n] = '\0';
		memcpy(small + a.n + 1, b.n ? b.p : "", b.n);
		siphash128(key, (struct span){ small, a.n + 1 + b.n }, sum);
	} else {
		buf_span(&both, a);
		buf_addc(&both, '\0');
		buf_span(&both, b);
		siphash128(key, buf_view(&both), sum);
	}
	for (int i = 0; i < 8; i++)
		v = v << 8 | sum[i];
	return (int64_t)v;
}

int64_t store_series(const struct report *r)
{
	CLEANUP(buf_free) struct buf words = { 0 };

	for (size_t i = 0; i < r->argv.n; i++)
		buf_add(&words, r->argv.v[i], strlen(r->argv.v[i]) + 1);
	buf_adds(&words, r->cwd ? r->cwd : "");
	return words.bad ? 0 : hash64(span_of(r->project ? r->project : ""), buf_view(&words));
}
