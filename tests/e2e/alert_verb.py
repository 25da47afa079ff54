#!/usr/bin/env python3
# suite: limit 120
# suite: takes 37
"""`tocsin alert …` as people use it: every refusal explained, pictures that fit their terminal, JSON for machines, documentation that is accepted."""
import base64
import fcntl
import http.server
import json
import os
import pty
import quopri
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unicodedata
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
sys.dont_write_bytecode = True
from endpoint import Endpoint  # noqa: E402
from tap import FULL, TOCSIN, check, done  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TMP = tempfile.mkdtemp(prefix="tocsin-verb-")
BASE = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "TOCSIN_", "CI_", "GIT_")) and k not in ("CI", "FORCE_COLOR", "NO_COLOR")
        and not k.lower().endswith("_proxy")}
BASE.update(LC_ALL="C.UTF-8", HOME=TMP, TMPDIR=TMP, XDG_CONFIG_HOME=os.path.join(TMP, "config"), XDG_STATE_HOME=os.path.join(TMP, "state"), TERM="xterm",
            TOCSIN_OUTBOX=os.path.join(TMP, "outbox.db"), TOCSIN_CONFIG=os.path.join(TMP, "tocsin.yaml"))
SECRET = "123456:" + "A" * 35
LANGS = ("en", "zh")


def tocsin(*args, env=None, **how):
    return subprocess.run([TOCSIN, *args], cwd=TMP, env=dict(BASE, **(env or {})), capture_output=True, text=True, check=False, timeout=60, **how)


def configure(text):
    with open(BASE["TOCSIN_CONFIG"], "w", encoding="utf-8") as f:
        f.write(text)


def on_terminal(columns, *args, env=None):
    """What it prints on a terminal of that width."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen([TOCSIN, *args], cwd=TMP, env=dict(BASE, **(env or {})), stdin=subprocess.DEVNULL, stdout=follower, stderr=follower) as p:
        os.close(follower)
        out = b""
        while select.select([leader], [], [], 30)[0]:
            try:
                piece = os.read(leader, 65536)
            except OSError:
                break
            if not piece:
                break
            out += piece
        os.close(leader)
        p.wait(30)
    return p.returncode, out.decode("utf-8").replace("\r\n", "\n")


def columns_of(line):
    line = re.sub(r"\033\[[0-9;]*m", "", line)
    return sum(0 if unicodedata.combining(c) or c == "\u2060" else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


# ---- refusals ----

def wrong(code, message, field="errcode", words="errmsg"):
    return json.dumps({field: code, words: message})


# (type, status, body, answer, words in English, words in Chinese)
REFUSALS = [
    ("dingtalk", 200, wrong(310000, "keywords not in content"), "config", "`keyword`", "关键词"),
    ("dingtalk", 200, wrong(310000, "sign not match"), "config", "`secret`", "加签密钥"),
    ("dingtalk", 200, wrong(310000, "invalid timestamp"), "config", "clock (NTP)", "校准本机时钟"),
    ("dingtalk", 200, wrong(310000, "ip 203.0.113.7 not in whitelist"), "config", "security settings", "白名单"),
    ("dingtalk", 200, wrong(300001, "token is not exist"), "config", "access_token", "access_token"),
    ("dingtalk", 200, wrong(130101, "send too fast, exceed 20 times per minute"), "limited", "10 minutes", "10 分钟"),
    ("dingtalk", 200, wrong(-1, "system busy"), "retry", "busy", "繁忙"),
    ("dingtalk", 200, "", "ambiguous", "without any content", "没有内容"),
    ("wecom", 200, wrong(93000, "invalid webhook url, from ip: 203.0.113.7"), "config", "copy the webhook address", "重新复制"),
    ("wecom", 200, wrong(45009, "api freq out of limit, from ip: 203.0.113.7"), "limited", "20 messages a minute", "每分钟超过 20 条"),
    ("wecom", 200, wrong(40058, "markdown.content exceed max length 4096"), "payload", "too long", "过长"),
    ("feishu", 200, wrong(19001, "incoming webhook access token invalid", "code", "msg"), "config", "copy the webhook address", "重新复制"),
    ("feishu", 200, wrong(19021, "sign match fail or timestamp is not within one hour", "code", "msg"), "config", "clock (NTP)", "校准时钟"),
    ("feishu", 200, wrong(19022, "Ip Not Allowed", "code", "msg"), "config", "public IP", "公网 IP"),
    ("feishu", 200, wrong(19024, "Key Words Not Found", "code", "msg"), "config", "`keyword`", "关键词"),
    ("feishu", 200, wrong(9499, "Bad Request", "code", "msg"), "payload", "20 KB", "20 KB"),
    ("slack", 403, "invalid_token", "config", "make a new one", "新建"),
    ("slack", 404, "no_service", "config", "make a new one", "新建"),
    ("slack", 410, "channel_is_archived", "config", "archived", "归档"),
    ("slack", 403, "action_prohibited", "config", "administrator", "管理员"),
    ("slack", 400, "invalid_payload", "payload", "form of the message", "消息格式"),
    ("teams", 401, "{}", "config", '"Anyone"', "任何人"),
    ("teams", 404, "{}", "config", "switch it on", "启用"),
    ("discord", 404, wrong(10015, "Unknown Webhook", "code", "message"), "config", "make a new one", "新建"),
    ("discord", 401, wrong(50027, "Invalid Webhook Token", "code", "message"), "config", "copy the whole", "重新复制"),
    ("discord", 204, "", "ambiguous", "without its sign of success", "没有它自己的成功标志"),
    ("telegram", 401, '{"ok":false,"error_code":401,"description":"Unauthorized"}', "config", "@BotFather", "@BotFather"),
    ("telegram", 400, '{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}', "config", "add the bot to the chat", "加入会话"),
    ("telegram", 403, '{"ok":false,"error_code":403,"description":"Forbidden: bot can\'t initiate conversation with a user"}', "config", "press Start", "开始"),
    ("telegram", 400, '{"ok":false,"error_code":400,"description":"Bad Request: x","parameters":{"migrate_to_chat_id":-1001234567890}}', "config", "-1001234567890", "-1001234567890"),
    ("pagerduty", 400, '{"status":"invalid event","message":"Event object is invalid","errors":["Length of \'routing_key\' is incorrect"]}', "config", "32 characters", "32 个字符"),
    ("pagerduty", 400, '{"status":"invalid key","message":"Invalid Routing Key"}', "config", "32 characters", "32 个字符"),
    ("pagerduty", 400, '{"message":"Event object is invalid","errors":["\'payload.severity\' is invalid"]}', "payload", "payload.severity", "payload.severity"),
    ("opsgenie", 401, '{"message":"Could not authenticate"}', "config", "api.eu.opsgenie.com", "api.eu.opsgenie.com"),
    ("ntfy", 403, '{"code":40301,"error":"forbidden"}', "config", "rights of the token", "令牌的权限"),
    ("ntfy", 429, '{"code":42908,"error":"daily message quota reached"}', "config", "quota", "配额"),
    ("webhook", 302, "", "config", "final address", "最终地址"),
    ("webhook", 503, "", "retry", "fault on its side", "对方故障"),
    ("cloudevents", 410, "", "config", "take the channel out", "移除该渠道"),
]
MORE = {"telegram": "    chat_id: \"42\"\n", "ntfy": "    topic: t\n"}
OPEN = ("telegram", "pagerduty", "opsgenie", "ntfy")  # their address is no secret


def refusals(e):
    bad = {lang: [] for lang in LANGS}
    for kind, status, body, answer, *words in REFUSALS:
        url = f"{e.http}/do/status:{status}:{urllib.parse.quote(body, safe='')}/x"
        secret = "    secret: env:S\n" if kind in OPEN else ""
        configure(f"channels:\n  - name: ops\n    type: {kind}\n    url: {url if kind in OPEN else 'env:U'}\n{secret}{MORE.get(kind, '')}")
        env = {"U": url, "S": SECRET}
        for lang, word in zip(LANGS, words):
            r = tocsin("alert", "test", "--json", "--lang", lang, env=env)
            got = json.loads(r.stdout) if r.stdout.startswith("{") else {}
            ok = r.returncode == 1 and got.get("answer") == answer and word in (got.get("text") or "") and got.get("next")
            if not ok or "203.0.113.7" in r.stdout or SECRET in r.stdout:
                bad[lang].append(f"{kind} {body[:60]}: {r.stdout}{r.stderr}")
    for lang in LANGS:
        check(not bad[lang], f"each of {len(REFUSALS)} refusals is explained, with what to do, in {lang}", "\n".join(bad[lang]))
    configure("channels:\n  - name: ops\n    type: slack\n    url: env:U\n")
    r = tocsin("alert", "test", env={"U": e.http + "/do/status:400:invalid_blocks,ok/services/x"})
    check(r.returncode == 0 and "delivered" in r.stdout and "short" in r.stdout, "where only the short form was taken, that is said", r.stdout + r.stderr)
    for url, word in ((e.closed, "firewall"), ("https://no.such.host.invalid/x", "DNS"), (e.expired + "/services/x", "expired"), (e.http + "/do/html/robot", "between")):
        r = tocsin("alert", "test", "ops", env={"U": url, "SSL_CERT_FILE": e.ca})
        check(r.returncode == 1 and word in r.stdout, f"test says what is between: {word}", r.stdout + r.stderr)
    for env, word in (({}, "U"), ({"U": "http://example.com/x"}, "https://"), ({"U": "hooks.slack.com/x"}, "https://")):
        r = tocsin("alert", "test", "ops", env=env)
        check(r.returncode == 2 and word in r.stderr and "ops" in r.stderr, "a channel that cannot be used is a wrong configuration", f"{env} {r.stdout}{r.stderr}")
    r = tocsin("alert", "test", "op")
    check(r.returncode == 2 and "there are: ops" in r.stderr, "a channel that is not there: those that are", r.stderr)
    r = tocsin("alert", "test", env={"TOCSIN_CONFIG": os.path.join(TMP, "none.yaml")})
    check(r.returncode == 2, "a configuration that is not there is wrong usage", r.stderr)


# ---- pictures ----

REPORT = {
    "schema": "tocsin.report/1",
    "run": {"id": "01KAXV6P00ZZZZZZZZZZZZZZZZ", "argv": ["go", "test", "./..."], "cwd": ".", "started": "2026-11-21T02:00:00Z", "duration_ms": 32100,
            "exit": {"code": 1, "signal": None}, "ci": {"name": "github", "repo": "acme/shop", "branch": "特性/结算-@all", "commit": "0123456789abcdef0123",
                                                        "url": "https://ci.example.com/acme/shop/runs/123456789/attempts/1"}, "go": {"version": "go1.26.8"}},
    "verdict": {"outcome": "failed", "cause": "test.fail", "exit_code": 1, "summary": "2 of 14 tests failed in 1 of 3 packages"},
    "tests": {"packages": 3, "run": 14, "passed": 12, "failed": 2, "skipped": 0, "unfinished": 0, "cached_packages": 1},
    "findings": [
        {"cause": "test.fail", "severity": "error", "fingerprint": None, "package": "example.com/shop/cart", "test": "TestTotal/满减优惠_第二件半价_会员折上折",
         "file": "cart/cart_test.go", "line": 8, "message": "Total(3, 4) = -1, want 7", "excerpt": "    cart_test.go:8: Total(3, 4) = -1, want 7\n\t金额不符：" + "很长的一行" * 20,
         "classes": ["permanent"], "advice": None, "places": [], "owners": ["@acme/checkout"], "fault": None, "command": None},
        {"cause": "test.fail", "severity": "error", "fingerprint": None, "package": "example.com/shop/cart", "test": "TestPay", "file": "cart/pay_test.go", "line": 16,
         "message": "unexpected status 502 from https://pay.example.com/v1/" + "x" * 120, "excerpt": "", "classes": ["permanent"], "advice": None, "places": [], "owners": [],
         "fault": None, "command": None}],
    "commands": [], "limits": []}
EVERY = """channels:
  - {name: dingtalk, type: dingtalk, url: env:U, secret: env:S, lang: zh, at_all: true}
  - {name: wecom, type: wecom, url: env:U, lang: zh, mentions: {"@acme/checkout": zhangsan}}
  - {name: feishu, type: feishu, url: env:U, lang: zh, mentions: {"@acme/checkout": ou_1}}
  - {name: slack, type: slack, url: env:U, mentions: {"@acme/checkout": U024BE7LH}}
  - {name: webhook, type: webhook, url: env:U}
  - {name: smtp, type: smtp, url: "smtp://127.0.0.1:25", from: ci@example.com, to: dev@example.com}
  - {name: alertmanager, type: alertmanager, url: "http://127.0.0.1:9093"}
  - {name: pagerduty, type: pagerduty, secret: env:S}
  - {name: teams, type: teams, url: env:U, mentions: {"@acme/checkout": kim@example.com}}
  - {name: discord, type: discord, url: env:U, mentions: {"@acme/checkout": "&123"}}
  - {name: telegram, type: telegram, secret: env:S, chat_id: "-100", mentions: {"@acme/checkout": "@kim"}}
  - {name: opsgenie, type: opsgenie, secret: env:S}
  - {name: ntfy, type: ntfy, url: "https://ntfy.sh", topic: x, lang: zh}
  - {name: cloudevents, type: cloudevents, url: env:U}
  - {name: otlp, type: otlp, url: "http://127.0.0.1:4318"}
  - {name: exec, type: exec, command: [/bin/cat]}
"""
TYPES = re.findall(r"type: (\w+)", EVERY)
CALLED = {"wecom": "@zhangsan", "feishu": "@ou_1", "slack": "@U024BE7LH", "teams": "@acme/checkout", "discord": "@&123", "telegram": "@kim"}


def box(text):
    lines = [l for l in text.split("\n") if re.sub(r"\033\[[0-9;]*m", "", l)[:1] in "╭│├╰" and l]
    return lines, {columns_of(l) for l in lines}


def pictures():
    configure(EVERY)
    report = os.path.join(TMP, "report.json")
    with open(report, "w", encoding="utf-8") as f:
        json.dump(REPORT, f)
    crooked, silent, sizes = [], [], (80, 40, 30) if FULL else (80, 40)
    for kind in TYPES:
        for short in ([], ["--short"]):
            for width in sizes:
                status, out = on_terminal(width, "alert", "preview", "--channel", kind, *short, report, env={"NO_COLOR": "1"} if width == 40 else {})
                lines, widths = box(out)
                if status or len(widths) != 1 or max(widths) > width or ("\033[" in out) == (width == 40):
                    crooked.append(f"{kind} {short} at {width}: status {status}, widths {widths}\n" + "\n".join(lines))
                flat = re.sub(r"\033\[[0-9;]*m", "", "".join(lines))
                brief = short and kind in ("alertmanager", "pagerduty", "opsgenie")  # their short form is the title
                if width == 80 and not (("Total" in flat or brief) and ("FAILED" in flat or "失败" in flat)):
                    silent.append(f"{kind} {short}\n{flat}")
                if width == 80 and not short and CALLED.get(kind, "") not in flat:
                    silent.append(f"{kind} does not show {CALLED[kind]}\n{flat}")
    check(not crooked, f"each picture is straight, with wide characters, in {', '.join(map(str, sizes))} columns, in colours and without", "\n".join(crooked))
    check(not silent, "each says what failed, and whom it calls", "\n".join(silent))
    r = tocsin("alert", "preview", "--channel", "slack", report)
    check(r.returncode == 0 and "\033" not in r.stdout and "[redacted]" in r.stdout, "no colours in a file, no secret", r.stdout[:300])
    bad = []
    for kind in TYPES:
        r = tocsin("alert", "preview", "--json", "--channel", kind, report)
        got = json.loads(r.stdout) if r.returncode == 0 else {}
        body = got.get("request", {}).get("body", "")
        plain = kind in ("smtp", "ntfy")
        if got.get("schema") != "tocsin.preview/1" or not body or (not plain and not json.loads(body)) or "title" not in got:
            bad.append(f"{kind}: {r.stdout[:300]}{r.stderr}")
    check(not bad, "--json has the exact body", "\n".join(bad))
    at = json.loads(json.loads(tocsin("alert", "preview", "--json", "--channel", "dingtalk", report).stdout)["request"]["body"])
    check(at["at"]["isAtAll"] is True and "＠all" in at["markdown"]["text"], "at_all calls the whole chat; a branch named @all does not", json.dumps(at, ensure_ascii=False)[:600])
    bad = []
    for kind in ("dingtalk", "wecom", "feishu", "slack", "teams", "discord", "telegram", "ntfy", "smtp", "webhook"):
        more = {"telegram": "chat_id: '-100', secret: env:S", "ntfy": "url: 'https://ntfy.sh', topic: x", "smtp": "url: 'smtp://127.0.0.1', from: a@b.example, to: c@d.example"}
        for title, body, want in (("«{{project}}»", "{{message}} ‹own›", ("«acme/shop»", "‹own›")), ("«{{project}}»", "{{nonsense}}", ("nonsense", "Total(3, 4) = -1, want 7"))):
            if kind == "webhook":
                title, body = "{{project}}", json.dumps({"t": title, "x": body}, ensure_ascii=False)
                want = want[:1] if "nonsense" in body else want
            configure(f"channels:\n  - {{name: x, type: {kind}, {more.get(kind, 'url: env:U')}, template_title: {json.dumps(title, ensure_ascii=False)}, template_body: {json.dumps(body, ensure_ascii=False)}}}\n")
            r = tocsin("alert", "preview", "--json", report)
            got = json.loads(r.stdout)["request"] if r.returncode == 0 else {"body": ""}
            text = " ".join(got.get("headers", [])) + got["body"]
            text = re.sub(r"=\?UTF-8\?B\?([^?]*)\?= ?", lambda m: base64.b64decode(m[1]).decode(), text)
            text = quopri.decodestring(text.encode()).decode("utf-8", "replace") if kind == "smtp" else text
            text = text.replace("\\", "")
            if not all(w in text for w in want):
                bad.append(f"{kind} {want}: {text[:900]}{r.stderr}")
    check(not bad, "templates say it in other words; one that does not work is said, with the built-in words", "\n".join(bad))
    configure(EVERY)
    passed = dict(REPORT, verdict={"outcome": "passed", "cause": None, "exit_code": 0, "summary": "14 tests passed in 3 packages"}, findings=[])
    with open(os.path.join(TMP, "passed.json"), "w", encoding="utf-8") as f:
        json.dump(passed, f)
    at = json.loads(json.loads(tocsin("alert", "preview", "--json", "--channel", "dingtalk", "passed.json").stdout)["request"]["body"])
    check(at["at"]["isAtAll"] is False, "nobody is woken because it is over", at)
    over = json.loads(json.loads(tocsin("alert", "preview", "--json", "--channel", "pagerduty", "passed.json").stdout)["request"]["body"])
    check(over["event_action"] == "resolve", "a report that passed shows the recovery", over)
    r = tocsin("alert", "preview", report)
    check(r.returncode == 2 and "dingtalk, wecom" in r.stderr, "without --channel it says which there are", r.stderr)
    r = tocsin("alert", "preview", "--channel", "slack", BASE["TOCSIN_CONFIG"])
    check(r.returncode == 2 and "--report" in r.stderr, "what is no report is said, and how to get one", r.stderr)


# ---- by hand ----

def schema(r, name):
    got = json.loads(r.stdout) if r.stdout.startswith("{") else {}
    check(got.get("schema") == name, f"{name}", r.stdout + r.stderr)
    return got


def by_hand(e):
    configure("channels:\n  - {name: ops, type: dingtalk, url: env:U, secret: env:S, lang: zh}\n  - {name: chat, type: slack, url: env:C}\n")
    env = {"U": e.http + "/do/errcode:310000:sign%20not%20match/robot/send?access_token=x", "S": "SEC0123456789abcdef", "C": e.http + "/services/T/B/X"}
    r = tocsin("alert", "send", "-m", "夜间构建没有启动 @all", "--wait", "20s", env=env)
    check(r.returncode == 1 and "tocsin alert retry" in r.stdout and "1 of 2 alerts delivered" in r.stdout, "what is not delivered says why, and what to do", r.stdout + r.stderr)
    q = schema(tocsin("alert", "queue", "--json"), "tocsin.queue/1")
    mine = [a for a in q["alerts"] if a["channel"] == "ops"]  # the other channel may still be owed the word that this one is misconfigured
    check(q["counts"]["misconfigured"] == 1 and len(mine) == 1, "it stays in the queue", q)
    one = mine[0]["id"]
    for lang, word in zip(LANGS, ("Put the channel right", "修正渠道配置")):
        r = tocsin("alert", "show", one, "--lang", lang)
        check(r.returncode == 0 and word in r.stdout and "misconfigured" in r.stdout and "夜间构建没有启动 ＠all" in r.stdout, f"show: its state and what to do, in {lang}", r.stdout)
    status, out = on_terminal(60, "alert", "queue", "--lang", "zh")
    check(status == 0 and max(map(columns_of, out.split("\n"))) <= 60 and "配置有误" in out, "the queue fits 60 columns", out)
    shown = schema(tocsin("alert", "show", one, "--json"), "tocsin.alert_show/1")
    check(shown["alert"]["schema"] == "tocsin.alert/1" and shown["id"] == one, "show --json has the alert itself", shown)
    schema(tocsin("alert", "dead", "--json"), "tocsin.queue/1")
    r = tocsin("alert", "drop", one)
    check(r.returncode == 2 and "--why" in r.stderr, "drop wants a reason", r.stderr)
    d = schema(tocsin("alert", "drop", one, "--why", "a wrong robot", "--json"), "tocsin.alert_changed/1")
    check(d["alerts"] == [{"id": one, "state": "dead"}] and "a wrong robot" in tocsin("alert", "show", one).stdout, "and keeps it", d)
    env["U"] = e.http + "/robot/send?access_token=y"
    schema(tocsin("alert", "retry", one, "--json", env=env), "tocsin.alert_changed/1")
    end = time.monotonic() + 15
    while time.monotonic() < end and json.loads(tocsin("alert", "queue", "--json").stdout)["alerts"]:
        time.sleep(0.1)
    check("nothing is owed" in tocsin("alert", "queue").stdout, "retry sends it with the secrets of now", tocsin("alert", "queue").stdout)
    s = schema(tocsin("alert", "send", os.path.join(TMP, "report.json"), "--json", "--wait", "20s", env=env), "tocsin.alert_send/1")
    check(s["delivered"] == 2 and {a["state"] for a in s["alerts"]} == {"delivered"}, "a report is sent from a script", s)
    body = e.wait_for(1, 5, "access_token=y")[-1].body.decode()
    check("失败" in body and "个测试失败" in body and "tests failed" not in body, "a report in one language is told in the channel's", body[:600])
    told = schema(tocsin("alert", "ack", "--json"), "tocsin.told/1")
    check(told["told"] and not any(t["acknowledged"] for t in told["told"]), "what was told is open", told)
    a = schema(tocsin("alert", "ack", told["told"][0]["key"], "--json"), "tocsin.told/1")
    check(a["acknowledged"] == [told["told"][0]["key"]], "and acknowledged", a)
    r = tocsin("alert", "silence")
    check(r.returncode == 0 and "nothing is silenced" in r.stdout, "no silence is said to be none", r.stdout)
    r = tocsin("alert", "silence", "--cause", "mod.*")
    check(r.returncode == 2 and "--why" in r.stderr and "--for" in r.stderr, "a silence needs a reason and an end", r.stderr)
    s = schema(tocsin("alert", "silence", "--cause", "mod.*", "--for", "2h", "--why", "代理迁移", "--json"), "tocsin.silences/1")["silences"][0]
    check(s["when"] == {"cause": "mod.*"} and s["why"] == "代理迁移", "a silence as JSON", s)
    check(tocsin("alert", "silence", "--end", s["id"]).returncode == 0 and not schema(tocsin("alert", "silence", "--json"), "tocsin.silences/1")["silences"], "and ended")


def from_an_independent_job(e):
    """The first job has no network; what it leaves is sent by another, with an outbox of its own."""
    configure("channels:\n  - {name: chat, type: slack, url: env:C}\n")
    spool = os.path.join(TMP, "spool")
    first = {"C": e.closed + "/services/x", "TOCSIN_OUTBOX": os.path.join(TMP, "first.db"), "SSL_CERT_FILE": e.ca}
    r = tocsin("run", "--flush", "1s", "--spool", spool, "--", "sh", "-c", "echo broken; exit 3", env=first)
    files = os.listdir(spool) if os.path.isdir(spool) else []
    check(r.returncode == 3 and len(files) == 1 and "not delivered" in r.stderr, "what is not delivered is left as a file, and said", r.stderr)
    second = {"C": e.http + "/services/spool", "TOCSIN_OUTBOX": os.path.join(TMP, "second.db")}
    r = tocsin("alert", "send", "--spool", spool, "--wait", "20s", env=second)
    check(r.returncode == 0 and not os.listdir(spool), "another job sends it, and the file is gone", r.stdout + r.stderr)
    check(len(e.wait_for(1, 5, "/services/spool")) == 1, "once")
    r = tocsin("alert", "send", "--spool", os.path.join(TMP, "nowhere"), env=second)
    check(r.returncode == 2 and "nowhere" in r.stderr, "a folder that is not there is said", r.stderr)


# ---- doctor ----

class Late(http.server.BaseHTTPRequestHandler):
    """A host whose clock is two hours behind."""

    def do_HEAD(self):
        self.send_response_only(200)
        self.send_header("Date", self.date_time_string(time.time() - 7200))
        self.end_headers()

    def log_message(self, *_):
        pass


def doctor(e):
    e.clear()
    late = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Late)
    threading.Thread(target=late.serve_forever, daemon=True).start()
    configure(f"""channels:
  - {{name: good, type: slack, url: env:GOOD}}
  - {{name: nosecret, type: slack, url: env:NONE}}
  - {{name: noname, type: slack, url: env:NONAME}}
  - {{name: oldcert, type: slack, url: env:OLDCERT}}
  - {{name: closed, type: slack, url: env:CLOSED}}
  - {{name: late, type: slack, url: env:LATE}}
  - {{name: mail, type: smtp, url: "{e.smtp}", from: a@example.com, to: b@example.com}}
  - {{name: login, type: smtp, url: "{e.smtps}", user: bad, secret: env:PASSWORD, from: a@example.com, to: b@example.com}}
  - {{name: program, type: exec, command: [/nonexistent/page]}}
  - {{name: telegram, type: telegram, url: "{e.http}", secret: env:S, chat_id: "1"}}
""")
    env = {"GOOD": e.https + "/services/x", "NONAME": "https://no.such.host.invalid/x", "OLDCERT": e.expired + "/x", "CLOSED": e.closed + "/x",
           "LATE": f"http://127.0.0.1:{late.server_address[1]}/x", "PASSWORD": "wrong-password", "S": SECRET, "SSL_CERT_FILE": e.ca}
    r = tocsin("alert", "doctor", "--json", env=env)
    got = json.loads(r.stdout)
    wrong_ones = {c["channel"]: [k["check"] for k in c["checks"] if not k["ok"]] for c in got["channels"]}
    want = {"good": [], "nosecret": ["secret"], "noname": ["dns"], "oldcert": ["tls"], "closed": ["network"], "late": ["clock"], "mail": [], "login": ["network"],
            "program": ["program"], "telegram": []}
    check(r.returncode == 1 and wrong_ones == want, "doctor finds what is wrong with each channel", f"{wrong_ones}\n{r.stdout}{r.stderr}")
    check(not e.wait_for(1, 0.2, "/services/x"), "and sends nothing to a robot")
    check(not [m for m in e.requests if m.method == "MAIL"], "nor a mail")
    r = tocsin("alert", "doctor", "good", "late", "--lang", "zh", env=env)
    check("时钟" in r.stdout and "校准" in r.stdout and "正常" in r.stdout and "mail" not in r.stdout, "only those that are named, in Chinese", r.stdout)
    check(tocsin("alert", "doctor", "good", env=env).returncode == 0, "nothing wrong: 0")
    r = tocsin("alert", "doctor", "goood", env=env)
    check(r.returncode == 2 and "there are" in r.stderr, "no such channel: 2", r.stderr)
    r = tocsin("alert", "doctor", env=dict(env, TOCSIN_CONFIG="", XDG_CONFIG_HOME=os.path.join(TMP, "empty")))
    check(r.returncode == 2 and "tocsin.yaml" in r.stderr, "no channels at all: where to write them", r.stdout + r.stderr)
    late.shutdown()


# ---- what is written ----

def helps():
    bad = []
    for verb in ("test", "send", "queue", "show", "retry", "drop", "dead", "silence", "ack", "doctor", "preview"):
        for lang in LANGS:
            r = tocsin("alert", verb, "--help", "--lang", lang)
            text = r.stdout
            foreign = re.search(r"[\u4e00-\u9fff]", text) if lang == "en" else None
            if r.returncode or "--json" not in text or (verb != "dead" and f"  tocsin alert {verb}" not in text) or foreign or max(map(columns_of, text.split("\n"))) > 80:
                bad.append(f"{verb} {lang}\n{text}{r.stderr}")
    check(not bad, "each verb's help has an example, says --json, is in its language and fits 80 columns", "\n".join(bad))


def blocks(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        text = f.read()
    for m in re.finditer(r"^( *)```yaml\n(.*?)^\1```", text, re.S | re.M):
        yield "\n".join(line[len(m.group(1)):] for line in m.group(2).split("\n"))


def documents():
    seen = {}
    for name in sorted(os.listdir(os.path.join(ROOT, "docs"))):
        if not name.endswith(".md"):
            continue
        bad, n, types = [], 0, set()
        for n, block in enumerate(blocks(os.path.join("docs", name)), 1):
            if re.match(r"fault:|\s*(- )?(name: .*\n)?on:|jobs:|steps:|repos:|[\w-]+:\n  script:|- (uses|run):", block):  # of another file
                continue
            path = os.path.join(TMP, f"{name}-{n}.yaml")
            with open(path, "w", encoding="utf-8") as f:
                f.write(block)
            r = tocsin("config", "check", path)
            if r.returncode:
                bad.append(f"example {n}: {r.stdout}{r.stderr}\n{block}")
            types |= set(re.findall(r"type: (\w+)", block))
        seen[name] = types
        if n:
            check(not bad, f"the examples of docs/{name} are accepted", "\n".join(bad))
    for name in ("alerts.md", "alerts.zh-CN.md"):
        check(set(TYPES) <= seen.get(name, set()), f"docs/{name} has an example of each of the {len(TYPES)} channels", set(TYPES) - seen.get(name, set()))


def main():
    try:
        with Endpoint() as e:
            refusals(e)
            pictures()
            by_hand(e)
            from_an_independent_job(e)
            doctor(e)
        helps()
        documents()
    finally:
        for pid in filter(str.isdigit, os.listdir("/proc")):  # deliverers of this test leave by themselves; not even that long
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    words = f.read().split(b"\0")
                if b"deliver" in words and any(w.startswith(TMP.encode()) for w in words):
                    os.kill(int(pid), signal.SIGTERM)
            except OSError:
                continue
        shutil.rmtree(TMP, ignore_errors=True)
    done()


if __name__ == "__main__":
    main()
