#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""onevol-verify over real ssh: a front-end and two hosts, with one directory and with own disks.

verify-hosts.py ONEVOL ONEVOL-VERIFY [CASE...]; TAP. Needs root for the fake hosts, else exit 77.
"""
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
# name: driver, release, directory, fewest rows that must have been played, more arguments
CASES = {
    "shared 7.4.0": ("reflink", "7.4.0", SHARED, 550, []),
    "shared 5.4.0": ("reflink", "5.4.0", SHARED, 450, []),
    "own 7.4.0": ("reflink_local", "7.4.0", OWN, 550, []),
    "own 5.4.0": ("reflink_local", "5.4.0", OWN, 450, []),
}
# name: driver, directory, what the refusal says
REFUSALS = {
    "own disks for a shared driver": ("reflink", OWN, "does not see the front-end's"),
    "a shared directory for own disks": ("reflink_local", SHARED, "sees the front-end's"),
}


def comment(text):
    print("\n".join("# " + line for line in text.splitlines()))


class Site:
    def __init__(self, lab, onevol, verify):
        self.lab, self.onevol, self.verify = lab, onevol, verify

    def run(self, driver, release, directory, more):
        words = [self.verify, "--onevol", self.onevol, "--driver", driver, "--opennebula", release,
                 "--directory", os.path.join(directory, "verify"), "--hosts", "h1,h2",
                 "--size", "4", "--json", *more]
        return subprocess.run(
            self.lab.enter("fe", *words), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=300, env=self.lab.environment(
                ONEVOL_VERIFY_SSH_LOG=self.lab.path("connections")))

    def left(self, directory):
        """What verify has left behind on any machine."""
        return "".join(self.lab.on(name, f"find {directory} -mindepth 1 | sed 's/^/{name}:/'")
                       for name in self.lab.names)

    def plays(self, driver, release, directory, fewest, more):
        done = self.run(driver, release, directory, more)
        document = json.loads(done.stdout) if done.stdout else {"actions": [], "ok": 0}
        bad = [row for row in document["actions"] if not row["ok"]]
        for row in bad[:20]:
            comment(json.dumps(row, indent=1))
        left = self.left(directory)
        comment(f"{document['ok']} rows ok, {len(bad)} failed; {done.stderr.strip()} {left}")
        for name in document.get("not_played", []):
            comment(f"not played: {name['action']}: {name['reason']}")
        return done.returncode == 0 and not bad and document["ok"] >= fewest and not left

    def refuses(self, driver, directory, text):
        done = self.run(driver, "7.4.0", directory, [])
        lines = done.stderr.strip().splitlines()
        left = self.left(directory)
        comment(f"exit {done.returncode}: {done.stderr.strip()} {left}")
        return done.returncode == 2 and len(lines) == 1 and text in lines[0] and not left


def main():
    if len(sys.argv) < 3:
        print(__doc__)
        return 2
    reason = hostlab.missing()
    if reason:
        print("1..0 # SKIP " + reason)
        return SKIPPED
    wanted = sys.argv[3:]
    cases = {name: ("plays", case) for name, case in CASES.items()}
    cases.update({name: ("refuses", case) for name, case in REFUSALS.items()})
    cases = {name: case for name, case in cases.items() if not wanted or name in wanted}
    print(f"1..{len(cases)}")
    failed = 0
    lab = hostlab.Lab(["fe", "h1", "h2"])
    try:
        os.mkdir(lab.path("shared"))
        for name in lab.names:
            lab.on(name, f"mkdir {SHARED} {OWN}; mount --bind {lab.path('shared')} {SHARED}")
        site = Site(lab, os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]))
        for number, (name, (method, case)) in enumerate(cases.items(), 1):
            start = time.monotonic()
            good = getattr(site, method)(*case)
            failed += not good
            print(f"{'' if good else 'not '}ok {number} - {name} "
                  f"({time.monotonic() - start:.0f} s)", flush=True)
    finally:
        lab.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
