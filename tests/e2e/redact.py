# suite: takes 6
"""No secret that a test, a script or a URL prints is in what Tocsin writes; the command's own output stays as it is."""
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import TOCSIN, check, done, skip  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TMP = tempfile.mkdtemp(prefix="tocsin-redact-")
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "TOCSIN_", "CI_")) and k not in ("CI", "FORCE_COLOR")}
ENV.update(GOFLAGS="-buildvcs=false -count=1", GOTOOLCHAIN="local", GOPROXY="off", GOWORK="off", LANG="C.UTF-8",
           XDG_STATE_HOME=os.path.join(TMP, "state"))

# Put together here, so that scanners of other people do not stumble over this file.
GITHUB = "gh" + "p_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
SLACK = "https://hooks.slack.com/" + "services/T01234567/B01234567/a1B2c3D4e5F6g7H8i9J0k1L2"
KEY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
PEM = "-----BEGIN PRIVATE" + " KEY-----\n" + KEY + "\n" + KEY + "\nAbCd\n-----END PRIVATE" + " KEY-----"
PASSWORD = "hunter-two-3"
PRINTED = {"token": GITHUB, "webhook": SLACK.split("services/")[1], "private key": KEY, "password": PASSWORD}

TEST = """package shop

import "testing"

const pem = `%s`

func TestLogin(t *testing.T) {
	t.Run("deep", func(t *testing.T) {
		t.Log("connecting to postgres://shop:%s@db.example/shop")
		t.Logf("key:\\n%%s", pem)
		t.Log("posting to %s")
		t.Errorf("login with %s: got 401, want 200")
	})
}

func TestToken(t *testing.T) {
	t.Log("token: unexpected EOF")
}
""" % (PEM, PASSWORD, SLACK, GITHUB)


def put(name, text):
    os.makedirs(os.path.join(TMP, "shop"), exist_ok=True)
    with open(os.path.join(TMP, "shop", name), "w", encoding="utf-8") as f:
        f.write(text)


def tocsin(*args, stdin=b""):
    p = subprocess.run([TOCSIN, *args], input=stdin, capture_output=True, timeout=240, check=False, cwd=os.path.join(TMP, "shop"), env=ENV)
    return p.returncode, p.stdout, p.stderr


def read(name):
    with open(os.path.join(TMP, name), "rb") as f:
        return f.read()


def files(kind):
    names = {"--report": "r.json", "--junit": "j.xml", "--log": "all.log", "--jsonfile": "s.jsonl"}
    return {flag: f"{kind}-{name}" for flag, name in names.items()}


def clean(name, text, secrets=PRINTED):
    left = [kind for kind, secret in secrets.items() if secret.encode() in text]
    check(not left, f"{name} holds no secret", left)


def relayed():
    """Not read as a stream: what the command printed comes through untouched, what Tocsin adds is clean."""
    out = files("raw")
    del out["--jsonfile"]
    args = [x for flag, name in out.items() for x in (flag, os.path.join(TMP, name))]
    plain = subprocess.run(["go", "test", "./..."], capture_output=True, timeout=240, check=False, cwd=os.path.join(TMP, "shop"), env=ENV)
    status, stdout, stderr = tocsin("run", "--format", "raw", "--no-store", *args, "--", "go", "test", "./...")
    check(status == 1 and plain.returncode == 1, "the test fails", (status, stderr))
    check(all(s.encode() in stdout for s in PRINTED.values()), "the command's own output is unchanged", stdout)
    clean("the verdict on stderr", stderr)
    check(b"[redacted:github-token]" in stderr and b"got 401, want 200" in stderr, "the verdict says what was taken out", stderr)
    for flag, name in out.items():
        clean(flag, read(name))
    log = read(out["--log"]).decode()
    check("login with [redacted:github-token]: got 401, want 200" in log, "--log keeps what is around a secret", log)
    kept = [line for line in stdout.decode().splitlines() if not any(s in line for s in (*PRINTED.values(), "AbCd"))]
    check([line for line in log.splitlines() if "[redacted" not in line] == kept, "--log keeps every other line", log)


def stream():
    """Read as a stream: every file is valid, and clean."""
    out = files("stream")
    args = [x for flag, name in out.items() for x in (flag, os.path.join(TMP, name))]
    status, _, stderr = tocsin("run", "--format", "pkgname", "--no-store", *args, "--", "go", "test", "-v", "./...")
    check(status == 1, "the test fails as a stream too", stderr)
    clean("the verdict of a stream", stderr)
    for flag, name in out.items():
        clean(f"{flag} of a stream", read(name))
    report = json.loads(read(out["--report"]))
    check(any("[redacted:github-token]" in f["excerpt"] for f in report["findings"] if f["excerpt"]), "the excerpt says what was taken out", report["findings"])
    ET.fromstring(read(out["--junit"]))
    events = [json.loads(line) for line in read(out["--jsonfile"]).splitlines()]
    check(any("token: unexpected EOF" in e.get("Output", "") for e in events), "words about tokens stay", "")
    check({e["Test"] for e in events if "Test" in e} == {"TestLogin", "TestLogin/deep", "TestToken"}, "names of tests stay", "")
    check(read(out["--log"]) == read(out["--jsonfile"]), "--log and --jsonfile agree", "")
    again = tocsin("explain", "--json", os.path.join(TMP, out["--log"]))
    check(json.loads(again[1])["verdict"]["cause"] == "test.fail", "the log without secrets gives the same verdict", again[1])


def explained():
    """A log that somebody else kept."""
    text = subprocess.run(["go", "test", "-json", "./..."], capture_output=True, timeout=240, check=False, cwd=os.path.join(TMP, "shop"), env=ENV).stdout
    check(GITHUB.encode() in text, "the raw stream has it", text)
    args = [x for flag in ("--report", "--junit", "--markdown") for x in (flag, os.path.join(TMP, "explain" + flag))]
    status, stdout, _ = tocsin("explain", *args, "-", stdin=text)
    check(status == 1 and b"[redacted:github-token]" in stdout, "explain says what was taken out", stdout)
    clean("explain", stdout)
    for flag in ("--report", "--junit", "--markdown"):
        clean(f"explain {flag}", read("explain" + flag))


def arguments():
    """What was typed is in the report, but not the password in it."""
    name = os.path.join(TMP, "argv.json")
    secrets = {"value": "correcthorse", "url": "battery9", "environment": "staple"}
    status, stdout, stderr = tocsin("run", "--no-store", "--report", name, "--", "sh", "-c", "echo \"$@\"; exit 3", "sh", "--password", "correcthorse",
                                    "https://u:battery9@h.example/", "API_TOKEN=staple", "-run", "TestToken")
    check(status == 3 and all(s.encode() in stdout for s in secrets.values()), "the command got its arguments", stdout)
    clean("stderr", stderr, secrets)
    clean("run.argv", read("argv.json"), secrets)
    argv = json.loads(read("argv.json"))["run"]["argv"]
    check(argv[-5:] == ["[redacted]", "https://u:[redacted:url-password]@h.example/", "API_TOKEN=[redacted:token]", "-run", "TestToken"], "the rest of argv stays", argv)


def recorded():
    """In the recorded streams there is no secret: --log of each is the same, byte for byte."""
    top = os.path.join(ROOT, "tests", "golden")
    names = sorted(os.path.join(d, f) for d, _, fs in os.walk(top) for f in fs if "alert_sinks" not in d)  # those have canaries
    log = os.path.join(TMP, "golden.log")
    changed, total = [], 0
    whole = b""
    for name in names:
        with open(name, "rb") as f:
            text = f.read()
        whole += gzip.decompress(text) if text[:2] == b"\x1f\x8b" else text
        total += 1
    with open(os.path.join(TMP, "golden.all"), "wb") as f:
        f.write(whole)
    tocsin("run", "--no-store", "--log", log, "--", "cat", os.path.join(TMP, "golden.all"))
    kept = read("golden.log")
    changed = [a for a, b in zip(whole.splitlines(), kept.splitlines()) if a != b][:5]
    check(kept == whole and total > 100, f"--log of {total} recorded texts is the same byte for byte", changed)


put("go.mod", "module example.com/shop\n\ngo 1.19\n")
put("shop_test.go", TEST)
if shutil.which("go"):
    relayed()
    stream()
    explained()
else:
    skip("secrets in the output of go test", "no go here")
arguments()
recorded()
shutil.rmtree(TMP, ignore_errors=True)
done()
