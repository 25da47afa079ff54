#!/usr/bin/env python3
# suite: limit 300
# suite: takes 18
"""Alerts from the outbox to a channel: in the background, none lost, no secret seen. The endpoint misbehaves on demand."""
import concurrent.futures
import json
import os
import random
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
from tap import FULL, TOCSIN, check, done, side_by_side  # noqa: E402

SEED = int(os.environ.get("TOCSIN_TEST_SEED", "20261121"))
ROUNDS = int(os.environ.get("TOCSIN_TEST_ROUNDS", 300 if FULL else 12))
TMP = tempfile.mkdtemp(prefix="tocsin-alerts-")
SECRET = "SEC0123456789abcdef0123456789abcdef"
TOKEN = "canary7f3a9c5e1b2d4f60canary7f3a9c5e"
BASE = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "TOCSIN_", "CI_", "GIT_")) and k not in ("CI", "FORCE_COLOR")
        and not k.lower().endswith("_proxy")}
BASE.update(LC_ALL="C.UTF-8", HOME=TMP, TMPDIR=TMP, XDG_CONFIG_HOME=os.path.join(TMP, "config"))
STATES = ("pending", "leased", "delivered", "ambiguous", "misconfigured", "dead")


class Site:
    """An outbox and a configuration of their own."""

    def __init__(self, name, channels, routes=""):
        self.dir = os.path.join(TMP, name)
        self.template = None
        os.mkdir(self.dir)
        self.outbox = os.path.join(self.dir, "outbox.db")
        self.config = os.path.join(self.dir, "tocsin.yaml")
        self.env = dict(BASE, XDG_STATE_HOME=os.path.join(self.dir, "state"), TOCSIN_CONFIG=self.config, TOCSIN_OUTBOX=self.outbox)
        with open(self.config, "w", encoding="utf-8") as f:
            f.write("channels:\n" + channels + routes)

    def run(self, *args, env=None, **how):
        return subprocess.run([TOCSIN, *args], cwd=self.dir, env=dict(self.env, **(env or {})), capture_output=True, text=True, check=False, timeout=90, **how)

    def queue(self):
        return json.loads(self.run("alert", "queue", "--json", "--all").stdout)

    def wait(self, good, seconds=15):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            q = self.queue()
            if good(q["counts"]):
                return q
            time.sleep(0.1)
        return self.queue()

    def deliverer(self):
        """The process that has the lock."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    words = f.read().split(b"\0")
            except OSError:
                continue
            if b"deliver" in words and self.outbox.encode() in words:
                return int(pid)
        return None

    def end(self):
        pid = self.deliverer()
        if pid:
            os.kill(pid, signal.SIGKILL)

    def under_way(self):
        db = sqlite3.connect(self.outbox, timeout=30)
        try:
            return db.execute("SELECT count(*) > 0 FROM alert WHERE state = 'leased'").fetchone()[0]
        finally:
            db.close()

    def owe(self, n, name="ops", text="it broke"):
        """n rows such as `alert send` writes, and no deliverer: its own is ended, so that only the test's are at work. Their ids."""
        if not self.template:
            r = self.run("alert", "send", "-m", text, "--channel", name, "--wait", "0s", env={"OPS_URL": "http://127.0.0.1:9/nobody"})
            assert r.returncode in (0, 1), r.stderr
            while self.deliverer():
                self.end()
                time.sleep(0.02)
        db = sqlite3.connect(self.outbox, timeout=30)
        if not self.template:
            self.template = db.execute("SELECT run, body FROM alert").fetchone()
            db.execute("DELETE FROM alert")
        run, body = self.template
        now, ids = time.time_ns(), []
        for i in range(n):
            ids.append("01" + "".join(random.choice("0123456789ABCDEFGHJKMNPQRSTVWXYZ") for _ in range(24)))
            mine = json.loads(body)
            mine["alert"].update(id=ids[-1], summary=f"{text} {i}")
            db.execute("INSERT INTO alert(id, run, channel, state, attempts, next_attempt, lease_until, created, updated, body) VALUES (?,?,?,'pending',0,?,0,?,?,?)",
                       (ids[-1], run, name, now, now, now, json.dumps(mine).encode()))
        db.commit()
        db.close()
        return ids


def channel(url, kind="webhook", name="ops", more=""):
    return f"  - name: {name}\n    type: {kind}\n    url: {url}\n" + more


def delivered(n):
    return lambda c: c["delivered"] >= n and not c["pending"] and not c["leased"]


def seen(e, word):
    return [s for s in e.requests if word in s.path]


def in_the_background(e):
    s = Site("background", channel("env:OPS_URL", "dingtalk", more="    secret: env:OPS_SECRET\n"))
    url = e.http + f"/robot/send?access_token={TOKEN}"
    r = s.run("alert", "send", "-m", "the build broke", "--wait", "10s", env={"OPS_URL": url, "OPS_SECRET": SECRET})
    check(r.returncode == 0 and "1 of 1 alerts delivered" in r.stdout, "a message is owed, sent and confirmed", r.stdout + r.stderr)
    pid = s.deliverer()
    check(pid is not None, "a deliverer lives on")
    if pid:
        with open(f"/proc/{pid}/environ", "rb") as f:
            env = f.read()
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            line = f.read()
        check(TOKEN.encode() not in env + line and SECRET.encode() not in env + line, "neither its arguments nor its environment have a secret")
        fds = {os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")} if os.access(f"/proc/{pid}/fd", os.R_OK) else set()
        check(not any(x.startswith("pipe:") for x in fds), "it holds no pipe of ours", fds)
        stat = open(f"/proc/{pid}/stat", encoding="utf-8").read().rsplit(")", 1)[1].split()
        check(stat[4] == "0", "it has no terminal", stat)
        check(os.path.realpath(f"/proc/{pid}/cwd") == "/" or not os.access(f"/proc/{pid}/cwd", os.R_OK), "it stands in /")
    # another job, with another value by the same name
    r = s.run("alert", "send", "-m", "another job", "--wait", "10s", env={"OPS_URL": url + "x", "OPS_SECRET": SECRET})
    check(r.returncode == 0, "a deliverer that is there learns the secrets of another job", r.stdout + r.stderr)
    check(any(("access_token=" + TOKEN + "x") in q.path for q in e.requests), "and uses them for it")
    for folder, _, names in os.walk(s.dir):
        for n in names:
            path = os.path.join(folder, n)
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    data = f.read()
                check(TOKEN.encode() not in data and SECRET.encode() not in data, f"no secret is in {n}")
    mode = os.stat(s.outbox + ".sock").st_mode & 0o777 if os.path.exists(s.outbox + ".sock") else None
    check(mode == 0o600, "the socket beside the outbox is for its owner only", oct(mode or 0))
    s.end()


def classes(e):
    rows = [
        ("retry", "/do/status:503,ok/hook", "webhook", "pending"),
        ("config", "/do/status:404/hook", "webhook", "misconfigured"),
        ("payload", "/do/status:400/hook", "webhook", "dead"),
        ("degraded", "/do/status:400,ok/hook", "webhook", "delivered"),
        ("redirect", "/do/redirect/hook", "webhook", "misconfigured"),
        ("keyword", "/do/status:200:%7B%22errcode%22%3A310000%2C%22errmsg%22%3A%22keywords%20not%20in%20content%22%7D/robot/send?access_token=x", "dingtalk", "misconfigured"),
        ("hangs", "/do/hang/services/T/B/X", "slack", "ambiguous"),
    ]
    def one(row):
        name, path, kind, want = row
        s = Site("class-" + name, channel("env:OPS_URL", kind))
        env = {"OPS_URL": e.http + path}
        s.run("alert", "send", "-m", name, "--wait", "0s", env=env)
        end = time.monotonic() + 60
        a = s.queue()["alerts"][0]
        while time.monotonic() < end and not (a["state"] == want and (a["error"] or want == "delivered")):
            time.sleep(0.05)
            a = s.queue()["alerts"][0]
        ok = a["state"] == want and (want == "delivered" or a["error"])
        check(ok, f"{name}: {want}, with a sentence", json.dumps(a))
        if name == "retry":
            q = s.wait(delivered(1), 30)
            check(q["counts"]["delivered"] == 1 and q["alerts"][0]["attempts"] == 2, "what failed once is tried again after seconds", json.dumps(q))
        s.end()
    with concurrent.futures.ThreadPoolExecutor(len(rows)) as pool:
        list(pool.map(one, rows))


def told_through_the_others(e):
    s = Site("others", channel("env:A_URL", name="ops") + channel("env:B_URL", name="chat"))
    env = {"A_URL": e.http + "/do/status:404/others-a", "B_URL": e.http + "/others-b"}
    for i in range(3):
        s.run("alert", "send", "-m", f"message {i}", "--channel", "ops", "--wait", "5s", env=env)
    s.wait(lambda c: c["misconfigured"] == 3 and c["delivered"] >= 1)
    got = seen(e, "/others-b")
    check(len(got) == 1, "a misconfigured channel is told through the other, once", [g.body for g in got])
    s.end()


def limits(e):
    s = Site("limits", channel("env:OPS_URL", "dingtalk"))
    s.env["OPS_URL"] = e.http + "/robot/send?access_token=limits"
    s.owe(60)
    r = s.run("deliver", "--once")
    got = seen(e, "access_token=limits")
    check(0 < len(got) <= 20, "not more than 20 a minute", f"{len(got)}\n{r.stderr[-400:]}")
    q = s.queue()
    check(q["counts"]["delivered"] == 60, "none is dropped", q["counts"])
    one_by_one = len(got) - 1
    check(str(60 - one_by_one).encode() in got[-1].body, "what is too much is one digest that says how many", f"{len(got)} messages; the last: {got[-1].body[:600]}")
    # another process of this machine, another outbox, the same robot
    t = Site("limits2", channel("env:OPS_URL", "dingtalk"))
    t.env.update(OPS_URL=s.env["OPS_URL"], XDG_STATE_HOME=s.env["XDG_STATE_HOME"])
    t.owe(5)
    t.run("deliver", "--once")
    check(len(seen(e, "access_token=limits")) == len(got), "another outbox knows that the robot has had its 20")
    check(t.queue()["counts"]["pending"] == 5, "and what it owes stays owed", t.queue()["counts"])


def killed(e):
    """Only deliverers of the test's own are at work; each round says whether one was hit, and in the middle of what."""
    rnd = random.Random(SEED)
    s = Site("killed", channel("env:OPS_URL", "webhook"))
    s.env["OPS_URL"] = e.http + "/do/slow:0.02/killed"
    owed, alive, busy = s.owe(40), 0, 0
    for _ in range(ROUNDS):
        p = subprocess.Popen([TOCSIN, "deliver", "--outbox", s.outbox, "--idle", "20s"], cwd=s.dir, env=s.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if rnd.random() < 0.6:  # in the middle of its work; else at any time, also before it has begun
            end = time.monotonic() + 10
            while time.monotonic() < end and not s.under_way():
                time.sleep(0.002)
            time.sleep(rnd.uniform(0, 0.02))
        else:
            time.sleep(rnd.uniform(0.005, 0.15))
        alive += p.poll() is None and s.deliverer() == p.pid
        p.kill()
        p.wait()
        busy += s.under_way()
        owed += s.owe(4)
    for _ in range(20):
        r = s.run("deliver", "--once")
        q = s.queue()
        if not q["counts"]["pending"] and not q["counts"]["leased"]:
            break
        time.sleep(0.5)
    check(alive >= ROUNDS * 0.6 and busy >= ROUNDS * 0.2, f"a deliverer was killed in {alive} of {ROUNDS} rounds, in {busy} with alerts under way")
    check({a["id"] for a in q["alerts"]} == set(owed) and q["counts"]["delivered"] == len(owed), f"all {len(owed)} alerts are there, and delivered", f"{q['counts']}\n{r.stderr[-400:]}")
    came = [i.decode() for x in seen(e, "/killed") for i in re.findall(rb'"id":\s*"([0-9A-Z]{26})"', x.body)]
    check(set(came) >= set(owed), "every one came", f"{len(set(owed) - set(came))} did not")
    print(f"# {len(came) - len(set(came))} of them came more than once", flush=True)
    check(subprocess.run([TOCSIN, "store", "check", "--store", s.outbox], env=s.env, capture_output=True, check=False).returncode == 0, "the outbox is sound")


def by_hand(e):
    s = Site("hand", channel("env:OPS_URL"))
    s.env["OPS_URL"] = e.http + "/do/status:404/hand"
    s.run("alert", "send", "-m", "by hand", "--wait", "5s")
    a = s.queue()["alerts"][0]
    r = s.run("alert", "show", a["id"][:26])
    check("by hand" in r.stdout and "misconfigured" in r.stdout, "show says what it is and what came of it", r.stdout + r.stderr)
    check(a["id"] in s.run("alert", "dead").stdout, "dead lists it")
    check(s.run("alert", "drop", a["id"]).returncode == 2, "drop without --why is refused")
    check(s.run("alert", "drop", a["id"], "--why", "not wanted").returncode == 0 and s.queue()["alerts"][0]["state"] == "dead", "drop keeps the reason", s.queue())
    s.env["OPS_URL"] = e.http + "/hand-right"
    r = s.run("alert", "retry", a["id"])
    q = s.wait(delivered(1))
    check(r.returncode == 0 and q["counts"]["delivered"] == 1, "retry sends it with the secrets of now", r.stderr + json.dumps(q))
    r = s.run("alert", "test", "ops")
    check(r.returncode == 0 and "delivered" in r.stdout, "test delivers a probe", r.stdout + r.stderr)
    r = s.run("alert", "test", "ops", env={"OPS_URL": e.http + "/do/status:404/x"})
    check(r.returncode == 1 and "configuration" in r.stdout, "test explains a wrong address", r.stdout + r.stderr)
    r = s.run("alert", "doctor")
    check(r.returncode == 0 and "clock" in r.stdout, "doctor finds all well", r.stdout + r.stderr)
    r = s.run("alert", "doctor", env={"OPS_URL": ""})
    check(r.returncode == 1, "doctor finds a missing secret", r.stdout + r.stderr)
    r = s.run("alert", "silence", "--cause", "mod.*", "--for", "1h", "--why", "moving")
    check(r.returncode == 0 and "mod.*" in s.run("alert", "silence").stdout, "a silence is kept", r.stdout + r.stderr)
    s.end()


def from_a_report(e):
    s = Site("report", channel("env:OPS_URL"))
    s.env["OPS_URL"] = e.http + "/report"
    report = os.path.join(s.dir, "report.json")
    s.run("run", "--report", report, "--no-store", "--", "sh", "-c", "echo 'no'; exit 3")
    r = s.run("alert", "preview", "--channel", "ops", report)
    check(r.returncode == 0 and "[redacted]" in r.stdout, "preview shows the request without the secret", r.stdout + r.stderr)
    before = s.queue()["counts"]["delivered"]
    r = s.run("alert", "send", report, "--wait", "10s")
    check(r.returncode == 0 and s.queue()["counts"]["delivered"] > before, "a report is routed and sent", r.stdout + r.stderr)
    s.end()


def main():
    only = sys.argv[1:]
    with Endpoint() as e:
        parts = (classes, in_the_background, told_through_the_others, limits, killed, by_hand, from_a_report)
        side_by_side([part for part in parts if not only or part.__name__ in only], e)
    shutil.rmtree(TMP, ignore_errors=True)
    done()


main()
