# SPDX-License-Identifier: Apache-2.0
"""Resource and volume definitions: create, change, delete, spawn, clone, resize."""
import codes
import operations
import place
import state
from api import NEVER, Answer, modify, route
from state import Refused, check_name

LAYERS = ["DRBD", "NVME", "WRITECACHE", "CACHE", "BCACHE", "LUKS", "STORAGE"]


def definition_json(definition, volumes=False):
    layers = []
    for kind in definition.layers if definition.shows_layers else ():
        layers.append({"type": kind, "data": {
            "peer_slots": definition.peer_slots, "al_stripes": 1, "al_stripe_size_kib": 32,
            "port": definition.port, "transport_type": "IP", "secret": "secret",
            "down": False} if kind == "DRBD" else None})
    for layer in layers:
        if layer["data"] is None:
            del layer["data"]
    return {"name": definition.name, "props": definition.props, "uuid": definition.uuid,
            "flags": sorted(definition.flags), "layer_data": layers,
            "resource_group_name": definition.group.name,
            "volume_definitions": [volume_json(v) for _, v in sorted(definition.volumes.items())]
            if volumes else []}


def volume_json(volume):
    layers = []
    if volume.definition.drbd():
        layers.append({"type": "DRBD", "data": {"volume_number": volume.number,
                                                "minor_number": volume.minor}})
    if volume.definition.layers:
        layers.append({"type": "STORAGE"})
    return {"volume_number": volume.number, "size_kib": volume.size, "props": volume.props,
            "flags": sorted(volume.flags), "layer_data": layers, "uuid": volume.uuid}


def check_layers(layers, request, code=codes.INVALID_LAYER_STACK):
    if not layers:
        return []
    upper = [layer.upper() for layer in layers]
    for layer in upper:
        if layer not in LAYERS:
            raise Refused("RscDfn", codes.CREATE, codes.INVALID_LAYER_KIND,
                          f"Layer '{layer}' not found")
    if "STORAGE" not in upper:
        upper.append("STORAGE")
        request.warn("RscDfn", codes.CREATE, codes.W_LAYER_ADDED, "The layerstack was extended with "
                     "STORAGE kind.")
    if [LAYERS.index(layer) for layer in upper] != sorted({LAYERS.index(layer) for layer in upper}):
        raise Refused("RscDfn", codes.CREATE, code, f"Layer stack {upper} is invalid")
    return upper


def create_definition(cluster, request, name, group, layers, props):
    check_name(name, "RscDfn", codes.INVALID_RSC_NAME)
    if name.lower() in ("all", "proxy"):
        raise Refused("RscDfn", codes.CREATE, codes.INVALID_RSC_NAME, f"Name '{name}' is reserved")
    if name.upper() in cluster.definitions:
        raise Refused("RscDfn", codes.CREATE, codes.EXISTS_RSC_DFN,
                      f"Resource definition '{name}' already exists.", refs={"RscDfn": name})
    stack = check_layers(layers, request) or list(group.select.get("layer_stack") or [])
    made = state.Definition(name, group, stack, {}, 7000 + len(cluster.definitions) % 1000)
    modify(made.props, {"override_props": props or {}}, "RscDfn")
    cluster.definitions[name.upper()] = made
    request.say("RscDfn", codes.CREATE, codes.CREATED, f"New resource definition '{name}' created.",
                {"RscDfn": name, "UUID": made.uuid})
    return made


def create_volume(cluster, request, definition, body):
    number = body.get("volume_number")
    if number is None:
        number = next(n for n in range(65535) if n not in definition.volumes)
    if number in definition.volumes:
        raise Refused("VlmDfn", codes.CREATE, codes.EXISTS_VLM_DFN, f"A volume definition with the "
                      f"number {number} already exists in resource definition '{definition.name}'.")
    size = body.get("size_kib") or 0
    if not (4 if definition.drbd() else 1) <= size <= 1 << 40:
        raise Refused("VlmDfn", codes.CREATE, codes.INVALID_VOLUME_SIZE,
                      f"Invalid volume size {size} KiB")
    if "ENCRYPTED" in (body.get("flags") or []) and not cluster.unlocked:
        raise Refused("VlmDfn", codes.CREATE, codes.NO_CRYPT_KEY, "Unable to create an encrypted "
                      "volume definition without having a master key")
    minor = cluster.take(cluster.minors, 1000, 49999, 801)
    volume = state.VolumeDefinition(definition, number, size, body.get("flags") or [], {}, minor)
    modify(volume.props, {"override_props": body.get("props") or {}}, "VlmDfn")
    definition.volumes[number] = volume
    request.say("VlmDfn", codes.CREATE, codes.CREATED,
                f"New volume definition with number '{number}' of resource definition "
                f"'{definition.name}' created.",
                {"RscDfn": definition.name, "VlmNr": str(number), "UUID": volume.uuid})
    return volume


@route("GET", "resource-definitions")
def definitions(cluster, request):
    names = request.names("resource_definitions")
    volumes = request.flag("with_volume_definitions")
    return Answer(request.page([definition_json(d, volumes)
                                for d in cluster.ordered(cluster.definitions)
                                if (not names or d.name.upper() in names)
                                and request.has_props(d.props)]), "ResourceDefinition[]")


@route("POST", "resource-definitions", "ResourceDefinitionCreate", parse_status=400)
def create(cluster, request):
    body = request.body.get("resource_definition") or {}
    group = cluster.group(body.get("resource_group_name") or "DfltRscGrp")
    create_definition(cluster, request, body.get("name"), group,
                      [layer.get("type", "") for layer in body.get("layer_data") or []],
                      body.get("props"))
    return request.answer(201)


@route("GET", "resource-definitions/{}")
def get(cluster, request, name):
    return Answer(definition_json(cluster.definition(name)), "ResourceDefinition")


@route("PUT", "resource-definitions/{}", "ResourceDefinitionModify")
def change(cluster, request, name):
    definition, body = cluster.definition(name), request.body
    if body.get("layer_stack"):
        if definition.resources:
            raise Refused("RscDfn", codes.MODIFY, codes.EXISTS_RSC,
                          "Cannot change the layer stack of a resource definition with resources")
        definition.layers = check_layers(body["layer_stack"], request)
    changed = modify(definition.props, body, "RscDfn")
    if body.get("resource_group"):
        definition.group = cluster.group(body["resource_group"])
        for node, pool in place.autoplace(cluster, definition, place.merged(definition.group, None)):
            operations.deploy(cluster, definition, node, pool)
            changed = True
    request.say("RscDfn", codes.MODIFY, codes.MODIFIED,
                f"Resource definition '{definition.name}' modified.",
                {"RscDfn": definition.name, "UUID": definition.uuid})
    if changed:
        operations.reach_nodes(definition, request)
        request.entries += place.apply_tie_breaker(cluster, definition,
                                                   *operations.tie_breaking(cluster, definition))
    return request.answer()


@route("DELETE", "resource-definitions/{}")
def delete(cluster, request, name):
    definition = cluster.definitions.get(name.upper())
    if not definition:
        request.warn("RscDfn", codes.DELETE, codes.W_NOT_FOUND,
                     f"Resource definition '{name}' not found.", {"RscDfn": name})
        return request.answer()
    if definition.snapshots:
        raise Refused("RscDfn", codes.DELETE, codes.EXISTS_SNAPSHOT_DFN,
                      f"Cannot delete resource definition '{definition.name}' because it has "
                      "snapshots.", refs={"RscDfn": definition.name})
    for resource in definition.in_use():
        if not request.at_least("1.27.0"):
            definition.flags.add("DELETE")
        raise Refused("RscDfn", codes.DELETE, codes.IN_USE, f"Resource '{definition.name}' on node "
                      f"'{resource.node.name}' is still in use.", refs={"RscDfn": definition.name})
    request.say("RscDfn", codes.DELETE, codes.DELETED,
                f"Resource definition '{definition.name}' marked for deletion.",
                {"RscDfn": definition.name, "UUID": definition.uuid})
    operations.delete_definition(cluster, definition, request)
    return request.answer()


@route("GET", "resource-definitions/{}/sync-status", since="1.13.0")
def sync_status(cluster, request, name):
    definition = cluster.definition(name)
    for resource in definition.diskful():
        operations.look(resource)
    return Answer({"synced_on_all": all(r.up_to_date() for r in definition.diskful())},
                  "ResourceDefinitionSyncStatus")


# volume definitions


@route("GET", "resource-definitions/{}/volume-definitions")
def volumes(cluster, request, name):
    definition = cluster.definition(name)
    return Answer([volume_json(v) for _, v in sorted(definition.volumes.items())],
                  "VolumeDefinition[]")


@route("GET", "resource-definitions/{}/volume-definitions/{}")
def volume(cluster, request, name, number):
    return Answer(volume_json(cluster.volume(cluster.definition(name), number)), "VolumeDefinition")


@route("POST", "resource-definitions/{}/volume-definitions", "VolumeDefinitionCreate")
def add_volume(cluster, request, name):
    definition = cluster.definition(name)
    made = create_volume(cluster, request, definition, request.body.get("volume_definition") or {})
    for resource in list(definition.resources.values()):
        operations.deploy_volume(cluster, resource, made)
    return request.answer()


@route("PUT", "resource-definitions/{}/volume-definitions/{}", "VolumeDefinitionModify")
def change_volume(cluster, request, name, number):
    definition = cluster.definition(name)
    found = cluster.volume(definition, number)
    size = request.body.get("size_kib")
    modify(found.props, request.body, "VlmDfn")
    refs = {"RscDfn": definition.name, "VlmNr": str(number), "UUID": found.uuid}
    if size and size == found.size and request.at_least("1.24.0"):
        request.warn("VlmDfn", codes.MODIFY, codes.W_SAME_SIZE, "Volume definition is already of the "
                     "requested size.", refs)
    if size and size != found.size:
        operations.resize(cluster, definition, found, size, request)
    request.say("VlmDfn", codes.MODIFY, codes.MODIFIED, f"Volume definition with number '{number}' of "
                f"resource definition '{definition.name}' modified.", refs)
    if size:
        operations.reach_nodes(definition, request)
    return request.answer()


@route("DELETE", "resource-definitions/{}/volume-definitions/{}")
def delete_volume(cluster, request, name, number):
    definition = cluster.definition(name)
    if int(number) not in definition.volumes:
        request.warn("VlmDfn", codes.DELETE, codes.W_NOT_FOUND, "Volume definition not found.")
        return request.answer()
    for _ in definition.in_use():
        raise Refused("VlmDfn", codes.DELETE, codes.IN_USE, f"Resource '{name}' is still in use.")
    del definition.volumes[int(number)]
    request.say("VlmDfn", codes.DELETE, codes.DELETED, "Volume definition deleted.")
    return request.answer()


# spawn, autoplace, clone


def placed_refs(definition, pairs, request):
    refs = {"RscDfn": definition.name}
    if request.at_least("1.21.0"):
        for number, (node, pool) in enumerate(pairs):
            refs[f"Node/{number}"] = node.name
            refs[f"StoragePool/{number}/0"] = f"{pool.name},{pool.provider}"
    return refs


def place_and_deploy(cluster, definition, filter_, request):
    pairs = place.autoplace(cluster, definition, filter_)
    for node, pool in pairs:
        operations.deploy(cluster, definition, node, pool)
    request.say("RscDfn", codes.CREATE, codes.CREATED, f"Successfully placed resource "
                f"'{definition.name}' on {len(pairs)} nodes", placed_refs(definition, pairs, request))
    request.entries += place.apply_tie_breaker(cluster, definition,
                                               *operations.tie_breaking(cluster, definition))


@route("POST", "resource-groups/{}/spawn", "ResourceGroupSpawn")
def spawn(cluster, request, name):
    group, body = cluster.group(name), request.body
    select = body.get("select_filter")
    made = create_definition(cluster, request, body.get("resource_definition_name"), group,
                             (select or {}).get("layer_stack"), body.get("resource_definition_props"))
    try:
        for size in body.get("volume_sizes") or []:
            create_volume(cluster, request, made, {"size_kib": size})
        if body.get("definitions_only"):
            request.info("RscDfn", codes.CREATE, codes.I_NOT_SPAWNED,
                         f"Resource definition '{made.name}' created, no resources spawned.")
        else:
            place_and_deploy(cluster, made, place.merged(group, select), request)
    except Refused:
        operations.forget(cluster, made)
        request.entries = []
        raise
    return request.answer(201)


@route("POST", "resource-definitions/{}/autoplace", "AutoPlaceRequest")
def autoplace(cluster, request, name):
    definition, body = cluster.definition(name), request.body
    filter_ = place.merged(definition.group, body.get("select_filter"), plain=True)
    operations.settle_layers(definition, body.get("layer_list"), request)
    wanted = filter_.get("place_count", 2)
    if not filter_.get("additional_place_count") and wanted <= len(definition.diskful()):
        request.warn("RscDfn", codes.CREATE, codes.W_ALREADY_DEPLOYED,
                     f"The resource '{definition.name}' was already deployed on "
                     f"{len(definition.diskful())} nodes. Skipping.", {"RscDfn": definition.name})
        return request.answer(201)
    place_and_deploy(cluster, definition, filter_, request)
    return request.answer(201)


@route("POST", "resource-definitions/{}/clone", "ResourceDefinitionCloneRequest", "1.10.2",
       parse_status=NEVER)
def clone(cluster, request, name):
    body = request.body
    try:
        source = cluster.definition(name)
        made = operations.clone(cluster, source, body, request, create_definition)
        answer = {"location": f"/v1/resource-definitions/{source.name}/clone/{made.name}",
                  "source_name": source.name, "clone_name": made.name, "messages": request.entries}
        return Answer(answer, "ResourceDefinitionCloneStarted", 201)
    except Refused as refused:
        if codes.code(refused.entry["ret_code"]) == codes.NO_RSC_DFN:
            raise
        late = request.at_least("1.27.0")  # 1.32.2; one REST version has both behaviours
        return Answer({"location": f"/v1/resource-definitions/{name}/clone/{body.get('name')}",
                       "source_name": name, "clone_name": body.get("name"),
                       "messages": request.entries + [refused.entry]},
                      "ResourceDefinitionCloneStarted", 500 if late else 201)


@route("GET", "resource-definitions/{}/clone/{}", since="1.10.2")
def clone_status(cluster, request, name, target):
    made = cluster.definitions.get(target.upper())
    if not made or not made.clone:
        raise Refused("", 0, codes.NO_RSC_DFN, f"Resource definition '{target}' is no clone.")
    return Answer({"status": operations.clone_step(made)}, "ResourceDefinitionCloneStatus")
