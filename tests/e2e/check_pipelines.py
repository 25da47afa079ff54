#!/usr/bin/env python3
"""Trees written in the style of real projects: each folder tests/check/NAME is one, and its file EXPECT says every finding that the
pipeline rules make in it, as lines `PATH:LINE RULE` (empty lines and `#` pass). Not one more, not one less. Words on the command
line pick folders: `check_pipelines.py shell`."""
# suite: limit 300
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TREES = os.path.join(os.path.dirname(HERE), "check")
TOCSIN = os.path.abspath(os.environ.get("TOCSIN", "build/tocsin"))
FAMILIES = "SKALJMDWX"


def expected(folder):
    with open(os.path.join(folder, "EXPECT"), encoding="utf-8") as f:
        lines = [line.split("#")[0].split() for line in f]
    return sorted(f"{at} {rule}" for at, rule in (words for words in lines if words))


def found(folder):
    """What check says of the tree, and what stands around it when it says nothing at all."""
    run = subprocess.run([TOCSIN, "check", "--json"], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    try:
        return sorted(f"{f['file']}:{f['line']} {f['rule']}" for f in json.loads(run.stdout)["findings"] if f["rule"][0] in FAMILIES), run
    except (ValueError, KeyError):
        return None, run


def difference(want, got):
    """Both ways, with the number of times: two findings of one rule in one line are two."""
    left = list(got)
    missing = [w for w in want if w not in left or left.remove(w)]
    return [f"missing: {w}" for w in missing] + [f"not wanted: {g}" for g in left]


def main():
    names = sorted(n for n in os.listdir(TREES) if os.path.exists(os.path.join(TREES, n, "EXPECT")))
    names = [n for n in names if not sys.argv[1:] or n in sys.argv[1:]]
    for at, name in enumerate(names, 1):
        want = expected(os.path.join(TREES, name))
        got, run = found(os.path.join(TREES, name))
        wrong = [f"no answer: status {run.returncode}\n{run.stderr}"] if got is None else difference(want, got)
        print(f"{'not ok' if wrong else 'ok'} {at} - {name}: {len(want)} findings, as written", flush=True)
        for line in "\n".join(wrong).splitlines():
            print(f"# {line}", flush=True)
    print(f"1..{len(names)}")


main()
