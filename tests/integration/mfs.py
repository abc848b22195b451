#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The mfs drivers on a real MooseFS that a front-end and two hosts mount, and what breaks there.

mfs.py ONEVOL [CASE...]; TAP. LizardFS and SaunaFS are played by a program of their names that calls
MooseFS's: that proves our command lines, not those products' answers. Needs root, FUSE and Debian's
moosefs-* packages, else exit 77.
"""
import base64
import ctypes
import json
import os
import subprocess
import sys
import threading
import time
import traceback

sys.dont_write_bytecode = True
import hostlab  # noqa: E402
import mfslab  # noqa: E402
from played_site import Oned, Tap  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURE = os.path.join(os.path.dirname(HERE), "fixtures", "lizardfs-datastore.json")
SKIPPED = 77
D = mfslab.MOUNT
QUICK = {"ONEVOL_IDLE_MS": "2000"}
VIRSH = """#!/bin/sh
while [ "${{1#-}}" != "$1" ]; do [ "$1" = -c ] && shift; shift; done
echo "virsh $1" >>{log}
[ "$1" = domstate ] && echo running
exit 0
"""
lab = site = None


def oned_inside(name):
    """played_site's oned, listening in the network of a host."""
    libc = ctypes.CDLL(None, use_errno=True)
    own = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/proc/{lab.nodes[name][1]}/ns/net", os.O_RDONLY)
    made = []

    def make(): # a thread may change its network alone
        if libc.setns(there, 0):
            raise OSError(ctypes.get_errno(), "setns")
        made.append(Oned())
        libc.setns(own, 0)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


class Done:
    def __init__(self, process, seconds):
        self.code, self.seconds = process.returncode, seconds
        self.out, self.err = process.stdout, process.stderr

    def __repr__(self):
        return f"exit {self.code} after {self.seconds:.2f} s\n{self.out}\n{self.err}"


class Site:
    """Driver files of one driver below the lab's directory, datastores on the mount."""

    def __init__(self, onevol, driver):
        self.driver = driver
        self.var = lab.path(driver)
        self.remotes = os.path.join(self.var, "remotes")
        os.makedirs(self.remotes)
        for name, text in (("remotes/VERSION", "7.4.0\n"), ("auth", "oneadmin:secret\n"),
                           ("config", f"DATASTORE_LOCATION={D}\n")):
            with open(os.path.join(self.var, name), "w") as out:
                out.write(text)
        subprocess.run([onevol, "setup", "--remotes", self.remotes, "--driver", driver],
                       check=True, stdout=subprocess.DEVNULL)
        self.oned = oned_inside("fe")
        self.onevol = onevol
        self.datastore(100, 1)
        self.datastore(102, 0)
        lab.on("fe", f"mkdir -p {D}/100 {D}/102")

    def datastore(self, number, kind, tm_mad=None, **attributes):
        template = "".join(f"<{k}>{v}</{k}>" for k, v in attributes.items())
        self.oned.facts["one.datastore.info", number] = (
            f"<DATASTORE><ID>{number}</ID><NAME>d{number}</NAME><TYPE>{kind}</TYPE>"
            f"<DS_MAD>{self.driver}</DS_MAD><TM_MAD>{tm_mad or self.driver}</TM_MAD>"
            f"<BASE_PATH>{D}/{number}</BASE_PATH><TEMPLATE>{template}</TEMPLATE></DATASTORE>")

    def vm(self, number, lcm=3, tm_mad=None, disks=(0,), size=1, source=""):
        """Disk 0 is persistent, all others private."""
        text = "".join(
            f"<DISK><DISK_ID>{i}</DISK_ID><IMAGE_ID>{i}</IMAGE_ID><DATASTORE_ID>102</DATASTORE_ID>"
            f"<TM_MAD>{self.driver}</TM_MAD><FORMAT>raw</FORMAT><SIZE>{size}</SIZE>"
            f"<ORIGINAL_SIZE>1</ORIGINAL_SIZE><CLONE>{'NO' if i == 0 else 'YES'}</CLONE>"
            f"<SAVE>{'YES' if i == 0 else 'NO'}</SAVE>"
            f"<SOURCE>{source if i == 0 else ''}</SOURCE></DISK>" for i in disks)
        self.oned.facts["one.vm.info", number] = (
            f"<VM><ID>{number}</ID><STATE>3</STATE><LCM_STATE>{lcm}</LCM_STATE>"
            f"<DEPLOY_ID>one-{number}</DEPLOY_ID><TEMPLATE>{text}</TEMPLATE><HISTORY_RECORDS>"
            f"<HISTORY><SEQ>0</SEQ><VM_MAD>kvm</VM_MAD><TM_MAD>{tm_mad or self.driver}</TM_MAD>"
            "</HISTORY></HISTORY_RECORDS></VM>")

    def words(self, plane, action, *arguments):
        return lab.enter("fe", os.path.join(self.remotes, plane, self.driver, action),
                         *map(str, arguments))

    def environment(self, **more):
        return lab.environment(ONE_XMLRPC=self.oned.address, ONE_AUTH=os.path.join(self.var, "auth"),
                               ONEVOL_STATE_DIR="/run/onevol", ONE_XMLRPC_TIMEOUT="5", **more)

    def run(self, plane, action, *arguments, stdin="", limit=60, **environment):
        start = time.monotonic()
        done = subprocess.run(self.words(plane, action, *arguments), input=stdin, text=True,
                              capture_output=True, timeout=limit,
                              env=self.environment(**environment))
        return Done(done, time.monotonic() - start)

    def tm(self, action, *arguments, **more):
        return self.run("tm", action, *arguments, **more)

    def ds(self, action, image="", **more):
        message = (f"<DS_DRIVER_ACTION_DATA>{image}{self.oned.facts['one.datastore.info', 102]}"
                   "<MONITOR_VM_DISKS>0</MONITOR_VM_DISKS></DS_DRIVER_ACTION_DATA>")
        return self.run("datastore", action, 1, stdin=base64.b64encode(message.encode()).decode(),
                        **more)

    def stored(self, name, **more):
        """The IMAGE element of a file of datastore 102."""
        text = "".join(f"<{k}>{v}</{k}>" for k, v in more.items())
        return (f"<IMAGE><ID>1</ID><NAME>i</NAME><TYPE>0</TYPE><FORMAT>raw</FORMAT><SIZE>1</SIZE>"
                f"<PERSISTENT>1</PERSISTENT><SOURCE>{D}/102/{name}</SOURCE>{text}</IMAGE>")


def check(condition, *about):
    if not condition:
        raise AssertionError("\n".join(str(item) for item in about) or "check failed")


def good(done):
    check(done.code == 0, done)
    return done


def bad(done, code, *texts, within=15.0):
    last = (done.err.strip().splitlines() or [""])[-1]
    check(done.code == code, f"wanted exit {code}", done)
    for text in texts:
        check(text in last, f"wanted '{text}' in the last line", done)
    check(done.seconds < within, f"wanted less than {within} s", done)
    return done


def make(path, size, fill, host="fe"):
    lab.on(host, f"mkdir -p $(dirname {D}/{path}); head -c {size} /dev/zero | "
                 f"tr '\\0' '\\{fill:03o}' > {D}/{path}; sync {D}/{path}")


def fill_of(path, host="h2"):
    """The one byte that a file is made of; None if it is not there."""
    said = lab.on(host, f"[ -f {D}/{path} ] && od -An -v -tu1 -w1 {D}/{path} | sort -u || true")
    return [int(word) for word in said.split()] or None


def tree(path, host="h2"):
    return sorted(lab.on(host, f"cd {D} && find {path} -mindepth 1 2>/dev/null || true").split())


def clear():
    lab.on("fe", f"rm -rf {D}/100/* {D}/102/* {D}/100/.[a-z]* {D}/102/.[a-z]*")
    site.datastore(100, 1)
    site.datastore(102, 0)


def eventually(question, what, seconds=30):
    end = time.monotonic() + seconds
    while not question():
        check(time.monotonic() < end, f"{what}: not within {seconds} s")
        time.sleep(0.2)


# Cases.


def a_clone_is_one_snapshot_seen_by_all():
    lab.on("fe", f"truncate -s 10G {D}/102/big; echo start | dd of={D}/102/big conv=notrunc")
    site.vm(7, disks=(1,), size=10240)
    done = good(site.tm("clone", f"fe:{D}/102/big", f"h1:{D}/100/7/disk.1", 7, 102))
    check("by snapshot" in done.err, done)
    check(lab.on("h2", f"head -c 5 {D}/100/7/disk.1") == "start", done)
    check(lab.on("h2", f"stat -c %s {D}/100/7/disk.1").strip() == str(10 << 30))
    again = good(site.tm("clone", f"fe:{D}/102/big", f"h1:{D}/100/7/disk.1", 7, 102))
    print(f"# clone of 10 GiB on h1: {again.seconds * 1000:.0f} ms with ssh, {again.err.strip()}")
    check(tree("100") == ["100/7", "100/7/disk.1"], tree("100"))


def client_counts(host):
    """What the client of that host was asked, by name of the operation."""
    lines = (line.split(":") for line in lab.on(host, f"cat {D}/.stats").splitlines())
    return {words[0].replace("fuse_ops.", ""): int(words[1]) for words in lines
            if words[0].startswith("fuse_ops.")}


def what_a_guest_has_just_written_is_in_the_snapshot():
    make("102/img", 4 << 20, 65)
    site.vm(7)
    good(site.tm("ln", f"fe:{D}/102/img", f"h1:{D}/100/7/disk.0", 7, 102))
    guest = subprocess.Popen(lab.enter("h1", "python3", "-c", f"""
import os, sys
fd = os.open("{D}/100/7/disk.0", os.O_RDWR)
os.pwrite(fd, b"B" * (4 << 20), 0)
os.lseek(fd, 0, os.SEEK_END)
os.write(fd, b"B" * (8 << 20))
print("written", flush=True)
sys.stdin.read()"""), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        guest.stdout.readline()
        before = client_counts("h1")
        good(site.tm("snap_create", f"h1:{D}/100/7/disk.0", 3, 7, 102))
        after = client_counts("h1")
        # MooseFS 3 flushes by itself, so that alone would not show that we do
        check(after["fsync"] == before["fsync"] + 1 and after["read"] > before["read"], before, after)
    finally:
        guest.stdin.close()
        guest.wait()
    check(fill_of("102/img.snap/3") == [66], "old data in the snapshot")
    check(lab.on("h2", f"stat -c %s {D}/102/img.snap/3").strip() == str(12 << 20), "too short")


def live_snapshots_freeze_around_the_command():
    log = lab.shim("lizardfs")
    lab.write("tools/virsh", VIRSH.format(log=log), 0o755)
    make("102/img", 1 << 20, 65)
    site.vm(7, lcm=23)
    good(site.tm("ln", f"fe:{D}/102/img", f"h1:{D}/100/7/disk.0", 7, 102))
    open(log, "w").close()
    done = good(site.tm("snap_create_live", f"h1:{D}/100/7/disk.0", 3, 7, 102))
    with open(log) as lines:
        calls = [line.strip() for line in lines]
    names = [" ".join(call.split()[:2]) for call in calls]
    at = names.index("lizardfs makesnapshot")
    check("virsh domfsfreeze" in names[:at] and "virsh domfsthaw" in names[at:], calls, done)
    check(fill_of("102/img.snap/3") == [65])
    # saving the disk of a running guest goes the same way
    site.vm(7, lcm=26)
    open(log, "w").close()
    done = good(site.tm("cpds", f"h1:{D}/100/7/disk.0", f"{D}/102/saved", -1, 7, 102))
    with open(log) as lines:
        names = [" ".join(line.split()[:2]) for line in lines]
    at = names.index("lizardfs makesnapshot")
    check("virsh domfsfreeze" in names[:at] and "virsh domfsthaw" in names[at:], names, done)
    check(fill_of("102/saved") == [65])


def a_guest_that_cannot_be_stopped_is_refused():
    log = lab.shim("lizardfs")
    lab.write("tools/virsh", VIRSH.format(log=log).replace("exit 0", "[ $1 = domstate ]"), 0o755)
    make("102/img", 1 << 20, 65)
    site.vm(7, lcm=23)
    good(site.tm("ln", f"fe:{D}/102/img", f"h1:{D}/100/7/disk.0", 7, 102))
    for attributes in ({}, {"LIVE_COPY": "SUSPEND"}):
        site.datastore(102, 0, **attributes)
        done = site.tm("snap_create_live", f"h1:{D}/100/7/disk.0", 3, 7, 102)
        check(done.code != 0 and "virsh exited 1" in done.err.splitlines()[-1], done)
        check("102/img.snap/3" not in tree("102"), tree("102"), done)


def snapshots_revert_and_stay():
    make("102/img", 1 << 20, 1)
    site.vm(7)
    disk = f"h1:{D}/100/7/disk.0"
    good(site.tm("ln", f"fe:{D}/102/img", disk, 7, 102))
    for number in (0, 1, 12):
        good(site.tm("snap_create", disk, number, 7, 102))
        make("102/img", 1 << 20, number + 2, "h1")
    good(site.tm("snap_revert", disk, 1, 7, 102))
    check(fill_of("102/img") == [2])
    check([fill_of(f"102/img.snap/{n}") for n in (0, 1, 12)] == [[1], [2], [3]])
    good(site.tm("snap_delete", disk, 1, 7, 102))
    make("102/img.md5sum", 33, 48)
    good(site.ds("snap_revert", site.stored("img", TARGET_SNAPSHOT=12)))
    check(fill_of("102/img") == [3] and fill_of("102/img.md5sum") is None, "a sum of the old content")
    good(site.ds("snap_flatten", site.stored("img", TARGET_SNAPSHOT=0)))
    check(fill_of("102/img") == [1] and tree("102") == ["102/img"], tree("102"))


def a_revert_that_fails_leaves_the_disk():
    make("102/img", 1 << 20, 1)
    make("102/img.snap/3", 1 << 20, 2)
    time.sleep(1.2)  # a client may hold for a second that there is no such snapshot
    site.vm(7)
    good(site.tm("ln", f"fe:{D}/102/img", f"h1:{D}/100/7/disk.0", 7, 102))
    lab.write("tools/lizardfs", "#!/bin/sh\necho 'returned error status 9: Not possible'\nexit 255\n",
              0o755)
    try:
        bad(site.tm("snap_revert", f"h1:{D}/100/7/disk.0", 3, 7, 102), 1,
            "lizardfs exited 255: returned error status 9: Not possible")
        bad(site.ds("snap_flatten", site.stored("img", TARGET_SNAPSHOT=3)), 1, "exited 255")
    finally:
        lab.shim("lizardfs")
    check(fill_of("102/img") == [1] and fill_of("102/img.snap/3") == [2])
    check(tree("102") == ["102/img", "102/img.snap", "102/img.snap/3"], tree("102"))


def goals_and_trash_times_are_set():
    site.datastore(102, 0, MFS_GOAL="1", MFS_TRASHTIME="7200")
    site.datastore(100, 1, MFS_GOAL="3", MFS_TRASHTIME="0")
    site.vm(7, disks=(1, 2))
    image = "<IMAGE><ID>5</ID><NAME>i</NAME><TYPE>2</TYPE><FORMAT>raw</FORMAT><SIZE>1</SIZE></IMAGE>"
    source = good(site.ds("mkfs", image)).out.strip()
    good(site.tm("clone", f"fe:{source}", f"h1:{D}/100/7/disk.1", 7, 102))
    good(site.tm("mkimage", 1, "raw", f"h1:{D}/100/7/disk.2", 7, 100))
    for path, goal, seconds in ((source, 1, 7200), (f"{D}/100/7/disk.1", 3, 0),
                                (f"{D}/100/7/disk.2", 3, 0)):
        said = lab.on("h2", f"mfsgetsclass {path}; mfsgettrashtime {path}").split()
        check([word.strip("'") for word in said[-3::2]] == [str(goal), str(seconds)], said)
    site.datastore(100, 1, MFS_GOAL="3; reboot")
    bad(site.tm("mkimage", 1, "raw", f"h1:{D}/100/7/disk.2", 7, 100), 2, "MFS_GOAL '3; reboot'")
    site.datastore(100, 1, MFS_GOAL="no_such_class")
    bad(site.tm("mkimage", 1, "raw", f"h1:{D}/100/7/disk.2", 7, 100), 1, "MFS_GOAL")
    check("100/7/disk.2.part" not in tree("100"), tree("100"))


def monitor_values(done):
    return {k: int(v) for k, v in (line.split("=", 1) for line in good(done).out.split() if "_MB=" in line)}


def capacity_counts_copies_and_quotas():
    raw = os.statvfs(lab.store()).f_frsize
    lab.on("fe", f"mfssetsclass 1 {D}/102")
    once = monitor_values(site.ds("monitor"))
    lab.on("fe", f"mfssetsclass 2 {D}/102")
    twice = monitor_values(site.ds("monitor"))
    check(raw and abs(once["TOTAL_MB"] - 2 * twice["TOTAL_MB"]) <= 2, once, twice)
    site.datastore(102, 0, MFS_GOAL="4")
    four = monitor_values(site.ds("monitor"))
    check(abs(once["TOTAL_MB"] - 4 * four["TOTAL_MB"]) <= 4, once, four)
    site.datastore(102, 0)
    make("102/img", 4 << 20, 1)
    lab.on("fe", f"mfssetquota -L 100MiB {D}/102")
    try:
        quota = monitor_values(site.ds("monitor"))
    finally:
        lab.on("fe", f"mfsdelquota -L {D}/102")
    check(quota == {"TOTAL_MB": 100, "USED_MB": 4, "FREE_MB": 96}, quota)
    check(monitor_values(site.ds("monitor")) != quota)


def sizes_of_vm_disks_are_told():
    """Two disks, a snapshot above 9, without MONITOR_VM_DISKS: all of which stopped the predecessor."""
    make("100/7/disk.0", 3 << 20, 1)
    make("100/7/disk.1", 5 << 20, 1)
    make("100/7/disk.1.snap/12", 2 << 20, 1)
    message = (f"<DS_DRIVER_ACTION_DATA>{site.oned.facts['one.datastore.info', 100]}%s"
               "</DS_DRIVER_ACTION_DATA>")
    for version, asked in (("5.8.0", ""), ("7.4.0", "")):
        with open(os.path.join(site.remotes, "VERSION"), "w") as out:
            out.write(version + "\n")
        text = base64.b64encode((message % asked).encode()).decode()
        arguments = (100,) if version > "6.7" else (text, 100)
        done = good(site.tm("monitor", *arguments, stdin=text if version > "6.7" else ""))
        told = "DISK_SIZE=[ID=0,SIZE=3]" in done.out and "DISK_SIZE=[ID=1,SIZE=5]" in done.out and \
            "SNAPSHOT_SIZE=[ID=12,DISK_ID=1,SIZE=2]" in done.out
        check(told == (version == "5.8.0"), version, done)
        check("TOTAL_MB=" in done.out and "\\n" not in done.out, done)


def a_full_quota_is_one_sentence():
    make("102/img", 8 << 20, 1)
    site.vm(7, disks=(1,))
    lab.on("fe", f"mkdir -p {D}/100/7; mfssetquota -L 1MiB {D}/100")
    try:
        done = bad(site.tm("clone", f"fe:{D}/102/img", f"h1:{D}/100/7/disk.1", 7, 102), 5,
                   "uota exceeded")
        check(tree("100/7") == [], tree("100/7"), done)
    finally:
        lab.on("fe", f"mfsdelquota -L {D}/100")
    good(site.tm("clone", f"fe:{D}/102/img", f"h1:{D}/100/7/disk.1", 7, 102))


def a_host_without_the_mount_is_named():
    make("102/img", 1 << 20, 1)
    make("100/7/disk.1", 1 << 20, 1)
    site.vm(7, disks=(0, 1, 2))
    lab.unmount("h2")
    try:
        lab.on("h2", f"mkdir -p {D}")
        for action, arguments in (
                ("clone", (f"fe:{D}/102/img", f"h2:{D}/100/7/disk.1", 7, 102)),
                ("ln", (f"fe:{D}/102/img", f"h2:{D}/100/7/disk.0", 7, 102)),
                ("mkimage", (1, "raw", f"h2:{D}/100/7/disk.2", 7, 100)),
                ("snap_create", (f"h2:{D}/100/7/disk.1", 1, 7, 102)),
                ("delete", (f"h2:{D}/100/7/disk.1", 7, 102)),
                ("delete", (f"h2:{D}/100/7", 7, 100))):
            bad(site.tm(action, *arguments), 9, "host 'h2' has no LizardFS, MooseFS or SaunaFS")
        check(tree(".", "h2") == [], tree(".", "h2"))
        check(fill_of("100/7/disk.1", "h1") == [1], "removed all the same")
        site.datastore(102, 0, BRIDGE_LIST="h2")
        bad(site.ds("monitor"), 9, "host 'h2' has no")
        bad(site.ds("rm", site.stored("img")), 9, "host 'h2' has no")
        check(fill_of("102/img", "h1") == [1])
    finally:
        lab.mount("h2", options=mfslab.OBSERVER)


def a_stale_mount_is_an_error():
    make("102/img", 1 << 20, 1)
    site.vm(7, disks=(1,))
    lab.on("h2", "pkill -9 -x mfsmount")
    try:
        eventually(lambda: "not connected" in lab.on("h2", f"ls {D} 2>&1 || true"), "stale")
        bad(site.tm("clone", f"fe:{D}/102/img", f"h2:{D}/100/7/disk.1", 7, 102), 1,
            "on host 'h2'", "endpoint is not connected")
    finally:
        lab.unmount("h2")
        lab.mount("h2", options=mfslab.OBSERVER)
    good(site.tm("clone", f"fe:{D}/102/img", f"h2:{D}/100/7/disk.1", 7, 102))


def another_file_system_gets_a_copy():
    make("102/img", 3 << 20, 9)
    lab.on("h1", f"mkdir -p {D}/100 && mount -t tmpfs tmpfs {D}/100")
    try:
        site.datastore(100, 1, tm_mad="ssh")
        site.vm(7, disks=(1,), tm_mad="ssh")
        done = good(site.tm("clone", f"fe:{D}/102/img", f"h1:{D}/100/7/disk.1", 7, 102))
        check("different file systems" in done.err and "by snapshot" not in done.err, done)
        check(fill_of("100/7/disk.1", "h1") == [9] and tree("100/7", "h2") == [])
    finally:
        lab.on("h1", f"umount -l {D}/100")


def a_disk_carried_by_ssh_keeps_its_snapshots_beside_the_image():
    make("102/img", 1 << 20, 1)
    make("102/img.snap/2", 1 << 20, 2)
    lab.on("h1", f"mkdir -p {D}/100 && mount -t tmpfs tmpfs {D}/100")
    disk = f"h1:{D}/100/7/disk.0"
    try:
        site.datastore(100, 1, tm_mad="ssh")
        site.vm(7, tm_mad="ssh", source=f"{D}/102/img")
        make("100/7/disk.0", 1 << 20, 3, "h1")
        good(site.tm("snap_create", disk, 5, 7, 102))
        check(fill_of("102/img.snap/5") == [3] and tree("100/7", "h1") == ["100/7/disk.0"])
        good(site.tm("snap_revert", disk, 2, 7, 102))
        check(fill_of("100/7/disk.0", "h1") == [2] and fill_of("102/img") == [1])
        good(site.tm("mvds", disk, f"{D}/102/img", 7, 102))
        check(fill_of("102/img") == [2] and tree("100/7", "h1") == [])
        check([fill_of(f"102/img.snap/{n}") for n in (2, 5)] == [[2], [3]], tree("102"))
    finally:
        lab.on("h1", f"umount -l {D}/100")


def the_metadata_server_comes_back():
    make("102/img", 1 << 20, 1)
    site.vm(7, disks=(1,))
    lab.kill("mfsmaster")
    running = subprocess.Popen(
        site.words("tm", "clone", f"fe:{D}/102/img", f"h1:{D}/100/7/disk.1", 7, 102),
        env=site.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)
    time.sleep(1)
    lab.master("-a start")
    start = time.monotonic()
    _, said = running.communicate(timeout=60)
    print(f"# clone across a restart: exit {running.returncode}, {time.monotonic() - start:.1f} s, "
          f"{said.strip()[-150:]}")
    lab.wait_for_write("h1")
    good(site.tm("clone", f"fe:{D}/102/img", f"h1:{D}/100/7/disk.1", 7, 102))
    check(fill_of("100/7/disk.1") == [1] and tree("100/7") == ["100/7/disk.1"], tree("100/7"))


def a_lost_chunk_server_hangs_nobody():
    make("102/img", 1 << 20, 1)
    site.vm(7, disks=(1, 2))
    site.vm(8, disks=(1, 2))
    site.datastore(100, 1, MFS_GOAL="1")
    lab.kill("mfschunkserver")
    disk = f"h1:{D}/100/7/disk.2"
    try:
        eventually(lambda: " 0 0 " in f" {lab.on('fe', f'stat -f -c %b {D}').strip()} 0 ", "no space")
        bad(site.ds("monitor"), 1, "reports no space at all")
        done = site.tm("mkimage", 8, "ext4", disk, 7, 100, limit=90, **QUICK)
        check(done.code != 0 and done.seconds < 80, done)
        print(f"# a write without chunk servers: exit {done.code} after {done.seconds:.1f} s: "
              f"{done.err.strip().splitlines()[-1]}")
        check("on host 'h1': still busy: " in done.err and "pid" in done.err, done)
        bad(site.tm("mkimage", 8, "raw", disk, 7, 100, **QUICK), 4)
        # on the front-end requests run in the action itself, under a watch
        done = site.tm("mkimage", 8, "raw", f"localhost:{D}/100/8/disk.2", 8, 100, limit=90, **QUICK)
        print(f"# on the front-end: exit {done.code} after {done.seconds:.1f} s: "
              f"{done.err.strip().splitlines()[-1]}")
        check(done.code == 11 and "still busy: " in done.err and "pid" in done.err, done)
        state = lab.on("fe", f"cat /proc/{done.err.split('pid ')[1].split()[0]}/stat").split()[2]
        check(state == "D", f"a process in state {state}, not waiting for its storage")
        bad(site.tm("delete", f"localhost:{D}/100/8/disk.2", 8, 100, **QUICK), 4, within=45)
    finally:
        lab.chunks("start")
        lab.wait_for_write("h1")
    end = time.monotonic() + 60
    while site.tm("mkimage", 8, "raw", disk, 7, 100).code != 0:
        check(time.monotonic() < end, "still busy after the chunk server came back")
        time.sleep(1)
    check("100/7/disk.2" in tree("100/7") and not any(".part" in n for n in tree("100/7")))


def load_fixture():
    with open(FIXTURE) as text:
        entries = json.load(text)["files"]
    for entry in entries:
        if "link" in entry:
            lab.on("fe", f"mkdir -p $(dirname {D}/{entry['name']}); "
                         f"ln -s {entry['link'].replace('@', D)} {D}/{entry['name']}")
        else:
            make(entry["name"], entry["size"], entry["fill"])
    return [entry["name"] for entry in entries]


def a_predecessors_datastore_goes_on():
    names = load_fixture()
    persistent, other = "6d0a1f5d2b9c4e7f8a3b1c2d3e4f5a6b", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
    site.vm(7, disks=(0, 1, 4, 6, 7))
    disk = f"h1:{D}/100/7/disk"
    # snapshots of the persistent disk lie beside the image, and survive each other
    good(site.tm("snap_create", f"{disk}.0", 13, 7, 102))
    check(fill_of(f"102/{persistent}.snap/13") == [17])
    good(site.tm("snap_revert", f"{disk}.0", 12, 7, 102))
    check(fill_of(f"102/{persistent}") == [20])
    check(lab.on("h2", f"readlink {D}/100/7/disk.0").strip() == f"{D}/102/{persistent}")
    good(site.tm("snap_delete", f"{disk}.0", 1, 7, 102))
    good(site.tm("snap_revert", f"{disk}.1", 0, 7, 102))
    check(fill_of("100/7/disk.1") == [50])
    check([fill_of(f"100/7/disk.1.snap/{n}") for n in (0, 12)] == [[50], [52]])
    # saving a persistent disk saves its content, not its link
    site.vm(7, lcm=27, disks=(0, 1, 4, 6, 7))
    good(site.tm("cpds", f"{disk}.0", f"{D}/102/saved", -1, 7, 102))
    check(fill_of("102/saved") == [20] and "regular" in lab.on("h2", f"stat -c %F {D}/102/saved"))
    good(site.tm("cpds", f"{disk}.0", f"{D}/102/saved2", 13, 7, 102))
    check(fill_of("102/saved2") == [17])
    site.vm(7, disks=(0, 1, 4, 6, 7))
    good(site.tm("mv", f"h1:{D}/100/7/disk.1", f"h2:{D}/100/7/disk.1", 7, 102))
    good(site.tm("mv", f"h1:{D}/100/7", f"h2:{D}/100/7", 7, 100))
    # the end of the VM: nothing of it stays, also of a disk that was detached or is a broken link
    good(site.tm("mvds", f"h2:{D}/100/7/disk.0", f"{D}/102/{persistent}", 7, 102))
    for number in (1, 4, 6, 7):
        good(site.tm("delete", f"h2:{D}/100/7/disk.{number}", 7, 102))
    check(tree("100/7") == [f"100/7/{name}" for name in (
        "deployment.0", "disk.2", "disk.3", "disk.5", "ds.xml", "vm.xml")], tree("100/7"))
    good(site.tm("delete", f"h2:{D}/100/7", 7, 100))
    check(tree("100") == [], tree("100"))
    # images: a flatten keeps the one snapshot's content, rm takes all companions
    good(site.ds("snap_flatten", site.stored(other, TARGET_SNAPSHOT=3)))
    check(fill_of(f"102/{other}") == [34])
    images = [name[4:] for name in names if name.startswith("102/") and "." not in name]
    check(len(images) == 5, images)
    for name in images + ["saved", "saved2"]:
        good(site.ds("rm", site.stored(name)))
    check(tree("102") == [], tree("102"))


def the_driver_is_served_by_whatever_the_host_has():
    make("102/img", 1 << 20, 7)
    site.vm(7, disks=(1,))
    lab.write("tools/lizardfs.off", "")
    os.rename(lab.path("tools", "lizardfs"), lab.path("tools", "lizardfs.off"))
    try:
        good(site.tm("clone", f"fe:{D}/102/img", f"h1:{D}/100/7/disk.1", 7, 102)) # mfsmakesnapshot
        check(fill_of("100/7/disk.1") == [7])
    finally:
        os.rename(lab.path("tools", "lizardfs.off"), lab.path("tools", "lizardfs"))


def doctor(*words):
    site.oned.facts["one.datastorepool.info", -1] = "<DATASTORE_POOL>" + "".join(
        site.oned.facts["one.datastore.info", number] for number in (100, 102)) + \
        "<DATASTORE><ID>1</ID><TM_MAD>other</TM_MAD></DATASTORE></DATASTORE_POOL>"
    site.oned.facts["one.hostpool.info", -1] = (
        "<HOST_POOL><HOST><ID>0</ID><NAME>h1</NAME><STATE>2</STATE></HOST>"
        "<HOST><ID>1</ID><NAME>h2</NAME><STATE>2</STATE></HOST>"
        "<HOST><ID>2</ID><NAME>nowhere</NAME><STATE>8</STATE></HOST></HOST_POOL>")
    start = time.monotonic()
    done = subprocess.run(lab.enter("fe", site.onevol, "doctor", *words), capture_output=True,
                          stdin=subprocess.DEVNULL, text=True, timeout=60, env=site.environment())
    return Done(done, time.monotonic() - start)


def the_doctor_finds_what_is_missing():
    done = good(doctor())
    check("FAILED" not in done.out and done.out.count(" mounted ") == 6, done)
    check("nowhere" not in done.out and done.out.count(" capacity ") == 2, done)
    check(tree(".") and not any(".onevol-" in name for name in tree(".")), tree("."))
    lab.unmount("h2")
    try:
        lab.on("h2", f"mkdir -p {D}/100 {D}/102")
        rows = json.loads(bad(doctor("--json"), 1, "checks failed").out)
        failed = [(row["host"], row["check"]) for row in rows if not row["ok"]]
        check(failed == [("h2", "directory"), ("h2", "mounted")] * 2, rows)
        check("has no LizardFS, MooseFS or SaunaFS" in str(rows), rows)
        good(doctor("--hosts", "h1"))
        lab.on("h2", f"rm -r {D}/100 {D}/102")
    finally:
        lab.mount("h2", options=mfslab.OBSERVER)
    lab.write("tools/lizardfs", "#!/bin/sh\necho 'no such class' >&2\nexit 1\n", 0o755)
    try:
        done = bad(doctor("--driver", "lizardfs"), 1, "6 of ")
        check("lizardfs exited 1: no such class" in done.out, done)
    finally:
        lab.shim("lizardfs")
    bad(doctor("--driver", "nonsense"), 2, "no driver 'nonsense'")


CASES = [a_clone_is_one_snapshot_seen_by_all, what_a_guest_has_just_written_is_in_the_snapshot,
         live_snapshots_freeze_around_the_command,
         a_guest_that_cannot_be_stopped_is_refused, snapshots_revert_and_stay,
         a_revert_that_fails_leaves_the_disk, goals_and_trash_times_are_set,
         capacity_counts_copies_and_quotas, sizes_of_vm_disks_are_told,
         a_full_quota_is_one_sentence, a_host_without_the_mount_is_named, a_stale_mount_is_an_error,
         another_file_system_gets_a_copy,
         a_disk_carried_by_ssh_keeps_its_snapshots_beside_the_image, a_predecessors_datastore_goes_on,
         the_driver_is_served_by_whatever_the_host_has, the_doctor_finds_what_is_missing,
         the_metadata_server_comes_back,
         a_lost_chunk_server_hangs_nobody]


def main():
    global lab, site
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    reason = mfslab.missing()
    if reason:
        print("1..0 # SKIP " + reason)
        return SKIPPED
    tap = Tap()
    lab = mfslab.MfsLab(["fe", "h1", "h2"])
    lab.unmount("h2")
    lab.mount("h2", options=mfslab.OBSERVER)
    try:
        lab.shim("lizardfs")
        site = Site(os.path.abspath(sys.argv[1]), "lizardfs")
        for case in CASES:
            if sys.argv[2:] and case.__name__ not in sys.argv[2:]:
                continue
            problem, start = None, time.monotonic()
            try:
                clear()
                case()
            except (AssertionError, subprocess.TimeoutExpired) as failure:
                line = [f.lineno for f in traceback.extract_tb(failure.__traceback__)
                        if f.name == case.__name__]
                problem = f"line {line[-1] if line else 0}: {type(failure).__name__}: {failure}"
            tap.case(f"{case.__name__} ({time.monotonic() - start:.1f} s)", problem)
    finally:
        lab.close()
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
