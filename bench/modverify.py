#!/usr/bin/env python3
"""`tocsin mod verify` against `go mod verify` of each go on this machine: CPU and wall, warm page cache, the modules of a large project.

usage: modverify.py [ROUNDS]. The project is fetched once, by way of GOPROXY, into ~/.cache/tocsin-tests/modverify (5 GB).
"""
import glob
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time

TOCSIN = os.path.abspath(os.environ.get("TOCSIN", "build/tocsin"))
HOME = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "tocsin-tests", "modverify")
# Read by the oldest go that counts; more than 300 modules come with these.
REQUIRES = ["github.com/caddyserver/caddy/v2 v2.6.4", "github.com/containerd/containerd v1.6.20", "github.com/hashicorp/terraform v1.3.9", "github.com/minio/minio-go/v7 v7.0.49",
            "github.com/nats-io/nats-server/v2 v2.9.15", "github.com/prometheus/prometheus v0.42.0", "go.etcd.io/etcd/server/v3 v3.5.7", "helm.sh/helm/v3 v3.11.0"]
IMPORTS = ["github.com/caddyserver/caddy/v2", "github.com/containerd/containerd", "github.com/hashicorp/terraform/version", "github.com/minio/minio-go/v7",
           "github.com/nats-io/nats-server/v2/server", "github.com/prometheus/prometheus/discovery/install", "go.etcd.io/etcd/server/v3/etcdserver", "helm.sh/helm/v3/pkg/action"]
# By the version of go: times less CPU, and wall.
REACH = {"1.19": 3.0}
NEWEST = 2.5


def goes():
    found = {}
    for go in [shutil.which("go"), "/usr/local/go/bin/go", *sorted(glob.glob("/usr/lib/go-*/bin/go"))]:
        if go and os.access(go, os.X_OK):
            said = subprocess.run([go, "version"], capture_output=True, text=True, check=True, env=dict(os.environ, GOTOOLCHAIN="local")).stdout
            found.setdefault(re.search(r"go([0-9.]+)", said)[1], go)
    return dict(sorted(found.items(), key=lambda x: [int(n) for n in x[0].split(".")]))


def environment(go=None, **more):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("TOCSIN", "GO")) or k in ("GOPROXY", "GOSUMDB", "GOPRIVATE", "GOINSECURE")}
    env.update(GOTOOLCHAIN="local", GOENV="off", GOFLAGS="-mod=mod", GOWORK="off", GOPATH=HOME, GOMODCACHE=os.path.join(HOME, "modcache"),
               GOCACHE=os.path.join(HOME, "gocache"), **more)
    if go:
        env["PATH"] = os.path.dirname(go) + os.pathsep + env["PATH"]
    return env


def project(go):
    """The folder with the project, its modules in the cache; made once."""
    folder = os.path.join(HOME, "project")
    done = os.path.join(HOME, "done")
    if not os.path.exists(done):
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "go.mod"), "w", encoding="ascii") as f:
            f.write("module example.com/large\n\ngo 1.19\n\nrequire (\n" + "".join(f"\t{r}\n" for r in REQUIRES) + ")\n")
        with open(os.path.join(folder, "large.go"), "w", encoding="ascii") as f:
            f.write("package large\n\nimport (\n" + "".join(f'\t_ "{i}"\n' for i in IMPORTS) + ")\n")
        for words in (["mod", "tidy"], ["mod", "download"]):
            subprocess.run([go, *words], cwd=folder, env=environment(go), check=True, timeout=3000, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(done, "w", encoding="ascii") as f:
            f.write("")
    return folder


def cost(argv, cwd, env):
    """(CPU, wall) in seconds."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{argv}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, wall


def verify(rounds=5):
    """Rows (measure, ours, theirs, ratio, what to reach, reached). All take turns in each round; medians."""
    tools = goes()
    newest = list(tools)[-1]
    folder = project(next(iter(tools.values())))
    offline = {"GOPROXY": "off", "GOFLAGS": "-mod=readonly"}
    ways = {v: (["go", "mod", "verify"], environment(go)) for v, go in tools.items()}
    ways["tocsin"] = ([TOCSIN, "mod", "verify"], environment(tools[newest]))
    took = {w: [] for w in ways}
    for i in range(rounds + 1):
        for way, (argv, env) in ways.items():
            got = cost(argv, folder, dict(env, **offline))
            if i:  # the first fills the page cache
                took[way].append(got)
    said = subprocess.run([TOCSIN, "mod", "verify", "--json"], cwd=folder, env=dict(ways["tocsin"][1], **offline), capture_output=True, text=True, check=True).stdout
    n = int(re.search(r'"modules":(\d+)', said)[1])
    for v in tools:
        reach = REACH.get(".".join(v.split(".")[:2]), NEWEST if v == newest else None)
        for k, what in enumerate(("CPU", "wall")):
            ours, theirs = (statistics.median(t[k] for t in took[w]) for w in ("tocsin", v))
            ratio = statistics.median(b[k] / a[k] for a, b in zip(took["tocsin"], took[v]))
            yield (f"`mod verify` of {n} modules, {what}, beside go {v}", f"{ours:.2f} s", f"{theirs:.2f} s", f"{ratio:.1f}x less",
                   f">= {reach}x" if reach else "", None if reach is None else ratio >= reach)


if __name__ == "__main__":
    for row in verify(int(sys.argv[1]) if len(sys.argv) > 1 else 5):
        print(*row, sep="; ", flush=True)
