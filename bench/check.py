#!/usr/bin/env python3
"""`tocsin check` with all Go rules over Go's own source: beside the bare parse of the same files, beside `go vet std`, and with its cache.

usage: check.py [ROUNDS]
Environment: TOCSIN (build/tocsin). bench/lint_parse is the bare parse: the same library at the same flags, and nothing else.
"""
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOCSIN = os.path.abspath(os.environ.get("TOCSIN", os.path.join(ROOT, "build/tocsin")))
PARSE = os.path.join(os.path.dirname(TOCSIN), "bench", "lint_parse")
GO_RULES = "R,G,T,E,N,B"
ROUNDS = 3


def timed(argv, cwd=None, env=None):
    """(wall seconds, CPU seconds)"""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    wall, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode in (0, 1), done.stderr
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def peak(argv, cwd):
    """MiB of the process alone; GNU time starts it, so that our own memory does not count."""
    done = subprocess.run(["/usr/bin/time", "-f", "%M", *argv], cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    return int(done.stderr.split()[-1]) / 1024


def vet(src):
    """CPU seconds of go vet std: with an empty cache, with a full one."""
    with tempfile.TemporaryDirectory(prefix="tocsin-vet-") as cache:
        env = dict(os.environ, GOCACHE=cache, GOTOOLCHAIN="local", GOFLAGS="")
        cold = timed(["go", "vet", "std"], src, env)[1]
        warm = timed(["go", "vet", "std"], src, env)[1]
        subprocess.run(["chmod", "-R", "u+w", cache], check=False)
    return cold, warm


def check(rounds=ROUNDS, with_vet=True):
    """Rows (measure, ours, theirs, ratio, what to reach, reached). Those that are compared take turns; medians."""
    root = subprocess.run(["go", "env", "GOROOT"], env=dict(os.environ, GOTOOLCHAIN="local"), capture_output=True, text=True, check=True).stdout.strip()
    src = os.path.realpath(os.path.join(root, "src"))
    lint = [TOCSIN, "check", "--no-config", "--only", GO_RULES]
    one = ["taskset", "-c", "0"]
    ours, theirs, two = [], [], []
    for _ in range(rounds):
        ours.append(timed(one + lint + ["--no-cache"], src)[1])
        theirs.append(timed(one + [PARSE, src])[1])
        two.append(timed(lint + ["--no-cache"], src)[1])
    a, b, c = (statistics.median(x) for x in (ours, theirs, two))
    rows = [("all Go rules over Go's own src, one core, beside the bare parse of the same files", f"{a:.2f} s CPU", f"{b:.2f} s CPU", f"{a / b:.2f}x", "<= 1.3x", a / b <= 1.3)]
    if with_vet:
        cold, warm = vet(src)
        rows.append(("the same, two cores, beside go vet std, warm", f"{c:.2f} s CPU", f"{warm:.1f} s CPU", f"{warm / c:.1f}x", ">= 2x less", warm / c >= 2))
        rows.append(("the same, two cores, beside go vet std, cold", f"{c:.2f} s CPU", f"{cold:.0f} s CPU", f"{cold / c:.0f}x", ">= 20x less", cold / c >= 20))
    most = peak(lint + ["--no-cache"], src)
    rows.append(("peak memory of the same", f"{most:.0f} MiB", "", "", "<= 200 MiB", most <= 200))
    cache = tempfile.mkdtemp(prefix="tocsin-cache-")
    first = timed(lint + ["--cache", cache], src)[1]
    second = statistics.median(timed(lint + ["--cache", cache], src)[1] for _ in range(rounds))
    shutil.rmtree(cache)
    rows.append(("unchanged files on a second run, beside the first", f"{second:.2f} s CPU", f"{first:.2f} s CPU", f"{second / first:.2f}x", "<= 0.1x", second / first <= 0.1))
    return rows


if __name__ == "__main__":
    for row in check(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS):
        print(" | ".join(str(x) for x in row))
