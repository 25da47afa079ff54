#!/usr/bin/env python3
# suite: takes 40
"""tocsin stats, tocsin fault flaky and tocsin fault tests, on a real module whose test fails every other time."""
import html.parser
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import TOCSIN, check, done, skip  # noqa: E402

TMP = tempfile.mkdtemp(prefix="tocsin-stats-")
MOD = TMP + "/flaky"
STORE = TMP + "/store.db"
COUNTER = TMP + "/counter"
SLOW = TMP + "/slow"
ENV = {k: v for k, v in os.environ.items()
       if not k.startswith(("TOCSIN_", "GITHUB_", "GITLAB_", "BUILDKITE", "GIT_")) and k not in ("CI", "MAKEFLAGS", "MAKELEVEL")}
ENV.update(GOFLAGS="-buildvcs=false", GOTOOLCHAIN="local", GOPROXY="off", GOWORK="off", LC_ALL="C.UTF-8", COUNTER=COUNTER, SLOW=SLOW,
           XDG_CACHE_HOME=TMP + "/cache", XDG_STATE_HOME=TMP + "/state", XDG_CONFIG_HOME=TMP + "/config", HOME=TMP,
           GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_SYSTEM="/dev/null")
ENV["GOCACHE"] = subprocess.run(["go", "env", "GOCACHE"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

FILES = {
    "go.mod": "module example.com/flaky\n\ngo 1.19\n",
    "flaky_test.go": """package flaky

import (
	"os"
	"testing"
	"time"
)

func TestEveryOther(t *testing.T) {
	name := os.Getenv("COUNTER")
	seen, _ := os.ReadFile(name)
	os.WriteFile(name, append(seen, 'x'), 0o644)
	if len(seen)%2 == 1 {
		t.Fatal("<script>alert('odd')</script> & \\"quoted\\"")
	}
}

func TestGrows(t *testing.T) {
	took := 60 * time.Millisecond
	if _, err := os.Stat(os.Getenv("SLOW")); err == nil {
		took = 400 * time.Millisecond
	}
	time.Sleep(took)
}

func TestWaits(t *testing.T) {
	took, _ := time.ParseDuration(os.Getenv("WAIT"))
	time.Sleep(took)
}

func TestBroken(t *testing.T) {
	if broken {
		t.Fatal("always")
	}
}
""",
    "broken.go": "package flaky\n\nconst broken = true\n",
}


def git(*args):
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-C", MOD, *args], env=ENV, check=True,
                   stdout=subprocess.DEVNULL)


def write(name, text):
    with open(os.path.join(MOD, name), "w", encoding="utf-8") as f:
        f.write(text)


def tocsin(*args, **more):
    return subprocess.run([TOCSIN, *args], cwd=MOD, env={**ENV, **more}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=240,
                          check=False)


def run(*flags, store=STORE):
    return tocsin("run", "--store", store, *flags, "--", "go", "test", "-count=1", "./...")


def answer(*args):
    p = tocsin(*args, "--json", "--store", STORE)
    try:
        return json.loads(p.stdout)
    except ValueError:
        return {"not": p.stdout + p.stderr}


class Page(html.parser.HTMLParser):
    """What a browser would run or fetch."""

    def __init__(self):
        super().__init__()
        self.tags, self.outside, self.open, self.wrong = {}, [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags[tag] = self.tags.get(tag, 0) + 1
        for name, value in attrs:
            if name.startswith("on") or name in ("src", "href", "xlink:href") or "url(" in (value or ""):
                self.outside.append((tag, name, value))
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def flaky():
    for _ in range(4):
        run("--format", "pkgname")
    p = tocsin("fault", "flaky", "--store", STORE)
    check("TestEveryOther" in p.stdout and p.returncode == 0, "a test that fails every other time is flaky", p.stdout + p.stderr)
    check("TestBroken" not in p.stdout and "TestGrows" not in p.stdout, "one that always fails is not, nor one that never does", p.stdout)
    f = answer("fault", "flaky").get("flaky", [{}])[0]
    check(f.get("states") == 1 and f.get("flips") == 3 and f.get("fault", "").startswith("T-") and f.get("commit"), "it comes with its evidence", f)
    check(0 < f.get("score", 0) < 1, "and a score", f)
    runs = {f.get("passed_run"), f.get("failed_run")}
    check(len(runs) == 2 and all(len(r or "") == 26 for r in runs), "the runs of both results are named", f)

    write("broken.go", "package flaky\n\nconst broken = false\n")
    git("commit", "-qam", "repair")
    run("--format", "pkgname")
    check("TestBroken" not in tocsin("fault", "flaky", "--store", STORE).stdout, "broken at one commit and repaired at the next is not flaky")


def quarantine():
    p = tocsin("fault", "flaky", "--yaml", "--store", STORE)
    check(re.search(r'^quarantine:\n  - test: "TestEveryOther"\n    package: "example.com/flaky"\n    until: 20\d\d-\d\d-\d\d\n    why: ".*"\n    fault: T-\d+\n$',
                    p.stdout) is not None, "--yaml is a quarantine list", p.stdout)
    with open(TMP + "/tocsin.yaml", "w", encoding="utf-8") as f:
        f.write(p.stdout)
    c = tocsin("config", "check", TMP + "/tocsin.yaml")
    check(c.returncode == 0, "that tocsin config check takes", c.stdout + c.stderr)
    b = tocsin("fault", "flaky", "--yaml", "--json", "--store", STORE)
    check(b.returncode == 2, "--yaml and --json together are wrong usage", b.stderr)


def raw():
    store = TMP + "/raw.db"
    with open(COUNTER, "w", encoding="utf-8"):
        pass
    for _ in range(3):
        run("--format", "raw", store=store)
    p = tocsin("fault", "flaky", "--json", "--store", store)
    f = json.loads(p.stdout)["flaky"]
    check(len(f) == 1 and f[0]["test"] == "TestEveryOther" and f[0]["flips"] == 2, "plain output that names no passed test is enough", p.stdout)


def reruns():
    store = TMP + "/rerun.db"
    with open(COUNTER, "w", encoding="utf-8") as f:
        f.write("x")
    run("--format", "pkgname", "--rerun-fails", store=store)
    p = tocsin("fault", "flaky", "--json", "--store", store)
    f = json.loads(p.stdout)["flaky"]
    check(len(f) == 1 and f[0]["reruns"] == 1, "failed, then passed in one run, is evidence too", p.stdout)


def local_changes():
    store = MOD + "/inside.db"
    with open(COUNTER, "w", encoding="utf-8"):
        pass
    for _ in range(3):
        run("--format", "pkgname", store=store)
    p = tocsin("fault", "flaky", "--store", store)
    check("TestEveryOther" in p.stdout, "a store in the tree is no change of the tree", p.stdout)
    for name in os.listdir(MOD):
        if name.startswith("inside.db"):
            os.unlink(os.path.join(MOD, name))
    store = TMP + "/edits.db"
    with open(COUNTER, "w", encoding="utf-8"):
        pass
    for i in range(2):
        write("broken.go", f"package flaky\n\nconst broken = false // {i}\n")
        run("--format", "pkgname", store=store)
    p = tocsin("fault", "flaky", "--store", store)
    check("TestEveryOther" not in p.stdout, "an edit between two runs is another state of the code", p.stdout)
    git("checkout", "-q", "--", ".")


def over_time():
    store = TMP + "/time.db"
    for i in range(8):
        if i == 6:
            with open(SLOW, "w", encoding="utf-8"):
                pass
        if i == 7:
            with open(os.path.join(MOD, "flaky_test.go"), encoding="utf-8") as f:
                text = f.read()
            write("flaky_test.go", text.replace('	if broken {', '	t.Skip("for a while")\n	if broken {').replace("func TestEveryOther", "func xTestEveryOther"))
        if i == 3 or i == 6:
            with open(COUNTER, "w", encoding="utf-8"):
                pass
        run("--format", "pkgname", store=store)
    os.unlink(SLOW)
    p = tocsin("fault", "tests", "--json", "--store", store)
    t = json.loads(p.stdout)
    check([x["test"] for x in t["slower"]] == ["TestGrows"] and t["slower"][0]["now_ms"] >= 390, "slower than its own past", p.stdout)
    check(t["slowest"] and t["slowest"][0]["test"] == "TestGrows", "the slowest", p.stdout)
    check([x["test"] for x in t["skipped"]] == ["TestBroken"], "newly skipped", p.stdout)
    check([x["test"] for x in t["gone"]] == ["TestEveryOther"], "gone", p.stdout)
    p = tocsin("fault", "tests", "--gone", "--store", store)
    check("TestEveryOther" in p.stdout and "TestGrows" not in p.stdout, "one kind alone", p.stdout)
    git("checkout", "-q", "--", ".")


def live():
    """On a terminal: what is left, and who takes longer than usual."""
    store = TMP + "/live.db"
    args = ["run", "--store", store, "--format", "pkgname", "--", "go", "test", "-count=1", "-run", "TestWaits|TestGrows", "./..."]
    for _ in range(3):
        tocsin(*args, WAIT="1200ms")
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(MOD)
        os.execve(TOCSIN, [TOCSIN, *args], {**ENV, "WAIT": "5s", "TERM": "xterm"})
    shown = b""
    while True:
        try:
            more = os.read(fd, 65536)
        except OSError:
            break
        if not more:
            break
        shown += more
    os.waitpid(pid, 0)
    os.close(fd)
    text = shown.decode("utf-8", "replace")
    check(re.search(r"about \d+s left", text) is not None, "the live view says how much is left", text[:2000])
    check(re.search(r"TestWaits, usually takes 1\.[2-9]\d?s", text) is not None, "and what a test usually takes, when it takes longer", text[-2000:])


def numbers():
    s = answer("stats")
    check(s.get("schema") == "tocsin.stats/1" and s.get("runs") == 5, "stats counts the runs", s)
    check(s.get("outcomes", {}).get("failed", 0) >= 4 and sum(s.get("outcomes", {}).values()) == s.get("runs"), "and their outcomes", s.get("outcomes"))
    check(s.get("findings", 0) >= 4 and s.get("faults") == 2, "findings and faults", s)
    check(s.get("causes", [{}])[0].get("cause") == "test.fail" and len(s.get("top_faults", [])) == 2 and s.get("flaky"), "causes, top faults and flaky tests", s)
    t = answer("fault", "list")["faults"]
    tocsin("fault", "resolve", t[0]["short"], "--fix", "repaired", "--store", STORE)
    s = answer("stats")
    check(s["mttr"]["resolved"] == 1 and s["mttr"]["mean_ms"] > 0, "the time to repair", s["mttr"])
    check(sum(d["resolved"] for d in s["days"]) == 1 and sum(d["runs"] for d in s["days"]) == 5, "by day too")
    p = tocsin("stats", "--store", STORE)
    check("TestEveryOther" in p.stdout and "test.fail" in p.stdout, "the table names them", p.stdout)
    p = tocsin("stats", "--lang", "zh", "--store", STORE)
    check("不稳定的测试" in p.stdout, "in Chinese too", p.stdout)
    p = tocsin("stats", "--json", "--store", STORE, "--project", "no/such")
    check(json.loads(p.stdout)["runs"] == 0, "another project has none", p.stdout)
    check(tocsin("stats", "--since", "yesterdayish", "--store", STORE).returncode == 2, "a wrong --since is wrong usage")
    check(tocsin("stats", "--json", "--html", "-", "--store", STORE).returncode == 2, "two answers on one output are wrong usage")


def page(lang):
    path = f"{TMP}/review-{lang}.html"
    p = tocsin("stats", "--html", path, "--lang", lang, "--store", STORE)
    with open(path, encoding="utf-8") as f:
        text = f.read()
    got = Page()
    got.feed(text)
    check(p.returncode == 0 and not p.stdout, f"{lang}: the page is written", p.stderr)
    check(not got.wrong and not got.open, f"{lang}: its tags are closed in order", (got.wrong, got.open))
    check("script" not in got.tags and "alert" not in "".join(got.tags) and "&lt;script&gt;" in text, f"{lang}: a hostile title stays text", got.tags)
    check(not got.outside, f"{lang}: nothing is fetched or run", got.outside)
    check("default-src 'none'" in text and "prefers-color-scheme:dark" in text, f"{lang}: by policy, and in light and dark")
    check(got.tags.get("svg", 0) > 4 and got.tags.get("table", 0) >= 3, f"{lang}: charts and tables", got.tags)
    return path


def browser(path):
    for program in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"):
        if shutil.which(program):
            break
    else:
        skip("a browser draws the page", "there is no chromium")
        return
    shot = TMP + "/page.png"
    base = [program, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1180,2400", f"--user-data-dir={TMP}/browser"]
    p = subprocess.run([*base, f"--screenshot={shot}", "file://" + path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, check=False,
                       env={**ENV, "HOME": TMP})
    check(os.path.exists(shot) and os.path.getsize(shot) > 20000, "a browser draws the page", p.stderr[-2000:])
    check("Refused" not in p.stderr and "Uncaught" not in p.stderr, "and has nothing to refuse", p.stderr[-2000:])


def main():
    os.mkdir(MOD)
    for name, text in FILES.items():
        write(name, text)
    git("init", "-q", "-b", "main", ".")
    git("add", "-A")
    git("commit", "-qm", "first")
    p = tocsin("stats", "--store", STORE)
    check(p.returncode == 125 or "nothing is recorded" in p.stdout, "a store that is not there yet is said to be so", p.stdout + p.stderr)
    flaky()
    quarantine()
    numbers()
    page("zh")
    browser(page("en"))
    raw()
    reruns()
    local_changes()
    over_time()
    live()
    shutil.rmtree(TMP, ignore_errors=True)
    done()


main()
