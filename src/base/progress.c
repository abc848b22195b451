// SPDX-License-Identifier: Apache-2.0
#include "base/progress.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BAR_WIDTH 24u
#define BAR_EVERY 0.2 /* seconds */
#define LINE_AFTER 10.0
#define LINE_AT_LEAST 60.0

typedef struct Work {
    guint depth; /* of nested begins; 0: none is at work */
    char *what;
    ProgressCounter counter;
    gint64 begun;      /* monotonic, µs */
    double shown;      /* seconds since then */
    guint64 line_done; /* at the last log line */
    bool visible;      /* a bar stands on the terminal */
} Work;

static GMutex lock;
static Work work;
static ProgressCounter *shared;

void
progress_share(ProgressCounter *counter)
{
    shared = counter;
}

/* GLib puts a no-break space before the unit, which not every log can show. */
static char *
size_text(guint64 bytes)
{
    g_autofree char *text = g_format_size_full(bytes, G_FORMAT_SIZE_IEC_UNITS);
    g_auto(GStrv) parts = g_strsplit(text, "\u00a0", -1);

    return g_strjoinv(" ", parts);
}

static char *
duration_text(double seconds)
{
    guint64 s = (guint64)seconds;

    return s >= 3600 ? g_strdup_printf("%" G_GUINT64_FORMAT ":%02u:%02u", s / 3600,
                                       (guint)(s / 60 % 60), (guint)(s % 60))
                     : g_strdup_printf("%u:%02u", (guint)(s / 60), (guint)(s % 60));
}

char *
progress_text(const char *what, guint64 done, guint64 total, double seconds)
{
    double rate = seconds > 0 ? (double)done / seconds : 0;
    g_autofree char *bytes = size_text(done);
    g_autofree char *each = size_text((guint64)rate);

    if (total == 0 || done > total)
        return g_strdup_printf("%s: %s, %s/s", what, bytes, each);
    g_autofree char *all = size_text(total);
    unsigned percent = (unsigned)((double)done * 100 / (double)total);
    if (rate < 1)
        return g_strdup_printf("%s: %s of %s (%u %%)", what, bytes, all, percent);
    g_autofree char *left = duration_text((double)(total - done) / rate);
    return g_strdup_printf("%s: %s of %s (%u %%), %s/s, %s left", what, bytes, all, percent, each,
                           left);
}

bool
progress_line_is_due(double now, double last, guint64 done, guint64 last_done, guint64 total)
{
    bool tenth = total == 0 || done - last_done >= total / 10;

    return now - last >= (tenth ? LINE_AFTER : LINE_AT_LEAST);
}

/* "\r[=======>      ] text"; what was there is wiped. */
static void
show_bar(double now)
{
    g_autofree char *text = progress_text(work.what, work.counter.done, work.counter.total, now);
    char bar[BAR_WIDTH + 4] = "";

    if (work.counter.total > 0) {
        guint filled =
            (guint)(MIN((double)work.counter.done / (double)work.counter.total, 1.0) * BAR_WIDTH);
        memset(bar, ' ', BAR_WIDTH + 2);
        memset(bar + 1, '=', filled);
        bar[0] = '[';
        bar[BAR_WIDTH + 1] = ']';
        bar[BAR_WIDTH + 2] = ' ';
    }
    fprintf(stderr, "\r%s%s\033[K", bar, text);
    fflush(stderr);
    work.visible = true;
    work.shown = now;
}

static void
show_line(double now)
{
    g_autofree char *text = progress_text(work.what, work.counter.done, work.counter.total, now);

    log_info("%s", text);
    work.shown = now;
    work.line_done = work.counter.done;
}

/* The lock is held. */
static void
show(void)
{
    double now = (double)(g_get_monotonic_time() - work.begun) / 1e6;

    if (shared || work.depth == 0)
        return;
    if (isatty(STDERR_FILENO)) {
        if (now >= 1 && now - work.shown >= BAR_EVERY)
            show_bar(now);
    } else if (progress_line_is_due(now, work.shown, work.counter.done, work.line_done,
                                    work.counter.total)) {
        show_line(now);
    }
}

static void
publish(void)
{
    if (!shared)
        return;
    __atomic_store_n(&shared->total, work.counter.total, __ATOMIC_RELAXED);
    __atomic_store_n(&shared->done, work.counter.done, __ATOMIC_RELAXED);
}

void
progress_begin(const char *what)
{
    g_mutex_lock(&lock);
    if (work.depth++ == 0) {
        g_free(work.what);
        work = (Work){.depth = 1, .what = g_strdup(what), .begun = g_get_monotonic_time()};
    }
    g_mutex_unlock(&lock);
}

void
progress_expect(guint64 bytes)
{
    g_mutex_lock(&lock);
    work.counter.total += bytes;
    publish();
    g_mutex_unlock(&lock);
}

void
progress_add(guint64 bytes)
{
    g_mutex_lock(&lock);
    work.counter.done += bytes;
    publish();
    show();
    g_mutex_unlock(&lock);
}

void
progress_set(guint64 done, guint64 total)
{
    g_mutex_lock(&lock);
    work.counter = (ProgressCounter){.done = done, .total = total};
    show();
    g_mutex_unlock(&lock);
}

static void
wipe(void)
{
    if (work.visible)
        fputs("\r\033[K", stderr);
    work.visible = false;
}

void
progress_end(void)
{
    g_mutex_lock(&lock);
    if (work.depth > 0 && --work.depth == 0) {
        wipe();
        fflush(stderr);
        work.counter = (ProgressCounter){0};
    }
    g_mutex_unlock(&lock);
}

void
progress_hide(void)
{
    /* whoever shows a line holds the lock already */
    if (g_mutex_trylock(&lock)) {
        wipe();
        g_mutex_unlock(&lock);
    }
}
