/* probe: expectations and differences, on probes that are made by hand; that both survive want of memory. Real binaries: tests/e2e/probe_use.py. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "probe/diff.h"
#include "probe/expect.h"

#define HASH "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"

static const struct probe_module fork_by = {
	{ "example.test/fork", 17 }, { "v1.2.0", 6 }, { NULL, 0 }, NULL
};
static const struct probe_module deps[] = {
	{ { "example.test/lib", 16 }, { "v1.4.0", 6 }, { "h1:x", 4 }, NULL },
	{ { "example.test/old", 16 }, { "v1.0.0", 6 }, { "h1:y", 4 }, &fork_by },
};
static const struct probe_setting settings[] = {
	{ { "-tags", 5 }, { "a,b", 3 } },
	{ { "GOOS", 4 }, { "linux", 5 } },
	{ { "vcs.revision", 12 }, { "0123456789abcdef0123456789abcdef01234567", 40 } },
	{ { "vcs.modified", 12 }, { "false", 5 } },
};
static const struct probe_func funcs[] = { { "main.main", "/b/main.go", 1, 3, 0 },
					   { "main.(*T).M", "/b/main.go", 2, 9, 0 },
					   { "example.test/lib.F", "/m/lib.go", 3, 1, 1 } };
static const struct probe_inlined inlined[] = { { "main.small", 5, 0, 0 } };
static const struct probe_package packages[] = { { { "example.test/lib", 16 }, 1, 0 },
						 { { "main", 4 }, 2, 1 } };
static const char *const files[] = { "/b/main.go", "/m/lib.go" };
static const struct probe_embed embeds[] = { { .name = { "a.txt", 5 }, .hashed = true, .size = 6 } };

static struct probe made(void)
{
	return (struct probe){
		.format = PROBE_ELF,
		.arch = "amd64",
		.os = S("linux"),
		.go = true,
		.go_version = S("go1.22.3"),
		.build_id = S("a/b/c/d"),
		.build_info = true,
		.path = S("example.test/app"),
		.main = { .path = S("example.test/app"), .version = S("v0.3.0") },
		.deps = deps,
		.n_deps = ARRAY_LEN(deps),
		.settings = settings,
		.n_settings = ARRAY_LEN(settings),
		.funcs = funcs,
		.n_funcs = ARRAY_LEN(funcs),
		.inlined = inlined,
		.n_inlined = ARRAY_LEN(inlined),
		.packages = packages,
		.n_packages = ARRAY_LEN(packages),
		.files = files,
		.n_files = ARRAY_LEN(files),
		.embeds = embeds,
		.n_embeds = ARRAY_LEN(embeds),
	};
}

/* The cause of what does not hold; CAUSE_NONE: it holds. */
static enum cause ask(const struct probe *p, const char *word, enum expect_state *state)
{
	CLEANUP(expect_free) struct expect x = { 0 };
	struct report r = { 0 };
	struct err e = { 0 };

	assert_int_equal(expect_word(&x, word, &e), 0);
	assert_int_equal(x.n, 1);
	assert_string_equal(x.v[0].said, word);
	assert_int_equal(expect_judge(&x, p, &r, &e), 0);
	enum cause c = r.n_findings ? r.findings[0].cause : CAUSE_NONE;
	*state = x.v[0].state;
	assert_true((c != CAUSE_NONE) == (x.v[0].state > EXPECT_INLINED));
	report_free(&r);
	return c;
}

static void test_words(void **ctx)
{
	static const struct {
		const char *word;
		enum cause cause;
		enum expect_state state;
	} rows[] = {
		{ "go:1.22.3", CAUSE_NONE, EXPECT_HOLDS },
		{ "go:go1.22.3", CAUSE_NONE, EXPECT_HOLDS },
		{ "go:>=1.22", CAUSE_NONE, EXPECT_HOLDS },
		{ "go:<1.22.3", CAUSE_ACT_MISMATCH, EXPECT_DIFFERS },
		{ "path:example.test/*", CAUSE_NONE, EXPECT_HOLDS },
		{ "path:main", CAUSE_ACT_MISMATCH, EXPECT_DIFFERS },
		{ "version:v0.3.0", CAUSE_NONE, EXPECT_HOLDS },
		{ "version:>v0.3.0", CAUSE_ACT_MISMATCH, EXPECT_DIFFERS },
		{ "revision:0123456789ab", CAUSE_NONE, EXPECT_HOLDS },
		{ "revision:0123456789AB", CAUSE_NONE, EXPECT_HOLDS },
		{ "revision:1123456789ab", CAUSE_ACT_MISMATCH, EXPECT_DIFFERS },
		{ "clean", CAUSE_NONE, EXPECT_HOLDS },
		{ "tags:b,a", CAUSE_NONE, EXPECT_HOLDS },
		{ "tags:a", CAUSE_ACT_MISMATCH, EXPECT_DIFFERS },
		{ "setting:GOOS=linux", CAUSE_NONE, EXPECT_HOLDS },
		{ "setting:GOOS=plan9", CAUSE_ACT_MISMATCH, EXPECT_DIFFERS },
		{ "setting:-race=absent", CAUSE_NONE, EXPECT_HOLDS },
		{ "module:example.test/lib@v1.4.0", CAUSE_NONE, EXPECT_HOLDS },
		{ "module:example.test/lib@>=v1.3.0", CAUSE_NONE, EXPECT_HOLDS },
		{ "module:example.test/lib@v1.4", CAUSE_ACT_MISMATCH, EXPECT_DIFFERS },
		{ "module:example.test/old@v1.0.0", CAUSE_ACT_MISMATCH,
		  EXPECT_DIFFERS }, /* other code runs */
		{ "module:example.test/old@=> example.test/fork v1.2.0", CAUSE_NONE, EXPECT_HOLDS },
		{ "module:example.test/none@v1.0.0", CAUSE_ACT_NOT_LINKED, EXPECT_NOT_FOUND },
		{ "module:example.test/none@absent", CAUSE_NONE, EXPECT_HOLDS },
		{ "module:example.test/lib@absent", CAUSE_ACT_MISMATCH, EXPECT_DIFFERS },
		{ "module:example.test/old@<v9.0.0", CAUSE_ACT_MISMATCH,
		  EXPECT_DIFFERS }, /* a replacement is not before it */
		{ "module:example.test/old@!=v1.0.0", CAUSE_NONE, EXPECT_HOLDS },
		{ "func:main.main", CAUSE_NONE, EXPECT_HOLDS },
		{ "func:main.(*).M", CAUSE_NONE, EXPECT_HOLDS },
		{ "func:*.(*T).M", CAUSE_NONE, EXPECT_HOLDS },
		{ "func:main.(*).N", CAUSE_ACT_NOT_LINKED, EXPECT_NOT_FOUND },
		{ "func:main.(*T).M", CAUSE_NONE, EXPECT_HOLDS },
		{ "func:main.small", CAUSE_NONE, EXPECT_INLINED },
		{ "func:main.s*", CAUSE_NONE, EXPECT_INLINED },
		{ "func:main.gone", CAUSE_ACT_NOT_LINKED, EXPECT_NOT_FOUND },
		{ "package:main", CAUSE_NONE, EXPECT_HOLDS },
		{ "package:example.test/*", CAUSE_NONE, EXPECT_HOLDS },
		{ "package:example.test/other", CAUSE_ACT_NOT_LINKED, EXPECT_NOT_FOUND },
		{ "embed:a.txt", CAUSE_NONE, EXPECT_HOLDS },
		{ "embed:a.txt=" HASH, CAUSE_ACT_MISMATCH, EXPECT_DIFFERS },
		{ "embed:b.txt", CAUSE_ACT_NOT_LINKED, EXPECT_NOT_FOUND },
		{ "no-devel", CAUSE_NONE, EXPECT_HOLDS },
		{ "no-replace", CAUSE_ACT_MISMATCH, EXPECT_DIFFERS },
		{ "build-id:a/b/c/d", CAUSE_NONE, EXPECT_HOLDS },
		{ "build-id:x/b/c/d", CAUSE_NONE, EXPECT_HOLDS }, /* the last part is of the content */
		{ "build-id:a/b/c/e", CAUSE_ACT_MISMATCH, EXPECT_DIFFERS },
	};
	struct probe p = made();
	enum expect_state state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum cause c = ask(&p, rows[i].word, &state);
		if (c != rows[i].cause || state != rows[i].state)
			fail_msg("%s: %s, %s", rows[i].word, c ? cause_table[c].id : "holds",
				 expect_state_word(state));
	}
}

static void test_receivers(void **ctx)
{
	struct span other = S("main.(*OtherT).M");

	assert_true(function_matches("main.(*T).M", S("main.(*T).M")));
	assert_false(function_matches("main.(*T).M", other));
	assert_false(function_matches("*.(*T).M", other));
	assert_true(function_matches("main.(*).M", other));
	assert_true(function_matches("main.(**T).M", other));
	assert_true(function_matches("main.*", other));
	assert_true(function_matches("*", other));
	assert_false(function_matches("main.(*T", other));
}

/* Nothing is known of it: no expectation can hold, and each says so. */
static void test_nothing_known(void **ctx)
{
	static const char *const words[] = {
		"go:1.22",        "path:x",       "version:v1.0.0",     "revision:0123456",
		"clean",          "tags:",        "setting:GOOS=linux", "module:a@v1.0.0",
		"func:main.main", "package:main", "no-devel",           "no-replace",
		"build-id:x"
	};
	struct probe p = { .format = PROBE_ELF, .arch = "amd64" };
	enum expect_state state;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (ask(&p, words[i], &state) == CAUSE_NONE || state != EXPECT_NOT_KNOWN)
			fail_msg("%s: %s", words[i], expect_state_word(state));
	}
}

static void test_wrong(void **ctx)
{
	static const struct {
		const char *word;
		int code;
	} words[] = { { "func", -ENOENT },
		      { "functions:x", -ENOENT },
		      { "", -ENOENT },
		      { "func:", -EINVAL },
		      { "revision:xyz1234", -EINVAL },
		      { "revision:12", -EINVAL },
		      { "module:a", -EINVAL },
		      { "setting:a", -EINVAL },
		      { "embed:a=12", -EINVAL },
		      { "clean:x", -ENOENT },
		      { "go:", -EINVAL },
		      { "go:>=banana", -EINVAL },
		      { "version:<x", -EINVAL },
		      { "module:a@>=1.2.3", -EINVAL },
		      { "module:a@", -EINVAL } };
	static const char *const texts[] = { "x: y\n",
					     "go: [a]\n",
					     "clean: maybe\n",
					     "functions: {a: b}\n",
					     "modules: [a]\n",
					     "- a\n",
					     "",
					     "warn: {warn: {go: x}}\n",
					     "embeds: {a: zz}\n",
					     "binary: [a]\n",
					     "go:\n",
					     "functions: ~\n",
					     "modules: {a: }\n" };
	CLEANUP(expect_free) struct expect x = { 0 };
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (expect_word(&x, words[i].word, &e) != words[i].code || !*e.msg)
			fail_msg("'%s': %s", words[i].word, e.msg);
	}
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (expect_text(&x, "e.yaml", span_of(texts[i]), &e) != -EINVAL || !strstr(e.msg, "e.yaml"))
			fail_msg("'%s': %d %s", texts[i], e.code, e.msg);
	}
	assert_int_equal(x.n, 0);
}

static const char whole[] =
	"binary: bin/app\ngo: '>=1.20'\nclean: true\nno_replace: false\ntags: [a, b]\nsettings:\n  GOOS: linux\nmodules:\n  example.test/lib: v9.0.0\nfunctions:\n  - main.main\n"
	"  - main.none\nembeds: [a.txt]\nwarn:\n  packages: [nowhere]\n";

static int check_whole(struct report *r, struct err *e)
{
	CLEANUP(expect_free) struct expect x = { 0 };
	CLEANUP(buf_free) struct buf b = { 0 };
	struct json_out j = { .to = &b };
	struct probe p = made();

	int n = expect_text(&x, "dir/e.yaml", span_of(whole), e);
	if (n == 0)
		n = expect_judge(&x, &p, r, e);
	if (n < 0)
		return n;
	assert_string_equal(x.binary, "dir/bin/app");
	expect_json(&x, &j);
	assert_true(b.bad ||
		    strstr(buf_str(&b),
			   "{\"expect\":\"func:main.none\",\"state\":\"not_found\",\"holds\":false}"));
	return b.bad ? -ENOMEM : 0;
}

static void test_file(void **ctx)
{
	static const struct {
		int line;
		enum severity severity;
	} want[] = { { 9, SEV_ERROR }, { 12, SEV_ERROR }, { 15, SEV_WARNING } };
	struct report r = { 0 };
	struct err e = { 0 };

	assert_int_equal(check_whole(&r, &e), 0);
	assert_int_equal(r.n_findings, ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_int_equal(r.findings[i].line, want[i].line);
		assert_int_equal(r.findings[i].severity, want[i].severity);
		assert_true(span_eq(r.findings[i].file, S("dir/e.yaml")));
	}
	report_free(&r);
}

static void test_plugin(void **ctx)
{
	static const struct probe_hash own[] = { { { "fmt", 3 }, { "aa", 2 } },
						 { { "util", 4 }, { "bb", 2 } },
						 { { "plug", 4 }, { "cc", 2 } } };
	static const struct probe_hash other[] = { { { "fmt", 3 }, { "aa", 2 } },
						   { { "util", 4 }, { "b2", 2 } } };
	struct probe host = made(), plugin = made();
	struct report r = { 0 };

	host.hashes = own;
	host.n_hashes = 2;
	plugin.hashes = own;
	plugin.n_hashes = 3;
	assert_int_equal(plugin_check(&host, &plugin, "p.so", &r), 1); /* it is no plugin */
	plugin.kind = PROBE_PLUGIN;
	assert_int_equal(plugin_check(&host, &plugin, "p.so", &r), 0);
	plugin.hashes = other;
	plugin.n_hashes = 2;
	assert_int_equal(plugin_check(&host, &plugin, "p.so", &r), 1);
	assert_true(span_find(r.findings[r.n_findings - 1].message, S("util")) != SPAN_NONE);
	plugin.go_version = S("go1.22.4");
	assert_int_equal(plugin_check(&host, &plugin, "p.so", &r), 1);
	plugin.go_version = host.go_version;
	plugin.n_hashes = 0;
	assert_int_equal(plugin_check(&host, &plugin, "p.so", &r), 1);
	assert_int_equal(r.findings[r.n_findings - 1].severity, SEV_WARNING); /* it cannot be told */
	report_free(&r);
}

static struct change *find(const struct changes *c, enum change_what what, const char *name)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].what == what && !strcmp(c->v[i].name, name))
			return &c->v[i];
	}
	return NULL;
}

static int diff(struct changes *c, struct err *e)
{
	static const struct probe_func later[] = { { "main.main", "/c/main.go", 1, 3, 0 },
						   { "main.new", "/c/new.go", 2, 1, 0 } };
	static const char *const there[] = { "/c/main.go", "/c/new.go" };
	struct probe a = made(), b = made();

	b.go_version = S("go1.23.0");
	b.deps = deps + 1;
	b.n_deps = 1;
	b.settings = settings + 1;
	b.n_settings = 3;
	b.funcs = later;
	b.n_funcs = 2;
	b.n_inlined = 0;
	b.files = there;
	b.n_embeds = 0;
	return probe_diff(&a, &b, c, e);
}

static void test_diff(void **ctx)
{
	CLEANUP(changes_free) struct changes c = { 0 };
	CLEANUP(changes_free) struct changes none = { 0 };
	struct probe p = made();
	struct err e = { 0 };
	struct change *x;

	assert_int_equal(probe_diff(&p, &p, &none, &e), 0);
	assert_int_equal(none.n, 0);
	assert_int_equal(diff(&c, &e), 0);
	x = find(&c, CHANGE_GO, "version");
	assert_non_null(x);
	assert_string_equal(x->before, "go1.22.3");
	assert_string_equal(x->after, "go1.23.0");
	x = find(&c, CHANGE_MODULE, "example.test/lib");
	assert_true(x && x->before && !x->after);
	assert_true(find(&c, CHANGE_SETTING, "-tags") && find(&c, CHANGE_EMBED, "a.txt"));
	x = find(&c, CHANGE_FUNCTION, "main.new");
	assert_true(x && !x->before && !strcmp(x->after, "linked"));
	x = find(&c, CHANGE_FUNCTION, "main.small");
	assert_true(x && !strcmp(x->before, "inlined") && !x->after);
	assert_null(find(&c, CHANGE_FUNCTION, "main.main"));
	assert_non_null(
		find(&c, CHANGE_FILE, "new.go")); /* below the folder of the module, wherever that was */
	assert_null(find(&c, CHANGE_FILE, "main.go"));
}

static void test_memory(void **ctx)
{
	for (long at = 1, last = 2; at < last; at++) {
		CLEANUP(changes_free) struct changes c = { 0 };
		struct report r = { 0 };
		struct err e = { 0 };
		fault_seen = 0;
		fault_at = at;
		int n = check_whole(&r, &e), m = diff(&c, &e);
		last = fault_seen > last ? fault_seen : last;
		fault_at = 0;
		assert_true((n == 0 || n == -ENOMEM) && (m == 0 || m == -ENOMEM));
		report_free(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),         cmocka_unit_test(test_receivers),
		cmocka_unit_test(test_nothing_known), cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_file),          cmocka_unit_test(test_plugin),
		cmocka_unit_test(test_diff),          cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
