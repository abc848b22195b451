#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every action of linstor and linstor_un, killed between its steps (each call of LINSTOR is one),
then run again: it ends as if nothing had happened. And killed, then the VM deleted: nothing is left.

usage: linstor_kills.py ONEVOL [--all] [DRIVER AND MODE [PART OF AN ACTION'S NAME...]]
Prints TAP. Without --all a driver and mode beyond the first walks only what it does in its own way.
"""
import sys
import time

sys.dont_write_bytecode = True
from linstor_site import (EPILOG, IMAGES, MIB, MIGRATE, PROLOG, PROLOG_MIGRATE, RESIZE_POWEROFF,  # noqa: E402
                          REVERT_POWEROFF, RUNNING, SAVEAS_POWEROFF, SNAPSHOT_POWEROFF, SYSTEM, VM,
                          Cloud, machines, program, sha)
from played_site import Tap  # noqa: E402

MOST_STEPS = 120
# All of an agent's end and a host's clean-up that the next action need not wait for.
SETTLED_S = 30

# What each driver and mode walks without --all; None: everything.
COPIES = ("clone", "clone, then removed", "cpds", "cpds of a snapshot", "delete of a disk")
LIVES = {
    ("linstor_un", "snapshot"): None,
    ("linstor", "clone"): (*COPIES, "cp", "clone of an image", "snap_revert to the older", "mvds"),
    ("linstor_un", "copy"): ("clone", "cpds"),
    ("linstor", "copy"): (),
}


class Walk:
    def __init__(self, cloud, tap, about):
        self.cloud, self.tap, self.about = cloud, tap, about
        self.wanted, self.only, self.over, self.empty = [], None, False, {}

    # what counts

    def stored(self):
        """By name: properties, where replicas are, snapshots, size and content."""
        found, facts = {}, self.cloud.sim.hook("state-of")["definitions"]
        volumes = self.cloud.volumes()
        for name, definition in facts.items():
            with open(volumes[name]["content"], "rb") as file:
                content = sha(file.read())
            found[name] = {
                "props": {k: v for k, v in definition["props"].items() if k.startswith("Aux/")
                          or "primaries" in k},
                "attached": sorted(volumes[name]["attached"]), "two": volumes[name]["two_primaries"],
                "snapshots": definition["snapshots"], "content": content,
                "sizes": list(definition["volumes"].values())}
        return found

    def tree(self):
        root = self.cloud.site.datastores
        return self.cloud.machines.on("fe", f"cd {root} && find . -mindepth 2 -printf '%P %y %l\\n' | sort")

    def state(self):
        return {"stored": self.stored(), "tree": self.tree()}

    @staticmethod
    def differences(wanted, found):
        lines = []
        for name in sorted(set(wanted["stored"]) | set(found["stored"])):
            a, b = wanted["stored"].get(name), found["stored"].get(name)
            if a != b:
                lines.append(f"'{name}': wanted {a}, found {b}")
        if wanted["tree"] != found["tree"]:
            lines.append(f"files: wanted {wanted['tree']!r}, found {found['tree']!r}")
        return "; ".join(lines)

    # one action

    def keep(self):
        self.cloud.sim.hook("keep")
        self.cloud.machines.on("fe", f"rm -rf /mnt/kept && cp -a {self.cloud.site.datastores} /mnt/kept")

    def reset(self):
        self.cloud.sim.hook("bring-back")
        root = self.cloud.site.datastores
        self.cloud.machines.on("fe", f"find {root} -mindepth 2 -delete; cp -a /mnt/kept/. {root}/")

    def play(self, step, **fault):
        plane, action, words, more = step
        run = self.cloud.tm if plane == "tm" else self.cloud.ds
        return run(action, *words, **more, **fault)

    def problem_after(self, step, fault, wanted, clean):
        """None if the kill came after the last step, else what is wrong, or ''."""
        self.reset()
        self.cloud.site.environment["ONEVOL_FAULT"] = fault
        killed = self.play(step)
        del self.cloud.site.environment["ONEVOL_FAULT"]
        if killed.returncode != -9:
            return None
        if clean:
            clean()
            if self.is_only_attached():
                self.cloud.good(self.play(step), f"{fault}, then removed, then again")
                clean()
            found = self.stored()
            return "" if found == self.empty else f"{fault}, then removed: left {self.text(found)}"
        again = self.play(step)
        if again.returncode:
            return f"{fault}, then again: {again.stderr.strip()}"
        found = self.settled(wanted)
        return "" if found == wanted else f"{fault}, then again: {self.differences(wanted, found)}"

    def is_only_attached(self):
        """An image that was read may stay attached until it is read there again: it holds no data."""
        found = self.stored()
        return found != self.empty and found == {
            name: {**facts, "attached": found[name]["attached"]} if name in found else facts
            for name, facts in self.empty.items()}

    def settled(self, wanted):
        """The state, once the agent of the killed action has noticed its end."""
        deadline = time.monotonic() + SETTLED_S
        while (found := self.state()) != wanted and found["stored"] == wanted["stored"] and \
                ".part" in found["tree"] and time.monotonic() < deadline:
            time.sleep(0.1)
        return found

    def text(self, found):
        return "; ".join(f"'{n}': {found.get(n)}" for n in sorted(set(found) | set(self.empty))
                         if found.get(n) != self.empty.get(n))

    def faults(self):
        """Before each step, until there is none; then after the last."""
        for number in range(2, MOST_STEPS):
            yield f"kill-before:{number}"
            if self.over:
                yield f"kill-after:{number - 1}"
                return

    def skips(self, name):
        if self.wanted:
            return not any(text in name for text in self.wanted)
        return self.only is not None and name not in self.only

    def walk(self, name, plane, action, *words, clean=None, goes_on=True, **more):
        """`clean` takes what was made away again."""
        if self.skips(name + (", then removed" if clean else "")):
            if goes_on:
                self.cloud.good(self.play((plane, action, words, more)), name)
            return
        step, problems, steps = (plane, action, words, more), [], 0
        self.keep()
        first = self.play(step)
        if first.returncode:
            problems.append(first.stderr.strip())
        wanted = self.state()
        for fault in self.faults() if not problems else ():
            problem = self.problem_after(step, fault, wanted, clean)
            self.over = problem is None
            steps += not self.over
            if problem:
                problems.append(problem)
        if not steps and not problems:
            problems.append("nothing was killed")
        violations = self.cloud.lab.violations()
        if violations:
            problems.append(f"DRBD would not have allowed {violations}")
        then = ", then removed" if clean else ""
        self.tap.case(f"{self.about}: {name}{then}, {steps} kills", "\n".join(problems[:5]))
        self.reset()
        if goes_on:
            self.cloud.good(self.play(step), name)

    # a life

    def life(self):
        cloud, names, walk = self.cloud, self.cloud.names, self.walk
        path = cloud.site.sources / "new.img"
        path.write_bytes(b"new image " * 100000 + bytes(8 * MIB - 1000000))
        for number, fill in ((1, b"one"), (2, b"two")):
            cloud.resource(names.image(number), ["store"],
                           content=fill * 300000 + bytes(8 * MIB - 900000))
            cloud.tell_image(number)
        self.empty = self.stored()
        cloud.make_vm(cloud.disk(0, 1), cloud.disk(1, 2, **cloud.persistent()), cloud.disk(2, SIZE=4))
        vm, source = cloud.vm, names.source
        vm.tell(PROLOG, "h1")

        def remove(number):
            return lambda: cloud.good(cloud.ds("rm", number, source=source(number)), "rm")

        def delete():
            """recover --delete."""
            for disk in vm.disks:
                cloud.good(cloud.tm("delete", cloud.at("h1", disk["DISK_ID"]), VM,
                                    disk["DATASTORE_ID"]), "delete")
            cloud.good(cloud.tm("delete", cloud.at("h1"), VM, SYSTEM), "delete of VMDIR")

        walk("cp", "ds", "cp", 5, path=path, goes_on=False)
        walk("cp", "ds", "cp", 5, path=path, clean=remove(5), goes_on=False)
        walk("clone of an image", "ds", "clone", 6, path=source(1), cloning=1, goes_on=False)
        walk("clone of an image", "ds", "clone", 6, path=source(1), cloning=1, clean=remove(6),
             goes_on=False)
        walk("mkfs", "ds", "mkfs", 8, goes_on=False)
        walk("clone", "tm", "clone", f"fe:{source(1)}", cloud.at("h1", 0), VM, IMAGES, clean=delete,
             goes_on=False)
        walk("clone", "tm", "clone", f"fe:{source(1)}", cloud.at("h1", 0), VM, IMAGES)
        walk("clone again", "tm", "clone", f"fe:{source(1)}", cloud.at("h1", 0), VM, IMAGES)
        walk("ln", "tm", "ln", f"fe:{source(2)}", cloud.at("h1", 1), VM, IMAGES, clean=delete,
             goes_on=False)
        walk("ln", "tm", "ln", f"fe:{source(2)}", cloud.at("h1", 1), VM, IMAGES)
        walk("mkimage", "tm", "mkimage", 4, "raw", cloud.at("h1", 2), VM, SYSTEM)
        vm.tell(SNAPSHOT_POWEROFF)
        walk("snap_create", "tm", "snap_create", cloud.at("h1", 0), 0, VM, IMAGES)
        cloud.guest_writes("h1", 0)
        walk("snap_create of another", "tm", "snap_create", cloud.at("h1", 0), 1, VM, IMAGES)
        cloud.guest_writes("h1", 0, seek=128)
        vm.tell(REVERT_POWEROFF)
        walk("snap_revert to the older", "tm", "snap_revert", cloud.at("h1", 0), 0, VM, IMAGES)
        vm.tell(RESIZE_POWEROFF)
        vm.disks[1]["SIZE"] = 12
        walk("resize", "tm", "resize", cloud.at("h1", 1), 12, VM, IMAGES)
        vm.tell(SAVEAS_POWEROFF)
        cloud.good(cloud.ds("mkfs", 9, fmt="save_as"), "mkfs save_as")
        cloud.tell_image(9)
        walk("cpds", "tm", "cpds", cloud.at("h1", 0), source(9), -1, VM, IMAGES, goes_on=False)
        walk("cpds of a snapshot", "tm", "cpds", cloud.at("h1", 0), source(9), 1, VM, IMAGES, goes_on=False)
        vm.tell(PROLOG_MIGRATE, "h2")
        for disk, datastore in ((0, IMAGES), (1, IMAGES), (2, SYSTEM)):
            walk(f"mv of disk {disk}", "tm", "mv", cloud.at("h1", disk), cloud.at("h2", disk), VM,
                 datastore)
        walk("mv", "tm", "mv", cloud.at("h1"), cloud.at("h2"), VM, SYSTEM)
        vm.tell(MIGRATE, "h1")
        words, stdin = cloud.migration("h2", "h1")
        for ending in ("failmigrate", "postmigrate"):
            walk("premigrate", "tm", "premigrate", *words, stdin=stdin)
            walk(ending, "tm", ending, *words, stdin=stdin)
        vm.tell(RUNNING)
        vm.tell(EPILOG)
        walk("snap_delete", "tm", "snap_delete", cloud.at("h1", 0), 0, VM, IMAGES)
        walk("delete of a disk", "tm", "delete", cloud.at("h1", 0), VM, IMAGES)
        walk("mvds", "tm", "mvds", cloud.at("h1", 1), source(2), VM, IMAGES)
        walk("delete of a volatile one", "tm", "delete", cloud.at("h1", 2), VM, SYSTEM)
        walk("delete of the directory", "tm", "delete", cloud.at("h1"), VM, SYSTEM)
        cloud.snapshot(names.image(2), names.snapshot(7))
        cloud.write(names.image(2), b"after the snapshot")
        cloud.snapshot(names.image(2), names.snapshot(8))
        walk("snap_flatten of an image", "ds", "snap_flatten", 2, source=source(2), snapshot=7)
        walk("rm", "ds", "rm", 1, source=source(1))
        walk("rm of the other", "ds", "rm", 2, source=source(2))
        cloud.nothing_left()


def main(outer, onevol, *wanted):
    tap, around = Tap(), machines(outer)
    whole, wanted = "--all" in wanted, [word for word in wanted if word != "--all"]
    try:
        for (driver, mode), only in LIVES.items():
            about = f"{driver} by {mode}"
            if wanted and not wanted[0] in about:
                continue
            if not wanted and not whole and only == ():
                continue
            cloud = Cloud(around, onevol, driver, CLONE_MODE=mode)
            walk = Walk(cloud, tap, about)
            walk.wanted, walk.only = wanted[1:], None if whole or wanted else only
            tap.attempt(f"{about}: the whole life", walk.life)
            cloud.close()
    finally:
        around.lab.close()
    return tap.finish()


if __name__ == "__main__":
    program(__file__, __doc__, main)
