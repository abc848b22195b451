// SPDX-License-Identifier: Apache-2.0
#include "core/mark.h"

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

Mark *
mark_new(const char *action, const char *owner)
{
    g_autofree char *uuid = g_uuid_string_random();
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *started = g_date_time_format_iso8601(now);
    Mark *mark = g_new0(Mark, 1);

    json_t *object = json_pack("{s:i, s:s, s:s, s:s, s:s, s:i, s:s}", "version", 1, "token", uuid,
                               "action", action, "owner", owner, "host", g_get_host_name(), "pid",
                               (int)getpid(), "started", started);
    char *text = json_dumps(object, JSON_COMPACT);
    mark->text = g_strdup(text);
    free(text);
    json_decref(object);
    mark->token = g_steal_pointer(&uuid);
    return mark;
}

void
mark_free(Mark *mark)
{
    if (!mark)
        return;
    g_free(mark->token);
    g_free(mark->text);
    g_free(mark);
}
