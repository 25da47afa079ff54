#!/usr/bin/env python3
# suite: limit 900
# suite: takes 80
"""What every answer, every silence and every broken connection of a channel comes to, through the deliverer: the state, the next
attempt, the sentence in both languages, and that nothing is lost. The rows are those of the channels' own documentation."""
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
sys.dont_write_bytecode = True
from endpoint import Endpoint  # noqa: E402
from tap import TOCSIN, check, done  # noqa: E402
import tap  # noqa: E402

TMP = tempfile.mkdtemp(prefix="tocsin-states-")
PATIENCE = 4  # times what a quiet machine needs: who waits is done as soon as there is an outcome
NAP = 100000 + os.getpid()  # seconds: how a sleep of ours is told from those of others
BASE = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "TOCSIN_", "CI_", "GIT_", "LC_")) and k not in ("CI", "FORCE_COLOR", "LANG", "LANGUAGE")
        and not k.lower().endswith("_proxy")}
BASE.update(LC_ALL="C.UTF-8", HOME=TMP, TMPDIR=TMP, XDG_CONFIG_HOME=os.path.join(TMP, "config"), XDG_STATE_HOME=os.path.join(TMP, "state"))
HAN = re.compile("[\u4e00-\u9fff]")
# The first of the usual waits, 5 s, is made longer or shorter by a fifth; the slow build writes the row up to a second after the answer.
LATER = (3.9 if os.environ.get("TOCSIN_TEST_BUILD") != "asan" else 2.9, 6.1)
AGAIN = (95, 145)  # once more, when nobody knows whether it arrived

# ---- one row: (name, channel, what answers, state, next attempt in seconds or None, the sentence) ----

WHERE = {"dingtalk": "robot/send?access_token=", "wecom": "cgi-bin/webhook/send?key=", "feishu": "open-apis/bot/v2/hook/", "slack": "services/T/B/",
         "teams": "workflows/", "discord": "api/webhooks/1/", "webhook": "hook/", "cloudevents": "cloudevents/", "ntfy": "ntfy/topic"}
ROOTED = ("telegram", "pagerduty", "opsgenie", "alertmanager", "otlp")  # these add the path themselves
MORE = {"telegram": "    secret: env:ROW_SECRET\n    chat_id: 5\n", "pagerduty": "    secret: env:ROW_SECRET\n", "opsgenie": "    secret: env:ROW_SECRET\n",
        "smtp": "    to: [ops@a.example]\n    from: tocsin@a.example\n"}


def code(n, text="", field="errcode", words="errmsg"):
    return "status:200:" + urllib.parse.quote(json.dumps({field: n, words: text}, separators=(",", ":")), safe="")


def said(status, body):
    return f"status:{status}:" + urllib.parse.quote(body if isinstance(body, str) else json.dumps(body, separators=(",", ":")), safe="")


def lark(n, text=""):
    return code(n, text, "code", "msg")


R, L, C, P, OK, A = "pending", "limited", "misconfigured", "dead", "delivered", "ambiguous"


def of_type(kind, *rows):
    return [(f"{kind}: {name}", kind, script, state, wait, words) for name, script, state, wait, words in rows]


def as_any(kind, state):
    """What every channel makes of a broken exchange; state: of one of which nobody knows whether it arrived."""
    maybe = state == A
    wait = AGAIN if maybe else LATER
    return of_type(kind,
                   ("it hangs", "hang", state, wait, "in time"), ("it drips", "drip-head", state, wait, "in time"),
                   ("it resets", "reset", state, wait, "broke"), ("it resets before it has read", "reset-head", None, None, ""),
                   ("it closes without a word", "close", state, wait, "without an answer"), ("no HTTP", "nothttp", state, wait, ""),
                   ("a redirect", "redirect", C, None, "redirects are not followed"), ("a redirect that keeps the method", "redirect:307", C, None, "redirects are not followed"),
                   ("429", "limit:", L, None, ""), ("429, wait 7 s", "limit:seconds", L, (6.9, 8), ""), ("429, wait until a date", "limit:date", L, (27, 31), ""),
                   ("429, an absurd wait", "limit:absurd", L, (3590, 3610), ""), ("429, a date that is past", "limit:past", L, (0.9, 6.1), ""),
                   ("500", "status:500", R if kind != "otlp" else C, LATER, "500"), ("502", "status:502", R, LATER, "502"), ("503", "status:503", R, LATER, "503"),
                   ("418", "status:418", R, LATER, "418"), ("408", "status:408", R, LATER, "408"),
                   ("401", "status:401", C, None, "401"), ("403", "status:403", C, None, "403"), ("404", "status:404", C, None, "404"), ("410", "status:410", C, None, "410"),
                   ("400", "status:400", P, None, "400"), ("413", "status:413", P, None, "413"), ("422", "status:422", P, None, "422"))


ROWS = (
    # broken in every way, and the plain statuses: an idempotent channel is tried again, of another nobody knows
    as_any("webhook", R) + as_any("slack", A)
    + of_type("webhook",
              ("well", "ok", OK, None, ""), ("10 MB under a 200", "big", OK, None, ""), ("10 MB under a 500", "big:500", R, LATER, "500"), ("HTML", "html", OK, None, ""),
              ("an empty 200", "empty", OK, None, ""), ("the head says 200, the body drips", "drip", OK, None, ""), ("the answer is cut off", "cut", OK, None, ""),
              ("a head of 250 KB", "big-head", R, LATER, "too large"), ("gone", "status:410", C, None, "410"),
              ("refused, then taken in its short form", "status:400,ok", OK, None, ""), ("429, words", "limit:words", L, (3.9, 62), "429"), ("429, negative", "limit:negative", L, (0.9, 62), "429"))
    + of_type("dingtalk",
              ("well", "ok", OK, None, ""), ("HTML", "html", R, LATER, "200"), ("empty", "empty", R, LATER, "200"), ("half of a JSON", "badjson", R, LATER, "200"),
              ("other JSON", "wrongjson", R, LATER, "200"), ("10 MB", "big", R, LATER, ""), ("it drips", "drip", R, LATER, "in time"), ("cut off", "cut", R, LATER, "broke"),
              ("-1", code(-1, "system busy"), R, LATER, "busy"), ("130101", code(130101, "send too fast, exceed 20 times per minute"), L, (599, 662), "10 minutes"),
              ("410100", code(410100, "throttled"), L, (599, 662), "10 minutes"), ("a new code that says too fast", code(987654, "发送过快，已限流"), L, (599, 662), "10 minutes"),
              ("310000 keyword", code(310000, "keywords not in content"), C, None, "keyword"), ("310000 sign", code(310000, "sign not match"), C, None, "signature"),
              ("310000 time", code(310000, "invalid timestamp"), C, None, "clock"), ("310000 ip", code(310000, "ip 203.0.113.7 not in whitelist"), C, None, "public IP"),
              *[(str(n), code(n, "x"), C, None, words) for n, words in ((300001, "no robot"), (300005, "no robot"), (400101, "no robot"), (400102, "stopped"), (400106, "removed"),
                                                                       (400013, "dissolved"), (88, "token"))],
              *[(str(n), code(n, "x"), P, None, words) for n, words in ((40035, "understand"), (43004, "content"), (400105, "kind"), (430101, "link"), (430102, "text"),
                                                                       (430103, "picture"), (430104, "content"), (460101, "long"))],
              ("460101, then taken", code(460101, "too long") + ",ok", OK, None, ""), ("a code that nobody knows", code(777, "?"), R, LATER, "777"))
    + of_type("wecom",
              ("well", "ok", OK, None, ""), ("HTML", "html", A, AGAIN, "200"), ("empty", "empty", A, AGAIN, "200"), ("45009", code(45009, "api freq out of limit"), L, (59, 67), "wait"),
              ("-1", code(-1, "busy"), R, LATER, "busy"), ("93000", code(93000, "invalid webhook url"), C, None, "key"), ("40058", code(40058, "exceed max length 4096"), P, None, "long"),
              ("40058, a parameter", code(40058, "invalid Request Parameter"), P, None, "part"))
    + of_type("feishu",
              ("well", "ok", OK, None, ""), ("an old answer", said(200, {"StatusCode": 0, "StatusMessage": "success"}), OK, None, ""), ("HTML", "html", A, AGAIN, "200"),
              ("11232", lark(11232, "frequency limited"), L, (29, 34), "too many"), ("9499, a limit", lark(9499, "too many requests: frequency limit"), L, (29, 34), "too many"),
              ("9499", lark(9499, "Bad Request"), P, None, "20 KB"), ("19001", lark(19001), C, None, "token"), ("19021", lark(19021), C, None, "signature"),
              ("19022", lark(19022), C, None, "IP"), ("19024", lark(19024), C, None, "keyword"), ("19002", lark(19002), P, None, "part"))
    + of_type("slack",
              ("well", "ok", OK, None, ""), ("HTML", "html", A, AGAIN, "200"), ("empty", "empty", A, AGAIN, "200"), ("another word", said(200, "fine"), A, AGAIN, "200"),
              ("rollup_error", said(500, "rollup_error"), R, LATER, "just now"), ("action_prohibited", said(403, "action_prohibited"), C, None, "administrator"),
              ("invalid_token", said(403, "invalid_token"), C, None, "webhook"), ("channel_not_found", said(404, "channel_not_found"), C, None, "gone"),
              ("channel_is_archived", said(410, "channel_is_archived"), C, None, "archived"), ("no_service", said(404, "no_service"), C, None, "webhook"),
              ("invalid_payload", said(400, "invalid_payload"), P, None, "form"))
    + of_type("teams",
              ("well", "ok", OK, None, ""), ("HTML", "html", A, AGAIN, "200"), ("an error in a 200", said(200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429"), L, None, ""),
              ("401", "status:401", C, None, "Anyone"), ("403", "status:403", C, None, "Anyone"), ("404", "status:404", C, None, "flow"), ("413", "status:413", P, None, "too large"),
              ("502", "status:502", R, LATER, "502"))
    + of_type("discord",
              ("well", "ok", OK, None, ""), ("204", "status:204", A, AGAIN, "204"), ("429", "limit:", L, None, "too many"), ("10015", said(404, {"message": "Unknown Webhook", "code": 10015}), C, None, "deleted"),
              ("50027", said(401, {"message": "Invalid Webhook Token", "code": 50027}), C, None, "token"), ("50035", said(400, {"message": "Invalid Form Body", "code": 50035}), P, None, "form"))
    + of_type("telegram",
              ("well", "ok", OK, None, ""), ("a refusal in a 200", said(200, {"ok": False, "error_code": 403, "description": "Forbidden: bot was kicked"}), C, None, "removed"),
              ("429", "limit:", L, (4.9, 7), "too many"), ("401", said(401, {"ok": False, "error_code": 401, "description": "Unauthorized"}), C, None, "token"),
              ("403", said(403, {"ok": False, "description": "Forbidden: bot was blocked by the user"}), C, None, "blocked"),
              ("moved", said(400, {"ok": False, "description": "upgraded", "parameters": {"migrate_to_chat_id": -100123}}), C, None, "-100123"),
              ("400", said(400, {"ok": False, "description": "can't parse entities"}), P, None, "refused"),
              ("400, then taken without a parse_mode", said(400, {"ok": False, "description": "can't parse entities"}) + ",ok", OK, None, ""))
    + of_type("ntfy",
              ("well", "ok", OK, None, ""), ("42901", "limit:", L, None, "too many"), ("507", said(507, {"code": 50701, "http": 507, "error": "insufficient storage"}), R, LATER, "room"),
              ("42908", said(429, {"code": 42908, "http": 429, "error": "limit reached: daily message quota reached"}), C, None, "quota"), ("401", "status:401", C, None, "user"),
              ("403", "status:403", C, None, "topic"), ("413", "status:413", P, None, "too large"))
    + of_type("pagerduty",
              ("well", "ok", OK, None, ""), ("200", said(200, "{}"), R, LATER, "200"), ("429", "limit:", L, (119, 134), "too many"), ("500", "status:500", R, LATER, "500"),
              ("400", said(400, {"status": "invalid event", "message": "Event object is invalid"}), P, None, "refused"), ("it hangs", "hang", R, LATER, "in time"))
    + of_type("opsgenie",
              ("well", "ok", OK, None, ""), ("200", said(200, "{}"), R, LATER, "200"), ("429", "limit:", L, None, ""), ("500", "status:500", R, LATER, "500"), ("401", "status:401", C, None, "key"),
              ("403", "status:403", C, None, "create"), ("422", said(422, {"message": "Request body is not processable"}), P, None, "refused"))
    + of_type("alertmanager",
              ("well", "ok", OK, None, ""), ("HTML", "html", R, LATER, "200"), ("500", "status:500", R, LATER, "500"), ("400", said(400, '"start time missing"'), P, None, "refused"),
              ("404", "status:404", C, None, "API"))
    + of_type("cloudevents",
              ("well", "ok", OK, None, ""), ("201", "status:201", OK, None, ""), ("202", "status:202", OK, None, ""), ("200", "status:200", OK, None, ""), ("429", "limit:seconds", L, (6.9, 8), ""),
              ("410", "status:410", C, None, "gone"), ("415", "status:415", P, None, "cloudevents"))
    + of_type("otlp",
              ("well", "ok", OK, None, ""), ("a part was refused", said(200, {"partialSuccess": {"rejectedLogRecords": "1", "errorMessage": "no"}}), C, None, "threw away"),
              ("429", "limit:seconds", L, (6.9, 8), ""), ("502", "status:502", R, LATER, "502"), ("503", "status:503", R, LATER, "503"), ("504", "status:504", R, LATER, "504"),
              ("500", "status:500", C, None, "no second try"), ("400", "status:400", P, None, "400"))
)


class Site:
    """An outbox of its own, and configurations of one channel each."""

    def __init__(self, name, lang="en"):
        self.dir, self.lang = os.path.join(TMP, name), lang
        os.mkdir(self.dir)
        self.outbox = os.path.join(self.dir, "outbox.db")
        self.config = os.path.join(self.dir, "tocsin.yaml")
        self.env = dict(BASE, TOCSIN_LANG=lang, TOCSIN_OUTBOX=self.outbox, TOCSIN_CONFIG=self.config, XDG_STATE_HOME=os.path.join(self.dir, "state"))

    def channel(self, kind, url, more="", name="ops", to=None):
        """One more channel, in a file of its own, or in `to`."""
        path = to or os.path.join(self.dir, f"{len(os.listdir(self.dir))}.yaml")
        new = not os.path.exists(path)
        with open(path, "a", encoding="utf-8") as f:
            f.write(("channels:\n" if new else "") + f"  - name: {name}\n    type: {kind}\n" + (f"    url: {url}\n" if url else "") + more)
        return path

    def run(self, *args, env=None, **how):
        return subprocess.run([TOCSIN, *args], cwd=self.dir, env=dict(self.env, **(env or {})), capture_output=True, text=True, check=False, timeout=90, **how)

    def send(self, text, config=None, env=None, wait="0s", more=()):
        return self.run("alert", "send", "-m", text, "--wait", wait, *more, env=dict(env or {}, **({"TOCSIN_CONFIG": config} if config else {})))

    def db(self, sql, *args):
        d = sqlite3.connect(self.outbox, timeout=30)
        try:
            rows = d.execute(sql, args).fetchall()
            d.commit()
            return rows
        finally:
            d.close()

    def owe(self, n, channel, text):
        """n more alerts for this channel, made of the first one: ID, and a message that ends in their number."""
        run, body = self.db("SELECT run, body FROM alert")[0]
        new, now = [], time.time_ns()
        for i in range(n):
            mine = json.loads(body)
            mine["alert"].update(id=f"01M7Z5000000000000000{i:05d}", summary=f"{text} {i}")
            new.append((mine["alert"]["id"], run, channel, now, now, json.dumps(mine).encode()))
        d = sqlite3.connect(self.outbox, timeout=30)
        with d:
            d.executemany("INSERT INTO alert(id, run, channel, state, attempts, next_attempt, lease_until, created, updated, body) VALUES (?,?,?,'pending',0,1,0,?,?,?)", new)
        d.close()

    def rows(self):
        """{the message: the row}, as `alert queue` would show it."""
        found = {}
        if not os.path.exists(self.outbox):
            return found
        for i, channel, state, attempts, after, updated, error, body in self.db("SELECT id, channel, state, attempts, next_attempt, updated, error, body FROM alert"):
            found.setdefault(json.loads(body)["alert"].get("summary", ""), []).append(
                {"id": i, "channel": channel, "state": state, "attempts": attempts, "next": (after - updated) / 1e9 if after else None, "error": error or ""})
        return found

    def row(self, text):
        return self.rows()[text][0]

    def wait(self, text, good, seconds=20):
        end = time.monotonic() + PATIENCE * seconds
        row = self.row(text)
        while not good(row) and time.monotonic() < end:
            time.sleep(0.05)
            row = self.row(text)
        return row

    def settled(self, text, seconds=20):
        return self.wait(text, lambda r: r["state"] != "leased" and (r["error"] or r["state"] == OK), seconds)

    def deliverers(self):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    words = f.read().split(b"\0")
            except OSError:
                continue
            if b"deliver" in words and self.outbox.encode() in words:
                found.append(int(pid))
        return found

    def end(self):
        for pid in self.deliverers():
            os.kill(pid, signal.SIGKILL)


# ---- the table ----

def url_of(e, kind, script, n):
    return f"{e.http}/do/{script}~{n}" + ("" if kind in ROOTED else f"/{WHERE[kind]}{n}")


def start_table(e, site, rows, sent):
    try:
        for n, (name, kind, script, *_) in sorted(enumerate(rows), key=lambda r: not r[1][2].startswith(("hang", "drip"))):  # the longest first
            config = site.channel(kind, "env:ROW_URL", MORE.get(kind, ""))
            r = site.send(name, config, {"ROW_URL": url_of(e, kind, script, f"{site.env['TOCSIN_LANG']}{n}"), "ROW_SECRET": "0123456789abcdef0123456789abcdef"})
            if r.returncode not in (0, 1):
                check(False, f"{name}: is owed", r.stdout + r.stderr)
    finally:
        sent.set()


def judge_row(site, row, shown, state, wait, words):
    want, lang = "pending" if state == L else state, site.lang
    shown = re.sub(r"\s+", "", shown)
    problems = []
    if row["attempts"] != 1 and wait:
        problems.append(f"{row['attempts']} attempts")
    if want and row["state"] != want:
        problems.append(f"state {row['state']}, not {want}")
    if wait and not (row["next"] is not None and wait[0] <= row["next"] <= wait[1]):
        problems.append(f"the next attempt after {row['next']} s, not {wait}")
    if want == "pending" and row["next"] is None:
        problems.append("no next attempt")
    if want in (C, P) and row["next"]:
        problems.append(f"again after {row['next']} s")
    if row["error"] and re.sub(r"\s+", "", row["error"])[:60] not in shown:
        problems.append("alert show does not say it: " + shown)
    if lang == "en" and words and words not in row["error"]:
        problems.append(f"it does not say '{words}'")
    if lang == "zh" and row["error"] and not HAN.search(row["error"]):
        problems.append("the sentence is not Chinese")
    if lang == "en" and HAN.search(row["error"].split(": \"")[0]):
        problems.append("the sentence is not English")
    if "203.0.113.7" in row["error"]:
        problems.append("it shows our public address")
    return problems


# A deliverer that has just begun, or that is busy, may find an alert before the next one has brought its secret: that is no outcome.
NOT_YET = ("it waits for a run that hands it over", "等待某次运行提供")


def first_outcomes(site, names, found):
    """What each row came to at its first attempt."""
    for name, rows in site.rows().items():
        row = rows[0]
        if name in names and name not in found and row["state"] != "leased" and (row["state"] == OK or row["error"] and not row["error"].endswith(NOT_YET)):
            found[name] = row


def watch(site, names, seen, sent, seconds=75):
    """Until each has an outcome, at most so long after all were sent: (row, what `alert show` says then). One is shown between two looks: some are tried again within a second."""
    end, found = None, {}
    while (end is None or time.monotonic() < end) and len(seen) < len(names):
        if os.path.exists(site.outbox):
            first_outcomes(site, names, found)
        name = next((n for n in found if n not in seen), None)
        if name:
            seen[name] = (found[name], site.run("alert", "show", found[name]["id"]).stdout)
        else:
            time.sleep(0.1)
        if end is None and sent.is_set():
            end = time.monotonic() + PATIENCE * seconds


def table(e):
    """Both languages at once (on the sanitizer build every other row, of the others every fourth in the second language: unit/alert_sinks has the answers there, too), each row an alert of its own; those that hang need their time."""
    sites = [Site("table-en", "en"), Site("table-zh", "zh")]
    tables = [ROWS[::2], ROWS[:1] + ROWS[1::8]] if tap.SLOW else [ROWS, ROWS]
    seen = [{}, {}]
    sites[1].send(ROWS[0][0], sites[1].channel("webhook", "env:ROW_URL"), {"ROW_URL": e.http + "/do/hang/first"})  # so that both outboxes are there
    sites[0].send(ROWS[0][0], sites[0].channel("webhook", "env:ROW_URL"), {"ROW_URL": e.http + "/do/hang/first"})
    work = []
    for site, rows, outcomes in zip(sites, tables, seen):
        sent = threading.Event()
        work += [threading.Thread(target=watch, args=(site, {r[0] for r in rows}, outcomes, sent)), threading.Thread(target=start_table, args=(e, site, rows[1:], sent))]
    for t in work:
        t.start()
    for t in work:
        t.join()
    for site, rows, outcomes in zip(sites, tables, seen):
        site.end()
        bad, names = {}, {r[0] for r in rows}
        check({*site.rows()} == names, f"nothing is lost ({site.lang})", names - {*site.rows()})
        for name, _, _, state, wait, words in rows:
            row, shown = outcomes.get(name, (None, ""))
            problems = judge_row(site, row, shown, state, wait, words) if row else ["no outcome"]
            if problems:
                bad[name] = problems + [json.dumps(row, ensure_ascii=False)]
        for name in sorted(bad) if site.lang == "zh" else [r[0] for r in rows]:
            check(name not in bad, f"{name} ({site.lang})", "\n".join(bad.get(name, [])))
        check(not bad, f"all {len(rows)} rows, {site.lang}", sorted(bad))
    check(not any("/followed" in s.path for s in e.requests), "no redirect was followed")


def many(site, rows, extra=None, seconds=30):
    """rows: (name, type, url, more, state, wait, words). As the table, in one language, with problems said row by row."""
    names, seen, sent = {r[0] for r in rows}, {}, threading.Event()
    looking = None
    try:
        for name, kind, url, more, *_ in rows:
            site.send(name, site.channel(kind, url and "env:ROW_URL", more), dict({"ROW_URL": url or "", "ROW_SECRET": "0123456789abcdef"}, **(extra or {})))
            if not looking:
                looking = threading.Thread(target=watch, args=(site, names, seen, sent, seconds))
                looking.start()
    finally:
        sent.set()
    looking.join()
    for name, _, _, _, state, wait, words in rows:
        row, shown = seen.get(name, (None, ""))
        problems = judge_row(site, row, shown, state, wait, words) if row else ["no outcome"]
        check(not problems, name, "\n".join(problems + [json.dumps(row, ensure_ascii=False)]))
    site.end()
    return seen


def wire(e):
    """What is wrong below HTTP."""
    ca = f"    ca_file: {e.ca}\n"
    rows = [
        ("tls: well, by a private CA", "webhook", e.https + "/do/ok~wire/hook", ca, OK, None, ""),
        ("tls: over IPv6 only", "webhook", e.ipv6 + "/do/ok~wire/hook", ca, OK, None, ""),
        ("tls: an unknown CA", "webhook", e.https + "/hook", "", R, LATER, "not trusted"),
        ("tls: expired", "webhook", e.expired + "/hook", ca, R, LATER, "expired"),
        ("tls: not valid yet", "webhook", e.notyet + "/hook", ca, R, LATER, "not valid yet"),
        ("tls: of another host", "webhook", e.wronghost + "/hook", ca, R, LATER, "not for this"),
        ("tls: signed by itself", "webhook", e.selfsigned + "/hook", ca, R, LATER, "self-signed"),
        ("tls: to a port that speaks none", "webhook", e.http.replace("http:", "https:") + "/hook", ca, R, LATER, "TLS"),
        ("tls: no such CA file", "webhook", e.https + "/hook", "    ca_file: /nonexistent/ca.crt\n", C, None, "cannot be read"),
        ("no such host", "webhook", "https://no-such-host.invalid/hook", "", R, LATER, "cannot be resolved"),
        ("nobody listens", "webhook", e.closed + "/hook", "", R, LATER, "nobody accepts"),
        ("nobody answers", "webhook", e.full + "/hook", "", R, LATER, "no connection came about in time"),
        ("plain http to elsewhere", "webhook", "http://192.0.2.1/hook", "", C, None, "plain http"),
        ("no address at all", "webhook", "hook", "", C, None, "https://"),
        ("mail: well", "smtp", e.smtp, MORE["smtp"], OK, None, ""),
        *[(f"mail: {what}", "smtp", e.smtp, f"    to: [{to}@a.example]\n    from: {sender}@a.example\n", state, wait, words) for what, to, sender, state, wait, words in (
            ("451 after the text", "data451", "tocsin", R, (1799, 1801), "451"), ("450 for the recipient", "rcpt450", "tocsin", R, (1799, 1801), "450"),
            ("550 for the recipient", "rcpt550", "tocsin", C, None, "550"), ("551", "rcpt551", "tocsin", C, None, "551"), ("553 for the sender", "ops", "from553", C, None, "553"),
            ("552 after the text", "data552", "tocsin", P, None, "552"), ("554 after the text", "data554", "tocsin", P, None, "554"),
            ("the connection is closed after the text", "gone", "tocsin", R, LATER, "may have been delivered"))],
        ("mail: 535", "smtp", e.smtp, MORE["smtp"] + "    user: bad\n    secret: env:ROW_SECRET\n", C, None, "535"),
        ("mail: 454 at the login", "smtp", e.smtp, MORE["smtp"] + "    user: busy\n    secret: env:ROW_SECRET\n", R, (1799, 1801), "454"),
        ("mail: not from there", "smtp", e.smtp_shut, MORE["smtp"], None, None, "554"),
        ("mail: no STARTTLS for a password", "smtp", e.smtp_bare.replace("127.0.0.1", "localhost"), MORE["smtp"], OK, None, ""),
    ]
    s = Site("wire")
    many(s, rows)
    check(len([x for x in e.requests if "~wire" in x.path and x.tls]) == 2, "what was delivered went by TLS")
    t = Site("wire-env")
    many(t, [("tls: SSL_CERT_FILE names the private CA", "webhook", e.https + "/do/ok~wire2/hook", "", OK, None, "")], {"SSL_CERT_FILE": e.ca})


def proxies(e):
    ca = f"    ca_file: {e.ca}\n"
    good = e.proxy_auth.replace("http://", "http://user:pass%40word@")
    closed = e.closed.replace("https", "http")
    s = Site("proxy")
    many(s, [
        ("proxy: a way through", "webhook", "https://chat.example:443/do/ok~proxy/hook", ca + f"    proxy: {e.http}\n", OK, None, ""),
        ("proxy: 407", "webhook", "https://chat.example/hook", ca + f"    proxy: {e.proxy_auth}\n", C, None, "407"),
        ("proxy: it refuses", "webhook", "https://elsewhere.example/hook", ca + f"    proxy: {e.http}\n", R, LATER, "proxy refuses"),
        ("proxy: it is not there", "webhook", "https://chat.example/hook", ca + f"    proxy: {closed}\n", R, LATER, "nobody accepts"),
        ("proxy: its name cannot be resolved", "webhook", "https://chat.example/hook", ca + "    proxy: http://no-such-proxy.invalid:3128\n", R, LATER, "proxy cannot be resolved"),
    ])
    words = [("https_proxy", {"https_proxy": good}, OK, ""), ("HTTPS_PROXY", {"HTTPS_PROXY": e.http}, OK, ""), ("ALL_PROXY", {"ALL_PROXY": e.http}, OK, ""),
             ("a wrong password", {"https_proxy": good.replace("pass%40", "wrong")}, C, "407")]
    sites = [s]
    for n, (word, env, state, said_) in enumerate(words):
        sites.append(Site(f"proxy-{n}"))
        many(sites[-1], [(f"proxy: {word}", "webhook", f"https://chat.example/do/ok~proxy{n}/hook", ca, state, None, said_)], env)
    check(len([x for x in e.requests if "~proxy" in x.path]) == 4, "what was delivered went through it", [x.path for x in e.requests])
    sites.append(Site("proxy-no"))
    many(sites[-1], [("proxy: no_proxy is heard", "webhook", "https://chat.example/hook", ca, R, LATER, "cannot be resolved"),
                     ("proxy: never for this machine itself", "webhook", e.https + "/do/ok~direct/hook", ca, OK, None, "")], {"https_proxy": e.http, "no_proxy": "chat.example"})
    files = [os.path.join(d, f) for x in sites for d, _, fs in os.walk(x.dir) for f in fs if os.path.isfile(os.path.join(d, f))]
    check(not [f for f in files if b"40word" in open(f, "rb").read()], "the proxy's password is nowhere", files)


HOSTILE = '@all @here <!channel> **bold** [x](http://evil.example) `a` \x1b[31mred\x1b[0m "q" \'s\' \u202etxt.exe\u202c \u200f <at user_id="all">x</at> ' + "${HOME} {{.x}} \\"


def hostile(e):
    """A message that would like to be more than text, and one that is far too long; every kind of channel."""
    s = Site("hostile")
    kinds = [("dingtalk", e.http + "/robot/send?access_token=hostile"), ("wecom", e.http + "/cgi-bin/webhook/send?key=hostile"), ("feishu", e.http + "/open-apis/bot/v2/hook/hostile"),
             ("slack", e.http + "/services/T/B/hostile"), ("teams", e.http + "/workflows/hostile"), ("discord", e.http + "/api/webhooks/1/hostile"), ("telegram", e.http + "/do/ok~hostile"),
             ("ntfy", e.http + "/ntfy/hostile"), ("webhook", e.http + "/hook/hostile"), ("cloudevents", e.http + "/cloudevents/hostile"), ("pagerduty", e.http + "/do/ok~hostile"),
             ("opsgenie", e.http + "/do/ok~hostile"), ("alertmanager", e.http + "/do/ok~hostile"), ("otlp", e.http + "/do/ok~hostile"), ("smtp", e.smtp)]
    path = os.path.join(s.dir, "all.yaml")
    for kind, url in kinds:
        s.channel(kind, f"env:URL_{kind.upper()}", MORE.get(kind, ""), kind, path)
    env = {f"URL_{kind.upper()}": url for kind, url in kinds}
    env.update(ROW_SECRET="0123456789abcdef0123456789abcdef", GITHUB_ACTIONS="true", GITHUB_REF_NAME=HOSTILE, GITHUB_SERVER_URL="https://git.example", GITHUB_REPOSITORY="o/r", GITHUB_RUN_ID="1",
               TOCSIN_CONFIG=path)
    big = os.path.join(s.dir, "big.sh")
    with open(big, "w", encoding="utf-8") as f:
        f.write("python3 -c \"print('panic: ' + '\u4e2d\u6587 x' * 30000); print('goroutine 1 [running]:')\"; exit 2\n")
    report = os.path.join(s.dir, "report.json")
    before = len(e.requests)
    r = s.run("run", "--flush", "20s", "--report", report, "--", "sh", big, HOSTILE, env=env)
    counts = json.loads(s.run("alert", "queue", "--all", "--json").stdout)
    check(counts["counts"]["delivered"] == len(kinds), "a hostile branch and 200 KB of message: all is delivered", json.dumps(counts)[:1500] + r.stderr[-500:])
    got = e.requests[before:]
    check(max(len(x.body) for x in got) < 100000, "no body is large", [(x.path, len(x.body)) for x in got if len(x.body) >= 100000])
    for x in got:
        text = x.body.decode("utf-8")
        where = x.path if x.method != "MAIL" else "mail"
        problems = [w for w in ("\u202e", "\\u202e", "\x1b", "\\u001b", "<!channel>") if w in text]
        if any(w in where for w in ("/v1/logs", "cloudevents")) or where == "/hook/hostile":
            problems = []  # data for machines: it only has to be whole
        else:
            problems += [w for w in ('"isAtAll":true', '"@all"', "<at user_id=\"all\">", "](http://evil.example)") if w in text.replace(" ", "")]
        if text.startswith("{") or text.startswith("["):
            json.loads(text)
        check(not problems, f"{where[:50]}: nothing of it is more than text", f"{problems}\n{text[:2000]}")
    s.end()


def templates(e):
    s = Site("templates")
    for kind, path in (("webhook", "/hook/tmpl"), ("dingtalk", "/robot/send?access_token=tmpl"), ("slack", "/services/T/B/tmpl")):
        before = len(e.requests)
        config = s.channel(kind, "env:ROW_URL", "    template_title: 'X {{project'\n    template_body: 'broken {{no_such_word}} {{'\n")
        r = s.send("with a template " + kind, config, {"ROW_URL": e.http + path}, "10s")
        body = "".join(x.body.decode() for x in e.requests[before:])
        check(r.returncode == 0 and "with a template" in body and "template" in body.replace("with a template", ""), f"{kind}: a template with a fault falls back, and says so", body[:800] + r.stderr)
    config = s.channel("webhook", "env:ROW_URL", "    template_body: '{\"mine\": \"{{title}}\"}'\n")
    s.send("refused template", config, {"ROW_URL": e.http + "/do/status:400,ok~template/hook"}, "10s")
    got = [x.body.decode() for x in e.requests if "400,ok~template" in x.path]
    check(len(got) == 2 and "mine" in got[0] and "template_error" in got[1], "a template that the receiver refuses is not sent twice", got)
    s.end()


def hanging(site, name="pid"):
    """A deliverer of the test's own."""
    return subprocess.Popen([TOCSIN, "deliver", "--idle", "20s"], cwd=site.dir, env=site.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def once_more(e):
    """A channel that cannot drop a second one: sent once more, marked, and then a person must look."""
    s = Site("repeat")
    s.channel("slack", "env:ROW_URL", to=s.config)
    s.channel("webhook", "env:OTHER_URL", name="other", to=s.config)
    s.env.update(OTHER_URL=e.http + "/do/ok~repeat/other")
    s.env["ROW_URL"] = e.http + "/do/close~repeat/services/T/B/one"
    s.send("one", wait="5s", more=("--channel", "ops"))
    row = s.settled("one")
    check(row["state"] == A and AGAIN[0] < row["next"] < AGAIN[1], "what may have arrived is ambiguous, and goes again", row)
    q = json.loads(s.run("alert", "queue", "--json").stdout)["alerts"][0]
    check(q["state"] == A and q["next_attempt"], "the queue says when", q)
    s.end()
    s.db("UPDATE alert SET next_attempt = 1 WHERE state = 'ambiguous'")
    s.run("deliver", "--once")
    row = s.row("one")
    got = [x.body.decode() for x in e.requests if "~repeat/services" in x.path]
    check(len(got) == 2 and "may be a repeat" in got[1] and "may be a repeat" not in got[0], "the second says that it may be a repeat", got)
    check(row["state"] == A and not row["next"] and "sent twice" in row["error"], "not confirmed again: it is for a person", row)
    s.run("deliver", "--once")
    told = [x.body.decode() for x in e.requests if "~repeat/other" in x.path]
    check(len(told) == 1 and '"channel"' in told[0], "and the other channel says so, once", told)
    s.env["ROW_URL"] = e.http + "/services/T/B/one"
    s.db("UPDATE alert SET state = 'pending', attempts = 0, next_attempt = 1 WHERE state = 'ambiguous'")
    s.run("deliver", "--once")
    check(s.row("one")["state"] == OK, "tried again by hand it is delivered", s.row("one"))
    check(s.db("SELECT count(*) FROM meta WHERE key LIKE 'alert:maybe:%'") == [(0,)], "nothing is left of the doubt")
    # the same in Chinese
    z = Site("repeat-zh", "zh")
    z.channel("slack", "env:ROW_URL", "    lang: zh\n", to=z.config)
    z.env["ROW_URL"] = e.http + "/do/close,ok~zh/services/T/B/one"
    z.send("two", wait="5s")
    z.settled("two")
    z.end()
    z.db("UPDATE alert SET next_attempt = 1 WHERE state = 'ambiguous'")
    z.run("deliver", "--once")
    check("可能重复" in "".join(x.body.decode() for x in e.requests if "~zh" in x.path), "also in Chinese")


def given_up(e):
    """After a day and thirty attempts, whatever the reason; and the others hear it."""
    s = Site("dead")
    s.channel("webhook", "env:ROW_URL", to=s.config)
    s.channel("webhook", "env:OTHER_URL", name="other", to=s.config)
    s.env.update(ROW_URL=e.http + "/do/status:503~dead/hook", OTHER_URL=e.http + "/do/ok~dead/other")
    s.send("old", wait="0s", more=("--channel", "ops"))
    s.settled("old")
    s.end()
    day = 24 * 3600 * 10**9
    for attempts, age, state in ((28, 2 * day, R), (40, day // 2, R), (40, day + 10**9, P)):
        s.db("UPDATE alert SET state = 'pending', next_attempt = 1, attempts = ?, created = ? WHERE channel = 'ops'", attempts, time.time_ns() - age)
        s.run("deliver", "--once")
        row = s.row("old")
        check(row["state"] == state, f"{attempts} attempts in {age / day * 24:.0f} h: {state}", row)
        if state == R:
            check(2800 < row["next"] < 4400, "the next one is an hour away", row)
    check("given up after 41 attempts" in row["error"], "it says so", row)
    s.run("deliver", "--once")
    check(len([x for x in e.requests if "~dead/other" in x.path]) == 1, "the other channel is told")
    check("given up" in s.run("alert", "dead").stdout, "alert dead lists it")


def held_up(e):
    """A silent channel holds up itself, not the others."""
    s = Site("heldup")
    s.channel("webhook", "env:SILENT_URL", name="silent", to=s.config)
    s.channel("webhook", "env:ROW_URL", name="fine", to=s.config)
    s.env.update(SILENT_URL=e.http + "/do/hang~held/hook", ROW_URL=e.http + "/do/ok~held/fine")
    s.run("alert", "send", "-m", "first", "--channel", "silent", "--wait", "0s", env={"SILENT_URL": e.http + "/do/status:503~held/hook"})
    s.settled("first")
    s.end()
    s.owe(400, "silent", "queued")
    p = hanging(s)
    time.sleep(0.5)
    began = time.monotonic()
    s.run("alert", "send", "-m", "urgent", "--channel", "fine", "--wait", "60s")
    row = s.wait("urgent", lambda r: r["state"] == OK, 40)
    took = time.monotonic() - began
    check(row["state"] == OK and took < 25, f"400 alerts for a channel that hangs: another channel's goes after {took:.1f} s", row)
    p.send_signal(signal.SIGTERM)
    began = time.monotonic()
    p.wait(90)
    took = time.monotonic() - began
    check(p.returncode == 0 and took < 30, f"told to end it finishes what is under way ({took:.1f} s), and says 0", (p.returncode, took))
    check(s.db("SELECT count(*) FROM alert WHERE state = 'leased'") == [(0,)], "no lease is left")
    check(s.db("SELECT count(*) FROM alert") == [(402,)], "and no alert is lost")


def secrets_gone(e):
    """A machine that was started anew: nobody knows the secret until a run of this kind comes."""
    s = Site("reboot")
    s.channel("webhook", "env:ROW_URL", to=s.config)
    s.send("before", wait="0s", env={"ROW_URL": e.http + "/do/status:503,ok~reboot/hook"})
    s.settled("before")
    s.end()
    s.db("UPDATE alert SET next_attempt = 1")
    p = hanging(s)
    row = s.wait("before", lambda r: "hands it over" in r["error"])
    check(row["state"] == R and "ROW_URL" in row["error"] and "hands it over" in row["error"], "it waits for the next run, and says so", row)
    check("hands it over" in s.run("alert", "show", row["id"]).stdout, "alert show says so")
    s.db("UPDATE alert SET next_attempt = ?", time.time_ns() + 3600 * 10**9)
    s.send("after", wait="5s", env={"ROW_URL": e.http + "/do/status:503,ok~reboot/hook"})
    row = s.wait("before", lambda r: r["state"] == OK, 5)
    check(row["state"] == OK and s.row("after")["state"] == OK, "with the next run both go, at once", (row, s.row("after")))
    p.send_signal(signal.SIGINT)
    check(p.wait(20) == 0, "SIGINT ends it, with 0", p.returncode)


def lives(e):
    """One for an outbox; nothing of the build's is held; a second one hands over and leaves."""
    s = Site("lives")
    s.channel("webhook", "env:ROW_URL", to=s.config)
    work = os.path.join(s.dir, "work")
    os.mkdir(work)
    lock = os.path.join(work, "build.lock")
    script = f"exec 9>{lock}; flock 9; exec 8<{work}/tocsin.txt; echo x > {work}/tocsin.txt; {TOCSIN} run --flush 5s -- sh -c 'exit 3'"
    with open(os.path.join(work, "tocsin.txt"), "w", encoding="ascii"):
        pass
    main, side = os.openpty()
    p = subprocess.Popen(["sh", "-c", script], cwd=work, env=dict(s.env, ROW_URL=e.http + "/do/status:503~lives/hook"), stdin=side, stdout=side, stderr=side, start_new_session=True)
    os.close(side)
    out = b""
    try:
        while True:
            piece = os.read(main, 4096)
            if not piece:
                break
            out += piece
    except OSError:
        pass  # the last one has closed it: no deliverer holds it
    check(p.wait(20) == 3, "the run ends as its command did, and the terminal is free", out)
    pids = s.deliverers()
    check(len(pids) == 1, "its deliverer lives", pids)
    if pids:
        fds = {n: os.readlink(f"/proc/{pids[0]}/fd/{n}") for n in os.listdir(f"/proc/{pids[0]}/fd")} if os.access(f"/proc/{pids[0]}/fd", os.R_OK) else {}
        wrong = [x for x in fds.values() if x.startswith(("pipe:", "/dev/pts")) or work in x]
        check(fds and not wrong, "it holds no pipe, terminal or file of the build", fds)
        check(os.readlink(f"/proc/{pids[0]}/cwd") == "/", "nor its folder")
        check(subprocess.run(["flock", "-n", lock, "true"], check=False).returncode == 0, "nor its lock")
    r = s.run("deliver")
    check(r.returncode == 0 and "another deliverer" in r.stderr, "a second one leaves, and says why", r.stderr)
    r = s.run("deliver", "--once")
    check(r.returncode == 0 and "another deliverer" in r.stderr, "--once as well", r.stderr)
    s.end()
    s.db("UPDATE alert SET next_attempt = 1")
    r = s.run("deliver", "--once", env={"ROW_URL": e.http + "/do/status:503~lives2/hook"})
    check(r.returncode == 1 and sum("503~lives2" in x.path for x in e.requests) == 1 and "503" in r.stderr, "--once: one attempt, 1 when it was not delivered", (r.returncode, r.stderr))
    s.db("UPDATE alert SET next_attempt = 1")
    r = s.run("deliver", "--once", env={"ROW_URL": e.http + "/do/ok~lives2/hook"})
    check(r.returncode == 0 and s.db("SELECT state FROM alert") == [(OK,)], "and 0 when all was", (r.returncode, r.stderr))
    check(s.run("deliver", "--outbox", "/nonexistent/x/y.db", "--once").returncode == 125, "125 when there is no outbox")


def programs(e):
    """exec: argv as it is written, the alert on standard input, the exit status as the answer; no secret in sight."""
    s = Site("exec")
    out = os.path.join(s.dir, "out")
    os.mkdir(out)
    program = os.path.join(s.dir, "program")
    with open(program, "w", encoding="utf-8") as f:
        f.write(f"#!/bin/sh\ncase $1 in big) head -c 20000000 /dev/zero; exit 0;; left) sleep {NAP} & exit 0;; hang) cat >/dev/null; exec sleep {NAP};; deaf) exec sleep 0.2;; esac\n"
                f"cat >{out}/$1.json; env >{out}/$1.env; printf '%s\\n' \"$@\" >{out}/$1.argv; echo \"it said token ghp_abcdefghijklmnopqrstuvwxyz0123456789\"; exit ${{2:-0}}\n")
    os.chmod(program, 0o755)
    rows = [(f"exec: {what}", "exec", None, f"    command: [{program}, {', '.join(args)}]\n", state, wait, words) for what, args, state, wait, words in (
        ("0", ("zero", "0", '"two words"', "\"$HOME; `x`\""), OK, None, ""), ("75", ("later", "75"), R, LATER, "later"), ("78", ("config", "78"), C, None, "configuration"),
        ("64", ("usage", "64"), C, None, "wrongly"), ("77", ("noperm", "77"), C, None, "permission"), ("65", ("data", "65"), P, None, "does not take"), ("1", ("one", "1"), R, LATER, "exit status 1"),
        ("20 MB of output", ("big",), OK, None, ""), ("a child that stays", ("left",), OK, None, ""), ("it does not read", ("deaf",), OK, None, ""), ("it hangs", ("hang",), A, AGAIN, "did not end in its time"))]
    rows += [("exec: there is no such program", "exec", None, "    command: [/nonexistent/program]\n", C, None, "/nonexistent/program"),
             ("exec: it cannot be executed", "exec", None, f"    command: [{s.dir}/out]\n", C, None, "")]
    rows.sort(key=lambda r: r[0] != "exec: it hangs")  # it takes longest
    seen = many(s, rows, seconds=40)
    argv = open(os.path.join(out, "zero.argv"), encoding="utf-8").read().split("\n")
    check(argv[:4] == ["zero", "0", "two words", "$HOME; `x`"], "its arguments are as they were written, without a shell", argv)
    alert = json.load(open(os.path.join(out, "zero.json"), encoding="utf-8"))
    check(alert["schema"] == "tocsin.alert/1" and alert["summary"] == "exec: 0", "the alert is on its standard input", alert)
    env = open(os.path.join(out, "zero.env"), encoding="utf-8").read()
    check("ROW_SECRET" not in env and "ROW_URL" not in env and "TOCSIN" not in env and "PATH=" in env, "its environment has no secret", env)
    check("ghp_" not in json.dumps([r for r, _ in seen.values()]), "nor is one that it prints kept")
    alive = [p for p in filter(str.isdigit, os.listdir("/proc")) if os.path.exists(f"/proc/{p}/cmdline") and b"sleep\x00%d" % NAP in open(f"/proc/{p}/cmdline", "rb").read()
             and os.path.realpath(f"/proc/{p}/cwd") == "/"]
    check(len(alive) <= 2, "what hung was ended", alive)
    for pid in alive:
        os.kill(int(pid), signal.SIGKILL)
    t = Site("exec-project")
    with open(os.path.join(t.dir, "tocsin.yaml"), "w", encoding="utf-8") as f:
        f.write(f"channels:\n  - name: evil\n    type: exec\n    command: [{program}, evil]\n")
    env = {k: v for k, v in t.env.items() if k != "TOCSIN_CONFIG"}
    r = subprocess.run([TOCSIN, "run", "--flush", "2s", "--", "false"], cwd=t.dir, env=env, capture_output=True, text=True, check=False, timeout=60)
    check(r.returncode == 1 and not os.path.exists(os.path.join(out, "evil.argv")) and "channel" in r.stderr, "a program that the working tree names is not run, and that is said", r.stderr)
    t.end()


def escalated(e):
    """L1 goes further when nobody acknowledges it, and not when somebody does."""
    s = Site("escalate")
    for name in ("first", "second"):
        s.channel("webhook", f"env:{name.upper()}_URL", name=name, to=s.config)
    with open(s.config, "a", encoding="utf-8") as f:
        f.write("routes:\n  - when: {outcome: failed}\n    to: [first]\n    level: L1\n    escalate_after: 15m\n    escalate_to: [second]\n")
    s.env.update(FIRST_URL=e.http + "/do/ok~esc/first", SECOND_URL=e.http + "/do/ok~esc/second")
    for ack in (False, True):
        r = s.run("run", "--flush", "5s", "--", "sh", "-c", f"exit {4 + ack}")
        s.end()
        rows = s.db("SELECT id, next_attempt FROM alert WHERE channel = 'second' AND state = 'pending'")
        wait = (rows[0][1] - time.time_ns()) / 1e9 if rows else 0
        check(len(rows) == 1 and 880 < wait < 901, "a second channel waits for its time", (rows, wait, r.stderr))
        if ack and rows:
            r = s.run("alert", "ack", s.db("SELECT id FROM alert WHERE channel = 'first' ORDER BY created DESC")[0][0])
            check(r.returncode == 0, "somebody acknowledges", r.stderr)
        s.db("UPDATE alert SET next_attempt = 1 WHERE channel = 'second' AND state = 'pending'")
        s.run("deliver", "--once")
        got = [x for x in e.requests if "~esc/second" in x.path]
        check(len(got) == 1, "it escalates" if not ack else "and it does not escalate", len(got))
    check("acknowledged" in s.run("alert", "queue", "--all").stdout, "the queue says why")


def no_room(e):
    """A disk that is full, an outbox that cannot be made: the verdict is the same, and the alert is not lost."""
    runtime = os.path.join(TMP, "runtime")
    os.mkdir(runtime, 0o700)
    for status, (what, before) in enumerate((("the disk is full", "mount -t tmpfs -o size=200k none {box} && head -c 300k /dev/zero >{box}/fill 2>/dev/null; "), ("the outbox cannot be made", "rmdir {box}; : >{box}; "))):
        s = Site("room-" + what.split()[-1])
        s.channel("webhook", "env:ROW_URL", to=s.config)
        box = os.path.join(s.dir, "box")
        os.mkdir(box)
        word = f"~room-{what.split()[-1]}"
        env = dict(s.env, TOCSIN_OUTBOX=box + "/outbox.db", TMPDIR=runtime, ROW_URL=e.http + f"/do/ok{word}/hook")
        p = subprocess.run(["unshare", "-m", "sh", "-c", before.format(box=box) + f"exec {TOCSIN} run --flush 5s -- sh -c 'exit {3 + status}'"], cwd=s.dir, env=env, capture_output=True, text=True,
                           check=False, timeout=60)
        check(p.returncode == 3 + status, f"{what}: the command's own status", p.stderr)
        check(len([x for x in e.requests if word in x.path]) == 1 and "are kept in " + runtime in p.stderr, f"{what}: it is kept elsewhere, sent, and said", p.stderr)
        s.outbox = os.path.join(runtime, f"tocsin-{os.geteuid()}", "outbox.db")
        check(os.stat(os.path.dirname(s.outbox)).st_mode & 0o777 == 0o700, f"{what}: where only its owner reads it")
        s.end()
    # what could not be delivered from there is seen to by the next run
    s.db("UPDATE alert SET state = 'pending', next_attempt = 1")
    s.run("run", "--", "sh", "-c", "exit 5", env={"TMPDIR": runtime, "ROW_URL": e.http + "/do/ok~room-next/hook"})
    end = time.monotonic() + 10
    while time.monotonic() < end and s.db("SELECT count(*) FROM alert WHERE state = 'delivered'") == [(0,)]:
        time.sleep(0.05)
    check(s.db("SELECT count(*) FROM alert WHERE state = 'delivered'")[0][0] >= 1, "and the next run sees to what is left there", s.db("SELECT state, error FROM alert"))
    s.end()
    s.outbox = s.env["TOCSIN_OUTBOX"]
    s.end()


def shared_limit(e):
    """Twenty a minute are twenty of all users of the machine; nobody can be held back for ever by what another one claims."""
    url = e.http + "/robot/send?access_token=sharedrobot"
    sent = []
    for user in (0, 65534):
        s = Site(f"user-{user}")
        s.channel("dingtalk", "env:ROW_URL", to=s.config)
        s.env["ROW_URL"] = url
        s.send("first", env={"ROW_URL": e.http + "/do/status:503/robot/send?access_token=other"})
        s.settled("first")
        s.end()
        s.owe(30, "ops", "shared")
        s.db("DELETE FROM alert WHERE id NOT LIKE '01M7Z50000000000000%'")
        os.chmod(TMP, 0o755)
        for folder, _, names in os.walk(s.dir):
            for n in [folder] + [os.path.join(folder, x) for x in names]:
                os.chown(n, user, user)
        before = len(e.requests)
        how = {"user": user, "group": user, "extra_groups": []} if user else {}
        r = s.run("deliver", "--once", **how)
        sent.append(len(e.requests) - before)
        left = s.db("SELECT count(*) FROM alert WHERE state <> 'delivered'")[0][0]
        check((sent[-1], left) == ((20, 0) if not user else (0, 30)), f"user {user}: {'20 messages' if not user else 'not one more, and all are owed'}", (sent, left, r.stderr[-500:]))
    telling = []
    for folder in ("/dev/shm", "/run/lock", "/var/tmp"):
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            if name.startswith("tocsin-robot-"):
                try:
                    with open(os.path.join(folder, name), "rb") as f:
                        data = f.read()
                except FileNotFoundError:
                    continue  # of another test, which has ended
                telling += [name] if b"robot" in data or len(data) > 2000 else []
    check(not telling, "the files that are shared hold no address", telling)


ASIDE = [programs, held_up, given_up, no_room, once_more, secrets_gone, lives, escalated]  # mostly waiting: while the table is played
APART = [wire, proxies]  # these share nothing
PARTS = [table, hostile, templates, shared_limit]


def main():
    only = sys.argv[1:]
    def wanted(parts):
        return [part for part in parts if not only or part.__name__ in only]

    with Endpoint() as e:
        tap.side_by_side(wanted(PARTS[:1] + ASIDE), e, jobs=len(ASIDE) + 1)
        tap.side_by_side(wanted(APART), e)
        tap.side_by_side(wanted(PARTS[1:]), e, jobs=1)
    shutil.rmtree(TMP, ignore_errors=True)
    done()


main()
