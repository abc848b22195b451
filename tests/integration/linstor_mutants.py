#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""onevol-verify --storage: a right driver passes, and what is wrong with a wrong one is found.

linstor_mutants.py ONEVOL-VERIFY [--all | FAULT...]; TAP. Needs root, else 77. Without an argument one
fault of each kind is played; "none" is the right driver.
"""
import concurrent.futures
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
import linstorlab  # noqa: E402
import linstor_toy  # noqa: E402

SKIPPED = 77
OPERATIONS = "attach,move,shareable,live-migration,resize,snapshots"

# Enough for each fault.
SHORT = "live-migration,resize,snapshots"
# One of what is attached, of content, of writers, of what is left.
SOME = ("source stays attached", "copy is short", "two may write", "snapshot is left")


def remotes(lab):
    root = lab.path("remotes")
    for plane, actions in (("tm", linstor_toy.TM), ("datastore", linstor_toy.DATASTORE)):
        os.makedirs(f"{root}/{plane}/linstor", exist_ok=True)
        for action in actions:
            os.symlink(linstor_toy.__file__, f"{root}/{plane}/linstor/{action}")
    return root


def play(verify, fault, own, only=OPERATIONS):
    lab = linstorlab.LinstorLab(pools="thin:LVM_THIN:102400")
    try:
        directory = "/var/tmp/verify" if own else lab.path("verify")
        words = [verify, "--driver", "linstor", "--remotes", remotes(lab), "--directory", directory,
                 "--hosts", "h1,h2", "--size", "8", "--json", "--storage", lab.storage_program(),
                 "--only", only]
        done = subprocess.run(
            lab.enter("fe", *words, *(["--own-directories"] if own else [])), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=900,
            env=lab.environment(TOY_CONTROLLER=lab.sim.url, TOY_BREAKS=fault or ""))
        document = json.loads(done.stdout) if done.stdout else {"actions": [], "ok": 0}
        return [row for row in document["actions"] if not row["ok"]], document["ok"], done.stderr
    finally:
        lab.close()


def tell(rows):
    for row in rows[:int(os.environ.get("SHOW_ROWS", "5"))]:
        print("\n".join("# " + line for line in json.dumps(row, indent=1).splitlines()))


def main():
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    reason = linstorlab.missing()
    if reason:
        print("1..0 # SKIP " + reason)
        return SKIPPED
    verify, wanted = os.path.abspath(sys.argv[1]), sys.argv[2:]
    plays = {}
    with concurrent.futures.ThreadPoolExecutor(min(os.cpu_count() or 1, 4)) as pool:
        owns = (True, False) if wanted == ["--all"] else (True,) if not wanted or "none" in wanted else ()
        for own in owns:
            where = "directories of hosts" if own else "one directory"
            plays[f"a right driver, {where}"] = (None, pool.submit(play, verify, None, own))
        for fault, sentence in linstor_toy.BREAKS.items():
            if fault in (wanted or SOME) or wanted == ["--all"]:
                plays[f"found: {fault}"] = (sentence, pool.submit(play, verify, fault, True, SHORT))
        failed = 0
        for number, (name, (sentence, result)) in enumerate(plays.items(), 1):
            rows, good, err = result.result()
            found = [p for row in rows for p in row["problems"] if sentence and sentence in json.dumps(p)]
            right = bool(found) if sentence else not rows and good > 100
            if not right:
                tell(rows)
                print(f"# {good} rows ok {err.strip()[-200:]}")
            failed += not right
            print(f"{'' if right else 'not '}ok {number} - {name}", flush=True)
    print(f"1..{len(plays)}")
    return 1 if failed or not plays else 0


if __name__ == "__main__":
    sys.exit(main())
