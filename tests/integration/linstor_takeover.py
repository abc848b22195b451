#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A site as LINBIT's driver and as linstor_un leave it: our drivers go on with what is there, and what
they leave is what those would have left.

usage: linstor_takeover.py ONEVOL [CASE...]
"""
import re
import sys

sys.dont_write_bytecode = True
from linstor_site import (IMAGES, MIB, PROLOG_MIGRATE, REVERT_POWEROFF, RUNNING,  # noqa: E402
                          SAVEAS_POWEROFF, SNAPSHOT_POWEROFF, SYSTEM, VM, Cloud, expect, machines,
                          program, sha)
from played_site import Tap, encoded  # noqa: E402

NEW, OLD = "1.27.0", "1.7.0"
CASES = []


def case(*drivers, rests=(NEW,), **attributes):
    def add(function):
        CASES.extend((f"{function.__name__.replace('_', ' ')}: {driver}, REST {rest}", function, driver,
                      rest, attributes) for driver in drivers for rest in rests)
        return function
    return add


def data(seed, mib=8):
    """Something that is not the same in any two volumes."""
    return (f"content {seed} ".encode() * 100000)[:MIB] + bytes(mib * MIB - MIB)


class Old:
    """A VM with a persistent disk, one of its own and a volatile one, running on h1 as the
    predecessor left it."""

    def __init__(self, cloud, links="by-res", props="new", image_format="raw"):
        self.cloud, names = cloud, cloud.names
        self.image, self.base = names.image(1), names.image(2)
        self.own, self.volatile = names.disk(VM, 1, 2), names.disk(VM, 2)
        cloud.resource(self.image, ["store"], props=self.props(props, 0), content=data("persistent"))
        cloud.resource(self.base, ["h2"], content=data("base"))
        cloud.resource(self.own, ["h2"], props=self.props(props, 1), content=data("own"))
        cloud.resource(self.volatile, ["h1"], props=self.props(props, 2), content=data("volatile"))
        for number in (1, 2):
            cloud.tell_image(number, fmt=image_format)
        cloud.attach(self.image, "h1")
        cloud.attach(self.own, "h1")
        cloud.make_vm(cloud.disk(0, 1, **cloud.persistent()), cloud.disk(1, 2), cloud.disk(2))
        cloud.vm.tell(RUNNING, "h1")
        directory = cloud.vm.directory()
        cloud.machines.on("h1", f"mkdir -p {directory}; echo iso > {directory}/disk.3; "
                                f"echo '<domain/>' > {directory}/deployment.0")
        for disk, name in enumerate((self.image, self.own, self.volatile)):
            cloud.machines.on("h1", f"ln -s {self.device(name, links)} {directory}/disk.{disk}")
        self.names = (self.image, self.own, self.volatile)

    def props(self, kind, disk):
        if not self.cloud.names.un or kind == "none":
            return {}
        if kind == "0.8":
            return {"Aux/one/VMID": str(VM), "Aux/one/DISK_ID": str(disk)}
        return {"Aux/one/VM_ID": str(VM), "Aux/one/DS_ID": str(SYSTEM), "Aux/one/DISK_ID": str(disk)}

    def device(self, name, links):
        if links == "by-res":
            return f"/dev/drbd/by-res/{name}/0"
        return f"/dev/drbd{self.cloud.volumes()[name]['minor']}"

    def look(self, host, when):
        for disk, seed in enumerate(("persistent", "own", "volatile")):
            expect(self.cloud.digest(host, disk) == sha(data(seed)), f"{when}: disk {disk} differs")

    def move(self, source, target):
        self.cloud.vm.tell(PROLOG_MIGRATE, target)
        for disk in self.cloud.vm.disks:
            number = disk["DISK_ID"]
            self.cloud.good(self.cloud.tm("mv", self.cloud.at(source, number),
                                          self.cloud.at(target, number), VM, disk["DATASTORE_ID"]),
                            f"mv of disk {number}")
        self.cloud.good(self.cloud.tm("mv", self.cloud.at(source), self.cloud.at(target), VM, SYSTEM),
                        "mv")

    def end(self, host):
        self.cloud.terminate(host)
        expect(self.cloud.content(self.image)[:8 * MIB] == data("persistent"), "the image changed")
        for prop in ("Aux/one/VM_ID", "Aux/one/VMID", "Aux/one/DS_ID", "Aux/one/DISK_ID"):
            expect(prop not in self.cloud.props(self.image), f"{prop} is still on the image")
        self.cloud.nothing_left(self.image, self.base)


@case("linstor_un", "linstor", rests=(NEW, OLD))
def a_running_vm_ends(cloud):
    old = Old(cloud)
    old.look("h1", "as it was")
    old.end("h1")


@case("linstor_un", "linstor")
def a_running_vm_moves_and_ends(cloud):
    old = Old(cloud)
    old.move("h1", "h2")
    old.look("h2", "moved")
    expect(not cloud.has_device("h1", old.own), "the source has the device still")
    old.move("h2", "h1")
    old.look("h1", "back")
    old.end("h1")


@case("linstor")
def links_of_numbers_move_and_end(cloud):
    old = Old(cloud, links="minor")
    old.look("h1", "as it was")
    old.move("h1", "h2")
    old.look("h2", "moved")
    old.end("h2")


@case("linstor", "linstor_un")
def links_of_numbers_end(cloud):
    Old(cloud, links="minor").end("h1")


@case("linstor_un")
def properties_of_0_8(cloud):
    old = Old(cloud, props="0.8")
    old.move("h1", "h2")
    old.look("h2", "moved")
    old.end("h2")


@case("linstor_un")
def no_properties_at_all(cloud):
    old = Old(cloud, props="none")
    old.move("h1", "h2")
    old.end("h2")


@case("linstor_un", CLONE_MODE="snapshot")
def a_snapshot_of_origin_goes_with_the_disk(cloud):
    old = Old(cloud)
    cloud.snapshot(old.base, old.own)
    old.end("h1")
    left = cloud.volumes()[old.base]["snapshots"]
    expect(not left, f"snapshots left on the image: {left}")


@case("linstor_un")
def a_scratch_resource_is_not_in_the_way(cloud):
    """-tmp of a revert or a save-as that was killed."""
    old = Old(cloud)
    cloud.snapshot(old.own, cloud.names.snapshot(0))
    cloud.resource(f"{old.own}-tmp", ["h2"], content=data("half of something"))
    cloud.write(old.own, data("later"))
    cloud.snapshot(old.own, cloud.names.snapshot(1))
    cloud.vm.disks[1]["SIZE"] = 8
    cloud.vm.tell(REVERT_POWEROFF)
    cloud.good(cloud.tm("snap_revert", cloud.at("h1", 1), 0, VM, IMAGES), "snap_revert")
    expect(cloud.digest("h1", 1) == sha(data("own")), "reverted to something else")
    cloud.good(cloud.tm("snap_revert", cloud.at("h1", 1), 1, VM, IMAGES), "snap_revert")
    expect(cloud.digest("h1", 1) == sha(data("later")), "the newer snapshot is another")
    old_end_without_volatile(cloud, old)


def old_end_without_volatile(cloud, old):
    cloud.terminate("h1")
    names = [n for n in cloud.volumes() if n.endswith("-tmp")]
    expect(not names, f"left: {names}")
    cloud.nothing_left(old.image, old.base)


@case("linstor_un", "linstor", rests=(NEW, OLD))
def snapshot_10_is_newer_than_snapshot_9(cloud):
    old = Old(cloud)
    contents = {}
    for number in range(8, 12):
        contents[number] = data(f"at snapshot {number}")
        cloud.write(old.own, contents[number])
        cloud.snapshot(old.own, cloud.names.snapshot(number))
    cloud.write(old.own, data("now"))
    cloud.vm.tell(REVERT_POWEROFF)
    for number in (11, 9, 10, 8, 11):
        cloud.good(cloud.tm("snap_revert", cloud.at("h1", 1), number, VM, IMAGES),
                   f"snap_revert to {number}")
        expect(cloud.digest("h1", 1) == sha(contents[number]), f"snapshot {number} is another")
        snapshots = sorted(cloud.volumes()[old.own]["snapshots"])
        expect(snapshots == sorted(cloud.names.snapshot(n) for n in range(8, 12)),
               f"after the revert to {number} there are {snapshots}")
    if cloud.names.un:
        expect(cloud.props(old.own).get("Aux/one/VM_ID") == str(VM), cloud.props(old.own))
    for number in (9, 10, 8, 11):
        cloud.good(cloud.tm("snap_delete", cloud.at("h1", 1), number, VM, IMAGES), "snap_delete")
    expect(not cloud.volumes()[old.own]["snapshots"], "snapshots are left")
    cloud.terminate("h1")
    cloud.nothing_left(old.image, old.base)


@case("linstor_un")
def sizes_of_snapshots_are_kept_as_properties(cloud):
    old = Old(cloud)
    cloud.vm.tell(SNAPSHOT_POWEROFF)
    cloud.good(cloud.tm("snap_create", cloud.at("h1", 1), 4, VM, IMAGES), "snap_create")
    props = cloud.props(old.own)
    expect(props.get("Aux/one/SNAPSHOT_4/DISK_SIZE", "").isdigit(), props)
    cloud.good(cloud.tm("snap_delete", cloud.at("h1", 1), 4, VM, IMAGES), "snap_delete")
    expect("Aux/one/SNAPSHOT_4/DISK_SIZE" not in cloud.props(old.own), cloud.props(old.own))
    old.end("h1")


@case("linstor")
def a_context_of_2_x_goes_with_the_vm(cloud):
    """Its context disk was a resource; the running VM's link leads there."""
    old = Old(cloud)
    cloud.vm.context = 3
    name = f"OpenNebula-vm-context-vm{VM}-disk3"
    for wanted in (name, f"{name}-1"):
        cloud.resource(wanted, ["h1"], mib=4)
    other = f"OpenNebula-vm-context-vm{VM}1-disk3"  # of VM 71
    cloud.resource(other, ["h1"], mib=4)
    path = cloud.vm.path(3)
    cloud.machines.on("h1", f"rm {path}; ln -s /dev/drbd/by-res/{name}/0 {path}")
    cloud.good(cloud.tm("context", cloud.context_file, cloud.at("h1", 3), VM, SYSTEM), "context")
    expect(cloud.machines.there("h1", path) == "file", "the context is no file")
    cloud.terminate("h1")
    expect(other in cloud.volumes(), "another VM's context is gone")
    cloud.nothing_left(old.image, old.base, other)


@case("linstor", "linstor_un")
def images_of_before_are_copied_and_removed(cloud):
    names = cloud.names
    cloud.resource(names.image(1), ["store"], content=data("image"))
    cloud.tell_image(1)
    cloud.snapshot(names.image(1), names.snapshot(0))
    source = cloud.good(cloud.ds("clone", 5, path=names.source(1), cloning=1), "clone").split()[0]
    expect(source == names.source(5), f"SOURCE '{source}'")
    expect(cloud.content(names.image(5))[:8 * MIB] == data("image"), "the copy differs")
    cloud.good(cloud.ds("rm", 1, source=names.source(1)), "rm")
    cloud.good(cloud.ds("rm", 1, source=names.source(1)), "rm again")
    cloud.good(cloud.ds("rm", 5, source=source), "rm of the copy")
    cloud.nothing_left()


@case("linstor", "linstor_un")
def a_disk_is_saved_from_a_snapshot(cloud):
    old = Old(cloud)
    cloud.snapshot(old.own, cloud.names.snapshot(3))
    cloud.write(old.own, data("later"))
    source = cloud.good(cloud.ds("mkfs", 9, fmt="save_as"), "mkfs save_as").split()[0]
    cloud.tell_image(9)
    cloud.vm.tell(SAVEAS_POWEROFF)
    cloud.good(cloud.tm("cpds", cloud.at("h1", 1), source, 3, VM, IMAGES), "cpds")
    expect(cloud.content(cloud.names.image(9))[:8 * MIB] == data("own"), "the snapshot was another")
    other = cloud.good(cloud.ds("mkfs", 10, fmt="save_as"), "mkfs save_as").split()[0]
    cloud.tell_image(10)
    cloud.good(cloud.tm("cpds", cloud.at("h1", 1), other, -1, VM, IMAGES), "cpds of the disk")
    expect(cloud.content(cloud.names.image(10))[:8 * MIB] == data("later"), "the disk was another")
    cloud.good(cloud.ds("rm", 10, source=other), "rm")
    expect("Aux/one/DS_ID" not in cloud.props(cloud.names.image(9)), "the image has a VM's properties")
    cloud.good(cloud.ds("rm", 9, source=source), "rm")
    old_end_without_volatile(cloud, old)


@case("linstor_un")
def what_has_another_name_is_not_touched(cloud):
    """A site uses LINSTOR for other things, too."""
    old = Old(cloud)
    kept = ["one-vm-7-disk-1-backup", "one-vm-71-disk-1", "one-image-2-old", "one-vm-7-disk-11"]
    for name in kept:
        cloud.resource(name, ["store"], content=data(name))
    cloud.good(cloud.ds("rm", 99, source="/dev/drbd/by-res/one-image-99/0"), "rm of what is gone")
    cloud.bad(cloud.ds("rm", 2, source=f"/dev/drbd/by-res/{kept[0]}/0"), "is not an image")
    cloud.bad(cloud.ds("rm", 2, source="/dev/drbd/by-res/one-image-2-old/0"), "is not an image")
    cloud.terminate("h1")
    cloud.nothing_left(old.image, old.base, *kept)


@case("linstor_un", version="5.4.0")
def a_monitor_counts_both_generations(cloud):
    Old(cloud)
    cloud.resource("one-vm-8-disk-0", ["store"],
                   props={"Aux/one/VMID": "8", "Aux/one/DISK_ID": "0"}, content=data("old"))
    message = (f"<DS_DRIVER_ACTION_DATA>{cloud.datastore(SYSTEM)}<DATASTORE_LOCATION>"
               f"{cloud.site.datastores}</DATASTORE_LOCATION><MONITOR_VM_DISKS>1</MONITOR_VM_DISKS>"
               "</DS_DRIVER_ACTION_DATA>")
    text = cloud.good(cloud.tm("monitor", encoded(message).decode(), SYSTEM), "monitor")
    expect("USED_MB=" in text and "TOTAL_MB=" in text and "FREE_MB=" in text, text)
    sizes = {int(vm): poll for vm, poll in re.findall(r'VM=\[ID=(\d+),POLL="([^"]*)"\]', text)}
    expect(set(sizes) == {VM, 8}, text)
    for disk in range(3):  # the persistent one, too
        expect(f"DISK_SIZE=[ID={disk}," in sizes[VM], text)
    expect("DISK_SIZE=[ID=0," in sizes[8], text)


def run(around, onevol, function, driver, attributes):
    cloud = Cloud(around, onevol, driver, **attributes)
    try:
        function(cloud)
    finally:
        cloud.close()


def main(outer, onevol, *wanted):
    tap, around, current = Tap(), None, None
    try:
        for name, function, driver, rest, attributes in sorted(CASES, key=lambda c: c[3], reverse=True):
            if wanted and not any(text in name for text in wanted):
                continue
            if current != rest:
                if around:
                    around.lab.sim.__exit__()
                    around.lab.sim = around.lab.simulator(rest, "thin:LVM_THIN:102400", 1, ())
                else:
                    around = machines(outer, rest=rest)
                current = rest
            tap.attempt(name, run, around, onevol, function, driver, attributes)
    finally:
        if around:
            around.lab.close()
    return tap.finish()


if __name__ == "__main__":
    program(__file__, __doc__, main)
