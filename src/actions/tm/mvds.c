// SPDX-License-Identifier: Apache-2.0
/*
 * mvds: a persistent disk goes back to its image; the VM's use of it ends.
 */
#include "actions/tm/attached.h"
#include "actions/tm/place.h"
#include "base/error.h"
#include "core/snapshot.h"

/* The disk is a file of its own: its content becomes the image's, beside the old one and then in
 * its place; its snapshots first, so that a run that is cut short can be repeated. */
static bool
write_back(Task *task, const Disk *disk, Volume *image, GError **error)
{
    const OneVm *vm = task_vm(task, disk->vm_id, error);
    if (!vm)
        return false;
    g_autoptr(Volume) own = disk_volume(disk, image->datastore, image->format);
    if (tm_snapshots_with_image(task, vm, one_vm_disk(vm, disk->id)))
        own->snapshots = g_strdup(image->name);
    g_autoptr(Volume) back =
        volume_new(image->datastore, VOLUME_IMAGE, image->host, image->name, image->owner, NULL);

    if (!volume_clone(own, back, error))
        return false;
    if (!snapshots_copy(own, back, error)) {
        volume_abandon(back);
        return false;
    }
    return volume_commit(back, error) && volume_remove(own, error);
}

/* PERSISTENT_SNAPSHOTS=NO (7.0): oned forgets the snapshots now and asks nobody to remove them
 * (LifeCycleStates.cc, delete_non_persistent_snapshots). */
static bool
drop_snapshots(Task *task, const Disk *disk, Volume *image, GError **error)
{
    const OneVm *vm = task_vm(task, disk->vm_id, error);
    if (!vm)
        return false;
    const OneDisk *facts = one_vm_disk(vm, disk->id);
    g_autofree char *kept = facts ? xml_text(facts->node, "PERSISTENT_SNAPSHOTS") : NULL;
    if (!kept || g_ascii_strcasecmp(kept, "NO") != 0)
        return true;

    xmlNode *snapshots = tm_snapshots(vm, disk->id);
    xmlNode *snapshot = snapshots ? xml_find(snapshots, "SNAPSHOT") : NULL;
    for (; snapshot; snapshot = xml_next(snapshot)) {
        gint64 id = xml_number(snapshot, "ID", -1);
        if (id >= 0 && !snapshot_remove(image, id, error))
            return false;
    }
    return true;
}

static bool
go_back(Task *task, const Disk *disk, DiskForm form, Volume *image, GError **error)
{
    switch (form) {
    case DISK_LINK:
        return disk_clear_stale(disk, image->datastore, error);
    case DISK_IN_PLACE:
        return tm_lock(task, image->host, image->name, error) &&
               write_back(task, disk, image, error);
    case DISK_ABSENT:
        /* done before, or never here: the image is there, which is what counts */
        return disk_clear_stale(disk, image->datastore, error);
    }
    g_assert_not_reached();
}

bool
tm_mvds(Task *task, char **arguments, GError **error)
{
    g_auto(Disk) disk = {0};
    g_autofree char *target = NULL;
    DiskForm form = DISK_LINK;

    if (!tm_disk(task, arguments[0], arguments[2], &disk, error) ||
        (!is_attached(task) && !place_find(&disk, &form, &target, error)))
        return false;
    g_autoptr(Volume) image = tm_image(task, &disk, arguments[1], arguments[3], NULL, error);
    if (!image || !volume_require(image, error))
        return false;
    bool done = is_attached(task) ? attached_give_back(task, &disk, image, error)
                                  : go_back(task, &disk, form, image, error);
    return done && drop_snapshots(task, &disk, image, error);
}
