"""The measures of alerts: what they add to a run that fails, how soon one leaves, how many a second, what a storm comes to.

For bench.py. BENCH_ALERTS: how many are sent, and how many failures a storm has (10000).
"""
import http.client
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ALERTS = int(os.environ.get("BENCH_ALERTS", "10000"))
ROUNDS = 3
RUNS = 40      # of each kind, where what alerting adds to a run is measured
FIRST = 20     # alerts whose first byte is waited for
TICK = os.sysconf("SC_CLK_TCK")
NOBODY = "https://192.0.2.1/hook"  # an address that is nobody's
FAILS = "printf -- '--- FAIL: Test%s (0.01s)\\n    %s_test.go:12: got 3, want 4\\nFAIL\\nFAIL\\texample.com/shop/%s\\t0.01s\\nFAIL\\n' \"$1\" \"$1\" \"$1\"; exit 1"


def note(text):
    print(f"--- {text}", file=sys.stderr, flush=True)


def word():
    """No two runs fail alike: what was told is not told again within hours. Letters: numbers do not make a fault another one."""
    return "".join(random.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(12)).title()


def cpu_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def exact_cpu_ms(pid):
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as f:
        return int(f.read().split()[0]) / 1e6


def peak_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1)) / 1024


class Receiver:
    """receiver.go, built here."""

    def __init__(self, top):
        self.ca = os.path.join(top, "ca.pem")
        program = os.path.join(top, "receiver")
        if not os.path.exists(program):
            subprocess.run(["go", "build", "-o", program, os.path.join(HERE, "receiver.go")], check=True, cwd=HERE,
                           env=dict(os.environ, GOFLAGS="", GO111MODULE="off", GOTOOLCHAIN="local"))
        self.process = subprocess.Popen([program, self.ca], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.url = f"https://127.0.0.1:{self.port}/hook"
        self.asking = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=ssl.create_default_context(cafile=self.ca))

    def ask(self, path, method="GET"):
        self.asking.request(method, path)
        return self.asking.getresponse().read()

    def stats(self):
        return json.loads(self.ask("/stats"))

    def reset(self):
        self.ask("/reset", method="POST")

    def wait(self, good, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            s = self.stats()
            if good(s):
                return s
            time.sleep(0.05)
        return self.stats()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Site:
    """A store that is the outbox too, and a configuration of one webhook."""

    def __init__(self, top, name, tocsin, url=None, ca=None):
        self.dir = os.path.join(top, name)
        os.makedirs(self.dir)
        self.tocsin = tocsin
        self.outbox = os.path.join(self.dir, "tocsin.db")
        self.config = os.path.join(self.dir, "tocsin.yaml")
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(f"store: sqlite://{self.outbox}\n")
            if url:
                f.write("channels:\n  - name: hook\n    type: webhook\n    url: env:HOOK_URL\n" + (f"    ca_file: {ca}\n" if ca else ""))
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("TOCSIN", "GITHUB_", "CI_", "GIT_")) and k != "CI" and not k.lower().endswith("_proxy")}
        self.env.update(HOME=self.dir, HOOK_URL=url or "", XDG_STATE_HOME=os.path.join(self.dir, "state"), TOCSIN_CONFIG=self.config, TOCSIN_OUTBOX=self.outbox, LC_ALL="C.UTF-8",
                        GOFLAGS="-buildvcs=false", GOCACHE=os.environ.get("GOCACHE", os.path.expanduser("~/.cache/go-build")))

    def start(self, argv, **how):
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(argv, cwd=self.dir, env=self.env, **{**quiet, **how})

    def failing(self, script=FAILS):
        return [self.tocsin, "run", "--", "sh", "-c", script, "sh", word()]

    def cpu_ms(self, argv):
        """User and system time of the process and of what it has waited for; its exit status."""
        p = self.start(argv)
        _, status, used = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        return (used.ru_utime + used.ru_stime) * 1000, p.returncode

    def deliverer(self):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    words = f.read().split(b"\0")
            except OSError:
                continue
            if b"deliver" in words and self.outbox.encode() in words:
                return int(pid)
        return None

    def end(self, sig=signal.SIGKILL):
        while (pid := self.deliverer()):
            try:
                os.kill(pid, sig)
            except ProcessLookupError:
                pass
            time.sleep(0.02)

    def counts(self):
        with sqlite3.connect(self.outbox, timeout=30) as db:
            got = dict(db.execute("SELECT state, count(*) FROM alert GROUP BY state"))
        db.close()
        return got

    def fold(self):
        """So that no run of a comparison is the one that folds the log in."""
        with sqlite3.connect(self.outbox, timeout=30) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        db.close()

    def syncs(self, argv):
        self.fold()
        trace = os.path.join(self.dir, "trace")
        self.start(["strace", "-e", "trace=fsync,fdatasync", "-o", trace, *argv]).wait()
        with open(trace, encoding="utf-8") as f:
            return sum(line.startswith(("fsync(", "fdatasync(")) for line in f)


# ---- what it adds to a run ----

def added(top, tocsin):
    mute, loud = Site(top, "mute", tocsin), Site(top, "loud", tocsin, NOBODY)
    for s in (mute, loud):
        for _ in range(5):  # the store is there; and a deliverer
            s.cpu_ms(s.failing())
    without, there, starting, beside, own = [], [], [], [], []
    for _ in range(RUNS):
        without.append(mute.cpu_ms(mute.failing())[0])
        there.append(loud.cpu_ms(loud.failing())[0])
    syncs = [(loud.syncs(loud.failing()), mute.syncs(mute.failing())) for _ in range(5)]
    owed = loud.counts()
    for _ in range(RUNS):
        loud.end()
        starting.append(loud.cpu_ms(loud.failing())[0])
        beside.append(mute.cpu_ms(mute.failing())[0])
    loud.end()
    clean = Site(top, "clean", tocsin, NOBODY)
    for _ in range(8):
        clean.cpu_ms(clean.failing())
        time.sleep(0.6)
        pid = clean.deliverer()
        own.append(exact_cpu_ms(pid) if pid else 0)
        clean.end()
        os.unlink(clean.outbox)
    return without, there, starting, beside, own, syncs, owed


def bench_added(row, top, tocsin):
    note(f"what alerting adds to a failing run with a dead network: {RUNS} runs of each kind")
    without, there, starting, beside, own, syncs, owed = added(top, tocsin)
    base, a, b = (statistics.median(x) for x in (without, there, starting))
    there_more, start_more = (statistics.median(x - y for x, y in zip(v, w)) for v, w in ((there, without), (starting, beside)))
    more = statistics.median(x - y for x, y in syncs)
    if sum(owed.values()) < RUNS:
        note(f"only {owed} alerts are owed: not every run has told its failure")
        there_more = start_more = float("inf")
    yield row(f"CPU of a failing `tocsin run` that owes an alert, network dead, the deliverer is there / one without channels, median of {RUNS}", f"{a:.2f} ms", f"{base:.2f} ms",
              f"{there_more:+.2f} ms", "<= 5 ms", there_more <= 5)
    yield row(f"the same, and it starts the deliverer (whose own CPU until it waits is {statistics.median(own):.0f} ms, beside the run)", f"{b:.2f} ms", f"{statistics.median(beside):.2f} ms",
              f"{start_more:+.2f} ms", "<= 5 ms", start_more <= 5)
    yield row("fsync and fdatasync of that run / of one without channels", f"{statistics.median(x for x, _ in syncs):.0f}", f"{statistics.median(y for _, y in syncs):.0f}", f"{more:+.0f}", "<= 1", more <= 1)


# ---- how soon ----

STAMPED = FAILS.replace("exit 1", "date +%s%N >stamp; exit 1")
# A package that fails, and one that takes long.
EARLY = {"go.mod": "module example.com/shop\n\ngo 1.19\n",
         "cart/cart_test.go": 'package cart\n\nimport (\n\t"fmt"\n\t"os"\n\t"testing"\n\t"time"\n)\n\nfunc TestWORD(t *testing.T) {\n'
                              '\tos.WriteFile("../stamp", []byte(fmt.Sprint(time.Now().UnixNano())), 0o644)\n\tt.Fatal("got 3, want 4")\n}\n',
         "slow/slow_test.go": 'package slow\n\nimport (\n\t"testing"\n\t"time"\n)\n\nfunc TestSlow(t *testing.T) { time.Sleep(2 * time.Second) }\n'}


def early(s):
    """A `go test` whose first package fails while the second one runs."""
    for name, text in EARLY.items():
        path = os.path.join(s.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace("WORD", word()))
    subprocess.run(["go", "test", "-c", "-o", os.devnull, "./cart"], cwd=s.dir, env=s.env, check=True)  # compiled; go test only links it
    return [s.tocsin, "run", "--format", "pkgname", "--", "go", "test", "./..."]


def first_byte(s, r, argv, cold):
    """ms from the moment that the failure is known to the request's arrival at the receiver."""
    if cold:
        s.end()
    r.reset()
    p = s.start(argv)
    got = r.wait(lambda x: x["requests"] > 0, 20)
    p.wait()
    with open(os.path.join(s.dir, "stamp"), encoding="ascii") as f:
        return (got["first_ns"] - int(f.read())) / 1e6 if got["requests"] else float("inf")


def bench_first(row, top, tocsin, r):
    note(f"the first byte: {FIRST} alerts of each kind")
    s = Site(top, "first", tocsin, r.url, r.ca)
    s.cpu_ms(s.failing())
    for name, argv, cold in (("the run starts the deliverer", lambda: s.failing(STAMPED), True), ("the deliverer is there", lambda: s.failing(STAMPED), False),
                             ("of a test, while other packages of `go test` run on", lambda: early(s), True)):
        ms = [first_byte(s, r, argv(), cold) for _ in range(FIRST)]
        a = statistics.median(ms)
        yield row(f"failure known to the request at a loopback HTTPS channel, {name}: median of {FIRST} (worst {max(ms):.0f} ms)", f"{a:.0f} ms", "", "", "<= 150 ms", a <= 150)
        time.sleep(1)
    s.end()


# ---- how many ----

def finish(r, n):
    got = r.wait(lambda x: x["unique"] >= n, 120)
    if got["requests"] != n or got["unique"] != n:
        note(f"of {n} alerts {got['unique']} arrived in {got['requests']} requests")
    return got


def settled(s, n):
    end = time.monotonic() + 20
    while time.monotonic() < end and s.counts().get("delivered", 0) < n:
        time.sleep(0.05)
    return time.time(), s.counts() == {"delivered": n}


def ours(top, tocsin, fill, r, name, together):
    """Owed and delivered at the same time, or delivered when all is owed: seconds, CPU of both, memory, whether all is right."""
    s = Site(top, name, tocsin, r.url, r.ca)
    subprocess.run([tocsin, "alert", "queue"], env=s.env, stdout=subprocess.DEVNULL, check=False)
    subprocess.run([tocsin, "run", "--", "true"], env=s.env, cwd=s.dir, stdout=subprocess.DEVNULL, check=True)
    r.reset()
    begin = time.time()
    filler = s.start([fill, s.outbox, s.config, "hook", str(ALERTS)])
    if not together:
        filler.wait()
        begin = time.time()
    while not s.counts():  # a run that owes an alert starts its deliverer behind it
        time.sleep(0.005)
    p = s.start([tocsin, "deliver", "--outbox", s.outbox, "--idle", "3s"])
    got = finish(r, ALERTS)
    end, right = settled(s, ALERTS)
    peak, cpu = peak_mib(p.pid), cpu_of(p.pid)
    p.terminate()
    p.wait()
    filler.wait()
    return end - begin, cpu, peak, right and got["requests"] == got["unique"] == ALERTS, got


ROUTE = """route: {{receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 5m, repeat_interval: 4h}}
receivers:
  - name: hook
    webhook_configs:
      - url: {url}
        http_config: {{enable_http2: false, tls_config: {{ca_file: {ca}}}}}
"""


def their_alerts():
    """The same facts, as Alertmanager takes them; in requests of a hundred."""
    alerts = [{"labels": {"alertname": "test.fail", "severity": "error", "project": "git.example.com/shop/order", "branch": "main", "job": "test",
                          "package": "git.example.com/shop/order/internal/book", "test": f"TestBookStoresOrder/case-{n:05d}", "fingerprint": f"{2 * n:032x}"},
               "annotations": {"summary": "2 of 140 tests failed in 1 of 12 packages", "message": f"Store(order-{n}): total is 1180, want 1280", "place": "internal/book/book_test.go:42",
                               "excerpt": f"--- FAIL: TestBookStoresOrder/case-{n:05d} (0.03s)\n    book_test.go:42: Store(order-{n}): total is 1180, want 1280\n"
                                          "    book_test.go:51: the ledger has 3 entries, want 4\n        entry 3: refund of 100, voucher MAY-11\nFAIL"},
               "generatorURL": "https://ci.example.com/shop/order/-/jobs/4711"} for n in range(ALERTS)]
    return [json.dumps(alerts[at:at + 100]) for at in range(0, ALERTS, 100)]


def free_port():
    import socket  # pylint: disable=import-outside-toplevel
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def theirs(top, r, name):
    folder = os.path.join(top, name)
    os.makedirs(folder)
    config, port = os.path.join(folder, "am.yml"), free_port()
    with open(config, "w", encoding="utf-8") as f:
        f.write(ROUTE.format(url=r.url, ca=r.ca))
    p = subprocess.Popen([shutil.which("prometheus-alertmanager") or "alertmanager", f"--config.file={config}", f"--storage.path={folder}/data", "--cluster.listen-address=", f"--web.listen-address=127.0.0.1:{port}",
                          "--log.level=error"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready").close()
                break
            except OSError:
                time.sleep(0.05)
        bodies, before = their_alerts(), cpu_of(p.pid)
        r.reset()
        begin = time.time()
        c = http.client.HTTPConnection("127.0.0.1", port)
        for body in bodies:
            c.request("POST", "/api/v2/alerts", body, {"Content-Type": "application/json"})
            c.getresponse().read()
        got = finish(r, ALERTS)
        return got["last_ns"] / 1e9 - begin, cpu_of(p.pid) - before, peak_mib(p.pid), got
    finally:
        p.kill()
        p.wait()


def bench_many(row, top, tocsin, fill, r):
    note(f"{ALERTS:,} alerts to a loopback HTTPS endpoint, {ROUNDS} rounds of each way in turns")
    alone, both, other = [], [], []
    for i in range(ROUNDS):
        alone.append(ours(top, tocsin, fill, r, f"alone-{i}", False))
        other.append(theirs(top, r, f"other-{i}"))
        both.append(ours(top, tocsin, fill, r, f"both-{i}", True))

    def middle(rounds, i):
        return statistics.median(x[i] for x in rounds)

    right = all(x[3] for x in alone + both)
    a, b, c = middle(alone, 0), middle(both, 0), middle(other, 0)
    got, theirs_got = both[0][4], other[0][3]
    what = f"{ALERTS:,} alerts from the outbox by `tocsin deliver` to a loopback HTTPS endpoint (keep-alive, {alone[0][4]['connections']} connections), all settled"
    yield row(f"{what}, median of {ROUNDS} ({middle(alone, 1):.1f} s CPU)", f"{ALERTS / a:,.0f}/s", "", "", ">= 2,000/s", right and ALERTS / a >= 2000)
    yield row(f"the same while they are owed, a hundred a sync ({got['bytes'] // max(got['requests'], 1)} bytes each) / Alertmanager taking a hundred a request and sending"
              f" {theirs_got['bytes'] // max(theirs_got['requests'], 1)} bytes each over {theirs_got['connections']} connections", f"{ALERTS / b:,.0f}/s", f"{ALERTS / c:,.0f}/s",
              f"{c / b:.2f}x as fast", ">= 1x", right and b <= c)
    yield row("the same: CPU time of the sender", f"{middle(both, 1):.2f} s", f"{middle(other, 1):.2f} s", f"{middle(both, 1) / middle(other, 1):.2f}x")
    yield row("the same: peak memory of the sender", f"{max(x[2] for x in alone + both):.1f} MiB", f"{middle(other, 2):.0f} MiB", f"1/{middle(other, 2) / max(x[2] for x in both):.0f}", "<= 32 MiB",
              max(x[2] for x in alone + both) <= 32)


# ---- a storm ----

WRITERS = 4
SINGLE = {"go.mod": "module example.com/ledger\n\ngo 1.19\n",
          "ledger_test.go": 'package ledger\n\nimport (\n\t"fmt"\n\t"testing"\n)\n\nfunc TestLedger(t *testing.T) {\n\tfor i := 0; i < COUNT; i++ {\n'
                            '\t\tt.Run(fmt.Sprint("entry", i), func(t *testing.T) { t.Fatal("connect: no route to the ledger") })\n\t}\n}\n'}


def kinds(got):
    return [json.loads(x)["kind"] for x in got["bodies"]]


def bench_storm(row, top, tocsin, fill, r):
    note(f"a storm: {ALERTS:,} failures of one cause, told by {WRITERS} processes; then so many tests of one run")
    s = Site(top, "storm", tocsin, r.url, r.ca)
    s.start([tocsin, "run", "--", "true"]).wait()
    r.reset()
    p = s.start([tocsin, "deliver", "--outbox", s.outbox, "--idle", "100s"])
    while not os.path.exists(s.outbox + ".sock"):
        time.sleep(0.01)
    begin = time.time()
    for writer in [s.start([fill, s.outbox, s.config, "storm", str(ALERTS // WRITERS)]) for _ in range(WRITERS)]:
        writer.wait()
    took = time.time() - begin
    at_once = r.stats()
    got = r.wait(lambda x: x["requests"] >= 2, 90)
    time.sleep(5)
    got = r.stats()
    digest = json.loads(got["bodies"][1]) if got["requests"] > 1 else {"items": [{"count": 0}]}
    count, later = digest["items"][0]["count"], (got["last_ns"] / 1e9 - begin)
    p.terminate()
    p.wait()
    right = kinds(got) == ["failed", "digest"] and (count == ALERTS - 1 or took > 60)
    yield row(f"storm: {ALERTS:,} failures of one cause in {took:.0f} s, told by {WRITERS} processes at once: messages at once + digests (it came after {later:.0f} s and counts {count:,} more)",
              f"{at_once['requests']} + {got['requests'] - at_once['requests']}", "", "", "1 + 1", right and at_once["requests"] == 1)
    s = Site(top, "single", tocsin, r.url, r.ca)
    for name, text in SINGLE.items():
        with open(os.path.join(s.dir, name), "w", encoding="utf-8") as f:
            f.write(text.replace("COUNT", str(ALERTS)))
    r.reset()
    s.start([tocsin, "run", "--format", "pkgname", "--", "go", "test", "./..."]).wait()
    r.wait(lambda x: x["requests"] >= 2, 20)
    time.sleep(3)
    got = r.stats()
    s.end()
    yield row(f"{ALERTS:,} tests that fail for one cause in one `go test`: messages at once + how it ended", f"{kinds(got).count('failed')} + {kinds(got).count('followup')}", "", "", "1 + 1",
              kinds(got) == ["failed", "followup"] and got["requests"] == 2)


def bench(row, tocsin, fill):
    top = tempfile.mkdtemp(prefix="tocsin-bench-")
    try:
        yield from bench_added(row, top, tocsin)
        with Receiver(top) as r:
            yield from bench_first(row, top, tocsin, r)
            yield from bench_many(row, top, tocsin, fill, r)
            yield from bench_storm(row, top, tocsin, fill, r)
    finally:
        shutil.rmtree(top, ignore_errors=True)
