#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a clvm action takes beside LVM: whole actions on a fake host whose LVM commands are played, against
the same commands one by one over a kept ssh connection, as scripts call them.

usage: bench_lvm.py ONEVOL. Prints figures and ratios; asserts nothing. Without root it prints
"skipped". Real LVM runs in tests/lab, in emulation, where no times can be measured.
"""
import json
import os
import statistics
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))
import hostlab  # noqa: E402
from played_site import encoded  # noqa: E402
from twohosts import SHARED, Machines, Vm, start  # noqa: E402

ROUNDS, BUDGET_MS = 15, 100
GROUP, IMAGES, SYSTEM, VM = "vg-bench", 103, 102, 7
IMAGE = "onevol-image-1-5f0c33aa"
STATE = SHARED / "lvm"

# One script under all of LVM's names, sudo's and blkdiscard's. A volume is a file of its tags.
PLAYED = '''#!/usr/bin/python3 -IS
import json, os, re, sys
STATE, GROUP = {state!r}, {group!r}
words = sys.argv[1:]
name = os.path.basename(sys.argv[0])
if name == "sudo":
    os.execvp(words[1], words[1:])
with open(STATE + "/log", "a") as log:
    log.write(json.dumps(sys.argv) + chr(10))
path = lambda lv: os.path.join(STATE, "lv", lv)
device = lambda lv: os.path.join("/dev", GROUP, lv)
volume = words[-1].split("/")[-1] if words else ""
option = lambda key: [words[i + 1] for i, word in enumerate(words) if word == key]
def load(lv):
    with open(path(lv)) as file:
        return json.load(file)
def save(lv, about):
    with open(path(lv), "w") as file:
        json.dump(about, file)
def node(lv):
    if not os.path.exists(device(lv)):
        os.mknod(device(lv), 0o60600, os.makedev(7, 0))
if name == "lvs":
    pattern = re.compile("".join(option("--select"))[len("lv_name=~"):].strip('"') or ".*")
    found = [(lv, load(lv)) for lv in sorted(os.listdir(STATE + "/lv")) if pattern.search(lv)]
    group = {{"vg_name": GROUP, "vg_extent_size": "4194304", "vg_size": "109951162777600",
             "vg_free": "54975581388800", "vg_lock_type": "", "vg_attr": "wz--n-"}}
    print(json.dumps({{"report": [{{"lv": [
        {{**group, "lv_name": lv, "lv_size": str(about["size"]), "origin": about["origin"], "pool_lv": "",
         "lv_attr": "-wi-a-----", "lv_tags": ",".join(about["tags"]), "data_percent": "",
         "metadata_percent": ""}} for lv, about in found]}}]}}))
elif name == "lvcreate":
    origin = volume if "--snapshot" in words else ""
    made = option("--name")[0]
    size = load(origin)["size"] if origin else int(option("--size")[0].rstrip("b"))
    save(made, {{"size": (size + 4194303) // 4194304 * 4194304, "origin": origin, "tags": option("--addtag")}})
    if option("--activate") != ["n"]:
        node(made)
elif name == "lvchange":
    about = load(volume)
    about["tags"] = [t for t in about["tags"] if t not in option("--deltag")] + option("--addtag")
    save(volume, about)
    if option("--activate") == ["n"] and os.path.exists(device(volume)):
        os.unlink(device(volume))
    elif option("--activate") and option("--activate") != ["n"]:
        node(volume)
elif name == "lvextend":
    save(volume, {{**load(volume), "size": int(option("--size")[0].rstrip("b"))}})
elif name == "lvremove":
    os.unlink(path(volume))
    if os.path.exists(device(volume)):
        os.unlink(device(volume))
'''
NAMES = ("sudo", "lvs", "lvcreate", "lvchange", "lvextend", "lvremove", "blkdiscard")


def play_lvm(around):
    (STATE / "lv").mkdir(parents=True)
    (STATE / "bin").mkdir()
    for name in NAMES:
        program = STATE / "bin" / name
        program.write_text(PLAYED.format(state=str(STATE), group=GROUP))
        program.chmod(0o755)
    os.makedirs(f"/dev/{GROUP}", exist_ok=True)
    for host in ("h1", "h2"):
        around.on(host, f"mount --bind {STATE}/bin /usr/local/sbin; mount -t tmpfs tmpfs /dev/{GROUP}")


def new_volume(name, mib=1024, **tags):
    about = {"size": mib << 20, "origin": "", "tags": ["onevol.instance=one", f"onevol.size={mib << 20}"]}
    about["tags"] += [f"onevol.{key}={value}" for key, value in tags.items()]
    (STATE / "lv" / name).write_text(json.dumps(about))


class Cloud:
    def __init__(self, around, onevol):
        self.around, self.site = around, around.site(onevol, "7.4.0", "clvm")
        attributes = {"VG_NAME": GROUP, "BRIDGE_LIST": "h1 h2", "LVM_MODE": "SNAPSHOT"}
        template = "".join(f"<{key}>{value}</{key}>" for key, value in attributes.items())
        self.datastores = {number: (
            f"<DATASTORE><ID>{number}</ID><NAME>d{number}</NAME><TYPE>{int(number == SYSTEM)}</TYPE>"
            f"<DS_MAD>clvm</DS_MAD><TM_MAD>clvm</TM_MAD><BASE_PATH>{self.site.datastores}/{number}"
            f"</BASE_PATH><TEMPLATE>{template}</TEMPLATE></DATASTORE>") for number in (IMAGES, SYSTEM)}
        for number, text in self.datastores.items():
            self.site.oned_knows("datastore", number, text)
        self.site.oned.facts["one.datastorepool.info", -1] = (
            f"<DATASTORE_POOL>{''.join(self.datastores.values())}</DATASTORE_POOL>")
        disk = {"DISK_ID": 0, "TM_MAD": "clvm", "FORMAT": "raw", "DISK_TYPE": "BLOCK", "SIZE": 1024,
                "IMAGE_ID": 1, "DATASTORE_ID": IMAGES, "SOURCE": f"{GROUP}/{IMAGE}", "ORIGINAL_SIZE": 1024,
                "CLONE": "NO", "SAVE": "YES", "PERSISTENT": "YES", "LN_TARGET": "NONE"}
        self.vm = Vm(self.site, VM, SYSTEM, "clvm", [disk])
        self.vm.tell(1, "h1")

    def call(self, action, *words, stdin=b""):
        done = self.site.run("tm", action, *words, stdin=stdin)
        if done.returncode:
            sys.exit(f"{action}: {done.stderr}")
        return done.seconds * 1000

    def at(self, host):
        return f"{host}:{self.vm.path(0)}"

    def told(self, lcm_state, *words, **more):
        self.vm.tell(lcm_state)
        return self.call(*words, **more)

    def round(self):
        """Actions in an order in which each finds what it needs; ms by name."""
        monitor = encoded(f"<DS_DRIVER_ACTION_DATA>{self.datastores[SYSTEM]}<DATASTORE_LOCATION>"
                          f"{self.site.datastores}</DATASTORE_LOCATION></DS_DRIVER_ACTION_DATA>")
        (STATE / "log").write_text("")
        plan = (
            ("ln: a persistent image", lambda: self.told(1, "ln", f"fe:{GROUP}/{IMAGE}", self.at("h1"), VM, IMAGES)),
            ("snap_create", lambda: self.told(51, "snap_create", self.at("h1"), 0, VM, IMAGES)),
            ("snap_delete", lambda: self.told(53, "snap_delete", self.at("h1"), 0, VM, IMAGES)),
            ("mv to another host", lambda: self.told(8, "mv", self.at("h1"), self.at("h2"), VM, IMAGES)),
            ("mv back", lambda: self.told(8, "mv", self.at("h2"), self.at("h1"), VM, IMAGES)),
            ("mvds: given back", lambda: self.told(11, "mvds", self.at("h1"), f"{GROUP}/{IMAGE}", VM, IMAGES)),
            ("monitor", lambda: self.call("monitor", SYSTEM, stdin=monitor)),
        )
        spent = {}
        for name, work in plan:
            (STATE / "log").write_text("")
            wall = work()
            spent[name] = wall, [json.loads(line) for line in (STATE / "log").read_text().splitlines()]
        return spent


# Starts and times a program on the machine where it runs.
TIMED = ("import subprocess, sys, time\nbegin = time.monotonic()\n"
         "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=False)\n"
         "print((time.monotonic() - begin) * 1000)")


def by_hand(around, commands, remote):
    """As many commands of LVM's once more, each by ssh or on the host itself; ms. They find nothing, since
    what the action did is done."""
    ask = ["sudo", "-n", "lvs", "--select", 'lv_name=~"^none$"', "--", GROUP]
    if remote:
        text = " ".join(f"'{word}'" for word in ask)
        words = [sys.executable, "-c", TIMED, "ssh", "-F", around.lab.path("ssh_config"), "h1", text]
    else:
        words = around.lab.enter("h1", "env", "PATH=/usr/local/sbin:/usr/bin:/bin", sys.executable, "-c", TIMED,
                                 *ask)
    return sum(float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
               for _ in range(commands))


def main(outer, onevol):
    around = Machines(outer)
    try:
        play_lvm(around)
        cloud = Cloud(around, onevol)
        new_volume(IMAGE)
        rounds = [cloud.round() for _ in range(ROUNDS + 1)][1:]  # the first meets the hosts
        print(f"clvm, {ROUNDS} rounds, medians      ms  commands  theirs alone  beside LVM  by ssh one by one  ratio")
        for name, (_, commands) in rounds[-1].items():
            wall = statistics.median(r[name][0] for r in rounds)
            own = statistics.median(by_hand(around, len(commands), False) for _ in range(5))
            hand = statistics.median(by_hand(around, len(commands), True) for _ in range(5))
            print(f"  {name:<24} {wall:>7.1f} {len(commands):>8} {own:>12.1f} {wall - own:>12.1f} "
                  f"{hand:>15.1f} {wall / hand:>10.2f}")
        print(f"  (budget beside LVM: {BUDGET_MS} ms)")
        cloud.site.close()
    finally:
        around.lab.close()
        if os.path.isdir(f"/dev/{GROUP}"):
            os.rmdir(f"/dev/{GROUP}")
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    reason = hostlab.missing()
    if reason:
        print(f"lvm: skipped: {reason}")
        sys.exit(0)
    sys.exit(start(os.path.abspath(__file__), main))
