#ifndef ALERT_HTTP_H
#define ALERT_HTTP_H

#include "alert/channel.h"

/*
 * Requests on the wire: HTTP(S) and SMTP by libcurl, which is loaded at first use (base/dl.h); many at once. TLS is verified,
 * redirects are never followed, plain http goes to loopback only (or with http_options.allow_plain), proxies and private CAs
 * as the environment says (http_proxy, https_proxy, all_proxy, no_proxy, SSL_CERT_FILE, SSL_CERT_DIR); loopback is never
 * reached by way of a proxy. smtp:// needs STARTTLS, on loopback only when there is a password and the server offers it.
 * User-Agent: tocsin/VERSION. No message names a URL, header or body. Nothing is sent twice: a kept connection that breaks
 * is told as TRANSPORT_RESET.
 *
 * The response: status, headers and body hold what came before it broke; of a body the first RESPONSE_MAX bytes (then why
 * says so, and transport is TRANSPORT_OK: the status counts). Of a mail: the last reply of the server, as status and body;
 * it goes to the recipients whom the server takes, and why says how many it does not.
 */
struct http; /* connections are kept alive between requests */
struct http_options {
	const char *ca_file;    /* these and no others are trusted; NULL: as SSL_CERT_FILE says, else the system's */
	const char *proxy;      /* NULL: as the environment says; "": none */
	bool allow_plain;       /* plain http beyond loopback */
	int64_t connect_ns, total_ns; /* 0: 5 s, 15 s. Under 16 bytes a second for two thirds of it counts as silence. Mails: four times as long */
	int max_parallel;       /* 0: 16 */
};
int http_open(const struct http_options *o, struct http **ret, struct err *e); /* -ELIBACC: libcurl is not there: names the package */
void http_close(struct http *h); /* what is under way is dropped: its fn is never called */
typedef void http_done_fn(void *ctx, const struct response *r); /* spans live for the call */
/* Starts it (kept until done; wiped then). fn is called from http_run, once; it may call http_send, nothing else of this. */
int http_send(struct http *h, const struct request *q, http_done_fn *fn, void *ctx, struct err *e);
/* Works for at most wait_ns, or until something was done; returns how many are still under way. */
int http_run(struct http *h, int64_t wait_ns, struct err *e);
#endif
