#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""onevol-verify with linstor and linstor_un: a simulated LINSTOR, a front-end without storage and two
hosts with devices of their own, in every CLONE_MODE, on thin and thick pools, with old and new REST.

linstor_verify.py ONEVOL ONEVOL-VERIFY [--all] [PART OF A CASE'S NAME...]; TAP. Needs root, else 77.
--all: each case whole, and more of them. ONLY=NAME,... in the environment plays these operations
instead of the case's own; SHOW_TIMES=1 tells what took long.
"""
import concurrent.futures
import json
import os
import subprocess
import sys
import traceback

sys.dont_write_bytecode = True
import linstorlab  # noqa: E402
from twohosts import KEEP  # noqa: E402

SKIPPED = 77
FEWEST = 40  # rows of a short case
NEW, MIDDLE, OLD = "1.27.0", "1.20.2", "1.7.0"
THIN = "thin:LVM_THIN:102400"
THICK = "thick:LVM:20480:4096"
ZFS = "tank:ZFS_THIN:102400:8"
MOVES = "deploy,attach,move,recover,dead-host,shareable,live-migration"
# What needs no snapshots.
PLAIN = "images,deploy,attach,move,recover,dead-host,resize,live-migration"
SNAPSHOTS = "deploy,snapshots,save-as,image-snapshots,states"
# All but what takes long or has little to do with the backend.
MOST = ("images,refused,deploy,attach,move,dead-host,shareable,suffix,resize,snapshots,save-as,"
        "image-snapshots,live-migration,backup,states")


def case(driver, release, clone_mode, rest=NEW, pools=THIN, only=None, short="", fewest=100, place=1,
         own=True, twice=False, **attributes):
    """`only`: the operations, None for all; `short`: those without --all, "" for none."""
    return {"driver": driver, "release": release, "rest": rest, "pools": pools, "only": only,
            "short": short, "fewest": fewest, "place": place, "own": own, "twice": twice,
            "attributes": {"CLONE_MODE": clone_mode, **attributes}}


CASES = {
    "linstor_un by snapshot": case("linstor_un", "7.4.0", "snapshot", short=MOST, fewest=600, place=2),
    "linstor by clone": case("linstor", "7.4.0", "clone", fewest=600, place=2,
                             short="deploy,attach,shareable,snapshots,live-migration"),
    "linstor with LINSTOR of 2021": case("linstor", "5.4.0", "copy", OLD, fewest=300,
                                         short="deploy,move,snapshots,live-migration"),
    "linstor by snapshot": case("linstor", "6.10.0", "snapshot", only="deploy," + SNAPSHOTS,
                                short="deploy,snapshots,save-as"),
    "linstor_un by clone": case("linstor_un", "6.10.0", "clone", only=MOVES + "," + SNAPSHOTS,
                                pools=ZFS, fewest=300, short="deploy,snapshots,save-as"),
    "linstor_un on thick pools": case("linstor_un", "7.4.0", "copy", pools=THICK, only=PLAIN,
                                      fewest=300, short="deploy,resize,dead-host"),
    "linstor_un in a directory that all see": case("linstor_un", "5.4.0", "copy", MIDDLE, only=MOVES,
                                                   own=False, fewest=200,
                                                   short="deploy,move,live-migration"),
    # only with --all:
    "linstor_un by copy": case("linstor_un", "7.4.0", "copy", fewest=600),
    "linstor by copy": case("linstor", "6.10.0", "copy", only=MOVES + "," + SNAPSHOTS, fewest=300),
    "linstor on thick pools": case("linstor", "5.4.0", "copy", pools=THICK, only=PLAIN, fewest=200,
                                   place=2),
    "linstor_un with LINSTOR of 2021": case("linstor_un", "5.4.0", "snapshot", OLD, fewest=300),
    "linstor_un with LINSTOR of 2023": case("linstor_un", "6.10.0", "copy", MIDDLE,
                                            only="deploy,snapshots,move"),
    "linstor_un on nodes of a list": case("linstor_un", "7.4.0", "copy", only="deploy,move",
                                          RESOURCE_GROUP=None, NODE_LIST="h1 store",
                                          STORAGE_POOL="thin"),
    "linstor_un by a count": case("linstor_un", "7.4.0", "copy", only="deploy,move",
                                  RESOURCE_GROUP=None, REPLICA_COUNT="2", STORAGE_POOL="thin",
                                  PREFER_NODE="yes"),
    "linstor in a directory that all see": case("linstor", "6.10.0", "clone", only=MOVES, own=False,
                                                fewest=200),
    "linstor_un, everything twice": case("linstor_un", "7.4.0", "snapshot", only=MOVES + ",resize",
                                         twice=True),
}


def words_of(lab, tools, about):
    un = about["driver"] == "linstor_un"
    attributes = {"LS_CONTROLLERS" if un else "LINSTOR_CONTROLLERS": ",".join(lab.sim.urls),
                  "RESOURCE_GROUP" if un else "LINSTOR_RESOURCE_GROUP": "rg", **about["attributes"]}
    directory = "/var/tmp/verify" if about["own"] else lab.path("verify")
    words = [tools[1], "--onevol", tools[0], "--driver", about["driver"], "--opennebula",
             about["release"], "--directory", directory, "--hosts", "h1,h2", "--size", "8", "--json",
             "--storage", lab.storage_program(), "--host-attribute", "dead:LINSTOR_NODE=h1"]
    for name, value in attributes.items():
        if value is not None:
            words += ["--attribute", f"{name}={value}"]
    if about["only"]:
        words += ["--only", about["only"]]
    if about["own"]:
        words.append("--own-directories")
    if about["twice"]:
        words.append("--twice")
    return words


def show(about, document):
    """What failed, as comments."""
    failed = [row for row in document["actions"] if not row["ok"]]
    gaps = [cell for cell in document.get("matrix", []) if cell["result"] == "NOT PLAYED"]
    lines = []
    for found in failed[:int(os.environ.get("SHOW_ROWS", "10"))] + ([] if about["only"] else gaps[:10]):
        lines += json.dumps(found, indent=1).splitlines()
    if os.environ.get("SHOW_TIMES"):
        times = {}
        for row in document["actions"]:
            times[row["operation"]] = times.get(row["operation"], 0) + row["ms"] / 1000
        lines.append(", ".join(f"{name} {s:.1f} s" for name, s in times.items()))
        for row in sorted(document["actions"], key=lambda row: -row["ms"])[:8]:
            lines.append(f"{row['ms'] / 1000:.1f} s: {row['operation']}, {row['action']} {row['what']}")
    return lines, failed


def play(tools, about):
    """Whether it went well, and lines that tell how."""
    lab = linstorlab.LinstorLab(rest=about["rest"], pools=about["pools"], place_count=about["place"])
    try:
        if about["release"] != "5.4.0":  # since 5.12 OpenNebula keeps connections
            with open(lab.path("ssh_config"), "a", encoding="ascii") as config:
                config.write(KEEP.format(base=lab.base))
        done = subprocess.run(lab.enter("fe", *words_of(lab, tools, about)), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=1700, env=lab.environment())
        document = json.loads(done.stdout) if done.stdout else {"actions": [], "ok": 0}
        lines, failed = show(about, document)
        left, violations = sorted(lab.volumes()), lab.violations()
        lines.append(f"{document['ok']} rows ok, {len(failed)} failed, {document.get('seconds', 0):.0f} s; "
                     f"left {left}; DRBD refuses {violations}; {done.stderr.strip()[-300:]}")
        return done.returncode == 0 and not failed and not left and not violations and \
            document["ok"] >= about["fewest"], lines
    finally:
        lab.close()


def chosen(words):
    whole, parts = "--all" in words, [word for word in words if word != "--all"]
    found = {}
    for name, about in CASES.items():
        if parts and not any(part in name for part in parts):
            continue
        if not whole and not about["short"]:
            continue
        if not whole:
            about = {**about, "only": about["short"], "fewest": FEWEST}
        if "ONLY" in os.environ:
            about = {**about, "only": os.environ["ONLY"], "fewest": 1}
        found[name] = about
    return found


def main():
    if len(sys.argv) < 3:
        print(__doc__)
        return 2
    reason = linstorlab.missing()
    if reason:
        print("1..0 # SKIP " + reason)
        return SKIPPED
    tools = [os.path.abspath(tool) for tool in sys.argv[1:3]]
    wanted, failed = chosen(sys.argv[3:]), 0
    print(f"1..{len(wanted)}", flush=True)
    with concurrent.futures.ThreadPoolExecutor(min(os.cpu_count() or 1, 4)) as pool:
        results = {name: pool.submit(play, tools, about) for name, about in wanted.items()}
        for number, (name, result) in enumerate(results.items(), 1):
            try:
                good, lines = result.result()
            except Exception:  # a case that breaks is a failure like others
                good, lines = False, traceback.format_exc().splitlines()
            failed += not good
            print("".join(f"# {line}\n" for line in lines) +
                  f"{'' if good else 'not '}ok {number} - {name}", flush=True)
    return 1 if failed or not wanted else 0


if __name__ == "__main__":
    sys.exit(main())
