#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""LINSTOR: a clone in snapshot mode with its attachment on a fake host, against the same REST calls by
hand; and the monitor of ten thousand volumes. The controller is the simulator, and its time counts.

usage: bench_linstor.py ONEVOL. Prints figures and ratios; asserts nothing. Without root and loop
devices it prints "skipped".
"""
import http.client
import json
import os
import resource
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))
import linstorlab  # noqa: E402
from linstor_site import IMAGES, MIB, PROLOG, SYSTEM, Cloud, machines  # noqa: E402
from played_site import encoded  # noqa: E402
from twohosts import start  # noqa: E402

ROUNDS, VOLUMES = 20, 10000
BUDGET_CLONE_MS, BUDGET_MONITOR_S, BUDGET_MONITOR_MIB = 60, 1.0, 100


def by_hand(cloud, calls):
    """The calls that a clone made, once more for another name, on one connection; ms."""
    port = cloud.sim.ports[0]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/v1/controller/version")
    connection.getresponse().read()
    begin = time.monotonic()
    for call in calls:
        body = json.dumps(call["body"]) if call["body"] is not None else None
        query = f"?{call['query']}" if call["query"] else ""
        connection.request(call["method"], call["path"] + query, body,
                           {"Content-Type": "application/json"} if body else {})
        connection.getresponse().read()
    spent = time.monotonic() - begin
    connection.close()
    return spent * 1000


def renamed(calls, old, new):
    return json.loads(json.dumps(calls).replace(old, new))


def clones(cloud):
    cloud.resource("one-image-1", ["store"], content=b"image" + bytes(8 * MIB - 5))
    cloud.tell_image(1)
    walls, hands = [], []
    for number in range(1, ROUNDS + 1):
        vm = cloud.make_vm(cloud.disk(0, 1), number=number)
        vm.tell(PROLOG, "h1")
        cloud.sim.hook("log", clear=True)
        done = cloud.tm("clone", f"fe:{cloud.names.source(1)}", cloud.at("h1", 0, vm), number, IMAGES)
        cloud.good(done, "clone")
        calls = [c for c in cloud.sim.hook("log", clear=True)["calls"] if "version" not in c["path"]]
        walls.append(done.seconds * 1000)
        hands.append(by_hand(cloud, renamed(calls, f"one-vm-{number}-", f"one-vm-{number + 1000}-")))
    middle, hand = statistics.median(walls), statistics.median(hands)
    print(f"clone by snapshot, attached     {middle:6.1f} ms (fastest {min(walls):.1f}; budget "
          f"{BUDGET_CLONE_MS})")
    print(f"  its {len(calls)} calls by hand            {hand:6.1f} ms, ratio {middle / hand:.1f}")


def monitor(cloud):
    cloud.sim.hook("populate", prefix="one-vm-", suffix="-disk-0", count=VOLUMES,
                   nodes=["h1", "store"], pool="thin",
                   props={"Aux/one/DS_ID": str(SYSTEM), "Aux/one/VM_ID": "%d", "Aux/one/DISK_ID": "0"})
    message = encoded(f"<DS_DRIVER_ACTION_DATA>{cloud.datastore(SYSTEM)}<DATASTORE_LOCATION>"
                      f"{cloud.site.datastores}</DATASTORE_LOCATION><MONITOR_VM_DISKS>1"
                      "</MONITOR_VM_DISKS></DS_DRIVER_ACTION_DATA>")
    walls, spent, hands = [], [], []
    for _ in range(4):  # the simulator writes its answers in the first
        cloud.sim.hook("log", clear=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = cloud.tm("monitor", SYSTEM, stdin=message)
        cloud.good(done, "monitor")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        walls.append(done.seconds)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        hands.append(by_hand(cloud, [c for c in cloud.sim.hook("log", clear=True)["calls"]
                                     if "version" not in c["path"]]) / 1000)
    program = cloud.site.remotes / "tm" / cloud.driver / "monitor"
    with subprocess.Popen([program, str(SYSTEM)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, env=cloud.site.environment) as process:
        process.stdin.write(message)
        process.stdin.close()
        mib = os.wait4(process.pid, 0)[2].ru_maxrss / 1024
        process.returncode = 0
    print(f"monitor of {VOLUMES} volumes        {min(walls[1:]):6.2f} s, of it processor {min(spent[1:]):.2f} s "
          f"(budget {BUDGET_MONITOR_S}), {mib:.0f} MiB (budget {BUDGET_MONITOR_MIB})")
    print(f"  the same answers, only read      {min(hands[1:]):6.2f} s, ratio "
          f"{min(walls[1:]) / min(hands[1:]):.1f}")


def main(outer, onevol):
    around = machines(outer)
    try:
        for work in (clones, monitor):
            cloud = Cloud(around, onevol, "linstor_un", CLONE_MODE="snapshot")
            work(cloud)
            cloud.site.close()
    finally:
        around.lab.close()
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    reason = linstorlab.missing()
    if reason:
        print(f"linstor: skipped: {reason}")
        sys.exit(0)
    sys.exit(start(os.path.abspath(__file__), main))
