#!/usr/bin/env python3
# suite: limit 120
# suite: takes 12
"""What ends something comes after what opened it, whatever fails in between; and what a deliverer does when its ground is taken away."""
import json
import os
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
from tap import TOCSIN, check, done, side_by_side  # noqa: E402

TMP = tempfile.mkdtemp(prefix="tocsin-order-")
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "TOCSIN_", "CI_", "GIT_", "LC_")) and k not in ("CI", "FORCE_COLOR", "LANG", "LANGUAGE")
       and not k.lower().endswith("_proxy")}
ENV.update(LC_ALL="C.UTF-8", HOME=TMP, TMPDIR=TMP, XDG_CONFIG_HOME=TMP + "/none")


class Site:
    """An outbox of its own, a webhook, and a command that fails where it is told to."""

    def __init__(self, name, more=""):
        self.dir = os.path.join(TMP, name)
        os.mkdir(self.dir)
        self.outbox, self.config, self.bad = (os.path.join(self.dir, n) for n in ("outbox.db", "alerts.yaml", "bad"))
        with open(self.config, "w", encoding="utf-8") as f:
            f.write("channels:\n- name: ops\n  type: webhook\n  url: env:HOOK_URL\n" + more)
        self.env = dict(ENV, XDG_STATE_HOME=self.dir + "/state", TOCSIN_OUTBOX=self.outbox, TOCSIN_CONFIG=self.config)

    def tocsin(self, *args, url="", env=None):
        return subprocess.run([TOCSIN, *args], cwd=self.dir, env=dict(self.env, HOOK_URL=url, **(env or {})), capture_output=True, text=True, timeout=60, check=False)

    def run(self, fails, url, *flags):
        if fails:
            open(self.bad, "w", encoding="ascii").close()
        elif os.path.exists(self.bad):
            os.remove(self.bad)
        return self.tocsin("run", *flags, "--", "sh", "-c", f"! test -e {self.bad}", url=url)

    def db(self, sql, *args):
        d = sqlite3.connect(self.outbox, timeout=30)
        try:
            rows = d.execute(sql, args).fetchall()
            d.commit()
            return rows
        finally:
            d.close()

    def rows(self):
        """[(kind, state, error)], the oldest first."""
        return [(json.loads(body)["alert"]["kind"], state, error or "") for state, error, body in self.db("SELECT state, error, body FROM alert ORDER BY id")]

    def wait(self, good, seconds=15):
        end = time.monotonic() + seconds
        while time.monotonic() < end and not good(self.rows()):
            time.sleep(0.05)
        return self.rows()

    def pids(self):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    words = f.read().split(b"\0")
            except OSError:
                continue
            if b"deliver" in words and self.outbox.encode() in words:
                found.append(int(pid))
        return found

    def end(self):
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        while self.pids():
            time.sleep(0.02)


def kinds(e, word):
    return [json.loads(x.body)["kind"] for x in e.requests if word in x.path]


def all_delivered(rows):
    return all(state == "delivered" for _, state, _ in rows)


def overtaken(e):
    """The failure waits for its retry when the command passes again."""
    s = Site("overtaken")
    url = e.http + "/do/status:503,ok~overtaken/hook"
    s.run(True, url)
    s.wait(lambda r: r[0][2])
    s.run(False, url)
    rows = s.wait(lambda r: len(r) == 2 and r[1][2], 3)
    check(len(rows) == 2 and rows[1][:2] == ("recovered", "pending") and "it ends" in rows[1][2], "a recovery waits for its failure, and says so", rows)
    rows = s.wait(all_delivered)
    check(all_delivered(rows) and kinds(e, "~overtaken") == ["failed", "failed", "recovered"], "and comes right after it", (rows, kinds(e, "~overtaken")))
    attempts = s.db("SELECT attempts FROM alert ORDER BY id")
    check(attempts == [(2,), (1,)], "waiting was no attempt", attempts)
    s.end()


def at_once(e):
    """Both are due when a deliverer comes: one pass sends both, in their order."""
    s = Site("at-once")
    url = e.http + "/do/status:503,ok~at-once/hook"
    s.run(True, url)
    s.wait(lambda r: r[0][2])
    s.end()
    s.run(False, url)
    s.wait(lambda r: len(r) == 2 and r[1][2], 3)  # its deliverer is there, and can be ended
    s.end()
    s.db("UPDATE alert SET next_attempt = CASE WHEN attempts > 0 THEN 2 ELSE 1 END, state = 'pending', lease_until = 0")  # the recovery is due first
    r = s.tocsin("deliver", "--once", url=e.http + "/do/slow:1~at-once2/hook")
    check(r.returncode == 0 and kinds(e, "~at-once2") == ["failed", "recovered"], "a single pass sends both, in their order", (r.stderr, kinds(e, "~at-once2"), s.rows()))


def again(e):
    """It failed again before its recovery could be told."""
    s = Site("again")
    bad, good = e.http + "/do/status:503~again/hook", e.http + "/do/ok~again2/hook"
    s.run(True, bad)
    s.wait(lambda r: r[0][2])
    s.run(False, bad)
    s.wait(lambda r: len(r) == 2 and r[1][2], 3)
    s.run(True, bad)
    s.wait(lambda r: len(r) == 3 and r[2][2], 3)
    s.end()
    s.db("UPDATE alert SET next_attempt = 1")
    s.tocsin("deliver", "--once", url=good)
    rows = s.rows()
    check([r[:2] for r in rows] == [("failed", "delivered"), ("recovered", "delivered"), ("failed", "delivered")] and "wrong again" in rows[1][2] and kinds(e, "~again2") == ["failed", "failed"],
          "what is wrong again is not said to be over", (rows, kinds(e, "~again2")))
    s.run(False, good)
    rows = s.wait(lambda r: len(r) == 4 and all_delivered(r))
    check(kinds(e, "~again2") == ["failed", "failed", "recovered"], "until it is", rows)
    s.end()


def misconfigured(e):
    """The failure waits for a person: so does its end."""
    s = Site("stuck")
    url = e.http + "/do/status:403~stuck/hook"
    s.run(True, url)
    s.wait(lambda r: r[0][1] == "misconfigured")
    s.run(False, url)
    rows = s.wait(lambda r: len(r) == 2 and r[1][1] == "misconfigured")
    check(rows[1][1] == "misconfigured" and "could not be told" in rows[1][2] and len(kinds(e, "~stuck")) == 1, "a failure that needs a person: its recovery waits too", rows)
    s.end()
    first = s.db("SELECT id FROM alert ORDER BY id")[0][0]
    r = s.tocsin("alert", "retry", first, url=e.http + "/do/ok~stuck2/hook")
    rows = s.wait(all_delivered)
    check(all_delivered(rows) and kinds(e, "~stuck2") == ["failed", "recovered"], "with the one goes the other", (rows, r.stdout + r.stderr))
    s.end()


def spooled(e):
    """Files of a machine that is gone, in whatever order its folder lists them; a deliverer is at work already."""
    s = Site("spooled")
    url, spool = e.http + "/do/status:503~spooled/hook", os.path.join(s.dir, "spool")
    for fails in (True, False):
        s.run(fails, url, "--flush", "1s", "--spool", spool)
    s.end()
    names = sorted(os.listdir(spool))
    check(len(names) == 2, "both are kept as files", names)
    for name in names:  # the other way round, as far as the file system minds
        os.rename(os.path.join(spool, name), os.path.join(spool, name + ".x"))
    for name in reversed(names):
        os.rename(os.path.join(spool, name + ".x"), os.path.join(spool, name))
    s.outbox = s.env["TOCSIN_OUTBOX"] = os.path.join(s.dir, "other.db")
    r = s.tocsin("alert", "send", "--spool", spool, url=e.http + "/do/slow:0.5~spooled2/hook")
    check(r.returncode == 0 and kinds(e, "~spooled2") == ["failed", "recovered"] and not os.listdir(spool), "sent elsewhere, in their order", (r.stdout + r.stderr, kinds(e, "~spooled2")))
    s.end()


def no_header(e):
    s = Site("header")
    with open(s.config, "w", encoding="utf-8") as f:
        f.write('channels:\n- name: ops\n  type: otlp\n  url: env:HOOK_URL\n  secret: env:HOOK_URL\n  header: "x: y\\r\\nz"\n')
    s.run(True, e.http + "/do/ok~header", "--flush", "5s")
    rows = s.rows()
    check(rows[0][1] == "misconfigured" and "no name of a header" in rows[0][2] and not kinds(e, "~header"), "a header that is none is refused, not left out", rows)
    s.end()


def storm_is_over(e):
    """A storm whose end was told needs no digest."""
    s = Site("storm")
    url = e.http + "/do/ok~storm/hook"
    for _ in range(11):
        s.run(True, url)
    s.wait(lambda r: len(r) == 2 and r[0][1] == "delivered")
    s.run(False, url)
    rows = s.wait(lambda r: len(r) == 3 and r[2][1] == "delivered")
    s.end()
    s.db("UPDATE alert SET next_attempt = 1 WHERE state = 'pending'")
    s.tocsin("deliver", "--once", url=url)
    got = [json.loads(x.body) for x in e.requests if "~storm" in x.path]
    check([x["kind"] for x in got] == ["failed", "recovered"] and got[1]["items"][0]["count"] == 11, "its end says how often it was seen, and no digest comes after it", (rows, s.rows(), got))


def deleted(e):
    """The outbox is deleted while its deliverer lives, and another one takes its name."""
    s = Site("deleted")
    s.run(True, e.http + "/do/status:503~deleted/hook")
    s.wait(lambda r: r[0][2])
    old = s.pids()
    for end in ("", "-wal", "-shm"):
        os.path.exists(s.outbox + end) and os.remove(s.outbox + end)
    s.run(True, e.http + "/do/ok~deleted2/hook", "--flush", "10s")
    check(len(old) == 1 and kinds(e, "~deleted2") == ["failed"], "what is owed in the new one is delivered at once", (old, s.rows()))
    end = time.monotonic() + 5
    while time.monotonic() < end and set(old) & set(s.pids()):
        time.sleep(0.05)
    check(not set(old) & set(s.pids()), "and the old deliverer has left", (old, s.pids()))
    check(os.path.exists(s.outbox + ".sock"), "without taking the new one's socket along")
    shutil.rmtree(s.dir)
    end = time.monotonic() + 40  # it looks when it wakes
    while time.monotonic() < end and s.pids():
        time.sleep(0.2)
    check(not s.pids(), "a deliverer whose folder is gone ends")


def put_right(e):
    """Who changes the configuration and tries again is not answered from memory."""
    s = Site("right")
    s.run(True, "gopher://nowhere/")
    s.wait(lambda r: r[0][1] == "misconfigured")
    with open(s.config, "r+", encoding="utf-8") as f:
        text = f.read().replace("url: env:HOOK_URL", f"url: {e.http}/do/ok~right/hook")
        f.seek(0)
        f.write(text)
    s.tocsin("alert", "retry", "--all")
    rows = s.wait(all_delivered)
    check(all_delivered(rows) and kinds(e, "~right") == ["failed"], "a channel that was put right is used at once", rows)
    s.end()


def in_the_tree(e):
    """What a tocsin.yaml of the working tree may not say anyway keeps nobody from being told."""
    s = Site("tree")
    url = e.http + "/do/ok~tree/hook"
    path = os.path.join(s.dir, "tocsin.yaml")
    for n, text in enumerate(("channels: 5\n", "channels:\n- name: evil\n  type: nonsense\n  what: 1\n", "store: [1, 2]\nretention:\n  age: nonsense\n")):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        r = s.tocsin("run", "--flush", "5s", "--", "sh", "-c", f"exit {n + 3}", url=url)
        check(r.returncode == n + 3 and "is ignored" in r.stderr and len(kinds(e, "~tree")) == n + 1, f"an error in what is ignored is ignored ({text.split(':', maxsplit=1)[0]}), and that is said", r.stderr)
        check(s.tocsin("config", "check", env={"TOCSIN_CONFIG": ""}).returncode == 2, "config check says it all the same")
    with open(path, "w", encoding="utf-8") as f:
        f.write("channels: 5\nstrickt: true\n")
    r = s.tocsin("run", "--", "sh", "-c", "exit 3", url=url)
    check(r.returncode == 2 and "strickt" in r.stderr, "an error in what counts is not", r.stderr)


def address(_):
    s = Site("address")
    r = s.tocsin("run", "--", "false", env={"TOCSIN_OUTBOX": "postgres://u:canary-of-a-password@h/x"})
    check(r.returncode == 2 and "local file" in r.stderr and "canary" not in r.stderr, "an outbox that is no file is refused, without its password", r.stderr)


def main():
    with Endpoint() as e:
        side_by_side((deleted, overtaken, spooled, at_once, again, misconfigured, no_header, storm_is_over, put_right, in_the_tree, address), e)
    shutil.rmtree(TMP, ignore_errors=True)
    done()


main()
