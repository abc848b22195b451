#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Our disks in system datastores of other drivers, and other drivers' disks in ours.

Stock ssh, shared and qcow2 are played here by what they do to directories (OpenNebula's
src/tm_mad/{ssh,shared,qcow2,common} of 5.4, 6.4 and 7.4), on two hosts. The calls come in oned's
order. The other way round, stubs in remotes/tm record what they are called
with.

usage: foreign_sds.py ONEVOL [CASE...]
"""
import os
import sys
import traceback

sys.dont_write_bytecode = True
from played_site import Tap  # noqa: E402
from twohosts import Machines, Vm, in_arguments, start  # noqa: E402

IMAGES, SYSTEM, SYSTEM2 = 103, 102, 105
VM = 7
MIB = 1 << 20
# LCM states of include/VirtualMachine.h
PROLOG, RUNNING, MIGRATE, PROLOG_MIGRATE, PROLOG_RESUME, EPILOG_STOP, EPILOG = 1, 3, 4, 8, 9, 10, 11
EPILOG_UNDEPLOY, PROLOG_UNDEPLOY, MIGRATE_UNKNOWN = 30, 31, 60
SNAPSHOT_POWEROFF, REVERT_POWEROFF = 51, 52

STUB = """#!/bin/sh
me=$(basename $(dirname $0))
number=$(ls {records} | wc -l)
record={records}/$(printf %02d $number)-$me-$(basename $0)
for word; do echo "$word"; done > $record
cat > $record.stdin
! [ -e {records}.fail/$me ] || {{ echo "ERROR: $me is in a bad mood" >&2; exit 3; }}
"""


class Problem(Exception):
    pass


def expect(condition, *what):
    if not condition:
        raise Problem("; ".join(str(w) for w in what))


class Stock:
    """A stock driver's part: directories, volatile disks, the context."""

    def __init__(self, play, name):
        self.play, self.name, self.machines = play, name, play.machines
        self.shared = name != "ssh"
        self.new = not in_arguments(play.version)

    def on(self, host, script):
        return self.machines.on(host, script)

    def make_path(self, host, directory):
        """ssh_make_path, and the mark for host-side monitoring."""
        self.on(host, f"mkdir -p {directory}")
        if not self.shared:
            self.on(host, f"echo ssh > {os.path.dirname(directory)}/.monitor")

    def mkimage(self, host, path):
        self.make_path(host, os.path.dirname(path))
        self.on(host, f"truncate -s 1M {path}")

    def context(self, host, path):
        self.on(host, f"mkdir -p {os.path.dirname(path)} && echo context > {path}")

    def delete(self, host, directory):
        self.on(host, f"[ ! -e {directory} ] || rm -rf {directory}")

    def mv(self, source, directory, target, to, lcm_state):
        if self.shared:
            if directory != to:
                self.on(target, f"mv {directory} {to}")
            return
        if lcm_state == MIGRATE_UNKNOWN or (source, directory) == (target, to):
            return
        self.on(target, f"mkdir -p {to.parent} && echo ssh > {to.parent}/.monitor")
        self.on(target, f"rm -rf {to}")
        self.machines.pipe((source, f"tar -C {directory.parent} --sparse -cf - {directory.name}"),
                           (target, f"tar -C {to.parent} --sparse -xf -"))
        self.on(source, f"rm -rf {directory}")

    def chain(self, action, source, target):
        """migrate_other; what the others say does not count there."""
        return self.play.chained(action, source, target, self.name)

    def premigrate(self, source, target):
        if source == target:
            return
        if not self.shared and self.new:
            self.on(target, f"rm -rf {self.play.vm.directory()}")
        self.chain("premigrate", source, target)

    def postmigrate(self, source, target):
        if source == target:
            return
        self.chain("postmigrate", source, target)
        if not self.shared and self.new:
            self.on(source, f"rm -rf {self.play.vm.directory()}")

    def failmigrate(self, source, target):
        pass


class Ours:
    """A system datastore of our own driver, under the same calls."""

    def __init__(self, play, name):
        self.play, self.name = play, name
        self.shared = name == "reflink"

    def tm(self, action, *words, **more):
        self.play.good(self.play.tm(self.name, action, *words, **more), action)

    def mkimage(self, host, path):
        self.tm("mkimage", 1, "raw", f"{host}:{path}", VM, self.play.vm.system)

    def context(self, host, path):
        self.tm("context", self.play.context_file, f"{host}:{path}", VM, self.play.vm.system)

    def delete(self, host, directory):
        self.tm("delete", f"{host}:{directory}", VM, self.play.vm.system)

    def mv(self, source, directory, target, to, lcm_state):
        self.tm("mv", f"{source}:{directory}", f"{target}:{to}", VM, self.play.vm.system)

    def migrate(self, action, source, target):
        words, stdin = self.play.migration(source, target)
        self.tm(action, *words, stdin=stdin)

    def premigrate(self, source, target):
        self.migrate("premigrate", source, target)

    def postmigrate(self, source, target):
        self.migrate("postmigrate", source, target)

    def failmigrate(self, source, target):
        self.migrate("failmigrate", source, target)


class Play:
    """One VM with a persistent disk, a private one, a volatile one, a CD-ROM and a context."""

    PERSISTENT, PRIVATE, VOLATILE, CDROM, CONTEXT = range(5)

    def __init__(self, machines, onevol, version, system, driver="reflink", ln_target="NONE",
                 private=True):
        self.machines, self.version, self.driver = machines, version, driver
        ours = system.startswith("reflink")
        self.site = machines.site(onevol, version, driver, [system] if ours else [])
        self.copies = ln_target == "SYSTEM"
        self.images = {n: f"{self.site.datastores}/{IMAGES}/image-{n}-0" for n in (12, 13, 14)}
        self.context_file = self.site.sources / "context.sh"
        self.context_file.write_text("ONE=1\n")
        for path in self.images.values():
            with open(path, "wb") as file:
                file.write(os.urandom(MIB))
                file.truncate(4 * MIB)
        for number, kind, name in ((IMAGES, 0, driver), (SYSTEM, 1, system), (SYSTEM2, 1, system)):
            (self.site.datastores / str(number)).mkdir(exist_ok=True)
            self.site.oned_knows("datastore", number, (
                f"<DATASTORE><ID>{number}</ID><NAME>d</NAME><TYPE>{kind}</TYPE><TM_MAD>{name}"
                f"</TM_MAD><BASE_PATH>{self.site.datastores}/{number}</BASE_PATH><TEMPLATE/>"
                "</DATASTORE>"))
        self.vm = Vm(self.site, VM, SYSTEM, system, self.documents(system, ln_target, private))
        self.mine = [d for d in (self.PERSISTENT, self.PRIVATE, self.CDROM)
                     if private or d != self.PRIVATE]
        self.stock = (Ours if ours else Stock)(self, system)
        self.own_storage = not self.stock.shared
        if self.own_storage:
            for host in ("h1", "h2"):
                for number in (SYSTEM, SYSTEM2):
                    machines.own(host, f"{self.site.datastores}/{number}")
        self.host, self.content = None, {}
        self.leaks = False  # a directory that stock leaves

    def documents(self, system, ln_target, private):
        def image(disk, number, **more):
            return {"DISK_ID": disk, "IMAGE_ID": number, "DATASTORE_ID": IMAGES, "FORMAT": "raw",
                    "SOURCE": self.images[number], "TM_MAD": self.driver, "SIZE": 4,
                    "ORIGINAL_SIZE": 4, "TYPE": "FILE", "LN_TARGET": ln_target, "CLONE": "NO",
                    "CLONE_TARGET": "SYSTEM", "TM_MAD_SYSTEM": system, **more}

        both = [image(self.PERSISTENT, 12, SAVE="YES", PERSISTENT="YES"),
                image(self.PRIVATE, 13, CLONE="YES", SAVE="NO", SIZE=6),
                {"DISK_ID": self.VOLATILE, "TYPE": "fs", "FORMAT": "raw", "SIZE": 1,
                 "TM_MAD": system},
                image(self.CDROM, 14, SAVE="NO", READONLY="YES", TYPE="CDROM")]
        return both if private else [both[0], both[2], both[3]]

    # What oned and its drivers call

    def tm(self, driver, action, *words, **more):
        self.site.name = driver
        return self.site.run("tm", action, *words, **more)

    @staticmethod
    def good(done, action):
        expect(done.returncode == 0, f"{action}: {done.stderr.strip()}")
        return done

    def ours(self, action, *words, **more):
        return self.good(self.tm(self.driver, action, *words, **more), action)

    def migration(self, source, target):
        """Arguments and stdin of premigrate and its kind."""
        words = [source, target, self.vm.directory(), VM, self.vm.system]
        if in_arguments(self.version):
            return words + [self.vm.encoded()], b""
        return words, self.vm.encoded().encode()

    def chained(self, action, source, target, caller):
        words, stdin = self.migration(source, target)
        return self.ours(action, *words, caller, stdin=stdin)

    def at(self, disk, host=None, system=None):
        return f"{host or self.host}:{self.vm.path(disk, system)}"

    # What must be true

    def digest(self, host, disk):
        return self.machines.on(host, f"sha256sum < {self.vm.path(disk)}").split()[0]

    def image_digest(self, number):
        return self.machines.on("fe", f"sha256sum < {self.images[number]}").split()[0]

    def write(self, *disks):
        """The guest does."""
        for disk in disks or (d for d in self.mine if d != self.CDROM):
            self.machines.on(self.host, f"dd if=/dev/urandom of={self.vm.path(disk)} bs=4k seek=64 "
                                        "count=4 conv=notrunc status=none")
            self.content[disk] = self.digest(self.host, disk)

    def look(self, when, host=None):
        """Each disk is what it was, on the VM's host."""
        host = host or self.host
        for disk in self.mine:
            form = self.machines.there(host, self.vm.path(disk))
            linked = disk != self.PRIVATE and not self.copies
            expect(form == ("link" if linked else "file"), f"{when}: disk {disk} is a '{form}'")
            if linked:
                text = self.machines.on(host, f"readlink {self.vm.path(disk)}").strip()
                expect(text == self.images[12 if disk == self.PERSISTENT else 14],
                       f"{when}: disk {disk} leads to {text}")
            expect(self.digest(host, disk) == self.content[disk], f"{when}: disk {disk} differs")
        marker = f"{self.site.datastores}/{self.vm.system}/.monitor"
        seen = self.machines.on(host, f"cat {marker} 2>/dev/null || true").strip()
        expect(host == "fe" or seen == (self.stock.name if self.own_storage else ""),
               f"{when}: .monitor on {host} says '{seen}'")

    # oned's sequences

    def deploy(self, host):
        self.host = host
        self.vm.tell(PROLOG, host)
        for disk in self.mine:
            action = "clone" if disk == self.PRIVATE else "ln"
            image = {self.PERSISTENT: 12, self.PRIVATE: 13, self.CDROM: 14}[disk]
            if disk == self.CDROM:
                self.stock.mkimage(host, self.vm.path(self.VOLATILE))
            self.ours(action, f"fe:{self.images[image]}", self.at(disk), VM, IMAGES)
            self.content[disk] = self.digest(host, disk)
        self.stock.context(host, self.vm.path(self.CONTEXT))
        self.vm.tell(RUNNING)
        self.look("deploy")

    def move(self, what, lcm_state, target, system=None):
        """A line for each disk, then the directory's."""
        source, old = self.host, self.vm.system
        new = system or old
        kept = {d: self.machines.there(source, self.vm.path(d, old)) for d in self.mine}
        before = self.machines.there(target, self.vm.directory(new))
        self.vm.tell(lcm_state, target, new)
        for disk in self.mine:
            self.ours("mv", self.at(disk, source, old), self.at(disk, target, new), VM, IMAGES)
            now = self.machines.there(source, self.vm.path(disk, old))
            expect(now == kept[disk], f"{what}: mv of disk {disk} left '{now}' at the source")
        if (source, old) != (target, new) and (self.own_storage or old != new):
            there = self.machines.there(target, self.vm.directory(new))
            expect(there == before, f"{what}: mv of disks made the destination's directory")
        self.stock.mv(source, self.vm.directory(old), target, self.vm.directory(new), lcm_state)
        self.host = target
        if target != "fe":
            self.stock.context(target, self.vm.path(self.CONTEXT))
        self.look(what)

    def hypervisor(self, source, target, of_site=False):
        """vmm/kvm/migrate: for SHARED=NO since 6.0 it copies files and makes links anew. A script
        of the site's own may do so before."""
        directory = self.vm.directory()
        if not self.own_storage or source == target:
            return
        if in_arguments(self.version) and not of_site:
            files = self.machines.on(source, f"find {directory} -name 'disk.*' -type f").split()
            expect(all(f.endswith((f".{self.VOLATILE}", f".{self.CONTEXT}")) for f in files),
                   "this hypervisor's script copies no disks")
        self.machines.on(target, f"mkdir -p {directory}")
        self.machines.pipe((source, f"cd {directory} && find . -type f | tar -cSf - -T -"),
                           (target, f"tar -C {directory} -xSf -"))

    def live(self, target, fails=False):
        source = self.host
        self.vm.tell(MIGRATE, target)
        self.stock.premigrate(source, target)
        for disk in (self.PERSISTENT, self.CDROM) if not self.copies else ():
            expect(self.machines.there(target, self.vm.path(disk)) == "link",
                   f"premigrate: disk {disk} is not on {target}")
        if fails:
            if self.own_storage and not in_arguments(self.version):
                self.machines.on(target, f"rm -rf {self.vm.directory()}")
            self.stock.failmigrate(source, target)
            self.vm.tell(RUNNING, source)
            self.look("failed live migration")
            return
        self.hypervisor(source, target)
        self.stock.postmigrate(source, target)
        self.host = target
        self.vm.tell(RUNNING)
        if self.stock.name == "ssh" and not self.stock.new:
            self.leaks = True  # its postmigrate removes nothing
            self.machines.on(target, f"echo ssh > {self.vm.directory().parent}/.monitor")
        elif self.stock.name == "ssh":  # the next clone or mv of stock's does that
            self.machines.on(target, f"[ -e {self.vm.directory().parent}/.monitor ] || "
                                     f"echo ssh > {self.vm.directory().parent}/.monitor")
        self.look("live migration")

    def terminate(self, named=None, delete_on=None, broken=False):
        """`named` is the host of the lines, where it is not the disks'. A broken end has no line
        for the directory."""
        host = named or self.host
        self.vm.tell(EPILOG)
        for disk in self.mine:
            if disk == self.PERSISTENT:
                self.ours("mvds", self.at(disk, host), self.images[12], VM, IMAGES)
            else:
                self.ours("delete", self.at(disk, host), VM, IMAGES)
        if not broken:
            self.stock.delete(delete_on or host, self.vm.directory())
        expect(self.image_digest(12) == self.content[self.PERSISTENT],
               "the image has not the disk's content")
        expect(self.image_digest(14) == self.content[self.CDROM], "the CD-ROM's image changed")
        for place in ("fe", *self.machines.lab.nodes) if not broken and not self.leaks else ():
            left = self.machines.on(place, f"ls -A {self.vm.directory()} 2>/dev/null || true")
            expect(not left, f"left on {place}: {left}")

    def close(self):
        if self.own_storage:
            for host in ("h1", "h2"):
                self.machines.on(host, f"umount {self.site.datastores}/{SYSTEM} "
                                       f"{self.site.datastores}/{SYSTEM2}", check=False)
        self.site.close()


# Our disks in their directories


def whole_life(play):
    play.deploy("h1")
    play.write()
    snapshots = play.PRIVATE in play.mine
    if snapshots:
        play.vm.tell(SNAPSHOT_POWEROFF)
        play.ours("snap_create", play.at(play.PRIVATE), 3, VM, IMAGES)
        kept = play.content[play.PRIVATE]
    play.write()
    play.move("stop", EPILOG_STOP, "fe")
    play.move("resume", PROLOG_RESUME, "h2")
    play.write()
    play.move("undeploy", EPILOG_UNDEPLOY, "fe")
    play.move("deploy again", PROLOG_UNDEPLOY, "h1")
    play.move("cold migration", PROLOG_MIGRATE, "h2")
    play.write()
    play.move("cold migration back", PROLOG_MIGRATE, "h1")
    play.move("to another datastore", PROLOG_MIGRATE, "h1", SYSTEM2)
    play.move("to another host and datastore", PROLOG_MIGRATE, "h2", SYSTEM)
    if snapshots:
        play.vm.tell(REVERT_POWEROFF)
        play.ours("snap_revert", play.at(play.PRIVATE), 3, VM, IMAGES)
        play.content[play.PRIVATE] = kept
        play.look("revert")
    play.terminate()


def live_life(play):
    """Running guests."""
    play.deploy("h1")
    play.write()
    play.live("h2", fails=True)
    play.write()
    play.live("h2")
    play.write()
    play.live("h1")
    play.live("h1")  # to itself: nothing
    play.terminate()


def only_failing(play):
    """Where the hypervisor's script copies nothing a VM with private disks stays."""
    play.deploy("h1")
    play.live("h2", fails=True)
    play.write()
    play.move("cold migration after it", PROLOG_MIGRATE, "h2")
    play.terminate()


def stopped_end(play):
    play.deploy("h1")
    play.write()
    play.move("stop", EPILOG_STOP, "fe")
    play.terminate()


def end_names_last_host(play):
    """EPILOG tried again for a stopped VM: the lines name the host, the data is on fe."""
    play.deploy("h1")
    play.write()
    play.move("stop", EPILOG_STOP, "fe")
    play.terminate(named="h1", delete_on="fe")


def recreated(play):
    """oned forgets a stopped VM's directory; its second life must not see the first one's disks."""
    play.deploy("h1")
    play.write()
    play.move("stop", EPILOG_STOP, "fe")
    play.machines.on("fe", f"dd if=/dev/zero of={play.images[12]} bs=4k count=1 conv=notrunc "
                           "status=none")
    play.deploy("h2")
    play.write()
    play.terminate(broken=True)
    play.ours("mvds", play.at(play.PERSISTENT, "h2"), play.images[12], VM, IMAGES)
    expect(play.image_digest(12) == play.content[play.PERSISTENT],
           "mvds again brought back the first life's content")
    play.stock.delete("h2", play.vm.directory())


def dead_host(play):
    """The host dies, the VM is migrated away from it: nobody may ask it."""
    play.deploy("h1")
    play.write()
    play.machines.lab.stop("h1")
    try:
        play.vm.tell(MIGRATE_UNKNOWN, "h2")
        for disk in play.mine:
            words = [play.at(disk, "h1"), play.at(disk, "h2"), VM, IMAGES]
            done = play.tm(play.driver, "mv", *words)
            lost = play.own_storage and (disk == play.PRIVATE or play.copies)
            expect(done.returncode != 0 if lost else done.returncode == 0,
                   f"mv of disk {disk}: exit {done.returncode}: {done.stderr.strip()}")
            expect(not lost or "has the only copy of disk" in done.stderr, done.stderr.strip())
            expect(done.seconds < 5, f"mv of disk {disk} took {done.seconds:.1f} s")
        if play.own_storage and (play.copies or play.PRIVATE in play.mine):
            return
        play.stock.mv("h1", play.vm.directory(), "h2", play.vm.directory(), MIGRATE_UNKNOWN)
        play.host = "h2"
        play.stock.context("h2", play.vm.path(play.CONTEXT))
        if play.own_storage:
            play.machines.on("h2", f"echo ssh > {play.vm.directory().parent}/.monitor")
        play.look("after the host's death")
        play.terminate()
    finally:
        play.machines.revive("h1")


def lost_link(play):
    """A link that is gone comes back: where another driver chains, or we make the context."""
    play.deploy("h1")
    path = play.vm.path(play.PERSISTENT)
    if isinstance(play.stock, Ours):
        play.machines.on("h1", f"rm {path}")
        play.stock.context("h1", play.vm.path(play.CONTEXT))
        play.look("context")
        os.rename(play.images[12], play.images[12] + "-away")
        play.machines.on("h1", f"rm {path}")
        done = play.tm(play.stock.name, "context", play.context_file,
                       play.at(play.CONTEXT), VM, SYSTEM)
        os.rename(play.images[12] + "-away", play.images[12])
        expect(done.returncode and "image" in done.stderr, "a link to nothing", done.stderr)
    else:
        play.machines.on("h1", f"rm {path}")
        play.vm.tell(MIGRATE, "h2")
        play.chained("premigrate", "h1", "h2", play.stock.name)
        expect(play.machines.there("h2", path) == "link", "premigrate did not bring the link")
        if not play.own_storage:
            return
        play.machines.on("h2", f"rm {path}")  # vmm/kvm/migrate of 7.2 to another datastore
        play.chained("postmigrate", "h1", "h2", play.stock.name)
        expect(play.machines.there("h2", path) == "link", "postmigrate did not bring the link")


# Their disks in our directory


class Others:
    """Stubs of other drivers beside ours."""

    def __init__(self, machines, onevol, version, driver):
        self.play = Play(machines, onevol, version, driver, driver,
                         "SYSTEM" if driver == "reflink_local" else "NONE")
        play = self.play
        self.records = play.site.root / "records"
        self.failing = play.site.root / "records.fail"
        self.records.mkdir()
        self.failing.mkdir()
        for name in ("ceph", "lvm_of-site", "bare"):
            (play.site.remotes / "tm" / name).mkdir()
            for action in ("premigrate", "postmigrate", "failmigrate") if name != "bare" else ():
                stub = play.site.remotes / "tm" / name / action
                stub.write_text(STUB.format(records=self.records))
                stub.chmod(0o755)
        for number, name in enumerate(("ceph", "lvm_of-site", "ceph", "bare", ""), 10):
            play.vm.disks.append({"DISK_ID": number, "IMAGE_ID": number, "TYPE": "RBD",
                                  "SOURCE": f"one/{number}", "TM_MAD": name, "CLONE": "NO"})

    def run(self, action, *more):
        words, stdin = self.play.migration("h1", "h2")
        for old in self.records.iterdir():
            old.unlink()
        return self.play.tm(self.play.driver, action, *words, *more, stdin=stdin)

    def called(self):
        return [p.name[3:] for p in sorted(self.records.iterdir()) if p.suffix != ".stdin"]

    def check(self, action):
        play, done = self.play, self.run(action)
        expect(done.returncode == 0, f"{action}: {done.stderr.strip()}")
        expect(self.called() == [f"ceph-{action}", f"lvm_of-site-{action}"],
               f"{action} called {self.called()}")
        words, stdin = play.migration("h1", "h2")
        for record in self.records.glob(f"*-{action}"):
            seen = record.read_text().splitlines()
            expect(seen == [str(w) for w in [*words, play.driver]], f"{record.name}: {seen}")
            said = (self.records / f"{record.name}.stdin").read_bytes()
            expect(said == stdin, f"{record.name}: stdin of {len(said)} bytes, not {len(stdin)}")


def chain(others):
    play = others.play
    play.deploy("h1")
    play.vm.tell(MIGRATE, "h2")
    for action in ("premigrate", "failmigrate", "premigrate"):
        others.check(action)
    play.hypervisor("h1", "h2", of_site=True)
    others.check("postmigrate")
    play.look("the whole of it", "h2" if play.own_storage else "h1")


def chain_fails(others):
    play = others.play
    play.deploy("h1")
    play.vm.tell(MIGRATE, "h2")
    (others.failing / "lvm_of-site").touch()
    for action in ("premigrate", "failmigrate", "postmigrate"):
        if action == "postmigrate":
            play.hypervisor("h1", "h2", of_site=True)
        done = others.run(action)
        expect(done.returncode != 0, f"{action} does not fail")
        expect("driver 'lvm_of-site': " in done.stderr, f"{action}: {done.stderr.strip()}")
        expect(len(others.called()) == 2, f"{action} called {others.called()}")
    play.look("all failed")  # postmigrate too, so the source is still whole


def chained_is_last(others):
    """Who is called by another driver calls nobody; a name that leaves remotes/tm is refused."""
    play = others.play
    play.deploy("h1")
    play.vm.tell(MIGRATE, "h2")
    for action in ("premigrate", "postmigrate", "failmigrate"):
        done = others.run(action, "ssh")
        expect(done.returncode == 0 and not others.called(),
               f"{action} for ssh: {done.stderr.strip()} {others.called()}")
    play.look("nothing of ours is touched")
    play.vm.disks.append({"DISK_ID": 20, "TM_MAD": "../datastore/ceph"})
    play.vm.tell(MIGRATE)
    done = others.run("premigrate")
    expect(done.returncode != 0 and "is no name of a driver" in done.stderr, done.stderr.strip())


def postmigrate_keeps(play):
    """What the hypervisor's script has left out is not removed with the directory."""
    play.deploy("h1")
    play.write()
    play.vm.tell(SNAPSHOT_POWEROFF)
    play.ours("snap_create", play.at(play.PRIVATE), 3, VM, IMAGES)
    play.vm.tell(MIGRATE, "h2")
    directory = play.vm.directory()
    for left_out in (f"disk.{play.PRIVATE}", f"disk.{play.PRIVATE}.snap/3"):
        play.stock.premigrate("h1", "h2")
        play.hypervisor("h1", "h2")
        play.machines.on("h2", f"rm {directory}/{left_out}")
        words, stdin = play.migration("h1", "h2")
        done = play.tm(play.stock.name, "postmigrate", *words, stdin=stdin)
        expect(done.returncode and left_out in done.stderr, f"without {left_out}: {done.stderr}")
        play.look(f"postmigrate without {left_out}")
    play.stock.premigrate("h1", "h2")
    play.hypervisor("h1", "h2")
    play.stock.postmigrate("h1", "h2")
    expect(not play.machines.there("h1", directory), "the source's directory is still there")
    play.host = "h2"
    play.look("a whole one")
    play.vm.tell(REVERT_POWEROFF)
    play.ours("snap_revert", play.at(play.PRIVATE), 3, VM, IMAGES)
    play.terminate()


def cases():
    """name: (what, version, system datastore's driver, more of Play)."""
    found = {}

    def add(what, version, system, **more):
        about = ", ".join(f"{k}={v}" for k, v in more.items())
        name = f"{what.__name__}: in {system} {version}{' with ' + about if about else ''}"
        found[name] = (what, version, system, more)

    for version, system in (("5.4.0", "ssh"), ("6.4.0", "ssh"), ("7.4.0", "ssh"),
                            ("5.4.0", "shared"), ("6.4.0", "shared"), ("7.4.0", "qcow2")):
        add(whole_life, version, system)
    add(whole_life, "7.4.0", "ssh", ln_target="SYSTEM")
    add(live_life, "5.4.0", "ssh", private=False)
    add(only_failing, "5.4.0", "ssh")
    add(live_life, "6.4.0", "ssh")
    add(live_life, "7.4.0", "ssh", ln_target="SYSTEM")
    add(live_life, "5.4.0", "shared")
    add(live_life, "7.4.0", "qcow2")
    for system, more in (("ssh", {}), ("ssh", {"ln_target": "SYSTEM"}), ("shared", {})):
        for what in (stopped_end, end_names_last_host, dead_host):
            add(what, "7.4.0", system, **more)
    add(dead_host, "7.4.0", "ssh", private=False)
    add(recreated, "7.4.0", "ssh", ln_target="SYSTEM")
    add(lost_link, "5.4.0", "ssh")
    add(lost_link, "7.4.0", "shared")
    add(lost_link, "7.4.0", "reflink")
    # up to 5.6 any two drivers may meet
    add(whole_life, "5.4.0", "ssh", driver="reflink_local", ln_target="SYSTEM")
    add(whole_life, "5.4.0", "shared", driver="reflink_local", ln_target="SYSTEM")
    # two of ours
    for what in (whole_life, live_life, end_names_last_host, postmigrate_keeps):
        add(what, "7.4.0", "reflink_local", ln_target="SYSTEM")
    add(whole_life, "5.4.0", "reflink_local", ln_target="NONE")
    add(live_life, "7.4.0", "reflink_local", ln_target="NONE")
    for version in ("5.4.0", "5.8.0", "5.10.0", "7.4.0"):
        add(chain, version, "reflink")
    for what in (chain, chain_fails, chained_is_last):
        for version in ("5.8.0", "7.4.0"):
            add(what, version, "reflink_local")
    for what in (chain_fails, chained_is_last):
        add(what, "7.4.0", "reflink")
    return found


def main(outer, onevol, *wanted):
    machines, tap = Machines(outer), Tap()
    try:
        for name, (what, version, system, more) in cases().items():
            if wanted and not any(text in name for text in wanted):
                continue
            others = what in (chain, chain_fails, chained_is_last)
            subject = (Others if others else Play)(machines, onevol, version, system, **more)
            play = subject.play if others else subject
            try:
                what(subject)
                tap.case(name)
            except (Problem, AssertionError) as problem:
                tap.case(name, problem)
            except Exception:  # a case that breaks is a failure like others
                tap.case(name, traceback.format_exc())
            finally:
                play.close()
    finally:
        machines.lab.close()
    return tap.finish()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(start(os.path.abspath(__file__), main))
