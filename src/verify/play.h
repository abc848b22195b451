// SPDX-License-Identifier: Apache-2.0
/*
 * Playing oned: one driver action at a time is run as the release's runner runs it, its answer is
 * judged by that release's contract, then all data is compared with what must be there.
 *
 *   play_call()      runs and judges, gives the row
 *   (the caller)     changes the World as oned and the action should have changed it
 *   play_settle()    compares every file, adds what is wrong to the row
 */
#pragma once

#include "verify/monitord.h"
#include "verify/report.h"
#include "verify/server.h"
#include "verify/world.h"

#include <glib.h>
#include <stdbool.h>

typedef struct Settings {
    const char *driver, *as, *remotes;
    char *directory, *onevol;
    char **only;  /* NULL: everything */
    char **hosts; /* NULL: this machine alone */
    guint64 size_mb;
    unsigned timeout_ms;
    bool twice, json, keep, matrix, verbose;
} Settings;

typedef struct Player {
    const Settings *settings;
    World *world;
    Server *server;
    Monitord *monitord;
    Report *report;
    const char *operation; /* of the rows to come */
    char **environment;    /* "NAME=value" for drivers */
    GHashTable *litter;    /* paths already reported */
    unsigned seed;         /* of the next guest write */
    unsigned copies;       /* of bulk data that the next action may make, if not one */
    bool made_root;        /* --directory did not exist before */
} Player;

typedef enum { MUST_WORK, MUST_FAIL, MAY_FAIL } Expectation;

/* What stdout has to be. */
typedef enum {
    OUTPUT_IGNORED,
    OUTPUT_NOTHING,
    OUTPUT_LINE,  /* exactly one */
    OUTPUT_LINES, /* the caller looks */
} OutputForm;

typedef struct Call {
    const char *action; /* for the table */
    const char *what;
    const char *line;  /* for the shell */
    const char *input; /* NULL: an empty, closed stdin */
    OutputForm output;
    Expectation expectation;
} Call;

typedef struct PlayAnswer {
    int status;
    char *out;      /* stdout; for OUTPUT_LINE without its newline */
    bool succeeded; /* as oned sees it */
} PlayAnswer;

/* `answer` (may be NULL) is cleared by the caller with g_free(answer.out). */
Row *play_call(Player *player, const Call *call, PlayAnswer *answer);

/* Compares all data, then shows the row. True if nothing was wrong with it. */
bool play_settle(Player *player, Row *row);
/* Shows a row whose data needs no look. */
bool play_show(Player *player, Row *row);
/* A look at the data without an action: what is wrong is blamed on `action`. */
bool play_check(Player *player, const char *action, const char *what);
/* The row for such a look, when the caller has found something by itself; then play_settle(). */
Row *play_check_row(Player *player, const char *action, const char *what);

/* The file of an action; NULL if the driver has none. `plane` is "tm" or "datastore". The caller
 * frees it. */
char *play_program(const Player *player, const char *plane, const char *action);
/* The same question for those actions that a driver need not have; remembers a no for the end. */
bool play_has(Player *player, const char *plane, const char *action);

/* site.c: the files of the played OpenNebula. */
bool site_make(Player *player, GError **error);
bool site_make_sources(Player *player, GError **error);
void site_remove(const Player *player);

/* settle.c */
void settle(Player *player, Row *row);
