#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Copies of disks whose guests run: snap_create_live, and cpds of a running VM.

A libvirtd of its own in namespaces of its own, real domains under TCG: two that only count on their
disks (tick.S), one on XFS and one on ext4, and a Linux with qemu-ga and a file system. However an
action ends, the guest must run again within ten seconds, and the action must work when it is
repeated. Everything goes away with the namespaces.

usage: live.py ONEVOL
"""
import glob
import gzip
import lzma
import os
import pathlib
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

from played_site import Site, Tap

HERE = pathlib.Path(__file__).resolve().parent
TOOLS = ["qemu-img", "unshare", "mount", "mkfs.xfs", "mkfs.ext4", "libvirtd", "virsh", "qemu-system-x86_64",
         "as", "ld", "objcopy"]
LINUX_TOOLS = {"busybox": "busybox-static", "qemu-ga": "qemu-guest-agent", "ldd": "libc-bin",
               "e2fsck": "e2fsprogs", "dumpe2fs": "e2fsprogs"}
MODULES = ["crc32c_generic", "virtio_pci", "virtio_blk", "virtio_console", "ext4"]
MIB = 1 << 20
SECTORS = 64 * MIB // 512
LIMIT = 10  # seconds until a guest runs again, whatever happened
SEVERITY = re.compile(r"^(ERROR|INFO|WARN|DEBUG):\s")
URI = "qemu:///system"

QEMU_CONF = """user = "root"
group = "root"
dynamic_ownership = 0
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
remember_owner = 0
"""
LIBVIRTD_CONF = """unix_sock_group = "root"
auth_unix_ro = "none"
auth_unix_rw = "none"
host_uuid = "%s"
"""

# First in PATH: slow after it has worked, or stuck before it does, where a test asks for it.
VIRSH = """#!/bin/sh
for word; do
    case $word in domstate|suspend|resume|domfsfreeze|domfsthaw|backup-begin|blockcopy|blockjob)
        command=$word ;;
    esac
done
if [ -s {control}/no-$command ]; then
    echo "error: $(cat {control}/no-$command)" >&2
    exit 1
fi
if [ -s {control}/stuck-$command ]; then
    left=$(($(cat {control}/stuck-$command) - 1))
    if [ $left -gt 0 ]; then echo $left; fi > {control}/stuck-$command
    sleep 60
fi
if [ $command = blockcopy ] && [ -s {control}/rate ]; then
    set -- "$@" --bandwidth $(cat {control}/rate)
fi
{virsh} "$@"
status=$?
if [ $command = blockcopy ]; then : > {control}/copies; fi
if [ -s {control}/slow-$command ]; then
    : > {control}/window
    sleep $(cat {control}/slow-$command)
fi
exit $status
"""

# Another host that is this machine: the agent, its session and its processes are real.
SSH = """#!/bin/sh
while [ "$1" != -- ]; do shift; done
shift 2
exec sh -c "$*"
"""

DOMAIN = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>{memory}</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type>{boot}</os><features><acpi/></features>
<cpu mode='custom' match='exact'><model>qemu64</model></cpu><on_reboot>destroy</on_reboot>
<devices><emulator>{qemu}</emulator><disk type='file' device='disk'>
<driver name='qemu' type='{format}' cache='none' discard='unmap'/><source file='{disk}'/>
<target dev='vda' bus='virtio'/></disk>
<serial type='file'><source path='{log}'/><target port='0'/></serial>{channel}
<memballoon model='none'/><controller type='usb' model='none'/></devices></domain>"""
CHANNEL = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"

# In the Linux guest: writes all the time, and says so on the serial port.
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec < /dev/null > /dev/ttyS0 2>&1
for module in $(cat /modules); do insmod /lib/modules/$module; done
mount -t ext4 /dev/vda /mnt || exec sleep 1000
(
    while :; do
        count=$((count + 1))
        dd if=/dev/urandom of=/mnt/new bs=4k count=16 2> /dev/null
        echo $count >> /mnt/new
        mv /mnt/new /mnt/file.$((count % 50))
        echo $count > /mnt/count.new && mv /mnt/count.new /mnt/count && echo "count $count"
        usleep 20000
    done
) &
qemu-ga -m virtio-serial -p /dev/vport0p1 -t /run
echo "the agent ended: $?"
sleep 1000
"""


def run(*words, check=True):
    return subprocess.run([str(w) for w in words], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=check)


def wait_for(condition, seconds):
    """What it says within so many seconds, or its last word."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(0.02)


# The machine


class Machine:
    """Mounts and libvirtd, in the namespaces of this process."""

    def __init__(self, outer):
        run("mount", "--make-rprivate", "/")
        run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/mnt")
        self.work = pathlib.Path("/mnt/work")
        self.work.mkdir()
        self.disks = {kind: self.mount(outer, kind, *make) for kind, make in
                      {"xfs": ("mkfs.xfs", "-q", "-m", "reflink=1"),
                       "ext4": ("mkfs.ext4", "-q", "-F")}.items()}
        run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run")
        run("mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", "/var/tmp")  # the agent's place
        self.start_libvirtd()

    @staticmethod
    def mount(outer, kind, *make):
        image, place = outer / f"{kind}.image", pathlib.Path("/mnt") / kind
        place.mkdir()
        with open(image, "wb") as file:
            file.truncate(4 << 30)
        run(*make, image)
        run("mount", "-o", "loop", image, place)
        return place

    def start_libvirtd(self):
        for place in ("/etc/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt"):
            own = self.work / place.strip("/").replace("/", "-")
            own.mkdir()
            os.makedirs(place, exist_ok=True)
            run("mount", "--bind", own, place)
        for place, line in (("/etc/passwd", "libvirt-qemu:x:{0}:{0}::/:/bin/false\n"),
                            ("/etc/group", "libvirt-qemu:x:{0}:\nkvm:x:64054:\n")):
            self.add_account(pathlib.Path(place), line.format(64055))
        pathlib.Path("/etc/libvirt/qemu.conf").write_text(QEMU_CONF)
        uuid = pathlib.Path("/proc/sys/kernel/random/uuid").read_text().strip()
        pathlib.Path("/etc/libvirt/libvirtd.conf").write_text(LIBVIRTD_CONF % uuid)
        self.launch()
        if not wait_for(lambda: self.libvirtd.poll() is not None or virsh("version").returncode == 0,
                        30) or self.libvirtd.poll() is not None:
            text = (self.work / "libvirtd.log").read_text()[-300:].replace("\n", " ")
            print(f"1..0 # SKIP libvirtd does not start: {text}")
            sys.exit(0)

    def launch(self):
        self.log = open(self.work / "libvirtd.log", "a")
        self.libvirtd = subprocess.Popen(["libvirtd"], stdin=subprocess.DEVNULL, stdout=self.log,
                                         stderr=self.log)

    def add_account(self, place, lines):
        """Debian's libvirtd looks for its usual accounts, even when it does not use them."""
        own, text = self.work / place.name, place.read_text()
        have = {line.split(":")[0] for line in text.splitlines()}
        own.write_text(text + "".join(line for line in lines.splitlines(True)
                                      if line.split(":")[0] not in have))
        run("mount", "--bind", own, place)


def virsh(*words):
    return run("/usr/bin/virsh", "-q", "-c", URI, *words, check=False)


# Guests


class Guest:
    def __init__(self, work, name, disk, memory=8, boot="", channel="", form="raw"):
        self.name, self.disk, self.log = name, disk, work / f"{name}.log"
        self.format, self.mib = form, SECTORS * 512 // MIB
        self.xml = work / f"{name}.xml"
        self.xml.write_text(DOMAIN.format(
            name=name, memory=memory, boot=boot, channel=channel, disk=disk, log=self.log,
            format=form, qemu=shutil.which("qemu-system-x86_64")))

    def create(self):
        if self.log.exists():
            self.log.unlink()
        done = virsh("create", self.xml)
        if done.returncode:
            raise SystemExit(f"Bail out! no domain {self.name}: {done.stderr}")

    def destroy(self):
        virsh("destroy", self.name)

    def state(self):
        return virsh("domstate", self.name).stdout.strip()

    def count(self):
        """How far it says it has come."""
        return self.log.read_bytes().count(b".") if self.log.exists() else 0

    def job(self):
        """What libvirt does with its disk."""
        copy = virsh("blockjob", self.name, "vda", "--info")
        words = virsh("domjobinfo", self.name).stdout + copy.stdout + copy.stderr
        return next((job for job in ("Backup", "Block Copy") if job in words), None)

    def no_job(self, seconds=0):
        job = wait_for(lambda: not self.job(), seconds) or self.job()
        return None if job is True else f"libvirt is still at it: {job}"

    def stands_still(self):
        return self.state() == "paused"

    def mark(self):
        """What a copy made from now on must hold, at least."""
        return 0

    def goes_on(self, seconds=LIMIT):
        """None, or that it does not."""
        start = time.monotonic()
        while time.monotonic() - start < seconds:
            seen = self.count()
            if wait_for(lambda: self.count() > seen + 1, 1) and self.state() == "running":
                return None
        stood = self.state()
        virsh("resume", self.name)  # for the cases to come
        return f"{self.name} does not go on within {seconds} s: {stood}"


class Ticker(Guest):
    def __init__(self, work, name, disk, mib=64, filled=24, form="raw"):
        disk.parent.mkdir(parents=True)
        super().__init__(work, name, disk, form=form)
        self.filling, self.mib = os.urandom(filled * MIB), mib
        with open(disk, "wb") as file:
            file.write(boot_sector(work, mib * MIB // 512))
            file.seek(MIB)
            file.write(self.filling)
            file.truncate(mib * MIB)
        if form == "qcow2":
            os.rename(disk, f"{disk}.raw")
            run("qemu-img", "convert", "-f", "raw", "-O", form, f"{disk}.raw", disk)
            os.unlink(f"{disk}.raw")

    def sectors(self, path=None):
        """The two counts, or None for a torn sector."""
        found = []
        with open(path or self.disk, "rb") as file:
            for sector in (1, self.mib * MIB // 512 - 1):
                file.seek(sector * 512)
                words = set(struct.unpack("<128I", file.read(512)))
                found.append(words.pop() if len(words) == 1 else None)
        return found

    def mark(self):
        return self.sectors()[0] if self.format == "raw" else self.count()

    def problem_of_copy(self, path, least):
        if not path.exists():
            return f"no {path}"
        if self.format == "raw":
            return self.problem_of_content(path, least)
        plain = path.parent / f"{path.name}.plain"
        done = run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, plain, check=False)
        problem = done.stderr if done.returncode else self.problem_of_content(plain, least)
        plain.unlink(missing_ok=True)
        return problem

    def problem_of_content(self, path, least):
        first, last = self.sectors(path)
        with open(path, "rb") as file:
            file.seek(MIB)
            filled = file.read(len(self.filling)) == self.filling
        if path.stat().st_size != self.mib * MIB or not filled:
            return "size or content differ"
        if None in (first, last) or first - last not in (0, 1):
            return f"not of one instant: {first}, {last}"
        if first < least:
            return f"too old: {first}, it was {least} before"
        return None


def boot_sector(work, sectors):
    run("as", "--32", "--defsym", f"LAST={sectors - 1}", "-o", work / "tick.o", HERE / "tick.S")
    run("ld", "-m", "elf_i386", "-Ttext", "0x7c00", "-o", work / "tick.elf", work / "tick.o")
    run("objcopy", "-O", "binary", work / "tick.elf", work / "tick.bin")
    return (work / "tick.bin").read_bytes()


# A Linux guest


def cpio(entries):
    """A newc archive; entries are (path, mode, content)."""
    out = bytearray()
    for number, (path, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        name = path.encode() + b"\0"
        fields = [number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0]
        out += b"070701" + b"".join(b"%08x" % f for f in fields) + name
        out += bytes(-len(out) % 4) + content
        out += bytes(-len(out) % 4)
    return bytes(out)


def kernel_root():
    """Where a kernel is unpacked: by tools/fetch-kernel beside the program, or installed."""
    near = os.path.join(os.path.dirname(os.path.abspath(sys.argv[1])), "kernel")
    return near if os.path.isdir(near) else ""


def module_files(version):
    """What MODULES need of this kernel, in order of loading."""
    root = pathlib.Path(kernel_root() + "/lib/modules") / version
    needs = dict(line.split(":", 1) for line in (root / "modules.dep").read_text().splitlines())
    short = {re.sub(r"\.ko.*", "", os.path.basename(p)).replace("-", "_"): p for p in needs}
    order = []
    for name in MODULES:
        if name in short:
            order += [p for p in [*reversed(needs[short[name]].split()), short[name]]
                      if p not in order]
    return [root / path for path in order]


def unpacked(path):
    data = path.read_bytes()
    return {".xz": lzma.decompress, ".gz": gzip.decompress}.get(path.suffix, bytes)(data)


def find_kernel():
    """(version, None) or (None, why not)."""
    lacking = [package for tool, package in LINUX_TOOLS.items() if not shutil.which(tool)]
    if lacking:
        return None, "needs " + ", ".join(sorted(set(lacking)))
    root = kernel_root()
    prefix = root + "/boot/vmlinuz-"
    kernels = [k[len(prefix):] for k in sorted(glob.glob(prefix + "*"))]
    kernels = [k for k in kernels if os.path.exists(f"{root}/lib/modules/{k}/modules.dep")]
    kernels.sort(key=lambda k: "cloud" in k)
    return (kernels[-1], None) if kernels else (None, "needs a kernel in /boot")


def initramfs(version, path):
    agent, busybox = shutil.which("qemu-ga"), shutil.which("busybox")
    libraries = re.findall(r"(?:=> )?(/\S+) \(0x", run("ldd", agent).stdout)
    modules = module_files(version)
    entries, seen = [], set()

    def add(name, content, mode=0o100755):
        parts = name.strip("/").split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            if folder not in seen:
                seen.add(folder)
                entries.append((folder, 0o040755, b""))
        entries.append(("/".join(parts), mode, content))

    add("/bin/busybox", pathlib.Path(busybox).read_bytes())
    add("/bin/qemu-ga", pathlib.Path(agent).read_bytes())
    for library in libraries:
        add(library, pathlib.Path(library).read_bytes())
    for module in modules:
        add("/lib/modules/" + re.sub(r"\.ko.*", ".ko", module.name), unpacked(module))
    add("/modules", "\n".join(re.sub(r"\.ko.*", ".ko", m.name) for m in modules).encode())
    add("/init", INIT.encode())
    for folder in ("proc", "sys", "dev", "mnt", "run", "tmp", "var", "var/run"):
        if folder not in seen:
            entries.append((folder, 0o040755, b""))
    path.write_bytes(cpio(entries))


class Linux(Guest):
    def __init__(self, work, name, disk, version):
        self.work, self.started = work, None
        initramfs(version, work / "initramfs")
        disk.parent.mkdir(parents=True)
        with open(disk, "wb") as file:
            file.truncate(SECTORS * 512)
        run("mkfs.ext4", "-q", "-F", disk)
        # without its decompressor it boots in half the time
        plain = pathlib.Path(f"{kernel_root()}/boot/vmlinux-{version}")
        kernel = plain if plain.exists() else f"{kernel_root()}/boot/vmlinuz-{version}"
        boot = (f"<kernel>{kernel}</kernel><initrd>{work}/initramfs</initrd><cmdline>"
                "console=ttyS0 panic=-1 quiet mitigations=off nokaslr tsc=reliable "
                "no_timer_check</cmdline>")
        super().__init__(work, name, disk, 192, boot, CHANNEL)

    def count(self):
        return len(re.findall(rb"count \d+\r?\n", self.log.read_bytes())) if self.log.exists() else 0

    def agent(self, command):
        return virsh("qemu-agent-command", self.name, '{"execute":"%s"}' % command).stdout

    def create(self):
        self.started = time.monotonic()
        super().create()

    def stands_still(self):
        return "frozen" in self.agent("guest-fsfreeze-status")

    def problem_of_copy(self, path, least):
        check = run("e2fsck", "-fn", path, check=False)
        if check.returncode:
            return f"e2fsck: {check.returncode}: {check.stdout}{check.stderr}"
        if "needs_recovery" in run("dumpe2fs", "-h", path).stdout:
            return "its journal must be replayed"
        place = self.work / "mounted"
        place.mkdir(exist_ok=True)
        run("mount", "-o", "loop,ro,noload", path, place)
        try:
            count = int((place / "count").read_text())
            return None if count > least else f"count {count}"
        finally:
            run("umount", place)

    def ready(self):
        return self.count() > 20 and '"return"' in self.agent("guest-ping")


# The site


class Place:
    """A site on one file system, with one VM for each guest."""

    def __init__(self, onevol, machine, kind):
        self.site = Site(onevol, base=str(machine.disks[kind]))
        self.control = self.site.root / "control"
        programs = self.site.root / "programs"
        self.control.mkdir()
        programs.mkdir()
        for name, text in (("virsh", VIRSH.format(control=self.control, virsh="/usr/bin/virsh")),
                           ("ssh", SSH)):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        self.site.environment["PATH"] = f"{programs}:{self.site.environment['PATH']}"
        self.images = self.site.datastores / "103"
        self.vm_mad, self.format = "kvm", "raw"
        self.live_copy("")

    def live_copy(self, value):
        more = f"<LIVE_COPY>{value}</LIVE_COPY>" if value else ""
        for number, kind in ((102, 1), (103, 0)):
            self.site.oned.facts["one.datastore.info", number] = (
                f"<DATASTORE><ID>{number}</ID><NAME>d</NAME><TYPE>{kind}</TYPE>"
                f"<DS_MAD>reflink</DS_MAD><TM_MAD>reflink</TM_MAD>"
                f"<BASE_PATH>{self.site.datastores}/{number}</BASE_PATH>"
                f"<TEMPLATE>{more}</TEMPLATE></DATASTORE>")

    def disk_of(self, vm):
        return self.site.datastores / f"102/{vm}/disk.0"

    def document(self, vm, lcm_state):
        self.site.oned.facts["one.vm.info", vm] = (
            f"<VM><ID>{vm}</ID><STATE>3</STATE><LCM_STATE>{lcm_state}</LCM_STATE>"
            f"<DEPLOY_ID>one-{vm}</DEPLOY_ID><TEMPLATE><DISK><DISK_ID>0</DISK_ID>"
            f"<IMAGE_ID>5</IMAGE_ID><DATASTORE_ID>103</DATASTORE_ID><CLONE>YES</CLONE><SAVE>NO</SAVE>"
            f"<FORMAT>{self.format}</FORMAT><SIZE>64</SIZE><ORIGINAL_SIZE>64</ORIGINAL_SIZE></DISK>"
            f"</TEMPLATE><HISTORY_RECORDS><HISTORY><VM_MAD>old</VM_MAD></HISTORY><HISTORY>"
            f"<VM_MAD>{self.vm_mad}</VM_MAD></HISTORY></HISTORY_RECORDS></VM>")

    def setting(self, name, value):
        path = self.control / name
        path.write_text(str(value) if value else "")
        return path


class Snapshot:
    """snap_create_live of snapshot 3."""

    name, lcm_state = "snap_create_live", 57

    def __init__(self, place, guest, vm, host="node1"):
        self.place, self.guest, self.vm, self.host = place, guest, vm, host
        self.disk = place.disk_of(vm)
        self.result = pathlib.Path(f"{self.disk}.snap/3")

    def words(self):
        return [f"{self.host}:{self.disk}", 3, self.vm, 103]

    def start(self, **environment):
        """The program in a session of its own, as oned's drivers run it."""
        self.place.format = self.guest.format
        self.place.document(self.vm, self.lcm_state)
        site = self.place.site
        program = site.remotes / "tm" / site.name / self.name
        return subprocess.Popen([program, *map(str, self.words())], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env={**site.environment, **environment}, start_new_session=True)

    def run(self, **environment):
        started = time.monotonic()
        child = self.start(**environment)
        child.out, child.err = child.communicate(timeout=60)
        child.seconds = time.monotonic() - started
        return child

    def forget(self):
        for path in (f"{self.disk}.snap", f"{self.disk}.live.part", self.result,
                     f"{self.result}.part"):
            shutil.rmtree(path, ignore_errors=True)
            if os.path.isfile(path):
                os.unlink(path)

    def left(self):
        """What lies around the disk and the image, but for the disk."""
        names = []
        for directory in (self.disk.parent, self.place.images):
            names += [str(p) for p in directory.rglob("*") if p != self.disk]
        return names

    def leftovers(self, made):
        expected = {str(self.result)} if made else set()
        found = set(self.left()) - {f"{self.disk}.snap"}
        return None if found == expected else f"left: {sorted(found)}, expected: {sorted(expected)}"


class SaveAs(Snapshot):
    """cpds of a running VM's disk."""

    name, lcm_state = "cpds", 26

    def __init__(self, place, guest, vm, host="node1"):
        super().__init__(place, guest, vm, host)
        self.result = place.images / "saved"

    def words(self):
        return [f"{self.host}:{self.disk}", self.result, -1, self.vm, 103]


def sentence(child):
    """The one text for the user, or a complaint."""
    lines = [line for line in child.err.splitlines() if not SEVERITY.match(line)]
    if child.returncode not in range(1, 14) or len(lines) != 1 or child.out:
        raise ValueError(f"exit {child.returncode}, {child.out!r}, {child.err!r}")
    return lines[0]


def refused(action, *wanted, **environment):
    child = action.run(**environment)
    try:
        text = sentence(child)
    except ValueError as error:
        return str(error)
    print(f"# {text}")
    lacking = [word for word in wanted if word not in text]
    if lacking:
        return f"{lacking} not in {text!r}"
    return action.leftovers(made=False)


def works(action, said="", **environment):
    """It works; the copy is good; the guest goes on as it did."""
    guest = action.guest
    least = guest.mark()
    child = action.run(**environment)
    if child.returncode:
        return f"exit {child.returncode}: {child.err}"
    if action.name == "cpds" and said not in child.err:  # the other one does not tell
        return f"not by {said}: {child.err}"
    return guest.problem_of_copy(action.result, least) or action.leftovers(made=True)


def first(*problems):
    return next((p for p in problems if p), None)


# Cases


def both(place, guest, vm, host="node1"):
    return [Snapshot(place, guest, vm, host), SaveAs(place, guest, vm, host)]


def without_agent(tap, place, guest, vm):
    place.live_copy("")
    for action in both(place, guest, vm):
        tap.case(f"{action.name} without an agent is refused, the guest runs on",
                 first(refused(action, "frozen", "LIVE_COPY=SUSPEND", "agent"),
                       guest.goes_on(3)))
        action.forget()


def suspended(tap, place, guest, vm, kind):
    if kind == "ext4":
        place.live_copy("")
        for action in both(place, guest, vm):
            tap.case(f"{action.name} on ext4 without LIVE_COPY=SUSPEND is refused",
                     first(refused(action, "frozen", "LIVE_COPY=SUSPEND", "agent"),
                           guest.goes_on(3)))
    place.live_copy("SUSPEND")
    for action in both(place, guest, vm):
        tap.case(f"{action.name} on {kind} with LIVE_COPY=SUSPEND",
                 first(works(action), guest.goes_on(3)))
        action.forget()


def addresses(tap, place, guest, vm):
    """LIBVIRT_URI of kvmrc."""
    place.live_copy("SUSPEND")
    rc = place.site.remotes / "etc/vmm/kvm/kvmrc"
    rc.parent.mkdir(parents=True, exist_ok=True)
    action = Snapshot(place, guest, vm)
    rc.write_text("export LIBVIRT_URI=qemu+unix:///system?socket=/run/nobody\n")
    problem = refused(action, "/run/nobody")
    rc.write_text("export LIBVIRT_URI=qemu+unix:///system?socket=/run/libvirt/libvirt-sock\n")
    tap.case("LIBVIRT_URI of kvmrc is where the guest is looked for", first(problem, works(action)))
    action.forget()
    rc.write_text("export LIBVIRT_URI=test:///default\n")
    tap.case("a libvirt that does not know a guest whose disk is in use: refused",
             first(refused(action, "knows no guest"), guest.goes_on(3)))
    rc.unlink()


def not_running(tap, place, guest, vm):
    place.live_copy("")
    virsh("suspend", guest.name)
    for action in both(place, guest, vm):
        tap.case(f"{action.name} of a guest that its user paused: it stays so",
                 first(works(action), guest.state() != "paused" and f"it is {guest.state()}"))
        action.forget()
    virsh("resume", guest.name)
    tap.case("and goes on when it is resumed", guest.goes_on(3))


def not_there(tap, place, guest, vm):
    place.live_copy("")
    guest.destroy()
    for action in both(place, guest, vm):
        tap.case(f"{action.name} without the domain", works(action))
        action.forget()
    virsh("define", guest.xml)
    for action in both(place, guest, vm):
        tap.case(f"{action.name} of a domain that is shut off",
                 first(works(action), guest.state() != "shut off" and f"it is {guest.state()}"))
        action.forget()
    virsh("undefine", guest.name)


def after_a_kill(action, child, what, at_once=False):
    """The guest runs within the limit, and the same action works, then or at once."""
    if child.returncode == 0:
        return None  # it was faster
    problem = None if at_once else action.guest.goes_on()
    problem = first(problem, works(action), action.guest.goes_on(), action.guest.no_job())
    action.forget()
    return f"{what}: {problem}" if problem else None


def killed_at_steps(tap, place, guest, vm):
    place.live_copy("SUSPEND")
    for action in both(place, guest, vm):
        for fault in ("kill-before", "kill-after"):
            step, problems = 0, []
            while step < 60:
                step += 1
                child = action.run(ONEVOL_FAULT=f"{fault}:{step}")
                if child.returncode == 0:
                    break
                problems.append(after_a_kill(action, child, f"step {step}"))
            action.forget()
            problems.append(step < 6 and f"only {step} steps")
            tap.case(f"{action.name}: {fault} each of {step - 1} steps",
                     "\n".join(p for p in problems if p))


def kill_tree(child, number, group):
    (os.killpg if group else os.kill)(child.pid, number)


def killed_in_window(tap, place, guest, vm, stop, rounds):
    """While the guest stands still: virsh takes its time after it has stopped it."""
    slow, window = place.setting(f"slow-{stop}", 2.5), place.control / "window"
    place.live_copy("" if stop == "domfsfreeze" else "SUSPEND")
    random.seed(4)
    for action in both(place, guest, vm):
        for name, number, group in rounds:
            if window.exists():
                window.unlink()
            child = action.start()
            if not wait_for(window.exists, 5):
                problem = f"it never stood still: {child.communicate()[1]}"
            else:
                stood = guest.stands_still()
                time.sleep(random.random() * 0.8)
                kill_tree(child, number, group)
                child.communicate()
                slow.write_text("")
                problem = first(not stood and "it did not stand still",
                                child.returncode == 0 and "it succeeded",
                                after_a_kill(action, child, name, group))
            slow.write_text("2.5")
            action.forget()
            tap.case(f"{action.name}: {name} while the guest stands still ({stop})", problem)
    slow.write_text("")


def killed_anywhere(tap, place, guest, vm, rounds):
    place.live_copy("SUSPEND")
    random.seed(5)
    for action in both(place, guest, vm):
        took, problems = action.run().seconds, []
        action.forget()
        for _ in range(rounds):
            child = action.start()
            moment = random.random() * took
            time.sleep(moment)
            group = random.random() < 0.5
            kill_tree(child, signal.SIGKILL, group)
            child.communicate()
            problems.append(after_a_kill(action, child, f"after {moment * 1000:.0f} ms", group))
            action.forget()
        tap.case(f"{action.name}: SIGKILL at {rounds} moments of {took * 1000:.0f} ms",
                 "\n".join(p for p in problems if p))


KILLS = [("SIGKILL", signal.SIGKILL, False), ("SIGKILL to the group", signal.SIGKILL, True),
         ("SIGTERM to the group", signal.SIGTERM, True), ("SIGHUP", signal.SIGHUP, False)]


def ancestors(pid):
    while pid > 1:
        yield pid
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
        pid = int(text.rsplit(")", 1)[1].split()[1])


def agent_of(child):
    """The process of the agent that this one has started."""
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            text = pathlib.Path(path).read_bytes().replace(b"\0", b" ").decode()
            pid = int(path.split("/")[2])
            if "agent-" in text and " serve" in text and child.pid in ancestors(pid):
                return pid
        except OSError:
            continue
    return None


def on_another_host(tap, place, guest, vm):
    """The same by an agent: its front-end, its connection or itself is killed."""
    place.live_copy("SUSPEND")
    for action in both(place, guest, vm, "kvm1"):
        tap.case(f"{action.name} by an agent", first(works(action), guest.goes_on(3)))
        action.forget()
        slow, window = place.setting("slow-suspend", 1.5), place.control / "window"
        for name in ("front-end", "agent"):
            if window.exists():
                window.unlink()
            slow.write_text("1.5")
            child = action.start()
            problem = None if wait_for(window.exists, 5) else "it never stood still"
            time.sleep(random.random() * 0.8)
            victim = child.pid if name == "front-end" else agent_of(child)
            os.kill(victim or child.pid, signal.SIGKILL)
            child.communicate()
            slow.write_text("")
            problem = first(problem, child.returncode == 0 and "it succeeded",
                            not victim and "no agent", after_a_kill(action, child, name))
            action.forget()
            tap.case(f"{action.name}: SIGKILL of the {name} while the guest stands still", problem)


# Where blocks cannot be shared


OLD_VIRSH = "unknown command: 'backup-begin'"
OLD_QEMU = "unsupported configuration: blockcopy is not supported with this QEMU binary"


def by_libvirt(tap, place, guest, vm):
    for action in both(place, guest, vm):
        place.live_copy("")
        tap.case(f"{action.name} of {guest.format} without an agent is refused, and nothing begun",
                 first(refused(action, "frozen", "LIVE_COPY=SUSPEND", "agent"), guest.no_job(),
                       guest.goes_on(3)))
        place.live_copy("SUSPEND")
        for no_backup, no_copy, said in (("", "", "libvirt backup, guest suspended"),
                                         (OLD_VIRSH, "", "libvirt mirror, guest suspended"),
                                         (OLD_VIRSH, OLD_QEMU, "copy, guest suspended")):
            place.setting("no-backup-begin", no_backup)
            place.setting("no-blockcopy", no_copy)
            problem = works(action, said)
            blocks = action.result.stat().st_blocks - guest.disk.stat().st_blocks
            tap.case(f"{action.name} of {guest.format}: {said}",
                     first(problem, blocks > 8192 and f"{blocks} blocks more than the disk",
                           guest.no_job(), guest.goes_on(3)))
            action.forget()
    for name in ("no-backup-begin", "no-blockcopy"):
        place.setting(name, "")


def begun(place, action):
    """A mirror of some seconds is under way. A backup has no such limit to begin with."""
    mark = place.control / "copies"
    mark.unlink(missing_ok=True)
    child = action.start()
    if wait_for(mark.exists, 15) and wait_for(action.guest.job, 1):
        return child, None
    return child, "no job"


def killed_jobs(tap, place, guest, vm):
    place.live_copy("SUSPEND")
    place.setting("no-backup-begin", OLD_VIRSH)
    random.seed(6)
    for action, victim, number, group in (
            (Snapshot(place, guest, vm), "front-end", signal.SIGKILL, False),
            (SaveAs(place, guest, vm), "front-end's group", signal.SIGTERM, True),
            (Snapshot(place, guest, vm), "front-end's group", signal.SIGKILL, True),
            (SaveAs(place, guest, vm, "kvm1"), "front-end", signal.SIGKILL, False),
            (Snapshot(place, guest, vm, "kvm1"), "agent", signal.SIGKILL, False)):
        place.setting("rate", 8)
        child, problem = begun(place, action)
        time.sleep(random.random())
        problem = first(problem, not guest.job() and "the job is over already")
        place.setting("rate", "")
        if victim == "agent":
            os.kill(agent_of(child) or child.pid, number)
        else:
            kill_tree(child, number, group)
        child.communicate()
        problem = first(problem, child.returncode == 0 and "it succeeded", guest.no_job(LIMIT),
                        after_a_kill(action, child, victim))
        action.forget()
        tap.case(f"{action.name} by a mirror: {signal.Signals(number).name} to the {victim}",
                 problem)
    place.setting("no-backup-begin", "")


def job_fails(tap, place, guest, vm):
    place.live_copy("SUSPEND")
    place.setting("no-backup-begin", OLD_VIRSH)
    action = Snapshot(place, guest, vm)
    place.setting("rate", 8)
    child, problem = begun(place, action)
    virsh("blockjob", guest.name, "vda", "--abort")
    _, said = child.communicate(timeout=30)
    place.setting("rate", "")
    tap.case("somebody ends the mirror: no copy",
             first(problem, "gave up copying" not in said and said, action.leftovers(made=False),
                   works(action), guest.goes_on(3)))
    action.forget()
    place.setting("rate", 8)
    child, problem = begun(place, action)
    guest.destroy()
    _, said = child.communicate(timeout=30)
    place.setting("rate", "")
    tap.case("the guest ends while libvirt copies: no copy, and a plain one afterwards",
             first(problem, not child.returncode and "it succeeded", action.leftovers(made=False),
                   works(action)))
    action.forget()
    place.setting("no-backup-begin", "")


# Another hypervisor than libvirt's


def hypervisors(tap, place, guest, vm):
    place.live_copy("SUSPEND")
    for action in both(place, guest, vm):
        place.vm_mad = "lxc"
        tap.case(f"{action.name} of a VM of lxc is refused", refused(action, "'lxc'", "powered off"))
        place.vm_mad = "qemu-big"
        tap.case(f"{action.name} of a VM_MAD of the site's own that libvirt knows", works(action))
        action.forget()
        action.host, place.vm_mad = "node1", "boxes"
        rc = place.site.remotes / "etc/vmm/kvm/kvmrc"
        rc.parent.mkdir(parents=True, exist_ok=True)
        rc.write_text("export LIBVIRT_URI=test:///default\n")
        tap.case(f"{action.name} of one that libvirt does not know is refused",
                 refused(action, "'boxes'", "does not know"))
        rc.unlink()
    place.vm_mad = "kvm"
    tap.case("and the guest goes on", guest.goes_on(3))


def bounded(guest, seconds, problem, started):
    took = time.monotonic() - started
    return first(problem, took > seconds and f"it took {took:.1f} s", guest.goes_on())


def stuck(tap, place, guest, vm):
    place.live_copy("SUSPEND")
    action = Snapshot(place, guest, vm)
    for command, times, seconds in (("domstate", 1, 12), ("suspend", 1, 15), ("resume", 1, 9),
                                    ("resume", 2, 12)):
        place.setting(f"stuck-{command}", times)
        started = time.monotonic()
        problem = works(action) if command == "resume" else refused(action, "did not end within")
        tap.case(f"virsh {command} hangs {times} times", bounded(guest, seconds, problem, started))
        place.setting(f"stuck-{command}", 0)
        action.forget()
    place.setting("slow-suspend", 60)
    started = time.monotonic()
    problem = refused(action, "did not end within")
    tap.case("virsh suspend hangs after it has worked", bounded(guest, 15, problem, started))
    place.setting("slow-suspend", 0)


def action_of(child):
    """The process that does the work: the one that oned waits for only watches it."""
    started = pathlib.Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
    return int(started[0]) if started else child.pid


def stopped_front_end(tap, place, guest, vm):
    """It neither dies nor goes on: the guardian's own clock."""
    place.live_copy("SUSPEND")
    slow, window = place.setting("slow-suspend", 1), place.control / "window"
    action = Snapshot(place, guest, vm)
    if window.exists():
        window.unlink()
    child = action.start()
    problem = None if wait_for(window.exists, 5) else "it never stood still"
    stopped = action_of(child)
    os.kill(stopped, signal.SIGSTOP)
    slow.write_text("")
    problem = first(problem, guest.goes_on(), guest.goes_on(1))
    os.kill(stopped, signal.SIGCONT)
    child.out, child.err = child.communicate(timeout=30)
    try:
        text = sentence(child)
        problem = first(problem, "let go on" not in text and text)
    except ValueError as error:
        problem = first(problem, str(error))
    tap.case("a stopped front-end: the guest goes on, and the late copy is not taken",
             first(problem, action.leftovers(made=False), works(action)))
    action.forget()


def busy_guardian(tap, place, guest, vm):
    """What comes next must not take the guest for one that somebody paused."""
    place.live_copy("SUSPEND")
    slow, window = place.setting("slow-suspend", 1), place.control / "window"
    action = SaveAs(place, guest, vm)
    if window.exists():
        window.unlink()
    child = action.start()
    problem = None if wait_for(window.exists, 5) else "it never stood still"
    place.setting("stuck-resume", 1)  # once, which the guardian outlives
    kill_tree(child, signal.SIGKILL, False)
    child.communicate()
    slow.write_text("")
    child = action.run()
    place.setting("stuck-resume", 0)
    tap.case("the action again at once: it waits for the guardian of the first",
             first(problem, "guest suspended" not in child.err and child.err,
                   guest.problem_of_copy(action.result, 1), guest.goes_on()))
    action.forget()


def libvirt_restarts(tap, place, guest, vm, machine):
    """While a guest stands still, and is away for two seconds."""
    place.live_copy("SUSPEND")
    slow, window = place.setting("slow-suspend", 1), place.control / "window"
    action, least = Snapshot(place, guest, vm), guest.mark()
    if window.exists():
        window.unlink()
    child = action.start()
    problem = None if wait_for(window.exists, 5) else "it never stood still"
    machine.libvirtd.kill()
    machine.libvirtd.wait()
    time.sleep(2)
    os.unlink("/run/libvirt/libvirt-sock")
    machine.launch()
    problem = first(problem, guest.goes_on())
    _, said = child.communicate(timeout=30)
    slow.write_text("")
    tap.case("libvirtd is restarted while the guest stands still",
             first(problem, child.returncode and said,
                   guest.problem_of_copy(action.result, least)))
    action.forget()


# A real file system freeze


def frozen(tap, place, guest, vm):
    place.live_copy("")
    for action in both(place, guest, vm):
        problem, status = works(action), guest.agent("guest-fsfreeze-status")
        tap.case(f"{action.name} with an agent: a clean file system, and thawed",
                 first(problem, "thawed" not in status and status, guest.goes_on(5)))
        action.forget()
    control = place.site.root / "control-copy"
    run("cp", "--reflink=always", guest.disk, control)
    tap.case("the same without a freeze is not clean",
             not guest.problem_of_copy(control, 0) and "it is: this test proves nothing")
    place.setting("slow-domfsfreeze", 60)
    started, action = time.monotonic(), Snapshot(place, guest, vm)
    problem = refused(action, "domfsfreeze", "did not end within")
    tap.case("virsh domfsfreeze hangs after it has worked", bounded(guest, 12, problem, started))
    place.setting("slow-domfsfreeze", 0)
    action.forget()


def linux(tap, place, guest, vm, why_not, machine):
    name = "a Linux guest with qemu-ga"
    if why_not:
        tap.case(name, skip=why_not)
        return
    ready = wait_for(guest.ready, 90)
    print(f"# Linux took {time.monotonic() - guest.started:.1f} s to boot", flush=True)
    if not ready:
        text = guest.log.read_text(errors="replace")[-1500:] if guest.log.exists() else "no log"
        tap.case(name, f"it does not boot: {text}")
        return
    frozen(tap, place, guest, vm)
    killed_in_window(tap, place, guest, vm, "domfsfreeze", KILLS[:2])
    # to a file system of its own, so that no blocks are shared
    other = machine.disks["ext4"] / "images"
    other.mkdir()
    run("mount", "--bind", other, place.images)
    action = SaveAs(place, guest, vm)
    for old, said in (("", "libvirt backup, guest file systems frozen"),
                      (OLD_VIRSH, "libvirt mirror, guest file systems frozen")):
        place.setting("no-backup-begin", old)
        tap.case(f"{action.name} with an agent: {said}",
                 first(works(action, said), guest.no_job(), guest.goes_on(5)))
        action.forget()


class Lane(threading.Thread):
    """Stages one after the other, beside other lanes: most of them wait."""

    def __init__(self, tap, *stages):
        super().__init__(daemon=True)
        self.tap, self.stages = tap, stages
        self.start()

    def run(self):
        for stage, *arguments in self.stages:
            started = time.monotonic()
            try:
                stage(self.tap, *arguments)
            except Exception:  # a lane that dies is a failure like others
                self.tap.case(stage.__name__, traceback.format_exc())
            print(f"# {stage.__name__}: {time.monotonic() - started:.1f} s", flush=True)


class SharedTap(Tap):
    lock = threading.Lock()

    def case(self, name, problem=None, skip=None):
        with self.lock:
            super().case(name, problem, skip)


def main(onevol, outer):
    machine, tap = Machine(outer), SharedTap()
    work = machine.work
    kernel, why_not = find_kernel()
    ext4, flat, thin, fails = (Place(onevol, machine, "ext4") for _ in range(4))
    xfs, slow, tall, far = (Place(onevol, machine, "xfs") for _ in range(4))
    tux = Linux(work, "one-9", tall.disk_of(9), kernel) if kernel else None
    if tux:
        tux.create()
    six, seven, eight, ten = guests = [
        Ticker(work, f"one-{vm}", place.disk_of(vm))
        for vm, place in ((6, far), (7, xfs), (8, ext4), (10, slow))]
    eleven, twelve, thirteen = jobs = [
        Ticker(work, f"one-{vm}", place.disk_of(vm), 256, filled, form)
        for vm, place, filled, form in ((11, flat, 200, "raw"), (12, thin, 80, "qcow2"),
                                        (13, fails, 200, "raw"))]
    guests += jobs
    for guest in guests:
        guest.create()
    for guest in guests:
        tap.case(f"{guest.name} counts", guest.goes_on(30))
    lanes = [
        Lane(tap, (without_agent, xfs, seven, 7), (suspended, xfs, seven, 7, "xfs"),
             (suspended, ext4, eight, 8, "ext4"), (addresses, xfs, seven, 7),
             (not_running, xfs, seven, 7), (killed_at_steps, xfs, seven, 7),
             (killed_in_window, ext4, eight, 8, "suspend", KILLS[:1]),
             (not_there, xfs, seven, 7)),
        Lane(tap, (on_another_host, far, six, 6), (killed_anywhere, far, six, 6, 6),
             (killed_in_window, far, six, 6, "suspend", KILLS)),
        Lane(tap, (stuck, slow, ten, 10), (stopped_front_end, slow, ten, 10),
             (busy_guardian, slow, ten, 10)),
        Lane(tap, (by_libvirt, flat, eleven, 11), (hypervisors, flat, eleven, 11),
             (killed_in_window, flat, eleven, 11, "backup-begin", KILLS[:2]),
             (killed_anywhere, flat, eleven, 11, 4)),
        Lane(tap, (by_libvirt, thin, twelve, 12),
             (killed_jobs, thin, twelve, 12)),
        Lane(tap, (killed_jobs, fails, thirteen, 13), (job_fails, fails, thirteen, 13)),
        Lane(tap, (linux, tall, tux, 9, why_not, machine))]
    for lane in lanes:
        lane.join()
    Lane(tap, (libvirt_restarts, slow, ten, 10, machine)).join()
    return tap.finish()


def as_init(onevol, work):
    """The first process of the namespace: libvirt waits for orphans to be gone."""
    child = os.fork()
    if child == 0:
        sys.exit(main(onevol, work))
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def outside():
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"
    if os.geteuid() != 0:
        print("1..0 # SKIP needs root")
        return 0
    lacking = [tool for tool in TOOLS if not shutil.which(tool)]
    if lacking:
        print(f"1..0 # SKIP needs {', '.join(lacking)}")
        return 0
    work = tempfile.mkdtemp(prefix="onevol-live-", dir=os.environ.get("TEST_DIRECTORY", "/var/tmp"))
    try:
        return subprocess.run(
            ["unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc", "--",
             sys.executable, __file__, os.path.abspath(sys.argv[1]), work], check=False).returncode
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    sys.exit(outside() if len(sys.argv) == 2 else as_init(sys.argv[1], pathlib.Path(sys.argv[2])))
