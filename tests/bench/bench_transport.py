#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The mover between two machines against the usual tools over the same ssh, in one run.

Two fake hosts (tests/integration/hostlab.py) with real ssh between them. A raw file of 4 GiB goes
from one to the other: with 1 GiB of incompressible data, then with an ext4 file system of 1 GiB
of this machine's own programs. Each command ends with a flush of the target. CPU counts both
ends, ssh included. In memory where there is room: a slow disk would hide what the transport does.

usage: bench_transport.py HOSTTOOL [--rounds N] [--directory DIR] [--only NAME] [--gib N]
"""
import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from measure import GIB, MIB, os_image, sparse_raw

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import hostlab  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")


class Bench:
    def __init__(self, lab, tool, directory):
        self.lab, self.tool, self.directory = lab, tool, directory
        self.source, self.target = f"{directory}/source", f"{directory}/target"

    def ours(self, *options, **environment):
        words = ["here", "options", "0", "fresh", "trust", ",", *options, "here", "transfer",
                 self.source, "h1", self.target]
        return [self.tool, *words], environment

    def shell(self, script):
        return ["sh", "-c", script.format(source=self.source, target=self.target,
                                          directory=self.directory)], {}

    def cpu_of_host(self):
        """Of sshd there, which is its init, and of all that has ended below it."""
        with open(f"/proc/{self.lab.nodes['h1'][1]}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return sum(int(field) for field in fields[11:15]) / TICKS

    def wait_for_idle_host(self):
        init = self.lab.nodes["h1"][1]
        for _ in range(200):
            with open(f"/proc/{init}/task/{init}/children") as children:
                if not children.read():
                    return
            time.sleep(0.02)

    def run(self, command, environment):
        if os.path.exists(self.target):
            os.unlink(self.target)
        os.sync()
        self.wait_for_idle_host()
        here, there = resource.getrusage(resource.RUSAGE_CHILDREN), self.cpu_of_host()
        start = time.monotonic()
        subprocess.run(self.lab.enter("fe", *command), check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                       env=self.lab.environment(**environment))
        wall = time.monotonic() - start
        self.wait_for_idle_host()
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = now.ru_utime + now.ru_stime - here.ru_utime - here.ru_stime
        return wall, cpu + self.cpu_of_host() - there

    def same(self):
        return subprocess.run(["cmp", "-s", self.source, self.target]).returncode == 0

    def compare(self, title, rounds, goal):
        peers = {
            "ssh dd bs=1M": self.shell(
                "dd if={source} bs=1M status=none | "
                "ssh h1 'dd of={target} bs=1M conv=fsync status=none'"),
            "rsync --sparse": self.shell(
                "rsync --sparse --whole-file --fsync {source} h1:{target}"),
            "tar --sparse | ssh tar": self.shell(
                "tar -C {directory} --sparse -cf - source | ssh h1 'tar -C {directory} "
                "--transform=s/source/target/ -xf - && sync -d {target}'"),
        }
        commands = {"onevol": self.ours(), **peers}
        times = {name: [] for name in commands}
        for _ in range(rounds):
            for name, (command, environment) in commands.items():
                times[name].append(self.run(command, environment))
                if not self.same():
                    raise SystemExit(f"{name} has made something else")
        data = os.stat(self.source).st_blocks * 512
        print(f"\n{title} ({data / GIB:.2f} GiB of data in {os.stat(self.source).st_size / GIB:g}), "
              f"medians of {rounds}\n")
        print(f"  {'':26}{'wall s':>8}{'CPU s/GiB':>11}{'ours is':>10}")
        walls = {name: statistics.median(wall for wall, _ in results)
                 for name, results in times.items()}
        for name, results in times.items():
            cpu = statistics.median(seconds for _, seconds in results) * GIB / data
            ratio = f"{walls[name] / walls['onevol']:9.2f}x" if name in peers else ""
            print(f"  {name:26}{walls[name]:8.2f}{cpu:11.2f}{ratio:>10}", flush=True)
        best = min(walls[name] for name in peers) / walls["onevol"]
        print(f"  against the best of them: {best:.2f}x (wanted: {goal}x)", flush=True)


def roomy(size):
    """Memory, if there is room for source and target there."""
    free = os.statvfs("/dev/shm")
    with open("/proc/meminfo") as lines:
        memory = next(int(line.split()[1]) * 1024 for line in lines if "MemAvailable" in line)
    return "/dev/shm" if min(free.f_bavail * free.f_bsize, memory) > 2.5 * size else "/var/tmp"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hosttool")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory")
    parser.add_argument("--only", choices=["random", "image"])
    parser.add_argument("--gib", type=float, default=4)
    options = parser.parse_args()
    why = hostlab.missing() or (None if shutil.which("rsync") else "needs rsync")
    if why:
        print(f"between machines: skipped, {why}")
        return
    size = int(options.gib * GIB) // MIB * MIB
    tempfile.tempdir = options.directory or roomy(size)
    lab = hostlab.Lab(["fe", "h1"])
    try:
        bench = Bench(lab, os.path.abspath(options.hosttool), lab.base)
        bench.run([bench.tool, "h1", "space", "/"], {})  # the agent gets there
        print(f"between two machines, in {tempfile.tempdir}, {os.cpu_count()} CPUs for both")
        if options.only != "image":
            sparse_raw(bench.source, size, size // 4)
            bench.compare("incompressible data", options.rounds, 1)
            os.unlink(bench.source)
        if options.only != "random":
            os_image(bench.source, size, size // 4)
            bench.compare("an OS image", options.rounds, 2)
    finally:
        lab.close()


main()
