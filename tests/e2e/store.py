#!/usr/bin/env python3
# suite: limit 900
# suite: takes 34
"""The fault library under bad conditions: killed writers, many writers, stores that are locked, full, read-only, damaged, newer or gone,
and clocks that jump. The verdict stays what it is, one sentence says what happened, and no run is lost."""
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
sys.dont_write_bytecode = True
from postgres import Postgres  # noqa: E402
from tap import FULL, TOCSIN, check, done, skip  # noqa: E402

SEED = int(os.environ.get("TOCSIN_TEST_SEED", "20261121"))
ROUNDS = int(os.environ.get("TOCSIN_TEST_ROUNDS", 200 if FULL else 20))
TMP = tempfile.mkdtemp(prefix="tocsin-store-")
WORK = os.path.join(TMP, "work")
STATE = os.path.join(TMP, "state")
os.mkdir(WORK)
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "TOCSIN_", "CI_", "GIT_")) and k not in ("CI", "FORCE_COLOR")}
ENV.update(LC_ALL="C.UTF-8", XDG_STATE_HOME=STATE, XDG_CONFIG_HOME=os.path.join(TMP, "config"), HOME=TMP, TMPDIR=TMP)
FAILS = ["sh", "-c", "echo 'panic: it broke'; exit 3"]


def tocsin(*args, **how):
    return subprocess.run([TOCSIN, *args], cwd=WORK, env=dict(ENV, **how.pop("env", {})), capture_output=True, text=True, check=False, timeout=120, **how)


def run(uri, *command, **how):
    return tocsin("run", "--store", uri, "--", *(command or FAILS), **how)


def ids(path):
    db = sqlite3.connect("file:" + path + "?mode=ro", uri=True)
    try:
        return {row[0] for row in db.execute("SELECT id FROM run")}
    finally:
        db.close()


def spooled():
    found = []
    for folder, _, names in os.walk(TMP):
        if "/spool/" in folder:
            found += [os.path.join(folder, n) for n in names if n.endswith(".json")]
    return found


def is_sound(uri, name):
    r = tocsin("store", "check", "--store", uri)
    check(r.returncode == 0, name, r.stdout + r.stderr)


def count(uri):
    r = tocsin("store", "info", "--json", "--store", uri)
    return json.loads(r.stdout)["runs"] if r.returncode == 0 else -1


# ---- killed writers --------------------------------------------------------------------------------------------

def id_of(report):
    try:
        with open(report, encoding="utf-8") as f:
            return json.load(f)["run"]["id"]
    except (OSError, ValueError, KeyError):
        return None


def took(store):
    started = time.monotonic()
    run(store)
    return time.monotonic() - started


def killed_writers():
    rnd = random.Random(SEED)
    store = os.path.join(TMP, "killed.db")
    usual = min(took(store) for _ in range(3))  # the first makes the store; the others show how long a writer takes
    acknowledged, killed = set(), 0
    # Who is killed while it looks for leaks leaves a word on that, which is none on us.
    env = dict(ENV, ASAN_OPTIONS=ENV.get("ASAN_OPTIONS", "") + ":detect_leaks=0")
    for n in range(ROUNDS):
        report = os.path.join(TMP, f"killed-{n}.json")
        words = rnd.choice(["red", "green", "blue", "white"])
        p = subprocess.Popen([TOCSIN, "run", "--store", store, "--report", report, "--", "sh", "-c", f"echo 'the {words} one broke'; exit {n % 3}"],
                             cwd=WORK, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            p.wait(rnd.uniform(0, 1.2 * usual))
        except subprocess.TimeoutExpired:
            p.send_signal(signal.SIGKILL)
        status = p.wait()
        if status >= 0:
            acknowledged.add(id_of(report))
        else:
            killed += 1
    last = run(store)  # takes in what a killed one may have left
    check(last.returncode == 3, "after the killed writers the store is written as before", last.stderr)
    check(killed >= ROUNDS // 5, f"of {ROUNDS} writers {killed} were killed")
    check(acknowledged <= ids(store), f"every one of {len(acknowledged)} acknowledged runs is in the store", acknowledged - ids(store))
    is_sound(store, "the store is sound after SIGKILL of writers")
    shutil.rmtree(os.path.join(STATE, "tocsin", "spool"), ignore_errors=True)


# ---- many writers ----------------------------------------------------------------------------------------------

def many_writers(uri, name):
    many = [subprocess.Popen([TOCSIN, "run", "--store", uri, "--", "sh", "-c", f"echo 'case {i % 5} broke'; exit {i % 2}"], cwd=WORK, env=ENV,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for i in range(50)]
    wrong, slowest = [], time.monotonic()
    for i, p in enumerate(many):
        err = p.communicate(timeout=120)[1]
        if p.returncode != i % 2:
            wrong.append(f"{i}: status {p.returncode}: {err}")
    slowest = time.monotonic() - slowest
    check(not wrong, f"50 runs at once have their own verdicts ({name})", "\n".join(wrong))
    waiting = len(spooled())
    for _ in range(3):
        run(uri, "true")
    check(count(uri) == 53 and not spooled(), f"50 runs at once lose nothing ({name}; {waiting} waited in files, {slowest:.1f} s in all)", f"{count(uri)} {spooled()}")
    is_sound(uri, f"the store is sound after 50 writers ({name})")


# ---- stores that cannot be used ----------------------------------------------------------------------------------

BASE = None  # the same run without a store


def while_unusable(name, uri, says, mend, before=1):
    """One run on the store as it is, then mend() and another one: two more runs are there, and nothing waits."""
    r = run(uri)
    sentences = [line for line in r.stderr.splitlines() if re.search(says, line)]
    check(r.returncode == BASE.returncode and r.stdout == BASE.stdout, f"{name}: verdict and output as without a store", f"{r.returncode}\n{r.stdout}{r.stderr}")
    check(len(sentences) == 1 and len(r.stderr.splitlines()) <= len(BASE.stderr.splitlines()) + 1, f"{name}: one sentence on standard error", r.stderr)
    check(len(spooled()) == 1, f"{name}: the run waits in a file", spooled())
    mend()
    r = run(uri)
    check(r.returncode == 3 and count(uri) == before + 2 and not spooled(), f"{name}: the next run takes it in", f"{count(uri)} {spooled()}\n{r.stderr}")
    is_sound(uri, f"{name}: the store is sound")


def locked():
    store = os.path.join(TMP, "locked.db")
    run(store)
    db = sqlite3.connect(store, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    while_unusable("locked", store, "locked", db.close)
    check(time.monotonic() - started < 30, "locked: the wait is bounded")


def damaged():
    def keep(name):
        store = os.path.join(TMP, name)
        run(store)
        db = sqlite3.connect(store)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        for end in ("-wal", "-shm"):
            if os.path.exists(store + end):
                os.unlink(store + end)
        shutil.copy(store, store + ".kept")
        return store, lambda: (unlink_log(store), shutil.copy(store + ".kept", store))

    def unlink_log(store):
        for end in ("-wal", "-shm"):
            if os.path.exists(store + end):
                os.unlink(store + end)

    store, mend = keep("junk.db")
    with open(store, "wb") as f:
        f.write(b"this is no database at all\n" * 1000)
    r = tocsin("store", "check", "--store", store)
    check(r.returncode == 1 and "wrong" in r.stdout, "corrupt file: `store check` says so", r.stdout + r.stderr)
    while_unusable("corrupt file", store, "not a Tocsin store", mend)
    store, mend = keep("half.db")
    with open(store, "r+b") as f:
        f.truncate(os.path.getsize(store) // 2)
    while_unusable("half-written file", store, "damaged", mend)
    store, mend = keep("newer.db")
    db = sqlite3.connect(store)
    db.execute("PRAGMA user_version = 99")
    db.commit()
    db.close()
    r = tocsin("store", "check", "--store", store)
    check(r.returncode == 1 and "99" in r.stdout, "newer schema: `store check` says so", r.stdout + r.stderr)
    while_unusable("newer schema", store, "newer Tocsin", mend)


def mounted(name, options):
    """A small file system of our own; None where that cannot be made."""
    at = os.path.join(TMP, name)
    os.mkdir(at)
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", at], capture_output=True, check=False).returncode != 0:
        return None
    return at


def unmount(at):
    subprocess.run(["umount", "-l", at], capture_output=True, check=False)


def read_only():
    at = mounted("readonly", "size=8m")
    name = "read-only folder"
    if at:
        store = os.path.join(at, "tocsin.db")
        run(store)
        subprocess.run(["mount", "-o", "remount,ro", at], check=True)
        try:
            while_unusable(name, store, "cannot be (written|opened)", lambda: subprocess.run(["mount", "-o", "remount,rw", at], check=True))
        finally:
            unmount(at)
        return
    if os.geteuid() == 0:
        skip(name, "root may write everywhere, and nothing can be mounted")
        return
    at = os.path.join(TMP, "readonly")
    store = os.path.join(at, "tocsin.db")
    run(store)
    os.chmod(store, 0o400)
    os.chmod(at, 0o500)

    def mend():
        os.chmod(at, 0o700)
        os.chmod(store, 0o600)
    while_unusable(name, store, "cannot be (written|opened)|may not be opened", mend)


def full_disk():
    at = mounted("full", "size=2m")
    if not at:
        skip("full disk", "only root can mount a small file system")
        return
    store, filler = os.path.join(at, "tocsin.db"), os.path.join(at, "filler")
    try:
        run(store)
        with open(filler, "wb", buffering=0) as f:
            try:
                while f.write(b"\0" * 4096) == 4096:
                    pass
            except OSError:
                pass
        while_unusable("full disk", store, "full|cannot be", lambda: os.unlink(filler))
    finally:
        unmount(at)


def server_gone():
    with Postgres() as pg:
        uri = pg.new_database("gone")
        run(uri)
        pg.stop()
        while_unusable("server gone", uri, "waits in", pg.start)
        many_writers(pg.new_database("many"), "PostgreSQL")


def wrong_address():
    r = run("mysql://nowhere/x")
    check(r.returncode == 3 and len([line for line in r.stderr.splitlines() if "mysql" in line]) == 1, "wrong address: one sentence, the verdict stays", r.stderr)
    for path in spooled():
        os.unlink(path)


# ---- clocks ----------------------------------------------------------------------------------------------------------

def clock():
    store = os.path.join(TMP, "clock.db")
    for _ in range(3):
        run(store)
    db = sqlite3.connect(store, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    run(store)
    db.close()
    waiting = spooled()
    check(len(waiting) == 1, "clock: a run waits", waiting)
    with open(waiting[0], encoding="utf-8") as f:
        text = f.read()
    with open(waiting[0], "w", encoding="utf-8") as f:
        ahead = re.sub(r'"started":"\d{4}', '"started":"2036', text, count=1)
        f.write(re.sub(r'"started_ns":(\d+)', lambda m: f'"started_ns":{int(m.group(1)) + 3652 * 86400 * 10**9}', ahead))
    r = run(store)
    check(len([line for line in r.stderr.splitlines() if "clock" in line]) == 1, "a clock ten years ahead: one sentence", r.stderr)
    check(r.returncode == 3 and count(store) == 5 and not spooled(), "a clock ten years ahead: nothing is lost", count(store))
    r = tocsin("store", "vacuum", "--store", store, "--age", "1d", "--json")
    check(r.returncode == 0 and json.loads(r.stdout)["runs"] == 0 and count(store) == 5, "a clock ten years ahead: vacuum does not delete everything", r.stdout + r.stderr)
    is_sound(store, "a clock ten years ahead: the store is sound")
    with open(waiting[0], "w", encoding="utf-8") as f:
        f.write(text[:len(text) // 2])
    r = run(store)
    check(len([line for line in r.stderr.splitlines() if "set aside" in line]) == 1 and os.path.exists(waiting[0] + ".bad"), "a broken file that waits is set aside, in one sentence", r.stderr)
    check("set aside" not in run(store).stderr, "and said once")


# ---- the verbs --------------------------------------------------------------------------------------------------------

def rows(path):
    db = sqlite3.connect("file:" + path + "?mode=ro", uri=True)
    try:
        return {t: sorted(map(repr, db.execute(q))) for t, q in {
            "run": "SELECT id, project, started, outcome, cause, argv, summary FROM run", "fault": "SELECT seq, id, fingerprint, state, count, title, body, last_body FROM fault",
            "finding": "SELECT r.id, n, fault, body FROM finding JOIN run r ON r.seq = run", "event": "SELECT id, fault, kind, text FROM fault_event",
            "text": "SELECT fault, body FROM fault_text"}.items()}
    finally:
        db.close()


def verbs():
    store, back, third = (os.path.join(TMP, n) for n in ("verbs.db", "backup.db", "third.db"))
    for i in range(6):
        run(store, "sh", "-c", f"echo 'the {'abc'[i % 3]} case 中文 broke'; exit 1")
    tocsin("fault", "resolve", "T-1", "--fix", "closed it", "--store", store)
    r = tocsin("store", "backup", back, "--store", store)
    check(r.returncode == 0 and rows(back) == rows(store), "store backup: a store with the same content", r.stderr)
    is_sound(back, "store backup: it is sound")
    with Postgres() as pg:
        uri = pg.new_database("copy")
        r = tocsin("store", "copy", store, uri, "--json")
        check(r.returncode == 0 and json.loads(r.stdout)["runs"] == 6, "store copy: to PostgreSQL", r.stdout + r.stderr)
        r = tocsin("store", "copy", uri, third)
        check(r.returncode == 0 and rows(third) == rows(store), "store copy: and back, the same content", r.stdout + r.stderr)
        r = tocsin("store", "copy", store, uri, "--json")
        check(r.returncode == 0 and json.loads(r.stdout)["there"] == 6, "store copy: again copies nothing", r.stdout + r.stderr)
        is_sound(uri, "store check on PostgreSQL")
        r = tocsin("store", "vacuum", "--compact", "--store", uri)
        check(r.returncode == 0, "store vacuum --compact on PostgreSQL", r.stderr)
        check("PostgreSQL" in tocsin("store", "info", "--store", uri).stdout, "store info on PostgreSQL")
    r = tocsin("store", "vacuum", "--store", store, "--age", "90d", "--size", "500MB", "--compact")
    check(r.returncode == 0 and "0 runs" in r.stdout, "store vacuum", r.stdout + r.stderr)
    for args in (["store", "vacuum", "--age", "soon"], ["store", "copy", store], ["store", "copy", store, store], ["store", "backup"], ["store", "chekc"], ["store"],
                 ["store", "info", "x"]):
        r = tocsin(*args)
        check(r.returncode == 2 and r.stderr, "wrong usage: " + " ".join(args).replace(TMP, "…"), f"{r.returncode} {r.stderr}")
    r = tocsin("store", "info", "--store", os.path.join(TMP, "none.db"))
    check(r.returncode == 125 and "none.db" in r.stderr and not os.path.exists(os.path.join(TMP, "none.db")), "a store that is not there is not made by a question", r.stderr)
    r = tocsin("store", "check", "--store", store, env={"TOCSIN_LANG": "zh"})
    check(r.returncode == 0 and "文件完整" in r.stdout, "store check in Chinese", r.stdout)
    db = sqlite3.connect(store)
    db.execute("DELETE FROM fault WHERE seq = 2")
    db.commit()
    db.close()
    r = tocsin("store", "check", "--json", "--store", store)
    check(r.returncode == 1 and json.loads(r.stdout)["wrong"] > 0, "store check: a fault that is missing is seen", r.stdout)


try:
    BASE = tocsin("run", "--no-store", "--", *FAILS)
    killed_writers()
    many_writers(os.path.join(TMP, "many.db"), "SQLite")
    locked()
    damaged()
    read_only()
    full_disk()
    server_gone()
    wrong_address()
    clock()
    verbs()
finally:
    shutil.rmtree(TMP, ignore_errors=True)
done()
