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
 * digest       path, algorithm          → hex text; md5, sha1, sha256
 * link         target, path             replaces what is there (not a directory) in one step
 * remove       path                     → was there
 * remove-tree  path                     → was there
 * rename       from, to
 * write        path, bytes, mode        replaces in one step
 * allocate     path, size, create       sparse; grows only; → size before
 * reserve      path                     → was possible; every hole of the file gets its blocks
 * copy         source, target, share    → method, bytes moved
 * copy-tree    source, target           files with holes and shared blocks, links as links
 * build-begin  path, mark               → where the content goes
 * build-commit path, token              content becomes path, if the token is still ours
 * build-abandon path, token             the same, but it goes away
 * lock         key, holder ("ACTION …"), timeout (ms)
 * unlock       key
 * run          words, input, timeout (ms) → status, stdout, stderr
 */
static const Operation operations[] = {
    {"stat",           STEP_READ,  "(sb)",    "(uttttts)", local_stat          },
    {"list",           STEP_READ,  "(s)",     "(a(sutt))", local_list          },
    {"read",           STEP_READ,  "(stt)",   "(ay)",      local_read          },
    {"resolve",        STEP_READ,  "(s)",     "(s)",       local_resolve       },
    {"space",          STEP_READ,  "(s)",     "(ttt)",     local_space         },
    {"digest",         STEP_READ,  "(ss)",    "(s)",       local_digest        },
    {"make-directory", STEP_WRITE, "(s)",     "()",        local_make_directory},
    {"link",           STEP_WRITE, "(ss)",    "()",        local_link          },
    {"remove",         STEP_WRITE, "(s)",     "(b)",       local_remove        },
    {"remove-tree",    STEP_WRITE, "(s)",     "(b)",       local_remove_tree   },
    {"rename",         STEP_WRITE, "(ss)",    "()",        local_rename        },
    {"write",          STEP_WRITE, "(sayu)",  "()",        local_write         },
    {"allocate",       STEP_WRITE, "(stb)",   "(t)",       local_allocate      },
    {"reserve",        STEP_WRITE, "(s)",     "(b)",       local_reserve       },
    {"copy",           STEP_WRITE, "(ssb)",   "(st)",      local_copy          },
    {"copy-tree",      STEP_WRITE, "(ss)",    "()",        local_copy_tree     },
    {"build-begin",    STEP_WRITE, "(ss)",    "(s)",       local_build_begin   },
    {"build-commit",   STEP_WRITE, "(ss)",    "()",        local_build_commit  },
    {"build-abandon",  STEP_WRITE, "(ss)",    "()",        local_build_abandon },
    {"lock",           STEP_READ,  "(ssu)",   "()",        local_lock          },
    {"unlock",         STEP_READ,  "(s)",     "()",        local_unlock        },
    {"run",            STEP_WRITE, "(asayu)", "(iayay)",   local_run           },
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
    if (!operation->run(session, held, reply, error))
        return false;
    g_variant_ref_sink(*reply);
    g_assert(g_variant_is_of_type(*reply, G_VARIANT_TYPE(operation->reply)));
    return true;
}
