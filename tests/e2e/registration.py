#!/usr/bin/env python3
# suite: limit 240
# suite: takes 13
"""tocsin check activation: registrations that are never reached, beside what the real program does."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
sys.dont_write_bytecode = True
from tap import FULL, TOCSIN, check, done  # noqa: E402

TMP = os.path.realpath(tempfile.mkdtemp(prefix="tocsin-registration-"))
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "TOCSIN_", "GO")) and k != "CI"}
ENV.update(LC_ALL="C.UTF-8", HOME=TMP, GOENV="off", GOTOOLCHAIN="local", GOFLAGS="-buildvcs=false", CGO_ENABLED="0")
for name in ("GOCACHE", "GOMODCACHE", "GOPROXY"):
    if name in os.environ:
        ENV[name] = os.environ[name]
ENV.setdefault("GOCACHE", os.path.join(TMP, "cache"))
ENV["PATH"] += ":/usr/local/go/bin"


def tree(name, files):
    top = os.path.join(TMP, name)
    for path, text in files.items():
        full = os.path.join(top, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)
    return top


def findings(top, *args, cwd=None):
    """{(file, line): message} of this check, and the exit status."""
    got = subprocess.run([TOCSIN, "check", "activation", "--json", *args], cwd=cwd or top, env=ENV, capture_output=True, text=True, check=False, timeout=60)
    try:
        doc = json.loads(got.stdout)
    except ValueError:
        return {("?", 0): got.stdout + got.stderr}, got.returncode
    mine = [f for f in doc["findings"] if f["cause"] == "act.unregistered"]
    bad = [f for f in mine if f["severity"] != "note" or not f["advice"]]
    ret = {(f["file"], f["line"]): f["message"] for f in mine}
    if bad:
        ret[("not a note", 0)] = str(bad)
    return ret, got.returncode


def is_found(what, top, expect, *args, cwd=None):
    got, code = findings(top, *args, cwd=cwd)
    ok = set(got) == set(expect) and all(words in got[at] for at, words in expect.items()) and code == 0
    check(ok, what, f"exit {code}: {got}" if not ok else "")


def run(top, package="."):
    """What the real program prints."""
    binary = os.path.join(TMP, "bin")
    built = subprocess.run(["go", "build", "-o", binary, package], cwd=top, env=ENV, capture_output=True, text=True, check=False, timeout=200)
    if built.returncode:
        return "build: " + built.stderr
    return subprocess.run([binary], cwd=top, env=ENV, capture_output=True, text=True, check=False, timeout=60).stdout


DRIVER = """package %s

import (
	"database/sql"
	"database/sql/driver"
)

type d struct{}

func (d) Open(string) (driver.Conn, error) { return nil, nil }

func init() {
	sql.Register("%s", d{})
}
"""
APP = {
    "go.mod": "module example.com/app\n\ngo 1.19\n",
    "main.go": 'package main\n\nimport (\n\t"database/sql"\n\t"fmt"\n%s)\n\nfunc main() { fmt.Println(sql.Drivers()) }\n',
    "store/mem/mem.go": DRIVER % ("mem", "mem"),
}


def unreached():
    bare = dict(APP, **{"main.go": APP["main.go"] % ""})
    top = tree("bare", bare)
    is_found("a driver that no program imports", top,
             {("store/mem/mem.go", 13): 'example.com/app/store/mem registers a database driver (sql.Register "mem"), but no program imports it'})
    check(run(top) == "[]\n", "and the real program has no driver")
    top = tree("imported", dict(APP, **{"main.go": APP["main.go"] % '\t_ "example.com/app/store/mem"\n'}))
    is_found("once it is imported, nothing", top, {})
    check(run(top) == "[mem]\n", "and the real program has it")
    top = tree("through", dict(bare, **{"plugins/all.go": 'package plugins\n\nimport _ "example.com/app/store/mem"\n'}))
    is_found("imported by a package that nobody imports", top, {("store/mem/mem.go", 13): "example.com/app/plugins does, and nobody imports that"})
    top = tree("tests", dict(bare, **{"main_test.go": 'package main\n\nimport _ "example.com/app/store/mem"\n'}))
    is_found("imported by tests alone", top, {("store/mem/mem.go", 13): "only tests do (main_test.go)"})
    tagged = dict(bare, **{"mem_on.go": '//go:build withmem\n\npackage main\n\nimport _ "example.com/app/store/mem"\n'})
    top = tree("tagged", tagged)
    is_found("imported by a file that a tag leaves out", top, {("store/mem/mem.go", 13): "mem_on.go would, and is not built"})
    is_found("with the tag, nothing", top, {}, "--tags", "withmem")
    top = tree("system", dict(bare, **{"mem_windows.go": 'package main\n\nimport _ "example.com/app/store/mem"\n'}))
    is_found("left out for another system: nothing", top, {})
    is_found("nor for that system", top, {}, "--goos", "windows")


def unreached_and_silent():
    """What must not be said."""
    bare = dict(APP, **{"main.go": APP["main.go"] % ""})
    top = tree("library", {"go.mod": APP["go.mod"], "store/mem/mem.go": APP["store/mem/mem.go"]})
    is_found("a module without a program: nobody can tell", top, {})
    top = tree("both", {"go.mod": APP["go.mod"], "lib.go": "package app\n", "cmd/x/main.go": "package main\n\nfunc main() {}\n",
                        "mem/mem.go": DRIVER % ("mem", "mem"), "internal/drv/drv.go": DRIVER % ("drv", "drv")})
    is_found("a library with a program: its packages are for others, but not internal ones", top, {("internal/drv/drv.go", 13): "nobody does"})
    is_found("a part of the tree: nobody can tell", top, {}, "internal", cwd=top)
    top = tree("helpers", dict(bare, **{"store/mem/mem.go": "package mem\n", "storetest/x.go": DRIVER % ("storetest", "t"),
                                        "gen/gen.go": "// Code generated by x. DO NOT EDIT.\n\n" + DRIVER % ("gen", "g")}))
    is_found("test helpers and generated code", top, {})
    got, _ = findings(os.path.dirname(top), "bare")
    check(list(got) == [("bare/store/mem/mem.go", 13)], "files are named from where it was started", str(got))
    got, _ = findings(TMP, "bare", "--matrix", "linux/amd64,windows/amd64,darwin/arm64")
    check(len(got) == 1, "said once for several targets", str(got))


LATE = """package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func ask(addr string) {
	time.Sleep(50 * time.Millisecond)
	for i := 0; i < 100; i++ {
		r, err := http.Get("http://" + addr + "/late")
		if err == nil {
			io.Copy(io.Discard, r.Body)
			fmt.Println("late", r.StatusCode)
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	os.Exit(0)
}

func main() {
	t := time.NewTicker(time.Hour)
	defer t.Stop()
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println("alive")
	done := make(chan int)
	go func() {
		done <- 1
		fmt.Println("sent")
	}()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go ask(l.Addr().String())
	if err := http.Serve(l, nil); err != nil {
		fmt.Println(err)
	}
	http.HandleFunc("/late", func(w http.ResponseWriter, r *http.Request) {})
}
"""


def late():
    top = tree("late", {"go.mod": APP["go.mod"], "main.go": LATE})
    is_found("a route below Serve; a ticker, signals and a channel that nobody reads", top,
             {("main.go", 29): "nobody reads t.C", ("main.go", 32): "nobody reads c: its signals", ("main.go", 37): "nobody reads done: this send blocks for ever",
              ("main.go", 48): "http.HandleFunc is reached only when the server of line 45 has ended"})
    said = run(top)
    check(said == "alive\nlate 404\n", "and in the real program the route is not there, the signal does nothing, the send never ends", said)
    got = subprocess.run([TOCSIN, "check", "activation", "--notes"], cwd=top, env=dict(ENV, TOCSIN_LANG="zh"), capture_output=True, text=True, check=False, timeout=60)
    check("没有人读取 t.C" in got.stdout and got.returncode == 0, "in Chinese too", got.stdout + got.stderr)
    fixed = LATE.replace('\thttp.HandleFunc("/late", func(w http.ResponseWriter, r *http.Request) {})\n}', "}").replace(
        "\tt := time", '\thttp.HandleFunc("/late", func(w http.ResponseWriter, r *http.Request) {})\n\tt := time').replace(
        "\tdefer t.Stop()\n", "\tgo func() {\n\t\tfor range t.C {\n\t\t}\n\t}()\n").replace('fmt.Println("alive")', "<-c").replace(
        'fmt.Println("sent")\n\t}()', "}()\n\t<-done")
    top = tree("fixed", {"go.mod": APP["go.mod"], "main.go": fixed})
    is_found("the sound one: nothing", top, {})
    check(run(top) == "late 200\n", "and its route answers")


def broken():
    top = tree("broken", dict(APP, **{"main.go": "package main\n\nfunc main() { if }\n",
                                      "deep.go": "package main\n\nimport \"time\"\n\nvar _ = time.NewTicker(1)\n\nvar x = " + "(" * 5000 + "1" + ")" * 5000 + "\n"}))
    got, code = findings(top)
    check(code == 0 and ("store/mem/mem.go", 13) in got, "source that is no Go is walked around", f"{code} {got}")


# ---- the frameworks: what the rows of the rules claim, asked of the real ones -------------------------------------

FRAMEWORKS = {
    "gin": ('"github.com/gin-gonic/gin"', """gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.GET("/a", func(c *gin.Context) {})
	r.Use(func(c *gin.Context) { ran = true })
	r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/a", nil))
	_ = ask""", "ignored"),
    "gin group": ('"github.com/gin-gonic/gin"', """gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	g := r.Group("/")
	g.GET("/a", func(c *gin.Context) {})
	g.Use(func(c *gin.Context) { ran = true })
	ask(r)""", "ignored"),
    "echo": ('"github.com/labstack/echo/v4"', """e := echo.New()
	e.GET("/a", func(c echo.Context) error { return nil })
	e.Use(func(n echo.HandlerFunc) echo.HandlerFunc { ran = true; return n })
	ask(e)""", "ran"),
    "echo group": ('"github.com/labstack/echo/v4"', """e := echo.New()
	g := e.Group("")
	g.GET("/a", func(c echo.Context) error { return nil })
	g.Use(func(n echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error { ran = true; return n(c) }
	})
	ask(e)""", "ignored"),
    "chi": ('"github.com/go-chi/chi/v5"', """r := chi.NewRouter()
	r.Get("/a", func(w http.ResponseWriter, r *http.Request) {})
	r.Use(func(n http.Handler) http.Handler { ran = true; return n })
	ask(r)""", "panic"),
    "gorilla": ('"github.com/gorilla/mux"', """r := mux.NewRouter()
	r.HandleFunc("/a", func(w http.ResponseWriter, r *http.Request) {})
	r.Use(func(n http.Handler) http.Handler { ran = true; return n })
	ask(r)""", "ran"),
    "fiber": ('"github.com/gofiber/fiber/v2"\n\t"github.com/gofiber/fiber/v2/middleware/requestid"', """a := fiber.New()
	a.Get("/a", func(c *fiber.Ctx) error { return nil })
	a.Use(requestid.New(requestid.Config{Generator: func() string { ran = true; return "x" }}))
	a.Test(httptest.NewRequest("GET", "/a", nil))
	_ = ask""", "ignored"),
}
PROGRAM = """package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	%s
)

var ran = false

func ask(h http.Handler) {
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/a", nil))
}

func use() {
	%s
}

func main() {
	defer func() {
		if r := recover(); r != nil {
			fmt.Print("panic")
		} else if ran {
			fmt.Print("ran")
		} else {
			fmt.Print("ignored")
		}
	}()
	use()
}
"""


def frameworks():
    wanted = FRAMEWORKS if FULL else {k: FRAMEWORKS[k] for k in ("chi", "gorilla")}
    files = {"go.mod": "module example.com/frameworks\n\ngo 1.23\n"}
    for name, (imports, body, _) in wanted.items():
        files[name.replace(" ", "") + "/main.go"] = PROGRAM % (imports, body)
    top = tree("frameworks", files)
    tidy = subprocess.run(["go", "mod", "tidy"], cwd=top, env=dict(ENV, GOFLAGS="-modcacherw"), capture_output=True, text=True, check=False, timeout=200)
    if tidy.returncode:
        check(False, "the frameworks can be had", tidy.stderr)
        return
    got, _ = findings(top)
    for name, (_, _, what) in wanted.items():
        folder = name.replace(" ", "")
        check(run(top, "./" + folder) == what, f"{name}: Use after the route: {what}")
        line = next(i for i, text in enumerate((PROGRAM % wanted[name][:2]).split("\n"), 1) if ".Use(" in text)
        said = [at for at in got if at[0] == folder + "/main.go"]
        check(said == ([] if what == "ran" else [(folder + "/main.go", line)]), f"{name}: and that is what is said", str(got))


unreached()
unreached_and_silent()
late()
broken()
frameworks()
subprocess.run(["chmod", "-R", "u+w", TMP], check=False)
subprocess.run(["rm", "-rf", TMP], check=False)
done()
