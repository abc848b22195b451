#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""onevol-verify over real ssh: a front-end and two hosts, with one directory and with own disks.

verify-hosts.py ONEVOL ONEVOL-VERIFY [CASE...]; TAP. Needs root for the fake hosts, else exit 77.
"""
import concurrent.futures
import json
import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import hostlab  # noqa: E402

SKIPPED = 77
SHARED = "/var/lib/one/shared"
OWN = "/var/lib/one/own"
# what hosts have no part in is played elsewhere
HOSTED = "deploy,attach,move,recover,dead-host,shareable,resize,snapshots,save-as," \
         "image-snapshots,live-migration,refused"
CHANGED = "deploy,attach,move,recover,dead-host,live-migration"
# name: driver, release, directory, site multiplexes ssh, operations, fewest rows
CASES = {
    "own disks, 7.4.0": ("reflink_local", "7.4.0", OWN, True, HOSTED, 400),
    "shared directory, 7.4.0": ("reflink", "7.4.0", SHARED, True, HOSTED, 400),
    "own disks, 5.4.0": ("reflink_local", "5.4.0", OWN, False, CHANGED, 250),
    "shared directory, 5.4.0": ("reflink", "5.4.0", SHARED, False, CHANGED, 250),
}
# name: driver, directory, what the refusal says
REFUSALS = {
    "a shared driver needs a shared directory": ("reflink", OWN, "does not see the front-end's"),
    "own disks need separate directories": ("reflink_local", SHARED, "sees the front-end's"),
}
# OpenNebula's own wrapper of ssh keeps connections since 5.12; the other runs do without
KEEP = """  ControlMaster auto
  ControlPersist 60s
  ControlPath {base}/ctl-%C
"""
WRAPPER = """#!/bin/sh
[ "$1" = -G ] || echo "$*" >> {base}/connections
exec /usr/bin/ssh -F {base}/ssh_config "$@"
"""


class Run:
    """One run of verify, with a directory, an ssh and a count of connections of its own."""

    def __init__(self, lab, tools, driver, release, directory, keep, more):
        number = len(os.listdir(lab.base))
        self.lab = lab
        self.base = lab.path(f"run-{number}")
        self.place = os.path.join(directory, f"verify-{number}")
        os.mkdir(self.base)
        with open(lab.path("ssh_config")) as config:
            text = config.read() + (KEEP if keep else "")
        for name, content in (("ssh_config", text), ("ssh", WRAPPER), ("connections", "")):
            with open(os.path.join(self.base, name), "w") as out:
                out.write(content.format(base=self.base))
        os.chmod(os.path.join(self.base, "ssh"), 0o755)
        self.words = [tools[1], "--onevol", tools[0], "--driver", driver, "--opennebula", release,
                      "--directory", self.place, "--hosts", "h1,h2", "--size", "4", "--json", *more]
        self.said = []

    def play(self):
        environment = self.lab.environment(
            ONEVOL_VERIFY_SSH_LOG=os.path.join(self.base, "connections"))
        environment["PATH"] = self.base + ":" + environment["PATH"]
        done = subprocess.run(self.lab.enter("fe", *self.words), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=600, env=environment)
        self.left = "".join(self.lab.on(name, f"ls -d {self.place} 2>/dev/null || true")
                            for name in self.lab.names)
        if self.left:
            self.say("left: " + self.left)
        return done

    def say(self, text):
        self.said += ["# " + line for line in text.splitlines()]

    def is_well(self, fewest):
        done = self.play()
        document = json.loads(done.stdout) if done.stdout else {"actions": [], "ok": 0}
        bad = [row for row in document["actions"] if not row["ok"]]
        for row in bad[:20]:
            self.say(json.dumps(row, indent=1))
        counted = [row.get("ssh_connections", 0) for row in document["actions"]]
        self.say(f"{document['ok']} rows ok, {len(bad)} failed, {sum(counted)} connections, "
                 f"at most {max(counted, default=0)} an action; {done.stderr.strip()}")
        for name in document.get("not_played", []):
            self.say(f"not played: {name['action']}: {name['reason']}")
        return done.returncode == 0 and not bad and document["ok"] >= fewest and not self.left

    def is_refused(self, text):
        done = self.play()
        lines = done.stderr.strip().splitlines()
        self.say(f"exit {done.returncode}: {done.stderr.strip()}")
        return done.returncode == 2 and len(lines) == 1 and text in lines[0] and not self.left


def timed(run, question, *arguments):
    start = time.monotonic()
    good = question(*arguments)
    return run, good, time.monotonic() - start


def play_all(lab, tools, wanted):
    jobs = []
    with concurrent.futures.ThreadPoolExecutor(max_workers=4) as pool:
        for name, (driver, release, directory, keep, only, fewest) in CASES.items():
            if not wanted or name in wanted:
                run = Run(lab, tools, driver, release, directory, keep, ["--only", only])
                jobs.append((name, pool.submit(timed, run, run.is_well, fewest)))
        for name, (driver, directory, text) in REFUSALS.items():
            if not wanted or name in wanted:
                run = Run(lab, tools, driver, "7.4.0", directory, False, [])
                jobs.append((name, pool.submit(timed, run, run.is_refused, text)))
        print(f"1..{len(jobs)}", flush=True)
        failed = 0
        for number, (name, job) in enumerate(jobs, 1):
            run, good, seconds = job.result()
            failed += not good
            print("\n".join(run.said + [f"{'' if good else 'not '}ok {number} - {name} "
                                        f"({seconds:.0f} s)"]), flush=True)
    return failed


def main():
    if len(sys.argv) < 3:
        print(__doc__)
        return 2
    reason = hostlab.missing()
    if reason:
        print("1..0 # SKIP " + reason)
        return SKIPPED
    lab = hostlab.Lab(["fe", "h1", "h2"])
    try:
        os.mkdir(lab.path("shared"))
        for name in lab.names:
            lab.on(name, f"mkdir {SHARED} {OWN}; mount --bind {lab.path('shared')} {SHARED}")
        failed = play_all(lab, [os.path.abspath(tool) for tool in sys.argv[1:3]], sys.argv[3:])
    finally:
        lab.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
