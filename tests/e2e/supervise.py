#!/usr/bin/env python3
# suite: takes 23
"""Supervision from outside: signals, job control, limits, what cannot be started, what outlives a command."""
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import TOCSIN, check, done, in_processes, skip  # noqa: E402

TMP = tempfile.mkdtemp(prefix="tocsin-supervise-")
ENV = dict(os.environ, LC_ALL="C.UTF-8", TOCSIN_LANG="en", GOFLAGS="-buildvcs=false", GOTOOLCHAIN="local",
           GO111MODULE="on", XDG_STATE_HOME=TMP + "/state")
N = [0]


def report_path():
    """A fresh name for a report."""
    N[0] += 1
    return f"{TMP}/report{N[0]}.json"


def command(flags, argv, report):
    return [TOCSIN, "run", "--no-store", "--format", "raw", "--report", report, *flags, "--", *argv]


def load(report):
    try:
        with open(report, encoding="utf-8") as f:
            return json.load(f)
    except (OSError, ValueError):
        return {}


class Ran:
    """What one run came to."""

    def __init__(self, flags, argv, limit=30, **kw):
        self.report = report_path()
        kw.setdefault("stdin", subprocess.DEVNULL)
        begin = time.monotonic()
        p = subprocess.run(command(flags, argv, self.report), capture_output=True, timeout=limit, check=False,
                           env=ENV, **kw)
        self.seconds = time.monotonic() - begin
        self.code, self.out, self.err = p.returncode, p.stdout, p.stderr
        self.json = load(self.report)
        self.verdict = self.json.get("verdict", {})
        self.exit = self.json.get("run", {}).get("exit") or {}

    def __str__(self):
        return f"status {self.code} after {self.seconds:.2f}s\n{self.json.get('verdict')} {self.exit}\n" + \
            f"{self.out[-1500:]!r}\n{self.err[-1500:]!r}"


def sh(script, *flags, **kw):
    return Ran(list(flags), ["sh", "-c", script], **kw)


def write(name, text, mode=0o644):
    path = os.path.join(TMP, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    os.chmod(path, mode)
    return path


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def wait_for(what, seconds=5.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.02)
    return bool(what())


# ---- bytes and statuses ----

def bytes_and_statuses():
    for code in (0, 1, 2, 42, 255):
        r = sh(f"exit {code}")
        check(r.code == code, f"exit {code} is passed on", r)
    r = sh("printf 'a\\0b\\377\\n'; printf 'err no newline' >&2; exit 3")
    check(r.out == b"a\0b\xff\n" and r.err.startswith(b"err no newline") and r.code == 3,
          "bytes of both streams are untouched", r)
    r = sh("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end")
    check(len(r.out) == 3000005 and r.out.endswith(b"x\nend\n"), "a line of 3 MB comes through whole", r.code)
    r = sh("ulimit -c 0; kill -SEGV $$")
    check(r.code == 139 and r.exit.get("signal") == "SIGSEGV" and r.exit.get("code") is None,
          "a signal death is 128+n, and named", r)
    r = sh("kill -9 $$")
    check(r.code == 137 and r.verdict.get("outcome") == "killed", "SIGKILL is killed, 137", r)
    out = write("merged", "")
    with open(out, "wb") as f:
        subprocess.run(command([], ["sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do echo o$i; echo e$i >&2; done"],
                               report_path()), stdout=f, stderr=f, check=False, env=ENV, timeout=30)
    with open(out, "rb") as f:
        got = f.read()
    want = b"".join(b"o%d\ne%d\n" % (i, i) for i in range(1, 10))
    check(got.startswith(want), "2>&1 keeps the order of the two streams", got)
    r = Ran([], ["cat"], stdin=None, input=b"typed\n")
    check(r.out == b"typed\n", "stdin is the command's", r)


def closed_reader():
    p = subprocess.run(["bash", "-c", f"{TOCSIN} run --no-store --format raw -- yes 2>{TMP}/e | head -1; "
                        "echo ${PIPESTATUS[0]}"], capture_output=True, timeout=30, check=False, env=ENV)
    check(p.stdout == b"y\n141\n", "yes | head -1 ends, with 141 as without us", p)
    with tempfile.TemporaryFile() as err:
        p = subprocess.Popen(command([], ["sh", "-c", "echo one; sleep 0.5; echo two; echo $? >&2; exit 7"],
                                     report_path()), stdout=subprocess.PIPE, stderr=err, env=ENV)
        p.stdout.readline()
        p.stdout.close()
        code = p.wait(20)
        check(code in (7, 141), "a reader that leaves between two lines", code)


def as_without_us():
    """What was closed, ignored or scarce for us is so for the command: its bytes and status say so."""
    here = f"{TOCSIN} run --no-store --format raw --"
    rows = [
        ("a closed stdout", "CMD sh -c 'echo hi' >&-"),
        ("a closed stderr", "CMD sh -c 'echo hi >&2' 2>&-"),
        ("all three closed", "CMD sh -c 'echo hi; echo e >&2' <&- >&- 2>&-"),
        ("16 open files", "ulimit -n 16; CMD sh -c 'ulimit -Hn; echo b >&2; exit 3'"),
        ("40 open files", "ulimit -n 40; CMD sh -c 'ulimit -Hn; ulimit -Sn; exit 3'"),
        ("a low soft limit of open files", "ulimit -Sn 24; CMD sh -c 'ulimit -Sn; ulimit -Hn; exit 3'"),
        ("SIGTERM that our parent ignores", "trap '' TERM; CMD sh -c 'sleep 0.5; echo on' & sleep 0.2; kill $!; wait $!"),
    ]
    if os.geteuid() == 0 and shutil.which("unshare"):
        rows.append(("unshare -p without a fork", "unshare -p CMD sh -c 'echo a; exit 3'"))
    with open(TOCSIN, "rb") as f:
        sanitized = b"__asan_init" in f.read()
    for name, line in rows:
        if sanitized and "16 open" in name:
            continue # its runtime needs some for itself
        both = [subprocess.run(["bash", "-c", line.replace("CMD", cmd)], capture_output=True, timeout=30, check=False,
                               env=dict(ENV, ASAN_OPTIONS="detect_leaks=0")) for cmd in ("", here)]
        check(both[0].returncode == both[1].returncode and both[0].stdout == both[1].stdout and
              both[1].stderr.startswith(both[0].stderr), f"{name}: as without us", both)


def slow_reader():
    report = report_path()
    p = subprocess.Popen(command([], ["sh", "-c", "head -c 5000000 /dev/zero; exit 4"], report),
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENV)
    time.sleep(0.5)
    check(p.poll() is None, "a slow reader slows the command", p.returncode)
    check(not fcntl.fcntl(p.stdout, fcntl.F_GETFL) & os.O_NONBLOCK, "the reader's pipe stays blocking")
    n = len(p.stdout.read())
    check(n == 5000000 and p.wait(20) == 4, "and then gets every byte", (n, p.returncode))
    p.stderr.close()
    p = subprocess.Popen(command(["--timeout", "500ms", "--grace", "200ms"], ["sh", "-c", "trap '' QUIT TERM; yes"],
                                 report_path()), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=ENV)
    def children():
        return subprocess.run(["pgrep", "-P", str(p.pid)], capture_output=True, check=False).stdout.split()
    time.sleep(0.6)
    wait_for(lambda: not children(), 15)
    pids = children()
    check(not pids, "the time limit holds while a reader blocks", pids)
    p.stdout.read()
    check(p.wait(20) == 124, "and the status is 124", p.returncode)


# ---- signals ----

def told_by(sig, script, flags=(), again=0):
    """READY in the script is where it waits for the signal."""
    report = report_path()
    ready = report + ".ready"
    script = script.replace("READY", f": >{ready}")
    p = subprocess.Popen(command(list(flags), ["sh", "-c", script], report), stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, env=ENV, start_new_session=True)
    wait_for(lambda: os.path.exists(ready), 20)
    for n in range(1 + again):
        time.sleep(0.3 if n else 0.05)
        p.send_signal(sig)
    out, err = p.communicate(timeout=20)
    return p.returncode, out, err, load(report)


def signals():
    for name in ("TERM", "INT", "HUP"):
        sig = getattr(signal, "SIG" + name)
        code, out, err, rep = told_by(sig, f"trap 'echo got; exit 9' {name}; READY; while :; do sleep 0.05; done")
        check(out == b"got\n", f"SIG{name} reaches the command", (code, out, err))
        check(rep.get("verdict", {}).get("outcome") == "killed", f"SIG{name}: outcome killed, report written", rep)
    code, out, err, rep = told_by(signal.SIGTERM, "sleep 30 & READY; sleep 31")
    check(code == 143, "SIGTERM to us ends the whole group: 143", (code, err))
    code, out, err, rep = told_by(signal.SIGUSR1, "trap 'echo usr; exit 5' USR1; READY; while :; do sleep 0.05; done")
    check((code, out) == (5, b"usr\n"), "SIGUSR1 is passed on and is no stop", (code, out, err))
    begin = time.monotonic()
    code, out, err, rep = told_by(signal.SIGINT, "trap '' INT; READY; while :; do sleep 0.05; done",
                                  ["--grace", "300ms"], again=1)
    check(code == 130 and time.monotonic() - begin < 10, "a second ^C ends what ignores it", (code, err))
    p = subprocess.Popen(command([], ["sh", "-c", "echo $$; exec sleep 40"], report_path()), stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, env=ENV)
    pid = int(p.stdout.readline())
    p.kill()
    p.wait()
    check(wait_for(lambda: not alive(pid)), "a SIGKILL of Tocsin takes the command with it", pid)
    p.stdout.close()
    r = Ran([], ["sh", "-c", "trap 'echo caught' INT; kill -INT $$; echo on"],
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    check(r.out == b"on\n", "SIGINT ignored by our parent stays ignored in the command", r)


# ---- job control on a terminal ----

SHELL = r"""
import json, os, signal, sys, time
log = open(sys.argv[1], "w")
def stopped(pid, state):
    below = os.popen("ps -o stat= --ppid " + pid).read().split() if state.startswith("D") else []
    return "T (below)" if below and all(s.startswith("T") for s in below) else state
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
job = os.fork()
if job == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpgrp())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execvp(sys.argv[2], sys.argv[2:])
try:
    os.setpgid(job, job)
except OSError:
    pass
os.tcsetpgrp(0, job)
while True:
    pid, status = os.waitpid(job, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        os.tcsetpgrp(0, os.getpgrp())
        # A signal is taken when the process is next on a processor. A shell that waits in vfork (D) for a child which is
        # stopped before its exec cannot take it: then that child has to be stopped.
        for _ in range(100):
            states = [stopped(*row.split()) for row in os.popen("ps -o pid=,stat= --ppid %d" % job)]
            if states and all(s.startswith("T") for s in states):
                break
            time.sleep(0.05)
        log.write(json.dumps(["stopped", os.WSTOPSIG(status), states]) + "\n"); log.flush()
        time.sleep(0.4)
        os.tcsetpgrp(0, job)
        os.kill(-job, signal.SIGCONT)
        continue
    os.tcsetpgrp(0, os.getpgrp())
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
    log.write(json.dumps(["ended", code]) + "\n"); log.flush()
    break
"""


def on_terminal(flags, script, typed):
    """Run under a small job-control shell on a new terminal; typed: (text to wait for, bytes to type)."""
    log, helper = f"{TMP}/log{N[0]}", write("shell.py", SHELL)
    pid, master = pty.fork()
    if pid == 0:
        os.environ.update(ENV)
        os.execvp(sys.executable, [sys.executable, helper, log, *command(flags, ["sh", "-c", script], report_path())])
    seen, todo, end = b"", list(typed), time.monotonic() + 20
    while time.monotonic() < end:
        ready, _, _ = select.select([master], [], [], 0.1)
        if ready:
            try:
                data = os.read(master, 4096)
            except OSError:
                break
            if not data:
                break
            seen += data
        if todo and todo[0][0] in seen:
            time.sleep(0.2)
            os.write(master, todo.pop(0)[1])
    os.close(master)
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        pass
    os.waitpid(pid, 0)
    with open(log, encoding="utf-8") as f:
        events = [json.loads(line) for line in f]
    return seen, events


def job_control():
    seen, events = on_terminal([], "echo ready; read x; echo got=$x; exit 6", [(b"ready", b"word\n")])
    check(b"got=word" in seen and events == [["ended", 6]], "a command that reads the terminal is given it", (seen, events))
    seen, events = on_terminal([], "trap 'echo int; exit 8' INT; echo ready; while :; do sleep 0.05; done",
                                     [(b"ready", b"\x03")])
    check(seen.count(b"int") == 1 and events[-1:] and events[-1][0] == "ended", "^C arrives once", (seen, events))
    seen, events = on_terminal([], "echo ready; i=0; while [ $i -lt 60 ]; do sleep 0.05; i=$((i+1)); done; echo fin",
                                     [(b"ready", b"\x1a")])
    stopped = [e for e in events if e[0] == "stopped"]
    check(len(stopped) == 1 and stopped[0][1] == signal.SIGTSTP, "^Z stops Tocsin as the shell expects", (seen, events))
    check(bool(stopped) and all(s.startswith("T") for s in stopped[0][2]) and stopped[0][2], "and the command with it", events)
    check(b"fin" in seen and events[-1] == ["ended", 0], "fg continues both", (seen, events))
    seen, events = on_terminal(["--timeout", "2s", "--grace", "200ms"],
                                     "echo ready; trap '' INT; while :; do sleep 0.05; done", [(b"ready", b"\x03")])
    check(events[-1:] == [["ended", 124]] or events[-1:] == [["ended", 130]], "a limit still ends what ignores ^C", events)
    seen, events = on_terminal(["--grace", "300ms"], "echo ready; trap 'echo no' INT; while :; do sleep 0.05; done",
                                     [(b"ready", b"\x03"), (b"no", b"\x03")])
    check(events[-1:] == [["ended", 130]], "^C twice ends what ignores it", (seen, events))
    seen, events = on_terminal([], "echo ready; read x; sleep 0.5; read y; echo $x$y", [(b"ready", b"a\n"), (b"ready", b"\x1a"), (b"ready", b"b\n")])
    check(b"ab" in seen.replace(b"\r", b"") and events[-1:] == [["ended", 0]], "^Z and fg while the command has the terminal", (seen, events))


def pty_mode():
    r = sh("tty <&1; test -t 1 && echo out; test -t 2 && echo err; exit 3", "--pty")
    check(r.code == 3 and b"/dev/pts" in r.out and b"out" in r.out and b"err" in r.out, "--pty gives a terminal", r)
    check(b"\r" not in r.out, "without a terminal of ours a newline stays a newline", r)
    r = Ran(["--pty"], ["cat"], stdin=None, input=b"piped\n")
    check(b"piped" in r.out, "--pty leaves a piped stdin alone", r)
    seen, events = on_terminal(["--pty"], "echo ready; read x; stty size >/dev/null; echo got=$x; exit 2",
                                              [(b"ready", b"hello\n")])
    check(b"got=hello" in seen and events[-1:] == [["ended", 2]], "--pty relays what is typed", (seen, events))
    seen, events = on_terminal(["--pty"], "trap 'echo int; exit 8' INT; echo ready; while :; do sleep 0.05; done",
                                     [(b"ready", b"\x03")])
    check(b"int" in seen and events[-1:] and events[-1][0] == "ended", "--pty: ^C", (seen, events))
    seen, events = on_terminal(["--pty"], "echo ready; i=0; while [ $i -lt 60 ]; do sleep 0.05; i=$((i+1)); done; echo fin",
                                     [(b"ready", b"\x1a")])
    check([e[0] for e in events] == ["stopped", "ended"] and b"fin" in seen, "--pty: ^Z and fg", (seen, events))
    pid, master = pty.fork()
    if pid == 0:
        os.environ.update(ENV)
        line = command(["--pty"], ["sh", "-c", "trap 'stty size' WINCH; echo ready; for i in 1 2 3 4 5 6 7 8 9 10; "
                                               "do sleep 0.2; done"], report_path())
        os.execvp(line[0], line)
    seen, end, sized = b"", time.monotonic() + 15, False
    while time.monotonic() < end:
        try:
            data = os.read(master, 4096)
        except OSError:
            break
        seen += data
        if not data:
            break
        if b"ready" in seen and not sized:
            sized = True
            fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    os.waitpid(pid, 0)
    os.close(master)
    check(b"33 77" in seen, "--pty: the window size is passed on", seen)
    # The terminal's modes after a run are those before it.
    pid, master = pty.fork()
    if pid == 0:
        os.environ.update(ENV)
        line = " ".join(f"'{w}'" for w in command(["--pty"], ["sh", "-c", "exit 1"], report_path()))
        os.execvp("sh", ["sh", "-c", f"stty -g; {line}; stty -g; exit 0"])
    seen = b""
    try:
        while True:
            data = os.read(master, 4096)
            if not data:
                break
            seen += data
    except OSError:
        pass
    os.waitpid(pid, 0)
    os.close(master)
    modes = re.findall(rb"^[0-9a-f]+(?::[0-9a-f]+)+", seen.replace(b"\r", b""), re.M)
    check(len(modes) == 2 and modes[0] == modes[1], "--pty restores the terminal", seen)


# ---- limits ----

def limits():
    r = sh("sleep 20", "--timeout", "400ms", "--grace", "300ms")
    check(r.code == 124 and r.verdict.get("outcome") == "timed_out" and r.seconds < 8, "--timeout: 124, timed_out", r)
    r = sh("trap '' QUIT TERM; sleep 20; sleep 20", "--timeout", "300ms", "--grace", "200ms")
    check(r.code == 124 and r.seconds < 8, "--timeout ends what ignores QUIT and TERM", r)
    r = sh("echo a; sleep 20", "--stall", "500ms", "--grace", "300ms")
    check(r.code == 124 and r.verdict.get("outcome") == "stalled", "--stall: 124, stalled", r)
    r = sh("for i in 1 2 3 4 5 6; do sleep 0.2; (echo $i); done", "--stall", "700ms")
    check(r.code == 0 and r.verdict.get("outcome") == "passed", "output is progress", r)
    r = sh("kill -STOP $$", "--stall", "500ms", "--grace", "300ms")
    check(r.code == 124 and r.verdict.get("outcome") == "stalled", "a stopped command stalls", r)


def goroutines():
    go = shutil.which("go")
    if not go:
        skip("goroutine dump", "no go")
        return
    write("hang/go.mod", "module example.com/hang\n\ngo 1.19\n")
    write("hang/hang_test.go", "package hang\n\nimport (\n\t\"testing\"\n\t\"time\"\n)\n\n"
          "func TestHang(t *testing.T) {\n\twaitForever()\n}\n\n"
          "func waitForever() {\n\tfor {\n\t\ttime.Sleep(time.Hour)\n\t}\n}\n")
    for _ in range(2):  # the second time as long as it takes here until the test runs
        began = time.monotonic()
        subprocess.run([go, "test", "-count=1", "-run", "None", "."], cwd=TMP + "/hang", env=ENV, check=False,
                       capture_output=True, timeout=300)
    limit = 3 + 3 * int(time.monotonic() - began + 1)
    r = Ran(["--timeout", f"{limit}s", "--grace", "5s"], [go, "test", "./..."], cwd=TMP + "/hang", limit=120)
    text = r.out + r.err
    check(r.code == 124 and r.verdict.get("outcome") == "timed_out", "a hanging go test: 124", r)
    check(b"SIGQUIT: quit" in text and b"waitForever" in text, "its goroutines are shown", r)


# ---- what cannot be started ----

def exec_table():
    rows = [
        (["no-such-command-at-all"], 127, "proc.not_found"),
        ([TMP + "/none/at/all"], 127, "proc.not_found"),
        ([write("t/plain", "echo hi\n")], 126, "proc.denied"),
        ([TMP + "/t"], 126, "proc.denied"),
        ([write("t/empty", "", 0o755)], 126, "proc.exec_format"),
        ([write("t/cut", b"\x7fELF\x02\x01\x01" + b"\0" * 20, 0o755)], 126, "proc.exec_format"),
        ([write("t/windows", b"MZ\x90\0\x03\0", 0o755)], 126, "proc.exec_format"),
        ([write("t/script", "#!/no/such/interpreter\n", 0o755)], 127, "proc.interpreter"),
        ([write("t/dos", "#!/bin/sh\r\nexit 0\r\n", 0o755)], 127, "proc.interpreter"),
        ([TMP + "/t/plain/below"], 126, "proc.not_found"),
        ([""], 127, "proc.not_found"),
    ]
    for argv, code, cause in rows:
        r = Ran([], argv)
        name = os.path.basename(argv[0]) or "empty word"
        check(r.code == code and r.verdict.get("outcome") == "not_started" and r.verdict.get("cause") == cause,
              f"{name}: {code}, {cause}", r)
    mount = TMP + "/noexec"
    os.mkdir(mount)
    if os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "noexec", "tmpfs", mount], check=False,
                                            capture_output=True).returncode == 0:
        try:
            shutil.copy("/bin/true", mount + "/true")
            r = Ran([], [mount + "/true"])
            check(r.code == 126 and r.verdict.get("cause") == "proc.denied" and "noexec" in json.dumps(r.json),
                  "a noexec mount: 126, said", r)
        finally:
            subprocess.run(["umount", mount], check=False)
    if os.geteuid() == 0 and shutil.which("setpriv") and shutil.which("prlimit"):
        os.chmod(TMP, 0o755)
        p = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", "prlimit", "--nproc=1:1", TOCSIN, "run",
                            "--no-store", "--format", "raw", "--", "/bin/true"], capture_output=True, check=False,
                           env=dict(ENV, ASAN_OPTIONS="detect_leaks=0"))  # the leak check needs a process of its own
        check(p.returncode == 126 and b"processes" in p.stdout + p.stderr, "fork refused: 126, said", p)
    r = Ran([], [write("t/bare", "echo $#; exit 3\n", 0o755), "a", "b"])
    check(r.code == 3 and r.out == b"2\n", "a script without #! goes to sh", r)


# ---- what outlives it ----

def left_overs():
    r = sh("sleep 9 & echo started")
    procs = r.json.get("processes", r.json.get("run", {}).get("processes", []))
    check(r.seconds < 5 and r.out == b"started\n" and r.code == 0, "a grandchild that keeps the pipe does not hang us", r)
    check(any("sleep 9" in (p.get("command") or "") and p.get("holds_output") for p in procs), "and is named", procs)
    for p in procs:
        if alive(p["pid"]):
            os.kill(p["pid"], signal.SIGKILL)
    r = sh("setsid sleep 39 >/dev/null 2>&1 & sleep 0.3; echo $!", "--reap", "--grace", "300ms")
    procs = r.json.get("processes", r.json.get("run", {}).get("processes", []))
    check(any("sleep 39" in (p.get("command") or "") and p.get("ended_by_tocsin") for p in procs),
          "--reap names what it ends", (procs, str(r)))
    check(procs and not any(alive(p["pid"]) for p in procs), "--reap ends a detached descendant", procs)
    p = subprocess.run(["sh", "-c", f"sleep 38 & echo $! >{TMP}/mine; exec {TOCSIN} run --no-store --reap -- true"],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20, check=False, env=ENV)
    with open(TMP + "/mine", encoding="utf-8") as f:
        pid = int(f.read())
    check(p.returncode == 0 and alive(pid), "a child that was there before us is not touched", p.returncode)
    if alive(pid):
        os.kill(pid, signal.SIGKILL)
    r = sh("sh -c 'kill -9 $$'; true")
    events = r.json.get("run", {}).get("facilities", {}).get("proc_events")
    procs = r.json.get("processes", r.json.get("run", {}).get("processes", []))
    if events in (True, "yes"):
        check(any(p.get("killed_by") in (9, "SIGKILL") for p in procs), "an inner process that was killed is named", procs)


# ---- a control group of its own ----

HOG = "import mmap, sys, time\nm = mmap.mmap(-1, int(sys.argv[1]) << 20)\n" \
      "for i in range(0, len(m), 4096):\n    m[i] = 1\ntime.sleep(float(sys.argv[2]))\n"

# One process at a time, each for a moment, and never for more than ten seconds in all.
HOP = "import os, signal, sys, time\nend = time.monotonic() + 10\nf = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)\n" \
      "for s in (signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP):\n    signal.signal(s, signal.SIG_IGN)\n" \
      "while time.monotonic() < end:\n    os.write(f, b'.')\n    time.sleep(0.002)\n    if os.fork():\n        os._exit(0)\n"


def group_here(pid="self"):
    """(version, folder) of the group that Tocsin would make its own below; None: none can be seen."""
    with open(f"/proc/{pid}/cgroup", encoding="utf-8") as f:
        lines = [line.rstrip("\n").split(":", 2) for line in f]
    for names, version, mounts in (("memory", 1, ["/sys/fs/cgroup/memory"]),
                                   ("", 2, ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"])):
        for path in [p for _, n, p in lines if n == names]:
            for mount in mounts:
                if os.path.exists(f"{mount}{path}/cgroup.procs"):
                    return version, f"{mount}{path}".rstrip("/")
    return None


def ours_in(folder, living=False):
    """Groups of runs that are over (other runs may be at work beside us)."""
    return [n for n in os.listdir(folder) if n.startswith("tocsin-") and alive(int(n.split("-")[1])) == living]


def text_of(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def facility(r, name="cgroup"):
    run = r.json.get("run", {})
    return run.get("facilities", {}).get(name), run.get("facilities_why", {}).get(name)


def groups():
    r = sh("cat /proc/self/cgroup")
    value, why = facility(r)
    if why and not why.startswith("its group"):
        check(r.code == 0 and b"tocsin-" not in r.out or "around this one" in why, f"no control group of its own: {why}", r)
        return
    version, here = group_here()
    around, here = here, own_group(here)
    try:
        groups_in(version, around, here, value, why, r)
    finally:
        leave_group(around, here)


def own_group(around):
    """Below the group around, where that is allowed: what is left there by runs that others kill beside us is none of ours."""
    folder = f"{around}/supervise-own-{os.getpid()}"
    try:
        os.mkdir(folder)
    except OSError:
        return around
    try:
        in_group(folder)()
        return folder
    except OSError:
        os.rmdir(folder)
        return around


def leave_group(around, here):
    if here == around:
        return
    in_group(around)()
    wait_for(lambda: not text_of(here + "/cgroup.procs"))
    os.rmdir(here)


def groups_in(version, around, here, value, why, r):
    check(value == f"v{version}" and b"/tocsin-" in r.out, "the command is in a control group of its own", r)
    check(not ours_in(here), "which is gone afterwards", ours_in(here))
    hog = write("hog.py", HOG)
    if not why:
        r = sh(f"python3 {hog} 60 1 & python3 {hog} 60 1 & wait")
        got = r.json.get("run", {}).get("resources", {})
        check((got.get("tree_rss_kb") or 0) > 115000 > (got.get("max_rss_kb") or 0), "peak memory of the whole tree", got)
    group_left_overs(here)
    if not why and version == 1 and os.geteuid() == 0:
        group_memory(here, hog)
    group_refused(here)
    group_of_a_part(version, around, here)
    group_version_2()


def group_left_overs(here):
    r = sh("setsid sleep 37 >/dev/null 2>&1 & echo $!")
    pid = int(r.out or 0)
    procs = r.json.get("processes", r.json.get("run", {}).get("processes", []))
    check(alive(pid) and [p["pid"] for p in procs] == [pid], "a left-over is named and left", (procs, str(r)))
    check(str(pid) in text_of(here + "/cgroup.procs").split() and not ours_in(here),
          "and is back in the group around, ours is gone", ours_in(here))
    os.kill(pid, signal.SIGKILL)
    # An orphan of a child from before comes to us as the nearest subreaper: it is not of the run.
    p = subprocess.run(["sh", "-c", f"sh -c 'sleep 0.4; sleep 36 & echo $! >{TMP}/orphan' & exec {TOCSIN} run --no-store"
                        " --reap --grace 300ms -- sleep 1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20,
                       check=False, env=ENV)
    pid = int(text_of(TMP + "/orphan"))
    check(p.returncode == 0 and alive(pid), "an orphan that is not of the run is not ended", p)
    if alive(pid):
        os.kill(pid, signal.SIGKILL)
    p = subprocess.Popen(command([], ["sleep", "35"], report_path()), stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, env=ENV)
    wait_for(lambda: any(f"tocsin-{p.pid}-" in n for n in ours_in(here, True)))
    p.kill()
    p.wait()
    left = ours_in(here)
    # A moment may pass until the command is dead too: then the next run finds it empty.
    check(wait_for(lambda: sh("true").code == 0 and not ours_in(here)) and left,
          "what a SIGKILL left behind, the next run removes", left)
    r = Ran([], [TOCSIN, "run", "--no-store", "--report", TMP + "/inner.json", "--", "cat", "/proc/self/cgroup"])
    inner = load(TMP + "/inner.json").get("run", {})
    check(r.out.count(b"/tocsin-") == 1 and "around" in str(inner.get("facilities_why", {}).get("cgroup")),
          "a run inside a run shares its group, and says so", (r, inner))


def in_group(folder):
    def enter():
        with open(folder + "/cgroup.procs", "w", encoding="utf-8") as f:
            f.write(str(os.getpid()))
    return enter


def group_memory(here, hog):
    folder = f"{here}/supervise-{os.getpid()}"
    os.mkdir(folder)
    try:
        with open(folder + "/memory.limit_in_bytes", "w", encoding="utf-8") as f:
            f.write(str(96 << 20))
        r = sh("cat /sys/fs/cgroup/memory$(sed -n 's/.*:memory://p' /proc/self/cgroup)/memory.limit_in_bytes",
               preexec_fn=in_group(folder))
        check(r.out == b"%d\n" % (96 << 20), "its group shows the limit of the one around", r)
        r = sh(f"python3 {hog} 300 0; c=$?; echo $c; exit $c", preexec_fn=in_group(folder))
        check(r.out == b"137\n" and "cgroup (v1)" in json.dumps(r.json) and r.verdict.get("cause") == "proc.oom",
              "an inner OOM kill is proven by its own cgroup", r)
        r = Ran([], ["python3", hog, "300", "0"], preexec_fn=in_group(folder))
        check(r.code == 137 and r.verdict.get("cause") == "proc.oom" and "cgroup (v1)" in json.dumps(r.json),
              "an OOM kill of the command is proven by its own cgroup", r)
        other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.8)\n" + HOG, "300", "0"],
                                 preexec_fn=in_group(folder), stderr=subprocess.DEVNULL)
        r = sh("sleep 3; kill -9 $$", preexec_fn=in_group(folder))
        check(other.wait(20) == -9 and r.code == 137 and r.verdict.get("cause") == "proc.killed",
              "an OOM kill of somebody else beside it is not ours", (other.returncode, str(r)))
        check(not ours_in(folder), "no group is left", ours_in(folder))
    finally:
        for pid in text_of(folder + "/cgroup.procs").split():
            os.kill(int(pid), signal.SIGKILL)
        wait_for(lambda: not text_of(folder + "/cgroup.procs"))
        os.rmdir(folder)


def group_refused(here):
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        skip("without rights", "not root, or no setpriv")
        return
    os.chmod(TMP, 0o755)
    mine = TMP + "/nobody"
    os.mkdir(mine)
    os.chmod(mine, 0o777)
    p = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", TOCSIN, "run", "--no-store", "--format", "raw",
                        "--report", mine + "/r.json", "--", "sh", "-c", "exit 3"], capture_output=True, check=False,
                       timeout=30, env=dict(ENV, ASAN_OPTIONS="detect_leaks=0", HOME=mine, XDG_CACHE_HOME=mine))
    run = load(mine + "/r.json").get("run", {})
    check(p.returncode == 3 and "Permission denied" in str(run.get("facilities_why", {}).get("cgroup")),
          "without rights it runs as ever, and says what is missing", (p, run))
    check(not ours_in(here), "and leaves no group", ours_in(here))


def group_of_a_part(version, around, folder):
    """As in a container: only a part of the tree is mounted, and the path is still the whole one."""
    mount = "/sys/fs/cgroup/memory"
    if os.geteuid() != 0 or version != 1 or around == mount or not shutil.which("unshare"):
        skip("a part of the tree", "not root, or no version 1")
        return
    report = report_path()
    p = subprocess.run(["unshare", "-m", "sh", "-c", f"mount --bind {folder} {mount} && exec \"$@\"", "sh",
                        *command([], ["sh", "-c", "exit 5"], report)], capture_output=True, check=False, timeout=30, env=ENV)
    check(p.returncode == 5 and load(report).get("run", {}).get("facilities", {}).get("cgroup") == "v1",
          "the mount is a part of the tree: found all the same", (p, load(report).get("run")))
    other = f"{folder}/supervise-part-{os.getpid()}"
    os.mkdir(other)
    p = subprocess.run(["unshare", "-m", "sh", "-c", f"mount --bind {other} {mount} && umount -l /sys/fs/cgroup/unified; exec \"$@\"",
                        "sh", *command([], ["sh", "-c", "exit 5"], report)], capture_output=True, check=False, timeout=30, env=ENV)
    run = load(report).get("run", {})
    check(p.returncode == 5 and "not below" in run.get("facilities_why", {}).get("cgroup", ""),
          "a part that we are not in: no group is made there", (p, run))
    os.rmdir(other)


def group_version_2():
    """In mounts of our own, the unified tree is where a machine without version 1 has it."""
    def unified(*argv):
        script = "mount -t cgroup2 none /sys/fs/cgroup || exit 99\n\"$@\" & pid=$!\nwait $pid; code=$?\n" \
                 "ls -d /sys/fs/cgroup/tocsin-$pid-* 2>/dev/null; exit $code"
        return subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", *argv], capture_output=True, check=False,
                              timeout=60, env=ENV)
    if os.geteuid() != 0 or not shutil.which("unshare") or unified("true").returncode != 0:
        skip("version 2", "it cannot be mounted here")
        return
    report = report_path()
    p = unified(*command([], ["sh", "-c", "cat /proc/self/cgroup; exit 5"], report))
    run = load(report).get("run", {})
    check(p.returncode == 5 and p.stdout.count(b"tocsin-") == 1 and run.get("facilities", {}).get("cgroup") == "v2",
          "version 2: a group of its own, gone afterwards", (p, run))
    p = unified(*command([], ["sh", "-c", "sleep 34 >/dev/null 2>&1 & echo $!"], report_path()))
    pid = int(p.stdout.split()[0])
    check(alive(pid) and p.stdout.count(b"\n") == 1, "version 2: a left-over is left, the group is not", p)
    if alive(pid):
        os.kill(pid, signal.SIGKILL)
    mine, folder = TMP + "/delegated", f"/sys/fs/cgroup/supervise-{os.getpid()}"
    os.mkdir(mine)
    os.chmod(mine, 0o777)
    script = f"d={folder}; mkdir $d; chown 65534 $d $d/cgroup.procs; (echo 0 >$d/cgroup.procs; export HOME={mine}\n" \
             "XDG_CACHE_HOME=$HOME ASAN_OPTIONS=detect_leaks=0 exec setpriv --reuid 65534 --clear-groups \"$@\"); code=$?\n" \
             "ls $d | grep tocsin-; for i in 1 2 3 4 5; do rmdir $d && break; sleep 0.1; done; exit $code"
    if shutil.which("setpriv"):
        p = unified("sh", "-c", script, "sh", *command([], ["sh", "-c", "cat /proc/self/cgroup; exit 5"], mine + "/r.json"))
        check(p.returncode == 5 and p.stdout.count(b"/tocsin-") == 1 == p.stdout.count(b"tocsin-"),
              "version 2: a group that was delegated to a common user", p)
    hop, trail = write("hop.py", HOP), write("trail", "")
    p = unified(*command(["--timeout", "500ms", "--grace", "100ms"],
                         ["sh", "-c", f"setsid python3 {hop} {trail} & sleep 33"], report_path()))
    size = os.path.getsize(trail)
    time.sleep(0.3)
    check(p.returncode == 124 and not p.stdout and 0 < size == os.path.getsize(trail),
          "version 2: one that hops from process to process is ended too", (p, size, os.path.getsize(trail)))


def main():
    parts = [bytes_and_statuses, closed_reader, as_without_us, slow_reader, signals, job_control, pty_mode, limits, goroutines,
             exec_table, left_overs, groups]
    only = sys.argv[1:]
    try:
        if not only:  # most of them wait for a time to pass
            names = [part.__name__ for part in parts]
            apart = [["goroutines"], ["pty_mode"], ["job_control"], ["signals", "limits"]]
            in_processes([n for n in names if n != "groups" and not any(n in a for a in apart)], *apart)
            in_processes(["groups"])  # by itself: memory runs out there
        for part in parts:
            if part.__name__ in only:
                part()
    finally:
        shutil.rmtree(TMP, ignore_errors=True)
    done()


main()
