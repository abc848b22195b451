# SPDX-License-Identifier: Apache-2.0
"""A real MooseFS in fake hosts: a metadata server and a chunk server in one, mounts in the others.

Debian's moosefs-master, moosefs-chunkserver and moosefs-client; their servers refuse 127.0.0.1, so
they get an address of their own. Nothing is stopped gently: the host's init is killed, which takes
milliseconds. Needs root and FUSE.
"""
import os
import shutil
import subprocess
import time

import hostlab

PROGRAMS = ("mfsmaster", "mfschunkserver", "mfsmount", "mfsmakesnapshot")
MOUNT = "/var/lib/one/datastores"
SERVER = "mfs"
OPTIONS = "mfsioretries=3"
# A client that remembers nothing, for a test to look through: others may show the old for a second.
OBSERVER = OPTIONS + ",mfsattrcacheto=0,mfsentrycacheto=0,mfsdirentrycacheto=0,mfsnegentrycacheto=0"

MASTER = """WORKING_USER = root
WORKING_GROUP = root
DATA_PATH = {base}/meta
EXPORTS_FILENAME = {base}/exports
TOPOLOGY_FILENAME = {base}/topology
LOCK_MEMORY = 0
MATOML_LISTEN_HOST = {address}
MATOCS_LISTEN_HOST = {address}
MATOCL_LISTEN_HOST = {address}
REPLICATIONS_DELAY_INIT = 1
"""

CHUNKS = """WORKING_USER = root
WORKING_GROUP = root
DATA_PATH = {base}/cs
HDD_CONF_FILENAME = {base}/hdd.cfg
HDD_LEAVE_SPACE_DEFAULT = 256MiB
MASTER_HOST = {address}
BIND_HOST = {address}
CSSERV_LISTEN_HOST = {address}
MASTER_RECONNECTION_DELAY = 1
LOCK_MEMORY = 0
"""

# A product that Debian does not have, played by the one that it has: the same words, other programs.
SHIM = """#!/bin/sh
echo "{name} $*" >> {log}
tool=$1
shift
case $tool in
makesnapshot) exec mfsmakesnapshot "$@" ;;
setgoal) exec mfssetsclass "$@" ;;
getgoal) exec mfsgetsclass "$@" ;;
settrashtime) exec mfssettrashtime "$@" ;;
dirinfo) exec mfsdirinfo "$@" ;;
repquota)
    echo "# User/Group ID/Directory; Bytes: current usage, soft limit, hard limit; Inodes: the same;"
    mfsgetquota -n "$3" | tr -d '|-' | awk -v d="$3" '$1 == "length" && NF == 3 {{
        print "Directory " d " -- " $2 " 0 " $3 " 1 0 0 " }}' ;;
*) echo "unknown command: $tool" >&2; exit 1 ;;
esac
"""


def missing():
    """Why this cannot run here, or None."""
    reason = hostlab.missing()
    if reason:
        return reason
    lacking = [name for name in PROGRAMS if not shutil.which(name)]
    if lacking:
        return "needs " + ", ".join(lacking)
    if not os.path.exists("/dev/fuse"):
        return "no FUSE here"
    return None


class MfsLab(hostlab.Lab):
    """MfsLab(["fe", "h1"]): these mount it at MOUNT; one more host, "mfs", serves it."""

    def __init__(self, names, mounts=None):
        self.clients = names if mounts is None else mounts
        self.address = f"10.77.0.{len(names) + 2}"
        super().__init__(names + [SERVER])
        try:
            self.serve()
            for name in self.clients:
                self.mount(name)
            self.wait_for_write(self.clients[0])
        except BaseException:
            self.close()
            raise

    def store(self):
        return self.path(SERVER, "store")

    def serve(self):
        base = self.store()
        for name in ("meta", "cs", "hdd"):
            os.makedirs(os.path.join(base, name), exist_ok=True)
        for name, text in (("meta/metadata.mfs", "MFSM NEW"), ("master.cfg", MASTER),
                           ("chunks.cfg", CHUNKS), ("topology", ""), ("hdd.cfg", "{base}/hdd\n"),
                           ("exports", "* / rw,alldirs,admin,maproot=0:0\n")):
            path = os.path.join(base, name)
            if name == "meta/metadata.mfs" and os.path.exists(path):
                continue
            with open(path, "w") as out:
                out.write(text.format(base=base, address=self.address))
        self.master("start")
        self.chunks("start")

    def master(self, what, check=True):
        return self.on(SERVER, f"mfsmaster -c {self.store()}/master.cfg {what} 2>&1", check)

    def chunks(self, what, check=True):
        return self.on(SERVER, f"mfschunkserver -c {self.store()}/chunks.cfg {what} 2>&1", check)

    def kill(self, program):
        """At once: a graceful stop takes seconds."""
        self.on(SERVER, f"pkill -9 -x {program}")

    def mount(self, name, where=MOUNT, options=OPTIONS):
        self.on(name, f"mkdir -p {where} && mfsmount -H {self.address} {where} -o {options}")

    def unmount(self, name, where=MOUNT):
        self.on(name, f"umount -l {where}")

    def wait_for_write(self, name):
        """Until the chunk server has registered and told of its space."""
        end = time.monotonic() + 20
        while True:
            done = subprocess.run(
                self.enter(name, "sh", "-c", f"[ $(stat -f -c %b {MOUNT}) -gt 0 ] && "
                                             f"head -c 100000 /dev/zero >{MOUNT}/.ready && "
                                             f"sync {MOUNT}/.ready && rm {MOUNT}/.ready"),
                capture_output=True, timeout=60)
            if done.returncode == 0:
                return
            if time.monotonic() > end:
                raise AssertionError(f"MooseFS takes no data: {done.stderr.decode()}")
            time.sleep(0.05)

    def shim(self, product):
        """`lizardfs` or `saunafs` for all hosts; returns the file that notes its calls."""
        log = self.path(product + ".calls")
        open(log, "w").close()
        if not os.path.isdir(self.path("tools")):
            os.mkdir(self.path("tools"))
            for name in self.clients: # in everybody's PATH, before /usr/bin
                self.on(name, f"mount --bind {self.path('tools')} /usr/local/bin")
        self.write(f"tools/{product}", SHIM.format(name=product, log=log), 0o755)
        return log

    def close(self):
        for name in list(self.nodes):
            subprocess.run(self.enter(name, "umount", "-l", MOUNT), capture_output=True)
        super().close()
