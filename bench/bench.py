#!/usr/bin/env python3
"""Speed and memory beside the tools that people use today, as ratios within one run.

usage: bench.py [WORD…]     start, gotest, gotest-long, stream, log, nested, modules, record, store, postgres, alerts, dumps, profiles, exectraces, service, probe, probe-all, activation, check:
                            only these; mod-check, mod-download, mod-verify: these parts of modules
Environment: TOCSIN (build/tocsin); BENCH_MB, size of the generated files (500); BENCH_DIR, where they are kept;
BENCH_FINDINGS, size of the store that is filled (200000; the full measure, some 15 minutes more, is 1000000);
BENCH_ALERTS, how many alerts are sent and how many failures a storm has (10000).
Prints a table and writes bench/results.md.
"""
import os
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import activation
import alerts
import check
import check_pipelines
import dumps
import exectraces
import modcheck
import modules
import modverify
import probe
import probeall
import profiles
import service
import store

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
TOCSIN = os.path.abspath(os.environ.get("TOCSIN", os.path.join(ROOT, "build/tocsin")))
SIZE = int(os.environ.get("BENCH_MB", "500"))
# Modules whose own tests are run; else packages of the standard library. A machine's speed drifts by some per cent within
# seconds: only many short rounds side by side can show 2 %. The long one is for the eye.
SHORT = ("github.com/spf13/cast@v1.7.1", 80)
LONG = ("go.uber.org/zap@v1.27.0", 8)
STD = ["bytes", "strings", "strconv", "sort", "encoding/json", "text/template", "go/parser", "regexp", "bufio", "html/template"]


# "go version +0.42 ms (3.10 -> 3.52, 10000 calls)", as bench/nested.py says it
NESTED = re.compile(r"(go [a-z]+(?: \(\w+\))?) ([+-][\d.]+) ms \(([\d.]+) -> ([\d.]+), (\d+) calls\)")


class Row:
    def __init__(self, measure, ours, theirs, ratio, reach="", met=None):
        self.cells = [measure, ours, theirs, ratio, reach, "" if met is None else "yes" if met else "NO"]


FILL = os.path.join(os.path.dirname(TOCSIN), "bench", "store_fill")
LOG_FILL = os.path.join(os.path.dirname(TOCSIN), "bench", "log_fill")
ALERT_FILL = os.path.join(os.path.dirname(TOCSIN), "bench", "alert_fill")


def child_env(**more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("TOCSIN") and k not in ("CI", "GITHUB_ACTIONS", "GITLAB_CI")}
    env["GOTOOLCHAIN"] = "local"
    env["GOFLAGS"] = (env.get("GOFLAGS", "") + " -buildvcs=false").strip()
    env.update(more)
    return env


def cpu_ms(argv, calls):
    """User and system time of one call and all that it waited for. A shell makes the calls: its fork is a small one."""
    loop = ["sh", "-c", 'n=$1; shift; while [ "$n" -gt 0 ]; do "$@"; n=$((n - 1)); done', "sh", str(calls), *argv]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(loop, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=child_env(), check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1000 / calls


def wall(argv, cwd=None, reps=1):
    """(best seconds, peak KiB, exit status). GNU time starts it: a fork of this process would count our own memory."""
    best, peak, status = None, 0, 0
    for _ in range(reps):
        with tempfile.NamedTemporaryFile("r") as out:
            start = time.perf_counter()
            done = subprocess.run(["/usr/bin/time", "-q", "-f", "%M", "-o", out.name, *argv], cwd=cwd, env=child_env(),
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
            seconds = time.perf_counter() - start
            peak, status = max(peak, int(out.read().split()[-1])), done.returncode
        best = seconds if best is None else min(best, seconds)
    return best, peak, status


def note(text):
    print(f"--- {text}", file=sys.stderr, flush=True)


def bench_start():
    note("start-up: 15 rounds of 40 calls each, in turns")
    ours, theirs = [], []
    for _ in range(15):
        ours.append(cpu_ms([TOCSIN, "run", "--no-store", "--", "true"], 40))
        theirs.append(cpu_ms(["timeout", "60", "true"], 40))
    a, b = statistics.median(ours), statistics.median(theirs)
    yield Row("`tocsin run --no-store -- true` / `timeout 60 true`, CPU time a call, median of 15 rounds", f"{a:.2f} ms", f"{b:.2f} ms",
              f"{a / b:.2f}x", "<= 2.5x", a <= 2.5 * b)


def real_module(top, module):
    """(folder, arguments of go test, its name)."""
    got = subprocess.run(["go", "mod", "download", "-json", module], cwd=top, env=child_env(GOFLAGS="-mod=mod"), capture_output=True,
                         text=True, timeout=300, check=False)
    if got.returncode == 0:
        source = next(line.split('"')[3] for line in got.stdout.splitlines() if '"Dir"' in line)
        folder = os.path.join(top, "module")
        shutil.copytree(source, folder)
        subprocess.run(["chmod", "-R", "u+w", folder], check=True)
        return folder, ["./..."], module
    note(f"{module} cannot be had here; packages of the standard library instead")
    goroot = subprocess.run(["go", "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip()
    return os.path.join(goroot, "src"), STD, "standard library"


def gotest(module, rounds):
    with tempfile.TemporaryDirectory() as top:
        folder, packages, name = real_module(top, module)
        bare = ["go", "test", "-count=1", *packages]
        note(f"go test -count=1 of {name}: building, then {rounds} rounds, each beginning with another")
        want = wall(bare, folder)[2]
        ways = {"bare": bare,
                "tocsin": [TOCSIN, "run", "--no-store", "--", *bare],
                "pkgname": [TOCSIN, "run", "--no-store", "--format", "pkgname", "--", *bare],
                "gotestsum": ["gotestsum", "--", *bare[2:]]}
        times, order = {way: [] for way in ways}, list(ways)
        for _ in range(rounds):
            for way in order:
                seconds, _, status = wall(ways[way], folder)
                times[way].append(seconds)
                if (status == 0) != (want == 0):
                    note(f"{way}: exit status {status}, bare {want}")
            order = order[1:] + order[:1]

    def row(label, way, other, reach="", met=None):
        # Rounds differ by more than the ways do: each is compared within its own round.
        ratio = statistics.median(m / o for m, o in zip(times[way], times[other]))
        ours, theirs = (statistics.median(times[w]) for w in (way, other))
        return Row(label, f"{ours:.2f} s", f"{theirs:.2f} s", f"{ratio:.3f}x", reach, met and met(ratio))

    command = "`tocsin run -- go test -count=1 ./...`"
    yield row(f"{command} / bare, wall, median of {rounds} rounds ({name})", "tocsin", "bare", "<= 1.02x", lambda r: r <= 1.02)
    yield row("the same / gotestsum", "tocsin", "gotestsum", "< 1x", lambda r: r < 1)
    yield row("the same with `--format pkgname` / bare", "pkgname", "bare")


def bench_gotest():
    yield from gotest(*SHORT)


def bench_gotest_long():
    yield from gotest(*LONG)


def generated(form, megabytes):
    folder = os.environ.get("BENCH_DIR") or os.path.join(tempfile.gettempdir(), f"tocsin-bench-{os.getuid()}")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    path = os.path.join(folder, f"{form}-{megabytes}")
    if not os.path.exists(path):
        note(f"writing {path}")
        with open(path + ".new", "wb") as f:
            subprocess.run([sys.executable, os.path.join(HERE, "gen_stream.py"), form, str(megabytes)], stdout=f, check=True)
        os.rename(path + ".new", path)
    with open(path, "rb") as f:  # into the page cache
        while f.read(1 << 22):
            pass
    return path


def speed(megabytes, seconds):
    return f"{megabytes / seconds:,.0f} MB/s"


def judged(form, label, path):
    """Rows that both kinds of file have: speed beside wc -l, memory at two sizes."""
    mb = os.path.getsize(path) / 1e6
    small = generated(form, max(SIZE // 10, 1))
    seconds, peak, status = wall([TOCSIN, "explain", path], reps=3)
    if status != 1:
        note(f"explain {path}: exit status {status}, expected 1 (the file holds failures)")
    _, small_peak, _ = wall([TOCSIN, "explain", small])
    count, _, _ = wall(["wc", "-l", path], reps=5)
    yield Row(f"{label}: `tocsin explain` / `wc -l`, best of 3", speed(mb, seconds), speed(mb, count), f"{count / seconds:.2f}x as fast",
              ">= 300 MB/s where `wc -l` does 2 GB/s" if form == "text" else "1 GB/s in mind",
              mb / seconds >= 300 * min(1, mb / count / 2000) if form == "text" else None)
    yield Row(f"{label}: peak memory / that of a tenth of it", f"{peak / 1024:.1f} MiB", f"{small_peak / 1024:.1f} MiB",
              f"{peak / small_peak:.2f}x", "<= 32 MiB, not growing", peak <= 32 << 10 and peak <= 1.1 * small_peak)
    return mb, seconds, peak


def bench_stream():
    path = generated("json", SIZE)
    note("judging the go test -json stream")
    label = f"{SIZE} MB of `go test -json`"
    mb, seconds, peak = yield from judged("json", label, path)
    theirs, their_peak, _ = wall(["gotestsum", "--raw-command", "--", "cat", path], reps=2)
    yield Row(f"{label}: `tocsin explain` / gotestsum, best", speed(mb, seconds), speed(mb, theirs), f"{theirs / seconds:.1f}x as fast",
              ">= 20x", theirs / seconds >= 20)
    yield Row(f"{label}: peak memory / gotestsum's", f"{peak / 1024:.1f} MiB", f"{their_peak / 1024:.1f} MiB", f"1/{their_peak / peak:.0f}")


def bench_log():
    path = generated("text", SIZE)
    note("judging the plain log")
    yield from judged("text", f"{SIZE} MB of plain `go test -v`", path)


def bench_nested():
    script = os.path.join(HERE, "nested.py")
    if not os.path.exists(script):
        note("bench/nested.py does not exist")
        return
    note("nested go calls")
    done = subprocess.run([sys.executable, script], cwd=ROOT, env=child_env(TOCSIN=TOCSIN), stdout=subprocess.PIPE, text=True, timeout=1800, check=False)
    for name, added, bare, ours, calls in NESTED.findall(done.stdout):
        yield Row(f"{calls} nested calls of {name}, a call, under `tocsin run` / bare", f"{ours} ms", f"{bare} ms", f"{added} ms",
                  "<= 2 ms added", float(added) <= 2)
    if done.returncode:
        yield Row("bench/nested.py", f"exit status {done.returncode}", "", "", "0", False)


def bench_mod_check():
    note("mod check: 100 modules in a workspace")
    for row in modcheck.mod_check():
        yield Row(*row)


def bench_mod_download():
    note("mod download: a loopback proxy")
    for measure in modules.ROWS.values():
        yield Row(*measure())


def bench_mod_verify():
    note("mod verify: the modules of a large project")
    for row in modverify.verify():
        yield Row(*row)


def bench_modules():
    yield from bench_mod_check()
    yield from bench_mod_download()
    yield from bench_mod_verify()


def bench_dumps():
    note("goroutine dumps")
    return dumps.rows(Row, wall, 3, TOCSIN, child_env(), os.environ.get("BENCH_DIR"), int(os.environ.get("BENCH_LOG_MB", "1000")))


def bench_probe():
    note("probe of a large stripped binary")
    for row in probe.probe():
        yield Row(*row)


def bench_probe_all():
    note("probe --all: 500 processes")
    for row in probeall.probe_all():
        yield Row(*row)


def bench_activation():
    note("check activation: Go's own tree")
    for row in activation.activation():
        yield Row(*row)


def bench_check():
    note("check: all Go rules over Go's own source")
    for row in check.check():
        yield Row(*row)
    note("check: workflows and scripts beside actionlint and shellcheck")
    for row in check_pipelines.pipelines():
        yield Row(*row)


BENCHES = {"start": bench_start, "gotest": bench_gotest, "gotest-long": bench_gotest_long, "stream": bench_stream, "log": bench_log, "nested": bench_nested, "modules": bench_modules,
           "record": lambda: store.bench_record(Row, TOCSIN), "store": lambda: store.bench_sqlite(Row, TOCSIN, FILL),
           "postgres": lambda: store.bench_postgres(Row, TOCSIN, FILL), "alerts": lambda: alerts.bench(Row, TOCSIN, ALERT_FILL),
           "dumps": bench_dumps, "profiles": lambda: profiles.bench(Row, TOCSIN), "exectraces": lambda: exectraces.bench(Row, TOCSIN), "service": lambda: service.bench(Row, TOCSIN, LOG_FILL), "probe": bench_probe, "probe-all": bench_probe_all, "activation": bench_activation, "check": bench_check}

# Also to be had by themselves; in all of it they are part of modules.
PARTS = {"mod-check": bench_mod_check, "mod-download": bench_mod_download, "mod-verify": bench_mod_verify, "mod": bench_modules}


def machine():
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    go = subprocess.run(["go", "version"], capture_output=True, text=True, check=False).stdout.split()
    return f"{os.cpu_count()} cores {platform.machine()}, {memory:.0f} GiB, Linux {platform.release().split('-')[0]}, {go[2] if len(go) > 2 else 'no go'}"


def table(rows):
    head = ["measure", "tocsin", "the other", "ratio", "to reach", "reached"]
    lines = ["| " + " | ".join(cells) + " |" for cells in [head, ["---"] * 6, *(r.cells for r in rows)]]
    return "\n".join(lines) + "\n"


def main():
    words = sys.argv[1:] or list(BENCHES)
    unknown = [w for w in words if w not in BENCHES and w not in PARTS]
    if unknown:
        sys.exit(f"bench: no measure '{unknown[0]}'; there are: {', '.join([*BENCHES, *PARTS])}")
    rows = []
    for word in words:
        rows += (BENCHES.get(word) or PARTS[word])()
    text = table(rows)
    print(text)
    if words == list(BENCHES):
        with open(os.path.join(HERE, "results.md"), "w", encoding="utf-8") as f:
            f.write("# Speed and memory\n\nMade by `./dev bench`: both sides in one run, on the same machine and input; only the ratios "
                    f"travel.\n\nMachine: {machine()}\n\n{text}")
        print("written: bench/results.md")
    missed = [r for r in rows if r.cells[5] == "NO"]
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
