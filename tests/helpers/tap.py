"""TAP on standard output, for every test script: check() one claim, done() at the end."""
import atexit
import os
import shutil
import signal
import sys
import tempfile

_n = 0
_failed = 0
TOCSIN = os.path.abspath(os.environ.get("TOCSIN", "build/tocsin"))
# TOCSIN_TEST_FULL=1 runs everything, else a fixed sample.
FULL = os.environ.get("TOCSIN_TEST_FULL") == "1"

# Runs are recorded: each script has a fault library of its own.
_state = tempfile.mkdtemp(prefix="tocsin-state-")
atexit.register(shutil.rmtree, _state, ignore_errors=True)
os.environ["XDG_STATE_HOME"] = _state

# A shell that started us with & left these ignored; tests of signals need the usual world.
for _sig in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_sig) == signal.SIG_IGN:
        signal.signal(_sig, signal.default_int_handler if _sig == signal.SIGINT else signal.SIG_DFL)


def check(ok, name, detail=""):
    """One test. The detail is printed only when it failed."""
    global _n, _failed
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
    _n += 1
    print("ok", _n, "-", name.replace("#", "\\#"), "# SKIP", why, flush=True)


def done():
    """Print the plan and leave with the right status."""
    print(f"1..{_n}", flush=True)
    sys.exit(1 if _failed else 0)
