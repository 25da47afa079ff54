/* parse and diagnose: execution traces, made by hand. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "diagnose/trace.h"

#define NOBODY UINT64_MAX
#define ARGS(...) (const uint64_t[]){ __VA_ARGS__ }, sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t)

/* ---- making one ---- */

static void put(struct buf *b, uint64_t v)
{
	for (; v > 127; v >>= 7)
		buf_addc(b, (char)((v & 127) | 128));
	buf_addc(b, (char)v);
}

static void event(struct buf *b, int type, const uint64_t *args, size_t n)
{
	buf_addc(b, (char)type);
	for (size_t i = 0; i < n; i++)
		put(b, args[i]);
}

static void batch(struct buf *file, uint64_t gen, uint64_t m, uint64_t at, struct buf *data)
{
	buf_addc(file, XT_BATCH);
	put(file, gen);
	put(file, m);
	put(file, at + (UINT64_C(1) << 42)); /* as long after the boot as real ones */
	put(file, data->len);
	buf_span(file, buf_view(data));
	buf_clear(data);
}

static void begin(struct buf *file, int version)
{
	buf_clear(file);
	buf_addf(file, "go 1.%d trace", version);
	buf_add(file, "\0\0\0", 3);
}

static const char *const words[] = { "chan receive", "main.work", "work.go", "sync", "forever", "main.stop" };

/* Clock, strings (ids from 1), one stack (id 1: main.work), the end. */
static void tables(struct buf *file, int version, uint64_t gen)
{
	struct buf d = { 0 };

	if (version >= 25)
		buf_addc(&d, XT_SYNC);
	event(&d, XT_FREQUENCY, ARGS(1000000000));
	if (version >= 25)
		event(&d, XT_CLOCK, ARGS(1, 2, 1700000000, 5));
	batch(file, gen, NOBODY, 1, &d);
	buf_addc(&d, XT_STRINGS);
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		event(&d, XT_STRING, ARGS(i + 1, strlen(words[i])));
		buf_adds(&d, words[i]);
	}
	batch(file, gen, NOBODY, 1, &d);
	buf_addc(&d, XT_STACKS);
	event(&d, XT_STACK, ARGS(1, 1, 77, 2, 3, 9));
	batch(file, gen, NOBODY, 1, &d);
	if (version >= 26)
		buf_addc(file, XT_END);
	buf_free(&d);
}

/* Goroutine 1 makes 2, blocks; 2 runs on the other thread, whose clock is behind, and lets it go. */
static void first_thread(struct buf *d)
{
	event(d, XT_PROC_STATUS, ARGS(10, 0, XT_P_RUNNING));
	event(d, XT_GO_STATUS, ARGS(10, 1, 1, XT_RUNNING));
	event(d, XT_GO_CREATE, ARGS(100, 2, 1, 1));
	event(d, XT_GO_BLOCK, ARGS(1000, 1, 1));
	event(d, XT_PROC_STOP, ARGS(10));
}

static void second_thread(struct buf *d)
{
	event(d, XT_PROC_STATUS, ARGS(5, 1, XT_P_RUNNING));
	event(d, XT_GO_START, ARGS(1, 2, 1));
	event(d, XT_GO_UNBLOCK, ARGS(2000, 1, 1, 1));
	event(d, XT_GO_DESTROY, ARGS(50));
	event(d, XT_GO_START, ARGS(10, 1, 2));
}

static void two_threads(struct buf *file, int version)
{
	struct buf d = { 0 };

	begin(file, version);
	first_thread(&d);
	batch(file, 1, 100, 1000, &d);
	second_thread(&d);
	batch(file, 1, 101, 1000, &d);
	tables(file, version, 1);
	buf_free(&d);
}

/* ---- reading it ---- */

struct seen {
	struct exectrace *x;
	char order[512];
	struct xt_note notes[8];
	size_t n_notes;
	int64_t last;
};

static void on_event(void *ctx, const struct xt_event *ev)
{
	struct seen *s = ctx;
	size_t n = strlen(s->order);

	assert_true(ev->time > s->last || ev->time == INT64_MAX);
	s->last = ev->time;
	if (ev->type == XT_GENERATION)
		snprintf(s->order + n, sizeof(s->order) - n, "| ");
	else if (ev->who)
		snprintf(s->order + n, sizeof(s->order) - n, "%s:%d%d%s ", xt_type_word(ev->type), (int)ev->who->id, ev->who->status,
			 ev->gone ? "x" : "");
}

static void on_note(void *ctx, const struct xt_note *n)
{
	struct seen *s = ctx;

	if (s->n_notes < ARRAY_LEN(s->notes))
		s->notes[s->n_notes++] = *n;
}

static void read_it(struct seen *s, const struct buf *file, size_t piece)
{
	struct xt_config c = { .event = on_event, .note = on_note, .ctx = s };
	struct err e;

	*s = (struct seen){ .last = -1 };
	assert_int_equal(xt_new(&c, &s->x, &e), 0);
	for (size_t at = 0; at < file->len; at += piece)
		xt_feed(s->x, span_head(span_from(buf_view(file), at), piece));
	xt_end(s->x);
}

static void test_order(void **state)
{
	static const int versions[] = { 22, 23, 25, 26 };
	struct buf file = { 0 };
	struct seen s;

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		for (size_t piece = 1; piece < 400; piece += 57) {
			two_threads(&file, versions[i]);
			read_it(&s, &file, piece);
			assert_string_equal(s.order, "| GoStatus:12 GoCreate:21 GoStart:22 GoBlock:14 GoUnblock:11 GoDestroy:20x "
						     "GoStart:12 | ");
			assert_int_equal(s.n_notes, 0);
			assert_int_equal(xt_stats(s.x)->version, versions[i]);
			assert_int_equal(xt_stats(s.x)->unverified, 0);
			assert_int_equal(xt_stats(s.x)->kinds[XTK_STATE_TRANSITION], 10);
			assert_int_equal(xt_stats(s.x)->clock_wall, versions[i] < 25 ? 0 : 1700000000000000005);
			xt_free(s.x);
		}
	}
	buf_free(&file);
}

static void test_switch_and_steal(void **state)
{
	struct buf file = { 0 }, d = { 0 };
	struct seen s;

	begin(&file, 23);
	event(&d, XT_PROC_STATUS, ARGS(1, 0, XT_P_RUNNING));
	event(&d, XT_GO_STATUS, ARGS(1, 1, 7, XT_RUNNING));
	event(&d, XT_GO_CREATE_BLOCKED, ARGS(1, 2, 1, 1));
	event(&d, XT_GO_SWITCH, ARGS(1, 2, 1));
	event(&d, XT_GO_SWITCH_DESTROY, ARGS(1, 1, 1));
	event(&d, XT_GO_SYSCALL_BEGIN, ARGS(1, 1, 1));
	event(&d, XT_GO_SYSCALL_END_BLOCKED, ARGS(1));
	batch(&file, 1, 7, 10, &d);
	event(&d, XT_PROC_STEAL, ARGS(1, 0, 2, 7)); /* before the call, by the clock */
	batch(&file, 1, 8, 1, &d);
	tables(&file, 23, 1);
	read_it(&s, &file, 4096);
	assert_string_equal(s.order, "| GoStatus:12 GoCreateBlocked:24 GoSwitch:21 GoBlock:14 GoStart:22 GoSwitchDestroy:11 "
				     "GoDestroy:20x GoStart:12 GoSyscallBegin:13 GoSyscallEndBlocked:11 | ");
	assert_int_equal(s.n_notes, 0);
	xt_free(s.x);
	buf_free(&file);
	buf_free(&d);
}

static void expect_note(const struct buf *file, enum xt_problem problem, int64_t at)
{
	struct seen s;
	bool found = false;

	read_it(&s, file, 33);
	for (size_t i = 0; i < s.n_notes; i++)
		found |= s.notes[i].problem == problem && (at < 0 || s.notes[i].at == at);
	if (!found)
		print_message("no note %d at %lld; order %s\n", (int)problem, (long long)at, s.order);
	assert_true(found);
	xt_free(s.x);
}

static void test_damage(void **state)
{
	struct buf file = { 0 }, d = { 0 };
	size_t whole;

	two_threads(&file, 26);
	whole = file.len;
	file.len = whole - 1;
	expect_note(&file, XT_CUT_GENERATION, (int64_t)whole - 1);
	file.len = 60;
	expect_note(&file, XT_CUT_BATCH, -1);
	file.len = 16;
	expect_note(&file, XT_EMPTY, 16);
	file.len = 9;
	expect_note(&file, XT_NOT_A_TRACE, 0);
	file.len = whole;
	file.p[16] = 42;
	expect_note(&file, XT_BAD_BATCH, 16);
	begin(&file, 21);
	expect_note(&file, XT_V1, 0);
	begin(&file, 31);
	expect_note(&file, XT_NEWER, 0);

	begin(&file, 22); /* nobody lets goroutine 2 start */
	event(&d, XT_PROC_STATUS, ARGS(1, 0, XT_P_RUNNING));
	event(&d, XT_GO_START, ARGS(1, 2, 1));
	event(&d, XT_GO_BLOCK, ARGS(1, 1, 1));
	batch(&file, 1, 7, 10, &d);
	tables(&file, 22, 1);
	expect_note(&file, XT_STUCK, -1);
	begin(&file, 22); /* a goroutine blocks that does not run */
	event(&d, XT_PROC_STATUS, ARGS(1, 0, XT_P_RUNNING));
	event(&d, XT_GO_BLOCK, ARGS(1, 1, 1));
	event(&d, XT_GO_LABEL, ARGS(1, 99));
	event(&d, 200, ARGS(1));
	batch(&file, 1, 7, 10, &d);
	tables(&file, 22, 1);
	expect_note(&file, XT_CONTRADICTION, -1);
	expect_note(&file, XT_BAD_ID, -1);
	expect_note(&file, XT_BAD_TYPE, -1);
	buf_free(&file);
	buf_free(&d);
}

/* Three generations; *second: where the second one's first batch begins. */
static void three_generations(struct buf *file, int version, size_t *second)
{
	struct buf d = { 0 };

	two_threads(file, version);
	*second = file->len;
	for (uint64_t gen = 2; gen < 4; gen++) {
		event(&d, XT_PROC_STATUS, ARGS(10, 1, XT_P_RUNNING));
		event(&d, XT_GO_STATUS, ARGS(10, 1, 101, XT_RUNNING));
		event(&d, XT_GO_BLOCK, ARGS(1000, 1, 1));
		event(&d, XT_GO_UNBLOCK, ARGS(10, 1, 1, 1));
		event(&d, XT_GO_START, ARGS(10, 1, 2));
		batch(file, gen, 101, 10000 * gen, &d);
		tables(file, version, gen);
	}
	buf_free(&d);
}

/* One broken batch in the middle: what stands before and behind it is kept, with its offset. */
static void test_resync(void **state)
{
	static const int versions[] = { 22, 25, 26 };
	struct buf file = { 0 };
	size_t second;
	struct seen s;

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		for (size_t kind = 0; kind < 3; kind++) {
			for (size_t piece = 1; piece < 400; piece += 131) {
				three_generations(&file, versions[i], &second);
				if (kind == 0) /* no batch begins so */
					file.p[second] = 77;
				else if (kind == 1) /* a number without an end */
					memset(file.p + second + 1, 0xff, 12);
				else /* of two megabytes */
					memcpy(file.p + second + 2, "\x01\x01\xff\xff\x7f", 5);
				read_it(&s, &file, piece);
				assert_int_equal(xt_stats(s.x)->generations, 3);
				assert_true(strncmp(s.order, "| GoStatus:12 GoCreate:21 ", 25) == 0);
				assert_non_null(strstr(s.order, "GoStatus:12 GoBlock:14 GoUnblock:11 GoStart:12 | "));
				bool broken = false, again = false;
				for (size_t n = 0; n < s.n_notes; n++) {
					enum xt_problem p = s.notes[n].problem;

					broken |= (p == XT_BAD_BATCH || p == XT_BAD_VARINT || p == XT_BAD_SIZE || p == XT_BAD_TIME) && s.notes[n].at >= (int64_t)second &&
						  s.notes[n].at < (int64_t)second + 4;
					again |= p == XT_SKIPPED && s.notes[n].at == (int64_t)second + (int64_t)s.notes[n].number && s.notes[n].number > 8;
				}
				assert_true(broken && again);
				assert_false(xt_stats(s.x)->truncated);
				assert_true(xt_stats(s.x)->unreadable_bytes > 8);
				xt_free(s.x);
			}
		}
	}
	two_threads(&file, 26); /* garbage to the end */
	second = file.len;
	for (size_t n = 0; n < 1000; n++)
		buf_addc(&file, (char)(n % 7 == 0 ? XT_BATCH : 0xf0));
	expect_note(&file, XT_LOST_REST, (int64_t)second);
	buf_free(&file);
}

/* ---- what is said ---- */

static struct trace *analyse(const struct buf *file, int *status)
{
	struct trace_config c = { .timeline = true };
	struct trace *t;
	struct err e;

	*status = trace_new(&c, &t, &e);
	if (*status < 0)
		return NULL;
	trace_feed(t, buf_view(file));
	*status = trace_end(t, &e);
	return t;
}

static void test_sums(void **state)
{
	struct buf file = { 0 };
	struct trace_timeline line;
	const struct trace_view *v;
	struct trace *t;
	int status;

	two_threads(&file, 26);
	t = analyse(&file, &status);
	assert_int_equal(status, 0);
	v = trace_view(t);
	assert_int_equal(v->goroutines, 2);
	assert_int_equal(v->alive, 1);
	assert_int_equal(v->n_all, 2);
	assert_int_equal(v->n_sites, 1);
	assert_int_equal(v->sites[0].class, TC_CHAN);
	assert_int_equal(v->sites[0].dep, DEP_CHANNEL);
	assert_true(v->sites[0].total > 0 && v->sites[0].total == v->all[0].total[TC_CHAN]);
	assert_int_equal(v->sites[0].still, 0);
	assert_int_equal(v->latency.count, 2);
	assert_true(v->latency.p50 <= v->latency.max);
	assert_true(trace_timeline(t, &line));
	assert_int_equal(line.n_rows, 2);
	assert_true(line.n_lanes >= 1);
	trace_free(t);
	buf_free(&file);
}

/* A goroutine other than main's that waits for ever is a finding; what it costs is compared. */
static void forever(struct buf *file)
{
	struct buf d = { 0 };

	begin(file, 26);
	event(&d, XT_PROC_STATUS, ARGS(10, 0, XT_P_RUNNING));
	event(&d, XT_GO_STATUS, ARGS(10, 1, 1, XT_RUNNING));
	event(&d, XT_GO_CREATE, ARGS(100, 2, 1, 1));
	event(&d, XT_GO_STOP, ARGS(1000, 1, 1));
	event(&d, XT_GO_START, ARGS(10, 2, 1));
	event(&d, XT_GO_BLOCK, ARGS(10, 5, 1));
	event(&d, XT_GO_START, ARGS(100000, 1, 1));
	batch(file, 1, 100, 1000, &d);
	tables(file, 26, 1);
	buf_free(&d);
}

static void test_findings(void **state)
{
	struct buf file = { 0 }, other = { 0 };
	struct trace_changes c;
	struct report r = { 0 };
	struct trace *t, *base;
	struct err e;
	int status;

	forever(&file);
	t = analyse(&file, &status);
	assert_int_equal(status, 0);
	trace_findings(t, &r);
	assert_int_equal(r.n_findings, 1);
	assert_int_equal(r.findings[0].cause, CAUSE_GO_BLOCKED);
	assert_int_equal(r.findings[0].line, 9);
	assert_true(span_eq(r.findings[0].file, S("work.go")));
	two_threads(&other, 26);
	base = analyse(&other, &status);
	assert_int_equal(trace_compare(base, t, &c, &e), 0);
	assert_true(c.n >= 2 && span_eq(c.v[0].reason, S("forever")) && c.v[0].now > c.v[0].before);
	mem_free(c.v);
	report_free(&r);
	trace_free(base);
	trace_free(t);
	buf_free(&file);
	buf_free(&other);
}

static void test_faults(void **state)
{
	struct buf file = { 0 };
	bool more = true;

	two_threads(&file, 26);
	for (long at = 1; more; at++) {
		struct report r = { 0 };
		struct trace *t;
		int status;

		fault_seen = 0;
		fault_at = at;
		t = analyse(&file, &status);
		if (t)
			trace_findings(t, &r);
		more = fault_seen >= at;
		fault_at = 0;
		assert_true(!more || status == -ENOMEM || status == -EBADMSG || status == 0);
		report_free(&r);
		trace_free(t);
	}
	buf_free(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_switch_and_steal),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_resync),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_findings),
		cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
