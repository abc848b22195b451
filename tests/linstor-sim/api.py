# SPDX-License-Identifier: Apache-2.0
"""The calls of the REST API: one table of routes over the cluster.

A handler gets the Request and the parts of its path, changes the cluster and returns an Answer, or
raises Refused. Behaviour that differs between releases asks request.at_least().
"""
import re

import codes
import shapes
from state import Refused, entry

ROUTES = []
NEVER = 0  # the status of an answer that does not come


class Answer:
    def __init__(self, body, shape, status=200):
        self.body, self.shape, self.status = body, shape, status


class Request:
    def __init__(self, method, path, query, body, version):
        self.method, self.path, self.query, self.body = method, path, query, body
        self.version = version  # of the REST API
        self.entries = []

    def at_least(self, version):
        return self.version >= shapes.triple(version)

    def say(self, kind, operation, code, message, refs=None, severity=codes.SUCCESS, details=None):
        self.entries.append(entry(kind, operation, severity, code, message, refs, details))

    def warn(self, kind, operation, code, message, refs=None):
        self.say(kind, operation, code, message, refs, codes.WARN)

    def info(self, kind, operation, code, message, refs=None):
        self.say(kind, operation, code, message, refs, codes.INFO)

    def answer(self, status=200):
        return Answer(self.entries, "ApiCallRc[]", status)

    def names(self, key):
        return {name.upper() for name in self.query.get(key, [])}

    def page(self, found):
        limit = int(self.query.get("limit", ["0"])[0] or 0)
        offset = int(self.query.get("offset", ["0"])[0] or 0) if limit else 0
        return found[offset:offset + limit] if limit else found

    def has_props(self, props):
        for text in self.query.get("props", []):
            key, equals, value = text.partition("=")
            if key not in props or equals and props[key] != value:
                return False
        return True

    def flag(self, key):
        return self.query.get(key, ["false"])[0].lower() == "true"


def context(method, pattern):
    """The operation and the object that a controller writes into the codes of such a call."""
    if method == "GET" or pattern.endswith("query-size-info"):
        return 0, ""
    if pattern.startswith("resource-groups"):
        # LINSTOR writes "create" also where a group is deleted.
        operation = codes.MODIFY if method == "PUT" else codes.CREATE
        return operation, "VlmGrp" if pattern.endswith("volume-groups") else "RscGrp"
    operation = {"POST": codes.CREATE, "PUT": codes.MODIFY, "DELETE": codes.DELETE}.get(method, 0)
    for part, kind in (("snapshot-rollback", "Snapshot"), ("snapshot-restore-resource", "Rsc"),
                       ("snapshot", "Snapshot"), ("resources", "Rsc"), ("autoplace", "Rsc"),
                       ("resource-connections", "RscConn"), ("volume-definitions", "VlmDfn"),
                       ("resource-definitions", "RscDfn"), ("storage-pools", "StorPool"),
                       ("nodes", "Node")):
        if part in pattern:
            return codes.MODIFY if part == "snapshot-rollback" else operation, kind
    return 0, ""


def route(method, pattern, body=None, since="1.1.0", need_body=True, parse_status=500):
    """`pattern` has {} for a part of the path. `body`: the shape that it must have."""
    regex = re.compile("/v1/" + pattern.replace("{}", "([^/]+)") + r"\Z")

    def register(function):
        ROUTES.append((method, regex, body, shapes.triple(since), need_body, parse_status, function,
                       context(method, pattern)))
        return function
    return register


def parse_error(message):
    return [{"ret_code": codes.signed(codes.ERROR | codes.PARSE_ERROR),
             "message": "Unable to parse input json.", "details": message}]


class Refusal(Exception):
    """An answer as it stands."""

    def __init__(self, status, entries):
        super().__init__(status)
        self.status, self.entries = status, entries


def find(method, path, version):
    known = False
    for row in ROUTES:
        match = row[1].match(path)
        if match and row[3] <= version:
            known = True
            if row[0] == method:
                return row, match.groups()
    raise Refusal(405 if known else 404, [{
        "ret_code": codes.signed(codes.ERROR | codes.UNKNOWN_ERROR),
        "message": "HTTP 405 Method Not Allowed" if known else
                   f"Path '{path}' not found on server."}])


def check_body(row, body, version):
    shape, need, status = row[2], row[4], row[5]
    if shape is None:
        return
    if body is None:
        if need:
            raise Refusal(status, parse_error("No content to map due to end-of-input"))
        return
    for complaint in shapes.complaints(body, shape, version):
        raise Refusal(status, parse_error(complaint))


def in_context(item, row):
    """What tells of trouble carries the call's operation and object, but for a few."""
    severity, code = codes.severity(item["ret_code"]), codes.code(item["ret_code"])
    if severity and code != codes.NO_NODE and \
            not (code == codes.NO_RSC_DFN and row[6].__name__ == "clone") and codes.signed(codes.ERROR | codes.PARSE_ERROR) != item["ret_code"]:
        item["ret_code"] = codes.number(severity, row[7][0], row[7][1], code)
    elif code in (codes.NO_NODE, codes.NO_RSC_DFN):
        item["ret_code"] = codes.number(severity, 0, "", code)
    return item


def handle(cluster, request, parts, row):
    """The status and the body as it goes out."""
    try:
        check_body(row, request.body, request.version)
        answer = row[6](cluster, request, *parts)
    except Refused as refused:
        entries = [in_context(item, row) for item in request.entries + [refused.entry]]
        return codes.http_status(refused.entry["ret_code"]), shapes.trim(
            entries, "ApiCallRc[]", request.version)
    except Refusal as refusal:
        return refusal.status, shapes.trim(refusal.entries, "ApiCallRc[]", request.version)
    body = answer.body
    if body is request.entries:
        body = [in_context(item, row) for item in body]
    return answer.status, shapes.trim(body, answer.shape, request.version)


def modify(props, body, kind, code=codes.INVALID_PROP):
    """override_props, then delete_props and delete_namespaces of a body: what is in both is gone. Did
    anything change?"""
    before = dict(props)
    for key, value in (body.get("override_props") or {}).items():
        if not key or len(key) > 256 or key.startswith("/"):
            raise Refused(kind, codes.MODIFY, code, f"Invalid property key: {key}")
        if not key.startswith(ALLOWED):
            raise Refused(kind, codes.MODIFY, code,
                          f"The key '{key}' is not whitelisted for this object.")
        props[key] = value
    for key in body.get("delete_props") or []:
        props.pop(key, None)
    for namespace in body.get("delete_namespaces") or []:
        for key in [k for k in props if k == namespace or k.startswith(namespace.rstrip("/") + "/")]:
            del props[key]
    return props != before


ALLOWED = ("Aux/", "DrbdOptions/", "StorPoolName", "StorDriver/", "BalanceResourcesEnabled",
           "UseZFSClone", "Autoplace", "PrefNic", "FileSystem/", "AutoSnapshot/", "Satellite/",
           "MaxOversubscriptionRatio", "MaxFreeCapacityOversubscriptionRatio", "REST/", "Auth/",
           "MaxTotalCapacityOversubscriptionRatio", "TcpPortAutoRange", "SearchDomain", "sys/")
