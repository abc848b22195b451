# SPDX-License-Identifier: Apache-2.0
"""A site whose front-end and two hosts are real enough: ssh between them, one directory that all
see, and file systems of their own where a test wants them.

The test runs in namespaces of its own and plays the front-end; the hosts are hostlab's. All goes
away with the namespaces, also when the test is killed.
"""
import base64
import ctypes
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import hostlab
from played_site import Site

GIB = 1 << 30
# OpenNebula's own wrapper of ssh keeps connections since 5.12
KEEP = """  ControlMaster auto
  ControlPersist 60s
  ControlPath {base}/ctl-%C
"""
CLONE_NEWNET = 0x40000000
SHARED = pathlib.Path("/mnt/shared")


def run(*words, check=True):
    return subprocess.run([str(w) for w in words], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=check)


def start(script, main, tools=()):
    """The whole test: `main(outer, *arguments)` in fresh namespaces; the exit status."""
    if "--inside" in sys.argv:
        inside = sys.argv.index("--inside")
        return as_init(lambda: main(pathlib.Path(sys.argv[inside + 1]), *sys.argv[1:inside]))
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"
    why_not = hostlab.missing()
    lacking = [tool for tool in ("mkfs.xfs", *tools) if not shutil.which(tool)]
    if why_not or lacking:
        print(f"1..0 # SKIP {why_not or 'needs ' + ', '.join(lacking)}")
        return 0
    outer = tempfile.mkdtemp(prefix="onevol-two-", dir=os.environ.get("TEST_DIRECTORY", "/var/tmp"))
    arguments = [os.path.abspath(a) if os.path.exists(a) else a for a in sys.argv[1:]]
    try:
        return subprocess.run(
            ["unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc", "--",
             sys.executable, "-B", script, *arguments, "--inside", outer], check=False).returncode
    finally:
        shutil.rmtree(outer, ignore_errors=True)


def as_init(main):
    """The first process of a namespace inherits orphans, and has to end them."""
    child = os.fork()
    if child == 0:
        sys.exit(main())
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


class Machines:
    """Hosts h1 and h2, and this process as the front-end `fe`."""

    def __init__(self, outer, drives=(), make=hostlab.Lab):
        """A drive is an XFS for own(); one more is what all see, at SHARED. `make` brings up the
        hosts."""
        run("mount", "--make-rprivate", "/")
        run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/mnt")
        for name in ("shared", *drives):
            self.make_drive(outer, name)
        for place, mode in (("/run", "0755"), ("/var/tmp", "1777")):
            run("mount", "-t", "tmpfs", "-o", f"mode={mode}", "tmpfs", place)
        os.mkdir("/mnt/lab")
        tempfile.tempdir = "/mnt/lab"
        self.lab = make(["fe", "h1", "h2"])
        space = os.open(f"/run/netns/{self.lab.prefix}-fe", os.O_RDONLY)
        if ctypes.CDLL(None, use_errno=True).setns(space, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        run("mount", "--bind", self.lab.path("hosts"), "/etc/hosts")
        with open(self.lab.path("ssh_config"), "a") as config:
            config.write(KEEP.format(base=self.lab.base))

    @staticmethod
    def make_drive(outer, name):
        image, place = outer / f"{name}.image", pathlib.Path("/mnt") / name
        place.mkdir()
        with open(image, "wb") as file:
            file.truncate(2 * GIB)
        run("mkfs.xfs", "-q", "-m", "reflink=1", image)
        run("mount", "-o", "loop", image, place)

    def own(self, host, place, drive=None):
        """`place` is this host's own from here on: a drive, or memory."""
        script = f"mkdir -p {place}; mount --bind /mnt/{drive} {place}" if drive else \
                 f"mkdir -p {place}; mount -t tmpfs -o mode=0755 tmpfs {place}"
        self.on(host, script)

    def on(self, host, script, check=True):
        """A shell's output on a host, or here."""
        if host != "fe":
            return self.lab.on(host, script, check)
        done = run("sh", "-c", script, check=False)
        if check and done.returncode:
            raise AssertionError(f"on fe: {script}: {done.stdout}{done.stderr}")
        return done.stdout

    def put(self, host, path, text):
        """A file on a host."""
        subprocess.run(self.words(host, "sh", "-c", f"cat > {path}"), input=text, text=True,
                       check=True)

    def let_in(self, host):
        """Processes of this host may use ssh to all others."""
        self.on(host, "mkdir -p /root/.ssh")
        self.put(host, "/root/.ssh/config", hostlab.SSH.format(base=self.lab.base))

    def words(self, host, *words):
        """To run a program there."""
        return list(words) if host == "fe" else self.lab.enter(host, *words)

    def pipe(self, source, destination):
        """(host, shell) into (host, shell)."""
        first = subprocess.Popen(self.words(source[0], "sh", "-c", source[1]),
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        second = subprocess.run(self.words(destination[0], "sh", "-c", destination[1]),
                                stdin=first.stdout, capture_output=True, text=True, check=False)
        first.stdout.close()
        if first.wait() or second.returncode:
            raise AssertionError(f"{source} | {destination}: {second.stderr}")

    def revive(self, host):
        """Starts a host again that was stopped: with nothing of its own."""
        self.lab.start(host, self.lab.names.index(host))
        run("ssh", "-F", self.lab.path("ssh_config"), "-O", "exit", host, check=False)
        for other in self.lab.nodes:  # it has another hardware address now
            self.lab.on(other, "ip neigh flush all")

    def there(self, host, path):
        """'', 'file', 'link' or 'directory'."""
        return self.on(host, f"if [ -L {path} ]; then echo link; elif [ -d {path} ]; then echo "
                             f"directory; elif [ -e {path} ]; then echo file; fi").strip()

    def site(self, onevol, version, driver, also=()):
        """A site on what all see. `also` are further drivers to install."""
        site = Site(onevol, version, driver, base=str(SHARED))
        site.environment["PATH"] = f"{self.lab.path('bin')}:{site.environment['PATH']}"
        for other in also:
            run(site.onevol, "setup", "--remotes", site.remotes, "--driver", other)
        (site.remotes / "etc/onevol/onevol.conf").write_text('FRONTEND_NAMES="fe"\n')
        site.oned_knows = lambda name, number, text: site.oned.facts.__setitem__(
            (f"one.{name}.info", number), text)
        return site


class Vm:
    """What oned says of a VM; disks are dictionaries of its attributes."""

    def __init__(self, site, number, system, system_tm, disks):
        self.site, self.number, self.system, self.system_tm = site, number, system, system_tm
        self.disks, self.hosts, self.state, self.lcm_state = disks, [], 3, 3
        self.context = None  # the id of its disk

    def directory(self, system=None):
        return self.site.datastores / str(system or self.system) / str(self.number)

    def path(self, disk, system=None):
        return f"{self.directory(system)}/disk.{disk}"

    def document(self):
        disks = "".join("<DISK>" + "".join(f"<{k}><![CDATA[{v}]]></{k}>" for k, v in disk.items()) +
                        "</DISK>" for disk in self.disks)
        if self.context is not None:
            disks += f"<CONTEXT><DISK_ID>{self.context}</DISK_ID></CONTEXT>"
        history = "".join(
            f"<HISTORY><OID>{self.number}</OID><SEQ>{i}</SEQ><HOSTNAME>{host}</HOSTNAME>"
            f"<TM_MAD><![CDATA[{self.system_tm}]]></TM_MAD><DS_ID>{system}</DS_ID></HISTORY>"
            for i, (host, system) in enumerate(self.hosts))
        return (f"<VM><ID>{self.number}</ID><STATE>{self.state}</STATE>"
                f"<LCM_STATE>{self.lcm_state}</LCM_STATE><DEPLOY_ID>one-{self.number}</DEPLOY_ID>"
                f"<TEMPLATE>{disks}</TEMPLATE><HISTORY_RECORDS>{history}</HISTORY_RECORDS></VM>")

    def tell(self, lcm_state=3, host=None, system=None):
        """Brings oned up to date: a new state, a new history record."""
        if host:
            self.system = system or self.system
            self.hosts.append((host, self.system))
        self.lcm_state = lcm_state
        self.site.oned_knows("vm", self.number, self.document())

    def encoded(self):
        """The document as pre-, post- and failmigrate get it."""
        return base64.b64encode(self.document().encode()).decode()


def in_arguments(version):
    """Up to 5.8 a migration's document is an argument, later it is on stdin."""
    return tuple(map(int, version.split(".")[:2])) <= (5, 8)
