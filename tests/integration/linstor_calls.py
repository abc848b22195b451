#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The LINSTOR backend by hand against the controller simulator: which calls it makes, and what it
makes of what it finds.

usage: linstor_calls.py VOLUMETOOL
Prints TAP. The table of calls is that of docs/design/linstor.md.
"""
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import traceback

from linstor_lab import Sim
from played_site import Tap

MIB = 1 << 20
HERE = socket.gethostname()
NOT_FOUND, BUSY, UNSUPPORTED, REFUSED, USAGE, UNREACHABLE = 3, 4, 6, 7, 2, 9
NEW, OLD = "1.27.0", "1.20.2"
COPY, SNAPSHOT, CLONE = "copy", "snapshot", "clone"
CASES = []


def case(function):
    CASES.append(function)
    return function


class Site:
    """A simulator with kvm1, kvm2 and this machine, which gets no replica unless asked for."""

    def __init__(self, *options, rest=NEW, here=False):
        self.directory = tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.sim = Sim("--rest", rest, "--nodes", "2", "--node", HERE, "--group", "rg", "--pools",
                       "thin:LVM_THIN:4096", "--pools", "thick:LVM:4096", "--devices",
                       self.directory.name, *options)
        if not here:
            self.sim.hook("node", name=HERE, props={"AutoplaceTarget": "False"})

    def __enter__(self):
        return self

    def __exit__(self, *rest):
        self.sim.__exit__(*rest)
        self.directory.cleanup()

    def tool(self, *words, driver="linstor_un", system=True, env=None, **attributes):
        """The line it prints; each word of one text is an argument."""
        if driver == "linstor":
            attributes = {"LINSTOR_RESOURCE_GROUP": "rg", "LINSTOR_CONTROLLERS": self.sim.url, **attributes}
        elif not {"NODE_LIST", "REPLICA_COUNT", "AUTO_PLACE"} & set(attributes):
            attributes = {"RESOURCE_GROUP": "rg", **attributes}
        attributes = {"LS_CONTROLLERS": self.sim.url, **attributes}
        done = subprocess.run(
            [sys.argv[1], "--driver", driver, *(["--system"] if system else []), "--devices",
             str(pathlib.Path(self.directory.name) / HERE),
             *[f"--attribute={k}={v}" for k, v in attributes.items()],
             *[w for text in words for w in text.split()]],
            capture_output=True, text=True, timeout=120, check=False,
            env={**os.environ, "ONE_XMLRPC": "http://127.0.0.1:1/RPC2", "ONE_AUTH": "/nowhere", **(env or {})})
        self.stderr = done.stderr
        line = done.stdout.strip()
        if not line:
            raise AssertionError(f"{words}: no answer, status {done.returncode}: {done.stderr}")
        return line

    def good(self, *words, **more):
        line = self.tool(*words, **more)
        if not line.startswith("ok"):
            raise AssertionError(f"{words}: {line}\n{self.stderr}")
        return line[3:]

    def bad(self, code, part, *words, **more):
        line = self.tool(*words, **more)
        if not line.startswith(f"error {code} ") or part not in line:
            raise AssertionError(f"{words}: wanted error {code} …{part}…, found: {line}")

    def counted(self, wanted, *words, **more):
        self.sim.calls()
        self.good(*words, **more)
        found = self.sim.calls(versions=True)
        versions = found.count("GET controller/version")
        found = [short(c) for c in found if c != "GET controller/version"]
        if found != wanted or versions != 1:
            raise AssertionError(f"{words}: {versions} for the version, and\n" + "\n".join(found) +
                                 "\nwanted:\n" + "\n".join(wanted))

    def props(self, name):
        return self.sim.rest("GET", f"resource-definitions/{name}")[1].get("props", {})


def short(call):
    """Without names and queries: "GET rd/*"."""
    method, path = call.split(" ", 1)
    path, _, query = path.partition("?")
    parts = path.replace("resource-definitions", "rd").replace("resource-groups", "rg").split("/")
    if parts[0] in ("rd", "rg") and len(parts) > 1:
        parts[1] = "*"
    if len(parts) > 3 and parts[2] in ("resources", "clone", "snapshots", "snapshot-rollback",
                                       "snapshot-restore-volume-definition", "snapshot-restore-resource"):
        parts[3] = "*"
    if parts == ["rd"] and method == "GET":
        return "LOOK" if "with_volume_definitions" in query and "resource_definitions=" in query else "GET rd"
    return f"{method} {'/'.join(parts)}"


def equal(found, wanted, what=""):
    if found != wanted:
        raise AssertionError(f"{what}\nfound:  {found!r}\nwanted: {wanted!r}")


SPAWN, PUT, DELETE = "POST rg/*/spawn", "PUT rd/*", "DELETE rd/*"
AVAILABLE = "POST rd/*/resources/*/make-available"
HERE_IS, AWAY = "GET rd/*/resources/*", "DELETE rd/*/resources/*"
SIZE = str(8 * MIB)


# the table


@case
def calls_of_new_volumes():
    with Site() as site:
        site.counted([SPAWN, "LOOK", PUT], f"create one-vm-7-disk-0 {SIZE}")
        site.counted(["LOOK"], "stat one-vm-7-disk-0")
        site.counted(["LOOK", AVAILABLE], "attach one-vm-7-disk-0 write")
        site.counted([HERE_IS, AWAY], "detach one-vm-7-disk-0 write")
        site.counted(["LOOK", AVAILABLE, PUT], "attach one-vm-7-disk-0 dual")
        site.counted([HERE_IS, PUT, AWAY], "detach one-vm-7-disk-0 dual")
        site.counted(["LOOK", "PUT rd/*/volume-definitions/0"], f"resize one-vm-7-disk-0 {16 * MIB}")
        site.counted(["LOOK", DELETE], "remove one-vm-7-disk-0")
        site.counted(["LOOK"], "remove one-vm-7-disk-0")


@case
def calls_of_a_host_with_a_replica():
    with Site(here=True) as site:
        site.good(f"create one-vm-7-disk-0 {SIZE}", NODE_LIST=HERE, STORAGE_POOL="thin")
        site.counted(["LOOK", AVAILABLE], "attach one-vm-7-disk-0 write")
        site.counted([HERE_IS], "detach one-vm-7-disk-0 write")


@case
def calls_of_the_other_rules():
    define = ["POST rd", "POST rd/*/volume-definitions"]
    with Site() as site:
        site.counted(define + ["POST rd/*/autoplace", "LOOK", PUT], f"create one-vm-1-disk-0 {SIZE}",
                     REPLICA_COUNT="2", STORAGE_POOL="thin")
        # what kind of pool it is, only a look tells
        blank = ["GET nodes", "GET view/resources", "LOOK", PUT]
        site.counted(define + ["POST rd/*/resources"] + blank, f"create one-vm-2-disk-0 {SIZE}",
                     NODE_LIST="kvm1 " + HERE, STORAGE_POOL="thin")
        equal(site.props("one-vm-2-disk-0").get("Aux/one/VM_ID"), "7")


@case
def calls_of_an_import():
    with Site() as site:
        image = pathlib.Path(site.directory.name) / "image"
        image.write_bytes(b"x" * MIB)
        site.counted([SPAWN, "GET nodes", "GET view/resources", AVAILABLE, HERE_IS, AWAY, "LOOK", PUT],
                     f"fill one-image-3 {image} {MIB}", system=False)


@case
def calls_of_clones():
    with Site() as site:
        site.good(f"create one-image-3 {SIZE}", system=False)
        site.counted(["LOOK", "POST rd", "POST rd/*/snapshots",
                      "POST rd/*/snapshot-restore-volume-definition/*",
                      "POST rd/*/snapshot-restore-resource/*", "LOOK", PUT, AVAILABLE],
                     "clone one-image-3 one-vm-7-disk-0", CLONE_MODE=SNAPSHOT)
        site.counted(["LOOK", "POST rd", "POST rd/*/snapshots",
                      "POST rd/*/snapshot-restore-volume-definition/*",
                      "POST rd/*/snapshot-restore-resource/*", "PUT rd/*/volume-definitions/0",
                      "LOOK", PUT, AVAILABLE],
                     f"clone one-image-3 one-vm-8-disk-0 {16 * MIB}", CLONE_MODE=SNAPSHOT)
        site.counted(["LOOK", DELETE, "DELETE rd/*/snapshots/*"], "remove one-vm-7-disk-0",
                     CLONE_MODE=SNAPSHOT)
        site.sim.hook("clones", polls=2)
        site.counted(["LOOK", "POST rd/*/clone", "GET rd/*/clone/*", "GET rd/*/clone/*", "LOOK", PUT,
                      AVAILABLE], "clone one-image-3 one-vm-9-disk-0", CLONE_MODE=CLONE)


@case
def calls_of_snapshots():
    with Site() as site:
        site.good(f"create one-vm-7-disk-0 {SIZE}")
        site.counted(["LOOK", "POST rd/*/snapshots", "GET view/resources", PUT],
                     "snapshot one-vm-7-disk-0 0")
        site.good("snapshot one-vm-7-disk-0 1")
        # what a rollback loses is noted before, and put right
        back = ["LOOK", "GET rd/*/snapshots", "POST rd", "POST rd/*/snapshot-rollback/*", PUT, DELETE]
        site.counted(back, "revert one-vm-7-disk-0 0")
        site.counted(["LOOK", "DELETE rd/*/snapshots/*", PUT], "unsnapshot one-vm-7-disk-0 1")
        site.counted(back + ["DELETE rd/*/snapshots/*", PUT], "flatten one-vm-7-disk-0 0")
    with Site() as site:  # LINBIT's driver records nothing
        site.good(f"create OpenNebula-Image-5 {SIZE}", driver="linstor", system=False)
        more = {"driver": "linstor", "system": False}
        site.counted(["LOOK", "POST rd/*/snapshots"], "snapshot OpenNebula-Image-5 0", **more)
        site.counted(["LOOK", "GET rd/*/snapshots", "POST rd/*/snapshot-rollback/*"],
                     "revert OpenNebula-Image-5 0", **more)
        site.good(f"resize OpenNebula-Image-5 {16 * MIB}", **more)
        site.counted(["LOOK", "GET rd/*/snapshots", "POST rd", "POST rd/*/snapshot-rollback/*",
                      "PUT rd/*/volume-definitions/0", DELETE], "revert OpenNebula-Image-5 0", **more)
        site.counted(["LOOK", "DELETE rd/*/snapshots/*"], "unsnapshot OpenNebula-Image-5 0", **more)


@case
def calls_of_monitor():
    with Site() as site:
        site.good(f"create one-vm-7-disk-0 {SIZE}")
        site.counted(["POST rg/*/query-size-info"], "space")
        site.counted(["GET rd", "GET view/resources"], "usage")
        site.counted(["GET rd"], "list")
        site.counted(["GET view/resources"], "usage", driver="linstor")
        site.counted(["GET view/storage-pools"], "space", REPLICA_COUNT="2", STORAGE_POOL="thin")


@case
def calls_of_users():
    with Site() as site:
        site.good(f"create one-image-3 {SIZE}", system=False)
        site.counted(["LOOK", PUT], "assign one-image-3 5 1")
        equal({k: v for k, v in site.props("one-image-3").items() if k.startswith("Aux/one/")},
              {"Aux/one/VM_ID": "5", "Aux/one/DISK_ID": "1", "Aux/one/DS_ID": "100"})
        site.counted(["LOOK"], "assign one-image-3 5 1")
        site.counted(["LOOK"], "assign one-image-3 6 1 not")  # somebody else
        site.counted(["LOOK", PUT], "assign one-image-3 5 1 not")
        equal([k for k in site.props("one-image-3") if k.startswith("Aux/one/")], [])


# what it finds


@case
def a_mark_is_there_from_the_first_call():
    for rest in (NEW, OLD):
        for rule in ({}, {"NODE_LIST": "kvm1 kvm2", "STORAGE_POOL": "thin"}):
            with Site(rest=rest) as site:
                killed(site, rule)
                mark = site.props("one-vm-7-disk-0").get("Aux/onevol/state", "")
                if '"token"' not in mark:
                    raise AssertionError(f"{rest} {rule}: {site.props('one-vm-7-disk-0')}")
                equal(site.good("stat one-vm-7-disk-0"), "")
                equal(site.good("list", **rule), "one-vm-7-disk-0!")
                site.good(f"create one-vm-7-disk-0 {SIZE}")
                equal(site.good("stat one-vm-7-disk-0"), f"raw {SIZE}")


def killed(site, rule):
    """Killed right after the call that makes the definition."""
    try:
        site.tool(f"create one-vm-7-disk-0 {SIZE}", env={"ONEVOL_FAULT": "kill-after:2"}, **rule)
    except AssertionError:
        return
    raise AssertionError("it was not killed")


@case
def an_image_that_exists_is_not_replaced():
    with Site() as site:
        site.good(f"create one-image-3 {SIZE}", system=False)
        site.good(f"create one-image-3 {SIZE}", system=False)  # the same action, once more
        made = site.props("one-image-3")["Aux/onevol/made"]
        for value in ("mkfs of image 3 on elsewhere", ""):
            site.sim.rest("PUT", "resource-definitions/one-image-3",
                          {"override_props": {"Aux/onevol/made": value}} if value else
                          {"delete_props": ["Aux/onevol/made"]})
            site.bad(REFUSED, "exists in LINSTOR already", f"create one-image-3 {SIZE}", system=False)
        site.sim.rest("PUT", "resource-definitions/one-image-3", {"override_props": {"Aux/onevol/made": made}})
        for use, undo in (("assign one-image-3 5 1", "assign one-image-3 5 1 not"),
                          ("snapshot one-image-3 0", "unsnapshot one-image-3 0")):
            site.good(use)
            site.bad(REFUSED, "exists in LINSTOR already", f"create one-image-3 {SIZE}", system=False)
            site.good(undo)
        equal(site.good("stat one-image-3"), f"raw {SIZE}")


@case
def a_name_that_waits_for_a_node_is_told():
    with Site() as site:
        site.good(f"create one-vm-7-disk-0 {SIZE}", NODE_LIST="kvm1 kvm2", STORAGE_POOL="thin")
        site.sim.hook("node", name="kvm2", online=False)
        site.good("remove one-vm-7-disk-0")
        equal(site.good("stat one-vm-7-disk-0"), "")
        site.bad(BUSY, "keeps the name until all of its nodes are back",
                 f"create one-vm-7-disk-0 {SIZE}", NODE_LIST="kvm1", STORAGE_POOL="thin")
        site.sim.hook("node", name="kvm2", online=True)
        site.good(f"create one-vm-7-disk-0 {SIZE}", NODE_LIST="kvm1 kvm2", STORAGE_POOL="thin")


@case
def without_a_rule_nothing_is_made():
    with Site() as site:
        site.bad(USAGE, "exactly one of RESOURCE_GROUP, NODE_LIST and REPLICA_COUNT: it has several",
                 f"create one-vm-7-disk-0 {SIZE}", RESOURCE_GROUP="rg", REPLICA_COUNT="2")
        site.bad(USAGE, "no LINSTOR_RESOURCE_GROUP", f"create OpenNebula-Image-1 {SIZE}",
                 driver="linstor", LINSTOR_RESOURCE_GROUP="")
        equal(site.sim.hook("state-of")["definitions"], {})


@case
def attributes_reach_the_placer():
    with Site() as site:
        site.sim.hook("node", name="kvm1", props={"Aux/zone": "a"})
        site.sim.hook("node", name="kvm2", props={"Aux/zone": "b"})
        site.sim.calls()
        site.good(f"create one-vm-7-disk-0 {SIZE}", REPLICA_COUNT="2", STORAGE_POOL="thick thin",
                  PROVIDERS="lvm_thin", REPLICAS_ON_DIFFERENT="zone", LAYER_LIST="drbd,storage",
                  DO_NOT_PLACE_WITH="other", DO_NOT_PLACE_WITH_REGEX="x.*")
        bodies = [c["body"] for c in site.sim.log() if c["method"] == "POST"]
        equal(bodies[0]["resource_definition"]["layer_data"], [{"type": "DRBD"}, {"type": "STORAGE"}])
        equal(bodies[2], {"layer_list": ["DRBD", "STORAGE"], "select_filter": {
            "place_count": 2, "storage_pool_list": ["thick", "thin"], "provider_list": ["LVM_THIN"],
            "not_place_with_rsc": ["other"], "replicas_on_different": ["Aux/zone"],
            "not_place_with_rsc_regex": "x.*"}})
        site.good(f"create one-vm-7-checkpoint {SIZE}", CHECKPOINT_REPLICA_COUNT="1")
        diskful = [n for n, r in site.sim.hook("state-of")["definitions"]["one-vm-7-checkpoint"][
            "resources"].items() if not r["flags"]]
        equal(len(diskful), 1)
        equal([k for k in site.props("one-vm-7-checkpoint") if k.startswith("Aux/")], [])


@case
def a_diskless_pool_is_used():
    with Site() as site:
        site.sim.hook("pool", node=HERE, name="mydiskless", provider="DISKLESS")
        site.good(f"create one-vm-7-disk-0 {SIZE}")
        site.counted(["LOOK", "POST rd/*/resources"], "attach one-vm-7-disk-0 write",
                     DISKLESS_POOL="mydiskless")
        site.good("attach one-vm-7-disk-0 write", DISKLESS_POOL="mydiskless")
        site.good("detach one-vm-7-disk-0 write")


@case
def a_tie_breaker_comes_back():
    with Site() as site:
        site.good(f"create one-vm-7-disk-0 {SIZE}")
        before = site.sim.hook("state-of")["definitions"]["one-vm-7-disk-0"]["resources"][HERE]["flags"]
        if "TIE_BREAKER" not in before:
            raise AssertionError(before)
        site.counted([HERE_IS], "detach one-vm-7-disk-0 write")
        site.good("attach one-vm-7-disk-0 write")
        flags = site.sim.hook("state-of")["definitions"]["one-vm-7-disk-0"]["resources"][HERE]["flags"]
        equal("TIE_BREAKER" in flags, False)
        site.good("detach one-vm-7-disk-0 write")
        after = site.sim.hook("state-of")["definitions"]["one-vm-7-disk-0"]["resources"][HERE]["flags"]
        equal(after, before)
        equal(site.props("one-vm-7-disk-0").get("DrbdOptions/auto-add-quorum-tiebreaker"), None)


@case
def two_primaries_only_as_long_as_needed():
    with Site() as site:
        site.good(f"create one-vm-7-disk-0 {SIZE}")
        site.good("attach one-vm-7-disk-0 dual")
        equal(site.props("one-vm-7-disk-0").get("DrbdOptions/Net/allow-two-primaries"), "yes")
        site.good("detach one-vm-7-disk-0 dual")
        equal(site.props("one-vm-7-disk-0").get("DrbdOptions/Net/allow-two-primaries"), None)
        site.good("attach one-vm-7-disk-0 shared")
        site.sim.hook("open", resource="one-vm-7-disk-0", node="kvm1")
        site.good("detach one-vm-7-disk-0 shared")
        equal(site.props("one-vm-7-disk-0").get("DrbdOptions/Net/allow-two-primaries"), "yes")


@case
def a_host_that_is_no_node_gets_a_sentence():
    with Sim("--nodes", "2", "--group", "rg") as sim, Site() as site:
        site.good(f"create one-vm-7-disk-0 {SIZE}", LS_CONTROLLERS=sim.url)
        site.bad(REFUSED, f"LINSTOR has no satellite '{HERE}'", "attach one-vm-7-disk-0 write",
                 LS_CONTROLLERS=sim.url)
        site.good("detach one-vm-7-disk-0 write", LS_CONTROLLERS=sim.url)


@case
def without_drbd_a_volume_stays_where_it_is():
    with Site() as site:
        site.sim.rest("POST", "resource-definitions", {"resource_definition": {
            "name": "one-vm-7-disk-0", "layer_data": [{"type": "STORAGE"}]}})
        site.sim.rest("POST", "resource-definitions/one-vm-7-disk-0/volume-definitions",
                      {"volume_definition": {"size_kib": 8192}})
        site.sim.rest("POST", "resource-definitions/one-vm-7-disk-0/resources",
                      [{"resource": {"node_name": "kvm1", "props": {"StorPoolName": "thin"}}}])
        site.bad(REFUSED, "has no DRBD layer", "attach one-vm-7-disk-0 write")
        equal(list(site.sim.hook("state-of")["definitions"]["one-vm-7-disk-0"]["resources"]), ["kvm1"])
        site.bad(UNSUPPORTED, "cannot be on two hosts", "attach one-vm-7-disk-0 dual")


@case
def thick_pools_have_no_snapshots():
    with Site() as site:
        thick = {"REPLICA_COUNT": "2", "STORAGE_POOL": "thick"}
        site.good(f"create one-vm-7-disk-0 {SIZE}", **thick)
        site.bad(UNSUPPORTED, "does not support snapshots", "snapshot one-vm-7-disk-0 0", **thick)
        site.bad(UNSUPPORTED, "CLONE_MODE=copy would work", "clone one-vm-7-disk-0 one-vm-8-disk-0",
                 CLONE_MODE=SNAPSHOT, **thick)
        equal(list(site.sim.hook("state-of")["definitions"]), ["one-vm-7-disk-0"])
        site.good("clone one-vm-7-disk-0 one-vm-8-disk-0", **thick)


@case
def what_a_rollback_brings_back_is_put_right():
    with Site() as site:
        site.good(f"create one-vm-7-disk-0 {SIZE}")
        site.good("snapshot one-vm-7-disk-0 0")
        site.good("assign one-vm-7-disk-0 9 3")
        site.good(f"resize one-vm-7-disk-0 {16 * MIB}")
        before = site.props("one-vm-7-disk-0")
        site.good("revert one-vm-7-disk-0 0")
        equal(site.props("one-vm-7-disk-0"), before)
        equal(site.good("stat one-vm-7-disk-0"), f"raw {16 * MIB}")


@case
def an_older_snapshot_on_an_old_linstor():
    with Site(rest=OLD) as site:
        for number in (8, 9, 10):  # by name, snapshot-10 comes before snapshot-9
            if number == 8:
                site.good(f"create one-vm-7-disk-0 {SIZE}")
            site.good(f"snapshot one-vm-7-disk-0 {number}")
        site.sim.calls()
        site.good("revert one-vm-7-disk-0 10")
        if "POST resource-definitions/one-vm-7-disk-0/snapshot-rollback/snapshot-10" not in site.sim.calls():
            raise AssertionError("the newest was not rolled back to")
        site.good("revert one-vm-7-disk-0 9")
        calls = site.sim.calls()
        if any("rollback" in c for c in calls):
            raise AssertionError(calls)
        equal(list(site.sim.hook("state-of")["definitions"]), ["one-vm-7-disk-0"])
        site.bad(NOT_FOUND, "no snapshot 'snapshot-3'", "revert one-vm-7-disk-0 3")


@case
def a_rollback_that_was_cut_short_is_completed():
    """Killed right after it, by whatever changes the volume next."""
    for after in ("revert {} 0", "flatten {} 0", "snapshot {} 2", "unsnapshot {} 0", "assign {} 7 0",
                  "resize {} %d" % (24 * MIB), "save {} 0 one-image-9"):
        with Site() as site:
            name = "one-vm-7-disk-0"
            site.good(f"create {name} {SIZE}")
            site.good(f"snapshot {name} 0")
            site.good(f"resize {name} {16 * MIB}")
            site.good(f"snapshot {name} 1")
            site.sim.rest("PUT", f"resource-definitions/{name}", {
                "override_props": {"Aux/one/DISK_ID": "0", "Aux/onevol/made": "later"},
                "delete_props": ["Aux/one/DS_ID"]})
            wanted = {k: v for k, v in site.props(name).items() if k.startswith("Aux/")}
            try:
                site.tool(f"revert {name} 0", env={"ONEVOL_FAULT": "kill-after:5"})
                raise AssertionError("it was not killed")
            except AssertionError as error:
                if "no answer" not in str(error):
                    raise
            equal(site.good("stat " + name), f"raw {SIZE}", "the rollback did nothing to be put right")
            site.good(after.format(name))
            found = {k: v for k, v in site.props(name).items() if k.startswith("Aux/")}
            changed = {"flatten": ["Aux/one/SNAPSHOT_0/DISK_SIZE", "Aux/one/SNAPSHOT_1/DISK_SIZE"],
                       "snapshot": ["Aux/one/SNAPSHOT_2/DISK_SIZE"], "assign": ["Aux/one/DS_ID"],
                       "unsnapshot": ["Aux/one/SNAPSHOT_0/DISK_SIZE"]}.get(after.split()[0], [])
            for key in changed:
                wanted.pop(key, None), found.pop(key, None)
            equal(found, wanted, after)
            size = 24 if after.startswith("resize") else 16
            equal(site.good("stat " + name), f"raw {size * MIB}", after)
            equal([n for n in site.sim.hook("state-of")["definitions"] if n.endswith("-tmp")], [], after)


@case
def what_2_x_kept_of_a_context_is_one_call():
    with Site() as site:
        more = {"driver": "linstor"}
        site.counted(["GET rd"], "forget 7 1", **more)
        mine = ["OpenNebula-vm-context-vm7-disk1", "OpenNebula-vm-context-vm7-disk1-1"]
        others = ["OpenNebula-vm-context-vm7-disk11", "OpenNebula-vm-context-vm71-disk1",
                  "OpenNebula-vm-context-vm7-disk1-1-old", "OpenNebula-vm-context-vm7-disk2"]
        for name in mine + others:
            site.sim.rest("POST", "resource-definitions", {"resource_definition": {"name": name}})
        site.counted(["GET rd", DELETE, DELETE], "forget 7 1", **more)
        equal(sorted(site.sim.hook("state-of")["definitions"]), sorted(others))


@case
def a_flatten_that_cannot_be_done_loses_nothing():
    for rest in (NEW, OLD):
        with Site(rest=rest) as site:
            site.good(f"create one-image-3 {SIZE}", system=False)
            for number in (0, 1):
                site.good(f"snapshot one-image-3 {number}")
            site.bad(NOT_FOUND, "has no snapshot 'snapshot-7'", "flatten one-image-3 7")
            site.sim.hook("open", resource="one-image-3", node="kvm1")
            site.bad(BUSY, "", "flatten one-image-3 0")
            equal(site.sim.hook("state-of")["definitions"]["one-image-3"]["snapshots"],
                  ["snapshot-0", "snapshot-1"])


@case
def a_clone_of_the_predecessor_leaves_no_snapshot():
    with Site() as site:
        site.good(f"create one-image-3 {SIZE}", system=False)
        site.good("clone one-image-3 one-vm-7-disk-0", CLONE_MODE=SNAPSHOT)
        site.sim.rest("PUT", "resource-definitions/one-vm-7-disk-0",
                      {"delete_props": ["Aux/onevol/origin"]})  # it did not record it
        site.good("remove one-vm-7-disk-0", CLONE_MODE=SNAPSHOT)
        equal(site.sim.hook("state-of")["definitions"]["one-image-3"]["snapshots"], [])


@case
def users_of_both_generations_are_counted():
    with Site() as site:
        site.good(f"create one-vm-7-disk-0 {SIZE}")
        site.good(f"create one-vm-8-disk-1 {SIZE}")
        site.sim.rest("PUT", "resource-definitions/one-vm-8-disk-1", {
            "override_props": {"Aux/one/VMID": "8", "Aux/one/DISK_ID": "1",
                               "Aux/one/SNAPSHOT_12/DISK_SIZE": "64"},
            "delete_props": ["Aux/one/VM_ID", "Aux/one/DS_ID"]})
        for name in ("one-vm-7-disk-0", "one-vm-8-disk-1"):
            site.sim.hook("write", resource=name, kib=4096)
        found = sorted(u.split("=")[0] for u in site.good("usage").split())
        equal(found, ["7.0.-1", "8.1.-1", "8.1.12"])
        if "8.1.12=65536" not in site.good("usage"):
            raise AssertionError(site.good("usage"))
        site.good("assign one-vm-7-disk-0 7 0 not")
        equal(sorted(u.split("=")[0] for u in site.good("usage").split()), ["8.1.-1", "8.1.12"])
    with Site() as site:
        linbit = {"driver": "linstor", "system": False}
        site.good(f"create OpenNebula-Image-5-vm7-disk0 {SIZE}", **linbit)
        site.good(f"create OpenNebula-Image-5 {SIZE}", **linbit)
        equal(sorted(u.split("=")[0] for u in site.good("usage", driver="linstor").split()), ["7.0.-1"])


@case
def space_is_never_nothing():
    with Site() as site:
        total, free = map(int, site.good("space").split())
        equal(total > 0 and 0 < free <= total, True)
        for name in ("kvm1", "kvm2"):
            site.sim.hook("node", name=name, online=False)
        total, free = map(int, site.good("space").split())
        equal(total, 4096 * MIB // 2)  # one pool is known, two replicas
        site.sim.hook("node", name=HERE, online=False)
        site.bad(UNREACHABLE, "are its nodes online?", "space")


@case
def a_qcow2_lives_in_a_larger_device():
    with Site() as site:
        linbit = {"driver": "linstor", "system": False}
        site.good(f"create OpenNebula-Image-5 {SIZE} qcow2", **linbit)
        equal(site.good("stat OpenNebula-Image-5", **linbit), f"qcow2 {SIZE}")
        device = site.sim.rest("GET", "resource-definitions/OpenNebula-Image-5/volume-definitions/0")[1]
        equal(device["size_kib"] * 1024 > 8 * MIB, True)
        site.good(f"resize OpenNebula-Image-5 {16 * MIB}", **linbit)
        equal(site.good("stat OpenNebula-Image-5", **linbit), f"qcow2 {16 * MIB}")
        site.good("clone OpenNebula-Image-5 OpenNebula-Image-5-vm7-disk0", **linbit)
        equal(site.good("stat OpenNebula-Image-5-vm7-disk0", **linbit), f"qcow2 {16 * MIB}")


@case
def the_doctor_looks_at_the_controller():
    with Site() as site:
        equal(site.good("diagnose"), "controller:ok; placement:ok; group:ok; pools:ok; passphrase:ok;")
        line = site.good("diagnose", CLONE_MODE=SNAPSHOT, REPLICA_COUNT="2", STORAGE_POOL="thick")
        if "has no snapshots, which CLONE_MODE=snapshot needs" not in line:
            raise AssertionError(line)
        listed = {"NODE_LIST": "kvm1 kvm9", "STORAGE_POOL": "thin nowhere"}
        line = site.good("diagnose", **listed)
        for part in ("nodes:LINSTOR has no node 'kvm9'", "pools:LINSTOR has no storage pool 'nowhere'"):
            if part not in line:
                raise AssertionError(f"no '{part}' in: {line}")
        equal(site.good("diagnose", NODE_LIST="kvm1 kvm2", STORAGE_POOL="thin"),
              "controller:ok; placement:ok; nodes:ok; pools:ok; passphrase:ok;")
        if "group:" not in site.good("diagnose", RESOURCE_GROUP="none"):
            raise AssertionError("a missing group is not told")
        line = site.good("diagnose", LS_CONTROLLERS="http://127.0.0.1:1")
        if not line.startswith("controller:") or "controller:ok" in line:
            raise AssertionError(line)


def main():
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    tap, chosen = Tap(), sys.argv[2:]
    os.environ.pop("ONEVOL_FAULT", None)
    for function in CASES:
        if chosen and function.__name__ not in chosen:
            continue
        problem = None
        try:
            function()
        except Exception:  # each case on its own
            problem = traceback.format_exc()
        tap.case(function.__name__.replace("_", " "), problem)
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
