// SPDX-License-Identifier: Apache-2.0
/* The tables of backends, drivers, operations and actions keep their promises. */
#include "actions/task.h"
#include "base/path.h"
#include "core/driver.h"
#include "local/operation.h"
#include "test.h"

#include <string.h>

static void
every_backend_fills_its_required_slots(void **state)
{
    (void)state;
    for (const Driver *const *driver = drivers; *driver; driver++) {
        const Backend *backend = (*driver)->backend;
        assert_non_null(backend);
        assert_true(name_is_safe(backend->name));
        assert_non_null(backend->tools);
        assert_true(backend->probe && backend->create && backend->commit && backend->abandon);
        assert_true(backend->remove && backend->stat && backend->attach && backend->detach);
        assert_true(backend->open && backend->close && backend->list && backend->space);
    }
}

static void
every_promised_capability_has_its_function(void **state)
{
    (void)state;
    for (const Driver *const *driver = drivers; *driver; driver++) {
        const Backend *backend = (*driver)->backend;
        if (backend->caps & CAP_CLONE)
            assert_non_null(backend->clone);
        if (backend->caps & CAP_RESIZE)
            assert_non_null(backend->resize);
        if (backend->caps & CAP_SNAPSHOT) {
            assert_true(backend->snapshot_create && backend->snapshot_remove);
            assert_true(backend->snapshot_revert && backend->snapshot_flatten);
            assert_true(backend->snapshot_open && backend->snapshot_close);
        }
    }
}

static void
snapshot_slots_come_all_or_none(void **state)
{
    (void)state;
    for (const Driver *const *driver = drivers; *driver; driver++) {
        const Backend *b = (*driver)->backend;
        guint filled = (b->snapshot_create != NULL) + (b->snapshot_remove != NULL) +
                       (b->snapshot_revert != NULL) + (b->snapshot_flatten != NULL);
        assert_true(filled == 0 || filled == 4);
        assert_int_equal(b->snapshot_open != NULL, b->snapshot_close != NULL);
    }
}

static void
every_driver_row_is_whole(void **state)
{
    (void)state;
    for (const Driver *const *driver = drivers; *driver; driver++) {
        const Driver *d = *driver;
        assert_true(name_is_safe(d->name) && !strpbrk(d->name, ".-@=:+"));
        assert_ptr_equal(driver_find(d->name), d);
        assert_true(d->title && *d->title && d->attributes && d->live_snapshots);
        assert_true(d->tm_conf && d->ds_conf);
        assert_true(d->naming && d->naming->new_image && d->naming->source_of_image);
        assert_true(d->naming->image_of_source && d->naming->disk);
    }
    assert_null(driver_find("no_such_driver"));
    assert_null(driver_find(""));
}

static void
every_action_is_found_by_its_name(void **state)
{
    (void)state;
    for (const Action *action = tm_actions; action->name; action++) {
        assert_ptr_equal(action_find(PLANE_TM, action->name), action);
        assert_true(name_is_safe(action->name) && action->run && *action->arguments);
    }
    for (const Action *action = datastore_actions; action->name; action++)
        assert_ptr_equal(action_find(PLANE_DATASTORE, action->name), action);
    assert_null(action_find(PLANE_VMM, "clone"));
    assert_null(action_find(PLANE_TM, "clon"));
}

static void
a_driver_is_found_behind_a_name_of_the_sites_own(void **state)
{
    (void)state;
    g_autofree char *remotes = test_directory("remotes");
    g_autofree char *tm = g_build_filename(remotes, "tm", "own", NULL);
    g_autofree char *clone = g_build_filename(tm, "clone", NULL);
    g_autofree char *etc = g_build_filename(remotes, "etc/onevol", NULL);
    g_autofree char *conf = g_build_filename(etc, "onevol.conf", NULL);
    g_autoptr(Installation) installation = installation_find(remotes);

    assert_int_equal(g_mkdir_with_parents(tm, 0700) | g_mkdir_with_parents(etc, 0700), 0);
    test_write(clone, "#!/usr/local/bin/onevol reflink_local\n");
    test_write(conf, "ALIASES=\"tm_own=moosefs\"\n");
    assert_ptr_equal(driver_named(installation, "own"), driver_find("reflink_local"));
    assert_ptr_equal(driver_named(installation, "tm_own"), driver_find("moosefs"));
    assert_ptr_equal(driver_named(installation, "reflink"), driver_find("reflink"));
    test_write(clone, "#!/bin/bash\n");
    assert_null(driver_named(installation, "own"));
    assert_null(driver_named(installation, "../tm/own"));
    assert_null(driver_named(installation, "ceph"));
    assert_null(driver_named(installation, NULL));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_backend_fills_its_required_slots),
    cmocka_unit_test(every_promised_capability_has_its_function),
    cmocka_unit_test(snapshot_slots_come_all_or_none),
    cmocka_unit_test(every_driver_row_is_whole),
    cmocka_unit_test(every_action_is_found_by_its_name),
    cmocka_unit_test(a_driver_is_found_behind_a_name_of_the_sites_own),
};
TEST_MAIN(tests)
