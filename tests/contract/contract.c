// SPDX-License-Identifier: Apache-2.0
/*
 * What every backend owes the core, whatever it is made of: each case of the table below runs for
 * each fixture.
 *
 * The life of volumes is checked by content. Then the same work is done with every single step
 * failing, and with a kill before and after every single step; the work done again must end as if
 * nothing had happened, and a removal must leave the storage empty. Steps are counted for a
 * process, so every piece of work runs in a child that begins at step 1; what fails there is told
 * by expect(), since cmocka's own assertions would return into the parent's loop.
 */
#include "base/log.h"
#include "core/snapshot.h"
#include "fixture.h"
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE (4 * MIB)
#define STEP_LIMIT 120 /* no piece of work here takes so many */

#define expect(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("# %s:%d: %s%s%s\n", __FILE__, __LINE__, #condition, failure ? ": " : "",       \
                   failure ? failure->message : "");                                               \
            fflush(stdout);                                                                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static GError *failure;     /* of the last call in this child */
static unsigned stride = 1; /* every so many steps a fault, where each takes long */

/* Volumes by number: image 1 is made by make(), the others by the work. */

static Volume *
volume(const Fixture *fixture, Datastore *datastore, gint64 id, const char *format)
{
    g_autofree char *owner = g_strdup_printf("image %d", (int)id);
    g_autofree char *name =
        fixture->volume ? fixture->volume(id)
                        : g_strdup_printf("%s/volume-%d", datastore->facts->base_path, (int)id);

    return volume_new(datastore, fixture->volume ? VOLUME_DISK : VOLUME_IMAGE, datastore->host,
                      name, owner, format);
}

/* A raw file of SIZE with 64 KiB of `seed` at its start and at its end. */
static char *
pattern(int seed)
{
    g_autofree char *name = g_strdup_printf("pattern-%d", seed);
    g_autofree char *block = g_strnfill(65536, (char)seed);
    char *path = test_path(name);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

    expect(fd >= 0 && !ftruncate(fd, SIZE));
    expect(pwrite(fd, block, 65536, 0) == 65536);
    expect(pwrite(fd, block, 65536, (off_t)SIZE - 65536) == 65536);
    close(fd);
    return path;
}

/* The seed a content was made from, its tail beyond SIZE all zeros; 0 for all zeros, -1 for
 * anything else. */
static int
seed_of(const char *raw, guint64 bytes)
{
    g_autofree char *content = NULL;
    gsize length;

    if (!g_file_get_contents(raw, &content, &length, NULL) || length != bytes)
        return -1;
    int seed = content[0];
    for (gsize i = 0; i < length; i++) {
        bool data = i < 65536 || (i >= SIZE - 65536 && i < SIZE);
        if (content[i] != (data ? seed : 0))
            return -1;
    }
    return seed;
}

/* What a complete volume holds; -2 if it is not there. */
static int
content_of(const Fixture *fixture, Datastore *datastore, gint64 id, guint64 bytes)
{
    g_autoptr(Volume) it = volume(fixture, datastore, id, fixture->format);
    g_autofree char *raw = test_path("raw");
    g_auto(Endpoint) endpoint = {0};
    bool exists;

    expect(volume_stat(it, &exists, &failure));
    if (!exists)
        return -2;
    expect(it->virtual_size == bytes);
    expect(!strcmp(it->format, fixture->format));
    expect(volume_open(it, &endpoint, &failure));
    g_autoptr(Argv) argv =
        argv_new("qemu-img", "convert", "-f", fixture->format, "-O", "raw", endpoint.path, raw);
    CommandOptions options = {.timeout_ms = SECONDS(60)};
    expect(command_check(argv, &options, NULL, &failure));
    if (endpoint.size > 0 && !strcmp(fixture->format, "raw")) /* the device may be larger */
        expect(truncate(raw, (off_t)endpoint.size) == 0);
    /* a qcow2 on a device grows before the storage is told its size */
    if (fixture->volume && !strcmp(fixture->format, "qcow2"))
        expect(truncate(raw, (off_t)bytes) == 0);
    expect(volume_close(it, &endpoint, &failure));
    return seed_of(raw, bytes);
}

static bool
import(const Fixture *fixture, Datastore *datastore, gint64 id, int seed, GError **error)
{
    g_autoptr(Volume) it = volume(fixture, datastore, id, fixture->format);
    g_autofree char *file = pattern(seed);

    return volume_import(it, &(Endpoint){.host = host_frontend(), .path = (char *)file}, "raw",
                         SIZE, error) &&
           volume_commit(it, error);
}

/* What a guest does: the whole content anew, on a device. */
static bool
write_as_guest(const Fixture *fixture, Datastore *datastore, gint64 id, int seed, GError **error)
{
    const Backend *backend = datastore->driver->backend;
    g_autoptr(Volume) it = volume(fixture, datastore, id, fixture->format);
    g_autofree char *file = pattern(seed);
    g_autofree char *output = NULL;

    if (!backend->attach(it, datastore->host, ATTACH_WRITE, &output, error))
        return false;
    g_autoptr(Argv) argv = argv_new("qemu-img", "convert", "-n", "-t", "writeback", "-f", "raw",
                                    "-O", fixture->format, file, output);
    CommandOptions options = {.timeout_ms = SECONDS(60)};
    return command_check(argv, &options, NULL, error) &&
           backend->detach(it, datastore->host, ATTACH_WRITE, error);
}

static bool
overwrite(const Fixture *fixture, Datastore *datastore, gint64 id, int seed, GError **error)
{
    g_autoptr(Volume) it = volume(fixture, datastore, id, fixture->format);
    bool exists = false;

    if (fixture->volume && !volume_stat(it, &exists, error))
        return false;
    return exists ? write_as_guest(fixture, datastore, id, seed, error)
                  : import(fixture, datastore, id, seed, error);
}

/* Work: returns false with an error, as an action does. */
typedef bool (*Work)(const Fixture *fixture, Datastore *datastore, GError **error);

typedef struct Outcome {
    int status; /* of waitpid() */
    unsigned steps;
} Outcome;

typedef enum { MUST_SUCCEED, MAY_FAIL } Demand;

static Outcome
in_child(const Fixture *fixture, Work work, const char *fault, Demand demand)
{
    Outcome outcome = {0};
    int ends[2];

    fflush(stdout);
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (fault)
            setenv("ONEVOL_FAULT", fault, 1);
        log_set_quiet(true);
        Datastore *datastore = fixture->datastore();
        bool done = work(fixture, datastore, &failure);
        unsigned steps = step_count();
        (void)!write(ends[1], &steps, sizeof steps);
        if (demand == MUST_SUCCEED)
            expect(done);
        expect(done == (failure == NULL));
        datastore_free(datastore);
        hosts_close();
        g_clear_error(&failure);
        _exit(0);
    }
    close(ends[1]);
    (void)!read(ends[0], &outcome.steps, sizeof outcome.steps);
    close(ends[0]);
    waitpid(pid, &outcome.status, 0);
    return outcome;
}

static void
run(const Fixture *fixture, Work work)
{
    Outcome outcome = in_child(fixture, work, NULL, MUST_SUCCEED);
    assert_int_equal(outcome.status, 0);
}

static void
assert_empty(const Fixture *fixture)
{
    g_autofree char *left = fixture->leftovers();
    assert_string_equal(left, "");
}

static bool
remove_all(const Fixture *fixture, Datastore *datastore, GError **error)
{
    for (gint64 id = 1; id <= 3; id++) {
        g_autoptr(Volume) it = volume(fixture, datastore, id, NULL);
        if (!volume_remove(it, error))
            return false;
    }
    return true;
}

/* The pieces of work. */

static bool
make(const Fixture *fixture, Datastore *datastore, GError **error)
{
    return import(fixture, datastore, 1, 'a', error);
}

static bool
make_empty(const Fixture *fixture, Datastore *datastore, GError **error)
{
    g_autoptr(Volume) it = volume(fixture, datastore, 2, fixture->format);
    return volume_create(it, SIZE, error) && volume_commit(it, error);
}

static bool
replace(const Fixture *fixture, Datastore *datastore, GError **error)
{
    return overwrite(fixture, datastore, 1, 'b', error);
}

static bool
clone_it(const Fixture *fixture, Datastore *datastore, GError **error)
{
    g_autoptr(Volume) source = volume(fixture, datastore, 1, fixture->format);
    g_autoptr(Volume) target = volume(fixture, datastore, 2, NULL);
    return volume_clone(source, target, error) && volume_commit(target, error);
}

static bool
clone_and_grow(const Fixture *fixture, Datastore *datastore, GError **error)
{
    g_autoptr(Volume) source = volume(fixture, datastore, 1, fixture->format);
    g_autoptr(Volume) target = volume(fixture, datastore, 2, NULL);

    if (!volume_clone(source, target, error))
        return false;
    if (!volume_resize(target, 2 * SIZE, error)) {
        volume_abandon(target);
        return false;
    }
    return volume_commit(target, error);
}

static bool
grow(const Fixture *fixture, Datastore *datastore, GError **error)
{
    g_autoptr(Volume) it = volume(fixture, datastore, 1, fixture->format);
    return volume_require(it, error) && volume_resize(it, 2 * SIZE, error);
}

static bool
snapshot(const Fixture *fixture, Datastore *datastore, GError **error)
{
    g_autoptr(Volume) it = volume(fixture, datastore, 1, fixture->format);
    return snapshot_create(it, 0, error);
}

static bool
snapshot_drop(const Fixture *fixture, Datastore *datastore, GError **error)
{
    g_autoptr(Volume) it = volume(fixture, datastore, 1, fixture->format);
    return snapshot_remove(it, 0, error);
}

static bool
revert(const Fixture *fixture, Datastore *datastore, GError **error)
{
    g_autoptr(Volume) it = volume(fixture, datastore, 1, fixture->format);
    return snapshot_revert(it, 0, error);
}

static bool
flatten(const Fixture *fixture, Datastore *datastore, GError **error)
{
    g_autoptr(Volume) it = volume(fixture, datastore, 1, fixture->format);
    return snapshot_flatten(it, 0, error);
}

static bool
clone_of_snapshot(const Fixture *fixture, Datastore *datastore, GError **error)
{
    g_autoptr(Volume) it = volume(fixture, datastore, 1, fixture->format);
    g_autoptr(Volume) target = volume(fixture, datastore, 2, NULL);
    return snapshot_clone(it, 0, target, error) && volume_commit(target, error);
}

static bool
drop(const Fixture *fixture, Datastore *datastore, GError **error)
{
    g_autoptr(Volume) it = volume(fixture, datastore, 1, NULL);
    return volume_remove(it, error);
}

/* What must hold; each is work that expects. */

static bool
first_is_a(const Fixture *fixture, Datastore *datastore, GError **error)
{
    (void)error;
    expect(content_of(fixture, datastore, 1, SIZE) == 'a');
    return true;
}

static bool
first_is_b(const Fixture *fixture, Datastore *datastore, GError **error)
{
    (void)error;
    expect(content_of(fixture, datastore, 1, SIZE) == 'b');
    return true;
}

static bool
first_is_a_or_b(const Fixture *fixture, Datastore *datastore, GError **error)
{
    int seed = content_of(fixture, datastore, 1, SIZE);
    (void)error;
    expect(seed == 'a' || seed == 'b');
    return true;
}

static bool
first_is_a_or_absent(const Fixture *fixture, Datastore *datastore, GError **error)
{
    int seed = content_of(fixture, datastore, 1, SIZE);
    (void)error;
    expect(seed == 'a' || seed == -2);
    return true;
}

/* Grown or not, never anything between. */
static bool
first_is_a_of_either_size(const Fixture *fixture, Datastore *datastore, GError **error)
{
    g_autoptr(Volume) it = volume(fixture, datastore, 1, fixture->format);

    expect(volume_require(it, error));
    expect(it->virtual_size == SIZE || it->virtual_size == 2 * SIZE);
    expect(content_of(fixture, datastore, 1, it->virtual_size) == 'a');
    return true;
}

static bool
first_is_a_grown(const Fixture *fixture, Datastore *datastore, GError **error)
{
    (void)error;
    expect(content_of(fixture, datastore, 1, 2 * SIZE) == 'a');
    return true;
}

static bool
both_are_a(const Fixture *fixture, Datastore *datastore, GError **error)
{
    (void)error;
    expect(content_of(fixture, datastore, 1, SIZE) == 'a');
    expect(content_of(fixture, datastore, 2, SIZE) == 'a');
    return true;
}

static bool
first_is_a_second_is_a_or_absent(const Fixture *fixture, Datastore *datastore, GError **error)
{
    (void)error;
    expect(content_of(fixture, datastore, 1, SIZE) == 'a');
    int seed = content_of(fixture, datastore, 2, SIZE);
    expect(seed == 'a' || seed == -2);
    return true;
}

static bool
first_is_a_second_is_grown_or_absent(const Fixture *fixture, Datastore *datastore, GError **error)
{
    (void)error;
    expect(content_of(fixture, datastore, 1, SIZE) == 'a');
    int seed = content_of(fixture, datastore, 2, 2 * SIZE);
    expect(seed == 'a' || seed == -2);
    return true;
}

static bool
second_is_a_grown(const Fixture *fixture, Datastore *datastore, GError **error)
{
    (void)error;
    expect(content_of(fixture, datastore, 1, SIZE) == 'a');
    expect(content_of(fixture, datastore, 2, 2 * SIZE) == 'a');
    return true;
}

static bool
second_is_zeros_or_absent(const Fixture *fixture, Datastore *datastore, GError **error)
{
    int seed = content_of(fixture, datastore, 2, SIZE);
    (void)error;
    expect(seed == 0 || seed == -2);
    return true;
}

static bool
second_is_zeros(const Fixture *fixture, Datastore *datastore, GError **error)
{
    (void)error;
    expect(content_of(fixture, datastore, 2, SIZE) == 0);
    return true;
}

static bool
first_is_absent(const Fixture *fixture, Datastore *datastore, GError **error)
{
    (void)error;
    expect(content_of(fixture, datastore, 1, SIZE) == -2);
    return true;
}

static bool
can_snapshot(const Fixture *fixture)
{
    Datastore *datastore = fixture->datastore();
    bool can = datastore->driver->backend->snapshot_create != NULL;
    unsigned caps;

    can = can && !fixture->no_snapshots && datastore_caps(datastore, &caps, NULL) &&
          (caps & CAP_SNAPSHOT);
    datastore_free(datastore);
    return can;
}

/* Faults. */

typedef struct Scenario {
    const char *name;
    Work prepare[4]; /* before, NULL at the end */
    Work work;
    Work meanwhile; /* must hold after any failure */
    Work after;     /* must hold once the work was done again */
} Scenario;

static const Scenario scenarios[] = {
    {"create",            {NULL},                    make_empty,    second_is_zeros_or_absent,            second_is_zeros },
    {"import",            {NULL},                    make,          first_is_a_or_absent,                 first_is_a      },
    {"replace",           {make},                    replace,       first_is_a_or_b,                      first_is_b      },
    {"clone",             {make},                    clone_it,      first_is_a_second_is_a_or_absent,     both_are_a      },
    {"clone and grow",
     {make},
     clone_and_grow,                                                first_is_a_second_is_grown_or_absent,
     second_is_a_grown                                                                                                    },
    {"grow",              {make},                    grow,          first_is_a_of_either_size,            first_is_a_grown},
    {"remove",            {make, snapshot},          drop,          first_is_a_or_absent,                 first_is_absent },
    {"snapshot create",   {make},                    snapshot,      first_is_a,                           first_is_a      },
    {"snapshot remove",   {make, snapshot},          snapshot_drop, first_is_a,                           first_is_a      },
    {"snapshot revert",   {make, snapshot, replace}, revert,        first_is_a_or_b,                      first_is_a      },
    {"snapshot flatten",  {make, snapshot, replace}, flatten,       first_is_a_or_b,                      first_is_a      },
    {"clone of snapshot",
     {make, snapshot},
     clone_of_snapshot,                                             first_is_a_second_is_a_or_absent,
     both_are_a                                                                                                           },
};

static void
prepare(const Fixture *fixture, const Scenario *scenario)
{
    run(fixture, remove_all);
    for (guint i = 0; scenario->prepare[i]; i++)
        if (scenario->prepare[i] != snapshot || can_snapshot(fixture))
            run(fixture, scenario->prepare[i]);
}

/* The work once more, its result, and an empty storage after all is removed. */
static void
recover(const Fixture *fixture, const Scenario *scenario)
{
    run(fixture, scenario->meanwhile);
    run(fixture, scenario->work);
    run(fixture, scenario->after);
    run(fixture, remove_all);
    assert_empty(fixture);
}

static unsigned
pace(const Fixture *fixture)
{
    return MAX(stride, MAX(1, fixture->every));
}

static void
fail_everywhere(const Fixture *fixture, const Scenario *scenario)
{
    for (unsigned step = 1; step < STEP_LIMIT; step += pace(fixture)) {
        g_autofree char *fault = g_strdup_printf("fail:%u", step);
        prepare(fixture, scenario);
        Outcome outcome = in_child(fixture, scenario->work, fault, MAY_FAIL);
        assert_int_equal(outcome.status, 0);
        recover(fixture, scenario);
        if (outcome.steps < step) {
            assert_true(step > 1);
            return;
        }
    }
    fail_msg("%s takes more than %d steps", scenario->name, STEP_LIMIT);
}

static void
kill_everywhere(const Fixture *fixture, const Scenario *scenario, const char *when)
{
    for (unsigned step = 1; step < STEP_LIMIT; step += pace(fixture)) {
        g_autofree char *fault = g_strdup_printf("%s:%u", when, step);
        prepare(fixture, scenario);
        Outcome outcome = in_child(fixture, scenario->work, fault, MUST_SUCCEED);
        bool killed = WIFSIGNALED(outcome.status) && WTERMSIG(outcome.status) == SIGKILL;
        assert_true(killed || outcome.status == 0);
        recover(fixture, scenario);
        if (!killed) {
            assert_true(step > 1);
            return;
        }
    }
    fail_msg("%s takes more than %d steps", scenario->name, STEP_LIMIT);
}

/* The cases: initial state is a Case. */

typedef struct Case {
    const Fixture *fixture;
    const Scenario *scenario;
    char *reason; /* why the fixture cannot be tested */
} Case;

static void
cannot_be_tested_here(void **state)
{
    const Case *c = *state;
    skip_because("%s", c->reason);
}

static void
skip_what_it_lacks(const Case *c)
{
    if (c->scenario && strstr(c->scenario->name, "snapshot") && !can_snapshot(c->fixture))
        skip_because("%s has no snapshots", c->fixture->name);
}

static void
survives_failures(void **state)
{
    const Case *c = *state;
    skip_what_it_lacks(c);
    fail_everywhere(c->fixture, c->scenario);
}

static void
survives_kills(void **state)
{
    const Case *c = *state;
    skip_what_it_lacks(c);
    kill_everywhere(c->fixture, c->scenario, "kill-before");
    kill_everywhere(c->fixture, c->scenario, "kill-after");
}

static void
is_idempotent(void **state)
{
    const Case *c = *state;

    skip_what_it_lacks(c);
    prepare(c->fixture, c->scenario);
    run(c->fixture, c->scenario->work);
    run(c->fixture, c->scenario->after);
    recover(c->fixture, c->scenario);
}

/* Cases of one fixture without a scenario. */

static bool
shrink(const Fixture *fixture, Datastore *datastore, GError **error)
{
    g_autoptr(Volume) it = volume(fixture, datastore, 1, fixture->format);

    expect(make(fixture, datastore, error));
    expect(volume_require(it, error));
    expect(!volume_resize(it, SIZE / 2, &failure));
    expect(g_error_matches(failure, ONEVOL_ERROR, ONEVOL_ERROR_REFUSED));
    g_clear_error(&failure);
    expect(volume_resize(it, SIZE, error));
    expect(content_of(fixture, datastore, 1, SIZE) == 'a');
    return remove_all(fixture, datastore, error);
}

static void
a_shrink_is_refused_and_the_same_size_is_no_change(void **state)
{
    const Case *c = *state;
    run(c->fixture, shrink);
    assert_empty(c->fixture);
}

static bool
missing_volume(const Fixture *fixture, Datastore *datastore, GError **error)
{
    g_autoptr(Volume) it = volume(fixture, datastore, 1, NULL);
    g_autoptr(Volume) target = volume(fixture, datastore, 2, NULL);
    bool exists = true;

    expect(volume_stat(it, &exists, error) && !exists);
    expect(!volume_require(it, &failure));
    expect(g_error_matches(failure, ONEVOL_ERROR, ONEVOL_ERROR_NOT_FOUND));
    g_clear_error(&failure);
    expect(!volume_clone(it, target, &failure));
    expect(g_error_matches(failure, ONEVOL_ERROR, ONEVOL_ERROR_NOT_FOUND));
    g_clear_error(&failure);
    return volume_remove(it, error); /* nothing there is success */
}

static void
what_is_not_there_is_told_and_removed_without_error(void **state)
{
    const Case *c = *state;
    run(c->fixture, missing_volume);
    assert_empty(c->fixture);
}

static bool
abandoned(const Fixture *fixture, Datastore *datastore, GError **error)
{
    g_autoptr(Volume) it = volume(fixture, datastore, 1, fixture->format);
    bool exists;

    expect(volume_create(it, SIZE, error));
    volume_abandon(it);
    g_autoptr(Volume) again = volume(fixture, datastore, 1, fixture->format);
    expect(volume_stat(again, &exists, error) && !exists);
    return true;
}

static void
an_abandoned_volume_leaves_nothing(void **state)
{
    const Case *c = *state;
    run(c->fixture, abandoned);
    assert_empty(c->fixture);
}

static bool
taken_over(const Fixture *fixture, Datastore *datastore, GError **error)
{
    g_autoptr(Volume) first = volume(fixture, datastore, 1, fixture->format);
    g_autoptr(Volume) second = volume(fixture, datastore, 1, fixture->format);
    g_autofree char *a = pattern('a');
    g_autofree char *b = pattern('b');

    expect(volume_import(first, &(Endpoint){.host = host_frontend(), .path = (char *)b}, "raw",
                         SIZE, error));
    expect(volume_import(second, &(Endpoint){.host = host_frontend(), .path = (char *)a}, "raw",
                         SIZE, error));
    expect(!volume_commit(first, &failure));
    expect(g_error_matches(failure, ONEVOL_ERROR, ONEVOL_ERROR_LOST));
    g_clear_error(&failure);
    expect(volume_commit(second, error));
    expect(content_of(fixture, datastore, 1, SIZE) == 'a');
    return remove_all(fixture, datastore, error);
}

static void
a_taken_over_build_cannot_be_completed_by_the_first(void **state)
{
    const Case *c = *state;
    run(c->fixture, taken_over);
    assert_empty(c->fixture);
}

static guint
listed(Datastore *datastore, guint *incomplete)
{
    g_autoptr(GPtrArray) volumes = g_ptr_array_new_with_free_func((GDestroyNotify)volume_free);

    expect(datastore->driver->backend->list(datastore, volumes, &failure));
    *incomplete = 0;
    for (guint i = 0; i < volumes->len; i++)
        *incomplete += ((Volume *)g_ptr_array_index(volumes, i))->mark != NULL;
    return volumes->len;
}

static bool
list_all(const Fixture *fixture, Datastore *datastore, GError **error)
{
    g_autoptr(Volume) building = volume(fixture, datastore, 2, fixture->format);
    guint incomplete;

    expect(listed(datastore, &incomplete) == 0);
    expect(make(fixture, datastore, error));
    expect(listed(datastore, &incomplete) == 1 && incomplete == 0);
    expect(volume_create(building, SIZE, error));
    expect(listed(datastore, &incomplete) == 2 && incomplete == 1);
    volume_abandon(building);
    return remove_all(fixture, datastore, error);
}

static void
list_tells_complete_from_incomplete(void **state)
{
    const Case *c = *state;
    run(c->fixture, list_all);
    assert_empty(c->fixture);
}

static bool
attach_all(const Fixture *fixture, Datastore *datastore, GError **error)
{
    const Backend *backend = datastore->driver->backend;
    g_autoptr(Volume) it = volume(fixture, datastore, 1, fixture->format);
    unsigned caps;

    expect(make(fixture, datastore, error) && datastore_caps(datastore, &caps, error));
    for (int mode = ATTACH_READ_ONLY; mode <= ATTACH_SHARED; mode++) {
        g_autofree char *device = NULL;
        g_autofree char *again = NULL;
        if (mode == ATTACH_DUAL && fixture->volume && !(caps & CAP_ATTACH_MANY) &&
            !backend->attach(it, datastore->host, ATTACH_DUAL, &device, &failure)) {
            expect(g_error_matches(failure, ONEVOL_ERROR, ONEVOL_ERROR_UNSUPPORTED));
            g_clear_error(&failure);
            continue;
        }
        expect(backend->attach(it, datastore->host, (AttachMode)mode, &device, error));
        expect(access(device, R_OK) == 0);
        expect(backend->attach(it, datastore->host, (AttachMode)mode, &again, error));
        expect(!strcmp(device, again));
        expect(backend->detach(it, datastore->host, ATTACH_WRITE, error));
        expect(backend->detach(it, datastore->host, ATTACH_WRITE, error));
    }
    expect(content_of(fixture, datastore, 1, SIZE) == 'a');
    return remove_all(fixture, datastore, error);
}

static void
attach_and_detach_may_be_repeated(void **state)
{
    const Case *c = *state;
    run(c->fixture, attach_all);
    assert_empty(c->fixture);
}

static bool
snapshots_any_order(const Fixture *fixture, Datastore *datastore, GError **error)
{
    g_autoptr(Volume) it = volume(fixture, datastore, 1, fixture->format);
    static const int seeds[] = {'a', 'b', 'c', 'd'};

    for (gint64 id = 0; id < 4; id++) {
        expect(overwrite(fixture, datastore, 1, seeds[id], error));
        expect(snapshot_create(it, id, error));
    }
    expect(snapshot_remove(it, 1, error));
    expect(snapshot_revert(it, 0, error));
    expect(content_of(fixture, datastore, 1, SIZE) == 'a');
    expect(snapshot_revert(it, 3, error));
    expect(content_of(fixture, datastore, 1, SIZE) == 'd');
    expect(!snapshot_revert(it, 1, &failure));
    expect(g_error_matches(failure, ONEVOL_ERROR, ONEVOL_ERROR_NOT_FOUND));
    g_clear_error(&failure);
    expect(snapshot_remove(it, 0, error) && snapshot_remove(it, 1, error));
    expect(snapshot_flatten(it, 2, error));
    expect(content_of(fixture, datastore, 1, SIZE) == 'c');
    expect(!snapshot_revert(it, 3, &failure));
    g_clear_error(&failure);
    return remove_all(fixture, datastore, error);
}

static void
snapshots_are_removed_and_reverted_in_any_order(void **state)
{
    const Case *c = *state;
    if (!can_snapshot(c->fixture))
        skip_because("%s has no snapshots", c->fixture->name);
    run(c->fixture, snapshots_any_order);
    assert_empty(c->fixture);
}

static bool
independent(const Fixture *fixture, Datastore *datastore, GError **error)
{
    g_autoptr(Volume) second = volume(fixture, datastore, 2, NULL);

    expect(make(fixture, datastore, error) && clone_it(fixture, datastore, error));
    expect(replace(fixture, datastore, error)); /* the source changes */
    expect(content_of(fixture, datastore, 2, SIZE) == 'a');
    expect(drop(fixture, datastore, error)); /* and goes */
    expect(content_of(fixture, datastore, 2, SIZE) == 'a');
    return remove_all(fixture, datastore, error);
}

static void
a_clone_is_independent_of_its_source(void **state)
{
    const Case *c = *state;
    run(c->fixture, independent);
    assert_empty(c->fixture);
}

static bool
capabilities(const Fixture *fixture, Datastore *datastore, GError **error)
{
    unsigned caps;
    guint64 total, used, available;
    const Backend *backend = datastore->driver->backend;

    (void)fixture;
    expect(datastore_caps(datastore, &caps, error));
    expect((caps & ~backend->caps) == 0);
    expect(backend->space(datastore, &total, &used, &available, error));
    expect(total > 0 && used <= total && available <= total);
    return true;
}

static void
probe_only_narrows_and_space_is_plausible(void **state)
{
    const Case *c = *state;
    run(c->fixture, capabilities);
}

/* Devices are not replaced, and thick ones have no snapshots: nothing that could be tested. */
static bool
lacks(const Fixture *fixture, const Scenario *scenario)
{
    return fixture->volume && (!strcmp(scenario->name, "replace") ||
                               (strstr(scenario->name, "snapshot") && !can_snapshot(fixture)));
}

/* Fixtures × cases. */

static const Fixture *const fixtures[] = {
    &fixture_file_raw,         &fixture_file_qcow2,      &fixture_linstor_raw,
    &fixture_linstor_qcow2,    &fixture_linstor_un_copy, &fixture_linstor_un_snapshot,
    &fixture_linstor_un_thick, &fixture_lvm_thick,       &fixture_lvm_snapshot,
    &fixture_lvm_thin,         &fixture_mfs_raw,         &fixture_mfs_qcow2};

#define NAMED(function)                                                                            \
    {                                                                                              \
#function, function                                                                        \
    }
static const struct {
    const char *name;
    CMUnitTestFunction run;
} plain[] = {
    NAMED(probe_only_narrows_and_space_is_plausible),
    NAMED(a_shrink_is_refused_and_the_same_size_is_no_change),
    NAMED(what_is_not_there_is_told_and_removed_without_error),
    NAMED(an_abandoned_volume_leaves_nothing),
    NAMED(a_taken_over_build_cannot_be_completed_by_the_first),
    NAMED(list_tells_complete_from_incomplete),
    NAMED(attach_and_detach_may_be_repeated),
    NAMED(snapshots_are_removed_and_reverted_in_any_order),
    NAMED(a_clone_is_independent_of_its_source),
};
static const struct {
    const char *name;
    CMUnitTestFunction run;
} per_scenario[] = {
    {"done twice is done once",     is_idempotent    },
    {"survives a failure anywhere", survives_failures},
    {"survives a kill anywhere",    survives_kills   },
};

static Case *
add(GArray *tests, const Fixture *fixture, const Scenario *scenario, const char *name,
    CMUnitTestFunction function)
{
    Case *c = g_new0(Case, 1);
    struct CMUnitTest test = {.test_func = function, .initial_state = c};

    *c = (Case){fixture, scenario, NULL};
    test.name = scenario ? g_strdup_printf("%s: %s %s", fixture->name, scenario->name, name)
                         : g_strdup_printf("%s: %s", fixture->name, name);
    g_array_append_val(tests, test);
    return c;
}

int
main(int argc, char **argv)
{
    guint ways = G_N_ELEMENTS(per_scenario);
    const char *only =
        "file"; /* the fixtures whose names begin so; others need a system of their own */
    g_autoptr(GArray) tests = g_array_new(FALSE, FALSE, sizeof(struct CMUnitTest));

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--quick")) /* without the faults, which are about steps and slow */
            ways = 1;
        else if (!strcmp(argv[i], "--plain")) /* nothing done twice either */
            ways = 0;
        else if (!strcmp(argv[i], "--only") && argv[i + 1])
            only = argv[++i];
        else if (!strcmp(argv[i], "--case") && argv[i + 1]) /* a pattern of names, as for a shell */
            cmocka_set_test_filter(argv[++i]);
        else if (!strcmp(argv[i], "--stride") && argv[i + 1])
            stride = (unsigned)strtoul(argv[++i], NULL, 10); /* 0: as 1 */
    }
    for (guint f = 0; f < G_N_ELEMENTS(fixtures); f++) {
        if (!g_str_has_prefix(fixtures[f]->name, only))
            continue;
        char *reason = fixtures[f]->set_up();
        if (reason) {
            Case *c = add(tests, fixtures[f], NULL, "cannot be tested here", cannot_be_tested_here);
            c->reason = reason;
            continue;
        }
        for (guint i = 0; i < G_N_ELEMENTS(plain); i++)
            if (!fixtures[f]->no_snapshots ||
                plain[i].run != snapshots_are_removed_and_reverted_in_any_order)
                add(tests, fixtures[f], NULL, plain[i].name, plain[i].run);
        for (guint s = 0; s < G_N_ELEMENTS(scenarios); s++)
            for (guint i = 0; i < ways && !lacks(fixtures[f], &scenarios[s]); i++)
                add(tests, fixtures[f], &scenarios[s], per_scenario[i].name, per_scenario[i].run);
    }
    int status = test_run((const struct CMUnitTest *)(const void *)tests->data, tests->len);
    for (guint f = 0; f < G_N_ELEMENTS(fixtures); f++)
        if (g_str_has_prefix(fixtures[f]->name, only))
            fixtures[f]->tear_down(); /* also after a set_up() that gave up */
    for (guint i = 0; i < tests->len; i++) {
        struct CMUnitTest *test = &g_array_index(tests, struct CMUnitTest, i);
        g_free((char *)test->name);
        g_free(((Case *)test->initial_state)->reason);
        g_free(test->initial_state);
    }
    return status;
}
