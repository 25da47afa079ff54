#!/usr/bin/env python3
# suite: takes 40
"""The zoo: small real failures and alarming successes, run with a real go under `tocsin run`.

  run.py [--only PATTERN] [--go 1.19|new] [--jobs N] [--bare] [--list] [--keep] [-v]

A fixed sample by default; every case on every Go version with TOCSIN_TEST_FULL=1. --bare runs the commands without
Tocsin and shows what they do. The cases are in cases/*.zoo, their form is in README.md.
"""
import argparse
import concurrent.futures
import fnmatch
import glob
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "helpers"), HERE]
import proxy as loopback  # noqa: E402
import tap  # noqa: E402

SAMPLE = 20 if tap.SLOW else 50  # the two builds have different ones; go itself takes most of their time
LIMIT = 90
OLD_GO = "/usr/lib/go-1.19/bin/go"
KEYS = {"run", "setup", "env", "flags", "needs", "signal", "format", "limit", "go", "slow", "note", "outcome", "cause",
        "exit", "at", "in", "may", "also", "warn", "see", "hide", "tests", "attempts", "masked", "within",
        "errors", "check", "find", "says"}


class Case:
    def __init__(self, area, name):
        self.area, self.name = area, name
        self.rows, self.files = [], {}

    def get(self, key, facts=(), default=None):
        """The last row whose conditions all hold: `exit[1.19,raw]: 2`."""
        value = default
        for k, conditions, v in self.rows:
            if k == key and all(c in facts for c in conditions):
                value = v
        return value

    def all(self, key, facts=()):
        return [v for k, conditions, v in self.rows if k == key and all(c in facts for c in conditions)]


def parse(path):
    area = os.path.basename(path)[:-4]
    case, name, cases = None, None, []
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        text = line.rstrip("\n")
        where = f"{path}:{number}"
        if text.startswith("=== "):
            case, name = Case(area, text[4:].strip()), None
            cases.append(case)
        elif case and (m := re.fullmatch(r"-- (\S+) --", text)):
            name = m[1]
            case.files[name] = ""
        elif case and name:
            case.files[name] += line[1:] if re.match(r"\\(===|--) ", line) else line
        elif text.strip() and not text.startswith("#"):
            m = re.fullmatch(r"(\w+)(?:\[([^\]]+)\])?:\s*(.*)", text)
            if not case or not m or m[1] not in KEYS:
                sys.exit(f"{where}: not understood: {text}")
            case.rows.append((m[1], tuple(c.strip() for c in (m[2] or "").split(",") if c), m[3]))
    return cases


class Go:
    def __init__(self, path, work):
        self.path = path
        self.bin = os.path.dirname(path)
        out = subprocess.run([path, "version"], stdout=subprocess.PIPE, text=True,
                             env=dict(os.environ, GOTOOLCHAIN="local")).stdout
        self.version = re.search(r"go(1\.\d+)", out)[1]
        self.minor = int(self.version[2:])
        self.root = subprocess.run([path, "env", "GOROOT"], stdout=subprocess.PIPE, text=True,
                                   env=dict(os.environ, GOTOOLCHAIN="local")).stdout.strip()
        self.work = work

    def facts(self):
        """What a condition may ask for: `1.19`, `new`, `>=1.21`, `<=1.22`."""
        facts = {self.version, "new" if self.minor > 19 else "old"}
        for minor in range(15, 40):
            if self.minor >= minor:
                facts.add(f">=1.{minor}")
            if self.minor <= minor:
                facts.add(f"<=1.{minor}")
        return facts


def find_gos(work):
    gos, seen = [], set()
    for path in (shutil.which("go"), OLD_GO):
        if path and os.access(path, os.X_OK):
            go = Go(path, work)
            if go.version not in seen:
                seen.add(go.version)
                gos.append(go)
    return gos


class Zoo:
    def __init__(self, options):
        self.options = options
        self.work = tempfile.mkdtemp(prefix="tocsin-zoo-")
        self.gos = find_gos(self.work)
        if not self.gos:
            sys.exit("zoo: no go found")
        self.gocache = os.environ["GOCACHE"]
        self.proxy = loopback.Proxy(self.gos[0].path, self.work, self.environment(self.gos[0], self.work))
        self.have = self.probe()

    def environment(self, go, directory):
        drop = re.compile(r"GO[A-Z0-9]+$|CI$|.*_CI$|GITHUB_|GITLAB_|JENKINS|BUILD_|BUILDKITE|TF_BUILD|TEAMCITY|TRAVIS"
                          r"|CIRCLE|DRONE|TOCSIN|MAKE|.*_proxy$|.*_PROXY$|CC$|CGO_|LANG|LC_|NO_COLOR|XDG_", re.I)
        env = {k: v for k, v in os.environ.items() if not drop.match(k)}
        home = os.path.join(self.work, "home")
        os.makedirs(home, exist_ok=True)
        env.update(PATH=go.bin + ":" + env.get("PATH", ""), HOME=home, GOCACHE=self.gocache, GOENV="off",
                   GOTOOLCHAIN="local", GOPROXY="off", GOSUMDB="off", GOFLAGS="-modcacherw", LANG="C.UTF-8",
                   GOPATH=os.path.join(directory, ".gopath"), XDG_CACHE_HOME=os.path.join(home, "cache"),
                   XDG_STATE_HOME=os.path.join(home, "state"), XDG_CONFIG_HOME=os.path.join(home, "config"),
                   TMPDIR=self.work, GIT_TERMINAL_PROMPT="0")
        return env

    def probe(self):
        """What this machine can do; a case that needs more is skipped by name."""
        have = {"proxy"}
        if os.geteuid() == 0:
            have.add("root")
        if self.proxy.tls:
            have.add("tls")
        if shutil.which("gcc") and self.gos[0]:
            have.add("cgo")
        for tool in ("make", "bash", "git", "xargs", "find", "python3", "tee", "unshare"):
            if shutil.which(tool):
                have.add(tool)
        quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        test = "mount -t tmpfs -o size=64k none /mnt"
        if "unshare" in have and subprocess.run(["unshare", "-m", "sh", "-c", test], **quiet).returncode == 0:
            have.add("mount")
        self.cgroup = None
        for base in ("/sys/fs/cgroup/memory", ):
            path = os.path.join(base, f"tocsin-zoo-{os.getpid()}")
            try:
                os.mkdir(path)
                self.cgroup = path
                have.add("cgroup")
            except OSError:
                pass
        return have

    def close(self):
        for path in glob.glob(f"{self.cgroup}/*/" if self.cgroup else "/nonexistent/") + [self.cgroup]:
            try:
                if path:
                    os.rmdir(path)
            except OSError:
                pass
        if not self.options.keep:
            subprocess.run(["chmod", "-R", "u+w", self.work], stderr=subprocess.DEVNULL)
            shutil.rmtree(self.work, ignore_errors=True)
        else:
            print("#", self.work)

    def expand(self, text, go, directory, name):
        values = {"PROXY": self.proxy.url, "AS_HTTPS": self.proxy.as_https, "TLS": self.proxy.tls or "",
                  "CLOSED": self.proxy.closed, "WORK": directory, "GO": go.path, "GOBIN": go.bin, "GOROOT": go.root,
                  "TOCSIN": tap.TOCSIN, "CGROUP": f"{self.cgroup}/{name}", "PYTHON": sys.executable, "KEY": directory.replace("/", "."),
                  "HOST": self.proxy.url[7:], "SUM_GOOD": loopback.go_sum("dep.test/good").strip(),
                  "SUM_OTHER": loopback.go_sum("dep.test/other").strip(),
                  "SUM_RENAMED": loopback.go_sum("dep.test/renamed").strip(),
                  "SUM_NEWER": loopback.go_sum("dep.test/newer").strip()}
        return re.sub(r"@([A-Z_]+)@", lambda m: values.get(m[1], m[0]), text)

    def lay_out(self, case, go, directory):
        """Write the files; give the place of the HERE mark."""
        here = None
        files = dict(case.files)
        if not any(name in files for name in ("go.mod", "go.work")) and case.get("run", default="") != "":
            files["go.mod"] = "module zoo.test/m\n\ngo 1.19\n"
        for name, text in files.items():
            path = os.path.join(directory, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            text = self.expand(text, go, directory, case.name)
            for number, line in enumerate(text.splitlines(), 1):
                if re.search(r"(//|#) HERE\b", line):
                    here = f"{name}:{number}"
            if not text.strip() and name == "go.mod":
                continue  # an empty go.mod section: none
            with open(path, "w", encoding="utf-8", errors="surrogateescape") as f:
                f.write(text)
            if name.endswith((".sh", ".py")):
                os.chmod(path, 0o755)
        return here


def descendants(mark):
    """Processes of one case, found by a variable in their environment."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                with open(f"/proc/{entry}/environ", "rb") as f:
                    if mark in f.read().split(b"\0"):
                        found.append(int(entry))
            except OSError:
                pass
    return found


def run_command(argv, directory, env, limit, sign):
    """Run one command, bounded. Gives status (negative: killed by it), output, whether it hung, and the seconds."""
    mark = f"ZOO_MARK={directory}".encode()
    env = dict(env, ZOO_MARK=directory)
    begin = time.monotonic()
    out_path, err_path = directory + ".out", directory + ".err"
    with open(out_path, "wb") as out, open(err_path, "wb") as err:
        p = subprocess.Popen(argv, cwd=directory, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                             start_new_session=True)
        hung = False
        if sign:
            send_signal(p, sign, out_path)
        try:
            p.wait(max(1, limit - (time.monotonic() - begin)))
        except subprocess.TimeoutExpired:
            hung = True
    seconds = time.monotonic() - begin
    for pid in descendants(mark):
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    p.wait()
    read = lambda path: open(path, "rb").read().decode("utf-8", "replace")
    return p.returncode, read(out_path), read(err_path), hung, seconds


def send_signal(p, sign, out_path):
    """`TERM` or `group INT`: once READY was printed (and a moment later)."""
    words = sign.split()
    until = time.monotonic() + 30
    while time.monotonic() < until and p.poll() is None:
        with open(out_path, "rb") as f:
            if b"READY" in f.read():
                break
        time.sleep(0.05)
    time.sleep(0.3)
    number = getattr(signal, "SIG" + words[-1])
    try:
        os.killpg(p.pid, number) if words[0] == "group" else os.kill(p.pid, number)
    except ProcessLookupError:
        pass


def one_of(want, got):
    return want == "*" or str("null" if got is None else got) in want.split("|")


class Result:
    def __init__(self, case, go, form):
        self.case, self.go, self.form = case, go, form
        self.wrong, self.skip, self.detail = [], None, ""
        self.alarm = self.heard = self.cause_ok = False
        self.errors = []

    @property
    def name(self):
        return f"zoo {self.case.area}/{self.case.name} go{self.go.version} {self.form}"


def judge_report(result, facts, here, status, report):
    """Compare the report with the rows of the case."""
    case, wrong = result.case, result.wrong
    get = lambda key, default=None: case.get(key, facts, default)
    verdict, findings = report.get("verdict") or {}, report.get("findings") or []
    errors = [f for f in findings if f.get("severity") == "error"]
    result.errors = [f.get("cause") for f in errors]
    outcome, cause = verdict.get("outcome"), verdict.get("cause")
    expected = get("outcome", "passed")
    result.heard = outcome != "passed"
    result.alarm = outcome != "passed" or bool(errors)
    if not one_of(expected, outcome):
        wrong.append(f"outcome: want {expected}, got {outcome} ({cause}): {verdict.get('summary')}")
    want = get("cause", "null" if expected == "passed" else "*")
    result.cause_ok = one_of(want, cause)
    if not result.cause_ok:
        wrong.append(f"cause: want {want}, got {cause}")
    if verdict.get("exit_code") != status:
        wrong.append(f"verdict.exit_code {verdict.get('exit_code')} is not the exit status {status}")
    may = " ".join([want] + case.all("may", facts) + case.all("also", facts)).replace("|", " ").split()
    for f in errors:
        if not any(fnmatch.fnmatch(f.get("cause", ""), m) for m in may):
            wrong.append(f"error finding too many: {f.get('cause')} {f.get('test')} {f.get('message')}")
    for also in " ".join(case.all("also", facts)).split():
        if also not in [f.get("cause") for f in errors]:
            wrong.append(f"no error finding {also}")
    for warn in " ".join(case.all("warn", facts)).split():
        if not any(one_of(warn, f.get("cause")) and f.get("severity") == "warning" for f in findings):
            wrong.append(f"no warning {warn}")
    judge_place(result, facts, here, findings, cause)
    for row in " ".join(case.all("tests", facts)).split():
        key, _, number = row.partition("=")
        if str((report.get("tests") or {}).get(key)) != number:
            wrong.append(f"tests.{key}: want {number}, got {(report.get('tests') or {}).get(key)}")
    count = get("attempts")
    if count and str(len(report["run"].get("attempts") or [])) != count:
        wrong.append(f"attempts: want {count}, got {len(report['run'].get('attempts') or [])}")
    count = get("errors")
    if count and str(len(errors)) != count:
        wrong.append(f"error findings: want {count}, got {len(errors)}: {', '.join(map(str, result.errors))}")
    masked = get("masked")
    if masked is not None:
        got = sum(1 for c in report.get("commands") or [] if c.get("masked"))
        if str(got) != masked:
            wrong.append(f"masked commands: want {masked}, got {got}")


def judge_place(result, facts, here, findings, cause):
    case, wrong = result.case, result.wrong
    primary = [f for f in findings if f.get("cause") == cause] or findings[:1]
    at = case.get("at", facts)
    if at and at != "-":
        at = here if at == "HERE" else at
        got = [f"{f.get('file')}:{f.get('line')}" for f in primary]
        if not any(g == at or g.endswith("/" + at) for g in got):
            wrong.append(f"place: want {at}, got {', '.join(got) or 'no finding'}")
    where = case.get("in", facts)
    if where and where != "-":
        name = lambda f: f.get("test") or f.get("package")
        if not any(w in (f.get("test"), f.get("package")) for f in primary for w in where.split("|")):
            wrong.append(f"culprit: want {where}, got {', '.join(str(name(f)) for f in primary) or 'no finding'}")
    text = "\n".join(f"{f.get('message')}\n{f.get('excerpt')}" for f in primary)
    for see in case.all("see", facts):
        if see not in text:
            wrong.append(f"message and excerpt do not show {see!r}")
    for hide in case.all("hide", facts):
        if hide in text:
            wrong.append(f"message or excerpt shows {hide!r}")


def found(finding):
    """RULE SEVERITY FILE:LINE of a finding of a check; the rule stands at the end of its message."""
    rule = re.search(r"\[([a-z._]+)\]$", finding.get("message") or "")
    place = (finding.get("file") or "") + (f":{finding['line']}" if finding.get("line") else "")
    return f"{rule[1] if rule else finding.get('cause')} {finding.get('severity')} {place}".strip()


def judge_check(result, facts, directory, env, flags, status, output):
    """A case with `check:`: what bare go said, and what `tocsin check activation` finds."""
    case, wrong = result.case, result.wrong
    want = case.get("exit", facts, "0")
    if not one_of(want, status):
        wrong.append(f"bare go: exit: want {want}, got {status}: {output[-500:]}")
    says = case.all("says", facts)
    for text in says:
        if text not in output:
            wrong.append(f"bare go does not say {text!r}: {output[-500:]}")
    if not says and output.strip():
        wrong.append(f"bare go is not silent: {output[-500:]}")
    p = subprocess.run([tap.TOCSIN, "check", "activation", "--json"] + flags, cwd=directory, env=env, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=LIMIT)
    try:
        findings = json.loads(p.stdout)["findings"]
    except (ValueError, KeyError):
        wrong.append(f"no answer, exit {p.returncode}: {p.stderr[-500:]}")
        return
    got, wanted = [found(f) for f in findings], case.all("find", facts)
    may = " ".join(case.all("may", facts)).split()
    wrong.extend(f"not found: {w}" for w in wanted if w not in got)
    extra = [g for g in got if g not in wanted and g.split()[0] not in may]
    wrong.extend(f"found too much: {g}" for g in extra)
    errors = any(f.get("severity") == "error" for f in findings)
    if p.returncode != (1 if errors else 0):
        wrong.append(f"check: exit {p.returncode} with{'' if errors else 'out'} errors")
    result.alarm = bool(extra)


def run_case(zoo, case, go, form):
    result = Result(case, go, form)
    facts = go.facts() | {form} | zoo.have
    missing = [n for n in case.get("needs", facts, "").split() if n not in zoo.have]
    if missing:
        result.skip = "needs " + ", ".join(missing)
        return result
    versions = case.get("go", (), "").split()
    if not all(v in go.facts() for v in versions):
        result.skip = "for go " + " ".join(versions)
        return result
    directory = os.path.join(zoo.work, f"{go.version}-{form}", case.name)
    os.makedirs(directory)
    env = zoo.environment(go, directory)
    expand = lambda text: zoo.expand(text, go, directory, case.name)
    for row in case.all("env", facts):
        for word in shlex.split(expand(row)):
            key, _, value = word.partition("=")
            env[key] = value
            if not _:
                env.pop(key, None)
    here = zoo.lay_out(case, go, directory)
    for row in case.all("setup", facts):
        p = subprocess.run(["sh", "-ec", expand(row)], cwd=directory, env=env, timeout=120, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        if p.returncode:
            result.wrong.append(f"setup failed: {row}: {p.stdout}")
            return result
    command = shlex.split(expand(case.get("run", facts)))
    limit = int(case.get("limit", facts, LIMIT))
    report_path = directory + ".json"
    argv = command
    check = case.get("check", facts)
    if not zoo.options.bare and check is None:
        argv = [tap.TOCSIN, "run", "--no-store", "--report", report_path]
        argv += ["--format", "pkgname"] if form == "json" else []
        argv += shlex.split(expand(case.get("flags", facts, ""))) + ["--"] + command
    try:
        status, out, err, hung, seconds = run_command(argv, directory, env, limit, case.get("signal", facts))
    except OSError as e:
        status, out, err, hung, seconds = 127, "", str(e), False, 0.0
    result.detail = f"$ {shlex.join(argv)}\n[exit {status}, {seconds:.1f} s]\n{out[-3000:]}\n--- stderr\n{err[-3000:]}"
    result.output, result.status, result.seconds = out + err, status, seconds
    if zoo.options.bare:
        return result
    if hung:
        result.wrong.append(f"hung for {limit} s")
    if check is not None:
        judge_check(result, facts, directory, env, shlex.split(expand(check)), status, out + err)
        return result
    want = case.get("exit", facts, "0")
    if not one_of(want, status):
        result.wrong.append(f"exit: want {want}, got {status}")
    within = case.get("within", facts)
    if within and seconds > float(within):
        result.wrong.append(f"took {seconds:.1f} s, want at most {within}")
    try:
        report = json.load(open(report_path, encoding="utf-8"))
    except (OSError, ValueError) as e:
        result.wrong.append(f"no report: {e}")
        return result
    judge_report(result, facts, here, status, report)
    if result.wrong:
        result.detail += "\n--- report\n" + json.dumps(
            {k: report.get(k) for k in ("verdict", "tests", "findings", "commands", "limits")}, ensure_ascii=False)[:6000]
    return result


def plan(zoo, cases):
    """What to run: every case on every go, or the sample with the versions in turn."""
    options, jobs = zoo.options, []
    gos = [g for g in zoo.gos if not options.go or options.go in g.facts()]
    if options.only:
        cases = [c for c in cases if fnmatch.fnmatch(f"{c.area}/{c.name}", f"*{options.only}*")]
    elif not tap.FULL and not options.bare:
        quick = [c for c in cases if not c.get("slow")]
        n, shift = min(SAMPLE, len(quick)), len(quick) // 2 if os.environ.get("TOCSIN_TEST_BUILD") == "asan" else 0
        cases = [quick[(i * len(quick) + shift) // n] for i in range(n)]
        return [(c, able[i % len(able)], f) for i, c in enumerate(cases)
                if (able := [g for g in gos if set(c.get("go", (), "").split()) <= g.facts()])
                for f in forms(c)]
    return [(c, g, f) for c in cases for g in gos for f in forms(c, options.bare)
            if set(c.get("go", (), "").split()) <= g.facts()]


def forms(case, bare=False):
    default = "raw json" if re.match(r"go test\b", case.get("run", default="")) and case.get("check") is None else "raw"
    return case.get("format", (), default).split()[:1 if bare else None]


def show_bare(results):
    for r in results:
        if r.skip:
            print(f"== {r.case.area}/{r.case.name} go{r.go.version}: skipped, {r.skip}")
            continue
        facts = r.go.facts() | {r.form}
        print(f"== {r.case.area}/{r.case.name} go{r.go.version}  want {r.case.get('outcome', facts, 'passed')}"
              f" {r.case.get('cause', facts, '-')} exit {r.case.get('exit', facts, '0')}\n{r.wrong or ''}{r.detail}")


def summary(results):
    """Recall, false alarms and cause accuracy, over what was run."""
    bad, quiet, heard, false, cause = 0, 0, 0, 0, 0
    for r in results:
        if r.skip:
            continue
        if r.case.get("outcome", r.go.facts() | {r.form}, "passed").split("|")[0] == "passed":
            quiet += 1
            false += r.alarm
        else:
            bad += 1
            heard += r.heard
            cause += r.cause_ok and r.heard
    print(f"# recall {heard}/{bad}, false alarms {false}/{quiet}, cause accuracy {cause}/{bad}", flush=True)


def compare_forms(results):
    """The JSON form must find at least as much as the text."""
    by = {}
    for r in results:
        by.setdefault((r.case.name, r.go.version), {})[r.form] = r
    for pair in by.values():
        if "raw" in pair and "json" in pair and not pair["raw"].wrong:
            lost = set(pair["raw"].errors) - set(pair["json"].errors)
            if lost:
                pair["json"].wrong.append("the text form found more: " + ", ".join(sorted(map(str, lost))))


def tell(result, verbose):
    if result.skip:
        tap._n += 1
        print(f"ok {tap._n} - {result.name} # SKIP {result.skip}", flush=True)
        return
    detail = "\n".join(result.wrong) + ("\n" + result.detail if verbose else "")
    tap.check(not result.wrong, result.name, detail)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", help="cases whose AREA/NAME matches this pattern")
    p.add_argument("--go", help="1.19, new, or any version of a go that is there")
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--bare", action="store_true")
    p.add_argument("--list", action="store_true")
    p.add_argument("--keep", action="store_true")
    p.add_argument("-v", action="store_true", dest="verbose")
    options = p.parse_args()
    cases = [c for path in sorted(glob.glob(os.path.join(HERE, "cases", "*.zoo"))) for c in parse(path)]
    if len({c.name for c in cases}) != len(cases):
        names = [c.name for c in cases]
        sys.exit("zoo: two cases have one name: " + ", ".join(sorted({n for n in names if names.count(n) > 1})))
    if options.list:
        for c in cases:
            print(f"{c.area}/{c.name}: {c.get('outcome', (), 'passed')} {c.get('cause', (), '-')}")
        print(f"# {len(cases)} cases")
        return
    zoo = Zoo(options)
    try:
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            # A case that provokes the kernel's OOM killer runs alone: its neighbours would be suspected of it.
            todo = plan(zoo, cases)
            alone = [job for job in todo if "cgroup" in job[0].get("needs", default="")]
            jobs = [pool.submit(run_case, zoo, *job) for job in todo if job not in alone]
            results = []
            for result in (job.result() for job in jobs):
                results.append(result)
                if options.bare:
                    show_bare([result])
            for job in alone:
                results.append(run_case(zoo, *job))
                if options.bare:
                    show_bare(results[-1:])
        if options.bare:
            return
        compare_forms(results)
        for result in results:
            tell(result, options.verbose)
        summary(results)
    finally:
        zoo.close()
    tap.done()


if __name__ == "__main__":
    main()
