#!/usr/bin/env python3
# suite: limit 240
# suite: takes 36
"""What we send, to real servers: Alertmanager and Exim of the distribution, and systemd's own judgement of the unit. From a go test
that fails, through the outbox and the deliverer. And two channels that say later what became of an alert (Opsgenie, OTLP)."""
import datetime
import email.utils
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
sys.dont_write_bytecode = True
from endpoint import Endpoint  # noqa: E402
from servers import PASSWORD, USER, Alertmanager, Exim  # noqa: E402
from tap import TOCSIN, check, done, skip  # noqa: E402

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TMP = tempfile.mkdtemp(prefix="tocsin-servers-")
CACHE = os.environ.get("GOCACHE") or os.path.join(os.path.expanduser("~"), ".cache", "go-build")
BRANCH = "feat/x\r\nBcc: thief@mail.test\r\n\r\n=?utf-8?q?gone?= @all"
BASE = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "TOCSIN_", "CI_", "GIT_", "CREDENTIALS_")) and k not in ("CI", "FORCE_COLOR")
        and not k.lower().endswith("_proxy")}
BASE.update(LC_ALL="C.UTF-8", HOME=TMP, TMPDIR=TMP, XDG_CONFIG_HOME=os.path.join(TMP, "config"), GOCACHE=CACHE, GOFLAGS="-mod=mod", GOTOOLCHAIN="local", GOPROXY="off")
CI = {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "acme/shop", "GITHUB_RUN_ID": "4711", "GITHUB_RUN_ATTEMPT": "2",
      "GITHUB_REF_NAME": BRANCH, "GITHUB_SHA": "0123456789abcdef0123456789abcdef01234567", "GITHUB_WORKFLOW": "ci", "GITHUB_JOB": "test", "GITHUB_ACTOR": "dev"}
LINK = "https://github.com/acme/shop/actions/runs/4711/attempts/2"
TEST = """package cart

import "testing"

func TestTotal(t *testing.T) {
	%s
}
"""


class Site:
    """An outbox, a configuration, and a Go module whose test fails until it is mended."""

    def __init__(self, name, config):
        self.dir = os.path.join(TMP, name)
        os.mkdir(self.dir)
        self.outbox = os.path.join(self.dir, "outbox.db")
        self.config = os.path.join(self.dir, "tocsin.yaml")
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(config)
        self.env = dict(BASE, XDG_STATE_HOME=os.path.join(self.dir, "state"), TOCSIN_CONFIG=self.config, TOCSIN_OUTBOX=self.outbox)
        self.module = os.path.join(self.dir, "m")
        os.mkdir(self.module)
        with open(os.path.join(self.module, "go.mod"), "w", encoding="utf-8") as f:
            f.write("module example.com/shop\n\ngo 1.19\n")
        self.mend(False)

    def mend(self, good, wrong='t.Errorf("总价 = %d, want %d; \\x1b[31m%s", 3, 4, "<script>alert(1)</script>")'):
        with open(os.path.join(self.module, "cart_test.go"), "w", encoding="utf-8") as f:
            f.write(TEST % ("_ = t" if good else wrong))

    def call(self, *args, env=None):
        return subprocess.run([TOCSIN, *args], cwd=self.dir, env=dict(self.env, **(env or {})), capture_output=True, text=True, check=False, timeout=120)

    def test(self, *flags, env=None):
        """tocsin run of go test, which waits until its alerts are delivered."""
        return subprocess.run([TOCSIN, "run", *(flags or ("--flush", "10s")), "--", "go", "test", "-count=1", "./..."], cwd=self.module, env={**self.env, **CI, **(env or {})},
                              capture_output=True, text=True, check=False, timeout=120)

    def send(self, *channels, text="it broke", wait="10s", env=None):
        for c in channels:
            r = self.call("alert", "send", "-m", text, "--wait", wait, "--channel", c, env=env)
        return r

    def rows(self, channel=None):
        rows = json.loads(self.call("alert", "queue", "--json", "--all").stdout)["alerts"]
        return [a for a in rows if channel in (None, a["channel"])]

    def wait(self, channel, good, seconds=15):
        """The last row of the channel, once good(row) holds."""
        end = time.monotonic() + seconds
        while True:
            rows = self.rows(channel)
            last = max(rows, key=lambda a: a["id"]) if rows else {"state": "none", "error": None}
            if good(last) or time.monotonic() > end:
                return last
            time.sleep(0.1)

    def end(self):
        """The deliverers of this site."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    words = f.read().split(b"\0")
                if b"deliver" in words and self.outbox.encode() in words:
                    os.kill(int(pid), 9)
            except OSError:
                continue


def is_in(*states):
    return lambda a: a["state"] in states


def seconds_of(rfc3339):
    return datetime.datetime.fromisoformat(re.sub(r"(\.\d{1,6})\d*", r"\1", rfc3339).replace("Z", "+00:00")).timestamp()


def eventually(good, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = good()
        if got:
            return got
        time.sleep(0.1)
    return good()


# ---- Alertmanager ----

def hooks(e, name, status=None):
    """What Alertmanager told its receiver."""
    told = [a for s in e.requests if s.path == f"/{name}" for a in json.loads(s.body)["alerts"]]
    return [a for a in told if status in (None, a["status"])]


def alertmanager(e):
    good = os.path.join(e.dir, "good.crt"), os.path.join(e.dir, "good.key"), e.ca
    with Alertmanager(e.http + "/am-hook") as one, Alertmanager(e.http + "/am-hook", one, good) as two:
        s = Site("alertmanager", "channels:\n"
                 f"- {{name: one, type: alertmanager, url: '{one.url}/', labels: [team=build, site=sh]}}\n"
                 f"- {{name: two, type: alertmanager, url: '{two.url}', lang: zh, user: {USER}, secret: env:AM_PASSWORD, ca_file: {e.ca}}}\n")
        s.env["AM_PASSWORD"] = PASSWORD
        try:
            fires(s, one, two)
            silenced_and_over(e, s, one, two)
            refused(e, s, one, two)
        finally:
            s.end()


def fires(s, one, two):
    began = time.time()
    p = s.test()
    check(p.returncode == 1 and "is not delivered" not in p.stderr, "a go test that fails is delivered to both replicas", p.stdout + p.stderr)
    mine = [[a for a in am.alerts() if a["labels"].get("site", "sh") == "sh" and "summary" in a["annotations"]] for am in (one, two)]
    # they gossip only silences and what was told, not alerts: each has what it was sent
    check(len(mine[0]) == 1 and len(mine[1]) == 1, "each has one alert", mine)
    a, b = mine[0][0], mine[1][0]
    labels = {"alertname": "TocsinRunFailed", "project": a["labels"].get("project"), "team": "build", "site": "sh", "tocsin_key": a["labels"].get("tocsin_key")}
    check(a["labels"] == labels and labels["tocsin_key"] and "shop" in labels["project"], "its labels are its identity, and those of the configuration", a["labels"])
    check(b["labels"]["tocsin_key"] == labels["tocsin_key"], "the same identity at both")
    said = a["annotations"]
    check("FAILED" in said["summary"] and "cart_test.go:6" in said["description"] and "总价" in said["description"] and said["cause"] == "test.fail", "cause and place are annotations", said)
    check("失败" in b["annotations"]["summary"], "and in Chinese where that is wanted", b["annotations"])
    check("\r" not in json.dumps(said) and "\\u001b" not in json.dumps(said) and said["branch"].startswith("feat/x"), "the branch's name is one line", said)
    check(a["generatorURL"] == LINK and said["url"] == LINK, "the link is the job's", a["generatorURL"])
    check(began - 1 <= seconds_of(a["startsAt"]) <= time.time() + 1, "it began when the run failed", a["startsAt"])
    check(seconds_of(a["endsAt"]) - time.time() > 7 * 86400, "it fires for more than a week when nothing is heard", a["endsAt"])
    check(a["status"]["state"] == "active", "it is active", a["status"])
    time.sleep(1.5)  # its resolve_timeout is one second
    check(any(x["status"]["state"] == "active" for x in one.alerts()), "and still so when what says nothing would be over")


def silenced_and_over(e, s, one, two):
    check(bool(eventually(lambda: hooks(e, "am-hook", "firing"))), "Alertmanager tells its receiver")
    two.stop()
    s.mend(True)
    p = s.test("--flush", "2s")
    check(p.returncode == 0 and "two" in p.stderr, "it passes again while a replica is down; that it does not know is said", p.stdout + p.stderr)
    check(eventually(lambda: not one.alerts()), "the replica that is there has nothing that fires", one.alerts())
    over = eventually(lambda: hooks(e, "am-hook", "resolved"))
    check(bool(over) and over[0]["labels"]["alertname"] == "TocsinRunFailed", "and tells its receiver that it is over", over)
    last = s.wait("two", lambda a: a["error"])
    check(last["state"] in ("pending", "leased") and last["error"], "what the other replica must hear stays owed", last)
    two.start()
    last = s.wait("two", is_in("delivered"), 20)
    check(last["state"] == "delivered" and not two.alerts(), "and it hears it when it is back", (last, two.alerts()))
    now = datetime.datetime.now(datetime.timezone.utc)
    silence = {"matchers": [{"name": "alertname", "value": "Tocsin.*", "isRegex": True}], "startsAt": now.isoformat(), "comment": "moving", "createdBy": "dev",
               "endsAt": (now + datetime.timedelta(hours=1)).isoformat()}
    status, text = one.call("POST", "/api/v2/silences", silence)
    before = len(hooks(e, "am-hook", "firing"))
    s.mend(False)
    s.test()
    got = [a for a in one.alerts() if a["labels"].get("site")]
    check(status == 200 and len(got) == 1 and got[0]["status"]["state"] == "suppressed", "a silence there holds for ours, by its labels", (status, text, got))
    check(all(a["state"] == "delivered" for a in s.rows()), "for us it is delivered", s.rows())
    time.sleep(0.5)
    check(len(hooks(e, "am-hook", "firing")) == before, "and nobody is told", hooks(e, "am-hook"))


def refused(e, s, one, two):
    s.send("two", env={"AM_PASSWORD": "wrong"})
    last = s.wait("two", is_in("misconfigured", "delivered"))
    check(last["state"] == "misconfigured" and "401" in last["error"], "a wrong password is a matter of configuration", last)
    r = s.call("alert", "test", "two")
    check(r.returncode == 0, "the right one, over TLS of a private CA, is none", r.stdout + r.stderr)
    probe = [a for a in two.alerts() if a["labels"]["alertname"] == "TocsinProbe"]
    check(probe and 0 < seconds_of(probe[0]["endsAt"]) - time.time() < 400, "a probe ends by itself", probe)
    status, body = one.call("POST", "/api/v2/alerts", [{"labels": {"a-b": "c"}}])
    check(status == 400, "what Alertmanager says to wrong labels", (status, body))
    t = Site("am-400", "channels:\n- {name: am, type: alertmanager, url: env:AM_URL}\n")
    t.env["AM_URL"] = f"{e.http}/do/status:400:{urllib.parse.quote(body, safe='')}"
    t.send("am")
    last = t.wait("am", is_in("dead", "delivered"))
    tries = [q for q in e.requests if "a-b" in urllib.parse.unquote(q.path)]
    check(last["state"] == "dead" and "invalid" in last["error"] and len(tries) == 2, "is a refusal of the message: once more in the short form, then a person must look", (last, len(tries)))
    t.end()


# ---- mail ----

ALLOWED = {"envelope-to", "received", "date", "from", "to", "subject", "message-id", "in-reply-to", "references", "auto-submitted", "x-auto-response-suppress", "importance",
           "content-language", "mime-version", "content-type", "content-transfer-encoding"}


def whole(m):
    """What is wrong with a mail; nothing is."""
    wrong = [str(d) for part in m.walk() for d in part.defects] + [str(d) for h in m.values() for d in getattr(h, "defects", ())]
    wrong += [f"a header {k}" for k in m.keys() if k.lower() not in ALLOWED]
    wrong += [f"twice {k}" for k in {k.lower() for k in m.keys()} if len(m.get_all(k)) != 1 and k != "received"]
    return wrong


def lines_fit(raw):
    head, _, body = raw.partition(b"\n\n")
    return all(len(x) <= 78 for x in head.splitlines() if not x.startswith((b"Received", b"\t"))) and all(len(x) <= 78 for x in body.splitlines()) and raw.isascii()


def mail(e):
    with Exim(os.path.join(e.dir, "good.crt"), os.path.join(e.dir, "good.key")) as box:
        base = f"from: 'Tocsin 警报 <tocsin@mail.test>', ca_file: {e.ca}"
        login = f"user: {USER}, secret: env:MAIL_PASSWORD"
        channels = {
            "plain": f"url: '{box.url}', to: ops@mail.test",
            "starttls": f"url: '{box.url}', to: ops@mail.test, lang: zh, {login}",
            "tls": f"url: '{box.tls_url}', to: ops@mail.test, secret: env:MAIL_BOTH",
            "login": f"url: '{box.login_url}', to: ops@mail.test, {login}",
            "bare": f"url: '{box.bare_url}', to: ops@mail.test, {login}",
            "many": f"url: '{box.url}', to: ['The Ops <ops@mail.test>', team@mail.test, gone@mail.test]",
            "nobody": f"url: '{box.url}', to: gone@mail.test",
            "grey": f"url: '{box.url}', to: grey@mail.test",
            "small": f"url: '{box.small_url}', to: ops@mail.test",
            "shut": f"url: '{e.smtp_shut}', to: ops@mail.test",
            "closes": f"url: '{e.smtp}', to: gone@mail.test",
        }
        lines = {n: f"- {{name: {n}, type: smtp, {base}, {c}}}\n" for n, c in channels.items()}
        lines["untrusted"] = f"- {{name: untrusted, type: smtp, from: t@mail.test, url: '{box.tls_url}', to: ops@mail.test}}\n"
        lines["stranger"] = f"- {{name: stranger, type: smtp, from: stranger@mail.test, url: '{box.url}', to: ops@mail.test}}\n"
        env = {"MAIL_PASSWORD": PASSWORD, "MAIL_BOTH": f"{USER}:{PASSWORD}", "SSL_CERT_FILE": os.path.join(e.dir, "selfsigned.crt")}
        s = Site("mail", "channels:\n" + lines["plain"] + lines["starttls"])
        sites = {n: Site("mail-" + n, "channels:\n" + line) for n, line in lines.items()}
        for x in (s, *sites.values()):
            x.env.update(env)
        try:
            what_arrives(s, box)
            ways_in(sites, box)
            not_taken(sites, box)
            the_same_again(e, sites["closes"])
            by_credential(e, box)
        finally:
            for x in (s, *sites.values()):
                x.end()


def what_arrives(s, box):
    p = s.test()
    rows = s.rows()
    mails = sorted(box.mails(len(rows)), key=lambda m: m["message-id"])
    check(p.returncode == 1 and len(rows) >= 2 and len(mails) == len(rows), "a go test that fails is told by mail, over plain loopback and over STARTTLS", (rows, p.stderr, box.log()))
    zh = next((m for m in mails if "失败" in m["subject"]), None)
    en = next((m for m in mails if "FAILED" in m["subject"]), None)
    thread = {str(m["references"]) for m in mails if m["content-language"] == "en"}
    check(len(thread) == 1, "what is told of one run stands in one thread", thread)
    check(zh is not None and en is not None and "shop" in en["subject"], "the subject reads well in both languages", [m["subject"] for m in mails])
    for name, m in (("English", en), ("Chinese", zh)):
        check(not whole(m), f"the {name} mail is well-formed, and has no header but ours", (whole(m), m.as_string()[:3000]))
        plain, html = m.get_body(("plain",)).get_content(), m.get_body(("html",)).get_content()
        check("总价 = 3, want 4" in plain and "cart_test.go:6" in plain and LINK in plain, f"the {name} text says what is wrong, where, and where to look", plain)
        check("总价 = 3, want 4" in html and "<script>" not in html and "&lt;script&gt;" in html and LINK in html, f"the {name} HTML too, and nothing of it is foreign markup", html)
        check("\x1b" not in plain + html, "no control character is left")
        check(m["auto-submitted"] == "auto-generated" and m["from"].addresses[0].addr_spec == "tocsin@mail.test" and m["from"].addresses[0].display_name == "Tocsin 警报",
              "it says that a program sent it, and which", str(m["from"]))
        sent = email.utils.parsedate_to_datetime(str(m["date"])).timestamp()
        check(abs(sent - time.time()) < 120, "its date is now", m["date"])
    check(all(lines_fit(raw) for raw in box.raw()), "no line is longer than 78 characters, all are ASCII", b"\n".join(box.raw()).decode("utf-8", "replace"))
    check("thief" not in str(en["to"]) + str(en["received"]) and en["bcc"] is None and "Bcc: thief" in en.get_body(("plain",)).get_content(), "the branch's name begins no header",
          en.as_string()[:2000])
    owed = [s.call("alert", "show", "--json", a["id"]).stdout for a in rows if a["channel"] == "plain"]
    ids = {i for text in owed for i in re.findall(r'"id": ?"([0-9A-Z]{26})"', text)}
    mine = {str(m["message-id"]) for m in mails if m["content-language"] == "en"}
    check(len(mine) == len(owed) and all(m[1:27] in ids and m.endswith("@mail.test>") for m in mine), "its Message-ID is the alert's id", (mine, owed))
    box.clear()
    s.mend(True)
    s.test()
    over = box.mails(2)
    m = next((m for m in over if m["content-language"] == "en"), None)
    check(m is not None and "RECOVERED" in m["subject"] and m["message-id"] != en["message-id"], "that it is over is a mail of its own", [x["subject"] for x in over])
    check(m is not None and m["in-reply-to"] and m["in-reply-to"] == m["references"] == en["references"], "in the same thread", (m and m["in-reply-to"], en["references"]))


def ways_in(sites, box):
    ways = [("plain", "esmtp", None), ("starttls", "esmtpsa", "plain"), ("tls", "esmtpsa", "plain"), ("login", "esmtpsa", "login"), ("bare", "esmtpa", "plain")]
    for name, protocol, how in ways:
        box.clear()
        sites[name].send(name)
        got = box.mails(1, 5)
        line = next((x for x in reversed(box.log().splitlines()) if " <= " in x), "")
        right = f" P={protocol} " in line and (f" A={how}:{USER} " in line if how else " A=" not in line)
        check(len(got) == 1 and right, f"{name}: by {protocol}" + (f", AUTH {how.upper()}" if how else ""), line)


def not_taken(sites, box):
    rows = [("nobody", "misconfigured", "no such user"), ("stranger", "misconfigured", "not known"), ("grey", "pending", "greylisted"), ("shut", "dead", "not from there"),
            ("untrusted", "pending", "TLS")]
    for name, state, words in rows:
        sites[name].send(name, wait="0s")
    for name, state, words in rows:
        last = sites[name].wait(name, lambda a, w=state: a["state"] == w and a["error"])
        check(last["state"] == state and words in last["error"], f"{name}: {state}, and why", last)
    s = sites["grey"]
    box.clear()
    box.greylist_knows()
    s.call("alert", "retry", s.rows()[0]["id"])
    check(s.wait("grey", is_in("delivered"))["state"] == "delivered" and len(box.mails(1)) == 1, "a greylist takes it the second time, once", s.rows())
    s = sites["login"]
    s.send("login", wait="5s", env={"MAIL_PASSWORD": "wrong horse"})
    last = s.wait("login", is_in("misconfigured"))
    check(last["state"] == "misconfigured" and "secret" in last["error"] and "wrong horse" not in last["error"], "a wrong password is a matter of configuration", last)
    s, _ = sites["many"], box.clear()
    s.send("many")
    last = s.wait("many", is_in("delivered"))
    check(len(box.mails(2)) == 2 and last["state"] == "delivered" and "1 of 3" in (last["error"] or ""), "of three recipients two get it; that one was refused is kept", last)
    s, _ = sites["small"], box.clear()
    s.mend(False, 'for i := 0; i < 60; i++ { t.Errorf("line %d of a story that does not end", i) }')
    s.test()
    got = box.mails(1)
    check(got and not any(m.is_multipart() or whole(m) for m in got) and "message too big" in box.log() and s.wait("small", is_in("delivered"))["state"] == "delivered",
          "too large (552): then the short form", (s.rows(), [m.as_string()[:1500] for m in got], box.log()[-800:]))


def the_same_again(e, s):
    """The server closes after the text: nobody knows, so it goes again, by the same Message-ID."""
    def seen():
        return [m for m in e.requests if m.method == "MAIL" and m.whole]

    s.send("closes", wait="2s")
    last = s.wait("closes", lambda a: a["error"])
    check(last["state"] in ("pending", "leased") and last["error"], "a connection that is closed after the text is no delivery", last)
    s.call("alert", "retry", last["id"])
    eventually(lambda: len(seen()) > 1)
    ids = [re.search(rb"Message-ID: (\S+)", m.body).group(1) for m in seen()]
    check(len(ids) >= 2 and len(set(ids)) == 1, "it goes again by the same Message-ID", ids)


def by_credential(e, box):
    """As the unit does it: LoadCredential= gives a folder, which only the service has."""
    s = Site("credential", f"channels:\n- {{name: post, type: smtp, url: '{box.url}', from: t@mail.test, to: ops@mail.test, user: {USER}, secret: credential:smtp-password, ca_file: {e.ca}}}\n")
    folder = os.path.join(s.dir, "credentials")
    os.mkdir(folder, 0o700)
    with open(os.path.join(folder, "smtp-password"), "w", encoding="ascii") as f:
        f.write(PASSWORD + "\n")
    box.clear()
    service = subprocess.Popen([TOCSIN, "deliver", "--config", s.config], cwd="/", env=dict(s.env, CREDENTIALS_DIRECTORY=folder), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        eventually(lambda: os.path.exists(s.outbox + ".sock"))
        p = s.test()
        check(s.wait("post", is_in("delivered"))["state"] == "delivered" and box.mails(1) and f"A=plain:{USER}" in box.log(),
              "a secret that only the service's credentials have is used by the service", (p.stderr, s.rows()))
        check(service.poll() is None, "which stays")
    finally:
        service.terminate()
        _, said = service.communicate(timeout=30)
    check(service.returncode == 0, "until it is told to end", (service.returncode, said))
    s.end()


# ---- channels that say later ----

def later(e):
    """Opsgenie's 202 is only 'taken'. The one that never says is begun first and looked at in the end."""
    gone = urllib.parse.quote('{"message":"Request not found. It might not be processed, yet."}', safe="")
    failed = urllib.parse.quote('{"data":{"success":false,"isSuccess":false,"action":"Create","status":"The integration is disabled"}}', safe="")
    ways = {"said": "ok", "later": f"404:{gone}+404:{gone}+ok", "never": f"404:{gone}", "failed": f"200:{failed}", "broken": "status:503+reset+ok", "closed": "403"}
    s = Site("opsgenie", "channels:\n" + "".join(f"- {{name: {n}, type: opsgenie, url: '{e.http}/do/asked:{urllib.parse.quote(w, safe='')}', secret: env:OG_KEY}}\n" for n, w in ways.items()))
    s.env["OG_KEY"] = "11111111-2222-3333-4444-555555555555"
    s.send(*ways, wait="0s")
    return s


def later_said(e, s):
    def asked(name, word):
        mark = urllib.parse.quote(word, safe="")
        got = [q for q in e.requests if q.path.startswith(f"/do/asked:{mark}/v2/alerts")]
        return [q.method for q in got]

    last = s.wait("said", is_in("delivered"))
    check(last["state"] == "delivered" and asked("said", "ok")[:2] == ["POST", "GET"], "Opsgenie: delivered when it says what became of it", (last, asked("said", "ok")))
    last = s.wait("later", is_in("delivered"))
    check(last["state"] == "delivered" and last["attempts"] == 1, "it is asked until it has worked on it", last)
    last = s.wait("failed", is_in("misconfigured"))
    check(last["state"] == "misconfigured" and "integration is disabled" in last["error"], "what it took and made nothing of is not delivered", last)
    check(s.wait("broken", is_in("delivered"))["state"] == "delivered", "a question that fails is asked again", s.rows("broken"))
    check(s.wait("closed", is_in("delivered"))["state"] == "delivered", "a key that may not ask is no reason for a second alert", s.rows("closed"))
    keys = {q.header("Authorization") for q in e.requests if "/requests/" in q.path}
    check(keys == {"GenieKey 11111111-2222-3333-4444-555555555555"}, "the question has the key, too", keys)
    r = s.call("alert", "test", "failed")
    check(r.returncode == 1 and "integration is disabled" in r.stdout, "`alert test` asks as well", r.stdout + r.stderr)
    last = s.wait("never", lambda a: a["error"], 30)
    check(last["state"] in ("pending", "leased") and last["error"], "what it never says is not delivered: it goes again, by the same alias", last)
    s.end()


def otlp(e):
    """Records that were rejected are lost there, and must not go again; the others hear of it."""
    body = urllib.parse.quote('{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"too old"}}', safe="")
    fine = urllib.parse.quote('{"partialSuccess":{"rejectedLogRecords":"0","errorMessage":"deprecated"}}', safe="")
    s = Site("otlp", f"channels:\n- {{name: logs, type: otlp, url: '{e.http}/do/status:200:{body}'}}\n- {{name: warned, type: otlp, url: '{e.http}/do/status:200:{fine}'}}\n"
             "- {name: ops, type: webhook, url: env:HOOK}\n")
    s.env["HOOK"] = e.http + "/otlp-others"
    s.send("logs", "warned")
    last = s.wait("logs", is_in("misconfigured"))
    check(last["state"] == "misconfigured" and "too old" in last["error"] and "2" in last["error"], "OTLP: records that were rejected are no delivery", last)
    check(s.wait("warned", is_in("delivered"))["state"] == "delivered", "a word of warning is one", s.rows("warned"))
    told = e.wait_for(1, 10, "/otlp-others")
    check(len(told) == 1 and json.loads(told[0].body)["kind"] == "channel", "the other channel hears that records are lost", [t.body for t in told])
    check(len([q for q in e.requests if "too%20old" in q.path]) == 1, "and nothing is sent twice")
    s.end()


# ---- the unit ----

def unit():
    if not shutil.which("systemd-analyze"):
        skip("systemd accepts the unit", "this system has no systemd")
        return
    path = os.path.join(SOURCE, "packaging", "tocsin-deliver.service")
    text = open(path, encoding="utf-8").read().replace("/usr/bin/tocsin", TOCSIN)
    text = text.replace("Documentation=man:tocsin(1)\n", "")  # the page is not installed where it is only built
    copy = os.path.join(TMP, "tocsin-deliver.service")
    with open(copy, "w", encoding="utf-8") as f:
        f.write(text)
    r = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True, check=False, timeout=60)
    check(r.returncode == 0 and "tocsin-deliver" not in r.stderr, "systemd accepts the unit", r.stderr)
    r = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", copy], capture_output=True, text=True, check=False, timeout=60)
    check(r.returncode == 0, "and finds its exposure low: 2.0 of 10 at most", r.stdout[-3000:] + r.stderr)
    words = open(path, encoding="utf-8").read()
    check("LoadCredential=" in words and "Environment" in words and not re.search(r"(?i)(password|token|secret)=", words), "secrets come as credentials, and none is in the unit")


def main():
    only = sys.argv[1:]
    with Endpoint() as e:
        waiting = later(e) if not only or "later" in only else None
        for part in (alertmanager, mail, otlp):
            if not only or part.__name__ in only:
                part(e)
        if waiting:
            later_said(e, waiting)
    if not only or "unit" in only:
        unit()
    shutil.rmtree(TMP, ignore_errors=True)
    done()


main()
