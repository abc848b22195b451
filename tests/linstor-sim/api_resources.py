# SPDX-License-Identifier: Apache-2.0
"""Resources: list, create, make available, toggle, delete; connections of two nodes."""
import codes
import operations
import place
import state
from api import Answer, modify, route
from state import Refused


def device_path(resource, volume):
    if resource.hidden_reads or not resource.node.online or "INACTIVE" in resource.flags:
        return None
    prefix = operations.device_prefix.replace("{node}", resource.node.name)
    if resource.definition.drbd():
        return f"{prefix}/drbd{volume.minor}"
    return backing_path(resource, volume)


def backing_path(resource, volume):
    if not resource.diskful() or not resource.node.online:
        return None
    prefix = operations.device_prefix.replace("{node}", resource.node.name)
    name = f"{resource.definition.name}_{volume.number:05d}"
    pool = resource.pool()
    if operations.devices:
        return f"{prefix}/{name}"
    if pool.provider.startswith("ZFS"):
        return f"{prefix}/zvol/{pool.name}/{name}"
    return f"{prefix}/{pool.props.get('StorDriver/StorPoolName', pool.name).split('/')[0]}/{name}"


def drbd_volume(cluster, resource, volume):
    return {"drbd_volume_definition": {"volume_number": volume.number, "minor_number": volume.minor},
            "device_path": device_path(resource, volume),
            "backing_device": backing_path(resource, volume), "meta_disk": "internal",
            "allocated_size_kib": cluster.usable_kib(resource, volume) if resource.diskful() else -1,
            "usable_size_kib": cluster.usable_kib(resource, volume), "disk_state": "[]"}


def storage_volume(cluster, resource, volume):
    pool = resource.pool()
    if not resource.diskful():
        size = volume.size
    elif volume.restored and pool.provider == "FILE_THIN" and not resource.definition.drbd():
        size = max(cluster.allocated_kib(resource, volume), 8)  # as LINSTOR 1.33.3 has it
    else:
        size = cluster.backing_kib(resource.definition, pool, volume.device_kib())[0]
    return {"volume_number": volume.number, "device_path": backing_path(resource, volume),
            "allocated_size_kib": cluster.allocated_kib(resource, volume),
            "usable_size_kib": size, "disk_state": "[]"}


def connections(resource):
    others = [r for r in resource.definition.resources.values() if r is not resource]
    return {r.node.name: {"connected": r.node.online, "message": "Connected" if r.node.online
                          else "Connecting"} for r in sorted(others, key=lambda r: r.node.name)}


def layer_json(cluster, resource):
    definition = resource.definition
    volumes = [v for _, v in sorted(definition.volumes.items())]
    storage = {"type": "STORAGE", "storage": {
        "storage_volumes": [storage_volume(cluster, resource, v) for v in volumes]}}
    if not definition.drbd():
        return storage
    return {"type": "DRBD", "children": [storage], "drbd": {
        "drbd_resource_definition": {
            "peer_slots": definition.peer_slots, "al_stripes": 1, "al_stripe_size_kib": 32,
            "port": definition.port, "transport_type": "IP", "secret": "secret", "down": False},
        "node_id": resource.node_id, "tcp_ports": [definition.port], "al_stripes": 1, "al_size": 32,
        "peer_slots": definition.peer_slots, "flags": (["DISKLESS"] if not resource.diskful() else [])
        + ["INITIALIZED"] + (["CLIENT"] if resource.client else []),
        "drbd_volumes": [drbd_volume(cluster, resource, v) for v in volumes],
        "connections": connections(resource), "promotion_score": 10102 if resource.diskful() else 1,
        "may_promote": operations.may_open(cluster, resource) is None}}


def replication(resource):
    found = {}
    for other in resource.definition.resources.values():
        if other is not resource and other.node.online and not other.tie_breaker():
            slow = max(resource.sync_reads, other.sync_reads)
            found[other.node.name] = {
                "replication_state": "Established" if not slow else
                "SyncTarget" if resource.sync_reads else "SyncSource",
                "done_percentage": 100.0 if not slow else 100.0 / (slow + 1)}
    return found


def volume_json(cluster, resource, volume):
    pool, drbd = resource.pool(), resource.definition.drbd()
    layers = [{"type": "STORAGE", "data": storage_volume(cluster, resource, volume)}]
    if drbd:
        layers.insert(0, {"type": "DRBD", "data": drbd_volume(cluster, resource, volume)})
    online = resource.node.online
    return {"volume_number": volume.number, "storage_pool_name": pool.name,
            "provider_kind": pool.provider, "device_path": device_path(resource, volume),
            "allocated_size_kib": cluster.allocated_kib(resource, volume),
            "flags": sorted(resource.volume_flags),
            "state": {"disk_state": resource.disk_state(),
                      "replication_states": replication(resource)} if drbd and online else None,
            "layer_data_list": layers, "uuid": volume.uuid,
            "reports": [] if online else [state.entry("", 0, codes.WARN, codes.W_NOT_CONNECTED,
                                                      "No active connection to satellite")]}


def resource_json(cluster, resource, volumes=False):
    operations.look(resource)
    definition = resource.definition
    made = {"name": definition.name, "node_name": resource.node.name, "props": resource.props,
            "flags": resource.flags, "layer_object": layer_json(cluster, resource),
            "state": None if not resource.node.online else
            {"in_use": resource.in_use} if definition.drbd() else {},
            "uuid": resource.uuid, "create_timestamp": resource.created}
    if volumes:
        made["volumes"] = [volume_json(cluster, resource, v)
                           for _, v in sorted(definition.volumes.items())]
    return made


def ordered(definition):
    return [definition.resources[key] for key in sorted(definition.resources)]


@route("GET", "view/resources")
def view(cluster, request):
    names, nodes, pools = (request.names(key) for key in ("resources", "nodes", "storage_pools"))
    if names:
        chosen = [d for d in cluster.ordered(cluster.definitions) if d.name.upper() in names]
    else:
        chosen = cluster.ordered(cluster.definitions)
    found = [r for d in chosen if d.volumes for r in ordered(d)
             if (not nodes or r.node.name.upper() in nodes)
             and (not pools or r.pool().name.upper() in pools) and request.has_props(r.props)]
    return Answer([resource_json(cluster, r, True) for r in request.page(found)],
                  "ResourceWithVolumes[]")


@route("GET", "resource-definitions/{}/resources")
def resources(cluster, request, name):
    return Answer([resource_json(cluster, r) for r in ordered(cluster.definition(name))],
                  "Resource[]")


@route("GET", "resource-definitions/{}/resources/{}")
def resource(cluster, request, name, node):
    return Answer(resource_json(cluster, cluster.resource(cluster.definition(name), node)), "Resource")


@route("GET", "resource-definitions/{}/resources/{}/volumes")
def volumes(cluster, request, name, node):
    found = cluster.resource(cluster.definition(name), node)
    return Answer(resource_json(cluster, found, True)["volumes"], "Volume[]")


@route("GET", "resource-definitions/{}/resources/{}/volumes/{}")
def volume(cluster, request, name, node, number):
    definition = cluster.definition(name)
    found = cluster.resource(definition, node)
    if int(number) not in definition.volumes:
        raise Refused("Vlm", 0, codes.NO_VLM, f"Volume {number} of '{name}' on '{node}' not found.")
    operations.look(found)
    return Answer(volume_json(cluster, found, definition.volumes[int(number)]), "Volume")


# create


def choose_pool(cluster, definition, node, name):
    if name:
        pool = node.pools.get(name.upper())
        if not pool:
            raise Refused("Rsc", codes.CREATE, codes.NO_POOL_DFN,
                          f"Storage pool definition '{name}' not found.")
        return pool
    for props in (definition.props, definition.group.props, cluster.props):
        if props.get("StorPoolName"):
            return choose_pool(cluster, definition, node, props["StorPoolName"])
    wanted = definition.group.select.get("storage_pool_list") or []
    for candidate in wanted + ["DfltStorPool"]:
        if candidate.upper() in node.pools:
            return node.pools[candidate.upper()]
    raise Refused("Rsc", codes.CREATE, codes.NO_DEFAULT_POOL,
                  f"No default storage pool on node '{node.name}'.")


def check_room(cluster, definition, pool):
    cluster.account()
    size = sum(v.size for v in definition.volumes.values())
    if pool.room() < size:
        raise Refused("Rsc", codes.CREATE, codes.INVALID_VOLUME_SIZE,
                      f"Not enough free space in storage pool '{pool.name}' on '{pool.node.name}'")


def created(request, resource):
    request.say("Rsc", codes.CREATE, codes.CREATED, f"New resource '{resource.definition.name}' on node "
                f"'{resource.node.name}' registered.",
                {"RscDfn": resource.definition.name, "Node": resource.node.name,
                 "UUID": resource.uuid})


def create_one(cluster, request, definition, body):
    wanted = body.get("resource")
    if wanted is None:
        raise Refused("Rsc", codes.CREATE, codes.UNKNOWN_ERROR, "Field resource is missing")
    node = cluster.node(wanted.get("node_name"))
    operations.settle_layers(definition, body.get("layer_list"), request)
    name = (wanted.get("props") or {}).get("StorPoolName")
    flags = set(wanted.get("flags") or [])
    diskless = bool(flags & {"DISKLESS", "DRBD_DISKLESS"})
    if name and node.pools.get(name.upper()) and node.pools[name.upper()].provider == "DISKLESS":
        diskless = True
    existing = definition.resources.get(node.name.upper())
    if existing is None:
        if diskless:
            made = operations.deploy_diskless(cluster, definition, node)
        else:
            pool = choose_pool(cluster, definition, node, name)
            check_room(cluster, definition, pool)
            made = operations.deploy(cluster, definition, node, pool)
        made.client = bool(body.get("drbd_client"))
        created(request, made)
    elif "DRBD_DISKLESS" in existing.flags:
        revive(existing)
        if diskless:
            existing.flags = list(state.DISKLESS_FLAGS)
        else:
            to_diskful(cluster, existing, choose_pool(cluster, definition, node, name))
        show(existing)
        created(request, existing)
    elif request.at_least("1.6.0"):
        request.info("Rsc", codes.CREATE, codes.I_RSC_EXISTS,
                     f"Resource '{definition.name}' on node '{node.name}' already exists.")
        return False
    else:
        raise Refused("Rsc", codes.CREATE, codes.EXISTS_RSC, f"A resource '{definition.name}' on node "
                      f"'{node.name}' already exists.")
    if not node.online:
        request.warn("Node", codes.CREATE, codes.W_NOT_CONNECTED,
                     f"No active connection to satellite '{node.name}'")
    return True


def show(resource):
    if operations.devices and not resource.tie_breaker():
        for volume in resource.definition.volumes.values():
            operations.devices.show(resource, volume)


def revive(resource):
    resource.flags = [f for f in resource.flags if f not in ("DELETE", "DRBD_DELETE")]


def to_diskful(cluster, resource, pool):
    check_room(cluster, resource.definition, pool)
    resource.flags, resource.props = [], {**resource.props, "StorPoolName": pool.name}
    resource.sync_reads = cluster.thick_sync_reads if not pool.thin() else 0


@route("POST", "resource-definitions/{}/resources", "ResourceCreate[]")
def create(cluster, request, name):
    definition = cluster.definition(name)
    before = dict(definition.resources)
    done = [create_one(cluster, request, definition, body) for body in request.body]
    if not all(done):  # one that exists takes all others back, and that is no error
        for key in set(definition.resources) - set(before):
            operations.drop(cluster, definition.resources[key])
        request.entries = [e for e in request.entries if codes.severity(e["ret_code"])]
        return request.answer(201)
    operations.settle(cluster, definition, request)
    return request.answer(201)


@route("POST", "resource-definitions/{}/resources/{}", "ResourceCreate")
def create_on(cluster, request, name, node):
    definition = cluster.definition(name)
    body = dict(request.body)
    body["resource"] = {**(body.get("resource") or {}), "node_name": node}
    if create_one(cluster, request, definition, body):
        operations.settle(cluster, definition, request)
    return request.answer(201)


@route("POST", "resource-definitions/{}/resources/{}/make-available", "ResourceMakeAvailable", "1.7.0")
def make_available(cluster, request, name, node_name):
    definition, node = cluster.definition(name), cluster.node(node_name)
    operations.settle_layers(definition, request.body.get("layer_list"), request)
    existing, diskful = definition.resources.get(node.name.upper()), request.body.get("diskful")
    if existing:
        make_existing_available(cluster, request, existing, diskful)
    elif definition.drbd() and not diskful and definition.usable():
        made = operations.deploy_diskless(cluster, definition, node)
        made.client = request.at_least("1.28.0")
        created(request, made)
    else:
        filter_ = dict(place.merged(definition.group, None, plain=True), node_name_list=[node.name],
                       additional_place_count=1)
        try:
            (where, pool), = place.autoplace(cluster, definition, filter_)
        except Refused as refused:
            raise Refused("Rsc", codes.CREATE, codes.NO_POOL, "Autoplacer could not find diskful stor "
                          f"pool on node {node.name} matching resource-groups autoplace-settings") \
                from refused
        created(request, operations.deploy(cluster, definition, where, pool))
    operations.settle(cluster, definition, request)
    operations.reach_nodes(definition, request)
    return request.answer()


def make_existing_available(cluster, request, resource, diskful):
    definition = resource.definition
    revive(resource)
    resource.flags = [f for f in resource.flags if f not in ("INACTIVE", "TIE_BREAKER")]
    if diskful and not resource.diskful():
        pools = list(place.pools_of(resource.node, definition.group.select, 0, definition.layers))
        if not pools:
            raise Refused("Rsc", codes.CREATE, codes.NO_POOL, "Autoplacer could not find diskful stor "
                          f"pool on node {resource.node.name}")
        to_diskful(cluster, resource, pools[0])
    show(resource)
    request.say("Rsc", codes.MODIFY, 0, f"Resource '{definition.name}' on node "
                f"'{resource.node.name}' already deployed", {"RscDfn": definition.name})


# delete


@route("DELETE", "resource-definitions/{}/resources/{}")
def delete(cluster, request, name, node_name):
    definition = cluster.definitions.get(name.upper())
    found = definition.resources.get(node_name.upper()) if definition else None
    refs = {"RscDfn": name, "Node": node_name}
    if not found:
        request.warn("Rsc", codes.DELETE, codes.W_NOT_FOUND, f"Node: {node_name}, Resource: {name} not "
                     "found.", refs)
        return request.answer()
    if found.in_use:
        raise Refused("Rsc", codes.DELETE, codes.IN_USE, f"Resource '{definition.name}' on node "
                      f"'{found.node.name}' is still in use.", refs=refs)
    others = [r for r in definition.resources.values() if r is not found and "DELETE" not in r.flags]
    if found.diskful() and not any(r.diskful() for r in others) and \
            any(not r.diskful() and not r.tie_breaker() for r in others):
        raise Refused("Rsc", codes.DELETE, codes.IN_USE, f"Last resource of '{definition.name}' with disk "
                      "still has diskless resources attached.", refs=refs)
    if found.tie_breaker():
        if not request.flag("keep_tiebreaker") or not request.at_least("1.23.0"):
            definition.props["DrbdOptions/auto-add-quorum-tiebreaker"] = "False"
            operations.drop(cluster, found)
        request.say("Rsc", codes.DELETE, codes.DELETED, "Tie breaker marked for deletion.", refs)
        return request.answer()
    was_diskless = not found.diskful() and definition.drbd()
    request.say("Rsc", codes.DELETE, codes.DELETED, f"Node: {found.node.name}, Resource: "
                f"{definition.name} preparing for deletion.", {**refs, "UUID": found.uuid})
    if was_diskless:
        take_over(cluster, request, found)
    else:
        operations.drop(cluster, found)
    operations.settle(cluster, definition, request)
    if not found.node.online:
        request.warn("Node", codes.DELETE, codes.W_NOT_CONNECTED,
                     f"No active connection to satellite '{found.node.name}'")
    return request.answer()


def take_over(cluster, request, found):
    """A diskless resource that goes stays as tie-breaker where one is wanted."""
    definition = found.definition
    flags, found.flags = found.flags, found.flags + ["TIE_BREAKER"]
    wanted = place.wants_tie_breaker(cluster, definition) and not any(
        r.tie_breaker() for r in definition.resources.values() if r is not found)
    if wanted and not found.client and found.node.online:
        if operations.devices:
            for volume_ in definition.volumes.values():
                operations.devices.hide(found, volume_)
        request.info("Rsc", codes.DELETE, codes.I_TIE_BREAKER_TAKEOVER,
                     f"The given resource will not be deleted but will be taken over as a linstor "
                     f"managed tiebreaker resource on node '{found.node.name}'.")
    else:
        found.flags = flags
        operations.drop(cluster, found)


# toggle, activate, modify


def toggle(cluster, request, name, node_name, diskless, pool_name=None):
    definition = cluster.definition(name)
    found = cluster.resource(definition, node_name)
    if not definition.drbd():
        raise Refused("Rsc", codes.MODIFY, codes.INVALID_LAYER_STACK, "Toggle disk is only supported in "
                      "combination with DRBD")
    if diskless == (not found.diskful()):
        request.info("Rsc", codes.MODIFY, codes.I_NOOP, "Resource already is as requested")
        return request.answer()
    if diskless:
        if len(definition.usable()) <= 1:
            raise Refused("Rsc", codes.MODIFY, codes.TOO_FEW_REPLICAS,
                          "Cannot remove the disk from the only online resource with a disk")
        found.flags = list(state.DISKLESS_FLAGS)
        found.props["StorPoolName"] = state.DISKLESS_POOL
    else:
        to_diskful(cluster, found, choose_pool(cluster, definition, found.node, pool_name))
    request.say("Rsc", codes.MODIFY, codes.MODIFIED, "Toggle disk done")
    operations.settle(cluster, definition, request)
    return request.answer()


@route("PUT", "resource-definitions/{}/resources/{}/toggle-disk/diskless")
def to_diskless_old(cluster, request, name, node):
    return toggle(cluster, request, name, node, True)


@route("PUT", "resource-definitions/{}/resources/{}/toggle-disk/diskful")
def to_diskful_old(cluster, request, name, node):
    return toggle(cluster, request, name, node, False)


@route("PUT", "resource-definitions/{}/resources/{}/toggle-disk/diskful/{}")
def to_diskful_pool_old(cluster, request, name, node, pool):
    return toggle(cluster, request, name, node, False, pool)


@route("PUT", "resource-definitions/{}/resources/{}/toggle-disk", "ToggleDiskRequest", "1.28.0")
def toggle_new(cluster, request, name, node):
    return toggle(cluster, request, name, node, request.body.get("operation") != "INTO_DRBD_DISKFUL",
                  request.body.get("storage_pool"))


@route("POST", "resource-definitions/{}/resources/{}/activate", since="1.7.0")
def activate(cluster, request, name, node):
    found = cluster.resource(cluster.definition(name), node)
    found.flags = [f for f in found.flags if f != "INACTIVE"]
    request.say("Rsc", codes.MODIFY, codes.MODIFIED, "Resource activated")
    return request.answer()


@route("POST", "resource-definitions/{}/resources/{}/deactivate", since="1.7.0")
def deactivate(cluster, request, name, node):
    found = cluster.resource(cluster.definition(name), node)
    if found.in_use:
        raise Refused("Rsc", codes.MODIFY, codes.IN_USE, "Resource is in use")
    found.flags = list(dict.fromkeys(found.flags + ["INACTIVE"]))
    request.say("Rsc", codes.MODIFY, codes.MODIFIED, "Resource deactivated")
    return request.answer()


@route("PUT", "resource-definitions/{}/resources/{}", "ResourceModify")
def change(cluster, request, name, node):
    found = cluster.resource(cluster.definition(name), node)
    modify(found.props, request.body, "Rsc")
    request.say("Rsc", codes.MODIFY, codes.MODIFIED, "Resource modified.")
    operations.reach_nodes(found.definition, request)
    return request.answer()


# connections


@route("PUT", "resource-definitions/{}/resource-connections/{}/{}", "ResourceConnectionModify")
def change_connection(cluster, request, name, a, b):
    definition = cluster.definition(name)
    pair = frozenset(cluster.resource(definition, n).node.name.upper() for n in (a, b))
    modify(definition.connections.setdefault(pair, {}), request.body, "RscConn")
    request.say("RscConn", codes.MODIFY, codes.MODIFIED, "Resource connection modified.")
    return request.answer()


@route("GET", "resource-definitions/{}/resource-connections/{}/{}")
def connection(cluster, request, name, a, b):
    definition = cluster.definition(name)
    pair = frozenset((a.upper(), b.upper()))
    return Answer({"node_a": a, "node_b": b, "props": definition.connections.get(pair, {})},
                  "ResourceConnection")
