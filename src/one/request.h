// SPDX-License-Identifier: Apache-2.0
/*
 * What oned asks: plane, driver, action and arguments, in all forms of 5.4 to 7.4.
 *
 * The forms are told apart by the arguments themselves, never by the release
 * (src/datastore_mad/one_datastore.rb, src/tm_mad/one_tm.rb).
 */
#pragma once

#include "one/xml.h"

#include <glib.h>
#include <stdbool.h>

typedef enum { PLANE_TM, PLANE_DATASTORE, PLANE_VMM } Plane;

typedef struct Request {
    Plane plane;
    char *directory; /* the driver's name as oned knows it: the directory below remotes/tm */
    char *driver;    /* our driver that stands behind it, if the interpreter line names one */
    char *action;    /* without a suffix: clone.ssh is clone */
    char *remotes;   /* from the path of the driver file; NULL when run by hand */
    char **arguments;
} Request;

/* `path` is a driver file: …/remotes/tm/NAME/ACTION, …/datastore/NAME/ACTION,
 * …/vmm/HYPERVISOR/ACTION. `driver` may be NULL. */
Request *request_of_file(const char *path, const char *driver, char **arguments, GError **error);

/* "onevol tm NAME ACTION ARGUMENTS…" */
Request *request_by_hand(const char *plane, const char *directory, const char *action,
                         char **arguments, GError **error);
void request_free(Request *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Request, request_free)

const char *plane_name(Plane plane);

/* The document of a datastore action or monitor, from the arguments or from `fd`; *id is the
 * object's id that stands beside it. */
XmlDocument *request_document(const Request *request, int fd, gint64 *id, GError **error);

/* All of `fd` as text; NULL if it is too long. Caller frees. */
char *request_stdin(int fd, GError **error);

/* base64 (white space anywhere) of XML, or XML as it stands: its text, with a NUL behind its end,
 * or read. The caller frees it. */
char *document_plain(const char *text, gsize length, gsize *plain, GError **error);
XmlDocument *document_decode(const char *text, gsize length, GError **error);

/* "host:path", split at the first colon; the path normalised. */
typedef struct Location {
    char *host;
    char *path;
} Location;

bool location_parse(const char *text, Location *location, GError **error);
void location_clear(Location *location);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Location, location_clear)

/* SOURCE as it stands in CLONE and LN: "fe:SOURCE", or SOURCE itself when that has a colon of its
 * own. For sources that are paths: returns what follows the first "host:", else the text. */
const char *source_of_argument(const char *text);

/* The N of a path that ends in /disk.N; -1 if it is no disk but the directory. */
gint64 disk_id_of_path(const char *path);

/* Decimal argument; `what` names it in the error. */
bool argument_number(const char *text, const char *what, gint64 *number, GError **error);
