#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One guest with real LVM: does the lab itself hold what the tests on it rely on?

lvm.py HOSTTOOL [CASE...]; TAP. The guest has a kernel with device-mapper, the programs of this
machine, a SAN that outlives a power cut, and is a host to the front-end: the agent gets there.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import case  # noqa: E402
import guest  # noqa: E402
from case import check, eventually  # noqa: E402

TOOL = os.path.abspath(sys.argv[1])
GROUP = "vg-one-100"
times = case.Times()


def tool(lab, *words, check_=True, limit=60):
    """hosttool on the front-end."""
    done = subprocess.run(lab.hosts.enter("fe", TOOL, *words), env=lab.environment(),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit)
    if check_:
        check(done.returncode == 0, words, done)
    return done


def lvs(lab, *fields):
    """Logical volumes, by name."""
    text = lab.on("kvm1", f"lvs -a --reportformat json --units b --nosuffix "
                          f"-o lv_name,{','.join(fields)} {GROUP}")
    return {lv["lv_name"]: lv for lv in json.loads(text)["report"][0]["lv"]}


def command(lab, words):
    times.take(words, lambda: lab.on("kvm1", words))


# --- cases, in order ------------------------------------------------------------------------


def a_guest_comes_up_as_a_host(lab):
    lab.boot("kvm1")
    check(lab.on("kvm1", "hostname; id -u").split() == ["kvm1", "0"])
    check(lab.on("kvm1", "cat /proc/1/comm").strip() == "busybox", "it reaps what is left")
    release = lab.on("kvm1", "uname -r").strip()
    check(release == lab.version, "a kernel of its own", release)
    check(lab.on("kvm1", "getent hosts fe"), "it knows the front-end")


def its_root_is_not_the_machines(lab):
    mark = f"/etc/onevol-lab-{os.getpid()}"
    lab.on("kvm1", f"echo x > {mark}; test -s {mark}")
    check(not os.path.exists(mark), "what a guest writes stays in it")
    check(lab.ssh("kvm1", f"echo x > {guest.SOURCE}/x").returncode != 0, "the sources are not its own")
    processes = lab.on("kvm1", "ls /proc").split()
    check(str(os.getpid()) not in processes, "/proc is its own")


def thick_volumes_and_their_snapshots(lab):
    command(lab, "pvcreate /dev/vda")
    command(lab, f"vgcreate {GROUP} /dev/vda")
    device = f"/dev/{GROUP}/lv-one-1-0"
    command(lab, f"lvcreate -y -n lv-one-1-0 -L 64M {GROUP}")
    lab.on("kvm1", f"printf before | dd of={device} conv=notrunc,fsync status=none")
    command(lab, f"lvextend -L +64M {GROUP}/lv-one-1-0")
    check(lab.on("kvm1", f"blockdev --getsize64 {device}").strip() == str(128 << 20))
    command(lab, f"lvcreate -s -n snap-1 -L 16M {GROUP}/lv-one-1-0")
    lab.on("kvm1", f"printf after_ | dd of={device} conv=notrunc,fsync status=none")
    read = "dd if=/dev/{}/{} bs=6 count=1 status=none"
    check(lab.on("kvm1", read.format(GROUP, "snap-1")) == "before")
    check(lab.on("kvm1", read.format(GROUP, "lv-one-1-0")) == "after_")
    grow = lab.ssh("kvm1", f"lvextend -L +4M {GROUP}/lv-one-1-0")
    check(grow.returncode == 5 and "only while inactive" in grow.stderr, grow)
    command(lab, f"lvchange --addtag owner {GROUP}/lv-one-1-0")
    command(lab, f"lvs -o lv_name,lv_tags {GROUP}")
    lab.on("kvm1", f"lvchange -an {GROUP}/lv-one-1-0")
    command(lab, f"lvconvert --merge {GROUP}/snap-1")
    lab.on("kvm1", f"lvchange -ay {GROUP}/lv-one-1-0")
    eventually(lambda: "snap-1" not in lvs(lab, "lv_attr"), "the snapshot is merged")
    check(lab.on("kvm1", read.format(GROUP, "lv-one-1-0")) == "before")
    command(lab, f"lvchange -an {GROUP}/lv-one-1-0")
    check(lab.ssh("kvm1", f"test -e {device}").returncode == 1, "its node goes without udev")
    command(lab, f"lvremove -y {GROUP}/lv-one-1-0")


def thin_pools(lab):
    command(lab, f"lvcreate -T -L 128M {GROUP}/pool")
    command(lab, f"lvcreate -n thin -V 1G -T {GROUP}/pool")
    lab.on("kvm1", f"dd if=/dev/urandom of=/dev/{GROUP}/thin bs=1M count=32 oflag=direct status=none")
    command(lab, f"lvcreate -s -n child -kn {GROUP}/thin")
    lab.on("kvm1", f"cmp -n {64 << 20} /dev/{GROUP}/thin /dev/{GROUP}/child")
    used = float(lvs(lab, "data_percent")["pool"]["data_percent"])
    check(24 < used < 27, "32 of 128 MiB, once", used)
    command(lab, f"lvremove -y {GROUP}/child")
    command(lab, f"lvremove -y {GROUP}/pool")
    check(lvs(lab, "lv_attr") == {}, "nothing is left")


def the_agent_gets_there_and_runs_commands(lab):
    first = times.take("the agent is copied and runs lvs", lambda: tool(
        lab, "-v", "kvm1", "run", "60", "sudo", "-n", "lvs", "--reportformat", "json", GROUP))
    check("copied the agent" in first.stderr, first)
    check(json.loads(first.stdout)["report"][0]["lv"] == [], first.stdout)
    next_ = times.take("the agent runs lvs", lambda: tool(
        lab, "-v", "kvm1", "run", "60", "sudo", "-n", "lvs", GROUP))
    check("copied the agent" not in next_.stderr, next_)
    check(tool(lab, "kvm1", "run", "60", "id", "-un").stdout == "oneadmin\n")
    for word in ("vgs", "lvrename", "lvconvert"):
        done = tool(lab, "kvm1", "run", "60", "sudo", "-n", word, "--help", check_=False)
        check(done.returncode != 0 and "password" in done.stderr, "not on OpenNebula's list", done)
    # content: from the front-end into a volume, and back
    tool(lab, "kvm1", "run", "60", "sudo", "-n", "lvcreate", "-y", "-n", "data", "-L", "16M", GROUP)
    content = lab.hosts.path("content")
    pathlib.Path(content).write_bytes(os.urandom(3 << 20))
    tool(lab, "here", "transfer", content, "kvm1", "/var/tmp/content")
    tool(lab, "kvm1", "run", "60", "dd", "if=/var/tmp/content", f"of=/dev/{GROUP}/data",
         "conv=fsync", "status=none")
    tool(lab, "kvm1", "transfer", "/var/tmp/content", "here", content + ".back")
    check(subprocess.run(["cmp", content, content + ".back"]).returncode == 0)


def what_was_acknowledged_survives_a_power_cut(lab):
    """Power goes while lvcreate and lvremove are at work, at some moment."""
    lab.on("kvm1", f"printf kept | dd of=/dev/{GROUP}/data bs=4k conv=notrunc,fsync status=none")
    worker = subprocess.Popen(
        lab.hosts.enter("fe", "ssh", "-F", lab.hosts.path("ssh_config.lab"), "kvm1",
                        "i=0; while :; do i=$((i+1)); "
                        f"lvcreate -qq -y -an -Zn -L 4M -n lv-$i {GROUP} && echo made $i; "
                        f"[ $((i % 3)) = 0 ] && lvremove -qq -y {GROUP}/lv-$i && echo gone $i; done"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    said = [worker.stdout.readline() for _ in range(6)]
    time.sleep(0.05)
    lab.kill("kvm1")
    worker.kill()
    said += worker.communicate()[0].splitlines()
    made = {f"lv-{n}" for n in re.findall(r"made (\d+)", " ".join(said))}
    gone = {f"lv-{n}" for n in re.findall(r"gone (\d+)", " ".join(said))}
    check(len(made) >= 4 and gone, said)

    lab.boot("kvm1")
    check(lab.ssh("kvm1", "test -e /var/tmp/content").returncode == 1, "it was a power cut")
    lab.on("kvm1", f"vgck {GROUP}; vgchange -ay {GROUP}")
    there = set(lvs(lab, "lv_size"))
    # of the last one, what it had done by then is not known
    last = max(int(name[3:]) for name in made)
    unsure = {f"lv-{last}" if last % 3 == 0 and f"lv-{last}" not in gone else f"lv-{last + 1}"}
    check(there - unsure == (made - gone | {"data"}) - unsure, "said", made - gone, "there", there)
    check(lab.on("kvm1", f"head -c 4 /dev/{GROUP}/data") == "kept")
    second = tool(lab, "-v", "kvm1", "run", "60", "true")
    check("copied the agent" in second.stderr, "/var/tmp was lost too", second)


def a_power_cut_under_a_session_is_told_soon(lab):
    process = subprocess.Popen(
        lab.hosts.enter("fe", TOOL, "kvm1", "run", "100", "sleep", "90"), stdin=subprocess.DEVNULL,
        env=lab.environment(ONEVOL_HEARTBEAT_MS="500", ONEVOL_SILENCE_MS="4000"),
        stderr=subprocess.PIPE, text=True)
    eventually(lambda: lab.ssh("kvm1", "pgrep -x sleep").returncode == 0, "it is at work")
    lab.kill("kvm1")
    began = time.monotonic()
    error = process.communicate(timeout=30)[1]
    times.add("a dead host is told", time.monotonic() - began)
    check(process.returncode == 9 and "kvm1" in error, process.returncode, error)
    check(time.monotonic() - began < 15, "soon enough")


def nothing_is_left_of_a_test_that_is_ended(lab):
    """Another lab, of another process; this one's own guest stays out of it."""
    other = subprocess.Popen(
        [sys.executable, guest.SOURCE / "tests/lab/on_lvm.py", lab.build, "sh", "-c",
         "echo up; sleep 90"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    check(other.stdout.readline() == "up\n", "the other guest comes up")
    children = pathlib.Path(f"/proc/{other.pid}/task/{other.pid}/children").read_text().split()
    commands = [pathlib.Path(f"/proc/{pid}/cmdline").read_text() for pid in children]
    words = next(command for command in commands if guest.QEMU in command)
    base = re.search(r"lab\.base=(\S+)", words)[1]
    directory = os.path.dirname(re.search(r"file=(/[^,]+),", words)[1])
    check(os.path.isdir(base) and os.path.isdir(directory), base, directory)
    other.terminate()
    other.communicate(timeout=30)
    check(other.returncode == 128 + 15, other.returncode)
    check(not any(os.path.exists(f"/proc/{pid}") for pid in children), "a child is left")
    check(not os.path.exists(base) and not os.path.exists(directory), "files are left")
    spaces = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout
    check(f"ov{other.pid % 100000}-" not in spaces, "namespaces are left", spaces)
    times.seconds.setdefault("a guest is up", []).extend(lab.boot_seconds)
    times.print()


CASES = [a_guest_comes_up_as_a_host, its_root_is_not_the_machines, thick_volumes_and_their_snapshots,
         thin_pools, the_agent_gets_there_and_runs_commands,
         what_was_acknowledged_survives_a_power_cut, a_power_cut_under_a_session_is_told_soon,
         nothing_is_left_of_a_test_that_is_ended]

if __name__ == "__main__":
    BUILD = case.build_directory(TOOL)
    sys.exit(case.run(CASES, lambda: guest.Lab(BUILD, ["kvm1"]), BUILD,
                      ("lvm", "thin_check", "sudo"), sys.argv[2:]))
