"""TAP on standard output, for every test script: check() one claim, done() at the end."""
import atexit
import concurrent.futures
import fcntl
import hashlib
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

_lock = threading.RLock()
_n = 0
_failed = 0
TOCSIN = os.path.abspath(os.environ.get("TOCSIN", "build/tocsin"))
# TOCSIN_TEST_FULL=1 runs everything, else a fixed sample.
FULL = os.environ.get("TOCSIN_TEST_FULL") == "1"
# The sanitizer build is several times slower and walks the same code as the release build, which proves every claim: of
# what only repeats a path, or is the work of go and not of Tocsin, it takes a part. Each script says at SLOW which.
SLOW = os.environ.get("TOCSIN_TEST_BUILD") == "asan" and not FULL

# Runs are recorded: each script has a fault library of its own.
_state = tempfile.mkdtemp(prefix="tocsin-state-")
atexit.register(shutil.rmtree, _state, ignore_errors=True)
os.environ["XDG_STATE_HOME"] = _state

# What go has compiled is shared: a test with a home of its own would compile the standard library once more.
os.environ.setdefault("GOCACHE", os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "go-build"))

# A shell that started us with & left these ignored; tests of signals need the usual world.
for _sig in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_sig) == signal.SIG_IGN:
        signal.signal(_sig, signal.default_int_handler if _sig == signal.SIGINT else signal.SIG_DFL)


def check(ok, name, detail=""):
    """One test. The detail is printed only when it failed."""
    global _n, _failed
    with _lock:
        _n += 1
        print(("ok" if ok else "not ok"), _n, "-", name.replace("\n", " ").replace("#", "\\#"), flush=True)
        if not ok:
            _failed += 1
            for line in str(detail).splitlines()[:60]:
                print("#  ", line, flush=True)
    return ok


def skip(name, why):
    """A test that cannot be made here; it is counted and listed as skipped."""
    global _n
    with _lock:
        _n += 1
        print("ok", _n, "-", name.replace("#", "\\#"), "# SKIP", why, flush=True)


def side_by_side(parts, *args, jobs=4):
    """Call each part, `jobs` of them at a time: for those that mostly wait, and that share nothing they change."""
    def one(part):
        began = time.monotonic()
        try:
            part(*args)
        except Exception:  # pylint: disable=broad-except
            check(False, f"{part.__name__} comes to its end", traceback.format_exc())
        with _lock:
            print(f"# {part.__name__}: {time.monotonic() - began:.1f} s", flush=True)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for running in [pool.submit(one, part) for part in parts]:
            running.result()


def kept(make, *key):
    """The folder that make(folder) has filled, once for all suites of a run of tools/runtests.py and for both builds: what go
    makes is the same for them. The key names all that it is made of. It is only read; made beside a lock, and whole or not at all."""
    global _keep
    top = os.environ.get("TOCSIN_TEST_KEEP") or _keep
    if not top:
        top = _keep = tempfile.mkdtemp(prefix="tocsin-kept-")
        atexit.register(shutil.rmtree, _keep, ignore_errors=True)
    folder = os.path.join(top, hashlib.sha256(repr(key).encode()).hexdigest()[:24])
    with open(folder + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(folder + ".done"):
            shutil.rmtree(folder, ignore_errors=True)
            os.makedirs(folder)
            make(folder)
            with open(folder + ".done", "w", encoding="ascii"):
                pass
    return folder


_keep = None


def _relay(words):
    """What this script says when it is called with these words, as if it were said here."""
    said = subprocess.Popen([sys.executable, sys.argv[0], *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace")
    seen, plan, bad = 0, None, None  # bad: (name, details) of a failure that is still being told
    for line in itertools.chain(said.stdout, [""]):
        found = re.match(r"(not )?ok \d+ - (.*?)(?: # SKIP (.*))?$", line)
        if bad and not line.startswith("#   "):
            check(False, *bad)
            bad = None
        if found:
            seen += 1
            name = found[2].replace("\\#", "#")
            if found[1]:
                bad = [name, ""]
            elif found[3]:
                skip(name, found[3])
            else:
                check(True, name)
        elif bad:
            bad[1] += line[4:]
        elif line.startswith("1.."):
            plan = int(line[3:])
        elif line.startswith("#"):
            print(line, end="", flush=True)
    if said.wait() not in (0, 1) or plan != seen:
        check(False, f"{' '.join(words)}: comes to its end", f"status {said.returncode}, {seen} of {plan} tests")


def in_processes(*groups):
    """Call this script once for each group of its parts (the words that it takes), all at the same time: for parts that need a process to themselves."""
    with concurrent.futures.ThreadPoolExecutor(len(groups)) as pool:
        for running in [pool.submit(_relay, group) for group in groups]:
            running.result()


def done():
    """Print the plan and leave with the right status."""
    print(f"1..{_n}", flush=True)
    sys.exit(1 if _failed else 0)
