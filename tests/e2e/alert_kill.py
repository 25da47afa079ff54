#!/usr/bin/env python3
# suite: release-only
# suite: limit 600
# suite: takes 25
"""SIGKILL of `tocsin run`, of `tocsin deliver` and of the endpoint, at random moments: no alert that was committed is lost.

alert_kill.py [ROUNDS [JOBS]]: so many rounds, by so many processes side by side. Each has blocks of rounds with an outbox of
their own. In a round a real run fails, and somebody is killed; then the outbox is read as it is. At the end of a block all
is killed, and what is still owed is sent. What the endpoint heard stands in a file that outlives it.
"""
import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
sys.dont_write_bytecode = True
from endpoint import provider  # noqa: E402
from tap import FULL, TOCSIN, check, done  # noqa: E402

SEED = int(os.environ.get("TOCSIN_TEST_SEED", "20261121"))
ROUNDS = int(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("TOCSIN_TEST_ROUNDS", 1000 if FULL else 36))
JOBS = int(sys.argv[2] if len(sys.argv) > 2 else 2)
BLOCK = 50
LIMIT = 60.0  # seconds a run may take
TMP = tempfile.mkdtemp(prefix="tocsin-alert-kill-")
GOCACHE = subprocess.run(["go", "env", "GOCACHE"], capture_output=True, text=True, check=True).stdout.strip()
VICTIMS = ("run", "deliver", "endpoint")

# name: (type, path, what it knows a message by, more lines); template_body has the alert's id where the payload itself has none
TEMPLATE = '    template_body: "alert={{id}} kind={{kind}}"\n'
CHANNELS = {
    "hook": ("webhook", "/hook", "webhook-id", "    format: standard\n    secret: env:HOOK_SECRET\n"),
    "events": ("cloudevents", "/cloudevents", "source and id", ""),
    "pager": ("pagerduty", "/v2/enqueue", "dedup_key", "    secret: env:PAGER_SECRET\n"),
    "ding": ("dingtalk", "/robot/send?access_token=robot", "msgUuid", TEMPLATE),
    "team": ("wecom", "/cgi-bin/webhook/send?key=robot", None, TEMPLATE),
    "chat": ("slack", "/services/T/B/robot", None, TEMPLATE),
    "many": ("webhook", "/many", "webhook-id", "    format: standard\n    secret: env:HOOK_SECRET\n"),  # gathered into digests
}
GATHERED = "many"
KEYED = [n for n, c in CHANNELS.items() if c[2]]
SINGLE = [n for n in CHANNELS if n != GATHERED]

# A go that prints what `go test -json` prints: one package fails at once, another one takes its time.
FAKE_GO = r"""#!/bin/sh
case "$1" in
test) ;;
version) echo go version go1.22.0 linux/amd64; exit 0 ;;
*) exit 0 ;;
esac
p=example.com/m/broken q=example.com/m/slow t=$ALERT_KILL_TEST
if [ -n "$ALERT_KILL_PASS" ]; then exit 0; fi
say() { printf '{"Time":"2026-11-21T10:00:00.000000001Z","Action":"%s","Package":"%s"%s}\n' "$1" "$2" "$3"; }
say start $p; say start $q
say run $p ",\"Test\":\"$t\""
say output $p ",\"Test\":\"$t\",\"Output\":\"=== RUN   $t\\n\""
say output $p ",\"Test\":\"$t\",\"Output\":\"    x_test.go:9: it broke\\n\""
say output $p ",\"Test\":\"$t\",\"Output\":\"--- FAIL: $t (0.00s)\\n\""
say fail $p ",\"Test\":\"$t\",\"Elapsed\":0"
say output $p ",\"Output\":\"FAIL\\n\""
say output $p ",\"Output\":\"FAIL\\t$p\\t0.001s\\n\""
say fail $p ",\"Elapsed\":0.001"
sleep $ALERT_KILL_SLEEP
say run $q ',"Test":"TestSlow"'
say output $q ',"Test":"TestSlow","Output":"--- PASS: TestSlow (0.01s)\n"'
say pass $q ',"Test":"TestSlow","Elapsed":0.01'
say pass $q ',"Elapsed":0.01'
exit 1
"""
REAL_TEST = """package %s

import (
	"os"
	"testing"
	"time"
)

func TestOf(t *testing.T) {
	time.Sleep(%d * time.Millisecond)
	%s
	_ = os.Getenv
}
"""


# ---- the endpoint: a process of its own, which can be killed ----

class Server:
    """Answers as the providers do; each request stands in the file before it is answered."""

    def __init__(self, port, log, seed):
        self.log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.random = random.Random(seed)
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", port))
        self.socket.listen(64)

    def serve(self):
        while True:
            sock, _ = self.socket.accept()
            threading.Thread(target=self.talk, args=(sock,), daemon=True).start()

    def talk(self, sock):
        with contextlib.suppress(OSError, ValueError), sock, sock.makefile("rb") as f:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while self.one(sock, f):
                pass

    def one(self, sock, f):
        line = f.readline()
        if not line:
            return False
        path, headers = line.split()[1].decode(), {}
        for line in iter(f.readline, b"\r\n"):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", 0))
        body = f.read(length)
        if len(body) < length:
            return False
        time.sleep(self.random.choice((0, 0.002, 0.015)))
        os.write(self.log, json.dumps({"path": path, "webhook-id": headers.get("webhook-id"), "body": body.decode("utf-8", "replace")}).encode() + b"\n")
        time.sleep(self.random.choice((0, 0.002, 0.015, 0.05)))  # it has it; nobody knows
        _, _, status, kind, text = provider(path)
        head = f"HTTP/1.1 {status} OK\r\n" + (f"Content-Type: {kind}\r\n" if kind else "") + (f"Content-Length: {len(text)}\r\n" if status != 204 else "")
        sock.sendall(f"{head}\r\n{text}".encode())
        return True


class Endpoint:
    """The process; the same port whenever it comes back."""

    def __init__(self, log):
        self.log, self.pid, self.at = log, 0, 0.0
        probe = socket.create_server(("127.0.0.1", 0))
        self.port = probe.getsockname()[1]
        probe.close()

    def start(self):
        if self.pid:
            return
        self.pid = os.fork()
        if self.pid == 0:
            try:
                Server(self.port, self.log, time.time_ns()).serve()
            finally:
                os._exit(1)

    def kill(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0

    def messages(self):
        with contextlib.suppress(FileNotFoundError), open(self.log, encoding="utf-8") as f:
            for line in f:
                yield json.loads(line)


def known_by(channel, m):
    """(the alert, what the channel knows the message by) of a message."""
    body = json.loads(m["body"])
    if channel in ("hook", GATHERED):
        return body["data"]["id"], m["webhook-id"]
    if channel == "events":
        return body["id"], body["source"] + " " + body["id"]
    if channel == "pager":
        return body["dedup_key"], body["dedup_key"]  # of all alerts about one thing
    found = re.search(r"alert=([0-9A-Z]{26})", m["body"])
    return found.group(1) if found else None, body.get("msgUuid")


# ---- one outbox ----

class Row:
    """What the outbox says of one alert and channel."""

    def __init__(self, r):
        self.id, self.channel, self.state, self.attempts, self.next, body, self.error = r
        self.final = self.state in ("delivered", "misconfigured", "dead") or (self.state == "ambiguous" and not self.next)
        alert = json.loads(body)["alert"]
        self.alert, self.key, self.kind, self.early = alert["id"], alert["key"], alert["kind"], alert["early"]
        self.test = next((i["test"] for i in alert.get("items") or [] if i.get("test")), None)


class Site:
    """Rounds with one outbox, one configuration and one endpoint."""

    def __init__(self, name, seed):
        self.dir = os.path.join(TMP, name)
        self.random, self.name, self.wrong = random.Random(seed), name, []
        self.seen, self.promised = {}, []  # id: Row as it was last seen; (test, channel) of runs that ended by themselves
        self.hits = dict.fromkeys(VICTIMS, 0)
        self.tally = dict.fromkeys(("rows", "delivered", "ambiguous", "messages", "keyed", "unkeyed", "digests", "killed while sending", "run killed before it owed", "told early only"), 0)
        self.span = {"fake": 0.2, "real": 3.0}
        for folder in ("bin", "real/broken", "real/slow"):
            os.makedirs(os.path.join(self.dir, folder))
        self.endpoint = Endpoint(os.path.join(self.dir, "heard"))
        self.outbox = os.path.join(self.dir, "outbox.db")
        self.write()
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "TOCSIN_", "CI_", "GIT_")) and k not in ("CI", "FORCE_COLOR")
                    and not k.lower().endswith("_proxy")}
        self.env.update(LC_ALL="C.UTF-8", HOME=self.dir, TMPDIR=self.dir, XDG_CONFIG_HOME=self.dir + "/none", XDG_STATE_HOME=self.dir + "/state",
                        XDG_CACHE_HOME=TMP + "/cache", TOCSIN_OUTBOX=self.outbox, TOCSIN_CONFIG=self.dir + "/alerts.yaml", GOFLAGS="-mod=mod", GOTOOLCHAIN="local",
                        GOPROXY="off", GOCACHE=GOCACHE, HOOK_SECRET="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", PAGER_SECRET="0123456789abcdef0123456789abcdef")
        self.env.update(self.urls(""))

    def urls(self, which):
        """Robots are limited to some messages a minute: nobody can wait for that, so there are several."""
        return {n.upper() + "_URL": f"http://127.0.0.1:{self.endpoint.port}{path}{which if path.endswith('robot') else ''}" for n, (_, path, _, _) in CHANNELS.items()}

    def write(self):
        def put(name, text, mode=0o600):
            path = os.path.join(self.dir, name)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            os.chmod(path, mode)

        put("bin/go", FAKE_GO, 0o700)
        put("real/go.mod", "module example.com/m\n\ngo 1.19\n")
        put("real/broken/x_test.go", REAL_TEST % ("broken", 0, "t.Run(os.Getenv(\"ALERT_KILL_TEST\"), func(t *testing.T) { t.Error(\"it broke\") })"))
        put("real/slow/x_test.go", REAL_TEST % ("slow", 300, ""))
        text = "channels:\n"
        for n, (kind, _, _, more) in CHANNELS.items():
            text += f"  - name: {n}\n    type: {kind}\n    url: env:{n.upper()}_URL\n{more}"
        text += f"routes:\n  - to: [{', '.join(SINGLE)}]\n    repeat: 0s\n  - to: [{GATHERED}]\n    level: L2\n    group: 1s\n    repeat: 0s\n"
        put("alerts.yaml", text)

    def bad(self, what):
        self.wrong.append(f"{self.name}: {what}")

    # -- who is there --

    def deliverers(self):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
                if b"deliver" in words and self.outbox.encode() in words:
                    found.append(int(pid))
        return found

    def kill_deliverers(self):
        """All of them, also one that has just been started. How many."""
        pids = self.deliverers()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(pids)

    def rows(self):
        """What is committed, read without touching it: whoever opens it next finds it as the killed ones left it."""
        if not os.path.exists(self.outbox):
            return []
        for _ in range(200):
            db = sqlite3.connect(f"file:{self.outbox}?mode=ro", uri=True, timeout=20)
            try:
                return [Row(r) for r in db.execute("SELECT id, channel, state, attempts, next_attempt, body, error FROM alert ORDER BY created, id")]
            except sqlite3.OperationalError as e:
                if "no such table" in str(e) or "unable to open" in str(e):
                    return []  # killed before the first alert
                time.sleep(0.05)
            finally:
                db.close()
        raise RuntimeError(f"{self.outbox} cannot be read")

    def look(self, n):
        """Nothing that was there is gone, and what is final stays so."""
        now = {r.id: r for r in self.rows()}
        for i, r in self.seen.items():
            if i not in now:
                self.bad(f"round {n}: row {i} ({r.channel}, {r.state}) is gone")
            elif r.final and now[i].state != r.state:
                self.bad(f"round {n}: row {i} ({r.channel}) was {r.state} and is {now[i].state}")
        self.seen = now
        return now

    # -- a round --

    def start(self, n, real, **more):
        env = dict(self.env, ALERT_KILL_TEST=f"TestRound{n}", ALERT_KILL_SLEEP=str(round(self.random.choice((0, 0.03, 0.1)), 2)))
        env.update(self.urls(f"-{n % 4}"), **more)
        if not real:
            env["PATH"] = self.dir + "/bin:" + env["PATH"]
        return subprocess.Popen([TOCSIN, "run", "--format", "pkgname", "--", "go", "test", "-count=1", "./..."], cwd=self.dir + ("/real" if real else ""), env=env,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def strike(self, victim, p, span):
        """Kill it at a random moment of the time it usually has. Was it hit?"""
        time.sleep(self.random.uniform(0, span))
        if victim == "run":
            hit = p.poll() is None
            p.kill()
            return hit
        if victim == "endpoint":
            self.endpoint.kill()
            time.sleep(self.random.uniform(0, 0.15))
            return True
        until = time.monotonic() + 2
        hit = self.kill_deliverers()
        while not hit and time.monotonic() < until:
            time.sleep(self.random.uniform(0, 0.02))
            hit = self.kill_deliverers()
        return hit > 0

    def play(self, n, victim, real):
        self.endpoint.start()
        began = time.monotonic()
        p = self.start(n, real)
        usual = self.span["real" if real else "fake"]
        hit = victim is not None and self.strike(victim, p, usual if victim == "run" else usual * 1.6)
        if hit:
            self.hits[victim] += 1
        try:
            status = p.wait(LIMIT)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            self.bad(f"round {n}: the run hung after {victim} was killed")
            return
        if victim is None:
            self.span["real" if real else "fake"] = time.monotonic() - began
        now = self.look(n)
        if status >= 0:
            self.owes(n, now, status, victim)
        self.tally["killed while sending"] += hit and victim == "deliver" and any(r.state == "leased" for r in now.values())
        self.tally["run killed before it owed"] += hit and victim == "run" and not any(r.test and f"TestRound{n}" in r.test.split("/") for r in now.values())
        self.endpoint.start()

    def owes(self, n, now, status, victim):
        """It ended by itself: all that it owes is in the outbox."""
        name = f"TestRound{n}"
        mine = [r for r in now.values() if r.test and name in r.test.split("/")]
        if status != 1:
            self.bad(f"round {n}: exit status {status} though only {victim} was killed")
        for c in CHANNELS:
            if not any(r.channel == c and not r.early for r in mine):
                self.bad(f"round {n}: the run ended by itself and owes nothing to {c}: {[(r.channel, r.kind, r.early) for r in mine]}")

    # -- the end --

    def age(self):
        """As if hours had passed, for what waits for its next attempt. What is leased stays as it is."""
        db = sqlite3.connect(self.outbox, timeout=30)
        with db:
            db.execute("UPDATE alert SET next_attempt = ? WHERE state = 'pending' OR (state = 'ambiguous' AND next_attempt > 0)", (time.time_ns() - 1,))
        db.close()

    def drain(self):
        while self.kill_deliverers():
            time.sleep(0.01)
        self.endpoint.start()
        for n in range(60):
            if n:
                self.age()
            r = subprocess.run([TOCSIN, "deliver", "--once"], cwd=self.dir, env=dict(self.env, **self.urls(f"-end{n}")), capture_output=True, text=True, check=False,
                               timeout=120)
            if r.returncode not in (0, 1):
                self.bad(f"deliver --once: {r.returncode} {r.stderr}")
            now = self.look("end")
            if all(r.final for r in now.values()):
                return
        self.bad("not all is in a final state: " + repr([(r.id, r.channel, r.state, r.error) for r in now.values() if not r.final][:5]))

    def judge(self):
        rows = list(self.seen.values())
        came = {c: [] for c in CHANNELS}
        for m in self.endpoint.messages():
            channel = next(c for c in CHANNELS if m["path"].startswith(CHANNELS[c][1]))
            came[channel].append((*known_by(channel, m), m))
        for r in rows:
            if r.state not in ("delivered", "ambiguous"):
                self.bad(f"{r.channel}: alert {r.alert} is {r.state}: {r.error}")
            if r.state == "ambiguous" and r.channel in KEYED:
                self.bad(f"{r.channel} knows its messages, and {r.alert} is ambiguous: {r.error}")
        for c in SINGLE:
            self.judge_channel(c, [r for r in rows if r.channel == c], came[c])
        self.judge_digests([r for r in rows if r.channel == GATHERED], came[GATHERED])
        self.tally["rows"] += len(rows)
        self.tally["delivered"] += sum(r.state == "delivered" for r in rows)
        self.tally["ambiguous"] += sum(r.state == "ambiguous" for r in rows)
        self.tally["messages"] += sum(map(len, came.values()))
        tests = {}
        for r in rows:
            tests.setdefault(r.test, []).append(r.early)
        self.tally["told early only"] += sum(all(t) for t in tests.values())
        db = sqlite3.connect(self.outbox, timeout=30)
        sound = db.execute("PRAGMA integrity_check").fetchall()
        db.close()
        if sound != [("ok",)]:
            self.bad(f"integrity_check: {sound[:5]}")

    def judge_channel(self, channel, rows, came):
        """Each alert that is delivered came, alone or in a digest, which says how many it stands for."""
        want = {(r.key if channel == "pager" else r.alert): r for r in rows}
        counts, keys, digests = {}, {}, {}
        for alert, key, m in came:
            if "kind=digest" in m["body"]:
                n = int(re.search(r"\b(\d+) alerts", m["body"]).group(1))
                digests[key or alert] = n
                self.tally["digests"] += 1
                continue
            counts[alert] = counts.get(alert, 0) + 1
            keys.setdefault(alert, set()).add(key)
            if alert not in want:
                self.bad(f"{channel}: a message about nothing that was owed: {alert} {m['body'][:300]}")
        for alert, k in keys.items():
            if channel in KEYED and (len(k) != 1 or None in k):
                self.bad(f"{channel}: {alert} came under several keys, or none: {k}")
        missing = [a for a, r in want.items() if r.state == "delivered" and a not in counts]
        together, again = sum(digests.values()), sum(counts.values()) - len(counts)
        if len(missing) > together or (channel in KEYED and len(missing) != together):
            self.bad(f"{channel}: {len(missing)} alerts are delivered and did not come alone; digests stand for {together}: {missing[:5]}")
        if channel in KEYED:
            self.tally["keyed"] += again
        else:
            self.tally["unkeyed"] += again + together - len(missing)

    def judge_digests(self, rows, came):
        """A digest stands for rows by their number: what differs by its key may not stand for one twice."""
        by_key = {}
        for _, key, m in came:
            body = json.loads(m["body"])["data"]
            digest = body["kind"] == "digest"
            n = sum(i["count"] or 1 for i in body["items"]) + (body.get("more") or 0) if digest else 1
            self.tally["keyed"] += key in by_key
            if by_key.setdefault(key, n) != n:
                self.bad(f"{GATHERED}: {key} stood for {by_key[key]} alerts, then for {n}")
            self.tally["digests"] += digest
        if sum(by_key.values()) != len(rows):
            self.bad(f"{GATHERED}: {len(rows)} alerts were owed, and its messages stand for {sum(by_key.values())}")

    def close(self):
        self.endpoint.kill()
        while self.kill_deliverers():
            time.sleep(0.01)


def block(name, first, count, real_every):
    """One outbox from its first round to the end. What came of it."""
    site = Site(name, SEED * 1000 + first)
    try:
        for n in (100000, 100001, 100002):
            site.play(n, None, False)
        for n in range(first, first + count):
            real = real_every and n % real_every == 0
            if real and site.span["real"] == 3.0:
                site.play(200000 + n, None, True)
            site.play(n, VICTIMS[n % 3], real)
            if site.random.random() < 0.3:
                time.sleep(site.random.uniform(0, 0.4))
        site.drain()
        site.judge()
    finally:
        site.close()
    return {"wrong": site.wrong, "hits": site.hits, "tally": site.tally, "rounds": count}


def worker(number, tasks):
    """A process of its own: its answers go to a file."""
    with open(os.path.join(TMP, f"answer-{number}"), "w", encoding="utf-8") as f:
        for t in tasks:
            f.write(json.dumps(block(*t)) + "\n")
            f.flush()


# ---- what nobody's time is bent for ----

def wait_for(good, seconds=20):
    until = time.monotonic() + seconds
    while not good() and time.monotonic() < until:
        time.sleep(0.005)
    return good()


def states(site):
    return [(r.channel, r.kind, r.early, r.state, r.error) for r in site.rows()]


@contextlib.contextmanager
def place(name):
    site = Site(name, SEED)
    site.endpoint.start()
    try:
        yield site
    finally:
        site.close()


def soon():
    """The deliverer is killed while it sends, and nobody owes anything new: the next run, one that passes, wakes another."""
    with place("soon") as site:
        p = site.start(1, False)
        wait_for(lambda: any(r.state == "leased" for r in site.rows()))
        p.wait(LIMIT)
        while site.kill_deliverers():
            time.sleep(0.01)
        check(any(not r.final for r in site.rows()), "the deliverer was killed with alerts under way", states(site))
        began = time.monotonic()
        r = subprocess.run([TOCSIN, "run", "--", "true"], cwd=site.dir, env=site.env, capture_output=True, text=True, check=False, timeout=LIMIT)
        good = wait_for(lambda: all(x.state == "delivered" for x in site.rows()))
        check(good and r.returncode == 0, "a run that passes wakes a deliverer, which sends what the killed one had", states(site) + [r.stderr])
        print(f"# what a killed deliverer had was delivered {time.monotonic() - began:.1f} s after the next run began", flush=True)


def forsaken():
    """The run is killed after its early alert: that one is delivered, and when the same command passes, it is over."""
    with place("forsaken") as site:
        p = site.start(1, False, ALERT_KILL_SLEEP="30")
        early = wait_for(lambda: any(r.early for r in site.rows()), 40)
        time.sleep(0.05)
        p.kill()
        p.wait()
        check(early, "the early alert is owed while the run goes on", states(site))
        check(wait_for(lambda: all(r.state == "delivered" for r in site.rows())), "and delivered though the run is killed", states(site))
        p = site.start(1, False, ALERT_KILL_PASS="1")
        p.wait(LIMIT)
        over = wait_for(lambda: {r.channel for r in site.rows() if r.kind == "recovered"} >= set(SINGLE) and all(r.state == "delivered" for r in site.rows()))
        check(over, "the next run of the same command, which passes, says that it is over", states(site))


def frozen():
    """The deliverer does not answer: nobody waits for it, and what is owed goes when it wakes, or is killed."""
    for how, sig in (("wakes", signal.SIGCONT), ("is killed", signal.SIGKILL)):
        with place("frozen-" + how.replace(" ", "-")) as site:
            site.start(1, False).wait(LIMIT)
            wait_for(lambda: all(r.state == "delivered" for r in site.rows()))
            time.sleep(1)  # not in the middle of a transaction: that lock would be a frozen outbox
            pids = site.deliverers()
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            began = time.monotonic()
            status = site.start(2, False).wait(LIMIT)
            took = time.monotonic() - began
            rows = [r for r in site.rows() if r.test == "TestRound2" and not r.early]
            check(len(pids) == 1 and status == 1 and took < 10 and len(rows) == len(CHANNELS), f"the deliverer is frozen: a run ends, and owes ({how})", (pids, status, took, states(site)))
            for pid in pids:
                os.kill(pid, sig)
            check(wait_for(lambda: all(r.state == "delivered" for r in site.rows())), f"and all is delivered when it {how}", states(site))


def parallel():
    rounds = list(range(1, ROUNDS + 1, BLOCK if ROUNDS > BLOCK else max(1, -(-ROUNDS // JOBS))))
    size = rounds[1] - rounds[0] if len(rounds) > 1 else ROUNDS
    real_every = 40 if FULL or ROUNDS >= 100 else 30
    tasks = [(f"block{first}", first, min(size, ROUNDS + 1 - first), real_every) for first in rounds]
    pids = {}
    for j in range(JOBS):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                worker(j, tasks[j::JOBS])
                code = 0
            except BaseException as e:  # noqa: B902
                import traceback
                traceback.print_exc()
                print(f"# worker {j}: {e!r}", file=sys.stderr, flush=True)
            finally:
                os._exit(code)
        pids[pid] = j
    failed = [pids[pid] for pid, status in (os.wait() for _ in range(JOBS)) if status]
    answers = []
    for j in range(JOBS):
        with open(os.path.join(TMP, f"answer-{j}"), encoding="utf-8") as f:
            answers += [json.loads(line) for line in f]
    return failed, answers


def main():
    began = time.monotonic()
    try:
        soon()
        forsaken()
        frozen()
        failed, answers = parallel()
    finally:
        if os.environ.get("TOCSIN_TEST_KEEP"):
            print("#", TMP)
        else:
            shutil.rmtree(TMP, ignore_errors=True)
    wrong = [w for a in answers for w in a["wrong"]]
    hits = {v: sum(a["hits"][v] for a in answers) for v in VICTIMS}
    tally = {k: sum(a["tally"][k] for a in answers) for k in answers[0]["tally"]} if answers else {}
    print(f"# seed {SEED}, {sum(a['rounds'] for a in answers)} rounds, {time.monotonic() - began:.0f} s; killed: {hits}", flush=True)
    print(f"# {tally}", flush=True)
    print(f"# duplicates where the channel has no idempotency key: {tally.get('unkeyed')}; sent again under the same key: {tally.get('keyed')}", flush=True)
    check(not failed, "no round was given up", failed)
    check(not wrong, f"{ROUNDS} rounds of SIGKILL: no committed alert is lost, what is delivered came, one key for one alert, the outbox is sound", "\n".join(wrong))
    check(sum(hits.values()) >= 0.8 * ROUNDS, "most of them hit somebody", hits)
    done()


main()
