#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""onevol-verify with each mfs driver on a real MooseFS, on one machine and on a front-end with two
hosts. LizardFS and SaunaFS are played by programs of their names that call MooseFS's.

mfs-verify.py ONEVOL ONEVOL-VERIFY [--all] [DRIVER...]; TAP. Needs root, FUSE and Debian's moosefs-*, else
77. --all: everything with moosefs, and all that hosts are for.
"""
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
import mfslab  # noqa: E402

SKIPPED = 77
HOSTED = "deploy,attach,move,recover,dead-host,shareable,snapshots,image-snapshots,live-migration"
# What each function of the backend is met in.
FUNCTIONS = "images,refused,deploy,attach,move,resize,snapshots,save-as,image-snapshots,live-migration"
# name: driver, release, operations, more words, fewest rows
CASES = {
    "moosefs on 7.4.0": ("moosefs", "7.4.0", FUNCTIONS, [], 300),
    "lizardfs on 5.4.0": ("lizardfs", "5.4.0", "deploy,attach,move,resize,snapshots,save-as", [], 150),
    "lizardfs with hosts": ("lizardfs", "7.4.0", "deploy,move,dead-host,live-migration",
                            ["--hosts", "h1,h2"], 100),
    "saunafs on 6.10.0": ("saunafs", "6.10.0", "deploy,snapshots,save-as", [], 80),
}
WHOLE = {
    "moosefs on 7.4.0": ("moosefs", "7.4.0", None, [], 500),
    "lizardfs with hosts": ("lizardfs", "7.4.0", HOSTED, ["--hosts", "h1,h2"], 250),
}


def play(lab, tools, number, driver, release, only, more):
    place = f"{mfslab.MOUNT}/verify-{number}"
    words = [tools[1], "--onevol", tools[0], "--driver", driver, "--opennebula", release,
             "--directory", place, "--size", "8", "--json", *more]
    if only:
        words += ["--only", only]
    done = subprocess.run(lab.enter("fe", *words), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=900, env=lab.environment())
    document = json.loads(done.stdout) if done.stdout else {"actions": [], "ok": 0}
    failed = [row for row in document["actions"] if not row["ok"]]
    for row in failed[:10]:
        print("\n".join("# " + line for line in json.dumps(row, indent=1).splitlines()))
    print(f"# {document['ok']} rows ok, {len(failed)} failed; {done.stderr.strip()[-300:]}")
    left = lab.on("fe", f"ls -d {place} 2>/dev/null || true")
    return done.returncode == 0 and not failed and not left, document["ok"]


def main():
    if len(sys.argv) < 3:
        print(__doc__)
        return 2
    reason = mfslab.missing()
    if reason:
        print("1..0 # SKIP " + reason)
        return SKIPPED
    tools = [os.path.abspath(tool) for tool in sys.argv[1:3]]
    drivers = [word for word in sys.argv[3:] if word != "--all"]
    cases = CASES | WHOLE if "--all" in sys.argv else CASES
    wanted = {name: case for name, case in cases.items() if case[0] in drivers or not drivers}
    lab = mfslab.MfsLab(["fe", "h1", "h2"])
    failed = 0
    try:
        calls = {product: lab.shim(product) for product in ("lizardfs", "saunafs")}
        print(f"1..{len(wanted)}", flush=True)
        for number, (name, (driver, release, only, more, fewest)) in enumerate(wanted.items(), 1):
            good, rows = play(lab, tools, number, driver, release, only, more)
            used = driver not in calls or os.path.getsize(calls[driver]) > 0
            right = good and used and rows >= fewest
            failed += not right
            print(f"{'' if right else 'not '}ok {number} - verify {name}", flush=True)
    finally:
        lab.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
