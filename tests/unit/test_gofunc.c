/* parse: the functions that a Go file declares, and names of tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "parse/gofunc.h"

/* "TestX:3 BenchmarkY:9", those that go test takes; with all, others too, in brackets. */
static void found(struct span text, bool all, struct buf *ret)
{
	struct gofuncs at = { .rest = text };
	struct gofunc f;

	buf_clear(ret);
	while (gofunc_next(&at, &f)) {
		if (f.kind != GOFUNC_OTHER)
			buf_addf(ret, "%s%.*s:%d", ret->len ? " " : "", SPAN_ARG(f.name), f.line);
		else if (all)
			buf_addf(ret, "%s(%.*s:%d)", ret->len ? " " : "", SPAN_ARG(f.name), f.line);
	}
}

static const struct {
	struct span text;
	const char *found, *all;
} files[] = {
	{ S("package a\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) {\n}\nfunc helper() {}\n"), "TestA:5", "TestA:5 (helper:7)" },
	/* comments */
	{ S("package a\n// func TestA(t *testing.T) {\n/* func TestB(t *testing.T) {\n*/ func TestC(t *testing.T) {}\n"), "TestC:4", "TestC:4" },
	{ S("package a\n/* \" ` */\nfunc TestA(t *testing.T) {} // `\nfunc TestB(t *testing.T) {}\n"), "TestA:3 TestB:4", "TestA:3 TestB:4" },
	{ S("package a\n/**/func TestA(/* x */ t /**/ *testing.T /* { */) /* ) */ { }\n"), "TestA:2", "TestA:2" },
	/* strings */
	{ S("package a\nvar s = `\nfunc TestA(t *testing.T) {\n`\nvar r = \"func TestB(t *testing.T) {\"\nfunc TestC(t *testing.T) {}\n"), "TestC:6", "TestC:6" },
	{ S("package a\nvar q, b, c, n = '\"', '`', '{', '\\''\nfunc TestA(t *testing.T) { _ = '}'; _ = \"}\\\"}\"; _ = `}` }\nfunc TestB(t *testing.T) {}\n"), "TestA:3 TestB:4", "TestA:3 TestB:4" },
	{ S("package a\nvar s = \"not ended\nfunc TestA(t *testing.T) {}\n"), "TestA:3", "TestA:3" },
	/* bodies, types, literals, methods */
	{ S("package a\nfunc f() {\n\tfunc TestA(t *testing.T) {}\n}\nfunc (s *S) TestB(t *testing.T) {}\nvar TestC = func(t *testing.T) {}\ntype TestD func(t *testing.T)\n"), "", "(f:2)" },
	{ S("package a\nvar t = map[string]func(){\n\"x\": func() { if true { } },\n}\nfunc TestA(t *testing.T) {}\n"), "TestA:5", "TestA:5" },
	{ S("package a\ntype i interface {\n\tTestA(t *testing.T)\n}\nvar f = func () TestB { return 1 }\n"), "", "" },
	/* not as go test wants it */
	{ S("package a\nfunc TestA[T any](t *testing.T) {}\nfunc TestB(t *testing.T) int { return 1 }\nfunc TestC(t testing.T) {}\nfunc TestD() {}\nfunc TestE(t *testing.T, n int) {}\nfunc TestMain(m *testing.M) {}\nfunc TestG(t *testing.B) {}\nfunc TestH(t ...*testing.T) {}\nfunc TestI(a, t *testing.T) {}\nfunc Testify(t *testing.T) {}\nfunc testJ(t *testing.T) {}\n"),
	  "", "(TestA:2) (TestB:3) (TestC:4) (TestD:5) (TestE:6) (TestMain:7) (TestG:8) (TestH:9) (TestI:10) (Testify:11) (testJ:12)" },
	/* as go test wants it, in odd ways */
	{ S("package a\nfunc\nTestA\n(\nt *tt.T,\n)\n{\n}\nfunc TestB(*T) {}; func Test(_ *testing.T) {}\nfunc Test_x(t *testing.T) {}\nfunc Test1(t *testing.T) {}\nfunc Test\xe4\xb8\xad(t *testing.T) {}\nfunc Test\xc3\xa4(t *testing.T) {}\n"),
	  "TestA:3 TestB:9 Test:9 Test_x:10 Test1:11 Test\xe4\xb8\xad:12", "TestA:3 TestB:9 Test:9 Test_x:10 Test1:11 Test\xe4\xb8\xad:12 (Test\xc3\xa4:13)" },
	{ S("package a\nfunc BenchmarkA(b *testing.B) {}\nfunc FuzzA(f *testing.F) {}\nfunc Example() {}\nfunc ExampleA_b() {}\nfunc Examples() {}\nfunc ExampleC(t *testing.T) {}\n"),
	  "BenchmarkA:2 FuzzA:3 Example:4 ExampleA_b:5", "BenchmarkA:2 FuzzA:3 Example:4 ExampleA_b:5 (Examples:6) (ExampleC:7)" },
	{ S("package a\nfunc generic[K comparable, V map[K]struct{ x int }](a [3]int) (int, error) {\n\treturn 1, nil\n}\nfunc TestA(t *testing.T) {}\n"), "TestA:5", "(generic:2) TestA:5" },
	{ S("package a\r\nfunc TestA(t *testing.T) {\r\n}\r\n"), "TestA:2", "TestA:2" },
	{ S("package a\nfunc TestA(t *testing.T) {"), "TestA:2", "TestA:2" },
	{ S("func TestA(t *testing.T"), "", "(TestA:1)" },
	{ S("func"), "", "" },
	{ S(")}]func TestA(t *testing.T) {}"), "TestA:1", "TestA:1" },
	{ S(""), "", "" },
};

static void functions_of_a_file(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		found(files[i].text, false, &b);
		assert_string_equal(buf_str(&b), files[i].found);
		found(files[i].text, true, &b);
		assert_string_equal(buf_str(&b), files[i].all);
	}
}

static void constraints(void **state)
{
	(void)state;
	static const struct {
		struct span text;
		const char *build;
	} rows[] = {
		{ S("//go:build integration && !windows\n\npackage a\nfunc TestA(t *testing.T) {}\n"), "integration && !windows" },
		{ S("// Copyright\n\n//go:build linux\n// +build linux\npackage a\nfunc TestA(t *testing.T) {}\n"), "linux" },
		{ S("/* //go:build no */\npackage a\n//go:build late\nfunc TestA(t *testing.T) {}\n"), NULL },
		{ S("//go:buildx\n// go:build no\npackage a\nfunc TestA(t *testing.T) {}\n"), NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct gofuncs at = { .rest = rows[i].text };
		struct gofunc f;
		assert_true(gofunc_next(&at, &f));
		assert_true(!at.build.p == !rows[i].build);
		if (rows[i].build)
			assert_true(span_eq(at.build, span_of(rows[i].build)));
	}
}

static void names_of_tests(void **state)
{
	(void)state;
	static const struct {
		const char *text, *package, *function, *below;
	} rows[] = {
		{ "TestX", "", "TestX", "" },
		{ "TestX/a/b.TestC", "", "TestX", "a/b.TestC" },
		{ "example.com/m.TestX", "example.com/m", "TestX", "" },
		{ "gopkg.in/yaml.v3.TestX/sub_1.5", "gopkg.in/yaml.v3", "TestX", "sub_1.5" },
		{ " ./cart.FuzzX ", "./cart", "FuzzX", "" },
		{ "example.com/Testing.Example", "example.com/Testing", "Example", "" },
		{ "m.BenchmarkX", "m", "BenchmarkX", "" },
		{ "example.com/m", NULL, NULL, NULL },
		{ "example.com/m.Testify", NULL, NULL, NULL },
		{ "example.com/m.TestX y", NULL, NULL, NULL },
		{ ".TestX", NULL, NULL, NULL },
		{ "", NULL, NULL, NULL },
	};
	struct gotest_name n;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(gotest_name_read(span_of(rows[i].text), &n), rows[i].function != NULL);
		if (!rows[i].function)
			continue;
		assert_true(span_eq(n.package, span_of(rows[i].package)));
		assert_true(span_eq(n.function, span_of(rows[i].function)));
		assert_true(span_eq(n.below, span_of(rows[i].below)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(functions_of_a_file), cmocka_unit_test(constraints), cmocka_unit_test(names_of_tests) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
