/* parse: the YAML reader. Linked with --wrap, so that libyaml's own allocations can fail too. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "parse/yaml.h"

void *__real_malloc(size_t n);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *z);
void *__wrap_malloc(size_t n);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *z);

static bool library_fails; /* count libyaml's allocations among the fault points */

void *__wrap_malloc(size_t n)
{
	return library_fails && fault_hit() ? NULL : __real_malloc(n);
}

void *__wrap_realloc(void *p, size_t n)
{
	return library_fails && fault_hit() ? NULL : __real_realloc(p, n);
}

char *__wrap_strdup(const char *z)
{
	return library_fails && fault_hit() ? NULL : __real_strdup(z);
}

static void is_text(const struct yaml *v, const char *text, int line, int column)
{
	assert_non_null(v);
	assert_int_equal(v->kind, YAML_SCALAR);
	assert_string_equal(v->text.p, text);
	assert_int_equal(v->text.n, strlen(text));
	assert_int_equal(v->line, line);
	assert_int_equal(v->column, column);
}

static void reads_a_tree_with_places(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct yaml *root;
	struct err e;

	assert_int_equal(yaml_read("t.yaml", S("# head\nname: ops\nflow: {on: no, n: 012, e: , q: ''}\n"
					       "list:\n  - one\n  - two: 2\n    three: |\n      a\n      b\n中: 文\n"), &mem, &root, &e), 0);
	assert_int_equal(root->kind, YAML_MAP);
	assert_int_equal(root->n, 4);
	is_text(yaml_get(root, "name"), "ops", 2, 7);
	is_text(root->first->key, "name", 2, 1);
	is_text(yaml_get(yaml_get(root, "flow"), "on"), "no", 3, 12);
	is_text(yaml_get(yaml_get(root, "flow"), "n"), "012", 3, 19);
	assert_true(yaml_is_nothing(yaml_get(yaml_get(root, "flow"), "e")));
	assert_false(yaml_is_nothing(yaml_get(yaml_get(root, "flow"), "q")));
	const struct yaml *list = yaml_get(root, "list");
	assert_int_equal(list->kind, YAML_LIST);
	assert_int_equal(list->n, 2);
	is_text(list->first, "one", 5, 5);
	assert_null(list->first->key);
	is_text(yaml_get(list->first->next, "two"), "2", 6, 10);
	assert_string_equal(yaml_get(list->first->next, "three")->text.p, "a\nb\n");
	is_text(yaml_get(root, "中"), "文", 10, 4);
	assert_null(yaml_get(root, "none"));
	assert_null(yaml_get(list, "one"));
	assert_null(yaml_get(NULL, "one"));
}

static void nothing_is_null(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena mem = { 0 };
	static const char *const texts[] = { "", "\n", "# only a comment\n", "\xef\xbb\xbf" };
	struct yaml *root;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(yaml_read("t", span_of(texts[i]), &mem, &root, &e), 0);
		assert_null(root);
	}
	assert_int_equal(yaml_read("t", S("---\n"), &mem, &root, &e), 0);
	assert_true(yaml_is_nothing(root));
	assert_int_equal(yaml_read("t", (struct span){ 0 }, &mem, &root, &e), 0);
	assert_int_equal(yaml_read("t", S("\xef\xbb\xbf" "a: b"), &mem, &root, &e), 0); /* a byte order mark */
	assert_string_equal(yaml_get(root, "a")->text.p, "b");
}

static void refuses_with_the_place(void **state)
{
	(void)state;
	static const struct {
		struct span text;
		const char *error;
	} rows[] = {
		{ S("a: 1\nb: 2\na: 3\n"), "t:3:1: the key 'a' stands here twice; first in line 1" },
		{ S("x: {a: 1, a: 2}"), "t:1:11: the key 'a' stands here twice; first in line 1" },
		{ S("a: &x 1\nb: *x\n"), "t:1:4: anchors" },
		{ S("a: *x\n"), "t:1:4: aliases" },
		{ S("a: &x [*x, *x]\n"), "t:1:4: anchors" },
		{ S("a: !!int 1\n"), "t:1:4: tags" },
		{ S("a: !foo [1]\n"), "t:1:4: tags" },
		{ S("a: 1\n---\nb: 2\n"), "t:2:1: a second document" },
		{ S("a:\n\tb: 1\n"), "t:2:1: a tab cannot indent" },
		{ S("a:\n  b: 1\n\tc: 2\n"), "t:3:1: a tab cannot indent" },
		{ S("a: b: c\n"), "t:1:5: a ':' that cannot stand here" },
		{ S("a: @x\n"), "t:1:4: a character that cannot begin a value" },
		{ S("a: 'x\n"), "t:2:1: a quote that does not end" },
		{ S("a: [1, 2\n"), "t:2:1: a ',' or the closing bracket" },
		{ S("a:\n   b: 1\n  c: 2\n"), "t:3:3: the indentation" },
		{ S("a: \"\\q\"\n"), "t:1:5: an unknown escape" },
		{ S("a: x\nb: \xff\xfe\n"), "t:2:4: invalid UTF-8" },
		{ S("中: \xc3(\n"), "t:1:4: invalid UTF-8" },
		{ S("\x7f" "ELF\x02\x01\x01\0\0\0"), "t:1:1: byte 0x7f is no text" },
		{ S("a: \0\n"), "t:1:4: byte 0x00 is no text" },
		{ S("a: \"x\\0y\"\n"), "t:1:4: a text cannot hold a zero byte" },
		{ S("? [a]\n: b\n"), "t:1:3: a key must be a plain text" },
		{ S("{a: {b: 1}: 2}"), "t:1:" },
		{ S("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"), "t:1:33: nested deeper than 32" },
	};
	struct yaml *root;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(arena_free) struct arena mem = { 0 };
		assert_int_equal(yaml_read("t", rows[i].text, &mem, &root, &e), -EINVAL);
		if (strncmp(e.msg, rows[i].error, strlen(rows[i].error)) != 0)
			fail_msg("row %zu: '%s', want '%s'", i, e.msg, rows[i].error);
		assert_null(root);
		lang_now = LANG_ZH;
		assert_int_equal(yaml_read("t", rows[i].text, &mem, &root, &e), -EINVAL);
		lang_now = LANG_EN;
		if (strstr(rows[i].error, ": ") && strstr(e.msg, strstr(rows[i].error, ": ") + 2))
			fail_msg("row %zu is not translated: '%s'", i, e.msg);
	}
}

static void is_bounded(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena mem = { 0 };
	CLEANUP(buf_free) struct buf big = { 0 };
	struct yaml *root;
	struct err e;

	buf_addc(&big, '[');
	for (int i = 0; i < YAML_NODES; i++)
		buf_adds(&big, "1,");
	buf_addc(&big, ']');
	assert_int_equal(yaml_read("t", buf_view(&big), &mem, &root, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "more than 100000 values"));
	while (big.len <= YAML_BYTES)
		buf_adds(&big, "# a comment that is long enough to make it large\n");
	assert_int_equal(yaml_read("t", buf_view(&big), &mem, &root, &e), -EFBIG);
	buf_clear(&big);
	for (int i = 0; i < 200000; i++) /* deep, and never closed */
		buf_adds(&big, "[");
	assert_int_equal(yaml_read("t", buf_view(&big), &mem, &root, &e), -EINVAL);
}

static void a_long_name_keeps_its_end(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena mem = { 0 };
	char name[400];
	struct yaml *root;
	struct err e;

	memset(name, 'd', sizeof(name));
	strcpy(name + sizeof(name) - 13, "/tocsin.yaml");
	assert_int_equal(yaml_read(name, S("a: *b"), &mem, &root, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "d/tocsin.yaml:1:4: aliases"));
	assert_true(strlen(e.msg) < sizeof(e.msg) - 1);
}

static void survives_every_failed_allocation(void **state)
{
	(void)state;
	static const char text[] = "%YAML 1.1\n---\na: {b: [1, 2, 'three'], c: \"x\\u4e2dy\"}\nlong:\n- k: |\n    text\n  l: >-\n    more\n";
	for (long at = 1;; at++) {
		struct arena mem = { 0 };
		struct yaml *root;
		struct err e;
		fault_at = at, fault_seen = 0, library_fails = true;
		int r = yaml_read("t", span_of(text), &mem, &root, &e);
		bool hit = fault_seen >= at;
		fault_at = 0, library_fails = false;
		if (hit) {
			assert_int_equal(r, -ENOMEM);
			assert_null(root);
		} else {
			assert_int_equal(r, 0);
			assert_int_equal(root->n, 2);
			assert_true(at > 20); /* libyaml's were among them */
		}
		arena_free(&mem);
		if (!hit)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_tree_with_places),
		cmocka_unit_test(nothing_is_null),
		cmocka_unit_test(refuses_with_the_place),
		cmocka_unit_test(is_bounded),
		cmocka_unit_test(a_long_name_keeps_its_end),
		cmocka_unit_test(survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
