#ifndef NET_GET_H
#define NET_GET_H

#include "base/buf.h"
#include "net/failure.h"

/*
 * Asking module proxies, as the go command would: by the environment's proxies in go's order (HTTPS_PROXY, https_proxy,
 * HTTP_PROXY, …, NO_PROXY; never ALL_PROXY, never for loopback), the certificates of SSL_CERT_FILE and SSL_CERT_DIR or the
 * system's, .netrc for https only. TLS is verified. Redirections are followed (https never to http), but not by a request that
 * carries credentials. Libcurl is loaded at first use. No text of ours holds an address's credentials.
 */
struct net;
struct net_options {
	struct span netrc;       /* the text of .netrc; absent: none. Lives as long as net */
	bool netrc_old;          /* as go before 1.24 looks for the machine */
	const char *ca_file;     /* these and no others are trusted; NULL: as go would */
	bool insecure;           /* GOINSECURE matched: certificates are not verified */
	int64_t connect_ns, total_ns, quiet_ns; /* 0: 10 s, 30 s; quiet_ns: the longest time without a byte, 0: total_ns */
	int max_parallel;        /* 0: 8 */
	bool look;               /* say what is known of the TLS of each answer: tls, subject, issuer, root, expires */
	bool (*stop)(void *ctx); /* asked every 100 ms: true ends all that is under way; NULL: never */
	void *ctx;
};
int net_open(const struct net_options *o, struct net **ret, struct err *e); /* -ELIBACC: libcurl is not there: names the package */
void net_close(struct net *n);
void net_close_cleanup(struct net **n);

struct net_get {
	/* the question */
	const char *url;         /* http://, https:// (also without it, as go has it), file:// */
	const char *to;          /* a file that takes the answer, made anew; NULL: body takes it */
	size_t max;              /* bytes of the answer; 0: 16 MiB. More is TRANSPORT_TOO_BIG, and the rest is not read */
	bool head;               /* ask for the head only */
	bool bare;               /* send no credentials, whatever the address or .netrc have */
	bool shake;              /* connect only, believing any certificate: nothing is sent, there is no status */
	bool straight;           /* by no HTTP proxy */
	/* the answer */
	enum transport transport;
	int status;              /* of HTTP; of file:// 200, 404, 403; 0: none came */
	const char *why;         /* a sentence, when it did not come to an answer; static; else NULL */
	struct buf body;         /* the caller's to free; also of an error, its first bytes */
	int64_t bytes;           /* of the body */
	bool by_proxy;           /* by way of an HTTP proxy of the environment (of http:// addresses: one is set) */
	bool authorized;         /* credentials were sent */
	char address[64];        /* who answered, "192.0.2.1:443"; "": nobody */
	int version;             /* 10, 11, 20, 30; 0: not known */
	char type[80];           /* Content-Type, without parameters */
	char location[256];      /* of a redirection that was not followed: where to, without its query */
	int64_t name_ns, connect_ns, tls_ns, first_ns, total_ns; /* since its begin, when each was over; 0: it was not reached */
	int64_t date;            /* the server's clock, seconds since 1970; 0: not said */
	char tls[16];            /* with `look`: "TLSv1.3"; "": none, or not known */
	char subject[160], issuer[160], root[160]; /* of the server's certificate: "C = US, O = …"; whom the last one sent was issued by */
	int64_t expires;         /* seconds since 1970; 0: not known */
};
/* All of them, side by side; returns when all are over. An error only for want of memory; what failed is said in each. */
int net_get(struct net *n, struct net_get *g, size_t count, struct err *e);
/*
 * Does NO_PROXY name this host ("name", "name:port", "[address]:port"), as go understands it: networks ("10.0.0.0/8") only for an
 * address, "example.com" with all below it, ".example.com" and "*.example.com" only those, any of them with ":port"? Pure.
 */
bool net_no_proxy(struct span list, struct span host, bool https);
#endif
