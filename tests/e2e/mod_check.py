#!/usr/bin/env python3
# suite: limit 240
# suite: takes 45
"""tocsin mod check: every rule on a made case, silent on the sound one; and real go, old and new, refuses what it calls an error."""
import base64
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
sys.dont_write_bytecode = True
from tap import FULL, SLOW, TOCSIN, check, done, skip  # noqa: E402

TMP = os.path.realpath(tempfile.mkdtemp(prefix="tocsin-modcheck-"))
BASE = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "TOCSIN_", "GIT_", "GO")) and k not in ("CI", "NETRC")}
BASE.update(LC_ALL="C.UTF-8", HOME=os.path.join(TMP, "home"), XDG_CONFIG_HOME=os.path.join(TMP, "config"), GIT_CONFIG_GLOBAL="/dev/null", GOENV="off", GOTOOLCHAIN="local",
            GOPROXY="file://" + TMP + "/proxy", GOSUMDB="off", GOFLAGS="-modcacherw", GOCACHE=os.environ["GOCACHE"])
os.makedirs(BASE["HOME"])


def find_gos():
    """Every go that is here, by its language version; the oldest and the newest are asked."""
    found = {}
    for path in [shutil.which("go") or "", "/usr/local/go/bin/go", "/usr/lib/go-1.19/bin/go", "/usr/lib/go/bin/go"]:
        if os.access(path, os.X_OK):
            said = subprocess.run([path, "env", "GOVERSION"], env=BASE, capture_output=True, text=True, check=False).stdout.strip()
            if said.startswith("go1."):
                found[said[2:]] = path
    order = sorted(found, key=lambda v: [int("".join(c for c in p if c.isdigit()) or 0) for p in v.split(".")])
    return {v: found[v] for v in ([order[0], order[-1]] if order else [])}


GOS = find_gos()
OLD = {v: p for v, p in GOS.items() if int(v.split(".")[1]) < 21}
SUMS = {}


def h1(files):
    text = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    return "h1:" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def module(path, version, gomod):
    """Into the file proxy."""
    folder = os.path.join(TMP, "proxy", path, "@v")
    os.makedirs(folder, exist_ok=True)
    files = {f"{path}@{version}/x.go": f"package {path.split('/')[-1]}\n".encode(), f"{path}@{version}/go.mod": gomod.encode()}
    with zipfile.ZipFile(f"{folder}/{version}.zip", "w") as z:
        for name, data in files.items():
            z.writestr(name, data)
    for ext, text in ((".mod", gomod), (".info", json.dumps({"Version": version, "Time": "2020-01-01T00:00:00Z"}))):
        with open(folder + "/" + version + ext, "w", encoding="utf-8") as f:
            f.write(text)
    with open(folder + "/list", "a", encoding="utf-8") as f:
        f.write(version + "\n")
    SUMS[path, version] = (h1(files), h1({"go.mod": gomod.encode()}))


def sums(*items, what="zm"):
    out = ""
    for item in items:
        path, version = item.split("@")
        if "z" in what:
            out += f"{path} {version} {SUMS[path, version][0]}\n"
        if "m" in what:
            out += f"{path} {version}/go.mod {SUMS[path, version][1]}\n"
    return out


for ver in ("v1.0.0", "v1.1.0", "v1.2.0"):
    for name in ("b", "fork", "fork2"):
        module("ex.test/" + name, ver, f"module ex.test/{'b' if 'fork' in name else name}\n\ngo 1.17\n")
module("ex.test/a", "v1.0.0", "module ex.test/a\n\ngo 1.17\n\nrequire ex.test/b v1.2.0\n")
module("ex.test/o", "v1.0.0", "module ex.test/o\n\ngo 1.16\n\nrequire ex.test/b v1.1.0\n")
module("ex.test/r", "v1.0.0", "module ex.test/r\n\ngo 1.17\n")
module("ex.test/r", "v1.1.0", "module ex.test/r\n\ngo 1.17\n\nretract v1.0.0 // loses data\n")
module("ex.test/new", "v1.0.0", "module ex.test/new\n\ngo 1.99\n")
module("ex.test/newer", "v1.0.0", "module ex.test/newer\n\ngo 1.22.5\n")
module("ex.test/p", "v0.0.0-20240102030405-abcdefabcdef", "module ex.test/p\n\ngo 1.17\n")


def put(name, files):
    top = os.path.join(TMP, "cases", name)
    for path, text in files.items():
        at = os.path.join(top, path)
        os.makedirs(os.path.dirname(at), exist_ok=True)
        with open(at, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
    return top


def tocsin(top, *flags, go=None, cache=None, **env):
    e = {**BASE, "GOMODCACHE": os.path.join(TMP, "mc" + (cache or "none")), **env}
    return subprocess.run([TOCSIN, "mod", "check", *(["--go", go] if go else []), *flags, top], env=e, capture_output=True, text=True, check=False, timeout=120)


def findings(r):
    """RULE severity FILE:LINE of each."""
    out = []
    for f in json.loads(r.stdout)["findings"]:
        assert f["message"].endswith(f"[{f['rule']}]"), f
        out.append((f["rule"], f["severity"], f"{os.path.basename(f['file']) if f['file'][0] in '~/' else f['file']}:{f['line'] or 0}", f["message"]))
    return out


def rules(found, *severities):
    return sorted({f[0] for f in found if f[1] in (severities or ("error", "warning"))})


def build(version, top, packages):
    e = dict(BASE, GOMODCACHE=os.path.join(TMP, "mc" + version))
    return subprocess.run([GOS[version], "build", *packages], cwd=top, env=e, capture_output=True, text=True, check=False, timeout=120)


turn = 0  # on the sanitizer build the go commands take turns: one a case


def case(title, files, want, places=(), packages=("./...",), agree=True, cache=True, fill=False):
    """want: the rules of errors and warnings with each go, {version prefix: …} or for all. go is asked first, which fills its cache."""
    global turn
    top = put(title.replace(" ", "_"), files)
    turn += 1
    for version in [list(GOS)[turn % len(GOS)]] if SLOW else GOS:
        old = version in OLD
        expected = sorted(want["old" if old else "new"] if isinstance(want, dict) else want)
        if fill: # a go that refuses a dependency's go line does not keep its go.mod
            subprocess.run([GOS[version], "mod", "download"], cwd=top, env=dict(BASE, GOMODCACHE=os.path.join(TMP, "mc" + version)), capture_output=True, check=False, timeout=120)
        r = build(version, top, packages)
        got = tocsin(top, "--json", go=version, cache=version if cache else None)
        try:
            found = findings(got)
        except (ValueError, KeyError):
            check(False, f"{title}, go {version}", got.stdout + got.stderr)
            continue
        if old and "go.too_new" not in expected: # said of every newer go line; one case looks at it
            found = [f for f in found if f[0] != "go.too_new"]
        detail = f"wanted {expected}\n" + "\n".join(map(str, found)) + f"\ngo: {r.returncode} {r.stderr}"
        check(rules(found) == expected, f"{title}, go {version}: what is found", detail)
        errors = rules(found, "error")
        check(got.returncode == (1 if errors else 0) and (not agree or (r.returncode != 0) == bool(errors)), f"{title}, go {version}: go refuses what is an error", detail)
        for p in places:
            check(any(f[2] == p for f in found) or not expected, f"{title}, go {version}: at {p}", detail)


B = "require ex.test/b v1.2.0\n"
SB = sums("ex.test/b@v1.2.0")
IB = 'package m\n\nimport _ "ex.test/b"\n'


def one(title, gomod, want, go="1.17", sum_=SB, source=IB, more=None, **how):
    files = {"go.mod": (f"module ex.test/m\n\ngo {go}\n\n" if go else "module ex.test/m\n\n") + gomod, "m.go": source, **(more or {})}
    if sum_ is not None:
        files["go.sum"] = sum_
    case(title, files, want, **how)


# ---- go.sum ----
for gov in ("1.16", "1.17", "1.21"):
    one(f"sound {gov}", B, [], gov)
    one(f"no sum {gov}", B, ["sum.missing"], gov, sum_=None, places=["go.mod:5"])
    one(f"no zip line {gov}", B, ["sum.missing"], gov, sum_=sums("ex.test/b@v1.2.0", what="m"), places=["go.mod:5"])
    one(f"no go.mod line {gov}", B, ["sum.missing"], gov, sum_=sums("ex.test/b@v1.2.0", what="z"))
    AB = "require ex.test/a v1.0.0\nrequire ex.test/b v1.2.0 // indirect\n"
    IA = 'package m\n\nimport _ "ex.test/a"\n'
    one(f"sound indirect {gov}", AB, [], gov, sum_=sums("ex.test/a@v1.0.0") + SB, source=IA)
    one(f"no line of an indirect one {gov}", AB, ["sum.missing"], gov, sum_=sums("ex.test/a@v1.0.0"), source=IA)
    one(f"too low {gov}", AB.replace("1.2.0", "1.1.0"), ["version.too_low"], gov, sum_=sums("ex.test/a@v1.0.0", "ex.test/b@v1.1.0") + SB, source=IA, places=["go.mod:6"])
    one(f"loose {gov}", "require ex.test/b v1.2\n", ["version.loose"], gov, places=["go.mod:5"])
    one(f"twice {gov}", "require ex.test/b v1.1.0\n" + B, ["version.repeated"], gov, sum_=SB + sums("ex.test/b@v1.1.0", what="m"), places=["go.mod:6"])
    one(f"twice the same {gov}", B + B, [], gov)
    one(f"excluded {gov}", "exclude ex.test/b v1.2.0\n" + B, ["version.excluded"], gov, places=["go.mod:6"])
one("deep go.mod line", "require ex.test/o v1.0.0\n", ["sum.missing"], "1.16", sum_=sums("ex.test/o@v1.0.0"), source='package m\n\nimport _ "ex.test/o"\n')
one("deep go.mod line, pruned", "require ex.test/o v1.0.0\n", ["sum.missing"], "1.18", sum_=sums("ex.test/o@v1.0.0"), source='package m\n\nimport _ "ex.test/o"\n')
one("unused", B, ["sum.unused"], "1.18", sum_=SB + sums("ex.test/a@v1.0.0"), places=["go.sum:3", "go.sum:4"])
one("unused older zip", B, ["sum.unused"], "1.18", sum_=sums("ex.test/b@v1.1.0", what="z") + SB, places=["go.sum:1"])
one("unused older zip, no cache", B, ["sum.unused"], "1.18", sum_=sums("ex.test/b@v1.1.0", what="z") + SB, cache=False)
one("unused is not known", B, [], "1.18", sum_=SB + sums("ex.test/a@v1.0.0"), cache=False)
ZERO = "h1:" + base64.b64encode(bytes(32)).decode()
for what, text, want in (("merge marks", "<<<<<<< HEAD\n", ["sum.line"]), ("two words", "ex.test/b v1.2.0\n", ["sum.line"]), ("four words", "ex.test/b v1.2.0 h1:x y\n", ["sum.line"]),
                         ("two hashes", f"ex.test/b v1.2.0 {ZERO}\n", ["sum.hash"]), ("no hash", "ex.test/b v1.2.0 h1:xx\n", ["sum.hash"]),
                         ("NUL", b"ex.test/\0b v1.2.0 h1:xx\n", ["sum.strange"]), ("another hash kind", "ex.test/zz v1.2.0 h9:xx\n", ["sum.strange"]),
                         ("no version", "ex.test/b 1.2.0 h1:xx\n", ["sum.strange"]), ("no hash, not wanted", "ex.test/zz v1.2.0 h1:xx\n", ["sum.hash"])):
    raw = text if isinstance(text, bytes) else text.encode()
    one("sum " + what, B, want, sum_=raw + SB.encode(), places=["go.sum:2" if what == "two hashes" else "go.sum:1"], cache=False)
one("sum CRLF", B, [], sum_=SB.replace("\n", "\r\n"))

# ---- go.mod ----
one("merge marks", "<<<<<<< HEAD\n" + B + "=======\n>>>>>>> x\n", ["syntax"], places=["go.mod:5"])
one("branch", "require ex.test/b master\n", ["version.invalid"], agree=False)
one("major", "require ex.test/b v2.0.0\n", ["version.invalid"], places=["go.mod:5"])
one("too new", B, {"old": ["go.too_new"], "new": ["go.too_new"]}, "1.99", places=["go.mod:3"])
one("three numbers", B, {"old": ["go.form"], "new": []}, "1.21.0")
one("toolchain", "toolchain go1.21.0\n" + B, {"old": ["go.form"], "new": []}, "1.21")
one("toolchain beside an old go", "toolchain go1.20\n" + B, {"old": ["go.form"], "new": ["go.toolchain"]}, "1.17", places=["go.mod:5"])
one("toolchain default", "toolchain default\n" + B, {"old": ["go.form"], "new": ["go.toolchain"]}, "1.21")
one("godebug", "godebug default=go1.21\n" + B, {"old": ["go.form"], "new": []}, "1.21")
one("tool", "tool ex.test/b\n" + B, {"old": ["go.form"], "new": []}, "1.21")
one("dependency too new", "require ex.test/new v1.0.0\n", {"old": [], "new": ["go.dependency"]}, "1.21", sum_=sums("ex.test/new@v1.0.0"), source='package m\n\nimport _ "ex.test/new"\n', places=["go.mod:5"], fill=True)
one("dependency newer", "require ex.test/newer v1.0.0\n", {"old": [], "new": ["go.dependency"]}, "1.21", sum_=sums("ex.test/newer@v1.0.0"), source='package m\n\nimport _ "ex.test/newer"\n')
one("no go line", B, [], None)

# ---- replacements ----
GOOD_B = {"b/go.mod": "module ex.test/b\n\ngo 1.17\n", "b/b.go": "package b\n"}
one("replace folder", "replace ex.test/b => ./b\n" + B, [], more=GOOD_B, sum_="")
one("replace missing", "replace ex.test/b => ./b\n" + B, ["replace.missing"], sum_="", places=["go.mod:5"])
one("replace without go.mod", "replace ex.test/b => ./b\n" + B, ["replace.missing"], sum_="", more={"b/b.go": "package b\n"})
one("replace missing, not required", "replace ex.test/z => ./b\n" + B, ["replace.missing"])
one("replace twice", "replace ex.test/b => ./b\nreplace ex.test/b => ./c\n" + B, ["replace.missing", "replace.repeated"], more=GOOD_B, sum_="", places=["go.mod:6"], agree=False)
one("replace by a module", "replace ex.test/b => ex.test/fork v1.0.0\n" + B, [], sum_=sums("ex.test/fork@v1.0.0"))
one("replace by a module without sum", "replace ex.test/b => ex.test/fork v1.0.0\n" + B, ["sum.missing"], "1.17", sum_=SB)

# ---- vendor ----
LIST = "# ex.test/b v1.2.0\n## explicit; go 1.17\nex.test/b\n"


def vendor(title, gomod, text, want, go="1.17", more=None, **how):
    files = {"vendor/ex.test/b/b.go": "package b\n", **(more or {})}
    if text is not None:
        files["vendor/modules.txt"] = text
    one("vendor " + title, gomod, want, go, sum_=how.pop("sum_", SB), more=files, **how)


FORK = "replace ex.test/b => ex.test/fork v1.0.0\n"
SF = sums("ex.test/fork@v1.0.0")
REPLACED = "# ex.test/b v1.2.0 => ex.test/fork v1.0.0\n## explicit; go 1.17\nex.test/b\n"
vendor("sound", B, LIST, [])
vendor("without modules.txt", B, None, ["vendor.required"], places=["go.mod:5"])
vendor("not explicit", B, LIST.replace("explicit; ", ""), ["vendor.required"])
vendor("other version", B, LIST.replace("1.2.0", "1.1.0"), ["vendor.required"], places=["go.mod:5", "vendor/modules.txt:1"])
vendor("more", B, LIST + "# ex.test/z v1.0.0\n## explicit\nex.test/z\n", ["vendor.required"], places=["vendor/modules.txt:4"])
vendor("more without packages", B, LIST + "# ex.test/z v1.0.0\n## explicit\n", [])
vendor("unlisted", B, LIST + "# ex.test/z v1.0.0\nex.test/z\n", ["vendor.required"])
vendor("replaced", B + FORK, REPLACED + "# ex.test/b => ex.test/fork v1.0.0\n", [], sum_=SF)
vendor("not marked replaced", B + FORK, LIST, ["vendor.replaced"], sum_=SF, places=["go.mod:6"])
vendor("replaced in part", B + FORK, REPLACED, ["vendor.replaced"], sum_=SF)
vendor("replaced otherwise", B + FORK, REPLACED.replace("v1.0.0", "v1.1.0") + "# ex.test/b => ex.test/fork v1.1.0\n", ["vendor.replaced"], sum_=SF)
vendor("no longer replaced", B, REPLACED, ["vendor.replaced"], places=["vendor/modules.txt:1"])
vendor("before 1.14", B, LIST.replace("1.2.0", "1.1.0"), [], "1.13")
vendor("no go line", B, LIST.replace("1.2.0", "1.1.0"), [], None)
vendor("of a workspace", B, "## workspace\n" + LIST.replace("1.2.0", "1.1.0"), {"old": ["vendor.required"], "new": []})
vendor("needs a newer go", B, LIST.replace("go 1.17", "go 1.99"), {"old": [], "new": ["go.dependency"]})
vendor("without go.sum", B, LIST, ["sum.missing"], sum_=None)

# ---- workspaces ----


def work(title, x, y, want, uses="use ./x\nuse ./y\n", head="go 1.18\n", xgo="1.17", ygo="1.17", more=None, source=IB.replace(" m", " x"), **how):
    files = {"go.work": head + uses, "x/go.mod": f"module ex.test/x\n\ngo {xgo}\n\n" + x, "y/go.mod": f"module ex.test/y\n\ngo {ygo}\n\n" + y, "x/x.go": source, "y/y.go": "package y\n",
             "x/go.sum": SB + SF if x else "", **(more or {})}
    case("work " + title, files, want, packages=("./x/...", "./y/..."), **how)


WILD, ONE = FORK, "replace ex.test/b v1.2.0 => ex.test/fork2 v1.0.0\n"
NOSUM = {"x/go.sum": ""}
work("sound", B, "", [], more={"x/go.sum": SB})
work("without sums", B, "", ["sum.missing"], more=NOSUM, places=["x/go.mod:5"])
work("wildcard first", B + WILD, ONE, ["replace.order"], more={"x/go.sum": SF}, places=["y/go.mod:5"])
work("wildcard last", B + ONE, WILD, ["replace.order"], more={"x/go.sum": sums("ex.test/fork2@v1.0.0")}, places=["x/go.mod:6"])
work("wildcard first, another version", "require ex.test/b v1.1.0\n" + WILD, ONE, ["replace.order"], more={"x/go.sum": SF})
work("wildcard first, deep", "require ex.test/a v1.0.0\nrequire ex.test/b v1.2.0 // indirect\n" + WILD, ONE, ["replace.order"], more={"x/go.sum": sums("ex.test/a@v1.0.0") + SF},
     source='package x\n\nimport _ "ex.test/a"\n')
work("wildcard first, same target", B + WILD, ONE.replace("fork2", "fork"), [], more={"x/go.sum": SF})
work("wildcard first, go.work decides", B + WILD, ONE, [], head="go 1.18\nreplace ex.test/b => ex.test/fork v1.1.0\n", more={"x/go.sum": SF})
work("two wildcards", B + WILD, WILD.replace("fork ", "fork2 "), ["replace.repeated"], more={"x/go.sum": SF}, places=["y/go.mod:5"])
work("both in one", B + WILD + ONE, "", [], more={"x/go.sum": sums("ex.test/fork2@v1.0.0")})
work("same folder", B + "replace ex.test/b => ../b\n", "replace ex.test/b => ./../b\n", [], more={**GOOD_B, "x/go.sum": ""})
work("different folders", B + "replace ex.test/b => ./b\n", "replace ex.test/b => ./b\n", ["replace.repeated"],
     more={**{d + "/" + k: v for d in "xy" for k, v in GOOD_B.items()}, "x/go.sum": ""})
work("no such member", B, "", ["work.missing"], uses="use ./x\nuse ./y\nuse ./z\n", more={"x/go.sum": SB}, places=["go.work:4"])
work("member twice", B, "", ["work.repeated"], uses="use ./x\nuse ./y\nuse ./y/../y\n", more={"x/go.sum": SB}, places=["go.work:4"])
work("module twice", B, "", ["work.repeated"], more={"x/go.sum": SB, "y/go.mod": "module ex.test/x\n\ngo 1.17\n"})
work("member needs a newer go", B, "", {"old": ["go.too_new"], "new": ["work.go"]}, ygo="1.21", more={"x/go.sum": SB}, places=["y/go.mod:3"])
work("member below 1.21", B, "", {"old": ["go.too_new"], "new": []}, ygo="1.20", more={"x/go.sum": SB})
work("excluded by another", B, "exclude ex.test/b v1.2.0\n", ["version.excluded"], more={"x/go.sum": SB}, places=["x/go.mod:5"])
work("loose in a member", B, "require ex.test/b v1.2\n", ["sum.missing", "version.loose"], more={"x/go.sum": SB})
work("bad line in a member's sum", B, "", ["sum.line"], more={"x/go.sum": "a b c d\n" + SB}, places=["x/go.sum:1"])
work("bad line in go.work.sum", B, "", ["sum.line"], more={"x/go.sum": SB, "go.work.sum": "a b c d\n"}, places=["go.work.sum:1"])
work("unpublished member", B + "require ex.test/y v0.0.0\n", "", ["work.unpublished"], more={"x/go.sum": SB}, places=["x/go.mod:6"], agree=False)
WLIST = "## workspace\n" + LIST
WV = {"vendor/ex.test/b/b.go": "package b\n", "x/go.sum": SB}
work("vendor sound", B, "", {"old": ["go.too_new"], "new": []}, head="go 1.22\n", more={**WV, "vendor/modules.txt": WLIST})
work("vendor other version", B, "", {"old": ["go.too_new"], "new": ["vendor.required"]}, head="go 1.22\n", more={**WV, "vendor/modules.txt": WLIST.replace("1.2.0", "1.1.0")})
work("vendor folder of a member", B, "replace ex.test/b => ../b\n", {"old": ["go.too_new"], "new": ["vendor.replaced"]}, head="go 1.22\n", more={**WV, "vendor/modules.txt": WLIST, **GOOD_B}, agree=False)

# ---- what go has no opinion on ----
newest = list(GOS)[-1] if GOS else "1.26.0"


def alone(title, files, want, severity="warning", places=(), flags=(), **env):
    top = put(title.replace(" ", "_"), files)
    r = tocsin(top, "--json", *flags, go=newest, cache=newest, **env)
    found = findings(r)
    check(rules(found, severity) == sorted(want), f"{title}: what is found", r.stdout)
    for p in places:
        check(any(f[2] == p for f in found), f"{title}: at {p}", r.stdout)
    return top, found


MOD = "module ex.test/m\n\ngo 1.17\n\n"
for gov in GOS:
    build(gov, put("fill" + gov, {"go.mod": MOD + "require ex.test/r v1.1.0\n", "go.sum": sums("ex.test/r@v1.1.0"), "m.go": 'package m\n\nimport _ "ex.test/r"\n'}), ["./..."])
alone("retracted", {"go.mod": MOD + "require ex.test/r v1.0.0\n", "go.sum": sums("ex.test/r@v1.0.0")}, ["version.retracted"], places=["go.mod:5"])
alone("retracted, by the network", {"go.mod": MOD + "require ex.test/r v1.0.0\n", "go.sum": sums("ex.test/r@v1.0.0")}, ["version.retracted"], flags=["--network"], GOMODCACHE=TMP + "/none")
_, told = alone("not retracted", {"go.mod": MOD + "require ex.test/r v1.1.0\n", "go.sum": sums("ex.test/r@v1.1.0")}, [])
P = "ex.test/p@v0.0.0-20240102030405-abcdefabcdef"
_, told = alone("commit", {"go.mod": MOD + "require " + P.replace("@", " ") + "\n", "go.sum": sums(P)}, ["version.pseudo"], "note", ["go.mod:5"])
check(any("abcdefabcdef of 2024-01-02" in f[3] for f in told), "commit: it and its date are said", told)
alone("incompatible", {"go.mod": MOD + "require ex.test/i v2.0.0+incompatible\n"}, ["version.incompatible"], "note")
os.makedirs(os.path.join(TMP, "elsewhere"), exist_ok=True)
with open(os.path.join(TMP, "elsewhere", "go.mod"), "w", encoding="utf-8") as f:
    f.write("module ex.test/b\n")
alone("replace outside", {"go.mod": MOD + B + "replace ex.test/b => ../../elsewhere\n"}, ["replace.outside"], places=["go.mod:6"])
alone("use outside", {"go.work": "go 1.18\n\nuse .\nuse ../../elsewhere\n", "go.mod": MOD}, ["work.outside"], places=["go.work:4"])
alone("different go lines", {"go.work": "go 1.20\n\nuse ./x\nuse ./y\n", "x/go.mod": "module ex.test/x\n\ngo 1.17\n", "y/go.mod": "module ex.test/y\n\ngo 1.20\n"}, ["work.go_mix"], "note", ["y/go.mod:3"])
alone("pins", {"go.mod": "module ex.test/m\n\ngo 1.21.5\n", ".go-version": "1.20.3\n", ".tool-versions": "nodejs 20\ngolang 1.21.6\n", "Dockerfile": "FROM golang:1.19 AS build\nFROM golang:1.21\n"},
      ["go.pin"], places=[".go-version:1", "Dockerfile:1"])
alone("pins that fit", {"go.mod": "module ex.test/m\n\ngo 1.21.5\n", ".go-version": "1.22\n", "Dockerfile": "FROM golang:1.21-alpine\nFROM alpine:3\n"}, [])

# ---- allow ----
top, told = alone("allowed", {"go.mod": MOD + B + "replace ex.test/b => ../../elsewhere // tocsin:allow for the demo\n"}, [])
check(any(f[0] == "replace.outside" and f[1] == "note" and "allowed" in f[3] for f in told), "allowed: a note in JSON", told)
r = tocsin(top, go=newest)
check("1 findings are allowed" in r.stdout and "replace.outside" not in r.stdout, "allowed: counted", r.stdout)
check("replace.outside" in tocsin(top, "--show-allowed", "--notes", go=newest).stdout, "allowed: shown when asked for")
alone("allowed by rule", {"go.mod": MOD + B + "replace ex.test/b => ../../elsewhere // tocsin:allow replace.outside: demo\n"}, [])
alone("another rule allowed", {"go.mod": MOD + B + "replace ex.test/b => ../../elsewhere // tocsin:allow sum.missing\n"}, ["replace.outside"])
alone("allowed in the whole file", {"go.mod": "module ex.test/m // tocsin:allow sum.missing checked by hand\n\ngo 1.17\n\n" + B}, [], "error")

# ---- .netrc ----
SECRET = "s3cr3t-word"


def netrc(title, text, want, severity="warning", mode=0o600, proxy="https://proxy.test"):
    file = os.path.join(TMP, "netrc-" + title.replace(" ", "-"))
    with open(file, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(file, mode)
    r = tocsin(put("netrc", {"go.mod": "module ex.test/m\n\ngo 1.17\n"}), "--json", go=newest, NETRC=file, GOPROXY=proxy)
    check(rules(findings(r), severity) == sorted(want), f"netrc {title}", r.stdout)
    check(SECRET not in r.stdout + r.stderr, f"netrc {title}: the password is not said", r.stdout)


netrc("sound", f"machine git.test login u password {SECRET}\n", [])
netrc("readable", f"machine git.test login u password {SECRET}\n", ["netrc.mode"], mode=0o644)
netrc("default first", f"default login u password {SECRET}\nmachine git.test login u password {SECRET}\n", ["netrc.default"])
netrc("quotes", f'machine git.test login u password "{SECRET}"\n', ["netrc.quotes"])
netrc("no login", f"machine git.test password {SECRET}\n", ["netrc.entry"])
netrc("no password for the proxy", "machine proxy.test login u\n", ["netrc.entry"], "error")
netrc("quotes for the proxy", f'machine proxy.test login u password "{SECRET}"\n', ["netrc.quotes"], "error")

# ---- the answer's forms ----
top = put("forms", {"go.mod": MOD + B, "sub/x.go": "package sub\n"})
zh = subprocess.run([TOCSIN, "mod", "check", "--lang", "zh", top], env=dict(BASE, GOMODCACHE=TMP + "/none"), capture_output=True, text=True, check=False)
check(zh.returncode == 1 and "没有" in zh.stdout and "go mod tidy" in zh.stdout, "in Chinese", zh.stdout)
r = tocsin(top, go=newest)
check("go.mod:5:1: mod.missing_sum: " in r.stdout and "→ Run `go mod tidy`" in r.stdout and "1 errors, 0 warnings" in r.stdout, "file, line and column, cause, advice", r.stdout)
sub = subprocess.run([TOCSIN, "mod", "check"], cwd=os.path.join(top, "sub"), env=dict(BASE, GOMODCACHE=TMP + "/none"), capture_output=True, text=True, check=False)
check("../go.mod:5:1: " in sub.stdout, "files are named from where it was run", sub.stdout)
answer = json.loads(tocsin(top, "--json", go=newest).stdout)
check(answer["schema"] == "tocsin.check/1" and answer["checked"]["modules"] == 1 and answer["checked"]["files"] == 1 and answer["checked"]["bytes"] > 30, "the counts", answer)
f = answer["findings"][0]
check(f["cause"] == "mod.missing_sum" and f["file"] == "go.mod" and f["line"] == 5 and f["classes"] == ["permanent"] and f["advice"], "a finding in JSON", f)
sarif = os.path.join(TMP, "out.sarif")
tocsin(top, "--sarif", sarif, go=newest)
with open(sarif, encoding="utf-8") as fh:
    results = json.load(fh)["runs"][0]["results"]
check(any(x["ruleId"] == "mod.missing_sum" and x["locations"][0]["physicalLocation"]["region"]["startLine"] == 5 for x in results), "SARIF", results)
top = put("strict", {"go.mod": MOD + "replace ex.test/z => ./z\n"})
check(tocsin(top, go=newest).returncode == 0 and tocsin(top, "--strict", go=newest).returncode == 1, "--strict")
check(tocsin(TMP + "/none").returncode == 2 and tocsin(top, "--go", "x").returncode == 2 and tocsin("/").returncode == 2, "wrong use is 2")
table = [subprocess.run([TOCSIN, "mod", "check", "--rules", "--lang", lang], env=BASE, capture_output=True, text=True, check=False).stdout for lang in ("en", "zh")]
ids = [line.split()[0] for line in table[0].splitlines() if line[:1] not in (" ", "")]
check(len(ids) > 30 and len(set(ids)) == len(ids) and ids == [line.split()[0] for line in table[1].splitlines() if line[:1] not in (" ", "")], "--rules", table[0])
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "mod_check.py"), encoding="utf-8") as fh:
    text = fh.read()
check(not [i for i in ids if text.count('"' + i + '"') == 0 and i not in ("sum.crlf", "vendor.line", "replace.local", "go.none")], "each rule has a case here", [i for i in ids if '"' + i + '"' not in text])
alone("notes", {"go.mod": "module ex.test/m\n\n" + B, "go.sum": SB.replace("\n", "\r\n")}, ["go.none", "sum.crlf"], "note")
alone("vendor line", {"go.mod": MOD + B, "go.sum": SB, "vendor/modules.txt": LIST + "??? what\n"}, ["vendor.line"])

# ---- bad input ----


def timed(title, files, limit=10):
    top = put(title.replace(" ", "_"), files)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    r = tocsin(top, go=newest)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    check(r.returncode in (0, 1) and spent < limit and len(r.stdout) < 100000, f"{title}: {spent:.1f} s of CPU time", (r.returncode, r.stderr[:300], r.stdout[:2000]))
    shutil.rmtree(top)
    return r


r = timed("go.mod of 20 MB", {"go.mod": MOD + "require (\n" + "".join(f"\tex.test/m{i} v1.0.{i}\n" for i in range(260000 if SLOW else 700000)) + ")\n"}, 20)
check("250000" in r.stdout or "too" in r.stdout, "go.mod of 20 MB: it is said", r.stdout[-1500:])
timed("go.mod of 20 MB in one line", {"go.mod": b"module " + b"x" * 20000000})
timed("many replacements", {"go.mod": MOD + "".join(f"replace ex.test/m{i} => ./m{i}\n" for i in range(20000))})
LINE = f"ex.test/b v1.2.0/go.mod {ZERO}\n"
timed("go.sum of a million lines", {"go.mod": MOD + B, "go.sum": LINE * (200000 if SLOW else 1000000)}, 20)


def long_sum(lines):
    """A go.sum that is not held in memory: what is said of it, in what memory, by check and by verify."""
    top = put("long", {"go.mod": MOD.replace("go 1.17", "go 1.18") + B, "go.sum": SB})
    hashes = ["h1:" + base64.b64encode(bytes([i]) * 32).decode() for i in range(256)]
    with open(os.path.join(top, "go.sum"), "a", encoding="ascii", buffering=1 << 20) as f:
        for i in range(0, lines, 1000):
            f.write("".join(f"ex.test/long/module{j >> 1:07} v1.0.0{'/go.mod' if j & 1 else ''} {hashes[j & 255]}\n" for j in range(i, i + 1000)))
        f.write("three words here too\n" + LINE)
    size = os.path.getsize(os.path.join(top, "go.sum"))
    for verb, wants in (("check", (f"go.sum:{lines + 3}:", "[sum.line]", f"go.sum:{lines + 4}:", "[sum.hash]", f"{lines} of these", "[sum.unused]")), ("verify", ())):
        argv = [TOCSIN, "mod", verb, top, *(["--go", newest] if verb == "check" else [])]
        # GNU time starts it: a fork of this process would count our own memory.
        r = subprocess.run(["/usr/bin/time", "-q", "-f", "%U %S %M", "-o", top + ".time", *argv], env=dict(BASE, GOMODCACHE=os.path.join(TMP, "mc" + newest)), capture_output=True, text=True, check=False, timeout=600)
        with open(top + ".time", encoding="ascii") as f:
            user, system, kib = f.read().split()[-3:]
        said, spent, mib = r.stdout + r.stderr, float(user) + float(system), int(kib) >> 10
        check(r.returncode in (0, 1) and all(w in said for w in wants) and len(said) < 100000 and spent < 5 + lines / 200000,
              f"mod {verb}, go.sum of {lines} lines, {size >> 20} MiB: {spent:.1f} s of CPU time", (r.returncode, said[:3000]))
        check(mib < (128 if os.environ.get("TOCSIN_TEST_BUILD") != "asan" and "asan" not in TOCSIN else 1024), f"mod {verb}, go.sum of {lines} lines: in {mib} MiB of memory")
    shutil.rmtree(top)


long_sum(10000000 if FULL else 100000 if SLOW else 500000)
timed("go.sum of NUL", {"go.mod": MOD + B, "go.sum": b"\0" * 5000000})
timed("go.sum in one line", {"go.mod": MOD + B, "go.sum": "a" * 5000000})
timed("a member in itself", {"go.work": "go 1.18\nuse .\nuse ./.\n" + "use ./m\n" * 1000, "go.mod": MOD})
if not OLD:
    skip("a go before 1.21", "none is installed here")
shutil.rmtree(TMP, ignore_errors=True)
done()
