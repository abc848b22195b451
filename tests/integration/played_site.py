# SPDX-License-Identifier: Apache-2.0
"""A small OpenNebula site in a temporary directory, for tests that run the real program.

Remotes with driver files made by `onevol setup`, datastores, and an XML-RPC server that answers
with what the test puts into `facts`. Standard library only.
"""
import atexit
import base64
import html
import http.server
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import time
import traceback


# Stands for a hypervisor where every guest runs and obeys; tells what it was asked.
VIRSH = """#!/bin/sh
while [ "${{1#-}}" != "$1" ]; do [ "$1" = -c ] && shift; shift; done
echo "$*" >>{log}
[ "$1" = domstate ] && echo running
exit 0
"""


class Tap:
    """Prints one line a case; `finish` gives the exit status."""

    def __init__(self):
        self.count = self.failed = 0

    def case(self, name, problem=None, skip=None):
        self.count += 1
        name = name.replace("#", "no.")
        if skip:
            print(f"ok {self.count} - {name} # SKIP {skip}", flush=True)
            return
        self.failed += bool(problem)
        print(f"{'not ok' if problem else 'ok'} {self.count} - {name}", flush=True)
        for line in str(problem).splitlines() if problem else []:
            print(f"# {line}", flush=True)

    def attempt(self, name, work, *arguments):
        """A case that fails by whatever `work` raises."""
        problem = None
        try:
            work(*arguments)
        except Exception:  # pylint: disable=broad-except
            problem = traceback.format_exc()
        self.case(name, problem)

    def finish(self):
        print(f"1..{self.count}", flush=True)
        return 1 if self.failed else 0


class Oned:
    """Answers XML-RPC. `facts[method, id]` is a document; `mood` may be a function of the handler
    that answers instead."""

    def __init__(self):
        self.facts, self.mood, self.asked = {}, None, []
        oned = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if oned.mood:
                    oned.mood(self)
                    return
                method = re.search("<methodName>(.*?)</methodName>", body)[1]
                number = int((re.findall("<i4>(-?[0-9]+)</i4>", body) or ["-1"])[0])
                oned.asked.append((method, number))
                self.answer(*oned.result(method, number))

            def answer(self, good, text, code=0):
                self.send_text("<?xml version=\"1.0\"?><methodResponse><params><param><value>"
                               "<array><data>"
                               f"<value><boolean>{int(good)}</boolean></value>"
                               f"<value><string>{html.escape(text, False)}</string></value>"
                               f"<value><i4>{code}</i4></value>"
                               "</data></array></value></param></params></methodResponse>")

            def send_text(self, text, status=200):
                self.send_response(status)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # clients that are killed

        self.server = Server(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}/RPC2"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def result(self, method, number):
        text = self.facts.get((method, number))
        if text is not None:
            return True, text
        what = {"one.vm.info": "virtual machine", "one.image.info": "image",
                "one.datastore.info": "datastore"}.get(method, "object")
        return False, f"[{method}] Error getting {what} [{number}].", 0x0400


class Site:
    def __init__(self, onevol, version="7.4.0", driver="reflink", name=None, base=None):
        self.onevol, self.name = os.path.abspath(onevol), name or driver
        base = base or os.environ.get("TEST_DIRECTORY") or "/var/tmp"
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="onevol-site-", dir=base))
        atexit.register(shutil.rmtree, self.root, ignore_errors=True)
        self.var = self.root / "one"
        self.remotes, self.datastores = self.var / "remotes", self.var / "datastores"
        self.sources, self.state = self.root / "sources", self.root / "state"
        for path in (self.remotes, self.datastores / "102", self.datastores / "103", self.sources):
            path.mkdir(parents=True)
        (self.remotes / "VERSION").write_text(version + "\n")
        (self.var / "config").write_text(f"DATASTORE_LOCATION={self.datastores}\n")
        (self.var / "one_auth").write_text("oneadmin:secret-of-the-test\n")
        self.bin = self.root / "bin"
        self.bin.mkdir()
        self.virsh_log = self.root / "virsh.log"
        self.virsh_log.touch()
        (self.bin / "virsh").write_text(VIRSH.format(log=self.virsh_log))
        (self.bin / "virsh").chmod(0o755)
        self.oned = Oned()
        self.environment = {
            "PATH": f"{self.bin}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(self.var),
            "ONE_AUTH": str(self.var / "one_auth"), "ONE_XMLRPC": self.oned.address,
            "ONEVOL_STATE_DIR": str(self.state), "ONE_XMLRPC_TIMEOUT": "5",
            **{k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}}
        done = subprocess.run([self.onevol, "setup", "--remotes", self.remotes, "--driver", driver,
                               "--as", self.name], capture_output=True, text=True,
                              env=self.environment, check=False)
        if done.returncode:
            raise SystemExit(f"Bail out! setup failed: {done.stderr}")
        (self.remotes / "etc/onevol/onevol.conf").write_text('FRONTEND_NAMES="frontend node1 node2"\n')

    def close(self):
        self.oned.server.shutdown()
        shutil.rmtree(self.root, ignore_errors=True)

    def has(self, plane, action):
        return (self.remotes / plane / self.name / action).exists()

    def run(self, plane, action, *arguments, stdin=b"", timeout=120, **environment):
        """As oned's drivers do: the driver file, its arguments, an end of stdin."""
        program = self.remotes / plane / self.name / action
        started = time.monotonic()
        done = subprocess.run([program, *map(str, arguments)], input=stdin, capture_output=True,
                              env={**self.environment, **environment}, cwd=self.var,
                              timeout=timeout, check=False)
        done.seconds = time.monotonic() - started
        done.stdout = done.stdout.decode(errors="replace")
        done.stderr = done.stderr.decode(errors="replace")
        return done

    def tree(self):
        """Everything on disk but locks: names, kinds, sizes, link texts, times of change."""
        seen = {}
        for directory, folders, files in os.walk(self.root):
            if pathlib.Path(directory) == self.state:
                folders.clear()
                continue
            if pathlib.Path(directory) == self.root and "state" in folders:
                folders.remove("state")
            for name in folders + files:
                path = os.path.join(directory, name)
                info = os.lstat(path)
                link = os.readlink(path) if os.path.islink(path) else ""
                time_of_change = 0 if os.path.isdir(path) else info.st_mtime_ns
                size = 0 if os.path.isdir(path) else info.st_size
                seen[path] = (info.st_mode, size, link, time_of_change)
        return seen


def encoded(text):
    return base64.b64encode(text.encode())
