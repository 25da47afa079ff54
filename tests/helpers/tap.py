"""TAP on standard output, for every test script: check() one claim, done() at the end."""
import os
import sys

_n = 0
_failed = 0
TOCSIN = os.path.abspath(os.environ.get("TOCSIN", "build/tocsin"))
# TOCSIN_TEST_FULL=1 runs everything, else a fixed sample.
FULL = os.environ.get("TOCSIN_TEST_FULL") == "1"


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


def done():
    """Print the plan and leave with the right status."""
    print(f"1..{_n}", flush=True)
    sys.exit(1 if _failed else 0)
