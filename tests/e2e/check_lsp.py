#!/usr/bin/env python3
# suite: takes 12
"""tocsin check --lsp: by the protocol's own messages, hostile ones too, and in a real editor (Neovim's own client): marks appear, move with
what is typed, and the quick fix mends the text."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import TOCSIN, check, done  # noqa: E402

TMP = tempfile.mkdtemp(prefix="tocsin-lsp-")
ENV = dict(os.environ, XDG_CACHE_HOME=TMP + "/cache", XDG_CONFIG_HOME=TMP + "/config", TOCSIN_LANG="en")
GO = "package main\n\nfunc main() {\n\tx := \"\U0001f514\"; defer recover()\n\t_ = x\n\tdefer recover()\n}\n"
SH = "#!/bin/bash\nset -e\ngo test ./... | tee log\necho done\n"


class Server:
    """A client of our own: one message at a time."""

    def __init__(self, *args):
        self.p = subprocess.Popen([TOCSIN, "check", "--lsp", *args], cwd=TMP, env=ENV, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def raw(self, body, head=None):
        self.p.stdin.write((head or b"Content-Length: %d\r\n\r\n" % len(body)) + body)
        self.p.stdin.flush()

    def send(self, method, params=None, number=None):
        message = {"jsonrpc": "2.0", "method": method}
        if params is not None:
            message["params"] = params
        if number is not None:
            message["id"] = number
        self.raw(json.dumps(message).encode())

    def get(self):
        length = 0
        while True:
            line = self.p.stdout.readline()
            if not line:
                return None
            if not line.strip():
                return json.loads(self.p.stdout.read(length))
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])

    def start(self, root=TMP):
        self.send("initialize", {"rootUri": "file://" + root, "capabilities": {}}, 1)
        answer = self.get()
        self.send("initialized", {})
        return answer

    def open(self, name, text):
        self.send("textDocument/didOpen", {"textDocument": {"uri": uri(name), "languageId": "x", "version": 1, "text": text}})
        return self.get()

    def change(self, name, *texts):
        self.send("textDocument/didChange", {"textDocument": {"uri": uri(name), "version": 2}, "contentChanges": [{"text": t} for t in texts]})
        return self.get()

    def actions(self, name, line):
        at = {"line": line, "character": 0}
        self.send("textDocument/codeAction", {"textDocument": {"uri": uri(name)}, "range": {"start": at, "end": at}, "context": {"diagnostics": []}}, "a")
        return self.get()

    def leave(self):
        self.send("shutdown", number=99)
        self.get()
        self.send("exit")
        return self.p.wait(20)


def uri(name):
    return "file://" + os.path.join(TMP, name)


def codes(message):
    return [(d["code"], d["range"]["start"]["line"], d["range"]["start"]["character"]) for d in message["params"]["diagnostics"]]


def apply(text, edits):
    """The edits of a quick fix, as an editor makes them (plain ASCII lines here)."""
    lines = text.splitlines(keepends=True)
    for e in sorted(edits, key=lambda e: (e["range"]["start"]["line"], e["range"]["start"]["character"]), reverse=True):
        (a, i), (b, k) = [(e["range"][w]["line"], e["range"][w]["character"]) for w in ("start", "end")]
        lines[a:b + 1] = [lines[a][:i] + e["newText"] + lines[b][k:]]
    return "".join(lines)


def test_messages():
    s = Server()
    caps = s.start()["result"]["capabilities"]
    check(caps["textDocumentSync"]["change"] == 1 and caps["codeActionProvider"]["codeActionKinds"] == ["quickfix"], "initialize says what it can", caps)
    s.raw(json.dumps({"method": "textDocument/didOpen", "params": {"textDocument": {"uri": uri("slash.go"), "text": GO}}}).replace("/", "\\/").encode())
    check(len(s.get()["params"]["diagnostics"]) == 2, "slashes that are escaped, as some clients do", "")
    got = s.open("main.go", GO)
    check(codes(got) == [("R01", 3, 12), ("R01", 5, 1)], "didOpen: the marks, in UTF-16 units", got)
    check(all(d["severity"] == 1 and d["source"] == "tocsin" and "recover" in d["message"] for d in got["params"]["diagnostics"]), "severity, source, message", got)
    got = s.change("main.go", "package main\n", GO.replace("\tdefer recover()\n}", "}"))
    check(codes(got) == [("R01", 3, 12)], "didChange: the last text counts", got)
    got = s.open("ci.sh", SH)
    check(("S02", 2, 0) in codes(got), "a script", got)
    fixes = s.actions("ci.sh", 2)["result"]
    fix = next((f for f in fixes if f["title"].startswith("S02")), None)
    check(fix and fix["isPreferred"] and fix["kind"] == "quickfix", "codeAction: the quick fix", fixes)
    got = s.change("ci.sh", apply(SH, fix["edit"]["changes"][uri("ci.sh")])) if fix else None
    check(got and not codes(got), "with its edits nothing is found any more", got)
    check(s.actions("ci.sh", 2)["result"] == [], "and there is nothing to fix", "")
    s.send("textDocument/didClose", {"textDocument": {"uri": uri("ci.sh")}})
    got = s.get()
    check(got["params"]["uri"] == uri("ci.sh") and got["params"]["diagnostics"] == [], "didClose takes the marks away", got)
    s.send("textDocument/hover", {"textDocument": {"uri": uri("main.go")}}, 7)
    check(s.get()["error"]["code"] == -32601, "a request that it does not know is refused", "")
    check(s.leave() == 0, "shutdown and exit: status 0", "")


def test_hostile():
    s = Server()
    s.start()
    s.raw(b"{not json")
    check(s.get()["error"]["code"] == -32700, "no JSON: an error, and it lives", "")
    s.raw(b'{"jsonrpc":"2.0","id":5,"method":"textDocument/codeAction","params":{"textDocument":{"uri":17}}}')
    check(s.get()["result"] == [], "a codeAction without a document", "")
    s.raw(b'{"method":"textDocument/didOpen","params":{"textDocument":{"uri":"file:///%00%zz","text":"x"}}}')
    s.raw(b'{"method":"textDocument/didOpen","params":{"textDocument":{"uri":"http://x/y.go","text":"x"}}}')
    s.raw(b'{"method":"textDocument/didChange","params":{"textDocument":{"uri":"file:///never"},"contentChanges":[{}]}}')
    deep = b"[" * 5000 + b"]" * 5000
    s.raw(b'{"id":6,"method":"x","params":' + deep + b"}")
    got = s.get()
    check(got and "error" in got, "5,000 brackets", got)
    text = "package main\n\xff\ud800".encode("utf-8", "surrogatepass").decode("latin-1")
    check(s.open("odd.go", text)["method"].endswith("publishDiagnostics"), "broken characters", "")
    got = s.open("nul.go", "package main\n\0\n")
    check(got["method"] == "window/logMessage" or got["params"]["diagnostics"] == [], "a NUL byte is named or passed over", got)
    s.p.stdin.close()
    check(s.p.wait(20) == 1, "the end of input without shutdown: status 1", "")
    s = Server()
    s.raw(b"", b"hello there\r\n\r\n")
    check(s.p.wait(20) == 2 and b"Content-Length" in s.p.stderr.read(), "another protocol: status 2 and a sentence", "")
    s = Server()
    s.raw(b"", b"Content-Length: 99999999999\r\n\r\n")
    check(s.p.wait(20) == 2, "a message that is too long: status 2", "")


LUA = r'''
local function wait(what) return vim.wait(40000, what, 50) end
local out = {}
vim.cmd("edit " .. vim.env.DOC)
local id = vim.lsp.start_client({ name = "tocsin", cmd = { vim.env.TOCSIN_BIN, "check", "--lsp" }, root_dir = vim.env.ROOT })
vim.lsp.buf_attach_client(0, id)
local function marks()
  local t = {}
  for _, d in ipairs(vim.diagnostic.get(0)) do table.insert(t, d.code .. ":" .. d.lnum .. ":" .. d.col) end
  table.sort(t)
  return table.concat(t, " ")
end
wait(function() return #vim.diagnostic.get(0) > 0 end)
table.insert(out, marks())
vim.api.nvim_buf_set_lines(0, 0, 0, false, { "# a line above" })
local before = out[1]
wait(function() return marks() ~= before and marks() ~= "" end)
table.insert(out, marks())
local params = vim.lsp.util.make_range_params()
params.range = { start = { line = 3, character = 0 }, ["end"] = { line = 3, character = 1 } }
params.context = { diagnostics = {} }
local answers = vim.lsp.buf_request_sync(0, "textDocument/codeAction", params, 40000)
for _, a in pairs(answers or {}) do
  for _, action in ipairs(a.result or {}) do
    if action.title:sub(1, 3) == "S02" then vim.lsp.util.apply_workspace_edit(action.edit, "utf-16") end
  end
end
wait(function() return not marks():find("S02") end)
table.insert(out, marks())
vim.cmd("silent write")
local f = io.open(vim.env.OUT, "w")
f:write(table.concat(out, "\n") .. "\n")
f:close()
vim.cmd("qall!")
'''


def test_editor():
    folder = TMP + "/editor"
    os.makedirs(folder)
    for name, text in (("ci.sh", SH), ("drive.lua", LUA)):
        with open(f"{folder}/{name}", "w", encoding="utf-8") as f:
            f.write(text)
    env = dict(ENV, HOME=TMP, DOC=folder + "/ci.sh", ROOT=folder, OUT=folder + "/out", TOCSIN_BIN=TOCSIN, XDG_DATA_HOME=TMP + "/data", XDG_STATE_HOME=TMP + "/state")
    run = subprocess.run(["nvim", "--headless", "--clean", "-n", "-c", f"luafile {folder}/drive.lua"], env=env, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
                         text=True, timeout=200, check=False)
    try:
        with open(folder + "/out", encoding="utf-8") as f:
            said = f.read().splitlines()
    except OSError:
        said = []
    said += [""] * (3 - len(said))
    check("S02:2:0" in said[0], "Neovim: the mark appears", (said, run.stderr[-2000:]))
    check("S02:3:0" in said[1], "Neovim: it moves with what is typed", said)
    check(said[1] and "S02" not in said[2], "Neovim: the quick fix takes it away", said)
    with open(folder + "/ci.sh", encoding="utf-8") as f:
        text = f.read()
    check("pipefail" in text and text.startswith("# a line above\n"), "Neovim: the text is mended", text)


def main():
    try:
        test_messages()
        test_hostile()
        test_editor()
    finally:
        shutil.rmtree(TMP, ignore_errors=True)
    done()


main()
