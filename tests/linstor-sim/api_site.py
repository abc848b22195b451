# SPDX-License-Identifier: Apache-2.0
"""The site: controller, nodes, storage pools, resource groups, passphrase, error reports."""
import codes
import place
import state
from api import Answer, modify, route
from state import Refused, check_name

LINSTOR = {  # the release that has a REST version last, as its version endpoint says
    (1, 7, 0): "1.12.6", (1, 10, 2): "1.15.0", (1, 13, 0): "1.18.0", (1, 16, 0): "1.20.3",
    (1, 18, 0): "1.22.1", (1, 20, 2): "1.25.1", (1, 21, 0): "1.26.2", (1, 22, 0): "1.27.1",
    (1, 23, 0): "1.29.2", (1, 24, 0): "1.30.4", (1, 25, 1): "1.31.3", (1, 26, 0): "1.32.3",
    (1, 27, 0): "1.33.3", (1, 28, 0): "1.34.0"}


@route("GET", "controller/version")
def version(cluster, request):
    name = LINSTOR.get(request.version) or "1.%d.0" % (request.version[1] + 6)
    return Answer({"version": name, "git_hash": "0" * 40, "rest_api_version": "%d.%d.%d" %
                   request.version, "build_time": "2026-01-01T00:00:00+00:00"}, "ControllerVersion")


@route("GET", "controller/properties")
def properties(cluster, request):
    return Answer(cluster.props, "string{}")


@route("POST", "controller/properties", "ControllerPropsModify")
def set_properties(cluster, request):
    modify(cluster.props, request.body, "Ctrl")
    request.say("Ctrl", codes.MODIFY, codes.MODIFIED, "Successfully set properties")
    return request.answer(201)


# nodes


def node_json(node):
    return {"name": node.name, "type": node.kind, "flags": node.flags, "props": node.props,
            "net_interfaces": [{"name": "default", "address": node.address, "satellite_port": 3366,
                                "satellite_encryption_type": "PLAIN", "is_active": True,
                                "uuid": node.uuid}],
            "connection_status": "ONLINE" if node.online else "OFFLINE", "uuid": node.uuid,
            "storage_providers": ["DISKLESS", "LVM", "LVM_THIN", "ZFS", "ZFS_THIN", "FILE",
                                  "FILE_THIN"] if node.online else [],
            "resource_layers": node.layers if node.online else ["STORAGE"],
            "unsupported_layers": {"NVME": ["no such module"]},
            "unsupported_providers": {"SPDK": ["no such tool"]}}


@route("GET", "nodes")
def nodes(cluster, request):
    names = request.names("nodes")
    return Answer(request.page([node_json(n) for n in cluster.ordered(cluster.nodes)
                                if (not names or n.name.upper() in names)
                                and request.has_props(n.props)]), "Node[]")


@route("GET", "nodes/{}")
def node(cluster, request, name):
    return Answer(node_json(cluster.node(name)), "Node")


@route("POST", "nodes", "Node")
def create_node(cluster, request):
    name = request.body.get("name")
    if not name or len(name) < 2:
        raise Refused("Node", codes.CREATE, codes.INVALID_NODE_NAME, f"Node name '{name}' is invalid")
    if name.upper() in cluster.nodes:
        raise Refused("Node", codes.CREATE, codes.EXISTS_NODE, f"Node '{name}' already exists.")
    cluster.nodes[name.upper()] = made = state.Node(name)
    made.kind = request.body.get("type", "SATELLITE").upper()
    request.say("Node", codes.CREATE, codes.CREATED, f"New node '{name}' registered.",
                {"Node": name, "UUID": made.uuid})
    return request.answer(201)


@route("PUT", "nodes/{}", "NodeModify")
def modify_node(cluster, request, name):
    found = cluster.node(name)
    modify(found.props, request.body, "Node")
    request.say("Node", codes.MODIFY, codes.MODIFIED, f"Node '{found.name}' modified.",
                {"Node": found.name})
    return request.answer()


# storage pools


def pool_json(pool):
    diskless = pool.provider == "DISKLESS"
    known = pool.node.online
    free = state.UNLIMITED if diskless else pool.free()
    traits = {} if diskless else {"Provisioning": "Thin" if pool.thin() else "Fat",
                                  "SupportsSnapshots": str(pool.provider in state.SNAPSHOTS).lower()}
    return {"storage_pool_name": pool.name, "node_name": pool.node.name,
            "provider_kind": pool.provider, "props": pool.props, "static_traits": traits,
            "free_capacity": free if known else None,
            "total_capacity": (state.UNLIMITED if diskless else pool.total) if known else None,
            "free_space_mgr_name": f"{pool.node.name};{pool.name}", "uuid": pool.uuid,
            "supports_snapshots": pool.provider in state.SNAPSHOTS, "external_locking": False,
            "reports": [] if known else [state.entry(
                "", 0, codes.WARN, codes.W_NOT_CONNECTED,
                f"No active connection to satellite '{pool.node.name}'")]}


def pools_json(cluster, request, of):
    cluster.account()
    names = request.names("storage_pools")
    return Answer(request.page([pool_json(p) for n in of for p in cluster.ordered(n.pools)
                                if (not names or p.name.upper() in names)
                                and request.has_props(p.props)]), "StoragePool[]")


@route("GET", "view/storage-pools")
def view_pools(cluster, request):
    names = request.names("nodes")
    return pools_json(cluster, request, [n for n in cluster.ordered(cluster.nodes)
                                         if not names or n.name.upper() in names])


@route("GET", "nodes/{}/storage-pools")
def node_pools(cluster, request, name):
    return pools_json(cluster, request, [cluster.node(name)])


@route("GET", "nodes/{}/storage-pools/{}")
def node_pool(cluster, request, name, pool):
    cluster.account()
    found = cluster.node(name).pools.get(pool.upper())
    if not found:
        raise Refused("", 0, codes.NO_POOL, f"Storage pool '{pool}' on node '{name}' not found.")
    return Answer(pool_json(found), "StoragePool")


@route("POST", "nodes/{}/storage-pools", "StoragePool")
def create_pool(cluster, request, name):
    node_, body = cluster.node(name), request.body
    pool = body.get("storage_pool_name")
    check_name(pool, "StorPool", codes.INVALID_POOL_NAME, shortest=3)
    if pool.upper() in node_.pools:
        raise Refused("StorPool", codes.CREATE, codes.EXISTS_POOL, f"Storage pool '{pool}' exists.")
    props = body.get("props") or {}
    if "StorDriver/FileDir" in props:
        props = {**props, "StorDriver/StorPoolName": props["StorDriver/FileDir"]}
    node_.add_pool(pool, body.get("provider_kind", "LVM"), 100 << 20, props)
    request.say("StorPool", codes.CREATE, codes.CREATED,
                f"New storage pool '{pool}' on node '{node_.name}' registered.")
    return request.answer(201)


# resource groups


def group_json(group):
    select = {k: v for k, v in group.select.items() if k in (
        "place_count", "storage_pool_list", "not_place_with_rsc", "not_place_with_rsc_regex",
        "replicas_on_same", "replicas_on_different", "x_replicas_on_different_map", "layer_stack",
        "provider_list", "diskless_on_remaining")}
    pools = select.get("storage_pool_list") or (
        [group.select["storage_pool"]] if group.select.get("storage_pool") else [])
    select["storage_pool_list"] = pools
    if len(pools) == 1:
        select["storage_pool"] = pools[0]
    return {"name": group.name, "description": group.description, "props": group.props,
            "select_filter": select, "uuid": group.uuid}


@route("GET", "resource-groups")
def groups(cluster, request):
    names = request.names("resource_groups")
    return Answer(request.page([group_json(g) for g in cluster.ordered(cluster.groups)
                                if (not names or g.name.upper() in names)
                                and request.has_props(g.props)]), "ResourceGroup[]")


@route("GET", "resource-groups/{}")
def group(cluster, request, name):
    return Answer(group_json(cluster.group(name)), "ResourceGroup")


def check_filter(select):
    if select and "place_count" in select and (select["place_count"] or 0) < 1:
        raise Refused("RscGrp", 0, codes.INVALID_PLACE_COUNT, "Place count must be greater than 0")


@route("POST", "resource-groups", "ResourceGroup")
def create_group(cluster, request):
    name = request.body.get("name")
    check_name(name, "RscGrp", codes.INVALID_GROUP_NAME)
    if name.upper() in cluster.groups:
        raise Refused("RscGrp", codes.CREATE, codes.EXISTS_GROUP,
                      f"Resource group '{name}' already exists.")
    select = request.body.get("select_filter")
    check_filter(select)
    made = cluster.groups[name.upper()] = state.Group(name, request.body.get("description"), select)
    request.say("RscGrp", codes.CREATE, codes.CREATED, f"New resource group '{name}' created.",
                {"RscGrp": name, "UUID": made.uuid})
    return request.answer(201)


@route("PUT", "resource-groups/{}", "ResourceGroupModify")
def modify_group(cluster, request, name):
    found = cluster.group(name)
    check_filter(request.body.get("select_filter"))
    found.select.update(request.body.get("select_filter") or {})
    modify(found.props, request.body, "RscGrp")
    request.say("RscGrp", codes.MODIFY, codes.MODIFIED, f"Resource group '{found.name}' modified.")
    return request.answer()


@route("DELETE", "resource-groups/{}")
def delete_group(cluster, request, name):
    if not cluster.groups.pop(name.upper(), None):
        request.warn("RscGrp", codes.DELETE, codes.W_NOT_FOUND, f"Resource group '{name}' not found")
    else:
        request.say("RscGrp", codes.DELETE, codes.DELETED, f"Resource group '{name}' deleted.")
    return request.answer()


@route("GET", "resource-groups/{}/volume-groups")
def volume_groups(cluster, request, name):
    return Answer([{"volume_number": n} for n in sorted(cluster.group(name).volume_groups)],
                  "VolumeGroup[]")


@route("POST", "resource-groups/{}/volume-groups", "VolumeGroup")
def create_volume_group(cluster, request, name):
    found = cluster.group(name)
    number = request.body.get("volume_number")
    found.volume_groups[len(found.volume_groups) if number is None else number] = {}
    request.say("VlmGrp", codes.CREATE, codes.CREATED, "New volume group created.")
    return request.answer(201)


def size_info(cluster, request, found, select):
    """As the controller says it to OpenNebula: divided by the replicas."""
    cluster.account()
    filter_ = place.merged(found, select, plain=select is not None)
    probe = state.Definition("probe", found, found.select.get("layer_stack") or ["DRBD", "STORAGE"],
                             {}, 0)
    count = filter_.get("place_count", 2)
    pairs = place.candidates(cluster, probe, filter_, 0)
    chosen = place.choose(pairs, [], count, filter_)
    everywhere = [p for n in cluster.nodes.values()
                  for p in place.pools_of(n, filter_, 0, probe.layers)]
    capacity = sum(p.total for p in everywhere) // count
    if chosen is None:
        return {"max_vlm_size_in_kib": 0, "available_size_in_kib": 0, "capacity_in_kib": 0,
                "default_max_oversubscription_ratio": 20.0}
    ratio = [state.OVERSUBSCRIPTION if p.thin() else 1 for _, p in chosen]
    return {"max_vlm_size_in_kib": min(p.room() for _, p in chosen),
            "available_size_in_kib": sum(p.free() for _, p in pairs) // count,
            "capacity_in_kib": capacity, "default_max_oversubscription_ratio": 20.0,
            "next_spawn_result": [{"node_name": n.name, "stor_pool_name": p.name,
                                   "stor_pool_oversubscription_ratio": float(r)}
                                  for (n, p), r in zip(chosen, ratio)]}


@route("POST", "resource-groups/{}/query-size-info", "QuerySizeInfoRequest", "1.17.0", False)
def query_size_info(cluster, request, name):
    found = cluster.groups.get(name.upper())
    if not found:
        return Answer({"reports": [state.entry("", 0, codes.ERROR, codes.NO_GROUP,
                                               f"Resource group '{name}' not found.")]},
                      "QuerySizeInfoResponse")
    select = (request.body or {}).get("select_filter")
    return Answer({"space_info": size_info(cluster, request, found, select)},
                  "QuerySizeInfoResponse")


# passphrase, key-value store, error reports


@route("GET", "encryption/passphrase", since="1.25.0")
def passphrase(cluster, request):
    status = "unset" if cluster.passphrase is None else "unlocked" if cluster.unlocked else "locked"
    return Answer({"status": status}, "PassphraseStatus")


@route("POST", "encryption/passphrase", "PassPhraseCreate")
def create_passphrase(cluster, request):
    if cluster.passphrase is not None:
        raise Refused("", codes.CREATE, codes.EXISTS_CRYPT, "The crypt passphrase has already been set.")
    cluster.passphrase, cluster.unlocked = request.body.get("new_passphrase"), True
    request.say("", codes.CREATE, codes.CREATED, "Crypt passphrase created.")
    return request.answer(201)


@route("PATCH", "encryption/passphrase", "string")
def enter_passphrase(cluster, request):
    if request.body != cluster.passphrase:
        raise Refused("", codes.MODIFY, codes.WRONG_PASSPHRASE, "Could not restore master passphrase.")
    cluster.unlocked = True
    request.say("", codes.MODIFY, codes.PASSPHRASE_ACCEPTED, "Passphrase accepted")
    return request.answer()


@route("GET", "key-value-store")
def stores(cluster, request):
    return Answer([{"name": k, "props": cluster.kvs[k]} for k in sorted(cluster.kvs)],
                  "KeyValueStore[]")


@route("GET", "key-value-store/{}")
def store(cluster, request, name):
    return Answer([{"name": name, "props": cluster.kvs.get(name, {})}], "KeyValueStore[]")


@route("PUT", "key-value-store/{}", "KeyValueStoreModify")
def modify_store(cluster, request, name):
    props = cluster.kvs.setdefault(name, {})
    for key in request.body.get("delete_props") or []:
        props.pop(key, None)
    props.update(request.body.get("override_props") or {})
    request.say("Kvs", codes.MODIFY, codes.MODIFIED, "Successfully updated properties")
    return request.answer()


@route("GET", "error-reports")
def error_reports(cluster, request):
    return Answer([{k: v for k, v in cluster.reports[r].items() if k != "text"}
                   for r in sorted(cluster.reports)], "ErrorReport[]")


@route("GET", "error-reports/{}")
def error_report(cluster, request, name):
    return Answer([cluster.reports[name]] if name in cluster.reports else [], "ErrorReport[]")

