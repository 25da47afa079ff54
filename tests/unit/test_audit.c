/* cli: the tests and rules of a source tree, and the audit of a store against it. */
#include "stored.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/path.h"
#include "cli/audit.h"

static char tree[80];

static void put(const char *name, const char *text)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	char folder[200];

	path_join(&path, tree, name);
	struct span in = path_dir(buf_view(&path));
	snprintf(folder, sizeof(folder), "%.*s", SPAN_ARG(in));
	fine(path_mkdirs(folder, 0700, &e));
	fine(file_replace(buf_str(&path), span_of(text), &e));
}

static int make_tree(void **state)
{
	int r = make_dir(state);

	snprintf(tree, sizeof(tree), "%s/tree", dir);
	put("go.mod", "module example.com/m // the whole\n");
	put("a_test.go", "package m\nimport \"testing\"\nfunc TestCaseAaa(t *testing.T) {}\nfunc TestBoth(t *testing.T) {}\n");
	put("sub/b_test.go", "//go:build slow\n\npackage sub\nfunc TestBoth(t *testing.T) {}\nfunc TestSlow(t *testing.T) {}\n");
	put("other/go.mod", "module \"example.com/m/v2\"\n");
	put("other/in/c_test.go", "package in\nfunc TestIn(t *testing.T) {}\n");
	put("vendor/x/d_test.go", "package x\nfunc TestVendor(t *testing.T) {}\n");
	put("testdata/e_test.go", "package e\nfunc TestData(t *testing.T) {}\n");
	put("_f/f_test.go", "package f\nfunc TestHidden(t *testing.T) {}\n");
	put("sub/_g_test.go", "package sub\nfunc TestHiddenFile(t *testing.T) {}\n");
	put(".golangci.yml", "version: \"2\"\nlinters:\n  enable:\n    - nilness\n  disable:\n    - errcheck\n");
	put("Makefile", "lint: # SA9999\n\tstaticcheck -checks SA1000,SA5008 ./...\n");
	put(".github/workflows/ci.yml", "jobs:\n  lint:\n    steps:\n      - run: semgrep --config no-sleep\n");
	return r;
}

/* "example.com/m/sub/b_test.go:4 …", or why there is none. */
static void where(struct gotree *t, const char *name, char out[300])
{
	const struct gotree_test *found[4];
	struct gotest_name n;
	const char *why;

	assert_true(gotest_name_read(span_of(name), &n));
	size_t k = gotree_find(t, &n, found, 4, &why), used = 0;
	for (size_t i = 0; i < k; i++)
		used += (size_t)snprintf(out + used, 300 - used, "%s%.*s %.*s:%d%s", i ? ", " : "", SPAN_ARG(found[i]->package), SPAN_ARG(found[i]->file), found[i]->line,
					 found[i]->build.n ? " tagged" : "");
	if (!k)
		snprintf(out, 300, "%s", why);
}

static void finds_tests(void **state)
{
	(void)state;
	static const struct {
		const char *name, *where;
	} rows[] = {
		{ "example.com/m.TestBoth/x", "example.com/m a_test.go:4" },
		{ "example.com/m/sub.TestBoth", "example.com/m/sub sub/b_test.go:4 tagged" },
		{ "./sub.TestSlow", "example.com/m/sub sub/b_test.go:5 tagged" },
		{ "TestBoth", "example.com/m a_test.go:4, example.com/m/sub sub/b_test.go:4 tagged" },
		{ "example.com/m/v2/in.TestIn", "example.com/m/v2/in other/in/c_test.go:2" },
		{ "TestIn", "example.com/m/v2/in other/in/c_test.go:2" },
		{ "example.com/m/testdata.TestData", "example.com/m/testdata testdata/e_test.go:2" },
		{ "TestVendor", "no such test function in this source tree" },
		{ "TestHidden", "no such test function in this source tree" },
		{ "TestHiddenFile", "no such test function in this source tree" },
		{ "example.com/m.TestIn", "the package has no such test function" },
		{ "example.com/m/none.TestIn", "the package has no tests, or is gone" },
		{ "example.com/n.TestIn", "no module of this source tree has that package" },
		{ "example.com/m/../../x.TestIn", "no module of this source tree has that package" },
		{ "./../x.TestIn", "no module of this source tree has that package" },
	};
	struct gotree t;
	char out[300];

	gotree_open(tree, &t);
	assert_int_equal(t.n_modules, 2);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		where(&t, rows[i].name, out);
		assert_string_equal(out, rows[i].where);
	}
	assert_false(t.no_memory || t.cut);
	gotree_close(&t);
}

static void finds_rules(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		enum rule_state state;
		const char *file;
		int line;
	} rows[] = {
		{ "nilness", RULE_ON, ".golangci.yml", 4 },
		{ "errcheck", RULE_OFF, ".golangci.yml", 6 },
		{ "govet", RULE_ON, ".golangci.yml", 3 },
		{ "SA5008", RULE_MENTIONED, "Makefile", 2 },
		{ "SA500", RULE_NOWHERE, "", 0 },
		{ "SA9999", RULE_NOWHERE, "", 0 }, /* in a comment */
		{ "no-sleep", RULE_MENTIONED, ".github/workflows/ci.yml", 4 },
		{ "sleep", RULE_NOWHERE, "", 0 },
	};
	struct gotree_rule r;
	struct gotree t;

	gotree_open(tree, &t);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		gotree_rule(&t, span_of(rows[i].name), &r);
		assert_int_equal(r.state, rows[i].state);
		assert_true(span_eq(r.file, span_of(rows[i].file)));
		assert_int_equal(r.line, rows[i].line);
	}
	gotree_close(&t);
}

/* ---- the audit ---- */

static void change(int64_t seq, enum change_kind kind, int64_t at, const char *text)
{
	const struct fault_change c = { .kind = kind, .at = at, .text = text };

	fine(store_fault_change(store, seq, &c, &e));
}

/* Faults 1, 2, 3 are those of TestCaseAaa, TestCaseBaa and TestCaseCaa. */
static void make_store(void)
{
	record(store, NOW - 10 * DAY, 0, 3);
	change(1, CHANGE_RESOLVED, NOW - 9 * DAY, "fixed");
	change(1, CHANGE_LINKED, NOW - 8 * DAY, "test:example.com/m.TestCaseAaa");
	record(store, NOW - 6 * DAY, 0, 1);
	change(1, CHANGE_RESOLVED, NOW - 5 * DAY - DAY / 2, "fixed again");
	change(2, CHANGE_RESOLVED, NOW - 5 * DAY, "fixed");
	put("tocsin/contracts/a.yaml", "fault: T-3\ntrigger: a\nguarantee: b\nchecks:\n  - test: example.com/m.TestGone\n  - rule: nilness\n");
	put("tocsin/contracts/b.yaml", "fault: T-3\n");
	put("tocsin/contracts/c.txt", "no contract");
}

static void configure(struct audit_config *c)
{
	static char contracts[120];

	snprintf(contracts, sizeof(contracts), "%s/tocsin/contracts", tree);
	*c = (struct audit_config){ .s = store, .root = tree, .contracts = contracts, .project = "o/r", .now = NOW, .max_age = 30 * DAY };
}

static void audits(void **state)
{
	(void)state;
	static const struct {
		enum audit_kind kind;
		enum severity severity;
		int64_t seq;
	} rows[] = {
		{ AUDIT_MISSING, SEV_ERROR, 3 },     { AUDIT_NOT_GREEN, SEV_ERROR, 1 },    { AUDIT_UNREADABLE, SEV_ERROR, 0 }, { AUDIT_UNREADABLE, SEV_ERROR, 0 },
		{ AUDIT_UNREADABLE, SEV_ERROR, 0 },  { AUDIT_UNDEFENDED, SEV_ERROR, 2 },   { AUDIT_CAME_BACK, SEV_WARNING, 1 }, { AUDIT_UNVERIFIED, SEV_NOTE, 3 },
	};
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct audit_config c;
	struct audit a;

	make_store();
	configure(&c);
	fine(audit_run(&c, &mem, &a, &e));
	assert_int_equal(a.n, ARRAY_LEN(rows));
	for (size_t i = 0; i < a.n; i++) {
		assert_int_equal(a.findings[i].kind, rows[i].kind);
		assert_int_equal(a.findings[i].severity, rows[i].severity);
		assert_int_equal(a.findings[i].seq, rows[i].seq);
		assert_true(!a.findings[i].file || strlen(a.findings[i].file) > 3);
	}
	assert_int_equal(a.contracts, 2);
	assert_int_equal(a.defended, 2);
	assert_int_equal(a.states[DEFENCE_BROKEN], 2);
	assert_int_equal(a.states[DEFENCE_CONFIGURED], 1);
	assert_int_equal(a.repair.n_before, 1); /* a day; and half a one behind the defence */
	assert_true(a.repair.before == DAY && a.repair.n_after == 1 && a.repair.after == DAY / 2);
	assert_int_equal(a.n_notes, 1); /* no git here */
	audit_free(&a);
}

static void memory_may_be_out(void **state)
{
	(void)state;
	struct audit_config c;

	make_store();
	configure(&c);
	for (long n = 1;; n++) {
		CLEANUP(arena_free) struct arena mem = { 0 };
		struct audit a;
		fault_seen = 0;
		fault_at = n;
		int r = audit_run(&c, &mem, &a, &e);
		fault_at = 0;
		for (size_t i = 0; r == 0 && i < a.n; i++) /* nothing is said that is not so */
			assert_false(a.findings[i].seq == 1 && (a.findings[i].kind == AUDIT_MISSING || a.findings[i].kind == AUDIT_UNDEFENDED));
		assert_true(r < 0 || a.n >= 4);
		audit_free(&a);
		if (fault_seen < n) {
			fine(r);
			return;
		}
	}
}

static void *const sqlite = &(bool){ false };

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_tests),
		cmocka_unit_test(finds_rules),
		cmocka_unit_test_prestate_setup_teardown(audits, setup, teardown, sqlite),
		cmocka_unit_test_prestate_setup_teardown(memory_may_be_out, setup, teardown, sqlite),
	};

	return cmocka_run_group_tests(tests, make_tree, remove_dir);
}
