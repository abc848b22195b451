#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""LINBIT's own Python client against the simulator: it must take it for a controller.

The client (LINBIT/linstor-api-py) is looked for in the directory that LINSTOR_PYTHON_CLIENT names,
else among the installed modules.

usage: linstor_python.py
Prints TAP.
"""
import os
import sys
import traceback

from linstor_lab import Sim
from played_site import Tap

MIB = 1 << 20
VERSIONS = ["1.7.0", "1.10.2", "1.13.0", "1.18.0", "1.20.2", "1.23.0", "1.25.1", "1.27.0", "1.28.0"]


def load():
    directory = os.environ.get("LINSTOR_PYTHON_CLIENT")
    if directory:
        sys.path.insert(0, directory)
    sys.dont_write_bytecode = True
    try:
        import linstor
        return linstor
    except ImportError:
        return None


def good(linstor, replies, what):
    if not linstor.Linstor.all_api_responses_no_error(replies):
        raise AssertionError(f"{what}: {[str(r) for r in replies]}")
    return replies


def bad(linstor, replies, code, what):
    errors = linstor.Linstor.filter_api_call_response_errors(replies)
    if not errors or errors[0].ret_code & 0x7FFF != code:
        raise AssertionError(f"{what}: wanted {code}: {[str(r) for r in replies]}")


def equal(found, wanted, what):
    if found != wanted:
        raise AssertionError(f"{what}: {found!r}, wanted {wanted!r}")


def definitions(linstor, client, version):
    ok = lambda replies, what: good(linstor, replies, what)  # noqa: E731
    ok(client.resource_group_create("pyrg", place_count=2, storage_pool=["pool1"]), "group")
    ok(client.volume_group_create("pyrg"), "volume group")
    bad(linstor, client.resource_group_create("pyrg"), 522, "group again")
    equal([g.name for g in client.resource_group_list_raise(["pyrg"]).resource_groups], ["pyrg"], "groups")
    ok(client.resource_dfn_create("py-a1", resource_group="pyrg", layer_list=["DRBD", "STORAGE"]), "create")
    bad(linstor, client.resource_dfn_create("py-a1"), 501, "create again")
    ok(client.volume_dfn_create("py-a1", 8 * 1024), "volume")
    ok(client.resource_auto_place("py-a1", 2), "autoplace")
    ok(client.resource_dfn_modify("py-a1", {"Aux/one/VM_ID": "5"}), "modify")
    equal(client.resource_dfn_props_list("py-a1")["Aux/one/VM_ID"], "5", "property")
    found = client.resource_dfn_list_raise(filter_by_props=["Aux/one/VM_ID=5"]).resource_definitions
    equal([(d.name, d.volume_definitions[0].size) for d in found], [("py-a1", 8 * 1024)], "list")
    ok(client.volume_dfn_modify("py-a1", 0, size=16 * 1024), "resize")
    ok(client.resource_group_spawn("pyrg", "py-a2", ["8M"]), "spawn")
    if version >= (1, 17, 0):
        info = client.resource_group_query_size_info("pyrg").space_info
        equal(0 < info.available_size_in_kib <= info.capacity_in_kib, True, "space")


def resources(linstor, client, version):
    ok = lambda replies, what: good(linstor, replies, what)  # noqa: E731
    views = client.volume_list_raise(filter_by_resources=["py-a1"])
    equal(len([r for r in views.resources if "DISKLESS" not in r.flags]), 2, "diskful")
    for resource in views.resources:
        for volume in resource.volumes:
            equal(volume.number, 0, "volume")
            if "DISKLESS" not in resource.flags:
                equal(volume.device_path.startswith("/dev/drbd"), True, "device")
    equal(len(client.node_list_raise().nodes) >= 3, True, "nodes")
    for pool in client.storage_pool_list_raise(filter_by_stor_pools=["pool1"]).storage_pools:
        equal((pool.name, pool.is_thin()), ("pool1", True), "pool")
    for node in ("n1", "n2", "n3"):
        ok(client.resource_make_available(node, "py-a1", False), "make available")
    diskless = [r.node_name for r in client.resource_list_raise(filter_by_resources=["py-a1"]).resources
                if "DISKLESS" in r.flags]
    equal(len(diskless), 1, "diskless")
    ok(client.resource_delete(diskless[0], "py-a1"), "delete the diskless one")
    left = client.resource_list_raise(filter_by_resources=["py-a1"]).resources
    equal(len([r for r in left if "TIE_BREAKER" in r.flags]), 1, "it stays as tie-breaker")
    resource = linstor.Resource("py-a1", existing_client=client)
    resource.allow_two_primaries = True
    equal(linstor.Resource("py-a1", existing_client=client).allow_two_primaries, True, "two primaries")
    equal(resource.is_diskful(next(r.node_name for r in left if "DISKLESS" not in r.flags)), True, "diskful")


def snapshots(linstor, client, version):
    ok = lambda replies, what: good(linstor, replies, what)  # noqa: E731
    ok(client.snapshot_create([], "py-a1", "snapshot-1", False), "snapshot")
    bad(linstor, client.snapshot_create([], "py-a1", "snapshot-1", False), 514, "snapshot again")
    found = client.snapshot_dfn_list_raise(filter_by_resources=["py-a1"]).snapshots
    equal([s.name for s in found], ["snapshot-1"], "snapshots")
    ok(client.resource_dfn_create("py-a3", resource_group="pyrg"), "create")
    ok(client.snapshot_volume_definition_restore("py-a1", "snapshot-1", "py-a3"), "restore volumes")
    ok(client.snapshot_resource_restore([], "py-a1", "snapshot-1", "py-a3"), "restore resources")
    ok(client.snapshot_rollback("py-a1", "snapshot-1"), "rollback")
    bad(linstor, client.resource_dfn_delete("py-a1"), 514, "delete with snapshots")
    if version >= (1, 10, 0):
        client.resource_dfn_clone("py-a1", "py-a4")
        client.resource_dfn_clone_wait_complete("py-a1", "py-a4", wait_interval=0.05, timeout=10)
    if version >= (1, 13, 0):
        equal(client.resource_dfn_wait_synced("py-a1", wait_interval=0.05, timeout=10), True, "synced")
    ok(client.snapshot_delete("py-a1", "snapshot-1"), "delete snapshot")
    for name in ("py-a1", "py-a2", "py-a3", "py-a4", "py-a4"):
        ok(client.resource_dfn_delete(name), name)
    ok(client.error_report_list(), "error reports")


def run(linstor, version):
    with Sim("--rest", version, "--nodes", "0", "--node", "n1", "--node", "n2", "--node", "n3",
             "--pools", "pool1:LVM_THIN:10240") as sim:
        with linstor.MultiLinstor([f"linstor://127.0.0.1:{sim.ports[0]}"], keep_alive=True) as client:
            numbers = tuple(int(n) for n in version.split("."))
            equal(client.controller_version().rest_api_version, version, "version")
            for part in (definitions, resources, snapshots):
                part(linstor, client, numbers)


def main():
    tap, linstor = Tap(), load()
    for version in VERSIONS:
        if not linstor:
            tap.case(f"REST {version}", skip="LINBIT's Python client is not here")
            continue
        problem = None
        try:
            run(linstor, version)
        except Exception:  # each version on its own
            problem = traceback.format_exc()
        tap.case(f"REST {version}", problem)
    return tap.finish()


sys.exit(main())
