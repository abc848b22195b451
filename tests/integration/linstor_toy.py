#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The smallest driver that onevol-verify --storage can be content with: it does each thing in the plainest
way, once, and cannot be tried again. It is there to see that verify lets a right driver pass and finds
what TOY_BREAKS names: see BREAKS.

Its files are links to this one: remotes/tm/linstor/ACTION and remotes/datastore/linstor/ACTION.
"""
import base64
import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import xml.etree.ElementTree as ET
import xmlrpc.client

TM = ("clone", "ln", "mkimage", "mkswap", "context", "delete", "mv", "mvds", "premigrate", "postmigrate",
      "failmigrate", "resize", "snap_create", "snap_delete", "snap_revert")
DATASTORE = ("cp", "mkfs", "rm", "stat")
# What can be wrong with it, and what verify says of that.
BREAKS = {
    "image stays attached": "attached only where a VM uses them",
    "source stays attached": "attached only where a VM uses them",
    "not attached": "no device",
    "link to its image": "a disk of its own",
    "copy is short": "with",
    "old data behind": "with",
    "two may write": "one writer at a time",
    "no second device": "at both ends of a live migration",
    "disk is left": "only volumes that belong to an image or a disk",
    "snapshot is left": "only snapshots that somebody knows",
    "no link": "is no link",
    "image is gone": "there is no volume of SOURCE",
    "grows too little": "with",
    "reverts nothing": "with",
    "link is left": "only files that belong there",
}


def breaks(what):
    return os.environ.get("TOY_BREAKS") == what


def rest(method, path, body=None, missing_is_fine=False):
    request = urllib.request.Request(f"{os.environ['TOY_CONTROLLER']}/v1/{path}",
                                     json.dumps(body).encode() if body is not None else None,
                                     {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        if missing_is_fine and error.code == 404:
            return None
        raise SystemExit(f"{method} {path}: {error.read().decode()}") from error


def on(host, script, **more):
    done = subprocess.run(["ssh", "-o", "BatchMode=yes", "--", host, script], capture_output=True,
                          check=False, **({"stdin": subprocess.DEVNULL} | more))
    if done.returncode:
        raise SystemExit(f"on {host}: {script}: {done.stderr.decode()}")
    return done.stdout.decode()


def is_front_end(host):
    return host == os.uname().nodename


def device(name):
    return f"/dev/drbd/by-res/{name}/0"


def names():
    return [d["name"] for d in rest("GET", "resource-definitions")]


def spawn(name, mib):
    if name in names():
        drop(name)
    rest("POST", "resource-groups/rg/spawn", {"resource_definition_name": name,
                                              "volume_sizes": [int(mib) << 10]})


def drop(name):
    for snapshot in rest("GET", f"resource-definitions/{name}/snapshots", missing_is_fine=True) or []:
        rest("DELETE", f"resource-definitions/{name}/snapshots/{snapshot['name']}")
    rest("DELETE", f"resource-definitions/{name}")


def attach(name, host):
    if not is_front_end(host):
        rest("POST", f"resource-definitions/{name}/resources/{host}/make-available", {})


def detach(name, host):
    if is_front_end(host) or host.endswith(".invalid"):
        return
    found = rest("GET", f"resource-definitions/{name}/resources/{host}", missing_is_fine=True)
    if found and "DISKLESS" in found.get("flags", []) and "TIE_BREAKER" not in found["flags"]:
        rest("DELETE", f"resource-definitions/{name}/resources/{host}")


def two(name, allowed):
    key = "DrbdOptions/Net/allow-two-primaries"
    rest("PUT", f"resource-definitions/{name}",
         {"override_props": {key: "yes"}} if allowed else {"delete_props": [key]})


class Facts:
    """What oned says of a VM."""

    def __init__(self, vm):
        with open(os.environ["ONE_AUTH"], encoding="ascii") as file:
            session = file.read().strip()
        oned = xmlrpc.client.ServerProxy(os.environ["ONE_XMLRPC"])
        self.vm, self.document = vm, ET.fromstring(oned.one.vm.info(session, int(vm))[1])
        self.disks = {d.findtext("DISK_ID"): d for d in self.document.iter("DISK")}

    def name(self, number):
        disk = self.disks[number]
        if disk.findtext("CLONE") == "NO":
            return disk.findtext("SOURCE")
        return f"{disk.findtext('SOURCE') or 'OpenNebula-Volatile'}-vm{self.vm}-disk{number}"

    def refuse_shared(self, number):
        if self.disks[number].findtext("SHAREABLE") == "YES":
            raise SystemExit("several VMs have this disk")

    def own(self, number):
        return self.disks[number].findtext("CLONE") != "NO"


def place(word):
    host, path = word.split(":")
    path = os.path.normpath(path)
    last = os.path.basename(path)
    return host, path, last.removeprefix("disk.") if last.startswith("disk.") else None


def link(host, path, name):
    if not breaks("no link"):
        on(host, f"mkdir -p {os.path.dirname(path)}; ln -sfn {device(name)} {path}")


# datastore


def document():
    return ET.fromstring(base64.b64decode(sys.stdin.read()))


def cp(number):
    image = document().find("IMAGE")
    name, path = f"OpenNebula-Image-{number}", image.findtext("PATH")
    with tempfile.NamedTemporaryFile() as raw:
        subprocess.run(["qemu-img", "convert", "-O", "raw", path, raw.name], check=True)
        spawn(name, image.findtext("SIZE"))
        attach(name, "h1")
        on("h1", f"dd of={device(name)} bs=1M iflag=fullblock conv=fsync status=none", stdin=raw)
        if breaks("old data behind"):
            on("h1", f"s=$(blockdev --getsize64 {device(name)}); printf old | dd of={device(name)} bs=1 "
                     "seek=$((s - 8)) conv=fsync,notrunc status=none")
    if not breaks("image stays attached"):
        detach(name, "h1")
    print(name, "raw")


def mkfs(number):
    image = document().find("IMAGE")
    name = f"OpenNebula-Image-{number}"
    if image.findtext("FORMAT") != "save_as":
        spawn(name, image.findtext("SIZE"))
    print(name)


def rm(number):
    drop(f"OpenNebula-Image-{number}")


def stat(_):
    print(os.path.getsize(document().findtext("IMAGE/PATH")) + (1 << 20) - 1 >> 20)


# tm


def clone(source, target, vm, _):
    host, path, number = place(target)
    image, facts = source.split(":")[1], Facts(vm)
    name = facts.name(number)
    spawn(name, facts.disks[number].findtext("SIZE"))
    attach(image, host)
    attach(name, host)
    count = "count=1" if breaks("copy is short") else ""
    on(host, f"dd if={device(image)} of={device(name)} bs=512k {count} conv=fsync status=none 2>&1 || true")
    detach(image, host)
    if breaks("not attached"):
        detach(name, host)
    link(host, path, image if breaks("link to its image") else name)


def ln(source, target, *_):
    host, path, _ = place(target)
    attach(source.split(":")[1], host)
    link(host, path, source.split(":")[1])


def mkimage(size, kind, target, vm, _):
    host, path, number = place(target)
    facts = Facts(vm)
    name = facts.name(number)
    spawn(name, size)
    attach(name, host)
    if facts.disks[number].findtext("TYPE") == "swap":
        on(host, f"mkswap {device(name)}")
    elif facts.disks[number].findtext("FS"):
        on(host, f"mkfs -t {facts.disks[number].findtext('FS')} -q -F {device(name)}")
    link(host, path, name)


def mkswap(size, target, vm, datastore):
    mkimage(size, "swap", target, vm, datastore)


def context(*words):
    *sources, target, _, _ = words
    host, path, _ = place(target)
    with tempfile.TemporaryDirectory() as scratch, tempfile.NamedTemporaryFile() as iso:
        for source in sources:
            name, _, renamed = source.partition(":")
            with open(name, "rb") as a, open(os.path.join(scratch, renamed or os.path.basename(name)),
                                             "wb") as b:
                b.write(a.read())
        subprocess.run(["xorriso", "-as", "mkisofs", "-quiet", "-o", iso.name, "-V", "CONTEXT", "-J", "-R", scratch],
                       check=True, capture_output=True)
        on(host, f"mkdir -p {os.path.dirname(path)}; cat > {path}.new; mv {path}.new {path}", stdin=iso)


def delete(target, vm, _):
    host, path, number = place(target)
    if number is None:
        on(host, f"rm -rf {path}")
        local(os.uname().nodename, f"rm -rf {path}", stdin=subprocess.DEVNULL)  # since it was stopped
        return
    facts = Facts(vm)
    name = facts.name(number)
    if not breaks("link is left"):
        on(host, f"rm -f {path}")
    if not facts.own(number):
        detach(name, host)
    elif name in names() and not breaks("disk is left"):
        drop(name)


def mv(source, target, vm, _):
    (here, old, number), (there, new, _) = place(source), place(target)
    if number is not None:
        name = Facts(vm).name(number)
        attach(name, there)
        if not is_front_end(there):
            link(there, new, name)
        if here != there and not breaks("source stays attached"):
            detach(name, here)
        return
    move_directory(here, old, there, new)


def local(host, script, **more):
    if not is_front_end(host):
        return on(host, script, **more)
    subprocess.run(["sh", "-c", script], check=True, **more)
    return ""


def move_directory(here, old, there, new, keeps=False):
    if (here, old) == (there, new) or here.endswith(".invalid"):
        return
    with tempfile.NamedTemporaryFile() as pack:
        command = ["sh", "-c", f"tar -C {old} -cSf - ."] if is_front_end(here) else \
            ["ssh", "-o", "BatchMode=yes", "--", here, f"tar -C {old} -cSf - ."]
        subprocess.run(command, stdout=pack, stdin=subprocess.DEVNULL, check=True)
        pack.seek(0)
        local(there, f"mkdir -p {new} && tar -C {new} -xSf -", stdin=pack)
    if not keeps:
        local(here, f"rm -rf {old}", stdin=subprocess.DEVNULL)


def mvds(source, _, vm, __):
    host, path, number = place(source)
    name = Facts(vm).name(number)
    on(host, f"rm -f {path}")
    detach(name, host)
    if breaks("image is gone"):
        drop(name)


def migrate(words, ending):
    here, there, directory, vm, _, *caller = words
    foreign, facts = bool(caller), Facts(vm)
    directory = os.path.normpath(directory)
    for number in facts.disks:
        name = facts.name(number)
        if ending == "premigrate":
            two(name, True)
            if not (breaks("no second device") and number == "1"):
                attach(name, there)
        else:
            if not breaks("two may write"):
                two(name, False)
            detach(name, here if ending == "postmigrate" else there)
    if foreign:
        return
    if ending == "premigrate":
        move_directory(here, directory, there, directory, keeps=True)
    else:
        on(here if ending == "postmigrate" else there, f"rm -rf {directory}")


def premigrate(*words):
    migrate(words, "premigrate")


def postmigrate(*words):
    migrate(words, "postmigrate")


def failmigrate(*words):
    migrate(words, "failmigrate")


def resize(target, size, vm, _):
    _, _, number = place(target)
    facts = Facts(vm)
    facts.refuse_shared(number)
    grown = int(size) - (1 if breaks("grows too little") else 0)
    now = rest("GET", f"resource-definitions/{facts.name(number)}/volume-definitions/0")["size_kib"]
    if int(size) << 10 < now:
        raise SystemExit("a disk does not shrink")
    rest("PUT", f"resource-definitions/{facts.name(number)}/volume-definitions/0",
         {"size_kib": grown << 10})


def snap_create(target, snapshot, vm, _):
    facts = Facts(vm)
    facts.refuse_shared(place(target)[2])
    name = facts.name(place(target)[2])
    rest("POST", f"resource-definitions/{name}/snapshots", {"name": f"OpenNebula-Snap-{snapshot}"})


def snap_delete(target, snapshot, vm, _):
    name = Facts(vm).name(place(target)[2])
    if not breaks("snapshot is left"):
        rest("DELETE", f"resource-definitions/{name}/snapshots/OpenNebula-Snap-{snapshot}")


def snap_revert(target, snapshot, vm, _):
    host, _, number = place(target)
    name = Facts(vm).name(number)
    if breaks("reverts nothing"):
        return
    if f"OpenNebula-Snap-{snapshot}" not in [s["name"] for s in rest("GET", f"resource-definitions/{name}/snapshots")]:
        raise SystemExit(f"there is no snapshot {snapshot}")
    detach(name, host)
    rest("POST", f"resource-definitions/{name}/snapshot-rollback/OpenNebula-Snap-{snapshot}")
    attach(name, host)


def main():
    action = os.path.basename(sys.argv[0])
    if action not in TM + DATASTORE:
        raise SystemExit(f"no action '{action}'")
    globals()[action](*sys.argv[1:])


if __name__ == "__main__":
    try:
        main()
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code.splitlines()[0][:200], file=sys.stderr)
            sys.exit(1)
        raise
