// SPDX-License-Identifier: Apache-2.0
/*
 * A LINSTOR controller, spoken to over its REST API.
 *
 * Every call is a numbered step (base/step.h). Opening asks the version, which finds the controller
 * that runs: an HA set has one, the others refuse the connection, or a proxy before them answers
 * 502 to 504. A later call that reached nobody goes to the next controller; one that may have been
 * carried out is sent again only where doing it twice is the same as once. Otherwise the caller is
 * told (LINSTOR_LOST) and looks what became of it.
 *
 * One client is used by one thread.
 */
#pragma once

#include "backends/linstor/answer.h"
#include "backends/linstor/elements.h"
#include "base/step.h"

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

typedef struct LinstorSettings {
    const char *controllers;    /* see controllers.h; required */
    const char *certificate;    /* LS_CERTFILE, or NULL */
    const char *key;            /* LS_KEYFILE, or NULL: in the certificate's file */
    const char *ca;             /* LS_CAFILE, or NULL: the system's */
    const char *token_file;     /* a bearer token, bare or as {"token": …}; NULL: LINSTOR's own */
    unsigned connect_ms;        /* 0: 3 s; for each controller */
    unsigned read_ms, write_ms; /* 0: 60 s, 300 s; LINSTOR answers when its satellites are done */
    unsigned patience_ms; /* 0: 15 s; for what passes by itself: a device still open, a sync */
} LinstorSettings;

typedef struct LinstorClient LinstorClient;

/* NULL: USAGE (settings), DENIED (certificate, token), UNREACHABLE, TIMEOUT, UNSUPPORTED (a version
 * that we cannot speak to). */
LinstorClient *linstor_client_open(const LinstorSettings *settings, GError **error);
void linstor_client_free(LinstorClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LinstorClient, linstor_client_free)

/* What a controller must be new enough for: fields it would refuse, calls it does not have. */
typedef enum {
    LINSTOR_MAKE_AVAILABLE,    /* REST 1.7.0: required, so it is always there */
    LINSTOR_CLONE,             /* 1.10.0, LINSTOR 1.15 */
    LINSTOR_ZFS_CLONE,         /* 1.13.0, 1.18: use_zfs_clone, sync-status, cached pools */
    LINSTOR_QUERY_SIZE,        /* 1.17.0, 1.21 */
    LINSTOR_MULTI_SNAPSHOT,    /* 1.18.0, 1.22 */
    LINSTOR_PLACED_NODES,      /* 1.21.0, 1.26: spawn and autoplace say where */
    LINSTOR_SPAWN_PROPS,       /* 1.22.0, 1.27 */
    LINSTOR_KEEP_TIE_BREAKER,  /* 1.23.0, 1.28 */
    LINSTOR_CLONE_GROUP,       /* 1.24.0, 1.30 */
    LINSTOR_ROLLBACK_ANY,      /* 1.25.0, 1.31: not only to the newest snapshot */
    LINSTOR_PASSPHRASE_STATUS, /* 1.25.0 */
    LINSTOR_CLONE_PROPS,       /* 1.26.0, 1.32 */
} LinstorFeature;

bool linstor_has(const LinstorClient *client, LinstorFeature feature);
/* Its own release, as "1.33.3"; and of which controller, as "http://host:3370". Borrowed. */
const char *linstor_release(const LinstorClient *client);
const char *linstor_url(const LinstorClient *client);
unsigned linstor_patience_ms(const LinstorClient *client);

/* "1.27.0" as a number that compares; 0 for anything else. */
guint64 linstor_version_number(const char *text);

typedef enum {
    LINSTOR_DONE,
    LINSTOR_SKIPPED, /* a dry run */
    LINSTOR_LOST,    /* error is set: whether it was done is not known */
    LINSTOR_FAILED,  /* error is set */
} LinstorResult;

typedef struct LinstorCall {
    StepKind kind;
    const char *method;
    const char *path;   /* behind "/v1/", escaped, with its query */
    const char *object; /* of the step, as "/linstor/NAME" */
    const char *what;   /* for people, as "delete 'x'": "cannot WHAT: …" */
    const json_t *body; /* or NULL */
    bool repeatable;    /* doing it twice is the same as once */
    LinstorVisit visit; /* sees the elements of a list instead of `answer` */
    void *user;
} LinstorCall;

/* *answer (may be NULL) is new, or NULL where there is none; an object or a list, entries with
 * codes for what changes something. An answer with an error entry is a failure, whatever its
 * status. */
LinstorResult linstor_call(LinstorClient *client, const LinstorCall *call, json_t **answer,
                           GError **error);

/* The code of the answer that made the last call fail, 0 if it was not an answer. */
int linstor_failure(const LinstorClient *client);
/* For a function that made another call after the one that failed. */
void linstor_set_failure(LinstorClient *client, int code);

/* Waits; false with CANCELLED. */
bool linstor_wait(unsigned ms, GError **error);
