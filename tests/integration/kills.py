#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every action, killed before and after each of its steps, then run again: it ends as if nothing had
happened, and leaves nothing that is not marked incomplete.

usage: kills.py ONEVOL
Prints TAP.
"""
import hashlib
import os
import pathlib
import random
import shutil
import sys

from played_site import Site, Tap, encoded

VM = """<VM><ID>7</ID><STATE>3</STATE><LCM_STATE>{lcm}</LCM_STATE><DEPLOY_ID>one-7</DEPLOY_ID><TEMPLATE>
<DISK><DISK_ID>0</DISK_ID><IMAGE_ID>1</IMAGE_ID><SIZE>12</SIZE><ORIGINAL_SIZE>8</ORIGINAL_SIZE>
<FORMAT>raw</FORMAT><CLONE>YES</CLONE><SAVE>NO</SAVE></DISK>
<DISK><DISK_ID>1</DISK_ID><IMAGE_ID>2</IMAGE_ID><SIZE>8</SIZE><ORIGINAL_SIZE>8</ORIGINAL_SIZE>
<FORMAT>raw</FORMAT><CLONE>NO</CLONE><SAVE>YES</SAVE><PERSISTENT>YES</PERSISTENT></DISK>
<DISK><DISK_ID>2</DISK_ID><SIZE>4</SIZE><TYPE>fs</TYPE><FORMAT>raw</FORMAT></DISK>
</TEMPLATE></VM>"""
DATASTORE = """<DATASTORE><ID>{0}</ID><NAME>d{0}</NAME><TYPE>0</TYPE><DS_MAD>reflink</DS_MAD>
<TM_MAD>reflink</TM_MAD><BASE_PATH>{1}/{0}</BASE_PATH><TEMPLATE><SAFE_DIRS>{2}</SAFE_DIRS></TEMPLATE>
</DATASTORE>"""
IMAGE = """<IMAGE><ID>{0}</ID><NAME>i</NAME><TYPE>0</TYPE><SOURCE>{1}</SOURCE><PATH>{2}</PATH>
<FORMAT>raw</FORMAT><FS/><SIZE>8</SIZE><TARGET_SNAPSHOT>{3}</TARGET_SNAPSHOT><TEMPLATE/></IMAGE>"""


def content(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:16]


def state(root):
    """What counts: names, kinds, contents. Builds are told apart: they may be left by a kill."""
    seen, builds = {}, []
    for directory, folders, files in os.walk(root):
        for name in list(folders):
            if name.endswith(".part"):
                folders.remove(name)
                builds.append(os.path.join(directory, name))
        for name in folders + files:
            path = os.path.join(directory, name)
            seen[os.path.relpath(path, root)] = (
                "link " + os.readlink(path) if os.path.islink(path)
                else "directory" if os.path.isdir(path) else content(path))
    return seen, builds


class Walk:
    def __init__(self, onevol, tap, driver):
        self.tap, self.driver = tap, driver
        self.site = Site(onevol, driver=driver)
        self.ds = self.site.datastores
        self.kept = self.site.root / "kept"
        for number in (102, 103, 104):
            (self.ds / str(number)).mkdir(exist_ok=True)
            self.site.oned.facts["one.datastore.info", number] = DATASTORE.format(
                number, self.ds, self.site.sources)
        self.images = [f"{self.ds}/103/image-{n}-0" for n in (1, 2)]
        noise = random.Random(7)
        for path in self.images + [f"{self.site.sources}/new.img"]:
            with open(path, "wb") as file:
                file.write(noise.randbytes(3 << 20))
                file.truncate(8 << 20)
        context = self.site.sources / "context.sh"
        context.write_text("ONE=1\n")
        self.context = str(context)

    def play(self, step, **fault):
        plane, action, arguments, stdin = step
        return self.site.run(plane, action, *arguments, stdin=stdin, **fault)

    def reset(self):
        shutil.rmtree(self.ds)
        shutil.copytree(self.kept, self.ds, symlinks=True)

    def problem_after(self, step, fault, wanted, by_name):
        """None if the kill came after the last step, else what is wrong, or ''."""
        self.reset()
        if self.play(step, ONEVOL_FAULT=fault).returncode != -9:
            return None
        half, builds = state(self.ds)
        for build in builds:
            # a directory that is moved away is a .part without a mark: it is being removed
            if not os.path.exists(f"{build}/mark") and os.path.exists(f"{build}/content"):
                return f"{fault}: {build} has no mark"
        again = self.play(step)
        if again.returncode != 0:
            return f"{fault}, then again: {again.stderr.strip()}"
        now, builds = state(self.ds)
        if by_name and builds:
            return f"{fault}: left {builds}"
        if by_name and now != wanted:
            return f"{fault}: {sorted(set(now.items()) ^ set(wanted.items()))}"
        # names of new images are random; a killed one is not known to oned, a second one is made
        if not by_name and not set(wanted.values()) <= set(now.values()):
            return f"{fault}: the content is not there"
        return ""

    def walk(self, name, plane, action, *arguments, stdin=b"", lcm=1, by_name=True, goes_on=True):
        step = (plane, action, arguments, stdin)
        self.site.oned.facts["one.vm.info", 7] = VM.format(lcm=lcm)
        shutil.rmtree(self.kept, ignore_errors=True)
        shutil.copytree(self.ds, self.kept, symlinks=True)
        first = self.play(step)
        problems, steps = [], 0
        if first.returncode != 0:
            problems.append(first.stderr.strip())
        wanted, _ = state(self.ds)
        for moment in ("kill-before", "kill-after") if not problems else ():
            for number in range(1, 200):
                problem = self.problem_after(step, f"{moment}:{number}", wanted, by_name)
                if problem is None:
                    break
                steps += 1
                if problem:
                    problems.append(problem)
        if not steps and not problems:
            problems.append("nothing was killed")
        self.tap.case(f"{self.driver}: {name}, {steps} kills", "\n".join(problems[:5]))
        self.reset()
        if goes_on:
            self.play(step)

    def message(self, image, source="", path="", snapshot=-1):
        return encoded("<DS_DRIVER_ACTION_DATA>" + IMAGE.format(image, source, path, snapshot)
                       + DATASTORE.format(103, self.ds, self.site.sources)
                       + "</DS_DRIVER_ACTION_DATA>")

    def life(self):
        vm = f"node1:{self.ds}//102/7"
        one, two = self.images
        new = f"{self.site.sources}/new.img"
        walk = self.walk
        walk("cp", "datastore", "cp", 5, stdin=self.message(5, path=new), by_name=False,
             goes_on=False)
        walk("clone of an image", "datastore", "clone", 6, stdin=self.message(6, path=one),
             by_name=False, goes_on=False)
        walk("mkfs", "datastore", "mkfs", 8, stdin=self.message(8), by_name=False, goes_on=False)
        walk("clone", "tm", "clone", f"frontend:{one}", f"{vm}/disk.0", 7, 103)
        walk("clone again", "tm", "clone", f"frontend:{one}", f"{vm}/disk.0", 7, 103)
        walk("ln", "tm", "ln", f"frontend:{two}", f"{vm}/disk.1", 7, 103)
        walk("mkimage", "tm", "mkimage", 4, "raw", f"{vm}/disk.2", 7, 102)
        walk("snap_create", "tm", "snap_create", f"{vm}/disk.0", 0, 7, 103)
        walk("snap_create of a persistent disk", "tm", "snap_create", f"{vm}/disk.1", 11, 7, 103)
        walk("snap_revert", "tm", "snap_revert", f"{vm}/disk.0", 0, 7, 103)
        walk("resize", "tm", "resize", f"{vm}/disk.0", 20, 7, 103, lcm=63)
        walk("cpds", "tm", "cpds", f"{vm}/disk.1", f"{self.ds}/103/image-9-0", -1, 7, 103, lcm=27)
        walk("mv", "tm", "mv", vm, f"node2:{self.ds}/104/7", 7, 102)
        walk("mv back", "tm", "mv", f"node2:{self.ds}/104/7", vm, 7, 102)
        walk("snap_delete", "tm", "snap_delete", f"{vm}/disk.0", 0, 7, 103)
        walk("mvds", "tm", "mvds", f"{vm}/disk.1", two, 7, 103)
        walk("snap_flatten of an image", "datastore", "snap_flatten", 2,
             stdin=self.message(2, source=two, snapshot=11))
        walk("delete of a disk", "tm", "delete", f"{vm}/disk.0", 7, 103)
        walk("delete of the directory", "tm", "delete", vm, 7, 102)
        walk("rm", "datastore", "rm", 1, stdin=self.message(1, source=one))


def main():
    tap = Tap()
    for driver in ("reflink", "reflink_local"):
        walk = Walk(sys.argv[1], tap, driver)
        try:
            walk.life()
        finally:
            walk.site.close()
    sys.exit(tap.finish())


if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    main()
