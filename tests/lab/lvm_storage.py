#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What lies in the volume group of a lab's SAN, for onevol-verify --storage. It reads LVM's metadata
and the volumes' extents from the SAN itself, and thin pools by thin_dump; where volumes are active the
guests tell by their /dev. Nothing of it is what a driver does.

usage: lvm_storage.py FACTS list | read NAME FILE        FACTS: JSON, see facts() of verify.py
"""
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

SECTOR = 512
TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|(-?\d+)|([\w.+-]+)|([{}=\[\],])|#[^\n]*|\s+')


def parse(text):
    """LVM's configuration format, as nested dictionaries."""
    tokens = [m for m in TOKEN.finditer(text) if m[0].strip() and m[0][0] != "#"]
    place = 0

    def value():
        nonlocal place
        token, place = tokens[place], place + 1
        if token[4] == "[":
            items = []
            while tokens[place][4] != "]":
                if tokens[place][4] == ",":
                    place += 1
                else:
                    items.append(value())
            place += 1
            return items
        return int(token[2]) if token[2] else token[1]

    def section():
        nonlocal place
        out = {}
        while place < len(tokens) and tokens[place][4] != "}":
            name, place = tokens[place][0], place + 1
            kind, place = tokens[place][4], place + 1
            if kind == "{":
                out[name] = section()
                place += 1
            else:
                out[name] = value()
        return out

    return section()


class San:
    def __init__(self, path, group):
        self.file = open(path, "rb")
        self.group, self.name = self.metadata(group), group
        self.volumes = self.group.get("logical_volumes", {})
        self.extent = self.group["extent_size"] * SECTOR
        self.start = {name: pv["pe_start"] * SECTOR
                      for name, pv in self.group["physical_volumes"].items()}

    def at(self, offset, size):
        return os.pread(self.file.fileno(), size, offset)

    def metadata(self, group):
        """The text that the header of the metadata area at 4096 points to; it may wrap."""
        header = self.at(4096, SECTOR)
        start, size = struct.unpack_from("<QQ", header, 24)
        offset, length = struct.unpack_from("<QQ", header, 40)
        area = self.at(start, size)
        text = area[offset:offset + length]
        text += area[SECTOR:SECTOR + length - len(text)]
        return parse(text.rstrip(b"\0").decode())[group]

    def segments(self, volume):
        count = volume["segment_count"]
        return [volume[f"segment{number}"] for number in range(1, count + 1)]

    def pieces(self, name):
        """(offset in the volume, offset on the SAN, size), of a linear volume."""
        for segment in self.segments(self.volumes[name]):
            pv, first = segment["stripes"]
            yield (segment["start_extent"] * self.extent, self.start[pv] + first * self.extent,
                   segment["extent_count"] * self.extent)

    def kind(self, name):
        return self.segments(self.volumes[name])[0]["type"]

    def size(self, name):
        return sum(s["extent_count"] for s in self.segments(self.volumes[name])) * self.extent

    def copy(self, name, out, tools):
        """The content of a volume; of an origin what lies in it, which is what it reads."""
        if self.kind(name) == "striped":
            for offset, place, size in self.pieces(name):
                write_data(out, offset, lambda o, n, place=place: self.at(place + o, n), size)
        else:
            self.copy_thin(name, out, tools)

    def copy_thin(self, name, out, tools):
        segment = self.segments(self.volumes[name])[0]
        pool = self.segments(self.volumes[segment["thin_pool"]])[0]
        chunk = pool["chunk_size"] * SECTOR
        pieces = list(self.pieces(pool["pool"]))
        end = self.size(name)
        for first, data, count in self.mappings(pool, segment["device_id"], tools):
            for number in range(count):
                offset, place = (first + number) * chunk, (data + number) * chunk
                here = next(p for p in pieces if p[0] <= place < p[0] + p[2])
                start = here[1] + place - here[0]
                write_data(out, offset, lambda o, n, start=start: self.at(start + o, n),
                           min(chunk, end - offset))

    def mappings(self, pool, device, tools):
        with tempfile.NamedTemporaryFile() as copy:
            self.copy(pool["metadata"], copy, tools)
            copy.flush()
            text = subprocess.run([*tools, "thin_dump", copy.name], check=True, capture_output=True,
                                  timeout=60, text=True).stdout
        for about in xml.etree.ElementTree.fromstring(text):
            if about.get("dev_id") != str(device):
                continue
            for m in about:
                if m.tag == "single_mapping":
                    yield int(m.get("origin_block")), int(m.get("data_block")), 1
                else:
                    yield int(m.get("origin_begin")), int(m.get("data_begin")), int(m.get("length"))


def write_data(out, offset, read, size):
    """What is not zero, so that `out` keeps its holes."""
    for at in range(0, size, 1 << 16):
        block = read(at, min(1 << 16, size - at))
        if block.count(0) != len(block):
            out.seek(offset + at)
            out.write(block)


def active(facts):
    """Device nodes of the group: host → names."""
    script = f"ls -1 /dev/{facts['group']} 2>/dev/null; echo end"
    running = {host: subprocess.Popen([*facts["ssh"], host, script], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, text=True) for host in facts["hosts"]}
    names = {}
    for host, process in running.items():
        out = process.communicate(timeout=60)[0].split()
        if not out or out.pop() != "end":
            raise SystemExit(f"guest '{host}' does not answer")
        names[host] = out
    return names


def tagged(volume, key):
    prefix = f"onevol.{key}="
    return [tag[len(prefix):] for tag in volume.get("tags", []) if tag.startswith(prefix)]


def shown(facts, name):
    """As in SOURCE, for an image."""
    if facts["driver"] == "gfs2clvm" and re.fullmatch(r"lv-one-\d+", name):
        return f"{facts['hosts'][0]}:{facts['group']}.{name}"
    return f"{facts['group']}/{name}"


def stamp(san, facts, name):
    with tempfile.NamedTemporaryFile() as content:
        san.copy(name, content, facts["tools"])
        content.truncate(san.size(name))
        content.seek(0)
        return hashlib.sha1(content.read()).hexdigest()


def snapshot_of(san, name):
    """(origin, id) of NAME.snap.ID, if LVM agrees that it is its snapshot or in its pool."""
    match = re.fullmatch(r"(.*)\.snap\.(\d+)", name)
    return match.groups() if match and match[1] in san.volumes else None


def is_part(san, name):
    """Of LVM's own making, or a pool that is there for one volume."""
    return not (set(san.volumes[name]["status"]) & {"VISIBLE"}) or \
        san.kind(name) in ("thin-pool", "snapshot") or \
        (name.endswith(".pool") and name[:-5] in san.volumes)


def show(san, facts):
    places = active(facts)
    names = [name for name in san.volumes if not is_part(san, name)]
    for name in names:
        if snapshot_of(san, name):
            continue
        volume = san.volumes[name]
        # readers stay, by design; they are noted as such
        hosts = [host for host in facts["hosts"]
                 if name in places[host] and host not in tagged(volume, "on")]
        two = len([host for host in hosts if host in tagged(volume, "at")]) > 1
        print(shown(facts, name), f"/dev/{facts['group']}/{name}", ",".join(hosts) or "-",
              "two" if two else "-", stamp(san, facts, name))
    for name in names:
        if snapshot_of(san, name):
            origin, number = snapshot_of(san, name)
            print(f"{shown(facts, origin)}@{number}")


def read(san, facts, wanted, target):
    names = [name for name in san.volumes if shown(facts, name) == wanted]
    if not names:
        raise SystemExit(f"there is no volume '{wanted}'")
    with open(target, "wb") as out:
        san.copy(names[0], out, facts["tools"])
        out.truncate(san.size(names[0]))


def main():
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        facts = json.load(file)
    san = San(facts["san"], facts["group"])
    if sys.argv[2:] == ["list"]:
        show(san, facts)
    elif len(sys.argv) == 5 and sys.argv[2] == "read":
        read(san, facts, *sys.argv[3:])
    else:
        raise SystemExit(__doc__)


main()
