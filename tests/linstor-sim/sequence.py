#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One sequence of calls for a real controller and for the simulator, and what both said.

usage: sequence.py URL          runs it, prints one JSON line a call
       sequence.py A.jsonl B.jsonl   compares two such files, the real one first: status, codes, fields

The controller needs nodes n1 and n2, each with a pool "pool1" of kind FILE_THIN, and no DRBD. What it is
left with is removed at the end.
"""
import http.client
import json
import sys
import urllib.parse

STORAGE = [{"type": "STORAGE"}]
MIB = 1024
MAPS = ("obj_refs", "unsupported_providers", "unsupported_layers", "static_traits")
RD, RG = "resource-definitions", "resource-groups"


def calls():
    """(method, path, body); a body of str goes out as it stands."""
    yield "GET", "controller/version", None
    yield "GET", "nodes", None
    yield "GET", "nodes/nowhere", None
    yield "GET", "view/storage-pools?storage_pools=pool1", None
    yield "GET", "nodes/n1/storage-pools/nope", None
    yield "POST", "nodes/n1/storage-pools", {"storage_pool_name": "pool1", "provider_kind": "FILE_THIN"}
    # groups
    yield "POST", RG, {"name": "rg", "select_filter": {
        "place_count": 2, "storage_pool_list": ["pool1"], "layer_stack": ["STORAGE"]}}
    yield "POST", RG, {"name": "rg"}
    yield "POST", RG, {"name": "bad", "select_filter": {"place_count": 0}}
    yield "POST", RG, {"name": "1bad"}
    yield "GET", f"{RG}/rg", None
    yield "GET", f"{RG}/none", None
    yield "POST", f"{RG}/rg/volume-groups", {}
    yield "POST", f"{RG}/rg/query-size-info", {}
    yield "POST", f"{RG}/none/query-size-info", {}
    # spawn
    yield "POST", f"{RG}/rg/spawn", {"resource_definition_name": "one-image-1", "volume_sizes": [8 * MIB],
                                     "resource_definition_props": {"Aux/one/DS_ID": "100"}}
    yield "POST", f"{RG}/rg/spawn", {"resource_definition_name": "ONE-image-1", "volume_sizes": [MIB]}
    yield "POST", f"{RG}/rg/spawn", {"resource_definition_name": "one-three", "volume_sizes": [MIB],
                                     "select_filter": {"place_count": 3}}
    yield "GET", f"{RD}/one-three", None
    yield "POST", f"{RG}/rg/spawn", {"resource_definition_name": "one-defs", "volume_sizes": [MIB],
                                     "definitions_only": True}
    yield "GET", f"{RD}/one-image-1", None
    yield "GET", f"{RD}?props=Aux/one/DS_ID=100&with_volume_definitions=true", None
    yield "GET", f"{RD}?props=Aux/one/DS_ID=101", None
    yield "GET", f"{RD}?resource_definitions=absent", None
    # definitions
    yield "POST", RD, {"resource_definition": {"name": "one-vm-1-disk-0", "resource_group_name": "rg",
                                               "layer_data": STORAGE,
                                               "props": {"Aux/one/VM_ID": "1"}}}
    yield "POST", RD, {"resource_definition": {"name": "one-vm-1-disk-0"}}
    yield "POST", RD, {"resource_definition": {"name": "0"}}
    yield "POST", RD, {"resource_definition": {"name": "x-y", "resource_group_name": "none"}}
    yield "POST", RD, {"resource_definition": {"name": "x-y", "props": {"Not/Known": "1"}}}
    yield "POST", RD, {"resource_definition": {"name": "x-y"}, "unknown": 1}
    yield "POST", RD, "{broken"
    yield "PUT", f"{RD}/one-vm-1-disk-0", {"override_props": {"Aux/one/DISK_ID": "0"}}
    yield "PUT", f"{RD}/one-vm-1-disk-0", {"override_props": {"Aux/one/DISK_ID": "0"}}
    yield "PUT", f"{RD}/one-vm-1-disk-0", {"delete_props": ["Aux/one/NONE"]}
    yield "PUT", f"{RD}/one-vm-1-disk-0", {"override_props": {"Not/Known": "1"}}
    yield "PUT", f"{RD}/one-vm-1-disk-0", {"unknown": 1}
    yield "PUT", f"{RD}/absent", {"override_props": {"Aux/a": "1"}}
    yield "POST", f"{RD}/one-vm-1-disk-0/volume-definitions", {"volume_definition": {
        "volume_number": 0, "size_kib": 8 * MIB}}
    yield "POST", f"{RD}/one-vm-1-disk-0/volume-definitions", {"volume_definition": {
        "volume_number": 0, "size_kib": 8 * MIB}}
    yield "POST", f"{RD}/absent/volume-definitions", {"volume_definition": {"size_kib": 4}}
    yield "GET", f"{RD}/one-vm-1-disk-0/volume-definitions", None
    yield "GET", f"{RD}/one-vm-1-disk-0/volume-definitions/7", None
    # resources
    yield "POST", f"{RD}/one-vm-1-disk-0/autoplace", {"select_filter": {"place_count": 1}}
    yield "POST", f"{RD}/one-vm-1-disk-0/autoplace", {"select_filter": {"place_count": 1}}
    yield "POST", f"{RD}/one-vm-1-disk-0/autoplace", {"select_filter": {"place_count": 5}}
    yield "POST", f"{RD}/one-vm-1-disk-0/resources", [{"resource": {
        "node_name": "n2", "props": {"StorPoolName": "pool1"}}}, {"resource": {
            "node_name": "n1", "props": {"StorPoolName": "pool1"}}}]
    yield "POST", f"{RD}/one-vm-1-disk-0/resources", [{"resource": {
        "node_name": "n2", "props": {"StorPoolName": "nope"}}}]
    yield "POST", f"{RD}/one-vm-1-disk-0/resources", [{"resource": {
        "node_name": "n9", "props": {"StorPoolName": "pool1"}}}]
    yield "POST", f"{RD}/one-vm-1-disk-0/resources/n1/make-available", {"diskful": False}
    yield "POST", f"{RD}/one-vm-1-disk-0/resources/n2/make-available", {"diskful": True}
    yield "GET", f"{RD}/one-vm-1-disk-0/resources", None
    yield "GET", f"{RD}/one-vm-1-disk-0/resources/n1", None
    yield "GET", f"{RD}/one-vm-1-disk-0/resources/n9", None
    yield "GET", f"{RD}/absent/resources", None
    yield "GET", f"{RD}/one-vm-1-disk-0/resources/n1/volumes/0", None
    yield "GET", "view/resources?resources=one-vm-1-disk-0", None
    yield "GET", f"{RD}/one-vm-1-disk-0/sync-status", None
    yield "GET", f"{RD}/absent/sync-status", None
    yield "PUT", f"{RD}/one-vm-1-disk-0/resources/n1/toggle-disk/diskless", None
    # resize
    yield "PUT", f"{RD}/one-vm-1-disk-0/volume-definitions/0", {"size_kib": 12 * MIB}
    yield "PUT", f"{RD}/one-vm-1-disk-0/volume-definitions/0", {"size_kib": 12 * MIB}
    yield "GET", f"{RD}/one-vm-1-disk-0/volume-definitions/0", None
    yield "PUT", f"{RD}/absent/volume-definitions/0", {"size_kib": 12 * MIB}
    # snapshots
    yield "POST", f"{RD}/one-vm-1-disk-0/snapshots", {"name": "snapshot-9"}
    yield "POST", f"{RD}/one-vm-1-disk-0/snapshots", {"name": "snapshot-10"}
    yield "POST", f"{RD}/one-vm-1-disk-0/snapshots", {"name": "snapshot-9"}
    yield "POST", f"{RD}/one-vm-1-disk-0/snapshots", {"name": "0"}
    yield "POST", f"{RD}/absent/snapshots", {"name": "snapshot-1"}
    yield "POST", f"{RD}/one-defs/snapshots", {"name": "snapshot-1"}
    yield "POST", "actions/snapshot/multi", {"snapshots": [
        {"resource_name": "one-vm-1-disk-0", "name": "both"},
        {"resource_name": "one-image-1", "name": "both"}]}
    yield "GET", f"{RD}/one-vm-1-disk-0/snapshots", None
    yield "GET", f"{RD}/one-vm-1-disk-0/snapshots/snapshot-9", None
    yield "GET", f"{RD}/one-vm-1-disk-0/snapshots/absent", None
    yield "GET", "view/snapshots?resources=one-image-1", None
    yield "POST", f"{RD}/one-vm-1-disk-0/snapshot-rollback/snapshot-9", {}
    yield "POST", f"{RD}/one-vm-1-disk-0/snapshot-rollback/absent", {}
    yield "DELETE", f"{RD}/one-vm-1-disk-0", None
    # restore
    yield "POST", RD, {"resource_definition": {"name": "one-vm-2-disk-0", "resource_group_name": "rg",
                                               "layer_data": STORAGE}}
    for _ in range(2):
        yield "POST", f"{RD}/one-image-1/snapshot-restore-volume-definition/both", {
            "to_resource": "one-vm-2-disk-0"}
    for _ in range(2):
        yield "POST", f"{RD}/one-image-1/snapshot-restore-resource/both", {
            "to_resource": "one-vm-2-disk-0"}
    yield "POST", RD, {"resource_definition": {"name": "one-vm-4-disk-0", "resource_group_name": "rg",
                                               "layer_data": STORAGE}}
    yield "POST", f"{RD}/one-image-1/snapshot-restore-resource/both", {"to_resource": "one-vm-4-disk-0",
                                                                       "nodes": ["n1"]}
    yield "GET", "view/resources?resources=one-vm-4-disk-0", None
    yield "POST", f"{RD}/one-vm-4-disk-0/volume-definitions", {"volume_definition": {"size_kib": 4 * MIB}}
    yield "DELETE", f"{RD}/one-vm-4-disk-0", None
    yield "POST", RD, {"resource_definition": {"name": "one-vm-4-disk-0", "resource_group_name": "rg",
                                               "layer_data": STORAGE}}
    yield "POST", f"{RD}/one-vm-4-disk-0/volume-definitions", {"volume_definition": {"size_kib": 4 * MIB}}
    yield "POST", f"{RD}/one-image-1/snapshot-restore-resource/both", {"to_resource": "one-vm-4-disk-0"}
    yield "DELETE", f"{RD}/one-vm-4-disk-0", None
    yield "POST", f"{RD}/one-image-1/snapshot-restore-volume-definition/none", {"to_resource": "x"}
    yield "GET", f"{RD}/one-vm-2-disk-0", None
    yield "GET", "view/resources?resources=one-vm-2-disk-0", None
    # clones: a FILE pool has none
    yield "POST", f"{RD}/one-image-1/clone", {"name": "one-vm-3-disk-0"}
    yield "GET", f"{RD}/one-vm-3-disk-0", None
    yield "GET", f"{RD}/one-image-1/clone/one-vm-3-disk-0", None
    yield "GET", f"{RD}/one-image-1/clone/one-vm-2-disk-0", None
    yield "POST", f"{RD}/absent/clone", {"name": "one-vm-3-disk-0"}
    # the rest
    yield "GET", "encryption/passphrase", None
    yield "POST", f"{RD}/one-defs/volume-definitions", {"volume_definition": {
        "size_kib": 4, "flags": ["ENCRYPTED"]}}
    yield "GET", "error-reports?limit=1", None
    yield "GET", "nothing/here", None
    yield "PATCH", RD, {}
    yield "POST", f"{RD}/one-vm-1-disk-0/snapshots", {"name": "sn", "unknown": 1}
    yield "POST", f"{RD}/one-vm-1-disk-0/autoplace", {"unknown": 1}
    yield "POST", f"{RD}/one-vm-1-disk-0/resources/n1/make-available", {"unknown": 1}
    yield "POST", f"{RG}/rg/spawn", {"unknown": 1}
    yield "POST", f"{RD}/one-image-1/snapshot-restore-resource/both", {"unknown": 1}
    yield "PUT", f"{RD}/one-vm-1-disk-0/volume-definitions/0", {"unknown": 1}
    # away with it
    for name in ("snapshot-9", "snapshot-10", "both", "both"):
        yield "DELETE", f"{RD}/one-vm-1-disk-0/snapshots/{name}", None
    yield "DELETE", f"{RD}/one-image-1/snapshots/both", None
    yield "DELETE", f"{RD}/one-vm-1-disk-0/resources/n1", None
    yield "DELETE", f"{RD}/one-vm-1-disk-0/resources/n1", None
    yield "DELETE", f"{RD}/one-vm-1-disk-0/resources/n9", None
    for name in ("one-vm-1-disk-0", "one-vm-1-disk-0", "one-vm-2-disk-0", "one-image-1", "one-defs"):
        yield "DELETE", f"{RD}/{name}", None
    yield "DELETE", f"{RG}/rg", None
    yield "DELETE", f"{RG}/rg", None


def shape_of(value):
    """The fields of an answer with the types of what is in them; maps of props are one thing."""
    if isinstance(value, list):
        shapes = []
        for item in value:
            shape = shape_of(item)
            if shape not in shapes:
                shapes.append(shape)
        return shapes
    if isinstance(value, dict):
        return {key: "map" if key.endswith("props") or key in MAPS else shape_of(item)
                for key, item in sorted(value.items())}
    return type(value).__name__


def severity(code):
    return {0: "", 1: "info", 2: "warning", 3: "error"}[code >> 62 & 3]


def say(code):
    value = code & 0x7FFF
    return f"{severity(code)} {value:d}".strip() + f" op {code >> 24 & 3} obj {code >> 16 & 0x7C:02x}"


def run(url, see=None):
    """`see` is called with all of each call: method, path, body, status, answer."""
    host = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(host.hostname, host.port, timeout=120)
    for method, path, body in calls():
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        connection.request(method, "/v1/" + path, text,
                           {"Content-Type": "application/json"} if text is not None else {})
        response = connection.getresponse()
        data = response.read()
        try:
            answer = json.loads(data) if data else None
        except ValueError:
            answer = {"not JSON": data.decode("utf-8", "replace")[:200]}
        if see:
            see(method, path, body, response.status, answer)
        entries = answer if isinstance(answer, list) else (answer or {}).get("messages") or \
            (answer or {}).get("reports") or []
        found = [say(e["ret_code"]) for e in entries if isinstance(e, dict) and "ret_code" in e]
        yield {"call": f"{method} {path}", "body": body, "status": response.status, "codes": found,
               "shape": shape_of(answer)}


def outcome(codes):
    """Errors, warnings and infos; how many entries tell of success is the controller's own
    affair, for each node and step has some."""
    told = [c for c in codes if c[0] in "ewi"]
    return sorted(set(told)) + (["success"] if len(told) < len(codes) else [])


def missing(wanted, found, where=""):
    """Fields that one answer has and the other not, or with another type."""
    if isinstance(wanted, list) and isinstance(found, list):
        for shape in found:
            if wanted and not any(not list(missing(w, shape)) for w in wanted):
                yield from missing(wanted[0], shape, where + "[]")
    elif isinstance(wanted, dict) and isinstance(found, dict):
        for key in sorted(set(wanted) | set(found)):
            if key not in found or key not in wanted:
                yield f"{'+' if key in found else '-'}{where}.{key}"
            else:
                yield from missing(wanted[key], found[key], f"{where}.{key}")
    elif wanted != found:
        yield f"{where}: {wanted} / {found}"


def compare(real, other):
    """Lines that differ, as text."""
    for one, two in zip(real, other):
        if one["call"] != two["call"]:
            yield f"another call: {one['call']} / {two['call']}"
            return
        where = f"{one['call']} {json.dumps(one['body'])[:90]}"
        if one["status"] != two["status"]:
            yield f"{where}: {one['status']} / {two['status']}"
        if outcome(one["codes"]) != outcome(two["codes"]):
            yield f"{where}: {outcome(one['codes'])} / {outcome(two['codes'])}"
        if not one["codes"]:
            fields = list(missing(one["shape"], two["shape"]))
            if fields:
                yield f"{where}: {' '.join(fields)}"
    if len(real) != len(other):
        yield "another number of calls"


def main():
    if len(sys.argv) == 2:
        for line in run(sys.argv[1]):
            print(json.dumps(line, sort_keys=True), flush=True)
        return 0
    files = [[json.loads(line) for line in open(path, encoding="utf-8")] for path in sys.argv[1:]]
    differences = list(compare(*files))
    print("\n".join(differences))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
