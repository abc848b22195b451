# SPDX-License-Identifier: Apache-2.0
"""Lock managers for the guests of a lab: lvmlockd with corosync and dlm, or with sanlock.

The guests are booted with `lockd` (lvm.conf says use_lvmlockd). There is no fencing device: dlm is
told not to wait for one, and sanlock's daemon runs without a watchdog. So a host that is cut off
from the others and lives on is not ended here, as a real cluster would.
"""
TOKEN_MS = 5000
CLUSTER = "lab"


def corosync_conf(lab):
    nodes = "".join(f"  node {{\n    ring0_addr: {lab.address(name)}\n    name: {name}\n"
                    f"    nodeid: {number}\n  }}\n" for number, name in enumerate(lab.names, 1))
    two = "  two_node: 1\n  wait_for_all: 0\n" if len(lab.names) == 2 else ""
    return (f"totem {{\n  version: 2\n  cluster_name: {CLUSTER}\n  transport: udpu\n"
            f"  crypto_cipher: none\n  crypto_hash: none\n  token: {TOKEN_MS}\n}}\n"
            f"nodelist {{\n{nodes}}}\nquorum {{\n  provider: corosync_votequorum\n{two}}}\n"
            "logging {\n  to_logfile: yes\n  logfile: /run/corosync.log\n  to_syslog: no\n}\n")


def until(command, what, tries=300):
    """A line of shell that waits for a command to succeed."""
    return (f"n=0; until {command}; do n=$((n+1)); "
            f"[ $n -lt {tries} ] || {{ echo 'no {what}' >&2; exit 1; }}; sleep 0.1; done\n")


def start_dlm(lab, names=None):
    """Corosync, dlm and lvmlockd on these guests (all of the lab's), as members of one cluster."""
    names = list(names or lab.names)
    members = len([name for name in lab.names if name in lab.processes])
    lab.hosts.write("corosync.conf", corosync_conf(lab))
    lab.everywhere(
        "set -e; mkdir -p /etc/corosync /etc/dlm /var/lib/corosync /run/corosync\n"
        "modprobe dlm; mount -t configfs configfs /sys/kernel/config\n"
        f"cp {lab.hosts.path('corosync.conf')} /etc/corosync/corosync.conf\n"
        "printf 'enable_fencing=0\\nenable_quorum_lockspace=0\\n' > /etc/dlm/dlm.conf\n"
        "corosync\n" +
        until(f"corosync-quorumtool -s 2>/dev/null | grep -q '^Nodes: *{members}$'", "quorum") +
        "dlm_controld\n" +
        until(f"[ $(dlm_tool status 2>/dev/null | grep -c '^node .* M ') = {members} ]", "dlm") +
        "lvmlockd -g dlm\n" + until("lvmlockctl -i >/dev/null 2>&1", "lvmlockd"), names)


def start_sanlock(lab, names=None):
    """Sanlock and lvmlockd; the locks lie on the SAN."""
    for name in names or lab.names:
        number = lab.names.index(name) + 1
        lab.on(name, f"set -e; printf 'local {{ host_id={number} }}\\n' > /etc/lvm/lvmlocal.conf\n"
                     f"mkdir -p /run/sanlock; sanlock daemon -w 0 -U root -G root -e {name}\n" +
               until("sanlock client status >/dev/null 2>&1", "sanlock") +
               "lvmlockd -g sanlock -o 2\n" + until("lvmlockctl -i >/dev/null 2>&1", "lvmlockd"))


def join(lab, name, group):
    """Lets a host use a shared volume group.

    Without udev the first try with sanlock fails on a host that has not made the group: lvmlockd
    looks at the node of the locks' volume before LVM has made it.
    """
    for last in (False, False, True):
        done = lab.ssh(name, f"vgchange --lock-start {group}")
        if done.returncode == 0:
            return
        if last:
            raise AssertionError(f"lock-start on {name}: {done.stdout}{done.stderr}")
