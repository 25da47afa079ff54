#!/usr/bin/env python3
# suite: takes 35
"""What layers between us and go swallow: every shape must be heard, every deliberate use must stay quiet."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import SLOW, TOCSIN, check, done  # noqa: E402

GO = os.path.realpath(shutil.which("go") or "go")
TMP = tempfile.mkdtemp(prefix="tocsin-masking-")

ENV = {k: v for k, v in os.environ.items()
       if not k.startswith(("TOCSIN_", "GITHUB_", "GITLAB_", "BUILDKITE")) and k not in ("CI", "MAKEFLAGS", "MAKELEVEL")}
ENV.update(GOFLAGS="-buildvcs=false", GOTOOLCHAIN="local", GOPROXY="off", GOWORK="off", LC_ALL="C",
           XDG_CACHE_HOME=TMP + "/cache", XDG_STATE_HOME=TMP + "/state")
ENV["GOCACHE"] = subprocess.run(["go", "env", "GOCACHE"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

FILES = {
    "go.mod": "module example.com/shop\n\ngo 1.19\n",
    "bad/bad.go": "package bad\n\nfunc Sum() int { return \"three\" }\n",
    "good/good.go": "package good\n\nfunc Sum() int { return 3 }\n",
    "red/red_test.go": "package red\n\nimport \"testing\"\n\nfunc TestSum(t *testing.T) { t.Fatal(\"got 3, want 4\") }\n",
    "green/green_test.go": "package green\n\nimport \"testing\"\n\nfunc TestSum(t *testing.T) {}\n",
    "tool/tool_test.go": """package tool

import (
	"os/exec"
	"testing"
)

func TestRefuses(t *testing.T) {
	if exec.Command(GO, "build", "../bad").Run() == nil {
		t.Fatal("it built")
	}
}
""",
    "mask/main.go": """package main

import "os/exec"

func main() {
	_ = exec.Command("go", "build", "./bad").Run()
}
""",
    "exits/main.go": "package main\n\nimport \"os\"\n\nfunc main() { os.Exit(3) }\n",
    "gen/gen.go": "package gen\n\n//go:generate no-such-generator-here\n",
    "tasks.json": "{\"scripts\": {\"lint\": \"go vet ./bad\", \"ok\": \"go build ./good\"}}\n",
    "task.py": """import json, subprocess, sys
for name in sys.argv[1:]:
    subprocess.call(json.load(open("tasks.json"))["scripts"][name], shell=True)
print("all tasks done")
""",
    "Makefile": """dash:
	-go build ./bad
semi:
	go build ./bad; echo built
tee:
	@go build ./bad 2>&1 | tee build.log
plain:
	go build ./bad
inner:
	-$(MAKE) plain
shell:
	@echo $(shell go build ./bad 2>&1 | wc -l)
ok:
	go build ./good
""",
}

# name, interpreter, text of the script, a word that the masked command must contain
MASKED = [
    ("a pipe to tee", "sh", "go build ./bad 2>&1 | tee log", "./bad"),
    ("a pipe to cat", "bash", "set -e\ngo build ./bad 2>&1 | cat", "./bad"),
    ("a pipe to grep", "sh", "set -e\ngo build ./bad 2>&1 | grep bad", "./bad"),
    ("a pipe to grep -v, of go test", "sh", "go test ./red | grep -v '^ok'", "./red"),
    ("|| true", "sh", "set -e\ngo build ./bad || true", "./bad"),
    ("|| :", "sh", "go vet ./bad || :", "vet"),
    ("|| echo", "sh", "go build ./bad || echo 'build failed, going on'", "./bad"),
    (";", "sh", "go build ./bad; echo done", "./bad"),
    ("a newline without set -e", "sh", "go build ./bad\ngo build ./good", "./bad"),
    ("set +e", "sh", "set -e\nset +e\ngo build ./bad\nset -e\ntrue", "./bad"),
    ("& and a bare wait", "sh", "set -e\ngo build ./bad &\nwait", "./bad"),
    ("& and wait for another", "bash", "set -e\ngo build ./bad &\nsleep 2 &\nwait $!", "./bad"),
    ("local x=$(…)", "bash", "set -e\nf() { local x=$(go build ./bad 2>&1); echo \"$x\"; }\nf", "./bad"),
    ("export X=$(…)", "sh", "set -e\nexport X=$(go build ./bad 2>&1)\necho \"$X\"", "./bad"),
    ("readonly X=$(…)", "bash", "set -e\nreadonly X=$(go build ./bad 2>&1)\necho \"$X\"", "./bad"),
    ("if !", "sh", "set -e\nif ! go build ./bad; then echo 'not built'; fi", "./bad"),
    ("if without else", "sh", "set -e\nif go build ./bad; then echo fine; fi", "./bad"),
    ("while", "sh", "set -e\nwhile go build ./bad; do break; done\necho after", "./bad"),
    ("!", "sh", "set -e\n! go build ./bad", "./bad"),
    ("a trap that exits 0", "sh", "set -e\ntrap 'exit 0' EXIT\ngo build ./bad", "./bad"),
    ("an ERR trap that exits 0", "bash", "set -e\ntrap 'echo oops; exit 0' ERR\ngo build ./bad", "./bad"),
    ("xargs || true", "sh", "set -e\necho ./bad | xargs go build || true", "./bad"),
    ("xargs sh -c", "sh", "set -e\necho ./bad | xargs -n 1 sh -c 'go build \"$0\"; :'", "./bad"),
    ("find -exec", "sh", "set -e\nfind bad -name '*.go' -exec go vet {} \\;", "bad/bad.go"),
    ("a subshell", "sh", "set -e\n(set +e; go build ./bad; echo in)\necho out", "./bad"),
    ("a command substitution in echo", "sh", "set -e\necho \"built: $(go build ./bad 2>&1)\"", "./bad"),
    ("the head of an && list in a function", "sh", "set -e\nf() { go build ./bad && echo ok; return 0; }\nf", "./bad"),
    ("&& in the middle of a set -e script", "sh", "set -e\ngo build ./bad && echo ok\necho end", "./bad"),
    ("a here document for sh", "sh", "set -e\nsh <<'END'\ngo build ./bad\necho done\nEND", "./bad"),
    ("sh -c", "sh", "set -e\nsh -c 'go build ./bad; exit 0'", "./bad"),
    ("a process substitution", "bash", "set -euo pipefail\ncat <(go build ./bad 2>&1)", "./bad"),
    ("a coprocess", "bash", "set -e\ncoproc go build ./bad 2>&1\ncat <&\"${COPROC[0]}\" || true\nwait || true", "./bad"),
    ("a loop's last status", "sh", "for p in ./bad ./good; do go build $p; done", "./bad"),
    ("a loop over platforms", "sh", "for os in plan9 linux; do GOOS=$os go build ./plat; done", "./plat"),
    ("python without check", "python3", "import subprocess\nsubprocess.run(['go', 'build', './bad'])", "./bad"),
    ("os.system", "python3", "import os\nos.system('go build ./bad')", "./bad"),
    ("to a log that is shown", "sh", "go test ./red > log 2>&1; cat log", "./red"),
    ("a task runner", "sh", "set -e\npython3 task.py lint ok", "vet"),
    ("make -", "sh", "exec make dash", "./bad"),
    ("make ;", "sh", "exec make semi", "./bad"),
    ("make | tee", "sh", "exec make tee", "./bad"),
    ("make -i", "sh", "exec make -i plain", "./bad"),
    ("make - of a make", "sh", "exec make inner", "./bad"),
    ("make $(shell)", "sh", "exec make shell", "./bad"),
    ("go by its absolute path", "sh", GO + " build ./bad || true", "./bad"),
    ("go with a fresh PATH", "sh", "env -i HOME=$HOME GOCACHE=$GOCACHE PATH=" + os.path.dirname(GO) + ":/bin go build ./bad || true", "./bad"),
    ("go run of a masking program", "sh", "go run ./mask", "./bad"),
    ("go run that exits 3", "sh", "go run ./exits || true", "./exits"),
    ("go generate", "sh", "go generate ./gen || true", "./gen"),
    ("go get", "sh", "go get example.com/nowhere@v1.0.0 || true", "get"),
    ("go mod", "sh", "go mod download example.com/nowhere@v1.0.0 || true", "mod"),
    ("go install", "sh", "go install ./bad || true", "./bad"),
    ("go -C", "sh", "go build -C bad . || true", "bad"), # 1.19 does not know the flag: that fails, too
    ("kill -9 of go", "sh", "go test -run Sleep ./sleepy & sleep 2; kill -9 $!; wait $! || true", "./sleepy"),
    ("timeout", "sh", "timeout 2 go test ./sleepy || true", "./sleepy"),
    ("an inner tocsin run", "sh", "\"$T\" run --format raw -- go build ./bad || true", "./bad"),
    ("an inner tocsin run of a masking script", "sh", "\"$T\" run --format raw -- sh -c 'go build ./bad || true' || true", "./bad"),
    ("another failure than the allowed one", "sh", "\"$T\" allow -- go vet ./bad || true; go build ./bad || true", "build"),
]

# name, interpreter, text, expected exit status and outcome
QUIET = [
    ("a build that works", "sh", "go build ./good"),
    ("a test that passes, piped", "sh", "go test ./green | tee log"),
    ("make", "sh", "exec make ok"),
    ("a retry with ||", "sh", "go build ./flaky || { cp good/good.go flaky/; sed -i s/good/flaky/ flaky/good.go; rm flaky/bad.go; go build ./flaky; }"),
    ("until", "sh", "until go build ./flaky2; do cp good/good.go flaky2/bad.go; done"),
    ("a retry loop that counts", "bash", "for i in 1 2 3; do go vet ./flaky3 && break; cp good/good.go flaky3/bad.go; done"),
    ("a retry with other flags", "sh", "go build ./flaky4 || { cp good/good.go flaky4/bad.go; go build -x ./flaky4 2>/dev/null; }"),
    ("go test || go test", "sh", "go test ./once || go test ./once"),
    ("a retry in another form of directory", "sh", "cd flaky5; go build . || { cp ../good/good.go bad.go; go build .; }"),
    ("tocsin allow", "sh", "\"$T\" allow -- go vet ./bad || true"),
    ("tocsin allow of a script", "sh", "\"$T\" allow -- sh -c 'go vet ./bad; go build ./bad; :'"),
    ("tocsin allow, absolute path", "sh", "\"$T\" allow -- " + GO + " vet ./bad || true"),
    ("--allow-masked", "sh", "go vet ./bad || true", ["--allow-masked", "go vet *"]),
    ("--allow-masked without go", "sh", "go vet ./bad || true", ["--allow-masked", "vet ./b*"]),
    ("--allow-masked twice", "sh", "go vet ./bad; go build ./bad; true", ["--allow-masked", "go build *", "--allow-masked", "go vet *"]),
    ("go list fails", "sh", "go list ./nothere || true"),
    ("go env fails", "sh", "go env -w GOOS=no/such 2>/dev/null || true"),
    ("go version fails", "sh", "go version ./nothere || true"),
    ("go tool fails", "sh", "go tool nosuchtool || true"),
    ("an unknown subcommand", "sh", "go frobnicate || true"),
    ("asking for help", "sh", "go build -h 2>&1 | grep -q buildvcs; true"),
    ("go without a word", "sh", "go || true"),
    ("a test that runs go on purpose", "sh", "go test -count=1 ./tool"),
    ("a test that runs go by its path", "sh", "go test -count=1 ./toolabs"),
    ("TOCSIN_SHIM=off for one", "sh", "TOCSIN_SHIM=off go build ./bad || true"),
    ("TOCSIN_SHIM=off exported", "sh", "export TOCSIN_SHIM=off; go build ./bad || true"),
    ("TOCSIN_SHIM=off around", "sh", "go build ./bad || true", [], {"TOCSIN_SHIM": "off"}),
    ("no go at all", "sh", "PATH=/nowhere; command -v go || true"),
    ("words only", "sh", "echo 'FAIL example.com/m'; echo 'exit status 1'"),
    ("gofmt fails", "sh", "gofmt ./nothere.go || true"),
    ("an inner tocsin run that allows it", "sh", "\"$T\" run --format raw --allow-masked 'go build *' -- sh -c 'go build ./bad || true'"),
    ("an inner tocsin run that only records", "sh", "\"$T\" run --format raw --on-fail record -- go build ./bad"),
    ("a go still running in the background", "sh", "go test ./sleepy >/dev/null 2>&1 & sleep 0.3; exit 0", ["--reap", "--grace", "500ms"]),
]
FAILED = [ # None: the status of a go build that fails (2 in 1.19, 1 since)
    ("a script that says so", "sh", "set -e\ngo build ./bad\necho never", None),
    ("its own status", "sh", "go build ./bad || exit 7", 7),
    ("pipefail", "bash", "set -eo pipefail\ngo build ./bad 2>&1 | tee log", None),
    ("wait for the pid", "sh", "go build ./bad & wait $!", None),
    ("make", "sh", "exec make plain", 2),
    ("python with check", "python3", "import subprocess, sys\nsys.exit(subprocess.run(['go', 'build', './bad']).returncode)", None),
    ("exec", "sh", "exec go build ./bad", None),
]


def write(path, text):
    path = os.path.join(MOD, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)


def set_up():
    for name, text in FILES.items():
        write(name, text.replace("GO,", "\"go\",") if name.startswith("tool/") else text)
    write("toolabs/tool_test.go", FILES["tool/tool_test.go"].replace("GO,", json.dumps(GO) + ","))
    for n in ("", "2", "3", "4", "5"):
        write("flaky%s/bad.go" % n, FILES["bad/bad.go"].replace("package bad", "package flaky" if not n else "package good"))
    write("once/once_test.go", """package once

import (
	"os"
	"testing"
)

func TestOnce(t *testing.T) {
	if _, err := os.Stat("seen"); err != nil {
		os.WriteFile("seen", nil, 0o644)
		t.Fatal("first time")
	}
}
""")
    write("plat/plat.go", "package plat\n")
    write("plat/plan9.go", "//go:build plan9\n\npackage plat\n\nvar x int = \"no\"\n")
    write("sleepy/sleepy_test.go",
          "package sleepy\n\nimport (\n\t\"testing\"\n\t\"time\"\n)\n\nfunc TestSleep(t *testing.T) { time.Sleep(20 * time.Second) }\n")
    global BUILD_FAILS
    BUILD_FAILS = subprocess.run(["go", "build", "./bad"], cwd=MOD, env=ENV, stderr=subprocess.DEVNULL).returncode
    # what several cases need, once
    subprocess.run("go test ./green; go test -c -o /dev/null ./sleepy; go vet ./sleepy ./red ./tool; go build -o /dev/null ./mask",
                   shell=True, cwd=MOD, env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def run(n, interpreter, text, flags=(), env=()):
    script = os.path.join(MOD, "ci-%s.%s" % (n, "py" if interpreter == "python3" else "sh"))
    with open(script, "w") as f:
        f.write(text + "\n")
    report = os.path.join(TMP, "report.json")
    if os.path.exists(report):
        os.unlink(report)
    full = dict(ENV, T=TOCSIN, **dict(env))
    p = subprocess.run([TOCSIN, "run", "--format", "raw", "--no-store", "--report", report, *flags, "--",
                        interpreter, script], cwd=MOD, env=full, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    try:
        with open(report) as f:
            r = json.load(f)
    except (OSError, ValueError):
        r = {"verdict": {"outcome": "no report", "cause": None}, "commands": [], "findings": [], "run": {"exit": {"code": None}}}
    return p.returncode, r, p.stdout.decode(errors="replace")


def tell(status, r, out):
    brief = {"verdict": r["verdict"], "commands": r["commands"], "facilities": r["run"].get("facilities"),
             "findings": [(f["cause"], f["severity"], f["message"]) for f in r["findings"]]}
    return "exit %s\n%s\n%s" % (status, json.dumps(brief, indent=1), out[-1500:])


def masked_case(n, name, interpreter, text, word):
    status, r, out = run("m%d" % n, interpreter, text)
    named = [c for c in r["commands"] if c["masked"] and word in " ".join(c["argv"])]
    ok = (r["verdict"]["outcome"] == "masked" and r["verdict"]["cause"] == "pipe.masked" and status == 1 and
          r["run"]["exit"]["code"] == 0 and len(named) == 1)
    check(ok, "masked: " + name, tell(status, r, out))


def quiet_case(n, name, interpreter, text, flags=(), env=()):
    status, r, out = run("q%d" % n, interpreter, text, flags, env)
    errors = [f for f in r["findings"] if f["severity"] == "error"]
    ok = r["verdict"]["outcome"] == "passed" and status == 0 and not errors and not any(c["masked"] for c in r["commands"])
    check(ok, "quiet: " + name, tell(status, r, out))


def failed_case(n, name, interpreter, text, want):
    status, r, out = run("f%d" % n, interpreter, text)
    ok = status == (want or BUILD_FAILS) and r["verdict"]["outcome"] == "failed" and not any(c["masked"] for c in r["commands"])
    check(ok, "failed, and said so: " + name, tell(status, r, out))


def cached_case():
    """The test cache stays valid under the shim, also for a test that reads PATH and looks for go."""
    write("cached/cached_test.go", """package cached

import (
	"os"
	"os/exec"
	"testing"
)

func TestPath(t *testing.T) {
	if os.Getenv("PATH") == "" {
		t.Fatal("no PATH")
	}
	exec.LookPath("go")
}
""")
    runs = [run("c%d" % i, "sh", "go test ./cached") for i in range(2)]
    check("(cached)" not in runs[0][2] and "(cached)" in runs[1][2], "the test cache stays valid", runs[0][2] + runs[1][2])
    status, r, _ = runs[1]
    check(status == 0 and [c["argv"] for c in r["commands"]] == [["go", "test", "./cached"]], "a nested success is listed", r["commands"])


def caller_case():
    _, r, out = run("caller", "sh", "go build ./bad || true")
    c = r["commands"][0] if r["commands"] else {}
    check(c.get("exit") == {"code": 1, "signal": None} or (c.get("exit") or {}).get("code") in (1, 2),
          "the status of the nested command is told", c)
    text = json.dumps(r["findings"])
    check("ci-caller.sh" in text, "the finding names the script that called", text + out)


def inner_case():
    """An inner run hands its findings to the outer one, in whatever format it shows them: one verdict, said once."""
    for n, flags in enumerate(("--format raw", "--format pkgname", "--format quiet")[:1 if SLOW else 3]):
        name = "an inner run, " + flags
        status, r, out = run("i%d" % n, "sh", '"$T" run --report inner.json %s -- go test ./red' % flags)
        found = [(f["cause"], f["package"], f["test"], f["file"], f["line"]) for f in r["findings"]]
        check(status == 1 and r["verdict"]["cause"] == "test.fail" and
              found == [("test.fail", "example.com/shop/red", "TestSum", "red/red_test.go", 5)], name + ": its finding is ours", tell(status, r, out))
        with open(os.path.join(MOD, "inner.json")) as f:
            inner = json.load(f)
        check(inner["verdict"]["cause"] == "test.fail" and out.count("tocsin: failed") == 1, name + ": said once", out)
        status, r, out = run("j%d" % n, "sh", '"$T" run %s -- go test ./red || true' % flags)
        causes = [f["cause"] for f in r["findings"]]
        check(status == 1 and r["verdict"]["outcome"] == "masked" and causes == ["pipe.masked", "test.fail"],
              name + ", swallowed: the cause stands under it", tell(status, r, out))
    status, r, out = run("k", "sh", '"$T" run --format pkgname --on-fail record -- go test ./red')
    check(status == 0 and r["verdict"]["outcome"] == "passed" and not r["findings"], "an inner run that only records", tell(status, r, out))


MOD = os.path.join(TMP, "shop")
BUILD_FAILS = 1


def main():
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    step = 1 if only or not SLOW else 3  # on the sanitizer build every third: the shim and the judge are the same in all
    set_up()
    try:
        for i, c in list(enumerate(MASKED))[::step]:
            if only in "masked: " + c[0]:
                masked_case(i, *c)
        for i, c in list(enumerate(QUIET))[::step]:
            if only in "quiet: " + c[0]:
                quiet_case(i, *c)
        for i, c in enumerate(FAILED):
            if only in "failed: " + c[0]:
                failed_case(i, *c)
        if not only:
            cached_case()
            caller_case()
        if not only or only in "inner":
            inner_case()
    finally:
        shutil.rmtree(TMP, ignore_errors=True)
    done()


main()
