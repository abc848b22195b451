#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a test program with its files on a fresh file system of the named kind, on a loop device.

The mount lives in a mount namespace of this process, so it goes away with it however it ends.

usage: on_filesystem.py xfs|btrfs|ext4 PROGRAM [ARGUMENT...]
"""
import os
import subprocess
import sys
import tempfile

MAKE = {"xfs": ["mkfs.xfs", "-q", "-m", "reflink=1"], "btrfs": ["mkfs.btrfs", "-q"],
        "ext4": ["mkfs.ext4", "-q", "-F"]}


def skip(reason):
    print(f"1..0 # SKIP {reason}")
    return 0


def main():
    kind, command = sys.argv[1], sys.argv[2:]
    if os.geteuid() != 0:
        return skip("a loop device needs root")
    if os.environ.get("IN_NAMESPACE") != "yes":
        os.environ["IN_NAMESPACE"] = "yes"
        os.execvp("unshare", ["unshare", "-m", sys.executable, *sys.argv])
    directory = tempfile.mkdtemp(prefix=f"onevol-{kind}-", dir="/var/tmp")
    image, place = f"{directory}/image", f"{directory}/mount"
    try:
        os.mkdir(place)
        with open(image, "wb") as file:
            file.truncate(1 << 30)
        subprocess.run([*MAKE[kind], image], check=True, stdout=subprocess.DEVNULL)
        mount = subprocess.run(["mount", "-o", "loop", image, place], capture_output=True, text=True,
                               check=False)
        if mount.returncode:
            return skip(f"no {kind} mount: {mount.stderr.strip().splitlines()[-1][:200]}")
        os.chmod(place, 0o755)
        environment = {**os.environ, "TEST_DIRECTORY": place, "TEST_FILE_SYSTEM": kind}
        return subprocess.run(command, env=environment, check=False).returncode
    finally:
        subprocess.run(["umount", place], stderr=subprocess.DEVNULL, check=False)
        subprocess.run(["rm", "-rf", directory], check=False)


sys.exit(main())
