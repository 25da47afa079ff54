"""A small Go program in a git repository, with one dependency, for tests of what its binary and processes say."""
import os
import re
import subprocess
import time

import goproxy as gp

MAIN = """package main

import (
	"embed"
	"fmt"
	"net"
	"os"

	"example.test/app/util"
	"example.test/lib"
)

//go:embed static
var files embed.FS

func tiny() int { return len(os.Args) }

//go:noinline
func big(s string) string { return lib.Name() + s }

func unused() { fmt.Println("never") }

func main() {
	b, _ := files.ReadFile("static/a.txt")
	fmt.Println(tiny(), big("x"), util.Work(), len(b))
	if len(os.Args) > 1 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		fmt.Println(l.Addr())
		os.Stdin.Read(make([]byte, 1))
	}
}
"""
FILES = {
    "main.go": MAIN,
    "static/a.txt": "hello\n",
    "util/util.go": 'package util\n\nimport "strings"\n\n//go:noinline\nfunc Work() int { return strings.Count("abc", "b") }\n\ntype Box struct{ N int }\n\n//go:noinline\nfunc (b *Box) Open() int { return b.N }\n',
    "util/x_windows.go": "package util\n\nfunc OnWindows() {}\n",
    "util/extra.go": "//go:build extra\n\npackage util\n\nvar Extra = extra()\n\n//go:noinline\nfunc extra() int { return Work() + 1 }\n",
    "lonely/lonely.go": "package lonely\n\nfunc Alone() {}\n",
    ".gitignore": "/out/\n",
}
LIB = "package lib\n\n//go:noinline\nfunc Name() string { return \"%s\" }\n"


def proxy():
    p = gp.GoProxy()
    for v in ("v1.0.0", "v1.1.0"):
        p.add("example.test/lib", v, {"lib.go": LIB % v})
    return p


class App:
    """name: a folder of its own below top. go: the command that builds it."""

    def __init__(self, p, top, name, go):
        self.at, self.go, self.env = os.path.join(top, name), go, p.env(go=go)
        self.env.update({f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "n"), ("EMAIL", "n@example.test"))})
        self.env["GIT_CONFIG_GLOBAL"] = "/dev/null"
        self.proxy, self.out = p, os.path.join(self.at, "out")
        self.version = self.sh(go, "env", "GOVERSION", cwd=top).strip()
        self.require("v1.0.0")
        for file, text in FILES.items():
            self.put(file, text)
        os.makedirs(self.out, exist_ok=True)
        self.sh("git", "init", "-q", "-b", "main")
        self.commit("one")

    def sh(self, *argv, cwd=None, **more):
        done = subprocess.run(argv, cwd=cwd or self.at, env=dict(self.env, **more), capture_output=True, text=True, check=False, timeout=240)
        if done.returncode:
            raise RuntimeError(f"{argv}: {done.stdout}{done.stderr}")
        return done.stdout

    def put(self, file, text):
        path = os.path.join(self.at, file)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def require(self, version, go="1.19"):
        os.makedirs(self.at, exist_ok=True)
        needs = [f"example.test/lib {version}"]
        self.proxy.write_project(self.at, needs, path="example.test/app", go=go)
        os.remove(self.at + "/main.go")
        if os.path.exists(self.at + "/.git"):
            self.put("main.go", self.main if hasattr(self, "main") else MAIN)

    def commit(self, text):
        self.sh("git", "add", "-A")
        self.sh("git", "commit", "-q", "-m", text)
        return self.sh("git", "rev-parse", "HEAD").strip()

    def build(self, name, *flags, package=".", **env):
        path = os.path.join(self.out, name)
        self.sh(self.go, "build", "-o", path, *flags, package, **env)
        return path

    def start(self, program, **env):
        """(the process, the port that it listens on); it ends when its standard input does."""
        p = subprocess.Popen([program, "stay"], env=dict({"PATH": self.env["PATH"]}, **env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        p.stdout.readline()
        return p, int(re.search(r":(\d+)$", p.stdout.readline())[1])


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())
