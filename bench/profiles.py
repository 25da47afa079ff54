#!/usr/bin/env python3
"""`tocsin explain --top` and `--diff` on a large profile, against `go tool pprof -top` and `-diff_base`.

usage: profiles.py [MEGABYTES]
Environment: TOCSIN (build/tocsin), GO (go). Made: a heap profile of 50 MB, not packed, as a service with deep stacks writes it, and a
second one of another day. Reach: 30 times faster, at most 256 MiB.
"""
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOCSIN = os.path.abspath(os.environ.get("TOCSIN", os.path.join(ROOT, "build/tocsin")))
GO = os.environ.get("GO", "go")
LIMIT = 400  # seconds for one call; pprof needs half a minute on an idle machine


def varint(n):
    out = bytearray()
    n &= (1 << 64) - 1
    while n >= 0x80:
        out.append(n & 0x7f | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def number(field, n):
    return varint(field << 3) + varint(n) if n else b""


def data(field, b):
    return varint(field << 3 | 2) + varint(len(b)) + b


def packed(field, numbers):
    return data(field, b"".join(varint(n) for n in numbers))


def make(path, size, seed):
    """Stacks are walks through one call graph of 5,000 functions, 20 to 60 deep; 20,000 locations, some with inlined calls."""
    rng = random.Random(7)  # the program: the same for every seed
    strings = ["", "alloc_objects", "count", "alloc_space", "bytes", "inuse_objects", "inuse_space", "space", "/srv/app"]
    functions, locations = 5000, 20000
    tail = data(3, number(1, 1) + number(2, 0x400000) + number(3, 0x4000000) + number(5, 8) + number(7, 1))
    for i in range(functions):
        strings += [f"example.com/service/internal/part{i % 97}.(*worker{i % 41}).step{i}", f"/src/service/internal/part{i % 97}/file{i % 13}.go"]
        tail += data(5, number(1, i + 1) + number(2, 9 + 2 * i) + number(3, 9 + 2 * i) + number(4, 10 + 2 * i) + number(5, rng.randrange(1, 900)))
    for i in range(locations):
        lines = b"".join(data(4, number(1, (i if k == 0 else rng.randrange(functions)) % functions + 1) + number(2, rng.randrange(1, 2000)))
                         for k in range(1 if rng.random() < .8 else 2))
        tail += data(4, number(1, i + 1) + number(2, 1) + number(3, 0x400000 + i * 64) + lines)
    callees = [[rng.randrange(locations) + 1 for _ in range(4)] for _ in range(locations + 1)]
    tail += b"".join(data(6, s.encode()) for s in strings) + data(11, number(1, 7) + number(2, 4)) + number(12, 524288)
    rng = random.Random(seed)
    with open(path, "wb") as f:
        done = f.write(b"".join(data(1, number(1, t) + number(2, u)) for t, u in ((1, 2), (3, 4), (5, 2), (6, 4))))
        while done + len(tail) < size:
            at, stack = rng.randrange(1, 50), []
            for _ in range(rng.randrange(20, 60)):
                stack.append(at)
                at = callees[at][min(3, int(rng.expovariate(1.2)))]
            n, each = rng.randrange(1, 400), 1 << rng.randrange(4, 16)
            live = rng.randrange(n + 1)
            done += f.write(data(2, packed(1, stack[::-1]) + packed(2, (n, n * each, live, live * each)) + data(3, number(1, 4) + number(3, each))))
        f.write(tail)


def run(argv, env, limit=LIMIT):
    """Wall, CPU, MiB and the text. At the limit it is ended: the times are then what it took so far. The go command's child counts."""
    begin = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out:
        p = subprocess.Popen(argv, env=env, stdout=out, stderr=subprocess.DEVNULL, start_new_session=True)
        timer = threading.Timer(limit, os.killpg, (p.pid, signal.SIGTERM))
        timer.start()
        _, status, usage = os.wait4(p.pid, 0)
        timer.cancel()
        p.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        return time.monotonic() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out.read()


def pprof_program(env):
    """The one that comes built; newer releases build it at first use."""
    for go in (GO, "/usr/lib/go-1.19/bin/go", "/usr/local/go/bin/go"):
        if shutil.which(go):
            path = subprocess.run([go, "env", "GOTOOLDIR"], env=env, capture_output=True, text=True, check=False).stdout.strip() + "/pprof"
            if os.path.exists(path):
                return [path]
    subprocess.run([GO, "tool", "pprof", "-h"], env=env, capture_output=True, check=False)  # builds it
    return [GO, "tool", "pprof"]


def first_name(text, skip):
    return next((line.split()[-1] for line in text.splitlines() if skip in line and "." in line.split()[-1]), "?")


def bench(row, program=TOCSIN, size=50_000_000):
    """Rows of the table: top and diff beside pprof's, the same file."""
    top = tempfile.mkdtemp(prefix="tocsin-bench-profiles-")
    try:
        old, new = top + "/old.pb", top + "/new.pb"
        make(old, size, 1)
        make(new, size, 2)
        env = dict(os.environ, GOTOOLCHAIN="local", GOFLAGS="", PPROF_TMPDIR=top, HOME=top, TOCSIN_LANG="en")
        pprof = pprof_program(env)
        rows = (("top", "go tool pprof -top", [program, "explain", "--top", new], [*pprof, "-top", "-symbolize=none", new]),
                ("diff", "go tool pprof -diff_base", [program, "explain", "--top", "--diff", old, new], [*pprof, "-top", "-symbolize=none", "-diff_base=" + old, new]))
        for name, their_name, ours, theirs in rows:
            runs = sorted(run(ours, env) for _ in range(5))
            wall, cpu, mib, text = runs[0]
            slow, slow_cpu, slow_mib, their_text = run(theirs, env)
            more = "" if their_text else "more than "  # it was ended at the limit
            if their_text and first_name(text, "step") != first_name(their_text, "step"):
                sys.exit(f"bench: {name}: not the same function first")
            yield row(f"profile of {size / 1e6:.0f} MB, {name} / {their_name}", f"{wall * 1000:.0f} ms (CPU {cpu * 1000:.0f} ms)", f"{more}{slow:.1f} s (CPU {slow_cpu:.1f} s)",
                      f"{more}{slow / wall:.0f}x as fast (by CPU {slow_cpu / cpu:.0f}x)", ">= 30x", slow / wall >= 30)
            yield row(f"the same: peak memory (the other {slow_mib:.0f} MiB)", f"{mib:.0f} MiB", f"{slow_mib:.0f} MiB", f"1/{slow_mib / mib:.0f}", "<= 256 MiB", mib <= 256)
    finally:
        shutil.rmtree(top, ignore_errors=True)


def main():
    for cells in bench(lambda *cells: cells, TOCSIN, int(float(sys.argv[1]) * 1e6) if len(sys.argv) > 1 else 50_000_000):
        print(" | ".join(str(c) for c in cells), flush=True)


if __name__ == "__main__":
    main()
