#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Replays the calls that real oneds made (tests/fixtures) against this program, in time order.

Paths of the recorded site become a temporary tree, its hosts become this machine. What an earlier
call answered (the SOURCE of an image) is used in the later ones, as oned would. Each recorded call
of an action that the driver has is one case: it must succeed, and answer in the recorded shape.

usage: replay_fixtures.py ONEVOL FIXTURE.jsonl
"""
import json
import os
import pathlib
import re
import subprocess
import sys

from played_site import Site, Tap, encoded

MIB = 1 << 20
# What this release refuses, and how: (action, pattern of operation or document, exit
# status, pattern of the text).
REFUSED = [
    ("prebackup", r"", 6, "not supported yet"),
    ("prebackup_live", r"", 6, "not supported yet"),
]
# A disk of a running guest is only copied in an instant, so not where blocks cannot be shared.
SHARES_BLOCKS = os.environ.get("TEST_FILE_SYSTEM") in ("xfs", "btrfs")
NOT_INSTANT = [("cpds", r"^disk-saveas-hot", 7, "cannot share blocks"),
               ("snap_create_live", r"", 7, "cannot share blocks")]
# Where the first is missing or refused, the second carries the state along.
STANDS_IN = {"snap_create_live": "snap_create"}


def documents(call):
    texts = [call.get("vm_info"), call.get("datastore_info"), call.get("stdin_base64_of"),
             call.get("stdin")]
    texts += [a[len("base64:"):] for a in call["argv"] if a.startswith("base64:")]
    return [text for text in texts if text and text.lstrip().startswith("<")]


def element(text, name):
    found = re.search(rf"<{name}>(?:<!\[CDATA\[)?([^<\]]*)", text)
    return found[1] if found else ""


class Replay:
    def __init__(self, onevol, path):
        self.calls = [json.loads(line) for line in path.read_text().splitlines()]
        version = path.stem.split("-")[1]
        self.site = Site(onevol, version, "reflink", "rec")
        self.sources = {}  # recorded SOURCE → ours
        self.version = version
        self.make_sources()

    def make_sources(self):
        site = self.site
        raw = site.sources / "base.img"
        with raw.open("wb") as file:
            file.truncate(256 * MIB)
            file.seek(5 * MIB)
            file.write(b"recorded" * 4096)
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw,
                        site.sources / "base.qcow2"], check=True)
        with (site.sources / "base.img.gz").open("wb") as packed:
            subprocess.run(["gzip", "-c1", raw], stdout=packed, check=True)
        (site.sources / "cd.iso").write_bytes(bytes(32768) + b"\x01CD001" + bytes(300000))

    def ours(self, text):
        """A recorded text with the paths of this site."""
        for recorded, now in self.sources.items():
            text = text.replace(recorded, now)
        text = text.replace("/var/lib/one/", f"{self.site.var}/")
        return re.sub(r"/var/tmp/((?:base|cd)\.)", rf"{self.site.sources}/\1", text)

    def learn(self, number):
        """What oned would say now. The recorder asked about a wrong VM in a few calls; there the
        next good answer about the VM stands in."""
        call, facts = self.calls[number], self.site.oned.facts
        for text in documents(call):
            for name, method in (("DATASTORE", "one.datastore.info"), ("IMAGE", "one.image.info")):
                for found in re.findall(rf"<{name}>(?=<ID>).*?</{name}>", text, re.S):
                    facts[method, int(element(found, "ID"))] = self.ours(found)
        if call["plane"] != "tm" or len(call["argv"]) < 3:
            return
        wanted = call["argv"][-2]
        for later in self.calls[number:]:
            text = later.get("vm_info") or ""
            if text.startswith("<VM>") and element(text, "ID") == wanted:
                facts["one.vm.info", int(wanted)] = self.ours(text)
                break

    def call(self, number, action=None):
        call = self.calls[number]
        self.learn(number)
        arguments = []
        for argument in call["argv"]:
            if argument.startswith("base64:"):
                arguments.append(encoded(self.ours(argument[len("base64:"):])).decode())
            else:
                arguments.append(self.ours(argument))
                if argument.endswith("context.sh"):
                    path = pathlib.Path(arguments[-1])
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text("NETWORK='NO'\n")
        stdin = b""
        if call.get("stdin_base64_of"):
            stdin = encoded(self.ours(call["stdin_base64_of"]))
        elif call.get("stdin"):
            stdin = self.ours(call["stdin"]).encode()
        return self.site.run(call["plane"], action or call["action"], *arguments, stdin=stdin)

    def refusal(self, call):
        texts = [call["operation"], *documents(call)]
        for action, pattern, status, words in REFUSED:
            if call["action"] == action and any(re.search(pattern, text) for text in texts):
                return status, words
        return None

    def judge(self, call, done):
        """None, or what is wrong with the answer."""
        said = f"exit {done.returncode}, stdout {done.stdout!r}, stderr {done.stderr!r}"
        refusal = self.refusal(call)
        if refusal:
            good = done.returncode == refusal[0] and not done.stdout and re.search(refusal[1], done.stderr)
            return None if good else f"not refused as documented: {said}"
        action, recorded = call["action"], call.get("stdout") or ""
        if done.returncode:
            known = not SHARES_BLOCKS and any(
                name == action and re.search(pattern, call["operation"]) and words in done.stderr
                and done.returncode == status for name, pattern, status, words in NOT_INSTANT)
            return None if known else said
        if call["plane"] == "datastore" and action in ("cp", "mkfs", "clone"):
            good = re.fullmatch(r"(/\S+)( raw| qcow2)?\n", done.stdout)
            # the recorded clone of 7.4 forgot the format
            words = 2 if " " in recorded else 1
            if not good or len(done.stdout.split()) != words:
                return f"{said}; recorded {recorded!r}"
            self.sources[recorded.split()[0]] = good[1]
        elif action == "stat":
            return None if done.stdout == recorded else f"{said}; recorded {recorded!r}"
        elif action == "monitor":
            keys = sorted(re.findall(r"(\w+)=\d+", recorded))
            if sorted(re.findall(r"^(\w+)=\d+$", done.stdout, re.M)) != keys:
                return f"{said}; recorded {recorded!r}"
        elif done.stdout and not recorded:
            return f"{said}; recorded nothing"
        return self.effect(call)

    def effect(self, call):
        """What must be on disk afterwards."""
        if call["plane"] != "tm" or call["action"] not in ("clone", "ln", "mkimage", "mkswap",
                                                           "context", "delete"):
            return None
        position = 0 if call["action"] == "delete" else -3
        path = pathlib.Path(self.ours(call["argv"][position].split(":", 1)[1]))
        if call["action"] == "delete":
            return f"{path} is still there" if path.is_symlink() or path.exists() else None
        if call["action"] == "ln" and not path.is_symlink():
            return f"{path} is no link"
        return None if path.is_file() else f"{path} is not there"

    def frozen(self):
        """What was asked of the hypervisor must leave every guest running."""
        log = self.site.virsh_log.read_text()
        words = [line.split()[0] for line in log.splitlines() if line]
        stops = sum(word in ("domfsfreeze", "suspend") for word in words)
        goes = sum(word in ("domfsthaw", "resume") for word in words)
        return None if stops <= goes else f"{stops} stops, {goes} goes: {log}"

    def leftovers(self):
        wrong = [str(p) for p in self.site.datastores.rglob("*") if p.name.endswith(".part")]
        wrong += [str(p) for p in (self.site.datastores / "102").iterdir()]
        return "\n".join(wrong) or None


def main():
    onevol, path = sys.argv[1], pathlib.Path(sys.argv[2])
    tap = Tap()
    replay = Replay(onevol, path)
    missing = {}
    try:
        for number, call in enumerate(replay.calls):
            plane, action = call["plane"], call["action"].split(".")[0]
            if plane == "vmm":
                continue
            if not replay.site.has(plane, action):
                missing[f"{plane} {action}"] = missing.get(f"{plane} {action}", 0) + 1
                if action in STANDS_IN:
                    replay.call(number, STANDS_IN[action])
                continue
            name = f"{replay.version} call {number}: {call['operation'] or 'before'}: {plane} {action}"
            done = replay.call(number)
            tap.case(name, replay.judge(call, done))
            if done.returncode and action in STANDS_IN:
                replay.call(number, STANDS_IN[action])
        if missing:
            print("# not replayed: " + ", ".join(f"{n} × {k}" for k, n in sorted(missing.items())))
        tap.case(f"{replay.version}: no guest is left frozen", replay.frozen())
        tap.case(f"{replay.version}: nothing is left of any VM", replay.leftovers())
    finally:
        replay.site.close()
    return tap.finish()


sys.exit(main())
