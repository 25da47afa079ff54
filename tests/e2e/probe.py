#!/usr/bin/env python3
# suite: limit 1500
# suite: takes 60
"""`tocsin probe BINARY`: what it says of binaries of both Go versions, of many systems and machines, equals what `go version -m`,
`go tool nm`, GODEBUG=inittrace=1 and the sources say; it holds on stripped, patched, garbled, truncated and foreign files.

How functions are compared: the set of (address, name) of our list against the text symbols (T, t) of `go tool nm` that lie in Go's own
text, from runtime.text to runtime.etext. The symbol table writes some names otherwise than the runtime's tables do, and these
spellings are made equal: ".abi0" behind assembler functions, type arguments ([...] in the tables), "·" and ".", a "_" before every
name of Mach-O. Plugins have two names at one address ("local.X") and hashed names of types' functions: there the addresses are compared.

usage: probe.py [PART…], each of foreign, built, shared, published, big, garbled; all of them only when everything is to be run.
"""
import concurrent.futures
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
import tap  # noqa: E402
from tap import FULL, SLOW, TOCSIN, check, done  # noqa: E402

TOP = tempfile.mkdtemp(prefix="tocsin-probe-")
GOS = {}
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "tocsin-tests", "binaries")
ASAN = os.environ.get("TOCSIN_TEST_BUILD") == "asan"


def find_gos():
    """Each go at hand, by its version: the newest in PATH or its usual place, and the distribution's."""
    for path in [shutil.which("go"), "/usr/local/go/bin/go", *(os.path.join("/usr/lib", d, "bin/go") for d in sorted(os.listdir("/usr/lib")) if d.startswith("go-"))]:
        if path and os.path.exists(path):
            said = subprocess.run([path, "version"], capture_output=True, text=True, check=True, env=go_env()).stdout
            GOS.setdefault(re.search(r"go(1\.\d+)", said)[1], path)


def go_env(**more):
    env = dict(os.environ, GOTOOLCHAIN="local", GOENV="off", GOFLAGS="-buildvcs=false -mod=mod", CGO_ENABLED="0", GOPROXY="off", GOWORK="off")
    env.update(more)
    return env


FILES = {
    "go.mod": "module example.test/shop\n\ngo 1.18\n\nrequire example.test/yaml.v3 v1.0.1\n\nreplace example.test/yaml.v3 v1.0.1 => ./yaml\n",
    "yaml/go.mod": "module example.test/yaml.v3\n\ngo 1.18\n",
    "yaml/y.go": """package yaml

import "strings"

var table = map[string]int{}

func init() { table["a"] = strings.Count("aa", "a") }

// Double is inlined.
func Double(s string) int { return 2 * table[s] }

//go:noinline
func Kept(s string) int { return table[s] + len(s) }

//go:noinline
func Unused() string { return strings.Repeat("nobody calls this", 2) }
""",
    "lib/lib.go": """package lib

type Set[T comparable] struct{ m map[T]bool }

//go:noinline
func (s *Set[T]) Add(v T) {
	if s.m == nil {
		s.m = map[T]bool{}
	}
	s.m[v] = true
}

//go:noinline
func Map[T, U any](in []T, f func(T) U) (out []U) {
	for _, v := range in {
		out = append(out, f(v))
	}
	return
}
""",
    "main.go": """package main

import (
	"embed"
	"io/fs"
	"os"

	"example.test/shop/lib"
	yaml "example.test/yaml.v3"
)

//go:embed assets
var assets embed.FS

//go:embed main.go
var source embed.FS

var version = "unset"

func main() {
	var s lib.Set[string]
	s.Add(version)
	n := yaml.Kept("a") + yaml.Double(os.Args[0])
	lib.Map([]int{n}, func(i int) string { return version[:1] })
	_ = fs.WalkDir(assets, ".", func(p string, d fs.DirEntry, err error) error { n++; return err })
	f, _ := source.ReadFile("main.go")
	println(len(f), n)
}
""",
    "assets/hello.txt": "hello\n",
    "assets/empty.txt": "",
    "assets/sub/big.bin": "0123456789" * 30000,
}
PLUGIN = {
    "go.mod": "module example.test/plug\n\ngo 1.18\n",
    "main.go": 'package main\n\nimport "strings"\n\nfunc Greet(s string) string { return strings.ToUpper(s) }\n\nfunc main() {}\n',
}
HOST = {
    "go.mod": "module example.test/host\n\ngo 1.18\n",
    "main.go": 'package main\n\nimport (\n\t"os"\n\t"plugin"\n\t"strings"\n)\n\nfunc main() {\n\tp, err := plugin.Open(os.Args[1])\n\tprintln(strings.ToUpper("x"), p != nil, err == nil)\n}\n',
}


def write(folder, files):
    for name, text in files.items():
        path = os.path.join(TOP, folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
    return os.path.join(TOP, folder)


def build(go, out, folder, *flags, **env):
    out = os.path.join(TOP, out)
    done_ = subprocess.run([GOS[go], "build", "-p", "2", "-o", out, *flags, "."], cwd=os.path.join(TOP, folder), env=go_env(**env), capture_output=True, text=True, check=False)
    if done_.returncode != 0:
        check(False, f"go {go} builds {os.path.basename(out)}", done_.stderr)
        return None
    return out


def probe(path, *flags, status=0):
    said = subprocess.run([TOCSIN, "probe", "--json", *flags, path], capture_output=True, check=False, timeout=120)
    if said.returncode != status:
        return {"broken": f"exit status {said.returncode}: {said.stderr.decode(errors='replace')}"}
    return json.loads(said.stdout) if said.stdout else {}


# ---- the oracles ----

def short(name):
    """Type arguments as the runtime's tables have them."""
    out, depth = "", 0
    for c in name.replace("·", "."):
        if c == "[":
            out += "" if depth else "[...]"
            depth += 1
        elif c == "]":
            depth -= 1
        elif not depth:
            out += c
    return out


def symbols(path, macho):
    said = subprocess.run([GOS[max(GOS)], "tool", "nm", path], capture_output=True, text=True, check=False, env=go_env()).stdout
    rows, text, etext = set(), 0, 0
    for m in re.finditer(r"^\s*([0-9a-f]+) [Tt] (.*)$", said, re.M):
        at, name = int(m[1], 16), m[2]
        if macho and name.startswith("_"):
            name = name[1:]
        if name == "runtime.text":
            text = at
        elif name == "runtime.etext":
            etext = at
        else:
            rows.add((at, short(name[:-5] if name.endswith(".abi0") else name)))
    return {r for r in rows if text <= r[0] < etext}


def quote(s, key):
    if any(c in s for c in ' \t\r\n"`' + ("=" if key else "")) or (key and not s):
        return json.dumps(s, ensure_ascii=False)
    return s


def as_go_version(p):
    """What we said, in the words of `go version -m`."""
    lines = [f"{p['file']}: {p['go']}"]
    if p["path"]:
        lines.append(f"\tpath\t{p['path']}")
    for word, m in [("mod", p["module"])] * bool(p["module"]) + [("dep", m) for m in p["deps"]]:
        lines.append(f"\t{word}\t{m['path']}\t{m['version'] or ''}\t{m['sum'] or ''}")
        if m.get("replace"):
            r = m["replace"]
            lines.append(f"\t=>\t{r['path']}\t{r['version'] or ''}\t{r['sum'] or ''}")
    lines += [f"\tbuild\t{quote(k, True)}={quote(v, False)}" for k, v in p["settings"].items()]
    return [line.rstrip("\t") for line in lines]


def go_version(path):
    said = subprocess.run([GOS[max(GOS)], "version", "-m", path], capture_output=True, text=True, check=False, env=go_env()).stdout
    return [line.rstrip("\t") for line in said.splitlines() if line.strip()]


def trace(path):
    said = subprocess.run([path], env={"GODEBUG": "inittrace=1", "HOME": TOP}, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=60, check=False)
    return [re.sub(r"%([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), line.split()[1]) for line in said.stderr.splitlines() if line.startswith("init ") and " @" in line]


def linked(p):
    return {(f["address"], short(f["name"])) for f in p["functions"]["list"] if f["state"] == "linked"}


def differ(a, b):
    return f"only ours: {sorted(a - b)[:8]} ({len(a - b)}); only theirs: {sorted(b - a)[:8]} ({len(b - a)})"


# ---- binaries that are built here ----

def check_shop(name, path, symboled, runs):
    p = probe(path, "--functions", ".")
    if "broken" in p:
        return check(False, f"{name}: probe", p["broken"])
    check(as_go_version(p) == go_version(path), f"{name}: equals go version -m", "\n".join(as_go_version(p) + ["--"] + go_version(path)))
    if symboled:
        ours, theirs = linked(p), symbols(path, p["format"] == "macho")
        check(len(ours) > 500 and ours == theirs, f"{name}: functions equal go tool nm", differ(ours, theirs))
    states = {f["name"]: f for f in p["functions"]["list"]}
    kept, small = states.get("example.test/yaml%2ev3.Kept"), states.get("example.test/yaml%2ev3.Double")
    check(kept and kept["state"] == "linked" and kept["package"] == "example.test/yaml.v3" and kept["file"].endswith("yaml/y.go") and kept["line"] == 13
          and small and small["state"] == "inlined" and small["into"] == "main.main" and "example.test/yaml%2ev3.Unused" not in states,
          f"{name}: linked, only inlined, not found", f"{kept} {small}")
    want = {n: hashlib.sha256(FILES[n].encode()).hexdigest() for n in FILES if n.startswith("assets/") or n == "main.go"}
    got = {e["name"]: e["sha256"] for e in p["embeds"] if "sha256" in e}
    check(got == want, f"{name}: embedded files and their hashes", f"{got} {want}")
    if runs:
        check(p["init"] == trace(path) and p["init"], f"{name}: order of init equals GODEBUG=inittrace=1", f"{p['init']}\n{trace(path)}")
    check(any(f.endswith("lib/lib.go") for f in p["files"]) and {"main", "example.test/shop/lib", "example.test/yaml.v3", "runtime"} <= set(p["packages"]),
          f"{name}: sources and packages", p["packages"])
    absent = {a["part"] for a in p["absent"]}
    check(("symbols" in absent) == (not symboled) and p["hardening"]["stripped"] == ("no" if symboled else "yes") and "vcs" in absent and absent <= {"vcs", "symbols", "init", "ldflags"},
          f"{name}: what is absent", p["absent"])
    return p


def same_but_stripped(name, whole, path):
    """What stripping must not change."""
    a, b = whole, probe(path, "--functions", ".")
    if "broken" in b:
        return check(False, f"{name}: probe", b["broken"])
    keys = ("go", "format", "arch", "os", "module", "deps", "packages", "files", "init", "embeds")
    bad = [k for k in keys if a[k] != b[k]]
    names = [sorted((f["name"], f["state"], f.get("line")) for f in p["functions"]["list"]) for p in (a, b)]
    return check(not bad and names[0] == names[1], f"{name}: says the same as with symbols", f"{bad} {len(names[0])} {len(names[1])}")


MATRIX = [("linux", a) for a in ("amd64", "386", "arm", "arm64", "mips", "mips64", "ppc64", "ppc64le", "riscv64", "s390x")] + \
    [("windows", a) for a in ("amd64", "386", "arm64")] + [("darwin", a) for a in ("amd64", "arm64")] + [("freebsd", "amd64"), ("openbsd", "arm64")]
SAMPLE = {"new": [("linux", "amd64"), ("linux", "mips"), ("windows", "amd64"), ("darwin", "arm64")], "old": [("linux", "amd64"), ("windows", "386")]}
if SLOW:  # one of each format: the reader is the same, and go compiles the standard library for each target
    SAMPLE = {"new": [("linux", "amd64"), ("windows", "amd64"), ("darwin", "arm64")], "old": []}


def built():
    new, old = max(GOS, key=lambda v: int(v[2:])), min(GOS, key=lambda v: int(v[2:]))
    jobs = []
    for go, which in ((new, "new"), (old, "old")):
        if go == old == new and which == "old":
            break
        for system, arch in MATRIX if FULL else SAMPLE[which]:
            jobs.append((go, system, arch))

    def one(job):
        go, system, arch = job
        name = f"{go}-{system}-{arch}"
        flags = ["-ldflags=-X main.version=v1.2.3 -X 'main.other=a b'"]
        whole = build(go, name, "shop", *flags, GOOS=system, GOARCH=arch)
        native = (system, arch) == ("linux", os.uname().machine.replace("x86_64", "amd64").replace("aarch64", "arm64"))
        if not whole:
            return
        p = check_shop(name, whole, True, native)
        bare = build(go, name + "-sw", "shop", "-ldflags=-s -w", GOOS=system, GOARCH=arch)
        check_shop(name + " -s -w", bare, bool(symbols(bare, system == "darwin")), native)  # for Mach-O some versions do not
        if native:
            stripped = os.path.join(TOP, name + "-strip")
            subprocess.run(["strip", "-o", stripped, whole], check=True)
            same_but_stripped(name + " strip", p, stripped)
            for pie in ([], ["-ldflags=-s -w"]):
                out = build(go, name + "-pie" + "-sw" * bool(pie), "shop", "-buildmode=pie", *pie)
                q = check_shop(f"{name} -buildmode=pie {' '.join(pie)}", out, not pie, True)
                check(q and q["hardening"]["pie"] == "yes" and p["hardening"]["pie"] == "no", f"{name}: PIE is seen", q and q["hardening"])
            trimmed = probe(build(go, name + "-trim", "shop", "-trimpath", *flags))
            check(trimmed["hardening"]["trimpath"] == "yes" and {"part": "ldflags", "reason": "trimpath"}.items() <= [a for a in trimmed["absent"] if a["part"] == "ldflags"][0].items(),
                  f"{name}: -trimpath, and what it costs", trimmed["absent"])
            damaged(name, whole)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(one, jobs))


def shared():
    """Plugins and their hosts, c-shared libraries: they need cgo."""
    for go in GOS:
        plugin = build(go, f"{go}-plugin.so", "plug", "-buildmode=plugin", CGO_ENABLED="1")
        host = build(go, f"{go}-host", "host", CGO_ENABLED="1")
        library = build(go, f"{go}-lib.so", "plug", "-buildmode=c-shared", CGO_ENABLED="1")
        if not (plugin and host and library):
            continue
        p, h, c = (probe(x, "--functions", ".") for x in (plugin, host, library))
        check(p["kind"] == "plugin" and h["kind"] == "program" and c["kind"] == "library", f"{go}: kinds", [p["kind"], h["kind"], c["kind"]])
        a, b = ({x["package"]: x["hash"] for x in q["plugin"]["hashes"]} for q in (p, h))
        both = set(a) & set(b)
        check(len(both) > 10 and all(a[k] == b[k] for k in both), f"{go}: plugin and host have the same hashes of {len(both)} packages", f"{a}\n{b}")
        ours, theirs = linked(c), symbols(library, False)
        check(ours == theirs, f"{go} c-shared: functions equal go tool nm", differ(ours, theirs))
        ours, theirs = {x[0] for x in linked(p)}, {x[0] for x in symbols(plugin, False)}
        check(ours == theirs, f"{go} plugin: functions' addresses equal go tool nm", differ(ours, theirs))
        check(h["init"] == [x for x in trace(host)] and h["hardening"]["cgo"] == "yes", f"{go} host with cgo: order of init", f"{h['init']}\n{trace(host)}")
        check(as_go_version(h) == go_version(host), f"{go} host with cgo: equals go version -m")


# ---- bad input ----

def says(path, want, name, status=0):
    p = probe(path, status=status)
    got = {a["part"]: a["reason"] for a in p.get("absent", [])}
    return check("broken" not in p and all(got.get(k) == v for k, v in want.items()), name, p.get("broken") or got)


def damaged(name, path):
    with open(path, "rb") as f:
        whole = f.read()

    def save(what, data):
        to = os.path.join(TOP, f"{name}-{what}")
        with open(to, "wb") as f:
            f.write(data)
        return to
    cut = save("cut", whole[:len(whole) // 2])
    said = subprocess.run([TOCSIN, "probe", cut], capture_output=True, text=True, timeout=120, check=False)
    check(said.returncode == 0 and "Sanitizer" not in said.stderr, f"{name}: the first half", said.stderr)
    for part in (100, 1000, len(whole) // 4, len(whole) - 1):
        said = subprocess.run([TOCSIN, "probe", "--json", save("cut", whole[:part])], capture_output=True, text=True, timeout=120, check=False)
        check(said.returncode in (0, 2), f"{name}: the first {part} bytes", said.stderr)
    # without section headers: what it loads is enough
    bare = bytearray(whole)
    bare[40:48] = bytes(8)
    bare[58:64] = bytes(6)
    p, q = probe(path), probe(save("sections", bytes(bare)))
    same = [k for k in ("go", "module", "packages", "files", "init", "embeds", "functions") if p[k] != q.get(k)]
    check(not same, f"{name}: without section headers it says the same", same)
    # a section that claims 4 GB, in a file that is that long
    huge = bytearray(whole)
    at, size, n = struct.unpack_from("<Q", whole, 40)[0], *struct.unpack_from("<HH", whole, 58)
    for i in range(1, n):
        struct.pack_into("<Q", huge, at + i * size + 32, 1 << 32)
    big = save("huge", bytes(huge))
    q = probe(big)
    check("broken" not in q and q["functions"] == p["functions"] and q["packages"] == p["packages"], f"{name}: sections of 4 GB", q.get("broken"))
    os.unlink(big)


def minimal_core(program):
    """An ELF core of one note: which files the process had."""
    names = program.encode() + b"\0"
    note = struct.pack("<QQQQQ", 1, 4096, 0x400000, 0x500000, 0) + names
    body = struct.pack("<III", 5, len(note), 0x46494C45) + b"CORE\0\0\0\0" + note + bytes(-len(note) % 4)
    head = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 4, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return head + struct.pack("<IIQQQQQQ", 4, 0, 120, 0, 0, len(body), 0, 4) + body


def foreign():
    def save(what, data):
        with open(os.path.join(TOP, what), "wb") as f:
            f.write(data)
        return os.path.join(TOP, what)
    p = probe("/bin/ls")
    check(p.get("format") == "elf" and not p["packages"] and {a["part"]: a["reason"] for a in p["absent"]}["functions"] == "not_go", "a program that is not Go's", p)
    p = probe(save("core", minimal_core("/opt/shop/server")))
    check(p.get("kind") == "core" and p["core_of"] == "/opt/shop/server" and {a["reason"] for a in p["absent"]} <= {"core"}, "a core file names its program", p)
    for what, data, words in (("script", b"#!/bin/sh\n", "script"), ("empty", b"", "empty"), ("text", b"hello\n" * 100, "no ELF, Mach-O or PE"), ("zip", b"PK\3\4" + bytes(50), "zip")):
        said = subprocess.run([TOCSIN, "--lang", "en", "probe", save(what, data)], capture_output=True, text=True, check=False)
        check(said.returncode == 2 and words in said.stderr and what in said.stderr, f"no binary: {what}", said.stderr)
    os.mkfifo(os.path.join(TOP, "fifo"))
    for what in ("fifo", "nothing-there", "."):
        said = subprocess.run([TOCSIN, "probe", os.path.join(TOP, what)], capture_output=True, text=True, timeout=20, check=False)
        check(said.returncode == 2 and said.stderr.startswith("tocsin: "), f"cannot be read: {what}", said.stderr)
    # UPX: what it packs begins with headers, then its mark; all else is compressed
    packed = bytearray(minimal_core("x"))
    packed[16] = 2
    struct.pack_into("<IIQQQQQQ", packed, 64, 1, 5, 0, 0x400000, 0x400000, len(packed), len(packed), 4096)
    p = probe(save("packed", bytes(packed) + b"UPX!" + bytes(range(256)) * 8 + b"UPX!" + bytes(20)))
    check(p.get("packer") == "UPX" and {a["reason"] for a in p["absent"]} == {"packed", "stripped"}, "packed with UPX: named", p.get("absent") or p)
    said = subprocess.run([TOCSIN, "--lang", "zh", "probe", "/bin/ls"], capture_output=True, text=True, check=False).stdout
    check("没有任何由 Go 链接的内容" in said, "in Chinese too", said)


# ---- binaries that others have published ----

# name, file in it, Go version, what is absent
PUBLISHED = [
    ("esbuild-linux-64@0.13.4", "bin/esbuild", "go1.17.1", {"vcs": "before_1.18", "symbols": "stripped", "ldflags": "trimpath", "init": "only_names"}),
    ("@esbuild/linux-x64@0.17.0", "bin/esbuild", "go1.19.4", {"symbols": "stripped", "ldflags": "trimpath", "init": "only_names"}),
    ("@esbuild/linux-x64@0.21.5", "bin/esbuild", "go1.20.12", None),
    ("@esbuild/linux-x64@0.25.0", "bin/esbuild", "go1.23.5", None),
    ("@esbuild/linux-x64@0.28.2", "bin/esbuild", "go1.26.5", {"build_info": "omitted", "build_id": "no_id", "symbols": "stripped"}),
    ("@esbuild/win32-x64@0.28.2", "esbuild.exe", "go1.26.5", {"build_info": "omitted", "build_id": "no_id", "symbols": "stripped"}),
    ("@esbuild/darwin-arm64@0.28.2", "bin/esbuild", "go1.26.5", {"build_info": "omitted", "build_id": "no_id", "symbols": "stripped"}),
    ("lefthook-linux-x64@2.2.2", "bin/lefthook", "go1.27.0", {"symbols": "stripped", "ldflags": "trimpath"}),
]
DEBIAN = [("delve", "usr/bin/dlv", "go1.19.8"), ("gotestsum", "usr/bin/gotestsum", "go1.19.8")]


def fetched(key, file, command):
    """The file, from the cache or as the command leaves it in a new folder."""
    kept = os.path.join(CACHE, key.replace("/", "_"), file)
    if not os.path.exists(kept):
        with tempfile.TemporaryDirectory(dir=TOP) as tmp:
            command(tmp)
            os.makedirs(os.path.dirname(kept), exist_ok=True)
            shutil.copy(os.path.join(tmp, file), kept + ".new")
            os.rename(kept + ".new", kept)
    return kept


def from_npm(package):
    def fetch(tmp):
        said = subprocess.run(["npm", "pack", "--silent", package], cwd=tmp, check=True, capture_output=True, text=True, timeout=300).stdout
        subprocess.run(["tar", "-xzf", said.split()[-1], "--strip-components=1"], cwd=tmp, check=True)
    return fetch


def from_debian(package):
    def fetch(tmp):
        subprocess.run(["apt-get", "download", "-q", package], cwd=tmp, check=True, capture_output=True, timeout=300)
        subprocess.run(["dpkg-deb", "-x", next(f for f in os.listdir(tmp) if f.endswith(".deb")), "."], cwd=tmp, check=True)
    return fetch


# Go's own reader of the tables, which needs no symbols. PE has no section of them to give it.
GOSYM = """package main

import (
	"bufio"
	"debug/elf"
	"debug/gosym"
	"debug/macho"
	"fmt"
	"os"
)

func main() {
	var data []byte
	var text uint64
	if f, err := elf.Open(os.Args[1]); err == nil {
		data, _ = f.Section(".gopclntab").Data()
		text = f.Section(".text").Addr
	} else if f, err := macho.Open(os.Args[1]); err == nil {
		data, _ = f.Section("__gopclntab").Data()
		text = f.Section("__text").Addr
	}
	t, err := gosym.NewTable(nil, gosym.NewLineTable(data, text))
	if err != nil {
		panic(err)
	}
	w := bufio.NewWriter(os.Stdout)
	defer w.Flush()
	for _, f := range t.Funcs {
		fmt.Fprintln(w, f.Entry, f.Name)
	}
}
"""


def gosym():
    if not os.path.exists(os.path.join(TOP, "gosym-reader")):
        write("gosym", {"go.mod": "module example.test/gosym\n\ngo 1.18\n", "main.go": GOSYM})
        build(max(GOS), "gosym-reader", "gosym")
    return os.path.join(TOP, "gosym-reader")


def published():
    all_ = [(k, f, from_npm(k), go, absent) for k, f, go, absent in PUBLISHED] + [(k, f, from_debian(k), go, None) for k, f, go in DEBIAN]
    for key, file, command, go, absent in all_:
        try:
            path = fetched(key, file, command)
        except (subprocess.SubprocessError, OSError) as e:
            check(False, f"{key}: is fetched", f"{e} {getattr(e, 'stderr', '')}")
            continue
        os.chmod(path, 0o755)
        p = probe(path, "--functions", ".")
        if "broken" in p:
            check(False, f"{key}: probe", p["broken"])
            continue
        check(p["go"] == go and p["functions"]["linked"] > 4000 and p["functions"]["inlined"] > 1000 and len(p["packages"]) > 90 and "runtime" in p["packages"],
              f"{key}: {go}, functions and packages", [p["go"], p["functions"]["linked"], p["functions"]["inlined"], len(p["packages"])])
        if p["format"] != "pe":
            theirs = {(int(line.split(" ", 1)[0]), line.split(" ", 1)[1]) for line in subprocess.run([gosym(), path], capture_output=True, text=True, check=True).stdout.splitlines()}
            ours = {(f["address"], f["name"]) for f in p["functions"]["list"] if f["state"] == "linked"}
            # It takes the section's start for that of Go's text; the system's linker may put code of its own before it.
            ours, theirs = ({(at - first, name) for at, name in rows} for rows, first in ((ours, min(ours)[0]), (theirs, min(theirs)[0])))
            check(ours == theirs, f"{key}: functions equal debug/gosym's ({len(theirs)})", differ(ours, theirs))
        if absent is not None:
            got = {a["part"]: a["reason"] for a in p["absent"]}
            check(got == absent, f"{key}: what is absent, and why", got)
        if p["module"] or p["settings"]:
            check(as_go_version(p) == go_version(path), f"{key}: equals go version -m", "\n".join(as_go_version(p) + ["--"] + go_version(path)))
        if p["os"] == "linux" and os.uname().machine == "x86_64":
            check(p["init"] == trace(path), f"{key}: order of init equals GODEBUG=inittrace=1", f"{p['init']}\n{trace(path)}")
        usage = subprocess.run(["/usr/bin/time", "-f", "%M", TOCSIN, "probe", "--json", path], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True).stderr
        if not ASAN:
            check(int(usage.split()[-1]) * 1024 <= 2 * os.path.getsize(path), f"{key}: no more memory than twice the file", usage)


def big():
    """300 MB of embedded files: hashed, and not held twice."""
    folder = write("big", {"go.mod": "module example.test/big\n\ngo 1.18\n", "main.go": 'package main\n\nimport "embed"\n\n//go:embed data\nvar data embed.FS\n\nfunc main() { f, _ := data.ReadFile("data/x"); println(len(f)) }\n'})
    os.makedirs(os.path.join(folder, "data"))
    block, h = os.urandom(1 << 20), hashlib.sha256()
    with open(os.path.join(folder, "data", "x"), "wb") as f:
        for _ in range(300):
            f.write(block)
            h.update(block)
    path = build(max(GOS), "big-binary", "big")
    started = time.monotonic()
    said = subprocess.run(["/usr/bin/time", "-f", "%M", TOCSIN, "probe", "--json", path], capture_output=True, text=True, check=True)
    p = json.loads(said.stdout)
    check(p["embeds"][-1]["sha256"] == h.hexdigest() and p["size"] > 300 << 20, "300 MB: the embedded file's hash", p["embeds"])
    check(ASAN or int(said.stderr.split()[-1]) * 1024 <= 2 * p["size"], f"300 MB: memory {said.stderr.split()[-1]} KiB, {time.monotonic() - started:.1f} s")


def garbled():
    """What garble makes: other magic numbers, no build info, other names."""
    newest = max(GOS, key=lambda v: int(v[2:]))
    garble = os.path.join(CACHE, "garble-" + newest, "garble")
    if not os.path.exists(garble):
        env = go_env(GOBIN=os.path.dirname(garble), GOFLAGS="", PATH=os.path.dirname(GOS[newest]) + os.pathsep + os.environ["PATH"])
        env.pop("GOPROXY")
        got = subprocess.run(["go", "install", "mvdan.cc/garble@" + ("v0.17.0" if newest == "1.26" else "latest")], env=env, capture_output=True, text=True, check=False)
        if not check(os.path.exists(garble), "garble is fetched", got.stderr):
            return
    out = os.path.join(TOP, "garbled-shop")
    got = subprocess.run([garble, "build", "-o", out, "."], cwd=os.path.join(TOP, "shop"), capture_output=True, text=True, check=False,
                         env=go_env(PATH=os.path.dirname(GOS[newest]) + os.pathsep + os.environ["PATH"], GARBLE_CACHE=os.path.join(CACHE, "garble-cache")))
    if not check(got.returncode == 0, "garble builds", got.stderr):
        return
    p, plain = probe(out, "--functions", "."), probe(build(newest, "plain-shop", "shop"))
    want = {hashlib.sha256(text.encode()).hexdigest() for name, text in FILES.items() if name.startswith("assets/")}
    check(p["garbled"] and "runtime" in p["packages"] and abs(p["functions"]["linked"] - plain["functions"]["linked"]) < 50 and not any("yaml" in f["name"] for f in p["functions"]["list"]),
          "garbled: functions are found all the same", [p["garbled"], p["functions"]["linked"], plain["functions"]["linked"]])
    check(want <= {e.get("sha256") for e in p["embeds"]} and p["init_order"] == "tasks" and len(p["init"]) > 5, "garbled: embedded files and order of init", [p["embeds"], p["init"]])
    check({a["reason"] for a in p["absent"]} <= {"garbled", "stripped"} and "build_info" in {a["part"] for a in p["absent"]}, "garbled: named as the reason", p["absent"])


PARTS = {"foreign": foreign, "built": built, "shared": shared, "published": published, "big": big, "garbled": garbled}


def main():
    find_gos()
    write("shop", FILES)
    write("plug", PLUGIN)
    write("host", HOST)
    for part in sys.argv[1:] or (PARTS if FULL else ("foreign", "built")):
        PARTS[part]()


try:
    main()
finally:
    subprocess.run(["chmod", "-R", "u+w", TOP], check=False)
    shutil.rmtree(TOP, ignore_errors=True)
done()
