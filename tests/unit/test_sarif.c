/* cli: SARIF of a report and of faults. The end-to-end test checks the whole structure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/sarif.h"

static void has(const struct buf *b, const char *part)
{
	if (span_find(buf_view(b), span_of(part)) == SPAN_NONE)
		print_error("not there: %s\nin: %.*s\n", part, (int)b->len, b->p ? b->p : "");
	assert_true(span_find(buf_view(b), span_of(part)) != SPAN_NONE);
}

static void is_json(const struct buf *b)
{
	struct json_in j = { .text = buf_view(b) };
	enum json_tok t;

	assert_false(b->bad);
	while ((t = json_next(&j)) > JSON_END)
		;
	assert_int_equal(t, JSON_END);
}

static void test_report(void **state)
{
	CLEANUP(buf_free) struct buf out = { 0 };
	struct place places[] = { { S("m/p"), S("a_test.go"), 12 }, { S("m/q"), S("b dir/b.go"), 3 } };
	struct finding f[] = {
		{ .cause = CAUSE_TEST_FAIL, .severity = SEV_ERROR, .package = S("m/p"), .test = S("TestA/sub"), .file = S("./a_test.go"), .line = 12, .column = 4,
		  .message = S("got \"3\""), .excerpt = S("x\ny"), .fingerprint = "1abc", .fault = { "T-4", "known", 9 }, .places = places, .n_places = 2 },
		{ .cause = CAUSE_TEST_FAIL, .severity = SEV_WARNING, .file = S("/abs/c:d.go"), .fault = { "T-5", "new", 1 } },
		{ .cause = CAUSE_MOD_DNS, .severity = SEV_NOTE },
	};
	const char *argv[] = { "go", "test", NULL };
	struct report r = { .is_run = true, .argv = { argv, 2 }, .cwd = "sub/dir", .started = INT64_C(1700000000000000000), .duration_ns = 1,
		.ending = { .how = END_EXIT, .code = 1 }, .outcome = OUTCOME_FAILED, .findings = f, .n_findings = ARRAY_LEN(f) };

	sarif_write(&r, &out);
	is_json(&out);
	has(&out, "\"version\":\"2.1.0\"");
	has(&out, "\"rules\":[{\"id\":\"test.fail\"");
	has(&out, "{\"id\":\"mod.dns\"");
	has(&out, "\"uri\":\"sub/dir/a_test.go\",\"uriBaseId\":\"SRCROOT\"},\"region\":{\"startLine\":12,\"startColumn\":4}");
	has(&out, "\"uri\":\"sub/dir/b%20dir/b.go\"");
	has(&out, "\"uri\":\"file:///abs/c:d.go\"}");
	has(&out, "\"partialFingerprints\":{\"tocsin/v1\":\"1abc\"}");
	has(&out, "\"baselineState\":\"unchanged\"");
	has(&out, "\"baselineState\":\"new\"");
	has(&out, "\"fullyQualifiedName\":\"m/p.TestA/sub\",\"kind\":\"function\"");
	has(&out, "\"ruleId\":\"mod.dns\",\"ruleIndex\":1,\"level\":\"note\"");
	has(&out, "\"exitCode\":1");
	report_free(&r);
}

static void test_faults(void **state)
{
	static const struct {
		enum fault_state state;
		int64_t count;
		const char *want;
	} rows[] = {
		{ FAULT_OPEN, 1, "\"baselineState\":\"new\"" },
		{ FAULT_OPEN, 2, "\"baselineState\":\"unchanged\"" },
		{ FAULT_REGRESSED, 5, "\"baselineState\":\"new\"" },
		{ FAULT_RESOLVED, 5, "\"baselineState\":\"absent\"" },
		{ FAULT_IGNORED, 5, "\"suppressions\":[{\"kind\":\"external\",\"status\":\"accepted\"" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_free) struct buf out = { 0 };
		struct fault f = { .seq = 7, .cause = S("check.S99"), .title = S("x"), .state = rows[i].state, .count = rows[i].count, .severity = SEV_ERROR };
		sarif_write_faults(&f, NULL, 1, &out);
		is_json(&out);
		has(&out, rows[i].want);
		has(&out, "\"rules\":[{\"id\":\"check.S99\"");
		has(&out, "\"fault\":\"T-7\"");
	}
}

static void test_no_memory(void **state)
{
	struct fault f = { .seq = 7, .cause = S("test.fail"), .title = S("x"), .file = S("a b.go"), .severity = SEV_ERROR };

	for (long n = 1;; n++) {
		CLEANUP(buf_free) struct buf out = { 0 };
		fault_seen = 0;
		fault_at = n;
		sarif_write_faults(&f, NULL, 1, &out);
		bool hit = fault_seen >= n;
		fault_at = 0;
		if (!hit)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests_name("sarif", tests, NULL, NULL);
}
