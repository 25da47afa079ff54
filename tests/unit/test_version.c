/* parse: versions and paths of modules, against the answers of golang.org/x/mod. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "parse/unicode.h"
#include "parse/version.h"

#include "vectors.h"

/* version, valid, canonical, major, prerelease, pseudo, base, time, revision */
static void one_version(const struct vector *v)
{
	const struct span *f = v->field;
	CLEANUP(buf_free) struct buf b = { 0 };
	struct pseudo_version p = { 0 };

	EXPECT(v, version_valid(f[0]) == is_one(f[1]));
	EXPECT(v, version_canonicalize(f[0], &b) == is_one(f[1]));
	EXPECT(v, span_eq(buf_view(&b), f[2]));
	EXPECT(v, version_canonical(f[0]) == (is_one(f[1]) && span_eq(f[0], f[2])));
	EXPECT(v, span_eq(version_major(f[0]), f[3]));
	EXPECT(v, (version_major(f[0]).p != NULL) == is_one(f[1]));
	EXPECT(v, span_eq(version_prerelease(f[0]), f[4]));
	EXPECT(v, version_incompatible(f[0]) == (is_one(f[1]) && span_ends(f[0], S("+incompatible"))));
	EXPECT(v, version_pseudo(f[0], &p) == is_one(f[5]));
	EXPECT(v, version_pseudo(f[0], NULL) == is_one(f[5]));
	/* A base without metadata that has some is an error there, and none here. */
	EXPECT(v, span_eq(span_of(p.base), f[6]));
	EXPECT(v, span_eq(p.time, f[7]) && span_eq(p.revision, f[8]));
}

static int sign(int n)
{
	return (n > 0) - (n < 0);
}

static void one_compare(const struct vector *v)
{
	const struct span *f = v->field;
	int64_t want;

	EXPECT(v, span_int(f[2], &want));
	EXPECT(v, sign(version_compare(f[0], f[1])) == want);
	EXPECT(v, sign(version_compare(f[1], f[0])) == -want);
}

static void one_major(const struct vector *v)
{
	EXPECT(v, module_major_fits(v->field[0], v->field[1]) == is_one(v->field[2]));
}

/* version, valid, language */
static void one_go(const struct vector *v)
{
	EXPECT(v, goversion_valid(v->field[0]) == is_one(v->field[1]));
	/* Of a lone number Go says "2.0"; a piece of it is all that we can give. */
	bool alone = span_chr(v->field[0], '.') == SPAN_NONE;
	EXPECT(v, alone || span_eq(goversion_language(v->field[0]), v->field[2]));
}

static void one_go_compare(const struct vector *v)
{
	int64_t want;

	EXPECT(v, span_int(v->field[2], &want));
	EXPECT(v, sign(goversion_compare(v->field[0], v->field[1])) == want);
}

/* path, module, import, file, splits, prefix, suffix */
static void one_path(const struct vector *v)
{
	const struct span *f = v->field;
	struct span prefix, suffix;

	EXPECT(v, module_path_valid(f[0]) == is_one(f[1]));
	EXPECT(v, import_path_valid(f[0]) == is_one(f[2]));
	EXPECT(v, module_file_valid(f[0]) == is_one(f[3]));
	EXPECT(v, module_split(f[0], &prefix, &suffix) == is_one(f[4]));
	EXPECT(v, span_eq(prefix, f[5]) && span_eq(suffix, f[6]));
}

/* what, fine, result: appended, and nothing when it is not fine */
static void one_escape(const struct vector *v, bool (*f)(struct span, struct buf *))
{
	CLEANUP(buf_free) struct buf b = { 0 };

	buf_adds(&b, "=");
	EXPECT(v, f(v->field[0], &b) == is_one(v->field[1]));
	EXPECT(v, b.p[0] == '=' && span_eq(span_from(buf_view(&b), 1), is_one(v->field[1]) ? v->field[2] : S("")));
	EXPECT(v, strlen(b.p) == b.len);
}

static void one_escape_path(const struct vector *v)
{
	one_escape(v, module_escape_path);
}

static void one_escape_version(const struct vector *v)
{
	one_escape(v, module_escape_version);
}

static void one_unescape_path(const struct vector *v)
{
	one_escape(v, module_unescape_path);
}

static void one_unescape_version(const struct vector *v)
{
	one_escape(v, module_unescape_version);
}

static const struct {
	const char *kind;
	void (*f)(const struct vector *v);
} kinds[] = {
	{ "version", one_version }, { "compare", one_compare }, { "major", one_major }, { "go", one_go }, { "gocompare", one_go_compare },
	{ "path", one_path }, { "escpath", one_escape_path }, { "escversion", one_escape_version }, { "unescpath", one_unescape_path },
	{ "unescversion", one_unescape_version },
};

static void test_vectors(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		vectors_each(kinds[i].kind, kinds[i].f);
}

static void test_absent(void **state)
{
	struct span none = { 0 }, prefix, suffix;
	CLEANUP(buf_free) struct buf b = { 0 };

	assert_false(version_valid(none) || version_canonical(none) || version_pseudo(none, NULL) || goversion_valid(none));
	assert_false(module_path_valid(none) || import_path_valid(none) || module_file_valid(none));
	assert_false(module_escape_path(none, &b) || module_unescape_version(none, &b));
	assert_true(module_split(none, &prefix, &suffix) && !prefix.n && !suffix.n);
	assert_int_equal(version_compare(none, S("x")), 0);
	assert_true(version_compare(none, S("v0.0.0-0")) < 0);
	assert_false(module_major_fits(S("/v2"), none));
}

static void test_toolchain(void **state)
{
	static const struct {
		const char *name, *version;
	} rows[] = {
		{ "go1.21.3", "1.21.3" }, { "go1.21.3-custom", "1.21.3" }, { "go1.21rc2 X:y", "1.21rc2" }, { "go1.9\tx", "1.9" }, { "go1", "1" },
		{ "default", NULL }, { "local", NULL }, { "path", NULL }, { "go", NULL }, { "gox", NULL }, { "go1.21/x", NULL },
		{ "go1.2\\x", NULL }, { "1.21", NULL }, { "", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span v = goversion_of_toolchain(span_of(rows[i].name));
		assert_true(span_eq(v, span_of(rows[i].version)) && !v.p == !rows[i].version);
	}
}

/* A base that does not fit is none, never a part of one. */
static void test_long_base(void **state)
{
	struct pseudo_version p;
	char v[128];

	for (int n = 1; n < 90; n++) {
		snprintf(v, sizeof(v), "v1.2.%0*d-0.20191109021931-daa7c04131f5", n, 0);
		v[5] = '9';
		assert_true(version_pseudo(span_of(v), &p));
		size_t want = 5 + (size_t)n;
		assert_int_equal(strlen(p.base), want < sizeof(p.base) ? want : 0);
	}
}

static void test_unicode(void **state)
{
	assert_true(unicode_letter(0x4e16) && unicode_letter('z') && unicode_letter(0xaa) && !unicode_letter('1') && !unicode_letter(0x301));
	assert_true(unicode_print(' ') && unicode_print(0x301) && unicode_print(0xfffd) && unicode_print(UINT32_MAX));
	assert_false(unicode_print(0xa0) || unicode_print(0xfeff) || unicode_print(0x378) || unicode_print(0x10ffff) || unicode_print('\t'));
	assert_false(unicode_letter(UINT32_MAX) || unicode_letter(0x110000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_toolchain),
		cmocka_unit_test(test_long_base),
		cmocka_unit_test(test_unicode),
	};

	return cmocka_run_group_tests_name("version", tests, NULL, NULL);
}
