/* parse: build constraints of both forms, what decides, and names of files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "parse/constraint.h"

static bool is_set(void *ctx, struct span tag)
{
	for (struct span rest = span_of(ctx); rest.n;)
		if (span_eq(span_cut(&rest, ' '), tag))
			return true;
	return false;
}

static const struct {
	const char *text, *set;
	const char *written; /* as go prints it; NULL: refused, with: */
	const char *why;
	bool holds;
	const char *decider; /* NULL: all of it */
} exprs[] = {
	{ "a", "a", "a", NULL, true, NULL },
	{ "a", "", "a", NULL, false, NULL },
	{ "!a", "a", "!a", NULL, false, NULL },
	{ "a&&b", "a", "a && b", NULL, false, "b" },
	{ "a && b && c", "a c", "a && b && c", NULL, false, "b" },
	{ "a||b", "b", "a || b", NULL, true, "b" },
	{ "a || b", "", "a || b", NULL, false, NULL },
	{ "linux && (a || b)", "linux", "linux && (a || b)", NULL, false, "a || b" },
	{ "(a && b) || c", "b", "(a && b) || c", NULL, false, NULL },
	{ "a && b || c && d", "c d", "(a && b) || (c && d)", NULL, true, "c && d" },
	{ "!(a || b)", "b", "!(a || b)", NULL, false, NULL },
	{ "!(a && b) && c", "c", "!(a && b) && c", NULL, true, NULL },
	{ "((((a))))", "a", "a", NULL, true, NULL },
	{ "go1.21", "go1.21", "go1.21", NULL, true, NULL },
	{ "386 && _x.y", "", "386 && _x.y", NULL, false, "386" },
	{ "\xe4\xb8\xad || \xd9\xa1", "\xd9\xa1", "\xe4\xb8\xad || \xd9\xa1", NULL, true, "\xd9\xa1" },
	{ "", "", NULL, "unexpected end of expression", false, NULL },
	{ "a b", "", NULL, "unexpected token b", false, NULL },
	{ "a,b", "", NULL, "invalid syntax at ,", false, NULL },
	{ "a-b", "", NULL, "invalid syntax at -", false, NULL },
	{ "!!a", "", NULL, "double negation not allowed", false, NULL },
	{ "(a", "", NULL, "missing close paren", false, NULL },
	{ "(a b", "", NULL, "missing close paren", false, NULL },
	{ "(a &&", "", NULL, "missing close paren", false, NULL },
	{ "a &&", "", NULL, "unexpected end of expression", false, NULL },
	{ "a & b", "", NULL, "invalid syntax at &", false, NULL },
	{ "a || b |", "", NULL, "invalid syntax at |", false, NULL },
	{ ")", "", NULL, "unexpected token )", false, NULL },
	{ "a)", "", NULL, "unexpected token )", false, NULL },
	{ "!", "", NULL, "unexpected end of expression", false, NULL },
	{ "a // b", "", NULL, "invalid syntax at /", false, NULL },
	{ "\xff", "", NULL, "invalid syntax at \xef\xbf\xbd", false, NULL },
};

static void test_expressions(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(exprs); i++) {
		CLEANUP(arena_free) struct arena mem = { 0 };
		CLEANUP(buf_free) struct buf b = { 0 };
		struct constraint_error why;
		const struct constraint *c = constraint_parse(span_of(exprs[i].text), &mem, &why);
		if (!exprs[i].written) {
			assert_null(c);
			assert_string_equal(why.text, exprs[i].why);
			continue;
		}
		assert_non_null(c);
		constraint_write(c, &b);
		assert_string_equal(buf_str(&b), exprs[i].written);
		assert_int_equal(constraint_holds(c, is_set, (void *)exprs[i].set), exprs[i].holds);
		buf_clear(&b);
		constraint_write(constraint_decider(c, is_set, (void *)exprs[i].set), &b);
		assert_string_equal(buf_str(&b), exprs[i].decider ? exprs[i].decider : exprs[i].written);
	}
}

static const struct {
	const char *text, *set;
	bool holds;
} olds[] = {
	{ "linux", "linux", true },
	{ "linux darwin", "darwin", true },
	{ "linux,amd64", "linux", false },
	{ "linux,amd64", "linux amd64", true },
	{ "!linux", "linux", false },
	{ "!foo-bar", "", true },
	{ "foo-bar", "", false },
	{ "!!linux", "linux", false },
	{ "!", "", false },
	{ "", "", false },
	{ "linux,", "linux", false },
	{ "linux,,amd64", "linux amd64", false },
	{ "!linux,!a b", "b", true },
	{ "ignore", "ignore", true },
	{ "a-b", "ignore", true },
	{ " \t a \t b ", "b", true },
};

static void test_old_form(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(olds); i++) {
		CLEANUP(arena_free) struct arena mem = { 0 };
		const struct constraint *c = constraint_parse_old(span_of(olds[i].text), &mem, NULL);
		assert_non_null(c);
		assert_int_equal(constraint_holds(c, is_set, (void *)olds[i].set), olds[i].holds);
	}
}

static void test_bounds(void **state)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	CLEANUP(buf_free) struct buf b = { 0 };
	struct constraint_error why;

	for (int i = 0; i < CONSTRAINT_TERMS; i++)
		buf_adds(&b, i ? " || a" : "a");
	assert_non_null(constraint_parse(buf_view(&b), &mem, &why));
	buf_adds(&b, " || a");
	assert_null(constraint_parse(buf_view(&b), &mem, &why));
	assert_string_equal(why.text, "build expression too large");
	buf_clear(&b);
	for (int i = 0; i < 100000; i++)
		buf_addc(&b, '(');
	assert_null(constraint_parse(buf_view(&b), &mem, &why));
	assert_string_equal(why.text, "build expression too large");
	buf_clear(&b);
	for (int i = 0; i <= CONSTRAINT_OLD_TERMS; i++)
		buf_adds(&b, "a ");
	assert_non_null(constraint_parse_old(buf_view(&b), &mem, &why));
	buf_adds(&b, "a ");
	assert_null(constraint_parse_old(buf_view(&b), &mem, &why));
	assert_string_equal(why.text, "expression too complex for // +build lines");
}

static void test_lines(void **state)
{
	assert_string_equal(constraint_of_line(S("//go:build a && b\r")).p, "a && b\r");
	assert_int_equal(constraint_of_line(S("//go:build a && b\r")).n, 6);
	assert_true(constraint_of_line(S("//go:build")).p && !constraint_of_line(S("//go:build")).n);
	assert_null(constraint_of_line(S("//go:buildx a")).p);
	assert_null(constraint_of_line(S("// go:build a")).p);
	assert_true(span_eq(constraint_of_old_line(S("//+build a")), S("a")));
	assert_true(span_eq(constraint_of_old_line(S("//\t+build\ta b ")), S("a b")));
	assert_null(constraint_of_old_line(S("// +buildx a")).p);
	assert_null(constraint_of_old_line(S("+build a")).p);
}

static const struct {
	const char *name, *os, *arch;
	int go;
} names[] = {
	{ "windows.go", "", "", 26 },
	{ "linux_amd64.go", "", "amd64", 26 },
	{ "windows_test.go", "", "", 26 },
	{ "robot_arm.go", "", "arm", 26 },
	{ "client_js.go", "js", "", 26 },
	{ "x_windows.pb.go", "windows", "", 26 },
	{ "x__windows.go", "windows", "", 26 },
	{ "y_amd64_windows.go", "windows", "", 26 },
	{ "foo.gen_windows.go", "", "", 26 },
	{ "x.windows.go", "", "", 26 },
	{ "x_Windows.go", "", "", 26 },
	{ "x_windows_foo.go", "", "", 26 },
	{ "x_linux_.go", "", "", 26 },
	{ "x-windows.go", "", "", 26 },
	{ "x_unix.go", "", "", 26 },
	{ "foo_test_linux.go", "linux", "", 26 },
	{ "foo_linux_test.go", "linux", "", 26 },
	{ "a_linux_arm64_test.go", "linux", "arm64", 26 },
	{ "x_wasip1.go", "wasip1", "", 21 },
	{ "x_wasip1.go", "", "", 20 },
	{ "x_linux_amd64.s", "linux", "amd64", 26 },
	{ "", "", "", 26 },
	{ "_", "", "", 26 },
	{ "_linux.go", "linux", "", 26 },
	{ "x_test.go", "", "", 26 },
	{ "x_foo_amd64.go", "", "amd64", 26 },
	{ "x_amd64_arm64.go", "", "arm64", 26 },
};

static void test_names(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct goname n = goname_read(span_of(names[i].name), names[i].go);
		assert_true(span_eq(n.os, span_of(names[i].os)) && span_eq(n.arch, span_of(names[i].arch)));
	}
	assert_true(go_os_unix(S("linux")) && go_os_unix(S("ios")) && !go_os_unix(S("windows")) &&
		    !go_os_unix(S("wasip1")));
}

static bool count_tag(void *ctx, const struct constraint *tag)
{
	(*(int *)ctx)++;
	return !span_eq(tag->tag, S("stop"));
}

static void test_tags(void **state)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	int n = 0;

	assert_true(constraint_tags(constraint_parse(S("a && (b || !c)"), &mem, NULL), count_tag, &n));
	assert_int_equal(n, 3);
	n = 0;
	assert_false(constraint_tags(constraint_parse(S("a && stop && c"), &mem, NULL), count_tag, &n));
	assert_int_equal(n, 2);
}

/* Each allocation may fail: then nothing is given, and that is said. */
static void test_no_memory(void **state)
{
	for (long at = 1;; at++) {
		CLEANUP(arena_free) struct arena mem = { 0 };
		struct constraint_error why;
		fault_seen = 0;
		fault_at = at;
		const struct constraint *c = constraint_parse(S("a && (b || !c) || d"), &mem, &why);
		fault_at = 0;
		if (fault_seen < at) {
			assert_non_null(c);
			break;
		}
		assert_null(c);
		assert_string_equal(why.text, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expressions), cmocka_unit_test(test_old_form),
		cmocka_unit_test(test_bounds),      cmocka_unit_test(test_lines),
		cmocka_unit_test(test_names),       cmocka_unit_test(test_tags),
		cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
