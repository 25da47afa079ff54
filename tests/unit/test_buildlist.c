/* mod/buildlist.c and verify*.c: which versions a build takes, what verify makes of a cache, with every allocation failing. */
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

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "mod/cache.h"
#include "mod/verify.h"
#include "zipmaker.h"

static char top[64], cache[80];

static void put(const char *name, const char *text)
{
	char file[256], *slash;
	struct err e;

	snprintf(file, sizeof(file), "%s/%s", top, name);
	slash = strrchr(file, '/');
	*slash = 0;
	assert_int_equal(path_mkdirs(file, 0700, &e), 0);
	*slash = '/';
	assert_int_equal(file_replace(file, span_of(text), &e), 0);
}

/* A module in the cache: its go.mod alone. */
static void module(const char *escaped, const char *version, const char *text)
{
	char name[200];

	snprintf(name, sizeof(name), "cache/cache/download/%s/@v/%s.mod", escaped, version);
	put(name, text);
}

static int setup(void **state)
{
	snprintf(top, sizeof(top), "/tmp/tocsin-list-XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(cache, sizeof(cache), "%s/cache", top);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	return system(command);
}

static int open_list(struct mod_tree *t, const char *flags, struct build_list *b, struct err *e)
{
	char dir[80];

	snprintf(dir, sizeof(dir), "%s/main", top);
	int r = mod_tree_open_flags(dir, NULL, flags, t, e);
	if (r == 0)
		r = build_list_make(t, cache, b, e);
	return r == 0 ? build_list_sums(b, t, e) : r;
}

static void list_is(const char *flags, const char *want)
{
	CLEANUP(mod_tree_close) struct mod_tree t = { 0 };
	CLEANUP(build_list_free) struct build_list b = { 0 };
	CLEANUP(buf_free) struct buf got = { 0 };
	struct err e = { 0 };

	if (open_list(&t, flags, &b, &e) != 0)
		fail_msg("%s", e.msg);
	for (size_t i = 0; i < b.n; i++) {
		buf_addf(&got, "%s%.*s %.*s", i ? ", " : "", SPAN_ARG(b.v[i].path), SPAN_ARG(b.v[i].version));
		if (b.v[i].new_dir.p)
			buf_addf(&got, " => %.*s", SPAN_ARG(b.v[i].new_dir));
		else if (!span_eq(b.v[i].source->path, b.v[i].path))
			buf_addf(&got, " => %.*s %.*s", SPAN_ARG(b.v[i].source->path), SPAN_ARG(b.v[i].source->version));
	}
	for (size_t i = 0; i < b.unread.n; i++)
		buf_addf(&got, ", ?%s", b.unread.v[i]);
	assert_string_equal(buf_str(&got), want);
}

/* a is pruned (go 1.17) and requires b v1.1.0, c v1.0.0; old is not, and requires c v1.2.0, which requires d. */
static void make_modules(void)
{
	module("x.test/a", "v1.0.0", "module x.test/a\n\ngo 1.17\n\nrequire (\n\tx.test/b v1.1.0\n\tx.test/c v1.0.0 // indirect\n)\n");
	module("x.test/b", "v1.0.0", "module x.test/b\n\ngo 1.17\n");
	module("x.test/b", "v1.1.0", "module x.test/b\n\ngo 1.17\n\nrequire x.test/deep v1.0.0\n");
	module("x.test/b", "v1.3.0", "module x.test/b\n\ngo 1.17\n");
	module("x.test/c", "v1.0.0", "module x.test/c\n");
	module("x.test/c", "v1.2.0", "module x.test/c\n\nrequire x.test/d v0.1.0\n");
	module("x.test/d", "v0.1.0", "module x.test/d\n\nrequire x.test/main v0.0.1\n");
	module("x.test/old", "v1.0.0", "module x.test/old\n\nrequire x.test/c v1.2.0\n");
	module("fork.test/b", "v9.0.0", "module x.test/b\n\ngo 1.17\n\nrequire x.test/d v0.1.0\n");
}

static void test_list(void **state)
{
	make_modules();
	put("main/go.mod", "module x.test/main\n\ngo 1.17\n");
	list_is(NULL, "");
	put("main/go.mod", "module x.test/main\n\ngo 1.17\n\nrequire x.test/a v1.0.0\n");
	list_is(NULL, "x.test/a v1.0.0, x.test/b v1.1.0, x.test/c v1.0.0"); /* what b requires is pruned */
	put("main/go.mod", "module x.test/main\n\ngo 1.16\n\nrequire x.test/a v1.0.0\n");
	list_is(NULL, "x.test/a v1.0.0, x.test/b v1.1.0, x.test/c v1.0.0, x.test/deep v1.0.0, ?x.test/deep@v1.0.0");
	put("main/go.mod", "module x.test/main\n\ngo 1.17\n\nrequire (\n\tx.test/a v1.0.0\n\tx.test/old v1.0.0\n)\n");
	list_is(NULL, "x.test/a v1.0.0, x.test/b v1.1.0, x.test/c v1.2.0, x.test/d v0.1.0, x.test/old v1.0.0, ?x.test/main@v0.0.1"); /* go reads that go.mod too */
	put("main/go.mod", "module x.test/main\n\ngo 1.17\n\nrequire (\n\tx.test/a v1.0.0\n\tx.test/old v1.0.0\n)\n\nexclude x.test/c v1.2.0\n");
	list_is(NULL, "x.test/a v1.0.0, x.test/b v1.1.0, x.test/c v1.0.0, x.test/old v1.0.0");
	put("main/go.mod", "module x.test/main\n\ngo 1.17\n\nrequire (\n\tx.test/a v1.0.0\n\tx.test/b v1.3.0\n)\n\nreplace x.test/b v1.3.0 => fork.test/b v9.0.0\n");
	list_is(NULL, "x.test/a v1.0.0, x.test/b v1.3.0 => fork.test/b v9.0.0, x.test/c v1.0.0, x.test/d v0.1.0");
	put("main/go.mod", "module x.test/main\n\ngo 1.17\n\nrequire x.test/b v1.3.0\n\nreplace x.test/b => ../b\n");
	put("b/go.mod", "module x.test/b\n\ngo 1.17\n\nrequire x.test/c v1.0.0\n");
	list_is(NULL, "x.test/b v1.3.0 => ./../b, x.test/c v1.0.0");
	put("main/other.mod", "module x.test/main\n\ngo 1.17\n\nrequire x.test/b v1.0.0\n");
	list_is("-v -modfile=x.mod --modfile=other.mod", "x.test/b v1.0.0");
	list_is("-modfile=other.mod -modfile=", "x.test/b v1.3.0 => ./../b, x.test/c v1.0.0");
}

static void test_flags(void **state)
{
	static const struct {
		const char *flags;
		int want;
		const char *says;
	} rows[] = { { "-modfile=none.mod", -ENOENT, "none.mod" }, { "-modfile=go.sum", -EINVAL, ".mod" }, { "-modfile=go.mod", 0, "" } };

	put("main/go.mod", "module x.test/main\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(mod_tree_close) struct mod_tree t = { 0 };
		CLEANUP(build_list_free) struct build_list b = { 0 };
		struct err e = { 0 };
		assert_int_equal(open_list(&t, rows[i].flags, &b, &e), rows[i].want);
		assert_true(rows[i].want == 0 || strstr(e.msg, rows[i].says));
	}
	assert_true(span_eq(mod_flag("-mod=vendor  --tags=a=b", "tags"), S("a=b")));
	assert_null(mod_flag("-mod -modcacherw x-mod=y mod=z", "mod").p);
	assert_null(mod_flag(NULL, "mod").p);
}

static void test_unreadable(void **state)
{
	CLEANUP(mod_tree_close) struct mod_tree t = { 0 };
	CLEANUP(build_list_free) struct build_list b = { 0 };
	char name[160];
	struct err e = { 0 };

	make_modules();
	put("main/go.mod", "module x.test/main\n\ngo 1.17\n\nrequire x.test/a v1.0.0\n");
	snprintf(name, sizeof(name), "%s/cache/download/x.test/a/@v/v1.0.0.mod", cache);
	unlink(name);
	assert_int_equal(mkdir(name, 0700), 0); /* a folder where a file should be */
	assert_int_equal(open_list(&t, NULL, &b, &e), -EISDIR);
	assert_non_null(strstr(e.msg, "v1.0.0.mod"));
}

/* ---- a cache with everything that verify looks at ---- */

static void zip_module(const char *file_name, char h1[H1_SIZE])
{
	struct maker m = { 0 };
	char file[256];
	struct err e;

	add(&m, "example.com/M@v1.2.3/go.mod", S("module example.com/M\n"), false);
	add(&m, "example.com/M@v1.2.3/m.go", S("package m\n"), true);
	add(&m, "example.com/M@v1.2.3/sub/s.go", S("package sub\n"), true);
	add(&m, "example.com/M@v1.2.3/sub/data", S("data\n"), false);
	end(&m);
	snprintf(file, sizeof(file), "%s/%s", cache, file_name);
	assert_int_equal(file_replace(file, buf_view(&m.data), &e), 0);
	assert_int_equal(h1_of_zip(file, S("example.com/M"), S("v1.2.3"), h1, &e), 0);
	buf_free(&m.data);
}

static void make_project(void)
{
	char h1[H1_SIZE], mod[H1_SIZE], text[512];

	module("example.com/!m", "v1.2.3", "module example.com/M\n");
	module("example.com/gone", "v1.0.0", "module example.com/gone\n");
	zip_module("cache/download/example.com/!m/@v/v1.2.3.zip", h1);
	h1_of_gomod(S("module example.com/M\n"), mod);
	snprintf(text, sizeof(text), "%s\n", h1);
	put("cache/cache/download/example.com/!m/@v/v1.2.3.ziphash", text);
	put("cache/cache/download/example.com/!m/@v/v1.2.3.lock", "");
	snprintf(text, sizeof(text), "example.com/M v1.2.3 %s\nexample.com/M v1.2.3/go.mod %s\nexample.com/gone v1.0.0 %s\nexample.com/gone v1.0.0/go.mod %s\n", h1, mod, h1, mod);
	put("main/go.sum", text);
	put("main/go.mod", "module x.test/main\n\ngo 1.17\n\nrequire (\n\texample.com/M v1.2.3\n\texample.com/gone v1.0.0\n\texample.com/local v1.0.0\n)\n\nreplace example.com/local => ../local\n");
	put("local/go.mod", "module example.com/local\n");
	put("local/l.go", "package local\n");
	put("cache/example.com/!m@v1.2.3/go.mod", "module example.com/M\n");
	put("cache/example.com/!m@v1.2.3/m.go", "package m // edited\n");
	put("cache/example.com/!m@v1.2.3/sub/s.go", "package sub\n");
	put("cache/example.com/!m@v1.2.3/surplus.go", "package m\n");
	put("main/vendor/modules.txt", "# example.com/M v1.2.3\n## explicit\nexample.com/M\nexample.com/M/sub\n# example.com/local v1.0.0 => ../local\n## explicit\nexample.com/local\n"
				       "# example.com/local => ../local\n");
	put("main/vendor/example.com/M/m.go", "package m // vendored\n");
	put("main/vendor/example.com/M/sub/s.go", "package sub\n");
	put("main/vendor/example.com/local/l.go", "package other\n");
}

/* -errno, or how many findings there are; *lost: it says that some are missing. */
static int verified(const char *flags, int threads, bool *lost)
{
	CLEANUP(mod_tree_close) struct mod_tree t = { 0 };
	CLEANUP(build_list_free) struct build_list b = { 0 };
	struct report r = { 0 };
	struct verified got;
	struct err e = { 0 };

	int c = open_list(&t, flags, &b, &e);
	const struct verify_options o = { .modcache = cache, .goroot = "/nonexistent", .flags = flags, .threads = threads };
	if (c == 0)
		c = verify_modules(&t, &b, &o, &r, &got, &e);
	assert_true(c == 0 || e.msg[0]);
	*lost = r.lost;
	for (size_t i = 0; i < r.n_findings; i++) /* a read that failed */
		*lost |= span_find(r.findings[i].message, S("Input/output error")) != SPAN_NONE;
	c = c < 0 ? c : (int)r.n_findings;
	report_free(&r);
	return c;
}

static void test_verify_failures(void **state)
{
	static const char *const flags[] = { "", "-mod=mod" };
	bool lost;

	make_project();
	for (size_t k = 0; k < ARRAY_LEN(flags); k++) {
		int want = verified(flags[k], 1, &lost);
		assert_true(want >= 6 && !lost);
		assert_int_equal(verified(flags[k], 8, &lost), want);
		long i = 0, seen; /* of allocations and of reads */
		do {
			fault_at = ++i;
			fault_seen = 0;
			int have = verified(flags[k], 1, &lost);
			seen = fault_seen;
			fault_at = 0;
			if (have != -ENOMEM && have != -EIO && have != want && !lost)
				fail_msg("allocation %ld: %d of %d findings, and nothing says so", i, have, want);
		} while (seen >= i);
		assert_true(i > 100);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flags, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unreadable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_verify_failures, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
