#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two guests on one SAN: lvmlockd with dlm and GFS2, lvmlockd with sanlock, and no lock at all.

cluster.py HOSTTOOL [CASE...]; TAP. These are facts of LVM, which the lvm backend is built on and
the lab must show: one that fails here tells that LVM, or the lab, is not what we think it is.
"""
import json
import os
import sys
import time

sys.dont_write_bytecode = True
import case  # noqa: E402
import guest  # noqa: E402
import lockd  # noqa: E402
from case import check, eventually  # noqa: E402

GROUP = "vg-one-100"
HELD = ("LV locked by other host", "already locked")
times = case.Times()


def refused(lab, name, command, *texts):
    done = lab.ssh(name, command)
    check(done.returncode == 5 and any(t in done.stdout + done.stderr for t in texts), command, done)


def volumes(lab, name):
    text = lab.on(name, f"lvs --reportformat json -o lv_name,lv_size --units b --nosuffix {GROUP}")
    return {lv["lv_name"]: int(lv["lv_size"]) for lv in json.loads(text)["report"][0]["lv"]}


def size(lab, name, volume):
    return int(lab.on(name, f"blockdev --getsize64 /dev/{GROUP}/{volume}"))


def write(lab, name, volume, text):
    lab.on(name, f"printf '%s' {text} | dd of=/dev/{GROUP}/{volume} bs=4k conv=notrunc,fsync status=none")


def read(lab, name, volume, count):
    return lab.on(name, f"dd if=/dev/{GROUP}/{volume} iflag=direct bs=4k count=1 status=none"
                        f" | head -c {count}")


def at_once(lab, count):
    """Both hosts create volumes at the same time: (returned 0, there)."""
    # the prefix is the host's own
    lab.everywhere(f"for i in $(seq {count}); do "
                   f"lvcreate -qq -y -an -Zn -Wn -L 4M -n at-$(hostname)-$i {GROUP} || exit 1; done")
    there = [name for name in volumes(lab, "kvm2") if name.startswith("at-")]
    return 2 * count, len(there)


# --- dlm ------------------------------------------------------------------------------------


def dlm_comes_up(lab):
    began = time.monotonic()
    lab.renew(lockd=True)
    times.add("two guests up", time.monotonic() - began)
    times.take("dlm: corosync, dlm, lvmlockd on both", lambda: lockd.start_dlm(lab))
    times.take("dlm: vgcreate --shared", lambda: lab.on("kvm1", f"vgcreate --shared {GROUP} /dev/vda"))
    times.take("dlm: lock-start on the other", lambda: lockd.join(lab, "kvm2", GROUP))


def gfs2_is_one_file_system_on_both(lab):
    began = time.monotonic()
    lab.on("kvm1", f"lvcreate -y -asy -L 512M -n small {GROUP} && "
                   f"mkfs.gfs2 -q -O -p lock_dlm -t {lockd.CLUSTER}:small -j 2 -J 8 /dev/{GROUP}/small")
    lab.on("kvm2", f"lvchange -asy {GROUP}/small")
    lab.everywhere(f"mkdir -p /mnt/small && mount -t gfs2 /dev/{GROUP}/small /mnt/small")
    times.add("dlm: GFS2 made and mounted on both", time.monotonic() - began)
    lab.on("kvm1", "mkdir /mnt/small/7; echo one > /mnt/small/7/deployment.0")
    check(lab.on("kvm2", "cat /mnt/small/7/deployment.0") == "one\n")
    lab.on("kvm2", "echo two > /mnt/small/7/new; mv /mnt/small/7/new /mnt/small/7/deployment.0")
    check(lab.on("kvm1", "cat /mnt/small/7/deployment.0; ls /mnt/small/7") == "two\ndeployment.0\n")
    lab.on("kvm1", "ln -s /dev/x /mnt/small/7/disk.0")
    check(lab.on("kvm2", "readlink /mnt/small/7/disk.0") == "/dev/x\n")
    lab.on("kvm1", "setsid flock /mnt/small/lock sleep 5 >/dev/null 2>&1 </dev/null &")
    eventually(lambda: lab.ssh("kvm2", "flock -n /mnt/small/lock true").returncode == 1,
               "flock holds across hosts", 4)


def an_exclusive_volume_is_refused_on_the_other_host(lab):
    lab.on("kvm1", f"lvcreate -y -aey -L 64M -n one {GROUP}")
    write(lab, "kvm1", "one", "written-by-kvm1")
    for how in ("-aey", "-asy", "-ay"):
        refused(lab, "kvm2", f"lvchange {how} {GROUP}/one", *HELD)
    refused(lab, "kvm2", f"lvremove -y {GROUP}/one", *HELD)
    check(lab.ssh("kvm2", f"test -e /dev/{GROUP}/one").returncode == 1)
    lab.on("kvm1", f"lvchange -an {GROUP}/one")
    times.take("dlm: lvchange -aey", lambda: lab.on("kvm2", f"lvchange -aey {GROUP}/one"))
    check(read(lab, "kvm2", "one", 15) == "written-by-kvm1")
    lab.on("kvm2", f"lvchange -an {GROUP}/one")


def a_shared_volume_is_on_both(lab):
    lab.everywhere(f"lvchange -asy {GROUP}/one")
    write(lab, "kvm1", "one", "written-by-kvm1")
    check(read(lab, "kvm2", "one", 15) == "written-by-kvm1")
    write(lab, "kvm2", "one", "written-by-kvm2")
    check(read(lab, "kvm1", "one", 15) == "written-by-kvm2")
    refused(lab, "kvm1", f"lvchange -aey {GROUP}/one", *HELD)
    lab.on("kvm1", f"lvextend -L +64M {GROUP}/one")
    check(size(lab, "kvm1", "one") == 128 << 20)
    if size(lab, "kvm2", "one") != 128 << 20:
        print("# dlm: after lvextend the other host has the old size until --refresh")
    lab.on("kvm2", f"lvchange --refresh {GROUP}/one")
    check(size(lab, "kvm2", "one") == 128 << 20)
    lab.everywhere(f"lvchange -an {GROUP}/one")


def what_cannot_be_active_twice(lab):
    """COW-snapshotted and thin volumes: a live migration must refuse them before anything changes."""
    lab.on("kvm1", f"lvchange -aey {GROUP}/one && lvcreate -y -s -L 16M -n one-snap {GROUP}/one")
    refused(lab, "kvm2", f"lvchange -asy {GROUP}/one", *HELD)
    lab.on("kvm1", f"lvchange -an {GROUP}/one")
    if lab.ssh("kvm1", f"lvchange -asy {GROUP}/one").returncode == 0:
        # LVM 2.03.16: each host's kernel then keeps a table of its own over the same blocks
        lab.on("kvm2", f"lvchange -asy {GROUP}/one; test -e /dev/{GROUP}/one-snap")
        print("# lvmlockd lets two hosts have a volume with COW snapshots: the driver must not")
        lab.everywhere(f"lvchange -an {GROUP}/one")
    lab.on("kvm1", f"lvremove -y {GROUP}/one-snap")
    lab.on("kvm1", f"lvcreate -y -L 64M -T {GROUP}/pool && lvcreate -y -V 64M -T {GROUP}/pool -n thin")
    refused(lab, "kvm2", f"lvchange -aey {GROUP}/thin", *HELD)
    lab.on("kvm1", f"lvchange -an {GROUP}/thin {GROUP}/pool")
    shared = lab.ssh("kvm1", f"lvchange -asy {GROUP}/thin")
    check(shared.returncode == 5 and "not compatible" in shared.stderr, shared)
    lab.on("kvm2", f"lvchange -aey {GROUP}/thin && lvchange -an {GROUP}/thin {GROUP}/pool && "
                   f"lvremove -y {GROUP}/pool")


def lvcreate_on_both_at_once(lab):
    made, there = times.take("dlm: 8 + 8 lvcreate at once", lambda: at_once(lab, 8))
    check(made == there == 16, made, there)


def a_group_that_is_locked(lab):
    """Somebody's command holds the group: others wait or say so, and work afterwards."""
    lab.on("kvm1", "kill -STOP $(pidof lvmlockd)")
    try:
        began = time.monotonic()
        done = lab.ssh("kvm1", f"timeout 5 lvcreate -y -an -L 4M -n waits {GROUP}")
        check(done.returncode == 124 and time.monotonic() - began > 4, done)
        lab.on("kvm2", f"lvcreate -y -an -L 4M -n meanwhile {GROUP}")  # the lock is not held by kvm1
    finally:
        lab.on("kvm1", "kill -CONT $(pidof lvmlockd)")
    lab.on("kvm1", f"lvs {GROUP}; lvcreate -y -an -L 4M -n afterwards {GROUP}")
    there = volumes(lab, "kvm2")
    check("meanwhile" in there and "afterwards" in there, there)


def a_killed_host_loses_its_locks(lab):
    lab.on("kvm1", f"lvchange -aey {GROUP}/one; sync; echo 3 > /mnt/small/of-kvm1; sync")
    write(lab, "kvm1", "one", "last-words")
    refused(lab, "kvm2", f"lvchange -aey {GROUP}/one", *HELD)
    lab.kill("kvm1")
    began = time.monotonic()
    eventually(lambda: lab.ssh("kvm2", f"lvchange -aey {GROUP}/one").returncode == 0,
               "the other host gets the volume", 90)
    times.add("dlm: a dead host's volume is free", time.monotonic() - began)
    check(time.monotonic() - began > lockd.TOKEN_MS / 1000 / 2, "not before the host is known dead")
    check(read(lab, "kvm2", "one", 10) == "last-words")
    check(lab.on("kvm2", "cat /mnt/small/of-kvm1; echo x > /mnt/small/x; cat /mnt/small/x") == "3\nx\n")
    times.add("dlm: GFS2 goes on", time.monotonic() - began)


def it_comes_back(lab):
    began = time.monotonic()
    lab.boot("kvm1")
    lockd.start_dlm(lab, ["kvm1"])
    lockd.join(lab, "kvm1", GROUP)
    times.add("dlm: a host is back after a power cut", time.monotonic() - began)
    check(lab.on("kvm1", "lvs --noheadings -o lv_active " + GROUP).split() == [], "nothing is active")
    refused(lab, "kvm1", f"lvchange -aey {GROUP}/one", *HELD)
    lab.on("kvm2", f"lvchange -an {GROUP}/one")
    lab.on("kvm1", f"lvchange -aey {GROUP}/one")
    lab.on("kvm1", f"lvchange -asy {GROUP}/small && mkdir -p /mnt/small && "
                   f"mount -t gfs2 /dev/{GROUP}/small /mnt/small && cat /mnt/small/x")


# --- plain ----------------------------------------------------------------------------------


def plain_stale_sizes_and_devices(lab):
    """No lvmlockd, as OpenNebula's own drivers use LVM: what a host does not learn of by itself."""
    lab.renew()
    lab.on("kvm1", f"vgcreate {GROUP} /dev/vda && lvcreate -y -an -L 64M -n one {GROUP}")
    lab.everywhere(f"lvchange -ay {GROUP}/one")  # nobody refuses it
    write(lab, "kvm1", "one", "written-by-kvm1")
    check(read(lab, "kvm2", "one", 15) == "written-by-kvm1")
    lab.on("kvm1", f"lvextend -L +64M {GROUP}/one")
    check((size(lab, "kvm1", "one"), size(lab, "kvm2", "one")) == (128 << 20, 64 << 20))
    check(volumes(lab, "kvm2")["one"] == 128 << 20)
    lab.on("kvm2", f"lvchange --refresh {GROUP}/one")
    check(size(lab, "kvm2", "one") == 128 << 20)
    lab.on("kvm1", f"lvremove -y {GROUP}/one")
    check(volumes(lab, "kvm2") == {})
    node = lab.on("kvm2", "dmsetup ls").split()[0]
    check(node == "vg--one--100-one", "the device lives on", node)
    refused(lab, "kvm2", f"lvchange -an {GROUP}/one", "Failed to find")
    lab.on("kvm2", f"dmsetup remove {node}")


def plain_lvcreate_on_both_at_once(lab):
    """All return 0. How many are lost differs; that some may be is why the backend has a lock."""
    made, there = times.take("plain: 12 + 12 lvcreate at once", lambda: at_once(lab, 12))
    print(f"# plain: {made} returned 0, {there} exist")
    check(there <= made)
    lab.on("kvm1", f"vgck {GROUP}")


# --- sanlock --------------------------------------------------------------------------------


def sanlock_comes_up(lab):
    lab.renew(lockd=True)
    times.take("sanlock: daemons on both", lambda: lockd.start_sanlock(lab))
    times.take("sanlock: vgcreate --shared",
               lambda: lab.on("kvm1", f"vgcreate --shared {GROUP} /dev/vda", limit=240))
    times.take("sanlock: lock-start on the other", lambda: lockd.join(lab, "kvm2", GROUP))


def sanlock_refuses_and_shares(lab):
    lab.on("kvm1", f"lvcreate -y -aey -L 64M -n one {GROUP}")
    refused(lab, "kvm2", f"lvchange -aey {GROUP}/one", *HELD)
    lab.on("kvm1", f"lvchange -an {GROUP}/one")
    times.take("sanlock: lvchange -asy on both",
               lambda: lab.everywhere(f"lvchange -asy {GROUP}/one"))
    write(lab, "kvm1", "one", "written-by-kvm1")
    check(read(lab, "kvm2", "one", 15) == "written-by-kvm1")
    # unlike dlm: what is active on both cannot grow
    refused(lab, "kvm1", f"lvextend -L +64M {GROUP}/one", *HELD, "incompatible mode")
    lab.everywhere(f"lvchange -an {GROUP}/one")
    made, there = times.take("sanlock: 4 + 4 lvcreate at once", lambda: at_once(lab, 4))
    check(made == there == 8, made, there)


def sanlock_frees_a_killed_hosts_volume(lab):
    lab.on("kvm1", f"lvchange -aey {GROUP}/one")
    write(lab, "kvm1", "one", "last-words")
    lab.kill("kvm1")
    began = time.monotonic()
    refused(lab, "kvm2", f"lvchange -aey {GROUP}/one", *HELD)
    eventually(lambda: lab.ssh("kvm2", f"lvchange -aey {GROUP}/one").returncode == 0,
               "the other host gets the volume", 240)
    times.add("sanlock: a dead host's volume is free", time.monotonic() - began)
    check(read(lab, "kvm2", "one", 10) == "last-words")


CASES = [dlm_comes_up, gfs2_is_one_file_system_on_both,
         an_exclusive_volume_is_refused_on_the_other_host, a_shared_volume_is_on_both,
         what_cannot_be_active_twice, lvcreate_on_both_at_once, a_group_that_is_locked,
         a_killed_host_loses_its_locks, it_comes_back, plain_stale_sizes_and_devices,
         plain_lvcreate_on_both_at_once, sanlock_comes_up, sanlock_refuses_and_shares,
         sanlock_frees_a_killed_hosts_volume]
PROGRAMS = ("lvm", "lvmlockd", "dlm_controld", "corosync", "mkfs.gfs2", "sanlock", "thin_check")

if __name__ == "__main__":
    BUILD = case.build_directory(sys.argv[1])
    STATUS = case.run(CASES, lambda: guest.Lab(BUILD, ["kvm1", "kvm2"]), BUILD, PROGRAMS,
                      sys.argv[2:])
    times.print()
    sys.exit(STATUS)
