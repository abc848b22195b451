#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The lvm backend on two guests with one SAN, asked by a front-end that sees no volume group.

clvm.py VOLUMETOOL [CASE...]; TAP. Without lvmlockd first, kvm1 being the bridge, then under dlm and
sanlock: who may write, what is refused before anything changes, what a killed host leaves.
"""
import collections
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import case  # noqa: E402
import guest  # noqa: E402
import lockd  # noqa: E402
from case import check, eventually  # noqa: E402

TOOL = os.path.abspath(sys.argv[1])
GROUP = "vg-one-100"
SIZE = 16 << 20
BUSY = "is in use"
times = case.Times()


def start(lab, *words, host="kvm1", mode="THICK", driver="clvm", fault="", stderr=subprocess.DEVNULL,
          **attributes):
    attributes = {"VG_NAME": GROUP, "BRIDGE_LIST": "kvm1", "LVM_MODE": mode, **attributes}
    options = [word for name, value in attributes.items() for word in ("--attribute", f"{name}={value}")]
    return subprocess.Popen(
        lab.hosts.enter("fe", TOOL, "--driver", driver, "--host", host, *options, *map(str, words)),
        env=lab.environment(ONEVOL_HEARTBEAT_MS="2000", ONEVOL_SILENCE_MS="20000",
                            **({"ONEVOL_FAULT": fault} if fault else {})),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, text=True)


def ask(lab, *words, **options):
    """What volumetool says: "ok …" or "error …"."""
    return start(lab, *words, **options).communicate(timeout=300)[0].strip()


def do(lab, *words, **options):
    said = ask(lab, *words, **options)
    check(said.startswith("ok"), words, options, said)
    return said


def refused(lab, text, *words, **options):
    """It says why, and nothing has changed."""
    before = state(lab)
    said = ask(lab, *words, **options)
    check(said.startswith("error") and text in said, words, options, said)
    check(state(lab) == before, words, before, state(lab))
    return said


def at_once(lab, *calls):
    """What each of these (words, host) says, all asked at the same time."""
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(lambda call: ask(lab, *call[0], host=call[1]), calls))


def volumes(lab, name="kvm1"):
    text = lab.on(name, f"lvs -a --reportformat json --units b --nosuffix -o lv_name,lv_size,lv_tags {GROUP}")
    return {lv["lv_name"]: lv for lv in json.loads(text)["report"][0]["lv"]}


def active(lab, name):
    return lab.on(name, f"ls /dev/{GROUP} 2>/dev/null || true").split()


def state(lab):
    return volumes(lab, sorted(lab.processes)[0]), {name: active(lab, name) for name in lab.processes}


def tags(lab, volume, key):
    words = volumes(lab, sorted(lab.processes)[0])[volume]["lv_tags"].split(",")
    return sorted(word.split("=")[1] for word in words if word.startswith(f"onevol.{key}="))


def write(lab, name, volume, text):
    lab.on(name, f"printf '%s' {text} | dd of=/dev/{GROUP}/{volume} bs=4k conv=notrunc,fsync status=none")


def read(lab, name, volume, count):
    return lab.on(name, f"dd if=/dev/{GROUP}/{volume} iflag=direct bs=4k count=1 status=none | head -c {count}")


class Opened:
    """A guest's disk: a process that has the device open."""

    def __init__(self, lab, name, volume):
        self.lab, self.name = lab, name
        self.pid = lab.on(name, f"setsid sleep 600 9<>/dev/{GROUP}/{volume} >/dev/null 2>&1 </dev/null & echo $!").strip()

    def __enter__(self):
        return self

    def __exit__(self, *about):
        self.lab.on(self.name, f"kill {self.pid}; while kill -0 {self.pid} 2>/dev/null; do sleep 0.1; done")


def counted(lab, *words, **options):
    """LVM's commands that sudo ran for it on both hosts: "lvchange 2, lvcreate, lvs"."""
    lab.everywhere(": > /run/sudo.log")
    do(lab, *words, **options)
    ran = re.findall(r"COMMAND=\S*/(\w+)", "".join(lab.everywhere("cat /run/sudo.log")))
    return ", ".join(name if count == 1 else f"{name} {count}"
                     for name, count in sorted(collections.Counter(ran).items()))


def same_commands(wanted, ran):
    """The last number of "lvs 5+" may be larger."""
    least, plus, _ = (wanted or "").partition("+")
    if not plus:
        return ran == wanted
    words, number = least.rsplit(" ", 1)
    return ran.rsplit(" ", 1)[0] == words and int(ran.rsplit(" ", 1)[1]) >= int(number)


def documented():
    """The table of docs/design/lvm.md: what is asked → the commands."""
    text = (guest.SOURCE / "docs/design/lvm.md").read_text()
    rows = re.findall(r"^\| ([a-z][^|]*?) \| ((?:lv|-)[^|]*?) \|", text, re.M)
    return dict(rows)


# --- without lvmlockd -----------------------------------------------------------------------


def a_group_without_lvmlockd(lab):
    lab.renew()
    lab.on("kvm1", f"vgcreate {GROUP} /dev/vda")


def volumes_made_on_both_hosts_at_once_are_all_there(lab):
    for name in ("kvm1", "kvm2"):
        do(lab, "list", host=name)  # the agent is there
    names = [f"onevol-vm-{number}-0" for number in range(100, 124)]
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda i: ask(lab, "create", names[i], 4 << 20, host=f"kvm{i % 2 + 1}"),
                             range(len(names))))
    times.add("24 volumes made from two hosts, 8 at a time", time.monotonic() - began)
    check(all(text == "ok" for text in said), said)
    check(sorted(volumes(lab)) == sorted(names), volumes(lab))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda i: ask(lab, "remove", names[i], host=f"kvm{i % 2 + 1}"),
                             range(len(names))))
    check(all(text == "ok" for text in said) and volumes(lab) == {}, said, volumes(lab))


def deploy_fifteen(lab, how):
    """As oned does with 15 threads: all disks cloned from one image, on both hosts at once."""
    image, content = "onevol-image-1-00000000", lab.hosts.path("image")
    with open(content, "wb") as file:
        file.write(b"image")
        file.truncate(4 << 20)
    do(lab, "fill", image, content, 4 << 20)
    names = [f"onevol-vm-{number}-0" for number in range(100, 115)]
    said = times.take(f"{how}15 disks cloned from one image, on two hosts at once", lambda: at_once(
        lab, *[(("clone", image, name), f"kvm{i % 2 + 1}") for i, name in enumerate(names)]))
    check(all(text.startswith("ok") for text in said), said)
    for i, name in enumerate(names):
        check(tags(lab, name, "at") == [f"kvm{i % 2 + 1}"] and read(lab, f"kvm{i % 2 + 1}", name, 5) == "image")
    check(all(text == "ok" for text in at_once(
        lab, *[(("remove", name), f"kvm{i % 2 + 1}") for i, name in enumerate(names)])))
    do(lab, "remove", image)


def fifteen_vms_are_deployed_at_once(lab):
    deploy_fifteen(lab, "")
    check(volumes(lab) == {}, volumes(lab))


def one_host_writes_at_a_time(lab):
    do(lab, "create", "onevol-vm-1-0", SIZE)
    do(lab, "create", "onevol-vm-10-0", SIZE)
    check(tags(lab, "onevol-vm-1-0", "at") == ["kvm1"])
    write(lab, "kvm1", "onevol-vm-1-0", "one")
    with Opened(lab, "kvm1", "onevol-vm-1-0"):
        said = refused(lab, BUSY, "attach", "onevol-vm-1-0", host="kvm2")
        check("kvm1" in said, said)
        refused(lab, BUSY, "remove", "onevol-vm-1-0")
        refused(lab, BUSY, "remove", "onevol-vm-1-0", host="kvm2")
    do(lab, "attach", "onevol-vm-1-0", host="kvm2")
    check(tags(lab, "onevol-vm-1-0", "at") == ["kvm2"])
    check("onevol-vm-1-0" not in active(lab, "kvm1"), "no device stays where it was")
    check(read(lab, "kvm2", "onevol-vm-1-0", 3) == "one")
    check("onevol-vm-10-0" in active(lab, "kvm1"), "VM 10 is not VM 1")


def its_commands_are_those_of_the_table(lab):
    """kvm2 works with the volumes, kvm1 changes the group."""
    lab.everywhere("printf 'Defaults logfile=/run/sudo.log, loglinelen=0, !syslog\\n"
                   "oneadmin ALL=(ALL:ALL) NOPASSWD: /usr/sbin/lvconvert, /usr/sbin/lvrename\\n' "
                   "> /etc/sudoers.d/zz-count")
    seen, image, cow, thin = {}, "onevol-image-1-00000000", "onevol-vm-2-0", "onevol-vm-3-0"
    content = lab.hosts.path("content")
    with open(content, "wb") as out:
        out.write(os.urandom(1 << 20))

    def count(name, *words, **options):
        seen[name] = counted(lab, *words, **{"host": "kvm2", **options})

    count("import an image", "fill", image, content, SIZE + 1600, host="kvm1")  # ends in a block
    count("create", "create", "onevol-vm-1-0", SIZE)
    count("create on the bridge", "create", "onevol-vm-1-1", SIZE, host="kvm1")
    count("clone and attach", "clone", image, "onevol-vm-1-2")
    count("the same, read there before", "clone", image, "onevol-vm-1-3")
    count("attach where it is", "attach", "onevol-vm-1-0")
    count("attach elsewhere", "attach", "onevol-vm-1-0", host="kvm1")
    count("attach for a live migration", "attach", "onevol-vm-1-0", "dual")
    count("detach after it", "detach", "onevol-vm-1-0", "dual", host="kvm1")
    count("resize", "resize", "onevol-vm-1-0", 2 * SIZE)
    count("detach", "detach", "onevol-vm-1-0")
    count("attach, nowhere before", "attach", "onevol-vm-1-0")
    count("assign", "assign", image, 7, 0)
    count("stat", "stat", image)
    count("list", "list")
    count("space", "space")
    count("usage", "usage")
    count("remove", "remove", "onevol-vm-1-0")
    do(lab, "create", cow, SIZE, host="kvm2", mode="SNAPSHOT")
    count("snapshot", "snapshot", cow, 0, mode="SNAPSHOT")
    count("revert", "revert", cow, 0, mode="SNAPSHOT")
    count("remove a snapshot", "unsnapshot", cow, 0, mode="SNAPSHOT")
    do(lab, "snapshot", cow, 1, host="kvm2", mode="SNAPSHOT")
    count("flatten", "flatten", cow, 1, mode="SNAPSHOT")
    count("thin: create", "create", thin, SIZE, mode="THIN")
    count("thin: attach elsewhere", "attach", thin, host="kvm1", mode="THIN")
    count("thin: snapshot", "snapshot", thin, 0, mode="THIN")
    count("thin: revert", "revert", thin, 0, mode="THIN")
    count("thin: remove a snapshot", "unsnapshot", thin, 0, mode="THIN")
    count("thin: resize", "resize", thin, 2 * SIZE, mode="THIN")
    count("thin: remove", "remove", thin, mode="THIN")
    for name in volumes(lab):
        do(lab, "remove", name)
    table = documented()
    for name, commands in seen.items():
        print(f"# {name} | {commands}")
    check(all(same_commands(table.get(name), commands) for name, commands in seen.items()),
          *[f"{name}: {commands}, docs/design/lvm.md has {table.get(name)}"
            for name, commands in seen.items() if not same_commands(table.get(name), commands)])


COUNT = "/run/counting"


def counting(lab, name, volume):
    """In a guest's place: goes on with the number that the volume holds, until COUNT is gone; says the
    last one that it wrote."""
    device = f"/dev/{GROUP}/{volume}"
    lab.on(name, f"touch {COUNT}")
    return subprocess.Popen(lab.hosts.enter(
        "fe", "ssh", "-F", lab.hosts.path("ssh_config.lab"), name,
        f"n=$(dd if={device} iflag=direct bs=512 count=1 status=none | tr -d '\\0'); "
        f"while [ -e {COUNT} ]; do n=$((n+1)); printf '%-512s' $n | "
        f"dd of={device} oflag=direct bs=512 count=1 conv=notrunc status=none || exit 1; done; echo $n"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)


def last_count(lab, name, process):
    lab.on(name, f"rm {COUNT}")
    return int(process.communicate(timeout=60)[0])


def migrates_live(lab, volume, source="kvm1", target="kvm2", **attributes):
    """What counts on the source goes on on the target with the next number."""
    writer = counting(lab, source, volume)
    eventually(lambda: read(lab, source, volume, 1).strip("\0"), "it counts")
    do(lab, "attach", volume, "dual", host=target, **attributes)
    first = last_count(lab, source, writer)
    writer = counting(lab, target, volume)
    do(lab, "detach", volume, "dual", host=source, **attributes)
    eventually(lambda: int(read(lab, target, volume, 9)) > first, "it goes on there")
    last = last_count(lab, target, writer)
    check(last > first > 0 and int(read(lab, target, volume, 9)) == last, first, last)
    check(tags(lab, volume, "at") == [target] and volume not in active(lab, source))


def a_counting_guest_is_migrated_live(lab):
    do(lab, "create", "onevol-vm-4-0", SIZE)
    migrates_live(lab, "onevol-vm-4-0")
    do(lab, "remove", "onevol-vm-4-0", host="kvm2")


def a_live_migration_has_it_on_both(lab):
    do(lab, "attach", "onevol-vm-1-0", "dual", host="kvm1")
    check(tags(lab, "onevol-vm-1-0", "at") == ["kvm1", "kvm2"])
    write(lab, "kvm2", "onevol-vm-1-0", "two")
    check(read(lab, "kvm1", "onevol-vm-1-0", 3) == "two")
    do(lab, "resize", "onevol-vm-1-0", 2 * SIZE, host="kvm2")
    for name in ("kvm1", "kvm2"):
        size = lab.on(name, f"blockdev --getsize64 /dev/{GROUP}/onevol-vm-1-0").strip()
        check(size == str(2 * SIZE), name, "knows the new size", size)
    do(lab, "detach", "onevol-vm-1-0", "dual", host="kvm2")
    check(tags(lab, "onevol-vm-1-0", "at") == ["kvm1"])
    check("onevol-vm-1-0" not in active(lab, "kvm2"))
    do(lab, "remove", "onevol-vm-1-0", host="kvm2")
    check("onevol-vm-1-0" not in active(lab, "kvm1") and list(volumes(lab)) == ["onevol-vm-10-0"])


def what_one_host_only_can_have_is_not_migrated_live(lab):
    do(lab, "create", "onevol-vm-2-0", SIZE, mode="SNAPSHOT")
    do(lab, "snapshot", "onevol-vm-2-0", 0, mode="SNAPSHOT")
    refused(lab, "has snapshots", "attach", "onevol-vm-2-0", "dual", mode="SNAPSHOT", host="kvm2")
    do(lab, "create", "onevol-vm-3-0", SIZE, mode="THIN")
    refused(lab, "is thin", "attach", "onevol-vm-3-0", "dual", mode="THIN", host="kvm2")
    do(lab, "attach", "onevol-vm-3-0", mode="THIN", host="kvm2")
    check("onevol-vm-3-0" not in active(lab, "kvm1"), "cold it moves, pool and all")
    for name, mode in (("onevol-vm-2-0", "SNAPSHOT"), ("onevol-vm-3-0", "THIN"), ("onevol-vm-10-0", "THICK")):
        do(lab, "remove", name, mode=mode)
    check(volumes(lab) == {}, volumes(lab))


def others_volumes_are_never_touched(lab):
    do(lab, "create", "onevol-vm-1-0", SIZE, LVM_INSTANCE="other")
    lab.on("kvm1", f"lvcreate -y -L 4M -n backup {GROUP}")
    for words in (("remove", "onevol-vm-1-0"), ("attach", "onevol-vm-1-0"), ("create", "onevol-vm-1-0", SIZE),
                  ("resize", "onevol-vm-1-0", 2 * SIZE)):
        refused(lab, "belongs to the OpenNebula 'other'", *words)
    check(do(lab, "list") == "ok", "they are not ours")
    do(lab, "remove", "onevol-vm-1-0", LVM_INSTANCE="other")
    lab.on("kvm1", f"lvremove -y {GROUP}/backup")


def a_full_or_missing_group_is_told(lab):
    refused(lab, "insufficient free space", "create", "onevol-vm-1-0", 1 << 40)
    refused(lab, "hold raw content", "create", "onevol-image-1-00000000", SIZE, "qcow2")
    check(ask(lab, "create", "onevol-vm-1-0", SIZE, VG_NAME="vg-none").startswith("error"))
    do(lab, "create", "onevol-vm-1-0", SIZE)
    refused(lab, "insufficient free space", "resize", "onevol-vm-1-0", 1 << 40)
    do(lab, "resize", "onevol-vm-1-0", 2 * SIZE)
    do(lab, "detach", "onevol-vm-1-0")
    do(lab, "resize", "onevol-vm-1-0", 3 * SIZE)
    check(tags(lab, "onevol-vm-1-0", "at") == [] and active(lab, "kvm1") == [], "nobody has it afterwards either")
    do(lab, "remove", "onevol-vm-1-0")


def an_untagged_volume_in_the_way_is_refused(lab):
    """fs_lvm and others name volumes as we do."""
    lab.on("kvm1", f"lvcreate -qq -y -an -Zn -L 16M -n onevol-vm-5-0 {GROUP}; "
                   f"lvcreate -qq -y -an -Zn -L 16M -n lv-one-5-0 {GROUP}; "
                   f"lvcreate -qq -y -an -T -L 16M -n onevol-vm-6-0.pool {GROUP}")
    do(lab, "create", "onevol-vm-1-0", SIZE)
    refused(lab, f"lvremove {GROUP}/onevol-vm-5-0", "create", "onevol-vm-5-0", SIZE)
    refused(lab, "no tag that says whose it is", "clone", "onevol-vm-1-0", "onevol-vm-5-0")
    refused(lab, "no tag that says whose it is", "create", "lv-one-5-0", SIZE, driver="gfs2clvm")
    refused(lab, f"lvremove {GROUP}/onevol-vm-6-0.pool", "create", "onevol-vm-6-0", SIZE, mode="THIN")
    do(lab, "remove", "onevol-vm-6-0", mode="THIN")
    check("onevol-vm-6-0.pool" in volumes(lab), "no record names a pool")
    do(lab, "remove", "onevol-vm-5-0")
    check("onevol-vm-5-0" not in volumes(lab), "oned's records name it")
    lab.on("kvm1", f"lvcreate -qq -y -s -L 4M -n backup {GROUP}/onevol-vm-1-0")
    refused(lab, "'backup'", "remove", "onevol-vm-1-0")
    lab.on("kvm1", f"lvremove -qq -y {GROUP}/backup {GROUP}/lv-one-5-0 {GROUP}/onevol-vm-6-0.pool")
    do(lab, "remove", "onevol-vm-1-0")
    check(volumes(lab) == {}, volumes(lab))


def two_actions_at_once_do_not_both_get_it(lab):
    name = "onevol-vm-1-0"
    do(lab, "create", name, SIZE)
    for _ in range(5):
        do(lab, "detach", name, host=tags(lab, name, "at")[0])
        at_once(lab, *[(("attach", name), host) for host in ("kvm1", "kvm2", "kvm1", "kvm2")])
        have = [host for host in ("kvm1", "kvm2") if name in active(lab, host)]
        check(len(have) == 1 and tags(lab, name, "at") == have, have, tags(lab, name, "at"))
    do(lab, "remove", name)


def a_snapshot_that_ran_full_is_told(lab):
    name, some = "onevol-vm-6-0", {"mode": "SNAPSHOT", "SNAPSHOT_PERCENT": 25}
    lab.allow_reverts()
    do(lab, "create", name, SIZE, **some)
    do(lab, "snapshot", name, 0, **some)
    lab.on("kvm1", f"dd if=/dev/urandom of=/dev/{GROUP}/{name} bs=1M count={SIZE >> 20} oflag=direct status=none")
    before = lab.on("kvm1", f"sha1sum /dev/{GROUP}/{name}")
    do(lab, "snapshot", name, 1, **some)  # a younger one is no less there after a refusal
    refused(lab, "ran full", "revert", name, 0, **some)
    refused(lab, "ran full", "flatten", name, 0, **some)
    check(lab.on("kvm1", f"sha1sum /dev/{GROUP}/{name}") == before)
    do(lab, "detach", name, **some)
    refused(lab, "ran full", "flatten", name, 0, **some)
    for number in (0, 1):
        do(lab, "unsnapshot", name, number, **some)
    do(lab, "remove", name, **some)


def nobody_waits_for_anothers_revert(lab):
    name, other = "onevol-vm-6-0", "onevol-vm-7-0"
    throttle = "/sys/module/dm_snapshot/parameters/snapshot_copy_throttle"
    lab.allow_reverts()
    do(lab, "create", name, SIZE, mode="SNAPSHOT", host="kvm2")
    write(lab, "kvm2", name, "one")
    do(lab, "snapshot", name, 0, mode="SNAPSHOT", host="kvm2")
    lab.on("kvm2", f"dd if=/dev/urandom of=/dev/{GROUP}/{name} bs=1M count={SIZE >> 20} oflag=direct status=none")
    lab.on("kvm2", f"echo 1 > {throttle}")
    reverting = start(lab, "revert", name, 0, mode="SNAPSHOT", host="kvm2")

    def merging():
        return lab.on("kvm1", f"lvs --noheadings -o lv_attr {GROUP}/{name}").strip().startswith("O")
    eventually(lambda: merging() or reverting.poll() is not None, "the merge begins", 120)
    check(reverting.poll() is None, reverting.returncode, reverting.poll() is not None and reverting.communicate())
    do(lab, "create", other, SIZE)
    do(lab, "remove", other)
    check(reverting.poll() is None and merging(), "it takes longer than that")
    lab.on("kvm2", f"echo 100 > {throttle}")
    said = reverting.communicate(timeout=300)[0]
    check(said.startswith("ok") and not merging() and read(lab, "kvm2", name, 3) == "one", said)
    do(lab, "remove", name, mode="SNAPSHOT", host="kvm2")


def a_reader_that_is_down_hinders_nobody(lab):
    name = "onevol-image-1-00000000"
    do(lab, "create", name, SIZE)
    do(lab, "attach", name, "read", host="kvm2")
    check(tags(lab, name, "on") == ["kvm2"])
    lab.kill("kvm2")
    do(lab, "attach", name)
    check(tags(lab, name, "on") == [] and tags(lab, name, "at") == ["kvm1"])
    lab.boot("kvm2")
    # one that only did not answer has a device of before, which no tag tells of
    do(lab, "attach", name, "read", host="kvm2")
    lab.on("kvm1", f"lvchange --deltag onevol.on=kvm2 {GROUP}/{name}")
    do(lab, "resize", name, 2 * SIZE)
    do(lab, "attach", name, "read", host="kvm2")
    size = lab.on("kvm2", f"blockdev --getsize64 /dev/{GROUP}/{name}").strip()
    check(size == str(2 * SIZE), "the volume as it is now", size)
    do(lab, "remove", name)
    check(name not in active(lab, "kvm1") + active(lab, "kvm2"))


def a_thin_volume_goes_whole_or_not_at_all(lab):
    name = "onevol-vm-3-0"
    do(lab, "create", name, SIZE, mode="THIN")
    do(lab, "snapshot", name, 0, mode="THIN")
    lab.on("kvm1", f"lvchange -ay -K {GROUP}/{name}.snap.0")
    with Opened(lab, "kvm1", name + ".snap.0"):
        refused(lab, BUSY, "attach", name, host="kvm2", mode="THIN")
    do(lab, "attach", name, host="kvm2", mode="THIN")
    check("3--0" not in lab.on("kvm1", "dmsetup ls"), "its pool has gone, too")
    do(lab, "remove", name, host="kvm2", mode="THIN")
    check("3--0" not in lab.on("kvm2", "dmsetup ls"))


def a_thin_pool_that_is_full_hurts_its_own_volume_only(lab):
    narrow = {"mode": "THIN", "POOL_PERCENT": "25"}
    fill = f"dd if=/dev/urandom of=/dev/{GROUP}/{{}} bs=1M count={{}} oflag=direct status=none"
    do(lab, "create", "onevol-vm-4-0", 4 * SIZE, **narrow)
    do(lab, "create", "onevol-vm-5-0", SIZE, mode="THIN")
    lab.on("kvm1", fill.format("onevol-vm-4-0", 14))
    process = start(lab, "space", stderr=subprocess.PIPE, **narrow)
    said = process.communicate(timeout=300)[1]
    check(re.search(r"pool '.*onevol-vm-4-0.pool' is 8\d% full", said), "told before it is", said)
    full = lab.ssh("kvm1", fill.format("onevol-vm-4-0", 20))
    check(full.returncode != 0 and "No space left" in full.stderr, full)
    lab.on("kvm1", fill.format("onevol-vm-5-0", SIZE >> 20))
    content = lab.hosts.path("content")
    with open(content, "wb") as out:
        out.write(os.urandom(4 * SIZE))
    before = volumes(lab)
    said = ask(lab, "fill", "onevol-vm-6-0", content, 4 * SIZE, **narrow)
    check(said.startswith("error") and "No space left" in said, said)
    check(volumes(lab) == before, "nothing is left of it", volumes(lab))
    for name in ("onevol-vm-4-0", "onevol-vm-5-0"):
        do(lab, "remove", name, mode="THIN")


def killed_at_any_step_it_is_done_again_on_another_host(lab):
    name, step, said = "onevol-vm-7-0", 0, ""
    while not said.startswith("ok"):
        step += 1
        said = ask(lab, "create", name, SIZE, host="kvm2", mode="THIN", fault=f"kill-after:{step}")
        do(lab, "create", name, SIZE, mode="THIN")
        check("7--0" not in lab.on("kvm2", "dmsetup ls"), "step", step, "no device stays")
        do(lab, "remove", name, mode="THIN")
    check(step > 5 and volumes(lab) == {}, step, volumes(lab))
    print(f"# {step - 1} steps")


def a_predecessors_clones_share_their_origin(lab):
    """gfs2clvm's second generation: COW snapshots of the image, one for each VM."""
    lab.on("kvm1", f"lvcreate -qq -y -L 16M -n lv-one-12 {GROUP} && "
                   f"lvcreate -qq -y -s -L 16M -n lv-one-12-7-0 {GROUP}/lv-one-12 && "
                   f"lvcreate -qq -y -s -L 16M -n lv-one-12-8-0 {GROUP}/lv-one-12")
    old = {"driver": "gfs2clvm"}
    with Opened(lab, "kvm1", "lv-one-12-8-0"):
        do(lab, "attach", "lv-one-12-7-0", **old)
        refused(lab, "is a copy-on-write clone", "attach", "lv-one-12-7-0", "dual", host="kvm2", **old)
        refused(lab, "as 'lv-one-12-8-0' is", "attach", "lv-one-12-7-0", host="kvm2", **old)
        do(lab, "detach", "lv-one-12-7-0", **old)
        do(lab, "remove", "lv-one-12-7-0", **old)
        check(active(lab, "kvm1") == ["lv-one-12", "lv-one-12-8-0"], active(lab, "kvm1"))
    refused(lab, "lv-one-12-8-0", "remove", "lv-one-12", **old)
    do(lab, "attach", "lv-one-12-8-0", **old)
    do(lab, "attach", "lv-one-12-8-0", host="kvm2", **old)
    check(active(lab, "kvm1") == [], active(lab, "kvm1"))
    do(lab, "remove", "lv-one-12-8-0", host="kvm2", **old)
    do(lab, "remove", "lv-one-12", host="kvm2", **old)
    check(volumes(lab) == {} and active(lab, "kvm2") == [], volumes(lab))


def a_power_cut_while_volumes_are_made(lab):
    """Of the host that changes the group."""
    names = [f"onevol-vm-{number}-0" for number in range(100, 110)]
    said = {}
    with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        running = {pool.submit(ask, lab, "create", name, 4 << 20, host="kvm2"): name for name in names}
        for future in concurrent.futures.as_completed(running):
            said[running[future]] = future.result()
            if len(said) == 2:
                lab.kill("kvm1")
    made = [name for name in names if said[name] == "ok"]
    check(2 <= len(made) < len(names), said)
    lab.boot("kvm1")
    lab.on("kvm1", f"vgck {GROUP}")
    check(all(name in volumes(lab) and tags(lab, name, "token") == [] for name in made), said)
    for name in names:
        if name not in made:
            do(lab, "create", name, 4 << 20, host="kvm2")
    check(sorted(volumes(lab)) == sorted(names), volumes(lab))
    check(all("ok" == text for text in at_once(lab, *[(("remove", name), "kvm2") for name in names])))


def a_power_cut_in_a_copy_leaves_nothing_behind(lab):
    """The host that is written to goes down; done again, it is as if nothing had been."""
    content = lab.hosts.path("content")
    with open(content, "wb") as out:
        out.write(os.urandom(SIZE * 4))
    process = start(lab, "fill", "onevol-vm-1-0", content, SIZE * 4, host="kvm2")
    eventually(lambda: "onevol-vm-1-0" in volumes(lab), "it is being made")
    lab.kill("kvm2")
    said = process.communicate(timeout=300)[0]
    check(said.startswith("error"), said)
    check(do(lab, "stat", "onevol-vm-1-0") == "ok", "what is not complete is not there")
    lab.boot("kvm2")
    do(lab, "fill", "onevol-vm-1-0", content, SIZE * 4, host="kvm2")
    check(list(volumes(lab)) == ["onevol-vm-1-0"], volumes(lab))
    digest = subprocess.run(["sha1sum", content], capture_output=True, text=True).stdout.split()[0]
    check(lab.on("kvm2", f"sha1sum < /dev/{GROUP}/onevol-vm-1-0").split()[0] == digest)


def a_host_that_does_not_answer_may_still_write(lab):
    """And one that was booted has its volumes again."""
    check(tags(lab, "onevol-vm-1-0", "at") == ["kvm2"])
    lab.kill("kvm2")
    refused(lab, "may still write", "attach", "onevol-vm-1-0")
    refused(lab, "may still write", "remove", "onevol-vm-1-0")
    lab.boot("kvm2")
    check(active(lab, "kvm2") == [])
    check("onevol-vm-1-0" in do(lab, "reattach", host="kvm2"))
    check(active(lab, "kvm2") == ["onevol-vm-1-0"])
    check(do(lab, "reattach", host="kvm2") == "ok", "nothing lacks")
    lab.on("kvm2", f"lvchange -an {GROUP}/onevol-vm-1-0")
    lab.start_activation_unit("kvm2")
    check(active(lab, "kvm2") == ["onevol-vm-1-0"], "the host can do it by itself")
    lab.kill("kvm2")
    do(lab, "attach", "onevol-vm-1-0", DEAD_HOST="FENCED")
    check(tags(lab, "onevol-vm-1-0", "at") == ["kvm1"])
    lab.boot("kvm2")
    check(do(lab, "reattach", host="kvm2") == "ok", "it is another's by now")
    lab.start_activation_unit("kvm2")
    check(active(lab, "kvm2") == [])
    do(lab, "remove", "onevol-vm-1-0")


def without_the_bridge_nothing_is_changed(lab):
    do(lab, "create", "onevol-vm-1-0", SIZE, host="kvm2")
    lab.kill("kvm1")
    refused(lab, "kvm1", "create", "onevol-vm-2-0", SIZE, host="kvm2")
    refused(lab, "kvm1", "remove", "onevol-vm-1-0", host="kvm2")
    lab.boot("kvm1")
    do(lab, "remove", "onevol-vm-1-0", host="kvm2")


# --- lvmlockd with dlm ----------------------------------------------------------------------


def under_dlm_each_host_changes_the_group(lab):
    lab.renew(lockd=True)
    lockd.start_dlm(lab)
    lab.on("kvm1", f"vgcreate --shared {GROUP} /dev/vda")
    lockd.join(lab, "kvm2", GROUP)
    for name in ("kvm1", "kvm2"):
        do(lab, "list", host=name)
    names = [f"onevol-vm-{number}-0" for number in range(100, 115)]
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        said = list(pool.map(lambda i: ask(lab, "create", names[i], 4 << 20, host=f"kvm{i % 2 + 1}"),
                             range(len(names))))
    times.add("dlm: 15 volumes made from two hosts at once", time.monotonic() - began)
    check(all(text == "ok" for text in said), said)
    check(set(names) <= set(volumes(lab)), volumes(lab))
    for name in names[1:]:
        do(lab, "remove", name, host=tags(lab, name, "at")[0])


def under_dlm_fifteen_vms_are_deployed_at_once(lab):
    deploy_fifteen(lab, "dlm: ")


def under_dlm_one_host_writes_at_a_time(lab):
    name = "onevol-vm-100-0"
    write(lab, "kvm1", name, "one")
    with Opened(lab, "kvm1", name):
        refused(lab, BUSY, "attach", name, host="kvm2")
    do(lab, "attach", name, host="kvm2")
    check(name not in active(lab, "kvm1") and read(lab, "kvm2", name, 3) == "one")
    shared = {"LVM_ACTIVATION": "SHARED"}
    do(lab, "attach", name, host="kvm1", **shared)
    do(lab, "attach", name, "dual", host="kvm2", **shared)
    check(name in active(lab, "kvm1") and name in active(lab, "kvm2"))
    do(lab, "detach", name, "dual", host="kvm1", **shared)
    do(lab, "create", "onevol-vm-3-0", SIZE, mode="THIN")
    refused(lab, "is thin", "attach", "onevol-vm-3-0", "dual", mode="THIN", host="kvm2")
    do(lab, "create", "onevol-vm-2-0", SIZE, mode="SNAPSHOT")
    do(lab, "snapshot", "onevol-vm-2-0", 0, mode="SNAPSHOT")
    refused(lab, "has snapshots", "attach", "onevol-vm-2-0", "dual", mode="SNAPSHOT", host="kvm2", **shared)


def under_dlm_a_live_migration_needs_shared_activation(lab):
    do(lab, "create", "onevol-vm-4-0", SIZE)
    refused(lab, "LVM_ACTIVATION=SHARED", "attach", "onevol-vm-4-0", "dual", host="kvm2")
    do(lab, "detach", "onevol-vm-4-0")
    do(lab, "attach", "onevol-vm-4-0", LVM_ACTIVATION="SHARED")
    with Opened(lab, "kvm1", "onevol-vm-4-0"):
        do(lab, "resize", "onevol-vm-4-0", 2 * SIZE, LVM_ACTIVATION="SHARED")
    check(lab.on("kvm1", f"blockdev --getsize64 /dev/{GROUP}/onevol-vm-4-0").strip() == str(2 * SIZE))
    migrates_live(lab, "onevol-vm-4-0", LVM_ACTIVATION="SHARED")
    check(lab.on("kvm2", f"blockdev --getsize64 /dev/{GROUP}/onevol-vm-4-0").strip() == str(2 * SIZE))
    do(lab, "remove", "onevol-vm-4-0", host="kvm2")


def under_dlm_a_booted_host_has_what_it_had(lab):
    """Who reads keeps no reader out, who writes can be migrated live if that was so before."""
    read_only, written, thin = names = ["onevol-vm-6-0", "onevol-vm-7-0", "onevol-vm-8-0"]
    shared = {"LVM_ACTIVATION": "SHARED"}
    for name in names:
        do(lab, "create", name, SIZE, mode="THIN" if name == thin else "THICK")
        do(lab, "detach", name)
    ways = {"the front-end": lambda writers, **mode: do(lab, "reattach", host="kvm2", **mode),
            "the unit": lambda writers, **mode: lab.start_activation_unit("kvm2", writers)}
    for way, boot in ways.items():
        for writers, mode in (("y", {}), ("sy", shared)):
            do(lab, "attach", read_only, "read", host="kvm2")
            do(lab, "attach", thin, "read", host="kvm2", mode="THIN")
            do(lab, "attach", written, host="kvm2", **mode)
            lab.on("kvm2", f"lvchange -an {GROUP}")
            check(active(lab, "kvm2") == [], active(lab, "kvm2"))
            boot(writers, **mode)
            check(sorted(active(lab, "kvm2")) == names, way, active(lab, "kvm2"))
            do(lab, "attach", read_only, "read", host="kvm1")
            do(lab, "detach", read_only, "read", host="kvm1")
            if mode:
                migrates_live(lab, written, source="kvm2", target="kvm1", **mode)
                do(lab, "detach", written, host="kvm1")
            else:
                said = lab.on("kvm1", f"lvchange -asy {GROUP}/{written} 2>&1", check=False)
                check("locked by other host" in said and written not in active(lab, "kvm1"), way, said)
                do(lab, "detach", written, host="kvm2")
            do(lab, "detach", read_only, "read", host="kvm2")
            do(lab, "detach", thin, "read", host="kvm2", mode="THIN")
    for name in names:
        do(lab, "remove", name, mode="THIN" if name == thin else "THICK")


def under_dlm_a_locked_group_is_waited_for_and_told(lab):
    """lvmlockd of one host stands still: that one's commands wait, and end with a clear text."""
    lab.on("kvm2", "kill -STOP $(pidof lvmlockd)")
    try:
        waiting = start(lab, "create", "onevol-vm-4-0", SIZE, host="kvm2")
        do(lab, "create", "onevol-vm-5-0", SIZE, host="kvm1")
        said = waiting.communicate(timeout=300)[0]
        check(said.startswith("error") and "did not end within" in said and "kvm2" in said, said)
    finally:
        lab.on("kvm2", "kill -CONT $(pidof lvmlockd)")
    do(lab, "create", "onevol-vm-4-0", SIZE, host="kvm2")
    for name, host in (("onevol-vm-4-0", "kvm2"), ("onevol-vm-5-0", "kvm1")):
        do(lab, "remove", name, host=host)


def under_dlm_a_killed_hosts_volume_is_free(lab):
    name = "onevol-vm-100-0"
    check(tags(lab, name, "at") == ["kvm2"])
    lab.kill("kvm2")
    shared = {"LVM_ACTIVATION": "SHARED"}  # another could have it too: an exclusive lock is asked for first
    eventually(lambda: ask(lab, "attach", name, **shared).startswith("ok"), "dlm knows it dead", 120)
    check(tags(lab, name, "at") == ["kvm1"] and read(lab, "kvm1", name, 3) == "one")


# --- lvmlockd with sanlock ------------------------------------------------------------------


def under_sanlock_each_host_changes_the_group(lab):
    lab.renew(lockd=True)
    lockd.start_sanlock(lab)
    lab.on("kvm1", f"vgcreate --shared {GROUP} /dev/vda", limit=240)
    lockd.join(lab, "kvm2", GROUP)
    for name in ("kvm1", "kvm2"):
        do(lab, "list", host=name)
    names = [f"onevol-vm-{number}-0" for number in range(100, 106)]
    said = times.take("sanlock: 6 volumes made from two hosts at once", lambda: at_once(
        lab, *[(("create", name, 4 << 20), f"kvm{i % 2 + 1}") for i, name in enumerate(names)]))
    check(all(text == "ok" for text in said), said)
    check(set(names) <= set(volumes(lab)), volumes(lab))
    for name in names[1:]:
        do(lab, "remove", name, host=tags(lab, name, "at")[0])


def under_sanlock_one_host_writes_at_a_time(lab):
    name = "onevol-vm-100-0"
    write(lab, "kvm1", name, "one")
    with Opened(lab, "kvm1", name):
        refused(lab, BUSY, "attach", name, host="kvm2")
    do(lab, "attach", name, host="kvm2")
    check(name not in active(lab, "kvm1") and read(lab, "kvm2", name, 3) == "one")
    do(lab, "detach", name, host="kvm2")
    do(lab, "attach", name, host="kvm2", LVM_ACTIVATION="SHARED")
    with Opened(lab, "kvm2", name):
        do(lab, "resize", name, 8 << 20, host="kvm2", LVM_ACTIVATION="SHARED")
    check(lab.on("kvm2", f"blockdev --getsize64 /dev/{GROUP}/{name}").strip() == str(8 << 20))
    do(lab, "detach", name, host="kvm2", LVM_ACTIVATION="SHARED")
    do(lab, "attach", name, host="kvm2")


def under_sanlock_a_killed_hosts_volume_is_free(lab):
    name = "onevol-vm-100-0"
    check(tags(lab, name, "at") == ["kvm2"])
    lab.kill("kvm2")
    refused(lab, "cannot activate", "attach", name)
    eventually(lambda: ask(lab, "attach", name).startswith("ok"), "its lease runs out", 240)
    check(tags(lab, name, "at") == ["kvm1"] and read(lab, "kvm1", name, 3) == "one")


CASES = [a_group_without_lvmlockd, volumes_made_on_both_hosts_at_once_are_all_there,
         fifteen_vms_are_deployed_at_once, its_commands_are_those_of_the_table, one_host_writes_at_a_time,
         a_live_migration_has_it_on_both, a_counting_guest_is_migrated_live,
         what_one_host_only_can_have_is_not_migrated_live,
         others_volumes_are_never_touched, a_full_or_missing_group_is_told,
         an_untagged_volume_in_the_way_is_refused, two_actions_at_once_do_not_both_get_it,
         a_snapshot_that_ran_full_is_told, nobody_waits_for_anothers_revert,
         a_reader_that_is_down_hinders_nobody, a_thin_volume_goes_whole_or_not_at_all,
         a_thin_pool_that_is_full_hurts_its_own_volume_only,
         killed_at_any_step_it_is_done_again_on_another_host,
         a_predecessors_clones_share_their_origin, a_power_cut_while_volumes_are_made,
         a_power_cut_in_a_copy_leaves_nothing_behind, a_host_that_does_not_answer_may_still_write,
         without_the_bridge_nothing_is_changed, under_dlm_each_host_changes_the_group,
         under_dlm_fifteen_vms_are_deployed_at_once,
         under_dlm_one_host_writes_at_a_time, under_dlm_a_live_migration_needs_shared_activation,
         under_dlm_a_booted_host_has_what_it_had,
         under_dlm_a_locked_group_is_waited_for_and_told, under_dlm_a_killed_hosts_volume_is_free,
         under_sanlock_each_host_changes_the_group, under_sanlock_one_host_writes_at_a_time,
         under_sanlock_a_killed_hosts_volume_is_free]

if __name__ == "__main__":
    BUILD = case.build_directory(TOOL)
    STATUS = case.run(CASES, lambda: guest.Lab(BUILD, ["kvm1", "kvm2"]), BUILD,
                      ("lvm", "thin_check", "sudo", "lvmlockd", "corosync", "dlm_controld", "sanlock"),
                      sys.argv[2:])
    times.print()
    sys.exit(STATUS)
