// SPDX-License-Identifier: Apache-2.0
/*
 * New files are built beside the place where they will stand: in PATH.part/, a directory with the
 * content and a mark that says who builds it. Commit is one rename.
 *
 * The mark holds a random token. Whoever begins a build where a leftover lies puts its own token
 * there; the earlier builder, should it still live, then finds at commit that the build is no
 * longer its own, and stops. Check and rename run under one lock of this machine.
 */
#include "base/error.h"
#include "local/handlers.h"
#include "local/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
remove_tree(const char *path, GError **error)
{
    g_autoptr(GVariant) arguments = g_variant_ref_sink(g_variant_new("(s)", path));
    g_autoptr(GVariant) reply = NULL;

    if (!local_remove_tree(NULL, arguments, &reply, error))
        return false;
    g_variant_ref_sink(reply);
    return true;
}

bool
local_build_begin(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply,
                  GError **error)
{
    const char *path, *mark;

    g_variant_get(arguments, "(&s&s)", &path, &mark);
    g_autofree char *part = g_strconcat(path, ".part", NULL);
    g_autofree char *content = g_build_filename(part, "content", NULL);
    g_autofree char *mark_path = g_build_filename(part, "mark", NULL);

    int lock = machine_lock(path, error);
    if (lock < 0)
        return false;
    bool done = true;
    if (mkdir(part, 0777) && errno != EEXIST)
        done = set_error_errno(error, errno, "cannot make '%s'", part);
    /* Our token first: from here on an earlier builder cannot commit. */
    GError *local = NULL;
    if (done && !g_file_set_contents(mark_path, mark, -1, &local)) {
        done = set_error(error,
                         g_error_matches(local, G_FILE_ERROR, G_FILE_ERROR_NOSPC)
                             ? ONEVOL_ERROR_NO_SPACE
                             : ONEVOL_ERROR_FAILED,
                         "cannot mark '%s': %s", part, local->message);
        g_error_free(local);
        remove_tree(part, NULL);
    }
    done = done && remove_tree(content, error);
    close(lock);
    if (done)
        *reply = g_variant_new("(s)", content);
    return done;
}

char *
build_token(const char *mark)
{
    const char *start = strstr(mark, "\"token\":\"");

    start = start ? start + strlen("\"token\":\"") : "";
    return g_strndup(start, strcspn(start, "\""));
}

/* The mark is a JSON object of ours; the token is found in it as the text that was written. */
static bool
token_is_ours(const char *part, const char *token, GError **error)
{
    g_autofree char *mark_path = g_build_filename(part, "mark", NULL);
    g_autofree char *mark = NULL;

    if (g_file_get_contents(mark_path, &mark, NULL, NULL) && strstr(mark, token))
        return true;
    return set_error(error, ONEVOL_ERROR_LOST, "another action has taken '%s' over", part);
}

static bool
finish(const char *path, const char *token, bool commit, GError **error)
{
    g_autofree char *part = g_strconcat(path, ".part", NULL);
    g_autofree char *content = g_build_filename(part, "content", NULL);

    int lock = machine_lock(path, error);
    if (lock < 0)
        return false;
    bool done = token_is_ours(part, token, error);
    if (done && commit && rename(content, path))
        done = set_error_errno(error, errno, "cannot put '%s' in place", path);
    done = done && remove_tree(part, error);
    close(lock);
    return done;
}

bool
local_build_commit(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply,
                   GError **error)
{
    const char *path, *token;

    g_variant_get(arguments, "(&s&s)", &path, &token);
    *reply = g_variant_new("()");
    return finish(path, token, true, error);
}

bool
local_build_abandon(G_GNUC_UNUSED Session *session, GVariant *arguments, GVariant **reply,
                    GError **error)
{
    const char *path, *token;

    g_variant_get(arguments, "(&s&s)", &path, &token);
    *reply = g_variant_new("()");
    return finish(path, token, false, error);
}
