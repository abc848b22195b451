# SPDX-License-Identifier: Apache-2.0
"""Guests in QEMU, with a kernel of their own: LVM, lvmlockd, GFS2 as on real hosts.

    lab = Lab(build, ["v1", "v2"])     a bridge, the front-end `fe` (a fake host), a SAN of one disk
    lab.boot("v1")                     returns when the guest answers to ssh from `fe`
    lab.on("v1", "lvs")                a shell script there; its output
    lab.kill("v1"); lab.boot("v1")     a power cut: memory and what the guest wrote to its root are
                                       gone, the SAN keeps what reached it
    lab.close()                        everything is ended by pid and removed

A guest boots Debian's kernel (tools/fetch-kernel) in software emulation. Its root is the machine's
own, read-only over 9p, with packages that the machine lacks (tools/fetch-packages) and a tmpfs laid
over it: programs that were built a second ago are there under the same path. Its lvm.conf asks no
udev, since none runs. The front-end reaches it as oneadmin, who may there what OpenNebula's packages
allow. Needs root; installs nothing.
"""
import concurrent.futures
import ctypes
import glob
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
import hostlab  # noqa: E402

SKIPPED = 77
SOURCE = pathlib.Path(__file__).resolve().parents[2]
QEMU = "qemu-system-x86_64"
BOOT_SECONDS = 120  # a machine that is busy with other tests; alone it takes four

# What the root needs before it is there; the rest comes by modprobe from the unpacked kernel.
MODULES = ("crc32c_generic", "virtio_pci", "virtio_blk", "virtio_net", "virtio_rng",
           "9pnet_virtio", "9p", "overlay", "dm_mod")

COMMAND_LINE = ("console=ttyS0 panic=-1 quiet mitigations=off nokaslr tsc=reliable no_timer_check "
                "random.trust_cpu=on 8250.nr_uarts=1 apparmor=0 cryptomgr.notests")

# /proc, /sys and /dev are mounted first and moved: the root that comes over 9p shows the machine's
# own /proc, and a mount below it would be one on that view.
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
for module in $(cat /modules); do insmod /m/$module || echo "cannot load $module"; done
for word in $(cat /proc/cmdline); do
    case $word in lab.*) name=${word%%=*}; eval "${name#lab.}='${word#*=}'";; esac
done
mkdir -p /lower /packages /upper /root
share="-t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=512000"
mount $share root /lower
layers=/lower
mount $share packages /packages 2>/dev/null && layers=/packages:/lower
mount -t tmpfs upper /upper; mkdir /upper/files /upper/work
mount -t overlay -o lowerdir=$layers,upperdir=/upper/files,workdir=/upper/work overlay /root
# what udev would make: dlm opens /dev/misc, scripts /dev/stdin and /dev/fd
ln -s . /dev/misc; ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin; ln -s fd/1 /dev/stdout; ln -s fd/2 /dev/stderr
for folder in proc sys dev; do mount --move /$folder /root/$folder; done
cd /root
mkdir -p dev/pts dev/shm
mount -t devpts devpts dev/pts; mount -t tmpfs -o mode=1777 shm dev/shm
mount -t tmpfs run run; mount -t tmpfs -o mode=1777 tmp var/tmp; mount -t tmpfs -o mode=700 home root
mkdir -p run/lock/lvm run/lvm run/sshd var/lib/one
mount -t tmpfs -o mode=755 one var/lib/one
# what the run shares, wherever it lies: the mounts above may have hidden it
for folder in $(echo "$shares" | tr , ' '); do
    mkdir -p ".$folder"; mount --bind "/lower$folder" ".$folder"
done
mkdir -p lib/modules/$(uname -r); mount --bind /lower$modules lib/modules/$(uname -r)
cp ".$base/lvm.conf" etc/lvm/lvm.conf 2>/dev/null
mount --bind ".$base/hosts" etc/hosts
hostname $host
ip link set lo up; ip link set eth0 up; ip addr add $address dev eth0
echo "::sysinit:/bin/sh $base/up" > etc/inittab
# init, not a shell: children that lost their parents must be waited for by somebody
exec switch_root /root /bin/busybox init
"""

# As OpenNebula's node packages leave a host: its user, who may open disks and call these of LVM's
# commands as root (ONE_LVM in its share/pkgs/sudoers).
UP = r"""export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
sed -i '/^oneadmin:/d' /etc/passwd /etc/group /etc/shadow
echo oneadmin:x:9869:9869::/var/lib/one:/bin/bash >> /etc/passwd
echo oneadmin:x:9869: >> /etc/group
echo 'oneadmin:*:19000:0:99999:7:::' >> /etc/shadow
sed -i 's/^disk:.*/disk:x:6:oneadmin/' /etc/group
cp BASE/sudoers /etc/sudoers.d/onevol-lab; chmod 440 /etc/sudoers.d/onevol-lab
# sudo is most of what a command takes here: no directory services, no session of its own
printf 'passwd: files\ngroup: files\nshadow: files\nhosts: files\n' > /etc/nsswitch.conf
printf 'auth required pam_unix.so\naccount sufficient pam_permit.so\nsession sufficient pam_permit.so\n' > /etc/pam.d/sudo
chown oneadmin: /var/lib/one
cp BASE/key.pub /run/lab-keys # BASE is closed to all but root
/usr/sbin/sshd -f BASE/sshd_config.guest
echo "lab: up after $(cut -d' ' -f1 /proc/uptime) s" > /dev/console
"""

SUDOERS = """Defaults:oneadmin !requiretty
Defaults:oneadmin secure_path = /sbin:/bin:/usr/sbin:/usr/bin
oneadmin ALL=(ALL:ALL) NOPASSWD: /usr/sbin/lvcreate, /usr/sbin/lvremove, /usr/sbin/lvs, \\
    /usr/sbin/vgdisplay, /usr/sbin/lvchange, /usr/sbin/lvscan, /usr/sbin/lvextend, /usr/sbin/dmsetup
"""

# The first word on a matter counts: these stand before those of the fake hosts.
SSHD = """AuthorizedKeysFile /run/lab-keys
SetEnv PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
"""

# One connection a guest for what the test itself asks: a handshake costs most of a second there.
SSH = """Host *
  ControlMaster auto
  ControlPath {base}/ctl-%n
  ControlPersist 600
  ConnectTimeout 2
"""

LVM = """devices {
    use_devicesfile = 0
    obtain_device_list_from_udev = 0
    external_device_info_source = "none"
    filter = [ "a|^/dev/vd|", "r|.*|" ]
}
activation {
    udev_sync = 0
    udev_rules = 0
    verify_udev_operations = 0
    monitoring = 0
}
global {
    locking_dir = "/run/lock/lvm"
    event_activation = 0
    use_lvmpolld = 0
    use_aio = 0
    use_lvmlockd = LOCKD
}
backup {
    backup = 0
    archive = 0
}
"""


def kernel_root(build):
    near = os.path.join(build, "kernel")
    return os.path.realpath(near) if os.path.isdir(near) else ""


def find_kernel(build):
    """(version, path of what QEMU boots), or None."""
    root = kernel_root(build)
    for kind in ("vmlinux", "vmlinuz"):
        prefix = f"{root}/boot/{kind}-"
        for path in sorted(glob.glob(prefix + "*"), reverse=True):
            version = path[len(prefix):]
            if glob.glob(f"{root}/lib/modules/{version}/kernel/fs/gfs2/gfs2.ko*"):
                return version, path
    return None


def packages_root(build):
    near = os.path.join(build, "lab-root")
    return os.path.realpath(near) if os.path.isdir(near) else None


def has_program(build, name):
    roots = [packages_root(build) or "", ""]
    return any(os.path.exists(f"{root}/{folder}/{name}") for root in roots
               for folder in ("usr/sbin", "usr/bin", "sbin", "bin"))


def missing(build, programs=("lvm",)):
    """Why no guest with these programs can boot here, or None."""
    reason = hostlab.missing()
    if reason:
        return reason
    lacking = [name for name in (QEMU, "busybox") if not shutil.which(name)]
    if lacking:
        return "needs " + ", ".join(lacking)
    if not os.path.exists("/dev/net/tun"):
        return "needs tun devices"
    if subprocess.run(["ldd", shutil.which("busybox")], capture_output=True).returncode == 0:
        return "needs a static busybox"
    if not find_kernel(build):
        return "needs a kernel with DLM and GFS2: tools/fetch-kernel"
    lacking = [name for name in programs if not has_program(build, name)]
    return "needs in its guests: " + ", ".join(lacking) if lacking else None


def cpio(entries):
    """An initramfs (newc) of (path, mode, content)."""
    out = bytearray()
    for number, (path, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        name = path.encode() + b"\0"
        fields = [number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0]
        out += b"070701" + b"".join(b"%08x" % field for field in fields) + name
        out += bytes(-len(out) % 4) + content + bytes(-len(content) % 4)
    return bytes(out)


def module_files(root, version):
    """MODULES and what they need, in order of loading."""
    base = pathlib.Path(f"{root}/lib/modules/{version}")
    needs = dict(line.split(":", 1) for line in (base / "modules.dep").read_text().splitlines())
    by_name = {re.sub(r"\.ko.*", "", os.path.basename(p)).replace("-", "_"): p for p in needs}
    order = []
    for name in MODULES:
        if name in by_name:  # else it is built in
            path = by_name[name]
            order += [p for p in [*reversed(needs[path].split()), path] if p not in order]
    return [base / path for path in order]


def end_on_signals():
    """A test that is told to end closes its lab first."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

    def end(number, _):
        for other in numbers: # timeout(1) sends two: the second must not cut the closing short
            signal.signal(other, signal.SIG_IGN)
        sys.exit(128 + number)

    for number in numbers:
        signal.signal(number, end)


def die_with_parent():
    """A guest does not outlive the test, however that ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Lab:
    def __init__(self, build, names, san="4G", memory=512, lockd=False):
        self.build, self.names, self.memory = os.path.realpath(build), list(names), memory
        self.processes, self.boot_seconds = {}, []
        self.version, self.kernel = find_kernel(self.build)
        # where O_DIRECT works, and `fe` sees it too: it has a /tmp that may be a tmpfs, and its own /var/tmp
        self.directory = tempfile.mkdtemp(prefix="onevol-lab-", dir=self.build)
        self.hosts = None
        try:
            self.hosts = hostlab.Lab(["fe"])
            self.prepare(san, lockd)
        except BaseException:
            self.close()
            raise

    def prepare(self, san, lockd):
        base = self.hosts.base
        with open(self.hosts.path("hosts"), "a") as hosts:
            for name in self.names:
                hosts.write(f"{self.address(name)} {name}\n")
        self.hosts.write("up", UP.replace("BASE", base))
        self.hosts.write("lvm.conf", LVM.replace("LOCKD", str(int(lockd))))
        self.hosts.write("sudoers", SUDOERS)
        # the front-end's drivers come as OpenNebula's user, the test itself as root
        self.hosts.write("ssh_config", f"Host {' '.join(self.names)}\n  User oneadmin\n"
                         + hostlab.SSH.format(base=base))
        self.hosts.write("sshd_config.guest", SSHD + hostlab.SSHD.format(base=base))
        self.hosts.write("ssh_config.lab", SSH.format(base=base) + hostlab.SSH.format(base=base))
        self.initramfs = os.path.join(self.directory, "initramfs")
        self.san = os.path.join(self.directory, "san")
        files = module_files(kernel_root(self.build), self.version)
        entries = [(name, 0o040755, b"") for name in ("bin", "proc", "sys", "dev", "m")]
        entries += [("bin/busybox", 0o100755, pathlib.Path(shutil.which("busybox")).read_bytes()),
                    ("init", 0o100755, INIT.encode()),
                    ("modules", 0o100644, "\n".join(f.name for f in files).encode())]
        entries += [(f"m/{f.name}", 0o100644, f.read_bytes()) for f in files]
        with open(self.initramfs, "wb") as out:
            out.write(cpio(entries))
        subprocess.run(["truncate", "-s", san, self.san], check=True)

    # Guests

    def address(self, name):
        return f"10.77.0.{50 + self.names.index(name)}"

    def console(self, name):
        return os.path.join(self.directory, f"{name}.console")

    def words(self, name):
        number = self.names.index(name)
        shares = dict.fromkeys([self.hosts.base, self.build, str(SOURCE)])
        facts = {"host": name, "address": self.address(name) + "/24", "base": self.hosts.base,
                 "shares": ",".join(shares),
                 "modules": f"{kernel_root(self.build)}/lib/modules/{self.version}"}
        line = " ".join([COMMAND_LINE, *(f"lab.{key}={value}" for key, value in facts.items())])
        share = "security_model=none,readonly=on,multidevs=remap"
        packages = packages_root(self.build)
        return [
            "nice", QEMU, "-name", name, "-nodefaults", "-no-reboot", "-display", "none",
            "-accel", "tcg,tb-size=128", "-m", str(self.memory), "-kernel", self.kernel,
            "-initrd", self.initramfs, "-append", line, "-serial", f"file:{self.console(name)}",
            "-device", "virtio-rng-pci",
            "-netdev", f"tap,id=net,ifname={self.tap(name)},script=no,downscript=no", "-device",
            f"virtio-net-pci,netdev=net,mac=52:54:00:77:00:{50 + number:02x},romfile=",
            "-virtfs", f"local,path=/,mount_tag=root,{share}",
            *(["-virtfs", f"local,path={packages},mount_tag=packages,{share}"] if packages else []),
            # all guests write to the same file, as hosts to a LUN
            "-drive", f"file={self.san},if=virtio,format=raw,cache=none,file.locking=off,"
                      "discard=unmap,detect-zeroes=off",
        ]

    def tap(self, name):
        return f"{self.hosts.prefix[-8:]}t{self.names.index(name)}"

    def start(self, name):
        """Switches a guest on, and does not wait."""
        switch = self.hosts.prefix + "-sw"
        subprocess.run(["ip", "-n", switch, "tuntap", "add", self.tap(name), "mode", "tap"],
                       check=True)
        subprocess.run(["ip", "-n", switch, "link", "set", self.tap(name), "master", "br0", "up"],
                       check=True)
        with open(os.path.join(self.directory, f"{name}.qemu"), "wb") as log:
            self.processes[name] = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{switch}", "--", *self.words(name)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent)
        self.processes[name].began = time.monotonic()

    def wait(self, name):
        """Until it answers to ssh; the seconds since it was switched on."""
        process = self.processes[name]
        while True:
            if os.path.exists(self.console(name)) and \
               b"lab: up after" in pathlib.Path(self.console(name)).read_bytes() and \
               self.ssh(name, "true").returncode == 0:
                seconds = time.monotonic() - process.began
                self.boot_seconds.append(seconds)
                return seconds
            if process.poll() is not None or time.monotonic() > process.began + BOOT_SECONDS:
                raise AssertionError(f"guest '{name}' does not come up: {self.told(name)}")
            time.sleep(0.1)

    def told(self, name):
        """The last words of a guest's console and of its QEMU."""
        texts = []
        for path in (self.console(name), os.path.join(self.directory, f"{name}.qemu")):
            if os.path.exists(path):
                texts.append(pathlib.Path(path).read_text(errors="replace")[-3000:])
        return "\n".join(texts)

    def boot(self, *names):
        for name in names:
            self.start(name)
        return [self.wait(name) for name in names]

    def kill(self, name):
        """A power cut."""
        self.processes[name].kill()
        self.forget(name)

    def renew(self, lockd=False):
        """All guests anew, on an empty SAN; with `lockd` LVM there asks lvmlockd."""
        for name in list(self.processes):
            self.kill(name)
        size = os.path.getsize(self.san)
        os.truncate(self.san, 0)
        os.truncate(self.san, size)
        self.hosts.write("lvm.conf", LVM.replace("LOCKD", str(int(lockd))))
        return self.boot(*self.names)

    def freeze(self, name, number=signal.SIGSTOP):
        """Stops a guest where it stands; SIGCONT lets it go on."""
        self.processes[name].send_signal(number)

    def forget(self, name):
        self.processes.pop(name).wait()
        subprocess.run(["ip", "-n", self.hosts.prefix + "-sw", "link", "del", self.tap(name)],
                       stderr=subprocess.DEVNULL)
        subprocess.run(self.hosts.enter("fe", "ssh", "-F", self.hosts.path("ssh_config.lab"), "-O",
                                        "exit", name), stdin=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        if os.path.exists(self.console(name)):
            os.rename(self.console(name), self.console(name) + ".before")

    def close(self):
        for process in self.processes.values():
            process.kill()
        for name in list(self.processes):
            self.forget(name)
        if self.hosts:
            self.hosts.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    # What is asked of them

    def ssh(self, name, script, limit=120, **options):
        """A shell script in a guest, as root; never raises for its status."""
        if "input" not in options:
            options["stdin"] = subprocess.DEVNULL
        try:
            return subprocess.run(
                self.hosts.enter("fe", "ssh", "-F", self.hosts.path("ssh_config.lab"), name,
                                 script), capture_output=True, text=True, timeout=limit, **options)
        except subprocess.TimeoutExpired as error:
            return subprocess.CompletedProcess(error.cmd, 124, "", f"no end within {limit} s")

    def on(self, name, script, check=True, limit=120):
        """Its output; with `check`, AssertionError where it fails."""
        done = self.ssh(name, script, limit)
        if check and done.returncode != 0:
            raise AssertionError(f"on {name}: {script}: status {done.returncode}\n"
                                 f"{done.stdout}{done.stderr}")
        return done.stdout

    def everywhere(self, script, names=None, limit=120):
        """The same on several guests at once; what each says."""
        names = list(names or self.processes)
        with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
            return list(pool.map(lambda name: self.on(name, script, limit=limit), names))

    def allow_reverts(self):
        """OpenNebula's own list of sudoers does for all the rest."""
        self.everywhere(f"install -m 440 {SOURCE}/share/lvm/onevol-lvm.sudoers /etc/sudoers.d/onevol-lvm")

    def start_activation_unit(self, name, writers=None):
        """What systemd runs on a booted host; `writers` as a drop-in would set it."""
        text = (SOURCE / "share/lvm/onevol-activate.service").read_text()
        writers = writers or re.search(r"^Environment=WRITERS=(.*)$", text, re.M)[1]
        for command in re.findall(r"^ExecStart=(.*)$", text, re.M):
            command = command.replace("%H", name).replace("${WRITERS}", writers)
            self.on(name, command.removeprefix("-"), check=not command.startswith("-"))

    def environment(self, **more):
        """For programs that run on the front-end: `ssh` there reaches guests as oneadmin."""
        return self.hosts.environment(**more)
