// SPDX-License-Identifier: Apache-2.0
#include "verify/matrix.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

#define DISKS "persistent private CD-ROM shareable volatile swap"
#define STORED "persistent private shareable"
#define LINKED "persistent CD-ROM shareable"

enum {
    ALWAYS = 0,
    SHAREABLE = RELEASE(6, 0, 0),
    SAVED_AT_REST = RELEASE(6, 0, 0),
    BACKUPS = RELEASE(6, 6, 0),
    RESTORE = RELEASE(6, 10, 0),
};

/* Columns: disks; then kernel, ramdisk and context; a VM's directory or the whole VM. */
static const char *const disk_roles[] = {"persistent", "private", "CD-ROM", "shareable", "volatile",
                                         "swap",       "file",    "VM",     NULL};
static const char *const image_roles[] = {"OS", "datablock", "CD-ROM", "file", "datastore", NULL};

/* Names of LCM states, or of states where LCM_STATE is 0 (include/VirtualMachine.h). */
static const struct {
    int state, lcm_state;
    const char *name;
} names[] = {
    {3, 1,  "prolog"              },
    {3, 2,  "boot"                },
    {3, 3,  "running"             },
    {3, 4,  "migrate, live"       },
    {3, 8,  "migrate"             },
    {3, 9,  "resume of stopped"   },
    {3, 10, "stop"                },
    {3, 11, "epilog"              },
    {3, 15, "recreate"            },
    {3, 17, "hotplug, running"    },
    {3, 20, "boot of poweroff"    },
    {3, 21, "boot of suspended"   },
    {3, 22, "boot of stopped"     },
    {3, 23, "recover --delete"    },
    {3, 25, "NIC, running"        },
    {3, 26, "running"             },
    {3, 27, "poweroff"            },
    {3, 28, "suspended"           },
    {3, 30, "undeploy"            },
    {3, 31, "deploy of undeployed"},
    {3, 32, "boot of undeployed"  },
    {3, 33, "attach, poweroff"    },
    {3, 34, "detach, poweroff"    },
    {3, 35, "boot after migrate"  },
    {3, 43, "migrate, poweroff"   },
    {3, 45, "migrate, suspended"  },
    {3, 51, "poweroff"            },
    {3, 52, "poweroff"            },
    {3, 53, "poweroff"            },
    {3, 54, "suspended"           },
    {3, 56, "suspended"           },
    {3, 57, "running"             },
    {3, 59, "running"             },
    {3, 60, "host is down"        },
    {3, 61, "host is down, again" },
    {3, 62, "running"             },
    {3, 63, "poweroff"            },
    {3, 64, "undeployed"          },
    {3, 67, "undeployed"          },
    {3, 68, "stopped"             },
    {3, 69, "running"             },
    {3, 70, "poweroff"            },
    {3, 71, "poweroff"            },
    {6, 0,  "done, freed"         },
};

/* What oned asks for: actions, roles, states separated by '|' (src/tm/TransferManager.cc,
 * src/image/ImageManagerActions.cc; snapshots of volatile and read-only disks it refuses itself).
 */
typedef struct Expected {
    const char *plane, *action;
    unsigned since; /* which release */
    const char *roles, *states;
} Expected;

#define MADE "prolog|hotplug, running|attach, poweroff"
#define BOOTS                                                                                      \
    "boot|boot of poweroff|boot of suspended|boot of stopped|boot of undeployed|boot after "       \
    "migrate|NIC, running"
#define MOVES                                                                                      \
    "stop|resume of stopped|undeploy|deploy of undeployed|migrate|migrate, poweroff|migrate, "     \
    "suspended|host is down"

static const Expected expected[] = {
    {"tm",        "clone",            ALWAYS,        "private",                      MADE                                      },
    {"tm",        "clone",            ALWAYS,        "file",                         "prolog"                                  },
    {"tm",        "ln",               ALWAYS,        LINKED,                         MADE                                      },
    {"tm",        "mkimage",          ALWAYS,        "volatile",                     MADE                                      },
    {"tm",        "mkswap",           ALWAYS,        "swap",                         MADE                                      },
    {"tm",        "context",          ALWAYS,        "file",                         BOOTS                                     },
    {"tm",        "mv",               ALWAYS,        DISKS " VM",                    MOVES                                     },
    {"tm",        "mvds",             ALWAYS,        "persistent shareable",         "epilog|hotplug, running|detach, poweroff"},
    {"tm",        "delete",           ALWAYS,        "private CD-ROM volatile swap",
     "epilog|hotplug, running|detach, poweroff"                                                                                },
    {"tm",        "delete",           ALWAYS,        "VM",                           "epilog"                                  },
    {"tm",        "delete",           ALWAYS,        DISKS " VM",                    "recreate|recover --delete|done, freed"   },
    {"tm",        "snap_create",      ALWAYS,        STORED,                         "poweroff|suspended"                      },
    {"tm",        "snap_create_live", ALWAYS,        STORED,                         "running"                                 },
    {"tm",        "snap_delete",      ALWAYS,        "persistent private",           "poweroff|suspended|running"              },
    {"tm",        "snap_revert",      ALWAYS,        "persistent private",           "poweroff"                                },
    {"tm",        "cpds",             ALWAYS,        STORED " CD-ROM",               "running|poweroff|suspended"              },
    {"tm",        "cpds",             SAVED_AT_REST, STORED " CD-ROM",               "undeployed|stopped"                      },
    {"tm",        "resize",           ALWAYS,        STORED " volatile swap",        "running|poweroff|undeployed"             },
    {"tm",        "premigrate",       ALWAYS,        "VM",                           "migrate, live"                           },
    {"tm",        "postmigrate",      ALWAYS,        "VM",                           "migrate, live"                           },
    {"tm",        "failmigrate",      ALWAYS,        "VM",                           "migrate, live"                           },
    {"tm",        "prebackup",        BACKUPS,       "VM",                           "poweroff"                                },
    {"tm",        "postbackup",       BACKUPS,       "VM",                           "poweroff"                                },
    {"tm",        "prebackup_live",   BACKUPS,       "VM",                           "running"                                 },
    {"tm",        "postbackup_live",  BACKUPS,       "VM",                           "running"                                 },
    {"tm",        "restore",          RESTORE,       "VM",                           "poweroff"                                },
    {"tm",        "monitor",          ALWAYS,        "VM",                           "system datastore"                        },
    {"datastore", "stat",             ALWAYS,        "OS CD-ROM",                    "a file"                                  },
    {"datastore", "cp",               ALWAYS,        "OS",                           "raw|qcow2"                               },
    {"datastore", "cp",               ALWAYS,        "CD-ROM file",                  "raw"                                     },
    {"datastore", "mkfs",             ALWAYS,        "datablock",                    "raw|qcow2"                               },
    {"datastore", "mkfs",             ALWAYS,        "OS",                           "save_as"                                 },
    {"datastore", "clone",            ALWAYS,        "OS datablock",                 "raw|qcow2"                               },
    {"datastore", "rm",               ALWAYS,        "OS datablock",                 "raw|qcow2"                               },
    {"datastore", "rm",               ALWAYS,        "CD-ROM file",                  "raw"                                     },
    {"datastore", "export",           ALWAYS,        "OS",                           "raw|qcow2"                               },
    {"datastore", "snap_revert",      ALWAYS,        "datablock",                    "raw"                                     },
    {"datastore", "snap_revert",      ALWAYS,        "OS",                           "qcow2"                                   },
    {"datastore", "snap_delete",      ALWAYS,        "datablock",                    "raw"                                     },
    {"datastore", "snap_delete",      ALWAYS,        "OS",                           "qcow2"                                   },
    {"datastore", "snap_flatten",     ALWAYS,        "datablock",                    "raw"                                     },
    {"datastore", "snap_flatten",     ALWAYS,        "OS",                           "qcow2"                                   },
    {"datastore", "monitor",          ALWAYS,        "datastore",                    "monitored"                               },
};

void
matrix_mark_text(Row *row, const char *role, const char *state)
{
    row->role = role;
    row->state = state;
}

void
matrix_mark(Row *row, const char *role, int state, int lcm_state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (names[i].state == state && names[i].lcm_state == lcm_state) {
            matrix_mark_text(row, role, names[i].name);
            return;
        }
    matrix_mark_text(row, role, "another state");
}

static void
cell_free(gpointer data)
{
    Cell *cell = data;

    g_free(cell->reason);
    g_free(cell);
}

static Cell *
find(const Matrix *matrix, const char *plane, const char *action, const char *role,
     const char *state)
{
    for (guint i = 0; i < matrix->cells->len; i++) {
        Cell *cell = matrix->cells->pdata[i];
        if (!strcmp(cell->plane, plane) && !strcmp(cell->action, action) &&
            !strcmp(cell->role, role) && !strcmp(cell->state, state))
            return cell;
    }
    return NULL;
}

static Cell *
add(Matrix *matrix, const char *plane, const char *action, const char *role, const char *state,
    CellResult result)
{
    Cell *cell = g_new0(Cell, 1);

    *cell = (Cell){g_intern_string(plane),
                   g_intern_string(action),
                   g_intern_string(role),
                   g_intern_string(state),
                   result,
                   NULL};
    g_ptr_array_add(matrix->cells, cell);
    return cell;
}

static void
add_expected(Matrix *matrix, const Expected *entry, const Release *release)
{
    g_auto(GStrv) roles = g_strsplit(entry->roles, " ", -1);
    g_auto(GStrv) states = g_strsplit(entry->states, "|", -1);

    if (!release_from(release, entry->since))
        return;
    for (char **state = states; *state; state++)
        for (char **role = roles; *role; role++)
            if (strcmp(*role, "shareable") != 0 || release_from(release, SHAREABLE))
                add(matrix, entry->plane, entry->action, *role, *state, CELL_GAP);
}

/* The user's sentence: the last line without a severity of its own, or of that of an error. */
static char *
sentence(const char *err)
{
    g_auto(GStrv) lines = g_strsplit(err ? err : "", "\n", -1);
    const char *found = "";

    for (char **line = lines; *line; line++) {
        const char *text = g_str_has_prefix(*line, "ERROR: ") ? *line + 7 : *line;
        if (*text && !g_str_has_prefix(text, "INFO:") && !g_str_has_prefix(text, "WARN:") &&
            !g_str_has_prefix(text, "DEBUG:") && !g_str_has_prefix(text, "ExitCode:") &&
            !g_str_has_prefix(text, "ERROR MESSAGE"))
            found = text;
    }
    return one_line(found, 300);
}

/* "snap_revert image" and "monitor system" tell the planes of one name apart. */
static const char *
plane_of(const Row *row)
{
    static const char *const images[] = {"cp", "mkfs", "rm", "stat", "export", "monitor", NULL};
    bool datastore =
        g_strv_contains(images, row->action) || g_str_has_suffix(row->action, " image");

    return datastore ? "datastore" : "tm";
}

/* Several rows in one cell: a failure counts most, then a success; the first refusal tells. */
static void
count_row(Matrix *matrix, const Row *row)
{
    g_autofree char *action = g_strndup(row->action, strcspn(row->action, " "));
    CellResult result = !row_ok(row) ? CELL_FAILED : row->refused ? CELL_REFUSED : CELL_OK;
    Cell *cell = find(matrix, plane_of(row), action, row->role, row->state);

    if (!cell)
        cell = add(matrix, plane_of(row), action, row->role, row->state, result);
    if (cell->result == CELL_GAP || result == CELL_FAILED ||
        (result == CELL_OK && cell->result == CELL_REFUSED)) {
        cell->result = result;
        g_clear_pointer(&cell->reason, g_free);
    }
    if (cell->result == CELL_REFUSED && !cell->reason)
        cell->reason = sentence(row->err);
}

static bool
played(const Matrix *matrix, const char *plane, const char *action)
{
    for (guint i = 0; i < matrix->cells->len; i++) {
        const Cell *cell = matrix->cells->pdata[i];
        if (!strcmp(cell->plane, plane) && !strcmp(cell->action, action) &&
            cell->result != CELL_GAP)
            return true;
    }
    return false;
}

/* What a driver of devices is not asked: kernels lie in a datastore of files, and an image has the
 * format that the driver gave it. */
static const char *
not_of_devices(const Cell *cell)
{
    if (!strcmp(cell->role, "file") && strcmp(cell->action, "context") != 0)
        return "a datastore of files has a driver of files";
    if (!strcmp(cell->plane, "datastore") && !strcmp(cell->state, "qcow2"))
        return "images are raw here";
    return NULL;
}

/* What cannot come to pass: a driver's file is not installed, or LN refuses to share an image. */
static void
excuse(Matrix *matrix, bool devices, MatrixInstalled installed, gpointer data)
{
    const Cell *first = find(matrix, "tm", "ln", "shareable", "prolog");
    bool unshared = first && first->result == CELL_REFUSED;

    for (guint i = 0; i < matrix->cells->len; i++) {
        Cell *cell = matrix->cells->pdata[i];
        if (cell->result != CELL_GAP)
            continue;
        if (devices && not_of_devices(cell)) {
            cell->result = CELL_ABSENT;
            cell->reason = g_strdup(not_of_devices(cell));
        } else if (unshared && !strcmp(cell->role, "shareable")) {
            cell->result = CELL_ABSENT;
            cell->reason = g_strdup("LN refuses to share an image here");
        } else if (!strcmp(cell->plane, "tm") && !strcmp(cell->action, "monitor") &&
                   played(matrix, "tm", "monitor_ds")) {
            cell->result = CELL_ABSENT;
            cell->reason = g_strdup("each host reports its own space (monitor_ds)");
        } else if (!played(matrix, cell->plane, cell->action) &&
                   !installed(cell->plane, cell->action, data)) {
            cell->result = CELL_ABSENT;
            cell->reason = g_strdup("not installed");
        } else {
            matrix->gaps++;
        }
    }
}

Matrix *
matrix_new(const GPtrArray *rows, const Release *release, bool devices, MatrixInstalled installed,
           gpointer data)
{
    Matrix *matrix = g_new0(Matrix, 1);

    matrix->cells = g_ptr_array_new_with_free_func(cell_free);
    for (size_t i = 0; i < G_N_ELEMENTS(expected); i++)
        add_expected(matrix, &expected[i], release);
    for (guint i = 0; i < rows->len; i++) {
        const Row *row = rows->pdata[i];
        if (row->role && !row->check)
            count_row(matrix, row);
    }
    excuse(matrix, devices, installed, data);
    return matrix;
}

void
matrix_free(Matrix *matrix)
{
    g_ptr_array_unref(matrix->cells);
    g_free(matrix);
}

const char *
matrix_result_text(CellResult result)
{
    static const char *const texts[] = {"ok", "refused", "FAILED", "NOT PLAYED", "-"};

    return texts[result];
}

static void
print_line(const Matrix *matrix, const Cell *first, const char *const *roles)
{
    printf("%-17s %-21s", first->action, first->state);
    for (const char *const *role = roles; *role; role++) {
        const Cell *cell = find(matrix, first->plane, first->action, *role, first->state);
        printf(" %-10s", cell ? matrix_result_text(cell->result) : ".");
    }
    putchar('\n');
}

static void
print_plane(const Matrix *matrix, const char *plane, const char *const *roles)
{
    g_autoptr(GHashTable) done = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    printf("\n%-17s %-21s", strcmp(plane, "tm") == 0 ? "TM ACTION" : "DATASTORE ACTION",
           strcmp(plane, "tm") == 0 ? "STATE OF THE VM" : "FORMAT");
    for (const char *const *role = roles; *role; role++)
        printf(" %-10s", *role);
    putchar('\n');
    for (guint i = 0; i < matrix->cells->len; i++) {
        const Cell *cell = matrix->cells->pdata[i];
        if (strcmp(cell->plane, plane) == 0 &&
            g_hash_table_add(done, g_strdup_printf("%s|%s", cell->action, cell->state)))
            print_line(matrix, cell, roles);
    }
}

/* One sentence for each action and role, though it may be refused in many states. */
static void
print_reasons(const Matrix *matrix)
{
    g_autoptr(GHashTable) done = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < matrix->cells->len; i++) {
        const Cell *cell = matrix->cells->pdata[i];
        if (cell->reason && g_hash_table_add(done, g_strdup_printf("%s|%s|%s", cell->plane,
                                                                   cell->action, cell->role)))
            printf("%s: %s %s, %s: %s\n", matrix_result_text(cell->result), cell->action,
                   cell->role, cell->state, cell->reason);
    }
}

void
matrix_print(const Matrix *matrix)
{
    print_plane(matrix, "tm", disk_roles);
    print_plane(matrix, "datastore", image_roles);
    printf("\n.: oned does not call it   -: cannot be, see below\n");
    print_reasons(matrix);
}

void
matrix_print_gaps(const Matrix *matrix)
{
    for (guint i = 0; i < matrix->cells->len; i++) {
        const Cell *cell = matrix->cells->pdata[i];
        if (cell->result == CELL_GAP)
            printf("NOT PLAYED: %s, %s, %s\n", cell->action, cell->role, cell->state);
    }
}
