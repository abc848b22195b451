#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Copies between machines: any content to any target, and whatever breaks on the way.

transport.py HOSTTOOL STREAMTOOL [CASE...]; TAP. After each fault nothing incomplete is left, and the
same copy works.
"""
import os
import random
import re
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import hostcase  # noqa: E402
from hostcase import (ONE, Running, Skip, check, clean, eventually, fails, idle, tool,  # noqa: E402
                      works)

STREAMTOOL = os.path.abspath(sys.argv[2])
MIB = 1 << 20
BIG = 300 * MIB
lab = None


def pattern(path, size, seed):
    """Noise, text, zeros and holes, mostly not where blocks begin."""
    chance = random.Random(seed)
    with open(path, "wb") as out:
        out.truncate(size)
        for _ in range(14):
            start = chance.randrange(size) if chance.random() < 0.5 else (
                chance.randrange(size) // 4096 * 4096)
            length = min(size - start, 1 << chance.randrange(22))
            out.seek(start)
            out.write(chance.choice([chance.randbytes(length), b"text, " * (length // 6 + 1),
                                     bytes(length)])[:length])


class Device:
    """A loop device full of old data; both ends see it, since they share /dev."""

    def __init__(self, size):
        self.backing, self.size = lab.path("backing"), size
        with open(self.backing, "wb") as out:
            out.truncate(size)
        found = subprocess.run(["losetup", "--find", "--show", self.backing],
                               capture_output=True, text=True)
        if found.returncode != 0:
            raise Skip("no loop devices here")
        self.path = found.stdout.strip()

    def dirty(self):
        with open(self.path, "r+b") as out:
            for _ in range(self.size // MIB):
                out.write(b"old data" * (MIB // 8))
        subprocess.run(["blockdev", "--flushbufs", self.path], check=True)

    def content(self):
        subprocess.run(["blockdev", "--flushbufs", self.path], check=True)
        with open(self.path, "rb") as data:
            return data.read()

    def remove(self):
        subprocess.run(["losetup", "--detach", self.path], check=True)
        os.unlink(self.backing)


def expect_content(path, target, size):
    with open(path, "rb") as data:
        wanted = data.read()
    is_there = target.content()
    check(is_there[:len(wanted)] == wanted, f"content of {path}")
    check(is_there[len(wanted):] == bytes(size - len(wanted)), "zeros behind the content")


# --- every byte -----------------------------------------------------------------------------

def any_pattern_over_a_dirty_device():
    device = Device(24 * MIB)
    source = lab.path("pattern")
    try:
        for seed in range(12):
            size = random.Random(seed).choice([24 * MIB, 24 * MIB - 512, 7 * MIB + 12345, 1])
            pattern(source, size, seed)
            device.dirty()
            words = [STREAMTOOL, source, device.path, "dirty"] + ["readback"] * (seed % 2)
            done = subprocess.run(words, capture_output=True, text=True)
            check(done.returncode == 0, seed, done)
            expect_content(source, device, 24 * MIB)
        pattern(source, 24 * MIB + 1, 1) # and one that does not fit
        done = subprocess.run([STREAMTOOL, source, device.path, "dirty"], capture_output=True,
                              text=True)
        check(done.returncode == 1 and "has 25165824 bytes" in done.stderr, done)
    finally:
        device.remove()


def devices_between_hosts():
    device = Device(16 * MIB)
    source = lab.path("pattern")
    try:
        for seed, front in enumerate(("here", "h1", "h2")):
            pattern(source, 16 * MIB - seed * 700, seed)
            device.dirty()
            works("here options 0 dirty readback", f"{front} transfer {source} h1 {device.path}")
            expect_content(source, device, 16 * MIB)
            works(f"h1 transfer {device.path} h2 {ONE}/from-device")
            with open(source, "rb") as data:
                wanted = data.read()
            copy = subprocess.run(lab.enter("h2", "cat", f"{ONE}/from-device"),
                                  capture_output=True).stdout
            check(copy == wanted + bytes(16 * MIB - len(wanted)), "a device as the source")
        pattern(source, 17 * MIB, 9)
        for to in ("h1", "here"):
            fails(tool(f"here transfer {source} {to} {device.path}"), 5, "has 16777216 bytes")
        fails(tool(f"here fill {device.path} {source} 99999999"), 5, "ends at 16777216 bytes")
        fails(tool(f"here transfer {source} h1 /dev/not-there"), 3)
    finally:
        device.remove()
        lab.on("h2", f"rm -f {ONE}/from-device")


def content_that_a_process_makes():
    source, target = lab.path("made"), f"{ONE}/made"
    for host in ("here", "h1"):
        for size in (0, 1, 5 * MIB + 3):
            pattern(source, size, 3) if size else open(source, "wb").close()
            out = works("here options 0 fresh readback", f"{host} fill {target} {source} {size}")
            check(out == f"{size}\n", out)
            works(f"{host} transfer {target} here {ONE}/back", f"here run 9 cmp {source} {ONE}/back")
        pattern(source, 5 * MIB, 4)
        fails(tool(f"{host} fill {target} {source} {5 * MIB - 1}"), 7, "more than the 5242879 bytes")
        lab.on("fe" if host == "here" else host, f"rm {target}")


# --- limits and progress --------------------------------------------------------------------

def a_rate_is_kept():
    lab.on("h1", f"head -c {6 * MIB} /dev/urandom > {ONE}/noise")
    for from_, to in (("h1", "here"), ("h1", "h2")):
        done = tool(f"here options {2 * MIB} fresh trust", f"{from_} transfer {ONE}/noise {to} {ONE}/n")
        check(done.code == 0 and 2.2 < done.seconds < 20, done)
    done = tool(f"h1 transfer {ONE}/noise here {ONE}/n")
    check(done.code == 0 and done.seconds < 2.2, done)


def a_long_copy_is_seen():
    lab.on("h1", f"head -c {26 * MIB} /dev/urandom > {ONE}/noise")
    for to in ("h2", "here"):
        done = tool(f"here options {2 * MIB} fresh trust", f"h1 transfer {ONE}/noise {to} {ONE}/n")
        found = re.search(r"^INFO: .*: ([0-9.]+) MiB of 26.0 MiB \((\d+) %\), ([0-9.]+) MiB/s, 0:\d\d "
                          "left$", done.err, re.M)
        check(done.code == 0 and found, "a line after 10 s", done)
        check(60 < int(found.group(2)) < 95 and 1.5 < float(found.group(3)) < 2.5, found.group(0))
    lab.on("h1", f"rm {ONE}/noise")


def somebody_who_watches_sees_a_bar():
    lab.on("h1", f"head -c {8 * MIB} /dev/urandom > {ONE}/noise")
    words = f"here options {2 * MIB} fresh trust , h1 transfer {ONE}/noise h2 {ONE}/n"
    done = subprocess.run(lab.enter("fe", "script", "-qec", f"{hostcase.TOOL} {words}", "/dev/null"),
                          env=lab.environment(), stdin=subprocess.DEVNULL, capture_output=True)
    bars = re.findall(rb"\r\[(=*) *\] ", done.stdout)
    check(done.returncode == 0 and len(bars) >= 5, done)
    check(len(bars[0]) < len(bars[-1]) <= 24, "it grows", bars)
    check(b"\r\x1b[K" in done.stdout, "and goes away")


# --- what breaks ----------------------------------------------------------------------------

def begin(source, to="h2", front="h1", **environment):
    """A copy into a build that moves data, slow enough to be hit."""
    copy = Running(f"here options {60 * MIB} fresh trust", f"{to} build {ONE}/v",
                   f"{front} transfer {source} {to} {ONE}/v.part/content", **environment)
    place = "fe" if to == "here" else to
    eventually(lambda: int(lab.on(place, f"stat -c %b {ONE}/v.part/content || echo 0",
                                  False).split("\n")[-2] or 0) > 1000, "data moves", 15)
    return copy


def big(host="h1"):
    lab.on(host, f"[ -e {ONE}/big ] || head -c {BIG} /dev/urandom > {ONE}/big")
    return f"{ONE}/big"


def settled(*hosts):
    for host in hosts:
        if host != "fe":
            idle(host)
        eventually(lambda: lab.on(host, f"ls -d {ONE}/v.part {ONE}/v || true") == "",
                   f"nothing is left on {host}", 15)


def kill_on(host, what):
    found = lab.on(host, f"pgrep -f '{what}' || true").split()
    check(found, f"'{what}' runs on {host}")
    lab.on(host, "kill -9 " + " ".join(found[:1]))


def worker(host):
    """The process that reads or writes: the youngest child of the agent that serves."""
    serve = lab.on(host, "pgrep -f '^/var/tmp/onevol-agent-0/agent-.* serve'").split()[0]
    return lab.on(host, f"pgrep -P {serve}").split()[-1]


def taken_over(source):
    """Who could drop the build was killed: it stays incomplete until the next one takes it over."""
    check(lab.on("h2", f"ls -d {ONE}/v || true") == "", "nothing incomplete under its name")
    idle("h2")
    works(f"h2 build {ONE}/v", f"h1 transfer {source} h2 {ONE}/v.part/content", f"h2 commit {ONE}/v")
    sums = {lab.on(host, f"md5sum < {path}") for host, path in (("h1", source), ("h2", f"{ONE}/v"))}
    check(len(sums) == 1, sums)
    lab.on("h2", f"rm {ONE}/v")
    settled("h1", "h2")


def either_end_is_killed():
    source = big()
    for host in ("h1", "h2"):
        copy = begin(source)
        lab.on(host, f"kill -9 {worker(host)}")
        done = copy.end()
        check(done.code != 0 and f"on host '{host}'" in done.err, host, done)
        settled("h1", "h2")
        copy = begin(source)
        kill_on(host, "^/var/tmp/onevol-agent-0/agent-.* serve")
        fails(copy.end(), 9, f"on host '{host}'", within=25)
        taken_over(source)


def ssh_is_killed():
    source = big()
    for count in (1, 2):
        copy = begin(source)
        ssh = lab.on("fe", "pgrep -x ssh | sort -n").split()
        check(len(ssh) == 4, "two sessions, two bulk connections", ssh)
        lab.on("fe", f"kill -9 {ssh[-count]}")
        fails(copy.end(), 9, within=25)
        settled("h1", "h2")


def the_front_end_is_killed():
    source = big()
    copy = begin(source)
    os.kill(copy.pid(), signal.SIGKILL)
    copy.end()
    settled("h1", "h2")


def a_signal_stops_and_cleans_up():
    source = big()
    for to, places in (("h2", ("h1", "h2")), ("here", ("h1", "fe"))):
        copy = begin(source, to)
        os.kill(copy.pid(), signal.SIGTERM)
        start = time.monotonic()
        done = copy.end()
        check(done.code == 12 and "signal 15" in done.err, done)
        check(time.monotonic() - start < 5, "at once")
        settled(*places)


def a_connection_that_is_cut():
    source = big()
    cut = f"{hostcase.HERE}/cut-ssh.py"
    for way, count in (("in", 30 * MIB), ("out", 30 * MIB), ("in", 5000), ("out", 5000)):
        done = tool(f"h2 build {ONE}/v", f"h1 transfer {source} h2 {ONE}/v.part/content",
                    FAKE_SSH=f"/usr/bin/python3 {cut}", CUT=f"{way}:{count}",
                    CUT_SSH=lab.path("bin", "ssh"))
        check(done.code != 0, way, count, done)
        settled("h1", "h2")
    works(f"h1 transfer {source} h2 {ONE}/copy", f"h2 transfer {ONE}/copy here {ONE}/copy",
          f"h1 transfer {source} here {ONE}/first", f"here run 20 cmp {ONE}/copy {ONE}/first")
    lab.on("h2", f"rm {ONE}/copy")
    lab.on("fe", f"rm {ONE}/copy {ONE}/first")


def full_storage_midway():
    source = big()
    lab.on("h2", f"mkdir -p {ONE}/small; mount -t tmpfs -o size=40M t {ONE}/small")
    for front in ("h1", "here"):
        here = f"{ONE}/local"
        if front == "here":
            lab.on("fe", f"head -c {100 * MIB} /dev/urandom > {here}")
        done = tool(f"h2 build {ONE}/small/v", f"{front} transfer {source if front == 'h1' else here} "
                    f"h2 {ONE}/small/v.part/content")
        fails(done, 5, "on host 'h2'", "No space left", within=20)
        idle("h2")
        clean("h2")
    lab.on("h2", f"umount {ONE}/small; rmdir {ONE}/small")
    lab.on("fe", f"rm {here}")


def a_byte_that_changes_on_its_way():
    """Behind ssh's own protection, as a bad memory would do it."""
    source = big()
    for relay in (True, False):
        flip = f"/usr/bin/python3 {hostcase.HERE}/flip-ssh.py"
        environment = {"FAKE_SSH": flip, "FLIP_SSH": lab.path("bin", "ssh"),
                       "FLIP_AT": str(40 * MIB)}
        to, places = ("h2", ("h1", "h2")) if relay else ("here", ("h1", "fe"))
        done = tool(f"{to} build {ONE}/v", f"h1 transfer {source} {to} {ONE}/v.part/content",
                    **environment)
        check(done.code == 10, "CORRUPT", done)
        check("the data changed on its way" in done.err or "stream is broken" in done.err, done)
        settled(*places)


def a_source_that_changes():
    source = big()
    copy = begin(source)
    lab.on("h1", f"printf x | dd of={source} bs=1 seek={BIG - 5} conv=notrunc status=none")
    fails(copy.end(), 10, "on host 'h1'", "changed while it was read", within=25)
    settled("h1", "h2")


def straight_from_host_to_host():
    """The same faults where the front-end does not see the data."""
    source = big()
    agent = subprocess.Popen(lab.enter("fe", "ssh-agent", "-D", "-a", lab.path("agent")),
                             stdout=subprocess.DEVNULL)
    eventually(lambda: os.path.exists(lab.path("agent")), "an ssh agent")
    lab.on("fe", f"SSH_AUTH_SOCK={lab.path('agent')} ssh-add -q {lab.path('key')}")
    lab.on("h1", "mkdir -p /root/.ssh; echo StrictHostKeyChecking no > /root/.ssh/config")
    auth = {"SSH_AUTH_SOCK": lab.path("agent")}
    try:
        for host, victim in (("h1", "worker"), ("h2", "worker"), ("h1", "ssh")):
            copy = begin(source, **auth)
            check(lab.on("h1", "pgrep -x ssh"), "h1 talks to h2")
            lab.on(host, "kill -9 " + (worker(host) if victim == "worker"
                                       else lab.on(host, "pgrep -x ssh").split()[0]))
            done = copy.end()
            check(done.code != 0, host, victim, done)
            settled("h1", "h2")
        copy = begin(source, **auth)
        os.kill(copy.pid(), signal.SIGTERM)
        check(copy.end().code == 12)
        settled("h1", "h2")
        copy = begin(source, **auth)
        os.kill(copy.pid(), signal.SIGKILL)
        copy.end()
        settled("h1", "h2")
        done = tool(f"h1 transfer {source} h2 {ONE}/copy", **auth)
        check(done.code == 0 and "by way of" not in done.err, done)
        sums = [lab.on(host, f"md5sum < {path}") for host, path in
                (("h1", source), ("h2", f"{ONE}/copy"))]
        check(sums[0] == sums[1], sums)
        done = tool(f"h1 transfer {source} h2 {ONE}/copy", ONEVOL_DIRECT="no", **auth)
        check(done.code == 0 and not lab.on("h1", "pgrep -x ssh || true"), done)
    finally:
        agent.kill()
        agent.wait()
        lab.on("h1", "rm -rf /root/.ssh")
        lab.on("h2", f"rm -f {ONE}/copy")


CASES = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__module__", "") == "__main__" and "_" in name and
         name not in ("expect_content", "kill_on", "taken_over")]
hostcase.main(CASES, globals(), 3)
