#!/usr/bin/env python3
# suite: limit 300
# suite: alone
"""tocsin run --service: real Go servers that panic, crash, deadlock, hang, spin, are told to end, and are process 1."""
import concurrent.futures
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
sys.dont_write_bytecode = True
from endpoint import Endpoint  # noqa: E402
from tap import TOCSIN, check, done, skip  # noqa: E402

TMP = tempfile.mkdtemp(prefix="tocsin-service-")
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "service", "main.go.txt")
BASE = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "TOCSIN_", "CI_", "GIT_")) and k not in ("CI", "FORCE_COLOR")
        and not k.lower().endswith("_proxy")}
BASE.update(LC_ALL="C.UTF-8", TMPDIR=TMP, XDG_CONFIG_HOME=os.path.join(TMP, "config"), GOTOOLCHAIN="local", GOFLAGS="-buildvcs=false")
GOS = [("go", shutil.which("go") or "/usr/local/go/bin/go"), ("go1.19", "/usr/lib/go-1.19/bin/go")]
SECRET = "sk_live_4eC39HqLyjWDarjtT1zdp7dc"


def build(go):
    """The server, built by one go: its path."""
    name, path = go
    folder = os.path.join(TMP, "src-" + name)
    os.mkdir(folder)
    shutil.copy(SOURCE, os.path.join(folder, "main.go"))
    with open(os.path.join(folder, "go.mod"), "w", encoding="utf-8") as f:
        f.write("module example.com/srv\n\ngo 1.19\n")
    out = os.path.join(folder, "srv")
    subprocess.run([path, "build", "-o", out, "."], cwd=folder, env=dict(BASE, CGO_ENABLED="0"), check=True, timeout=280)
    return out


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Service:
    """One `tocsin run --service` of the server, with a home of its own."""
    count = 0
    lock = threading.Lock()

    def __init__(self, binary, mode="", flags=(), before=(), endpoint=None, env=None):
        with Service.lock:
            Service.count += 1
            self.dir = os.path.join(TMP, f"run-{Service.count}")
        os.mkdir(self.dir)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.report = os.path.join(self.dir, "report.json")
        self.state = os.path.join(self.dir, "state")
        self.env = dict(BASE, XDG_STATE_HOME=self.state, ADDR=f"127.0.0.1:{self.port}", **(env or {}))
        self.endpoint = endpoint
        if endpoint:
            self.env["TOCSIN_CONFIG"] = os.path.join(self.dir, "tocsin.yaml")
            with open(self.env["TOCSIN_CONFIG"], "w", encoding="utf-8") as f:
                f.write(f"channels:\n  - name: ops\n    type: webhook\n    url: {endpoint.http}/hook/{os.path.basename(self.dir)}/\n")
        self.flags = [f.replace("URL", self.url) for f in flags]
        self.out = open(os.path.join(self.dir, "out"), "wb")
        self.err = open(os.path.join(self.dir, "err"), "wb")
        self.process = subprocess.Popen([*before, TOCSIN, "run", "--service", "--report", self.report, *self.flags, "--", binary, *([mode] if mode else [])], cwd=self.dir,
                                        env=self.env, stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.err)

    def ask(self, path, tries=100, timeout=10):
        """GET; None: the connection broke, which a panic does."""
        for i in range(tries):
            try:
                with urllib.request.urlopen(self.url + path, timeout=timeout) as r:
                    return r.read().decode()
            except urllib.error.HTTPError as e:
                return e.read().decode()
            except urllib.error.URLError as e:
                if not isinstance(e.reason, ConnectionRefusedError):
                    return None
                time.sleep(0.05)
            except OSError:
                return None
        return None

    def said(self, name="err"):
        with open(os.path.join(self.dir, name), encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_for(self, what, name="err", seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if re.search(what, self.said(name)):
                return True
            if self.process.poll() is not None:
                return bool(re.search(what, self.said(name)))
            time.sleep(0.02)
        return False

    def end(self, sig=signal.SIGTERM, seconds=60):
        """(exit status, report)."""
        if sig:
            self.process.send_signal(sig)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "hung", {"verdict": {}, "findings": []}
        with open(self.report, encoding="utf-8") as f:
            return status, json.load(f)

    def alerts(self, least=0, seconds=30):
        """What its channel got; waits until it is so many."""
        end = time.monotonic() + seconds
        while True:
            mine = [q for q in self.endpoint.requests if f"/hook/{os.path.basename(self.dir)}/" in q.path]
            if len(mine) >= least or time.monotonic() > end:
                return mine
            time.sleep(0.05)

    def snapshots(self):
        return sorted(glob.glob(os.path.join(self.state, "tocsin", "snapshots", "*")))

    def manifest(self, path):
        with open(os.path.join(path, "manifest.json"), encoding="utf-8") as f:
            return json.load(f)

    def detail(self, report):
        return json.dumps(report.get("verdict")) + "\n" + json.dumps([{k: f.get(k) for k in ("cause", "message", "file", "line", "count", "snapshot")} for f in report["findings"]]) + "\n" + self.said()


CHECKS = []
CHECK_LOCK = threading.Lock()


def claims(name):
    """A test runs beside others; its checks are printed together."""
    def wrap(f):
        CHECKS.append((name, f))
        return f
    return wrap


def causes(report):
    return [f["cause"] for f in report["findings"]]


@claims("a recovered panic")
def recovered(say, binary, endpoint):
    s = Service(binary, "graceful", ["--pprof", "URL"], endpoint=endpoint)
    for _ in range(3):
        s.ask("/panic")
    say(s.wait_for("go.panic.recovered: .*nil map .*snapshot "), "is said while the service lives", s.said())
    told = s.alerts(1)
    say(len(told) == 1 and s.process.poll() is None and b"nil map" in told[0].body, "is told at once, and once", [q.body[:400] for q in told])
    say(s.ask("/healthz") == "ok\n", "the service answers on", "")
    status, r = s.end()
    f = r["findings"][0] if r["findings"] else {}
    say(status == 0 and r["verdict"]["outcome"] == "passed" and causes(r) == ["go.panic.recovered"], "a service that ends when told to is passed", s.detail(r))
    say(f.get("count") == 3 and f["severity"] == "warning" and f["file"].endswith("main.go") and f["line"] and "main.broken" in f["excerpt"], "it is one finding, counted, with its place", s.detail(r))
    snaps = s.snapshots()
    names = [x["name"] for x in s.manifest(snaps[0])["files"]] if snaps else []
    say(len(snaps) == 1 and snaps[0] == f.get("snapshot") and {"proc.txt", "log.txt", "crash.txt", "goroutines.txt", "goroutine.pb.gz", "heap.pb.gz"} <= set(names), "its snapshot holds process, log, stack, goroutines and heap",
        (snaps, names))
    say(f.get("fault") and f["fault"]["count"] == 1, "it is recorded as a fault", f.get("fault"))
    say(len(s.alerts()) == 1, "its end is no second alert", [q.body[:400] for q in s.alerts()])
    text = "".join(open(os.path.join(d, "log.txt"), encoding="utf-8").read() for d in snaps)
    say(SECRET not in text and "redacted" in text, "the log in the snapshot is redacted", text[:500])


@claims("a panic in the last moment")
def last_moment(say, binary, endpoint):
    s = Service(binary, "graceful", endpoint=endpoint)
    s.ask("/healthz")
    s.ask("/panic")
    status, r = s.end()
    say(status == 0 and causes(r) == ["go.panic.recovered"], "is found", s.detail(r))
    say(len(s.alerts(1)) == 1, "and told", [q.body[:300] for q in s.alerts()])


@claims("a crash")
def crash(say, binary, endpoint):
    s = Service(binary, "", [], endpoint=endpoint)
    s.ask("/healthz")
    s.ask("/crash")
    status, r = s.end(None)
    f = r["findings"][0]
    say(status == 2 and r["verdict"]["outcome"] == "crashed" and f["cause"] == "go.panic" and f["file"].endswith("main.go"), "is crashed, with its place", s.detail(r))
    snap = f.get("snapshot") or ""
    text = open(os.path.join(snap, "crash.txt"), encoding="utf-8").read() if snap else ""
    say("panic: the end" in text and "goroutine " in text, "the whole crash text is kept", text[:300])
    proc = open(os.path.join(snap, "proc.txt"), encoding="utf-8").read() if snap else ""
    say("--- status ---" in proc and "--- fds ---" in proc, "and what /proc said as it died", proc[:300])
    say(s.said().count("panic: the end") >= 1, "its own output is there", s.said()[:300])


@claims("a fatal error")
def deadlock(say, binary, endpoint):
    s = Service(binary, "deadlock")
    status, r = s.end(None)
    say(status == 2 and r["verdict"]["cause"] == "go.deadlock", "all asleep: go.deadlock", s.detail(r))


@claims("an exit")
def exits(say, binary, endpoint):
    s = Service(binary, "exit3")
    status, r = s.end(None)
    say(status == 3 and r["verdict"]["outcome"] == "failed" and r["verdict"]["cause"] == "proc.exit" and "no database" in s.detail(r), "with status 3 is failed, with its last words", s.detail(r))


@claims("SIGTERM")
def term(say, binary, endpoint):
    s = Service(binary)
    s.ask("/healthz")
    status, r = s.end()
    say(status == 143 and r["verdict"]["outcome"] == "passed" and not r["findings"], "unhandled: passed, and the truth in the status", (status, s.detail(r)))
    s = Service(binary, "slowend")
    s.ask("/healthz")
    status, r = s.end()
    say(status == 0 and r["verdict"]["outcome"] == "passed" and "closing" in s.said("out"), "handled: passed, with all its output", (status, s.detail(r)))
    s = Service(binary, "badend")
    s.ask("/healthz")
    status, r = s.end()
    say(status == 2 and r["verdict"]["outcome"] == "crashed" and causes(r) == ["go.nil_deref"] and r["findings"][0]["snapshot"], "a panic on the way out is a crash", (status, s.detail(r)))


@claims("a hang")
def hang(say, binary, endpoint):
    flags = ["--health", "URL/healthz", "--health-every", "600ms", "--health-fails", "3", "--pprof", "URL", "--on-hang", "end", "--grace", "3s"]
    s = Service(binary, "", flags)
    s.ask("/healthz")
    time.sleep(1.5)  # it must have been healthy once
    s.ask("/hang")
    status, r = s.end(None)
    f = r["findings"][0] if r["findings"] else {"cause": None, "message": ""}
    say(status == 124 and r["verdict"]["outcome"] == "stalled" and f["cause"] in ("proc.stall", "go.blocked"), "that is to be ended is stalled, 124", s.detail(r))
    say("health check" in f["message"] and "threads wait" in f["message"], "says which and how it is known", f["message"])
    snaps = [p for p in s.snapshots() if s.manifest(p)["reason"] == "hang"]
    files = {x["name"] for p in snaps for x in s.manifest(p)["files"]}
    say({"goroutines.txt", "cpu.pb.gz", "trace.out"} <= files, "goroutines, a CPU profile and a trace are kept", (snaps, files, s.said()))
    say("goroutine " in s.said(), "SIGQUIT made it print its goroutines", s.said()[-300:])


@claims("a deadlock among others")
def crosswise(say, binary, endpoint):
    s = Service(binary, "", ["--health", "URL/healthz", "--health-every", "600ms", "--pprof", "URL"])
    s.ask("/healthz")
    time.sleep(1.5)
    s.ask("/cross")
    say(s.wait_for("tocsin: (go.blocked|proc.stall): .*snapshot"), "is seen", s.said())
    status, r = s.end()
    f = r["findings"][0] if r["findings"] else {"cause": None, "message": ""}
    say(f["cause"] == "go.blocked" and "main.go" in (f["file"] or ""), "and named from its goroutines", s.detail(r))


@claims("spinning")
def spinning(say, binary, endpoint):
    # A busy machine would give it no time to spin.
    first = ["chrt", "--rr", "1"] if subprocess.run(["chrt", "--rr", "1", "true"], capture_output=True, check=False).returncode == 0 else []
    s = Service(binary, "", ["--health", "URL/healthz", "--health-every", "600ms", "--health-fails", "4"], first, env={"GOMAXPROCS": "1"})
    s.ask("/healthz")
    time.sleep(1.5)
    s.ask("/spin")
    say(s.wait_for("proc.stall: .*spins"), "is told from waiting, and the service is left alone", s.said())
    say(s.process.poll() is None, "it lives", "")
    status, r = s.end()
    say(r["verdict"]["outcome"] == "passed" and causes(r) == ["proc.stall"], "and passes when it is told to end", s.detail(r))


@claims("silence")
def silence(say, binary, endpoint):
    s = Service(binary, "silent", ["--stall", "1s"])
    say(s.wait_for("proc.stall: no output for [0-9]"), "without CPU time is a hang", s.said())
    time.sleep(1.5)
    s.ask("/log")
    status, r = s.end()
    say(causes(r) == ["proc.stall"] and r["findings"][0]["count"] == 1 and r["verdict"]["outcome"] == "passed", "said once for as long as it lasts", s.detail(r))
    s = Service(binary, "works", ["--stall", "1s"])
    time.sleep(3.2)
    status, r = s.end()
    say(not r["findings"], "of one that works is none", s.detail(r))
    s = Service(binary, "", ["--stall", "3s", "--health", "URL/healthz", "--health-every", "1s"])
    s.ask("/healthz")
    time.sleep(5)
    status, r = s.end()
    say(not r["findings"], "of one whose health is good is none", s.detail(r))


@claims("process 1")
def pid1(say, binary, endpoint):
    if subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "true"], capture_output=True, check=False).returncode != 0:
        skip("process 1", "no right to make a process namespace")
        return
    before = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]

    def leader(s):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with open(f"/proc/{s.process.pid}/task/{s.process.pid}/children", encoding="ascii") as f:
                kids = f.read().split()
            if kids:
                return int(kids[0])
            time.sleep(0.02)
        return 0

    s = Service(binary, "orphans", [], before, endpoint=endpoint)
    s.ask("/healthz")
    s.ask("/panic")
    s.wait_for("snapshot ")
    end = time.monotonic() + 20
    while (said := s.ask("/zombies")) != "0\n" and time.monotonic() < end:
        time.sleep(0.1)
    say(said == "0\n", "reaps the orphans of its tree", said)
    os.kill(leader(s), signal.SIGTERM)
    status, r = s.end(None)
    say(status == 143 and r["verdict"]["outcome"] == "passed", "passes SIGTERM on and tells the truth", (status, s.detail(r)))
    say(len(s.alerts(1)) == 1, "its alert was delivered", s.said())
    s = Service(binary, "crashsoon", [], before)
    status, r = s.end(None)
    say(status == 2 and r["verdict"]["outcome"] == "crashed", "a crash is a crash", (status, s.detail(r)))


@claims("--restart on-crash")
def restart(say, binary, endpoint):
    s = Service(binary, "crashsoon", ["--restart", "on-crash", "--restart-delay", "200ms"], endpoint=endpoint)
    # A machine that is too busy to let it crash within two seconds has it begin anew once.
    say(s.wait_for(r"(?s)crash (\d).*again in 0.20s.*again in 0.40s.*again in 0.80s.*again in 1.60s"), "backs off, each time twice as long", s.said())
    s.wait_for(r"(?s)again in 1.60s.*crash \d")
    crashes = s.said().count("panic: crash soon")
    status, r = s.end()
    f = r["findings"][0]
    say(r["verdict"]["outcome"] == "crashed" and f["cause"] == "go.panic" and 5 <= f["count"] <= crashes + 1 and causes(r).count("go.panic") == 1, "every crash counts, as one finding", s.detail(r))
    say(len(s.alerts(1)) == 1, "a crash loop is one alert", [q.body[:200] for q in s.alerts()])
    say(len([p for p in s.snapshots() if s.manifest(p)["reason"] == "crash"]) == 1, "and one snapshot", s.snapshots())
    s = Service(binary, "exit3", ["--restart", "on-crash"])
    status, r = s.end(None)
    say(status == 3 and "started again" not in s.said(), "a plain exit status is no crash", s.said())
    s = Service(binary, "", ["--restart", "on-crash", "--restart-delay", "50ms"])
    s.ask("/healthz")
    s.ask("/crash")
    time.sleep(0.3)
    say(s.ask("/healthz") == "ok\n", "it is there again", s.said())
    status, r = s.end()
    say(status == 143 and r["verdict"]["outcome"] == "passed" and causes(r) == ["go.panic"], "and passes in the end, its crash told", s.detail(r))


@claims("output")
def output(say, binary, endpoint):
    s = Service(binary, "chatter")
    s.ask("/healthz")
    worst = 0.0
    for _ in range(20):
        size = os.path.getsize(s.out.name)
        begin = time.perf_counter()
        s.ask("/line")
        while os.path.getsize(s.out.name) == size and time.perf_counter() - begin < 5:
            time.sleep(0.0005)
        worst = max(worst, time.perf_counter() - begin)
    say(worst < 1, "comes without delay", f"{worst:.3f}s")
    s.ask("/much")
    s.end()
    want = "".join(f"line {i}\n" for i in range(20)) + "".join(f"{i:08d} {'x' * 190}\n" for i in range(50000))
    say(s.said("out") == want, "and byte for byte, 10 MB of it", (len(s.said("out")), len(want)))


@claims("what was only printed")
def printed(say, binary, endpoint):
    s = Service(binary, "prints")
    s.ask("/healthz")
    s.ask("/prints")
    time.sleep(3)
    status, r = s.end()
    say(r["verdict"]["outcome"] == "passed" and "go.panic" not in causes(r), "is no crash: the service lives", s.detail(r))


@claims("snapshots")
def budget(say, binary, endpoint):
    s = Service(binary, "", ["--snapshot-budget", "20K", "--snapshots", os.path.join(TMP, "snaps-" + str(os.getpid()) + "-" + os.path.basename(os.path.dirname(binary)))])
    folder = s.flags[3]
    s.ask("/healthz")
    seen = set()
    for i in range(6):
        s.process.send_signal(signal.SIGUSR1)
        s.wait_for(r"(?s)(tocsin: snapshot .*){%d}" % (i + 1))
        seen |= set(os.listdir(folder))
    left = {n for n in os.listdir(folder) if not n.startswith(".")}
    size = sum(os.path.getsize(f) for n in left for f in glob.glob(os.path.join(folder, n, "*")))
    say(len(seen) == 6 and 0 < len(left) < 6 and left == set(sorted(seen)[-len(left):]) and size <= 20 << 10, "on SIGUSR1, within their budget: the oldest go", (seen, left, size, s.said()))
    modes = {oct(os.stat(f).st_mode & 0o777) for n in left for f in glob.glob(os.path.join(folder, n, "*"))}
    say(modes == {"0o600"}, "are for their owner only", modes)
    status, r = s.end()
    say(r["verdict"]["outcome"] == "passed", "SIGUSR1 does not reach the service", s.detail(r))


@claims("many different panics")
def many(say, binary, endpoint):
    s = Service(binary, "", ["--no-store"])
    s.ask("/healthz")
    s.ask("/many?n=300")
    time.sleep(0.5)
    before = rss(s.process.pid)
    for _ in range(4):
        s.ask("/many?n=3000", timeout=30)
    time.sleep(1)
    after = rss(s.process.pid)
    status, r = s.end()
    say(len(r["findings"]) == 200 and any("200" in x for x in r["limits"]), "are bounded, and that is said", (len(r["findings"]), r["limits"]))
    say(after - before < 16 << 10, "memory stays where it is", f"{before} KiB, then {after} KiB")


def rss(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def refused():
    for flags, words in ((["--retry", "2"], "--retry is for commands that end"), (["--pprof", "http://192.0.2.1:6060"], "not on this machine's loopback"), (["--pprof", "ftp://x"], "not an address"),
                         (["--snapshot-budget", "lots"], "not a size"), (["--on-hang", "end"], "needs --stall or --health"), (["--format", "dots"], "--format is for commands that end"),
                         (["--health", "https://x/"], "not an address such as")):
        p = subprocess.run([TOCSIN, "run", "--service", *flags, "--", "true"], capture_output=True, text=True, env=dict(BASE, XDG_STATE_HOME=os.path.join(TMP, "refused")), check=False, timeout=30)
        check(p.returncode in (2, 125) and words in p.stderr, f"refused: {' '.join(flags)}", (p.returncode, p.stderr))
    p = subprocess.run([TOCSIN, "run", "--restart", "on-crash", "--", "true"], capture_output=True, text=True, env=BASE, check=False, timeout=30)
    check(p.returncode == 2 and "--restart needs --service" in p.stderr, "refused: --restart without --service", p.stderr)


def one(go, name, f, binary, endpoint):
    said = []
    try:
        f(lambda ok, text, detail="": said.append((ok, f"{go}: {name} {text}", detail)), binary, endpoint)
    except Exception as e:  # pylint: disable=broad-except
        said.append((False, f"{go}: {name}: the test itself", repr(e)))
    with CHECK_LOCK:
        for ok, text, detail in said:
            check(ok, text, detail)


def main():
    only = sys.argv[1:]
    gos = [g for g in GOS if os.access(g[1], os.X_OK)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        binaries = dict(zip([g[0] for g in gos], pool.map(build, gos)))
    try:
        with Endpoint() as endpoint, concurrent.futures.ThreadPoolExecutor(int(os.environ.get("JOBS", "6"))) as pool:
            waits = [pool.submit(one, go, name, f, binary, endpoint) for name, f in CHECKS for go, binary in binaries.items() if not only or f.__name__ in only]
            for w in waits:
                w.result()
        if not only:
            refused()
    finally:
        shutil.rmtree(TMP, ignore_errors=True)
    done()


main()
