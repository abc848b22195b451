# SPDX-License-Identifier: Apache-2.0
"""What satellites do: deploy, delete, resize, clone, come and go, open and close devices."""
import codes
import place
import state
from state import Refused

devices = None  # both set by the program
device_prefix = "/dev"


def settle_layers(definition, layers, request):
    """The stack is decided at the latest with the first resource."""
    if layers and definition.resources and [l.upper() for l in layers] != definition.layers:
        raise Refused("RscDfn", codes.CREATE, codes.INVALID_LAYER_STACK,
                      f"Layer stack {layers} does not match the deployed one")
    if layers and not definition.layers:
        definition.layers = [l.upper() for l in layers]
    if not definition.layers:
        encrypted = any("ENCRYPTED" in v.flags for v in definition.volumes.values())
        definition.layers = ["DRBD", "LUKS", "STORAGE"] if encrypted else ["DRBD", "STORAGE"]


def sync_free(definition):
    """A replica whose pool shows zeros where nothing was written needs no first sync."""
    return all(r.pool() is None or r.pool().thin() for r in definition.diskful())


def new_resource(cluster, definition, node, flags, props):
    settle_layers(definition, None, None)
    ids = {r.node_id for r in definition.resources.values()}
    node_id = next(n for n in range(32) if n not in ids)
    if node_id > definition.peer_slots:
        raise Refused("Rsc", codes.CREATE, codes.NO_PEER_SLOTS,
                      f"Resource on node {node.name} has insufficient peer slots")
    if "DRBD" in definition.layers and "DRBD" not in node.layers:
        raise Refused("Rsc", codes.CREATE, codes.LAYER_UNSUPPORTED,
                      f"Satellite '{node.name}' does not support the following layers: [DRBD]")
    resource = state.Resource(definition, node, flags, props, node_id, definition.port)
    resource.hidden_reads = cluster.late_device
    definition.resources[node.name.upper()] = resource
    return resource


def deploy(cluster, definition, node, pool, from_snapshot=False):
    """A diskful replica."""
    resource = new_resource(cluster, definition, node, [], {"StorPoolName": pool.name})
    others = [r for r in definition.diskful() if r is not resource]
    if others and not from_snapshot and not sync_free(definition) and definition.drbd():
        resource.sync_reads = cluster.thick_sync_reads
    for volume in definition.volumes.values():
        deploy_volume(cluster, resource, volume)
    return resource


def deploy_diskless(cluster, definition, node, tie_breaker=False):
    flags = state.DISKLESS_FLAGS + (["TIE_BREAKER"] if tie_breaker else [])
    resource = new_resource(cluster, definition, node, flags, {"StorPoolName": state.DISKLESS_POOL})
    for volume in definition.volumes.values():
        deploy_volume(cluster, resource, volume)
    return resource


def deploy_volume(cluster, resource, volume):
    if devices:
        pool = resource.pool()
        if resource.diskful() and pool:
            devices.create(resource.definition, volume, cluster.usable_kib(resource, volume),
                           not pool.thin())
        if not resource.tie_breaker():
            devices.show(resource, volume)


def tie_breaking(cluster, definition):
    return (lambda node: deploy_diskless(cluster, definition, node, True),
            lambda resource: drop(cluster, resource))


def settle(cluster, definition, request):
    request.entries += list(place.apply_tie_breaker(cluster, definition,
                                                    *tie_breaking(cluster, definition)))


def reach_nodes(definition, request):
    """Satellites that are away learn of a change later."""
    for resource in definition.resources.values():
        if not resource.node.online:
            request.warn("Node", codes.MODIFY, codes.W_NOT_CONNECTED,
                         f"No active connection to satellite '{resource.node.name}'",
                         {"Node": resource.node.name})


def drop(cluster, resource):
    """At once, or when its node is back."""
    if devices:
        for volume in resource.definition.volumes.values():
            devices.hide(resource, volume)
    if resource.node.online:
        resource.definition.resources.pop(resource.node.name.upper(), None)
    elif "DELETE" not in resource.flags:
        resource.flags += ["DELETE", "DRBD_DELETE"] if resource.definition.drbd() else ["DELETE"]


def forget(cluster, definition):
    for resource in list(definition.resources.values()):
        if devices:
            for volume in definition.volumes.values():
                devices.hide(resource, volume)
    for volume in definition.volumes.values():
        cluster.minors.discard(volume.minor)
    if devices:
        devices.remove(definition)
    cluster.definitions.pop(definition.name.upper(), None)


def delete_definition(cluster, definition, request):
    """Where a node is away, all of it stays, marked, until that is back."""
    away = [r for r in definition.resources.values() if not r.node.online]
    if not away:
        forget(cluster, definition)
        return
    definition.flags.add("DELETE")
    for resource in definition.resources.values():
        resource.flags = list(dict.fromkeys(resource.flags + ["DELETE"]))
        if devices:
            for volume in definition.volumes.values():
                devices.hide(resource, volume)
    reach_nodes(definition, request)


def look(resource):
    """Each look is one step of time: a sync goes on, a device path gets known."""
    if resource.sync_reads > 0:
        resource.sync_reads -= 1
    if resource.hidden_reads > 0:
        resource.hidden_reads -= 1


# sizes


def resize(cluster, definition, volume, size, request):
    for resource in definition.diskful():
        if definition.drbd() and (not resource.up_to_date() or not resource.node.online and
                                  request.at_least("1.24.0")):
            raise Refused("VlmDfn", codes.MODIFY, codes.NOT_ALL_UPTODATE,
                          f"Resource '{definition.name}' on node '{resource.node.name}' is not "
                          "UpToDate")
        if "SKIPDISK" in resource.flags:
            raise Refused("VlmDfn", codes.MODIFY, 243, "Volume is in SkipDisk mode")
    if size < volume.size and (definition.drbd() or any(
            "FILE" not in r.pool().provider and "LVM" not in r.pool().provider
            for r in definition.diskful())):
        raise Refused("VlmDfn", codes.MODIFY, codes.INVALID_VOLUME_SIZE,
                      "Deployed volumes can not shrink")
    cluster.account()
    for resource in definition.diskful():
        pool = resource.pool()
        if not pool.thin() and pool.free() < size - volume.size:
            raise Refused("VlmDfn", codes.MODIFY, codes.NO_FREE_SPACE,
                          f"Not enough free space in pool '{pool.name}' on '{pool.node.name}'")
    volume.size, volume.resized = size, None
    for resource in definition.resources.values():
        if not resource.node.online:
            resource.volume_flags |= {"RESIZE", "DRBD_RESIZE"} if definition.drbd() else {"RESIZE"}
    if devices:
        for resource in definition.diskful()[:1]:
            devices.resize(definition, volume, cluster.usable_kib(resource, volume))


def fail_resize(definition, volume, old_size):
    """As after an error of a satellite: the definition has the new size, the devices do not."""
    volume.resized = old_size
    for resource in definition.resources.values():
        resource.volume_flags |= {"RESIZE"}


# clones


def clone(cluster, source, body, request, create_definition):
    for resource in source.diskful():
        provider = resource.pool().provider
        if provider not in state.CLONES:
            raise Refused("RscDfn", codes.CREATE, codes.INVALID_PROVIDER,
                          f"Storage provider {provider} does not support cloning")
        if not resource.node.online:
            raise Refused("Node", codes.CREATE, codes.NOT_CONNECTED,
                          f"No active connection to satellite '{resource.node.name}'")
        if request.at_least("1.25.0") and not resource.up_to_date():
            raise Refused("RscDfn", codes.CREATE, codes.NOT_ALL_UPTODATE,
                          f"Not all resources of '{source.name}' are UpToDate")
    group = cluster.group(body.get("resource_group") or source.group.name)
    filter_ = group.select
    for resource in source.diskful():
        if not list(place.pools_of(resource.node, filter_, 0, source.layers)):
            raise Refused("RscDfn", codes.CREATE, codes.NOT_ENOUGH_NODES,
                          f"Not enough available nodes for a clone of '{source.name}'")
    cluster.account()
    for resource in source.diskful():
        for volume in source.volumes.values():
            whole = cluster.backing_kib(source, resource.pool(), volume.size)[0]
            if not resource.pool().thin() and resource.pool().free() < whole:
                raise Refused("RscDfn", codes.CREATE, codes.INVALID_VOLUME_SIZE,
                              f"Not enough free space in pool '{resource.pool().name}'")
    made = create_definition(cluster, request, body.get("name"), group,
                             body.get("layer_list") or source.layers, None)
    made.props = {**source.props, "cloned-from": source.name}
    from api import modify
    modify(made.props, body, "RscDfn")
    made.flags.add("CLONING")
    made.clone = {"polls": cluster.clone_polls, "source": source.name}
    for number, volume in source.volumes.items():
        minor = cluster.take(cluster.minors, 1000, 49999, 801)
        made.volumes[number] = state.VolumeDefinition(made, number, volume.size, volume.flags,
                                                      volume.props, minor)
        made.volumes[number].written = volume.written
    for resource in list(source.resources.values()):
        if "INACTIVE" in resource.flags:
            continue
        if resource.diskful():
            deploy(cluster, made, resource.node, resource.pool(), from_snapshot=True)
        elif not resource.tie_breaker():
            deploy_diskless(cluster, made, resource.node)
    for resource in made.diskful():
        resource.volume_flags.add("CLONING")
    settle(cluster, made, request)
    if devices:
        devices.clone(source, made, lambda n: cluster.usable_kib(made.diskful()[0], made.volumes[n]))
    return made


def clone_step(made):
    job = made.clone
    if job.get("status"):
        return job["status"]
    if any(not r.node.online for r in made.resources.values()):
        return "FAILED"
    if job["polls"] < 0:  # never ends
        return "CLONING"
    if job["polls"] > 1:
        job["polls"] -= 1
        return "CLONING"
    job["status"] = "COMPLETE"
    made.flags.discard("CLONING")
    for resource in made.resources.values():
        resource.volume_flags.discard("CLONING")
    return "COMPLETE"


# nodes come and go; VMs open and close devices


def node_leaves(cluster, node):
    if not node.online:
        return
    node.online = False
    for definition in cluster.definitions.values():
        resource = definition.resources.get(node.name.upper())
        if resource:
            resource.in_use = False
            resource.marks = {n: v.written for n, v in definition.volumes.items()}
            if devices and resource.diskful():
                devices.node_leaves(definition, node.name)


def node_returns(cluster, node, sync_reads):
    node.online = True
    for definition in list(cluster.definitions.values()):
        resource = definition.resources.get(node.name.upper())
        if not resource:
            continue
        if "DELETE" in resource.flags:
            definition.resources.pop(node.name.upper())
            if "DELETE" in definition.flags and all(r.node.online
                                                    for r in definition.resources.values()):
                forget(cluster, definition)
            continue
        resource.volume_flags -= {"RESIZE", "DRBD_RESIZE"}
        missed = getattr(resource, "marks", {}) != {n: v.written
                                                    for n, v in definition.volumes.items()}
        if devices and resource.diskful():
            missed |= devices.node_returns(definition, node.name)
        if missed and resource.diskful():
            if definition.drbd() and any(r is not resource for r in definition.usable()):
                resource.sync_reads = sync_reads
            else:
                resource.stale = definition.drbd()


def two_primaries(cluster, definition, a, b):
    key = "DrbdOptions/Net/allow-two-primaries"
    pair = frozenset((a.node.name.upper(), b.node.name.upper()))
    for props in (definition.connections.get(pair, {}), cluster.node_connections.get(pair, {}),
                  definition.props, definition.group.props, cluster.props):
        if key in props:
            return props[key].lower() in ("yes", "true")
    return False


def has_quorum(definition):
    voters = definition.diskful()
    online = [r for r in voters if r.node.online]
    if len(voters) < 2 or definition.props.get("DrbdOptions/Resource/quorum") == "off":
        return bool(online)
    others = [r for r in definition.resources.values() if not r.diskful() and r.node.online
              and not r.client]
    return len(online) * 2 > len(voters) or len(online) * 2 == len(voters) and bool(others)


def may_open(cluster, resource):
    """Why the kernel would not make that node Primary, or None."""
    definition = resource.definition
    if not resource.node.online:
        return "its node is away"
    if not definition.drbd():
        return None
    if "DELETE" in resource.flags:
        return "it is being deleted"
    if not definition.usable():
        return "no replica is UpToDate"
    if len([r for r in definition.diskful()]) >= 2 and not has_quorum(definition):
        return "no quorum"
    primaries = [r for r in definition.in_use() if r is not resource]
    if len(primaries) >= 2:
        return "two nodes are Primary"
    if primaries and not two_primaries(cluster, definition, resource, primaries[0]):
        return f"'{primaries[0].node.name}' is Primary and two are not allowed"
    return None


def look_at_openers(cluster):
    """Where devices are of hosts: what is written, who has them open, and whether DRBD would have let
    them."""
    if not hasattr(devices, "openers"):
        return
    opened = {}
    for (content, node), writes in devices.openers().items():
        nodes = opened.setdefault(content.name.rsplit("_", 1)[0], {})
        nodes[node] = nodes.get(node, False) or writes
    for name in set(opened) | cluster.opened:
        definition = cluster.definitions.get(name)
        if definition and definition.drbd():
            note_openers(cluster, definition, opened.get(name, {}))
    cluster.opened = set(opened)
    for content in devices.loops_of:
        name, _, number = content.name.rpartition("_")
        if name in cluster.definitions:
            volume = cluster.definitions[name].volumes[int(number)]
            volume.written = devices.written_kib(volume.definition, volume) or 0


def note_openers(cluster, definition, nodes):
    for resource in definition.resources.values():
        resource.in_use = resource.node.name in nodes
    if len(nodes) > 1 and any(nodes.values()):
        first, second, *more = definition.in_use()
        if more or not two_primaries(cluster, definition, first, second):
            violation = {"resource": definition.name, "writes": nodes}
            if violation not in cluster.violations:
                cluster.violations.append(violation)
