#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""onevol against a driver made of shell and helpers (tests/bench/standin), in one run.

Prints medians and ratios; asserts nothing. Root with sshd gets the stand-in a real, warm ssh
connection; otherwise `env` takes ssh's place, which favours the stand-in.

usage: bench.py ONEVOL [--rounds N] [--directory DIR]
"""
import argparse
import http.server
import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from xml.sax.saxutils import escape

HERE = os.path.dirname(os.path.abspath(__file__))
VM = """<VM><ID>7</ID><STATE>3</STATE><LCM_STATE>1</LCM_STATE><TEMPLATE>
<DISK><DISK_ID>0</DISK_ID><IMAGE_ID>1</IMAGE_ID><SIZE>200</SIZE><ORIGINAL_SIZE>100</ORIGINAL_SIZE>
<FORMAT>raw</FORMAT><CLONE>YES</CLONE><SAVE>NO</SAVE></DISK>
<DISK><DISK_ID>1</DISK_ID><IMAGE_ID>1</IMAGE_ID><SIZE>100</SIZE><ORIGINAL_SIZE>100</ORIGINAL_SIZE>
<FORMAT>raw</FORMAT><CLONE>NO</CLONE><SAVE>YES</SAVE></DISK></TEMPLATE></VM>"""
DATASTORE = """<DATASTORE><ID>{0}</ID><NAME>d</NAME><TYPE>0</TYPE><DS_MAD>reflink</DS_MAD>
<TM_MAD>reflink</TM_MAD><BASE_PATH>{1}/{0}</BASE_PATH><TEMPLATE/></DATASTORE>"""


def start_oned(datastores):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            text = VM
            if "one.datastore.info" in body:
                text = DATASTORE.format(re.search("<i4>(.*?)<", body).group(1), datastores)
            answer = ("<methodResponse><params><param><value><array><data><value><boolean>1"
                      "</boolean></value><value><string>" + escape(text) + "</string></value>"
                      "</data></array></value></param></params></methodResponse>").encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def start_ssh(directory):
    """A warm, multiplexed ssh to this machine; None if that cannot be had."""
    sshd = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    if os.geteuid() != 0 or not sshd or not shutil.which("ssh"):
        return None, None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for name in ("key", "hostkey"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                        f"{directory}/{name}"], check=True)
    with open(f"{directory}/sshd_config", "w") as conf:
        conf.write(f"Port {port}\nListenAddress 127.0.0.1\nHostKey {directory}/hostkey\n"
                   f"AuthorizedKeysFile {directory}/key.pub\nStrictModes no\nUsePAM no\n"
                   "PidFile none\nPermitRootLogin yes\n"
                   f"SetEnv HOME={directory}\n")  # no start-up files of this account
    os.makedirs("/run/sshd", exist_ok=True)
    server = subprocess.Popen([sshd, "-D", "-f", f"{directory}/sshd_config"],
                              stderr=subprocess.DEVNULL)
    ssh = (f"ssh -p {port} -i {directory}/key -o StrictHostKeyChecking=no -o LogLevel=ERROR "
           f"-o UserKnownHostsFile=/dev/null -o ControlMaster=auto -o ControlPersist=60 "
           f"-o ControlPath={directory}/mux")
    for _ in range(50):
        if subprocess.run(ssh.split() + ["127.0.0.1", "true"], stderr=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL).returncode == 0:
            os.mkdir(f"{directory}/bin")
            with open(f"{directory}/bin/ssh", "w") as file: # as onevol finds it, by PATH
                file.write(f'#!/bin/sh\nexec /usr/bin/{ssh} "$@"\n')
            os.chmod(f"{directory}/bin/ssh", 0o755)
            return ssh, server
        time.sleep(0.1)
    server.kill()
    return None, None


def run(command, env):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    result = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True)
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if result.returncode:
        sys.exit(f"{' '.join(command)}: {result.stderr.decode()}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall * 1000, cpu * 1000


MEASURE = """import os, resource, sys
os.waitpid(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ), 0)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"""


def memory_of(command, env):
    """Peak resident size of one run in KB. A small interpreter starts it: the figure of a child
    begins with the size of the program that started it."""
    result = subprocess.run([env["STANDIN_PYTHON"], "-S", "-c", MEASURE] + command, env=env,
                            capture_output=True, check=True)
    return int(result.stdout)


def print_table(side, title, calls, times):
    print(f"{title:<21} {'onevol ms':>9} {'CPU ms':>7} {'stand-in ms':>12} {'CPU ms':>7} "
          f"{'wall':>7} {'CPU':>7}")
    for name, _ in calls:
        ours = [statistics.median(v) for v in zip(*times[(name, side)])]
        theirs = [statistics.median(v) for v in zip(*times[(name, "standin")])]
        print(f"  {name:<19} {ours[0]:>9.1f} {ours[1]:>7.1f} {theirs[0]:>12.1f} {theirs[1]:>7.1f} "
              f"{'1/%.0f' % (theirs[0] / ours[0]):>7} {'1/%.0f' % (theirs[1] / ours[1]):>7}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("onevol")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--directory")
    arguments = parser.parse_args()
    work = tempfile.mkdtemp(prefix="onevol-bench-", dir=arguments.directory)
    remotes, datastores = f"{work}/var/remotes", f"{work}/var/datastores"
    for path in (remotes, f"{datastores}/1", f"{datastores}/100", f"{datastores}/101"):
        os.makedirs(path)
    onevol = os.path.abspath(arguments.onevol)
    subprocess.run([onevol, "setup", "--remotes", remotes, "--driver", "reflink"], check=True,
                   stdout=subprocess.DEVNULL)
    image = f"{datastores}/1/image-1-0"
    with open(image, "wb") as file:
        file.write(os.urandom(8 << 20))
        file.truncate(100 << 20)
    with open(f"{work}/auth", "w") as file:
        file.write("oneadmin:secret")
    env = dict(os.environ, ONE_LOCATION=work, ONE_AUTH=f"{work}/auth",
               ONE_XMLRPC=f"http://127.0.0.1:{start_oned(datastores)}/RPC2")
    ssh, server = start_ssh(work)
    host = "127.0.0.1" if ssh else "-"
    env["PATH"] = f"{work}/bin:" + env["PATH"]
    env["STANDIN_SSH"] = ssh or "env"
    env["STANDIN_PYTHON"] = "/usr/bin/python3"
    print(f"stand-in runs through {'ssh, multiplexed and warm' if ssh else 'env, no ssh here'}")

    vm = f"{datastores}/100/7"
    calls = [
        ("clone", ["fe:" + image, f"HOST:{vm}/disk.0", "7", "1"]),
        ("ln", ["fe:" + image, f"HOST:{vm}/disk.1", "7", "1"]),
        ("mv", [f"HOST:{vm}", f"HOST:{datastores}/101/7", "7", "100"]),
        ("mv back", [f"HOST:{datastores}/101/7", f"HOST:{vm}", "7", "100"]),
        ("mv disk", [f"HOST:{vm}/disk.0", f"HOST:{vm}/disk.0", "7", "1"]),
        ("delete", [f"HOST:{vm}/disk.0", "7", "1"]),
        ("delete dir", [f"HOST:{vm}", "7", "100"]),
    ]
    times = {}
    try:
        for _ in range(arguments.rounds):
            for side in ("onevol", "remote", "standin") if ssh else ("onevol", "standin"):
                for name, words in calls:
                    action = name.split()[0]
                    # 127.0.0.1 is not one of our names: the agent serves it, through ssh
                    place = "localhost" if side == "onevol" else host
                    if side == "standin" and not ssh:
                        words = [w.replace("HOST:", "LANG=C:") for w in words]
                    words = [w.replace("HOST:", place + ":") for w in words]
                    command = ([f"{HERE}/standin", action] if side == "standin"
                               else [f"{remotes}/tm/reflink/{action}"]) + words
                    times.setdefault((name, side), []).append(run(command, env))
        rss = memory_of([f"{remotes}/tm/reflink/mv", f"localhost:{vm}/disk.0",
                         f"localhost:{vm}/disk.0", "7", "1"], env)
    finally:
        if server:
            subprocess.run(ssh.split() + ["-O", "exit", "127.0.0.1"], stderr=subprocess.DEVNULL)
            server.kill()
        shutil.rmtree(work)

    for side, title in (("onevol", "on the front-end"), ("remote", "on a host, ssh warm")):
        if (calls[0][0], side) in times:
            print_table(side, title, calls, times)
    print(f"memory of an action that does nothing: {rss / 1024:.1f} MiB")


if __name__ == "__main__":
    main()
