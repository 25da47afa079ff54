"""A real PostgreSQL server for tests, from the distribution's package, on a private socket in a folder of its own.

    with Postgres() as pg:
        subprocess.run([..., pg.uri()])

It needs no system cluster and opens no port unless asked to (tls=True: 127.0.0.1, with a certificate of its own).
It ends when the process that made it ends, however that ends.
"""
import ctypes
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from urllib.parse import quote

ROLE = "tocsin"
LOCKED = "locked"  # a role that must give this password
PASSWORD = "right horse"
SETTINGS = {
    "fsync": "off", "full_page_writes": "off", "max_connections": "120", "shared_buffers": "64MB",
    "max_wal_senders": "0", "wal_level": "minimal", "autovacuum_naptime": "10s", "logging_collector": "off",
}


def find_bin():
    """The folder of initdb and postgres."""
    found = shutil.which("initdb")
    if found and os.path.exists(os.path.join(os.path.dirname(os.path.realpath(found)), "postgres")):
        return os.path.dirname(os.path.realpath(found))
    folders = [f for f in glob.glob("/usr/lib/postgresql/*/bin") + glob.glob("/usr/pgsql-*/bin")
               if os.path.exists(os.path.join(f, "postgres"))]
    if not folders:
        raise RuntimeError("no PostgreSQL server is installed: apt-get install postgresql")
    return max(folders, key=lambda f: float("".join(c for c in f if c.isdigit() or c == ".") or 0))


def server_user():
    """PostgreSQL refuses to run as root: (uid, gid) of somebody else then."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
            return user.pw_uid, user.pw_gid
        except KeyError:
            continue
    raise RuntimeError("neither a user postgres nor nobody to run the server as")


def _end_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT, 0, 0, 0)  # PR_SET_PDEATHSIG; QUIT is an immediate shutdown


class Postgres:
    """start() and stop() may be called again and again: the data stays until close()."""

    def __init__(self, tls=False, settings=None):
        self.bin = find_bin()
        self.owner = server_user()
        self.dir = tempfile.mkdtemp(prefix="tocsin-pg-", dir="/tmp")  # a socket's path must be short
        self.data = os.path.join(self.dir, "data")
        self.log = os.path.join(self.dir, "log")
        self.settings = dict(SETTINGS, **(settings or {}))
        self.tls, self.port, self.process = tls, 5432, None
        if self.owner:
            os.chown(self.dir, *self.owner)
        os.chmod(self.dir, 0o755)
        try:
            self._make()
            self.start()
            self.sql("postgres", f"CREATE ROLE {LOCKED} LOGIN PASSWORD '{PASSWORD}'")
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _as_server(self):
        # LC_ALL: its messages are compared, and its collation must not depend on who calls.
        how = {"cwd": self.dir, "env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}}
        if self.owner:
            how.update(user=self.owner[0], group=self.owner[1], extra_groups=[])
        return how

    def _make(self):
        subprocess.run([os.path.join(self.bin, "initdb"), "-D", self.data, "-U", ROLE, "-E", "UTF8", "--locale=C.UTF-8",
                        "--auth=trust", "--no-sync", "--no-instructions"], check=True, stdout=subprocess.DEVNULL,
                       timeout=120, **self._as_server())
        rules = f"local all {LOCKED} scram-sha-256\nlocal all all trust\n"
        if self.tls:
            rules += f"hostssl all {LOCKED} 127.0.0.1/32 scram-sha-256\nhostssl all all 127.0.0.1/32 trust\n"
            self._make_certificates()
        self._write(os.path.join(self.data, "pg_hba.conf"), rules, 0o600)

    def _write(self, path, text, mode):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        if self.owner:
            os.chown(path, *self.owner)

    def _make_certificates(self):
        """ca.crt signed server.crt, for localhost; other.crt is an authority that signed nothing."""
        def openssl(*args):
            subprocess.run(["openssl", *args], check=True, cwd=self.dir, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, timeout=60)
        new = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        for name in ("ca", "other"):
            openssl(*new, "-x509", "-days", "2", "-subj", f"/CN=tocsin test {name}", "-keyout", f"{name}.key", "-out", f"{name}.crt")
        openssl(*new, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-out", "server.crt")
        for name in ("server.key", "server.crt"):
            os.chmod(os.path.join(self.dir, name), 0o600)
            if self.owner:
                os.chown(os.path.join(self.dir, name), *self.owner)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]

    def start(self):
        """Start it and wait until it answers."""
        settings = dict(self.settings, unix_socket_directories=self.dir, port=str(self.port), listen_addresses="")
        if self.tls:
            settings.update(listen_addresses="127.0.0.1", ssl="on", ssl_cert_file=os.path.join(self.dir, "server.crt"),
                            ssl_key_file=os.path.join(self.dir, "server.key"))
        argv = [os.path.join(self.bin, "postgres"), "-D", self.data]
        for key, value in settings.items():
            argv += ["-c", f"{key}={value}"]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                            preexec_fn=_end_with_parent, **self._as_server())
        end = time.monotonic() + 60
        ready = [os.path.join(self.bin, "pg_isready"), "-q", "-h", self.dir, "-p", str(self.port), "-t", "2"]
        while subprocess.run(ready, check=False, timeout=20).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > end:
                with open(self.log, encoding="utf-8", errors="replace") as log:
                    raise RuntimeError("PostgreSQL did not start:\n" + log.read()[-2000:])
            time.sleep(0.05)

    def stop(self, how=signal.SIGINT):
        """SIGINT: a fast shutdown; SIGQUIT: an immediate one; SIGKILL: as if the power went, with all it has started."""
        if not self.process or self.process.poll() is not None:
            return
        if how == signal.SIGKILL:
            os.killpg(self.process.pid, how)
        else:
            self.process.send_signal(how)
        self.process.wait(30)

    def kill(self):
        self.stop(signal.SIGKILL)

    def restart(self):
        self.stop()
        self.start()

    def close(self):
        try:
            self.stop(signal.SIGQUIT)
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)

    def uri(self, database="postgres", user=ROLE, **query):
        """Of the socket."""
        query = {"host": self.dir, "port": self.port, **query}
        return f"postgres://{quote(user)}@/{quote(database)}?" + "&".join(f"{k}={quote(str(v), safe='')}" for k, v in query.items())

    def tcp_uri(self, host="localhost", database="postgres", user=ROLE, **query):
        """Of the port (tls=True)."""
        query = {"sslmode": "require", **query}
        return f"postgres://{quote(user)}@{host}:{self.port}/{quote(database)}?" + "&".join(f"{k}={quote(str(v), safe='')}" for k, v in query.items())

    def sql(self, database, *statements):
        """Run them, each by itself; the output of the last, one line a row, columns with |."""
        out = ""
        for text in statements:
            run = subprocess.run([os.path.join(self.bin, "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.uri(database), "-c", text],
                                 capture_output=True, text=True, check=False, timeout=120)
            if run.returncode != 0:
                raise RuntimeError(f"{text}: {run.stderr.strip()}")
            out = run.stdout
        return out.rstrip("\n")

    def new_database(self, name):
        """An empty one; its URI."""
        self.sql("postgres", f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"')
        return self.uri(name)
