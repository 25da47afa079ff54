#!/usr/bin/env python3
# suite: takes 30
"""Recorded streams of five Go versions through `tocsin explain`: outcome, cause and culprit from the evidence alone.

The expected values come from what the package does (tests/golden/streams/fx.txt), not from what the program says.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "helpers"))
import tap  # noqa: E402

STREAMS = os.path.join(HERE, "..", "golden", "streams")
LIMIT = 20

# name: outcome, cause, test (or package after "ex.com/fx/"); alternatives with "|", "*" is anything.
ROWS = {
    "badflag": ("failed", "build.no_files|build.package", "*"),
    "badpkg": ("failed", "build.package", "*"),
    "bench": ("failed", "test.fail", "BenchmarkF|BenchmarkF-2|BenchmarkF-4|BenchmarkF-8|BenchmarkF-16"),
    "bigline": ("passed", None, "*"),
    "buildfail": ("failed", "build.compile", "buildfail"),
    "buildjson": ("failed", "build.compile", "dep"),
    "buildplain": ("failed", "build.compile", "dep"),
    "cached": ("passed", None, "*"),
    "cached1": ("passed", None, "*"),
    "childio": ("failed", "test.io_incomplete", "childio"),
    "cleanup": ("failed", "test.panic", "TestC"),
    "count2": ("failed", "test.fail", "TestF/s"),
    "cover": ("passed", None, "*"),
    "dead": ("failed", "test.timeout", "TestD|"),
    "depuser": ("failed", "build.compile", "dep"),
    "example": ("failed", "test.fail", "ExampleX"),
    "execc1": ("passed", None, "*"),
    "execc2": ("passed", None, "*"),
    "execw": ("failed", "test.exit|proc.killed", "TestK|"),
    "exit0": ("failed", "test.exit", "TestE"),
    "exit0init": ("empty", "test.empty", "*"),
    "exit3": ("failed", "test.exit", "TestE"),
    "exitplain": ("failed", "test.exit", "*"),
    "fail": ("failed", "test.fail", "TestF/s"),
    "failafter": ("failed", "test.after_end", "TestL"),
    "failfast": ("failed", "test.fail|test.panic", "*"),
    "failfastb": ("failed", "test.fail", "TestF/s"),
    "failplain": ("failed", "test.fail", "TestF/s"),
    "fake": ("passed", None, "*"),
    "fatalgo": ("failed", "test.fail", "TestG"),
    "fuzz": ("failed", "test.fuzz", "FuzzX"),
    "goexit": ("failed", "test.panic|test.fail", "TestG"),
    "importfail": ("failed", "build.package|mod.not_found|mod.cache_missing", "*"),
    "logafter": ("passed", None, "*"),
    "mainexit1": ("failed", "test.exit", "mainexit1"),
    "mainfatal": ("failed", "test.exit", "mainfatal"),
    "mainignore": ("masked|failed", "test.exit_masked", "TestF|"),
    "mainignoreplain": ("passed", None, "*"),
    "mainnorun": ("empty", "test.empty", "*"),
    "mainnorunplain": ("passed", None, "*"),
    "multi": ("failed", "build.compile|build.package|mod.not_found|mod.cache_missing", "*"),
    "nofiles": ("empty", "test.empty", "*"),
    "nonl": ("failed", "test.fail", "TestF"),
    "nonlv": ("failed", "test.fail", "TestF"),
    "nonlvt": ("failed", "test.fail", "TestF"),
    "nopkg": ("failed", "build.package", "*"),
    "norun": ("empty", "test.empty", "*"),
    "nosub": ("empty", "test.empty", "*"),
    "notests": ("empty", "test.empty", "*"),
    "panicgo": ("failed", "test.panic", "TestG|"),
    "panics": ("failed", "test.panic", "TestP/sub|TestP"),
    "par": ("failed", "test.panic", "TestP1"),
    "pass": ("passed", None, "*"),
    "passplain": ("passed", None, "*"),
    "passv": ("passed", None, "*"),
    "plainv": ("failed", "test.fail", "TestF"),
    "race": ("failed", "test.race", "TestR"),
    "raceg": ("failed", "test.race", "raceg"),
    "recov": ("passed", None, "*"),
    "shuffle": ("passed", None, "*"),
    "sigkill": ("failed|killed", "proc.killed", "TestK|"),
    "sigsegv": ("failed", "go.cgo_crash|go.fatal|test.panic", "*"),
    "skipall": ("empty", "test.empty", "*"),
    "stackov": ("failed", "go.stack_overflow", "TestS|"),
    "syntaxfail": ("failed", "build.compile", "*"),
    "timeout": ("failed", "test.timeout", "TestT/sub|TestT|"),
    "vetfail": ("failed", "build.vet", "vetfail"),
    "vetplain": ("failed", "build.vet", "vetfail"),
    "vetjson": ("masked|failed", "build.vet", "*"),
    "runexit": ("failed", "proc.exit", "*"),
    "runpanic": ("crashed", "go.panic", "*"),
    "runkill": ("killed", "proc.killed", "*"),
    "late": ("failed", "test.after_end", "TestL"),
    "fatalp": ("failed", "test.fail", "TestA/s1"),
    "ansi": ("passed", None, "*"),
    "warn": ("passed", None, "*"),
}
# What that version of Go shows differently.
VERSIONS = {
    # The usage text of go alone is no evidence of more than a failure.
    ("1.19", "buildjson"): ("failed", "proc.exit", "*"),
    ("1.20", "buildjson"): ("failed", "proc.exit", "*"),
    ("1.22", "buildjson"): ("failed", "proc.exit", "*"),
    # Up to 1.20 go waits for the child and says nothing of the signal.
    ("1.19", "childio"): ("passed", None, "*"),
    ("1.20", "childio"): ("passed", None, "*"),
    ("1.19", "sigkill"): ("failed", "test.exit", "TestK|"),
    ("1.20", "sigkill"): ("failed", "test.exit", "TestK|"),
    # Up to 1.21 nothing but the wording tells vet from the compiler.
    ("1.19", "vetfail"): ("failed", "build.vet|build.compile", "vetfail"),
    ("1.20", "vetfail"): ("failed", "build.vet|build.compile", "vetfail"),
    ("1.19", "vetplain"): ("failed", "build.vet|build.compile", "vetfail"),
    ("1.20", "vetplain"): ("failed", "build.vet|build.compile", "vetfail"),
    # What was run differs: the older recordings ran other packages under these names.
    ("1.19", "count2"): ("passed", None, "*"),
    ("1.26", "count2"): ("passed", None, "*"),
    ("1.19", "failfast"): ("failed", "test.fail", "TestF/s"),
    ("1.26", "failfast"): ("failed", "test.fail", "TestF/s"),
    # vet looks at the names of examples since 1.24.
    ("1.25", "example"): ("failed", "build.vet", "example"),
    ("1.26", "example"): ("failed", "build.vet", "example"),
    ("1.19", "buildplain"): ("failed", "build.compile", "buildfail"),
    ("1.26", "buildplain"): ("failed", "build.compile", "buildfail"),
}


def explain(data, *flags):
    """The report on these bytes, the exit status, and what was written when there is no report."""
    with tempfile.TemporaryDirectory() as work:
        report = os.path.join(work, "report.json")
        try:
            p = subprocess.run([tap.TOCSIN, "explain", *flags, "--report", report, "-"], input=data, timeout=LIMIT,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except (subprocess.TimeoutExpired, OSError) as e:
            return None, None, str(e)
        text = p.stdout.decode("utf-8", "replace")
        try:
            with open(report, encoding="utf-8") as f:
                return json.load(f), p.returncode, text
        except (OSError, ValueError) as e:
            return None, p.returncode, f"{e}\n{text}"


def read(version, name, kind):
    path = os.path.join(STREAMS, version, f"{name}.{kind}")
    return open(path, "rb").read() if os.path.exists(path) else b""


def one_of(want, got):
    return want == "*" or (got or "") in (want or "").split("|")


def wrong_with(report, status, want):
    outcome, cause, where = want
    verdict, findings = report["verdict"], report["findings"]
    errors = [f for f in findings if f["severity"] == "error"]
    wrong = []
    if not one_of(outcome, verdict["outcome"]):
        wrong.append(f"outcome: want {outcome}, got {verdict['outcome']} ({verdict['cause']})")
    if cause != "*" and not one_of(cause, verdict["cause"]):
        wrong.append(f"cause: want {cause}, got {verdict['cause']}")
    if outcome == "passed" and errors:
        wrong += [f"error finding too many: {f['cause']} {f.get('test')} {f['message']}" for f in errors]
    if where != "*" and not wrong:
        first = findings[0] if findings else {}
        package = (first.get("package") or "").split(" ")[0]
        if not any(w == (first.get("test") or "") or package in (f"ex.com/fx/{w}", f"ex.com/fx/{w}.test")
                   for w in where.split("|")):
            wrong.append(f"culprit: want {where}, got {first.get('package')} {first.get('test')}")
    bad = 1 if errors else 0
    if status != bad:
        wrong.append(f"exit status: want {bad}, got {status}")
    return wrong


def counts(data):
    """Tests by the stream's own terminal events, counted apart from the program."""
    seen = {"run": 0, "pass": 0, "fail": 0, "skip": 0}
    for line in data.splitlines():
        try:
            e = json.loads(line)
        except ValueError:
            continue
        if e.get("Test") and e.get("Action") in seen:
            seen[e["Action"]] += 1
    return seen


def recorded():
    for at, version in enumerate(sorted(os.listdir(STREAMS))):
        path = os.path.join(STREAMS, version, "status")
        if not os.path.exists(path):
            continue
        for i, line in enumerate(sorted(open(path))):
            name, code = line.split()
            if tap.SLOW and (at + i) % 2:
                continue  # on the sanitizer build each stream of every other version
            want = VERSIONS.get((version, name)) or ROWS.get(name)
            if not want:
                tap.check(False, f"stream {version}/{name}", "no expected values")
                continue
            data = read(version, name, "err") + read(version, name, "out")
            # The last line of go run is a word like any other, unless it is known that the command failed.
            report, status, text = explain(data, *(("--exit-code", code) if name.startswith("run") else ()))
            if want[1] == "proc.exit" and report and "buildjson" in name:
                # A bare usage text: any answer that is not "passed".
                tap.check(report["verdict"]["outcome"] != "passed", f"stream {version}/{name}", text)
                continue
            wrong = [text] if report is None else wrong_with(report, status, want)
            tap.check(not wrong, f"stream {version}/{name}", "\n".join(wrong))
    for version in ("1.20", "1.22", "1.25", "1.26"):
        for name in ("pass", "count2", "fail", "skipall", "shuffle"):
            data = read(version, name, "out")
            report, _, text = explain(data)
            want = counts(data)
            got = (report or {}).get("tests", {})
            tap.check(report and (got["run"], got["passed"], got["failed"], got["skipped"]) ==
                      (want["run"], want["pass"], want["fail"], want["skip"]),
                      f"counts {version}/{name}", f"want {want}\ngot  {got}\n{'' if report else text}")


def event(action, test=None, output=None, package="ex.com/p", **more):
    e = {"Time": "2026-01-02T03:04:05Z", "Action": action, "Package": package}
    if test:
        e["Test"] = test
    if output is not None:
        e["Output"] = output
    e.update(more)
    return json.dumps(e)


def stream(*events):
    return ("\n".join(events) + "\n").encode()


START, RUN = event("start"), event("run", "TestA")
FRAME, PASS_A = event("output", "TestA", "--- PASS: TestA (0.00s)\n"), event("pass", "TestA", Elapsed=0)
PASS, OK = event("output", output="PASS\n"), event("output", output="ok  \tex.com/p\t0.01s\n")
END = event("pass", Elapsed=0.01)
GOOD = [START, RUN, event("output", "TestA", "=== RUN   TestA\n"), FRAME, PASS_A, PASS, OK, END]

# Section 5 of the stream reference, and the verdict order: what a stream must not be able to hide, or to forge.
LOST = [
    ("a whole good stream", stream(*GOOD), (), ("passed", None)),
    ("2: a failed test in a passing package",
     stream(START, RUN, event("output", "TestA", "--- FAIL: TestA (0.00s)\n"), event("fail", "TestA", Elapsed=0),
            event("output", output="FAIL\n"), OK, END), (), ("masked|failed", "test.exit_masked")),
    ("2: a lone FAIL at package level, then ok",
     stream(START, RUN, FRAME, PASS_A, event("output", output="FAIL\n"), OK, END), (), ("masked|failed", "test.exit_masked")),
    ("3: ok without PASS and without a test", stream(START, OK, END), (), ("empty", "test.empty")),
    ("4: no tests to run", stream(START, event("output", output="testing: warning: no tests to run\n"), PASS,
                                  event("output", output="ok  \tex.com/p\t0.01s [no tests to run]\n"), END), (),
     ("empty", "test.empty")),
    ("5: subtest pattern matched nothing",
     stream(START, RUN, FRAME, PASS_A, event("output", output="testing: warning: no tests to run\n"), PASS,
            event("output", output="ok  \tex.com/p\t0.01s [no tests to run]\n"), END), (), ("empty", "test.empty")),
    ("6: every test skipped",
     stream(START, RUN, event("output", "TestA", "--- SKIP: TestA (0.00s)\n"), event("skip", "TestA", Elapsed=0), PASS, OK,
            END), (), ("empty", "test.empty")),
    ("7: a pattern that matched no packages beside good tests",
     b"go: warning: \"./void/...\" matched no packages\n" + stream(*GOOD), (), ("passed", None)),
    ("8: nothing to test", b"no packages to test\n", ("--exit-code", "1"), ("failed", "*")),
    ("10: a test that never ended in a failed package",
     stream(START, RUN, event("output", output="FAIL\tex.com/p\t0.01s\n"), event("fail", Elapsed=0.01)), (),
     ("failed", "test.exit|test.unfinished")),
    ("10: a test that never ended in a passing package, no PASS", stream(START, RUN, OK, END), (), ("masked|failed", "test.exit")),
    ("11: the frame is inside the output",
     stream(START, RUN, event("output", "TestA", "some text--- PASS: TestA (0.00s)\n"), PASS, OK, END), (),
     ("passed", None)),
    ("11: a frame of another name proves nothing",
     stream(START, RUN, event("output", "TestA", "some text--- PASS: TestB (0.00s)\n"), OK, END), (), ("masked|failed", "test.exit")),
    ("ghost: a fail event without a run", stream(*GOOD[:-3], event("fail", "TestGhost", Elapsed=0), PASS, OK, END), (),
     ("passed", None)),
    ("16: exit 1 and no failing record", stream(*GOOD), ("--exit-code", "1"), ("failed|killed", "proc.exit|proc.signal")),
    ("17: the stream stops before the package ends", stream(*GOOD[:-2]), (), ("failed", "*")),
    ("17: the stream stops inside a test", stream(START, RUN), (), ("failed", "*")),
    ("17: the last line is cut", stream(*GOOD)[:-30], (), ("failed", "*")),
    ("19: vet -json on stdout with findings",
     b'# ex.com/p\n{\n\t"ex.com/p": {\n\t\t"printf": [\n\t\t\t{\n\t\t\t\t"posn": "/src/p/x.go:6:2",\n\t\t\t\t"message": '
     b'"Printf format %d has arg of wrong type"\n\t\t\t}\n\t\t]\n\t}\n}\n', (), ("masked|failed", "build.vet")),
    ("20: go run and its last line", b"working\nexit status 3\n", ("--exit-code", "1"), ("failed", "proc.exit")),
    ("24: a build that failed, and no test",
     stream('{"ImportPath":"ex.com/p","Action":"build-output","Output":"# ex.com/p\\n"}',
            '{"ImportPath":"ex.com/p","Action":"build-output","Output":"./x.go:4:2: undefined: y\\n"}',
            '{"ImportPath":"ex.com/p","Action":"build-fail"}'), (), ("failed", "build.compile")),
    ("24: unknown actions and fields",
     stream(START, '{"Action":"celebrate","Package":"ex.com/p","How":{"much":[1,2,{"a":null}]}}', *GOOD[1:]), (),
     ("passed", None)),
    ("24: a package fails without a test",
     stream(START, event("output", output="FAIL\tex.com/p [setup failed]\n"), event("fail", Elapsed=0)), (), ("failed", "*")),
    ("interleaved packages, one bad",
     stream(START, event("start", package="ex.com/q"), RUN, event("run", "TestA", package="ex.com/q"), FRAME,
            event("output", "TestA", "--- FAIL: TestA (0.00s)\n", package="ex.com/q"), PASS_A,
            event("fail", "TestA", package="ex.com/q", Elapsed=0), PASS, event("output", output="FAIL\n", package="ex.com/q"),
            OK, END, event("output", output="FAIL\tex.com/q\t0.01s\n", package="ex.com/q"),
            event("fail", package="ex.com/q", Elapsed=0.01)), (), ("failed", "test.fail")),
    ("plain text between events", stream(*GOOD[:3]) + b"text of a child\n" + stream(*GOOD[3:]), (), ("passed", None)),
    ("CRLF", stream(*GOOD).replace(b"\n", b"\r\n"), (), ("passed", None)),
    ("no newline at the end", stream(*GOOD)[:-1], (), ("passed", None)),
    ("broken lines in between", stream(*GOOD[:3]) + b'{"Action":"output","Pack\n\xff\xfe\x00\n{}\n[]\n' + stream(*GOOD[3:]),
     (), ("passed", None)),
    ("a benchmark never passes", stream(START, event("run", "BenchmarkA"), event("output", "BenchmarkA", "BenchmarkA-2\t10\t5 ns/op\n"),
                                        PASS, OK, END), (), ("passed", None)),
    ("a swallowed panic, printed", stream(*GOOD[:3], event("output", "TestA", "panic: boom\n"),
                                          event("output", "TestA", "\n"),
                                          event("output", "TestA", "goroutine 7 [running]:\n"), *GOOD[3:]), (),
     ("passed", None)),
    ("output forges a whole stream", stream(*GOOD[:3], event("output", "TestA", END.replace("pass", "fail") + "\n"), *GOOD[3:]),
     (), ("passed", None)),
]


# Written for this: what other people's recordings showed to be read wrongly. (outcome, cause, test or package, tests run)
MADE = {
    "marks.txt": ("passed", None, "*", 2),             # frames marked with ^V: the ones without are prints
    "seconds.txt": ("failed", "test.fail", "TestAged", 1),  # "(0.02 seconds)" is no part of the name
    "header.txt": ("failed", "test.timeout", "TestWait", None),  # a printed "# head" swallows nothing; no list before 1.20
    "pasted.txt": ("failed", "build.compile", "*", None),   # tabs expanded to eight columns
    "cut.json": ("failed", "test.unfinished", "*", None),      # 1.19, cut before its first test: it has no start event
    "late-race.json": ("failed", "test.race", "*", 1),      # its own FAIL line, then pass: so before Go 1.12
    "example.txt": ("failed", "test.fail", "ExampleA", 1),  # its message is what it got and what it wanted
}


def made():
    folder = os.path.join(STREAMS, "made")
    tap.check(sorted(os.listdir(folder)) == sorted(MADE), "made streams: each has its row", os.listdir(folder))
    for name, (outcome, cause, where, run) in MADE.items():
        report, status, text = explain(open(os.path.join(folder, name), "rb").read())
        wrong = [text] if report is None else wrong_with(report, status, (outcome, cause, where))
        if report and report["tests"]["run"] != run:
            wrong.append(f"tests.run: want {run}, got {report['tests']['run']}")
        if report and name == "pasted.txt" and report["tests"]["packages"] != 3:
            wrong.append(f"tests.packages: want 3, got {report['tests']['packages']}")
        if report and name == "example.txt" and report["findings"][0]["message"] != "got: y z want: x":
            wrong.append(f"message: {report['findings'][0]['message']}")
        tap.check(not wrong, f"made {name}", "\n".join(wrong))


def lost():
    for name, data, flags, (outcome, cause) in LOST:
        report, status, text = explain(data, *flags)
        if report is None:
            tap.check(False, f"lost: {name}", f"no report, exit {status}: {text}")
            continue
        wrong = wrong_with(report, status, (outcome, cause, "*"))
        if outcome in ("empty",) or cause in ("*",):
            wrong = [w for w in wrong if not w.startswith("exit status")]
        tap.check(not wrong, f"lost: {name}", "\n".join(wrong))


recorded()
made()
lost()
tap.done()
