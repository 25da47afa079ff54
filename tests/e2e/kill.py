#!/usr/bin/env python3
# suite: release-only
# suite: takes 22
# suite: alone
# (a sanitized shim takes 10 ms to say that it started; killed before that, nobody can know of it;
#  on a machine that does much else every shim is that slow: hence alone)
"""SIGKILL of the child, of tocsin, of the shim, of the real go, at random moments: no orphan of ours, no hang, the true status."""
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import FULL, TOCSIN, check, done  # noqa: E402

SEED = int(os.environ.get("TOCSIN_TEST_SEED", "20261121"))
ROUNDS = int(os.environ.get("TOCSIN_TEST_ROUNDS", 500 if FULL else 40))
LIMIT = 20.0  # seconds a round may take
TMP = tempfile.mkdtemp(prefix="tocsin-kill-")
MARK = "TOCSIN_KILL_ROUND"

ENV = {k: v for k, v in os.environ.items() if not k.startswith("TOCSIN_")}
ENV.update(GOTOOLCHAIN="local", GOFLAGS="-buildvcs=false", GOPROXY="off", GOWORK="off",
           XDG_CACHE_HOME=TMP + "/cache", XDG_STATE_HOME=TMP + "/state", PATH=TMP + "/bin:" + ENV["PATH"])

# A go that takes as long as we like; it says so when it began, so that the round knows whom to kill.
FAKE = """#!/bin/sh
case "$2" in
quick) exit 0 ;;
fails) exit 3 ;;
esac
exec sleep 0.4
"""
# What the run is: (script, its status when nobody interferes)
SCRIPTS = [
    ("go build slow", 0),
    ("go build slow; go build quick", 0),
    ("go build slow & wait $!", 0),
    ("go build slow | cat", 0),
    ("go build slow || exit 9; go build fails || exit 4", 4),
    ("(go build slow); exec go build fails", 3),
    ("go build slow & go build slow & wait; exit 5", 5),
]


def processes(mark):
    """pid -> (executable, argv) of every living process that carries our mark in its environment."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/environ" % name, "rb") as f:
                if mark not in f.read().split(b"\0"):
                    continue
            with open("/proc/%s/stat" % name, "rb") as f:
                if f.read().rsplit(b")", 1)[1].split()[0] in b"ZX":
                    continue
            with open("/proc/%s/cmdline" % name, "rb") as f:
                argv = f.read().split(b"\0")[:-1]
            found[int(name)] = (os.readlink("/proc/%s/exe" % name), argv)
        except OSError:
            pass
    return found


def kinds(living):
    """Sort them: the runs themselves, the shims, the real go (which became a sleep), the scripts."""
    ours = os.path.realpath(TOCSIN)
    sort = {"tocsin": [], "shim": [], "go": [], "child": []}
    for pid, (exe, argv) in living.items():
        if exe == ours:
            sort["tocsin" if b"run" in argv else "shim"].append(pid)
        elif argv[:1] == [b"sleep"] or b"build" in argv:
            sort["go"].append(pid)
        else:
            sort["child"].append(pid)
    return sort


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
        return True
    except ProcessLookupError:
        return False


def until_none(mark, what, seconds):
    end = time.monotonic() + seconds
    while True:
        left = {k: v for k, v in kinds(processes(mark)).items() if k in what and v}
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.02)


HITS = {"tocsin": 0, "shim": 0, "go": 0, "child": 0, "nobody": 0}


def play(rng, n):
    """One round; None, or what is wrong."""
    script, status = rng.choice(SCRIPTS)
    victim = rng.choice(["tocsin", "shim", "go", "child", "nobody"])
    mark = "%s=%d-%d" % (MARK, os.getpid(), n)
    p = subprocess.Popen([TOCSIN, "run", "--format", "raw", "--no-store", "--", "sh", "-c", script], cwd=TMP,
                         env=dict(ENV, **{MARK: mark.split("=")[1]}), stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(rng.choice([0.002, 0.02, 0.1, 0.3]) * rng.random() * 2)
    sort = kinds(processes(mark.encode()))
    if victim != "nobody" and not sort[victim]: # not there yet, or no more
        victim = next((v for v in ("shim", "go", "child", "tocsin") if sort[v]), victim)
    # a fork of tocsin that has not become the command yet is the command, not tocsin
    pids = [] if victim == "nobody" else [p.pid] if victim == "tocsin" else sort[victim]
    said = "round %d: kill %s, script %r" % (n, victim, script)
    hit = bool(pids) and kill(rng.choice(pids))
    HITS[victim if hit else "nobody"] += 1
    try:
        got = p.wait(LIMIT)
    except subprocess.TimeoutExpired:
        for pid in processes(mark.encode()):
            kill(pid)
        p.wait()
        return said + ": it hung"
    left = until_none(mark.encode(), ("tocsin", "shim"), 5)
    if hit and victim in ("shim", "go"):
        left.update(until_none(mark.encode(), ("go",), 5))
    if left:
        return said + ": left over: %r" % left
    if victim == "tocsin" and hit:
        return None if got in (-signal.SIGKILL, status) else said + ": status %d after SIGKILL" % got
    if victim == "child" and hit:
        # the script itself (137), or a helper of its own
        return None if got in (137, status) or got > 0 else said + ": status %d" % got
    if hit:  # go or its shim was killed: the script says what it makes of that; a success is not believed
        want = {0: (1, 137), 3: (3, 137), 4: (4, 9, 137), 5: (5,)}[status]
        return None if got in want or got == status != 0 else said + ": status %d, want one of %r" % (got, want)
    return None if got == status else said + ": status %d, want %d" % (got, status)


def main():
    os.makedirs(TMP + "/bin")
    with open(TMP + "/bin/go", "w") as f:
        f.write(FAKE)
    os.chmod(TMP + "/bin/go", 0o755)
    rng = random.Random(SEED)
    wrong = []
    try:
        start = time.monotonic()
        for n in range(ROUNDS):
            bad = play(rng, n)
            if bad:
                wrong.append(bad)
        took = time.monotonic() - start
    finally:
        time.sleep(0.5) # what a killed run leaves of the script ends by itself
        shutil.rmtree(TMP, ignore_errors=True)
    print("# seed %d, %d rounds, %.0f s, killed: %s" % (SEED, ROUNDS, took, HITS))
    check(not wrong, "%d rounds of SIGKILL: no orphan, no hang, the true status" % ROUNDS, "\n".join(wrong))
    done()


main()
