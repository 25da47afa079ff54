/*
 * Want of memory, and reads that fail, in every reader of every kind of file: over the bad and the good example of every rule each
 * allocation fails once. What comes of it is an error or all that there is to find: never less without a word.
 */
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
#include "base/text.h"
#include "check/lint_own.h"
#include "trees.h"

#ifdef __SANITIZE_ADDRESS__
#define RULE_STEP 4 /* some ten times slower; the release build walks all */
#else
#define RULE_STEP 1
#endif

static char top[] = "/tmp/tocsin-lint-walk-XXXXXX";

static int run(const char *root, struct lint_result *ret, struct err *e)
{
	static bool on[RULES];

	memset(on, true, sizeof(on));
	return lint_run(&(struct lint_options){ .root = root, .on = on, .threads = 1 }, ret, e);
}

static void tell(const struct lint_result *r, struct buf *ret)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct lint_finding *f = &r->findings[i];
		buf_addf(ret, "%s:%d:%d: %s: ", f->path, f->at.line, f->at.column, f->rule->id);
		lint_message(f, ret);
		for (size_t k = 0; k < f->n_edits; k++)
			buf_addf(ret, " [%u %u %.*s]", f->edits[k].from, f->edits[k].to,
				 SPAN_ARG(f->edits[k].text));
		buf_addc(ret, '\n');
	}
}

/* What may be missing is what a file says that could not be read, and that is named. */
static bool same_or_said(const char *folder, long n, const char *all, const struct lint_result *r,
			 size_t limits)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	bool fine = true;

	tell(r, &b);
	if (strcmp(buf_str(&b), all) != 0 && r->n_limits <= limits) {
		struct span want = span_of(all), got = buf_view(&b), a, g;
		do
			a = span_cut(&want, '\n'), g = span_cut(&got, '\n');
		while (span_eq(a, g));
		print_message("%s, allocation %ld: wanted\n%.*s\ngot\n%.*s\n", folder, n, SPAN_ARG(a),
			      SPAN_ARG(g));
		fine = false;
	}
	for (size_t i = 0; i < r->n_limits; i++)
		if (strstr(r->limits[i], "memory")) {
			print_message("%s, allocation %ld: a limit is no error: %s\n", folder, n,
				      r->limits[i]);
			fine = false;
		}
	return fine;
}

static size_t wrong;

static void walk(const char *folder)
{
	CLEANUP(buf_free) struct buf all = { 0 };
	struct lint_result r = { 0 };
	struct err e = { 0 };

	assert_int_equal(run(folder, &r, &e), 0);
	tell(&r, &all);
	size_t limits = r.n_limits;
	lint_result_free(&r);
	for (long n = 1;; n++) {
		fault_seen = 0;
		fault_at = n;
		int err = run(folder, &r, &e);
		bool hit = fault_seen >= n;
		fault_at = 0;
		if (err == 0)
			wrong += !same_or_said(folder, n, buf_str(&all), &r, limits);
		else if (err != -EIO && (err != -ENOMEM || e.code != ENOMEM || !*e.msg))
			fail_msg("%s, allocation %ld: %d %s", folder, n, err, e.msg);
		lint_result_free(&r);
		if (!hit)
			break;
		assert_true(n < 100000);
	}
}

static void walk_example(const char *id, const char *which, const char *example)
{
	char name[40], root[sizeof(top) + sizeof(name)];

	snprintf(name, sizeof(name), "%s/%s", id, which);
	tree_unpack(top, name, example);
	snprintf(root, sizeof(root), "%s/%s", top, name);
	walk(root);
}

static void test_examples(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(top));
	for (size_t i = 0; i < rule_count; i += RULE_STEP) {
		walk_example(rules[i].id, "bad", rules[i].bad);
		walk_example(rules[i].id, "good", rules[i].good);
	}
	assert_int_equal(wrong, 0);
	char line[80];
	snprintf(line, sizeof(line), "rm -r '%s'", top);
	assert_int_equal(system(line), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_examples) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
