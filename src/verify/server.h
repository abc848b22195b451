// SPDX-License-Identifier: Apache-2.0
/*
 * oned's XML-RPC interface on 127.0.0.1, answering from the World: the calls of
 * src/rm that drivers make.
 */
#pragma once

#include "verify/world.h"

#include <glib.h>
#include <stdbool.h>

#define SERVER_SESSION "oneadmin:verify-only"

typedef enum {
    SERVER_ANSWERS,
    SERVER_GARBAGE, /* what a wrong program on that port might say */
} ServerMood;

typedef struct Server Server;

Server *server_start(World *world, GError **error);
void server_stop(Server *server);
unsigned server_port(const Server *server);
void server_set_mood(Server *server, ServerMood mood);
/* Calls since the last time this was asked. */
unsigned server_take_calls(Server *server);
