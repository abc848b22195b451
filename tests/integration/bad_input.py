#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What must be refused: each case runs the real program as oned would and expects an exit status
other than 0, exactly one clear sentence in the form that this OpenNebula reads, nothing on stdout,
and not a byte changed on disk.

The whole list runs for one release of each of the three contracts for stderr. Mounts (a full disk, a
read-only one) happen in a mount namespace of this process.

usage: bad_input.py ONEVOL VERSION
"""
import os
import pathlib
import re
import socket
import subprocess
import sys
import time

from played_site import Site, Tap, encoded

MIB = 1 << 20
SEVERITY = re.compile(r"^(ERROR|INFO|WARN|DEBUG):\s")
OPEN, CLOSE = "ERROR MESSAGE --8<------", "ERROR MESSAGE ------>8--"
HOSTILE = ["a b", "a'b", 'a"b', "a\nb", "$(touch pwned)", "`touch pwned`", "-rf", "a;b", "a|b", "..",
           "a\\b", "a*", "é"]


def contract(version):
    numbers = tuple(int(n) for n in version.split("."))
    return "markers" if numbers < (6, 0, 3) else "whole" if numbers < (7, 0, 0) else "lines"


class BadInput:
    def __init__(self, onevol, version):
        self.tap, self.version = Tap(), version
        self.site = Site(onevol, version, "reflink", "rec")
        self.form = contract(version)
        site = self.site
        self.image_ds, self.system_ds = site.datastores / "103", site.datastores / "102"
        self.vm = self.system_ds / "7"
        self.good = site.sources / "good.img"
        self.good.write_bytes(os.urandom(MIB) + bytes(15 * MIB))
        site.oned.facts["one.datastore.info", 103] = self.datastore()
        site.oned.facts["one.datastore.info", 102] = self.datastore(number=102, kind=1)
        site.oned.facts["one.vm.info", 7] = self.vm_document()
        done = self.send("cp", f"<ID>5</ID><TYPE>0</TYPE><PATH>{self.good}</PATH><SIZE>16</SIZE>")
        if done.returncode:
            raise SystemExit(f"Bail out! the good import fails: {done.stderr}")
        self.image = done.stdout.split()[0]
        done = site.run("tm", "clone", f"frontend:{self.image}", f"node1:{self.vm}/disk.0", 7, 103)
        if done.returncode:
            raise SystemExit(f"Bail out! the good clone fails: {done.stderr}")
        (self.image_ds / "link-out").symlink_to("/etc/passwd")
        (site.sources / "link-out.img").symlink_to(site.var / "config")

    # documents

    def datastore(self, template="", number=103, kind=0):
        return (f"<DATASTORE><ID>{number}</ID><NAME>d</NAME><TYPE>{kind}</TYPE><DS_MAD>rec</DS_MAD>"
                f"<TM_MAD>rec</TM_MAD><BASE_PATH>{self.site.datastores}/{number}</BASE_PATH>"
                f"<TEMPLATE>{template}</TEMPLATE></DATASTORE>")

    @staticmethod
    def vm_document(size=16, original=16, disk=0):
        return (f"<VM><ID>7</ID><STATE>3</STATE><LCM_STATE>2</LCM_STATE><TEMPLATE><DISK>"
                f"<DISK_ID>{disk}</DISK_ID><IMAGE_ID>5</IMAGE_ID><DATASTORE_ID>103</DATASTORE_ID>"
                f"<CLONE>YES</CLONE><SAVE>NO</SAVE><FORMAT>raw</FORMAT><SIZE>{size}</SIZE>"
                f"<ORIGINAL_SIZE>{original}</ORIGINAL_SIZE></DISK></TEMPLATE></VM>")

    def message(self, image, template="", datastore=None):
        return ("<DS_DRIVER_ACTION_DATA>" + (f"<IMAGE>{image}</IMAGE>" if image is not None else "") +
                (self.datastore(template) if datastore is None else datastore) +
                "</DS_DRIVER_ACTION_DATA>")

    def send(self, action, image, template="", datastore=None):
        """In the form of the release: 5.x and 6.x before 6.8 have the message in argv."""
        text = encoded(self.message(image, template, datastore))
        if self.form == "markers":
            return self.site.run("datastore", action, text.decode(), 7)
        return self.site.run("datastore", action, 7, stdin=text)

    def image_of(self, path, more=""):
        return (f"<ID>7</ID><TYPE>0</TYPE><PATH><![CDATA[{path}]]></PATH><SIZE>16</SIZE><FORMAT/>"
                f"<TEMPLATE>{more}</TEMPLATE>")

    # judging

    def sentence(self, stderr):
        """The one text for the user; raises ValueError if there is not exactly one."""
        lines = stderr.splitlines()
        if self.form == "markers":
            if lines.count(OPEN) != 1 or lines.count(CLOSE) != 1:
                raise ValueError("no marker block, or more than one")
            inside = lines[lines.index(OPEN) + 1:lines.index(CLOSE)]
            outside = lines[:lines.index(OPEN)] + lines[lines.index(CLOSE) + 1:]
            if any(not SEVERITY.match(line) for line in outside):
                raise ValueError("lines without severity outside of the markers")
        elif self.form == "whole":
            inside = lines
        else:
            inside = [line for line in lines if not SEVERITY.match(line)]
        if len(inside) != 1:
            raise ValueError(f"{len(inside)} sentences")
        return inside[0]

    def judge(self, done, before, words, by_hand=False):
        said = f"exit {done.returncode}, stdout {done.stdout[:300]!r}, stderr {done.stderr[:600]!r}"
        if not 1 <= done.returncode <= 13:
            return said
        try:
            form, self.form = self.form, "lines" if by_hand else self.form
            text = self.sentence(done.stderr)
        except ValueError as error:
            return f"{error}: {said}"
        finally:
            self.form = form
        if len(text) < 10 or text.startswith("-") or SEVERITY.match(text):
            return f"not a sentence: {said}"
        if words not in text:
            return f"{words!r} is not in it: {said}"
        if done.stdout:
            return f"something on stdout: {said}"
        if "secret-of-the-test" in done.stderr:
            return f"tells a secret: {said}"
        return self.changes(before)

    def changes(self, before):
        after = self.site.tree()
        changed = [f"{path}: {before.get(path)} -> {after.get(path)}"
                   for path in sorted(before.keys() | after.keys())
                   if before.get(path) != after.get(path)]
        return "\n".join(["changed on disk:", *changed]) if changed else None

    def refused(self, name, call, words="", by_hand=False):
        before = self.site.tree()
        try:
            problem = self.judge(call(), before, words, by_hand)
        except subprocess.TimeoutExpired:
            problem = "no end within the time limit"
        self.tap.case(f"{self.version}: {name}", problem)

    def refused_message(self, name, image, words="", template="", action="cp", datastore=None):
        self.refused(name, lambda: self.send(action, image, template, datastore), words)

    def refused_tm(self, name, action, *arguments, words="", **environment):
        self.refused(name, lambda: self.site.run("tm", action, *arguments, **environment), words)

    # the list

    def messages(self):
        good = encoded(self.message(self.image_of(self.good)))
        rows = {
            "a missing message": b"",
            "a blank message": b" \n\n",
            "a message that is not base64": b"<<<not base64>>>"[3:],
            "base64 with foreign characters": good[:40] + b"!" + good[40:],
            "cut base64": good[:-3],
            "base64 of a cut document": encoded(self.message(self.image_of(self.good))[:-40]),
            "base64 of no XML": encoded("just some text"),
            "base64 of nothing": encoded("<>"),
            "an XML document without end": b"<DS_DRIVER_ACTION_DATA><IMAGE>",
            "a document type": encoded("<!DOCTYPE a><a/>"),
            "an entity for a file": encoded('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
                                            "<a>&x;</a>"),
            "entities that grow": encoded('<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
                                          "<a>&b;</a>"),
            "100 MB of base64": b"QUFB" * (25 * MIB),
            "100 MB of XML": b"<a>" + b"x" * (100 * MIB),
            "a message without a datastore": encoded("<DS_DRIVER_ACTION_DATA/>"),
            "a message without an image": encoded(self.message(None)),
            "an image without a path": encoded(self.message("<ID>7</ID><PATH/>")),
            "a datastore without BASE_PATH": encoded(
                self.message(self.image_of(self.good), datastore="<DATASTORE><ID>1</ID></DATASTORE>")),
            "a relative BASE_PATH": encoded(self.message(
                self.image_of(self.good),
                datastore="<DATASTORE><ID>1</ID><BASE_PATH>x</BASE_PATH></DATASTORE>")),
        }
        for name, text in rows.items():
            self.refused(f"cp of {name}",
                         lambda text=text: self.site.run("datastore", "cp", 7, stdin=text))
        self.refused("a message in argv that is not base64",
                     lambda: self.site.run("datastore", "cp", "no base64", 7))
        self.refused("monitor without a message", lambda: self.site.run("tm", "monitor", 102))

    def names_and_counts(self):
        site = self.site
        line = (site.remotes / "tm/rec/clone").read_text()
        plain = line.split()[0] + "\n"
        for plane, driver, action, text in (("tm", "nosuch", "clone", plain),
                                            ("datastore", "nosuch", "cp", plain),
                                            ("tm", "rec", "nosuch", line),
                                            ("datastore", "rec", "nosuch", line)):
            path = site.remotes / plane / driver / action
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)
            self.refused(f"{plane}/{driver}/{action}", lambda path=path: self.start([path, "1", "2"]),
                         "nosuch")
            path.unlink()
        for plane in ("tm", "datastore"):
            for path in sorted((site.remotes / plane / "rec").iterdir()):
                self.refused(f"{plane} {path.name} without arguments",
                             lambda path=path: self.start([path]), path.name)
                if plane == "datastore" or path.name in ("clone", "ln", "mv", "delete", "mkswap"):
                    self.refused(f"{plane} {path.name} with ten arguments",
                                 lambda path=path: self.start([path, *"0123456789"]), path.name)
        for number in ("", "x", "-7", "7 ", "7\n", "0x7", "99999999999999999999"):
            self.refused_tm(f"a VM id {number!r}", "clone", f"frontend:{self.image}",
                            f"node1:{self.vm}/disk.0", number, 103)
            self.refused_tm(f"a datastore id {number!r}", "clone", f"frontend:{self.image}",
                            f"node1:{self.vm}/disk.0", 7, number)
        for words in (["nosuch"], [], ["tm"], ["tm", "reflink"], ["tm", "nosuch", "clone"],
                      ["datastore", "reflink", "nosuch"], ["--nosuch"], ["setup"],
                      ["setup", "--driver", "nosuch"], ["setup", "--driver", "reflink", "--as", "a b"],
                      ["setup", "--driver", "reflink", "--remotes", "/nowhere"]):
            self.refused(f"onevol {' '.join(words)}",
                         lambda words=words: self.start([site.onevol, *words]), by_hand=True)

    def start(self, words):
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              env=self.site.environment, cwd=self.site.var, timeout=60)
        done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode(errors="replace")
        return done

    def paths(self):
        source, disk = f"frontend:{self.image}", f"node1:{self.vm}/disk.0"
        stores = self.site.datastores
        for place in (f"{self.vm}/../../../victim/disk.0", f"{stores}/102/disk.0", f"{stores}/disk.0",
                      "/disk.0", "disk.0", f"{self.vm}/../8/disk.0", f"{self.vm}/sub/disk.0",
                      f"{self.vm}/disk.0/../../../../one_auth", f"{stores}/103/7/../../x/7/disk.0",
                      f"{stores}/102x/7/disk.0", f"{self.vm}/disk.0.snap", f"{self.vm}/vm.xml",
                      f"{stores}/-1/7/disk.0", f"{self.vm}/disk.0\n", f"{self.vm}/"):
            for action in ("clone", "ln"):
                self.refused_tm(f"{action} to {place!r}", action, source, f"node1:{place}", 7, 103)
            self.refused_tm(f"mkimage to {place!r}", "mkimage", 16, "raw", f"node1:{place}", 7, 102)
        for place in (stores, f"{stores}/102", f"{stores}/103", f"{self.vm}/..", "/", "//", "/etc",
                      f"{self.vm}/../8", f"{self.vm}/sub/dir", f"{stores}/102/8", "", "x",
                      f"{stores}/../remotes", f"{stores}/102/7/../../../remotes"):
            self.refused_tm(f"delete of {str(place)!r}", "delete", f"node1:{place}", 7, 102)
            self.refused_tm(f"mv to {str(place)!r}", "mv", f"node1:{self.vm}", f"node1:{place}", 7, 102)
        (self.system_ds / "9").symlink_to(self.site.sources)
        self.refused_tm("mkswap through a link", "mkswap", 1, f"node1:{self.system_ds}/9/disk.0", 9, 102)
        (self.system_ds / "9").unlink()
        for host in ("", "-x", "a b", "$(touch pwned)", "a'b", "a\nb", "no-such-host.invalid"):
            self.refused_tm(f"host {host!r}", "clone", source, f"{host}:{self.vm}/disk.0", 7, 103)

    def image_sources(self):
        disk, store = f"node1:{self.vm}/disk.0", self.image_ds
        places = ["/etc/passwd", f"{store}/../102/7/disk.0", f"{store}/sub/image", f"{store}",
                  f"{store}/", f"{store}/..", "image", "", f"{store}/link-out", f"{store}/missing",
                  f"{store}x/image", str(self.good)]
        for place in places + [f"{store}/{name}" for name in HOSTILE]:
            self.refused_tm(f"clone of {place!r}", "clone", f"frontend:{place}", disk, 7, 103)
            self.refused_tm(f"ln of {place!r}", "ln", f"frontend:{place}", disk, 7, 103)
        for place in places[:9] + places[10:] + [f"{store}/{name}" for name in HOSTILE]:
            self.refused_message(f"rm of {place!r}", f"<ID>5</ID><SOURCE><![CDATA[{place}]]></SOURCE>",
                                 action="rm")
            self.refused_message(f"datastore clone of {place!r}", self.image_of(place), action="clone")

    def imports(self):
        site = self.site
        pipe = site.sources / "pipe"
        os.mkfifo(pipe)
        for place in ("/nowhere/x.img", site.sources, pipe, "/dev/zero", "relative.img",
                      f"{site.sources}/../nowhere/x", "file:///etc/passwd", "ftp://x.invalid/a",
                      "gopher://127.0.0.1:9/x", "scp://x/y", *HOSTILE,
                      *[site.sources / name for name in HOSTILE if name != ".."]):
            for action in ("cp", "stat"):
                self.refused_message(f"{action} of {str(place)!r}", self.image_of(place), action=action)
        pipe.unlink()
        outside = f"<RESTRICTED_DIRS>/</RESTRICTED_DIRS><SAFE_DIRS>{site.sources}/safe</SAFE_DIRS>"
        (site.sources / "safe").mkdir()
        (site.sources / "safe" / "link.img").symlink_to(self.good)
        (site.sources / "safer.img").write_bytes(bytes(MIB))
        for action in ("cp", "stat"):
            for path in (self.good, site.sources / "safe" / ".." / "good.img",
                         site.sources / "safe" / "link.img", site.sources / "safer.img"):
                self.refused_message(f"{action} outside SAFE_DIRS: {path.name}", self.image_of(path),
                                     "SAFE_DIRS", outside, action)
            for path in (site.var / "config", site.sources / "link-out.img", site.var / "one_auth"):
                self.refused_message(f"{action} of OpenNebula's own {path.name}", self.image_of(path),
                                     action=action)
        for name, sum_ in (("MD5", "0" * 32), ("SHA1", "0" * 40), ("MD5", "x"), ("SHA1", "$(id)")):
            self.refused_message(f"a wrong {name} {sum_[:5]}",
                                 self.image_of(self.good, f"<{name}>{sum_}</{name}>"), name)
        self.formats()

    def formats(self):
        sources = self.site.sources
        tool = ["qemu-img", "create", "-q", "-f", "qcow2"]
        subprocess.run([*tool, "-F", "raw", "-b", "/etc/passwd", sources / "backing.qcow2", "1M"],
                       check=True)
        subprocess.run([*tool, "-o", f"data_file={sources}/data.raw", sources / "data.qcow2", "1M"],
                       check=True)
        whole = sources / "whole.qcow2"
        subprocess.run([*tool, whole, "1M"], check=True)
        header = whole.read_bytes()
        (sources / "cut.qcow2").write_bytes(header[:60])
        (sources / "sealed.qcow2").write_bytes(header[:32] + b"\0\0\0\2" + header[36:])
        (sources / "packed.gz").write_bytes(b"\x1f\x8b\x08" + bytes(100))
        (sources / "other.vmdk").write_bytes(b"KDMV" + bytes(600))
        for name, words in (("backing.qcow2", "backing file"), ("data.qcow2", "data file"),
                            ("sealed.qcow2", "encrypted"), ("cut.qcow2", "cut"), ("packed.gz", "gzip"),
                            ("other.vmdk", "vmdk")):
            for action in ("cp", "stat"):
                self.refused_message(f"{action} of {name}", self.image_of(sources / name), words,
                                     action=action)

    def sizes(self):
        disk = f"node1:{self.vm}/disk.1"
        for size in ("0", "-1", "x", "", "1.5", "9999999999999999", "9223372036854775807"):
            self.refused_tm(f"mkimage of size {size!r}", "mkimage", size, "raw", disk, 7, 102)
            self.refused_tm(f"mkswap of size {size!r}", "mkswap", size, disk, 7, 102)
        for fs in ("nosuchfs", "ext4;id", "-rf", "../ext4", "", "ext4 -F", "swap2", "minix"):
            self.refused_tm(f"mkimage with {fs!r}", "mkimage", 16, fs, disk, 7, 102)
        for fs in ("nosuchfs", "ext4;id", "-rf", "../ext4", "ext4 -F"):
            self.refused_message(f"mkfs with FS {fs!r}", "<ID>9</ID><TYPE>2</TYPE><SIZE>16</SIZE>"
                                 f"<FORMAT>raw</FORMAT><FS>{fs}</FS>", action="mkfs")
        self.refused_message("mkfs of size 0", "<ID>9</ID><TYPE>2</TYPE><SIZE>0</SIZE>"
                             "<FORMAT>raw</FORMAT>", action="mkfs")
        self.refused_message("DRIVER that is no format", self.image_of(self.good), "DRIVER",
                             "<DRIVER>vmdk</DRIVER>")
        self.facts("a shrink", self.vm_document(8, 16), "shrink")
        if self.site.has("tm", "resize"):
            self.refused_tm("resize to less", "resize", f"node1:{self.vm}/disk.0", 8, 7, 103)
        self.refused_tm("context with a missing file", "context", "/nowhere/x", disk, 7, 102)
        self.refused_tm("context with a path as a name", "context", f"{self.good}:../x", disk, 7, 102)

    # what oned answers

    def facts(self, name, document, words=""):
        facts, key = self.site.oned.facts, ("one.vm.info", 7)
        before = facts.pop(key)
        if document is not None:
            facts[key] = document
        self.clone(name, words)
        facts[key] = before

    def clone(self, name, words="", **environment):
        self.refused_tm(f"clone with {name}", "clone", f"frontend:{self.image}",
                        f"node1:{self.vm}/disk.0", 7, 103, words=words, **environment)

    def answers(self):
        oned = self.site.oned
        self.facts("a missing VM", None, "Error getting virtual machine [7]")
        self.facts("a VM without that disk", self.vm_document(disk=3), "no disk 0")
        self.facts("a VM document that is cut", "<VM><ID>7</ID>")
        self.facts("a VM document with entities", "<!DOCTYPE a><VM/>")
        self.facts("an empty VM document", "")
        moods = {
            "HTTP 500": lambda h: h.send_text("no", 500),
            "a web page": lambda h: h.send_text("<html><body>login</body></html>"),
            "garbage": lambda h: h.send_text("\x01\x02"),
            "an empty answer": lambda h: h.send_text(""),
            "an answer of 40 MB": lambda h: h.send_text("<a>" + "x" * (40 * MIB)),
            "a hang-up": lambda h: h.connection.shutdown(socket.SHUT_RDWR),
            "bad credentials": lambda h: h.answer(False, "User couldn't be authenticated", 0x100),
            "an internal error": lambda h: h.answer(False, "internal\nerror - of two lines", 0x2000),
            "a locked VM": lambda h: h.answer(False, "locked", 0x8000),
            "a fault": lambda h: h.send_text("<methodResponse><fault><value>no</value></fault>"
                                             "</methodResponse>"),
            "a redirect": lambda h: h.send_text("", 302),
        }
        for name, mood in moods.items():
            oned.mood = mood
            self.clone(name)
        oned.mood = lambda h: time.sleep(3)
        self.clone("an oned that is silent", ONE_XMLRPC_TIMEOUT="1")
        oned.mood = None
        self.clone("an oned that is not there", ONE_XMLRPC="http://127.0.0.1:1/RPC2")
        self.clone("an endpoint that is no URL", ONE_XMLRPC="nonsense://x y")
        self.clone("an endpoint that is a file", ONE_XMLRPC="file:///etc/passwd")
        self.clone("no credentials", "credentials", ONE_AUTH="/nowhere/one_auth")

    # storage that cannot

    def storage_calls(self):
        yield "cp", lambda: self.send("cp", self.image_of(self.good))
        yield "mkfs", lambda: self.send("mkfs", "<ID>9</ID><TYPE>2</TYPE><SIZE>64</SIZE>"
                                        "<FORMAT>raw</FORMAT><FS>ext4</FS>")
        yield "datastore clone", lambda: self.send("clone", self.image_of(self.image))
        yield "clone", lambda: self.site.run("tm", "clone", f"frontend:{self.image}",
                                             f"node1:{self.vm}/disk.0", 7, 103)
        yield "mkimage", lambda: self.site.run("tm", "mkimage", 64, "ext4", f"node1:{self.vm}/disk.1",
                                               7, 102)

    def on_mount(self, name, options, words, more=()):
        """The datastores as they are, copied to a mount of their own."""
        site = self.site
        place = str(site.datastores)
        for command in (["mount", "--bind", place, place], *options):
            if subprocess.run([c.format(place) for c in command], check=False).returncode:
                raise SystemExit(f"Bail out! {command} failed")
        for what, call in (*self.storage_calls(), *more):
            self.refused(f"{what} on {name}", call, words)
        while subprocess.run(["umount", place], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            pass

    def storage(self):
        (self.vm / "disk.0").unlink(missing_ok=True)  # a stale disk may go before its clone fails
        if not os.environ.get("MOUNTS_WORK"):
            self.tap.case(f"{self.version}: a full and a read-only disk", skip="mounts do not work here")
            return
        removals = [
            ("rm", lambda: self.send("rm", f"<ID>5</ID><SOURCE>{self.image}</SOURCE>")),
            ("delete", lambda: self.site.run("tm", "delete", f"node1:{self.vm}", 7, 102)),
        ]
        self.on_mount("a read-only file system", [["mount", "-o", "remount,bind,ro", "{0}"]],
                      "Read-only file system", removals)
        keep = self.site.root / "keep"
        keep.mkdir()
        subprocess.run(["cp", "-a", "--sparse=always", f"{self.site.datastores}/.", keep], check=True)
        fill = f"cp -a --sparse=always {keep}/. {{0}}/ && dd if=/dev/zero of={{0}}/fill bs=64k 2>&- ; true"
        self.on_mount("a full disk", [["mount", "-t", "tmpfs", "-o", "size=4m", "none", "{0}"],
                                      ["sh", "-c", fill]], "No space left")

    def run(self):
        try:
            for part in (self.messages, self.names_and_counts, self.paths, self.image_sources,
                         self.imports, self.sizes, self.answers, self.storage):
                part()
            pwned = [str(p) for p in self.site.root.rglob("pwned")]
            self.tap.case(f"{self.version}: no name was ever run", "\n".join(pwned) or None)
        finally:
            self.site.close()
        return self.tap.finish()


def with_mounts():
    """Runs this script again in a mount namespace, with user namespaces where we are not root."""
    if os.environ.get("MOUNTS_WORK") is not None:
        return
    how = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-r", "-m"]
    works = subprocess.run([*how, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True,
                           check=False).returncode == 0
    os.environ["MOUNTS_WORK"] = "yes" if works else ""
    if works:
        os.execvp(how[0], [*how, sys.executable, *sys.argv])


if __name__ == "__main__":
    with_mounts()
    sys.exit(BadInput(sys.argv[1], sys.argv[2]).run())
