#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`onevol verify` on real file systems on loop devices: XFS and btrfs share blocks, ext4 copies.

usage: filesystems.py ONEVOL
Prints TAP. Needs root, loop devices and the mkfs programs; says what is missing and skips else.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

KINDS = [
    # name, mkfs command, is a clone instant there
    ("xfs", ["mkfs.xfs", "-q", "-m", "reflink=1"], True),
    ("btrfs", ["mkfs.btrfs", "-q"], True),
    ("ext4", ["mkfs.ext4", "-q", "-F"], False),
]


def missing(command):
    if os.geteuid() != 0:
        return "not root"
    if not shutil.which(command[0], path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
        return f"no {command[0]}"
    if not os.path.exists("/dev/loop-control"):
        return "no loop devices"
    return None


MESSAGE = """<DS_DRIVER_ACTION_DATA><IMAGE><ID>2</ID><PATH>{0}/image-1-0</PATH><FORMAT>raw</FORMAT>
</IMAGE><DATASTORE><ID>1</ID><NAME>d</NAME><TYPE>0</TYPE><BASE_PATH>{0}</BASE_PATH><TEMPLATE/>
</DATASTORE></DS_DRIVER_ACTION_DATA>"""


def clones_share(onevol, mount):
    """Does a clone's log line say that its blocks are shared, and does the file system?"""
    base = f"{mount}/images"
    os.mkdir(base)
    with open(f"{base}/image-1-0", "wb") as file:
        file.write(os.urandom(64 << 20))
        os.fsync(file.fileno())
    result = subprocess.run([onevol, "datastore", "reflink", "clone", "2"], check=True,
                            input=MESSAGE.format(base).encode(), capture_output=True)
    copy = result.stdout.decode().split()[0]
    os.sync()
    extents = [line for line in subprocess.run(["filefrag", "-v", copy], check=True, text=True,
                                               capture_output=True).stdout.splitlines()
               if re.match(r"\s*\d+:", line)]
    shared = sum("shared" in line for line in extents)
    said = re.search(r"cloned .* by (\w+)", result.stderr.decode()).group(1)
    print(f"# a clone of 64 MiB: by {said}, {shared} of {len(extents)} extents shared")
    return said == "reflink" and 0 < shared == len(extents)


def check(onevol, kind, command, instant, work):
    image, mount = f"{work}/{kind}.img", f"{work}/{kind}"
    os.mkdir(mount)
    with open(image, "wb") as file:
        file.truncate(3 << 30)
    subprocess.run(command + [image], check=True, capture_output=True)
    subprocess.run(["mount", "-o", "loop", image, mount], check=True)
    try:
        result = subprocess.run([onevol, "verify", "--driver", "reflink", "--onevol", onevol,
                                 "--directory", f"{mount}/site"],
                                capture_output=True, text=True, timeout=600)
        print("\n".join("# " + line for line in result.stdout.splitlines()
                        if "FAILED" in line or line.startswith("verify:")))
        if result.returncode != 0:
            print("# " + result.stderr[-2000:].replace("\n", "\n# "))
            return False
        shared = clones_share(onevol, mount)
        return shared == instant
    finally:
        subprocess.run(["umount", mount], check=True)


def main():
    onevol = os.path.abspath(sys.argv[1])
    print(f"1..{len(KINDS)}")
    failed = 0
    for number, (kind, command, instant) in enumerate(KINDS, 1):
        reason = missing(command)
        if reason:
            print(f"ok {number} - verify on {kind} # SKIP {reason}")
            continue
        work = tempfile.mkdtemp(prefix="onevol-fs-", dir="/var/tmp")
        try:
            good = check(onevol, kind, command, instant, work)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - verify on {kind}", flush=True)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
