#!/usr/bin/env python3
"""`tocsin explain` on a 100 MB execution trace, against golang.org/x/exp/trace's reader doing the same analysis.

usage: exectraces.py [VALUES]
Environment: TOCSIN (build/tocsin), GO (go). The reader is fetched and built (tests/helpers/xtrace). Reach: 5 times faster, at
most 256 MiB.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
GO = os.environ.get("GO", "go")
VALUES = 62000


def env():
    return dict(os.environ, GOTOOLCHAIN="local", GOFLAGS="-buildvcs=false -mod=mod", GOWORK="off", TOCSIN_LANG="en")


def build(source, to):
    """A Go program of one file, or of a folder with its go.mod."""
    folder = tempfile.mkdtemp(prefix="tocsin-bench-go-")
    try:
        if os.path.isdir(source):
            shutil.copytree(source, folder, dirs_exist_ok=True)
        else:
            shutil.copy(source, folder)
            with open(os.path.join(folder, "go.mod"), "w", encoding="ascii") as f:
                f.write("module example.com/fill\n\ngo 1.22\n")
        return subprocess.run([GO, "build", "-o", to, "."], cwd=folder, env=env(), stderr=subprocess.PIPE, check=False).returncode == 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(argv):
    begin = time.monotonic()
    p = subprocess.Popen(argv, env=env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    return time.monotonic() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, p.returncode


def measure(tocsin, values=VALUES, rounds=3):
    """(bytes, the best of ours, the best of theirs or None); each (wall, CPU, MiB, status)."""
    top = tempfile.mkdtemp(prefix="tocsin-bench-trace-")
    try:
        trace, ours, theirs = top + "/big.trace", [], []
        fill, reader = top + "/fill", top + "/xtrace"
        if not build(os.path.join(ROOT, "bench/trace_fill.go"), fill):
            raise RuntimeError("bench/trace_fill.go does not build")
        subprocess.run([fill, "-o", trace, "-n", str(values)], env=env(), check=True)
        there = build(os.path.join(ROOT, "tests/helpers/xtrace"), reader)
        for _ in range(rounds):
            ours.append(run([tocsin, "explain", trace]))
            if there:
                theirs.append(run([reader, trace]))
        return os.path.getsize(trace), min(ours), min(theirs) if theirs else None
    finally:
        shutil.rmtree(top, ignore_errors=True)


def bench(row, tocsin):
    size, a, b = measure(tocsin)
    name = f"`tocsin explain` of an execution trace of {size / 1e6:.0f} MB / the same analysis with golang.org/x/exp/trace, best of 3 in turns"
    if not b:
        yield row(name, f"{a[0]:.2f} s, {a[2]:.0f} MiB", "cannot be fetched", "", ">= 5x, <= 256 MiB")
        return
    yield row(name, f"{a[0]:.2f} s (CPU {a[1]:.2f} s), {a[2]:.0f} MiB", f"{b[0]:.2f} s (CPU {b[1]:.2f} s), {b[2]:.0f} MiB", f"{b[0] / a[0]:.1f}x",
              ">= 5x, <= 256 MiB", b[0] >= 5 * a[0] and a[2] <= 256)


if __name__ == "__main__":
    TOCSIN = os.path.abspath(os.environ.get("TOCSIN", os.path.join(ROOT, "build/tocsin")))
    n, our, their = measure(TOCSIN, int(sys.argv[1]) if len(sys.argv) > 1 else VALUES)
    print(f"{n / 1e6:.0f} MB: tocsin {our[0]:.2f} s (CPU {our[1]:.2f} s, {our[2]:.0f} MiB)" +
          (f", x/exp/trace {their[0]:.2f} s (CPU {their[1]:.2f} s, {their[2]:.0f} MiB): {their[0] / our[0]:.1f}x, by CPU {their[1] / our[1]:.1f}x" if their else ""))
