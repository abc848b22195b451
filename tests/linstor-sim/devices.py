# SPDX-License-Identifier: Apache-2.0
"""Content for the simulated volumes: real files, or loop devices over them.

All replicas that are up to date share one file, as DRBD keeps them equal. A node that goes away
keeps a copy of that moment: that is what its replica holds if it misses writes. Below the directory:

    content/RESOURCE_00000              what is written now
    content/RESOURCE_00000@SNAPSHOT     a snapshot
    content/RESOURCE_00000!NODE         what a node that is away has
    NODE/drbd1000                       the device on that node, while it has one: a link
    NODE/drbd/by-res/RESOURCE/0         a link to that

With HostDevices the directory of a node is the /dev of a fake host: real nodes of loop devices, one
for each node, so that a host that has none cannot open it, and an opener can be told from another.
"""
import errno
import fcntl
import os
import pathlib
import shutil
import stat
import subprocess

OLD_DATA = b"what an earlier tenant of these blocks has written.."
OLD_DATA_LIMIT = 64 << 20
BLKFLSBUF = 0x1261


def sparse_copy(source, target):
    """A reflink where the file system can, else without the holes."""
    FICLONE = 0x40049409
    with open(source, "rb") as a, open(target, "wb") as b:
        try:
            fcntl.ioctl(b.fileno(), FICLONE, a.fileno())
            return
        except OSError:
            pass
        size, place = os.fstat(a.fileno()).st_size, 0
        os.ftruncate(b.fileno(), size)
        while place < size:
            try:
                place = os.lseek(a.fileno(), place, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    break
                raise
            end = os.lseek(a.fileno(), place, os.SEEK_HOLE)
            while place < end:
                data = os.pread(a.fileno(), min(end - place, 1 << 20), place)
                os.pwrite(b.fileno(), data, place)
                place += len(data)


class NoDevices:
    """Where nobody looks at content."""

    def __getattr__(self, name):
        return lambda *a, **k: None

    def __bool__(self):
        return False


class Devices:
    def __init__(self, directory, loops=False):
        self.root, self.loops, self.loop = pathlib.Path(directory), loops, {}
        (self.root / "content").mkdir(parents=True, exist_ok=True)

    def __bool__(self):
        return True

    def content(self, definition, number, suffix=""):
        return self.root / "content" / f"{definition.name.upper()}_{number:05d}{suffix}"

    # content

    def create(self, definition, volume, kib, thick):
        path = self.content(definition, volume.number)
        if path.exists():
            return
        with open(path, "wb") as file:
            os.ftruncate(file.fileno(), kib << 10)
            if thick:
                size = min(kib << 10, OLD_DATA_LIMIT)
                file.write((OLD_DATA * (size // len(OLD_DATA) + 1))[:size])

    def resize(self, definition, volume, kib):
        path = self.content(definition, volume.number)
        if path.exists() and path.stat().st_size < kib << 10:
            os.truncate(path, kib << 10)
            if path in self.loop:
                subprocess.run(["losetup", "-c", self.loop[path]], check=True)

    def written_kib(self, definition, volume):
        path = self.content(definition, volume.number)
        return path.stat().st_blocks // 2 if path.exists() else None

    def remove(self, definition):
        for path in self.root.glob(f"content/{definition.name.upper()}_[0-9]*"):
            if path.name.startswith(f"{definition.name.upper()}_") and \
                    path.name[len(definition.name) + 1:][:5].isdigit():
                self.forget_loop(path)
                path.unlink()

    def copy(self, source, target, kib):
        """Both are paths; in place, so that a device of the target stays what it is."""
        if not source.exists():
            return
        self.empty_caches(target)
        if target.exists():
            temporary = target.with_name(target.name + ".new")
            sparse_copy(source, temporary)
            with open(temporary, "rb") as a, open(target, "r+b") as b:
                os.ftruncate(b.fileno(), 0)
                shutil.copyfileobj(a, b, 1 << 20)
            temporary.unlink()
        else:
            sparse_copy(source, target)
        if target.stat().st_size < kib << 10:
            os.truncate(target, kib << 10)
        self.empty_caches(target)

    def snapshot(self, definition, name):
        for number in definition.volumes:
            path = self.content(definition, number)
            if path.exists():
                sparse_copy(path, self.content(definition, number, f"@{name.upper()}"))

    def drop_snapshot(self, definition, name):
        for number in definition.volumes:
            self.content(definition, number, f"@{name.upper()}").unlink(missing_ok=True)

    def restore(self, source, name, target, kib):
        for number in source.volumes:
            self.copy(self.content(source, number, f"@{name.upper()}"),
                      self.content(target, number), kib(number))

    def clone(self, source, target, kib):
        for number in source.volumes:
            self.copy(self.content(source, number), self.content(target, number), kib(number))

    # for tests that go back

    def keep(self):
        shutil.rmtree(self.root / "kept", ignore_errors=True)
        (self.root / "kept").mkdir()
        for path in (self.root / "content").iterdir():
            sparse_copy(path, self.root / "kept" / path.name)

    def bring_back(self):
        self.close()
        for links in list(self.root.glob("*/drbd[0-9]*")) + list(self.root.glob("*/drbd/by-res/*/*")):
            links.unlink()
        for path in (self.root / "content").iterdir():
            path.unlink()
        for path in (self.root / "kept").iterdir():
            sparse_copy(path, self.root / "content" / path.name)

    # replicas that miss writes

    def node_leaves(self, definition, node):
        for number in definition.volumes:
            path = self.content(definition, number)
            if path.exists():
                sparse_copy(path, self.content(definition, number, f"!{node.upper()}"))

    def node_returns(self, definition, node):
        """Did it miss writes?"""
        missed = False
        for number in definition.volumes:
            away = self.content(definition, number, f"!{node.upper()}")
            if away.exists():
                missed |= away.read_bytes() != self.content(definition, number).read_bytes()
                away.unlink()
        return missed

    # devices

    def device(self, path):
        if not self.loops:
            return path
        if path not in self.loop:
            done = subprocess.run(["losetup", "-f", "--show", str(path)], check=True,
                                  capture_output=True, text=True)
            self.loop[path] = done.stdout.strip()
        return pathlib.Path(self.loop[path])

    def loops_over(self, path):
        return [self.loop[path]] if path in self.loop else []

    def empty_caches(self, path):
        """The last close does, but whoever looks for a free loop device may have it open."""
        for loop in self.loops_over(path):
            with open(loop, "rb", buffering=0) as device:
                fcntl.ioctl(device, BLKFLSBUF)

    def forget_loop(self, path):
        if path in self.loop:
            subprocess.run(["losetup", "-d", self.loop.pop(path)], check=False)

    def names(self, resource, volume):
        node, definition = self.root / resource.node.name, resource.definition
        if definition.drbd():
            return (node / f"drbd{volume.minor}",
                    node / "drbd" / "by-res" / definition.name / str(volume.number))
        return (node / f"{definition.name}_{volume.number:05d}",)

    def show(self, resource, volume):
        first, *others = self.names(resource, volume)
        content = self.content(resource.definition, volume.number)
        if not content.exists() or first.is_symlink():
            return
        for path, text in [(first, self.device(content))] + [(o, first) for o in others]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.symlink_to(text)

    def hide(self, resource, volume):
        for path in self.names(resource, volume):
            path.unlink(missing_ok=True)
            if path.parent.parent.name == "by-res" and path.parent.is_dir() and \
                    not any(path.parent.iterdir()):
                path.parent.rmdir()

    def close(self):
        for path in list(self.loop):
            self.forget_loop(path)


LOOP_CTL_GET_FREE, LOOP_SET_FD, LOOP_CLR_FD, LOOP_SET_CAPACITY = 0x4C82, 0x4C00, 0x4C01, 0x4C07
LOOP_MAJOR = 7


class HostDevices(Devices):
    """Each replica has a loop device of its own. Its cache is emptied by the last close, as DRBD's
    is: who does not close or flush shows old data elsewhere."""

    def __init__(self, directory):
        super().__init__(directory, True)
        self.loops_of = {}  # content → {node: number of its loop device}
        (self.root / "loops").mkdir(exist_ok=True)

    def loop_node(self, number):
        return self.root / "loops" / str(number)

    def new_loop(self, content):
        with open(content, "r+b") as file, open("/dev/loop-control", "rb") as control:
            for _ in range(100):
                number = fcntl.ioctl(control, LOOP_CTL_GET_FREE)
                node = self.loop_node(number)
                if not node.exists():
                    os.mknod(node, stat.S_IFBLK | 0o600, os.makedev(LOOP_MAJOR, number))
                try:
                    with open(node, "r+b", buffering=0) as loop:
                        fcntl.ioctl(loop, LOOP_SET_FD, file.fileno())
                    return number
                except OSError as error:
                    if error.errno != errno.EBUSY:
                        raise
                    node.unlink()  # somebody else was faster
        raise OSError(errno.EBUSY, "no loop device is free")

    def end_loop(self, number):
        node = self.loop_node(number)
        try:
            with open(node, "r+b", buffering=0) as loop:
                fcntl.ioctl(loop, LOOP_CLR_FD)
        except OSError:
            pass
        node.unlink(missing_ok=True)

    def show(self, resource, volume):
        first, *others = self.names(resource, volume)
        content = self.content(resource.definition, volume.number)
        loops = self.loops_of.setdefault(content, {})
        if not content.exists() or resource.node.name in loops:
            return
        number = loops[resource.node.name] = self.new_loop(content)
        first.parent.mkdir(parents=True, exist_ok=True)
        first.unlink(missing_ok=True)
        os.mknod(first, stat.S_IFBLK | 0o660, os.makedev(LOOP_MAJOR, number))
        os.chmod(first, 0o660)
        for path in others:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.symlink_to(os.path.relpath(first, path.parent))

    def hide(self, resource, volume):
        super().hide(resource, volume)
        content = self.content(resource.definition, volume.number)
        number = self.loops_of.get(content, {}).pop(resource.node.name, None)
        if number is not None:
            self.end_loop(number)

    def resize(self, definition, volume, kib):
        path = self.content(definition, volume.number)
        super().resize(definition, volume, kib)
        for loop in self.loops_over(path):
            with open(loop, "rb", buffering=0) as device:
                fcntl.ioctl(device, LOOP_SET_CAPACITY)

    def loops_over(self, path):
        return [self.loop_node(number) for number in self.loops_of.get(path, {}).values()]

    def forget_loop(self, path):
        for number in self.loops_of.pop(path, {}).values():
            self.end_loop(number)

    def openers(self):
        """{(content, node): does somebody write?} of what processes have open now."""
        known = {os.makedev(LOOP_MAJOR, number): (content, node)
                 for content, loops in self.loops_of.items() for node, number in loops.items()}
        found = {}
        for process in filter(str.isdigit, os.listdir("/proc")):
            try:
                numbers = os.listdir(f"/proc/{process}/fd")
            except OSError:
                continue
            for number in numbers:
                try:
                    path = f"/proc/{process}/fd/{number}"
                    place = known.get(os.stat(path).st_rdev) if "drbd" in os.readlink(path) else None
                    if place:
                        writes = bool(os.lstat(path).st_mode & stat.S_IWUSR)
                        found[place] = found.get(place, False) or writes
                except OSError:
                    pass  # closed meanwhile
        return found

    def close(self):
        for path in list(self.loops_of):
            self.forget_loop(path)
