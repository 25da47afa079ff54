#!/usr/bin/env python3
"""`tocsin probe --all` beside 500 Go processes that wait, and `go version` of the executables that they run.

usage: probeall.py [ROUNDS]
Environment: TOCSIN (build/tocsin); BENCH_PROCESSES (500). Reach: 200 ms.
"""
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOCSIN = os.path.abspath(os.environ.get("TOCSIN", os.path.join(ROOT, "build/tocsin")))
PROCESSES, ROUNDS = int(os.environ.get("BENCH_PROCESSES", "500")), 15
SOURCE = """package main

import (
	"net"
	"os"
)

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	os.Stdout.WriteString("ready\\n")
	os.Stdin.Read(make([]byte, 1))
}
"""


def build(top):
    with open(top + "/go.mod", "w", encoding="utf-8") as f:
        f.write("module example.test/waits\n\ngo 1.19\n")
    with open(top + "/main.go", "w", encoding="utf-8") as f:
        f.write(SOURCE)
    env = dict({k: v for k, v in os.environ.items() if not k.startswith("TOCSIN")}, GOTOOLCHAIN="local", GOFLAGS="-buildvcs=false")
    subprocess.run(["go", "build", "-o", top + "/waits", "."], cwd=top, env=env, check=True)
    return top + "/waits"


def timed(argv):
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    wall, after = (time.monotonic() - begin) * 1000, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000, done.stdout


def count(text):
    return sum(p["command"].endswith("/waits") and len(p["ports"]) == 1 and p["disk"] == "same" for p in json.loads(text)["processes"])


def probe_all(rounds=ROUNDS):
    """Rows (measure, ours, theirs, ratio, what to reach, reached). The two take turns; medians."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-probeall-") as top:
        program = build(top)
        env = {"PATH": os.environ["PATH"], "GOMAXPROCS": "1"}
        running = [subprocess.Popen([program], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(PROCESSES)]
        try:
            for p in running:
                assert p.stdout.readline() == b"ready\n"
            exes = [f"/proc/{p.pid}/exe" for p in running]
            seen = count(timed([TOCSIN, "probe", "--all", "--json"])[2])
            if seen != PROCESSES:
                sys.exit(f"{seen} of {PROCESSES} processes were seen as they are")
            took = {"tocsin": [], "go": []}
            for _ in range(rounds):
                took["tocsin"].append(timed([TOCSIN, "probe", "--all"]))
                took["go"].append(timed(["go", "version", *exes]))
        finally:
            for p in running:
                p.kill()
            for p in running:
                p.communicate()
    for k, what in enumerate(("wall", "CPU")):
        a, b = (statistics.median(t[k] for t in took[w]) for w in ("tocsin", "go"))
        yield (f"`probe --all` of {PROCESSES} Go processes, {what}, beside `go version` of what they run", f"{a:.1f} ms", f"{b:.1f} ms", f"{b / a:.1f}x less",
               "<= 200 ms" if what == "wall" else "", a <= 200 if what == "wall" else None)


if __name__ == "__main__":
    for row in probe_all(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS):
        print(*row, sep="; ", flush=True)
