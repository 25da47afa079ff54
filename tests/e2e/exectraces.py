#!/usr/bin/env python3
# suite: takes 33
"""Execution traces: the same events as go tool trace, the same sums as its own order gives, and what is damaged is named."""
import collections
import gzip
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import traceback
import time
import xml.dom.minidom

HERE = os.path.dirname(os.path.abspath(__file__))
HELPERS = os.path.join(HERE, "..", "helpers")
sys.path.insert(0, HELPERS)
from tap import FULL, SLOW, TOCSIN, check, done, kept, skip  # noqa: E402

GO = shutil.which("go") or "/usr/local/go/bin/go"
OLD = "/usr/lib/go-1.19/bin/go"
WORK = tempfile.mkdtemp(prefix="tocsin-traces-")
ENV = dict(os.environ, GOFLAGS="-buildvcs=false", GOTOOLCHAIN="local", GOWORK="off")
SOURCES = ("gotrace.go", "gotrace_flight.go", "gotrace_old.go")
TEST = """package main

import ("testing"; "time"; "sync")

func TestTrace(t *testing.T) {
	var wg sync.WaitGroup
	for i := 0; i < 20; i++ { wg.Add(1); go func() { defer wg.Done(); time.Sleep(time.Millisecond); spin(10000) }() }
	wg.Wait()
}
"""


def sh(*argv, env=ENV, **kw):
    return subprocess.run(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300, **kw)


def build(go, name, version):
    """The helper, built with one go command; None when it cannot."""
    folder = os.path.join(WORK, name)
    os.makedirs(folder)
    for s in SOURCES:
        shutil.copy(os.path.join(HELPERS, s), folder)
    with open(os.path.join(folder, "go.mod"), "w") as f:
        f.write(f"module example.com/gotrace\n\ngo {version}\n")
    with open(os.path.join(folder, "a_test.go"), "w") as f:
        f.write(TEST)
    p = sh(go, "build", "-o", "gotrace", ".", cwd=folder)
    return folder if p.returncode == 0 else None


def explain(*args, **kw):
    return sh(TOCSIN, "explain", *args, env=dict(os.environ, TOCSIN_LANG=kw.pop("lang", "en")), **kw)


def trace_of(path, *more):
    p = explain("--json", *more, path)
    if not p.stdout:
        return {}, p
    return json.loads(p.stdout), p


STEP = re.compile(rb"^M=\S+ P=\S+ G=\S+ (\w+) Time=(\d+)(?: GoID=(\d+) (\w+)->(\w+) Reason=\"(.*)\")?")
CLASS = {"Running": "running", "Runnable": "runnable", "Syscall": "syscall", "Waiting": "waiting"}


def parsed(path):
    """What go tool trace -d=parsed prints: events by kind, and each goroutine's time by state."""
    kinds, total, live, sync, last = collections.Counter(), {}, {}, 0, 0
    p = subprocess.Popen([GO, "tool", "trace", "-d=parsed", path], env=ENV, stdout=subprocess.PIPE)
    for line in p.stdout:
        if not line.startswith(b"M="):
            continue
        m = STEP.match(line)
        if not m:
            continue
        kind, last = m.group(1).decode(), int(m.group(2))
        kinds[kind] += 1
        if kind == "Sync":
            sync = last
        if kind != "StateTransition" or m.group(3) is None:
            continue
        g, old, new = int(m.group(3)), m.group(4).decode(), m.group(5).decode()
        if old == new:
            continue
        if old in ("Undetermined", "NotExist"):
            live[g] = (new, sync if old == "Undetermined" else last)
            total.setdefault(g, collections.Counter())
            continue
        state, since = live[g]
        total[g][CLASS[state]] += last - since
        live[g] = (new, last)
        if new == "NotExist":
            del live[g]
    for g, (state, since) in live.items():
        total[g][CLASS[state]] += last - since
    p.wait()
    return dict(kinds), total


def own_totals(doc):
    out = {}
    for g in doc["trace"]["goroutines"]:
        t = g["time"]
        sums = out.setdefault(g["id"], collections.Counter())
        for k in ("running", "runnable", "syscall"):
            sums[k] += t[k]
        sums["waiting"] += t["network"] + t["lock"] + t["channel"] + t["sleep"] + t["other"]
    return out


def same_totals(a, b):
    wrong = []
    for g in sorted(set(a) | set(b)):
        for k in ("running", "runnable", "syscall", "waiting"):
            x, y = a.get(g, {}).get(k, 0), b.get(g, {}).get(k, 0)
            if x != y:
                wrong.append(f"goroutine {g} {k}: {x}, go tool trace {y}")
    return wrong


def against_go(path, name):
    doc, p = trace_of(path)
    if not check("trace" in doc, f"{name}: read", p.stderr.decode() + p.stdout.decode()[:500]):
        return {}
    kinds, total = parsed(path)
    check(doc["trace"]["events"] == kinds, f"{name}: as many events of each kind as go tool trace", f"{doc['trace']['events']}\n{kinds}")
    check(doc["trace"]["unverified_generations"] == 0 and not doc["limits"], f"{name}: the whole order is proven", doc["limits"])
    wrong = same_totals(own_totals(doc), total)
    check(not wrong and total, f"{name}: the time of {len(total)} goroutines in each state, to the nanosecond", "\n".join(wrong))
    return doc


def find(rows, **want):
    return [r for r in rows if all(r.get(k) == v for k, v in want.items())]


def has_frame(row, func, key="stack"):
    return any(f["func"] == func for f in row[key])


def facts(doc):
    t = doc["trace"]
    found = [f for f in doc["findings"] if f["cause"] == "go.blocked"]
    check(len(found) == 1 and found[0]["file"].endswith("gotrace.go") and found[0]["severity"] == "error",
          "a goroutine on a nil channel is the finding, with its place", found)
    check(doc["verdict"]["outcome"] is None, "a trace of a living process has no outcome", doc["verdict"])
    stuck = [w for w in t["open"] if w["state"] == "syscall" and has_frame(w, "main.stuckInSyscall")]
    check(len(stuck) == 1 and stuck[0]["from"] is not None, "the system call that never returned, since when, with its stack", t["open"][:3])
    net = [w for w in t["waits"] if w["reason"] == "network"]
    dead = [w for w in net if has_frame(w, "main.deadlines")]
    check(dead and dead[0]["deadlines"] >= dead[0]["count"] * 0.8 > 10, "reads that end by their deadline are counted", dead[:1])
    alive = [w for w in net if has_frame(w, "main.client")]
    check(alive and alive[0]["count"] > 20 and alive[0]["deadlines"] <= alive[0]["count"] * 0.1, "reads that got data are none", alive[:1])
    check({w["depends_on"] for w in net if has_frame(w, "main.echo")} == {"listen"}, "an accept depends on a new connection", net[:2])
    locks = [w for w in t["waits"] if has_frame(w, "main.worker") and w["reason"] == "sync"]
    check(locks and locks[0]["depends_on"] == "lock" and any(f["func"].endswith("Unlock") for f in locks[0]["woken_by"]),
          "a wait for a mutex: that it is a lock, and who let it go", locks[:1])
    task = find(t["tasks"], count=1)
    check(task and task[0]["total"] > 1e9 and not task[0]["open"] and t["regions"][0]["name"] == "allocate", "tasks and regions", (t["tasks"], t["regions"]))
    check(len(t["logs"]) == 1 and t["logs"][0]["key"] == "user", "the log message", t["logs"])
    ends = t["records"].get("GCEnd", 0)
    check(ends and abs(t["collections"][0]["count"] - ends) <= 1 and sum(s["count"] for s in t["stopped_world"]) == t["records"]["STWEnd"],
          "collections and stops of the world, all of them", (t["collections"], t["stopped_world"], ends))
    lat = t["latency"]
    check(lat["count"] and lat["p50"] <= lat["p90"] <= lat["p99"] <= lat["max"], "percentiles of the scheduling latency", lat)
    groups = {g["start"]: g for g in t["groups"]}
    check(groups.get("main.worker", {}).get("goroutines") == 6 and groups["main.worker"]["time"]["running"] > 0, "groups by start function", list(groups))


def views(path):
    p = explain(path)
    text = p.stdout.decode()
    check(p.returncode == 1, "a proven block: exit status 1", (p.returncode, p.stderr))
    want = ("Where they waited", "System calls that never returned", "Blocked at the end", "Network waits that ended without data",
            "Scheduling latency", "Garbage collector", "Tasks", "Regions", "Log messages", "main.stuckInSyscall", "main.worker")
    check(all(w in text for w in want), "the terminal shows all parts", [w for w in want if w not in text])
    check("\x1b" not in text.replace("\x1b[0m", ""), "no escape of a name reaches the terminal", text[:200])
    zh = explain(path, lang="zh").stdout.decode()
    check("等待位置" in zh and "Where they waited" not in zh, "in Chinese too", zh[:300])
    short, long = explain("--top=1", path).stdout, explain("--top=0", path).stdout
    check(len(short) < len(text) <= len(long), "--top cuts and widens the lists", (len(short), len(text), len(long)))
    with open(path, "rb") as f:
        data = f.read()
    with gzip.open(path + ".gz", "wb", 1) as f:
        f.write(data)
    same = explain(path + ".gz").stdout
    check(same == p.stdout, "gzip: the same", same[:200])
    same = explain("-", input=data).stdout
    check(same == p.stdout, "standard input: the same", same[:200])


def timeline(path):
    svg = os.path.join(WORK, "t.svg")
    p = explain("--timeline", svg, path)
    doc = xml.dom.minidom.parse(svg)
    text = open(svg, encoding="utf-8").read()
    titles = [n.firstChild.data for n in doc.getElementsByTagName("title") if n.firstChild]
    check(p.returncode == 1 and len(titles) > 100 and "Timeline" in p.stdout.decode(), "a timeline: SVG with tool tips, and in the terminal", p.stderr)
    check("alert(1)" in text and "<script>alert" not in text and text.count("<script") == 1, "hostile names stay text", "")
    check("http" not in text.replace("http://www.w3.org/2000/svg", ""), "it fetches nothing", "")
    check("prefers-color-scheme" in text and os.path.getsize(svg) < 4 << 20, "dark and light; a bounded size", os.path.getsize(svg))
    rows = [n.firstChild.data for n in doc.getElementsByTagName("text") if n.firstChild]
    check(any(r.startswith("P ") for r in rows) and any("main.worker" in r for r in rows), "rows of processors and of groups", rows[:20])
    p = explain("--window", "200ms..220ms", "--timeline", svg, path)
    check("Timeline 200.0ms – 220.0ms" in p.stdout.decode() and xml.dom.minidom.parse(svg), "a window", p.stdout[-2000:].decode())
    other = os.path.join(WORK, "other.trace")
    shutil.copy(path, other)
    p = explain("--timeline", os.path.join(WORK, "two.svg"), path, other)
    made = sorted(n for n in os.listdir(WORK) if n.startswith("two"))
    check(made == ["two-1.svg", "two-2.svg"] and all("Timeline" in x or xml.dom.minidom.parse(os.path.join(WORK, x)) for x in made) and b"number in the name" in p.stderr,
          "several traces: a timeline each", (made, p.stderr))
    p = explain("--window", "2s..1s", path)
    check(p.returncode == 2 and b"--window" in p.stderr, "a window that ends before it begins is refused", p.stderr)


def compare(base, slow):
    doc, p = trace_of(slow, "--diff", base)
    ch = doc.get("trace", {}).get("changes", [])
    check(ch and ch[0]["now_per_second"] > ch[0]["before_per_second"], "--diff: what grew most is first", ch[:2])
    more = [c["func"] for c in ch[:6]]
    check("main.worker" in more, "--diff: the lock that is held longer is named", ch[:6])
    text = explain("--diff", base, slow).stdout.decode()
    check("What waits more than before" in text, "--diff: in the terminal", text[:300])
    p = explain("--diff", os.path.join(HELPERS, "gotrace.go"), slow)
    check(p.returncode == 2 and b"no execution trace" in p.stderr, "--diff with something else is refused", p.stderr)


def damaged(path):
    data = open(path, "rb").read()
    whole = trace_of(path)[0]["trace"]
    bad, steps, most = os.path.join(WORK, "bad.trace"), 40 if FULL else 12, 0
    odd, kept = [], []
    for i in range(1, steps, 2 if SLOW else 1):  # fewer on the sanitizer build
        at = 17 + (len(data) - 18) * i // steps
        open(bad, "wb").write(data[:at])
        begin = time.time()
        doc, p = trace_of(bad)
        most = max(most, time.time() - begin)
        if p.returncode not in (2,) or not doc.get("limits") or not re.search(r"byte \d+", doc["limits"][0]):
            odd.append((at, p.returncode, doc.get("limits"), p.stderr[:200]))
        kept.append(doc.get("trace", {}).get("records", {}).get("GoStart", 0))
    check(not odd, "cut at any byte: status 2, named with its byte and generation", odd[:5])
    check(kept == sorted(kept) and kept[-1] > whole["records"]["GoStart"] * 0.8, "cut: what stands before the cut is kept", (kept, whole["records"]["GoStart"]))
    odd = []
    for i in range(60 if FULL else 6 if SLOW else 16):
        at = 40 + (len(data) - 50) * i // 60
        open(bad, "wb").write(data[:at] + bytes([data[at] ^ (1 << i % 8)] * 3) + data[at + 3:])
        begin = time.time()
        p = explain("--json", bad)
        most = max(most, time.time() - begin)
        if p.returncode not in (0, 1, 2) or not p.stdout:
            odd.append((at, p.returncode, p.stderr[-200:]))
    check(not odd, "bytes flipped: an answer each time", odd[:5])
    check(most < 20, "damage costs no time", most)
    open(bad, "wb").write(data[:16])
    doc, p = trace_of(bad)
    check(p.returncode == 2 and "nothing else" in doc["limits"][0], "a header alone", doc.get("limits"))
    open(bad, "wb").write(b"go 1.99 trace\0\0\0" + data[16:])
    check(b"go 1.99" in explain(bad).stderr, "a format that is not known yet is named", "")


def v(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def batch(gen, m, at, data):
    return b"\x01" + v(gen) + v(m) + v(at) + v(len(data)) + data


def hostile():
    """Files that nobody's runtime writes."""
    head = b"go 1.26 trace\0\0\0"
    sync = batch(1, 2**64 - 1, 1, b"\x32\x08" + v(15625000))
    cases = {
        "a number of 11 bytes": (head + b"\x01" + b"\xff" * 11, "no end"),
        "a batch of 4 GB": (head + b"\x01" + v(1) + v(1) + v(1) + v(1 << 32) + b"x", "larger than the format"),
        "no batch": (head + b"\x2a" * 30, "no batch begins"),
        "a string of 4 GB": (head + sync + batch(1, 1, 1, b"\x04\x05" + v(1) + v(1 << 32)) + b"\x34", "table of strings"),
        "a string id out of range": (head + sync + batch(1, 1, 1, b"\x14\x01" + v(99) + v(0)) + b"\x34", "in no table"),
        "an event type that is none": (head + sync + batch(1, 1, 1, b"\xfa\x01") + b"\x34", "type 250"),
        "generations out of order": (head + batch(7, 1, 1, b"") + batch(3, 1, 1, b"") + b"\x34", "generation 3"),
    }
    path = os.path.join(WORK, "hostile.trace")
    for name, (data, words) in cases.items():
        open(path, "wb").write(data)
        doc, p = trace_of(path)
        check(p.returncode == 2 and any(words in s for s in doc.get("limits", [])), f"hostile: {name}", (p.returncode, doc.get("limits"), p.stderr))
    bound = resource.RLIM_INFINITY if os.environ.get("TOCSIN_TEST_BUILD") == "asan" else 300 << 20  # the sanitizer's own shadow is larger
    many = b"".join(batch(1, i, 1, b"\x15\x01" + v(i) + b"\x01\x00") for i in range(1, 90000))
    begin = time.time()
    open(path, "wb").write(head + sync + many + b"\x34")
    p = subprocess.run([TOCSIN, "explain", "--json", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (bound, bound)))
    check(p.returncode == 2 and time.time() - begin < 60, "hostile: 90,000 threads that all wait for another", (p.returncode, time.time() - begin, p.stderr))
    ids = b"".join(b"\x0e\x01" + v(i * 2654435761 % 2**63) + b"\x00\x00" for i in range(1, 4000))
    run = batch(1, 1, 1, b"\x0d\x01\x00\x01" + b"\x19\x01\x01\x01\x02")
    open(path, "wb").write(head + sync + run + b"".join(batch(1, 1, 2, ids) for _ in range(20)) + b"\x34")
    check(explain("--json", path).returncode in (1, 2), "hostile: goroutines that exist already, sparse ids", "")


def old_format():
    folder = build(OLD, "old", "1.19") if os.access(OLD, os.X_OK) else None
    if not folder:
        skip("the format before Go 1.22", "Go 1.19 is not here")
        return
    path = os.path.join(folder, "v1.trace")
    sh(os.path.join(folder, "gotrace"), path)
    p = explain(path)
    check(p.returncode == 2 and b"format v1" in p.stderr and b"go 1.19" in p.stderr, "a trace of Go 1.19 is recognised and named", p.stderr)


def with_x_exp(paths):
    if not FULL:
        skip("golang.org/x/exp/trace agrees", "fetches a module: TOCSIN_TEST_FULL=1")
        return
    folder = os.path.join(WORK, "xtrace")
    shutil.copytree(os.path.join(HELPERS, "xtrace"), folder)
    p = sh(GO, "build", "-mod=mod", "-o", "xtrace", ".", cwd=folder)
    if p.returncode:
        skip("golang.org/x/exp/trace agrees", "its module cannot be fetched")
        return
    for path in paths:
        x = json.loads(sh(os.path.join(folder, "xtrace"), path).stdout)
        doc, _ = trace_of(path)
        wrong = same_totals({str(k): c for k, c in own_totals(doc).items()}, x["goroutines"])
        check(not wrong and doc["trace"]["events"] == x["kinds"] and doc["trace"]["duration"] == x["duration"],
              f"golang.org/x/exp/trace agrees on {os.path.basename(path)}", "\n".join(wrong))


def main():
    if not os.access(GO, os.X_OK):
        skip("execution traces", "there is no go")
        return
    new = kept(record, "exectraces", GO, TEST, *[open(os.path.join(HELPERS, s), encoding="utf-8").read() for s in SOURCES])
    paths = {name: os.path.join(new, name + ".trace") for name in ("plain", "slow", "flight", "test")}
    if not check(os.path.exists(paths["plain"]), "the helper builds"):
        return
    play(paths)


def record(made):
    """Real traces, the same for both builds of Tocsin."""
    new = build(GO, "new", "1.22")
    if not new:
        return
    paths = {name: os.path.join(made, name + ".trace") for name in ("plain", "slow", "flight", "test")}
    exe = os.path.join(new, "gotrace")
    runs = [subprocess.Popen([exe, paths["plain"]], stdout=subprocess.DEVNULL)]
    runs[0].wait()
    runs = [subprocess.Popen([exe, paths["slow"], "-slow"], stdout=subprocess.DEVNULL),
            subprocess.Popen([exe, paths["flight"], "-flight"], stdout=subprocess.DEVNULL)]
    sh(GO, "test", "-vet=off", "-count=1", "-trace", paths["test"], ".", cwd=new)
    for r in runs:
        r.wait()


def play(paths):
    facts(against_go(paths["plain"], "runtime/trace"))
    against_go(paths["test"], "go test -trace")
    if os.path.exists(paths["flight"]):
        against_go(paths["flight"], "flight recorder")
    views(paths["plain"])
    timeline(paths["plain"])
    compare(paths["plain"], paths["slow"])
    damaged(paths["plain"])
    hostile()
    old_format()
    with_x_exp([paths["plain"], paths["slow"]])


try:
    main()
except Exception:  # what went wrong is said where the failure is shown
    check(False, "the test went to its end", traceback.format_exc())
finally:
    shutil.rmtree(WORK, ignore_errors=True)
done()
