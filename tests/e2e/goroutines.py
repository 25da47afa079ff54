#!/usr/bin/env python3
# suite: limit 900
# suite: takes 30
"""tocsin run --goroutines: what each test binary leaves behind is named, also when it passes, with goleak's exceptions."""
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
sys.dont_write_bytecode = True
from tap import FULL, SLOW, TOCSIN, check, done  # noqa: E402

TMP = tempfile.mkdtemp(prefix="tocsin-goroutines-")
GOS = [(n, p) for n, p in (("go", shutil.which("go") or "/usr/local/go/bin/go"), ("go1.19", "/usr/lib/go-1.19/bin/go")) if os.access(p, os.X_OK)]

FILES = {
    "go.mod": "module example.com/leak\n\ngo 1.19\n",
    "lib/lib.go": """package lib

var block = make(chan int)

func wait() { <-block }

func Start(n int) {
	for i := 0; i < n; i++ {
		go wait() // made in lib
	}
}
""",
    # Leaks of several kinds; what TestMain ends after the tests is none.
    "leaks/leaks_test.go": """package leaks

import (
	"os"
	"sync"
	"testing"
	"time"

	"example.com/leak/lib"
)

func TestQuiet(t *testing.T) {}

func TestMany(t *testing.T) { lib.Start(30) }

func TestDirect(t *testing.T) {
	t.Run("sub", func(t *testing.T) {
		var mu sync.Mutex
		mu.Lock()
		go func() { // direct
			mu.Lock()
		}()
	})
}

func TestEndsSoon(t *testing.T) { go func() { time.Sleep(100 * time.Millisecond) }() }

func TestMain(m *testing.M) {
	stop, done := make(chan bool), make(chan bool)
	go func() { <-stop; close(done) }()
	code := m.Run()
	close(stop)
	<-done
	os.Exit(code)
}
""",
    # goleak's exceptions, and programs that end all that they start.
    "clean/clean_test.go": """package clean

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"testing"
	"time"
)

func TestSignals(t *testing.T) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt)
}

func TestParallel(t *testing.T) {
	for i := 0; i < 8; i++ {
		t.Run(fmt.Sprint(i), func(t *testing.T) { t.Parallel(); time.Sleep(time.Millisecond) })
	}
}

func TestServer(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ok") }))
	defer s.Close()
	r, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, r.Body)
	r.Body.Close()
	s.Client().CloseIdleConnections()
}

func BenchmarkNothing(b *testing.B) {}
func FuzzNothing(f *testing.F)      { f.Fuzz(func(t *testing.T, b []byte) {}) }
func Example()                      { fmt.Println("x"); /* Output: x */ }
""",
    # It fails, and leaves one behind; the status is its own.
    "fails/fails_test.go": """package fails

import "testing"

func TestFails(t *testing.T) {
	go func() { select {} }()
	t.Error("wrong")
}
""",
    # TestMain leaves by itself.
    "early/early_test.go": """package early

import (
	"os"
	"testing"
)

func TestOne(t *testing.T) { go func() { var c chan int; c <- 1 }() }

func TestMain(m *testing.M) {
	if m.Run() != 0 {
		os.Exit(1)
	}
	os.Exit(0)
}
""",
}


class Go:
    def __init__(self, name, path):
        self.name = name
        self.dir = os.path.join(TMP, name)
        for file, text in FILES.items():
            os.makedirs(os.path.dirname(os.path.join(self.dir, file)), exist_ok=True)
            with open(os.path.join(self.dir, file), "w", encoding="utf-8") as f:
                f.write(text)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("TOCSIN_") and k not in ("CI", "GITHUB_ACTIONS")}
        self.env.update(PATH=os.path.dirname(path) + ":" + os.environ["PATH"], GOTOOLCHAIN="local", GOFLAGS="-buildvcs=false", LC_ALL="C.UTF-8")

    def run(self, *command, flags=(), **env):
        """(exit status, report, stdout, stderr)."""
        report = os.path.join(self.dir, "report.json")
        p = subprocess.run([TOCSIN, "run", "--no-store", "--goroutines", "--report", report, *flags, "--", *command], cwd=self.dir, env=dict(self.env, **env), capture_output=True, text=True,
                           timeout=500, check=False)
        with open(report, encoding="utf-8") as f:
            return p.returncode, json.load(f), p.stdout, p.stderr


def leaks(report, package=""):
    return [f for f in report["findings"] if f["cause"] == "go.leak" and (f["package"] or "").endswith(package)]


def line_of(file, mark):
    return next(i for i, text in enumerate(FILES[file].splitlines(), 1) if mark in text)


def detail(r, err=""):
    return json.dumps(r["verdict"]) + "\n" + "\n".join(json.dumps({k: f[k] for k in ("cause", "package", "test", "file", "line", "message")}) for f in r["findings"]) + "\n" + json.dumps(r["limits"]) + "\n" + err


def whole(go, say):
    status, r, out, err = go.run("go", "test", "./...")
    say(status == 1 and r["verdict"]["cause"] == "test.fail", "a failing test stays the cause, and its status is passed on", detail(r, err))
    many = [f for f in leaks(r, "/leaks") if "lib.wait" in f["message"]]
    say(len(many) == 1 and many[0]["message"].startswith("30 goroutines") and many[0]["file"] == "lib/lib.go" and many[0]["line"] == line_of("lib/lib.go", "made in lib"),
        "30 that are alike are one finding, with the creator's line", detail(r, err))
    say(many and (many[0]["test"] == "TestMany" or go.name == "go1.19"), "and the test whose function started them", detail(r))
    direct = [f for f in leaks(r, "/leaks") if "TestDirect" in f["message"]]
    say(len(direct) == 1 and direct[0]["line"] == line_of("leaks/leaks_test.go", "// direct") and direct[0]["test"].startswith("TestDirect") and direct[0]["severity"] == "warning",
        "one that a subtest made itself is a warning with its test", detail(r))
    say(len(leaks(r, "/leaks")) == 2, "what ends soon, or in TestMain, is none", detail(r))
    say(not leaks(r, "/clean"), "goleak's exceptions, and clean tests, are silent", detail(r))
    say(len(leaks(r, "/fails")) == 1 and len(leaks(r, "/early")) == 1, "a binary that fails, and one that TestMain ends, are looked at", detail(r))


def others(go, say):
    plain = subprocess.run(["go", "test", "-v", "./clean", "./early"], cwd=go.dir, env=go.env, capture_output=True, text=True, check=False, timeout=500)
    status, r, out, err = go.run("go", "test", "-v", "./clean", "./early")
    cut = lambda text: sorted(x.split("(")[0] for x in text.splitlines() if x.lstrip().startswith(("--- ", "=== RUN", "PASS", "FAIL")))
    say(status == 0 and len(cut(out)) > 20 and cut(out) == cut(plain.stdout) and r["verdict"]["outcome"] == "passed", "passes, and prints what it would", (out, plain.stdout))
    status, r, out, err = go.run("go", "test", "./early", flags=["--strict"])
    say(status == 1 and r["verdict"]["cause"] == "go.leak", "--strict makes it fail", detail(r))
    status, r, out, err = go.run("sh", "-c", "cd leaks && go test . | cat")
    say(len(leaks(r, "/leaks")) == 2, "go test below a shell, too", detail(r, err))
    status, r, out, err = go.run("go", "test", "./early", flags=["--format", "dots"])
    say(len(leaks(r, "/early")) == 1, "beside the JSON stream", detail(r, err))
    status, r, out, err = go.run("go", "build", "./...")
    say(status == 0 and "cannot look for goroutines" in err, "go build is left alone, and that is said", err)


def race(go, say):
    status, r, out, err = go.run("go", "test", "-race", "./leaks", "./clean")
    say(status == 0 and len(leaks(r, "/leaks")) == 2 and not leaks(r, "/clean"), "-race", detail(r, err))


def one(go, f):
    said = []
    try:
        f(go, lambda ok, text, more="": said.append((ok, f"{go.name}: {text}", more)))
    except Exception as e:  # pylint: disable=broad-except
        said.append((False, f"{go.name}: {f.__name__}: the test itself", repr(e)))
    return said


def all_of(go, tests, newest):
    """-race compiles the standard library once more: by default with one go, and not on the sanitizer build."""
    return [x for f in tests if f is not race or FULL or (newest and not SLOW) for x in one(go, f)]


def main():
    tests = [f for f in (whole, others, race) if not sys.argv[1:] or f.__name__ in sys.argv[1:]]
    gos = [Go(*g) for g in (GOS[:1] if SLOW else GOS)]  # on the sanitizer build one go: what takes the time is go
    try:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for said in pool.map(lambda go: all_of(go, tests, go is gos[0]), gos):
                for ok, text, more in said:
                    check(ok, text, more)
    finally:
        shutil.rmtree(TMP, ignore_errors=True)
    done()


main()
