// SPDX-License-Identifier: Apache-2.0
/*
 * The stories that are played, in the order of the table in scenarios.c. Each one starts with an
 * empty site and leaves one.
 */
#pragma once

#include "verify/life.h"

void scenario_images(Player *player);
void scenario_sources(Player *player);
void scenario_refused(Player *player);
void scenario_deploy(Player *player);
void scenario_attach(Player *player);
void scenario_move(Player *player);
void scenario_recover(Player *player);
void scenario_dead_host(Player *player);
void scenario_shareable(Player *player);
void scenario_suffix(Player *player);
void scenario_resize(Player *player);
void scenario_snapshots(Player *player);
void scenario_save_as(Player *player);
void scenario_image_snapshots(Player *player);
void scenario_live_migration(Player *player);
void scenario_backup(Player *player);
void scenario_states(Player *player);

typedef struct Scenario {
    const char *name; /* for --only and the table */
    unsigned since;   /* the first release that has it */
    void (*play)(Player *player);
    const char *summary;
} Scenario;

extern const Scenario scenarios[];
extern const size_t scenario_count;
