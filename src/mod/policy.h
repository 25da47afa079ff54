#ifndef MOD_POLICY_H
#define MOD_POLICY_H

#include "model/report.h"

/*
 * What to do when a command that loads modules has failed: pure decisions, one after another, over the attempts of one run.
 * Never past a security stop; the same again only when that can help; other proxies only where no name is shown to a stranger
 * (mod/mirror.h); at last what needs no network.
 */
struct policy { /* what holds for all attempts, filled in by the caller; and what was done, kept by policy_decide */
	int64_t retries;       /* how often the same may be tried again; mirrors and what needs no network do not count */
	size_t mirrors;        /* how many may be asked */
	bool vendor;           /* there is a vendor/, the command builds, and it was not used yet */
	bool cache;            /* the command can be served from the cache alone: it does not look for other versions */
	int64_t tried;
	size_t mirror;         /* the next one */
	bool tried_vendor, tried_cache, network;
};
struct policy_seen {
	enum cause cause;
	const char *classes;
	bool failed;           /* the attempt did */
	bool told_to_stop;     /* by a signal */
	bool is_private;       /* GOPRIVATE, GONOPROXY or GONOSUMDB matches the module that failed */
	bool hung;             /* it was ended, as nothing came any more */
};
enum policy_do {
	POLICY_PASSED,
	POLICY_NOT_OURS, /* it failed, and not by a module */
	POLICY_STOP,     /* it would not help, or all was tried */
	POLICY_SECURITY, /* never again: keep the proof */
	POLICY_AGAIN,    /* the same after a delay */
	POLICY_MIRROR,   /* with step.mirror at the front of GOPROXY */
	POLICY_VENDOR,   /* with -mod=vendor */
	POLICY_CACHE,    /* with GOPROXY=off */
};
struct policy_step {
	enum policy_do act;
	size_t mirror;
	int64_t backoff;  /* which delay of the exponential ones is meant, from 0; -1: none */
	const char *why;  /* one sentence */
};
void policy_decide(struct policy *p, const struct policy_seen *seen, struct policy_step *ret);
const char *policy_word(enum policy_do d); /* "retry", "mirror", "vendor", "cache", "stop", "security", …: for machines */
#endif
