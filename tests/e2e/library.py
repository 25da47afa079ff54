"""What the fault library says in the verdict and the report of `tocsin run`, on a real Go module in a real git repository."""
# suite: limit 300
# suite: takes 23
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import TOCSIN, check, done  # noqa: E402

TMP = tempfile.mkdtemp(prefix="tocsin-library-")
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("CI", "GITHUB_", "GIT_", "TOCSIN_"))}
ENV.update(LANG="C", GOFLAGS="-mod=mod", GOTOOLCHAIN="local", GOPROXY="off", XDG_CONFIG_HOME=TMP + "/none", GIT_CONFIG_GLOBAL="/dev/null",
           XDG_STATE_HOME=TMP + "/state", NO_COLOR="1")
MODULE = os.path.join(TMP, "shop")
REPORT = os.path.join(TMP, "report.json")


def put(name, text, where=MODULE):
    path = os.path.join(where, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def git(*args):
    p = subprocess.run(["git", "-c", "user.name=A Developer", "-c", "user.email=dev@example.com", *args], cwd=MODULE, env=ENV, capture_output=True, text=True, timeout=60)
    assert p.returncode == 0, p.stderr
    return p.stdout.strip()


def commit(message):
    git("add", "-A")
    git("commit", "-qm", message)
    return git("rev-parse", "HEAD")


def tocsin(*args, env=None, cwd=MODULE):
    return subprocess.run([TOCSIN, *args], cwd=cwd, env={**ENV, **(env or {})}, capture_output=True, text=True, timeout=120)


def go_test(*flags, env=None, args=("-count=1", "./...")):
    if os.path.exists(REPORT):
        os.unlink(REPORT)
    p = tocsin("run", "--format", "pkgname", "--report", REPORT, *flags, "--", "go", "test", *args, env=env)
    with open(REPORT, encoding="utf-8") as f:
        return p, json.load(f)


def first(report):
    return report["findings"][0] if report["findings"] else {}


GOOD = "package cart\n\nfunc Total(a, b int) int { return a + b }\n"
BAD = "package cart\n\nfunc Total(a, b int) int { return a - b }\n"
TEST = """package cart

import "testing"

func TestTotal(t *testing.T) {
	if got := Total(1, 2); got != 3 {
		t.Fatalf("Total(1, 2) = %d, want 3", got)
	}
}

func TestOther(t *testing.T) {}
"""


def begin():
    os.makedirs(MODULE)
    git("init", "-q", "-b", "main")
    put("go.mod", "module example.com/shop\n\ngo 1.19\n")
    put("cart/cart.go", GOOD)
    put("cart/cart_test.go", TEST)
    put(".github/CODEOWNERS", "* @everybody\n/cart/ @cart-team @second\n")
    return commit("begin")


def first_sight():
    p, r = go_test()
    check(p.returncode == 0 and r["verdict"]["outcome"] == "passed", "a run that passes is kept", p.stderr)
    put("cart/cart.go", BAD)
    bad = commit("break it")
    p, r = go_test()
    f = first(r)
    check(re.fullmatch("1[0-9a-f]{32}", f.get("fingerprint") or "") is not None, "the report has the fingerprint", f)
    check(f.get("fault") == {"id": "T-1", "state": "new", "count": 1}, "the first sight is new", f)
    check(f.get("owners") == ["@cart-team", "@second"], "owners are those of CODEOWNERS", f)
    check("new: never seen before; see T-1" in p.stdout + p.stderr and "@cart-team, @second" in p.stdout + p.stderr, "and the verdict says so", p.stdout + p.stderr)
    p, r = go_test()
    check(first(r).get("fault") == {"id": "T-1", "state": "known", "count": 2}, "the second is known", first(r))
    check(first(r).get("owners") == ["@cart-team", "@second"], "with its owners", first(r))
    check(re.search(r"seen 2 times since 20\d\d-\d\d-\d\d; see T-1", p.stdout) is not None, "which the verdict says", p.stdout)
    p = tocsin("run", "--lang", "zh", "--format", "pkgname", "--", "go", "test", "-count=1", "./...")
    check("见 T-1" in p.stdout and "负责人" in p.stdout, "in Chinese too", p.stdout)
    return bad


def without_a_store():
    p, r = go_test("--no-store")
    f = first(r)
    check(f["fingerprint"] is None and f["fault"] is None, "--no-store: no fault, no fingerprint", f)
    check(f["owners"] == ["@cart-team", "@second"], "--no-store: owners all the same", f)
    check("T-1" not in p.stdout + p.stderr, "--no-store: nothing said of faults", p.stdout)


def inner_runs():
    before = count()
    p = tocsin("run", "--", "sh", "-c", f"{TOCSIN} run -- go test -count=1 ./cart")
    check(p.returncode == 1 and count() == before + 1, "an inner run is recorded once, by the outer one", (before, count(), p.stderr))


def count():
    return json.loads(tocsin("fault", "list", "--json").stdout)["faults"][0]["count"]


def regression(bad):
    put("cart/cart.go", GOOD)
    fix = commit("mend it")
    p = tocsin("fault", "resolve", "T-1", "--fix", "add, do not subtract", "--commit", fix, "--by", "dev")
    check(p.returncode == 0, "resolved", p.stderr)
    git("checkout", "-q", bad)
    p, r = go_test()
    check(first(r)["fault"]["state"] == "resolved" and "does not have that fix" in p.stdout, "code without the fix is no regression", p.stdout)
    git("checkout", "-q", "main")
    p, r = go_test()
    check(p.returncode == 0, "passes with the fix", p.stdout)
    put("cart/cart.go", BAD.replace("a - b", "a - b + 0"))
    again = commit("break it again")
    p, r = go_test()
    check(first(r)["fault"]["state"] == "regressed", "with the fix and failing again it is regressed", first(r))
    check(f"{fix[:12]}..{again[:12]}" in p.stdout and "add, do not subtract" in p.stdout, "the verdict names the commits and the fix", p.stdout)


def base_branch():
    git("checkout", "-q", "-b", "feature")
    put("cart/more_test.go", 'package cart\n\nimport "testing"\n\nfunc TestMore(t *testing.T) { t.Error("more is less") }\n')
    commit("more")
    for n in (1, 2):
        p, r = go_test(args=("-count=1", "-run", "TestMore", "./cart"))
        check(first(r)["fault"]["state"] == "new" and "never seen on main" in p.stdout, f"on another branch it is new until main has it ({n})", p.stdout)
    put("tocsin.yaml", "base_branch: feature\n")
    p, r = go_test(args=("-count=1", "-run", "TestMore", "./cart"))
    check(first(r)["fault"]["state"] == "known", "base_branch of tocsin.yaml", p.stdout)


def quarantine():
    put("tocsin.yaml", "quarantine:\n- {test: TestMore, until: 2199-12-31, why: less is more}\n")
    p, r = go_test("--quarantine", args=("-count=1", "-run", "TestMore", "./cart"))
    check(p.returncode == 0 and r["verdict"]["outcome"] == "failed" and r["verdict"]["exit_code"] == 0, "a test in quarantine does not fail the step", p.stdout)
    check("quarantined until 2199-12-31" in p.stderr and any("less is more" in n for n in r["limits"]), "and is reported", (p.stderr, r["limits"]))
    p, r = go_test(args=("-count=1", "-run", "TestMore", "./cart"))
    check(p.returncode == 1, "without --quarantine it does", p.stdout)
    p, r = go_test("--quarantine", args=("-count=1", "./cart"))
    check(p.returncode == 1, "another failure beside it fails the step", p.stdout)
    put("cart/crash_test.go", 'package cart\n\nimport "testing"\n\nfunc TestMoreCrash(t *testing.T) { panic("all of it") }\n')
    put("tocsin.yaml", "quarantine:\n- {test: TestMore*, until: 2199-12-31}\n")
    p, r = go_test("--quarantine", args=("-count=1", "-run", "TestMoreCrash", "./cart"))
    check(p.returncode == 1, "a panic, which takes other tests with it, is not excused", p.stdout)
    os.unlink(os.path.join(MODULE, "cart/crash_test.go"))
    put("tocsin.yaml", "quarantine:\n- {test: TestMore, until: 2001-01-01}\n")
    p, r = go_test("--quarantine", args=("-count=1", "-run", "TestMore", "./cart"))
    check(p.returncode == 1 and "ended on 2001-01-01" in p.stderr, "an expired entry excuses nothing, and it is said", p.stderr)


def settings():
    put("tocsin.yaml", "on_fail: record\n")
    p = tocsin("run", "--", "false")
    check(p.returncode == 0, "on_fail of tocsin.yaml", p.stderr)
    p = tocsin("run", "--on-fail", "abort", "--", "false")
    check(p.returncode == 1, "a flag comes before it", p.stderr)
    put("tocsin.yaml", "on_fial: record\n")
    p = tocsin("run", "--", "false")
    check(p.returncode == 2 and "tocsin.yaml:1:1: on_fial: unknown key; did you mean on_fail?" in p.stderr, "a misspelt key is refused", p.stderr)
    put("tocsin.yaml", "store: /nowhere/at/all.db\n")
    p = tocsin("run", "--", "true")
    check(p.returncode == 0 and "tocsin.yaml:1" in p.stderr and not os.path.exists("/nowhere"), "a store that came with the code is not used", p.stderr)
    os.unlink(os.path.join(MODULE, "tocsin.yaml"))


def network_file_system():
    """A file system that says it is NFS: statfs(2) is made to say so."""
    cc = shutil.which("cc") or shutil.which("gcc")
    put("nfs.c", "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <sys/vfs.h>\nint statfs(const char *p, struct statfs *s)\n"
        "{ int (*f)(const char *, struct statfs *) = dlsym(RTLD_NEXT, \"statfs\"); int r = f(p, s); s->f_type = 0x6969; return r; }\n", TMP)
    subprocess.run([cc, "-shared", "-fPIC", "-D_FILE_OFFSET_BITS=64", "-o", TMP + "/nfs.so", TMP + "/nfs.c", "-ldl"], check=True, timeout=60)
    p = tocsin("run", "--store", TMP + "/on-nfs.db", "--", "sh", "-c", "exit 3", env={"LD_PRELOAD": TMP + "/nfs.so", "ASAN_OPTIONS": "verify_asan_link_order=0"})
    lines = [line for line in p.stderr.splitlines() if "NFS" in line]
    check(p.returncode == 3 and len(lines) == 1 and "waits in" in lines[0] and not os.path.exists(TMP + "/on-nfs.db"), "a store on NFS is refused in one line, the run goes on", p.stderr)
    p = tocsin("run", "--store", TMP + "/on-nfs.db", "--", "true")
    p = tocsin("stats", "--store", TMP + "/on-nfs.db", "--json")
    check(json.loads(p.stdout)["runs"] == 2, "and the next run takes it in", p.stdout)


def main():
    begin()
    bad = first_sight()
    without_a_store()
    inner_runs()
    regression(bad)
    base_branch()
    quarantine()
    settings()
    network_file_system()
    shutil.rmtree(TMP, ignore_errors=True)
    done()


main()
