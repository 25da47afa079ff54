/* check: targets, a tree read, and the files chosen of it. (tests/e2e/activation.py holds them beside go itself.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/path.h"
#include "check/select.h"

static char root[] = "/tmp/tocsin-select-XXXXXX";

static void put(const char *name, const char *text)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	CLEANUP(buf_free) struct buf dir = { 0 };

	path_join(&path, root, name);
	buf_span(&dir, path_dir(buf_view(&path)));
	assert_int_equal(path_mkdirs(buf_str(&dir), 0755, NULL), 0);
	assert_int_equal(file_replace(buf_str(&path), span_of(text), NULL), 0);
}

static int setup(void **state)
{
	assert_non_null(mkdtemp(root));
	put("go.mod", "module example.test/m\n\ngo 1.21\n\nignore ./left\n");
	put("a.go", "package m\n");
	put("a_windows.go", "package m\n");
	put("a_arm64.go", "package m\n");
	put("b.go", "//go:build linux && tools\n\npackage m\n");
	put("c.go", "package m\n\nimport \"C\"\n");
	put("c.S", "");
	put("m_test.go", "package m_test\n");
	put("README", "");
	put("gone/x_plan9.go", "package gone\n");
	put("bad/x.go", "package func\n");
	put("own/go.mod", "module own\n");
	put("own/a.go", "package own\n");
	put("left/a.go", "package left\n");
	put("testdata/a.go", "package a\n");
	put("_x/a.go", "package a\n");
	return 0;
}

static int teardown(void **state)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	buf_addf(&b, "rm -rf '%s'", root);
	return system(buf_str(&b)); /* a path of our own making */
}

static int targets(struct target_flags f, struct target_env *env)
{
	struct err e;

	if (f.cgo == 0)
		f.cgo = -1;
	if (!f.go)
		f.go = "1.26.1";
	f.race = f.race ? f.race : -1;
	f.msan = f.asan = -1;
	return target_env_read(&f, root, env, &e);
}

static void read_tree(struct src_tree *t, const struct target_env *env, bool skipped)
{
	const struct src_options o = { .go = env->targets[0].go, .skipped = skipped, .threads = 2 };
	struct err e;

	assert_int_equal(src_tree_read(root, &o, t, &e), 0);
}

static const struct act_file *file_of(const struct selection *s, const char *dir, const char *name)
{
	const struct act_package *p = selection_package(s, src_tree_dir(s->tree, dir));

	for (size_t i = 0; p && i < p->n; i++)
		if (!strcmp(p->files[i].src->name, name))
			return &p->files[i];
	return NULL;
}

static void check_file(const struct selection *s, const char *name, enum act_list list, enum act_why why,
		       int line)
{
	const struct act_file *f = file_of(s, ".", name);

	if (!f) {
		fail_msg("%s is not there", name);
		return;
	}
	assert_int_equal(f->list, list);
	assert_int_equal(f->why, why);
	assert_int_equal(f->line, line);
}

static void test_select(void **state)
{
	CLEANUP(target_env_free) struct target_env env;
	CLEANUP(src_tree_free) struct src_tree t;
	CLEANUP(selection_free) struct selection s;
	CLEANUP(buf_free) struct buf b = { 0 };
	struct err e;

	assert_int_equal(targets((struct target_flags){ .goos = "linux", .goarch = "amd64", .cgo = 1 }, &env),
			 0);
	read_tree(&t, &env, false);
	assert_int_equal(select_files(&t, &env.targets[0], &s, &e), 0);
	check_file(&s, "a.go", ACT_GO, ACT_BUILT, 0);
	check_file(&s, "a_windows.go", ACT_IGNORED_GO, ACT_WHY_NAME, 0);
	check_file(&s, "a_arm64.go", ACT_IGNORED_GO, ACT_WHY_NAME, 0);
	check_file(&s, "b.go", ACT_IGNORED_GO, ACT_WHY_BUILD, 1);
	check_file(&s, "c.go", ACT_CGO, ACT_BUILT, 0);
	check_file(&s, "c.S", ACT_S, ACT_BUILT, 0);
	check_file(&s, "m_test.go", ACT_XTEST, ACT_BUILT, 0);
	act_why_write(file_of(&s, ".", "b.go"), &env.targets[0], &b);
	assert_string_equal(buf_str(&b), "//go:build linux && tools: the tag tools is not set");
	assert_string_equal(selection_package(&s, src_tree_dir(&t, "gone"))->dir->import,
			    "example.test/m/gone");
	assert_int_equal(selection_package(&s, src_tree_dir(&t, "gone"))->state, PKG_EXCLUDED);
	assert_false(selection_package(&s, src_tree_dir(&t, "gone"))->listed);
	const struct act_package *bad = selection_package(&s, src_tree_dir(&t, "bad"));
	assert_true(bad->state == PKG_INVALID && bad->listed);
	assert_string_equal(bad->refused, "x.go:1:9: expected 'IDENT', found 'func'");
	assert_int_equal(src_tree_dir(&t, "own")->skip, DIR_NESTED);
	assert_int_equal(src_tree_dir(&t, "left")->skip, DIR_IGNORED);
	assert_int_equal(src_tree_dir(&t, "left")->skip_line, 5);
	assert_int_equal(src_tree_dir(&t, "testdata")->skip, DIR_TESTDATA);
	assert_int_equal(src_tree_dir(&t, "_x")->skip, DIR_HIDDEN);
	assert_int_equal(src_tree_dir(&t, "_x")->n, 0);

	struct report r = { 0 };
	assert_int_equal(select_refused(&s, 1, "sub/", &r, &e), 0);
	assert_int_equal(r.n_findings, 1);
	assert_true(span_eq(r.findings[0].file, S("sub/bad/x.go")) && r.findings[0].line == 1 &&
		    r.findings[0].severity == SEV_ERROR);
	report_free(&r);
}

static void test_cgo_off(void **state)
{
	CLEANUP(target_env_free) struct target_env env;
	CLEANUP(src_tree_free) struct src_tree t;
	CLEANUP(selection_free) struct selection s;
	struct err e;

	assert_int_equal(
		targets((struct target_flags){ .goos = "darwin", .goarch = "arm64", .tags = "tools" }, &env),
		0);
	assert_false(env.targets[0].cgo);
	read_tree(&t, &env, true);
	assert_int_equal(select_files(&t, &env.targets[0], &s, &e), 0);
	check_file(&s, "c.go", ACT_IGNORED_GO, ACT_WHY_CGO_OFF, 3);
	check_file(&s, "c.S", ACT_IGNORED_OTHER, ACT_WHY_NO_CGO, 0);
	check_file(&s, "a_arm64.go", ACT_GO, ACT_BUILT, 0);
	check_file(&s, "b.go", ACT_IGNORED_GO, ACT_WHY_BUILD, 1);
	assert_int_equal(src_tree_dir(&t, "_x")->n, 1);
}

static const struct {
	const char *os, *arch, *tag;
	const char *go;
	bool is;
} tags[] = {
	{ "linux", "amd64", "linux", "1.26", true },
	{ "android", "arm64", "linux", "1.26", true },
	{ "linux", "amd64", "android", "1.26", false },
	{ "illumos", "amd64", "solaris", "1.26", true },
	{ "ios", "arm64", "darwin", "1.26", true },
	{ "linux", "amd64", "unix", "1.26", true },
	{ "linux", "amd64", "unix", "1.18", false },
	{ "windows", "amd64", "unix", "1.26", false },
	{ "linux", "amd64", "gc", "1.26", true },
	{ "linux", "amd64", "gccgo", "1.26", false },
	{ "linux", "amd64", "go1.26", "1.26", true },
	{ "linux", "amd64", "go1.27", "1.26", false },
	{ "linux", "amd64", "go1.19.3", "1.26", false },
	{ "linux", "amd64", "go1.01", "1.26", false },
	{ "linux", "amd64", "Linux", "1.26", false },
	{ "linux", "amd64", "amd64.v1", "1.26", true },
	{ "linux", "amd64", "amd64.v1", "1.19", false },
	{ "linux", "arm", "arm.6", "1.26", true },
	{ "linux", "amd64", "goexperiment.regabiargs", "1.26", true },
	{ "linux", "386", "goexperiment.regabiargs", "1.26", false },
	{ "linux", "s390x", "goexperiment.regabiargs", "1.25", false },
	{ "linux", "amd64", "goexperiment.greenteagc", "1.25", false },
	{ "linux", "amd64", "ignore", "1.26", false },
	{ "linux", "amd64", "mine", "1.26", true },
	{ "linux", "amd64", "race", "1.26", true },
};

static void test_tags(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
		CLEANUP(target_env_free) struct target_env env;
		assert_int_equal(targets((struct target_flags){ .goos = tags[i].os,
								.goarch = tags[i].arch,
								.go = tags[i].go,
								.tags = "mine,other",
								.race = 1 },
					 &env),
				 0);
		assert_int_equal(target_is(&env.targets[0], span_of(tags[i].tag)), tags[i].is);
	}
	assert_true(target_known_tag(S("windows"), 26) && target_known_tag(S("amd64.v3"), 26) &&
		    target_known_tag(S("arm64.v9.2"), 26));
	assert_false(target_known_tag(S("window"), 26) || target_known_tag(S("amd64.v9"), 26) ||
		     target_known_tag(S("tools"), 26));
}

static void test_refused(void **state)
{
	CLEANUP(target_env_free) struct target_env env;

	assert_int_equal(targets((struct target_flags){ .goos = "beos" }, &env), -EINVAL);
	assert_int_equal(targets((struct target_flags){ .goos = "windows", .goarch = "s390x" }, &env),
			 -EINVAL);
	assert_int_equal(targets((struct target_flags){ .tags = "a b,c" }, &env), -EINVAL);
	assert_int_equal(targets((struct target_flags){ .go = "none" }, &env), -EINVAL);
	assert_int_equal(targets((struct target_flags){ .mod = "x" }, &env), -EINVAL);
	assert_int_equal(targets((struct target_flags){ .compiler = "tcc" }, &env), -EINVAL);
	assert_int_equal(
		targets((struct target_flags){ .matrix = (const char *const[]){ "linux" }, .n_matrix = 1 },
			&env),
		-EINVAL);
	assert_int_equal(
		targets((struct target_flags){ .matrix = (const char *const[]){ "all" }, .n_matrix = 1 },
			&env),
		0);
	assert_true(env.n > 40);
}

/* Each allocation and read may fail: then all of it does, and nothing stays. */
static void test_no_memory(void **state)
{
	const struct src_options o = { .go = 26, .threads = 1 };
	struct err e;

	for (long at = 1;; at++) {
		struct target_env env = { 0 };
		struct src_tree t = { 0 };
		struct selection s = { 0 };
		fault_seen = 0;
		fault_at = at;
		int r = targets((struct target_flags){ .goos = "linux", .goarch = "amd64", .cgo = 1 }, &env);
		if (r == 0)
			r = src_tree_read(root, &o, &t, &e);
		if (r == 0)
			r = select_files(&t, &env.targets[0], &s, &e);
		bool done = fault_seen < at;
		fault_at = 0;
		selection_free(&s);
		src_tree_free(&t);
		target_env_free(&env);
		if (r && r != -ENOMEM && r != -EIO)
			print_error("%ld: %d %s\n", at, r, e.msg);
		assert_true(r == 0 || r == -ENOMEM || r == -EIO);
		if (done)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_select),  cmocka_unit_test(test_cgo_off),   cmocka_unit_test(test_tags),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_no_memory),
	};
	lang_now = LANG_EN;
	unsetenv("GOFLAGS");
	unsetenv("CGO_ENABLED");
	unsetenv("GOWORK");
	unsetenv("GOEXPERIMENT");
	setenv("GOENV", "off", 1);
	return cmocka_run_group_tests(tests, setup, teardown);
}
