# SPDX-License-Identifier: Apache-2.0
"""Fake hosts: each its own network, mounts, names and processes, with an sshd of its own.

Killing a host's init ends everything in it, mounts too. Needs root; installs nothing.
"""
import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time

PROGRAMS = ("ssh", "sshd", "ssh-keygen", "ssh-agent", "ip", "unshare", "nsenter", "mount", "flock",
            "pgrep", "ps")

SSHD = """Port 22
HostKey {base}/hostkey
AuthorizedKeysFile {base}/key.pub
StrictModes no
UsePAM no
PidFile none
PermitRootLogin yes
UseDNS no
MaxStartups 100
"""

SSH = """Host *
  User root
  IdentityFile {base}/key
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
  KexAlgorithms curve25519-sha256
"""

# First in PATH: counts connections, and plays a broken link when asked to.
WRAPPER = """#!/bin/sh
[ "$1" = -G ] || echo "$*" >> {base}/connections
[ -z "$FAKE_SSH" ] || exec $FAKE_SSH "$@"
exec /usr/bin/ssh -F {base}/ssh_config "$@"
"""

INIT = """set -e
base=$1 host=$2
mount --make-rprivate /
mount -t proc proc /proc
[ ! -d "$base/devices/$host" ] || mount --bind "$base/devices/$host" /dev
hostname "$host"
ip link set lo up
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd /run/lock
mount -t tmpfs -o mode=1777 tmpfs /var/tmp
mount -t tmpfs tmpfs /root
mkdir -p /var/lib/one
mount -t tmpfs -o mode=0755 tmpfs /var/lib/one
mount --bind "$base/hosts" /etc/hosts
echo ready > "$base/$host/ready"
read -r _ < "$base/$host/go"
exec /usr/sbin/sshd -D -e -f "$base/sshd_config"
"""


def missing():
    """Why this cannot run here, or None."""
    if os.geteuid() != 0:
        return "needs root"
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    lacking = [name for name in PROGRAMS if not shutil.which(name)]
    if lacking:
        return "needs " + ", ".join(lacking)
    probe = subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "true"],
                           capture_output=True)
    return None if probe.returncode == 0 else "needs to make namespaces"


def run(*words):
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)


class Lab:
    """lab = Lab(["fe", "h1", "h2"]); lab.close()."""

    made = itertools.count()

    def __init__(self, names):
        self.base = tempfile.mkdtemp(prefix="onevol-hosts-")
        number = next(self.made)  # several labs of one process
        self.prefix = f"ov{os.getpid() % 100000}" + (chr(ord("a") + number % 26) if number else "")
        self.names = names
        self.nodes = {}
        self.write("hosts", "127.0.0.1 localhost\n" + "".join(
            f"10.77.0.{i + 2} {name}\n" for i, name in enumerate(names)) + "10.77.0.99 nowhere\n")
        self.write("sshd_config", SSHD.format(base=self.base))
        self.write("ssh_config", SSH.format(base=self.base))
        self.write("connections", "")
        os.mkdir(self.path("bin"))
        self.write("bin/ssh", WRAPPER.format(base=self.base), 0o755)
        for key in ("key", "hostkey"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path(key))
        try:
            self.prepare()
            self.up()
        except BaseException:
            self.close()
            raise

    def prepare(self):
        """Before the hosts start; devices/NAME of the base becomes the /dev of that host."""

    def path(self, *parts):
        return os.path.join(self.base, *parts)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w") as out:
            out.write(text)
        os.chmod(self.path(name), mode)

    def up(self):
        switch = self.prefix + "-sw"
        run("ip", "netns", "add", switch)
        run("ip", "-n", switch, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", switch, "link", "set", "br0", "up")
        for i, name in enumerate(self.names):
            self.start(name, i)

    def start(self, name, i):
        switch, space = self.prefix + "-sw", f"{self.prefix}-{name}"
        os.makedirs(self.path(name), exist_ok=True)
        for old in ("ready", "go"):
            if os.path.exists(self.path(name, old)):
                os.unlink(self.path(name, old))
        os.mkfifo(self.path(name, "go"))
        with open(self.path(name, "log"), "a") as log:
            process = subprocess.Popen(
                ["unshare", "--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child",
                 "--", "bash", "-c", INIT, "init", self.base, name],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for _ in range(500):
            if os.path.exists(self.path(name, "ready")):
                break
            time.sleep(0.01)
        with open(f"/proc/{process.pid}/task/{process.pid}/children") as children:
            init = int(children.read().split()[0])
        self.nodes[name] = (process, init)
        open(f"/run/netns/{space}", "w").close()
        run("mount", "--bind", f"/proc/{init}/ns/net", f"/run/netns/{space}")
        link = f"{self.prefix[-8:]}v{i}"
        run("ip", "link", "add", link, "netns", switch, "type", "veth", "peer", "name", "eth0",
            "netns", space)
        run("ip", "-n", switch, "link", "set", link, "master", "br0", "up")
        run("ip", "-n", space, "addr", "add", f"10.77.0.{i + 2}/24", "dev", "eth0")
        run("ip", "-n", space, "link", "set", "eth0", "up")
        seen = os.path.getsize(self.path(name, "log"))
        with open(self.path(name, "go"), "w") as go:
            go.write("go\n")
        for _ in range(500):
            with open(self.path(name, "log")) as log:
                log.seek(seen)
                if "Server listening" in log.read():
                    break
            time.sleep(0.01)

    def stop(self, name):
        process, init = self.nodes.pop(name)
        with contextlib.suppress(ProcessLookupError):  # it may have got the signal that ends the test
            os.kill(init, signal.SIGKILL)
        process.wait()
        subprocess.run(["ip", "netns", "del", f"{self.prefix}-{name}"], stderr=subprocess.DEVNULL)

    def restart(self, name):
        """A reboot: nothing of /var/tmp, /run and its processes is left."""
        self.stop(name)
        self.start(name, self.names.index(name))
        for other in self.nodes: # it has another hardware address now
            run("ip", "-n", f"{self.prefix}-{other}", "neigh", "flush", "all")

    def freeze(self, name, number=signal.SIGSTOP):
        """Stops all processes of a host, its init too; SIGCONT lets them go on."""
        space = os.readlink(f"/proc/{self.nodes[name][1]}/ns/pid")
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/ns/pid") == space:
                    os.kill(int(pid), number)
            except OSError:
                pass

    def close(self):
        for name in list(self.nodes):
            self.stop(name)
        subprocess.run(["ip", "netns", "del", self.prefix + "-sw"], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.base, ignore_errors=True)

    def enter(self, name, *words):
        """The words to run something inside a host, without ssh."""
        return ["nsenter", "-t", str(self.nodes[name][1]), "-n", "-m", "-u", "-p", "-i", "--",
                *words]

    def on(self, name, script, check=True):
        """A shell script inside a host; its output."""
        done = subprocess.run(self.enter(name, "sh", "-c", script), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"on {name}: {script}: {done.stdout}{done.stderr}")
        return done.stdout

    def environment(self, **more):
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("ONE", "SSH"))}
        keep["PATH"] = self.path("bin") + ":" + keep["PATH"]
        keep["HOME"] = self.base
        keep.update(more)
        return keep

    def connections(self):
        with open(self.path("connections")) as lines:
            return len(lines.readlines())
