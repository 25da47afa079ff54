# suite: takes 16
"""tocsin.yaml: init, config check, config explain, bad input, what a working tree may not say, the documentation."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import TOCSIN, check, done  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TMP = tempfile.mkdtemp(prefix="tocsin-config-")
HOME = os.path.join(TMP, "home")
ENV = {k: v for k, v in os.environ.items() if k not in ("LC_ALL", "LC_MESSAGES", "XDG_CONFIG_HOME") and not k.startswith("TOCSIN_")}
ENV.update({"LANG": "C.UTF-8", "HOME": HOME, "TERM": "xterm-256color"})


def run(*args, cwd="p", env=None):
    p = subprocess.run([TOCSIN, *args], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, cwd=path(cwd), env={**ENV, **(env or {})})
    return p.returncode, p.stdout.decode("utf-8", "replace"), p.stderr.decode("utf-8", "replace")


def path(name):
    return os.path.join(TMP, name)


def put(name, text):
    os.makedirs(os.path.dirname(path(name)), exist_ok=True)
    with open(path(name), "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    return path(name)


def keys(*args, **more):
    code, out, err = run("config", "explain", "--json", *args, **more)
    answer = json.loads(out)
    return {k["key"]: k for k in answer["keys"]}, answer, code, err


def fresh():
    shutil.rmtree(path("p"), ignore_errors=True)
    put("p/.git/HEAD", "ref: refs/heads/work\n")
    put("p/.git/packed-refs", "# pack-refs with: peeled\n0123 refs/heads/master\n")
    put("p/go.mod", "module example.com/shop\n\ngo 1.22\n")


def test_init():
    fresh()
    put("p/.git/refs/remotes/origin/HEAD", "ref: refs/remotes/origin/stable/1\n")
    put("p/.github/workflows/ci.yml", "jobs:\n  t:\n    steps:\n      - run: go test ./...\n      - run: go vet ./... | tee log\n")
    code, out, err = run("init")
    text = open(path("p/tocsin.yaml"), encoding="utf-8").read()
    check(code == 0 and not err and "example.com/shop" in out, "init: written", (code, out, err))
    check("ci.yml:4: - run: tocsin run -- go test" in out and "ci.yml:5:" in out and "script" in out, "init: says what to put where", out)
    check("\nbase_branch: stable/1\n" in text, "init: the base branch is origin's", text)
    check(run("config", "check")[0] == 0, "init: what it writes is right", run("config", "check"))
    code, out, err = run("init")
    check(code == 2 and "--force" in err and open(path("p/tocsin.yaml"), encoding="utf-8").read() == text, "init: nothing is written over", (code, err))
    check(run("init", "--force")[0] == 0, "init --force", "")
    every = re.sub(r"^#([a-z_]+:|  )", r"\1", text, flags=re.M)
    put("p/every/tocsin.yaml", every)
    code, out, err = run("config", "check", cwd="p/every")
    check(code == 0 and "nothing wrong" in out, "init: every example is right", (out, err, every))
    got, answer, _, _ = keys(cwd="p/every")
    top = {k for k in got if "origin" in got[k]}
    unset = {k for k in top if got[k]["origin"]["from"] == "default" and not got[k]["trusted_only"]}
    check(not unset and len(top) > 15, "init: every key that a project may set stands in it", unset)
    zh = run("init", "--force", "--lang", "zh")
    check(zh[0] == 0 and "接下来" in zh[1] and run("config", "check")[0] == 0 and "隔离" not in zh[2], "init in Chinese", zh)
    fresh()
    code, out, err = run("init")
    check("No pipeline" in out and "base_branch: master" in open(path("p/tocsin.yaml"), encoding="utf-8").read(),
          "init: a packed branch; no pipeline", out)
    put("w/.git", "gitdir: ../p/.git/worktrees/w\n")
    put("p/.git/worktrees/w/commondir", "../..\n")
    check(run("init", cwd="w")[0] == 0 and "base_branch: master" in open(path("w/tocsin.yaml"), encoding="utf-8").read(), "init: a worktree", "")
    check(run("init", "none")[0] == 2 and run("init", "a", "b")[0] == 2, "init: no such folder; two of them", run("init", "none"))
    put("l/x", "")
    os.symlink("/nonexistent/x", path("l/tocsin.yaml"))
    check(run("init", cwd="l")[0] == 2, "init: a dangling link is there already", run("init", cwd="l"))


BAD = [
    ("unknown key", "tmeout: 5m\n", "tocsin.yaml:1:1: tmeout: unknown key; did you mean timeout?"),
    ("unknown key in an entry", "quarantine:\n- test: a.T\n  untl: 2027-01-01\n  until: 2027-01-01\n", "tocsin.yaml:3:3: quarantine[].untl: unknown key; did you mean until?"),
    ("wrong type", "timeout: [5m]\n", "tocsin.yaml:1:10: timeout: needs a duration"),
    ("no duration", "stall: 5\n", "tocsin.yaml:1:8: stall: needs a duration such as"),
    ("yes is not true", "strict: yes\n", "tocsin.yaml:1:9: strict: needs true or false, not 'yes'"),
    ("tab indentation", "retention:\n\tage: 5d\n", "tocsin.yaml:2:1: a tab cannot indent"),
    ("duplicate key", "retry: 1\nlang: en\nretry: 2\n", "tocsin.yaml:3:1: the key 'retry' stands here twice; first in line 1"),
    ("bad date", "quarantine:\n- {test: a.T, until: 2027-02-30}\n", "tocsin.yaml:2:22: quarantine[].until: needs a date"),
    ("no date", "quarantine:\n- test: a.T\n", "tocsin.yaml:2:3: quarantine[].until: is missing"),
    ("literal secret", "channels:\n- {name: a, type: ntfy, secret: hunter2}\n", "tocsin.yaml:2:33: channels[].secret: a secret must not stand here"),
    ("literal robot address", "channels:\n- {name: a, type: feishu, url: 'https://open.feishu.cn/open-apis/bot/v2/hook/hunter2'}\n",
     "tocsin.yaml:2:32: channels[].url: the address of a feishu channel is its secret"),
    ("unknown type", "channels:\n- {name: a, type: dingtak, url: env:A}\n", "tocsin.yaml:2:19: channels[].type: does not know 'dingtak'; did you mean dingtalk?"),
    ("option of another type", "channels:\n- {name: a, type: wecom, url: env:A, topic: x}\n", "tocsin.yaml:2:38: channels[].topic: a channel of type wecom has no such key"),
    ("option misspelt", "channels:\n- {name: a, type: wecom, url: env:A, mention: {b: c}}\n", "tocsin.yaml:2:38: channels[].mention: unknown key; did you mean mentions?"),
    ("missing option", "channels:\n- {name: a, type: exec}\n", "tocsin.yaml:2:3: channels[].command: is missing here: a channel of type exec needs it"),
    ("unknown level", "routes:\n- {to: a, level: L4}\n", "tocsin.yaml:2:18: routes[].level: does not know 'L4'"),
    ("no hours", "routes:\n- {to: a, quiet_hours: [late]}\n", "tocsin.yaml:2:25: routes[].quiet_hours: needs hours such as"),
    ("no time zone", "routes:\n- {to: a, time_zone: ../../../etc/passwd}\n", "tocsin.yaml:2:22: routes[].time_zone: needs a time zone"),
    ("silence of everything", "silence:\n- {until: 2027-01-01}\n", "tocsin.yaml:2:3: silence[].when: is missing here"),
    ("password in the store", "store: postgres://u:hunter2@h/d\n", "tocsin.yaml:1:8: store: a password must not stand here"),
    ("alias", "lang: &a en\nformat: *a\n", "tocsin.yaml:1:7: anchors"),
    ("two documents", "lang: en\n---\nlang: zh\n", "tocsin.yaml:2:1: a second document"),
    ("invalid UTF-8", b"lang: \xff\xfe\n", "tocsin.yaml:1:7: invalid UTF-8"),
    ("binary", b"\x7fELF\x02\x01\x01\x00\x00\x00", "tocsin.yaml:1:1: byte 0x7f is no text"),
    ("10 MB", b"# 3456789\n" * (1 << 20), "tocsin.yaml: is larger than 1048576 bytes"),
    ("a list", "- a\n", "tocsin.yaml:1:1: needs 'key: value' lines"),
    ("out of the project", "owners: ../../etc/passwd\n", "tocsin.yaml:1:9: owners: must lie inside the project"),
    ("an escape sequence", "\"t\\e[31mx\": 1\n", "unknown key"),
]


def test_bad_input():
    for name, text, words in BAD:
        fresh()
        put("p/tocsin.yaml", text)
        code, out, err = run("config", "check")
        check(code == 2 and words in err and "hunter2" not in err and "\x1b" not in err and len(err.splitlines()) == 1 and not out,
              f"refused: {name}", (code, out, err))
        code, out, err = run("config", "check", "--lang", "zh")
        check(code == 2 and re.search("[一-鿿]", err) is not None and "hunter2" not in err, f"refused in Chinese: {name}", err)
        code, out, err = run("config", "check", "--json")
        answer = json.loads(out)
        line = re.search(r"tocsin.yaml:(\d+):(\d+)", words)
        first = answer["errors"][0]
        check(code == 2 and answer["schema"] == "tocsin.config/1" and (not line or (first["line"], first["column"]) == tuple(map(int, line.groups()))),
              f"refused as JSON: {name}", out[:500])
    put("p/tocsin.yaml", "timeout: x\nbogus_here: 1\nretry: y\nlang: french\n")
    code, out, err = run("config", "check")
    check(code == 2 and len(err.splitlines()) == 4, "every error is said", err)
    os.unlink(path("p/tocsin.yaml"))
    os.mkdir(path("p/tocsin.yaml"))
    code, out, err = run("config", "check")
    check(code == 2 and "is a directory" in err, "a directory", (code, err))
    os.rmdir(path("p/tocsin.yaml"))
    os.mkfifo(path("p/tocsin.yaml"))
    code, out, err = run("config", "check")
    check(code == 2 and "no regular file" in err, "a FIFO is not waited for", (code, err))
    code, out, err = run("config", "check", "none.yaml")
    check(code == 2 and "none.yaml" in err and "No such file" in err, "a named file that is not there", (code, err))
    os.unlink(path("p/tocsin.yaml"))
    put("p/tocsin.yaml", "lang: en\n")
    os.chmod(path("p/tocsin.yaml"), 0)
    as_nobody = ["setpriv", "--reuid", "65534", "--clear-groups"] if os.geteuid() == 0 else []  # root reads everything
    os.chmod(TMP, 0o755)
    p = subprocess.run([*as_nobody, TOCSIN, "config", "check"], capture_output=True, text=True, timeout=60, cwd=path("p"), env={**ENV, "ASAN_OPTIONS": "detect_leaks=0"})
    check(p.returncode == 2 and "Permission denied" in p.stderr, "an unreadable file", (p.returncode, p.stderr))
    check(run("config", "explain", "a", "b")[0] == 2 and run("config", "check", "a", "b")[0] == 2 and run("config")[0] == 2, "wrong usage", "")
    code, out, err = run("config", "explain", "tmeout")
    check(code == 2 and "did you mean timeout?" in err, "explain: an unknown key", err)


def test_places():
    fresh()
    put("p/a/b/x", "")
    put("p/tocsin.yaml", "timeout: 2m\nstall: 2m\n")
    put("home/.config/tocsin/tocsin.yaml", "timeout: 3m\nstall: 3m\nretry: 3\nstore: /var/lib/x.db\n")
    named = put("named.yaml", "timeout: 1m\n")
    got, _, _, _ = keys("--config", named, cwd="p/a/b")
    where = [(k, got[k]["value"], got[k]["origin"]["from"]) for k in ("timeout", "stall", "retry", "rerun_fails", "store")]
    check(where == [("timeout", "1m", "file"), ("stall", "2m", "file"), ("retry", 3, "file"), ("rerun_fails", 0, "default"),
                    ("store", "/var/lib/x.db", "file")], "the named file, the project's, the user's, the default", where)
    check(got["stall"]["origin"]["line"] == 2 and got["stall"]["origin"]["file"].endswith("/p/tocsin.yaml"), "an origin has file and line", got["stall"])
    got, _, _, _ = keys("timeout", env={"TOCSIN_CONFIG": named})
    check(got["timeout"]["value"] == "1m", "TOCSIN_CONFIG", got)
    put("xdg/tocsin/tocsin.yaml", "retry: 9\n")
    got, _, _, _ = keys("retry", env={"XDG_CONFIG_HOME": path("xdg")})
    check(got["retry"]["value"] == 9, "XDG_CONFIG_HOME", got)
    put("above/tocsin.yaml", "retry: 7\n")
    put("above/repo/.git/HEAD", "")
    got, _, _, _ = keys("retry", cwd="above/repo")
    check(got["retry"]["value"] == 3, "nothing above the repository is read", got)
    code, out, err = run("config", "explain", "--config", path("none.yaml"))
    check(code == 2 and "none.yaml" in err, "a named file must be there", (code, err))
    shutil.rmtree(path("home"))


def test_trust():
    fresh()
    put("p/tocsin.yaml", "store: postgres://evil.example/x\nretention: {age: 1s}\nmirrors: ['https://evil.example']\n"
        "channels: [{name: a, type: webhook, url: 'env:AWS_SECRET_ACCESS_KEY'}, {name: b, type: exec, command: [/bin/sh, -c, id]}]\ntimeout: 5m\n")
    got, answer, code, _ = keys()
    refused = ("store", "retention.age", "mirrors", "channels[]")
    check(code == 0 and all(got[k]["origin"]["from"] == "default" and got[k]["trusted_only"] for k in refused) and len(answer["notes"]) == 4,
          "a working tree says nothing about store, retention, mirrors, channels", (answer["notes"], [got[k] for k in refused]))
    check(got["timeout"]["value"] == "5m" and all("ignored" in n and re.search(r"tocsin\.yaml:\d+: ", n) for n in answer["notes"]), "notes name the line", answer["notes"])
    code, out, err = run("config", "check", "tocsin.yaml")
    check(code == 0 and "store is ignored" in err and "nothing wrong" in out, "check FILE sees it with the same eyes", (code, out, err))
    got, answer, _, _ = keys("--config", "tocsin.yaml")
    check(all(got[k]["origin"]["from"] == "file" for k in refused) and not answer["notes"], "the same file, named, is trusted", answer)
    put("p/tocsin.yaml", "routes:\n- {to: [ops, evil], escalate_after: 5m, escalate_to: more}\n")
    named = put("channels.yaml", "channels:\n- {name: ops, type: exec, command: [/bin/true]}\n")
    got, answer, code, _ = keys("--config", named)
    check(code == 0 and got["routes[]"]["origin"]["from"] == "file" and len(answer["notes"]) == 2 and
          all(re.search(r"tocsin\.yaml:2: there is no channel '(evil|more)' here", n) for n in answer["notes"]),
          "a working tree may route, to channels that exist", answer["notes"])
    put("p/tocsin.yaml", "quarantine:\n- {test: a.T, until: 2001-01-01}\n")
    code, out, err = run("config", "check")
    check(code == 0 and "tocsin.yaml:2: the quarantine of a.T ended on 2001-01-01" in err, "an expired quarantine is said", err)


def test_documentation():
    text = open(os.path.join(ROOT, "docs", "configuration.md"), encoding="utf-8").read()
    table = run("config", "explain", "--markdown", "--lang", "en")[1]
    check(table.count("\n| `") > 25 and table in text,
          "docs/configuration.md has the table of the program: tocsin config explain --markdown", table)
    fresh()
    for at, block in enumerate(re.findall(r"```yaml\n(.*?)```", text, re.S)):
        put("p/example.yaml", block)
        check(run("config", "check", "example.yaml")[0] == 0, f"example {at + 1} of docs/configuration.md is right", run("config", "check", "example.yaml"))
    got, _, _, _ = keys()
    for lang in ("en", "zh"):
        man = run("help", "--man", "--lang", lang)[1]
        out = run("config", "explain", "--lang", lang)[1]
        check(all(f"\\fB{k}\\fR" in man for k in got), f"the manual has every key ({lang})", [k for k in got if f"\\fB{k}\\fR" not in man])
        check(all(re.search(rf"^{re.escape(k)}", out, re.M) for k in got), f"config explain has every key ({lang})", out)
        check(all(run(*a, "--lang", lang)[0] == 0 for a in (("help", "config"), ("help", "init"))), f"help ({lang})", "")
    later = {k for k in got if got[k]["not_used_yet"]}
    check(not later, "nothing is named that this version does not use", later)


try:
    test_init()
    test_bad_input()
    test_places()
    test_trust()
    test_documentation()
finally:
    shutil.rmtree(TMP, ignore_errors=True)
done()
