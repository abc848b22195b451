#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A suspended VM's memory in LINSTOR: save and restore of linstor_un on the simulator, on either host.
libvirt is played, by a virsh of the hosts; the real one is in vmm.py.

usage: linstor_checkpoint.py ONEVOL
"""
import pathlib
import sys

sys.dont_write_bytecode = True
from linstor_site import SYSTEM, VM, Cloud, expect, machines, program  # noqa: E402
from played_site import Tap, encoded  # noqa: E402

DOMAIN, VOLUME = f"one-{VM}", f"one-vm-{VM}-checkpoint"
MEMORY_KIB = 4096
NO_SPACE = 980
MAGIC = b"LibvirtQemudSave"
# The guest is two files: what state it is in, and its memory. `fails` breaks a save in the middle.
VIRSH = """#!/bin/sh
cd /var/tmp
while [ "$1" = -q ] || [ "$1" = -c ]; do [ "$1" = -q ] || shift; shift; done
xml="<domain type='kvm'><name>NAME</name><memory unit='KiB'>SIZE</memory><devices/></domain>"
command=$1
[ "$command" != save-image-dumpxml ] || { echo "$xml"; exit 0; }
if [ "$command" = restore ]; then
    [ ! -e state ] && [ "$(head -c 16 "$2")" = LibvirtQemudSave ] || { echo "error: no image" >&2; exit 1; }
    tail -c +17 "$2" | head -c $((SIZE * 1024)) > memory && echo paused > state
    exit
fi
[ -e state ] || { echo "error: failed to get domain '$2'" >&2; exit 1; }
case $command in
domstate) cat state ;;
dumpxml) echo "$xml" ;;
resume) echo running > state ;;
save)
    echo paused > state
    { printf LibvirtQemudPart; cat memory; } | dd of="$3" bs=64k conv=notrunc,fsync status=none || exit 1
    [ ! -e fails ] || { echo "error: operation failed: no more" >&2; exit 1; }
    printf LibvirtQemudSave | dd of="$3" conv=notrunc,fsync status=none && rm state memory ;;
esac
""".replace("NAME", DOMAIN).replace("SIZE", str(MEMORY_KIB))


class Guests:
    def __init__(self, cloud):
        self.cloud, self.machines = cloud, cloud.machines
        path = pathlib.Path(cloud.lab.path("virsh"))
        path.write_text(VIRSH)
        path.chmod(0o755)
        for host in ("h1", "h2"):
            self.machines.on(host, f"mount --bind {path} $(command -v virsh)")

    def boot(self, host):
        self.machines.on(host, f"cd /var/tmp; head -c {MEMORY_KIB}k /dev/urandom > memory; "
                               "echo running > state")

    def state(self, host):
        return self.machines.on(host, "cat /var/tmp/state 2>/dev/null || true").strip()

    def memory(self, host):
        return self.machines.on(host, "sha256sum /var/tmp/memory 2>/dev/null || true").split()[:1]

    def act(self, action, host):
        """As one_vmm_exec runs a local action."""
        file = f"{self.cloud.site.datastores}//{SYSTEM}/{VM}/checkpoint"
        words = [DOMAIN, file, host] if action == "save" else [file, host, DOMAIN]
        message = (f"<VMM_DRIVER_ACTION_DATA><HOST>{host}</HOST>"
                   f"<VM><ID>{VM}</ID><NAME>v</NAME></VM>{self.cloud.datastore(SYSTEM)}"
                   "</VMM_DRIVER_ACTION_DATA>")
        self.cloud.site.name = "kvm"
        return self.cloud.site.run("vmm", f"{action}_linstor_un", *words, VM, host, stdin=encoded(message))

    def save(self, host):
        before = self.memory(host)
        expect(self.state(host) == "running" and before, f"no guest on {host}")
        self.cloud.good(self.act("save", host), "save")
        expect(not self.state(host), "the guest is there still")
        expect(not self.cloud.attached(VOLUME), "the checkpoint stays attached")
        expect(self.cloud.content(VOLUME).startswith(MAGIC), "the image is not complete")
        return before

    def restore(self, host, before):
        self.cloud.good(self.act("restore", host), "restore")
        expect(self.state(host) == "running", f"the guest is '{self.state(host)}'")
        expect(self.memory(host) == before, "the guest has another memory")
        self.cloud.nothing_left()


def to_the_other_host_and_back(cloud, guests):
    guests.boot("h1")
    before = guests.save("h1")
    guests.restore("h2", before)
    guests.restore("h1", guests.save("h2"))


def saved_twice_is_saved(cloud, guests):
    guests.boot("h1")
    before = guests.save("h1")
    cloud.good(guests.act("save", "h1"), "save again")
    expect(cloud.content(VOLUME).startswith(MAGIC), "the image is gone")
    guests.restore("h1", before)


def it_has_replicas_of_its_own(cloud, guests):
    guests.boot("h1")
    before = guests.save("h1")
    replicas = [node for node, flags in cloud.nodes(VOLUME).items() if not flags]
    expect(len(replicas) == 2, f"CHECKPOINT_REPLICA_COUNT=2, but replicas on {replicas}")
    expect(cloud.volumes()[VOLUME]["kib"] << 10 > MEMORY_KIB << 10, "it is too small")
    guests.restore("h2", before)


def a_save_that_fails(cloud, guests):
    """The guest goes on where it was, and nothing is left."""
    guests.boot("h1")
    before = guests.memory("h1")
    guests.machines.on("h1", "touch /var/tmp/fails")
    cloud.bad(guests.act("save", "h1"), "no more", within=120)
    expect(guests.state("h1") == "running", f"the guest is '{guests.state('h1')}'")
    expect(guests.memory("h1") == before, "its memory changed")
    cloud.nothing_left()
    guests.machines.on("h1", "rm /var/tmp/fails")
    guests.restore("h1", guests.save("h1"))


def no_room_for_it(cloud, guests):
    """LINSTOR refuses: the guest was not even stopped."""
    guests.boot("h1")
    cloud.sim.hook("fault", kind="error", code=NO_SPACE, message="Not enough free space", method="POST",
                   times=0)
    try:
        cloud.bad(guests.act("save", "h1"), "Not enough free space", within=120)
    finally:
        cloud.sim.hook("clear-faults")
    expect(guests.state("h1") == "running", f"the guest is '{guests.state('h1')}'")
    cloud.nothing_left()


def it_goes_with_the_vm(cloud, guests):
    guests.boot("h1")
    guests.save("h1")
    cloud.good(cloud.tm("delete", cloud.at("h1"), VM, SYSTEM), "delete of VMDIR")
    cloud.nothing_left()


def main(outer, onevol):
    tap, around = Tap(), machines(outer)
    try:
        for function in (to_the_other_host_and_back, saved_twice_is_saved, it_has_replicas_of_its_own,
                         a_save_that_fails, no_room_for_it, it_goes_with_the_vm):
            cloud = Cloud(around, onevol, CHECKPOINT_REPLICA_COUNT="2")
            cloud.make_vm()
            tap.attempt(function.__name__.replace("_", " "), lambda: function(cloud, Guests(cloud)))
            for host in ("h1", "h2"):
                around.on(host, "umount $(command -v virsh); rm -f /var/tmp/state /var/tmp/memory "
                                "/var/tmp/fails", check=False)
            cloud.close()
    finally:
        around.lab.close()
    return tap.finish()


if __name__ == "__main__":
    program(__file__, __doc__, main, tools=("virsh",))
