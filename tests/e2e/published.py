#!/usr/bin/env python3
"""Published recordings of go test, and what their publishers read in them, against `tocsin explain`.

None of them is in this tree: they come from the sources of each Go at hand and, through the module proxy, from the
test data of other readers of such streams. What is published beside a stream (its other form, a golden summary, a JUnit
report, a table in a Go test) is read at run time. Where Tocsin means to differ, DIFFERS says in what and why; a row that
no longer applies is a failure as well. Without a proxy only the Go sources are read, and the first line says so.
"""
# suite: limit 900
# suite: takes 45
import collections
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
import tap  # noqa: E402

LIMIT = 60
STEP = 97
# On the sanitizer build each stream is read once and compared with what is published; of the other forms (a pipe, CRLF, text,
# events) every third stream and those of DEEP. Then nobody knows which row of DIFFERS is stale: the release build says.
SLOW = tap.SLOW
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "tocsin-tests")
GOES = ("go", "/usr/lib/go-1.19/bin/go")
MODULES = {
    "gotestsum": "gotest.tools/gotestsum@v1.13.0",
    "junit": "github.com/jstemmer/go-junit-report/v2@v2.1.0",
    "junit1": "github.com/jstemmer/go-junit-report@v1.0.0",
    "gotestfmt": "github.com/gotesttools/gotestfmt/v2@v2.5.0",
    "tparse": "github.com/mfridman/tparse@v0.18.0",
    "gotestdox": "github.com/bitfield/gotestdox@v0.2.3",
    "report": "github.com/vakenbolt/go-test-report@v0.9.3",
    "build": "golang.org/x/build@v0.0.0-20260918145456-c0ee0fbd16a3",
}
LEAST = {"gotestsum": 15, "junit": 45, "junit1": 25, "gotestfmt": 20, "tparse": 40, "gotestdox": 5, "report": 2, "build": 18}
DEEP = {"junit/014-panic.txt", "junit/013-syntax-error.txt", "junit/112-parallel.gojson.txt", "junit/017-race.txt",
        "gotestfmt/multipackage-syntax-json.txt", "gotestfmt/subtest.txt", "gotestsum/go-test-build-failed.out",
        "gotestsum/go-test-json-panic-race-2.out", "tparse/race/test_06.jsonl", "tparse/panic/test_03.jsonl"}

GHOST = "an end without a start, in a package that passed: forged or lost, so not counted"
LOST_FRAME = "the events say what their text does not: the stream was edited"
RACED = "the tests that testing says raced, not those in whose output the race was printed"
NO_EVENT = "not one event in it: nothing to judge is said, which is neither a failure nor a success"
ONE_LINE = "a package that is a line of text, not an event, counts too"
MARKS = "the marks of test2json are lost in the text form, and with them what tells a frame from a print"
NOT_COUNTED = "a package that did not build, or a binary that broke outside of its tests, is a finding and no failed test"
SILENT = "the text ends in the middle: nothing there says that it was go test's"
OLD = "words of Go before 1.5 (one blank after === RUN): not read as tests"
UNENDED = "a test without an end is unfinished, not failed: what ended it is the finding"
UNNAMED = "before Go 1.12 a panic had no --- FAIL line: the text says less than the events"
NO_NAME = "the package has no line of its own here"
NOTHING = "no packages to test is wrong: somebody asked for tests"
STD = "the tests of the standard library itself: none of the frames is somebody's own"
HARNESS = "words of another program (the build dashboard), not of go test"
MORE = "Tocsin names more: the package that timed out, or the file that did not compile"
DUMP = "killed by SIGQUIT: the dump on ARM does not say which goroutine's test hung"
# (stream, what is compared): (Tocsin's answer, why). The stream is SOURCE/name.
DIFFERS = {}


def differs(reason, *rows):
    for stream, key, ours in rows:
        DIFFERS[(stream, key)] = (ours, reason)


def rows(stream, **ours):
    """A short form for several things of one stream: summary_failed=0."""
    return [(stream, key.replace("_", ":", 1).replace("as:text_", "as text:"), value) for key, value in ours.items()]


differs(NOT_COUNTED,
        ("gotestsum/go-test-json.out", "summary:failed", 12),
        ("gotestsum/go-test-build-failed.out", "summary:failed", 0),
        ("gotestsum/go-test-setup-failed.out", "summary:failed", 0))
differs(UNENDED,
        ("gotestsum/go-test-json-missing-test-fail.out", "summary:failed", 0),
        ("gotestsum/go-test-json-panic-race-1.out", "summary:failed", 0),
        ("gotestsum/go-test-json-panic-race-2.out", "summary:failed", 0),
        ("gotestfmt/containerssh.txt", "parsed:failed", 0),
        *rows("gotestfmt/issue-52.txt", parsed_failed=0, parsed_bad=True,
              parsed_failing=["code-intelligence.com/cifuzz/integration-tests/other"]))
differs(GHOST,
        *rows("gotestsum/go-test-missing-run-events.out", events_run=49, events_failed=7),
        *rows("gotestdox/package_events_interleaved", script_exit=0, events_run=0, events_failed=0),
        *rows("gotestsum/go-test-json-missing-test-events.out", events_run=11, events_failed=0, events_passed=5,
              events_unfinished=6))
differs(LOST_FRAME,
        *rows("gotestsum/go-test-json-missing-test-events.out", as_text_run=12, as_text_unfinished=7),
        *rows("report/main_test 0", as_text_packages=1), *rows("report/main_test 1", as_text_packages=1))
differs(SILENT,
        *rows("GOROOT/benchshort.test", twin_packages=None, twin_outcome=None, twin_causes=[]),
        *rows("GOROOT/benchshort.json", as_text_packages=None, as_text_outcome=None),
        *rows("gotestfmt/issue-52.txt", as_text_packages=None, as_text_outcome=None))
differs(MARKS, *rows("GOROOT/frame.json", as_text_run=2, as_text_unfinished=1, as_text_outcome="failed"))
differs(OLD,
        *[(f"junit/{n}.txt", "report:run", None) for n in ("007-compiled_test", "009-coverage", "010-multipkg-coverage",
                                                          "018-coverpkg", "019-pass")],
        *[(f"junit1/{n}.txt", "report:run", None) for n in ("01-pass", "03-skip", "07-compiled_test", "09-coverage",
                                                           "10-multipkg-coverage", "18-coverpkg", "19-pass")],
        ("junit1/03-skip.txt", "report:skipped", None))
differs(ONE_LINE,
        *[(n, "events:packages", 2) for n in ("gotestfmt/go-acc.txt", "gotestfmt/multipackage-syntax-json.txt",
                                              "gotestfmt/multipackage-syntax-reverse.txt",
                                              "tparse/follow-verbose/test_06.jsonl")])
differs(NOTHING, ("gotestfmt/nopackages.txt", "parsed:bad", True))
differs(RACED, ("tparse/race/test_01.jsonl", "race:tests", ["TestRace1"]),
        ("tparse/race/test_02.jsonl", "race:tests", ["TestElapsed", "TestSingleFailStack/input01"]))
differs(UNNAMED, *rows("tparse/panic/test_02.jsonl", as_text_failed=0, as_text_unfinished=9),
        *rows("tparse/panic/test_05.jsonl", as_text_failed=0, as_text_unfinished=6),
        *rows("tparse/panic/test_06.jsonl", as_text_failed=0, as_text_unfinished=20))
differs(NO_EVENT, ("gotestdox/json_data_is_invalid", "script:exit", 0))
differs(NO_NAME, ("build/13.log", "dashboard:packages", []))
differs(STD, ("build/15.log", "dashboard:tests", []))
differs(DUMP, ("build/17.log", "dashboard:tests", []))
differs(MORE,
        ("build/18.log", "dashboard:packages", ["command-line-arguments", "golang.org/x/tools/cmd/stringer",
                                                "golang.org/x/tools/go/packages"]),
        ("build/4.log", "dashboard:packages", ["command-line-arguments", "fixedbugs/issue5162.go"]))
differs("before Go 1.20 no list of running tests: of several goroutines one is shown",
        ("build/18.log", "dashboard:tests", ["TestGolden"]))
differs(HARNESS, ("build/9.log", "dashboard:exit", 0))


class Stream:
    """One recording: its name in the table, its bytes, and what Tocsin says of it."""

    def __init__(self, source, name, data, path=None):
        self.source, self.name, self.data = source, f"{source}/{name}", data
        self.path = path
        self.report, self.status, self.said = explain(data, path)
        self.facts = facts(self.report) if self.report else {}
        self.json = is_json(data)


QUIET = ("run", "passed", "skipped", "unfinished") # not known, and said so, of text without -v
used = set()


def agree(what, stream, want, got):
    """want is a dict: each value must be got's, or a row of DIFFERS."""
    wrong = []
    for key, value in want.items():
        mine = got.get(key)
        if mine == value or (mine is None and (value == 0 or (key in QUIET and got.get("packages")))):
            continue
        row = (re.sub(r"^go1\.\d+/", "GOROOT/", stream), f"{what}:{key}")
        if row in DIFFERS and DIFFERS[row][0] == mine:
            used.add(row)
            print(f"# {row[0]}: {row[1]} published {str(value)[:80]}, Tocsin {str(mine)[:80]}: {DIFFERS[row][1]}")
        else:
            wrong.append(f"{row}: published {value!r}, Tocsin {mine!r}")
    tap.check(not wrong, f"{what} {stream}", "\n".join(wrong))


def start(argv, data=None):
    """Tocsin with these words. A machine that has no process to give at the moment is asked again."""
    for patience in (1, 2, 4, 8, None):
        try:
            return subprocess.run([tap.TOCSIN, *argv], input=data, timeout=LIMIT, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        except BlockingIOError:
            if patience is None:
                raise
            time.sleep(patience)


def explain(data, path=None, *flags):
    """The report on these bytes (by path, else on standard input), the exit status, what was written."""
    try:
        p = start(["explain", "--json", *flags, path or "-"], None if path else data)
    except (subprocess.TimeoutExpired, OSError) as e:
        return None, None, str(e)
    said = p.stderr.decode("utf-8", "replace")
    try:
        return json.loads(p.stdout), p.returncode, said
    except ValueError:
        return None, p.returncode, said


def facts(report):
    errors = [f for f in report["findings"] if f["severity"] == "error"]
    ret = {k: report["tests"][k] for k in ("run", "passed", "failed", "skipped", "unfinished", "packages")}
    ret["cached"] = report["tests"]["cached_packages"]
    ret["outcome"] = report["verdict"]["outcome"]
    ret["causes"] = sorted({(f["cause"], f["test"] or "") for f in errors})
    ret["failing"] = sorted({f["package"] for f in errors if f["package"]})
    ret["bad"] = bool(errors)
    return ret


def findings(report):
    keys = ("cause", "severity", "package", "test", "file", "line", "message")
    return [{k: f[k] for k in keys} for f in report["findings"]]


def is_json(data):
    return b'"Action":' in data


def events(data):
    for line in data.splitlines():
        try:
            e = json.loads(line)
        except ValueError:
            continue
        if isinstance(e, dict) and "Action" in e:
            yield e


def count(data):
    """Tests by the events alone, counted apart from the program. Benchmarks have no end of their own."""
    n = collections.Counter(run=0, passed=0, failed=0, skipped=0, unfinished=0, packages=0)
    running = {}

    def end(key, result):
        known = running.pop(key, None)
        if known or result == "failed":
            n[result] += 1
            n["run"] += 1

    def close(package):
        for key in [k for k in running if k[0] == package]:
            end(key, "passed" if key[1].startswith("Benchmark") else "unfinished")

    words = {"pass": "passed", "fail": "failed", "skip": "skipped"}
    seen = {}
    for e in events(data):
        package, test, action = e.get("Package", ""), e.get("Test"), e["Action"]
        if action in ("build-output", "build-fail"):
            continue
        seen[package] = True
        if test and action == "run":
            running[(package, test)] = True
        elif test and action in words:
            end((package, test), words[action])
        elif not test and action in words:
            close(package)
            n["packages"] += 1
            del seen[package]
    for package in seen:
        close(package)
        n["packages"] += 1
    return dict(n)


def text_form(data):
    """The stream as go test -v would have printed it: each package's output in one piece, at its end."""
    out, running, build = [], {}, []
    for line in data.splitlines(keepends=True):
        try:
            e = json.loads(line)
        except ValueError:
            e = None
        if not isinstance(e, dict) or "Action" not in e:
            out.append(line.decode("utf-8", "replace"))
            continue
        text = e.get("Output", "")
        if e["Action"] == "build-output":
            build.append(text)
            continue
        running.setdefault(e.get("Package", ""), []).append(text)
        if e["Action"] in ("pass", "fail", "skip") and not e.get("Test"):
            out += running.pop(e.get("Package", ""))
    for rest in running.values():
        out += rest
    return "".join(build + out).encode("utf-8", "surrogatepass")


# ---- where they come from ----

def goroots():
    """(version, folder of test2json's test data) of each Go at hand."""
    found = {}
    for go in GOES:
        if not shutil.which(go):
            continue
        env = dict(os.environ, GOTOOLCHAIN="local")
        try:
            p = subprocess.run([go, "env", "GOROOT", "GOVERSION"], env=env, timeout=LIMIT, stdout=subprocess.PIPE, check=True)
        except (subprocess.SubprocessError, OSError):
            continue
        root, version = p.stdout.decode().split("\n")[:2]
        for src in (os.path.join(root, "src"), root.replace("/usr/lib/", "/usr/share/") + "/src"):
            folder = os.path.join(src, "cmd/internal/test2json/testdata")
            if os.path.isdir(folder):
                found[".".join(version.split(".")[:2])] = folder
                break
    return sorted(found.items())


def download(module, work):
    """The folder of a module's source; None when the proxy does not give it."""
    env = {k: v for k, v in os.environ.items() if k != "GOFLAGS"}
    env.update(GOMODCACHE=os.path.join(CACHE, "modules"), GOFLAGS="-mod=mod -modcacherw", GOTOOLCHAIN="local")
    os.makedirs(CACHE, exist_ok=True)
    try:
        p = subprocess.run(["go", "mod", "download", "-json", module], cwd=work, env=env, timeout=120,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return json.loads(p.stdout)["Dir"]
    except (subprocess.SubprocessError, OSError, ValueError, KeyError) as e:
        print(f"# {module}: {e!r}")
        return None


def read(path):
    with open(path, "rb") as f:
        return f.read()


def words(path):
    return read(path).decode("utf-8", "replace")


def files(source, folder, *patterns, name=os.path.basename):
    ret = []
    for pattern in patterns:
        for path in sorted(glob.glob(os.path.join(folder, pattern))):
            ret.append(Stream(source, name(path), read(path), path))
    return ret


# ---- what each publisher says of them ----

COUNTS = ("run", "passed", "failed", "skipped", "unfinished", "packages")


def by_events(s):
    if s.json and s.report:
        agree("events", s.name, count(s.data), s.facts)


def twins(streams):
    """test2json: the text and the events made of it."""
    by_name = {s.name: s for s in streams}
    for s in streams:
        twin = by_name.get(s.name[:-5] + ".json") if s.name.endswith(".test") else None
        if twin and s.report:
            keys = COUNTS + ("outcome", "causes", "cached")
            agree("twin", s.name, {k: twin.facts.get(k) for k in keys}, s.facts)


def gotestsum(folder):
    base = os.path.join(folder, "testjson/testdata")
    streams = files("gotestsum", base, "input/*.out", "*.out")
    streams += files("gotestsum", os.path.join(folder, "cmd/testdata"), "input/*.out", "*.out")
    by_name = {s.name.split("/")[1]: s for s in streams}
    summaries = {
        "go-test-json.out": "testjson/testdata/summary/root-test-has-subtest-failures",
        "go-test-json-misattributed.out": "testjson/testdata/summary/misattributed-output",
        "go-test-json-missing-test-fail.out": "testjson/testdata/summary/missing-test-fail-event",
        "go-test-json-missing-skip-msg.out": "testjson/testdata/summary/bug-missing-skip-message",
        "go-test-json-with-attributes.out": "testjson/testdata/summary/with-attributes",
        "go-test-json-with-parallel-fails.out": "testjson/testdata/summary/parallel-failures",
        "go-test-json-panic-race-1.out": "cmd/testdata/expected/panic-race-1-summary",
        "go-test-json-panic-race-2.out": "cmd/testdata/expected/panic-race-2-summary",
        "go-test-build-failed.out": "cmd/testdata/expected/build-fail-expected",
        "go-test-setup-failed.out": "cmd/testdata/expected/setup-fail-expected",
    }
    for name, path in summaries.items():
        text = words(os.path.join(folder, path))
        last = re.findall(r"^DONE .*$", text, re.M)[-1]
        number = {k: int(n) for n, k in re.findall(r"(\d+) (test|skipped|failure|error)", last)}
        want = {"run": number.get("test", 0), "skipped": number.get("skipped", 0), "failed": number.get("failure", 0),
                "bad": number.get("failure", 0) + number.get("error", 0) > 0}
        agree("summary", by_name[name].name, want, by_name[name].facts)
    listed(by_name["go-test-json.out"], os.path.join(folder, "internal/junitxml/testdata/junitxml-report.golden"))
    return streams


def cases(path):
    """(package, test): result, of a JUnit report."""
    ret = {}
    for suite in ET.parse(path).getroot().iter("testsuite"):
        for case in suite.iter("testcase"):
            kinds = [k for k in ("failure", "error", "skipped") if case.find(k) is not None]
            ret[(suite.get("name"), case.get("name"))] = kinds[0] if kinds else "passed"
    return ret


def listed(stream, golden):
    """Test by test, theirs and what --junit lists."""
    with tempfile.TemporaryDirectory() as work:
        mine = os.path.join(work, "mine.xml")
        explain(stream.data, stream.path, "--junit", mine)
        want = {k: v for k, v in cases(golden).items() if k[1] != "TestMain"}
        got = {k: v for k, v in cases(mine).items() if k[1] != "(package)"}
    agree("listed", stream.name, {"tests": want}, {"tests": got})


def made_up(case):
    return case.find("error") is not None or case.get("name") in ("Failure", "[build failed]", "[setup failed]")


def junit(source, folder):
    """go-junit-report: NNN-report.xml beside NNN-name.txt. Benchmarks and broken packages are test cases to it."""
    streams = files(source, os.path.join(folder, "testdata"), "*.txt")
    for s in streams:
        golden = os.path.join(folder, "testdata", re.match(r"\d+-", os.path.basename(s.path)).group() + "report.xml")
        found = [c for c in ET.parse(golden).getroot().iter("testcase")]
        tests = [c for c in found if not made_up(c) and not c.get("name").startswith("Benchmark")]
        number = {k: len([c for c in tests if c.find(k) is not None]) for k in ("failure", "skipped")}
        bad = any(c.find("failure") is not None or c.find("error") is not None for c in found)
        want = {"bad": bad, "run": len(tests), "failed": number["failure"], "skipped": number["skipped"]}
        benches = len([c for c in found if c.get("name").startswith("Benchmark") and c.find("failure") is not None])
        want["failed"] += benches
        if s.json: # counted test by test in by_events: benchmarks have a run there since 1.20
            del want["run"], want["skipped"]
        agree("report", s.name, want, s.facts)
    return streams


def gotestfmt(folder):
    streams = files("gotestfmt", os.path.join(folder, "testdata"), "*.txt")
    for s in streams:
        golden = s.path[:-4] + ".parser.json"
        if not os.path.exists(golden):
            continue
        with open(golden, encoding="utf-8") as f:
            parsed = json.load(f)
        packages = parsed.get("packages") or []
        tests = collections.Counter(t["result"] for p in packages for t in p.get("testcases") or [])
        broken = [p["name"] for p in packages if p["result"] == "FAIL"]
        want = {"packages": len(packages), "passed": tests["PASS"], "failed": tests["FAIL"], "skipped": tests["SKIP"],
                "failing": sorted(broken), "bad": bool(broken) or bool((parsed.get("downloads") or {}).get("failed"))}
        agree("parsed", s.name, want, s.facts)
    return streams


def tparse(folder):
    """tparse: what its Go tests say in their tables."""
    base = os.path.join(folder, "tests", "testdata")

    def short(path):
        return os.path.relpath(path, base)

    streams = files("tparse", base, "*/*.jsonl", "*/*.txt", "*.jsonl", name=short)
    by_name = {s.name: s for s in streams}
    text = words(os.path.join(folder, "tests/outcome_test.go"))
    for name, code in re.findall(r'\{"(test_\d+\.jsonl)", (\d), registry', text):
        s = by_name[f"tparse/outcome/{name}"]
        agree("outcome", s.name, {"exit": int(code)}, {"exit": s.status})
    text = words(os.path.join(folder, "tests/race_test.go"))
    for name, tests in re.findall(r'"(test_\d+)", expected\{"[^"]+": \{([^}]*)\}\}', text):
        s = by_name[f"tparse/race/{name}.jsonl"]
        got = {t for c, t in s.facts["causes"] if c == "test.race"}
        agree("race", s.name, {"exit": 1, "tests": sorted(re.findall(r'"([^"]+)"', tests))},
              {"exit": s.status, "tests": sorted(t for t in got if t)})
    text = words(os.path.join(folder, "tests/panic_test.go"))
    for name, table in re.findall(r'"(test_\d+\.jsonl)", expected\{(.*?)\},\s*\},', text, re.S):
        s = by_name[f"tparse/panic/{name}"]
        got = {f["package"] for f in s.report["findings"] if f["cause"].startswith(("test.panic", "go."))}
        want = sorted(re.findall(r'"([^"]+)":\s*true', table))
        agree("panic", s.name, {"exit": 1, "packages": want}, {"exit": s.status, "packages": sorted(got)})
    text = words(os.path.join(folder, "tests/cached_test.go"))
    for name, table in re.findall(r'"(test_\d+)",\s*expected\{(.*?)\}', text, re.S):
        s = by_name[f"tparse/cached/{name}.jsonl"]
        agree("cached", s.name, {"cached": table.count("true")}, s.facts)
    return streams


def build(folder):
    """The logs of Go's own build dashboard, N.log, and in N.fail what its log reader finds."""
    streams = files("build", os.path.join(folder, "internal/logparser/testdata"), "*.log")
    for s in streams:
        text = words(s.path[:-4] + ".fail")
        found = re.findall(r'^Section: ".*"\nPkg: "(.*)"\nTest: "(.*)"\nMode: "(.*)"$', text, re.M)
        want = {"exit": 1, "packages": sorted({p for p, _, _ in found if p}), "tests": sorted({t for _, t, _ in found if t})}
        tests = {t.split("/")[0] for _, t in s.facts["causes"] if t}
        agree("dashboard", s.name, want, {"exit": s.status, "packages": s.facts["failing"], "tests": sorted(tests)})
    return streams


def gotestdox(folder):
    """Scripts with the stream inside: exec is a success, ! exec a failure."""
    streams = []
    for path in sorted(glob.glob(os.path.join(folder, "testdata/script/*.txtar"))):
        script, *rest = re.split(r"^-- (.*) --\n", words(path), flags=re.M)
        for name, text in zip(rest[::2], rest[1::2]):
            if not name.endswith(".json"):
                continue
            s = Stream("gotestdox", os.path.basename(path)[:-6], text.encode())
            streams.append(s)
            agree("script", s.name, {"exit": 1 if "\n! exec" in script else 0}, {"exit": s.status})
    return streams


def report(folder):
    """Streams written in a Go test, between back quotes."""
    text = words(os.path.join(folder, "main_test.go"))
    found = [t for t in re.findall(r"`([^`]*)`", text) if '"Action":' in t and '"Output":' in t]
    return [Stream("report", f"main_test {i}", t.encode()) for i, t in enumerate(found)]


# ---- what holds for every stream ----

def sound(s):
    """A report, an exit status that goes with it, the same by file, from a pipe and with CRLF."""
    if s.report is None:
        tap.check(s.status == 2 and not s.data.strip() and s.said, f"sound {s.name}", f"exit {s.status}: {s.said}")
        return
    wrong = []
    if s.status != (1 if s.facts["bad"] else 0):
        wrong.append(f"exit {s.status}, errors {s.facts['causes']}")
    piped, status, said = explain(s.data)
    crlf, bent, said_bent = explain(s.data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    if not piped or not crlf:
        tap.check(False, f"sound {s.name}", f"no report: {said} {said_bent}")
        return
    same = ("verdict", "tests", "findings", "slowest", "skipped")
    if status != s.status or any(piped[k] != s.report[k] for k in same):
        wrong.append(f"otherwise from a pipe: exit {status}, {piped['verdict']}")
    if bent != s.status or crlf["tests"] != s.report["tests"] or findings(crlf) != findings(s.report):
        wrong.append(f"otherwise with CRLF: exit {bent}, {crlf['verdict']} {crlf['tests']}")
        wrong += [str(findings(crlf)), str(findings(s.report))]
    tap.check(not wrong, f"sound {s.name}", "\n".join(wrong))


def as_text(s):
    """The same stream in both forms."""
    if not s.report or not any("Output" in e for e in events(s.data)):
        return
    text, status, said = explain(text_form(s.data))
    got = facts(text) if text else {}
    want = {k: s.facts[k] for k in COUNTS + ("outcome",)}
    agree("as text", s.name, want, got)


def prefixes(s):
    """Every prefix, cut where it hurts: never a crash, always a report or a reason."""
    cuts = range(1, len(s.data), STEP)
    with tempfile.TemporaryDirectory() as work:
        paths = []
        for n in cuts:
            paths.append(os.path.join(work, f"{n}.txt"))
            with open(paths[-1], "wb") as f:
                f.write(s.data[:n])
        wrong, seen = [], 0
        for at in range(0, len(paths), 500):
            try:
                p = start(["explain", "--json", *paths[at:at + 500]])
            except subprocess.TimeoutExpired:
                wrong.append(f"prefixes from {at * STEP} hang")
                break
            lines = [x for x in map(json.loads, p.stdout.splitlines()) if "relations" not in x]  # how files belong together: a line of its own
            seen += len([x for x in lines if x["verdict"]])
            refused = p.stderr.count(b"nothing to judge")
            if p.returncode not in (0, 1, 2) or len(lines) + refused != len(paths[at:at + 500]):
                wrong.append(f"exit {p.returncode}, {len(lines)} reports: {p.stderr[-500:].decode('utf-8', 'replace')}")
        tap.check(not wrong, f"{len(paths)} prefixes of {s.name}", "\n".join(wrong))


def every(streams):
    for i, s in enumerate(streams):
        if SLOW and i % 3 and s.name not in DEEP:
            continue
        sound(s)
        by_events(s)
        as_text(s)
        if s.name in DEEP or (s.source == newest and len(s.data) < 4096 and not SLOW) or (tap.FULL and len(s.data) < 1 << 17):
            prefixes(s)


PUBLISHERS = {
    "gotestsum": gotestsum, "junit": lambda f: junit("junit", f), "junit1": lambda f: junit("junit1", f),
    "gotestfmt": gotestfmt, "tparse": tparse, "gotestdox": gotestdox, "report": report, "build": build,
}
newest = ""


def main():
    global newest
    number, sources = collections.Counter(), set()
    roots = goroots()
    newest = roots[-1][0] if roots else ""
    tap.check(roots and all(glob.glob(os.path.join(f, "*.test")) for _, f in roots),
              f"sources of {len(roots)} Go versions", "no test data of test2json in any GOROOT")
    for version, folder in roots:
        streams = files(version, folder, "*.test", "*.json")
        twins(streams)
        every(streams)
        number["GOROOT"] += len(streams)
        if [int(n) for n in version[2:].split(".")] >= [1, 20]: # 1.19 has fewer of them
            sources.add("GOROOT")
    with tempfile.TemporaryDirectory(prefix="tocsin-published-") as work:
        folders = {}
        for name, module in MODULES.items():
            folder = download(module, work)
            if folder is None and not folders:
                print("# no module proxy is reached: GOROOT's streams only")
                tap.check(number["GOROOT"] >= 24, "no module proxy here: GOROOT's streams only")
                break
            if tap.check(folder, f"the source of {module}"):
                folders[name] = folder
        for name, folder in folders.items():
            streams = PUBLISHERS[name](folder)
            every(streams)
            number[name] = len(streams)
            sources.add(name)
            tap.check(len(streams) >= LEAST[name], f"{len(streams)} streams of {name}")
    if not SLOW:
        stale = [r for r in DIFFERS if r not in used and r[0].split("/")[0] in sources]
        tap.check(not stale, f"{len(used)} differences on purpose, none without need", "\n".join(map(str, stale)))
    print("# streams:", ", ".join(f"{k} {n}" for k, n in number.items()))
    tap.done()


if __name__ == "__main__":
    main()
