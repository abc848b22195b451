// SPDX-License-Identifier: Apache-2.0
/*
 * The machines of the played site, and their files: here directly, elsewhere by a shell behind ssh,
 * one connection a host for the whole run. Nothing of it is the tested program's.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Shell Shell;

typedef struct Host {
    char *name;   /* as in the host part of transfer lines */
    int id;       /* -1: the front-end when it is no hypervisor */
    bool local;   /* files are reached directly */
    Shell *shell; /* else: the way to it; NULL if nobody ever asks (it is dead) */
    bool ours;    /* what is at our path there was made by us */
} Host;

typedef struct Entry {
    char *path; /* absolute */
    bool directory;
} Entry;

/* Makes the connection; a host that does not answer is an error. */
bool host_connect(Host *host, GError **error);
void host_close(Host *host);

/* Runs a script of sh there; its output with stderr, where the caller wants it. A status other than
 * 0 is an error. Words in it are quoted by g_shell_quote(). For hosts that are not local. */
bool host_sh(const Host *host, GBytes **output, GError **error, const char *script, ...)
    G_GNUC_PRINTF(4, 5);

/* All below `root`, directories before what is in them: Entry. */
GPtrArray *host_list(const Host *host, const char *root, GError **error);
/* What stat says of a file, as text that changes when the file does; from the last listing. NULL if
 * that may have changed since, or is too young to tell. The caller frees it. */
char *host_stamp(const Host *host, const char *path);
/* Files may have changed: listings are not believed any more. */
void hosts_touch(void);

bool host_exists(const Host *host, const char *path);
/* What a symbolic link says; NULL if it is none. The caller frees it. */
char *host_link(const Host *host, const char *path);
/* With the directories above it. */
bool host_put(const Host *host, const char *path, const void *data, size_t length, GError **error);
/* A copy below `scratch` for programs that want a file; of a local one the path itself. The caller
 * gives it to host_uncopy(). */
char *host_copy(const Host *host, const char *path, const char *scratch, GError **error);
void host_uncopy(const Host *host, char *copy);
bool host_remove(const Host *host, const char *directory, GError **error);
/* A directory to the same path of another host; neither is this machine. */
bool host_send(const Host *from, const Host *to, const char *directory, GError **error);

/* Keeps one file of a host open as a guest would; returns a path by which it can still be read, or
 * NULL. One at a time. */
char *host_hold(const Host *host, const char *path);
void host_let_go(const Host *host, char *held);
