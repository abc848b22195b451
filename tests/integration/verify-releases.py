#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""onevol-verify on every release of OpenNebula whose protocol differs, and its own manners.

    verify-releases.py ONEVOL ONEVOL-VERIFY [--all] [DIRECTORY]

DIRECTORY: on the file system to play on; default: a temporary one. --all: everything on every release,
which takes twice as long.
"""

import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tempfile

DRIVER = "reflink"
SKIPPED = 77
# quoting, exit status, suffixes, UDP, FORMAT, error text, stdin forms, severity lines
RELEASES = ["5.4.0", "5.6.0", "5.6.2", "5.10.0", "5.12.0", "6.0.0", "6.0.3", "6.4.4", "6.6.0",
            "6.8.0", "6.10.0", "7.0.0", "7.4.0"]
# The first and the last, and one of each contract on stderr, are played whole without --all.
WHOLE = ["5.4.0", "6.0.3", "7.4.0"]
SHORT = "images,refused,deploy,move,suffix,resize,snapshots,backup"


class Runner:
    def __init__(self, onevol, verify, root, everything):
        self.onevol, self.verify, self.root = onevol, verify, root
        self.everything = everything

    def run(self, name, arguments, directory=None):
        directory = directory or os.path.join(self.root, name)
        command = [self.verify, "--onevol", self.onevol, "--directory", directory] + arguments
        return subprocess.run(command, capture_output=True, text=True, timeout=600)

    def release(self, release, more):
        """All is well, and nothing is left."""
        whole = self.everything or release in WHOLE
        name = "play-" + release + "".join(more).replace("--", "-")
        if not whole:
            more = more + ["--only", SHORT]
        done = self.run(name, ["--driver", DRIVER, "--opennebula", release, "--size", "8",
                               "--json"] + more)
        document = json.loads(done.stdout) if done.stdout else {"actions": [], "ok": 0}
        bad = [row for row in document["actions"] if not row["ok"]]
        if done.returncode != 0 or bad or document["ok"] < (300 if whole else 150):
            return "exit %d, %d actions ok, %s %s" % (done.returncode, document["ok"],
                                                      done.stderr.strip(), json.dumps(bad[:2]))
        if os.path.exists(os.path.join(self.root, name)):
            return "the directory is still there"
        return None

    def other_name(self):
        done = self.run("other", ["--driver", DRIVER, "--as", "site_store", "--size", "8",
                                  "--only", "images,deploy"])
        last = done.stdout.strip().splitlines()[-1] if done.stdout else ""
        if done.returncode != 0 or "(driver site_store, OpenNebula 7.4.0" not in last:
            return "exit %d: %s %s" % (done.returncode, last, done.stderr)
        return None

    def keep(self):
        directory = os.path.join(self.root, "keep")
        done = self.run("keep", ["--driver", DRIVER, "--size", "8", "--only", "images", "--keep"])
        if done.returncode != 0 or not os.path.isdir(os.path.join(directory, "var", "remotes")):
            return "exit %d, or nothing was kept" % done.returncode
        return None

    def spares_own_directory(self):
        directory = os.path.join(self.root, "mine")
        os.mkdir(directory)
        done = self.run("mine", ["--driver", DRIVER, "--size", "8", "--only", "images"])
        if done.returncode != 0 or os.listdir(directory) != []:
            return "exit %d, left: %s" % (done.returncode, os.listdir(directory))
        return None

    def refuses(self):
        full = os.path.join(self.root, "full")
        os.mkdir(full)
        open(os.path.join(full, "file"), "w").close()
        cases = [
            ("a directory with files in it", ["--driver", DRIVER], full),
            ("a release that is none", ["--driver", DRIVER, "--opennebula", "5.3.9"], None),
            ("a release to come", ["--driver", DRIVER, "--opennebula", "8.0.0"], None),
            ("an operation that is none", ["--driver", DRIVER, "--only", "nothing"], None),
            ("a driver's name with a slash", ["--driver", "../x"], None),
            ("an unknown driver", ["--driver", "nobody_has_this"], None),
            ("no driver", [], None),
            ("a blank in the path", ["--driver", DRIVER], os.path.join(self.root, "a b")),
        ]
        for what, arguments, directory in cases:
            done = self.run("refused", arguments, directory)
            if done.returncode != 2 or len(done.stderr.strip().splitlines()) != 1:
                return "%s: exit %d, '%s'" % (what, done.returncode, done.stderr)
        if os.listdir(full) != ["file"]:
            return "the refused directory was changed"
        return None


def main():
    if len(sys.argv) < 3:
        print(__doc__)
        return 2
    for tool in ("qemu-img", "qemu-io", "mke2fs"):
        if not shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            print("skipped: %s is not installed" % tool)
            return SKIPPED
    more = [word for word in sys.argv[3:] if word != "--all"]
    parent = more[0] if more else None
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="onevol-verify-", dir=parent) as root:
        runner = Runner(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), root,
                        "--all" in sys.argv)
        jobs = [("installed under another name", runner.other_name, ()),
                ("--keep keeps", runner.keep, ()),
                ("an empty directory is given back empty", runner.spares_own_directory, ()),
                ("what is refused", runner.refuses, ())]
        for release in RELEASES:
            jobs.append(("OpenNebula " + release, runner.release, (release, [])))
        for release in ("5.12.0", "6.10.0", "7.4.0"):
            jobs.append(("OpenNebula %s, each action twice" % release, runner.release,
                         (release, ["--twice"])))
        with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
            running = [(name, pool.submit(run, *arguments)) for name, run, arguments in jobs]
            for name, job in running:
                reason = job.result()
                print("%-7s %s%s" % ("FAILED" if reason else "ok", name,
                                     ": " + reason if reason else ""))
                sys.stdout.flush()
                passed, failed = passed + (not reason), failed + bool(reason)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
