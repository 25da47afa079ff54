#!/usr/bin/env python3
# suite: limit 240
# suite: takes 12
"""tocsin probe PID, --all, --port and --serve on real processes of an old and a new Go: the file on disk beside the one that runs."""
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
sys.dont_write_bytecode = True
import goapp  # noqa: E402
import goproxy as gp  # noqa: E402
from tap import SLOW, TOCSIN, check, done  # noqa: E402

scratch = tempfile.TemporaryDirectory(prefix="tocsin-processes-")
TOP = os.path.realpath(scratch.name)
PROXY = goapp.proxy()
ASAN = os.environ.get("TOCSIN_TEST_BUILD") == "asan"  # keeps what was freed: its memory says nothing
ENV = dict({k: v for k, v in os.environ.items() if not k.startswith("TOCSIN")}, TOCSIN_LANG="en")


class Said:
    def __init__(self, *words, cwd=None, **env):
        got = subprocess.run([TOCSIN, "probe", *words], env=dict(ENV, **env), cwd=cwd or TOP, capture_output=True, text=True, check=False, timeout=60)
        self.status, self.out, self.text = got.returncode, got.stdout, (got.stdout + got.stderr)[-3000:]
        try:
            self.json = json.loads(got.stdout)
        except ValueError:
            self.json = {"processes": [], "findings": []}
        self.one = self.json["processes"][0] if self.json.get("processes") else {}
        self.causes = [(f["cause"], f["severity"]) for f in self.json.get("findings", [])]


def test_disk(a, plain, other):
    """same, written anew, replaced, gone: as the content is, not as times are."""
    run = a.at + "/out/run"
    shutil.copy(plain, run)
    p, port = a.start(run, GODEBUG="madvdontneed=1", GOGC="77", GOMAXPROCS="1", SECRET_TOKEN="hunter22hunter22", GOMEMLIMIT="100MiB")
    try:
        s = Said("--json", str(p.pid))
        check(s.status == 0 and s.one["disk"] == "same" and not s.one["deleted"] and s.one["executable"] == run and s.json["go"] == a.version, f"{a.version} the same file", s.text)
        check(s.one["runs"]["go"] == a.version and s.one["runs"]["revision"] == a.head and s.one["runs"]["module"] == "example.test/app", f"{a.version} what it was built from", s.text)
        check([x["port"] for x in s.one["ports"]] == [port] and s.one["ports"][0]["address"] == f"127.0.0.1:{port}", f"{a.version} where it listens", s.text)
        check({"GODEBUG=madvdontneed=1", "GOGC=77", "GOMAXPROCS=1", "GOMEMLIMIT=100MiB"} <= set(s.one["environment"]) and "hunter22" not in s.text, f"{a.version} the environment that matters, and nothing else of it", s.text)
        began = time.time() - time.mktime(time.strptime(s.one["started"], "%Y-%m-%dT%H:%M:%SZ")) + time.timezone
        check(-2 < began < 60 and s.one["cgroup"] and s.one["pid"] == p.pid, f"{a.version} its start and cgroup", (began, s.text))
        check(Said("--json", str(p.pid), cwd=a.at).one["behind"]["commits"] == 0, f"{a.version} in its tree: built from HEAD", s.text)
        os.link(run, run + ".bak")  # what runs keeps a name, but not this one
        shutil.copy(plain, run + ".new")
        os.rename(run + ".new", run)
        s = Said("--json", str(p.pid))
        check(s.status == 0 and s.one["disk"] == "rewritten" and s.one["deleted"] and s.one["executable"] == run and not s.causes, f"{a.version} another file of the same content is no finding", s.text)
        shutil.copy(other, run + ".new")
        os.rename(run + ".new", run)
        s = Said("--json", str(p.pid))
        check(s.status == 1 and s.one["disk"] == "replaced" and s.causes == [("act.stale_process", "error")] and s.one["on_disk"]["build_id"] != s.one["runs"]["build_id"], f"{a.version} another build is there: act.stale_process", s.text)
        for lang, words in (("en", ("replaced since", "listens", "environment", "started")), ("zh", ("之后被替换", "监听", "环境变量", "启动"))):
            shown = Said("--lang", lang, str(p.pid))
            check(shown.status == 1 and all(w in shown.text for w in words), f"{a.version} one process for people, {lang}", shown.text)
        everything = Said("--all", "--json")
        mine = [x for x in everything.json["processes"] if x["pid"] == p.pid]
        check(everything.status == 1 and mine and mine[0]["disk"] == "replaced", f"{a.version} --all has it too", everything.text)
        check(str(p.pid) in Said("--all").out and "replaced" in Said("--all").out, f"{a.version} --all for people", "")
        s = Said("--json", "--port", str(port))
        check([x["pid"] for x in s.json["processes"]] == [p.pid], f"{a.version} --port", s.text)
        s = Said("--json", "--expect", "func:main.big", "--expect", "go:" + a.version, str(p.pid))
        check(all(e["holds"] for e in s.json["expectations"]), f"{a.version} expectations are of what runs", s.text)
        os.remove(run)
        s = Said("--json", str(p.pid))
        check(s.status == 0 and s.one["disk"] == "gone" and s.causes == [("act.stale_process", "warning")], f"{a.version} no file is there any more: a warning", s.text)
    finally:
        p.communicate()
    check(Said(str(p.pid)).status == 2, f"{a.version} a process that has ended", "")


def test_no_build_id(a):
    flags = "-ldflags=-buildid=" + (" -B none" if int(a.version.split(".")[1]) >= 24 else "")
    one, two = a.build("bare1", flags), a.build("bare2", flags, "-tags", "extra")
    run = a.at + "/out/bare"
    shutil.copy(one, run)
    p, _ = a.start(run)
    try:
        shutil.copy(one, run + ".new")
        os.rename(run + ".new", run)
        s = Said("--json", str(p.pid))
        check(s.one["disk"] == "rewritten" and s.one["runs"]["build_id"] is None, f"{a.version} without a build ID the bytes are compared: alike", s.text)
        shutil.copy(two, run + ".new")
        os.rename(run + ".new", run)
        check(Said("--json", str(p.pid)).one["disk"] == "replaced", f"{a.version} and other bytes are another build", "")
    finally:
        p.communicate()


def test_behind(a, plain):
    p, _ = a.start(plain)
    try:
        for i in range(3):
            a.put("new.txt", f"{i}\n")
            a.commit(f"more {i}")
        s = Said("--json", str(p.pid), cwd=a.at)
        check(s.one["behind"]["commits"] == 3 and s.one["behind"]["ancestor"], f"{a.version} three commits behind the tree", s.text)
        s = Said("--json", "--against", a.at, str(p.pid))
        check(s.status == 1 and ("act.mismatch", "error") in s.causes, f"{a.version} --against of a process", s.text)
        check("commits behind HEAD" in Said("--against", a.at, str(p.pid)).out, f"{a.version} and for people", "")
    finally:
        p.communicate()


def test_others():
    p = subprocess.Popen(["sleep", "60"])
    try:
        s = Said(str(p.pid))
        check(s.status == 0 and "no Go program" in s.out, "a process that is none of Go's", s.text)
        s = Said("--json", "--expect", "func:main.main", str(p.pid))
        check(Said("--against", TOP + "/go0", str(p.pid)).status == 2, "and there is nothing to compare with a tree", "")
        check(s.status == 1 and s.causes and not s.json["expectations"][0]["holds"], "and no expectation of it holds", s.text)
    finally:
        p.kill()
        p.wait()
    check(Said("999999999").status == 2, "a number that nobody has", "")
    check(Said("--port", "70000").status == 2 and Said("--port", "1").status == 2, "a port that nobody listens on, and none at all", "")
    nobody = 65534
    if os.geteuid() == 0:
        pid = os.getpid()
        got = subprocess.run(["setpriv", f"--reuid={nobody}", "--clear-groups", TOCSIN, "probe", "--json", str(pid)], env=ENV, capture_output=True, text=True, check=False)
        fine = got.returncode in (0, 2) and "Traceback" not in got.stderr
        check(fine or "setpriv" in got.stderr, "somebody else's process that may not be read", got.stdout[-500:] + got.stderr[-500:])


# ---- the health endpoint ----

class Endpoint:
    def __init__(self, expect, pid):
        self.p = subprocess.Popen([TOCSIN, "probe", "--serve", "127.0.0.1:0", "--expect", expect, str(pid)], env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.port = int(self.p.stdout.readline().rsplit(":", 1)[1].rstrip("/\n"))

    def ask(self, method="GET", path="/", host=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        c.putrequest(method, path, skip_host=host is not None)
        if host:
            c.putheader("Host", host)
        c.endheaders()
        r = c.getresponse()
        body = r.read().decode()
        c.close()
        return r.status, r.headers, body

    def raw(self, data, wait=20):
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as s:
            s.sendall(data)
            got = b""
            try:
                while len(got) < 1 << 20:
                    piece = s.recv(65536)
                    if not piece:
                        break
                    got += piece
            except OSError:
                pass
            return got

    def rss(self):
        with open(f"/proc/{self.p.pid}/status", encoding="ascii") as f:
            return int(f.read().split("VmRSS:")[1].split()[0])


def hostile(e, name):
    bad = {"no request": b"\r\n\r\n", "garbage": os.urandom(3000) + b"\r\n\r\n", "no host": b"GET / HTTP/1.1\r\n\r\n", "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "bare LF": b"GET / HTTP/1.1\nHost: a\n\n",
           "folded": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n x: y\r\n\r\n", "blank before the colon": b"GET / HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n", "NUL": b"GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n"}
    for what, data in bad.items():
        got = e.raw(data)
        check(got.startswith(b"HTTP/1.1 400 "), f"{name}: {what} is 400", got[:200])
    check(e.raw(b"GET / HTTP/2.0\r\nHost: a\r\n\r\n").startswith(b"HTTP/1.1 505 "), f"{name}: another HTTP is 505", "")
    check(e.raw(b"GET / HTTP/1.1\r\nX: " + b"a" * 100000).startswith(b"HTTP/1.1 431 "), f"{name}: a head without end is 431", "")
    check(e.ask("POST")[0] == 405 and e.ask("DELETE")[0] == 405 and e.ask(path="/etc/passwd")[0] == 404, f"{name}: other methods and paths", "")
    check(e.ask(host="evil.example")[0] == 421 and e.ask(host=f"localhost:{e.port}")[0] == 200, f"{name}: another site's name is refused", "")
    body = e.raw(b"GET /healthz HTTP/1.0\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 200000)
    check(body.startswith(b"HTTP/1.1 200 "), f"{name}: a body is not read, and is answered", body[:100])


def slow(e, name):
    """More connections than there is room for, that say nothing: they are ended, and an honest one is answered."""
    before = e.rss()
    idle = [socket.create_connection(("127.0.0.1", e.port), timeout=20) for _ in range(150)]
    for s in idle:
        s.sendall(b"GET / HT")
    began = time.monotonic()
    status = e.ask()[0]
    check(status == 200 and time.monotonic() - began < 4, f"{name}: answered beside 150 connections that say nothing", status)
    for s in idle:
        s.close()
    asked = [threading.Thread(target=e.ask) for _ in range(100)]
    for t in asked:
        t.start()
    for t in asked:
        t.join()
    for _ in range(300):
        e.ask()
    check(ASAN or e.rss() < before + 4096, f"{name}: its memory does not grow", (before, e.rss()))


def test_serve(a, plain, other):
    run = a.at + "/out/served"
    shutil.copy(plain, run)
    a.put("out/serve.yaml", "functions: [main.big]\nwarn:\n  packages: [example.test/none]\n")
    a.put("out/wrong.yaml", "functions: [main.none]\n")
    p, _ = a.start(run)
    e, w = Endpoint(a.at + "/out/serve.yaml", p.pid), Endpoint(a.at + "/out/wrong.yaml", p.pid)
    try:
        status, headers, body = e.ask()
        check(status == 200 and json.loads(body)["active"] is True and headers["Content-Type"] == "application/json", f"{a.version} --serve: 200 when it is active", body)
        check(len(headers.get_all("Tocsin-Warning")) == 1 and "example.test/none" in headers["Tocsin-Warning"], f"{a.version} --serve: warnings are headers", headers)
        check(e.ask("HEAD")[2] == "" and e.ask(path="/healthz?x=1")[0] == 200, f"{a.version} --serve: HEAD, /healthz", "")
        status, _, body = w.ask()
        check(status == 503 and json.loads(body)["findings"][0]["cause"] == "act.not_linked", f"{a.version} --serve: 503 with the mismatch", body)
        shutil.copy(other, run + ".new")
        os.rename(run + ".new", run)
        status, headers, body = e.ask()
        check(status == 200 and any("act.stale_process" in h for h in headers.get_all("Tocsin-Warning")), f"{a.version} --serve: a new build on disk is a warning", body)
        if a.last:
            hostile(e, a.version)
            slow(e, a.version)
        p.communicate()
        status, _, body = e.ask()
        check(status == 503 and json.loads(body)["findings"][0]["rule"] == "process.ended", f"{a.version} --serve: 503 when the process has ended", body)
        e.p.send_signal(signal.SIGTERM)
        check(e.p.wait(10) == 0, f"{a.version} --serve: SIGTERM ends it, status 0", "")
    finally:
        for x in (e.p, w.p, p):
            if x.poll() is None:
                x.kill()
                x.wait()
    for words, why in ((["--serve", "0.0.0.0:0"], "--serve-anywhere"), (["--serve", "nowhere"], "no address"), (["--serve", "127.0.0.1:99999"], "no address"),
                       (["--serve", "127.0.0.1:0", "--json"], "nothing else")):
        s = Said(*words, "--expect", "clean", str(os.getpid()))
        check(s.status == 2 and why in s.text, f"{a.version} refused: {' '.join(words[1:])}", s.text)


def with_go(go, last):
    a = goapp.App(PROXY, TOP, f"go{last:d}", go)
    a.last, a.head = last, a.sh("git", "rev-parse", "HEAD").strip()
    plain, other = a.build("plain"), a.build("other", "-tags", "extra")
    test_disk(a, plain, other)
    test_no_build_id(a)
    test_serve(a, plain, other)
    test_behind(a, plain)


with PROXY:
    goes = gp.goes()
    if len(goes) == 1 or not SLOW:  # on the sanitizer build one go, with all that is looked at only once
        with_go(goes[-1], False)
    if len(goes) > 1:
        with_go(goes[0], True)
test_others()
done()
