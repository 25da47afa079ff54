#!/usr/bin/env python3
"""Record what a go says about the packages of fx.txt: record.py GO FOLDER [NAME…]

NAME.out and NAME.err (when not empty) and one file `status` with the exit statuses. The packages are laid out in a
temporary folder, whose name is written as /src/fx."""
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
JSON = "test -json"
SPECIAL = {
    "badflag": "test -json -nosuch ./pass", "badpkg": "test -json ./nothere", "bench": "test -json -run ^$ -bench . ./bench",
    "buildjson": "build -json ./dep", "buildplain": "test ./buildfail", "cached": "test -json ./pass",
    "count2": "test -json -count=2 ./pass", "cover": "test -json -cover ./pass ./nofiles ./covno",
    "childio": "test -json -timeout 20s ./childio", "dead": "test -json -timeout 3s ./dead",
    "timeout": "test -json -timeout 1s ./timeout", "exitplain": "test ./exit3",
    "failfast": "test -json -failfast ./fail", "failplain": "test ./fail",
    "fuzz": "test -json -fuzz FuzzX -fuzztime 10s ./fuzz", "mainignoreplain": "test ./mainignore",
    "mainnorunplain": "test ./mainnorun", "multi": "test -json ./pass ./fail ./syntaxfail ./importfail ./nofiles ./buildfail",
    "nonlv": "test -json -v ./nonl", "nopkg": "test -json ./nothere/...", "norun": "test -json -run Nope ./pass",
    "nosub": "test -json -run TestA/nosuch ./pass", "plainv": "test -v ./nonl", "race": "test -json -race ./race",
    "raceg": "test -json -race ./raceg", "shuffle": "test -json -shuffle 7 ./pass", "vetplain": "test ./vetfail",
    "vetjson": "vet -json ./vetfail", "passplain": "test ./pass", "passv": "test -v ./pass",
    "runexit": "run ./runx exit", "runpanic": "run ./runx panic", "runkill": "run ./runx kill",
    "late": "test -json ./late", "fatalp": "test -json ./fatalp", "ansi": "test -json ./ansi", "warn": "test -json ./warn ./nofiles",
}
PLAIN = ("bigline buildfail childio cleanup depuser example exit0 exit0init exit3 fail failafter fake fatalgo goexit "
         "importfail logafter mainexit1 mainfatal mainignore mainnorun nofiles nonl notests panicgo panics par pass recov "
         "sigkill sigsegv skipall stackov syntaxfail vetfail").split()


def lay_out(directory):
    name = None
    for line in open(os.path.join(HERE, "fx.txt"), encoding="utf-8"):
        m = re.fullmatch(r"-- (\S+) --\n", line)
        if m:
            name = os.path.join(directory, m[1])
            os.makedirs(os.path.dirname(name), exist_ok=True)
            open(name, "w").close()
        else:
            with open(name, "a", encoding="utf-8") as f:
                f.write(line)


def main():
    go, folder, only = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), sys.argv[3:]
    os.makedirs(folder, exist_ok=True)
    status_path = os.path.join(folder, "status")
    status = dict(line.split() for line in open(status_path)) if os.path.exists(status_path) else {}
    with tempfile.TemporaryDirectory() as work:
        lay_out(work)
        env = dict(os.environ, GOFLAGS="-mod=mod", GOPROXY="off", GOTOOLCHAIN="local", GOENV="off",
                   PATH=os.path.dirname(go) + ":" + os.environ["PATH"])
        for name in only or sorted(set(PLAIN) | set(SPECIAL)):
            argv = SPECIAL.get(name, f"{JSON} ./{name}").split()
            if name == "cached":
                subprocess.run([go] + argv, cwd=work, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            p = subprocess.run([go] + argv, cwd=work, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=200)
            status[name] = str(p.returncode)
            for kind, data in (("out", p.stdout), ("err", p.stderr)):
                path = os.path.join(folder, f"{name}.{kind}")
                data = data.replace(os.path.realpath(work).encode(), b"/src/fx")
                if data.strip():
                    with open(path, "wb") as f:
                        f.write(data)
                elif os.path.exists(path):
                    os.remove(path)
    with open(status_path, "w", encoding="utf-8") as f:
        f.writelines(f"{n} {s}\n" for n, s in sorted(status.items()))


if __name__ == "__main__":
    main()
