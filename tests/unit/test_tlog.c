/*
 * mod/tlog.c, note.c, sumdb.c: proofs beside a straightforward RFC 6962; a database of the test's own, honest and forged.
 * suite: takes 10
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/mem.h"
#include "mod/note.h"
#include "mod/sumdb.h"
#include "mod/tlog.h"

#define MAX 300
typedef unsigned char hash_t[TLOG_HASH];

static hash_t leaves[MAX];
static int missing = -1; /* the level whose tiles are not there */
static int wrong = -1;   /* the level whose tiles are others */

static void node(const hash_t l, const hash_t r, hash_t ret)
{
	struct sha256 s;

	sha256_begin(&s);
	sha256_more(&s, S("\1"));
	sha256_more(&s, (struct span){ (const char *)l, TLOG_HASH });
	sha256_more(&s, (struct span){ (const char *)r, TLOG_HASH });
	sha256_end(&s, ret);
}

/* RFC 6962, 2.1: the largest power of two below n goes left. */
static void naive(size_t from, size_t n, hash_t ret)
{
	hash_t l, r;
	size_t k = 1;

	if (n == 1) {
		memcpy(ret, leaves[from], TLOG_HASH);
		return;
	}
	while (2 * k < n)
		k *= 2;
	naive(from, k, l);
	naive(from + k, n - k, r);
	node(l, r, ret);
}

static const unsigned char *tile(void *ctx, const struct tlog_tile *t)
{
	static hash_t row[2][256];
	const int64_t *n = ctx;
	size_t span = t->level ? 256 : 1;

	assert_true(t->level >= 0 && t->level < 2 && t->width >= 1 && t->width <= 256);
	/* nothing is asked for that a tree of this size has not */
	assert_true((t->index * 256 + t->width) * (int64_t)span <= *n);
	if (missing == t->level)
		return NULL;
	for (int i = 0; i < t->width; i++)
		naive((size_t)(t->index * 256 + i) * span, span, row[t->level][i]);
	if (wrong == t->level)
		row[t->level][0][0] ^= 1;
	return row[t->level][0];
}

static int make_leaves(void **state)
{
	for (size_t i = 0; i < MAX; i++) {
		char text[32];
		int n = snprintf(text, sizeof(text), "record %zu\n", i);
		tlog_leaf((struct span){ text, (size_t)n }, leaves[i]);
	}
	return 0;
}

static struct tlog_tree tree_of(int64_t n)
{
	struct tlog_tree t = { .n = n };

	naive(0, (size_t)n, t.root);
	return t;
}

static void test_inclusion(void **state)
{
	for (int64_t n = 1; n <= MAX; n++) {
		struct tlog_tree t = tree_of(n);
		for (int64_t i = 0; i < n; i += n > 64 && n != 256 && n != MAX ? 7 : 1) {
			assert_int_equal(tlog_included(&t, i, leaves[i], tile, &n), TLOG_HOLDS);
			assert_int_equal(tlog_included(&t, i, leaves[(i + 1) % MAX], tile, &n), TLOG_BROKEN);
		}
		assert_int_equal(tlog_included(&t, n, leaves[0], tile, &n), TLOG_BROKEN);
		assert_int_equal(tlog_included(&t, -1, leaves[0], tile, &n), TLOG_BROKEN);
		t.root[31] ^= 1;
		assert_int_equal(tlog_included(&t, 0, leaves[0], tile, &n), TLOG_BROKEN);
	}
}

static void test_consistency(void **state)
{
	struct tlog_tree trees[MAX + 1];

	for (int64_t n = 1; n <= MAX; n++)
		trees[n] = tree_of(n);
	for (int64_t n = 1; n <= MAX; n++) {
		for (int64_t m = 1; m <= n; m += n > 64 && n != 256 && n != MAX ? 5 : 1) {
			struct tlog_tree old = trees[m];
			assert_int_equal(tlog_consistent(&old, &trees[n], tile, &n), TLOG_HOLDS);
			old.root[0] ^= 1;
			assert_int_equal(tlog_consistent(&old, &trees[n], tile, &n), TLOG_BROKEN);
		}
	}
}

static void test_tiles(void **state)
{
	int64_t n = 290;
	struct tlog_tree t = tree_of(n), old = tree_of(100);

	for (int level = 0; level < 2; level++) {
		missing = level;
		assert_int_equal(tlog_included(&t, 270, leaves[270], tile, &n), TLOG_MISSING);
		missing = -1;
		wrong = level;
		assert_int_equal(tlog_included(&t, 289, leaves[289], tile, &n), TLOG_BROKEN);
		wrong = -1;
	}
	missing = 0;
	assert_int_equal(tlog_consistent(&old, &t, tile, &n), TLOG_MISSING);
	missing = -1;
	struct buf b = { 0 };
	tlog_tile_path(&(struct tlog_tile){ 0, 1234067, 1 }, &b);
	tlog_tile_path(&(struct tlog_tile){ 2, 5, 256 }, &b);
	assert_string_equal(buf_str(&b), "/tile/8/0/x001/x234/067.p/1/tile/8/2/005");
	buf_free(&b);
}

/* ---- notes: a key of RFC 8032, 7.1 ---- */

static const unsigned char seed[32] = { 0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
	0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60 };
static const unsigned char public_[33] = { 1, 0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
	0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a };
static char setting[128]; /* of GOSUMDB */
static unsigned char key_hash[4];
static struct key signer;

static int make_key(void **state)
{
	static const unsigned char der[] = { 0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20 };
	struct buf all = { 0 }, pem = { 0 }, b = { 0 };
	hash_t sum;
	struct err e = { 0 };

	make_leaves(state);
	buf_add(&all, der, sizeof(der));
	buf_add(&all, seed, sizeof(seed));
	buf_adds(&pem, "-----BEGIN PRIVATE KEY-----\n");
	base64_add(&pem, buf_view(&all));
	buf_adds(&pem, "\n-----END PRIVATE KEY-----\n");
	int r = key_read(buf_view(&pem), "test", NULL, &signer, &e);
	if (r < 0)
		print_error("%s\n", e.msg);
	buf_adds(&b, "sum.test\n");
	buf_add(&b, public_, sizeof(public_));
	sha256(buf_view(&b), sum);
	memcpy(key_hash, sum, 4);
	buf_clear(&b);
	base64_add(&b, (struct span){ (const char *)public_, sizeof(public_) });
	snprintf(setting, sizeof(setting), "sum.test+%02x%02x%02x%02x+%s", sum[0], sum[1], sum[2], sum[3], buf_str(&b));
	buf_free(&all);
	buf_free(&pem);
	buf_free(&b);
	return r;
}

static int drop_key(void **state)
{
	key_free(&signer);
	return 0;
}

static void sign(struct buf *ret, struct span text)
{
	struct buf raw = { 0 };
	struct err e;

	buf_add(&raw, key_hash, 4);
	assert_int_equal(key_sign(&signer, text, &raw, &e), 0);
	buf_span(ret, text);
	buf_adds(ret, "\n\xe2\x80\x94 sum.test ");
	base64_add(ret, buf_view(&raw));
	buf_addc(ret, '\n');
	buf_free(&raw);
}

static void test_notes(void **state)
{
	struct buf note = { 0 };
	struct note_key k;
	struct span text;
	struct err e = { 0 };

	assert_int_equal(note_key_read(setting, &k, &e), 0);
	sign(&note, S("one\n\ntwo\n"));
	assert_int_equal(note_open(&k, buf_view(&note), &text, &e), 0);
	assert_true(span_eq(text, S("one\n\ntwo\n")));
	for (size_t i = 0; i < note.len; i++) {
		char was = note.p[i];
		note.p[i] = (char)(was ^ 1);
		/* another name or hash is another's signature, the rest no signature: both are none of this key's */
		assert_int_equal(note_open(&k, buf_view(&note), &text, &e), -EBADMSG);
		note.p[i] = was;
	}
	for (size_t n = 0; n < note.len; n++)
		assert_int_equal(note_open(&k, span_head(buf_view(&note), n), &text, &e), -EBADMSG);
	note_key_free(&k);
	setting[0] = 't'; /* the hash is of another name */
	assert_true(note_key_read(setting, &k, &e) < 0);
	setting[0] = 's';
	assert_int_equal(note_key_read("sum.golang.org", &k, &e), 0);
	note_key_free(&k);
	assert_true(note_key_read("nobody.test", &k, &e) < 0);
	buf_free(&note);
}

/* ---- a database ---- */

#define H "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define OTHER "h1:BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
enum lie { HONEST, NO_TILES, BAD_TILES, OTHER_RECORD, WRONG_ID, FORK, STRANGER };
struct base {
	int64_t n;
	enum lie lie;
};

static void record_of(size_t i, struct buf *ret)
{
	buf_addf(ret, "m.test/m%zu v1.0.0 %s\nm.test/m%zu v1.0.0/go.mod %s\n", i, H, i, H);
}

static void make_records(bool fork)
{
	for (size_t i = 0; i < MAX; i++) {
		struct buf b = { 0 };
		record_of(i, &b);
		if (fork)
			buf_addc(&b, '\n');
		tlog_leaf(buf_view(&b), leaves[i]);
		buf_free(&b);
	}
}

static void add_tree(struct buf *ret, int64_t n)
{
	struct tlog_tree t = tree_of(n);
	struct buf text = { 0 };

	buf_addf(&text, "go.sum database tree\n%lld\n", (long long)n);
	base64_add(&text, (struct span){ (const char *)t.root, TLOG_HASH });
	buf_addc(&text, '\n');
	sign(ret, buf_view(&text));
	buf_free(&text);
}

static void answer(struct base *d, const char *path, struct sumdb_got *got)
{
	struct tlog_tile t = { .width = 256 };
	size_t i;
	int index;

	if (sscanf(path, "/lookup/m.test/m%zu@v1.0.0", &i) == 1 && i < (size_t)d->n) {
		buf_addf(&got->text, "%zu\n", d->lie == WRONG_ID ? i + 1 : i);
		record_of(d->lie == OTHER_RECORD ? i + 1 : i, &got->text);
		buf_addc(&got->text, '\n');
		add_tree(&got->text, d->n);
		if (d->lie == STRANGER)
			got->text.p[got->text.len - 10] ^= 1;
	} else if (sscanf(path, "/tile/8/%d/%d.p/%d", &t.level, &index, &t.width) >= 2 && d->lie != NO_TILES) {
		t.index = index;
		int64_t all = MAX; /* an older tree that it shows has the same tiles */
		const unsigned char *p = tile(&all, &t);
		buf_add(&got->text, p, (size_t)t.width * TLOG_HASH);
		if (d->lie == BAD_TILES)
			got->text.p[5] ^= 1;
	} else {
		got->status = -ENOENT;
	}
}

static void get(void *ctx, const char *const *paths, size_t n, struct sumdb_got *got)
{
	for (size_t i = 0; i < n; i++)
		answer(ctx, paths[i], &got[i]);
}

static const char *state_file(void)
{
	static char file[64];

	snprintf(file, sizeof(file), "/tmp/tocsin-tlog-%d", (int)getpid());
	return file;
}

/* What the database says of the modules 3 and 200, of one that it has not, and of one with another hash. */
static int ask(struct base *d, struct sumdb_question q[4], struct arena *mem)
{
	const struct sumdb_options o = { setting, state_file(), get, d };
	struct err e = { 0 };

	memset(q, 0, 4 * sizeof(*q));
	q[0] = (struct sumdb_question){ .path = S("m.test/m3"), .version = S("v1.0.0"), .hash = S(H), .mod_hash = S(H) };
	q[1] = (struct sumdb_question){ .path = S("m.test/m20"), .version = S("v1.0.0"), .mod_hash = S(H) };
	q[2] = (struct sumdb_question){ .path = S("m.test/none"), .version = S("v1.0.0"), .hash = S(H) };
	q[3] = (struct sumdb_question){ .path = S("m.test/m7"), .version = S("v1.0.0"), .hash = S(OTHER) };
	int r = sumdb_ask(&o, q, 4, mem, &e);
	if (r < 0)
		print_message("# %s\n", e.msg);
	assert_true(r == 0 || e.msg[0]);
	return r;
}

static void test_sumdb(void **state)
{
	struct arena mem = { 0 };
	struct sumdb_question q[4];
	struct base d = { 100, HONEST };

	unlink(state_file());
	make_records(false);
	for (int turn = 0; turn < 3; turn++, d.n += 95) { /* it grows */
		assert_int_equal(ask(&d, q, &mem), 0);
		assert_int_equal(q[0].answer, SUMDB_AGREES);
		assert_int_equal(q[1].answer, SUMDB_AGREES);
		assert_int_equal(q[2].answer, SUMDB_UNKNOWN);
		assert_int_equal(q[3].answer, SUMDB_DIFFERS);
	}
	d.n = 150; /* an older tree of the same history is no lie */
	assert_int_equal(ask(&d, q, &mem), 0);
	assert_int_equal(q[0].answer, SUMDB_AGREES);
	for (enum lie l = BAD_TILES; l <= STRANGER; l++) {
		d = (struct base){ 290, l };
		make_records(l == FORK);
		int r = ask(&d, q, &mem);
		assert_true(r < 0 || (q[0].answer != SUMDB_AGREES && q[1].answer != SUMDB_AGREES));
		unlink(state_file());
		make_records(false);
		d.lie = HONEST;
		assert_int_equal(ask(&d, q, &mem), 0);
	}
	d.lie = NO_TILES;
	int r = ask(&d, q, &mem);
	assert_true(r < 0 || q[0].answer != SUMDB_AGREES);
	char proof[80];
	snprintf(proof, sizeof(proof), "%s.proof", state_file());
	unlink(proof);
	unlink(state_file());
	arena_free(&mem);
}

static int begin(void **state)
{
	return make_leaves(state) || make_key(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inclusion), cmocka_unit_test(test_consistency), cmocka_unit_test(test_tiles), cmocka_unit_test(test_notes), cmocka_unit_test(test_sumdb),
	};

	return cmocka_run_group_tests(tests, begin, drop_key);
}
