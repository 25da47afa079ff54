#ifndef STORE_RESOLVE_H
#define STORE_RESOLVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define RESOLVE_MAX 8
struct address {
	char text[64];
};

/*
 * The addresses of a host, in the resolver's order, and not later than the deadline (time_mono): a resolver that gets no
 * answer would keep us for half a minute. Their number; -ETIMEDOUT, or -ENOENT with the resolver's reason in *why (static).
 */
int resolve_host(const char *host, int64_t deadline, struct address ret[RESOLVE_MAX], const char **why);
#endif
