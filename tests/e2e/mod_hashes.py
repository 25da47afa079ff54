#!/usr/bin/env python3
# suite: limit 200
"""The h1: hashes that `tocsin mod verify --json` lists beside the Sum and GoModSum of `go mod download -json`.

Of real modules where a module proxy is reached (more than 200 under TOCSIN_TEST_FULL=1, kept in ~/.cache/tocsin-tests/hashes), and always of
modules made here of the sources of Debian's golang packages, else of Go's own library (then more than 200 as well).
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
sys.dont_write_bytecode = True
import goproxy as gp  # noqa: E402
from tap import FULL, TOCSIN, check, done, skip  # noqa: E402

TMP = os.path.realpath(tempfile.mkdtemp(prefix="tocsin-hashes-"))
KEPT = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "tocsin-tests", "hashes")
WANTED = 200
GOES = gp.goes()
# The whole build lists of these are compared: go 1.16 in go.mod takes in all that they require.
FEW = ["github.com/stretchr/testify v1.8.4", "github.com/BurntSushi/toml v1.3.2", "github.com/google/uuid v1.3.0", "github.com/pkg/errors v0.9.1",
       "github.com/spf13/cast v1.5.1", "github.com/inconshreveable/mousetrap v1.1.0"]
MANY = FEW + ["go.uber.org/zap v1.24.0", "github.com/prometheus/common v0.26.0", "github.com/hashicorp/consul/api v1.12.0", "github.com/gin-gonic/gin v1.9.1",
              "github.com/labstack/echo/v4 v4.11.1", "github.com/hashicorp/vault/api v1.9.2", "github.com/spf13/cobra v1.2.1"]


def environment(go, cache, **more):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("TOCSIN", "GO")) or k in ("GOPROXY", "GOSUMDB", "GOPRIVATE", "GOINSECURE", "GOCACHE")}
    env.update(GOTOOLCHAIN="local", GOENV="off", GOFLAGS="-mod=mod", GOWORK="off", GOPATH=TMP, GOMODCACHE=cache, PATH=os.path.dirname(go) + os.pathsep + env["PATH"])
    env.update(more)
    return env


def run(argv, cwd, env, limit=600):
    try:
        return subprocess.run(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=limit)
    except subprocess.TimeoutExpired as e:
        return subprocess.CompletedProcess(argv, 124, "", f"no end within {e.timeout} s")


def project(name, requires):
    folder = os.path.join(TMP, name)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "go.mod"), "w", encoding="utf-8") as f:
        f.write("module example.test/hashes\n\ngo 1.16\n\nrequire (\n" + "".join(f"\t{r}\n" for r in requires) + ")\n")
    return folder


def objects(text):
    """What stands in a stream of JSON values."""
    decoder, at, found = json.JSONDecoder(), 0, []
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        value, at = decoder.raw_decode(text, at)
        found.append(value)
    return found


def ours(folder, env):
    """{(path, version): (sum, go_mod_sum)}, the answer, what was said."""
    r = run([TOCSIN, "mod", "verify", "--json"], folder, dict(env, GOPROXY="off"))
    try:
        said = json.loads(r.stdout)
        return {(m["path"], m["version"]): (m["sum"], m["go_mod_sum"]) for m in said["modules"]}, said, r
    except (ValueError, KeyError):
        return {}, {}, r


def compare(name, folder, env, at_least):
    """How many modules' hashes are the same."""
    r = run(["go", "mod", "download", "-json"], folder, env, 1500)
    theirs = {(m["Path"], m["Version"]): (m.get("Sum"), m.get("GoModSum")) for m in objects(r.stdout)} if r.returncode == 0 else {}
    check(len(theirs) >= at_least and all(s and g for s, g in theirs.values()), f"{name}: go mod download gives Sum and GoModSum of {at_least} modules and more", f"{len(theirs)} {r.stdout[-500:]}{r.stderr[-1500:]}")
    have, said, r = ours(folder, env)
    wrong = [f"{k}: go {theirs.get(k)}, ours {have.get(k)}" for k in sorted(theirs.keys() | have.keys()) if theirs.get(k) != have.get(k)]
    check(theirs and not wrong, f"{name}: the same hashes", "\n".join(wrong) or r.stderr)
    check(r.returncode == 0 and said.get("findings") == [] and said["checked"]["modules"] == len(theirs), f"{name}: and all of them are what they should be", r.stdout[:2000] + r.stderr)
    same = sum(theirs.get(k) == h for k, h in have.items())
    print(f"# {name}: {same} modules with the same Sum and GoModSum", flush=True)
    return same


# ---- modules made here ----

def sources():
    """(name of a module, its folder, whether folders below belong to it)."""
    top = "/usr/share/gocode/src"  # Debian's golang-*-dev packages
    for host in sorted(os.listdir(top)) if os.path.isdir(top) else []:
        for group in sorted(os.listdir(os.path.join(top, host))):
            at = os.path.join(top, host, group)
            for name in sorted(os.listdir(at)) if os.path.isdir(at) else []:
                yield f"{host}/{group}/{name}", os.path.join(at, name), True
    root = run([GOES[0], "env", "GOROOT"], TMP, environment(GOES[0], os.path.join(TMP, "none"))).stdout.strip()
    for at, folders, files in sorted(os.walk(os.path.join(root, "src"))):
        folders[:] = [d for d in folders if d not in ("testdata", "vendor")]
        if any(f.endswith(".go") for f in files):
            yield "example.test/GoRoot/" + os.path.relpath(at, root).replace("+", "-"), at, False


def files_of(folder, deep):
    for at, folders, files in os.walk(folder):
        if not deep:
            folders[:] = []
        for f in sorted(files):
            path = os.path.join(at, f)
            if os.path.isfile(path) and not os.path.islink(path) and os.path.getsize(path) < 4 << 20:
                yield os.path.relpath(path, folder), path


def make_module(proxy, module, folder, deep):
    """A zip as a proxy has it. Capital letters in the path, and a version that takes its own escapes, every few modules."""
    versions = ("v1.0.0", "v0.1.2-RC.1", "v0.0.0-20240102030405-abcdefabcdef")
    version = versions[len(module) % 3]
    to = os.path.join(proxy, gp.escape(module), "@v")
    os.makedirs(to, exist_ok=True)
    mod = f"module {module}\n\ngo 1.16\n"
    base = os.path.join(to, gp.escape(version))
    with open(base + ".mod", "w", encoding="utf-8") as f:
        f.write(mod)
    with open(base + ".info", "w", encoding="utf-8") as f:
        json.dump({"Version": version, "Time": "2024-01-02T03:04:05Z"}, f)
    with zipfile.ZipFile(base + ".zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as z:
        z.writestr(f"{module}@{version}/go.mod", mod)
        for name, path in files_of(folder, deep):
            if name != "go.mod" and "vendor/" not in name:
                with open(path, "rb") as f:
                    z.writestr(f"{module}@{version}/{name}", f.read())
    return f"{module} {version}"


def made_here():
    proxy, count, requires = os.path.join(TMP, "proxy"), WANTED + 20 if FULL else 40, []
    for module, folder, deep in sources():
        if len(requires) == count:
            break
        requires.append(make_module(proxy, "/".join(w.lstrip(".") for w in module.split("/")), folder, deep))
    folder, same = project("local", requires), 0
    for i, go in enumerate(GOES if FULL else GOES[:1]):
        env = environment(go, os.path.join(TMP, f"cache{i}"), GOPROXY="file://" + proxy, GOSUMDB="off")
        name = f"made here, {run([go, 'version'], TMP, env).stdout.split()[2]}"
        same = compare(name, folder, env, len(requires))
    # They are computed, and not what a file says.
    base = os.path.join(env["GOMODCACHE"], "cache", "download", gp.escape(requires[0].split()[0]), "@v", gp.escape(requires[0].split()[1]))
    before, _, _ = ours(folder, env)
    with open(base + ".ziphash", "w", encoding="ascii") as f:
        f.write("h1:" + "A" * 43 + "=")
    after, said, r = ours(folder, env)
    check(after == before and r.returncode == 1, "a ziphash that was changed changes no hash, and is found", r.stdout[:1500] + r.stderr)
    return same


# ---- real ones ----

def real(go):
    cache = os.path.join(KEPT, "modcache")
    env = environment(go, cache)
    probe = run([go, "list", "-m", "-versions", "github.com/google/uuid"], TMP, env, 30)
    if probe.returncode:
        skip("real modules", "no module proxy is reached: those made here stand for them")
        return 0
    return compare("real modules", project("real", MANY if FULL else FEW), env, WANTED if FULL else 12)


both = [real(GOES[0]), made_here()]
check(max(both) >= (WANTED if FULL else 12), f"{max(both)} modules have the hashes that go gives them", both)
subprocess.run(["chmod", "-R", "u+w", TMP], check=False)
shutil.rmtree(TMP, ignore_errors=True)
done()
