# SPDX-License-Identifier: Apache-2.0
"""Content for the simulated volumes: real files, or loop devices over them.

All replicas that are up to date share one file, as DRBD keeps them equal. A node that goes away
keeps a copy of that moment: that is what its replica holds if it misses writes. Below the directory:

    content/RESOURCE_00000              what is written now
    content/RESOURCE_00000@SNAPSHOT     a snapshot
    content/RESOURCE_00000!NODE         what a node that is away has
    NODE/drbd1000                       the device on that node, while it has one: a link
    NODE/drbd/by-res/RESOURCE/0         a link to that
"""
import errno
import os
import pathlib
import shutil
import subprocess

OLD_DATA = b"what an earlier tenant of these blocks has written.."
OLD_DATA_LIMIT = 64 << 20


def sparse_copy(source, target):
    """A reflink where the file system can, else without the holes."""
    FICLONE = 0x40049409
    with open(source, "rb") as a, open(target, "wb") as b:
        try:
            import fcntl
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
