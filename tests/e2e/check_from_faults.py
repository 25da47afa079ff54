#!/usr/bin/env python3
# suite: limit 300
# suite: takes 30
"""The lint and the fault library: `tocsin check --from-faults` on a library that real runs of go filled, and findings of `tocsin check` as faults
and alerts like any other."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, "..", "helpers"))
sys.dont_write_bytecode = True
from endpoint import Endpoint  # noqa: E402
from tap import TOCSIN, check, done  # noqa: E402

TMP = tempfile.mkdtemp(prefix="tocsin-worth-")
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("CI", "GITHUB_", "GIT_", "TOCSIN_")) and k != "NO_COLOR" and not k.lower().endswith("_proxy")}
ENV.update(LC_ALL="C.UTF-8", TZ="UTC", GOFLAGS="-mod=mod -buildvcs=false", GOTOOLCHAIN="local", GOPROXY="off", XDG_CONFIG_HOME=os.path.join(TMP, "config"),
           XDG_CACHE_HOME=os.path.join(TMP, "cache"), XDG_STATE_HOME=os.path.join(TMP, "state"), HOME=TMP)
STORE = os.path.join(TMP, "faults.db")
TOP = os.path.join(TMP, "shop")


def put(path, text, mode=0o644):
    path = os.path.join(TOP, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)


def tocsin(*args, cwd=TOP, env=None):
    run = subprocess.run([TOCSIN, *args], cwd=cwd, env={**ENV, **(env or {})}, capture_output=True, text=True, timeout=120, check=False)
    return run.returncode, run.stdout, run.stderr


def worth(*args, store=STORE, **more):
    return tocsin("check", "--from-faults", "--store", store, *args, **more)


def answer(*args, **more):
    code, out, err = worth("--json", *args, **more)
    try:
        return json.loads(out)
    except ValueError:
        return {"rules": [], "broken": (code, out, err)}


def faults(store=STORE, *args):
    code, out, err = tocsin("fault", "list", "--json", "--store", store, *args)
    return json.loads(out)["faults"] if code == 0 else [err]


def begin():
    put("go.mod", "module example.com/shop\n\ngo 1.19\n")
    put("cart/cart_test.go", "package cart\n\nimport \"testing\"\n\nfunc TestTotal(t *testing.T) { t.Fatal(\"got 3, want 4\") }\n")
    put("ci/test.sh", "#!/bin/bash\nset -e\ngo test ./... | tee test.log\n", 0o755)
    put("main.go", "package main\n\nfunc main() {\n\tvar p *int\n\tdefer recover()\n\tprintln(*p)\n}\n")


# ---- --from-faults ----

def test_empty():
    code, out, err = worth()
    check(code == 125 and "no store" in err and STORE in err and not out, "no library", (code, out, err))
    own = os.path.join(TMP, "own.db")
    tocsin("run", "--store", own, "--", "true")
    code, out, err = worth(store=own)
    check(code == 0 and out == f"the fault library {own} is empty: `tocsin run -- COMMAND` fills it\n", "an empty one", (code, out, err))
    got = answer(store=own)
    check(got["schema"] == "tocsin.worth/1" and got["faults"] == got["caught"] == 0 and got["rules"] == [], "the same in JSON", got)
    check("是空的" in worth("--lang", "zh", store=own)[1], "and in Chinese")
    tocsin("run", "--store", own, "--", "sh", "-c", "echo 'x.go:1:1: nothing' >&2; /nowhere/at/all")
    tocsin("run", "--store", own, "--", "/nowhere/at/all")
    code, out, err = worth("--skip", "R,S,T,E,G", store=own)
    check(code == 0 and re.search(r"^the \d faults of the library \S+ are of kinds that (these rules do not|no rule) prevents?$", out.strip()), "faults that no rule prevents", (code, out, err))


def test_ranking():
    for _ in range(2):
        code, _, err = tocsin("run", "--store", STORE, "--format", "quiet", "--", "bash", "-c", "go test ./... | tee /dev/null")
        check(code == 1, "a pipe that hides the failure of go test", (code, err))
    code, _, err = tocsin("run", "--store", STORE, "--format", "quiet", "--", "go", "run", ".")
    check(code != 0, "a program that dies of a nil pointer", (code, err))
    seen = {f["cause"]: f for f in faults()}
    check({"pipe.masked", "test.fail", "go.nil_deref"} <= set(seen) and seen["pipe.masked"]["count"] == 2, "the library has them", seen)

    got = answer()
    by = {r["rule"]: r for r in got["rules"]}
    order = [r["rule"] for r in got["rules"]]
    check(got["faults"] == len(seen) and got["caught"] == len(seen) - 1 and got["checked"]["files"] >= 3, "faults that some rule prevents are counted", got)
    check(order[:2] == ["S02", "R01"], "rules that are broken here come first, then by runs", order)
    s02 = by["S02"]
    check((s02["faults"], s02["runs"], s02["findings"], s02["on"]) == (1, 2, 1, True) and s02["places"] == [{"file": "ci/test.sh", "line": 3, "column": 1}], "what it is worth, and where it is broken", s02)
    check([(f["short"], f["cause"], f["count"], f["state"]) for f in s02["caught"]] == [(seen["pipe.masked"]["short"], "pipe.masked", 2, "open")] and s02["caught"][0]["title"] and
          s02["last_seen"] == seen["pipe.masked"]["last_seen"], "which faults it would have caught", (s02, seen["pipe.masked"]))
    check(by["R01"]["prevents"] == ["go.panic", "go.nil_deref"] and by["R01"]["runs"] == 1, "a rule of Go source", by["R01"])
    check(by["M03"]["findings"] == 0 and not by["M03"]["places"] and by["M03"]["caught"], "rules that are kept are listed behind", by["M03"])
    rest = [(-r["faults"], -r["runs"]) for r in got["rules"][2:]]
    check(rest == sorted(rest), "by faults, then by runs", rest)

    code, out, err = worth()
    check(code == 0 and not err and out.startswith(f"{got['caught']} of {got['faults']} faults in {STORE} are of kinds that rules prevent\n\nS02  "), "for people", (code, out, err))
    check(re.search(r"(?m)^    would have prevented 1 fault in 2 runs, last seen \d{4}-\d\d-\d\d \d\d:\d\d$", out) and re.search(r"1 fault in 1 run,", out), "one is one, two are two", out)
    check("broken here 1 time:\n      ci/test.sh:3:1\n" in out and f"      {seen['pipe.masked']['short']}  pipe.masked  " in out, "the places and the faults", out)
    check(out.index("R01  ") < out.index("not broken here") < out.index("M03  "), "what is not broken stands below", out)
    zh = worth("--lang", "zh")[1]
    check("1 个故障，共 2 次运行" in zh and "此处违反 1 次" in zh and "此处没有违反的" in zh, "in Chinese", zh)


def test_settings():
    put("tocsin.yaml", "check:\n  rules: {S02: off}\n  paths:\n    - path: main.go\n      rules: {R01: off}\n")
    got = {r["rule"]: r for r in answer()["rules"]}
    check(not got["S02"]["on"] and got["S02"]["findings"] == 1 and got["R01"]["on"] and got["R01"]["findings"] == 0, "what is off here is looked at and said to be off; off in a path is kept out", got["S02"])
    out = worth()[1]
    check("switched off here: `check: rules: {S02: on}`" in out, "and told", out)
    got = {r["rule"]: r for r in answer("--no-config")["rules"]}
    check(got["S02"]["on"] and got["R01"]["findings"] == 1, "--no-config", got["S02"])
    os.unlink(os.path.join(TOP, "tocsin.yaml"))
    check([r["rule"] for r in answer("--only", "M03,S02")["rules"]] == ["S02", "M03"], "--only")
    check(all(r["rule"][0] not in "SM" for r in answer("--skip", "S,M")["rules"]), "--skip")
    code, out, err = worth("--only", "W")
    check(code == 0 and "of kinds that these rules do not prevent" in out, "rules that prevent none of it", (code, out, err))
    code, out, err = worth("--only", "S99")
    check(code == 2 and "S99" in err, "an unknown rule", (code, out, err))
    for flag in ("--fix", "--format=sarif", "--new-from=main", "--strict", "--diff"):
        code, out, err = worth(flag)
        check(code == 2 and "do not go together" in err and not out, f"not with {flag}", (code, out, err))


def test_paths():
    got = answer("shop", cwd=TMP)
    check(got["rules"][0]["places"] == [{"file": "shop/ci/test.sh", "line": 3, "column": 1}], "another folder, named as it was given", got["rules"][0])
    got = answer("main.go")
    check([r["rule"] for r in got["rules"] if r["findings"]] == ["R01"], "one file of it", got["rules"][:2])
    bare = os.path.join(TMP, "bare")
    os.makedirs(bare)
    code, out, err = worth(cwd=bare)
    check(code == 0 and "nothing was looked at" in out and "S02" in out, "a folder with nothing to look at", (code, out, err))
    code, out, err = worth("nowhere", cwd=bare)
    check(code == 2 and "nowhere" in err, "a folder that is not there", (code, out, err))


def test_causes():
    """What rules say that they prevent is there."""
    causes = {c["id"] for c in json.loads(tocsin("causes", "--json", cwd=TMP)[1])["causes"]}
    rules = json.loads(tocsin("check", "rules", "--json", cwd=TMP)[1])["rules"]
    wrong = [(r["id"], p) for r in rules for p in r["prevents"] if p not in causes]
    check(causes and not wrong, "rules prevent causes that there are", wrong)
    check(all("pipe.masked" in r["prevents"] for r in rules if re.fullmatch("S0[1-9]|S1[0-6]|M0[1-46]|D01", r["id"])), "a status that is lost is a pipe.masked")


# ---- findings as faults and alerts ----

def wait(good, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end and not good():
        time.sleep(0.05)
    return good()


def lint(store, env):
    return tocsin("run", "--store", store, "--format", "quiet", "--", TOCSIN, "check", "--only", "S02", env=env)


def test_library(e):
    store = os.path.join(TMP, "lint.db")
    config = os.path.join(TMP, "alerts.yaml")
    with open(config, "w", encoding="utf-8") as f:
        f.write("channels:\n- name: ops\n  type: webhook\n  url: env:HOOK_URL\n")
    env = {"TOCSIN_CONFIG": config, "HOOK_URL": e.http + "/lint", "TOCSIN_OUTBOX": os.path.join(TMP, "outbox.db")}
    script = "#!/bin/bash\nset -e\ngo test ./... | tee test.log\n"

    def told():
        return [s.body.decode("utf-8", "replace") for s in e.requests if "/lint" in s.path and s.whole]

    def only():
        return [f for f in faults(store) if f["cause"] == "check.S02"]

    code, _, err = lint(store, env)
    first = only()
    check(code == 1 and len(first) == 1 and first[0]["state"] == "open" and first[0]["count"] == 1, "a finding is a fault", (first, err))
    check(wait(lambda: any("check.S02" in t and "ci/test.sh" in t for t in told())), "and an alert, which names its rule and its place", told())
    put("ci/test.sh", script.replace("set -e\n", "set -e\n\n# moved\n\n"), 0o755)
    lint(store, env)
    moved = only()
    check(len(moved) == 1 and moved[0]["id"] == first[0]["id"] and moved[0]["count"] == 2, "moved lines keep their fault", moved)
    put("ci/test.sh", script + "go vet ./... | cat\n", 0o755)
    lint(store, env)
    check(sorted(f["count"] for f in only()) == [1, 3], "another place is another fault", only())
    put("ci/test.sh", script.replace("set -e", "set -e -o pipefail"), 0o755)
    code, _, err = lint(store, env)
    check(code == 0 and sorted(f["count"] for f in only()) == [1, 3], "when it is gone nothing is counted", (code, err, only()))
    code, _, err = tocsin("fault", "resolve", first[0]["short"], "--fix", "pipefail", "--store", store)
    check(code == 0 and {f["state"] for f in only() if f["id"] == first[0]["id"]} <= {"resolved"}, "it is resolved", err)
    put("ci/test.sh", script, 0o755)
    before = len(told())
    code, _, err = lint(store, env)
    back = [f for f in faults(store, "--state", "regressed") if f["id"] == first[0]["id"]]
    check(code == 1 and len(back) == 1, "when it comes back it has regressed", (back, err))
    check(wait(lambda: len(told()) > before), "and is told again", told())
    out = tocsin("fault", "show", first[0]["short"], "--store", store)[1]
    check("check.S02" in out and "ci/test.sh" in out, "fault show has it", out)


try:
    begin()
    test_empty()
    test_ranking()
    test_settings()
    test_paths()
    test_causes()
    with Endpoint() as endpoint:
        test_library(endpoint)
finally:
    shutil.rmtree(TMP, ignore_errors=True)
done()
