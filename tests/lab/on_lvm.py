#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a program in a guest with a real volume group: on_lvm.py BUILD [--front] PROGRAM [ARGUMENT...]

BUILD is the build directory. The program finds in its environment
  ONEVOL_LAB_VG     the name of an empty volume group
  ONEVOL_LAB_HOST   the guest's name
  TEST_DIRECTORY    scratch in memory
With --front it runs on the front-end, which sees no volume group and reaches the guest by ssh under
its name; without, in the guest itself, as root: `sudo` is a line of shell there, since the real one
takes longer in emulation than the command it runs. Its status is ours; 77 and a reason where there is no guest.
For a look around: on_lvm.py build bash -i
"""
import os
import shlex
import subprocess
import sys

sys.dont_write_bytecode = True
import guest  # noqa: E402

GROUP = "vg-one-100"
HOST = "kvm1"
SUDO = '#!/bin/busybox sh\nshift # -n\nexec "$@"\n'


def main():
    words = sys.argv[1:]
    if len(words) < 2:
        print(__doc__)
        return 2
    build, words = words[0], words[1:]
    front = words[0] == "--front"
    words = words[1:] if front else words
    guest.end_on_signals()
    reason = guest.missing(build)
    if reason:
        print("1..0 # SKIP " + reason)
        return guest.SKIPPED
    if os.path.exists(words[0]):
        words[0] = os.path.abspath(words[0])
    facts = {"ONEVOL_LAB_VG": GROUP, "ONEVOL_LAB_HOST": HOST, "TEST_DIRECTORY": "/dev/shm"}
    facts |= {name: os.environ[name] for name in ("G_DEBUG", "TEST_SOURCE") if name in os.environ}
    lab = guest.Lab(build, [HOST])
    try:
        lab.boot(HOST)
        lab.on(HOST, f"vgcreate {GROUP} /dev/vda")
        if front:
            return subprocess.run(lab.hosts.enter("fe", *words),
                                  env=lab.environment(**facts)).returncode
        os.mkdir(lab.hosts.path("root"))
        lab.hosts.write("root/sudo", SUDO, 0o755)
        script = f"PATH={lab.hosts.path('root')}:$PATH " + " ".join(f"{name}={shlex.quote(value)}" for name, value in facts.items())
        return subprocess.run(lab.hosts.enter(
            "fe", "ssh", *(["-t"] if sys.stdin.isatty() else []), "-F",
            lab.hosts.path("ssh_config.lab"), HOST, f"{script} {shlex.join(words)}")).returncode
    finally:
        lab.close()


if __name__ == "__main__":
    sys.exit(main())
