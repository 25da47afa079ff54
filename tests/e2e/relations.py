#!/usr/bin/env python3
# suite: takes 8
"""Several files at once: who crashed, in the trace and the heap profile of that moment; who is stuck, in the dump and the trace."""
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
HELPERS = os.path.join(HERE, "..", "helpers")
sys.path.insert(0, HELPERS)
from tap import TOCSIN, check, done  # noqa: E402

GO = shutil.which("go") or "/usr/local/go/bin/go"
WORK = tempfile.mkdtemp(prefix="tocsin-relations-")
ENV = dict(os.environ, GOFLAGS="-buildvcs=false", GOTOOLCHAIN="local", GOWORK="off", GOTRACEBACK="single", GOMAXPROCS="2")


def build():
    folder = os.path.join(WORK, "src")
    os.makedirs(folder)
    shutil.copy(os.path.join(HELPERS, "gorelate.go"), folder)
    with open(os.path.join(folder, "go.mod"), "w", encoding="ascii") as f:
        f.write("module example.com/gorelate\n\ngo 1.22\n")
    p = subprocess.run([GO, "build", "-o", WORK + "/gorelate", "."], cwd=folder, env=ENV, stderr=subprocess.PIPE, timeout=300, check=False)
    return check(p.returncode == 0, "the program builds", p.stderr.decode())


def play(mode):
    """Its folder, with everything that it left."""
    folder = os.path.join(WORK, mode)
    os.makedirs(folder)
    with open(folder + "/log.txt", "wb") as log:
        subprocess.run([WORK + "/gorelate", mode, folder], env=ENV, stderr=log, timeout=60, check=False)
    return folder


def explain(*args, lang="en"):
    return subprocess.run([TOCSIN, "explain", *args], env=dict(os.environ, TOCSIN_LANG=lang, TZ=os.environ.get("TZ", "")), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120, check=False)


def relations(*files):
    """The relations, the last report's limits, what was printed."""
    p = explain("--json", *files)
    lines = [json.loads(x) for x in p.stdout.splitlines()]
    last = [x for x in lines if "relations" in x]
    return (last[-1]["relations"], last[-1]["limits"], p) if last else ([], [], p)


def find(found, kind, *names):
    return [r for r in found if r["kind"] == kind and all(any(f.endswith("/" + n) for f in r["files"]) for n in names)]


def panicked():
    d = play("panic")
    log = open(d + "/log.txt", encoding="utf-8").read()
    who = int(re.search(r"goroutine (\d+) ", log).group(1))
    files = [d + "/" + n for n in ("trace.out", "heap.pb.gz", "goroutines.txt", "log.txt")]
    found, limits, p = relations(*files)
    check(p.returncode == 1 and not limits, "a panic, its heap profile, dump and trace are read", (p.returncode, limits, p.stderr))
    g = find(found, "goroutine", "log.txt", "trace.out")
    check(len(g) == 1 and g[0]["goroutine"] == who and g[0]["gap_ns"] == 0, "the goroutine that panicked is found in the trace", found)
    text = g[0]["text"] if g else ""
    check("started in main.dying" in text and "until the trace ends" in text, "where it started, and what it did last", text)
    check("sleep at main.store (main.go" in text or "at main.store (gorelate.go" in text, "where it was in its last moments", text)
    f = find(found, "function", "log.txt", "heap.pb.gz")
    check(len(f) == 1 and f[0]["function"] == "main.store" and re.search(r"stands for \S+ \(\d+\.\d%\) of \S+ inuse_space", f[0]["text"]),
          "the function that panicked holds the heap profile's memory", found)
    check(len(find(found, "goroutine", "log.txt", "goroutines.txt")) == 1, "and stands in the dump", found)
    order = [r["kind"] for r in found]
    again, _, _ = relations(*reversed(files))
    check(sorted(r["text"] for r in again) == sorted(r["text"] for r in found), "the order of the files does not matter", (found, again))
    check(order == sorted(order, key=["time", "goroutine", "memory", "function"].index), "kind by kind", order)
    out = explain(*files).stdout.decode()
    flat = re.sub(r"\s+", " ", out)
    check(f"goroutine {who}, which crashed (log.txt), is in the trace trace.out" in flat, "people read it too", out[-3000:])
    check("处关联" in explain(*files, lang="zh").stdout.decode(), "in Chinese as well")
    explain("--markdown", WORK + "/r.md", *files)
    md = open(WORK + "/r.md", encoding="utf-8").read()
    check(re.search(r"\n- goroutine .* which crashed", md), "and in the Markdown", md[-1500:])
    one = [json.loads(x) for x in explain("--json", files[3]).stdout.splitlines()]
    check(len(one) == 1 and "relations" not in one[0], "one file alone relates to nothing", one)
    return d, who


def elsewhere(d, who):
    """What does not belong together is not related."""
    log = open(d + "/log.txt", encoding="utf-8").read()
    old = os.path.join(WORK, "old.txt")
    with open(old, "w", encoding="utf-8") as f:
        f.write(re.sub(r"^\d{4}/", "2019/", log, flags=re.M))
    found, limits, _ = relations(d + "/trace.out", d + "/heap.pb.gz", old)
    check(not found and sum("apart: nothing is concluded" in x for x in limits) == 2, "a crash of another year is not related, and that is said", (found, limits))
    strange = os.path.join(WORK, "strange.txt")
    with open(strange, "w", encoding="utf-8") as f:
        f.write(log.replace("main.dying", "main.other").replace("main.store", "main.shop"))
    found, _, _ = relations(d + "/trace.out", d + "/heap.pb.gz", strange)
    check(not find(found, "goroutine") and not find(found, "function"), "the same number in another program is another goroutine", found)
    cri = os.path.join(WORK, "cri.txt")
    with open(cri, "w", encoding="utf-8") as f: # a container's log: the lines have the time, the program's own says nothing
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(os.path.getmtime(d + "/log.txt")))
        for line in re.sub(r"^\d{4}/\S+ \S+ ", "", log, flags=re.M).splitlines():
            f.write(f"{stamp}.000000001Z stderr F {line}\n")
    os.utime(cri, (1, 1))
    found, _, p = relations(d + "/heap.pb.gz", d + "/trace.out", cri)
    g = find(found, "goroutine", "trace.out")
    check(len(g) == 1 and g[0]["goroutine"] == who and abs(g[0]["gap_ns"]) < 5e9, "the time of a container's log counts, not the file's", (found, p.stderr))


def memory():
    d = play("memory")
    found, _, p = relations(d + "/log.txt", d + "/heap.pb.gz", d + "/trace.out")
    m = find(found, "memory", "log.txt", "heap.pb.gz")
    check(len(m) == 1 and m[0]["function"] == "main.grow" and "in main.grow" in m[0]["text"], "out of memory: who holds it", (found, p.stderr))
    g = find(found, "goroutine", "log.txt", "trace.out")
    check(len(g) == 1 and g[0]["goroutine"] == 1, "the main goroutine is found in the trace", found)
    with gzip.open(d + "/trace.out.gz", "wb") as f:
        f.write(open(d + "/trace.out", "rb").read())
    found, _, _ = relations(d + "/log.txt", d + "/trace.out.gz")
    check(len(find(found, "goroutine", "trace.out.gz")) == 1, "in a compressed trace too", found)


def locks():
    d = play("locks")
    found, _, p = relations(d + "/goroutines.txt", d + "/trace.out")
    g = find(found, "goroutine", "goroutines.txt", "trace.out")
    check(len(g) == 2 and all("which is stuck" in r["text"] and "started in main.blocked" in r["text"] for r in g), "who is stuck in the dump is found in the trace",
          (found, p.stderr))
    check(all(re.search(r"lock or wait group \(sync\) at main\.blocked \(\S+\.go:\d+\), until the trace ends", r["text"]) for r in g),
          "and since when it waits", [r["text"] for r in g])


try:
    if build():
        where, goroutine = panicked()
        elsewhere(where, goroutine)
        memory()
        locks()
finally:
    shutil.rmtree(WORK, ignore_errors=True)
done()
