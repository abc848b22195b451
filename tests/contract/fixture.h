// SPDX-License-Identifier: Apache-2.0
/*
 * A backend under test: how to get an empty datastore of it, and what is left on its storage.
 *
 * To put another backend through the suite, write a fixture_NAME.c and add it to the table in
 * contract.c. Everything runs in child processes, each of which makes its own Datastore, as every
 * action does.
 */
#pragma once

#include "core/driver.h"

typedef struct Fixture {
    const char *name;
    const char *format; /* of the volumes */
    /* Name of volume `id`. NULL: a file below BASE_PATH. Volumes with names are VMs' disks on
     * devices: what is there already is not replaced but removed, or written to by a guest. */
    char *(*volume)(gint64 id);
    bool no_snapshots; /* its storage has none, which only the storage itself tells */
    unsigned every;    /* a fault at every so many steps; 0: at each. With 2 a kill before and one
                        * after each of them are still all the places between two steps */
    /* Once, before the cases: NULL, or why it cannot be tested here. Caller frees. */
    char *(*set_up)(void);
    /* At the end, also where set_up() gave up. */
    void (*tear_down)(void);
    /* A Datastore in this process for the one storage that set_up() made. */
    Datastore *(*datastore)(void);
    /* All that lies on the storage, one name a line, "" if it is empty. Caller frees. */
    char *(*leftovers)(void);
} Fixture;

extern const Fixture fixture_file_raw, fixture_file_qcow2;
extern const Fixture fixture_linstor_raw, fixture_linstor_qcow2, fixture_linstor_un_copy,
    fixture_linstor_un_snapshot, fixture_linstor_un_thick;
extern const Fixture fixture_lvm_thick, fixture_lvm_snapshot, fixture_lvm_thin;
extern const Fixture fixture_mfs_raw, fixture_mfs_qcow2;
