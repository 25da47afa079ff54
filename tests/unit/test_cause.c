/* model/cause: the catalogue is complete, in both languages, and its rows are sound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/cause.h"

/* The contract's ids: none of them may ever go away. */
static const char *const contract[] = {
	"test.fail", "test.panic", "test.panic.swallowed", "test.race", "test.timeout", "test.exit", "test.exit_masked",
	"test.unfinished", "test.empty", "test.after_end", "test.io_incomplete", "test.fuzz", "test.unstable",
	"build.compile", "build.vet", "build.link", "build.import_cycle", "build.no_files", "build.package", "build.cgo",
	"build.embed", "build.toolchain", "build.plugin",
	"mod.dns", "mod.connect", "mod.timeout", "mod.tls", "mod.proxy", "mod.auth", "mod.not_found", "mod.version",
	"mod.checksum", "mod.sumdb", "mod.syntax", "mod.missing_sum", "mod.vendor", "mod.work", "mod.vcs", "mod.update",
	"mod.cache_missing", "mod.cache_modified", "mod.signature",
	"go.panic", "go.deadlock", "go.concurrent_map", "go.stack_overflow", "go.out_of_memory", "go.nil_deref",
	"go.cgo_crash", "go.fatal", "go.panic.recovered", "go.leak", "go.blocked", "go.starved",
	"proc.signal", "proc.killed", "proc.oom", "proc.timeout", "proc.stall", "proc.not_found", "proc.denied",
	"proc.exec_format", "proc.interpreter", "proc.loader", "proc.no_space", "proc.too_many_files", "proc.read_only",
	"proc.exit", "pipe.masked",
	"act.excluded", "act.trap", "act.directive", "act.tag", "act.embed", "act.ldflags", "act.unregistered",
	"act.not_linked", "act.mismatch", "act.stale_process", "act.plugin",
};

static const char *const layers[] = { "test", "build", "mod", "go", "proc", "pipe", "act", "check" };

static size_t layer_of(const char *id)
{
	size_t n = strcspn(id, "."), i;

	for (i = 0; i < ARRAY_LEN(layers); i++) {
		if (strlen(layers[i]) == n && !strncmp(layers[i], id, n))
			break;
	}
	return i;
}

static void contract_ids(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(contract); i++) {
		if (!cause_by_id(span_of(contract[i])))
			fail_msg("%s is in the contract and not in causes.def", contract[i]);
	}
	assert_int_equal(cause_by_id(S("mod")), CAUSE_NONE);
	assert_int_equal(cause_by_id(S("mod.dnsx")), CAUSE_NONE);
	assert_int_equal(cause_by_id(S("")), CAUSE_NONE);
}

static void ids(void **state)
{
	bool seen[ARRAY_LEN(layers)] = { false };
	size_t last = ARRAY_LEN(layers);

	(void)state;
	assert_null(cause_table[CAUSE_NONE].id);
	for (int c = CAUSE_NONE + 1; c < CAUSE_COUNT; c++) {
		const char *id = cause_table[c].id;
		assert_int_equal(cause_by_id(span_of(id)), c); /* unique: the first of the name is itself */
		assert_int_equal(strspn(id, "abcdefghijklmnopqrstuvwxyz_."), strlen(id));
		size_t layer = layer_of(id);
		if (layer == ARRAY_LEN(layers))
			fail_msg("%s: unknown layer", id);
		if (layer != last && seen[layer] && layer_of("pipe.x") != layer)
			fail_msg("%s stands apart from the others of its layer", id);
		seen[layer] = true;
		last = layer;
	}
}

static void check_text(const char *what, struct tx t)
{
	if (!t.en || !t.zh || !*t.en || !*t.zh)
		fail_msg("%s: a language is missing", what);
	bool chinese = false;
	for (const char *p = t.zh; *p; p++)
		chinese |= (unsigned char)*p >= 0xe4 && (unsigned char)*p <= 0xe9;
	for (const char *p = t.en; *p; p++)
		assert_true((unsigned char)*p < 0x80 || (unsigned char)*p == 0xe2 || (unsigned char)p[-1] >= 0x80);
	if (!chinese)
		fail_msg("%s: the Chinese text has no Chinese in it: %s", what, t.zh);
	if (strlen(t.en) > 400 || strchr(t.en, '\n') || strchr(t.zh, '\n'))
		fail_msg("%s: one or two sentences on one line", what);
}

static void check_classes(const char *what, const char *classes)
{
	size_t n = strlen(classes);

	if (!n || strspn(classes, "TMCRPS") != n)
		fail_msg("%s: classes \"%s\"", what, classes);
	for (size_t i = 0; i < n; i++)
		assert_ptr_equal(strrchr(classes, classes[i]), classes + i);
}

static void texts(void **state)
{
	(void)state;
	for (int c = CAUSE_NONE + 1; c < CAUSE_COUNT; c++) {
		check_text(cause_table[c].id, cause_table[c].mean);
		check_text(cause_table[c].id, cause_table[c].advice);
		check_classes(cause_table[c].id, cause_table[c].classes);
		assert_true(strlen(cause_table[c].mean.en) <= 90);
	}
}

/* An advice is shown behind the excerpt, in alerts and in reports: it cannot point up or down the page. */
static void check_no_place(const char *what, struct tx t)
{
	static const char *const words[] = { " below", " above", "下面", "上面", "下文", "上文", "下方", "上方", "如下", "named here" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if ((t.en && strstr(t.en, words[i])) || (t.zh && strstr(t.zh, words[i])))
			fail_msg("%s: '%s' in its advice", what, words[i]);
	}
}

static void advice_names_no_place_on_the_page(void **state)
{
	(void)state;
	for (int c = CAUSE_NONE + 1; c < CAUSE_COUNT; c++)
		check_no_place(cause_table[c].id, cause_table[c].advice);
	for (size_t i = 0; i < cause_match_count; i++)
		check_no_place(cause_matches[i].literals, cause_matches[i].advice);
}

static void rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < cause_match_count; i++) {
		const struct cause_match *r = &cause_matches[i];
		const char *id = cause_table[r->cause].id;
		assert_true(r->cause > CAUSE_NONE && r->cause < CAUSE_COUNT);
		check_classes(id, r->classes);
		assert_true(r->where && !(r->where & ~(unsigned)(IN_GO | IN_BUILD | IN_TEST | IN_ANY | IN_PASSED)));
		if (!r->advice.en != !r->advice.zh)
			fail_msg("%s \"%s\": advice in one language only", id, r->literals);
		if (r->advice.en)
			check_text(r->literals, r->advice);
		for (const char *p = r->literals; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL) {
			if (strcspn(p, "|") < 6) /* the scan's speed hangs on the shortest */
				fail_msg("%s: a literal of fewer than 6 bytes in \"%s\"", id, r->literals);
		}
	}
}

static void class_words(void **state)
{
	(void)state;
	for (const char *p = "TMCRPS"; *p; p++)
		assert_int_equal(class_letter(span_of(class_word(*p))), *p);
	assert_null(class_word('X'));
	assert_int_equal(class_letter(S("tran")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contract_ids), cmocka_unit_test(ids), cmocka_unit_test(texts), cmocka_unit_test(rows),
		cmocka_unit_test(class_words), cmocka_unit_test(advice_names_no_place_on_the_page),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
