#!/usr/bin/env python3
# suite: limit 300
# suite: takes 37
"""Secrets of thirty and more shapes in the environment, files, arguments, test output, URLs and branch names: no byte of them is in
what Tocsin writes, shows of itself, keeps in memory that a core file would have, or sends to anybody but their own channel."""
import base64
import email
import hashlib
import json
import os
import random
import re
import shutil
import signal
import string
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
sys.dont_write_bytecode = True
from endpoint import Endpoint  # noqa: E402
from tap import TOCSIN, check, done, skip  # noqa: E402

TMP = tempfile.mkdtemp(prefix="tocsin-canary-")
ASAN = os.environ.get("TOCSIN_TEST_BUILD") == "asan"
BEGINS = 1.5 if ASAN else 0.3  # seconds until a process has hidden what it was started with
DICE = random.Random(20261121)
HEX, ALNUM = "0123456789abcdef", string.ascii_letters + string.digits
B64 = ALNUM + "+/"


def dice(n, of=ALNUM):
    return "".join(DICE.choice(of) for _ in range(n))


def uuid():
    return "-".join(dice(n, HEX) for n in (8, 4, 4, 4, 12))


# ---- the canaries. Prefixes are put together, so that scanners of other people do not stumble over this file ----

class Canary:
    """core: the bytes that must be nowhere. said: how a program prints it. known: by configuration or environment, so in any encoding."""

    def __init__(self, name, core, said=None, known=True):
        self.name, self.core, self.said, self.known = name, core, said or core, known


ALL = {}


def canary(name, core, said=None, known=True):
    ALL[name] = Canary(name, core, said, known)
    return core


def make():
    """Every shape once."""
    jwt = ".".join(base64.urlsafe_b64encode(t.encode()).decode().rstrip("=") for t in ('{"alg":"HS256","typ":"JWT"}', json.dumps({"sub": dice(20)}))) + "." + dice(43)
    pem = [dice(64, B64) for _ in range(4)]
    gcp = [dice(64, B64) for _ in range(3)]
    for name, core in (
            ("dingtalk-token", dice(64, HEX)), ("dingtalk-sign", "SE" + "C" + dice(64, HEX)), ("wecom-key", uuid()), ("feishu-hook", uuid()),
            ("feishu-sign", dice(22)), ("slack-hook", dice(24)), ("webhook-path", dice(40)), ("webhook-hmac", dice(32)), ("discord-token", dice(68, ALNUM + "-_")),
            ("teams-sig", dice(43, ALNUM + "-_")), ("telegram-token", f"{DICE.randrange(10**9, 10**10)}:A" + "A" + dice(33, ALNUM + "-_")),
            ("pagerduty-key", dice(32, HEX)), ("opsgenie-key", uuid()), ("ntfy-token", "t" + "k_" + dice(29)),
            ("smtp-password", 'p@"w\\o:rd' + "' é%/+ " + dice(12)),
            ("aws-id", "AK" + "IA" + dice(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")), ("aws-secret", dice(40, B64)),
            ("github", "gh" + "p_" + dice(36)), ("github-pat", "github" + "_pat_" + dice(22) + "_" + dice(59)), ("gitlab", "gl" + "pat-" + dice(20)),
            ("slack-bot", "xo" + "xb-" + dice(12, "123456789") + "-" + dice(13, "123456789") + "-" + dice(24)), ("jwt", jwt), ("npm", "np" + "m_" + dice(36)), ("openai", "s" + "k-" + dice(48)),
            ("db-password", "Kx" + dice(8) + "%2F" + dice(6)), ("proxy-password", dice(18)), ("quoted-password", 'q"u\\o<t>&' + dice(8) + "\u00fc\U0001f600'" + dice(6)),
            ):
        canary(name, core)
    canary("azure", dice(86, B64) + "==", known=True)
    canary("dsn-password", dice(16))
    canary("gcp-key", gcp[1], json.dumps({"type": "service_account", "project_id": "shop", "private_key_id": "k1",
                                          "private_key": "-----BEGIN PRIVATE" + " KEY-----\n" + "\n".join(gcp) + "\n-----END PRIVATE" + " KEY-----\n",
                                          "client_email": "ci@shop.example"}))
    # Nobody declared these; they look like what they are.
    canary("pem", pem[2], "-----BEGIN RSA PRIVATE" + " KEY-----\n" + "\n".join(pem) + "\n-----END RSA PRIVATE" + " KEY-----", known=False)
    canary("basic-header", base64.b64encode(f"shop:{dice(20)}".encode()).decode(), known=False)
    canary("bearer-header", dice(32), known=False)
    canary("url-userinfo", dice(20), known=False)
    canary("netrc", dice(18), known=False)
    canary("argument-password", dice(20), known=False)
    canary("git-credential", dice(24), known=False)
    canary("branch-token", "gh" + "o_" + dice(36), known=False)
    for name, form in (("basic-header", "Authorization: Basic %s"), ("bearer-header", "authorization: Bearer %s"), ("url-userinfo", "amqp://shop:%s@mq.example:5672/"),
                       ("netrc", "machine git.example login ci password %s"), ("git-credential", "https://ci:%s@git.example/shop.git"), ("branch-token", "feature/%s")):
        ALL[name].said = form % ALL[name].core


def core(name):
    return ALL[name].core


# ---- how a value may be written ----

def in_base64(raw):
    """What stays the same at three offsets, in two alphabets."""
    for shift in range(3):
        text = base64.b64encode(b"x" * shift + raw)
        text = text[(0, 2, 3)[shift]:(len(raw) + shift) * 8 // 6]
        yield text
        yield text.translate(bytes.maketrans(b"+/", b"-_"))


def ways(value):
    raw = value.encode()
    yield raw
    yield urllib.parse.quote(value, safe="").encode()
    yield re.sub("%..", lambda m: m[0].lower(), urllib.parse.quote(value, safe="")).encode()
    yield urllib.parse.quote_plus(value, safe="!$&'()*,;=:@/").encode()
    yield json.dumps(value)[1:-1].encode()
    yield json.dumps(value, ensure_ascii=False)[1:-1].encode()
    yield json.dumps(json.dumps(value))[3:-3].encode()
    yield json.dumps(value, ensure_ascii=False)[1:-1].replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026").encode()
    yield from in_base64(raw)


def needles(c):
    """All ways to write it, and every part of it from 14 bytes on (of what is random in it)."""
    found = {w for w in ways(c.core) if len(w) >= 8}
    raw = c.core.encode()
    for at in range(0, max(1, len(raw) - 9), 5):
        part = raw[at:at + 10]
        if c.name == "telegram-token" and at < 12:
            continue  # the number of the bot is no secret
        if len(part) == 10 and part.isalnum():
            found.add(part)
    return found


def one_of(words, depth=2):
    """A pattern for any of them, the longer ones first, sorted by their first bytes: so it is decided at each place by few comparisons."""
    if not depth:
        return b"|".join(re.escape(w) for w in sorted(words, key=len, reverse=True))
    by = {}
    for w in words:
        by.setdefault(w[:1], []).append(w[1:])
    return b"|".join(re.escape(first) + b"(?:" + one_of(rest, depth - 1) + b")" for first, rest in by.items())


class Search:
    def __init__(self):
        self.of = {n: c.name for c in ALL.values() for n in needles(c)}
        self.any = re.compile(one_of(self.of))

    def find(self, text, but=()):
        if isinstance(text, str):
            text = text.encode()
        return sorted({f"{self.of[m.group()]}: {m.group()[:60]!r}" for m in self.any.finditer(text) if self.of[m.group()] not in but})


# ---- the place ----

TEST = """package shop

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

type lines struct {
	Said, Long, Halves []string
}

func said(t *testing.T) (l lines) {
	text, err := os.ReadFile(os.Getenv("SHOP_LINES"))
	if err == nil {
		err = json.Unmarshal(text, &l)
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestPrints(t *testing.T) {
	l := said(t)
	for _, line := range l.Said {
		t.Log(line)
		fmt.Println(line)
	}
	for i, text := range l.Long {
		for at := 1024 - len(text); at < 1030; at += 9 { // the stream cuts long lines at 1024 bytes
			fmt.Printf("%s %s%s\\n", strings.Repeat("x", at), text, strings.Repeat(" y", 1700+i))
		}
	}
	for i, text := range l.Halves {
		os.Stdout.WriteString("half " + text[:len(text)/2])
		if i%8 == 0 {
			time.Sleep(20 * time.Millisecond)
		}
		os.Stdout.WriteString(text[len(text)/2:] + "\\n")
	}
	t.Errorf("got %s, want another", strings.Join(l.Long, " and "))
}

func TestNames(t *testing.T) {
	for _, text := range said(t).Long[:3] {
		t.Run("token="+text, func(t *testing.T) { t.Error("with " + text) })
	}
}

func TestPanics(t *testing.T) {
	panic("cannot log in with " + strings.Join(said(t).Long, ", "))
}
"""
BROKEN = """package broken

var n int = "%s"

func f() { undefined(%s) }
"""


def put(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, 0o600)
    return path


class Site:
    """Inputs lie in `given`, the module in `shop`: all else below `dir` Tocsin wrote."""

    def __init__(self, e, name):
        self.dir = os.path.join(TMP, name)
        self.given, self.shop, self.out = (os.path.join(TMP, name + "-" + part) for part in ("given", "shop", "out"))
        for d in (self.dir, self.out, os.path.join(self.dir, "tmp")):
            os.makedirs(d)
        self.channels(e)
        self.module()
        self.lines()
        self.environment()

    def channels(self, e):
        secret = {}
        for name, text in (("wecom", e.http + "/cgi-bin/webhook/send?key=" + core("wecom-key")), ("hmac", core("webhook-hmac")), ("smtp", core("smtp-password")), ("pagerduty", core("pagerduty-key"))):
            secret[name] = put(os.path.join(self.given, name), text + "\n")
        put(os.path.join(self.given, "credentials", "ntfy"), core("ntfy-token") + "\n")
        http = e.http
        rows = [("ding", "dingtalk", "env:DING_URL", "secret: env:DING_SIGN"), ("wecom", "wecom", "file:" + secret["wecom"], ""), ("feishu", "feishu", "env:FEISHU_URL", "secret: env:FEISHU_SIGN"),
                ("slack", "slack", "env:SLACK_URL", ""), ("hook", "webhook", "env:HOOK_URL", f"secret: file:{secret['hmac']}\n    format: github"), ("discord", "discord", "env:DISCORD_URL", ""),
                ("teams", "teams", "env:TEAMS_URL", ""), ("telegram", "telegram", http, "secret: env:TELEGRAM_BOT\n    chat_id: 42"), ("pagerduty", "pagerduty", http, "secret: file:" + secret["pagerduty"]),
                ("opsgenie", "opsgenie", http, "secret: env:OPSGENIE"), ("ntfy", "ntfy", http + "/ntfy/shop", "secret: credential:ntfy"),
                ("mail", "smtp", e.smtp, f"user: shop\n    secret: file:{secret['smtp']}\n    from: tocsin@shop.example\n    to: [ops@shop.example]"),
                ("down", "webhook", "env:DOWN_URL", ""), ("refused", "dingtalk", "env:REFUSED_URL", ""), ("moved", "slack", "env:MOVED_URL", "")]
        self.config = put(os.path.join(self.given, "tocsin.yaml"), "channels:\n" + "".join(f"  - name: {n}\n    type: {t}\n    url: {u}\n" + (f"    {m}\n" if m else "") for n, t, u, m in rows)
                          + "routes:\n  - to: [" + ", ".join(r[0] for r in rows) + "]\n    repeat: 0s\n")
        self.channel_env = {
            "DING_URL": http + "/robot/send?access_token=" + core("dingtalk-token"), "DING_SIGN": core("dingtalk-sign"), "FEISHU_URL": http + "/open-apis/bot/v2/hook/" + core("feishu-hook"),
            "FEISHU_SIGN": core("feishu-sign"), "SLACK_URL": http + "/services/T01234567/B01234567/" + core("slack-hook"), "HOOK_URL": http + "/do/ok/in/" + core("webhook-path"),
            "DISCORD_URL": http + "/api/webhooks/123456789012345678/" + core("discord-token"), "TEAMS_URL": http + "/workflows/1/triggers/manual/paths/invoke?api-version=1&sig=" + core("teams-sig"),
            "TELEGRAM_BOT": core("telegram-token"), "OPSGENIE": core("opsgenie-key"),
            # answers and errors that repeat what was asked
            "DOWN_URL": "http://127.0.0.1:9/in/" + core("webhook-path"), "REFUSED_URL": http + "/do/errcode:310000:" + urllib.parse.quote("bad " + core("dingtalk-token"), safe="") + "/robot/send?access_token=" + core("dingtalk-token"),
            "MOVED_URL": http + "/do/status:403:" + core("slack-hook") + "/services/T01234567/B01234567/" + core("slack-hook")}

    def module(self):
        put(os.path.join(self.shop, "go.mod"), "module example.com/shop\n\ngo 1.19\n")
        put(os.path.join(self.shop, "shop_test.go"), TEST)
        put(os.path.join(self.shop, "broken", "x.go"), BROKEN % (core("gitlab"), core("github")))
        put(os.path.join(self.shop, "crash.sh"), "cat \"$SHOP_TEXT\"; cat \"$SHOP_TEXT\" >&2; kill -$1 $$\nsleep 30\n")
        git = dict(os.environ, GIT_CONFIG_GLOBAL="/dev/null", GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@b", GIT_COMMITTER_NAME="a", GIT_COMMITTER_EMAIL="a@b")
        for words in (["init", "-q", "-b", ALL["branch-token"].said], ["remote", "add", "origin", ALL["git-credential"].said], ["add", "go.mod"],
                      ["commit", "-q", "-m", "shop"]):
            subprocess.run(["git", *words], cwd=self.shop, env=git, check=True, capture_output=True)

    def lines(self):
        said, cores = [], []
        for c in ALL.values():
            if c.name == "argument-password":
                continue # only who gets it as an argument knows it
            said.append(f"{c.name}: {c.said}")
            if c.known:
                cores.append(c.core)
                said += [w.decode("utf-8", "replace") for w in ways(c.core)][1:8]
                said += [base64.b64encode(b"x" * n + c.core.encode() + b" and more").decode() for n in range(3)]
        self.said = said
        put(os.path.join(self.given, "lines.json"), json.dumps({"Said": said, "Long": cores, "Halves": cores}))
        put(os.path.join(self.given, "lines.txt"), "\n".join(said) + "\n")

    def environment(self):
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "TOCSIN_", "CI_", "GIT_", "AWS_")) and k not in ("CI", "FORCE_COLOR") and not k.lower().endswith("_proxy")}
        self.env = dict(keep, **self.channel_env)
        self.env.update(
            LC_ALL="C.UTF-8", HOME=self.dir, TMPDIR=os.path.join(self.dir, "tmp"), XDG_STATE_HOME=self.dir + "/state", XDG_CACHE_HOME=self.dir + "/cache", XDG_CONFIG_HOME=self.dir + "/none",
            GOCACHE=subprocess.run(["go", "env", "GOCACHE"], capture_output=True, text=True, check=True).stdout.strip(), GOFLAGS="-buildvcs=false", GOTOOLCHAIN="local", GOPROXY="off", TOCSIN_CONFIG=self.config, CREDENTIALS_DIRECTORY=os.path.join(self.given, "credentials"),
            SHOP_LINES=os.path.join(self.given, "lines.json"), SHOP_TEXT=os.path.join(self.given, "lines.txt"),
            AWS_ACCESS_KEY_ID=core("aws-id"), AWS_SECRET_ACCESS_KEY=core("aws-secret"), GOOGLE_CREDENTIALS=ALL["gcp-key"].said, GH_TOKEN=core("github"), GITHUB_PAT=core("github-pat"), DEPLOY=core("gitlab"),
            SLACK_BOT=core("slack-bot"), SESSION=core("jwt"), NPM_TOKEN=core("npm"), OPENAI_API_KEY=core("openai"), DATABASE_URL=f"postgres://shop:{core('db-password')}@db.example/shop",
            AZURE_STORAGE="DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=" + core("azure") + ";EndpointSuffix=core.windows.net",
            MYSQL_DSN=f"shop:{core('dsn-password')}@tcp(db.example:3306)/shop", QUOTED_PASSWORD=core("quoted-password"),
            HTTPS_PROXY=f"http://ci:{core('proxy-password')}@proxy.example:3128", HTTP_PROXY=f"http://ci:{core('proxy-password')}@proxy.example:3128", NO_PROXY="127.0.0.1,localhost",
            GITHUB_HEAD_REF=ALL["branch-token"].said)

    def start(self, *args, env=None, **more):
        return subprocess.Popen([TOCSIN, *args], cwd=self.shop, env=env or self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)

    def run(self, *args, seconds=120):
        p = self.start(*args)
        out, err = p.communicate(timeout=seconds)
        return p.returncode, out, err

    def processes(self):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as f:
                    if self.dir.encode() not in f.read():
                        continue
                yield int(pid), os.readlink(f"/proc/{pid}/exe")
            except OSError:
                continue

    def end(self):
        """Its deliverers; one may be about to begin."""
        quiet = 0
        while quiet < 3:
            ours = [pid for pid, exe in self.processes() if exe.startswith(os.path.realpath(TOCSIN))]
            quiet = 0 if ours else quiet + 1
            for pid in ours:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
            time.sleep(0.1)


# ---- what others see of a process ----

class Watch(threading.Thread):
    """While something runs: /proc of Tocsin's processes, and the environment of what it started."""

    def __init__(self, site, search):
        super().__init__(daemon=True)
        self.site, self.search, self.over = site, search, threading.Event()
        self.seen, self.leaks, self.first = {"run": 0, "deliver": 0, "command": 0}, set(), {}

    def look(self, pid, exe):
        try:
            with open(f"/proc/{pid}/environ", "rb") as f:
                env = f.read()
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                argv = f.read()
        except OSError:
            return
        words = argv.split(b"\0")
        ours = os.path.realpath(exe) == os.path.realpath(TOCSIN) and not os.path.basename(words[0]) == b"go"
        kind = "command" if not ours else "deliver" if b"deliver" in words[:2] else "run" if b"run" in words[:2] else "other"
        found = self.search.find(env + b"\0" + argv) if ours else [f for f in self.search.find(env) if f.split(":")[0] in CHANNELS]
        self.seen[kind] = self.seen.get(kind, 0) + 1
        if not found:
            return
        # the first moments of a process are its parent's
        if time.monotonic() - self.first.setdefault((pid, kind), time.monotonic()) > BEGINS:
            self.leaks.add(f"{kind} {words[:4]}: {found}")

    def run(self):
        while not self.over.wait(0.02):
            for pid, exe in list(self.site.processes()):
                if pid != os.getpid():
                    self.look(pid, exe)

    def stop(self):
        self.over.set()
        self.join()
        return sorted(self.leaks)


CHANNELS = ("dingtalk-token", "dingtalk-sign", "feishu-hook", "feishu-sign", "slack-hook", "webhook-path", "webhook-hmac", "discord-token", "teams-sig", "telegram-token", "pagerduty-key", "opsgenie-key",
            "ntfy-token", "smtp-password", "wecom-key")


def in_core(pid, search):
    """Canaries in memory that a core file would have; None: memory cannot be read here."""
    leaks, place = [], None
    try:
        with open(f"/proc/{pid}/smaps", encoding="ascii", errors="replace") as f:
            maps = f.read()
        with open(f"/proc/{pid}/mem", "rb", 0) as mem:
            for line in maps.splitlines():
                head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)", line)
                if head:
                    place = head
                elif line.startswith("VmFlags:") and "w" in place[3] and " dd" not in line and "[v" not in place[4]:
                    mem.seek(int(place[1], 16))
                    leaks += [f"{place[4] or 'memory'} {x}" for x in search.find(mem.read(int(place[2], 16) - int(place[1], 16)))]
    except OSError:
        return None
    return leaks


# ---- the runs ----

def clean(search, what, text, but=()):
    found = search.find(text, but)
    check(not found, f"{what}: nothing of a secret", "\n".join(found[:20]))


def outputs(s, name, more=()):
    flags = {"--report": "r.json", "--junit": "j.xml", "--sarif": "s.sarif", "--log": "l.log", "--jsonfile": "e.jsonl"}
    return [w for flag, end in flags.items() if flag in more for w in (flag, os.path.join(s.out, f"{name}-{end}"))]


ROWS = (  # name, flags, files, command, exit status
    ("raw", ["--format", "raw"], ("--report", "--junit", "--sarif", "--log"), ["go", "test", "-count=1", "-run", "Prints|Names", "."], 1),
    ("github", ["--format", "github"], ("--report", "--junit", "--sarif", "--log", "--jsonfile"), ["go", "test", "-count=1", "-v", "-run", "Prints|Names", "."], 1),
    ("verbose", ["--format", "verbose", "--rerun-fails=1"], ("--report", "--junit", "--jsonfile"), ["go", "test", "-count=1", "-run", "Prints", "."], 1),
    ("panic", ["--format", "pkgname"], ("--report", "--junit", "--sarif", "--log"), ["go", "test", "-count=1", "-run", "Panics", "."], 1),
    ("build", ["--format", "pkgname"], ("--report", "--junit", "--sarif", "--log"), ["go", "test", "./..."], 1),
    ("segv", ["--retry", "1", "--retry-on", "permanent"], ("--report", "--sarif", "--log"), ["sh", "crash.sh", "SEGV"], 139),
    ("timeout", ["--timeout", "1s", "--grace", "300ms"], ("--report", "--log"), ["sh", "crash.sh", "CONT"], 124),
    ("redacted", ["--redact-output"], ("--report", "--log"), ["sh", "crash.sh", "KILL"], 137),
    ("arguments", [], ("--report", "--log"), ["sh", "-c", 'echo "$@"; exit 3', "sh", "--password", "@argument-password", "@url-userinfo", "-H", "@bearer-header"], 3),
)


def command_of(words):
    return [ALL[w[1:]].core if w == "@argument-password" else ALL[w[1:]].said if w.startswith("@") else w for w in words]


def the_runs(s, search):
    watch = Watch(s, search)
    watch.start()
    for name, flags, files, words, status in ROWS:
        code, out, err = s.run("run", *flags, *outputs(s, name, files), "--", *command_of(words))
        check(code == status, f"{name}: the command's own status", (code, err.decode("utf-8", "replace")[:2000]))
        clean(search, f"{name}: stderr" + (" of Tocsin" if name in ("segv", "timeout", "arguments") else ""), said_by_tocsin(err))
        if name in ("github", "verbose", "panic", "build", "redacted"):
            clean(search, f"{name}: stdout", out)
        elif name != "arguments":
            check(search.find(out), f"{name}: the command's own output is untouched", out[:400])
    leaks = watch.stop()
    check(min(watch.seen[k] for k in ("run", "deliver", "command")) > 5, "processes were looked at", watch.seen)
    check(not leaks, "argv and environ of Tocsin's processes have no secret, those of the command none of a channel", "\n".join(leaks[:20]))


def redact_output(s):
    """--redact-output: in time, in order, byte for byte what is no secret."""
    value, half = core("npm"), len(core("npm")) // 2
    script = ('printf "%s" "$1"; printf "login? " >&2; sleep 0.4; printf "%s\n" "$2"; echo middle; printf "prompt:"; sleep 1; echo; echo "$1$2" >&2; exit 3')
    p = s.start("run", "--no-store", "--redact-output", "--", "sh", "-c", script, "sh", value[:half], value[half:])
    os.set_blocking(p.stdout.fileno(), False)
    got, at, begin = b"", None, time.monotonic()
    while p.poll() is None and time.monotonic() - begin < 30:
        got += p.stdout.read() or b""
        at = time.monotonic() if at is None and got.endswith(b"prompt:") else at
        time.sleep(0.01)
    waited = time.monotonic() - (at or time.monotonic())
    os.set_blocking(p.stdout.fileno(), True)
    out, err = p.communicate(timeout=30)
    check(got + out == b"[redacted:secret]\nmiddle\nprompt:\n" and p.returncode == 3, "--redact-output: a value in two writes with a pause between, all else in its order", (got + out, err))
    check(waited > 0.5, "a prompt is seen while the command waits", waited)
    check(err.startswith(b"login? [redacted:secret]\n"), "stderr for itself", err[:200])
    plain = "".join(f"line {n} " + "word " * (n % 40) + "\n" for n in range(60000)).encode() + b"no end"
    big = os.path.join(s.given, "big")
    with open(big, "wb") as f:
        f.write(plain)
    _, out, _ = s.run("run", "--no-store", "--redact-output", "--", "cat", big)
    check(out == plain, f"{len(plain) >> 20} MB without a secret are the same byte for byte", (len(out), len(plain)))
    _, out, _ = s.run("run", "--no-store", "--redact-output", "--pty", "--", "sh", "-c", 'printf "%s" "$1"; printf "%s end" "$2"', "sh", value[:half], value[half:])
    check(out == b"[redacted:secret] end", "in a terminal too, without a last line end", out)


def said_by_tocsin(err):
    """What the verdict and the notes say; crash.sh prints to stderr what it likes."""
    at = err.find(b"tocsin: ")
    return err[at:] if at >= 0 else b""


def in_memory(s, search):
    """A run that waits, and its deliverer: their memory, and what is left when they are killed."""
    plain = dict(s.env, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":handle_segv=0")  # the signal is ours, no finding of the sanitizer's
    p = s.start("run", "--log", os.path.join(s.out, "waits.log"), "--", "sleep", "20", env=plain)
    time.sleep(1 + BEGINS)
    leaks = in_core(p.pid, search)
    if ASAN:
        skip("no core file of Tocsin would have a secret of a channel", "AddressSanitizer keeps a copy of the environment for itself")
    elif leaks is None:
        skip("no core file of Tocsin would have a secret of a channel", "this machine does not let us read another process's memory")
    else:
        leaks = [x for x in leaks if any(f" {c}:" in x for c in CHANNELS)]
        check(not leaks, "no core file of Tocsin would have a secret of a channel", "\n".join(leaks[:20]))
    p.send_signal(signal.SIGSEGV)
    _, err = p.communicate(timeout=60)
    clean(search, "a run that was made to crash: stderr", said_by_tocsin(err))
    left = [d for d in (s.shop, s.dir, "/") for f in os.listdir(d) if re.fullmatch(r"(tocsin\.)?core(\.\d+)?", f)]
    check(not left, "it left no core file", left)


QUESTIONS = (["alert", "queue", "--all"], ["alert", "queue", "--all", "--json"], ["alert", "dead"], ["alert", "doctor"], ["stats"], ["stats", "--json"], ["fault", "list", "--json"],
             ["fault", "export"], ["fault", "audit"], ["store", "check"], ["config", "show"], ["alert", "test", "refused"], ["alert", "test", "moved"], ["alert", "test", "down"])


def the_questions(s, search):
    for words in QUESTIONS:
        code, out, err = s.run(*words)
        clean(search, " ".join(words) + f" ({code})", out + err)
    rows = json.loads(s.run("alert", "queue", "--all", "--json")[1])["alerts"]
    shown = b"".join(b"".join(s.run("alert", "show", r["id"])[1:]) for r in rows[:40:3])
    clean(search, "alert show", shown)
    report = os.path.join(s.out, "github-r.json")
    for name in ("ding", "slack", "mail", "telegram", "pagerduty", "hook"):
        clean(search, f"alert preview {name}", b"".join(s.run("alert", "preview", "--channel", name, report)[1:]))
    faults = json.loads(s.run("fault", "list", "--json")[1])["faults"]
    clean(search, "fault show", b"".join(b"".join(s.run("fault", "show", f["id"])[1:]) for f in faults[:6]))
    page = os.path.join(s.out, "stats.html")
    clean(search, "stats --html", b"".join(s.run("stats", "--html", page)[1:]))
    for name in ("github-e.jsonl", "raw-l.log"):
        clean(search, "explain " + name, b"".join(s.run("explain", "--json", os.path.join(s.out, name))[1:]))
    kept = os.path.join(s.out, "explain")
    raw = subprocess.run(["go", "test", "-json", "-count=1", "-run", "Prints|Names", "."], cwd=s.shop, env=s.env, capture_output=True, check=False).stdout
    log = put(os.path.join(s.given, "raw.jsonl"), raw.decode())
    clean(search, "explain of a stream that has them", b"".join(s.run("explain", "--report", kept + ".json", "--junit", kept + ".xml", "--markdown", kept + ".md", log)[1:]))
    message = f"{core('webhook-hmac')} and {core('github')} and {core('aws-secret')} and {core('quoted-password')}"
    clean(search, "alert send", b"".join(s.run("alert", "send", "-m", message, "--wait", "1s")[1:]))
    clean(search, "alert silence", b"".join(s.run("alert", "silence", "--why", message, "--branch", ALL["branch-token"].said)[1:]))


OWN = {  # what belongs into which path, header and body
    "/robot/send": ("dingtalk-token",), "/cgi-bin/webhook/send": ("wecom-key",), "/open-apis/bot/v2/hook/": ("feishu-hook",), "/services/": ("slack-hook",), "/do/ok/in/": ("webhook-path",),
    "/api/webhooks/": ("discord-token",), "/workflows/": ("teams-sig",), "/bot": ("telegram-token",), "/v2/enqueue": ("pagerduty-key",), "/v2/alerts": ("opsgenie-key",), "/ntfy/": ("ntfy-token",),
    "/do/errcode": ("dingtalk-token",), "/do/status": ("slack-hook",),
}


def what_came(e, search):
    with e.lock:
        seen = list(e.requests)
    kinds = {}
    leaks = []
    for r in seen:
        own = next((v for k, v in OWN.items() if r.path.startswith(k)), ())
        inside = ("pagerduty-key",) if r.path.startswith("/v2/enqueue") else ()
        heads = "\n".join(f"{k}: {v}" for k, v in r.headers if k != "Authorization")
        allowed = "\n".join(f"{k}: {v}" for k, v in r.headers if k == "Authorization")
        leaks += [f"{r.path[:24]} path {x}" for x in search.find(urllib.parse.unquote(r.path) + " " + r.path, own)]
        leaks += [f"{r.path[:24]} headers {x}" for x in search.find(heads) + search.find(allowed, own)]
        text = r.body if r.method != "MAIL" else r.body + b"".join(decoded(r.body))
        leaks += [f"{r.path[:24]} body {x}" for x in search.find(text, inside)]
        kind = "mail" if r.method == "MAIL" else "/".join(r.path.split("/")[1:3])
        kinds[kind] = kinds.get(kind, 0) + 1
    check(len(kinds) >= 12 and len(seen) > 40, "every channel got something", kinds)
    check(not leaks, f"no secret in {len(seen)} messages but where it belongs", "\n".join(sorted(set(leaks))[:20]))


def decoded(mail):
    for part in email.message_from_bytes(mail).walk():
        yield part.get_payload(decode=True) or b""


def all_files(s, search):
    """Everything that was written: the database with its log and free pages, the outbox, reports, spools, sockets' folders."""
    leaks, n, size = [], 0, 0
    for top in (s.dir, s.out):
        for d, _, names in os.walk(top):
            for name in names:
                path = os.path.join(d, name)
                if not os.path.isfile(path) or os.path.islink(path) or os.path.getsize(path) > 64 << 20:
                    continue
                if os.path.samefile(path, TOCSIN) or os.path.basename(path).startswith("go-build"):
                    continue
                with open(path, "rb") as f:
                    text = f.read()
                n, size = n + 1, size + len(text)
                leaks += [f"{os.path.relpath(path, TMP)} {x}" for x in search.find(text) + search.find(os.path.relpath(path, TMP))]
    check(n > 25, f"{n} files with {size >> 10} KB were looked at", n)
    check(not leaks, "no secret is in any file that was written", "\n".join(leaks[:40]))


def spooled(s, search):
    folder = os.path.join(s.out, "spool")
    code, _, err = s.run("run", "--flush", "300ms", "--spool", folder, "--", "sh", "-c", f"cat {s.given}/lines.txt; exit 4")
    check(code == 4 and os.listdir(folder), "what was not delivered is spooled", err)
    clean(search, "--flush and --spool: stderr", said_by_tocsin(err))


def main():
    make()
    search = Search()
    check(len(ALL) >= 30 and len({hashlib.sha256(c.core.encode()).digest() for c in ALL.values()}) == len(ALL), f"{len(ALL)} secrets of different shape", sorted(ALL))
    with Endpoint() as e:
        if not shutil.which("go"):
            skip("secrets in the output of go test", "no go here")
            done()
        s = Site(e, "site")
        check(len(set(search.find("\n".join(s.said)))) > 60, "the search finds them", search.find("\n".join(s.said)))
        try:
            the_runs(s, search)
            redact_output(s)
            spooled(s, search)
            in_memory(s, search)
            s.run("deliver", "--once")
            the_questions(s, search)
            what_came(e, search)
        finally:
            s.end()
        all_files(s, search)
    shutil.rmtree(TMP, ignore_errors=True)
    done()


main()
