/* The lint's own parts: which files, comments that allow, the cache, edits; and that want of memory is an error and nothing else. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/sha256.h"
#include "check/lint_fix.h"
#include "check/lint_own.h"
#include "trees.h"

static char top[] = "/tmp/tocsin-test-lint-XXXXXX";
static char cache[64];

static void put(const char *name, const char *text)
{
	tree_put(top, name, span_of(text));
}

static int setup(void **state)
{
	if (!mkdtemp(top))
		return -1;
	snprintf(cache, sizeof(cache), "%s/.cache", top);
	put("go.mod", "module m\n\ngo 1.21\n");
	put("main.go",
	    "package main\n\nfunc main() {\n\tdefer recover()\n\tdefer recover() //tocsin:allow R01 it ends\n\tprintln() //tocsin:allow R01 nothing\n}\n");
	put("sub/s.go", "package sub\n\nfunc f() {\n\tdefer recover() //tocsin:allow R01\n}\n");
	put("vendor/v.go", "package v\n\nfunc f() {\n\tdefer recover()\n}\n");
	return 0;
}

static int teardown(void **state)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", top);
	return system(cmd);
}

static bool on[RULES];

static struct lint_options options(void)
{
	memset(on, 0, sizeof(on));
	on[RULE_R01] = on[RULE_C01] = on[RULE_C02] = true;
	return (struct lint_options){ .root = top, .on = on, .threads = 1 };
}

static void told(const struct lint_options *o, struct buf *ret, size_t *cached)
{
	CLEANUP(lint_result_free) struct lint_result r = { 0 };
	struct err e;

	assert_int_equal(lint_run(o, &r, &e), 0);
	for (size_t i = 0; i < r.n; i++)
		buf_addf(ret, "%s:%d:%d %s %zu\n", r.findings[i].path, r.findings[i].at.line,
			 r.findings[i].at.column, r.findings[i].rule->id, r.findings[i].line.n);
	*cached = r.cached;
}

static void drop_caches(void)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", cache);
	assert_int_equal(system(cmd), 0);
}

static const char all[] =
	"main.go:4:2 R01 16\nmain.go:6:12 C02 37\nsub/s.go:4:2 R01 35\nsub/s.go:4:18 C01 35\n";

static void test_found(void **state)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct lint_options o = options();
	size_t cached;

	told(&o, &b, &cached);
	assert_string_equal(buf_str(&b), all);
	const char *one[] = { "sub/../sub/s.go" };
	o.paths = one;
	o.n_paths = 1;
	buf_clear(&b);
	told(&o, &b, &cached);
	assert_string_equal(buf_str(&b), strstr(all, "sub/"));
	o.text_path = "x.go";
	o.text = S("package x\n\nfunc f() { defer recover() }");
	o.n_paths = 0;
	buf_clear(&b);
	told(&o, &b, &cached);
	assert_string_equal(buf_str(&b), "x.go:3:12 R01 28\n");
}

static void test_cached(void **state)
{
	struct lint_options o = options();
	size_t cached;

	o.cache = cache;
	for (size_t round = 0; round < 3; round++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		told(&o, &b, &cached);
		assert_string_equal(buf_str(&b), all);
		assert_int_equal(cached, round ? 3 : 0); /* go.mod too */
	}
	on[RULE_C02] = false;
	CLEANUP(buf_free) struct buf b = { 0 };
	told(&o, &b, &cached);
	assert_int_equal(cached, 0);
}

/* ---- comments that let findings pass ---- */

static void allowed(const char *path, const char *text, const char *want)
{
	CLEANUP(lint_result_free) struct lint_result r = { 0 };
	CLEANUP(buf_free) struct buf b = { 0 };
	struct lint_options o = options();

	o.root = "/nowhere";
	o.text_path = path;
	o.text = span_of(text);
	on[RULE_E12] = on[RULE_S02] = true;
	assert_int_equal(lint_run(&o, &r, NULL), 0);
	for (size_t i = 0; i < r.n; i++)
		buf_addf(&b, "%d %s ", r.findings[i].at.line, r.findings[i].rule->id);
	buf_addf(&b, "%zu", r.allowed);
	if (strcmp(buf_str(&b), want) != 0)
		fail_msg("%s\ngot    %s\nwanted %s", text, buf_str(&b), want);
}

#define GO_FILE(body) "package p\n\nfunc f() {\n" body "}\n"

static void test_allowed(void **state)
{
	allowed("a.go", GO_FILE("defer recover()\n"), "4 R01 0");
	allowed("a.go", GO_FILE("defer recover() // tocsin:allow R01 because\n"), "1");
	allowed("a.go", GO_FILE("//tocsin:allow r01: because\n\n// more\ndefer recover()\n"), "1");
	allowed("a.go", GO_FILE("//tocsin:allow R01,E12 because\ndefer recover()\n"), "1");
	allowed("a.go", GO_FILE("//tocsin:allow E12 because\ndefer recover()\n"), "4 C02 5 R01 0");
	allowed("a.go", GO_FILE("defer recover() //tocsin:allow R01\n"), "4 R01 4 C01 0");
	allowed("a.go", GO_FILE("defer recover() //tocsin:allow R01 -- \n"), "4 R01 4 C01 0");
	allowed("a.go", GO_FILE("_ = \"http://tocsin:allow R01 x\"; defer recover()\n"), "4 R01 0");
	allowed("a.go", GO_FILE("defer recover() //nolint\n"), "1");
	allowed("a.go", GO_FILE("defer recover() //nolint:errcheck,tocsin // why\n"), "1");
	allowed("a.go", GO_FILE("defer recover() //nolint:errcheck\n"), "4 R01 0");
	allowed("a.go", GO_FILE("defer recover() //nolintish\n"), "4 R01 0");
	allowed("a.go", "//nolint:all\npackage p\n\nfunc f() { defer recover() }\n", "1");
	allowed("a.go",
		"package p\n\n//nolint\nfunc f() {\n\tdefer recover()\n}\n\nfunc g() { defer recover() }\n",
		"8 R01 1");
	allowed("a.sh", "#!/bin/bash\ngo test ./... | \\\n tee x\n", "2 S02 0");
	allowed("a.sh", "#!/bin/bash\n# tocsin:allow S02 because\ngo test ./... | \\\n tee x\n", "1");
	allowed("a.sh", "#!/bin/bash\ngo test ./... | tee x #tocsin:allow S02 because\r\n", "1");
	allowed("a.sh", "#!/bin/bash\ngo test ./... | tee x#tocsin:allow S02 because\n", "2 S02 0");
	allowed("a.sh", "# tocsin:allow S02 at the end", "1 C02 0");
}

/* ---- the cache, whatever has become of it ---- */

static void cache_file(struct buf *ret)
{
	DIR *d = opendir(cache);

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		if (span_ends(span_of(e->d_name), S(".lint"))) {
			buf_clear(ret);
			path_join(ret, cache, e->d_name);
		}
	closedir(d);
	assert_true(ret->len > 0);
}

/* What is found is the same as ever, without the cache's help; and it is made anew. */
static void is_passed_over(const char *path, struct span bytes, const char *what, size_t at)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct lint_options o = options();
	size_t cached;

	o.cache = cache;
	assert_int_equal(file_replace(path, bytes, NULL), 0);
	told(&o, &b, &cached);
	if (cached || strcmp(buf_str(&b), all) != 0)
		fail_msg("%s at %zu: %zu cached, %s", what, at, cached, buf_str(&b));
	buf_clear(&b);
	told(&o, &b, &cached);
	assert_int_equal(cached, 3);
}

static void test_cache_damaged(void **state)
{
	CLEANUP(buf_free) struct buf path = { 0 }, good = { 0 }, bad = { 0 };
	struct lint_options o = options();
	CLEANUP(buf_free) struct buf b = { 0 };
	size_t cached;

	o.cache = cache;
	drop_caches();
	told(&o, &b, &cached);
	cache_file(&path);
	assert_int_equal(file_slurp(buf_str(&path), &good, NULL), 0);
	for (size_t at = 0; at < good.len; at += 7) {
		buf_clear(&bad);
		buf_span(&bad, buf_view(&good));
		bad.p[at] ^= 1 << at % 8;
		is_passed_over(buf_str(&path), buf_view(&bad), "a bit turned", at);
	}
	for (size_t n = 0; n < good.len; n += 61)
		is_passed_over(buf_str(&path), span_head(buf_view(&good), n), "cut off", n);
	buf_clear(&bad);
	buf_span(&bad, buf_view(&good));
	buf_adds(&bad, "more");
	is_passed_over(buf_str(&path), buf_view(&bad), "longer", bad.len);
}

/* With the right sum, but made by somebody else: whatever is said there, it is read within its bounds. */
static void test_cache_made_up(void **state)
{
	CLEANUP(buf_free) struct buf path = { 0 }, good = { 0 };
	struct lint_options o = options();
	const size_t head = sizeof("tocsin lint cache 1\n") - 1 + 32;

	o.cache = cache;
	cache_file(&path);
	assert_int_equal(file_slurp(buf_str(&path), &good, NULL), 0);
	size_t body = good.len - 32;
	for (size_t at = head; at < body; at += 3) {
		CLEANUP(lint_result_free) struct lint_result r = { 0 };
		char was = good.p[at];
		good.p[at] = (char)(was ^ (at % 2 ? 0xff : 0x41));
		sha256(span_head(buf_view(&good), body), (unsigned char *)good.p + body);
		assert_int_equal(file_replace(buf_str(&path), buf_view(&good), NULL), 0);
		int err = lint_run(&o, &r, NULL);
		assert_true(err == 0 || err == -ENOMEM);
		good.p[at] = was;
	}
}

/* One of another configuration, under this one's name. */
static void test_cache_foreign(void **state)
{
	CLEANUP(buf_free) struct buf path = { 0 }, other = { 0 }, bytes = { 0 }, b = { 0 };
	struct lint_options o = options();
	size_t cached;

	o.cache = cache;
	drop_caches();
	on[RULE_C02] = false;
	told(&o, &b, &cached);
	cache_file(&other);
	assert_int_equal(file_slurp(buf_str(&other), &bytes, NULL), 0);
	drop_caches();
	o = options();
	o.cache = cache;
	told(&o, &b, &cached);
	cache_file(&path);
	assert_string_not_equal(buf_str(&path), buf_str(&other));
	is_passed_over(buf_str(&path), buf_view(&bytes), "foreign", 0);
}

static size_t fix(const char *text, const struct lint_finding *list, size_t n, bool every, struct buf *ret)
{
	const struct lint_finding *v[4];

	for (size_t i = 0; i < n; i++)
		v[i] = &list[i];
	return lint_fix_text(span_of(text), v, n, every, ret);
}

static void test_edits(void **state)
{
	struct lint_edit a[] = { { .from = 0, .to = 1, .text = S("AA") },
				 { .from = 4, .to = 4, .text = S("!") } };
	struct lint_edit b[] = { { .from = 3, .to = 5, .text = S("x") } },
			 c[] = { { .from = 2, .to = 3, .text = S("") } },
			 d[] = { { .from = 9, .to = 99, .text = S("x") } };
	struct lint_finding list[] = { { .edits = a, .n_edits = 2, .edits_safe = true },
				       { .edits = b, .n_edits = 1, .edits_safe = true },
				       { .edits = c, .n_edits = 1 },
				       { .edits = d, .n_edits = 1, .edits_safe = true } };
	CLEANUP(buf_free) struct buf ret = { 0 };

	/* b overlaps with a's second one; c is not safe; d is of another text. */
	assert_int_equal(fix("abcdef", list, 4, false, &ret), 1);
	assert_string_equal(buf_str(&ret), "AAbcd!ef");
	buf_clear(&ret);
	assert_int_equal(fix("abcdef", list, 4, true, &ret), 2);
	assert_string_equal(buf_str(&ret), "AAbd!ef");
	buf_clear(&ret);
	assert_int_equal(fix("abcdef", list, 0, true, &ret), 0);
	assert_string_equal(buf_str(&ret), "abcdef");
}

/* What fails for want of memory says so, or (the cache) does without. */
static void test_no_memory(void **state)
{
	struct lint_options o = options();

	o.cache = cache;
	for (long n = 1;; n++) {
		struct lint_result r = { 0 };
		struct err e;
		fault_seen = 0;
		fault_at = n;
		int err = lint_run(&o, &r, &e);
		bool hit = fault_seen >= n;
		fault_at = 0;
		if (err == 0 && r.n != 4 && !r.n_limits) /* a file that could not be read is named */
			fail_msg("%ld: %zu findings; %s", n, r.n, r.n_limits ? r.limits[0] : "");
		lint_result_free(&r);
		if (!hit)
			break;
		assert_true(n < 100000);
	}
}

static void test_edits_no_memory(void **state)
{
	struct lint_edit a[] = { { .from = 0, .to = 1, .text = S("AA") } };
	struct lint_finding one = { .edits = a, .n_edits = 1, .edits_safe = true };

	for (long n = 1;; n++) {
		CLEANUP(buf_free) struct buf ret = { 0 };
		fault_seen = 0;
		fault_at = n;
		fix("abc", &one, 1, true, &ret);
		bool hit = fault_seen >= n;
		fault_at = 0;
		assert_true(hit ? ret.bad : !strcmp(buf_str(&ret), "AAbc"));
		if (!hit)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),           cmocka_unit_test(test_cached),
		cmocka_unit_test(test_cache_damaged),   cmocka_unit_test(test_cache_made_up),
		cmocka_unit_test(test_cache_foreign),   cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_edits),           cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_edits_no_memory),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
