// SPDX-License-Identifier: Apache-2.0
/*
 * A control session: one ssh connection to one host for the length of an action.
 *
 * A thread keeps it: it reads answers, and lets both ends hear each other every 5 s while the
 * action is busy elsewhere. After 30 s of silence, or when the connection ends, the session is
 * lost for good: its locks are gone, so every later request fails with the reason.
 *
 * For tests the environment shortens the limits, in ms: ONEVOL_CONNECT_MS, ONEVOL_HEARTBEAT_MS,
 * ONEVOL_SILENCE_MS, ONEVOL_IDLE_MS (no sign of life of one request).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct RemoteSession RemoteSession;

/* Begins to connect, and does not wait for it. For remote_session_open(), or to be freed. */
RemoteSession *remote_session_begin(const char *host, GError **error);
/* Connects within 20 s; copies the agent there first if it is missing. NULL on failure. Takes over
 * what was begun (or NULL). */
RemoteSession *remote_session_open(const char *host, RemoteSession *begun, GError **error);

/* Says goodbye: the agent ends what runs, drops unfinished builds and releases the locks. */
void remote_session_hang_up(RemoteSession *session);
/* Hangs up, and waits at most 3 s for the agent to be done. */
void remote_session_free(RemoteSession *session);

const char *remote_session_host(const RemoteSession *session);

/* Sends a request; its number is for the functions below. `arguments` is not consumed unless
 * floating. */
guint32 remote_session_start(RemoteSession *session, const char *name, GVariant *arguments);
/* Waits for the answer and forgets the request. *reply is a full reference. A signal to this
 * process cancels the request. */
bool remote_session_wait(RemoteSession *session, guint32 request, GVariant **reply, GError **error);
/* True once it is lost for good; whatever else goes wrong then is a consequence. */
bool remote_session_is_lost(RemoteSession *session);
/* True if it failed, or the session is lost, so that nobody need wait for its data. */
bool remote_session_has_failed(RemoteSession *session, guint32 request);
/* True once it was answered either way, or the session is lost. */
bool remote_session_is_done(RemoteSession *session, guint32 request);
/* What it has said of its progress becomes ours (base/progress.h); so does remote_session_wait().
 */
void remote_session_show_progress(RemoteSession *session, guint32 request);
void remote_session_cancel(RemoteSession *session, guint32 request);

/* Both of the first two. */
bool remote_session_call(RemoteSession *session, const char *name, GVariant *arguments,
                         GVariant **reply, GError **error);
