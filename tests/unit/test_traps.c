/* Traps of activation: the facts they rest on, what is said of trees on disk, and that they survive want of memory. The zoo has go's side. */
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
#include "check/directive.h"
#include "check/traps_embed.h"
#include "check/traps_own.h"
#include "trees.h"

static char top[] = "/tmp/tocsin-test-traps-XXXXXX";

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

/* ---- the table ---- */

static unsigned places(const char *z)
{
	unsigned ret = 0;

	for (; *z; z++)
		if (z[0] == '{' && z[1] >= '0' && z[1] <= '9' && z[2] == '}')
			ret |= 1u << (z[1] - '0');
	return ret;
}

static void test_table(void **state)
{
	for (size_t i = 0; i < trap_rule_count; i++) {
		const struct trap_rule *r = &trap_rules[i];
		assert_true(r->id && r->what.en[0] && r->what.zh[0] && r->message.en[0] && r->message.zh[0] &&
			    r->fix.en[0] && r->fix.zh[0]);
		assert_int_equal(places(r->message.en), places(r->message.zh));
		assert_int_equal(places(r->fix.en), places(r->fix.zh));
		assert_true(strncmp(cause_table[r->cause].id, "act.", 4) == 0);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(r->id, trap_rules[k].id);
	}
}

/* ---- facts ---- */

static int can(const char *text, const char *file, enum expr_where where, bool want)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	const struct constraint *x = constraint_parse(span_of(text), &mem, NULL);
	struct goname name = goname_read(span_of(file), 26);

	assert_non_null(x);
	return expr_can(x, &name, where, want);
}

static void test_can_hold(void **state)
{
	static const struct {
		const char *text, *file;
		enum expr_where where;
		bool want;
		int answer;
	} rows[] = {
		{ "linux", "x.go", EXPR_ANYWHERE, true, 1 },
		{ "linux && windows", "x.go", EXPR_ANYWHERE, true, 0 },
		{ "amd64 && arm64", "x.go", EXPR_ANYWHERE, true, 0 },
		{ "linux && android", "x.go", EXPR_ANYWHERE, true, 1 },
		{ "android && !linux", "x.go", EXPR_ANYWHERE, true, 0 },
		{ "ios && !darwin", "x.go", EXPR_ANYWHERE, true, 0 },
		{ "illumos && !solaris", "x.go", EXPR_ANYWHERE, true, 0 },
		{ "unix && windows", "x.go", EXPR_ANYWHERE, true, 0 },
		{ "windows && !unix", "x.go", EXPR_ANYWHERE, true, 1 },
		{ "linux && !unix", "x.go", EXPR_ANYWHERE, true, 0 },
		{ "gc && gccgo", "x.go", EXPR_ANYWHERE, true, 0 },
		{ "!gc && !gccgo", "x.go", EXPR_ANYWHERE, true, 1 },
		{ "go1.20 && !go1.19", "x.go", EXPR_ANYWHERE, true, 0 },
		{ "go1.19 && !go1.20", "x.go", EXPR_ANYWHERE, true, 1 },
		{ "cgo && !cgo", "x.go", EXPR_ANYWHERE, true, 0 },
		{ "mine && !mine", "x.go", EXPR_LOGIC, true, 0 },
		{ "linux && windows", "x.go", EXPR_LOGIC, true, 1 },
		{ "linux", "x_windows.go", EXPR_ANYWHERE, true, 0 },
		{ "linux", "x_android.go", EXPR_ANYWHERE, true, 1 },
		{ "arm64", "x_linux_amd64.go", EXPR_ANYWHERE, true, 0 },
		{ "arm64.v8.0 && amd64", "x.go", EXPR_ANYWHERE, true, 0 },
		{ "amd64.v3 && linux", "x.go", EXPR_ANYWHERE, true, 1 },
		{ "!linux || !windows", "x.go", EXPR_ANYWHERE, false, 0 },
		{ "!linux && !windows", "x.go", EXPR_ANYWHERE, false, 1 },
		{ "mine || !mine", "x.go", EXPR_ANYWHERE, false, 0 },
		{ "windows && s390x", "x.go", EXPR_ANYWHERE, true, 1 },
		{ "windows && s390x", "x.go", EXPR_PORTS, true, 0 },
		{ "js && wasm", "x.go", EXPR_PORTS, true, 1 },
		{ "mine", "x.go", EXPR_UNTAGGED, true, 0 },
		{ "!mine && plan9", "x.go", EXPR_UNTAGGED, true, 1 },
		{ "race && linux", "x.go", EXPR_UNTAGGED, true, 1 },
		{ "a&&b&&c&&d&&e&&f&&g&&h&&i&&j&&k", "x.go", EXPR_ANYWHERE, true, -1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (can(rows[i].text, rows[i].file, rows[i].where, rows[i].want) != rows[i].answer)
			fail_msg("%s in %s: want %d", rows[i].text, rows[i].file, rows[i].answer);
}

static void test_words(void **state)
{
	assert_int_equal(letters_apart(S("linux"), S("linux"), 2), 0);
	assert_int_equal(letters_apart(S("linx"), S("linux"), 2), 1);
	assert_int_equal(letters_apart(S("windwos"), S("windows"), 2), 1);
	assert_int_equal(letters_apart(S("darwin"), S("windows"), 2), 3);
	assert_int_equal(letters_apart(S(""), S("ab"), 2), 2);
	assert_true(span_eq(platform_fold(S("Windows")), S("windows")) &&
		    span_eq(platform_fold(S("ARM64")), S("arm64")));
	assert_null(platform_fold(S("win")).p);
	assert_true(tag_of_go(S("linux")) && tag_of_go(S("go1.22")) && tag_of_go(S("race")) &&
		    !tag_of_go(S("go1.22.1")) && !tag_of_go(S("mine")));
	assert_true(embed_valid_path(S("a/b")) && embed_valid_path(S(".")) && embed_valid_path(S(".x")));
	assert_false(embed_valid_path(S("./a")) || embed_valid_path(S("/a")) || embed_valid_path(S("a/")) ||
		     embed_valid_path(S("a//b")) || embed_valid_path(S("a/../b")) || embed_valid_path(S("")));
}

/* ---- trees ---- */

static struct target target = { .name = "linux/amd64",
				.goos = "linux",
				.goarch = "amd64",
				.compiler = "gc",
				.version = "1.26.8",
				.go = 26,
				.cgo = true };

static int choose(const char *dir, struct report *report, struct err *e)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	CLEANUP(src_tree_free) struct src_tree tree = { 0 };
	CLEANUP(selection_free) struct selection sel = { 0 };
	struct src_options o = { .skipped = true, .others = true, .threads = 1, .go = 26 };
	struct target_env env = { .version = "1.26.8", .targets = &target, .n = 1 };

	path_join(&path, top, dir);
	if (path.bad)
		return err_set(e, ENOMEM, "no memory");
	int r = src_tree_read(buf_str(&path), &o, &tree, e);
	if (r == 0)
		r = select_files(&tree, &target, &sel, e);
	struct traps t = {
		.tree = &tree, .env = &env, .selections = &sel, .n = 1, .prefix = "", .report = report
	};
	return r < 0 ? r : check_traps(&t, e);
}

/* "RULE:LINE " of each finding, in their order. */
static int run(const char *dir, struct buf *ret, struct err *e)
{
	struct report report = { 0 };
	int r = choose(dir, &report, e);

	for (size_t i = 0; i < report.n_findings && r == 0; i++) {
		const struct finding *f = &report.findings[i];
		size_t at = span_rchr(f->message, '[');
		struct span rule = span_from(f->message, at + 1);
		assert_true(at != SPAN_NONE && rule.n > 1 && f->advice.n);
		buf_addf(ret, "%.*s:%.*s:%d ", (int)rule.n - 1, rule.p, SPAN_ARG(f->file), f->line);
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

#define MOD "module ex.test/m\n\ngo 1.19\n"

static void make_all(void)
{
	put("names/go.mod", MOD);
	put("names/robot_arm.go", "package m\n");
	put("names/x.windows.go", "package m\n");
	put("names/x_Windows.go", "package m\n");
	put("names/x-linux.go", "package m\n");
	put("names/y_linux_.go", "package m\n");
	put("names/z_test_linux.go", "package m\n\nimport \"testing\"\n\nfunc TestZ(t *testing.T) {}\n");
	put("names/_gone_test.go", "package m\n");
	put("lines/go.mod", MOD);
	put("lines/a.go", "// go:build linux\n\npackage m\n");
	put("lines/b.go", "//go:build!linux\n\npackage m\n");
	put("lines/c.go", "// +build linux\npackage m\n");
	put("lines/d.go", "//go:build linux\n// +build windows\n\npackage m\n");
	put("lines/e.go",
	    "package m\n\nimport \"embed\"\n\n// go:embed x\nvar x embed.FS\n\n//go:genrate x\n\nfunc f() {\n\t//go:generate y\n}\n");
	put("lines/f.go",
	    "// A sentence of two lines\n// go:build ones\n\npackage m\n\n//go:linkname a b.c\n");
	put("tags/go.mod", MOD);
	put("tags/a.go", "//go:build Linux || windwos\n\npackage m\n");
	put("tags/b.go", "//go:build go1.19.3\n\npackage m\n");
	put("tags/c.go", "//go:build linux && windows\n\npackage m\n");
	put("tags/d.go", "//go:build withgpu\n\npackage m\n");
	put("tags/e_test.go", "//go:build withdb\n\npackage m\n");
	put("tags/Makefile", "TAGS = unread\nall:\n\tgo test -tags \"$(TAGS)\" ./...\n");
	put("embeds/go.mod", MOD);
	put("embeds/a.go",
	    "package m\n\nimport \"embed\"\n\n//go:embed d\nvar a embed.FS\n\n//go:embed ./d none all:[\nvar b embed.FS\n\n//go:embed d/x d/y\nvar c string\n\n"
	    "func f() {\n\t_, _ = a.Open(\"./d/x\")\n\t_, _ = a.Open(\"d/x\")\n}\n");
	put("embeds/d/x", "x");
	put("embeds/d/y", "y");
	put("embeds/d/_z", "z");
	put("globs/go.mod", MOD);
	put("globs/a.go",
	    "package m\n\nimport \"embed\"\n\n//go:embed ?.txt [\xc3\xa0-\xc3\xbc].txt a*[b-z]*?.css\nvar a embed.FS\n\n//go:embed *a*a*a*a*a*a*a*a*a*a*a*b\nvar b embed.FS\n\n"
	    "//go:embed Aux.js\nvar c embed.FS\n");
	put("globs/\xc3\xa9.txt", "x");
	put("globs/aXbXcXX.css", "x");
	put("globs/Aux.js", "x");
	put("globs/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	    "x");
	put("flags/go.mod", MOD);
	put("flags/main.go",
	    "package main\n\nimport \"os\"\n\nconst C = \"\"\n\nvar V, W = \"\", os.Getenv(\"W\")\nvar N = 1\n\nfunc main() {}\n");
	put("flags/v/v.go", "package v\n\nvar Version string\n");
	put("flags/Makefile",
	    "P := ex.test/m/v\nall:\n\tgo build -ldflags \"-X main.V=1 -X main.C=1 -X main.W=1\" .\n\tgo build -ldflags '-X=main.N=1 -X $(P).Version=1' .\n"
	    "\tgo build -ldflags \"-X ${P}.version=1 -X ex.test/m.V=1 -X ex.test/m/w.X=1 -X $(Q).x=1\"\n");
	put("plugins/go.mod", MOD);
	put("plugins/p.sh",
	    "go build .\ngo build -buildmode=plugin -race ./p\nGOOS=windows go build -buildmode=plugin ./p\n");
	put("plugins/p/p.go", "package main\n\nfunc main() {}\n");
	put("vendored/go.mod", MOD "\nrequire ex.test/b v1.0.0\n");
	put("vendored/vendor/modules.txt", "# ex.test/b v1.0.0\n## explicit\nex.test/b\n");
	put("folders/go.mod", MOD);
	put("folders/a/go.mod", "");
	put("folders/a/a.go", "package a\n");
	put("folders/_b/b.go", "package b\n");
	put("folders/c/c_windows.go", "//go:build windows\n\npackage c\n");
}

static const char *const dirs[] = { "names", "lines",   "tags",     "embeds", "globs",
				    "flags", "plugins", "vendored", "folders" };

static void test_trees(void **state)
{
	make_all();
	expect("names",
	       "test.hidden:_gone_test.go:0 name.platform:robot_arm.go:0 name.dash:x-linux.go:0 name.dot:x.windows.go:0 name.case:x_Windows.go:0 "
	       "name.dash:y_linux_.go:0 test.name:z_test_linux.go:5 ");
	expect("lines",
	       "build.space:a.go:1 build.space:b.go:1 plus.place:c.go:1 plus.mismatch:d.go:2 embed.space:e.go:5 directive.unknown:e.go:8 "
	       "generate.indented:e.go:11 linkname.unsafe:f.go:6 ");
	expect("tags",
	       "expr.never:c.go:1 tag.case:a.go:1 tag.unknown:a.go:1 tag.version:b.go:1 tag.unset:d.go:1 test.tag:e_test.go:1 tag.unread:Makefile:3 "
	       "package.vanishes:.:0 ");
	expect("embeds",
	       "embed.refused:a.go:11 embed.open:a.go:15 embed.hidden:a.go:5 embed.refused:a.go:8 embed.refused:a.go:8 embed.refused:a.go:8 ");
	expect("globs", "embed.refused:a.go:8 embed.refused:a.go:11 ");
	expect("flags",
	       "x.unsettable:Makefile:3 x.unsettable:Makefile:3 x.type:Makefile:4 x.unknown:Makefile:5 x.main:Makefile:5 x.unknown:Makefile:5 ");
	expect("plugins", "plugin.settings:p.sh:2 plugin.target:p.sh:3 ");
	expect("vendored", "vendor.empty:vendor/modules.txt:3 ");
	expect("folders", "package.vanishes:c:0 dir.hidden:_b:0 dir.empty_mod:a/go.mod:0 ");
}

static void test_allowed(void **state)
{
	put("allowed/go.mod", MOD);
	put("allowed/x-linux.go", "// tocsin:allow name.dash it is meant\n\npackage m\n");
	put("allowed/y.go", "// tocsin:allow act.directive\n// go:build linux\n\npackage m\n");
	put("allowed/z.go", "// tocsin:allow tag.case another rule\n// go:build linux\n\npackage m\n");
	expect("allowed", "build.space:z.go:2 ");
}

static void test_no_memory(void **state)
{
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

static void test_directives(void **state)
{
	static const struct {
		const char *text, *word, *rest, *near; /* word NULL: it is none */
		bool exact;
	} rows[] = {
		{ "//go:build linux && amd64", "build", "linux && amd64", "build", true },
		{ "// go:build linux", "build", "linux", "build", false },
		{ "//GO:Embed  a.txt", "embed", "a.txt", "embed", false },
		{ "//go: noinline", "noinline", "", "noinline", false },
		{ "//go:build!linux", "build", "!linux", "build", false },
		{ "//go:buildlinux", "build", "linux", "build", false },
		{ "/* go:embed a */", "embed", "a", "embed", false },
		{ "//go:generat stringer", "generat", "stringer", "generate", true },
		{ "//go:inline", "inline", "", NULL, true }, /* of another compiler */
		{ "//go:nothing-of-ours", "nothing-of-ours", "", NULL, true },
		{ "// gopher: a name", NULL, NULL, NULL, false },
		{ "//go:", NULL, NULL, NULL, false },
		{ "//", NULL, NULL, NULL, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct gomark m = { .text = span_of(rows[i].text) };
		struct directive d;
		bool is = directive_read(&m, &d);
		if (is != !!rows[i].word ||
		    (is && (!span_eq(d.word, span_of(rows[i].word)) ||
			    !span_eq(d.rest, span_of(rows[i].rest)) || d.exact != rows[i].exact)))
			fail_msg("%s", rows[i].text);
		struct span near = is ? directive_near(d.word) : (struct span){ 0 };
		if (is && !span_eq(near, rows[i].near ? span_of(rows[i].near) : (struct span){ 0 }))
			fail_msg("%s is near <%.*s>", rows[i].text, SPAN_ARG(near));
		for (size_t n = 2; n < m.text.n; n++) { /* cut off anywhere */
			char *cut = mem_dup(rows[i].text, n);
			directive_read(&(struct gomark){ .text = { cut, n } }, &d);
			mem_free(cut);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_directives), cmocka_unit_test(test_table),
		cmocka_unit_test(test_can_hold),   cmocka_unit_test(test_words),
		cmocka_unit_test(test_trees),      cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests_name("traps", tests, setup, teardown);
}
