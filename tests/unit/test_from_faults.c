/* Rules by the faults that they would have prevented: which, in what order; and that want of memory is an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "check/from_faults.h"
#include "check/lint_own.h"

static const struct fault_seen faults[] = {
	{ { "pipe.masked", 11 }, 2, 100 },
	{ { "go.nil_deref", 12 }, 1, 300 },
	{ { "pipe.masked", 11 }, 5, 200 },
	{ { "nothing.known", 13 }, 9, 900 },
};

static struct rule_worth *find(struct rule_worth *list, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i].rule->id, id))
			return &list[i];
	return NULL;
}

static void test_worth(void **state)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	CLEANUP(mem_free) struct rule_worth *list = mem_alloc((rule_count + 1) * sizeof(*list));

	assert_int_equal(rules_of_faults(NULL, 0, &mem, list), 0);
	ptrdiff_t n = rules_of_faults(faults, 4, &mem, list);
	assert_true(n > 2);
	const struct rule_worth *w = find(list, (size_t)n, "S02");
	assert_non_null(w);
	assert_int_equal(w->n_faults, 2);
	assert_int_equal(w->faults[0], 0);
	assert_int_equal(w->faults[1], 2);
	assert_int_equal(w->runs, 7);
	assert_int_equal(w->last_seen, 200);
	w = find(list, (size_t)n, "R01");
	assert_int_equal(w->n_faults, 1);
	assert_int_equal(w->last_seen, 300);
	assert_null(find(list, (size_t)n, "W01"));
}

static void test_order(void **state)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	CLEANUP(mem_free) struct rule_worth *list = mem_alloc((rule_count + 1) * sizeof(*list));
	struct lint_finding found[] = { { .rule = &rules[RULE_R01], .path = "a.go" },
					{ .rule = &rules[RULE_W01], .path = "a.sh" },
					{ .rule = &rules[RULE_R01], .path = "b.go" } };
	struct lint_result tree = { .findings = found, .n = 3 }, bare = { 0 };

	size_t n = (size_t)rules_of_faults(faults, 4, &mem, list);
	rules_by_worth(list, n, &tree);
	assert_string_equal(list[0].rule->id, "R01"); /* broken here, though it is worth less */
	assert_int_equal(list[0].findings, 2);
	assert_ptr_equal(list[0].first, &found[0]);
	for (size_t i = 2; i < n; i++) {
		assert_true(list[i - 1].n_faults >= list[i].n_faults);
		assert_null(list[i].first);
	}
	n = (size_t)rules_of_faults(faults, 4, &mem, list);
	rules_by_worth(list, n, &bare);
	assert_true(list[0].n_faults >= 2 && list[n - 1].n_faults == 1);
	rules_by_worth(list, 0, &bare);
}

static void test_no_memory(void **state)
{
	CLEANUP(mem_free) struct rule_worth *list = mem_alloc((rule_count + 1) * sizeof(*list));
	ptrdiff_t r = -1;

	for (long at = 1; r < 0; at++) {
		CLEANUP(arena_free) struct arena mem = { 0 };
		fault_at = at;
		fault_seen = 0;
		r = rules_of_faults(faults, 4, &mem, list);
		bool hit = fault_seen >= at;
		fault_at = 0;
		assert_true((r < 0) == hit);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_worth),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
