#!/usr/bin/env python3
"""`tocsin mod check` on a repository of 100 modules in a workspace: wall and CPU time of one call, beside `go mod graph` in it.

usage: modcheck.py [ROUNDS]
Environment: TOCSIN (build/tocsin). Made: each module requires some 50 of 300 others, all of whose go.mod files are in the module cache,
and has a whole go.sum, as `go mod tidy` writes it. Reach: 50 ms.
"""
import base64
import hashlib
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOCSIN = os.path.abspath(os.environ.get("TOCSIN", os.path.join(ROOT, "build/tocsin")))
MODULES, POOL, EACH, ROUNDS = 100, 300, 30, 30
HASH = "h1:" + base64.b64encode(bytes(32)).decode()


def go_mod_hash(text):
    line = f"{hashlib.sha256(text.encode()).hexdigest()}  go.mod\n"
    return "h1:" + base64.b64encode(hashlib.sha256(line.encode()).digest()).decode()


def put(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def make(top):
    rng = random.Random(1)
    pool = sorted((f"example.test/group{i % 17}/module{i}", f"v1.{i % 7}.{i % 5}") for i in range(POOL))
    needs = {p: sorted(rng.sample(pool[i + 1:], min(2, POOL - i - 1))) for i, (p, _) in enumerate(pool)} # no cycles
    mods = {}
    for p, v in pool:
        mods[p] = f"module {p}\n\ngo 1.17\n\nrequire (\n" + "".join(f"\t{q} {w}\n" for q, w in needs[p]) + ")\n"
        put(f"{top}/cache/cache/download/{p}/@v/{v}.mod", mods[p])
    for i in range(MODULES):
        direct = rng.sample(pool, EACH // 3)
        every, todo = {}, list(direct)
        while todo: # all that is needed is listed, as since go 1.17
            q = todo.pop()
            if q not in every and (q in direct or len(every) < EACH):
                every[q] = True
                todo += needs[q[0]]
        for q in list(every):
            for w in needs[q[0]]:
                every[w] = True
        lines = sorted(every)
        put(f"{top}/repo/m{i}/go.mod", f"module example.test/repo/m{i}\n\ngo 1.21\n\nrequire (\n" + "".join(f"\t{q} {w}{'' if (q, w) in direct else ' // indirect'}\n" for q, w in lines) + ")\n")
        put(f"{top}/repo/m{i}/go.sum", "".join(f"{q} {w} {HASH}\n{q} {w}/go.mod {go_mod_hash(mods[q])}\n" for q, w in lines))
    put(f"{top}/repo/go.work", "go 1.21\n\nuse (\n" + "".join(f"\t./m{i}\n" for i in range(MODULES)) + ")\n")


def timed(argv, env, cwd):
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    wall, after = (time.monotonic() - begin) * 1000, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def mod_check(rounds=ROUNDS):
    """Rows (measure, ours, theirs, ratio, what to reach, reached). The two take turns; medians. Nothing that people have checks all of this;
    `go mod graph` reads the same go.mod files, and is what a script would begin with."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-modcheck-") as top:
        make(top)
        env = dict({k: v for k, v in os.environ.items() if not k.startswith("GO")}, GOMODCACHE=top + "/cache", GOCACHE=top + "/gocache", GOENV="off", HOME=top, GOTOOLCHAIN="local", GOPROXY="off",
                   GOFLAGS="-mod=readonly", GOSUMDB="off")
        ways = {"tocsin": [TOCSIN, "mod", "check"], "go": ["go", "mod", "graph"]}
        first = subprocess.run(ways["tocsin"], env=env, cwd=top + "/repo", capture_output=True, text=True, check=False)
        if first.returncode or "nothing wrong" not in first.stdout:
            sys.exit("not clean: " + first.stdout[-500:] + first.stderr)
        took = {w: [] for w in ways}
        for i in range(rounds + 1):
            for way, argv in ways.items():
                got = timed(argv, env, top + "/repo")
                if i: # the first fills the page cache
                    took[way].append(got)
    for k, what in enumerate(("wall", "CPU")):
        a, b = (statistics.median(t[k] for t in took[w]) for w in ways)
        ratio = statistics.median(y[k] / x[k] for x, y in zip(took["tocsin"], took["go"]))
        yield (f"`mod check` of {MODULES} modules in a workspace, {what}, beside `go mod graph`", f"{a:.1f} ms", f"{b:.1f} ms", f"{ratio:.1f}x less", "<= 50 ms" if what == "wall" else "",
               a <= 50 if what == "wall" else None)


if __name__ == "__main__":
    for row in mod_check(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS):
        print(*row, sep="; ", flush=True)
