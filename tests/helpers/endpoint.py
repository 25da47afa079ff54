#!/usr/bin/env python3
"""An endpoint that behaves as badly as the world does: HTTP, HTTPS and SMTP on loopback, with a CA of its own.

    with Endpoint() as e:
        e.https + "/robot/send?access_token=x"   # answers as DingTalk does when all is well; see PROVIDERS
        e.https + "/do/WORD/robot/send?…"        # behaves as WORD says; see BEHAVIOURS
        e.https + "/do/A,B,C/…"                  # A to the first request of this path, B to the second, then C for ever
        e.requests                               # what came, in order: Seen
        e.smtp, e.smtps, …                       # see Smtp for what recipients make it do

By itself (endpoint.py [DIR]) it prints its addresses as one line of JSON and serves until its standard input ends.
GET /_seen answers with what came as JSON, GET /_seen/WORD only those whose path has WORD in it.
"""
import base64
import email.utils
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

BODY_KEPT = 1 << 20
BIG = 10 << 20

# ---- what each channel says when all is well: (status, content type, body) by the beginning of the path ----

JSON = "application/json"
PROVIDERS = [
    ("/robot/send", "dingtalk", 200, JSON, '{"errcode":0,"errmsg":"ok"}'),
    ("/cgi-bin/webhook/send", "wecom", 200, JSON, '{"errcode":0,"errmsg":"ok"}'),
    ("/open-apis/bot/v2/hook/", "feishu", 200, JSON, '{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}'),
    ("/services/", "slack", 200, "text/html", "ok"),
    ("/workflows/", "teams", 202, JSON, ""),
    ("/powerautomate/", "teams", 202, JSON, ""),
    ("/api/webhooks/", "discord", 200, JSON, '{"id":"1","type":0,"content":"x"}'),
    ("/bot", "telegram", 200, JSON, '{"ok":true,"result":{"message_id":1}}'),
    ("/v2/enqueue", "pagerduty", 202, JSON, '{"status":"success","message":"Event processed","dedup_key":"k"}'),
    ("/v2/alerts/requests/", "opsgenie", 200, JSON, '{"data":{"success":true,"action":"Create","isSuccess":true,"status":"Created alert"},"took":0.1,"requestId":"43a29c5c"}'),
    ("/v2/alerts", "opsgenie", 202, JSON, '{"result":"Request will be processed","took":0.1,"requestId":"43a29c5c"}'),
    ("/api/v2/alerts", "alertmanager", 200, JSON, ""),
    ("/v1/logs", "otlp", 200, JSON, '{"partialSuccess":{}}'),
    ("/ntfy/", "ntfy", 200, JSON, '{"id":"x","time":1,"event":"message","topic":"t"}'),
    ("/cloudevents", "cloudevents", 204, None, ""),
]
OK = ("", "webhook", 200, JSON, '{"ok":true}')


def provider(path):
    return next((row for row in PROVIDERS if path.startswith(row[0])), OK)


class Seen:
    """One request, or one mail (method MAIL)."""

    def __init__(self, listener, method, path):
        self.listener, self.method, self.path = listener, method, path
        self.headers, self.body, self.did = [], b"", ""
        self.at, self.whole, self.on_connection, self.connection = time.time(), False, 0, 0
        self.sender, self.recipients, self.user, self.tls = None, [], None, False

    def header(self, name):
        return next((v for k, v in self.headers if k.lower() == name.lower()), None)

    def json(self):
        return {k: (v.decode("utf-8", "replace") if isinstance(v, bytes) else v) for k, v in vars(self).items()}


# ---- behaviours: f(conversation, argument) answers, or breaks; WORD or WORD:ARGUMENT in a path ----

def http_date(seconds):
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


def plain_ok(c, _):
    _, _, status, kind, body = provider(c.rest)
    c.answer(status, body, kind)


def hang(c, _):
    c.endpoint.stop.wait(120)
    raise Broken


def slow(c, arg):
    """Right, but only after so many seconds."""
    c.endpoint.stop.wait(float(arg or 1))
    plain_ok(c, None)


def drip(c, _):
    c.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 600\r\n\r\n")
    for byte in b'{"errcode":0,"errmsg":"ok"}'.ljust(600):
        if c.endpoint.stop.wait(1):
            break
        c.send(bytes([byte]))


def drip_head(c, _):
    for byte in b"HTTP/1.1 200 OK\r\nX-Long: ".ljust(600, b"x"):
        if c.endpoint.stop.wait(1):
            break
        c.send(bytes([byte]))


def reset(c, _):
    c.reset()


def cut(c, _):
    """The answer ends in its middle."""
    c.send(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 200\r\n\r\n{"errcode":0')
    raise Broken


def big(c, arg):
    """10 MB; a status as argument."""
    c.send(f"HTTP/1.1 {arg or 200} X\r\nContent-Type: text/html\r\nContent-Length: {BIG}\r\n\r\n".encode())
    for _ in range(BIG // 65536):
        c.send(b"x" * 65536)


def big_head(c, _):
    c.send(b"HTTP/1.1 200 OK\r\n")
    for n in range(3000):
        c.send(f"X-Filler-{n}: {'x' * 80}\r\n".encode())
    c.send(b"Content-Length: 0\r\n\r\n")


def redirect(c, arg):
    c.answer(int(arg or 302), "", None, [("Location", c.endpoint.other + "/followed" + c.rest)])


LIMIT_BODIES = {
    "dingtalk": (200, '{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}'),
    "wecom": (200, '{"errcode":45009,"errmsg":"api freq out of limit"}'),
    "feishu": (200, '{"code":11232,"msg":"frequency limited","data":{}}'),
    "telegram": (429, '{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 5","parameters":{"retry_after":5}}'),
    "discord": (429, '{"message":"You are being rate limited.","retry_after":1.5,"global":false}'),
    "ntfy": (429, '{"code":42901,"http":429,"error":"limit reached: too many requests"}'),
}


def limited(c, arg):
    """429 without Retry-After (in the provider's own form where it has one), or with: seconds, date, absurd…"""
    values = {"seconds": "7", "date": http_date(30), "past": http_date(-3600), "absurd": "99999999999", "negative": "-5", "words": "soon"}
    if not arg:
        status, body = LIMIT_BODIES.get(provider(c.rest)[1], (429, "rate_limited"))
        return c.answer(status, body, JSON)
    return c.answer(429, "rate_limited", "text/plain", [("Retry-After", values.get(arg, arg))])


def status(c, arg):
    """STATUS or STATUS:BODY (percent-encoded)."""
    number, _, body = arg.partition(":")
    c.answer(int(number), urllib.parse.unquote(body), JSON)


def errcode(c, arg):
    """HTTP 200 that is a refusal: CODE or CODE:MESSAGE, in the field of this provider."""
    code, _, text = arg.partition(":")
    text = urllib.parse.unquote(text) or "refused"
    field, words = ("code", "msg") if provider(c.rest)[1] == "feishu" else ("errcode", "errmsg")
    c.answer(200, json.dumps({field: int(code), words: text}), JSON)


def rate(c, arg):
    """N:SECONDS — more than N requests of this path in so many seconds are refused as the provider does."""
    most, _, seconds = arg.partition(":")
    with c.endpoint.lock:
        times = c.endpoint.rates.setdefault(c.path, [])
        now = time.monotonic()
        times[:] = [t for t in times if now - t < float(seconds or 60)] + [now]
        over = len(times) > int(most or 20)
    (limited if over else plain_ok)(c, "")


def asked(c, arg):
    """A+B+C: what Opsgenie answers when it is asked what became of a request, which it takes."""
    if "/requests/" not in c.rest:
        return plain_ok(c, None)
    words = urllib.parse.unquote(arg).split("+")
    word = words[min(c.endpoint.counts[c.path] - 1, len(words) - 1)]
    name, _, rest = word.partition(":")
    return status(c, word) if name.isdigit() else BEHAVIOURS[name](c, rest)


BEHAVIOURS = {
    "ok": plain_ok,
    "hang": hang,                  # reads the request, says nothing
    "hang-head": hang,             # reads the head, not the body
    "slow": slow,
    "drip": drip,                  # a byte of the body a second
    "drip-head": drip_head,
    "reset": reset,                # after the whole request was read
    "reset-head": reset,           # after the head, before the body was read
    "close": lambda c, _: c.end(),      # closes in good order, no answer
    "close-after": lambda c, _: (plain_ok(c, None), c.end()),  # answers, says keep-alive, and closes
    "cut": cut,
    "big": big,
    "big-head": big_head,
    "html": lambda c, _: c.answer(200, "<!DOCTYPE html><html><body>Welcome to the captive portal</body></html>", "text/html"),
    "empty": lambda c, _: c.answer(200, "", None),
    "errcode": errcode,
    "badjson": lambda c, _: c.answer(200, '{"errcode":0,"errmsg":', JSON),
    "wrongjson": lambda c, _: c.answer(200, '[{"errcode":"zero"}]', JSON),
    "nothttp": lambda c, _: (c.send(b"220 mail.example ESMTP\r\n"), c.end()),
    "redirect": redirect,
    "limit": limited,
    "status": status,
    "rate": rate,
    "asked": asked,
}
BEFORE_BODY = {"hang-head", "reset-head"}


class Broken(Exception):
    """This connection is over."""


class Conversation:
    """One HTTP/1.1 connection."""

    def __init__(self, endpoint, listener, sock, number):
        self.endpoint, self.listener, self.sock, self.number = endpoint, listener, sock, number
        self.file = sock.makefile("rb", 65536)
        self.path = self.rest = ""
        self.seen = None

    def send(self, data):
        self.sock.sendall(data)

    def answer(self, code, body, kind, headers=()):
        body = body.encode()
        head = f"HTTP/1.1 {code} {'OK' if code < 300 else 'No'}\r\n"
        for name, value in ([("Content-Type", kind)] if kind else []) + list(headers):
            head += f"{name}: {value}\r\n"
        if code != 204:
            head += f"Content-Length: {len(body)}\r\n"
        self.send(head.encode() + b"\r\n" + body)

    def reset(self):
        raw = self.sock
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        if isinstance(raw, ssl.SSLSocket):
            raw = socket.socket(fileno=raw.detach())
        self.file.close()
        raw.close()
        raise Broken

    def end(self):
        raise Broken

    def behaviour(self):
        """(function, argument, word) for this request, by its path and how often it came."""
        if not self.path.startswith("/do/"):
            self.rest = self.path
            return plain_ok, "", "ok"
        script, _, rest = self.path[4:].partition("/")
        self.rest = "/" + rest
        words = script.partition("~")[0].split(",")  # what is behind a ~ only makes it another path
        with self.endpoint.lock:
            count = self.endpoint.counts.get(self.path, 0)
            self.endpoint.counts[self.path] = count + 1
        word = words[min(count, len(words) - 1)]
        name, _, arg = word.partition(":")
        if name.isdigit():
            name, arg = "status", word
        return BEHAVIOURS[name], arg, word

    def head(self):
        if self.file.peek(1)[:1] == b"\x16":  # TLS, to a port that has none
            raise Broken
        line = self.file.readline(65536)
        if not line:
            return False
        method, self.path, _ = line.decode("latin-1").split(" ", 2)
        self.seen = Seen(self.listener, method, self.path)
        self.seen.connection = self.number
        while True:
            line = self.file.readline(65536)
            if line in (b"\r\n", b"\n", b""):
                return True
            name, _, value = line.decode("utf-8", "replace").partition(":")
            self.seen.headers.append((name, value.strip()))

    def body(self):
        if (self.seen.header("Transfer-Encoding") or "").lower() == "chunked":
            return self.chunks()
        left, kept = int(self.seen.header("Content-Length") or 0), bytearray()
        while left:
            piece = self.file.read(min(left, 65536))
            if not piece:
                return bytes(kept), False
            kept += piece[:max(0, BODY_KEPT - len(kept))]
            left -= len(piece)
        return bytes(kept), True

    def chunks(self):
        kept = b""
        while True:
            size = int(self.file.readline(100).split(b";")[0] or b"0", 16)
            kept += self.file.read(size)
            self.file.readline(10)
            if not size:
                return kept[:BODY_KEPT], True

    def control(self):
        """Questions of a test; they are not recorded."""
        word = urllib.parse.unquote(self.path[len("/_seen"):].lstrip("/"))
        with self.endpoint.lock:
            rows = [s.json() for s in self.endpoint.requests if word in s.path]
        self.answer(200, json.dumps(rows), JSON)

    def tunnel(self):
        """As a proxy: chat.example is our own HTTPS; nothing else is to be had. The listener proxy_auth wants user and pass@word."""
        self.endpoint.keep(self.seen)
        if self.listener == "proxy_auth" and self.seen.header("Proxy-Authorization") != "Basic " + base64.b64encode(b"user:pass@word").decode():
            self.answer(407, "who are you?", "text/plain", [("Proxy-Authenticate", 'Basic realm="endpoint"'), ("Connection", "close")])
            raise Broken
        if not self.path.startswith("chat.example:"):
            self.answer(403, "not from here", "text/plain")
            raise Broken
        self.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        inside = socket.create_connection(("127.0.0.1", int(self.endpoint.https.rsplit(":", 1)[1])))
        back = threading.Thread(target=self.pour, args=(inside.recv, self.sock), daemon=True)
        back.start()
        self.pour(self.file.read1, inside)
        back.join(5)
        inside.close()
        raise Broken

    @staticmethod
    def pour(read, to):
        try:
            for piece in iter(lambda: read(65536), b""):
                to.sendall(piece)
            to.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def one(self, count):
        if not self.head():
            return False
        if self.path.startswith("/_seen"):
            self.control()
            return True
        if self.seen.method == "CONNECT":
            self.tunnel()
        act, arg, word = self.behaviour()
        self.seen.did, self.seen.on_connection = word, count
        self.seen.tls = isinstance(self.sock, ssl.SSLSocket)
        name = word.partition(":")[0]
        if name not in BEFORE_BODY:
            self.seen.body, self.seen.whole = self.body()
        self.endpoint.keep(self.seen)
        act(self, arg)
        return (self.seen.header("Connection") or "").lower() != "close"

    def serve(self):
        count = 0
        while self.one(count):
            count += 1


class Smtp:
    """One mail connection. A recipient's name says what happens: rcpt550@… is refused with 550, data451@… gets 451 after the
    text, from553@… (as the sender) 553; hang@… no reply after the text, gone@… a closed connection there. Who logs in as
    'bad' gets 535, as 'busy' 454. Kinds: plain, starttls, tls, bare (no STARTTLS, and no listing of AUTH), shut (greets with 554)."""

    def __init__(self, endpoint, kind, sock, number):
        self.endpoint, self.kind, self.sock, self.number = endpoint, kind, sock, number
        self.file = sock.makefile("rb")
        self.tls, self.user, self.mail = kind == "tls", None, None

    def say(self, *lines):
        code, words = lines[0].split(" ", 1)
        words = [words] + list(lines[1:])
        self.sock.sendall("".join(f"{code}{'-' if i + 1 < len(words) else ' '}{w}\r\n" for i, w in enumerate(words)).encode())

    def line(self):
        text = self.file.readline(65536)
        if not text:
            raise Broken
        return text.decode("utf-8", "replace").rstrip("\r\n")

    def starttls(self):
        self.say("220 go ahead")
        self.sock = self.endpoint.context("good").wrap_socket(self.sock, server_side=True)
        self.file = self.sock.makefile("rb")
        self.tls = True

    def auth(self, words):
        if words[0].upper() == "PLAIN":
            if len(words) < 2:
                self.sock.sendall(b"334 \r\n")
                words.append(self.line())
            _, user, password = base64.b64decode(words[1]).decode().split("\0")
        else:
            self.sock.sendall(b"334 VXNlcm5hbWU6\r\n")
            user = base64.b64decode(self.line()).decode()
            self.sock.sendall(b"334 UGFzc3dvcmQ6\r\n")
            password = base64.b64decode(self.line()).decode()
        if user == "bad":
            return self.say("535 5.7.8 authentication failed")
        if user == "busy":
            return self.say("454 4.7.0 temporary authentication failure")
        self.user = (user, password)
        return self.say("235 2.7.0 welcome")

    def text(self):
        lines = []
        while True:
            got = self.file.readline(1 << 20)
            if not got:
                raise Broken
            if got == b".\r\n":
                return b"".join(lines)
            lines.append(got[1:] if got.startswith(b".") else got)

    @staticmethod
    def scripted(address, prefix):
        name = address.split("@")[0]
        return name[len(prefix):] if name.startswith(prefix) and name[len(prefix):].isdigit() else None

    def data(self):
        self.say("354 go ahead")
        mail = self.mail
        mail.body, mail.whole = self.text(), True
        self.endpoint.keep(mail)
        self.mail = None
        for to in mail.recipients:
            if to.startswith("hang@"):
                self.endpoint.stop.wait(120)
            if to.startswith(("hang@", "gone@")):
                raise Broken
            code = self.scripted(to, "data")
            if code:
                return self.say(f"{code} {code[0]}.0.0 as the recipient wishes")
        return self.say("250 2.0.0 queued as 4711")

    def hello(self):
        lines = ["250 endpoint.test", "8BITMIME"]
        if self.kind == "starttls" and not self.tls:
            lines.append("STARTTLS")
        elif self.kind != "bare":
            lines.append("AUTH PLAIN LOGIN")
        self.say(*lines)

    def envelope(self, command, words):
        address = words[words.index("<") + 1:words.index(">")]
        if command == "MAIL":
            self.mail = Seen(self.kind, "MAIL", address)
            self.mail.sender, self.mail.user, self.mail.tls, self.mail.connection = address, self.user, self.tls, self.number
        code = self.scripted(address, "from" if command == "MAIL" else "rcpt")
        if code:
            return self.say(f"{code} {code[0]}.1.1 as the address wishes")
        if command == "RCPT":
            self.mail.recipients.append(address)
        return self.say("250 2.1.0 fine")

    def one(self):
        command, _, words = self.line().partition(" ")
        command = command.upper()
        if command in ("EHLO", "HELO"):
            self.hello()
        elif command == "STARTTLS":
            self.starttls()
        elif command == "AUTH":
            self.auth(words.split())
        elif command in ("MAIL", "RCPT"):
            self.envelope(command, words)
        elif command == "DATA":
            self.data()
        elif command == "QUIT":
            self.say("221 bye")
            return False
        else:
            self.say("250 fine" if command in ("RSET", "NOOP") else "502 what?")
        return True

    def serve(self):
        if self.kind == "shut":
            return self.say("554 5.7.1 not from there")
        self.say("220 endpoint.test ESMTP")
        while self.one():
            pass
        return None


class Endpoint:
    """All listeners. Addresses: http, proxy_auth, https, other, expired, selfsigned, wronghost, notyet, ipv6, full, closed, smtp,
    smtp_starttls, smtp_bare, smtp_shut, smtps; ca is the file of the certificate to trust."""

    def __init__(self, folder=None):
        self.own = folder is None
        self.dir = folder or tempfile.mkdtemp(prefix="tocsin-endpoint-")
        self.lock, self.stop = threading.Lock(), threading.Event()
        self.requests, self.counts, self.rates, self.sockets, self.contexts = [], {}, {}, [], {}
        self.connections = 0
        self.ca = os.path.join(self.dir, "ca.crt")
        try:
            self.make_certificates()
            self.listen()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.stop.set()
        for s in self.sockets:
            s.close()
        if self.own:
            shutil.rmtree(self.dir, ignore_errors=True)

    # ---- certificates ----

    def openssl(self, *args):
        subprocess.run(["openssl", *args], check=True, cwd=self.dir, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def make_certificates(self):
        new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        names = "subjectAltName=DNS:localhost,DNS:chat.example,IP:127.0.0.1,IP:::1"
        with open(os.path.join(self.dir, "ca.cnf"), "w", encoding="ascii") as f:
            f.write("[ca]\ndefault_ca=d\n[d]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n"
                    "policy=p\nunique_subject=no\ncopy_extensions=copy\n[p]\ncommonName=supplied\n")
        open(os.path.join(self.dir, "index"), "w", encoding="ascii").close()
        with open(os.path.join(self.dir, "serial"), "w", encoding="ascii") as f:
            f.write("1000\n")
        self.openssl(*new, "-x509", "-days", "2", "-subj", "/CN=endpoint test CA", "-keyout", "ca.key", "-out", "ca.crt")
        self.openssl(*new, "-x509", "-days", "2", "-subj", "/CN=localhost", "-addext", names, "-keyout", "selfsigned.key", "-out", "selfsigned.crt")
        day = 86400
        for name, san, begin, end in (("good", names, -day, 2 * day), ("expired", names, -3 * day, -day), ("notyet", names, day, 3 * day),
                                      ("wronghost", "subjectAltName=DNS:somewhere.else.example", -day, 2 * day)):
            stamps = [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + d)) for d in (begin, end)]
            self.openssl(*new, "-subj", "/CN=localhost", "-addext", san, "-keyout", f"{name}.key", "-out", f"{name}.csr")
            self.openssl("ca", "-batch", "-config", "ca.cnf", "-cert", "ca.crt", "-keyfile", "ca.key", "-in", f"{name}.csr",
                         "-startdate", stamps[0], "-enddate", stamps[1], "-notext", "-out", f"{name}.crt")

    def context(self, name):
        if name not in self.contexts:
            c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            c.load_cert_chain(os.path.join(self.dir, name + ".crt"), os.path.join(self.dir, name + ".key"))
            self.contexts[name] = c
        return self.contexts[name]

    # ---- listeners ----

    def listen(self):
        def url(scheme, port, host="127.0.0.1"):
            return f"{scheme}://{host}:{port}"

        self.http = url("http", self.listener("http"))
        self.proxy_auth = url("http", self.listener("proxy_auth"))
        self.https = url("https", self.listener("https", cert="good"))
        self.other = url("https", self.listener("other", cert="good"))
        for name in ("expired", "selfsigned", "wronghost", "notyet"):
            setattr(self, name, url("https", self.listener(name, cert=name)))
        self.ipv6 = url("https", self.listener("ipv6", cert="good", family=socket.AF_INET6, host="::1"), "[::1]")
        self.smtp = url("smtp", self.listener("plain", talk=Smtp))
        self.smtp_starttls = url("smtp", self.listener("starttls", talk=Smtp))
        self.smtp_bare = url("smtp", self.listener("bare", talk=Smtp))
        self.smtp_shut = url("smtp", self.listener("shut", talk=Smtp))
        self.smtps = url("smtps", self.listener("tls", talk=Smtp, cert="good"))
        self.full = url("https", self.full_listener())
        closed = socket.create_server(("127.0.0.1", 0))
        self.closed = url("https", closed.getsockname()[1])
        closed.close()

    def listener(self, name, talk=Conversation, cert=None, family=socket.AF_INET, host="127.0.0.1"):
        s = socket.socket(family)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((host, 0))
        s.listen(256)
        self.sockets.append(s)
        context = self.context(cert) if cert else None
        threading.Thread(target=self.accept, args=(s, name, talk, context), daemon=True).start()
        return s.getsockname()[1]

    def full_listener(self):
        """Nobody accepts there, and the queue is full: a connection is never answered."""
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        s.listen(0)
        self.sockets.append(s)
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(s.getsockname())
            self.sockets.append(filler)
        return s.getsockname()[1]

    def accept(self, s, name, talk, context):
        while not self.stop.is_set():
            try:
                sock, _ = s.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                number = self.connections
            threading.Thread(target=self.serve, args=(sock, name, talk, context, number), daemon=True).start()

    def serve(self, sock, name, talk, context, number):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context:
                sock = context.wrap_socket(sock, server_side=True)
            talk(self, name, sock, number).serve()
        except (OSError, Broken, ValueError):
            pass
        finally:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()

    # ---- what came ----

    def keep(self, seen):
        with self.lock:
            self.requests.append(seen)

    def clear(self):
        with self.lock:
            self.requests.clear()
            self.counts.clear()
            self.rates.clear()

    def wait_for(self, n, seconds=10, word=""):
        """The first n requests whose path has word in it; as many as came when the time is over."""
        until = time.monotonic() + seconds
        while True:
            with self.lock:
                found = [s for s in self.requests if word in s.path]
            if len(found) >= n or time.monotonic() > until:
                return found
            time.sleep(0.01)

    def addresses(self):
        names = ("http", "proxy_auth", "https", "other", "expired", "selfsigned", "wronghost", "notyet", "ipv6", "full", "closed", "smtp",
                 "smtp_starttls", "smtp_bare", "smtp_shut", "smtps", "ca")
        return {n: getattr(self, n) for n in names}


def main():
    with Endpoint(sys.argv[1] if len(sys.argv) > 1 else None) as e:
        print(json.dumps(e.addresses()), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
