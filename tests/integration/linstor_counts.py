#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How many REST calls each whole action of linstor and linstor_un makes, by the simulator's log: the
table in docs/design/linstor.md. What a backend's function makes, linstor_calls.py tells.

usage: linstor_counts.py ONEVOL [PART OF A DRIVER AND MODE...]
Prints TAP.
"""
import sys

sys.dont_write_bytecode = True
from linstor_calls import short  # noqa: E402
from linstor_site import (EPILOG, IMAGES, MIB, MIGRATE, PROLOG, PROLOG_MIGRATE, RESIZE_POWEROFF,  # noqa: E402
                          REVERT_POWEROFF, SAVEAS_POWEROFF, SNAPSHOT_POWEROFF, SYSTEM, VM, Cloud,
                          machines, program)
from played_site import Tap, encoded  # noqa: E402

# At most, for a host without replica, and one disk: linstor_un by snapshot, by copy; linstor by clone.
MOST = {
    "cp": (7, 7, 7), "clone of an image": (10, 10, 6), "mkfs": (3, 3, 3), "clone": (8, 11, 6),
    "ln": (3, 3, 2), "mkimage": (4, 4, 4), "context": (0, 0, 0), "snap_create": (4, 4, 2),
    "snap_revert": (6, 6, 3), "resize": (2, 2, 2), "cpds": (9, 9, 7), "mv of a disk": (4, 4, 4),
    "mv": (0, 0, 0), "premigrate": (3, 3, 3), "failmigrate": (3, 3, 3), "postmigrate": (3, 3, 3),
    "snap_delete": (3, 3, 2), "delete": (5, 4, 4), "mvds": (4, 4, 3), "delete of the directory": (1, 1, 1),
    "rm": (2, 2, 2), "monitor": (3, 3, 2),
}
MODES = (("linstor_un", "snapshot"), ("linstor_un", "copy"), ("linstor", "clone"))


class Count:
    def __init__(self, cloud, tap, about, column):
        self.cloud, self.tap, self.about, self.column = cloud, tap, about, column

    def calls(self):
        found = []
        for call in self.cloud.sim.hook("log", clear=True)["calls"]:
            query = f"?{call['query']}" if call["query"] else ""
            found.append(short(f"{call['method']} {call['path'].removeprefix('/v1/')}{query}"))
        return found

    def check(self, action, done):
        problem = None
        if done.returncode:
            problem = done.stderr
        found = self.calls()
        versions = found.count("GET controller/version")
        found = [c for c in found if c != "GET controller/version"]
        most = MOST[action][self.column]
        if not problem and (len(found) > most or versions > 1):
            problem = f"{len(found)} calls, {versions} for the version; at most {most}:\n" + "\n".join(found)
        self.tap.case(f"{self.about}: {action}, {len(found)} calls", problem)

    def life(self):
        cloud, names, check = self.cloud, self.cloud.names, self.check
        path = cloud.site.sources / "new.img"
        path.write_bytes(b"new " * 1000 + bytes(8 * MIB - 4000))
        for number in (1, 2):
            cloud.resource(names.image(number), ["store"], content=bytes([number]) * 8 * MIB)
            cloud.tell_image(number)
        cloud.make_vm(cloud.disk(0, 1), cloud.disk(1, 2, **cloud.persistent()), cloud.disk(2, SIZE=4))
        vm, source = cloud.vm, names.source
        vm.context = 3
        vm.tell(PROLOG, "h1")
        self.calls()
        check("cp", cloud.ds("cp", 5, path=path))
        check("clone of an image", cloud.ds("clone", 6, path=source(1), cloning=1))
        check("mkfs", cloud.ds("mkfs", 8))
        check("clone", cloud.tm("clone", f"fe:{source(1)}", cloud.at("h1", 0), VM, IMAGES))
        check("ln", cloud.tm("ln", f"fe:{source(2)}", cloud.at("h1", 1), VM, IMAGES))
        check("mkimage", cloud.tm("mkimage", 4, "raw", cloud.at("h1", 2), VM, SYSTEM))
        check("context", cloud.tm("context", cloud.context_file, cloud.at("h1", 3), VM, SYSTEM))
        vm.tell(SNAPSHOT_POWEROFF)
        check("snap_create", cloud.tm("snap_create", cloud.at("h1", 0), 0, VM, IMAGES))
        vm.tell(REVERT_POWEROFF)
        check("snap_revert", cloud.tm("snap_revert", cloud.at("h1", 0), 0, VM, IMAGES))
        vm.tell(RESIZE_POWEROFF)
        vm.disks[1]["SIZE"] = 12
        check("resize", cloud.tm("resize", cloud.at("h1", 1), 12, VM, IMAGES))
        vm.tell(SAVEAS_POWEROFF)
        cloud.good(cloud.ds("mkfs", 9, fmt="save_as"), "mkfs save_as")
        cloud.tell_image(9)
        self.calls()
        check("cpds", cloud.tm("cpds", cloud.at("h1", 0), source(9), -1, VM, IMAGES))
        vm.tell(PROLOG_MIGRATE, "h2")
        for disk, datastore in ((0, IMAGES), (1, IMAGES), (2, SYSTEM)):
            check("mv of a disk", cloud.tm("mv", cloud.at("h1", disk), cloud.at("h2", disk), VM, datastore))
        check("mv", cloud.tm("mv", cloud.at("h1"), cloud.at("h2"), VM, SYSTEM))
        self.migrations()
        self.monitor()
        vm.tell(EPILOG)
        check("snap_delete", cloud.tm("snap_delete", cloud.at("h2", 0), 0, VM, IMAGES))
        check("delete", cloud.tm("delete", cloud.at("h2", 0), VM, IMAGES))
        check("mvds", cloud.tm("mvds", cloud.at("h2", 1), source(2), VM, IMAGES))
        check("delete", cloud.tm("delete", cloud.at("h2", 2), VM, SYSTEM))
        check("delete of the directory", cloud.tm("delete", cloud.at("h2"), VM, SYSTEM))
        check("rm", cloud.ds("rm", 1, source=source(1)))

    def migrations(self):
        """Of a VM with one disk: the counts are a disk's."""
        cloud = self.cloud
        vm = cloud.make_vm(cloud.disk(0, 1), number=8)
        cloud.deploy("h2", vm)
        vm.tell(MIGRATE, "h1")
        words, stdin = cloud.migration("h2", "h1", vm)
        self.calls()
        for ending in ("failmigrate", "postmigrate"):
            self.check("premigrate", cloud.tm("premigrate", *words, stdin=stdin))
            self.check(ending, cloud.tm(ending, *words, stdin=stdin))
        cloud.terminate("h1", vm)
        self.calls()

    def monitor(self):
        cloud = self.cloud
        message = encoded(f"<DS_DRIVER_ACTION_DATA>{cloud.datastore(SYSTEM)}<DATASTORE_LOCATION>"
                          f"{cloud.site.datastores}</DATASTORE_LOCATION><MONITOR_VM_DISKS>1"
                          "</MONITOR_VM_DISKS></DS_DRIVER_ACTION_DATA>")
        self.check("monitor", cloud.tm("monitor", SYSTEM, stdin=message))


def main(outer, onevol, *wanted):
    tap, around = Tap(), machines(outer)
    try:
        for column, (driver, mode) in enumerate(MODES):
            about = f"{driver} by {mode}"
            if wanted and not any(text in about for text in wanted):
                continue
            cloud = Cloud(around, onevol, driver, CLONE_MODE=mode)
            tap.attempt(f"{about}: the whole life", Count(cloud, tap, about, column).life)
            tap.case(f"{about}: DRBD would have allowed it", cloud.lab.violations())
            cloud.close()
    finally:
        around.lab.close()
    return tap.finish()


if __name__ == "__main__":
    program(__file__, __doc__, main)
