#include "net/curl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/dl.h"
#include "base/mem.h"

struct curl_functions cu;

static const struct dl_symbol symbols[] = {
#define X(f) { #f, &cu.f },
	CURL_FUNCTIONS(X)
#undef X
};

/* The one with OpenSSL first: it can share one set of trusted certificates among all connections. */
static const char *const files[] = { "libcurl.so.4", "libcurl-gnutls.so.4", "libcurl.so", NULL };
static struct dl_library libcurl = {
	.name = "libcurl", .files = files, .debian = "libcurl4", .fedora = "libcurl", .alpine = "libcurl", .arch = "curl", .symbols = symbols,
	.n = ARRAY_LEN(symbols),
};
DL_NOTE("libcurl.so.4", "alert", "Alerts by HTTPS and mail, questions to module proxies");

static unsigned users;

/* ---- memory that is wiped: its length stands before it ---- */

#define HEAD 16 /* keeps the alignment of malloc */

static size_t wiped_size(const void *p)
{
	size_t n;

	memcpy(&n, (const char *)p - HEAD, sizeof(n));
	return n;
}

static void *wiped_alloc(size_t n)
{
	char *p = n < SIZE_MAX - HEAD ? mem_alloc(n + HEAD) : NULL;

	if (!p)
		return NULL;
	memcpy(p, &n, sizeof(n));
	return p + HEAD;
}

static void wiped_free(void *p)
{
	if (!p)
		return;
	explicit_bzero(p, wiped_size(p));
	mem_free((char *)p - HEAD);
}

static void *wiped_resize(void *p, size_t n)
{
	void *fresh = wiped_alloc(n);

	if (fresh && p) {
		size_t had = wiped_size(p);
		memcpy(fresh, p, had < n ? had : n);
		wiped_free(p);
	}
	return fresh;
}

static char *wiped_dup(const char *z)
{
	size_t n = strlen(z) + 1;
	char *p = wiped_alloc(n);

	return p ? memcpy(p, z, n) : NULL;
}

static void *wiped_zalloc(size_t count, size_t each)
{
	void *p = each && count > SIZE_MAX / each ? NULL : wiped_alloc(count * each);

	return p ? memset(p, 0, count * each) : NULL;
}

int curl_use(const char *what_for, struct err *e)
{
	int r;

	libcurl.what_for = what_for;
	r = dl_load(&libcurl, e);
	if (r < 0)
		return r;
	if (!users && cu.curl_global_init_mem(CURL_GLOBAL_ALL, wiped_alloc, wiped_free, wiped_resize, wiped_dup, wiped_zalloc))
		return err_set(e, ENOMEM, TR("libcurl cannot start: out of memory, or without TLS", "libcurl 无法启动：内存不足，或不支持 TLS"));
	users++;
	return 0;
}

void curl_leave(void)
{
	if (!--users)
		cu.curl_global_cleanup();
}

bool net_is_loopback(const char *host)
{
	struct in6_addr six;
	struct in_addr four;
	char bare[64];

	if (!strcasecmp(host, "localhost"))
		return true;
	if (inet_pton(AF_INET, host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	if (*host != '[' || strlen(host) >= sizeof(bare))
		return false;
	snprintf(bare, sizeof(bare), "%.*s", (int)strcspn(host + 1, "]"), host + 1);
	return inet_pton(AF_INET6, bare, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}
