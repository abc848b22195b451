#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a test that prints TAP on a real MooseFS: on_mfs.py PROGRAM [ARGUMENT...].

It finds a directory of the mount in $TEST_MFS, and its own scratch in $TEST_DIRECTORY. Skips (77)
without root, FUSE or Debian's moosefs-* packages.
"""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
import mfslab  # noqa: E402

SKIPPED = 77


def main():
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    reason = mfslab.missing()
    if reason:
        print("1..0 # SKIP " + reason)
        return SKIPPED
    lab = mfslab.MfsLab(["fe"])
    try:
        program = os.path.abspath(sys.argv[1])
        environment = lab.environment(TEST_MFS=mfslab.MOUNT, TEST_DIRECTORY="/dev/shm")
        for name in ("G_DEBUG", "TEST_SOURCE"):
            if name in os.environ:
                environment[name] = os.environ[name]
        return subprocess.run(lab.enter("fe", program, *sys.argv[2:]), env=environment).returncode
    finally:
        lab.close()


if __name__ == "__main__":
    sys.exit(main())
