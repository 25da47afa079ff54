#!/usr/bin/env python3
# suite: takes 18
"""From fault to defence, on a real Go module in a real git repository with real runs: fault audit, fault contract."""
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import TOCSIN, check, done  # noqa: E402

TMP = os.path.realpath(tempfile.mkdtemp(prefix="tocsin-audit-"))
STORE = os.path.join(TMP, "faults.db")
TREE = os.path.join(TMP, "shop")
DAY = 86400 * 10**9
PLACE = "example.com/shop/cart.TestTotal/two"
ENV = {k: v for k, v in os.environ.items()
       if k not in ("LC_ALL", "LC_MESSAGES", "XDG_CONFIG_HOME", "XDG_STATE_HOME") and not k.startswith(("TOCSIN_", "GIT_"))}
ENV.update({"LANG": "C.UTF-8", "TOCSIN_STORE": STORE, "GOFLAGS": "-buildvcs=false", "GOTOOLCHAIN": "local", "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_AUTHOR_NAME": "dev", "GIT_AUTHOR_EMAIL": "dev@example.com", "GIT_COMMITTER_NAME": "dev",
            "GIT_COMMITTER_EMAIL": "dev@example.com"})

TEST = """package cart

import "testing"

func TestTotal(t *testing.T) {
\tt.Run("two", func(t *testing.T) {
\t\tif Total(2) != 2 {
\t\t\tt.Errorf("got %d, want 2", Total(2))
\t\t}
\t})
}
"""
RIGHT = "package cart\n\nfunc Total(n int) int { return n }\n"
WRONG = "package cart\n\nfunc Total(n int) int { return n + 1 }\n"
CONTRACT = """fault: T-1
trigger: a cart with two things
guarantee: the total is the sum
checks:
  - test: %s
"""


def run(*args, cwd=TREE, env=None):
    p = subprocess.run(args, cwd=cwd, env={**ENV, **(env or {})}, stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
    return p.returncode, p.stdout.decode("utf-8", "replace"), p.stderr.decode("utf-8", "replace")


def tocsin(*args, **more):
    return run(TOCSIN, *args, **more)


def put(name, text):
    path = os.path.join(TREE, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def commit(message):
    run("git", "add", "-A")
    code, out, err = run("git", "commit", "-qm", message)
    if code:
        raise SystemExit(f"Bail out! git commit: {out}{err}")
    return run("git", "rev-parse", "HEAD")[1].strip()


def go_test(*args):
    return tocsin("run", "--format", "testname", "--", "go", "test", *args, "./...")


def audit(*args, **more):
    """Exit status, findings as (kind, severity), the whole answer."""
    code, out, err = tocsin("fault", "audit", "--json", *args, **more)
    answer = json.loads(out) if out.startswith("{") else {"findings": [], "mttr": None, "checked": None, "text": out, "stderr": err}
    return code, sorted((f["kind"], f["severity"]) for f in answer["findings"]), answer


def expect(name, status, kinds, *args):
    code, found, answer = audit(*args)
    check(code == status and found == sorted(kinds), name, (code, found, json.dumps(answer, ensure_ascii=False)))
    return answer


def store(sql, *values):
    db = sqlite3.connect(STORE)
    with db:
        db.execute(sql, values)
    db.close()


def make():
    put("go.mod", "module example.com/shop\n\ngo 1.19\n")
    put("cart/cart.go", WRONG)
    put("cart/cart_test.go", TEST)
    run("git", "init", "-q", "-b", "main")
    commit("a cart")


def test_the_loop():
    code, out, err = tocsin("fault", "audit", "--store", os.path.join(TMP, "none.db"))
    check(code == 125 and "none.db" in err and not out, "a store that is not there: one sentence", (code, out, err))
    code, out, err = go_test()
    check(code == 1 and "T-1" in out + err, "a failing test makes a fault", (code, out, err))
    expect("open and without a defence: a warning", 0, [("undefended", "warning")])
    expect("--strict counts warnings", 1, [("undefended", "warning")], "--strict")
    put("cart/cart.go", RIGHT)
    fix = commit("the sum is the sum")
    go_test()
    tocsin("fault", "resolve", "T-1", "--fix", "no one more", "--commit", fix)
    answer = expect("resolved and without a defence: an error", 1, [("undefended", "error")])
    check(answer["findings"][0]["short"] == "T-1" and len(answer["findings"][0]["fault"]) == 26, "the finding names the fault", answer)
    expect("--since: what was not seen for long needs none", 0, [], "--since", "0s")
    code, out, err = tocsin("fault", "link", "T-1", "--defence", "test:" + PLACE)
    check(code == 0, "the test is linked", (code, out, err))
    answer = expect("linked, there and green: nothing wrong", 0, [], "--strict")
    check(answer["checked"]["defences"]["green"] == 1 and answer["schema"] == "tocsin.audit/1", "it counts as green", answer)
    m = answer["mttr"]
    check(m["before"] > 0 and m["after"] is None and m["n"] == 1, "a repair before the defence; none after it is made up", m)
    code, out, err = tocsin("fault", "audit")
    check("no repair after the defence yet" in out and "every fault has a defence that exists and is green" in out, "the same in words", (out, err))


def test_cache_and_age():
    go_test()
    answer = expect("a cached pass is green, and is called cached", 0, [])
    check(answer["checked"]["defences"]["cached"] == 1, "it is counted apart", answer)
    code, out, _ = tocsin("fault", "audit")
    check("1 green by go test's cache" in out, "it is said", out)
    expect("--max-age 0s: not run", 1, [("not_run", "error")], "--max-age", "0s")
    store("UPDATE run SET started = started - ?", 45 * DAY)
    answer = expect("a run of 45 days ago: not run", 1, [("not_run", "error")])
    check("longer ago than" in answer["findings"][0]["message"], "with the date", answer)
    expect("--max-age 60d: green again", 0, [], "--max-age", "60d")
    go_test()
    expect("cached today, really run 45 days ago: a note", 0, [("cached", "note")], "--strict")
    store("UPDATE run SET started = started + ? WHERE started < ?", 45 * DAY, (os.stat(STORE).st_mtime_ns - 40 * DAY))
    for bad in ("x", "-1d", ""):
        code, out, err = tocsin("fault", "audit", "--max-age", bad)
        check(code == 2 and "--max-age" in err, f"--max-age '{bad}' is refused", (code, out, err))


def test_missing():
    put("cart/cart_test.go", TEST.replace("func TestTotal", "// func TestTotal(t *testing.T) {\nfunc TestSum"))
    answer = expect("renamed, its old name in a comment: missing", 1, [("missing", "error")])
    f = answer["findings"][0]
    check(f["defence"] == "test:" + PLACE and "no such test function" in f["message"], "with the defence", f)
    put("cart/cart_test.go", "package cart\n\nvar s = `\nfunc TestTotal(t *testing.T) {\n`\n")
    expect("only in a string: missing", 1, [("missing", "error")])
    put("cart/cart_test.go", "package cart\n\nimport \"testing\"\n\nfunc TestTotal[T any](t *testing.T) {\n}\n")
    expect("with type parameters go test does not run it: missing", 1, [("missing", "error")])
    os.remove(os.path.join(TREE, "cart/cart_test.go"))
    expect("the file is deleted: missing", 1, [("missing", "error")])
    code, out, _ = tocsin("fault", "audit", "--project", "example.com/shop")
    check(code == 1 and "T-1" in out and "1 error, 0 warnings" in out, "in words too", out)
    os.rename(os.path.join(TREE, "go.mod"), os.path.join(TREE, "no.mod"))
    expect("no go.mod: it cannot be verified", 0, [("unverified", "warning")], "--project", "example.com/shop")
    os.rename(os.path.join(TREE, "no.mod"), os.path.join(TREE, "go.mod"))
    put("cart/other_test.go", "//go:build integration\n\n" + TEST)
    expect("in another file, behind a build tag: there", 0, [])
    tocsin("fault", "link", "T-1", "--defence", "test:FuzzTotal")
    put("cart/fuzz_test.go", "//go:build never\n\npackage cart\n\nimport \"testing\"\n\nfunc FuzzTotal(f *testing.F) {}\n")
    answer = expect("there, and never run", 1, [("not_run", "error")])
    check("`never`" in answer["findings"][0]["message"] and answer["findings"][0]["file"] == "cart/fuzz_test.go", "with the constraint", answer)
    tocsin("fault", "link", "T-1", "--defence", "test:FuzzTotal", "--remove")
    for name in ("cart/other_test.go", "cart/fuzz_test.go"):
        os.remove(os.path.join(TREE, name))
    put("cart/cart_test.go", TEST)
    expect("put back: green", 0, [])


def test_comes_back():
    put("cart/cart.go", WRONG)
    commit("break it again")
    code, out, err = go_test()
    check(code == 1 and "it came back" in out + err, "the run says that it came back", (code, out, err))
    answer = expect("it came back in spite of its defence", 1, [("came_back", "error"), ("not_green", "error")])
    check("it failed in that run" in answer["findings"][0]["message"], "what the defence did in that run", answer)
    put("cart/cart.go", RIGHT)
    fix = commit("fix it again")
    go_test("-count=1")
    tocsin("fault", "resolve", "T-1", "--fix", "again", "--commit", fix)
    answer = expect("repaired, with the same defence: a warning stays", 0, [("came_back", "warning")])
    m = answer["mttr"]
    check(m["n_before"] == 1 and m["n_after"] == 1 and m["after"] >= 0 and m["faults"][0]["short"] == "T-1", "a repair on either side of the defence", m)
    put("cart/more_test.go", "package cart\n\nimport \"testing\"\n\nfunc TestMore(t *testing.T) {}\n")
    go_test("-count=1")
    tocsin("fault", "link", "T-1", "--defence", "test:TestMore")
    expect("with a new defence the loop is closed", 0, [], "--strict")


def test_rules_and_drills():
    code, out, err = tocsin("fault", "link", "T-1", "--defence", "drill:slow-disk", "--defence", "rule:check.S02", "--defence", "rule:nilness")
    check(code == 0, "a drill and rules are linked", (code, out, err))
    answer = expect("drills and rules are never called green", 0, [("unverified", "warning")] * 3)
    check(all("this version" in f["message"] for f in answer["findings"]), "but called not verifiable", answer)
    put(".golangci.yml", "linters:\n  disable:\n    - nilness\n")
    expect("a rule that is switched off", 1, [("missing", "error")] + [("unverified", "warning")] * 2)
    put(".golangci.yml", "linters:\n  enable:\n    - nilness\n")
    answer = expect("a rule that is switched on: a note, not green", 0, [("unverified", "note")] + [("unverified", "warning")] * 2)
    check(answer["checked"]["defences"] == {"green": 2, "cached": 0, "configured": 1, "unverified": 2, "broken": 0}, "and counted so", answer)
    put(".golangci.yml", "# nilness\nlinters:\n  enable: [nilnesses]\n")
    put("Makefile", "lint:\n\tstaticlint -checks nilness ./...\n")
    answer = expect("a rule that a makefile names", 0, [("unverified", "warning")] * 3)
    check(any("Makefile:2" in f["message"] for f in answer["findings"]), "with its line", answer)
    tocsin("fault", "link", "T-1", "--remove", "--defence", "drill:slow-disk", "--defence", "rule:check.S02", "--defence", "rule:nilness")


def test_contracts():
    tocsin("fault", "link", "T-1", "--remove", "--defence", "test:TestMore", "--defence", "test:" + PLACE)
    expect("unlinked: undefended", 1, [("undefended", "error")])
    code, out, err = tocsin("fault", "contract", "T-1")
    name = "tocsin/contracts/T-1-testtotal-two.yaml"
    check(code == 0 and name in out and os.path.exists(os.path.join(TREE, name)), "a contract is written", (code, out, err))
    code, out, err = tocsin("fault", "contract", "T-1")
    check(code == 2 and "exists already" in err, "and not written over", (code, out, err))
    answer = expect("it is to be filled in", 1, [("undefended", "error"), ("unreadable", "error"), ("unreadable", "error")])
    check(all(f["line"] and name in f["message"] for f in answer["findings"] if f["kind"] == "unreadable"), "with file and line", answer)
    text = open(os.path.join(TREE, name), encoding="utf-8").read()
    put(name, text.replace('trigger: ""', "trigger: two things").replace('guarantee: ""', "guarantee: the sum"))
    commit("the contract")
    expect("filled in and committed: a defence", 0, [], "--strict")
    tocsin("fault", "link", "T-1", "--defence", "contract:" + name)
    expect("the same, linked", 0, [], "--strict")
    put("tocsin/contracts/b.yaml", CONTRACT % "example.com/shop/cart.TestGone")
    answer = expect("a second contract, and a test that is not there", 1, [("duplicate", "warning"), ("missing", "error")])
    check([f for f in answer["findings"] if f["kind"] == "missing"][0]["line"] == 5, "at its line", answer)
    put("tocsin/contracts/b.yaml", (CONTRACT % PLACE).replace("T-1", "T-99"))
    answer = expect("a fault that is not in the store", 0, [("unknown_fault", "warning")])
    check("T-99" in answer["findings"][0]["message"] and answer["findings"][0]["line"] == 1, "it is named", answer)
    put("tocsin/contracts/b.yaml", CONTRACT % PLACE + "gaurantee: x\n")
    answer = expect("a key that does not exist", 1, [("unreadable", "error")])
    check("b.yaml:6:1" in answer["findings"][0]["message"] and "guarantee" in answer["findings"][0]["message"], "did you mean", answer)
    code, out, _ = tocsin("fault", "audit", env={"TOCSIN_LANG": "zh"})
    check(code == 1 and "您是否想用 guarantee" in out and "个错误" in out, "the same in Chinese", out)
    os.remove(os.path.join(TREE, "tocsin/contracts/b.yaml"))
    tocsin("fault", "link", "T-1", "--defence", "contract:tocsin/contracts/none.yaml")
    expect("a contract file that is gone", 1, [("missing", "error")])
    tocsin("fault", "link", "T-1", "--remove", "--defence", "contract:tocsin/contracts/none.yaml", "--defence", "contract:" + name)
    tocsin("fault", "link", "T-1", "--defence", "contract:../../../etc/passwd")
    answer = expect("one outside of the project is not read", 1, [("missing", "error")])
    check("outside" in answer["findings"][0]["message"] or "does not exist" in answer["findings"][0]["message"], "and that is said", answer)
    tocsin("fault", "link", "T-1", "--remove", "--defence", "contract:../../../etc/passwd")


def test_bad_input():
    put("tocsin/contracts/z.yaml", "a: &x [*x]\n")
    expect("YAML that is refused", 1, [("unreadable", "error")])
    os.remove(os.path.join(TREE, "tocsin/contracts/z.yaml"))
    os.mkdir(os.path.join(TREE, "tocsin/contracts/d.yaml"))
    expect("a folder that is called like a contract", 1, [("unreadable", "error")])
    os.rmdir(os.path.join(TREE, "tocsin/contracts/d.yaml"))
    code, out, err = tocsin("fault", "audit", "T-1")
    check(code == 2 and not out, "an argument is refused", (code, out, err))
    tocsin("fault", "ignore", "T-1", "--until", "30d", "--why", "x")
    tocsin("fault", "reopen", "T-1", "--why", "y")
    tocsin("fault", "ignore", "T-1", "--until", "30d", "--why", "x")
    code, found, answer = audit()
    check(code == 0 and not found and answer["checked"]["faults"] == 0, "an ignored fault is not looked at", answer)


try:
    make()
    test_the_loop()
    test_cache_and_age()
    test_missing()
    test_comes_back()
    test_rules_and_drills()
    test_contracts()
    test_bad_input()
finally:
    shutil.rmtree(TMP, ignore_errors=True)
done()
