// SPDX-License-Identifier: Apache-2.0
/*
 * A guest of this machine's libvirt, by virsh. Its words are those that all releases know, since
 * the host may be an old one.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Guest {
    const char *uri, *domain;
} Guest;

/* Words of virsh behind the domain's name, as in `virsh -c URI COMMAND DOMAIN WORD…`. */
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* words[0] is the command. `input` is for its stdin; `input` and `out` may be NULL. */
bool guest_virsh(const Guest *guest, const char *const *words, const char *input,
                 unsigned timeout_ms, char **out, GError **error);

/* What a failed virsh said, and whether trying again is of use. */
typedef enum { NO_ANSWER, REFUSED, DONE } Answer;
/* DONE: what was wanted is so already, since the guest runs or has no job. */
Answer answer_of(const char *text);

/* It said no: nothing is under way any more, and an agent undoes what it froze until then. */
bool is_answer(const GError *error);

/* libvirt's view of one disk. */
typedef struct GuestDisk {
    char *device; /* vda; NULL: the guest has no such disk */
    char *format; /* raw or qcow2 */
    char *mirror; /* where a block copy goes to, NULL: none */
    bool ready;   /* the mirror has caught up */
    char *path;   /* as it was asked for */
    char *others; /* devices of the other disks, blank-separated */
} GuestDisk;

void guest_disk_clear(GuestDisk *disk);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(GuestDisk, guest_disk_clear)

/* The running guest's disk that is the file or device `path`, by whatever name. */
bool guest_disk_find(const Guest *guest, const char *path, GuestDisk *disk, GError **error);

/* The same from the domain's own document. */
bool guest_disk_parse(const char *xml, const char *path, GuestDisk *disk, GError **error);
