# SPDX-License-Identifier: Apache-2.0
"""Snapshots: take, list, delete, restore, roll back."""
import codes
import operations
import state
from api import Answer, modify, route
from state import Refused, check_name


def snapshot_json(snapshot):
    props = {"SequenceNumber": str(snapshot.sequence), **snapshot.props}
    nodes = [snapshot.nodes[key] for key in sorted(snapshot.nodes)]
    return {"name": snapshot.name, "resource_name": snapshot.definition.name,
            "nodes": [name for name, _ in nodes], "flags": snapshot.flags, "uuid": snapshot.uuid,
            "snapshot_definition_props": props, "resource_definition_props": snapshot.rd_props,
            "props": {**snapshot.rd_props, **props},
            "volume_definitions": [{"volume_number": n, "size_kib": s,
                                    "volume_definition_props": snapshot.volume_props[n]}
                                   for n, s in sorted(snapshot.sizes.items())],
            "snapshots": [{"snapshot_name": snapshot.name, "node_name": name,
                           "create_timestamp": created, "uuid": snapshot.uuid,
                           "resource_props": {"StorPoolName": snapshot.pools.get(name.upper()) or ""},
                           "snapshot_volumes": [{"vlm_nr": n, "uuid": snapshot.uuid}
                                                for n in sorted(snapshot.sizes)]}
                          for name, created in nodes]}


def ordered(definition):
    return [definition.snapshots[key] for key in sorted(definition.snapshots)]


@route("GET", "resource-definitions/{}/snapshots")
def snapshots(cluster, request, name):
    return Answer([snapshot_json(s) for s in ordered(cluster.definition(name))], "Snapshot[]")


@route("GET", "resource-definitions/{}/snapshots/{}")
def snapshot(cluster, request, name, which):
    definition = cluster.definition(name)
    found = definition.snapshots.get(which.upper())
    if not found:
        raise Refused("Snapshot", 0, codes.NO_SNAPSHOT,
                      f"Snapshot '{which}' of resource '{name}' not found.")
    return Answer(snapshot_json(found), "Snapshot")


@route("GET", "view/snapshots")
def view(cluster, request):
    names, nodes = request.names("resources"), request.names("nodes")
    found = [s for d in cluster.ordered(cluster.definitions) if not names or d.name.upper() in names
             for s in ordered(d) if not nodes or nodes & set(s.nodes)]
    return Answer([snapshot_json(s) for s in request.page(found)], "Snapshot[]")


def take(cluster, request, definition, body):
    name = body.get("name")
    check_name(name, "Snapshot", codes.INVALID_SNAPSHOT_NAME)
    if name.upper() in definition.snapshots:
        raise Refused("Snapshot", codes.CREATE, codes.EXISTS_SNAPSHOT_DFN, f"Snapshot '{name}' of resource "
                      f"'{definition.name}' already exists.")
    wanted = [n.upper() for n in body.get("nodes") or []]
    replicas = [r for r in definition.diskful() if not wanted or r.node.name.upper() in wanted]
    for node in wanted:
        if node not in {r.node.name.upper() for r in replicas}:
            raise Refused("Snapshot", codes.CREATE, codes.NO_SNAPSHOTS if node in definition.resources
                          else codes.NO_RSC, f"No diskful resource on node '{node}'")
    if not replicas:
        raise Refused("Snapshot", codes.CREATE, codes.NOT_CONNECTED,
                      f"No resource of '{definition.name}' to take a snapshot of")
    for replica in replicas:
        if replica.pool().provider not in state.SNAPSHOTS:
            raise Refused("Snapshot", codes.CREATE, codes.NO_SNAPSHOTS, f"Storage driver "
                          f"'{replica.pool().provider}' does not support snapshots.",
                          details=f"Used for storage pool '{replica.pool().name}' on "
                          f"'{replica.node.name}'.")
    online = [r for r in replicas if r.node.online]
    if not online:
        raise Refused("Snapshot", codes.CREATE, codes.NOT_CONNECTED,
                      "No active connection to any diskful satellite")
    for replica in online:
        if definition.drbd() and not replica.up_to_date():
            raise Refused("Snapshot", codes.CREATE, codes.SNAPSHOT_NOT_UPTODATE,
                          f"Resource on node '{replica.node.name}' is not UpToDate")
    made = state.Snapshot(definition, name, [r.node.name for r in online],
                          body.get("snapshot_definition_props") or {})
    definition.snapshots[name.upper()] = made
    if operations.devices:
        operations.devices.snapshot(definition, name)
    request.say("Snapshot", codes.CREATE, codes.CREATED, f"New snapshot '{name}' of resource "
                f"'{definition.name}' registered.",
                {"RscDfn": definition.name, "Snapshot": name, "UUID": made.uuid})
    for replica in replicas:
        if not replica.node.online:
            request.warn("Snapshot", codes.CREATE, 0, f"Snapshot for resource '{definition.name}' will not "
                         f"be created on node '{replica.node.name}' because that node is currently "
                         "offline.")
    return made


@route("POST", "resource-definitions/{}/snapshots", "Snapshot")
def create(cluster, request, name):
    take(cluster, request, cluster.definition(name), request.body)
    return request.answer(201)


@route("POST", "actions/snapshot/multi", "CreateMultiSnapshotRequest", "1.18.0")
def multi(cluster, request):
    made = []
    try:
        for body in request.body.get("snapshots") or []:
            made.append(take(cluster, request, cluster.definition(body.get("resource_name")), body))
    except Refused:
        for snapshot_ in made:
            remove(snapshot_.definition, snapshot_)
        request.entries = []
        raise
    return request.answer(201)


@route("PUT", "resource-definitions/{}/snapshots/{}", "SnapshotModify", "1.26.0")
def change(cluster, request, name, which):
    found = cluster.snapshot(cluster.definition(name), which)
    modify(found.props, request.body, "Snapshot")
    request.say("Snapshot", codes.MODIFY, codes.MODIFIED, "Snapshot modified.")
    return request.answer()


def remove(definition, found):
    del definition.snapshots[found.name.upper()]
    if operations.devices:
        operations.devices.drop_snapshot(definition, found.name)


@route("DELETE", "resource-definitions/{}/snapshots/{}")
def delete(cluster, request, name, which):
    definition = cluster.definitions.get(name.upper())
    found = definition.snapshots.get(which.upper()) if definition else None
    refs = {"RscDfn": name, "Snapshot": which}
    if not found:
        request.warn("Snapshot", codes.DELETE, codes.W_NOT_FOUND,
                     f"Snapshot '{which}' of resource '{name}' not found.", refs)
        return request.answer()
    remove(definition, found)
    request.say("Snapshot", codes.DELETE, codes.DELETED, f"Snapshot '{which}' of resource '{name}' marked "
                "for deletion.", {**refs, "UUID": found.uuid})
    return request.answer()


# roll back, restore


@route("POST", "resource-definitions/{}/snapshot-rollback/{}", "SnapshotRollback", need_body=False)
def rollback(cluster, request, name, which):
    definition = cluster.definition(name)
    found = cluster.snapshot(definition, which)
    if "SUCCESSFUL" not in found.flags:
        raise Refused("Snapshot", codes.MODIFY, codes.UNKNOWN_ERROR,
                      f"Unable to roll back to failed snapshot '{found.name}'")
    for resource in definition.resources.values():
        if not resource.node.online:
            raise Refused("Node", codes.MODIFY, codes.NOT_CONNECTED,
                          f"No active connection to satellite '{resource.node.name}'")
    for resource in definition.in_use():
        raise Refused("Snapshot", codes.MODIFY, codes.IN_USE, f"Resource '{definition.name}' on node "
                      f"'{resource.node.name}' is still in use.")
    newest = max(definition.snapshots.values(), key=lambda s: s.sequence)
    if newest is not found and not request.at_least("1.25.0"):
        raise Refused("Snapshot", codes.MODIFY, codes.EXISTS_SNAPSHOT_DFN, f"Rollback is only allowed with "
                      f"the most recent snapshot, which is '{newest.name}'")
    for number, size in found.sizes.items():
        if number in definition.volumes:
            definition.volumes[number].size = size
            definition.volumes[number].resized = None
            definition.volumes[number].written = found.written.get(number, 0)
    definition.props = dict(found.rd_props)
    definition.shows_layers = definition.drbd()  # as LINSTOR 1.33.3 has it; with DRBD: not seen
    for resource in definition.diskful():
        resource.stale = False
    if operations.devices:
        operations.devices.restore(definition, found.name, definition, lambda n: found.sizes[n])
    request.say("Snapshot", codes.MODIFY, codes.MODIFIED, f"Successfully rolled back resource "
                f"'{definition.name}' to snapshot '{found.name}'.")
    return request.answer()


@route("POST", "resource-definitions/{}/snapshot-restore-volume-definition/{}", "SnapshotRestore",
       parse_status=400)
def restore_volumes(cluster, request, name, which):
    source = cluster.definition(name)
    found = cluster.snapshot(source, which)
    target = cluster.definition(request.body.get("to_resource"))
    for number, size in sorted(found.sizes.items()):
        if number in target.volumes:
            raise Refused("VlmDfn", codes.CREATE, codes.EXISTS_VLM_DFN,
                          f"Volume definition {number} already exists in '{target.name}'")
        minor = cluster.take(cluster.minors, 1000, 49999, 801)
        target.volumes[number] = state.VolumeDefinition(target, number, size, [], {}, minor)
    request.say("Snapshot", codes.MODIFY, codes.DELETED, f"Volume definitions of snapshot '{found.name}' "
                f"restored to '{target.name}'.")
    return request.answer()


@route("POST", "resource-definitions/{}/snapshot-restore-resource/{}", "SnapshotRestore")
def restore_resources(cluster, request, name, which):
    source = cluster.definition(name)
    found = cluster.snapshot(source, which)
    target = cluster.definition(request.body.get("to_resource"))
    if target.resources:
        raise Refused("Rsc", codes.CREATE, codes.EXISTS_RSC, f"Cannot restore to resource definition "
                      f"'{target.name}' which already has resources")
    for number, size in found.sizes.items():
        if number not in target.volumes:  # nothing is restored then, and that is no error
            request.warn("Rsc", codes.CREATE, codes.W_NOT_FOUND,
                         f"Volume definition {number} of '{target.name}' not found")
        elif target.volumes[number].size != size:
            raise Refused("VlmDfn", codes.CREATE, codes.INVALID_VOLUME_SIZE,
                          f"The size of volume {number} does not match the snapshot's")
    wanted = [n.upper() for n in request.body.get("nodes") or []] or sorted(found.nodes)
    for key in wanted:
        if key not in found.nodes:
            raise Refused("Snapshot", codes.CREATE, codes.NO_SNAPSHOT,
                          f"Snapshot '{found.name}' is not on node '{key}'")
    target.layers = target.layers or list(source.layers)
    target.props.update(found.rd_props)
    target.shows_layers = target.drbd()
    for key in wanted:
        node = cluster.node(found.nodes[key][0])
        pool = node.pools[found.pools[key].upper()]
        operations.deploy(cluster, target, node, pool, from_snapshot=True)
    for number in target.volumes:
        target.volumes[number].written = found.written.get(number, 0)
        target.volumes[number].restored = True
    if operations.devices:
        first = target.diskful()[0]
        operations.devices.restore(source, found.name, target,
                                   lambda n: cluster.usable_kib(first, target.volumes[n]))
    request.say("Snapshot", codes.CREATE, codes.CREATED, f"Resource '{target.name}' restored from "
                f"'{source.name}', snapshot '{found.name}'.")
    operations.settle(cluster, target, request)
    return request.answer()
