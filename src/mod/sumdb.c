#include "mod/sumdb.h"

#include <errno.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/path.h"
#include "mod/note.h"
#include "mod/tlog.h"
#include "parse/version.h"

#define TREE_HEAD "go.sum database tree\n"
#define STATE_MAX ((size_t)1 << 20)
#define ROUNDS_MAX 8 /* of fetching tiles: one is enough, unless partial ones are missing */

struct tile {
	struct span key;  /* its path */
	char *path;
	struct buf text;
	int width;
	bool wanted, tried;
};

struct record { /* what a lookup came to */
	struct buf text;   /* of the answer */
	struct span lines; /* of go.sum, in it */
	struct span note;
	int64_t id;
	struct tlog_tree tree;
	bool there;
};

struct db {
	const struct sumdb_options *o;
	struct note_key key;
	struct sumdb_question *q;
	struct record *records;
	size_t n;
	struct arena *mem;
	struct map tiles;
	size_t wanted;
	struct tlog_tree latest;
	struct span latest_note; /* of a record, or of the state */
	struct buf state;
	struct tlog_tree kept;   /* of the state; n 0: none */
	struct err *e;
};

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

static void answer(struct db *d, struct sumdb_question *q, int what, const char *why)
{
	q->answer = what;
	q->why = why ? arena_str(d->mem, span_of(why)) : NULL;
}

/* ---- trees ---- */

/* The text of a signed tree: three lines, and lines to come that nobody knows yet. */
static bool read_tree(struct span text, struct tlog_tree *ret)
{
	struct buf root = { 0 };

	if (!span_skip(&text, S(TREE_HEAD)))
		return false;
	bool good = span_int(span_cut(&text, '\n'), &ret->n) && ret->n >= 0 && ret->n < INT64_C(1) << 48 &&
		    base64_read(span_cut(&text, '\n'), &root) && root.len == TLOG_HASH;
	if (good)
		memcpy(ret->root, root.p, TLOG_HASH);
	buf_free(&root);
	return good;
}

static int open_tree(struct db *d, struct span note, struct tlog_tree *ret, struct err *e)
{
	struct span text;
	int r = note_open(&d->key, note, &text, e);

	if (r == 0 && !read_tree(text, ret))
		r = err_set(e, EBADMSG,
			    TR("the answer of the checksum database %s is signed, and is no tree",
			       "校验和数据库 %s 的答复有签名，但不是树"),
			    d->key.name);
	return r;
}

static int read_state(struct db *d, struct err *e)
{
	d->state.max = STATE_MAX;
	int r = d->o->state ? file_slurp(d->o->state, &d->state, e) : -ENOENT;

	if (r == -ENOENT)
		return 0;
	if (r == 0 && d->state.len)
		r = open_tree(d, buf_view(&d->state), &d->kept, e);
	if (r == -EBADMSG)
		return err_set(e, EBADMSG,
			       TR("%s holds no tree that the checksum database signed: if nobody meddled with it, remove it",
				  "%s 中没有校验和数据库签名的树：若确认无人改动，请删除它"),
			       d->o->state);
	return r;
}

/* ---- lookups ---- */

static bool lookup_path(const struct sumdb_question *q, struct buf *ret)
{
	buf_adds(ret, "/lookup/");
	if (!module_escape_path(q->path, ret))
		return false;
	buf_addc(ret, '@');
	return module_escape_version(q->version, ret) && !ret->bad;
}

/* "id\nlines\n\nnote" */
static int read_lookup(struct db *d, struct record *r, struct err *e)
{
	struct span rest = buf_view(&r->text), id = span_cut(&rest, '\n');
	size_t end = span_find(rest, S("\n\n"));

	if (!span_int(id, &r->id) || r->id < 0 || end == SPAN_NONE)
		return err_set(e, EBADMSG, TR("the checksum database %s did not answer with a record", "校验和数据库 %s 的答复不是记录"),
			       d->key.name);
	r->lines = span_head(rest, end + 1);
	r->note = span_from(rest, end + 2);
	return open_tree(d, r->note, &r->tree, e);
}

static void take_lookup(struct db *d, struct sumdb_question *q, struct record *r, struct sumdb_got *got)
{
	struct err e;

	if (got->status == -ENOENT) {
		answer(d, q, SUMDB_UNKNOWN, got->why[0] ? got->why : TR("the checksum database does not know it", "校验和数据库中没有它"));
	} else if (got->status < 0) {
		answer(d, q, SUMDB_FAILED, got->why);
	} else {
		r->text = got->text;
		got->text = (struct buf){ 0 };
		int n = read_lookup(d, r, &e);
		if (n < 0)
			answer(d, q, n == -ENOMEM ? SUMDB_FAILED : SUMDB_FORGED, e.msg);
		else
			r->there = true;
	}
}

static int look_up(struct db *d, struct err *e)
{
	const char **paths = arena_alloc(d->mem, (d->n + 1) * sizeof(*paths));
	size_t *of = arena_alloc(d->mem, (d->n + 1) * sizeof(*of)), n = 0;
	struct sumdb_got *got = mem_zalloc((d->n + 1) * sizeof(*got));

	for (size_t i = 0; i < d->n && paths && of && got; i++) {
		CLEANUP(buf_free) struct buf path = { 0 };
		d->q[i].answer = SUMDB_ASKED;
		if (!lookup_path(&d->q[i], &path)) {
			answer(d, &d->q[i], SUMDB_FAILED, TR("this is no module path and version", "这不是模块路径和版本"));
			continue;
		}
		of[n] = i;
		paths[n] = arena_str(d->mem, buf_view(&path));
		n += paths[n] != NULL;
	}
	if (!paths || !of || !got) {
		mem_free(got);
		return no_memory(e);
	}
	if (n)
		d->o->get(d->o->ctx, paths, n, got);
	for (size_t i = 0; i < n; i++) {
		take_lookup(d, &d->q[of[i]], &d->records[of[i]], &got[i]);
		buf_free(&got[i].text);
	}
	mem_free(got);
	return 0;
}

/* ---- tiles ---- */

static const unsigned char *on_tile(void *ctx, const struct tlog_tile *t)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	struct db *d = ctx;

	tlog_tile_path(t, &path);
	struct tile *x = path.bad ? NULL : map_get(&d->tiles, buf_view(&path));
	if (x)
		return x->text.len ? (const unsigned char *)x->text.p : NULL;
	x = arena_alloc(d->mem, sizeof(*x));
	if (!x || path.bad)
		return NULL;
	x->path = arena_str(d->mem, buf_view(&path));
	x->key = span_of(x->path);
	x->width = t->width;
	if (x->path && map_put(&d->tiles, x->key, x)) {
		x->wanted = true;
		d->wanted++;
	}
	return NULL;
}

/* A server that does not keep a partial tile any more has the whole one, which begins with it. */
static void get_whole(struct db *d, struct tile *x, struct sumdb_got *got)
{
	char *part = strstr(x->path, ".p/");

	if (!part || got->status != -ENOENT)
		return;
	char *path = arena_str(d->mem, (struct span){ x->path, (size_t)(part - x->path) });
	const char *paths[] = { path };
	if (path)
		d->o->get(d->o->ctx, paths, 1, got);
}

static void take_tile(struct db *d, struct tile *x, struct sumdb_got *got)
{
	get_whole(d, x, got);
	if (got->status == 0 && got->text.len >= (size_t)x->width * TLOG_HASH && got->text.len <= (size_t)256 * TLOG_HASH) {
		x->text = got->text;
		got->text = (struct buf){ 0 };
	}
	x->tried = true;
}

static int fetch_tiles(struct db *d, struct err *e)
{
	struct tile **list = mem_zalloc((d->wanted + 1) * sizeof(struct tile *)), *x;
	const char **paths = mem_zalloc((d->wanted + 1) * sizeof(*paths));
	struct sumdb_got *got = mem_zalloc((d->wanted + 1) * sizeof(*got));
	size_t n = 0, at = 0;
	bool good = list && paths && got;

	while (good && (x = map_next(&d->tiles, &at))) {
		if (!x->wanted)
			continue;
		x->wanted = false;
		list[n] = x;
		paths[n++] = x->path;
	}
	d->wanted = 0;
	if (n)
		d->o->get(d->o->ctx, paths, n, got);
	for (size_t i = 0; i < n; i++) {
		take_tile(d, list[i], &got[i]);
		buf_free(&got[i].text);
	}
	mem_free(list);
	mem_free(paths);
	mem_free(got);
	return good ? 0 : no_memory(e);
}

/* ---- proofs ---- */

static int forked(struct db *d, const char *what, struct err *e)
{
	return err_set(e, EBADMSG, TR("the checksum database %s contradicts itself: %s", "校验和数据库 %s 自相矛盾：%s"), d->key.name,
		       what);
}

static bool same_tree(const struct tlog_tree *a, const struct tlog_tree *b)
{
	return a->n == b->n && memcmp(a->root, b->root, TLOG_HASH) == 0;
}

/* Is `t` of the latest tree's history? */
static enum tlog_answer one_history(struct db *d, const struct tlog_tree *t)
{
	return same_tree(t, &d->latest) ? TLOG_HOLDS : tlog_consistent(t, &d->latest, on_tile, d);
}

static int prove(struct db *d, bool last, struct err *e)
{
	unsigned char leaf[TLOG_HASH];
	enum tlog_answer a = one_history(d, &d->kept);

	if (a == TLOG_BROKEN)
		return forked(d, TR("the tree that was last seen is no part of the one it shows now", "上次见到的树不是现在这棵树的一部分"),
			      e);
	if (last && a == TLOG_MISSING)
		return err_set(e, EIO,
			       TR("the checksum database %s does not show how its tree grew since it was last seen",
				  "校验和数据库 %s 未给出上次之后树的增长证明"),
			       d->key.name);
	for (size_t i = 0; i < d->n; i++) {
		struct record *r = &d->records[i];
		if (!r->there)
			continue;
		enum tlog_answer same = one_history(d, &r->tree);
		if (same == TLOG_BROKEN)
			return forked(d, TR("it shows two trees that are not one history", "它给出了不属于同一历史的两棵树"), e);
		tlog_leaf(r->lines, leaf);
		a = tlog_included(&d->latest, r->id, leaf, on_tile, d);
		if (a == TLOG_BROKEN)
			answer(d, &d->q[i], SUMDB_FORGED,
			       TR("the record it answers with is not in its signed tree", "所答复的记录不在其签名的树中"));
		else if (last && (a == TLOG_MISSING || same == TLOG_MISSING))
			answer(d, &d->q[i], SUMDB_FAILED,
			       TR("the checksum database gives no proof: a tile is missing", "校验和数据库没有给出证明：缺少数据块"));
	}
	return 0;
}

static int prove_all(struct db *d, struct err *e)
{
	d->latest = d->kept;
	d->latest_note = buf_view(&d->state);
	for (size_t i = 0; i < d->n; i++) {
		if (d->records[i].there && d->records[i].tree.n > d->latest.n) {
			d->latest = d->records[i].tree;
			d->latest_note = d->records[i].note;
		}
	}
	if (!d->latest.n)
		return 0;
	for (int round = 0; round < ROUNDS_MAX; round++) {
		int r = prove(d, false, e);
		if (r < 0 || !d->wanted)
			break;
		r = fetch_tiles(d, e);
		if (r < 0)
			return r;
	}
	return prove(d, true, e);
}

/* ---- what it says ---- */

/* The hash that the record has for "path version[/go.mod]"; absent: none. */
static struct span hash_in(struct span lines, const struct sumdb_question *q, bool go_mod)
{
	while (lines.n) {
		struct span line = span_cut(&lines, '\n'), path = span_cut(&line, ' '), version = span_cut(&line, ' ');
		bool is_mod = span_ends(version, S("/go.mod"));
		if (is_mod)
			version.n -= 7;
		if (span_eq(path, q->path) && span_eq(version, q->version) && is_mod == go_mod)
			return line;
	}
	return (struct span){ 0 };
}

static void compare(struct db *d, struct sumdb_question *q, struct span lines)
{
	const struct {
		struct span mine;
		bool go_mod;
	} rows[] = { { q->hash, false }, { q->mod_hash, true } };
	CLEANUP(buf_free) struct buf why = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span theirs = rows[i].mine.p ? hash_in(lines, q, rows[i].go_mod) : (struct span){ 0 };
		if (!rows[i].mine.p || span_eq(rows[i].mine, theirs))
			continue;
		if (theirs.p)
			buf_addf(&why, TR("%s%s has %.*s, the checksum database %.*s", "%s%s为 %.*s，校验和数据库为 %.*s"),
				 why.len ? "; " : "", rows[i].go_mod ? "go.mod" : TR("the module", "模块"), SPAN_ARG(rows[i].mine),
				 SPAN_ARG(theirs));
		else
			buf_addf(&why, TR("%sthe checksum database has no hash of %s", "%s校验和数据库中没有%s的哈希"), why.len ? "; " : "",
				 rows[i].go_mod ? "go.mod" : TR("the module", "模块"));
	}
	answer(d, q, why.len ? SUMDB_DIFFERS : SUMDB_AGREES, why.len ? buf_str(&why) : NULL);
}

/* ---- the state ---- */

static int keep(struct db *d, struct err *e)
{
	CLEANUP(buf_free) struct buf dir = { 0 };

	if (!d->o->state || d->latest.n <= d->kept.n)
		return 0;
	struct span at = path_dir(span_of(d->o->state));
	buf_span(&dir, at);
	int r = dir.bad ? no_memory(e) : path_mkdirs(buf_str(&dir), 0700, e);
	return r < 0 ? r : file_replace(d->o->state, d->latest_note, e);
}

/* Both trees, signed: whoever runs the database cannot deny them. */
static void keep_proof(const struct db *d, struct err *e)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	CLEANUP(buf_free) struct buf text = { 0 };
	char said[sizeof(e->msg)];

	if (!d->o->state)
		return;
	buf_addf(&path, "%s.proof", d->o->state);
	buf_span(&text, buf_view(&d->state));
	buf_addc(&text, '\n');
	for (size_t i = 0; i < d->n; i++) {
		if (d->records[i].there)
			buf_span(&text, buf_view(&d->records[i].text));
	}
	memcpy(said, e->msg, sizeof(said));
	if (!path.bad && !text.bad && file_replace(path.p, buf_view(&text), NULL) == 0)
		err_set(e, EBADMSG, TR("%s; what it showed is kept in %s", "%s；其给出的内容保存在 %s"), said, path.p);
}

static void db_free(struct db *d)
{
	struct tile *x;
	size_t at = 0;

	while ((x = map_next(&d->tiles, &at)))
		buf_free(&x->text);
	map_free(&d->tiles);
	for (size_t i = 0; i < d->n && d->records; i++)
		buf_free(&d->records[i].text);
	mem_free(d->records);
	buf_free(&d->state);
	note_key_free(&d->key);
}

int sumdb_ask(const struct sumdb_options *o, struct sumdb_question *q, size_t n, struct arena *mem, struct err *e)
{
	struct db d = { .o = o, .q = q, .n = n, .mem = mem };

	int r = note_key_read(o->key, &d.key, e);
	if (r == 0)
		r = read_state(&d, e);
	if (r == 0 && !(d.records = mem_zalloc((n + 1) * sizeof(*d.records))))
		r = no_memory(e);
	if (r == 0)
		r = look_up(&d, e);
	if (r == 0)
		r = prove_all(&d, e);
	if (r == -EBADMSG)
		keep_proof(&d, e);
	for (size_t i = 0; i < n && r == 0; i++) {
		if (q[i].answer == SUMDB_ASKED)
			compare(&d, &q[i], d.records[i].lines);
		if (q[i].answer == SUMDB_FORGED)
			r = err_set(e, EBADMSG, "%.*s %.*s: %s", SPAN_ARG(q[i].path), SPAN_ARG(q[i].version), q[i].why ? q[i].why : "");
	}
	if (r == 0)
		r = keep(&d, e);
	db_free(&d);
	return r;
}
