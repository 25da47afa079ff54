#!/usr/bin/env python3
"""`tocsin check activation`: traps where the zoo does not fit: whole trees of others, several targets, the environment, bad input.

The zoo (tests/zoo/cases/activation.zoo) has each trap beside what go says. What is fetched stays in ~/.cache/tocsin-tests/traps.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
sys.dont_write_bytecode = True
import goproxy as gp  # noqa: E402
from tap import FULL, TOCSIN, check, done  # noqa: E402

TMP = os.path.realpath(tempfile.mkdtemp(prefix="tocsin-traps-"))
KEPT = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "tocsin-tests", "traps")
GOES = gp.goes()
GO = GOES[0]

# What is true of these trees, each looked at by hand: (rule, severity, file).
MODULES = {
    "go.uber.org/zap@v1.27.0": set(),
    "golang.org/x/sys@v0.41.0": set(),
    "github.com/cilium/ebpf@v0.10.0": set(),
    # the directive is needed and was mistyped
    "github.com/klauspost/compress@v1.18.4": {("directive.space", "warning", "internal/cpuinfo/cpuinfo_amd64.go")},
    # sqlite_json was taken out of the source and stays in the pipeline
    "github.com/mattn/go-sqlite3@v1.14.16": {("tag.unread", "warning", ".github/workflows/go.yaml")},
}
MORE = {
    "google.golang.org/grpc@v1.53.0": set(),
    # a test that never runs
    "github.com/influxdata/telegraf@v1.31.0": {("test.name", "warning", "plugins/outputs/graylog/graylog_test_linux.go")},
    # version.GitDescribe does not exist
    "github.com/hashicorp/consul@v1.15.0": {("x.unknown", "error", ".github/workflows/build.yml")},
    "github.com/bytedance/sonic@v1.15.0": {("expr.never", "warning", "internal/encoder/x86/debug_go116.go")},
}
# Of Go's own tree: packages that need a tag of their own, embeds that are about hidden files, tests that are started by hand.
OWN = {"embed.hidden": "embed/internal/embedtest/", "test.tag": "", "package.vanishes": ""}


def environment(**more):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("TOCSIN", "GO", "CGO")) and k not in ("CC", "CXX") or k == "GOCACHE"}
    env.update(GOTOOLCHAIN="local", GOENV="off", GOFLAGS="", GOWORK="off", GOMODCACHE=KEPT, GOPATH=TMP + "/gopath", GOOS="linux", GOARCH="amd64",
               PATH=os.path.dirname(GO) + os.pathsep + env["PATH"])
    env.update(more)
    return env


def run(argv, cwd, env, limit=120):
    return subprocess.run(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=limit, errors="replace")


def find(cwd, *flags, **env):
    """The findings as (rule, severity, file, line), the answer, and the status."""
    r = run([TOCSIN, "check", "activation", "--json", *flags], cwd, environment(**env))
    try:
        said = json.loads(r.stdout)
    except ValueError:
        return set(), {}, r
    found = set()
    for f in said["findings"]:
        rule = re.search(r"\[([a-z._]+)\]$", f["message"] or "")
        found.add((rule[1] if rule else f["cause"], f["severity"], f["file"], f["line"]))
    return found, said, r


def lay_out(name, files):
    root = os.path.join(TMP, name)
    for path, text in files.items():
        path = os.path.join(root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
    return root


def fetch(module):
    """The folder of a module's source."""
    r = run([GO, "mod", "download", "-json", module], TMP, environment(GOFLAGS="-modcacherw", GOPROXY=os.environ.get("GOPROXY") or "https://proxy.golang.org,direct", GO111MODULE="on"), 300)
    return json.loads(r.stdout).get("Dir") if r.stdout else None


def loud(found):
    return {f for f in found if f[1] != "note"}


def real_modules():
    for module, want in {**MODULES, **(MORE if FULL else {})}.items():
        folder = fetch(module)
        check(folder, f"{module} is fetched")
        if not folder:
            continue
        found, _, r = find(folder, GOFLAGS="-mod=mod")
        got = {f[:3] for f in loud(found)}
        # Without the dependencies a tag that is not read here may be read there: then it is a note.
        want = want - {w for w in want if w[0] == "tag.unread" and w not in got}
        check(got == want and r.returncode == any(w[1] == "error" for w in want), f"{module}: what is wrong there, and nothing else", f"{sorted(got ^ want)} {r.stderr}")


def own_trees():
    for go in GOES if FULL else GOES[:1]:
        root = run([go, "env", "GOROOT"], TMP, environment()).stdout.strip() + "/src"
        found, _, r = find(root, PATH=os.path.dirname(go) + os.pathsep + os.environ["PATH"])
        wrong = [f for f in loud(found) if f[1] == "error" or f[0] not in OWN or not f[2].startswith(OWN[f[0]])]
        check(not wrong and len(loud(found)) < 30 and r.returncode == 0, f"{root}: no false alarm", f"{wrong} {r.stderr}")


def targets():
    root = lay_out("targets", {"go.mod": "module ex.test/m\n\ngo 1.21\n", "a.go": "package m\n", "b.go": "package m\n\nimport \"C\"\n", "w/w_windows.go": "//go:build windows\n\npackage w\n"})
    found, said, _ = find(root, "--matrix", "linux/amd64,windows/arm64,plan9/386")
    cgo = [f for f in said["findings"] if "cgo.off" in f["message"]]
    check(len(cgo) == 1 and "another target" in cgo[0]["message"] and cgo[0]["file"] == "b.go", "of several targets one finding is made", said.get("findings"))
    check(("package.vanishes", "note", "w", None) in found or ("package.vanishes", "note", "w", 0) in found, "a folder is named by its path", found)
    found, _, _ = find(TMP, "targets", CGO_ENABLED="0")
    check(("cgo.off", "warning", "targets/b.go", 3) in found, "files are named from where it was started", found)


def flags():
    root = lay_out("flags", {"go.mod": "module ex.test/m\n\ngo 1.21\n", "a.go": "package main\n\nvar Version string\n\nfunc main() { println(Version) }\n",
                             "b.go": "//go:build sqlite\n\npackage main\n"})
    found, said, r = find(root, GOFLAGS="-tags=sqllite '-ldflags=-X main.version=1'")
    check({f[0] for f in loud(found)} >= {"tag.unread", "x.unknown"} and r.returncode == 1, "GOFLAGS: -tags and -ldflags", said)
    check(any("did you mean sqlite" in f["message"] for f in said["findings"]) and any("did you mean Version" in f["message"] for f in said["findings"]), "the nearest real names", said)
    found, _, r = find(root, "--tags", "sqlite", "--ldflags", "-s -w -X 'main.Version=a b'")
    check(not loud(found) and r.returncode == 0, "nothing is said of flags that do something", found)
    found, _, r = find(root, "--no-traps", GOFLAGS="-tags=sqllite")
    check(not found, "--no-traps", found)


def words():
    root = lay_out("words", {"go.mod": "module ex.test/m\n\ngo 1.21\n", "a.go": "// go:build windows\n\npackage m\n", "x-linux.go": "package m\n", "_y.go": "package m\n"})
    for lang, wanted in (("en", ["a.go:1:1: act.directive: “// go:build windows” is a plain comment", "→ Write //go:build windows", "x-linux.go: act.trap:", "1 errors, 1 warnings"]),
                         ("zh", ["只是普通注释", "→ 请写成 //go:build windows", "1 个错误"])):
        out = run([TOCSIN, "--lang", lang, "check", "activation"], root, environment()).stdout
        check(all(w in out for w in wanted) and "_y.go is not" not in out, f"the text ({lang}); notes are counted, not shown", out)
    out = run([TOCSIN, "--lang", "en", "check", "activation", "--notes"], root, environment()).stdout
    check("_y.go is not looked at by go at all" in out, "--notes", out)
    check(run([TOCSIN, "check", "activation", "--strict"], lay_out("strict", {"go.mod": "module ex.test/m\n", "x-linux.go": "package m\n"}), environment()).returncode == 1, "warnings count under --strict")


def bad_input():
    root = lay_out("bad", {"go.mod": "module ex.test/m\n\ngo 1.21\n", "a.go": "package m\n\nimport \"embed\"\n\n//go:embed loop\nvar x embed.FS\n\nfunc f( {\n", "loop/x": "x",
                           "Makefile": "A = $(B)\nB = $(A)\nx:\n\tgo build -ldflags \"-X $(A).x=1 -X $($($(\" -tags $(A) \\\n", "b.go": "//go:build " + "(" * 400 + "linux" + ")" * 400 + "\n\npackage m\n",
                           "c.go": "//go:build " + " || ".join(f"(t{i} && !t{i + 1})" for i in range(40)) + "\n\npackage m\n", "d_test_linux.go": "package m\n\nimport \"testing\"\n\nfunc TestX(t *testing.T",
                           "build.sh": "-X -X= -X '' -X .= -X a. -X .b= -X a.b -tags -tags= -tags \"\n" + "x" * 100000 + "\n"})
    os.symlink("..", os.path.join(root, "loop", "up"))
    os.symlink("self", os.path.join(root, "self"))
    os.mkfifo(os.path.join(root, "pipe.sh"))
    os.mkfifo(os.path.join(root, "loop", "pipe"))
    with open(os.path.join(root, "bytes.go"), "wb") as f:
        f.write(b"package m\n\n// go:embed \xff\xfe\n\x00var x string\n//go:\xf0\x28\n/*")
    _, said, r = find(root)
    check(r.returncode in (0, 1) and said.get("schema") == "tocsin.check/1", "loops, pipes, broken source and broken lines are borne", f"{r.returncode} {r.stderr}")


def main():
    os.makedirs(KEPT, exist_ok=True)
    try:
        for part in (targets, flags, words, bad_input, own_trees, real_modules):
            part()
    finally:
        shutil.rmtree(TMP, ignore_errors=True)
    done()


main()
