#!/usr/bin/env python3
# suite: takes 40
"""Real programs that die, hang, leak and recover, built with each Go version that is here: what `tocsin explain` makes of them."""
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "helpers"))
from tap import FULL, SLOW, TOCSIN, check, done, kept, skip  # noqa: E402

GOS = [g for g in (shutil.which("go") or "/usr/local/go/bin/go", "/usr/lib/go-1.19/bin/go") if os.access(g, os.X_OK)]
WORK = tempfile.mkdtemp(prefix="tocsin-tracebacks-")
LIMIT = 30

# name: cause, words of the message, word of the line that is to be shown (in helpers/godie.go); a "|" divides alternatives.
DEATHS = {
    "string": ("go.panic", "boom", 'panic("boom")'),
    "error": ("go.panic", "an error", "errors.New"),
    "stringer": ("go.panic", "stringer 7", "stringer{7}"),
    "text": ("go.panic", 'main.text("hey")', 'text("hey")'),
    "struct": ("go.panic", "(*main.pair) 0x", "&pair{1, 2}"),
    "float": ("go.panic", "3.5", "panic(3.5)"),
    "lines": ("go.panic", "first line", "second line"),
    "chain": ("go.panic", "first", 'panic("first")'),
    "repanic": ("go.panic", "again", 'panic("again")'),
    "nil": ("go.panic", "nil|panic called with nil argument", "panic(nil)"),
    "deref": ("go.nil_deref", "nil pointer dereference", "return p.b"),
    "index": ("go.panic", "index out of range [5] with length 3", "return s[i]"),
    "slice": ("go.panic", "slice bounds out of range", "return s[i:j]"),
    "divide": ("go.panic", "integer divide by zero", "return a / b"),
    "map": ("go.panic", "assignment to entry in nil map", 'm["a"] = 1'),
    "send": ("go.panic", "send on closed channel", "c <- 1 },"),
    "closed": ("go.panic", "close of closed channel", "close(c); close(c)"),
    "closenil": ("go.panic", "close of nil channel", "var c chan int; close(c)"),
    "interface": ("go.panic", "interface conversion", "x.(string)"),
    "waitgroup": ("go.panic", "sync: negative WaitGroup counter", "w.Done() }"),
    "inerror": ("go.fatal", "panic while printing panic value", "panic(bad{})"),
    "forged": ("go.panic", "oops", "main.innocent"),
    "log": ("go.panic", "logged", "log.Panic"),
    "deadlock": ("go.deadlock", "all goroutines are asleep", "<-make(chan int)"),
    "goexit": ("go.deadlock", "no goroutines", None),
    "mapwrite": ("go.concurrent_map", "concurrent map writes", "m[i&7] = i"),
    "unlock": ("go.fatal", "sync: unlock of unlocked mutex", "sync.Mutex; m.Unlock"),
    "rwunlock": ("go.fatal", "Unlock of unlocked RWMutex", "sync.RWMutex; m.Unlock"),
    "runlock": ("go.fatal", "RUnlock of unlocked RWMutex", "m.RUnlock"),
    "stack": ("go.stack_overflow", "stack overflow", "forever(n+1)"),
    "recursion": ("go.stack_overflow", "stack overflow", "t.left.depth()"),
    "threads": ("go.fatal", "thread exhaustion", "runtime.LockOSThread|time.Sleep"),
    "gonil": ("go.fatal", "go of nil func value", "var f func(); go f()"),
    "memory": ("go.out_of_memory", "out of memory", "make([]byte, 1<<46)"),
    "quit": ("proc.signal", "quit", "syscall.Kill|raise"),
    "abort": ("proc.signal", "abort", "syscall.Kill|raise"),
    "segv": ("go.fatal", "segmentation violation", "syscall.Kill|raise"),
    "bus": ("go.fatal", "bus error", "syscall.Kill|raise"),
}
SAMPLE = {"string", "lines", "chain", "repanic", "deref", "inerror", "forged", "deadlock", "stack", "mapwrite", "quit", "segv", "goexit"}

# name: what is wrong, is it certain (None: either), functions that must be named
HANGS = {
    "crosswise": ("crosswise", True, {"main.transfer"}),
    "circle": ("crosswise", True, {"main.transfer"}),
    "globals": ("crosswise", True, {"main.firstA", "main.firstB"}),
    "self": ("self_lock", True, {"main.(*account).half"}),
    "ring": ("ring|all_blocked", False, {"main.stage", "main.pump"}),
    "nilchan": ("nil_chan", True, set()),
    "nocases": ("no_cases", True, set()),
    "abandoned": ("abandoned", False, {"main.query.func1"}),
    "nodone": ("no_done", True, {"main.gather"}),
    "convoy": ("convoy", False, {"main.(*account).slow"}),
    "runnable": ("starved", False, set()),
    "healthy": (None, None, set()),
}
CAUSES = {"starved": "go.starved", "crowd": "go.leak"}


def run(argv, env=None, **more):
    return subprocess.run(argv, env=env, timeout=LIMIT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, **more)


def explain(data, *flags, name="evidence"):
    path = os.path.join(WORK, name)
    with open(path, "wb") as f:
        f.write(data)
    p = subprocess.run([TOCSIN, "explain", "--json", *flags, path], cwd=WORK, timeout=LIMIT, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    lines = p.stdout.decode("utf-8", "replace").splitlines()
    return (json.loads(lines[-1]) if lines else None), p.returncode, p.stderr.decode("utf-8", "replace")


def text(data, *flags):
    path = os.path.join(WORK, "evidence.txt")
    with open(path, "wb") as f:
        f.write(data)
    return run([TOCSIN, "explain", *flags, path], cwd=WORK).stdout.decode("utf-8", "replace")


def build(go, version):
    """The program of this go, the same for both builds of Tocsin; (its path, or None, what go said)."""
    said = b""

    def make(src):
        nonlocal said
        shutil.copy(os.path.join(HERE, "..", "helpers", "godie.go"), os.path.join(src, "main.go"))
        with open(os.path.join(src, "go.mod"), "w", encoding="utf-8") as f:
            f.write("module example.com/die\n\ngo 1.19\n")
        env = dict(os.environ, GOTOOLCHAIN="local", GOFLAGS="-buildvcs=false", CGO_ENABLED="0")
        said = subprocess.run([go, "build", "-o", "die", "."], cwd=src, env=env, timeout=300, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              check=False).stdout
    exe = os.path.join(kept(make, "tracebacks", version, SOURCE), "die")
    return exe if os.path.exists(exe) else None, said.decode()


SOURCE = open(os.path.join(HERE, "..", "helpers", "godie.go"), encoding="utf-8").read().splitlines()


def line_says(finding, words):
    if words is None:
        return True
    n = finding["line"] or 0
    return (finding["file"] or "").endswith("main.go") and 0 < n <= len(SOURCE) and any(w in SOURCE[n - 1] for w in words.split("|"))


def deaths(exe, version):
    for name, (cause, words, line) in DEATHS.items():
        if not FULL and name not in SAMPLE:
            continue
        for level in (("single",) if not FULL else ("single", "all", "system")):
            p = run([exe, name], env=dict(os.environ, GOTRACEBACK=level))
            r, _, _ = explain(p.stdout)
            f = r["findings"][0] if r and r["findings"] else {"cause": None, "message": "", "file": None, "line": 0}
            good = f["cause"] == cause and any(w in (f["message"] or "") for w in words.split("|")) and line_says(f, line)
            check(good and p.returncode == 2, f"{version} {name}, GOTRACEBACK={level}: {cause} at its line",
                  f"status {p.returncode}; {f['cause']} {f['message']} {f['file']}:{f['line']}\n" + p.stdout.decode()[:1500])
    p = run([exe, "deref"], env=dict(os.environ, GOTRACEBACK="crash"))
    r, _, _ = explain(p.stdout)
    check(p.returncode == -signal.SIGABRT and r["findings"] and r["findings"][0]["cause"] == "go.nil_deref",
          f"{version} GOTRACEBACK=crash: ended by SIGABRT, the cause is still the nil pointer", f"{p.returncode} {r and r['findings']}")


def knots(r):
    return (r.get("goroutines") or {}).get("wrong") or []


def hangs(exe, version):
    dumps = {}
    for name, (wrong, certain, funcs) in HANGS.items():
        p = subprocess.run([exe, name, "dump"], timeout=LIMIT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                           check=False)
        dumps[name] = p.stdout
        r, status, err = explain(p.stdout)
        found = knots(r)
        if wrong is None:
            check(not found and status == 0 and not r["findings"], f"{version} {name}: nothing is wrong", found)
            continue
        first = found[0] if found else {"wrong": None, "members": [], "cause": None, "certain": None}
        groups = r["goroutines"]["groups"]
        named = {groups[m["group"]]["place"]["function"] for k in found for m in k["members"]}
        good = first["wrong"] in wrong.split("|") and first["certain"] == certain and funcs <= named
        good = good and first["cause"] == CAUSES.get(first["wrong"], "go.blocked") and r["findings"][0]["cause"] == first["cause"]
        check(good and status == (1 if certain else 0) and r["verdict"]["outcome"] is None,
              f"{version} {name}: {wrong}", f"status {status} {err}\n{json.dumps(first, indent=1)}\n{named}\n" + p.stdout.decode()[:2500])
    return dumps


def all_counted(exe, version, dumps):
    for name, data in dumps.items():
        ids = re.findall(rb"(?m)^goroutine (\d+) ", data)
        r, _, _ = explain(data)
        g = r["goroutines"]
        check(g["count"] == len(ids) == sum(x["count"] for x in g["groups"]) == sum(g["waits"].values()),
              f"{version} {name}: every goroutine is counted once", f"{len(ids)} {g['count']}")


def older(data, minutes=3):
    """The same dump as it would be some minutes later."""
    return re.sub(rb"(?m)^(goroutine \d+ \[(?:chan|select|sync|semacq|sleep|IO)[^\],]*)\]", rb"\1, %d minutes]" % minutes, data)


def quits(exe, version):
    p = run([exe, "crosswise", "quit"])
    r, _, _ = explain(p.stdout)
    check([k["wrong"] for k in knots(r)][:1] == ["crosswise"] and "locks in a circle" in text(p.stdout),
          f"{version} SIGQUIT: the deadlock is seen among the runtime's own goroutines", knots(r))


def minutes(version, dumps):
    r, _, _ = explain(older(dumps["abandoned"], 12))
    k = knots(r)
    check(k and k[0]["wrong"] == "abandoned" and k[0]["certain"] and k[0]["minutes"] == 12, f"{version} minutes make a suspicion certain", k)
    r, _, _ = explain(older(dumps["healthy"], 12))
    check(not [x for x in knots(r) if x["certain"]], f"{version} a healthy pool that idles for minutes is not wrong", knots(r))


def leaks(exe, version):
    names = []
    for i, n in enumerate((10, 40, 70)):
        p = subprocess.run([exe, "leak", str(n)], timeout=LIMIT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
        names.append(os.path.join(WORK, f"leak{i}.txt"))
        with open(names[-1], "wb") as f:
            f.write(p.stdout)
        os.utime(names[-1], (1700000000 + 120 * i,) * 2)
    p = run([TOCSIN, "explain", "--json", *names], cwd=WORK)
    reports = [json.loads(x) for x in p.stdout.decode().splitlines() if x.startswith("{")]
    last = reports[-1] if reports else {}
    changes = (last.get("goroutines") or {}).get("changes") or [{}]
    check(len(reports) == 4 and [f["cause"] for f in last["findings"]] == ["go.leak"] and changes[0].get("leak")
          and abs(changes[0].get("per_minute", 0) - 15) < 0.01 and changes[0]["function"] == "main.query.func1",
          f"{version} three dumps: the leak and its slope a minute", p.stdout.decode()[-1500:])
    p = run([TOCSIN, "explain", "--json", *names[:2]], cwd=WORK)
    last = json.loads(p.stdout.decode().splitlines()[-1])
    check(not last["findings"] and last["goroutines"]["changes"][0]["after"] == 40, f"{version} two dumps show a change and no leak",
          p.stdout.decode()[-800:])
    p = run([TOCSIN, "explain", "--json", "--diff", names[0], names[2]], cwd=WORK)
    r = json.loads(p.stdout.decode().splitlines()[-1])
    diff = r["goroutines"]["diff"]["changes"]
    check(diff and diff[0]["before"] == 10 and diff[0]["after"] == 70, f"{version} --diff: from 10 to 70", p.stdout.decode()[-800:])


def series(exe, version):
    """Several dumps in one file: each is analysed, three show a slope."""
    parts = [run([exe, "leak", str(n)]).stdout for n in (10, 40, 70)]
    wrong = older(run([exe, "nilchan", "dump"]).stdout)
    log = b"".join(b"2026/11/21 10:%02d:%02d request %d\n" % (i // 60, i % 60, i) for i in range(200))
    for name, data in (("one after the other", b"\n".join(parts)), ("in a service's log", log + log.join(parts) + log)):
        r, status, _ = explain(data)
        s = (r.get("goroutines") or {}).get("series") or {"dumps": [], "changes": []}
        leak = (s["changes"] or [{}])[0]
        check([d["count"] > n for d, n in zip(s["dumps"], (10, 40, 70))] == [True] * 3 and leak.get("leak") and leak["function"] == "main.query.func1"
              and abs(leak["per_dump"] - 30) < 0.01 and [f["cause"] for f in r["findings"] if f["cause"] == "go.leak"] == ["go.leak"]
              and any("3 dumps" in x for x in r["limits"]) and r["goroutines"]["count"] == s["dumps"][2]["count"], f"{version} three dumps {name}: the leak and its slope",
              json.dumps(r)[:2500])
    shown = text(b"\n".join(parts))
    check(re.search(r"\d+ → \d+ → \d+ goroutines", shown) and "+30.0" in shown, f"{version} three dumps in one file are shown", shown)
    r, status, _ = explain(wrong + b"\n" + parts[2])
    told = [f for f in r["findings"] if f["cause"] == "go.blocked" and "dump 1, at byte 0" in f["message"]]
    check(len(told) == 2 and all("nil channel" in f["message"] for f in told) and r["findings"][0] in told and status == 1 and not [f for f in r["findings"] if f["cause"] == "go.leak"],
          f"{version} what only the smaller of two dumps shows is said", json.dumps(r["findings"])[:1500])
    r, _, _ = explain(b"\n".join(parts), "--focus", "state:^running$")
    check([d["count"] for d in r["goroutines"]["series"]["dumps"]] == [1, 1, 1], f"{version} --focus holds for each of them", r["goroutines"]["series"])


def filters(version, dumps):
    d = dumps["healthy"]
    whole, _, _ = explain(d)
    one, _, _ = explain(d, "--focus", r"hangs|glob\.\.|init\.func")
    rest, _, _ = explain(d, "--ignore", r"hangs|glob\.\.|init\.func")
    state, _, _ = explain(d, "--focus", "state:^chan receive$")
    a, b, c = (x["goroutines"]["shown"] for x in (one, rest, state))
    check(0 < a < whole["goroutines"]["count"] and a + b == whole["goroutines"]["count"], f"{version} --focus and --ignore are complements",
          f"{a} {b}")
    check(c >= 20 and {g["state"] for g in state["goroutines"]["groups"]} == {"chan receive"}, f"{version} --focus state:", c)
    wait, _, _ = explain(older(dumps["convoy"], 7), "--focus", "wait:5m")
    check(wait["goroutines"]["shown"] == 31, f"{version} --focus wait:5m", wait["goroutines"]["shown"])
    _, status, err = explain(d, "--focus", "(")
    check(status == 2 and "regular expression" in err, f"{version} --focus with a bad expression is refused", err)


WRAPS = {
    "CRI": lambda i, s: b"2026-11-21T02:00:00.%09dZ stderr F " % i + s,
    "docker": lambda i, s: json.dumps({"log": s.decode("utf-8", "replace") + "\n", "stream": "stderr",
                                       "time": "2026-11-21T02:00:00.1Z"}).encode(),
    "journald": lambda i, s: b"Nov 21 02:00:00 host app[12]: " + s,
    "syslog": lambda i, s: b"<11>1 2026-11-21T02:00:00Z host app 12 - - " + s,
    "stamps": lambda i, s: b"2026-11-21T02:00:00.1234567Z " + s,
    "compose": lambda i, s: b"web-1  | " + s,
}


def wrapped(exe, version, dumps):
    crash = b"starting\nlistening\nready\n" + run([exe, "deref"]).stdout
    log = b"starting\nlistening\nready\n" + run([exe, "http"]).stdout
    for name, wrap in WRAPS.items():
        def put(data):
            return b"".join(wrap(i, s) + b"\n" for i, s in enumerate(data.split(b"\n")[:-1]))
        r, _, _ = explain(put(crash))
        f = (r["findings"] or [{}])[0]
        check(f.get("cause") == "go.nil_deref" and line_says(f, "return p.b"), f"{version} a crash in {name} lines", json.dumps(r)[:1200])
        r, _, _ = explain(put(dumps["crosswise"]))
        check([k["wrong"] for k in knots(r)] == ["crosswise"], f"{version} a dump in {name} lines", json.dumps(r)[:1200])
        r, _, _ = explain(put(log))
        got = sorted((f["cause"], f.get("count")) for f in r["findings"])
        check(got == [("go.panic.recovered", 3)] * 2, f"{version} recovered panics in {name} lines", got)
    parts = b"".join(b"2026-11-21T02:00:00.1Z stderr P " + s[:9] + b"\n2026-11-21T02:00:00.1Z stderr F " + s[9:] + b"\n"
                     for s in crash.split(b"\n")[:-1])
    r, _, _ = explain(parts)
    check(r["findings"] and r["findings"][0]["cause"] == "go.nil_deref", f"{version} CRI lines that come in parts", json.dumps(r)[:800])


def json_logs(exe, version):
    stack = run([exe, "deref"]).stdout.decode()
    head = "".join(json.dumps({"time": "2026-11-21T02:00:00Z", "level": "info", "msg": f"request {i}"}) + "\n" for i in range(30))
    one = json.dumps({"time": "2026-11-21T02:00:01Z", "level": "error", "msg": stack}) + "\n"
    r, _, _ = explain((head + one + head).encode())
    f = (r["findings"] or [{}])[0]
    check(f.get("cause") == "go.nil_deref" and line_says(f, "return p.b") and r["verdict"]["outcome"] == "crashed",
          f"{version} a whole crash in one field of a JSON line", json.dumps(r)[:1200])
    trace = run([exe, "printed"]).stdout.decode()
    trace = trace[trace.index("goroutine "):]
    trace = trace[:trace.index("\n20") + 1]
    two = json.dumps({"level": "error", "msg": "panic recovered: boom", "stack": trace}) + "\n"
    r, status, _ = explain((head + two * 5 + head).encode())
    f = (r["findings"] or [{}])[0]
    check(f.get("cause") == "go.panic.recovered" and f.get("count") == 5 and "boom" in f["message"] and line_says(f, "return p.b") and status == 0,
          f"{version} a recovered panic in two fields of a JSON line", json.dumps(r)[:1200])


def recovered(exe, version):
    want = {"http": ("net/http", [3, 3]), "printed": ("stack", [1]), "imitated": ("stack", [1]), "fmt": ("fmt", [1])}
    for name, (source, counts) in want.items():
        p = run([exe, name])
        r, status, _ = explain(p.stdout)
        got = [(f["cause"], f["severity"], f.get("count")) for f in r["findings"]]
        check(got == [("go.panic.recovered", "warning", n) for n in counts] and r["findings"][0]["message"].startswith(source + ":")
              and status == 0 and r["verdict"]["outcome"] is None, f"{version} {name}: recovered, and no crash", json.dumps(r)[:1500])


def libraries():
    """What real libraries print, recorded: three requests each to a handler with a nil pointer (golden/recovered/README)."""
    where = os.path.join(HERE, "..", "golden", "recovered")
    want = {"gin": ("gin", 3), "gindebug": ("gin", 3), "echo": ("echo", 3), "chi": ("chi", 3), "fiber": ("fiber", 3), "grpc": ("grpc", 1),
            "k8s": ("kubernetes", 3), "zap": ("zap", 2), "slog": ("log/slog", 1), "http2": ("net/http", 3)}
    for name, (source, count) in want.items():
        with open(os.path.join(where, name + ".log"), "rb") as f:
            data = f.read()
        r, status, _ = explain(data)
        f = (r["findings"] or [{"message": "", "file": None}])[0]
        stack = name not in ("zap", "slog")
        good = (f.get("cause") == "go.panic.recovered" and f.get("count") == count and status == 0
                and f["message"] == source + ": runtime error: invalid memory address or nil pointer dereference")
        check(good and (not stack or (f["file"].endswith("libs/main.go") and f["line"] == 28)), f"{name}: a recovered panic, at its line",
              json.dumps(r["findings"])[:1500])


def cut(version, dumps):
    data = dumps["convoy"] + b"\n" + dumps["nodone"]
    whole = len(re.findall(rb"(?m)^goroutine \d+ ", dumps["convoy"]))
    step = 1 if FULL else 97 * 4 if SLOW else 97
    bad = []
    for n in range(1, len(dumps["convoy"]), step):
        r, status, err = explain(data[:n])
        if status not in (0, 1, 2) or (r is None and "empty" not in err):
            bad.append((n, status, err))
    check(not bad, f"{version} cut at every {step} bytes: always an answer", bad[:5])
    r, _, _ = explain(dumps["convoy"][: len(dumps["convoy"]) * 2 // 3 + 11])
    lim = [x for x in r["limits"] if "within a goroutine" in x]
    check(10 < r["goroutines"]["count"] < whole and lim and re.search(r"byte \d+", lim[0]), f"{version} what stands before the cut is kept",
          r["limits"])
    r, _, _ = explain(gzip.compress(dumps["convoy"]))
    check(r["goroutines"]["count"] == whole, f"{version} a dump in gzip")


def pprof_cut(version, dumps):
    """As net/http/pprof leaves it: 64 MiB, wherever that is."""
    one = b"".join(dumps["convoy"].split(b"\n\n")[5:25]) and b"\n\n".join(dumps["convoy"].split(b"\n\n")[5:25]) + b"\n\n"
    data = (one * ((64 << 20) // len(one) + 1))[: 64 << 20]
    if data.endswith(b"\n\n"):
        data = data[:-20]
    r, _, _ = explain(data)
    check(any("64 MiB" in x for x in r["limits"]) and r["goroutines"]["count"] > 30000, f"{version} a dump that net/http/pprof cut at 64 MiB",
          r["limits"])


def hostile():
    """Linear time and an answer for what nobody would print."""
    many = b"".join(b"goroutine %d [chan receive]:\nmain.f%d(0x%x)\n\t/x/a.go:%d +0x1\n\n" % (i, i, 0xc000000000 + 8 * i, i)
                    for i in range(1, 120000))
    deep = b"goroutine 1 [running]:\n" + b"".join(b"main.f%d()\n\t/x.go:%d\n" % (i, i) for i in range(100000))
    bare = b"".join(b"goroutine %d [select]:\n" % i for i in range(1, 300000))
    locks = b"".join(b"goroutine %d [sync.Mutex.Lock]:\nsync.(*Mutex).lockSlow(0x%x)\n\t/m.go:1\nmain.f(0x%x, 0x%x)\n\t/x.go:1\n\n"
                     % (i, 0xc000000000 + 64 * i, 0xc000000000 + 64 * (i - 1), 0xc000000000 + 64 * i) for i in range(2, 100000))
    long_line = b"goroutine 1 [running]:\nmain." + b"f" * (8 << 20) + b"()\n\t/x.go:1\n"
    for name, data, least in (("119,999 different stacks", many, 119999), ("a stack of 100,000 frames", deep, 1), ("headers alone", bare, 299999),
                              ("a chain of 99,998 locks", locks, 99998), ("a name of 8 MiB", long_line, 1)):
        r, status, err = explain(data)
        check(r is not None and r["goroutines"]["count"] == least and status in (0, 1), f"hostile: {name}", f"{status} {err} {r and r['limits']}")
    python = b'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\n    f()\nZeroDivisionError: division by zero\n'
    java = b'Exception in thread "main" java.lang.RuntimeException: x\n\tat a.B.c(B.java:12)\n\tat a.B.main(B.java:3)\n'
    for name, data in (("Python", python), ("Java", java)):
        r, status, _ = explain(data * 30)
        check(status == 0 and not r["findings"], f"a traceback of {name} is none of Go's", json.dumps(r)[:600])


HEADERS = b"""goroutine 1 gp=0xc000002380 m=0 mp=0x5c8e20 [running]:
main.main()
\t/src/main.go:7 +0x1d fp=0xc000046740 sp=0xc000046720 pc=0x47a1c0

goroutine 5 gp=0xc000007c00 m=nil [chan receive (leaked), 3 minutes, locked to thread]:
main.lost(...)
\t/src/main.go:12
created by main.main in goroutine 1
\t/src/main.go:9 +0x33
[originating from goroutine 1]:
main.main(...)
\t/src/main.go:9 +0x33
created by runtime.main
\t/go/src/runtime/proc.go:1

goroutine 6 [select (no cases), 2 minutes] {"a]: b": "x, }: y", kind: worker}:
main.park()
\t/src/main.go:20 +0x1
created by main.main in goroutine 1
\t/src/main.go:10 +0x33

goroutine 7 [sync.WaitGroup.Wait (durable), synctest bubble 4]:
sync.(*WaitGroup).Wait(0xc000012345)
\t/go/src/sync/waitgroup.go:118 +0x48
main.inBubble()
\t/src/main.go:30 +0x1
...23 frames elided...
main.outer({0x1, ...}, 0x2?, _)
\tC:/src/main.go:31 +0x1
created by example.com/a%2eb.Start[...] in goroutine 1
\t/src/main.go:10 +0x33

goroutine 8 [syscall, 11 minutes]:
\tgoroutine running on other thread; stack unavailable
created by main.main in goroutine 1
\t/src/main.go:10 +0x33

goroutine 9 [GC worker (idle)]:
runtime.gopark(0x0?)
\t/go/src/runtime/proc.go:1 +0x1
"""


def headers():
    r, _, _ = explain(HEADERS)
    g = {x["example"]: x for x in r["goroutines"]["groups"]}
    check(sorted(g) == [1, 5, 6, 7, 8, 9], "every form of the header is read", sorted(g))
    check(g[5]["state"] == "chan receive" and g[5]["minutes"] == 3 and g[5]["wrong"] == "leaked" and g[5]["locked_to_thread"] == 1
          and len(g[5]["frames"]) == 1, "leaked, minutes, locked; an ancestor's frames are not its own", g.get(5))
    check(g[6]["labels"] == '"a]: b": "x, }: y", kind: worker' and g[6]["wait"] == "no_cases", "labels that hold brackets", g.get(6))
    check(g[7]["synctest_bubble"] == 4 and g[7]["wait"] == "waitgroup" and g[7]["elided"] == 23
          and g[7]["frames"][-1]["file"] == "C:/src/main.go", "a bubble, elided frames, a drive", g.get(7))
    check(g[8]["minutes"] == 11 and g[8]["frames"] == [] and g[9]["system"], "no stack; the runtime's own", g.get(8))


def races(go, version):
    src = os.path.join(WORK, "hang")
    os.makedirs(src, exist_ok=True)
    with open(os.path.join(src, "go.mod"), "w", encoding="utf-8") as f:
        f.write("module example.com/hang\n\ngo 1.19\n")
    with open(os.path.join(src, "hang_test.go"), "w", encoding="utf-8") as f:
        f.write("""package hang

import (
	"sync"
	"testing"
)

type account struct {
	id int
	mu sync.Mutex
}

//go:noinline
func transfer(from, to *account, w *sync.WaitGroup) {
	from.mu.Lock()
	w.Done()
	w.Wait()
	to.mu.Lock()
	to.id++
	from.mu.Unlock()
}

func TestTransfer(t *testing.T) {
	var w sync.WaitGroup
	w.Add(2)
	a, b := &account{id: 1}, &account{id: 2}
	go transfer(a, b, &w)
	transfer(b, a, &w)
}
""")
    env = dict(os.environ, GOTOOLCHAIN="local", GOFLAGS="-buildvcs=false", CGO_ENABLED="0")
    p = subprocess.run([go, "test", "-timeout", "1s", "."], cwd=src, env=env, timeout=300, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, check=False)
    r, _, _ = explain(p.stdout)
    check(r["verdict"]["cause"] == "test.timeout" and [k["wrong"] for k in knots(r)][:1] == ["crosswise"],
          f"{version} a test that times out: who is deadlocked with whom", json.dumps(r.get("goroutines"))[:1500] + p.stdout.decode()[:1500])


def main():
    if not GOS:
        skip("tracebacks", "there is no go")
        done()
    headers()
    libraries()
    hostile()
    for i, go in enumerate(GOS):
        version = subprocess.run([go, "env", "GOVERSION"], stdout=subprocess.PIPE, check=True, timeout=60).stdout.decode().strip()
        exe, said = build(go, version)
        if not check(exe, f"{version} builds the program", said):
            continue
        deaths(exe, version)
        dumps = hangs(exe, version)
        all_counted(exe, version, dumps)
        quits(exe, version)
        minutes(version, dumps)
        leaks(exe, version)
        series(exe, version)
        filters(version, dumps)
        wrapped(exe, version, dumps)
        json_logs(exe, version)
        recovered(exe, version)
        cut(version, dumps)
        races(go, version)
        if i == 0 or FULL:
            pprof_cut(version, dumps)
    done()


try:
    main()
finally:
    shutil.rmtree(WORK, ignore_errors=True)
