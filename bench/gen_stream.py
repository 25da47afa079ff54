#!/usr/bin/env python3
"""Write a long, lifelike `go test` output: the same bytes for the same arguments.

usage: gen_stream.py json|text MEGABYTES >FILE
       gen_stream.py tests NUMBER FAILURES [SEED] >FILE

Many packages, six at a time interleaved; tests, subtests, parallel tests; output lines of the kinds that
real suites print; two failures and one panic somewhere in the middle and none elsewhere. "tests": one run of so many tests in packages of
100, of which so many fail, each in its own way; another SEED is the same run on another day: other times and values.
"""
import json
import random
import sys

MB = 1000 * 1000
MARK = "g00000"  # stands in every package path; each repetition of the block gets its own number
PACKAGES = 60
LANES = 6
WORDS = ("request handled in", "cache miss for key", "retrying after", "opened connection to", "user", "order",
         "wrote", "bytes", "shard", "leader elected:", "checkpoint", "GET /v1/items?id=7&full=true", "état", "订单", "ok")


def log_lines(rnd):
    """One piece of test output, newline included: a log in the style of one of several libraries."""
    kind = rnd.random()
    words = " ".join(rnd.choice(WORDS) for _ in range(rnd.randint(2, 9)))
    if kind < 0.45:
        return [f"    {rnd.choice('abcd')}_test.go:{rnd.randint(9, 900)}: {words} {rnd.random():.3f}\n"]
    if kind < 0.65:
        return [f'time=2026-11-21T02:00:00.{rnd.randint(0, 999):03d}Z level=INFO msg="{words}" n={rnd.randint(0, 9999)}\n']
    if kind < 0.80:
        return [json.dumps({"level": "info", "ts": rnd.random(), "msg": words, "path": "C:\\tmp\\<a>&b"}, ensure_ascii=False) + "\n"]
    if kind < 0.90:
        return [f"2026/11/21 02:00:00 {words}\n"]
    if kind < 0.96:
        return [f"\x1b[32mPASS\x1b[0m\t{words}\t{rnd.randint(1, 99)}%\n"]
    if kind < 0.99:  # a diff over several lines
        return ["      map[string]int{\n", f'    - \t"{words}": 1,\n', f'    + \t"{words}": 2,\n', "      }\n"]
    long = words + " " + "0123456789abcdef" * rnd.randint(64, 220) + "\n"
    return [long[i:i + 1024] for i in range(0, len(long), 1024)]


def one_test(rnd, name, depth, fails):
    """The events of one test, children inside it: (action, test, text)."""
    pad = "    " * depth
    yield "run", name, None
    yield "output", name, f"=== RUN   {name}\n"
    parallel = rnd.random() < 0.2
    if parallel:
        yield "output", name, f"=== PAUSE {name}\n"
        yield "pause", name, None
        yield "output", name, f"=== CONT  {name}\n"
        yield "cont", name, None
    for _ in range(rnd.choice((0, 0, 1, 1, 2, 3, 8))):
        for text in log_lines(rnd):
            yield "output", name, text
    if depth < 2 and rnd.random() < 0.25:
        for i in range(rnd.randint(1, 6)):
            yield from one_test(rnd, f"{name}/case_{i:02d}", depth + 1, False)
    if fails:
        yield "output", name, f"{pad}    price_test.go:41: Total() = 12.35, want 12.36\n"
    seconds = rnd.choice((0.0, 0.0, 0.01, 0.02, 0.31))
    end = "fail" if fails else "skip" if rnd.random() < 0.03 else "pass"
    yield "output", name, f"{pad}--- {end.upper()}: {name} ({seconds:.2f}s)\n"
    yield end, name, seconds


PANIC = """panic: runtime error: index out of range [3] with length 3

goroutine 19 [running]:
example.com/fleet/%s/ledger.(*Book).Entry(...)
\t/src/fleet/ledger/book.go:88
example.com/fleet/%s/ledger.TestEntry(0xc0000c4820)
\t/src/fleet/ledger/book_test.go:31 +0x1d
testing.tRunner(0xc0000c4820, 0x5f1c30)
\t/usr/lib/go/src/testing/testing.go:1595 +0xff
created by testing.(*T).Run in goroutine 1
\t/usr/lib/go/src/testing/testing.go:1648 +0x3ad
""" % (MARK, MARK)


def one_package(rnd, path, fails, panics):
    """The events of one package: (action, test or None, text or seconds)."""
    yield "start", None, None
    for i in range(rnd.randint(5, 60)):
        yield from one_test(rnd, f"Test{rnd.choice(('Parse', 'Store', 'Route', 'Sync'))}{i}", 0, fails and i == 2)
    seconds = rnd.randint(3, 4000) / 1000
    if panics:
        yield "run", "TestEntry", None
        yield "output", "TestEntry", "=== RUN   TestEntry\n"
        for text in PANIC.splitlines(keepends=True):
            yield "output", "TestEntry", text
    elif fails:
        yield "output", None, "FAIL\n"
    else:
        yield "output", None, "PASS\n"
        yield "output", None, f"coverage: {rnd.randint(300, 990) / 10}% of statements\n"
    if fails or panics:
        yield "output", None, f"FAIL\t{path}\t{seconds:.3f}s\n"
        yield "fail", None, seconds
    else:
        yield "output", None, f"ok  \t{path}\t{seconds:.3f}s\tcoverage: 71.4% of statements\n"
        yield "pass", None, seconds


def as_json(rnd, path, event):
    action, test, value = event
    record = {"Time": f"2026-11-21T02:{rnd.randint(0, 59):02d}:00.{rnd.randint(0, 999999999):09d}Z", "Action": action,
              "Package": path}
    if test:
        record["Test"] = test
    if action == "output":
        record["Output"] = value
    elif isinstance(value, float):
        record["Elapsed"] = value or 0
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    # As Go's encoder writes them.
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026") + "\n"


def block(form, with_failures):
    """A few megabytes: PACKAGES packages. Text is not interleaved: go prints a package's output in one piece."""
    rnd = random.Random(20261121)
    waiting = []
    for i in range(PACKAGES):
        path = f"example.com/fleet/{MARK}/{'ledger' if i == 30 else f'svc{i:02d}'}"
        waiting.append((path, one_package(rnd, path, with_failures and i in (7, 41), with_failures and i == 30)))
    out, lanes = [], []
    while waiting or lanes:
        while waiting and len(lanes) < (LANES if form == "json" else 1):
            lanes.append(waiting.pop(0))
        path, events = lane = rnd.choice(lanes)
        for _ in range(rnd.randint(1, 12)):
            event = next(events, None)
            if event is None:
                lanes.remove(lane)
                break
            if form == "json":
                out.append(as_json(rnd, path, event))
            elif event[0] == "output":
                out.append(event[2])
    return "".join(out).encode()


def suite(tests, failures, seed):
    """A run of `go test -json`: the same tests fail for every seed."""
    rnd = random.Random(20261121 + seed)
    every = max(tests // failures, 1) if failures else tests + 1
    for first in range(0, tests, 100):
        path, bad = f"example.com/shop/internal/svc{first // 100:03d}", False
        yield as_json(rnd, path, ("start", None, None))
        for i in range(first, min(first + 100, tests)):
            name, fails = f"Test{WORDS[i % 5].split()[0].title()}{i:05d}", i % every == every // 2 and i // every < failures
            bad |= fails
            yield as_json(rnd, path, ("run", name, None))
            yield as_json(rnd, path, ("output", name, f"=== RUN   {name}\n"))
            for text in log_lines(rnd) if fails or rnd.random() < 0.2 else ():
                yield as_json(rnd, path, ("output", name, text))
            if fails:
                yield as_json(rnd, path, ("output", name, f"    price_test.go:{i % 400 + 20}: total of order {i} at 0x{rnd.getrandbits(40):x}: got {rnd.random() * 90:.2f}, want 12.36\n"))
            seconds, end = rnd.choice((0.0, 0.0, 0.01, 0.02, 0.31)), "fail" if fails else "pass"
            yield as_json(rnd, path, ("output", name, f"--- {end.upper()}: {name} ({seconds:.2f}s)\n"))
            yield as_json(rnd, path, (end, name, seconds))
        yield as_json(rnd, path, ("output", None, "FAIL\n" if bad else "PASS\n"))
        yield as_json(rnd, path, ("output", None, f"{'FAIL' if bad else 'ok  '}\t{path}\t0.412s\n"))
        yield as_json(rnd, path, ("fail" if bad else "pass", None, 0.412))


def main():
    if sys.argv[1] == "tests":
        for line in suite(*(int(a) for a in [*sys.argv[2:], "0"][:3])):
            sys.stdout.write(line)
        return
    form, size = sys.argv[1], int(sys.argv[2]) * MB
    good, bad = block(form, False), block(form, True)
    written = n = 0
    failing = size // len(good) // 2
    while written < size:
        data = (bad if n == failing else good).replace(MARK.encode(), b"g%05d" % n)
        sys.stdout.buffer.write(data)
        written += len(data)
        n += 1


if __name__ == "__main__":
    main()
