#!/usr/bin/env python3
"""Modules: `tocsin mod download` against `go mod download`, cold, from a loopback proxy, when nothing fails."""
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TOCSIN = os.path.abspath(os.environ.get("TOCSIN", "build/tocsin"))
HELPER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "helpers", "goproxy.py")


def seconds(command, cwd, env):
    t = time.monotonic()
    subprocess.run(command, cwd=cwd, env=env, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - t


def download(modules=100, rounds=15):
    """(measure, ours, theirs, ratio, what to reach, reached). The two take turns, so that a busy machine slows both; medians."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as tmp:
        server = subprocess.Popen([sys.executable, HELPER, str(modules)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            proxy = json.loads(server.stdout.readline())["http"]
            project, cache = os.path.join(tmp, "project"), os.path.join(tmp, "modcache")
            os.mkdir(project)
            with open(os.path.join(project, "go.mod"), "w", encoding="ascii") as f:
                f.write("module example.test/main\n\ngo 1.19\n\nrequire (\n" + "".join(f"\texample.test/m{i:03} v1.0.0\n" for i in range(modules)) + ")\n")
            env = dict(os.environ, GOPROXY=proxy, GOSUMDB="off", GOFLAGS="-modcacherw", GOTOOLCHAIN="local", GOENV="off", GOPATH=tmp, GOMODCACHE=cache,
                       GOCACHE=os.path.join(tmp, "gocache"), XDG_STATE_HOME=os.path.join(tmp, "state"), XDG_CACHE_HOME=os.path.join(tmp, "cache"))
            plain, ours = ["go", "mod", "download"], [TOCSIN, "mod", "download", "--no-store"]
            took = {True: [], False: []}
            for i in range(rounds + 1):
                for tocsin in (i % 2 == 0, i % 2 == 1):
                    shutil.rmtree(cache, ignore_errors=True)
                    t = seconds(ours if tocsin else plain, project, env)
                    if i:  # the first round warms what is not measured
                        took[tocsin].append(t)
            assert len([d for d in os.listdir(os.path.join(cache, "example.test")) if d.startswith("m")]) == modules
        finally:
            server.stdin.close()
            server.wait(10)
    a, b = statistics.median(took[False]), statistics.median(took[True])
    ratio = statistics.median(y / x for x, y in zip(took[False], took[True]))
    return (f"`mod download` of {modules} modules, cold, loopback proxy", f"{b * 1e3:.0f} ms", f"{a * 1e3:.0f} ms", f"{ratio:.3f}x", "<= 1.02x of go", ratio <= 1.02)


ROWS = {"download": download}

if __name__ == "__main__":
    for word in sys.argv[1:] or ROWS:
        print(*ROWS[word](), sep="; ", flush=True)
