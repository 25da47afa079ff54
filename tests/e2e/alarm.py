"""Alerts of `tocsin run`: at once, in the background, at the end, over; and what the command and the outbox never see."""
# suite: limit 300
# suite: takes 8
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
sys.dont_write_bytecode = True
from endpoint import Endpoint  # noqa: E402
from tap import TOCSIN, check, done, side_by_side  # noqa: E402

TMP = tempfile.mkdtemp(prefix="tocsin-alarm-")
TOKEN = "canary5e1b2d4f60a7f3a9ccanary5e1b2d4f"
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "TOCSIN_", "CI_", "GIT_")) and k not in ("CI", "FORCE_COLOR") and not k.lower().endswith("_proxy")}
ENV.update(LC_ALL="C.UTF-8", HOME=TMP, XDG_CONFIG_HOME=TMP + "/none", GOFLAGS="-mod=mod", GOTOOLCHAIN="local", GOPROXY="off")


class Site:
    def __init__(self, name, url, more=""):
        self.dir = os.path.join(TMP, name)
        os.mkdir(self.dir)
        self.config = os.path.join(self.dir, "alerts.yaml")
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(f"channels:\n- name: ops\n  type: webhook\n  url: env:HOOK_URL\n{more}")
        self.env = dict(ENV, XDG_STATE_HOME=self.dir + "/state", HOOK_URL=url)

    def run(self, *args, env=None, cwd=None):
        return subprocess.run([TOCSIN, "run", "--config", self.config, *args], cwd=cwd or self.dir, env={**self.env, **(env or {})}, capture_output=True, text=True, timeout=90)

    def queue(self):
        p = subprocess.run([TOCSIN, "alert", "queue", "--all", "--json"], cwd=self.dir, env=dict(self.env, TOCSIN_CONFIG=self.config), capture_output=True, text=True, timeout=60)
        return json.loads(p.stdout)

    def end(self):
        """The deliverers of this site."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    words = f.read()
                if b"deliver" in words and self.dir.encode() in words:
                    os.kill(int(pid), 9)
            except OSError:
                continue


def bodies(e, word, n, seconds=10):
    return [json.loads(s.body) for s in e.wait_for(n, seconds, word)]


def a_failure(e):
    s = Site("failure", f"{e.http}/do/ok/failure?token={TOKEN}")
    began = time.monotonic()
    p = s.run("--", "sh", "-c", 'echo "hook is ${HOOK_URL-gone}"; echo boom >&2; exit 3')
    took = time.monotonic() - began
    got = bodies(e, "failure", 1)
    check(p.returncode == 3, "the exit status is the command's", p.stderr)
    check(len(got) == 1 and got[0]["kind"] == "failed" and got[0]["cause"] == "proc.exit", "a failed run is told", got)
    check("hook is gone" in p.stdout, "the command does not get the secret", p.stdout)
    check(took < 10, "and nobody waited for the channel", took)
    time.sleep(0.3)
    check(s.queue()["counts"]["delivered"] == 1, "the outbox knows that it was delivered", s.queue())
    found = [os.path.join(d, f) for d, _, fs in os.walk(s.dir) for f in fs if os.path.isfile(os.path.join(d, f)) and TOKEN.encode() in open(os.path.join(d, f), "rb").read()]
    check(not found and TOKEN not in p.stdout + p.stderr and TOKEN not in json.dumps(got), "the secret is nowhere", found)
    s.end()


def again_and_over(e):
    s = Site("again", f"{e.http}/do/ok/again")
    command = ("--", "sh", "-c", "test -e mended")
    s.run(*command)
    s.run(*command)
    got = bodies(e, "again", 2, 2)
    check(len(got) == 1, "the same again within the repeat interval is not told twice", got)
    with open(os.path.join(s.dir, "mended"), "w", encoding="ascii"):
        pass
    s.run(*command)
    got = bodies(e, "again", 2)
    check(len(got) == 2 and got[1]["kind"] == "recovered" and got[1]["key"] == got[0]["key"], "when it passes again, that is told, by the key of what is over", got)
    s.run(*command)
    check(len(e.wait_for(3, 1.5, "again")) == 2, "once", "")
    s.end()


def quiet(e):
    s = Site("quiet", f"{e.http}/do/ok/quiet")
    s.run("--", "true")
    s.run("--no-store", "--", "false")
    s.run("--on-fail", "record", "--", "false")
    p = s.run("--", "sh", "-c", f"{TOCSIN} run --config {s.config} -- false; exit 0")
    check(len(e.wait_for(1, 2, "quiet")) <= 1, "passed runs, --no-store and --on-fail record tell nobody", p.stderr)
    s.end()


def dead_network(e):
    s = Site("dead", "http://127.0.0.1:9/nobody")
    began = time.monotonic()
    p = s.run("--", "false")
    took = time.monotonic() - began
    check(p.returncode == 1 and took < 10, "a dead network changes nothing", (p.returncode, took, p.stderr))
    q = s.queue()
    check(q["counts"]["pending"] + q["counts"]["leased"] == 1, "the alert is owed", q)
    p = s.run("--flush", "1s", "--", "sh", "-c", "exit 4")
    check(p.returncode == 4 and "is not delivered yet" in p.stderr, "--flush names what was not delivered", p.stderr)
    folder = os.path.join(s.dir, "left")
    s.run("--spool", folder, "--", "sh", "-c", "exit 5")
    names = os.listdir(folder) if os.path.isdir(folder) else []
    check(len(names) == 1, "--spool keeps it", names)
    s.end()
    away = Site("elsewhere", f"{e.http}/do/ok/elsewhere")
    p = subprocess.run([TOCSIN, "alert", "send", "--spool", folder], cwd=away.dir, env=dict(away.env, TOCSIN_CONFIG=away.config), capture_output=True, text=True, timeout=60)
    check(len(e.wait_for(1, 10, "elsewhere")) == 1, "and another machine sends it", (p.returncode, p.stdout, p.stderr))
    away.end()


def flush(e):
    s = Site("flush", f"{e.http}/do/ok/flush")
    p = s.run("--flush", "10s", "--", "false")
    check(len(e.wait_for(1, 0.2, "flush")) == 1 and "not delivered" not in p.stderr, "--flush waits for the delivery", p.stderr)
    s.end()


# One fails at once; the other ends when it is told to, or after two minutes.
TESTS = {"broken": """package broken

import "testing"

func TestIt(t *testing.T) { t.Error("it broke") }
""", "slow": """package slow

import (
	"os"
	"testing"
	"time"
)

func TestIt(t *testing.T) {
	for i := 0; i < 1200; i++ {
		if _, err := os.Stat("../go-on"); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}
"""}


def early(e):
    s = Site("early", f"{e.http}/do/ok/early")
    module = os.path.join(s.dir, "m")
    for name, text in TESTS.items():
        os.makedirs(os.path.join(module, name))
        with open(os.path.join(module, name, "x_test.go"), "w", encoding="utf-8") as f:
            f.write(text)
    with open(os.path.join(module, "go.mod"), "w", encoding="utf-8") as f:
        f.write("module example.com/m\n\ngo 1.19\n")
    p = subprocess.Popen([TOCSIN, "run", "--config", s.config, "--reap", "--format", "pkgname", "--", "go", "test", "-count=1", "./..."], cwd=module, env=s.env,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    first = bodies(e, "early", 1, 150)
    alive = p.poll() is None
    with open(os.path.join(module, "go-on"), "w", encoding="utf-8"):
        pass
    out, err = p.communicate(timeout=150)
    check(len(first) >= 1 and first[0]["early"] is True and alive, "a failing package is told while the run goes on", (first, out, err))
    check(first and first[0]["items"][0]["test"] == "TestIt", "with the test that failed", first)
    both = bodies(e, "early", 2, 10)
    check(p.returncode == 1 and len(both) == 2 and both[1]["kind"] == "followup" and both[1]["early"] is False, "its end is a follow-up", both)
    check("left" not in err and "deliver" not in err, "the deliverer is none of the command's left-overs", err)
    s.end()


def main():
    with Endpoint() as e:
        side_by_side((early, a_failure, again_and_over, quiet, dead_network, flush), e)
    shutil.rmtree(TMP, ignore_errors=True)
    done()


main()
