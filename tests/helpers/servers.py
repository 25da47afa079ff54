"""Real servers for tests, from the distribution's packages, each on loopback with a folder and a configuration of its own:
nothing of the system's own services is used or changed. They end with close(), or with the process that made them.

    with Alertmanager(hook="http://127.0.0.1:1/hook") as am: am.url, am.alerts()
    with Exim(certificate, key) as mail: mail.url, mail.tls_url, mail.mails()
"""
import base64
import ctypes
import email
import email.policy
import json
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

PASSWORD = "right horse"
USER = "tocsin"


def free_ports(n):
    """n ports of loopback that nobody has at the moment."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def program(*names):
    """The first of them that is there; what servers are called differs among distributions."""
    path = os.environ.get("PATH", "") + ":/usr/sbin"
    found = [shutil.which(n, path=path) for n in names]
    return next((f for f in found if f), names[0])


def _end_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG


class Server:
    def __init__(self, name):
        self.dir = tempfile.mkdtemp(prefix=f"tocsin-{name}-")
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def log(self):
        try:
            with open(self.path("log"), encoding="utf-8", errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def spawn(self, argv, **how):
        with open(self.path("log"), "ab") as out:
            self.process = subprocess.Popen(argv, cwd=self.dir, stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=_end_with_parent, **how)

    def wait_until(self, ready, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                if ready():
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"{type(self).__name__} does not start:\n{self.log()[-3000:]}")

    def stop(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def close(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


class Alertmanager(Server):
    """hook: where it tells what fires and what is over, at once. peer: another one, of whose cluster it is a part.
    tls: (certificate, key, ca); then it also wants USER and PASSWORD."""

    def __init__(self, hook, peer=None, tls=None):
        super().__init__("alertmanager")
        self.port, self.cluster = free_ports(2)
        self.peer, self.tls = peer, tls
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        with open(self.path("am.yml"), "w", encoding="utf-8") as f:
            f.write("global: {resolve_timeout: 1s}\n"
                    "route: {receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}\n"
                    f"receivers: [{{name: hook, webhook_configs: [{{url: '{hook}', send_resolved: true}}]}}]\n")
        if tls:
            with open(self.path("web.yml"), "w", encoding="utf-8") as f:  # the hash is PASSWORD's
                f.write(f"tls_server_config: {{cert_file: {tls[0]}, key_file: {tls[1]}}}\n"
                        f"basic_auth_users: {{{USER}: '$2b$05$gsA/PZPbUkubaVRbq8q7XuQuG79tietuZS/IbzmsN9KiPAyaKWHgy'}}\n")
        self.start()

    def start(self):
        argv = [program("prometheus-alertmanager", "alertmanager"), f"--config.file={self.path('am.yml')}", f"--storage.path={self.path('data')}",
                f"--web.listen-address=127.0.0.1:{self.port}", f"--cluster.listen-address=127.0.0.1:{self.cluster}",
                "--cluster.settle-timeout=0s", "--cluster.gossip-interval=50ms", "--cluster.reconnect-interval=1s"]
        if self.peer:
            argv.append(f"--cluster.peer=127.0.0.1:{self.peer.cluster}")
        if self.tls:
            argv.append(f"--web.config.file={self.path('web.yml')}")
        self.spawn(argv)
        self.wait_until(lambda: self.call("GET", "/-/ready")[0] == 200)

    def call(self, method, path, body=None):
        """(status, text)"""
        data = json.dumps(body).encode() if body is not None else None
        q = urllib.request.Request(self.url + path, data=data, method=method, headers={"Content-Type": "application/json"})
        context = None
        if self.tls:
            context = ssl.create_default_context(cafile=self.tls[2])
            words = f"{USER}:{PASSWORD}".encode()
            q.add_header("Authorization", "Basic " + base64.b64encode(words).decode())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        try:
            with opener.open(q, timeout=10) as r:
                return r.status, r.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

    def alerts(self):
        """Those that fire, silenced ones too."""
        return json.loads(self.call("GET", "/api/v2/alerts")[1])


CONFIG = """
primary_hostname = mail.test
exim_user = {uid}
exim_group = {gid}
spool_directory = {dir}/spool
log_file_path = {dir}/%slog
pid_file_path = {dir}/pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {plain} : {login} : {bare} : {small} : {tls}
tls_on_connect_ports = {tls}
tls_advertise_hosts = ${{if eq{{$received_port}}{{{bare}}}{{}}{{*}}}}
tls_certificate = {certificate}
tls_privatekey = {key}
message_size_limit = ${{if eq{{$received_port}}{{{small}}}{{3800}}{{1M}}}}
deliver_drop_privilege = true
acl_smtp_mail = sender
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
begin acl
sender:
  deny   message = this sender is not known
         senders = stranger@mail.test
  accept
rcpt:
  deny   message = no such user here
         !local_parts = ops : team : grey
  defer  message = greylisted, come back later
         local_parts = grey
         !condition = ${{if exists{{{dir}/known}}}}
  accept
begin routers
box:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  directory = {dir}/mail
  maildir_format
  create_directory
  envelope_to_add
begin retry
* * F,1h,1m
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{user}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
  server_advertise_condition = ${{if eq{{$received_port}}{{{login}}}{{no}}{{yes}}}}
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = <| Username: | Password:
  server_condition = ${{if and{{{{eq{{$auth1}}{{{user}}}}}{{eq{{$auth2}}{{{password}}}}}}}}}
  server_set_id = $auth1
  server_advertise_condition = yes
"""


class Exim(Server):
    """One box for ops@, team@ and (once greylist_knows()) grey@mail.test; nobody else is known, and no mail from stranger@.
    url: STARTTLS, AUTH PLAIN and LOGIN. login_url: LOGIN only. bare_url: no TLS. small_url: takes 3.8 kB. tls_url: TLS at once."""

    def __init__(self, certificate, key):
        super().__init__("exim")
        names = ("plain", "login", "bare", "small", "tls")
        ports = dict(zip(names, free_ports(len(names))))
        self.url, self.login_url, self.bare_url, self.small_url = (f"smtp://127.0.0.1:{ports[n]}" for n in names[:4])
        self.tls_url = f"smtps://127.0.0.1:{ports['tls']}"
        self.port = ports["plain"]
        self.user = None
        uid, gid = os.getuid(), os.getgid()
        if uid == 0:  # it is happy without root
            nobody = pwd.getpwnam("nobody")
            self.user = uid, gid = nobody.pw_uid, nobody.pw_gid
        for n in ("spool", "mail"):
            os.mkdir(self.path(n))
        for name, source in (("crt.pem", certificate), ("key.pem", key)):
            shutil.copyfile(source, self.path(name))
        with open(self.path("exim.conf"), "w", encoding="utf-8") as f:
            f.write(CONFIG.format(dir=self.dir, uid=uid, gid=gid, certificate=self.path("crt.pem"), key=self.path("key.pem"), user=USER, password=PASSWORD, **ports))
        os.chmod(self.path("exim.conf"), 0o644)
        if self.user:
            for folder, _, files in os.walk(self.dir):
                for n in [folder] + [os.path.join(folder, x) for x in files]:
                    os.chown(n, uid, gid)
        self.start()

    def start(self):
        who = {"user": self.user[0], "group": self.user[1], "extra_groups": []} if self.user else {}
        self.spawn([program("exim4", "exim"), "-C", self.path("exim.conf"), "-bdf", "-q1m"], **who)
        self.wait_until(lambda: socket.create_connection(("127.0.0.1", self.port), 5).close() is None)

    def log(self):
        text = super().log()
        for n in ("mainlog", "paniclog"):
            if os.path.exists(self.path(n)):
                with open(self.path(n), encoding="utf-8", errors="replace") as f:
                    text += f.read()
        return text

    def greylist_knows(self):
        open(self.path("known"), "w", encoding="ascii").close()

    def raw(self):
        """What is in the box, in the order in which it came: bytes each."""
        found, folder = [], self.path("mail", "new")
        for n in os.listdir(folder) if os.path.isdir(folder) else []:
            with open(os.path.join(folder, n), "rb") as f:
                found.append((os.path.getmtime(f.name), f.read()))
        return [data for _, data in sorted(found)]

    def mails(self, n=0, seconds=15):
        """The mails, parsed; waits until there are n."""
        end = time.monotonic() + seconds
        while len(self.raw()) < n and time.monotonic() < end:
            time.sleep(0.05)
        return [email.message_from_bytes(b, policy=email.policy.default) for b in self.raw()]

    def clear(self):
        shutil.rmtree(self.path("mail", "new"), ignore_errors=True)
        shutil.rmtree(self.path("mail", "tmp"), ignore_errors=True)
        shutil.rmtree(self.path("mail", "cur"), ignore_errors=True)
