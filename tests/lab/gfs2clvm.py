#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What gfs2clvm's README lists as its state, one case a line of it, on real LVM: each is done by the
installed driver as oned does it, and judged by data and by what lies in the volume group. Then what
its two generations left behind, install media, sources of new images, names, a boot, the switch over
and back.

gfs2clvm.py ONEVOL [--quick] [CASE...]; TAP. --quick: one guest, the part that `make check` has.
"""
import os
import re
import sys

sys.dont_write_bytecode = True
import case  # noqa: E402
import guest  # noqa: E402
import lockd  # noqa: E402
from case import check, eventually  # noqa: E402
from gfs2clvm_site import (ACTIVE, AS_ONEADMIN, CLEANUP_DELETE, CLEANUP_RESUBMIT, DONE,  # noqa: E402
                           EPILOG_STOP, GROUP, HOSTS, HOTPLUG_PROLOG_POWEROFF, IMAGES, MIB, MIGRATE,
                           POWEROFF, PROLOG, PROLOG_MIGRATE, PROLOG_RESUME, REVERT_POWEROFF, RUNNING,
                           SAVEAS_POWEROFF, SAVEAS_SUSPENDED, SIZE, SNAPSHOT_SUSPENDED, STOPPED,
                           SUSPENDED, SYSTEM, Cloud, Running, data, good, make_lab, sha)

ONEVOL = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else ""
ONE = HOSTS[0]
OS, STORE = 5, 6  # an image to clone, a persistent one
times = case.Times()
clouds = {}


def cloud_of(lab, version="7.4.0", **attributes):
    """One for each release; the attributes of this case, and no others."""
    if version not in clouds:
        clouds[version] = Cloud(lab, ONEVOL, version)
        clouds[version].plain = dict(clouds[version].attributes)
    cloud = clouds[version]
    cloud.attributes = dict(cloud.plain)
    cloud.tell_datastores(**attributes)
    return cloud


def usual_vm(cloud, number, *more):
    """A clone, a volatile disk, swap, and context."""
    return cloud.vm(number, cloud.disk(0, OS), cloud.disk(1), cloud.disk(2, TYPE="swap", FORMAT="raw"),
                    *more, context=9)


def start_lab(lab, hosts):
    for host in hosts:
        if host not in lab.processes:
            lab.boot(host)
    lab.on(ONE, f"vgcreate {GROUP} /dev/vda")


# --- the state list of its README, one guest ------------------------------------------------


def one_guest(lab):
    start_lab(lab, [ONE])


def import_(lab):
    """PATH → volume; what is not what it should be leaves nothing."""
    cloud = cloud_of(lab)
    answer = cloud.import_image(OS, data("os"))
    check(answer == f"{ONE}:{GROUP}.lv-one-{OS} raw", answer)
    check(cloud.digest_of(ONE, f"lv-one-{OS}") == sha(data("os")))
    check(cloud.tags(f"lv-one-{OS}", "owner") == [f"image_{OS}"], cloud.volumes())
    path = cloud.site.sources / "bad.img"
    path.write_bytes(data("bad"))
    check(good(cloud.ds("stat", 77, path=path)) == str(SIZE), "stat")
    cloud.refused(lambda: cloud.ds("cp", 77, path=path, template="<MD5>0123</MD5>"), "MD5")
    cloud.refused(lambda: cloud.ds("cp", 77, path="/etc/passwd.img"), "/etc/passwd.img")
    path.unlink()


def datablock(lab):
    """An empty persistent image; a VM that is off gets it, one that runs gets a volatile disk too."""
    cloud = cloud_of(lab)
    answer = good(cloud.ds("mkfs", STORE, fmt="raw", kind=2, persistent=1))
    check(answer == f"{ONE}:{GROUP}.lv-one-{STORE}", answer)
    cloud.tell_image(STORE, kind=2, persistent=1)
    check(cloud.digest_of(ONE, f"lv-one-{STORE}") == sha(bytes(SIZE * MIB)), "it is empty")
    vm = cloud.vm(60, cloud.disk(0, OS))
    cloud.deploy(vm, ONE)
    vm.disks.append(cloud.persistent(1, STORE))
    vm.state = POWEROFF
    vm.tell(HOTPLUG_PROLOG_POWEROFF)
    good(cloud.bring(vm, ONE, vm.disks[1]), "attach")
    check(cloud.link(ONE, vm, 1) == f"/dev/{GROUP}/lv-one-{STORE}", cloud.link(ONE, vm, 1))
    check(cloud.tags(f"lv-one-{STORE}", "user") == [f"60/1/{SYSTEM}"])
    cloud.guest_writes(ONE, vm, 1, "first")
    good(cloud.leave(vm, ONE, vm.disks.pop()), "detach")
    check(f"lv-one-{STORE}" not in cloud.devices()[ONE], "detached is inactive")
    cloud.terminate(vm, ONE)
    cloud.is_gone(vm)


def instantiate(lab):
    cloud = cloud_of(lab)
    vm = usual_vm(cloud, 1)
    cloud.deploy(vm, ONE)
    names = [f"lv-one-{OS}-1-0", "lv-one-1-1", "lv-one-1-2"]
    volumes, _, files = cloud.state()
    check(cloud.vms_volumes(1, volumes) == sorted(names), volumes)
    for disk, name in enumerate(names):
        check(any(line.startswith(f"{vm.path(disk)} /dev/{GROUP}/{name} ") for line in files[ONE]), files)
        check(cloud.tags(name, "user", volumes) == [f"1/{disk}/{SYSTEM}"] and
              cloud.tags(name, "at", volumes) == [ONE], volumes)
    check(cloud.digest(ONE, vm, 0) == sha(data("os")), "a copy of the image")
    check(cloud.digest(ONE, vm, 1) == sha(bytes(SIZE * MIB)), "nobody sees what lay there before")
    check(cloud.on(ONE, f"blkid -p -o value -s TYPE {vm.path(2)}").strip() == "swap")
    check(cloud.on(ONE, f"blkid -p -o value -s LABEL {vm.path(9)}").strip() == "CONTEXT")
    with Running(cloud, ONE, vm):
        cloud.guest_writes(ONE, vm, 0, "one")
    check(cloud.digest_of(ONE, f"lv-one-{OS}") == sha(data("os")), "the image is not touched")


def reboot(lab):
    """oned asks nothing of storage but a new context; the guest opens its disks again."""
    cloud = cloud_of(lab)
    vm = cloud.vm(2, cloud.disk(0, OS), context=9)
    cloud.deploy(vm, ONE)
    before = cloud.state()[:2]
    with Running(cloud, ONE, vm):
        cloud.start(vm, ONE)
        content = cloud.guest_writes(ONE, vm, 0, "after the boot")
    with Running(cloud, ONE, vm):
        check(cloud.digest(ONE, vm, 0) == content and cloud.state()[:2] == before, cloud.state())
    cloud.terminate(vm, ONE)


def vm_1_is_not_vm_10(lab):
    """And volumes that are nobody's of ours stay, whatever is asked (the old driver removed VM 10's
    with VM 1's)."""
    cloud = cloud_of(lab)
    others = [f"lv-one-{OS}-10-0", "lv-one-10-1", "lv-one-1", f"lv-one-{OS}-100-0", "lv-one-11-0",
              "lv-one-1-10", "backup", "lv-one-1-1-copy", f"lv-one-{OS}-1-0-old"]
    lab.on(ONE, f"for n in {' '.join(others)}; do lvcreate -qq -y -Wn -L 4M -n $n {GROUP}; "
                f"printf $n > /dev/{GROUP}/$n; done")
    vm = usual_vm(cloud, 1)
    vm.hosts = [(ONE, SYSTEM)]
    cloud.terminate(vm, ONE)
    volumes = cloud.volumes()
    check(set(others) <= set(volumes), volumes)
    held = lab.on(ONE, "".join(f"head -c {len(name)} /dev/{GROUP}/{name}; echo; " for name in others)).split()
    check(held == others, held)
    lab.on(ONE, "lvremove -qq -y " + " ".join(f"{GROUP}/{name}" for name in others))
    cloud.is_gone(vm)


def an_untagged_volume_in_the_way_is_refused(lab):
    """lv-one-7-0 may be fs_lvm's, cxm's or either generation's: nobody can tell."""
    cloud = cloud_of(lab)
    lab.on(ONE, f"lvcreate -qq -y -Wn -L 4M -n lv-one-7-0 {GROUP}; printf mine > /dev/{GROUP}/lv-one-7-0")
    lab.on(ONE, f"lvcreate -qq -y -Wn -L 4M -n lv-one-{OS}-7-1 {GROUP}; printf mine > /dev/{GROUP}/lv-one-{OS}-7-1")
    vm = cloud.vm(7, cloud.disk(0), cloud.disk(1, OS))
    vm.tell(PROLOG, ONE)
    cloud.refused(lambda: cloud.bring(vm, ONE, vm.disks[0]), "lv-one-7-0")
    cloud.refused(lambda: cloud.bring(vm, ONE, vm.disks[1]), f"lv-one-{OS}-7-1")
    # an image's name that is taken
    cloud.refused(lambda: cloud.ds("mkfs", OS, fmt="raw"), f"lv-one-{OS}")
    check(lab.on(ONE, f"head -c 4 /dev/{GROUP}/lv-one-7-0") == "mine")
    # oned names it: this VM's disk it is, since the old driver made it
    vm.tell(RUNNING)
    good(cloud.leave(vm, ONE, vm.disks[0]), "delete")
    good(cloud.leave(vm, ONE, vm.disks[1]), "delete")
    check(cloud.vms_volumes(7) == [])
    cloud.terminate(vm, ONE)


def stop_and_resume(lab):
    """All goes off the host; the memory goes to the front-end and back."""
    cloud = cloud_of(lab)
    vm = usual_vm(cloud, 12)
    cloud.deploy(vm, ONE)
    content = cloud.guest_writes(ONE, vm, 0, "before stop")
    cloud.as_user(ONE, f"printf memory > {vm.directory()}/checkpoint")
    with Running(cloud, ONE, vm):
        vm.tell(EPILOG_STOP)
        cloud.refused(lambda: cloud.tm("mv", cloud.at(ONE, vm, 0), cloud.at("fe", vm, 0), 12, IMAGES),
                      "in use", f"lv-one-{OS}-12-0")
    cloud.move(vm, ONE, "fe", EPILOG_STOP, new_record=False)
    volumes, devices, _ = cloud.state()
    mine = cloud.vms_volumes(12, volumes)
    check(len(mine) == 3 and not set(mine) & set(devices[ONE]), "active still", devices)
    check(all(cloud.tags(name, "at", volumes) == [] for name in mine), volumes)
    check(cloud.on("fe", f"cat {vm.directory()}/checkpoint") == "memory")
    vm.state = STOPPED
    vm.tell(0)
    cloud.move(vm, "fe", ONE, PROLOG_RESUME)
    cloud.start(vm, ONE)
    check(cloud.on(ONE, f"cat {vm.directory()}/checkpoint") == "memory")
    with Running(cloud, ONE, vm):
        check(cloud.digest(ONE, vm, 0) == content)
    cloud.terminate(vm, ONE)
    cloud.is_gone(vm, ONE, "fe")


def suspend_and_resume(lab):
    """The memory is a file in the VM's directory; no volume is touched."""
    cloud = cloud_of(lab)
    vm = usual_vm(cloud, 13)
    cloud.deploy(vm, ONE)
    with Running(cloud, ONE, vm):
        content = cloud.guest_writes(ONE, vm, 0, "before suspend")
        before = cloud.state()[:2]
        cloud.as_user(ONE, f"printf memory > {vm.directory()}/checkpoint")
    vm.state = SUSPENDED
    vm.tell(0)
    cloud.start(vm, ONE)
    with Running(cloud, ONE, vm):
        check(cloud.on(ONE, f"cat {vm.directory()}/checkpoint") == "memory")
        check(cloud.digest(ONE, vm, 0) == content and cloud.state()[:2] == before, cloud.state())


def snapshot_of_a_suspended_machine(lab):
    """Its disk as a new image (saveas), and by lvm://; then a disk's snapshot, where the mode has them."""
    cloud = cloud_of(lab)
    vm = usual_vm(cloud, 13)
    vm.hosts, vm.state = [(ONE, SYSTEM)], SUSPENDED
    content = cloud.digest(ONE, vm, 0)
    good(cloud.ds("mkfs", 20, fmt="save_as"))
    vm.state = ACTIVE
    vm.tell(SAVEAS_SUSPENDED)
    good(cloud.tm("cpds", cloud.at(ONE, vm, 0), cloud.source(20), -1, 13, IMAGES), "cpds")
    check(cloud.digest_of(ONE, "lv-one-20") == content)
    cloud.tell_image(20)
    vm.state = SUSPENDED
    vm.tell(0)
    check(good(cloud.ds("stat", 1, path="lvm://13/0")) == str(SIZE))
    answer = good(cloud.ds("cp", 21, path="lvm://13/0"))
    check(answer == f"{cloud.source(21)} raw" and cloud.digest_of(ONE, "lv-one-21") == content, answer)
    cloud.tell_image(21)
    check(cloud.tags(f"lv-one-{OS}-13-0", "at") == [ONE], "the VM has it still")
    cloud.terminate(vm, ONE)
    cloud.is_gone(vm)
    good(cloud.ds("rm", 21, source=cloud.source(21)))
    check("lv-one-21" not in cloud.volumes())


def new_os_image_from_another_image(lab):
    """Saved before from a disk: cloned by oned, and by vol://."""
    cloud = cloud_of(lab)
    content = cloud.digest_of(ONE, "lv-one-20")
    check(content not in (sha(data("os")), sha(bytes(SIZE * MIB))))
    answer = good(cloud.ds("clone", 22, path=cloud.source(20), cloning=20))
    check(answer.split()[0] == cloud.source(22) and cloud.digest_of(ONE, "lv-one-22") == content, answer)
    check(good(cloud.ds("stat", 1, path="vol://20")) == str(SIZE))
    answer = good(cloud.ds("cp", 23, path="vol://20"))
    check(answer == f"{cloud.source(23)} raw" and cloud.digest_of(ONE, "lv-one-23") == content, answer)
    for number in (20, 22, 23):
        good(cloud.ds("rm", number, source=cloud.source(number)))
    check(not {"lv-one-20", "lv-one-22", "lv-one-23"} & set(cloud.volumes()), cloud.volumes())


def resubmit(lab):
    """From a running VM, and from a stopped one, of which oned removes nothing before."""
    cloud = cloud_of(lab)
    vm = usual_vm(cloud, 14)
    cloud.deploy(vm, ONE)
    cloud.guest_writes(ONE, vm, 0, "to be forgotten")
    cloud.delete_all(vm, ONE, CLEANUP_RESUBMIT)
    cloud.is_gone(vm)
    cloud.deploy(vm, ONE)
    check(cloud.digest(ONE, vm, 0) == sha(data("os")), "as if it were new")
    content = cloud.guest_writes(ONE, vm, 0, "to be forgotten")
    cloud.guest_writes(ONE, vm, 1, "to be forgotten")
    cloud.move(vm, ONE, "fe", EPILOG_STOP, new_record=False)
    vm.state = STOPPED
    vm.tell(0)
    good(cloud.ds("cp", 25, path="lvm://14/0"))  # a stopped VM's disk
    check(cloud.digest_of(ONE, "lv-one-25") == content)
    good(cloud.ds("rm", 25, source=cloud.source(25)))
    cloud.deploy(vm, ONE)
    check(cloud.digest(ONE, vm, 0) == sha(data("os")), "as if it were new")
    check(cloud.digest(ONE, vm, 1) == sha(bytes(SIZE * MIB)), "and the volatile one is empty")


def cancel(lab):
    """The guest is destroyed: EPILOG, the same lines as a shutdown's."""
    cloud = cloud_of(lab)
    vm = usual_vm(cloud, 14)
    vm.hosts = [(ONE, SYSTEM)]
    with Running(cloud, ONE, vm):
        vm.state = ACTIVE
        vm.tell(11)
        cloud.refused(lambda: cloud.leave(vm, ONE, vm.disks[0]), "in use")
    cloud.terminate(vm, ONE)
    cloud.is_gone(vm)
    check(cloud.digest_of(ONE, f"lv-one-{OS}") == sha(data("os")))


def shutdown_and_persistence(lab):
    """What a VM wrote to a persistent image the next one finds."""
    cloud = cloud_of(lab)
    vm = cloud.vm(15, cloud.persistent(0, STORE), cloud.disk(1))
    cloud.deploy(vm, ONE)
    content = cloud.guest_writes(ONE, vm, 0, "kept")
    check(cloud.vms_volumes(15) == ["lv-one-15-1"], "no copy", cloud.volumes())
    cloud.terminate(vm, ONE)
    cloud.is_gone(vm)
    check(f"lv-one-{STORE}" not in cloud.devices()[ONE] and cloud.tags(f"lv-one-{STORE}", "user") == [],
          cloud.volumes())
    other = cloud.vm(16, cloud.persistent(0, STORE))
    cloud.deploy(other, ONE)
    check(cloud.digest(ONE, other, 0) == content, "persistence")


def delete(lab):
    """`recover --delete`: DELETE for the persistent disk as well, and the image stays."""
    cloud = cloud_of(lab)
    vm = cloud.vm(16, cloud.persistent(0, STORE))
    vm.hosts = [(ONE, SYSTEM)]
    content = cloud.digest(ONE, vm, 0)
    vm.state = DONE
    cloud.delete_all(vm, ONE, CLEANUP_DELETE)
    cloud.is_gone(vm)
    check(cloud.digest_of(ONE, f"lv-one-{STORE}") == content, "the image is there")
    cloud.delete_all(vm, ONE, CLEANUP_DELETE)  # and once more


def save_as_on_shutdown(lab):
    """The VM is powered off, its disk saved as an image, then it ends."""
    cloud = cloud_of(lab)
    vm = cloud.vm(17, cloud.disk(0, OS))
    cloud.deploy(vm, ONE)
    content = cloud.guest_writes(ONE, vm, 0, "to be saved")
    good(cloud.ds("mkfs", 24, fmt="save_as"))
    vm.tell(SAVEAS_POWEROFF)
    good(cloud.tm("cpds", cloud.at(ONE, vm, 0), cloud.source(24), -1, 17, IMAGES), "cpds")
    cloud.terminate(vm, ONE)
    cloud.is_gone(vm)
    check(cloud.digest_of(ONE, "lv-one-24") == content)
    good(cloud.ds("rm", 24, source=cloud.source(24)))


# --- what its two generations left ----------------------------------------------------------

MD5 = "0123456789abcdef0123456789abcdef"


def old_volume(lab, name, content=None, group=GROUP, origin=None, size=SIZE):
    """As the predecessor made it: no tag, active."""
    what = f"-s -l 100%ORIGIN -n {name} {group}/{origin}" if origin else f"-Wn -L {size}M -n {name} {group}"
    lab.on(ONE, f"lvcreate -qq -y {what}")
    if content is not None:
        done = lab.ssh(ONE, f"dd of=/dev/{group}/{name} bs=1M conv=fsync status=none",
                       input=content.decode())
        check(done.returncode == 0, done)


def old_links(cloud, vm, *targets):
    lines = "; ".join(f"ln -s {target} {vm.path(disk)}" for disk, target in enumerate(targets))
    cloud.as_user(ONE, f"mkdir -p {vm.directory()}; {lines}")


def copy_on_write_clones_of_the_second_generation(lab):
    """VMs 40 and 41 run on clones of one image; neither's end touches the other, nor the image."""
    cloud = cloud_of(lab)
    old_volume(lab, "lv-one-30", data("old image"))
    cloud.tell_image(30)
    vms = {}
    for number in (40, 41):
        old_volume(lab, f"lv-one-30-{number}-0", origin="lv-one-30")
        old_volume(lab, f"lv-one-{number}-1", bytes(MIB))
        vms[number] = cloud.vm(number, cloud.disk(0, 30), cloud.disk(1))
        old_links(cloud, vms[number], f"/dev/{GROUP}/lv-one-30-{number}-0", f"/dev/{GROUP}/lv-one-{number}-1")
        vms[number].tell(RUNNING, ONE)
    vm, other = vms[40], vms[41]
    with Running(cloud, ONE, other):
        content = cloud.guest_writes(ONE, other, 0, "other")
        with Running(cloud, ONE, vm):
            mine = cloud.guest_writes(ONE, vm, 0, "mine")
            # new VMs of the image get full copies
            new = cloud.vm(42, cloud.disk(0, 30))
            cloud.deploy(new, ONE)
            check(cloud.digest(ONE, new, 0) == sha(data("old image")))
            check(cloud.volumes()["lv-one-30-42-0"]["origin"] == "", "a volume of its own")
            cloud.terminate(new, ONE)
        # stopped, it stays active: the other is on it too; and it comes back there
        cloud.move(vm, ONE, "fe", EPILOG_STOP, new_record=False)
        check("lv-one-30-40-0" in cloud.devices()[ONE], cloud.devices())
        vm.state = STOPPED
        cloud.move(vm, "fe", ONE, PROLOG_RESUME)
        check(cloud.digest(ONE, vm, 0) == mine)
        # a new image of it while it is off
        vm.state = SUSPENDED
        vm.tell(0)
        good(cloud.ds("cp", 31, path="lvm://40/0"))
        check(cloud.digest_of(ONE, "lv-one-31") == mine)
        good(cloud.ds("rm", 31, source=cloud.source(31)))
        cloud.refused(lambda: cloud.ds("rm", 30, source=cloud.source(30)), "lv-one-30-4")
        cloud.terminate(vm, ONE)
        cloud.is_gone(vm)
        check(cloud.digest(ONE, other, 0) == content, "VM 41 goes on")
    # it is alone now: it can leave the host
    cloud.move(other, ONE, "fe", EPILOG_STOP, new_record=False)
    check(not {"lv-one-30", "lv-one-30-41-0"} & set(cloud.devices()[ONE]), cloud.devices())
    other.state = STOPPED
    cloud.move(other, "fe", ONE, PROLOG_RESUME)
    check(cloud.digest(ONE, other, 0) == content)
    cloud.terminate(other, ONE)
    cloud.is_gone(other, ONE, "fe")
    check(cloud.digest_of(ONE, "lv-one-30") == sha(data("old image")))
    good(cloud.ds("rm", 30, source=cloud.source(30)))


def the_first_generation(lab):
    """Its names, SOURCE that is a path, TM_MAD tm_gfs2clvm, group and links of its own form, swap as a
    file; new images are named as before."""
    if "first" not in clouds:
        clouds["first"] = Cloud(lab, ONEVOL, "5.4.0", ("tm_gfs2clvm",), LV_NAMES="MD5")
    cloud = clouds["first"]
    cloud.tell_datastores(VG_NAME=None)
    lab.on(ONE, f"vgrename -qq {GROUP} vg-one")
    try:
        name, content = first_generation(lab, cloud)
    finally:
        lab.on(ONE, f"lvchange -qq -an vg-one; vgrename -qq vg-one {GROUP}")
    check(cloud.digest_of(ONE, name) == sha(data("new")))
    check(cloud.digest_of(ONE, f"lv-oneimg-{MD5[::-1]}") == content)
    lab.on(ONE, f"lvremove -qq -y {GROUP}/{name} {GROUP}/lv-oneimg-{MD5} {GROUP}/lv-oneimg-{MD5[::-1]}")


def first_generation(lab, cloud):
    group, source = "vg-one", f"/var/lib/one/images/{MD5}"
    old_volume(lab, f"lv-oneimg-{MD5}", data("first"), group)
    old_volume(lab, "lv-one-50-0", data("its copy"), group)
    old_volume(lab, f"lv-oneimg-{MD5[::-1]}", data("kept"), group)
    disks = [cloud.disk(0, 32), cloud.persistent(1, 33), cloud.disk(2, TYPE="swap")]
    disks[0]["SOURCE"], disks[1]["SOURCE"] = source, f"/var/lib/one/images/{MD5[::-1]}"
    vm = cloud.vm(50, *disks)
    old_links(cloud, vm, "/dev/vg-one/lv-one-50-0", f"/dev/mapper/vg--one-lv--oneimg--{MD5[::-1]}")
    cloud.as_user(ONE, f"truncate -s 4M {vm.path(2)}")
    vm.tell(RUNNING, ONE)
    cloud.move(vm, ONE, "fe", EPILOG_STOP, new_record=False)
    vm.state = STOPPED
    cloud.move(vm, "fe", ONE, PROLOG_RESUME)
    check(cloud.digest(ONE, vm, 0) == sha(data("its copy")) and cloud.digest(ONE, vm, 1) == sha(data("kept")))
    check(cloud.on(ONE, f"stat -c %s {vm.path(2)}").strip() == str(4 * MIB), "the swap came along")
    content = cloud.guest_writes(ONE, vm, 1, "kept")
    cloud.terminate(vm, ONE)
    cloud.is_gone(vm, ONE, "fe")
    new = cloud.vm(51, disks[0])
    cloud.deploy(new, ONE)
    check(cloud.link(ONE, new, 0) == "/dev/vg-one/lv-one-51-0", cloud.link(ONE, new, 0))
    check(cloud.digest(ONE, new, 0) == sha(data("first")))
    cloud.terminate(new, ONE)
    answer = cloud.import_image(34, data("new"))
    check(re.fullmatch(rf"{cloud.site.datastores}/{IMAGES}/[0-9a-f]{{32}}", answer), answer)
    name = "lv-oneimg-" + os.path.basename(answer)
    check(name in cloud.volumes(), cloud.volumes())
    return name, content


def attributes(lab):
    """HOST and BRIDGE_LIST name the bridge, VG_NAME the group; SOURCE is of another host by now."""
    cloud = cloud_of(lab, HOST=None, BRIDGE_LIST=f"{ONE} off.lab")
    cloud.attributes["HOST"] = "old.host.example"  # what SOURCE says, not the datastore
    disk = cloud.disk(0, OS)
    del cloud.attributes["HOST"]
    cloud.tell_datastores()
    check(disk["SOURCE"].startswith("old.host.example:"))
    vm = cloud.vm(55, disk)
    cloud.deploy(vm, ONE)
    check(cloud.digest(ONE, vm, 0) == sha(data("os")))
    cloud.terminate(vm, ONE)
    answer = good(cloud.ds("mkfs", 35, fmt="raw"))
    check(answer == f"{ONE}:{GROUP}.lv-one-35", answer)
    good(cloud.ds("rm", 35, source=answer))
    cloud.refused(lambda: cloud.ds("rm", 35, source=f"{ONE}:vg.one-1000.lv-one-35"), "is not an image")
    cloud.tell_datastores(BRIDGE_LIST=None)
    cloud.refused(lambda: cloud.ds("mkfs", 35, fmt="raw"), "BRIDGE_LIST")
    cloud.tell_datastores(VG_NAME="vg.none", HOST=ONE)
    done = cloud.ds("mkfs", 35, fmt="raw")
    check(done.returncode != 0 and "vg.none" in done.stderr, done)


# --- install media, sources -----------------------------------------------------------------


def install_media(lab):
    """NAME.isox stays a file; VMs get a link. Its size is the file's; DISK_TYPE must let libvirt open
    a file."""
    cloud = cloud_of(lab)
    folder = cloud.site.datastores / "iso"
    cloud.tell_datastores(SAFE_DIRS=str(folder))
    path, media = folder / "dvd.isox", "media" * 500000
    cloud.as_user(ONE, f"mkdir -p {folder}; yes media | head -c 2500000 > {path}; ln -s /etc/passwd {folder}/p.isox; "
                       f"cp {path} {cloud.site.datastores}/x.isox")
    before = cloud.volumes()
    check(good(cloud.ds("stat", 1, path=path)) == "3", "MiB, rounded up")
    check(good(cloud.ds("cp", 36, path=path, kind=1, size=3)) == f"{path} raw")
    cloud.refused(lambda: cloud.ds("cp", 36, path=path, kind=1, size=2), "3 MiB")
    cloud.refused(lambda: cloud.ds("cp", 36, path=path, kind=1, size=3, template="<MD5>00</MD5>"), "MD5")
    cloud.refused(lambda: cloud.ds("cp", 36, path=path, kind=0, size=3), "CDROM")
    cloud.refused(lambda: cloud.ds("cp", 36, path=f"{folder}/none.isox", kind=1), "none.isox")
    cloud.refused(lambda: cloud.ds("cp", 36, path=f"{folder}/p.isox", kind=1), "/etc/passwd")
    cloud.refused(lambda: cloud.ds("cp", 36, path=f"{folder}/../x.isox", kind=1), "SAFE_DIRS")
    cloud.refused(lambda: cloud.ds("stat", 1, path=f"{cloud.site.datastores}/x.isox"), "SAFE_DIRS")
    cloud.tell_image(36, kind=1, source=str(path), size=3)
    disk = cloud.disk(1, 36, CLONE="NO", READONLY="YES", TYPE="CDROM", SOURCE=str(path), SIZE=3)
    vms = [cloud.vm(number, cloud.disk(0), {**disk, "DISK_TYPE": "FILE"}) for number in (56, 57)]
    for vm in vms:
        cloud.deploy(vm, ONE)
        check(cloud.link(ONE, vm, 1) == str(path) and cloud.as_user(ONE, f"head -c 5 {vm.path(1)}") == media[:5])
    wrong = cloud.vm(58, disk)
    wrong.tell(PROLOG, ONE)
    cloud.refused(lambda: cloud.bring(wrong, ONE, wrong.disks[0]), "DISK_TYPE=FILE")
    writable = cloud.vm(58, {**disk, "DISK_TYPE": "FILE", "READONLY": "NO", "TYPE": "FILE"})
    writable.tell(PROLOG, ONE)
    cloud.refused(lambda: cloud.bring(writable, ONE, writable.disks[0]), "CDROM")
    cloud.move(vms[0], ONE, "fe", EPILOG_STOP, new_record=False)
    vms[0].state = STOPPED
    cloud.move(vms[0], "fe", ONE, PROLOG_RESUME)
    check(cloud.as_user(ONE, f"head -c 5 {vms[0].path(1)}") == media[:5])
    vms[0].tell(SAVEAS_POWEROFF)
    cloud.refused(lambda: cloud.tm("cpds", cloud.at(ONE, vms[0], 1), cloud.source(37), -1, 56, IMAGES), "read-only")
    for vm in vms:
        cloud.terminate(vm, ONE)
        cloud.is_gone(vm, ONE, "fe")
    good(cloud.ds("rm", 36, source=path))
    check(cloud.on(ONE, f"stat -c %s {path}").strip() == "2500000", "the file is not ours to remove")
    check(cloud.volumes() == before, cloud.volumes())


VIRSH = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do [ "$1" = -c ] && shift; shift; done
echo "$*" >> /tmp/virsh.log
[ "$1" = domstate ] && echo running
exit 0
"""


def a_running_vms_disk(lab):
    """lvm:// of it: its file systems are frozen for the instant of a snapshot, or it is refused."""
    cloud = cloud_of(lab)
    vm = cloud.vm(18, cloud.disk(0, OS))
    cloud.deploy(vm, ONE)
    with Running(cloud, ONE, vm):
        content = cloud.guest_writes(ONE, vm, 0, "while it runs")
        cloud.refused(lambda: cloud.ds("cp", 38, path="lvm://18/0"), "lvm://18/0")
        check(not [name for name in cloud.volumes() if "38" in name or "live" in name], cloud.volumes())
        lab.ssh(ONE, "cat > /usr/local/bin/virsh; chmod 755 /usr/local/bin/virsh; touch /tmp/virsh.log; "
                     "chmod 666 /tmp/virsh.log", input=VIRSH)
        good(cloud.ds("cp", 38, path="lvm://18/0"))
        said = lab.on(ONE, "cat /tmp/virsh.log")
        check("domfsfreeze one-18" in said and "domfsthaw one-18" in said, said)
        check(cloud.digest(ONE, vm, 0) == content)
    check(cloud.digest_of(ONE, "lv-one-38") == content)
    check(not [name for name in cloud.volumes() if "live" in name], cloud.volumes())
    vm.tell(MIGRATE)
    cloud.refused(lambda: cloud.ds("cp", 39, path="lvm://18/0"), "may be written to")
    cloud.refused(lambda: cloud.ds("cp", 39, path="lvm://18/4"), "has no disk 4")
    cloud.terminate(vm, ONE)
    good(cloud.ds("rm", 38, source=cloud.source(38)))
    lab.on(ONE, "rm /usr/local/bin/virsh")


def whose_sources_they_are(lab):
    """The predecessor let everybody copy anything by lvm:// and vol://."""
    cloud = cloud_of(lab)
    vm = cloud.vm(19, cloud.disk(0, OS))
    cloud.deploy(vm, ONE)
    vm.state = POWEROFF
    vm.tell(0)
    cloud.site.oned.facts["one.user.info", 2] = "<USER><ID>2</ID><GID>1</GID><GROUPS><ID>1</ID></GROUPS></USER>"
    cloud.site.oned.facts["one.acl.info", -1] = "<ACL_POOL/>"
    cloud.tell_image(OS)
    for path in ("lvm://19/0", f"vol://{OS}"):
        cloud.refused(lambda path=path: cloud.ds("cp", 39, path=path, uid=2), "user 2 may not use")
    cloud.tell_image(OS, rights="<OTHER_U>1</OTHER_U>")
    good(cloud.ds("cp", 39, path=f"vol://{OS}", uid=2))
    check(cloud.digest_of(ONE, "lv-one-39") == sha(data("os")))
    good(cloud.ds("rm", 39, source=cloud.source(39)))
    cloud.tell_image(STORE, state=8, persistent=1)
    cloud.refused(lambda: cloud.ds("cp", 39, path=f"vol://{STORE}"), "state 8")
    cloud.terminate(vm, ONE)


# --- what hosts need ------------------------------------------------------------------------

SHARE = guest.SOURCE / "share/lvm"


def snapshots_need_the_sudoers_file(lab):
    """A disk of a suspended VM gets a snapshot with what OpenNebula's packages allow; a revert needs
    our file, which visudo accepts."""
    cloud = cloud_of(lab, LVM_MODE="SNAPSHOT")
    vm = cloud.vm(61, cloud.disk(0, OS))
    cloud.deploy(vm, ONE)
    kept = cloud.guest_writes(ONE, vm, 0, "kept")
    vm.tell(SNAPSHOT_SUSPENDED)
    words = (cloud.at(ONE, vm, 0), 0, 61, IMAGES)
    good(cloud.tm("snap_create", *words))
    check(cloud.volumes()[f"lv-one-{OS}-61-0.snap.0"]["origin"] == f"lv-one-{OS}-61-0", cloud.volumes())
    vm.tell(RUNNING)
    check(cloud.guest_writes(ONE, vm, 0, "lost") != kept)
    vm.state = ACTIVE
    vm.tell(REVERT_POWEROFF)
    done = cloud.tm("snap_revert", *words)
    check(done.returncode != 0 and "lvconvert" in done.stderr, done)
    lab.on(ONE, f"visudo -cqf {SHARE}/onevol-lvm.sudoers; "
                f"install -m 440 {SHARE}/onevol-lvm.sudoers /etc/sudoers.d/onevol-lvm; visudo -cq")
    good(cloud.tm("snap_revert", *words))
    check(cloud.digest(ONE, vm, 0) == kept)
    lab.on(ONE, "rm /etc/sudoers.d/onevol-lvm")
    cloud.terminate(vm, ONE)
    cloud.is_gone(vm)


def who_owns_a_device(lab):
    """udev's own reading of our rule, with the names that LVM's rules give: of any group, of both
    generations, of clvm, and of nobody else."""
    ours = ["lv-one-70-0", f"lv-one-{OS}-70-0", "lv-one-70", f"lv-oneimg-{MD5}", "onevol-vm-70-0", "lv-one-70-0.snap.1",
            "onevol-image-7-0123abcd"]
    others = ["backup", "my-lv-one-70-0", "lv-on-70"]
    lab.on(ONE, f"cp {SHARE}/60-onevol-lvm.rules /etc/udev/rules.d/; mkdir -p /run/udev; "
                f"for n in {' '.join(ours + others)}; do lvcreate -qq -y -Wn -L 4M -n $n {GROUP}; done")
    for name in ours + others:
        said = lab.on(ONE, f"number=$(lsblk -dno MAJ:MIN /dev/{GROUP}/{name}); "
                           "udevadm test -a change $(readlink -f /sys/dev/block/$number) 2>&1")
        check(f"DM_LV_NAME={name}" in said and f"DM_VG_NAME={GROUP}" in said, said)
        line = [text for text in said.splitlines() if "60-onevol-lvm.rules" in text and "OWNER" in text]
        check(bool(line) == (name in ours), name, said)
        if line:
            check("9869" in line[0], line)
    lab.on(ONE, "rm /etc/udev/rules.d/60-onevol-lvm.rules; lvremove -qq -y " +
           " ".join(f"{GROUP}/{name}" for name in ours + others))


def after_a_power_cut(lab):
    """Nothing is active; then what the tags say is, by the front-end or by the unit."""
    cloud = cloud_of(lab)
    vm = cloud.vm(62, cloud.disk(0, OS), cloud.disk(1))
    away = cloud.vm(63, cloud.disk(0))
    for one in (vm, away):
        cloud.deploy(one, ONE)
    content = cloud.guest_writes(ONE, vm, 0, "before")
    # what it wrote, and the image that it read
    mine, given = sorted([f"lv-one-{OS}", *cloud.vms_volumes(62)]), "lv-one-63-0"
    lab.on(ONE, f"lvcreate -qq -y -Wn -L 4M -n local {GROUP}")
    lab.kill(ONE)
    lab.boot(ONE)
    check(cloud.devices()[ONE] == [], cloud.devices())
    lab.on(ONE, f"lvchange -qq --deltag onevol.at={ONE} --addtag onevol.at={HOSTS[1]} {GROUP}/{given}")
    said = cloud.command("activate", ONE)
    check(sorted(re.findall(r"(\S+) +ok", said)) == mine, mine, said)
    check(cloud.devices()[ONE] == mine, cloud.devices())
    check(cloud.command("activate", ONE) == "", "all are there")
    lab.on(ONE, f"lvchange -qq -an {GROUP}")
    check(cloud.devices()[ONE] == [], cloud.devices())
    lab.start_activation_unit(ONE)
    check(cloud.devices()[ONE] == mine, "by the unit", cloud.devices())
    check(cloud.digest_of(ONE, f"lv-one-{OS}-62-0") == content, "the guest's data")
    done = cloud.call(cloud.onevol, "activate", HOSTS[1])
    check(done.returncode != 0 and given in done.stdout and "FAILED" in done.stdout, done)
    lab.on(ONE, f"lvremove -qq -y {GROUP}/local {GROUP}/{given}")
    cloud.terminate(vm, ONE)
    cloud.terminate(away, ONE)


# --- switch over and back (docs/lvm.md) ------------------------------------------------------

# Stands for the old driver of the second generation: its names, its way to find them.
OLD_DRIVER = {
    "tm/clone": """host=${2%%:*} path=${2#*:} image=${1##*.}
ssh $host "mkdir -p ${path%/*} && sudo lvcreate -qq -y -s -l 100%ORIGIN -n $image-$3-${path##*.} VG/$image" \
    "&& ln -sf /dev/VG/$image-$3-${path##*.} $path" """,
    "tm/delete": """host=${1%%:*} path=${1#*:}
case $path in
*/disk.*) ssh $host "sudo lvremove -qq -f \\$(readlink $path) && rm $path" ;;
*) ssh $host "rm -r $path" ;;
esac""",
    "tm/context": "exit 0",
    "datastore/rm": """name=$(base64 -d | sed 's/.*<SOURCE>[^<]*[.]\\(lv-one-[0-9]*\\)<.*/\\1/')
ssh HOST sudo lvremove -qq -f VG/$name""",
}
BACKUP = "tar -C /var/lib/one/remotes -cf gfs2clvm-old.tar tm datastore"
SETUP = "onevol setup --driver gfs2clvm --replace"
ALIAS = "onevol setup --driver gfs2clvm --as tm_gfs2clvm"
REMOVE = "rm -r /var/lib/one/remotes/tm/*gfs2clvm /var/lib/one/remotes/datastore/*gfs2clvm"
RESTORE = "tar -C /var/lib/one/remotes -xf gfs2clvm-old.tar"
SWITCH_ON = "vgchange -ay"


def by_the_book(cloud, command):
    """A command that docs/lvm.md tells, on this site."""
    check(f"{command}" in (guest.SOURCE / "docs/lvm.md").read_text(), "docs/lvm.md does not say", command)
    words = command.replace("/var/lib/one/remotes", str(cloud.site.remotes)).replace(
        "gfs2clvm-old.tar", str(cloud.site.var / "gfs2clvm-old.tar"))
    if words.startswith("onevol "):
        words = f"{cloud.onevol} {words[7:]} --remotes {cloud.site.remotes}"
    return good(cloud.call("sh", "-c", words), command)


def switch_over_and_back(lab):
    if "switch" not in clouds:
        clouds["switch"] = Cloud(lab, ONEVOL)
    cloud = clouds["switch"]
    cloud.call("sh", "-c", f"rm -r {cloud.site.remotes}/tm/gfs2clvm {cloud.site.remotes}/datastore/gfs2clvm")
    for name, text in OLD_DRIVER.items():
        plane, action = name.split("/")
        path = cloud.site.remotes / plane / "gfs2clvm" / action
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\nset -e\n" + text.replace("VG", GROUP).replace("HOST", ONE) + "\n")
        path.chmod(0o755)
    old_volume(lab, "lv-one-65", data("old"))
    cloud.tell_image(65)
    before = cloud.vm(71, cloud.disk(0, 65))
    cloud.deploy(before, ONE)
    check(cloud.volumes()["lv-one-65-71-0"]["origin"] == "lv-one-65", "the old driver's way")
    content = cloud.guest_writes(ONE, before, 0, "made by the old driver")
    # over
    by_the_book(cloud, BACKUP)
    done = cloud.call(cloud.onevol, "setup", "--remotes", cloud.site.remotes, "--driver", "gfs2clvm")
    check(done.returncode != 0 and "--replace" in done.stderr, done)
    by_the_book(cloud, SETUP)
    by_the_book(cloud, ALIAS)
    with Running(cloud, ONE, before):
        said = cloud.call(cloud.onevol, "doctor", "--driver", "gfs2clvm").stdout
        check(re.search(rf"{re.escape(ONE)} +volume group '{GROUP}' +ok", said), said)
        during = cloud.vm(72, cloud.disk(0, 65), cloud.disk(1))
        cloud.deploy(during, ONE)
        check(cloud.volumes()["lv-one-65-72-0"]["origin"] == "", cloud.volumes())
        mine = cloud.guest_writes(ONE, during, 0, "made by ours")
        check(cloud.digest(ONE, before, 0) == content, "it goes on")
    cloud.import_image(66, data("new"))
    # back
    with Running(cloud, ONE, during):
        by_the_book(cloud, REMOVE)
        by_the_book(cloud, RESTORE)
        check((cloud.site.remotes / "tm/gfs2clvm/clone").read_text().startswith("#!/bin/sh") and
              not (cloud.site.remotes / "tm/gfs2clvm/resize").exists(), "the old files, and no others")
        check(SWITCH_ON in (guest.SOURCE / "docs/lvm.md").read_text())
        lab.on(ONE, f"{SWITCH_ON} -qq {GROUP}")
        check(cloud.digest(ONE, during, 0) == mine and cloud.digest(ONE, before, 0) == content)
        after = cloud.vm(73, cloud.disk(0, 66))
        cloud.deploy(after, ONE)
        check(cloud.digest(ONE, after, 0) == sha(data("new")), "the image that ours made")
        cloud.terminate(after, ONE)
        cloud.terminate(before, ONE)
    cloud.terminate(during, ONE)
    for vm in (before, during, after):
        cloud.is_gone(vm)
    for number in (65, 66):
        good(cloud.ds("rm", number, source=cloud.source(number)))
        check(f"lv-one-{number}" not in cloud.volumes(), cloud.volumes())


# --- two guests -----------------------------------------------------------------------------

# A guest that counts on its disk: block I holds I; what it finds when it comes is checked first.
COUNTER = """import mmap, os, signal, sys, time
path, number, log = sys.argv[1], int(sys.argv[2]), sys.argv[3]
BLOCKS, BLOCK = 64, 4096
disk = os.open(path, os.O_RDWR | os.O_DIRECT)
block = mmap.mmap(-1, BLOCK)
ended = []
signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
def tell(text):
    with open(log + ".new", "w") as out:
        out.write(text)
    os.rename(log + ".new", log)
for old in range(max(0, number - BLOCKS), number):
    os.preadv(disk, [block], old % BLOCKS * BLOCK)
    if int.from_bytes(block[:8], "little") != old:
        tell(f"lost {old}: {int.from_bytes(block[:8], 'little')}")
        sys.exit(1)
while not ended:
    block[:8] = number.to_bytes(8, "little")
    os.pwritev(disk, [block], number % BLOCKS * BLOCK)
    number += 1
    tell(str(number))
    time.sleep(0.02)  # leaves the host some of its time
tell(f"ended {number}")
"""


class Counter:
    """Goes on where `number` is, on this host."""

    def __init__(self, cloud, host, vm, number=0):
        self.cloud, self.host, self.log = cloud, host, f"/tmp/count-{number}"
        cloud.lab.ssh(host, "cat > /tmp/count.py", input=COUNTER)
        self.pid = cloud.lab.on(host, f"{AS_ONEADMIN} setsid python3 /tmp/count.py {vm.path(0)} {number} {self.log} "
                                      ">/dev/null 2>&1 </dev/null & echo $!").strip()
        self.goes_on(number)

    def said(self):
        return self.cloud.lab.on(self.host, f"cat {self.log} 2>/dev/null || true").strip()

    def goes_on(self, number=None):
        """It has written some more."""
        number = int(self.said()) if number is None else number

        def further():
            said = self.said()
            check("lost" not in said and "ended" not in said, said)
            return said and int(said) > number + 5
        eventually(further, f"it counts beyond {number}")

    def end(self):
        """As a hypervisor pauses it: what it was told is written is written. The next number."""
        self.cloud.lab.on(self.host, f"kill {self.pid}; while kill -0 {self.pid} 2>/dev/null; do sleep 0.1; done")
        said = self.said()
        check(said.startswith("ended "), said)
        return int(said.split()[1])


TWO = HOSTS[1]
SAN = {}  # attributes that the group of these cases needs


def new_clouds():
    for cloud in clouds.values():
        cloud.close()
    clouds.clear()


def begin_two(lab, version):
    cloud = cloud_of(lab, version, HOST=None, BRIDGE_LIST=ONE, **SAN)
    cloud.attributes["HOST"] = ONE  # what SOURCE begins with
    return cloud


def two_guests(lab):
    """Each with a directory of its own for VMs; no lvmlockd."""
    new_clouds()
    lab.renew()
    lab.on(ONE, f"vgcreate {GROUP} /dev/vda")
    images(begin_two(lab, "5.4.0"))


def two_guests_with_gfs2(lab):
    """As gfs2clvm was made for: the VMs' directories on GFS2, locks by dlm."""
    new_clouds()
    SAN["LVM_ACTIVATION"] = "SHARED"
    lab.renew(lockd=True)
    lockd.start_dlm(lab)
    lab.on(ONE, f"vgcreate --shared {GROUP} /dev/vda")
    lockd.join(lab, TWO, GROUP)
    lab.on(ONE, f"lvcreate -qq -y -asy -L 512M -n files {GROUP} && "
                f"mkfs.gfs2 -q -O -p lock_dlm -t {lockd.CLUSTER}:files -j 2 -J 8 /dev/{GROUP}/files")
    lab.on(TWO, f"lvchange -asy {GROUP}/files")
    folder = "/var/lib/one/datastores"
    lab.everywhere(f"mkdir -p {folder} && mount -t gfs2 /dev/{GROUP}/files {folder} && chown oneadmin: {folder}")
    images(begin_two(lab, "7.4.0"))


def images(cloud):
    cloud.import_image(OS, data("os"))
    source = good(cloud.ds("mkfs", STORE, fmt="raw", kind=2, persistent=1))
    cloud.tell_image(STORE, kind=2, persistent=1, source=source)


def version_of_two():
    return next(iter(clouds))


def live_migrate(lab):
    """The guest counts on the disk all the time but for the pause; then a migration that fails."""
    cloud = begin_two(lab, version_of_two())
    vm = cloud.vm(80, cloud.disk(0, OS), cloud.persistent(1, STORE), cloud.disk(2, TYPE="swap"), context=9)
    cloud.deploy(vm, ONE)
    names = [f"lv-one-{OS}-80-0", f"lv-one-{STORE}", "lv-one-80-2"]
    counter = Counter(cloud, ONE, vm)
    vm.tell(MIGRATE, TWO)
    good(cloud.migrate("premigrate", vm, ONE, TWO), "premigrate")
    counter.goes_on()
    for name in names:
        check(all(name in cloud.devices()[host] for host in HOSTS), name, cloud.devices())
    check(cloud.on(TWO, f"blkid -p -o value -s LABEL {vm.path(9)}").strip() == "CONTEXT", "small files too")
    counter = Counter(cloud, TWO, vm, counter.end())
    good(cloud.migrate("postmigrate", vm, ONE, TWO), "postmigrate")
    vm.tell(RUNNING)
    for name in names:
        check(name not in cloud.devices()[ONE] and cloud.tags(name, "at") == [TWO], cloud.state())
    counter.goes_on()
    vm.tell(MIGRATE, ONE)
    good(cloud.migrate("premigrate", vm, TWO, ONE), "premigrate")
    good(cloud.migrate("failmigrate", vm, TWO, ONE), "failmigrate")
    vm.hosts.pop()
    vm.tell(RUNNING)
    counter.goes_on()
    for name in names:
        check(name not in cloud.devices()[ONE] and cloud.tags(name, "at") == [TWO], cloud.state())
    counter.end()


def migrate(lab):
    """Saved there, restored here: the disks, and the memory in the VM's directory."""
    cloud = begin_two(lab, version_of_two())
    vm = cloud.vm(80, cloud.disk(0, OS), cloud.persistent(1, STORE), cloud.disk(2, TYPE="swap"), context=9)
    vm.hosts = [(TWO, SYSTEM)]
    cloud.as_user(TWO, f"printf memory > {vm.directory()}/checkpoint")
    content = cloud.digest(TWO, vm, 0)
    with Running(cloud, TWO, vm):
        vm.tell(PROLOG_MIGRATE, ONE)
        cloud.refused(lambda: cloud.tm("mv", cloud.at(TWO, vm, 0), cloud.at(ONE, vm, 0), 80, IMAGES), "in use")
    vm.hosts.pop()
    cloud.move(vm, TWO, ONE, PROLOG_MIGRATE)
    check(cloud.on(ONE, f"cat {vm.directory()}/checkpoint") == "memory")
    cloud.start(vm, ONE)
    check(cloud.digest(ONE, vm, 0) == content)
    check(not set(cloud.devices()[TWO]) & {f"lv-one-{OS}-80-0", f"lv-one-{STORE}", "lv-one-80-2"}, cloud.devices())
    cloud.terminate(vm, ONE)
    cloud.is_gone(vm, *HOSTS)


def live_migrate_on_gfs2(lab):
    live_migrate(lab)


def migrate_on_gfs2(lab):
    migrate(lab)


def copy_on_write_clones_stay_together(lab):
    """The second generation's: never on two hosts; off its host only if it has no siblings."""
    cloud = begin_two(lab, version_of_two())
    old_volume(lab, "lv-one-30", data("old image"))
    cloud.tell_image(30)
    vms = [cloud.vm(number, cloud.disk(0, 30)) for number in (40, 41)]
    for vm in vms:
        old_volume(lab, f"lv-one-30-{vm.number}-0", origin="lv-one-30")
        old_links(cloud, vm, f"/dev/{GROUP}/lv-one-30-{vm.number}-0")
        vm.tell(RUNNING, ONE)
    vm, other = vms
    mine = cloud.guest_writes(ONE, vm, 0, "mine")
    new = cloud.vm(42, cloud.disk(0, 30))
    new.tell(PROLOG, TWO)
    cloud.refused(lambda: cloud.bring(new, TWO, new.disks[0]), "copy-on-write clone")
    vm.tell(MIGRATE, TWO)
    done = cloud.migrate("premigrate", vm, ONE, TWO)
    check(done.returncode != 0 and "copy-on-write clone" in done.stderr, done)
    check(not [name for name in cloud.devices()[TWO] if "-30" in name], cloud.devices())
    vm.tell(PROLOG_MIGRATE)
    cloud.refused(lambda: cloud.tm("mv", cloud.at(ONE, vm, 0), cloud.at(TWO, vm, 0), 40, IMAGES), "lv-one-30-41-0")
    vm.hosts.pop()
    cloud.terminate(other, ONE)
    cloud.move(vm, ONE, TWO, PROLOG_MIGRATE)
    check(cloud.digest(TWO, vm, 0) == mine and not [n for n in cloud.devices()[ONE] if "-30" in n], cloud.devices())
    # the image is read where its clone is
    cloud.deploy(new, ONE)
    check(cloud.digest(ONE, new, 0) == sha(data("old image")))
    for one, host in ((new, ONE), (vm, TWO)):
        cloud.terminate(one, host)
        cloud.is_gone(one, *HOSTS)
    good(cloud.ds("rm", 30, source=cloud.source(30)))


CHECKED = [one_guest, import_, instantiate, vm_1_is_not_vm_10, an_untagged_volume_in_the_way_is_refused,
           stop_and_resume]
STATE_LIST = [datablock, reboot, suspend_and_resume, snapshot_of_a_suspended_machine,
              new_os_image_from_another_image, resubmit, cancel, shutdown_and_persistence, delete,
              save_as_on_shutdown]
MORE = [attributes, copy_on_write_clones_of_the_second_generation, the_first_generation, install_media,
        a_running_vms_disk, whose_sources_they_are, snapshots_need_the_sudoers_file, who_owns_a_device,
        after_a_power_cut, switch_over_and_back]
PAIR = [two_guests, live_migrate, migrate, copy_on_write_clones_stay_together]
WITH_GFS2 = [two_guests_with_gfs2, live_migrate_on_gfs2, migrate_on_gfs2]


def main():
    if not ONEVOL:
        print(__doc__)
        return 2
    words = sys.argv[2:]
    quick = "--quick" in words
    wanted = [word for word in words if not word.startswith("--")]
    build = case.build_directory(ONEVOL)
    cases = CHECKED if quick else CHECKED + STATE_LIST + MORE + PAIR + WITH_GFS2
    status = case.run(cases, lambda: make_lab(build, HOSTS), build, ("lvm", "thin_check", "sudo"), wanted)
    spent = [one for cloud in clouds.values() for one in cloud.spent]
    for seconds, name in sorted(spent)[-3:]:
        print(f"# {seconds:6.2f} s  {name}")
    if spent:
        print(f"# {len(spent)} actions, {sum(s for s, _ in spent):.0f} s")
    for cloud in clouds.values():
        cloud.close()
    return status


if __name__ == "__main__":
    sys.exit(main())
