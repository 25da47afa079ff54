/* NO_PROXY, as go's httpproxy reads it: addresses, networks, domains; each but a network with a port or without. */
#include <arpa/inet.h>
#include <strings.h>

#include "base/mem.h"
#include "net/get.h"

struct address { /* of the old kind: behind ::ffff: */
	unsigned char b[16];
	bool old;
};

static bool read_address(struct span s, struct address *ret)
{
	static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	char z[INET6_ADDRSTRLEN];

	if (!s.n || s.n >= sizeof(z) || memchr(s.p, 0, s.n))
		return false;
	memcpy(z, s.p, s.n);
	z[s.n] = 0;
	memcpy(ret->b, mapped, sizeof(mapped));
	ret->old = inet_pton(AF_INET, z, ret->b + 12) == 1;
	if (ret->old)
		return true;
	bool fine = inet_pton(AF_INET6, z, ret->b) == 1;
	ret->old = fine && !memcmp(ret->b, mapped, sizeof(mapped));
	return fine;
}

/* "10.0.0.0/8". -1: that is none; 1: the address lies in it. */
static int in_network(struct span word, const struct address *of)
{
	struct span bits = word, net = span_cut(&bits, '/');
	struct address a;
	int64_t n;

	if (net.n == word.n || !read_address(net, &a) || bits.n > 3 || !bits.n || *bits.p < '0' || *bits.p > '9' || !span_int(bits, &n))
		return -1;
	if (n > (span_chr(net, ':') == SPAN_NONE ? 32 : 128))
		return -1;
	n += span_chr(net, ':') == SPAN_NONE ? 96 : 0;
	if (!of || of->old != a.old)
		return 0;
	for (int64_t i = 0; i < n; i++) {
		if ((a.b[i / 8] ^ of->b[i / 8]) & (0x80 >> i % 8))
			return 0;
	}
	return 1;
}

/* "host:port", "[address]:port". false: there is no port, and *host is all of it. */
static bool split(struct span s, struct span *host, struct span *port)
{
	size_t colon = span_rchr(s, ':');

	*host = s;
	*port = (struct span){ 0 };
	if (colon == SPAN_NONE)
		return false;
	struct span before = span_head(s, colon);
	if (before.n && before.p[0] == '[') {
		if (span_chr(before, ']') != before.n - 1)
			return false;
		before = span_from(span_head(before, before.n - 1), 1);
	} else if (span_chr(before, ':') != SPAN_NONE || span_chr(before, '[') != SPAN_NONE || span_chr(before, ']') != SPAN_NONE) {
		return false;
	}
	*host = before;
	*port = span_from(s, colon + 1);
	return true;
}

static bool same(struct span a, struct span b)
{
	return a.n == b.n && (!a.n || !strncasecmp(a.p, b.p, a.n));
}

static bool below(struct span name, struct span domain)
{
	return name.n > domain.n && name.p[name.n - domain.n - 1] == '.' && same(span_from(name, name.n - domain.n), domain);
}

static bool word_matches(struct span word, struct span name, struct span port, const struct address *address)
{
	struct span host, its_port;
	struct address a;

	int net = in_network(word, address);
	if (net >= 0)
		return net;
	split(word, &host, &its_port);
	if (its_port.n && !span_eq(its_port, port))
		return false;
	if (read_address(host, &a))
		return address && !memcmp(a.b, address->b, sizeof(a.b));
	if (address || !host.n)
		return false; /* a domain is no address's */
	if (span_starts(host, S("*.")))
		host = span_from(host, 1);
	bool itself = host.p[0] != '.';
	if (!itself)
		host = span_from(host, 1);
	return (itself && same(name, host)) || below(name, host);
}

bool net_no_proxy(struct span list, struct span host, bool https)
{
	struct span name, port;
	struct address a, *address = NULL;

	if (!split(host, &name, &port) && name.n > 1 && name.p[0] == '[' && name.p[name.n - 1] == ']')
		name = span_from(span_head(name, name.n - 1), 1);
	if (!port.n)
		port = https ? S("443") : S("80");
	size_t zone = span_chr(name, '%');
	if (read_address(zone == SPAN_NONE ? name : span_head(name, zone), &a))
		address = &a;
	for (struct span rest = list; rest.n;) { /* a lone * beside others counts for all */
		if (span_eq(span_trim(span_cut(&rest, ',')), S("*")))
			return true;
	}
	while (list.n) {
		struct span word = span_trim(span_cut(&list, ','));
		if (word.n && word_matches(word, name, port, address))
			return true;
	}
	return false;
}
