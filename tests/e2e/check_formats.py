#!/usr/bin/env python3
# suite: limit 600
# suite: takes 60
"""What `tocsin check` writes for machines, against what the readers document: SARIF against the OASIS schema (by a validator that is not ours), its
fixes applied by UTF-16 columns, GitHub's workflow commands read back, GitLab's Code Quality, checkstyle as XML, rdjson; the exit status in each.

The schema and the validator are Go modules, which come from the module proxy."""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
import xml.etree.ElementTree as ET

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, "..", "helpers"))
sys.path.insert(0, os.path.join(ROOT, "tools"))
import rules  # noqa: E402
import sarif  # noqa: E402
import trees  # noqa: E402
from tap import SLOW, TOCSIN, check, done  # noqa: E402

TMP = tempfile.mkdtemp(prefix="tocsin-formats-")
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("TOCSIN_", "NO_COLOR", "GIT_")) and k != "GITHUB_ACTIONS"}
ENV.update(LC_ALL="C.UTF-8", XDG_CACHE_HOME=os.path.join(TMP, "cache"), XDG_CONFIG_HOME=os.path.join(TMP, "config"), GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL="/dev/null")
FORMATS = ("text", "json", "sarif", "github", "gitlab", "checkstyle", "rdjson", "rdjsonl")
SCHEMA = ("github.com/owenrumney/go-sarif/v3", "v3.3.1", "pkg/report/v210/sarif/schema.go")  # it has the OASIS text in a Go string
VALIDATOR = ("github.com/xeipuuv/gojsonschema", "v1.2.0")
VALIDATE = """package main

import (
	"fmt"
	"os"

	"github.com/xeipuuv/gojsonschema"
)

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	schema, err := gojsonschema.NewSchema(gojsonschema.NewBytesLoader(text))
	if err != nil {
		panic(err)
	}
	for _, name := range os.Args[2:] {
		text, err := os.ReadFile(name)
		if err != nil {
			panic(err)
		}
		result, err := schema.Validate(gojsonschema.NewBytesLoader(text))
		if err != nil {
			fmt.Println(name, err)
			continue
		}
		for _, e := range result.Errors() {
			fmt.Println(name, e)
		}
	}
	fmt.Println("read", len(os.Args)-2)
}
"""


def tree(name, files):
    return trees.put(os.path.join(TMP, name), files)


def examples(text):
    """The files `-- PATH --` of a rule's example."""
    parts = re.split(r"(?m)^-- (\S+) --\n", text)
    return dict(zip(parts[1::2], parts[2::2]))


def tocsin(top, *args, limit=60):
    run = subprocess.run([TOCSIN, "check", *args], cwd=top, capture_output=True, timeout=limit, env=ENV, check=False)
    return run.returncode, run.stdout, run.stderr.decode("utf-8", "replace")


def read(path):
    with open(path, "rb") as f:
        return f.read()


def git(top, *words):
    subprocess.run(["git", "-c", "init.defaultBranch=main", "-c", "user.name=t", "-c", "user.email=t@example.com", *words], cwd=top, env=ENV, check=True, capture_output=True, timeout=30)


# ---- trees ----

EVERY = [rules.read_rule(p) for p in sorted(glob.glob(os.path.join(ROOT, "src", "check", "rules", "*.rule")))]
BAD = "package main\n\nfunc main() {\n\tdefer recover()\n}\n"
# Names and lines that formats have to write in another way than they stand there.
ODD = {
    "go.mod": "module m\n\ngo 1.21\n",
    "a b/100%/é,中:x.go": "package main\n\nfunc f() {\n\tx := \"中\U0001F600\"; defer recover()\n\t_ = x\n\tdefer recover()\n\tdefer recover()\n}\n",
    "crlf.go": BAD.replace("\n", "\r\n"),
    "control.sh": "#!/bin/bash\nset -e\ngo test './\x01\x1b[31m<&\">' | tee log\n",
    "first:colon.go": BAD,
    "new\nline.go": BAD,
    "latin.go": BAD.encode() + b"// \xff\xe4\n",
    "wide.sh": "#!/bin/bash\necho '中\U0001F600'; set -e\ngo test ./... | tee log\ncurl -d '中\U0001F600' \"$WEBHOOK_URL\"\n",
    "wide-crlf.sh": "#!/bin/bash\r\necho '中\U0001F600'; set -e\r\ngo test ./... | tee log\r\ncurl -d '中\U0001F600' \"$WEBHOOK_URL\"",
}


# ---- SARIF ----

def go_command():
    return next((g for g in ("/usr/local/go/bin/go",) if os.path.exists(g)), "go")


def validator():
    """(the program, the schema's file)."""
    go = go_command()
    env = dict(ENV, GOFLAGS="-mod=mod", GOTOOLCHAIN="local", GOWORK="off")
    where = tree("validator", {"main.go": VALIDATE, "go.mod": f"module validate\n\ngo 1.19\n\nrequire {VALIDATOR[0]} {VALIDATOR[1]}\n"})
    got = json.loads(subprocess.run([go, "mod", "download", "-json", f"{SCHEMA[0]}@{SCHEMA[1]}"], cwd=where, env=env, capture_output=True, timeout=300, check=True).stdout)
    text = read(os.path.join(got["Dir"], SCHEMA[2])).decode().split("`")[1]
    schema = json.loads(text)
    assert schema["id"].endswith("/sarif-schema-2.1.0.json") and len(schema["definitions"]) > 40, schema.get("id")
    with open(os.path.join(TMP, "schema.json"), "w", encoding="utf-8") as f:
        f.write(text)
    subprocess.run([go, "build", "-o", os.path.join(TMP, "validate"), "."], cwd=where, env=env, check=True, timeout=300)
    return os.path.join(TMP, "validate"), os.path.join(TMP, "schema.json")


def at_column(line, column):
    """The place in this line (str) of a column in UTF-16 code units, from 1."""
    units = 0
    for i, c in enumerate(line):
        if units >= column - 1:
            return i
        units += 2 if ord(c) > 0xffff else 1
    return len(line)


def apply(text, replacements):
    """A SARIF fix, made by its regions alone."""
    lines = text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    cuts = []
    for r in replacements:
        d = r["deletedRegion"]
        begin = starts[d["startLine"] - 1] + at_column(lines[d["startLine"] - 1], d["startColumn"])
        end = starts[d["endLine"] - 1] + at_column(lines[d["endLine"] - 1], d["endColumn"])
        cuts.append((begin, end, r["insertedContent"]["text"]))
    for begin, end, new in sorted(cuts, reverse=True):
        text = text[:begin] + new + text[end:]
    return text


def region(result):
    return result["locations"][0]["physicalLocation"]


def name_of(place):
    return urllib.parse.unquote(place["artifactLocation"]["uri"])


def test_schema():
    validate, schema = validator()
    out = os.path.join(TMP, "sarif")
    os.makedirs(out)
    wrong = []
    for r in [r for i, r in enumerate(EVERY) if not SLOW or i % 9 == 0 or r.get("fix")]:
        top = tree(f"bad-{r['id']}", examples(r["bad"]))
        code, _, err = tocsin(top, "--only", r["id"], "--format", "sarif", "--output", os.path.join(out, f"{r['id']}.json"))
        if code not in (0, 1):
            wrong.append((r["id"], code, err))
    check(not wrong, "each rule's example is written", wrong)
    top = tree("odd", {**ODD, "nul.go": b"package main\n\0\n", "big.go": b"package main\n" + b"\n" * (17 << 20)})
    git(top, "init", "-q")
    git(top, "remote", "add", "origin", "https://someone:secret-word@example.com/shop.git")
    git(top, "add", "go.mod")
    git(top, "commit", "-qm", "one")
    tocsin(top, "--format", "sarif", "--output", os.path.join(out, "odd.json"))
    tocsin(tree("clean", {"a.go": "package a\n"}), "--format", "sarif", "--output", os.path.join(out, "clean.json"))
    files = sorted(glob.glob(out + "/*.json"))
    run = subprocess.run([validate, schema, *files], capture_output=True, text=True, timeout=300, check=False)
    check(run.stdout.splitlines() == [f"read {len(files)}"], "every log is valid against the schema of SARIF 2.1.0", run.stdout[-4000:] + run.stderr[-2000:])
    broken = os.path.join(TMP, "broken.json")
    with open(broken, "w", encoding="utf-8") as f:
        f.write(read(files[0]).decode().replace('"startLine":', '"startLin":'))
    run = subprocess.run([validate, schema, broken], capture_output=True, text=True, timeout=300, check=False)
    check("startLin" in run.stdout, "and the validator finds what is wrong", run.stdout)
    logs = {os.path.basename(f)[:-5]: json.loads(read(f)) for f in files}
    wrong = [(n, sarif.faults(log, library=False)) for n, log in logs.items() if sarif.faults(log, library=False)]
    check(not wrong, "what a schema cannot say holds too", wrong)
    return logs


def test_log(logs):
    run = logs["odd"]["runs"][0]
    names = {name_of(region(r)) for r in run["results"]}
    check({n if ":" not in n.split("/")[0] else "./" + n for n in ODD if n != "go.mod"} == names, "URIs are the files' names, percent-encoded", names)
    check(all(re.fullmatch(r"[A-Za-z0-9._~!$&'()*+,;=:@/%-]+", region(r)["artifactLocation"]["uri"]) for r in run["results"]), "with no character that a URI has not")
    call = run["invocations"][0]
    told = [n["message"]["text"] for n in call["toolExecutionNotifications"]]
    check(call["exitCode"] == 1 and call["executionSuccessful"] and any("nul.go" in t for t in told) and any("big.go" in t for t in told), "the exit status, and files that were not looked at", call)
    check(logs["clean"]["runs"][0]["results"] == [] and logs["clean"]["runs"][0]["invocations"][0]["exitCode"] == 0, "nothing found is an empty list", logs["clean"])
    origin = run["versionControlProvenance"][0]
    check(origin["repositoryUri"] == "https://example.com/shop.git" and re.fullmatch("[0-9a-f]{40}", origin["revisionId"]) and origin["branch"] == "main", "where the tree comes from, without the password", origin)
    every = [r for log in logs.values() for r in log["runs"][0]["tool"]["driver"]["rules"]]
    check(all(r["help"]["text"] and r["help"]["markdown"] and r["fullDescription"]["text"] and len(r["properties"]["tags"]) <= 20 for r in every), "rules explain themselves, within GitHub's number of tags", len(every))


def files_of(top):
    found = {}
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, top)] = read(path).decode("utf-8", "surrogateescape")
    return found


def fixed_by(results, before):
    """The files after all fixes of these results, one finding at a time, as long as they do not overlap."""
    edits = {}
    for r in results:
        for fix in r.get("fixes", []):
            for change in fix["artifactChanges"]:
                edits.setdefault(urllib.parse.unquote(change["artifactLocation"]["uri"]), []).extend(change["replacements"])
    return {name: apply(text, edits[name]) if name in edits else text for name, text in before.items()}


def test_fixes(logs):
    mendable = [r for r in EVERY if r.get("fix") and r["id"] in logs]
    wrong = []
    for r in mendable:
        top = os.path.join(TMP, f"bad-{r['id']}")
        before = files_of(top)
        results = logs[r["id"]]["runs"][0]["results"]
        by_hand = fixed_by(results, before)
        tocsin(top, "--only", r["id"], "--fix=all")
        if not any("fixes" in x for x in results) or by_hand != files_of(top):
            wrong.append((r["id"], by_hand, files_of(top)))
    check(mendable and not wrong, f"the fixes of {len(mendable)} rules give what --fix gives", wrong[:1])
    for rule in ("S02", "W01"):
        top = tree(f"wide-{rule}", {n: t for n, t in ODD.items() if n.startswith("wide") or n == "go.mod"})
        before = files_of(top)
        results = json.loads(tocsin(top, "--only", rule, "--format", "sarif")[1])["runs"][0]["results"]
        by_hand = fixed_by(results, before)
        tocsin(top, "--only", rule, "--fix=all")
        after = files_of(top)
        check(len([r for r in results if "fixes" in r]) == 2 and before != after == by_hand and "\U0001F600" in after["wide.sh"], f"{rule}: columns behind wide characters, and with CRLF", (by_hand, after))


# ---- the others ----

def unescape(text, more=()):
    for code, char in (("%0D", "\r"), ("%0A", "\n"), *more, ("%25", "%")):
        text = text.replace(code, char)
    return text


def test_github():
    top = os.path.join(TMP, "odd")
    out = tocsin(top, "--only", "R01", "--format", "github")[1].decode()
    rows = [re.fullmatch(r"::(error|warning|notice) ((?:[A-Za-z]+=[^,:\r\n]*,?)+)::([^\r\n]+)", t) for t in out.splitlines()]
    check(rows and all(rows), "GitHub: a workflow command a line", out)
    names = {unescape(dict(p.split("=", 1) for p in r[2].split(","))["file"], (("%3A", ":"), ("%2C", ","))) for r in rows if r}
    check(names == {n for n in ODD if n.endswith(".go")}, "GitHub: names read back", names)


def test_gitlab():
    top = os.path.join(TMP, "odd")
    items = json.loads(tocsin(top, "--format", "gitlab")[1])
    paths = {i["location"]["path"] for i in items}
    check(all(isinstance(i["description"], str) and i["description"] and i["check_name"] and i["severity"] in ("info", "minor", "major", "critical", "blocker") and
              isinstance(i["location"]["lines"]["begin"], int) and i["location"]["lines"]["begin"] >= 1 for i in items) and len(items) > 5, "GitLab: the documented fields", items)
    check(len({i["fingerprint"] for i in items}) == len(items) and not any(p.startswith(("/", "./")) for p in paths) and "a b/100%/é,中:x.go" in paths, "GitLab: fingerprints differ, paths are relative", paths)
    again = json.loads(tocsin(tree("moved", {**ODD, "crlf.go": "\r\n\r\n" + ODD["crlf.go"]}), "--format", "gitlab")[1])
    check({i["fingerprint"] for i in items} == {i["fingerprint"] for i in again}, "GitLab: they stay when lines move")
    check(json.loads(tocsin(os.path.join(TMP, "clean"), "--format", "gitlab")[1]) == [], "GitLab: nothing found is an empty list")


def test_checkstyle():
    top = os.path.join(TMP, "odd")
    out = tocsin(top, "--format", "checkstyle")[1]
    style = ET.fromstring(out)
    names = [f.get("name") for f in style.findall("file")]
    check(style.tag == "checkstyle" and len(names) == len(set(names)) and "a b/100%/é,中:x.go" in names and all(f.findall("error") for f in style.findall("file")), "checkstyle: well-formed, a file once", out)
    check(not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]", out) and "control.sh" in names, "checkstyle: no control character, though the source has some", out)
    check(len(ET.fromstring(tocsin(os.path.join(TMP, "clean"), "--format", "checkstyle")[1])) == 0, "checkstyle: nothing found is an empty list")


def test_rdjson():
    top = os.path.join(TMP, "odd")
    got = json.loads(tocsin(top, "--format", "rdjson")[1])
    lines = [json.loads(t) for t in tocsin(top, "--format", "rdjsonl")[1].splitlines()]
    check(lines == got["diagnostics"] and len(lines) > 5, "rdjson and rdjsonl say the same")
    wrong = []
    for d in lines:
        text = ODD[d["location"]["path"]]
        rows = (text if isinstance(text, bytes) else text.encode()).split(b"\n")
        for r in [d["location"]["range"]] + [s["range"] for s in d.get("suggestions", [])]:
            for p in (r["start"], r["end"]):
                if not (1 <= p["line"] <= len(rows) and 1 <= p["column"] <= len(rows[p["line"] - 1]) + 1):
                    wrong.append((d["location"]["path"], r))
        if set(d) - {"message", "location", "severity", "code", "suggestions"} or d["severity"] not in ("ERROR", "WARNING", "INFO") or not d["message"]:
            wrong.append(d)
    check(not wrong, "rdjson: fields, and columns in bytes within their lines", wrong)


def test_status():
    warns = tree("warns", {"go.mod": "module m\n", "a.sh": "#!/bin/bash\nset -e\ncurl -sf \"$WEBHOOK_URL\" -d x\n"})
    for name, top, args, wanted in (("errors", os.path.join(TMP, "odd"), (), 1), ("warnings", warns, ("--only", "W02"), 0), ("warnings, --strict", warns, ("--only", "W02", "--strict"), 1),
                                    ("nothing found", os.path.join(TMP, "clean"), (), 0), ("nothing to check", tree("none", {"a.txt": "x"}), (), 2)):
        codes = {how: tocsin(top, *args, "--format", how)[0] for how in FORMATS}
        check(set(codes.values()) == {wanted}, f"the exit status does not depend on the format: {name}", codes)


try:
    found = test_schema()
    test_log(found)
    test_fixes(found)
    test_github()
    test_gitlab()
    test_checkstyle()
    test_rdjson()
    test_status()
finally:
    shutil.rmtree(TMP, ignore_errors=True)
done()
