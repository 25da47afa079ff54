#!/usr/bin/env python3
"""`tocsin check activation --no-traps` on Go's own tree beside `go list -json ./...`: which files are built, and for every other one why not.

usage: activation.py [ROUNDS]
Environment: TOCSIN (build/tocsin). go list says which files are left out, and never why. Reach: 0.25 of its time; 0.15 s in mind.
"""
import json
import os
import resource
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOCSIN = os.path.abspath(os.environ.get("TOCSIN", os.path.join(ROOT, "build/tocsin")))
ROUNDS = 9


def environment():
    env = {k: v for k, v in os.environ.items() if not k.startswith(("TOCSIN", "GOOS", "GOARCH", "GOEXPERIMENT"))}
    env.update(GOTOOLCHAIN="local", GOFLAGS="", GOWORK="off")
    return env


def timed(argv, cwd, env):
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    wall, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def reasons(text):
    """(files, how many of them are left out with a reason)"""
    files = [f for p in json.loads(text)["targets"][0]["packages"] for f in p["files"]]
    return len(files), sum("text" in f for f in files)


def activation(rounds=ROUNDS):
    """Rows (measure, ours, theirs, ratio, what to reach, reached). The two take turns; medians."""
    env = environment()
    root = subprocess.run(["go", "env", "GOROOT"], env=env, capture_output=True, text=True, check=True).stdout.strip()
    src = os.path.realpath(os.path.join(root, "src"))
    ours, theirs = [TOCSIN, "check", "activation", "--no-traps"], ["go", "list", "-json", "./..."]
    walls, cpus = ([], []), ([], [])
    timed(ours, src, env), timed(theirs, src, env)
    for _ in range(rounds):
        for i, argv in enumerate((ours, theirs)):
            wall, cpu, said = timed(argv, src, env)
            assert said
            walls[i].append(wall)
            cpus[i].append(cpu)
    files, left_out = reasons(timed(ours + ["--json"], src, env)[2])
    a, b = (statistics.median(w) for w in walls)
    ca, cb = (statistics.median(c) for c in cpus)
    what = f"reasons for every file of Go's own tree ({files} files, {left_out} left out), beside go list -json ./..."
    return [(what, f"{a:.3f} s, {ca:.3f} s CPU", f"{b:.2f} s, {cb:.2f} s CPU", f"{a / b:.2f}x", "<= 0.25x", a / b <= 0.25 and left_out > 100)]


if __name__ == "__main__":
    for row in activation(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS):
        print(" | ".join(str(x) for x in row))
