# SPDX-License-Identifier: Apache-2.0
"""What the simulated LINSTOR stores, for onevol-verify --storage. It asks the simulator's control port
and reads its files: nothing of it is what a driver does.

usage: linstor_storage.py CONTROL list | read NAME FILE
"""
import json
import os
import socket
import sys


def ask(control, hook):
    """HTTP by hand: this program starts for every look."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(control)
        connection.sendall(f"POST /{hook} HTTP/1.0\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}"
                           .encode())
        answer = b""
        while data := connection.recv(1 << 16):
            answer += data
            head, _, body = answer.partition(b"\r\n\r\n")
            length = [line.split(b":")[1] for line in head.split(b"\r\n")
                      if line.lower().startswith(b"content-length:")]
            if length and len(body) >= int(length[0]):
                return json.loads(body)
    raise SystemExit("the simulator does not answer")


def stamp(path):
    info = os.stat(path)
    return f"{info.st_mtime_ns}.{info.st_ctime_ns}.{info.st_size}"


def volumes(control):
    return [v for v in ask(control, "volumes")["volumes"] if not v["deleted"]]


def show(control):
    for volume in volumes(control):
        name = volume["name"]
        print(name, f"/dev/drbd/by-res/{name}/{volume['volume']}", ",".join(volume["attached"]) or "-",
              "two" if volume["two_primaries"] else "-", stamp(volume["content"]))
        for snapshot in volume["snapshots"]:
            print(f"{name}@{snapshot}")


def read(control, name, target):
    content = [v["content"] for v in volumes(control) if v["name"] == name]
    if not content:
        raise SystemExit(f"there is no resource '{name}'")
    with open(content[0], "rb") as source, open(target, "wb") as out:
        size = os.fstat(source.fileno()).st_size
        out.truncate(size)
        while block := source.read(1 << 16):
            if block.count(0) != len(block):
                out.seek(source.tell() - len(block))
                out.write(block)


def main():
    if sys.argv[2:] == ["list"]:
        show(sys.argv[1])
    elif len(sys.argv) == 5 and sys.argv[2] == "read":
        read(sys.argv[1], *sys.argv[3:])
    else:
        raise SystemExit(__doc__)


main()
