#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Live migration between two real libvirtds, each on a host of its own, around which oned's
premigrate, postmigrate and failmigrate run.

The guest is tick.S: it counts on its disk. Its second disk is persistent, its third the context.
What vmm/kvm/migrate does in between is played as OpenNebula 5.8, 6.4 and 7.4 do it
(src/vmm_mad/remotes/kvm/migrate, lib/kvm/opennebula_vm.rb): with a shared directory one virsh
migrate; with storage of the hosts' own the script, since 6.0, copies the disks and lets libvirt
mirror them.

usage: migrate_live.py ONEVOL [CASE...]
"""
import os
import pathlib
import shutil
import subprocess
import sys
import time
import traceback

sys.dont_write_bytecode = True
from live import HERE, LIBVIRTD_CONF, MIB, QEMU_CONF, SECTORS, wait_for  # noqa: E402
from played_site import Tap  # noqa: E402
from twohosts import Machines, Vm, in_arguments, run, start  # noqa: E402

TOOLS = ["libvirtd", "virsh", "qemu-system-x86_64", "qemu-img", "virt-ssh-helper", "rsync", "as",
         "ld", "objcopy"]
URI = "qemu:///system"
IMAGES, SYSTEM, VM, DOMAIN = 103, 102, 7, "one-7"
MIGRATE, RUNNING, HOTPLUG_SAVEAS, DISK_SNAPSHOT, EPILOG = 4, 3, 26, 57, 11
BOOT, CONTEXT, DATA = range(3)
QUICK = {"ONEVOL_CONNECT_MS": "2500", "ONEVOL_SILENCE_MS": "4000", "ONEVOL_HEARTBEAT_MS": "500"}
PATIENCE = 20  # seconds for a guest to show that it runs

XML = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>8</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
<cpu mode='custom' match='exact'><model>qemu64</model></cpu><on_reboot>destroy</on_reboot>
<devices><emulator>{qemu}</emulator>
<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none' discard='unmap'/>
<source file='{directory}/disk.0'/><target dev='vda' bus='virtio'/></disk>
<disk type='file' device='cdrom'><driver name='qemu' type='raw'/>
<source file='{directory}/disk.1'/><target dev='hda' bus='ide'/><readonly/></disk>
<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none' discard='unmap'/>
<source file='{directory}/disk.2'/><target dev='vdb' bus='virtio'/></disk>
<serial type='file'><source path='/run/{name}.log'/><target port='0'/></serial>
<memballoon model='none'/><controller type='usb' model='none'/></devices></domain>"""


class Problem(Exception):
    pass


def expect(condition, *what):
    if not condition:
        raise Problem("; ".join(str(w) for w in what))


class Libvirt:
    """One host's own."""

    def __init__(self, machines, host):
        self.machines, self.host, self.process = machines, host, None
        base = "/var/lib/one/libvirt"
        for place in ("/etc/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt"):
            self.on(f"mkdir -p {base}{place} {place} && mount --bind {base}{place} {place}")
        # Debian's libvirtd looks for its usual accounts, even when it does not use them
        self.on(f"cp /etc/passwd /etc/group {base}; "
                "grep -q ^libvirt-qemu: /etc/passwd || "
                f"echo 'libvirt-qemu:x:64055:64055::/:/bin/false' >> {base}/passwd; "
                "for g in libvirt-qemu:x:64055: kvm:x:64054:; do "
                f"grep -q ^${{g%%:*}}: /etc/group || echo $g >> {base}/group; done; "
                f"for f in passwd group; do mount --bind {base}/$f /etc/$f; done")
        with open("/proc/sys/kernel/random/uuid") as uuid:
            machines.put(host, "/etc/libvirt/libvirtd.conf", LIBVIRTD_CONF % uuid.read().strip())
        machines.put(host, "/etc/libvirt/qemu.conf", QEMU_CONF)
        machines.let_in(host)
        self.launch()

    def on(self, script, check=True):
        return self.machines.on(self.host, script, check)

    def launch(self):
        with open(self.machines.lab.path(f"libvirtd-{self.host}.log"), "a") as log:
            self.process = subprocess.Popen(self.machines.words(self.host, "libvirtd"), stdout=log,
                                            stdin=subprocess.DEVNULL, stderr=log)
        if not wait_for(lambda: self.process.poll() is not None or self.virsh("version"), 60) or \
                self.process.poll() is not None:
            with open(self.machines.lab.path(f"libvirtd-{self.host}.log")) as log:
                text = log.read()[-300:].replace("\n", " ")
            print(f"1..0 # SKIP libvirtd does not start: {text}")
            sys.exit(0)

    def stop(self):
        """Its guests go on."""
        self.on("kill $(pgrep -x libvirtd)")
        self.process.wait()

    def run(self, *words, timeout=60):
        return subprocess.run(
            self.machines.words(self.host, "virsh", "-q", "-c", URI, *map(str, words)),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False)

    def virsh(self, *words):
        """True if it worked."""
        return self.run(*words).returncode == 0

    def state(self):
        return self.run("domstate", DOMAIN).stdout.strip()


class Hypervisor:
    """vmm/kvm/migrate on the source host, in two ways that have been."""

    def __init__(self, play):
        self.play, self.machines = play, play.machines

    def migrate(self, source, target, *more, before=None):
        """virsh's words are those of the stock scripts; MIGRATE_OPTIONS of kvmrc are the site's."""
        if before:
            before()
        done = self.play.libvirts[source].run(
            "migrate", "--live", "--unsafe", *more[:1], DOMAIN, f"qemu+ssh://{target}/system",
            *more[1:], timeout=120)
        if done.returncode:
            for word in ("destroy", "undefine"):
                self.play.libvirts[source].run("-c", f"qemu+ssh://{target}/system", word, DOMAIN)
        return done

    def on_shared(self, source, target, before):
        return self.migrate(source, target, "--verbose", before=before)

    def as_6(self, source, target, before):
        """Copies once, stops the guest, copies again, lets libvirt mirror."""
        directory = self.play.vm.directory()
        self.machines.on(target, f"mkdir -p '{directory}'")
        disks = [f"{directory}/disk.{n}" for n in (BOOT, CONTEXT, DATA)]
        for path in disks:
            self.copy(source, target, path)
            if self.machines.there(source, f"{path}.snap"):
                self.copy(source, target, f"{path}.snap")
        expect(self.play.libvirts[source].virsh("suspend", DOMAIN), "no suspend")
        for path in disks[0], disks[2]:
            self.copy(source, target, path)
        done = self.migrate(source, target, "--verbose", "--copy-storage-all", "--migrate-disks",
                            "vda,vdb", before=before)
        if done.returncode:
            self.machines.on(target, f"rm -rf {directory}", check=False)
            self.play.libvirts[source].virsh("resume", DOMAIN)
        else:
            self.play.libvirts[target].virsh("resume", DOMAIN)
        return done

    def copy(self, source, target, path):
        # 1: "file changed as we read it", which the script does not mind
        self.machines.pipe((source, f"tar -C / -cSf - .{path} 2> /dev/null || [ $? = 1 ]"),
                           (target, "tar xSf - -C /"))

    def as_7(self, source, target, before):
        """Empty disks there, then libvirt copies while the guest runs."""
        directory = self.play.vm.directory()
        for disk in (BOOT, DATA):
            path = f"{directory}/disk.{disk}"
            size = SECTORS * 512 if disk == BOOT else 4 * MIB
            self.machines.on(source, f"ssh {target} 'mkdir -p {directory}; "
                                     f"qemu-img create -q -f raw {path} {size}'")
        names = [f"{directory}/disk.{CONTEXT}"] + [
            f"{directory}/disk.{d}.snap" for d in (BOOT, DATA)
            if self.machines.there(source, f"{directory}/disk.{d}.snap")]
        self.machines.on(source, f"rsync -az {' '.join(names)} {target}:{directory}/")
        done = self.migrate(source, target, "--suspend", "--copy-storage-all", "--migrate-disks",
                            "vda,vdb", before=before)
        if done.returncode:
            self.machines.on(target, f"rm -rf {directory}", check=False)
        else:
            self.play.libvirts[target].virsh("resume", DOMAIN)
        return done

    def __call__(self, source, target, before=None):
        version = tuple(map(int, self.play.version.split(".")[:2]))
        if self.play.shared or version < (6, 0):
            return self.on_shared(source, target, before)
        return (self.as_7 if version >= (7, 0) else self.as_6)(source, target, before)


class Play:
    """A site, a VM, and its guest."""

    def __init__(self, machines, libvirts, onevol, driver, version, sector):
        self.machines, self.libvirts, self.version = machines, libvirts, version
        self.driver, self.shared = driver, driver == "reflink"
        self.site = machines.site(onevol, version, driver)
        self.site.environment.update(QUICK)
        place = self.site.datastores / str(SYSTEM)
        if not self.shared:
            for host, drive in (("h1", "one"), ("h2", "two")):
                machines.on(host, f"rm -rf /mnt/{drive}/*")
                machines.own(host, place, drive)
        self.images = {n: f"{self.site.datastores}/{IMAGES}/image-{n}-0" for n in (12, 13)}
        self.filling = os.urandom(24 * MIB)
        with open(self.images[13], "wb") as file:
            file.write(sector)
            file.seek(MIB)
            file.write(self.filling)
            file.truncate(SECTORS * 512)
        self.data = os.urandom(4 * MIB)
        with open(self.images[12], "wb") as file:
            file.write(self.data)
        for number, kind in ((SYSTEM, 1), (IMAGES, 0)):
            self.site.oned_knows("datastore", number, (
                f"<DATASTORE><ID>{number}</ID><NAME>d</NAME><TYPE>{kind}</TYPE><DS_MAD>{driver}"
                f"</DS_MAD><TM_MAD>{driver}</TM_MAD><BASE_PATH>{self.site.datastores}/{number}"
                "</BASE_PATH><TEMPLATE><LIVE_COPY>SUSPEND</LIVE_COPY></TEMPLATE></DATASTORE>"))
        common = {"DATASTORE_ID": IMAGES, "FORMAT": "raw", "TM_MAD": driver, "TYPE": "FILE",
                  "LN_TARGET": "NONE" if self.shared else "SYSTEM"}
        self.vm = Vm(self.site, VM, SYSTEM, driver, [
            {"DISK_ID": BOOT, "IMAGE_ID": 13, "SOURCE": self.images[13], "CLONE": "YES", "SIZE": 64,
             "SAVE": "NO", "ORIGINAL_SIZE": 64, **common},
            {"DISK_ID": DATA, "IMAGE_ID": 12, "SOURCE": self.images[12], "CLONE": "NO", "SIZE": 4,
             "SAVE": "YES", "PERSISTENT": "YES", "ORIGINAL_SIZE": 4, **common}])
        self.hypervisor, self.host = Hypervisor(self), None

    def tm(self, action, *words, **more):
        return self.site.run("tm", action, *words, **more)

    def good(self, action, *words, **more):
        done = self.tm(action, *words, **more)
        expect(done.returncode == 0, f"{action}: {done.stderr.strip()}")
        return done

    def migration(self, source, target):
        words = [source, target, self.vm.directory(), VM, SYSTEM]
        if in_arguments(self.version):
            return words + [self.vm.encoded()], b""
        return words, self.vm.encoded().encode()

    def around(self, action, source, target, good=True, **environment):
        words, stdin = self.migration(source, target)
        return (self.good if good else self.tm)(action, *words, stdin=stdin, **environment)

    # The guest

    def boot(self):
        self.host = "h1"
        self.vm.tell(1, "h1")
        context = self.site.sources / "context.sh"
        context.write_text("ONE=1\n")
        for action, disk, image in (("clone", BOOT, 13), ("ln", DATA, 12)):
            self.good(action, f"fe:{self.images[image]}", f"h1:{self.vm.path(disk)}", VM, IMAGES)
        self.good("context", context, f"h1:{self.vm.path(CONTEXT)}", VM, SYSTEM)
        self.vm.tell(RUNNING)
        self.machines.put("h1", "/run/domain.xml", XML.format(
            name=DOMAIN, directory=self.vm.directory(), qemu=shutil.which("qemu-system-x86_64")))
        done = self.libvirts["h1"].run("create", "/run/domain.xml")
        expect(done.returncode == 0, f"no guest: {done.stderr}")

    def ticks(self, host):
        return int(self.machines.on(
            host, f"[ ! -e /run/{DOMAIN}.log ] || tr -cd . < /run/{DOMAIN}.log | wc -c") or 0)

    def seen(self, host=None):
        """The guest's count, as its disk on the host has it."""
        path = self.vm.path(BOOT)
        text = self.machines.on(host or self.host, f"dd if={path} iflag=direct skip=1 bs=512 "
                                                   "count=1 status=none | od -An -tu4 -N4")
        return int(text.split()[0])

    def goes_on(self, when, since=0):
        """On its host it runs and counts, from where it was; elsewhere it is not."""
        host, begun = self.host, time.monotonic()
        before = self.ticks(host)
        expect(wait_for(lambda: self.ticks(host) > before + 1, PATIENCE),
               f"{when}: no ticks on {host}: {self.libvirts[host].state()}")
        expect(self.libvirts[host].state() == "running", f"{when}: not running on {host}")
        expect(wait_for(lambda: self.seen() > since, PATIENCE),
               f"{when}: its disk has {self.seen()}, it was {since} before")
        for other in self.machines.lab.nodes:
            if other in self.libvirts and other != host and self.libvirts[other].process:
                expect(not self.libvirts[other].state(), f"{when}: also on {other}")
        return time.monotonic() - begun

    def disks(self, when):
        """Files and contents right after it, beside the running guest."""
        path = self.vm.path(BOOT)
        found = self.machines.on(self.host, f"stat -c %s {path}; tail -c +{MIB + 1} {path} | "
                                            f"head -c {24 * MIB} | sha256sum; "
                                            f"sha256sum < {self.vm.path(DATA)}").split()
        expect(found[0] == str(SECTORS * 512), f"{when}: disk 0 has {found[0]} bytes")
        expect(found[1] == sha256(self.filling), f"{when}: disk 0's content differs")
        expect(found[3] == sha256(self.data), f"{when}: the persistent disk's content differs")
        context = self.machines.there(self.host, self.vm.path(CONTEXT))
        expect(context == "file", f"{when}: no context")
        form = self.machines.there(self.host, self.vm.path(DATA))
        expect(form == ("link" if self.shared else "file"), f"{when}: disk 2 is a '{form}'")
        for other in ("h1", "h2"):
            if other == self.host or other not in self.machines.lab.nodes or self.shared:
                continue
            there = self.machines.there(other, self.vm.directory())
            expect(not there, f"{when}: the VM's directory is on {other} too")

    def one_instant(self, path, least, when):
        """A copy of the counting disk."""
        counts = [int(n) for sector in (1, SECTORS - 1) for n in self.machines.on(
            self.host, f"dd if={path} bs=512 skip={sector} count=1 status=none | od -An -tu4 -v"
        ).replace("*", "").split()]
        first, last = set(counts[:128]), set(counts[128:])
        expect(len(first) == len(last) == 1, f"{when}: a torn sector")
        first, last = first.pop(), last.pop()
        expect(first - last in (0, 1), f"{when}: not of one instant: {first}, {last}")
        expect(first >= least, f"{when}: too old: {first}, it was {least} before")

    def live(self, target, before=None):
        """oned's steps; what virsh says."""
        source = self.host
        self.vm.tell(MIGRATE, target)
        self.around("premigrate", source, target)
        done = self.hypervisor(source, target, before)
        if done.returncode:
            self.around("failmigrate", source, target)
            self.vm.tell(RUNNING, source)
        else:
            self.host = target
            self.around("postmigrate", source, target)
            self.vm.tell(RUNNING)
        return done

    def close(self):
        for host, libvirt in self.libvirts.items():
            if host in self.machines.lab.nodes:
                libvirt.run("destroy", DOMAIN)
                self.machines.on(host, f"umount {self.site.datastores}/{SYSTEM}; "
                                       f"rm -f /run/{DOMAIN}.log", check=False)
        self.site.close()


def sha256(data):
    return subprocess.run(["sha256sum"], input=data, capture_output=True,
                          check=True).stdout.decode().split()[0]


def boot_sector(work):
    run("as", "--32", "--defsym", f"LAST={SECTORS - 1}", "-o", work / "tick.o", HERE / "tick.S")
    run("ld", "-m", "elf_i386", "-Ttext", "0x7c00", "-o", work / "tick.elf", work / "tick.o")
    run("objcopy", "-O", "binary", work / "tick.elf", work / "tick.bin")
    return (work / "tick.bin").read_bytes()


# Stages; each leaves the guest running on a host


def there_and_back(play):
    for target in ("h2", "h1"):
        count = play.seen()
        done = play.live(target)
        expect(done.returncode == 0, f"virsh: {done.stderr.strip()}")
        play.disks(f"on {target}")
        play.goes_on(f"on {target}", count)


def copies_after_it(play):
    """The new host's libvirt is asked, the new host's disk is copied."""
    count = play.seen()
    done = play.live("h2")
    expect(done.returncode == 0, f"virsh: {done.stderr.strip()}")
    at = f"h2:{play.vm.path(BOOT)}"
    play.vm.tell(DISK_SNAPSHOT)
    play.good("snap_create_live", at, 3, VM, IMAGES)
    play.one_instant(f"{play.vm.path(BOOT)}.snap/3", count, "snapshot")
    play.goes_on("snapshot", count)
    play.vm.tell(HOTPLUG_SAVEAS)
    saved = f"{play.site.datastores}/{IMAGES}/image-99-0"
    with open(saved, "wb") as file:
        file.truncate(SECTORS * 512)
    count = play.seen()
    play.good("cpds", at, saved, -1, VM, IMAGES)
    play.one_instant(saved, count, "save-as")
    play.vm.tell(RUNNING)
    play.goes_on("save-as", count)
    # a disk with a snapshot goes too
    done = play.live("h1")
    expect(done.returncode == 0, f"virsh: {done.stderr.strip()}")
    play.one_instant(f"{play.vm.path(BOOT)}.snap/3", 0, "the snapshot on h1")
    play.disks("with a snapshot")
    play.goes_on("with a snapshot", count)


def fails(play):
    """The destination cannot start it: everything is as before, and the next try works."""
    source, target = play.host, "h2" if play.host == "h1" else "h1"
    count, libvirt = play.seen(), play.libvirts[target]
    if play.shared:
        def break_it():
            libvirt.stop()
    else:
        def break_it():
            play.machines.on(target, f"rm -f {play.vm.path(DATA)}")
    done = play.live(target, before=break_it)
    expect(done.returncode != 0, "the migration did not fail")
    expect(play.host == source, "it went")
    play.goes_on("after the failure", count)
    play.disks("after the failure")
    if play.shared:
        libvirt.launch()
    done = play.live(target)
    expect(done.returncode == 0, f"the next try: {done.stderr.strip()}")
    play.disks("the next try")
    play.goes_on("the next try", count)


def not_copied(play):
    """Before 6.0 the script copies nothing: with storage of their own it fails, and that is all."""
    count = play.seen()
    done = play.live("h2")
    expect(done.returncode != 0 and play.host == "h1", "it went without its disks")
    play.goes_on("after the failure", count)
    play.disks("after the failure")


def same_host(play):
    before = play.machines.on(play.host, f"find {play.vm.directory()} | sort")
    for action in ("premigrate", "postmigrate", "failmigrate"):
        play.vm.tell(MIGRATE)
        play.around(action, play.host, play.host)
        now = play.machines.on(play.host, f"find {play.vm.directory()} | sort")
        expect(now == before, f"{action} to the same host: {now}")
    play.vm.tell(RUNNING)
    play.goes_on("same host")


def killed(play):
    """The front-end dies at every step of the actions around; then they run again."""
    source, target = play.host, "h2" if play.host == "h1" else "h1"
    directory, steps = play.vm.directory(), 0
    play.vm.tell(MIGRATE, target)

    def walk(action, prepare):
        nonlocal steps
        for moment in ("kill-before", "kill-after"):
            for number in range(1, 100):
                prepare()
                done = play.around(action, source, target, good=False,
                                   ONEVOL_FAULT=f"{moment}:{number}")
                if done.returncode != -9:
                    expect(done.returncode == 0, f"{action} {moment}:{number}: {done.stderr}")
                    break
                steps += 1
                again = play.around(action, source, target, good=False)
                expect(again.returncode == 0, f"{action} after {moment}:{number}: {again.stderr}")
                yield f"{action} after {moment}:{number}"

    def left(host):
        return play.machines.on(host, f"find {directory} {directory}.part 2> /dev/null || true"
                                ).split()

    def stale():
        """What an earlier try may have left at the destination."""
        play.machines.on(target, f"mkdir -p {directory} && echo old > {directory}/disk.{BOOT}")

    for when in walk("premigrate", stale):
        expect(left(target) == [str(directory)], f"{when}: {left(target)}")
    for when in walk("failmigrate", stale):
        expect(not left(target), f"{when}: {left(target)}")
        play.disks(when)
    play.goes_on("killed before the migration")

    play.around("premigrate", source, target)
    done = play.hypervisor(source, target)
    expect(done.returncode == 0, f"virsh: {done.stderr.strip()}")
    play.host = target
    kept = "/var/tmp/kept"
    play.machines.on(source, f"rm -rf {kept}; cp -a {directory} {kept}")

    def again():
        play.machines.on(source, f"rm -rf {directory}; cp -a {kept} {directory}")

    for when in walk("postmigrate", again):
        expect(not left(source), f"{when}: {left(source)}")
        play.disks(when)
    play.machines.on(source, f"rm -rf {kept}")
    play.vm.tell(RUNNING)
    play.goes_on("killed after the migration")
    print(f"# {play.driver} {play.version}: {steps} kills", flush=True)
    expect(steps > 20, f"{steps} kills only")


def nowhere(play):
    """A destination that does not answer."""
    count, begun = play.seen(), time.monotonic()
    play.vm.tell(MIGRATE, "nowhere")
    done = play.around("premigrate", play.host, "nowhere", good=False)
    if play.shared:  # nobody there is asked
        expect(done.returncode == 0, done.stderr)
    else:
        expect(done.returncode and "'nowhere'" in done.stderr, f"premigrate: {done.stderr.strip()}")
    after = play.around("failmigrate", play.host, "nowhere", good=False)
    expect(play.shared or after.returncode, "failmigrate: no word of the host that is away")
    expect(time.monotonic() - begun < 20, f"it took {time.monotonic() - begun:.0f} s")
    play.vm.tell(RUNNING, play.host)
    play.disks("nowhere")
    play.goes_on("nowhere", count)


def source_dies(play):
    """After the guest has left, and before postmigrate: it goes on, and the next action works."""
    if play.host != "h1":
        play.live("h1")
    count = play.seen()
    play.vm.tell(MIGRATE, "h2")
    play.around("premigrate", "h1", "h2")
    done = play.hypervisor("h1", "h2")
    expect(done.returncode == 0, f"virsh: {done.stderr.strip()}")
    play.host, play.libvirts["h1"].process = "h2", None
    play.machines.lab.stop("h1")
    begun = time.monotonic()
    done = play.around("postmigrate", "h1", "h2", good=False)
    if play.shared:
        expect(done.returncode == 0, done.stderr)
    else:
        expect(done.returncode and "'h1'" in done.stderr, f"postmigrate: {done.stderr.strip()}")
    expect(time.monotonic() - begun < 20, f"it took {time.monotonic() - begun:.0f} s")
    play.disks("without h1")
    play.goes_on("without h1", count)
    play.vm.tell(DISK_SNAPSHOT)
    play.good("snap_create_live", f"h2:{play.vm.path(BOOT)}", 4, VM, IMAGES)
    play.one_instant(f"{play.vm.path(BOOT)}.snap/4", count, "snapshot without h1")
    play.goes_on("snapshot without h1", count)


def ends(play):
    """What the guest wrote on its last host is in the image; nothing else is left."""
    host, image = play.host, play.images[12]
    play.libvirts[host].run("destroy", DOMAIN)
    play.machines.on(host, f"dd if=/dev/urandom of={play.vm.path(DATA)} bs=4k count=2 conv=notrunc "
                           "status=none")
    wanted = play.machines.on(host, f"sha256sum < {play.vm.path(DATA)}")
    play.vm.tell(EPILOG)
    play.good("delete", f"{host}:{play.vm.path(BOOT)}", VM, IMAGES)
    play.good("mvds", f"{host}:{play.vm.path(DATA)}", image, VM, IMAGES)
    play.good("delete", f"{host}:{play.vm.directory()}", VM, SYSTEM)
    expect(play.machines.on("fe", f"sha256sum < {image}") == wanted, "the image is not the disk")
    for place in ("fe", *play.machines.lab.nodes):
        expect(not play.machines.there(place, play.vm.directory()), f"a directory left on {place}")


SOME = (there_and_back, copies_after_it, fails)
PLAYS = (("reflink", "5.8.5", (there_and_back, fails, same_host, ends)),
         ("reflink_local", "5.12.13", (not_copied,)),
         ("reflink_local", "6.4.0", (*SOME, ends)),
         ("reflink", "7.4.0", (*SOME, same_host, nowhere, source_dies, ends)),
         ("reflink_local", "7.4.0", (*SOME, same_host, nowhere, killed, ends)),
         ("reflink_local", "7.4.0", (source_dies, ends)))


def main(outer, onevol, *wanted):
    machines, tap = Machines(outer, ("one", "two")), Tap()
    try:
        libvirts = {host: Libvirt(machines, host) for host in ("h1", "h2")}
        sector = boot_sector(pathlib.Path("/mnt/lab"))
        for driver, version, stages in PLAYS:
            if wanted and not any(w in f"{driver} {version}" for w in wanted):
                continue
            play = Play(machines, libvirts, onevol, driver, version, sector)
            try:
                play.boot()
                play.goes_on("booted")
                for stage in stages:
                    begun = time.monotonic()
                    tap.case(f"{driver} {version}: {stage.__name__}", problem_of(stage, play))
                    print(f"# {time.monotonic() - begun:.1f} s", flush=True)
            except (Problem, AssertionError) as problem:
                tap.case(f"{driver} {version}: boot", problem)
            finally:
                play.close()
            if "h1" not in machines.lab.nodes:
                machines.revive("h1")
                libvirts["h1"] = Libvirt(machines, "h1")
    finally:
        machines.lab.close()
    return tap.finish()


def problem_of(stage, play):
    try:
        stage(play)
        return None
    except (Problem, AssertionError) as problem:
        return str(problem) or "?"
    except Exception:  # a case that breaks is a failure like others
        return traceback.format_exc()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(start(os.path.abspath(__file__), main, TOOLS))
