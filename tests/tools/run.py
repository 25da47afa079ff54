"""The tools that guard the tree are tested too: tools/layers, tools/runtests.py and tools/vendor."""
# suite: release-only
# suite: takes 16
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "helpers"))
from tap import check, done  # noqa: E402

# (file, line of code, words of the complaint; None: allowed)
INCLUDES = [
    ("src/base/x.c", '#include "base/err.h"', None),
    ("src/base/x.c", '#include "model/report.h"', "src/base must not include from src/model"),
    ("src/base/x.c", "#include <pcre2.h>", "must not include <pcre2.h>"),
    ("src/loop/x.c", '#include "parse/lines.h"', "src/loop must not include from src/parse"),
    ("src/parse/x.c", '#include "base/buf.h"', None),
    ("src/parse/x.c", '#include "model/report.h"', "src/parse must not include from src/model"),
    ("src/parse/x.c", "#include <unistd.h>", "must not include <unistd.h>"),
    ("src/parse/x.h", '  #  include "run/run.h" /* why */', "src/parse must not include from src/run"),
    ("src/model/x.c", '#include "model/causes.def"', None),
    ("src/diagnose/x.c", '#include "parse/gotest.h"', None),
    ("src/diagnose/x.c", '#include "loop/loop.h"', "src/diagnose must not include from src/loop"),
    ("src/run/x.c", '#include "diagnose/judge.h"', None),
    ("src/run/x.c", '#include "diagnose/state.h"', "own header"),
    ("src/run/x.c", '#include "cli/cli.h"', "src/run must not include from src/cli"),
    ("src/cli/x.c", '#include "run/gocmd.h"', None),
    ("src/cli/x.c", '#include "run/relay.h"', "own header"),
    ("src/cli/x.c", '#include "opt.h"', "write the folder too"),
    ("src/cli/x.c", '#include "../run/run.h"', "no folder"),
    ("src/attic/x.c", "int attic;", "has no row"),
    ("src/main.c", '#include "cli/cli.h"', None),
]

# (name, script, words of the output, the last line, exit status)
SUITES = [
    ("good", "echo ok 1 - a; echo 'ok 2 - b # SKIP no go here'; echo 1..2", "no go here", "1 passed, 0 failed, 1 skipped", 0),
    ("plan first", "echo 1..1; echo ok 1", "", "1 passed, 0 failed, 0 skipped", 0),
    ("a failure with its details", "echo not ok 1 - adds up; echo '# got 3'; echo 1..1; exit 1", "got 3", "0 passed, 1 failed, 0 skipped", 1),
    ("no plan", "echo ok 1 - a", "without a plan", "1 passed, 1 failed, 0 skipped", 1),
    ("too few", "echo ok 1 - a; echo 1..3", "planned 3 tests and ran 1", "1 passed, 1 failed, 0 skipped", 1),
    ("killed", "echo ok 1 - a; echo 1..1; echo dying >&2; kill -9 $$", "SIGKILL", "1 passed, 1 failed, 0 skipped", 1),
    ("too long", "echo ok 1 - a; sleep 60", "ran longer than 2 s", "1 passed, 1 failed, 0 skipped", 1),
    ("a child keeps the pipe", "echo ok 1 - a; echo 1..1; sleep 8 & exit 0", "", "1 passed, 0 failed, 0 skipped", 0),
    ("nothing ran", "echo '1..0 # SKIP not today'", "not today", "0 passed, 0 failed, 1 skipped", 1),
    ("bytes", "printf 'ok 1 - \\377\\000x\\n1..1'", "", "1 passed, 0 failed, 0 skipped", 0),
    ("environment", 'echo "ok 1 - $LANG"; [ -z "${CI:-}$TOCSIN_TEST_FULL" ] && echo ok 2; echo 1..2', "", "2 passed, 0 failed, 0 skipped", 0),
]


def layers():
    for file, code, want in INCLUDES:
        with tempfile.TemporaryDirectory() as top:
            path = os.path.join(top, file)
            os.makedirs(os.path.dirname(path))
            with open(path, "w", encoding="utf-8") as f:
                f.write("/* a file */\n" + code + "\n")
            stamp = os.path.join(top, "stamp")
            r = subprocess.run(["sh", os.path.join(ROOT, "tools/layers"), top, stamp], capture_output=True, text=True, timeout=60, check=False)
            if want is None:
                good = r.returncode == 0 and os.path.exists(stamp)
            else:
                good = r.returncode == 1 and want in r.stderr and not os.path.exists(stamp) and \
                    ("no row" in want or f"{file}:2: " in r.stderr)
            check(good, f"layers: {file}: {code.strip()}: {'refused' if want else 'allowed'}", r.stdout + r.stderr)


def runner():
    for name, script, words, last, status in SUITES:
        with tempfile.TemporaryDirectory() as top:
            os.makedirs(os.path.join(top, "tools"))
            os.makedirs(os.path.join(top, "tests/e2e"))
            shutil.copy(os.path.join(ROOT, "tools/runtests.py"), os.path.join(top, "tools"))
            os.makedirs(os.path.join(top, "tests/helpers"), exist_ok=True)
            shutil.copy(os.path.join(ROOT, "tests/helpers/tap.py"), os.path.join(top, "tests/helpers"))
            with open(os.path.join(top, "tests/e2e/one.sh"), "w", encoding="utf-8") as f:
                f.write(script + "\n")
            r = subprocess.run([sys.executable, os.path.join(top, "tools/runtests.py"), "--limit", "2", "release=build"],
                               capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ, CI="true"))
            lines = r.stdout.splitlines()
            check(r.returncode == status and words in r.stdout and lines and lines[-1] == last, f"runtests: {name}", r.stdout + r.stderr)


def vendor():
    """--check sees what was changed, put in or taken away; an archive that is not the one that is written down is refused."""
    changes = [
        ("as it is", lambda d: None, 0, "all as they were unpacked"),
        ("changed", lambda d: append(os.path.join(d, "tree-sitter/src/lib.c")), 1, "third_party/tree-sitter/src/lib.c: has been changed"),
        ("missing", lambda d: os.remove(os.path.join(d, "tree-sitter-go/LICENSE")), 1, "third_party/tree-sitter-go/LICENSE: is missing"),
        ("put in", lambda d: append(os.path.join(d, "tree-sitter-go/src/x.c")), 1, "third_party/tree-sitter-go/src/x.c: is not listed"),
        ("no list", lambda d: os.remove(os.path.join(d, "SHA256SUMS")), 1, "SHA256SUMS"),
    ]
    for name, change, status, words in changes:
        with tempfile.TemporaryDirectory() as top:
            run, dest = vendor_in(top)
            change(dest)
            r = run("--check")
            check(r.returncode == status and words in r.stdout + r.stderr, f"vendor: {name}", r.stdout + r.stderr)
    npms = [
        ("npm fails", "echo 'E404 not here' >&2; exit 1", "could not bring tree-sitter@"),
        ("npm brings nothing", "exit 0", "brought 0 archives"),
        ("another archive", 'echo x >"$5/x.tgz"', "is not what it was"),
    ]
    for name, script, words in npms:
        with tempfile.TemporaryDirectory() as top:
            run, dest = vendor_in(top)
            with open(os.path.join(top, "npm"), "w", encoding="utf-8") as f:
                f.write(f"#!/bin/sh\n{script}\n")
            os.chmod(os.path.join(top, "npm"), 0o755)
            r = run(path=top)
            check(r.returncode == 1 and words in r.stderr and run("--check").returncode == 0, f"vendor: {name}: refused, and nothing is touched", r.stdout + r.stderr)


def append(path):
    with open(path, "a", encoding="utf-8") as f:
        f.write("/* x */\n")


def vendor_in(top):
    """tools/vendor and third_party in a tree of their own; the large grammars stay away, and out of the list."""
    dest = os.path.join(top, "third_party")
    shutil.copytree(os.path.join(ROOT, "third_party"), dest, ignore=shutil.ignore_patterns("tree-sitter-bash", "tree-sitter-yaml"))
    os.makedirs(os.path.join(top, "tools"))
    shutil.copy(os.path.join(ROOT, "tools/vendor"), os.path.join(top, "tools"))
    sums = os.path.join(dest, "SHA256SUMS")
    with open(sums, encoding="utf-8") as f:
        lines = [line for line in f if "-bash/" not in line and "-yaml/" not in line]
    with open(sums, "w", encoding="utf-8") as f:
        f.writelines(lines)

    def run(*args, path=""):
        return subprocess.run([sys.executable, os.path.join(top, "tools/vendor"), *args], capture_output=True, text=True, timeout=60, check=False,
                              env=dict(os.environ, PATH=path + os.pathsep + os.environ["PATH"]))
    return run, dest


layers()
runner()
vendor()
done()
