#!/usr/bin/env python3
# suite: limit 300
# suite: takes 18
"""Who is told what, when, through the program: what routes match on, levels, groups, repetition, escalation, silences, recovery, mentions,
templates; and what a pull request's own configuration cannot do."""
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
sys.dont_write_bytecode = True
from endpoint import Endpoint  # noqa: E402
from tap import TOCSIN, check, done, side_by_side  # noqa: E402

TMP = tempfile.mkdtemp(prefix="tocsin-routes-")
TOKEN = "canary9c5e1b2d4f60a7f3canary9c5e1b2d4f"
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "GITLAB_", "TOCSIN_", "CI_", "GIT_", "OTEL_")) and k not in ("CI", "FORCE_COLOR")
       and not k.lower().endswith("_proxy")}
ENV.update(LC_ALL="C.UTF-8", HOME=TMP, XDG_CONFIG_HOME=TMP + "/none", GOTOOLCHAIN="local")
GITHUB = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/shop", "GITHUB_REF_NAME": "main", "GITHUB_SHA": "a" * 40, "GITHUB_JOB": "unit",
          "GITHUB_SERVER_URL": "https://github.example", "GITHUB_RUN_ID": "7"}
# What `go test` prints; FAILS names packages that fail, ITS_PANIC one that panics.
SCRIPT = r"""for p in $FAILS; do
printf -- '--- FAIL: TestTotal (0.00s)\n    %s_test.go:1: got 3, want 4\nFAIL\nFAIL\texample.com/shop/%s\t0.012s\n' $p $p; done
test -z "$FAILS" || { echo FAIL; exit 1; }
printf 'ok  \texample.com/shop/cart\t0.012s\n'
"""


class Site:
    """A repository with owners, an outbox and a configuration of their own."""

    def __init__(self, name, config, project="", env=None):
        self.top = os.path.join(TMP, name)
        self.dir = os.path.join(self.top, "shop")
        self.config = os.path.join(self.top, "alerts.yaml")
        self.state = os.path.join(self.top, "state")
        self.env = dict(ENV, XDG_STATE_HOME=self.state, **(env or {}))
        files = {"go.mod": "module example.com/shop\n\ngo 1.19\n", "CODEOWNERS": "/cart/ @cart-team dev@example.com\n/pay/ @pay-team\n",
                 "cart/cart_test.go": "package cart\n", "pay/pay_test.go": "package pay\n", "test.sh": SCRIPT}
        if project:
            files["tocsin.yaml"] = project
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(self.dir, path)), exist_ok=True)
            self.put(path, text)
        self.git("init", "-q", "-b", "main")
        self.git("add", "-A")
        self.git("-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "x")
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(config)

    def git(self, *args):
        subprocess.run(["git", *args], cwd=self.dir, env=dict(self.env, GIT_CONFIG_NOSYSTEM="1"), check=True, stdout=subprocess.DEVNULL)

    def put(self, path, text):
        with open(os.path.join(self.dir, path), "w", encoding="utf-8") as f:
            f.write(text)

    def tocsin(self, *args, env=None, cwd=None):
        return subprocess.run([TOCSIN, *args], cwd=cwd or self.dir, env={**self.env, "TOCSIN_CONFIG": self.config, **(env or {})}, capture_output=True, text=True, timeout=60, check=False)

    def fail(self, fails="cart", *flags, env=None):
        return self.tocsin("run", *flags, "--", "sh", "test.sh", env={"FAILS": fails, **(env or {})})

    def rows(self, state=None):
        """(channel, state, not before, body) in the order in which they were owed."""
        db = sqlite3.connect(os.path.join(self.state, "tocsin", "tocsin.db"), timeout=30)
        got = db.execute("SELECT channel, state, next_attempt, body FROM alert ORDER BY created, id").fetchall()
        db.close()
        return [(c, s, n / 1e9, json.loads(b)) for c, s, n, b in got if state in (None, s)]

    def told(self, since=0):
        return sorted(r[0] for r in self.rows()[since:])

    def end(self):
        """The deliverers of this site."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    words = f.read()
                if b"deliver" in words and self.top.encode() + b"/" in words:
                    os.kill(int(pid), 9)
            except OSError:
                continue


def channels(e, *names, kind="webhook", more=""):
    return "channels:\n" + "".join(f"- {{name: {n}, type: {kind}, url: '{e.http}/{n}'{more}}}\n" for n in names)


def bodies(e, word, n, seconds=10):
    return [json.loads(s.body) for s in e.wait_for(n, seconds, "/" + word)]


def count_of(e, word, seconds):
    """How many come in this time."""
    return len(e.wait_for(1 << 30, seconds, "/" + word))


# ---- what routes match on ----

CONDITIONS = {  # {name: (condition, does it hold for the first failure?)}
    "outcome": ("outcome: [crashed, failed]", True), "no-outcome": ("outcome: crashed", False),
    "cause": ("cause: test.*", True), "no-cause": ("cause: mod.*", False),
    "class": ("class: permanent", True), "no-class": ("class: [transient, security]", False),
    "severity": ("severity: error", True), "no-severity": ("severity: [warning, note]", False),
    "package": ("package: example.com/shop/*", True), "no-package": ("package: example.com/shop/pay", False),
    "branch": ("branch: [release/*, ma*]", True), "no-branch": ("branch: dev", False),
    "job": ("job: unit", True), "no-job": ("job: e2e", False),
    "service": ("service: checkout", True), "no-service": ("service: shop", False),
    "new": ("state: new", True), "known": ("state: known", False), "regressed": ("state: regressed", False), "flaky": ("state: flaky", False),
    "owner": ("owner: '@cart-team'", True), "mail-owner": ("owner: '*@example.com'", True), "no-owner": ("owner: '@pay-team'", False),
    "project": ("project: 'acme/*'", True), "no-project": ("project: other", False),
    "both": ("branch: main, owner: '@cart-team'", True), "one-of-two": ("branch: main, owner: '@pay-team'", False),
}
STATES = {"new", "known", "regressed", "flaky"}


def matches(e):
    routes = "routes:\n" + "".join(f"- {{when: {{{c}}}, to: {n}, repeat: 0}}\n" for n, (c, _) in CONDITIONS.items())
    s = Site("matches", channels(e, *CONDITIONS) + routes, env={**GITHUB, "OTEL_SERVICE_NAME": "checkout"})
    p = s.fail()
    want = sorted(n for n, (_, holds) in CONDITIONS.items() if holds)
    check(p.returncode == 1 and s.told() == want, "each condition of a route is met by what it is about, and by nothing else", f"{set(s.told()) ^ set(want)}\n{p.stderr}")
    got = bodies(e, "both", 1)
    check(got and got[0]["project"] == "acme/shop" and got[0]["job"] == "unit" and got[0]["items"][0]["owners"] == ["@cart-team", "dev@example.com"], "and the message says so", got)
    n = len(s.rows())
    s.fail()
    check(STATES & set(s.told(n)) == {"known"}, "seen again, it is known", s.told(n))
    p = s.tocsin("fault", "resolve", "T-1", "--fix", "mended")
    n = len(s.rows())
    s.fail()
    check(p.returncode == 0 and STATES & set(s.told(n)) == {"regressed"}, "after it was resolved, it has come back", (s.told(n), p.stderr))
    s.tocsin("run", "--", "sh", "test.sh")
    n = len(s.rows())
    s.fail()
    check("flaky" in s.told(n), "a test that passed and failed at one commit is flaky", s.told(n))
    s.end()


def flaky_otherwise(e):
    conf = channels(e, "fl-flaky", "fl-warning") + "routes:\n- {when: {state: flaky}, to: fl-flaky, repeat: 0}\n- {when: {severity: warning}, to: fl-warning, repeat: 0}\n"
    s = Site("quarantine", conf, project="quarantine:\n- {test: TestTotal, until: 2199-01-01}\n")
    p = s.fail()
    check(p.returncode == 1 and s.told() == ["fl-flaky"], "a test that is in quarantine is flaky", (s.told(), p.stderr))
    s.end()
    s = Site("unstable", conf)
    p = s.tocsin("run", "--retry", "1", "--retry-on", "permanent", "--", "sh", "-c", "test -e ../ran && exit 0; touch ../ran; FAILS=cart sh test.sh")
    check("fl-flaky" in s.told(), "what failed and then passed is flaky", (s.told(), p.returncode, p.stderr))
    s.end()


# ---- several failures ----

def several(e):
    s = Site("several", channels(e, "sv-cart", "sv-pay") + "routes:\n- {when: {owner: '@cart-team'}, to: sv-cart}\n- {when: {package: '*/pay'}, to: sv-pay}\n")
    s.fail("cart pay")
    check(s.told() == ["sv-cart", "sv-pay"], "two failures of two owners: each hears of the run", s.told())
    got = bodies(e, "sv-pay", 1) + bodies(e, "sv-cart", 1)
    check(len(got) == 2 and all(len(g["items"]) == 2 for g in got) and got[0]["key"] == got[1]["key"], "in one alert", got)
    s.fail("cart pay")
    check(len(s.rows()) == 2, "again: nobody is told twice", s.told())
    s.fail("")
    check(s.told(2) == ["sv-cart", "sv-pay"] and all(r[3]["alert"]["kind"] == "recovered" for r in s.rows()[2:]), "it passes again: one notice to each", [(r[0], r[3]["alert"]["key"]) for r in s.rows()[2:]])
    s.end()
    s = Site("second", channels(e, "second"))
    s.fail("cart")
    s.fail("cart pay")
    rows = [r[3]["alert"] for r in s.rows()]
    check(len(rows) == 2 and rows[1]["items"][0]["package"].endswith("/pay") and rows[1]["key"] != rows[0]["key"] and len(rows[1]["items"]) == 2,
          "a failure that is new is not hidden by one that was told already", rows)
    s.fail("cart pay")
    check(len(s.rows()) == 2, "once", len(s.rows()))
    s.fail("")
    check(sorted(r[3]["alert"]["key"] for r in s.rows()[2:]) == sorted(a["key"] for a in rows), "both are over when it passes", s.rows()[2:])
    s.end()


def repeats(e):
    s = Site("repeat", channels(e, "rp-each", "rp-once") + "routes:\n- {to: rp-each, repeat: 0}\n- {to: rp-once, repeat: 1h}\n")
    for _ in range(3):
        s.fail()
    check(s.told() == ["rp-each"] * 3 + ["rp-once"], "each channel has its own repeat interval", s.told())
    p = s.fail()
    s.fail("")
    kinds = [(r[0], r[3]["alert"]["kind"]) for r in s.rows()][5:]
    check(sorted(kinds) == [("rp-each", "recovered"), ("rp-once", "recovered")], "and both hear that it is over", kinds)
    s.fail()
    check(s.told(7) == ["rp-each", "rp-once"], "back again: told at once", (s.told(7), p.stderr))
    s.end()
    s = Site("held", channels(e, "held"))
    s.fail()
    p = s.fail()
    check("told already; again not before" in p.stderr, "why nobody is told is said", p.stderr)
    s.end()


# ---- levels ----

ESCALATES = "routes:\n- {to: %s, escalate_after: %s, escalate_to: [%s]}\n"


def escalation(e):
    conf = ESCALATES
    s = Site("escalates", channels(e, "es-ops", "es-more", "es-night") + conf % ("[es-ops, es-more]", "2s", "es-night"))
    began = time.time()
    s.fail()
    check(len(bodies(e, "es-ops", 1)) == 1 and len(bodies(e, "es-more", 1)) == 1, "L1 goes to several channels at once")
    got = e.wait_for(1, 20, "/es-night")
    check(len(got) == 1 and 2 <= got[0].at - began < 15, "nobody acknowledges it: it escalates after its time", [g.at - began for g in got])
    s.fail("")
    check([r[0] for r in s.rows()[3:]] == ["es-ops", "es-more", "es-night"] or s.told(3) == ["es-more", "es-night", "es-ops"], "who it escalated to hears that it is over", s.told(3))
    s.end()
    s = Site("piled", channels(e, "pl-ops", "pl-night") + "routes:\n- {to: pl-ops, repeat: 0, escalate_after: 1h, escalate_to: pl-night}\n")
    for _ in range(3):
        s.fail()
    check(s.told() == ["pl-night", "pl-ops", "pl-ops", "pl-ops"], "what is told every time escalates once", s.told())
    s.end()


def acknowledged(e):
    conf = ESCALATES
    s = Site("acked", channels(e, "ak-ops", "ak-night") + conf % ("ak-ops", "5s", "ak-night") + "  \n")
    s.fail("cart pay")
    p = s.tocsin("alert", "ack", s.rows()[0][3]["alert"]["key"])
    check(p.returncode == 0 and count_of(e, "ak-night", 6.5) == 0, "acknowledged: it does not escalate", p.stderr)
    p = s.fail("cart pay")
    check(len(s.rows()) == 2 and "acknowledged" in p.stderr, "and is not repeated", p.stderr)
    s.fail("")
    check(s.told(2) == ["ak-ops"], "who it did not escalate to hears nothing of its end", s.told(2))
    s.end()


def over_in_time(e):
    conf = ESCALATES
    s = Site("passed", channels(e, "ps-ops", "ps-night") + conf % ("ps-ops", "5s", "ps-night"))
    s.fail()
    s.fail("")
    check(count_of(e, "ps-night", 6.5) == 0, "over before its time: it does not escalate")
    s.end()


def grouped(e):
    s = Site("grouped", channels(e, "gr-dev") + "routes:\n- {to: gr-dev, level: L2, group: 6s, group_by: [project]}\n")
    while time.time() % 6 > 1:
        time.sleep(0.05)
    for n, package in enumerate(("cart", "pay")):
        s.fail(package)
        check(len(s.rows()) == n + 1 and s.rows()[n][2] > time.time(), f"L2: {package} waits for its group", s.rows())
    got = bodies(e, "gr-dev", 1)
    more = count_of(e, "gr-dev", 0.5)
    check(more == 1 and got[0]["kind"] == "digest" and sum(i["count"] for i in got[0]["items"]) + got[0]["more"] == 2, "and is told in one message, which says how many", got)
    s.end()
    s = Site("digest", channels(e, "dg-a", "dg-b", "dg-c", "dg-d") +
             "routes:\n- {to: dg-a, level: L3, digest_at: '09:00', time_zone: UTC+8}\n- {to: dg-b, level: L2, quiet_hours: ['00:00-23:59'], time_zone: Asia/Tokyo}\n"
             "- {to: dg-c, quiet_hours: ['00:00-23:59']}\n- {to: dg-d, level: L2}\n")
    s.fail()
    now, at = time.time(), {r[0]: r[2] for r in s.rows()}
    check((at["dg-a"] + 8 * 3600) % 86400 == 9 * 3600 and 0 < at["dg-a"] - now <= 86400, "L3 waits for the digest, by the clock of its zone", (now, at))
    quiet = (now + 9 * 3600) % 86400 < 86340
    check(not quiet or (at["dg-b"] + 9 * 3600) % 86400 == 86340, "quiet hours hold it until they end there", (now, at))
    check(at["dg-c"] <= now + 1, "L1 goes in quiet hours too", (now, at))
    check(0 < at["dg-d"] - now <= 300 and at["dg-d"] % 300 == 0, "L2 waits for five minutes at most, when nothing is said", (now, at))
    s.end()
    s = Site("zone", channels(e, "zn-dev") + "routes:\n- {to: zn-dev, level: L2, group: 0, quiet_hours: ['00:00-23:59'], time_zone: Nowhere/City}\n")
    p = s.fail()
    check(len(bodies(e, "zn-dev", 1)) == 1 and "time zone Nowhere/City is not known" in p.stderr, "a zone that the machine does not know holds nothing back, and that is said", p.stderr)
    s.end()


# ---- who is not told ----

def silenced(e):
    s = Site("silenced", channels(e, "si-ops") + "silence:\n- {when: {package: '*/cart', branch: main}, until: 2199-01-01, why: being rebuilt}\n")
    p = s.fail("cart")
    check(not s.rows() and "silenced until" in p.stderr and "being rebuilt" in p.stderr, "what the configuration silences is told to nobody, and that is said", p.stderr)
    s.fail("cart pay")
    check(s.told() == ["si-ops"], "another failure of the same run is not silenced with it", s.told())
    s.end()
    s = Site("silence", channels(e, "sh-ops"))
    p = s.tocsin("alert", "silence", "--owner", "@cart-team", "--service", "shop", "--for", "1h", "--why", "moving")
    p = s.fail()
    check(not s.rows() and "tocsin alert silence: moving" in p.stderr, "`tocsin alert silence` silences", p.stderr)
    name = s.tocsin("alert", "silence").stdout.split(" ")[0]
    p = s.tocsin("alert", "silence", "--end", name)
    s.fail()
    check(p.returncode == 0 and s.told() == ["sh-ops"], "until it is ended", (p.stdout + p.stderr, s.told()))
    s.end()


DNS = 'go: example.com/a@v1.0.0: Get "https://proxy.example/a/@v/v1.0.0.mod": dial tcp: lookup proxy.example on 127.0.0.53:53: no such host'
TIMEOUT = 'go: example.com/b@v1.0.0: Get "https://proxy.example/b/@v/v1.0.0.mod": dial tcp 192.0.2.1:443: i/o timeout'


def inhibited(e):
    say = lambda s, text: s.tocsin("run", "--", "sh", "-c", f"echo '{text}' >&2; exit 1")  # noqa: E731
    s = Site("inhibited", channels(e, "in-ops"))
    say(s, TIMEOUT)
    n = len(s.rows())
    s.tocsin("run", "--", "sh", "-c", "exit 0")
    say(s, DNS)
    before = len(s.rows())
    p = say(s, TIMEOUT.replace("/b", "/c"))
    check(n == 1 and before == 2 and len(s.rows()) == 2 and "a consequence of mod.dns" in p.stderr, "one root cause silences its cascade", (n, s.told(), p.stderr))
    s.fail()
    check(len(s.rows()) == 3, "not what has nothing to do with it", s.told())
    s.end()
    s = Site("own-rule", channels(e, "ow-ops") + "inhibit:\n- {cause: proc.exit, silences: test.fail, same: [service]}\n")
    s.tocsin("run", "--", "sh", "-c", "exit 9", env={"OTEL_SERVICE_NAME": "one"})
    s.fail("cart", env={"OTEL_SERVICE_NAME": "two"})
    two = len(s.rows())
    p = s.fail("pay", env={"OTEL_SERVICE_NAME": "one"})
    check(two == 2 and len(s.rows()) == 2 and "a consequence of proc.exit" in p.stderr, "a rule of one's own looks at what both must have in common", (s.told(), p.stderr))
    s.end()


# ---- a failure that is told while the run goes on ----

STREAM = r"""#!/bin/sh
[ "$1" = test ] || exit 0
say() { printf '{"Action":"%s","Package":"example.com/shop/%s"%s}\n' "$1" "$2" "$3"; }
fails() { say run $1 ',"Test":"TestTotal"'; say output $1 ',"Test":"TestTotal","Output":"    '$1'_test.go:1: got 3, want 4\n"'
	say output $1 ',"Test":"TestTotal","Output":"--- FAIL: TestTotal (0.00s)\n"'; say fail $1 ',"Test":"TestTotal","Elapsed":0'
	say output $1 ',"Output":"FAIL\n"'; say fail $1 ',"Elapsed":0.01'; }
fails cart; sleep 1; fails pay; exit 1
"""


def early(e):
    s = Site("early", channels(e, "ea-cart", "ea-pay", "ea-new") +
             "routes:\n- {when: {owner: '@cart-team'}, to: ea-cart}\n- {when: {owner: '@pay-team'}, to: ea-pay}\n- {when: {state: new}, to: ea-new}\n")
    tools = os.path.join(s.top, "bin")
    os.mkdir(tools)
    with open(os.path.join(tools, "go"), "w", encoding="utf-8") as f:
        f.write(STREAM)
    os.chmod(os.path.join(tools, "go"), 0o755)
    p = s.tocsin("run", "--format", "pkgname", "--", "go", "test", "./...", env={"PATH": tools + ":" + s.env["PATH"]})
    got = [(r[0], r[3]["alert"]["kind"], r[3]["alert"]["early"]) for r in s.rows()]
    check(got[:1] == [("ea-cart", "failed", True)], "the owner of the first failure is told while the run goes on", (got, p.stdout + p.stderr))
    check(sorted(got[1:]) == [("ea-cart", "followup", False), ("ea-new", "failed", False), ("ea-pay", "failed", False)],
          "its end is a follow-up for who was told, and an alert for who was not", (got, p.stderr))
    check(len({r[3]["alert"]["key"] for r in s.rows()}) == 1, "about one thing", [r[3]["alert"]["key"] for r in s.rows()])
    n = len(s.rows())
    p = s.tocsin("run", "--format", "pkgname", "--", "go", "test", "./...", env={"PATH": tools + ":" + s.env["PATH"]})
    check(len(s.rows()) == n, "the same again: nobody is told twice", (s.rows()[n:], p.stderr))
    s.end()


# ---- words and names ----

def templates(e):
    conf = f"""channels:
- {{name: tp-own, type: webhook, url: '{e.http}/tp-own', template_body: '{{"t": "{{{{project}}}}: {{{{cause}}}} in {{{{package}}}}, {{{{owners}}}}"}}'}}
- {{name: tp-dd, type: dingtalk, url: '{e.http}/robot/send?access_token=tp-dd', lang: zh, template_title: '坏了：{{{{test}}}}', template_body: '原因 {{{{cause}}}}'}}
- {{name: tp-zh, type: dingtalk, url: '{e.http}/robot/send?access_token=tp-zh', lang: zh, template_body: '原因 {{{{nothing}}}}'}}
- {{name: tp-en, type: slack, url: '{e.http}/services/tp-en', lang: en, template_title: '{{{{cause'}}
"""
    s = Site("templates", conf)
    s.fail()
    body = {w: next(iter(e.wait_for(1, 10, w)), None) for w in ("tp-own", "tp-dd", "tp-zh", "tp-en")}
    text = {w: json.dumps(json.loads(b.body), ensure_ascii=False) if b else "" for w, b in body.items()}
    check("example.com/shop: test.fail in example.com/shop/cart, @\u2060cart-team" in text["tp-own"] or "test.fail in example.com/shop/cart" in text["tp-own"], "a body in one's own words", text["tp-own"])
    check("坏了：TestTotal" in text["tp-dd"] and "原因 test.fail" in text["tp-dd"].replace("\\", ""), "a title and a body in Chinese", text["tp-dd"])
    check("template_body" in text["tp-zh"] and "已改用内置模板" in text["tp-zh"] and "TestTotal" in text["tp-zh"], "a template that fails falls back to the built-in one, and says so, in Chinese", text["tp-zh"])
    check("template_title" in text["tp-en"] and "the built-in words are used" in text["tp-en"] and "TestTotal" in text["tp-en"], "and in English", text["tp-en"])
    s.end()


def mentions(e):
    row = "- {{name: {n}, type: {t}, url: '{u}', mentions: {m}}}\n"
    conf = "channels:\n"
    for n, t, path, m in (
            ("me-ding", "dingtalk", "/robot/send?access_token=me-ding", "{'@cart-team': '13800000001', '@pay-team': '13800000002'}"),
            ("me-star", "dingtalk", "/robot/send?access_token=me-star", "{'*': '13800000003', '@pay-team': '13800000002'}"),
            ("me-all", "dingtalk", "/robot/send?access_token=me-all", "{'@cart-team': all}"),
            ("me-wecom", "wecom", "/cgi-bin/webhook/send?key=me-wecom", "{'@cart-team': lisi}"),
            ("me-lark", "feishu", "/open-apis/bot/v2/hook/me-lark", "{'@cart-team': ou_123}"),
            ("me-slack", "slack", "/services/me-slack", "{'@cart-team': U012AB3CD, dev@example.com: U099}"),
            ("me-none", "dingtalk", "/robot/send?access_token=me-none", "{'@pay-team': '13800000002'}")):
        conf += row.format(n=n, t=t, u=e.http + path, m=m)
    s = Site("mentions", conf)
    s.fail()
    text = {w: next((x.body.decode() for x in e.wait_for(1, 10, w)), "{}") for w in ("me-ding", "me-star", "me-all", "me-wecom", "me-lark", "me-slack", "me-none")}
    at = lambda w: json.loads(text[w]).get("at", {})  # noqa: E731
    check(at("me-ding").get("atMobiles") == ["13800000001"] and not at("me-ding").get("isAtAll"), "DingTalk: the owner is mentioned, nobody else", text["me-ding"])
    check(at("me-star").get("atMobiles") == ["13800000003"], "the owner '*' is told each time", text["me-star"])
    check(at("me-all").get("isAtAll") is True, "the id 'all' is the whole chat", text["me-all"])
    check("lisi" in text["me-wecom"] and "ou_123" in text["me-lark"], "WeCom and Feishu", text["me-wecom"] + text["me-lark"])
    check(all(f'"user_id":"{u}"' in text["me-slack"] for u in ("U012AB3CD", "U099")), "Slack, two owners", text["me-slack"])
    check(not at("me-none").get("atMobiles") and not at("me-none").get("isAtAll"), "who owns nothing of it is left alone", text["me-none"])
    s.end()


def misconfigured(e):
    s = Site("misconfigured", f"channels:\n- {{name: mc-bad, type: slack, url: 'env:NOT_THERE'}}\n- {{name: mc-good, type: webhook, url: '{e.http}/mc-good'}}\n")
    s.fail()
    got = bodies(e, "mc-good", 2)
    kinds = sorted(g["kind"] for g in got)
    check(kinds == ["channel", "failed"], "a channel whose secret is missing is told through the other", kinds)
    about = next((g for g in got if g["kind"] == "channel"), {"items": [{}]})
    check(about["items"][0].get("title") == "mc-bad" and "NOT_THERE" in json.dumps(about), "with its name and what is missing", about)
    s.end()


# ---- trust ----

PULLS = {
    "github": {**GITHUB, "GITHUB_EVENT_NAME": "pull_request", "GITHUB_HEAD_REF": "evil", "GITHUB_BASE_REF": "main", "GITHUB_REF": "refs/pull/7/merge"},
    "gitlab": {"GITLAB_CI": "true", "CI_PROJECT_PATH": "acme/shop", "CI_MERGE_REQUEST_IID": "7", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "evil", "CI_JOB_NAME": "unit", "CI_COMMIT_SHA": "b" * 40},
}


def evil_file(e, marker):
    return f"""store: postgres://evil.example/x
channels:
- {{name: ops, type: webhook, url: '{e.http}/evil-url', secret: env:OTHER_SECRET, proxy: '{e.http}', ca_file: ca.pem, template_body: '{{{{text}}}} env:HOOK_URL ${{HOOK_URL}}'}}
- {{name: thief, type: webhook, url: env:HOOK_URL, template_body: 'stolen'}}
- {{name: far, type: webhook, url: 'env:EVIL_URL', secret: env:HOOK_URL, format: bearer}}
- {{name: prog, type: exec, command: [/bin/sh, -c, 'env > {marker}']}}
routes:
- {{to: [ops, thief, far, prog]}}
"""


def pulls(e):
    for ci, env in PULLS.items():
        marker = os.path.join(TMP, "stolen-" + ci)
        hook = f"{e.http}/pr-good-{ci}?token={TOKEN}"
        s = Site("pull-" + ci, "channels:\n- {name: ops, type: webhook, url: env:HOOK_URL, secret: env:HOOK_SECRET, format: github}\n", project=evil_file(e, marker),
                 env={**env, "HOOK_URL": hook, "HOOK_SECRET": TOKEN + "s", "OTHER_SECRET": TOKEN + "o", "EVIL_URL": f"{e.http}/evil-env"})
        # the command is the pull request's: it looks wherever it can
        s.put("test.sh", 'echo "url ${HOOK_URL-gone} ${HOOK_SECRET-gone}"; p=$PPID; while [ "$p" -gt 1 ]; do tr "\\0" "\\n" < /proc/$p/environ 2>&1 | grep -a HOOK; '
              'case "$(tr "\\0" " " < /proc/$p/cmdline)" in *tocsin*) break;; esac; p=$(awk "/^PPid/ { print \\$2 }" /proc/$p/status); done; exit 1\n')
        p = s.tocsin("run", "--", "sh", "test.sh")
        got = e.wait_for(1, 10, f"pr-good-{ci}")
        check(len(got) == 1 and got[0].header("X-Hub-Signature-256"), f"{ci}: the trusted channel is told", p.stderr)
        check("channels is ignored" in p.stderr or "channels" in p.stderr and "ignored" in p.stderr, f"{ci}: that the file's own channels are ignored is said", p.stderr)
        time.sleep(0.3)
        check(not e.wait_for(1, 0, "/evil") and not os.path.exists(marker), f"{ci}: nothing is sent to the addresses of the pull request, nothing of it is run")
        check(TOKEN not in p.stdout + p.stderr and "url gone gone" in p.stdout, f"{ci}: the command finds no secret in its environment, nor in ours", p.stdout)
        told = b"".join(x.body for x in got)
        check(TOKEN.encode() not in told and b"stolen" not in told, f"{ci}: and none is in the message", told)
        check(len(s.rows()) == 1 and s.rows()[0][0] == "ops" and len(got) == 1, f"{ci}: its routes name only channels that are trusted", s.told())
        s.end()


def back_doors(e):
    """Code of the pull request that talks to a deliverer which knows the secrets: by the program, and by a row of its own in the outbox."""
    s = Site("back", "channels:\n- {name: ops, type: webhook, url: env:HOOK_URL, secret: env:HOOK_SECRET, format: bearer}\n", project="",
             env={"HOOK_URL": f"{e.http}/bd-good?token={TOKEN}", "HOOK_SECRET": TOKEN + "s"})
    s.fail()
    check(len(e.wait_for(1, 10, "bd-good")) == 1, "a deliverer knows the secrets")
    evil = os.path.join(s.top, "evil.yaml")
    with open(evil, "w", encoding="utf-8") as f:
        f.write(f"channels:\n- {{name: ops, type: webhook, url: '{e.http}/evil-back', secret: env:HOOK_SECRET, format: bearer}}\n"
                f"- {{name: two, type: webhook, url: env:HOOK_URL}}\n- {{name: three, type: webhook, url: '{e.http}/back-plain', template_body: '{{\"t\": \"{{{{nothing}}}}\"}}'}}\n")
    for name in ("HOOK_URL", "HOOK_SECRET"):
        del s.env[name]
    s.tocsin("alert", "send", "-m", "hello", "--wait", "1s", env={"TOCSIN_CONFIG": evil})
    db = sqlite3.connect(os.path.join(s.state, "tocsin", "tocsin.db"), timeout=30)
    run, body = db.execute("SELECT run, body FROM alert WHERE run IS NOT NULL AND run <> '' ORDER BY created LIMIT 1").fetchone()
    mine = json.loads(body)
    mine["config"], now = evil, time.time_ns()
    for n, name in enumerate(("ops", "two")):
        db.execute("INSERT INTO alert(id, run, channel, state, attempts, next_attempt, lease_until, created, updated, body) VALUES (?,?,?,'pending',0,?,0,?,?,?)",
                   (f"01ARZ3NDEKTSV4RRFFQ69G5FA{n}", run, name, now, now, now, json.dumps(mine).encode()))
    db.commit()
    db.close()
    s.tocsin("alert", "send", "-m", "wake up", "--wait", "2s", env={"TOCSIN_CONFIG": evil})
    end = time.monotonic() + 5
    while time.monotonic() < end and any(r[1] in ("pending", "leased") for r in s.rows() if r[3]["config"] == evil and r[0] != "three"):
        time.sleep(0.1)
    seen = [x for x in e.requests if "evil" in x.path]
    check(not any(TOKEN.encode() in x.body + repr(x.headers).encode() + x.path.encode() for x in seen), "neither gets them out of it", [(x.path, x.headers) for x in seen])
    check(sum("bd-good" in x.path for x in e.requests) == 1, "nor anything sent by them", [x.path for x in e.requests])
    s.end()


def trusted_only(e):
    """Beyond the file: programs, preview, deliver and the other verbs."""
    marker = os.path.join(TMP, "ran")
    s = Site("verbs", "channels:\n- {name: ops, type: webhook, url: env:HOOK_URL}\n", project=evil_file(e, marker), env={"HOOK_URL": f"{e.http}/vb-good?token={TOKEN}", "EVIL_URL": f"{e.http}/evil-verb"})
    report = os.path.join(s.top, "report.json")
    s.fail("cart", "--no-store", "--report", report)
    for args in (("alert", "send", "-m", "hello", "--wait", "5s"), ("alert", "send", report, "--wait", "5s"), ("alert", "preview", "--channel", "ops", report), ("alert", "doctor"), ("deliver", "--once")):
        p = s.tocsin(*args)
        check(TOKEN not in p.stdout + p.stderr, f"`{' '.join(args[:2])}` shows no secret", p.stdout + p.stderr)
    for name in ("thief", "prog", "far"):
        p = s.tocsin("alert", "test", name)
        check(p.returncode == 2 and f"no channel '{name}'" in p.stderr, f"`alert test {name}`: there is no such channel", p.stdout + p.stderr)
    check(not e.wait_for(1, 0, "/evil") and not os.path.exists(marker) and len(e.wait_for(2, 5, "vb-good")) >= 2, "only the trusted channel was used", [r.path for r in e.requests[-5:]])
    p = s.tocsin("config", "check", "tocsin.yaml")
    check(TOKEN not in p.stdout + p.stderr, "`config check` shows no secret", p.stdout)
    s.end()
    s = Site("trusted", f"channels:\n- {{name: prog, type: exec, command: [/bin/sh, -c, 'cat > {marker}; env > {marker}.env']}}\n", env={"HOOK_URL": TOKEN})
    s.fail("cart", "--flush", "10s")
    text = open(marker, encoding="utf-8").read() if os.path.exists(marker) else ""
    check('"cause":"test.fail"' in text.replace(" ", ""), "a program that a trusted file names is run", text)
    env = open(marker + ".env", encoding="utf-8").read() if os.path.exists(marker + ".env") else ""
    check(TOKEN not in env and not re.search("TOCSIN_CONFIG|XDG_STATE", env), "with an environment of its own", env)
    s.end()


def strangers(e):
    """One after the other: each looks that nothing came to an address of the pull request."""
    for part in (pulls, back_doors, trusted_only):
        part(e)


def main():
    only = sys.argv[1:]
    with Endpoint() as e:
        parts = (grouped, acknowledged, over_in_time, escalation, strangers, matches, flaky_otherwise, several, repeats, silenced, inhibited, early, templates, mentions, misconfigured)
        side_by_side([part for part in parts if not only or part.__name__ in only], e)
    shutil.rmtree(TMP, ignore_errors=True)
    done()


main()
