#ifndef ALERT_HTTP_H
#define ALERT_HTTP_H

#include "alert/channel.h"

/*
 * Requests on the wire: HTTP(S) and SMTP by libcurl, which is loaded at first use (base/dl.h); many at once. TLS is verified,
 * redirects are never followed, plain http goes to loopback only (or with http_options.allow_plain), proxies and private CAs
 * as the environment says. User-Agent: tocsin/VERSION. No message names a URL, header or body.
 */
struct http; /* connections are kept alive between requests */
struct http_options {
	const char *ca_file;    /* NULL: the system's */
	const char *proxy;      /* NULL: as the environment says */
	bool allow_plain;       /* plain http beyond loopback */
	int64_t connect_ns, total_ns; /* 0: 5 s, 15 s. A byte a second counts as silence: low-speed limit */
	int max_parallel;       /* 0: 16 */
};
int http_open(const struct http_options *o, struct http **ret, struct err *e); /* -ELIBACC: libcurl is not there: names the package */
void http_close(struct http *h);
typedef void http_done_fn(void *ctx, const struct response *r); /* spans live for the call */
/* Starts it (kept until done; wiped then). fn is called from http_run. */
int http_send(struct http *h, const struct request *q, http_done_fn *fn, void *ctx, struct err *e);
/* Works for at most wait_ns, or until something was done; returns how many are still under way. */
int http_run(struct http *h, int64_t wait_ns, struct err *e);
#endif
