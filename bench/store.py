"""The measures of the fault library: what recording a run adds, what a question costs, how much fits in how much.

For bench.py. BENCH_FINDINGS: size of the store that is filled (200000; the full measure is 1000000), with a twentieth of it as faults.
"""
import os
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(ROOT, "tests", "helpers"))
FINDINGS = int(os.environ.get("BENCH_FINDINGS", "200000"))
FAULTS = max(FINDINGS // 20, 1)
# As a server is set up that nobody has tuned; the tests' own runs without fsync.
SERVER = {"fsync": "on", "full_page_writes": "on", "shared_buffers": "128MB", "wal_level": "replica", "max_wal_senders": "10"}
WRITERS = 8
ROUNDS = 15
# One that many faults have, two Chinese characters, and what nobody has said; and a rare one, from a fault of the store.
SEARCHES = (("a common term", "connection refused"), ("two Chinese characters", "订单"), ("no match", "zyxwvutsrq"),
            ("two letters, no match", "鑫垚"))
TABLES = ("run", "attempt", "command", "test", "result", "blob", "fault", "fault_order", "fault_day", "fault_branch", "fault_text", "finding")


def note(text):
    print(f"--- {text}", file=sys.stderr, flush=True)


def clean_env():
    return {k: v for k, v in os.environ.items() if not k.startswith("TOCSIN") and k not in ("CI", "GITHUB_ACTIONS", "GITLAB_CI")}


def seconds(argv, stdin=None):
    start = time.perf_counter()
    subprocess.run(argv, env=clean_env(), stdin=stdin or subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - start


def copy(source, target):
    """A store without its log; the copy is in the page cache, and on the disk before anything is timed."""
    for end in ("", "-wal", "-shm"):
        if os.path.exists(target + end):
            os.unlink(target + end)
    with open(source, "rb") as a, open(target, "wb") as b:
        b.write(a.read())
        b.flush()
        os.fsync(b.fileno())


def fold(path):
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    db.close()


# ---- one run ----

def streams(folder, n):
    names = []
    for seed in range(n):
        path = os.path.join(folder, f"run-{seed}.json")
        with open(path, "wb") as f:
            subprocess.run([sys.executable, os.path.join(HERE, "gen_stream.py"), "tests", "10000", "100", str(seed)], stdout=f, check=True)
        names.append(path)
    return names


def inserts(before, after, path):
    """What the one has and the other has not, as INSERTs: the same rows for the shell of SQLite."""
    db = sqlite3.connect(after)
    db.execute("ATTACH ? AS old", (before,))
    with open(path, "w", encoding="utf-8") as out:
        out.write("PRAGMA synchronous=FULL;\nBEGIN IMMEDIATE;\n")
        for table in TABLES:
            columns = [row[1] for row in db.execute(f"PRAGMA main.table_info({table})")]
            quoted = " || ',' || ".join(f"quote({c})" for c in columns)
            for (values,) in db.execute(f"SELECT {quoted} FROM (SELECT * FROM main.{table} EXCEPT SELECT * FROM old.{table})"):
                out.write(f"INSERT INTO {table}({', '.join(columns)}) VALUES ({values});\n")
        for seq, body in db.execute("SELECT fault, quote(body) FROM main.fault_text WHERE fault NOT IN (SELECT fault FROM old.fault_text)"):
            out.write(f"INSERT INTO fault_find(rowid, body) VALUES ({seq}, {body});\n")
        out.write("COMMIT;\n")
    db.close()


def shell(store, sql):
    with open(sql, "rb") as f:
        return seconds(["sqlite3", "-bail", store], stdin=f)


def added(tocsin, stream, base, work):
    """What keeping a run adds, in ms of wall and of CPU time: neighbours in time are compared."""
    copy(base, work)
    wall, cpu = [], []
    for how in (["--store", work], ["--no-store"]):
        before = own_cpu()
        wall.append(seconds([tocsin, "run", *how, "--", "cat", stream]))
        cpu.append(own_cpu() - before)
    return (wall[0] - wall[1]) * 1000, (cpu[0] - cpu[1]) * 1000


def bench_record(row, tocsin):
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as top:
        note("recording a run of 10,000 tests with 100 findings")
        files = streams(top, 3)
        empty, full, one, work, sql = (os.path.join(top, name) for name in ("empty", "full", "one", "work", "sql"))
        seconds([tocsin, "run", "--store", empty, "--", "true"])
        fold(empty)
        copy(empty, full)
        for i in range(50):
            seconds([tocsin, "run", "--store", full, "--", "cat", files[i % 3]])
        fold(full)
        copy(empty, one)
        seconds([tocsin, "run", "--store", one, "--", "cat", files[0]])
        fold(one)
        inserts(empty, one, sql)
        first, later, theirs = [], [], []
        for i in range(ROUNDS):
            first.append(added(tocsin, files[0], empty, work))
            copy(empty, work)
            theirs.append(shell(work, sql) * 1000)
            later.append(added(tocsin, files[i % 3], full, work))
        rows = sum(1 for _ in open(sql, encoding="utf-8"))
    a, b = (statistics.median(wall for wall, _ in x) for x in (first, later))
    a_cpu, b_cpu = (statistics.median(cpu for _, cpu in x) for x in (first, later))
    a_best, b_best = (min(wall for wall, _ in x) for x in (first, later))
    c = statistics.median(theirs)
    label = "recording a run of 10,000 tests and 100 findings, SQLite: wall time added to `tocsin run`"
    yield row(f"{label}, in a store that has none of it, median of {ROUNDS} (best {a_best:.0f} ms, CPU {a_cpu:.0f} ms) / `sqlite3` inserting the same {rows} rows", f"{a:.0f} ms", f"{c:.0f} ms",
              f"{a / c:.2f}x", "<= 60 ms, <= 3x", a <= 60 and a <= 3 * c)
    yield row(f"the same in a store that has 50 such runs (best {b_best:.0f} ms, CPU {b_cpu:.0f} ms)", f"{b:.0f} ms", f"{c:.0f} ms", f"{b / c:.2f}x", "<= 60 ms, <= 3x", b <= 60 and b <= 3 * c)


# ---- a large store ----

def fill(program, uri, writers, findings=None):
    done = subprocess.run([program, uri, f"findings={findings or FINDINGS}", f"faults={max((findings or FINDINGS) // 20, 1)}", f"writers={writers}"], env=clean_env(),
                          stdout=subprocess.PIPE, text=True, check=True)
    words = done.stdout.split()
    return {words[i]: float(words[i + 1]) for i in range(0, len(words), 2)}


def own_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def questions(often, some, rare):
    yield "`fault list`", ["list"]
    yield "`fault show` of one", ["show", f"T-{some}"]
    yield "`fault show` of the one seen most", ["show", f"T-{often}"]
    yield "`fault search`: a rare term", ["search", rare]
    for what, text in SEARCHES:
        yield f"`fault search`: {what}", ["search", text]


# The fault seen most, any other one that is a test's, and its test.
OFTEN = "SELECT seq FROM fault ORDER BY count DESC LIMIT 1"
SOME = f"SELECT seq, test FROM fault WHERE seq >= {random.Random(7).randrange(1, FAULTS)} AND test IS NOT NULL ORDER BY seq LIMIT 1"


def ask(row, tocsin, uri, about, where, other_cpu=lambda: 0.0):
    for name, words in questions(*about):
        times = []
        for _ in range(7):
            before = own_cpu() + other_cpu()
            for _ in range(4):
                subprocess.run([tocsin, "fault", *words, "--store", uri], env=clean_env(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, check=False)
            time.sleep(0.05 if where != "SQLite" else 0)  # the server notices that we have left
            times.append((own_cpu() + other_cpu() - before) * 1000 / 4)
        ms = statistics.median(times)
        yield row(f"{FINDINGS:,} findings of {FAULTS:,} faults, {where}: {name}, CPU time, median of 7", f"{ms:.1f} ms", "", "", "<= 50 ms", ms <= 50)


def bench_sqlite(row, tocsin, program):
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as top:
        path = os.path.join(top, "store.db")
        note(f"filling a SQLite store with {FINDINGS:,} findings")
        got = fill(program, path, 1)
        fold(path)
        with sqlite3.connect(path) as db:
            about = [*db.execute(OFTEN).fetchone(), *db.execute(SOME).fetchone()]
        db.close()
        size = os.path.getsize(path)
        yield row(f"{FINDINGS:,} findings of {FAULTS:,} faults, SQLite: file size a finding", f"{size / got['findings']:.0f} bytes", "", "", "<= 400 bytes", size / got["findings"] <= 400)
        yield row(f"the same: findings a second, one writer ({got['cpu'] / got['findings'] * 1e6:.0f} µs CPU each)", f"{got['a_second']:,.0f}", "", "")
        yield from ask(row, tocsin, path, about, "SQLite")


def ended_cpu(pid):
    """CPU time of a process and of its children that have ended."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return sum(int(v) for v in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def all_cpu(pid):
    total = ended_cpu(pid)
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        for child in f.read().split():
            try:
                total += ended_cpu(child)
            except OSError:
                pass
    return total


def bench_postgres(row, tocsin, program):
    from postgres import Postgres  # pylint: disable=import-outside-toplevel
    with Postgres(settings=SERVER) as pg:
        pid = pg.process.pid
        for name, more in (("as it comes, fsync on", ""), ("synchronous_commit off", " SET synchronous_commit = off")):
            uri = pg.new_database("store")
            if more:
                pg.sql("postgres", f"ALTER DATABASE store{more}")
            findings = FINDINGS if not more else min(FINDINGS, 100000)
            note(f"filling PostgreSQL ({name}) with {findings:,} findings from {WRITERS} writers")
            if not more:
                kept = uri = pg.new_database("kept")
            before = all_cpu(pid)
            got = fill(program, uri, WRITERS, findings)
            each = (all_cpu(pid) - before) / got["findings"] * 1e6
            cores = (each + got["cpu"] / got["findings"] * 1e6) * 20000 / 1e6
            yield row(f"PostgreSQL ({name}): findings a second from {WRITERS} writers, {findings:,} findings; {each:.0f} µs CPU of the server and {got['cpu'] / got['findings'] * 1e6:.0f} of"
                      f" the writers each: 20,000/s would be {cores:.1f} cores, here are {os.cpu_count()}", f"{got['a_second']:,.0f}", "", "", "" if more else ">= 20,000", None if more else got["a_second"] >= 20000)
            if not more:
                pg.sql("kept", "VACUUM ANALYZE")
                size = int(pg.sql("kept", "SELECT pg_database_size('kept')"))
                yield row(f"{FINDINGS:,} findings of {FAULTS:,} faults, PostgreSQL: database size a finding", f"{size / got['findings']:.0f} bytes", "", "")
        about = [pg.sql("kept", OFTEN.replace("FROM ", "FROM tocsin.")), *pg.sql("kept", SOME.replace("FROM ", "FROM tocsin.")).split("|")]
        yield from ask(row, tocsin, kept, about, "PostgreSQL, client and server", lambda: ended_cpu(pid))
