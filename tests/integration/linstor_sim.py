#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The LINSTOR client against the controller simulator, and the simulator against what a real
controller said to the same calls.

usage: linstor_sim.py LINSTORTOOL
Prints TAP.
"""
import http.client
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

from linstor_lab import FUNCTIONS, PROGRAM, Sim, Tool, prepared
from played_site import Tap

sys.path.insert(0, str(PROGRAM.parent))
sys.dont_write_bytecode = True
import sequence  # noqa: E402

MIB = 1 << 20
FAILED, USAGE, NOT_FOUND, BUSY, NO_SPACE, UNSUPPORTED, REFUSED, DENIED = 1, 2, 3, 4, 5, 6, 7, 8
UNREACHABLE, CORRUPT, TIMEOUT = 9, 10, 11
OLD, MIDDLE, NEW = "1.7.0", "1.20.2", "1.27.0"
CASES = []


class Skip(Exception):
    pass


def case(function):
    CASES.append(function)
    return function


def tool_for(sim, *options):
    return Tool(sys.argv[1], "--controllers", sim.url, *options)


def equal(found, wanted, what=""):
    if found != wanted:
        raise AssertionError(f"{what}\nfound:  {found!r}\nwanted: {wanted!r}")


def has(text, part):
    if part not in str(text):
        raise AssertionError(f"'{part}' is not in: {text}")


def fails(answer, code, part, failure=None):
    if answer.good or answer.code != code or part not in answer.text or \
            failure is not None and answer.failure != failure:
        raise AssertionError(f"wanted error {code} {failure} …{part}…, found: {answer}")
    if "\n" in answer.text or answer.text.endswith("."):
        raise AssertionError(f"not one sentence: {answer.text!r}")


# the simulator itself


@case
def starts_at_once():
    with Sim() as sim:
        if sim.started_s > 2:  # 0.15 s where nothing else runs
            raise AssertionError(f"{sim.started_s:.2f} s")


@case
def says_what_linstor_1_33_3_said():
    recorded = [json.loads(line) for line in
                PROGRAM.with_name("recorded-1.33.3.jsonl").read_text().splitlines()]
    with Sim("--rest", "1.27.0", "--nodes", "0", "--node", "n1", "--node", "n2",
             "--pools", "pool1:FILE_THIN:960") as sim:
        for node in ("n1", "n2"):
            sim.hook("node", name=node, layers=["STORAGE"])
        said = json.loads(json.dumps(list(sequence.run(sim.url))))
    equal(len(said), len(recorded))
    differences = list(sequence.compare(recorded, said))
    if differences:
        raise AssertionError("\n".join(differences))


@case
def the_comparison_finds_differences():
    recorded = [json.loads(line) for line in
                PROGRAM.with_name("recorded-1.33.3.jsonl").read_text().splitlines()]
    for number, part, value in ((6, "status", 200), (7, "codes", []), (10, "shape", {"name": "str"}),
                                (1, "shape", [{"name": "int"}])):
        changed = [dict(line) for line in recorded]
        changed[number][part] = value
        if not list(sequence.compare(recorded, changed)):
            raise AssertionError(f"{part} of {recorded[number]['call']}")
    equal(list(sequence.compare(recorded, recorded)), [])


@case
def refuses_fields_that_its_version_does_not_know():
    body = {"resource_definition_name": "one-image-1", "volume_sizes": [1024],
            "resource_definition_props": {"Aux/a": "1"}}
    for version, status in (("1.21.0", 500), ("1.22.0", 201)):
        with Sim("--rest", version, "--group", "rg") as sim:
            equal(sim.rest("POST", "resource-groups/rg/spawn", body)[0], status, version)
            equal(sim.rest("GET", "resource-definitions/one-image-1")[0],
                  200 if status == 201 else 404)
            equal(sim.rest("GET", "encryption/passphrase")[0], 405)


@case
def one_primary_unless_two_are_allowed():
    with Sim("--group", "rg") as sim:
        tool_for(sim).good("spawn a1 rg 8388608 - -")
        equal(sim.hook("open", resource="a1", node="kvm1"), {})
        has(sim.hook("open", resource="a1", node="kvm2"), "two are not allowed")
        tool_for(sim).good("modify a1 DrbdOptions/Net/allow-two-primaries,yes")
        equal(sim.hook("open", resource="a1", node="kvm2"), {})
        tool_for(sim).good("attach a1 kvm3")
        has(sim.hook("open", resource="a1", node="kvm3"), "two nodes are Primary")


@case
def a_node_without_its_majority_is_not_primary():
    with Sim("--group", "rg") as sim:
        tool_for(sim).good("spawn a1 rg 8388608 - -")  # kvm1, kvm2, tie-breaker on kvm3
        sim.hook("node", name="kvm2", online=False)
        equal(sim.hook("open", resource="a1", node="kvm1"), {})
        sim.hook("close", resource="a1", node="kvm1")
        sim.hook("node", name="kvm3", online=False)
        has(sim.hook("open", resource="a1", node="kvm1"), "no quorum")


@case
def a_replica_that_missed_writes_syncs():
    with Sim("--group", "rg") as sim:
        tool_for(sim).good("spawn a1 rg 8388608 - -")
        sim.hook("node", name="kvm2", online=False)
        sim.hook("write", resource="a1", kib=4096)
        sim.hook("node", name="kvm2", online=True, sync_reads=3)
        has(tool_for(sim).good("view a1"), "disk=Inconsistent")
        tool_for(sim).good("sync a1 5000")
        equal(tool_for(sim).good("view a1").count("disk=UpToDate"), 2)


@case
def the_last_replica_that_is_stale_is_not_read():
    with Sim("--nodes", "2", "--group", "rg") as sim:
        tool_for(sim).good("spawn a1 rg 8388608 - -")
        sim.hook("node", name="kvm2", online=False)
        sim.hook("write", resource="a1", kib=4096)
        sim.hook("node", name="kvm1", online=False)
        sim.hook("node", name="kvm2", online=True)
        has(sim.hook("open", resource="a1", node="kvm2"), "no replica is UpToDate")
        has(tool_for(sim).good("view a1"), "disk=Outdated")


@case
def content_lies_in_files():
    root = pathlib.Path(tempfile.mkdtemp(dir="/var/tmp"))
    try:
        with Sim("--group", "rg", "--devices", str(root), "--pools", "thin:LVM_THIN:1024",
                 "--report-devices", str(root / "{node}")) as sim:
            tool = tool_for(sim)
            tool.good("spawn one-image-1 rg 8388608 - -")
            device = root / "kvm1" / "drbd" / "by-res" / "one-image-1" / "0"
            equal(device.stat().st_size >= 8 * MIB, True, "size")
            equal(device.read_bytes()[:4096], bytes(4096), "a thin volume is zero")
            device.write_bytes(b"first" * 1000 + bytes(8 * MIB - 5000))
            equal((root / "kvm2" / "drbd1000").read_bytes()[:5], b"first", "the other replica")
            equal((root / "kvm3" / "drbd1000").exists(), False, "a tie-breaker has no device")
            tool.good("snapshot one-image-1 s1", "clone one-image-1 one-vm-1-disk-0",
                      "clone-wait one-image-1 one-vm-1-disk-0", "attach one-vm-1-disk-0 kvm3")
            clone = root / "kvm3" / "drbd" / "by-res" / "one-vm-1-disk-0" / "0"
            equal(clone.read_bytes()[:10], b"firstfirst", "the clone")
            device.write_bytes(b"second" + bytes(8 * MIB - 6))
            equal(clone.read_bytes()[:5], b"first", "the clone is its own")
            tool.good("rollback one-image-1 s1")
            equal(device.read_bytes()[:5], b"first", "rolled back")
            tool.good("create one-vm-2-disk-0 rg", "restore-volumes one-image-1 s1 one-vm-2-disk-0",
                      "restore-resources one-image-1 s1 one-vm-2-disk-0",
                      "resize one-vm-2-disk-0 16777216")
            restored = root / "kvm1" / "drbd" / "by-res" / "one-vm-2-disk-0" / "0"
            equal(restored.read_bytes()[:5], b"first", "the restored")
            equal(restored.stat().st_size >= 16 * MIB, True, "grown")
            sim.hook("node", name="kvm2", online=False)
            device.write_bytes(b"third" + bytes(8 * MIB - 5))
            sim.hook("node", name="kvm2", online=True, sync_reads=1)
            has(tool.good("view one-image-1"), "disk=UpToDate")
            tool.good("snapshot-delete one-image-1 s1", "delete one-image-1",
                      "delete one-vm-1-disk-0", "delete one-vm-2-disk-0")
            left = [str(p.relative_to(root)) for p in root.rglob("*") if not p.is_dir()]
            equal(left, [], "left over")
    finally:
        shutil.rmtree(root)


@case
def devices_are_of_hosts():
    """Nodes of their own, opened and seen to be; a device in use stays; all of it can be brought back."""
    if os.geteuid():
        raise Skip("a loop device needs root")
    root = pathlib.Path(tempfile.mkdtemp(dir="/var/tmp"))
    try:
        with Sim("--group", "rg", "--place-count", "1", "--devices", str(root), "--host-devices") as sim:
            tool = tool_for(sim)
            tool.good("create a1 rg", "volume-create a1 8388608", "place a1 kvm1 thin", "attach a1 kvm2")
            one, two = (root / node / "drbd" / "by-res" / "a1" / "0" for node in ("kvm1", "kvm2"))
            equal((one.is_block_device(), os.readlink(one)), (True, "../../../drbd1000"))
            equal(one.stat().st_rdev == two.stat().st_rdev, False, "each its own")
            equal((root / "kvm3" / "drbd1000").exists(), False, "not attached there")
            with open(two, "r+b") as file:
                file.write(b"x" * 4096)
                file.flush()
                os.fsync(file.fileno())
                equal(sim.hook("volumes")["volumes"][0]["in_use"], ["kvm2"])
                fails(tool.one("detach a1 kvm2"), BUSY, "in use")
                equal(sim.hook("violations"), {"violations": []})
                with open(one, "rb"):
                    equal(sim.hook("violations")["violations"],
                          [{"resource": "a1", "writes": {"kvm1": False, "kvm2": True}}])
            equal(one.read_bytes()[:2], b"xx", "the other host reads it")
            sim.hook("keep")
            tool.good("resize a1 16777216", "snapshot a1 s1")
            equal(int(subprocess.run(["blockdev", "--getsize64", two], capture_output=True, check=True)
                      .stdout) >= 16 * MIB, True)
            two.write_bytes(b"y" * 4096)
            sim.hook("bring-back")
            equal((two.read_bytes()[:2], sim.hook("volumes")["volumes"][0]["snapshots"]), (b"xx", []))
            tool.good("detach a1 kvm2")
            equal(two.exists(), False)
            tool.good("delete a1")
        left = [str(p.relative_to(root)) for p in root.rglob("*")
                if not p.is_dir() and "kept" not in p.parts]
        equal(left, [], "left over")
    finally:
        shutil.rmtree(root)


@case
def content_lies_on_loop_devices():
    if os.geteuid():
        raise Skip("a loop device needs root")
    root = pathlib.Path(tempfile.mkdtemp(dir="/var/tmp"))
    try:
        with Sim("--group", "rg", "--devices", str(root), "--loop") as sim:
            tool = tool_for(sim)
            tool.good("spawn a1 rg 8388608 - -", "snapshot a1 s1")
            device = (root / "kvm1" / "drbd1000").resolve()
            equal(device.is_block_device(), True, device)
            size = int(subprocess.run(["blockdev", "--getsize64", device], capture_output=True,
                                      check=True).stdout)
            equal(size >= 8 * MIB, True, size)
            with open(device, "r+b") as file:
                file.write(b"x" * 4096)
                os.fsync(file.fileno())
            with open((root / "kvm2" / "drbd1000").resolve(), "rb") as file:
                equal(file.read(4096), b"x" * 4096)
            tool.good("resize a1 16777216")
            grown = int(subprocess.run(["blockdev", "--getsize64", device], capture_output=True,
                                       check=True).stdout)
            equal(grown >= 16 * MIB, True, grown)
            tool.good("snapshot-delete a1 s1", "delete a1")
            left = subprocess.run(["losetup", "-a"], capture_output=True, text=True, check=True).stdout
            equal(str(root) in left, False, left)
    finally:
        shutil.rmtree(root)


@case
def a_thick_volume_shows_old_data():
    root = pathlib.Path(tempfile.mkdtemp(dir="/var/tmp"))
    try:
        with Sim("--group", "rg", "--devices", str(root), "--pools", "thick:LVM:1024") as sim:
            tool_for(sim).good("spawn a1 rg 8388608 - -")
            if not (root / "kvm1" / "drbd1000").read_bytes().strip(b"\0"):
                raise AssertionError("zeros")
            fails(tool_for(sim).one("snapshot a1 s1"), UNSUPPORTED, "does not support snapshots", 994)
    finally:
        shutil.rmtree(root)


@case
def a_clone_with_a_wrong_body_is_never_answered():
    with Sim("--group", "rg") as sim:
        connection = http.client.HTTPConnection("127.0.0.1", sim.ports[0], timeout=0.5)
        connection.request("POST", "/v1/resource-definitions/a1/clone", '{"unknown":1}')
        try:
            connection.getresponse()
            raise AssertionError("it is answered")
        except TimeoutError:
            pass
        tool_for(sim).good("create a1 rg")  # and nobody else waits for it


# every function, with the calls that it makes


@case
def calls_are_as_they_were():
    """tests/fixtures/linstor-calls-VERSION: read it aloud. UPDATE_GOLDEN=1 writes it."""
    for version in (OLD, MIDDLE, NEW):
        with Sim("--rest", version, "--group", "rg") as sim:
            prepared(sim)
            tool_for(sim).run(*FUNCTIONS)
            text = "".join(f"{c['method']} {c['path']}{'?' * bool(c['query'])}{c['query']}"
                           f"{'' if c['body'] is None else ' ' + json.dumps(c['body'])}\n"
                           for c in sim.log())
        golden = PROGRAM.parent.parent / "fixtures" / f"linstor-calls-{version}"
        if os.environ.get("UPDATE_GOLDEN"):
            golden.write_text(text)
        equal(text, golden.read_text(), version)


@case
def the_site():
    with Sim("--group", "rg", "--pools", "thin:LVM_THIN:1024", "--pools", "thick:LVM:2048") as sim:
        tool = tool_for(sim)
        has(tool.good("version"), "1.33.3 http://127.0.0.1:")
        has(tool.good("nodes"), "kvm1:kvm1:SATELLITE:ONLINE:online:drbd")
        gib = 1 << 30
        equal(tool.good("pools thin"), " ".join(
            f"kvm{n}/thin:LVM_THIN:{gib}:{gib}:known:thin:snapshots:clones" for n in (1, 2, 3)))
        has(tool.good("pools -"), "DfltDisklessStorPool:DISKLESS")
        has(tool.good("pools -"), ":diskless")
        equal(tool.good("group rg"), "rg 2 thin")
        equal(tool.good("space rg"), f"{gib * 3 // 2} {gib * 3 // 2} {gib * 20}")
        equal(tool.good("passphrase"), "unset")
        fails(tool.one("group none"), NOT_FOUND, "cannot look at resource group 'none'", 317)
        equal(sim.calls(), ["GET nodes", "GET view/storage-pools?cached=true&storage_pools=thin",
                            "GET view/storage-pools?cached=true", "GET view/storage-pools?cached=true",
                            "GET resource-groups/rg", "POST resource-groups/rg/query-size-info",
                            "GET encryption/passphrase", "GET resource-groups/none"])
        sim.hook("node", name="kvm2", online=False)
        has(tool.good("nodes"), "kvm2:kvm2:SATELLITE:OFFLINE kvm3")
        has(tool.good("pools thin"), "kvm2/thin:LVM_THIN:0:0:thin:snapshots:clones")
        sim.hook("node", name="kvm3", flags=["EVACUATE"])
        has(tool.good("nodes"), "kvm3:kvm3:SATELLITE:ONLINE:drbd")


@case
def definitions():
    with Sim("--group", "rg") as sim:
        tool = tool_for(sim)
        tool.good("create one-image-1 rg DRBD,STORAGE Aux/one/DS_ID,100,Aux/one/X,y",
                  "volume-create one-image-1 8388609", "volume one-image-1")
        equal(tool.good("definition one-image-1"), "one-image-1 group=rg layers=DRBD,STORAGE size=0 "
              "Aux/one/DS_ID=100 Aux/one/X=y")
        equal(tool.good("volume one-image-1"), str(8 * MIB + 1024))
        tool.good("modify one-image-1 Aux/one/VM_ID,7 Aux/one/X -")
        has(tool.good("definition one-image-1"), "size=0 Aux/one/DS_ID=100 Aux/one/VM_ID=7")
        tool.good("modify one-image-1 - - Aux/one")
        equal(tool.good("definition one-image-1").endswith("size=0"), True)
        for words in ("Aux/one/X,1 - Aux/one", "Aux/one/X,1 Aux/one/X -"):
            fails(tool.one(f"modify one-image-1 {words}"), USAGE, "'Aux/one/X' cannot be set and removed")
        # because LINSTOR sets first
        sim.rest("PUT", "resource-definitions/one-image-1", {"override_props": {"Aux/one/X": "1"},
                                                             "delete_namespaces": ["Aux/one"]})
        equal(tool.good("definition one-image-1").endswith("size=0"), True)
        sim.rest("POST", "resource-groups", {"name": "other"})
        tool.good("regroup one-image-1 other")
        has(tool.good("definition one-image-1"), "group=other")
        equal(tool.good("delete one-image-1"), "")
        equal(tool.good("delete one-image-1"), "", "again")
        fails(tool.one("definition one-image-1"), NOT_FOUND, "cannot look at 'one-image-1'", 301)
        fails(tool.one("volume one-image-1"), NOT_FOUND, "cannot look at the volume", 301)
        tool.good("create a1 rg", "create a2 rg - Aux/k,v", "create a3 rg - Aux/k,w")
        fails(tool.one("create A1 rg"), REFUSED, "already exists", 501)
        fails(tool.one("create 1 rg"), USAGE, "invalid", 202)
        fails(tool.one("create xy none"), NOT_FOUND, "Resource group 'none'", 317)
        equal(tool.good("definitions Aux/k v").count("group="), 1)
        equal(tool.good("definitions Aux/k -").count("group="), 2)
        equal(tool.good("definitions").count("group="), 3)
        calls = sim.calls()
        equal(calls[:3], ["POST resource-definitions", "POST resource-definitions/one-image-1/"
                          "volume-definitions",
                          "GET resource-definitions/one-image-1/volume-definitions/0"])
        equal(calls[-3:], ["GET resource-definitions?with_volume_definitions=true&props=Aux/k%3Dv",
                           "GET resource-definitions?with_volume_definitions=true&props=Aux/k",
                           "GET resource-definitions?with_volume_definitions=true"])


@case
def spawn():
    with Sim("--group", "rg") as sim:
        tool = tool_for(sim)
        equal(tool.good("spawn one-image-1 rg 8388608 Aux/one/DS_ID,100 -"), "kvm1")
        equal(sim.calls(), ["POST resource-groups/rg/spawn"])
        has(tool.good("definition one-image-1"), "Aux/one/DS_ID=100")
        equal(tool.good("spawn one-image-2 rg 8388608 - 1 kvm3"), "kvm3")
        equal(tool.good("spawn one-image-3 rg 8388608 - 0"), "-", "definitions only")
        equal(tool.good("resources one-image-3"), "")
        answer = tool.one("spawn one-image-4 rg 8388608 - 4")
        fails(answer, NO_SPACE, "cannot create 'one-image-4' in resource group 'rg': Not enough", 996)
        fails(tool.one("definition one-image-4"), NOT_FOUND, "one-image-4", 301)
        for number, zone in enumerate("aab", 1):
            sim.hook("node", name=f"kvm{number}", props={"Aux/zone": zone})
        tool.good("spawn one-image-5 rg 8388608 - 2 - zone")
        has(tool.good("resources one-image-5"), "one-image-5@kvm3:pool=thin")


@case
def spawn_on_an_old_controller():
    with Sim("--rest", OLD, "--group", "rg") as sim:
        tool = tool_for(sim)
        equal(tool.good("spawn one-image-1 rg 8388608 Aux/one/DS_ID,100 -"), "-")
        equal(sim.calls(), ["POST resource-groups/rg/spawn", "PUT resource-definitions/one-image-1"])
        has(tool.good("definition one-image-1"), "Aux/one/DS_ID=100")
        sim.calls()
        sim.hook("fault", method="PUT", kind="error", code=998)
        fails(tool.one("spawn one-image-2 rg 8388608 Aux/one/DS_ID,100 -"), FAILED, "cannot change")
        equal(sim.calls()[-1], "DELETE resource-definitions/one-image-2", "all or nothing")


@case
def resources_and_attachments():
    with Sim("--group", "rg", "--nodes", "4") as sim:
        tool = tool_for(sim)
        tool.good("create a1 rg", "volume-create a1 8388608", "place a1 kvm1,kvm2 thin")
        equal(sim.calls()[-1], "POST resource-definitions/a1/resources")
        found = tool.good("resources a1").split()
        equal([f.split(":pool")[0] for f in found], ["a1@kvm1", "a1@kvm2", "a1@kvm3"])
        equal(found[2].endswith(":diskless:tiebreaker:drbd"), True, found[2])
        fails(tool.one("place a1 kvm2,kvm4 thin"), REFUSED, "LINSTOR did nothing")
        equal("kvm4" in tool.good("resources a1"), False)
        tool.good("attach a1 kvm4", "resource a1 kvm4")
        has(tool.good("resource a1 kvm4"), "device=/dev/drbd1000")
        equal(tool.good("detach a1 kvm4"), "stays", "the tie-breaker had gone")
        tool.good("attach a1 kvm4 diskful")
        equal("diskless" in tool.good("resource a1 kvm4"), False)
        fails(tool.one("resource a1 kvm9"), NOT_FOUND, "cannot look at 'a1' on node 'kvm9'", 302)
        fails(tool.one("attach a1 kvm9"), NOT_FOUND, "Node 'kvm9' not found", 300)
        fails(tool.one("resources none"), NOT_FOUND, "cannot list the nodes of 'none'", 301)
        equal(tool.good("detach a1 kvm3"), "", "gone")
        equal(tool.good("detach a1 kvm3"), "", "again")
        tool.good("autoplace a1 2", "autoplace a1 3")
        fails(tool.one("autoplace a1 9"), NO_SPACE, "Not enough", 996)
        has(tool.stderr, "")
        tool.good("create a2 rg STORAGE", "volume-create a2 8388608",
                  "autoplace a2 1 kvm2 thin STORAGE")
        equal(tool.good("resources a2"), "a2@kvm2:pool=thin:device=/dev/vg/a2_00000:8388608:open=?:may=?")
        fails(tool.one("attach a2 kvm1", "create a3 rg", "volume-create a3 8388608000000",
                       "attach a3 kvm1 diskful"), NOT_FOUND, "could not find diskful", 310)


@case
def a_device_that_is_open():
    with Sim("--group", "rg") as sim:
        tool = tool_for(sim)
        tool.good("spawn a1 rg 8388608 - -", "attach a1 kvm3")
        sim.hook("open", resource="a1", node="kvm3")
        has(tool.good("resource a1 kvm3"), "open=yes")
        start = time.monotonic()
        fails(tool.one("detach a1 kvm3"), BUSY, "still in use", 997)
        fails(tool.one("delete a1"), BUSY, "cannot delete 'a1': Resource 'a1' on node 'kvm3'", 997)
        if not 2.5 < time.monotonic() - start < 20:
            raise AssertionError(f"it waited {time.monotonic() - start:.1f} s, not twice 1.5")
        deletes = len([c for c in sim.calls() if c.startswith("DELETE")])
        if deletes < 4:
            raise AssertionError(f"{deletes} tries")
        background = subprocess.Popen([sys.argv[1], "--controllers", sim.url, "--patience-ms", "20000",
                                       "detach", "a1", "kvm3"], stdout=subprocess.PIPE, text=True)
        time.sleep(0.5)
        sim.hook("close", resource="a1", node="kvm3")
        equal(background.communicate(timeout=60)[0], "ok stays\n")


@case
def sizes():
    with Sim("--group", "rg") as sim:
        tool = tool_for(sim)
        tool.good("spawn a1 rg 8388608 - -")
        sim.calls()
        tool.good("resize a1 16777216")
        equal(sim.calls(), ["PUT resource-definitions/a1/volume-definitions/0"])
        equal(tool.good("volume a1"), str(16 * MIB))
        tool.good("resize a1 16777216")
        equal(sim.calls()[1:], ["PUT resource-definitions/a1/volume-definitions/0",
                                "GET view/resources?resources=a1"], "LINSTOR did nothing: look")
        fails(tool.one("resize a1 8388608"), USAGE, "can not shrink", 206)
        fails(tool.one("resize none 8388608"), NOT_FOUND, "'none' to 8192 KiB", 301)
        sim.hook("sync", resource="a1", node="kvm2", reads=1000)
        fails(tool.one("resize a1 33554432"), BUSY, "is not UpToDate", 974)
        sim.hook("sync", resource="a1", node="kvm2", reads=0)


@case
def a_resize_that_failed_once():
    with Sim("--group", "rg") as sim:
        tool = tool_for(sim)
        tool.good("spawn a1 rg 8388608 - -")
        sim.hook("fault", method="PUT", kind="resize", message="lvextend failed")
        fails(tool.one("resize a1 16777216"), FAILED,
              "cannot resize 'a1' to 16384 KiB: lvextend failed (error report 65000000-00000-000001)", 998)
        equal(tool.good("volume a1"), str(16 * MIB), "LINSTOR has the new size all the same")
        fails(tool.one("resize a1 16777216"), FAILED, "the device on node 'kvm1' does not")
        equal(tool.good("report 65000000-00000-000001"), "as asked for")
        fails(tool.one("report 1"), NOT_FOUND, "no error report '1'")


@case
def snapshots():
    with Sim("--group", "rg") as sim:
        tool = tool_for(sim)
        tool.good("spawn a1 rg 8388608 Aux/one/DS_ID,1 -", "spawn a2 rg 8388608 - -")
        sim.calls()
        tool.good("snapshot a1 snapshot-9", "snapshot a1 snapshot-10",
                  "snapshot-many a1,a2 both")
        equal(sim.calls(), ["POST resource-definitions/a1/snapshots"] * 2 +
              ["POST actions/snapshot/multi"])
        size = 8 * MIB
        equal(tool.good("snapshots a1"), " ".join(f"{n}:kvm1+kvm2:{size}:successful" for n in
                                                  ("snapshot-9", "snapshot-10", "both")), "by age")
        fails(tool.one("snapshot a1 snapshot-9"), REFUSED, "already exists", 514)
        fails(tool.one("snapshot a1 0"), USAGE, "invalid", 218)
        fails(tool.one("snapshot none s1"), NOT_FOUND, "take snapshot 's1' of 'none'", 301)
        tool.good("rollback a1 snapshot-9")
        equal(tool.good("snapshots a1").count("successful"), 3)
        fails(tool.one("rollback a1 none"), NOT_FOUND, "roll 'a1' back to snapshot 'none'", 313)
        sim.hook("open", resource="a1", node="kvm1")
        fails(tool.one("rollback a1 both"), BUSY, "still in use", 997)
        fails(tool.one("delete a2"), REFUSED, "has snapshots", 514)
        tool.good("snapshot-delete a2 both", "snapshot-delete a2 both", "delete a2")
        tool.good("create a3 rg - Aux/mine,1", "restore-volumes a1 both a3",
                  "restore-resources a1 both a3")
        has(tool.good("definition a3"), "Aux/one/DS_ID=1", )
        fails(tool.one("restore-resources a1 both a3"), REFUSED, "already has resources", 502)
        fails(tool.one("restore-volumes a1 none a3"), NOT_FOUND, "restore snapshot 'none' of 'a1'", 313)
        tool.good("create a4 rg")
        fails(tool.one("restore-resources a1 both a4"), FAILED, "LINSTOR did nothing")
        sim.hook("node", name="kvm3", online=False)
        sim.hook("close", resource="a1", node="kvm1")
        fails(tool.one("rollback a1 both"), UNREACHABLE, "No active connection to satellite 'kvm3'", 995)


@case
def sizes_that_linstor_does_not_tell():
    with Sim("--group", "rg", "--pools", "file:FILE_THIN:1024") as sim:
        tool = tool_for(sim)
        tool.good("create a1 rg STORAGE", "volume-create a1 8388608", "autoplace a1 2", "snapshot a1 s1",
                  "create a2 rg STORAGE", "restore-volumes a1 s1 a2", "restore-resources a1 s1 a2",
                  "resize a2 16777216", "resize a2 16777216")
        has(tool.good("resources a2"), ":8192:")


@case
def a_snapshot_that_a_satellite_failed_to_take():
    with Sim("--group", "rg") as sim:
        tool = tool_for(sim)
        tool.good("spawn a1 rg 8388608 - -")
        sim.calls()
        sim.hook("fault", method="POST", kind="snapshot", message="(kvm2) lvcreate failed")
        fails(tool.one("snapshot a1 s1"), FAILED, "'s1' of 'a1': (kvm2) lvcreate failed", 998)
        equal(sim.calls(), ["POST resource-definitions/a1/snapshots", "GET resource-definitions/a1/snapshots",
                            "DELETE resource-definitions/a1/snapshots/s1"])
        tool.good("snapshot a1 s1")
        sim.calls()
        fails(tool.one("snapshot a1 s1"), REFUSED, "already exists", 514)
        equal(sim.calls(), ["POST resource-definitions/a1/snapshots"], "that one is good")


@case
def snapshots_on_an_old_controller():
    with Sim("--rest", OLD, "--group", "rg") as sim:
        tool = tool_for(sim)
        tool.good("spawn a1 rg 8388608 - -", "snapshot a1 s9", "snapshot a1 s10")
        equal(tool.good("snapshots a1").split()[0].split(":")[0], "s9", "by age")
        fails(tool.one("rollback a1 s9"), REFUSED, "most recent", 514)
        tool.good("rollback a1 s10")
        sim.calls()
        fails(tool.one("snapshot-many a1 both"), UNSUPPORTED, "older than 1.22")
        equal(tool.good("in-sync a1"), "yes")
        sim.hook("sync", resource="a1", node="kvm2", reads=3)
        equal(tool.good("in-sync a1"), "no")
        fails(tool.one("space rg"), UNSUPPORTED, "older than 1.21")
        fails(tool.one("passphrase"), UNSUPPORTED, "older than 1.31")
        fails(tool.one("clone a1 a2"), UNSUPPORTED, "older than 1.15")
        equal(sim.calls(), ["GET view/resources?resources=a1"] * 2)
        tool.good("pools thin")
        equal(sim.calls(), ["GET view/storage-pools?storage_pools=thin"])


@case
def clones():
    with Sim("--group", "rg", "--clone-polls", "3") as sim:
        tool = tool_for(sim)
        tool.good("spawn a1 rg 8388608 Aux/one/DS_ID,1,Aux/old,1 -")
        sim.calls()
        tool.good("clone a1 a2 - Aux/new/VM_ID,5 Aux/one", "clone-wait a1 a2 - Aux/new/VM_ID,5 Aux/one")
        equal(sim.calls(), ["POST resource-definitions/a1/clone"] +
              ["GET resource-definitions/a1/clone/a2"] * 3)
        has(tool.good("definition a2"), "size=0 Aux/new/VM_ID=5 Aux/old=1 cloned-from=a1")
        fails(tool.one("clone a1 a3 - Aux/one/VM_ID,5 Aux/one"), USAGE, "set and removed at once")
        equal(tool.good("clone-state a1 a2"), "complete")
        fails(tool.one("clone-state a1 a9"), NOT_FOUND, "cannot look at clone 'a9'", 301)
        fails(tool.one("clone a1 a2"), REFUSED, "cannot clone 'a1' to 'a2': Resource definition 'a2'", 501)
        fails(tool.one("clone none a3"), NOT_FOUND, "'none' not found", 301)
        sim.rest("POST", "resource-groups", {"name": "elsewhere", "select_filter": {
            "storage_pool_list": ["other"]}})
        fails(tool.one("clone a1 a3 elsewhere"), NO_SPACE, "Not enough available nodes", 996)
        sim.hook("clones", polls=-1)
        fails(tool.one("clone a1 a4", "clone-wait a1 a4"), TIMEOUT, "'a4' is not complete as a clone")
        equal(tool.good("clone-state a1 a4"), "runs")
        sim.hook("clones", name="a4", status="FAILED")
        fails(tool.one("clone-wait a1 a4"), FAILED, "the copy failed")


@case
def clones_on_older_controllers():
    with Sim("--rest", MIDDLE, "--group", "rg") as sim:
        tool = tool_for(sim)
        tool.good("spawn a1 rg 8388608 Aux/one/DS_ID,1 -")
        sim.calls()
        tool.good("clone a1 a2 - Aux/one/VM_ID,5", "clone-wait a1 a2 - Aux/one/VM_ID,5")
        equal(sim.calls(), ["POST resource-definitions/a1/clone", "GET resource-definitions/a1/clone/a2",
                            "PUT resource-definitions/a2"])
        has(tool.good("definition a2"), "Aux/one/VM_ID=5")
        # its failures come with 201
        sim.calls()
        fails(tool.one("clone a1 a2"), REFUSED, "already exists", 501)
        equal(sim.hook("log")["calls"][-1]["status"], 201)
        fails(tool.one("clone a1 a3 rg"), UNSUPPORTED, "older than 1.30")
    with Sim("--group", "rg", "--pools", "file:FILE_THIN:1024") as sim:
        tool = tool_for(sim)
        tool.good("spawn a1 rg 8388608 - -")
        fails(tool.one("clone a1 a2"), UNSUPPORTED, "does not support cloning", 227)


@case
def nodes_that_are_away():
    with Sim("--group", "rg") as sim:
        tool = tool_for(sim)
        tool.good("spawn a1 rg 8388608 - -", "spawn a2 rg 8388608 - -")
        sim.hook("node", name="kvm2", online=False)
        tool.good("modify a1 Aux/x,1")
        has(tool.stderr, "WARN: linstortool: LINSTOR: No active connection to satellite 'kvm2'")
        has(tool.good("view a1"), "a1@kvm2:pool=thin:device=(null):8409088:open=?:may=no:drbd:allocated=0:disk=(null)")
        tool.good("snapshot a1 s1")
        equal(tool.good("snapshots a1").split(":")[1], "kvm1")
        equal(tool.good("delete a2"), "pending")
        has(tool.good("definition a2"), "deleting")
        fails(tool.one("create a2 rg"), REFUSED, "already exists", 501)
        sim.hook("node", name="kvm2", online=True)
        fails(tool.one("definition a2"), NOT_FOUND, "a2", 301)


@case
def nothing_done_is_no_success():
    with Sim("--group", "rg") as sim:
        tool = tool_for(sim)
        tool.good("create a1 rg", "volume-create a1 8388608")
        sim.hook("fault", method="POST", path=".*/resources", kind="nothing", status=201,
                 entries=[{"severity": 0x4 << 60, "code": 10008}])
        fails(tool.one("place a1 kvm1 thin"), REFUSED, "LINSTOR did nothing")
        sim.hook("fault", method="POST", path=".*/snapshot-restore-resource/.*", kind="nothing",
                 entries=[{"code": 3000}])
        fails(tool.one("restore-resources a1 s a2"), FAILED, "LINSTOR did nothing")


# the way to the controller


@case
def the_next_controller_takes_over():
    with Sim("--controllers", "3", "--group", "rg") as sim:
        places = ",".join(f"127.0.0.1:{port}" for port in sim.ports)
        tool = Tool(sys.argv[1], "--controllers", places)
        has(tool.good("version"), f":{sim.ports[0]}")
        sim.hook("controller", number=0, up=False)
        has(tool.good("version"), f":{sim.ports[1]}")
        tool.good("create a1 rg")
        sim.hook("controller", number=1, up=False)
        has(tool.good("version"), f":{sim.ports[2]}")
        sim.hook("controller", number=2, up=False)
        answer = tool.one("version")
        fails(answer, UNREACHABLE, f"cannot ask LINSTOR's version: cannot reach "
                                   f"'http://127.0.0.1:{sim.ports[0]}/v1/controller/version'")
        sim.hook("controller", number=1, up=True)
        has(tool.good("version"), f":{sim.ports[1]}")


@case
def a_controller_that_goes_in_the_middle():
    with Sim("--controllers", "2", "--group", "rg") as sim:
        places = ",".join(f"127.0.0.1:{port}" for port in sim.ports)
        process = subprocess.Popen([sys.argv[1], "--controllers", places, "version", ",", "sleep", "1500",
                                    ",", "create", "a1", "rg", ",", "version"],
                                   stdout=subprocess.PIPE, text=True)
        has(process.stdout.readline(), f":{sim.ports[0]}")
        sim.hook("fault", path=".*", kind="drop")  # so that the kept connection is dead too
        sim.hook("controller", number=0, up=False)
        rest = process.communicate(timeout=60)[0].splitlines()
        # The kept connection took the request and broke: nobody knows whether it was done.
        if rest[1] != "ok":
            has(rest[1], "no answer from")
        equal(len([c for c in sim.calls() if c == "POST resource-definitions"]) <= 2, True)


@case
def a_proxy_before_a_standby():
    with Sim("--controllers", "2", "--group", "rg") as sim:
        places = ",".join(f"127.0.0.1:{port}" for port in sim.ports)
        tool = Tool(sys.argv[1], "--controllers", places)
        page = "<html><body><h1>503 Service Unavailable</h1></body></html>"
        sim.hook("fault", kind="status", status=503, body=page)
        has(tool.good("version"), f":{sim.ports[1]}")
        sim.hook("fault", kind="status", status=404, body="<html>nginx</html>")
        has(tool.good("version"), f":{sim.ports[1]}")
        sim.hook("fault", kind="status", status=200, body="[]", type="application/json")
        has(tool.good("version"), f":{sim.ports[1]}")
        sim.calls()
        sim.hook("fault", method="POST", kind="status", status=503, body=page)
        tool.good("create a1 rg")  # nobody behind the proxy has seen it
        equal(sim.calls(), ["POST resource-definitions"] * 2)
        sim.hook("fault", method="POST", kind="status", status=502, body=page)
        fails(tool.one("create a2 rg"), FAILED, "answered HTTP 502, which comes from a proxy")
        equal(sim.calls(), ["POST resource-definitions", "GET resource-definitions/a2"],
              "somebody may have: look, do not repeat")
        sim.hook("fault", method="GET", path=".*/a1", kind="status", status=504, body=page)
        tool.good("definition a1")
        sim.hook("fault", kind="status", status=503, body=page, times=0)
        fails(tool.one("version"), FAILED, "HTTP 503, which comes from a proxy")
        sim.hook("clear-faults")


@case
def lost_answers():
    with Sim("--group", "rg") as sim:
        tool = tool_for(sim)
        for function, again in (
                ("spawn a1 rg 8388608 Aux/t,1 -", "GET resource-definitions/a1"),
                ("create a2 rg - Aux/t,2", "GET resource-definitions/a2"),
                ("volume-create a2 8388608", "GET resource-definitions/a2/volume-definitions/0"),
                ("snapshot a1 s1", "GET resource-definitions/a1/snapshots"),
                ("resize a1 16777216", "GET view/resources?resources=a1"),
                ("clone a1 a3", "GET resource-definitions/a1/clone/a3")):
            sim.calls()
            sim.hook("fault", method="POST|PUT", kind="lost")
            tool.good(function)
            calls = sim.calls()
            equal(len([c for c in calls if not c.startswith("GET")]), 1, f"{function}: {calls}")
            equal(calls[-1], again, function)
        for function in ("modify a1 Aux/x,1", "attach a1 kvm3", "detach a1 kvm3", "autoplace a1 2",
                         "snapshot-delete a1 s1", "delete a1", "delete a2"):
            sim.calls()
            sim.hook("fault", method="POST|PUT|DELETE", kind="lost")
            tool.good(function)
            equal(len([c for c in sim.calls() if not c.startswith("GET")]), 2, function)


@case
def requests_that_were_lost():
    with Sim("--group", "rg") as sim:
        tool = tool_for(sim)
        tool.good("spawn a1 rg 8388608 Aux/t,1 -")
        for function in ("spawn a4 rg 8388608 Aux/t,1 -", "create a5 rg - Aux/t,1",
                         "create a6 rg", "snapshot a1 s1", "clone a1 a3", "resize a1 16777216",
                         "rollback a1 s9"):
            sim.calls()
            sim.hook("fault", method="POST|PUT", kind="drop")
            fails(tool.one(function), UNREACHABLE, "no answer from")
            equal(len([c for c in sim.calls() if not c.startswith("GET")]), 1, function)
        tool.good("create a7 rg - Aux/t,of-somebody-else")
        sim.hook("fault", method="POST", kind="drop")
        fails(tool.one("create a7 rg - Aux/t,mine"), UNREACHABLE, "no answer from")


@case
def a_list_that_breaks_off():
    with Sim("--group", "rg") as sim:
        tool = tool_for(sim)
        tool.good("create a1 rg", "create a2 rg", "create a3 rg", "create a4 rg")
        sim.calls()
        sim.hook("fault", method="GET", path=".*/resource-definitions", kind="cut")
        fails(tool.one("definitions"), UNREACHABLE, "cannot list resource definitions: no answer from")
        equal(len(sim.calls()), 1, "what was seen is not seen twice")
        sim.hook("fault", method="GET", path=".*/a1", kind="cut")
        tool.good("definition a1")
        sim.hook("fault", method="POST", kind="cut")
        tool.good("create a5 rg - Aux/t,1")


@case
def a_kept_connection_that_dies_repeats_nothing():
    with Sim("--group", "rg") as sim:
        tool = tool_for(sim)
        sim.hook("fault", method="POST", kind="lost")
        answer = tool.run("definitions", "create a6 rg", "definition a6")
        fails(answer[1], UNREACHABLE, "no answer from")
        equal(answer[2].good, True, "it was done")
        equal(sim.calls().count("POST resource-definitions"), 1)


@case
def deadlines():
    with Sim("--group", "rg") as sim:
        tool = tool_for(sim, "--read-ms", "700", "--write-ms", "900")
        sim.hook("fault", path=".*/resource-definitions/a1", kind="hang", seconds=5)
        start = time.monotonic()
        fails(tool.one("definition a1"), TIMEOUT, "no answer from")
        sim.hook("fault", path=".*/clone", kind="hang", seconds=5)
        fails(tool.one("clone a1 a2"), TIMEOUT, "no answer from")
        sim.hook("fault", method="DELETE", path=".*", kind="swallow", seconds=5)
        fails(tool.one("delete a1"), TIMEOUT, "no answer from")
        if time.monotonic() - start > 4.5:
            raise AssertionError(f"{time.monotonic() - start:.1f} s")
        sim.hook("fault", path=".*/resource-definitions", method="POST", kind="delay", seconds=0.3)
        tool.good("create a3 rg")
    # a host that drops packets
    tool = Tool(sys.argv[1], "--controllers", "192.0.2.1", "--connect-ms", "400")
    start = time.monotonic()
    fails(tool.one("version"), UNREACHABLE, "cannot reach 'http://192.0.2.1:3370/")
    if time.monotonic() - start > 4:
        raise AssertionError(f"{time.monotonic() - start:.1f} s")


@case
def a_controller_that_hangs_at_first():
    with Sim("--controllers", "2") as sim:
        places = ",".join(f"127.0.0.1:{port}" for port in sim.ports)
        tool = Tool(sys.argv[1], "--controllers", places, "--read-ms", "500")
        sim.hook("fault", kind="hang", seconds=3)
        has(tool.good("version"), f":{sim.ports[1]}")


@case
def answers_that_are_none():
    with Sim("--group", "rg") as sim:
        tool = tool_for(sim)
        tool.good("create a1 rg")
        for body, code, part in (("", CORRUPT, "is not LINSTOR's"), ("{", CORRUPT, "is not LINSTOR's"),
                                 ("null", CORRUPT, ""), ('{"props":{}}', CORRUPT, "without 'name'"),
                                 ('[1,2]', CORRUPT, "without 'name'")):
            sim.hook("fault", method="GET", path=".*/a1", kind="status", status=200, body=body,
                     type="application/json")
            fails(tool.one("definition a1"), code, part)
        for body in ("", "{}", "[{}]", '[{"ret_code":"1"}]', "[1", "<html>"):
            sim.hook("fault", method="PUT", kind="status", status=200, body=body)
            fails(tool.one("modify a1 Aux/x,1"), CORRUPT, "is not LINSTOR's")
        for body, part in (("[{},", ""), ('[{"name":"x"', "ends too early"), ("{}", "no JSON array"),
                           ("[1 2]", "not JSON"), ('[{"name":1}]', "without 'name'"), ("[]]", "no JSON array")):
            sim.hook("fault", method="GET", path=".*/resource-definitions", kind="status", status=200,
                     body=body, type="application/json")
            fails(tool.one("definitions"), CORRUPT, part)
        sim.hook("fault", method="GET", path=".*/a1", kind="status", status=500, body="Grizzly",
                 type="text/html")
        fails(tool.one("definition a1"), FAILED, "answered HTTP 500")


@case
def error_texts():
    with Sim("--group", "rg") as sim:
        tool = tool_for(sim)
        sim.hook("fault", method="POST", kind="error", code=998, message="First line.\nSecond line.")
        fails(tool.one("create a1 rg"), FAILED,
              "cannot create 'a1': First line. Second line (error report 65000000-00000-000001)", 998)
        for code, error in ((974, BUSY), (995, UNREACHABLE), (980, NO_SPACE), (988, UNSUPPORTED),
                            (412, DENIED), (300, NOT_FOUND), (516, REFUSED), (218, USAGE), (999, FAILED)):
            sim.hook("fault", method="POST", kind="error", code=code, message="no")
            fails(tool.one("create a1 rg"), error, "cannot create 'a1': no (error report", code)


@case
def tokens():
    directory = pathlib.Path(tempfile.mkdtemp(dir="/var/tmp"))
    try:
        for name, text in (("bare", "secret-1\n"), ("json", '{"token":"secret-1"}'), ("wrong", "secret-2"),
                           ("empty", " \n"), ("bad", "a\nInjected: yes")):
            (directory / name).write_text(text)
        with Sim("--token", "secret-1") as sim:
            for name in ("bare", "json"):
                tool_for(sim, "--token-file", str(directory / name)).good("nodes")
            fails(tool_for(sim, "--token-file", str(directory / "wrong")).one("nodes"), DENIED,
                  "cannot ask LINSTOR's version: Authentication required", 0)
            fails(tool_for(sim).one("nodes"), DENIED, "Authentication required")
            equal([c["status"] for c in sim.log()][-2:], [401, 401])
            for name, code, part in (("none", DENIED, "cannot read LINSTOR's token"),
                                     ("empty", USAGE, "holds no token"), ("bad", USAGE, "holds no token")):
                fails(tool_for(sim, "--token-file", str(directory / name)).one("nodes"), code, part)
            equal(sim.calls(), [])
            tool = tool_for(sim, "--token-file", str(directory / "bare"), "-v")
            tool.good("nodes")
            equal("secret-1" in tool.stderr, False, "the token is not logged")
    finally:
        shutil.rmtree(directory)


def make_certificates(directory):
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=directory, check=True, capture_output=True)

    for name in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                f"{name}.key", "-out", f"{name}.pem", "-days", "2", "-subj", f"/CN=test {name}")
    for name, alternative in (("server", "DNS:localhost,IP:127.0.0.1"), ("wrong", "DNS:elsewhere.example"),
                              ("client", "DNS:frontend")):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (directory / "ext").write_text(f"subjectAltName={alternative}\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-out", f"{name}.pem", "-days", "2", "-extfile", "ext")


@case
def tls():
    directory = pathlib.Path(tempfile.mkdtemp(dir="/var/tmp"))
    try:
        make_certificates(directory)
        file = {name: str(directory / name) for name in (
            "ca.pem", "other.pem", "server.pem", "server.key", "wrong.pem", "wrong.key", "client.pem",
            "client.key", "absent.pem")}
        (directory / "junk.pem").write_text("no certificate\n")

        def client(sim, *options, scheme="linstor+ssl", host="127.0.0.1"):
            return Tool(sys.argv[1], "--controllers", f"{scheme}://{host}:{sim.ports[0]}", *options)

        with Sim("--tls-cert", file["server.pem"], "--tls-key", file["server.key"]) as sim:
            has(client(sim, "--ca", file["ca.pem"]).good("version"), "https://127.0.0.1:")
            client(sim, "--ca", file["ca.pem"], scheme="https", host="localhost").good("nodes")
            fails(client(sim, "--ca", file["other.pem"]).one("version"), DENIED, "certificate")
            fails(client(sim).one("version"), DENIED, "certificate")
            fails(client(sim, "--ca", file["absent.pem"]).one("version"), DENIED, "cannot read LS_CAFILE")
            fails(client(sim, "--ca", str(directory / "junk.pem")).one("version"), USAGE,
                  "is not a PEM file")
            fails(client(sim, "--key", file["client.key"]).one("version"), USAGE, "LS_KEYFILE needs")
            fails(client(sim, scheme="http").one("version"), UNREACHABLE, "")
        with Sim("--tls-cert", file["wrong.pem"], "--tls-key", file["wrong.key"]) as sim:
            fails(client(sim, "--ca", file["ca.pem"]).one("version"), DENIED, "127.0.0.1")
        with Sim("--tls-cert", file["server.pem"], "--tls-key", file["server.key"], "--tls-client-ca",
                 file["ca.pem"]) as sim:
            client(sim, "--ca", file["ca.pem"], "--certificate", file["client.pem"], "--key",
                   file["client.key"]).good("nodes")
            answer = client(sim, "--ca", file["ca.pem"]).one("nodes")
            # TLS 1.3 refuses after its handshake: libcurl sees an alert, or no peer any more.
            equal((answer.good, answer.code in (DENIED, UNREACHABLE)), (False, True), answer)
        with Sim("--controllers", "2", "--redirect-controller", "0", "--tls-cert", file["server.pem"],
                 "--tls-key", file["server.key"]) as sim:
            tool = client(sim, "--ca", file["ca.pem"], scheme="linstor")
            equal(tool.good("nodes", "version"), f"1.33.3 https://127.0.0.1:{sim.ports[1]}")
            equal([(c["method"], c["controller"]) for c in sim.log()][1:], [("GET", 1), ("GET", 1)])
            sim.hook("fault", kind="status", status=302, headers={"Location": "https://elsewhere.example/"})
            fails(tool.one("version"), FAILED, "sends us to 'https://elsewhere.example/'")
    finally:
        shutil.rmtree(directory)


@case
def versions_that_we_cannot_speak_to():
    for version, code in (("1.6.0", UNSUPPORTED), ("2.0.0", UNSUPPORTED), ("1.7.0", 0)):
        with Sim("--rest", version) as sim:
            answer = tool_for(sim).one("version")
            if code:
                fails(answer, code, f"speaks version {version} of its API")
            elif not answer.good:
                raise AssertionError(answer)


@case
def lists_of_controllers_that_are_wrong():
    for text in ("", " , ", "http://", "ftp://host", "host:0", "host:65536", "host:x", "::1", "[::1",
                 "a b", "-host", "http://host/path", "user@host"):
        answer = Tool(sys.argv[1], "--controllers", text).one("version")
        fails(answer, USAGE, "LINSTOR controllers")


# steps


@case
def a_dry_run_changes_nothing():
    with Sim("--group", "rg") as sim:
        tool = tool_for(sim, "-n")
        answers = tool.run("create a1 rg", "volume-create a1 8388608", "nodes", "snapshot b1 s1",
                           "attach b1 kvm1", "clone b1 b2", "clone-wait b1 b2", "delete b3",
                           "resize b1 8388608", "rollback b1 s1", "restore-volumes b1 s1 b4",
                           "restore-resources b1 s1 b4", "autoplace b1 2", "place b1 kvm1 thin",
                           "snapshot-many b1,b5 s2", "spawn b6 rg 4096 - -")
        equal([a.good for a in answers], [True] * 16, str(answers))
        equal(sim.calls(), ["GET nodes"])
        has(tool.stderr, "would do step 2: create 'a1' on LINSTOR")
        fails(tool.one("create a1 rg", "definition a1"), FAILED, "it depends on '/linstor/a1'")
        equal(tool.one("create a1 rg", "definition a2").failure, 301)


@case
def faults_at_steps():
    with Sim("--group", "rg") as sim:
        tool = tool_for(sim)
        answer = tool.run("create a1 rg", "create a2 rg", env={"ONEVOL_FAULT": "fail:3"})
        equal([a.good for a in answer], [True, False])
        has(answer[1], "step 3 fails on purpose: create 'a2' on LINSTOR")
        tool.run("create a3 rg", "create a4 rg", env={"ONEVOL_FAULT": "kill-after:2"})
        equal(tool.status, -9)
        tool.good("definition a3")
        fails(tool.one("definition a4"), NOT_FOUND, "a4")


@case
def a_monitor_of_ten_thousand_volumes():
    with Sim("--group", "rg") as sim:
        sim.hook("populate", prefix="one-vm-", suffix="-disk-0", count=10000, nodes=["kvm1", "kvm2"],
                 pool="thin", props={"Aux/one/DS_ID": "100", "Aux/one/VM_ID": "%d"})
        tool = tool_for(sim)
        tool.good("monitor Aux/one/DS_ID 100")  # the simulator writes its answer, and keeps it
        best = None
        for _ in range(3):
            found = dict(w.split("=") for w in tool.good("monitor Aux/one/DS_ID 100").split())
            best = found if not best or int(found["ms"]) < int(best["ms"]) else best
        print(f"# {best}")
        equal((best["definitions"], best["resources"]), ("10000", "20000"))
        equal(best["allocated"], str(20000 * 4096 * 1024))
        if int(best["kib"]) > 100 * 1024:
            raise AssertionError(f"{best['kib']} KiB")
        # The processor's time, and not the wall's: other tests run beside this one.
        if int(best["cpu_ms"]) > 1500:
            raise AssertionError(f"{best['cpu_ms']} ms of processor time")


def main():
    tap, chosen = Tap(), sys.argv[2:]
    os.environ.pop("ONEVOL_FAULT", None)
    for function in CASES:
        if chosen and function.__name__ not in chosen:
            continue
        problem, skip, start = None, None, time.monotonic()
        try:
            function()
        except Skip as reason:
            skip = str(reason)
        except Exception:  # each case on its own
            problem = traceback.format_exc()
        tap.case(function.__name__.replace("_", " "), problem, skip)
        print(f"# {time.monotonic() - start:.1f} s", flush=True)
    return tap.finish()


sys.exit(main())
