"""What we read in go.mod, go.work and GOPROXY against what the real go reads there: made files, changed ones, those of the module cache."""
# suite: release-only
# suite: takes 20
import glob
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import FULL, TOCSIN, check, done  # noqa: E402

UNIT = os.path.join(os.path.dirname(TOCSIN), "tests", "unit")
TMP = tempfile.mkdtemp(prefix="tocsin-modparse-")
ENV = {k: v for k, v in os.environ.items() if not k.startswith("GO")}
ENV.update(GOTOOLCHAIN="local", GOFLAGS="", LANG="C", GOCACHE=os.environ["GOCACHE"], GOPATH=TMP + "/gopath", GOENV="off", TOCSIN_LANG="en")
FAULT_VERSION = 4

MAIN = [
    "module a.b/c\n", 'module "a.b/c"\n', "module `a.b/c`\n", "module 'a.b/c'\n", "module a.b/c", "module a.b/c\r\n\r\ngo 1.18\r\n",
    "\ufeffmodule a.b/c\n", "module (\n\ta.b/c\n)\n", "module a.b c\n", "module\n", "", "\n\n", "// only a comment", "go 1.18\n",
    "module a.b/c // Deprecated: no\n", "// Deprecated: use d\nmodule a.b/c\n", "// Deprecated: use d\n\nmodule a.b/c\n",
    "// text\n//\n// Deprecated:   use d\n// or e\n//\n// more\nmodule a.b/c\n", "// text\n// Deprecated: no\nmodule a.b/c\n",
    "// Deprecated: block\nmodule (\n\ta.b/c\n)\n", "// Deprecated: block\nmodule (\n\n\ta.b/c // own\n)\n", "module a.b\nmodule c.d\n",
    "go 1.18\ngo 1.19\n", "go 1\n", "go 01.2\n", "go 1.02\n", "go v1.18\n", "go 1.18.x\n", 'go "1.18"\n', "go 1.18 // x\n", "go (\n1.18\n)\n",
    "require a.b v1.0.0\n", "require a.b v1\n", "require a.b v1.2+x\n", "require a.b v1.2.3+x\n", "require a.b v2.0.0+incompatible\n", "require a.b v2.0.0\n",
    "require a.b/v2 v2.0.0\n", "require a.b/v2 v1.0.0\n", "require a.b/v1 v1.0.0\n", "require gopkg.in/x.v1 v0.0.0-20161208181325-20d25e280405\n",
    "require gopkg.in/x v1.0.0\n", "require a.b main\n", "require a.b\n", "require a.b v1.0.0 x\n", 'require "a.b" "v1.0.0"\n', 'require "a\\x2eb" v1.0.0\n',
    'require "a\\u002eb\\U0001F600\\101\\n" v1.0.0\n', 'require "a\\q" v1.0.0\n', 'require "a\\400" v1.0.0\n', 'require "a\\ud800" v1.0.0\n', 'require "\\\'" v1.0.0\n',
    'require "a b" v1.0.0\n', 'require "a"b v1.0.0\n', 'require a"b" v1.0.0\n', 'require "a\nb" v1.0.0\n', 'require "a\\\nb" v1.0.0\n',
    "require a.b v1.0.0 // indirect\n", "require a.b v1.0.0 //indirect\n", "require a.b v1.0.0 // indirect; x\n", "require a.b v1.0.0 // indirect x\n",
    "require a.b v1.0.0 // x indirect\n", "require a.b v1.0.0//indirect\n", "// indirect\nrequire a.b v1.0.0\n", "require a.b v1.0.0 // // indirect\n",
    "require (\n\ta.b v1.0.0\n\n\t// x\n\tc.d v1.0.0 // indirect\n)\n", "require ( )\n", "require ()\n", "require ( // x\n\ta.b v1.0.0 ) // y\n)\n", "require (\n",
    "require (\n\ta.b v1.0.0\n) x\n", "require (\n\ta.b v1.0.0\n) // x\n", "require a.b (\n\tv1.0.0\n)\n", "require ( a.b v1.0.0 )\n", "(\n)\n", ")\n", "( )\n", "require (\n)\n)\n",
    "require a.b v1.0.0 /* x */\n", "/* x */\n", "require a.b/* v1.0.0\n", "require a.b//x v1.0.0\n", "module https://a.b\n", "a\n", "requires a.b v1.0.0\n", "block (\n)\n",
    "replace a.b => ./x\n", "replace a.b v1.0.0 => ../x\n", "replace a.b => /x\n", "replace a.b => C:\\x\n", "replace a.b => c:/x\n", "replace a.b => ./x v1.0.0\n",
    "replace a.b => c.d\n", "replace a.b => c.d v1.0.0\n", "replace a.b v1 => c.d v1.1\n", "replace a.b => c.d@v1.0.0\n", "replace a.b v2.0.0 => c.d v1.0.0\n",
    "replace a.b => c.d/v2 v1.0.0\n", "replace a.b/v1 => ./x\n", "replace a.b ./x\n", "replace a.b => \n", "replace a.b v1.0.0 v1.0.1 => ./x\n", 'replace "a.b" => "./x y"\n',
    "replace (\n\ta.b => ./x\n\tc.d v1.0.0 => e.f v1.0.0\n)\n", "replace a.b => => ./x\n", "replace => => ./x\n", "replace a.b => .\\x\n", "replace a.b => \\x\n", "replace a.b => .x\n",
    "exclude a.b v1.0.0\n", "exclude a.b v1\n", "exclude (\n\ta.b v1.0.0\n\ta.b v1.1.0\n)\n", "exclude a.b v2.0.0\n",
    "module a.b\nretract v1.0.0\n", "module a.b\n// why\nretract [v1.0.0, v1.1.0] // because\n", "module a.b\nretract (\n\tv1.0.0 // x\n\n\t// y\n\n\t// z\n\t[v1.1.0,v1.2.0]\n)\n",
    "module a.b\n// all\nretract (\n\tv1.0.0\n\tv1.1.0 // own\n\n\tv1.2.0\n)\n", "module a.b\nretract [v1.0.0]\n", "module a.b\nretract [v1.0.0, ]\n", "module a.b\nretract [v1.0.0 v1.1.0]\n",
    "module a.b\nretract\n", "module a.b\nretract v1.0.0 x\n", "module a.b\nretract [v1.0.0, v1.1.0] x\n", 'module a.b\nretract "v1.0.0"\n', "module a.b\nretract (v1.0.0, v1.1.0)\n",
    "module a.b\x00\n", "module \xa0a.b\n", "module a.b \x0b\n", "module é.b\n", "module \u200b\n", "module a\u0378b\n", "module a.b \x7f\n", "module a.b,c\n", "module [a.b]\n", "module {a.b}\n",
    "module a.b\r// x\r\n", "module a.b\rc\n", "<<<<<<< HEAD\nmodule a.b\n=======\nmodule c.d\n>>>>>>> x\n", 'module "a.b\n', "module `a.b\n", "module a.b `\n",
    "module \"a.b\" // x\nrequire (\n\t\"c.d\" v1.0.0 // indirect\n)", "   module   a.b   \n", "module a.b // x // y\n", "require x.y v1.0.0\n\n\n\n// end\n",
]
NEWEST = [  # what only newer go reads
    "go 1.21.0\n", "go 1.21rc1\n", "go 1.21.0rc1\n", "go 1.21.0.1\n", "go 1.21rc\n", "toolchain go1.21.0\n", "toolchain default\n", "toolchain go1\n", "toolchain go12\n", "toolchain 1.21\n", "toolchain local\n",
    "toolchain go1.21.0 x\n", "toolchain go1.21.0\ntoolchain default\n", "toolchain (\ngo1.21\n)\n", "godebug default=go1.21\n", "godebug (\n\ta=b\n\tc=d=e\n\tf=\n)\n", "godebug a\n", "godebug a=b c=d\n",
    "godebug a=b,c\n", 'godebug a="b"\n', "godebug a='b'\n", "tool a.b/c\n", "tool (\n\ta.b/c\n\td.e\n)\n", "tool a.b c.d\n", "tool\n", 'tool "a.b"\n', "ignore ./x\n", "ignore (\n\tx\n\t./y\n)\n",
    "ignore x y\n", "use ./x\n", "replace a.b => .\n", "replace a.b => ..\n",
]
WORK = [
    "go 1.18\nuse ./a\n", "use (\n\t./a\n\t\"./b c\"\n\t../d // x\n)\n", "use ./a ./b\n", "use\n", "use `./a`\n", "go 1.18\ngo 1.19\n", "replace a.b => ./x\n", "replace a.b v1 => c.d v1.0.0\n",
    "replace (\n\ta.b => ./x\n)\n", "replace a.b => c.d\n", "module a.b\n", "require a.b v1.0.0\n", "require (\n\ta.b v1.0.0\n)\n", "use (\n", "use ()\n", "use a (\n)\n", "// x\n\ngo 1.18 // y\r\nuse . // z", "",
    "go (\n1.18\n)\n", "block (\n)\n", "x\n",
]
WORK_NEWEST = ["toolchain go1.21.0\n", "godebug a=b\n", "godebug (\n\ta=b\n)\n", "toolchain x\n", "go 1.21.3\n", "tool a.b\n"]

LISTS = [
    "https://127.0.0.1:1", "127.0.0.1:1/x", "http://127.0.0.1:1,off", "off", "ftp://127.0.0.1:1", "noproxy", "Direct", "file:///nowhere", "file://", "file:///x?y", "file:///x#y", "file://host/x",
    "file:/nowhere", "FILE:///nowhere", "/nowhere", "https://127.0.0.1:1x", "https://127.0.0.1:", "https://u:p@127.0.0.1:1", "https://u p@127.0.0.1:1", "https://[::1]:1", "https://[::1", "https://127.0.0.1:1/%zz",
    "https://127.0.0.1:1/%20", "https://127%200.1/", "https://127.0.0.1:1/\x01", "1https://x", "://x", "https://127.0.0.1:1?x=%zz", "off,ftp://x", "mailto:x", "https://a{b/", "https://127.0.0.1:1#%zz", ",", " , |", "x/y z",
]


def version_of(go):
    out = subprocess.run([go, "version"], env=ENV, capture_output=True, text=True, timeout=60, cwd=TMP).stdout
    return tuple(int(n) for n in re.search(r"go(\d+)\.(\d+)", out).groups())


def find_go():
    """Newest first; real paths, each once."""
    found = [shutil.which("go"), "/usr/local/go/bin/go", *glob.glob("/usr/lib/go-*/bin/go")]
    real = {os.path.realpath(g) for g in found if g and os.path.exists(g)}
    return sorted(((version_of(g), g) for g in real), reverse=True)


def put(name, data):
    path = os.path.join(TMP, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)
    return path


def ours(kind, paths):
    """What we read in each of these files."""
    read = []
    for i in range(0, len(paths), 200):
        p = subprocess.run([os.path.join(UNIT, "test_modfile"), "--dump", kind, *paths[i:i + 200]], env=ENV, capture_output=True, timeout=60)
        if p.returncode:
            check(False, f"test_modfile --dump {kind}", p.stderr.decode("utf-8", "replace"))
            done()
        read += [json.loads(line) for line in p.stdout.decode("utf-8", "replace").splitlines()]
    return read


def as_go(kind, read):
    """Our answer in the shape of `go mod edit -json`, without what is empty."""
    lines = {}
    for line in read["lines"]:
        lines.setdefault(line["verb"], []).append({k: v for k, v in line.items() if k != "verb"})
    want = {name.capitalize(): lines[name] for name in ("godebug", "require", "exclude", "replace", "retract", "tool", "ignore", "use") if name in lines}
    if read.get("module"):
        want["Module"] = {"Path": read["module"]}
        if read.get("deprecated"):
            want["Module"]["Deprecated"] = read["deprecated"]
    want.update({name.capitalize(): read[name] for name in ("go", "toolchain") if name in read})
    if kind == "work":  # it does not print these
        want.pop("Toolchain", None)
        want.pop("Godebug", None)
    return want


def theirs(go, kind, path):
    p = subprocess.run([go, "work" if kind == "work" else "mod", "edit", "-json", path], env=ENV, capture_output=True, timeout=60, cwd=TMP)
    if p.returncode:
        return None, p.stderr.decode("utf-8", "replace")
    read = json.loads(p.stdout.decode("utf-8", "replace"))
    if read.get("Module") == {"Path": ""} or read.get("Module") == {}:
        del read["Module"]
    for line in read.get("Use") or []:
        line.pop("ModulePath", None)
    return {k.replace("GoDebug", "Godebug"): v for k, v in read.items() if v}, ""


def difference(go, kind, path, read):
    """None when go reads the same, or refuses it at a line where we see a problem too."""
    said, error = theirs(go, kind, path)
    # A retracted version is looked at by other commands only.
    retracts = {n for n, line in enumerate(open(path, "rb").read().split(b"\n"), 1) if b"v" not in line or b"retract" in line}
    problems = [p for p in read["problems"] if not (p["fault"] == FAULT_VERSION and p["line"] in retracts and said is not None)]
    if said is not None:
        if problems:
            return f"go accepts it, we do not: {problems}"
        return None if said == as_go(kind, read) or len(problems) != len(read["problems"]) else f"go reads {said}\nwe read {as_go(kind, read)}"
    if not problems:
        return f"go refuses it, we do not: {error}"
    lines = {int(n) for n in re.findall(r"(?:unterminated block started at [^\n]*?|^[^\n]*?go\.(?:mod|work)):(\d+)(?::\d+)?[:)]", error, re.M)}
    started = re.search(r"started at \S*?:(\d+):", error)
    lines = {int(started.group(1))} if started else lines
    return None if lines and lines <= {p["line"] for p in problems} else f"go sees lines {lines}: {error}\nwe see {problems}"


def compare(name, go, kind, texts, least=None):
    """All of these; with `least` only files that go accepts too (it is older than what they may hold)."""
    suffix = "go.work" if kind == "work" else "go.mod"
    paths = [put(f"{kind}{i}/{suffix}", t if isinstance(t, bytes) else t.encode("utf-8", "surrogateescape")) for i, t in enumerate(texts)]
    bad, seen = [], 0
    for path, read, text in zip(paths, ours(kind, paths), texts):
        if least and theirs(go, kind, path)[0] is None:
            continue
        seen += 1
        d = difference(go, kind, path, read)
        if d:
            bad.append(f"{text!r}\n  {d}")
    check(seen and not bad, f"{name} ({seen} files)", "\n".join(bad))


BASE = """// Deprecated: no
module "example.com/a/v2" // x

go 1.18

require (
\tgithub.com/x/y v1.2.3 // indirect
\t"z.example/w" v0.0.0-20191109021931-daa7c04131f5

\t// of it
\tq.r/s/v3 v3.0.0
)

replace (
\tz.example/w => ../w
\tq.r/s/v3 v3.0.0 => q.r/t/v3 v3.1.0
)
exclude q.r/s/v3 v3.0.1
// why
retract [v2.0.0, v2.1.0]
"""


def changed(n):
    """The base with some of its pieces dropped, doubled or replaced."""
    r = random.Random(5)
    pieces = ["(", ")", "[", "]", ",", "//", "/*", '"', "`", "\\", "\n", "\r\n", " ", "\t", "=>", "v1", "v2.0.0", "a.b", "require", "module", "retract", "\x00", "é", "=", "'"]
    texts = []
    for _ in range(n):
        text = BASE
        for _ in range(r.randint(1, 2)):
            at = r.randrange(len(text))
            text = text[:at] + r.choice(pieces) + text[at + r.choice([0, 0, 1, 3]):]
        texts.append(text)
    return texts


def real_files():
    """go.mod files of a module cache, where there is one."""
    cache = os.environ.get("GOMODCACHE") or os.path.join(os.environ.get("GOPATH") or os.path.expanduser("~/go"), "pkg/mod")
    paths = sorted(glob.glob(cache + "/cache/download/**/*.mod", recursive=True))
    random.Random(5).shuffle(paths)
    texts = []
    for path in paths[:1000 if FULL else 60]:
        with open(path, "rb") as f:
            texts.append(f.read())
    return texts


def proxies(gos):
    out = subprocess.run([os.path.join(UNIT, "test_goproxy"), "--dump", *LISTS], env=ENV, capture_output=True, text=True, timeout=60).stdout.splitlines()
    empty = put("proxy/x", b"")
    for version, go in gos:
        bad = []
        for goproxy, read in zip(LISTS, out):
            p = subprocess.run([go, "mod", "download", "example.com/x@v1.0.0"], cwd=os.path.dirname(empty), capture_output=True, text=True, timeout=60,
                               env={**ENV, "GOPROXY": goproxy, "GONOSUMDB": "*", "NO_PROXY": "*", "GO111MODULE": "on"})
            refused = bool(re.search(r'proxy URL|GOPROXY list|go: parse |: parse "|first path segment', p.stderr))
            if refused != (bool(re.search(r"B(?![|nic]*u)", read)) or not read):
                bad.append(f"{goproxy!r}: we read {read!r}, go says {p.stderr!r}")
        check(not bad and len(out) == len(LISTS), f"GOPROXY lists as go {version[0]}.{version[1]} takes them ({len(LISTS)})", "\n".join(bad))


def main():
    gos = find_go()
    if not check(len(gos) >= 1 and os.path.exists(os.path.join(UNIT, "test_modfile")), "a go, and the unit tests beside the program", f"{gos} {UNIT}"):
        return
    newest = gos[0]
    cache = real_files()
    for version, go in gos:
        name = f"go {version[0]}.{version[1]}"
        compare(f"{name}: made go.mod", go, "main", MAIN)
        compare(f"{name}: made go.work", go, "work", WORK)
        if (version, go) == newest and version >= (1, 25):
            compare(f"{name}: go.mod with newer directives", go, "main", NEWEST)
            compare(f"{name}: go.work with newer directives", go, "work", WORK_NEWEST)
        compare(f"{name}: changed go.mod", go, "main", changed(400 if FULL else 100), least=version < (1, 25))
        compare(f"{name}: go.mod of the module cache and the base", go, "main", [BASE, *cache], least=version < (1, 25))
    proxies(gos)


try:
    main()
finally:
    shutil.rmtree(TMP, ignore_errors=True)
done()
