#!/usr/bin/env python3
"""What a nested go command costs more under `tocsin run`: milliseconds a call, in the same script, with and without."""
import os
import statistics
import subprocess
import sys
import tempfile
import time

TOCSIN = os.path.abspath(os.environ.get("TOCSIN", "build/tocsin"))
CALLS = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
ROUND = 100  # with and without take turns, so that a busy machine slows both


def seconds(command, cwd, env):
    t = time.monotonic()
    subprocess.run(command, cwd=cwd, env=env, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - t


def measure(name, call, calls, tmp, env):
    """`call` in a loop; the cost of starting a run itself is taken away by a script that calls nothing."""
    per_round = min(ROUND, calls)
    script, empty = os.path.join(tmp, "calls.sh"), os.path.join(tmp, "empty.sh")
    with open(script, "w") as f:
        f.write("i=0\nwhile [ $i -lt %d ]; do\n\t%s\n\ti=$((i+1))\ndone\n" % (per_round, call))
    with open(empty, "w") as f:
        f.write(":\n")
    run = [TOCSIN, "run", "--format", "raw", "--no-store", "--", "sh"]
    seconds(run + [script], tmp, env)
    rounds = max(1, calls // per_round)
    bare, with_run = [], []
    for _ in range(rounds):
        bare.append(seconds(["sh", script], tmp, env) - seconds(["sh", empty], tmp, env))
        with_run.append(seconds(run + [script], tmp, env) - seconds(run + [empty], tmp, env))
    # medians: what else the machine does in a round is not ours
    added = statistics.median(w - b for b, w in zip(bare, with_run)) / per_round * 1e3
    ms = [statistics.median(v) / per_round * 1e3 for v in (bare, with_run)]
    return "%s %+.2f ms (%.2f -> %.2f, %d calls)" % (name, added, ms[0], ms[1], rounds * per_round)


def main():
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as tmp:
        with open(os.path.join(tmp, "go.mod"), "w") as f:
            f.write("module example.com/b\n\ngo 1.19\n")
        env = dict(os.environ, GOTOOLCHAIN="local", GOFLAGS="-buildvcs=false", XDG_CACHE_HOME=tmp + "/cache", XDG_STATE_HOME=tmp + "/state")
        said = [measure("go version", "go version", CALLS, tmp, env), measure("go env", "go env GOROOT", CALLS, tmp, env),
                measure("go vet (told)", "go vet ./nothere || :", max(1, CALLS // 10), tmp, dict(env, TOCSIN_ALLOW="1"))]
    print("nested, added a call: " + "; ".join(said))


main()
