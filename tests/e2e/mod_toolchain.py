#!/usr/bin/env python3
# suite: limit 180
# suite: takes 14
"""The module verbs beside what decides for them: toolchains that go fetches, -modfile, -mod, GOOS; and SARIF, as its readers want it."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
sys.dont_write_bytecode = True
import goproxy as gp  # noqa: E402
from tap import TOCSIN, check, done  # noqa: E402

scratch = tempfile.TemporaryDirectory(prefix="tocsin-toolchain-")
TMP = scratch.name
A, W = "example.test/a", "example.test/windows"
proxy = gp.GoProxy()
proxy.add(A, "v1.0.0", {"a.go": "package a\n"})
proxy.add(A, "v1.1.0", {"a.go": "package a\n"})
proxy.add(W, "v1.0.0", {"w.go": "package windows\n"})
machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
TOOL = f"v0.0.1-go1.99.0.linux-{machine}"
proxy.add("golang.org/toolchain", TOOL, {"bin/go": f"#!/bin/sh\necho ran >> {TMP}/ran\n", "VERSION": "go1.99.0\n", "bin/gofmt": "", f"pkg/tool/linux_{machine}/compile": "", "lib/x": "", "src/_go.mod": "module std\n"})
db = gp.SumDB("sum.test").fill(20)
db.add_from(proxy)
proxy.sumdbs["sum.test"] = db
GOES = gp.goes()


def sh(argv, cwd, env):
    return subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=120)


def put(file, text):
    os.makedirs(os.path.dirname(file), exist_ok=True)
    if os.path.exists(file):
        os.chmod(file, 0o755)
    with open(file, "w", encoding="utf-8") as f:
        f.write(text)


class Place:
    def __init__(self, name, exe, requires=(), **more):
        self.at, self.go, self.env = os.path.join(TMP, name), exe, proxy.env(go=exe)
        self.cache = self.env["GOMODCACHE"]
        self.env["XDG_STATE_HOME"] = os.path.join(self.env["HOME"], "state")
        proxy.write_project(self.at, requires, **more)
        self.version = sh([exe, "version"], TMP, self.env).stdout.split()[2]

    def go_says(self, *words, **env):
        return sh([self.go, *words], self.at, dict(self.env, **env))

    def tocsin(self, *words, **env):
        self.out = sh([TOCSIN, "mod", *words], self.at, dict(self.env, **env))
        self.text = self.out.stdout[-3000:] + self.out.stderr[-3000:]
        try:
            self.found = [(f["cause"], f["severity"], f.get("file"), f["message"]) for f in json.loads(self.out.stdout)["findings"]]
        except (ValueError, KeyError, TypeError):
            self.found = None
        return self.out.returncode

    def has(self, cause, *words):
        return any(f[0] == cause and all(w in " ".join(map(str, f)) for w in words) for f in self.found or [])


def is_new(go):
    return gp.version_key("v" + sh([go, "env", "GOVERSION"], TMP, proxy.env(go=go)).stdout.strip()[2:]) >= gp.version_key("v1.21.0")


NEW, OLD = [g for g in GOES if is_new(g)], [g for g in GOES if not is_new(g)]
ran = os.path.join(TMP, "ran")

# ---- toolchains that go fetches ----
for go in NEW[:1]:
    AUTO = {"GOTOOLCHAIN": "auto", "GOSUMDB": db.key}
    p = Place("fetched", go, [f"{A} v1.0.0"], go="1.99", more="\ntoolchain go1.99.0\n")
    code = p.tocsin("download", "--no-store", **AUTO)
    tool = os.path.join(p.cache, "golang.org", "toolchain@" + TOOL)
    check(code == 0 and os.path.exists(ran) and os.path.exists(tool), f"{p.version}: mod download: go fetches the toolchain and runs it", p.text)
    os.unlink(ran)
    p.go_says("mod", "download", A + "@v1.0.0", GOTOOLCHAIN="local", GOFLAGS="-modcacherw -mod=mod")
    for m in ("v1.0.0",):  # what the fetched go would have done
        q = Place("beside", go, [f"{A} {m}"])
        q.go_says("mod", "download", GOMODCACHE=p.cache)
    check(p.tocsin("verify", "--json", **AUTO) == 0 and p.found == [] and json.loads(p.out.stdout)["checked"]["modules"] == 2,
          f"{p.version}: mod verify: the toolchain that go would run is a module like others", p.text)
    check(p.tocsin("verify", "--json", GOTOOLCHAIN="local", GOSUMDB=db.key) == 0 and json.loads(p.out.stdout)["checked"]["modules"] == 1,
          f"{p.version}: GOTOOLCHAIN=local: it is not run, and not looked at", p.text)
    put(os.path.join(tool, "bin/go"), f"#!/bin/sh\necho evil >> {ran}\n")
    check(p.tocsin("verify", "--json", **AUTO) == 1 and p.has("mod.cache_modified", tool + "/bin/go") and len(p.found) == 1, f"{p.version}: an edited toolchain is named", p.text)
    os.rename(os.path.join(p.cache, "cache/download/example.test"), os.path.join(p.cache, "away"))
    os.rename(os.path.join(p.cache, "example.test"), os.path.join(p.cache, "away2"))
    check(p.tocsin("verify", "--json", **AUTO) == 1 and p.has("mod.cache_modified", "bin/go") and p.has("mod.cache_missing", A) and not os.path.exists(ran),
          f"{p.version}: it is not run, whatever is asked", p.text)

    p = Place("nowhere", go, go="1.98.0")
    code = p.tocsin("download", "--no-store", "--retry", "0", "--report", os.path.join(TMP, "r.json"), **AUTO)
    said = json.load(open(os.path.join(TMP, "r.json"), encoding="utf-8"))
    check(code == 1 and said["verdict"]["cause"] == "build.toolchain", f"{p.version}: a toolchain that nobody serves", p.text)
    p = Place("forged", go, go="1.99.0")
    proxy.fault("/golang.org/toolchain/.*zip", "body", data=gp.make_zip({f"golang.org/toolchain@{TOOL}/bin/go": b"#!/bin/sh\n"}), first=9)
    code = p.tocsin("download", "--no-store", "--report", os.path.join(TMP, "r.json"), **AUTO)
    said = json.load(open(os.path.join(TMP, "r.json"), encoding="utf-8"))
    check(code == 1 and said["modules"]["attempts"][-1]["act"] == "security", f"{p.version}: another toolchain than the checksum database knows is a security stop", p.text + json.dumps(said["modules"])[:2000])
    proxy.clear()

    p = Place("lines", go, [f"{A} v1.0.0"], go="1.21.0", more="\ntoolchain go1.99.0\n")
    check(p.tocsin("check", "--json", GOTOOLCHAIN="auto") == 0 and not p.has("build.toolchain"), f"{p.version}: mod check: GOTOOLCHAIN=auto can build it", p.text)
    p = Place("lines-local", go, [f"{A} v1.0.0"], go="1.99")
    check(p.tocsin("check", "--json", GOTOOLCHAIN="local") == 1 and p.has("build.toolchain", "1.99"), f"{p.version}: mod check: GOTOOLCHAIN=local cannot", p.text)
for go in OLD[:1]:
    p = Place("old", go, [f"{A} v1.0.0"], go="1.99", more="\ntoolchain go1.99.0\n")
    check(p.tocsin("check", "--json") == 1 and p.has("build.toolchain", "toolchain"), f"{p.version}: mod check: it cannot read a toolchain line", p.text)
    code = p.tocsin("download", "--no-store", "--report", os.path.join(TMP, "r.json"))
    check(code == 1 and json.load(open(os.path.join(TMP, "r.json"), encoding="utf-8"))["verdict"]["cause"] == "build.toolchain", f"{p.version}: mod download: the same", p.text)
    p = Place("old-line", go, [f"{A} v1.0.0"], go="1.99")
    code = p.tocsin("download", "--no-store")
    check(code == 0 and p.tocsin("verify", "--json") == 0, f"{p.version}: a go line of tomorrow downloads and verifies, as go does", p.text)
    check(p.go_says("mod", "verify").returncode == 0, f"{p.version}: go mod verify likewise")

# ---- for each go: a toolchain in go.sum, -modfile, -mod, GOOS ----
for i, go in enumerate(GOES):
    p = Place(f"sum{i}", go, [f"{A} v1.0.0"])
    with open(os.path.join(p.at, "go.sum"), "a", encoding="utf-8") as f:
        f.write(proxy.module("golang.org/toolchain", TOOL).sum_lines() + "\n")
    p.go_says("mod", "download")
    check(p.tocsin("verify", "--json") == 0 and p.found == [], f"{p.version}: lines of a toolchain in go.sum do no harm to verify", p.text)
    check(p.tocsin("check", "--json") == 0, f"{p.version}: nor to check", p.text)

    p = Place(f"modfile{i}", go, [f"{A} v1.0.0"])
    with open(os.path.join(p.at, "go.mod"), encoding="utf-8") as f:
        text = f.read()
    put(os.path.join(p.at, "alt/other.mod"), text.replace("v1.0.0", "v1.1.0"))
    put(os.path.join(p.at, "alt/other.sum"), proxy.module(A, "v1.1.0").sum_lines() + "\n")
    with open(os.path.join(p.at, "go.mod"), "w", encoding="utf-8") as f:
        f.write("module example.test/main\n\ngo 1.19\n")
    os.unlink(os.path.join(p.at, "go.sum"))
    flag = {"GOFLAGS": "-modcacherw -modfile=alt/other.mod"}
    check(p.go_says("build", "-o", os.devnull, ".", **flag).returncode == 0 and p.go_says("build", "-o", os.devnull, ".").returncode == 1, f"{p.version}: go builds with -modfile alone")
    check(p.tocsin("verify", "--json", **flag) == 0 and json.loads(p.out.stdout)["checked"]["modules"] == 1, f"{p.version}: mod verify: -modfile of GOFLAGS", p.text)
    put(os.path.join(p.cache, A + "@v1.1.0", "a.go"), "package a // x\n")
    check(p.tocsin("verify", "--json", **flag) == 1 and p.has("mod.cache_modified", "a@v1.1.0/a.go"), f"{p.version}: its modules are looked at", p.text)
    put(os.path.join(p.at, "alt/other.sum"), proxy.module(A, "v1.1.0").sum_lines().replace(proxy.module(A, "v1.1.0").h1, proxy.module(A, "v1.0.0").h1) + "\n")
    check(p.tocsin("verify", "--json", **flag) == 1 and p.has("mod.checksum", "alt/other.sum"), f"{p.version}: its own .sum", p.text)
    put(os.path.join(p.at, "alt/other.sum"), "")
    check(p.tocsin("check", "--json", **flag) == 1 and p.has("mod.missing_sum", "alt/other"), f"{p.version}: mod check reads it", p.text)
    check(p.tocsin("check", "--json") == 0, f"{p.version}: and go.mod without it", p.text)
    for bad, word in (("none.mod", "none.mod"), ("alt/other.sum", "does not end in .mod")):
        flag = {"GOFLAGS": "-modfile=" + bad}
        check(p.go_says("list", "-m", "all", **flag).returncode == 1 and p.tocsin("verify", **flag) == 2 and word in p.text and p.tocsin("check", **flag) == 2 and word in p.text,
              f"{p.version}: -modfile={bad}: refused, as by go", p.text)
        check(p.tocsin("doctor", "--offline", "--json", **flag) == 1 and p.has("mod.env", "-modfile=" + bad), f"{p.version}: mod doctor says so", p.text)

    p = Place(f"goos{i}", go, [f"{A} v1.0.0", f"{W} v1.0.0"], imports=False)
    put(os.path.join(p.at, "main.go"), f'package main\n\nimport _ "{A}"\n\nfunc main() {{}}\n')
    put(os.path.join(p.at, "main_windows.go"), f'package main\n\nimport _ "{W}"\n')
    built = p.go_says("build", "-o", os.devnull, ".").returncode
    other = p.go_says("build", "-o", os.devnull, ".", GOOS="windows", GOPROXY="off").returncode
    check((built, other) == (0, 1) and p.tocsin("verify", "--json") == 0 and p.tocsin("verify", "--json", GOOS="windows") == 1 and p.has("mod.cache_missing", W),
          f"{p.version}: what is needed is what go build of this GOOS needs", p.text)
    check(p.tocsin("verify", "--json", GOFLAGS="-modcacherw -tags=x") == 0, f"{p.version}: with the tags of GOFLAGS", p.text)

    p = Place(f"mode{i}", go, [f"{A} v1.0.0"])
    p.go_says("mod", "vendor")
    p.env["GOMODCACHE"] += "-empty"
    build = ("build", "-o", os.devnull, ".")
    for mode, want in (("", 0), (" -mod=vendor", 0), (" -mod=readonly", 1), (" -mod=mod", 1)):
        flag = {"GOFLAGS": "-modcacherw" + mode, "GOPROXY": "off"}
        check(p.go_says(*build, **flag).returncode == want and p.tocsin("verify", "--json", **flag) == want and p.has("mod.cache_missing") == bool(want),
              f"{p.version}: an empty cache beside vendor/ and{mode or ' no -mod'}: as go builds", p.text)
    put(os.path.join(p.at, "go.mod"), f"module example.test/main\n\ngo 1.13\n\nrequire {A} v1.0.0\n")
    flag = {"GOPROXY": "off"}
    check(p.go_says(*build, **flag).returncode == 1 and p.tocsin("verify", "--json", **flag) == 1 and p.has("mod.cache_missing", A), f"{p.version}: go 1.13 does not use vendor/", p.text)


# ---- SARIF 2.1.0, as far as those who show it insist on it ----
def faults_of(sarif):
    def want(ok, what):
        if not ok:
            wrong.append(what)
    wrong = []
    want(sarif.get("version") == "2.1.0" and "sarif-2.1.0" in sarif.get("$schema", "").replace("sarif-schema-2.1.0", "sarif-2.1.0"), "version, $schema")
    want(len(sarif["runs"]) == 1, "one run")
    run = sarif["runs"][0]
    driver = run["tool"]["driver"]
    rules = driver.get("rules", [])
    want(driver["name"] and driver.get("version"), "driver")
    want(len({r["id"] for r in rules}) == len(rules) and all(r.get("shortDescription", r.get("fullDescription", {})).get("text") for r in rules), "rules have one id and a text each")
    for r in run["results"]:
        want(r["ruleId"] in {x["id"] for x in rules}, f"rule {r['ruleId']}")
        want("ruleIndex" not in r or rules[r["ruleIndex"]]["id"] == r["ruleId"], "ruleIndex")
        want(r["level"] in ("error", "warning", "note", "none"), f"level {r['level']}")
        want(r["message"]["text"].strip() and "\x1b" not in r["message"]["text"], "message")
        want(isinstance(r.get("partialFingerprints", {}), dict) and all(isinstance(v, str) for v in r.get("partialFingerprints", {}).values()), "fingerprints")
        for loc in r.get("locations", []):
            physical = loc["physicalLocation"]
            uri = physical["artifactLocation"]["uri"]
            want(uri and " " not in uri and "\\" not in uri, f"uri {uri}")
            region = physical.get("region")
            want(region is None or (region["startLine"] >= 1 and region.get("startColumn", 1) >= 1), f"region {region}")
    return wrong


p = Place("sarif here", GOES[0], [f"{A} v1.0.0"])
p.go_says("mod", "download")
put(os.path.join(p.cache, A + "@v1.0.0", "a.go"), "package a // x\n")
put(os.path.join(p.cache, A + "@v1.0.0", "with blank %41.go"), "package a\n")
put(os.path.join(p.at, "go.sum"), "<<<<<<< ours\n" + proxy.module(A, "v1.0.0").sum_lines() + "\n")
for verb, more, causes in (("verify", {}, {"mod.cache_modified"}), ("check", {}, {"mod.missing_sum"}), ("doctor", {"GOFLAGS": "-modfile=none.mod"}, {"mod.env"})):
    for lang in ("en", "zh"):
        file = os.path.join(TMP, f"{verb}-{lang}.sarif")
        words = ["--offline"] if verb == "doctor" else []
        code = p.tocsin(verb, *words, "--lang", lang, "--sarif", file, **more)
        try:
            with open(file, encoding="utf-8") as f:
                sarif = json.load(f)
            wrong = faults_of(sarif)
            levels = {r["level"] for r in sarif["runs"][0]["results"]}
        except (OSError, ValueError, KeyError, IndexError) as e:
            wrong, levels, sarif = [repr(e)], set(), None
        check(code == 1 and wrong == [] and "error" in levels, f"mod {verb} --sarif, {lang}: whole, with rule, level and place", f"{wrong}\n{json.dumps(sarif, indent=1)[:3000]}\n{p.text}")
proxy.close()
done()
