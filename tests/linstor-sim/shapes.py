# SPDX-License-Identifier: Apache-2.0
"""Which fields an object of the REST API has in which version: shapes.txt.

A controller refuses a body that holds a field it does not know, and leaves out of its answers what
is empty or too new.
"""
import pathlib
import re

SCALARS = {"int": int, "bool": bool, "number": (int, float), "string": str, "any": object}


def triple(text):
    return tuple(int(part) for part in text.split("."))


def load(path=pathlib.Path(__file__).with_name("shapes.txt")):
    """{name: {field: (type, since)}}, with the fields of parents."""
    own, parents, current = {}, {}, None
    for line in path.read_text().splitlines():
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if not line.startswith(" "):
            current = words[0]
            own[current] = {}
            parents[current] = words[2] if len(words) > 2 else None
        else:
            own[current][words[0]] = (words[1], triple(words[2] if len(words) > 2 else "1.1.0"))
    return {name: {**own.get(parents[name], {}), **own[name]} for name in own}


SHAPES = load()


def complaints(value, kind, version, where="body"):
    """What a controller of that version would not take, as sentences."""
    if value is None:
        return
    if kind.endswith("[]"):
        if not isinstance(value, list):
            yield f"{where} is no list"
            return
        for number, item in enumerate(value):
            yield from complaints(item, kind[:-2], version, f"{where}[{number}]")
    elif kind.endswith("{}"):
        if not isinstance(value, dict):
            yield f"{where} is no map"
            return
        for key, item in value.items():
            yield from complaints(item, kind[:-2], version, f"{where}.{key}")
    elif kind in SCALARS:
        wrong = not isinstance(value, SCALARS[kind]) or (
            kind in ("int", "number") and isinstance(value, bool))
        if wrong:
            yield f"{where} is no {kind}: {value!r}"
    elif not isinstance(value, dict):
        yield f"{where} is no object"
    else:
        for key, item in value.items():
            field = SHAPES[kind].get(key)
            if not field or field[1] > version:
                yield f"unrecognized field \"{key}\" in {where} ({kind})"
            else:
                yield from complaints(item, field[0], version, f"{where}.{key}")


def trim(value, kind, version):
    """The value as a controller of that version writes it."""
    if isinstance(value, list):
        return [trim(item, kind[:-2], version) for item in value]
    if not isinstance(value, dict):
        return value
    if kind.endswith("{}"):
        return {key: trim(item, kind[:-2], version) for key, item in value.items()}
    fields = SHAPES.get(kind)
    kept = {}
    for key, item in value.items():
        if fields is not None:
            field = fields[key]
            if field[1] > version:
                continue
            item = trim(item, field[0], version)
        if item is not None and item != "" and item != [] and (item != {} or key == "state"):
            kept[key] = item
    return kept


def base(kind):
    return re.sub(r"[\[\]{}]", "", kind)
