#!/usr/bin/env python3
"""Every lint rule keeps its word: its bad example is found (at the lines that it names), its good one is not, and its experiment
shows with real tools that what the rule says is so. Words on the command line pick rules.

The experiments run on the release build alone; they ask nothing of Tocsin."""
# suite: limit 900
# suite: takes 60
import concurrent.futures
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, "..", "helpers"))
sys.path.insert(0, os.path.join(ROOT, "tools"))
import rules  # noqa: E402
import tap  # noqa: E402

TOCSIN = os.path.abspath(os.environ.get("TOCSIN", "build/tocsin"))
GO = next((g for g in ("/usr/local/go/bin/go",) if os.path.exists(g)), "go")


def unpack(text, folder):
    """The files `-- PATH --` of an example."""
    parts = re.split(r"(?m)^-- (\S+) --\n", text)
    for path, body in zip(parts[1::2], parts[2::2]):
        path = os.path.join(folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(body)
        if body.startswith("#!"):
            os.chmod(path, 0o755)


def findings(rule, folder):
    run = subprocess.run([TOCSIN, "check", "--json", "--only", rule["id"]], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    try:
        return {f"{f['file']}:{f['line']}" for f in json.loads(run.stdout)["findings"] if f["rule"] == rule["id"]}, run
    except ValueError:
        return None, run


def check(rule):
    """(name, whether it is so, details) of all that is tested of one rule."""
    answers = []
    with tempfile.TemporaryDirectory(prefix="tocsin-rule-") as tmp:
        bad, good, work = (os.path.join(tmp, n) for n in ("bad", "good", "work"))
        for folder in (bad, good, work):
            os.mkdir(folder)
        unpack(rule["bad"], bad)
        unpack(rule["good"], good)
        seen, run = findings(rule, bad)
        answers.append((f"{rule['id']}: the bad example is found", seen is not None and set(rule["find"]) == seen,
                        f"found {seen}, wanted {rule['find']}; {run.stderr}"))
        seen, run = findings(rule, good)
        answers.append((f"{rule['id']}: the good example is not", seen == set(), f"found {seen}; {run.stderr}"))
        if rule["experiment"] and os.environ.get("TOCSIN_TEST_BUILD") != "asan":
            env = dict(os.environ, BAD=bad, GOOD=good, GO=GO, GO119=next(iter(glob.glob("/usr/lib/go-1.19/bin/go")), "go"), GOFLAGS="-buildvcs=false", GOTOOLCHAIN="local",
                       GO111MODULE="on", TOCSIN=TOCSIN)
            done = subprocess.run(["bash", "-eu", "-c", rule["experiment"]], cwd=work, env=env, capture_output=True, text=True, timeout=300, check=False)
            answers.append((f"{rule['id']}: the experiment", done.returncode == 0, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"))
    return answers


def main():
    words = sys.argv[1:]
    paths = sorted(glob.glob(os.path.join(ROOT, "src", "check", "rules", "*.rule")))
    picked = [rules.read_rule(p) for p in paths if not words or any(os.path.basename(p).startswith(w) for w in words)]
    n = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for answers in pool.map(check, picked):
            for name, fine, details in answers:
                n += 1
                print(f"{'ok' if fine else 'not ok'} {n} - {name}", flush=True)
                if not fine:
                    print("\n".join("# " + t for t in details.splitlines()), flush=True)
    print(f"1..{n}")


main()
