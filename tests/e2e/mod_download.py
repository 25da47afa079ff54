#!/usr/bin/env python3
# suite: limit 300
# suite: takes 20
"""`tocsin mod download` and --modules, with real go of both versions against proxies that fail in every way."""
import concurrent.futures
import json
import os
import pty
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from goproxy import GoProxy, SumDB  # noqa: E402
import tap  # noqa: E402
from tap import SLOW, TOCSIN, done  # noqa: E402

GOS = [g for g in ("/usr/local/go/bin/go", "/usr/lib/go-1.19/bin/go") if os.access(g, os.X_OK)] or ["go"]
_printing = threading.Lock()


def check(*words):
    with _printing:
        tap.check(*words)


work = tempfile.TemporaryDirectory(prefix="mod-download-")
MODS = ["example.test/a v1.0.0", "example.test/b v1.2.0", "example.test/Upper v1.0.1"]


class Case:
    """One project, one go, proxies of its own: nothing is shared."""

    def __init__(self, go, name, modules=MODS, proxies=2, **more):
        self.go, self.name = go, f"{name} ({os.path.basename(os.path.dirname(os.path.dirname(go)))})"
        self.dir = tempfile.mkdtemp(dir=work.name)
        self.proxies = [GoProxy() for _ in range(proxies)]
        for p in self.proxies:
            for m in modules:
                path, version = m.split()
                p.add(path, version, {"x.go": f"package {path.rsplit('/', 1)[1].lower()}\n"})
        self.project = os.path.join(self.dir, "project")
        self.proxies[0].write_project(self.project, modules, **more)
        self.env = self.proxies[0].env(go=go)
        self.env["PATH"] = os.path.dirname(go) + ":" + os.environ["PATH"]
        self.env.update(XDG_STATE_HOME=os.path.join(self.dir, "state"), XDG_CONFIG_HOME=os.path.join(self.dir, "config"), TOCSIN_LANG="en")
        self.report = os.path.join(self.dir, "report.json")

    def run(self, *words, env=None, verb=("mod", "download"), timeout=40):
        p = subprocess.run([TOCSIN, *verb, "--no-store", "--report", self.report, *words], cwd=self.project, env={**self.env, **(env or {})},
                           capture_output=True, text=True, timeout=timeout)
        self.out = p
        try:
            with open(self.report, encoding="utf-8") as f:
                self.said = json.load(f)
        except (OSError, ValueError):
            self.said = {}
        self.modules = self.said.get("modules", {})
        return p.returncode

    def acts(self):
        return [a["act"] for a in self.modules.get("attempts", [])]

    def served(self):
        return {s["module"]: s["by"] for s in self.modules.get("served", [])}

    def check(self, ok, what):
        check(ok, f"{self.name}: {what}", json.dumps({k: self.said.get(k) for k in ("verdict", "modules", "findings", "limits")}, indent=1)[:6000] + "\n" + self.out.stderr[-2000:])

    def close(self):
        for p in self.proxies:
            p.close()


def mirrors(c, n=1):
    return [w for p in c.proxies[n:] for w in ("--mirror", p.http)]


def good(c):
    code = c.run()
    c.check(code == 0 and c.said["verdict"]["outcome"] == "passed" and c.acts() == ["passed"], "nothing fails: passed, one attempt")
    c.check(c.modules["wanted"] == 3 and c.modules["cached"] == 0 and c.modules["fetched"] == 3 and c.modules["bytes"] > 0 and
            set(c.served().values()) == {c.proxies[0].http}, "each module, by whom it was served, bytes")
    c.check("# get" not in c.out.stderr + c.out.stdout, "the lines of -x are not shown")
    code = c.run()
    c.check(code == 0 and c.modules["cached"] == 3 and c.modules["fetched"] == 0 and c.modules["rung"] == "cache", "again: all from the cache")
    code = c.run("--", "-json", "-x", "example.test/a@v1.0.0")
    c.check(code == 0 and json.loads(c.out.stdout)["Path"] == "example.test/a", "go's own words behind --, its stdout untouched")


def once(c):
    c.proxies[0].fault(r"/b/@v/v1.2.0.zip", 503, body="try later", first=1)
    code = c.run()
    t = c.modules["attempts"][0]
    c.check(code == 0 and c.said["verdict"]["outcome"] == "unstable" and c.said["verdict"]["cause"] == "mod.proxy" and c.acts() == ["retry", "passed"],
            "503 once: tried again, unstable, exit 0")
    c.check((t["module"], t["version"], t["status"], t["layer"], t["variable"]) == ("example.test/b", "v1.2.0", 503, "HTTP", "GOPROXY") and
            t["url"] == c.proxies[0].http + "/example.test/b/@v/v1.2.0.zip", "module, version, address, status, layer and setting are told")
    c.proxies[0].fault(r"\.zip", 503, first=1)
    subprocess.run([c.go, "clean", "-modcache"], env=c.env, cwd=c.project, check=True)
    c.check(c.run("--strict") == 1, "under --strict that is a failure")


def never_again(c):
    c.proxies[0].fault(r"/b/@v/v1.2.0.zip", 503)
    code = c.run("--retry", "0")
    c.check(code == 1 and c.acts() == ["cache", "stop"] and len(c.proxies[0].asked("/b/@v/v1.2.0.zip")) == 1, "--retry 0: the network is not asked again")
    config = os.path.join(c.dir, "none.yaml")
    with open(config, "w", encoding="utf-8") as f:
        f.write("retry: 0\n")
    code = c.run("--config", config)
    c.check(code == 1 and c.acts() == ["cache", "stop"], "retry: 0 of tocsin.yaml too")


def broken_zip(c):
    """go says "zip: not a valid zip file", and not of which: the module, the address."""
    c.proxies[0].fault(r"/b/@v/v1.2.0.zip", "html")
    code = c.run("--retry", "0", env={"TOCSIN_LANG": "zh"})
    t = c.modules["attempts"][0]
    c.check(code == 1 and (t["cause"], t["module"], t["version"], t["url"]) == ("mod.proxy", "example.test/b", "v1.2.0", c.proxies[0].http + "/example.test/b/@v/v1.2.0.zip"),
            "a page instead of a zip: which module, which address")
    c.check("出错处：HTTP；模块 example.test/b@v1.2.0" in c.said["findings"][0]["advice"], "and the finding has them")
    c.proxies[0].clear()
    c.proxies[0].fault(r"/b/@v/v1.2.0.zip", 403)
    code = c.run("--retry", "0")
    c.check(code == 1 and c.modules["attempts"][0]["variable"] == "GOPROXY", "403: GOPROXY decides")
    c.proxies[0].clear()
    code = c.run("--retry", "0", env={"GOPROXY": c.proxies[0].http.replace("http:", "https:"), "TOCSIN_LANG": "zh"})
    c.check(code == 1 and c.modules["attempts"][0]["variable"] == "GOPROXY" and c.modules["attempts"][0]["layer"] == "TLS", "https to an http port: GOPROXY decides")
    code = c.run("--retry", "0", env={"GOPROXY": c.proxies[0].listen("refused"), "TOCSIN_LANG": "zh"})
    c.check(code == 1 and "出错处：连接" in c.said["findings"][0]["advice"] and c.modules["attempts"][0]["layer"] == "connection", "layers are told in the user's language, and in JSON as they are")


def first_down(c):
    dead = c.proxies[0].listen("refused")
    code = c.run(*mirrors(c), env={"GOPROXY": dead + ",direct"})
    c.check(code == 0 and c.acts() == ["mirror", "passed"] and set(c.served().values()) == {c.proxies[1].http} and c.modules["rung"] == "mirror",
            "the first proxy is down: a mirror serves")
    c.check(c.modules["attempts"][1]["goproxy"] == f"{c.proxies[1].http}|{dead},direct", "the retry's GOPROXY begins with the mirror and ends as it was")
    c.check(c.modules["attempts"][0]["cause"] == "mod.connect", "the cause is told")


def rotation(c):
    """`|`: the list's own second entry hears each name anyway. `,` behind a proxy of one's own: it must not."""
    dead = c.proxies[0].listen("refused")
    code = c.run("--retry", "1", env={"GOPROXY": f"{dead},{c.proxies[1].http}"})
    c.check(code == 1 and not c.proxies[1].log and all("mirror" != a for a in c.acts()), "what stands behind a comma is not asked before its turn")
    c.check("names" in json.dumps(c.said["findings"][0]) and c.said["findings"][0]["cause"] == "mod.connect", "and why is said")


def hang(c):
    c.proxies[0].fault(r"/b/@v/v1.2.0.zip", "hang")
    began = time.monotonic()
    code = c.run("--stall", "2s", *mirrors(c))
    t = c.modules["attempts"][0]
    c.check(code == 0 and c.acts() == ["mirror", "passed"] and t["cause"] == "mod.timeout" and t["url"].endswith("/b/@v/v1.2.0.zip"), "a reply that never comes: ended, named, a mirror serves")
    c.check(time.monotonic() - began < 15, "and it does not take long")


def stall(c):
    c.proxies[0].fault(r"/a/@v/v1.0.0.zip", "stall", first=1)
    code = c.run("--stall", "2s")
    t = c.modules["attempts"][0]
    c.check(code == 0 and c.acts() == ["retry", "passed"] and t["cause"] == "mod.timeout" and "a/@v/v1.0.0.zip" in t["url"], "a body that stops in the middle: ended, tried again")


def build_hangs(c):
    c.proxies[0].fault(r"/a/@v/v1.0.0.zip", "hang", first=1)
    with open(os.path.join(c.project, "Makefile"), "w", encoding="ascii") as f:
        f.write("all:\n\tgo list -deps . >deps\n")
    code = c.run("--modules", "--stall", "5s", "--", "make", verb=("run",))
    c.check(code == 0 and c.acts() == ["retry", "passed"] and c.modules["attempts"][0]["cause"] == "mod.timeout", "a go command below make that hangs in a download: ended, tried again")


def slow_is_fine(c):
    c.proxies[0].fault(r"/a/@v/v1.0.0.zip", "drip", delay=0.02)
    code = c.run("--stall", "2s")
    c.check(code == 0 and c.acts() == ["passed"], "a slow download that goes on is left alone")


def checksum(c):
    path, version = "example.test/b", "v1.2.0"
    c.proxies[0].add(path, version, {"x.go": "package b // changed\n"})
    code = c.run(*mirrors(c))
    answers = {a["from"]: a for a in c.modules["answers"]}
    c.check(code == 1 and c.acts() == ["security"] and c.said["verdict"]["cause"] == "mod.checksum", "a wrong hash stops: one attempt")
    c.check(len(answers) == 3 and not answers[c.proxies[0].http]["agrees"] and answers[c.proxies[1].http]["agrees"] and not answers[c.proxies[2].http]["agrees"] and
            answers[c.proxies[1].http]["hash"] == c.proxies[1].module(path, version).h1, "every proxy is asked for the same: who differs from go.sum is named")
    text = json.dumps(c.said["findings"][0])
    c.check("NOT what is expected" in text and c.proxies[2].http in text and c.modules["proof"] in text, "the finding says so, and where the proof is")
    with open(c.modules["proof"], encoding="utf-8") as f:
        proof = f.read()
    c.check("SECURITY ERROR" in proof and "checksum mismatch" in proof, "the proof holds what go said")


def checksum_setup(c):
    c.proxies[2].add("example.test/b", "v1.2.0", {"x.go": "package b // another\n"})


def private(c):
    dead = c.proxies[0].listen("refused")
    for name, env, why in (("GOPRIVATE", {"GOPROXY": dead, "GOPRIVATE": "example.test/b", "GONOPROXY": "none"}, "GONOPROXY does not have all"),
                           ("GONOSUMDB", {"GOPROXY": dead, "GONOSUMDB": "example.test/*"}, "GONOSUMDB")):
        code = c.run("--retry", "1", *mirrors(c), env=env)
        c.check(code == 1 and not c.proxies[1].log, f"{name} and a proxy that serves what is private: no mirror hears of anything")
        c.check(why in (c.modules["no_mirror"] or ""), f"{name}: and why is said")
    # What GOPRIVATE matches goes direct; the rest may go to a mirror.
    code = c.run("--retry", "1", *mirrors(c), env={"GOPROXY": dead, "GOPRIVATE": "example.test/b,example.test/a"}, timeout=60)
    c.check(code != 0 and not c.proxies[1].asked("/example.test/[ab]/"), "a private module is never asked of a mirror")
    code = c.run("--retry", "0", *mirrors(c), env={"GOPROXY": "direct"}, timeout=60)
    c.check(code != 0 and not c.proxies[1].asked("/example.test/[ab]/"), "GOPROXY=direct: no mirror is asked")


def offline(c):
    c.check(c.run() == 0, "the cache is filled")
    sums = os.path.join(c.project, "go.sum")
    code = c.run("--retry", "1", env={"GOPROXY": c.proxies[0].listen("refused")})
    c.check(code == 0 and c.modules["rung"] == "cache" and os.path.getsize(sums) > 0, "no network, a warm cache: passed")
    code = c.run("--modules", "--retry", "1", "--", "go", "list", "-deps", ".", verb=("run",), env={"GOPROXY": c.proxies[0].listen("refused")})
    c.check(code == 0, "and so it is for a build")


def vendor(c):
    c.check(c.run() == 0, "the cache is filled")
    subprocess.run([c.go, "mod", "vendor"], cwd=c.project, env=c.env, check=True, capture_output=True)
    subprocess.run([c.go, "clean", "-modcache"], cwd=c.project, env=c.env, check=True)
    dead = c.proxies[0].listen("refused")
    code = c.run("--modules", "--retry", "1", "--", "go", "list", "-deps", ".", verb=("run",), env={"GOPROXY": dead, "GOFLAGS": "-mod=mod -modcacherw"})
    c.check(code == 0 and c.acts()[-2:] == ["vendor", "passed"] and c.modules["rung"] == "vendor" and c.said["verdict"]["outcome"] == "unstable",
            "no network, no cache, a vendor/: built from it, and said")


def from_file(c):
    tree = os.path.join(c.dir, "tree")
    c.proxies[0].write_tree(tree)
    code = c.run("--mirror", "file://" + tree, "--mirror", c.proxies[1].http, env={"GOPROXY": c.proxies[0].listen("refused")})
    c.check(code == 0 and c.acts() == ["mirror", "passed"] and c.modules["rung"] == "file" and set(c.served().values()) == {"file://" + tree} and not c.proxies[1].asked(r"\.zip"),
            "a file:// mirror comes before those of the network")


def all_dead(c):
    a, b = c.proxies[0].listen("refused"), c.proxies[0].listen("refused")
    code = c.run("--retry", "1", "--mirror", b, env={"GOPROXY": a})
    f = c.said["findings"][0]
    c.check(code == 1 and c.said["verdict"]["cause"] == "mod.connect" and c.acts()[-1] == "stop", "everything is dead: the network's failure is what is told")
    c.check("connection refused" in f["message"] + (f["excerpt"] or "") and "At fault: connection" in (f["advice"] or "") and "GOPROXY" in f["advice"], "with the module, the address and the setting")
    c.check(c.acts().count("cache") == 1 and len(c.acts()) <= 5, "after the cache alone was tried, once")


def not_found(c):
    c.proxies[0].modules.pop("example.test/b")
    code = c.run()
    c.check(code == 1 and c.said["verdict"]["cause"] == "mod.not_found" and len(c.acts()) <= 2, "404 and nobody else to ask: stopped")
    code = c.run(*mirrors(c))
    c.check(code == 0 and c.acts() == ["mirror", "passed"] and c.served()["example.test/b"] == c.proxies[1].http, "404 here, there at a mirror: it serves it")


def secrets(c):
    dead = c.proxies[0].listen("refused").replace("http://", "http://user:hunter2pass@")
    c.run("--retry", "1", *mirrors(c), env={"GOPROXY": dead})
    text = open(c.report, encoding="utf-8").read() + c.out.stderr
    c.check("hunter2pass" not in text, "credentials of GOPROXY are in no text of ours")


def configured(c):
    """mirrors: of a trusted tocsin.yaml; modules: true."""
    config = os.path.join(c.dir, "trusted.yaml")
    with open(config, "w", encoding="utf-8") as f:
        f.write(f"mirrors: ['{c.proxies[1].http}']\nmodules: true\nretry: 1\n")
    code = c.run("--config", config, "--", "go", "mod", "download", verb=("run",), env={"GOPROXY": c.proxies[0].listen("refused")})
    c.check(code == 0 and c.acts() == ["mirror", "passed"], "mirrors: and modules: of tocsin.yaml")
    with open(os.path.join(c.project, "tocsin.yaml"), "w", encoding="utf-8") as f:
        f.write(f"mirrors: ['{c.proxies[1].http}']\n")
    c.proxies[1].clear()
    subprocess.run([c.go, "clean", "-modcache"], env=c.env, cwd=c.project, check=True)
    code = c.run("--retry", "1", env={"GOPROXY": c.proxies[0].listen("refused")})
    c.check(code == 1 and not c.proxies[1].log, "mirrors: of the working tree are not believed")


def terminal(c):
    """The progress line, and that it goes."""
    c.proxies[0].fault(r"/a/@v/v1.0.0.zip", "slow", delay=4)
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(c.project)
        os.execve(TOCSIN, [TOCSIN, "mod", "download", "--no-store"], {**c.env, "TERM": "xterm"})
    text = b""
    while True:
        try:
            piece = os.read(fd, 65536)
        except OSError:
            break
        if not piece:
            break
        text += piece
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    check(code == 0 and b"modules 2 of 3" in text and b"silent for" in text and b"\x1b[Ktocsin: " in text, f"{c.name}: a line on a terminal: done, to do, who is silent; and it goes", text)


def usage(c):
    c.check(c.run("--mirror", "goproxy.cn") == 2 and "not an address" in c.out.stderr, "--mirror without a scheme is refused")
    c.check(c.run("--mirror", "https://a,off") == 2, "and a list in it too")
    c.check(c.run("--mirror", "https://a", "--", "true", verb=("run",)) == 2 and "--modules" in c.out.stderr, "--mirror without --modules too")
    c.check(c.run("--", "-nonsense") == 2 and c.acts() == ["other"], "go's usage error is its own, tried once")


CASES = [(good, {}), (once, {}), (never_again, {}), (broken_zip, {}), (first_down, {}), (rotation, {}), (hang, {}), (stall, {}), (build_hangs, {}), (slow_is_fine, {}), (checksum, {"proxies": 3}), (private, {}),
         (offline, {}), (vendor, {}), (from_file, {}), (all_dead, {}), (not_found, {}), (secrets, {}), (configured, {}), (terminal, {}), (usage, {})]


def play(go, fn, more):
    c = Case(go, fn.__name__, **more)
    try:
        if fn is checksum:
            checksum_setup(c)
        fn(c)
    except Exception as e:  # noqa: BLE001
        check(False, f"{c.name}: {type(e).__name__}", f"{e}\n{getattr(c, 'out', '')}")
    finally:
        c.close()


only = sys.argv[1:]
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    for job in [pool.submit(play, go, fn, more) for i, (fn, more) in enumerate(CASES) for go in ([GOS[i % len(GOS)]] if SLOW else GOS) if not only or fn.__name__ in only]:
        job.result()
done()
