// SPDX-License-Identifier: Apache-2.0
#include "http/curl.h"

#include "base/error.h"

#include <dlfcn.h>
#include <string.h>

Libcurl libcurl;

bool
curl_load(GError **error)
{
    static const struct {
        const char *name;
        void *slot;
    } symbols[] = {
        {"curl_easy_setopt",         &libcurl.easy_setopt        },
        {"curl_easy_perform",        &libcurl.easy_perform       },
        {"curl_easy_getinfo",        &libcurl.easy_getinfo       },
        {"curl_easy_pause",          &libcurl.easy_pause         },
        {"curl_easy_cleanup",        &libcurl.easy_cleanup       },
        {"curl_easy_strerror",       &libcurl.easy_strerror      },
        {"curl_slist_append",        &libcurl.slist_append       },
        {"curl_slist_free_all",      &libcurl.slist_free_all     },
        {"curl_multi_init",          &libcurl.multi_init         },
        {"curl_multi_add_handle",    &libcurl.multi_add_handle   },
        {"curl_multi_remove_handle", &libcurl.multi_remove_handle},
        {"curl_multi_perform",       &libcurl.multi_perform      },
        {"curl_multi_poll",          &libcurl.multi_poll         },
        {"curl_multi_info_read",     &libcurl.multi_info_read    },
        {"curl_multi_cleanup",       &libcurl.multi_cleanup      },
        {"curl_easy_init",           &libcurl.easy_init          }, /* last: says that all are there */
    };

    if (libcurl.easy_init)
        return true;
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return set_error(error, ONEVOL_ERROR_FAILED, "cannot load libcurl: %s", dlerror());
    for (guint i = 0; i < G_N_ELEMENTS(symbols); i++) {
        void *symbol = dlsym(library, symbols[i].name);
        if (!symbol)
            return set_error(error, ONEVOL_ERROR_FAILED, "libcurl has no %s", symbols[i].name);
        memcpy(symbols[i].slot, &symbol, sizeof symbol);
    }
    return true;
}

void
curl_spare_localhost(CURL *curl, const char *url)
{
    g_autoptr(GUri) uri = g_uri_parse(url, G_URI_FLAGS_NONE, NULL);
    const char *host = uri ? g_uri_get_host(uri) : NULL;

    if (host &&
        (!strcmp(host, "localhost") || g_str_has_prefix(host, "127.") || !strcmp(host, "::1")))
        libcurl.easy_setopt(curl, CURLOPT_NOPROXY, "*");
}
