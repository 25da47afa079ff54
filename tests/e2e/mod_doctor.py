#!/usr/bin/env python3
# suite: limit 300
# suite: takes 30
"""`tocsin mod doctor`: each misconfiguration has its finding with its fix, a sound environment has none, no secret is shown.

By default the go commands found take turns; TOCSIN_TEST_FULL=1 plays every row with each.
"""
import concurrent.futures
import email.utils
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
import tap  # noqa: E402
from tap import FULL, TOCSIN, done  # noqa: E402
from goproxy import Authority, GoProxy, Reply, SumDB, goes  # noqa: E402

TMP = tempfile.mkdtemp(prefix="tocsin-doctor-")
SECRET = "c4n4ry-s3cr3t-9f1e"
AUTHORITY = Authority(os.path.join(TMP, "ca"))
TREE = "go.sum database tree\n10\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\u2014 sum.golang.org AAAA\n"
ROWS = []
LOCK = threading.Lock()


def check(*a):
    """Rows are played side by side, and told one by one."""
    with LOCK:
        return tap.check(*a)


def skip(*a):
    with LOCK:
        tap.skip(*a)


class World(GoProxy):
    """The proxy of every name: module proxies, checksum databases."""

    def answer(self, req):
        if req.host.startswith("sum.golang.") and req.path == "/latest":
            return Reply(200, TREE)
        if req.path.endswith("/supported") and req.host.startswith(("proxy.golang.org", "goproxy.cn")):
            return Reply(200)
        return super().answer(req._replace(path=re.sub("^/goproxy/", "/", req.path)))  # as mirrors.aliyun.com has it


def world():
    w = World(AUTHORITY)
    w.add("golang.org/x/text", "v0.3.0")
    w.add("example.test/a", "v1.0.0")
    w.sumdbs["sum.test"] = SumDB("sum.test")
    return w


class Play:
    """One run: a world of its own, a home, a module; set() of the row changes it."""

    def __init__(self, w, go):
        self.p, self.go = w, go
        self.env = w.env(go=go, proxy="https://goproxy.example.test,direct", GOSUMDB=w.sumdbs["sum.test"].key, HTTPS_PROXY=w.http, GOENV="")
        del self.env["GOENV"], self.env["GOFLAGS"]
        self.home = self.env["HOME"]
        self.dir = os.path.join(self.home, "work")
        os.makedirs(self.dir)
        self.mod("require example.test/a v1.0.0")
        self.args = []

    def mod(self, more, go="1.19", path="example.test/main"):
        self.write("work/go.mod", f"module {path}\n\ngo {go}\n\n{more}\n")

    def write(self, name, text, mode=0o600):
        full = os.path.join(self.home, name)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(full, mode)
        return full

    def run(self, *args, lang="en", env=None):
        return subprocess.run([TOCSIN, "mod", "doctor", "--lang", lang, *self.args, *args], cwd=self.dir, env=dict(self.env, **(env or {})), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=90, check=False)

    @property
    def old(self):
        return "1.19" in self.go


def row(name, verdict, says, fix="", only=None, rc=None, group=None, **env):
    """The function below prepares; the check that says and fix (regular expressions) match has this verdict."""
    def take(prepare):
        ROWS.append((name, verdict, says, fix, only, rc, group, env, prepare))
        return prepare
    return take


def plain(*a, **k):
    row(*a, **k)(lambda play: None)


# ---- GOPROXY ----

plain("sound", None, "", rc=0)
plain("what | and , do", "ok", r"1\. https://goproxy\.example\.test: asked first; `,`: the next is asked only when it says 404 or 410", rc=0)
plain("bar", "ok", r"1\. .*`\|`: after any error, also when it is down", GOPROXY="https://goproxy.example.test|direct")
plain("missing scheme", "warning", "goproxy.example.test has no scheme", GOPROXY="goproxy.example.test,direct", rc=0)
plain("behind direct", "warning", "https://b.test is never asked", "before direct", GOPROXY="https://goproxy.example.test,direct,https://b.test", rc=0)
plain("a word", "error", "go refuses the whole list", GOPROXY="of,direct", rc=1)
plain("no entry", "error", "no entry", "export GOPROXY=", GOPROXY=" , ,", rc=1)
plain("twice", "warning", "in the list twice", GOPROXY="https://goproxy.example.test,https://goproxy.example.test,direct")
plain("plain http", "warning", "asked without encryption", "https://", GOPROXY="http://goproxy.example.test,direct", HTTP_PROXY="@http")
plain("secret in the address", "warning", r"the address of https://goproxy\.example\.test holds credentials", "netrc", GOPROXY=f"https://me:{SECRET}@goproxy.example.test,direct")
plain("off", "ok", "nothing is downloaded", GOPROXY="off", rc=1)
plain("off refuses", "error", "cannot be had.*GOPROXY=off", GOPROXY="off")
plain("offline folder", "error", "the folder of file:///no/such is not there", "cache/download", GOPROXY="file:///no/such")


def fault(name, verdict, says, pattern, what, fix="", more=None, **o):
    @row(name, verdict, says, fix, **o)
    def _(play):
        play.p.fault(pattern, what, **(more or {}))


fault("login page", "error", "answers with a web page", "/@v/list", "html", "login page", rc=1)
fault("500 before ,", "error", "fails with HTTP 500; go gives up here", "/@v/list", 500, r"export GOPROXY='https://goproxy\.example\.test\|direct'")
fault("500 before |", "warning", "fails with HTTP 500; go goes on", "/@v/list", 500, GOPROXY="https://goproxy.example.test|direct")
fault("wants credentials", "error", r"wants credentials \(HTTP 401\)", "/@v/list", 401, r"netrc.*machine goproxy\.example\.test", group="proxy")
fault("403 for one", "warning", "answers, and refuses golang.org/x/text", "/@v/list", 403, "--module")
fault("no list", "error", "not as a module proxy does", "/@v/list", "body", more={"data": b"hello there\n"})
fault("404 is an answer", "ok", "answers, and does not have golang.org/x/text", "/@v/list", 404)
fault("closed", "error", "does not answer", "/@v/list", "close")


@row("hangs", "error", "does not answer: the answer did not come in time", "the next one when this one is down", group="proxy", rc=1)
def _hangs(play):
    play.p.fault("/@v/list", "hang")
    play.args = ["--limit", "1s"]


@row("refused", "error", "does not answer: nobody accepts the connection", group="proxy")
def _refused(play):
    play.env["GOPROXY"] = play.p.listen("refused") + ",direct"


@row("unknown authority", "error", r"its certificate was issued by: .*tocsin module test CA", "SSL_CERT_FILE", group="proxy")
def _authority(play):
    play.env["GOPROXY"] = play.p.https + ",direct"
    del play.env["SSL_CERT_FILE"]


@row("netrc is sent", "ok", r"goproxy\.example\.test answers")
def _netrc_sent(play):
    play.write(".netrc", f"machine goproxy.example.test login me password {SECRET}\n")
    play.after = lambda: check(any(s.headers.get("authorization", "").startswith("Basic ") for s in play.p.asked("/@v/list")), "netrc goes to the proxy, as go would")


# ---- mainland China ----

CHINA = {"GOPROXY": "https://proxy.golang.org,direct", "GOSUMDB": "sum.golang.org"}


@row("China by evidence", "warning", "proxy.golang.org cannot be used from here; https://.* answers in", r"export GOPROXY='https://.*\|https://.*,direct' GOSUMDB=sum\.golang\.google\.cn", group="proxy", **CHINA)
def _china(play):
    play.p.fault(r"CONNECT (proxy|sum)\.golang\.org", "close")


@row("China with go env -w", "warning", "proxy.golang.org cannot be used from here", r"^go env -w GOPROXY='https://.*,direct' GOSUMDB=sum\.golang\.google\.cn$", group="proxy")
def _china_file(play):
    del play.env["GOPROXY"], play.env["GOSUMDB"]
    play.p.fault(r"CONNECT (proxy|sum)\.golang\.org", "close")
    play.env.pop("GOFLAGS", None)


@row("slow is evidence too", "warning", "proxy.golang.org is much slower from here", "goproxy.cn", group="proxy", **CHINA)
def _slow(play):
    play.p.fault(r"^/golang\.org/x/text/@v/list", "slow", delay=4.5, first=1)


plain("a time zone is only a hint", "ok", "no mirror is needed", group="proxy", TZ="Asia/Shanghai", **CHINA)


@row("sum.golang.org is blocked", "error", "sum.golang.org/latest must be asked directly, and cannot be", r"GOSUMDB=sum\.golang\.google\.cn", GOSUMDB="sum.golang.org", TZ="Asia/Shanghai")
def _sum(play):
    play.p.fault(r"CONNECT sum\.golang\.org", "close")


# ---- GOSUMDB ----

plain("stands in", "ok", "stands in for sum.test", group="sumdb")
plain("asked directly", "ok", "sum.golang.org/latest is asked directly, and answers", GOSUMDB="sum.golang.org")
plain("with an address no proxy is asked", "ok", "sum.golang.google.cn/latest is asked directly, and answers", group="sumdb", GOSUMDB="sum.golang.google.cn")
plain("off", "warning", "GOSUMDB=off", "GOSUMDB=sum.golang.org", GOSUMDB="off")
plain("no key", "error", "neither a database that go knows nor NAME", GOSUMDB="sum.example.test")
plain("covers all", "warning", "covers public modules too", GONOSUMDB="*")
fault("supported fails", "error", "fails when it is asked whether it serves", "/supported", 500, "404")


# ---- GOPRIVATE ----

def private(name, verdict, says, mods, fix="", path="example.test/main", **o):
    @row(name, verdict, says, fix, group="private", **o)
    def _(play):
        play.mod("\n".join(f"require {m}" for m in mods), path=path)


private("leak", "warning", r"git\.team\.internal/lib looks private .* sum\.golang\.org", ["git.team.internal/lib v1.0.0"], "GOPRIVATE=git.team.internal", GOSUMDB="sum.golang.org")
private("covered", "ok", "GOPRIVATE=git.team.internal", ["git.team.internal/lib v1.0.0"], GOPRIVATE="git.team.internal")
private("wider", "warning", "code.corp.example/x/y looks private", ["code.corp.example/x/y v1.0.0"], "GOPRIVATE=a.test,code.corp.example", GOPRIVATE="a.test", GOSUMDB="sum.golang.org")
private("only one of both", "error", "private for GONOPROXY and not for GONOSUMDB", ["git.team.internal/lib v1.0.0"], "GONOSUMDB=git.team.internal", GONOPROXY="git.team.internal", GOSUMDB="sum.golang.org")
plain("malformed glob", "error", r"malformed glob.*\[a-", GOPRIVATE="[a-")
plain("blanks", "error", "has blanks around it", GOPRIVATE="a.test, b.test")
plain("an address", "error", "https://git.example.test is an address", GOPRIVATE="https://git.example.test")
plain("an address with a secret", "error", "https://git.example.test is an address", GOPRIVATE=f"https://me:{SECRET}@git.example.test")
plain("GOINSECURE, an address", "warning", "GOINSECURE=https://git.example.test", GOINSECURE=f"https://me:{SECRET}@git.example.test")
plain("dots", "error", "no wildcard", GOPRIVATE="git.example.test/...")
plain("hidden", "warning", "GONOPROXY is set and hides GOPRIVATE", GOPRIVATE="a.test", GONOPROXY="b.test")
plain("GOINSECURE", "warning", "GOINSECURE=a.test", GOINSECURE="a.test")
plain("GOVCS malformed", "error", "GOVCS is malformed", GOVCS="public")
plain("GOVCS", "warning", "cannot be fetched directly", GOVCS="public:off")


# ---- credentials ----

def netrc(name, verdict, says, text, fix="", mode=0o600, **o):
    @row(name, verdict, says, fix, group="login", **o)
    def _(play):
        play.write(".netrc", text, mode)


GOOD = f"machine git.test login bot password {SECRET}\n"
netrc("netrc", "ok", "credentials for git.test", GOOD)
netrc("netrc, open to all", "warning", "can be read by others", GOOD, "chmod 600", mode=0o644)
netrc("netrc, half", "warning", "no login or no password", "machine git.test login bot\n")
netrc("netrc, default", "warning", "never uses `default`", f"default login bot password {SECRET}\n")
netrc("netrc, two lines", "warning", "no partner", "machine\ngit.test login bot\n")
netrc("netrc, a port", "warning", "knows no ports", f"machine git.test:8443 login bot password {SECRET}\n", only="old")
netrc("netrc over http", "warning", "sends them over https only", f"machine goproxy.example.test login bot password {SECRET}\n", GOPROXY="http://goproxy.example.test,direct", HTTP_PROXY="@http")
plain("NETRC names nothing", "error", "NETRC names /no/such", NETRC="/no/such")
plain("GOAUTH too new", "warning", "GOAUTH is set, and go1.19", only="old", GOAUTH="netrc")
plain("GOAUTH=git", "error", "GOAUTH=git needs the absolute folder", only="new", GOAUTH="git")
plain("GOAUTH, a command", "ok", "a command of yours", only="new", GOAUTH=f"sh -c {SECRET}")


# ---- network ----

plain("no such CA file", "error", "SSL_CERT_FILE names /no/such", "SSL_CERT_FILE", SSL_CERT_FILE="/no/such", group="network")
plain("no CA in it", "error", "holds no certificate", SSL_CERT_FILE="/etc/hostname", group="network")
plain("no such CA folder", "error", "SSL_CERT_DIR names /no/such", SSL_CERT_DIR="/no/such", group="network")
plain("interception", "warning", "TLS is intercepted: the certificate of proxy.golang.org was issued by .*tocsin module test CA", group="network", **CHINA)
plain("HTTP_PROXY alone", "warning", "HTTP_PROXY is set and HTTPS_PROXY is not", "HTTPS_PROXY=http://127", HTTPS_PROXY=None, HTTP_PROXY="@http")
plain("two values", "warning", "go takes the first, curl and git the second", https_proxy=f"http://u:{SECRET}@other.test:1")
plain("ALL_PROXY", "warning", "ALL_PROXY is set", HTTPS_PROXY=None, ALL_PROXY=f"socks5://u:{SECRET}@127.0.0.1:1")
plain("unreachable proxy", "error", "HTTPS_PROXY names .*cannot be reached", HTTPS_PROXY=f"http://u:{SECRET}@127.0.0.1:9")
plain("NO_PROXY", "ok", "NO_PROXY covers goproxy.example.test", NO_PROXY=".example.test")
def clock(name, verdict, says, ahead, **o):
    @row(name, verdict, says, group="network", **o)
    def _(play):
        play.p.fault("/@v/list", 404, headers={"Date": email.utils.formatdate(time.time() + ahead, usegmt=True)})


clock("clock, hours", "error", "clock is 2h", -7300, fix="timedatectl")
clock("clock, minutes", "warning", "clock is .* behind", 600)
clock("clock", "ok", "clock is right", 0)


# ---- git ----

@row("no git", "warning", "'git' was not found", "direct", group="git")
def _no_git(play):
    bare = os.path.join(play.home, "bin")
    os.makedirs(bare)
    os.symlink(play.go, os.path.join(bare, "go"))
    play.env["PATH"] = bare


@row("no git where it must be", "error", "'git' was not found", "install git", group="git", GOPROXY="direct")
def _must_git(play):
    _no_git(play)


@row("insteadOf by ssh", "error", "ssh key of git.team.internal is not in known_hosts", "ssh-keyscan", group="git", GOPRIVATE="git.team.internal")
def _ssh(play):
    if not shutil.which("ssh-keygen"):
        play.skip = "there is no ssh-keygen"
    play.mod("require git.team.internal/lib v1.0.0")
    play.write(".gitconfig", '[url "git@git.team.internal:"]\n\tinsteadOf = https://git.team.internal/\n')


@row("insteadOf with a token", "ok", r"insteadOf: git\.team\.internal is fetched from https://git\.team\.internal", group="git", GOPRIVATE="git.team.internal")
def _token(play):
    play.mod("require git.team.internal/lib v1.0.0")
    play.write(".gitconfig", f'[url "https://oauth2:{SECRET}@git.team.internal/"]\n\tinsteadOf = https://git.team.internal/\n')


@row("no credentials for git", "warning", "git has no credentials for it", "insteadOf", group="git", GOPRIVATE="git.team.internal")
def _nothing(play):
    play.mod("require git.team.internal/lib v1.0.0")


plain("prompts", "warning", "GIT_TERMINAL_PROMPT=1", GIT_TERMINAL_PROMPT="1")
plain("ssh prompts", "warning", "GIT_SSH_COMMAND has no BatchMode", GIT_SSH_COMMAND="ssh -v")


# ---- caches, toolchain, flags ----

plain("relative GOMODCACHE is go's to refuse", "ok", "GOMODCACHE: /", group="cache")
plain("GOCACHE off", "error", "GOCACHE=off", GOCACHE="off")
plain("GOTMPDIR", "error", "GOTMPDIR is /no/such", GOTMPDIR="/no/such")


@row("a file in place of the cache", "error", "is no folder", group="cache")
def _file(play):
    play.env["GOMODCACHE"] = play.write("file", "x")


@row("not writable", "error", "(cannot be written|cannot be made|read-only|MiB free at /proc)", group="cache")
def _not_writable(play):
    play.env["GOMODCACHE"] = "/proc/mod"


@row("too old a go", "error", r"is older than go 1\.99\.0, and GOTOOLCHAIN=local", "install Go 1.99.0", group="toolchain", only="new")
def _old_go(play):
    play.mod("", go="1.99.0")


@row("three numbers", "error", "three numbers", "install Go", group="toolchain", only="old")
def _three(play):
    play.mod("", go="1.21.3")


@row("a newer language", "warning", "is older than go 1.30", group="toolchain", only="old")
def _newer(play):
    play.mod("", go="1.30")


@row("a toolchain to download", "error", r"go1\.99\.0 is needed, and nobody in GOPROXY serves it", "install Go 1.99.0", group="toolchain", only="new", GOTOOLCHAIN="auto", GOPROXY="https://goproxy.example.test")
def _download(play):
    play.mod("", go="1.99.0")


@row("a toolchain that is served", "warning", r"go1\.99\.0 would be downloaded from https://goproxy\.example\.test/golang\.org/toolchain", group="toolchain", only="new", GOTOOLCHAIN="auto")
def _served(play):
    play.mod("", go="1.99.0")
    play.p.fault("/golang.org/toolchain/", "body", data=b"")


@row("a toolchain and no database", "error", "GOSUMDB=off forbids that", group="toolchain", only="new", GOTOOLCHAIN="auto", GOSUMDB="off")
def _no_database(play):
    play.mod("", go="1.99.0")


plain("-mod=vendor", "error", "no vendor/modules.txt", "go mod vendor", GOFLAGS="-mod=vendor")
plain("-mod=mod", "warning", "every build may change go.mod", GOFLAGS="-mod=mod")
plain("-insecure", "error", "-insecure, which go no longer has", GOFLAGS="-insecure")


@row("go.mod is broken", "error", "go.mod:5: ", group="go", rc=1)
def _broken(play):
    play.mod("requires example.test/a v1.0.0")


# ---- playing ----

def play_row(w, go, r):
    name, verdict, says, fix, only, rc, group, env, prepare = r
    play = Play(w, go)
    for k, v in env.items():
        play.env.pop(k, None)
        if v is not None:
            play.env[k] = w.http if v == "@http" else v
    play.skip, play.after = None, None
    prepare(play)
    name = f"{name} ({'go1.19' if play.old else 'new go'})"
    if play.skip:
        return skip(name, play.skip)
    got = play.run("--json")
    try:
        checks = json.loads(got.stdout)["doctor"]["checks"]
        findings = json.loads(got.stdout)["findings"]
    except (ValueError, KeyError):
        return check(False, name, f"{got.returncode} {got.stdout[-400:]} {got.stderr}")
    bad = [c for c in checks if c["verdict"] != "ok"]
    if verdict is None:
        check(not bad and not findings and got.returncode == 0, name, f"{got.returncode} {json.dumps(bad, indent=1)}")
    else:
        hits = [c for c in checks if c["verdict"] == verdict and re.search(says, c["text"]) and (not group or c["group"] == group)
                and re.search(fix, c["fix"] or "")]
        as_finding = verdict == "ok" or any(f["severity"] == verdict and re.search(says, f["message"]) for f in findings)
        errors = any(c["verdict"] == "error" for c in checks)
        right = bool(hits) and as_finding and got.returncode == (rc if rc is not None else int(errors))
        check(right and all(c["fix"] for c in bad), name, f"{got.returncode}\n{json.dumps([c for c in checks if c['verdict'] != 'ok' or c['group'] == group], indent=1)}\n{got.stderr}")
    if SECRET in json.dumps([env, open_all(play)]):
        text = play.run("--modules")
        said = got.stdout + got.stderr + text.stdout + text.stderr
        check(SECRET not in said, f"{name}: no secret is shown", "\n".join(x for x in said.splitlines() if SECRET in x)[:2000])
    if play.after:
        play.after()
    return None


def open_all(play):
    out = []
    for f in (".netrc", ".gitconfig"):
        full = os.path.join(play.home, f)
        if os.path.exists(full):
            with open(full, encoding="utf-8") as h:
                out.append(h.read())
    return out


def plays():
    found = goes()
    turns = {"old": [g for g in found if "1.19" in g], "new": [g for g in found if "1.19" not in g]}
    jobs = []
    for i, r in enumerate(ROWS):
        fit = turns[r[4]] if r[4] else found
        if not fit:
            skip(r[0], f"there is no {r[4]} go here")
        jobs += [(g, r) for g in (fit if FULL else fit[i % len(fit):][:1])]
    return jobs


def one(job):
    with world() as w:
        play_row(w, *job)


def test_rows():
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for f in [pool.submit(one, j) for j in plays()]:
            f.result()


# ---- where modules come from; how it looks ----

def test_where():
    with world() as w:
        play = Play(w, goes()[0])
        play.mod("require (\n\texample.test/a v1.0.0\n\texample.test/b v1.0.0\n\texample.test/local v0.0.0\n\tgit.team.internal/lib v1.0.0\n)\n\nreplace example.test/local => ../local")
        play.write("local/go.mod", "module example.test/local\n")
        play.env["GOPRIVATE"] = "git.team.internal"
        os.makedirs(os.path.join(play.env["GOMODCACHE"], "example.test", "b@v1.0.0"))
        got = json.loads(play.run("--json").stdout)["doctor"]["modules"]
        where = {m["path"]: (m["from"], m["place"]) for m in got}
        want = {"example.test/a": ("proxy", "https://goproxy.example.test"), "example.test/b": ("cache", "GOMODCACHE"), "../local": ("folder", "../local"),
                "git.team.internal/lib": ("direct", "git.team.internal")}
        check(where == want, "each module has its place", where)
        play.env["GOVCS"] = "private:hg"
        got = json.loads(play.run("--json").stdout)["doctor"]["modules"]
        check([m["from"] for m in got if m["private"]] == ["refused"], "GOVCS refuses", got)
        play.env["GOVCS"] = ""
        play.write("work/vendor/modules.txt", "# example.test/a v1.0.0\n## explicit; go 1.19\nexample.test/a\n")
        got = json.loads(play.run("--json").stdout)["doctor"]["modules"]
        check(got[0]["from"] == "vendor", "vendor/ comes first", got)


def test_workspace():
    with world() as w:
        play = Play(w, goes()[0])
        play.mod("require example.test/a v1.0.0\nrequire example.test/second v1.0.0")
        play.write("work/second/go.mod", "module example.test/second\n\ngo 1.19\n\nrequire example.test/a v1.2.0\n")
        play.write("work/go.work", "go 1.19\n\nuse .\nuse ./second\n")
        got = {m["path"]: (m["version"], m["from"]) for m in json.loads(play.run("--json").stdout)["doctor"]["modules"]}
        check(got == {"example.test/a": ("v1.2.0", "proxy"), "example.test/second": ("v1.0.0", "main")}, "a workspace: members and the newest version", got)


def test_edges():
    with world() as w:
        play = Play(w, goes()[0])
        got = play.run("--json", "--offline")
        answer = json.loads(got.stdout)
        check(got.returncode == 0 and not answer["doctor"]["probes"] and not w.log, "--offline asks nobody", got.stdout[-600:])
        os.remove(os.path.join(play.dir, "go.mod"))
        got = play.run()
        check(got.returncode == 0 and "nothing is wrong" in got.stdout, "without a module", got.stdout + got.stderr)
        got = play.run("/no/such")
        check(got.returncode == 2 and got.stderr.count("\n") == 1, "no such folder", got.stderr)
        got = play.run(env={"PATH": "/no/such"})
        check(got.returncode == 1 and "'go' was not found" in got.stdout and "install Go" in got.stdout, "no go", got.stdout + got.stderr)
        got = play.run("--strict", env={"GOINSECURE": "a.test"})
        check(got.returncode == 1, "--strict", got.stdout)
        began = time.monotonic()
        w.fault(".*", "hang")
        got = play.run("--limit", "1s")
        check(time.monotonic() - began < 15 and got.returncode == 1, "a proxy that hangs is given up", f"{time.monotonic() - began} {got.stdout}")


def terminal(play, lang, **env):
    """What a terminal of 80 columns shows."""
    pid, fd = pty.fork()
    if pid == 0:
        import fcntl
        import struct
        import termios
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 80, 0, 0))
        os.chdir(play.dir)
        os.execve(TOCSIN, [TOCSIN, "mod", "doctor", "--lang", lang], dict(play.env, TERM="xterm", **env))
    out = b""
    while True:
        try:
            piece = os.read(fd, 65536)
        except OSError:
            break
        if not piece:
            break
        out += piece
    os.waitpid(pid, 0)
    os.close(fd)
    return out.decode()


def columns(line):
    return sum(2 if "\u1100" <= c <= "\uffef" and not "\u2000" <= c <= "\u2bff" else 1 for c in line)


def test_terminal():
    with world() as w:
        play = Play(w, goes()[0])
        play.mod("require git.team.internal/lib v1.0.0")
        play.env.update(GOSUMDB="sum.golang.org", GOPROXY="goproxy.example.test,direct,https://b.test")
        for lang, words in (("en", ("Module proxies (GOPROXY)", "warning", "Where each module")), ("zh", ("模块代理（GOPROXY）", "警告", "每个模块的来源"))):
            got = terminal(play, lang)
            text = re.sub(r"\r\x1b\[K[^\r\n]*(?=\r)|\x1b\[[0-9;]*[mK]", "", got).replace("\r", "")
            check(all(x in text for x in words), f"{lang}: groups, verdicts, the table", text)
            long = [x for x in text.splitlines() if columns(x) > 80]
            check(not long, f"{lang}: 80 columns", "\n".join(long))
            check("\x1b[33m" in got, f"{lang}: colours", repr(got[:300]))
            check("\x1b[33m" not in terminal(play, lang, NO_COLOR="1"), f"{lang}: NO_COLOR")
        check("asking:" in terminal(play, "en") or "answers" in terminal(play, "en"), "progress while it asks")


try:
    test_rows()
    test_where()
    test_workspace()
    test_edges()
    test_terminal()
finally:
    shutil.rmtree(TMP, ignore_errors=True)
done()
