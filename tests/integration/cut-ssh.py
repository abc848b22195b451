#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""ssh whose link breaks: CUT=in:N or out:N bytes of what goes in or comes out, then it is dead."""
import os
import subprocess
import sys
import threading

direction, limit = os.environ["CUT"].split(":")
base = os.path.dirname(os.path.dirname(os.path.abspath(os.environ["CUT_SSH"])))
child = subprocess.Popen(["/usr/bin/ssh", "-F", base + "/ssh_config", *sys.argv[1:]],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def pump(source, sink, left):
    while True:
        data = os.read(source, 65536)
        if left is not None:
            data, left = data[:left], left - len(data[:left])
        if data:
            try:
                os.write(sink, data)
            except OSError:
                break
        if left == 0:
            child.kill()
            os._exit(255)
        if not data:
            break
    os.close(sink)


inward = threading.Thread(target=pump, daemon=True, args=(
    0, child.stdin.fileno(), int(limit) if direction == "in" else None))
inward.start()
pump(child.stdout.fileno(), 1, int(limit) if direction == "out" else None)
os._exit(child.wait())
