#!/usr/bin/env python3
# suite: takes 25
"""Well-known modules: their own tests, bare and under `tocsin run`, come to the same.

Same exit status, same test counts (counted here from `go test -json`), no error finding where the bare run passed.
The sources come from the module proxy; where none is reached, from Debian's golang-*-dev packages. With neither, this
fails: nothing was proved.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
import tap  # noqa: E402

MODULES = [
    "github.com/google/uuid@v1.6.0",
    "github.com/spf13/pflag@v1.0.10",
    "github.com/julienschmidt/httprouter@v1.3.0",
    "github.com/mattn/go-isatty@v0.0.20",
    "github.com/gorilla/mux@v1.8.1",
    "github.com/pkg/errors@v0.9.1",  # does not build its tests with the newest go: fails in both ways
    "github.com/google/go-cmp@v0.6.0",
    "github.com/fatih/color@v1.18.0",
    "github.com/BurntSushi/toml@v1.4.0",
    "github.com/go-chi/chi/v5@v5.1.0",
    "github.com/cespare/xxhash/v2@v2.3.0",
    "github.com/spf13/cast@v1.7.1",
    "github.com/stretchr/testify@v1.9.0",  # 24 of its tests fail with the newest go
    "github.com/tidwall/gjson@v1.18.0",
    "github.com/dustin/go-humanize@v1.0.1",
    "github.com/oklog/ulid/v2@v2.1.0",
]
SAMPLE = 2 if tap.SLOW else 4  # their own tests take the time, not Tocsin
DEBIAN = ["golang-github-pkg-errors-dev", "golang-github-gorilla-mux-dev", "golang-github-spf13-pflag-dev",
          "golang-github-google-uuid-dev", "golang-github-julienschmidt-httprouter-dev", "golang-github-fatih-color-dev",
          "golang-github-burntsushi-toml-dev", "golang-github-go-chi-chi-dev", "golang-github-cespare-xxhash-dev",
          "golang-github-spf13-cast-dev", "golang-github-dustin-go-humanize-dev", "golang-github-tidwall-gjson-dev"]
LIMIT = 240
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "tocsin-tests")


def environment():
    drop = ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "GOFLAGS", "MAKEFLAGS")
    env = {k: v for k, v in os.environ.items() if k not in drop}
    env.update(GOMODCACHE=os.path.join(CACHE, "modules"), GOFLAGS="-mod=mod -modcacherw",
               GOTOOLCHAIN="local")
    return env


def run(argv, cwd, env, limit=LIMIT):
    try:
        p = subprocess.run(argv, cwd=cwd, env=env, timeout=limit, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)
        return p.returncode, p.stdout, p.stderr.decode("utf-8", "replace")
    except (subprocess.TimeoutExpired, OSError) as e:
        return None, b"", str(e)


def from_proxy(modules, work, env):
    """(name, folder, environment) of each module, or None when the proxy cannot be reached."""
    found = []
    for module in modules:
        status, out, err = run(["go", "mod", "download", "-json", module], work, env, 60)
        try:
            answer = json.loads(out)
            source, go_mod = answer["Dir"], answer["GoMod"]
        except (ValueError, KeyError):
            print(f"# {module}: {err.strip() or out.decode('utf-8', 'replace')[:300]}")
            return None
        folder = os.path.join(work, module.split("@")[0].replace("/", "_"))
        shutil.copytree(source, folder)
        run(["chmod", "-R", "u+w", folder], work, env)
        if not os.path.exists(os.path.join(folder, "go.mod")):
            shutil.copy(go_mod, os.path.join(folder, "go.mod"))
        run(["go", "mod", "download"], folder, env, 120)
        found.append((module, folder, env))
    return found


def from_debian(packages, work, env):
    found = []
    for package in packages:
        status, _, err = run(["apt-get", "download", package], work, env, 120)
        debs = [f for f in os.listdir(work) if f.startswith(package + "_")]
        if status != 0 or not debs:
            print(f"# {package}: {err.strip()[:300]}")
            continue
        tree = os.path.join(work, package)
        run(["dpkg-deb", "-x", os.path.join(work, debs[0]), tree], work, env)
        gopath = os.path.join(tree, "usr/share/gocode")
        for folder, _, files in os.walk(os.path.join(gopath, "src")):
            if any(f.endswith("_test.go") for f in files):
                found.append((package, folder, dict(env, GOPATH=gopath, GO111MODULE="off", GOFLAGS="")))
                break
    return found


def count(stream):
    """Executions of tests, by their events. Benchmarks have no terminal event of their own.

    A failed test below a passed one, or in a passed package, is not go test's: a test ran it on purpose with
    testing.RunTests (testify does), else its parent or its package would have failed too."""
    seen = {"run": 0, "pass": 0, "fail": 0, "skip": 0}
    packages, failed, passed = set(), [], set()
    for line in stream.splitlines():
        try:
            e = json.loads(line)
        except ValueError:
            continue
        package, test, action = e.get("Package"), e.get("Test"), e.get("Action")
        if package:
            packages.add(package)
        if package and not test and action == "pass":
            passed.add((package, ""))
        if not test or action not in seen or test.startswith("Benchmark"):
            continue
        seen[action] += 1
        if action == "fail":
            failed.append((package, test))
        elif action == "pass":
            passed.add((package, test))
    for package, test in failed:
        parts = test.split("/")
        if any((package, "/".join(parts[:n])) in passed for n in range(len(parts))):
            seen["run"] -= 1
            seen["fail"] -= 1
    return seen, len(packages)


def compare(form, folder, env):
    """One bare run and one under tocsin; the label's figures, what differs, and tocsin's stderr."""
    bare, out, err = run(["go", "test", "-json", "-count=1", "./..."], folder, env)
    if bare is None:
        return "bare", [err], ""
    want, packages = count(out)
    figures = f"{want['run']} tests, bare exit {bare}"
    path = os.path.join(folder, f".report-{form}")
    status, _, errors = run([tap.TOCSIN, "run", "--no-store", "--report", path, "--format", form, "--",
                             "go", "test", "-count=1", "./..."], folder, env)
    try:
        report = json.load(open(path, encoding="utf-8"))
    except (OSError, ValueError) as e:
        return figures, [f"no report: {e}"], errors
    wrong = []
    if status != bare:
        wrong.append(f"exit: bare {bare}, under tocsin {status}")
    got = report["tests"]
    if form == "pkgname":
        pairs = [("run", "run"), ("passed", "pass"), ("failed", "fail"), ("skipped", "skip")]
        wrong += [f"tests.{k}: want {want[v]}, got {got[k]}" for k, v in pairs if got[k] != want[v]]
        if got["packages"] != packages:
            wrong.append(f"tests.packages: want {packages}, got {got['packages']}")
    found = [f for f in report["findings"] if f["severity"] == "error"]
    if bare == 0 and (found or report["verdict"]["outcome"] != "passed"):
        wrong.append(f"a false alarm: {report['verdict']} {found[:3]}")
    if bare != 0 and not found:
        wrong.append(f"no error finding: {report['verdict']}")
    return figures, wrong, errors


def judge(name, folder, env):
    for form in ("pkgname", "raw"):
        # A module's own test may fail once in a while, bare too (a clock, a race): three pairs that differ are ours.
        for _ in range(3):
            figures, wrong, errors = compare(form, folder, env)
            if not wrong:
                break
            print(f"# {name} {form}: {wrong[0]}")
        tap.check(not wrong, f"module {name} {form} ({figures})", "\n".join(wrong) + "\n" + errors[-1500:])


def main():
    number = len(MODULES) if tap.FULL else SAMPLE
    env = environment()
    os.makedirs(CACHE, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tocsin-modules-") as work:
        found = from_proxy(MODULES[:number], work, env)
        if found is None:
            print("# no module proxy is reached: Debian's packages instead")
            found = from_debian(DEBIAN[:number], work, env)
        tap.check(len(found) >= (12 if tap.FULL else SAMPLE), f"sources of {len(found)} modules",
                  "neither the module proxy nor Debian's packages could be reached")
        for name, folder, its_env in found:
            judge(name, folder, its_env)
    tap.done()


if __name__ == "__main__":
    main()
