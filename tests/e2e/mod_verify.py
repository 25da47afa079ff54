#!/usr/bin/env python3
# suite: limit 300
# suite: takes 40
"""tocsin mod verify: the module cache, vendor/ and go.sum of real go commands, and every way in which they can be wrong."""
import fcntl
import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
sys.dont_write_bytecode = True
import goproxy as gp  # noqa: E402
from tap import FULL, SLOW, TOCSIN, check, done  # noqa: E402

TMP = tempfile.mkdtemp(prefix="tocsin-verify-")
ESCAPED = "/tmp/tocsin-escaped"
A, B, UNUSED, DIRECT = "example.test/a", "example.test/Big/b", "example.test/unused", "example.test/direct"
proxy = gp.GoProxy()
FILES = {"a.go": "package a\n\nimport _ \"example.test/Big/b/sub\"\n", "doc.txt": "words\n", "deep/er/x.txt": "x" * 5000, "empty.txt": "", "LICENSE": "free\n",
         "gen.go": "//go:build ignore\n\npackage main\n", "a_test.go": "package a\n", "big.bin": os.urandom(1 << 20) * 3 + bytes(2 << 20)}
proxy.add(A, "v1.0.0", FILES, require=[f"{B} v1.2.0", f"{UNUSED} v1.0.0"])
proxy.add(B, "v1.2.0", {"b.go": "package b\n", "sub/sub.go": "package sub\n", "sub/data.txt": "data\n"}, require=[f"{UNUSED} v1.0.0"])
proxy.add(B, "v1.1.0", {"b.go": "package b\n"})
proxy.add(UNUSED, "v1.0.0")
proxy.add(DIRECT, "v1.0.0")
GOES = gp.goes()


def sh(argv, cwd, env, **how):
    return subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=120, **how)


class Place:
    """A project with a cache of its own, filled by a real go."""

    def __init__(self, name, go=GOES[0], requires=(f"{A} v1.0.0", f"{B} v1.2.0 // indirect"), fill=True, **more):
        self.at = os.path.join(TMP, name)
        self.env = proxy.env(go=go)
        self.cache, self.go = self.env["GOMODCACHE"], go
        proxy.write_project(self.at, requires, imports=False, **more)
        with open(os.path.join(self.at, "main.go"), "w", encoding="utf-8") as f:
            f.write(f'package main\n\nimport _ "{A}"\n\nfunc main() {{}}\n')
        if fill:
            r = sh(["go", "build", "-o", os.devnull, "./..."], self.at, self.env)
            if r.returncode:
                print("# go build:", r.stderr)
            self.bare = r.returncode == 0

    def zip(self, path, version, end="zip"):
        return os.path.join(self.cache, "cache/download", gp.escape(path), "@v", f"{gp.escape(version)}.{end}")

    def dir(self, path, version, *more):
        return os.path.join(self.cache, f"{gp.escape(path)}@{version}", *more)

    def verify(self, *more, cwd=None, **env):
        # Nothing of the network: what is wrong must be found without it.
        r = sh([TOCSIN, "mod", "verify", "--json", *more], cwd or self.at, dict(self.env, **{"GOPROXY": "off", **env}))
        try:
            self.said = json.loads(r.stdout)
            self.found = [(f["cause"], f["file"], f["line"], f["message"], f["severity"]) for f in self.said["findings"]]
        except (ValueError, KeyError):
            self.said, self.found = None, None
        self.text = r.stdout[-3000:] + r.stderr
        return r.returncode

    def has(self, cause, *words):
        return any(f[0] == cause and all(str(w) in " ".join(map(str, f)) for w in words) for f in self.found or [])

    def ours(self):
        return sh(["go", "mod", "verify"], self.at, self.env)


def put(file, data):
    os.makedirs(os.path.dirname(file), exist_ok=True)
    if os.path.exists(file):
        os.chmod(file, 0o644)
    with open(file, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())


def get(file):
    with open(file, "rb") as f:
        return f.read()


def state_of(folder):
    """Every file below it with its size and time: nothing may be written (but what `go list` does: a ziphash made anew, a lock)."""
    out = {}
    for top, _, files in os.walk(folder):
        for n in files:
            st = os.lstat(os.path.join(top, n))
            if not n.endswith((".ziphash", ".lock")):
                out[os.path.join(top, n)] = (st.st_mode, st.st_size, st.st_mtime_ns)
    return out


# ---- what is as it should be; with each go ----
for i, go in enumerate(GOES):
    p = Place(f"fine{i}", go)
    before = state_of(p.cache)
    code = p.verify()
    name = sh([go, "version"], TMP, p.env).stdout.split()[2]
    check(p.bare and code == 0 and p.found == [] and p.said["schema"] == "tocsin.check/1", f"{name}: nothing is wrong", p.text)
    check(p.said["checked"]["modules"] == 2 and p.said["checked"]["files"] >= 11 and p.said["checked"]["bytes"] > 5 << 20, f"{name}: what was checked is counted", p.text)
    check(state_of(p.cache) == before, f"{name}: nothing is written into the cache")
    check("needed: 1" in sh([TOCSIN, "mod", "verify"], p.at, p.env).stdout, f"{name}: a module that is not needed may be absent", p.text)
    shutil.rmtree(p.cache)
    code = p.verify()
    check(p.ours().returncode == 0 and code == 1 and p.has("mod.cache_missing", A + "@v1.0.0", "go.mod"), f"{name}: an empty cache does not pass, as it does for go mod verify", p.text)
    code = sh([TOCSIN, "mod", "verify"], p.at, p.env)
    check("go mod download" in code.stdout, f"{name}: and how to fetch it is said", code.stdout)

# ---- one thing wrong at a time ----
p = Place("p")
base = os.path.join(TMP, "base")
shutil.copytree(p.cache, base, symlinks=True)


def wrong(name, change, cause, *words, theirs=1, only=1, status=1):
    """theirs: what go mod verify makes of it."""
    shutil.rmtree(p.cache)
    shutil.copytree(base, p.cache, symlinks=True)
    change()
    before = state_of(p.cache)
    code = p.verify()
    check(code == status and p.has(cause, *words) and (only is None or len(p.found) == only), name, p.text)
    check(state_of(p.cache) == before, f"{name}: nothing is written")
    if FULL or theirs == 0:
        check(p.ours().returncode == theirs, f"{name}: go mod verify says {theirs}", p.ours())


wrong("an edited file is named", lambda: put(p.dir(A, "v1.0.0", "doc.txt"), "wordz\n"), "mod.cache_modified", p.dir(A, "v1.0.0", "doc.txt"), "edited")
wrong("one byte more", lambda: put(p.dir(A, "v1.0.0", "doc.txt"), "words\n\n"), "mod.cache_modified", "doc.txt")
wrong("one byte less", lambda: put(p.dir(A, "v1.0.0", "doc.txt"), "words"), "mod.cache_modified", "doc.txt")
wrong("an empty file that is not empty", lambda: put(p.dir(A, "v1.0.0", "empty.txt"), "x"), "mod.cache_modified", "empty.txt")
wrong("a file of 5 MiB, its last byte", lambda: put(p.dir(A, "v1.0.0", "big.bin"), proxy.module(A, "v1.0.0").files["big.bin"][:-1] + b"x"), "mod.cache_modified", "big.bin")
wrong("a file of 5 MiB, cut", lambda: put(p.dir(A, "v1.0.0", "big.bin"), proxy.module(A, "v1.0.0").files["big.bin"][:4 << 20]), "mod.cache_modified", "big.bin")
wrong("a missing file is named", lambda: os.unlink(p.dir(A, "v1.0.0", "deep/er/x.txt")), "mod.cache_modified", "deep/er/x.txt", "missing")
wrong("a surplus file is named", lambda: put(p.dir(A, "v1.0.0", "zz_evil.go"), "package a\n"), "mod.cache_modified", "zz_evil.go", "does not belong")
wrong("and one in a folder of its own", lambda: put(p.dir(A, "v1.0.0", "internal/evil/e.go"), "package evil\n"), "mod.cache_modified", "internal/evil/e.go")
wrong("several at once, each", lambda: (put(p.dir(A, "v1.0.0", "a.go"), "package a\n"), put(p.dir(B, "v1.2.0", "sub/sub.go"), "package sub // x\n"), os.unlink(p.dir(A, "v1.0.0", "LICENSE"))),
      "mod.cache_modified", "sub/sub.go", only=3)


def link():
    os.unlink(p.dir(A, "v1.0.0", "doc.txt"))
    os.symlink(p.dir(A, "v1.0.0", "LICENSE"), p.dir(A, "v1.0.0", "doc.txt"))


def fifo():
    os.unlink(p.dir(A, "v1.0.0", "doc.txt"))
    os.mkfifo(p.dir(A, "v1.0.0", "doc.txt"))


wrong("a symbolic link", link, "mod.cache_modified", "doc.txt", "symbolic link")
shutil.rmtree(p.cache)
shutil.copytree(base, p.cache)
fifo()
check(p.verify() == 1 and p.has("mod.cache_modified", "doc.txt", "no file"), "a pipe does not hang it", p.text)
for end in ("zip", "ziphash", "lock", "partial", "mod", "info"):
    shutil.rmtree(p.cache)
    shutil.copytree(base, p.cache)
    if os.path.exists(p.zip(A, "v1.0.0", end)):
        os.unlink(p.zip(A, "v1.0.0", end))
    os.mkfifo(p.zip(A, "v1.0.0", end))
    if end == "lock":
        put(p.dir(A, "v1.0.0", "doc.txt"), "x")
    code = p.verify()
    check(code == {"zip": 1, "ziphash": 1, "lock": 1, "mod": 2}.get(end, 0) and (code == 0 or "v1.0.0." + end in p.text or "doc.txt" in p.text), f"nor a pipe for the {end}", p.text)
for end in ("ziphash", "mod"):
    shutil.rmtree(p.cache)
    shutil.copytree(base, p.cache)
    os.unlink(p.zip(A, "v1.0.0", end))
    os.symlink("/dev/zero", p.zip(A, "v1.0.0", end))
    code = p.verify()
    check(code in (1, 2) and "v1.0.0." + end + "' is not a regular file" in p.text, f"an endless device for the {end}", p.text)
    os.unlink(p.zip(A, "v1.0.0", end))


def other_zip(**more):
    names = dict(proxy.module(A, "v1.0.0").names, **{f"{A}@v1.0.0/doc.txt": b"other\n"}, **more)
    put(p.zip(A, "v1.0.0"), gp.make_zip(names))
    return gp.h1(names)


wrong("another zip", other_zip, "mod.cache_modified", p.zip(A, "v1.0.0"), "was modified")
wrong("another zip with its ziphash: go.sum says no", lambda: put(p.zip(A, "v1.0.0", "ziphash"), other_zip()), "mod.checksum", "go.sum", "one of them is not what its author published", only=2)
wrong("zip, ziphash and folder are of another module", lambda: (put(p.zip(A, "v1.0.0", "ziphash"), other_zip()), put(p.dir(A, "v1.0.0", "doc.txt"), "other\n")),
      "mod.checksum", "go.sum", theirs=0, only=None)
wrong("a zip in another order is the same", lambda: (put(p.zip(A, "v1.0.0"), gp.make_zip(dict(reversed(proxy.module(A, "v1.0.0").names.items())))), put(p.dir(A, "v1.0.0", "doc.txt"), "x")),
      "mod.cache_modified", "doc.txt")
wrong("no ziphash", lambda: os.unlink(p.zip(A, "v1.0.0", "ziphash")), "mod.cache_modified", "v1.0.0.ziphash", "missing", status=0, theirs=0)
wrong("half a ziphash", lambda: put(p.zip(A, "v1.0.0", "ziphash"), proxy.module(A, "v1.0.0").h1[:20]), "mod.cache_modified", "v1.0.0.ziphash", "no hash", status=0, theirs=0)
wrong("an empty ziphash", lambda: put(p.zip(A, "v1.0.0", "ziphash"), ""), "mod.cache_modified", "v1.0.0.ziphash", "no hash", status=0, theirs=0)
wrong("a ziphash of something else", lambda: put(p.zip(A, "v1.0.0", "ziphash"), proxy.module(B, "v1.2.0").h1), "mod.cache_modified", "v1.0.0.ziphash", only=None)
wrong("no zip, and the folder was edited", lambda: (os.unlink(p.zip(A, "v1.0.0")), put(p.dir(A, "v1.0.0", "doc.txt"), "x")), "mod.cache_modified", p.dir(A, "v1.0.0"))
wrong("another go.mod in the cache", lambda: put(p.zip(B, "v1.2.0", "mod"), f"module {B}\n\ngo 1.18\n"), "mod.checksum", "go.mod of " + B, "go.sum", only=None)
wrong("a module that is needed is not there", lambda: (shutil.rmtree(p.dir(B, "v1.2.0")), os.unlink(p.zip(B, "v1.2.0")), os.unlink(p.zip(B, "v1.2.0", "ziphash"))),
      "mod.cache_missing", B + "@v1.2.0", theirs=0)

for name, change in {"only the zip is there": lambda: shutil.rmtree(p.dir(A, "v1.0.0")), "only the folder is there": lambda: os.unlink(p.zip(A, "v1.0.0")),
                     "a half-extracted folder that go makes anew": lambda: (put(p.zip(A, "v1.0.0", "partial"), ""), os.unlink(p.dir(A, "v1.0.0", "doc.txt")))}.items():
    shutil.rmtree(p.cache)
    shutil.copytree(base, p.cache)
    change()
    check(p.verify() == 0 and p.found == [], name, p.text)

# ---- hostile zips ----
lie = gp.make_zip(proxy.module(A, "v1.0.0").names)


def encrypted(data):
    at = data.index(b"PK\1\2")
    return data[:at + 8] + bytes([data[at + 8] | 1]) + data[at + 9:]


def other_size(data, by):
    out, at = bytearray(data), data.index(b"PK\1\2")
    name = f"{A}@v1.0.0/deep/er/x.txt".encode()
    at = data.index(name, at) - 46
    struct.pack_into("<I", out, at + 24, 5000 + by)
    return bytes(out)


def damaged(data):
    at = data.index(b"PK\3\4")
    n, m = struct.unpack_from("<HH", data, at + 26)
    return data[:at + 30 + n + m] + b"\xff\xff\xff" + data[at + 33 + n + m:]


def method(data, number):
    out, at = bytearray(data), data.index(b"PK\1\2")
    struct.pack_into("<H", out, at + 10, number)
    return bytes(out)


def sized(data, was, now):
    """The directory says another size."""
    at = data.index(b"PK\1\2")
    return data[:at] + data[at:].replace(struct.pack("<I", was), struct.pack("<I", now))


HOSTILE = {
    "leads out of the folder": (gp.zip_traversal(A, "v1.0.0"), "../../tmp/tocsin-escaped", "leads out of"),
    "an absolute path": (gp.make_zip([(f"{A}@v1.0.0/go.mod", b"module x\n"), (f"{A}@v1.0.0//etc/passwd", b"x")]), "absolute path", "passwd"),
    "a name outside of the module": (gp.zip_absolute(A, "v1.0.0"), "does not begin with", "tocsin-escaped"),
    "another module's name": (gp.zip_stray(A, "v1.0.0"), "elsewhere@v1.0.0/x.go", "does not begin with"),
    "names that differ in their case": (gp.zip_case(A, "v1.0.0"), "x.go", "X.GO", "upper and lower case"),
    "case of other letters": (gp.make_zip({f"{A}@v1.0.0/é.go": b"1", f"{A}@v1.0.0/É.go": b"2"}), "upper and lower case"),
    "a file and a folder of one name": (gp.make_zip({f"{A}@v1.0.0/x": b"1", f"{A}@v1.0.0/x/y": b"2"}), "both a file and a folder"),
    "a name twice": (gp.make_zip([(f"{A}@v1.0.0/x", b"1"), (f"{A}@v1.0.0/x", b"2")]), "twice"),
    "a symbolic link": (gp.zip_symlink(A, "v1.0.0"), "symbolic link", "/link"),
    "600 MiB of zeros": (sized(gp.make_zip({f"{A}@v1.0.0/zeros": bytes(1000)}), 1000, 600 << 20), "larger than 500 MiB"),
    "many MiB that say they are 1,000 bytes": (gp.zip_bomb(A, "v1.0.0", 600 if FULL else 20, lying=True), "/zeros", "more than it says"),
    "files of 600 MiB together": (sized(gp.make_zip({f"{A}@v1.0.0/{i}": bytes(1000) for i in range(6)}), 1000, 100 << 20), "more than 500 MiB"),
    "nothing": (b"", "is empty"),
    "HTML": (b"<html>log in</html>" * 100, "no end record"),
    "cut off": (lie[:-100], "end record"),
    "the first half": (lie[:len(lie) // 2], "end record"),
    "its middle cut out": (lie[:1000] + lie[-2000:], A),
    "encrypted": (encrypted(lie), "encrypted"),
    "an unknown compression": (method(lie, 93), "compressed in a way"),
    "damaged data": (damaged(lie), "its "),
    "a size too large": (other_size(lie, 1), "deep/er/x.txt", "less than it says"),
    "a size too small": (other_size(lie, -1), "deep/er/x.txt", "more than it says"),
    "a go.mod further down": (gp.make_zip({f"{A}@v1.0.0/sub/go.mod": b"module x\n"}), "sub/go.mod", "only at the top"),
    "a go.mod in capitals": (gp.make_zip({f"{A}@v1.0.0/GO.MOD": b"module x\n"}), "GO.MOD", "lower case"),
    "a newline in a name": (gp.make_zip({f"{A}@v1.0.0/a\nb": b""}), "no file of a module"),
    "a control character": (gp.make_zip({f"{A}@v1.0.0/a\x1b[2Jb": b""}), "no file of a module"),
}
if os.path.exists(ESCAPED):
    os.unlink(ESCAPED)
for name, (data, *words) in HOSTILE.items():
    shutil.rmtree(p.cache)
    shutil.copytree(base, p.cache)
    put(p.zip(A, "v1.0.0"), data)
    before = state_of(p.cache)
    r = None if SLOW else subprocess.run(["/usr/bin/time", "-q", "-f", "%M", "-o", os.path.join(TMP, "rss"), TOCSIN, "mod", "verify", "--json", "--threads", "1"], cwd=p.at, env=dict(p.env, GOPROXY="off"),
                       capture_output=True, text=True, check=False, timeout=120) if os.path.exists("/usr/bin/time") else None
    code = p.verify()
    check(code == 1 and p.has("mod.cache_modified", p.zip(A, "v1.0.0"), *words) and "\x1b" not in p.text, f"hostile zip: {name}", p.text)
    check(state_of(p.cache) == before and not os.path.exists(ESCAPED), f"hostile zip: {name}: nothing is written")
    if r:
        rss = int(get(os.path.join(TMP, "rss")).split()[-1])
        # An instrumented build needs more by itself.
        check(rss < 64 << 10 or "asan" in TOCSIN, f"hostile zip: {name}: bounded memory", f"{rss} KiB")

# ---- zips that are unusual, and good ----
def descriptors(names):
    """As a program makes that cannot seek: sizes behind the data."""
    class Pipe(io.RawIOBase):
        def __init__(self):
            super().__init__()
            self.data = bytearray()

        def writable(self):
            return True

        def write(self, b):
            self.data += b
            return len(b)
    out = Pipe()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for n, d in names.items():
            z.writestr(n, d)
    return bytes(out.data)


def zip64(names):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for n, d in names.items():
            with z.open(zipfile.ZipInfo(n), "w", force_zip64=True) as f:
                f.write(d)
    data = out.getvalue()  # and an end record that says: see the one of zip64
    at = data.index(b"PK\5\6")
    count, size, offset = struct.unpack_from("<HII", data, at + 10)
    end64 = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, offset)
    return data[:at] + end64 + struct.pack("<4sIQI", b"PK\6\7", 0, at, 1) + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 0xffff, 0xffff, 0xffffffff, 0xffffffff, 0)


names = proxy.module(A, "v1.0.0").names
for name, data in {"data descriptors": descriptors(names), "zip64": zip64(names), "stored": gp.make_zip(names, zipfile.ZIP_STORED), "something before it": b"#!/bin/sh\n" * 100 + lie,
                   "a comment behind it": lie[:-2] + struct.pack("<H", 3000) + b"PK\5\6" * 750}.items():
    shutil.rmtree(p.cache)
    shutil.copytree(base, p.cache)
    put(p.zip(A, "v1.0.0"), data)
    code, theirs = p.verify(), p.ours().returncode
    check((code, theirs) in ((0, 0), (1, 1)) and (code == 0) == (name != "a comment behind it" or theirs == 0), f"a good zip: {name}, as go mod verify", p.text + str(theirs))
shutil.rmtree(p.cache)
shutil.copytree(base, p.cache)

# ---- go.sum ----
keep = get(os.path.join(p.at, "go.sum")).decode()
put(os.path.join(p.at, "go.sum"), keep.replace(proxy.module(A, "v1.0.0").h1, proxy.module(B, "v1.2.0").h1))
line = [i for i, x in enumerate(get(os.path.join(p.at, "go.sum")).decode().splitlines(), 1) if x.startswith(A + " v1.0.0 h1")][0]
check(p.verify() == 1 and p.has("mod.checksum", "go.sum", A) and [f[2] for f in p.found if f[0] == "mod.checksum"] == [line], "a line of go.sum was changed", p.text)
put(os.path.join(p.at, "go.sum"), keep.replace("\n", "\r\n"))
check(p.verify() == 0, "go.sum with CRLF", p.text)
put(os.path.join(p.at, "go.sum"), keep + "<<<<<<< HEAD\n\0\n" + "x " * 100 + "\n")
line = len(keep.splitlines()) + 1
check(p.verify() == 1 and [f[:3] for f in p.found if f[4] == "error"] == [("mod.syntax", "go.sum", line)] and "3 lines" in p.text, "lines that are none: go refuses the file, and so it is said", p.text)
put(os.path.join(p.at, "go.sum"), "")
check(p.verify() == 0 and "ziphash alone: 2" in sh([TOCSIN, "mod", "verify"], p.at, p.env).stdout, "without go.sum: against ziphash alone, and that is said", p.text)
put(os.path.join(p.at, "go.sum"), keep)

# ---- another go that writes ----
lock = p.zip(A, "v1.0.0", "lock")
doc = p.dir(A, "v1.0.0", "doc.txt")
put(lock, "")


def writer(hold):
    with open(lock, "r+b") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        os.chmod(os.path.dirname(doc), 0o755)
        os.unlink(doc)
        ready.set()
        time.sleep(hold)
        put(doc, "words\n")


ready = threading.Event()
t = threading.Thread(target=writer, args=(1.5,))
t.start()
ready.wait()
code = p.verify()
t.join()
check(code == 0 and p.found == [], "a module that another go is writing is waited for", p.text)
if FULL:
    ready = threading.Event()
    t = threading.Thread(target=writer, args=(14,))
    t.start()
    ready.wait()
    code = p.verify()
    t.join()
    check(code == 0 and p.found == [] and any("another go" in x for x in p.said["limits"]), "and when it takes too long, that is said: no false alarm", p.text)

# ---- replacements ----
q = Place("replaced", requires=[f"{A} v1.0.0", f"{B} v1.1.0"], more=f"replace {B} v1.2.0 => ./local")
put(os.path.join(q.at, "local/go.mod"), f"module {B}\n\ngo 1.19\n")
put(os.path.join(q.at, "local/sub/sub.go"), "package sub\n")
sh(["go", "mod", "tidy"], q.at, q.env)
sh(["go", "mod", "download"], q.at, q.env)
check(q.verify() == 0 and "by folders: 1" in sh([TOCSIN, "mod", "verify"], q.at, q.env).stdout, "a module replaced by a folder is counted", q.text)
proxy.add("example.test/fork", "v1.5.0", {"b.go": "package b\n", "sub/sub.go": "package sub\n"})
q = Place("forked", requires=[f"{A} v1.0.0"], more=f"replace {B} => example.test/fork v1.5.0", fill=False)
sh(["go", "mod", "tidy"], q.at, q.env)
sh(["go", "build", "-o", os.devnull, "."], q.at, q.env)
check(q.verify() == 0 and q.said["checked"]["modules"] == 2, "a replacement by a module is verified in its place", q.text)
put(q.dir("example.test/fork", "v1.5.0", "sub/sub.go"), "package sub // x\n")
check(q.verify() == 1 and q.has("mod.cache_modified", "example.test/fork@v1.5.0/sub/sub.go"), "and its files are named", q.text)

# ---- vendor/ ----
for i, go in enumerate(GOES):
    v = Place(f"vendored{i}", go)
    r = sh(["go", "mod", "vendor"], v.at, v.env)
    vendor = os.path.join(v.at, "vendor")
    check(r.returncode == 0 and v.verify() == 0 and v.found == [], f"{os.path.basename(os.path.dirname(os.path.dirname(go)))}: vendor/ as go makes it", v.text + r.stderr)
fresh = os.path.join(TMP, "vendor-fresh")
shutil.copytree(vendor, fresh)
CASES = {
    "an edited file": (lambda: put(f"{vendor}/{A}/a.go", "package a // x\n"), f"vendor/{A}/a.go", "edited", 1),
    "a missing file": (lambda: os.unlink(f"{vendor}/{B}/sub/sub.go"), f"vendor/{B}/sub/sub.go", "missing", 1),
    "a surplus file": (lambda: put(f"{vendor}/{A}/evil.go", "package a\n"), f"vendor/{A}/evil.go", "does not belong", 1),
    "a package of no module": (lambda: put(f"{vendor}/example.test/evil/e.go", "package e\n"), "vendor/example.test/evil/e.go", "no module", 1),
    "a surplus file that go does not build": (lambda: put(f"{vendor}/{A}/BUILD.bazel", "x\n"), "BUILD.bazel", "does not belong", 0),
    "line ends": (lambda: put(f"{vendor}/{A}/doc.txt", "words\r\n"), f"vendor/{A}/doc.txt", "line ends", 1),
    "another version in modules.txt": (lambda: put(f"{vendor}/modules.txt", get(f"{fresh}/modules.txt").decode().replace("b v1.2.0", "b v1.1.0")), "vendor/modules.txt", "v1.1.0", 1),
    "a module that modules.txt lacks": (lambda: put(f"{vendor}/modules.txt", re.sub(r"# example.test/Big.*\n.*\n.*\n", "", get(f"{fresh}/modules.txt").decode())), "go.mod", "explicit", 1),
}
for name, (change, file, word, code) in CASES.items():
    shutil.rmtree(vendor)
    shutil.copytree(fresh, vendor)
    change()
    got = v.verify()
    check(got == code and v.has("mod.vendor", file, word), f"vendor/: {name}", v.text)
    if not SLOW:  # what go itself says needs no second look
        check(v.ours().returncode == 0 or "modules.txt" in file or "go.mod" in file, f"vendor/: {name}: which go mod verify does not see")
shutil.rmtree(vendor)
shutil.copytree(fresh, vendor)
put(os.path.join(v.cache, "x"), "")
shutil.rmtree(v.cache)
check(v.verify() == 0 and any("could not be compared" in x for x in v.said["limits"]), "vendor/ without a cache: nothing is missing, and what could not be compared is said", v.text)
shutil.rmtree(f"{vendor}/{B}")
check(v.verify() == 1 and v.has("mod.cache_missing", B), "a module that neither has is missing", v.text)

# ---- a workspace ----
w = os.path.join(TMP, "work")
env = proxy.env(go=GOES[0])
proxy.write_project(os.path.join(w, "one"), [f"{A} v1.0.0"], path="example.test/one")
proxy.write_project(os.path.join(w, "two"), [f"{B} v1.1.0"], path="example.test/two")
put(os.path.join(w, "go.work"), "go 1.19\n\nuse (\n\t./one\n\t./two\n)\n")
r = sh(["go", "build", "-o", os.devnull, "./one", "./two"], w, env)
x = Place("work-place", fill=False)
x.at, x.env, x.cache = w, env, env["GOMODCACHE"]
check(r.returncode == 0 and x.verify() == 0 and x.said["checked"]["modules"] == 2, "a workspace: one build list", x.text + r.stderr)
put(x.dir(B, "v1.2.0", "b.go"), "package b // x\n")
check(x.verify(cwd=os.path.join(w, "two")) == 1 and x.has("mod.cache_modified", "b@v1.2.0/b.go"), "from a member too", x.text)
check(x.verify(cwd=os.path.join(w, "two"), GOWORK="off") == 1 and x.has("mod.cache_missing", B + "@v1.1.0"), "GOWORK=off is another build list", x.text)

# No build list is known of what go cannot read, and a folder that is not there is no lack of go.
bad = os.path.join(TMP, "bad")
for name, text, says in (("merge marks", "<<<<<<< HEAD\nmodule m\n=======\nmodule n\n>>>>>>> x\n", "go.mod:1:1"), ("an empty go.mod", "", "no module line"), ("a branch for a version", "module m\n\nrequire a.test/b main\n", "go.mod:3")):
    put(os.path.join(bad, "go.mod"), text)
    r = sh([TOCSIN, "mod", "verify"], bad, env)
    check(r.returncode == 2 and says in r.stderr, f"{name}: refused, not passed", r.stdout + r.stderr)
for name in ("nowhere", "bad/go.mod"):
    r = sh([TOCSIN, "mod", "verify", os.path.join(TMP, name)], bad, env)
    check(r.returncode == 2 and r.stderr.startswith("tocsin: open '"), f"verify {name}: said plainly", r.stdout + r.stderr)
# A member that another one requires and replaces is named in modules.txt, without packages, and is no module of the build list.
if sh(["go", "work", "vendor", "-h"], w, env).returncode == 2 and "usage: go work vendor" in sh(["go", "work", "vendor", "-h"], w, env).stderr:
    with open(os.path.join(w, "one", "go.mod"), "a", encoding="utf-8") as f:
        f.write("\nrequire example.test/two v0.0.0\n\nreplace example.test/two v0.0.0 => ../two\n")
    put(os.path.join(w, "go.work"), "go 1.22\n\nuse (\n\t./one\n\t./two\n)\n")
    put(x.dir(B, "v1.2.0", "b.go"), "package b\n")
    r = sh(["go", "work", "vendor"], w, env)
    named = "# example.test/two v0.0.0 => ./two" in get(os.path.join(w, "vendor/modules.txt")).decode()
    check(r.returncode == 0 and named and x.verify() == 0, "go work vendor: members and versions that are required and not built are recorded, and that is well", x.text + r.stderr)
    put(os.path.join(w, "vendor", B, "b.go"), "package b // x\n")
    check(x.verify() == 1 and x.has("mod.vendor", "b.go"), "and what is vendored is compared", x.text)

# ---- the checksum database ----
db = gp.SumDB("sum.test").fill(300)
db.add_from(proxy)
proxy.sumdbs["sum.test"] = db
s = Place("sumdb")
ON = {"GOSUMDB": db.key, "GOPROXY": proxy.http}
state = os.path.join(s.env["HOME"], "state")
code = s.verify("--sumdb", XDG_STATE_HOME=state, **ON)
check(code == 0 and os.path.exists(os.path.join(state, "tocsin/sumdb/sum.test.tree")), "the checksum database vouches for each line", s.text)
check("vouches for: 3" in sh([TOCSIN, "mod", "verify", "--sumdb"], s.at, dict(s.env, XDG_STATE_HOME=state, **ON)).stdout, "and they are counted")
mirror = os.path.join(TMP, "mirror")
db.write(mirror)
code = s.verify("--sumdb-from", mirror, XDG_STATE_HOME=state, GOSUMDB=db.key)
check(code == 0, "a recorded mirror, offline", s.text)
code = s.verify("--sumdb", XDG_STATE_HOME=state, GOSUMDB=db.key + " " + proxy.http + "/database/sum.test", GOPROXY="off")
check(code == 0, "GOSUMDB with an address", s.text)
tree = os.path.join(TMP, "tree")
os.makedirs(os.path.join(tree, "sumdb/sum.test"))
put(os.path.join(tree, "sumdb/sum.test/supported"), "")
db.write(os.path.join(tree, "sumdb/sum.test"))
code = s.verify("--sumdb", XDG_STATE_HOME=state, GOSUMDB=db.key, GOPROXY=f"file://{TMP}/nowhere|file://{tree}")
check(code == 0, "by way of the second proxy", s.text)
db.fill(400, "later.test/f")
code = s.verify("--sumdb", XDG_STATE_HOME=state, **ON)
check(code == 0, "the database has grown since", s.text)
for lie_, words in {"record": "", "signature": "", "unsigned": "", "tile": "", "missing-tile": "", "other": "", "forked": "", "shrunk": "", "html": "", "unknown": "does not know", "broken": "500"}.items():
    db.lie = lie_
    # What it was shown before must not help it.
    code = s.verify("--sumdb", XDG_STATE_HOME=state if lie_ in ("forked", "shrunk") else state + lie_, **ON)
    if lie_ == "shrunk":  # an older tree of the same history is no lie by itself; a record that it does not hold is one
        check(code in (0, 1), "a database that shows an older tree", s.text)
    else:
        check(code == 1 and (s.has("mod.sumdb", words) or s.has("mod.checksum", words)), f"a database that lies: {lie_}", s.text)
db.lie = None
m = proxy.module(B, "v1.2.0")
text = get(os.path.join(s.at, "go.sum")).decode()
put(os.path.join(s.at, "go.sum"), text.replace(m.mod_h1, proxy.module(A, "v1.0.0").mod_h1))
code = s.verify("--sumdb", XDG_STATE_HOME=state, **ON)
check(code == 1 and s.has("mod.checksum", B, "go.sum"), "a line that the database contradicts", s.text)
put(os.path.join(s.at, "go.sum"), text)
code = s.verify("--sumdb", XDG_STATE_HOME=state, GONOSUMDB="example.test", GOPROXY="off", GOSUMDB=db.key)
check(code == 0, "GONOSUMDB: nobody is asked", s.text)
code = s.verify("--sumdb", XDG_STATE_HOME=state, GOPRIVATE="example.test/a,*.test/Big", GOPROXY=proxy.http, GOSUMDB=db.key)
check(code == 0, "GOPRIVATE", s.text)
r = sh([TOCSIN, "mod", "verify", "--sumdb"], s.at, dict(s.env, GOSUMDB="off"))
check(r.returncode == 2 and "GOSUMDB=off" in r.stderr, "GOSUMDB=off: it cannot be asked", r.stderr)
r = sh([TOCSIN, "mod", "verify", "--sumdb"], s.at, dict(s.env, GOSUMDB=db.key, GOPROXY="http://127.0.0.1:9,direct", XDG_STATE_HOME=state))
check(r.returncode == 2 and "127.0.0.1:9" in r.stderr, "a proxy that is down", r.stderr)

# ---- usage ----
r = sh([TOCSIN, "mod", "verify"], TMP, p.env)
check(r.returncode == 2 and "go.mod" in r.stderr, "no module here", r.stderr)
r = sh([TOCSIN, "mod", "verify", "--lang", "zh"], p.at, p.env)
check(r.returncode == 0 and "已校验模块" in r.stdout, "in Chinese", r.stdout + r.stderr)
r = sh([TOCSIN, "mod", "verify", "a", "b"], p.at, p.env)
check(r.returncode == 2, "one folder at most", r.stderr)
for n in (1, 2, 7):
    check(p.verify("--threads", str(n)) == 0, f"{n} threads", p.text)

proxy.close() if hasattr(proxy, "close") else None
subprocess.run(["chmod", "-R", "u+w", TMP], check=False)
shutil.rmtree(TMP, ignore_errors=True)
done()
