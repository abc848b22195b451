// SPDX-License-Identifier: Apache-2.0
/*
 * A guest's memory goes to a device or file, and comes back: virsh save and restore, so that
 * whoever dies the guest either runs or is saved as a whole.
 *
 * libvirt itself lets a guest go on whose save failed, but goes on saving when virsh has died. So a
 * guardian ends a save that nobody waits for. libvirt also says in the first bytes whether an image
 * is complete. A guest is restored in a paused state; then the image is spent, and only then the
 * guest goes on: an image can never come back a second time over disks that have changed since.
 */
#include "base/command.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "local/handlers.h"
#include "local/still.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MS SECONDS(5)
#define GO_MS SECONDS(10)
#define ABORT_MS SECONDS(10)
#define GUARDIAN_MS SECONDS(40) /* for the one that ends a save */
#define SYNC_MS SECONDS(6)
#define LOOKS 40u /* of a guardian, so many times QUIET_MS or a little more */
#define QUIET 4u  /* times that the same is seen until a guardian believes it */
#define QUIET_MS 300u
#define TRIES 3u /* what is worth a try again */
#define PAUSE_MS 5000u

/* libvirt's src/qemu/qemu_saveimage.h */
#define MAGIC_LENGTH 16
static const char magic_complete[] = "LibvirtQemudSave";
static const char magic_spent[] = "RestoredByOnevol";

typedef enum { GUEST_UNKNOWN, GUEST_GONE, GUEST_PAUSED, GUEST_RUNNING } GuestState;

/* UNKNOWN: libvirt does not answer. */
static GuestState
state_of(const Guest *guest)
{
    g_autofree char *state = NULL;
    g_autoptr(GError) error = NULL;

    if (!guest_virsh(guest, WORDS("domstate"), NULL, LOOK_MS, &state, &error))
        return strstr(error->message, "failed to get domain") ? GUEST_GONE : GUEST_UNKNOWN;
    g_strstrip(state);
    if (!strcmp(state, "shut off") || !strcmp(state, "crashed"))
        return GUEST_GONE;
    return !strcmp(state, "paused") ? GUEST_PAUSED : GUEST_RUNNING;
}

static bool
has_magic(const char *path, const char *magic)
{
    char bytes[MAGIC_LENGTH];
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    return fd >= 0 && pread(fd, bytes, sizeof bytes, 0) == sizeof bytes &&
           !memcmp(bytes, magic, sizeof bytes);
}

/* The image in `path` cannot be restored from now on. */
static bool
spend(const char *path, GError **error)
{
    AUTO_FD fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || pwrite(fd, magic_spent, MAGIC_LENGTH, 0) != MAGIC_LENGTH || fsync(fd))
        return set_error_errno(error, errno, "cannot write to '%s'", path);
    return true;
}

typedef struct Checkpoint {
    Guest guest;
    const char *path, *xml; /* xml: its new document, "" for its own */
    bool was_running;
    unsigned timeout_ms;
} Checkpoint;

/* Only a save: what somebody else does with the guest goes on. */
static void
abort_save(const Guest *guest)
{
    g_autofree char *job = NULL;

    if (guest_virsh(guest, WORDS("domjobinfo"), NULL, LOOK_MS, &job, NULL) &&
        (!strstr(job, "Operation:") || strstr(job, "Save")))
        guest_virsh(guest, WORDS("domjobabort"), NULL, ABORT_MS, NULL, NULL);
}

/* In a guardian, or after a failure: the guest runs on, or is saved and gone. An order to save may
 * still be on its way when its sender has died. */
static bool
give_up_save(const void *data)
{
    const Checkpoint *save = data;
    unsigned quiet = 0;

    for (unsigned look = 0; look < LOOKS && quiet < QUIET; look++) {
        GuestState state = state_of(&save->guest);
        bool as_before = state == GUEST_RUNNING || (state == GUEST_PAUSED && !save->was_running);
        if (state == GUEST_GONE)
            return true;
        abort_save(&save->guest);
        if (state == GUEST_PAUSED && save->was_running)
            guest_virsh(&save->guest, WORDS("resume"), NULL, GO_MS, NULL, NULL);
        quiet = as_before ? quiet + 1 : 0;
        guardian_pause(QUIET_MS);
    }
    return quiet == QUIET;
}

static bool
virsh_save(const Checkpoint *save, GError **error)
{
    for (unsigned try = 1;; try++) {
        GError *refused = NULL;
        if (guest_virsh(&save->guest, WORDS("save", save->path), NULL, save->timeout_ms, NULL,
                        &refused))
            return true;
        if (try == TRIES || !strstr(refused->message, "active block job")) {
            g_propagate_error(error, refused);
            return false;
        }
        log_info("saved later: %s", refused->message);
        g_clear_error(&refused);
        for (unsigned waited = 0; waited < PAUSE_MS && cancel_check(NULL); waited += 100)
            g_usleep(100000);
    }
}

static bool
save_guest(const Checkpoint *save, int lock, GError **error)
{
    GError *refused = NULL;
    Guardian guardian;

    if (!guardian_start(&guardian, give_up_save, save, -1, lock, error))
        return false;
    bool done = virsh_save(save, &refused);
    int acted = guardian_dismiss(&guardian, done, GUARDIAN_MS);
    if (done)
        return true;
    /* its end may have been faster than ours */
    if (state_of(&save->guest) == GUEST_GONE && has_magic(save->path, magic_complete)) {
        log_warn("saved all the same: %s", refused->message);
        g_error_free(refused);
        return true;
    }
    g_propagate_error(error, refused);
    if (acted & GUARDIAN_IN_VAIN)
        g_prefix_error(error,
                       "guest '%s' may stand still (`virsh -c %s resume %s`): ", save->guest.domain,
                       save->guest.uri, save->guest.domain);
    return false;
}

bool
local_guest_save(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply,
                 GError **error)
{
    Checkpoint save = {0};
    guint32 timeout_ms;

    g_variant_get(arguments, "(&s&s&su)", &save.guest.uri, &save.guest.domain, &save.path,
                  &timeout_ms);
    save.timeout_ms = timeout_ms;
    int lock = still_lock(&save.guest, error);
    if (lock < 0)
        return false;
    bool done =
        guest_is_running(&save.guest, &save.was_running, error) && save_guest(&save, lock, error);
    close(lock);
    if (done)
        *reply = g_variant_new("()");
    return done;
}

/* In a guardian: a restore that has begun is brought to its end. That a guest can be resumed is the
 * sign that libvirt has read all of the image. */
static bool
finish_restore(const void *data)
{
    const Checkpoint *restore = data;
    unsigned gone = 0;

    for (unsigned look = 0; look < LOOKS && gone < QUIET; look++) {
        GuestState state = state_of(&restore->guest);
        if (state == GUEST_PAUSED &&
            guest_virsh(&restore->guest, WORDS("resume"), NULL, GO_MS, NULL, NULL))
            state = GUEST_RUNNING;
        if (state == GUEST_RUNNING)
            return spend(restore->path, NULL);
        gone = state == GUEST_GONE ? gone + 1 : 0;
        guardian_pause(QUIET_MS);
    }
    return gone == QUIET;
}

static bool
virsh_restore(const Checkpoint *restore, GError **error)
{
    const Guest image = {restore->guest.uri, restore->path}; /* where virsh wants a domain's name */
    bool own = !*restore->xml;

    for (unsigned try = 1;; try++) {
        GError *refused = NULL;
        if (guest_virsh(&image,
                        own ? WORDS("restore", "--paused")
                            : WORDS("restore", "--paused", "--xml", "/dev/stdin"),
                        own ? NULL : restore->xml, restore->timeout_ms, NULL, &refused))
            return true;
        /* some QEMUs die at the first try (OpenNebula's own restore) */
        if (try == TRIES || !is_answer(refused) || state_of(&restore->guest) != GUEST_GONE) {
            g_propagate_error(error, refused);
            return false;
        }
        log_info("restored again: %s", refused->message);
        g_clear_error(&refused);
    }
}

/* It is there, and paused unless an earlier run came further. */
static bool
let_it_run(const Checkpoint *restore, GError **error)
{
    g_autoptr(GError) unspent = NULL;
    GError *refused = NULL;

    if (!spend(restore->path, &unspent))
        log_warn("the checkpoint of '%s' stays usable: %s", restore->guest.domain,
                 unspent->message);
    if (guest_virsh(&restore->guest, WORDS("resume"), NULL, GO_MS, NULL, &refused) ||
        answer_of(refused->message) == DONE || state_of(&restore->guest) == GUEST_RUNNING) {
        g_clear_error(&refused);
        return true;
    }
    g_propagate_error(error, refused);
    return false;
}

static bool
restore_guest(const Checkpoint *restore, int lock, GError **error)
{
    Guardian guardian;
    GError *refused = NULL;

    if (!guardian_start(&guardian, finish_restore, restore, -1, lock, error))
        return false;
    bool is_there = state_of(&restore->guest) >= GUEST_PAUSED;
    bool done = (is_there || virsh_restore(restore, &refused)) && let_it_run(restore, &refused);
    bool never = !done && is_answer(refused) && state_of(&restore->guest) == GUEST_GONE;
    guardian_dismiss(&guardian, done || never, GUARDIAN_MS);
    if (!done && !never && state_of(&restore->guest) == GUEST_RUNNING) {
        log_warn("restored all the same: %s", refused->message);
        g_clear_error(&refused);
        return true;
    }
    if (!done)
        g_propagate_error(error, refused);
    return done;
}

bool
local_guest_restore(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply,
                    GError **error)
{
    Checkpoint restore = {0};
    gboolean sync_time;
    guint32 timeout_ms;

    g_variant_get(arguments, "(&s&s&s&sbu)", &restore.guest.uri, &restore.guest.domain,
                  &restore.path, &restore.xml, &sync_time, &timeout_ms);
    restore.timeout_ms = timeout_ms;
    int lock = still_lock(&restore.guest, error);
    if (lock < 0)
        return false;
    bool done = restore_guest(&restore, lock, error);
    close(lock);
    if (!done)
        return false;
    if (sync_time) /* wants an agent in the guest, and is no reason to fail */
        guest_virsh(&restore.guest, WORDS("domtime", "--sync"), NULL, SYNC_MS, NULL, NULL);
    *reply = g_variant_new("()");
    return true;
}
