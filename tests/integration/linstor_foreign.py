#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""LINSTOR disks in system datastores of stock's ssh, shared and qcow2, as LINBIT's driver is used most:
directories are theirs, devices are ours. Stock is played as in foreign_sds.py.

usage: linstor_foreign.py ONEVOL [CASE...]
"""
import os
import sys

sys.dont_write_bytecode = True
import foreign_sds  # noqa: E402
from foreign_sds import MIB, Play, Stock, expect  # noqa: E402
from linstor_site import IMAGES, MIGRATE_UNKNOWN, SYSTEM, SYSTEM2, VM, Cloud, machines, program, sha  # noqa: E402
from played_site import Tap  # noqa: E402
from twohosts import Vm  # noqa: E402

SIZES = {Play.PERSISTENT: 4, Play.PRIVATE: 6, Play.CDROM: 4}
IMAGE_OF = {Play.PERSISTENT: 12, Play.PRIVATE: 13, Play.CDROM: 14}


class Devices(Play):
    """The same VM; its disks are devices, the private one too."""

    def __init__(self, around, onevol, version, system,  # pylint: disable=super-init-not-called
                 driver="linstor"):
        self.machines, self.version, self.driver, self.copies = around, version, driver, False
        self.cloud = Cloud(around, onevol, driver, version, system)
        self.site, names = self.cloud.site, self.cloud.names
        self.images = {number: names.source(number) for number in (12, 13, 14)}
        for number in self.images:
            self.cloud.resource(names.image(number), ["store"], mib=4,
                                content=os.urandom(MIB) + bytes(3 * MIB))
            self.cloud.tell_image(number, size=4, kind=1 if number == 14 else 0)
        self.names = {self.PERSISTENT: names.image(12), self.CDROM: names.image(14),
                      self.PRIVATE: names.disk(VM, self.PRIVATE, 13)}
        self.context_file = self.cloud.context_file
        self.vm = Vm(self.site, VM, SYSTEM, system, self.documents(system, "NONE", True))
        self.cloud.vm = self.vm
        self.mine = [self.PERSISTENT, self.PRIVATE, self.CDROM]
        self.stock = Stock(self, system)
        self.own_storage = not self.stock.shared
        for host in ("h1", "h2") if self.own_storage else ():
            for number in (SYSTEM, SYSTEM2):
                around.own(host, f"{self.site.datastores}/{number}")
        self.host, self.content, self.leaks, self.failed_there = None, {}, False, False

    def documents(self, system, ln_target, private):
        found = super().documents(system, ln_target, private)
        for disk in found:
            if "IMAGE_ID" in disk:
                disk.update(CLONE_TARGET="SELF", DISK_TYPE="BLOCK", DRIVER="raw")
        return found

    def digest(self, host, disk):
        return self.cloud.digest(host, disk, length=SIZES[disk] * MIB)

    def image_digest(self, number):
        return sha(self.cloud.content(self.cloud.names.image(number))[:4 * MIB])

    def look(self, when, host=None):
        host = host or self.host
        for disk in self.mine:
            name = self.names[disk]
            if host == "fe":
                expect(not self.cloud.attached(name), f"{when}: '{name}' is still attached")
                found = sha(self.cloud.content(name)[:SIZES[disk] * MIB])
            else:
                text = self.cloud.link(host, disk)
                expect(text == f"/dev/drbd/by-res/{name}/0", f"{when}: disk {disk} leads to '{text}'")
                found = self.digest(host, disk)
                attached = self.cloud.attached(name)
                expect(set(attached) <= {host} or self.failed_there, f"{when}: '{name}' is attached to {attached}")
            expect(found == self.content[disk], f"{when}: disk {disk} differs")
        violations = self.cloud.lab.violations()
        expect(not violations, f"{when}: DRBD would not have allowed {violations}")

    def move(self, what, lcm_state, target, system=None):
        source, old = self.host, self.vm.system
        new = system or old
        self.vm.tell(lcm_state, target, new)
        for disk in self.mine:
            self.ours("mv", self.at(disk, source, old), self.at(disk, target, new), VM, IMAGES)
        self.stock.mv(source, self.vm.directory(old), target, self.vm.directory(new), lcm_state)
        self.host = target
        if target != "fe":
            self.stock.context(target, self.vm.path(self.CONTEXT))
        self.look(what)

    def live(self, target, fails=False):
        """Both ends have devices in between, and two may write."""
        self.failed_there = fails  # stock's failmigrate tells nobody
        super().live(target, fails)
        if fails:
            return
        two = [n for n, v in self.cloud.volumes().items() if v["two_primaries"]]
        expect(not two, f"after it two may write to {two}")

    def hypervisor(self, source, target, of_site=False):
        for disk in self.mine:
            volume = self.cloud.volumes()[self.names[disk]]
            expect(self.digest(target, disk) == self.content[disk], f"disk {disk} is not on {target}")
            expect(source == target or disk == self.CDROM or volume["two_primaries"],
                   f"two may not write to disk {disk}")
        super().hypervisor(source, target, of_site)

    def terminate(self, named=None, delete_on=None, broken=False):
        super().terminate(named, delete_on, broken)
        if not broken:
            self.cloud.nothing_left(*(self.cloud.names.image(n) for n in (12, 13, 14)))

    def close(self):
        for host in ("h1", "h2") if self.own_storage else ():
            for number in (SYSTEM, SYSTEM2):
                self.machines.on(host, f"umount -l {self.site.datastores}/{number}", check=False)
        self.cloud.close()


def dead_host(play):
    """Its disks are in LINSTOR: they go on elsewhere, and nobody asks the dead one."""
    play.deploy("h1")
    play.write()
    play.machines.lab.stop("h1")
    play.cloud.sim.hook("node", name="h1", online=False)
    try:
        play.vm.tell(MIGRATE_UNKNOWN, "h2")
        for disk in play.mine:
            done = play.tm(play.driver, "mv", play.at(disk, "h1"), play.at(disk, "h2"), VM, IMAGES)
            expect(done.returncode == 0, f"mv of disk {disk}: {done.stderr.strip()}")
            expect(done.seconds < 10, f"mv of disk {disk} took {done.seconds:.1f} s")
        play.stock.mv("h1", play.vm.directory(), "h2", play.vm.directory(), MIGRATE_UNKNOWN)
        play.host = "h2"
        play.stock.context("h2", play.vm.path(play.CONTEXT))
        for disk in play.mine:
            expect(play.digest("h2", disk) == play.content[disk], f"disk {disk} differs")
        play.leaks = True
        foreign_sds.Play.terminate(play)
    finally:
        play.cloud.sim.hook("node", name="h1", online=True)
        play.machines.revive("h1")


def cases():
    found = {}

    def add(what, version, system):
        found[f"{what.__name__}: in {system} {version}"] = (what, version, system)

    for version, system in (("5.4.0", "ssh"), ("6.4.0", "ssh"), ("7.4.0", "ssh"), ("5.4.0", "shared"),
                            ("7.4.0", "shared"), ("7.4.0", "qcow2")):
        add(foreign_sds.whole_life, version, system)
    for version, system in (("6.4.0", "ssh"), ("7.4.0", "ssh"), ("5.4.0", "shared"), ("7.4.0", "qcow2")):
        add(foreign_sds.live_life, version, system)
    for system in ("ssh", "shared"):
        for what in (foreign_sds.stopped_end, foreign_sds.end_names_last_host, dead_host):
            add(what, "7.4.0", system)
    return found


def main(outer, onevol, *wanted):
    around, tap = machines(outer), Tap()
    try:
        for name, (what, version, system) in cases().items():
            if wanted and not any(text in name for text in wanted):
                continue
            play = Devices(around, onevol, version, system)
            tap.attempt(name, what, play)
            play.close()
    finally:
        around.lab.close()
    return tap.finish()


if __name__ == "__main__":
    program(__file__, __doc__, main)
