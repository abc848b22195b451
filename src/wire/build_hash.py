#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a header with one hash over the sources of an agent: build_hash.py HEADER VERSION FILE...

The same for all architectures, so that the front-end can ask for the agent of its own build before
it knows what kind of machine the host is.
"""
import hashlib
import os
import sys

header, version, files = sys.argv[1], sys.argv[2], sys.argv[3:]
total = hashlib.sha256(version.encode())
for name in sorted(files, key=os.path.basename):
    with open(name, "rb") as source:
        total.update(os.path.basename(name).encode() + b"\0")
        total.update(hashlib.sha256(source.read()).digest())
text = f'#pragma once\n#define ONEVOL_BUILD "{total.hexdigest()[:16]}"\n'
try:
    with open(header) as old:
        same = old.read() == text
except OSError:
    same = False
if not same:
    with open(header, "w") as new:
        new.write(text)
