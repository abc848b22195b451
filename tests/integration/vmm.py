#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Suspended guests whose memory is kept in a volume: save and restore as local actions of VM_MAD.

A real libvirtd with real domains that count (live.py), and a driver of the test's own whose volumes
are loop devices (loop_driver.c). Whatever fails and whoever dies, the guest runs or is saved as a
whole, and the same action works when it is repeated.

usage: vmm.py ONEVOL ONEVOL_LOOP
"""
import base64
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import live
from live import LIMIT, first, virsh, wait_for
from played_site import Site

# First in PATH, as in live.py, for other commands.
VIRSH = """#!/bin/sh
for word; do
    case $word in save|restore|resume|domjobabort) command=$word ;; esac
done
if [ -s {control}/stuck-$command ]; then
    : > {control}/window
    left=$(($(cat {control}/stuck-$command) - 1))
    if [ $left -gt 0 ]; then echo $left; fi > {control}/stuck-$command
    sleep 60
fi
/usr/bin/virsh "$@"
status=$?
if [ -s {control}/slow-$command ]; then
    : > {control}/window
    sleep $(cat {control}/slow-$command)
fi
exit $status
"""

# In libvirt's place: what qemu writes waits here for the device.
IOHELPER = """#!/bin/sh
for place in {places}; do
    if [ -s $place/slow-io ]; then
        : > $place/window
        sleep $(cat $place/slow-io)
    fi
done
exec {real} "$@"
"""

# In place of OpenNebula's own script on the host.
STOCK = """#!/bin/sh
{{
    for word; do printf '[%s]' "$word"; done
    echo " in $0"
    cat
}} > {control}/stock
[ ! -e {control}/really ] || virsh -q -c qemu:///system restore "$1" || exit 9
printf 'out with  blanks\\n'
printf 'WARN: '"'"'quoted'"'"'\\nsecond line: $HOME `x`\\n' >&2
exit {status}
"""
MESSAGE = """<VMM_DRIVER_ACTION_DATA><HOST>h</HOST><VM><ID>{vm}</ID><NAME>it's $HOME "x" `y`</NAME></VM>
<DATASTORE><ID>{ds}</ID><NAME>d</NAME><TYPE>1</TYPE><DS_MAD>-</DS_MAD><TM_MAD>{tm}</TM_MAD>
<BASE_PATH>{base}/{ds}</BASE_PATH><TEMPLATE/></DATASTORE></VMM_DRIVER_ACTION_DATA>"""


class Place:
    """A site with one VM."""

    def __init__(self, onevol, machine, vm, outer):
        self.site = Site(onevol, driver="loop", base=str(machine.disks["xfs"]))
        self.vm, self.domain = vm, f"one-{vm}"
        self.control, self.volumes = self.site.root / "control", outer / f"volumes-{vm}"
        programs = self.site.root / "programs"
        self.scripts = self.site.root / "scripts/vmm/kvm"
        for path in (self.control, self.volumes, programs, self.scripts):
            path.mkdir(parents=True)
        for name, text in (("virsh", VIRSH.format(control=self.control)), ("ssh", live.SSH)):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        with open(self.site.var / "config", "a") as config:
            config.write(f"SCRIPTS_REMOTE_DIR={self.site.root}/scripts\n")
        self.site.environment.update(PATH=f"{programs}:{self.site.environment['PATH']}",
                                     LOOP_VOLUMES=str(self.volumes))
        self.disk = self.directory(102) / "disk.0"
        self.volume = self.volumes / f"one-vm-{vm}-checkpoint"

    def directory(self, ds):
        return self.site.datastores / f"{ds}/{self.vm}"

    def stock(self, status=0):
        for name in ("save", "restore"):
            path = self.scripts / name
            path.write_text(STOCK.format(control=self.control, status=status))
            path.chmod(0o755)

    def setting(self, name, value):
        (self.control / name).write_text(str(value) if value else "")

    def arguments(self, action, host, ds):
        file = f"{self.site.datastores}//{ds}/{self.vm}/checkpoint"
        words = [self.domain, file, host] if action == "save" else [file, host, self.domain]
        return [*words, str(self.vm), host]

    def message(self, ds, tm):
        return MESSAGE.format(vm=self.vm, ds=ds, tm=tm, base=self.site.datastores)

    def start(self, action, host="kvm1", ds=102, tm="loop", message=None, **environment):
        """As one_vmm_exec runs a local action."""
        child = subprocess.Popen(
            [self.site.remotes / "vmm/kvm" / f"{action}_loop", *self.arguments(action, host, ds)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**self.site.environment, **environment}, cwd=self.site.var, start_new_session=True)
        text = self.message(ds, tm) if message is None else message
        child.stdin.write(base64.encodebytes(text.encode()))
        child.stdin.close()
        return child

    @staticmethod
    def wait(child):
        child.stdin = None
        child.out, child.err = (text.decode() for text in child.communicate(timeout=120))
        return child

    def run(self, action, *arguments, **more):
        return self.wait(self.start(action, *arguments, **more))

    def attached(self):
        """Who looks at new devices may hold one for a moment."""
        def devices():
            return live.run("losetup", "-j", self.volume).stdout.strip()
        wait_for(lambda: not devices(), 3)
        return devices()

    def calls(self):
        log = self.volumes / "log"
        words = [line.split()[0] for line in log.read_text().splitlines()] if log.exists() else []
        log.unlink(missing_ok=True)
        return " ".join(words)


def gone(guest):
    return None if "failed to get domain" in virsh("domstate", guest.name).stderr else (
        f"it is {guest.state()}")


def saved(place, guest):
    with open(place.volume, "rb") as file:
        magic = file.read(16)
    return first(gone(guest), magic != b"LibvirtQemudSave" and f"image begins with {magic}",
                 place.attached() and f"still attached: {place.attached()}")


def runs(place, guest, before, disk=None):
    """It goes on where it was, not from its boot, and the volume is gone."""
    guest.disk = disk or guest.disk
    problem = guest.goes_on()
    count = guest.sectors()[0]
    return first(problem, count is None and "torn", count < before and f"{count} after {before}",
                 count > before + 400 and f"{count} after {before}",
                 place.volume.exists() and "the volume is still there", place.attached())


def runs_on(place, guest, before):
    """After a save that failed."""
    return first(guest.goes_on(), (guest.sectors()[0] or 0) < before and "it began anew",
                 place.volume.exists() and "a volume is left", place.attached())


def failed(child, code, *words):
    """One sentence for the user, in oned's contract."""
    lines = [line for line in child.err.splitlines() if not live.SEVERITY.match(line)]
    print(f"# {lines}")
    lacking = [word for word in words if word not in child.err]
    return first(child.returncode != code and f"exit {child.returncode}: {child.err}",
                 len(lines) != 1 and f"{lines}", lacking and f"{lacking} not in {child.err}")


def good(child):
    return child.returncode and f"exit {child.returncode}: {child.err}"


# Cases


def plain(tap, place, guest):
    for first_host, then in (("node1", "node1"), ("kvm1", "kvm2"), ("kvm1", "node1")):
        place.calls()
        before = guest.sectors()[0]
        child = place.run("save", first_host)
        tap.case(f"save on {first_host}: gone, and in the volume",
                 first(good(child), saved(place, guest), child.out))
        calls = place.calls()
        size = place.volume.stat().st_size
        tap.case("one volume, as large as the guest can need, in five calls",
                 first(calls != "remove detach create commit attach detach" and calls,
                       size < (guest.memory + 64) * live.MIB and f"{size} bytes"))
        child = place.run("save", first_host)
        tap.case("save again: done already", first(good(child), saved(place, guest)))
        place.calls()
        child = place.run("restore", then)
        tap.case(f"restore on {then}: it counts on", first(good(child), runs(place, guest, before)))
        calls = place.calls()
        tap.case("in two calls", calls != "attach remove detach" and calls)
        before = guest.sectors()[0]
        child = place.run("restore", then)
        tap.case("restore again: done already", first(good(child), runs(place, guest, before)))


def by_hand(tap, place, guest):
    before = guest.sectors()[0]
    child = subprocess.run(
        [place.site.onevol, "vmm", "kvm", "save", *place.arguments("save", "kvm1", 102)],
        input=place.message(102, "loop").encode(), capture_output=True, check=False,
        env={**place.site.environment, "ONE_LOCATION": str(place.site.root / "location")})
    # by hand the site is the installed one: another place for datastores
    tap.case("by hand, elsewhere: a directory that is not the VM's is refused",
             first(child.returncode != 7 and f"{child.returncode} {child.stderr}",
                   runs_on(place, guest, before)))


def paused(tap, place, guest):
    before = guest.sectors()[0]
    virsh("suspend", guest.name)
    child = place.run("save")
    problem = first(good(child), saved(place, guest))
    child = place.run("restore")
    tap.case("a guest that its user paused is saved, and restored to run",
             first(problem, good(child), runs(place, guest, before)))


def moved(tap, place, guest):
    """To another system datastore while it is suspended."""
    before = guest.sectors()[0]
    problem = good(place.run("save"))
    for ds, old in ((105, 102), (102, 105)):
        place.directory(ds).parent.mkdir(exist_ok=True)
        os.rename(place.directory(old), place.directory(ds))
        child = place.run("restore", "kvm2", ds=ds)
        document = virsh("dumpxml", guest.name).stdout
        disk = place.directory(ds) / "disk.0"
        tap.case(f"restore in system datastore {ds}: the paths lead there",
                 first(problem, good(child), f"'{disk}'" not in document and document,
                       f"/{old}/{place.vm}/" in document and document,
                       runs(place, guest, before, disk)))
        problem = ds == 105 and good(place.run("save", "kvm2", ds=ds))
        before = guest.sectors()[0]


def password(tap, place, guest):
    """Of a console: libvirt leaves it out of documents that nobody asked to be complete."""
    guest.destroy()
    text = guest.xml.read_text()
    guest.xml.write_text(text.replace("<memballoon", "<graphics type='vnc' port='-1' autoport='yes' "
                                      "passwd='topsecrt'/><memballoon"))
    guest.create()
    wait_for(lambda: guest.count() > 5, 20)
    problem = good(place.run("save"))
    place.directory(105).parent.mkdir(exist_ok=True)
    os.rename(place.directory(102), place.directory(105))
    child = place.run("restore", ds=105)
    document = virsh("dumpxml", "--security-info", guest.name).stdout
    tap.case("a console's password survives, and is in no log",
             first(problem, good(child), "topsecrt" not in document and document,
                   "topsecrt" in child.err and child.err))
    guest.destroy()
    os.rename(place.directory(105), place.directory(102))
    guest.xml.write_text(text)
    guest.disk = place.disk
    guest.create()
    tap.case("and the guest is there again", guest.goes_on(20))
    wait_for(lambda: guest.count() > 30, 20)


def too_small(tap, place, guest):
    for host in ("node1", "kvm1"):
        before = guest.sectors()[0]
        child = place.run("save", host, LOOP_BYTES="65536")
        tap.case(f"save on {host} to a device that is too small: it runs on, the volume is gone",
                 first(failed(child, 5, "No space"), runs_on(place, guest, before)))


def refusals(tap, place, guest):
    before = guest.sectors()[0]
    child = place.run("restore", ds=102)
    problem = first(good(child), runs(place, guest, before))  # it runs: nothing to be done
    guest.destroy()
    tap.case("restore without any checkpoint",
             first(problem, failed(place.run("restore"), 3, "no complete checkpoint")))
    place.volume.write_bytes(b"LibvirtQemudPart" + bytes(1 << 20))
    tap.case("restore from half an image",
             first(failed(place.run("restore"), 3, "no complete checkpoint"), place.attached()))
    tap.case("save of a guest that is not there, with half an image",
             first(failed(place.run("save"), 3, "no running guest"), place.attached()))
    place.volume.write_bytes(b"LibvirtQemudSave" + bytes(1 << 20))
    child = place.run("restore")
    tap.case("restore from a spoilt image: the volume stays",
             first(failed(child, 1, "virsh"), not place.volume.exists() and "gone",
                   place.attached()))
    place.volume.unlink()
    for what, message in (("no message", ""), ("a broken one", "<VMM_DRIVER"),
                          ("one without a datastore", "<VMM_DRIVER_ACTION_DATA/>")):
        tap.case(f"save with {what}", failed(place.run("save", message=message), 2))
    guest.create()
    tap.case("the guest is there again", guest.goes_on(20))
    wait_for(lambda: guest.count() > 30, 20)


def passed_on(tap, place, guest):
    """Everything as oned would have run it."""
    before = guest.sectors()[0]
    for tm, host in (("ssh", "kvm1"), ("plain", "kvm1"), ("ceph", "node1")):
        for action in ("save", "restore"):
            place.stock(status=7)
            child = place.run(action, host, tm=tm)
            words = "".join(f"[{w}]" for w in place.arguments(action, host, 102))
            expected = (f"{words} in {place.scripts}/{action}\n{place.message(102, tm)}\n")
            got = (place.control / "stock").read_text()
            said = "WARN: 'quoted'\nsecond line: $HOME `x`\n"
            tap.case(f"{action} of a VM on {tm}, on {host}: OpenNebula's own",
                     first(got != expected and f"{got} instead of {expected}",
                           child.returncode != 7 and f"exit {child.returncode}",
                           child.out != "out with  blanks\n" and child.out,
                           child.err != said and child.err))
    place.stock()
    tap.case("and success is success", good(place.run("save", tm="ssh")))
    for name in ("save", "restore"):
        (place.scripts / name).unlink()
    tap.case("a script that is not there", failed(place.run("save", tm="ssh"), 3, str(place.scripts)))
    tap.case("the guest saw nothing of it", runs_on(place, guest, before))


def files(tap, place, guest):
    """What OpenNebula's own save has left before ours was there."""
    place.stock()
    before = guest.sectors()[0]
    file = place.directory(102) / "checkpoint"
    virsh("save", guest.name, file)
    (place.control / "really").touch()
    problem = gone(guest)
    child = place.run("restore")
    tap.case("a checkpoint that is a file is OpenNebula's to restore",
             first(problem, good(child), runs(place, guest, before)))
    file.unlink()
    (place.control / "really").unlink()


def deleted(tap, place, guest):
    """delete of the VM's directory."""
    problem = first(good(place.run("save")), saved(place, guest))
    keep = place.site.root / "disk"
    shutil.copy(place.disk, keep)
    place.site.oned.facts["one.datastore.info", 102] = (
        f"<DATASTORE><ID>102</ID><NAME>d</NAME><TYPE>1</TYPE><DS_MAD>-</DS_MAD><TM_MAD>loop</TM_MAD>"
        f"<BASE_PATH>{place.site.datastores}/102</BASE_PATH><TEMPLATE/></DATASTORE>")
    done = place.site.run("tm", "delete", f"kvm1:{place.directory(102)}", place.vm, 102)
    tap.case("delete of the directory takes the checkpoint along",
             first(problem, done.returncode and done.stderr,
                   place.volume.exists() and "the volume is still there", place.attached()))
    place.disk.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(keep, place.disk)
    guest.create()
    tap.case("the guest is there again", guest.goes_on(20))
    wait_for(lambda: guest.count() > 30, 20)


def whole(place, guest, before):
    """It runs, or is saved as a whole."""
    if gone(guest) is None:
        return saved_or_attached(place)
    return first(guest.goes_on(), (guest.sectors()[0] or 0) < before and "it began anew")


def saved_or_attached(place):
    with open(place.volume, "rb") as file:
        magic = file.read(16)
    return magic != b"LibvirtQemudSave" and f"neither runs nor is it saved: {magic}"


def killed_at_steps(tap, place, guest, host, *faults):
    for fault in faults:
        step, problems = 0, []
        before = guest.sectors()[0]
        while step < 40:
            step += 1
            child = place.run("save", host, ONEVOL_FAULT=f"{fault}:{step}")
            if child.returncode == 0:
                break
            time.sleep(0.3)
            problem = first(wait_for(lambda: not whole(place, guest, before), 5) or
                            whole(place, guest, before)) if fault != "fail" else None
            problem = None if problem is True else problem
            problem = first(problem, good(place.run("save", host)), saved(place, guest),
                            good(place.run("restore", host)), runs(place, guest, before))
            problems.append(problem and f"step {step}: {problem}")
            before = guest.sectors()[0]
        problems.append(step < 8 and f"only {step} steps")
        tap.case(f"save on {host}: {fault} each of {step - 1} steps",
                 "\n".join(p for p in problems if p))
        problems, step = [], 0
        while step < 40:
            step += 1
            child = place.run("restore", host, ONEVOL_FAULT=f"{fault}:{step}")
            if child.returncode == 0:
                break
            problem = first(good(place.run("restore", host)), runs(place, guest, before))
            problem = first(problem, good(place.run("save", host)), saved(place, guest))
            problems.append(problem and f"step {step}: {problem}")
        problems.append(step < 8 and f"only {step} steps")
        # that a spent volume could not be removed is no failure; who comes next does it
        problems.append(fault == "fail" and good(place.run("restore", host)))
        problems.append(runs(place, guest, before))
        tap.case(f"restore on {host}: {fault} each of {step - 1} steps",
                 "\n".join(p for p in problems if p))


def spent(tap, place, guest):
    """A guest that has run since must not come back from its old memory."""
    for step in range(1, 40):
        problem = good(place.run("save"))
        child = place.run("restore", ONEVOL_FAULT=f"kill-after:{step}")
        ran = wait_for(lambda: guest.state() == "running", 2)
        if ran and child.returncode:
            break
        good(place.run("restore"))
    guest.destroy()
    child = place.run("restore")
    tap.case("killed right after the guest came back, which ended since: not restored again",
             first(problem, not ran and "no such step", failed(child, 3, "no complete checkpoint")))
    place.volume.unlink(missing_ok=True)
    guest.create()
    tap.case("the guest is there again", guest.goes_on(20))
    wait_for(lambda: guest.count() > 30, 20)


def kill_agent(child):
    agent = live.agent_of(child)
    os.kill(agent or child.pid, signal.SIGKILL)
    return None if agent else "no agent"


KILLS = {"SIGKILL to the front-end": lambda child: os.kill(child.pid, signal.SIGKILL),
         "SIGKILL to its group": lambda child: os.killpg(child.pid, signal.SIGKILL),
         "SIGTERM to its group": lambda child: os.killpg(child.pid, signal.SIGTERM),
         "SIGKILL to the agent": kill_agent}


def killed_while(tap, place, guest, action, setting, value, what):
    window = place.control / "window"
    for name, kill in KILLS.items():
        for host in ("kvm1", "node1") if "agent" not in name else ("kvm1",):
            before = guest.sectors()[0]
            problem = good(place.run("save", host)) if action == "restore" else None
            window.unlink(missing_ok=True)
            place.setting(setting, value)
            child = place.start(action, host)
            problem = first(problem, not wait_for(window.exists, 10) and "it never came to it")
            time.sleep(0.3)
            problem = first(problem, kill(child))
            place.wait(child)
            started = time.monotonic()
            if action == "save" and setting == "slow-io":
                # what had begun is ended: it runs
                back = wait_for(lambda: guest.state() == "running", LIMIT + value)
                problem = first(problem, not back and f"not back: {guest.state()}",
                                guest.goes_on())
            elif setting == "slow-restore":
                wait_for(lambda: guest.state() == "running", LIMIT)
            took = time.monotonic() - started
            place.setting(setting, 0)
            problem = first(problem, child.returncode == 0 and "it succeeded",
                            wait_for(lambda: not whole(place, guest, before), 8) is not True and
                            whole(place, guest, before))
            if action == "save":
                problem = first(problem, good(place.run("save", host)), saved(place, guest))
            problem = first(problem, good(place.run("restore", host)), runs(place, guest, before))
            tap.case(f"{action} on {host}, {name} {what} ({took:.1f} s)", problem)


def killed(tap, place, guest):
    killed_while(tap, place, guest, "save", "stuck-save", 1, "before virsh asks libvirt")
    killed_while(tap, place, guest, "save", "slow-io", 3, "while libvirt saves")
    killed_while(tap, place, guest, "save", "slow-save", 3, "after libvirt has saved")
    killed_while(tap, place, guest, "restore", "stuck-restore", 1, "before virsh asks libvirt")
    killed_while(tap, place, guest, "restore", "slow-restore", 3, "when it is there, and paused")


def failing(tap, place, guest):
    """libvirt itself, in the middle."""
    place.setting("slow-io", 2)
    before = guest.sectors()[0]
    window = place.control / "window"
    window.unlink(missing_ok=True)
    child = place.start("save")
    problem = not wait_for(window.exists, 10) and "it never came to it"
    time.sleep(0.3)
    virsh("domjobabort", guest.name)
    place.setting("slow-io", 0)
    place.wait(child)
    tap.case("somebody aborts the save: it runs on, the volume is gone",
             first(problem, failed(child, 1, "virsh"), runs_on(place, guest, before)))


def at_once(tap, place, guest):
    """Two of the same: the second waits, and finds the first's work."""
    before = guest.sectors()[0]
    children = [place.start("save"), place.start("save")]
    problem = first(*(good(place.wait(child)) for child in children), saved(place, guest))
    children = [place.start("restore"), place.start("restore")]
    tap.case("two saves, two restores at once",
             first(problem, *(good(place.wait(child)) for child in children),
                   runs(place, guest, before)))


def setup(tap, onevol, place):
    files_there = sorted(p.name for p in (place.site.remotes / "vmm/kvm").iterdir())
    text = (place.site.remotes / "vmm/kvm/save_loop").read_text()
    tap.case("setup writes the two files",
             first(files_there != ["restore_loop", "save_loop"] and str(files_there),
                   not re.fullmatch(r"#!/\S+/onevol\n", text) and text))
    other = tempfile.mkdtemp(dir=place.site.root)
    done = live.run(onevol, "setup", "--remotes", other, "--driver", "reflink")
    tap.case("not for drivers with checkpoints in files",
             first((pathlib.Path(other) / "vmm").exists() and "there is vmm/",
                   "VM_MAD" in done.stdout and done.stdout))
    done = live.run(place.site.onevol, "setup", "--remotes", place.site.remotes, "--driver", "loop",
                    "--as", "loop")
    tap.case("and says what VM_MAD needs",
             "save=save_loop,restore=restore_loop" not in done.stdout and done.stdout)


def main(onevol, program, outer):
    machine, tap = live.Machine(outer), live.SharedTap()
    places = [Place(program, machine, vm, outer) for vm in (7, 8, 9, 10)]
    real = pathlib.Path("/usr/lib/libvirt/libvirt_iohelper")
    copy = machine.work / "iohelper"
    shutil.copy(real, copy)
    (machine.work / "slow").write_text(
        IOHELPER.format(real=copy, places=places[3].control))
    (machine.work / "slow").chmod(0o755)
    live.run("mount", "--bind", machine.work / "slow", real)
    guests = [live.Ticker(machine.work, place.domain, place.disk) for place in places]
    for guest, memory in zip(guests, (8, 8, 8, 1024)):  # the last: more than a pipe holds
        guest.memory = memory
        guest.xml.write_text(guest.xml.read_text().replace(">8</memory>", f">{memory}</memory>"))
        guest.create()
    for guest in guests:
        tap.case(f"{guest.name} counts",
                 first(guest.goes_on(30), not wait_for(lambda: guest.count() > 30, 20) and "slow"))
    setup(tap, onevol, places[0])

    def lane(number, *stages):
        return live.Lane(tap, *((stage, places[number], guests[number], *more)
                                for stage, *more in stages))

    lanes = [lane(0, (plain,), (by_hand,), (paused,), (moved,), (too_small,), (passed_on,), (files,),
                  (at_once,), (deleted,), (refusals,), (password,)),
             lane(1, (killed_at_steps, "kvm1", "kill-after", "fail"), (spent,)),
             lane(2, (killed_at_steps, "node1", "kill-before")),
             lane(3, (failing,), (killed,))]
    for one in lanes:
        one.join()
    return tap.finish()


def as_init(*words):
    child = os.fork()
    if child == 0:
        sys.exit(main(*words))
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def outside():
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"
    lacking = [tool for tool in [*live.TOOLS, "losetup"] if not shutil.which(tool)]
    if os.geteuid() != 0 or lacking:
        print(f"1..0 # SKIP needs {', '.join(lacking) or 'root'}")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # devices must go
    work = tempfile.mkdtemp(prefix="onevol-vmm-", dir=os.environ.get("TEST_DIRECTORY", "/var/tmp"))
    try:
        return subprocess.run(
            ["unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc", "--",
             sys.executable, __file__, *map(os.path.abspath, sys.argv[1:]), work],
            check=False).returncode
    finally:
        for line in live.run("losetup", "-n", "-O", "NAME,BACK-FILE").stdout.splitlines():
            name, _, file = line.strip().partition(" ")
            if work in file:
                live.run("losetup", "-d", name, check=False)
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    sys.exit(outside() if len(sys.argv) == 3 else as_init(sys.argv[1], sys.argv[2],
                                                         pathlib.Path(sys.argv[3])))
