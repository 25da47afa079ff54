#!/usr/bin/env python3
# suite: takes 60
"""`tocsin check` and input that was made to hurt: what is large, deep, broken, changing, or named to deceive.

Each row: bounded in processor time and memory, named when something was left out, exit status 2 only when nothing could be looked at.
On the sanitizer build the samples are smaller, and memory is not measured: the sanitizer has its own."""
import json
import os
import random
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import xml.etree.ElementTree as ET

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "helpers"))
import trees  # noqa: E402
from tap import SLOW, TOCSIN, check, done  # noqa: E402

TMP = tempfile.mkdtemp(prefix="tocsin-hostile-")
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("TOCSIN_", "NO_COLOR")) and k != "GITHUB_ACTIONS"}
ENV.update(LC_ALL="C.UTF-8", XDG_CACHE_HOME=os.path.join(TMP, "cache"), XDG_CONFIG_HOME=os.path.join(TMP, "config"), HOME=TMP)
BAD = "package main\n\nfunc main() {\n\tdefer recover()\n}\n"
FLOW = ".github/workflows/a.yml"
JOB = "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n"
SCALE = 10 if SLOW else 1  # of the rows that are about size
MIB = 1 << 20


def tree(name, files):
    """A folder of its own with these files; bytes or text."""
    top = os.path.join(TMP, name)
    os.makedirs(os.path.join(top, ".git"), exist_ok=True)
    return trees.put(top, files)


class Ran:
    def __init__(self, top, *args, seconds=120):
        """One run, ended when it takes more processor time than that; what it took is its own, however busy the machine is."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = subprocess.Popen([TOCSIN, "check", "--no-config", "--no-cache", *args], cwd=top, env=ENV, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                     preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds)))
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            err.seek(0)
            self.code, self.out, self.err = child.returncode, out.read(), err.read()
        self.seconds, self.mib = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
        self.text = (self.out + self.err).decode("utf-8", "replace")

    def __str__(self):
        return f"exit {self.code}, {self.seconds:.2f} s, {self.mib:.0f} MiB\n{self.text[-1500:]}"


# ---- what is too much ----

def n(count):
    return max(count // SCALE, 10)


def lines(count, line):
    return "".join(line.replace("@", str(i)) for i in range(n(count)))


def laughs(first):
    return f"a0: &a0 {first}\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 30))


def tokens(count):
    """Words of Go in no order."""
    pick = random.Random(8)
    words = ["func", "defer", "go", "recover()", "if", "{", "}", "(", ")", "[", "]", "select", "case", "x", ":=", ",", '"a"', "\n", "for", "chan", "<-", "os.Exit(1)", "err", "return"]
    return "package a\nimport \"os\"\n" + " ".join(pick.choice(words) for _ in range(n(count)))


def of_bytes(count):
    return random.Random(9).randbytes(4096) * (count // 4096)


# name | path | text | seconds of processor time | MiB | exit statuses | what it must say
ROWS = [
    ("a binary file named .go", "a.go", of_bytes(MIB), 2, 64, (2,), ["a.go", "NUL"]),
    ("100 MB of YAML", FLOW, lambda: "- run: x\n" * (11 * MIB), 2, 64, (2,), [FLOW, "larger than"]),
    ("YAML just below the limit of a file", FLOW, lambda: (JOB + "      - run: echo hello world\n" * (16 * MIB // 30))[: 16 * MIB - 1], 4, 400, (0,), ["larger than"]),
    ("YAML just below the limit of a tree", FLOW, lambda: (JOB + "      - run: echo hello world, and so on and on\n" * MIB)[: n(2 * MIB) - 1], 4, 300, (0,), [] if SLOW else ["rest was not looked at"]),
    ("one list of 690,000", FLOW, lambda: "jobs: [" + "a, " * n(690000) + "]\n", 6, 640, (0,), []),
    ("anchors that explode", FLOW, lambda: laughs("[go test | cat]") + JOB.rstrip("\n") + " *a29\n", 2, 64, (0, 1), []),
    ("merge keys that explode", ".gitlab-ci.yml", lambda: ".a0: &a0 {script: [go test | cat]}\n" + "".join(f".a{i}: &a{i}\n  <<: [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 30)) + lines(500, "j@:\n  <<: *a29\n"), 2, 64, (0, 1), ["aliases"]),
    ("scripts of aliases that explode", ".gitlab-ci.yml", lambda: laughs("[go test | cat]") + lines(500, "j@:\n  script: *a29\n"), 4, 128, (0, 1), []),
    ("references that explode", ".gitlab-ci.yml", lambda: ".j0:\n  script:\n    - go test | tee log\n" + "".join(f".j{i}:\n  script:\n" + f"    - !reference [.j{i - 1}, script]\n" * 10 for i in range(1, 50)) + lines(2000, "k@:\n  script:\n    - !reference [.j49, script]\n"), 4, 128, (0, 1), []),
    ("extends in a ring", ".gitlab-ci.yml", lambda: "".join(f"j{i}:\n  extends: [j{(i + 1) % 1000}, j{(i + 7) % 1000}, j{(i * 3) % 1000}]\n  script: [go test | cat]\n" for i in range(1000)), 4, 128, (0, 1), ["extends"]),
    ("10,000 levels: YAML, flow", FLOW, "jobs: " + "[" * 10000 + "]" * 10000 + "\n", 2, 128, (0,), ["nested"]),
    ("10,000 levels: YAML as JSON", FLOW, "jobs: " + '{"a": ' * 10000 + "1" + "}" * 10000 + "\n", 2, 128, (0,), ["nested"]),
    ("1,900 levels: YAML, block", FLOW, "\n".join(" " * i + "a:" for i in range(1900)) + " 1\n", 3, 128, (0,), ["nested"]),
    ("a million brackets that nobody closes: YAML", FLOW, lambda: "jobs: " + "[" * MIB, 2, 64, (0,), ["nested"]),
    ("10,000 levels: Go, parentheses", "a.go", "package a\n\nfunc f() {\n\tdefer recover()\n\tx := " + "(" * 10000 + "1" + ")" * 10000 + "\n}\n", 2, 128, (0, 1), ["nested"]),
    ("10,000 levels: Go, functions", "a.go", "package a\nfunc a() {\n" + "defer func() { recover()\n" * 10000 + "}()\n" * 10000 + "}\n", 5, 256, (0, 1), ["not all of it"]),
    ("millions of braces that nobody closes: Go", "a.go", lambda: "package a\nfunc a() { defer recover()\n" + "{" * (7 * MIB), 2, 128, (0,), ["nested"]),
    ("10,000 levels: shell", "a.sh", "#!/bin/sh\n" + "(" * 10000 + "go test | cat" + ")" * 10000 + "\n", 4, 256, (0,), []),
    ("300,000 shell words that open something", "a.sh", lambda: "#!/bin/sh\n" + "if " * n(300000), 4, 256, (0,), ["could not be parsed"]),
    ("10,000 references in one another: make", "Makefile", "A = " + "$(" * 10000 + "a" + ")" * 10000 + "\nall:\n\tgo test $(A) " + "$(if " * 10000 + "\n", 3, 128, (0, 1), []),
    ("values that explode: make", "Makefile", lambda: "V0 = aaaaaaaaaa\n" + "".join(f"V{i + 1} = " + f"$(V{i})" * 10 + "\n" for i in range(40)) + lines(1000, "a@:\n\tgo test $(V40) | tee log\n"), 4, 128, (0, 1), ["Makefile"]),
    ("100,000 levels: Groovy", "Jenkinsfile", lambda: "pipeline { " + "stages { " * n(100000), 2, 128, (0,), ["nested"]),
    ("10,000 here documents: Dockerfile", "Dockerfile", lambda: "FROM golang\nRUN " + "".join(f"<<E{i} " for i in range(n(10000))) + "\ngo test | cat\n" + "".join(f"E{i}\n" for i in range(n(10000))), 8, 128, (0, 1), []),
    ("one workflow of 5,000 steps", FLOW, lambda: JOB + lines(5000, "      - name: s@\n        run: go test ./p@ | tee log\n"), 3, 128, (1,), ["S02"]),
    ("templates in every string", FLOW, lambda: "name: ${{ a }}\non: push\njobs:\n  a:\n    name: ${{ a }}\n    runs-on: ${{ matrix.os }}\n    if: ${{ a }} ${{ b }}\n    env: {A: '${{ secrets.A }}'}\n    steps:\n"
     + lines(2000, "      - name: ${{ a }}\n        if: ${{ a }}\n        run: ${{ matrix.cmd }} ${{ x }} | go test ${{ a }} | ${{ y }}\n        working-directory: ${{ matrix.d }}\n        shell: ${{ matrix.s }}\n"), 3, 128, (1,), ["A08"]),
    ("5,000 steps that look at one another", FLOW, lambda: JOB.replace("push", "pull_request_target") + lines(2500, "      - uses: actions/checkout@v4\n        with:\n          ref: ${{ github.head_ref }}\n      - if: env.X != ''\n        uses: slackapi/slack-github-action@v1\n"), 4, 128, (0, 1), []),
    ("20,000 targets in a chain", "Makefile", lambda: f"t{n(20000)}:\n\tgo test ./...\n" + "".join(f"t{i}:\n\t$(MAKE) t{i + 1} | tee log\n" for i in range(n(20000) - 1, -1, -1)), 8, 256, (1,), ["M03"]),
    ("100,000 targets", "Makefile", lambda: lines(100000, "t@: a@ b@\n\tgo build -o t@ ./cmd/t@\n"), 8, 512, (0, 1), []),
    ("100,000 RUN", "Dockerfile", lambda: "FROM golang\n" + lines(100000, "RUN go build -o /t@ ./cmd/t@\n"), 8, 256, (0, 1), []),
    ("50,000 lines of shell", "a.sh", lambda: "#!/bin/sh\n" + "go vet ./a | cat\n" * n(50000), 6, 256, (1,), ["S02"]),
    ("50,000 jobs in the background", "a.sh", lambda: "#!/bin/sh\n" + "go test ./p &\n" * n(50000), 6, 256, (1,), ["S07"]),
    ("a function of 50,000 lines, called 300 times", "a.sh", lambda: "#!/bin/sh\nf() {\n" + "echo a\n" * n(50000) + "}\n" + "f\n" * 300, 6, 256, (0,), [".sh"] if not SLOW else []),
    ("5 MB of Jenkinsfile", "Jenkinsfile", lambda: "pipeline {\n agent any\n stages {\n" + lines(60000, "  stage('s@') { steps { sh 'go test ./p@ | tee log' } }\n") + " }\n}\n", 12, 512, (1,), ["S02"]),
    ("100,000 strings on one line: Groovy", "Jenkinsfile", lambda: "pipeline { " + "sh '''" * n(100000), 4, 128, (0,), []),
    ("50,000 jobs", ".gitlab-ci.yml", lambda: lines(15000, "j@:\n  script: [go test | cat]\n"), 4, 256, (0, 1), ["rest was not looked at"] if not SLOW else []),
    ("one line of 10 MB with a finding at each word", "a.go", lambda: "package a\nfunc a() { " + "defer recover(); " * n(400000) + "}\n", 12, 1200, (1,), ["R01"]),
    ("Go without an order", "a.go", lambda: tokens(300000), 8, 400, (0, 1), []),
    ("signs that are none of Go", "a.go", lambda: "package a\nfunc a() { recover(); " + '"a" "b" `c` ' * n(500000), 12, 256, (0, 2), []),
]


def test_rows():
    for at, (name, path, text, seconds, mib, codes, words) in enumerate(ROWS):
        top = tree(f"row{at}", {path: text() if callable(text) else text})
        ran = Ran(top, seconds=seconds * (10 if SLOW else 3))
        check(ran.code in codes and all(w in ran.text for w in words), f"{name}: looked at as far as it goes, the rest is named", ran)
        check(SLOW or (ran.seconds <= seconds and ran.mib <= mib), f"{name}: within {seconds} s and {mib} MiB", ran)
        shutil.rmtree(top)


def test_beside():
    """What cannot be read keeps nothing else from being looked at."""
    top = tree("beside", {"a.go": of_bytes(1 << 16), "b.go": BAD, "c.yml": "[" * 1000, FLOW: "\xff[{", "Makefile": "a:\n\tgo test | tee log\n"})
    ran = Ran(top, "--only", "R01,M03")
    check(ran.code == 1 and "R01" in ran.text and "M03" in ran.text and "a.go" in ran.text, "a binary file beside others: they are looked at, it is named", ran)


# ---- bytes ----

def test_bytes():
    go, sh = BAD.encode(), b"#!/bin/sh\nset -e\ngo test ./... | tee log\necho\n"
    texts = {"crlf": lambda t: t.replace(b"\n", b"\r\n"), "bom": lambda t: b"\xef\xbb\xbf" + t, "invalid": lambda t: t.replace(b"\n", b" # \xff\xfe\xc3\x28\n", 1) if t is sh else t.replace(b"\n", b" // \xff\xfe\xc3\x28\n", 1)}
    for name, change in texts.items():
        top = tree(name, {"a.go": change(go), "a.sh": change(sh)})
        ran = Ran(top, "--only", "R01,S02", "--json")
        try:
            got = sorted(f["rule"] for f in json.loads(ran.out)["findings"])
        except ValueError:
            got = None
        check(got == ["R01", "S02"], f"{name}: the same is found", ran)
    for name, change in {"utf16": lambda t: t.decode().encode("utf-16"), "nul": lambda t: t + b"\0", "empty": lambda t: b"", "newlines": lambda t: b"\n" * 1000000, "onlybom": lambda t: b"\xef\xbb\xbf"}.items():
        for path in ("a.go", "a.sh", "Makefile", "Dockerfile", "Jenkinsfile", ".gitlab-ci.yml", FLOW, "a.service", "crontab", "Taskfile.yml", "go.mod"):
            top = tree("bytes", {path: change(go)})
            ran = Ran(top, seconds=60)
            named = name not in ("utf16", "nul") or (ran.code == 2 and path in ran.text)
            if not (ran.code in (0, 1, 2) and named):
                check(False, f"{name} as {path}", ran)
                break
            shutil.rmtree(top)
        else:
            check(True, f"{name}: borne in every kind of file")


# ---- what is no plain file ----

def test_kinds():
    top = tree("kinds", {"a.go": BAD, "x.go/inner.go": BAD, "d.yml/e.yml": "a: 1\n"})
    for name in ("pipe.go", "pipe.sh", ".gitlab-ci.yml", "Makefile"):
        os.mkfifo(os.path.join(top, name))
    with socket.socket(socket.AF_UNIX) as s:
        here = os.getcwd()
        os.chdir(top)  # the name of a socket is short
        s.bind("socket.go")
        os.chdir(here)
        for name, to in {"loop": "..", "self": ".", "me.go": "me.go", "gone.go": "nowhere", "zero.go": "/dev/zero", "null.sh": "/dev/null", "root": "/"}.items():
            os.symlink(to, os.path.join(top, name))
        ran = Ran(top, "--only", "R01")
        check(ran.code == 1 and ran.text.count("[R01]") == 2, "pipes, sockets, devices and links are passed over, a folder named x.go is looked into", ran)
        for name in ("pipe.go", "socket.go", "zero.go", "me.go", "gone.go"):
            ran = Ran(top, "--only", "R01", name, seconds=20)
            check(ran.code == 2 and name in ran.text, f"{name}, named: not waited for, exit 2", ran)
        ran = Ran(top, "--only", "R01", "x.go", "loop/kinds/self/a.go")
        check(ran.code == 1 and ran.text.count("[R01]") == 2, "a folder named x.go and a way through links, named: looked at", ran)


def test_no_permission():
    top = tree("closed", {"a.go": BAD, "b.go": BAD, "c/d.go": BAD})
    os.chmod(os.path.join(top, "b.go"), 0)
    os.chmod(os.path.join(top, "c"), 0)
    try:
        if os.geteuid() == 0:  # root may read all: as somebody else
            os.chmod(TMP, 0o755)
            os.chmod(top, 0o755)
            user = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", TOCSIN, "check", "--no-config", "--no-cache", "--only", "R01"], cwd=top, env=ENV, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
            code, text = user.returncode, (user.stdout + user.stderr).decode("utf-8", "replace")
        else:
            ran = Ran(top, "--only", "R01")
            code, text = ran.code, ran.text
        check(code == 1 and text.count("[R01]") == 1 and "b.go" in text and "c: " in text, "a file and a folder that may not be read are named", (code, text))
    finally:
        os.chmod(os.path.join(top, "c"), 0o755)


# ---- what changes while it is read ----

def test_changing():
    top = tree("changing", {f"f{i}.go": BAD for i in range(200)} | {FLOW: JOB + "      - run: go test | cat\n" * 1000})
    stop = threading.Event()

    def shake():
        pick = random.Random(10)
        while not stop.is_set():
            path = os.path.join(top, f"f{pick.randrange(200)}.go")
            what = pick.randrange(5)
            try:
                if what == 0:
                    os.truncate(path, pick.randrange(60))
                elif what == 1:
                    os.unlink(path)
                elif what == 2:
                    os.unlink(path)
                    os.mkfifo(path)
                elif what == 3:
                    os.unlink(path)
                    os.mkdir(path)
                else:
                    if os.path.isdir(path):
                        os.rmdir(path)
                    elif os.path.exists(path):
                        os.unlink(path)
                    with open(path, "w", encoding="utf-8") as f:
                        f.write(BAD * pick.randrange(100))
            except OSError:
                pass

    shaker = threading.Thread(target=shake)
    shaker.start()
    try:
        runs = [Ran(top, "--only", "R01,S02", seconds=60) for _ in range(5 if SLOW else 30)]
    finally:
        stop.set()
        shaker.join()
    bad = [r for r in runs if r.code != 1]
    check(not bad, "files that shrink, vanish, or become a pipe or a folder while they are read", bad[0] if bad else "")


# ---- many, deep ----

def test_many():
    count = 100000 // SCALE
    top = tree("many", {"go.mod": "module m\n"})
    for i in range(count // 1000):
        os.mkdir(os.path.join(top, f"d{i}"))
        for k in range(1000):
            with open(os.path.join(top, f"d{i}", f"f{k}.go"), "w", encoding="utf-8") as f:
                f.write("package d\n")
    with open(os.path.join(top, "d0", "bad.go"), "w", encoding="utf-8") as f:
        f.write(BAD.replace("main", "d", 1))
    ran = Ran(top, "--only", "R01")
    check(ran.code == 1 and "[R01]" in ran.text and str(count + 2) in ran.text, f"{count} small files", ran)
    check(SLOW or (ran.seconds < 20 and ran.mib < 256), f"{count} small files: within 20 s and 256 MiB", ran)
    shutil.rmtree(top)


def test_deep():
    top = tree("deep", {"a.go": BAD})
    here = os.getcwd()
    os.chdir(top)
    for _ in range(500):
        os.mkdir("d")
        os.chdir("d")
    with open("b.go", "w", encoding="utf-8") as f:
        f.write(BAD)
    os.chdir(here)
    ran = Ran(top, "--only", "R01")
    check(ran.code == 1 and "d/d/d" in ran.text, "500 folders below one another: the first ones are looked at, the rest is named", ran)
    subprocess.run(["rm", "-rf", top], check=True)  # deeper than Python's own may go


# ---- names ----

NAMES = [b"new\nline.go", b"quote\"'`.go", b"esc\x1b[31m\x1b]0;x\x07.go", b"bad\xff\xfe.go", b"<xml>&.go", b"a%0A::error::b.go", b"\xe2\x80\xaertl.go", b"tab\tcr\r.go", b"del\x7f\xc2\x9b1m.go", b"-rf.go", b" blank .go"]


def test_names():
    top = os.fsencode(tree("names", {}))
    for name in NAMES:
        with open(os.path.join(top, name), "wb") as f:
            f.write(BAD.replace("defer recover()", "defer recover() // \x1b[2J\x07\x9b").encode("latin-1"))
    bad = sum(1 for _ in NAMES)
    ran = Ran(top, "--only", "R01")
    raw = set(ran.out + ran.err) & (set(range(32)) - {9, 10})
    check(ran.code == 1 and ran.text.count("[R01]") == bad and not raw, "text: every file has its finding, and no control byte goes out", (raw, ran))
    check(b"\xc2\x9b" not in ran.out and b"\xe2\x80\xae" not in ran.out, "text: nor what steers a terminal in UTF-8", ran)
    for line in ran.text.splitlines():
        if line.startswith("::"):
            check(False, "a name makes no line of its own", ran)
    for kind in ("json", "sarif", "gitlab", "rdjson"):
        ran = Ran(top, "--only", "R01", "--format", kind)
        try:
            text = ran.out.decode("utf-8")
            got = json.loads(text)
            found = {"json": lambda g: g["findings"], "sarif": lambda g: g["runs"][0]["results"], "gitlab": lambda g: g, "rdjson": lambda g: g["diagnostics"]}[kind](got)
        except (ValueError, KeyError) as e:
            text, found = str(e), []
        check(ran.code == 1 and len(found) == bad and not set(text) & {chr(i) for i in range(32) if i != 10}, f"{kind}: valid, whole, UTF-8", ran)
        if kind == "sarif":
            uris = [r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in found]
            check(len(set(uris)) == bad and all(c.isascii() and c.isprintable() and c not in ' "<>\\^`{|}' for u in uris for c in u), "sarif: URIs are percent-encoded", uris)
    ran = Ran(top, "--only", "R01", "--format", "rdjsonl")
    try:
        rows = [json.loads(line) for line in ran.out.decode("utf-8").splitlines()]
    except ValueError as e:
        rows = [str(e)]
    check(len(rows) == bad, "rdjsonl: a line each", ran)
    ran = Ran(top, "--only", "R01", "--format", "checkstyle")
    try:
        root = ET.fromstring(ran.out)
        check(len(root.findall("file")) == bad and len(root.findall("file/error")) == bad, "checkstyle: valid XML, a file each", ran)
    except ET.ParseError as e:
        check(False, "checkstyle: valid XML, a file each", (e, ran))
    ran = Ran(top, "--only", "R01", "--format", "github")
    rows = ran.out.decode("utf-8", "replace").splitlines()
    check(ran.code == 1 and sum(r.startswith("::error ") for r in rows) == min(bad, 10) and not any(r.startswith("::error::") for r in rows) and all(r.startswith(("::error ", "1 more ")) for r in rows),
          "github: commands of ours alone", ran)
    ran = Ran(top, "--only", "R01", "--baseline", "base", "--baseline-write")
    again = Ran(top, "--only", "R01", "--baseline", "base")
    check(again.code == 0 and "[R01]" not in again.text, "a baseline knows them again", (ran, again))


# ---- what it is told ----

def test_baseline():
    top = tree("baseline", {"a.go": BAD})
    with open(os.path.join(top, "base"), "w", encoding="utf-8") as f:
        f.write("# tocsin baseline 1\n" + lines(1000000, "R01 0123456789abcdef 1 f@.go\n"))
    ran = Ran(top, "--baseline", "base")
    check(ran.code == 1 and "[R01]" in ran.text and "stale" in ran.text, "a baseline of a million lines", ran)
    check(SLOW or (ran.seconds < 12 and ran.mib < 512), "a baseline of a million lines: within 12 s and 512 MiB", ran)
    for name, text in {"binary": of_bytes(1 << 16), "no head": "x\n", "half": "# tocsin baseline 1\nR01 0123", "count": "# tocsin baseline 1\nR01 0123456789abcdef 99999999999999999999 a.go\n", "nul": b"# tocsin baseline 1\nR01 0123456789abcdef 1 a\0.go\n"}.items():
        with open(os.path.join(top, "base"), "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        ran = Ran(top, "--only", "R01", "--baseline", "base")
        check(ran.code == 2 or name == "nul", f"a baseline that is none ({name}): exit 2, and it is named", ran)


def test_settings():
    for name, text in {"explode": laughs("[x]") + "check: {guards: *a29}\n", "deep": "check: " + "[" * 10000, "binary": of_bytes(1 << 16), "pattern": "check:\n  exclude: ['" + "*" * 5000 + "x']\n", "paths": "check:\n  paths:\n" + lines(20000, "    - path: 'd@/**'\n      rules: {R01: off}\n")}.items():
        top = tree(f"settings-{name}", {"a" * 200 + ".go": BAD, "tocsin.yaml": text})
        with tempfile.TemporaryFile() as out:
            child = subprocess.Popen([TOCSIN, "check", "--no-cache"], cwd=top, env=ENV, stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (60, 60)))
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            said = out.read().decode("utf-8", "replace")
        check(child.returncode in (0, 1, 2) and (SLOW or used.ru_utime + used.ru_stime < 4), f"a hostile tocsin.yaml ({name})", (child.returncode, used.ru_utime, said[-800:]))


try:
    for part in (test_rows, test_beside, test_bytes, test_kinds, test_no_permission, test_changing, test_many, test_deep, test_names, test_baseline, test_settings):
        if len(sys.argv) < 2 or part.__name__[5:] in sys.argv[1:]:
            part()
finally:
    subprocess.run(["chmod", "-R", "u+rwX", TMP], check=False, stderr=subprocess.DEVNULL)
    subprocess.run(["rm", "-rf", TMP], check=False)
done()
