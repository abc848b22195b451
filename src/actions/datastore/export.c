// SPDX-License-Identifier: Apache-2.0
/*
 * export: where a marketplace finds the image, and how to check it.
 */
#include "actions/datastore/datastore.h"

#include <stdio.h>

bool
datastore_export(Task *task, G_GNUC_UNUSED char **arguments, GError **error)
{
    g_autoptr(Volume) image = datastore_image(task, error);
    g_auto(Endpoint) endpoint = {0};

    if (!image || !volume_require(image, error) || !volume_open(image, &endpoint, error))
        return false;
    g_autofree char *md5 = host_digest(endpoint.host, endpoint.path, "md5", error);
    g_autofree char *source =
        g_markup_printf_escaped("<IMPORT_SOURCE>%s</IMPORT_SOURCE>", endpoint.path);
    if (!volume_close(image, &endpoint, md5 ? error : NULL) || !md5)
        return false;
    printf("<IMPORT_INFO>%s<MD5>%s</MD5><SIZE>%" G_GUINT64_FORMAT "</SIZE><FORMAT>%s</FORMAT>"
           "<DISPOSE>NO</DISPOSE></IMPORT_INFO>\n",
           source, md5, (image->virtual_size + MIB - 1) / MIB, image->format);
    return true;
}
