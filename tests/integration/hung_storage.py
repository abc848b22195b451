#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Storage of the front-end that never answers: the action fails in bounded time and names the process
that is stuck, which keeps its locks and goes when the storage answers.

usage: hung_storage.py ONEVOL. Prints TAP. Needs root and FUSE.
"""
import os
import pathlib
import re
import subprocess
import sys
import time

from played_site import Site, Tap, encoded

HERE = pathlib.Path(__file__).parent
MESSAGE = """<DS_DRIVER_ACTION_DATA><DATASTORE><ID>103</ID><NAME>d</NAME><TYPE>0</TYPE>
<DS_MAD>reflink</DS_MAD><TM_MAD>reflink</TM_MAD><BASE_PATH>{0}</BASE_PATH><TEMPLATE/></DATASTORE>
</DS_DRIVER_ACTION_DATA>"""


def skip(reason):
    print(f"1..0 # SKIP {reason}")
    return 0


def state(pid):
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return "gone"
    return re.search(r"^State:\s+(\w)", status, re.M)[1]


def main():
    if os.geteuid() != 0:
        return skip("a mount needs root")
    if os.environ.get("IN_NAMESPACE") != "yes":
        os.environ["IN_NAMESPACE"] = "yes"
        os.execvp("unshare", ["unshare", "-m", sys.executable, *sys.argv])
    tap, site = Tap(), Site(sys.argv[1])
    place = site.datastores / "103"
    place.mkdir(exist_ok=True)
    server = subprocess.Popen([sys.executable, HERE / "fuse-hang.py", place, "statfs"], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        if server.stdout.readline() != "ready\n":
            return skip("no FUSE here")
        done = site.run("datastore", "monitor", 103, stdin=encoded(MESSAGE.format(place)),
                        ONEVOL_IDLE_MS="1000")
        stuck = re.search(r"still busy: space '.*', pid (\d+)", done.stderr)
        tap.case("an action on storage that never answers fails and says what is stuck",
                 None if done.returncode == 11 and not done.stdout and stuck
                 else f"exit {done.returncode}: {done.stdout}{done.stderr}")
        tap.case("in bounded time", None if done.seconds < 20 else f"{done.seconds:.1f} s")
        pid = stuck[1] if stuck else "0"
        tap.case("the process that is left waits for its storage",
                 None if state(pid) == "D" else f"state {state(pid)}")
        server.kill()
        server.wait()
        for _ in range(100):
            if state(pid) == "gone":
                break
            time.sleep(0.1)
        tap.case("and is gone when that answers", None if state(pid) == "gone" else state(pid))
    finally:
        server.kill()
        subprocess.run(["umount", "-l", place], check=False)
        site.close()
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
