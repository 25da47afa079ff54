#!/usr/bin/env python3
"""Trees written in the style of real projects: each folder tests/check/NAME is one, and its file EXPECT says every finding that the
pipeline rules make in it, as lines `PATH:LINE RULE` (empty lines and `#` pass). Not one more, not one less. Words on the command
line pick folders: `check_pipelines.py shell`."""
# suite: limit 300
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TREES = os.path.join(os.path.dirname(HERE), "check")
TOCSIN = os.path.abspath(os.environ.get("TOCSIN", "build/tocsin"))
FAMILIES = "SKALJMDWX"


def expected(folder):
    with open(os.path.join(folder, "EXPECT"), encoding="utf-8") as f:
        lines = [line.split("#")[0].split() for line in f]
    return sorted(f"{at} {rule}" for at, rule in (words for words in lines if words))


def found(folder):
    """What check says of the tree, and what stands around it when it says nothing at all."""
    run = subprocess.run([TOCSIN, "check", "--json"], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    try:
        return sorted(f"{f['file']}:{f['line']} {f['rule']}" for f in json.loads(run.stdout)["findings"] if f["rule"][0] in FAMILIES), run
    except (ValueError, KeyError):
        return None, run


def difference(want, got):
    """Both ways, with the number of times: two findings of one rule in one line are two."""
    left = list(got)
    missing = [w for w in want if w not in left or left.remove(w)]
    return [f"missing: {w}" for w in missing] + [f"not wanted: {g}" for g in left]


def write(folder, files):
    for path, text in files.items():
        at = os.path.join(folder, path)
        os.makedirs(os.path.dirname(at), exist_ok=True)
        with open(at, "w", encoding="utf-8") as f:
            f.write(text)


def check(folder, *words):
    """(findings as PATH:LINE RULE, the whole answer)"""
    run = subprocess.run([TOCSIN, "check", "--json", *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    answer = json.loads(run.stdout)
    return sorted(f"{f['file']}:{f['line']} {f['rule']}" for f in answer["findings"]), answer


JOB = ".go:\n  script:\n    - go test ./... || true\n"
ROOT = "include:\n  - local: /ci/base.yml\n  - template: Go.gitlab-ci.yml\n  - {project: group/ci, file: a.yml}\ntest:\n  extends: .go\n"


def included_once(tmp):
    """What lies outside is named once, what lies in the tree is found where it stands; a second run says the same."""
    write(tmp, {".gitlab-ci.yml": ROOT, "ci/base.yml": JOB})
    got, answer = check(tmp, "--only", "S01")
    text = json.dumps(answer)
    again, _ = check(tmp, "--only", "S01")
    part, _ = check(tmp, "--only", "S01", "ci/base.yml")
    wrong = [] if got == again == part == ["ci/base.yml:3 S01"] else [f"found {got}, then {again}, of the file alone {part}"]
    wrong += [f"{word}: named {text.count(word)} times" for word in ("template Go.gitlab-ci.yml", "project group/ci") if text.count(word) != 1]
    write(tmp, {"ci/base.yml": JOB.replace("true", "true # tocsin:allow S01 the suite is judged elsewhere")})
    got, _ = check(tmp, "--only", "S01,C")
    return wrong + ([f"an allowed one: {got}"] if got else [])


def other_file(tmp):
    """What loses the status stands in another file than the command: both are named."""
    write(tmp, {".gitlab-ci.yml": "include: base.yml\ntest:\n  extends: .go\n  script:\n    - go test ./...\n    - echo over\n",
                "base.yml": "# base\n.go:\n  before_script:\n    - set +e\n"})
    got, answer = check(tmp, "--only", "S03")
    text = json.dumps(answer["findings"])
    return [] if got == [".gitlab-ci.yml:5 S03"] and "base.yml" in text else [f"{got} {text}"]


def turning(tmp):
    """Files that include each other, themselves, or what is not there: each is read once, and all ends."""
    write(tmp, {".gitlab-ci.yml": "include: [a.yml, .gitlab-ci.yml, none.yml, 'ci/**.yml']\nx:\n  script: [go vet ./...]\n",
                "a.yml": "include: .gitlab-ci.yml\ny:\n  script: ['go test ./... || true']\n", "ci/b.yml": "include: /ci/*.yml\nz:\n  script: ['go build ./... || :']\n"})
    got, _ = check(tmp, "--only", "S01")
    return [] if got == ["a.yml:3 S01", "ci/b.yml:3 S01"] else [str(got)]


def many(tmp):
    """More files than GitLab itself takes: bounded, and said."""
    write(tmp, {f"ci/f{i:03}.yml": f"j{i}:\n  script: ['go test ./p{i} || true']\n" for i in range(200)})
    write(tmp, {".gitlab-ci.yml": "include: ci/*.yml\n"})
    got, answer = check(tmp, "--only", "S01")
    return [] if len(got) == 200 and "150" in json.dumps(answer) else [f"{len(got)} found; {json.dumps(answer)[:300]}"]


def two_roots(tmp):
    """A file that two pipelines share is said once, and deep merging keeps the keys that the other file has."""
    write(tmp, {"a/.gitlab-ci.yml": "include: /common.yml\none:\n  extends: .t\n", "b/.gitlab-ci.yml": "include: /common.yml\ntwo:\n  extends: .t\n",
                "common.yml": ".t:\n  script:\n    - go test ./... || true\n"})
    got, _ = check(tmp, "--only", "S01")
    return [] if got == ["common.yml:3 S01"] else [str(got)]


def gone(tmp):
    """An included file that is not there is named."""
    write(tmp, {".gitlab-ci.yml": "include: gone.yml\nt:\n  script: [go test ./...]\n"})
    _, answer = check(tmp, "--only", "S01")
    return [] if any("gone.yml" in t for t in answer["limits"]) else [json.dumps(answer)[:300]]


AS_WRITTEN = [
    (".github/workflows/a.yml", "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: go test ${{ matrix.flags }} ./my__dir || true\n",
     "go test ${{ matrix.flags }} ./my__dir"),
    ("Makefile", "X = a__b\ntest:\n\tgo test $(PKGS)__ ./$(X) | tee out.txt\n", "go test $(PKGS)__ ./a__b"),
    ("lines.mk", "test:\n\tgo test $(shell go list \\\n\t\t./...) | tee out.txt\n", "go test …"),
    ("Taskfile.yml", "version: '3'\ntasks:\n  a:\n    cmds:\n      - go test {{.FLAGS}} ./a__b || true\n", "go test {{.FLAGS}} ./a__b"),
    ("a.sh", "#!/bin/bash\nset -e\nbash -c 'go test ./__a__ || true'\n", "go test ./__a__"),
]


def as_written(tmp):
    """A command is shown as its file writes it, with its templates and variables."""
    write(tmp, {name: text for name, text, _ in AS_WRITTEN})
    _, answer = check(tmp, "--only", "S01,M03")
    told = {f["file"]: f["message"] for f in answer["findings"]}
    return [f"{name}: {told.get(name)}" for name, _, want in AS_WRITTEN if f"`{want}`" not in told.get(name, "")]


CASES = [included_once, other_file, turning, many, two_roots, gone, as_written]


def run_case(case):
    with tempfile.TemporaryDirectory(prefix="tocsin-pipelines-") as tmp:
        write(tmp, {"go.mod": "module example.org/app\n\ngo 1.22\n"})
        return case(tmp)


def main():
    names = sorted(n for n in os.listdir(TREES) if os.path.exists(os.path.join(TREES, n, "EXPECT")))
    names = [n for n in names if not sys.argv[1:] or n in sys.argv[1:]]
    for at, name in enumerate(names, 1):
        want = expected(os.path.join(TREES, name))
        got, run = found(os.path.join(TREES, name))
        wrong = [f"no answer: status {run.returncode}\n{run.stderr}"] if got is None else difference(want, got)
        print(f"{'not ok' if wrong else 'ok'} {at} - {name}: {len(want)} findings, as written", flush=True)
        for line in "\n".join(wrong).splitlines():
            print(f"# {line}", flush=True)
    cases = [] if sys.argv[1:] else CASES
    for at, case in enumerate(cases, len(names) + 1):
        wrong = run_case(case)
        print(f"{'not ok' if wrong else 'ok'} {at} - includes: {case.__doc__.splitlines()[0]}", flush=True)
        for line in "\n".join(wrong).splitlines():
            print(f"# {line}", flush=True)
    print(f"1..{len(names) + len(cases)}")


main()
