#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""onevol-verify with clvm and gfs2clvm: two guests on one SAN are its hosts, the front-end sees no
volume group. The SAN tells by itself what lies on it (lvm_storage.py).

verify.py ONEVOL ONEVOL-VERIFY [PART OF A CASE'S NAME...]; TAP. ONLY=NAME,... in the environment plays
these operations instead of the case's own, ONLY= all of them.
"""
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
import case  # noqa: E402
import guest  # noqa: E402
import lockd  # noqa: E402

GROUP = "vg-one-100"
HOSTS = ["kvm1", "kvm2"]
LIMIT = 3600
# In guests a second's work takes ten: the operations are those that volumes matter to.
LIFE = "deploy,attach,move,recover,live-migration"
SNAPSHOTS = "deploy,snapshots,save-as,image-snapshots"


def about(driver, release, mode, only, fewest, locking="plain", **attributes):
    return {"driver": driver, "release": release, "only": only, "fewest": fewest, "locking": locking,
            "attributes": {"LVM_MODE": mode, **attributes}}


CASES = {
    "clvm thick": about("clvm", "7.4.0", "THICK", LIFE + ",images,resize", 100),
    "clvm with snapshots": about("clvm", "6.10.0", "SNAPSHOT", SNAPSHOTS, 60),
    "clvm thin": about("clvm", "7.4.0", "THIN", SNAPSHOTS + ",resize", 60),
    "clvm under dlm": about("clvm", "7.4.0", "THICK", LIFE, 60, "dlm", LVM_ACTIVATION="SHARED"),
    "gfs2clvm": about("gfs2clvm", "5.4.0", "THICK", LIFE + ",images", 80),
}


def start(lab, locking):
    if locking == "dlm":
        lab.renew(lockd=True)
        lockd.start_dlm(lab)
        lab.on("kvm1", f"vgcreate --shared {GROUP} /dev/vda")
        lockd.join(lab, "kvm2", GROUP)
    else:
        lab.renew()
        lab.on("kvm1", f"vgcreate {GROUP} /dev/vda")


def storage_program(lab, driver):
    """For --storage: asks the SAN, and by ssh as root the guests."""
    packages = guest.packages_root(lab.build) or "/"
    tools = ["env", f"PATH={packages}/usr/sbin:{os.environ['PATH']}",
             f"LD_LIBRARY_PATH={packages}/usr/lib/x86_64-linux-gnu"]
    lab.hosts.write("facts", json.dumps({
        "driver": driver, "group": GROUP, "hosts": HOSTS, "san": lab.san, "tools": tools,
        "ssh": ["ssh", "-F", lab.hosts.path("ssh_config.lab")]}))
    program = guest.SOURCE / "tests/lab/lvm_storage.py"
    lab.hosts.write("storage", f"#!/bin/sh\nPATH={os.environ['PATH']}\nexec /usr/bin/python3 -I -S "
                               f"{program} {lab.hosts.path('facts')} \"$@\"\n", 0o755)
    return lab.hosts.path("storage")


def words_of(lab, tools, what):
    attributes = {"VG_NAME": GROUP, "BRIDGE_LIST": HOSTS[0], **what["attributes"]}
    words = [tools[1], "--onevol", tools[0], "--driver", what["driver"], "--opennebula",
             what["release"], "--directory", "/var/tmp/verify", "--own-directories", "--hosts",
             ",".join(HOSTS), "--size", "8", "--timeout", "600", "--json", *(["-v"] if os.environ.get("VERBOSE") else []), "--storage",
             storage_program(lab, what["driver"])]
    for name, value in attributes.items():
        words += ["--attribute", f"{name}={value}"]
    only = os.environ.get("ONLY", what["only"])
    return words + (["--only", only] if only else [])


def play(lab, tools, what):
    start(lab, what["locking"])
    if what["attributes"]["LVM_MODE"] != "THICK":
        lab.allow_reverts()
    done = subprocess.run(lab.hosts.enter("fe", *words_of(lab, tools, what)), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=LIMIT, env=lab.environment())
    document = json.loads(done.stdout) if done.stdout else {"actions": [], "ok": 0}
    failed = [row for row in document["actions"] if not row["ok"]]
    for row in failed[:int(os.environ.get("SHOW_ROWS", "10"))]:
        print("\n".join("# " + line for line in json.dumps(row, indent=1).splitlines()))
    left = lab.on("kvm1", f"lvs --noheadings -o lv_name {GROUP}").split()
    print(f"# {document['ok']} rows ok, {len(failed)} failed, {document.get('seconds', 0):.0f} s; "
          f"left {left}; {done.stderr.strip()[-300:]}", flush=True)
    fewest = 1 if "ONLY" in os.environ else what["fewest"]
    case.check(done.returncode == 0 and not failed and not left and document["ok"] >= fewest,
               f"status {done.returncode}")


def main():
    if len(sys.argv) < 3:
        print(__doc__)
        return 2
    tools = [os.path.abspath(tool) for tool in sys.argv[1:3]]
    build = case.build_directory(tools[0])
    wanted = {name: what for name, what in CASES.items()
              if not sys.argv[3:] or any(text in name for text in sys.argv[3:])}
    cases = []
    for name, what in wanted.items():
        def one(lab, what=what):
            play(lab, tools, what)
        one.__name__ = name
        cases.append(one)
    return case.run(cases, lambda: guest.Lab(build, HOSTS), build, ("lvm", "thin_dump", "sudo"))


if __name__ == "__main__":
    sys.exit(main())
