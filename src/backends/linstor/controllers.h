// SPDX-License-Identifier: Apache-2.0
/*
 * Where the controllers are: the lists that LINBIT's clients take (LS_CONTROLLERS of linstor_un,
 * LINSTOR_CONTROLLERS of LINBIT's driver, and their default places).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct LinstorController {
    char *host; /* without brackets */
    guint16 port;
    bool tls;
} LinstorController;

void linstor_controller_free(LinstorController *controller);

/* "host", "host:port", "[::1]:port", each with linstor://, http://, linstor+ssl:// or https://
 * before it; commas between them, empty ones skipped. NULL with USAGE for anything else, also for
 * none. */
GPtrArray *linstor_controllers_parse(const char *list, GError **error);

/* "http://host:port" without a slash at its end. The caller frees it. */
char *linstor_controller_url(const LinstorController *controller);

/* What LINBIT's client falls back to. All fields may be NULL; the caller clears it. */
typedef struct LinstorDefaults {
    char *controllers, *certificate, *key, *ca;
} LinstorDefaults;

/* LS_CONTROLLERS, else the files: `directory`/linstor-client.d/ files sorted by name, over which
 * lie `home`/.config/linstor/linstor-client.conf or, without that, `directory`/linstor-client.conf.
 * NULL stands for the real places. */
void linstor_defaults_read(LinstorDefaults *defaults, const char *home, const char *directory);
void linstor_defaults_clear(LinstorDefaults *defaults);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LinstorDefaults, linstor_defaults_clear)
