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
#include "trees.h"

static char top[] = "/tmp/tocsin-golint-XXXXXX";

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
		tree_unpack(top, name, rules[i].bad);
		snprintf(name, sizeof(name), "%s/good", rules[i].id);
		tree_unpack(top, name, rules[i].good);
	}
	assert_true(compare(top) > 0);
	char line[80];
	snprintf(line, sizeof(line), "rm -r '%s'", top);
	assert_int_equal(system(line), 0);
}

/* Spellings that a look at words alone could take for something else. */
static const char spellings[] = "package p\n"
				"\n"
				"import (\n"
				"\t\"net/http\"\n"
				"\t\"os\"\n"
				"\t\"os/exec\"\n"
				"\t\"sync\"\n"
				"\t\"time\"\n"
				")\n"
				"\n"
				"func a(n int) error {\n"
				"\tif err := b(); (err != nil) { // x != nil {\n"
				"\t}\n"
				"\tif err := b(); err != nil {\n"
				"\t\treturn c(\n"
				"\t\t\t1,\n"
				"\t\t)\n"
				"\t}\n"
				"\tfor i := 0; i < n &&\n"
				"\t\tn > 1; i++ {\n"
				"\t\tif f, ok := any(n).(func()); ok {\n"
				"\t\t\tdefer f()\n"
				"\t\t}\n"
				"\t}\n"
				"\treturn nil\n"
				"}\n"
				"\n"
				"func d(t time.Time, log func(time.Duration)) (int, error) {\n"
				"\tdefer func(d time.Duration) { log(d) }(time.Since(t))\n"
				"\tif err := b(); err != nil { return 0, nil }\n"
				"\texec.Command(\"x\").\n"
				"\t\tRun()\n"
				"\tresp, err := (&http.Client{}).Do(nil)\n"
				"\t_, _ = resp, err\n"
				"\tpanic( nil )\n"
				"}\n"
				"\n"
				"func e(done chan struct{}) {\n"
				"\tfunc() {\n"
				"\t\tvar wg sync.WaitGroup\n"
				"\t\twg.Add(1)\n"
				"\t\tgo func(c chan struct{}) {\n"
				"\t\t\t// first\n"
				"\t\t\twg.Add(1)\n"
				"\t\t\twg.Done()\n"
				"\t\t}(done)\n"
				"\t}()\n"
				"\tfunc() {\n"
				"\t\tvar wg sync.WaitGroup\n"
				"\t\twg.Wait()\n"
				"\t}()\n"
				"\tgo f(); os.Exit(-1)\n"
				"}\n"
				"\n"
				"func f() {\n"
				"\tfor {\n"
				"\t\tselect {\n"
				"\t\tcase <-g:\n"
				"\t\tdefault:\n"
				"\t\t}\n"
				"\t}\n"
				"}\n"
				"\n"
				"var h = func() {\n"
				"\tdefer func() { recover() }()\n"
				"\tos.Exit(0x100)\n"
				"}\n"
				"\n"
				"func own() { recover() }\n"
				"\n"
				"func i() (string, error) {\n"
				"\tvar wg = sync.WaitGroup{}\n"
				"\tgo func() struct{} { wg.Add(1); return x }()\n"
				"\tdefer\n"
				"\tfunc() { own() }()\n"
				"\tif err := b(); err != nil {\n"
				"\t\treturn `\n"
				"`, nil\n"
				"\t}\n"
				"\tpanic(/* why */ nil)\n"
				"}\n"
				"\n"
				"func j() {\n"
				"\tos.Exit(256 /* why */)\n"
				"}\n"
				"\n"
				"func TestK(t *testing.T) {\n"
				"\tif err := b(); err != nil /* why */ {\n"
				"\t\treturn\n"
				"\t}\n"
				"\tif err := b(); err != nil {\n"
				"\t\tlog.\n"
				"\t\t\tPrint(err)\n"
				"\t}\n"
				"}\n";

static void test_spellings(void **state)
{
	char line[80];

	(void)state;
	strcpy(top + strlen(top) - 6, "XXXXXX");
	assert_non_null(mkdtemp(top));
	tree_put(top, "p/a.go", ((struct span){ spellings, sizeof(spellings) - 1 }));
	tree_put(top, "p/a_test.go", ((struct span){ spellings, sizeof(spellings) - 1 }));
	assert_true(compare(top) >= 10);
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
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_examples), cmocka_unit_test(test_spellings),
					    cmocka_unit_test(test_trees) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
