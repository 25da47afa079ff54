/* mod: keys, statements, and what changed since they were made. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "mod/crypto.h"
#include "mod/statement.h"

/* RFC 8032, 7.1, TEST 2. */
static const unsigned char test2_public[32] = { 0x3d, 0x40, 0x17, 0xc3, 0xe8, 0x43, 0x89, 0x5a, 0x92, 0xb7, 0x0a, 0xa7, 0x4d, 0x1b, 0x7e, 0xbc,
						0x9c, 0x98, 0x2c, 0xcf, 0x2e, 0xc4, 0x96, 0x8c, 0xc0, 0xcd, 0x55, 0xf1, 0x2a, 0xf4, 0x66, 0x0c };
static const unsigned char test2_signature[64] = { 0x92, 0xa0, 0x09, 0xa9, 0xf0, 0xd4, 0xca, 0xb8, 0x72, 0x0e, 0x82, 0x0b, 0x5f, 0x64, 0x25, 0x40,
						   0xa2, 0xb2, 0x7b, 0x54, 0x16, 0x50, 0x3f, 0x8f, 0xb3, 0x76, 0x22, 0x23, 0xeb, 0xdb, 0x69, 0xda,
						   0x08, 0x5a, 0xc1, 0xe4, 0x3e, 0x15, 0x99, 0x6e, 0x45, 0x8f, 0x36, 0x13, 0xd0, 0xf1, 0x1d, 0x8c,
						   0x38, 0x7b, 0x2e, 0xae, 0xb4, 0x30, 0x2a, 0xee, 0xb0, 0x0d, 0x29, 0x16, 0x12, 0xbb, 0x0c, 0x00 };
/* The same key (its seed) in PKCS #8, RFC 8410. */
#define TEST2_PEM "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7\n-----END PRIVATE KEY-----\n"

static void test_ed25519(void **state)
{
	CLEANUP(key_free) struct key k = { 0 };
	struct err e = { 0 };
	struct span sig = { (const char *)test2_signature, sizeof(test2_signature) };

	assert_int_equal(key_of_ed25519(test2_public, &k, &e), 0);
	assert_int_equal(key_verify(&k, S("\x72"), sig, &e), 1);
	assert_int_equal(key_verify(&k, S("\x73"), sig, &e), 0);
	assert_int_equal(key_verify(&k, S("\x72"), span_head(sig, 63), &e), 0);
	assert_int_equal(key_verify(&k, S("\x72"), (struct span){ 0 }, &e), 0);
	CLEANUP(buf_free) struct buf b = { 0 };
	assert_int_equal(key_sign(&k, S("x"), &b, &e), -EIO); /* a public one */
	assert_non_null(strstr(e.msg, "public key cannot sign"));
	CLEANUP(key_free) struct key own = { 0 };
	assert_int_equal(key_read(S(TEST2_PEM), "k", NULL, &own, &e), 0);
	assert_string_equal(own.id, k.id);
	assert_int_equal(key_sign(&own, S("\x72"), &b, &e), 0);
	assert_int_equal(b.len, sizeof(test2_signature));
	assert_memory_equal(b.p, test2_signature, sizeof(test2_signature));
}

static void test_no_keys(void **state)
{
	static const char *const texts[] = { "", "hello", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "-----BEGIN PRIVATE KEY-----\n",
					     "-----BEGIN CERTIFICATE-----\n", "ssh-ed25519 AAAA x" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		CLEANUP(key_free) struct key k = { 0 };
		struct err e = { 0 };
		assert_int_equal(key_read(span_of(texts[i]), "k.pem", NULL, &k, &e), -EKEYREJECTED);
		assert_non_null(strstr(e.msg, "k.pem"));
	}
}

/* ---- statements ---- */

static void make(struct statement *s)
{
	struct err e;

	*s = (struct statement){ .module = "example.com/m", .created = "2026-11-21T00:00:00Z", .previous = NULL };
	assert_int_equal(statement_add(s, "go.mod", S("module m\n\ngo 1.19\n"), &e), 0);
	assert_int_equal(statement_add(s, "go.sum", S(""), &e), 0);
	assert_int_equal(statement_add(s, "a \"b\"/go.mod", S("x"), &e), 0);
	assert_int_equal(statement_add(s, "d", S("x\r\ny\n"), &e), 0);
}

static void test_round(void **state)
{
	CLEANUP(statement_free) struct statement a = { 0 };
	CLEANUP(statement_free) struct statement b = { 0 };
	CLEANUP(buf_free) struct buf one = { 0 };
	CLEANUP(buf_free) struct buf two = { 0 };
	struct err e = { 0 };

	make(&a);
	statement_write(&a, &one);
	assert_int_equal(statement_read(buf_view(&one), "s", &b, &e), 0);
	statement_write(&b, &two);
	assert_string_equal(buf_str(&one), buf_str(&two));
	assert_int_equal(b.n, 4);
	assert_null(b.previous);
	assert_null(b.commit);
	assert_string_equal(statement_file(&b, "d")->sum, statement_file(&a, "d")->sum);
	assert_int_equal(statement_file(&b, "go.mod")->lines.n, 3 * STATED_LINE);
	assert_null(statement_file(&b, "none"));
	/* Every head of it is none. */
	for (size_t n = 0; n + 1 < one.len; n++) {
		CLEANUP(statement_free) struct statement c = { 0 };
		assert_int_equal(statement_read(span_head(buf_view(&one), n), "s", &c, &e), -EBADMSG);
	}
}

static void test_refused(void **state)
{
	static const char *const texts[] = {
		"{\"schema\":\"tocsin.modules/2\",\"files\":[]}", "{\"files\":[]}", "{\"schema\":\"tocsin.modules/1\"}", "{\"schema\":\"tocsin.modules/1\",\"files\":[],\"more\":1}",
		"{\"schema\":\"tocsin.modules/1\",\"files\":[{\"path\":\"a\"}]}", "{\"schema\":\"tocsin.modules/1\",\"files\":[],\"previous\":\"sha256:12\"}",
		"{\"schema\":\"tocsin.modules/1\",\"schema\":\"tocsin.modules/1\",\"files\":[]}", "[]", "{\"schema\":\"tocsin.modules/1\",\"files\":[]} x",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		CLEANUP(statement_free) struct statement s = { 0 };
		struct err e = { 0 };
		assert_int_equal(statement_read(span_of(texts[i]), "s.json", &s, &e), -EBADMSG);
		assert_non_null(strstr(e.msg, "s.json"));
	}
}

static void on_change(void *ctx, int64_t was, int64_t now, struct span line)
{
	buf_addf(ctx, "%lld>%lld:%.*s|", (long long)was, (long long)now, SPAN_ARG(line));
}

static void expect(const char *was, const char *now, const char *want)
{
	CLEANUP(statement_free) struct statement s = { 0 };
	CLEANUP(buf_free) struct buf got = { 0 };
	struct err e;

	assert_int_equal(statement_add(&s, "f", span_of(was), &e), 0);
	assert_true(stated_diff(&s.files[0], span_of(now), on_change, &got) >= 0);
	assert_string_equal(buf_str(&got), want);
}

static void test_lines(void **state)
{
	expect("a\nb\nc\n", "a\nb\nc\n", "");
	expect("a\nb\nc\n", "a\nB\nc\n", "2>0:|0>2:B|");
	expect("a\nb\nc\n", "a\nc\n", "2>0:|");
	expect("a\nc\n", "a\nb\nc", "0>2:b|");
	expect("", "x\n", "0>1:x|");
	expect("x\n", "", "1>0:|");
	expect("x\n", "x\r\n", "1>0:|0>1:x\r|");
}

static void test_no_memory(void **state)
{
	for (long at = 1;; at++) {
		struct statement a = { .created = "x" }, b = { 0 };
		struct buf text = { 0 };
		struct err e = { 0 };
		fault_at = at;
		fault_seen = 0;
		int r = statement_add(&a, "go.mod", S("a\nb\n"), &e);
		if (r == 0) {
			statement_write(&a, &text);
			r = text.bad ? -ENOMEM : statement_read(buf_view(&text), "s", &b, &e);
		}
		bool over = fault_seen < at;
		fault_at = 0;
		assert_true(over ? r == 0 : r == -ENOMEM || r == -EBADMSG || r == 0);
		assert_true(r != 0 || b.n == 1);
		buf_free(&text);
		statement_free(&a);
		statement_free(&b);
		if (over)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ed25519), cmocka_unit_test(test_no_keys), cmocka_unit_test(test_round), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_lines),	cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
