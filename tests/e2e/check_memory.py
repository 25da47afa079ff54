#!/usr/bin/env python3
# suite: takes 15
"""`tocsin check` with ever less memory: it says all that it finds, or that there is no memory and ends with 125. Never less, never a signal."""
import json
import os
import resource
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import SLOW, TOCSIN, check, done  # noqa: E402

TMP = tempfile.mkdtemp(prefix="tocsin-memory-")
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("TOCSIN_", "NO_COLOR")) and k != "GITHUB_ACTIONS"}
ENV.update(LC_ALL="C.UTF-8", XDG_CACHE_HOME=os.path.join(TMP, "cache"), XDG_CONFIG_HOME=os.path.join(TMP, "config"), HOME=TMP)
FILES = {
    "a.go": "package p\n\nimport \"os\"\n\n" + "".join(f"func f{i}() {{\n\tg(func() {{ h({i}) }})\n\tos.Exit(300)\n}}\n" for i in range(2000)),
    "a.sh": "#!/bin/bash\n" + "".join(f"if a {i}; then\n\tgo test ./p{i} | tee log\nfi\n" for i in range(1000)),
    ".github/workflows/ci.yml": "name: ci\non: [push]\njobs:\n" + "".join(
        f"  j{i}:\n    runs-on: ubuntu-latest\n    timeout-minutes: 5\n    steps:\n      - run: go test -count=1 ./p{i}\n        continue-on-error: true\n" for i in range(400)),
}


def run(name, most):
    """The exit status, how much is found, what is said on stderr; most: bytes of address space."""
    def bound():
        if most:
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    got = subprocess.run([TOCSIN, "check", "--json", "--no-config", "--no-cache", name], cwd=TMP, capture_output=True, timeout=120, env=ENV, check=False, preexec_fn=bound)
    try:
        answer = json.loads(got.stdout)
        found = (len(answer["findings"]), answer["limits"])
    except ValueError:
        found = got.stdout
    return got.returncode, found, got.stderr.decode("utf-8", "replace")


def walk(name):
    full = run(name, 0)
    check(full[0] in (0, 1) and full[1][0] >= 100, f"{name}: all there is to find", full)
    ends, wrong = set(), []
    for mib in range(16, 160, 6):  # the program itself and its libraries want about 14
        code, found, err = run(name, mib << 20)
        ends.add(code)
        if (code, found) != full[:2] and not (code == 125 and found == b"" and "memory" in err):
            wrong.append((mib, code, found, err[-300:]))
    check(not wrong, f"{name}: with 16 to 160 MiB of addresses it says all, or 125 and why", wrong[:3])
    check(ends == {full[0], 125}, f"{name}: both were seen", ends)


for path, text in FILES.items():
    path = os.path.join(TMP, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
if SLOW:
    check(True, "the sanitizers want more addresses than there may be: the release build has it")
else:
    for one in FILES:
        walk(one)
done()
