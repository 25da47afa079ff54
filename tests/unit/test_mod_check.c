/* mod check: what it says of trees on disk, and that it survives want of memory. What go thinks of the same is in tests/e2e/mod_check.py. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/path.h"
#include "mod/check.h"
#include "trees.h"

#define ZERO "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static char top[] = "/tmp/tocsin-test-modcheck-XXXXXX";

static void put(const char *name, const char *text)
{
	tree_put(top, name, span_of(text));
}

static int setup(void **state)
{
	return mkdtemp(top) ? 0 : -1;
}

static int teardown(void **state)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", top);
	return system(cmd);
}

/* "RULE:LINE " of each finding, in their order. */
static int run(const char *dir, struct buf *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	CLEANUP(buf_free) struct buf cache = { 0 };
	CLEANUP(buf_free) struct buf netrc = { 0 };
	CLEANUP(mod_tree_close) struct mod_tree tree = { 0 };
	struct report report = { 0 };

	path_join(&path, top, dir);
	path_join(&cache, top, "cache");
	path_join(&netrc, top, "netrc");
	if (path.bad || cache.bad || netrc.bad)
		return err_set(e, ENOMEM, "no memory");
	int r = mod_tree_open(path.p, NULL, &tree, e);
	if (r < 0)
		return r;
	struct mod_check c = { .tree = &tree,
			       .report = &report,
			       .go = S("1.26.8"),
			       .go_local = true,
			       .modcache = cache.p,
			       .proxy = "https://proxy.test",
			       .netrc = netrc.p,
			       .netrc_shown = "~/.netrc" };
	r = mod_check(&c, e);
	for (size_t i = 0; i < report.n_findings && r == 0; i++) {
		const struct finding *f = &report.findings[i];
		size_t at = span_rchr(f->message, '[');
		struct span rule = span_from(f->message, at + 1);
		assert_true(at != SPAN_NONE && rule.n > 1);
		buf_addf(ret, "%.*s:%d ", (int)rule.n - 1, rule.p, f->line);
	}
	report_free(&report);
	return r;
}

static void expect(const char *dir, const char *want)
{
	CLEANUP(buf_free) struct buf got = { 0 };
	struct err e = { 0 };

	assert_int_equal(run(dir, &got, &e), 0);
	assert_string_equal(buf_str(&got), want);
}

#define B "require ex.test/b v1.2.0\n"
#define M "module ex.test/m\n\ngo 1.18\n\n"

static void make_all(void)
{
	put("cache/cache/download/ex.test/b/@v/v1.2.0.mod",
	    "module ex.test/b\n\ngo 1.17\n\nrequire ex.test/c v1.1.0\n");
	put("cache/cache/download/ex.test/b/@v/v1.3.0.mod", "module ex.test/b\n\nretract v1.2.0 // wrong\n");
	put("sound/go.mod", M "require ex.test/z v1.0.0\n");
	put("sound/go.sum", "ex.test/z v1.0.0 " ZERO "\nex.test/z v1.0.0/go.mod " ZERO "\n");
	put("bad/go.mod", M B
	    "require ex.test/c v1.0.0 // indirect\nrequire ex.test/d v1\nexclude ex.test/d v1.0.0\nreplace ex.test/x => ./x\n<<<<<<< HEAD\n");
	put("bad/go.sum", "ex.test/b v1.2.0 " ZERO "\n=======\nex.test/q v1.0.0 " ZERO
			  "\r\nex.test/b v1.2.0 h1:BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
	put("vendored/go.mod", M B);
	put("vendored/vendor/modules.txt",
	    "# ex.test/b v1.1.0\n## explicit; go 1.17\nex.test/b\n# ex.test/y => ./y\n");
	put("work/go.work", "go 1.18\n\nuse ./a\nuse ./b\nuse ./c\nuse ./a\n");
	put("work/a/go.mod", "module ex.test/a\n\ngo 1.21\n\n" B "replace ex.test/b => ex.test/f v1.0.0\n");
	put("work/b/go.mod",
	    "module ex.test/bb\n\ngo 1.17\n\nreplace ex.test/b v1.2.0 => ex.test/g v1.0.0\n");
	put("work/go.work.sum", "x\n");
}

static void test_rules(void **state)
{
	make_all();
	expect("sound", "");
	expect("bad",
	       "syntax:10 version.loose:7 version.excluded:7 replace.missing:9 version.too_low:6 sum.line:2 sum.hash:4 sum.crlf:1 sum.missing:5 sum.missing:6 version.retracted:5 ");
	expect("vendored",
	       "sum.missing:5 vendor.required:5 vendor.required:1 vendor.replaced:4 version.retracted:5 ");
	expect("work",
	       "sum.line:1 sum.missing:5 work.go:3 work.go_mix:3 work.missing:5 work.repeated:6 replace.order:5 version.retracted:5 ");
	put("netrc", "default login x password y\nmachine proxy.test login x\n");
	chmod(top, 0700);
	expect("sound", "netrc.default:1 netrc.entry:2 netrc.mode:0 ");
}

static void test_no_memory(void **state)
{
	static const char *const dirs[] = { "sound", "bad", "vendored", "work" };

	for (size_t d = 0; d < ARRAY_LEN(dirs); d++) {
		for (long at = 1;; at++) {
			struct buf got = { 0 };
			struct err e = { 0 };
			fault_at = at;
			fault_seen = 0;
			int r = run(dirs[d], &got, &e);
			bool hit = fault_seen >= at;
			fault_at = 0;
			buf_free(&got);
			if (!hit)
				break;
			assert_true(r == 0 || e.msg[0]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rules), cmocka_unit_test(test_no_memory) };

	return cmocka_run_group_tests_name("mod_check", tests, setup, teardown);
}
