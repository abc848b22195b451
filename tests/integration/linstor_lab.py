# SPDX-License-Identifier: Apache-2.0
"""A simulated LINSTOR controller for a test, and the program that calls our client's functions."""
import http.client
import json
import os
import pathlib
import re
import subprocess
import time
import urllib.request

PROGRAM = pathlib.Path(__file__).resolve().parent.parent / "linstor-sim" / "linstor-sim"
OK = "ok"
# Each function of the client once, in an order that works.
FUNCTIONS = [
    "nodes", "pools thin", "group rg", "space rg", "passphrase",
    "spawn a1 rg 8388608 Aux/one/DS_ID,100 2 kvm1,kvm2 zone", "create a2 rg DRBD,STORAGE Aux/k,v",
    "volume-create a2 8388609", "place a2 kvm1 thin", "autoplace a2 2 kvm1,kvm2 thin DRBD,STORAGE - zone",
    "attach a2 kvm3", "detach a2 kvm3", "resources a1", "resource a1 kvm1", "view a1", "view",
    "definition a1", "definitions Aux/one/DS_ID 100", "modify a1 Aux/x,1 Aux/y Aux/z", "regroup a2 rg",
    "in-sync a1", "volume a1", "resize a1 16777216", "snapshot a1 s1", "snapshot-many a1,a2 s2",
    "snapshots a1", "rollback a1 s1", "create a3 rg", "restore-volumes a1 s1 a3",
    "restore-resources a1 s1 a3 kvm1", "clone a1 a4 rg Aux/v,1 Aux/one", "clone a1 a5 - Aux/v,1",
    "clone-wait a1 a5 - Aux/v,1", "snapshot-delete a1 s1", "snapshot-delete a1 s2", "delete a1",
    "report 1"]


def prepared(sim):
    """Two zones, for FUNCTIONS."""
    for number in (1, 2, 3):
        sim.hook("node", name=f"kvm{number}", props={"Aux/zone": str(number % 2)})


class Sim:
    """`with Sim("--group", "rg") as sim:`"""

    def __init__(self, *options):
        start = time.monotonic()
        self.process = subprocess.Popen([PROGRAM, "--with-stdin", *options], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("Bail out! the simulator does not start")
        self.started_s = time.monotonic() - start
        facts = json.loads(line)
        self.ports, self.control = facts["ports"], facts["control"]
        self.url = f"http://127.0.0.1:{self.ports[0]}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def hook(self, hook, /, **body):
        connection = http.client.HTTPConnection("127.0.0.1", self.control, timeout=60)
        connection.request("POST", f"/{hook}", json.dumps(body))
        answer = json.loads(connection.getresponse().read())
        connection.close()
        if "broken" in answer:
            raise AssertionError(f"hook {hook}: {answer['broken']}")
        return answer

    def calls(self, versions=False):
        """What was asked since the last look, as "METHOD path?query"; versions are left out."""
        found = [f"{c['method']} {c['path'].removeprefix('/v1/')}" + (f"?{c['query']}" if c["query"] else "")
                 for c in self.hook("log", clear=True)["calls"]]
        return [c for c in found if versions or c != "GET controller/version"]

    def log(self):
        return self.hook("log", clear=True)["calls"]

    def rest(self, method, path, body=None, token=None):
        """(status, answer) without our client."""
        request = urllib.request.Request(
            f"{self.url}/v1/{path}", None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"} if body is not None else {}, method=method)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, json.loads(response.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"null")


class Answer:
    """One line of linstortool: `ok` and text, or `error`, code, failure and text."""

    def __init__(self, line):
        match = re.fullmatch(r"error (\d+) (\d+) (.*)", line)
        self.line = line
        self.good = line == OK or line.startswith("ok ")
        self.text = line[3:] if self.good else match[3] if match else line
        self.code, self.failure = (int(match[1]), int(match[2])) if match else (0, 0)

    def __repr__(self):
        return self.line


class Tool:
    def __init__(self, program, *options):
        self.program, self.options = program, options

    def run(self, *functions, env=None):
        """The answers, one for each function ("create a rg -")."""
        words = []
        for function in functions:
            words += [","] if words else []
            words += function.split() if isinstance(function, str) else function
        done = subprocess.run([self.program, *self.options, *words], capture_output=True, text=True,
                              timeout=120, env={**os.environ, **(env or {})}, check=False)
        self.stderr, self.status = done.stderr, done.returncode
        return [Answer(line) for line in done.stdout.splitlines()]

    def one(self, *functions, **more):
        """The last answer."""
        answers = self.run(*functions, **more)
        if not answers:
            raise AssertionError(f"no answer to {functions}, status {self.status}: {self.stderr}")
        return answers[-1]

    def good(self, *functions, **more):
        answers = self.run(*functions, **more)
        for function, answer in zip(functions, answers):
            if not answer.good:
                raise AssertionError(f"{function}: {answer}")
        if len(answers) != len(functions) or self.status:
            raise AssertionError(f"{functions}: {answers}, status {self.status}: {self.stderr}")
        return answers[-1].text
