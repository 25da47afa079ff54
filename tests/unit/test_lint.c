/* The lint's own parts: which files, comments that allow, the cache, edits; and that want of memory is an error and nothing else. */
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
#include "check/lint_fix.h"
#include "check/lint_own.h"

static char top[] = "/tmp/tocsin-test-lint-XXXXXX";
static char cache[64];

static void put(const char *name, const char *text)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	CLEANUP(buf_free) struct buf dir = { 0 };
	struct err e;

	path_join(&path, top, name);
	buf_span(&dir, path_dir(buf_view(&path)));
	assert_int_equal(path_mkdirs(buf_str(&dir), 0755, &e), 0);
	assert_int_equal(file_replace(buf_str(&path), span_of(text), &e), 0);
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
		cmocka_unit_test(test_edits),           cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_edits_no_memory),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
