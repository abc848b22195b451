#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""ssh whose output has one bit changed at byte FLIP_AT, behind all that ssh protects."""
import os
import subprocess
import sys

base = os.path.dirname(os.path.dirname(os.path.abspath(os.environ["FLIP_SSH"])))
child = subprocess.Popen(["/usr/bin/ssh", "-F", base + "/ssh_config", *sys.argv[1:]],
                         stdin=0, stdout=subprocess.PIPE)
left = int(os.environ["FLIP_AT"])
while data := os.read(child.stdout.fileno(), 65536):
    if 0 <= left < len(data):
        data = data[:left] + bytes([data[left] ^ 4]) + data[left + 1:]
    left -= len(data)
    try:
        while data:
            data = data[os.write(1, data):]
    except OSError:
        child.kill()
        break
os._exit(child.wait() & 255)
