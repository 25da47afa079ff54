#!/usr/bin/env python3
# suite: takes 70
"""`tocsin check` in use: what is looked at, comments that allow, settings, baselines, changes, fixes, formats, the cache, hostile input.

The rules themselves are tested by rules.py; here a few of them stand for all."""
import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, "..", "helpers"))
sys.path.insert(0, os.path.join(ROOT, "tools"))
import sarif  # noqa: E402
import trees  # noqa: E402
from tap import TOCSIN, check, done  # noqa: E402

TMP = tempfile.mkdtemp(prefix="tocsin-check-")
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("TOCSIN_", "NO_COLOR")) and k != "GITHUB_ACTIONS"}
ENV.update(LC_ALL="C.UTF-8", XDG_CACHE_HOME=os.path.join(TMP, "cache"), XDG_CONFIG_HOME=os.path.join(TMP, "config"), HOME=TMP, GIT_CONFIG_NOSYSTEM="1",
           GIT_AUTHOR_NAME="t", GIT_AUTHOR_EMAIL="t@example.com", GIT_COMMITTER_NAME="t", GIT_COMMITTER_EMAIL="t@example.com")
BAD = "package main\n\nfunc main() {\n\tdefer recover()\n}\n"
GOOD = "package main\n\nfunc main() {\n\tprintln()\n}\n"


def tree(name, files):
    """A folder of its own with these files; bytes or text."""
    return trees.put(os.path.join(TMP, name), files)


def tocsin(top, *args, stdin=None, env=None, limit=60):
    run = subprocess.run([TOCSIN, "check", *args], cwd=top, input=stdin, capture_output=True, timeout=limit, env={**ENV, **(env or {})}, check=False)
    return run.returncode, run.stdout.decode("utf-8", "replace"), run.stderr.decode("utf-8", "replace")


def answer(top, *args, **more):
    code, out, err = tocsin(top, "--json", *args, **more)
    try:
        return json.loads(out), code, err
    except ValueError:
        return {"findings": [], "limits": [], "checked": {}}, code, out + err


def places(got):
    return sorted(f"{f['file']}:{f['line']} {f['rule']}" for f in got["findings"])


def git(top, *words):
    subprocess.run(["git", "-c", "init.defaultBranch=main", *words], cwd=top, env=ENV, check=True, capture_output=True, timeout=30)


# ---- what is looked at ----

def test_files():
    top = tree("files", {"main.go": BAD, "vendor/v/v.go": BAD, "testdata/t.go": BAD, "node_modules/n.go": BAD, ".hidden/h.go": BAD, "sub/s.go": BAD.replace("main", "sub", 1),
                         "README.md": "defer recover()\n", "go.mod": "module m\n\ngo 1.21\n"})
    got, code, err = answer(top, "--only", "R01")
    check(code == 1 and places(got) == ["main.go:4 R01", "sub/s.go:4 R01"], "all but vendor, testdata, node_modules and hidden folders", (got, err))
    check(got["checked"]["files"] == 3 and got["findings"][0]["cause"] == "check.R01", "the cause names the rule", got)
    got, code, err = answer(top, "--only", "R01", "vendor", "testdata/t.go")
    check(code == 1 and places(got) == ["testdata/t.go:4 R01", "vendor/v/v.go:4 R01"], "but what is named", (got, err))
    got, code, err = answer(top, "--only", "R01", "./sub/../main.go", os.path.join(top, "main.go"))
    check(places(got) == ["main.go:4 R01"], "one file by two names is one", (got, err))
    got, code, err = answer(TMP, "--only", "R01", "files/sub")
    check(places(got) == ["files/sub/s.go:4 R01"], "names are those of where it runs", (got, err))
    got, code, err = answer(os.path.join(top, "sub"), "--only", "R01", "../vendor")
    check(places(got) == ["../vendor/v/v.go:4 R01"], "also those of a folder that lies elsewhere", (got, err))
    code, out, err = tocsin(top, "nothing.go")
    check(code == 2 and "nothing.go" in err and not out, "a named file that is not there", (code, out, err))
    code, out, err = tocsin(tree("empty", {"a.txt": "x"}))
    check(code == 2 and "nothing was checked" in err, "no file at all is not success", (code, out, err))
    for how in ("github", "sarif", "gitlab", "checkstyle", "rdjson", "json"):
        code, out, err = tocsin(os.path.join(TMP, "empty"), "--format", how)
        check(code == 2 and not out, f"nor in the format {how}", (code, out, err))
    code, out, err = tocsin(top, "--only", "Z77")
    check(code == 2 and "Z77" in err, "an unknown rule", (code, out, err))
    code, out, err = tocsin(top, "--only", "S", "--skip", "S")
    check(code == 2 and "no rule is left" in err, "no rule is left: not a clean tree", (code, err))
    got, code, err = answer(top, "--stdin-filename", "sub/x.go", "--only", "R01", stdin=BAD.encode())
    check(code == 1 and places(got) == ["sub/x.go:4 R01"], "standard input under a name", (got, err))


def test_part():
    """What the rest of a package says counts when one file is named."""
    top = tree("part", {"go.mod": "module m\n\ngo 1.21\n", "a.go": "package m\n\nfunc guard() {\n\tif r := recover(); r != nil {\n\t\tprintln(r)\n\t\tpanic(r)\n\t}\n}\n",
                        "b.go": "package m\n\nfunc F() {\n\tdefer guard()\n}\n"})
    got, _, err = answer(top, "--only", "R", "a.go")
    check(places(got) == [], "a helper that another file defers", (got, err))


# ---- comments ----

def test_comments():
    text = ("package main\n\nfunc main() {\n\tdefer recover() //tocsin:allow R01 ends anyway\n\t// tocsin:allow R01: a worker\n\tdefer recover()\n"
            "\tdefer recover() //tocsin:allow R01\n\tprintln() //tocsin:allow R01 nothing here\n\tdefer recover() //nolint:tocsin // why\n"
            "\tdefer recover() //nolint:errcheck\n\tdefer recover() //nolint\n\tdefer recover() //nolint:all\n}\n\n//nolint:gosec,tocsin\nfunc f() {\n\tdefer recover()\n}\n\n"
            "var s = \"http://tocsin:allow R01 x\"\n")
    top = tree("comments", {"main.go": text, "all.go": "//nolint:tocsin\npackage main\n\nfunc g() {\n\tdefer recover()\n}\n"})
    got, code, err = answer(top, "--only", "R01,C")
    check(code == 1 and places(got) == ["main.go:10 R01", "main.go:7 C01", "main.go:7 R01", "main.go:8 C02"], "allowed with a reason, and nolint as golangci-lint does", (places(got), err))
    check(got["allowed"] == 7, "what was let pass is counted", got["allowed"])
    got, code, err = answer(top, "--only", "C02")
    check(places(got) == [], "what is off is not said to be in vain", places(got))
    top = tree("comments2", {"go.mod": "module m\n", "t.sh": "#!/bin/bash\nset -e\n# tocsin:allow S01 flaky upstream\ngo test ./... || true\ngo vet ./... || true # tocsin:allow s01 known\n"
                                                         "# tocsin:allow S01 a long one\ngo test \\\n  ./... \\\n  || true\ngo build ./... || true\n"})
    got, code, err = answer(top, "--only", "S01,C")
    check(places(got) == ["t.sh:10 S01"], "in scripts, also above a command of several lines", (places(got), err))
    top = tree("comments3", {"go.mod": "module m // tocsin:allow replace.outside why\n", "x.go": "package m\n\n//tocsin:allow act.trap why\nfunc f() {}\n"})
    got, code, err = answer(top, "--only", "C")
    check(code == 0 and not got["findings"], "words of other checks are theirs", got)


MODULE = {"go.mod": "module m\n\ngo 1.20\n"}
WORKFLOW = "on: push\njobs:\n  t:\n    runs-on: ubuntu-latest\n    steps:\n"
STAGE = "pipeline {\n  agent any\n  stages { stage('t') { steps {\n%s  } } }\n}\n"
# (what, the file, its text, the rule that the comment lets pass): each way to write a comment.
ALLOWED = [
    ("// behind", "a.go", "package a\n\nfunc f() {\n\tdefer recover() // tocsin:allow R01 why\n}\n", "R01"),
    ("/* */ behind", "a.go", "package a\n\nfunc f() {\n\tdefer recover() /* tocsin:allow R01 why */\n}\n", "R01"),
    ("/* */ above", "a.go", "package a\n\nfunc f() {\n\t/* tocsin:allow R01 why */\n\tdefer recover()\n}\n", "R01"),
    ("a block comment of several lines", "a.go", "package a\n\nfunc f() {\n\t/*\n\t * tocsin:allow R01 why\n\t */\n\tdefer recover()\n}\n", "R01"),
    ("CRLF", "a.go", "package a\r\n\r\nfunc f() {\r\n\tdefer recover() // tocsin:allow R01 why\r\n}\r\n", "R01"),
    ("# above a pipe of several lines", "a.sh", "#!/bin/bash\nset -e\n# tocsin:allow S02 why\nfoo |\n  go test ./... |\n  tee l\n", "S02"),
    ("# behind run:", ".github/workflows/a.yml", WORKFLOW + "      - run: go test ./... | tee l # tocsin:allow S02 why\n", "S02"),
    ("# in a block of YAML", ".github/workflows/a.yml", WORKFLOW + "      - run: |\n          # tocsin:allow S02 why\n          go test ./... | tee l\n", "S02"),
    ("# above a step", ".github/workflows/a.yml", WORKFLOW + "      # tocsin:allow S02,A01 why\n      - name: t\n        run: |\n          true\n\n          go test ./... | tee l\n", "S02"),
    ("# behind a key", ".github/workflows/a.yml", WORKFLOW + "      - run: go test ./...\n        continue-on-error: true # tocsin:allow A01 why\n", "A01"),
    ("# above an item of a Taskfile", "Taskfile.yml", "version: '3'\ntasks:\n  t:\n    cmds:\n      # tocsin:allow M06 why\n      - cmd: go test ./...\n        ignore_error: true\n", "M06"),
    ("# behind a recipe", "Makefile", "t:\n\t-go test ./... # tocsin:allow M01 why\n.PHONY: t\n", "M01"),
    ("# above a recipe", "Makefile", "t:\n# tocsin:allow M01 why\n\t-go test ./...\n.PHONY: t\n", "M01"),
    ("@# above a recipe", "Makefile", "t:\n\t@# tocsin:allow M01 why\n\t-go test ./...\n.PHONY: t\n", "M01"),
    ("# above RUN", "Dockerfile", "FROM golang\n# tocsin:allow D01 why\nRUN true && \\\n    go test ./... | tee l\n", "D01"),
    ("# within RUN", "Dockerfile", "FROM golang\nRUN true && \\\n# tocsin:allow D01 why\n    go test ./... | tee l\n", "D01"),
    ("// in Groovy", "Jenkinsfile", STAGE % "    // tocsin:allow J02 why\n    sh(script: 'go test ./...', returnStatus: true)\n", "J02"),
    ("/* */ in Groovy", "Jenkinsfile", STAGE % "    sh(script: 'go test ./...', returnStatus: true) /* tocsin:allow J02 why */\n", "J02"),
    ("# in a script of a Jenkinsfile", "Jenkinsfile", STAGE % "    sh '''#!/bin/bash\n      go test ./... | tee l # tocsin:allow S02 why\n    '''\n", "S02"),
    ("# in a unit", "a.service", "[Service]\n# tocsin:allow D03 why\nExecStart=-/usr/bin/app\n", "D03"),
    ("; in a unit", "a.service", "[Service]\n; tocsin:allow D03 why\nExecStart=-/usr/bin/app\n", "D03"),
    ("# in a crontab", "crontab", "# tocsin:allow D04 why\n0 * * * * /usr/bin/app >/dev/null 2>&1\n", "D04"),
]


def test_comment_kinds():
    for i, (what, path, text, rule) in enumerate(ALLOWED):
        seen = [answer(tree(f"kind-{i}", {**MODULE, "main.go": "package main\n", path: t}), "--only", rule + ",C")[0] for t in (text, text.replace("tocsin:allow", "tocsin-allow"))]
        check([f["rule"] for f in seen[1]["findings"]] == [rule] and not seen[0]["findings"] and seen[0]["allowed"] == 1, f"{path}: {what}", [places(x) for x in seen])
    top = tree("kind-not", {"a.go": "package a\n\nfunc f() {\n\tdefer recover() /* tocsin:allow R01 */\n\tx := 1 /* why */ // tocsin-allow R01 x\n\t_ = x\n}\n"})
    check(places(answer(top, "--only", "R01,C")[0]) == ["a.go:4 C01", "a.go:4 R01"], "the end of a block comment is no reason")
    top = tree("kind-wide", {".github/workflows/a.yml": WORKFLOW + "      # tocsin:allow S02 why\n      - run: go test ./... | tee l\n      - run: go vet ./... | tee l\n"})
    check(places(answer(top, "--only", "S02,C")[0]) == [".github/workflows/a.yml:8 S02"], "the next step is not let pass")


# ---- settings ----

def test_settings():
    top = tree("settings", {"go.mod": "module m\n", "main.go": BAD, "cmd/a/a.go": BAD, "gen/g.go": BAD, "tocsin.yaml":
                            "check:\n  rules: {R: off, R01: warning}\n  exclude: [gen]\n  paths:\n    - path: cmd/*\n      rules: {R01: note}\n"})
    got, code, err = answer(top)
    check(code == 0 and [(f["file"], f["severity"]) for f in got["findings"] if f["rule"] == "R01"] == [("main.go", "warning"), ("cmd/a/a.go", "note")], "severities by path", (got, err))
    check(tocsin(top, "--strict")[0] == 1, "--strict: a warning is enough")
    check(tocsin(top, "--no-config")[0] == 1 and len([f for f in answer(top, "--no-config")[0]["findings"] if f["rule"] == "R01"]) == 3, "--no-config")
    got, code, err = answer(os.path.join(top, "cmd"))
    check([f["severity"] for f in got["findings"] if f["rule"] == "R01"] == ["warning"], "the nearest tocsin.yaml upward", (got, err))
    code, out, err = tocsin(top, "gen/g.go")
    check(code == 0, "what is excluded is not nothing", (code, out, err))
    for text, words in (("check:\n  rules: {R99: off}\n", "R99"), ("check:\n  rules: {R01: loud}\n", "R01"), ("check:\n  rule: {R01: off}\n", "did you mean")):
        own = tree("wrong", {"main.go": BAD, "t.yaml": text})
        code, out, err = tocsin(own, "--config", "t.yaml")
        check(code == 2 and words in err and "t.yaml:2" in err, f"refused: {text!r}", (code, out, err))


# ---- baseline, changes ----

def test_baseline():
    top = tree("baseline", {"go.mod": "module m\n", "main.go": BAD, "b.go": "package main\n\nfunc b() {\n\tdefer recover()\n\tdefer recover()\n}\n"})
    code, out, err = tocsin(top, "--only", "R01", "--baseline", "known", "--baseline-write")
    check(code == 0 and "3 known" in out, "made: nothing is new", (code, out, err))
    check(tocsin(top, "--only", "R01", "--baseline", "known")[0] == 0, "it stays so")
    tree("baseline", {"main.go": BAD.replace("func main", "// moved\n\n\nfunc main"), "b.go": "package main\n\nfunc b() {\n\tdefer recover()\n\tdefer recover()\n\tdefer recover()\n}\n"})
    got, code, err = answer(top, "--only", "R01", "--baseline", "known")
    check(code == 1 and len(got["findings"]) == 1 and got["baseline"] == {"known": 3, "stale": 0}, "N entries absorb N findings, wherever they moved", (got, err))
    tree("baseline", {"main.go": GOOD, "b.go": "package main\n"})
    got, code, err = answer(top, "--baseline", "known")
    check(code == 0 and got["baseline"] == {"known": 0, "stale": 3} and sum("stale" in t for t in got["limits"]) == 2, "what is not found any more is listed", (got, err))
    code, out, err = tocsin(top, "--baseline", "nowhere")
    check(code == 2 and "nowhere" in err, "a baseline that is not there", (code, out, err))
    code, out, err = tocsin(top, "--baseline", "main.go")
    check(code == 2 and "no baseline" in err, "what is none", (code, out, err))
    with open(os.path.join(top, "known"), "a", encoding="utf-8") as f:
        f.write("R01 zz 1 main.go\n")
    code, out, err = tocsin(top, "--baseline", "known")
    check(code == 2 and "known:" in err, "a broken line is named", (code, out, err))


def test_baseline_moved():
    top = tree("moved", {"go.mod": "module m\n", "a.go": BAD, "50%\n.go": BAD})
    tocsin(top, "--only", "R01", "--baseline", "known", "--baseline-write")
    os.makedirs(os.path.join(top, "sub"))
    os.rename(os.path.join(top, "a.go"), os.path.join(top, "sub", "b.go"))
    os.rename(os.path.join(top, "50%\n.go"), os.path.join(top, "c.go"))
    got, code, err = answer(top, "--only", "R01", "--baseline", "known")
    check(code == 0 and got["baseline"] == {"known": 2, "stale": 0}, "files that were moved take their entries along", (got, err))
    tree("moved", {"d.go": BAD})
    got, code, err = answer(top, "--only", "R01", "--baseline", "known")
    check(code == 1 and len(got["findings"]) == 1 and got["baseline"]["known"] == 2, "one more is new", (got, err))
    tree("moved", {"a.go": "package main\n"})
    got, code, err = answer(top, "--baseline", "known")
    check(len([f for f in got["findings"] if f["rule"] == "R01"]) == 2, "an entry of a file that is there holds for that file alone", places(got))
    os.unlink(os.path.join(top, "d.go"))
    for name in ("c.go", "sub/b.go"):
        os.unlink(os.path.join(top, name))
    out = tocsin(top, "--baseline", "known")[1]
    check("(1 time)" in out and "(1 times)" not in out, "stale entries are counted in words", out)


def test_new():
    top = tree("new", {"go.mod": "module m\n", "old.go": BAD, "dir with \"odd\" name/ä.go": BAD, "sub/go.go": GOOD})
    git(top, "init", "-q")
    git(top, "add", "-A")
    git(top, "commit", "-qm", "one")
    git(top, "checkout", "-qb", "work")
    check(tocsin(top, "--only", "R01", "--new-from", "main")[0] == 0, "nothing has changed")
    tree("new", {"dir with \"odd\" name/ä.go": BAD.replace("recover()\n", "recover() // changed\n"), "sub/go.go": BAD, "untracked.go": BAD, "old.go": BAD + "\nfunc more() {}\n"})
    git(top, "commit", "-qam", "two")
    got, code, err = answer(top, "--only", "R01", "--new-from", "main")
    check(code == 1 and places(got) == ["dir with \"odd\" name/ä.go:4 R01", "sub/go.go:4 R01", "untracked.go:4 R01"], "lines that changed, files that came", (places(got), err))
    got, code, err = answer(os.path.join(top, "sub"), "--only", "R01", "--new-from", "main")
    check(places(got) == ["go.go:4 R01"], "from a folder below", (places(got), err))
    for rev in ("nowhere", "--output=x", ""):
        code, out, err = tocsin(top, f"--new-from={rev}")
        check(code == 2 and err and not os.path.exists(os.path.join(top, "x")), f"a revision that is none: {rev!r}", (code, out, err))
    code, out, err = tocsin(tree("nogit", {"main.go": BAD}), "--new-from", "main", env={"GIT_CEILING_DIRECTORIES": TMP})
    check(code == 2 and "git" in err, "no repository", (code, out, err))
    code, out, err = tocsin(os.path.join(top, "sub"), "--only", "R01", "--format", "github")
    check("file=sub/go.go," in out, "annotations name files from the top of the repository", out)


def test_new_odd():
    """Moved files, settings of git's, no commit, little history, repositories within."""
    filler = "".join(f"\nfunc f{i}() int {{ return {i} }}\n" for i in range(20))
    top = tree("odd", {"go.mod": "module m\n", "old.go": BAD + filler})
    git(top, "init", "-q")
    got, code, err = answer(top, "--only", "R01", "--new-from", "HEAD")
    check(code == 1 and places(got) == ["old.go:4 R01"], "before the first commit all is new", (places(got), err))
    code, out, err = tocsin(top, "--new-from", "main")
    check(code == 2 and "no commit yet" in err, "or it is said", (code, out, err))
    git(top, "add", "-A")
    git(top, "commit", "-qm", "one")
    git(top, "checkout", "-qb", "work")
    for key, value in (("diff.external", "false"), ("diff.noprefix", "true"), ("diff.mnemonicPrefix", "true"), ("diff.renames", "false"), ("diff.interHunkContext", "1000"),
                       ("diff.relative", "true"), ("color.ui", "always"), ("status.showUntrackedFiles", "no")):
        git(top, "config", key, value)
    git(top, "mv", "old.go", "moved.go")
    check(tocsin(top, "--only", "R01", "--new-from", "main")[0] == 0, "a file that was moved is not new")
    tree("odd", {"moved.go": BAD + filler + "\nfunc more() {\n\tdefer recover()\n}\n", "untracked.go": BAD, "ignored.go": BAD, ".gitignore": "ignored.go\n"})
    got, code, err = answer(top, "--only", "R01", "--new-from", "main")
    check(places(got) == ["moved.go:48 R01", "untracked.go:4 R01"], "but its new lines are, whatever git is set to", (places(got), err))
    git(top, "add", "-A")
    git(top, "commit", "-qm", "two")
    shallow = os.path.join(TMP, "odd-shallow")
    git(TMP, "clone", "-q", "--depth", "1", "file://" + top, shallow)
    git(shallow, "fetch", "-q", "--depth", "1", "origin", "main:refs/remotes/origin/main")
    for rev in ("origin/main", "nowhere"):
        code, out, err = tocsin(shallow, "--new-from", rev)
        check(code == 2 and rev in err and "fetch-depth: 0" in err and "?" not in err, f"too little history: {rev}", (code, out, err))
    inner = tree("odd-inner", {"go.mod": "module inner\n", "i.go": BAD})
    git(inner, "init", "-q")
    git(inner, "add", "-A")
    git(inner, "commit", "-qm", "one")
    git(top, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "file://" + inner, "third/inner")
    got, code, err = answer(top, "--only", "R01", "--new-from", "main")
    check("third/inner/i.go:4 R01" not in places(got) and [t for t in got["limits"] if t.startswith("third/inner: ")], "a submodule is named, for nothing is known of it", (got, err))
    got, code, err = answer(os.path.join(top, "third", "inner"), "--only", "R01", "--new-from", "HEAD")
    check(code == 0 and not got["findings"], "within it there is its own history", (got, err))
    other = os.path.join(TMP, "odd-worktree")
    git(top, "worktree", "add", "-q", other, "main")
    tree("odd-worktree", {"w.go": BAD})
    check(places(answer(other, "--only", "R01", "--new-from", "main")[0]) == ["w.go:4 R01"], "in another working tree of it")


# ---- fixes ----

def unpack(text, top):
    parts = re.split(r"(?m)^-- (\S+) --\n", text)
    return tree(top, dict(zip(parts[1::2], parts[2::2])))


def snapshot(top, depth=99):
    found = {}
    for folder, below, names in os.walk(top):
        if os.path.relpath(folder, top).count(os.sep) + 2 > depth:
            below.clear()
        for name in names:
            with open(os.path.join(folder, name), "rb") as f:
                found[os.path.relpath(os.path.join(folder, name), top)] = f.read()
    return found


def test_fixes():
    rules = [r for r in json.loads(tocsin(TMP, "rules", "--json")[1])["rules"] if r["fix"]]
    check(len(rules) > 0, "some rules can mend")
    for r in rules:
        how = "--fix" if r["fix"] == "safe" else "--fix=all"
        top, other = unpack(r["bad"], f"fix-{r['id']}"), unpack(r["bad"], f"diff-{r['id']}")
        before = snapshot(top)
        found = [f for f in answer(top, "--only", r["id"])[0]["findings"] if f.get("fix")]
        check(found and all(e["line"] > 0 for f in found for e in f["fix"]["edits"]), f"{r['id']}: its finding has the edits", found)
        code, out, err = tocsin(other, "--only", r["id"], how, "--diff")
        check(snapshot(other) == before and out.startswith("--- a/"), f"{r['id']}: --diff shows and writes nothing", (code, out, err))
        code, _, err = tocsin(top, "--only", r["id"], how)
        after = snapshot(top)
        left = [f for f in answer(top, "--only", r["id"])[0]["findings"] if f.get("fix")]
        check(after != before and not left, f"{r['id']}: {how} mends", (err, left, after))
        patched = subprocess.run(["patch", "-p1", "-s"], cwd=other, input=out.encode(), capture_output=True, timeout=30, check=False)
        check(patched.returncode == 0 and set(snapshot(other)) == set(after), f"{r['id']}: the diff is a patch", patched.stdout + patched.stderr)
    safe = [r for r in rules if r["fix"] == "all"]
    for r in safe[:1]:
        top = unpack(r["bad"], f"unsafe-{r['id']}")
        before = snapshot(top)
        tocsin(top, "--only", r["id"], "--fix")
        check(snapshot(top) == before, f"{r['id']}: --fix alone makes only safe edits")


def variants(text):
    """(name, the files as bytes): as they are, with CRLF, without the last newline."""
    parts = re.split(r"(?m)^-- (\S+) --\n", text)
    files = {n: t.encode() for n, t in zip(parts[1::2], parts[2::2])}
    yield "as it is", files
    yield "CRLF", {n: t.replace(b"\n", b"\r\n") for n, t in files.items()}
    yield "no last newline", {n: t.rstrip(b"\n") for n, t in files.items()}


def wrong_text(name, text, how):
    if how == "CRLF" and re.search(rb"[^\r]\n", text):
        return "a bare newline"
    if how == "no last newline" and text.endswith(b"\n"):
        return "a newline came at the end"
    if not name.endswith(".sh"):
        return ""
    shells = ("bash",) if b"bash" in text[:30] else ("bash", "dash")
    for shell in shells:
        run = subprocess.run([shell, "-n"], input=text.replace(b"\r\n", b"\n"), capture_output=True, timeout=30, check=False)
        if run.returncode:
            return f"{shell} -n: {run.stderr}"
    return ""


def test_fixed_files():
    for r in [r for r in json.loads(tocsin(TMP, "rules", "--json")[1])["rules"] if r["fix"]]:
        wrong = []
        for how, files in variants(r["bad"]):
            top = tree(f"mended-{r['id']}-{how}", files)
            before = {(f["file"], f["rule"]) for f in answer(top)[0]["findings"]}
            tocsin(top, "--only", r["id"], "--fix=all")
            once = snapshot(top)
            tocsin(top, "--only", r["id"], "--fix=all")
            more = {(f["file"], f["rule"]) for f in answer(top)[0]["findings"]} - before
            if once == snapshot(tree(f"mended-{r['id']}-{how}-not", files)) or once != snapshot(top) or more:
                wrong.append((how, more, once))
            wrong += [(how, n, wrong_text(n, t, how)) for n, t in once.items() if t != files.get(n) and wrong_text(n, t, how)]
        check(not wrong, f"{r['id']}: what is mended keeps its line ends, is a script still, has no new finding, and stays", wrong)


def test_odd_files():
    script = "#!/bin/bash\nset -e\ngo test ./... | tee log\n"
    top = tree("links", {"go.mod": "module m\n", "real.sh": script, "ro.sh": script, "last.sh": script})
    os.chmod(os.path.join(top, "real.sh"), 0o751)
    os.symlink("real.sh", os.path.join(top, "link.sh"))
    code, out, err = tocsin(top, "--only", "S02", "--fix", "link.sh")
    check(code == 0 and os.path.islink(os.path.join(top, "link.sh")) and b"pipefail" in snapshot(top)["real.sh"] and os.stat(os.path.join(top, "real.sh")).st_mode & 0o777 == 0o751,
          "a link stays one, and the mode of its file too", (code, out, err))
    check("mended 1 finding in 1 file\n" in err, "one is one", err)
    if not os.geteuid(): # only root can leave a file to another owner
        os.chown(os.path.join(top, "last.sh"), 1234, 1235)
        before = os.stat(os.path.join(top, "last.sh"))
        tocsin(top, "--only", "S02", "--fix", "last.sh")
        after = os.stat(os.path.join(top, "last.sh"))
        check((after.st_uid, after.st_gid, after.st_mode) == (1234, 1235, before.st_mode) and b"pipefail" in snapshot(top)["last.sh"], "root leaves a file to its owner", after)
        with open(os.path.join(top, "last.sh"), "w", encoding="utf-8") as f:
            f.write(script)
    # A file that may not be written, by a user who is not root.
    own = os.path.join(TMP, "tocsin-copy")
    shutil.copy(TOCSIN, own)
    os.chmod(TMP, 0o755)
    os.chmod(top, 0o777)
    os.chmod(os.path.join(top, "ro.sh"), 0o444)
    os.chmod(os.path.join(top, "last.sh"), 0o666)
    run = subprocess.run([own, "check", "--only", "S02", "--fix", "--no-cache", "--no-config"], cwd=top, env=ENV, capture_output=True, text=True, timeout=60, check=False,
                         preexec_fn=(lambda: (os.setgid(65534), os.setuid(65534))) if not os.geteuid() else None)
    check(run.returncode == 1 and run.stderr.count("ro.sh") == 1 and "not mended" in run.stderr and b"pipefail" not in snapshot(top)["ro.sh"], "a file that may not be written is named and stays", (run.stdout, run.stderr))
    check(b"pipefail" in snapshot(top)["last.sh"] and "ro.sh:3:1" in run.stdout, "the others are mended, and what is left is told", (run.stdout, run.stderr))


def test_stdin():
    script = b"#!/bin/bash\nset -e\n\ngo test ./... | tee log\n"
    top = tree("stdin", {"go.mod": "module m\n", "there.sh": "#!/bin/bash\n", "tocsin.yaml": "check:\n  paths:\n    - path: gen/*\n      rules: {S02: note}\n"})
    for name in ("there.sh", "new.sh"):
        code, out, err = tocsin(top, "--only", "S02", "--stdin-filename", name, "--diff", stdin=script)
        check(code == 1 and out.startswith(f"--- a/{name}\n") and "+set -e -o pipefail" in out and not err, f"--diff of standard input: {name}", (code, out, err))
    check(snapshot(top)["there.sh"] == b"#!/bin/bash\n", "the file of that name is left alone")
    code, out, err = tocsin(top, "--stdin-filename", "there.sh", "--fix", stdin=script)
    check(code == 2 and "not written" in err, "--fix has nothing to write", (code, out, err))
    got, code, err = answer(top, "--only", "S02", "--stdin-filename", "gen/x.sh", stdin=script)
    check(code == 0 and [f["severity"] for f in got["findings"]] == ["note"], "settings go by its name", (got, err))
    code, out, err = tocsin(top, "--stdin-filename", "x.txt", stdin=b"x")
    check(code == 2 and "nothing was checked" in err, "a name that is none of ours", (code, out, err))


# ---- formats ----

def test_formats():
    odd = "a b%é.go"
    top = tree("formats", {"go.mod": "module m\n", odd: BAD, "x.go": "package main\n\nfunc f() {\n\tx := \"中\U0001F600\"; defer recover()\n\t_ = x\n\tdefer recover()\n\tdefer recover()\n}\n"})
    rule = ("--only", "R01")
    codes = {how: tocsin(top, *rule, "--format", how)[0] for how in ("text", "json", "sarif", "github", "gitlab", "checkstyle", "rdjson", "rdjsonl")}
    check(set(codes.values()) == {1}, "the exit status does not depend on the format", codes)
    tocsin(top, *rule, "--format", "sarif", "--output", "o.sarif", "--sarif", "s.sarif")
    with open(os.path.join(top, "o.sarif"), encoding="utf-8") as f, open(os.path.join(top, "s.sarif"), encoding="utf-8") as g:
        log = json.load(f)
        check(log == json.load(g), "--format sarif and --sarif write the same")
    run = log["runs"][0]
    check(not sarif.faults(log, library=False) and run["columnKind"] == "utf16CodeUnits", "SARIF 2.1.0", sarif.faults(log, library=False))
    uris = {r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in run["results"]}
    check(uris == {"a%20b%25%C3%A9.go", "x.go"}, "URIs", uris)
    regions = sorted((r["locations"][0]["physicalLocation"]["region"] for r in run["results"] if r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "x.go"), key=lambda r: r["startLine"])
    check(regions[0] == {"startLine": 4, "startColumn": 14, "endLine": 4, "endColumn": 29}, "columns in UTF-16 code units, the end behind", regions)
    hashes = [r["partialFingerprints"]["primaryLocationLineHash"] for r in run["results"] if r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "x.go"]
    check(len(set(hashes)) == 3, "equal lines are told apart", hashes)
    bent = {r["id"]: r for r in run["tool"]["driver"]["rules"]}
    check(bent["check.R01"]["defaultConfiguration"]["level"] == "error" and bent["check.R01"]["help"]["text"], "rules say what to do", bent)

    out = tocsin(top, *rule, "--format", "github")[1]
    rows = [re.fullmatch(r"::(error|warning|notice) file=([^,:]*),line=(\d+),endLine=(\d+),col=(\d+),endColumn=(\d+),title=R01::(.+)", t) for t in out.splitlines()]
    check(all(rows) and rows[0][2] == "a b%25é.go", "GitHub: workflow commands", out)
    out = tocsin(top, *rule, "--format", "gitlab")[1]
    items = json.loads(out)
    check(all(set(i) == {"description", "check_name", "fingerprint", "severity", "location"} and i["severity"] in ("info", "minor", "major", "critical", "blocker") and
              i["location"]["lines"]["begin"] >= 1 and not i["location"]["path"].startswith("./") for i in items), "GitLab: Code Quality", out)
    check(len({i["fingerprint"] for i in items}) == len(items) == 4, "GitLab: equal findings have numbered fingerprints", out)
    out = tocsin(top, *rule, "--format", "checkstyle")[1]
    style = ET.fromstring(out.encode())
    errors = style.findall("file/error")
    check(style.tag == "checkstyle" and style.get("version") == "5.0" and len(style.findall("file")) == 2 and len(errors) == 4 and
          all(set(e.keys()) == {"line", "column", "severity", "message", "source"} and e.get("severity") in ("error", "warning", "info", "ignore") for e in errors), "checkstyle", out)
    rd = json.loads(tocsin(top, *rule, "--format", "rdjson")[1])
    lines = [json.loads(t) for t in tocsin(top, *rule, "--format", "rdjsonl")[1].splitlines()]
    first = [d for d in rd["diagnostics"] if d["location"]["path"] == "x.go"][0]
    check(rd["source"]["name"] == "tocsin" and lines == rd["diagnostics"] and first["location"]["range"] == {"start": {"line": 4, "column": 18}, "end": {"line": 4, "column": 33}} and
          first["severity"] == "ERROR" and first["code"]["value"] == "R01", "rdjson and rdjsonl: columns in bytes", rd)
    got = answer(top, *rule)[0]["findings"]
    check(all(f["fingerprint"] and f["end_line"] == f["line"] for f in got), "JSON: ends and fingerprints", got)


def test_github_limits():
    many = "package main\n\nfunc f() {\n" + "\tdefer recover()\n" * 40 + "}\n"
    text = many + "".join("\n//tocsin:allow R91 x\nvar v%d int\n" % i for i in range(30))
    top = tree("many", {"go.mod": "module m\n", "main.go": text})
    out = tocsin(top, "--only", "R01,C02", "--format", "github")[1]
    kinds = [t.split(" ")[0] for t in out.splitlines() if t.startswith("::")]
    check(kinds == ["::error"] * 10 + ["::warning"] * 10 and "50 more" in out, "GitHub: ten of a kind, the worst first, and how many are left", out)


def test_text():
    long = "package main\n\nfunc f() {\n\tvar _ = []string{" + "\"xxxxxxxxxx\", " * 60 + "}; defer recover()\n}\n"
    wide = "package main\n\nfunc f() {\n\tx := \"中文\"; defer recover()\n\t_ = x\n\tdefer recover()\n}\n"
    top = tree("text", {"go.mod": "module m\n", "a.go": wide, "b.go": long})
    out = tocsin(top, "--only", "R01")[1]
    rows = out.splitlines()
    check(rows[0].startswith("a.go:4:17: error [R01] "), "the place, the severity, the rule", rows[0])
    check(rows[1] == "            x := \"中文\"; defer recover()" and rows[2] == " " * 25 + "^" + "~" * 14, "the line and the mark below it, by cells", rows[1:3])
    at = next(i for i, t in enumerate(rows) if t.startswith("b.go"))
    check(rows[at + 1].lstrip().startswith("…") and "defer recover()" in rows[at + 1] and len(rows[at + 1]) < 140 and
          rows[at + 1].index("defer recover()") == rows[at + 2].index("^"), "a long line is cut around the place", rows[at:at + 3])
    check(out.count("→") == 1 and re.search(r"3 errors, 0 warnings, 0 notes in \d files", out) and "R01 3" in out, "advice once, and the sum", out)
    zh = tocsin(top, "--only", "R01", "--lang", "zh")[1]
    check("错误 [R01]" in zh and "3 个错误" in zh, "in Chinese", zh)
    check("\033" not in out, "no colour where there is no terminal", out)
    secret = "ghp_" + "A1b2C3d4E5f6G7h8I9j0" + "K1l2M3n4O5p6q7R8"
    top = tree("secret", {"go.mod": "module m\n", "a.go": "package main\n\nvar token = \"" + secret + "\"\n\nfunc f() { g(\"" + secret + "\"); defer recover() }\n"})
    told = "".join(tocsin(top, "--format", how)[1] for how in ("text", "json", "sarif", "github", "gitlab", "checkstyle", "rdjson"))
    check(secret not in told and "R01" in told, "a secret of the line is not told", told)


def on_terminal(top, *args, env=None):
    pid, fd = pty.fork()
    if not pid:
        os.chdir(top)
        os.execve(TOCSIN, [TOCSIN, "check", *args], {**ENV, "TERM": "xterm", **(env or {})})
    text = b""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if select.select([fd], [], [], 1)[0]:
            try:
                more = os.read(fd, 65536)
            except OSError:
                break
            if not more:
                break
            text += more
    os.close(fd)
    os.waitpid(pid, 0)
    return text.decode("utf-8", "replace")


def test_terminal():
    top = os.path.join(TMP, "text")
    check("\033[" in on_terminal(top, "--only", "R01"), "colours on a terminal")
    check("\033[" not in on_terminal(top, "--only", "R01", env={"NO_COLOR": "1"}), "not with NO_COLOR")


# ---- rules ----

def test_rules():
    code, out, err = tocsin(TMP, "rules")
    ids = [t.split()[0] for t in out.splitlines()]
    check(code == 0 and "R01" in ids and ids == sorted(ids), "the list", (out, err))
    code, out, err = tocsin(TMP, "rules", "r01")
    check(code == 0 and all(w in out for w in ("Why", "Bad", "Good", "experiment")), "one of them", (out, err))
    code, out, err = tocsin(TMP, "rules", "Q01")
    check(code == 2 and "Q01" in err, "none of that name", (out, err))
    every = json.loads(tocsin(TMP, "rules", "--json")[1])
    check(every["schema"] == "tocsin.rules/1" and [r["id"] for r in every["rules"]] == ids, "as JSON")
    made = os.path.join(TMP, "rules-md")
    tocsin(TMP, "rules", "--markdown", made)
    kept = os.path.join(ROOT, "docs", "rules")
    wrong = [n for n in sorted(set(os.listdir(made)) | set(os.listdir(kept) if os.path.isdir(kept) else ()))
             if snapshot(made).get(n) != (snapshot(kept) if os.path.isdir(kept) else {}).get(n)]
    check(not wrong, "docs/rules is as the rows are: `tocsin check rules --markdown docs/rules` makes it", wrong)


# ---- the cache ----

def test_cache():
    files = {f"p{i}/f.go": BAD.replace("main", f"p{i}", 1) + "\nfunc f() {}\n" * 200 for i in range(200)}
    top = tree("cached", {"go.mod": "module m\n\ngo 1.21\n", **files})
    where = os.path.join(TMP, "own-cache")
    first = answer(top, "--cache", where)[0]
    again = answer(top, "--cache", where)[0]
    check(first["cached"] == 0 and again["cached"] == 201 and first["findings"] == again["findings"], "the second run finds the same without parsing", (first["cached"], again["cached"]))
    tree("cached", {"p7/f.go": GOOD})
    got = answer(top, "--cache", where)[0]
    check(got["cached"] == 200 and len([f for f in got["findings"] if f["rule"] == "R01"]) == 199, "what has changed is looked at", got["cached"])
    got = answer(top, "--cache", where, "p7/f.go", "p8/f.go")[0]
    got = answer(top, "--cache", where)[0]
    check(got["cached"] == 201, "a part that was looked at alone does not drop the rest", got["cached"])
    check(answer(top, "--cache", where, "--skip", "R01")[0]["cached"] == 0, "other rules, another answer")
    tree("cached", {"go.mod": "module m\n\ngo 1.20\n"})
    check(answer(top, "--cache", where)[0]["cached"] == 0, "another go, another answer")
    for name in os.listdir(where):
        path = os.path.join(where, name)
        size = os.path.getsize(path)
        with open(path, "r+b") as f:
            f.seek(size // 2)
            f.write(b"\xff" * 16)
    got = answer(top, "--cache", where)[0]
    check(got["cached"] == 0 and len([f for f in got["findings"] if f["rule"] == "R01"]) == 199, "a broken cache is none", got["cached"])
    for name in os.listdir(where):
        os.truncate(os.path.join(where, name), 40)
    check(answer(top, "--cache", where)[0]["cached"] == 0, "nor one that was cut")
    check(answer(top, "--cache", where)[0]["cached"] == 201, "and it is made anew")
    shutil.rmtree(where)
    answer(top, "--no-cache", "--cache", where)
    check(not os.path.exists(where), "--no-cache keeps nothing")
    with open(where, "w", encoding="utf-8") as f:
        f.write("in the way")
    got, code, err = answer(top, "--cache", where)
    check(code == 1 and got["cached"] == 0, "a cache that cannot be kept is no error", (code, err))


# ---- hostile input ----

def test_hostile():
    top = tree("hostile", {"go.mod": "module m\n", "bin.go": b"\x7fELF\0\0\0" * 100, "latin.go": b"package main\n\n// \xff\xfe\xe4\nfunc f() {\n\tdefer recover()\n}\n",
                           "deep.go": "package main\n\nvar x = " + "(" * 10000 + "1" + ")" * 10000 + "\n", "fine.go": BAD,
                           "deep.yml": "a: " + "[" * 10000 + "\n", ".github/workflows/x.yml": "on: push\na: &a [x,x,x,x,x,x,x,x,x]\n" +
                           "".join(f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)},*{chr(97 + i)},*{chr(97 + i)},*{chr(97 + i)},*{chr(97 + i)},*{chr(97 + i)},*{chr(97 + i)},*{chr(97 + i)}]\n" for i in range(12))})
    with open(os.path.join(top, "big.go"), "wb") as f:
        f.truncate(100 << 20)
    with open(os.path.join(top, "big.sh"), "wb") as f:
        f.write(b"#!/bin/sh\n")
        f.truncate(100 << 20)
    os.symlink("..", os.path.join(top, "loop"))
    os.symlink(".", os.path.join(top, "self"))
    os.symlink("nowhere", os.path.join(top, "gone.go"))
    os.mkfifo(os.path.join(top, "pipe.go"))
    os.makedirs(os.path.join(top, "closed"))
    began = time.monotonic()
    got, code, err = answer(top, "--only", "R01")
    check(code == 1 and places(got) == ["fine.go:4 R01", "latin.go:5 R01"], "the rest is looked at", (places(got), err))
    limits = "\n".join(got["limits"])
    check(all(w in limits for w in ("bin.go", "big.go", "big.sh")), "what was not is named", limits)
    check(time.monotonic() - began < 30, "in good time", time.monotonic() - began)
    check("gone.go" not in limits and "pipe.go" not in limits, "links and pipes are passed over", limits)
    code, out, err = tocsin(top, "--only", "R01", "pipe.go")
    check(code == 2 and "pipe.go" in out + err, "a pipe that was named is not waited for", (code, out, err))
    if os.geteuid():
        os.chmod(os.path.join(top, "closed"), 0)
        limits = "\n".join(answer(top, "--only", "R01")[0]["limits"])
        check("closed" in limits, "a folder that cannot be read is named", limits)
        os.chmod(os.path.join(top, "closed"), 0o755)
    many = "/".join(["d"] * 300)
    deep = tree("deep", {"a.go": BAD})
    os.makedirs(os.path.join(deep, many))
    limits = "\n".join(answer(deep, "--only", "R01")[0]["limits"])
    check("d/d/d" in limits, "folders nested too deep are named", limits[:300])


def test_moving():
    """Files that come, go and change while they are read."""
    top = tree("moving", {"go.mod": "module m\n", **{f"f{i}.go": BAD for i in range(300)}})
    shaker = subprocess.Popen([sys.executable, "-c", "import os, time\nend = time.time() + 4\ni = 0\nwhile time.time() < end:\n    i = (i + 1) % 300\n    n = f'f{i}.go'\n"
                               "    os.rename(n, 'x.tmp') if i % 3 else open(n, 'w').write('package main\\n' * (i * 50))\n    os.path.exists('x.tmp') and os.rename('x.tmp', n)\n"], cwd=top)
    codes = set()
    while shaker.poll() is None:
        got, code, err = answer(top, "--only", "R01", "--no-cache")
        codes.add(code)
        if code not in (0, 1):
            break
    shaker.wait()
    check(codes <= {0, 1}, "files that move are no error", (codes, err))


# ---- the library, other uses ----

def test_outer():
    top = tree("outer", {"go.mod": "module m\n", "main.go": BAD})
    report = os.path.join(TMP, "outer.json")
    run = subprocess.run([TOCSIN, "run", "--report", report, "--store", os.path.join(TMP, "outer.db"), "--", TOCSIN, "check", "--only", "R01"], cwd=top, env=ENV, capture_output=True, text=True, timeout=60, check=False)
    with open(report, encoding="utf-8") as f:
        told = json.load(f)
    check(run.returncode == 1 and told["verdict"]["outcome"] == "failed" and "check.R01" in [f["cause"] for f in told["findings"]], "`tocsin run -- tocsin check` hears what was found", (run.stderr, told))
    listed = subprocess.run([TOCSIN, "fault", "list", "--json", "--store", os.path.join(TMP, "outer.db")], cwd=top, env=ENV, capture_output=True, text=True, timeout=60, check=False)
    faults = json.loads(listed.stdout)["faults"]
    check("check.R01" in [f["cause"] for f in faults], "and the library has it", faults)


def test_hook():
    with open(os.path.join(ROOT, ".pre-commit-hooks.yaml"), encoding="utf-8") as f:
        text = f.read()
    entry = re.search(r"(?m)^\s+entry: (.+)$", text)
    check(entry and entry[1].split()[:2] == ["tocsin", "check"] and re.search(r"(?m)^- id: tocsin-check$", text), "the pre-commit hook", text)
    top = tree("hook", {"go.mod": "module m\n", "main.go": BAD})
    code, out, err = tocsin(top, *entry[1].split()[2:], "main.go", "go.mod")
    check(code == 1 and "main.go:4" in out, "it takes names of files", (out, err))
    tree("hook", {"deploy.yaml": "kind: Pod\n", "README.md": "x\n"})
    code, out, err = tocsin(top, *entry[1].split()[2:], "deploy.yaml", "README.md")
    check(code == 0 and not err, "files that are none of ours are no failure", (out, err))
    check(tocsin(top, "deploy.yaml")[0] == 2 and tocsin(top, "--allow-empty", "nowhere.go")[0] == 2, "without the flag they are, and a file that is not there always")


def test_pre_commit():
    """The hook in the program that it is for."""
    hooks = tree("hooks", {".pre-commit-hooks.yaml": snapshot(ROOT, 1)[".pre-commit-hooks.yaml"]})
    git(hooks, "init", "-q")
    git(hooks, "add", "-A")
    git(hooks, "commit", "-qm", "hooks")
    rev = subprocess.run(["git", "rev-parse", "HEAD"], cwd=hooks, env=ENV, capture_output=True, text=True, check=True).stdout.strip()
    programs = os.path.join(TMP, "programs")
    os.makedirs(programs, exist_ok=True)
    os.symlink(TOCSIN, os.path.join(programs, "tocsin"))
    env = {**ENV, "PATH": programs + ":" + ENV["PATH"], "PRE_COMMIT_HOME": os.path.join(TMP, "pre-commit")}
    top = tree("committed", {"go.mod": "module m\n", "main.go": GOOD, "a name.sh": "#!/bin/bash\nset -e\n", "vendor/v/v.go": BAD, ".pre-commit-config.yaml":
                             f"repos:\n  - repo: file://{hooks}\n    rev: {rev}\n    hooks: [{{id: tocsin-check}}]\n"})
    git(top, "init", "-q")
    git(top, "add", "-A")

    def commit():
        git(top, "add", "-A")
        return subprocess.run(["pre-commit", "run"], cwd=top, env=env, capture_output=True, text=True, timeout=120, check=False)

    run = commit()
    check(run.returncode == 0 and "Passed" in run.stdout, "pre-commit: nothing found, and vendor is left out", run.stdout + run.stderr)
    git(top, "commit", "-qm", "one")
    tree("committed", {"README.md": "defer recover()\n", "deploy.yaml": "kind: Pod\n"})
    run = commit()
    check(run.returncode == 0, "pre-commit: a change of other files passes", run.stdout + run.stderr)
    tree("committed", {"main.go": BAD, "a name.sh": "#!/bin/bash\nset -e\ngo test ./... | tee log\n", "tool": "#!/bin/bash\nset -e\ngo vet ./... | tee log\n"})
    run = commit()
    check(run.returncode == 1 and all(w in run.stdout for w in ("main.go:4:2", "a name.sh:3:1", "tool:3:1")) and "vendor/v" not in run.stdout, "pre-commit: what is found stops the commit", run.stdout + run.stderr)


try:
    for part in (test_files, test_part, test_comments, test_comment_kinds, test_settings, test_baseline, test_baseline_moved, test_new, test_new_odd, test_fixes, test_fixed_files,
                 test_odd_files, test_stdin, test_formats, test_github_limits, test_text, test_terminal, test_rules,
                 test_cache, test_hostile, test_moving, test_outer, test_hook, test_pre_commit):
        if len(sys.argv) < 2 or part.__name__[5:] in sys.argv[1:]:
            part()
finally:
    shutil.rmtree(TMP, ignore_errors=True)
done()
