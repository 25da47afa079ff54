#!/usr/bin/env python3
# suite: release-only
# suite: limit 420
# suite: takes 20
"""A storm: very many failures of one cause are one message at once and one digest that says how many; none of them is lost count of."""
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
sys.dont_write_bytecode = True
from endpoint import Endpoint  # noqa: E402
from tap import FULL, TOCSIN, check, done  # noqa: E402

RUNS = 3000 if FULL else 300
TESTS = 10000 if FULL else 1000
TMP = tempfile.mkdtemp(prefix="tocsin-storm-")
BASE = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "TOCSIN_", "CI_", "GIT_")) and k not in ("CI", "FORCE_COLOR")
        and not k.lower().endswith("_proxy")}
BASE.update(LC_ALL="C.UTF-8", TMPDIR=TMP, GOFLAGS="-buildvcs=false", GOTOOLCHAIN="local", GOCACHE=os.path.expanduser(os.environ.get("GOCACHE", "~/.cache/go-build")))


class Site:
    def __init__(self, name, url, kind="webhook", routes=""):
        self.dir = os.path.join(TMP, name)
        os.mkdir(self.dir)
        self.outbox = os.path.join(self.dir, "tocsin.db")
        config = os.path.join(self.dir, "tocsin.yaml")
        with open(config, "w", encoding="utf-8") as f:
            f.write(f"channels:\n  - name: ops\n    type: {kind}\n    url: env:OPS_URL\n{routes}")
        self.env = dict(BASE, HOME=self.dir, XDG_STATE_HOME=os.path.join(self.dir, "state"), TOCSIN_CONFIG=config, TOCSIN_STORE=self.outbox, TOCSIN_OUTBOX=self.outbox, OPS_URL=url)

    def start(self, *argv, **how):
        return subprocess.Popen(argv, cwd=self.dir, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **how)

    def end(self):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    words = f.read().split(b"\0")
                if b"deliver" in words and self.outbox.encode() in words:
                    os.kill(int(pid), signal.SIGKILL)
            except OSError:
                pass


def got(e, word):
    return [json.loads(q.body) for q in e.requests if word in q.path]


def wait(good, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end and not good():
        time.sleep(0.1)


def many_processes(s):
    """The same failure in RUNS runs, four at a time and the first eight of them at one moment."""
    script = 'i=0; while [ $i -lt "$2" ]; do "$1" run -- sh -c "echo connect: no route to the ledger; exit 3" </dev/null; i=$((i + 1)); done'
    first = [s.start(TOCSIN, "run", "--", "sh", "-c", "echo connect: no route to the ledger; exit 3") for _ in range(8)]
    codes = [p.wait() for p in first]
    each = (RUNS - len(first)) // 4
    others = [s.start("sh", "-c", script, "sh", TOCSIN, str(each)) for _ in range(4)]
    for p in others:
        p.wait()
    return len(first) + 4 * each, codes


def one_run(s):
    """One `go test` with TESTS tests that fail for one reason."""
    for name, text in {"go.mod": "module example.com/ledger\n\ngo 1.19\n", "ledger_test.go": """package ledger

import (
	"fmt"
	"testing"
)

func TestLedger(t *testing.T) {
	for i := 0; i < COUNT; i++ {
		t.Run(fmt.Sprint("case", i), func(t *testing.T) { t.Fatal("connect: no route to the ledger") })
	}
}
""".replace("COUNT", str(TESTS))}.items():
        with open(os.path.join(s.dir, name), "w", encoding="utf-8") as f:
            f.write(text)
    return s.start(TOCSIN, "run", "--format", "pkgname", "--", "go", "test", "./...")


def end_of_the_minute(s, began):
    """The digest is owed for a minute after the storm began. But in --full that time comes at once: who waits for it looks at its clock anew."""
    db = sqlite3.connect(s.outbox, timeout=30)
    due = [(at - began) / 1e9 for at, in db.execute("SELECT next_attempt FROM alert WHERE state = 'pending'")]
    if not FULL:
        with db:
            db.execute("UPDATE alert SET next_attempt = ? WHERE state = 'pending'", (time.time_ns() + 10**9,))
        s.start(TOCSIN, "deliver", "--outbox", s.outbox)
    db.close()
    return due


def digest_count(a):
    return sum(x["count"] for x in a["items"]) + (a["more"] or 0)


def main():
    with Endpoint() as e:
        storm, single = Site("storm", e.http + "/storm"), Site("single", e.http + "/single")
        begin, began = time.monotonic(), time.time_ns()
        n, codes = many_processes(storm)
        took = time.monotonic() - begin
        at_once = got(e, "/storm")
        check(codes == [3] * 8, "the runs fail as their command does", codes)
        check(took > 55 or len(at_once) == 1, f"{n} runs that fail alike are one message at once, the first eight at one moment", f"{took:.1f} s\n{at_once}")
        due = end_of_the_minute(storm, began) if took < 50 else [60]
        check(len(due) == 1 and 55 < due[0] < 62 + took, "the others are owed in one digest, a minute after the storm began", due)
        run = one_run(single)
        run.wait()
        wait(lambda: len(got(e, "/single")) >= 2, 20)
        wait(lambda: len(got(e, "/storm")) >= 2, 90)
        time.sleep(2)
        told, tests = got(e, "/storm"), got(e, "/single")
        kinds = [a["kind"] for a in told]
        check(kinds == ["failed", "digest"], "and one digest", kinds)
        check(took < 55 or len(told) == 2, "nothing else")
        count = digest_count(told[1]) if len(told) == 2 else 0
        check(count == n - 1 if took < 55 else 10 <= count <= n - 1, "it says how many: all but the one that was told", f"{count} of {n} in {took:.1f} s")
        kinds = [a["kind"] for a in tests]
        check(kinds == ["failed", "followup"] and tests[0]["early"], f"{TESTS} failing tests of one run are one message at once, and how it ended", kinds)
        said = tests[-1]["summary"] if tests else ""
        check(re.search(rf"\b{TESTS + 1}\b|\b{TESTS}\b", said.replace(",", "")) is not None, "which says how many", said)
        storm.end()
        single.end()
    shutil.rmtree(TMP, ignore_errors=True)
    done()


main()
