#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""onevol-verify must be able to fail.

Each mutant is a driver with one fault: one of its files is replaced by a wrapper that runs the
real action and then breaks one thing. verify has to exit 1, and a row that failed has to name the
mutated action. A driver without a fault has to pass. SHOW_REASONS=1 shows what was found.

    verify-mutants.py ONEVOL ONEVOL-VERIFY [NAME...]
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

# What every wrapper starts with. real() runs the true action; emit() passes its answer on.
PRELUDE = r'''#!{python}
import base64, os, re, shutil, subprocess, sys, xmlrpc.client
ONEVOL, PLANE, ACTION = {onevol!r}, {plane!r}, {action!r}
args = sys.argv[1:]
stdin = sys.stdin.buffer.read()

def real(arguments=None, document=None):
    data = base64.b64encode(document.encode()) if document is not None else stdin
    command = [ONEVOL, PLANE, {driver!r}, ACTION] + (args if arguments is None else arguments)
    done = subprocess.run(command, input=data, capture_output=True)
    done.out, done.err = done.stdout.decode(), done.stderr.decode()
    return done

def emit(done, out=None, err=None, status=None):
    sys.stdout.write(done.out if out is None else out)
    sys.stderr.write(done.err if err is None else err)
    sys.stdout.flush()
    sys.exit(done.returncode if status is None else status)

def document():
    try:
        return base64.b64decode(stdin, validate=True).decode()
    except ValueError:
        return ""

def edited(pattern, replacement):
    """The real action with another document, if there is one that can be read."""
    text = document()
    return real(document=re.sub(pattern, replacement, text)) if text else real()

def vm():
    """The document of the VM that the arguments name, from oned."""
    number = int(args[2 if ACTION != "cpds" else 3])
    with open(os.environ["ONE_AUTH"]) as file:
        session = file.read().strip()
    return xmlrpc.client.ServerProxy(os.environ["ONE_XMLRPC"]).one.vm.info(session, number)[1]

def path_of(argument):
    """The path of a location without oned's double slashes."""
    return os.path.normpath(argument.split(":", 1)[1])

def poke(path, offset, data):
    with open(path, "r+b") as file:
        file.seek(offset, os.SEEK_END if offset < 0 else os.SEEK_SET)
        file.write(data)

def make_copy(source, target):
    """A copy with holes, as another file."""
    if os.path.lexists(target):
        os.remove(target)
    subprocess.run(["cp", "--sparse=always", "-L", source, target], check=True)

'''


class Mutant:
    """One fault. `label`: the action as verify names it; `arguments`: more words for verify."""

    def __init__(self, name, file, only, body, label=None, arguments=()):
        self.name = name
        self.plane, self.action = file.split("/")
        self.only = only
        self.body = body
        self.label = label or self.action
        self.arguments = list(arguments)


MUTANTS = [
    # --- images ---
    Mutant("cp exits 0 on failure", "datastore/cp", "refused", "emit(real(), status=0)"),
    Mutant("cp prints two lines", "datastore/cp", "images",
           "done = real(); emit(done, out=done.out + 'done\\n')"),
    Mutant("cp prints no FORMAT", "datastore/cp", "images",
           "done = real(); emit(done, out=done.out.split(' ')[0] + '\\n')"),
    Mutant("cp prints FORMAT to an old oned", "datastore/cp", "images",
           "done = real(); emit(done, out=done.out.replace('\\n', ' raw\\n'))",
           arguments=["--opennebula", "5.12.0"]),
    Mutant("cp calls qcow2 raw", "datastore/cp", "images",
           "done = real(); emit(done, out=done.out.replace(' qcow2', ' raw'))"),
    Mutant("cp ignores DRIVER", "datastore/cp", "images",
           "emit(edited('<DRIVER>.*?</DRIVER>', ''))"),
    Mutant("cp ignores CONVERT", "datastore/cp", "images",
           "emit(edited('<CONVERT>.*?</CONVERT>', ''))"),
    Mutant("cp checks no checksum", "datastore/cp", "images",
           "emit(edited('<(MD5|SHA1)>.*?</(MD5|SHA1)>', ''))"),
    Mutant("cp ignores SAFE_DIRS", "datastore/cp", "refused",
           "emit(edited('(<SAFE_DIRS>).*?(</SAFE_DIRS>)', r'\\1/\\2'))"),
    Mutant("cp leaves a .part", "datastore/cp", "images",
           "done = real()\n"
           "if done.returncode == 0: open(done.out.split()[0] + '.part', 'w').close()\n"
           "emit(done)"),
    Mutant("cp leaves data of a failed import", "datastore/cp", "images",
           "done = real()\n"
           "base = re.search(r'<BASE_PATH><!\\[CDATA\\[(.*?)\\]', document()).group(1)\n"
           "if done.returncode: open(base + '/image-half', 'w').close()\n"
           "emit(done)"),
    Mutant("cp loses the last sector", "datastore/cp", "images",
           "done = real()\n"
           "if done.returncode == 0 and os.stat(done.out.split()[0]).st_size > 1 << 20:\n"
           "    poke(done.out.split()[0], -512, bytes(512))\n"
           "emit(done)"),
    Mutant("cp leaves the image in the source's file", "datastore/cp", "images",
           "done = real()\n"
           "source = re.search(r'<PATH><!\\[CDATA\\[(.*?)\\]', document()).group(1)\n"
           "if done.returncode == 0 and done.out.endswith(' raw\\n') and 'base.img' in source:\n"
           "    image = done.out.split()[0]; os.remove(image); os.symlink('/dev/null', image)\n"
           "emit(done)"),
    Mutant("stat is off by one", "datastore/stat", "images",
           "done = real(); emit(done, out='%d\\n' % (int(done.out) + 1))"),
    Mutant("stat prints two lines", "datastore/stat", "images",
           "done = real(); emit(done, out='size:\\n' + done.out)"),
    Mutant("mkfs ends with a blank", "datastore/mkfs", "images",
           "done = real(); emit(done, out=done.out.replace('\\n', ' \\n'))"),
    Mutant("mkfs prints FORMAT", "datastore/mkfs", "images",
           "done = real(); emit(done, out=done.out.replace('\\n', ' raw\\n'))"),
    Mutant("mkfs makes it too small", "datastore/mkfs", "images",
           "done = real(); os.truncate(done.out.strip(), 1 << 20); emit(done)"),
    Mutant("mkfs makes no file system", "datastore/mkfs", "images",
           "emit(edited('<FS>.*?</FS>', '<FS></FS>'))"),
    Mutant("clone of an image shares its file", "datastore/clone", "images",
           "done = real()\n"
           "source = re.search(r'<PATH><!\\[CDATA\\[(.*?)\\]', document()).group(1)\n"
           "target = done.out.split()[0]; os.remove(target); os.link(source, target)\n"
           "emit(done)", label="clone image"),
    Mutant("rm leaves the file", "datastore/rm", "images", "sys.exit(0)"),
    Mutant("rm fails the second time", "datastore/rm", "images",
           "source = re.search(r'<SOURCE><!\\[CDATA\\[(.*?)\\]', document()).group(1)\n"
           "there = os.path.exists(source)\n"
           "done = real()\n"
           "if not there: sys.stderr.write('no such image\\n'); sys.exit(1)\n"
           "emit(done)", arguments=["--twice"]),
    Mutant("rm removes any SOURCE", "datastore/rm", "refused",
           "source = re.search(r'<SOURCE><!\\[CDATA\\[(.*?)\\]', document()).group(1)\n"
           "if os.path.exists(source): os.remove(source)\n"
           "emit(real())"),
    Mutant("monitor prints garbage", "datastore/monitor", "images",
           "done = real(); emit(done, out='WARNING: lock file\\n' + done.out)"),
    Mutant("monitor finds no space at all", "datastore/monitor", "images",
           "done = real(); emit(done, out=re.sub(r'TOTAL_MB=\\d+', 'TOTAL_MB=0', done.out))"),
    Mutant("monitor of a system datastore forgets FREE_MB", "tm/monitor", "images",
           "done = real(); emit(done, out=re.sub(r'FREE_MB=\\S+\\s', '', done.out))",
           label="monitor system"),
    Mutant("monitor sends no disk sizes", "tm/monitor", "deploy",
           "emit(edited('<MONITOR_VM_DISKS>1', '<MONITOR_VM_DISKS>0'))", label="monitor system"),
    Mutant("export forgets the checksum", "datastore/export", "images",
           "done = real(); emit(done, out=done.out.replace('MD5', 'SUM'))"),
    # --- what users and logs see ---
    Mutant("error text of two lines", "datastore/cp", "refused",
           "done = real()\n"
           "emit(done, err=done.err + ('and more\\n' if done.returncode else ''))"),
    Mutant("error text begins with a dash", "datastore/cp", "refused",
           "done = real(); emit(done, err='- it did not work\\n' if done.returncode else None)"),
    Mutant("no error text", "datastore/cp", "refused",
           "done = real()\n"
           "emit(done, err='ERROR: cp: only in the log\\n' if done.returncode else None)"),
    Mutant("no marker block for an old oned", "datastore/cp", "refused",
           "done = real()\n"
           "emit(done, err=re.sub('ERROR MESSAGE.*?\\n', '', done.err))",
           arguments=["--opennebula", "5.12.0"]),
    Mutant("noise on stderr", "tm/ln", "attach",
           "done = real(); emit(done, err=done.err + 'a tool said something\\n')"),
    Mutant("a log line that is taken for a VM's id", "tm/ln", "attach",
           "done = real(); emit(done, err=done.err + 'INFO: 5 blocks copied\\n')"),
    Mutant("never ends", "tm/ln", "attach", "import time; time.sleep(60)",
           arguments=["--timeout", "1"]),
    # --- disks ---
    Mutant("clone fails with status 0", "tm/clone", "refused", "emit(real(), status=0)"),
    Mutant("clone does not grow the disk", "tm/clone", "deploy",
           "done = real(); source, target = path_of(args[0]), path_of(args[1])\n"
           "if done.returncode == 0: os.truncate(target, os.stat(source).st_size)\n"
           "emit(done)"),
    Mutant("clone is a hard link", "tm/clone", "attach",
           "done = real(); source, target = path_of(args[0]), path_of(args[1])\n"
           "os.remove(target); os.link(source, target); emit(done)"),
    Mutant("clone is a symbolic link", "tm/clone", "attach",
           "done = real(); source, target = path_of(args[0]), path_of(args[1])\n"
           "os.remove(target); os.symlink(source, target); emit(done)"),
    Mutant("clone is a qcow2 on top of its image", "tm/clone", "deploy",
           "done = real(); source, target = path_of(args[0]), path_of(args[1])\n"
           "with open(source, 'rb') as file: magic = file.read(4)\n"
           "if magic == b'QFI\\xfb':\n"
           "    os.remove(target)\n"
           "    subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b',\n"
           "                    source, target], check=True)\n"
           "emit(done)"),
    Mutant("clone of the kernel is empty", "tm/clone", "deploy",
           "done = real()\n"
           "if args[1].endswith('/kernel'): open(path_of(args[1]), 'w').close()\n"
           "emit(done)"),
    Mutant("clone leaves a .part", "tm/clone", "attach",
           "done = real(); open(path_of(args[1]) + '.part', 'w').close(); emit(done)"),
    Mutant("clone leaves a .snap", "tm/clone", "attach",
           "done = real(); os.mkdir(path_of(args[1]) + '.snap'); emit(done)"),
    Mutant("clone keeps what an earlier try left", "tm/clone", "recover",
           "if os.path.exists(path_of(args[1])): sys.exit(0)\n"
           "emit(real())"),
    Mutant("ln copies the image", "tm/ln", "attach",
           "done = real(); make_copy(path_of(args[0]), path_of(args[1])); emit(done)"),
    Mutant("ln fails the second time", "tm/ln", "attach",
           "if os.path.lexists(path_of(args[1])): sys.stderr.write('it exists\\n'); sys.exit(1)\n"
           "emit(real())", arguments=["--twice"]),
    Mutant("mkimage of the wrong size", "tm/mkimage", "attach",
           "done = real(); os.truncate(path_of(args[2]), 1000000); emit(done)"),
    Mutant("mkimage shows old data", "tm/mkimage", "attach",
           "done = real(); poke(path_of(args[2]), 70000, b'secret'); emit(done)"),
    Mutant("mkimage makes raw of qcow2", "tm/mkimage", "deploy",
           "emit(real([args[0], 'raw'] + args[2:]))"),
    Mutant("mkimage makes no file system", "tm/mkimage", "deploy",
           "done = real()\n"
           "path = path_of(args[2]); size = os.stat(path).st_size\n"
           "if args[1] == 'raw': os.truncate(path, 0); os.truncate(path, size)\n"
           "emit(done)"),
    Mutant("mkswap without a signature", "tm/mkswap", "attach",
           "done = real(); poke(path_of(args[1]), 4086, bytes(10)); emit(done)"),
    Mutant("context without a file", "tm/context", "deploy", "emit(real([args[0]] + args[2:]))"),
    Mutant("context does not rename", "tm/context", "deploy",
           "emit(real([re.sub(r\":'.*'$\", '', word) for word in args]))"),
    Mutant("context with another label", "tm/context", "deploy",
           "done = real(); poke(path_of(args[-3]), 32808, b'CDROM  '); emit(done)"),
    Mutant("context writes over the open ISO", "tm/context", "deploy",
           "path = path_of(args[-3]); old = path + '.old'\n"
           "if os.path.exists(path): os.link(path, old)\n"
           "done = real()\n"
           "if os.path.exists(old):\n"
           "    shutil.copyfile(path, old); os.rename(old, path)\n"
           "emit(done)"),
    Mutant("mvds loses what the guest wrote", "tm/mvds", "attach",
           "done = real(); poke(path_of('x:' + args[1]), 0, bytes(4096)); emit(done)"),
    Mutant("mvds truncates the image", "tm/mvds", "deploy",
           "done = real(); os.truncate(path_of('x:' + args[1]), 4096); emit(done)"),
    Mutant("delete removes the persistent image", "tm/delete", "recover",
           "target = os.path.realpath(path_of(args[0]))\n"
           "done = real()\n"
           "if '/10' in target and 'disk.' not in target and os.path.isfile(target):\n"
           "    os.remove(target)\n"
           "emit(done)"),
    Mutant("delete takes another disk too", "tm/delete", "attach",
           "done = real(); other = os.path.join(os.path.dirname(path_of(args[0])), 'disk.0')\n"
           "if 'disk.' in args[0] and os.path.lexists(other): os.remove(other)\n"
           "emit(done)"),
    Mutant("delete leaves the directory", "tm/delete", "attach",
           "done = real()\n"
           "if 'disk.' not in args[0]: os.makedirs(path_of(args[0]), exist_ok=True)\n"
           "emit(done)"),
    Mutant("delete leaves the disk", "tm/delete", "attach",
           "if 'disk.' in args[0]: sys.exit(0)\n"
           "emit(real())"),
    Mutant("delete fails when nothing is there", "tm/delete", "attach",
           "if not os.path.lexists(path_of(args[0])): sys.stderr.write('gone\\n'); sys.exit(1)\n"
           "emit(real())", arguments=["--twice"]),
    # --- moves ---
    Mutant("mv forgets the checkpoint", "tm/mv", "move",
           "done = real(); target = os.path.join(path_of(args[1]), 'checkpoint')\n"
           "if os.path.exists(target): os.remove(target)\n"
           "emit(done)"),
    Mutant("mv forgets the TPM's directory", "tm/mv", "move",
           "done = real()\n"
           "if 'disk.' not in args[1]:\n"
           "    shutil.rmtree(os.path.join(path_of(args[1]), 'tpm'), ignore_errors=True)\n"
           "emit(done)"),
    Mutant("mv changes data", "tm/mv", "move",
           "done = real(); disk = os.path.join(path_of(args[1]), 'disk.1')\n"
           "if os.path.exists(disk): poke(disk, 100000, b'x')\n"
           "emit(done)"),
    Mutant("mv loses the link to the image", "tm/mv", "move",
           "done = real(); disk = os.path.join(path_of(args[1]), 'disk.0')\n"
           "if os.path.islink(disk):\n"
           "    make_copy(disk, disk + '.new'); os.rename(disk + '.new', disk)\n"
           "emit(done)"),
    Mutant("mv leaves the old directory", "tm/mv", "move",
           "done = real()\n"
           "if path_of(args[0]) != path_of(args[1]) and 'disk.' not in args[0]:\n"
           "    os.makedirs(path_of(args[0]), exist_ok=True)\n"
           "emit(done)"),
    Mutant("mv does nothing", "tm/mv", "move", "sys.exit(0)"),
    Mutant("premigrate takes a disk away", "tm/premigrate", "live-migration",
           "done = real(); disk = os.path.join(os.path.normpath(args[2]), 'disk.1')\n"
           "if os.path.exists(disk): os.remove(disk)\n"
           "emit(done)"),
    Mutant("postmigrate removes the directory", "tm/postmigrate", "live-migration",
           "done = real(); shutil.rmtree(os.path.normpath(args[2]), ignore_errors=True)\n"
           "emit(done)"),
    Mutant("prebackup pretends", "tm/prebackup", "backup", "sys.exit(0)"),
    Mutant("prebackup_live pretends", "tm/prebackup_live", "backup", "sys.exit(0)"),
    Mutant("restore pretends", "tm/restore", "backup", "sys.exit(0)"),
    Mutant("restore is refused without a word", "tm/restore", "backup", "sys.exit(1)"),
    # --- changes ---
    Mutant("resize is lost", "tm/resize", "resize", "sys.exit(0)"),
    Mutant("resize shrinks", "tm/resize", "resize",
           "if int(args[1]) == 1: os.truncate(path_of(args[0]), 1 << 20); sys.exit(0)\n"
           "emit(real())"),
    Mutant("resize shows old data in the new part", "tm/resize", "resize",
           "done = real(); path = path_of(args[0])\n"
           "with open(path, 'rb') as file: magic = file.read(4)\n"
           "if magic != b'QFI\\xfb': poke(path, -512, b'old' * 100)\n"
           "emit(done)"),
    Mutant("snap_create takes nothing", "tm/snap_create", "snapshots",
           "done = real(); root = os.path.realpath(path_of(args[0])) + '.snap'\n"
           "file = os.path.join(root, args[1]); size = os.stat(file).st_size\n"
           "os.chmod(file, 0o600); os.truncate(file, 0); os.truncate(file, size); emit(done)",
           label="snap_revert"),
    Mutant("snap_revert does nothing", "tm/snap_revert", "snapshots", "sys.exit(0)"),
    Mutant("snap_create under LINEAR", "tm/snap_create", "states",
           'if "<![CDATA[LINEAR]]>" in vm(): sys.exit(0)\nemit(real())'),
    Mutant("snap_revert under LINEAR", "tm/snap_revert", "states",
           'if "<![CDATA[LINEAR]]>" in vm(): sys.exit(0)\nemit(real())'),
    Mutant("snap_create_live of another hypervisor's guest", "tm/snap_create_live", "states",
           'if "<![CDATA[lxc]]>" in vm(): sys.exit(0)\nemit(real())'),
    Mutant("snap_create_live forgets the guest", "tm/snap_create_live", "states",
           'done = real()\nopen(os.environ["ONEVOL_VERIFY_STILL"], "w").close()\nemit(done)'),
    Mutant("snap_create_live takes nothing", "tm/snap_create_live", "states",
           'done = real()\npath = os.path.realpath(path_of(args[0])) + ".snap/" + args[1]\n'
           'if os.path.exists(path): poke(path, 600, b"x" * 600)\nemit(done)', label="snap_revert"),
    Mutant("resize of a running VM's disk", "tm/resize", "states",
           'done = real()\nif "<LCM_STATE>62<" in vm() and not done.returncode:\n'
           '    os.truncate(path_of(args[0]), 99 << 20)\nemit(done)'),
    Mutant("snap_delete of a suspended VM changes the disk", "tm/snap_delete", "states",
           'done = real()\nif "<LCM_STATE>56<" in vm(): poke(path_of(args[0]), 600, b"x" * 600)\n'
           'emit(done)'),
    Mutant("cpds of a shareable disk", "tm/cpds", "states",
           'done = real()\nemit(done, status=0 if "shareable" in done.err else None)'),
    Mutant("snap_revert consumes the snapshot", "tm/snap_revert", "snapshots",
           "done = real(); root = os.path.realpath(path_of(args[0])) + '.snap'\n"
           "file = os.path.join(root, args[1])\n"
           "if os.path.exists(file): os.remove(file)\n"
           "emit(done)"),
    Mutant("snap_delete changes the disk", "tm/snap_delete", "snapshots",
           "done = real(); poke(path_of(args[0]), 0, b'changed!'); emit(done)"),
    Mutant("snap_delete does nothing", "tm/snap_delete", "snapshots", "pass", "snap_revert"),
    Mutant("delete leaves the snapshots", "tm/delete", "snapshots",
           "snap = path_of(args[0]) + '.snap'; keep = snap + '.keep'\n"
           "if os.path.isdir(snap): shutil.copytree(snap, keep)\n"
           "done = real()\n"
           "if os.path.isdir(keep): os.rename(keep, snap)\n"
           "emit(done)"),
    Mutant("cpds copies nothing", "tm/cpds", "save-as",
           "done = real(); path = path_of('x:' + args[1])\n"
           "if done.returncode == 0:\n"
           "    size = os.stat(path).st_size; os.truncate(path, 0); os.truncate(path, size)\n"
           "emit(done)"),
    Mutant("cpds takes the disk for the snapshot", "tm/cpds", "save-as",
           "args[2] = '-1'; emit(real())"),
    Mutant("snap_flatten keeps the snapshots", "datastore/snap_flatten", "image-snapshots",
           "source = re.search(r'<SOURCE><!\\[CDATA\\[(.*?)\\]', document()).group(1) + '.snap'\n"
           "if os.path.isdir(source): shutil.copytree(source, source + '.keep')\n"
           "done = real()\n"
           "if os.path.isdir(source + '.keep'): os.rename(source + '.keep', source)\n"
           "emit(done)", label="snap_flatten image"),
    Mutant("snap_revert of an image does nothing", "datastore/snap_revert", "image-snapshots",
           "sys.exit(0)", label="snap_revert image"),
]


class Bench:
    """The programs under test, a pristine tree of driver files, and a place to play in."""

    def __init__(self, onevol, verify, root):
        self.onevol, self.verify, self.root = onevol, verify, root
        self.pristine = os.path.join(root, "pristine")
        os.mkdir(self.pristine)
        subprocess.run([onevol, "setup", "--remotes", self.pristine, "--driver", DRIVER],
                       check=True, stdout=subprocess.DEVNULL)

    def play(self, number, remotes, only, arguments):
        """verify's exit status, its document, and what it said besides."""
        command = [self.verify, "--driver", DRIVER, "--remotes", remotes, "--onevol", self.onevol,
                   "--directory", os.path.join(self.root, "play-%d" % number), "--json",
                   "--size", "8"] + arguments
        if only:
            command += ["--only", only]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        try:
            return done.returncode, json.loads(done.stdout), done.stderr
        except ValueError:
            return done.returncode, None, done.stderr or done.stdout

    def mutate(self, number, mutant):
        """A tree in which one file is the wrapper."""
        remotes = os.path.join(self.root, "remotes-%d" % number)
        shutil.copytree(self.pristine, remotes)
        self.write_wrapper(remotes, mutant.plane, mutant.action, mutant.body)
        return remotes

    def write_wrapper(self, remotes, plane, action, body):
        path = os.path.join(remotes, plane, DRIVER, action)
        with open(path, "w") as file:
            file.write(PRELUDE.format(python=sys.executable, onevol=self.onevol, driver=DRIVER,
                                      plane=plane, action=action))
            file.write(body + "\n")
        os.chmod(path, 0o755)

    def is_installed(self, mutant):
        return os.path.exists(os.path.join(self.pristine, mutant.plane, DRIVER, mutant.action))

    def try_mutant(self, number, mutant):
        """None if verify caught it, else why not."""
        remotes = self.mutate(number, mutant)
        status, document, noise = self.play(number, remotes, mutant.only, mutant.arguments)
        if document is None:
            return "verify ended with %d and no document: %s" % (status, noise.strip())
        rows = [row for row in document["actions"] if not row["ok"]]
        failed = sorted({row["action"] for row in rows})
        # a wrapper that breaks down fails too, but that is no proof of anything
        if any("Traceback" in row.get("stderr", "") for row in rows):
            return "the wrapper itself is broken: %s" % [row.get("stderr") for row in rows][:1]
        if status != 1:
            return "verify exited %d" % status
        if mutant.label not in failed:
            return "the rows that failed are of %s, not of %s" % (", ".join(failed), mutant.label)
        if os.environ.get("SHOW_REASONS"):
            first = [row for row in rows if row["action"] == mutant.label][0]
            print("        %s: %s" % (mutant.name, first["problems"]))
        return None

    def try_wrapped(self):
        """Wrappers without a fault around every action must change nothing."""
        remotes = os.path.join(self.root, "wrapped")
        shutil.copytree(self.pristine, remotes)
        for plane in ("tm", "datastore"):
            for action in os.listdir(os.path.join(self.pristine, plane, DRIVER)):
                self.write_wrapper(remotes, plane, action, "emit(real())")
        return self.judge_pass(*self.play(len(MUTANTS), remotes, None, []))

    def try_unmutated(self, arguments):
        return self.judge_pass(*self.play(len(MUTANTS) + 1 + len(arguments), self.pristine, None,
                                          arguments))

    @staticmethod
    def judge_pass(status, document, noise):
        if status == 0 and document and document["ok"] > 100:
            return None
        bad = [row for row in (document or {}).get("actions", []) if not row["ok"]]
        return "verify exited %d: %s %s" % (status, noise.strip(), json.dumps(bad[:2]))


def main():
    if len(sys.argv) < 3:
        print(__doc__)
        return 2
    for tool in ("qemu-img", "qemu-io", "mke2fs"):
        if not shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            print("skipped: %s is not installed" % tool)
            return SKIPPED
    onevol, verify = (os.path.abspath(path) for path in sys.argv[1:3])
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="onevol-mutants-") as root:
        bench = Bench(onevol, verify, root)
        jobs = []
        with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
            if len(sys.argv) == 3:
                jobs.append(("no fault", pool.submit(bench.try_unmutated, [])))
                jobs.append(("no fault, each action twice",
                             pool.submit(bench.try_unmutated, ["--twice"])))
                jobs.append(("no fault, in wrappers", pool.submit(bench.try_wrapped)))
            for number, mutant in enumerate(MUTANTS):
                if len(sys.argv) > 3 and mutant.name not in sys.argv[3:]:
                    continue
                if not bench.is_installed(mutant):
                    print("ok      %s: the driver has no %s" % (mutant.name, mutant.action))
                    continue
                jobs.append((mutant.name, pool.submit(bench.try_mutant, number, mutant)))
            for name, job in jobs:
                reason = job.result()
                print("%-7s %s%s" % ("FAILED" if reason else "ok", name,
                                     ": " + reason if reason else ""))
                sys.stdout.flush()
                passed, failed = passed + (not reason), failed + bool(reason)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
