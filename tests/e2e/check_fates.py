#!/usr/bin/env python3
"""What check says of a status is what the shells do. Scripts are made up at random; in each, one go command after another is made to
fail (a stand-in for go), bash or dash runs it, and the status that comes out is compared: 0 must have been found, another must not.

TOCSIN_TEST_FULL=1: many more. A number on the command line: another seed."""
# suite: limit 600
# suite: takes 40
import concurrent.futures
import json
import os
import random
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOCSIN = os.path.abspath(os.environ.get("TOCSIN", "build/tocsin"))
SCRIPTS = 3000 if os.environ.get("TOCSIN_TEST_FULL") else 80
# A rule that is said once a script for all that errexit would have caught.
ONCE = {"S03", "S04", "S13"}
FATE = ONCE | {"S01", "S02", "S05", "S06", "S07", "S08", "S10", "S12", "S14", "S15", "S16"}


class Maker:
    """A script: its commands in lines of their own, so that a finding's line names one."""

    def __init__(self, pick, shell):
        self.pick, self.shell, self.lines, self.count, self.functions = pick, shell, [], 0, []

    def put(self, text):
        self.lines.append(text)

    def go(self):
        self.count += 1
        return f"go test ./w{self.count}"

    def simple(self):
        """One line, with one go command."""
        forms = ["{}"] * 6 + ["{} || exit 1", "{} || exit 3", "{} || true", "{} || :", "{} || echo no", "{} && echo yes", "{} | cat", "{} 2>&1 | cat",
                              "true && {}", "false || {}", "( {} )", "{{ {}; }}", "( {}; echo over )", "if {}; then echo fine; fi", "if ! {}; then exit 1; fi",
                              "if {}; then :; else exit 1; fi", "out=$({})", "echo $({})", "{} || {{ echo bad; exit 1; }}", "{} || ( exit 2 )", "{} || false",
                              "time_out=1 {}", "env A=b {}", "{} >/dev/stderr", "sh -c '{}'", "sh -c '{}; echo x'", "sh -ec '{}; echo x'", "! {}", "{} && true && echo all",
                              "( {} && echo in )", "if true; then {}; fi", "case x in x) {} ;; esac", "( {} ) || exit 1"]
        self.put(self.pick.choice(forms).format(self.go()))

    def shelled(self):
        """A shell of its own, with lines of its own, fed by a here document."""
        forms = ["sh <<'EOF'", "sh <<EOF", "sh -e <<EOF", "sh -s <<'EOF'", "cat <<'EOF' | sh", "cat <<EOF | sh -e", "sh -s <<EOF || exit 1", "env A=b sh <<-EOF", "if ! sh <<EOF",
                 "sh -e <<EOF || true", "( sh -s ) <<'EOF'", "{ sh -e; } <<EOF"]
        form = self.pick.choice(forms)
        self.put(form)
        for _ in range(self.pick.randint(1, 2)):
            self.simple()
        self.put(self.pick.choice(["EOF", "echo over\nEOF", "set -e\n" + self.go() + "\necho late\nEOF"]) + ("\nthen exit 1; fi" if form.startswith("if") else ""))

    def odd(self, depth):
        """What is met less often, in one or several lines."""
        forms = ["local_one=1; {}", "export x=$({})", "readonly r{n}=$({})", "echo begin $({}) end", "x=$({} || exit 1)", "x=$({}; echo out)", "y=a$({})b",
                 "{} &\nwait $!", "{} &\nwait", "{} &\nid=$!\nwait $id", "trap 'echo bye' EXIT; {}", "{} || {{ rc=$?; exit $rc; }}", "{}; rc=$?; [ $rc -eq 0 ] || exit $rc",
                 "{} || rc{n}=$?\nexit ${{rc{n}:-0}}", "set +e\n{}\nset -e", "set +e\n{}\nrc{n}=$?\nset -e\n[ $rc{n} -eq 0 ] || exit 1", "{} && true || exit 1", "{} || false || exit 3",
                 "{} || echo a || echo b", "{} && echo a || true", "if ! {}; then echo failed; fi", "if {}; then :; else echo failed; exit 4; fi", "{}; exit $?", "until {}; do exit 1; done",
                 "case $({}) in *) ;; esac", "! {} || exit 1", "eval {}", "command {}", "({}) && echo sub", "{{ {} && echo g; }}", "eval '{}; true'"]
        if self.shell == "bash":
            forms += ["cat < <({})", "{} | cat; [ ${{PIPESTATUS[0]}} -eq 0 ] || exit 1", "{} |& cat", "{} &\nwait -n", "bash -o pipefail -c '{} | cat'", "bash -ec '{} | cat'", "bash <<< '{}; echo x'",
                      "shopt -s lastpipe; echo | {}", "set +o pipefail\n{} | cat", "set -o pipefail\n{} | cat", "time {}", "declare d=$({})"]
        forms = [f for f in forms if depth == 0 or "set " not in f]  # see block
        self.put(self.pick.choice(forms).format(self.go(), n=self.count))

    def block(self, depth):
        kind = self.pick.randrange(11) if depth < 3 else 0
        if kind < 5:
            self.simple()
        elif kind == 9:
            self.shelled()
        elif kind == 10:
            self.odd(depth)
        elif kind == 5:
            self.around("for i in 1 2; do", "done", depth)
        elif kind == 6:
            self.around(self.pick.choice(["(", "{"]), None, depth)
        elif kind == 7:
            self.around("if true; then", "fi", depth)
        else:
            # In a loop the second round would have other flags than the first; nothing is said of those.
            self.put(self.pick.choice(["set -e", "set +e", "set -e", "echo step"] if depth == 0 else ["echo step", "true", "cd ."]))

    def around(self, begin, end, depth):
        self.put(begin)
        for _ in range(self.pick.randint(1, 3)):
            self.block(depth + 1)
        end = end or (")" if begin == "(" else "}")
        self.put(end + self.pick.choice(["", "", "", " || exit 1", " && echo well"] if end in (")", "}") else [""]))

    def make(self):
        self.put(f"#!/bin/{self.shell}")
        if self.pick.random() < 0.6:
            self.put("set -e")
        if self.shell == "bash" and self.pick.random() < 0.4:
            self.put("set -o pipefail")
        for name in ("f", "g")[:self.pick.randrange(3)]:
            self.put(f"{name}() {{")
            for _ in range(self.pick.randint(1, 3)):
                self.block(2)
            self.put("}")
            self.functions.append(name)
        for _ in range(self.pick.randint(1, 4)):
            self.block(0)
        for name in self.functions:
            self.put(self.pick.choice(["{}", "{}", "{} || exit 1", "{} && echo called", "if ! {}; then exit 1; fi"]).format(name))
        if self.pick.random() < 0.5:
            self.put("echo end")
        return "\n".join(self.lines) + "\n"


def status(path, shell, failing, folder, stub, ran=""):
    env = {"PATH": stub + ":/usr/bin:/bin", "FAILING": failing, "RAN": ran}
    return subprocess.run([shell, path], cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20, check=False).returncode


def judge(text, said):
    """(line of each go command, whether it was said to be lost, whether that is a promise)"""
    lines = text.split("\n")
    names = [(n, word) for n, line in enumerate(lines, 1) for word in line.replace(";", " ").replace("'", " ").replace(")", " ").split() if word.startswith("./w")]
    # A finding in a call says it of commands in the function.
    calls = {n for n, rule in said if rule == "S10"} - {n for n, _ in names}
    loose = bool(calls) or any(rule in ONCE for _, rule in said)
    return [(n, word, any(line == n and rule in FATE - {"S13"} for line, rule in said), loose) for n, word in names]


def check(job):
    path, shell, text, said, stub = job
    wrong = []
    folder = os.path.dirname(path)
    ran = path + ".ran"
    if status(path, shell, "", folder, stub, ran) != 0 or not os.path.exists(ran):
        return []  # it fails in any case, or runs none
    with open(ran, encoding="utf-8") as f:
        reached = set(f.read().split())
    for n, word, lost, loose in judge(text, said):
        line = text.split("\n")[n - 1]
        if word not in reached or (not lost and (line.startswith("! ") or line.endswith("&") or "exit ${rc" in text or "rc=$?" in line)):
            continue  # that it fails may be what is wanted; who waits for it, or saved it, may stand in a condition
        real = status(path, shell, word, folder, stub) == 0
        # A loop's last round fails here too: S16 is about the others.
        if real == lost or (real and loose) or any(at == n and rule == "S16" for at, rule in said):
            continue
        wrong.append(f"{shell} line {n}: {word} fails and the script ends with {'0' if real else 'its status'}, check said {sorted(said)}\n{text}")
    return wrong


def main():
    seed = int(sys.argv[1]) if sys.argv[1:] else 1
    with tempfile.TemporaryDirectory(prefix="tocsin-fates-") as tmp:
        stub = os.path.join(tmp, "stub")
        os.makedirs(stub)
        with open(os.path.join(stub, "go"), "w", encoding="utf-8") as f:
            f.write('#!/bin/sh\n[ -z "$RAN" ] || echo "$2" >>"$RAN"\n[ "$2" != "$FAILING" ]\n')
        os.chmod(os.path.join(stub, "go"), 0o755)
        tree = os.path.join(tmp, "tree")
        os.makedirs(tree)
        texts = {}
        for i in range(SCRIPTS):
            pick = random.Random(seed * 100000 + i)
            shell = "bash" if i % 3 else "dash"
            name = f"s{i:04}.sh"
            texts[name] = (shell, Maker(pick, shell).make())
            with open(os.path.join(tree, name), "w", encoding="utf-8") as f:
                f.write(texts[name][1])
        run = subprocess.run([TOCSIN, "check", "--json", "--only", "S"], cwd=tree, capture_output=True, text=True, timeout=120, check=False)
        said = {}
        for f in json.loads(run.stdout)["findings"]:
            said.setdefault(f["file"], set()).add((f["line"], f["rule"]))
        jobs = [(os.path.join(tree, n), s, t, said.get(n, set()), stub) for n, (s, t) in sorted(texts.items())]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            wrong = [w for list_ in pool.map(check, jobs) for w in list_]
        print(f"{'not ok' if wrong else 'ok'} 1 - {len(jobs)} scripts: what is said is what bash and dash do ({len(wrong)} differ)")
        for w in wrong[:12]:
            print("\n".join("# " + line for line in w.splitlines()))
        print("1..1")


main()
