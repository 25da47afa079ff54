"""Goroutine dumps and service logs: `tocsin explain` beside panicparse and wc, on the same files in one run."""
import os
import re
import shutil
import subprocess
import tempfile

PROGRAM = r"""package main

import (
	"context"
	"net"
	"os"
	"strconv"
	"sync"
	"time"
)

type order struct {
	id, qty int
	name    string
}
type store struct {
	mu     sync.Mutex
	rw     sync.RWMutex
	orders map[int]order
}
type pool struct {
	jobs chan order
	done chan struct{}
	wg   sync.WaitGroup
}

//go:noinline
func (s *store) reserve(ctx context.Context, o order, depth int) {
	if depth > 0 {
		s.reserve(ctx, o, depth-1)
		return
	}
	s.mu.Lock()
	s.orders[o.id] = o
	s.mu.Unlock()
}

//go:noinline
func (s *store) lookup(ctx context.Context, id, depth int) order {
	if depth > 0 {
		return s.lookup(ctx, id, depth-1)
	}
	s.rw.RLock()
	defer s.rw.RUnlock()
	return s.orders[id]
}

//go:noinline
func (p *pool) take(ctx context.Context, depth int) (order, error) {
	if depth > 0 {
		o, err := p.take(ctx, depth-1)
		return o, err
	}
	select {
	case o := <-p.jobs:
		return o, nil
	case <-ctx.Done():
		return order{}, ctx.Err()
	}
}

//go:noinline
func sleeper(d time.Duration, depth int) {
	if depth > 0 {
		sleeper(d, depth-1)
		return
	}
	time.Sleep(d)
}

//go:noinline
func wait(p *pool, depth int) {
	if depth > 0 {
		wait(p, depth-1)
		return
	}
	p.wg.Wait()
}

//go:noinline
func handle(s *store, p *pool, kind, i int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	switch kind {
	case 0:
		s.reserve(ctx, order{i, i, "reserve"}, 13)
	case 1:
		s.lookup(ctx, i, 14)
	case 2:
		p.take(ctx, 14)
	case 3:
		sleeper(time.Hour, 19)
	case 4:
		wait(p, 18)
	}
}

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	s, p := &store{orders: map[int]order{}}, &pool{jobs: make(chan order), done: make(chan struct{})}
	s.mu.Lock()
	s.rw.Lock()
	p.wg.Add(1)
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	go l.Accept()
	for i := 0; i < n; i++ {
		go handle(s, p, i%5, i)
	}
	time.Sleep(time.Second)
	panic("dump " + strconv.Itoa(n))
}
"""


def real_dump(work, env, go="go"):
    """What the runtime prints of 20,000 goroutines: the bytes before the first of them, then one each."""
    src = os.path.join(work, "src")
    os.makedirs(src, exist_ok=True)
    for name, text in (("main.go", PROGRAM), ("go.mod", "module example.com/shop\n\ngo 1.19\n")):
        with open(os.path.join(src, name), "w", encoding="utf-8") as f:
            f.write(text)
    exe = os.path.join(work, "shop")
    subprocess.run([go, "build", "-o", exe, "."], cwd=src, env=env, check=True, timeout=600)
    done = subprocess.run([exe, "20000"], env=dict(env, GOTRACEBACK="all"), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
                          timeout=120)
    at = done.stderr.index(b"goroutine 1 ")
    parts = re.split(rb"(?m)^goroutine \d+ ", done.stderr[at:])[1:]
    return done.stderr[:at], parts[0], [p for p in parts[1:] if len(p) > 1000]


def write_dump(path, dump, count):
    """count goroutines, each with an id of its own."""
    head, first, parts = dump
    with open(path, "wb") as f:
        f.write(b"goroutine 1 " + first)
        for at in range(0, count - 1, len(parts)):
            f.write(b"".join(b"goroutine %d %b" % (at + i + 20, p) for i, p in enumerate(parts[:count - 1 - at])))
    with open(path + ".log", "wb") as f: # the same as a crash: panicparse wants its head
        f.write(head)
        with open(path, "rb") as g:
            shutil.copyfileobj(g, f, 1 << 20)


def write_log(path, size, crash):
    """A service's log, with a recovered panic in the middle and a crash at the end."""
    lines = []
    for i in range(20000):
        lines.append('2026/11/21 10:%02d:%02d.%03d INFO request id=%08x method=GET path=/v1/items/%d status=200 bytes=%d user="u%d" took=%dms\n'
                     % (i // 60 % 60, i % 60, i % 1000, i * 2654435761 & 0xffffffff, i, i * 37 % 9000, i % 500, i % 97))
    block = "".join(lines).encode()
    served = (b"2026/11/21 10:30:00 http: panic serving 127.0.0.1:5: boom\ngoroutine 7 [running]:\nnet/http.(*conn).serve.func1()\n"
              b"\t/usr/lib/go/src/net/http/server.go:1850 +0xbf\npanic({0x1, 0x2})\n\t/usr/lib/go/src/runtime/panic.go:890 +0x262\n"
              b"main.handler({0x1, 0x2}, 0x3)\n\t/src/app/main.go:12 +0x45\n")
    with open(path, "wb") as f:
        half = size // 2
        while f.tell() < size:
            f.write(block)
            if half and f.tell() > half:
                f.write(served)
                half = 0
        f.write(crash)


def rows(Row, wall, best_of, tocsin, env, keep, size_mb):
    """Row and wall are bench.py's; keep: the folder for files; best_of: repetitions."""
    out = []
    work = tempfile.mkdtemp(prefix="dumps-", dir=keep)
    try:
        dump = real_dump(work, env)
        small, large = os.path.join(work, "100k.txt"), os.path.join(work, "1m.txt")
        write_dump(small, dump, 100000)
        mb = os.path.getsize(small) / 1e6
        ours, peak, _ = wall([tocsin, "explain", small], reps=best_of)
        theirs, their_peak, cut = None, 0, ""
        if shutil.which("panicparse"):
            theirs, their_peak, status = wall(["timeout", "900", "panicparse", small + ".log"])
            cut = "> " if status == 124 else ""
        ratio = theirs / ours if theirs else None
        out.append(Row(f"100,000 goroutines ({mb:.0f} MB): `tocsin explain` / `panicparse`", f"{ours:.2f} s",
                       f"{cut}{theirs:.1f} s" if theirs else "not here", f"{cut}{ratio:.0f}x as fast" if ratio else "", ">= 60x", ratio and ratio >= 60))
        out.append(Row("the same: peak memory", f"{peak / 1024:.1f} MiB", f"{their_peak / 1024:.0f} MiB", "", "<= 64 MiB", peak <= 64 << 10))
        os.remove(small)
        os.remove(small + ".log")
        write_dump(large, dump, 1000000)
        os.remove(large + ".log")
        mb = os.path.getsize(large) / 1e6
        cat, _, _ = wall(["wc", "-l", large])
        many, peak, _ = wall([tocsin, "explain", large], reps=best_of)
        out.append(Row(f"1,000,000 goroutines ({mb:.0f} MB): `tocsin explain` / `wc -l`", f"{many:.2f} s", f"{cat:.2f} s", f"{many / ours:.1f}x the time of a tenth",
                       "<= 10 s, linear", many <= 10 and many / ours <= 15))
        out.append(Row("the same: peak memory", f"{peak / 1024:.1f} MiB", "", "", "<= 256 MiB", peak <= 256 << 10))
        os.remove(large)
        log = os.path.join(work, "service.log")
        write_log(log, size_mb * 1000000, dump[0] + b"goroutine 1 " + dump[1])
        mb = os.path.getsize(log) / 1e6
        cat, _, _ = wall(["wc", "-l", log], reps=best_of)
        ours, peak, _ = wall([tocsin, "explain", log], reps=best_of)
        out.append(Row(f"{mb:.0f} MB of a service's log, a recovered panic and a crash in it: `tocsin explain` / `wc -l`", f"{mb / ours:,.0f} MB/s",
                       f"{mb / cat:,.0f} MB/s", f"{cat / ours:.2f}x as fast", ">= 1 GB/s where `wc -l` does 2 GB/s",
                       mb / ours >= 1000 and (mb / cat >= 2000 or cat / ours >= 0.5)))
        out.append(Row("the same: peak memory", f"{peak / 1024:.1f} MiB", "", "", ""))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return out
