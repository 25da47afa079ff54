/* A report that is written, read back and written again is the same, byte for byte; hostile texts are told by name and byte. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <glob.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "diagnose/judge.h"
#include "diagnose/match.h"
#include "model/report_read.h"

typedef void write_fn(const struct report *r, struct buf *ret);

/* ---- there and back ---- */

static void same_again(const struct report *r, const char *what, write_fn *write)
{
	CLEANUP(buf_free) struct buf one = { 0 }, two = { 0 };
	struct report back;
	struct err e;

	write(r, &one);
	if (report_read(buf_view(&one), what, &back, &e) < 0)
		fail_msg("%s", e.msg);
	write(&back, &two);
	if (!span_eq(buf_view(&one), buf_view(&two)))
		fail_msg("%s: wrote\n%s\nand then\n%s", what, buf_str(&one), buf_str(&two));
	assert_int_equal(back.n_findings, r->n_findings);
	assert_int_equal(back.cap_findings, r->n_findings);
	report_free(&back);
}

static void finding_same_again(const struct report *r, const struct finding *f, const char *what)
{
	CLEANUP(buf_free) struct buf one = { 0 }, two = { 0 };
	struct arena mem = { 0 };
	struct finding back;
	struct span s;
	struct err e;

	finding_json(r, f, &one);
	if (finding_read(buf_view(&one), &mem, &back, &e) < 0)
		fail_msg("%s: %s", what, e.msg);
	finding_json(r, &back, &two);
	assert_string_equal(buf_str(&one), buf_str(&two));
	assert_false(json_find(buf_view(&one), "fingerprint", &s) || json_find(buf_view(&one), "fault.id", &s));
	assert_true(span_find(buf_view(&one), S("\"owners\"")) == SPAN_NONE);
	arena_free(&mem);
}

/* ---- the recorded streams ---- */

static void judge_stream(struct match *match, struct span text, int code, struct report *r)
{
	struct judge_config c = { .explain = code < 0, .json_out = code >= 0 && span_starts(text, S("{")), .match = match };
	struct judge *j;
	struct err e;

	*r = (struct report){ .is_run = code >= 0, .duration_ns = 7 * NSEC_PER_MSEC };
	if (code >= 0)
		r->ending = (struct ending){ .how = END_EXIT, .code = code };
	assert_int_equal(judge_new(&c, &j, &e), 0);
	judge_feed(j, code < 0 ? STREAM_BOTH : STREAM_OUT, text);
	assert_int_equal(judge_finish(j, r, &e), 0);
	judge_free(j);
}

static void recorded_reports_come_back(void **state)
{
	const char *root = getenv("TOCSIN_SOURCE");
	char pattern[4096];
	struct match *match;
	size_t findings = 0;
	glob_t files;
	struct err e;

	(void)state;
	snprintf(pattern, sizeof(pattern), "%s/tests/golden/streams/*/*.*", root ? root : ".");
	assert_int_equal(glob(pattern, 0, NULL, &files), 0);
	assert_true(files.gl_pathc > 300);
	assert_int_equal(match_new(&match, &e), 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		CLEANUP(buf_free) struct buf text = { 0 };
		assert_int_equal(file_slurp(files.gl_pathv[i], &text, &e), 0);
		for (int code = -1; code < 2; code++) {
			struct report r;
			judge_stream(match, buf_view(&text), code, &r);
			same_again(&r, files.gl_pathv[i], report_json);
			same_again(&r, files.gl_pathv[i], report_spool_json);
			for (size_t k = 0; k < r.n_findings; k++)
				finding_same_again(&r, &r.findings[k], files.gl_pathv[i]);
			findings += r.n_findings;
			report_free(&r);
		}
	}
	assert_true(findings > 500);
	match_free(match);
	globfree(&files);
}

/* ---- one that has everything ---- */

static const char *argv_run[] = { "go", "test", "./...", NULL };
static const char *argv_vet[] = { "go", "vet", "-x=\"a b\"\n", NULL };
static const char *owners[] = { "@team", "a@example.com" };
static const char *limits[] = { "more than 500 findings", "限制 \"二\"" };
static const char *modules[] = { "example.com/a v1.2.3", "example.com/b v0.0.0-20260101000000-abcdefabcdef" };
static struct place places[] = { { { "m/p", 3 }, { "a_test.go", 9 }, 12 }, { { NULL, 0 }, { "", 0 }, 0 } };
static struct attempt attempts[] = { { 1, OUTCOME_FAILED, CAUSE_TEST_FAIL, 5 * NSEC_PER_MSEC }, { 2, OUTCOME_PASSED, CAUSE_NONE, 0 } };
static struct finding findings[] = {
	{ CAUSE_TEST_FAIL, SEV_ERROR, "PT", { "m/p", 3 }, { "TestA/sub\0x", 11 }, { "a_test.go", 9 }, 12, 3, { "got 3\twant \"4\"\x01\x7f", 17 },
	  { "逐行 \xf0\x9f\x98\x80\n", 12 }, { "", 0 }, "sum.missing", places, 2, { argv_vet, 3 }, 0, { owners, 2, 2 }, "19f2c00112233445566778899aabbccdd",
	  { "T-42", "known", 9 } },
	{ .cause = CAUSE_PIPE_MASKED, .severity = SEV_WARNING, .classes = "", .fault = { .id = "T-1" } },
	{ .cause = CAUSE_MOD_DNS, .severity = SEV_NOTE, .classes = "TMCRPS" },
};
static struct nested commands[] = {
	{ .argv = { argv_vet, 3 }, .cwd = "sub", .script = "make ci", .how = END_EXIT, .code = 2, .duration = NSEC_PER_SEC, .masked = true,
	  .below_test = true },
	{ .argv = { argv_run, 3 }, .how = END_SIGNAL, .sig = SIGKILL, .allowed = true, .recovered = true },
	{ .argv = { argv_run, 3 }, .how = END_SIGNAL, .sig = 35 },
	{ .argv = { argv_run, 0 }, .how = END_UNKNOWN },
};
static struct proc_note procs[] = { { 123, 0, true, false, "sleep 100" }, { 124, SIGTERM, false, true, NULL } };
static struct named_time slowest[] = { { { "m/p", 3 }, { "TestA", 5 }, 1234 * NSEC_PER_MSEC }, { { "m/p", 3 }, { NULL, 0 }, -1 } };
static struct test_result results[] = {
	{ { "m/p", 3 }, { "TestA", 5 }, TEST_PASS, 1, 1234567 }, { { "m/p", 3 }, { "TestA", 5 }, TEST_FAIL, 2, 0 },
	{ { "m/q", 3 }, { "Test\"B\"", 7 }, TEST_SKIP, 1, -1 }, { { NULL, 0 }, { NULL, 0 }, TEST_UNFINISHED, 0, 1 },
	{ { "", 0 }, { "TestA", 5 }, TEST_PASS, 1, INT64_MAX }, { { "m/p", 3 }, { "TestC", 5 }, TEST_PASS, 1, 1 },
};

static struct report full_report(void)
{
	return (struct report){
		.is_run = true, .id = "01ARYZ6S41TSV4RRFFQ69G5FAV", .argv = { argv_run, 3 }, .cwd = ".",
		.started = INT64_C(1800000000) * NSEC_PER_SEC, .duration_ns = 1234 * NSEC_PER_MSEC,
		.ending = { .how = END_EXIT, .code = 1, .why = "the kernel said so" },
		.ci = { "github", "o/r", "main", "abc", "job", "17", "https://ci.example/1", "someone", "5" }, .go_version = "go1.26.8",
		.resources = { true, 900 * NSEC_PER_MSEC, 81234, -1, 0, INT64_MAX },
		.facilities = { { "cgroup", "v1", NULL }, { "proc_events", "yes", NULL }, { "pty", "no", "not asked for" } }, .n_facilities = 3,
		.attempts = attempts, .n_attempts = 2, .outcome = OUTCOME_FAILED, .cause = CAUSE_TEST_FAIL, .exit_code = 1, .summary = "1 of 2 tests failed",
		.tests = { 3, 14, 12, 2, 0, -1, 1 }, .findings = findings, .n_findings = ARRAY_LEN(findings), .commands = commands,
		.n_commands = ARRAY_LEN(commands), .procs = procs, .n_procs = 2, .slowest = slowest, .n_slowest = 2, .skipped = slowest, .n_skipped = 1,
		.limits = { limits, 2, 2 }, .log_path = "run.log", .results = results, .n_results = ARRAY_LEN(results), .project = "o/r",
		.base_branch = "main", .modules = { modules, 2, 2 }, .tree = UINT64_C(0xfedcba9876543210), .tree_known = true,
	};
}

static void a_full_one_comes_back(void **state)
{
	struct report r = full_report();

	(void)state;
	same_again(&r, "full", report_json);
	same_again(&r, "full", report_spool_json);
	for (size_t i = 0; i < r.n_findings; i++)
		finding_same_again(&r, &findings[i], "full");
	for (int o = OUTCOME_NONE; o < OUTCOME_COUNT; o++) {
		r.outcome = (enum outcome)o;
		same_again(&r, "outcome", report_spool_json);
	}
	for (int c = CAUSE_NONE; c < CAUSE_COUNT; c++) {
		r.cause = (enum cause)c;
		same_again(&r, "cause", report_json);
	}
	for (int sig = 1; sig < NSIG; sig++) {
		r.ending = (struct ending){ .how = END_SIGNAL, .sig = sig };
		same_again(&r, "signal", report_json);
	}
	r = (struct report){ 0 };
	same_again(&r, "empty", report_spool_json);
}

static void every_field_is_read(void **state)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct report r = full_report(), back;
	struct err e;

	(void)state;
	report_spool_json(&r, &b);
	assert_int_equal(report_read(buf_view(&b), "full", &back, &e), 0);
	memset(b.p, '#', b.len); /* all memory is its own */
	assert_true(back.is_run && back.started == r.started && back.duration_ns == r.duration_ns);
	assert_string_equal(back.id, r.id);
	assert_string_equal(back.argv.v[2], "./...");
	assert_null(back.argv.v[3]);
	assert_int_equal(back.ending.how, END_EXIT);
	assert_int_equal(back.ending.code, 1);
	assert_string_equal(back.ending.why, "the kernel said so");
	assert_string_equal(back.ci.pr, "5");
	assert_true(back.resources.known && back.resources.cpu_ns == 900 * NSEC_PER_MSEC && back.resources.tree_rss_kb == -1);
	assert_int_equal(back.n_facilities, 3);
	assert_string_equal(back.facilities[1].value, "yes");
	assert_string_equal(back.facilities[2].why, "not asked for");
	assert_int_equal(back.attempts[0].cause, CAUSE_TEST_FAIL);
	assert_int_equal(back.tests.unfinished, -1);
	const struct finding *f = &back.findings[0];
	assert_string_equal(f->classes, "PT");
	assert_true(span_eq(f->test, (struct span){ "TestA/sub\0x", 11 }) && span_eq(f->message, findings[0].message));
	assert_true(f->advice.p && !f->advice.n && !back.findings[1].advice.p);
	assert_true(f->line == 12 && f->column == 3 && f->n_places == 2 && f->places[0].line == 12);
	assert_string_equal(f->owners.v[1], "a@example.com");
	assert_string_equal(f->fingerprint, findings[0].fingerprint);
	assert_string_equal(f->fault.state, "known");
	assert_int_equal(f->fault.count, 9);
	assert_string_equal(f->command.v[2], argv_vet[2]);
	assert_string_equal(back.findings[1].classes, "");
	assert_null(back.findings[2].fault.id);
	assert_int_equal(back.commands[1].sig, SIGKILL);
	assert_int_equal(back.commands[2].sig, 35);
	assert_int_equal(back.commands[3].how, END_UNKNOWN);
	assert_int_equal(back.procs[1].sig, SIGTERM);
	assert_true(back.slowest[1].ns == -1 && back.n_skipped == 1);
	assert_int_equal(back.n_results, ARRAY_LEN(results));
	for (size_t i = 0; i < ARRAY_LEN(results); i++) {
		const struct test_result *a = &back.results[i], *w = &results[i];
		assert_true(span_eq(a->package, w->package) && span_eq(a->test, w->test) && a->result == w->result);
		assert_true(a->ns == w->ns && a->attempt == w->attempt && !a->package.p == !w->package.p);
	}
	assert_true(back.tree_known && back.tree == r.tree && back.modules.n == 2);
	assert_non_null(report_add(&back)); /* it can be added to */
	report_free(&back);
}

/* ---- what is missing, new, or in another order ---- */

#define HEAD "{\"schema\":\"tocsin.report/1\","

static void read_ok(const char *text, struct report *ret)
{
	struct err e;

	if (report_read(span_of(text), "f.json", ret, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
}

static void defaults_and_order(void **state)
{
	struct report r;

	(void)state;
	read_ok(" {\"schema\":\"tocsin.report\\/1\"}\n", &r);
	assert_false(r.is_run || r.outcome || r.cause || r.exit_code || r.n_findings || r.resources.known || r.started);
	assert_true(r.tests.run == -1 && r.tests.cached_packages == -1 && r.duration_ns == -1);
	report_free(&r);

	read_ok("{\"new\":[{\"a\":[1,2,{}]}],\"findings\":[{\"line\":null,\"x\":{},\"cause\":\"go.leak\"}],\"verdict\":null,\"tests\":{\"run\":3},"
		"\"run\":{\"facilities_why\":{\"pty\":\"w\",\"ghost\":\"g\"},\"facilities\":{\"a\":null,\"pty\":false},\"exit\":{\"signal\":\"SIGSEGV\"}},"
		"\"results\":[{\"tests\":[[\"T\",\"f\"],[\"U\",\"s\",5,2,{\"more\":1}]],\"package\":\"m/p\"}],\"schema\":\"tocsin.report/1\"}", &r);
	assert_true(r.is_run && r.ending.how == END_SIGNAL && r.ending.sig == SIGSEGV);
	assert_int_equal(r.findings[0].cause, CAUSE_GO_LEAK);
	assert_string_equal(r.findings[0].classes, "");
	assert_true(r.tests.run == 3 && r.tests.failed == -1);
	assert_int_equal(r.n_facilities, 1);
	assert_string_equal(r.facilities[0].why, "w");
	assert_true(span_eq(r.results[0].package, S("m/p")) && r.results[0].result == TEST_FAIL && r.results[0].ns == -1);
	assert_true(r.results[0].attempt == 1 && r.results[1].attempt == 2 && r.results[1].ns == 5);
	report_free(&r);

	read_ok(HEAD "\"run\":{\"started\":\"2026-11-21T10:00:00.5+08:00\",\"exit\":{\"code\":127,\"signal\":null}},\"verdict\":"
		"{\"outcome\":\"not_started\",\"cause\":\"proc.not_found\"}}", &r);
	assert_int_equal(r.ending.how, END_NOT_STARTED);
	assert_int_equal(r.ending.code, 127);
	assert_int_equal(r.ending.start_cause, CAUSE_PROC_NOT_FOUND);
	assert_int_equal(r.started, INT64_C(1795226400) * NSEC_PER_SEC + NSEC_PER_SEC / 2);
	report_free(&r);
}

/* ---- what is wrong ---- */

static const struct {
	const char *text, *said;
} wrong[] = {
	{ "", "f.json: byte 0: the report ends too early" },
	{ "x", "f.json: byte 0: this is not JSON" },
	{ "[]", "f.json: byte 0: \"report\" is not an object" },
	{ "{}", "f.json: byte 0: this is no report" },
	{ "{\"schema\":\"tocsin.report/2\"}", "f.json: byte 10: \"schema\" is 'tocsin.report/2', which" },
	{ "{\"schema\":null}", "byte 10: \"schema\" is not a text" },
	{ HEAD "\"run\":{", "byte 35: the report ends too early" },
	{ HEAD "\"run\":[]}", "byte 34: \"run\" is not an object" },
	{ HEAD "\"limits\":[]} x", "byte 41: this is not JSON" },
	{ HEAD "\"limits\":[] \"x\":1}", "byte 40: this is not JSON" },
	{ HEAD "\"limits\":[\"a\",1]}", "byte 42: \"limits\" is not an array of texts" },
	{ HEAD "\"limits\":\"a\"}", "byte 37: \"limits\" is not an array" },
	{ HEAD "\"findings\":[3]}", "byte 40: \"findings\" is not an array of objects" },
	{ HEAD "\"findings\":[{}]}", "finding 1 has no cause" },
	{ HEAD "\"findings\":[{\"cause\":\"\\u001b[31mx\"}]}", "\"cause\" is 'x', which this version does not know" },
	{ HEAD "\"findings\":[{\"cause\":\"go.leak\",\"line\":\"1\"}]}", "\"line\" is not a whole number" },
	{ HEAD "\"findings\":[{\"cause\":\"go.leak\",\"line\":2147483648}]}", "\"line\" is not a whole number" },
	{ HEAD "\"findings\":[{\"cause\":\"go.leak\",\"line\":1.5}]}", "\"line\" is not a whole number" },
	{ HEAD "\"findings\":[{\"severity\":\"fatal\"}]}", "\"severity\" is 'fatal'" },
	{ HEAD "\"findings\":[{\"classes\":[\"odd\"]}]}", "\"classes\" is 'odd'" },
	{ HEAD "\"findings\":[{\"fingerprint\":\"0123456789012345678901234567890123\"}]}", "\"fingerprint\" is not as short" },
	{ HEAD "\"findings\":[{\"message\":\"\\q\"}]}", "\"message\" is not written with the escapes" },
	{ HEAD "\"findings\":[{\"message\":\"\\\"}]}", "the report ends too early" },
	{ HEAD "\"run\":{\"duration_ms\":9223372036855}}", "\"duration_ms\" is not a whole number that fits" },
	{ HEAD "\"run\":{\"duration_ms\":99999999999999999999}}", "\"duration_ms\" is not a whole number that fits" },
	{ HEAD "\"run\":{\"started\":\"yesterday\"}}", "\"started\" is not a time" },
	{ HEAD "\"run\":{\"exit\":{\"signal\":\"SIGFOO\"}}}", "\"exit\" is not how a process ends" },
	{ HEAD "\"run\":{\"exit\":{\"signal\":\"SIG65\"}}}", "\"exit\" is not how a process ends" },
	{ HEAD "\"run\":{\"facilities\":{\"a\":1}}}", "\"facilities\" is not a text" },
	{ HEAD "\"run\":{\"facilities\":{\"a\"}}}", "this is not JSON" },
	{ HEAD "\"commands\":[{\"masked\":\"yes\"}]}", "\"masked\" is not true or false" },
	{ HEAD "\"results\":[{\"tests\":[{}]}]}", "\"tests\" is not an array of arrays" },
	{ HEAD "\"results\":[{\"tests\":[[\"T\",\"x\"]]}]}", "\"tests\" is 'x'" },
	{ HEAD "\"store\":{\"tree\":\"12\"}}", "\"tree\" is not a hash in hex" },
	{ HEAD "\"new\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "this is not JSON" },
};

static void hostile_texts_are_told(void **state)
{
	struct report r;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		e.msg[0] = '\0';
		memset(&r, 0x5a, sizeof(r));
		int n = report_read(span_of(wrong[i].text), "f.json", &r, &e);
		if (n != -EBADMSG || !strstr(e.msg, wrong[i].said) || strncmp(e.msg, "f.json: byte ", 13) != 0)
			fail_msg("%s\n: %d %s\nwant %s", wrong[i].text, n, e.msg, wrong[i].said);
		assert_true(!r.mem.head && !r.n_findings && !r.findings);
	}
}

static void cut_anywhere(void **state)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct report r = full_report(), back;
	struct err e;

	(void)state;
	report_spool_json(&r, &b);
	for (size_t n = 0; n < b.len; n++) {
		char *own = mem_dup(b.p, n); /* so that a byte too far is seen */
		assert_int_equal(report_read((struct span){ own, n }, "f.json", &back, &e), -EBADMSG);
		mem_free(own);
	}
}

static void memory_is_bounded(void **state)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct report r;
	struct err e;

	(void)state;
	buf_adds(&b, HEAD "\"commands\":[{}");
	while (b.len < 4u << 20)
		buf_adds(&b, ",{}");
	buf_adds(&b, "]}");
	assert_int_equal(report_read(buf_view(&b), "f.json", &r, &e), -ENOMEM);
	assert_non_null(strstr(e.msg, "f.json: byte "));
	buf_clear(&b);
	buf_adds(&b, HEAD "\"limits\":[\"\"");
	while (b.len < 4u << 20)
		buf_adds(&b, ",\"\"");
	buf_adds(&b, "]}");
	assert_int_equal(report_read(buf_view(&b), "f.json", &r, &e), 0); /* many, but no squares of them */
	report_free(&r);
}

static void many_tests(void **state)
{
	CLEANUP(mem_free) struct test_result *many = mem_zalloc(10000 * sizeof(*many));
	char names[64][32];
	CLEANUP(buf_free) struct buf b = { 0 };
	struct report r, back;
	struct err e;

	(void)state;
	for (int i = 0; i < 64; i++)
		snprintf(names[i], sizeof(names[i]), "TestNumber%d", i);
	for (size_t i = 0; i < 10000; i++)
		many[i] = (struct test_result){ S("example.com/m/some/package"), span_of(names[i % 64]), TEST_PASS, 1, (int64_t)i * 1000 };
	r = (struct report){ .results = many, .n_results = 10000 };
	int64_t begin = time_mono();
	report_spool_json(&r, &b);
	int64_t middle = time_mono();
	assert_int_equal(report_read(buf_view(&b), "many", &back, &e), 0);
	print_message("# 10000 tests: %zu bytes, written in %.2f ms, read in %.2f ms\n", b.len, (double)(middle - begin) / 1e6,
		      (double)(time_mono() - middle) / 1e6);
	assert_int_equal(back.n_results, 10000);
	assert_true(b.len < 400000);
	report_free(&back);
}

static void findings_alone(void **state)
{
	struct arena mem = { 0 };
	struct finding f;
	struct err e;

	(void)state;
	assert_int_equal(finding_read(S("{\"owners\":[\"@a\"],\"cause\":\"go.leak\",\"fingerprint\":\"1ab\",\"fault\":{\"id\":\"T-7\"}}"), &mem, &f, &e), 0);
	assert_string_equal(f.fingerprint, "1ab");
	assert_string_equal(f.fault.id, "T-7");
	assert_string_equal(f.owners.v[0], "@a");
	assert_int_equal(finding_read(S("{\"cause\":7}"), &mem, &f, &e), -EBADMSG);
	assert_string_equal(e.msg, "finding: byte 9: \"cause\" is not a text");
	assert_string_equal(f.classes, "");
	assert_int_equal(finding_read(S("{}"), &mem, &f, &e), -EBADMSG);
	assert_int_equal(finding_read(S("{\"cause\":\"go.leak\"}{}"), &mem, &f, &e), -EBADMSG);
	arena_free(&mem);
}

/* ---- without memory ---- */

static void every_failed_allocation_is_said(void **state)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct report r = full_report(), back;
	struct finding many[200];
	struct err e;
	long at;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = findings[i % ARRAY_LEN(findings)];
	r.findings = many, r.n_findings = ARRAY_LEN(many);
	report_spool_json(&r, &b);
	for (at = 1; at < 1000; at++) {
		e.msg[0] = '\0';
		fault_at = at, fault_seen = 0;
		int n = report_read(buf_view(&b), "f.json", &back, &e);
		bool hit = fault_seen >= fault_at;
		fault_at = 0;
		assert_int_equal(n, hit ? -ENOMEM : 0);
		if (!hit)
			break;
		assert_non_null(strstr(e.msg, "no memory"));
		assert_null(back.mem.head);
	}
	assert_true(at > 5 && at < 1000);
	report_free(&back);
	for (at = 1; at < 1000; at++) { /* writing: the buffer says it */
		CLEANUP(buf_free) struct buf out = { 0 };
		fault_at = at, fault_seen = 0;
		report_spool_json(&r, &out);
		bool hit = fault_seen >= fault_at;
		fault_at = 0;
		assert_int_equal(out.bad, hit);
		if (!hit)
			break;
	}
}

/* ---- times ---- */

static void times_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t sec, ns;
	} good[] = {
		{ "1970-01-01T00:00:00Z", 0, 0 }, { "2026-11-21T02:00:00Z", 1795226400, 0 }, { "2026-11-21t02:00:00.123456789z", 1795226400, 123456789 },
		{ "2026-11-21T10:00:00.5+08:00", 1795226400, 500000000 }, { "2026-11-20T20:30:00-05:30", 1795226400, 0 },
		{ "2024-02-29T00:00:00Z", 1709164800, 0 }, { "2000-02-29T23:59:59Z", 951868799, 0 }, { "2016-12-31T23:59:60Z", 1483228800, 0 },
		{ "1969-12-31T23:59:59Z", -1, 0 }, { "1678-01-01T00:00:00Z", -9214560000, 0 }, { "2261-12-31T23:59:59.9999999999Z", 9214646399, 999999999 },
		{ "2026-11-21T02:00:00-00:00", 1795226400, 0 },
	};
	static const char *const bad[] = {
		"", "2026-11-21", "2026-11-21T02:00:00", "2026-11-21T02:00:00.Z", "2026-11-21 02:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
		"2025-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-11-31T00:00:00Z", "2026-11-21T24:00:00Z", "2026-11-21T02:60:00Z",
		"2026-11-21T02:00:61Z", "2026-11-21T02:00:00+24:00", "2026-11-21T02:00:00+0800", "2026-11-21T02:00:00Zx", "0001-01-01T00:00:00Z",
		"1678-01-01T00:00:00+00:01", "2261-12-31T23:59:59-00:01", "2026-11-21T02:00:00+08:0", "-026-11-21T02:00:00Z", "2026-1--21T02:00:00Z",
	};
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		if (!time_parse_rfc3339(span_of(good[i].text), &ns) || ns != good[i].sec * NSEC_PER_SEC + good[i].ns)
			fail_msg("%s: %lld", good[i].text, (long long)ns);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (time_parse_rfc3339(span_of(bad[i]), &ns))
			fail_msg("%s: %lld", bad[i], (long long)ns);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_reports_come_back),
		cmocka_unit_test(a_full_one_comes_back),
		cmocka_unit_test(every_field_is_read),
		cmocka_unit_test(defaults_and_order),
		cmocka_unit_test(hostile_texts_are_told),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(many_tests),
		cmocka_unit_test(findings_alone),
		cmocka_unit_test(every_failed_allocation_is_said),
		cmocka_unit_test(times_are_read),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
