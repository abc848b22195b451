// SPDX-License-Identifier: Apache-2.0
/*
 * Where this OpenNebula lives and which release it is: ONE_LOCATION and the VERSION file, as
 * src/mad/sh/scripts_common.sh and src/mad/ruby read them.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define ONE_VERSION(major, minor, patch) ((major)*10000 + (minor)*100 + (patch))

typedef struct Installation {
    char *remotes;    /* /var/lib/one/remotes */
    char *var;        /* /var/lib/one */
    char *etc;        /* /etc/one */
    char *datastores; /* DATASTORE_LOCATION */
    unsigned version; /* ONE_VERSION(); the newest that we know if VERSION cannot be read */
} Installation;

/* `remotes` may be NULL: then $ONE_LOCATION/var/remotes or /var/lib/one/remotes. */
Installation *installation_find(const char *remotes);
void installation_free(Installation *installation);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Installation, installation_free)

/*
 * Settings in the form of OpenNebula's own files: NAME=value lines that a shell could read, quotes
 * allowed, '#' comments. Nothing is expanded. Lines of another form are skipped.
 */
/* name → value; empty if the file cannot be read. Free with g_hash_table_unref(). */
GHashTable *settings_read(const char *path);
/* A file below remotes/etc. */
GHashTable *settings_of_remotes(const Installation *installation, const char *file);

/* Of kvmrc as hosts get it, NULL if it is not there. The caller frees it. */
char *installation_kvm_setting(const Installation *installation, const char *name);
/* Of the hosts' libvirt. The caller frees it. */
char *installation_libvirt_uri(const Installation *installation);
/* Where hosts have the remotes: SCRIPTS_REMOTE_DIR. The caller frees it. */
char *installation_remote_scripts(const Installation *installation);

unsigned version_number(const char *text); /* "6.10.0-1" → 61000; 0 if it is no version */
