#!/usr/bin/env python3
"""`tocsin check` over 100 workflows and 100 scripts, beside actionlint and shellcheck on the same files.

usage: check_pipelines.py [ROUNDS]
Environment: TOCSIN (build/tocsin); actionlint and shellcheck from PATH. Where there is no actionlint, `go install` puts its newest version
below the user's cache folder. The files are those of tests/check, copied under other names until there are enough. Nobody keeps anything
from one run to the next: --no-cache for ours; the other two have no cache. What each one looks for differs, and no ratio says who finds
more: actionlint checks types and names in workflows and, where it finds shellcheck, hands each `run:` to it; shellcheck checks how shell is
written; ours follows where a failure of go gets lost, in both kinds of file, `run:` scripts included.
"""
import glob
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
EACH, ROUNDS, REACH = 100, 15, 5
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@latest"


def actionlint():
    found = shutil.which("actionlint")
    if found:
        return found
    folder = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "tocsin-bench")
    program = os.path.join(folder, "actionlint")
    if not os.path.exists(program):
        subprocess.run(["go", "install", ACTIONLINT], env=dict(os.environ, GOBIN=folder, GOFLAGS=""), check=True, timeout=900)
    return program


def copies(sources, folder, ending):
    os.makedirs(folder)
    for i in range(EACH):
        shutil.copy(sources[i % len(sources)], f"{folder}/{i:03}{ending}")
    return sorted(glob.glob(folder + "/*"))


def make(top, workflows=False, scripts=False):
    """A repository of them, and their paths. Each question gets its own: ours reads a project's other pipelines for what leads where, also when it is asked about one folder."""
    cases, paths = os.path.join(ROOT, "tests/check"), []
    subprocess.run(["git", "init", "-q", top], check=True)
    with open(top + "/go.mod", "w", encoding="ascii") as f:
        f.write("module example.com/bench\n\ngo 1.22\n")
    if workflows:
        paths += copies(sorted(glob.glob(cases + "/*/.github/workflows/*.yml")), top + "/.github/workflows", ".yml")
    if scripts:
        paths += copies(sorted(glob.glob(cases + "/**/*.sh", recursive=True)), top + "/scripts", ".sh")
    return paths


def timed(argv, top):
    """(wall, CPU) in ms. 0: nothing found, 1: something; more is an error."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(argv, cwd=top, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    wall, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode in (0, 1) and not done.stderr, (argv[0], done.returncode, done.stderr[:500])
    return wall * 1000, (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def turns(ways, rounds):
    """Of each way the medians of (wall, CPU). They take turns; the first round warms up and does not count."""
    took = {name: [] for name in ways}
    for i in range(rounds + 1):
        for name, (top, *commands) in ways.items():
            each = [timed(c, top) for c in commands]
            if i:
                took[name].append((sum(w for w, _ in each), sum(c for _, c in each)))
    return {name: tuple(statistics.median(x) for x in zip(*t)) for name, t in took.items()}


def row(label, ours, theirs, reach):
    ratio = theirs[0] / ours[0]
    return (label, f"{ours[0]:.1f} ms, {ours[1]:.1f} ms CPU", f"{theirs[0]:.1f} ms, {theirs[1]:.1f} ms CPU", f"{ratio:.1f}x as fast, {theirs[1] / ours[1]:.1f}x less CPU",
            f">= {REACH}x" if reach else "", ratio >= REACH if reach else None)


def pipelines(rounds=ROUNDS):
    """Rows (measure, ours, theirs, ratio, what to reach, reached)."""
    shellcheck, linter = shutil.which("shellcheck"), actionlint()
    if not shellcheck:
        sys.exit("shellcheck is missing: apt-get install shellcheck")
    ours = [TOCSIN, "check", "--no-config", "--no-cache"]
    alone = [linter, "-shellcheck=", "-pyflakes="]
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-check-") as top:
        both, w, s = top + "/both", top + "/workflows", top + "/scripts"
        make(both, True, True)
        workflows, scripts = make(w, workflows=True), make(s, scripts=True)
        yaml, shell = [*alone, *workflows], [shellcheck, *scripts]
        got = turns({"all": (both, ours), "both": (top, yaml, shell), "workflows": (w, ours), "alone": (w, yaml),
                     "with": (w, [linter, f"-shellcheck={shellcheck}", "-pyflakes=", *workflows]), "scripts": (s, ours), "shell": (s, shell)}, rounds)
    version = subprocess.run([linter, "-version"], capture_output=True, text=True, check=True).stdout.split()[0]
    other = subprocess.run([shellcheck, "--version"], capture_output=True, text=True, check=True).stdout.split("version: ")[1].split()[0]
    return [row(f"{2 * EACH} workflows and scripts, wall, beside actionlint {version} (without its shellcheck) and then shellcheck {other}", got["all"], got["both"], True),
            row(f"the {EACH} workflows alone, beside actionlint without shellcheck", got["workflows"], got["alone"], False),
            row("the same, beside actionlint as it runs where shellcheck is installed: each run: goes to it", got["workflows"], got["with"], False),
            row(f"the {EACH} scripts alone, beside shellcheck", got["scripts"], got["shell"], False)]


if __name__ == "__main__":
    for cells in pipelines(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS):
        print(" | ".join("" if x is None else str(x) for x in cells))
