"""What `tocsin run --service` costs beside a service that logs much, against `cat` that relays the same."""
import json
import os
import resource
import statistics
import subprocess
import tempfile
import time


def usage(argv, **more):
    """(seconds of CPU of this process and all that it waited for, wall seconds)."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(argv, stdin=subprocess.DEVNULL, check=True, **more)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, time.perf_counter() - begin


def by_cat(fill, seconds, rate):
    """CPU seconds of cat alone; how long it took."""
    with open(os.devnull, "wb") as null:
        begin = time.perf_counter()
        service = subprocess.Popen([fill, str(seconds), str(rate)], stdout=subprocess.PIPE)
        relay = subprocess.Popen(["cat"], stdin=service.stdout, stdout=null)
        service.stdout.close()
        _, status, used = os.wait4(relay.pid, 0)
        relay.returncode = status
        wall = time.perf_counter() - begin
        service.wait()
    return used.ru_utime + used.ru_stime, wall


def by_tocsin(tocsin, fill, seconds, rate):
    """The same of tocsin alone: all, without what the service itself used."""
    with tempfile.TemporaryDirectory() as top, open(os.devnull, "wb") as null:
        report = os.path.join(top, "report.json")
        env = dict(os.environ, XDG_STATE_HOME=top)
        all_of_it, wall = usage([tocsin, "run", "--service", "--no-store", "--report", report, "--", fill, str(seconds), str(rate)], stdout=null, stderr=null, env=env)
        with open(report, encoding="utf-8") as f:
            service = json.load(f)["run"]["resources"]["cpu_ms"] / 1000
    return all_of_it - service, wall


def measure(tocsin, fill, rounds=9, seconds=2, rate=50):
    """(tocsin's CPU, cat's CPU) in seconds of CPU a second, medians of rounds in turns."""
    ours, theirs = [], []
    for _ in range(rounds):
        cpu, _ = by_tocsin(tocsin, fill, seconds, rate)
        ours.append(cpu / seconds)
        cpu, _ = by_cat(fill, seconds, rate)
        theirs.append(cpu / seconds)
    return statistics.median(ours), statistics.median(theirs)


def bench(row, tocsin, fill):
    ours, theirs = measure(tocsin, fill)
    yield row("CPU that `tocsin run --service` adds to a service which logs 50 MB/s in 200-byte writes / `cat` that relays the same, median of 9 rounds in turns",
              f"{ours * 100:.1f} % of a core", f"{theirs * 100:.1f} %", f"{ours / theirs:.2f}x", "<= 1.6x", ours <= 1.6 * theirs)


if __name__ == "__main__":
    ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    TOCSIN = os.path.abspath(os.environ.get("TOCSIN", os.path.join(ROOT, "build/tocsin")))
    a, b = measure(TOCSIN, os.environ.get("LOG_FILL", os.path.join(os.path.dirname(TOCSIN), "bench", "log_fill")), int(os.environ.get("ROUNDS", "5")))
    print(f"tocsin {a * 100:.1f} % of a core, cat {b * 100:.1f} %: {a / b:.2f}x")
