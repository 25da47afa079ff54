/* parse/crash: the block behind a panic, fatal error, signal report, test time-out or race warning. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "parse/crash.h"
#include "parse/lines.h"

struct reader {
	struct crash c;
	bool open, seen;
	char after[80]; /* the line that ended the first block */
};

static void take_line(void *ctx, struct span line, bool cut)
{
	struct reader *r = ctx;
	struct goline g;

	(void)cut;
	goline_read(line, &g);
	if (r->open) {
		r->open = crash_feed(&r->c, &g, line);
		if (!r->open)
			snprintf(r->after, sizeof(r->after), "%.*s", SPAN_ARG(span_head(line, 79)));
	} else if (!r->seen) {
		r->open = r->seen = crash_begin(&r->c, &g, line);
	}
	assert_true(r->c.text.len <= CRASH_TEXT);
}

static struct reader *read_text(struct span text, size_t step)
{
	struct reader *r = mem_zalloc(sizeof(*r));
	struct lines l = { .fn = take_line, .ctx = r };

	assert_non_null(r);
	for (size_t i = 0; i < text.n; i += step)
		lines_feed(&l, span_head(span_from(text, i), step));
	lines_end(&l);
	lines_free(&l);
	return r;
}

static void reader_free(struct reader *r)
{
	crash_free(&r->c);
	mem_free(r);
}

#define T_RUN "testing.tRunner(0xc000003c00, 0x58cfd0)\n\t/usr/local/go/src/testing/testing.go:1934 +0xea\n"
#define T_CREATED "created by testing.(*T).Run in goroutine 1\n\t/usr/local/go/src/testing/testing.go:1997 +0x465\n"
#define OWN(func, file, line) func "\n\t/home/u/shop/" file ":" #line " +0x1d\n"

static const struct row {
	const char *name, *text;
	enum crash_kind kind;
	const char *value, *signal, *goroutine, *file, *test, *after;
	int line, goroutines, n_tests;
	bool recovered, cgo;
} rows[] = {
	{ "a plain panic", "panic: boom\n\ngoroutine 1 [running]:\n" OWN("main.main()", "main.go", 12) "exit status 2\n",
	  CRASH_PANIC, "boom", "", "running", "/home/u/shop/main.go", NULL, "exit status 2", 12, 1 },
	{ "a nil dereference, re-panicked by testing (1.25)",
	  "panic: runtime error: invalid memory address or nil pointer dereference [recovered, repanicked]\n"
	  "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x52b0ab]\n\n"
	  "goroutine 8 [running]:\ntesting.tRunner.func1.2({0x556460, 0x6b49b0})\n\t/usr/local/go/src/testing/testing.go:1872 +0x232\n"
	  "testing.tRunner.func1()\n\t/usr/local/go/src/testing/testing.go:1875 +0x35b\n"
	  "panic({0x556460?, 0x6b49b0?})\n\t/usr/local/go/src/runtime/panic.go:783 +0x132\n"
	  OWN("ex.com/shop/cart.(*Cart).Add(0x0, {0x1, 0x2})", "cart/cart.go", 31) OWN("ex.com/shop/cart.TestAdd.func1(0xc000003dc0?)", "cart/cart_test.go", 9)
	  T_RUN T_CREATED "FAIL\tex.com/shop/cart\t0.005s\n",
	  CRASH_PANIC, "runtime error: invalid memory address or nil pointer dereference", "SIGSEGV", "running", "/home/u/shop/cart/cart.go", "TestAdd",
	  "FAIL\tex.com/shop/cart\t0.005s", 31, 1, .recovered = true },
	{ "a chain before 1.25, the first is the root",
	  "panic: first [recovered]\n\tpanic: second\n\tpanic: third\n\ngoroutine 1 [running]:\n" OWN("main.f.func1()", "late.go", 3)
	  "panic({0x1, 0x2})\n\t/usr/lib/go-1.19/src/runtime/panic.go:884 +0x212\n" OWN("main.f.func2()", "later.go", 4)
	  "panic({0x1, 0x2})\n\t/usr/lib/go-1.19/src/runtime/panic.go:884 +0x212\n" OWN("main.f(...)", "root.go", 5),
	  CRASH_PANIC, "first", "", "running", "/home/u/shop/root.go", NULL, "", 5, 1, .recovered = true },
	{ "a value of several lines, indented since 1.23",
	  "panic: one\n\ttwo\n\t\n\tgoroutine 1 [running]:\n\tfour\n\ngoroutine 7 [running]:\n" OWN("main.main()", "m.go", 2), CRASH_PANIC, "one", "",
	  "running", "/home/u/shop/m.go", NULL, "", 2, 1 },
	{ "a value of several lines, raw before 1.23", "panic: one\ntwo\n\ngoroutine 1 [running]: not yet\nfour\n\ngoroutine 1 [running]:\n" OWN("main.main()", "m.go", 2),
	  CRASH_PANIC, "one", "", "running", "/home/u/shop/m.go", NULL, "", 2, 1 },
	{ "a value that begins with a newline", "panic: \n\tError Trace: x\n\ngoroutine 1 [running]:\n" OWN("main.main()", "m.go", 2), CRASH_PANIC,
	  "Error Trace: x", "", "running", "/home/u/shop/m.go", NULL, "", 2, 1 },
	{ "words alone, then other output", "panic: not really\n=== RUN   TestB\n", CRASH_PANIC, "not really", "", "", NULL, NULL, "=== RUN   TestB", 0, 0 },
	{ "words alone, a blank line, other output", "panic: not really\n\nthe server goes on\n", CRASH_PANIC, "not really", "", "", NULL, NULL,
	  "the server goes on", 0, 0 },
	{ "output goes on after the dump", "panic: x\n\ngoroutine 1 [running]:\n" OWN("main.main()", "m.go", 2) "\nnext line of somebody else\n", CRASH_PANIC, "x",
	  "", "running", "/home/u/shop/m.go", NULL, "next line of somebody else", 2, 1 },
	{ "GOTRACEBACK=none", "panic: x\nexit status 2\n", CRASH_PANIC, "x", "", "", NULL, NULL, "exit status 2", 0, 0 },
	{ "os.Exit(0) in a test",
	  "panic: unexpected call to os.Exit(0) during test\n\ngoroutine 7 [running]:\ntesting.runtime_xx()\n\t/usr/local/go/src/testing/newcover.go:3 +0x1\n"
	  "os.Exit(0x0)\n\t/usr/local/go/src/os/proc.go:64 +0x66\n" OWN("ex.com/p.TestX(0x1)", "x_test.go", 6) T_RUN T_CREATED,
	  CRASH_PANIC, "unexpected call to os.Exit(0) during test", "", "running", "/home/u/shop/x_test.go", "TestX", "", 6, 1 },
	{ "log after the end",
	  "panic: Log in goroutine after TestX has completed: late\n\ngoroutine 9 [running]:\ntesting.(*common).Log(0x1)\n\t/usr/local/go/src/testing/testing.go:1 +0x1\n"
	  OWN("ex.com/p.TestX.func1()", "x_test.go", 8) "created by ex.com/p.TestX in goroutine 7\n\t/home/u/shop/x_test.go:7 +0x1\n",
	  CRASH_PANIC, "Log in goroutine after TestX has completed: late", "", "running", "/home/u/shop/x_test.go", "TestX", "", 8, 1 },
	{ "Goexit in a test",
	  "panic: test executed panic(nil) or runtime.Goexit\n\ngoroutine 18 [running]:\ntesting.tRunner.func1()\n\t/usr/local/go/src/testing/testing.go:1875 +0x1\n"
	  "runtime.Goexit()\n\t/usr/local/go/src/runtime/panic.go:615 +0x5e\n" OWN("ex.com/p.TestG(0x1)", "g_test.go", 3) T_RUN T_CREATED,
	  CRASH_PANIC, "test executed panic(nil) or runtime.Goexit", "", "running", "/home/u/shop/g_test.go", "TestG", "", 3, 1 },
	{ "deadlock: a goroutine with own frames",
	  "fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [select (no cases)]:\nnet/http.(*Server).Serve(0x1)\n\t/usr/local/go/src/net/http/server.go:1 +0x1\n\n"
	  "goroutine 5 [chan receive, 2 minutes]:\n" OWN("main.worker(0x1)", "w.go", 40) "created by main.main in goroutine 1\n\t/home/u/shop/main.go:3 +0x1\n",
	  CRASH_FATAL, "all goroutines are asleep - deadlock!", "", "chan receive, 2 minutes", "/home/u/shop/w.go", NULL, "", 40, 2 },
	{ "stack overflow: runtime lines before, system stack first",
	  "runtime: goroutine stack exceeds 1000000000-byte limit\nruntime: sp=0xc0 stack=[0xc0, 0xc1]\nfatal error: stack overflow\n\nruntime stack:\n"
	  "runtime.throw({0x1?, 0x2?})\n\t/usr/local/go/src/runtime/panic.go:1094 +0x48 fp=0x1 sp=0x2 pc=0x3\n\n"
	  "goroutine 6 gp=0xc000003dc0 m=3 mp=0xc000045008 [running]:\n" OWN("ex.com/p.f(0x1?)", "x_test.go", 3) OWN("ex.com/p.f(...)", "x_test.go", 3)
	  "...77 frames elided...\n" OWN("ex.com/p.TestS(0x1)", "x_test.go", 8) T_RUN T_CREATED "FAIL\tp\t1s\n",
	  CRASH_FATAL, "stack overflow", "", "running", "/home/u/shop/x_test.go", "TestS", "FAIL\tp\t1s", 3, 1 },
	{ "two goroutines wrote at once (1.19)",
	  "fatal error: concurrent map writes\nfatal error: concurrent map writes\n\ngoroutine 22 [running]:\n" OWN("main.main.func4()", "m.go", 19),
	  CRASH_FATAL, "concurrent map writes", "", "running", "/home/u/shop/m.go", NULL, "", 19, 1 },
	{ "a fault in C",
	  "fatal error: unexpected signal during runtime execution\n[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x4]\n\nruntime stack:\n"
	  "runtime.throw({0x1?, 0x2?})\n\t/usr/local/go/src/runtime/panic.go:1094 +0x48\n\ngoroutine 1 [syscall]:\n"
	  "runtime.cgocall(0x1, 0x2)\n\t/usr/local/go/src/runtime/cgocall.go:157 +0x4b fp=0x1 sp=0x2 pc=0x3\n"
	  "main._Cfunc_crash()\n\t_cgo_gotypes.go:45 +0x3f\n" OWN("main.main()", "main.go", 7) "exit status 2\n",
	  CRASH_FATAL, "unexpected signal during runtime execution", "SIGSEGV", "syscall", "/home/u/shop/main.go", NULL, "exit status 2", 7, 1, .cgo = true },
	{ "abort() in C",
	  "SIGABRT: abort\nPC=0x7f m=0 sigcode=18446744073709551610\nsignal arrived during cgo execution\n\ngoroutine 1 gp=0x1 m=0 mp=0x2 [syscall]:\n"
	  "non-Go function\n\tpc=0x7f\n" OWN("main.main()", "main.go", 7) "\nrax    0x0\nrbx    0x7f\nrflags 0x246\nexit status 2\n",
	  CRASH_SIGNAL, "abort", "SIGABRT", "syscall", "/home/u/shop/main.go", NULL, "exit status 2", 7, 1, .cgo = true },
	{ "SIGQUIT: system goroutine first, two threads",
	  "SIGQUIT: quit\nPC=0x4 m=0 sigcode=0\n\ngoroutine 0 gp=0x1 m=0 mp=0x2 [idle]:\nruntime.futex()\n\t/usr/local/go/src/runtime/sys_linux_amd64.s:557 +0x21\n\n"
	  "goroutine 1 gp=0x1 m=nil [sleep]:\ntime.Sleep(0x1)\n\t/usr/local/go/src/runtime/time.go:363 +0x1\n" OWN("main.main()", "main.go", 22)
	  "\n-----\n\nSIGQUIT: quit\nPC=0x4 m=1 sigcode=0\n\ngoroutine 2 [idle]:\n",
	  CRASH_SIGNAL, "quit", "SIGQUIT", "sleep", "/home/u/shop/main.go", NULL, "", 22, 3 },
	{ "time-out (1.19, no list): the goroutine of the test",
	  "panic: test timed out after 1s\n\ngoroutine 17 [running]:\ntesting.(*M).startAlarm.func1()\n\t/usr/lib/go-1.19/src/testing/testing.go:2036 +0x8e\n"
	  "created by time.goFunc\n\t/usr/lib/go-1.19/src/time/sleep.go:176 +0x32\n\ngoroutine 7 [chan receive]:\n"
	  OWN("ex.com/p.TestT(0x1)", "t_test.go", 5) T_RUN T_CREATED "FAIL\tp\t1.0s\n",
	  CRASH_TIMEOUT, "1s", "", "chan receive", "/home/u/shop/t_test.go", "TestT", "FAIL\tp\t1.0s", 5, 2 },
	{ "time-out: of the running tests the one that hangs, not its parent nor a helper",
	  "panic: test timed out after 10m0s\n\trunning tests:\n\t\tTestT (1s)\n\t\tTestT/sub (1s)\n\ngoroutine 17 [running]:\n"
	  "testing.(*M).startAlarm.func1()\n\t/usr/local/go/src/testing/testing.go:2682 +0x359\n\n"
	  "goroutine 4 [IO wait]:\n" OWN("ex.com/p.serve(0x1)", "serve.go", 90) "\ngoroutine 7 [chan receive]:\n"
	  "testing.(*T).Run(0x1)\n\t/usr/local/go/src/testing/testing.go:2005 +0x485\n" OWN("ex.com/p.TestT(0x1)", "t_test.go", 5) T_RUN T_CREATED
	  "\ngoroutine 8 [sleep]:\ntime.Sleep(0x1)\n\t/usr/local/go/src/runtime/time.go:363 +0x165\n" OWN("ex.com/p.TestT.func1(0x1)", "t_test.go", 7) T_RUN T_CREATED,
	  CRASH_TIMEOUT, "10m0s", "", "sleep", "/home/u/shop/t_test.go", "TestT", "", 7, 4, 2 },
	{ "frames of the module cache, of vendor and of a GOROOT elsewhere are not own",
	  "panic: x\n\ngoroutine 1 [running]:\ngithub.com/a/b.F(...)\n\t/root/go/pkg/mod/github.com/a/b@v1.2.3/f.go:3\n"
	  "github.com/a/c.G(0x1)\n\t/home/u/shop/vendor/github.com/a/c/g.go:4 +0x1\nencoding/json.Marshal(0x1)\n\t/opt/go/src/encoding/json/encode.go:5 +0x1\n"
	  "sort.Slice(0x1)\n\tsort/slice.go:26 +0x1\ngithub.com/a/d.H()\n\tgithub.com/a/d@v0.1.0/h.go:4 +0x1\n"
	  "shop/log.Write()\n\t/home/u/src/shop/log/w.go:9 +0x1\nmain.main()\n\t/home/u/shop/main.go:2 +0x1\n",
	  CRASH_PANIC, "x", "", "running", "/home/u/src/shop/log/w.go", NULL, "", 9, 1 },
	{ "a race",
	  "WARNING: DATA RACE\nRead at 0x00c00001a228 by goroutine 8:\n  ex.com/p.TestR.func1()\n      /home/u/shop/r_test.go:30 +0x30\n\n"
	  "Previous write at 0x00c00001a228 by goroutine 7:\n  runtime.mapassign_faststr()\n      /usr/local/go/src/runtime/map_faststr.go:203 +0x0\n"
	  "  ex.com/p.TestR()\n      /home/u/shop/r_test.go:31 +0xdd\n  [failed to restore the stack]\n\n"
	  "Goroutine 8 (running) created at:\n  ex.com/p.TestR()\n      /home/u/shop/r_test.go:29 +0xb9\n==================\n--- FAIL: TestR (0.00s)\n",
	  CRASH_RACE, "Read by goroutine 8, Previous write by goroutine 7", "", "", "/home/u/shop/r_test.go", "TestR", "--- FAIL: TestR (0.00s)", 30, 0 },
	{ "a preamble that leads nowhere", "runtime: note to self\nhello\n", CRASH_NONE, "", "", "", NULL, NULL, "hello", 0, 0 },
	{ "CRLF and no newline at the end", "panic: x\r\n\r\ngoroutine 1 [running]:\r\nmain.main()\r\n\tC:/shop/main.go:12 +0x1d", CRASH_PANIC, "x", "", "running",
	  "C:/shop/main.go", NULL, "", 12, 1 },
};

static void assert_row(const struct row *w, const struct reader *r)
{
	const struct crash_frame *at = crash_place(&r->c);
	char test[160] = "";
	bool has_test = crash_test(&r->c, test, sizeof(test));

	if (r->c.kind != w->kind || strcmp(r->c.value, w->value) != 0 || strcmp(r->c.signal, w->signal) != 0)
		fail_msg("%s: kind %d, value '%s', signal '%s'", w->name, r->c.kind, r->c.value, r->c.signal);
	if (strcmp(r->c.goroutine, w->goroutine) != 0 || r->c.goroutines != w->goroutines || r->c.n_tests != w->n_tests)
		fail_msg("%s: goroutine '%s', %d of them, %d tests", w->name, r->c.goroutine, r->c.goroutines, r->c.n_tests);
	if (!at != !w->file || (at && (strcmp(at->file, w->file) != 0 || at->line != w->line)))
		fail_msg("%s: place %s:%d", w->name, at ? at->file : "none", at ? at->line : 0);
	if (has_test != (w->test != NULL) || (w->test && strcmp(test, w->test) != 0))
		fail_msg("%s: test '%s'", w->name, test);
	if (strcmp(r->after, w->after) != 0)
		fail_msg("%s: ended by '%s'", w->name, r->after);
	if (r->c.recovered != w->recovered || r->c.cgo != w->cgo)
		fail_msg("%s: recovered %d, cgo %d", w->name, r->c.recovered, r->c.cgo);
}

static void a_table_of_blocks(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reader *whole = read_text(span_of(rows[i].text), 1 << 20);
		assert_row(&rows[i], whole);
		struct reader *bytes = read_text(span_of(rows[i].text), 1);
		assert_row(&rows[i], bytes);
		assert_true(span_eq(buf_view(&whole->c.text), buf_view(&bytes->c.text)));
		assert_int_equal(whole->c.n_frames, bytes->c.n_frames);
		reader_free(whole);
		reader_free(bytes);
	}
}

static void the_excerpt_begins_with_what_panicked(void **state)
{
	struct reader *r = read_text(span_of(rows[1].text), 1 << 20);

	(void)state;
	assert_string_equal(buf_str(&r->c.text),
		"panic: runtime error: invalid memory address or nil pointer dereference [recovered, repanicked]\n"
		"[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x52b0ab]\ngoroutine 8 [running]:\n"
		"ex.com/shop/cart.(*Cart).Add(…)\n\t/home/u/shop/cart/cart.go:31\nex.com/shop/cart.TestAdd.func1(…)\n\t/home/u/shop/cart/cart_test.go:9\n"
		"testing.tRunner(…)\n\t/usr/local/go/src/testing/testing.go:1934\ncreated by testing.(*T).Run\n\t/usr/local/go/src/testing/testing.go:1997\n");
	assert_string_equal(r->c.frames[0].func, "ex.com/shop/cart.(*Cart).Add");
	assert_true(r->c.frames[0].own);
	assert_false(r->c.frames[2].own);
	assert_int_equal(r->c.n_frames, 3);
	reader_free(r);
}

static void own_frames_are_kept_below_many_others(void **state)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	(void)state;
	buf_adds(&b, "panic: deep\n\ngoroutine 1 [running]:\n");
	for (int i = 0; i < 80; i++)
		buf_addf(&b, "encoding/json.f%d(0x1)\n\t/usr/local/go/src/encoding/json/encode.go:%d +0x1\n", i, i + 1);
	for (int i = 0; i < 5; i++)
		buf_addf(&b, "ex.com/p.own%d(0x1)\n\t/home/u/p/own.go:%d +0x1\n", i, i + 1);
	struct reader *r = read_text(buf_view(&b), 4096);
	assert_int_equal(r->c.n_frames, CRASH_FRAMES);
	assert_string_equal(crash_place(&r->c)->func, "ex.com/p.own0");
	assert_true(span_find(buf_view(&r->c.text), S("ex.com/p.own4")) != SPAN_NONE);
	assert_true(span_find(buf_view(&r->c.text), S(" frames\n")) != SPAN_NONE);
	reader_free(r);
}

static void a_recursion_is_shown_briefly(void **state)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	(void)state;
	buf_adds(&b, "fatal error: stack overflow\n\ngoroutine 1 [running]:\n");
	for (int i = 0; i < 49; i++)
		buf_adds(&b, "main.even(0x1)\n\t/home/u/p/r.go:3 +0x1\nmain.odd(0x1)\n\t/home/u/p/r.go:7 +0x1\n");
	buf_adds(&b, "main.main()\n\t/home/u/p/r.go:20 +0x1\n");
	struct reader *r = read_text(buf_view(&b), 4096);
	assert_int_equal(r->c.n_frames, 5);
	assert_string_equal(r->c.frames[4].func, "main.main");
	assert_true(r->c.text.len < 400);
	reader_free(r);
}

static void a_dump_of_any_size_takes_bounded_memory(void **state)
{
	struct reader *r = mem_zalloc(sizeof(*r));
	char line[200];

	(void)state;
	assert_non_null(r);
	take_line(r, S("SIGQUIT: quit"), false);
	take_line(r, S(""), false);
	for (int i = 1; i <= 200000; i++) {
		snprintf(line, sizeof(line), "goroutine %d [chan receive, %d minutes]:", i, i % 9);
		take_line(r, span_of(line), false);
		take_line(r, S("ex.com/p.(*Pool).worker(0xc000)"), false);
		snprintf(line, sizeof(line), "\t/home/u/p/pool.go:%d +0x1d", i);
		take_line(r, span_of(line), false);
		take_line(r, S(""), false);
	}
	assert_true(r->open);
	assert_int_equal(r->c.goroutines, 200000);
	assert_true(r->c.text.cap + r->c.head.cap + r->c.body.cap + r->c.now.text.cap < 64 * 1024);
	assert_true(span_ends(buf_view(&r->c.text), S("… 199999 more goroutines\n")));
	reader_free(r);
}

static void hostile_blocks_stay_in_bounds(void **state)
{
	static const char *const parts[] = {
		"goroutine 1 [running]:\n", "panic({0x1})\n\t/usr/local/go/src/runtime/panic.go:1 +0x1\n", "main.f(0x1)\n\t/a/b.go:1 +0x1\n",
		"\tpanic: again\n", "\n", "runtime stack:\n", "\t\tTestA (1s)\n", "created by main.g\n", "\t/a/c.go:2 +0x1\n", "main.日本語(...)\n",
		"\t日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語.go:1 +0x1\n", "[signal SIGSEGV: x code=0x1]\n",
		"runtime: more\n", "-----\n", "rax    0x0\n", "\xff\xfe\n",
	};

	(void)state;
	srand(3);
	for (int round = 0; round < 2000; round++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		static const char *const starts[] = { "panic: x\n", "fatal error: x\n", "SIGQUIT: quit\n", "panic: test timed out after 1s\n", "runtime: x\n" };
		buf_adds(&b, starts[(size_t)rand() % ARRAY_LEN(starts)]);
		for (int i = rand() % 120; i > 0; i--)
			buf_adds(&b, parts[(size_t)rand() % ARRAY_LEN(parts)]);
		struct reader *r = read_text(buf_view(&b), 1 << 16);
		assert_true(r->c.n_frames <= CRASH_FRAMES && r->c.n_tests <= CRASH_TESTS);
		reader_free(r);
	}
}

static void a_value_of_a_megabyte_is_cut_on_a_character(void **state)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	(void)state;
	buf_adds(&b, "panic: x");
	for (int i = 0; i < 100000; i++)
		buf_adds(&b, "错");
	buf_adds(&b, "\n\ngoroutine 1 [running]:\n" OWN("main.main()", "m.go", 2));
	struct reader *r = read_text(buf_view(&b), 4096);
	assert_int_equal((strlen(r->c.value) - 1) % 3, 0);
	assert_true(strlen(r->c.value) > 500);
	assert_true(r->c.text.len < 600);
	assert_int_equal(crash_place(&r->c)->line, 2);
	reader_free(r);
}

static void it_can_be_used_again(void **state)
{
	struct crash *c = mem_zalloc(sizeof(*c));
	struct goline g;

	(void)state;
	assert_non_null(c);
	for (int i = 0; i < 3; i++) {
		goline_read(S("panic: x"), &g);
		assert_true(crash_begin(c, &g, S("panic: x")));
		assert_int_equal(c->lines, 1);
		assert_string_equal(buf_str(&c->text), "panic: x\n");
		goline_read(S("plain"), &g);
		assert_false(crash_begin(c, &g, S("plain")));
		assert_string_equal(c->value, "x");
		assert_true(crash_feed(c, &g, S("")));
		assert_false(crash_feed(c, &g, S("plain")));
		assert_false(crash_feed(c, &g, S("plain")));
	}
	crash_clear(c);
	assert_int_equal(c->kind, CRASH_NONE);
	crash_free(c);
	mem_free(c);
}

static void it_survives_when_memory_is_out(void **state)
{
	(void)state;
	for (long at = 1; at < 30; at++) {
		struct crash *c = mem_zalloc(sizeof(*c));
		struct span rest = span_of(rows[1].text);
		struct goline g;
		assert_non_null(c);
		fault_seen = 0;
		fault_at = at;
		for (int i = 0; rest.n; i++) {
			struct span line = span_cut(&rest, '\n');
			goline_read(line, &g);
			if (i ? !crash_feed(c, &g, line) : !crash_begin(c, &g, line))
				break;
		}
		fault_at = 0;
		assert_string_equal(crash_place(c)->file, "/home/u/shop/cart/cart.go");
		crash_free(c);
		mem_free(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_of_blocks),
		cmocka_unit_test(the_excerpt_begins_with_what_panicked),
		cmocka_unit_test(own_frames_are_kept_below_many_others),
		cmocka_unit_test(a_recursion_is_shown_briefly),
		cmocka_unit_test(a_dump_of_any_size_takes_bounded_memory),
		cmocka_unit_test(hostile_blocks_stay_in_bounds),
		cmocka_unit_test(a_value_of_a_megabyte_is_cut_on_a_character),
		cmocka_unit_test(it_can_be_used_again),
		cmocka_unit_test(it_survives_when_memory_is_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
