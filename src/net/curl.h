#ifndef NET_CURL_H
#define NET_CURL_H

/* Its checks and its deprecation marks are macros around names that are members of a table here. */
#define CURL_DISABLE_TYPECHECK
#define CURL_DISABLE_DEPRECATION
#include <curl/curl.h>

#include <stdbool.h>

#include "base/err.h"

#define CURL_FUNCTIONS(X)                                                                                                            \
	X(curl_global_init_mem) X(curl_global_cleanup) X(curl_version_info) X(curl_easy_init) X(curl_easy_cleanup)                  \
	X(curl_easy_setopt) X(curl_easy_getinfo) X(curl_easy_send) X(curl_easy_recv) X(curl_multi_init) X(curl_multi_cleanup)       \
	X(curl_multi_setopt) X(curl_multi_add_handle) X(curl_multi_remove_handle) X(curl_multi_perform) X(curl_multi_poll)          \
	X(curl_multi_info_read) X(curl_url) X(curl_url_cleanup) X(curl_url_set) X(curl_url_get) X(curl_free)    \
	X(curl_getdate)

/* libcurl, once curl_use() has said 0. */
struct curl_functions {
#define X(f) __typeof__(f) *f;
	CURL_FUNCTIONS(X)
#undef X
};
extern struct curl_functions cu;

/*
 * Loads it at the first call; what_for is for the error when it is not there. All memory that it asks for is wiped when it gives it back: what is sent holds secrets.
 * Each success is paid back with curl_leave().
 */
int curl_use(const char *what_for, struct err *e);
void curl_leave(void);
bool net_is_loopback(const char *host); /* a name or address, [::1] with its brackets */
#endif
