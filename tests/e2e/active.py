#!/usr/bin/env python3
# suite: limit 180
# suite: takes 15
"""tocsin check active on real programs: source, build list, binary, process, and where it is lost first."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
sys.dont_write_bytecode = True
import goapp  # noqa: E402
import goproxy as gp  # noqa: E402
from tap import SLOW, TOCSIN, check, done  # noqa: E402

scratch = tempfile.TemporaryDirectory(prefix="tocsin-active-")
TOP = os.path.realpath(scratch.name)
PROXY = goapp.proxy()


class Said:
    def __init__(self, a, *words, **env):
        got = subprocess.run([TOCSIN, "check", "active", *words], cwd=a.at, env=dict(a.env, TOCSIN_LANG="en", **env), capture_output=True, text=True, check=False, timeout=60)
        self.status, self.text = got.returncode, got.stdout + got.stderr
        try:
            self.json = json.loads(got.stdout)
        except ValueError:
            self.json = {"active": {"stages": [], "lost": "?", "name": "?"}, "findings": []}
        self.lost, self.name = self.json["active"]["lost"], self.json["active"]["name"]
        self.states = [s["state"] for s in self.json["active"]["stages"]]
        self.causes = [f["cause"] for f in self.json["findings"]]


def test_found(a, plain):
    rows = [
        ("example.test/app/util.Work", "example.test/app/util.Work", ["yes", "yes", "yes", "skipped"]),
        ("util.Work", "example.test/app/util.Work", ["yes", "yes", "yes", "skipped"]),
        ("Work", "example.test/app/util.Work", ["yes", "yes", "yes", "skipped"]),
        ("main.big", "main.big", ["yes", "yes", "yes", "skipped"]),
        ("main.tiny", "main.tiny", ["yes", "yes", "yes", "skipped"]),
        ("main.files", "main.files", ["yes", "yes", "unknown", "skipped"]),
        ("util.Box", "example.test/app/util.Box", ["yes", "yes", "unknown", "skipped"]),
        ("example.test/lib.Name", "example.test/lib.Name", ["yes", "yes", "yes", "skipped"]),
        ("lib.Name", "example.test/lib.Name", ["yes", "yes", "yes", "skipped"]),
        ("strings.Count", "strings.Count", ["yes", "yes", "yes", "skipped"]),
        ("util/util.go", "util/util.go", ["yes", "yes", "yes", "skipped"]),
        ("main.go", "main.go", ["yes", "yes", "yes", "skipped"]),
    ]
    for what, name, states in rows:
        s = Said(a, "--json", what, "--binary", plain)
        check(s.status == 0 and s.name == name and s.states == states and s.lost is None, f"{a.version} {what}: active", s.text)
    check(Said(a, "--json", "util.Work").states == ["yes", "yes", "skipped", "skipped"], f"{a.version} without a binary: it would be built", "")


def test_lost(a, plain):
    rows = [
        ("util/x_windows.go", "source", "act.trap"), ("OnWindows", "source", "act.trap"), ("util/extra.go", "source", "act.excluded"), ("util.extra", "source", "act.excluded"),
        ("util/util_test.go", "source", "act.excluded"), ("util.OnlyInTest", "source", "act.excluded"), ("lonely.Alone", "build_list", "act.not_linked"), ("lonely/lonely.go", "build_list", "act.not_linked"),
        ("main.unused", "binary", "act.not_linked"), ("util.(*Box).Open", "binary", "act.not_linked"), ("util.Box.Open", "binary", "act.not_linked"),
    ]
    for what, stage, cause in rows:
        s = Said(a, "--json", what, "--binary", plain)
        check(s.status == 1 and s.lost == stage and s.causes == [cause] and s.json["findings"][0]["message"], f"{a.version} {what}: lost at {stage}, {cause}", s.text)
    s = Said(a, "--json", "util/extra.go", "--tags", "extra")
    check(s.status == 0 and s.states[0] == "yes", f"{a.version} with its tag it is in the build", s.text)
    special = a.build("special", "-tags", "extra")
    check(Said(a, "--json", "util.extra", "--binary", special).states == ["yes", "yes", "yes", "skipped"], f"{a.version} a binary's own tags count", "")
    s = Said(a, "main.unused", "--binary", plain)
    check("proves nothing" in s.text and "LOST" in s.text and len(s.text.splitlines()) < 20, f"{a.version} one screen, which says what is not proven", s.text)
    s = Said(a, "--lang", "zh", "util/x_windows.go")
    check("丢失" in s.text and "源代码" in s.text, f"{a.version} in Chinese", s.text)
    check(Said(a, "nosuch.Name").status == 2 and Said(a, "no/such.go").status == 2 and Said(a).status == 2, f"{a.version} what is not there is wrong input", "")


def test_process(a, plain):
    run = a.at + "/out/run"
    shutil.copy(plain, run)
    p, _ = a.start(run)
    try:
        s = Said(a, "--json", "main.big", "--binary", run, "--pid", str(p.pid))
        check(s.status == 0 and s.states == ["yes"] * 4, f"{a.version} all the way to the process", s.text)
        a.put("main.go", goapp.MAIN.replace("func unused()", "//go:noinline\nfunc fresh() int { return len(os.Args) + 1 }\n\nfunc unused()").replace("tiny(), big", "fresh(), tiny(), big"))
        s = Said(a, "--json", "main.fresh", "--binary", run, "--pid", str(p.pid))
        check(s.lost == "binary", f"{a.version} written, not built: lost at the binary", s.text)
        a.commit("fresh")
        s = Said(a, "--json", "main.fresh", "--binary", run)
        check(s.lost == "binary" and "1 commits more" in s.json["findings"][0]["message"] and "again" in s.json["findings"][0]["advice"], f"{a.version} committed, not built: the binary is behind", s.text)
        new = a.build("new")
        os.rename(new, run)
        s = Said(a, "--json", "main.fresh", "--binary", run, "--pid", str(p.pid))
        check(s.status == 1 and s.lost == "process" and s.causes == ["act.stale_process"] and s.states == ["yes", "yes", "yes", "lost"], f"{a.version} built, not restarted: lost at the process", s.text)
        s = Said(a, "--json", "main.big", "--binary", run, "--pid", str(p.pid))
        check(s.status == 0 and s.states[3] == "unknown", f"{a.version} the process has that one, of another build", s.text)
        s = Said(a, "--json", "main.big", "--pid", str(p.pid))
        check(s.status == 0 and s.states == ["yes", "yes", "skipped", "unknown"] and "1 commits more" in s.text, f"{a.version} the process alone: of an older commit", s.text)
        check(Said(a, "main.big", "--pid", "0").status == 2 and "4194303" in Said(a, "main.big", "--pid", "4194303").text, f"{a.version} what is no PID", "")
    finally:
        p.communicate()
    p, _ = a.start(run)
    try:
        s = Said(a, "--json", "main.fresh", "--binary", run, "--pid", str(p.pid))
        check(s.status == 0 and s.states == ["yes"] * 4, f"{a.version} restarted: active", s.text)
    finally:
        p.communicate()
    a.require("v1.1.0")
    a.main = None
    a.sh("git", "checkout", "-q", "main.go")
    a.sh(a.go, "mod", "download")
    s = Said(a, "--json", "lib.Name", "--binary", run)
    check(s.lost == "binary" and s.causes == ["act.mismatch"] and "v1.1.0" in s.text, f"{a.version} another version in the build list than in the binary", s.text)


def test_little(a):
    """A program that does nothing before main but what the runtime does: its own list of that is empty."""
    a.put("little/main.go", "package main\n\nfunc main() { helper() }\n\nfunc helper() { println(\"x\") }\n")
    run = os.path.join(TOP, f"little-{a.version}")
    made = subprocess.run([a.go, "build", "-o", run, "./little"], cwd=a.at, env=a.env, capture_output=True, text=True, check=False, timeout=300)
    s = Said(a, "--json", "little/main.go", "--binary", run)
    check(s.status == 0 and s.states[2] == "yes", f"{a.version} a program that imports nothing", made.stderr + s.text)
    got = subprocess.run([TOCSIN, "probe", "--functions", r"^main\.", run], capture_output=True, text=True, check=False, timeout=60, env=dict(a.env, TOCSIN_LANG="en"))
    check("main.helper" in got.stdout and "list of tables was not found" not in got.stdout, f"{a.version} a program that imports nothing: what is inlined in it is found", got.stdout + got.stderr)
    shutil.rmtree(os.path.join(a.at, "little"))


def with_go(go, name):
    a = goapp.App(PROXY, TOP, name, go)
    a.put("util/util_test.go", "package util\n\nfunc OnlyInTest() {}\n")
    a.commit("tests")
    plain = a.build("plain")
    test_found(a, plain)
    test_lost(a, plain)
    test_process(a, plain)
    test_little(a)


with PROXY:
    for i, each in enumerate(gp.goes()[:1 if SLOW else 3]):
        with_go(each, f"go{i}")
done()
