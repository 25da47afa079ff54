#!/usr/bin/env python3
"""Runs every test suite on every build given, reads their TAP, and ends with one line of counts.

usage: runtests.py [--full] [--limit SECONDS] [--jobs N] NAME=BUILDDIR… [-- WORD…]

NAME is `release` or `asan`; with WORDs only suites whose label contains one of them run. A suite is a cmocka
program of BUILDDIR/tests/unit, a script tests/e2e/*.py or *.sh, or tests/FOLDER/run.py. A script may say
in a comment of its first 40 lines:
    # suite: release-only      not on the sanitizer build (it measures time)
    # suite: limit 900         seconds it may take, here and in --full times six
    # suite: alone             with nothing beside it
    # suite: takes 40          about so many seconds on the sanitizer build; the longest are begun first
The others run N at a time, one more than there are cores unless told: most of them wait for something.
Beside its time each says how much of a processor it used, with all that it started: on a machine that does other
things too, only that can be compared.
A cmocka program whose source says `suite: postgres` there, or that asks for its URI, runs through
tests/helpers/pg, with a PostgreSQL server of its own; one that says TOCSIN_TEST_ENDPOINT through
tests/helpers/with-endpoint, beside an endpoint that misbehaves on demand.
A suite that dies, prints no plan, or prints another number of tests than planned has failed.
"""
import concurrent.futures
import glob
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "helpers"))
import tap  # noqa: E402, F401  (sets the signals right)
DEFAULT_LIMIT = 600
LINE = re.compile(r"^(not )?ok\b\s*(\d+)?\s*(?:-\s*)?(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)\s*(?:#\s*(.*))?$")
SKIP = re.compile(r"(?<!\\)#\s*skip\S*\s*(.*)$", re.I)
# What would make a test see another world than the one it builds for itself.
UNSET = re.compile(r"^(CI|CI_.*|GITHUB_.*|GITLAB_.*|JENKINS_.*|BUILDKITE.*|CIRCLE.*|TRAVIS.*|DRONE.*|TEAMCITY_.*|"
                   r"BITBUCKET_.*|TF_BUILD|WOODPECKER.*|NO_COLOR|FORCE_COLOR|LC_.*|LANGUAGE|MAKEFLAGS|MAKELEVEL|"
                   r"TOCSIN|TOCSIN_.*)$")


class Suite:
    """One program that prints TAP, on one build."""

    def __init__(self, label, build, argv, limit, said):
        self.label, self.build, self.argv, self.limit = label, build, argv, max(limit, said.get("limit", 0))
        self.alone, self.takes, self.cpu = "alone" in said, said.get("takes", 0), 0.0
        self.passed, self.failures, self.skips = 0, [], []
        self.seen, self.plan, self.bail = 0, None, None
        self.last = ""
        self.next_tick = time.monotonic() + 60

    def line(self, text):
        """Take in one line of standard output."""
        plan = PLAN.match(text)
        result = LINE.match(text)
        if plan:
            self.plan = int(plan.group(1))
            if self.plan == 0:
                self.skips.append((self.label, re.sub(r"(?i)^skip\S*\s*", "", plan.group(2) or "") or "no reason given"))
        elif result:
            self.seen += 1
            self.last = result.group(3)
            self.result(bool(result.group(1)), result.group(3))
        elif text.startswith("Bail out!"):
            self.bail = text
        elif text.startswith("#") and self.failures and self.last == self.failures[-1][0]:
            self.failures[-1][1].append(text[1:].rstrip())

    def result(self, bad, name):
        skip = SKIP.search(name)
        if bad:
            self.failures.append((name, []))
        elif skip:
            self.skips.append((SKIP.sub("", name).strip(), skip.group(1) or "no reason given"))
        else:
            self.passed += 1

    def fail(self, name, details=""):
        self.failures.append((name, str(details).splitlines()))

    def close(self, status, stderr, timed_out):
        """The suite has ended: is what it said complete?"""
        tail = "\n".join(stderr.splitlines()[-40:])
        if timed_out:
            self.fail(f"ran longer than {self.limit} s and was ended (last test: {self.last or 'none'})", tail)
        elif self.bail:
            self.fail(self.bail, tail)
        elif self.plan is None:
            self.fail(f"ended without a plan, {describe(status)} (last test: {self.last or 'none'})", tail)
        elif self.plan != self.seen:
            self.fail(f"planned {self.plan} tests and ran {self.seen}, {describe(status)}", tail)
        elif status != 0 and not self.failures:
            self.fail(f"all tests passed, but it ended with {describe(status)}", tail)
        elif self.failures and tail:
            self.failures[-1][1].extend(["standard error:"] + ["  " + t for t in tail.splitlines()])


def describe(status):
    if status is None:
        return "still running"
    if status < 0:
        return signal.Signals(-status).name
    return f"exit status {status}"


def directives(path):
    """{word: number} that the comments of a script, or of the source of a program, say."""
    said = {}
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            for _, text in zip(range(40), f):
                found = re.match(r"\s*[#*]\s*suite:\s*(release-only|alone|limit|takes)\s*(\d*)", text)
                if found:
                    said[found.group(1)] = int(found.group(2) or 0)
    except OSError:
        pass
    return said


def unit_argv(exe):
    """The program itself, or the one that brings what it needs and runs it."""
    source = os.path.join("tests", "unit", os.path.basename(exe) + ".c")
    try:
        with open(source, encoding="utf-8", errors="replace") as f:
            text = f.read()
    except OSError:
        text = ""
    argv = [os.path.abspath(exe)]
    for helper, words in (("pg", ("suite: postgres", "TOCSIN_TEST_POSTGRES", "\"stored.h\"")), ("with-endpoint", ("TOCSIN_TEST_ENDPOINT",))):
        if any(word in text for word in words):
            argv = [sys.executable, os.path.abspath("tests/helpers/" + helper)] + argv
    return argv


def scripts():
    """(label, argv, path) of every test script, the longest folder first."""
    found = []
    for path in sorted(glob.glob("tests/*/run.py") + glob.glob("tests/e2e/*.py") + glob.glob("tests/e2e/*.sh")):
        folder, name = path.split("/")[1:]
        if name.startswith("_"):
            continue
        label = folder if name == "run.py" else f"{folder}/{os.path.splitext(name)[0]}"
        found.append((label, ["sh" if name.endswith(".sh") else sys.executable, path], path))
    return found


def plan(builds, full, limit):
    """Every suite in the order of its start: the longest first, so that the end waits for none of them; then what runs alone."""
    suites = []
    for build, folder in builds:
        for label, argv, path in scripts():
            said = directives(path)
            if build == "release" or "release-only" not in said:
                suites.append(Suite(label, build, argv, limit, said))
        for exe in sorted(glob.glob(os.path.join(folder, "tests/unit/test_*"))):
            if os.path.isfile(exe) and os.access(exe, os.X_OK):
                name = os.path.basename(exe)
                suites.append(Suite("unit/" + name[5:], build, unit_argv(exe), limit, directives(f"tests/unit/{name}.c")))
    for suite in suites:
        suite.limit *= 6 if full else 1
        # The release build is the quicker one; and what says nothing is a script, or a program that takes a second.
        suite.takes = (suite.takes or (1 if suite.label.startswith("unit/") else 5)) * (1 if suite.build == "asan" else 0.6)
    # The two builds of a script not beside each other: what go makes for the one is in its cache for the other.
    return sorted(suites, key=lambda s: (s.alone, s.label.startswith("unit/"), s.build != "asan", -s.takes, s.label))


def environment(build, folder, full, san_log, leaks, kept):
    env = {k: v for k, v in os.environ.items() if not UNSET.match(k)}
    env.update(LANG="C.UTF-8", TOCSIN=os.path.abspath(os.path.join(folder, "tocsin")), TOCSIN_TEST_BUILD=build,
               TOCSIN_BUILD=folder, TOCSIN_TEST_KEEP=kept, CMOCKA_MESSAGE_OUTPUT="TAP", GOTOOLCHAIN="local", PYTHONDONTWRITEBYTECODE="1")
    env["GOFLAGS"] = (env.get("GOFLAGS", "") + " -buildvcs=false").strip()
    if full:
        env["TOCSIN_TEST_FULL"] = "1"
    if build == "asan":
        env["ASAN_OPTIONS"] = f"detect_leaks={leaks}:exitcode=86:log_path={san_log}:detect_stack_use_after_return=1"
        env["UBSAN_OPTIONS"] = f"halt_on_error=1:print_stacktrace=1:exitcode=86:log_path={san_log}"
    return env


def leaks_can_be_found(folder):
    """LeakSanitizer stops its own process with ptrace, which not every container allows."""
    env = dict(os.environ, ASAN_OPTIONS="detect_leaks=1")
    run = subprocess.run([os.path.join(folder, "tocsin"), "--version"], env=env, capture_output=True, timeout=60, check=False)
    return 0 if b"LeakSanitizer has encountered a fatal error" in run.stderr else 1


def end(child):
    """End the suite and all that it started in its process group: it, and nothing else."""
    for sig, patience in ((signal.SIGTERM, 3), (signal.SIGKILL, 10)):
        try:
            os.killpg(child.pid, sig)
        except ProcessLookupError:
            return
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            continue


class Progress:
    """What is running now: in place on a terminal, else a line for a suite that has ended or that takes minutes."""

    def __init__(self, total):
        self.total, self.ended, self.lock = total, 0, threading.Lock()
        self.tty = sys.stdout.isatty()

    def tick(self, suite, seconds):
        """Of a suite that runs; called often."""
        if time.monotonic() < suite.next_tick:
            return
        suite.next_tick = time.monotonic() + (0.5 if self.tty else 60)
        text = f"[{self.ended}/{self.total}] {suite.build:7} {suite.label}: {suite.seen} tests, {seconds:.0f} s, {suite.last}"
        with self.lock:
            print(f"\r\033[K{text[:shutil.get_terminal_size().columns - 1]}" if self.tty else text,
                  end="" if self.tty else "\n", flush=True)

    def end(self, suite, seconds):
        words = [f"{suite.passed} passed"]
        words += [f"{len(suite.failures)} FAILED"] if suite.failures else []
        words += [f"{len(suite.skips)} skipped"] if suite.skips else []
        with self.lock:
            self.ended += 1
            print(("\r\033[K" if self.tty else "") + f"[{self.ended}/{self.total}] {suite.build:7} {suite.label}: "
                  f"{', '.join(words)}, {seconds:.1f} s (processor {suite.cpu:.1f} s)", flush=True)
            for name, _ in suite.failures[:20]:
                print(f"    not ok - {name}", flush=True)


def used(pid, before):
    """Seconds of processor time of the process and of what it has waited for; as before when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return sum(map(int, f.read().rpartition(")")[2].split()[11:15])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        return before


def run(suite, env, progress):
    start = time.monotonic()
    timed_out, rest, quiet_since = False, b"", None
    with tempfile.TemporaryFile() as err:
        child = subprocess.Popen(suite.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err, env=env,
                                 start_new_session=True)
        os.set_blocking(child.stdout.fileno(), False)
        with selectors.DefaultSelector() as wait:
            wait.register(child.stdout, selectors.EVENT_READ)
            while True:
                got = os.read(child.stdout.fileno(), 1 << 16) if wait.select(0.25) else None
                now = time.monotonic()
                if got:
                    *lines, rest = (rest + got).split(b"\n")
                    for text in lines:
                        suite.line(text.decode("utf-8", "replace").rstrip("\r"))
                    quiet_since = None
                progress.tick(suite, now - start)
                suite.cpu = used(child.pid, suite.cpu)
                if got == b"" and child.poll() is None:
                    wait.unregister(child.stdout)
                    time.sleep(0.25)
                    wait.register(child.stdout, selectors.EVENT_READ)
                if now - start > suite.limit:
                    timed_out = True
                    end(child)
                    break
                # Something that it left behind may hold the pipe: do not wait for that.
                if child.poll() is not None and not got:
                    quiet_since = quiet_since or now
                    if got == b"" or now - quiet_since > 1:
                        break
        if rest:
            suite.line(rest.decode("utf-8", "replace"))
        child.stdout.close()
        err.seek(0)
        suite.close(child.poll(), err.read().decode("utf-8", "replace"), timed_out)
    return time.monotonic() - start


def sanitizer_reports(suite, san_log):
    """A report counts whoever wrote it: also when the test expected exit status 1 and got it."""
    for path in sorted(glob.glob(san_log + "*")):
        with open(path, encoding="utf-8", errors="replace") as f:
            text = f.read()
        os.unlink(path)
        first = next((t for t in text.splitlines() if "ERROR" in t or "runtime error" in t), "sanitizer report")
        suite.fail(re.sub(r"^==\d+==", "", first), "\n".join(text.splitlines()[:50]))


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02} minutes"


def summary(suites, began):
    for suite in suites:
        for name, details in suite.failures:
            print(f"\nFAILED {suite.build} {suite.label}: {name}")
            for text in details[:80]:
                print("   ", text)
    skips = [(s, name, why) for s in suites for name, why in s.skips]
    if skips:
        print("\nSkipped:")
    for suite, name, why in skips:
        print(f"    {suite.build} {suite.label}: {name}: {why}")
    print(f"\n{len(suites)} suites took {clock(time.monotonic() - began)}, and {clock(sum(s.cpu for s in suites))} of processor time")
    passed = sum(s.passed for s in suites)
    failed = sum(len(s.failures) for s in suites)
    print(f"{passed} passed, {failed} failed, {len(skips)} skipped", flush=True)
    return 0 if passed and not failed else 1


def arguments(argv):
    """(full, limit, jobs, builds, words)"""
    words = argv[argv.index("--") + 1:] if "--" in argv else []
    head = argv[:argv.index("--")] if "--" in argv else argv

    def number(flag, default):
        return int(head[head.index(flag) + 1]) if flag in head else default
    builds = [a.split("=", 1) for a in head if "=" in a]
    return "--full" in head, number("--limit", DEFAULT_LIMIT), number("--jobs", len(os.sched_getaffinity(0)) + 1), builds, words


GO_PROGRAM = """package warm

import (
	"database/sql"
	"encoding/gob"
	"html/template"
	"image/png"
	"net/http/httptest"
	_ "net/http/pprof"
	"testing"
)

func TestWarm(t *testing.T) {
	_, _, _, _, _ = sql.Drivers(), gob.NewDecoder(nil), template.New(""), png.Decode, httptest.NewServer
}
"""


def warm_go(tmp):
    """
    What most scripts compile of the standard library, once and before they begin: in an empty build cache the first
    of them would each compile all of it, beside each other. Where it fails the scripts say why.
    """
    places = [shutil.which("go"), "/usr/local/go/bin/go", *glob.glob("/usr/lib/go-*/bin/go")]
    for go in dict.fromkeys(os.path.realpath(p) for p in places if p and os.path.exists(p)):
        with tempfile.TemporaryDirectory(dir=tmp) as top:
            for name, text in (("go.mod", "module example.com/warm\n\ngo 1.19\n"), ("warm_test.go", GO_PROGRAM)):
                with open(os.path.join(top, name), "w", encoding="utf-8") as f:
                    f.write(text)
            try:
                subprocess.run([go, "test", "-count=1", "."], cwd=top, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=400,
                               check=False, env=dict(os.environ, GOTOOLCHAIN="local", GOFLAGS="-buildvcs=false", GOWORK="off"))
            except (OSError, subprocess.TimeoutExpired):
                pass


class Runner:
    """Takes the suites in their order, each on the next worker that is free; the scripts when go is warm, till then the programs."""

    def __init__(self, folders, full, leaks, tmp, progress):
        self.folders, self.full, self.leaks, self.tmp, self.progress = folders, full, leaks, tmp, progress
        self.kept = os.path.join(tmp, "kept")
        os.mkdir(self.kept)
        self.turn, self.warm = threading.Condition(), True

    def one(self, at, suite):
        san_log = os.path.join(self.tmp, f"san{at}-")
        suite.next_tick = time.monotonic() + (0.5 if self.progress.tty else 60)
        env = environment(suite.build, self.folders[suite.build], self.full, san_log, self.leaks, self.kept)
        seconds = 0
        try:
            seconds = run(suite, env, self.progress)
        except OSError as why:
            suite.fail(f"could not be run: {why}")
        sanitizer_reports(suite, san_log)
        self.progress.end(suite, seconds)

    def next(self, left):
        """The next of those that are left; None when there is none."""
        with self.turn:
            while left:
                found = next((s for s in left if self.warm or s[1].label.startswith("unit/")), None)
                if found:
                    left.remove(found)
                    return found
                self.turn.wait()
        return None

    def warming(self):
        try:
            warm_go(self.tmp)
        finally:
            with self.turn:
                self.warm = True
                self.turn.notify_all()

    def worker(self, left, warms):
        if warms:
            self.warming()
        while (found := self.next(left)):
            self.one(*found)

    def all(self, suites, jobs):
        numbered = list(enumerate(suites))
        left = [s for s in numbered if not s[1].alone]
        self.warm = sum(not s.label.startswith("unit/") for s in suites) < 8
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            for done in [pool.submit(self.worker, left, i == 0 and not self.warm) for i in range(jobs)]:
                done.result()
        for at, suite in numbered:
            if suite.alone:
                self.one(at, suite)


def main():
    began = time.monotonic()
    full, limit, jobs, builds, words = arguments(sys.argv[1:])
    os.chdir(ROOT)
    folders = dict(builds)
    suites = [s for s in plan(builds, full, limit) if not words or any(w in s.label for w in words)]
    leaks = leaks_can_be_found(folders["asan"]) if "asan" in folders else 0
    if "asan" in folders and not leaks:
        print("ptrace is not allowed here: the sanitizer build cannot look for leaks")
    with tempfile.TemporaryDirectory(prefix="tocsin-tests-") as tmp:
        Runner(folders, full, leaks, tmp, Progress(len(suites))).all(suites, jobs)
    if not suites:
        print("no suite was found" + (f" for {' '.join(words)}" if words else ""))
    return summary(suites, began)


if __name__ == "__main__":
    sys.exit(main())
