#!/usr/bin/env python3
# suite: takes 10
"""Each setting of tocsin.yaml below `check:`: what is found without it, and what with it. A setting that changes nothing is none."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
import trees  # noqa: E402
from tap import TOCSIN, check, done  # noqa: E402

TMP = tempfile.mkdtemp(prefix="tocsin-settings-")
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("TOCSIN_", "NO_COLOR")) and k != "GITHUB_ACTIONS"}
ENV.update(LC_ALL="C.UTF-8", XDG_CACHE_HOME=os.path.join(TMP, "cache"), XDG_CONFIG_HOME=os.path.join(TMP, "config"), HOME=TMP)

# Deferred functions whose names tell nothing; recovered values that go somewhere.
GO = """package svc

import (
	"log"

	"example.com/sink"
)

func start(work chan func()) {
	go func() {
		defer sink.Quietly()
		for f := range work {
			f()
		}
	}()
}

func swallow() {
	defer func() {
		if r := recover(); r != nil {
			log.Print(r)
			sink.Hand("it ended")
		}
	}()
	println()
}
"""
SCRIPT = """#!/bin/bash
gazelle build //... | tee build.log
page-oncall "it failed" || true
echo done
"""
WORKFLOW = """name: ci
on: [push]
jobs:
  test:
    runs-on: ubuntu-latest
    timeout-minutes: 10
    steps:
      - run: go test -count=1 ./...
      - uses: example/hail@v1
        with: {text: the tests failed}
"""
JENKINS = """pipeline {
  agent any
  options { timeout(time: 30, unit: 'MINUTES') }
  stages {
    stage('Test') {
      steps {
        sh 'go test -count=1 ./...'
      }
    }
  }
  post {
    failure {
      hail 'it failed'
    }
  }
}
"""
FILES = {"go.mod": "module example.com/m\n\ngo 1.21\n", "svc/a.go": GO, "lib/a.go": GO.replace("package svc", "package lib"), "build.sh": SCRIPT,
         ".github/workflows/ci.yml": WORKFLOW, "Jenkinsfile": JENKINS}


def tree(name):
    return trees.put(os.path.join(TMP, name), FILES)


TOP = tree("tree")


def answer(*args):
    """The exit status, {"PATH:LINE RULE": severity}, and what was said on stderr."""
    run = subprocess.run([TOCSIN, "check", "--json", *args], cwd=TOP, capture_output=True, timeout=60, env=ENV, check=False)
    try:
        got = json.loads(run.stdout)
    except ValueError:
        return run.returncode, {}, run.stderr.decode("utf-8", "replace")
    return run.returncode, {f"{f['file']}:{f['line']} {f['rule']}": f["severity"] for f in got["findings"]}, run.stderr.decode("utf-8", "replace")


def changes(setting, rules, name):
    """(what is found by default and not with the setting, what is found with it alone)"""
    with open(os.path.join(TOP, "tocsin.yaml"), "w", encoding="utf-8") as f:
        f.write("check:\n" + setting)
    try:
        _, before, _ = answer("--no-config", *rules)
        code, after, err = answer(*rules)
        # The cache must know the setting too.
        again = answer(*rules)
        check(again[1] == after, f"{name}: the same from the cache", (after, again))
    finally:
        os.unlink(os.path.join(TOP, "tocsin.yaml"))
    check(code in (0, 1), f"{name}: is understood", (code, err))
    return sorted(set(before) - set(after)), sorted(set(after) - set(before)), after


def test_guards():
    gone, new, _ = changes("  guards: [Quietly]\n", ["--only", "G01"], "guards")
    check(gone == ["lib/a.go:10 G01", "svc/a.go:10 G01"] and not new, "guards: a goroutine that defers one of them is guarded", (gone, new))
    gone, new, _ = changes("  guards: [sink.Quietly]\n", ["--only", "G01"], "guards with a package")
    check(len(gone) == 2 and not new, "guards: with the package's name too", (gone, new))
    gone, new, _ = changes("  guards: [Quiet]\n", ["--only", "G01"], "guards: another name")
    check(not gone and not new, "guards: whole names", (gone, new))


def test_reporters():
    gone, new, _ = changes("  reporters: [Hand]\n", ["--only", "R"], "reporters")
    check(gone == ["lib/a.go:20 R06", "svc/a.go:20 R06"] and not new, "reporters: a handler that calls one of them is heard", (gone, new))


def test_panic_paths():
    gone, new, _ = changes("  panic_paths: [svc/]\n", ["--only", "G01"], "panic_paths")
    check(gone == ["lib/a.go:10 G01"] and not new, "panic_paths: G01 holds there alone", (gone, new))


def test_watched():
    gone, new, _ = changes("  watched: [gazelle]\n", ["--only", "S"], "watched")
    check(not gone and any(n.startswith("build.sh:2 S") for n in new), "watched: its status must not be lost in a pipe", (gone, new))
    gone, new, _ = changes('  watched: ["gazelle build"]\n', ["--only", "S"], "watched, several words")
    check(any(n.startswith("build.sh:2 S") for n in new), "watched: several words", (gone, new))
    gone, new, _ = changes('  watched: ["gazelle run"]\n', ["--only", "S"], "watched, others")
    check(not gone and not new, "watched: other words are not", (gone, new))


def test_alerts():
    gone, new, _ = changes("  alerts: [page-oncall]\n", ["--only", "W"], "alerts")
    check(not gone and new == ["build.sh:3 W07"], "alerts: a command that sends one and is lost", (gone, new))
    gone, new, _ = changes("  alerts: [example/hail]\n", ["--only", "A"], "alerts: an action")
    check(not gone and any(n.startswith(".github/workflows/ci.yml:9 A") for n in new), "alerts: an action that never runs when the tests fail", (gone, new))
    gone, new, _ = changes("  alerts: [hail]\n", ["--only", "J"], "alerts: a step")
    check(not gone and any(n.startswith("Jenkinsfile:") for n in new), "alerts: a step of Jenkins", (gone, new))


def test_rules():
    gone, new, _ = changes("  rules: {R: off}\n", [], "rules: off")
    check(gone == ["lib/a.go:20 R06", "svc/a.go:20 R06"] and not new, "rules: off", (gone, new))
    gone, new, _ = changes("  rules: {G01: on}\n", [], "rules: on")
    check(not gone and new == ["lib/a.go:10 G01", "svc/a.go:10 G01"], "rules: on", (gone, new))
    _, _, found = changes("  rules: {G01: error}\n", [], "rules: a severity")
    check({found.get("svc/a.go:10 G01"), found.get("lib/a.go:10 G01")} == {"error"}, "rules: a severity", found)
    _, _, found = changes("  paths: [{path: \"svc/*\", rules: {R06: error}}]\n", [], "paths: a severity")
    check((found.get("svc/a.go:20 R06"), found.get("lib/a.go:20 R06")) == ("error", "warning"), "paths: a severity in some files", found)
    gone, new, _ = changes("  paths: [{path: \"svc/*\", rules: {R06: off}}]\n", [], "paths: off")
    check(gone == ["svc/a.go:20 R06"] and not new, "paths: off in some files", (gone, new))
    gone, new, _ = changes("  exclude: [svc]\n", [], "exclude")
    check(gone and all(g.startswith("svc/") for g in gone) and not new, "exclude: a folder", (gone, new))
    gone, new, _ = changes("  exclude: [\"*.sh\", \"lib/*\"]\n", ["--only", "G01"], "exclude: patterns")
    check(gone == ["lib/a.go:10 G01"] and not new, "exclude: patterns", (gone, new))


def test_errors():
    for text, says in (("  rules: {Z99: off}\n", "tocsin.yaml:2: there is no rule 'Z99'"), ("  rules: {G01: loud}\n", "tocsin.yaml:2: G01: needs off, on"),
                       ("  guards: {a: b}\n", "guards"), ("  gaurds: [a]\n", "gaurds")):
        with open(os.path.join(TOP, "tocsin.yaml"), "w", encoding="utf-8") as f:
            f.write("check:\n" + text)
        code, found, err = answer()
        check(code == 2 and not found and says in err, f"`{text.strip()}` is named, and nothing is checked by halves", (code, found, err))
    os.unlink(os.path.join(TOP, "tocsin.yaml"))


for test in (test_guards, test_reporters, test_panic_paths, test_watched, test_alerts, test_rules, test_errors):
    test()
done()
