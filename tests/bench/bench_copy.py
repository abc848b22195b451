#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The mover within one machine against the usual tools, each with its flush, in one run.

A raw file of 4 GiB with 1 GiB of data goes to a file and to a fresh loop device. "plain" reads and
writes the same gigabyte from one end to the other without a hole: what the machine can do.

usage: bench_copy.py COPYTOOL [--rounds N] [--directory DIR]
"""
import argparse
import os
import shutil
import tempfile

from measure import GIB, LoopDevice, compare, sparse_raw


def to_file(tool, source, plain, directory, rounds):
    target = f"{directory}/target"
    flush = f"sync -d {target}"

    def prepare():
        if os.path.exists(target):
            os.unlink(target)
        os.sync()

    compare("raw 4 GiB with 1 GiB of data, to a file", {
        "onevol": [tool, source, target, "shares"],
        "onevol, read and written": [tool, source, target, "reads"],
        "plain 1 GiB, dd bs=1M": ["dd", f"if={plain}", f"of={target}", "bs=1M", "conv=fsync",
                                  "status=none"],
        "qemu-img convert": ["sh", "-c", f"qemu-img convert -f raw -O raw {source} {target} "
                             f"&& {flush}"],
        "dd conv=sparse bs=1M": ["dd", f"if={source}", f"of={target}", "bs=1M",
                                 "conv=sparse,fsync", "status=none"],
        "cp --sparse=always": ["sh", "-c", f"cp --sparse=always {source} {target} && {flush}"],
    }, prepare, GIB, rounds)
    os.unlink(target)


def to_device(tool, source, plain, directory, rounds):
    device = LoopDevice(f"{directory}/device", 4 * GIB)
    path = device.renew()
    if not path:
        print("\n  to a loop device: skipped, there are none here")
        return

    def prepare():
        if device.renew() != path:
            raise SystemExit("the loop device got another name: something else takes some too")
        os.sync()

    compare("the same, to a fresh loop device", {
        "onevol": [tool, source, path, "shares"],
        "plain 1 GiB, dd oflag=direct": ["dd", f"if={plain}", f"of={path}", "bs=1M",
                                         "oflag=direct", "conv=fsync", "status=none"],
        "plain 1 GiB, dd bs=1M": ["dd", f"if={plain}", f"of={path}", "bs=1M", "conv=fsync",
                                  "status=none"],
        "qemu-img convert -t none": ["sh", "-c", "qemu-img convert -n -t none -f raw -O raw "
                                     f"{source} {path} && sync -d {path}"],
        "qemu-img convert": ["sh", "-c", f"qemu-img convert -n -f raw -O raw {source} {path} "
                             f"&& sync -d {path}"],
        "dd conv=sparse bs=1M": ["dd", f"if={source}", f"of={path}", "bs=1M",
                                 "conv=sparse,fsync,notrunc", "status=none"],
    }, prepare, GIB, rounds)
    device.remove()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("copytool")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--directory", default="/var/tmp")
    options = parser.parse_args()
    tool = os.path.abspath(options.copytool)
    directory = tempfile.mkdtemp(prefix="onevol-bench-copy-", dir=options.directory)
    try:
        source, plain = f"{directory}/source", f"{directory}/plain"
        sparse_raw(source, 4 * GIB, GIB)
        sparse_raw(plain, GIB, GIB, seed=2)
        to_file(tool, source, plain, directory, options.rounds)
        to_device(tool, source, plain, directory, options.rounds)
    finally:
        shutil.rmtree(directory)


main()
