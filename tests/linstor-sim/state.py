# SPDX-License-Identifier: Apache-2.0
"""What a controller knows: nodes, pools, groups, definitions, resources, snapshots.

Names are kept as they were given and found by their upper-case form. Sizes are KiB.
"""
import re
import time
import uuid

import codes

THIN = {"LVM_THIN", "ZFS_THIN", "FILE_THIN"}
SNAPSHOTS = THIN | {"ZFS", "FILE"}
CLONES = {"LVM", "LVM_THIN", "ZFS", "ZFS_THIN"}
UNLIMITED = (1 << 63) - 1
OVERSUBSCRIPTION = 20
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
DISKLESS_POOL = "DfltDisklessStorPool"
DISKLESS_FLAGS = ["DISKLESS", "DRBD_DISKLESS"]


def identity():
    return str(uuid.uuid4())


def now_ms():
    return int(time.time() * 1000)


class Refused(Exception):
    """An answer that ends the call: entries, of which one is an error, or a bare HTTP answer."""

    def __init__(self, kind, operation, code, message, **more):
        super().__init__(message)
        self.entry = entry(kind, operation, codes.ERROR, code, message, **more)


def entry(kind, operation, severity, code, message, refs=None, details=None, cause=None):
    return {"ret_code": codes.number(severity, operation, kind, code), "message": message,
            "cause": cause, "details": details, "obj_refs": refs or {},
            "created_at": time.strftime("%Y-%m-%dT%H:%M:%S.000000000Z", time.gmtime())}


def check_name(name, kind, code, longest=48, shortest=2):
    if not isinstance(name, str) or not shortest <= len(name) <= longest or not NAME.match(name) \
            or not re.search("[A-Za-z]", name):
        raise Refused(kind, 0, code, f"Given {kind} name '{name}' is invalid.")


class Node:
    def __init__(self, name, address="127.0.0.1"):
        self.name, self.address, self.uuid = name, address, identity()
        self.online, self.flags = True, []
        self.props = {"CurStltConnName": "default", "NodeUname": name}
        self.layers = ["DRBD", "LUKS", "STORAGE"]
        self.pools = {}
        self.kind = "SATELLITE"
        self.add_pool(DISKLESS_POOL, "DISKLESS", UNLIMITED)

    def add_pool(self, name, provider, total, props=None, extent=None):
        self.pools[name.upper()] = Pool(self, name, provider, total, props, extent)

    def usable(self):
        return self.online and not {"EVACUATE", "EVICTED", "DELETE"} & set(self.flags)


class Pool:
    def __init__(self, node, name, provider, total, props=None, extent=None):
        self.node, self.name, self.provider, self.total = node, name, provider, total
        self.props, self.uuid = dict(props or {}), identity()
        self.used = 0  # of the volumes, kept by Cluster.account()
        self.extent = extent or {"LVM": 4096, "LVM_THIN": 64, "ZFS": 8, "ZFS_THIN": 8}.get(provider, 1)

    def thin(self):
        return self.provider in THIN

    def room(self):
        """What may still be promised there."""
        return self.free() * OVERSUBSCRIPTION if self.thin() else self.free()

    def free(self):
        return UNLIMITED if self.provider == "DISKLESS" else max(self.total - self.used, 0)


class Group:
    def __init__(self, name, description="", select=None, peer_slots=None):
        self.name, self.description, self.uuid = name, description, identity()
        self.props, self.volume_groups, self.peer_slots = {}, {}, peer_slots
        self.select = {"place_count": 2, **(select or {})}


class Definition:
    def __init__(self, name, group, layers, props, port):
        self.name, self.group, self.layers, self.props, self.port = name, group, layers, props, port
        self.uuid, self.flags, self.peer_slots = identity(), set(), 7
        self.volumes, self.resources, self.snapshots, self.connections = {}, {}, {}, {}
        self.sequence = 0
        self.shows_layers = True
        self.clone = None  # {"polls": N, "status": …} where it is one

    def drbd(self):
        return "DRBD" in self.layers

    def diskful(self):
        return [r for r in self.resources.values() if r.diskful()]

    def usable(self):
        """Replicas that can be read now."""
        return [r for r in self.diskful() if r.node.online and r.up_to_date()]

    def in_use(self):
        return [r for r in self.resources.values() if r.in_use]


class VolumeDefinition:
    def __init__(self, definition, number, size, flags, props, minor):
        self.definition, self.number, self.size, self.minor = definition, number, size, minor
        self.flags, self.uuid = set(flags), identity()
        self.props = {"DrbdOptions/Disk/block-size": "512", **props}
        self.written = 0  # KiB that hold data, where no file tells
        self.restored = False
        self.resized = None  # the size that a resize which failed has not reached

    def device_kib(self):
        return self.resized if self.resized is not None else self.size


class Resource:
    def __init__(self, definition, node, flags, props, node_id, port):
        self.definition, self.node, self.flags, self.props = definition, node, list(flags), dict(props)
        self.node_id, self.port, self.created, self.uuid = node_id, port, now_ms(), identity()
        self.in_use, self.client = False, False
        self.sync_reads = 0  # as many looks until it is UpToDate
        self.stale = False  # missed writes while its node was away
        self.hidden_reads = 0  # as many looks until its device path is known
        self.volume_flags = set()

    def diskful(self):
        return not {"DRBD_DISKLESS", "DISKLESS", "DELETE"} & set(self.flags)

    def tie_breaker(self):
        return "TIE_BREAKER" in self.flags

    def pool(self):
        name = DISKLESS_POOL if not self.diskful() and "DRBD_DISKLESS" in self.flags else \
            self.props.get("StorPoolName", DISKLESS_POOL)
        return self.node.pools.get(name.upper())

    def up_to_date(self):
        return self.sync_reads == 0 and not self.stale

    def disk_state(self):
        if not self.diskful():
            return "Diskless"
        if "CLONING" in self.volume_flags:
            return "Cloning"
        return "UpToDate" if self.up_to_date() else "Inconsistent" if self.sync_reads else "Outdated"


class Snapshot:
    def __init__(self, definition, name, nodes, props):
        self.definition, self.name, self.props, self.uuid = definition, name, dict(props), identity()
        self.nodes = {node.upper(): (node, now_ms()) for node in nodes}
        self.rd_props = dict(definition.props)
        self.volume_props = {n: dict(v.props) for n, v in definition.volumes.items()}
        self.sizes = {n: v.size for n, v in definition.volumes.items()}
        self.pools = {r.node.name.upper(): r.props.get("StorPoolName") for r in definition.diskful()}
        self.written = {n: v.written for n, v in definition.volumes.items()}
        self.flags = ["SUCCESSFUL"]
        definition.sequence += 1
        self.sequence = definition.sequence


class Cluster:
    """All of it. Whoever uses it holds the server's lock."""

    def __init__(self):
        self.nodes, self.groups, self.definitions, self.kvs = {}, {}, {}, {}
        self.props = {"DrbdOptions/auto-add-quorum-tiebreaker": "True", "TcpPortAutoRange": "7000-7999"}
        self.passphrase, self.unlocked = None, False
        self.reports, self.node_connections = {}, {}
        self.minors, self.ports = set(), set()
        self.opened = set()  # names of what somebody had open at the last look
        self.violations = []  # what DRBD would not have allowed: only seen where devices are of hosts
        self.group("DfltRscGrp", create=True)
        self.thick_sync_reads = 0
        self.late_device = 0

    # finding

    def node(self, name):
        node = self.nodes.get(str(name).upper())
        if not node:
            raise Refused("Node", 0, codes.NO_NODE, f"Node '{name}' not found.")
        return node

    def group(self, name, create=False):
        group = self.groups.get(str(name).upper())
        if not group and create:
            group = self.groups[name.upper()] = Group(name)
        if not group:
            raise Refused("RscGrp", 0, codes.NO_GROUP, f"Resource group '{name}' not found.")
        return group

    def definition(self, name):
        definition = self.definitions.get(str(name).upper())
        if not definition:
            raise Refused("", 0, codes.NO_RSC_DFN, f"Resource definition '{name}' not found.")
        return definition

    def volume(self, definition, number):
        volume = definition.volumes.get(int(number))
        if not volume:
            raise Refused("VlmDfn", 0, codes.NO_VLM_DFN, f"Volume definition with resource name "
                          f"'{definition.name}' and volume number '{number}' not found.")
        return volume

    def resource(self, definition, node):
        resource = definition.resources.get(str(node).upper())
        if not resource:
            raise Refused("Rsc", 0, codes.NO_RSC,
                          f"Resource '{definition.name}' on node '{node}' not found.")
        return resource

    def snapshot(self, definition, name):
        snapshot = definition.snapshots.get(str(name).upper())
        if not snapshot:
            raise Refused("Snapshot", 0, codes.NO_SNAPSHOT_DFN,
                          f"Snapshot '{name}' of resource '{definition.name}' not found.")
        return snapshot

    def ordered(self, table):
        return [table[key] for key in sorted(table)]

    # numbers

    def take(self, taken, low, high, code):
        for number in range(low, high + 1):
            if number not in taken:
                taken.add(number)
                return number
        raise Refused("", 0, code, "No free number left")

    # sizes

    def backing_kib(self, definition, pool, size):
        """What a replica of that net size takes on its pool, metadata included."""
        meta = 0
        if definition.drbd():
            bitmap = -(-size // 4 // 64) * 8 * definition.peer_slots // 1024 + 4
            meta = -(-(36 + bitmap) // 4) * 4
        return -(-(size + meta) // pool.extent) * pool.extent, meta

    def usable_kib(self, resource, volume):
        """As the device shows it: never less than asked for, more where the pool rounds up."""
        sizes = [-(-volume.device_kib() // 4) * 4 if resource.definition.drbd()
                 else volume.device_kib()]
        exact = resource.definition.props.get("DrbdOptions/ExactSize", "").lower() == "true"
        backing = []
        for replica in resource.definition.diskful():
            pool = replica.pool()
            if pool and not exact:
                whole, meta = self.backing_kib(resource.definition, pool, volume.device_kib())
                backing.append((whole - meta) // 4 * 4 if meta else whole)
        return max(sizes + [min(backing)] if backing else sizes)

    def allocated_kib(self, resource, volume):
        pool = resource.pool()
        if not resource.diskful() or not pool or not resource.node.online:
            return 0
        whole = self.backing_kib(resource.definition, pool, volume.device_kib())[0]
        return min(-(-volume.written // pool.extent) * pool.extent, whole) if pool.thin() else whole

    def account(self):
        """The pools' free space."""
        for node in self.nodes.values():
            for pool in node.pools.values():
                pool.used = 0
        for definition in self.definitions.values():
            for resource in definition.diskful():
                pool = resource.pool()
                for volume in definition.volumes.values():
                    if pool:
                        pool.used += self.allocated_kib(resource, volume)
