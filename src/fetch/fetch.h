// SPDX-License-Identifier: Apache-2.0
/*
 * An image's source, opened: bytes in order from wherever PATH says, before they are unpacked.
 *
 * Opening is one READ step. vol:// and lvm:// are volumes and none of this module's business.
 */
#pragma once

#include "fetch/bytes.h"
#include "fetch/url.h"

#include <sys/stat.h>

typedef struct FetchSettings {
    /* Is a file of this name allowed? `home` is the home directory of who reads it. False with an
     * error if not. Asked with the name that is left when links are resolved. */
    bool (*allow)(gpointer data, const char *real, const char *home, GError **error);
    gpointer data;

    const char *url_arguments; /* for http; or NULL */
    guint64 rate;              /* bytes a second from another machine; 0: no limit */
    unsigned silence_ms;       /* nothing comes for so long: TIMEOUT. Required */
    bool head_only;            /* the start is wanted, perhaps more */
    bool insecure;             /* TLS is not verified */

    const char *downloader; /* OpenNebula's downloader.sh */
    const char *message;    /* base64 of the driver's message, for it */

    /* s3://, of the marketplace in the message; key and secret may be NULL. */
    struct {
        const char *key, *secret, *region, *endpoint;
        bool elsewhere; /* not Amazon's: at `endpoint` */
    } s3;
} FetchSettings;

typedef struct Fetch Fetch;

Fetch *fetch_open(const SourceUrl *url, const FetchSettings *settings, GError **error);
void fetch_free(Fetch *fetch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Fetch, fetch_free)

/* Bytes of the source as it lies there; false if nobody says. */
bool fetch_size(const Fetch *fetch, guint64 *size);

/* The open file, of SCHEME_FILE; else -1. It is the file that was allowed, whatever stands under
 * its name meanwhile. */
int fetch_fd(const Fetch *fetch);
/* CORRUPT if that file was changed since it was opened. True for other schemes. */
bool fetch_unchanged(const Fetch *fetch, GError **error);

/* The content. Once; the caller frees it before the Fetch. */
Bytes *fetch_take(Fetch *fetch);

/* Some bytes of its end. NULL without an error if there is no way to have them. */
GBytes *fetch_tail(const Fetch *fetch, guint64 length, GError **error);
