# SPDX-License-Identifier: Apache-2.0
"""What the benches of copies share: interleaved rounds, medians, ratios, test content."""
import os
import random
import resource
import shutil
import statistics
import subprocess
import time

MIB = 1 << 20
GIB = 1 << 30


def run_once(command, prepare):
    """Wall and CPU seconds of one command, its children included; it must flush what it writes."""
    prepare()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare(title, commands, prepare, data, rounds):
    """Runs every command once a round, in turn, and prints medians; ratios are against the first,
    which is ours: above 1 it is faster. `data`: bytes of data, for CPU per GiB."""
    times = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            result = run_once(command, prepare)
            if number > 0:  # the first round warms caches
                times[name].append(result)
    print(f"\n{title}, medians of {rounds}\n")
    print(f"  {'':34}{'wall s':>8}{'CPU s/GiB':>11}{'ours is':>10}")
    walls = {name: statistics.median(wall for wall, _ in results)
             for name, results in times.items()}
    ours = next(iter(walls.values()))
    for name, results in times.items():
        cpu = statistics.median(seconds for _, seconds in results) * GIB / data
        ratio = "" if name == next(iter(times)) else f"{walls[name] / ours:9.2f}x"
        print(f"  {name:34}{walls[name]:8.2f}{cpu:11.2f}{ratio:>10}", flush=True)
    return walls


def sparse_raw(path, size, data, seed=1):
    """`data` incompressible bytes in runs of 4 to 16 MiB, spread over `size`."""
    chance = random.Random(seed)
    with open(path, "wb") as out:
        out.truncate(size)
        position, left = 0, data
        while left > 0:
            length = min(left, chance.randint(4, 16) * MIB)
            out.seek(position)
            out.write(os.urandom(length))
            left -= length
            position += length * (size // data)
        out.flush()
        os.fsync(out.fileno())


def os_image(path, size, data):
    """An ext4 file system with programs and libraries of this machine, its free space holes."""
    root = path + ".root"
    taken = 0
    for top in ("/usr/bin", "/usr/sbin", "/usr/lib", "/usr/share"):
        for directory, _, names in os.walk(top):
            for name in names:
                source = os.path.join(directory, name)
                if taken >= data or os.path.islink(source) or not os.path.isfile(source):
                    continue
                os.makedirs(root + directory, exist_ok=True)
                shutil.copyfile(source, root + source)
                taken += os.path.getsize(source)
    with open(path, "wb") as out:
        out.truncate(size)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", root, path], check=True)
    shutil.rmtree(root)


class LoopDevice:
    """A fresh loop device over a sparse file; `path` is None where there are none."""

    def __init__(self, backing, size):
        self.backing, self.size, self.path = backing, size, None

    def renew(self):
        self.remove()
        with open(self.backing, "wb") as out:
            out.truncate(self.size)
        found = subprocess.run(["losetup", "--find", "--show", self.backing],
                               capture_output=True, text=True)
        self.path = found.stdout.strip() if found.returncode == 0 else None
        return self.path

    def remove(self):
        if self.path:
            subprocess.run(["losetup", "--detach", self.path], check=False)
        self.path = None
        if os.path.exists(self.backing):
            os.unlink(self.backing)
