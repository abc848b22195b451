#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Imports of packed images: onevol's whole action (read, unpack, find zeros, write, flush, commit)
against the decoder alone into a file (`zcat < x > file; sync`), in turn, from a file and by http.
Prints medians, CPU and the largest resident memory; asserts nothing.

usage: bench_import.py ONEVOL [--rounds N] [--size MIB] [--directory DIR]
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../integration"))
# pylint: disable=wrong-import-position
from measure import GIB, MIB, os_image
from played_site import Site, encoded

PACKERS = {"gz": (["gzip", "-6c"], "zcat"), "xz": (["xz", "-2cT2"], "xzcat"),
           "zst": (["zstd", "-q3c"], "zstdcat")}


def measured(words, stdin=None, environment=None):
    """Wall and CPU seconds, and the largest resident memory in MiB, of a command."""
    start = time.monotonic()
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=environment)
    process.stdin.write(stdin or b"")
    process.stdin.close()
    out, said = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{words}: {said.decode()}")
    return out.decode(), (wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


class Bench:
    def __init__(self, onevol, base):
        self.site = Site(onevol, base=base)
        self.number = 0

    def message(self, path, size):
        self.number += 1
        return encoded(
            f"<DS_DRIVER_ACTION_DATA><IMAGE><ID>{self.number}</ID><UID>0</UID><TYPE>0</TYPE>"
            f"<PATH>{path}</PATH><SIZE>{size}</SIZE><FORMAT/><TEMPLATE/></IMAGE><DATASTORE><ID>103</ID>"
            f"<NAME>d</NAME><TYPE>0</TYPE><DS_MAD>reflink</DS_MAD><TM_MAD>reflink</TM_MAD><BASE_PATH>"
            f"{self.site.datastores}/103</BASE_PATH><TEMPLATE><SAFE_DIRS>{self.site.sources}</SAFE_DIRS>"
            "</TEMPLATE></DATASTORE></DS_DRIVER_ACTION_DATA>")

    def ours(self, path, size):
        out, times = measured([self.site.remotes / "datastore/reflink/cp", "1"],
                              self.message(path, size), self.site.environment)
        return out.split()[0], times

    def peer(self, decoder, path):
        target = self.site.datastores / "103/peer"
        _, times = measured(["sh", "-c", f"{decoder} <'{path}' >'{target}'; sync '{target}'"])
        return target, times


def serve(directory):
    """Python's own server reads and sends in large pieces, in a process of its own."""
    process = subprocess.Popen([sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "0",
                                "--directory", directory], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               env={**os.environ, "PYTHONUNBUFFERED": "1"}, text=True)
    port = process.stdout.readline().split(" port ")[1].split()[0]
    threading.Thread(target=process.stdout.read, daemon=True).start()
    return process, f"http://127.0.0.1:{port}"


def show(title, results, size):
    first = statistics.median(row[0] for row in next(iter(results.values())))
    print(f"\n{title}\n\n  {'':26}{'wall s':>8}{'CPU s/GiB':>11}{'peak MiB':>10}{'ours is':>10}")
    for name, rows in results.items():
        wall, cpu, memory = (statistics.median(row[i] for row in rows) for i in range(3))
        ratio = "" if name == next(iter(results)) else f"{wall / first:9.2f}x"
        print(f"  {name:26}{wall:8.2f}{cpu * GIB / size:11.2f}{memory:10.0f}{ratio:>10}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("onevol")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=1024, help="MiB of files in the image")
    parser.add_argument("--directory", default="/var/tmp")
    given = parser.parse_args()
    bench = Bench(given.onevol, given.directory)
    server = None
    try:
        sources = bench.site.sources
        image = sources / "os.img"
        os_image(str(image), 2 * given.size * MIB, given.size * MIB)
        server, address = serve(sources)
        size = 2 * given.size
        print(f"An ext4 image of {size} MiB with {given.size} MiB of files of this machine; medians of "
              f"{given.rounds}, in turn")
        for form, (packer, decoder) in PACKERS.items():
            packed = sources / f"os.img.{form}"
            with open(packed, "wb") as out:
                subprocess.run([*packer, image], stdout=out, check=True)
            ways = {"onevol, from a file": lambda p=packed: bench.ours(p, size),
                    f"{decoder} to a file": lambda p=packed, d=decoder: bench.peer(d, p),
                    "onevol, by http": lambda p=packed: bench.ours(f"{address}/{p.name}", size)}
            results = {name: [] for name in ways}
            for number in range(given.rounds + 1):
                for name, way in ways.items():
                    target, times = way()
                    if number == 0:
                        subprocess.run(["cmp", image, target], check=True)
                    else:
                        results[name].append(times)
                    pathlib.Path(target).unlink()
            show(f"{form}, {packed.stat().st_size / MIB:.0f} MiB packed", results, size * MIB)
            packed.unlink()
    finally:
        if server:
            server.kill()
            server.wait()
        bench.site.close()


if __name__ == "__main__":
    main()
