/* `tocsin check` around the lint: settings and baselines, damaged ones, and both without memory. */
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
#include "cli/check_lint.h"

static char top[] = "/tmp/tocsin-test-use-XXXXXX";
static char baseline[64], config[64];

static int setup(void **state)
{
	if (!mkdtemp(top) || chdir(top) < 0)
		return -1;
	snprintf(baseline, sizeof(baseline), "%s/baseline", top);
	snprintf(config, sizeof(config), "%s/tocsin.yaml", top);
	return file_replace("here.go", S("x"), NULL);
}

static int teardown(void **state)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", top);
	return system(cmd);
}

/* ---- baselines ---- */

static void find(struct report *r, const char *rule, const char *file, const char *line)
{
	struct finding *f = report_add(r);

	assert_non_null(f);
	f->rule = rule;
	f->file = span_of(file);
	f->excerpt = span_of(line);
	f->classes = "";
}

static void some(struct report *r)
{
	*r = (struct report){ 0 };
	find(r, "R01", "here.go", "\tdefer recover()");
	find(r, "R01", "here.go", "\tdefer recover()");
	find(r, "S02", "a b%\nc.sh", "go test | tee");
}

static size_t left(const char *text, struct baseline_sum *sum, int want)
{
	struct err e = { 0 };
	struct report r;

	some(&r);
	*sum = (struct baseline_sum){ 0 };
	assert_int_equal(file_replace(baseline, span_of(text), NULL), 0);
	int got = baseline_apply(baseline, &r, true, sum, &e);
	if (got != want || (got < 0 && !*e.msg))
		fail_msg("%s: %d %s", text, got, e.msg);
	size_t n = r.n_findings;
	report_free(&r);
	return n;
}

static void test_baseline(void **state)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct baseline_sum sum;
	struct report r;

	some(&r);
	assert_int_equal(baseline_write(baseline, &r, NULL), 0);
	report_free(&r);
	assert_int_equal(file_slurp(baseline, &text, NULL), 0);
	assert_int_equal(left(buf_str(&text), &sum, 0), 0);
	assert_true(sum.known == 3 && sum.stale == 0);
	/* Cut off anywhere: an error that names the line, or fewer that are known; never more. */
	for (size_t n = 0; n < text.len; n++) {
		CLEANUP(buf_free) struct buf cut = { 0 };
		struct baseline_sum less = { 0 };
		struct err e = { 0 };
		buf_span(&cut, span_head(buf_view(&text), n));
		assert_int_equal(file_replace(baseline, buf_view(&cut), NULL), 0);
		some(&r);
		int err = baseline_apply(baseline, &r, true, &less, &e);
		assert_true(err == 0 || (err == -EBADMSG && strstr(e.msg, baseline)));
		assert_int_equal(r.n_findings + less.known, 3);
		report_free(&r);
	}
	assert_int_equal(left("", &sum, -EBADMSG), 3);
	assert_int_equal(left("# another file\n", &sum, -EBADMSG), 3);
	assert_int_equal(left("# tocsin baseline 1\nR01 0123 1 here.go\n", &sum, -EBADMSG), 3);
	assert_int_equal(left("# tocsin baseline 1\nR01 0123456789abcdef 0 here.go\n", &sum, -EBADMSG), 3);
	assert_int_equal(left("# tocsin baseline 1\nR01 0123456789abcdef -9 here.go\n", &sum, -EBADMSG), 3);
	assert_int_equal(left("# tocsin baseline 1\nR01 0123456789abcdef 99999999999999999999 here.go\n",
			      &sum, -EBADMSG),
			 3);
	assert_int_equal(left("# tocsin baseline 1\nR01 0123456789abcdef 2 here.go\n", &sum, 0), 3);
	assert_int_equal(sum.stale, 2);
}

static void test_baseline_no_memory(void **state)
{
	for (long n = 1;; n++) {
		struct baseline_sum sum = { 0 };
		struct err e = { 0 };
		struct report r;
		some(&r);
		fault_seen = 0;
		fault_at = n;
		int err = baseline_write(baseline, &r, &e);
		long after = fault_seen;
		err = err ? err : baseline_apply(baseline, &r, true, &sum, &e);
		bool hit = fault_seen >= n, written = after < n;
		fault_at = 0;
		if (hit && (err == 0 || !*e.msg || (written && r.n_findings != 3)) && !r.lost)
			fail_msg("%ld: %d %s, %zu left", n, err, e.msg, r.n_findings);
		if (!hit)
			assert_true(err == 0 && r.n_findings == 0 && sum.known == 3);
		report_free(&r);
		if (!hit)
			break;
		assert_true(n < 10000);
	}
}

/* ---- settings ---- */

static const char settings[] = "check:\n"
			       "  rules: {R: off, R01: error, G01: on}\n"
			       "  paths:\n"
			       "    - {path: \"sub/*\", rules: {R01: note, S02: off}}\n"
			       "  exclude: [out]\n"
			       "  guards: [Quietly]\n"
			       "  reporters: [Hand, Over]\n"
			       "  panic_paths: [svc]\n"
			       "  watched: [mage]\n"
			       "  alerts: [hail]\n";

static size_t index_of(const char *id)
{
	return (size_t)(rule_find(span_of(id)) - rules);
}

static void test_settings(void **state)
{
	CLEANUP(lint_settings_free) struct lint_settings s = { 0 };
	struct lint_values o = { .config = config, .no_cache = true };
	struct err e;

	assert_int_equal(file_replace(config, span_of(settings), NULL), 0);
	assert_int_equal(lint_settings_read(&o, &s, &e), 0);
	assert_true(!s.on[index_of("R02")] && s.on[index_of("R01")] && s.on[index_of("G01")] &&
		    s.on[index_of("S02")]);
	assert_int_equal(s.severity[index_of("R01")], SEV_ERROR);
	assert_int_equal(s.severity[index_of("S02")], LINT_AS_ROW);
	const struct lint_words *words[] = { &s.options.exclude,          &s.options.config.guards,
					     &s.options.config.reporters, &s.options.config.panic_paths,
					     &s.options.config.watched,   &s.options.config.alerts };
	static const struct {
		size_t n;
		const char *last;
	} want[] = {
		{ 1, "out" }, { 1, "Quietly" }, { 2, "Over" }, { 1, "svc" }, { 1, "mage" }, { 1, "hail" }
	};
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		assert_int_equal(words[i]->n, want[i].n);
		assert_string_equal(words[i]->v[want[i].n - 1], want[i].last);
	}
	struct lint_finding found[] = { { .rule = &rules[index_of("R01")], .path = "a.go" },
					{ .rule = &rules[index_of("R01")], .path = "sub/a.go" },
					{ .rule = &rules[index_of("S02")], .path = "sub/a.sh" },
					{ .rule = &rules[index_of("S02")], .path = "a.sh" } };
	struct lint_result r = { .findings = found, .n = ARRAY_LEN(found) };
	lint_settings_apply(&s, &r);
	assert_int_equal(r.n, 3);
	assert_true(found[0].severity == SEV_ERROR && found[1].severity == SEV_NOTE &&
		    !strcmp(found[2].path, "a.sh"));
}

static void test_settings_no_memory(void **state)
{
	struct lint_values o = { .config = config };

	assert_int_equal(file_replace(config, span_of(settings), NULL), 0);
	for (long n = 1;; n++) {
		struct lint_settings s = { 0 };
		struct err e = { 0 };
		fault_seen = 0;
		fault_at = n;
		int err = lint_settings_read(&o, &s, &e);
		bool hit = fault_seen >= n;
		fault_at = 0;
		if (hit ? err == 0 || !*e.msg : err != 0)
			fail_msg("%ld: %d %s", n, err, e.msg);
		lint_settings_free(&s);
		if (!hit)
			break;
		assert_true(n < 10000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_baseline),
		cmocka_unit_test(test_baseline_no_memory),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_settings_no_memory),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
