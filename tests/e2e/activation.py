#!/usr/bin/env python3
# suite: limit 300
# suite: takes 40
"""`tocsin check activation` beside `go list -json`: the same files in the same lists, of Go's own tree, of real modules and of made ones.

A few modules and targets; under TOCSIN_TEST_FULL=1 all of them; on the sanitizer build the newest go, one target of Go's own
tree, and one module: go list, which takes most of the time, says the same to both builds. What is fetched stays in ~/.cache/tocsin-tests/activation.
"""
import concurrent.futures
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
sys.dont_write_bytecode = True
import goproxy as gp  # noqa: E402
from tap import FULL, SLOW, TOCSIN, check, done  # noqa: E402

TMP = os.path.realpath(tempfile.mkdtemp(prefix="tocsin-activation-"))
KEPT = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "tocsin-tests", "activation")
GOES = gp.goes()
FOUND = {}
OLD = True
LISTS = ("GoFiles CgoFiles TestGoFiles XTestGoFiles IgnoredGoFiles IgnoredOtherFiles InvalidGoFiles CFiles CXXFiles MFiles HFiles FFiles SFiles SwigFiles "
         "SwigCXXFiles SysoFiles").split()
EMBEDS = {"EmbedPatterns": ("GoFiles", "CgoFiles"), "TestEmbedPatterns": ("TestGoFiles",), "XTestEmbedPatterns": ("XTestGoFiles",)}
IMPORTS = {"Imports": "imports", "TestImports": "test_imports", "XTestImports": "xtest_imports"}
TARGETS = ["linux/amd64", "windows/arm64", "darwin/arm64", "linux/arm", "freebsd/amd64", "android/arm64", "illumos/amd64", "ios/arm64", "js/wasm", "plan9/386",
           "linux/riscv64", "linux/s390x", "aix/ppc64", "openbsd/arm64", "windows/386", "linux/ppc64le"]
NEW_ONLY = {"wasip1/wasm"}
MODULES = ["golang.org/x/sys@v0.5.0", "github.com/cilium/ebpf@v0.10.0", "github.com/mattn/go-sqlite3@v1.14.16", "golang.org/x/net@v0.7.0", "golang.org/x/tools@v0.6.0",
           "google.golang.org/grpc@v1.53.0", "go.etcd.io/etcd/server/v3@v3.5.7", "github.com/prometheus/prometheus@v0.42.0", "github.com/containerd/containerd@v1.6.18",
           "k8s.io/apimachinery@v0.26.1", "k8s.io/client-go@v0.26.1", "github.com/shirou/gopsutil/v3@v3.23.1", "golang.org/x/crypto@v0.6.0",
           "github.com/hajimehoshi/ebiten/v2@v2.4.16", "gvisor.dev/gvisor@v0.0.0-20221203005347-703fd9b7fbc0", "github.com/docker/docker@v23.0.1+incompatible",
           "github.com/hashicorp/consul@v1.15.0"]


def environment(go, target="linux/amd64", **more):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("TOCSIN", "GO", "CGO")) and k not in ("CC", "CXX") or k == "GOCACHE"}
    goos, goarch = target.split("/")
    env.update(GOTOOLCHAIN="local", GOENV="off", GOFLAGS="", GOWORK="off", GOPATH=TMP, GOMODCACHE=TMP + "/cache", GOPROXY="off", GOOS=goos, GOARCH=goarch,
               PATH=os.path.dirname(go) + os.pathsep + env["PATH"])
    env.update(more)
    return env


def run(argv, cwd, env, limit=300):
    try:
        return subprocess.run(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=limit, errors="replace")
    except subprocess.TimeoutExpired as e:
        return subprocess.CompletedProcess(argv, 124, "", f"no end within {e.timeout} s")


def objects(text):
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        value, at = decoder.raw_decode(text, at)
        yield value


def theirs(folder, env, flags, imports):
    r = run(["go", "list", "-e"] + ([] if imports else ["-find"]) + flags + ["-json", "./..."], folder, env)
    found = {}
    for p in objects(r.stdout):
        one = {k: sorted(p.get(k) or []) for k in LISTS + list(EMBEDS)}
        if imports:
            back = {v: k for k, v in (p.get("ImportMap") or {}).items()}
            one.update({k: sorted(back.get(i, i).removeprefix("vendor/") for i in p.get(k) or []) for k in IMPORTS})
        found[p["ImportPath"]] = (one, (p.get("Error") or {}).get("Err", ""))
    return found, r


def ours(folder, env, flags, imports):
    r = run([TOCSIN, "check", "activation", "--no-traps", "--json"] + flags, folder, env)
    found = {}
    try:
        packages = json.loads(r.stdout)["targets"][0]["packages"]
    except (ValueError, KeyError, IndexError):
        return found, r
    for p in packages:
        if not p["listed"]:
            continue
        one = {k: [] for k in LISTS}
        for f in p["files"]:
            if f["list"]:
                one[f["list"]].append(f["name"])
            if f.get("invalid") and f["list"] != "InvalidGoFiles":
                one["InvalidGoFiles"].append(f["name"])
        where = {f["name"]: f["list"] for f in p["files"]}
        for k, lists in EMBEDS.items():
            one[k] = {e["pattern"] for e in p["embeds"] if where[e["file"]] in lists}
        if imports:
            one.update({k: p.get(v, []) for k, v in IMPORTS.items()})
        found[p["import"]] = ({k: sorted(v) for k, v in one.items()}, p.get("refused", ""))
    return found, r


def differences(a, b):
    out = []
    for p in sorted(set(a) | set(b)):
        if p not in a or p not in b:
            out.append(f"{p}: only {'go' if p in a else 'tocsin'} lists it")
            continue
        for k, v in a[p][0].items():
            w = b[p][0][k]
            if v != w:
                out.append(f"{p} {k}: go alone {[i for i in v if i not in w]}, tocsin alone {[i for i in w if i not in v]}")
    return out


def compare(name, go, folder, target, flags=(), own=(), imports=False, at_least=1, **more):
    env = environment(go, target, **more)
    a, ra = theirs(folder, env, list(flags), imports)
    b, rb = ours(folder, env, list(own), imports)
    wrong = differences(a, b)
    files = sum(len(v) for p, _ in a.values() for k, v in p.items() if k in LISTS)
    return (name, not wrong and files >= at_least, f"{len(wrong)} differences in {files} files\n" + "\n".join(wrong[:10]) + ("" if files >= at_least else ra.stderr[-600:] + rb.stderr[-600:]), a, b)


def settle(jobs, together):
    """Many comparisons, two at a time; one line for all of them."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda j: compare(**j), jobs))
    bad = [f"{r[0]}: {r[2]}" for r in results if not r[1]]
    check(not bad and results, f"{together} ({len(results)} comparisons)", "\n".join(bad[:20]))


def versions():
    """(version, go), the newest last."""
    if not FOUND:
        for go in GOES:
            said = run([go, "env", "GOVERSION"], TMP, environment(go)).stdout.strip()
            FOUND[said[2:]] = go
    return sorted(FOUND.items(), key=lambda v: minor(v[0]))


def minor(version):
    return int(version.split(".")[1])


# ---- Go's own tree ----

def own_tree():
    for version, go in versions()[-1:] if SLOW else versions():
        root = os.path.realpath(run([go, "env", "GOROOT"], TMP, environment(go)).stdout.strip())
        targets = TARGETS + (["wasip1/wasm"] if minor(version) >= 21 else []) if FULL else ["windows/arm64"] if SLOW else ["linux/amd64", "windows/arm64"]
        jobs = [dict(name=t, go=go, folder=root + "/src", target=t, at_least=3000) for t in targets]
        jobs += [dict(name="cmd " + t, go=go, folder=root + "/src/cmd", target=t, at_least=1000) for t in (targets if FULL else targets[:1])]
        jobs += [dict(name="race", go=go, folder=root + "/src", target="linux/amd64", flags=["-race"], own=["--race"], at_least=3000),
                 dict(name="cgo off, tags", go=go, folder=root + "/src", target="linux/amd64", flags=["-tags=netgo,osusergo"], own=["--tags", "netgo,osusergo"], at_least=3000, CGO_ENABLED="0")]
        if FULL:
            jobs.append(dict(name="imports", go=go, folder=root + "/src", target="linux/amd64", imports=True, at_least=3000))
            jobs.append(dict(name="cgo on elsewhere", go=go, folder=root + "/src", target="darwin/arm64", at_least=3000, CGO_ENABLED="1"))
            jobs.append(dict(name="GOFLAGS", go=go, folder=root + "/src", target="linux/arm64", at_least=3000, GOFLAGS="-tags=boringcrypto -race=false"))
            jobs.append(dict(name="GOEXPERIMENT", go=go, folder=root + "/src", target="linux/amd64", at_least=3000, GOEXPERIMENT="fieldtrack,noregabi,staticlockranking"))
            jobs.append(dict(name="GOAMD64", go=go, folder=root + "/src", target="linux/amd64", at_least=3000, GOAMD64="v3"))
        settle(jobs, f"Go's own tree, go{version}: go list's files and packages")


# ---- real modules ----

def fetch(module):
    """A copy of its files with a go.mod of the least that go needs."""
    go = versions()[-1][1]
    os.makedirs(KEPT, exist_ok=True)
    env = environment(go, GOFLAGS="-modcacherw -mod=mod", GOMODCACHE=KEPT, GOPROXY=os.environ.get("GOPROXY", "https://proxy.golang.org,direct"))
    env["GOSUMDB"] = os.environ.get("GOSUMDB", "sum.golang.org")
    r = run([go, "mod", "download", "-json", module], KEPT, env, 600)
    try:
        folder = json.loads(r.stdout)["Dir"]
    except (ValueError, KeyError):
        check(False, f"{module} can be fetched", r.stdout[-500:] + r.stderr[-500:])
        return None
    copy = os.path.join(TMP, "modules", module.replace("/", "_"))
    shutil.copytree(folder, copy, symlinks=True)
    for name in ("go.mod", "go.sum"):
        if os.path.exists(os.path.join(copy, name)):
            os.remove(os.path.join(copy, name))
    shutil.rmtree(copy + "/vendor", ignore_errors=True)  # it would not fit
    with open(copy + "/go.mod", "w", encoding="utf-8") as f:
        f.write(f"module {module.split('@')[0]}\n\ngo 1.17\n")
    return copy


def modules():
    for module in MODULES if FULL else MODULES[:1] if SLOW else MODULES[:3]:
        folder, jobs = fetch(module), []
        for version, go in (versions()[-1:] if SLOW else versions()) if folder else ():
            targets = TARGETS + (["wasip1/wasm"] if minor(version) >= 21 else []) if FULL else ["linux/amd64", "windows/386", "darwin/arm64"]
            jobs += [dict(name=f"go{version} {t}", go=go, folder=folder, target=t, at_least=20) for t in targets]
            jobs.append(dict(name=f"go{version} cgo", go=go, folder=folder, target="darwin/amd64", at_least=20, CGO_ENABLED="1"))
        if jobs:
            settle(jobs, f"{module}: go list's files and packages")


# ---- made files ----

MADE = {
    # name of the package: {file: bytes}; a main file keeps most of them listed
    "names": {n: b"package p\n" for n in (
        "a.go", "windows.go", "linux_amd64.go", "windows_test.go", "robot_arm.go", "client_js.go", "x_windows.pb.go", "x__windows.go", "y_amd64_windows.go", "foo.gen_windows.go",
        "x.windows.go", "x_Windows.go", "x_windows_foo.go", "x_linux_.go", "x-windows.go", "x_unix.go", "x_cgo.go", "foo_test_linux.go", "foo_linux_test.go", "foo_windows_test.go",
        "x_wasip1.go", "x_zos.go", "x_hurd_386.go", "_x.go", ".x.go", "x.GO", "x_arm64_test.go", "test.go", "_test.go", "x_test_test.go", "linux_test.go", "a_darwin_amd64_test.go", "x_loong64.go",
        "x_riscv.go", "a_ios.go", "a_android.go", "a_illumos.go", "a_nacl_amd64p32.go", "a_js_wasm.go", "no_dot_windows")},
    "others": {"a.go": b"package p\n", "x.c": b"int x;\n", "y_windows.c": b"", "z.h": b"//go:build windows\n", "w.hpp": b"", "v.S": b"", "u.sx": b"", "t.s": b"// +build ignore\n\n", "q.syso": b"\0\0", "q_windows.syso": b"",
               "r.f90": b"", "m.m": b"", "d.cxx": b"", "e.swig": b"", "f.swigcxx": b"", "g.txt": b"", "nul.s": b"\0", "slash.s": b"/ x\n", "open.c": b"/* never\n", "bad.s": b"//go:build a b\n", "two.h": b"//go:build a\n//go:build b\n"},
    "cgo": {"a.go": b"package p\n", "b.go": b'package p\n\n// #cgo LDFLAGS: -lm\n// #include <math.h>\nimport "C"\n', "b.S": b"", "x.c": b"", "y.cc": b"", "d_test.go": b'package p\nimport "C"\n',
            "old.go": b"package p\nimport (\n\t// int x;\n\t\"C\"\n\t\"fmt\"\n)\n"},
    "cgobad": {"a.go": b'package p\n\n/*\n#cgo LDFLAGS -lm\n*/\nimport "C"\n'},
    "cgoverb": {"a.go": b'package p\n\n/*\n#cgo windows XFLAGS: -lm\n#cgo linux YFLAGS: -lm\n*/\nimport "C"\n'},
    "cgounsafe": {"a.go": b'package p\n\n// #cgo CFLAGS: -DX=(1)\nimport "C"\n'},
    "cgoquote": {"a.go": b'package p\n\n// #cgo CFLAGS: -DX="a b\nimport "C"\n'},
    "cgofine": {"a.go": b'package p\n\n// #cgo CFLAGS: -I${SRCDIR}/x "-DY=a b"\n// #cgo !windows,amd64 linux&&cgo LDFLAGS: -lm\n// #cgo noescape f\n// #cgo pkg-config: x\nimport "C"\n'},
    "cgoalone": {"a.go": b'package p\n\nimport "C"\n'},
    "documentation": {"a.go": b"package p\n", "b.go": b"package documentation\n", "b_test.go": b"package documentation\n"},
    "twopackages": {"a.go": b"package p\n", "b.go": b"package q\n", "c_test.go": b"package p_test\n", "d_test.go": b"package q_test\n", "e_test.go": b"package r\n"},
    "onlytests": {"a_test.go": b"package p\n", "b_test.go": b"package p_test\n"},
    "onlyxtest": {"a_test.go": b"package p_test\n"},
    "nametest": {"a.go": b"package p_test\n", "b_test.go": b"package p_test\n"},
    "excluded": {"a.go": b"//go:build ignore\n\npackage p\n", "b_windows.go": b"package p\n"},
    "nogo": {"a.txt": b"", "x.c": b""},
    "empty": {"a.go": b""}, "blank": {"a.go": b"\n\n"}, "nulbyte": {"a.go": b"package p\n\0", "b.go": b"package p\n"},
    "nul": {"a.go": b"package p\n"}, "x/aux.d": {"a.go": b"package p\n", "b_windows.go": b"package p\n"}, "sp ace": {"a.go": b"package p\n"}, "\u00e9": {"a.go": b"package p\n"}, "dot.": {"a.go": b"package p\n"}, "til~1": {"a.go": b"package p\n"}, "a+b": {"a.go": b"package p\n"}, "nulearly": {"a.go": b"\0package p\n"}, "binary": {"a.go": bytes(range(256)) * 20},
    "elf": {"a.go": b"\x7fELF\x02\x01\x01\0\0\0", "b.go": b"package p\n"},
    "bom": {"a.go": b"\xef\xbb\xbf//go:build windows\n\npackage p\n", "b.go": b"\xef\xbb\xbfpackage p\n", "c.go": b"package p\n\xef\xbb\xbf\n"},
    "crlf": {"a.go": b"//go:build linux\r\n\r\npackage p\r\nimport \"fmt\"\r\n", "b.go": b"// +build windows\r\n\r\npackage p\r\n", "c.go": b"//go:build windows\rpackage p\n"},
    "latin": {"a.go": b"// caf\xe9\npackage p\n"}, "latinlate": {"a.go": b"package p\n// caf\xe9\n\nvar x int\n"}, "latinafter": {"a.go": b"package p\nvar x int // caf\xe9\n"},
    "build": {"a.go": b"package p\n", "b.go": b"/* x */ //go:build windows\npackage p\n", "c.go": b"/* x\n*/\n//go:build windows\npackage p\n", "d.go": b"/*\n//go:build windows\n*/\npackage p\n",
              "e.go": b"// Package p.\n//go:build windows\npackage p\n", "f.go": b"package p\n//go:build windows\n", "g.go": b"\t //go:build windows\t\npackage p\n", "h.go": b"// go:build windows\npackage p\n",
              "i.go": b"//go:buildx windows\npackage p\n", "j.go": b"//GO:BUILD windows\npackage p\n", "k.go": b"//go:build\twindows\npackage p\n", "l.go": b"//go:build linux\n// +build windows\n\npackage p\n",
              "m.go": b"/* a */ /* b */\n//go:build windows\npackage p\n", "n.go": b"//go:build !windows && (amd64 || !cgo)\npackage p\n", "o.go": b"//go:build \xe4\xb8\xad || !\xd9\xa1\npackage p\n"},
    "build1": {"a.go": b"//go:build\npackage p\n"}, "build2": {"a.go": b"//go:build a b\npackage p\n"}, "build3": {"a.go": b"//go:build a,b\npackage p\n"}, "build4": {"a.go": b"//go:build !!a\npackage p\n"},
    "build5": {"a.go": b"//go:build (a\npackage p\n"}, "build6": {"a.go": b"//go:build a &&\npackage p\n"}, "build7": {"a.go": b"//go:build a & b\npackage p\n"}, "build8": {"a.go": b"//go:build a // x\npackage p\n"},
    "build9": {"a.go": b"//go:build a\n//go:build b\npackage p\n"}, "build10": {"a.go": b"//go:build (a b\npackage p\n"}, "build11": {"a.go": b"//go:build (a &&\npackage p\n"}, "build12": {"a.go": b"//go:build a)\npackage p\n"},
    "build13": {"a.go": b"//go:build )\npackage p\n"}, "build14": {"a.go": b"//go:build a-b\npackage p\n"}, "build15": {"a.go": b"//go:build a \xff\npackage p\n"}, "build16": {"a.go": b"//go:build \xc2\xa0\npackage p\n"},
    "build17": {"a.go": b"//go:build a b\n//go:build c d\npackage p\n"}, "build18": {"a.go": b"//go:build a |\npackage p\n"}, "build19": {"a.go": b"//go:build !\npackage p\n"}, "build20": {"a.go": b"//go:build ((((a))))\n\npackage p\n", "b.go": b"package p\n"},
    "old": {"a.go": b"package p\n", "b.go": b"// +build windows\n\npackage p\n", "c.go": b"// +build windows\npackage p\n", "d.go": b"//+build windows\n\npackage p\n", "e.go": b"// +build linux\n// +build arm64\n\npackage p\n",
            "f.go": b"// +build linux,arm64 windows\n\npackage p\n", "g.go": b"// +build !foo-bar\n\npackage p\n", "h.go": b"// +build !!linux\n\npackage p\n", "i.go": b"// +build\n\npackage p\n", "j.go": b"/* x */\n// +build windows\n\npackage p\n",
            "k.go": b"// x\n\n// +build windows\n// y\n\npackage p\n", "l.go": b"// +buildwindows\n\npackage p\n", "m.go": b"// +build !\n\npackage p\n", "n.go": b"// +build linux,\n\npackage p\n", "o.go": b"// +build windows\n\n", "q.go": b"//\t+build\twindows\n\npackage p\n"},
    "tags": {"a.go": b"package p\n"} | {f"t{i}.go": b"//go:build " + t + b"\npackage p\n" for i, t in enumerate((
        b"unix", b"go1.18", b"go1.19", b"go1.26", b"go1.27", b"go1.99", b"go1.19.3", b"go1", b"go1.0", b"go1.01", b"gc", b"gccgo", b"amd64.v1", b"amd64.v2", b"arm.6", b"Linux", b"test", b"ignore", b"vendor", b"!vendor", b"cgo", b"race", b"boringcrypto",
        b"goexperiment.regabiargs", b"darwin", b"linux", b"solaris", b"custom", b"wasip1", b"wasm.satconv", b"riscv64.rva20u64", b"arm64.v8.0", b"386.sse2", b"mips.hardfloat"))},
    "heads": {"a.go": b"package p;import\"fmt\";import(\"os\";\"io\")\n", "b.go": b"package p; func f() {}\n", "c.go": b"package p func f() {}\n", "d.go": b"package/**/p\nimport(x\"fmt\";.\"os\";_`io`)\nvar x int\n",
              "e.go": b"package p\nimport \"fmt\"\nimport (\n)\nimport ()\nif\n", "f.go": b"package p\nimport \"\\x66mt\"\n", "g.go": b"package p\nimport `f\rmt`\n", "h.go": b"package \xe4\xb8\xad\n"},
    "embeds": {"a.go": b'package p\nimport _ "embed"\n\n//go:embed x.txt "a b" `c d` all:e\nvar x string\n\n// go:embed y.txt\nvar y string\nvar s = "\\"//go:embed no.txt"\nvar r = `\n//go:embed no.txt\n`\n/*\n//go:embed no.txt\n*/\n//go:embedx no.txt\n//go:embed "\\x61bc"\n//go:embed "open\n//go:embed a\x60b\nvar q = \'"\'\n\t//go:embed z.txt\n',
               "x.txt": b"x", "b.go": b'package p\n//go:embed no.txt\nvar z string\n', "c_test.go": b'package p\nimport _ "embed"\n//go:embed t.txt\nvar t string', "d_test.go": b'package p_test\nimport _ "embed"\n//go:embed u.txt\nvar t string'},
    **{f"bad{i}": {"a.go": b"package p\n", "m" + name: data, "z.go": b"package p\n"} for i, (name, data) in enumerate((n, d) for n in ("_windows.go", ".go", "_windows.s", ".s", "_windows_test.go") for d in (
        b"package func\n", b"package p\n\0", b"//go:build a\n//go:build b\npackage p\n", b"//go:build a b\npackage p\n", b"//go:build ignore\npackage p\nimport \"a b\"\n", b"//go:build ignore\npackage func\n", b"//go:build ignore\npackage p\n\0",
        b"// +build ignore\n\npackage p; import 5\n", b"", b"/* never", b"package documentation\nimport 5\n"))},
    "conly": {"a.go": b"package p\n", "x.c": b""},
    "import1": {"a.go": b'package p\nimport "a b"\n'}, "import2": {"a.go": b'package p\nimport ""\n'}, "import3": {"a.go": b"package p\nimport fmt\n"}, "import4": {"a.go": b'package p\nimport "fmt" "os"\n'},
    "import5": {"a.go": b'package p\nimport "fmt\n'}, "import6": {"a.go": b'package p\nimport ("fmt"\n'}, "import7": {"a.go": b"package p\nimport 5\n"}, "import8": {"a.go": b'package p\nimport "\\q"\n'}, "import9": {"a.go": b"package func\n"},
    "import10": {"a.go": b"import \"fmt\"\n"}, "import11": {"a.go": b"package p\n/* open"}, "import12": {"a.go": b'package p\nimport "fmt", "os"\n'}, "import13": {"a.go": b'package p\nimport ("fmt", "os")\n'}, "import14": {"a.go": b"package p.q\n"},
    "import15": {"a.go": b'package p\nimport "\xef\xbf\xbd"\n'}, "import16": {"a.go": b'package p\nimport "C" // x\nimport "fmt"; import "os"\n'}, "import17": {"a.go": b"package 5\n"}, "import18": {"a.go": b"# package p\n"},
    "_hidden": {"a.go": b"package p\n"}, ".hidden": {"a.go": b"package p\n"}, "testdata": {"a.go": b"package p\n"}, "x/testdata/y": {"a.go": b"package p\n"}, "x/vendor": {"a.go": b"package p\n"},
    "x/vendor/y": {"a.go": b"package p\n"}, "vendored": {"a.go": b"package p\n"}, "nested": {"go.mod": b"module nested\n", "a.go": b"package p\n"}, "nested/below": {"a.go": b"package p\n"}, "skipped": {"a.go": b"package p\n"},
    "x/skipped/y": {"a.go": b"package p\n"}, "x/only": {"a.go": b"package p\n"}, "only": {"a.go": b"package p\n"}, "moddir/go.mod": {"a.go": b"package p\n"},
}
REFUSED = {  # what go says, as we say it
    "build1": "parsing //go:build line: unexpected end of expression", "build2": "parsing //go:build line: unexpected token b", "build3": "parsing //go:build line: invalid syntax at ,",
    "build4": "parsing //go:build line: double negation not allowed", "build5": "parsing //go:build line: missing close paren", "build9": "multiple //go:build comments", "build17": "multiple //go:build comments",
    "nulearly": "unexpected NUL in input", "latin": "illegal UTF-8 encoding", "import5": "string literal not terminated",
    "import9": "expected 'IDENT', found 'func'", "import10": "expected 'package', found 'import'", "import11": "comment not terminated", "empty": "expected 'package', found 'EOF'",
    "cgobad": "invalid #cgo line", "cgoverb": "invalid #cgo verb", "cgounsafe": "malformed #cgo argument", "twopackages": "found packages p (a.go) and q (b.go)", "conly": "C source files not allowed when not using cgo or SWIG: x.c",
}


def write(root, packages, ignore):
    for package, files in packages.items():
        folder = os.path.join(root, package)
        os.makedirs(folder, exist_ok=True)
        for name, data in files.items():
            with open(os.path.join(folder, name), "wb") as f:
                f.write(data)
    if OLD:  # go keeps an index of what it has not seen changed for two seconds, and answers from it
        for folder, _, names in os.walk(root):
            for name in names:
                os.utime(os.path.join(folder, name), (1000000000, 1000000000))
    with open(root + "/go.mod", "w", encoding="utf-8") as f:
        f.write("module example.test/made\n\ngo 1.17\n" + ("\nignore (\n\t./only\n\tskipped\n)\n" if ignore else ""))


def links(root):
    folder = root + "/links"
    os.makedirs(folder + "/real")
    for name in ("a.go", "real/b.go"):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write("package p\n")
    os.symlink("real/b.go", folder + "/linked.go")
    os.symlink("nowhere.go", folder + "/dangling.go")
    os.symlink("nowhere.c", folder + "/dangling.c")
    os.symlink("real", folder + "/folder.go")
    os.symlink("real", folder + "/folder")
    os.symlink(".", folder + "/loop")
    os.symlink("self.go", folder + "/self.go")


def made():
    for version, go in versions():
        root = os.path.join(TMP, "made-" + version)
        write(root, MADE, minor(version) >= 25)
        links(root)
        for target, more in (("linux/amd64", {}), ("linux/amd64", {"CGO_ENABLED": "0"}), ("windows/arm64", {"CGO_ENABLED": "1"}), ("android/arm64", {}), ("illumos/amd64", {}), ("ios/arm64", {}), ("js/wasm", {}), ("linux/386", {})):
            _, same, why, a, b = compare("", go, root, target, at_least=100, **more)
            check(same, f"made files, go{version} {target} {' '.join('='.join(i) for i in more.items())}: every list is go's", why)
            if target == "linux/amd64" and not more:
                wrong = [f"{p}: go: {a.get('example.test/made/' + p, ('', ''))[1]!r}\n   tocsin: {b.get('example.test/made/' + p, ('', ''))[1]!r}" for p, words in REFUSED.items()
                         if words not in b.get("example.test/made/" + p, ("", ""))[1] or words.replace("invalid #cgo line", "#cgo") not in a.get("example.test/made/" + p, ("", ""))[1]]
                check(not wrong, f"made files, go{version}: what go refuses is refused in its words", "\n".join(wrong))
        _, same, why, _, _ = compare("", go, root, "linux/amd64", flags=["-tags=custom,ignore,windows"], own=["--tags", "custom,ignore,windows"], at_least=100)
        check(same, f"made files, go{version} -tags: every list is go's", why)


SOUP = ["package", "p", "import", "(", ")", '"fmt"', '"os"', "`io`", "x", ".", "_", ";", "\n", "\n", " ", "\t", "// c", "// c\n", "/* c */", "/* c\n */", "//go:build linux\n", "//go:build windows\n", "// +build linux\n", "\n\n", "func f() {}",
        "var x int", ",", "5", "'a'", "if", '"C"', '"embed"', "//go:embed x\n", "\\", "\r\n", '"', "`", "/", "*/", "import (\n", "\n)\n", "package p\n", "package p\n", 'import "fmt"\n', "\f", "\v", "é", "\xa0", "+", "}", "//", "/*", "++", "..."]


def soup():
    """Heads made by chance: hardly one is Go, and each goes where go puts it."""
    chance = random.Random(7)
    packages = {}
    for i in range(3000 if FULL else 150 if SLOW else 500):
        words = [] if chance.random() < .3 else ["package", " ", "p", "\n"] if chance.random() < .5 else ["//go:build linux\n", "package p\n"]
        words += [chance.choice(SOUP) + (" " if chance.random() < .3 else "") for _ in range(chance.randrange(1, 12))]
        packages[f"s{i}"] = {"a.go": "".join(words).encode(), "z.go": b"package p\n", "b.s": "".join(chance.choice(SOUP) for _ in range(chance.randrange(1, 6))).encode()}
    for version, go in versions():
        root = os.path.join(TMP, "soup-" + version)
        write(root, packages, "")
        _, same, why, _, _ = compare("", go, root, "linux/amd64", at_least=500, imports=False)
        check(same, f"{len(packages)} heads made by chance, go{version}: every list is go's", why)


# ---- what the answer says ----

def answers():
    root = os.path.join(TMP, "answers")
    write(root, {".": {"a.go": b"package p\n", "b_windows.go": b"package p\n", "c.go": b"// x\n\n//go:build linux && (tools || never)\n\npackage p\n", "d.go": b"//go:build !cgo\n\npackage p\n", "e.go": b'package p\n\nimport "C"\n',
                       "g.go": b"// +build darwin\n\npackage p\n", "_h.go": b"package p\n"},
                 "bad": {"f.go": b"//go:build linux &&\n\npackage p\n"}, "gone": {"x_plan9.go": b"package gone\n"}, "own": {"go.mod": b"module own\n", "a.go": b"package own\n"}}, "")
    os.makedirs(root + "/closed")
    env = environment(versions()[-1][1], CGO_ENABLED="1")
    said = json.loads(run([TOCSIN, "check", "activation", "--json"], root, env).stdout)
    target = said["targets"][0]
    files = {f["name"]: f for p in target["packages"] for f in p["files"]}
    want = {"a.go": ("GoFiles", None, None, None), "b_windows.go": ("IgnoredGoFiles", "name", None, None), "c.go": ("IgnoredGoFiles", "build", 3, "tools || never"), "d.go": ("IgnoredGoFiles", "build", 1, "!cgo"), "e.go": ("CgoFiles", None, None, None),
            "f.go": (None, "bad_constraint", 1, None), "g.go": ("IgnoredGoFiles", "old_build", 1, "darwin"), "_h.go": (None, "hidden", None, None), "x_plan9.go": ("IgnoredGoFiles", "name", None, None)}
    wrong = [f"{n}: {files.get(n)}" for n, w in want.items() if n not in files or tuple(files[n].get(k) for k in ("list", "why", "line", "term")) != w]
    check(not wrong and target["target"] == "linux/amd64" and said["schema"] == "tocsin.check/1", "each file has its list, the reason, its line and the term that decides", "\n".join(wrong))
    states = {p["dir"]: (p["state"], p["listed"], p.get("skipped")) for p in target["packages"]}
    check(states.get("gone") == ("excluded", False, None) and states.get("own") == ("no_go", False, "module"), "a package without files and a nested module are named", states)
    for lang, words in (("en", ["the name asks for windows, and GOOS is linux", "c.go:3: //go:build linux && (tools || never): tools || never is false", "cgo holds here", "unexpected end of expression", "`./...` drops the package", "a module of its own"]),
                        ("zh", ["文件名要求 windows，而 GOOS 为 linux", "tools || never 不成立", "静默丢弃", "独立的模块"])):
        out = run([TOCSIN, "--lang", lang, "check", "activation"], root, env).stdout
        check(all(w in out for w in words), f"the text says it ({lang})", out)
    out = run([TOCSIN, "check", "activation", "b_windows.go", "e.go"], root, env).stdout
    check("built in 3 of " in out and "windows/386 windows/amd64 windows/arm64" in out and "the name asks for windows" in out, "of a file: the targets in which it is built", out)
    many = json.loads(run([TOCSIN, "check", "activation", "--json", "--matrix", "linux/amd64,windows/arm64"], root, env).stdout)
    check([t["target"] for t in many["targets"]] == ["linux/amd64", "windows/arm64"], "--matrix gives each target", many)
    every = json.loads(run([TOCSIN, "check", "activation", "--json", "--matrix", "all"], root, env).stdout)
    for version, go in versions():
        theirs_all = sorted(run([go, "tool", "dist", "list"], root, environment(go)).stdout.split())
        mine = [t["target"] for t in json.loads(run([TOCSIN, "check", "activation", "--json", "--matrix", "all"], root, environment(go)).stdout)["targets"]]
        check(theirs_all and set(theirs_all) == set(mine), f"--matrix all is `go tool dist list` of go{version}", f"{set(theirs_all) ^ set(mine)}")
    check(len(every["targets"]) > 40, "--matrix all is long", len(every["targets"]))


def workspace():
    """Each member as go lists it there; what no member has, and a module that is not used, are named."""
    root = os.path.join(TMP, "work")
    write(root, {"a": {"a.go": b"package a\n", "go.mod": b"module example.test/a\n\ngo 1.18\n"}, "a/x": {"x.go": b"package x\n"}, "b": {"b.go": b"package b\n", "go.mod": b"module example.test/b\n\ngo 1.18\n"},
                 "c": {"c.go": b"package c\n", "go.mod": b"module example.test/c\n\ngo 1.18\n"}, "stray": {"s.go": b"package s\n"}}, False)
    os.remove(root + "/go.mod")
    with open(root + "/go.work", "w", encoding="utf-8") as f:
        f.write("go 1.18\n\nuse (\n\t./a\n\t./b\n)\n")
    for version, go in versions():
        env = environment(go)
        del env["GOWORK"]
        want = sorted(w for m in "ab" for w in run(["go", "list", "./..."], f"{root}/{m}", env).stdout.split())
        have = sorted(ours(root, env, [], False)[0])
        check(want == have == ["example.test/a", "example.test/a/x", "example.test/b"], f"a workspace, go{version}: the packages of its members", (want, have))
        text = run([TOCSIN, "check", "activation", "--no-traps"], root, env).stdout
        check("c/: a module that go.work does not use" in text and "stray/: in no module of go.work" in text, f"a workspace, go{version}: what is left out is named", text)


def refusals():
    root = os.path.join(TMP, "answers")
    env = environment(versions()[-1][1])
    for args, words in ((["--goos", "beos"], "builds for no such system"), (["--goos", "windows", "--goarch", "s390x"], "windows/s390x"), (["--tags", "a b,c"], "comma"), (["--go", "one"], "--go"), (["--matrix", "linux"], "--matrix"),
                        (["--matrix", "all", "--goos", "linux"], "not both"), (["nowhere"], "nowhere"), ([".", "own"], "one folder")):
        r = run([TOCSIN, "check", "activation"] + args, root, env)
        check(r.returncode == 2 and words in r.stderr, f"refused: {' '.join(args)}", f"{r.returncode} {r.stderr}")
    r = run([TOCSIN, "check", "activation"], root, dict(env, GOAMD64="v9"))
    check(r.returncode == 2 and "GOAMD64=v9" in r.stderr, "refused: GOAMD64=v9", r.stderr)
    r = run([TOCSIN, "check", "activation", "--tags", "a\x1b[31mb", "--no-traps"], root, env)
    check("; tags a" in r.stdout and "\x1b" not in r.stdout + r.stderr, "a tag is written without what a terminal would obey", repr(r.stdout[:200]))
    broken, env = os.path.join(TMP, "broken"), dict(env, GOWORK="")
    os.makedirs(broken)
    for name, text, line in (("go.mod", "module ex.test/m\n\ngarbage(\n", 3), ("go.mod", "", 1), ("go.work", "go 1.21\nuse .\nuse (\n", 3)):
        for file, words in (("go.mod", "module ex.test/m\n\ngo 1.21\n"), ("a.go", "package m\n"), (name, text)):
            with open(os.path.join(broken, file), "w", encoding="utf-8") as f:
                f.write(words)
        r = run([TOCSIN, "check", "activation", "--no-traps"], broken, env)
        check(r.returncode == 1 and f"{name}:{line}:" in r.stdout and "[module.refused]" in r.stdout, f"a {name} that go refuses is an error", r.stdout + r.stderr)
        alone = run([TOCSIN, "check", "activation", "a.go"], broken, env)
        check(alone.returncode == 1 and "[module.refused]" in alone.stdout, f"a {name} that go refuses is one of a file in it too", alone.stdout + alone.stderr)
        check(run([versions()[-1][1], "list", "./..."], broken, env).returncode != 0, "go refuses it too", text)
    alone = run([TOCSIN, "check", "activation", "--json"], root, dict(env, PATH="/nowhere"))
    check(alone.returncode in (0, 1) and json.loads(alone.stdout)["targets"][0]["cgo_why"], "without a go on PATH it is answered all the same", alone.stderr)


def bad_input():
    root = os.path.join(TMP, "bad")
    write(root, {".": {"a.go": b"package p\n", "huge.go": b"/*" + b"x" * (17 << 20) + b"*/\npackage p\n", "terms.go": b"//go:build " + b" || ".join([b"t"] * 5000) + b"\n\npackage p\n", "deep.go": b"//go:build " + b"(" * 100000 + b"\n\npackage p\n",
                       "long.go": b"package p\nimport (\n" + b'"fmt"\n' * 200000 + b")\n", "binary.go": os.urandom(300000)}}, "")
    os.mkfifo(root + "/pipe.go")
    folder = root
    for _ in range(140):
        folder += "/d"
        os.mkdir(folder)
    os.symlink(".", root + "/loop")
    env = environment(versions()[-1][1])
    r = run([TOCSIN, "check", "activation", "--json"], root, env, 60)
    try:
        said = json.loads(r.stdout)
        files = {f["name"]: f for p in said["targets"][0]["packages"] for f in p["files"]}
    except ValueError:
        said, files = {"limits": []}, {}
    check("16 MiB" in files.get("huge.go", {}).get("text", ""), "a head without end is named, not read", files.get("huge.go"))
    check("regular" in files.get("pipe.go", {}).get("text", ""), "a pipe is named, not waited for", files.get("pipe.go"))
    check(all("too large" in files.get(n, {}).get("text", "") for n in ("terms.go", "deep.go")), "a constraint that is too large is refused as go does", (files.get("terms.go"), files.get("deep.go")))
    check(files.get("long.go", {}).get("list") == "GoFiles" and files.get("binary.go", {}).get("why"), "200,000 imports; 300,000 bytes by chance", files.get("binary.go"))
    check(any("deeper" in x for x in said["limits"]), "folders too deep are named", said["limits"])
    os.mkdir(root + "/closed", 0)
    # The superuser reads everything, but for these capabilities.
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    r = run([*drop, TOCSIN, "check", "activation"], root, env, 60)
    check("closed" in r.stdout and "cannot be read" in r.stdout, "an unreadable folder is named", r.stdout + r.stderr)


PARTS = [made, soup, answers, workspace, refusals, bad_input, own_tree, modules]
try:
    for part in PARTS:
        if part.__name__ in sys.argv[1:] or not sys.argv[1:]:
            part()
finally:
    shutil.rmtree(TMP, ignore_errors=True)
done()
