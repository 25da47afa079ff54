/* parse, diagnose: profiles. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "diagnose/profile.h"
#include "parse/pprof.h"
#include "parse/proto.h"

/* ---- making them ---- */

static void put(struct buf *to, unsigned field, struct buf *m)
{
	proto_bytes(to, field, buf_view(m));
	buf_clear(m);
}

static void put_type(struct buf *to, unsigned field, int64_t type, int64_t unit)
{
	CLEANUP(buf_free) struct buf m = { 0 };

	proto_int(&m, 1, type);
	proto_int(&m, 2, unit);
	put(to, field, &m);
}

static void put_sample(struct buf *to, const char *ids, int64_t count, int64_t value)
{
	CLEANUP(buf_free) struct buf m = { 0 };
	CLEANUP(buf_free) struct buf in = { 0 };

	for (; *ids; ids++)
		proto_varint(&in, (uint64_t)(*ids - '0'));
	put(&m, 1, &in);
	proto_varint(&in, (uint64_t)count);
	proto_varint(&in, (uint64_t)value);
	put(&m, 2, &in);
	put(to, 2, &m);
}

static void put_function(struct buf *to, int64_t id, int64_t name, int64_t file)
{
	CLEANUP(buf_free) struct buf m = { 0 };

	proto_int(&m, 1, id);
	proto_int(&m, 2, name);
	proto_int(&m, 4, file);
	put(to, 5, &m);
}

/* A location of one or two functions, the first inlined into the second. */
static void put_location(struct buf *to, int64_t id, int64_t f, int64_t outer)
{
	CLEANUP(buf_free) struct buf m = { 0 };
	CLEANUP(buf_free) struct buf line = { 0 };

	proto_int(&m, 1, id);
	proto_int(&m, 3, 0x1000 ^ id);
	for (int i = 0; i < (outer ? 2 : 1); i++) {
		proto_int(&line, 1, i ? outer : f);
		proto_int(&line, 2, 10 ^ id);
		put(&m, 4, &line);
	}
	put(to, 4, &m);
}

static void put_strings(struct buf *to, const char *const *v)
{
	for (; *v; v++)
		proto_bytes(to, 6, span_of(*v));
}

static const char *const words[] = { "", "samples", "count", "cpu", "nanoseconds", "main.main", "main.work", "main.leaf", "fmt.Sprint", "/src/main.go", "/go/fmt/print.go", NULL };

/* main ← work ← leaf (inlined) and Sprint; samples before the tables, as Go writes them. */
static void make(struct buf *b, int64_t scale)
{
	put_type(b, 1, 1, 2);
	put_type(b, 1, 3, 4);
	put_sample(b, "21", 3 * scale, 30 * scale);  /* leaf in work in main */
	put_sample(b, "321", 1 * scale, 10 * scale); /* Sprint by them */
	put_sample(b, "1", 2, 20);
	put_location(b, 1, 1, 0);
	put_location(b, 2, 3, 2);
	put_location(b, 3, 4, 0);
	put_function(b, 1, 5, 9);
	put_function(b, 2, 6, 9);
	put_function(b, 3, 7, 9);
	put_function(b, 4, 8, 10);
	put_strings(b, words);
	put_type(b, 11, 3, 4);
	proto_int(b, 12, 10000000);
	proto_int(b, 9, 1700000000 * INT64_C(1000000000) + scale);
}

/* ---- reading ---- */

static void tables_and_samples(void **state)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct pprof p;
	struct err e;
	struct pprof_sample s;

	make(&b, 1);
	assert_true(pprof_looks_like(buf_view(&b)));
	assert_true(pprof_looks_like(span_head(buf_view(&b), 40)));
	assert_int_equal(pprof_read(&p, buf_view(&b), &e), 0);
	assert_int_equal(p.n_types, 2);
	assert_true(span_eq(p.types[1].type, S("cpu")) && span_eq(p.types[1].unit, S("nanoseconds")));
	assert_int_equal(p.n_functions, 4);
	assert_int_equal(p.n_locations, 4); /* one for those that are missing */
	assert_int_equal(p.n_samples, 3);
	assert_int_equal(p.n_flaws, 0);
	assert_int_equal(p.period, 10000000);
	struct pprof_walk w = { .p = &p };
	assert_true(pprof_next(&w, &s));
	assert_int_equal(s.n_locations, 2);
	assert_int_equal(s.locations[0], 1);
	assert_int_equal(s.values[1], 30);
	assert_true(pprof_next(&w, &s) && pprof_next(&w, &s) && !pprof_next(&w, &s));
	pprof_walk_end(&w);
	pprof_free(&p);
}

static void no_profile(void **state)
{
	static const char *const texts[] = { "", "\n", "\n\n\n\n\n\n\n\n\n\n\n\n\n\n", "panic: boom\n", "goroutine 1 [running]:\n", "2026-11-21 line\n", "\"2\" is a test\n", "{\"Action\":\"run\"}\n" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_false(pprof_looks_like(span_of(texts[i])));
		assert_false(pprof_text_looks_like(span_of(texts[i])));
	}
}

static size_t flaws_of(struct span text, struct tx *first, size_t *at)
{
	struct pprof p;
	struct pprof_sample s;
	struct err e;

	if (pprof_read(&p, text, &e) == 0) {
		struct pprof_walk w = { .p = &p };
		while (pprof_next(&w, &s)) {
			for (size_t i = 0; i < s.n_locations; i++)
				assert_true(s.locations[i] < p.n_locations);
		}
		pprof_walk_end(&w);
	}
	size_t n = p.n_flaws;
	if (n) {
		*first = p.flaws[0].what;
		*at = p.flaws[0].at;
	}
	pprof_free(&p);
	return n;
}

static void damaged(void **state)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct tx what;
	size_t at, whole;

	make(&b, 1);
	whole = b.len;
	for (size_t n = 0; n < whole; n++) /* cut anywhere: no harm */
		flaws_of(span_head(buf_view(&b), n), &what, &at);
	proto_varint(&b, 2 << 3 | 2);
	proto_varint(&b, UINT64_C(1) << 32);
	assert_int_equal(flaws_of(buf_view(&b), &what, &at), 1);
	assert_int_equal(at, whole);
	assert_non_null(strstr(what.en, "beyond"));
	b.len = whole;
	proto_varint(&b, 9 << 3);
	buf_add(&b, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11);
	assert_int_equal(flaws_of(buf_view(&b), &what, &at), 1);
	assert_non_null(strstr(what.en, "ten bytes"));
	b.len = whole;
	put_sample(&b, "9", 1, 1);
	assert_int_equal(flaws_of(buf_view(&b), &what, &at), 1);
	assert_non_null(strstr(what.en, "not in the profile"));
}

static void sparse_ids(void **state)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	CLEANUP(buf_free) struct buf m = { 0 };
	struct pprof p;
	struct pprof_sample s;
	struct err e;

	put_type(&b, 1, 1, 2);
	proto_int(&m, 1, INT64_MAX);
	proto_int(&m, 2, 7);
	put(&b, 2, &m);
	put_location(&b, INT64_MAX, INT64_MAX - 1, 0);
	put_location(&b, 5, INT64_MAX - 1, 0);
	put_function(&b, INT64_MAX - 1, 5, 0);
	put_strings(&b, words);
	assert_int_equal(pprof_read(&p, buf_view(&b), &e), 0);
	struct pprof_walk w = { .p = &p };
	assert_true(pprof_next(&w, &s));
	assert_int_equal(s.n_locations, 1);
	assert_int_equal(s.values[0], 7);
	assert_int_equal(p.lines[p.locations[s.locations[0]].first].function, 0);
	assert_int_equal(p.n_flaws, 0);
	pprof_walk_end(&w);
	pprof_free(&p);
}

/* ---- adding up ---- */

static struct profiles *new_set(struct profile_config c)
{
	struct profiles *s;
	struct err e;

	assert_int_equal(profiles_new(&c, &s, &e), 0);
	return s;
}

static void add(struct profiles *s, int64_t scale, bool base)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct profile_info info;
	struct err e;

	make(&b, scale);
	assert_int_equal(profiles_add(s, buf_view(&b), base, &info, &e), 0);
	assert_string_equal(info.kind, "cpu");
	assert_int_equal(info.n_flaws, 0);
}

/* "name flat cum|…" */
static void expect_top(struct profiles *s, const char *want)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct profile_rows rows;
	struct err e;

	assert_int_equal(profiles_top(s, 0, false, 0, &rows, &e), 0);
	for (size_t i = 0; i < rows.n; i++)
		buf_addf(&b, "%.*s %lld %lld|", SPAN_ARG(rows.v[i].name), (long long)rows.v[i].flat, (long long)rows.v[i].cum);
	mem_free(rows.v);
	assert_string_equal(buf_str(&b), want);
}

static void tops(void **state)
{
	struct profiles *s = new_set((struct profile_config){ 0 });

	add(s, 1, false);
	expect_top(s, "main.leaf 30 40|main.main 20 60|fmt.Sprint 10 10|main.work 0 40|");
	add(s, 1, false);
	expect_top(s, "main.leaf 60 80|main.main 40 120|fmt.Sprint 20 20|main.work 0 80|");
	profiles_free(s);
	s = new_set((struct profile_config){ .sample = "samples", .focus = "Sprint|nothing" });
	add(s, 1, false);
	expect_top(s, "fmt.Sprint 1 1|main.leaf 0 1|main.main 0 1|main.work 0 1|");
	profiles_free(s);
	s = new_set((struct profile_config){ .ignore = "print\\.go$", .hide = "main\\.leaf" });
	add(s, 1, false);
	expect_top(s, "main.work 30 30|main.main 20 50|");
	profiles_free(s);
}

static void differences(void **state)
{
	struct profiles *s = new_set((struct profile_config){ 0 });

	add(s, 1, true);
	add(s, 3, false);
	expect_top(s, "main.leaf 60 80|fmt.Sprint 20 20|main.main 0 80|main.work 0 80|");
	assert_true(profiles_compared(s, 0));
	profiles_free(s);
	s = new_set((struct profile_config){ .normalize = true });
	add(s, 2, true);  /* 100 */
	add(s, 4, false); /* 180 */
	expect_top(s, "main.main -9 0|main.leaf 7 9|fmt.Sprint 2 2|main.work 0 9|");
	profiles_free(s);
}

static void trees(void **state)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct profiles *s = new_set((struct profile_config){ .tree = true });
	struct profile_tree t;
	struct err e;

	add(s, 1, false);
	assert_int_equal(profiles_tree(s, 0, &t, &e), 0);
	assert_int_equal(t.n, 5);
	assert_int_equal(t.nodes[0].total, 60);
	profile_folded(&t, false, &b);
	assert_string_equal(buf_str(&b), "main.main 20\nmain.main;main.work;main.leaf 30\nmain.main;main.work;main.leaf;fmt.Sprint 10\n");
	profile_tree_free(&t);
	profiles_free(s);
}

static void written(void **state)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct profiles *s = new_set((struct profile_config){ .merge = true }), *again = new_set((struct profile_config){ 0 });
	struct profile_info info;
	struct err e;

	add(s, 1, false);
	add(s, 1, false);
	assert_int_equal(profiles_write(s, 0, &b, &e), 0);
	assert_int_equal(profiles_add(again, buf_view(&b), false, &info, &e), 0);
	assert_int_equal(info.n_samples, 3);
	expect_top(again, "main.leaf 60 80|main.main 40 120|fmt.Sprint 20 20|main.work 0 80|");
	profiles_free(s);
	profiles_free(again);
}

static const char goroutines[] =
	"goroutine profile: total 13\n"
	"12 @ 0x437c96 0x40619b 0x4b815f 0x4b815f 0x4b8170 0x462461\n"
	"# labels: {\"k\":\"v\"}\n"
	"#\t0x4b815e\tmain.leak+0x1e\t\t/src/main.go:71\n"
	"#\t0x4b815e\tmain.leak+0x1e\t\t/src/main.go:71\n"
	"#\t0x4b816f\tmain.(*T).start+0x1\t/src/main.go:80\n"
	"\n"
	"1 @ 0x42d836 0x45da85\n"
	"nonsense\n";

static void text_forms(void **state)
{
	static const char heap[] = "heap profile: 1: 1024 [2: 4096] @ heap/2\n1: 1024 [2: 4096] @ 0x10 0x20\n#\t0xf\tmain.a+0x1\t/a.go:1\n#\t0x1f\tmain.b+0x1\t/b.go:2\n\n# runtime.MemStats\n# Alloc = 5\n";
	static const char mutex[] = "--- mutex:\ncycles/second=2000000000\nsampling period=5\n100 3 @ 0x10\n#\t0xf\tsync.(*Mutex).Unlock+0x1\t/m.go:1\n";
	struct profiles *s = new_set((struct profile_config){ 0 });
	struct profile_info info;
	struct err e;

	assert_true(pprof_text_looks_like(span_of(goroutines)));
	assert_int_equal(profiles_add(s, span_of(goroutines), false, &info, &e), 0);
	assert_string_equal(info.kind, "goroutine");
	assert_int_equal(info.total, 13);
	assert_int_equal(info.n_flaws, 1);
	assert_int_equal(info.flaws[0].at, strstr(goroutines, "nonsense") - goroutines);
	expect_top(s, "main.leak 12 12|<unknown> 1 1|main.(*T).start 0 12|");
	profiles_free(s);
	s = new_set((struct profile_config){ 0 });
	assert_int_equal(profiles_add(s, span_of(heap), false, &info, &e), 0);
	assert_string_equal(info.kind, "heap");
	expect_top(s, "main.a 1024 1024|main.b 0 1024|");
	profiles_free(s);
	s = new_set((struct profile_config){ 0 });
	assert_int_equal(profiles_add(s, span_of(mutex), false, &info, &e), 0);
	assert_string_equal(info.kind, "mutex");
	expect_top(s, "sync.(*Mutex).Unlock 250 250|");
	profiles_free(s);
}

static void leaks(void **state)
{
	struct profiles *s = new_set((struct profile_config){ 0 });
	struct profile_info info;
	struct report r = { 0 };
	struct err e;

	for (int i = 1; i <= 3; i++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		buf_addf(&b, "goroutine profile: total %d\n%d @ 0x10 0x20\n#\t0xf\tmain.leak+0x1\t/a.go:7\n#\t0x1f\tmain.main+0x1\t/a.go:9\n\n5 @ 0x30\n#\t0x2f\tmain.idle+0x1\t/a.go:1\n", 100 * i + 5, 100 * i);
		assert_int_equal(profiles_add(s, buf_view(&b), false, &info, &e), 0);
		profiles_findings_last(s, &r);
		profiles_findings(s, 0, &r);
		assert_int_equal(r.n_findings, i == 3 ? 1 : 0);
	}
	assert_int_equal(r.findings[0].cause, CAUSE_GO_LEAK);
	assert_non_null(memmem(r.findings[0].message.p, r.findings[0].message.n, "main.leak", 9));
	assert_int_equal(r.findings[0].line, 7);
	report_free(&r);
	profiles_free(s);
}

static void refused(void **state)
{
	struct profiles *s;
	struct err e;

	assert_int_equal(profiles_new(&(struct profile_config){ .focus = "(" }, &s, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "--focus"));
	s = new_set((struct profile_config){ .sample = "inuse_space" });
	CLEANUP(buf_free) struct buf b = { 0 };
	struct profile_info info;
	make(&b, 1);
	assert_int_equal(profiles_add(s, buf_view(&b), false, &info, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "samples, cpu"));
	profiles_free(s);
}

static void values(void **state)
{
	static const struct {
		int64_t v;
		const char *unit, *want;
	} rows[] = { { 0, "bytes", "0" }, { 1536, "bytes", "1.50kB" }, { 1048576, "bytes", "1MB" }, { -2500000, "nanoseconds", "-2.50ms" },
		     { 90000000000, "nanoseconds", "1.50mins" }, { 17, "count", "17" }, { INT64_MIN, "count", "-9223372036854775808" } };
	char text[32];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		profile_value_text(rows[i].v, span_of(rows[i].unit), text);
		assert_string_equal(text, rows[i].want);
	}
}

/* Every allocation fails once: a sentence or a smaller answer, no leak, no crash. */
static void no_memory(void **state)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	make(&b, 1);
	for (long at = 1; at < 2000; at++) {
		struct profile_config c = { .tree = true, .merge = true, .focus = "." };
		CLEANUP(buf_free) struct buf out = { 0 };
		struct profile_tree t = { 0 };
		struct profile_info info;
		struct profiles *s = NULL;
		struct err e;
		fault_seen = 0;
		fault_at = at;
		int r = profiles_new(&c, &s, &e);
		if (r == 0)
			r = profiles_add(s, buf_view(&b), false, &info, &e);
		if (r == 0)
			r = profiles_add(s, span_of(goroutines), false, &info, &e);
		if (r == 0)
			r = profiles_tree(s, 0, &t, &e);
		if (r == 0)
			profile_folded(&t, false, &out);
		if (r == 0 && !out.bad)
			r = profiles_write(s, 0, &out, &e);
		bool over = fault_seen < at;
		fault_at = 0;
		profile_tree_free(&t);
		profiles_free(s);
		assert_true(r == 0 || e.msg[0]);
		if (over)
			return;
	}
	fail_msg("too many allocations");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_and_samples), cmocka_unit_test(no_profile), cmocka_unit_test(damaged), cmocka_unit_test(sparse_ids),
		cmocka_unit_test(tops), cmocka_unit_test(differences), cmocka_unit_test(trees), cmocka_unit_test(written), cmocka_unit_test(text_forms),
		cmocka_unit_test(leaks), cmocka_unit_test(refused), cmocka_unit_test(values), cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests_name("pprof", tests, NULL, NULL);
}
