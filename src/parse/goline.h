#ifndef PARSE_GOLINE_H
#define PARSE_GOLINE_H

#include "base/span.h"

/*
 * What one line of Go's plain text is, by its form alone: the words of go build, test, vet, run, mod,
 * get, generate, of the testing package and of the runtime. Stateless: what a line may be believed to
 * mean where it stands is the judge's business.
 */
enum line_kind {
	LINE_PLAIN,
	/* testing */
	LINE_TEST_RUN, LINE_TEST_PAUSE, LINE_TEST_CONT, LINE_TEST_NAME, /* "=== RUN   T": name */
	LINE_TEST_PASS, LINE_TEST_FAIL, LINE_TEST_SKIP, LINE_TEST_BENCH, /* "--- FAIL: T (0.01s)": name, depth, seconds */
	LINE_PASS, LINE_FAIL,       /* alone on the line */
	LINE_PKG_OK,                /* "ok  \tp\t0.1s": package, seconds, cached, note ("[no tests to run]", coverage) */
	LINE_PKG_FAIL,              /* "FAIL\tp\t0.1s", "FAIL\tp [build failed]": package, seconds, note */
	LINE_PKG_NO_FILES,          /* "?   \tp\t[no test files]"; also the coverage form of 1.22: package.
	                               These three also with the tabs expanded to eight columns, as in a pasted log. */
	LINE_COVERAGE,              /* "coverage: 71.4% of statements" */
	LINE_NO_TESTS,              /* "testing: warning: no tests to run" */
	LINE_TEST_LOG,              /* "    x_test.go:12: message": file, line, text, depth */
	LINE_AFTER_END,             /* "panic: Log in goroutine after T has completed…", Fail alike: name. Before LINE_PANIC */
	LINE_TEST_TIMEOUT,          /* "panic: test timed out after D": text is D */
	LINE_RUNNING_TESTS,         /* "running tests:" */
	LINE_RUNNING_TEST,          /* a TAB or two, name, (age): name, text is the age */
	LINE_TEST_KILLED,           /* "*** Test killed…: ran too long (D)." */
	LINE_IO_INCOMPLETE,         /* "*** Test I/O incomplete D after exiting.", "exec: WaitDelay expired…" */
	LINE_OS_EXIT_0,             /* "panic: unexpected call to os.Exit(0) during test" */
	LINE_GOEXIT,                /* "test executed panic(nil) or runtime.Goexit…" */
	LINE_FUZZ_INPUT,            /* "    Failing input written to testdata/fuzz/F/ID": text is the path */
	LINE_RACE_IN_TEST,          /* "…race detected during execution of test" */
	LINE_SHUFFLE,               /* "-test.shuffle 123": text is the seed */
	/* runtime */
	LINE_PANIC,                 /* "panic: V [recovered]": text is V without the mark; flag recovered */
	LINE_PANIC_MORE,            /* TAB "panic: V": a later one of the chain: text */
	LINE_FATAL,                 /* "fatal error: V": text */
	LINE_FATAL_SIGNAL,          /* "SIGSEGV: segmentation violation", "SIGQUIT: quit": name is SIGSEGV, text the rest */
	LINE_SIGNAL_INFO,           /* "[signal SIGSEGV: … code=… addr=… pc=…]": name */
	LINE_RUNTIME,               /* "runtime: goroutine stack exceeds…": text. Also what else stands in a dump: "PC=0x… m=0 …",
	                               "signal arrived during cgo execution", "runtime stack:", "unexpected fault address …",
	                               "...N frames elided...", "[originating from goroutine 7]:": text is the line */
	LINE_GOROUTINE,             /* "goroutine 7 [running]:": number is the id, text the status */
	LINE_FRAME,                 /* "pkg.F(0x1, …)", two blanks "pkg.F()" in a race report, "non-Go function at pc=…":
	                               name is the function without arguments */
	LINE_FRAME_PLACE,           /* TAB (or six blanks) "/p/f.go:12 +0x1d": file, line */
	LINE_CREATED_BY,            /* "created by pkg.F in goroutine 6": name */
	LINE_RACE_RULE,             /* 18 '=' */
	LINE_RACE,                  /* "WARNING: DATA RACE" */
	LINE_RACE_ACCESS,           /* "Write at 0x… by goroutine 7:", "Previous read at…", "Goroutine 7 (running) created at:" */
	LINE_RACE_FOUND,            /* "Found 2 data race(s)", "testing: race detected outside of test execution" */
	/* go command */
	LINE_EXIT_STATUS,           /* "exit status 3": number */
	LINE_SIGNAL,                /* "signal: killed", "signal: segmentation fault (core dumped)": name is "killed" */
	LINE_TOOL_SIGNAL,           /* "…/compile: signal: killed", "pkg: /…/link: signal: killed": name is the signal, text the tool; package */
	LINE_BUILD_HEADER,          /* "# pkg", "# pkg [pkg.test]", "# [pkg]": package; flag is_test, second for "# [pkg]" */
	LINE_DIAG,                  /* "f.go:3:5: msg", "vet: f.go:3:5: msg", "f.go:3: msg": file, line, column, text; flag vet */
	LINE_GO_ERROR,              /* "go: …" that is not one of the next three: text */
	LINE_GO_DOWNLOAD,           /* "go: downloading M V", finding, extracting, found, added, upgraded, switching …: text */
	LINE_GO_WARNING,            /* "go: warning: …": text */
	LINE_GO_BARE,               /* an error of go without the prefix: "verifying M@V: checksum mismatch", "package P is not in …",
	                               "SECURITY ERROR", "no required module…", "cannot find…", "import cycle not allowed…", "pattern …: …",
	                               "build constraints exclude…", "too many errors", "build failed", "note: module requires Go V",
	                               "X.go:3:2: no required module …": then LINE_DIAG */
	LINE_NO_PACKAGES,           /* "no packages to test", "go: warning: "p" matched no packages": text */
	LINE_LINK,                  /* the linker's words, without a place: "ld: cannot find -lX", "collect2: error: …", "…/link: running
	                               gcc failed…", "main.main: relocation target main.f not defined": text is the line */
	LINE_GENERATE,              /* "f.go:3: running "x": exit status 1": file, line, text */
	LINE_VET_JSON,              /* a line of go vet -json that opens an object for a package */
	/* around it */
	LINE_MAKE_ERROR,            /* "make: *** [Makefile:3: ci] Error 2": text, number */
	LINE_LOADER,                /* "x: error while loading shared libraries: libz.so.1: …": name is x, text the rest */
	LINE_NOT_FOUND,             /* "sh: 1: foo: not found", "bash: foo: command not found": name */
};

struct goline {
	enum line_kind kind;
	struct span name, package, file, text, note;
	int line, column, depth;
	int64_t number;
	double seconds;  /* -1: absent */
	bool cached, recovered, is_test, second, vet, control; /* control: the line begins with ^V (test2json's mark) */
};

/* line: one line without newline, CR and ANSI sequences. Never allocates; spans point into the line. */
void goline_read(struct span line, struct goline *ret);
/* Could it be anything but LINE_PLAIN? One table look-up and a few compares: for hot loops. */
bool goline_maybe(struct span line);
#endif
