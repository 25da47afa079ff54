# suite: takes 45
"""Profiles that real programs make, by both Go versions, read as `go tool pprof` reads them: -top, -raw, -diff_base, -normalize, -base of many,
focus, ignore, hide; the text forms; trends; damaged and hostile files; the flame graph in a browser."""
import gzip
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import FULL, SLOW, TOCSIN, check, done, kept, skip  # noqa: E402

TMP = tempfile.mkdtemp(prefix="tocsin-profiles-")
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("GO", "PPROF"))}
ENV.update(GOTOOLCHAIN="local", GOFLAGS="-buildvcs=false", GOENV="off", LANG="C", HOME=TMP, PPROF_TMPDIR=TMP + "/pprof", TOCSIN_LANG="en",
           GOCACHE=os.environ["GOCACHE"], GOPATH=TMP + "/gopath")
KINDS = {"cpu": "nanoseconds", "heap": "bytes", "allocs": "bytes", "goroutine": "count", "block": "nanoseconds", "mutex": "nanoseconds", "threadcreate": "count"}

PROGRAM = r'''
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"sort"
	"strings"
	"sync"
	"time"
)

var kept [][]byte
var sink int

type shape interface{ area(n int) int }
type square struct{ side int }

func (s *square) area(n int) int {
	t := 0
	for i := 0; i < n; i++ {
		t += s.side*i ^ t
	}
	return t
}

func spin(n int) int {
	s := []string{}
	for i := 0; i < n; i++ {
		s = append(s, fmt.Sprint(i*7919%n))
	}
	sort.Strings(s)
	return len(strings.Join(s, ","))
}

func fib(n int) int {
	if n < 2 {
		return n
	}
	return fib(n-1) + fib(n-2)
}

func sum[T int | float64](v []T) (t T) {
	for i := 0; i < 100; i++ {
		for _, x := range v {
			t += x * x
		}
	}
	return
}

func burn(rounds int) {
	var sh shape = &square{3}
	v := make([]float64, 10000)
	for i := 0; i < rounds; i++ { // not by the clock: a busy machine would give it nothing
		sink += spin(3000) + fib(20) + sh.area(20000) + int(sum(v))
	}
}

func grow(n int) {
	for i := 0; i < n; i++ {
		kept = append(kept, make([]byte, 64<<10))
	}
}

func leak(n int) {
	ch := make(chan int)
	for i := 0; i < n; i++ {
		go func() { <-ch }()
	}
}

func contend() {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := 0; i < 4; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for k := 0; k < 20; k++ {
				mu.Lock()
				time.Sleep(200 * time.Microsecond)
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	ch := make(chan int)
	go func() { time.Sleep(5 * time.Millisecond); ch <- 1 }()
	<-ch
}

func write(dir, name, as string, debug int) {
	f, err := os.Create(filepath.Join(dir, as))
	if err != nil {
		panic(err)
	}
	if err := pprof.Lookup(name).WriteTo(f, debug); err != nil {
		panic(err)
	}
	f.Close()
}

func main() {
	dir := os.Args[1]
	runtime.SetBlockProfileRate(1)
	runtime.SetMutexProfileFraction(1)
	for round, part := range []string{"1", "2", "3"} {
		f, _ := os.Create(filepath.Join(dir, "cpu"+part))
		pprof.StartCPUProfile(f)
		pprof.Do(context.Background(), pprof.Labels("request", "r"+part), func(c context.Context) { burn(150 + 75*round) })
		pprof.StopCPUProfile()
		f.Close()
		contend()
		grow(40)
		leak(50)
		time.Sleep(20 * time.Millisecond)
		runtime.GC()
		for _, n := range []string{"heap", "allocs", "goroutine", "block", "mutex", "threadcreate"} {
			write(dir, n, n+part, 0)
			write(dir, n, n+part+".txt", 1)
		}
	}
	write(dir, "goroutine", "goroutine.dump", 2)
	runtime.KeepAlive(kept)
}
'''


def go_versions():
    seen = {}
    for path in (shutil.which("go"), "/usr/local/go/bin/go", "/usr/lib/go-1.19/bin/go", "/usr/lib/go/bin/go"):
        if path and os.path.exists(path):
            name = subprocess.run([path, "env", "GOVERSION"], env=ENV, capture_output=True, text=True, check=False).stdout.strip()
            seen.setdefault(name, path)
    return seen


def tocsin(*args, stdin=None, limit=60):
    return subprocess.run([TOCSIN, "explain", *args], env=ENV, input=stdin, capture_output=True, timeout=limit, check=False)


def answer(*args):
    p = tocsin("--json", *args)
    return [json.loads(line) for line in p.stdout.decode().splitlines()], p


def pprof_program(versions):
    """The newest that comes built; newer releases build it at first use, which takes minutes."""
    for go in reversed(versions):
        path = subprocess.run([go, "env", "GOTOOLDIR"], env=ENV, capture_output=True, text=True, check=False).stdout.strip() + "/pprof"
        if os.path.exists(path):
            return path
    return subprocess.run([versions[-1], "tool", "-n", "pprof"], env=ENV, capture_output=True, text=True, check=False).stdout.strip()


def pprof(go, *args):
    return subprocess.run([go, "-symbolize=none", *args], env=ENV, capture_output=True, text=True, timeout=120, check=False).stdout


def their_top(go, unit, *args):
    rows = {}
    for line in pprof(go, "-top", "-nodefraction=0", "-unit=" + unit, *args).splitlines():
        m = re.match(r" *(-?[\d.]+)\w* +([-+\d.e]+)% +[-+\d.e]+% +(-?[\d.]+)\w* +([-+\d.e]+)% +(.+?)(?: \((?:partial-)?inline\))?$", line)
        if m:
            rows[m[5]] = (int(float(m[1])), int(float(m[3])), float(m[2]), float(m[4]))
    return rows


def our_top(*args):
    reports, p = answer("--top=0", *args)
    if not reports:
        return {"nothing": p.stderr.decode()}
    part = reports[-1]["profile"]
    part = part[0] if isinstance(part, list) else part
    return {r["function"]: (r["flat"], r["cum"], r["flat_percent"], r["cum_percent"]) for r in part["top"]}


def same(ours, theirs):
    """Their percentages have two digits, and no sign."""
    if ours.keys() != theirs.keys():
        return f"only ours: {sorted(ours.keys() - theirs.keys())[:5]}; only theirs: {sorted(theirs.keys() - ours.keys())[:5]}"
    for name, a in ours.items():
        b = theirs[name]
        if a[:2] != b[:2] or any(abs(abs(a[i]) - abs(b[i])) > (.051 if abs(b[i]) == 100 else .0051) for i in (2, 3)):
            return f"{name}: ours {a}, theirs {b}"
    return ""


def equal(name, ours, theirs, empty=False):
    """empty: both may show nothing, for nothing changed."""
    why = same(ours, theirs) or ("" if theirs or empty else "pprof shows nothing")
    check(not why, name, why)


def raw_text(text):
    return [line for line in text.splitlines() if not line.startswith(("Time:", "Duration:"))]


def against_pprof(version, go, d):
    for kind, unit in KINDS.items():
        files = [f"{d}/{kind}{i}" for i in (1, 2, 3)]
        none = kind == "threadcreate"  # by older releases it has no stacks
        equal(f"{version} {kind}: the table is that of pprof -top", our_top(files[2]), their_top(go, unit, files[2]), empty=none)
        out = f"{TMP}/out.pb.gz"
        tocsin("--pprof", out, files[2])
        want, have = raw_text(pprof(go, "-raw", files[2])), raw_text(pprof(go, "-raw", out))
        check(want == have and len(want) > 5, f"{version} {kind}: what we write is the same to pprof -raw",
              "\n".join(f"{a!r}\n  {b!r}" for a, b in zip(want, have) if a != b)[:2000] or f"{len(want)} {len(have)} lines")
        equal(f"{version} {kind}: --diff is pprof -diff_base", our_top("--diff", files[0], files[2]), their_top(go, unit, "-diff_base=" + files[0], files[2]), empty=True)
        equal(f"{version} {kind}: --diff --normalize is -diff_base -normalize", our_top("--diff", files[0], "--normalize", files[2]),
              their_top(go, unit, "-normalize", "-diff_base=" + files[0], files[2]), empty=True)
        equal(f"{version} {kind}: three files are merged as pprof merges them", our_top(*files), their_top(go, unit, *files), empty=none)
    for kind in ("cpu", "heap"):
        unit, file = KINDS[kind], f"{d}/{kind}3"
        for flags in (["focus=main"], ["ignore=spin|mallocgc"], ["hide=^runtime|fmt"], ["focus=spin|grow", "hide=burn|^runtime"], ["focus=main.go"]):
            equal(f"{version} {kind}: {' '.join(flags)}", our_top(*["--" + f for f in flags], file), their_top(go, unit, *["-" + f for f in flags], file))
    for sample in ("alloc_space", "alloc_objects", "inuse_objects"):
        equal(f"{version} heap: --sample {sample}", our_top("--sample", sample, f"{d}/heap3"),
              their_top(go, "bytes" if sample.endswith("space") else "count", "-sample_index=" + sample, f"{d}/heap3"))
    tocsin("--pprof", f"{TMP}/merged.pb.gz", f"{d}/cpu1", f"{d}/cpu2")
    equal(f"{version} cpu: a merge that we wrote is pprof's merge", their_top(go, "nanoseconds", f"{TMP}/merged.pb.gz"),
          their_top(go, "nanoseconds", f"{d}/cpu1", f"{d}/cpu2"))
    tocsin("--pprof", f"{TMP}/diff.pb.gz", "--diff", f"{d}/cpu1", f"{d}/cpu2")
    equal(f"{version} cpu: a difference that we wrote is pprof's difference", their_top(go, "nanoseconds", f"{TMP}/diff.pb.gz"),
          their_top(go, "nanoseconds", "-diff_base=" + f"{d}/cpu1", f"{d}/cpu2"))


def texts(version, go, d):
    """pprof reads only addresses in them; we read the names too."""
    for kind in ("heap", "goroutine", "block", "mutex", "threadcreate"):
        reports, p = answer("--top=0", f"{d}/{kind}3.txt")
        raw = pprof(go, "-raw", f"{d}/{kind}3.txt")
        sums = [0, 0, 0, 0]
        for line in raw.split("Locations")[0].splitlines():
            m = re.match(r" *((?:-?\d+ +)*-?\d+): ", line)
            for i, v in enumerate(m[1].split() if m else []):
                sums[i] += int(v)
        part = reports[0]["profile"] if reports else {}
        if not raw and kind == "threadcreate":  # a record without addresses: pprof refuses it
            check(part.get("total", 0) > 0, f"{version} {kind}: a text form that pprof refuses", part)
            continue
        check(part.get("total") == sums[len(part.get("types", [0])) - 1], f"{version} {kind}: the text form has pprof's numbers", f"{part.get('total')} {sums} {p.stderr.decode()}")
    proto, text = our_top(f"{d}/block3"), our_top(f"{d}/block3.txt")
    check({k: v[0] for k, v in proto.items() if v[0]}.keys() == {k: v[0] for k, v in text.items() if v[0]}.keys(), f"{version} block: text and proto name the same functions",
          f"{proto}\n{text}")
    leak = our_top(f"{d}/goroutine3.txt")
    check(any(k.startswith("main.leak") and v[0] == 150 for k, v in leak.items()), f"{version} goroutine: the text form names who waits", leak)


def trends(version, d):
    for kind, site in (("goroutine", "main.leak.func1"), ("heap", "main.grow")):
        reports, p = answer(*[f"{d}/{kind}{i}" for i in (2, 3, 1)])  # in any order: time decides
        found = [f for f in reports[-1]["findings"] if f["cause"] == "go.leak"]
        check(len(found) == 1 and site in found[0]["message"], f"{version} {kind}: what grows over three profiles is a leak", json.dumps(reports[-1])[:1500])
        trend = next((t for t in reports[-1]["profile"][0]["trends"] if t["site"] == site), {"values": []})
        check(trend["values"] == sorted(trend["values"]) and len(trend["values"]) == 3 and trend["per"] == "minute", f"{version} {kind}: its values are in order of time", trend)
        check(p.returncode == 0 and tocsin("--strict", *[f"{d}/{kind}{i}" for i in (1, 2, 3)]).returncode == 1, f"{version} {kind}: a warning; wrong under --strict")
        two, _ = answer(f"{d}/{kind}1", f"{d}/{kind}2")
        check(not two[-1]["findings"], f"{version} {kind}: two points prove nothing", two[-1]["findings"])
        flat, _ = answer(*[f"{d}/{kind}3"] * 3)
        check(not flat[-1]["findings"], f"{version} {kind}: what stays is no leak", flat[-1]["findings"])


def shapes(d):
    """The same bytes in every wrapping, and from a pipe."""
    want = our_top(f"{d}/cpu3")
    with open(f"{d}/cpu3", "rb") as f:
        packed = f.read()
    plain = gzip.decompress(packed)
    with open(TMP + "/plain", "wb") as f:
        f.write(plain)
    with open(TMP + "/parts", "wb") as f:
        f.write(gzip.compress(plain[:3]) + gzip.compress(plain[3:]))
    check(our_top(TMP + "/plain") == want and len(want) > 3, "a profile that is not packed")
    check(our_top(TMP + "/parts") == want, "a profile in two gzip members")
    subprocess.run(["zstd", "-q", "-f", TMP + "/plain", "-o", TMP + "/z"], check=False)
    if os.path.exists(TMP + "/z"):
        check(our_top(TMP + "/z") == want, "a profile in zstd")
    p = tocsin("--json", "--top=0", "-", stdin=packed)
    part = json.loads(p.stdout)["profile"]
    check({r["function"] for r in part["top"]} == set(want), "a profile on standard input", p.stderr)
    reports, p = answer(f"{d}/cpu3", f"{d}/heap3", "/dev/stdin")
    check([r["profile"]["kind"] for r in reports[:2]] == ["cpu", "heap"] and p.returncode == 2, "kinds are told apart; an empty file is said", p.stderr)
    check(reports[0]["verdict"]["outcome"] is None and reports[0]["schema"] == "tocsin.report/1", "a profile has no outcome")
    folded = TMP + "/folded"
    tocsin("--folded", folded, f"{d}/cpu3")
    with open(folded, encoding="utf-8") as f:
        lines = f.read().splitlines()
    cums = {}
    for line in lines:
        stack, n = line.rsplit(" ", 1)
        for name in set(stack.split(";")):
            cums[name] = cums.get(name, 0) + int(n)
    check(cums == {k: v[1] for k, v in want.items()}, "folded stacks add up to the cumulative values", lines[:3])
    for flags, words in ((["--focus", "("], "regular expression"), (["--sample", "nothing"], "samples, cpu"), (["--diff", f"{d}/goroutine.dump"], "no profile"),
                         (["--diff", TMP + "/missing"], "missing")):
        p = tocsin(*flags, f"{d}/cpu3")
        check(p.returncode == 2 and words in p.stderr.decode(), "refused with a sentence: " + " ".join(flags[:1]), p.stderr.decode())
    p = tocsin("--flame", TMP + "/none.svg", "-", stdin=b"ok  \texample.com/m\t0.1s\n")
    check(p.returncode == 2 and not os.path.exists(TMP + "/none.svg") and b"--flame" in p.stderr, "a flame graph of a log is refused", p.stderr)
    p = tocsin("--lang", "zh", f"{d}/cpu3")
    check("CPU 剖析" in p.stdout.decode() and "函数" in p.stdout.decode(), "in Chinese", p.stdout.decode())
    p = tocsin("--flame", "-", f"{d}/cpu3")
    check("█" in p.stdout.decode() and "\x1b" not in p.stdout.decode(), "a flame graph on the terminal; no colours where there is none", p.stdout.decode()[:500])


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7f | 0x80)
        n >>= 7
    return bytes(out + bytes([n]))


def number(field, n):
    return varint(field << 3) + varint(n)


def data(field, b):
    return varint(field << 3 | 2) + varint(len(b)) + b


def small(*more, names=(b"", b"cpu", b"nanoseconds", b"main.f", b"f.go"), first=1):
    return (data(1, number(1, 1) + number(2, 2)) + data(1, number(1, 1) + number(2, 2)) + data(2, number(1, first) + number(2, 7) + number(2, 7)) +
            data(4, number(1, 1) + data(4, number(1, 1) + number(2, 3))) + data(5, number(1, 1) + number(2, 3) + number(4, 4)) + b"".join(more) +
            b"".join(data(6, n) for n in names))


def hostile_files():
    big = 1 << 40
    yield "an 11-byte number", small() + data(2, b"\x08" + b"\x80" * 10 + b"\x01"), "ten bytes"
    yield "a length of 4 GB", small() + b"\x12" + varint(1 << 32) + b"abc", "beyond the end"
    yield "a length of all there is", small() + b"\x12" + b"\xff" * 9 + b"\x01", "beyond the end"
    yield "string numbers out of range", small(data(5, number(1, 9) + number(2, 10**6))), "string table"
    yield "a location that is not there", small(first=77), "not in the profile"
    yield "a function that is not there", small(data(4, number(1, 2) + data(4, number(1, 55)))), "functions that are not"
    yield "ids far apart", small(data(4, number(1, big) + data(4, number(1, 1))), data(2, number(1, big) + number(2, 1) + number(2, 1))), None
    yield "one id twice", small(data(4, number(1, 1)), data(5, number(1, 1) + number(2, 3))), None
    yield "too few values", small(data(2, number(1, 1) + number(2, 5))), "one value for each"
    yield "a field that nobody has", small() + b"\x07", "no field"
    yield "names of hostile bytes", small(names=(b"", b"cpu", b"nanoseconds", b"</text><script>alert(1)</script>\x1b[2J\xff\xfe&\"'", b"f.go")), None
    yield "a deep stack", small(data(2, data(1, b"\x01" * 200000) + data(2, b"\x01\x01"))), "deeper than"


def fields_of(plain):
    """(offset, number) of each field of a profile."""
    def number(at):
        value = shift = 0
        while True:
            byte = plain[at]
            value |= (byte & 127) << shift
            shift, at = shift + 7, at + 1
            if byte < 128:
                return value, at
    at = 0
    while at < len(plain):
        begin = at
        key, at = number(at)
        value, at = number(at)
        at += value if key & 7 == 2 else 0
        yield begin, key >> 3


def hostile(d):
    path = TMP + "/hostile"
    for name, text, words in hostile_files():
        with open(path, "wb") as f:
            f.write(text)
        p = tocsin("--flame", TMP + "/hostile.svg", "--folded", TMP + "/hostile.folded", "--pprof", TMP + "/hostile.pb.gz", path, limit=20)
        out = p.stdout.decode() + p.stderr.decode()
        good = (p.returncode == 2 and words in out and "byte" in out) if words else p.returncode == 0
        check(good and ("main.f" in out or "script" in out or "<unknown>" in out) and "\x1b" not in out, "hostile: " + name, f"{p.returncode} {out}")
        svg = ET.parse(TMP + "/hostile.svg").getroot()
        check(sum(1 for e in svg.iter() if e.tag.endswith("script")) <= 1 and len(list(svg)) > 3, "the flame graph of it is whole: " + name)
    with open(f"{d}/heap3", "rb") as f:
        plain = gzip.decompress(f.read())
    rng = random.Random(4)
    cuts = range(1, len(plain)) if FULL else sorted(rng.sample(range(1, len(plain)), 20 if SLOW else 60))
    bad = []
    for cut in cuts:
        with open(path, "wb") as f:
            f.write(plain[:cut])
        p = tocsin(path, limit=20)
        if p.returncode not in (0, 2) or (p.returncode == 2 and b"byte" not in p.stderr):
            bad.append((cut, p.returncode, p.stderr))
    check(not bad, f"cut at {len(cuts)} places: read as far as it goes, and said where", bad[:5])
    names = min(at for at, field in fields_of(plain) if field == 6)  # Go writes the string table last
    with open(path, "wb") as f:
        f.write(plain[:names])
    p = tocsin("--json", path, limit=20)
    cut = json.loads(p.stdout)
    with open(path, "wb") as f:
        f.write(plain)
    whole = json.loads(tocsin("--json", "--sample", "inuse_space", path, limit=20).stdout)
    check(p.returncode == 2 and cut["profile"]["flaws"][0]["byte"] == names and any("names are missing" in x and str(names) in x for x in cut["limits"]),
          "cut before its names: said, with the byte", cut["limits"])
    top = cut["profile"]["top"]
    check(cut["profile"]["total"] == whole["profile"]["total"] and top and all(r["function"].startswith("0x") for r in top),
          "and its values stand at addresses", top[:3])
    bad = []
    for _ in range(len(cuts)):
        text = bytearray(plain)
        for _ in range(rng.randrange(1, 6)):
            text[rng.randrange(len(text))] = rng.randrange(256)
        with open(path, "wb") as f:
            f.write(text)
        p = tocsin("--flame", TMP + "/x.svg", path, limit=20)
        if p.returncode not in (0, 1, 2):
            bad.append((p.returncode, bytes(text[:40])))
    check(not bad, "changed bytes do no harm", bad[:3])
    with open(f"{d}/heap3", "rb") as f:
        packed = f.read()
    with open(path, "wb") as f:
        f.write(packed[:len(packed) * 2 // 3])
    p = tocsin(path)
    check(p.returncode == 2 and b"stop at byte" in p.stderr and b" stacks" in p.stdout, "a truncated gzip: what came out of it counts", p.stdout + p.stderr)
    begin = time.monotonic()
    with gzip.open(path, "wb", compresslevel=6) as f:
        f.write(small())
        block = data(6, b"\0" * 1000000)
        for _ in range(620):
            f.write(block)
    size = os.path.getsize(path)
    bound = "" if os.environ.get("TOCSIN_TEST_BUILD") == "asan" else "ulimit -v 1500000; "  # the sanitizer's own shadow is larger
    p = subprocess.run(["sh", "-c", f'{bound}exec "$0" explain "$1"', TOCSIN, path], env=ENV, capture_output=True, text=True, timeout=120, check=False)
    check(p.returncode == 2 and "512 MiB" in p.stderr, f"a gzip bomb ({size >> 10} KiB for 620 MB) is refused by a named bound", f"{p.returncode} {p.stderr} {time.monotonic() - begin:.1f}s")


def shot(program, svg, png, dark, script=""):
    page = TMP + "/page.html"
    with open(page, "w", encoding="utf-8") as f:
        f.write('<meta charset="utf-8"><style>body{margin:0}</style>' + svg + script)
    dump = subprocess.run([program, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,700", f"--user-data-dir={TMP}/browser",
                           *(["--blink-settings=preferredColorScheme=0"] if dark else []), "--virtual-time-budget=3000",
                           *([f"--screenshot={png}"] if png else ["--dump-dom"]), "file://" + page], capture_output=True, text=True, timeout=90, check=False)
    return dump.stdout


KEYS = """<script>
const key = k => document.dispatchEvent(new KeyboardEvent('keydown', {key: k, bubbles: true}));
const tell = (n, v) => { const p = document.createElement('pre'); p.textContent = n + '=' + v; document.body.append(p); };
const seen = () => [...document.querySelectorAll('#f g')].filter(g => !g.classList.contains('off')).length;
const all = seen();
key('/'); for (const c of 'main') key(c); tell('hits', document.querySelectorAll('#f g.hit').length); tell('matched', document.getElementById('matched').textContent);
key('Enter'); key('Escape'); tell('cleared', document.querySelectorAll('#f g.hit').length);
key('ArrowUp'); key('ArrowUp'); tell('told', document.getElementById('told').textContent);
key('Enter'); tell('zoomed', document.getElementById('reset').style.display !== 'none'); key('Escape'); tell('back', seen() === all);
const last = [...document.querySelectorAll('#f g')].pop(); last.dispatchEvent(new MouseEvent('click', {bubbles: true}));
tell('wide', last.querySelector('rect').getAttribute('width')); key('i'); key('Escape'); tell('alert', window.harm === undefined);
</script>"""


def in_browser(d):
    program = next((p for p in map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")) if p), None)
    svg = TMP + "/flame.svg"
    tocsin("--flame", svg, f"{d}/cpu3")
    with open(svg, encoding="utf-8") as f:
        text = f.read()
    root = ET.fromstring(text)
    names = {e.get("data-n") for e in root.iter() if e.get("data-n") and e.tag.endswith("}g")}
    check({"main.main", "runtime.main"} <= names and "http" not in text.replace("http://www.w3.org/2000/svg", ""), "the flame graph holds the functions, and fetches nothing")
    if not program:
        skip("the flame graph in a browser", "there is no chromium")
        return
    inline = text[text.index("<svg"):]
    dom = shot(program, inline, None, False, KEYS)
    got = dict(re.findall(r"<pre>(\w+)=(.*?)</pre>", dom))
    check(int(got.get("hits", 0)) > 1 and "%" in got.get("matched", ""), "keys search", got)
    check(got.get("cleared") == "0" and ":" in got.get("told", "") and got.get("zoomed") == "true" and got.get("back") == "true", "keys move, zoom and go back", got)
    check(float(got.get("wide", 0)) > 1100, "a click zooms", got)
    shot(program, inline, TMP + "/light.png", False)
    shot(program, inline, TMP + "/dark.png", True)
    sizes = [os.path.getsize(f"{TMP}/{n}.png") if os.path.exists(f"{TMP}/{n}.png") else 0 for n in ("light", "dark")]
    check(min(sizes) > 5000 and sizes[0] != sizes[1], "it is drawn, light and dark", sizes)


def profiles_of(version, go):
    """(the folder with the program and its profiles, what went wrong): one of them is None. The same for both builds of Tocsin."""
    said = None

    def make(out):
        nonlocal said
        for name in ("go.mod", "main.go"):
            shutil.copy(os.path.join(TMP, name), out)
        ran = subprocess.run([go, "build", "-o", "prog", "."], cwd=out, env=ENV, capture_output=True, text=True, check=False)
        if ran.returncode == 0:
            ran = subprocess.run([out + "/prog", out], env=ENV, capture_output=True, text=True, check=False)
        if ran.returncode:
            said = ran.stderr
            raise RuntimeError(said)
    try:
        return kept(make, "profiles", version, PROGRAM), None
    except RuntimeError:
        return None, said


def main():
    versions = go_versions()
    check(len(versions) > 0, "there is a go")
    newest = max(versions, key=lambda v: [int(x) for x in re.findall(r"\d+", v)])
    tool = pprof_program([versions[v] for v in sorted(versions, key=lambda v: [int(x) for x in re.findall(r"\d+", v)])])
    where = {}
    with open(TMP + "/go.mod", "w", encoding="utf-8") as f:
        f.write("module example.com/prof\n\ngo 1.19\n")
    with open(TMP + "/main.go", "w", encoding="utf-8") as f:
        f.write(PROGRAM)
    for version, go in versions.items():
        out, said = profiles_of(version, go)
        if check(out, f"{version} makes profiles", said):
            where[version] = out
    for version, d in where.items():
        if SLOW and version != newest:
            continue  # of the other go only what is compared with it below
        against_pprof(version, tool, d)
        texts(version, tool, d)
        trends(version, d)
    if len(where) > 1:
        old, new = [f"{where[v]}/cpu3" for v in (min(where), newest)]
        equal("profiles of two builds are compared by the functions' names", our_top("--diff", old, new), their_top(tool, "nanoseconds", "-diff_base=" + old, new))
    shapes(where[newest])
    hostile(where[newest])
    in_browser(where[newest])
    done()


try:
    main()
finally:
    shutil.rmtree(TMP, ignore_errors=True)
