#!/usr/bin/env python3
# suite: limit 300
# suite: takes 60
"""tocsin check activation --graph: what programs import, and the order of initialisation beside that of the real program,
with the old rule (to 1.20) and the new one.

The real order is asked once for both builds of Tocsin. On the sanitizer build the whole standard library is read once with
each go, with cgo or without, and there are fewer programs of chance."""
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
sys.dont_write_bytecode = True
from tap import FULL, SLOW, TOCSIN, check, done, kept  # noqa: E402

TMP = os.path.realpath(tempfile.mkdtemp(prefix="tocsin-initorder-"))
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "TOCSIN_", "GO")) and k != "CI"}
ENV.update(LC_ALL="C.UTF-8", HOME=TMP, GOENV="off", GOTOOLCHAIN="local", GOFLAGS="-buildvcs=false")
for name in ("GOCACHE", "GOMODCACHE", "GOPROXY"):
    if name in os.environ:
        ENV[name] = os.environ[name]
ENV.setdefault("GOMODCACHE", os.path.join(TMP, "mod"))


def find_gos():
    """Every go that is here, by its version, the oldest and the newest."""
    found = {}
    for path in [shutil.which("go") or "", "/usr/local/go/bin/go", "/usr/lib/go-1.19/bin/go", "/usr/lib/go/bin/go"]:
        if os.access(path, os.X_OK):
            said = subprocess.run([path, "env", "GOVERSION"], env=ENV, capture_output=True, text=True, check=False).stdout.strip()
            if said.startswith("go1."):
                found[tuple(int(n) for n in re.findall(r"\d+", said))] = path
    order = sorted(found)
    return {v: found[v] for v in ({order[0], order[-1]} if order else [])}


GOS = find_gos()


def tree(name, files):
    top = os.path.join(TMP, name)
    for path, text in files.items():
        full = os.path.join(top, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)
    return top


def with_go(go, **more):
    """An environment in which this is the go on PATH."""
    return dict(ENV, PATH=os.path.dirname(go) + ":" + ENV["PATH"], **more)


def traced(top, go, package=".", env=None):
    """The packages that ran something, as the runtime tells; and what is wrong."""
    env = env or with_go(go)
    binary = os.path.join(TMP, "bin")

    def make(folder):
        with open(folder + "/said.json", "w", encoding="utf-8") as f:
            json.dump(run_traced(top, go, package, env, binary), f)
    sources = {os.path.relpath(os.path.join(d, n), TMP): open(os.path.join(d, n), encoding="utf-8").read() for d, _, names in os.walk(top) for n in names}
    with open(kept(make, "initorder", go, os.path.relpath(top, TMP), sources, package, sorted((k, v) for k, v in env.items() if k.startswith(("GO", "CGO")) and TMP not in v)) + "/said.json",
              encoding="utf-8") as f:
        return json.load(f)


def run_traced(top, go, package, env, binary):
    built = subprocess.run([go, "build", "-o", binary, package], cwd=top, env=env, capture_output=True, text=True, check=False, timeout=250)
    if built.returncode:
        return None, built.stderr
    ran = subprocess.run([binary], env=dict(env, GODEBUG="inittrace=1"), capture_output=True, text=True, check=False, timeout=60)
    names = re.findall(r"^init (\S+) @", ran.stderr, re.M)
    return [n.replace("%2e", ".") for n in names], ran.stderr


def told(top, go, package=".", env=None, args=()):
    """The order that Tocsin gives, its sections by program; the text."""
    got = subprocess.run([TOCSIN, "check", "activation", "--graph", "-", *args, package], cwd=top, env=env or with_go(go), capture_output=True, text=True,
                         check=False, timeout=120)
    return re.findall(r"^ *\d+  (\S+)", got.stdout, re.M), got.stdout + got.stderr


def same(what, top, go, main, package=".", env=None, args=()):
    real, err = traced(top, go, package, env)
    if real is None:
        check(False, what, err)
        return
    mine, text = told(top, go, package, env, args)
    mine = ["main" if n == main else n for n in mine]
    missing = [n for n in real if n not in mine]
    kept = [n for n in mine if n in real]
    ok = not missing and kept == real and len(real) > 3
    first = next((i for i, (a, b) in enumerate(zip(real, kept)) if a != b), None)
    check(ok, f"{what}: {len(real)} packages in the order of the real program",
          f"not told: {missing}\nfirst difference at {first}: real {real[first or 0:][:6]} told {kept[first or 0:][:6]}\n{text[:1500]}")


# ---- programs -----------------------------------------------------------------------------------------------------

STD = """package main

import (
	"archive/zip"
	"database/sql"
	"encoding/gob"
	"html/template"
	"image/png"
	"net/http"
	"regexp"
	"text/tabwriter"
)

var _ = []interface{}{zip.Store, sql.Drivers, gob.NewDecoder, template.New, png.Decode, http.Get, regexp.MustCompile, tabwriter.NewWriter}

func main() {}
"""
WORKS = {  # what a package has to initialise
    "init": "func init() { n++ }\nvar n int\n",
    "call": "var n = f()\nfunc f() int { return len(s) }\nvar s []int\n",
    "map": 'var N = map[string]int{"a": 1}\nfunc init() { N["b"] = 2 }\n',
    "empty": "func init() {}\n",
    "laid out": 'const c = 3\nvar a = [...]int{1, c}\nvar p = &a\nvar s = "x"\nvar f = func() int { return 1 }\nvar t = struct{ x int }{c + 1}\n',
    "nothing": "",
    "raw": "var s = `\nfunc init() { x }\nvar y = f(`\n\n/* var z = f() */\n",
}
NAMES = ["a", "a-b", "a/b", "a.b", "a/b.c", "b", "b/a", "By", "c", "c_d", "c/v2", "d", "zz", "z", "e", "e/f/g", "e/f", "m", "m1", "m.x/y"]


def made(seed):
    """A program of packages that import each other at random, with names that sort in surprising ways."""
    pick = random.Random(seed)
    names = NAMES[:]
    pick.shuffle(names)
    files = {"go.mod": "module example.com/made\n\ngo 1.19\n"}
    for i, name in enumerate(names):
        below = names[i + 1:]
        wanted = pick.sample(below, min(len(below), pick.choice([0, 0, 1, 2, 3])))
        std = pick.sample(["errors", "unicode/utf8", "math/bits", "sort", "strings", "container/list"], pick.choice([0, 0, 1]))
        work = pick.choice(list(WORKS))
        lines = "".join(f'import _ "example.com/made/{n}"\n' for n in wanted) + "".join(f'import _ "{n}"\n' for n in std)
        files[f"{name}/p.go"] = f"package p\n\n{lines}\n{WORKS[work]}"
        if pick.random() < 0.3 and i + 1 < len(names):
            files[f"{name}/a.go"] = f'package p\n\nimport _ "example.com/made/{pick.choice(below)}"\n'
    roots = pick.sample(names[:8], 5)
    files["main.go"] = "package main\n\n" + "".join(f'import _ "example.com/made/{n}"\n' for n in roots) + '\nfunc init() { println("main") }\n\nfunc main() {}\n'
    return files


def orders():
    check(len(GOS) == 2 and min(GOS)[:2] < (1, 21) <= max(GOS)[:2], "there is a go of each rule", str(GOS))
    std = tree("std", {"go.mod": "module example.com/std\n\ngo 1.19\n", "main.go": STD})
    for version, go in GOS.items():
        said = f"go{version[0]}.{version[1]}"
        if not SLOW or version == min(GOS):
            same(f"{said}: the standard library", std, go, "example.com/std")
        if not SLOW or version == max(GOS):
            same(f"{said}: without cgo", std, go, "example.com/std", env=with_go(go, CGO_ENABLED="0"))
        for seed in range(12 if FULL else 2 if SLOW else 4):
            same(f"{said}: packages of chance, {seed}", tree(f"made{seed}", made(seed)), go, "example.com/made")


def surroundings():
    """Where packages are found: replaced modules, vendor, go.work, cgo, several programs."""
    dep = {"go.mod": "module example.com/dep\n\ngo 1.19\n", "x/x.go": 'package x\n\nimport "os"\n\nvar V = os.Getenv("X")\n'}
    app = {"go.mod": "module example.com/app\n\ngo 1.19\n\nrequire example.com/dep v1.0.0\n\nreplace example.com/dep => ../dep\n",
           "main.go": 'package main\n\nimport (\n\t"example.com/app/one"\n\t"example.com/dep/x"\n)\n\nvar y = x.V + one.V\n\nfunc main() { println(y) }\n',
           "one/one.go": 'package one\n\nimport "fmt"\n\nvar V = fmt.Sprint(1)\n'}
    tree("dep", dep)
    top = tree("app", app)
    go = GOS[max(GOS)]
    same("a module that a folder replaces", top, go, "example.com/app")
    vendored = tree("vendored", dict(app, **{
        "vendor/modules.txt": "# example.com/dep v1.0.0 => ../dep\n## explicit; go 1.19\nexample.com/dep/x\n# example.com/dep => ../dep\n",
        "vendor/example.com/dep/x/x.go": dep["x/x.go"]}))
    same("vendor", vendored, go, "example.com/app")
    _, text = told(vendored, go)
    check("(example.com/dep@v1.0.0)" in text, "its packages are named with their module", text)
    work = tree("work", {"go.work": "go 1.19\n\nuse (\n\t./app\n\t./dep\n)\n", **{f"dep/{k}": v for k, v in dep.items()},
                         **{f"app/{k}": v for k, v in dict(app, **{"go.mod": app["go.mod"].replace("\nreplace example.com/dep => ../dep\n", "")}).items()}})
    same("go.work", os.path.join(work, "app"), go, "example.com/app")
    cgo = tree("cgo", {"go.mod": "module example.com/c\n\ngo 1.19\n",
                       "main.go": "package main\n\n// int f(void) { return 1; }\nimport \"C\"\nimport \"fmt\"\n\nvar x = C.f()\n\nfunc main() { fmt.Sprint(x) }\n"})
    for version, path in GOS.items():
        same(f"cgo, go{version[0]}.{version[1]}", cgo, path, "example.com/c", env=with_go(path, CGO_ENABLED="1"))
    two = tree("two", {"go.mod": "module example.com/two\n\ngo 1.19\n", "cmd/a/main.go": 'package main\n\nimport _ "fmt"\n\nfunc main() {}\n',
                       "cmd/b/main.go": 'package main\n\nimport _ "example.com/two/lib"\n\nfunc main() {}\n', "lib/lib.go": WORKS["init"].join(["package lib\n", ""])})
    _, text = told(two, go)
    check(text.count("is initialised in this order") == 2 and "example.com/two/cmd/b\n      example.com/two/lib\n" in text, "several programs, each with its order", text)
    same("one of several", two, go, "example.com/two/cmd/b", package="./cmd/b")
    _, text = told(tree("none", {"go.mod": "module example.com/n\n\ngo 1.19\n", "n.go": "package n\n"}), go)
    check("there is no program" in text, "no program: it is said", text)
    lost = tree("lost", {"go.mod": "module example.com/lost\n\ngo 1.19\n\nrequire example.com/gone v1.0.0\n",
                         "main.go": 'package main\n\nimport _ "example.com/gone/x"\n\nfunc main() {}\n'})
    mine, text = told(lost, go)
    check("example.com/gone/x was not found" in text and "runtime" in mine, "a package that is nowhere is named, the rest is told", text)


def pictures():
    go = GOS[max(GOS)]
    top = os.path.join(TMP, "made0")
    out = {}
    for name in ("g.svg", "g.dot", "g.txt"):
        got = subprocess.run([TOCSIN, "check", "activation", "--graph", os.path.join(TMP, name)], cwd=top, env=with_go(go), capture_output=True, text=True, check=False)
        if got.returncode or got.stdout:
            check(False, name, got.stdout + got.stderr)
            return
        with open(os.path.join(TMP, name), encoding="utf-8") as f:
            out[name] = f.read()
    counts = re.match(r"(\d+) packages and (\d+) imports", out["g.txt"])
    nodes, edges = re.findall(r"^  p\d+ \[label=", out["g.dot"], re.M), re.findall(r"^  p(\d+) -> p(\d+);", out["g.dot"], re.M)
    check(len(nodes) == int(counts[1]) and len(edges) == int(counts[2]) and max(int(n) for e in edges for n in e) < len(nodes),
          "DOT has every package and every import", f"{counts[0]}: {len(nodes)} {len(edges)}")
    svg = xml.fromstring(out["g.svg"])
    space = "{http://www.w3.org/2000/svg}"
    boxes = [g.find(space + "rect") for g in svg.iter(space + "g")]
    places = [(int(r.get("x")), int(r.get("y")), int(r.get("width")), int(r.get("height"))) for r in boxes]
    wide, high = int(svg.get("width")), int(svg.get("height"))
    apart = all(a is b or a[0] + a[2] <= b[0] or b[0] + b[2] <= a[0] or a[1] + a[3] <= b[1] or b[1] + b[3] <= a[1] for a in places for b in places)
    check(len(places) > 15 and apart and all(x >= 0 and y >= 0 and x + w <= wide and y + h <= high for x, y, w, h in places),
          "the picture is well-formed; no boxes lie over each other or outside", str(places))
    check("http" not in out["g.svg"].replace("http://www.w3.org/2000/svg", "") and "example.com/made/a-b" in out["g.svg"], "and holds all it needs")
    got = subprocess.run([TOCSIN, "check", "activation", "--graph", "-", "--json"], cwd=top, env=with_go(go), capture_output=True, text=True, check=False)
    check(got.returncode == 2 and "--graph" in got.stderr, "--graph with --json is refused", got.stderr)
    got = subprocess.run([TOCSIN, "--lang", "zh", "check", "activation", "--graph", "text"], cwd=top, env=with_go(go), capture_output=True, text=True, check=False)
    check("的初始化顺序" in got.stdout, "in Chinese", got.stdout[:300])


orders()
surroundings()
pictures()
subprocess.run(["chmod", "-R", "u+w", TMP], check=False)
subprocess.run(["rm", "-rf", TMP], check=False)
done()
