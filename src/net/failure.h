#ifndef NET_FAILURE_H
#define NET_FAILURE_H

#include <stdbool.h>

/* How an exchange over the network ended that brought no answer, and in words of our own: libcurl's may hold the address. */
enum transport {
	TRANSPORT_OK,
	TRANSPORT_DNS,
	TRANSPORT_CONNECT,
	TRANSPORT_TLS,
	TRANSPORT_TIMEOUT,
	TRANSPORT_RESET,
	TRANSPORT_TOO_BIG,
	TRANSPORT_OTHER
};

/* Of ours: a proxy answered, but not with a way through. libcurl says a connection broke, or CURLE_PROXY since 7.73. */
#define PROXY_REFUSES 97

/* code: a CURLcode. A server's certificate has a reason of its own: verify, X509_V_ERR_…, 0: none. */
enum transport failure_transport(int code);
const char *failure_text(int code, long verify, bool connected);
#endif
