#!/usr/bin/env python3
"""A module proxy, a checksum database and a git server on loopback that fail in every way the world's do.

Modules, and where they are served:

    with GoProxy() as p:
        p.add("example.test/a", "v1.0.0", {"a.go": "package a\n"}, require=["example.test/b v1.2.0"])
        p.add_many(60)                    # example.test/m000 v1.0.0 …; returns ["path version", …]
        p.http, p.https, p.h2             # addresses; the last speaks HTTP/2 and nothing else
        p.listen("expired")               # one more address, https with something wrong; see LISTENERS
        p.env(go="/usr/local/go/bin/go")  # a whole environment for go: GOPROXY=p.http, caches of its own, no GOSUMDB
        p.module("example.test/a", "v1.0.0").h1 / .mod_h1 / .zip / .go_mod / .info
        p.write_project(dir, requires)    # a main module with go.mod, go.sum and a package that imports them
        p.write_tree(dir)                 # the same as files, for GOPROXY=file://dir
        p.log                             # what was asked, in order: Seen(method, path, status, fault, host, listener, headers, when)

Faults; the first that fits a path (a regular expression, searched) and is not used up plays:

    p.fault(r"/b/@v/.*\.zip$", 503, body="try later", headers={"Retry-After": "1"}, first=2)   # twice, then good
    p.fault("/@v/", "hang")               # words: see FAULTS; first=N: N times, after=N: not the first N times, having=BYTES of its body
    p.fault("/a/", "slow", delay=0.3)     # named latency, then the usual answer
    p.fault(r"\.zip$", "body", data=zip_traversal("example.test/a", "v1.0.0"))
    p.clear()

The checksum database, with a key of its own; honest, or lying in one way:

    db = SumDB("sum.test"); db.add_from(p); p.sumdbs["sum.test"] = db      # served below p.http + "/sumdb/sum.test/"
    env["GOSUMDB"] = db.key               # or db.key + " " + p.http + "/database/sum.test": asked directly
    db.lie = "record" | "signature" | "tile" | "missing-tile" | "other" | "forked" | "shrunk" ...          # see LIES
    db.get("/latest") -> (status, bytes); db.write(dir)                    # the tile set as files

Git over https, by the real `git http-backend`; any host name leads here when it is the proxy of http:

    with GitServer() as g:
        g.repo("alice/tool", {"v1.0.0": {"go.mod": "module example.test/tool\n", …}, "v1.1.0": {…}})
        g.vanity("example.test/tool", "alice/tool")   # https://example.test/tool?go-get=1 leads to the repository
        env.update(g.env())               # HTTPS_PROXY, SSL_CERT_FILE, GIT_SSL_CAINFO: any name resolves to this server
        g.fault("/info/refs", 401); g.fault("git-upload-pack", "truncate", first=1); g.log

By itself (goproxy.py [MODULES]) it serves MODULES modules, prints its addresses as one line of JSON, and ends with its standard input.
Only the standard library, `openssl` for certificates, and `git`.
"""
import base64
import collections
import glob
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import zipfile

LISTENERS = {
    "http": "plain HTTP/1.1",
    "https": "HTTP/1.1 over TLS, a certificate of the test CA for any name",
    "h2": "HTTP/2 over TLS",
    "self-signed": "a certificate that no CA signed",
    "expired": "a certificate of yesterday",
    "not-yet": "a certificate of tomorrow",
    "wrong-host": "a certificate for somewhere.else.example",
    "no-names": "a certificate with a common name only",
    "client-cert": "the server wants a certificate of the client",
    "old-tls": "TLS 1.0 only by its answer: an alert, protocol version not supported",
    "alert": "an alert, handshake failure, whatever the client says",
    "tls-hang": "accepts and never answers the TLS hello",
    "refused": "a closed port; open it with p.open(address)",
    "full": "a port whose queue is full: connecting hangs",
    "ssh": "speaks first, and no HTTP",
}
FAULTS = {
    "hang": "no answer, ever", "close": "the connection is closed without a byte (EOF)", "reset": "the connection is reset",
    "truncate": "half of the body, then the end", "reset-body": "half of the body, then a reset", "drip": "one byte each `delay` seconds",
    "stall": "half of the body, then silence", "html": "200 and a login page", "body": "200 and `data` (or what it returns)", "wrong-version": "an .info of another version",
    "garbage": "no HTTP at all", "redirect": "302 to `to`; without it to itself for ever", "slow": "`delay` seconds later, as usual",
    "big": "`size` bytes of zeros", "stream-error": "h2: RST_STREAM with `code`", "goaway": "h2: GOAWAY with `code`, and the end",
    "vanish": "h2: the connection is closed", "number": "an HTTP status",
}
LIES = {
    "record": "the text of /lookup has a hash that the tree does not know", "signature": "the tree is signed with another key",
    "unsigned": "the tree has no signature", "tile": "a tile holds other hashes", "missing-tile": "there are no tiles",
    "other": "/lookup answers for another module", "forked": "another history with the same key", "shrunk": "the first half of the history",
    "html": "a login page", "unknown": "404 for every module", "broken": "500 for everything",
}
CA_NAME = "tocsin module test CA"
DAY = 86400


# ---- hashes, zips ----

def sha256(data):
    return hashlib.sha256(data).digest()


def h1(names):
    """The h1: hash of {name: bytes}."""
    text = "".join(f"{sha256(names[n]).hex()}  {n}\n" for n in sorted(names, key=str.encode))
    return "h1:" + base64.b64encode(sha256(text.encode())).decode()


def escape(text):
    return re.sub(r"[A-Z]", lambda m: "!" + m.group().lower(), text)


def make_zip(names, compress=zipfile.ZIP_DEFLATED):
    """A zip of [(name, bytes)] in this order, or of {name: bytes}; the same bytes each time."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, data in names.items() if isinstance(names, dict) else names:
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = compress
            info.external_attr = 0o644 << 16
            z.writestr(info, data)
    return out.getvalue()


def _bad_zip(path, version, more):
    names = [(f"{path}@{version}/go.mod", f"module {path}\n".encode()), (f"{path}@{version}/x.go", b"package x\n")]
    return make_zip(names + more)


def zip_traversal(path, version, to="../../../../../../../../tmp/tocsin-escaped"):
    return _bad_zip(path, version, [(f"{path}@{version}/{to}", b"out\n")])


def zip_absolute(path, version, to="/tmp/tocsin-escaped"):
    return _bad_zip(path, version, [(to, b"out\n")])


def zip_case(path, version):
    return _bad_zip(path, version, [(f"{path}@{version}/X.GO", b"package x\n")])


def zip_stray(path, version):
    return _bad_zip(path, version, [("elsewhere@v1.0.0/x.go", b"package x\n")])


def zip_symlink(path, version):
    out = io.BytesIO(_bad_zip(path, version, []))
    with zipfile.ZipFile(out, "a") as z:
        info = zipfile.ZipInfo(f"{path}@{version}/link", (1980, 1, 1, 0, 0, 0))
        info.create_system, info.external_attr = 3, 0o120777 << 16
        z.writestr(info, "/etc/passwd")
    return out.getvalue()


def zip_bomb(path, version, mib=600, lying=False):
    """So many MiB of zeros in a small zip; lying: its directory says that they are 1,000 bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr(zipfile.ZipInfo(f"{path}@{version}/go.mod", (1980, 1, 1, 0, 0, 0)), f"module {path}\n")
        info = zipfile.ZipInfo(f"{path}@{version}/zeros", (1980, 1, 1, 0, 0, 0))
        info.compress_type = zipfile.ZIP_DEFLATED
        with z.open(info, "w", force_zip64=False) as f:
            block = bytes(1 << 20)
            for _ in range(mib):
                f.write(block)
    data = out.getvalue()
    return data.replace(struct.pack("<I", mib << 20), struct.pack("<I", 1000)) if lying else data


class Module:
    """One version: files are {name: text or bytes}; go.mod is made when there is none."""

    def __init__(self, path, version, files=None, require=(), go="1.19", stamp="2024-01-02T03:04:05Z", more=""):
        self.path, self.version, self.stamp = path, version, stamp
        files = {n: d.encode() if isinstance(d, str) else d for n, d in (files or {}).items()}
        if "go.mod" not in files:
            lines = [f"module {path}", "", f"go {go}"] + [f"\nrequire {r}" for r in require] + ([more] if more else [])
            files["go.mod"] = ("\n".join(lines) + "\n").encode()
        if not any(n.endswith(".go") for n in files):
            name = self.package = package_name(path)
            files[f"{name}.go"] = f"// Package {name} is a module of the tests.\npackage {name}\n\nconst V = \"{version}\"\n".encode()
        self.files = files
        self.go_mod = files["go.mod"]
        self.names = {f"{path}@{version}/{n}": d for n, d in files.items()}
        self.zip = make_zip(self.names)
        self.info = json.dumps({"Version": version, "Time": stamp}).encode()
        self.h1, self.mod_h1 = h1(self.names), h1({"go.mod": self.go_mod})

    def sum_lines(self):
        return f"{self.path} {self.version} {self.h1}\n{self.path} {self.version}/go.mod {self.mod_h1}\n"


def package_name(path):
    last = [p for p in path.split("/") if not re.fullmatch(r"v[0-9]+", p)][-1]
    return re.sub(r"[^a-z0-9]", "", last.split(".")[0].lower()) or "pkg"


def goes():
    """Every go command of this machine, once each: the one of PATH first."""
    found = {}
    for go in [shutil.which("go"), "/usr/local/go/bin/go", *sorted(glob.glob("/usr/lib/go-*/bin/go"))]:
        if go and os.access(go, os.X_OK):
            found.setdefault(os.path.realpath(go), go)
    return list(found.values())


def version_key(v):
    m = re.match(r"v(\d+)\.(\d+)\.(\d+)(-.*)?", v)
    return (int(m[1]), int(m[2]), int(m[3]), m[4] is None, m[4] or "") if m else (0, 0, 0, False, v)


# ---- certificates ----

class Authority:
    """A CA; contexts with its certificates for any name, and with bad ones."""

    def __init__(self, folder):
        self.dir, self.lock, self.contexts = folder, threading.Lock(), {}
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "ca.cnf"), "w", encoding="ascii") as f:
            f.write("[ca]\ndefault_ca=d\n[d]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n"
                    "policy=p\nunique_subject=no\ncopy_extensions=copy\n[p]\ncommonName=supplied\n")
        open(os.path.join(folder, "index"), "w", encoding="ascii").close()
        with open(os.path.join(folder, "serial"), "w", encoding="ascii") as f:
            f.write("1000\n")
        self.request("ca", CA_NAME, "-x509", "-days", "2", out="ca.crt")
        self.file = os.path.join(folder, "ca.crt")

    def openssl(self, *args):
        subprocess.run(["openssl", *args], check=True, cwd=self.dir, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def request(self, name, common, *more, out=None):
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=" + common, *more,
                     "-keyout", name + ".key", "-out", out or name + ".csr")

    def make(self, name, host, kind):
        host_is_ip = re.fullmatch(r"[0-9.]+", host)
        san = f"subjectAltName={'IP' if host_is_ip else 'DNS'}:{host}" + ("" if host_is_ip else ",IP:127.0.0.1")
        if kind == "wrong-host":
            san = "subjectAltName=DNS:somewhere.else.example"
        if kind == "self-signed":
            self.request(name, host, "-x509", "-days", "2", "-addext", san, out=name + ".crt")
            return
        begin, end = {"expired": (-3 * DAY, -DAY), "not-yet": (DAY, 3 * DAY)}.get(kind, (-DAY, 2 * DAY))
        stamps = [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + d)) for d in (begin, end)]
        self.request(name, host, *(() if kind == "no-names" else ("-addext", san)))
        self.openssl("ca", "-batch", "-config", "ca.cnf", "-cert", "ca.crt", "-keyfile", "ca.key", "-in", name + ".csr",
                     "-startdate", stamps[0], "-enddate", stamps[1], "-notext", "-out", name + ".crt")

    def context(self, host="127.0.0.1", kind="https"):
        like = kind if kind in ("expired", "not-yet", "wrong-host", "no-names", "self-signed") else "good"
        with self.lock:
            if (host, kind) not in self.contexts:
                name = f"{like}-{host}"
                if not os.path.exists(os.path.join(self.dir, name + ".crt")):
                    self.make(name, host, like)
                c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                c.load_cert_chain(os.path.join(self.dir, name + ".crt"), os.path.join(self.dir, name + ".key"))
                if kind == "h2":
                    c.set_alpn_protocols(["h2"])
                if kind == "client-cert":
                    c.verify_mode = ssl.CERT_REQUIRED
                    c.load_verify_locations(self.file)
                    c.maximum_version = ssl.TLSVersion.TLSv1_2  # the alert comes within the handshake
                self.contexts[host, kind] = c
            return self.contexts[host, kind]


# ---- the server: connections, faults, the log ----

Seen = collections.namedtuple("Seen", "method path status fault host listener headers when")
Request = collections.namedtuple("Request", "method path query host headers body listener")


class Reply:
    def __init__(self, status=200, body=b"", kind="text/plain; charset=UTF-8", headers=None):
        self.status, self.kind, self.headers = status, kind, headers or {}
        self.body = body.encode() if isinstance(body, str) else body


class Fault:
    def __init__(self, pattern, what, first, after, options):
        self.pattern, self.what, self.left, self.after, self.options = re.compile(pattern), what, first, after, options

    def take(self, path, body):
        if not self.pattern.search(path) or self.left == 0 or self.options.get("having", b"") not in body:
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.left is not None:
            self.left -= 1
        return True


class Gone(Exception):
    """This connection is done with."""


REASONS = {200: "OK", 204: "No Content", 302: "Found", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
           407: "Proxy Authentication Required", 408: "Request Timeout", 410: "Gone", 425: "Too Early", 429: "Too Many Requests",
           451: "Unavailable For Legal Reasons", 500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable",
           504: "Gateway Timeout", 520: "Web Server Returned an Unknown Error"}
LOGIN = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><form>Sign in to the network</form></body></html>\n"


class Server:
    """Listeners on 127.0.0.1, a thread for each connection. Subclasses give answer(request) -> Reply."""

    def __init__(self, authority=None):
        self.dir = tempfile.mkdtemp(prefix="goproxy-")
        self.ca = authority or Authority(os.path.join(self.dir, "ca"))
        self.lock, self.log, self.faults, self.sockets, self.addresses = threading.RLock(), [], [], {}, {}
        self.fillers, self.live, self.closing = [], set(), threading.Event()
        self.connect_kind = "https"  # what a CONNECT leads to
        self.http = self.listen("http")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __getattr__(self, name):  # https and h2 are opened when first asked for
        if name in ("https", "h2"):
            setattr(self, name, self.listen(name))
            return self.__dict__[name]
        raise AttributeError(name)

    def close(self):
        self.closing.set()
        with self.lock:
            for s in list(self.sockets.values()) + list(self.live) + self.fillers:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                s.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def listen(self, kind, host="127.0.0.1", port=0):
        """Opens one more address; kind is one of LISTENERS."""
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((host, port))
        address = f"{'http' if kind in ('http', 'refused', 'full', 'ssh') else 'https'}://{host}:{s.getsockname()[1]}"
        with self.lock:
            self.sockets[address], self.addresses[address] = s, kind
        if kind == "full":
            s.listen(0)
            for _ in range(3):
                c = socket.socket()
                c.setblocking(False)
                c.connect_ex(s.getsockname())
                self.fillers.append(c)
        elif kind != "refused":
            s.listen(128)
            threading.Thread(target=self.accept, args=(s, kind), daemon=True).start()
        return address

    def open(self, address, kind="http"):
        """A refused address answers from now on."""
        s = self.sockets[address]
        s.listen(128)
        threading.Thread(target=self.accept, args=(s, kind), daemon=True).start()

    def accept(self, s, kind):
        while not self.closing.is_set():
            try:
                conn, _ = s.accept()
            except OSError:
                return
            with self.lock:
                self.live.add(conn)
            threading.Thread(target=self.connection, args=(conn, kind), daemon=True).start()

    def connection(self, conn, kind):
        raw = conn
        try:
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            conn = self.begin(conn, kind)
            if kind == "h2":
                Http2(self, conn).serve()
            else:
                self.serve(conn, kind, "")
        except (Gone, OSError, ssl.SSLError, ValueError, IndexError, struct.error):
            pass
        finally:
            self.drop(raw)
            self.drop(conn)

    def drop(self, conn):
        with self.lock:
            self.live.discard(conn)
        try:
            conn.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        conn.close()

    def begin(self, conn, kind):
        if kind in ("http",):
            return conn
        if kind == "tls-hang":
            self.closing.wait()
            raise Gone
        if kind == "ssh":
            conn.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            self.closing.wait(0.2)
            raise Gone
        if kind in ("alert", "old-tls"):
            conn.recv(4096)
            conn.sendall(b"\x15\x03\x03\x00\x02\x02" + (b"\x46" if kind == "old-tls" else b"\x28"))
            self.note("TLS", "", kind, kind)
            conn.shutdown(socket.SHUT_WR)
            conn.recv(4096)
            raise Gone
        return self.tls(conn, "127.0.0.1", kind)

    def tls(self, conn, host, kind):
        context = self.ca.context(host, kind)
        if kind == "h2":
            with self.lock:
                self.live.discard(conn)
        tls = context.wrap_socket(conn, server_side=True)
        with self.lock:
            self.live.add(tls)
        return tls

    def note(self, method, path, status, kind, fault=None, host="", headers=None):
        with self.lock:
            self.log.append(Seen(method, path, status, fault, host, kind, headers or {}, time.monotonic()))

    # ---- faults ----

    def fault(self, pattern, what, first=None, after=0, **options):
        f = Fault(pattern, what, first, after, options)
        with self.lock:
            self.faults.append(f)
        return f

    def clear(self):
        with self.lock:
            self.faults, self.log = [], []

    def find_fault(self, path, body=b""):
        with self.lock:
            return next((f for f in self.faults if f.take(path, body)), None)

    def asked(self, pattern):
        with self.lock:
            return [s for s in self.log if re.search(pattern, s.path)]

    # ---- HTTP/1.1 ----

    def serve(self, conn, kind, host):
        stream = conn.makefile("rb")
        while not self.closing.is_set():
            head = self.read_head(stream)
            method, target, headers = head
            if not method:
                if kind == "http":  # a TLS hello, for one
                    conn.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                return
            if method == "CONNECT":
                name = target.rsplit(":", 1)[0]
                refusal = self.connect(name, kind)
                if refusal:
                    conn.sendall(refusal)
                    return
                conn.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                inner = self.tls(conn, name, self.connect_kind)
                try:
                    self.serve(inner, kind, name)
                finally:
                    self.drop(inner)
                return
            if target.startswith("http://"):
                u = urllib.parse.urlsplit(target)
                target, headers["host"] = (u.path or "/") + ("?" + u.query if u.query else ""), u.netloc
            path, _, query = target.partition("?")
            body = self.read_body(stream, headers, conn)
            self.play(conn, Request(method, path, query, host or headers.get("host", ""), headers, body, kind))
            if headers.get("connection", "").lower() == "close":
                return

    def connect(self, name, kind):
        """What a CONNECT to this name is refused with; None: it leads here."""
        f = self.find_fault("CONNECT " + name)
        self.note("CONNECT", name, f.what if f else 200, kind, f and f.what, name)
        if f and isinstance(f.what, int):
            return f"HTTP/1.1 {f.what} {REASONS.get(f.what, 'Error')}\r\nContent-Length: 0\r\n\r\n".encode()
        if f:
            raise Gone
        return None

    @staticmethod
    def read_head(stream):
        line = stream.readline(65536).decode("latin-1").split()
        if len(line) != 3 or not line[2].startswith("HTTP/"):
            return "", "", {}
        headers = {}
        while True:
            h = stream.readline(65536).decode("latin-1").strip()
            if not h:
                return line[0], line[1], headers
            name, _, value = h.partition(":")
            headers[name.strip().lower()] = value.strip()

    @staticmethod
    def read_body(stream, headers, conn):
        if headers.get("expect", "").lower() == "100-continue":
            conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = b""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            while True:
                n = int(stream.readline().split(b";")[0], 16)
                body += stream.read(n)
                stream.readline()
                if not n:
                    break
        elif headers.get("content-length"):
            body = stream.read(int(headers["content-length"]))
        return gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body

    def play(self, conn, req):
        f = self.find_fault(req.path + ("?" + req.query if req.query else ""), req.body)
        what = f.what if f else None
        if what in ("close", "reset", "hang", "garbage", "stream-error", "goaway", "vanish"):
            self.note(req.method, req.path, None, req.listener, what, req.host, req.headers)
            self.break_off(conn, what)
        if f and f.options.get("delay") and what not in ("drip",):
            self.closing.wait(f.options["delay"])
        reply = self.reply(req, f)
        self.note(req.method, req.path, reply.status, req.listener, what, req.host, req.headers)
        self.send(conn, reply, f)

    def break_off(self, conn, what):
        if what == "hang":
            self.closing.wait()
        elif what == "garbage":
            conn.sendall(b"This is not HTTP.\r\n\r\n")
        elif what == "reset":
            reset(conn)
        raise Gone

    def reply(self, req, f):
        """The reply of a fault that has one, else the usual."""
        what, o = (f.what, f.options) if f else (None, {})
        if isinstance(what, int):
            return Reply(what, o.get("body", REASONS.get(what, "error") + "\n"), o.get("type", "text/plain; charset=UTF-8"), o.get("headers"))
        if what == "html":
            return Reply(200, LOGIN, "text/html")
        if what == "body":
            data = o["data"]
            return Reply(200, data() if callable(data) else data, o.get("type", "application/octet-stream"))
        if what == "redirect":
            return Reply(302, b"", headers={"Location": o.get("to") or "http" + ("" if req.listener == "http" else "s") + "://" + req.host + req.path})
        if what == "wrong-version":
            return Reply(200, json.dumps({"Version": o.get("version", "v9.9.9"), "Time": "2024-01-02T03:04:05Z"}), "application/json")
        if what == "big":
            return Reply(200, bytes(1), "application/zip")
        return self.answer(req)

    def answer(self, req):
        return Reply(404, f"not found: {req.path}\n")

    def send(self, conn, reply, f):
        what, o = (f.what, f.options) if f else (None, {})
        size = o["size"] if what == "big" else len(reply.body)
        lines = [f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'Status')}", f"Content-Length: {size}", f"Content-Type: {reply.kind}"]
        lines += [f"{k}: {v}" for k, v in reply.headers.items()]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        if what in ("truncate", "reset-body", "stall"):
            conn.sendall(head + reply.body[:max(1, size // 2)])
            self.closing.wait(o.get("pause", 0.05) if what != "stall" else None)
            if what == "reset-body":
                reset(conn)
            raise Gone
        if what == "drip":
            conn.sendall(head)
            for i in range(size):
                conn.sendall(reply.body[i:i + 1])
                if self.closing.wait(o.get("delay", 0.05)):
                    raise Gone
            return
        if what == "big":
            conn.sendall(head)
            block = bytes(1 << 20)
            for at in range(0, size, len(block)):
                conn.sendall(block[:size - at])
            return
        conn.sendall(head + reply.body)


def reset(conn):
    sock = conn
    if isinstance(conn, ssl.SSLSocket):
        sock = socket.socket(fileno=conn.detach())
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


# ---- HTTP/2: just enough for a client that asks with GET (RFC 9113, RFC 7541) ----

HUFFMAN = {5: "012aceiost", 6: " %-./3456789=A_bdfghlmnpru", 7: ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz", 8: "&*,;XZ", 10: '!"()?',
           11: "'+|", 12: "#>", 13: "\0$@[]~", 14: "^}", 15: "<`{"}
STATIC = (":authority :method=GET :method=POST :path=/ :path=/index.html :scheme=http :scheme=https :status :status :status :status :status :status "
          ":status accept-charset accept-encoding=gzip,deflate accept-language accept-ranges accept access-control-allow-origin age allow authorization "
          "cache-control content-disposition content-encoding content-language content-length content-location content-range content-type cookie date etag "
          "expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified link location max-forwards "
          "proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie strict-transport-security transfer-encoding "
          "user-agent vary via www-authenticate").split()
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 6, 7, 9
CODES = {"PROTOCOL_ERROR": 1, "INTERNAL_ERROR": 2, "REFUSED_STREAM": 7, "CANCEL": 8, "ENHANCE_YOUR_CALM": 11}


def huffman_table():
    table, code, last = {}, 0, 5
    for bits, symbols in HUFFMAN.items():  # the code is canonical
        code <<= bits - last
        for s in symbols:
            table[bits, code] = s
            code += 1
        last = bits
    return table


class Hpack:
    TABLE = huffman_table()

    def __init__(self):
        self.dynamic, self.size, self.max = [], 0, 4096

    def decode(self, block):
        self.b, self.at, out = block, 0, []
        while self.at < len(self.b):
            first = self.b[self.at]
            if first & 0x80:
                out.append(self.entry(self.integer(7)))
            elif first & 0x40:
                pair = self.literal(6)
                self.dynamic.insert(0, pair)
                self.size += 32 + len(pair[0]) + len(pair[1])
                self.shrink()
                out.append(pair)
            elif first & 0x20:
                self.max = self.integer(5)
                self.shrink()
            else:
                out.append(self.literal(4))
        return out

    def shrink(self):
        while self.size > self.max and self.dynamic:
            name, value = self.dynamic.pop()
            self.size -= 32 + len(name) + len(value)

    def entry(self, i):
        if i > len(STATIC):
            return self.dynamic[i - len(STATIC) - 1]
        name, _, value = STATIC[i - 1].partition("=")
        return name, value

    def integer(self, bits):
        limit = (1 << bits) - 1
        n = self.b[self.at] & limit
        self.at += 1
        shift = 0
        while n >= limit:
            more = self.b[self.at]
            self.at += 1
            n += (more & 0x7f) << shift
            shift += 7
            if not more & 0x80:
                break
        return n

    def literal(self, bits):
        i = self.integer(bits)
        name = self.entry(i)[0] if i else self.string()
        return name, self.string()

    def string(self):
        packed = self.b[self.at] & 0x80
        n = self.integer(7)
        raw = self.b[self.at:self.at + n]
        self.at += n
        if not packed:
            return raw.decode("latin-1")
        text, code, bits = [], 0, 0
        for byte in raw:
            for k in range(7, -1, -1):
                code, bits = code << 1 | byte >> k & 1, bits + 1
                if (bits, code) in self.TABLE:
                    text.append(self.TABLE[bits, code])
                    code = bits = 0
        return "".join(text)


class Http2:
    def __init__(self, server, conn):
        self.server, self.conn, self.hpack = server, conn, Hpack()

    def frame(self, kind, flags, stream, payload=b""):
        self.conn.sendall(struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload)

    def serve(self):
        stream = self.conn.makefile("rb")
        if stream.read(24) != b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":
            return
        self.frame(SETTINGS, 0, 0)
        block = b""
        while not self.server.closing.is_set():
            head = stream.read(9)
            if len(head) < 9:
                return
            n, kind, flags, sid = int.from_bytes(head[:3], "big"), head[3], head[4], struct.unpack(">I", head[5:])[0]
            payload = stream.read(n)
            if kind == SETTINGS and not flags & 1:
                self.frame(SETTINGS, 1, 0)
            elif kind == PING and not flags & 1:
                self.frame(PING, 1, 0, payload)
            elif kind in (HEADERS, CONTINUATION):
                if kind == HEADERS and flags & 8:
                    payload = payload[1:len(payload) - payload[0]]
                if kind == HEADERS and flags & 0x20:
                    payload = payload[5:]
                block += payload
                if flags & 4:
                    self.request(sid, dict(self.hpack.decode(block)))
                    block = b""

    def request(self, sid, h):
        path, _, query = h.get(":path", "/").partition("?")
        req = Request(h.get(":method", "GET"), path, query, h.get(":authority", ""), h, b"", "h2")
        f = self.server.find_fault(path)
        what, o = (f.what, f.options) if f else (None, {})
        code = CODES.get(o.get("code", "INTERNAL_ERROR"), 2)
        if what in ("stream-error", "goaway", "vanish", "reset", "close", "hang"):
            self.server.note(req.method, path, None, "h2", what, req.host, h)
            if what == "stream-error":
                if o.get("body"):  # after the reply has begun
                    self.frame(HEADERS, 4, sid, b"\x88")
                self.frame(RST_STREAM, 0, sid, struct.pack(">I", code))
                return
            if what == "goaway":
                self.frame(GOAWAY, 0, 0, struct.pack(">II", sid, code))
            if what == "reset":
                reset(self.conn)
            if what == "hang":
                return
            raise Gone
        reply = self.server.reply(req, f)
        self.server.note(req.method, path, reply.status, "h2", what, req.host, h)
        fields = [("content-length", str(len(reply.body))), ("content-type", reply.kind)] + list(reply.headers.items())
        block = b"\x08\x03%d" % reply.status + b"".join(
            b"\x00" + bytes([len(k)]) + k.lower().encode() + bytes([len(v)]) + v.encode() for k, v in fields)
        self.frame(HEADERS, 4 | (not reply.body), sid, block)
        for at in range(0, len(reply.body), 16384):
            part = reply.body[at:at + 16384]
            self.frame(DATA, at + 16384 >= len(reply.body), sid, part)


# ---- the module proxy ----

class GoProxy(Server):
    def __init__(self, authority=None):
        self.modules, self.sumdbs, self.counter = {}, {}, 0
        super().__init__(authority)

    def add(self, path, version, files=None, **more):
        m = Module(path, version, files, **more)
        self.modules.setdefault(path, {})[version] = m
        return m

    def add_many(self, n, prefix="example.test/m", version="v1.0.0", size=0):
        """n modules that need nothing; size: bytes of one more file in each."""
        for i in range(n):
            path = f"{prefix}{i:03}"
            name = package_name(path)
            files = {f"{name}.go": f"package {name}\n\nconst V = {i}\n"}
            if size:
                files["data.txt"] = "".join(f"line {i} {k}\n" for k in range(size // 14))
            self.add(path, version, files)
        return [f"{prefix}{i:03} {version}" for i in range(n)]

    def module(self, path, version):
        return self.modules[path][version]

    def latest(self, path):
        versions = sorted(self.modules[path], key=version_key)
        return next((v for v in reversed(versions) if "-" not in v), versions[-1])

    def answer(self, req):
        path = urllib.parse.unquote(req.path)
        m = re.match(r"/(sumdb|database)/([^/]+)(/.*)$", path)
        if m:
            return self.answer_sumdb(m[1], m[2], m[3])
        m = re.match(r"/(.+)/@(latest|v/list|v/(.+)\.(info|mod|zip))$", path)
        if not m:
            return Reply(404, f"not found: {path}\n")
        name = re.sub(r"!([a-z])", lambda x: x.group(1).upper(), m[1])
        versions = self.modules.get(name)
        if versions is None:
            return Reply(404, f"not found: module {name}: no such module\n")
        if m[2] == "v/list":
            return Reply(200, "".join(v + "\n" for v in sorted(versions, key=version_key)))
        if m[2] == "latest":
            return Reply(200, versions[self.latest(name)].info, "application/json")
        version = re.sub(r"!([a-z])", lambda x: x.group(1).upper(), m[3])
        if version not in versions:
            return Reply(404, f"not found: {name}@{version}: invalid version: unknown revision {version}\n")
        mod = versions[version]
        return {"info": lambda: Reply(200, mod.info, "application/json"), "mod": lambda: Reply(200, mod.go_mod),
                "zip": lambda: Reply(200, mod.zip, "application/zip")}[m[4]]()

    def answer_sumdb(self, how, name, path):
        db = self.sumdbs.get(name)
        if not db:
            return Reply(404, "no such checksum database here\n")
        if path == "/supported":
            return Reply(200 if how == "sumdb" else 404, b"")
        status, body = db.get(path)
        return Reply(status, body, "text/html" if db.lie == "html" else "text/plain; charset=UTF-8")

    def write_tree(self, folder):
        """cache/download as GOPROXY=file:// takes it."""
        for path, versions in self.modules.items():
            base = os.path.join(folder, escape(path), "@v")
            os.makedirs(base, exist_ok=True)
            with open(os.path.join(base, "list"), "w", encoding="ascii") as f:
                f.write("".join(v + "\n" for v in sorted(versions, key=version_key)))
            for v, m in versions.items():
                for end, data in ((".info", m.info), (".mod", m.go_mod), (".zip", m.zip)):
                    with open(os.path.join(base, escape(v) + end), "wb") as f:
                        f.write(data)

    def closure(self, requires):
        """All versions that a build of these would look at."""
        todo, seen = list(requires), {}
        while todo:
            path, version = todo.pop().split()[:2]
            if (path, version) in seen or version not in self.modules.get(path, {}):
                continue
            m = seen[path, version] = self.module(path, version)
            todo += [" ".join(r.split()[-2:]) for r in re.findall(r"^require (\S+ \S+)", m.go_mod.decode(), re.M)]
        return list(seen.values())

    def write_project(self, folder, requires, sums=True, imports=True, path="example.test/main", go="1.19", more=""):
        """A main module that needs these ("path version"); sums: with their go.sum lines."""
        os.makedirs(folder, exist_ok=True)
        text = f"module {path}\n\ngo {go}\n" + (more and more + "\n") + "".join(f"\nrequire {r}" for r in requires) + "\n"
        with open(os.path.join(folder, "go.mod"), "w", encoding="utf-8") as f:
            f.write(text)
        if sums:
            with open(os.path.join(folder, "go.sum"), "w", encoding="utf-8") as f:
                f.write("".join(sorted(line + "\n" for m in self.closure(requires) for line in m.sum_lines().splitlines())))
        with open(os.path.join(folder, "main.go"), "w", encoding="utf-8") as f:
            f.write("package main\n\n" + "".join(f'import _ "{r.split()[0]}"\n' for r in requires if imports) + "\nfunc main() {}\n")

    def env(self, go=None, proxy=None, **more):
        """An environment for go that reaches nothing but this, with caches of its own."""
        with self.lock:
            self.counter += 1
            home = os.path.join(self.dir, f"home{self.counter}")
        os.makedirs(home)
        env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": home, "LANG": "C.UTF-8", "GOPROXY": proxy or self.http,
               "GOSUMDB": "off", "GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local", "GOENV": "off", "GOPATH": os.path.join(home, "go"),
               "GOMODCACHE": os.path.join(home, "mod"), "GOCACHE": os.environ.get("GOCACHE") or os.path.join(home, "cache"),
               "SSL_CERT_FILE": self.ca.file, "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1"}
        for key in ("TMPDIR", "XDG_STATE_HOME"):
            if os.environ.get(key):
                env[key] = os.environ[key]
        if go:
            env["PATH"] = os.path.dirname(go) + os.pathsep + env["PATH"]
        env.update({k: str(v) for k, v in more.items()})
        return env


# ---- the checksum database ----

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def _base():
    y = 4 * pow(5, P - 2, P) % P
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P)
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * ROOT % P
    x = P - x if x & 1 else x
    return (x, y, 1, x * y % P)


def _add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _multiply(n, p):
    q = (0, 1, 1, 0)
    while n:
        if n & 1:
            q = _add(q, p)
        p, n = _add(p, p), n >> 1
    return q


def _pack(p):
    z = pow(p[2], P - 2, P)
    x, y = p[0] * z % P, p[1] * z % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


class Ed25519:
    """Signs as RFC 8032 says; for tests only (it takes no care of time)."""

    def __init__(self, seed):
        h = hashlib.sha512(seed).digest()
        self.a = int.from_bytes(h[:32], "little") & (1 << 254) - 8 | 1 << 254
        self.prefix, self.public = h[32:], _pack(_multiply(self.a, _base()))

    def sign(self, data):
        r = int.from_bytes(hashlib.sha512(self.prefix + data).digest(), "little") % Q
        point = _pack(_multiply(r, _base()))
        k = int.from_bytes(hashlib.sha512(point + self.public + data).digest(), "little") % Q
        return point + ((r + k * self.a) % Q).to_bytes(32, "little")


class SumDB:
    """A go.sum database: records in order, a tree over them, tiles of height 8. The key follows from the name: always the same."""

    def __init__(self, name="sum.test", lie=None, seed=None):
        self.name, self.lie = name, lie
        self.signer = Ed25519(seed or sha256(name.encode()))
        self.stranger = Ed25519(sha256(b"another" + name.encode()))
        digest = sha256(name.encode() + b"\n\x01" + self.signer.public)
        self.hash = digest[:4]
        self.key = f"{name}+{digest[:4].hex()}+" + base64.b64encode(b"\x01" + self.signer.public).decode()
        self.records, self.ids, self.levels, self.asked = [], {}, [[]], []
        self.lock, self.signed = threading.RLock(), {}

    def add(self, path, version, zip_hash, mod_hash):
        with self.lock:
            text = f"{path} {version} {zip_hash}\n{path} {version}/go.mod {mod_hash}\n"
            self.ids[path, version] = len(self.records)
            self.records.append(text)
            node = sha256(b"\0" + text.encode())
            for level in range(64):  # complete subtrees only
                if level == len(self.levels):
                    self.levels.append([])
                row = self.levels[level]
                row.append(node)
                if len(row) & 1:
                    break
                node = sha256(b"\1" + row[-2] + row[-1])

    def add_from(self, proxy):
        for versions in proxy.modules.values():
            for m in versions.values():
                if (m.path, m.version) not in self.ids:
                    self.add(m.path, m.version, m.h1, m.mod_h1)
        return self

    def fill(self, n, prefix="filler.test/f"):
        """n records of no module, so that the tree has tiles of every kind."""
        for i in range(n):
            h = "h1:" + base64.b64encode(sha256(b"%d" % i)).decode()
            self.add(f"{prefix}{i}", "v1.0.0", h, h)
        return self

    @property
    def size(self):
        return len(self.records)

    def root(self, n=None):
        n = self.size if n is None else n
        if not n:
            return sha256(b"")
        node, at = None, n
        for level in range(64):  # from the right: peaks of the first n leaves
            if n >> level & 1:
                at -= 1 << level
                peak = self.levels[level][at >> level]
                node = sha256(b"\1" + peak + node) if node else peak
        return node

    def tree_text(self, n=None):
        n = self.size if n is None else n
        return f"go.sum database tree\n{n}\n{base64.b64encode(self.root(n)).decode()}\n"

    def tree(self, n=None):
        """The signed note of the tree of n records."""
        text = self.tree_text(n)
        key = (text, self.lie in ("signature", "unsigned") and self.lie)
        with self.lock:
            if key not in self.signed:
                signer = self.stranger if self.lie == "signature" else self.signer
                line = f"\u2014 {self.name} " + base64.b64encode(self.hash + signer.sign(text.encode())).decode() + "\n"
                self.signed[key] = (text + ("" if self.lie == "unsigned" else "\n" + line)).encode()
            return self.signed[key]

    def fork(self):
        """Another history with the same key: the first record is another one."""
        other = SumDB(self.name, seed=sha256(self.name.encode()))
        for i, text in enumerate(self.records):
            words = text.split()
            if i == 0:
                words[2] = words[5] = "h1:" + base64.b64encode(sha256(b"forked")).decode()
            other.add(words[0], words[1], words[2], words[5])
        return other

    def shown_size(self):
        return max(1, self.size // 2) if self.lie == "shrunk" else self.size

    def lookup(self, path, version):
        i = self.ids.get((path, version))
        if i is None or self.lie == "unknown" or i >= self.shown_size():
            return 404, f"not found: {path}@{version}: unknown revision {version}\n".encode()
        text = self.records[i]
        if self.lie == "record":
            text = re.sub(r"h1:.", lambda m: "h1:" + ("B" if m.group()[3] == "A" else "A"), text, count=1)
        if self.lie == "other":
            i = (i + 1) % self.size
            text = self.records[i]
        return 200, f"{i}\n{text}\n".encode() + self.tree(self.shown_size())

    def tile(self, level, index, width):
        row = self.levels[level * 8] if level * 8 < len(self.levels) else []
        part = row[index * 256:index * 256 + width]
        if len(part) < width or self.lie == "missing-tile":
            return 404, b"no such tile\n"
        if self.lie == "tile":
            part = [bytes(32)] + part[1:] if index or level or width < 2 else [part[0], *[sha256(h) for h in part[1:]]]
        return 200, b"".join(part)

    def data_tile(self, index, width):
        part = self.records[index * 256:index * 256 + width]
        return (200, "\n".join(part).encode()) if len(part) == width else (404, b"no such tile\n")

    def get(self, path):
        """What the database answers: (status, bytes)."""
        path = urllib.parse.unquote(path)
        with self.lock:
            self.asked.append(path)
            if self.lie == "broken":
                return 500, b"internal error\n"
            if self.lie == "html":
                return 200, LOGIN.encode()
            if self.lie == "forked":
                other = self.fork()
                other.asked = self.asked
                return other.get(path)
            if path == "/latest":
                return 200, self.tree(self.shown_size())
            m = re.fullmatch(r"/lookup/(.+)@(.+)", path)
            if m:
                up = [re.sub(r"!([a-z])", lambda x: x.group(1).upper(), w) for w in m.groups()]
                return self.lookup(*up)
            m = re.fullmatch(r"/tile/8/(\d+|data)/((?:x\d{3}/)*\d{3})(?:\.p/(\d+))?", path)
            if not m:
                return 404, b"not found\n"
            index, width = int(re.sub(r"[x/]", "", m[2])), int(m[3] or 256)
            return self.data_tile(index, width) if m[1] == "data" else self.tile(int(m[1]), index, width)

    def write(self, folder):
        """All that it would answer, as files: latest, lookup/…, tile/8/…"""
        def put(path):
            status, data = self.get(path)
            if status == 200:
                name = os.path.join(folder, path.lstrip("/"))
                os.makedirs(os.path.dirname(name), exist_ok=True)
                with open(name, "wb") as f:
                    f.write(data)
        put("/latest")
        for path, version in list(self.ids):
            put(f"/lookup/{escape(path)}@{escape(version)}")
        n, level = self.size, 0
        while n:
            for index in range((n + 255) // 256):
                width = min(256, n - index * 256)
                put(tile_path(level, index, width))
            n, level = n >> 8, level + 1


def tile_path(level, index, width=256):
    groups = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03}")
    return f"/tile/8/{level}/" + "/".join(groups) + (f".p/{width}" if width < 256 else "")


# ---- git ----

GIT = {"GIT_AUTHOR_NAME": "Test", "GIT_AUTHOR_EMAIL": "test@example.test", "GIT_COMMITTER_NAME": "Test", "GIT_COMMITTER_EMAIL": "test@example.test",
       "GIT_AUTHOR_DATE": "2024-01-02T03:04:05Z", "GIT_COMMITTER_DATE": "2024-01-02T03:04:05Z", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}


class GitServer(Server):
    def __init__(self, authority=None):
        self.metas, self.logins = {}, {}
        super().__init__(authority)
        self.root = os.path.join(self.dir, "git")
        os.makedirs(self.root)

    def repo(self, name, versions):
        """A bare repository; versions: {tag: {file: text}}, a commit each; "" as a tag: a commit without one."""
        work = os.path.join(self.dir, "work", name)
        bare = os.path.join(self.root, name + ".git")
        os.makedirs(work)

        def git(*args):
            return subprocess.run(["git", *args], cwd=work, env=dict(os.environ, **GIT), check=True, capture_output=True, text=True).stdout.strip()
        git("init", "-q", "-b", "main")
        commits = {}
        for tag, files in versions.items():
            for file, text in files.items():
                full = os.path.join(work, file)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "w", encoding="utf-8") as f:
                    f.write(text)
            git("add", "-A")
            git("commit", "-q", "--allow-empty", "-m", tag or "work")
            if tag:
                git("tag", tag)
            commits[tag] = git("rev-parse", "HEAD")
        git("clone", "-q", "--bare", work, bare)
        return commits

    def vanity(self, path, repo=None, page=None, host=None):
        """https://path?go-get=1 names a repository of this server, by the name `host` (git.test); or is `page` (a Reply)."""
        prefix = path
        text = f'<html><head><meta name="go-import" content="{prefix} git https://{host or "git.test"}/{repo}.git"></head></html>\n'
        self.metas[path] = page or Reply(200, text, "text/html")

    def login(self, repo, user, password):
        """From now on this repository wants a password."""
        self.logins[repo] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def env(self):
        return {"HTTPS_PROXY": self.http, "HTTP_PROXY": self.http, "NO_PROXY": "127.0.0.1", "SSL_CERT_FILE": self.ca.file,
                "GIT_SSL_CAINFO": self.ca.file, "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1"}

    def answer(self, req):
        full = req.host.split(":")[0] + req.path
        if "go-get=1" in req.query:
            best = max((p for p in self.metas if full == p or full.startswith(p + "/")), key=len, default=None)
            return self.metas[best] if best else Reply(404, "no such page\n")
        for repo, word in self.logins.items():
            if req.path.lstrip("/").startswith(repo) and req.headers.get("authorization") != word:
                return Reply(401, "no\n", headers={"WWW-Authenticate": 'Basic realm="git"'})
        return self.backend(req)

    def backend(self, req):
        path = req.path
        m = re.match(r"/(.+?)(\.git)?(/info/refs|/git-upload-pack|/HEAD|/objects/.*)$", path)
        if not m or not os.path.isdir(os.path.join(self.root, m[1] + ".git")):
            return Reply(404, "Repository not found.\n")
        env = {"GIT_PROJECT_ROOT": self.root, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": f"/{m[1]}.git{m[3]}", "REQUEST_METHOD": req.method,
               "QUERY_STRING": req.query, "CONTENT_TYPE": req.headers.get("content-type", ""), "CONTENT_LENGTH": str(len(req.body)),
               "GIT_PROTOCOL": req.headers.get("git-protocol", ""), "PATH": os.environ.get("PATH", ""), "REMOTE_ADDR": "127.0.0.1", **GIT}
        if os.geteuid() == 0:
            env.update(GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*")
        out = subprocess.run(["git", "http-backend"], input=req.body, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
        head, _, body = out.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if ": " in line)
        status = int(headers.pop("Status", "200").split()[0])
        kind = headers.pop("Content-Type", "text/plain")
        headers.pop("Content-Length", None)
        return Reply(status, body, kind, headers)


def main():
    with GoProxy() as p:
        modules = p.add_many(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
        db = SumDB("sum.test").add_from(p)
        p.sumdbs["sum.test"] = db
        print(json.dumps({"http": p.http, "https": p.https, "h2": p.h2, "ca": p.ca.file, "sumdb": db.key, "modules": modules}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
