/* mod/zip.c, dirhash.c, cache.c: zips and hashes, every byte of a zip changed, every allocation failing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "mod/cache.h"
#include "mod/zip.h"
#include "zipmaker.h"

#define PATH    S("example.com/M")
#define VERSION S("v1.2.3")

static char folder[64];

static const char *save(struct span text)
{
	static char file[96];
	struct err e;

	snprintf(file, sizeof(file), "%s/m.zip", folder);
	assert_int_equal(file_replace(file, text, &e), 0);
	return file;
}

static int setup(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/tocsin-zip-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	char file[96];

	snprintf(file, sizeof(file), "%s/m.zip", folder);
	unlink(file);
	return rmdir(folder);
}

static void make_good(struct maker *m)
{
	add(m, "example.com/M@v1.2.3/go.mod", S("module example.com/M\n"), false);
	add(m, "example.com/M@v1.2.3/z.go", S("package m\n"), true);
	add(m, "example.com/M@v1.2.3/a/empty", S(""), true);
	end(m);
}

static void test_hashes(void **state)
{
	struct maker m = { 0 };
	char h[H1_SIZE], d[H1_SIZE];
	struct err e = { 0 };

	make_good(&m);
	assert_int_equal(h1_of_zip(save(buf_view(&m.data)), PATH, VERSION, h, &e), 0);
	/* printf of the three lines through sha256sum, xxd and base64 */
	assert_string_equal(h, "h1:SDEfbIo+zxZUYfFzWe1vtTI1TcMalRZVHzHJva/aJAE=");
	assert_int_equal(h1_of_zip(save(buf_view(&m.data)), PATH, S("v1.2.4"), h, &e), -EBADMSG);
	assert_non_null(strstr(e.msg, "example.com/M@v1.2.3/a/empty"));
	h1_of_gomod(S("module example.com/M\n"), d);
	assert_string_equal(d, "h1:CunZ2lFoa484vW4ZW4xnQnMPzlVFX2A7xr2oO4q7/kg=");
	assert_int_equal(h1_of_dir("/nonexistent/x", PATH, VERSION, h, &e), -ENOENT);
	assert_int_equal(h1_of_zip("/nonexistent/x", PATH, VERSION, h, &e), -ENOENT);
	assert_int_equal(h1_of_zip(folder, PATH, VERSION, h, &e), -EBADMSG);
	buf_free(&m.data);
}

/* Whatever byte is another: the same hash (of what is not looked at) or an error, never another hash without the content being another. */
static void test_each_byte(void **state)
{
	struct maker m = { 0 };
	char good[H1_SIZE], h[H1_SIZE];
	struct err e;
	int errors = 0;

	make_good(&m);
	assert_int_equal(h1_of_zip(save(buf_view(&m.data)), PATH, VERSION, good, &e), 0);
	for (size_t i = 0; i < m.data.len; i++) {
		char was = m.data.p[i];
		for (int bit = 0; bit < 8; bit += 3) {
			m.data.p[i] = (char)(was ^ 1 << bit);
			e.msg[0] = '\0';
			int r = h1_of_zip(save(buf_view(&m.data)), PATH, VERSION, h, &e);
			errors += r < 0;
			assert_true(r == 0 || (r == -EBADMSG && e.msg[0]));
		}
		m.data.p[i] = was;
	}
	assert_true(errors > 200);
	for (size_t n = 0; n < m.data.len; n++)
		assert_int_equal(h1_of_zip(save((struct span){ m.data.p, n }), PATH, VERSION, h, &e), -EBADMSG);
	buf_free(&m.data);
}

static void test_memory(void **state)
{
	struct maker m = { 0 };
	char h[H1_SIZE], before[H1_SIZE];
	struct err e;
	int r;

	make_good(&m);
	const char *file = save(buf_view(&m.data));
	assert_int_equal(h1_of_zip(file, PATH, VERSION, before, &e), 0);
	for (long i = 1;; i++) {
		fault_at = i;
		fault_seen = 0;
		r = h1_of_zip(file, PATH, VERSION, h, &e);
		bool hit = fault_seen >= i;
		fault_at = 0;
		if (!hit)
			break;
		assert_int_equal(r, -ENOMEM);
	}
	assert_int_equal(r, 0);
	assert_string_equal(h, before);
	buf_free(&m.data);
}

static void refused(struct maker *m, const char *words)
{
	struct err e = { 0 };
	struct zip z;

	end(m);
	assert_int_equal(zip_open(save(buf_view(&m->data)), PATH, VERSION, &z, &e), -EBADMSG);
	if (!strstr(e.msg, words))
		fail_msg("'%s' has no '%s'", e.msg, words);
	buf_free(&m->data);
	*m = (struct maker){ 0 };
}

#define AT "example.com/M@v1.2.3/"

static void test_names(void **state)
{
	struct maker m = { 0 };

	add(&m, AT "../x", S(""), false);
	refused(&m, "leads out");
	add(&m, AT "a/../x", S(""), false);
	refused(&m, "leads out");
	add(&m, AT "/x", S(""), false);
	refused(&m, "absolute");
	add(&m, AT "a//x", S(""), false);
	refused(&m, "no file of a module");
	add(&m, AT "a\\x", S(""), false);
	refused(&m, "no file of a module");
	add(&m, "example.com/m@v1.2.3/x", S(""), false);
	refused(&m, "does not begin with");
	add(&m, AT "a", S(""), false);
	add(&m, AT "A", S(""), false);
	refused(&m, "upper and lower case");
	add(&m, AT "d/a", S(""), false);
	add(&m, AT "D/b", S(""), false);
	refused(&m, "upper and lower case");
	add(&m, AT "\xd0\xb0/a", S(""), false);
	add(&m, AT "\xd0\x90/b", S(""), false);
	refused(&m, "upper and lower case");
	add(&m, AT "a", S(""), false);
	add(&m, AT "a/b", S(""), false);
	refused(&m, "both a file and a folder");
	add(&m, AT "a", S(""), false);
	add(&m, AT "a", S(""), false);
	refused(&m, "twice");
	add(&m, AT "x/go.mod", S(""), false);
	refused(&m, "only at the top");
}

static void test_folders_are_fine(void **state)
{
	struct maker m = { 0 };
	struct err e = { 0 };
	struct zip z;

	add(&m, AT, S(""), false);
	add(&m, AT "d/", S(""), false);
	add(&m, AT "d/a", S("a"), false);
	add(&m, AT "d/e/f/a", S("a"), true);
	end(&m);
	assert_int_equal(zip_open(save(buf_view(&m.data)), PATH, VERSION, &z, &e), 0);
	assert_int_equal(z.n, 4);
	zip_close(&z);
	buf_free(&m.data);
}

static void test_cache(void **state)
{
	struct buf b = { 0 };

	assert_true(mod_cache_file("/c", S("example.com/M"), S("v1.0.0-RC1"), "zip", &b));
	assert_string_equal(buf_str(&b), "/c/cache/download/example.com/!m/@v/v1.0.0-!r!c1.zip");
	buf_clear(&b);
	assert_true(mod_cache_dir("/c", S("example.com/M"), S("v1.0.0"), &b));
	assert_string_equal(buf_str(&b), "/c/example.com/!m@v1.0.0");
	assert_false(mod_cache_dir("/c", S("../../etc"), S("v1.0.0"), &b));
	assert_false(mod_cache_file("/c", S("example.com/m"), S("../x"), "zip", &b));
	assert_string_equal(buf_str(&b), "/c/example.com/!m@v1.0.0");
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hashes), cmocka_unit_test(test_each_byte), cmocka_unit_test(test_memory),
		cmocka_unit_test(test_names), cmocka_unit_test(test_folders_are_fine), cmocka_unit_test(test_cache),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
