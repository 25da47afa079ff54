#!/usr/bin/env python3
# suite: takes 70
"""tocsin run --panics: every panic is seen, recovered or not, also below make and scripts, and no output changes."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import FULL, SLOW, TOCSIN, check, done, skip  # noqa: E402

# On the sanitizer build only one go, the newest or the one of PATH: what takes the time is go, which builds and links.

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

EDGES = """package edge

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
)

type badError struct{ n int }

func (b *badError) Error() string { panic("from Error") }

type badString struct{ n int }

func (b badString) String() string { panic("from String") }

func safe(f func()) {
	defer func() { recover() }()
	f()
}

func TestBadError(t *testing.T)  { safe(func() { panic(&badError{1}) }) }
func TestBadString(t *testing.T) { safe(func() { panic(badString{1}) }) }
func TestNil(t *testing.T)       { safe(func() { panic(nil) }) }
func TestIndex(t *testing.T)     { var a []int; safe(func() { fmt.Print(a[len(os.Args)]) }) }
func TestNilMap(t *testing.T)    { var m map[int]int; safe(func() { m[1] = 1 }) }
func TestDivide(t *testing.T)    { z := 0; safe(func() { fmt.Print(1 / z) }) }
func TestAssert(t *testing.T)    { var a any = "x"; safe(func() { fmt.Print(a.(int)) }) }

func TestGoexit(t *testing.T) {
	c := make(chan int)
	go func() {
		defer close(c)
		defer runtime.Goexit()
		panic("dropped by Goexit")
	}()
	<-c
}

func TestThreads(t *testing.T) {
	var wg sync.WaitGroup
	for i := 0; i < 1000; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for k := 0; k < 10; k++ {
				safe(func() { panic("from many") })
			}
		}()
	}
	wg.Wait()
}

func deep(n int) {
	if n == 0 {
		panic("deep")
	}
	deep(n - 1)
}

func TestDeep(t *testing.T) {
	for i := 0; i < 600; i++ {
		safe(func() { deep(i) })
	}
}

func TestBytes(t *testing.T)    { safe(func() { panic("a\\x00b\\tc\\xff") }) }
func TestHuge(t *testing.T)     { safe(func() { panic(strings.Repeat("huge ", 1<<18)) }) }
func TestClearenv(t *testing.T) { os.Clearenv(); safe(func() { panic("no environment") }) }
"""

EDGES_WANT = {"TestBadError": "badError", "TestBadString": "badString", "TestNil": "nil", "TestIndex": "index out of range",
              "TestNilMap": "assignment to entry in nil map", "TestDivide": "divide by zero", "TestAssert": "interface conversion",
              "TestGoexit": "dropped by Goexit", "TestThreads": "from many", "TestDeep": "deep", "TestBytes": "a", "TestHuge": "huge",
              "TestClearenv": "no environment"}

# What runs below make and scripts: tests/e2e/nested.py has the shim itself.
NEST = {
    "go.mod": "module example.com/nest\n\ngo 1.19\n",
    "n_test.go": """package nest

import (
	"fmt"
	"os"
	"os/exec"
	"sort"
	"strings"
	"testing"
)

func TestPanics(t *testing.T) {
	defer func() { recover() }()
	panic("below make")
}

// What it sees of the world must not tell that somebody is watching.
func TestWorld(t *testing.T) {
	env := os.Environ()
	sort.Strings(env)
	for _, e := range env {
		if strings.HasPrefix(e, "GO") {
			fmt.Println(e)
		}
	}
	fmt.Println(len(os.Args))
}

func TestCallsGo(t *testing.T) {
	path := os.Getenv("PATH") // go puts its own folder in front
	os.Setenv("PATH", path[strings.Index(path, ":")+1:])
	out, err := exec.Command("go", "run", "./cmd").CombinedOutput()
	if err != nil || string(out) != "done\\n" {
		t.Fatal(err, string(out))
	}
}
""",
    "cmd/main.go": FILES["cmd/main.go"],
    "Makefile": "test:\n\tgo test -v -run 'Panics|World' ./...\n",
    "run.sh": "set -e\ngo run ./cmd\n",
    "cd.sh": "here=$PWD\ncd /\ngo test -C \"$here\" -run Panics .\n",
    "own.sh": "go test -overlay=own.json -run Panics .\n",
    "own.json": '{"Replace":{}}\n',
    "env.sh": "go env GOFLAGS\ngo vet ./...\ngo list ./...\n",
    "below.sh": "go test -run CallsGo .\n",
    "keep.sh": "go test -c -o kept.test . && ./kept.test -test.run Panics\n",
    "two.sh": "go test -run Panics . & a=$!\ngo test -run Panics . & wait $a && wait $!\n",
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
        self.version = ""
        self.env = dict(os.environ, GOTOOLCHAIN="local", GOFLAGS="-buildvcs=false",
                        PATH=os.path.dirname(path) + ":" + os.environ["PATH"])

    def bare(self, *args):
        return subprocess.run([self.path, *args], cwd=self.root, env=self.env, capture_output=True, timeout=600)

    def tocsin(self, *args, **more):
        return self.over(self.path, *args, **more)

    def over(self, *command, flags=("--panics",), cwd=None, **env):
        """Any command under tocsin; env: set over ours, None takes out."""
        report = os.path.join(self.root, "report.json")
        cmd = [TOCSIN, "run", "--no-store", "--format", "raw", "--report", report, *flags, "--", *command]
        env = {k: v for k, v in dict(self.env, **env).items() if v is not None}
        p = subprocess.run(cmd, cwd=cwd or self.root, env=env, capture_output=True, timeout=900)
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


def write_files(root, files):
    for name, text in files.items():
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)


def messages(report):
    return sorted(f"{f['test']}: {f['message']}" for f in swallowed(report))


def check_edges(go, name):
    root = os.path.join(go.root, "edge")
    write_files(root, {"go.mod": "module example.com/edge\n\ngo 1.19\n", "e_test.go": EDGES})
    p, report = go.tocsin("test", ".", cwd=root)
    found = {f["test"]: f for f in swallowed(report)}
    check(p.returncode == 0 and len(swallowed(report)) == len(found) == len(EDGES_WANT), f"{name}: each odd panic is reported once",
          p.stderr.decode(errors="replace"))
    for test, message in EDGES_WANT.items():
        check(test in found and message in found[test]["message"], f"{name}: odd panic {test}", found.get(test))
    check("raised at least 10000 times" in found.get("TestThreads", {}).get("excerpt", ""),
          f"{name}: ten thousand panics on many threads are one, with their number", found.get("TestThreads"))


def check_nested(go, name):
    root = os.path.join(go.root, "nest")
    write_files(root, NEST)
    plain, _ = go.over("make", flags=(), cwd=root)
    p, report = go.over("make", cwd=root)
    check(p.returncode == 0 and messages(report) == ["TestPanics: below make"], f"{name}: a panic below make is seen",
          p.stderr.decode(errors="replace"))
    check(b"GOFLAGS=-buildvcs=false" in p.stdout and settle(p.stdout) == settle(plain.stdout),
          f"{name}: below make not a byte of output changes", p.stdout.decode() + plain.stdout.decode())
    hit = swallowed(report)[0] if swallowed(report) else {}
    check(str(hit.get("file")).endswith("n_test.go") and hit.get("line") == 14 and "recovered by" in hit.get("excerpt", ""),
          f"{name}: with its place and who recovered it", hit)
    check([c["argv"] for c in report["commands"]] == [["go", "test", "-v", "-run", "Panics|World", "./..."]],
          f"{name}: the report has the command as it was called", report["commands"])
    p, report = go.over("sh", "run.sh", cwd=root)
    check(p.stdout == b"done\n" and ["in main"] == [f["message"] for f in swallowed(report)], f"{name}: a panic of go run in a script is seen",
          p.stderr.decode(errors="replace"))
    p, report = go.over("sh", "own.sh", cwd=root)
    check(p.returncode == 0 and p.stderr.count(b"cannot make panics visible: -overlay is in use already") == 1 and not swallowed(report),
          f"{name}: a nested go with an -overlay of its own is left alone, and it is said", p.stderr.decode(errors="replace"))
    p, report = go.over("sh", "run.sh", cwd=root, GOFLAGS="-overlay=" + os.path.join(root, "own.json"))
    check(p.stdout == b"done\n" and b"-overlay is in use already" in p.stderr, f"{name}: so is one with -overlay in GOFLAGS",
          p.stderr.decode(errors="replace"))
    plain, _ = go.over("sh", "env.sh", flags=(), cwd=root)
    p, report = go.over("sh", "env.sh", cwd=root)
    check(p.stdout == plain.stdout and p.stdout.startswith(b"-buildvcs=false\n") and p.returncode == 0,
          f"{name}: go env, vet and list are as ever", p.stdout.decode())
    check(b"no go test or go run was called" in p.stderr, f"{name}: that nothing was reached is said", p.stderr.decode(errors="replace"))
    p, report = go.over("sh", "below.sh", cwd=root)
    check(p.returncode == 0 and not swallowed(report), f"{name}: what a test calls on purpose is left alone", p.stderr.decode(errors="replace"))
    p, report = go.over("sh", "keep.sh", cwd=root)
    check(p.returncode == 0 and not swallowed(report), f"{name}: a program that is kept has no overlay", p.stderr.decode(errors="replace"))
    p, report = go.over(TOCSIN, "run", "--no-store", "--format", "raw", "--", "go", "test", "-run", "Panics", ".", cwd=root)
    check(messages(report) == ["TestPanics: below make"], f"{name}: below an inner run, too", p.stderr.decode(errors="replace"))
    p, report = go.over(TOCSIN, "run", "--no-store", "--format", "raw", "--panics", "--", "go", "test", "-run", "Panics", ".", cwd=root)
    check(b"below make" in p.stderr and b"cannot" not in p.stderr.replace(b"no go test or go run was called", b"").replace(
        b"cannot make panics visible: ", b"", 1), f"{name}: an inner run with --panics tells them itself", p.stderr.decode(errors="replace"))
    if go.version >= "go1.20":
        p, report = go.over("sh", "cd.sh", cwd=root)
        check(messages(report) == ["TestPanics: below make"], f"{name}: with -C", p.stderr.decode(errors="replace"))


def check_layouts(go, name):
    """Workspaces, vendored dependencies, -exec."""
    root = os.path.join(go.root, "layout")
    write_files(root, {
        "go.work": "go 1.19\n\nuse (\n\t./a\n\t./b\n)\n",
        "a/go.mod": "module example.com/a\n\ngo 1.19\n\nrequire example.com/b v0.0.0\n\nreplace example.com/b => ../b\n",
        "a/a_test.go": 'package a\n\nimport (\n\t"testing"\n\n\t"example.com/b"\n)\n\nfunc TestB(t *testing.T) { b.Bail() }\n',
        "b/go.mod": "module example.com/b\n\ngo 1.19\n",
        "b/b.go": 'package b\n\nfunc Bail() {\n\tdefer func() { recover() }()\n\tpanic("in b")\n}\n',
    })
    where = os.path.join(root, "a")
    p, report = go.over("sh", "-c", "go test ./...", cwd=where)
    check(messages(report) == ["TestB: in b"], f"{name}: in a workspace", p.stderr.decode(errors="replace"))
    subprocess.run([go.path, "mod", "vendor"], cwd=where, env=dict(go.env, GOWORK="off"), capture_output=True, timeout=100)
    p, report = go.over("sh", "-c", "go test ./...", cwd=where, GOWORK="off", GOFLAGS="-buildvcs=false -mod=vendor")
    check(messages(report) == ["TestB: in b"] and os.path.isdir(os.path.join(where, "vendor")), f"{name}: with a vendor folder",
          p.stderr.decode(errors="replace"))
    p, report = go.tocsin("test", "-exec", "env A=1", ".", cwd=where, GOWORK="off")
    check(messages(report) == ["TestB: in b"], f"{name}: with -exec", p.stderr.decode(errors="replace"))


def check_first_use(go, name):
    """What is said while the standard library is built, and where nothing can be kept."""
    root = os.path.join(go.root, "nest")
    cache = subprocess.run([go.path, "env", "GOCACHE"], env=go.env, capture_output=True, text=True, timeout=60).stdout.strip()
    own = os.path.join(go.root, "cache")
    first = f"tocsin: first use of --panics with {go.version}: ".encode()
    plain, _ = go.over("sh", "run.sh", flags=(), cwd=root)
    for flags, want in ((["--format", "quiet"], 0), ([], 1)):
        shutil.rmtree(own, ignore_errors=True)
        p, report = go.over("sh", "run.sh", flags=["--panics", *flags], cwd=root, XDG_CACHE_HOME=own, GOCACHE=cache)
        check(p.stderr.count(first) == want and p.stdout == plain.stdout and len(swallowed(report)) == 1,
              f"{name}: the first use is said {want} times {' '.join(flags)}", p.stderr.decode(errors="replace"))
    p, report = go.over("sh", "run.sh", cwd=root, XDG_CACHE_HOME=own, GOCACHE=cache)
    check(first not in p.stderr and len(swallowed(report)) == 1, f"{name}: the second is not", p.stderr.decode(errors="replace"))
    shutil.rmtree(own, ignore_errors=True)
    p, report = go.over("sh", "two.sh", cwd=root, XDG_CACHE_HOME=own, GOCACHE=cache)
    check(p.returncode == 0 and p.stderr.count(first) == 1 and messages(report) == ["TestPanics: below make"],
          f"{name}: two at once share one overlay", p.stderr.decode(errors="replace"))
    shutil.rmtree(own, ignore_errors=True)
    p, _ = go.tocsin("test", "-run", "Panics", ".", flags=("--panics", "--lang", "zh"), cwd=root, XDG_CACHE_HOME=own, GOCACHE=cache)
    check(f"首次对 {go.version} 使用 --panics".encode() in p.stderr, f"{name}: the first use is said in Chinese", p.stderr.decode(errors="replace"))
    overlays = os.path.join(own, "tocsin", "overlay")
    for kept in os.listdir(overlays):
        if not os.path.islink(os.path.join(overlays, kept)):
            os.unlink(os.path.join(overlays, kept, "panic.go"))
    p, report = go.over("sh", "run.sh", cwd=root, XDG_CACHE_HOME=own, GOCACHE=cache)
    check(p.stdout == plain.stdout and len(swallowed(report)) == 1, f"{name}: a part that a cleaner took is made again",
          p.stderr.decode(errors="replace"))
    p, report = go.over("sh", "run.sh", cwd=root, HOME=None, XDG_CACHE_HOME=None, GOCACHE=cache, GOPATH=own)
    check(len(swallowed(report)) == 1, f"{name}: without HOME", p.stderr.decode(errors="replace"))
    for command in ([go.path, "run", "./cmd"], ["sh", "run.sh"]):
        p, report = go.over(*command, cwd=root, XDG_CACHE_HOME="/dev/null", GOCACHE=cache)
        check(p.returncode == 0 and p.stdout == plain.stdout and b"cannot make panics visible: " in p.stderr and b"/dev/null" in p.stderr,
              f"{name}: where no cache can be, {os.path.basename(command[0])} runs without, and why is said", p.stderr.decode(errors="replace"))
    p, report = go.over("sh", "run.sh", cwd=root, TOCSIN_SHIM="off")
    check(p.stdout == plain.stdout and b"cannot make panics visible: turned off by TOCSIN_SHIM=off" in p.stderr,
          f"{name}: without the shim, too", p.stderr.decode(errors="replace"))


def check_refused(go):
    go.env["GOFLAGS"] = "-overlay=/nonexistent.json"
    p, _ = go.tocsin("version")
    check(b"cannot make panics visible" in p.stderr and p.returncode == 0, "refused with a sentence, and the command runs",
          p.stderr.decode(errors="replace"))
    go.env["GOFLAGS"] = "-buildvcs=false"
    p, _ = go.tocsin("test", "-c", "-o", os.devnull, ".")
    check(b"cannot make panics visible: this go test runs no tests" in p.stderr and p.returncode == 0, "go test -c is left alone",
          p.stderr.decode(errors="replace"))
    p, _ = go.tocsin("test", "./nothere", GOOS="js", GOARCH="wasm")
    check(b"cannot make panics visible: GOOS is not linux" in p.stderr, "another GOOS is refused with a sentence", p.stderr.decode(errors="replace"))
    p, _ = go.tocsin("build", "./...")
    check(b"cannot make panics visible" in p.stderr and p.returncode == 0, "go build is left alone; a cache within the module adds no package",
          p.stderr.decode(errors="replace"))


def main():
    seen = set()
    with tempfile.TemporaryDirectory() as root:
        make_module(root)
        for path in ("go", "/usr/lib/go-1.19/bin/go"):
            real = subprocess.run(["sh", "-c", f"command -v {path}"], capture_output=True, text=True).stdout.strip()
            real = os.path.realpath(real) if real else ""
            if not real or real in seen or (SLOW and seen):
                continue
            seen.add(real)
            go = Go(real, root)
            name = go.version = go.bare("env", "GOVERSION").stdout.decode().strip()
            check_go(go, name)
            check_edges(go, name)
            check_nested(go, name)
            if len(seen) == 1 or FULL:  # the same for every go
                check_layouts(go, name)
                check_first_use(go, name)
        if seen:
            check_refused(go)
    if not seen:
        skip("no go at hand", "there is no go")
    done()


main()
