// SPDX-License-Identifier: Apache-2.0
/*
 * Functions that must not be called: shells, unbounded writes, conversions that cannot fail.
 * Included before every file by the build.
 */
#pragma once

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef __clang__ /* clang 14 knows the attribute only for plain declarations */
#define BANNED(reason) __attribute__((error(reason)))
int system(const char *) BANNED("no shell: use base/command.h");
FILE *popen(const char *, const char *) BANNED("no shell: use base/command.h");
int sprintf(char *, const char *, ...) BANNED("unbounded: use g_strdup_printf");
char *strcpy(char *, const char *) BANNED("unbounded: use g_strdup");
char *strcat(char *, const char *) BANNED("unbounded: use g_strconcat");
char *strtok(char *, const char *) BANNED("hidden state: use g_strsplit");
int atoi(const char *) BANNED("cannot fail: use parse_number");
gboolean g_spawn_command_line_sync(const gchar *, gchar **, gchar **, gint *, GError **)
    BANNED("no shell: use base/command.h");
gboolean g_spawn_command_line_async(const gchar *, GError **)
    BANNED("no shell: use base/command.h");
#endif
