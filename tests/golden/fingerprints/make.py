#!/usr/bin/env python3
"""Makes set.jsonl again: findings of real runs, each with the name of the fault that it is.

  make.py [--only PATTERN] [--jobs N] [--out FILE]

Every failing case of tests/zoo runs in several shapes: another Go, another checkout, another home of the module
proxy, lines shifted, under -race or -cover, as text and as JSON, reports in Chinese. The label is decided here, from what
the case is, and never from a fingerprint. It takes the program from TOCSIN, and ten minutes on two cores.
"""
import argparse
import concurrent.futures
import copy
import fnmatch
import glob
import importlib.util
import json
import os
import re
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ZOO = os.path.join(HERE, "..", "..", "zoo")
sys.path[:0] = [os.path.join(HERE, "..", "..", "helpers"), ZOO]
spec = importlib.util.spec_from_file_location("zoo_run", os.path.join(ZOO, "run.py"))
zoo_run = importlib.util.module_from_spec(spec)
spec.loader.exec_module(zoo_run)

# area: shapes of (go, form, marks). "far" is another checkout, "shift" new lines on top of every Go file.
SHAPES = {
    "test": [("new", "json", ""), ("new", "raw", "far shift cover"), ("old", "json", "far"), ("old", "raw", "shift zh"),
             ("new", "json", "race shift zh")],
    "program": [("new", "raw", ""), ("new", "raw", "far shift zh"), ("old", "raw", "far"), ("new", "raw", "race shift")],
    "build": [("new", "raw", ""), ("old", "raw", "far shift zh"), ("new", "json", "far"), ("old", "json", "shift")],
    "module": [("new", "raw", ""), ("old", "raw", "far zh"), ("new", "json", "far shift")],
    "masked": [("new", "raw", ""), ("old", "raw", "far shift zh")],
    "process": [("new", "raw", ""), ("old", "raw", "far shift zh")],
    "extra": [("new", "json", ""), ("new", "raw", "far shift"), ("old", "json", "far zh"), ("old", "raw", "shift")],
}
# Not here: what needs another machine, and what is chance.
LEAVE = {"cgroup", "mount"}
LIMIT_EXCERPT = 700
NO_RACE = {"out-of-memory", "no-address-space"}  # the race detector's own memory ends first: another fault
NOT_HERE = {
    ("malformed-go-sum", "old"): "the old go reads over the line and misses the sum: another fault",
    ("git-not-installed", "new"): "the new go gives up before it asks git: another fault",
}
# Text without -v does not name the test that left: then it is a fault of the package.
UNNAMED = {"exit3-in-test", "log-fatal-in-test"}
LEFT_OUT = {
    "two-masked/build": "two faults that are judged as two or three findings, with another cause from release to release",
}
# Cases of the zoo that show one fault in several ways: name: the name that all of them have.
SAME = {name: names[0] for names in [
    # one text of one package
    ("undefined", "build-json-error", "go-run-compile-error", "set-plus-e/build"),
    ("vet-alone", "not-masked-whole-fails", "semicolon/build", "if-not/build"),
    ("comma-stops-at-503", "download-ignored/mod"),
    ("checksum-mismatch-in-build", "retry-not-for-security"),
    ("missing-go-sum", "missing-go-sum-in-test"),
    # one answer of a proxy about one module
    ("forged-body", "status-500"), ("status-503-in-test", "zip-503"),
    # one method of the library, met by two tests
    ("panic-lib-from-a", "panic-lib-from-b"),
    # one test of one name, which fails or leaves, whatever became of that
    ("exit0-in-test", "exit3-in-test/TestE", "log-fatal-in-test/TestE", "syscall-exit0"),
    ("testmain-correct-fail", "testmain-just-returns", "testmain-drops-code/TestF", "testmain-drops-code-verbose/TestF",
     "testmain-drops-code-verbose:test.fail", "testmain-drops-code:test.fail"),
    ("testmain-drops-code", "testmain-drops-code-verbose", "testmain-drops-code/TestF drops",
     "testmain-drops-code-verbose/TestF drops"),
    ("rerun-flaky:test.unstable", "rerun-flaky-strict:test.unstable"),
    # one package, asked for tests and with none
    ("count0:test.empty", "exit0-in-init-verbose:test.empty", "exit0-in-init:test.empty", "run-typo-goflags:test.empty",
     "run-typo-strict:test.empty", "run-typo-subtest:test.empty", "run-typo:test.empty", "testmain-never-runs:test.empty"),
    ("all-skipped:test.empty", "all-skipped-verbose:test.empty", "no-test-files:test.empty", "tests-behind-a-tag:test.empty"),
    # one script text with one command
    ("or-true/masked go test ./...", "absolute-path/masked go test ./...", "masked-strict-same/masked go test ./..."),
    # one program that cannot be executed
    ("empty-file", "truncated-elf", "wrong-architecture"),
    # one function of one main.go
    ("run-race", "race-binary-66"),
] for name in names}


def shaped(case, marks):
    """The case as this shape runs it."""
    case = copy.deepcopy(case)
    if "shift" in marks:
        for name in case.files:
            if name.endswith(".go") and case.files[name].strip():
                case.files[name] = "\n\n\n" + case.files[name]
    flags = [v for k, c, v in case.rows if k == "flags" and not c][-1:]
    if "zh" in marks:
        case.rows.append(("flags", (), " ".join(flags + ["--lang zh"])))
    for mark in ("race", "cover"):
        if mark in marks:
            case.rows.insert(0, ("env", (), f"'GOFLAGS=-modcacherw -{mark}'"))
    return case


def wanted(case, form, marks):
    needs = set(" ".join(v for k, _, v in case.rows if k == "needs").split())
    command = case.get("run", default="")
    if needs & LEAVE or case.get("slow") or "passed" in case.get("outcome", (), "passed").split("|"):
        return False
    if form == "json" and not re.match(r"go test\b", command):
        return False
    if form not in case.get("format", (), "raw json").split():
        return False
    if "race" in marks and case.name in NO_RACE:
        return False
    return not (("race" in marks or "cover" in marks) and any(k == "env" and "GOFLAGS" in v for k, _, v in case.rows))


def part_of(findings, f):
    """What of the case this is: its test (and package, when there are more), the command that was masked, or the layer."""
    test = f.get("test")
    if f["cause"] == "pipe.masked":
        return "masked " + " ".join(os.path.basename(w) if i == 0 else w for i, w in enumerate(f.get("command") or []))
    if test:
        several = len({g.get("package") for g in findings if g.get("test")}) > 1
        text = (f"{f.get('package')}/" if several else "") + re.sub(r"#\d+", "", test)
        return text + (" drops" if f["cause"] == "test.exit_masked" else "")
    several = len({g.get("package") for g in findings if g.get("package")}) > 1
    return f["cause"].split(".")[0] + (f" {f.get('package')}" if several else "")


def label_of(case, findings, f):
    """Which fault this is: by the case, and in a case with several faults by their parts, in their order."""
    findings = [g for g in findings if g.get("severity") == f.get("severity")]
    name = case.name + ("" if f.get("severity") == "error" else ":" + f["cause"])
    if case.name in UNNAMED:
        name += "/" + (f.get("test") or "package")
    elif len(findings) > 1:
        name += "/" + part_of(findings, f)
        again = [g for g in findings if part_of(findings, g) == part_of(findings, f)].index(f)
        name += f" {again + 1}" if again and "#" not in str(f.get("test")) else ""
    return SAME.get(name, name)


def take(case, go, form, marks, report):
    """What a fingerprint may look at, and its label."""
    run, rows = report["run"], []
    findings = report.get("findings") or []
    for f in findings:
        if f.get("severity") == "note":
            continue
        excerpt = f.get("excerpt") or ""
        if not re.match(r"go\.|test\.(panic|race|timeout|after|exit$)", f["cause"]) and len(excerpt) > LIMIT_EXCERPT:
            excerpt = excerpt[:LIMIT_EXCERPT] + "\n"
        keep = {k: f.get(k) for k in ("cause", "package", "test", "file", "line", "message", "command")
                if f.get(k) not in (None, [])}
        if excerpt:
            keep["excerpt"] = excerpt
        if any(label_of(case, findings, f).startswith(name) for name in LEFT_OUT):
            continue
        rows.append({"label": label_of(case, findings, f), "shape": f"{case.area} go{go.version} {form} {marks}".strip(),
                     "argv": run["argv"], "outcome": report["verdict"]["outcome"],
                     "commands": [{k: c.get(k) for k in ("argv", "script")}
                                  for c in report.get("commands") or [] if c.get("masked")],
                     "finding": keep})
    return rows


def run_one(zoos, case, go, form, marks):
    zoo = zoos["far" in marks]
    zoo = copy.copy(zoo)
    zoo.work = os.path.join(zoo.work, re.sub(r"\W+", "-", marks) or "plain")
    os.makedirs(zoo.work, exist_ok=True)
    result = zoo_run.run_case(zoo, shaped(case, marks), go, form)
    path = os.path.join(zoo.work, f"{go.version}-{form}", case.name) + ".json"
    if result.skip or not os.path.exists(path):
        return [], f"{result.name} {marks}: {result.skip or 'no report'}"
    with open(path, encoding="utf-8") as f:
        text = f.read()
    for root, name in zoo.names:  # whose machine it was is nobody's business
        text = text.replace(root, name).replace(root.replace("/", "."), name.replace("/", "."))
    rows = take(case, go, form, marks, json.loads(text))
    return rows, f"{result.name} {marks}: {len(rows)} " + "; ".join(result.wrong)[:150]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", default="*")
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--out", default=os.path.join(HERE, "set.jsonl"))
    options = p.parse_args()
    options.keep = options.bare = False
    go = os.path.dirname(shutil.which("go") or zoo_run.OLD_GO)
    os.environ["PATH"] = ":".join([go, "/usr/local/bin", "/usr/bin", "/bin"])
    paths = sorted(glob.glob(os.path.join(ZOO, "cases", "*.zoo"))) + [os.path.join(HERE, "extra.zoo")]
    cases = [c for path in paths if os.path.exists(path) for c in zoo_run.parse(path)
             if fnmatch.fnmatch(f"{os.path.basename(path)[:-4]}/{c.name}", options.only)]
    zoos, rows = [zoo_run.Zoo(options), zoo_run.Zoo(options)], []
    roots = [zoo.work for zoo in zoos]
    zoos[1].work = os.path.join(tempfile.mkdtemp(prefix="far", dir=zoos[1].work), "builds", "team-7", "check out")
    for zoo, name in zip(zoos, ("/home/lin/src", "/builds/team-7/check out")):
        zoo.names = [(zoo.work, name), (roots[zoos.index(zoo)], name + "/up"), (tempfile.gettempdir(), "/tmp"),
                     (os.path.dirname(sys.executable), "/usr/bin"), (os.path.expanduser("~"), "/home/lin")]
    try:
        gos = {("new" if g.minor > 19 else "old"): g for g in zoos[0].gos}
        jobs = [(c, gos[g], form, marks) for c in cases for g, form, marks in SHAPES.get(c.area, [])
                if g in gos and (c.name, g) not in NOT_HERE and wanted(c, form, marks)]
        jobs = [j for j in jobs if all(v in j[1].facts() for v in j[0].get("go", (), "").split())]
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for n, (got, say) in enumerate(pool.map(lambda j: run_one(zoos, *j), jobs), 1):
                rows += got
                print(f"{n}/{len(jobs)} {say}", flush=True)
    finally:
        for zoo, zoo.work in zip(zoos, roots):
            zoo.close()
    with open(options.out, "w", encoding="utf-8") as f:
        for row in rows:
            f.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
    print(f"{len(rows)} findings of {len({r['label'] for r in rows})} faults in {options.out}")


if __name__ == "__main__":
    main()
