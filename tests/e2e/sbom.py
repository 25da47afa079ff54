#!/usr/bin/env python3
# suite: limit 600
# suite: takes 10
"""tocsin probe --sbom: what it writes is valid by the schemas and validators of CycloneDX and SPDX, and says what the build info says.

The validators are Python packages (cyclonedx-python-lib, spdx-tools), installed once into a folder of the user's cache.
"""
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
sys.dont_write_bytecode = True
import goapp  # noqa: E402
import goproxy as gp  # noqa: E402
from tap import TOCSIN, check, done  # noqa: E402

scratch = tempfile.TemporaryDirectory(prefix="tocsin-sbom-")
TOP = os.path.realpath(scratch.name)
PROXY = goapp.proxy()
PACKAGES = ["cyclonedx-python-lib[json-validation]>=8,<12", "spdx-tools>=0.8,<0.9"]
VENV = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "tocsin-tests", "sbom-" + hashlib.sha256(repr(PACKAGES).encode()).hexdigest()[:12])
VALIDATE = """
import json, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
out = {}
for name in sys.argv[1:]:
    if name.endswith(".cdx.json"):
        with open(name, encoding="utf-8") as f:
            wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(f.read())
        out[name] = [] if wrong is None else [str(wrong)]
    else:
        out[name] = [m.validation_message for m in validate_full_spdx_document(parse_file(name))]
print(json.dumps(out))
"""


def validators():
    """The Python that has them."""
    python = os.path.join(VENV, "bin", "python")
    if not os.path.exists(os.path.join(VENV, "whole")):
        shutil.rmtree(VENV, ignore_errors=True)
        for argv in ([sys.executable, "-m", "venv", VENV], [python, "-m", "pip", "-q", "install", *PACKAGES]):
            got = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=540)
            if got.returncode:
                return None, got.stdout + got.stderr
        with open(os.path.join(VENV, "whole"), "w", encoding="ascii") as f:
            f.write("\n")
    return python, ""


def sbom(form, binary, *more):
    return subprocess.run([TOCSIN, "probe", "--sbom", form, *more, binary], capture_output=True, text=True, check=False, timeout=60)


def of(go, name):
    a = goapp.App(PROXY, TOP, name, go)
    binary = a.build("app")
    a.put("go.mod", "module example.test/app\n\ngo 1.19\n\nrequire example.test/lib v1.0.0\n\nreplace example.test/lib => ./fork\n")
    a.put("fork/go.mod", "module example.test/lib\n")
    a.put("fork/lib.go", 'package lib\n\nfunc Name() string { return "fork" }\n')
    replaced = a.build("replaced", "-trimpath", "-ldflags=-s -w")
    files = []
    for path in (binary, replaced):
        for form, end in (("cyclonedx", ".cdx.json"), ("spdx", ".spdx.json")):
            got = sbom(form, path, "-o", path + end)
            check(got.returncode == 0 and got.stdout == "", f"{a.version} --sbom {form} -o FILE", got.stdout + got.stderr)
            again = sbom(form, path)
            with open(path + end, encoding="utf-8") as f:
                check(f.read() == again.stdout, f"{a.version} {form}: the same bytes each time", "")
            files.append(path + end)
    with open(binary, "rb") as f:
        digest = hashlib.sha256(f.read()).hexdigest()
    with open(files[0], encoding="utf-8") as f:
        c = json.load(f)
    with open(files[1], encoding="utf-8") as f:
        s = json.load(f)
    lib = [x for x in c["components"] if x["name"] == "example.test/lib"]
    std = [x for x in c["components"] if x["name"] == "stdlib"]
    check(len(lib) == 1 and lib[0]["purl"] == "pkg:golang/example.test/lib@v1.0.0" and std[0]["version"] == a.version[2:], f"{a.version} cyclonedx: module and standard library", c)
    check(c["metadata"]["component"]["hashes"][0]["content"] == digest and s["packages"][0]["checksums"][0]["checksumValue"] == digest, f"{a.version} the file's own hash", digest)
    check([p["name"] for p in s["packages"]] == ["example.test/app", "stdlib", "example.test/lib"], f"{a.version} spdx: packages", s)
    with open(files[2], encoding="utf-8") as f:
        lib = [x for x in json.load(f)["components"] if x["name"] == "example.test/lib"][0]
    check("purl" not in lib and any(p["value"] == "./fork" for p in lib["properties"]), f"{a.version} a folder that replaces has no package URL", lib)
    return files


with PROXY:
    made = [f for i, each in enumerate(gp.goes()[:3]) for f in of(each, f"go{i}")]
python3, why = validators()
if check(python3 is not None, "the validators are installed", why):
    said = subprocess.run([python3, "-c", VALIDATE, *made], capture_output=True, text=True, check=False, timeout=200)
    found = json.loads(said.stdout) if said.returncode == 0 else {}
    for file in made:
        check(found.get(file) == [], f"{'/'.join(file.split('/')[-3:])} is valid", (found.get(file), said.stderr[-2000:]))
nothing = sbom("spdx", "/bin/true")
check(nothing.returncode == 2 and "build info" in nothing.stderr, "a binary without build info has no list", nothing.stderr)
done()
