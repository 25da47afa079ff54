/* base: SHA-256 against the examples of FIPS 180-4's validation, HMAC against RFC 4231. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/sha256.h"

static void assert_hex(const unsigned char *p, const char *want)
{
	char got[2 * SHA256_SIZE + 1];

	hex_lower(p, SHA256_SIZE, got);
	assert_string_equal(got, want);
}

static void test_digest(void **state)
{
	static const struct { const char *text, *want; } rows[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
		{ "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
		  "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
	};
	unsigned char sum[SHA256_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		sha256(span_of(rows[i].text), sum);
		assert_hex(sum, rows[i].want);
	}
}

static void test_pieces(void **state)
{
	CLEANUP(buf_free) struct buf a = { 0 };
	unsigned char whole[SHA256_SIZE], sum[SHA256_SIZE];
	struct sha256 s;

	(void)state;
	for (int i = 0; i < 1000000; i++)
		buf_addc(&a, 'a');
	sha256(buf_view(&a), sum);
	assert_hex(sum, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	for (size_t n = 0; n <= 200; n++) { /* every length around the blocks, in pieces of every length */
		struct span text = span_head(buf_view(&a), n);
		sha256(text, whole);
		for (size_t piece = 1; piece <= n; piece += 13) {
			sha256_begin(&s);
			for (size_t at = 0; at < n; at += piece)
				sha256_more(&s, span_head(span_from(text, at), piece));
			sha256_end(&s, sum);
			assert_memory_equal(whole, sum, sizeof(sum));
		}
	}
}

static void test_hmac(void **state)
{
	char key[131], data[50];
	unsigned char mac[SHA256_SIZE];

	(void)state;
	memset(key, 0x0b, 20);
	hmac_sha256((struct span){ key, 20 }, S("Hi There"), mac);
	assert_hex(mac, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	hmac_sha256(S("Jefe"), S("what do ya want for nothing?"), mac);
	assert_hex(mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	memset(data, 0xdd, sizeof(data));
	hmac_sha256((struct span){ key, 20 }, (struct span){ data, 50 }, mac);
	assert_hex(mac, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
	hmac_sha256((struct span){ key, 131 }, S("Test Using Larger Than Block-Size Key - Hash Key First"), mac);
	assert_hex(mac, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	hmac_sha256((struct span){ key, 131 },
		    S("This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm."), mac);
	assert_hex(mac, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
	hmac_sha256(S("It's a Secret to Everybody"), S("Hello, World!"), mac);
	assert_hex(mac, "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
}

/* In C, and by the CPU's instructions where it has them. */
static int in_c(void **state)
{
	sha256_use_hardware(false);
	return 0;
}

static int in_hardware(void **state)
{
	sha256_use_hardware(true);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_digest, in_c),	  cmocka_unit_test_setup(test_pieces, in_c),	    cmocka_unit_test_setup(test_hmac, in_c),
		cmocka_unit_test_setup(test_digest, in_hardware), cmocka_unit_test_setup(test_pieces, in_hardware), cmocka_unit_test_setup(test_hmac, in_hardware),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
