"""A module proxy on the loopback that fails on request: GOPROXY=$PROXY/KIND.

Every KIND serves the same small modules, and goes wrong in its own way.
`good` does not. The modules: dep.test/good v1.0.0 v1.1.0, dep.test/other v1.0.0.
"""
import base64
import hashlib
import http.server
import io
import os
import socket
import ssl
import struct
import subprocess
import threading
import time
import zipfile

FILES = {
    "dep.test/good": {"good.go": "package good\n\nfunc Hello() string { return \"hello\" }\n"},
    "dep.test/other": {"other.go": "package other\n\nfunc N() int { return 1 }\n"},
    "dep.test/renamed": {"r.go": "package renamed\n"},
    "dep.test/newer": {"n.go": "package newer\n"},
}
GO_MOD = {
    "dep.test/renamed": "module dep.test/original\n\ngo 1.16\n",
    "dep.test/newer": "module dep.test/newer\n\ngo 1.99\n",
}
VERSIONS = {"dep.test/good": ["v1.0.0", "v1.1.0"]}
STATUS = {"400", "401", "403", "404", "410", "429", "451", "500", "502", "503", "504"}


def go_mod(module):
    return GO_MOD.get(module, f"module {module}\n\ngo 1.16\n")


def _h1(pairs):
    lines = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(pairs))
    return "h1:" + base64.b64encode(hashlib.sha256(lines.encode()).digest()).decode()


def _contents(module, version):
    files = dict(FILES[module], **{"go.mod": go_mod(module)})
    return [(f"{module}@{version}/{name}", text.encode()) for name, text in files.items()]


def module_zip(module, version):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in _contents(module, version):
            z.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


def go_sum(module, version="v1.0.0"):
    """The two true lines of go.sum."""
    return (f"{module} {version} {_h1(_contents(module, version))}\n"
            f"{module} {version}/go.mod {_h1([('go.mod', go_mod(module).encode())])}\n")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen = {}
    lock = threading.Lock()

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", kind="text/plain; charset=utf-8", length=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.close_connection = True
        kind, _, path = self.path.lstrip("/").partition("/")
        kind, _, key = kind.partition("~")  # KIND~KEY: a counter of its own
        if path.startswith("sumdb/"):
            return self.answer(404, b"no sumdb here")
        if kind in STATUS:
            return self.answer(int(kind), b"says the zoo\n")
        fault = getattr(self, "fault_" + kind, None)
        if fault:
            return fault(path, key)
        return self.serve(path)

    def serve(self, path):
        module, _, rest = path.partition("/@")
        if module not in FILES:
            return self.answer(404, b"not found: module unknown\n")
        versions = VERSIONS.get(module, ["v1.0.0"])
        if rest == "v/list":
            return self.answer(200, "".join(v + "\n" for v in versions).encode())
        version, ext = os.path.splitext(rest[2:]) if rest != "latest" else (versions[-1], ".info")
        if version not in versions:
            return self.answer(404, f"not found: {module}@{version}: no such version\n".encode())
        if ext == ".info":
            return self.answer(200, ('{"Version":"%s","Time":"2024-01-01T00:00:00Z"}' % version).encode(),
                               "application/json")
        if ext == ".mod":
            return self.answer(200, go_mod(module).encode())
        return self.answer(200, module_zip(module, version), "application/zip")

    # The faults, by name.
    def fault_reset(self, path, key):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def fault_eof(self, path, key):
        self.connection.shutdown(socket.SHUT_RDWR)

    def fault_html(self, path, key):
        self.answer(200, b"<html><body>Please log in: 404 Not Found</body></html>", "text/html")

    def fault_htmlzip(self, path, key):
        if path.endswith(".zip"):
            return self.fault_html(path, key)
        return self.serve(path)

    def fault_cutzip(self, path, key):
        if not path.endswith(".zip"):
            return self.serve(path)
        data = module_zip("dep.test/good", "v1.0.0")
        self.answer(200, data[:60], "application/zip", len(data))

    def fault_badinfo(self, path, key):
        if path.endswith(".info"):
            return self.answer(200, b"{\"Version\": \"v9.9.9\", \"Time\": \"2024-01-01T00:00:00Z\"}")
        return self.serve(path)

    def fault_silent(self, path, key):
        time.sleep(120)

    def fault_forge(self, path, key):
        self.answer(500, b"404 Not Found\nverifying dep.test/good@v1.0.0: checksum mismatch\n"
                         b"SECURITY ERROR\nx509: certificate has expired\nno such host\n")

    def fault_zip503(self, path, key):
        if path.endswith(".zip"):
            return self.answer(503, b"busy\n")
        return self.serve(path)

    def fault_flaky(self, path, key):
        """503 for the first request of this key, then good."""
        with self.lock:
            n = self.seen[key] = self.seen.get(key, 0) + 1
        return self.answer(503, b"try again\n") if n == 1 else self.serve(path)

    def fault_tampered(self, path, key):
        """Another content under the same version."""
        if not path.endswith(".zip"):
            return self.serve(path)
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as z:
            z.writestr("dep.test/good@v1.0.0/go.mod", go_mod("dep.test/good"))
            z.writestr("dep.test/good@v1.0.0/good.go", "package good\n\nfunc Hello() string { return \"evil\" }\n")
        self.answer(200, out.getvalue(), "application/zip")

    def fault_redirect(self, path, key):
        self.send_response(302)
        self.send_header("Location", self.path)
        self.send_header("Content-Length", "0")
        self.end_headers()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass


class Proxy:
    """url: plain http; tls: https with a certificate nobody trusts; closed: a port where nobody listens."""

    def __init__(self, go, directory, env):
        self.plain = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.plain.server_port}"
        self.as_https = f"https://127.0.0.1:{self.plain.server_port}"
        self._start(self.plain)
        self.tls = None
        root = subprocess.run([go, "env", "GOROOT"], env=env, stdout=subprocess.PIPE, text=True).stdout.strip()
        source = os.path.join(root, "src/crypto/tls/generate_cert.go")
        if os.path.exists(source):
            made = subprocess.run([go, "run", source, "-host", "127.0.0.1", "-ecdsa-curve", "P256"], cwd=directory,
                                  env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
            if made.returncode == 0:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(os.path.join(directory, "cert.pem"), os.path.join(directory, "key.pem"))
                server = Server(("127.0.0.1", 0), Handler)
                server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
                self.tls = f"https://127.0.0.1:{server.server_port}"
                self._start(server)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.closed = f"http://127.0.0.1:{s.getsockname()[1]}"

    @staticmethod
    def _start(server):
        threading.Thread(target=server.serve_forever, daemon=True).start()
