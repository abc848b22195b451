#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Hosts over real ssh: the agent gets there, works, and nothing that breaks leaves a trace.

hosts.py HOSTTOOL [CASE...]; TAP. Each case ends with an action that must work again.
"""
import base64
import os
import re
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import hostcase  # noqa: E402
import hostlab  # noqa: E402
from hostcase import (HERE, ONE, BUILD_DIR, Running, Skip, agents, check, clean,  # noqa: E402
                      eventually, fails, idle, logins, tool, works)

QUICK = {"ONEVOL_HEARTBEAT_MS": "300", "ONEVOL_SILENCE_MS": "1500", "ONEVOL_CONNECT_MS": "2500"}
lab = None


# --- how it works ---------------------------------------------------------------------------

def first_contact_pushes_the_agent_and_later_ones_do_not():
    done = tool("h1 space /")
    check(done.code == 0 and "copied the agent" in done.err, done)
    check(logins("h1") == 3, "start, copy, start", logins("h1"))
    done = tool("h1 space /")
    check(done.code == 0 and "copied" not in done.err and logins("h1") == 4, done)


def one_handshake_per_action_and_host():
    works("h1 space /", "h2 space /")
    before = logins("h1"), logins("h2")
    works("h1 space /", "h2 space /", f"h1 mkdir {ONE}/a", f"h2 mkdir {ONE}/a", f"h1 list {ONE}",
          f"h2 list {ONE}")
    check((logins("h1"), logins("h2")) == (before[0] + 1, before[1] + 1))
    works(f"h1 write {ONE}/f text", f"h1 transfer {ONE}/f h2 {ONE}/f",
          f"h2 transfer {ONE}/f here {ONE}/f")
    check((logins("h1"), logins("h2")) == (before[0] + 3, before[1] + 4), "one more a bulk copy")


def none_where_the_site_multiplexes():
    shared = {"FAKE_SSH": f"/usr/bin/ssh -F {lab.base}/ssh_config -o ControlMaster=auto "
                          f"-o ControlPersist=20s -o ControlPath={lab.base}/ctl-%C"}
    works("h1 space /", **shared)
    before = logins("h1")
    first = time.monotonic()
    for _ in range(5):
        works("h1 space /", f"h1 list {ONE}", **shared)
    check(logins("h1") == before, "no handshake on a shared connection")
    print(f"# an action over a shared connection: {(time.monotonic() - first) * 200:.0f} ms")
    lab.on("fe", f"/usr/bin/ssh -F {lab.base}/ssh_config -o ControlPath={lab.base}/ctl-%C "
                 "-O exit h1 2>/dev/null", check=False)


def files_links_and_commands():
    out = works(f"h1 mkdir {ONE}/d/e", f"h1 write {ONE}/d/x hello", f"h1 link x {ONE}/d/l",
                f"h1 stat {ONE}/d/l", f"h1 cat {ONE}/d/x", f"h1 copy {ONE}/d/x {ONE}/d/y",
                f"h1 rename {ONE}/d/y {ONE}/d/z", f"h1 list {ONE}/d", f"h1 stat {ONE}/none",
                ["h1", "run", "5", "printf", "%s|", "a b", "'", "$HOME", "*"],
                f"h1 remove {ONE}/d", f"h1 list {ONE}/d")
    check(out.startswith("120777 1 x\nhello"), out)
    check(sorted(out.splitlines()[1].replace("hello", "").split() + out.splitlines()[2:5])
          == ["e", "l", "x", "z"], out)
    check("0 0 \n" in out and "a b|'|$HOME|*|" in out, out)


def errors_name_the_host_and_keep_their_code():
    fails(tool(f"h1 cat {ONE}/none"), 3, "on host 'h1'", "No such file")
    fails(tool("h1 run 5 false"), 1, "false exited 1")
    fails(tool("h1 run 1 sleep 9"), 11, "'sleep' did not end within 1 s")
    fails(tool("h1 run 5 no-such-program"), 3, "cannot run 'no-such-program'")
    fails(tool("-oProxyCommand=x space /"), 2, "no name of a host")


def big_answers_come_in_pieces():
    out = works("h1 run 20 seq 1 700000")
    check(out == "".join(f"{i}\n" for i in range(1, 700001)), len(out))


def many_requests_are_quick():
    start = time.monotonic()
    works(*["h1 stat /"] * 300)
    both = time.monotonic() - start
    start = time.monotonic()
    works("h1 stat /")
    one = time.monotonic() - start
    print(f"# handshake and one request: {one * 1000:.0f} ms; "
          f"each further request: {(both - one) / 299 * 1000:.2f} ms")
    check((both - one) / 299 < 0.02)


def content_between_all_pairs():
    lab.on("fe", f"mkdir -p {ONE}/t/sub; cd {ONE}/t; head -c 30000000 /dev/urandom > big; "
                 "truncate -s 900M big; printf tail >> big; : > empty; truncate -s 5M hole; "
                 "echo x > sub/f; chmod 640 sub/f; ln -s ../big sub/l; mkdir none; "
                 "head -c 1048576 /dev/urandom > even; printf '\\001' > one; chmod 700 sub")
    works(f"here tree {ONE}/t h1 {ONE}/t", f"h1 tree {ONE}/t h2 {ONE}/t",
          f"h2 tree {ONE}/t here {ONE}/back", f"h2 transfer {ONE}/t/big here {ONE}/big")
    differs = lab.on("fe", f"cd {ONE}; diff -r --no-dereference t back; cmp t/big big; "
                           "cd t; find . | sort | xargs stat -c '%A %N' > ../1; cd ../back; "
                           "find . | sort | xargs stat -c '%A %N' > ../2; diff ../1 ../2", False)
    check(differs == "", differs)
    blocks = int(lab.on("fe", f"stat -c %b {ONE}/back/big"))
    check(blocks * 512 < 40e6, "holes stay holes", blocks)
    fails(tool(f"h1 transfer {ONE}/none h2 {ONE}/x"), 3, "on host 'h1'", "No such file")
    fails(tool(f"here transfer {ONE}/none h2 {ONE}/x"), 3, "No such file")
    fails(tool(f"here transfer {ONE}/big h2 /none/x"), 3, "on host 'h2'", "/none/x")
    fails(tool(f"h1 transfer {ONE}/t/big here /none/x"), 3, "/none/x")
    for host in ("fe", "h1", "h2"):
        lab.on(host, f"rm -rf {ONE}/*")


def hosts_copy_straight_to_each_other():
    agent = subprocess.Popen(lab.enter("fe", "ssh-agent", "-D", "-a", lab.path("agent")),
                             stdout=subprocess.DEVNULL)
    eventually(lambda: os.path.exists(lab.path("agent")), "an ssh agent")
    lab.on("fe", f"SSH_AUTH_SOCK={lab.path('agent')} ssh-add -q {lab.path('key')}")
    lab.on("h1", f"head -c 100000000 /dev/urandom > {ONE}/big")
    try:
        # h1 does not know h2's key: the front-end passes the data on
        both = works("h1 space /", "h2 space /") and logins("h1"), logins("h2")
        done = tool(f"h1 transfer {ONE}/big h2 {ONE}/v", SSH_AUTH_SOCK=lab.path("agent"))
        check(done.code == 0 and "by way of the front-end" in done.err, done)
        lab.on("h1", "mkdir -p /root/.ssh; echo StrictHostKeyChecking no > /root/.ssh/config")
        both, calls = (logins("h1"), logins("h2")), lab.connections()
        done = tool(f"h1 transfer {ONE}/big h2 {ONE}/v", SSH_AUTH_SOCK=lab.path("agent"))
        check(done.code == 0 and "by way of the front-end" not in done.err, done)
        check((logins("h1"), logins("h2")) == (both[0] + 2, both[1] + 2), "handshakes")
        check(lab.connections() == calls + 3, "the front-end made three of them")
        works(f"h1 transfer {ONE}/big here {ONE}/1", f"h2 transfer {ONE}/v here {ONE}/2",
              f"here run 9 cmp {ONE}/1 {ONE}/2")
        lab.on("h2", f"mount -t tmpfs -o size=20M t {ONE}")
        fails(tool(f"h1 transfer {ONE}/big h2 {ONE}/x", SSH_AUTH_SOCK=lab.path("agent")), 5,
              "on host 'h2'", "No space")
        lab.on("h2", f"umount {ONE}")
    finally:
        agent.kill()
        agent.wait()
        for host in ("fe", "h1", "h2"):
            lab.on(host, f"rm -rf {ONE}/* /root/.ssh")


def login_scripts_may_print():
    lab.on("h2", "mount -t tmpfs tmpfs /root; printf 'echo welcome; head -c 20000 /dev/zero\\n' "
                 "> /root/.bashrc")
    works("h2 space /", f"h2 write {ONE}/f text", f"h2 transfer {ONE}/f here {ONE}/noise",
          f"here transfer {ONE}/noise h2 {ONE}/g")
    lab.on("h2", f"umount /root; rm {ONE}/f {ONE}/g")


def a_sync_of_remotes_brings_monitor_ds():
    remotes = lab.path("remotes")
    os.makedirs(remotes + "/tm/reflink_local")
    os.makedirs(remotes + "/onevol")
    agent = [name for name in os.listdir(BUILD_DIR) if re.fullmatch(r"agent-\w+", name)][0]
    subprocess.run(["cp", f"{BUILD_DIR}/{agent}", remotes + "/onevol/agent"], check=True)
    lab.write("remotes/tm/reflink_local/monitor_ds", "#!/var/tmp/one/onevol/agent\n", 0o755)
    lab.write("remotes/VERSION", "6.10.0\n")
    lab.on("h1", f"mkdir -p /var/tmp/one; cp -rpL {remotes}/. /var/tmp/one/; "
                 f"cd {ONE}; mkdir -p 0/7/disk.0.snap 0/12; cd 0/7; "
                 "head -c 3000000 /dev/zero > disk.0; head -c 1 /dev/zero > disk.0.snap/10; "
                 "truncate -s 1G disk.1; : > disk.1.snap; ln -s /nowhere disk.2; : > vm.xml")
    run = f"env -i /var/tmp/one/tm/reflink_local/monitor_ds {ONE}/0"
    found = re.fullmatch(r'VM = \[ ID = 7, MONITOR = "([\w+/=]+)" \]\n', lab.on("h1", run))
    check(found, lab.on("h1", run))
    text = base64.b64decode(found[1]).decode()
    check(text == "DISK_SIZE=[ID=0,SIZE=3] SNAPSHOT_SIZE=[ID=10,DISK_ID=0,SIZE=1] "
                  "DISK_SIZE=[ID=1,SIZE=0]", text)
    lab.on("h1", "echo 5.10.5 > /var/tmp/one/VERSION")
    check(lab.on("h1", run) == f'VM = [ ID = 7, POLL = "{text}" ]\n')
    lab.on("h1", f"rm -rf {ONE}/0 /var/tmp/one")


# --- locks and two front-ends ----------------------------------------------------------------

def a_lock_lives_as_long_as_the_action():
    first = Running(["h1", "lock", "v", "mv one"], "here sleep 1.5")
    time.sleep(0.8)
    second = tool(["h1", "lock", "v", "mv two"])
    check(second.code == 0 and second.seconds > 0.5, "the second waits", second)
    check(first.end().code == 0)


def delete_ends_the_holder_of_another_front_end():
    first = Running(["h1", "lock", "v", "clone one"], f"h1 build {ONE}/v", "h1 run 30 sleep 30")
    eventually(lambda: lab.on("h1", "pgrep -x sleep || true"), "the first is at work")
    second = tool(["h1", "lock", "v", "delete one"], front="h2")
    check(second.code == 0 and second.seconds < 10, second)
    fails(first.end(), 12, "on host 'h1'", within=10)
    check(lab.on("h1", "pgrep -x sleep || true") == "", "its child is ended")
    clean("h1")


def two_front_ends_meet_a_new_host_at_once():
    lab.on("h1", "rm -rf /var/tmp/onevol-agent-0")
    pair = [Running("h1 space /"), Running("h1 space /", front="h2"), Running("h1 space /")]
    for one in pair:
        done = one.end()
        check(done.code == 0, done)
    files = lab.on("h1", "ls -A /var/tmp/onevol-agent-0").split()
    check(len(files) == 1, files)


# --- faults --------------------------------------------------------------------------------

WORK = (["h1", "lock", "v", "clone w"], f"h1 build {ONE}/v", f"h1 write {ONE}/v.part/content data",
        f"h1 commit {ONE}/v")


def after_a_fault(host="h1"):
    idle(host)
    clean(host)
    works(*WORK)
    lab.on(host, f"rm {ONE}/v")


def a_session_cut_anywhere():
    cut = {"FAKE_SSH": f"/usr/bin/python3 -S {HERE}/cut-ssh.py", "CUT_SSH": lab.path("bin/ssh")}
    after_a_fault()
    whole = 0
    for direction, points in (("out", (0, 5, 19, 25, 31, 60, 91, 92, 103, 108, 115, 130, 160, 180)),
                              ("in", (0, 7, 12, 40, 59, 65, 100, 140, 200, 330, 400, 470, 560))):
        for point in points:
            done = tool(*WORK, CUT=f"{direction}:{point}", **cut)
            check(done.seconds < 8, point, done)
            if done.code == 0: # the cut came after the last word
                whole += 1
            else:
                check(done.code in (9, 12) and "on host 'h1'" in done.err, direction, point, done)
            idle("h1")
            clean("h1")
            lab.on("h1", f"rm -f {ONE}/v")
    check(whole < 8, "most cuts hit", whole)
    after_a_fault()


def the_agent_is_killed():
    first = Running(*WORK[:2], "h1 run 30 sleep 30")
    eventually(lambda: lab.on("h1", "pgrep -x sleep || true"), "it is at work")
    lab.on("h1", f"kill -9 {agents('h1')[0]}")
    fails(first.end(), 9, "on host 'h1'", "connection ended")
    eventually(lambda: not lab.on("h1", "pgrep -x sleep || true"), "its child is ended")
    # nobody could tidy up: the next action takes the leftover over
    works(*WORK)
    lab.on("h1", f"rm {ONE}/v")
    after_a_fault()


def the_front_end_is_killed():
    first = Running(*WORK[:2], "h1 run 30 sleep 30")
    eventually(lambda: lab.on("h1", "pgrep -x sleep || true"), "it is at work")
    os.kill(first.pid(), signal.SIGKILL)
    eventually(lambda: not lab.on("h1", "pgrep -x sleep || true"), "its child is ended")
    after_a_fault()


def a_signal_cancels_and_undoes():
    first = Running(*WORK[:2], "h1 run 30 sleep 30")
    eventually(lambda: lab.on("h1", "pgrep -x sleep || true"), "it is at work")
    start = time.monotonic()
    os.kill(first.pid(), signal.SIGTERM)
    fails(first.end(), 12)
    check(time.monotonic() - start < 3, "quickly")
    after_a_fault()


def a_frozen_agent():
    first = Running(*WORK[:2], "h1 run 30 sleep 30", **QUICK)
    eventually(lambda: lab.on("h1", "pgrep -x sleep || true"), "it is at work")
    frozen = agents("h1")[0]
    lab.on("h1", f"kill -STOP {frozen}")
    try:
        fails(first.end(), 9, "on host 'h1'", "silent")
    finally:
        lab.on("h1", f"kill -CONT {frozen}")
    after_a_fault()


def a_frozen_host():
    first = Running(*WORK[:2], "h1 run 30 sleep 30", **QUICK)
    eventually(lambda: lab.on("h1", "pgrep -x sleep || true"), "it is at work")
    lab.freeze("h1")
    try:
        fails(first.end(), 9, "silent")
        fails(tool("h1 space /", **QUICK), 9, "no agent answered", "within 2 s")
    finally:
        lab.freeze("h1", signal.SIGCONT)
    after_a_fault()


def a_busy_front_end_is_heard():
    works("h1 lock v clone", "here sleep 4", f"h1 list {ONE}", **QUICK)


def an_ssh_that_hangs():
    lab.write("hang", "sleep 4242\n")
    done = tool("h1 space /", FAKE_SSH=f"sh {lab.path('hang')}", **QUICK)
    fails(done, 9, "on host 'h1'", "no agent answered there within 2 s", within=5)
    left = subprocess.run(["pgrep", "-f", "sleep 4242"], capture_output=True, text=True)
    check(left.stdout == "", "it is ended too", left.stdout)
    after_a_fault()


def hosts_that_do_not_let_us_in():
    normal = hostlab.SSH.format(base=lab.base)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", lab.path("other")],
                   check=True)
    with open(lab.path("other.pub")) as key:
        lab.write("known", "h1 " + " ".join(key.read().split()[:2]) + "\n")
    lab.write("ssh_config", f"Host refused\n  HostName h1\n  Port 23\n"
              f"Host stranger\n  HostName h1\n  IdentityFile {lab.base}/other\n"
              f"Host changed\n  HostName h1\n  StrictHostKeyChecking yes\n"
              f"  UserKnownHostsFile {lab.base}/known\n  HostKeyAlias h1\n" +
              normal.replace(f"  IdentityFile {lab.base}/key\n", "") +
              f"Host !stranger *\n  IdentityFile {lab.base}/key\n")
    fails(tool("refused space /"), 9, "on host 'refused'", "refuses ssh connections")
    fails(tool("stranger space /"), 8, "on host 'stranger'", "does not accept our ssh key")
    fails(tool("changed space /"), 8, "on host 'changed'", "host key")
    fails(tool("nowhere space /"), 9, "on host 'nowhere'", "cannot be reached", within=15)
    fails(tool("unknown-name space /"), 9, "its name is not known")
    lab.write("ssh_config", normal)
    after_a_fault()


def an_agent_of_another_build():
    lab.on("h1", "cd /var/tmp/onevol-agent-0; b=$(ls); h=${b#agent-}; "
                 "sed \"s/$h/0123456789abcdef/g\" $b > x; chmod 700 x; mv x $b")
    fails(tool("h1 space /"), 6, "on host 'h1'", "another build")
    lab.on("h1", "rm -r /var/tmp/onevol-agent-0")
    after_a_fault()


def a_machine_without_an_agent():
    lab.on("h1", "rm -r /var/tmp/onevol-agent-0")
    lab.write("uname", "#!/bin/sh\necho riscv64\n", 0o755)
    lab.on("h1", f"mount --bind {lab.path('uname')} /usr/bin/uname")
    fails(tool("h1 space /"), 6, "on host 'h1'", "no agent for machines of the kind 'riscv64'")
    lab.on("h1", "umount /usr/bin/uname")
    after_a_fault()


def var_tmp_full_noexec_or_foreign():
    lab.on("h1", "rm -rf /var/tmp/onevol-agent-0; mount -t tmpfs -o size=1M,mode=1777 t /var/tmp")
    fails(tool("h1 space /"), 5, "on host 'h1'", "cannot copy the agent", "full")
    check(lab.on("h1", "ls /var/tmp/onevol-agent-0") == "", "no leftover")
    lab.on("h1", "umount /var/tmp; mount -t tmpfs -o noexec,mode=1777 t /var/tmp")
    fails(tool("h1 space /"), 8, "on host 'h1'", "noexec")
    lab.on("h1", "umount /var/tmp; mount -t tmpfs -o mode=1777 t /var/tmp; "
                 "mkdir /var/tmp/onevol-agent-0; chown 12345 /var/tmp/onevol-agent-0")
    fails(tool("h1 space /"), 8, "on host 'h1'", "belongs to somebody else")
    lab.on("h1", "umount /var/tmp")
    after_a_fault()


def a_reboot_between_two_actions():
    works("h2 space /")
    lab.restart("h2")
    works("h2 space /", f"h2 write {ONE}/f x")


def bulk_connections_that_break():
    lab.on("h1", f"head -c 400000000 /dev/urandom > {ONE}/big")
    for victim in ("h1", "h2"):
        copy = Running(f"h2 build {ONE}/v", f"h1 transfer {ONE}/big h2 {ONE}/v.part/content")
        eventually(lambda: int(lab.on("h2", f"stat -c %b {ONE}/v.part/content || echo 0",
                                      False) or 0) > 1000, "data moves", 10)
        lab.on(victim, "kill -9 $(ps -o ppid= -p $(pgrep -f "
                       "'^/var/tmp/onevol-agent-0/agent-.* (bulk|direct)'))") # its sshd
        fails(copy.end(), 9)
        idle("h2")
        clean("h2")
    lab.on("h2", f"mount -t tmpfs -o size=20M t {ONE}")
    fails(tool(f"h1 transfer {ONE}/big h2 {ONE}/x"), 5, "on host 'h2'", "No space")
    fails(tool(f"h1 transfer {ONE}/big here /proc/x"), 3)
    lab.on("h2", f"umount {ONE}")
    works(f"h1 transfer {ONE}/big h2 {ONE}/x")
    lab.on("h1", f"rm {ONE}/big")
    lab.on("h2", f"rm {ONE}/x")


def hang(host):
    lab.on(host, f"mkdir -p {ONE}/hang")
    helper = subprocess.Popen(lab.enter(host, "/usr/bin/python3", f"{HERE}/fuse-hang.py",
                                        f"{ONE}/hang"), stdout=subprocess.PIPE, text=True)
    if helper.stdout.readline() != "ready\n":
        raise Skip("no FUSE here")
    return helper


def release(host, helper):
    subprocess.run(["pkill", "-KILL", "-P", str(helper.pid)])
    helper.kill()
    helper.wait()
    lab.on(host, f"umount -l {ONE}/hang; rmdir {ONE}/hang")


def storage_that_never_answers():
    helper = hang("h1")
    try:
        # a request itself is stuck: it showed no sign of life for 1 s
        done = tool(["h1", "lock", "v", "clone a"], f"h1 write {ONE}/hang/new text",
                    ONEVOL_IDLE_MS="1000")
        fails(done, 11, "on host 'h1'", "still busy: write", "cannot be killed", within=15)
        pid = re.search(r"pid (\d+)", done.err)[1]
        check(lab.on("h1", f"sed -n 's/^State:.//p' /proc/{pid}/status").startswith("D"), "D state")
        check(not agents("h1") or agents("h1") == [pid], "only the warden is left", agents("h1"))
        done = tool(["h1", "lock", "v", "clone b"])
        fails(done, 4, "on host 'h1'", "still busy: write", within=15)
        works(["h1", "lock", "other", "clone b"]) # what is not locked goes on
    finally:
        release("h1", helper)
    after_a_fault()


def a_command_that_cannot_be_killed():
    helper = hang("h1")
    try:
        done = tool(["h1", "lock", "v", "clone a"],
                    f"h1 run 1 dd if=/dev/zero of={ONE}/hang/x bs=4096 count=1")
        fails(done, 11, "on host 'h1'", "still busy: dd, pid", within=15)
        fails(tool(["h1", "lock", "v", "delete b"]), 4, "still busy", within=15)
    finally:
        release("h1", helper)
    after_a_fault()


def nor_one_of_the_front_end():
    helper = hang("fe")
    try:
        done = tool(["here", "lock", "v", "clone a"],
                    f"here run 1 dd if=/dev/zero of={ONE}/hang/x bs=4096 count=1")
        fails(done, 11, "still busy: dd, pid", within=15)
        fails(tool(["here", "lock", "v", "delete b"]), 4, "still busy", within=15)
    finally:
        release("fe", helper)
    eventually(lambda: tool(["here", "lock", "v", "clone b"]).code == 0, "the warden leaves")


CASES = [value for name, value in list(globals().items())
         if callable(value) and value.__module__ == "__main__" and "_" in name and
         name != "after_a_fault"]


hostcase.main(CASES, globals())
