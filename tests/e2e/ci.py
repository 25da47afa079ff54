#!/usr/bin/env python3
"""The CI context in the report: from a CI's variables, from overrides, from git's files without git."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import TOCSIN, check, done  # noqa: E402

SHA = "0123456789abcdef0123456789abcdef01234567"
HOSTILE = "x\n::error::owned \x1b[31m<b>@all `id`"


def report(cwd, env):
    path = os.path.join(cwd, "report.json")
    keep = {k: os.environ[k] for k in ("PATH", "HOME", "TMPDIR", "XDG_STATE_HOME") if k in os.environ}
    p = subprocess.run([TOCSIN, "run", "--no-store", "--format", "raw", "--report", path, "--", "true"], cwd=cwd,
                       env={**keep, **env}, capture_output=True, timeout=60)
    with open(path) as f:
        return p, json.load(f)["run"]["ci"] or {}


def git_repository(root):
    git = os.path.join(root, ".git")
    os.makedirs(git)
    files = {
        "HEAD": "ref: refs/heads/feature/x\n",
        "packed-refs": f"# pack-refs with: peeled fully-peeled sorted\n{SHA} refs/heads/feature/x\n",
        "config": '[remote "origin"]\n\turl = https://user:s3cr3t@git.example/o/r.git\n',
    }
    for name, text in files.items():
        with open(os.path.join(git, name), "w") as f:
            f.write(text)


def main():
    with tempfile.TemporaryDirectory() as root:
        event = os.path.join(root, "event.json")
        with open(event, "w") as f:
            json.dump({"pull_request": {"number": 12}}, f)
        github = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "o/r", "GITHUB_SERVER_URL": "https://github.com",
                  "GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_HEAD_REF": "topic", "GITHUB_SHA": SHA,
                  "GITHUB_EVENT_PATH": event}
        p, ci = report(root, github)
        check(p.returncode == 0 and ci.get("name") == "github" and ci["repo"] == "o/r" and ci["branch"] == "topic" and
              ci["commit"] == SHA and ci["url"] == "https://github.com/o/r/actions/runs/7/attempts/2",
              "GitHub's variables are in the report", ci)
        check(str(ci.get("pr")) == "12", "the pull request comes from the event file", ci)
        p, ci = report(root, {**github, "TOCSIN_CI_NAME": "mine", "TOCSIN_CI_BRANCH": "other"})
        check(ci["name"] == "mine" and ci["branch"] == "other" and ci["repo"] == "o/r", "one variable overrides one field", ci)
        p, ci = report(root, {**github, "GITHUB_HEAD_REF": HOSTILE})
        check(b"::error::" not in p.stderr.split(b"\n")[0] and b"\x1b[31m" not in p.stderr + p.stdout,
              "a hostile branch name prints no command and no colour", p.stderr)
        check(p.returncode == 0 and not any(line.startswith(b"::error::owned") for line in
                                            (p.stdout + p.stderr).splitlines()), "nor starts a line", p.stderr)

        repository = os.path.join(root, "repository")
        git_repository(repository)
        p, ci = report(repository, {"PATH": "/usr/bin:/bin"})
        check(ci.get("branch") == "feature/x" and ci["commit"] == SHA, "git's files are the fall-back", ci)
        check(ci.get("repo") == "https://git.example/o/r.git", "credentials are not in the repository's URL", ci)
        with open(os.path.join(repository, "report.json"), "rb") as f:
            check(b"s3cr3t" not in f.read() + p.stderr + p.stdout, "nor anywhere else")
        p, ci = report(repository, {"JENKINS_URL": "http://j", "GIT_BRANCH": "origin/main"})
        check(ci.get("name") == "jenkins" and ci["branch"] == "main" and ci["commit"] == SHA,
              "git fills in what a CI does not say", ci)
    with tempfile.TemporaryDirectory() as root:
        p, ci = report(root, {})
        check(p.returncode == 0 and not any(ci.values()), "without CI and git every field is null", ci)
    done()


main()
