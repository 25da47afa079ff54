#!/usr/bin/env python3
"""`tocsin mod check` on a repository of 100 modules in a workspace: wall and CPU time of one call.

usage: modcheck.py
Environment: TOCSIN (build/tocsin). Made: each module requires some 50 of 300 others, all of whose go.mod files are in the module cache,
and has a whole go.sum, as `go mod tidy` writes it. Reach: 50 ms.
"""
import base64
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOCSIN = os.path.abspath(os.environ.get("TOCSIN", os.path.join(ROOT, "build/tocsin")))
MODULES, POOL, EACH, ROUNDS = 100, 300, 30, 30
HASH = "h1:" + base64.b64encode(bytes(32)).decode()


def put(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def make(top):
    rng = random.Random(1)
    pool = sorted((f"example.test/group{i % 17}/module{i}", f"v1.{i % 7}.{i % 5}") for i in range(POOL))
    needs = {p: sorted(rng.sample(pool[i + 1:], min(2, POOL - i - 1))) for i, (p, _) in enumerate(pool)} # no cycles
    for p, v in pool:
        put(f"{top}/cache/cache/download/{p}/@v/{v}.mod", f"module {p}\n\ngo 1.17\n\nrequire (\n" + "".join(f"\t{q} {w}\n" for q, w in needs[p]) + ")\n")
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
        put(f"{top}/repo/m{i}/go.sum", "".join(f"{q} {w} {HASH}\n{q} {w}/go.mod {HASH}\n" for q, w in lines))
    put(f"{top}/repo/go.work", "go 1.21\n\nuse (\n" + "".join(f"\t./m{i}\n" for i in range(MODULES)) + ")\n")


def main():
    top = tempfile.mkdtemp(prefix="tocsin-bench-modcheck-")
    try:
        make(top)
        env = dict({k: v for k, v in os.environ.items() if not k.startswith("GO")}, GOMODCACHE=top + "/cache", GOENV="off", HOME=top)
        argv = [TOCSIN, "mod", "check", top + "/repo"]
        first = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        if first.returncode or "nothing wrong" not in first.stdout:
            sys.exit("not clean: " + first.stdout[-500:] + first.stderr)
        wall = []
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for _ in range(ROUNDS):
            begin = time.monotonic()
            subprocess.run(argv, env=env, stdout=subprocess.DEVNULL, check=True)
            wall.append((time.monotonic() - begin) * 1000)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000 / ROUNDS
        print(f"mod check, {MODULES} modules in a workspace: {statistics.median(wall):.1f} ms wall (best {min(wall):.1f}), {cpu:.1f} ms CPU; reach: 50 ms")
    finally:
        shutil.rmtree(top)


if __name__ == "__main__":
    main()
