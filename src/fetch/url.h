// SPDX-License-Identifier: Apache-2.0
/*
 * The PATH of an image, taken apart. What is not on the list of schemes is refused.
 *
 *   /a/file                            on the front-end
 *   http://… https://…
 *   ssh://[user@]host[:port]/a/file    ssh://[user@]host:file as OpenNebula writes it
 *   [user@]host:/a/file
 *   s3://bucket/key
 *   vol://IMAGE_ID                     the content of an image
 *   lvm://VM_ID/DISK_ID                the content of a VM's disk
 *   rbd:// docker:// lxd:// …          what the installed downloader.sh knows
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
    SCHEME_FILE,
    SCHEME_HTTP,
    SCHEME_SSH,
    SCHEME_S3,
    SCHEME_IMAGE,
    SCHEME_DISK,
    SCHEME_DOWNLOADER,
} Scheme;

typedef struct SourceUrl {
    Scheme scheme;
    char *text;      /* all of it */
    char *shown;     /* for messages and logs: without passwords and signatures */
    char *host;      /* ssh: with the user; s3: the bucket */
    guint port;      /* ssh; 0: as configured */
    char *path;      /* file: normalised; ssh; s3: the key */
    gint64 id, disk; /* vol://id, lvm://id/disk */
} SourceUrl;

/* USAGE for what is malformed, UNSUPPORTED for another scheme. */
bool source_url_parse(const char *path, SourceUrl *url, GError **error);
void source_url_clear(SourceUrl *url);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SourceUrl, source_url_clear)

/* The URL with more arguments (URL_ARGS of the image). The caller frees it. */
char *source_url_with_arguments(const char *url, const char *arguments);
