#!/usr/bin/env python3
# suite: limit 120
# suite: takes 17
"""tocsin mod sign, mod verify-signature and run --require-signed: with openssl on the other side."""
import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
sys.dont_write_bytecode = True
from tap import TOCSIN, check, done  # noqa: E402

TMP = tempfile.mkdtemp(prefix="tocsin-sign-")
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "TOCSIN_", "GIT_")) and k not in ("CI", "GOFLAGS", "GOWORK")}
ENV.update(LC_ALL="C.UTF-8", HOME=TMP, XDG_CONFIG_HOME=os.path.join(TMP, "config"), GIT_AUTHOR_NAME="t", GIT_AUTHOR_EMAIL="t@example.com",
           GIT_COMMITTER_NAME="t", GIT_COMMITTER_EMAIL="t@example.com", GIT_CONFIG_GLOBAL="/dev/null")
SUM = "example.com/a v1.0.0 h1:" + base64.b64encode(b"a" * 32).decode() + "\n" + "example.com/a v1.0.0/go.mod h1:" + base64.b64encode(b"b" * 32).decode() + "\n"


def sh(*argv, cwd=TMP, env=None, **how):
    return subprocess.run(argv, cwd=cwd, env=dict(ENV, **(env or {})), capture_output=True, text=True, check=False, timeout=60, **how)


def put(*path_and_text):
    *path, text = path_and_text
    file = os.path.join(TMP, *path)
    os.makedirs(os.path.dirname(file), exist_ok=True)
    with open(file, "w", encoding="utf-8", newline="") as f:
        f.write(text)
    return file


def read(*path):
    with open(os.path.join(TMP, *path), "rb") as f:
        return f.read()


KEYS = {}
for name, args in {"ed": ["ed25519"], "p256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "other": ["ed25519"], "p384": ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
                   "rsa": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]}.items():
    sh("openssl", "genpkey", "-algorithm", *args, "-out", name + ".pem")
    sh("openssl", "pkey", "-in", name + ".pem", "-pubout", "-out", name + ".pub")
    KEYS[name] = (os.path.join(TMP, name + ".pem"), os.path.join(TMP, name + ".pub"))
sh("openssl", "pkcs8", "-topk8", "-in", "ed.pem", "-out", "locked.pem", "-passout", "pass:open sesame")
sh("openssl", "ec", "-in", "p256.pem", "-out", "sec1.pem")


def project(name):
    put(name, "go.mod", "module example.com/m\n\ngo 1.19\n\nrequire example.com/a v1.0.0\n")
    put(name, "go.sum", SUM)
    at = os.path.join(TMP, name)
    sh("git", "init", "-q", "-b", "main", cwd=at)
    sh("git", "add", "-A", cwd=at)
    sh("git", "commit", "-qm", "one", cwd=at)
    return at


def commit(at, text):
    sh("git", "add", "-A", cwd=at)
    sh("git", "commit", "-qm", text, cwd=at)


def sign(at, key="ed", *more, **how):
    return sh(TOCSIN, "mod", "sign", "--key", KEYS[key][0] if key in KEYS else key, *more, cwd=at, **how)


def verify(at, *keys, more=(), **how):
    flags = [w for k in (keys or ("ed",)) for w in ("--key", KEYS[k][1] if k in KEYS else k)]
    r = sh(TOCSIN, "mod", "verify-signature", *flags, "--json", *more, cwd=at, **how)
    try:
        return r, [(f["cause"], f["file"], f["line"], f["message"]) for f in json.loads(r.stdout)["findings"]]
    except (ValueError, KeyError):
        return r, None


def has(found, *words):
    return any(all(str(w) in " ".join(map(str, f)) for w in words) for f in found or [])


# ---- both kinds of key, and openssl on the other side ----
for kind in ("ed", "p256"):
    at = project("m-" + kind)
    r, found = verify(at, kind)
    check(r.returncode == 1 and has(found, "nothing is signed"), f"{kind}: without a statement it does not hold", r.stdout + r.stderr)
    r = sign(at, kind)
    check(r.returncode == 0 and os.path.exists(os.path.join(at, "tocsin/signed/0001.json.sig")), f"{kind}: signed", r.stdout + r.stderr)
    r, found = verify(at, kind)
    check(r.returncode == 0 and found == [], f"{kind}: it holds", r.stdout + r.stderr)
    der = base64.b64decode(read("m-" + kind, "tocsin/signed/0001.json.sig"), validate=False)
    put("sig.der", "")
    with open(os.path.join(TMP, "sig.der"), "wb") as f:
        f.write(der)
    statement = os.path.join(at, "tocsin/signed/0001.json")
    if kind == "p256":
        r = sh("openssl", "dgst", "-sha256", "-verify", KEYS[kind][1], "-signature", "sig.der", statement)
    else:
        r = sh("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", KEYS[kind][1], "-rawin", "-in", statement, "-sigfile", "sig.der")
    check(r.returncode == 0, f"{kind}: openssl verifies our signature", r.stdout + r.stderr)
    if kind == "p256":
        r = sh("openssl", "dgst", "-sha256", "-sign", KEYS[kind][0], "-out", "sig.der", statement)
    else:
        r = sh("openssl", "pkeyutl", "-sign", "-inkey", KEYS[kind][0], "-rawin", "-in", statement, "-out", "sig.der")
    put("m-" + kind, "tocsin/signed/0001.json.sig", base64.b64encode(read("sig.der")).decode())
    r, found = verify(at, kind)
    check(r.returncode == 0, f"{kind}: we verify openssl's signature", r.stdout + r.stderr)
    r, found = verify(at, "other")
    check(r.returncode == 1 and has(found, "none of the"), f"{kind}: another key does not do", r.stdout + r.stderr)
    r, found = verify(at, "other", kind)
    check(r.returncode == 0, f"{kind}: one of several keys does", r.stdout + r.stderr)
    said = json.loads(read("m-" + kind, "tocsin/signed/0001.json"))
    check(said["schema"] == "tocsin.modules/1" and said["module"] == "example.com/m" and said["previous"] is None and
          said["commit"] == sh("git", "rev-parse", "HEAD", cwd=at).stdout.strip() and
          {f["path"]: f["sha256"] for f in said["files"]} == {n: hashlib.sha256(read("m-" + kind, n)).hexdigest() for n in ("go.mod", "go.sum")},
          f"{kind}: the statement says what it must", json.dumps(said, indent=1))

# ---- the same files, signed again ----
at = project("again")
sign(at)
commit(at, "signed")
r = sign(at, "p256")
check(r.returncode == 0 and os.path.exists(os.path.join(at, "tocsin/signed/0002.json")) and verify(at, "p256")[0].returncode == 0, "another key signs the same files again", r.stdout + r.stderr)
commit(at, "signed by another key")
sh("git", "checkout", "-q", "--orphan", "squashed", cwd=at)
commit(at, "all in one")
r, found = verify(at, "p256")
check(r.returncode == 1 and has(found, "no ancestor"), "a squashed history is another one", found)
r = sign(at, "p256")
check(r.returncode == 0 and os.path.exists(os.path.join(at, "tocsin/signed/0003.json")) and verify(at, "p256")[0].returncode == 0, "which a new statement mends", r.stdout + r.stderr)

# ---- what changed, exactly ----
at = project("m")
sign(at)
commit(at, "signed")
r = sign(at)
check(r.returncode == 0 and "nothing changed" in r.stdout and not os.path.exists(os.path.join(at, "tocsin/signed/0002.json")), "nothing new is not signed again", r.stdout)
put("m", "go.sum", SUM.replace("example.com/a v1.0.0 h1:Y", "example.com/a v1.0.0 h1:Z"))
r, found = verify(at)
check(r.returncode == 1 and has(found, "go.sum", "line 1 came after", "h1:Z") and has(found, "line 1 as it was signed is gone: example.com/a v1.0.0 h1:Y") and len(found) == 2,
      "the changed line is named, and what it was", found)
check(all(c == "mod.signature" for c, *_ in found), "under its cause", found)
put("m", "go.sum", SUM + "example.com/evil v1.0.0 h1:x\n")
r, found = verify(at)
check(len(found) == 1 and found[0][1:3] == ("go.sum", 3), "a line that came", found)
put("m", "go.sum", SUM.splitlines(True)[1])
r, found = verify(at)
check(len(found) == 1 and has(found, "line 1 as it was signed is gone"), "a line that went", found)
put("m", "go.sum", SUM[:-1])
r, found = verify(at)
check(len(found) == 1 and has(found, "end of its last line"), "a newline that went", found)
put("m", "go.sum", SUM.replace("\n", "\r\n"))
r, found = verify(at)
check(r.returncode == 1 and len(found) == 4, "CRLF", found)
put("m", "go.sum", "".join(f"example.com/n{i} v1.0.0 h1:x\n" for i in range(100)))
r, found = verify(at)
check(len(found) == 21 and has(found, "82 more lines"), "many lines are counted", found)
put("m", "go.sum", SUM)
put("m", "go.work", "go 1.19\n\nuse .\n\nreplace example.com/a => example.com/b v1.0.0\n")
r, found = verify(at)
check(has(found, "go.work", "no statement covers") and has(found, "go.work", 5, "replacement of example.com/a is not signed"), "a go.work that came in between", found)
r, found = verify(at, env={"GOWORK": "off"})
check(r.returncode == 0, "it counts for nothing with GOWORK=off", found)
os.unlink(os.path.join(at, "go.work"))
put("m", "go.mod", "module example.com/m\n\ngo 1.19\n\nrequire example.com/a v1.0.0\n\nreplace example.com/a => ../elsewhere\n")
r = sign(at)
r, found = verify(at)
check(has(found, "go.mod", 7, "folder outside of the repository"), "a replacement by a folder outside is never covered", found)

# ---- the chain ----
at = project("chain")
sign(at)
put("chain", "go.mod", "module example.com/m\n\ngo 1.20\n\nrequire example.com/a v1.0.0\n")
sign(at, "p256")
put("chain", "go.mod", "module example.com/m\n\ngo 1.21\n\nrequire example.com/a v1.0.0\n")
sign(at)
two = json.loads(read("chain", "tocsin/signed/0002.json"))
check(two["previous"] == "sha256:" + hashlib.sha256(read("chain", "tocsin/signed/0001.json")).hexdigest(), "a statement names the one before")
r, found = verify(at)
check(r.returncode == 0, "three in a chain", found)
keep = read("chain", "tocsin/signed/0002.json")
with open(os.path.join(at, "tocsin/signed/0002.json"), "wb") as f:
    f.write(keep.replace(b"1970", b"1971").replace(b'"created": "2', b'"created": "3'))
r, found = verify(at)
check(r.returncode == 1 and has(found, "0003.json", "chain is broken"), "a statement in the middle cannot be changed", found)
with open(os.path.join(at, "tocsin/signed/0002.json"), "wb") as f:
    f.write(keep)
with open(os.path.join(at, "tocsin/signed/0003.json"), "ab") as f:
    f.write(b" ")
r, found = verify(at)
check(r.returncode == 1 and has(found, "0003.json", "none of the"), "nor the newest", found)
for name, text in {"not JSON": "hello", "another schema": '{"schema": "x/1", "files": []}', "a key twice": '{"schema": "tocsin.modules/1", "module": "a", "module": "b", "files": []}',
                   "a NUL": '{"schema": "tocsin.modules/1", "module": "a\\u0000b", "files": []}', "cut": '{"schema": "tocsin.modules/1", "fil'}.items():
    put("chain", "tocsin/signed/0003.json", text)
    r, found = verify(at)
    check(r.returncode == 1 and has(found, "0003.json", "is no statement"), f"a statement that is none: {name}", r.stdout + r.stderr)

# ---- another history ----
at = project("history")
sh("git", "switch", "-qc", "side", cwd=at)
put("history", "x.txt", "x\n")
commit(at, "side")
sign(at)
keep = {n: read("history", "tocsin/signed", n) for n in ("0001.json", "0001.json.sig")}
commit(at, "signed")
sh("git", "switch", "-q", "main", cwd=at)
for n, text in keep.items():
    put("history", "tocsin/signed", n, text.decode())
r, found = verify(at)
check(r.returncode == 1 and has(found, "no ancestor"), "a statement of another branch does not hold here", found)

# ---- keys ----
at = project("keys")
for key, words in {"rsa": "only Ed25519 and ECDSA P-256", "p384": "only Ed25519 and ECDSA P-256", KEYS["ed"][1]: "signing needs the private one",
                   os.path.join(TMP, "locked.pem"): "is encrypted", os.path.join(TMP, "chain/go.mod"): "holds no key in PEM", "/nonexistent": "/nonexistent"}.items():
    r = sign(at, key)
    check(r.returncode == 2 and words in r.stderr, f"a key that cannot sign: {words}", r.stdout + r.stderr)
r = sign(at, os.path.join(TMP, "locked.pem"), "--password", "env:PW", env={"PW": "wrong one"})
check(r.returncode == 2 and "is the password right" in r.stderr, "a wrong password", r.stderr)
r = sign(at, os.path.join(TMP, "locked.pem"), "--password", "open sesame")
check(r.returncode == 2 and "open sesame" not in r.stderr, "a password on the command line is refused, and not shown", r.stderr)
r = sign(at, os.path.join(TMP, "locked.pem"), "--password", "env:PW", env={"PW": "open sesame"})
check(r.returncode == 0, "an encrypted key with its password", r.stderr)
put("keys", "go.sum", SUM + SUM.replace("example.com/a", "example.com/b"))
r = sign(at, os.path.join(TMP, "sec1.pem"))
check(r.returncode == 0 and verify(at, "p256")[0].returncode == 0, "a SEC 1 key", r.stderr)

# ---- the gate ----
at = project("gate")
sign(at)
commit(at, "signed")
GATE = [TOCSIN, "run", "--no-store", "--report", "r.json", "--require-signed", "--signed-by", KEYS["ed"][1], "--"]
r = sh(*GATE, "touch", "ran", cwd=at)
check(r.returncode == 0 and os.path.exists(os.path.join(at, "ran")), "what is signed is run", r.stderr)
os.unlink(os.path.join(at, "ran"))
r = sh(*GATE, "touch", "-modfile=other.mod", cwd=at)
check(r.returncode == 1 and "-modfile=other.mod" in r.stderr, "-modfile goes round what was signed", r.stderr)
r = sh(*GATE, "touch", "ran", cwd=at, env={"GOFLAGS": "-overlay=o.json"})
check(r.returncode == 1 and not os.path.exists(os.path.join(at, "ran")), "so does an overlay in GOFLAGS", r.stderr)
put("gate", "go.sum", SUM + "example.com/evil v1.0.0 h1:x\n")
r = sh(*GATE, "touch", "ran", cwd=at)
report = json.loads(read("gate", "r.json"))
check(r.returncode == 1 and not os.path.exists(os.path.join(at, "ran")), "what changed is not run", r.stderr)
check(report["verdict"]["outcome"] == "not_started" and report["verdict"]["cause"] == "mod.signature" and report["findings"][0]["line"] == 3,
      "and the report says why", json.dumps(report["verdict"]))
check("example.com/evil" in r.stderr, "and the line is shown", r.stderr)
r = sh(TOCSIN, "run", "--no-store", "--require-signed", "--", "touch", "ran", cwd=at)
check(r.returncode == 2 and "--signed-by" in r.stderr and not os.path.exists(os.path.join(at, "ran")), "without a key it is not run either", r.stderr)
put("gate", "tocsin.yaml", f"signed_by: [{KEYS['ed'][1]}]\n")
r = sh(TOCSIN, "run", "--no-store", "--require-signed", "--", "touch", "ran", cwd=at)
check(r.returncode == 2 and not os.path.exists(os.path.join(at, "ran")), "a key that the tree itself names does not count", r.stderr)
os.unlink(os.path.join(at, "tocsin.yaml"))
put("gate", "go.sum", SUM)
conf = put("trusted.yaml", f"signed_by: [{KEYS['ed'][1]}]\n")
r = sh(TOCSIN, "run", "--no-store", "--require-signed", "--config", conf, "--", "touch", "ran", cwd=at)
check(r.returncode == 0 and os.path.exists(os.path.join(at, "ran")), "one of the trusted configuration does", r.stderr)
r = sh(*GATE[:-1], "--lang", "zh", "--", "touch", "-modfile=x", cwd=at)
check(r.returncode == 1 and "签名" in r.stderr, "in Chinese too", r.stderr)

shutil.rmtree(TMP)
done()
