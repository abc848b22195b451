# SPDX-License-Identifier: Apache-2.0
"""A front-end, two hosts and a simulated LINSTOR under a played oned, for tests that call actions one
by one. The test runs as the front-end (twohosts).
"""
import hashlib
import json
import os
import sys
import urllib.error
import urllib.request

from linstorlab import LinstorLab, missing
from played_site import encoded
from twohosts import Machines, Vm, in_arguments, start

IMAGES, SYSTEM, SYSTEM2 = 103, 102, 105
VM = 7
MIB = 1 << 20
# LCM states
(PROLOG, RUNNING, MIGRATE, PROLOG_MIGRATE, PROLOG_RESUME, EPILOG_STOP, EPILOG, SAVEAS, SAVEAS_POWEROFF,
 EPILOG_UNDEPLOY, PROLOG_UNDEPLOY, SNAPSHOT_POWEROFF, REVERT_POWEROFF, DELETE_POWEROFF,
 MIGRATE_UNKNOWN, RESIZE, RESIZE_POWEROFF) = (1, 3, 4, 8, 9, 10, 11, 26, 27, 30, 31, 51, 52, 53, 60, 62,
                                              63)


class Problem(Exception):
    pass


def expect(condition, *what):
    if not condition:
        raise Problem("; ".join(str(w) for w in what))


def machines(outer, **more):
    return Machines(outer, make=lambda names: LinstorLab(names, **more))


def program(script, usage, main, **more):
    """What a test of these does when it is run; ends it."""
    if len(sys.argv) < 2:
        sys.exit(usage)
    reason = missing()
    if reason:
        print(f"1..0 # SKIP {reason}")
        sys.exit(77)
    sys.exit(start(os.path.abspath(script), main, **more))


class Names:
    """What each driver calls things."""

    def __init__(self, driver):
        self.un = driver == "linstor_un"

    def image(self, number):
        return f"one-image-{number}" if self.un else f"OpenNebula-Image-{number}"

    def source(self, number):
        return f"/dev/drbd/by-res/one-image-{number}/0" if self.un else self.image(number)

    def disk(self, vm, disk, image=None):
        if self.un:
            return f"one-vm-{vm}-disk-{disk}"
        head = self.image(image) if image is not None else "OpenNebula-Volatile"
        return f"{head}-vm{vm}-disk{disk}"

    def snapshot(self, number):
        return f"snapshot-{number}" if self.un else f"OpenNebula-Snap-{number}"


class Cloud:
    """One driver's datastores. `attributes` are added to those that it cannot do without."""

    def __init__(self, around, onevol, driver="linstor_un", version="7.4.0", system=None,
                 own_directories=False, **attributes):
        self.machines, self.driver, self.version = around, driver, version
        self.lab, self.sim = around.lab, around.lab.sim
        self.names = Names(driver)
        self.system_tm = system or driver
        self.site = around.site(onevol, version, driver)
        self.own = own_directories
        urls = ",".join(self.sim.urls)
        self.attributes = {"LS_CONTROLLERS" if self.names.un else "LINSTOR_CONTROLLERS": urls,
                           "RESOURCE_GROUP" if self.names.un else "LINSTOR_RESOURCE_GROUP": "rg",
                           "CLONE_MODE": "copy", "SAFE_DIRS": self.site.sources, **attributes}
        self.attributes = {k: v for k, v in self.attributes.items() if v is not None}
        for number in (IMAGES, SYSTEM, SYSTEM2):
            (self.site.datastores / str(number)).mkdir(exist_ok=True)
        for number in (SYSTEM, SYSTEM2) if self.own else ():
            for host in ("h1", "h2"):
                around.own(host, f"{self.site.datastores}/{number}")
        self.tell_datastores()
        self.tell_hosts()
        self.vm = None
        self.context_file = self.site.sources / "context.sh"
        self.context_file.write_text("ONE=1\n")

    # What oned knows

    def datastore(self, number):
        kind, tm = (0, self.driver) if number == IMAGES else (1, self.system_tm)
        template = "".join(f"<{k}><![CDATA[{v}]]></{k}>" for k, v in self.attributes.items())
        return (f"<DATASTORE><ID>{number}</ID><NAME>d{number}</NAME><TYPE>{kind}</TYPE>"
                f"<DS_MAD>{self.driver}</DS_MAD><TM_MAD>{tm}</TM_MAD>"
                f"<BASE_PATH>{self.site.datastores}/{number}</BASE_PATH>"
                f"<TEMPLATE>{template}</TEMPLATE></DATASTORE>")

    def tell_datastores(self):
        for number in (IMAGES, SYSTEM, SYSTEM2):
            self.site.oned_knows("datastore", number, self.datastore(number))
        self.site.oned.facts["one.datastorepool.info", -1] = "<DATASTORE_POOL>" + "".join(
            self.datastore(n) for n in (IMAGES, SYSTEM, SYSTEM2)) + "</DATASTORE_POOL>"

    def tell_hosts(self, nodes=None, states=None):
        """`nodes`: LINSTOR_NODE by host."""
        documents = []
        for number, host in enumerate(("h1", "h2")):
            template = f"<LINSTOR_NODE>{nodes[host]}</LINSTOR_NODE>" if host in (nodes or {}) else ""
            documents.append(f"<HOST><ID>{number}</ID><NAME>{host}</NAME><STATE>"
                             f"{(states or {}).get(host, 2)}</STATE><IM_MAD>kvm</IM_MAD>"
                             f"<VM_MAD>kvm</VM_MAD><CLUSTER_ID>0</CLUSTER_ID>"
                             f"<TEMPLATE>{template}</TEMPLATE></HOST>")
            self.site.oned_knows("host", number, documents[-1])
        self.site.oned.facts["one.hostpool.info", -1] = f"<HOST_POOL>{''.join(documents)}</HOST_POOL>"

    def image_document(self, number, size=8, path="", source="", snapshot=-1, fmt="raw", kind=0,
                       cloning=-1):
        return (f"<IMAGE><ID>{number}</ID><NAME>i{number}</NAME><TYPE>{kind}</TYPE>"
                f"<DISK_TYPE>1</DISK_TYPE><PERSISTENT>0</PERSISTENT><SOURCE>{source}</SOURCE>"
                f"<PATH>{path}</PATH><FORMAT>{fmt}</FORMAT><FS/><SIZE>{size}</SIZE><STATE>1</STATE>"
                f"<CLONING_ID>{cloning}</CLONING_ID><TARGET_SNAPSHOT>{snapshot}</TARGET_SNAPSHOT>"
                f"<DATASTORE_ID>{IMAGES}</DATASTORE_ID><TEMPLATE/></IMAGE>")

    def tell_image(self, number, **more):
        self.site.oned_knows("image", number, self.image_document(
            number, **{"source": self.names.source(number), **more}))

    def disk(self, disk, image=None, **more):
        """A disk's attributes in the VM's document."""
        common = {"DISK_ID": disk, "TM_MAD": self.driver if image is not None else self.system_tm,
                  "FORMAT": "raw", "DISK_TYPE": "BLOCK", "SIZE": 8}
        if image is None:
            return {**common, "TYPE": "fs", "DATASTORE_ID": SYSTEM, **more}
        return {**common, "IMAGE_ID": image, "DATASTORE_ID": IMAGES, "TYPE": "BLOCK",
                "SOURCE": self.names.source(image), "ORIGINAL_SIZE": 8, "CLONE": "YES", "SAVE": "NO",
                "LN_TARGET": "NONE", "CLONE_TARGET": "SYSTEM" if self.names.un else "SELF",
                "DRIVER": "raw", **more}

    @staticmethod
    def persistent():
        return {"CLONE": "NO", "SAVE": "YES", "PERSISTENT": "YES"}

    def make_vm(self, *disks, number=VM, system=SYSTEM):
        made = Vm(self.site, number, system, self.system_tm, list(disks))
        if self.vm is None:
            self.vm = made
        return made

    # Actions

    def tm(self, action, *words, stdin=b"", **more):
        self.site.name = self.driver
        return self.site.run("tm", action, *words, stdin=stdin, **more)

    def ds(self, action, number, extra="", **image):
        message = encoded("<DS_DRIVER_ACTION_DATA>" + self.image_document(number, **image) +
                          self.datastore(IMAGES) + extra + "</DS_DRIVER_ACTION_DATA>")
        self.site.name = self.driver
        return self.site.run("datastore", action, number, stdin=message)

    @staticmethod
    def good(done, what="it"):
        expect(done.returncode == 0, f"{what}: exit {done.returncode}: {done.stderr.strip()}")
        return done.stdout.strip()

    @staticmethod
    def bad(done, *texts, within=20):
        expect(done.returncode != 0, f"it works, instead of a sentence with {texts}")
        for text in texts:
            expect(text in done.stderr, f"no '{text}' in: {done.stderr.strip()}")
        expect(done.seconds < within, f"it took {done.seconds:.1f} s")

    def migration(self, source, target, vm=None):
        vm = vm or self.vm
        words = [source, target, vm.directory(), vm.number, vm.system]
        if in_arguments(self.version):
            return words + [vm.encoded()], b""
        return words, vm.encoded().encode()

    def at(self, host, disk=None, vm=None, system=None):
        vm = vm or self.vm
        return f"{host}:{vm.directory(system) if disk is None else vm.path(disk, system)}"

    def import_image(self, number, content=None, size=8, **more):
        """By the driver's cp; its SOURCE."""
        path = self.site.sources / f"new-{number}.img"
        path.write_bytes(content or os.urandom(MIB) + bytes(size * MIB - MIB))
        answer = self.good(self.ds("cp", number, path=path, size=size, **more), "cp")
        path.unlink()
        source = answer.split()[0]
        expect(source == self.names.source(number), f"SOURCE '{source}'")
        self.tell_image(number, size=size)
        return source

    def deploy(self, host, vm=None):
        """PROLOG of all disks."""
        vm = vm or self.vm
        vm.tell(PROLOG, host)
        for disk in vm.disks:
            if "IMAGE_ID" not in disk:
                self.good(self.tm("mkimage", disk["SIZE"], disk["FORMAT"],
                                  self.at(host, disk["DISK_ID"], vm), vm.number, vm.system), "mkimage")
                continue
            action = "ln" if disk["CLONE"] == "NO" else "clone"
            self.good(self.tm(action, f"fe:{disk['SOURCE']}", self.at(host, disk["DISK_ID"], vm),
                              vm.number, IMAGES), action)
        vm.tell(RUNNING)

    def terminate(self, host, vm=None):
        vm = vm or self.vm
        vm.tell(EPILOG)
        for disk in vm.disks:
            place = self.at(host, disk["DISK_ID"], vm)
            if disk.get("SAVE") == "YES":
                self.good(self.tm("mvds", place, disk["SOURCE"], vm.number, IMAGES), "mvds")
            else:
                self.good(self.tm("delete", place, vm.number, disk["DATASTORE_ID"]), "delete")
        self.good(self.tm("delete", self.at(host, vm=vm), vm.number, vm.system), "delete of VMDIR")

    # LINSTOR without a driver

    def rest(self, method, path, body=None):
        request = urllib.request.Request(
            f"{self.sim.url}/v1/{path}", None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"} if body is not None else {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.loads(response.read() or b"null")
        except urllib.error.HTTPError as error:
            raise Problem(f"{method} {path}: {error.read().decode()}") from error

    def resource(self, name, nodes, mib=8, props=None, content=None, group="rg"):
        """A resource as somebody else has made it, on these nodes."""
        self.rest("POST", "resource-definitions", {"resource_definition": {
            "name": name, "resource_group_name": group, "props": props or {}}})
        self.rest("POST", f"resource-definitions/{name}/volume-definitions",
                  {"volume_definition": {"size_kib": mib << 10}})
        for node in nodes:
            self.rest("POST", f"resource-definitions/{name}/resources/{node}",
                      {"resource": {"name": name, "node_name": node,
                                    "props": {"StorPoolName": "thin"}}})
        if content is not None:
            self.write(name, content)

    def attach(self, name, node):
        self.rest("POST", f"resource-definitions/{name}/resources/{node}",
                  {"resource": {"name": name, "node_name": node, "flags": ["DRBD_DISKLESS"]}})

    def snapshot(self, name, snapshot):
        self.rest("POST", f"resource-definitions/{name}/snapshots", {"name": snapshot})

    def volumes(self):
        return self.lab.volumes()

    def content(self, name):
        """All of it, read from what the simulator stores."""
        with open(self.volumes()[name]["content"], "rb") as file:
            return file.read()

    def write(self, name, data, offset=0):
        """While no host has it open."""
        with open(self.volumes()[name]["content"], "r+b") as file:
            file.seek(offset)
            file.write(data)

    def attached(self, name):
        return sorted(self.volumes()[name]["attached"])

    def nodes(self, name):
        found = self.sim.hook("state-of")["definitions"][name]["resources"]
        return {node: facts["flags"] for node, facts in found.items()}

    def props(self, name):
        return self.volumes()[name]["props"]

    # What must be true

    def digest(self, host, disk, vm=None, length=8 * MIB):
        """Of a disk, through its link."""
        path = (vm or self.vm).path(disk)
        return self.machines.on(host, f"head -c {length} {path} | sha256sum").split()[0]

    def guest_writes(self, host, disk, vm=None, seek=64):
        path = (vm or self.vm).path(disk)
        self.machines.on(host, f"dd if=/dev/urandom of={path} bs=4k seek={seek} count=4 "
                               "conv=notrunc,fsync status=none")
        return self.digest(host, disk, vm)

    def link(self, host, disk, vm=None, system=None):
        return self.machines.on(host, f"readlink {(vm or self.vm).path(disk, system)} || true").strip()

    def has_device(self, host, name):
        return self.machines.on(host, f"[ -b /dev/drbd/by-res/{name}/0 ] && echo yes || true") != ""

    def nothing_left(self, *kept):
        """Only these volumes, attached nowhere; nothing that DRBD would have refused."""
        volumes = self.volumes()
        expect(set(volumes) == set(kept), f"volumes left: {sorted(set(volumes) ^ set(kept))}")
        for name, volume in volumes.items():
            expect(not volume["attached"], f"'{name}' is attached to {volume['attached']}")
            expect(not volume["two_primaries"], f"'{name}' allows two primaries")
        violations = self.lab.violations()
        expect(not violations, f"DRBD would not have allowed {violations}")

    def close(self):
        for number in (SYSTEM, SYSTEM2) if self.own else ():
            for host in ("h1", "h2"):
                self.machines.on(host, f"umount -l {self.site.datastores}/{number}", check=False)
        for name in list(self.volumes()):
            for snapshot in self.volumes()[name]["snapshots"]:
                self.rest("DELETE", f"resource-definitions/{name}/snapshots/{snapshot}")
        for name in list(self.volumes()):
            try:
                self.rest("DELETE", f"resource-definitions/{name}")
            except Problem:
                pass  # in use: said before
        self.sim.hook("clear-faults")
        self.lab.violations()
        self.site.close()


def sha(data):
    return hashlib.sha256(data).hexdigest()
