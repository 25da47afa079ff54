/*
 * parse: CODEOWNERS of GitHub and GitLab.
 * suite: takes 12
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/time.h"
#include "parse/codeowners.h"

#define HUB CODEOWNERS_GITHUB
#define LAB CODEOWNERS_GITLAB

/* One pattern (owned by @o) against one path. */
static const struct {
	enum codeowners_dialect dialect;
	const char *pattern, *path;
	bool match;
} patterns[] = {
	{ HUB, "*", "a", true },
	{ HUB, "*", "a/b/.c", true },
	{ HUB, "*.go", "x.go", true },
	{ HUB, "*.go", "a/b/x.go", true },
	{ HUB, "*.go", "x.gop", false },
	{ HUB, "*.go", "dir.go/readme", true },
	{ HUB, "/*.go", "x.go", true },
	{ HUB, "/*.go", "a/x.go", false },
	{ HUB, "/*", "a", true },
	{ HUB, "/*", "a/b", false },
	{ HUB, "docs/*", "docs/a.md", true },
	{ HUB, "docs/*", "docs/b/a.md", false },
	{ HUB, "docs/*", "x/docs/a.md", false },
	{ HUB, "docs/*.md", "docs/a.md", true },
	{ HUB, "apps/", "apps/x", true },
	{ HUB, "apps/", "a/apps/b/x", true },
	{ HUB, "apps/", "apps", false },
	{ HUB, "/apps/", "a/apps/x", false },
	{ HUB, "/apps/", "apps/b/x", true },
	{ HUB, "/apps", "apps/b/x", true },
	{ HUB, "/apps", "apps", true },
	{ HUB, "/apps", "apps2/x", false },
	{ HUB, "apps", "x/apps/y", true },
	{ HUB, "a/b", "a/b/c", true },
	{ HUB, "a/b", "x/a/b", false },
	{ HUB, "**/logs", "logs/x", true },
	{ HUB, "**/logs", "a/b/logs/x", true },
	{ HUB, "**/logs", "a/b/logsx", false },
	{ HUB, "a/**/z", "a/z", true },
	{ HUB, "a/**/z", "a/b/c/z", true },
	{ HUB, "a/**/z", "a/b/c/y", false },
	{ HUB, "a/**/b/**/z", "a/x/b/b/y/z", true },
	{ HUB, "a/**", "a/b/c", true },
	{ HUB, "a/**", "a", false },
	{ HUB, "**", "a/b", true },
	{ HUB, "foo**bar", "fooxbar", true },
	{ HUB, "foo**bar", "foo/bar", false },
	{ HUB, "a?c", "abc", true },
	{ HUB, "a?c", "a/c", false },
	{ HUB, "a?c", "a\xc3\xa9""c", true },
	{ HUB, "a?c", "ac", false },
	{ HUB, "with\\ blank/x", "with blank/x", true },
	{ HUB, "a\\*b", "a*b", true },
	{ HUB, "a\\*b", "axb", false },
	{ HUB, "README", "readme", false },
	{ HUB, "a#b", "a#b", true },
	{ HUB, "/a/*/c", "a/b/c/d", true },
	{ HUB, "*a*b*c*", "xxaxxbxxcxx", true },
	{ HUB, "*a*b*c*", "xxaxxcxxbxx", false },
	{ LAB, "*", "a/b", true },
	{ LAB, "*.rb", "a/.b/x.rb", true },
	{ LAB, "docs", "docs/x", false },
	{ LAB, "docs", "a/docs", true },
	{ LAB, "docs/", "a/docs/b/c", true },
	{ LAB, "/docs/", "a/docs/b", false },
	{ LAB, "/docs/*", "docs/a", true },
	{ LAB, "/docs/*", "docs/a/b", false },
	{ LAB, "internal/README.md", "docs/internal/README.md", true },
	{ LAB, "/docs/**/index.md", "docs/index.md", true },
	{ LAB, "/docs/**/index.md", "docs/a/b/index.md", true },
	{ LAB, "/docs/**", "docs/a", true },
	{ LAB, "/docs/**", "docs/a/b", false },
	{ LAB, "/", "a/b", true },
	{ LAB, "x[0-9].go", "x7.go", true },
	{ LAB, "x[0-9].go", "xa.go", false },
	{ LAB, "x[!0-9].go", "xa.go", true },
	{ LAB, "x[a\\]b].go", "x].go", true },
	{ LAB, "x[\xc3\xa0-\xc3\xb0].go", "x\xc3\xa9.go", true },
	{ LAB, "x[a.go", "x[a.go", false },
	{ LAB, "\\#pound.rb", "a/#pound.rb", true },
	{ LAB, "path\\ with\\ spaces/", "path with spaces/x", true },
	{ LAB, "a/**/b/**/c", "z/a/b/x/y/c", true },
};

static void test_patterns(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		CLEANUP(codeowners_free) struct codeowners co = { 0 };
		CLEANUP(buf_free) struct buf text = { 0 };
		struct codeowners_hits hits;
		struct err e;
		buf_addf(&text, "%s @o\n", patterns[i].pattern);
		assert_int_equal(codeowners_parse(buf_view(&text), patterns[i].dialect, &co, &e), 0);
		if (co.n_rules != 1)
			fail_msg("'%s' is no rule", patterns[i].pattern);
		assert_int_equal(codeowners_match(&co, span_of(patterns[i].path), &hits, &e), 0);
		if ((hits.n == 1) != patterns[i].match)
			fail_msg("%s: '%s' against '%s'", patterns[i].dialect == HUB ? "GitHub" : "GitLab", patterns[i].pattern, patterns[i].path);
	}
}

/* Who owns the path in this file, and on which line that stands. */
static const struct {
	enum codeowners_dialect dialect;
	const char *text, *path, *owners;
	int line;
} files[] = {
	{ HUB, "* @all\n*.go @go @org/team dev@example.com\n", "a/x.go", "@go @org/team dev@example.com", 2 },
	{ HUB, "* @all\n*.go @go\n", "x.c", "@all", 1 },
	{ HUB, "*.go @go\n", "x.c", "", 0 },
	{ HUB, "/apps/ @octocat\n/apps/github\n", "apps/github/x", "", 2 },
	{ HUB, "/apps/ @octocat # a note @nobody\n", "apps/x", "@octocat", 1 },
	{ HUB, "# c @x\n\n  \t* \t @all\r\n", "x", "@all", 3 },
	{ HUB, "\xef\xbb\xbf* @all", "x", "@all", 1 },
	{ HUB, "* @all\n!x @no\n", "x", "@all", 1 },
	{ HUB, "* @all @all\n", "x", "@all", 1 },
	{ HUB, "* @all\n*.[ch] @c\n", "x.c", "@all", 1 },
	{ HUB, "* @all\n*.c nobody\n", "x.c", "@all", 1 },
	{ HUB, "* @all\n*.c @a @b/c/d\n", "x.c", "@all", 1 },
	{ HUB, "[Docs] @docs\n*.md @a\n", "x.md", "@a", 2 },
	{ LAB, "* @all\n*.go @go\n", "x.go", "@go", 2 },
	{ LAB, "* @admin\n\n[README Owners]\nREADME.md @user1 @user2\ninternal/README.md @user4\n\n[README other owners]\nREADME.md @user3\n",
	  "README.md", "@admin @user1 @user2 @user3", 1 },
	{ LAB, "* @admin\n\n[README Owners]\nREADME.md @user1 @user2\ninternal/README.md @user4\n\n[README other owners]\nREADME.md @user3\n",
	  "internal/README.md", "@admin @user4 @user3", 1 },
	{ LAB, "[Docs] @docs @group/sub\ndocs/\n*.md @md\n", "docs/x", "@docs @group/sub", 2 },
	{ LAB, "[Docs] @docs\ndocs/\n*.md @md\n", "docs/x.md", "@md", 3 },
	{ LAB, "^[Docs][2] @docs # more @nobody\ndocs/\n", "docs/x", "@docs", 2 },
	{ LAB, "[Docs]\na @one\n[Other]\na @two\n[DOCS]\na @three\n", "a", "@three @two", 6 },
	{ LAB, "* @default\n!*.rb\n/special/*.rb @ruby\n", "special/x.rb", "", 0 },
	{ LAB, "* @default\n!*.rb\n[Ruby]\n*.rb @ruby\n", "x.rb", "@ruby", 4 },
	{ LAB, "x @@developer @@Maintainers @@king @a\n", "x", "@@developer @@Maintainers @a", 1 },
	{ LAB, "x @group nobody @user, dev@example.com\n", "x", "@group @user dev@example.com", 1 },
	{ LAB, "x @a # and @b\n", "x", "@a @b", 1 },
	{ LAB, "[Docs] @docs\nx nobody\n", "x", "", 2 },
	{ LAB, "* @group\n\n[Section name\ndocs/ @docs\n", "docs/a", "@docs", 4 },
	{ CODEOWNERS_AUTO, "[Docs]\n* @a\n[B]\n* @b\n", "x", "@a @b", 2 },
	{ CODEOWNERS_AUTO, "* @a\n* @b\n", "x", "@b", 2 },
};

static void test_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		CLEANUP(codeowners_free) struct codeowners co = { 0 };
		CLEANUP(buf_free) struct buf got = { 0 };
		struct codeowners_hits hits;
		struct err e;
		assert_int_equal(codeowners_parse(span_of(files[i].text), files[i].dialect, &co, &e), 0);
		assert_int_equal(codeowners_match(&co, span_of(files[i].path), &hits, &e), 0);
		for (size_t k = 0; k < hits.n; k++)
			buf_addf(&got, "%s%.*s", k ? " " : "", SPAN_ARG(hits.owner[k]));
		if (strcmp(buf_str(&got), files[i].owners) != 0 || hits.line != files[i].line)
			fail_msg("row %zu (%s): got '%s' of line %d", i, files[i].path, buf_str(&got), hits.line);
	}
}

static const struct {
	enum codeowners_dialect dialect;
	const char *text;
	int line;
	enum codeowners_why why;
} notes[] = {
	{ HUB, "\n!x @a\n", 2, CO_NEGATED },     { HUB, "x[1] @a\n", 1, CO_BRACKETS }, { HUB, "\\#x @a\n", 1, CO_HASH },
	{ HUB, "a/***/b @a\n", 1, CO_STARS },    { HUB, "a b @a\n", 1, CO_OWNER },     { HUB, "/ @a\n", 1, CO_NOTHING },
	{ HUB, "a @\n", 1, CO_OWNER },           { HUB, "a x@localhost\n", 1, CO_OWNER },
	{ LAB, "a\nb @x\n", 1, CO_UNOWNED },     { LAB, "a nobody\n", 1, CO_UNOWNED },
	{ LAB, "[Docs @a\n", 1, CO_SECTION },    { LAB, "# x\n[ ] @a\n", 2, CO_NAMELESS },
};

static void test_notes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(notes); i++) {
		CLEANUP(codeowners_free) struct codeowners co = { 0 };
		struct err e;
		assert_int_equal(codeowners_parse(span_of(notes[i].text), notes[i].dialect, &co, &e), 0);
		if (!co.n_notes || co.notes[0].line != notes[i].line || co.notes[0].why != notes[i].why)
			fail_msg("row %zu: %zu notes, the first of line %d: %s", i, co.n_notes, co.notes[0].line,
				 codeowners_why(co.notes[0].why));
	}
	for (int lang = LANG_EN; lang <= LANG_ZH; lang++) {
		lang_now = (enum lang)lang;
		for (size_t i = 0; i < CO_WHY_COUNT; i++)
			assert_true(strlen(codeowners_why((enum codeowners_why)i)) > 5);
	}
	lang_now = LANG_EN;
}

static void test_bytes(void **state)
{
	CLEANUP(codeowners_free) struct codeowners co = { 0 };
	CLEANUP(buf_free) struct buf big = { 0 };
	struct span nul = S("* @a\nx\0y @b\n");
	struct err e;

	(void)state;
	assert_int_equal(codeowners_parse(nul, HUB, &co, &e), 0);
	assert_int_equal(co.n_rules, 1);
	assert_int_equal(co.notes[0].why, CO_TEXT);
	codeowners_free(&co);
	for (int i = 0; i < 2000; i++)
		buf_addc(&big, 'x');
	assert_int_equal(codeowners_parse(buf_view(&big), HUB, &co, &e), 0);
	assert_int_equal(co.notes[0].why, CO_LONG);
	codeowners_free(&co);
	while (big.len <= CODEOWNERS_MAX)
		buf_adds(&big, "!x @a\n");
	assert_int_equal(codeowners_parse(buf_view(&big), HUB, &co, &e), -EFBIG);
	codeowners_free(&co);
	buf_drop(&big, 3000);
	assert_int_equal(codeowners_parse(buf_view(&big), HUB, &co, &e), 0);
	assert_int_equal(co.n_notes, CODEOWNERS_NOTES_MAX);
	assert_true(co.notes_dropped > 500000);
}

#if defined(__SANITIZE_ADDRESS__)
#define HOSTILE_MAX (CODEOWNERS_MAX / 8) /* it is slow there */
#else
#define HOSTILE_MAX CODEOWNERS_MAX
#endif

/* The worst that fits into 3 MB: no file makes us wait. */
static const struct {
	enum codeowners_dialect dialect;
	const char *line; /* %d: its number */
} hostile[] = {
	{ HUB, "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b%d @o\n" },
	{ HUB, "**/a/**/a/**/a/**/a/**/a/**/b%d @o\n" },
	{ LAB, "[%d]\n* @a\n" },
	{ LAB, "*[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab]*c%d @o\n" },
};

static void fill_hostile(size_t row, struct buf *text)
{
	for (int k = 0; text->len < HOSTILE_MAX - 100; k++) {
		struct span line = span_of(hostile[row].line);
		buf_span(text, span_head(line, span_find(line, S("%d"))));
		buf_addf(text, "%d", k);
		buf_span(text, span_from(line, span_find(line, S("%d")) + 2));
	}
}

static void test_hostile(void **state)
{
	char path[4095];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hostile) * 2; i++) {
		CLEANUP(codeowners_free) struct codeowners co = { 0 };
		CLEANUP(buf_free) struct buf text = { 0 };
		struct codeowners_hits hits;
		struct err e = { 0 };
		int64_t from = time_mono();
		fill_hostile(i / 2, &text);
		memset(path, 'a', sizeof(path));
		for (size_t k = 1; i % 2 && k < sizeof(path); k += 2)
			path[k] = '/';
		assert_int_equal(codeowners_parse(buf_view(&text), hostile[i / 2].dialect, &co, &e), 0);
		int r = codeowners_match(&co, (struct span){ path, sizeof(path) }, &hits, &e);
		assert_true(r == 0 || r == -E2BIG);
		int64_t took = (time_mono() - from) / NSEC_PER_MSEC;
		print_message("# %zu: %lld ms\n", i, (long long)took);
		assert_true(took < 20000);
	}
}

static void test_no_memory(void **state)
{
	static const char text[] = "* @a\n[Docs][2] @docs\ndocs/\n!x\n\\#y @b @@owners\n[Other]\n* dev@example.com\n";
	bool failed = true;

	(void)state;
	for (fault_at = 1; failed; fault_at++) {
		CLEANUP(codeowners_free) struct codeowners co = { 0 };
		struct codeowners_hits hits;
		struct err e = { 0 };
		fault_seen = 0;
		int r = codeowners_parse(span_of(text), LAB, &co, &e);
		if (r == 0)
			r = codeowners_match(&co, S("docs/z"), &hits, &e);
		failed = fault_seen >= fault_at;
		assert_int_equal(r, failed ? -ENOMEM : 0);
		assert_true(failed || hits.n == 3);
	}
	assert_true(fault_at > 6);
	fault_at = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns), cmocka_unit_test(test_files),   cmocka_unit_test(test_notes),
		cmocka_unit_test(test_bytes),    cmocka_unit_test(test_hostile), cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
