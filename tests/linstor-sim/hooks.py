# SPDX-License-Identifier: Apache-2.0
"""What tests ask of the simulator besides the REST API: POST /NAME with a JSON object on the control
port. Each returns a JSON object; a refusal is one with "refused".
"""
import copy

import operations
import state

HOOKS = {}


def hook(function):
    HOOKS[function.__name__.replace("_", "-")] = function
    return function


def resource_of(cluster, body):
    return cluster.resource(cluster.definition(body["resource"]), body["node"])


@hook
def fault(server, body):
    server.faults.add(body)
    return {}


@hook
def clear_faults(server, body):
    server.faults.clear()
    return {}


@hook
def log(server, body):
    found = server.log[body.get("since", 0):]
    if body.get("clear"):
        server.log = []
    return {"calls": found}


@hook
def node(server, body):
    """online: true or false; sync_reads: how many looks a resync takes; flags; props; layers."""
    found = server.cluster.node(body["name"])
    if body.get("online") is False:
        operations.node_leaves(server.cluster, found)
    if body.get("online") is True:
        operations.node_returns(server.cluster, found, body.get("sync_reads", 2))
    found.flags = body.get("flags", found.flags)
    found.layers = body.get("layers", found.layers)
    found.props.update(body.get("props", {}))
    return {}


@hook
def pool(server, body):
    found = server.cluster.node(body["node"])
    found.add_pool(body["name"], body.get("provider", "LVM_THIN"), body.get("total", 100 << 20),
                   body.get("props"), body.get("extent"))
    return {}


@hook
def open(server, body):  # pylint: disable=redefined-builtin
    """As the process of a VM does."""
    found = resource_of(server.cluster, body)
    reason = operations.may_open(server.cluster, found)
    if reason:
        return {"refused": reason}
    found.in_use = True
    if found.tie_breaker():
        found.flags.remove("TIE_BREAKER")
    return {}


@hook
def close(server, body):
    resource_of(server.cluster, body).in_use = False
    return {}


@hook
def write(server, body):
    """That a VM has written so many KiB."""
    definition = server.cluster.definition(body["resource"])
    definition.volumes[body.get("volume", 0)].written = body["kib"]
    return {}


@hook
def sync(server, body):
    resource_of(server.cluster, body).sync_reads = body["reads"]
    return {}


@hook
def clones(server, body):
    """polls: looks until a clone is complete, -1 for ever; status: of one that runs."""
    if "polls" in body:
        server.cluster.clone_polls = body["polls"]
    if "name" in body:
        server.cluster.definition(body["name"]).clone["status"] = body["status"]
    return {}


@hook
def snapshot_flags(server, body):
    definition = server.cluster.definition(body["resource"])
    server.cluster.snapshot(definition, body["name"]).flags = body["flags"]
    return {}


@hook
def lock_passphrase(server, body):
    server.cluster.unlocked = False
    return {}


@hook
def controller(server, body):
    """number, up: one of the listening controllers goes or comes back."""
    server.set_listening(body["number"], body["up"])
    return {}


@hook
def populate(server, body):
    """count definitions PREFIX<n>, each of one volume with replicas on the given nodes, without any
    content."""
    devices, operations.devices = operations.devices, None
    try:
        fill(server, body)
    finally:
        operations.devices = devices
    return {}


def fill(server, body):
    cluster, group = server.cluster, server.cluster.group(body.get("group", "DfltRscGrp"))
    nodes = [cluster.node(name) for name in body["nodes"]]
    for number in range(body["count"]):
        name = f"{body['prefix']}{number}{body.get('suffix', '')}"
        made = state.Definition(name, group, ["DRBD", "STORAGE"],
                                {k: v.replace("%d", str(number)) for k, v in
                                 body.get("props", {}).items()}, 7000)
        cluster.definitions[name.upper()] = made
        minor = 1000 + number
        made.volumes[0] = state.VolumeDefinition(made, 0, body.get("size_kib", 1 << 20), [], {}, minor)
        made.volumes[0].written = body.get("written", 4096)
        for node_ in nodes:
            operations.deploy(cluster, made, node_, node_.pools[body["pool"].upper()])


@hook
def keep(server, body):
    """Remembers all of the state and content, for bring-back."""
    server.kept = copy.deepcopy(server.cluster)
    if operations.devices:
        operations.devices.keep()
    return {}


@hook
def bring_back(server, body):
    """All is as it was when it was kept; devices are new ones."""
    server.cluster = copy.deepcopy(server.kept)
    if operations.devices:
        operations.devices.bring_back()
        for definition in server.cluster.definitions.values():
            for resource in definition.resources.values():
                for volume in definition.volumes.values():
                    if not resource.tie_breaker():
                        operations.devices.show(resource, volume)
    return {}


@hook
def violations(server, body):
    """Openers that DRBD would have refused."""
    operations.look_at_openers(server.cluster)
    found, server.cluster.violations = server.cluster.violations, []
    return {"violations": found}


@hook
def volumes(server, body):
    """What is stored, where it was attached to (replicas do not count), and its content's file."""
    operations.look_at_openers(server.cluster)
    found = []
    for definition in server.cluster.definitions.values():
        attached = [r for r in definition.resources.values()
                    if not r.diskful() and not r.tie_breaker() and "DELETE" not in r.flags]
        nodes = [r for r in definition.resources.values() if "DELETE" not in r.flags]
        both = [(a, b) for a in nodes for b in nodes
                if a is not b and operations.two_primaries(server.cluster, definition, a, b)]
        for volume in definition.volumes.values():
            path = operations.devices.content(definition, volume.number) \
                if operations.devices else None
            found.append({"name": definition.name, "volume": volume.number, "minor": volume.minor,
                          "kib": volume.size, "attached": [r.node.name for r in attached],
                          "in_use": [r.node.name for r in definition.in_use()],
                          "two_primaries": bool(both), "content": str(path) if path else None,
                          "deleted": "DELETE" in definition.flags, "props": definition.props,
                          "snapshots": [s.name for s in definition.snapshots.values()]})
    return {"volumes": found}


@hook
def state_of(server, body):
    """Enough of the state to compare before and after."""
    return {"definitions": {d.name: {
        "props": d.props, "flags": sorted(d.flags),
        "volumes": {n: v.size for n, v in d.volumes.items()},
        "resources": {r.node.name: {"flags": r.flags, "in_use": r.in_use}
                      for r in d.resources.values()},
        "snapshots": sorted(s.name for s in d.snapshots.values())}
        for d in server.cluster.definitions.values()}}
