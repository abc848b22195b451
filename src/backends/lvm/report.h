// SPDX-License-Identifier: Apache-2.0
/*
 * What LVM says of a volume group, asked with `--reportformat json --units b --nosuffix`, and the
 * tags that we keep on our volumes: "onevol.KEY=VALUE" (design: docs/design/lvm.md).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Lv {
    char *name, *origin, *pool; /* "" if it has none */
    char **tags;
    char *attributes; /* lv_attr */
    guint64 size;
    double data_percent, metadata_percent; /* -1: not told */
} Lv;

typedef struct LvmReport {
    GPtrArray *volumes; /* Lv */
    bool has_group;     /* the rest is known: some row told */
    guint64 extent, group_size, group_free;
    char *lock_type; /* dlm, sanlock, …; "" without lvmlockd */
    bool clustered;  /* the flag of clvmd, which LVM of today refuses */
} LvmReport;

/* What lvm_lvs() and lvm_vgdisplay() of command.h ask for. */
#define LVM_LV_FIELDS "lv_name,lv_size,lv_attr,lv_tags,origin,pool_lv,data_percent,metadata_percent"
#define LVM_GROUP_FIELDS "vg_extent_size,vg_size,vg_free,vg_lock_type,vg_attr"

/* CORRUPT for what is no such report. */
bool lvm_report_parse(const char *text, LvmReport *report, GError **error);
void lvm_report_clear(LvmReport *report);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LvmReport, lvm_report_clear)

/* NULL if it is not there. */
const Lv *lvm_report_find(const LvmReport *report, const char *name);

/* The value of our tag `key`, NULL without one. Borrowed. */
const char *lv_tag(const Lv *lv, const char *key);
/* All values of a tag that may stand more than once; borrowed strings, free the array. */
GPtrArray *lv_tags(const Lv *lv, const char *key);
bool lv_has_tag(const Lv *lv, const char *key, const char *value);
/* "onevol.KEY=VALUE", what LVM allows in no tag replaced by '_'. Caller frees. */
char *lvm_tag(const char *key, const char *value);

bool lv_is_thin(const Lv *lv);
/* A snapshot with a store of its own, as the second predecessor's clones are: active only together
 * with its origin and that one's other snapshots. */
bool lv_is_cow(const Lv *lv);
/* A snapshot is being merged into it. */
bool lv_is_merging(const Lv *lv);
/* A snapshot that is full or cannot be merged: what the kernel says where it is active. */
bool lv_has_failed(const Lv *lv);
/* As a guest sees it: what our tag says, if the volume is that size rounded up. */
guint64 lv_virtual_size(const Lv *lv, guint64 extent);
/* What a thin one takes of its pool; all of a thick one. */
guint64 lv_allocated_size(const Lv *lv);
