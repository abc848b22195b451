#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every kind of image source, and what goes wrong with them.

The real program imports from a real HTTP(S) server that behaves badly when asked to, from a real
sshd, from a server that verifies S3 signatures, and from volumes. Each import is compared byte by
byte; after each failure nothing may be left. Everything runs with the image on the front-end and
again with it on a bridge that is reached through ssh.

usage: sources.py ONEVOL
"""
import base64
import bz2
import getpass
import gzip
import hashlib
import hmac
import http.server
import io
import lzma
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
import zlib

from played_site import Site, Tap, encoded

MIB = 1 << 20
SIZE = 6 * MIB + 512


def noise(length, seed=1):
    return hashlib.shake_128(str(seed).encode()).digest(length)


RAW = noise(2 * MIB) + bytes(3 * MIB) + noise(MIB, 2) + b"end" * 170 + b"##"
assert len(RAW) == SIZE
TEXT = b"".join(b"line %d of some text that packs well\n" % i for i in range(200000))[:SIZE]


def tool(*words, data=None):
    return subprocess.run(words, input=data, capture_output=True, check=True).stdout


# A web server ------------------------------------------------------------------------------------


def remove(path):
    if path.is_dir():  # who was killed may still be taking its own away
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


class Web:
    """`pages` is path → bytes; `moods` path → function(handler, body) that answers instead."""

    def __init__(self, certificate=None, host="127.0.0.1"):
        self.pages, self.moods, self.sent, self.log, self.tags = {}, {}, {}, [], {}
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                path = self.path
                if path.startswith("http://"):  # we are a proxy
                    web.log.append(("proxied", path))
                    path = "/" + path.split("/", 3)[3]
                web.log.append((path, dict(self.headers)))
                name = path.split("?")[0]
                body = web.pages.get(name)
                if path in web.moods or name in web.moods:
                    (web.moods.get(path) or web.moods[name])(self, body)
                elif body is None:
                    self.plain(404, b"no such page")
                else:
                    self.page(body)

            def plain(self, status, body=b"", **headers):
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.put(body)

            def put(self, body):
                name = self.path.split("?")[0]
                web.sent[name] = web.sent.get(name, 0) + len(body)
                self.wfile.write(body)

            def page(self, body, cut=None, ranges=True, tag=True, length=True):
                """All of it, or the range that was asked for; only `cut` bytes of it are sent."""
                start, end, status = 0, len(body), 200
                asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
                name = web.tags.get(self.path, hashlib.md5(body).hexdigest())
                same = self.headers.get("If-Range", f'"{name}"') == f'"{name}"'
                if asked and ranges and same:
                    start = int(asked[1])
                    end = min(int(asked[2]) + 1 if asked[2] else end, end)
                    status = 206
                self.send_response(status)
                if length:
                    self.send_header("Content-Length", str(end - start))
                else:
                    self.close_connection = True
                if status == 206:
                    self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(body)}")
                if tag:
                    self.send_header("ETag", f'"{name}"')
                self.end_headers()
                data = body[start:end]
                if cut is not None and cut < len(data):
                    self.put(data[:cut])
                    self.wfile.flush()
                    self.hang_up()
                else:
                    self.put(data)

            def hang_up(self):
                self.close_connection = True
                try:
                    self.connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self.server = Server((host, 0), Handler)
        self.port = self.server.server_address[1]
        scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            scheme = "https"
        self.address = f"{scheme}://{host}:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, name, body=None, mood=None):
        if body is not None:
            self.pages["/" + name] = body
        self.moods.pop("/" + name, None)
        if mood:
            self.moods["/" + name] = mood
        self.sent["/" + name] = 0
        return f"{self.address}/{name}"


def sometimes_cut(count, at, **how):
    """Drops the connection after `at` bytes, the first `count` times."""
    left = [count]

    def mood(handler, body):
        left[0] -= 1
        handler.page(body, cut=at if left[0] >= 0 else None, **how)

    return mood


# What S3 would say of a request (AWS Signature Version 4) ----------------------------------------


def s3_mood(key, secret, region):
    def mood(handler, body):
        given = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, ?"
                             r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})",
                             handler.headers.get("Authorization", ""))
        if not given or given[1] != key or given[3] != region:
            return handler.plain(403, b"who are you")
        names = given[4].split(";")
        if "host" not in names or "x-amz-date" not in names:
            return handler.plain(403, b"these must be signed")
        canonical = "\n".join(["GET", handler.path.split("?")[0], ""] + [
            f"{name}:{' '.join(handler.headers[name].split())}" for name in names] + [
                "", given[4],
                handler.headers.get("x-amz-content-sha256", hashlib.sha256(b"").hexdigest())])
        scope = f"{given[2]}/{region}/s3/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", handler.headers["x-amz-date"], scope,
                          hashlib.sha256(canonical.encode()).hexdigest()])
        sign = b"AWS4" + secret.encode()
        for part in (given[2], region, "s3", "aws4_request"):
            sign = hmac.new(sign, part.encode(), hashlib.sha256).digest()
        if hmac.new(sign, text.encode(), hashlib.sha256).hexdigest() != given[5]:
            return handler.plain(403, b"SignatureDoesNotMatch")
        return handler.page(body)

    return mood


# A real sshd on a port of this machine -----------------------------------------------------------


class Sshd:
    def __init__(self, site):
        self.base = site.root / "sshd"
        self.base.mkdir()
        self.process = None
        sshd = shutil.which("sshd", path="/usr/sbin:/sbin:/usr/bin")
        if not sshd or not shutil.which("ssh"):
            self.why = "needs ssh and sshd"
            return
        for name in ("key", "hostkey"):
            tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.base / name))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (self.base / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.base}/hostkey\n"
            f"AuthorizedKeysFile {self.base}/key.pub\nStrictModes no\nUsePAM no\nPidFile none\n"
            "PermitRootLogin yes\nUseDNS no\nMaxStartups 100\n")
        (self.base / "ssh_config").write_text(
            f"Host *\n  HostName 127.0.0.1\n  Port {self.port}\n  User {getpass.getuser()}\n"
            f"  IdentityFile {self.base}/key\n  IdentitiesOnly yes\n  StrictHostKeyChecking no\n"
            "  UserKnownHostsFile /dev/null\n  LogLevel ERROR\n  KexAlgorithms curve25519-sha256\n")
        wrapper = site.bin / "ssh"
        wrapper.write_text(f'#!/bin/sh\necho "$*" >>{self.base}/calls\n'
                           f'exec {shutil.which("ssh")} -F {self.base}/ssh_config "$@"\n')
        wrapper.chmod(0o755)
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        self.process = subprocess.Popen([sshd, "-D", "-e", "-f", self.base / "sshd_config"],
                                        stderr=open(self.base / "log", "w"))
        self.why = "no login at an sshd here"
        for _ in range(50):
            done = subprocess.run([wrapper, "there", "true"], capture_output=True, check=False)
            if done.returncode == 0:
                self.why = None
                break
            time.sleep(0.1)

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()


# Images ------------------------------------------------------------------------------------------


def tar_of(members, kind="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=kind, format=tarfile.PAX_FORMAT) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            if isinstance(data, bytes):
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
            elif data is None:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            else:
                info.type, info.linkname = data
                tar.addfile(info)
    return out.getvalue()


def zip_of(members, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return out.getvalue()


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1:]


class Sources:
    def __init__(self, onevol):
        self.tap, self.site = Tap(), Site(onevol, base=os.environ.get("TEST_DIRECTORY"))
        self.number, self.bridge = 100, None
        site = self.site
        self.images = site.datastores / "103"
        self.raw = self.file("raw.img", RAW)
        site.environment["no_proxy"] = "*"
        with open(site.remotes / "etc/onevol/onevol.conf", "a") as conf:
            conf.write("SOURCE_TIMEOUT=2\n")
        self.make_certificates()
        self.web = Web()
        self.sshd = Sshd(site)
        self.formats = {}
        site.oned.facts["one.hostpool.info", -1] = "<HOST_POOL/>"

    def close(self):
        self.sshd.close()
        self.site.close()

    def file(self, name, data):
        path = self.site.sources / name
        path.write_bytes(data)
        return path

    def converted(self, form, data=RAW, options=()):
        path = self.site.sources / f"made.{form}"
        raw = self.file("made.raw", data)
        tool("qemu-img", "convert", "-f", "raw", "-O", form, *options, raw, path)
        return path.read_bytes()

    def make_certificates(self):
        base = self.site.root
        for name, alternative in (("good", "IP:127.0.0.1"), ("other", "DNS:elsewhere.example")):
            tool("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                 "-nodes", "-days", "2", "-subj", "/CN=test", "-addext", f"subjectAltName={alternative}",
                 "-keyout", base / f"{name}.key", "-out", base / f"{name}.pem")

    # playing

    def datastore(self, template="", kind=0, number=103, driver="reflink"):
        bridge = f"<BRIDGE_LIST>{self.bridge}</BRIDGE_LIST>" if self.bridge else ""
        return (f"<DATASTORE><ID>{number}</ID><NAME>d</NAME><TYPE>{kind}</TYPE><DS_MAD>{driver}</DS_MAD>"
                f"<TM_MAD>{driver}</TM_MAD><BASE_PATH>{self.site.datastores}/{number}</BASE_PATH>"
                f"<TEMPLATE><SAFE_DIRS>{self.site.sources}</SAFE_DIRS><RESTRICTED_DIRS>/</RESTRICTED_DIRS>"
                f"{bridge}{template}</TEMPLATE></DATASTORE>")

    def message(self, path, size, image="", template="", kind=0, more="", user=0, image_type=0):
        self.number += 1
        sized = f"<SIZE>{size}</SIZE>" if size is not None else ""
        return encoded(
            f"<DS_DRIVER_ACTION_DATA><IMAGE><ID>{self.number}</ID><UID>{user}</UID><GID>0</GID>"
            f"<TYPE>{image_type}</TYPE><PATH><![CDATA[{path}]]></PATH>{sized}<FORMAT/>"
            f"<TEMPLATE>{image}</TEMPLATE></IMAGE>{self.datastore(template, kind)}{more}"
            "</DS_DRIVER_ACTION_DATA>")

    def cp(self, path, size=7, environment=(), **how):
        return self.site.run("datastore", "cp", 1, stdin=self.message(path, size, **how),
                             **dict(environment))

    def stat(self, path, environment=(), **how):
        return self.site.run("datastore", "stat", 1, stdin=self.message(path, None, **how),
                             **dict(environment))

    @staticmethod
    def said(done):
        return f"exit {done.returncode}: {done.stdout[-300:]} {done.stderr[-900:]}"

    def left(self):
        found = sorted(p.name for p in self.images.iterdir())
        return f"left: {found}" if found else None

    def content(self, path, form):
        if form == "raw":
            return pathlib.Path(path).read_bytes()
        out = self.site.root / "out.raw"
        tool("qemu-img", "convert", "-f", form, "-O", "raw", path, out)
        return out.read_bytes()

    def imports(self, name, path, want=RAW, form="raw", padded=False, **how):
        """One import that must give `want`, and its image's removal. A padded image may have zeros
        behind, up to a whole MiB."""
        if self.bridge:
            name += ", to a bridge"
        done = self.cp(path, **how)
        problem = None
        words = done.stdout.split()
        if done.returncode or len(words) != 2:
            problem = self.said(done)
        elif words[1] != form:
            problem = f"{words[1]} instead of {form}"
        else:
            have = self.content(words[0], form)
            if padded and have[len(want):].strip(b"\0") == b"":
                have = have[:len(want)]
            if have != want:
                problem = f"{len(have)} bytes differ from {len(want)}"
            os.unlink(words[0])
        self.tap.case(name, problem or self.left())
        self.clean()
        return done

    def refuses(self, name, path, code=None, words="", **how):
        if self.bridge:
            name += ", to a bridge"
        done = self.cp(path, **how)
        problem = None
        if done.returncode == 0 or done.stdout or (code and done.returncode != code):
            problem = f"not refused as it should ({code}): {self.said(done)}"
        elif words not in done.stderr:
            problem = f"no '{words}' in {done.stderr}"
        self.tap.case(name, problem or self.left())
        self.clean()
        return done

    def clean(self):
        for path in self.images.iterdir():
            remove(path)

    def stats(self, name, path, want, most=None, **how):
        self.web.sent.clear()
        done = self.stat(path, **how)
        problem = None
        if done.returncode or done.stdout.strip() != str(want):
            problem = f"not {want}: {self.said(done)}"
        sent = sum(self.web.sent.values())
        if most is not None and sent > most:
            problem = f"{sent} bytes were sent for it"
        self.tap.case(name, problem)

    # cases

    def local(self):
        self.imports("a local file", self.raw)
        for name, algorithm in (("MD5", "md5"), ("SHA1", "sha1"), ("SHA256", "sha256")):
            good = hashlib.new(algorithm, RAW).hexdigest()
            self.imports(f"a local file with its {name}", self.raw,
                         image=f"<{name}>{good.upper()}</{name}>")
            bad = ("0" if good[0] != "0" else "1") + good[1:]
            self.refuses(f"a local file with another {name}", self.raw, 10, name,
                         image=f"<{name}>{bad}</{name}>")
        self.refuses("a sum that is none", self.raw, 2, "no MD5", image="<MD5>abc</MD5>")
        self.refuses("a local file bigger than its SIZE", self.raw, 7, "MiB", size=6)

    def packed(self):
        web, forms = self.web, {
            "gz": gzip.compress(RAW, 1), "bz2": bz2.compress(RAW, 1), "xz": lzma.compress(RAW, preset=1),
            "zst": tool("zstd", "-qc1", self.raw), "lz4": tool("lz4", "-qc", data=RAW),
            "zip": zip_of([("a/disk.img", RAW)]), "stored.zip": zip_of([("d", RAW)], zipfile.ZIP_STORED),
            "tar": tar_of([("a", None), ("a/disk.img", RAW)]),
            "tar.gz": tar_of([("disk.img", RAW)], "w:gz"), "tar.xz": tar_of([("disk.img", RAW)], "w:xz"),
            "gz.gz": gzip.compress(gzip.compress(RAW, 1), 1),
            "two members.gz": gzip.compress(RAW[:MIB]) + gzip.compress(RAW[MIB:]),
            "padded.gz": gzip.compress(RAW, 1) + bytes(5000),
            "two streams.xz": lzma.compress(RAW[:MIB]) + lzma.compress(RAW[MIB:]),
            "two streams.bz2": bz2.compress(RAW[:MIB]) + bz2.compress(RAW[MIB:]),
            "two frames.zst": tool("zstd", "-qc", data=RAW[:MIB]) + tool("zstd", "-qc", data=RAW[MIB:]),
            "empty.gz": gzip.compress(b""),
        }
        self.forms = forms
        for name, data in forms.items():
            self.imports(f"{name} by http", web.url("x." + name.replace(" ", "-"), data),
                         b"" if name == "empty.gz" else RAW)
        for name in ("gz", "xz", "zst", "zip", "tar"):
            self.imports(f"{name} from a file", self.file("packed." + name, forms[name]))
            sums = hashlib.sha1(forms[name]).hexdigest()
            self.imports(f"{name} with the sum of what was packed",
                         self.file("packed." + name, forms[name]), image=f"<SHA1>{sums}</SHA1>")
            wrong = hashlib.sha1(RAW).hexdigest()
            self.refuses(f"{name} with the sum of what was not",
                         self.file("packed." + name, forms[name]), 10, image=f"<SHA1>{wrong}</SHA1>")
        self.imports("gz with NO_DECOMPRESS", web.url("as-is.gz", forms["gz"]), forms["gz"],
                     template="<NO_DECOMPRESS>YES</NO_DECOMPRESS>")
        self.imports("gz into a datastore of files", web.url("as-is.gz", forms["gz"]), forms["gz"],
                     kind=2, image_type=4)
        self.imports("gz into a datastore of files with NO_DECOMPRESS=no",
                     web.url("as-is.gz", forms["gz"]), kind=2, image_type=4,
                     template="<NO_DECOMPRESS>no</NO_DECOMPRESS>")

    def damaged(self):
        web, forms = self.web, self.forms
        for name in ("gz", "bz2", "xz", "zst", "lz4", "zip", "tar.gz"):
            data = forms[name]
            self.refuses(f"a cut {name}", web.url("cut", data[:len(data) * 2 // 3]), 10)
            if name != "zip":  # whose end holds but a list
                self.refuses(f"a {name} cut by 3 bytes", web.url("cut3", data[:-3]), 10)
            self.refuses(f"a damaged {name}", web.url("bad", flipped(data, len(data) // 2)), 10)
        self.refuses("a gz whose sum is wrong", web.url("sum.gz", flipped(forms["gz"], len(forms["gz"]) - 7)),
                     10, "gzip")
        self.refuses("a gz with something else behind", web.url("more.gz", forms["gz"] + b"more"), 10)
        self.refuses("a cut tar", web.url("cut.tar", forms["tar"][:2 * MIB]), 10)
        self.refuses("a gz in a gz in a gz", web.url("3.gz", gzip.compress(forms["gz.gz"])), 7, "twice")
        self.refuses("a tar.gz in a gz", web.url("t3.gz", gzip.compress(forms["tar.gz"])), 7, "twice")
        for kind, make in (("tar", tar_of), ("zip", zip_of)):
            self.refuses(f"a {kind} with two files", web.url(f"two.{kind}", make([("a", RAW), ("b", b"x")])),
                         7, "more than one")
        self.refuses("a tar with a directory only", web.url("none.tar", tar_of([("a", None)])), 10, "no file")
        for name, member in (("symlink", (tarfile.SYMTYPE, "/etc/passwd")),
                             ("hard link", (tarfile.LNKTYPE, "/etc/passwd")),
                             ("device", (tarfile.BLKTYPE, "")), ("pipe", (tarfile.FIFOTYPE, ""))):
            self.refuses(f"a tar with a {name}", web.url("link.tar", tar_of([("disk.img", member)])), 7,
                         "regular")
        self.refuses("a zip packed by lzma", web.url("lzma.zip", zip_of([("d", TEXT)], zipfile.ZIP_LZMA)),
                     6, "deflate")

    def bombs(self):
        web = self.web
        big = tool("sh", "-c", "head -c 1G /dev/zero | gzip -1")
        before = time.monotonic()
        self.refuses("a bomb of zeros in a gz", web.url("bomb.gz", big), 7, size=16)
        self.refuses("a bomb in a tar that tells its size", web.url("bomb.tar.gz", tool(
            "sh", "-c", f"cd {self.site.root} && truncate -s 1G z && tar c --hard-dereference z | gzip -1; rm -f z")),
            7, size=16)
        self.refuses("a bomb in a bomb", web.url("bomb.gz.gz", gzip.compress(big)), 7, size=16)
        took = time.monotonic() - before
        self.tap.case("bombs end soon", None if took < 20 else f"{took:.1f} s")
        for name, words in (("xz", ("xz", "-qc", "--lzma2=preset=0,dict=512MiB")),
                            ("zst", ("zstd", "-qc", "--ultra", "--long=29", "-1"))):
            data = tool("sh", "-c", "head -c 600M /dev/zero | " + " ".join(words)) if name == "zst" else \
                tool(*words, data=TEXT)
            self.refuses(f"a {name} with a window over the limit", web.url("window." + name, data), 7,
                         "MiB", size=700)

    def kinds_of_image(self):
        web = self.web
        for form in ("vmdk", "vdi", "vhdx", "vpc", "qcow2"):
            self.formats[form] = self.converted(form)
        self.formats["stream vmdk"] = self.converted("vmdk", options=("-o", "subformat=streamOptimized"))
        for form, data in self.formats.items():
            target = "qcow2" if form == "qcow2" else "raw"
            pad = form == "vpc"  # rounds up to its cylinders
            size = 8 if pad else 7
            self.imports(f"{form} by http", web.url("i", data), form=target, padded=pad, size=size)
            for driver in ("raw", "qcow2"):
                self.imports(f"{form} into DRIVER={driver}", web.url("i", data), form=driver, padded=pad,
                             size=size, template=f"<DRIVER>{driver}</DRIVER>")
            self.imports(f"{form} in a gz", web.url("i.gz", gzip.compress(data, 1)), form=target,
                         padded=pad, size=size)
            self.imports(f"{form} from a file, DRIVER=qcow2", self.file("i", data), form="qcow2",
                         padded=pad, size=size, template="<DRIVER>qcow2</DRIVER>")
        self.imports("raw into DRIVER=qcow2", web.url("i", RAW), form="qcow2",
                     template="<DRIVER>qcow2</DRIVER>")
        self.imports("qcow2 into DRIVER=raw, CONVERT=no", web.url("i", self.formats["qcow2"]),
                     form="qcow2", template="<DRIVER>raw</DRIVER><CONVERT>no</CONVERT>")
        self.refuses("vmdk with CONVERT=no", web.url("i", self.formats["vmdk"]), 6, "convert",
                     template="<CONVERT>no</CONVERT>")
        self.refuses("vmdk as a CD-ROM", web.url("i", self.formats["vmdk"]), 6, "CD-ROM", image_type=1)
        self.imports("vmdk in a datastore of files", web.url("i", self.formats["vmdk"]),
                     self.formats["vmdk"], kind=2, image_type=5)
        luks = b"LUKS\xba\xbe\0\1" + RAW[8:]
        self.imports("luks is raw", web.url("luks", luks), luks)

    def hostile(self):
        web, root = self.web, self.site.root
        secret = root / "secret"
        secret.write_bytes(b"secret" * 100000)
        leaning = root / "leaning.qcow2"
        tool("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", secret, leaning, "1M")
        self.refuses("a qcow2 with a backing file", web.url("i", leaning.read_bytes()), 7, "backing")
        tool("qemu-img", "create", "-q", "-f", "qcow2", "-o", f"data_file={root}/data,data_file_raw=on",
             leaning, "1M")
        self.refuses("a qcow2 with a data file", web.url("i", leaning.read_bytes()), 7, "data file")
        tool("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", secret, leaning, "1M")
        self.refuses("the same in an xz", web.url("i.xz", lzma.compress(leaning.read_bytes())), 7,
                     "backing")
        descriptor = (b'# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n'
                      b'createType="monolithicFlat"\nRW 2048 FLAT "%s" 0\n' % bytes(secret))
        self.refuses("a vmdk that is a descriptor", web.url("i", descriptor), 7, "names other files")
        vmdk = bytearray(self.formats["vmdk"])
        start, sectors = struct.unpack_from("<QQ", vmdk, 28)
        with_parent = bytearray(vmdk)
        end = with_parent.index(b"\0", start * 512)
        hint = b'\nparentFileNameHint="%s"\n' % bytes(secret)
        with_parent[end:end + len(hint)] = hint
        self.refuses("a vmdk with a parent", web.url("i", bytes(with_parent)), 7, "parent")
        no_size = bytearray(vmdk)
        struct.pack_into("<Q", no_size, 12, 0)
        self.refuses("a vmdk whose size is in its descriptor", web.url("i", bytes(no_size)), 7)
        vdi = bytearray(self.formats["vdi"])
        struct.pack_into("<I", vdi, 0x4c, 4)
        self.refuses("a vdi with a parent", web.url("i", bytes(vdi)), 7, "parent")
        vpc = bytearray(self.formats["vpc"])
        struct.pack_into(">I", vpc, 60, 4)
        self.refuses("a vpc with a parent", web.url("i", bytes(vpc)), 7)
        vhdx = bytearray(self.formats["vhdx"])
        at = vhdx.index(bytes.fromhex("3767a1ca36fa434db3b633f0aa44e76b"))
        (offset,) = struct.unpack_from("<I", vhdx, at + 16)
        table = vhdx.rindex(b"metadata", 0, at)
        vhdx[table + offset + 4] |= 2
        self.refuses("a vhdx with a parent", web.url("i", bytes(vhdx)), 7, "parent")
        big = bytearray(self.formats["qcow2"])
        struct.pack_into(">Q", big, 24, 1 << 40)
        self.refuses("a qcow2 of 1 TiB that was registered with 7 MiB", web.url("i", bytes(big)), 7, "7 MiB")
        lying = bytearray(self.formats["vdi"])
        struct.pack_into("<Q", lying, 0x170, 400 * MIB)
        self.refuses("a vdi whose header lies", web.url("i", bytes(lying)), size=500)
        for form in ("vmdk", "vdi", "vhdx", "vpc", "qcow2", "stream vmdk"):
            data = self.formats[form]
            for driver in ("raw", "qcow2"):
                self.refuses(f"a {form} cut in its middle, DRIVER={driver}", web.url("i", data[:len(data) // 2]),
                             size=8, template=f"<DRIVER>{driver}</DRIVER>")

    def http(self):
        web = self.web
        self.imports("raw by http", web.url("raw", RAW))
        self.imports("raw by http with its SHA256", web.url("raw", RAW),
                     image=f"<SHA256>{hashlib.sha256(RAW).hexdigest()}</SHA256>")
        self.refuses("raw by http with another SHA256", web.url("raw", RAW), 10, "SHA256",
                     image=f"<SHA256>{'5' * 64}</SHA256>")
        self.imports("without a Content-Length", web.url(
            "nolength", RAW, lambda handler, body: handler.page(body, length=False)))
        self.with_arguments()
        self.imports("URL_ARGS", web.address + "/args?x=1", image="<URL_ARGS>token=5&amp;y=2</URL_ARGS>")
        self.imports("a connection dropped twice is resumed", web.url("drop", RAW, sometimes_cut(2, MIB)))
        resumed = [headers.get("Range") for path, headers in web.log if path == "/drop"]
        self.tap.case("… by Range", None if resumed == [None, f"bytes={MIB}-", f"bytes={2 * MIB}-"]
                      else f"{resumed}")
        self.imports("… of a gz", web.url("drop.gz", self.forms["gz"], sometimes_cut(3, 700000)))
        self.imports("… where there are no ranges", web.url("drop2", RAW, sometimes_cut(2, MIB, ranges=False)))
        self.imports("… without ETag", web.url("drop3", RAW, sometimes_cut(2, MIB, tag=False)))
        self.refuses("a page that changes while its connection is down",
                     web.url("change", RAW, self.changing()), 10, "changed")
        self.refuses("… without ETag, ranges and size", web.url(
            "change2", RAW, self.changing(ranges=False, tag=False)), 10, "changed")
        self.refuses("a body that is always short", web.url(
            "short", RAW, lambda handler, body: handler.page(body, cut=MIB, ranges=False)), 9)
        self.refuses("404", web.address + "/nowhere", 3, "404")
        self.refuses("403", web.url("403", b"", lambda h, b: h.plain(403)), 8, "403")
        self.refuses("500", web.url("500", b"", lambda h, b: h.plain(500, b"sorry")), 1, "500")
        count = [2]

        def later(handler, body):
            count[0] -= 1
            handler.plain(503) if count[0] >= 0 else handler.page(body)

        self.imports("503 for a moment", web.url("503", RAW, later))
        self.refuses("nobody there", "http://127.0.0.1:9/x", 9)
        self.refuses("a server that says nothing", web.url("mute", b"", lambda h, b: time.sleep(60)), 11)
        self.refuses("a download that stalls", web.url("stall", RAW, self.stalling), 11)
        self.imports("a redirect", web.url("here", b"", lambda h, b: h.plain(302, Location="/raw")))
        other = Web()
        other.url("there", RAW)
        self.imports("a redirect to another server", web.url("away", b"", lambda h, b: h.plain(
            301, Location=f"{other.address}/there")))
        for target in (f"file://{self.raw}", "ftp://127.0.0.1/x", "gopher://127.0.0.1/"):
            self.refuses(f"a redirect to {target.split(':')[0]}:", web.url("bad", b"", lambda h, b: h.plain(
                302, Location=target)))
        self.refuses("redirects without end", web.url("loop", b"", lambda h, b: h.plain(302, Location="/loop")),
                     7)
        self.refuses("a longer body than announced", web.url("long", RAW, self.long_range))
        started = time.monotonic()
        self.imports("LIMIT_TRANSFER_BW", web.url("raw", RAW),
                     template="<LIMIT_TRANSFER_BW>2M</LIMIT_TRANSFER_BW>")
        took = time.monotonic() - started
        self.tap.case("… is kept", None if 2.5 < took < 8 else f"{took:.1f} s for 6 MiB at 2 MiB/s")
        self.refuses("LIMIT_TRANSFER_BW that is no number", web.url("raw", RAW), 2, "LIMIT_TRANSFER_BW",
                     template="<LIMIT_TRANSFER_BW>fast</LIMIT_TRANSFER_BW>")
        proxy = Web()
        proxy.url("proxied", RAW)
        self.imports("http_proxy", "http://images.example/proxied", environment={
            "http_proxy": proxy.address, "no_proxy": ""})
        done = self.refuses("secrets in a URL are not shown",
                            web.address.replace("//", "//me:passw0rd@") + "/nowhere?signature=s3cret", 3)
        self.tap.case("… nowhere", "shown" if "passw0rd" in done.stderr or "s3cret" in done.stderr else None)

    def with_arguments(self):
        self.web.pages["/args"] = b"wrong"
        self.web.moods["/args"] = lambda handler, body: handler.page(
            RAW if handler.path == "/args?x=1&token=5&y=2" else b"wrong")

    def changing(self, **how):
        count = [0]

        def mood(handler, body):
            count[0] += 1
            if count[0] == 1:
                handler.page(body, cut=MIB, **how)
            else:
                handler.page(flipped(body, 1000), **how)

        return mood

    @staticmethod
    def stalling(handler, body):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:MIB])
        handler.wfile.flush()
        time.sleep(60)

    @staticmethod
    def long_range(handler, body):
        """Half of it, then a range that goes on for too long."""
        if "Range" not in handler.headers:
            return handler.page(body, cut=MIB)
        handler.send_response(206)
        handler.send_header("ETag", f'"{hashlib.md5(body).hexdigest()}"')
        handler.send_header("Content-Range", f"bytes {MIB}-{len(body) - 1}/{len(body)}")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def tls(self):
        root = self.site.root
        good = Web((root / "good.pem", root / "good.key"))
        other = Web((root / "other.pem", root / "other.key"))
        good.url("raw", RAW)
        other.url("raw", RAW)
        trust = {"CURL_CA_BUNDLE": str(root / "good.pem")}
        self.imports("https", good.address + "/raw", environment=trust)
        self.refuses("https with an unknown certificate", good.address + "/raw", 8, "certificate")
        self.refuses("https with another's certificate", other.address + "/raw", 8, "",
                     environment={"CURL_CA_BUNDLE": str(root / "other.pem")})
        self.imports("https with TLS_VERIFY=NO", other.address + "/raw",
                     template="<TLS_VERIFY>NO</TLS_VERIFY>")
        self.imports("a redirect from http to https", self.web.url("up", b"", lambda h, b: h.plain(
            302, Location=f"{good.address}/raw")), environment=trust)
        self.refuses("a redirect to a bad certificate", self.web.url("up2", b"", lambda h, b: h.plain(
            302, Location=f"{other.address}/raw")), 8, environment=trust)

    def s3(self):
        web = self.web
        web.url("bucket/my%20disk.img", RAW, s3_mood("KEY1", "s3cr+t/word", "eu-1"))

        def market(key="KEY1", secret="s3cr+t/word", region="eu-1", endpoint=web.address):
            return (f"<MARKETPLACE><TEMPLATE><ACCESS_KEY_ID>{key}</ACCESS_KEY_ID>"
                    f"<SECRET_ACCESS_KEY>{secret}</SECRET_ACCESS_KEY><REGION>{region}</REGION>"
                    f"<AWS>no</AWS><ENDPOINT>{endpoint}</ENDPOINT></TEMPLATE></MARKETPLACE>")

        web.url("bucket/disk.img", RAW, s3_mood("KEY1", "s3cr+t/word", "eu-1"))
        self.imports("s3", "s3://bucket/disk.img", more=market())
        self.imports("s3 with a slash behind the endpoint", "s3://bucket/disk.img",
                     more=market(endpoint=web.address + "/"))
        done = self.refuses("s3 with a wrong secret", "s3://bucket/disk.img", 8, "403",
                            more=market(secret="other-s3cret"))
        self.tap.case("… which is not shown", "shown" if "other-s3cret" in done.stderr else None)
        self.refuses("s3 with a wrong region", "s3://bucket/disk.img", 8, more=market(region="us-2"))
        self.refuses("s3 without a marketplace", "s3://bucket/disk.img", 8, "ACCESS_KEY_ID")
        self.refuses("s3 without a key", "s3://bucket", 2, "s3://bucket/key", more=market())
        self.refuses("s3 redirected", "s3://bucket/moved", 1, "302",
                     more=(web.url("bucket/moved", b"", lambda h, b: h.plain(302, Location="/raw")), market())[1])

    def ssh(self):
        path, odd = self.raw, self.file("it's $(odd) \"name\" `x` \\ é.img", RAW)
        outside = self.site.root / "outside.img"
        outside.write_bytes(RAW)
        (self.site.sources / "way-out").symlink_to(outside)
        (self.site.sources / "pipe").exists() or os.mkfifo(self.site.sources / "pipe")
        self.imports("ssh as OpenNebula writes it", f"ssh://there:{path}")
        self.imports("ssh with a user", f"ssh://{getpass.getuser()}@there:{path}")
        self.imports("ssh as a URL with a port", f"ssh://there:{self.sshd.port}{path}")
        self.imports("ssh as a URL without one", f"ssh://there{path}")
        self.imports("user@host:path", f"{getpass.getuser()}@there:{path}")
        self.imports("ssh, a name with everything", f"ssh://there:{odd}")
        self.imports("ssh, a gz", f"ssh://there:{self.file('s.gz', self.forms['gz'])}",
                     image=f"<MD5>{hashlib.md5(self.forms['gz']).hexdigest()}</MD5>")
        self.imports("ssh, a vmdk", f"ssh://there:{self.file('s.vmdk', self.formats['vmdk'])}")
        self.refuses("ssh, not in SAFE_DIRS", f"ssh://there:{outside}", 7, "SAFE_DIRS")
        self.refuses("ssh, a link out of SAFE_DIRS", f"ssh://there:{self.site.sources}/way-out", 7, "SAFE_DIRS")
        self.refuses("ssh, ..", f"ssh://there:{self.site.sources}/../outside.img", 7, "SAFE_DIRS")
        self.refuses("ssh, not there", f"ssh://there:{self.site.sources}/nothing", 3)
        self.refuses("ssh, a pipe", f"ssh://there:{self.site.sources}/pipe", 3)
        self.refuses("ssh, a directory", f"ssh://there:{self.site.sources}", 3)
        self.refuses("ssh, an option for a host", f"ssh://-oProxyCommand=x:{path}", 2)
        self.refuses("ssh, too small a SIZE", f"ssh://there:{path}", 7, size=3)

    def exotic(self):
        script = self.site.remotes / "datastore/downloader.sh"
        self.refuses("docker:// without downloader.sh", "docker://alpine?size=10", 6, "downloader.sh")
        script.write_text('#!/bin/bash\necho "$# $*" >"$HOME/called"\n[ -n "$DRV_ACTION" ] || exit 5\n'
                          f'case "$3" in\n*fail*) echo "no such app" >&2; exit 7;;\n*hang*) sleep 60;;\n'
                          f'*) cat {self.file("app.gz", self.forms["gz"])};;\nesac\n')
        script.chmod(0o755)
        self.imports("docker:// by downloader.sh", "docker://alpine?size=10&filesystem=ext4")
        called = (self.site.var / "called").read_text()
        self.tap.case("… with the right words", None if called ==
                      "4 --nodecomp -- docker://alpine?size=10&filesystem=ext4 -\n" else called)
        self.refuses("rbd:// that fails", "rbd://pool/fail", 1, "no such app")
        (self.site.var / "called").unlink()
        for bad in ("docker://$(touch x)", "lxd://a`b`", "rbd://a\"b", "restic://a;b", "docker://a b"):
            self.refuses(f"{bad}", bad, 7, "not allowed")
        self.tap.case("… and nothing was run", "it was" if (self.site.var / "called").exists() else None)
        script.unlink()
        for bad in ("file:///etc/passwd", "ftp://a/b", "gopher://a", "dict://a", "telnet://a", "scp://a/b",
                    "javascript://x", "HTTPX://a"):
            self.refuses(bad, bad, 6, "fetched")

    def stat_sizes(self):
        web, forms = self.web, self.forms
        for name in forms:
            if name == "empty.gz":
                continue
            most = {"xz": 200000, "zst": 700000}.get(name)
            self.stats(f"stat of {name} by http", web.url("s", forms[name]), 7, most)
        self.stats("stat of raw by http", web.url("s", RAW), 7, 200000)
        self.stats("stat of raw where there are no ranges", web.url(
            "s", RAW, lambda handler, body: handler.page(body, ranges=False)), 7)
        web.moods.pop("/s")
        large = bytes(20 * MIB) + noise(2 * MIB)
        for form in ("qcow2", "vmdk", "vdi", "vhdx"):
            data = self.converted(form, large)
            self.stats(f"stat of {form} by http", web.url("s", data), 22,
                       140000 if form != "vhdx" else 12 * MIB)
            packed = gzip.compress(data + noise(12 * MIB, 7), 1)
            self.stats(f"stat of {form} in a gz", web.url("s", packed), 22, 10 * MIB)
        self.stats("stat of vpc by http", web.url("s", self.formats["vpc"]), 7, 140000)
        self.stats("stat of a tar.gz", web.url("s", tar_of([("d", noise(20 * MIB, 3))], "w:gz")), 20, 6 * MIB)
        self.stats("stat of a local file", self.raw, 7)
        self.stats("stat with NO_DECOMPRESS", web.url("s", forms["gz"]), -(-len(forms["gz"]) // MIB),
                   template="<NO_DECOMPRESS>yes</NO_DECOMPRESS>")
        done = self.stat(web.address + "/nowhere")
        self.tap.case("stat of nothing", None if done.returncode == 3 and not done.stdout else self.said(done))
        if not self.sshd.why:
            self.stats("stat through ssh", f"ssh://there:{self.raw}", 7)
            self.stats("stat of a qcow2 through ssh",
                       f"ssh://there:{self.file('s.qcow2', self.formats['qcow2'])}", 7)

    # volumes

    def permissions(self, user=0, group=1, owner_u=1, group_u=0, other_u=0, more=""):
        return (f"<UID>{user}</UID><GID>{group}</GID><PERMISSIONS><OWNER_U>{owner_u}</OWNER_U>"
                f"<GROUP_U>{group_u}</GROUP_U><OTHER_U>{other_u}</OTHER_U></PERMISSIONS>{more}")

    def know_users(self):
        facts = self.site.oned.facts
        for user, groups in ((5, (1,)), (6, (1, 100)), (7, (0,))):
            facts["one.user.info", user] = (
                f"<USER><ID>{user}</ID><GID>{groups[0]}</GID><GROUPS>" +
                "".join(f"<ID>{g}</ID>" for g in groups) + "</GROUPS></USER>")
        facts["one.acl.info", -1] = "<ACL_POOL></ACL_POOL>"
        facts["one.system.config", -1] = ("<OPENNEBULA_CONFIGURATION><FEDERATION><ZONE_ID>0</ZONE_ID>"
                                          "</FEDERATION></OPENNEBULA_CONFIGURATION>")
        facts["one.datastore.info", 103] = self.datastore()

    def acl(self, user, resource, rights=1, zone=0x400000000):
        self.site.oned.facts["one.acl.info", -1] = (
            f"<ACL_POOL><ACL><ID>1</ID><USER>{user:x}</USER><RESOURCE>{resource:x}</RESOURCE>"
            f"<RIGHTS>{rights:x}</RIGHTS><ZONE>{zone:x}</ZONE></ACL></ACL_POOL>")

    def volume(self, form="raw", state=1, persistent=0, **permissions):
        """An image of ours, and what oned says of it."""
        if not self.original:
            data = self.file("original", RAW)
            done = self.cp(data)
            self.original = done.stdout.split()[0]
            done = self.cp(self.file("original.qcow2", self.formats["qcow2"]))
            self.original_qcow2 = done.stdout.split()[0]
        source = self.original if form == "raw" else self.original_qcow2
        self.site.oned.facts["one.image.info", 40] = (
            f"<IMAGE><ID>40</ID>{self.permissions(**permissions)}<TYPE>0</TYPE><SIZE>7</SIZE>"
            f"<PERSISTENT>{persistent}</PERSISTENT><SOURCE>{source}</SOURCE><FORMAT>{form}</FORMAT>"
            f"<STATE>{state}</STATE><DATASTORE_ID>103</DATASTORE_ID></IMAGE>")

    def vm(self, state=8, lcm=0, link=False, form="raw", **permissions):
        place = self.site.datastores / "102/70"
        place.mkdir(parents=True, exist_ok=True)
        disk = place / "disk.0"
        disk.unlink(missing_ok=True)
        disk.symlink_to(self.original) if link else disk.write_bytes(TEXT)
        self.site.oned.facts["one.vm.info", 70] = (
            f"<VM><ID>70</ID>{self.permissions(**permissions)}<STATE>{state}</STATE><LCM_STATE>{lcm}"
            "</LCM_STATE><TEMPLATE><DISK><DISK_ID>0</DISK_ID><IMAGE_ID>40</IMAGE_ID><DATASTORE_ID>103"
            f"</DATASTORE_ID><FORMAT>{form}</FORMAT><SIZE>7</SIZE><TM_MAD>reflink</TM_MAD>"
            f"<CLONE>{'NO' if link else 'YES'}</CLONE><SOURCE>{self.original}</SOURCE></DISK></TEMPLATE>"
            "<HISTORY_RECORDS><HISTORY><HOSTNAME>frontend</HOSTNAME><DS_ID>102</DS_ID><TM_MAD>reflink</TM_MAD>"
            "<VM_MAD>kvm</VM_MAD></HISTORY></HISTORY_RECORDS></VM>")

    def volumes(self):
        self.original = None
        keep, self.images = self.images, self.images
        self.know_users()
        self.volume()
        kept = {pathlib.Path(self.original).name, pathlib.Path(self.original_qcow2).name}

        def left():
            found = sorted(p.name for p in keep.iterdir() if p.name not in kept)
            return f"left: {found}" if found else None

        def clean():
            for path in keep.iterdir():
                if path.name not in kept:
                    remove(path)

        self.left, self.clean = left, clean
        image, everyone = 0x8000000000, 0x400000000
        self.imports("vol:// by oneadmin", "vol://40")
        self.volume("qcow2")
        self.imports("vol:// of a qcow2", "vol://40", form="qcow2")
        self.imports("vol:// of a qcow2 into DRIVER=raw", "vol://40", template="<DRIVER>raw</DRIVER>")
        self.volume()
        self.imports("vol:// with its MD5", "vol://40", image=f"<MD5>{hashlib.md5(RAW).hexdigest()}</MD5>")
        self.refuses("vol:// with another MD5", "vol://40", 10, "MD5", image=f"<MD5>{'0' * 32}</MD5>")
        self.volume(user=5)
        self.imports("vol:// by its owner", "vol://40", user=5)
        self.refuses("vol:// by a stranger", "vol://40", 8, "may not use image 40", user=6)
        self.imports("vol:// by one of oneadmin's group", "vol://40", user=7)
        self.volume(user=5, group=100, group_u=1)
        self.imports("vol:// by its group, a second one of the user", "vol://40", user=6)
        self.volume(user=5, owner_u=0)
        self.refuses("vol:// by an owner without USE", "vol://40", 8, "may not", user=5)
        self.volume(user=5, other_u=1)
        self.imports("vol:// by anybody", "vol://40", user=6)
        self.volume(user=5, other_u=1, more="<LOCK><LOCKED>1</LOCKED></LOCK>")
        self.refuses("vol:// of a locked image", "vol://40", 8, "may not", user=6)
        self.volume(user=5)
        for name, rule, good in (
                ("for the user", (0x100000006, image | 0x100000000 | 40), True),
                ("for another user", (0x100000009, image | 0x100000000 | 40), False),
                ("for his group, on all", (0x200000064, image | everyone), True),
                ("for all, on its group", (everyone, image | 0x200000000 | 1), True),
                ("for another image", (0x100000006, image | 0x100000000 | 41), False),
                ("for VMs", (0x100000006, 0x1000000000 | everyone), False),
                ("to manage only", (0x100000006, image | everyone, 2), False),
                ("in this zone", (0x100000006, image | everyone, 1, 0x100000000), True),
                ("in another zone", (0x100000006, image | everyone, 1, 0x100000003), False)):
            self.acl(*rule)
            if good:
                self.imports(f"vol:// by an ACL {name}", "vol://40", user=6)
            else:
                self.refuses(f"vol:// by an ACL {name}", "vol://40", 8, user=6)
        self.site.oned.facts["one.acl.info", -1] = "<ACL_POOL></ACL_POOL>"
        self.volume(state=8, persistent=1)
        self.refuses("vol:// of an image that a VM writes to", "vol://40", 7, "state")
        self.volume(state=5)
        self.refuses("vol:// of an image in ERROR", "vol://40", 7, "state")
        self.refuses("vol:// of no image", "vol://41", 3)
        self.refuses("vol:// of no number", "vol://x", 2)
        self.refuses("vol:// by nobody", "vol://40", 8, user=-1)
        self.volume()
        self.refuses("vol:// that has grown", "vol://40", 7, "grown", size=5)
        self.stats("stat of vol://", "vol://40", 7)

        self.vm()
        self.imports("lvm:// of a VM that is off", "lvm://70/0", TEXT)
        self.imports("lvm:// into DRIVER=qcow2", "lvm://70/0", TEXT, form="qcow2",
                     template="<DRIVER>qcow2</DRIVER>")
        self.vm(link=True)
        self.imports("lvm:// of a persistent disk", "lvm://70/0", RAW)
        for state in (4, 5, 9):
            self.vm(state)
            self.imports(f"lvm:// of a VM in state {state}", "lvm://70/0", TEXT)
        for state, lcm in ((3, 2), (3, 17), (1, 0), (6, 0), (10, 0)):
            self.vm(state, lcm)
            self.refuses(f"lvm:// of a VM in state {state}/{lcm}", "lvm://70/0", 7, "state")
        self.vm(3, 3)
        self.refuses("lvm:// of a running VM without a name at libvirt", "lvm://70/0", None, "in use")
        self.vm(user=5)
        self.imports("lvm:// by the VM's owner", "lvm://70/0", TEXT, user=5)
        self.refuses("lvm:// by a stranger", "lvm://70/0", 8, "may not use VM 70", user=6)
        self.acl(0x100000006, 0x1000000000 | 0x100000000 | 70)
        self.imports("lvm:// by an ACL", "lvm://70/0", TEXT, user=6)
        self.refuses("lvm:// of no disk", "lvm://70/3", 3)
        self.refuses("lvm:// of no VM", "lvm://71/0", 3)
        self.stats("stat of lvm://", "lvm://70/0", 7)
        del self.left, self.clean
        shutil.rmtree(self.site.datastores / "102/70")
        self.clean()

    # the end of the process

    def slow_page(self, name, data):
        """Sends a bit at a time, so that there is time to be killed."""
        def mood(handler, body):
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            for at in range(0, len(body), 65536):
                handler.wfile.write(body[at:at + 65536])
                handler.wfile.flush()
                time.sleep(0.05)

        return self.web.url(name, data, mood)

    def killed(self):
        site = self.site
        for name, data, form, driver in (("raw", RAW, "raw", ""), ("xz", self.forms["xz"], "raw", ""),
                                         ("vmdk", self.formats["vmdk"], "qcow2", "<DRIVER>qcow2</DRIVER>")):
            for number in (signal.SIGTERM, signal.SIGKILL):
                message = self.message(self.slow_page("slow", data), 7, template=driver)
                process = subprocess.Popen([site.remotes / "datastore/reflink/cp", "1"], stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                           env=site.environment, cwd=site.var)
                process.stdin.write(message)
                process.stdin.close()
                for _ in range(200):
                    if any(p.stat().st_size > 0 for p in self.images.glob("*.part/content*")):
                        break
                    time.sleep(0.02)
                process.send_signal(number)
                process.wait(20)
                out = process.stdout.read()
                left = [p for p in self.images.iterdir() if not p.name.endswith(".part")]
                problem = None
                if process.returncode == 0 or out or left:
                    problem = f"exit {process.returncode}, {out}, {left}"
                elif number == signal.SIGTERM and self.left():
                    problem = self.left()
                self.tap.case(f"{name}: {number.name} in the middle" + (", to a bridge" if self.bridge else ""),
                              problem)
                self.clean()
                self.web.moods.pop("/slow")
                if self.bridge:
                    time.sleep(0.3)
                done = site.run("datastore", "cp", 1, stdin=message)
                words = done.stdout.split()
                good = done.returncode == 0 and self.content(words[0], form) == RAW
                self.tap.case("… and then again", None if good else self.said(done))
                self.clean()

    def full(self):
        """On a file system of 24 MiB."""
        if os.geteuid() != 0:
            return self.tap.case("a full disk", skip="a loop device needs root")
        small, image = self.site.datastores / "103", self.site.root / "small.ext4"
        with open(image, "wb") as out:
            out.truncate(24 * MIB)
        tool("mkfs.ext4", "-q", image)
        mount = subprocess.run(["mount", "-o", "loop", image, small], capture_output=True, text=True,
                               check=False)
        if mount.returncode:
            return self.tap.case("a full disk", skip=f"no ext4 mount: {mount.stderr.strip()[:200]}")
        try:
            shutil.rmtree(small / "lost+found", ignore_errors=True)
            data = noise(40 * MIB)
            for name, url, how in (
                    ("raw", self.web.url("big", data), {}),
                    ("gz", self.web.url("big.gz", gzip.compress(data, 1)), {}),
                    ("a file", self.file("big", data), {}),
                    ("vdi", self.web.url("big.vdi", self.converted("vdi", data)), {}),
                    ("raw without a SIZE", self.web.url("big", data), {"size": None}),
                    ("raw into qcow2", self.web.url("big", data), {"template": "<DRIVER>qcow2</DRIVER>"})):
                how = {"size": 40, **how}
                self.refuses(f"a full disk, {name}", url, None, **how)
        finally:
            subprocess.run(["umount", small], check=False)
        return None

    def export(self):
        done = self.cp(self.raw)
        source = done.stdout.split()[0]
        image = (f"<ID>50</ID><TYPE>0</TYPE><SOURCE>{source}</SOURCE><SIZE>7</SIZE><FORMAT>raw</FORMAT>")
        done = self.site.run("datastore", "export", 1, stdin=encoded(
            f"<DS_DRIVER_ACTION_DATA><IMAGE>{image}</IMAGE>{self.datastore()}</DS_DRIVER_ACTION_DATA>"))
        found = dict(re.findall(r"<(\w+)>([^<]+)</", done.stdout))
        want = {"IMPORT_SOURCE": f"ssh://{self.bridge}:{source}" if self.bridge else source,
                "MD5": hashlib.md5(RAW).hexdigest(), "SIZE": "7", "FORMAT": "raw", "DISPOSE": "NO"}
        self.tap.case("export" + (" from a bridge" if self.bridge else ""),
                      None if found == want else f"{found} {self.said(done)}")
        os.unlink(source)
        self.tap.case("… leaves nothing", self.left())

    def files(self):
        """What only concerns files of the front-end."""
        outside = self.site.root / "outside.img"
        outside.write_bytes(RAW)
        link = self.site.sources / "link.img"
        link.symlink_to(outside)
        self.refuses("a link out of SAFE_DIRS", link, 7, "SAFE_DIRS")
        os.mkfifo(self.site.sources / "fifo")
        self.refuses("a pipe", self.site.sources / "fifo", 7, "regular")
        self.refuses("a device", "/dev/zero", 7)
        self.refuses("/proc", "/proc/self/environ", 7)
        self.refuses("a name without a slash", "-rf", 2)
        self.race(outside)

    def race(self, outside):
        """Somebody swaps the file for a link while it is imported: it is what was allowed, or
        nothing."""
        place, good = self.site.sources / "race.img", self.file("race-good.img", RAW)
        outside.write_bytes(TEXT)
        stop, problem = threading.Event(), None

        def swap():
            one, two = self.site.sources / ".one", self.site.sources / ".two"
            while not stop.is_set():
                one.unlink(missing_ok=True)
                os.link(good, one)
                os.replace(one, place)
                two.unlink(missing_ok=True)
                two.symlink_to(outside)
                os.replace(two, place)

        thread = threading.Thread(target=swap)
        thread.start()
        try:
            counts = [0, 0]
            for _ in range(30):
                done = self.cp(place)
                counts[done.returncode == 0] += 1
                if done.returncode == 0:
                    source = pathlib.Path(done.stdout.split()[0])
                    if source.read_bytes() != RAW:
                        problem = "the content of another file came in"
                    source.unlink()
        finally:
            stop.set()
            thread.join()
        self.tap.case("a file that is swapped for a link meanwhile", problem or self.left())

    def everything(self):
        self.local()
        self.http()
        self.damaged()
        self.kinds_of_image()
        self.hostile()
        self.s3()
        self.export()
        self.killed()

    def bridged(self):
        """The parts where it matters on which machine the image is made."""
        web, forms, vmdk = self.web, self.forms, self.formats["vmdk"]
        self.imports("a local file", self.raw)
        self.imports("a local file with its MD5", self.raw,
                     image=f"<MD5>{hashlib.md5(RAW).hexdigest()}</MD5>")
        self.refuses("a local file with another MD5", self.raw, 10, image=f"<MD5>{'0' * 32}</MD5>")
        self.imports("raw by http", web.url("raw", RAW))
        self.imports("a connection that drops", web.url("drop", RAW, sometimes_cut(1, MIB)))
        for name in ("gz", "xz", "zst", "tar.gz", "zip"):
            self.imports(f"{name} by http", web.url("x", forms[name]))
        for driver in ("raw", "qcow2"):
            self.imports(f"vmdk by http into DRIVER={driver}", web.url("i", vmdk), form=driver,
                         template=f"<DRIVER>{driver}</DRIVER>")
        self.imports("qcow2 by http", web.url("i", self.formats["qcow2"]), form="qcow2")
        self.imports("vhdx from a file", self.file("i", self.formats["vhdx"]))
        self.imports("from another host", f"ssh://elsewhere:{self.raw}")
        self.refuses("a cut gz", web.url("cut", forms["gz"][:-MIB]), 10)
        self.refuses("a cut qcow2", web.url("cut", self.formats["qcow2"][:MIB]), None)
        self.refuses("404", web.address + "/nowhere", 3)
        self.refuses("a stall", web.url("stall", RAW, self.stalling), 11)
        self.refuses("a bomb", web.url("bomb", tool("sh", "-c", "head -c 300M /dev/zero | gzip -1")), 7)
        self.export()
        self.killed()

    def run(self, only):
        self.packed()
        steps = [self.files, self.everything, self.bombs, self.tls, self.exotic, self.stat_sizes,
                 self.volumes, self.full]
        if only:
            self.kinds_of_image()
            steps = [getattr(self, name) for name in only]
        for step in steps:
            step()
        if self.sshd.why:
            self.tap.case("through ssh", skip=self.sshd.why)
        elif not only:
            self.ssh()
        if not self.sshd.why and (not only or "bridge" in sys.argv):
            self.bridge = "there"
            self.bridged()
        return self.tap.finish()


def main():
    tests = Sources(sys.argv[1])
    try:
        return tests.run([name for name in sys.argv[2:] if name != "bridge"])
    finally:
        tests.close()


if __name__ == "__main__":
    sys.exit(main())
