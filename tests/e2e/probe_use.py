#!/usr/bin/env python3
# suite: limit 240
# suite: takes 25
"""tocsin probe on real programs of an old and a new Go: expectations, the source tree beside it, two builds, plugins, the gate of tocsin run."""
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
sys.dont_write_bytecode = True
import goapp  # noqa: E402
import goproxy as gp  # noqa: E402
from tap import FULL, SLOW, TOCSIN, check, done, side_by_side  # noqa: E402

scratch = tempfile.TemporaryDirectory(prefix="tocsin-probe-use-")
TOP = os.path.realpath(scratch.name)
PROXY = goapp.proxy()
building = threading.Lock() # one go build at a time: two compile no faster here


class Place(goapp.App):
    def tocsin(self, *words, cwd=None, **env):
        got = subprocess.run([TOCSIN, *words], cwd=cwd or self.at, env=dict(self.env, TOCSIN_LANG="en", **env), capture_output=True, text=True, check=False, timeout=60)
        self.status, self.text = got.returncode, got.stdout + got.stderr
        try:
            self.json = json.loads(got.stdout)
        except ValueError:
            self.json = {}
        return self

    def said(self):
        """What is worth showing of a failure."""
        return json.dumps([self.json.get(k) for k in ("findings", "expectations", "against", "changes")])[:3000] if self.json else self.text[-3000:]

    def probe(self, *words, **env):
        return self.tocsin("probe", "--json", *words, **env)

    def found(self):
        return [(f["cause"], f["severity"], f["rule"]) for f in self.json.get("findings", [{"cause": None, "severity": None, "rule": self.text}])]

    def bad(self):
        return [f for f in self.found() if f[1] != "note"]


def expectations(a, b, plain, special):
    """(word, binary, cause of the finding; None: it holds)."""
    head = a.sh("git", "rev-parse", "HEAD").strip()
    hello = hashlib.sha256(b"hello\n").hexdigest()
    n = a.version[2:]
    mismatch, absent = "act.mismatch", "act.not_linked"
    return [
        ("go:" + a.version, plain, None), ("go:" + n, plain, None), ("go:>=1.18", plain, None), ("go:<1.18", plain, mismatch), ("go:1.2", plain, mismatch),
        ("path:example.test/app", plain, None), ("path:example.test/*", plain, None), ("path:example.test/other", plain, mismatch),
        ("revision:" + head, plain, None), ("revision:" + head[:12], plain, None), ("revision:0123456789ab", plain, mismatch),
        ("clean", plain, None), ("clean", b, mismatch),
        ("tags:extra", special, None), ("tags:extra,more", special, mismatch), ("tags:", plain, None), ("tags:", special, mismatch),
        ("setting:-trimpath=true", special, None), ("setting:-trimpath=true", plain, mismatch), ("setting:GOOS=linux", plain, None), ("setting:-race=absent", plain, None),
        ("setting:-ldflags=-s -w", special, mismatch),
        ("module:example.test/lib@v1.0.0", plain, None), ("module:example.test/lib@>=v0.9.0", plain, None), ("module:example.test/lib@>v1.0.0", plain, mismatch),
        ("module:example.test/lib@!=v1.0.0", plain, mismatch), ("module:example.test/none@v1.0.0", plain, absent), ("module:example.test/none@absent", plain, None),
        ("module:example.test/lib@absent", plain, mismatch),
        ("func:main.big", plain, None), ("func:main.big", special, None), ("func:main.tiny", special, None), ("func:main.unused", special, absent), ("func:main.b*", plain, None),
        ("func:example.test/app/util.*", plain, None), ("func:example.test/app/util.extra", special, None), ("func:example.test/app/util.extra", plain, absent),
        ("package:example.test/lib", special, None), ("package:example.test/app/lonely", plain, absent), ("package:example.test/*", plain, None),
        ("embed:static/a.txt", plain, None), ("embed:static/a.txt=" + hello, special, None), ("embed:static/a.txt=" + "0" * 64, plain, mismatch), ("embed:static/b.txt", plain, absent),
        ("no-replace", plain, None), ("build-id:nothing", plain, mismatch),
    ]


def test_expect(a, plain, special, dirty):
    for word, binary, cause in expectations(a, dirty, plain, special):
        a.probe("--expect", word, binary)
        causes = {f[0] for f in a.bad()}
        fine = causes == ({cause} if cause else set()) and a.status == (1 if cause else 0)
        check(fine and a.json["expectations"][0]["holds"] == (cause is None), f"{a.version} --expect {word} of {os.path.basename(binary)}: {cause or 'holds'}", a.said())
    a.probe("--expect", "func:main.big", "--expect", "func:main.tiny", "--expect", "func:main.unused", special)
    states = [x["state"] for x in a.json["expectations"]]
    check(states == ["holds", "inlined", "not_found"], f"{a.version} three states of a function", a.said())
    check("does not prove" in a.text, f"{a.version} not found: it is said that this proves nothing", a.said())
    a.probe("--expect", "no-devel", plain)
    check(a.status == (1 if a.json["module"]["version"] == "(devel)" else 0), f"{a.version} no-devel as the module's version is", a.said())


def test_file(a, plain):
    a.put("out/e.yaml", "go: '>=1.18'\nfunctions:\n  - main.big\n  - main.nothing\nmodules:\n  example.test/lib: v9.9.9\nwarn:\n  packages: [example.test/other]\n  no_devel: true\n")
    a.probe("--expect", "out/e.yaml", plain)
    places = {(f["rule"], f["file"], f["line"], f["severity"]) for f in a.json["findings"]}
    want = {("probe.func", "out/e.yaml", 4, "error"), ("probe.module", "out/e.yaml", 6, "error"), ("probe.package", "out/e.yaml", 8, "warning")}
    check(want <= places and a.status == 1, f"{a.version} a file: errors with their lines, warnings apart", a.said())
    a.put("out/w.yaml", "warn:\n  packages: [example.test/other]\n")
    check(a.probe("--expect", "out/w.yaml", plain).status == 0 and a.probe("--strict", "--expect", "out/w.yaml", plain).status == 1, f"{a.version} warnings alone fail under --strict only", a.said())
    for text, why in (("functoins: [x]\n", "did you mean 'functions'"), ("functions: {a: b}\n", "list"), ("revision: xyz\n", "hexadecimal"), ("clean: perhaps\n", "true"), ("# nothing\n", "expects nothing"),
                      ("embeds: {a: 12}\n", "64"), ("modules: [x]\n", "mapping")):
        a.put("out/bad.yaml", text)
        a.tocsin("probe", "--expect", "out/bad.yaml", plain)
        check(a.status == 2 and why in a.text, f"{a.version} refused: {text.strip()}", a.said())
    for words in (["--expect", "func"], ["--expect", "revision:12"], ["--diff", plain], ["--all", plain], ["--serve", ":0", plain], []):
        check(a.tocsin("probe", *words).status == 2, f"{a.version} wrong usage: probe {' '.join(words[:2])}", a.said())


def test_against(a, plain, special, dirty):
    a.probe("--against", ".", plain)
    check(a.status == 0 and not a.bad(), f"{a.version} --against: the tree that it is of", a.said())
    check(a.probe("--against", "go.mod", special).status == 0, f"{a.version} --against go.mod, with tags and -trimpath", a.said())
    a.probe("--against", ".", dirty)
    check(("act.mismatch", "error", "against.vcs") in a.found(), f"{a.version} --against: built with uncommitted changes", a.said())

    def one(name, rule, change, words=("--against", "."), binary=plain):
        change()
        a.probe(*words, binary)
        check(a.status == 1 and ("act.mismatch", "error", rule) in a.found(), f"{a.version} --against: {name}", a.said())
        a.sh("git", "checkout", "-q", ".")

    one("another module version", "against.module", lambda: a.require("v1.1.0"))
    one("a replacement", "against.replace", lambda: a.put("go.mod", "module example.test/app\n\ngo 1.19\n\nrequire example.test/lib v1.0.0\n\nreplace example.test/lib => ./lonely\n"))
    one("a Go that is too old", "against.go", lambda: a.put("go.mod", "module example.test/app\n\ngo 1.99\n\nrequire example.test/lib v1.0.0\n"))
    one("a source that went", "against.file", lambda: os.remove(a.at + "/util/util.go"))
    one("a source that is left out now", "against.file", lambda: a.put("util/util.go", "//go:build never\n\n" + goapp.FILES["util/util.go"]))
    one("an embedded file", "against.embed", lambda: a.put("static/a.txt", "other\n"))
    one("another module", "against.path", lambda: a.put("go.mod", "module example.test/other\n\ngo 1.19\n"))
    a.probe("--against", ".", plain, GOFLAGS="-tags=extra")
    check(("act.mismatch", "error", "against.setting") in a.found(), f"{a.version} --against: tags of GOFLAGS", a.said())
    a.put("new.txt", "x\n")
    a.commit("two")
    a.probe("--against", ".", plain)
    why = [d.get("why") or "" for d in a.json["against"] if d["name"] == "vcs.revision"]
    check(a.status == 1 and why and "1 commits behind" in why[0], f"{a.version} --against: how many commits behind", a.said())


def test_diff(a, plain, special):
    a.probe("--diff", plain, special)
    changes = {(c["what"], c["name"]): (c["before"], c["after"]) for c in a.json["changes"]}
    check(changes.get(("setting", "-tags")) == (None, "extra") and changes.get(("function", "example.test/app/util.extra")) == (None, "linked"), f"{a.version} --diff: tags and the function that they bring", a.said())
    check(a.status == 0 and ("build_id", "content") in changes, f"{a.version} --diff: build IDs; it is a question, no check", a.said())
    names = [c["name"] for c in a.json["changes"] if c["what"] == "file"]
    check(names == ["util/extra.go"], f"{a.version} --diff: of the source files only the one that came, wherever they were built", names)
    a.probe("--diff", plain, plain)
    check(a.status == 0 and a.json["changes"] == [], f"{a.version} --diff of one binary: nothing", a.said())


def test_gate(a, plain, special):
    a.put("out/gate.yaml", "binary: plain\nfunctions: [main.big]\n")
    ran = a.at + "/out/ran"
    a.tocsin("run", "--no-store", "--require-active", "out/gate.yaml", "--", "touch", ran)
    check(a.status == 0 and os.path.exists(ran), f"{a.version} run --require-active: it holds, the command runs", a.said())
    os.path.exists(ran) and os.remove(ran)
    a.put("out/gate.yaml", "binary: plain\nfunctions: [main.gone]\n")
    report = a.at + "/out/report.json"
    a.tocsin("run", "--no-store", "--report", report, "--require-active", "out/gate.yaml", "--", "touch", ran)
    with open(report, encoding="utf-8") as f:
        r = json.load(f)
    check(a.status == 1 and not os.path.exists(ran) and r["verdict"]["outcome"] == "not_started" and r["verdict"]["cause"] == "act.not_linked" and r["findings"][0]["line"] == 2,
          f"{a.version} run --require-active: it does not hold, the command is not run", a.said())
    a.put("out/gate.yaml", "functions: [example.test/app/util.extra]\n")
    check(a.tocsin("run", "--no-store", "--require-active", "out/gate.yaml", "--", special).status == 0, f"{a.version} without `binary` it is the command itself", a.said())
    check(a.tocsin("run", "--no-store", "--require-active", "out/gate.yaml", "--", plain).status == 1, f"{a.version} and is refused when it is not as expected", a.said())
    a.put("out/gate.yaml", "binary: nothing\nclean: true\n")
    check(a.tocsin("run", "--no-store", "--require-active", "out/gate.yaml", "--", "true").status == 1, f"{a.version} a binary that is not there refuses too", a.said())
    check(a.tocsin("run", "--no-store", "--require-active", "out/none.yaml", "--", "true").status == 2, f"{a.version} a file that is not there is wrong usage", a.said())


HOST = """package main

import (
	"fmt"
	"os"
	"plugin"

	"example.test/app/util"
)

func main() {
	_, err := plugin.Open(os.Args[1])
	fmt.Println(util.Work(), err)
	if err != nil {
		os.Exit(1)
	}
}
"""


def test_plugins(a):
    a.put("host/main.go", HOST)
    a.put("plug/main.go", 'package main\n\nimport "example.test/app/util"\n\nfunc F() int { return util.Work() }\n')
    with building:
        host = a.build("host", package="./host", CGO_ENABLED="1")
        good = a.build("good.so", "-buildmode=plugin", package="./plug", CGO_ENABLED="1")
        a.put("util/util.go", goapp.FILES["util/util.go"] + "\nfunc More() {}\n")
        bad = a.build("bad.so", "-buildmode=plugin", package="./plug", CGO_ENABLED="1")
        a.sh("git", "checkout", "-q", ".")
    for so in (good, bad):
        loads = subprocess.run([host, so], capture_output=True, text=True, check=False, timeout=60)
        a.probe("--plugin", so, host)
        causes = {f[0] for f in a.bad()}
        check((loads.returncode == 0) == (not causes) and causes <= {"act.plugin"} and a.status == (1 if causes else 0), f"{a.version} --plugin {os.path.basename(so)}: as the host says when it opens it", loads.stdout + a.said())
        check(a.probe("--expect", "plugin:" + so, host).status == a.status and {f[0] for f in a.bad()} == causes, f"{a.version} --expect plugin:{os.path.basename(so)}: the same", a.said())
    check("example.test/app/util" in a.probe("--plugin", bad, host).text, f"{a.version} the package that differs is named", a.said())
    check(a.probe("--plugin", host, host).status == 1, f"{a.version} a program is no plugin", a.said())


def test_screens(a, plain, special):
    for lang, words in (("en", ("main package", "revision", "depends on", "hardening", "build ID")), ("zh", ("主包", "版本", "依赖", "加固", "构建 ID"))):
        a.tocsin("probe", "--lang", lang, plain)
        check(a.status == 0 and all(w in a.text for w in words) and len(a.text.splitlines()) <= 24, f"{a.version} one screen, {lang}", a.said())
        a.tocsin("probe", "--lang", lang, "--packages", "--files", "--init", "--embed", "--modules", "--functions", "^main\\.", special)
        check(all(w in a.text for w in ("example.test/app/util", "util/extra.go", "static/a.txt", "example.test/lib v1.0.0", "main.tiny")), f"{a.version} lists, {lang}", a.said())
    a.tocsin("probe", "--functions", "nosuchname", special)
    check("proves nothing" in a.text, f"{a.version} --functions that finds nothing says what that means", a.said())


def with_go(go):
    a = Place(PROXY, TOP, os.path.basename(os.path.dirname(os.path.dirname(go))) + str(abs(hash(go)) % 1000), go)
    with building:
        plain = a.build("plain")
        special = a.build("special", "-trimpath", "-tags", "extra", "-ldflags", "-s -w")
        a.put("main.go", goapp.MAIN + "\n// changed\n")
        dirty = a.build("dirty")
        a.sh("git", "checkout", "-q", ".")
    test_screens(a, plain, special)
    test_expect(a, plain, special, dirty)
    test_file(a, plain)
    test_diff(a, plain, special)
    test_gate(a, plain, special)
    test_plugins(a)
    a.sh("git", "clean", "-qfd", "host", "plug")
    test_against(a, plain, special, dirty)


GOES = gp.goes()
check(len(GOES) >= 2 or FULL is False, "there are two Go versions", GOES)
with PROXY:
    for each in GOES[:1 if SLOW else 3]:  # on the sanitizer build one go
        with_go(each)
done()
