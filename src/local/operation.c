// SPDX-License-Identifier: Apache-2.0
#include "local/operation.h"

#include "base/error.h"
#include "local/handlers.h"

#include <string.h>

/*
 * name, kind, arguments, reply, function.
 *
 * stat         path, follow links       → mode (0: not there), size, allocated, device, inode,
 *                                          modified (s), link target
 * list         directory                → name, mode, size, allocated; nothing if not there
 * read         path, offset, length     → bytes, fewer at the end of the file
 * resolve      path                     → the path without links
 * space        path                     → total, used, free bytes
 * digest       path, algorithm, length  → hex text; md5, sha1, sha256; length 0: all
 * link         target, path             replaces what is there (not a directory) in one step
 * remove       path                     → was there
 * remove-tree  path                     → was there
 * rename       from, to
 * write        path, bytes, mode        replaces in one step
 * allocate     path, size, create       sparse; grows only; → size before
 * reserve      path                     → was possible; every hole of the file gets its blocks
 * flush        path                     what anybody here has written to it reaches the storage
 * find-above   path, name               → the nearest directory above that has `name`, or ""
 * find-link    directory, target, but   → DIRECTORY/N/VM/disk.* that leads to target, and is not
 *                                          the disk of that VM that `but` is; ""
 * find-program names                    → the first of them that is in PATH, or ""
 * copy         source, target, share, dirty, readback, length → method, bytes moved
 * copy-tree    source, target           files with holes and shared blocks, links as links
 * build-begin  path, mark               → where the content goes
 * build-commit path, token              content becomes path, if the token is still ours
 * build-abandon path, token             the same, but it goes away
 * lock         key, holder ("ACTION …"), timeout (ms)
 * unlock       key
 * share        key, timeout (ms)        a lock that several sessions may have
 * unshare      key                      → was the last that had it, and has it alone until unlock
 * run          words, input, timeout (ms) → status, stdout, stderr
 * frozen-copy  libvirt URI, domain, may suspend, words of a command that makes the copy or none,
 *              source, target           → how (local/freeze.c)
 * freeze       libvirt URI, domain, may suspend, limit (ms) → how; the session keeps its guardian
 * thaw         libvirt URI, domain, how, limit (ms)
 * guest-save   libvirt URI, domain, device or file, timeout (ms)          (local/checkpoint.c)
 * guest-restore libvirt URI, domain, device or file, new document or "", set its clock,
 *              timeout (ms)
 * bulk-open                             → a ticket for a bulk connection (local/bulk.h)
 * send         ticket, path, tree, bytes per second, length → size, data, bytes sent, digest
 * receive      ticket, path, tree, dirty, readback → the same
 *
 * Then: how long it may do nothing before it counts as hung, and whether it runs in the process
 * that holds the session, where nothing may wait.
 */
#define SHORT 60u
#define LONG 600u
static const Operation operations[] = {
    {"stat",           STEP_READ,  "(sb)",      "(uttttts)", local_stat,           SHORT, false},
    {"list",           STEP_READ,  "(s)",       "(a(sutt))", local_list,           SHORT, false},
    {"read",           STEP_READ,  "(stt)",     "(ay)",      local_read,           SHORT, false},
    {"resolve",        STEP_READ,  "(s)",       "(s)",       local_resolve,        SHORT, false},
    {"space",          STEP_READ,  "(s)",       "(ttt)",     local_space,          SHORT, false},
    {"digest",         STEP_READ,  "(sst)",     "(s)",       local_digest,         LONG,  false},
    {"make-directory", STEP_WRITE, "(s)",       "()",        local_make_directory, SHORT, false},
    {"link",           STEP_WRITE, "(ss)",      "()",        local_link,           SHORT, false},
    {"remove",         STEP_WRITE, "(s)",       "(b)",       local_remove,         SHORT, false},
    {"remove-tree",    STEP_WRITE, "(s)",       "(b)",       local_remove_tree,    LONG,  false},
    {"rename",         STEP_WRITE, "(ss)",      "()",        local_rename,         SHORT, false},
    {"write",          STEP_WRITE, "(sayu)",    "()",        local_write,          SHORT, false},
    {"allocate",       STEP_WRITE, "(stb)",     "(t)",       local_allocate,       SHORT, false},
    {"reserve",        STEP_WRITE, "(s)",       "(b)",       local_reserve,        LONG,  false},
    {"flush",          STEP_READ,  "(s)",       "()",        local_flush,          LONG,  false},
    {"find-above",     STEP_READ,  "(ss)",      "(s)",       local_find_above,     SHORT, false},
    {"find-link",      STEP_READ,  "(sss)",     "(s)",       local_find_link,      LONG,  false},
    {"find-program",   STEP_READ,  "(as)",      "(s)",       local_find_program,   SHORT, false},
    {"copy",           STEP_WRITE, "(ssbbbt)",  "(st)",      local_copy,           LONG,  false},
    {"copy-tree",      STEP_WRITE, "(ss)",      "()",        local_copy_tree,      LONG,  false},
    {"build-begin",    STEP_WRITE, "(ss)",      "(s)",       local_build_begin,    LONG,  false},
    {"build-commit",   STEP_WRITE, "(ss)",      "()",        local_build_commit,   LONG,  false},
    {"build-abandon",  STEP_WRITE, "(ss)",      "()",        local_build_abandon,  LONG,  false},
    {"lock",           STEP_READ,  "(ssu)",     "()",        local_lock,           LONG,  false},
    {"unlock",         STEP_READ,  "(s)",       "()",        local_unlock,         SHORT, true },
    {"share",          STEP_READ,  "(su)",      "()",        local_share,          LONG,  false},
    {"unshare",        STEP_READ,  "(s)",       "(b)",       local_unshare,        SHORT, true },
    {"run",            STEP_WRITE, "(asayu)",   "(iayay)",   local_run,            LONG,  false},
    {"frozen-copy",    STEP_WRITE, "(ssbasss)", "(s)",       local_frozen_copy,    LONG,  false},
    {"freeze",         STEP_WRITE, "(ssbu)",    "(s)",       local_freeze,         SHORT, false},
    {"thaw",           STEP_WRITE, "(sssu)",    "()",        local_thaw,           SHORT, false},
    {"guest-save",     STEP_WRITE, "(sssu)",    "()",        local_guest_save,     LONG,  false},
    {"guest-restore",  STEP_WRITE, "(ssssbu)",  "()",        local_guest_restore,  LONG,  false},
    {"bulk-open",      STEP_READ,  "()",        "(s)",       local_bulk_open,      SHORT, true },
    {"send",           STEP_READ,  "(ssbtt)",   "(tttay)",   local_send,           LONG,  false},
    {"receive",        STEP_WRITE, "(ssbbb)",   "(tttay)",   local_receive,        LONG,  false},
};

const Operation *
operation_find(const char *name)
{
    for (guint i = 0; i < G_N_ELEMENTS(operations); i++)
        if (!strcmp(operations[i].name, name))
            return &operations[i];
    return NULL;
}

bool
operation_run(const Operation *operation, Session *session, GVariant *arguments, GVariant **reply,
              GError **error)
{
    g_autoptr(GVariant) held = g_variant_ref_sink(arguments);

    if (!g_variant_is_of_type(held, G_VARIANT_TYPE(operation->arguments)))
        return set_error(error, ONEVOL_ERROR_USAGE, "request '%s' has arguments of a wrong type",
                         operation->name);
    *reply = NULL;
    if (!operation->run(session, held, reply, error)) {
        if (*reply) /* one that was made ready too early */
            g_variant_unref(g_variant_ref_sink(*reply));
        *reply = NULL;
        return false;
    }
    session_note(session, operation, held);
    g_variant_ref_sink(*reply);
    g_assert(g_variant_is_of_type(*reply, G_VARIANT_TYPE(operation->reply)));
    return true;
}
