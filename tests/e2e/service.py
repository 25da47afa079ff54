#!/usr/bin/env python3
# suite: limit 300
# suite: alone
"""tocsin run --service: real Go servers that panic, crash, deadlock, hang, spin, are told to end, and are process 1."""
import concurrent.futures
import glob
import http.server
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
from tap import SLOW, TOCSIN, check, done, skip  # noqa: E402

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

    def __init__(self, binary, mode="", flags=(), before=(), endpoint=None, env=None, supervised=True, config=None, args=None, stdout=None):
        with Service.lock:
            Service.count += 1
            self.dir = os.path.join(TMP, f"run-{Service.count}")
        os.mkdir(self.dir)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.report = os.path.join(self.dir, "report.json")
        self.state = os.path.join(self.dir, "state")
        self.env = dict(BASE, XDG_STATE_HOME=self.state, ADDR=f"127.0.0.1:{self.port}", **(env or {}))
        self.endpoint = endpoint if config is None else None
        if config is None and endpoint:
            config = f"channels:\n  - name: ops\n    type: webhook\n    url: {endpoint.http}/hook/{os.path.basename(self.dir)}/\n"
        if config:
            self.env["TOCSIN_CONFIG"] = os.path.join(self.dir, "config.yaml")
            with open(self.env["TOCSIN_CONFIG"], "w", encoding="utf-8") as f:
                f.write(config.format(url=self.url, dir=self.dir))
        self.flags = [f.replace("URL", self.url).replace("PORT", str(self.port)).replace("LOG", os.path.join(self.dir, "log")) for f in flags]
        self.out = open(os.path.join(self.dir, "out"), "wb")
        self.err = open(os.path.join(self.dir, "err"), "wb")
        self.process = subprocess.Popen([*before, TOCSIN, "run", *(["--service"] if supervised else []), "--report", self.report, *self.flags, "--", binary, *(args or ([mode] if mode else []))], cwd=self.dir,
                                        env=self.env, stdin=subprocess.DEVNULL, stdout=stdout or self.out, stderr=self.err)

    def child(self):
        """The process of the command."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as f:
            return int(f.read().split()[0])

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

    def stats(self):
        """What the library counts of this service."""
        return json.loads(subprocess.run([TOCSIN, "stats", "--json"], env=self.env, capture_output=True, check=True, timeout=60).stdout)

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
    counted = s.stats()
    say(counted["runs"] == 0 and counted["findings"] == 1 and counted["faults"] == 1, "is in the library at once, and is no run", counted)
    status, r = s.end()
    counted = s.stats()
    say(counted["runs"] == 1 and counted["outcomes"]["passed"] == 1 and counted["findings"] == 1, "the run is counted when it has ended, as one", counted)
    f = r["findings"][0] if r["findings"] else {}
    say(status == 0 and r["verdict"]["outcome"] == "passed" and causes(r) == ["go.panic.recovered"], "a service that ends when told to is passed", s.detail(r))
    say(f.get("count") == 3 and f["severity"] == "warning" and f["file"].endswith("main.go") and f["line"] and "main.broken" in f["excerpt"], "it is one finding, counted, with its place", s.detail(r))
    snaps = s.snapshots()
    names = [x["name"] for x in s.manifest(snaps[0])["files"]] if snaps else []
    say(len(snaps) == 1 and snaps[0] == f.get("snapshot") and {"proc.txt", "log.txt", "crash.txt", "goroutines.txt", "goroutine.pb.gz", "heap.pb.gz"} <= set(names), "its snapshot holds process, log, stack, goroutines and heap",
        (snaps, names))
    again = subprocess.run([TOCSIN, "explain", "--json"] + [os.path.join(d, "crash.txt") for d in snaps[:1]], stdout=subprocess.PIPE, timeout=60, check=False)
    e = json.loads(again.stdout.splitlines()[-1]) if again.stdout else {"findings": []}
    say(causes(e) == causes(r) and again.returncode == 0 and e["verdict"]["outcome"] is None and [e["findings"][0][k] for k in ("message", "line")] == [f["message"], f["line"]],
        "its stack reads as one that was recovered", again.stdout[:900])
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
    say(r["verdict"]["cause"] is None and [f["severity"] for f in r["findings"]] == ["warning"], "what did not end it is a warning of the run that passed", s.detail(r))


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
    counted = s.stats()
    say(counted["runs"] == 1 and counted["findings"] >= crashes - 1, "the loop is one run, each crash a finding of it", (counted, crashes))
    s = Service(binary, "crashonce", ["--restart", "on-crash", "--restart-delay", "50ms"])
    status, r = s.end(None)
    say(status == 0 and r["verdict"]["outcome"] == "unstable" and "go.panic" in causes(r), "that came to its end the second time is unstable", s.detail(r))
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


class Elsewhere:
    """A server that is none of ours, where net/http/pprof was meant to be."""
    def __enter__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if "/slow/" in self.path:
                    time.sleep(20)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(f"<html>{SECRET}</html>".encode())

            def log_message(self, *args):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *args: None
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        return self

    def __exit__(self, *args):
        self.server.shutdown()


@claims("--pprof at the wrong place")
def elsewhere(say, binary, endpoint):
    with Elsewhere() as other:
        s = Service(binary, "", ["--pprof", other.url])
        s.ask("/healthz")
        s.ask("/panic")
        s.wait_for("snapshot ")
        snaps = s.snapshots()
        files = {os.path.basename(f) for f in glob.glob(os.path.join(snaps[0], "*"))} if snaps else set()
        say(files == {"manifest.json", "proc.txt", "crash.txt", "log.txt"} and "none of net/http/pprof" in json.dumps(s.manifest(snaps[0])), "keeps nothing of what another server says", (files, s.said()))
        s.end()
        s = Service(binary, "", ["--pprof", other.url + "/slow/debug/pprof"])
        s.ask("/healthz")
        s.ask("/panic")
        say(s.wait_for("tocsin: go.panic.recovered", seconds=9), "and one that does not answer holds up nothing that is said", s.said())
        say(s.wait_for("tocsin: snapshot "), "the snapshot follows", s.said())
        s.end()


@claims("the way out")
def way_out(say, binary, endpoint):
    s = Service(binary, "badend", env={"GOTRACEBACK": "crash"})
    s.ask("/healthz")
    status, r = s.end()
    say(status == 134 and r["verdict"]["outcome"] == "crashed" and r["run"]["exit"]["signal"] == "SIGABRT" and causes(r) == ["go.nil_deref"], "by another signal than was passed on is a crash", (status, s.detail(r)))
    s = Service("/bin/sh", "", args=["-c", "trap '' TERM; echo deaf; while :; do sleep 0.2; done"])
    s.wait_for("deaf", "out")
    for _ in range(2):
        s.process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
    status, r = s.end()
    say(status == 137 and r["verdict"]["outcome"] == "killed" and r["run"]["exit"]["signal"] == "SIGKILL", "of one that is deaf ends with the third SIGTERM, and is not passed", (status, s.detail(r)))
    s = Service(binary, "chatter", stdout=subprocess.PIPE)
    s.ask("/healthz")
    threading.Thread(target=s.ask, args=("/much",), daemon=True).start()
    time.sleep(1)
    begin = time.monotonic()
    status, r = s.end()
    say(status == 143 and r["verdict"]["outcome"] == "passed" and time.monotonic() - begin < 9 and any("not read" in x for x in r["limits"]), "waits 5 s for a reader that does not read, and says so", (status, s.detail(r)))


@claims("--health at a name")
def named(say, binary, endpoint):
    s = Service(binary, "", ["--health", "http://no.such.host.invalid/healthz", "--stall", "60s"])
    say(s.wait_for("--health http://no.such.host.invalid/healthz: "), "that nobody knows is said at once", s.said())
    s.ask("/healthz")
    s.end()
    s = Service(binary, "", ["--health", "http://localhost:PORT/healthz", "--health-every", "400ms"])
    s.ask("/healthz")
    time.sleep(1.5)
    s.ask("/hang")
    say(s.wait_for("proc.stall: the health check fails"), "that has several addresses finds the one that answers", s.said())
    s.end()


@claims("tocsin.yaml")
def configured(say, binary, endpoint):
    s = Service(binary, "", config="health: {url}/healthz\nhealth_every: 600ms\npprof: {url}\nsnapshots: {dir}/kept\nsnapshot_budget: 1MiB\nretry: 2\nrerun_fails: 1\nmodules: true\nformat: dots\n")
    s.ask("/healthz")
    time.sleep(1.5)
    s.ask("/cross")
    say(s.wait_for("tocsin: (go.blocked|proc.stall): the health check|tocsin: go.blocked: .*health check fails"), "says what a hang is", s.said())
    status, r = s.end()
    kept = glob.glob(os.path.join(s.dir, "kept", "*", "goroutines.txt"))
    say(len(kept) == 1 and not s.snapshots(), "and where snapshots are kept; what is for commands that end does not refuse it", (kept, s.said()))
    p = subprocess.run([TOCSIN, "run", "--no-store", "--", "true"], env=s.env, cwd=s.dir, capture_output=True, text=True, check=False, timeout=60)
    say(p.returncode == 0 and "health" not in p.stderr + p.stdout, "is nothing to a command that ends", (p.returncode, p.stderr))


@claims("without --service")
def plain(say, binary, endpoint):
    s = Service(binary, "graceful", ["--log", "LOG"], supervised=False)
    for _ in range(2):
        s.ask("/panic")
    s.ask("/prints")
    os.kill(s.child(), signal.SIGTERM)
    status, r = s.end(None)
    found = [(f["cause"], f["severity"], f["file"], f["line"], f["message"], f["count"]) for f in r["findings"]]
    say(status == 0 and r["verdict"]["outcome"] == "passed" and [f[0] for f in found] == ["go.panic.recovered"] * 2 and found[0][5] == 2, "the panics that it recovered are warnings", s.detail(r))
    p = subprocess.run([TOCSIN, "explain", "--json", os.path.join(s.dir, "log")], cwd=s.dir, env=s.env, capture_output=True, check=False, timeout=60)
    again = [(f["cause"], f["severity"], f["file"], f["line"], f["message"], f["count"]) for f in json.loads(p.stdout)["findings"]]
    say(sorted(again) == sorted(found), "its saved log shows explain the same", (found, again))
    s = Service(binary, "graceful", ["--strict"], supervised=False)
    s.ask("/panic")
    os.kill(s.child(), signal.SIGTERM)
    status, r = s.end(None)
    say(status == 1 and r["verdict"]["cause"] == "go.panic.recovered", "fail it under --strict", s.detail(r))


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
    gos = [g for g in GOS if os.access(g[1], os.X_OK)][:1 if SLOW else 2]  # on the sanitizer build one go
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
