#!/usr/bin/env python3
"""`tocsin probe` of a large stripped binary (go's own command) against what go has for it.

usage: probe.py [ROUNDS]. GoReSym is measured too where it is in PATH.
"""
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile

TOCSIN = os.path.abspath(os.environ.get("TOCSIN", "build/tocsin"))


def environment():
    env = {k: v for k, v in os.environ.items() if not k.startswith("TOCSIN")}
    env.update(GOTOOLCHAIN="local", GOFLAGS="-buildvcs=false", CGO_ENABLED="0")
    return env


def build(folder):
    """The same program, stripped and not: `go tool nm` has nothing to say of the first."""
    paths = {}
    for name, flags in (("stripped", ["-ldflags=-s -w"]), ("whole", [])):
        paths[name] = os.path.join(folder, name)
        subprocess.run(["go", "build", *flags, "-o", paths[name], "cmd/go"], cwd=folder, env=environment(), check=True)
    return paths


def cpu_ms(argv, calls=10):
    """User and system time of one call. A shell makes the calls: its fork is a small one."""
    loop = ["sh", "-c", 'n=$1; shift; while [ "$n" -gt 0 ]; do "$@" >/dev/null 2>&1; n=$((n - 1)); done', "sh", str(calls), *argv]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(loop, stdin=subprocess.DEVNULL, env=environment(), check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1000 / calls


def peak_kib(argv):
    with tempfile.NamedTemporaryFile("r") as out:
        subprocess.run(["/usr/bin/time", "-q", "-f", "%M", "-o", out.name, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment(), check=True)
        return int(out.read().split()[-1])


def probe(rounds=15):
    """Rows of (measure, ours, theirs, ratio, what to reach, reached). All take turns, so that a busy machine slows all; medians."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as tmp:
        paths = build(tmp)
        size = os.path.getsize(paths["stripped"])
        # `go tool nm` starts the program of that name: it is called as such, without go around it.
        nm = subprocess.run(["go", "tool", "-n", "nm"], capture_output=True, text=True, env=environment(), check=False).stdout.strip()
        ways = {
            "all": [TOCSIN, "probe", "--json", "--functions", ".", paths["stripped"]],
            "usual": [TOCSIN, "probe", "--json", paths["stripped"]],
            "info": [TOCSIN, "probe", "--build-info", paths["stripped"]],
            "version": ["go", "version", "-m", paths["stripped"]],
            "nm": [nm if os.path.isabs(nm) and os.path.exists(nm) else "go", *([] if os.path.isabs(nm) and os.path.exists(nm) else ["tool", "nm"]), paths["whole"]],
        }
        if shutil.which("GoReSym"):
            ways["goresym"] = ["GoReSym", "-t", "-d", "-p", paths["stripped"]]
        took = {way: [] for way in ways}
        for i in range(rounds + 1):
            for way, argv in ways.items():
                t = cpu_ms(argv, 5)
                if i:  # the first round warms what is not measured
                    took[way].append(t)
        ms = {way: statistics.median(v) for way, v in took.items()}
        peaks = {way: peak_kib(argv) for way, argv in ways.items()}
    mb = size / 1e6
    theirs = ms["version"] + ms["nm"]
    yield (f"`probe --json` of a stripped binary of {mb:.1f} MB (cmd/go) / `go version -m` + `go tool nm` of the one with symbols, CPU", f"{ms['usual']:.1f} ms", f"{theirs:.1f} ms",
           f"{ms['usual'] / theirs:.3f}x", "<= 40 ms for 12 MB", ms["usual"] <= 40 * max(1, mb / 12))
    yield ("the same, every function listed with its source", f"{ms['all']:.1f} ms", f"{theirs:.1f} ms", f"{ms['all'] / theirs:.3f}x", "", None)
    yield ("the same, peak memory / the file's size", f"{peaks['all'] / 1024:.1f} MiB", f"{max(peaks['version'], peaks['nm']) / 1024:.1f} MiB", f"{peaks['all'] * 1024 / size:.2f}x of the file", "<= 2x of the file",
           peaks["all"] * 1024 <= 2 * size)
    yield ("build info alone / `go version -m`, CPU", f"{ms['info']:.2f} ms", f"{ms['version']:.2f} ms", f"{ms['info'] / ms['version']:.2f}x", "< 1x", ms["info"] < ms["version"])
    if "goresym" in ms:
        yield ("`probe --json --functions .` / GoReSym, CPU", f"{ms['all']:.1f} ms", f"{ms['goresym']:.0f} ms", f"1/{ms['goresym'] / ms['all']:.0f}", "< 1x", ms["all"] < ms["goresym"])


if __name__ == "__main__":
    for row in probe(*map(int, sys.argv[1:])):
        print(*row, sep="; ", flush=True)
