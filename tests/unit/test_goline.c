/* parse/goline: what one line of Go's plain text is, by its form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "parse/goline.h"

static const struct row {
	const char *input;
	enum line_kind kind;
	const char *name, *package, *file, *text, *note; /* NULL: absent or empty */
	int line, column, depth;
	int64_t number;
	double seconds; /* 0: absent */
	bool cached, recovered, is_test, second, vet, control;
} rows[] = {
	/* testing */
	{ "=== RUN   TestA/b#01", LINE_TEST_RUN, .name = "TestA/b#01" },
	{ "=== PAUSE TestA", LINE_TEST_PAUSE, .name = "TestA" },
	{ "=== CONT  TestA", LINE_TEST_CONT, .name = "TestA" },
	{ "=== CONT  ", LINE_TEST_CONT },
	{ "=== NAME  TestA", LINE_TEST_NAME, .name = "TestA" },
	{ "=== NAME  ", LINE_TEST_NAME },
	{ "=== NAME", LINE_TEST_NAME },
	{ "=== RUN   ", LINE_PLAIN },
	{ "=== ATTR  TestA key value", LINE_PLAIN },
	{ "\x16=== RUN   TestA", LINE_TEST_RUN, .name = "TestA", .control = true },
	{ "--- PASS: TestA (0.00s)", LINE_TEST_PASS, .name = "TestA", .seconds = -2 },
	{ "--- FAIL: TestA (1.25s)", LINE_TEST_FAIL, .name = "TestA", .seconds = 1.25 },
	{ "\x16--- FAIL: TestA (1.25s)", LINE_TEST_FAIL, .name = "TestA", .seconds = 1.25, .control = true },
	{ "    --- SKIP: TestA/b (0.50s)", LINE_TEST_SKIP, .name = "TestA/b", .seconds = 0.5, .depth = 1 },
	{ "        --- PASS: TestA/b/c (600.10s)", LINE_TEST_PASS, .name = "TestA/b/c", .seconds = 600.1, .depth = 2 },
	{ "--- BENCH: BenchmarkX-8", LINE_TEST_BENCH, .name = "BenchmarkX-8" },
	{ "--- FAIL: BenchmarkX", LINE_TEST_FAIL, .name = "BenchmarkX" },
	{ "--- FAIL: Test中文/(空) (0.01s)", LINE_TEST_FAIL, .name = "Test中文/(空)", .seconds = 0.01 },
	{ "--- FAIL: ", LINE_PLAIN },
	{ "---", LINE_PLAIN },
	{ "PASS", LINE_PASS },
	{ "FAIL", LINE_FAIL },
	{ "\x16" "FAIL", LINE_FAIL, .control = true },
	{ "FAILED", LINE_PLAIN },
	{ "PASSED 3", LINE_PLAIN },
	{ "FAIL ", LINE_PLAIN },
	{ "ok  \ta/b\t0.123s", LINE_PKG_OK, .package = "a/b", .seconds = 0.123 },
	{ "ok  \ta/b\t(cached)", LINE_PKG_OK, .package = "a/b", .cached = true },
	{ "ok  \ta/b\t0.003s [no tests to run]", LINE_PKG_OK, .package = "a/b", .seconds = 0.003, .note = "[no tests to run]" },
	{ "ok  \ta/b\t(cached)\tcoverage: 71.4% of statements", LINE_PKG_OK, .package = "a/b", .cached = true,
	  .note = "coverage: 71.4% of statements" },
	{ "ok  \ta/b", LINE_PLAIN },
	{ "ok  a/b 0.1s", LINE_PLAIN },
	{ "FAIL\ta/b\t1.005s", LINE_PKG_FAIL, .package = "a/b", .seconds = 1.005 },
	{ "FAIL\ta/b [build failed]", LINE_PKG_FAIL, .package = "a/b", .note = "[build failed]" },
	{ "FAIL\t./nothere/... [setup failed]", LINE_PKG_FAIL, .package = "./nothere/...", .note = "[setup failed]" },
	{ "ok      a/b     0.123s", LINE_PKG_OK, .package = "a/b", .seconds = 0.123 }, /* tabs expanded */
	{ "ok      a/b     (cached)", LINE_PKG_OK, .package = "a/b", .cached = true },
	{ "ok      then we go on", LINE_PLAIN },
	{ "FAIL    a/b     1.005s", LINE_PKG_FAIL, .package = "a/b", .seconds = 1.005 },
	{ "FAIL    a/b [build failed]", LINE_PKG_FAIL, .package = "a/b", .note = "[build failed]" },
	{ "FAIL    of the whole thing", LINE_PLAIN },
	{ "?       a/b     [no test files]", LINE_PKG_NO_FILES, .package = "a/b", .note = "[no test files]" },
	{ "?       what is this", LINE_PLAIN },
	{ "--- FAIL: TestA (0.02 seconds)", LINE_TEST_FAIL, .name = "TestA", .seconds = 0.02 }, /* before Go 1.5 */
	{ "FAIL\ta/sp ace [setup failed]", LINE_PKG_FAIL, .package = "a/sp ace", .note = "[setup failed]" },
	{ "?   \ta/b\t[no test files]", LINE_PKG_NO_FILES, .package = "a/b", .note = "[no test files]" },
	{ "\ta/b\t\tcoverage: 0.0% of statements", LINE_PKG_NO_FILES, .package = "a/b", .note = "coverage: 0.0% of statements" },
	{ "coverage: 71.4% of statements in ./...", LINE_COVERAGE, .text = "71.4% of statements in ./..." },
	{ "coverage: [no statements]", LINE_COVERAGE, .text = "[no statements]" },
	{ "testing: warning: no tests to run", LINE_NO_TESTS },
	{ "    x_test.go:12: got 3, want 4", LINE_TEST_LOG, .file = "x_test.go", .line = 12, .text = "got 3, want 4", .depth = 1 },
	{ "        x_test.go:3: ", LINE_TEST_LOG, .file = "x_test.go", .line = 3, .depth = 2 },
	{ "    测试_test.go:7: 期望 1", LINE_TEST_LOG, .file = "测试_test.go", .line = 7, .text = "期望 1", .depth = 1 },
	{ "    ???:1: lost", LINE_TEST_LOG, .file = "???", .line = 1, .text = "lost", .depth = 1 },
	{ "  x_test.go:12: two blanks", LINE_PLAIN },
	{ "    plain text: 12: 13", LINE_PLAIN },
	{ "panic: Log in goroutine after TestX/y has completed: late", LINE_AFTER_END, .name = "TestX/y",
	  .text = "Log in goroutine after TestX/y has completed: late" },
	{ "panic: Fail in goroutine after TestX has completed", LINE_AFTER_END, .name = "TestX",
	  .text = "Fail in goroutine after TestX has completed" },
	{ "panic: test timed out after 10m0s", LINE_TEST_TIMEOUT, .text = "10m0s" },
	{ "running tests:", LINE_RUNNING_TESTS },
	{ "\trunning tests:", LINE_RUNNING_TESTS },
	{ "\tTestT (1s)", LINE_RUNNING_TEST, .name = "TestT", .text = "1s" },
	{ "\t\tTestT/sub (1h2m3.5s)", LINE_RUNNING_TEST, .name = "TestT/sub", .text = "1h2m3.5s" },
	{ "\tTestT (almost)", LINE_PLAIN },
	{ "*** Test killed with quit: ran too long (11m0s).", LINE_TEST_KILLED, .text = "11m0s" },
	{ "*** Test killed: ran too long (1m10s).", LINE_TEST_KILLED, .text = "1m10s" },
	{ "*** Test I/O incomplete 5s after exiting.", LINE_IO_INCOMPLETE, .text = "5s after exiting." },
	{ "exec: WaitDelay expired before I/O complete", LINE_IO_INCOMPLETE, .text = " before I/O complete" },
	{ "panic: unexpected call to os.Exit(0) during test", LINE_OS_EXIT_0, .text = "unexpected call to os.Exit(0) during test" },
	{ "panic: test executed panic(nil) or runtime.Goexit", LINE_GOEXIT, .text = "test executed panic(nil) or runtime.Goexit" },
	{ "panic: test executed panic(nil) or runtime.Goexit: subtest may have called FailNow on a parent test [recovered]", LINE_GOEXIT,
	  .text = "test executed panic(nil) or runtime.Goexit: subtest may have called FailNow on a parent test", .recovered = true },
	{ "    Failing input written to testdata/fuzz/FuzzX/582528ddfad69eb5", LINE_FUZZ_INPUT,
	  .text = "testdata/fuzz/FuzzX/582528ddfad69eb5", .depth = 1 },
	{ "    testing.go:1465: race detected during execution of test", LINE_RACE_IN_TEST, .file = "testing.go", .line = 1465,
	  .text = "race detected during execution of test", .depth = 1 },
	{ "-test.shuffle 1234", LINE_SHUFFLE, .text = "1234" },
	/* runtime */
	{ "panic: boom", LINE_PANIC, .text = "boom" },
	{ "panic: boom [recovered]", LINE_PANIC, .text = "boom", .recovered = true },
	{ "panic: boom [recovered, repanicked]", LINE_PANIC, .text = "boom", .recovered = true },
	{ "panic: ", LINE_PANIC },
	{ "\tpanic: again [recovered]", LINE_PANIC_MORE, .text = "again", .recovered = true },
	{ "panicked: no", LINE_PLAIN },
	{ "fatal error: all goroutines are asleep - deadlock!", LINE_FATAL, .text = "all goroutines are asleep - deadlock!" },
	{ "fatal: morestack on g0", LINE_FATAL, .text = "fatal: morestack on g0" },
	{ "fatal: not a git repository (or any of the parent directories): .git", LINE_PLAIN },
	{ "SIGSEGV: segmentation violation", LINE_FATAL_SIGNAL, .name = "SIGSEGV", .text = "segmentation violation" },
	{ "SIGQUIT: quit", LINE_FATAL_SIGNAL, .name = "SIGQUIT", .text = "quit" },
	{ "SIGTERM: stopping", LINE_PLAIN },
	{ "SIGQUIT: quit now", LINE_PLAIN },
	{ "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x49a7d0]", LINE_SIGNAL_INFO, .name = "SIGSEGV",
	  .text = "segmentation violation" },
	{ "[signal 0xc0000005 code=0x0 addr=0x0 pc=0x1]", LINE_SIGNAL_INFO, .name = "0xc0000005" },
	{ "runtime: goroutine stack exceeds 1000000000-byte limit", LINE_RUNTIME, .text = "goroutine stack exceeds 1000000000-byte limit" },
	{ "runtime stack:", LINE_RUNTIME, .text = "runtime stack:" },
	{ "PC=0x40406e m=0 sigcode=0 addr=0x5289", LINE_RUNTIME, .text = "PC=0x40406e m=0 sigcode=0 addr=0x5289" },
	{ "signal arrived during cgo execution", LINE_RUNTIME, .text = "signal arrived during cgo execution" },
	{ "...12 frames elided...", LINE_RUNTIME, .text = "...12 frames elided..." },
	{ "...additional frames elided...", LINE_RUNTIME, .text = "...additional frames elided..." },
	{ "goroutine 7 [running]:", LINE_GOROUTINE, .number = 7, .text = "running" },
	{ "goroutine 7 [chan receive, 2 minutes, locked to thread]:", LINE_GOROUTINE, .number = 7,
	  .text = "chan receive, 2 minutes, locked to thread" },
	{ "goroutine 21 gp=0xc000080e00 m=0 mp=0x6c08a0 [running]:", LINE_GOROUTINE, .number = 21, .text = "running" },
	{ "goroutine 1 gp=0xc000002380 m=nil [chan receive (durable)]:", LINE_GOROUTINE, .number = 1, .text = "chan receive (durable)" },
	{ "goroutine 3 [running] {\"a]b\": \"c}:\", k: v}:", LINE_GOROUTINE, .number = 3, .text = "running" },
	{ "goroutine 1 [running]: not", LINE_PLAIN },
	{ "goroutine pool is full [12]:", LINE_PLAIN },
	{ "main.main()", LINE_FRAME, .name = "main.main" },
	{ "main.F(0x1, {0xc000, 0x2?}, ...)", LINE_FRAME, .name = "main.F" },
	{ "panic({0x556460?, 0x6b49b0?})", LINE_FRAME, .name = "panic" },
	{ "example.com/x/y%2ez.(*T[...]).M.func1(...)", LINE_FRAME, .name = "example.com/x/y%2ez.(*T[...]).M.func1" },
	{ "p.F[go.shape.struct { X int }](0x1)", LINE_FRAME, .name = "p.F[go.shape.struct { X int }]" },
	{ "main.glob..func1()", LINE_FRAME, .name = "main.glob..func1" },
	{ "测试/包.函数(0x1)", LINE_FRAME, .name = "测试/包.函数" },
	{ "non-Go function at pc=0x7f00", LINE_FRAME, .name = "non-Go function", .text = "non-Go function at pc=0x7f00" },
	{ "  ex.com/fx/race.TestR.func1()", LINE_FRAME, .name = "ex.com/fx/race.TestR.func1" },
	{ "started the server (ok)", LINE_PLAIN },
	{ "call(x.y)", LINE_PLAIN },
	{ "see fmt.Println(hello)", LINE_PLAIN },
	{ "\t/p/f.go:12 +0x1d", LINE_FRAME_PLACE, .file = "/p/f.go", .line = 12 },
	{ "\t/p/f.go:12", LINE_FRAME_PLACE, .file = "/p/f.go", .line = 12 },
	{ "\t/p q/f.s:620 +0x7d fp=0xc0 sp=0xc1 pc=0x2", LINE_FRAME_PLACE, .file = "/p q/f.s", .line = 620 },
	{ "\tC:/p/f.go:12 +0x1d", LINE_FRAME_PLACE, .file = "C:/p/f.go", .line = 12 },
	{ "\tC:\\p\\f.go:12", LINE_FRAME_PLACE, .file = "C:\\p\\f.go", .line = 12 },
	{ "\t<autogenerated>:1 +0x1d", LINE_FRAME_PLACE, .file = "<autogenerated>", .line = 1 },
	{ "\t??:0 +0x3", LINE_FRAME_PLACE, .file = "??" },
	{ "\t_cgo_gotypes.go:45 +0x3", LINE_FRAME_PLACE, .file = "_cgo_gotypes.go", .line = 45 },
	{ "      /src/fx/raceg/x_test.go:4 +0x30", LINE_FRAME_PLACE, .file = "/src/fx/raceg/x_test.go", .line = 4 },
	{ "created by main.F", LINE_CREATED_BY, .name = "main.F" },
	{ "created by testing.(*T).Run in goroutine 6", LINE_CREATED_BY, .name = "testing.(*T).Run", .number = 6 },
	{ "created by the author in 2024", LINE_PLAIN },
	{ "==================", LINE_RACE_RULE },
	{ "===================", LINE_PLAIN },
	{ "WARNING: DATA RACE", LINE_RACE },
	{ "Write at 0x00c00001a228 by goroutine 7:", LINE_RACE_ACCESS, .text = "goroutine 7" },
	{ "Previous read at 0x00c00001a228 by main goroutine:", LINE_RACE_ACCESS, .text = "main goroutine" },
	{ "Goroutine 7 (running) created at:", LINE_RACE_ACCESS, .number = 7, .text = "7 (running) created at:" },
	{ "Write at will:", LINE_PLAIN },
	{ "Found 2 data race(s)", LINE_RACE_FOUND, .number = 2 },
	{ "Found 2 problems", LINE_PLAIN },
	{ "testing: race detected outside of test execution", LINE_RACE_FOUND, .text = "testing: race detected outside of test execution" },
	/* the go command */
	{ "exit status 3", LINE_EXIT_STATUS, .number = 3 },
	{ "exit status three", LINE_PLAIN },
	{ "signal: killed", LINE_SIGNAL, .name = "killed" },
	{ "signal: segmentation fault (core dumped)", LINE_SIGNAL, .name = "segmentation fault" },
	{ "signal: Got SIGTERM", LINE_PLAIN },
	{ "/usr/lib/go/pkg/tool/linux_amd64/compile: signal: killed", LINE_TOOL_SIGNAL, .name = "killed",
	  .text = "/usr/lib/go/pkg/tool/linux_amd64/compile" },
	{ "a/b: /usr/lib/go/pkg/tool/linux_amd64/link: signal: killed", LINE_TOOL_SIGNAL, .name = "killed", .package = "a/b",
	  .text = "/usr/lib/go/pkg/tool/linux_amd64/link" },
	{ "go build a/b: C:\\Go\\pkg\\tool\\windows_amd64\\compile.exe: signal: killed", LINE_TOOL_SIGNAL, .name = "killed",
	  .package = "a/b", .text = "C:\\Go\\pkg\\tool\\windows_amd64\\compile.exe" },
	{ "worker 7: signal: killed", LINE_PLAIN },
	{ "a/b: /usr/lib/go/pkg/tool/linux_amd64/vet: fork/exec /usr/lib/go/pkg/tool/linux_amd64/vet: no such file or directory",
	  LINE_GO_BARE, .package = "a/b",
	  .text = "a/b: /usr/lib/go/pkg/tool/linux_amd64/vet: fork/exec /usr/lib/go/pkg/tool/linux_amd64/vet: no such file or directory" },
	{ "worker 7: fork/exec /bin/x: no such file or directory", LINE_PLAIN },
	{ "# a/b", LINE_BUILD_HEADER, .package = "a/b" },
	{ "# a/b [a/b.test]", LINE_BUILD_HEADER, .package = "a/b", .is_test = true },
	{ "# a/b_test [a/b.test]", LINE_BUILD_HEADER, .package = "a/b_test", .is_test = true },
	{ "# [a/b]", LINE_BUILD_HEADER, .package = "a/b", .second = true },
	{ "# A heading of words", LINE_PLAIN },
	{ "## a", LINE_PLAIN },
	{ "./x.go:3:5: undefined: y", LINE_DIAG, .file = "./x.go", .line = 3, .column = 5, .text = "undefined: y" },
	{ "dep/a.go:2:23: cannot use \"s\" as int", LINE_DIAG, .file = "dep/a.go", .line = 2, .column = 23, .text = "cannot use \"s\" as int" },
	{ "x.go:3: no column", LINE_DIAG, .file = "x.go", .line = 3, .text = "no column" },
	{ "../y/z.go:10:1: m", LINE_DIAG, .file = "../y/z.go", .line = 10, .column = 1, .text = "m" },
	{ "/a/b/c.go:10:1: m", LINE_DIAG, .file = "/a/b/c.go", .line = 10, .column = 1, .text = "m" },
	{ "C:\\x\\y.go:3:5: m", LINE_DIAG, .file = "C:\\x\\y.go", .line = 3, .column = 5, .text = "m" },
	{ "./my dir/x.go:3:5: m", LINE_DIAG, .file = "./my dir/x.go", .line = 3, .column = 5, .text = "m" },
	{ "./目录/文件.go:3:5: 错误", LINE_DIAG, .file = "./目录/文件.go", .line = 3, .column = 5, .text = "错误" },
	{ "vet: ./x.go:3:5: undefined: y", LINE_DIAG, .file = "./x.go", .line = 3, .column = 5, .text = "undefined: y", .vet = true },
	{ "\t./x.go:3:6: other declaration of F", LINE_DIAG, .file = "./x.go", .line = 3, .column = 6, .text = "other declaration of F" },
	{ "x.c:3:1: error: expected ';'", LINE_DIAG, .file = "x.c", .line = 3, .column = 1, .text = "error: expected ';'" },
	{ "./x.go:5:10: fatal error: foo.h: No such file or directory", LINE_DIAG, .file = "./x.go", .line = 5, .column = 10,
	  .text = "fatal error: foo.h: No such file or directory" },
	{ "go.mod:3: unknown directive: foo", LINE_DIAG, .file = "go.mod", .line = 3, .text = "unknown directive: foo" },
	{ "importfail/x_test.go:2:20: no required module provides package x; to add it:", LINE_DIAG, .file = "importfail/x_test.go",
	  .line = 2, .column = 20, .text = "no required module provides package x; to add it:" },
	{ "2024/01/02 12:34:56 x.go:3: logged", LINE_PLAIN },
	{ "ERROR x.go:3: logged", LINE_PLAIN },
	{ "12:34:56: tick", LINE_PLAIN },
	{ "http://example.com:8080: refused", LINE_PLAIN },
	{ "x.go:99999999999: m", LINE_PLAIN },
	{ "gen.go:3: running \"stringer\": exit status 1", LINE_GENERATE, .file = "gen.go", .line = 3,
	  .text = "running \"stringer\": exit status 1" },
	{ "main.main: relocation target main.f not defined", LINE_LINK, .text = "main.main: relocation target main.f not defined" },
	{ "/usr/bin/ld: cannot find -lfoo: No such file or directory", LINE_LINK,
	  .text = "/usr/bin/ld: cannot find -lfoo: No such file or directory" },
	{ "collect2: error: ld returned 1 exit status", LINE_LINK, .text = "collect2: error: ld returned 1 exit status" },
	{ "/usr/local/go/pkg/tool/linux_amd64/link: running gcc failed: exit status 1", LINE_LINK,
	  .text = "/usr/local/go/pkg/tool/linux_amd64/link: running gcc failed: exit status 1" },
	{ "runtime.main_main·f: function main is undeclared in the main package", LINE_LINK,
	  .text = "runtime.main_main·f: function main is undeclared in the main package" },
	{ "go: example.com/m@v1.0.0: reading https://p/m/@v/v1.0.0.mod: 404 Not Found", LINE_GO_ERROR,
	  .text = "example.com/m@v1.0.0: reading https://p/m/@v/v1.0.0.mod: 404 Not Found" },
	{ "go: downloading example.com/m v1.0.0", LINE_GO_DOWNLOAD, .text = "downloading example.com/m v1.0.0" },
	{ "go: found example.com/m in example.com/m v1.0.0", LINE_GO_DOWNLOAD, .text = "found example.com/m in example.com/m v1.0.0" },
	{ "go: warning: ignoring symlink /a", LINE_GO_WARNING, .text = "ignoring symlink /a" },
	{ "go: warning: \"./x/...\" matched no packages", LINE_NO_PACKAGES, .text = "warning: \"./x/...\" matched no packages" },
	{ "no packages to test", LINE_NO_PACKAGES, .text = "no packages to test" },
	{ "verifying example.com/m@v1.0.0: checksum mismatch", LINE_GO_BARE, .text = "verifying example.com/m@v1.0.0: checksum mismatch" },
	{ "SECURITY ERROR", LINE_GO_BARE, .text = "SECURITY ERROR" },
	{ "package foo is not in std (/usr/local/go/src/foo)", LINE_GO_BARE, .text = "package foo is not in std (/usr/local/go/src/foo)" },
	{ "package example.com/m", LINE_GO_BARE, .text = "package example.com/m" },
	{ "package main", LINE_PLAIN },
	{ "build constraints exclude all Go files in /a", LINE_GO_BARE, .text = "build constraints exclude all Go files in /a" },
	{ "pattern ./x: lstat ./x: no such file or directory", LINE_GO_BARE, .text = "pattern ./x: lstat ./x: no such file or directory" },
	{ "no Go files in /src/fx", LINE_GO_BARE, .text = "no Go files in /src/fx" },
	{ "stat /src/fx/nothere: directory not found", LINE_GO_BARE, .text = "stat /src/fx/nothere: directory not found" },
	{ "flag provided but not defined: -json", LINE_GO_BARE, .text = "flag provided but not defined: -json" },
	{ "note: module requires Go 1.25", LINE_GO_BARE, .text = "note: module requires Go 1.25" },
	{ "verifying the checksum: ok", LINE_PLAIN },
	{ "build finished: 3 files", LINE_PLAIN },
	{ "pattern matched: yes", LINE_PLAIN },
	{ "stat cache: 12 hits", LINE_PLAIN },
	{ "module example.com/m", LINE_PLAIN },
	{ "package a: done", LINE_PLAIN },
	{ "package a/b: no Go files in /x", LINE_GO_BARE, .text = "package a/b: no Go files in /x" },
	{ "module example.com/m@latest found (v1.0.0), but does not contain package example.com/m/x", LINE_GO_BARE,
	  .text = "module example.com/m@latest found (v1.0.0), but does not contain package example.com/m/x" },
	{ "go frob: unknown command", LINE_GO_BARE, .text = "go frob: unknown command" },
	{ "go on: this is unknown", LINE_PLAIN },
	{ "example.com/m/b imports", LINE_GO_BARE, .text = "example.com/m/b imports" },
	{ "the list of a/b imports", LINE_PLAIN },
	{ "a.b/中文: malformed import path \"a.b/中文\": invalid char '中'", LINE_GO_BARE,
	  .text = "a.b/中文: malformed import path \"a.b/中文\": invalid char '中'" },
	{ "too many errors", LINE_GO_BARE, .text = "too many errors" },
	{ "\t\"ex.com/p\": {", LINE_VET_JSON, .package = "ex.com/p" },
	{ "\t\t\"printf\": [", LINE_PLAIN },
	/* around it */
	{ "make: *** [Makefile:3: ci] Error 2", LINE_MAKE_ERROR, .text = "[Makefile:3: ci] Error 2", .number = 2 },
	{ "make[12]: *** [ci] Error 127", LINE_MAKE_ERROR, .text = "[ci] Error 127", .number = 127 },
	{ "gmake: *** No rule to make target 'x'.  Stop.", LINE_MAKE_ERROR, .text = "No rule to make target 'x'.  Stop." },
	{ "make: Nothing to be done for 'all'.", LINE_PLAIN },
	{ "./app: error while loading shared libraries: libz.so.1: cannot open shared object file", LINE_LOADER, .name = "./app",
	  .text = "error while loading shared libraries: libz.so.1: cannot open shared object file" },
	{ "sh: 1: foo: not found", LINE_NOT_FOUND, .name = "foo" },
	{ "build.sh: line 3: foo: command not found", LINE_NOT_FOUND, .name = "foo" },
	{ "bash: foo: command not found", LINE_NOT_FOUND, .name = "foo" },
	{ "zsh: command not found: foo", LINE_NOT_FOUND, .name = "foo" },
	{ "env: 'foo': No such file or directory", LINE_NOT_FOUND, .name = "foo" },
	{ "env: ‘foo’: No such file or directory", LINE_NOT_FOUND, .name = "foo" },
	{ "user 7: not found", LINE_PLAIN },
	/* nothing */
	{ "", LINE_PLAIN }, { " ", LINE_PLAIN }, { "\t", LINE_PLAIN }, { "\x16", LINE_PLAIN }, { ":", LINE_PLAIN }, { "x", LINE_PLAIN },
	{ "    ", LINE_PLAIN }, { "=", LINE_PLAIN }, { "\x16\x16" "FAIL", LINE_PLAIN, .control = true }, { "(", LINE_PLAIN }, { ":1:", LINE_PLAIN },
};

static void assert_span(const struct row *r, const char *what, struct span got, const char *want)
{
	if (!span_eq(got, span_of(want)))
		fail_msg("%s: %s is '%.*s', want '%s'", r->input, what, SPAN_ARG(got), want ? want : "");
}

static void a_table_of_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct goline g;
		size_t n = strlen(r->input);
		char *mem = malloc(n ? n : 1); /* no byte more, for the sanitizers */
		assert_non_null(mem);
		memcpy(mem, r->input, n);
		goline_read((struct span){ mem, n }, &g);
		if (g.kind != r->kind)
			fail_msg("%s: kind %d, want %d", r->input, g.kind, r->kind);
		assert_span(r, "name", g.name, r->name);
		assert_span(r, "package", g.package, r->package);
		assert_span(r, "file", g.file, r->file);
		assert_span(r, "text", g.text, r->text);
		assert_span(r, "note", g.note, r->note);
		if (g.line != r->line || g.column != r->column || g.depth != r->depth || g.number != r->number)
			fail_msg("%s: %d:%d depth %d number %d", r->input, g.line, g.column, g.depth, (int)g.number);
		double want = r->seconds < -1 ? 0 : r->seconds > 0 ? r->seconds : -1;
		if (g.seconds < want - 1e-9 || g.seconds > want + 1e-9)
			fail_msg("%s: %g seconds, want %g", r->input, g.seconds, want);
		if (g.cached != r->cached || g.recovered != r->recovered || g.is_test != r->is_test || g.second != r->second ||
		    g.vet != r->vet || g.control != r->control)
			fail_msg("%s: a flag is wrong", r->input);
		free(mem);
	}
}

static void the_quick_test_never_misses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].kind != LINE_PLAIN && !goline_maybe(span_of(rows[i].input)))
			fail_msg("missed: %s", rows[i].input);
	}
	assert_false(goline_maybe(S("2026-11-21T02:00:00Z INFO store/writer.go:12 wrote 7 records in 3ms")));
	assert_false(goline_maybe(S("level=info ts=17 caller=main.go:3 msg=\"hello: world\"")));
	assert_false(goline_maybe(S("{\"level\":\"debug\",\"ts\":1}")));
}

static bool inside(struct span s, struct span line)
{
	return !s.n || (s.p >= line.p && s.p + s.n <= line.p + line.n);
}

static void damaged_lines_give_spans_inside_the_line(void **state)
{
	static const char bytes[] = ":()[]{} \t.0129/\\\"#-=s\x16\xff";
	struct goline g;

	(void)state;
	srand(5);
	for (int round = 0; round < 200000; round++) {
		struct span src = span_of(rows[(size_t)rand() % ARRAY_LEN(rows)].input);
		size_t from = rand() % 4 ? 0 : src.n ? (size_t)rand() % src.n : 0;
		size_t n = src.n - from - (rand() % 4 || src.n == from ? 0 : (size_t)rand() % (src.n - from));
		char *mem = malloc(n ? n : 1);
		assert_non_null(mem);
		memcpy(mem, src.p + from, n);
		for (int k = rand() % 3; n && k > 0; k--)
			mem[(size_t)rand() % n] = bytes[(size_t)rand() % (sizeof(bytes) - 1)];
		struct span line = { mem, n };
		goline_read(line, &g);
		assert_true(g.kind == LINE_PLAIN || goline_maybe(line));
		assert_true(inside(g.package, line) && inside(g.file, line) && inside(g.text, line) && inside(g.note, line));
		assert_true(inside(g.name, line) || span_eq(g.name, S("non-Go function")));
		assert_true(g.line >= 0 && g.column >= 0 && g.depth >= 0);
		free(mem);
	}
}

static void a_megabyte_is_read_in_linear_time(void **state)
{
	static const char *const parts[] = { ":", ": ", ":1", ".go:1", ".go:1:1: ", ": signal: ", ": not found", "(", ").", "[", "]", " ", "a.b(", "\t" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		struct goline g;
		while (b.len < (size_t)1 << 20)
			buf_adds(&b, parts[i]);
		goline_read(buf_view(&b), &g);
		buf_addc(&b, ')');
		b.p[0] = 'a';
		goline_read(buf_view(&b), &g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_of_lines),
		cmocka_unit_test(the_quick_test_never_misses),
		cmocka_unit_test(damaged_lines_give_spans_inside_the_line),
		cmocka_unit_test(a_megabyte_is_read_in_linear_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
