#!/usr/bin/env python3
"""Makes the C rows of the lint rules from src/check/rules/*.rule.

usage: rules.py OUTPUT DEPFILE FOLDER     (writes RULE(…) rows in the order of the ids, and for ninja what they were made from)

A rule file:
    R01 error on go            id, severity (error, warning, note), on or off by default, languages
    KEY: VALUE                 a line that begins with a blank goes on with the value
    == bad                     files `-- PATH --`, in which the rule must find something at each `find: PATH:LINE`, and nowhere else
    == good                    files in which it must find nothing
    == experiment              a shell script that proves what the rule says: it runs with -eu, $BAD and $GOOD hold the files,
                               $GO a go command; it must end with 0 (see docs/adding-a-rule.md)
Keys: title, message, advice, why and the same with .zh; find (one a line, may be repeated); and, where they apply:
needs (imports, package, types, tree), fix (safe, all), prevents (ids of causes), source (where the fact is from).
"""
import glob
import os
import re
import sys

TEXTS = ["title", "title.zh", "message", "message.zh", "advice", "advice.zh", "why", "why.zh"]
KEYS = {*TEXTS, "needs", "fix", "find", "prevents", "source"}
SEVERITIES = {"error": "SEV_ERROR", "warning": "SEV_WARNING", "note": "SEV_NOTE"}
LANGUAGES = ["go", "shell", "github", "gitlab", "jenkins", "make", "docker", "taskfile", "systemd", "cron", "drone", "woodpecker", "gitee",
             "yunxiao", "tree"]


def fail(path, line, why):
    sys.exit(f"{path}:{line}: {why}")


def read_rule(path):
    """The rule as a dictionary; ends the program with FILE:LINE when it is no rule."""
    with open(path, encoding="utf-8") as f:
        lines = f.read().split("\n")
    head = re.match(r"^([A-Z]\d\d) (error|warning|note) (on|off) ([a-z ]+)$", lines[0])
    if not head or head.group(1) != os.path.basename(path)[:-5]:
        fail(path, 1, "the first line must be: ID SEVERITY on|off LANGUAGES, and the file ID.rule")
    rule = {"id": head.group(1), "severity": head.group(2), "on": head.group(3) == "on", "languages": head.group(4).split(), "find": [],
            "bad": "", "good": "", "experiment": ""}
    for word in rule["languages"]:
        if word not in LANGUAGES:
            fail(path, 1, f"unknown language {word}")
    section, key = None, None
    for at, text in enumerate(lines[1:], 2):
        part = re.match(r"^== (bad|good|experiment)$", text)
        if part:
            section = part.group(1)
        elif section:
            rule[section] += text + "\n"
        elif text[:1] in (" ", "\t") and key and key != "find":
            rule[key] += (" " if not re.search(r"\.zh$", key) else "") + text.strip()
        elif text.strip():
            key, _, value = text.partition(":")
            if key not in KEYS:
                fail(path, at, f"unknown key {key}")
            if key == "find":
                rule["find"].append(value.strip())
            elif key in rule:
                fail(path, at, f"{key} a second time")
            else:
                rule[key] = value.strip()
    for want in TEXTS + ["bad", "good"]:
        if not rule.get(want, "").strip():
            fail(path, 1, f"no {want}")
    if not rule["find"]:
        fail(path, 1, "no find: which lines of the bad example must be found")
    for name in ("title", "message", "advice", "why"):
        if sorted(set(re.findall(r"\{\d\}", rule[name]))) != sorted(set(re.findall(r"\{\d\}", rule[name + ".zh"]))):
            fail(path, 1, f"{name} and {name}.zh do not fill in the same")
    for section in ("bad", "good", "experiment"):
        rule[section] = rule[section].rstrip("\n") + "\n" if rule[section].strip() else ""
    return rule


def quote(text):
    """A C string, a line each."""
    def one(line):
        return '"' + line.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t").replace("?", "\\?").replace("\n", "\\n") + '"'
    return "\n".join(one(line) for line in re.findall(r"[^\n]*\n|[^\n]+", text)) or '""'


def row(rule):
    languages = " | ".join(f"RULE_{w.upper()}" for w in rule["languages"])
    texts = [quote(rule[t]) for t in TEXTS]
    tail = [quote(rule.get(k, "")) for k in ("needs", "fix", "prevents", "source")]
    tail += [quote(" ".join(rule["find"])), quote(rule["bad"]), quote(rule["good"]), quote(rule["experiment"])]
    return "RULE({}, {}, {}, {},\n{})\n".format(rule["id"], SEVERITIES[rule["severity"]], str(rule["on"]).lower(), languages, ",\n".join(texts + tail))


def main():
    out, depfile, folder = sys.argv[1:4]
    paths = sorted(glob.glob(os.path.join(folder, "*.rule")))
    rules = [read_rule(p) for p in paths]
    with open(depfile, "w", encoding="utf-8") as f:
        f.write(f"{os.path.basename(out)}: {' '.join([folder] + paths)}\n")
    with open(out, "w", encoding="utf-8") as f:
        f.write("/* Made by tools/rules.py from src/check/rules/. */\n")
        f.writelines(row(r) for r in rules)


if __name__ == "__main__":
    main()
