# SPDX-License-Identifier: Apache-2.0
"""OpenNebula with the driver gfs2clvm on guests with real LVM: the installed driver files are called as
oned calls them, on a front-end that sees no volume group and comes to hosts as oneadmin.

What oned would answer is told by the test (played_site, twohosts.Vm).
"""
import ctypes
import hashlib
import json
import os
import pathlib
import subprocess
import time

import case
import guest
from case import check
from played_site import Site, encoded
from twohosts import Vm, in_arguments

# Names with dots: SOURCE is HOST:VG.LV, which is not cut at the first of them.
HOSTS = ["kvm1.lab", "kvm2.lab"]
GROUP = "vg.one-100"
IMAGES, SYSTEM = 103, 102
MIB = 1 << 20
SIZE = 8  # MiB of an image
# LCM states (include/VirtualMachine.h), and VM states
(PROLOG, RUNNING, PROLOG_MIGRATE, PROLOG_RESUME, EPILOG_STOP, EPILOG, CLEANUP_RESUBMIT, HOTPLUG,
 SAVEAS, SAVEAS_POWEROFF, SAVEAS_SUSPENDED, CLEANUP_DELETE, MIGRATE, HOTPLUG_PROLOG_POWEROFF,
 SNAPSHOT_SUSPENDED, REVERT_POWEROFF) = (1, 3, 8, 9, 10, 11, 15, 17, 26, 27, 28, 23, 4, 33, 54, 52)
ACTIVE, STOPPED, SUSPENDED, DONE, POWEROFF = 3, 4, 5, 6, 8
# OpenNebula's ssh keeps connections since 5.12
KEEP = "  ControlMaster auto\n  ControlPersist 60s\n  ControlPath {base}/drv-%C\n"
AS_ONEADMIN = "setpriv --reuid=oneadmin --regid=oneadmin --init-groups"


def enter_frontend(lab):
    """This process is in the front-end's network from here on: oned's answers come from there."""
    with open(f"/run/netns/{lab.hosts.prefix}-fe") as space:
        check(ctypes.CDLL(None, use_errno=True).setns(space.fileno(), 0x40000000) == 0, "setns")


def make_lab(build, names):
    lab = guest.Lab(build, names)
    with open(lab.hosts.path("ssh_config"), "a") as config:
        config.write(KEEP.format(base=lab.hosts.base))
    enter_frontend(lab)
    return lab


def data(seed, mib=SIZE):
    """Something at both ends that is the same in no two volumes."""
    end = f"{seed} ".encode() * 8192
    return end + bytes(mib * MIB - 2 * len(end)) + end


def sha(content):
    return hashlib.sha256(content).hexdigest()


class Cloud:
    """The driver's files and datastores; `names` are those that `setup` installs it as."""

    def __init__(self, lab, onevol, version="7.4.0", names=("gfs2clvm",), **attributes):
        self.lab, self.version, self.names = lab, version, names
        self.site = Site(onevol, version, "gfs2clvm", names[0], base=lab.directory)
        self.site.datastores = pathlib.Path("/var/lib/one/datastores")
        (self.site.var / "config").write_text(f"DATASTORE_LOCATION={self.site.datastores}\n")
        (self.site.remotes / "etc/onevol/onevol.conf").write_text('FRONTEND_NAMES="fe"\n')
        self.environment = lab.environment(**{
            name: self.site.environment[name]
            for name in ("ONE_AUTH", "ONE_XMLRPC", "ONEVOL_STATE_DIR", "ONE_XMLRPC_TIMEOUT", "HOME")})
        self.onevol = os.path.abspath(onevol)
        for name in names[1:]:
            self.command("setup", "--remotes", self.site.remotes, "--driver", "gfs2clvm", "--as", name)
        self.attributes = {"VG_NAME": GROUP, "HOST": HOSTS[0], "SAFE_DIRS": str(self.site.sources),
                           **attributes}
        self.tm_mad, self.spent = names[0], []
        self.site.oned_knows = lambda what, number, text: self.site.oned.facts.__setitem__(
            (f"one.{what}.info", number), text)
        self.tell_datastores()

    def is_before(self, *version):
        return tuple(map(int, self.version.split(".")[:2])) < version

    # What oned knows

    def datastore(self, number):
        template = "".join(f"<{k}><![CDATA[{v}]]></{k}>" for k, v in self.attributes.items())
        return (f"<DATASTORE><ID>{number}</ID><NAME>d{number}</NAME><TYPE>{int(number != IMAGES)}</TYPE>"
                f"<DS_MAD>{self.tm_mad}</DS_MAD><TM_MAD>{self.tm_mad}</TM_MAD>"
                f"<BASE_PATH>{self.site.datastores}/{number}</BASE_PATH>"
                f"<TEMPLATE>{template}</TEMPLATE></DATASTORE>")

    def tell_datastores(self, **attributes):
        """`None` takes an attribute away."""
        self.attributes = {k: v for k, v in {**self.attributes, **attributes}.items() if v is not None}
        for number in (IMAGES, SYSTEM):
            self.site.oned_knows("datastore", number, self.datastore(number))
        self.site.oned.facts["one.datastorepool.info", -1] = (
            f"<DATASTORE_POOL>{self.datastore(IMAGES)}{self.datastore(SYSTEM)}</DATASTORE_POOL>")
        hosts = "".join(f"<HOST><ID>{i}</ID><NAME>{host}</NAME><STATE>{state}</STATE></HOST>"
                        for i, (host, state) in enumerate([*((h, 2) for h in HOSTS), ("off.lab", 8)]))
        self.site.oned.facts["one.hostpool.info", -1] = f"<HOST_POOL>{hosts}</HOST_POOL>"

    def image_document(self, number, size=SIZE, path="", source="", fmt="raw", kind=0, state=1, uid=0,
                       rights="", cloning=-1, persistent=0, template=""):
        form = f"<FSTYPE>{fmt}</FSTYPE>" if self.is_before(6, 0) else f"<FORMAT>{fmt}</FORMAT><FS/>"
        return (f"<IMAGE><ID>{number}</ID><UID>{uid}</UID><GID>{int(uid > 0)}</GID><NAME>i{number}</NAME>"
                f"<PERMISSIONS>{rights}</PERMISSIONS><TYPE>{kind}</TYPE>"
                f"<DISK_TYPE>2</DISK_TYPE><PERSISTENT>{persistent}</PERSISTENT><SOURCE>{source}</SOURCE>"
                f"<PATH>{path}</PATH>{form}<SIZE>{size}</SIZE><STATE>{state}</STATE>"
                f"<CLONING_ID>{cloning}</CLONING_ID><TARGET_SNAPSHOT>-1</TARGET_SNAPSHOT>"
                f"<DATASTORE_ID>{IMAGES}</DATASTORE_ID><TEMPLATE>{template}</TEMPLATE></IMAGE>")

    def source(self, number):
        return f"{self.attributes['HOST']}:{self.group}.lv-one-{number}"

    def tell_image(self, number, **more):
        self.site.oned_knows("image", number, self.image_document(
            number, **{"source": self.source(number), **more}))

    def disk(self, disk, image=None, size=SIZE, **more):
        common = {"DISK_ID": disk, "TM_MAD": self.tm_mad, "FORMAT": "raw", "DISK_TYPE": "BLOCK",
                  "SIZE": size}
        if image is None:
            return {**common, "TYPE": "fs", "DATASTORE_ID": SYSTEM, **more}
        return {**common, "IMAGE_ID": image, "DATASTORE_ID": IMAGES, "TYPE": "BLOCK",
                "SOURCE": self.source(image), "ORIGINAL_SIZE": size, "CLONE": "YES", "SAVE": "NO",
                "LN_TARGET": "NONE", "CLONE_TARGET": "SELF", "DRIVER": "raw", **more}

    def persistent(self, disk, image, **more):
        return self.disk(disk, image, CLONE="NO", SAVE="YES", PERSISTENT="YES", **more)

    def vm(self, number, *disks, context=None):
        made = Vm(self.site, number, SYSTEM, self.tm_mad, list(disks))
        made.context = context
        return made

    # What is called

    def call(self, program, *words, stdin=b""):
        began = time.monotonic()
        done = subprocess.run(self.lab.hosts.enter("fe", *map(str, (program, *words))), input=stdin,
                              capture_output=True, env=self.environment, timeout=300, check=False)
        self.spent.append((time.monotonic() - began, os.path.basename(str(program))))
        done.stdout = done.stdout.decode(errors="replace").strip()
        done.stderr = done.stderr.decode(errors="replace").strip()
        return done

    def command(self, *words):
        """`onevol WORDS` by hand."""
        return good(self.call(self.onevol, *words), words)

    def tm(self, action, *words, stdin=b""):
        return self.call(self.site.remotes / "tm" / self.tm_mad / action, *words, stdin=stdin)

    def ds(self, action, number, **image):
        message = encoded("<DS_DRIVER_ACTION_DATA>" + self.image_document(number, **image) +
                          self.datastore(IMAGES) + "</DS_DRIVER_ACTION_DATA>")
        program = self.site.remotes / "datastore" / self.tm_mad / action
        if self.is_before(6, 8):
            return self.call(program, message.decode(), number)
        return self.call(program, number, stdin=message)

    def at(self, host, vm, disk=None):
        return f"{host}:{vm.directory() if disk is None else vm.path(disk)}"

    def import_image(self, number, content, **more):
        """By the driver's cp; oned knows it then."""
        path = self.site.sources / f"new-{number}.img"
        path.write_bytes(content)
        size = len(content) // MIB
        answer = good(self.ds("cp", number, path=path, size=size, **more), "cp")
        path.unlink()
        source = answer.split()[0]
        self.tell_image(number, size=size, source=source)
        return answer

    def bring(self, vm, host, disk):
        """The line of one disk in PROLOG."""
        place, source = self.at(host, vm, disk["DISK_ID"]), disk.get("SOURCE", "")
        if disk.get("TYPE") == "swap":
            return self.tm("mkswap", disk["SIZE"], place, vm.number, vm.system)
        if not source:
            return self.tm("mkimage", disk["SIZE"], disk["FORMAT"], place, vm.number, vm.system)
        # as oned writes it: with its own name before it, unless a colon is in it
        shown = source if ":" in source else f"fe:{source}"
        return self.tm("ln" if disk["CLONE"] == "NO" else "clone", shown, place, vm.number, IMAGES)

    def deploy(self, vm, host):
        """PROLOG, and the context that comes with each start."""
        vm.state = ACTIVE
        vm.tell(PROLOG, host)
        for disk in vm.disks:
            good(self.bring(vm, host, disk), "prolog", disk)
        self.start(vm, host)

    def start(self, vm, host):
        if vm.context is not None:
            text = self.site.sources / "context.sh"
            text.write_text(f"VMID={vm.number}\n")
            good(self.tm("context", text, self.at(host, vm, vm.context), vm.number, vm.system), "context")
        vm.state = ACTIVE
        vm.tell(RUNNING)

    def leave(self, vm, host, disk):
        """The line of one disk in EPILOG."""
        place = self.at(host, vm, disk["DISK_ID"])
        if disk.get("SAVE") == "YES":
            return self.tm("mvds", place, disk["SOURCE"], vm.number, IMAGES)
        return self.tm("delete", place, vm.number, disk["DATASTORE_ID"])

    def terminate(self, vm, host):
        vm.state = ACTIVE
        vm.tell(EPILOG)
        for disk in vm.disks:
            good(self.leave(vm, host, disk), "epilog", disk)
        good(self.tm("delete", self.at(host, vm), vm.number, vm.system), "delete of VMDIR")

    def delete_all(self, vm, host, lcm_state):
        """`recover --delete` and `--recreate`: DELETE for every disk, persistent ones too."""
        vm.tell(lcm_state)
        for disk in vm.disks:
            good(self.tm("delete", self.at(host, vm, disk["DISK_ID"]), vm.number,
                         disk["DATASTORE_ID"]), "delete", disk)
        good(self.tm("delete", self.at(host, vm), vm.number, vm.system), "delete of VMDIR")

    def move(self, vm, source, target, lcm_state, new_record=True):
        vm.state = ACTIVE
        vm.tell(lcm_state, target if new_record else None)
        for disk in vm.disks:
            good(self.tm("mv", self.at(source, vm, disk["DISK_ID"]), self.at(target, vm, disk["DISK_ID"]),
                         vm.number, disk["DATASTORE_ID"]), "mv", disk)
        good(self.tm("mv", self.at(source, vm), self.at(target, vm), vm.number, vm.system), "mv of VMDIR")

    def migrate(self, action, vm, source, target):
        words = [source, target, vm.directory(), vm.number, vm.system]
        if in_arguments(self.version):
            return self.tm(action, *words, vm.encoded())
        return self.tm(action, *words, stdin=vm.encoded().encode())

    # What is on hosts and in the group

    def on(self, host, script, check_=True):
        return self.lab.on(host, script, check_) if host != "fe" else \
            subprocess.run(self.lab.hosts.enter("fe", "sh", "-c", script), stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, check=check_).stdout

    @property
    def group(self):
        return self.attributes.get("VG_NAME", "vg-one")

    def state(self):
        """(volumes, device nodes by host, what lies in VMs' directories by host)"""
        volumes, devices, files = {}, {}, {}
        for host in sorted(self.lab.processes):
            ask = "" if volumes else ("lvs -a --reportformat json --units b --nosuffix -o "
                                      f"lv_name,lv_size,lv_attr,lv_tags,origin {self.group} || exit 1")
            text = self.lab.on(host, f"{ask}\necho ---; ls /dev/{self.group} 2>/dev/null; echo ---; "
                                     f"find {self.site.datastores} ! -type d -printf '%p %l %s\\n' 2>/dev/null || true")
            said, nodes, names = text.split("---\n")
            if said:
                volumes = {lv["lv_name"]: lv for lv in json.loads(said)["report"][0]["lv"]}
            devices[host], files[host] = sorted(nodes.split()), sorted(names.splitlines())
        for lv in volumes.values():  # whether somebody has it open is no matter of the group
            lv["lv_attr"] = lv["lv_attr"][:5]
        return volumes, devices, files

    def volumes(self):
        return self.state()[0]

    def devices(self):
        return self.state()[1]

    def tags(self, name, key, volumes=None):
        words = (volumes or self.volumes())[name]["lv_tags"].split(",")
        return sorted(word.split("=", 1)[1] for word in words if word.startswith(f"onevol.{key}="))

    def refused(self, call, *texts):
        """It says why, and nothing has changed: no volume, no tag, no device, no file of a VM."""
        before = self.state()
        done = call()
        check(done.returncode != 0, "it works, instead of a sentence with", texts, done.stdout)
        for text in texts:
            check(text in done.stderr, f"no '{text}' in", done.stderr)
        after = self.state()
        check(after == before, "something has changed", before, after)

    def as_user(self, host, script, check_=True):
        """As the guests' user, who is not root."""
        return self.lab.on(host, f"{AS_ONEADMIN} sh -c '{script}'", check_)

    def link(self, host, vm, disk):
        return self.on(host, f"readlink {vm.path(disk)} || true").strip()

    def digest(self, host, vm, disk, mib=SIZE):
        """Of what the guest sees, through the link, by its user, from the storage."""
        return self.as_user(host, f"dd if={vm.path(disk)} bs=1M count={mib} iflag=fullblock,direct status=none"
                                  " | sha256sum").split()[0]

    def digest_of(self, host, name, mib=SIZE):
        """Of a volume that may be active nowhere: as root, and as it was afterwards."""
        return self.lab.on(host, f"[ -b /dev/{GROUP}/{name} ] && was=y; lvchange -qq -ay -K {GROUP}/{name}; "
                                 f"dd if=/dev/{GROUP}/{name} bs=1M count={mib} iflag=fullblock,direct "
                                 f"status=none | sha256sum; [ -n \"$was\" ] || lvchange -qq -an {GROUP}/{name}").split()[0]

    def guest_writes(self, host, vm, disk, seed):
        """What the guest changes, in the middle of its disk; the digest of all."""
        self.as_user(host, f"yes {seed} | head -c 65536 | dd of={vm.path(disk)} bs=64k seek=32 count=1 "
                           "iflag=fullblock oflag=direct conv=notrunc status=none")
        return self.digest(host, vm, disk)

    def vms_volumes(self, number, volumes=None):
        """lv-one-VM-DISK, lv-one-IMAGE-VM-DISK."""
        found = []
        for name in self.volumes() if volumes is None else volumes:
            parts = name.split("-")
            if parts[:2] == ["lv", "one"] and len(parts) in (4, 5) and parts[-2] == str(number):
                found.append(name)
        return sorted(found)

    def is_gone(self, vm, *hosts):
        left = self.vms_volumes(vm.number)
        check(left == [], "volumes left", left)
        for host in hosts or (HOSTS[0],):
            left = self.on(host, f"ls -d {vm.directory()} 2>/dev/null || true").strip()
            check(left == "", "left on", host, left)

    def close(self):
        self.site.close()


class Running:
    """A guest: a process of oneadmin's that has the disks open to write."""

    def __init__(self, cloud, host, vm):
        self.cloud, self.host = cloud, host
        opened = " ".join(f"{9 + i}<>{vm.path(disk['DISK_ID'])}" for i, disk in enumerate(vm.disks)
                          if disk.get("READONLY") != "YES")
        self.pid = cloud.lab.on(host, f"{AS_ONEADMIN} setsid bash -c 'exec sleep 3600 {opened}' "
                                      ">/dev/null 2>&1 </dev/null & echo $!").strip()
        case.eventually(lambda: cloud.lab.ssh(
            host, f"readlink /proc/{self.pid}/fd/9 | grep -q ^/dev/").returncode == 0, "the guest has its disks")

    def __enter__(self):
        return self

    def __exit__(self, *about):
        self.cloud.lab.on(self.host, f"kill {self.pid}; while kill -0 {self.pid} 2>/dev/null; do sleep 0.1; done",
                          check=False)


def good(done, *about):
    check(done.returncode == 0, *about, f"exit {done.returncode}: {done.stderr}")
    return done.stdout
