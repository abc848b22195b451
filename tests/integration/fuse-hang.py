#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A file system whose writes never end: fuse-hang.py DIRECTORY [statfs]. Holds one file, x. With
`statfs` it is the question for its space that is never answered.

Whoever writes to it cannot be killed (D state) until the mount is aborted: what a storage does
whose servers are gone. Speaks to /dev/fuse by itself, so that nothing need be installed.
"""
import ctypes
import os
import struct
import sys

LOOKUP, GETATTR, SETATTR, OPEN, WRITE, STATFS, RELEASE, INIT, OPENDIR, CREATE = \
    1, 3, 4, 14, 16, 17, 18, 26, 27, 35
FORGET = (2, 36, 42)
ENOENT, ENOSYS = 2, 38


def attributes(node):
    mode, size = (0o40777, 0) if node == 1 else (0o100666, 4096)
    return struct.pack("<QQQQQQIIIIIIIIII", node, size, 8, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0,
                       4096, 0)


def entry(node):
    return struct.pack("<QQQQII", node, 1, 0, 0, 0, 0) + attributes(node)


def answer(opcode, node, body):
    """The body of a reply, an errno, or None for "never"."""
    if opcode == INIT:
        return struct.pack("<IIIIHHI", 7, 31, 65536, 0, 12, 10, 65536) + bytes(40)
    if opcode == LOOKUP:
        return entry(2) if body.rstrip(b"\0") == b"x" else ENOENT
    if opcode in (GETATTR, SETATTR):
        return struct.pack("<QII", 1, 0, 0) + attributes(node)
    if opcode in (OPEN, OPENDIR):
        return struct.pack("<QII", 1, 0, 0)
    if opcode == CREATE:
        return entry(3) + struct.pack("<QII", 1, 0, 0)
    if opcode == STATFS and "statfs" in sys.argv:
        return None
    if opcode == STATFS:
        return struct.pack("<QQQQQIIII", 1000, 500, 500, 10, 10, 4096, 255, 4096, 0) + bytes(24)
    if opcode == WRITE:
        return None
    return b"" if opcode == RELEASE else ENOSYS


def main():
    device = os.open("/dev/fuse", os.O_RDWR)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    if libc.mount(b"hang", sys.argv[1].encode(), b"fuse", 0, options):
        sys.exit(os.strerror(ctypes.get_errno()))
    print("ready", flush=True)
    while True:
        try:
            request = os.read(device, 1 << 20)
        except OSError:
            return
        _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
        if opcode in FORGET:
            continue
        reply = answer(opcode, node, request[40:])
        if reply is None:
            continue
        error, body = (-reply, b"") if isinstance(reply, int) else (0, reply)
        os.write(device, struct.pack("<IiQ", 16 + len(body), error, unique) + body)


main()
