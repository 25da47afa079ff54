#!/usr/bin/env python3
# suite: release-only
# suite: limit 900
# suite: takes 50
"""Every way a module download dies, played to the real go commands: cause, first class, whether it is tried again, how it ends.

The rows are those of the catalogue: name, connection and TLS; the proxy and the checksum database; version control. Each is played
for good (what is said, and whether --retry 1 makes a second attempt), and rows that pass by themselves once (it must recover).
By default one go command plays each row, taken in turn; TOCSIN_TEST_FULL=1 plays all with every go found.
"""
import concurrent.futures
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import FULL, TOCSIN, check, done, skip  # noqa: E402
import goproxy  # noqa: E402
from goproxy import Authority, GitServer, GoProxy, Reply, SumDB, goes  # noqa: E402

TMP = tempfile.mkdtemp(prefix="tocsin-rows-")
MOD, VERSION = "example.test/alpha", "v1.0.0"
ZIP, INFO = r"/alpha/@v/v1\.0\.0\.zip$", r"/alpha/@v/v1\.0\.0\.info$"
GET = ["mod", "download", f"{MOD}@{VERSION}"]
NO_CA = os.path.join(TMP, "no-ca.pem")
ROWS = []


class Row:
    """set(play) prepares and returns more environment; play has the proxy p, the folder, go, and what set() leaves there."""

    def __init__(self, name, cause, classes, prepare, **o):
        self.name, self.cause, self.classes, self.prepare = name, cause, classes, prepare
        self.retried = o.get("retried", "T" in classes and "S" not in classes)
        self.once = o.get("once")              # the same, but it passes: prepare(play) for that
        self.argv, self.says = o.get("argv", GET), o.get("says", ())
        self.advice, self.slow = o.get("advice", ()), o.get("slow", False)
        self.since, self.before = o.get("since", 0), o.get("before", 999)
        self.namespace, self.git, self.needs = o.get("namespace"), o.get("git", False), o.get("needs")
        self.code, self.sumdb = o.get("code", 1), o.get("sumdb", False)


def row(*args, **o):
    ROWS.append(Row(*args, **o))


def faulty(pattern, what, **o):
    """A row's two sides: for good, and once."""
    def good(play):
        play.server.fault(pattern, what, **o)
        return {}

    def once(play):
        play.server.fault(pattern, what, first=1, **o)
        return {}
    return good, once


def transient(name, cause, classes, pattern, what, more=None, **o):
    good, once = faulty(pattern, what, **(more or {}))
    row(name, cause, classes, good, once=once, **o)


def lasting(name, cause, classes, pattern, what, more=None, **o):
    row(name, cause, classes, faulty(pattern, what, **(more or {}))[0], **o)


# ---- name, connection, TLS ----

def listen(kind, **env):
    return lambda play: {"GOPROXY": play.p.listen(kind), **env}


def refused(play):
    return {"GOPROXY": play.p.listen("refused")}


def refused_once(play):
    address = play.p.listen("refused")
    play.between = lambda: play.p.open(address)
    return {"GOPROXY": address}


def h2(code, body=False, what="stream-error"):
    def make(first):
        def prepare(play):
            play.p.fault(ZIP, what, code=code, body=body, first=first)
            return {"GOPROXY": play.p.h2}
        return prepare
    return {"prepare": make(None), "once": make(1)}


def name_rows():
    inside = {"namespace": True}
    row("no such host", "mod.dns", "TM", lambda play: dns(play, 3), once=lambda play: dns_once(play, 3),
        says=["no such host", MOD], advice=["GOPROXY"], **inside)
    row("the resolver fails", "mod.dns", "T", lambda play: dns(play, 2), once=lambda play: dns_once(play, 2), says=["server misbehaving"], **inside)
    row("the resolver is silent", "mod.dns", "T", lambda play: dns(play, None), says=["i/o timeout"], advice=["resolv.conf"], **inside)
    row("there is no resolver", "mod.dns", "T", lambda play: dns(play, "off"), says=["lookup proxy.test"], advice=["resolv.conf"], **inside)
    row("the resolver of libc", "mod.dns", "T", lambda play: dns(play, 2, GODEBUG="netdns=cgo"), says=["failure in name resolution"], needs="cgo",
        **inside)
    row("connection refused", "mod.connect", "TM", refused, once=refused_once, says=["connection refused", "GET-URL"], advice=["GOPROXY"])
    row("network is unreachable", "mod.connect", "T", lambda play: {"GOPROXY": "http://198.51.100.1"}, says=["unreachable"], **inside)
    row("no route to host", "mod.connect", "T", no_route, says=["no route to host"], **inside)
    row("connecting hangs", "mod.timeout", "TM", hanging, says=["connection timed out"], advice=["GOPROXY"], **inside)
    row("connecting hangs, go's own limit", "mod.timeout", "TM", listen("full"), says=["i/o timeout"], slow=True)
    row("no way to the HTTP proxy", "mod.connect", "CT", lambda play: {"GOPROXY": "https://proxy.test", "HTTPS_PROXY": play.p.listen("refused")},
        once=proxy_once, says=["proxyconnect"], advice=["HTTPS_PROXY"])
    through = {"says": ["https://proxy.test/"], "advice": ["HTTPS_PROXY", "NO_PROXY"]}
    row("https:// for an HTTP proxy", "mod.tls", "C", lambda play: {"GOPROXY": "https://proxy.test", "HTTPS_PROXY": play.p.http.replace("http:", "https:")},
        says=["proxyconnect"], advice=["HTTPS_PROXY=http://"])
    for status in (403, 407):
        row(f"the HTTP proxy says {status}", "mod.auth", "C", tunnel(status), **through)
    for status in (502, 503):
        row(f"the HTTP proxy says {status}", "mod.connect", "TC", tunnel(status), once=tunnel(status, 1), **through)
    transient("connection reset", "mod.connect", "TM", INFO, "reset", says=["connection reset by peer", "GET-URL"])
    transient("reset within the body", "mod.connect", "TM", ZIP, "reset-body", says=["connection reset by peer", MOD])
    transient("closed without a byte", "mod.connect", "TM", INFO, "close", says=["EOF", "GET-URL"])
    transient("half a body", "mod.connect", "TM", ZIP, "truncate", says=["unexpected EOF", MOD])
    transient("half an .info", "mod.connect", "TM", INFO, "truncate", says=["unexpected EOF", MOD])
    for code in ("INTERNAL_ERROR", "REFUSED_STREAM", "ENHANCE_YOUR_CALM", "CANCEL"):
        sides = h2(code, body=True)
        row("stream error " + code, "mod.connect", "T", sides["prepare"], once=sides["once"], says=[code, MOD])
    sides = h2("ENHANCE_YOUR_CALM", what="goaway")
    row("GOAWAY", "mod.connect", "T", sides["prepare"], once=sides["once"], says=["GOAWAY", MOD])
    row("the TLS handshake hangs", "mod.timeout", "TM", listen("tls-hang"), says=["TLS handshake timeout"], slow=True)
    lasting("no HTTP at all", "mod.proxy", "CM", ZIP, "garbage", says=["malformed HTTP", "GET-URL"], advice=["GOPROXY"])
    # "malformed HTTP response", or, where the greeting is there before the question, "readLoopPeekFailLocked"
    row("another protocol on that port", "mod.proxy", "CM", listen("ssh"), says=[MOD])
    row("https to a port of http", "mod.tls", "C", lambda play: {"GOPROXY": play.p.http.replace("http:", "https:")},
        says=["HTTP response to HTTPS client"], advice=["GOPROXY", "http://"])
    row("https to a port of ssh", "mod.tls", "C", lambda play: {"GOPROXY": play.p.listen("ssh").replace("http:", "https:")},
        says=["first record does not look like a TLS handshake"])
    for kind, word in (("alert", "handshake failure"), ("old-tls", "protocol version not supported"), ("client-cert", "remote error: tls: ")):
        row("TLS alert: " + kind, "mod.tls", "CM", listen(kind), says=[word])
    row("a certificate that no CA signed", "mod.tls", "C", listen("self-signed"), says=["unknown authority"], advice=["SSL_CERT_FILE"])
    row("the CA of a company", "mod.tls", "C", lambda play: {"GOPROXY": play.p.https, "SSL_CERT_FILE": NO_CA}, says=["unknown authority"],
        advice=["SSL_CERT_FILE"])
    row("a certificate that has expired", "mod.tls", "CT", listen("expired"), says=["has expired"], advice=["date -u"])
    row("a certificate of tomorrow", "mod.tls", "CT", listen("not-yet"), says=["not yet valid"], advice=["date -u"])
    row("a certificate for another name", "mod.tls", "CM", wrong_name, says=["is valid for"])
    row("a certificate without this address", "mod.tls", "CM", listen("wrong-host"), says=["IP SANs"])
    row("a certificate without names", "mod.tls", "CM", listen("no-names"), says=["legacy Common Name"])
    row("no root certificates", "mod.tls", "C", lambda play: {"GOPROXY": play.p.https, "SSL_CERT_FILE": "/proc", "SSL_CERT_DIR": "/nowhere"},
        says=["x509: failed to load system roots"], advice=["ca-certificates"])
    lasting("redirects for ever", "mod.proxy", "CS", ZIP, "redirect", says=["stopped after 10 redirects", "GET-URL"], advice=["GOPROXY"])
    row("https sends to http", "mod.tls", "CS", insecure, says=["redirected from secure URL"])


def proxy_once(play):
    address = play.p.listen("refused")
    play.between = lambda: play.p.open(address)
    return {"GOPROXY": "https://proxy.test", "HTTPS_PROXY": address}


def tunnel(status, first=None):
    def prepare(play):
        play.p.fault("CONNECT proxy.test", status, first=first)
        return {"GOPROXY": "https://proxy.test", "HTTPS_PROXY": play.p.http}
    return prepare


def wrong_name(play):
    play.p.connect_kind = "wrong-host"
    return {"GOPROXY": "https://proxy.test", "HTTPS_PROXY": play.p.http}


def insecure(play):
    play.p.fault(ZIP, "redirect", to=play.p.http + "/elsewhere")
    return {"GOPROXY": play.p.https}


# ---- inside a network of its own (unshare): a resolver that lies, routes that lead nowhere ----

class Resolver(threading.Thread):
    """Port 53: an rcode (3 no such name, 2 server failure), None: silence, 0: 127.0.0.1."""

    def __init__(self, answer):
        super().__init__(daemon=True)
        self.answer, self.sock = answer, socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 53))
        self.start()

    def run(self):
        while True:
            data, who = self.sock.recvfrom(4096)
            if self.answer is None:
                continue
            end = data.index(b"\0", 12) + 5
            is_a = data[end - 4:end - 2] == b"\0\1"
            answer = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x7f\0\0\1" if self.answer == 0 and is_a else b""
            head = data[:2] + struct.pack(">HHHHH", 0x8180 | self.answer, 1, bool(answer), 0, 0)
            self.sock.sendto(head + data[12:end] + answer, who)


def dns(play, answer, **env):
    if answer != "off":
        play.resolver = Resolver(answer)
    return {"GOPROXY": "http://proxy.test:" + play.p.http.rsplit(":", 1)[1], **env}


def dns_once(play, answer):
    env = dns(play, answer)
    play.between = lambda: setattr(play.resolver, "answer", 0)
    return env


def no_route(play):
    import fcntl
    address = lambda a: struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(a))  # noqa: E731
    entry = struct.pack("Q16s16s16sHhQQhQQQQH", 0, address("198.51.100.0"), address("0.0.0.0"), address("255.255.255.0"), 0x201, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x890B, entry + bytes(64))
    return {"GOPROXY": "http://198.51.100.1"}


def hanging(play):
    with open("/proc/sys/net/ipv4/tcp_syn_retries", "w", encoding="ascii") as f:
        f.write("1\n")
    return {"GOPROXY": play.p.listen("full")}


def begin_namespace():
    import fcntl
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:  # lo up
        fcntl.ioctl(s, 0x8914, struct.pack("16sH22x", b"lo", 0x1 | 0x40))
    resolv = os.path.join(TMP, "resolv.conf")
    with open(resolv, "w", encoding="ascii") as f:
        f.write("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    subprocess.run(["mount", "--bind", resolv, os.path.realpath("/etc/resolv.conf")], check=True)


# ---- the proxy, the checksum database ----

def proxy_rows():
    for status in (408, 425, 429, 500, 502, 503, 504, 520):
        transient(f"the proxy says {status}", "mod.proxy", "TM", ZIP, status, {"body": "404 not found: SECURITY ERROR\n"},
                  says=[f": {status} ", "GET-URL"], advice=["GOPROXY"])
    lasting("the proxy says 401", "mod.auth", "C", INFO, 401, says=[": 401 ", "GET-URL"], advice=["netrc", "GOAUTH"])
    lasting("the proxy says 407", "mod.auth", "C", INFO, 407, says=[": 407 "], advice=["HTTPS_PROXY"])
    lasting("the proxy says 403", "mod.auth", "MP", INFO, 403, says=[": 403 ", "GET-URL"], advice=["GOPROXY"])
    for status in (404, 410):
        lasting(f"the proxy says {status}", "mod.not_found", "PM", INFO, status, {"body": "503 Service Unavailable: connection refused\n"},
                says=[f": {status} ", "GET-URL"], advice=["GOPRIVATE", "GOPROXY"])
        transient(f"{status}, but only because it was slow", "mod.not_found", "TM", INFO, status, {"body": f"not found: {MOD}@{VERSION}: fetch timed out\n"},
                  says=[f": {status} "])
    lasting("the proxy says 400", "mod.proxy", "P", INFO, 400, says=[": 400 "])
    lasting("the proxy says 451", "mod.auth", "P", INFO, 451, says=[": 451 "])
    row("not in the offline mirror", "mod.not_found", "P", lambda play: {"GOPROXY": "file://" + play.folder}, says=["no such file"])
    lasting("a login page for an .info", "mod.proxy", "MC", INFO, "html", says=["invalid response from proxy"], advice=["GOPROXY"])
    lasting("another version than asked", "mod.proxy", "MS", INFO, "wrong-version", says=["v9.9.9", MOD])
    lasting("a login page for a zip", "mod.proxy", "M", ZIP, "html", says=["not a valid zip file"])
    for name in ("stray", "traversal", "absolute", "case"):
        data = getattr(goproxy, "zip_" + name)(MOD, VERSION)
        lasting("a zip with " + name, "mod.proxy", "M", ZIP, "body", {"data": data}, says=[MOD])
    lasting("a zip of 600 MiB of zeros", "mod.version", "P", ZIP, "body", {"data": lambda: goproxy.zip_bomb(MOD, VERSION)}, says=["too large"], slow=True)
    lasting("a zip that lies about 64 MiB", "mod.proxy", "M", ZIP, "body", {"data": lambda: goproxy.zip_bomb(MOD, VERSION, 64, True)}, says=["not a valid zip file"])
    lasting("a zip of 501 MiB", "mod.version", "P", ZIP, "big", {"size": 501 << 20}, says=["too large"], slow=True)
    row("GOPROXY=off", "mod.cache_missing", "C", lambda play: {"GOPROXY": "off"}, says=["GOPROXY=off", MOD], advice=["GOPROXY"])
    row("-mod in GOFLAGS", "build.package", "CP", flags_mod, argv=["build", "./..."], says=["-mod="], advice=["GOFLAGS"])
    row("-mod=vendor in GOFLAGS", "mod.vendor", "CP", flags_vendor, argv=["list", "-m", f"{MOD}@latest"], says=["-mod=vendor"], advice=["GOFLAGS"])
    row("an empty list", "mod.proxy", "C", lambda play: {"GOPROXY": ","}, says=["GOPROXY list"], advice=["GOPROXY"])
    row("no URL in GOPROXY", "mod.proxy", "C", lambda play: {"GOPROXY": "http://a b/"}, says=["http://a b/"], advice=["GOPROXY"])
    row("a first proxy that fails, and a comma", "mod.proxy", "TM", comma, says=[": 503 "], advice=["A|B"])
    row("go.sum knows other code", "mod.checksum", "S", other_sum, argv=["mod", "download"], says=["checksum mismatch", MOD])
    row("the database knows other code", "mod.checksum", "S", database(wrong=True), says=["checksum mismatch", MOD])
    row("the database leaves the sum out", "mod.sumdb", "S", database("other"), since=25, says=["checksum missing"])
    row("the database forks", "mod.sumdb", "S", database("forked", before=True), says=["misbehavior"])
    row("a tile that does not fit", "mod.sumdb", "S", database("tile"), says=["inconsistent tile"])
    row("a record that the tree does not know", "mod.sumdb", "S", database("record"), says=["cannot authenticate record data"])
    row("a tree signed by another", "mod.sumdb", "S", database("signature"), says=["invalid signature"])
    row("a tree that nobody signed", "mod.sumdb", "S", database("unsigned"), says=["malformed note"])
    row("a login page for a record", "mod.sumdb", "CM", database("html"), retried=False, says=["malformed record data"])
    row("the database has no tiles", "mod.sumdb", "CM", database("missing-tile"), says=["/tile/8/"])
    row("the database does not know it", "mod.sumdb", "C", database("unknown"), says=["/lookup/"], advice=["GOPRIVATE"])
    transient("the database was slow itself", "mod.sumdb", "TM", "/lookup/", 404, {"body": "not found: fetch timed out\n"}, says=[": 404 "], sumdb=True)
    row("the database is broken", "mod.sumdb", "TM", database("broken"), once=database("broken", heal=True), says=[": 500 "])
    row("the database is not reached", "mod.sumdb", "TM", unreached, says=["connection refused"])
    row("the database, and the CA of a company", "mod.tls", "C", lambda play: {**unreached(play, "https"), "SSL_CERT_FILE": NO_CA},
        says=["unknown authority"], advice=["SSL_CERT_FILE"])
    row("the database cuts off", "mod.sumdb", "TM", cut, once=cut_once, says=["EOF"])
    row("GOSUMDB of nobody", "mod.sumdb", "C", lambda play: {"GOSUMDB": "nobody.test"}, says=["GOSUMDB"], advice=["GOSUMDB"])
    row("GOSUMDB that is no key", "mod.sumdb", "C", lambda play: {"GOSUMDB": "sum.test+1234+xxxx"}, says=["GOSUMDB"], advice=["GOSUMDB"])
    row("a go line of tomorrow", "build.toolchain", "C", go_line, argv=["build", "./..."], since=21, says=["requires go >= 1.99"],
        advice=["go.mod", "GOTOOLCHAIN"])
    row("a toolchain that is nowhere", "build.toolchain", "CM", lambda play: go_line(play, GOTOOLCHAIN="auto"), argv=["version"], since=21,
        says=["toolchain not available"], advice=["toolchain line", "GOPROXY"])
    row("a toolchain, and GOSUMDB=off", "mod.sumdb", "C", toolchain, argv=["version"], since=21, says=["GOSUMDB=off"], advice=["GOSUMDB"])
    row("a hash of another kind in go.sum", "mod.checksum", "S", unknown_hash, argv=["mod", "download"], says=["unknown hashes"], code=0)


def write(play, name, text):
    with open(os.path.join(play.folder, name), "w", encoding="utf-8") as f:
        f.write(text)


def flags_mod(play):
    write(play, "main.go", 'package main\n\nimport _ "example.test/nowhere"\n\nfunc main() {}\n')
    return {"GOFLAGS": "-mod=readonly"}


def flags_vendor(play):
    os.makedirs(os.path.join(play.folder, "vendor"))
    write(play, "vendor/modules.txt", "")
    write(play, "main.go", 'package main\n\nimport _ "example.test/nowhere"\n\nfunc main() {}\n')
    return {"GOFLAGS": "-mod=vendor"}


def comma(play):
    play.p.fault(r"^/first/", 503)
    return {"GOPROXY": play.p.http + "/first," + play.p.http}


def other_sum(play):
    play.p.write_project(play.folder, [f"{MOD} {VERSION}"])
    with open(os.path.join(play.folder, "go.sum"), encoding="utf-8") as f:
        text = f.read()
    good = play.p.module(MOD, VERSION).h1
    write(play, "go.sum", text.replace(good, "h1:" + "A" * 43 + "="))
    return {}


def unknown_hash(play):
    play.p.write_project(play.folder, [f"{MOD} {VERSION}"])
    m = play.p.module(MOD, VERSION)
    write(play, "go.sum", f"{MOD} {VERSION} h9:AAAA\n{MOD} {VERSION}/go.mod {m.mod_h1}\n")
    return {}


def database(lie=None, wrong=False, before=False, heal=False):
    def prepare(play):
        db = SumDB("sum.test").fill(300)
        if wrong:
            other = "h1:" + "B" * 43 + "="
            db.add(MOD, VERSION, other, play.p.module(MOD, VERSION).mod_h1)
        db.add_from(play.p)
        play.p.sumdbs["sum.test"] = db
        env = {"GOSUMDB": db.key}
        if before:
            subprocess.run([play.go, "mod", "download", "example.test/beta@v1.0.0"], cwd=play.folder, env=dict(play.env, **env), check=True,
                           capture_output=True, timeout=60)
        db.lie = lie
        if heal:
            play.between = lambda: setattr(db, "lie", None)
        return env
    return prepare


def unreached(play, kind="refused"):
    db = SumDB("sum.test").add_from(play.p)
    return {"GOSUMDB": db.key + " " + play.p.listen(kind)}


def cut(play, first=None):
    env = database()(play)
    play.p.fault("/lookup/", "truncate", first=first)
    return env


def cut_once(play):
    return cut(play, 1)


def go_line(play, **env):
    write(play, "go.mod", "module example.test/main\n\ngo 1.99.1\n")
    return env


def toolchain(play):
    write(play, "go.mod", "module example.test/main\n\ngo 1.99.1\n")
    play.p.add("golang.org/toolchain", "v0.0.1-go1.99.1.linux-amd64", {"bin/go": "#!/bin/sh\nexit 0\n"})
    play.p.add("golang.org/toolchain", "v0.0.1-go1.99.1.linux-arm64", {"bin/go": "#!/bin/sh\nexit 0\n"})
    return {"GOTOOLCHAIN": "auto", "GOSUMDB": "off"}


# ---- version control: the real git, over https on loopback ----

DIRECT = ["mod", "download", "github.com/alice/tool@v1.0.0"]


def git_rows():
    git = {"git": True, "argv": DIRECT}
    missing = ["mod", "download", "github.com/alice/tool@v1.9.9"]

    def fault(name, cause, classes, pattern, what, **o):
        (transient if "T" in classes else lasting)(name, cause, classes, pattern, what, o.pop("more", None), **git, **o)
    fault("git: the answer is cut", "mod.vcs", "T", "git-upload-pack$", "truncate", says=["git "])
    row("git: half a pack", "mod.vcs", "T", half_a_pack(None), once=half_a_pack(2), says=["RPC failed"], **git)
    fault("git: reset", "mod.vcs", "T", "git-upload-pack$", "reset", says=["git "])
    fault("git: closed", "mod.vcs", "T", "/info/refs", "close", says=["git "])
    fault("git: 503", "mod.vcs", "T", "/info/refs", 503, says=["503"])
    fault("git: 401", "mod.vcs", "C", "/info/refs", 401, more={"headers": {"WWW-Authenticate": 'Basic realm="git"'}},
          says=["github.com/alice/tool"], advice=["netrc", "GOPRIVATE"])
    fault("git: 403", "mod.vcs", "C", "/info/refs", 403, says=["403"], advice=["netrc"])
    fault("git: 404", "mod.vcs", "C", "/info/refs", 404, says=["not found"], advice=["GOPRIVATE"])
    row("git: a wrong password", "mod.vcs", "C", wrong_password, says=["Authentication failed"], **git)
    row("git: no such host", "mod.vcs", "T", git_at("http://nowhere.invalid/"), says=["Could not resolve host"], **git)
    row("git: refused", "mod.vcs", "T", lambda play: git_at(play.g.listen("refused") + "/")(play), says=["git "], **git)
    row("git: a certificate of another", "mod.tls", "C", git_untrusted, says=["git "], advice=["http.sslCAInfo"], **git)
    for word, cause in (("Permission denied (publickey).", "C"), ("Host key verification failed.", "CS")):
        row("ssh: " + word, "mod.vcs", cause, ssh(word), says=[word.rstrip(".")], **git)
    row("git: no such revision", "mod.version", "P", lambda play: {}, git=True, argv=missing,
        says=["unknown revision"], advice=["git ls-remote"])
    row("git: not installed", "mod.vcs", "C", lambda play: {"PATH": without_git(play)}, says=['"git"'], **git)
    row("git: GOVCS", "mod.vcs", "C", lambda play: {"GOVCS": "*:off"}, says=["GOVCS"], advice=["GOVCS"], **git)
    vanity = {"git": True, "argv": ["mod", "download", "vanity.test/tool@v1.0.0"]}
    row("vanity: good", None, "", lambda play: {}, code=0, **vanity)
    row("vanity: 404", "mod.not_found", "P", page(Reply(404, "no\n")), says=["vanity.test/tool"], advice=["GOPRIVATE"], **vanity)
    row("vanity: no meta tag", "mod.not_found", "PT", page(Reply(200, "<html></html>", "text/html")), says=["go-import meta tag"], **vanity)
    row("vanity: two opinions", "mod.not_found", "PT", disagree, says=["vanity.test"], git=True, argv=["mod", "download", "vanity.test/tool/sub@v1.0.0"])
    transient("vanity: reset", "mod.connect", "TM", "go-get=1", "reset", says=["vanity.test/tool", "reset"], **vanity)
    transient("vanity: 503", "mod.proxy", "TM", "go-get=1", 503, says=["vanity.test/tool", "503"], **vanity)
    row("vanity: a certificate of another", "mod.tls", "C", lambda play: {"SSL_CERT_FILE": NO_CA}, says=["unknown authority"], **vanity)
    row("vanity: no such host", "mod.dns", "TM", lambda play: vanity_dns(play), says=["no such host"], namespace=True, **vanity)
    row("git does not trust the checkout", "mod.vcs", "C", dubious, argv=["build", "-o", os.devnull, "."], says=["VCS status"],
        advice=["safe.directory", "-buildvcs=false"])


def vanity_dns(play):
    play.resolver = Resolver(3)
    return {"HTTPS_PROXY": "", "HTTP_PROXY": ""}


def wrong_password(play):
    play.g.login("alice/tool", "alice", "right")
    return {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "url.https://alice:wrong@github.com/.insteadOf", "GIT_CONFIG_VALUE_0": "https://github.com/"}


def git_at(url):
    return lambda play: {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.{url}.insteadOf", "GIT_CONFIG_VALUE_0": "https://github.com/",
                         "HTTPS_PROXY": "", "HTTP_PROXY": ""}


def half_a_pack(first):
    """go tries a shallow fetch and then a whole one, so it takes two to fail."""
    def prepare(play):
        play.g.fault("git-upload-pack$", "truncate", having=b"command=fetch", first=first)
        return git_at(play.g.http + "/")(play)
    return prepare


def git_untrusted(play):
    return {"GIT_SSL_CAINFO": goproxy.Authority(os.path.join(play.folder, "ca")).file}


def ssh(word):
    def prepare(play):
        program = os.path.join(play.folder, "..", "ssh-" + os.path.basename(play.folder))
        with open(program, "w", encoding="ascii") as f:
            f.write(f"#!/bin/sh\necho 'git@github.com: {word}' >&2\nexit 255\n")
        os.chmod(program, 0o755)
        env = git_at("ssh://git@github.com/")(play)
        return {**env, "GIT_SSH_COMMAND": program, "GIT_SSH_VARIANT": "ssh"}
    return prepare


def without_git(play):
    return os.path.dirname(play.go)


def page(reply):
    def prepare(play):
        play.g.vanity("vanity.test/tool", page=reply)
        return {}
    return prepare


def disagree(play):
    play.g.vanity("vanity.test/tool/sub", page=Reply(200, '<meta name="go-import" content="vanity.test/tool git https://git.test/alice/other.git">', "text/html"))
    play.g.vanity("vanity.test/tool", page=Reply(200, '<meta name="go-import" content="vanity.test git https://git.test/alice/tool.git">', "text/html"))
    return {}


def dubious(play):
    write(play, "main.go", "package main\n\nfunc main() {}\n")
    subprocess.run(["git", "init", "-q"], cwd=play.folder, check=True, env=dict(play.env, **goproxy.GIT))
    return {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1", "GOFLAGS": "-buildvcs=true"}


# ---- playing ----

class Play:
    between = None

    def __init__(self, go, row, ca):
        self.go, self.row = go, row
        self.folder = tempfile.mkdtemp(prefix="row-", dir=TMP)
        self.p = GoProxy(ca)
        self.p.add(MOD, VERSION)
        self.p.add("example.test/beta", "v1.0.0")
        self.g = None
        with open(os.path.join(self.folder, "go.mod"), "w", encoding="ascii") as f:
            f.write("module example.test/main\n\ngo 1.19\n")
        self.env = self.p.env(self.go, GOFLAGS="-modcacherw -mod=mod", TOCSIN_LANG="en", LC_ALL="C.UTF-8")
        if row.git:
            self.g = GitServer(ca)
            self.g.repo("alice/tool", {"v1.0.0": {"go.mod": "module github.com/alice/tool\n", "t.go": "package tool\n"}})
            self.g.repo("alice/vanity", {"v1.0.0": {"go.mod": "module vanity.test/tool\n", "t.go": "package tool\n"}})
            self.g.vanity("vanity.test/tool", "alice/vanity")
            self.env.update(self.g.env(), GOPROXY="direct")
        if row.sumdb:
            db = self.p.sumdbs["sum.test"] = SumDB("sum.test").add_from(self.p)
            self.env["GOSUMDB"] = db.key
        self.server = self.g or self.p

    def close(self):
        for s in (self.p, self.g):
            if s:
                s.close()

    def run(self, prepare):
        """(exit status, report, attempts, everything printed)"""
        env = dict(self.env, **prepare(self))
        name = os.path.join(self.folder, "..", os.path.basename(self.folder) + ".json")
        argv = [TOCSIN, "run", "--no-store", "--format", "raw", "--retry", "1", "--timeout", "90s", "--report", name, "--", self.go, *self.row.argv]
        child = subprocess.Popen(argv, cwd=self.folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                 errors="replace")
        said, attempts = [], 1
        for line in child.stdout:
            said.append(line)
            if re.search(r"attempt \d+ failed", line):
                attempts += 1
                if self.between:
                    self.between()
        status = child.wait()
        report = {}
        if os.path.exists(name):
            with open(name, encoding="utf-8") as f:
                report = json.load(f)
        return status, report, attempts, "".join(said)


def judge(play, how):
    """What is wrong with this run, as lines; none when all is right."""
    row, bad = play.row, []
    status, report, attempts, said = play.run(row.once if how == "once" else row.prepare)
    findings = report.get("findings") or [{}]
    first = findings[0]
    want = 0 if how == "once" else row.code
    if how == "once":
        expected = "test.unstable"
        if row.cause + ":" not in (first.get("message") or ""):
            bad.append(f"{first.get('message')!r} does not name {row.cause}")
    else:
        expected = row.cause
        letter = "".join({"transient": "T", "mirror": "M", "config": "C", "resource": "R", "permanent": "P", "security": "S"}[c]
                         for c in first.get("classes", []))
        if letter != row.classes:
            bad.append(f"classes {letter}, not {row.classes}")
        url = "/example.test/alpha/@v/v1.0.0."
        message = (first.get("message") or "") + "\n" + (first.get("excerpt") or "")
        for word in row.says:
            if word == "GET-URL":
                word = url
            if word not in message:
                bad.append(f"the finding does not say {word!r}")
        for word in row.advice:
            if word not in (first.get("advice") or ""):
                bad.append(f"the advice does not say {word!r}: {first.get('advice')}")
    got = first.get("cause") if findings else None
    if got != expected:
        bad.append(f"cause {got}, not {expected}")
    if status != want:
        bad.append(f"exit status {status}, not {want}")
    tries = 2 if how == "once" or row.retried else 1
    if attempts != tries:
        bad.append(f"{attempts} attempts, not {tries}")
    return bad + ["--", *said.splitlines()[:24], "-- message: " + str(first.get("message"))] if bad else []


def minor(go):
    text = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False, env=dict(os.environ, GOTOOLCHAIN="local", GOFLAGS="")).stdout
    m = re.match(r"go1\.(\d+)", text)
    return int(m[1]) if m else 0


def play_one(row, go, how, ca):
    if row.namespace and not os.environ.get("TOCSIN_ROWS_INSIDE"):
        env = dict(os.environ, TOCSIN_ROWS_INSIDE="1")
        out = subprocess.run([*UNSHARE, sys.executable, os.path.abspath(__file__), row.name, go, how], env=env, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, check=False, timeout=150)
        try:
            return json.loads(out.stdout)
        except ValueError:
            return ["inside the namespace: " + out.stdout + out.stderr]
    play = Play(go, row, ca)
    try:
        return judge(play, how)
    except Exception as e:  # a test that broke is a test that failed
        return [repr(e)]
    finally:
        play.close()


def find_unshare():
    for argv in (["unshare", "-rmn"], ["unshare", "-mn"], ["sudo", "-n", "-E", "unshare", "-mn"]):
        if shutil.which(argv[0]) and subprocess.run([*argv, "mount", "--bind", NO_CA, NO_CA], capture_output=True, check=False).returncode == 0:
            return argv
    return None


UNSHARE = None


def inside():
    begin_namespace()
    name, go, how = sys.argv[1:4]
    row = next(r for r in ROWS if r.name == name)
    print(json.dumps(play_one(row, go, how, Authority(os.path.join(TMP, "ca")))))
    shutil.rmtree(TMP, ignore_errors=True)


def main():
    global UNSHARE
    with open(NO_CA, "w", encoding="ascii") as f:
        f.write("no certificate\n")
    name_rows()
    proxy_rows()
    git_rows()
    if os.environ.get("TOCSIN_ROWS_INSIDE"):
        inside()
        return
    UNSHARE = find_unshare()
    words = sys.argv[1:]
    gos = [(g, minor(g)) for g in goes()]
    ca = Authority(os.path.join(TMP, "ca"))
    jobs = []
    with concurrent.futures.ThreadPoolExecutor(max_workers=6) as pool:
        for i, row in enumerate(ROWS):
            if words and not any(w in row.name for w in words):
                continue
            fit = [(g, n) for g, n in gos if row.since <= n < row.before]
            if row.needs == "cgo":
                fit = [(g, n) for g, n in fit if b"ld-linux" in open(g, "rb").read(65536)]
            if not FULL and fit:
                fit = [fit[i % len(fit)]]
            if not fit:
                skip(row.name, "no go command here that says this")
            if row.slow and not FULL:
                skip(row.name, "takes 10 s and more: TOCSIN_TEST_FULL=1")
                continue
            if row.namespace and not UNSHARE:
                skip(row.name, "unshare may not make a network of its own here")
                continue
            for go, n in fit:
                twice = row.once and (FULL or i % 3 == 0)
                for how in ("for good", "once") if twice else ("for good",):
                    jobs.append((f"go 1.{n}: {row.name}, {how}", pool.submit(play_one, row, go, how, ca)))
        for name, job in jobs:
            bad = job.result()
            check(not bad, name, "\n".join(bad))
    shutil.rmtree(TMP, ignore_errors=True)
    done()


if __name__ == "__main__":
    main()
