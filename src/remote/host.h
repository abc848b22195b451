// SPDX-License-Identifier: Apache-2.0
/*
 * Hosts, and what can be asked of one. The only way to storage on any machine, the front-end
 * included: each call here is one numbered step (base/step.h).
 *
 * Paths are absolute and normalised. Errors name the host unless it is the front-end.
 */
#pragma once

#include "base/argv.h"
#include "base/command.h"
#include "base/step.h"
#include "mover/move.h"

#include <glib.h>
#include <stdbool.h>
#include <sys/stat.h>

typedef struct Host Host;

/* The machine this runs on. Lives as long as the process. */
Host *host_frontend(void);

/* A host by the name that oned uses for it; the front-end answers to all of its own names
 * (`localhost`, its host name with and without domain). Owned by the module. */
Host *host_named(const char *name, GError **error);

/* Further names of the front-end (HOSTNAME in oned.conf). */
void host_add_frontend_name(const char *name);

/* Something will be asked of it soon: its session is begun, and nobody waits for it yet. */
void host_expect(Host *host);

/* It has answered, or is known not to: asking it does not wait for a connection. */
bool host_is_met(const Host *host);

const char *host_name(const Host *host);
bool host_is_frontend(const Host *host);

/* DIRECT=NO: copies between two hosts go by way of this machine. ONEVOL_DIRECT in the environment
 * wins. */
void hosts_forbid_direct(void);

/* Releases all locks and sessions. Called once, before the process ends. */
void hosts_close(void);

typedef struct FileInfo {
    guint32 mode;      /* st_mode; 0 = nothing of that name */
    guint64 size;      /* bytes */
    guint64 allocated; /* bytes on disk */
    guint64 device, inode;
    guint64 modified; /* seconds since the epoch */
    char *target;     /* of a link, else "" */
} FileInfo;

void file_info_clear(FileInfo *info);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FileInfo, file_info_clear)

/* A missing file is no error: mode is 0. */
bool host_stat(Host *host, const char *path, bool follow, FileInfo *info, GError **error);

typedef struct DirectoryEntry {
    char *name;
    guint32 mode;
    guint64 size, allocated;
} DirectoryEntry;

/* DirectoryEntry elements; empty for a missing directory. NULL on failure. */
GPtrArray *host_list(Host *host, const char *path, GError **error);

GBytes *host_read(Host *host, const char *path, guint64 offset, guint64 length, GError **error);
char *host_resolve(Host *host, const char *path, GError **error);
bool host_space(Host *host, const char *path, guint64 *total, guint64 *used, guint64 *available,
                GError **error);
/* md5, sha1 or sha256, in hex, of the first `length` bytes, 0 for all. */
char *host_digest(Host *host, const char *path, const char *algorithm, guint64 length,
                  GError **error);

bool host_make_directory(Host *host, const char *path, GError **error);
bool host_link(Host *host, const char *target, const char *path, GError **error);
bool host_remove(Host *host, const char *path, GError **error);
bool host_remove_tree(Host *host, const char *path, GError **error);
bool host_rename(Host *host, const char *from, const char *to, GError **error);
bool host_write(Host *host, const char *path, GBytes *content, guint32 mode, GError **error);
/* Makes a sparse file, or lets one grow. */
bool host_allocate(Host *host, const char *path, guint64 size, bool create, GError **error);
/* Every hole of the file gets its blocks; *possible is false where the file system cannot. */
bool host_reserve(Host *host, const char *path, bool *possible, GError **error);
/* What any process of that host has written to `path` is with the storage's servers from here on.
 */
bool host_flush(Host *host, const char *path, GError **error);
/* The nearest directory at or above `path` (which need not exist) that has an entry `name`, links
 * resolved; "" if there is none. NULL on failure. */
char *host_find_above(Host *host, const char *path, const char *name, GError **error);
/* The disk of a VM below `datastores`, "" if there is none, that is a link to `target` and not the
 * VM's disk `but`, in whichever datastore. NULL on failure. */
char *host_find_link(Host *host, const char *datastores, const char *target, const char *but,
                     GError **error);
/* The first of `names` (NULL at the end) that is a program in PATH there, "" if none is. */
char *host_find_program(Host *host, const char *const *names, GError **error);
/* Both on this host, files or block devices. `how` may be NULL, else what was done, for the log;
 * the caller frees it. */
bool host_copy(Host *host, const char *source, const char *target, bool share,
               const MoveOptions *options, char **how, GError **error);
bool host_copy_tree(Host *host, const char *source, const char *target, GError **error);

/* Of a disk that a running guest writes to: frozen, or if allowed suspended, for the instant in
 * which blocks are shared, or in which the command `snapshot` (NULL for none) makes `target` from
 * `source`, both among its words, within 5 s (local/freeze.c). `uri` and `domain` are libvirt's. */
bool host_frozen_copy(Host *host, const char *uri, const char *domain, bool may_suspend,
                      const Argv *snapshot, const char *source, const char *target, char **how,
                      GError **error);

/*
 * A running guest stands still for a snapshot that is no command on its host: frozen, or if allowed
 * suspended. A guardian on the host lets it go on after `limit_ms` (7 s at most), or when this
 * process, the agent or the session ends. host_thaw() must follow, also on error paths. It fails
 * with TIMEOUT if the guardian had to act before: the snapshot is not of one instant and must be
 * removed. One guest a host at a time. NOT_FOUND: libvirt does not know the domain; one that does
 * not run is left as it is. `how` may be NULL.
 */
bool host_freeze(Host *host, const char *uri, const char *domain, bool may_suspend,
                 unsigned limit_ms, char **how, GError **error);
bool host_thaw(Host *host, GError **error);

/* The guest's memory to a device or file there, and back: the guest is gone after the one, and runs
 * after the other, or goes on as it was when it fails, whoever dies (local/checkpoint.c). `xml` is
 * a new document of the guest, NULL for the saved one. A guest that is there already is let run,
 * and its image spent. */
bool host_guest_save(Host *host, const char *uri, const char *domain, const char *path,
                     unsigned timeout_ms, GError **error);
bool host_guest_restore(Host *host, const char *uri, const char *domain, const char *path,
                        const char *xml, bool sync_time, unsigned timeout_ms, GError **error);

/* See local/build.c. `content` is the path to fill. */
bool host_build_begin(Host *host, const char *path, const char *mark, char **content,
                      GError **error);
bool host_build_commit(Host *host, const char *path, const char *token, GError **error);
bool host_build_abandon(Host *host, const char *path, const char *token, GError **error);

/* Takes the lock `key` of that machine for the rest of the action. `holder` begins with the
 * action's name: what a second run is measured against (local/lock.c). Waits at most 60 s. */
bool host_lock(Host *host, const char *key, const char *holder, GError **error);
/* Before its end: for short locks that many actions share. One that is not held is success. */
bool host_unlock(Host *host, const char *key, GError **error);
/* A lock that several actions may have at once, of a key of its own. host_unshare() gives it up;
 * *last: nobody else has it, and nobody gets it until host_unlock(). */
bool host_share(Host *host, const char *key, GError **error);
bool host_unshare(Host *host, const char *key, bool *last, GError **error);

/* Runs a command there. `object` is what it reads or changes. An exit status other than 0 is an
 * error; `out` may be NULL. */
bool host_run(Host *host, StepKind kind, const char *object, const Argv *argv, unsigned timeout_ms,
              char **out, GError **error);

/* The same with `input` on its stdin; *result tells how it ended, and is empty after a dry run. */
bool host_run_any(Host *host, StepKind kind, const char *object, const Argv *argv, GBytes *input,
                  unsigned timeout_ms, CommandResult *result, GError **error);

/* A file or block device to the same or another host, or a directory with files, links and modes
 * to a fresh place (the content of a build). Flushed when they return. `options` may be NULL: a
 * fresh target, at full speed; so may `how`. */
bool host_transfer(Host *from, const char *source, Host *to, const char *target,
                   const MoveOptions *options, char **how, GError **error);
bool host_transfer_tree(Host *from, const char *source, Host *to, const char *target,
                        const MoveOptions *options, GError **error);

/* Content that this process makes (mover/move.h), to a file or block device on any machine, the
 * front-end included. Flushed when it returns; *size is what came, `size` and `how` may be NULL.
 * More than source->limit is REFUSED. A dry run reads nothing: *size is 0. */
bool host_fill(Host *to, const char *target, const ByteSource *source, const MoveOptions *options,
               guint64 *size, char **how, GError **error);
