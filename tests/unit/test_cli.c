#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/time.h"
#include "cli/attempt.h"
#include "cli/input.h"
#include "cli/markdown.h"

struct values {
	bool flag;
	const char *text;
	int64_t wait, count, maybe;
	int word;
	struct opt_list list, csv;
};

#define AT(f) offsetof(struct values, f)
static const char *const words[] = { "one", "two", NULL };
/* clang-format off */
static const struct opt opts[] = {
	{ "flag", 'x', OPT_FLAG, AT(flag), { NULL, NULL }, { "", "" }, NULL, 0 },
	{ "text", 0, OPT_STRING, AT(text), { "T", "T" }, { "", "" }, NULL, 0 },
	{ "wait", 'w', OPT_DURATION, AT(wait), { "D", "D" }, { "", "" }, NULL, 7 },
	{ "count", 0, OPT_INT, AT(count), { "N", "N" }, { "", "" }, NULL, 3 },
	{ "maybe", 0, OPT_MAYBE, AT(maybe), { "N", "N" }, { "", "" }, NULL, 5 },
	{ "word", 0, OPT_WORD, AT(word), { "W", "W" }, { "", "" }, words, 0 },
	{ "list", 0, OPT_LIST, AT(list), { "L", "L" }, { "", "" }, NULL, 0 },
	{ "csv", 0, OPT_CSV, AT(csv), { "C", "C" }, { "", "" }, NULL, 0 },
};
/* clang-format on */
static const struct verb command = {
	.name = "v", .opts = opts, .n_opts = ARRAY_LEN(opts), .size = sizeof(struct values), .command = true
};
static const struct verb plain = {
	.name = "p", .opts = opts, .n_opts = ARRAY_LEN(opts), .size = sizeof(struct values)
};

/* Words separated by blanks; they live until the next call. */
static int parse(const struct verb *v, const char *line, struct values *o, struct args *a, struct err *e)
{
	static char text[256];
	static const char *argv[32];
	size_t n = 0;

	snprintf(text, sizeof(text), "%s", line);
	for (char *save = NULL, *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	opt_list_free(&o->list);
	opt_list_free(&o->csv);
	*o = (struct values){ 0 };
	return opt_parse(v, n, argv, o, a, e);
}

static void test_options(void **state)
{
	struct values o = { 0 };
	struct args a;
	struct err e;

	assert_int_equal(parse(&command, "--flag --text=a --wait 90s --maybe --word two go --flag -- x", &o,
			       &a, &e),
			 0);
	assert_true(o.flag && !strcmp(o.text, "a") && o.wait == 90 * NSEC_PER_SEC && o.maybe == 5 &&
		    o.word == 1 && o.count == 3);
	assert_true(a.n == 4 && !strcmp(a.v[0], "go") && !strcmp(a.v[1], "--flag") && !strcmp(a.v[2], "--") &&
		    !a.dashes);
	assert_int_equal(parse(&command, "-x -w 1m --maybe=9 --list a --list b --csv c,d --csv e -- -y z", &o,
			       &a, &e),
			 0);
	assert_true(o.flag && o.wait == 60 * NSEC_PER_SEC && o.maybe == 9 && o.list.n == 2 && o.csv.n == 3);
	assert_true(!strcmp(o.csv.v[1], "d") && !o.csv.v[3] && a.dashes && a.n == 2 && !strcmp(a.v[0], "-y"));
	assert_int_equal(parse(&plain, "a --count 4 b -- --flag", &o, &a, &e), 0);
	assert_true(a.n == 3 && !strcmp(a.v[1], "b") && !strcmp(a.v[2], "--flag") && o.count == 4 && !o.flag);
	assert_int_equal(parse(&plain, "-", &o, &a, &e), 0);
	assert_true(a.n == 1 && !strcmp(a.v[0], "-"));
	opt_list_free(&o.list);
	opt_list_free(&o.csv);
}

static void test_refused(void **state)
{
	/* clang-format off */
	static const struct {
		const char *line, *says;
	} rows[] = {
		{ "--flog", "did you mean --flag" },
		{ "--flag=1", "no argument" },
		{ "--text", "needs an argument" },
		{ "--wait 5", "duration" },
		{ "--count x", "number" },
		{ "--count -1", "number" },
		{ "--word tow", "did you mean two" },
		{ "--text=", "empty" },
		{ "-q", "unknown flag" },
		{ "-xw", "unknown flag" },
		{ "--csv a,,b", "empty item" },
		{ "--maybe=x", "number" },
		{ "--", NULL },
		{ "--count 99999999999999999999", "number" },
	};
	/* clang-format on */
	struct values o = { 0 };
	struct args a;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int r = parse(&command, rows[i].line, &o, &a, &e);
		if (!rows[i].says) {
			assert_int_equal(r, 0);
			continue;
		}
		assert_true(r < 0);
		if (!strstr(e.msg, rows[i].says))
			fail_msg("%s: %s", rows[i].line, e.msg);
	}
	opt_list_free(&o.list);
	opt_list_free(&o.csv);
}

static void expect(struct buf *b, const char *want)
{
	assert_string_equal(buf_str(b), want);
	buf_clear(b);
}

static void test_clean(void **state)
{
	struct buf b = { 0 };

	say_clean(&b, S("::error::x"));
	expect(&b, "\\::error::x");
	say_clean(&b, S(" \t\xc2\xa0\xe3\x80\x80::error::x"));
	expect(&b, " \t\xc2\xa0\xe3\x80\x80\\::error::x");
	say_clean(&b, S("std::string ## x"));
	expect(&b, "std::string ## x");
	say_clean(&b, S("a ##[group] ##vso[x] ##teamcity[y] ###[z]"));
	expect(&b, "a #\\#[group] #\\#vso[x] #\\#teamcity[y] ##\\#[z]");
	say_clean(&b, S("\033[2Ka\nb"));
	expect(&b, "a\\x0ab");
	say_lines(&b, S("a\n\n::x\nb\nc"), 2, 4);
	expect(&b, "  a\n\n  \\::x\n  b\n  \xe2\x80\xa6 1 more lines\n");
	buf_free(&b);
}

static void test_wrap(void **state)
{
	struct buf b = { 0 };

	say_wrap(&b, S("one two three four"), 0, 2, 9);
	expect(&b, "one two\n  three\n  four");
	say_wrap(&b, S("中文输出，结果"), 0, 0, 8);
	expect(&b, "中文输\n出，结果");
	say_wrap(&b, S("averyveryverylongword x"), 4, 4, 8);
	expect(&b, "averyveryverylongword\n    x");
	say_cell(&b, "中", 4);
	expect(&b, "中  ");
	buf_free(&b);
}

static void test_markdown(void **state)
{
	struct buf b = { 0 };

	md_text(&b, S("a*b_[x](y) <i>&@me `c`\nd"));
	expect(&b, "a\\*b\\_\\[x\\]\\(y\\) &lt;i&gt;&amp;&#64;me \\`c\\`\\\\x0ad");
	md_block(&b, S("x ```` y"));
	expect(&b, "`````text\nx ```` y\n`````\n");
	buf_free(&b);
}

static void test_retry_delay(void **state)
{
	for (int64_t i = 0; i < 70; i++) {
		int64_t top = i > 4 ? 30 * NSEC_PER_SEC : NSEC_PER_SEC << i;
		int64_t d = retry_delay(i);
		assert_true(d >= 0 && d <= top);
	}
}

static void test_retry_wanted(void **state)
{
	const char *on[] = { "mod.dns", NULL };
	struct run_values o = { .retry = 3 };
	struct session s = { .o = &o };
	struct finding f = { .cause = CAUSE_MOD_DNS, .classes = "TM" };
	struct report r = {
		.outcome = OUTCOME_FAILED, .cause = CAUSE_MOD_DNS, .findings = &f, .n_findings = 1
	};

	assert_true(retry_wanted(&s, &r));
	f.classes = "P";
	assert_false(retry_wanted(&s, &r));
	o.retry_on = (struct opt_list){ on, 1 };
	assert_true(retry_wanted(&s, &r));
	f.classes = "TS"; /* whatever else it is: security is never tried again */
	assert_false(retry_wanted(&s, &r));
	f.classes = "T";
	r.ending.stop = STOP_SIGNAL;
	assert_false(retry_wanted(&s, &r));
	r.ending.stop = STOP_NONE;
	r.outcome = OUTCOME_PASSED;
	assert_false(retry_wanted(&s, &r));
}

static char dir[] = "/tmp/tocsin-test-XXXXXX";

static const char *in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void test_sink_and_input(void **state)
{
	static const char *const names[] = { "plain.log", "packed.zst" };
	struct buf all = { 0 }, back = { 0 };
	struct err e;

	for (int i = 0; i < 20000; i++)
		buf_addf(&all, "line %d of a log\n", i);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct sink *s;
		struct input *in;
		struct span piece;
		assert_int_equal(sink_open(in_dir(names[i]), &s, &e), 0);
		for (size_t at = 0; at < all.len; at += 777)
			sink_write(s, span_head(span_from(buf_view(&all), at), 777));
		assert_int_equal(sink_close(s, &e), 0);
		assert_int_equal(input_open(in_dir(names[i]), &in, &e), 0);
		buf_clear(&back);
		while (input_read(in, &piece, &e) == 0 && piece.n)
			buf_span(&back, piece);
		input_close(in);
		assert_true(span_eq(buf_view(&back), buf_view(&all)));
		unlink(in_dir(names[i]));
	}
	struct sink *s;
	assert_int_equal(sink_open("/dev/full", &s, &e), 0);
	sink_write(s, buf_view(&all));
	assert_true(sink_close(s, &e) < 0);
	assert_non_null(strstr(e.msg, "/dev/full"));
	buf_free(&all);
	buf_free(&back);
}

static void test_junit(void **state)
{
	struct buf text = { 0 };
	struct report r = { 0 };
	struct junit *j;
	struct err e;

	assert_int_equal(junit_open(in_dir("j.xml"), false, &j, &e), 0);
	for (int i = 0; i < 3000; i++) { /* interleaved, over many blocks */
		char name[32];
		snprintf(name, sizeof(name), "Test%d", i);
		struct span pkg = i % 2 ? S("p/a") : S("p/b");
		junit_notice(j, &(struct notice){
					.kind = NOTICE_TEST_RUN, .package = pkg, .test = span_of(name) });
		junit_notice(j, &(struct notice){ .kind = NOTICE_TEST_END,
						  .package = pkg,
						  .test = span_of(name),
						  .result = i % 10 ? RESULT_PASS : RESULT_FAIL,
						  .text = S("x <\1\xff]]>&\n") });
	}
	junit_notice(j,
		     &(struct notice){ .kind = NOTICE_TEST_RUN, .package = S("p/a"), .test = S("TestLost") });
	junit_notice(j, &(struct notice){ .kind = NOTICE_PKG_END,
					  .package = S("p/a"),
					  .result = RESULT_FAIL,
					  .seconds = 2 });
	junit_report(j, &r);
	assert_int_equal(junit_close(j, &e), 0);
	assert_int_equal(file_slurp(in_dir("j.xml"), &text, &e), 0);
	assert_non_null(strstr(
		text.p,
		"<testsuites name=\"tocsin\" tests=\"3001\" failures=\"300\" errors=\"1\" skipped=\"0\" time=\"2.000\">"));
	assert_non_null(strstr(text.p, "name=\"p/b\" tests=\"1500\" failures=\"300\" errors=\"0\""));
	assert_non_null(strstr(text.p, "name=\"p/a\" tests=\"1501\" failures=\"0\" errors=\"1\""));
	assert_non_null(strstr(text.p, "x &lt;\\x01\xef\xbf\xbd]]&gt;&amp;"));
	assert_true(strstr(text.p, "name=\"Test2\"") < strstr(text.p, "name=\"Test2998\""));
	unlink(in_dir("j.xml"));
	buf_free(&text);
}

static void end_test(struct junit *j, const char *test, enum result result, const char *text)
{
	junit_notice(j, &(struct notice){ .kind = NOTICE_TEST_RUN, .package = S("p/a"), .test = span_of(test) });
	junit_notice(j, &(struct notice){ .kind = NOTICE_TEST_END,
					  .package = S("p/a"),
					  .test = span_of(test),
					  .result = result,
					  .seconds = 0.5,
					  .text = span_of(text) });
}

static void end_package(struct junit *j, enum result result)
{
	junit_notice(j, &(struct notice){
				.kind = NOTICE_PKG_END, .package = S("p/a"), .result = result, .seconds = 1 });
}

static void test_junit_again(void **state)
{
	struct buf text = { 0 };
	struct report r = { 0 };
	struct junit *j;
	struct err e;

	for (int whole = 0; whole < 2; whole++) {
		assert_int_equal(junit_open(in_dir("j.xml"), true, &j, &e), 0);
		end_test(j, "TestGood", RESULT_PASS, "");
		end_test(j, "TestFlaky/sub", RESULT_FAIL, "    a_test.go:1: first\n");
		end_test(j, "TestFlaky", RESULT_FAIL, "");
		end_test(j, "TestBad", RESULT_FAIL, "    a_test.go:2: bad <once>\n");
		end_package(j, RESULT_FAIL);
		junit_again(j, whole);
		if (whole)
			end_test(j, "TestGood", RESULT_PASS, "");
		end_test(j, "TestFlaky", RESULT_PASS, ""); /* its subtest does not come again */
		end_test(j, "TestBad", RESULT_FAIL, "    a_test.go:2: bad <twice>\n");
		end_package(j, RESULT_FAIL);
		junit_report(j, &r);
		assert_int_equal(junit_close(j, &e), 0);
		buf_clear(&text);
		assert_int_equal(file_slurp(in_dir("j.xml"), &text, &e), 0);
		assert_non_null(strstr(text.p, "name=\"p/a\" tests=\"4\" failures=\"1\" errors=\"0\" skipped=\"0\""));
		assert_non_null(strstr(text.p, "name=\"TestFlaky\" time=\"0.500\"><flakyFailure message=\"failed\" type=\"\">"
					       "<stackTrace></stackTrace><system-out></system-out></flakyFailure></testcase>"));
		assert_non_null(strstr(text.p, "name=\"TestFlaky/sub\" time=\"0.500\"><flakyFailure message=\"a_test.go:1: first\""));
		assert_non_null(strstr(text.p, "name=\"TestBad\" time=\"0.500\"><failure message=\"a_test.go:2: bad &lt;once&gt;\""));
		assert_non_null(strstr(text.p, "<rerunFailure message=\"a_test.go:2: bad &lt;twice&gt;\""));
		unlink(in_dir("j.xml"));
	}
	buf_free(&text);
}

/* Text names a package when it has ended. More than fits into memory, so that the file is used too. */
static void test_junit_text(void **state)
{
	struct buf text = { 0 };
	struct report r = { 0 };
	struct junit *j;
	struct err e;

	assert_int_equal(junit_open(in_dir("j.xml"), false, &j, &e), 0);
	junit_notice(j, &(struct notice){ .kind = NOTICE_PKG_START, .package = S("p/events") });
	for (int i = 0; i < 9000; i++) {
		char name[32];
		snprintf(name, sizeof(name), "Test%d", i);
		junit_notice(j, &(struct notice){ .kind = NOTICE_TEST_RUN, .test = span_of(name) });
		junit_notice(j, &(struct notice){ .kind = NOTICE_TEST_END, .test = span_of(name), .result = RESULT_PASS });
	}
	junit_notice(j, &(struct notice){ .kind = NOTICE_TEST_RUN, .test = S("TestBad") });
	junit_notice(j, &(struct notice){ .kind = NOTICE_TEXT, .text = S("--- FAIL: TestBad (0.00s)") });
	junit_notice(j, &(struct notice){ .kind = NOTICE_TEST_END, .test = S("TestBad"), .result = RESULT_FAIL });
	junit_notice(j, &(struct notice){ .kind = NOTICE_TEXT, .text = S("    a_test.go:1: why") });
	junit_notice(j, &(struct notice){ .kind = NOTICE_TEXT, .stream = STREAM_ERR, .text = S("elsewhere") });
	junit_notice(j, &(struct notice){ .kind = NOTICE_TEXT, .text = S("FAIL") });
	junit_notice(j, &(struct notice){ .kind = NOTICE_TEXT, .text = S("not its own") });
	junit_notice(j, &(struct notice){ .kind = NOTICE_PKG_END, .package = S("p/events"), .result = RESULT_PASS });
	junit_notice(j, &(struct notice){ .kind = NOTICE_PKG_END, .package = S("p/text"), .result = RESULT_FAIL });
	junit_notice(j, &(struct notice){ .kind = NOTICE_TEST_RUN, .test = S("TestCut") });
	junit_report(j, &r);
	assert_int_equal(junit_close(j, &e), 0);
	assert_int_equal(file_slurp(in_dir("j.xml"), &text, &e), 0);
	assert_non_null(strstr(text.p, "name=\"p/events\" tests=\"0\""));
	assert_non_null(strstr(text.p, "name=\"p/text\" tests=\"9001\" failures=\"1\" errors=\"0\""));
	assert_non_null(strstr(text.p, "classname=\"p/text\" name=\"Test8999\""));
	assert_non_null(strstr(text.p, "<failure message=\"a_test.go:1: why\""));
	assert_null(strstr(text.p, "elsewhere"));
	assert_null(strstr(text.p, "not its own"));
	assert_non_null(strstr(text.p, "name=\"(unknown package)\" tests=\"1\" failures=\"0\" errors=\"1\""));
	unlink(in_dir("j.xml"));
	buf_free(&text);
}

static void put_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s", in_dir(name));
	for (char *p = path + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		mkdir(path, 0700);
	}
	FILE *f = fopen(in_dir(name), "w");
	assert_non_null(f);
	fclose(f);
}

static void test_count(void **state)
{
	static const char *const files[] = { "m/go.mod", "m/a.go", "m/sub/b_test.go", "m/sub/deep/c.go", "m/testdata/x.go",
					     "m/nested/go.mod", "m/nested/n.go", "m/empty/README", "m/_no/x.go" };
	static const struct {
		const char *patterns[4];
		int64_t want;
	} rows[] = {
		{ { "./..." }, 3 }, { { "./sub/..." }, 2 }, { { "." }, 1 }, { { NULL }, 1 }, { { "./sub", "example.com/m/sub/deep" }, 2 },
		{ { "example.com/m/..." }, 3 }, { { "example.com/m/sub/..." }, 2 }, { { "example.com/..." }, 0 }, { { "example.com/m2/..." }, 0 },
		{ { "all" }, 0 }, { { "./sub", "std" }, 0 }, { { "./.../deep" }, 0 }, { { "..." }, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		put_file(files[i]);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t n = 0;
		while (rows[i].patterns[n])
			n++;
		assert_int_equal(where_count(in_dir("m"), "example.com/m", rows[i].patterns, n), rows[i].want);
	}
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		unlink(in_dir(files[i]));
	static const char *const dirs[] = { "m/sub/deep", "m/sub", "m/testdata", "m/nested", "m/empty", "m/_no", "m" };
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		rmdir(in_dir(dirs[i]));
}

static int make_dir(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),      cmocka_unit_test(test_refused),
		cmocka_unit_test(test_clean),        cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_markdown),     cmocka_unit_test(test_retry_delay),
		cmocka_unit_test(test_retry_wanted), cmocka_unit_test(test_sink_and_input),
		cmocka_unit_test(test_count),        cmocka_unit_test(test_junit),        cmocka_unit_test(test_junit_again),
		cmocka_unit_test(test_junit_text),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
