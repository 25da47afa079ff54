#!/usr/bin/env python3
"""tocsin run --panics: every panic is seen, recovered or not, and the test's own output stays as it was."""
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import FULL, TOCSIN, check, done  # noqa: E402

FILES = {
    "go.mod": "module example.com/swallow\n\ngo 1.19\n",
    "lib/lib.go": """package lib

import "fmt"

func Safe(f func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("recovered: %v", r)
		}
	}()
	f()
	return nil
}
""",
    "swallow_test.go": """package swallow

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"sync"
	"testing"

	"example.com/swallow/lib"
)

func TestQuiet(t *testing.T) { fmt.Println("panic: this is only text") }

func TestInTest(t *testing.T) {
	defer func() { recover() }()
	panic("boom in test") // in-test
}

func TestInLibrary(t *testing.T) {
	t.Run("a sub", func(t *testing.T) {
		_ = lib.Safe(func() {
			panic(errors.New("boom in library")) // in-library
		})
	})
}

func TestInGoroutine(t *testing.T) {
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		_ = lib.Safe(func() {
			var p *int
			fmt.Println(*p) // in-goroutine
		})
	}()
	wg.Wait()
}

func TestNested(t *testing.T) {
	defer func() { recover() }()
	defer func() {
		panic("second") // second
	}()
	panic("first") // first
}

func TestRepanic(t *testing.T) {
	defer func() { recover() }()
	defer func() { panic(recover()) }()
	panic("once") // once
}

type quarrel struct{ n int }

func (q *quarrel) Error() string { os.Exit(3); return "" }

func TestErrorIsNotCalled(t *testing.T) {
	defer func() { recover() }()
	panic(&quarrel{1}) // quarrel
}

func TestManyTimes(t *testing.T) {
	for i := 0; i < 5000; i++ {
		_ = lib.Safe(func() {
			panic("again") // again
		})
	}
}

func TestFrames(t *testing.T) {
	_, file, line, _ := runtime.Caller(0)
	if file == "" || line != LINE {
		t.Fatal(file, line)
	}
}

// Nothing below may be reported.
func TestSkipped(t *testing.T) { t.SkipNow() }

func TestGoexit(t *testing.T) {
	c := make(chan int)
	go func() {
		defer close(c)
		defer func() { recover() }()
		runtime.Goexit()
	}()
	<-c
}

func TestStandardLibrary(t *testing.T) {
	if _, err := json.Marshal(make(chan int)); err == nil {
		t.Fatal("no error")
	}
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer s.Close()
	if _, err := http.Get(s.URL); err == nil {
		t.Fatal("no error")
	}
}
""",
    "bad/bad_test.go": """package bad

import "testing"

func TestFatal(t *testing.T) {
	t.Run("now", func(t *testing.T) { t.FailNow() })
}

func TestLoud(t *testing.T) {
	panic("loud")
}
""",
    "cmd/main.go": """package main

import "fmt"

func main() {
	defer fmt.Println("done")
	func() {
		defer func() { recover() }()
		panic("in main")
	}()
}
""",
}

WANT = [  # test, message, mark of its line
    ("TestInTest", "boom in test", "in-test"),
    ("TestInLibrary/a_sub", "boom in library", "in-library"),
    ("TestInGoroutine", "nil pointer dereference", "in-goroutine"),
    ("TestNested", "first", "first"),
    ("TestNested", "second", "second"),
    ("TestRepanic", "once", "once"),
    ("TestErrorIsNotCalled", "quarrel", "quarrel"),
    ("TestManyTimes", "again", "again"),
]


def line_of(mark):
    for number, line in enumerate(FILES["swallow_test.go"].splitlines(), 1):
        if line.endswith("// " + mark):
            return number
    raise KeyError(mark)


def make_module(root):
    line = FILES["swallow_test.go"].splitlines().index("	_, file, line, _ := runtime.Caller(0)") + 1
    FILES["swallow_test.go"] = FILES["swallow_test.go"].replace("LINE", str(line))
    for name, text in FILES.items():
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)


def settle(text):
    """Times, addresses and code offsets differ between any two builds and runs."""
    text = re.sub(rb"\d+\.\d\d+s|\(cached\)", b"T", text)
    return re.sub(rb"0x[0-9a-f]+|goroutine \d+", b"X", text)


class Go:
    def __init__(self, path, root):
        self.path, self.root = path, root
        self.env = dict(os.environ, GOTOOLCHAIN="local", GOFLAGS="-buildvcs=false",
                        PATH=os.path.dirname(path) + ":" + os.environ["PATH"])

    def bare(self, *args):
        return subprocess.run([self.path, *args], cwd=self.root, env=self.env, capture_output=True, timeout=600)

    def tocsin(self, *args, flags=("--panics",)):
        report = os.path.join(self.root, "report.json")
        cmd = [TOCSIN, "run", "--no-store", "--format", "raw", "--report", report, *flags, "--", self.path, *args]
        p = subprocess.run(cmd, cwd=self.root, env=self.env, capture_output=True, timeout=900)
        with open(report) as f:
            return p, json.load(f)


def swallowed(report):
    return [f for f in report["findings"] if f["cause"] == "test.panic.swallowed"]


def check_findings(name, found):
    for test, message, mark in WANT:
        hits = [f for f in found if f["test"] == test and message in f["message"]]
        ok = check(len(hits) == 1, f"{name}: {test} ({mark}) is reported once", json.dumps(found, indent=1))
        if ok:
            f = hits[0]
            check(f["package"] == "example.com/swallow" and f["file"].endswith("swallow_test.go") and
                  f["line"] == line_of(mark), f"{name}: {test} ({mark}) is at its line",
                  f"{f['package']} {f['file']}:{f['line']}")
            check(f["severity"] == "warning", f"{name}: {test} ({mark}) is a warning", f["severity"])
    tests = {t for t, _, _ in WANT}
    check(all(f["test"] in tests for f in found), f"{name}: nothing else is reported",
          [f["test"] + ": " + f["message"] for f in found if f["test"] not in tests])


def check_go(go, name):
    args = ("test", "-count=1", "-v", ".")
    bare = go.bare(*args)
    p, report = go.tocsin(*args)
    check(p.returncode == 0 and report["verdict"]["outcome"] == "passed", f"{name}: the outcome stays passed",
          p.stderr.decode(errors="replace"))
    check(settle(p.stdout) == settle(bare.stdout), f"{name}: not a byte more in the test's own output", p.stdout.decode())
    check_findings(name, swallowed(report))
    p, report = go.tocsin(*args, flags=("--panics", "--strict"))
    check(p.returncode == 1 and report["verdict"]["outcome"] == "failed", f"{name}: --strict fails",
          f"{p.returncode} {report['verdict']}")
    p, report = go.tocsin("test", ".")
    p, report = go.tocsin("test", ".")
    check(len(swallowed(report)) == len(WANT), f"{name}: a cached test result hides no panic",
          f"{len(swallowed(report))} of {len(WANT)}")
    check_failing(go, name)
    if FULL:
        for flags in (["-race"], ["-trimpath"], ["-cover"]):
            p, report = go.tocsin("test", *flags, ".")
            check(p.returncode == 0 and len(swallowed(report)) == len(WANT), f"{name}: with {flags[0]}",
                  p.stderr.decode(errors="replace"))
        go.env["CGO_ENABLED"] = "0"
        p, report = go.tocsin("test", ".")
        check(p.returncode == 0 and len(swallowed(report)) == len(WANT), f"{name}: without cgo",
              p.stderr.decode(errors="replace"))
        del go.env["CGO_ENABLED"]


def check_failing(go, name):
    bare = go.bare("test", "-count=1", "./bad")
    p, report = go.tocsin("test", "-count=1", "./bad")
    check(p.returncode == bare.returncode == 1, f"{name}: the exit status of a failing test stays", p.returncode)
    check(settle(p.stdout) == settle(bare.stdout), f"{name}: a panic's own output stays", p.stdout.decode())
    loud = [f for f in report["findings"] if "loud" in (f["message"] or "")]
    check(len(loud) == 1 and loud[0]["cause"] == "test.panic", f"{name}: a panic that was not recovered is reported once",
          json.dumps(report["findings"], indent=1))
    check(not swallowed(report), f"{name}: FailNow and testing's own re-panic are not swallowed panics")
    p, report = go.tocsin("run", "./cmd")
    check(p.returncode == 0 and p.stdout == b"done\n", f"{name}: go run works", p.stderr.decode(errors="replace"))
    check(any("in main" in (f["message"] or "") for f in report["findings"]), f"{name}: a panic under go run is seen",
          json.dumps(report["findings"], indent=1))


def check_refused(go):
    go.env["GOFLAGS"] = "-overlay=/nonexistent.json"
    p, _ = go.tocsin("version")
    check(b"cannot make panics visible" in p.stderr and p.returncode == 0, "refused with a sentence, and the command runs",
          p.stderr.decode(errors="replace"))
    go.env["GOFLAGS"] = "-buildvcs=false"
    p, _ = go.tocsin("build", "./...")
    check(b"cannot make panics visible" in p.stderr and p.returncode == 0, "go build is left alone",
          p.stderr.decode(errors="replace"))


def main():
    seen = set()
    with tempfile.TemporaryDirectory() as root:
        make_module(root)
        for path in ("go", "/usr/lib/go-1.19/bin/go"):
            real = subprocess.run(["sh", "-c", f"command -v {path}"], capture_output=True, text=True).stdout.strip()
            real = os.path.realpath(real) if real else ""
            if not real or real in seen:
                continue
            seen.add(real)
            go = Go(real, root)
            check_go(go, go.bare("env", "GOVERSION").stdout.decode().strip())
        if seen:
            check_refused(go)
    if not seen:
        check(True, "no go at hand # SKIP")
    done()


main()
