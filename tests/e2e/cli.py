# suite: takes 80
"""The command line: help, refusals, exit statuses, reports, formats, completions, the live view.

On the sanitizer build: every other verb's help and every other refusal, fewer of the same masked commands, of the flags
that name files two of four, success and a build error in two of the formats, every 20th cause. What `go test` prints by itself is made once for both builds.
"""
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unicodedata
import xml.etree.ElementTree as ET

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import FULL, SLOW, TOCSIN, check, done, kept, skip  # noqa: E402

TMP = tempfile.mkdtemp(prefix="tocsin-cli-")
ENV = {k: v for k, v in os.environ.items()
       if k not in ("TOCSIN_LANG", "LC_ALL", "LC_MESSAGES", "LANG", "NO_COLOR", "CI", "GITHUB_ACTIONS", "GITLAB_CI", "FORCE_COLOR")
       and not k.startswith(("GITHUB_", "TOCSIN_"))}
ENV.update({"GOFLAGS": "-buildvcs=false", "GOTOOLCHAIN": "local", "TERM": "xterm-256color", "LANG": "C.UTF-8"})
SRC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src")
ASAN = os.environ.get("TOCSIN_TEST_BUILD") == "asan"  # slow, and needs memory by itself
VERBS = ["run", "explain", "allow", "fault", "stats", "store", "alert", "deliver", "causes", "init", "config", "help", "completion", "version"]


def run(*args, env=None, stdin=b"", timeout=120, cwd=TMP):
    p = subprocess.run([TOCSIN, *args], input=stdin, capture_output=True, timeout=timeout, cwd=cwd,
                       env={**ENV, **(env or {})})
    return p.returncode, p.stdout.decode("utf-8", "replace"), p.stderr.decode("utf-8", "replace")


def path(name):
    return os.path.join(TMP, name)


def put(name, text, mode=0o644):
    os.makedirs(os.path.dirname(path(name)), exist_ok=True)
    with open(path(name), "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    os.chmod(path(name), mode)
    return path(name)


def width(s):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in s)


# ---- help and refusals ----

def test_help():
    for verb in VERBS[::2] if SLOW else VERBS:
        en, zh = run("help", verb), run("help", verb, "--lang", "zh")
        same = run(verb, "--help")
        check(en[0] == 0 and f"tocsin {verb}" in en[1], f"help {verb}", en)
        check(zh[0] == 0 and re.search("[一-鿿]", zh[1]) is not None, f"help {verb} in Chinese", zh)
        check(same[1] == en[1], f"{verb} --help is the same", same)
        wide = [line for text in (en[1], zh[1]) for line in text.splitlines()
                if width(line) > 80 and not line.startswith("  ")]
        check(not wide, f"help {verb} fits 80 columns", wide)
    for variable in ("TOCSIN_LANG", "LC_ALL", "LANG"):
        out = run("help", env={"LANG": "", variable: "zh_CN.UTF-8"})[1]
        check("用法" in out, f"{variable} chooses the language", out)
    known = re.findall(r'getenv\("(TOCSIN_[A-Z]+)"', "".join(open(os.path.join(SRC, d, f), encoding="utf-8").read()
                       for d in ("base", "cli", "run") for f in os.listdir(os.path.join(SRC, d)) if f.endswith(".c")))
    for lang in ("en", "zh"):
        text, man = run("help", "run", "--lang", lang)[1], run("help", "--man", "--lang", lang)[1]
        words = set(known) | {"TOCSIN_PAST", "TOCSIN_CI_REPO", "NO_COLOR", "XDG_CACHE_HOME", "readlink"}
        check(len(known) > 3 and all(w in text and w in man for w in words), f"help run and the manual name every variable ({lang})",
              [w for w in words if w not in text or w not in man])
        check(all(re.search(rf"^  {re.escape(w)} ", text, re.M) and f"\\fB{w}\\fR" in man for w in ("0", "1", "124", "125", "126", "127", "128+n")),
              f"help run and the manual have one table of exit statuses ({lang})", text)
    flags = re.findall(r"--[a-z-]+", run("help", "run")[1].split("While a run lasts")[0])
    later = ["trace", "snapshot"]
    check(not [f for f in later if f"--{f}" in flags], "help does not list flags of later versions", flags)
    for flag in later:
        for args in ([f"--{flag}"], [f"--{flag}=x"]):
            code, out, err = run("run", *args, "--", "true")
            check(code == 2 and f"--{flag} (" in err and "not in this version" in err and "did you mean" not in err, f"refused: {args[0]}", err)
    code, out, err = run("drill", "--lang", "zh", ".")
    code2, out2, err2 = run("--lang", "zh", "drill", ".")
    check(code == code2 == 2 and "not in this version" in err and "此版本" in err2, "refused: a verb of later versions", (err, err2))
    man = run("help", "--man")[1]
    check(all(f.replace("-", "\\-") in man for f in flags), "the manual page has every flag of run", set(flags))


def test_man():
    for lang in ("en", "zh"):
        page = put(f"tocsin-{lang}.1", run("help", "--man", "--lang", lang)[1])
        if not shutil.which("man"):
            skip(f"man page ({lang})", "no man")
            continue
        p = subprocess.run(["man", "--warnings", "-l", page], capture_output=True,
                           env={**ENV, "MANWIDTH": "100", "LC_ALL": "C.UTF-8", "MANPAGER": "cat"}, timeout=60)
        text = p.stdout.decode("utf-8", "replace")
        bad = [w for w in p.stderr.decode().splitlines() if "break line" not in w and "adjust" not in w]
        check(p.returncode == 0 and "--rerun-fails" in text and not bad, f"man -l renders ({lang})", bad or text[:400])


def test_refusals():
    rows = [
        (["run", "--formt", "raw", "--", "true"], "did you mean --format?"),
        (["run", "--format", "pkgnam", "--", "true"], "did you mean pkgname?"),
        (["run", "-timeout", "5s", "--", "true"], "did you mean --timeout?"),
        (["rum", "--", "true"], "did you mean run?"),
        (["causes", "mod.dsn"], "did you mean mod.dns?"),
        (["explain", "--jso", "x"], "did you mean --json?"),
        (["run", "--retry", "1", "--retry-on", "transent", "--", "true"], "did you mean transient?"),
        (["run", "--retry", "1", "--retry-on", "mod.dn", "--", "true"], "did you mean mod.dns?"),
        (["run", "--retry", "1", "--retry-on", "security", "--", "true"], "never tried again"),
        (["run", "--retry", "1", "--retry-on", "mod.checksum", "--", "true"], "never tried again"),
        (["run", "--retry-on", "transient", "--", "true"], "--retry N"),
        (["run", "--on-fail", "abrt", "--", "true"], "did you mean abort?"),
        (["run", "--timeout", "5", "--", "true"], "duration"),
        (["run", "--timeout"], "needs an argument"),
        (["run", "--retry", "-1", "--", "true"], "number"),
        (["run", "--pty=1", "--", "true"], "takes no argument"),
        (["run"], "no command"), (["run", "--"], "no command"), (["allow"], "no command"),
        (["explain"], "which file"), (["completion", "bsh"], "did you mean bash?"), (["completion"], "which shell"),
        (["help", "rn"], "did you mean run?"), ([], "tocsin help"), (["--bogus"], "unknown flag"),
        (["run", "--rerun-fails", "--", "make"], "go test"),
        (["run", "--rerun-fails", "--format", "raw", "--", "go", "test"], "stream"),
        (["run", "--jsonfile", "x", "--format", "raw", "--", "go", "test"], "stream"),
        (["run", "--junit", "-", "--", "true"], "file name"),
        (["version", "x"], "no arguments"),
    ]
    for args, words in rows[::2] if SLOW else rows:
        code, out, err = run(*args)
        check(code == 2 and words in err and not out, f"refused: {' '.join(args) or '(nothing)'}", (code, out, err))
        code, out, err = run(*args[:1], "--lang", "zh", *args[1:]) if args[:1] and args[0] in VERBS else (2, "", "：")
        check(code == 2 and ("：" in err or "，" in err or "。" in err or "“" in err),
              f"refused in Chinese: {' '.join(args)}", (code, err))
    code, out, err = run("run", "--\x1b[31mx", "--", "true")
    check(code == 2 and "\x1b" not in err, "an escape sequence in a flag is not printed", repr(err))


# ---- exit statuses ----

def test_exit_statuses():
    rows = [
        (["run", "--", "true"], 0), (["run", "--", "false"], 1), (["run", "--", "sh", "-c", "exit 3"], 3),
        (["run", "sh", "-c", "exit 4"], 4), (["run", "--", "sh", "-c", "exit 124"], 124),
        (["run", "--", "sh", "-c", "kill -TERM $$"], 143), (["run", "--", "sh", "-c", "kill -KILL $$"], 137),
        (["run", "--", "/nonexistent/x"], 127), (["run", "--", "nosuchcommand-x"], 127), (["run", "--", "/etc/passwd"], 126),
        (["run", "--timeout", "300ms", "--grace", "200ms", "--", "sleep", "20"], 124),
        (["run", "--stall", "300ms", "--grace", "200ms", "--", "sleep", "20"], 124),
        (["run", "--on-fail", "record", "--", "false"], 0), (["run", "--on-fail", "alert", "--", "false"], 1),
        (["run", "--on-fail=record", "--", "nosuchcommand-x"], 0), (["run", "--no-store", "--", "true"], 0),
        (["allow", "--", "sh", "-c", "exit 5"], 5), (["allow", "true"], 0),
        (["--version"], 0), (["version"], 0), (["causes"], 0), (["help"], 0), (["-h"], 0),
    ]
    for args, want in rows:
        code, out, err = run(*args)
        check(code == want, f"exit {want}: {' '.join(args)}", (code, out, err))
    code, out, err = run("run", "--", "sh", "-c", "echo a; echo b >&2")
    check((code, out, err) == (0, "a\n", "b\n"), "raw and passed: nothing is added", (code, out, err))
    code, out, err = run("run", "--", "sh", "-c", "printf 'x\\0\\377\\033[1m'; exit 7")
    check(code == 7 and out.startswith("x\0") and "tocsin:" in err and "tocsin" not in out,
          "raw and failed: bytes on stdout, verdict on stderr", (code, out, err))
    out = run("--version")[1]
    check("PCRE2" in out and "zstd" in out and "zlib" in out, "--version names the libraries", out)
    code, out, err = run("run", "--report", "/nonexistent/dir/r.json", "--", "true")
    check(code == 0 and "/nonexistent/dir/r.json" in err, "a report that cannot be written does not change the status", (code, err))
    code, out, err = run("run", "--log", "/dev/full", "--junit", "/nonexistent/x/j.xml", "--", "echo", "hello")
    check(code == 0 and out == "hello\n" and "/dev/full" in err, "a full disk does not change the status", (code, out, err))


# ---- explain ----

def event(action, package="example.com/p", **more):
    return json.dumps({"Time": "2026-11-21T02:00:00Z", "Action": action, "Package": package, **more}) + "\n"


GOOD = (event("start") + event("run", Test="TestA") + event("output", Test="TestA", Output="=== RUN   TestA\n") +
        event("output", Test="TestA", Output="--- PASS: TestA (0.00s)\n") + event("pass", Test="TestA", Elapsed=0) +
        event("output", Output="PASS\n") + event("output", Output="ok  \texample.com/p\t0.1s\n") + event("pass", Elapsed=0.1))
BAD = (event("start") + event("run", Test="TestA") + event("output", Test="TestA", Output="=== RUN   TestA\n") +
       event("output", Test="TestA", Output="    a_test.go:12: got 3, want 4\n") +
       event("output", Test="TestA", Output="--- FAIL: TestA (0.00s)\n") + event("fail", Test="TestA", Elapsed=0) +
       event("output", Output="FAIL\n") + event("output", Output="FAIL\texample.com/p\t0.1s\n") + event("fail", Elapsed=0.1))


def test_explain():
    good, bad = put("good.json", GOOD), put("bad.json", BAD)
    check(run("explain", good)[0] == 0, "explain: passed is 0", run("explain", good))
    code, out, err = run("explain", bad)
    check(code == 1 and "TestA" in out and "a_test.go:12" in out and "got 3, want 4" in out, "explain: failed is 1", (code, out, err))
    code, out, _ = run("explain", "--lang", "zh", bad)
    check(code == 1 and "失败" in out, "explain in Chinese", out)
    code, out, _ = run("explain", "--json", bad)
    report = json.loads(out)
    check(report["verdict"]["cause"] == "test.fail" and report["run"]["exit"] is None, "explain --json", out)
    code, out, _ = run("explain", "--report", "-", bad)
    check(json.loads(out.splitlines()[-1])["verdict"]["outcome"] == "failed", "explain --report -: the last line", out)
    code, out, _ = run("explain", "-", stdin=BAD.encode())
    check(code == 1 and "TestA" in out, "explain: standard input", out)
    code, out, _ = run("explain", "--json", good, bad)
    check(code == 1 and [json.loads(x)["verdict"]["outcome"] for x in out.splitlines()] == ["passed", "failed"],
          "explain: two files, two reports", out)
    code, out, _ = run("explain", "--markdown", path("x.md"), bad)
    text = open(path("x.md"), encoding="utf-8").read()
    check("test.fail" in text and "```" in text, "explain --markdown", text)
    for tool, ext in (("zstd", "zst"), ("gzip", "gz")):
        if not shutil.which(tool):
            continue
        packed = subprocess.run([tool, "-c"], input=BAD.encode() * 50, capture_output=True).stdout
        name = put(f"bad.{ext}", packed)
        check(run("explain", name)[0] == 1, f"explain: {ext}", run("explain", name))
        name = put(f"two.{ext}", packed + packed)
        check(run("explain", name)[0] == 1, f"explain: {ext}, two frames", run("explain", name))
        name = put(f"cut.{ext}", packed[:len(packed) // 2])
        code, out, err = run("explain", name)
        check(code == 2 and "truncated" in err and str(len(packed) // 2) in err, f"explain: truncated {ext}", (code, err))
        name = put(f"broken.{ext}", packed[:40] + b"\xff" * 40 + packed[80:])
        code, out, err = run("explain", name)
        check(code == 2 and name in err and "byte" in err, f"explain: corrupt {ext}", (code, err))


def test_bad_input():
    rows = [("empty", b"", "empty"), ("elf", b"\x7fELF\2\1\1" + b"\0" * 50, "ELF"), ("random", bytes((i * 197 + 11) % 256 for i in range(20000)), "binary"),
            ("nul", b"\0" * 5000, "binary"), ("utf16", "FAIL\n".encode("utf-16"), "UTF-16"), ("zip", b"PK\x03\x04" + b"x" * 50, "zip")]
    for name, data, word in rows:
        code, out, err = run("explain", put(name, data))
        check(code == 2 and word in err and path(name) in err and "byte" in err, f"explain: {name}", (code, out, err))
    for name in (TMP, path("missing")):
        code, out, err = run("explain", name)
        check(code == 2 and name in err, f"explain: {os.path.basename(name)} is refused", (code, err))
    cut = BAD[:-30]
    code, out, err = run("explain", put("cut.json", cut))
    check(code == 2 and "truncated" in err and str(len(cut)) in err and "TestA" in out,
          "explain: a truncated stream is said with its byte, and judged", (code, out, err))
    text = b"# p\r\n./a.go:3:5: undefined: x\r\n\x1b[31mFAIL\x1b[0m\tp [build failed]\r\n\xff\xfe\0 tail"
    code, out, err = run("explain", put("odd.log", text))
    check(code in (0, 1) and "\x1b" not in out, "explain: CRLF, colours, bad UTF-8, NUL, no newline", (code, out, err))
    size = 300 if FULL or not ASAN else 30
    p = subprocess.Popen(f"head -c {size}000000 /dev/zero | tr '\\0' a | /usr/bin/env python3 -c '"
                         "import resource,subprocess,sys;"
                         f"r=subprocess.call([\"{TOCSIN}\",\"explain\",\"-\"]);"
                         "print(r,resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)'", shell=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENV)
    out = p.communicate(timeout=120)[0].decode().splitlines()[-1].split()
    check(out[0] in ("0", "2") and (ASAN or int(out[1]) < 64 * 1024), f"explain: {size} MB on one line, below 64 MiB", out)


# ---- a real module ----

MODULE = {
    "go.mod": "module example.com/m\n\ngo 1.19\n",
    "a/a_test.go": '''package a

import "testing"

func TestA(t *testing.T) {
	t.Run("sub", func(t *testing.T) { t.Errorf("got 3, want 4") })
	t.Run("ok", func(t *testing.T) {})
}

func TestSkip(t *testing.T) { t.Skip("not today") }
''',
    "b/b_test.go": 'package b\n\nimport "testing"\n\nfunc TestB(t *testing.T) {}\n',
    "e/e_test.go": '''package e

import "testing"

func TestEvil(t *testing.T) {
	t.Error("100%\\n::error file=x::boo\\n\\x1b[31mred\\x1b[0m ##[command]x ##vso[task.x] <b>&\\"'*md* 中文\\x00\\u202e\\ufffe")
}
''',
    "f/f_test.go": '''package f

import (
	"os"
	"testing"
)

func TestFlaky(t *testing.T) {
	if _, err := os.Stat(os.Getenv("FLAG")); err != nil {
		os.WriteFile(os.Getenv("FLAG"), nil, 0o644)
		t.Run("in/ner", func(t *testing.T) { t.Fatal("first time") })
	}
}

func TestOther(t *testing.T) {}
''',
    "s/s_test.go": '''package s

import (
	"testing"
	"time"
)

func TestSlow(t *testing.T) {
	t.Run("内部测试", func(t *testing.T) { time.Sleep(2500 * time.Millisecond) })
}
''',
    "n/n.go": "package n\n",
    "x/x.go": "package x\n\nvar y int = \"no\"\n",
    "x/x_test.go": 'package x\n\nimport "testing"\n\nfunc TestX(t *testing.T) {}\n',
}


def make_module():
    for name, text in MODULE.items():
        put("m/" + name, text)


def go(*args, flags=(), env=None, timeout=180):
    return run("run", *flags, "--", "go", *args, cwd=path("m"), env=env, timeout=timeout)


def is_int(v):
    return isinstance(v, int) and not isinstance(v, bool)


def or_null(kind):
    return lambda v: v is None or kind(v)


def is_str(v):
    return isinstance(v, str)


CLASSES = {"transient", "mirror", "config", "resource", "permanent", "security"}
OUTCOMES = {"passed", "failed", "masked", "crashed", "killed", "timed_out", "stalled", "not_started", "empty", "unstable", None}


def report_faults(r):
    """Every field of the contract, by its kind."""
    bad = []

    def need(obj, where, **kinds):
        for key, kind in kinds.items():
            if key not in obj:
                bad.append(f"{where}.{key} is missing")
            elif not kind(obj[key]):
                bad.append(f"{where}.{key} is {obj[key]!r}")

    need(r, "", schema=lambda v: v == "tocsin.report/1", run=lambda v: isinstance(v, dict), verdict=lambda v: isinstance(v, dict),
         tests=lambda v: isinstance(v, dict), findings=lambda v: isinstance(v, list), commands=lambda v: isinstance(v, list),
         limits=lambda v: isinstance(v, list) and all(map(is_str, v)))
    need(r["run"], "run", id=lambda v: is_str(v) and re.fullmatch("[0-9A-HJKMNP-TV-Z]{26}", v),
         argv=lambda v: isinstance(v, list) and all(map(is_str, v)), cwd=is_str,
         started=lambda v: re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", v), duration_ms=is_int,
         exit=or_null(lambda v: set(v) == {"code", "signal"}), ci=or_null(lambda v: isinstance(v, dict)),
         go=lambda v: "version" in v, resources=or_null(lambda v: "cpu_ms" in v and "max_rss_kb" in v),
         facilities=lambda v: isinstance(v, dict), attempts=lambda v: isinstance(v, list) and v)
    for a in r["run"]["attempts"]:
        need(a, "attempt", n=is_int, outcome=lambda v: v in OUTCOMES, cause=or_null(is_str), duration_ms=is_int)
    need(r["verdict"], "verdict", outcome=lambda v: v in OUTCOMES, cause=or_null(is_str), exit_code=is_int, summary=is_str)
    need(r["tests"], "tests", **{k: or_null(is_int) for k in
                                 ("packages", "run", "passed", "failed", "skipped", "unfinished", "cached_packages")})
    for f in r["findings"]:
        need(f, "finding", cause=is_str, severity=lambda v: v in ("error", "warning", "note"), fingerprint=or_null(is_str),
             package=or_null(is_str), test=or_null(is_str), file=or_null(is_str), line=or_null(is_int), message=or_null(is_str),
             excerpt=or_null(lambda v: len(v.encode()) <= 4096), classes=lambda v: v and set(v) <= CLASSES, advice=or_null(is_str),
             places=lambda v: all({"package", "file", "line"} <= set(p) for p in v), owners=lambda v: isinstance(v, list),
             fault=lambda v: v is None or isinstance(v, dict), command=or_null(lambda v: isinstance(v, list)))
    for c in r["commands"]:
        need(c, "command", argv=lambda v: isinstance(v, list), exit=or_null(lambda v: set(v) == {"code", "signal"}),
             duration_ms=is_int, masked=lambda v: isinstance(v, bool))
    return bad


def test_report():
    code, out, err = go("test", "./a", "./b", "./n", flags=["--report", path("r.json"), "--format", "quiet"])
    r = json.load(open(path("r.json"), encoding="utf-8"))
    check(code == 1 and not report_faults(r), "report: every field is as in the contract", report_faults(r))
    t, f = r["tests"], r["findings"]
    check((t["packages"], t["run"], t["passed"], t["failed"], t["skipped"]) == (3, 5, 2, 2, 1) or
          (t["packages"], t["run"], t["passed"], t["failed"], t["skipped"]) == (2, 5, 2, 2, 1), "report: counts", t)
    check(len(f) == 1 and (f[0]["cause"], f[0]["test"], f[0]["file"], f[0]["line"]) == ("test.fail", "TestA/sub", "a/a_test.go", 6),
          "report: one finding, its place", f)
    check(r["run"]["argv"] == ["go", "test", "./a", "./b", "./n"] and r["run"]["exit"] == {"code": 1, "signal": None} and
          r["run"]["go"]["version"].startswith("go1."), "report: run", r["run"])
    code, out, err = run("run", "--report", "-", "--", "sh", "-c", "echo hi; kill -SEGV $$")
    r = json.loads(out.splitlines()[-1])
    check(out.startswith("hi\n") and r["run"]["exit"] == {"code": None, "signal": "SIGSEGV"} and
          r["verdict"]["outcome"] == "crashed" and r["verdict"]["exit_code"] == code == 139 and not report_faults(r),
          "report -: the last line of stdout", out)
    code, out, err = run("run", "--report", "-", "--", "sh", "-c", "printf x; printf y >&2; exit 3")
    check(out.startswith("x\n{") and err.startswith("y\ntocsin:"), "an unfinished last line is ended first", (out[:40], err[:40]))
    code, out, err = run("run", "--report", "-", "--", "true")
    r = json.loads(out)
    check(r["verdict"] == {**r["verdict"], "outcome": "passed", "cause": None, "exit_code": 0} and not report_faults(r) and
          r["tests"]["run"] is None, "report: passed", out)
    p = subprocess.Popen([TOCSIN, "run", "--report", path("k.json"), "--", "sleep", "30"], env=ENV, stderr=subprocess.DEVNULL)
    time.sleep(0.7)
    p.send_signal(signal.SIGTERM)
    code = p.wait(timeout=20)
    r = json.load(open(path("k.json"), encoding="utf-8"))
    check(code == 143 and (r["verdict"]["outcome"], r["verdict"]["cause"]) == ("killed", "proc.signal") and not report_faults(r),
          "report: written when told to end", (code, r["verdict"], report_faults(r)))
    check(not [n for n in os.listdir(TMP) if ".tmp-" in n], "no temporary file is left", os.listdir(TMP))


def test_retry():
    script = put("flaky.sh", "#!/bin/sh\n[ -e $1 ] && exit 0\n: > $1\necho oops >&2\nexit 1\n", 0o755)
    code, out, err = run("run", "--retry", "2", "--retry-on", "proc.exit", "--report", path("t.json"), "--", script, path("f1"))
    r = json.load(open(path("t.json"), encoding="utf-8"))
    check(code == 0 and r["verdict"]["outcome"] == "unstable" and [a["outcome"] for a in r["run"]["attempts"]] == ["failed", "passed"] and
          "trying again" in err and not report_faults(r), "retry: failed, then passed", (code, r["verdict"], err))
    burn = put("burn.sh", "#!/bin/sh\n[ -e $1 ] && exit 0\n: > $1\npython3 -c 'b = bytearray(90 << 20); [i * i for i in range(3000000)]'\nexit 1\n", 0o755)
    code, out, err = run("run", "--retry", "2", "--retry-on", "proc.exit", "--report", path("t.json"), "--", burn, path("f0"))
    used = json.load(open(path("t.json"), encoding="utf-8"))["run"]["resources"]
    check(code == 0 and used["cpu_ms"] > 40 and used["max_rss_kb"] > 80000, "retry: resources are of all attempts", used)
    code = run("run", "--strict", "--retry", "2", "--retry-on", "proc.exit", "--", script, path("f2"))[0]
    check(code == 1, "retry: unstable fails under --strict", code)
    code, out, err = run("run", "--retry", "2", "--", script, path("f3"))
    check(code == 1 and "trying again" not in err, "retry: a permanent failure is not tried again", (code, err))
    code, out, err = run("run", "--retry", "1", "--retry-on", "permanent", "--report", path("t.json"), "--", "false")
    r = json.load(open(path("t.json"), encoding="utf-8"))
    check(code == 1 and len(r["run"]["attempts"]) == 2, "retry: still failing", (code, r["run"]["attempts"]))


def test_rerun():
    flags = ["--rerun-fails", "--report", path("u.json"), "--junit", path("u.xml"), "--jsonfile", path("u.jsonl"), "--log", path("u.log.zst")]
    code, out, err = go("test", "./f", "./b", flags=flags, env={"FLAG": path("flag1")})
    r = json.load(open(path("u.json"), encoding="utf-8"))
    f = r["findings"][0]
    check(code == 0 and r["verdict"]["outcome"] == "unstable" and r["verdict"]["cause"] == "test.unstable" and
          f["severity"] == "warning" and f["test"] == "TestFlaky/in/ner" and not report_faults(r), "rerun: failed, then passed is unstable",
          (code, r["verdict"], r["findings"], err))
    check(r["tests"]["failed"] == 0 and [a["outcome"] for a in r["run"]["attempts"]] == ["failed", "passed"], "rerun: counts and attempts",
          (r["tests"], r["run"]["attempts"]))
    cases = {c.get("name"): c for c in ET.parse(path("u.xml")).getroot().iter("testcase")}
    suite = ET.parse(path("u.xml")).getroot().find("testsuite[@name='example.com/m/f']")
    check(suite.get("tests") == "3" and suite.get("failures") == "0" and len(suite.findall("testcase")) == 3 and
          cases["TestFlaky/in/ner"].find("flakyFailure/system-out") is not None and
          "first time" in cases["TestFlaky/in/ner"].find("flakyFailure").get("message") and cases["TestOther"].find("*") is None,
          "rerun: one JUnit testcase a test, with flakyFailure", ET.tostring(suite))
    lines = open(path("u.jsonl"), encoding="utf-8").read().splitlines()
    ran = [json.loads(x) for x in lines]
    check(sum(e["Action"] == "run" and e.get("Test") == "TestOther" for e in ran) == 1 and
          sum(e["Action"] == "run" and e.get("Test") == "TestFlaky" for e in ran) == 2, "rerun: only what failed ran again", lines)
    if shutil.which("zstd"):
        log = subprocess.run(["zstd", "-dc", path("u.log.zst")], capture_output=True).stdout
        check(log == open(path("u.jsonl"), "rb").read(), "--log FILE.zst is lossless, --jsonfile the whole stream", len(log))
    code = go("test", "./f", flags=["--strict", "--rerun-fails=1"], env={"FLAG": path("flag2")})[0]
    check(code == 1, "rerun: unstable fails under --strict", code)
    code, out, err = go("test", "./a", flags=["--rerun-fails=2", "--report", path("u.json"), "--junit", path("u.xml")])
    r = json.load(open(path("u.json"), encoding="utf-8"))
    suite = ET.parse(path("u.xml")).getroot().find("testsuite")
    bad = [c for c in suite.iter("testcase") if c.get("name") == "TestA/sub"]
    check(len(bad) == 1 and bad[0].find("failure") is not None and len(bad[0].findall("rerunFailure")) == 2,
          "rerun: one JUnit testcase, with failure and rerunFailure", ET.tostring(suite))
    check(code == 1 and r["verdict"]["outcome"] == "failed" and len(r["run"]["attempts"]) == 3 and len(r["findings"]) == 1 and
          r["findings"][0]["test"] == "TestA/sub", "rerun: failed every time", (code, r["verdict"], r["run"]["attempts"], r["findings"]))
    code, out, err = go("test", "./a", flags=["--rerun-fails", "--rerun-max-failures", "0"])
    check(code == 1 and "--rerun-max-failures" in err, "rerun: too many failures", err)
    code, out, err = go("test", "./x", flags=["--rerun-fails"])
    check(code != 0 and "not run again" in err, "rerun: a build failure is not run again", err)


def test_masked():
    put("m/Makefile", "ci:\n\tgo test ./a 2>&1 | tee out.log\nminus:\n\t-go test ./a\n")
    rows = [(["sh", "-c", "go test ./a | cat"], "`cat`", "called by sh -c 'go test ./a | cat'"), (["sh", "-c", "go test ./a || true"], "`|| true`", "")]
    if shutil.which("make"):
        rows += [(["make", "ci"], "`tee`", "make ci -> sh -c 'go test ./a 2>&1 | tee out.log'"), (["make", "minus"], "`-` before the recipe line", "make minus;")]
    for command, advice, message in rows[::3] if SLOW else rows:
        code, out, err = run("run", "--report", path("k.json"), "--", *command, cwd=path("m"))
        f = json.load(open(path("k.json"), encoding="utf-8"))["findings"][0]
        check(code == 1 and f["cause"] == "pipe.masked" and advice in f["advice"] and message in f["message"] and advice in " ".join(err.split()),
              f"masked: who swallowed it: {' '.join(command)}", (code, f["message"], f["advice"], err))


def test_long_output():
    put("long/go.mod", "module example.com/long\n\ngo 1.19\n")
    put("long/a_test.go", '''package long

import (
	"fmt"
	"os"
	"testing"
)

func TestLeaves(t *testing.T) {
	fmt.Println("cannot open the database")
	for i := 0; i < 2000; i++ {
		fmt.Println("line", i, "of a long print")
	}
	fmt.Println("giving up")
	os.Exit(3)
}
''')
    for flags in (["--format", "quiet"], ["--format", "raw"]):
        code, out, err = run("run", *flags, "--report", path("k.json"), "--", "go", "test", ".", cwd=path("long"))
        f = json.load(open(path("k.json"), encoding="utf-8"))["findings"][0]
        block = (out + err)[(out + err).index("tocsin:"):]
        check(code == 1 and f["cause"] == "test.exit" and len(f["excerpt"].encode()) <= 4096 and "line 1000 " not in block and
              all(w in f["excerpt"] and w in block for w in ("cannot open the database", "lines left out", "line 1999", "giving up")),
              f"a long print: its beginning and its end ({flags[1]})", block)


def test_junit():
    code, out, err = go("test", "./a", "./b", "./e", "./n", "./x", flags=["--junit", path("j.xml"), "--format", "quiet"])
    if shutil.which("xmllint"):
        p = subprocess.run(["xmllint", "--noout", path("j.xml")], capture_output=True)
        check(p.returncode == 0, "junit: xmllint", p.stderr)
    root = ET.parse(path("j.xml")).getroot()
    cases = root.findall("testsuite/testcase")
    check(int(root.get("tests")) == len(cases) == 7, "junit: tests", [(c.get("classname"), c.get("name")) for c in cases])
    check(int(root.get("failures")) == len(root.findall(".//failure")) == 3, "junit: failures", root.attrib)
    check(int(root.get("skipped")) == len(root.findall(".//skipped")) == 1, "junit: skipped", root.attrib)
    check(int(root.get("errors")) == len(root.findall(".//error")) == 1, "junit: the build failure is an error", root.attrib)
    sub = [c for c in cases if c.get("name") == "TestA/sub"][0]
    check(sub.get("classname") == "example.com/m/a" and "got 3, want 4" in sub.find("failure").get("message") and
          "got 3, want 4" in sub.find("system-out").text, "junit: a failed case", ET.tostring(sub))
    for s in root.findall("testsuite"):
        n = len(s.findall("testcase"))
        check(int(s.get("tests")) == n, f"junit: count of {s.get('name')}", s.attrib)


TEXT_MODULE = {
    "go.mod": "module example.com/t\n\ngo 1.19\n",
    "a/a_test.go": """package a
import ("fmt"; "testing"; "time")
func TestOK(t *testing.T) { fmt.Println("hello"); t.Log("logged") }
func TestSkip(t *testing.T) { t.Skip("no net today") }
func TestFail(t *testing.T) { fmt.Println("printed"); t.Error("got 3, want 4"); t.Log("more\\nlines") }
func TestSub(t *testing.T) {
	t.Run("one", func(t *testing.T) {})
	t.Run("two words", func(t *testing.T) { t.Fatal("bad two") })
	t.Run("中文", func(t *testing.T) { t.Run("deep", func(t *testing.T) { t.Skip("deep skip") }) })
}
func TestPar1(t *testing.T) { t.Parallel(); time.Sleep(20 * time.Millisecond); t.Log("p1") }
func TestPar2(t *testing.T) { t.Parallel(); time.Sleep(10 * time.Millisecond); t.Errorf("p2 fails") }
func BenchmarkX(b *testing.B) { for i := 0; i < b.N; i++ {} }
func Example_bar() {
	fmt.Println("y")
	// Output: x
}
""",
    "b/b_test.go": "package b\nimport \"testing\"\nfunc TestSame(t *testing.T) {}\n",
    "c/c_test.go": "package c\nimport \"testing\"\nfunc TestSame(t *testing.T) {}\n"
                   "func TestBoom(t *testing.T) { t.Run(\"in\", func(t *testing.T) { var m map[string]int; m[\"a\"] = 1 }) }\nfunc TestNever(t *testing.T) {}\n",
    "d/d_test.go": "package d\nimport (\"os\"; \"testing\")\nfunc TestExit(t *testing.T) { os.Exit(3) }\n",
    "x/x.go": "package x\nfunc F() int { return \"no\" }\n",
    "x/x_test.go": "package x\nimport \"testing\"\nfunc TestX(t *testing.T) { F() }\n",
    "y/y.go": "package y\n",
}


def suites(file):
    """{suite: sorted cases: name, what it is, its message}"""
    out = {}
    for s in ET.parse(file).getroot().findall("testsuite"):
        out.setdefault(s.get("name"), []).extend(
            (c.get("name"), *[e.tag for e in c if e.tag != "system-out"], *[e.get("message") for e in c if e.tag != "system-out"])
            for c in s.findall("testcase"))
    return {k: sorted(v) for k, v in out.items()}


def test_junit_text():
    for name, text in TEXT_MODULE.items():
        put("t/" + name, text)
    for tool in [t for t in (shutil.which("go"), "/usr/lib/go-1.19/bin/go") if t and os.path.exists(t)]:
        def read(*args):
            def make(folder):  # what go says is the same for both builds of Tocsin
                with open(folder + "/said", "wb") as f:
                    subprocess.run([tool, "test", *args], cwd=path("t"), env=ENV, stdout=f, stderr=subprocess.STDOUT, timeout=180, check=False)
            with open(kept(make, "junit", tool, args, TEXT_MODULE) + "/said", "rb") as f:
                run("explain", "--junit", path("o.xml"), put("o.txt", f.read()))
            return suites(path("o.xml"))

        for args in (["./..."], ["-bench", ".", "-benchtime", "3x", "./a", "./b"]):
            events, text = read("-json", *args), read("-v", *args)
            same = {k: [c[:2] for c in v] for k, v in events.items()} == {k: [c[:2] for c in v] for k, v in text.items()}
            check(same and len(text["example.com/t/a"]) == 11 and events["example.com/t/a"] == text["example.com/t/a"],
                  f"junit: go test -v has the cases of go test -json ({tool}, {args[0]})", (events, text))
        quiet = read("./a")["example.com/t/a"]
        check(len(quiet) == 5 and ("TestFail", "failure", "a_test.go:5: got 3, want 4") in quiet and
              ("TestSub/two_words", "failure", "a_test.go:8: bad two") in quiet, f"junit: failures and their words without -v ({tool})", quiet)
    log = open(path("o.txt"), "rb").read()
    tests = json.loads(run("explain", "--json", put("v.txt", b"=== RUN   TestA\n--- PASS: TestA (0.00s)\nPASS\nok  \tp\t1s\n?   \tq\t[no test files]\n"))[1])["tests"]
    check((tests["run"], tests["passed"]) == (1, 1), "a package without test files does not hide the counts of -v", tests)
    cut = put("cut.txt", b"=== RUN   TestA\n--- FAIL: TestA (0.00s)\n    a_test.go:1: x\n=== RUN   TestB\n")
    run("explain", "--junit", path("o.xml"), cut)
    check(suites(path("o.xml")) == {"(unknown package)": [("TestA", "failure", "a_test.go:1: x"), ("TestB", "error", "it did not end")]},
          "junit: a log that was cut before its package was named", (suites(path("o.xml")), log[:200]))
    evil = b"Test\x00\xff]]>\x01\xef\xbf\xbe&<"
    run("explain", "--junit", path("o.xml"), put("evil.txt", b"=== RUN   " + evil + b"\nout \x1b[31m\xed\xa0\x80]]>\xef\xbf\xbf\r\n--- FAIL: " + evil +
                                                b" (0.00s)\n    a_test.go:1: \x00]]>\nFAIL\nFAIL\texample.com/\x01\xff]]>m&<\t0.01s\nFAIL\n"))
    got = suites(path("o.xml"))
    check(len(got) == 1 and list(got.values())[0][0][1] == "failure", "junit: hostile bytes in text", got)
    p = subprocess.run([TOCSIN, "run", "--format", "raw", "--retry", "1", "--retry-on", "permanent", "--junit", path("o.xml"), "--", "go", "test", "-v", "./a"],
                       cwd=path("t"), env=ENV, capture_output=True, timeout=180)
    got = suites(path("o.xml"))
    check(len(got["example.com/t/a"]) == 11 and ET.parse(path("o.xml")).findall(".//rerunFailure"), "junit: text that is tried again", (got, p.stderr))


# ---- where files go ----

def sh(script, timeout=60, **env):
    p = subprocess.run(["sh", "-c", script], cwd=path("w"), env={**ENV, "T": TOCSIN, **env}, capture_output=True, timeout=timeout)
    return p.returncode, p.stdout.decode("utf-8", "replace"), p.stderr.decode("utf-8", "replace")


def test_outputs():
    os.makedirs(path("w/dir"))
    put("w/f.txt", "--- FAIL: TestA (0.00s)\n    a_test.go:1: x\nFAIL\nFAIL\tp\t1s\n")
    link = os.lstat("/dev/stdout")

    def last_json(name):
        return json.loads(open(path("w/" + name), encoding="utf-8").read().splitlines()[-1])

    code, out, err = sh('echo first > o; "$T" run --report /dev/stdout -- sh -c "echo hi; printf x" >> o; echo after >> o')
    lines = open(path("w/o"), encoding="utf-8").read().splitlines()
    check(code == 0 and lines[:3] == ["first", "hi", "x"] and lines[4] == "after" and json.loads(lines[3])["schema"], "report to /dev/stdout, appended", lines)
    sh('"$T" run --report /dev/fd/3 --junit /dev/fd/4 --log /dev/fd/5 -- echo hi 3>r 4>j 5>l')
    check(last_json("r")["verdict"]["outcome"] == "passed" and ET.parse(path("w/j")) and open(path("w/l")).read() == "hi\n", "report, junit, log to descriptors")
    code, out, err = sh('"$T" explain --junit /dev/stdout f.txt > o')
    text = open(path("w/o"), encoding="utf-8").read()
    check(ET.fromstring(text[text.index("<testsuites"):]).get("tests") == "1" and text.startswith("tocsin: "), "junit to /dev/stdout", text)
    check(os.lstat("/dev/stdout").st_ino == link.st_ino and not [n for n in os.listdir("/dev") if ".tmp-" in n], "/dev/stdout is still what it was")
    for where, words in (("no/x", "no such folder"), ("dir", "Is a directory"), ("/dev/full", "No space left"), ("/dev/fd/77", "no such descriptor"), ("fifo", "nobody reads")):
        if where == "fifo":
            os.mkfifo(path("w/fifo"))
        for flag in ("report", "log") if SLOW else ("report", "junit", "log", "jsonfile"):
            code, out, err = sh(f'"$T" run --{flag} {where} -- sh -c "echo \'{{\\"Action\\":\\"start\\",\\"Package\\":\\"p\\"}}\'; exit 3"')
            said = [x for x in err.splitlines() if x.startswith("tocsin: ") and where in x]
            check(code == 3 and len(said) == 1 and words in said[0], f"--{flag} {where}: one sentence, the status stays", (code, err))
    for args, words in (("run --report a --junit ./a -- true", "--report and --junit"), ("run --log a --jsonfile $PWD/a -- true", "--jsonfile and --log"),
                        ("explain --report f.txt f.txt", "would write over 'f.txt'"), ("explain --junit dir/../f.txt f.txt", "would write over 'f.txt'"),
                        ("explain --junit - f.txt", "needs a file name"), ("run --log - -- true", "needs a file name")):
        code, out, err = sh(f'"$T" {args}')
        check(code == 2 and words in err and not os.path.exists(path("w/a")), f"refused: {args}", (code, err))
    check(sh('"$T" run --log /dev/null --junit /dev/null --report /dev/null -- true')[0] == 0, "many may write to /dev/null")
    put("w/old", "old", 0o640)
    os.symlink("old", path("w/link"))
    sh('"$T" run --report link -- true')
    check(os.path.islink(path("w/link")) and os.stat(path("w/old")).st_mode & 0o777 == 0o640 and last_json("old")["schema"], "links and modes stay")
    code, out, err = sh('"$T" explain --report p.json --junit p.xml f.txt | true; sleep 0.3')
    check(os.path.exists(path("w/p.json")) and os.path.exists(path("w/p.xml")), "explain: a reader that is gone does not lose the files", err)
    for args in ("explain --json f.txt", "explain --report - f.txt", "causes", "help", "version", "completion zsh"):
        code, out, err = sh(f'"$T" {args} > /dev/full')
        check(code == 125 and "standard output" in err and "No space left" in err, f"{args} > /dev/full", (code, err))


def test_github():
    code, out, err = go("test", "./e", "./a", flags=["--format", "github"])
    lines = out.splitlines()
    commands = [x for x in lines if x.lstrip().startswith("::")]
    known = all(x.startswith(("::group::", "::endgroup::", "::error file=a/a_test.go,line=6,title=test.fail TestA/sub::got 3",
                              "::error file=e/e_test.go,line=6,title=test.fail TestEvil::100%25")) for x in commands)
    check(code == 1 and commands and known, "github: no command but ours", commands)
    check(not [x for x in lines if "##[" in x or "##vso[" in x] and "\x1b" not in out and "\0" not in out,
          "github: nothing is injected", out)
    check(sum(x.startswith("::group::") for x in lines) == sum(x == "::endgroup::" for x in lines), "github: groups are closed", lines)


def test_formats():
    for name, words in (("pkgname", ["TestA/sub", "example.com/m/b"]), ("testname", ["TestB", "TestSkip"]), ("dots", ["."]),
                        ("verbose", ["=== RUN   TestB", "--- PASS: TestB"]), ("quiet", ["TestA/sub"])):
        code, out, err = go("test", "./a", "./b", "./e", flags=["--format", name])
        check(code == 1 and all(w in out for w in words) and "got 3, want 4" in out, f"format {name}", (code, out, err))
        check("\x1b" not in out and not re.search(r"^\s*::", out, re.M) and "##[" not in out, f"format {name}: nothing is injected", repr(out))
        if SLOW and name not in ("pkgname", "quiet"):
            continue
        code, out, err = go("test", "./b", flags=["--format", name])
        check(code == 0 and (out == "" if name == "quiet" else "passed" in out), f"format {name}: passed", (code, out, err))
        code, out, err = go("test", "./x", "./b", flags=["--format", name])
        check(code != 0 and "x/x.go:3" in out + err, f"format {name}: a build error reaches the user", (code, out, err))
    code, out, err = go("test", "-v", "./b", flags=["--format", "raw"])
    check(code == 0 and "=== RUN   TestB" in out and "tocsin" not in out + err, "format raw: untouched", (out, err))
    code, out, err = go("test", "./b", env={"CI": "true", "GITHUB_ACTIONS": "true"})
    check(code == 0 and out.startswith("ok   example.com/m/b"), "auto in a CI is pkgname", (out, err))
    code, out, err = go("test", "./b")
    check(code == 0 and out.startswith("ok  \texample.com/m/b"), "auto elsewhere is raw", (out, err))
    code, out, err = go("test", "./a", flags=["--format", "pkgname", "--lang", "zh"])
    check(code == 1 and "原因" in out and "位置" in out, "the verdict in Chinese", out)


# ---- a terminal ----

def on_pty(args, env=None, size=(24, 90), resize=None, cwd=None, timeout=60):
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(cwd or path("m"))
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        os.execve(TOCSIN, [TOCSIN, *args], {**ENV, **(env or {})})
    out, began, chunks = b"", time.time(), []
    while time.time() - began < timeout:
        if resize and time.time() - began > resize[0]:
            fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", *resize[1], 0, 0))
            resize = None
        ready = select.select([fd], [], [], 0.1)[0]
        if not ready:
            continue
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        chunks.append(time.time())
        out += data
    status = os.waitpid(pid, 0)[1]
    os.close(fd)
    return os.waitstatus_to_exitcode(status), out.decode("utf-8", "replace"), chunks


def test_terminal():
    code, out, when = on_pty(["run", "--", "go", "test", "-count=1", "./..."], resize=(1.5, (10, 50)))
    check(code == 1 or code == 2, "live: exit status", code)
    check(re.search(r"packages \d+/\d", out) is not None and "TestSlow/内部测试" in out, "live: counts and the running test", out[-2000:])
    check("\x1b[31m" in out, "live: colours on a terminal", out[:400])
    last = out[out.rfind("\x1b[J"):]
    check("tocsin:" in last and "running |" not in last, "live: the area is gone at the end", last)
    check(not re.search(r"(?<!\x1b\[B)\x1b\[J", out), "live: never all of the screen is cleared (tmux would keep each frame)", repr(out[-300:]))
    frames = out.count("\x1b[J")
    spent = max(when) - min(when)
    check(frames <= spent * 11 + 5, f"live: at most ten frames a second ({frames} in {spent:.1f}s)")
    code, out, _ = on_pty(["run", "--", "go", "test", "./a"], env={"NO_COLOR": "1"})
    check("\x1b[3" not in out and "\x1b[1m" not in out, "NO_COLOR: no colours", repr(out))
    code, out, _ = on_pty(["run", "--no-color", "--", "go", "test", "./a"])
    check("\x1b[3" not in out, "--no-color: no colours", repr(out))
    code, out, _ = on_pty(["run", "--", "go", "test", "./a"], env={"TERM": "dumb"})
    check("\x1b" not in out and "TestA/sub" in out, "TERM=dumb: no escape sequence at all", repr(out))
    code, out, _ = on_pty(["run", "--lang", "zh", "--", "go", "test", "./a"], size=(24, 60))
    plain = [re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", x) for x in out.replace("\r", "").splitlines()]
    rows = [x for x in plain if x.startswith("  ") and not x.lstrip().startswith(("|", "a_test"))]
    check(rows and all(width(x) <= 60 for x in rows), "Chinese text keeps within the columns", [x for x in rows if width(x) > 60])


# ---- completions and causes ----

def test_completion():
    script = put("c.bash", run("completion", "bash")[1])

    def complete(*words):
        line = " ".join(words)
        text = f'. {script}; COMP_WORDS=({" ".join(repr(w) for w in words)}); COMP_CWORD={len(words) - 1}; ' \
               f'COMP_LINE={line!r}; COMP_POINT={len(line)}; _tocsin; printf "%s\\n" "${{COMPREPLY[@]}}"'
        p = subprocess.run(["bash", "-c", text], capture_output=True, text=True, env=ENV)
        return p.stdout.split(), p.stderr

    for words, want in ((["tocsin", "ex"], "explain"), (["tocsin", "run", "--ti"], "--timeout"), (["tocsin", "run", "--format", "pk"], "pkgname"),
                        (["tocsin", "causes", "mod.d"], "mod.dns"), (["tocsin", "completion", "z"], "zsh"), (["tocsin", "help", "al"], "allow"),
                        (["tocsin", "run", "--on-fail", "r"], "record"), (["tocsin", "run", "--format", "=", "pk"], "pkgname"),
                        (["tocsin", "run", "-f", "pk"], "pkgname"), (["tocsin", "run", "--format", "="], "pkgname"), (["tocsin", "--lang", ""], "zh"),
                        (["tocsin", "--lang", "zh", "ex"], "explain"), (["tocsin", "--lang", "=", "zh", "run", "--ti"], "--timeout"),
                        (["tocsin", "run", "--log", "=", "x", "ech"], "echo"), (["tocsin", "run", "--rerun-fails", "=", "3", "--jun"], "--junit")):
        got = complete(*words)
        check(want in got[0] and not got[1], f"bash completion: {' '.join(words)}", got)
    for shell, ext in (("zsh", "zsh"), ("fish", "fish")):
        text = run("completion", shell)[1]
        check("--rerun-fails" in text or "rerun-fails" in text, f"{shell} completion has the flags", text[:200])
        if shutil.which(shell):
            p = subprocess.run([shell, "-n", put(f"c.{ext}", text)], capture_output=True, text=True)
            check(p.returncode == 0, f"{shell} completion parses", p.stderr)
    if shutil.which("fish"):
        for line, want in (("tocsin run --form", "--format"), ("tocsin run --format pk", "pkgname"), ("tocsin causes mod.dn", "mod.dns"),
                           ("tocsin run -- ech", "echo"), ("tocsin run --strict -- git --vers", "--version")):
            p = subprocess.run(["fish", "-c", f"source {path('c.fish')}; complete -C '{line}'"], capture_output=True, text=True)
            check(want in p.stdout, f"fish completion: {line}", (p.stdout[:300], p.stderr[:300]))


def test_causes():
    listed = run("causes")[1]
    table = json.loads(run("causes", "--json")[1])
    ids = [c["id"] for c in table["causes"]]
    check(table["schema"] == "tocsin.causes/1" and len(ids) > 50 and all(i in listed for i in ids), "causes: list and --json", len(ids))
    check(all(set(c["classes"]) <= CLASSES and c["classes"] and c["meaning"] for c in table["causes"]), "causes: classes and meanings")
    for lang in ("en", "zh"):
        out = run("causes", "--lang", lang)[1]
        rows = [x for x in out.splitlines() if re.match(r"  [a-z]+\.[a-z_.]+ ", x)]
        starts = {width(re.match(r"  \S+ +", x).group()) for x in rows}
        check(len(starts) == 1 and all(width(x) <= 80 for x in out.splitlines()), f"causes: aligned ({lang})", starts)
        for one in ids[::20] if SLOW else ids:
            code, out, err = run("causes", one, "--lang", lang)
            if code != 0 or one not in out or err:
                check(False, f"causes {one} ({lang})", (code, out, err))
        check(True, f"causes: each is explained ({lang})")
    check(run("causes", "--markdown")[1].count("\n") == len(ids) + 2, "causes: --markdown is a table")


def main():
    for f in (test_help, test_man, test_refusals, test_exit_statuses, test_explain, test_bad_input, test_completion, test_causes):
        f()
    make_module()
    for f in (test_report, test_retry, test_rerun, test_masked, test_long_output, test_junit, test_junit_text, test_outputs, test_github, test_formats, test_terminal):
        f()
    subprocess.run(["chmod", "-R", "u+w", TMP])
    shutil.rmtree(TMP, ignore_errors=True)
    done()


main()
