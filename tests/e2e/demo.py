"""./dev demo shows the main job with every go at hand, and says so when it did not."""
# suite: release-only
# suite: takes 18
import glob
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "helpers"))
from tap import TOCSIN, check, done  # noqa: E402

# What has no part in the verdict: it runs the command and passes its status on.
BLIND = '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec "$@"\n'


def demo(program, go):
    env = dict(os.environ, TOCSIN=program, PATH=os.path.dirname(go) + ":" + os.environ["PATH"])
    return subprocess.run([os.path.join(ROOT, "dev"), "demo"], env=env, capture_output=True, text=True, errors="replace",
                          stdin=subprocess.DEVNULL, timeout=300, check=False)


def shows(go):
    r = demo(TOCSIN, go)
    said = r.stdout + r.stderr
    name = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout.split()[2]
    check(r.returncode == 0, f"{name}: the demo shows what it should", said)
    for words in ("$ tocsin run -- go test ./...", "$ tocsin run -- make ci", "TestDiscount/rounds_up", "runtime error: invalid memory address",
                  "stock.go:57", "ci: done", "What you have just seen:"):
        check(words in said, f"{name}: it says '{words}'", said)
    tail = r.stdout.rstrip().splitlines()[-3:]
    check([line.strip()[:2] for line in tail] == ["1.", "2.", "3."], f"{name}: it ends with three lines", "\n".join(tail))
    left = [f for f in os.listdir(os.path.join(ROOT, "examples/shop")) if f.endswith(".log")]
    check(not left, f"{name}: it leaves nothing behind", left)


def main():
    gos = {os.path.realpath(g): g for g in [shutil.which("go"), *glob.glob("/usr/lib/go-*/bin/go")] if g}
    for go in gos.values():
        shows(go)
    check(bool(gos), "there is a go")
    with tempfile.TemporaryDirectory() as top:
        blind = os.path.join(top, "tocsin")
        with open(blind, "w", encoding="utf-8") as f:
            f.write(BLIND)
        os.chmod(blind, 0o755)
        r = demo(blind, next(iter(gos.values())))
        check(r.returncode == 1 and "did not show" in r.stderr, "a program that sees nothing fails the demo", r.stdout + r.stderr)
    done()


main()
