#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mfs drivers on a real MooseFS: a hundred clones at once against the stand-in for stock drivers, and
what one action costs on top of the snapshot itself.

usage: bench_mfs.py ONEVOL. Prints figures and ratios; asserts nothing. Without root, FUSE and
Debian's moosefs-* packages it prints "skipped".
"""
import concurrent.futures
import json
import os
import resource
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))
import mfs  # noqa: E402
import mfslab  # noqa: E402

CLONES, AT_ONCE, ROUNDS = 100, 15, 15
D = mfslab.MOUNT
KEEP = """  ControlMaster auto
  ControlPersist 60s
  ControlPath {base}/ctl-%C
"""


def timed(lab, words, environment):
    """Wall and CPU seconds of these commands, AT_ONCE at a time, on the front-end. They are started
    there, so that nothing of the lab (entering a host, counting its connections) is measured."""
    job = json.dumps({"words": words, "environment": environment})
    done = subprocess.run(lab.enter("fe", sys.executable, os.path.abspath(__file__), "--inside"),
                          input=job, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def run_inside(words, environment):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        results = list(pool.map(lambda w: subprocess.run(
            w, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True), words))
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    for result in results:
        if result.returncode:
            sys.exit(f"{' '.join(result.args)}: {result.stderr}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def plain(site):
    """The lab's environment with the real ssh, without the script that counts connections."""
    environment = site.environment(STANDIN_PYTHON="/usr/bin/python3", STANDIN_SSH="/usr/bin/ssh")
    environment["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return environment


def action(site, name, *arguments):
    return [os.path.join(site.remotes, "tm", site.driver, name), *map(str, arguments)]


def hundred_clones(lab, site):
    lab.on("fe", f"head -c 1M /dev/urandom > {D}/102/small; sync {D}/102/small")
    for vm in range(1, CLONES + 1):
        site.vm(vm, disks=(1,))
    environment = plain(site)
    lab.on("fe", f"mount --bind {lab.path('ssh_config')} /etc/ssh/ssh_config")
    subprocess.run(lab.enter("fe", "/usr/bin/ssh", "h1", "true"), check=True)
    ours = timed(lab, [action(site, "clone", f"fe:{D}/102/small", f"h1:{D}/100/{vm}/disk.1", vm, 102)
                       for vm in range(1, CLONES + 1)], environment)
    theirs = timed(lab, [[f"{HERE}/standin", "clone", f"fe:{D}/102/small",
                          f"h1:{D}/100/{1000 + vm}/disk.1", str(vm), "102"]
                         for vm in range(CLONES)], environment)
    print(f"{CLONES} clones, {AT_ONCE} at once    wall s  front-end CPU s")
    for name, (wall, cpu) in (("onevol", ours), ("stand-in", theirs)):
        print(f"  {name:<22} {wall:>6.1f} {cpu:>8.1f}")
    print(f"  ratio                    1/{theirs[0] / ours[0]:.0f}     1/{theirs[1] / ours[1]:.0f}")


def one_of_each(lab, site):
    """On the front-end, so that no ssh hides what onevol itself takes."""
    lab.on("fe", f"truncate -s 10G {D}/102/big; sync {D}/102/big; mkdir -p {D}/100/500")
    site.vm(500, disks=(0, 1), size=10240)
    disk = f"localhost:{D}/100/500/disk.0"
    mfs.good(site.tm("ln", f"fe:{D}/102/big", disk, 500, 102))
    calls = {
        "makesnapshot": ["mfsmakesnapshot", "-o", f"{D}/102/big", f"{D}/102/bare"],
        "clone": action(site, "clone", f"fe:{D}/102/big", f"localhost:{D}/100/500/disk.1", 500, 102),
        "snap_create": action(site, "snap_create", disk, 1, 500, 102),
        "snap_revert": action(site, "snap_revert", disk, 1, 500, 102),
    }
    figures = {name: [timed(lab, [words], plain(site))[0] for _ in range(ROUNDS)]
               for name, words in calls.items()}
    base = statistics.median(figures["makesnapshot"]) * 1000
    print("a 10 GiB image               ms    above makesnapshot")
    for name, values in figures.items():
        middle = statistics.median(values) * 1000
        print(f"  {name:<20} {middle:>8.1f} {middle - base:>10.1f}")


def main():
    if sys.argv[1:] == ["--inside"]:
        json.dump(run_inside(**json.load(sys.stdin)), sys.stdout)
        return 0
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    reason = mfslab.missing()
    if reason:
        print("mfs: skipped: " + reason)
        return 0
    lab = mfs.lab = mfslab.MfsLab(["fe", "h1"])
    try:
        with open(lab.path("ssh_config"), "a") as config:
            config.write(KEEP.format(base=lab.base))
        site = mfs.site = mfs.Site(os.path.abspath(sys.argv[1]), "moosefs")
        hundred_clones(lab, site)
        one_of_each(lab, site)
    finally:
        lab.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
