#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Guests that stand still for a snapshot which is no command on their host.

host_freeze() and host_thaw() by hosttool, in this process and by an agent, on a real libvirtd with
real domains (live.py). Whoever dies in between, the guest runs again within ten seconds, and a thaw
that came too late says so.

usage: freeze.py ONEVOL HOSTTOOL (of the first only the place matters: live.py looks for a kernel
beside it)
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import live
from live import LIMIT, URI, first, virsh, wait_for


class Tool:
    """hosttool as the front-end; `kvm1` is this machine by an agent, `here` this process."""

    def __init__(self, program, work):
        self.program, self.control = os.path.abspath(program), work / "control"
        self.control.mkdir()
        programs = work / "programs"
        programs.mkdir()
        virsh_text = live.VIRSH.format(control=self.control, virsh="/usr/bin/virsh")
        for name, text in (("virsh", virsh_text), ("ssh", live.SSH)):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}",
                            "HOME": str(work), "ONEVOL_STATE_DIR": str(work / "state")}

    def start(self, *words):
        return subprocess.Popen([self.program, *map(str, words)], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=self.environment, start_new_session=True)

    def run(self, *words):
        child = self.start(*words)
        child.out, child.err = child.communicate(timeout=60)
        return child

    def setting(self, name, value):
        (self.control / name).write_text(str(value) if value else "")


def freeze(host, guest, how="suspend", limit=7000, uri=URI):
    return [host, "freeze", uri, guest.name, how, limit]


def moved(guest, seconds):
    seen = guest.count()
    time.sleep(seconds)
    return guest.count() - seen


def plain(tap, tool, host, guest, what="guest suspended"):
    child = tool.start(*freeze(host, guest), ",", host, "sleep", 2, ",", host, "thaw", ",", host,
                       "sleep", 3)
    line = child.stdout.readline().strip()
    stood = guest.stands_still()
    ran = moved(guest, 1)
    back = wait_for(lambda: guest.state() == "running" and not guest.stands_still(), 3)
    child.communicate(timeout=20)
    tap.case(f"{host}: {what} until it is thawed",
             first(line != what and line, not stood and "it did not stand still",
                   ran > 1 and f"it counted {ran}", not back and "not back after the thaw",
                   child.returncode and "failed", guest.goes_on()))


def twice(tap, tool, host, guest):
    one = [*freeze(host, guest), ",", host, "thaw"]
    child = tool.run(*one, ",", *one, ",", *freeze(host, guest), ",", "try", *freeze(host, guest),
                     ",", host, "thaw")
    tap.case(f"{host}: again in the same session; two at once are refused",
             first(child.returncode and child.err, "failed 4" not in child.out and child.out,
                   guest.goes_on(3)))


def late(tap, tool, host, guest):
    started = time.monotonic()
    child = tool.run(*freeze(host, guest, limit=1500), ",", host, "sleep", 4, ",", "try", host,
                     "thaw", ",", *freeze(host, guest), ",", host, "thaw")
    tap.case(f"{host}: a late thaw is an error, and the next one works",
             first(child.returncode and child.err,
                   "failed 11" not in child.out and child.out,
                   "let go on" not in child.out and child.out, guest.goes_on(3),
                   time.monotonic() - started > 12 and "too slow"))
    child = tool.start(*freeze(host, guest, limit=60000), ",", host, "sleep", 20)
    child.stdout.readline()
    stood = guest.stands_still()
    started = time.monotonic()
    problem = first(not stood and "it did not stand still", guest.goes_on())
    took = time.monotonic() - started
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    tap.case(f"{host}: nobody may ask for more than 7 s",
             first(problem, took < 4 and f"it went on after {took:.1f} s", guest.goes_on(3)))


def refused(tap, tool, host, guest):
    child = tool.run(*freeze(host, guest, "freeze"), ",", host, "thaw")
    tap.case(f"{host}: without an agent in the guest, refused and untouched",
             first(child.returncode != 7 and str(child.returncode),
                   "LIVE_COPY=SUSPEND" not in child.err and child.err, guest.goes_on(3)))
    child = tool.run(*freeze(host, guest, uri="test:///default"))
    tap.case(f"{host}: a libvirt that does not know it",
             first(child.returncode != 3 and f"{child.returncode} {child.err}", guest.goes_on(3)))


def not_running(tap, tool, host, guest):
    virsh("suspend", guest.name)
    child = tool.run(*freeze(host, guest), ",", host, "thaw")
    problem = first(child.returncode and child.err, "not running" not in child.out and child.out,
                    guest.state() != "paused" and f"it is {guest.state()}")
    child = tool.start(*freeze(host, guest), ",", host, "sleep", 2, ",", host, "thaw")
    child.stdout.readline()
    virsh("resume", guest.name)
    _, said = child.communicate(timeout=20)
    tap.case(f"{host}: a guest that its user paused stays so; one that went on makes thaw fail",
             first(problem, child.returncode != 4 and f"{child.returncode} {said}",
                   guest.goes_on(3)))


def kill_agent(child):
    agent = live.agent_of(child)
    os.kill(agent or child.pid, signal.SIGKILL)
    return None if agent else "no agent"


KILLS = {"the front-end is killed": lambda child: os.kill(child.pid, signal.SIGKILL),
         "its group is killed": lambda child: os.killpg(child.pid, signal.SIGKILL),
         "its group is told to end": lambda child: os.killpg(child.pid, signal.SIGTERM),
         "the agent is killed": kill_agent,
         "the front-end is stopped": lambda child: os.kill(child.pid, signal.SIGSTOP)}


def killed(tap, tool, host, guest, still=None):
    """Between freeze and thaw, and while the order to stop is on its way."""
    for name, kill in KILLS.items():
        if host == "here" and "agent" in name:
            continue
        for when, slow in (("in between", 0), ("while it is stopped", 2)):
            tool.setting("slow-suspend", slow)
            child = tool.start(*freeze(host, guest), ",", host, "sleep", 12, ",", host, "thaw")
            if slow:
                problem = not wait_for(guest.stands_still, 5) and "it did not stand still"
            else:
                problem = "suspended" not in child.stdout.readline() and "not suspended"
            problem = first(problem, not guest.stands_still() and "it runs", kill(child))
            started = time.monotonic()
            back = wait_for(lambda: guest.state() == "running", LIMIT)
            took = time.monotonic() - started
            problem = first(problem, not back and f"not back within {LIMIT} s",
                            "stopped" not in name and took > 5 + slow and f"only after {took:.1f} s",
                            guest.goes_on(5))
            tool.setting("slow-suspend", 0)
            if "stopped" in name:
                os.kill(child.pid, signal.SIGKILL)
            child.communicate(timeout=40)
            again = tool.run(*freeze(host, guest), ",", host, "thaw")
            tap.case(f"{host}: {name} {when}: it goes on",
                     first(problem, child.returncode == 0 and "it succeeded",
                           again.returncode and again.err, guest.goes_on(3)))


def stuck(tap, tool, host, guest):
    tool.setting("stuck-resume", 1)
    child = tool.run(*freeze(host, guest), ",", host, "thaw")
    tool.setting("stuck-resume", 0)
    tap.case(f"{host}: virsh resume hangs once: the guardian does it",
             first(child.returncode and child.err, guest.goes_on(3)))


def linux(tap, tool, guest, why_not):
    name = "kvm1: file systems of a Linux guest"
    if why_not:
        tap.case(name, skip=why_not)
        return
    if not wait_for(guest.ready, 120):
        tap.case(name, "it does not boot")
        return
    plain(tap, tool, "kvm1", guest, "guest file systems frozen")
    child = tool.start(*freeze("kvm1", guest, "freeze"), ",", "kvm1", "sleep", 12)
    child.stdout.readline()
    stood = guest.stands_still()
    problem = kill_agent(child)
    back = wait_for(lambda: not guest.stands_still(), LIMIT)
    child.communicate(timeout=40)
    tap.case("kvm1: the agent is killed while file systems are frozen: thawed",
             first(problem, not stood and "not frozen", not back and "still frozen",
                   guest.goes_on(5)))


def main(program, outer):
    machine, tap = live.Machine(outer), live.SharedTap()
    kernel, why_not = live.find_kernel()
    work = machine.work
    tools = [Tool(program, work / name) for name in ("a", "b", "c") if not (work / name).mkdir()]
    tux = live.Linux(work, "one-9", work / "d9/disk", kernel) if kernel else None
    seven, eight = guests = [live.Ticker(work, f"one-{n}", work / f"d{n}/disk") for n in (7, 8)]
    for guest in [*guests, *([tux] if tux else [])]:
        guest.create()
    for guest in guests:
        tap.case(f"{guest.name} counts", guest.goes_on(30))
    stages = (plain, twice, late, refused, not_running, stuck, killed)
    lanes = [live.Lane(tap, *((stage, tools[0], "here", seven) for stage in stages)),
             live.Lane(tap, *((stage, tools[1], "kvm1", eight) for stage in stages)),
             live.Lane(tap, (linux, tools[2], tux, why_not))]
    for lane in lanes:
        lane.join()
    return tap.finish()


def as_init(program, work):
    child = os.fork()
    if child == 0:
        sys.exit(main(program, work))
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def outside():
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"
    lacking = [tool for tool in live.TOOLS if not shutil.which(tool)]
    if os.geteuid() != 0 or lacking:
        print(f"1..0 # SKIP needs {', '.join(lacking) or 'root'}")
        return 0
    work = tempfile.mkdtemp(prefix="onevol-freeze-", dir=os.environ.get("TEST_DIRECTORY", "/var/tmp"))
    try:
        return subprocess.run(
            ["unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc", "--",
             sys.executable, __file__, *map(os.path.abspath, sys.argv[1:]), work], check=False).returncode
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    sys.exit(outside() if len(sys.argv) == 3 else as_init(sys.argv[2], pathlib.Path(sys.argv[3])))
