/*
 * Only declarations with a word that some rule asks for are parsed (go/golint_worth.c). Nothing may be lost by it: what is found is what is
 * found in trees of everything, in the bad and good examples of all rules, and in Go's own packages (or the folders in GOLINT_TREES).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/path.h"
#include "check/lint.h"

static char top[] = "/tmp/tocsin-golint-XXXXXX";

static void put(const char *name, struct span text)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	struct err e;

	path_join(&path, top, name);
	struct span dir = path_dir(buf_view(&path));
	char *z = mem_dup(dir.p, dir.n);
	assert_int_equal(path_mkdirs(z, 0700, &e), 0);
	mem_free(z);
	assert_int_equal(file_replace(buf_str(&path), text, &e), 0);
}

/* The files `-- PATH --` of an example, below a folder of its own. */
static void unpack(const char *folder, struct span text)
{
	char name[400] = "";
	struct span body = { 0 };

	while (text.n) {
		struct span line = span_cut(&text, '\n');
		if (!span_starts(line, S("-- ")) || !span_ends(line, S(" --"))) {
			body.n = (size_t)(text.p - body.p);
			continue;
		}
		if (*name)
			put(name, body);
		snprintf(name, sizeof(name), "%s/%.*s", folder, (int)line.n - 6, line.p + 3);
		body = (struct span){ text.p, 0 };
	}
	if (*name)
		put(name, body);
}

static void lint(const char *root, bool whole, struct lint_result *ret)
{
	CLEANUP(mem_free) bool *on = mem_zalloc(rule_count * sizeof(*on));
	struct lint_options o = { .root = root, .on = on, .config.whole = whole };
	struct err e = { 0 };

	for (size_t i = 0; i < rule_count; i++)
		on[i] = rules[i].languages & (RULE_GO | RULE_TREE);
	if (lint_run(&o, ret, &e) < 0)
		fail_msg("%s: %s", root, e.msg);
}

static bool same(const struct lint_finding *a, const struct lint_finding *b)
{
	return a->rule == b->rule && !strcmp(a->path, b->path) && a->from == b->from && a->to == b->to &&
	       a->at.line == b->at.line && a->at.column == b->at.column && a->severity == b->severity;
}

static size_t compare(const char *root) /* how much is found */
{
	CLEANUP(lint_result_free) struct lint_result parts = { 0 };
	CLEANUP(lint_result_free) struct lint_result whole = { 0 };
	size_t lost = 0;

	lint(root, false, &parts);
	lint(root, true, &whole);
	for (size_t a = 0, b = 0; a < whole.n || b < parts.n;) {
		bool both = a < whole.n && b < parts.n && same(&whole.findings[a], &parts.findings[b]);
		bool more = !both && parts.n - b > whole.n - a;
		const struct lint_finding *f = both ? NULL : more ? &parts.findings[b] : &whole.findings[a];
		if (f)
			print_message("%s %s %s/%s:%d\n", more ? "only in parts" : "lost", f->rule->id, root,
				      f->path, f->at.line);
		lost += f != NULL;
		a += both || !more;
		b += both || more;
	}
	assert_int_equal(lost, 0);
	return whole.n;
}

static void test_examples(void **state)
{
	char name[40];

	(void)state;
	assert_non_null(mkdtemp(top));
	for (size_t i = 0; i < rule_count; i++) {
		snprintf(name, sizeof(name), "%s/bad", rules[i].id);
		unpack(name, span_of(rules[i].bad));
		snprintf(name, sizeof(name), "%s/good", rules[i].id);
		unpack(name, span_of(rules[i].good));
	}
	assert_true(compare(top) > 0);
	char line[80];
	snprintf(line, sizeof(line), "rm -r '%s'", top);
	assert_int_equal(system(line), 0);
}

static void test_trees(void **state)
{
	CLEANUP(buf_free) struct buf list = { 0 };
	const char *named = getenv("GOLINT_TREES");
	char line[4096];

	(void)state;
	if (named) {
		buf_adds(&list, named);
	} else {
		FILE *go = popen("go env GOROOT", "r");
		assert_non_null(go);
		assert_non_null(fgets(line, sizeof(line), go));
		assert_int_equal(pclose(go), 0);
		buf_addf(&list, "%.*s/src/net", (int)strcspn(line, "\n"), line);
	}
	for (struct span rest = buf_view(&list); rest.n;) {
		struct span one = span_cut(&rest, ' ');
		snprintf(line, sizeof(line), "%.*s", SPAN_ARG(one));
		compare(line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_examples), cmocka_unit_test(test_trees) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
