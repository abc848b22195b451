#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""BRIDGE_LIST: hosts that oned holds for unusable are left out, the others take turns.

usage: bridges.py ONEVOL
Prints TAP. `ssh` is a program of the test that writes down whom it was to reach, and fails.
"""
import os
import sys

from played_site import Site, Tap, encoded

MESSAGE = """<DS_DRIVER_ACTION_DATA>{image}<DATASTORE><ID>103</ID><NAME>d</NAME><TYPE>0</TYPE>
<DS_MAD>reflink</DS_MAD><TM_MAD>reflink</TM_MAD><BASE_PATH>{base}</BASE_PATH><TEMPLATE>
<BRIDGE_LIST>{bridges}</BRIDGE_LIST></TEMPLATE></DATASTORE></DS_DRIVER_ACTION_DATA>"""
IMAGE = "<IMAGE><ID>{0}</ID><NAME>i</NAME><TYPE>2</TYPE><FORMAT>raw</FORMAT><SIZE>1</SIZE></IMAGE>"
STATES = {"up": 2, "off": 8, "broken": 3, "disabled": 4, "failing": 5}


def main():
    tap, site = Tap(), Site(sys.argv[1])
    reached = site.root / "reached"
    (site.bin / "ssh").write_text(
        '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\n'
        f'echo "$2" >>{reached}\necho "ssh: connect to host $2: No route to host" >&2\nexit 255\n')
    (site.bin / "ssh").chmod(0o755)
    site.oned.facts["one.hostpool.info", -1] = "<HOST_POOL>" + "".join(
        f"<HOST><ID>{i}</ID><NAME>{name}</NAME><STATE>{state}</STATE></HOST>"
        for i, (name, state) in enumerate(STATES.items())) + "</HOST_POOL>"

    def mkfs(image, bridges):
        reached.write_text("")
        return site.run("datastore", "mkfs", image, stdin=encoded(MESSAGE.format(
            image=IMAGE.format(image), base=site.datastores / "103", bridges=bridges)))

    try:
        done = mkfs(1, "off broken node1 disabled failing")
        tap.case("only the usable bridge is asked",
                 None if done.returncode == 0 and not reached.read_text() else
                 f"{done.stderr}{reached.read_text()}")

        asked = set()
        for image in range(4, 8):
            mkfs(image, "up other")
            asked.update(reached.read_text().split())
        tap.case("bridges take turns by the image's id, strangers to oned among them",
                 None if asked == {"up", "other"} else f"asked {asked}")

        done = mkfs(2, "up")
        tap.case("a bridge that cannot be reached is named",
                 None if done.returncode == 9 and "'up'" in done.stderr and not done.stdout
                 else f"{done.returncode} {done.stdout}{done.stderr}")

        done = mkfs(3, "off broken")
        tap.case("no usable bridge is one clear sentence",
                 None if done.returncode == 9 and "BRIDGE_LIST" in done.stderr and
                 not reached.read_text() else f"{done.returncode} {done.stderr}")

        made = [n for n in os.listdir(site.datastores / "103") if n.endswith(".part")]
        tap.case("nothing half-made is left", f"{made}" if made else None)
    finally:
        site.close()
    sys.exit(tap.finish())


if __name__ == "__main__":
    main()
