// SPDX-License-Identifier: Apache-2.0
#include "backends/lvm/command.h"

#include "backends/lvm/report.h"

#include <string.h>

#define SECTOR 512u

/* man 8 lvm, "VALID NAMES" */
bool
lvm_name_is_valid(const char *name)
{
    static const char *const kept[] = {"_cdata",   "_cmeta",  "_corig",   "_cpool", "_cvol",
                                       "_mimage",  "_mlog",   "_rimage",  "_rmeta", "_tdata",
                                       "_tmeta",   "_vdata",  "_vorigin", "_iorig", "_imeta",
                                       "_pmspare", "_wcorig", NULL};

    if (!*name || *name == '-' || strlen(name) > 127 || !strcmp(name, ".") || !strcmp(name, ".."))
        return false;
    for (const char *p = name; *p; p++)
        if (!g_ascii_isalnum(*p) && !strchr("._+-", *p))
            return false;
    for (const char *const *word = kept; *word; word++)
        if (strstr(name, *word))
            return false;
    return !g_str_has_prefix(name, "snapshot") && !g_str_has_prefix(name, "pvmove");
}

static Argv *
lvm(const char *program)
{
    return argv_new("sudo", "-n", program);
}

static void
add_volume(Argv *argv, const char *group, const char *name)
{
    argv_addf(argv, "%s/%s", group, name);
}

/* The second option may be NULL. */
static Argv *
lvm_with(const char *program, const char *option, const char *second, const char *group,
         const char *name)
{
    Argv *argv = lvm(program);

    argv_add(argv, option, second);
    argv_add(argv, "--");
    add_volume(argv, group, name);
    return argv;
}

static void
add_bytes(Argv *argv, const char *option, guint64 bytes)
{
    argv_add(argv, option);
    argv_addf(argv, "%" G_GUINT64_FORMAT "b", (bytes + SECTOR - 1) / SECTOR * SECTOR);
}

static void
add_tags(Argv *argv, const char *option, const char *const *tags)
{
    for (; tags && *tags; tags++)
        argv_add(argv, option, *tags);
}

/* `name` as a regular expression that matches nothing else. */
static char *
literal(const char *name)
{
    GString *text = g_string_new(NULL);

    for (; *name; name++)
        if (g_ascii_isalnum(*name) || *name == '_' || *name == '-')
            g_string_append_c(text, *name);
        else
            g_string_append_printf(text, "[%c]", *name);
    return g_string_free(text, FALSE);
}

Argv *
lvm_lvs(const char *group, const char *name)
{
    Argv *argv = lvm("lvs");

    argv_add(argv, "--reportformat", "json", "--units", "b", "--nosuffix", "--options",
             LVM_LV_FIELDS "," LVM_GROUP_FIELDS);
    if (name) {
        g_autofree char *pattern = literal(name);
        argv_add(argv, "--select");
        argv_addf(argv, "lv_name=~\"^%s([.].*)?$\" || origin=\"%s\" || pool_lv=\"%s.pool\"",
                  pattern, name, name);
    }
    argv_add(argv, "--", group);
    return argv;
}

Argv *
lvm_vgdisplay(const char *group)
{
    Argv *argv = lvm("vgdisplay");

    /* it takes --reportformat and prints columns all the same (2.03.16) */
    argv_add(argv, "--columns", "--config", "report/output_format=\"json\"", "--units", "b",
             "--nosuffix", "--options", LVM_GROUP_FIELDS, "--", group);
    return argv;
}

static const char *const activations[] = {"n", "y", "ey", "sy"};

Argv *
lvm_create(const char *group, const char *name, guint64 bytes, LvmActivation activation,
           const char *const *tags)
{
    Argv *argv = lvm("lvcreate");

    argv_add(argv, "--yes", "--activate", activations[activation], "--zero", "n",
             "--wipesignatures", "n");
    add_tags(argv, "--addtag", tags);
    add_bytes(argv, "--size", bytes);
    argv_add(argv, "--name", name, "--", group);
    return argv;
}

Argv *
lvm_create_pool(const char *group, const char *pool, guint64 bytes, const char *const *tags)
{
    Argv *argv = lvm("lvcreate");

    argv_add(argv, "--yes", "--activate", "n", "--type", "thin-pool", "--zero", "y",
             "--poolmetadataspare", "n", "--config", "activation/error_when_full=1");
    add_tags(argv, "--addtag", tags);
    add_bytes(argv, "--size", bytes);
    argv_add(argv, "--name", pool, "--", group);
    return argv;
}

Argv *
lvm_create_thin(const char *group, const char *name, const char *pool, guint64 bytes,
                const char *const *tags)
{
    Argv *argv = lvm("lvcreate");

    argv_add(argv, "--yes", "--type", "thin", "--wipesignatures", "n");
    add_tags(argv, "--addtag", tags);
    add_bytes(argv, "--virtualsize", bytes);
    argv_add(argv, "--thinpool", pool, "--name", name, "--", group);
    return argv;
}

Argv *
lvm_snapshot(const char *group, const char *origin, const char *name, unsigned percent,
             const char *const *tags)
{
    Argv *argv = lvm("lvcreate");

    argv_add(argv, "--yes", "--snapshot");
    add_tags(argv, "--addtag", tags);
    if (percent > 0) {
        argv_add(argv, "--extents");
        argv_addf(argv, "%u%%ORIGIN", percent);
    } else {
        argv_add(argv, "--setactivationskip", "y");
    }
    argv_add(argv, "--name", name, "--");
    add_volume(argv, group, origin);
    return argv;
}

Argv *
lvm_activate(const char *group, const char *name, LvmActivation activation)
{
    Argv *argv = lvm("lvchange");

    argv_add(argv, "--yes", "--activate", activations[activation]);
    if (activation != LVM_OFF) /* a merge is ended by who has the lock, not in the background */
        argv_add(argv, "--ignoreactivationskip", "--poll", "n");
    argv_add(argv, "--");
    add_volume(argv, group, name);
    return argv;
}

Argv *
lvm_refresh(const char *group, const char *name)
{
    return lvm_with("lvchange", "--refresh", NULL, group, name);
}

Argv *
lvm_retag(const char *group, const char *name, const char *const *without, const char *const *with)
{
    Argv *argv = lvm("lvchange");

    add_tags(argv, "--deltag", without);
    add_tags(argv, "--addtag", with);
    argv_add(argv, "--");
    add_volume(argv, group, name);
    return argv;
}

Argv *
lvm_extend(const char *group, const char *name, guint64 bytes, bool shared)
{
    Argv *argv = lvm("lvextend");

    argv_add(argv, "--yes");
    if (shared) /* else it wants an exclusive lock; who has it active is told by lvm_refresh() */
        argv_add(argv, "--lockopt", "shupdate,norefresh");
    add_bytes(argv, "--size", bytes);
    argv_add(argv, "--");
    add_volume(argv, group, name);
    return argv;
}

Argv *
lvm_rename(const char *group, const char *from, const char *to)
{
    Argv *argv = lvm("lvrename");

    argv_add(argv, "--", group, from, to);
    return argv;
}

Argv *
lvm_remove(const char *group, const char *const *names)
{
    Argv *argv = lvm("lvremove");

    argv_add(argv, "--yes", "--");
    for (; *names; names++)
        add_volume(argv, group, *names);
    return argv;
}

Argv *
lvm_merge(const char *group, const char *snapshot)
{
    return lvm_with("lvconvert", "--yes", "--merge", group, snapshot);
}

Argv *
lvm_end_merge(const char *group, const char *name)
{
    return lvm_with("lvchange", "--poll", "y", group, name);
}

/* In steps, since the kernel lets nobody interrupt one. Whoever may write to the device may do it.
 */
Argv *
lvm_zero(const char *device, guint64 offset)
{
    Argv *argv = argv_new("blkdiscard", "--zeroout", "--step", "134217728");

    if (offset > 0) {
        argv_add(argv, "--offset");
        argv_addf(argv, "%" G_GUINT64_FORMAT, offset);
    }
    argv_add(argv, device);
    return argv;
}
