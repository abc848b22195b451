# SPDX-License-Identifier: Apache-2.0
"""A LINSTOR cluster of fake hosts: the simulated controller beside the front-end, and devices that
a host has only while LINSTOR gave them to the node of its name.

    lab = LinstorLab(["fe", "h1", "h2"]); lab.sim.hook(…); lab.close()

Each host's /dev is its own: /dev/drbd1000 and /dev/drbd/by-res/NAME/0 come and go there. The front-end
has none. One more node, "store", has storage and is no host. Needs root and loop devices.
"""
import http.client
import json
import os
import pathlib
import shutil
import socket
import stat
import subprocess
import time

import hostlab
from linstor_lab import PROGRAM, Sim

STORAGE = pathlib.Path(__file__).with_name("linstor_storage.py")
# What every /dev has: name, major, minor.
DEVICES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9),
           ("tty", 5, 0))
STORE = "store"


def missing():
    """Why this cannot run here, or None."""
    reason = hostlab.missing()
    if reason:
        return reason
    return None if os.path.exists("/dev/loop-control") else "there are no loop devices"


class LocalConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class LabSim(Sim):
    """The simulator in the network of a host; its control port is a file, for all networks."""

    def __init__(self, network, control, *options):  # pylint: disable=super-init-not-called
        start = time.monotonic()
        self.control = control
        if os.path.exists(control):
            os.unlink(control)  # of one that was there before
        self.process = subprocess.Popen(
            ["nsenter", f"--net={network}", "--", PROGRAM, "--with-stdin", "--control", control,
             "--bind", "0.0.0.0", *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the simulator does not start")
        self.started_s = time.monotonic() - start
        self.ports = json.loads(line)["ports"]
        self.url = f"http://127.0.0.1:{self.ports[0]}"
        self.urls = [f"http://127.0.0.1:{port}" for port in self.ports]

    def hook(self, hook, /, **body):
        connection = LocalConnection(self.control)
        connection.request("POST", f"/{hook}", json.dumps(body))
        answer = json.loads(connection.getresponse().read())
        connection.close()
        if "broken" in answer:
            raise AssertionError(f"hook {hook}: {answer['broken']}")
        return answer


class LinstorLab(hostlab.Lab):
    def __init__(self, names=("fe", "h1", "h2"), rest="1.27.0", pools="thin:LVM_THIN:102400",
                 place_count=1, options=()):
        self.satellites = [name for name in names if not name.startswith("fe")] + [STORE]
        self.sim, self.mounted = None, False
        super().__init__(list(names))
        try:
            self.sim = self.simulator(rest, pools, place_count, options)
        except BaseException:
            self.close()
            raise

    def prepare(self):
        root = self.path("devices")
        os.mkdir(root)
        hostlab.run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", root)
        self.mounted = True
        for name in self.satellites:
            place = os.path.join(root, name)
            os.makedirs(os.path.join(place, "shm"))
            for device, major, minor in DEVICES:
                os.mknod(os.path.join(place, device), stat.S_IFCHR | 0o666, os.makedev(major, minor))
                os.chmod(os.path.join(place, device), 0o666)
            for link, text in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"),
                               ("stderr", "fd/2")):
                os.symlink(text, os.path.join(place, link))

    def simulator(self, rest, pools, place_count, options):
        shutil.rmtree(self.path("devices", "content"), ignore_errors=True)
        for name in self.satellites:
            for device in pathlib.Path(self.path("devices", name)).glob("drbd*"):
                shutil.rmtree(device) if device.is_dir() else device.unlink()
        words = ["--port", "3370", "--rest", rest, "--nodes", "0", "--group", "rg",
                 "--place-count", str(place_count), "--devices", self.path("devices"), "--host-devices"]
        for pool in pools.split():
            words += ["--pools", pool]
        for name in self.satellites:
            words += ["--node", name]
        return LabSim(f"/run/netns/{self.prefix}-fe", self.path("control"), *words, *options)

    def storage_program(self):
        """For onevol-verify --storage."""
        self.write("storage", f"#!/bin/sh\nexec /usr/bin/python3 -I -S {STORAGE} "
                              f"{self.path('control')} \"$@\"\n", 0o755)
        return self.path("storage")

    def volumes(self):
        return {v["name"]: v for v in self.sim.hook("volumes")["volumes"]}

    def violations(self):
        """What DRBD would not have allowed since the last look."""
        return self.sim.hook("violations")["violations"]

    def close(self):
        for name in list(self.nodes):
            self.stop(name)
        if self.sim:
            self.sim.__exit__()
        self.sim = None
        if self.mounted:
            subprocess.run(["umount", "-l", self.path("devices")], check=False)
        super().close()
