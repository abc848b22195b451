#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The simulator's shapes, its answers and our client's requests against LINSTOR's OpenAPI document.

LINSTOR_OPENAPI names the document (docs/rest_v1_openapi.yaml of LINBIT/linstor-server, of REST 1.28).
What the document leaves out although controllers have it is listed here.

usage: linstor_openapi.py LINSTORTOOL
Prints TAP.
"""
import os
import re
import sys

from linstor_lab import FUNCTIONS, PROGRAM, Sim, Tool, prepared
from played_site import Tap

sys.path.insert(0, str(PROGRAM.parent))
sys.dont_write_bytecode = True
import sequence  # noqa: E402
import shapes  # noqa: E402

NEWEST = "1.28.0"
# Calls that controllers answer although the document has only their lists (read in LINSTOR's code).
UNDOCUMENTED = {
    "GET /v1/resource-definitions/{}", "GET /v1/resource-groups/{}",
    "GET /v1/resource-definitions/{}/resources/{}", "GET /v1/nodes/{}/storage-pools/{}",
    "GET /v1/resource-definitions/{}/snapshots/{}", "GET /v1/nodes/{}", "GET /v1/error-reports/{}",
    "GET /v1/resource-definitions/{}/volume-definitions/{}",
    "GET /v1/resource-definitions/{}/resources/{}/volumes/{}",
}
# Objects whose name in the document is another, and those that it describes in place.
NAMES = {"VolumeDefinitionModifyPassphrase": None, "PassphraseStatus": None,
         "SnapshotVolumeNode": None, "PassPhraseCreate": None}
# Where LINSTOR 1.33.3 does not do what the document says (seen on a real one, but for the port, which
# no release since 1.15 has).
DEVIATIONS = [
    r"ResourceConnection has no port",
    r".*\.type is 'SATELLITE', none of .*",
    r"POST .*/clone 500: answer has no '(ret_code|message)'",  # an object with messages
    r"GET /v1/encryption/passphrase 200: answer is no array: .*",
]
CASES = []


def case(function):
    CASES.append(function)
    return function


class Document:
    def __init__(self, path):
        import yaml
        with open(path, encoding="utf-8") as file:
            self.all = yaml.load(file, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self.schemas = self.all["components"]["schemas"]

    def resolve(self, schema):
        while "$ref" in schema:
            found = self.all
            for part in schema["$ref"].lstrip("#/").split("/"):
                found = found[part]
            schema = found
        return schema

    def fields(self, schema):
        """All properties, those of allOf included."""
        schema = self.resolve(schema)
        found = dict(schema.get("properties") or {})
        for part in schema.get("allOf") or []:
            found.update(self.fields(part))
        return found

    def complaints(self, value, schema, where="answer"):
        schema = self.resolve(schema)
        for part in schema.get("allOf") or []:
            yield from self.complaints(value, part, where)
        choices = schema.get("oneOf") or schema.get("anyOf")
        if choices and all(list(self.complaints(value, choice, where)) for choice in choices):
            yield f"{where} is none of its choices"
        if value is None:
            return
        kind = schema.get("type")
        good = {"string": str, "integer": int, "boolean": bool, "number": (int, float), "array": list,
                "object": dict}.get(kind, object)
        if not isinstance(value, good) or kind in ("integer", "number") and isinstance(value, bool):
            yield f"{where} is no {kind}: {str(value)[:60]}"
            return
        if "enum" in schema and value not in schema["enum"]:
            yield f"{where} is '{value}', none of {schema['enum']}"
        if isinstance(value, list):
            for number, item in enumerate(value):
                yield from self.complaints(item, schema.get("items") or {}, f"{where}[{number}]")
        if isinstance(value, dict) and kind == "object":
            yield from self.object_complaints(value, schema, where)

    def object_complaints(self, value, schema, where):
        properties = schema.get("properties") or {}
        more = schema.get("additionalProperties")
        for name in schema.get("required") or []:
            if name not in value:
                yield f"{where} has no '{name}'"
        for name, item in value.items():
            if name in properties:
                yield from self.complaints(item, properties[name], f"{where}.{name}")
            elif isinstance(more, dict):
                yield from self.complaints(item, more, f"{where}.{name}")

    def operation(self, method, path):
        """Of the path that fits best; None if there is none."""
        best = None
        for pattern, operations in self.all["paths"].items():
            regex = re.sub(r"\{[^}]*\}", "[^/]+", pattern)
            if re.fullmatch(regex, path) and method.lower() in operations:
                if best is None or pattern.count("{") < best[0].count("{"):
                    best = pattern, operations[method.lower()]
        return best

    def content(self, part):
        part = self.resolve(part or {})
        content = part.get("content") or {}
        return (content.get("application/json") or {}).get("schema")


def generic(method, path):
    """With {} for what is a name."""
    known = {"v1", "resource-definitions", "resources", "snapshots", "volume-definitions", "volumes",
             "nodes", "storage-pools", "resource-groups", "error-reports"}
    return f"{method} " + "/".join(p if p in known or not p else "{}" for p in path.split("/"))


def json_kind(document, schema):
    """As shapes.txt writes it."""
    schema = document.resolve(schema)
    kind = schema.get("type")
    if kind == "array":
        return json_kind(document, schema.get("items") or {}) + "[]"
    if isinstance(schema.get("additionalProperties"), dict):
        return json_kind(document, schema["additionalProperties"]) + "{}"
    return {"integer": "int", "boolean": "bool", "string": "string", "number": "number"}.get(kind, "object")


@case
def shapes_have_the_documents_fields(document, tool):
    for name, fields in shapes.SHAPES.items():
        if name not in document.schemas:
            if name not in NAMES:
                yield f"the document has no {name}"
            continue
        theirs = document.fields(document.schemas[name])
        for field, (kind, _) in fields.items():
            if field not in theirs:
                yield f"the document has no {name}.{field}"
                continue
            ours = re.sub(r"^[A-Z]\w*|^any", "object", kind)
            if ours != json_kind(document, theirs[field]):
                yield f"{name}.{field}: {kind}, in the document {json_kind(document, theirs[field])}"
        for field in set(theirs) - set(fields):
            yield f"{name} has no {field}"


def request_complaints(document, method, path, body):
    found = document.operation(method, path)
    if not found:
        if generic(method, path) not in UNDOCUMENTED:
            yield f"{method} {path} is not in the document"
        return
    schema = document.content(found[1].get("requestBody"))
    if body is not None and schema is None:
        yield f"{method} {path} takes no body"
    elif body is not None:
        for complaint in document.complaints(body, schema, "body"):
            yield f"{method} {path}: {complaint}"
        allowed = document.fields(schema)
        for key in body if isinstance(body, dict) and allowed else ():
            if key not in allowed:
                yield f"{method} {path}: no field '{key}'"


def answer_complaints(document, method, path, status, answer):
    found = document.operation(method, path)
    if not found:
        return
    responses = found[1]["responses"]
    response = responses.get(str(status)) or responses.get(status)
    schema = document.content(response) if response else None
    if status >= 400 or schema is None:
        schema = {"$ref": "#/components/schemas/ApiCallRcList"} if isinstance(answer, list) and \
            answer and "ret_code" in answer[0] else schema
    if schema is None:
        return
    for complaint in document.complaints(answer, schema):
        yield f"{method} {path} {status}: {complaint}"


@case
def answers_fit_the_document(document, tool):
    with Sim("--rest", NEWEST, "--nodes", "0", "--node", "n1", "--node", "n2",
             "--pools", "pool1:FILE_THIN:960") as sim:
        seen = []
        for line in sequence.run(sim.url, lambda *call: seen.append(call)):
            del line
        for method, path, body, status, answer in seen:
            path = "/v1/" + path.split("?")[0]
            yield from answer_complaints(document, method, path, status, answer)
            if status < 300 and not isinstance(body, str):
                yield from request_complaints(document, method, path, body)


@case
def our_requests_fit_the_document(document, tool):
    with Sim("--rest", NEWEST, "--group", "rg") as sim:
        prepared(sim)
        Tool(tool, "--controllers", sim.url).run(*FUNCTIONS)
        calls = sim.log()
        if len(calls) < len(FUNCTIONS):
            yield f"only {len(calls)} calls"
        for call in calls:
            yield from request_complaints(document, call["method"], call["path"], call.get("body"))
            if call["status"] >= 400 and "error-reports" not in call["path"]:
                yield f"{call['method']} {call['path']} answered {call['status']}: {call['body']}"
        for path in ("nodes", "view/storage-pools", "resource-groups", "view/resources", "view/snapshots",
                     "resource-definitions?with_volume_definitions=true", "controller/version"):
            status, answer = sim.rest("GET", path)
            if not answer:
                yield f"{path} is empty"
            yield from answer_complaints(document, "GET", "/v1/" + path.split("?")[0], status, answer)


@case
def the_validator_finds_what_is_wrong(document, tool):
    good = {"name": "kvm1", "type": "SATELLITE", "props": {"a": "b"}, "connection_status": "ONLINE"}
    schema = {"type": "array", "items": {"$ref": "#/components/schemas/Node"}}
    for complaint in document.complaints([good], schema):
        yield f"a good node: {complaint}"
    for bad in ({**good, "name": 1}, {"name": "kvm1"}, {**good, "props": {"a": 1}}, {**good, "flags": "x"},
                {**good, "connection_status": "AWAY"}, 5):
        if not list(document.complaints([bad], schema)):
            yield f"no complaint about {bad}"
    for method, path, body in (("POST", "/v1/resource-definitions", {"nothing": 1}),
                               ("POST", "/v1/nowhere", {}), ("PATCH", "/v1/nodes", {})):
        if not list(request_complaints(document, method, path, body)):
            yield f"no complaint about {method} {path}"


def main():
    tap, path = Tap(), os.environ.get("LINSTOR_OPENAPI")
    document = None
    if path:
        document = Document(path)
    for function in CASES:
        name = function.__name__.replace("_", " ")
        if document is None:
            tap.case(name, skip="LINSTOR_OPENAPI names no document")
            continue
        found = [f for f in dict.fromkeys(function(document, sys.argv[1]))
                 if not any(re.fullmatch(d, f) for d in DEVIATIONS)]
        tap.case(name, "\n".join(found[:40]) if found else None)
    return tap.finish()


sys.exit(main())
