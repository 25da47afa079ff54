/* parse: defence contracts. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "parse/contract.h"

#define REST "trigger: a\nguarantee: b\nchecks:\n  - test: m.TestX\n"

static const char whole[] =
	"# the defence\n"
	"fault: T-42\n"
	"fingerprint: \"1a2b3c4d\"\n"
	"title: an empty cart has no total\n"
	"trigger: |\n"
	"  a cart without lines\n"
	"  and a discount\n"
	"guarantee: Total never panics\n"
	"checks:\n"
	"  - test: example.com/shop/cart.TestTotal/empty\n"
	"  - test: FuzzTotal\n"
	"    package: example.com/shop/cart\n"
	"  - rule: nilness\n"
	"  - drill: slow-disk\n";

static void reads_all_of_it(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct contract c;
	struct err e;

	assert_int_equal(contract_read("c.yaml", span_of(whole), &mem, &c, &e), 0);
	assert_int_equal(c.n_errors, 0);
	assert_string_equal(c.fault.p, "T-42");
	assert_int_equal(c.fault_line, 2);
	assert_string_equal(c.fingerprint.p, "1a2b3c4d");
	assert_string_equal(c.title.p, "an empty cart has no total");
	assert_string_equal(c.trigger.p, "a cart without lines\nand a discount\n");
	assert_int_equal(c.n_checks, 4);
	assert_string_equal(c.checks[0].name.p, "example.com/shop/cart.TestTotal/empty");
	assert_int_equal(c.checks[0].line, 10);
	assert_string_equal(c.checks[1].name.p, "example.com/shop/cart.FuzzTotal");
	assert_int_equal(c.checks[2].kind, DEFENCE_RULE);
	assert_int_equal(c.checks[3].kind, DEFENCE_DRILL);
	assert_string_equal(c.checks[3].name.p, "slow-disk");
}

static const struct {
	const char *text, *error; /* the first one */
	size_t n;
} wrong[] = {
	{ "", "c:1:1: this is no contract: it needs the keys fault, trigger, guarantee and checks", 1 },
	{ "- a\n", "c:1:1: this is no contract", 1 },
	{ "a: b: c\n", "c:1:5: a ':' that cannot stand here", 1 },
	{ "fault: T-1\n" REST "gaurantee: x\n", "c:6:1: there is no key 'gaurantee'; did you mean guarantee?", 1 },
	{ "fault: T-1\n" REST "zzzzzzzzz: x\n", "c:6:1: there is no key 'zzzzzzzzz'; it may be: fault, trigger, guarantee, checks, title, fingerprint", 1 },
	{ "title: x\n", "c:1:1: the key 'fault' is missing", 4 },
	{ "fault: T-x\n" REST, "c:1:8: fault: needs a fault's id such as T-42, a ULID or a fingerprint, not 'T-x'", 1 },
	{ "fault: [T-1]\n" REST, "c:1:8: fault: needs a text, not a list", 1 },
	{ "fault:\n" REST, "c:1:7: fault: is empty; fill it in", 1 },
	{ "fault: T-1\nfingerprint: xyz\n" REST, "c:2:14: fingerprint: needs what", 1 },
	{ "fault: T-1\ntrigger: ''\nguarantee: {}\nchecks: []\n", "c:2:10: trigger: is empty; fill it in", 3 },
	{ "fault: T-1\ntrigger: a\nguarantee: b\nchecks: m.TestX\n", "c:4:9: checks: needs a list", 1 },
	{ "fault: T-1\ntrigger: a\nguarantee: b\nchecks:\n  - m.TestX\n", "c:5:5: checks: an entry is", 1 },
	{ "fault: T-1\ntrigger: a\nguarantee: b\nchecks:\n  - tset: m.TestX\n", "c:5:5: there is no key 'tset'; did you mean test?", 1 },
	{ "fault: T-1\ntrigger: a\nguarantee: b\nchecks:\n  - test: m.Parse\n", "c:5:11: test: needs PACKAGE.TestName or TestName, not 'm.Parse'", 1 },
	{ "fault: T-1\ntrigger: a\nguarantee: b\nchecks:\n  - test: m.TestX\n    package: m\n", "c:6:14: package: 'm.TestX' names its package already", 1 },
	{ "fault: T-1\ntrigger: a\nguarantee: b\nchecks:\n  - test: m.TestX\n    rule: x\n", "c:6:5: checks: one of test, rule and drill an entry", 1 },
	{ "fault: T-1\ntrigger: a\nguarantee: b\nchecks:\n  - package: m\n", "c:5:5: checks: the entry names no test, rule or drill", 1 },
	{ "fault: T-1\ntrigger: a\nguarantee: b\nchecks:\n  - rule: m\n    package: m\n", "c:6:14: package: goes with a test only", 1 },
	{ "fault: T-1\n" REST "  - rule: x\n  - test: m.TestX\n", "c:7:11: test: 'm.TestX' stands here twice; first in line 5", 1 },
};

static void says_what_is_wrong_and_where(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		CLEANUP(arena_free) struct arena mem = { 0 };
		struct contract c;
		struct err e;
		assert_int_equal(contract_read("c", span_of(wrong[i].text), &mem, &c, &e), 0);
		assert_int_equal(c.n_errors, wrong[i].n);
		if (strncmp(c.errors[0].text, wrong[i].error, strlen(wrong[i].error)) != 0)
			fail_msg("%s\nis not: %s", c.errors[0].text, wrong[i].error);
		assert_true(c.errors[0].line > 0 && c.errors[0].column > 0);
	}
}

static void the_same_in_chinese(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct contract c;
	struct err e;

	lang_now = LANG_ZH;
	assert_int_equal(contract_read("c", S("fault: T-1\n" REST "gaurantee: x\n"), &mem, &c, &e), 0);
	lang_now = LANG_EN;
	assert_string_equal(c.errors[0].text, "c:6:1: 没有键“gaurantee”；您是否想用 guarantee？");
}

static void names_of_defences(void **state)
{
	(void)state;
	enum defence_kind k;
	struct span name;

	assert_true(defence_read(S("contract:tocsin/contracts/x.yaml"), &k, &name));
	assert_int_equal(k, DEFENCE_CONTRACT);
	assert_true(span_eq(name, S("tocsin/contracts/x.yaml")));
	assert_true(defence_read(S("rule:check.S02: x"), &k, &name) && span_eq(name, S("check.S02: x")));
	assert_false(defence_read(S("test:"), &k, &name));
	assert_false(defence_read(S("tests:TestX"), &k, &name));
	assert_false(defence_read(S(""), &k, &name));
}

static void errors_are_bounded(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena mem = { 0 };
	CLEANUP(buf_free) struct buf b = { 0 };
	struct contract c;
	struct err e;

	for (int i = 0; i < 100; i++)
		buf_addf(&b, "key%d: x\n", i);
	assert_int_equal(contract_read("c", buf_view(&b), &mem, &c, &e), 0);
	assert_int_equal(c.n_errors, CONTRACT_ERRORS_MAX);
}

/* Every allocation fails once: an error, and nothing lost. */
static void memory_may_be_out(void **state)
{
	(void)state;

	for (long n = 1; n < 10000; n++) {
		CLEANUP(arena_free) struct arena mem = { 0 };
		struct contract c;
		struct err e = { 0 };
		fault_seen = 0;
		fault_at = n;
		int r = contract_read("c.yaml", span_of(whole), &mem, &c, &e);
		fault_at = 0;
		if (r == 0 && fault_seen < n)
			return;
		assert_true(r == -ENOMEM);
		assert_true(e.msg[0]);
	}
	fail_msg("it does not end");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_all_of_it),   cmocka_unit_test(says_what_is_wrong_and_where), cmocka_unit_test(the_same_in_chinese),
		cmocka_unit_test(names_of_defences), cmocka_unit_test(errors_are_bounded),           cmocka_unit_test(memory_may_be_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
