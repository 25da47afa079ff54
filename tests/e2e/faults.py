# suite: takes 45
"""The fault library: recorded by real runs of go test, listed, shown, changed, exported and imported."""
import csv
import io
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import fcntl
import termios
import time
import unicodedata

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
import sarif  # noqa: E402
from tap import TOCSIN, check, done, skip  # noqa: E402

TMP = tempfile.mkdtemp(prefix="tocsin-faults-")
ENV = {k: v for k, v in os.environ.items()
       if k not in ("TOCSIN_LANG", "LC_ALL", "LC_MESSAGES", "LANG", "NO_COLOR", "CI", "GIT_AUTHOR_NAME", "FORCE_COLOR")
       and not k.startswith(("GITHUB_", "GITLAB_", "TOCSIN_"))}
ENV.update({"GOFLAGS": "-buildvcs=false", "GOTOOLCHAIN": "local", "TERM": "xterm-256color", "LANG": "C.UTF-8", "TZ": "UTC", "USER": "tester",
            "XDG_STATE_HOME": os.path.join(TMP, "state")})
STORE = os.path.join(TMP, "faults.db")
MODULE = {
    "go.mod": "module example.com/shop\n\ngo 1.19\n",
    "cart/cart_test.go": "package cart\nimport \"testing\"\nfunc TestTotal(t *testing.T) { t.Run(\"empty\", func(t *testing.T) { t.Errorf(\"got 3, want 4\\n连接超时 on the way\") }) }\n"
                         "func TestOK(t *testing.T) {}\n",
    "pay/pay_test.go": "package pay\nimport \"testing\"\nfunc TestCharge(t *testing.T) { var m map[string]int; m[\"a\"] = 1 }\n",
}


def run(*args, env=None, store=STORE, stdin=b"", cwd=TMP):
    full = {**ENV, **({"TOCSIN_STORE": store} if store else {}), **(env or {})}
    p = subprocess.run([TOCSIN, *args], input=stdin, capture_output=True, timeout=120, cwd=cwd, env=full)
    return p.returncode, p.stdout.decode("utf-8", "replace"), p.stderr.decode("utf-8", "replace")


def answer(*args, **more):
    code, out, err = run(*args, "--json", **more)
    try:
        return json.loads(out)
    except ValueError:
        return {"broken": (code, out, err), "faults": []}


def path(name):
    return os.path.join(TMP, name)


def put(name, text):
    os.makedirs(os.path.dirname(path(name)), exist_ok=True)
    with open(path(name), "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    return path(name)


def git(*args):
    p = subprocess.run(["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "init.defaultBranch=main", *args], cwd=path("shop"),
                       capture_output=True, timeout=60)
    return p.stdout.decode().strip()


def commit(message):
    git("add", "-A")
    git("commit", "-q", "-m", message)
    return git("rev-parse", "HEAD")


def go_test(**more):
    return run("run", "--format", "quiet", "--", "go", "test", "./...", cwd=path("shop"), **more)


def on_terminal(width, *args, env=None):
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
        os.execve(TOCSIN, [TOCSIN, *args], {**ENV, "TOCSIN_STORE": STORE, **(env or {})})
    out, end = b"", time.time() + 30
    while time.time() < end and select.select([fd], [], [], 30)[0]:
        try:
            piece = os.read(fd, 65536)
        except OSError:
            break
        if not piece:
            break
        out += piece
    os.close(fd)
    if time.time() >= end:
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return out.decode("utf-8", "replace").replace("\r\n", "\n")


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def cells(s):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in s)


def by_test(test, **more):
    found = [f for f in answer("fault", "list", "--test", test, **more)["faults"]]
    return found[0] if len(found) == 1 else {"short": "T-0", "found": found}


# ---- what runs leave behind ----

def test_recorded():
    for name, text in MODULE.items():
        put("shop/" + name, text)
    git("init", "-q")
    first = commit("one")
    code = [go_test()[0] for _ in range(2)]
    put("shop/cart/cart_test.go", MODULE["cart/cart_test.go"].replace("want 4", "want 5"))
    last = commit("two")
    code.append(go_test(env={"TOCSIN_CI_URL": "https://ci.example.com/run/3", "TOCSIN_CI_NAME": "ours"})[0])
    check(code == [1, 1, 1], "the runs fail as go test does", code)
    a = answer("fault", "list")
    check(a.get("schema") == "tocsin.faults/1" and a.get("total") == 2 and len(a["faults"]) == 2, "two faults after three runs", a)
    keys = {"id", "short", "fingerprint", "cause", "state", "count", "first_seen", "last_seen", "title", "owner", "defences", "project", "package", "test",
            "file", "line", "tags", "days"}
    check(all(keys <= set(f) for f in a["faults"]), "list --json has every field of the contract", a)
    f = by_test("TestTotal/empty")
    check((f.get("count"), f.get("state"), f.get("cause"), f.get("package"), f.get("project")) == (3, "open", "test.fail", "example.com/shop/cart", "example.com/shop"),
          "a fault that was seen in three runs", f)
    check((f.get("first_commit"), f.get("last_commit")) == (first, last) and sum(f.get("days", [])) == 3 and f["last_url"] == "https://ci.example.com/run/3",
          "its first and last commit, its days, its CI link", f)
    s = answer("fault", "show", f["short"])
    check(len(s["sightings"]) == 3 and s["sightings"][0]["commit"] == last and s["sightings"][0]["go"].startswith("go"), "show lists every recurrence", s)
    check("-     cart_test.go:3: got 3, want 4" in s["changes"]["excerpt"] and "+     cart_test.go:3: got 3, want 5" in s["changes"]["excerpt"] and
          s["changes"]["commit"] == {"from": first, "to": last}, "show tells the first from the last", s["changes"])
    for ref in (f["short"], f["short"][2:], f["id"], f["fingerprint"], f["fingerprint"][:8], f["id"][:24].lower()):
        check(answer("fault", "show", ref).get("fault", {}).get("id") == f["id"], "a fault by its name", ref)
    return f


# ---- the table and the page ----

def test_people(f):
    for width in (80, 100, 140):
        for lang in ("en", "zh"):
            lines = plain(on_terminal(width, "--lang", lang, "fault", "list")).splitlines()
            page = plain(on_terminal(width, "--lang", lang, "fault", "show", f["short"])).splitlines()
            check(len(lines) == 4 and all(cells(x) <= width for x in lines), f"list fits {width} columns ({lang})", "\n".join(lines))
            check(all(cells(x) <= width for x in page if not x.startswith(("  |", "  -", "  +"))), f"show fits {width} columns ({lang})", "\n".join(page))
    colored = on_terminal(140, "fault", "list")
    check("\x1b[33mopen\x1b[0m" in colored and "\x1b[" not in on_terminal(140, "--no-color", "fault", "list"), "states have colours", colored)
    check(on_terminal(100, "fault", "list", env={"NO_COLOR": "1"}).count("▇") >= 1 or "▅" in plain(colored), "the trend is a sparkline", colored)
    flat = run("fault", "list", env={"LC_ALL": "en_US.ISO-8859-1"})[1]
    check("▁" not in flat and "____" in flat, "the trend without UTF-8", flat)
    out = run("fault", "list")[1]
    check(out.splitlines()[0].split()[:4] == ["id", "state", "seen", "last"] and "TestTotal/empty: " in out and "\x1b" not in out, "list in a file", out)
    page = run("fault", "show", f["short"])[1]
    for words in (f"{f['short']} open", "test.fail: ", "example.com/shop/cart TestTotal/empty, cart/cart_test.go:3", "in 3 runs", "defences    none",
                  "Different since the first time", "https://ci.example.com/run/3"):
        check(words in page, f"show says: {words}", page)


# ---- filters ----

def test_filters():
    def names(*args):
        return sorted(x["test"] for x in answer("fault", "list", *args)["faults"])

    both = ["TestCharge", "TestTotal/empty"]
    for args, want in ((["--state", "open"], both), (["--state", "resolved,ignored"], []), (["--cause", "test.fail"], ["TestTotal/empty"]),
                       (["--cause", "test.*"], both), (["--package", "example.com/shop/*"], both), (["--package", "example.com/shop/pay"], ["TestCharge"]),
                       (["--project", "other"], []), (["--since", "1h"], both), (["--since", "2d"], both), (["--new", "1h"], both), (["--no-defence"], both),
                       (["--test", "TestT*"], ["TestTotal/empty"]), (["--sort", "count", "--limit", "0"], both)):
        check(names(*args) == want, f"list {' '.join(args)}", names(*args))
    one = answer("fault", "list", "--limit", "1")
    check(len(one["faults"]) == 1 and one["total"] == 2, "a limit, and how many there are", one)
    for text, want in (("want 4", 1), ("连接超时", 1), ("超时", 1), ("NIL MAP", 1), ("TestCharge", 1), ("100%", 0), ("nothing of it", 0)):
        got = answer("fault", "search", text)
        check(len(got["faults"]) == want, f"search '{text}'", got)


# ---- changes ----

def test_changes(f):
    short, sha = f["short"], git("rev-parse", "HEAD")
    check(run("fault", "tag", short, "parser", "slow")[0] == 0 and by_test("TestTotal/empty")["tags"] == ["parser", "slow"], "tag")
    check(run("fault", "tag", short, "slow", "--remove")[0] == 0 and by_test("TestTotal/empty")["tags"] == ["parser"], "tag --remove")
    check(run("fault", "assign", short, "@core")[0] == 0 and by_test("TestTotal/empty")["owner"] == "@core", "assign")
    check(run("fault", "note", short, "only on slow runners; password=hunter2hunter2")[0] == 0, "note")
    notes = [e for e in answer("fault", "show", short)["fault"]["events"] if e["kind"] == "note"]
    check(len(notes) == 1 and notes[0]["who"] == "tester" and "slow runners" in notes[0]["text"] and "hunter2" not in notes[0]["text"],
          "a note is kept with who wrote it, without its secret", notes)
    check(len(answer("fault", "search", "slow runners")["faults"]) == 1, "a note is found")
    check(run("fault", "link", short, "--defence", "test:TestTotal", "--defence", "contract:tocsin/contracts/cart.yaml")[0] == 0 and
          by_test("TestTotal/empty")["defences"] == ["contract:tocsin/contracts/cart.yaml", "test:TestTotal"], "link", by_test("TestTotal/empty"))
    run("fault", "link", short, "--defence", "test:TestTotal", "--remove")
    check(by_test("TestTotal/empty")["defences"] == ["contract:tocsin/contracts/cart.yaml"], "link --remove")
    r = run("fault", "resolve", short, "--fix", "count from one", "--commit", sha, "--by", "li")
    got = by_test("TestTotal/empty")
    check(r[0] == 0 and got["state"] == "resolved" and got["resolution"]["by"] == "li" and got["resolution"]["commit"] == sha, "resolve", (r, got))
    check(f"{short} resolved: " in r[1], "resolve says what it did", r)
    check(run("fault", "resolve", short, "--fix", "again")[0] == 2, "resolving twice makes no sense")
    go_test()
    got = answer("fault", "show", short)
    check(got["fault"]["state"] == "regressed" and [e["kind"] for e in got["fault"]["events"]][-1] == "regressed", "seen again with the fix in it: regressed", got["fault"])
    check(run("fault", "list")[1].splitlines()[1].split()[:2] == [short, "regressed"], "a regression stands first")
    check("regressed" in run("fault", "show", short)[1], "show tells of it")
    r = run("fault", "ignore", short, "--until", "30d", "--why", "the vendor fixes it")
    got = by_test("TestTotal/empty")
    check(r[0] == 0 and got["state"] == "ignored" and got["ignored_until"], "ignore", (r, got))
    check(run("fault", "reopen", short, "--why", "they did not")[0] == 0 and by_test("TestTotal/empty")["state"] == "open", "reopen")
    kinds = [e["kind"] for e in answer("fault", "show", short)["fault"]["events"]]
    want = {"tagged": 2, "untagged": 1, "assigned": 1, "note": 1, "linked": 2, "unlinked": 1, "resolved": 1, "regressed": 1, "ignored": 1, "reopened": 1}
    check({k: kinds.count(k) for k in set(kinds)} == want, "every change is in the history", kinds)
    for name in ("TOCSIN_USER", "GIT_AUTHOR_NAME"):
        run("fault", "note", short, name, env={name: "who-" + name})
        last = [e for e in answer("fault", "show", short)["fault"]["events"] if e["text"] == name]
        check(last and last[0]["who"] == "who-" + name, f"who: {name}", last)


def test_refusals():
    refused = [
        (["fault"], "what to do"), (["fault", "lst"], "did you mean fault list?"), (["help", "fault", "shwo"], "did you mean fault show?"),
        (["fault", "show"], "which fault"), (["fault", "show", "T-999"], "T-999"), (["fault", "show", "zzzzzzzz"], "zzzzzzzz"),
        (["fault", "show", "T-1", "T-2"], "one fault"), (["fault", "list", "x"], "search"), (["fault", "list", "--state", "opne"], "did you mean open?"),
        (["fault", "list", "--since", "yesterday"], "--since"), (["fault", "search"], "look for"), (["fault", "resolve", "T-1"], "--fix"),
        (["fault", "resolve", "T-1", "--commit", "not one"], "commit id"), (["fault", "resolve", "T-1", "T-999", "--fix", "x"], "T-999"),
        (["fault", "ignore", "T-1", "--until", "2d"], "--why"), (["fault", "ignore", "T-1", "--why", "x"], "--until"),
        (["fault", "ignore", "T-1", "--until", "2020-01-01", "--why", "x"], "past"), (["fault", "ignore", "T-1", "--until", "soon", "--why", "x"], "30d"),
        (["fault", "link", "T-1"], "--defence"), (["fault", "link", "T-1", "--defence", "tset:X"], "did you mean test?"),
        (["fault", "link", "T-1", "--defence", "test"], "KIND:NAME"), (["fault", "merge", "T-1"], "fault merge"), (["fault", "merge", "T-1", "T-1"], "one fault"),
        (["fault", "tag", "T-1"], "fault tag"), (["fault", "export", "--format", "xml"], "--format"), (["fault", "import"], "which file"),
        (["fault", "import", "/nothing/here.json"], "/nothing/here.json"),
    ]
    before = run("fault", "export")[1]
    for args, words in refused:
        code, out, err = run(*args)
        check(code == 2 and words in err and not out, f"refused: {' '.join(args)}", (code, out, err))
        zh = run("--lang", "zh", *args)
        check(zh[0] == 2 and re.search("[一-鿿]", zh[2]) is not None, f"refused in Chinese: {' '.join(args)}", zh)
    check(run("fault", "export")[1] == before, "what was refused changed nothing")
    for store, words in ((path("no/such.db"), "no/such.db"), ("mysql://x/y", "scheme"), (put("garbage.db", b"not a database at all, but long enough to be one" * 40), "garbage.db")):
        code, out, err = run("fault", "list", "--store", store)
        check(code == 125 and words in err and len(err.splitlines()) == 1, f"a store that cannot be used: {os.path.basename(store)}", (code, out, err))
    code, out, err = run("fault", "list", store=None, env={"XDG_STATE_HOME": path("fresh")})
    check(code == 0 and "No fault yet" in out, "the user's own store, before anything was recorded", (code, out, err))
    put("configured/tocsin/tocsin.yaml", f"store: {STORE}\n")
    code, out, err = run("fault", "list", store=None, env={"XDG_CONFIG_HOME": path("configured")})
    check(code == 0 and "TestCharge" in out, "a store that is named in the user's tocsin.yaml", (code, out, err))
    put("tree/tocsin.yaml", f"store: {STORE}\n")
    code, out, err = run("fault", "list", store=None, cwd=path("tree"), env={"XDG_STATE_HOME": path("fresh")})
    check(code == 0 and "TestCharge" not in out and "store" in err, "a tocsin.yaml of the tree names no store, and that is said", (code, out, err))


# ---- export and import ----

def test_export():
    run("fault", "note", by_test("TestCharge")["short"], "=cmd|' /C calc'!A0")
    run("fault", "assign", by_test("TestCharge")["short"], "@team, \"quoted\"")
    full = json.loads(run("fault", "export")[1])
    check(full["schema"] == "tocsin.faults/1" and [f["short"] for f in full["faults"]] == ["T-1", "T-2"], "export as JSON, by number", full)
    check(all(f["events"] is not None and f["first"]["message"] and f["last"]["excerpt"] for f in full["faults"]), "it is complete", full)
    code, out, err = run("fault", "export", "--format", "csv")
    rows = list(csv.reader(io.StringIO(out, newline="")))
    check(code == 0 and out.count("\r\n") == 3 and len({len(r) for r in rows}) == 1, "export as CSV (RFC 4180)", out)
    owners = {r[rows[0].index("owner")] for r in rows[1:]}
    check(owners == {"'@core", "'@team, \"quoted\""}, "no cell is a formula", owners)
    md = run("fault", "export", "--format", "markdown")[1]
    check("| T-1 | " in md and "## T-2 " in md and "```text" in md, "export as Markdown", md)
    log = json.loads(run("fault", "export", "--format", "sarif")[1])
    check(not sarif.faults(log) and len(log["runs"][0]["results"]) == 2, "export as SARIF 2.1.0", sarif.faults(log))
    check(run("fault", "export", "-o", path("out.json"))[0] == 0 and json.load(open(path("out.json"), encoding="utf-8")) == full, "export to a file")
    check(run("fault", "export", "-o", path("no/dir/out.json"))[0] == 125, "a file that cannot be written")
    some = json.loads(run("fault", "export", "--test", "TestCharge")[1])
    check(len(some["faults"]) == 1, "export takes the filters of list")


def same_fault(a, b, leave):
    return {k: v for k, v in a.items() if k not in leave} == {k: v for k, v in b.items() if k not in leave}


def test_import():
    other = path("other.db")
    before = json.load(open(path("out.json"), encoding="utf-8"))["faults"]
    dry = run("fault", "import", "--dry-run", path("out.json"), store=other)
    check(dry[0] == 0 and "2 faults" in dry[1] and not os.path.exists(other), "import --dry-run changes nothing", dry)
    got = answer("fault", "import", path("out.json"), store=other)
    check((got.get("imported"), got.get("there")) == (2, 0), "import of an export", got)
    after = json.loads(run("fault", "export", store=other)[1])["faults"]
    # Runs are not part of an export, nor how it came about that one regressed.
    leave = {"events", "first", "last", "first_run", "last_run", "first_commit", "last_commit", "first_url", "last_url", "resolution", "regressed_at", "regressions",
             "ignored_until"}
    check(len(after) == 2 and all(same_fault(a, b, leave) for a, b in zip(before, after)), "export, import: the faults are the same", (before, after))
    check(all({e["id"] for e in a["events"]} <= {e["id"] for e in b["events"]} for a, b in zip(before, after)), "and so is their history", (before, after))
    got = answer("fault", "import", path("out.json"), store=other)
    check((got.get("imported"), got.get("there")) == (0, 2) and json.loads(run("fault", "export", store=other)[1])["faults"] == after,
          "importing twice changes nothing", got)
    table = run("fault", "export", "--format", "csv")[1]
    got = answer("fault", "import", "-", store=path("third.db"), stdin=table.encode())
    third = json.loads(run("fault", "export", store=path("third.db"))[1])["faults"]
    check(got.get("imported") == 2 and {f["test"]: f["owner"] for f in third} == {f["test"]: f["owner"] for f in before}, "import of a CSV export", (got, third))
    issues = [{"number": 7, "title": "代理 times out", "state": "closed", "labels": [{"name": "net"}], "assignee": {"login": "li"},
               "created_at": "2025-03-01T10:00:00Z", "updated_at": "2025-04-01T10:00:00Z", "closed_at": "2025-04-02T10:00:00Z", "body": "GOPROXY 超时"}]
    run("fault", "import", put("issues.json", json.dumps(issues)), store=other)
    found = answer("fault", "search", "GOPROXY", store=other)["faults"]
    check(len(found) == 1 and (found[0]["state"], found[0]["owner"], found[0]["tags"], found[0]["first_seen"]) == ("resolved", "li", ["net"], "2025-03-01T10:00:00Z"),
          "import of issues of a forge", found)
    count = answer("fault", "list", store=other)["total"]
    for name, text, words in (("a.csv", "title,state\nx,open\ny\n", "a.csv:3: the row ends before the column 'state'"), ("b.csv", "who,what\n1,2\n", "b.csv:1: the column title"),
                              ("c.csv", "title,created\nx,2025-01-01\n\"y,open\n", "c.csv:3: "), ("d.json", '[{"title":"ok"},\n{"title":"y","state":"wat"}]', "d.json:2: "),
                              ("e.json", '[{"title":"ok"}', "e.json:1: "), ("f.csv", "", "f.csv:1: "), ("g.json", '{"x":1}', "no list"),
                              ("h.json", '[{"title":"ok","created":"tomorrow"}]', "first_seen is 'tomorrow'")):
        code, out, err = run("fault", "import", put(name, text), store=other)
        check(code == 2 and words in err and len(err.splitlines()) == 1, f"a list with a mistake: {name}", (code, out, err))
    check(answer("fault", "list", store=other)["total"] == count, "a list with a mistake is not imported in part")


def test_merge():
    store = path("merge.db")
    run("fault", "import", put("m.csv", "title,count,first_seen,last_seen\nolder,2,2025-01-01,2025-02-01\nnewer,3,2025-03-01,2025-04-01\n"), store=store)
    code, out, err = run("fault", "merge", "T-2", "T-1", store=store)
    check(code == 0 and out.startswith("T-2 merged into T-1, which is older"), "merge keeps the older one, and says so", (code, out, err))
    left = answer("fault", "list", store=store)["faults"]
    check(len(left) == 1 and (left[0]["short"], left[0]["count"], left[0]["last_seen"]) == ("T-1", 5, "2025-04-01T00:00:00Z"), "merged: one is left, with both counts", left)
    check(answer("fault", "show", "T-2", store=store)["fault"]["short"] == "T-1", "the other's name leads to it")


def test_help():
    subs = re.findall(r"^  ([a-z]+) ", run("help", "fault")[1].split("Flags of every")[0], re.M)
    check({"list", "show", "search", "resolve", "reopen", "ignore", "assign", "tag", "merge", "note", "link", "import", "export"} <= set(subs), "help fault lists them", subs)
    man = run("help", "--man")[1]
    shells = {s: run("completion", s)[1] for s in ("bash", "zsh", "fish")}
    for sub in subs:
        en, zh = run("help", "fault", sub), run("--lang", "zh", "help", "fault", sub)
        check(en[0] == 0 and en[1].startswith(f"usage: tocsin fault {sub}") and run("fault", sub, "--help")[1] == en[1], f"help fault {sub}", en)
        check(re.search("[一-鿿]", zh[1]) is not None, f"help fault {sub} in Chinese", zh)
        check(f"tocsin fault {sub}" in man, f"the manual has fault {sub}")
        check(f"'fault {sub}')" in shells["bash"] and f"'fault {sub}')" in shells["zsh"] and
              f"__fish_seen_subcommand_from fault; and __fish_seen_subcommand_from {sub}" in shells["fish"], f"the completions have fault {sub}")
    script = put("c.bash", shells["bash"])
    for words, want in ((["tocsin", "fault", "re"], "resolve reopen"), (["tocsin", "fault", "list", "--so"], "--sort"),
                        (["tocsin", "fault", "list", "--sort", ""], "state last first count")):
        line = f'source "{script}"; COMP_WORDS=({" ".join(repr(w) for w in words)}); COMP_CWORD={len(words) - 1}; _tocsin; echo "${{COMPREPLY[*]}}"'
        p = subprocess.run(["bash", "-c", line], capture_output=True, timeout=30)
        check(p.stdout.decode().strip() == want, f"bash completion: {' '.join(words)}", (p.stdout, p.stderr))


if not shutil.which("go"):
    skip("the fault library with real runs", "no go here")
else:
    fault = test_recorded()
    test_people(fault)
    test_filters()
    test_changes(fault)
    test_refusals()
    test_export()
    test_import()
test_merge()
test_help()
shutil.rmtree(TMP, ignore_errors=True)
done()
