#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong between us and LINSTOR: each ends well, or in one sentence with nothing left.

usage: linstor_faults.py ONEVOL [CASE...]
"""
import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import linstorlab  # noqa: E402
from linstor_site import (EPILOG, IMAGES, MIB, MIGRATE, MIGRATE_UNKNOWN, PROLOG,  # noqa: E402
                          RESIZE_POWEROFF, SYSTEM, VM, Cloud, Problem, expect, machines,
                          program, sha)
from linstor_takeover import data  # noqa: E402
from played_site import Tap  # noqa: E402
from twohosts import run as command  # noqa: E402

CASES = []


def case(*drivers, lab=(), **attributes):
    """`lab`: options of a simulator of its own."""
    def add(function):
        CASES.extend((f"{function.__name__.replace('_', ' ')}: {driver}", function, driver, tuple(lab),
                      attributes) for driver in drivers)
        return function
    return add


def fault(cloud, kind, path=".*", method=".*", **more):
    cloud.sim.hook("fault", kind=kind, path=path, method=method, **more)


def private(cloud, *more):
    """An image on store, and a VM with a disk of its own from it, not deployed."""
    cloud.resource(cloud.names.image(1), ["store"], content=data("image"))
    cloud.tell_image(1)
    cloud.make_vm(cloud.disk(0, 1), *more)
    cloud.vm.tell(PROLOG, "h1")
    return cloud.names.disk(VM, 0, 1)


def clone(cloud, host="h1"):
    return cloud.tm("clone", f"fe:{cloud.names.source(1)}", cloud.at(host, 0), VM, IMAGES)


def looks_right(cloud, host="h1"):
    expect(cloud.digest(host, 0) == sha(data("image")), "the disk is not its image")


# Controllers


@case("linstor_un", "linstor", lab=("--controllers", "2"))
def the_first_controller_is_down(cloud):
    cloud.sim.hook("controller", number=0, up=False)
    try:
        private_by_second(cloud)
    finally:
        cloud.sim.hook("controller", number=0, up=True)


def private_by_second(cloud):
    urls, cloud.sim.url = cloud.sim.url, cloud.sim.urls[1]
    try:
        private(cloud)
        cloud.deploy("h1")
        looks_right(cloud)
        cloud.terminate("h1")
        cloud.nothing_left(cloud.names.image(1))
        cloud.good(cloud.ds("rm", 1, source=cloud.names.source(1)), "rm")
    finally:
        cloud.sim.url = urls


@case("linstor_un", "linstor")
def no_controller_answers(cloud):
    name = private(cloud)
    cloud.sim.hook("controller", number=0, up=False)
    try:
        cloud.bad(clone(cloud), "LINSTOR")
        cloud.bad(cloud.ds("monitor", 0), "LINSTOR")
    finally:
        cloud.sim.hook("controller", number=0, up=True)
    expect(name not in cloud.volumes(), "a disk was made")
    cloud.good(clone(cloud), "clone later")
    looks_right(cloud)


@case("linstor_un", lab=("--token", "right"))
def the_controller_wants_a_token(cloud):
    cloud.vm = None
    cloud.bad(cloud.ds("monitor", 0), "LINSTOR")


@case("linstor_un", "linstor")
def the_controllers_certificate_is_unknown(cloud):
    base = cloud.site.root
    command("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x",
            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", base / "key.pem", "-out", base / "cert.pem")
    name = "LS_CONTROLLERS" if cloud.names.un else "LINSTOR_CONTROLLERS"
    with linstorlab.LabSim(f"/run/netns/{cloud.lab.prefix}-fe", cloud.lab.path("control-tls"), "--tls-cert",
                           str(base / "cert.pem"), "--tls-key", str(base / "key.pem"),
                           "--group", "rg") as sim:
        cloud.attributes[name] = f"https://127.0.0.1:{sim.ports[0]}"
        cloud.tell_datastores()
        cloud.bad(cloud.ds("monitor", 0), "certificate")
        cloud.attributes["LS_CAFILE"] = base / "cert.pem"
        cloud.tell_datastores()
        cloud.good(cloud.ds("monitor", 0), "monitor with LS_CAFILE")
    os.unlink(cloud.lab.path("control-tls"))


@case("linstor_un")
def slow_answers_are_waited_for(cloud):
    private(cloud)
    fault(cloud, "delay", seconds=0.5, times=0)
    cloud.deploy("h1")
    looks_right(cloud)
    cloud.sim.hook("clear-faults")
    cloud.terminate("h1")
    cloud.nothing_left(cloud.names.image(1))


@case("linstor_un", "linstor")
def answers_are_lost(cloud):
    """Each call is carried out once without us hearing of it; then oned tries again."""
    name = private(cloud)
    for number in range(1, 40):
        cloud.sim.hook("clear-faults")
        fault(cloud, "lost", method="POST|PUT|DELETE", nth=number)
        done = clone(cloud)
        cloud.sim.hook("clear-faults")
        if done.returncode:
            cloud.good(clone(cloud), f"clone again, after call {number} was lost")
        looks_right(cloud)
        cloud.good(cloud.tm("delete", cloud.at("h1", 0), VM, IMAGES), "delete")
        expect(name not in cloud.volumes(), f"the disk is left, call {number} was lost")
        expect(not cloud.attached(cloud.names.image(1)), f"the image is attached, call {number} was lost")
        log = cloud.sim.hook("log", clear=True)["calls"]
        if not any(call.get("fault") for call in log):
            expect(number > 4, f"only {number} calls")
            return
    raise Problem("more calls than anybody needs")


@case("linstor_un", "linstor")
def nothing_was_done_is_no_success(cloud):
    """200 and an empty list, to each call that makes something."""
    name = private(cloud)
    for number in range(1, 30):
        cloud.sim.hook("clear-faults")
        fault(cloud, "nothing", method="POST|PUT", nth=number)
        done = clone(cloud)
        log = cloud.sim.hook("log", clear=True)["calls"]
        hit = [c for c in log if c.get("fault")]
        cloud.sim.hook("clear-faults")
        if not hit:
            expect(number > 3, f"only {number} calls")
            return
        if done.returncode == 0:
            looks_right(cloud)
        else:
            cloud.good(clone(cloud), f"clone again, after {hit[0]['method']} {hit[0]['path']} did nothing")
            looks_right(cloud)
        cloud.good(cloud.tm("delete", cloud.at("h1", 0), VM, IMAGES), "delete")
        expect(name not in cloud.volumes(), "the disk is left")
    raise Problem("more calls than anybody needs")


@case("linstor", CLONE_MODE="clone")
def a_clone_that_fails_leaves_nothing(cloud):
    name = private(cloud)
    cloud.sim.hook("clones", polls=-1)
    from threading import Timer

    def fails():
        try:
            cloud.sim.hook("clones", name=name, status="FAILED")
        except AssertionError:
            pass
    timer = Timer(3, fails)
    timer.start()
    try:
        cloud.bad(clone(cloud), "clone", within=60)
    finally:
        timer.join()
        cloud.sim.hook("clones", polls=1)
    expect(name not in cloud.volumes(), "half a clone is left")
    cloud.good(clone(cloud), "clone later")
    looks_right(cloud)


@case("linstor_un", "linstor")
def a_resize_that_failed_is_tried_again(cloud):
    name = private(cloud)
    cloud.deploy("h1")
    cloud.vm.tell(RESIZE_POWEROFF)
    fault(cloud, "resize", method="PUT", path=".*/volume-definitions/.*")
    first = cloud.tm("resize", cloud.at("h1", 0), 16, VM, IMAGES)
    if first.returncode:
        cloud.good(cloud.tm("resize", cloud.at("h1", 0), 16, VM, IMAGES), "resize again")
    size = int(cloud.machines.on("h1", f"blockdev --getsize64 /dev/drbd/by-res/{name}/0"))
    expect(size >= 16 * MIB, f"the device has {size} bytes")
    looks_right(cloud)


@case("linstor_un", "linstor")
def a_node_is_away_while_a_disk_is_deleted(cloud):
    name = private(cloud)
    cloud.deploy("h1")
    replica = next(n for n, flags in cloud.nodes(name).items() if not flags)
    away = "store" if replica == "store" else replica
    cloud.vm.tell(EPILOG)
    if away == "h1":  # its device goes with it
        cloud.terminate("h1")
        return
    cloud.sim.hook("node", name=away, online=False)
    try:
        cloud.good(cloud.tm("delete", cloud.at("h1", 0), VM, IMAGES), "delete")
        cloud.good(cloud.tm("delete", cloud.at("h1", 0), VM, IMAGES), "delete again")
    finally:
        cloud.sim.hook("node", name=away, online=True)
    expect(name not in cloud.volumes(), "it is there when the node is back")


@case("linstor_un", "linstor")
def a_host_that_is_down_does_not_hold_its_disks(cloud):
    name = private(cloud)
    cloud.deploy("h1")
    written = cloud.guest_writes("h1", 0)
    if not cloud.attached(name):  # the only replica is there: nobody has the data
        return
    cloud.lab.stop("h1")
    cloud.sim.hook("node", name="h1", online=False)
    try:
        cloud.vm.tell(MIGRATE_UNKNOWN, "h2")
        done = cloud.tm("mv", cloud.at("h1", 0), cloud.at("h2", 0), VM, IMAGES)
        cloud.good(done, "mv")
        expect(done.seconds < 10, f"mv took {done.seconds:.1f} s")
        cloud.good(cloud.tm("mv", cloud.at("h1"), cloud.at("h2"), VM, SYSTEM), "mv of VMDIR")
        expect(cloud.digest("h2", 0) == written, "the disk differs")
    finally:
        cloud.sim.hook("node", name="h1", online=True)
        cloud.machines.revive("h1")


@case("linstor_un", "linstor")
def a_host_that_linstor_does_not_know(cloud):
    private(cloud)
    cloud.vm.tell(PROLOG, "fe")
    cloud.bad(clone(cloud, "fe"), "has no satellite", "LINSTOR_NODE")
    cloud.vm.tell(PROLOG, "h1")
    cloud.tell_hosts({"h1": "H1"})  # LINSTOR's names have no case
    cloud.good(clone(cloud), "clone with LINSTOR_NODE=H1")
    looks_right(cloud)


@case("linstor_un")
def a_host_has_the_name_of_another_node(cloud):
    """LINSTOR_NODE is what counts, not the host's name."""
    name = private(cloud)
    cloud.tell_hosts({"h1": "h2", "h2": "h1"})
    done = clone(cloud)  # its device comes up where the name does not say
    cloud.bad(done, within=60)
    expect(name not in cloud.volumes() or not cloud.link("h1", 0), "a link to a device that is not there")


@case("linstor_un", "linstor")
def a_replica_that_is_not_up_to_date_is_not_read(cloud):
    cloud.resource(cloud.names.image(1), ["h1", "store"], content=data("image"))
    cloud.tell_image(1)
    cloud.sim.hook("node", name="h1", online=False)
    cloud.write(cloud.names.image(1), data("newer"))
    cloud.sim.hook("node", name="h1", online=True, sync_reads=1000)
    cloud.make_vm(cloud.disk(0, 1))
    cloud.vm.tell(PROLOG, "h1")
    done = clone(cloud)
    if done.returncode == 0:
        expect(cloud.digest("h1", 0) == sha(data("newer")), "it has old data")
    else:
        expect("UpToDate" in done.stderr or "sync" in done.stderr.lower(), done.stderr.strip())


@case("linstor_un", "linstor", lab=("--pools", "thick:LVM:20480:4096"))
def thick_pools_have_no_snapshots(cloud):
    cloud.good(cloud.ds("mkfs", 1), "mkfs")
    cloud.tell_image(1)
    expect(not any(cloud.content(cloud.names.image(1))), "a new image shows what was there before")
    cloud.make_vm(cloud.disk(0, 1))
    cloud.deploy("h1")
    cloud.bad(cloud.tm("snap_create", cloud.at("h1", 0), 0, VM, IMAGES), "snapshot")
    cloud.terminate("h1")
    cloud.nothing_left(cloud.names.image(1))


@case("linstor_un", "linstor")
def two_actions_on_one_disk(cloud):
    """oned tries again while the first try still runs."""
    private(cloud)
    program = cloud.site.remotes / "tm" / cloud.driver / "clone"
    words = [program, f"fe:{cloud.names.source(1)}", cloud.at("h1", 0), str(VM), str(IMAGES)]
    both = [subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, env=cloud.site.environment)
            for _ in range(2)]
    ends = [process.communicate(timeout=120) for process in both]
    expect(any(p.returncode == 0 for p in both), ends)
    looks_right(cloud)
    cloud.terminate("h1")
    cloud.nothing_left(cloud.names.image(1))


@case("linstor_un", "linstor")
def many_vms_from_one_image(cloud):
    """On one host, which has no replica of the image: who is ready first leaves it to the others."""
    private(cloud)
    vms = [cloud.make_vm(cloud.disk(0, 1), number=number) for number in range(20, 26)]
    program = cloud.site.remotes / "tm" / cloud.driver / "clone"
    processes = []
    for vm in vms:
        vm.tell(PROLOG, "h1")
        words = [program, f"fe:{cloud.names.source(1)}", cloud.at("h1", 0, vm), str(vm.number), str(IMAGES)]
        processes.append(subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                          stderr=subprocess.PIPE, text=True, env=cloud.site.environment))
    ends = [(process.communicate(timeout=300)[1], process.returncode) for process in processes]
    expect(not any(status for _, status in ends), [text.strip() for text, status in ends if status])
    for vm in vms:
        expect(cloud.digest("h1", 0, vm) == sha(data("image")), f"VM {vm.number} has another disk")
    expect(not cloud.attached(cloud.names.image(1)), "the image stays attached")
    for vm in vms:
        cloud.terminate("h1", vm)
    cloud.nothing_left(cloud.names.image(1))


@case("linstor_un", "linstor")
def two_vms_share_a_cd(cloud):
    cloud.resource(cloud.names.image(1), ["store"], content=data("cd"))
    cloud.tell_image(1, kind=1)
    more = {"CLONE": "NO", "SAVE": "NO", "READONLY": "YES", "TYPE": "CDROM"}
    one = cloud.make_vm(cloud.disk(0, 1, **more))
    two = cloud.make_vm(cloud.disk(0, 1, **more), number=8)
    cloud.deploy("h1", one)
    cloud.deploy("h1", two)
    cloud.terminate("h1", one)
    expect(cloud.digest("h1", 0, two) == sha(data("cd")), "the other VM lost its CD")
    cloud.terminate("h1", two)
    cloud.nothing_left(cloud.names.image(1))


@case("linstor_un")
def two_front_ends(cloud):
    """The second one, of a high-availability pair, goes on with what the first has begun."""
    name = private(cloud)
    cloud.site.environment["ONEVOL_FAULT"] = "kill-after:4"
    killed = clone(cloud)
    del cloud.site.environment["ONEVOL_FAULT"]
    expect(killed.returncode == -9, killed.stderr)
    cloud.site.environment["ONEVOL_STATE_DIR"] = str(cloud.site.root / "state-of-the-other")
    cloud.good(clone(cloud), "clone on the other front-end")
    looks_right(cloud)
    expect(len(cloud.volumes()) == 2, sorted(cloud.volumes()))
    cloud.terminate("h1")
    cloud.nothing_left(cloud.names.image(1))
    expect(name not in cloud.volumes(), "left")


@case("linstor_un", RESOURCE_GROUP=None)
def nothing_says_where_replicas_go(cloud):
    private(cloud)
    cloud.bad(clone(cloud), "exactly one of RESOURCE_GROUP, NODE_LIST and REPLICA_COUNT")


@case("linstor_un", NODE_LIST="h1", STORAGE_POOL="thin")
def two_things_say_where_replicas_go(cloud):
    private(cloud)
    cloud.bad(clone(cloud), "exactly one of RESOURCE_GROUP, NODE_LIST and REPLICA_COUNT")


@case("linstor")
def there_is_no_such_group(cloud):
    private(cloud)
    cloud.attributes["LINSTOR_RESOURCE_GROUP"] = "gone"
    cloud.tell_datastores()
    cloud.bad(clone(cloud), "gone")


@case("linstor_un")
def a_live_migration_between_hosts(cloud):
    """Two primaries only while it lasts, and DRBD agrees with each opener."""
    name = private(cloud)
    cloud.deploy("h1")
    cloud.vm.tell(MIGRATE, "h2")
    words, stdin = cloud.migration("h1", "h2")
    guest = subprocess.Popen(cloud.lab.enter("h1", "sh", "-c", f"exec 9<>{cloud.vm.path(0)}; exec sleep 60"))
    time.sleep(0.2)
    try:
        cloud.good(cloud.tm("premigrate", *words, stdin=stdin), "premigrate")
        expect(cloud.volumes()[name]["two_primaries"], "two primaries are not allowed")
        cloud.good(cloud.tm("failmigrate", *words, stdin=stdin), "failmigrate")
        expect(not cloud.volumes()[name]["two_primaries"], "two primaries are still allowed")
        expect(cloud.volumes()[name]["in_use"] == ["h1"], cloud.volumes()[name])
    finally:
        guest.kill()
        guest.wait()
    cloud.machines.on("h1", "pkill -x sleep || true")
    cloud.terminate("h1")
    cloud.nothing_left(cloud.names.image(1))


def run(around, onevol, function, driver, lab, attributes):
    if lab:
        around.lab.sim.__exit__()
        pools = lab[1] if lab[0] == "--pools" else "thin:LVM_THIN:102400"
        around.lab.sim = around.lab.simulator("1.27.0", pools, 1, () if lab[0] == "--pools" else lab)
    cloud = Cloud(around, onevol, driver, **attributes)
    try:
        function(cloud)
    finally:
        for node in ("h1", "h2", "store"):
            cloud.sim.hook("node", name=node, online=True)
        if lab:
            cloud.site.close()
            around.lab.sim.__exit__()
            around.lab.sim = around.lab.simulator("1.27.0", "thin:LVM_THIN:102400", 1, ())
        else:
            cloud.close()


def main(outer, onevol, *wanted):
    tap, around = Tap(), machines(outer)
    try:
        for name, function, driver, lab, attributes in CASES:
            if wanted and not any(text in name for text in wanted):
                continue
            tap.attempt(name, run, around, onevol, function, driver, lab, attributes)
    finally:
        around.lab.close()
    return tap.finish()


if __name__ == "__main__":
    program(__file__, __doc__, main)
