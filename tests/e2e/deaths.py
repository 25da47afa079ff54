#!/usr/bin/env python3
# suite: takes 25
"""Real programs that die in the ways a plain build does not show, and what libraries print of panics and last words: with each Go."""
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "helpers"))
from tap import FULL, SLOW, TOCSIN, check, done, kept  # noqa: E402

GOS = [g for g in (shutil.which("go") or "/usr/local/go/bin/go", "/usr/lib/go-1.19/bin/go") if os.access(g, os.X_OK)]
WORK = tempfile.mkdtemp(prefix="tocsin-deaths-")
LIMIT = 60
LIBS = os.path.join(HERE, "..", "helpers", "golibs.go")

PLAIN = r"""package main

import (
	"fmt"
	"os"
	"sync"
	"time"
	"unsafe"
)

type pair struct{ a, b uint64 }

var (
	sink *pair
	far  *[8]uint64
	held []*[4]uint64
)

// An object with others of its size around it.
func object() *[4]uint64 {
	for i := 0; i < 8; i++ {
		held = append(held, new([4]uint64))
	}
	return held[3]
}

//go:noinline
func misaligned(p *[17]byte) { sink = (*pair)(unsafe.Pointer(&p[1])) }

type link struct{ next *link }

var kept *link

//go:noinline
func aligned(p *[17]byte) { kept = (*link)(unsafe.Pointer(&p[1])) } // checkptr

//go:noinline
func straddle(p *[4]uint64) { far = (*[8]uint64)(unsafe.Pointer(p)) } // straddle

//go:noinline
func arithmetic(p *[4]uint64) *uint64 { return (*uint64)(unsafe.Pointer(uintptr(unsafe.Pointer(p)) + 64)) } // arithmetic

var counter int

func race() {
	var w sync.WaitGroup
	w.Add(2)
	for i := 0; i < 2; i++ {
		go func() {
			defer w.Done()
			counter++ // race
			time.Sleep(time.Millisecond)
		}()
	}
	w.Wait()
	fmt.Println("counted", counter)
}

func raceAndPanic() {
	race()
	var m map[string]int
	m["a"] = 1 // panic
}

func grow() {
	var all [][]byte
	for {
		b := make([]byte, 16<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		all = append(all, b) // memory
	}
}

func main() {
	switch os.Args[1] {
	case "misaligned":
		misaligned(new([17]byte))
		aligned(new([17]byte))
	case "straddle":
		straddle(object())
	case "arithmetic":
		fmt.Println(arithmetic(object()))
	case "race":
		race()
	case "racepanic":
		raceAndPanic()
	case "grow":
		grow()
	}
}
"""

CGO = r"""package main

/*
#include <stdlib.h>
#include <signal.h>
#include <pthread.h>
#include <unistd.h>

static int c_null(int *p) { return *p; }
static void c_abort(void) { abort(); }
static void c_free(void) { char *volatile p = malloc(64); free(p); free(p); }
static void *c_body(void *p) { return (void *)(long)c_null(p); }
static void c_thread(void) { pthread_t t; pthread_create(&t, NULL, c_body, NULL); pthread_join(t, NULL); }
*/
import "C"

import "os"

//go:noinline
func null() { C.c_null(nil) } // null

//go:noinline
func aborted() { C.c_abort() } // abort

//go:noinline
func twice() { C.c_free() } // free

func main() {
	switch os.Args[1] {
	case "null":
		null()
	case "abort":
		aborted()
	case "free":
		twice()
	case "thread":
		C.c_thread()
	}
}
"""


def environment(**more):
    return dict(os.environ, GOTOOLCHAIN="local", GOWORK="off", GOFLAGS="-buildvcs=false -mod=mod", **more)


def build(go, name, source, version, flags=(), requires=(), **env):
    """The program of one source file, the same for both builds of Tocsin; None when it does not build, which is a failure."""
    def make(src):
        with open(os.path.join(src, "main.go"), "w", encoding="utf-8") as f:
            f.write(source)
        with open(os.path.join(src, "go.mod"), "w", encoding="utf-8") as f:
            f.write(f"module example.com/{name}\n\ngo {version}\n" + "".join(f"\nrequire {r}\n" for r in requires))
        p = subprocess.run([go, "build", *flags, "-o", "program", "."], cwd=src, env=environment(**env), timeout=600, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if p.returncode:
            raise RuntimeError(p.stdout.decode("utf-8", "replace")[-1500:])
    try:
        return os.path.join(kept(make, "deaths", go, name, source, version, flags, requires, sorted(env.items())), "program")
    except RuntimeError as said:
        check(False, f"{name}: go build", said)
        return None


def run(argv, limit=0, **env):
    def lower():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if limit:
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    return subprocess.run(argv, env=dict(os.environ, **env), timeout=LIMIT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, preexec_fn=lower, cwd=WORK)


def explain(data, *flags):
    path = os.path.join(WORK, "evidence")
    with open(path, "wb") as f:
        f.write(data)
    p = subprocess.run([TOCSIN, "explain", "--json", *flags, path], cwd=WORK, timeout=LIMIT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, check=False)
    lines = p.stdout.decode("utf-8", "replace").splitlines()
    return json.loads(lines[-1]) if lines else {"findings": [], "verdict": {}, "limits": []}


def supervised(argv, env=None):
    """The same program under `tocsin run`: the exit status is the proof."""
    report = os.path.join(WORK, "report.json")
    p = subprocess.run([TOCSIN, "run", "--no-store", "--report", report, "--", *argv], cwd=WORK, env=dict(os.environ, **(env or {})), timeout=LIMIT, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    with open(report, encoding="utf-8") as f:
        return json.load(f), p.returncode


def line_of(source, mark):
    return next((i + 1 for i, s in enumerate(source.splitlines()) if s.endswith("// " + mark)), 0)


def primary(r):
    return r["findings"][0] if r.get("findings") else {"cause": None, "message": "", "file": None, "line": None, "excerpt": ""}


def dies(version, source, argv, what, cause, words, mark, status, limit=0, **env):
    """From its text alone, and under tocsin run: the same cause, said in the runtime's words, at its line."""
    p = run(argv, limit, **env)
    for way, r in (("explain", explain(p.stdout)), ("explain --exit-code", explain(p.stdout, "--exit-code", str(max(p.returncode, 0))))):
        f = primary(r)
        told = (f["message"] or "") + (f["excerpt"] or "")
        good = f["cause"] == cause and any(w in told for w in words.split("|")) and (not mark or f["line"] == line_of(source, mark))
        check(good and p.returncode == status, f"{version} {what}, {way}: {cause}",
              f"status {p.returncode}, {f['cause']}: {f['message']} {f['file']}:{f['line']} (line {mark and line_of(source, mark)})\n" + p.stdout.decode("utf-8", "replace")[:2500])


def unsafe(go, version, level):
    exe = build(go, "checkptr", PLAIN, level, ["-gcflags=-d=checkptr"], CGO_ENABLED="0")
    if not exe:
        return
    dies(version, PLAIN, [exe, "misaligned"], "checkptr, a misaligned pointer", "go.fatal", "checkptr: misaligned pointer conversion", "checkptr", 2)
    dies(version, PLAIN, [exe, "straddle"], "checkptr, across allocations", "go.fatal", "checkptr: converted pointer straddles multiple allocations", "straddle", 2)
    dies(version, PLAIN, [exe, "arithmetic"], "checkptr, arithmetic", "go.fatal", "checkptr: pointer arithmetic result points to invalid allocation", "arithmetic", 2)


def raced(go, version, level):
    exe = build(go, "raced", PLAIN, level, ["-race"], CGO_ENABLED="1")
    if not exe:
        return
    dies(version, PLAIN, [exe, "race"], "a race", "test.race", "DATA RACE", "race", 66)
    dies(version, PLAIN, [exe, "misaligned"], "checkptr of a race build", "go.fatal", "checkptr: misaligned pointer conversion", "checkptr", 2)
    p = run([exe, "racepanic"])
    r = explain(p.stdout)
    got = {f["cause"]: f["line"] for f in r["findings"]}
    check(p.returncode == 2 and got.get("test.race") == line_of(PLAIN, "race") and got.get("go.panic") == line_of(PLAIN, "panic"),
          f"{version} a race, then a panic: both, each at its line", got)
    log = os.path.join(WORK, "race")
    p = run([exe, "race"], GORACE=f"log_path={log} exitcode=0")
    with open(next(os.path.join(WORK, n) for n in os.listdir(WORK) if n.startswith("race.")), "rb") as f:
        r = explain(f.read())
    check(p.returncode == 0 and b"DATA RACE" not in p.stdout and primary(r)["cause"] == "test.race" and primary(r)["line"] == line_of(PLAIN, "race"),
          f"{version} a race report in a file of its own (GORACE=log_path)", r["findings"])


def out_of_memory(go, version, level):
    exe = build(go, "memory", PLAIN, level, CGO_ENABLED="0")
    if not exe:
        return
    dies(version, PLAIN, [exe, "grow"], "ulimit -v, while it grows", "go.out_of_memory", "out of memory|cannot allocate memory", None, 2, limit=1 << 30)
    dies(version, PLAIN, [exe, "grow"], "ulimit -v, from the start", "go.out_of_memory", "failed to reserve page summary memory|out of memory|cannot allocate", None, 2,
         limit=64 << 20)


def cgo(go, version, level):
    exe = build(go, "ccode", CGO, level, CGO_ENABLED="1")
    if not exe:
        return
    dies(version, CGO, [exe, "null"], "C reads nil", "go.cgo_crash", "SIGSEGV|segmentation violation", "null", 2)
    dies(version, CGO, [exe, "abort"], "C aborts", "go.cgo_crash", "SIGABRT", "abort", 2)
    dies(version, CGO, [exe, "free"], "C frees twice", "go.cgo_crash", "SIGABRT", "free", 2)
    r, status = supervised([exe, "thread"])
    check(r["verdict"]["outcome"] == "crashed" and status in (2, 139), f"{version} C dies on a thread of its own, in silence or not: crashed",
          json.dumps(r["verdict"]) + json.dumps(r["findings"])[:800])


# ---- libraries ----

VERSIONS = {
    "new": ("1.25.0", "github.com/gofiber/fiber/v3", "fiber.Ctx",
            ["github.com/gofiber/fiber/v3 v3.1.0", "k8s.io/apimachinery v0.34.1", "k8s.io/klog/v2 v2.130.1", "github.com/golang/glog v1.2.5", "go.uber.org/zap v1.27.0",
             "github.com/rs/zerolog v1.34.0", "github.com/sirupsen/logrus v1.9.3", "github.com/apex/log v1.9.0"]),
    "old": ("1.19", "github.com/gofiber/fiber/v2", "*fiber.Ctx",
            ["github.com/gofiber/fiber/v2 v2.42.0", "k8s.io/apimachinery v0.26.3", "k8s.io/klog/v2 v2.80.1", "github.com/golang/glog v1.1.0", "go.uber.org/zap v1.24.0",
             "github.com/rs/zerolog v1.29.0", "github.com/sirupsen/logrus v1.9.0", "github.com/apex/log v1.9.0"]),
}

# mode: exit status, what it says
LAST_WORDS = {
    "zap": 1, "zapdev": 1, "zerolog": 1, "zerologconsole": 1, "logrus": 1, "logruscolour": 1, "logrusjson": 1, "apex": 1, "klog": 255, "glog": 2,
}


def last_words(version, exe):
    """A logger's fatal line is a suspicion until the exit status has said the same."""
    for name, status in LAST_WORDS.items():
        p = run([exe, name])
        r = explain(p.stdout)
        f = primary(r)
        want = ("proc.log_fatal", "error", "failed") if name == "glog" else ("proc.log_fatal", "warning", None) # glog aborts, and the runtime says so
        check(p.returncode == status and (f["cause"], f.get("severity"), r["verdict"]["outcome"]) == want and "cannot listen" in f["message"]
              and "address already in use" in f["message"], f"{version} {name}: its fatal line is " + ("proven" if name == "glog" else "a warning, and no verdict"),
              f"status {p.returncode}\n" + json.dumps(r["findings"])[:1200] + "\n" + p.stdout.decode("utf-8", "replace")[-1200:])
        r = explain(p.stdout, "--exit-code", str(status))
        check(primary(r)["cause"] == "proc.log_fatal" and r["verdict"]["outcome"] == "failed", f"{version} {name}: with its exit status it is the cause",
              json.dumps(r["verdict"]) + json.dumps(r["findings"])[:1200])
    r, status = supervised([exe, "zap"])
    check(status == 1 and [f["cause"] for f in r["findings"]] == ["proc.log_fatal"] and r["verdict"]["outcome"] == "failed",
          f"{version} zap under tocsin run: failed, with what it said last", json.dumps(r["findings"])[:1200])


def survived(version, exe, source):
    for name, who, count in (("fiber", "fiber", 3), ("k8s", "kubernetes", 3)):
        p = run([exe, name])
        r = explain(p.stdout)
        f = primary(r)
        check(p.returncode == 0 and f["cause"] == "go.panic.recovered" and f.get("count") == count and f["message"].startswith(who + ": runtime error: invalid memory address")
              and f["line"] == line_of(source, "here") and r["verdict"]["outcome"] is None and len(r["findings"]) == 1, f"{version} {name}: recovered {count} times, at its line",
              json.dumps(r["findings"])[:1500] + "\n" + p.stdout.decode("utf-8", "replace")[:2500])
    p = run([exe, "k8scrash"])
    f = primary(explain(p.stdout))
    check(p.returncode == 2 and f["cause"] == "go.nil_deref" and f["line"] == line_of(source, "here"), f"{version} Kubernetes' handler panics again: a crash, at its first line",
          json.dumps(f)[:1200])
    for name, cause, status in (("zappanic", "go.panic", 2), ("zapbug", "go.panic", 2), ("zapdpanic", "go.panic.recovered", 0)):
        p = run([exe, name])
        r = explain(p.stdout)
        check(p.returncode == status and [f["cause"] for f in r["findings"]] == [cause] and "cannot listen" in primary(r)["message"],
              f"{version} {name}: {cause}", f"status {p.returncode} " + json.dumps(r["findings"])[:1200])


def libraries(go, version, which):
    level, path, context, requires = VERSIONS[which]
    with open(LIBS, encoding="utf-8") as f:
        source = f.read().replace("FIBER", path).replace("CONTEXT", context)
    exe = build(go, "libs" + which, source, level, requires=requires, CGO_ENABLED="0")
    if exe:
        survived(version, exe, source)
        last_words(version, exe)


def main():
    if not check(GOS, "there is a go"):
        done()
    for i, go in enumerate(GOS[:1] if SLOW else GOS):  # on the sanitizer build one go: what takes the time is go
        version = subprocess.run([go, "env", "GOVERSION"], stdout=subprocess.PIPE, check=True, timeout=60).stdout.decode().strip()
        minor = int(version.split(".")[1].split("rc")[0].split("beta")[0])
        unsafe(go, version, "1.19")
        out_of_memory(go, version, "1.19")
        cgo(go, version, "1.19")
        if i == 0 or FULL:
            raced(go, version, "1.19")
            libraries(go, version, "new" if minor >= 25 else "old")
    done()


try:
    main()
finally:
    shutil.rmtree(WORK, ignore_errors=True)
