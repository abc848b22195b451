// SPDX-License-Identifier: Apache-2.0
/*
 * libcurl's functions, loaded when the first request is made: the library and what it brings take
 * 4 of the 6 ms that a program linked with it needs to start, and most actions speak to nobody.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

typedef struct Libcurl {
    CURL *(*easy_init)(void);
    CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
    CURLcode (*easy_perform)(CURL *);
    CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
    CURLcode (*easy_pause)(CURL *, int);
    void (*easy_cleanup)(CURL *);
    const char *(*easy_strerror)(CURLcode);
    struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
    void (*slist_free_all)(struct curl_slist *);
    CURLM *(*multi_init)(void);
    CURLMcode (*multi_add_handle)(CURLM *, CURL *);
    CURLMcode (*multi_remove_handle)(CURLM *, CURL *);
    CURLMcode (*multi_perform)(CURLM *, int *);
    CURLMcode (*multi_poll)(CURLM *, struct curl_waitfd *, unsigned, int, int *);
    CURLMsg *(*multi_info_read)(CURLM *, int *);
    CURLMcode (*multi_cleanup)(CURLM *);
} Libcurl;

extern Libcurl libcurl;

/* True once all of it is there. */
bool curl_load(GError **error);

/* No proxy for this machine itself, whatever the environment says. */
void curl_spare_localhost(CURL *curl, const char *url);
